/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/sim_int.h"
#include "tee_test.h"

#include <stdlib.h>

#define NOW 1796000000u

struct world {
    struct tee_sim_authority a;
    struct tee_trust *trust;
    struct tee_policy policy;
    uint8_t mrtd[48], report_data[64];
    struct buf evidence;
};

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    OK(tee_sim_authority_new(NOW, &w->a, NULL));
    OK(tee_trust_new(buf_slice(&w->a.verifier), true, &w->trust, NULL));
    memset(w->mrtd, 0x11, sizeof w->mrtd);
    memset(w->report_data, 0x22, sizeof w->report_data);
    memcpy(w->policy.mrtd[0], w->mrtd, 48);
    w->policy.n_mrtd = 1;
    buf_init(&w->evidence, TEE_SIM_EVIDENCE_MAX);
    OK(tee_sim_evidence(buf_slice(&w->a.secret_platform), w->mrtd, w->report_data, NOW,
                        &w->evidence, NULL));
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    tee_sim_authority_done(&w->a);
    tee_trust_free(w->trust);
    buf_done(&w->evidence);
    free(w);
    return 0;
}

static void evidence_of_a_room_is_accepted_and_labelled(void **state) {
    struct world *w = *state;
    struct tee_verdict v;
    struct sr_err e = {0};
    if (tee_verify(w->trust, &w->policy, buf_slice(&w->evidence), NOW, &v, &e) != SR_OK)
        fail_msg("%s", e.what);
    assert_true(v.simulated);
    assert_int_equal(v.provider, TEE_SIMULATED);
    assert_int_equal(v.tcb, TCB_UP_TO_DATE);
    assert_int_equal(v.n_reasons, 0);
    assert_memory_equal(v.regs.mrtd, w->mrtd, 48);
    assert_memory_equal(v.report_data, w->report_data, 64);
    struct hash h = sha256(buf_slice(&w->evidence));
    assert_true(hash_eq(&h, &v.digest));
    struct buf b;
    buf_init(&b, 10000);
    struct jw j = jw_of(&b);
    tee_verdict_json(&v, &j);
    assert_non_null(strstr(buf_cstr(&b), "\"provider\":\"SIMULATED\",\"simulated\":true"));
    buf_done(&b);
}

static void a_measurement_that_is_not_listed_is_refused(void **state) {
    struct world *w = *state;
    struct tee_verdict v = {0};
    struct sr_err e = {0};
    struct tee_policy p = w->policy;
    p.mrtd[0][0] ^= 1;
    assert_int_equal(tee_verify(w->trust, &p, buf_slice(&w->evidence), NOW, &v, &e), SR_E_REFUSED);
    assert_int_equal(v.n_reasons, 1);
    assert_string_equal(v.reasons[0], "measurement");
    assert_non_null(strstr(e.what, "measurement"));
    p.n_mrtd = 0;
    assert_int_equal(tee_verify(w->trust, &p, buf_slice(&w->evidence), NOW, &v, NULL),
                     SR_E_REFUSED);
}

static void evidence_of_another_authority_is_refused(void **state) {
    struct world *w = *state;
    struct tee_sim_authority other;
    struct tee_verdict v;
    struct buf e;
    buf_init(&e, TEE_SIM_EVIDENCE_MAX);
    OK(tee_sim_authority_new(NOW, &other, NULL));
    OK(tee_sim_evidence(buf_slice(&other.secret_platform), w->mrtd, w->report_data, NOW, &e, NULL));
    assert_int_equal(tee_verify(w->trust, &w->policy, buf_slice(&e), NOW, &v, NULL), SR_E_CRYPTO);
    buf_done(&e);
    tee_sim_authority_done(&other);
}

static void simulated_trust_needs_development_mode(void **state) {
    struct world *w = *state;
    struct tee_trust *t = NULL;
    struct sr_err e = {0};
    assert_int_equal(tee_trust_new(buf_slice(&w->a.verifier), false, &t, &e), SR_E_REFUSED);
    assert_non_null(strstr(e.what, "SIMULATED"));
    assert_null(t);
    /* Calling the same root a real one does not help. */
    struct buf b;
    buf_init(&b, 1 << 20);
    const char *at = strstr(buf_cstr(&w->a.verifier), "\"simulated\":true");
    assert_non_null(at);
    buf_put(&b, w->a.verifier.p, (size_t)(at - (const char *)w->a.verifier.p));
    buf_str(&b, "\"simulated\":false");
    buf_str(&b, at + strlen("\"simulated\":true"));
    assert_int_equal(tee_trust_new(buf_slice(&b), true, &t, NULL), SR_E_REFUSED);
    assert_int_equal(tee_trust_new(buf_slice(&b), false, &t, NULL), SR_E_REFUSED);
    buf_done(&b);
}

static void simulated_evidence_never_passes_for_hardware(void **state) {
    struct world *w = *state;
    struct tee_verdict v;
    struct buf b;
    buf_init(&b, TEE_SIM_EVIDENCE_MAX);
    buf_add(&b, buf_slice(&w->evidence));
    for (unsigned provider = 0; provider < 256; provider++) {
        if (provider == TEE_SIMULATED) continue;
        b.p[4] = (uint8_t)provider;
        assert_int_not_equal(tee_verify(w->trust, &w->policy, buf_slice(&b), NOW, &v, NULL), SR_OK);
    }
    /* A quote out of its prefix, called TDX. */
    buf_clear(&b);
    static const uint8_t head[] = {'S', 'R', 'E', '1', TEE_TDX, 0, 0, 0, 1, 0};
    uint8_t n[4];
    put_le32(n, (uint32_t)(w->evidence.n - 14 - 16));
    buf_put(&b, head, sizeof head);
    buf_put(&b, n, 4);
    buf_put(&b, w->evidence.p + 14 + 16, w->evidence.n - 14 - 16);
    assert_int_equal(tee_verify(w->trust, &w->policy, buf_slice(&b), NOW, &v, NULL), SR_E_REFUSED);
    buf_done(&b);
}

static void evidence_ages(void **state) {
    struct world *w = *state;
    struct tee_verdict v;
    struct slice e = buf_slice(&w->evidence);
    OK(tee_verify(w->trust, &w->policy, e, NOW + TEE_SIM_MAX_AGE_S, &v, NULL));
    OK(tee_verify(w->trust, &w->policy, e, NOW - TEE_CLOCK_SKEW_S, &v, NULL));
    assert_int_equal(tee_verify(w->trust, &w->policy, e, NOW + TEE_SIM_MAX_AGE_S + 1, &v, NULL),
                     SR_E_REFUSED);
    assert_int_equal(tee_verify(w->trust, &w->policy, e, NOW - TEE_CLOCK_SKEW_S - 1, &v, NULL),
                     SR_E_REFUSED);
    /* After ten years the authority is gone. */
    buf_clear(&w->evidence);
    const uint64_t late = NOW + 4000ull * 86400;
    OK(tee_sim_evidence(buf_slice(&w->a.secret_platform), w->mrtd, w->report_data, late,
                        &w->evidence, NULL));
    assert_int_equal(tee_verify(w->trust, &w->policy, buf_slice(&w->evidence), late, &v, NULL),
                     SR_E_CRYPTO);
}

/* What was checked of a platform once is remembered; nothing that can change is. */
static void a_known_platform_is_judged_anew(void **state) {
    struct world *w = *state;
    struct tee_verdict v;
    struct buf more;
    buf_init(&more, TEE_SIM_EVIDENCE_MAX);
    OK(tee_verify(w->trust, &w->policy, buf_slice(&w->evidence), NOW, &v, NULL));
    w->report_data[0] ^= 1;
    OK(tee_sim_evidence(buf_slice(&w->a.secret_platform), w->mrtd, w->report_data, NOW, &more,
                        NULL));
    OK(tee_verify(w->trust, &w->policy, buf_slice(&more), NOW, &v, NULL));
    assert_memory_equal(v.report_data, w->report_data, 64);
    more.p[14 + 16 + QUOTE_HEADER + 520] ^= 1; /* its report data, not signed again */
    assert_int_equal(tee_verify(w->trust, &w->policy, buf_slice(&more), NOW, &v, NULL),
                     SR_E_CRYPTO);
    buf_clear(&more);
    const uint64_t late = NOW + 4000ull * 86400;
    OK(tee_sim_evidence(buf_slice(&w->a.secret_platform), w->mrtd, w->report_data, late, &more,
                        NULL));
    assert_int_equal(tee_verify(w->trust, &w->policy, buf_slice(&more), late, &v, NULL),
                     SR_E_CRYPTO);
    buf_done(&more);
}

static void no_byte_of_the_evidence_can_change(void **state) {
    struct world *w = *state;
    struct tee_verdict v;
    size_t accepted = 0;
    for (size_t i = 0; i < w->evidence.n; i++) {
        w->evidence.p[i] ^= 0x01;
        if (tee_verify(w->trust, &w->policy, buf_slice(&w->evidence), NOW, &v, NULL) == SR_OK)
            accepted++;
        w->evidence.p[i] ^= 0x01;
    }
    /* The time of issue is not signed, and PEM has bytes that mean nothing (unused bits of the last
     * digit, white space). */
    assert_true(accepted < 24);
}

static void evidence_cut_anywhere_is_refused(void **state) {
    struct world *w = *state;
    struct tee_verdict v;
    for (size_t cut = 0; cut < w->evidence.n; cut++) {
        /* A copy of exactly that length, so that reading beyond it is seen. */
        uint8_t *p = malloc(cut ? cut : 1);
        assert_non_null(p);
        memcpy(p, w->evidence.p, cut);
        assert_int_not_equal(tee_verify(w->trust, &w->policy, slice_of(p, cut), NOW, &v, NULL),
                             SR_OK);
        free(p);
    }
}

static void platform_files_cut_anywhere_are_refused(void **state) {
    struct world *w = *state;
    struct buf e;
    buf_init(&e, TEE_SIM_EVIDENCE_MAX);
    for (size_t cut = 0; cut < w->a.secret_platform.n; cut++)
        assert_int_not_equal(tee_sim_evidence(slice_of(w->a.secret_platform.p, cut), w->mrtd,
                                              w->report_data, NOW, &e, NULL),
                             SR_OK);
    assert_int_equal(e.n, 0);
    buf_done(&e);
}

static void authority_files_cut_anywhere_are_refused(void **state) {
    struct world *w = *state;
    struct tee_trust *t = NULL;
    for (size_t cut = 0; cut < w->a.verifier.n; cut += cut < 400 ? 1 : 97)
        assert_int_not_equal(tee_trust_new(slice_of(w->a.verifier.p, cut), true, &t, NULL), SR_OK);
    assert_null(t);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest t[] = {
        T(evidence_of_a_room_is_accepted_and_labelled),
        T(a_measurement_that_is_not_listed_is_refused),
        T(evidence_of_another_authority_is_refused),
        T(simulated_trust_needs_development_mode),
        T(simulated_evidence_never_passes_for_hardware),
        T(evidence_ages),
        T(a_known_platform_is_judged_anew),
        T(no_byte_of_the_evidence_can_change),
        T(evidence_cut_anywhere_is_refused),
        T(platform_files_cut_anywhere_are_refused),
        T(authority_files_cut_anywhere_are_refused),
    };
    return cmocka_run_group_tests_name("tee/sim", t, NULL, NULL);
}
