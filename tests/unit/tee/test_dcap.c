/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus: real and synthetic quotes with their collateral, and mutations of them. */
#include "tee/tee_int.h"
#include "tee_test.h"

#include <stdlib.h>
#include <time.h>

#define AT VECTORS "/attestation/"

static struct json *corpus;

static int load(void **state) {
    (void)state;
    struct buf b;
    file_into(AT "dcap.json", &b);
    OK(json_parse(buf_slice(&b), &corpus, NULL));
    buf_done(&b);
    return 0;
}

static int unload(void **state) {
    (void)state;
    json_free(corpus);
    return 0;
}

static struct slice str_at(const struct json_val *v, const char *key) {
    struct slice s = {0};
    (void)json_str(json_get(v, key), &s);
    return s;
}

static void file_of(const struct json_val *v, const char *key, struct buf *b) {
    char path[512];
    struct slice s = str_at(v, key);
    assert_true(snprintf(path, sizeof path, AT "%.*s", (int)s.n, (const char *)s.p) > 0);
    file_into(path, b);
}

static uint64_t time_of(struct slice s) {
    struct tm tm = {0};
    char text[32] = "";
    assert_true(s.n < sizeof text);
    memcpy(text, s.p, s.n);
    assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm));
    return (uint64_t)timegm(&tm);
}

/* One case: the files, as they are or mutated. */
struct one {
    struct buf quote, collateral, root;
    uint64_t now;
};
static void one_load(const struct json_val *v, struct one *o) {
    file_of(v, "quote", &o->quote);
    file_of(v, "collateral", &o->collateral);
    file_of(v, "root", &o->root);
    o->now = time_of(str_at(v, "time"));
}
static void one_done(struct one *o) {
    buf_done(&o->quote), buf_done(&o->collateral), buf_done(&o->root);
}
static sr_status judge(const struct one *o, struct dcap_result *r, struct sr_err *err) {
    struct dcap_collateral *c = NULL;
    *r = (struct dcap_result){0};
    sr_status st =
        dcap_collateral_new(buf_slice(&o->collateral), buf_slice(&o->root), &c, &r->error, err);
    if (st == SR_OK) st = dcap_verify(buf_slice(&o->quote), c, o->now, r, err);
    dcap_collateral_free(c);
    return st;
}

#define FAIL_AT(id, ...)                                                                           \
    do {                                                                                           \
        print_error("%.*s: ", (int)(id).n, (const char *)(id).p);                                  \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

static void measured(const struct json_val *v, const char *key, const void *got, size_t n) {
    struct slice want = str_at(json_get(v, "measurements"), key);
    uint8_t w[64];
    if (want.n == 0) return;
    assert_true(want.n == 2 * n && hex_decode(want, w, n));
    if (memcmp(w, got, n) != 0) FAIL_AT(str_at(v, "id"), "%s", key);
}

static void same_set(const struct json_val *v, const char *key, const char *const *got, size_t n,
                     bool more_is_fine) {
    const struct json_val *want = json_get(v, key);
    if (!want) return;
    if (json_len(want) != n && !more_is_fine)
        FAIL_AT(str_at(v, "id"), "%s: %zu, not %zu", key, n, json_len(want));
    for (const struct json_val *w = json_first(want); w; w = json_next(w)) {
        bool found = false;
        struct slice s = {0};
        assert_true(json_str(w, &s));
        for (size_t i = 0; i < n; i++) found |= slice_is(s, got[i]);
        if (!found) FAIL_AT(str_at(v, "id"), "%s lacks %.*s", key, (int)s.n, (const char *)s.p);
    }
}

static void status_is(const struct json_val *v, const char *key, tcb_status got) {
    struct slice want = str_at(v, key);
    if (!json_get(v, key)) return; /* the synthetic ones name the outcome only */
    if (!slice_is(want, tcb_status_name(got)))
        FAIL_AT(str_at(v, "id"), "%s is '%s'", key, tcb_status_name(got));
}

static void accepted_as_expected(const struct json_val *v, const struct dcap_result *r) {
    const char *adv[DCAP_ADVISORIES_MAX], *why[TEE_REASONS_MAX];
    bool debug = false;
    status_is(v, "tcb_status", r->status);
    status_is(v, "sgx_level_status", r->sgx_level);
    status_is(v, "tdx_level_status", r->tdx_level);
    status_is(v, "module_status", r->module);
    status_is(v, "qe_status", r->qe);
    for (size_t i = 0; i < r->n_advisories; i++) adv[i] = r->advisories[i];
    /* The list in the corpus leaves out the quoting enclave's advisories; ours has them. */
    same_set(v, "advisories", adv, r->n_advisories, r->qe != TCB_UP_TO_DATE);
    same_set(v, "policy_strict_reject", why, dcap_strict_reasons(r, why, TEE_REASONS_MAX), false);
    assert_true(json_bool(json_get(v, "debug"), &debug));
    assert_int_equal(debug, r->debug);
    measured(v, "report_data", r->report_data, 64);
    if (r->tdx) {
        measured(v, "mr_td", r->regs.mrtd, 48);
        measured(v, "mr_config_id", r->regs.mrconfigid, 48);
        measured(v, "mr_seam", r->mrseam, 48);
        measured(v, "mr_owner", r->mrowner, 48);
        measured(v, "mr_owner_config", r->mrownerconfig, 48);
        measured(v, "rtmr0", r->regs.rtmr[0], 48);
        measured(v, "rtmr1", r->regs.rtmr[1], 48);
        measured(v, "rtmr2", r->regs.rtmr[2], 48);
        measured(v, "rtmr3", r->regs.rtmr[3], 48);
        measured(v, "xfam", r->xfam, 8);
        measured(v, "td_attributes", r->td_attributes, 8);
        measured(v, "mr_servicetd", r->mr_servicetd, 48);
    } else {
        measured(v, "mr_enclave", r->mrenclave, 32);
        measured(v, "mr_signer", r->mrsigner, 32);
    }
}

static void every_quote_gets_its_verdict(void **state) {
    (void)state;
    size_t accepted = 0, refused = 0;
    for (const struct json_val *v = json_first(json_get(json_root(corpus), "vectors")); v;
         v = json_next(v)) {
        struct one o;
        struct dcap_result r;
        struct sr_err e = {0};
        struct slice id = str_at(v, "id");
        if (!slice_is(str_at(v, "kind"), "dcap")) continue;
        one_load(v, &o);
        sr_status st = judge(&o, &r, &e);
        if (slice_is(str_at(v, "verdict"), "accept")) {
            if (st != SR_OK) FAIL_AT(id, "refused: %s", e.what);
            accepted_as_expected(v, &r);
            /* The verdict holds in the whole window that the vector names. */
            if (str_at(v, "valid_from").n) o.now = time_of(str_at(v, "valid_from"));
            if (judge(&o, &r, &e) != SR_OK) FAIL_AT(id, "refused at valid_from: %s", e.what);
            if (str_at(v, "valid_to").n) o.now = time_of(str_at(v, "valid_to"));
            if (judge(&o, &r, &e) != SR_OK) FAIL_AT(id, "refused at valid_to: %s", e.what);
            accepted++;
        } else {
            if (st == SR_OK) FAIL_AT(id, "accepted");
            assert_non_null(r.error);
            if (!slice_is(str_at(v, "error"), r.error))
                print_message("%.*s: class %s\n", (int)id.n, (const char *)id.p, r.error);
            refused++;
        }
        one_done(&o);
    }
    assert_int_equal(accepted, 54);
    assert_int_equal(refused, 22);
}

/* A member of the collateral changed: the text is written anew around it. */
static void collateral_member(struct one *o, const char *member, struct slice value) {
    cleanup_json struct json *doc = NULL;
    struct buf b;
    OK(json_parse(buf_slice(&o->collateral), &doc, NULL));
    buf_init(&b, 4u << 20);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    for (const struct json_val *v = json_first(json_root(doc)); v; v = json_next(v)) {
        struct slice key = json_key(v), s = {0};
        (void)json_str(v, &s);
        jw_key_slice(&w, key);
        jw_str(&w, slice_is(key, member) ? value : s);
    }
    jw_end_obj(&w);
    OK(buf_status(&b, NULL));
    buf_done(&o->collateral);
    o->collateral = b;
}

static void mutate_member(struct one *o, struct slice op, const struct json_val *v,
                          struct slice file) {
    cleanup_json struct json *doc = NULL;
    char member[64] = "", from_key[64] = "";
    struct slice now = {0}, from = str_at(v, "from"), to = str_at(v, "to");
    struct buf b;
    uint64_t n = 0;
    OK(json_parse(buf_slice(&o->collateral), &doc, NULL));
    assert_true(file.n < sizeof member && from.n < 1000);
    memcpy(member, file.p, file.n);
    assert_true(json_str(json_get(json_root(doc), member), &now));
    buf_init(&b, 4u << 20);
    if (slice_is(op, "replace")) {
        const uint8_t *at = memmem(now.p, now.n, from.p, from.n);
        if (at) {
            buf_put(&b, now.p, (size_t)(at - now.p));
            buf_add(&b, to);
            buf_put(&b, at + from.n, now.n - (size_t)(at - now.p) - from.n);
        } else {
            fail_msg("nothing to replace");
        }
    } else if (slice_is(op, "copy")) {
        memcpy(from_key, from.p, from.n);
        assert_true(json_str(json_get(json_root(doc), from_key), &now));
        buf_add(&b, now);
    } else {
        assert_true(slice_is(op, "truncate") && json_u64(json_get(v, "length"), &n) && n <= now.n);
        buf_put(&b, now.p, n);
    }
    collateral_member(o, member, buf_slice(&b));
    buf_done(&b);
}

static void mutate(struct one *o, const struct json_val *v) {
    struct slice op = str_at(v, "op"), file = str_at(v, "file");
    uint64_t at = 0, n = 0;
    if (slice_is(op, "time")) {
        o->now = time_of(str_at(v, "value"));
    } else if (!slice_is(file, "quote")) {
        mutate_member(o, op, v, file);
    } else if (slice_is(op, "truncate")) {
        assert_true(json_u64(json_get(v, "length"), &n) && n <= o->quote.n);
        o->quote.n = n;
    } else if (slice_is(op, "xor")) {
        assert_true(json_u64(json_get(v, "offset"), &at) && at < o->quote.n &&
                    json_u64(json_get(v, "value"), &n));
        o->quote.p[at] ^= (uint8_t)n;
    } else {
        struct slice hex = {0};
        assert_true(slice_is(op, "set") && json_u64(json_get(v, "offset"), &at));
        hex = str_at(v, "hex").n ? str_at(v, "hex") : str_at(v, "value");
        assert_true(hex.n > 0 && at + hex.n / 2 <= o->quote.n &&
                    hex_decode(hex, o->quote.p + at, hex.n / 2));
    }
}

static const struct json_val *vector_named(struct slice id) {
    for (const struct json_val *v = json_first(json_get(json_root(corpus), "vectors")); v;
         v = json_next(v))
        if (slice_eq(str_at(v, "id"), id)) return v;
    fail_msg("no vector %.*s", (int)id.n, (const char *)id.p);
    return NULL;
}

static void every_mutation_is_refused(void **state) {
    (void)state;
    size_t done = 0;
    for (const struct json_val *m = json_first(json_get(json_root(corpus), "mutations")); m;
         m = json_next(m)) {
        struct one o;
        struct dcap_result r;
        one_load(vector_named(str_at(m, "base")), &o);
        for (const struct json_val *op = json_first(json_get(m, "ops")); op; op = json_next(op))
            mutate(&o, op);
        sr_status st = judge(&o, &r, NULL);
        struct slice want = str_at(m, "verdict");
        if (slice_is(want, "accept") && st != SR_OK) FAIL_AT(str_at(m, "id"), "refused");
        if (slice_is(want, "reject") && st == SR_OK) FAIL_AT(str_at(m, "id"), "accepted");
        if (st != SR_OK) assert_non_null(r.error);
        one_done(&o);
        done++;
    }
    assert_int_equal(done, 287);
}

static void a_quote_of_every_kind_cut_anywhere_is_refused(void **state) {
    (void)state;
    const char *bases[] = {"dcap-sgx3-00606a000000-d2457b83-20230515",
                           "dcap-tdx4-b0c06f000000-b9e238b2-20251117",
                           "dcap-tdx5-90c06f000000-d21a11db-20250212"};
    for (size_t i = 0; i < SR_ARRAY_LEN(bases); i++) {
        struct one o;
        struct dcap_quote q;
        one_load(vector_named(slice_str(bases[i])), &o);
        OK(dcap_parse(buf_slice(&o.quote), &q, NULL, NULL));
        /* What lies behind the signature section is padding. */
        size_t end = (size_t)(q.cert_data.p + q.cert_data.n - o.quote.p);
        for (size_t cut = 0; cut < end; cut++) {
            uint8_t *p = malloc(cut ? cut : 1);
            const char *class = NULL;
            assert_non_null(p);
            memcpy(p, o.quote.p, cut);
            assert_int_equal(dcap_parse(slice_of(p, cut), &q, &class, NULL), SR_E_MALFORMED);
            assert_non_null(class);
            free(p);
        }
        OK(dcap_parse(slice_of(o.quote.p, end), &q, NULL, NULL));
        one_done(&o);
    }
}

static void an_encrypted_ppid_quote_parses(void **state) {
    (void)state;
    const struct json_val *v = vector_named(SLICE_LIT("dcap-sgx3-certtype3-72a05bf6"));
    struct buf b;
    struct dcap_quote q;
    file_of(v, "quote", &b);
    OK(dcap_parse(buf_slice(&b), &q, NULL, NULL));
    assert_int_equal(q.cert_type, 3);
    assert_int_equal(q.cert_data.n, 404);
    measured(v, "mr_enclave", q.body.p + 64, 32);
    measured(v, "report_data", q.body.p + 320, 64);
    buf_done(&b);
}

static void a_pck_extension_cut_or_changed_never_reads_outside(void **state) {
    (void)state;
    struct one o;
    struct dcap_quote q;
    struct cert_chain ch;
    struct pck p;
    one_load(vector_named(SLICE_LIT("dcap-tdx4-b0c06f000000-b9e238b2-20251117")), &o);
    OK(dcap_parse(buf_slice(&o.quote), &q, NULL, NULL));
    OK(chain_read(q.cert_data, &ch, NULL, NULL));
    assert_true(pck_read(ch.c[0], &p));
    const uint8_t fmspc[] = {0xb0, 0xc0, 0x6f, 0, 0, 0};
    assert_memory_equal(p.fmspc, fmspc, 6);
    const X509_EXTENSION *x = NULL;
    for (int i = 0; i < X509_get_ext_count(ch.c[0]); i++) {
        char oid[64];
        x = X509_get_ext(ch.c[0], i);
        (void)OBJ_obj2txt(oid, sizeof oid, X509_EXTENSION_get_object((X509_EXTENSION *)x), 1);
        if (strcmp(oid, "1.2.840.113741.1.13.1") == 0) break;
    }
    ASN1_OCTET_STRING *os = X509_EXTENSION_get_data((X509_EXTENSION *)x);
    size_t n = (size_t)ASN1_STRING_length(os);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *d = malloc(cut ? cut : 1);
        assert_non_null(d);
        memcpy(d, ASN1_STRING_get0_data(os), cut);
        assert_false(pck_extension_parse(slice_of(d, cut), &p));
        free(d);
    }
    uint8_t *d = malloc(n);
    assert_non_null(d);
    memcpy(d, ASN1_STRING_get0_data(os), n);
    assert_true(pck_extension_parse(slice_of(d, n), &p));
    for (size_t i = 0; i < n; i++) { /* any answer, no fault */
        for (unsigned bit = 0; bit < 8; bit++) {
            d[i] = (uint8_t)(d[i] ^ 1u << bit);
            (void)!pck_extension_parse(slice_of(d, n), &p);
            d[i] = (uint8_t)(d[i] ^ 1u << bit);
        }
    }
    free(d);
    chain_done(&ch);
    one_done(&o);
}

static void hostile_tcb_documents_are_refused(void **state) {
    (void)state;
    const char *bad[] = {
        "",
        "[]",
        "{}",
        "null",
        "{\"id\":\"TDX\"}",
        "{\"id\":\"SGX\",\"version\":3}",
        "{\"id\":\"SGX\",\"version\":\"3\",\"issueDate\":\"2024-01-01T00:00:00Z\"}",
        "{\"id\":\"SGX\",\"version\":3,\"tcbType\":0,\"issueDate\":\"2024-02-30T00:00:00Z\","
        "\"nextUpdate\":\"2024-03-01T00:00:00Z\",\"fmspc\":\"000000000000\",\"pceId\":\"0000\","
        "\"tcbLevels\":[]}"};
    struct tcb_info t;
    struct qe_identity q;
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        assert_int_equal(tcb_info_parse(slice_str(bad[i]), &t, NULL), SR_E_MALFORMED);
        assert_int_equal(qe_identity_parse(slice_str(bad[i]), &q, NULL), SR_E_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(every_quote_gets_its_verdict),
        cmocka_unit_test(every_mutation_is_refused),
        cmocka_unit_test(a_quote_of_every_kind_cut_anywhere_is_refused),
        cmocka_unit_test(an_encrypted_ppid_quote_parses),
        cmocka_unit_test(a_pck_extension_cut_or_changed_never_reads_outside),
        cmocka_unit_test(hostile_tcb_documents_are_refused),
    };
    return cmocka_run_group_tests_name("tee/dcap", t, load, unload);
}
