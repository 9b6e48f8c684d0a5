/* SPDX-License-Identifier: Apache-2.0 */
#include "corpus.h"
#include "tee/policy.h"

static struct nitro_result nitro;
static struct snp_result snp;
static struct dcap_result td, sgx;
static struct buf nitro_doc, nitro_root, ark;

/* A policy's verdict; the clause that fails when exactly one is expected to. */
static bool judge(const char *json, struct policy_input in, const char *fails) {
    struct policy *p = NULL;
    struct policy_verdict v;
    struct sr_err e = {0};
    if (policy_new(slice_str(json), &p, &e) != SR_OK) fail_msg("%s: %s", json, e.what);
    if (in.now_s == 0) in.now_s = 1796000000;
    policy_evaluate(p, &in, &v);
    policy_free(p);
    size_t wrong = 0;
    for (size_t i = 0; i < v.n; i++) {
        assert_true(v.clause[i].why[0] != 0);
        if (v.clause[i].holds) continue;
        wrong++;
        if (fails && strcmp(v.clause[i].name, fails) != 0)
            fail_msg("%s: %s fails, not %s", json, v.clause[i].name, fails);
    }
    assert_int_equal(v.accepted, wrong == 0);
    if (fails) assert_int_equal(wrong, 1);
    return v.accepted;
}

static struct policy_input td_input(void) {
    return (struct policy_input){.provider = TEE_TDX, .dcap = &td, .root_der = SLICE_LIT("root")};
}
/* "root" is under no pin: these policies name it. */
#define ROOT "\"roots\":[\"4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2\"]"

static void reset(void) {
    td = (struct dcap_result){.tdx = true, .status = TCB_UP_TO_DATE};
    td.td_attributes[3] = 0x10; /* SEPT_VE_DISABLE */
    memset(td.regs.mrtd, 0xab, 48);
}

static void the_default_is_strict(void **state) {
    (void)state;
    reset();
    judge("", td_input(), "root");
    assert_true(judge("{" ROOT "}", td_input(), NULL));
    td.status = TCB_OUT_OF_DATE;
    judge("{" ROOT "}", td_input(), "tcb_status");
    assert_true(judge("{" ROOT ",\"tcb_status\":[\"OutOfDate\"]}", td_input(), NULL));
    td.status = TCB_REVOKED;
    judge("{" ROOT ",\"tcb_status\":[\"Revoked\"]}", td_input(), "tcb_status");
    reset();
    td.td_attributes[0] = 1;
    judge("{" ROOT "}", td_input(), "debug");
    assert_true(judge("{" ROOT ",\"allow\":[\"debug\"]}", td_input(), NULL));
    reset();
    td.td_attributes[3] = 0;
    judge("{" ROOT "}", td_input(), "td_attributes");
    assert_true(judge("{" ROOT ",\"td_attributes\":{\"must_set\":[]}}", td_input(), NULL));
    reset();
    td.td_attributes[3] |= 0x20;
    judge("{" ROOT "}", td_input(), "migratable");
    reset();
    td.td_attributes[7] |= 0x80;
    judge("{" ROOT "}", td_input(), "td_attributes");
    reset();
    td.mr_servicetd[5] = 1;
    judge("{" ROOT "}", td_input(), "service_td");
}

static void simulated_evidence_needs_its_name(void **state) {
    (void)state;
    reset();
    struct policy_input in = td_input();
    in.provider = TEE_SIMULATED;
    judge("{" ROOT "}", in, "provider");
    judge("{" ROOT ",\"providers\":[\"tdx\"]}", in, "provider");
    assert_true(judge("{\"providers\":[\"SIMULATED\"]}", in, NULL));
    judge("{" ROOT ",\"providers\":[\"SIMULATED\"]}", td_input(), "provider");
}

static void measurements_match_as_sets(void **state) {
    (void)state;
    char json[512], mrtd[97];
    reset();
    hex_encode(mrtd, td.regs.mrtd, 48);
    (void)snprintf(json, sizeof json,
                   "{" ROOT ",\"measurements\":[{\"mrtd\":\"00\"},{\"mrtd\":\"%s\"}]}", mrtd);
    assert_true(judge(json, td_input(), NULL));
    (void)snprintf(json, sizeof json,
                   "{" ROOT ",\"measurements\":[{\"mrtd\":\"%s\",\"rtmr3\":\"%s\"}]}", mrtd, mrtd);
    judge(json, td_input(), "measurement");
    judge("{" ROOT ",\"measurements\":[]}", td_input(), "measurement");
    judge("{" ROOT ",\"measurements\":[{\"pcr0\":\"00\"}]}", td_input(), "measurement");
}

static void advisories_ends_and_report_data_are_judged(void **state) {
    (void)state;
    char json[512], data[129];
    reset();
    td.n_advisories = 1;
    (void)snprintf(td.advisories[0], sizeof td.advisories[0], "INTEL-SA-00001");
    assert_true(judge("{" ROOT "}", td_input(), NULL));
    judge("{" ROOT ",\"advisories_accepted\":[]}", td_input(), "advisories");
    assert_true(judge("{" ROOT ",\"advisories_accepted\":[\"INTEL-SA-00001\"]}", td_input(), NULL));
    judge("{" ROOT ",\"expires\":\"2020-01-01T00:00:00Z\"}", td_input(), "expires");
    hex_encode(data, td.report_data, 64);
    (void)snprintf(json, sizeof json, "{" ROOT ",\"report_data\":\"%s\"}", data);
    assert_true(judge(json, td_input(), NULL));
    td.report_data[63] = 1;
    judge(json, td_input(), "report_data");
    judge("{" ROOT ",\"max_collateral_age_days\":30}", td_input(), "collateral_age");
    judge("{" ROOT ",\"require_eval_number_min\":17}", td_input(), "evaluation_number");
}

static void an_enclave_of_sgx_has_a_signer(void **state) {
    (void)state;
    sgx = (struct dcap_result){.status = TCB_SW_HARDENING_NEEDED};
    memset(sgx.mrsigner, 0xcd, 32);
    struct policy_input in = {.provider = TEE_SGX, .dcap = &sgx, .root_der = SLICE_LIT("root")};
    char json[512], signer[65];
    hex_encode(signer, sgx.mrsigner, 32);
    (void)snprintf(json, sizeof json, "{" ROOT ",\"signers\":[\"%s\"]}", signer);
    assert_true(judge(json, in, NULL));
    sgx.mrsigner[0] ^= 1;
    judge(json, in, "signer");
    sgx.debug = true;
    judge("{" ROOT "}", in, "debug");
}

static void snp_has_minimum_levels_by_product(void **state) {
    (void)state;
    struct policy_input in = {.provider = TEE_SEV_SNP, .snp = &snp, .root_der = buf_slice(&ark)};
    snp = (struct snp_result){.product = SNP_TURIN, .tcb = {0, 1, 0, 2, 71}};
    snp.committed = snp.tcb;
    const uint8_t launch[8] = {0, 1, 0, 2, 0, 0, 0, 71};
    memcpy(snp.report.launch_tcb, launch, 8);
    assert_true(judge("", in, NULL));
    assert_true(judge("{\"min_tcb\":{\"Turin\":{\"bl\":1,\"snp\":2,\"ucode\":71}}}", in, NULL));
    judge("{\"min_tcb\":{\"Turin\":{\"snp\":3}}}", in, "min_tcb");
    judge("{\"min_tcb\":{\"Milan\":{\"snp\":1}}}", in, "min_tcb");
    snp.report.launch_tcb[3] = 1; /* launched before the update */
    judge("{\"min_tcb\":{\"Turin\":{\"snp\":2}}}", in, "min_tcb");
    snp.report.platform_info = 0x21;
    assert_true(judge("{\"platform_info\":[0,5]}", in, NULL));
    judge("{\"platform_info\":[4]}", in, "platform_info");
    char json[256], chip[129];
    memset(snp.report.chip_id, 0x3b, 64);
    hex_encode(chip, snp.report.chip_id, 64);
    (void)snprintf(json, sizeof json, "{\"chips\":[\"00\",\"%s\"]}", chip);
    assert_true(judge(json, in, NULL));
    snp.report.masked_chip = true;
    judge(json, in, "chip");
    snp.report.masked_chip = false, snp.report.chip_id[0] = 0;
    judge(json, in, "chip");
    snp.report.vmpl = 1;
    judge("", in, "vmpl");
    assert_true(judge("{\"allow\":[\"vmpl\"]}", in, NULL));
    snp.report.vmpl = 0, snp.debug = true;
    judge("", in, "debug");
}

static void nitro_documents_age(void **state) {
    (void)state;
    struct policy_input in = {
        .provider = TEE_NITRO, .nitro = &nitro, .root_der = buf_slice(&nitro_root)};
    in.now_s = nitro.doc.timestamp_ms / 1000 + 60;
    assert_true(judge("", in, NULL));
    in.now_s += 600;
    judge("", in, "age");
    assert_true(judge("{\"max_age_s\":3600}", in, NULL));
    in.now_s -= 1800; /* made in the future */
    judge("", in, "age");
    in.now_s += 1200;
    judge("{\"measurements\":[{\"pcr0\":\"00\"}]}", in, "measurement");
}

static void policies_that_are_none_are_refused(void **state) {
    (void)state;
    const char *const bad[] = {"[]",
                               "{",
                               "{\"provider\":[]}",
                               "{\"providers\":\"tdx\"}",
                               "{\"providers\":[\"simulated\"]}",
                               "{\"providers\":[1]}",
                               "{\"tcb_status\":[\"Fine\"]}",
                               "{\"measurements\":[{}]}",
                               "{\"measurements\":[{\"mrtd\":\"xy\"}]}",
                               "{\"roots\":[\"0\"]}",
                               "{\"allow\":[\"everything\"]}",
                               "{\"min_tcb\":{\"Rome\":{}}}",
                               "{\"min_tcb\":{\"Milan\":{\"snp\":256}}}",
                               "{\"td_attributes\":{\"must_set\":[64]}}",
                               "{\"platform_info\":[64]}",
                               "{\"chips\":\"00\"}",
                               "{\"td_attributes\":{\"must\":[]}}",
                               "{\"max_age_s\":-1}",
                               "{\"report_data\":\"\"}",
                               "{\"expires\":\"tomorrow\"}"};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct policy *p = NULL;
        if (policy_new(slice_str(bad[i]), &p, NULL) != SR_E_MALFORMED) fail_msg("%s", bad[i]);
        assert_null(p);
    }
}

static int files_load(void **state) {
    (void)corpus_load(state);
    const struct json_val *v = vector_named(SLICE_LIT("nitro-54ae0f97"));
    named_file(str_at(v, "doc"), &nitro_doc);
    named_file(str_at(v, "root"), &nitro_root);
    OK(nitro_verify(buf_slice(&nitro_doc), buf_slice(&nitro_root), time_of(str_at(v, "time")),
                    &nitro, NULL));
    named_file(SLICE_LIT("roots/amd/ARK-Turin.der"), &ark);
    return 0;
}

static int files_unload(void **state) {
    buf_done(&nitro_doc), buf_done(&nitro_root), buf_done(&ark);
    return corpus_unload(state);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_default_is_strict),
        cmocka_unit_test(simulated_evidence_needs_its_name),
        cmocka_unit_test(measurements_match_as_sets),
        cmocka_unit_test(advisories_ends_and_report_data_are_judged),
        cmocka_unit_test(an_enclave_of_sgx_has_a_signer),
        cmocka_unit_test(snp_has_minimum_levels_by_product),
        cmocka_unit_test(nitro_documents_age),
        cmocka_unit_test(policies_that_are_none_are_refused),
    };
    return cmocka_run_group_tests_name("tee/policy", t, files_load, files_unload);
}
