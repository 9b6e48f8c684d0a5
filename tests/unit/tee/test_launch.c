/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs replayed, launch measurements predicted: against signed quotes and published values.
 */
#include "corpus.h"
#include "tee/eventlog.h"
#include "tee/launch.h"

static void digest_at(const struct json_val *v, const char *key, uint8_t ret[48]) {
    struct slice s = str_at(v, key);
    assert_true(s.n == 96 && hex_decode(s, ret, 48));
}

static void digest_item(const struct json_val *v, uint8_t ret[48]) {
    struct slice s = {0};
    assert_true(json_str(v, &s) && s.n == 96 && hex_decode(s, ret, 48));
}

/* ---- event logs ---- */

static void rtmrs_are(const struct json_val *v, const struct eventlog_result *r) {
    uint8_t want[48];
    for (size_t i = 0; i < 4; i++) {
        digest_item(json_at(json_get(v, "rtmr"), i), want);
        if (memcmp(want, r->rtmr[i], 48) != 0) FAIL_AT(str_at(v, "id"), "another RTMR%zu", i);
    }
}

/* The registers of the quote that the vector names are what the log leads to, where it says so. */
static void quote_agrees(const struct json_val *v, const struct eventlog_result *r) {
    struct buf b;
    struct dcap_quote q;
    if (str_at(v, "quote").n == 0) return;
    named_file(str_at(v, "quote"), &b);
    OK(dcap_parse(buf_slice(&b), &q, NULL, NULL));
    for (size_t i = 0; i < 4; i++) {
        bool want = false;
        if (!json_bool(json_at(json_get(v, "matches"), i), &want)) continue;
        /* a register that nothing extended proves nothing */
        assert_int_equal(want, r->n[i] > 0 && memcmp(q.body.p + 328 + 48 * i, r->rtmr[i], 48) == 0);
    }
    buf_done(&b);
}

static void every_log_leads_to_its_registers(void **state) {
    (void)state;
    size_t done = 0;
    for (const struct json_val *v = json_first(json_get(json_root(corpus), "vectors")); v;
         v = json_next(v)) {
        struct buf b;
        struct eventlog_result r;
        struct sr_err e = {0};
        bool binary = slice_is(str_at(v, "kind"), "ccel");
        if (!binary && !slice_is(str_at(v, "kind"), "dstack-eventlog")) continue;
        named_file(str_at(v, "log"), &b);
        sr_status st = binary ? eventlog_replay(buf_slice(&b), &r, &e)
                              : eventlog_replay_json(buf_slice(&b), &r, &e);
        if (st != SR_OK) FAIL_AT(str_at(v, "id"), "%s", e.what);
        rtmrs_are(v, &r);
        quote_agrees(v, &r);
        if (binary) {
            assert_int_equal(r.used, num_at(v, "used"));
            assert_int_equal(r.events, num_at(v, "events"));
            size_t i = 0;
            for (const struct json_val *n = json_first(json_get(v, "events_per_rtmr")); n;
                 n = json_next(n)) {
                uint64_t want = 0;
                assert_true(json_u64(n, &want));
                assert_int_equal(want, r.n[i++]);
            }
        }
        assert_true(r.proved > 0);
        buf_done(&b);
        done++;
    }
    assert_int_equal(done, 8);
}

static void every_mutated_log_is_refused_or_leads_elsewhere(void **state) {
    (void)state;
    size_t done = 0;
    for (const struct json_val *m = json_first(json_get(json_root(corpus), "mutations")); m;
         m = json_next(m)) {
        struct buf b;
        struct eventlog_result r, was;
        const struct json_val *base = vector_named(str_at(m, "base"));
        if (!slice_is(str_at(base, "kind"), "ccel")) continue;
        named_file(str_at(base, "log"), &b);
        OK(eventlog_replay(buf_slice(&b), &was, NULL));
        for (const struct json_val *op = json_first(json_get(m, "ops")); op; op = json_next(op))
            mutate_bytes(&b, op);
        sr_status st = eventlog_replay(buf_slice(&b), &r, NULL);
        bool same = st == SR_OK && memcmp(r.rtmr, was.rtmr, sizeof r.rtmr) == 0;
        if (slice_is(str_at(m, "verdict"), "reject") && same)
            FAIL_AT(str_at(m, "id"), "leads to the same registers");
        if (slice_is(str_at(m, "error"), "PARSE") && st == SR_OK)
            FAIL_AT(str_at(m, "id"), "parses");
        buf_done(&b);
        done++;
    }
    assert_int_equal(done, 29);
}

static void a_log_cut_anywhere_is_refused_or_short(void **state) {
    (void)state;
    struct buf b;
    struct eventlog_result r, whole;
    named_file(SLICE_LIT("eventlog/ccel-qemu-directboot.bin"), &b);
    OK(eventlog_replay(buf_slice(&b), &whole, NULL));
    for (size_t cut = 0; cut < whole.used; cut++) {
        uint8_t *p = malloc(cut ? cut : 1);
        assert_non_null(p);
        memcpy(p, b.p, cut);
        if (eventlog_replay(slice_of(p, cut), &r, NULL) == SR_OK)
            assert_true(r.events < whole.events);
        free(p);
    }
    buf_done(&b);
}

static void a_dstack_event_with_another_text_is_refused(void **state) {
    (void)state;
    struct buf b;
    struct eventlog_result r;
    named_file(SLICE_LIT("eventlog/dstack-near.json"), &b);
    uint8_t *at = memmem(b.p, b.n, "\"compose-hash\"", 14);
    assert_non_null(at);
    at[1] = 'C';
    assert_int_equal(eventlog_replay_json(buf_slice(&b), &r, NULL), SR_E_CRYPTO);
    buf_done(&b);
}

/* ---- firmware ---- */

/* A file of Debian's package, or of the folder that the tester names; NULL: not here. */
static bool debian_firmware(const struct json_val *v, struct buf *ret) {
    const char *const dirs[] = {getenv("STRONGROOM_TEST_OVMF"), "/usr/share/ovmf",
                                "/usr/share/OVMF"};
    struct slice name = str_at(v, "firmware_name");
    for (size_t i = 0; i < SR_ARRAY_LEN(dirs); i++) {
        char path[512];
        uint8_t want[32];
        if (!dirs[i]) continue;
        int n = snprintf(path, sizeof path, "%s/%.*s", dirs[i], (int)name.n, (const char *)name.p);
        if (n < 0 || (size_t)n >= sizeof path || !fs_exists(path)) continue;
        file_into(path, ret);
        assert_true(hex_decode(str_at(v, "firmware_sha256"), want, 32));
        struct hash h = sha256(buf_slice(ret));
        if (memcmp(want, h.b, 32) == 0) return true;
        buf_done(ret);
    }
    print_message("%.*s: its firmware package is not installed, skipped\n", (int)str_at(v, "id").n,
                  (const char *)str_at(v, "id").p);
    return false;
}

static void firmware_of(const struct json_val *v, struct ovmf *f) {
    f->has_sev = f->has_reset = f->has_hashes = true;
    f->hashes_base = (uint32_t)num_at(v, "sev_hashes_table_gpa");
    f->reset_eip = (uint32_t)num_at(v, "ap_reset_eip");
    for (const struct json_val *s = json_first(json_get(v, "ovmf_sections")); s; s = json_next(s))
        f->sev[f->n_sev++] = (struct sev_section){num_at(s, "gpa"), (uint32_t)num_at(s, "size"),
                                                  (uint32_t)num_at(s, "section_type")};
}

static bool launch_case(const struct json_val *v) {
    struct buf image = {0};
    struct ovmf f = {0};
    struct sr_err e = {0};
    uint8_t seed[48], want[48], got[48];
    const struct json_val *k = json_get(v, "kernel_hashes");
    struct slice vmm = str_at(v, "vmm");
    if (json_get(v, "firmware_package")) {
        if (!debian_firmware(v, &image)) return false;
    } else if (str_at(v, "firmware").n) {
        named_file(str_at(v, "firmware"), &image);
    }
    if (image.n) {
        if (ovmf_parse(buf_slice(&image), &f, &e) != SR_OK) FAIL_AT(str_at(v, "id"), "%s", e.what);
    } else {
        firmware_of(v, &f);
    }
    struct snp_launch l = {.firmware = &f,
                           .vcpus = (uint32_t)num_at(v, "vcpus"),
                           .vcpu_sig = (uint32_t)num_at(v, "vcpu_sig"),
                           .guest_features = num_at(v, "guest_features"),
                           .vmm = slice_is(vmm, "ec2")   ? LAUNCH_EC2
                                  : slice_is(vmm, "gce") ? LAUNCH_GCE
                                                         : LAUNCH_QEMU};
    if (str_at(v, "ovmf_digest_seed").n) {
        digest_at(v, "ovmf_digest_seed", seed);
        l.seed = seed;
    }
    if (json_is(k, JSON_OBJECT)) {
        l.has_kernel = true;
        l.cmdline = str_at(k, "cmdline");
        assert_true(hex_decode(str_at(k, "kernel_sha256"), l.kernel_sha256, 32));
        assert_true(hex_decode(str_at(k, "initrd_sha256"), l.initrd_sha256, 32));
    }
    if (snp_launch_digest(&l, got, &e) != SR_OK) FAIL_AT(str_at(v, "id"), "%s", e.what);
    digest_at(v, "expected_measurement", want);
    if (memcmp(got, want, 48) != 0) FAIL_AT(str_at(v, "id"), "another launch digest");
    buf_done(&image);
    return true;
}

static void launch_digests_are_those_published(void **state) {
    (void)state;
    size_t done = 0;
    for (const struct json_val *v = json_first(json_get(json_root(corpus), "vectors")); v;
         v = json_next(v))
        if (slice_is(str_at(v, "kind"), "snp-launch")) done += launch_case(v);
    assert_true(done >= 17);
}

static void mrtd_of_debian_firmware(void **state) {
    (void)state;
    size_t done = 0;
    for (const struct json_val *v = json_first(json_get(json_root(corpus), "vectors")); v;
         v = json_next(v)) {
        struct buf image;
        struct ovmf f;
        uint8_t got[48];
        if (!slice_is(str_at(v, "kind"), "tdx-mrtd") || !debian_firmware(v, &image)) continue;
        OK(ovmf_parse(buf_slice(&image), &f, NULL));
        assert_int_equal(f.n_tdx, json_len(json_get(v, "sections")));
        OK(tdx_mrtd(&f, false, got, NULL));
        hex_is(v, "expected_mrtd", got, 48);
        OK(tdx_mrtd(&f, true, got, NULL));
        hex_is(v, "expected_mrtd_two_pass", got, 48);
        buf_done(&image);
        done++;
    }
    if (done == 0) skip();
}

static size_t ranges_of(const struct json_val *v, struct mem_range *r) {
    size_t n = 0;
    for (const struct json_val *x = json_first(json_get(v, "accepted_ranges")); x;
         x = json_next(x)) {
        assert_true(json_u64(json_at(x, 0), &r[n].start) && json_u64(json_at(x, 1), &r[n].length));
        n++;
    }
    return n;
}

static void td_hobs_and_rtmr0_are_those_of_real_logs(void **state) {
    (void)state;
    size_t done = 0;
    for (const struct json_val *v = json_first(json_get(json_root(corpus), "vectors")); v;
         v = json_next(v)) {
        struct mem_range r[LAUNCH_SECTIONS_MAX];
        struct tdx_rtmr0 in;
        uint8_t got[48];
        bool whole = slice_is(str_at(v, "kind"), "tdx-rtmr0");
        if (!whole && !slice_is(str_at(v, "kind"), "tdx-tdhob")) continue;
        OK(tdx_td_hob_digest(num_at(v, "memory_bytes"), r, ranges_of(v, r),
                             num_at(v, "td_hob_base"), in.td_hob, NULL));
        hex_is(v, "expected_td_hob_digest", in.td_hob, 48);
        done++;
        if (!whole) continue;
        digest_at(v, "cfv_digest", in.cfv);
        digest_at(v, "boot0000_digest", in.boot0000);
        for (size_t i = 0; i < 3; i++)
            digest_item(json_at(json_get(v, "acpi_digests"), i), in.acpi[i]);
        tdx_rtmr0_of(&in, got);
        hex_is(v, "expected_rtmr0", got, 48);
    }
    assert_int_equal(done, 3);
}

/* The kernel's digest comes from the log; the rest of RTMR1 and RTMR2 is predicted. */
static void rtmr1_and_rtmr2_of_a_signed_quote_are_predicted(void **state) {
    (void)state;
    struct buf b;
    struct eventlog l;
    struct event e;
    struct eventlog_result r;
    uint8_t kernel[48] = {0}, initrd[48] = {0}, got[48];
    bool first = true;
    cleanup_buf struct buf line = {0};
    buf_init(&line, 4096);
    named_file(SLICE_LIT("eventlog/ccel-qemu-directboot.bin"), &b);
    OK(eventlog_replay(buf_slice(&b), &r, NULL));
    OK(eventlog_open(buf_slice(&b), &l, NULL));
    while (eventlog_next(&l, &e)) {
        if (e.index == 2 && first) {
            memcpy(kernel, e.sha384, 48);
            first = false;
        }
        if (e.index != 3) continue;
        if (line.n == 0 && event_proves_data(&e)) {
            for (size_t i = 8; i + 1 < e.data.n; i += 2) buf_u8(&line, e.data.p[i]);
        } else {
            memcpy(initrd, e.sha384, 48);
        }
    }
    assert_false(l.bad);
    tdx_rtmr1_of(kernel, got);
    assert_memory_equal(got, r.rtmr[1], 48);
    if (line.n > 0) { /* the command line as it was measured, without what QEMU appends */
        struct slice text = buf_slice(&line);
        while (text.n > 0 && text.p[text.n - 1] == 0) text.n--;
        assert_true(text.n > 14 && memcmp(text.p + text.n - 14, " initrd=initrd", 14) == 0);
        text.n -= 14;
        OK(tdx_rtmr2_of(text, initrd, got, NULL));
        assert_memory_equal(got, r.rtmr[2], 48);
    } else {
        print_message("the log's command line is not among its texts\n");
    }
    buf_done(&b);
}

/* ---- hostile firmware and kernels ---- */

static void a_firmware_table_cut_or_changed_never_reads_outside(void **state) {
    (void)state;
    struct buf b;
    struct ovmf f;
    uint8_t d[48];
    named_file(SLICE_LIT("launch/ovmf_AmdSev_suffix.bin"), &b);
    uint8_t *p = malloc(b.n);
    assert_non_null(p);
    memcpy(p, b.p, b.n);
    OK(ovmf_parse(slice_of(p, b.n), &f, NULL));
    for (size_t i = 0; i < b.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            p[i] = (uint8_t)(p[i] ^ 1u << bit);
            struct sr_err e = {0};
            if (p[i] != b.p[i] && i >= b.n - 1024 &&
                ovmf_parse(slice_of(p, b.n), &f, &e) == SR_OK) {
                struct snp_launch l = {.firmware = &f, .vcpus = 1};
                bool small = true;
                for (size_t k = 0; k < f.n_sev; k++) small &= f.sev[k].size <= 1u << 20;
                if (small) (void)!snp_launch_digest(&l, d, NULL);
            }
            p[i] = b.p[i];
        }
    }
    for (size_t cut = 0; cut < b.n; cut += 4096)
        assert_int_equal(ovmf_parse(slice_of(p, cut), &f, NULL), SR_E_MALFORMED);
    free(p);
    buf_done(&b);
}

static void le32(uint8_t *p, uint32_t v) {
    for (size_t i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

/* The smallest PE32+ image: headers, one section, some bytes behind, a certificate table. */
static void small_pe(uint8_t pe[0x300]) {
    memset(pe, 0, 0x300);
    for (size_t i = 0x200; i < 0x300; i++) pe[i] = (uint8_t)i;
    memcpy(pe, "MZ", 2);
    le32(pe + 0x3c, 0x40);
    memcpy(pe + 0x40, "PE\0\0", 4);
    pe[0x46] = 1;                     /* sections */
    pe[0x54] = 240;                   /* optional header */
    pe[0x58] = 0x0b, pe[0x59] = 0x02; /* PE32+ */
    le32(pe + 0x58 + 60, 0x200);      /* size of the headers */
    le32(pe + 0x58 + 64, 0xdeadbeef); /* checksum */
    le32(pe + 0x58 + 108, 16);        /* directories */
    le32(pe + 0x58 + 144, 0x2f0), le32(pe + 0x58 + 148, 0x10);
    le32(pe + 0x148 + 16, 0xe4), le32(pe + 0x148 + 20, 0x200); /* a section of 0xe4 bytes */
}

static void authenticode_leaves_out_checksum_and_certificates(void **state) {
    (void)state;
    uint8_t pe[0x300], want[48], got[48];
    struct buf b;
    small_pe(pe);
    buf_init(&b, 4096);
    buf_put(&b, pe, 0x58 + 64);
    buf_put(&b, pe + 0x58 + 68, 144 - 68);
    buf_put(&b, pe + 0x58 + 152, 0x200 - 0x58 - 152);
    buf_put(&b, pe + 0x200, 0xe4);          /* the section */
    buf_put(&b, pe + 0x2e4, 0x2f0 - 0x2e4); /* what lies behind it */
    sha384(buf_slice(&b), want);
    OK(pe_authenticode(slice_of(pe, sizeof pe), got, NULL));
    assert_memory_equal(got, want, 48);
    le32(pe + 0x58 + 64, 1); /* another checksum, another signature: the same digest */
    pe[0x2f8] ^= 1;
    OK(pe_authenticode(slice_of(pe, sizeof pe), got, NULL));
    assert_memory_equal(got, want, 48);
    pe[0x210] ^= 1;
    OK(pe_authenticode(slice_of(pe, sizeof pe), got, NULL));
    assert_memory_not_equal(got, want, 48);
    for (size_t cut = 0; cut < 0x2e4; cut++) {
        uint8_t *p = malloc(cut ? cut : 1);
        assert_non_null(p);
        memcpy(p, pe, cut);
        assert_int_equal(pe_authenticode(slice_of(p, cut), got, NULL), SR_E_MALFORMED);
        free(p);
    }
    buf_done(&b);
}

static void the_setup_header_depends_on_memory_below_the_split(void **state) {
    (void)state;
    uint8_t k[0x1000] = {0}, two[0x1000], much[0x1000];
    memcpy(k + 0x202, "HdrS", 4);
    k[0x206] = 0x0f, k[0x207] = 2;
    k[0x236] = 1u << 6;
    memcpy(two, k, sizeof k);
    memcpy(much, k, sizeof k);
    OK(kernel_as_qemu_patches(two, sizeof two, 123456, 2ull << 30, NULL));
    OK(kernel_as_qemu_patches(much, sizeof much, 123456, 64ull << 30, NULL));
    assert_memory_equal(two, much, sizeof two); /* the specification says so of exactly 2 GiB */
    OK(kernel_as_qemu_patches(k, sizeof k, 123456, 1ull << 30, NULL));
    assert_memory_not_equal(k, much, sizeof k);
    assert_int_equal(k[0x210], 0xb0);
    assert_int_equal(kernel_as_qemu_patches(k, 0x800, 1, 1ull << 30, NULL), SR_E_MALFORMED);
}

static void launch_inputs_have_one_text_and_one_id(void **state) {
    (void)state;
    const struct launch_inputs in = {.cmdline = SLICE_LIT("console=ttyS0"),
                                     .machine = SLICE_LIT("q35"),
                                     .qemu = SLICE_LIT("9.2"),
                                     .vcpus = 2,
                                     .memory_bytes = 2147483648u};
    struct hash id, want;
    struct buf b;
    buf_init(&b, 4096);
    OK(launch_document(&in, &b, &id, NULL));
    assert_string_equal(buf_cstr(&b),
                        "{\"cmdline\":\"console=ttyS0\",\"firmware_sha256\":\"\","
                        "\"initrd_sha256\":\"\",\"kernel_sha256\":\"\",\"machine\":\"q35\","
                        "\"memory_bytes\":2147483648,\"qemu_version\":\"9.2\",\"vcpus\":2,"
                        "\"verity_root\":\"\"}");
    want = sha256(buf_slice(&b));
    assert_true(hash_eq(&want, &id));
    struct launch_inputs odd = in;
    odd.cmdline = SLICE_LIT("caf\xc3\xa9");
    assert_int_equal(launch_document(&odd, &b, &id, NULL), SR_E_MALFORMED);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(every_log_leads_to_its_registers),
        cmocka_unit_test(every_mutated_log_is_refused_or_leads_elsewhere),
        cmocka_unit_test(a_log_cut_anywhere_is_refused_or_short),
        cmocka_unit_test(a_dstack_event_with_another_text_is_refused),
        cmocka_unit_test(launch_digests_are_those_published),
        cmocka_unit_test(mrtd_of_debian_firmware),
        cmocka_unit_test(td_hobs_and_rtmr0_are_those_of_real_logs),
        cmocka_unit_test(rtmr1_and_rtmr2_of_a_signed_quote_are_predicted),
        cmocka_unit_test(a_firmware_table_cut_or_changed_never_reads_outside),
        cmocka_unit_test(authenticode_leaves_out_checksum_and_certificates),
        cmocka_unit_test(the_setup_header_depends_on_memory_below_the_split),
        cmocka_unit_test(launch_inputs_have_one_text_and_one_id),
    };
    return cmocka_run_group_tests_name("tee/launch", t, corpus_load, corpus_unload);
}
