/* SPDX-License-Identifier: Apache-2.0 */
/* SEV-SNP reports and Nitro documents of the corpus, real and synthetic, and mutations of them. */
#include "corpus.h"
#include "tee/nitro.h"
#include "tee/snp.h"

/* ---- SEV-SNP ---- */

struct snp_case {
    struct buf report, ek, ask, ark;
    uint64_t now;
};

static void snp_load(const struct json_val *v, struct snp_case *c) {
    named_file(str_at(v, "report"), &c->report);
    named_file(str_at(v, "ek"), &c->ek);
    named_file(str_at(v, "ask"), &c->ask);
    named_file(str_at(v, "ark"), &c->ark);
    c->now = time_of(str_at(v, "time"));
}

static void snp_done(struct snp_case *c) {
    buf_done(&c->report), buf_done(&c->ek), buf_done(&c->ask), buf_done(&c->ark);
}

static sr_status snp_judge(const struct snp_case *c, struct snp_result *r, struct sr_err *e) {
    struct snp_chain *chain = NULL;
    *r = (struct snp_result){0};
    sr_status st = snp_chain_new(buf_slice(&c->ek), buf_slice(&c->ask), buf_slice(&c->ark), &chain,
                                 &r->error, e);
    if (st == SR_OK) st = snp_verify(buf_slice(&c->report), chain, c->now, r, e);
    snp_chain_free(chain);
    return st;
}

static void tcb_is(const struct json_val *v, const struct snp_tcb *t) {
    const struct json_val *w = json_get(v, "tcb");
    if (!w) return;
    assert_int_equal(t->bl, num_at(w, "bl"));
    assert_int_equal(t->tee, num_at(w, "tee"));
    assert_int_equal(t->snp, num_at(w, "snp"));
    assert_int_equal(t->ucode, num_at(w, "ucode"));
    if (json_get(w, "fmc")) assert_int_equal(t->fmc, num_at(w, "fmc"));
}

static void snp_as_expected(const struct json_val *v, const struct snp_result *r) {
    const char *why[TEE_REASONS_MAX];
    bool debug = false;
    const struct snp_report *p = &r->report;
    assert_true(slice_is(str_at(v, "product"), snp_product_name(r->product)));
    reasons_are(v, why, snp_strict_reasons(r, why, TEE_REASONS_MAX));
    tcb_is(v, &r->tcb);
    hex_is(v, "measurement", p->measurement, 48);
    hex_is(v, "host_data", p->host_data, 32);
    hex_is(v, "report_data", p->report_data, 64);
    hex_is(v, "id_key_digest", p->id_key_digest, 48);
    hex_is(v, "chip_id", p->chip_id, 64);
    hex_is(v, "launch_tcb", p->launch_tcb, 8);
    hex_is(v, "committed_tcb", p->committed_tcb, 8);
    hex_is(v, "current_tcb", p->current_tcb, 8);
    hex_is(v, "reported_tcb", p->reported_tcb, 8);
    if (json_bool(json_get(v, "debug"), &debug)) assert_int_equal(debug, r->debug);
    if (json_get(v, "vmpl")) assert_int_equal(p->vmpl, num_at(v, "vmpl"));
    if (json_get(v, "version")) assert_int_equal(p->version, num_at(v, "version"));
    if (json_get(v, "signing_key"))
        assert_true(slice_is(str_at(v, "signing_key"), r->vlek ? "VLEK" : "VCEK"));
}

static void every_report_gets_its_verdict(void **state) {
    (void)state;
    size_t accepted = 0, refused = 0;
    for (const struct json_val *v = json_first(json_get(json_root(corpus), "vectors")); v;
         v = json_next(v)) {
        struct snp_case c;
        struct snp_result r;
        struct sr_err e = {0};
        if (!slice_is(str_at(v, "kind"), "snp")) continue;
        snp_load(v, &c);
        sr_status st = snp_judge(&c, &r, &e);
        if (slice_is(str_at(v, "verdict"), "accept")) {
            if (st != SR_OK) FAIL_AT(str_at(v, "id"), "refused: %s", e.what);
            assert_null(r.error);
            snp_as_expected(v, &r);
            accepted++;
        } else {
            if (st == SR_OK) FAIL_AT(str_at(v, "id"), "accepted");
            if (!slice_is(str_at(v, "error"), r.error))
                FAIL_AT(str_at(v, "id"), "class %s", r.error);
            refused++;
        }
        bool synthetic = false;
        (void)json_bool(json_get(v, "synthetic"), &synthetic);
        snp_product pinned = SNP_UNKNOWN;
        assert_int_equal(snp_ark_is_pinned(buf_slice(&c.ark), &pinned), !synthetic);
        if (!synthetic) assert_int_equal(pinned, r.product);
        snp_done(&c);
    }
    assert_int_equal(accepted, 20);
    assert_int_equal(refused, 8);
}

static struct buf *snp_file(struct snp_case *c, struct slice name) {
    return slice_is(name, "report") ? &c->report
           : slice_is(name, "ek")   ? &c->ek
           : slice_is(name, "ask")  ? &c->ask
                                    : &c->ark;
}

static void snp_mutate(struct snp_case *c, const struct json_val *op) {
    if (slice_is(str_at(op, "op"), "time")) {
        c->now = time_of(str_at(op, "value"));
        return;
    }
    struct buf *b = snp_file(c, str_at(op, "file"));
    if (slice_is(str_at(op, "op"), "copy")) {
        const struct buf *from = snp_file(c, str_at(op, "from"));
        buf_clear(b);
        buf_add(b, buf_slice(from));
    } else {
        mutate_bytes(b, op);
    }
}

static void every_mutated_report_is_refused(void **state) {
    (void)state;
    size_t done = 0, same = 0;
    for (const struct json_val *m = json_first(json_get(json_root(corpus), "mutations")); m;
         m = json_next(m)) {
        struct snp_case c;
        struct snp_result r;
        const struct json_val *base = vector_named(str_at(m, "base"));
        if (!slice_is(str_at(base, "kind"), "snp")) continue;
        snp_load(base, &c);
        for (const struct json_val *op = json_first(json_get(m, "ops")); op; op = json_next(op))
            snp_mutate(&c, op);
        if (snp_judge(&c, &r, NULL) == SR_OK) FAIL_AT(str_at(m, "id"), "accepted");
        assert_non_null(r.error);
        same += slice_is(str_at(m, "error"), r.error);
        done++;
        snp_done(&c);
    }
    print_message("%zu mutations, %zu with the class of the corpus\n", done, same);
    assert_int_equal(done, 78);
}

static void every_flipped_bit_of_a_report_is_refused(void **state) {
    (void)state;
    struct snp_case c;
    struct snp_result r;
    struct snp_chain *chain = NULL;
    snp_load(vector_named(SLICE_LIT("snp-turin-v5-3f44a09b")), &c);
    OK(snp_chain_new(buf_slice(&c.ek), buf_slice(&c.ask), buf_slice(&c.ark), &chain, NULL, NULL));
    for (size_t i = 0; i < c.report.n; i++) {
        c.report.p[i] ^= (uint8_t)(1u << i % 8);
        if (snp_verify(buf_slice(&c.report), chain, c.now, &r, NULL) == SR_OK)
            fail_msg("byte %zu", i);
        c.report.p[i] ^= (uint8_t)(1u << i % 8);
    }
    OK(snp_verify(buf_slice(&c.report), chain, c.now, &r, NULL));
    for (size_t cut = 0; cut < c.report.n; cut++) {
        uint8_t *p = malloc(cut ? cut : 1);
        assert_non_null(p);
        memcpy(p, c.report.p, cut);
        assert_int_equal(snp_parse(slice_of(p, cut), &r.report, NULL, NULL), SR_E_MALFORMED);
        free(p);
    }
    snp_chain_free(chain);
    snp_done(&c);
}

static void certificates_that_fit_no_report_are_refused(void **state) {
    (void)state;
    const char *const bad[] = {"snp/ek-invalid-legacy.der", "snp/ek-invalid-new.der"};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct snp_case c;
        struct snp_result r;
        snp_load(vector_named(SLICE_LIT("snp-milan-v3-ec43daae")), &c);
        buf_done(&c.ek);
        named_file(slice_str(bad[i]), &c.ek);
        assert_int_not_equal(snp_judge(&c, &r, NULL), SR_OK);
        snp_done(&c);
    }
}

static void put_le32(uint8_t *p, uint32_t v) {
    for (size_t i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

static void a_certificate_table_is_bounded(void **state) {
    (void)state;
    /* VCEK of 4 bytes at 48, then the end. */
    uint8_t t[52] = {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45,
                     0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
    struct snp_table got;
    put_le32(t + 16, 48), put_le32(t + 20, 4);
    memcpy(t + 48, "cert", 4);
    OK(snp_table_parse(slice_of(t, sizeof t), &got, NULL));
    assert_true(slice_is(got.vcek, "cert") && got.ask.n == 0);
    for (size_t cut = 0; cut < sizeof t; cut++)
        assert_int_equal(snp_table_parse(slice_of(t, cut), &got, NULL), SR_E_MALFORMED);
    const uint32_t wrong[][2] = {{49, 4}, {48, 5}, {UINT32_MAX, 4}, {48, UINT32_MAX}, {53, 0}};
    for (size_t i = 0; i < SR_ARRAY_LEN(wrong); i++) {
        put_le32(t + 16, wrong[i][0]), put_le32(t + 20, wrong[i][1]);
        assert_int_equal(snp_table_parse(slice_of(t, sizeof t), &got, NULL), SR_E_MALFORMED);
    }
}

/* ---- Nitro ---- */

struct nitro_case {
    struct buf doc, root;
    uint64_t now;
};

static void nitro_load(const struct json_val *v, struct nitro_case *c) {
    named_file(str_at(v, "doc"), &c->doc);
    named_file(str_at(v, "root"), &c->root);
    c->now = time_of(str_at(v, "time"));
}

static void nitro_done(struct nitro_case *c) {
    buf_done(&c->doc), buf_done(&c->root);
}

static void nitro_as_expected(const struct json_val *v, const struct nitro_result *r) {
    const char *why[TEE_REASONS_MAX];
    bool debug = false;
    reasons_are(v, why, nitro_strict_reasons(r, why, TEE_REASONS_MAX));
    if (json_bool(json_get(v, "debug"), &debug)) assert_int_equal(debug, r->debug);
    if (json_get(v, "module_id")) assert_true(slice_eq(str_at(v, "module_id"), r->doc.module_id));
    if (json_get(v, "timestamp_ms"))
        assert_int_equal(r->doc.timestamp_ms, num_at(v, "timestamp_ms"));
    for (const struct json_val *p = json_first(json_get(v, "pcrs")); p; p = json_next(p)) {
        uint64_t i = 0;
        uint8_t want[64];
        struct slice hex = {0};
        assert_true(num_u64(json_key(p), NITRO_PCRS - 1, &i) && json_str(p, &hex));
        assert_int_equal(hex.n, 2 * r->doc.pcr[i].n);
        assert_true(hex_decode(hex, want, hex.n / 2));
        assert_memory_equal(want, r->doc.pcr[i].p, hex.n / 2);
    }
}

static void every_document_gets_its_verdict(void **state) {
    (void)state;
    size_t accepted = 0, refused = 0;
    for (const struct json_val *v = json_first(json_get(json_root(corpus), "vectors")); v;
         v = json_next(v)) {
        struct nitro_case c;
        struct nitro_result r;
        struct sr_err e = {0};
        if (!slice_is(str_at(v, "kind"), "nitro")) continue;
        nitro_load(v, &c);
        sr_status st = nitro_verify(buf_slice(&c.doc), buf_slice(&c.root), c.now, &r, &e);
        if (slice_is(str_at(v, "verdict"), "accept")) {
            if (st != SR_OK) FAIL_AT(str_at(v, "id"), "refused: %s", e.what);
            nitro_as_expected(v, &r);
            accepted++;
        } else {
            if (st == SR_OK) FAIL_AT(str_at(v, "id"), "accepted");
            if (!slice_is(str_at(v, "error"), r.error))
                FAIL_AT(str_at(v, "id"), "class %s", r.error);
            refused++;
        }
        bool synthetic = false;
        (void)json_bool(json_get(v, "synthetic"), &synthetic);
        assert_int_equal(nitro_root_is_pinned(buf_slice(&c.root)), !synthetic);
        nitro_done(&c);
    }
    assert_int_equal(accepted, 9);
    assert_int_equal(refused, 9);
}

static void every_mutated_document_is_refused(void **state) {
    (void)state;
    size_t done = 0, same = 0;
    for (const struct json_val *m = json_first(json_get(json_root(corpus), "mutations")); m;
         m = json_next(m)) {
        struct nitro_case c;
        struct nitro_result r;
        const struct json_val *base = vector_named(str_at(m, "base"));
        if (!slice_is(str_at(base, "kind"), "nitro")) continue;
        nitro_load(base, &c);
        for (const struct json_val *op = json_first(json_get(m, "ops")); op; op = json_next(op))
            if (slice_is(str_at(op, "op"), "time"))
                c.now = time_of(str_at(op, "value"));
            else
                mutate_bytes(&c.doc, op);
        if (nitro_verify(buf_slice(&c.doc), buf_slice(&c.root), c.now, &r, NULL) == SR_OK)
            FAIL_AT(str_at(m, "id"), "accepted");
        assert_non_null(r.error);
        same += slice_is(str_at(m, "error"), r.error);
        done++;
        nitro_done(&c);
    }
    print_message("%zu mutations, %zu with the class of the corpus\n", done, same);
    assert_int_equal(done, 38);
}

static void a_document_cut_or_changed_anywhere_is_refused(void **state) {
    (void)state;
    struct nitro_case c;
    struct nitro_result r;
    struct nitro_doc d;
    nitro_load(vector_named(SLICE_LIT("synth-nitro-valid")), &c);
    for (size_t cut = 0; cut < c.doc.n; cut++) {
        uint8_t *p = malloc(cut ? cut : 1);
        assert_non_null(p);
        memcpy(p, c.doc.p, cut);
        assert_int_equal(nitro_parse(slice_of(p, cut), &d, NULL, NULL), SR_E_MALFORMED);
        free(p);
    }
    for (size_t i = 0; i < c.doc.n; i += 3) { /* each takes five verifications */
        c.doc.p[i] ^= (uint8_t)(1u << i % 8);
        if (nitro_verify(buf_slice(&c.doc), buf_slice(&c.root), c.now, &r, NULL) == SR_OK)
            fail_msg("byte %zu", i);
        c.doc.p[i] ^= (uint8_t)(1u << i % 8);
    }
    nitro_done(&c);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(every_report_gets_its_verdict),
        cmocka_unit_test(every_mutated_report_is_refused),
        cmocka_unit_test(every_flipped_bit_of_a_report_is_refused),
        cmocka_unit_test(certificates_that_fit_no_report_are_refused),
        cmocka_unit_test(a_certificate_table_is_bounded),
        cmocka_unit_test(every_document_gets_its_verdict),
        cmocka_unit_test(every_mutated_document_is_refused),
        cmocka_unit_test(a_document_cut_or_changed_anywhere_is_refused),
    };
    return cmocka_run_group_tests_name("tee/hardware", t, corpus_load, corpus_unload);
}
