/* SPDX-License-Identifier: Apache-2.0 */
/* Envelopes and a release of secrets when memory runs out in the middle. */
#include "../vault/vault_world.h"
#include "nomem.h"

static int set_up(void **state) {
    struct world *w;
    world_new(&w, "{\"iexec_args\":\"--top 3\"}");
    *state = w;
    return 0;
}
static int tear_down(void **state) {
    world_free(*state);
    return 0;
}

static sr_status seal_and_open(void *arg, struct sr_err *err) {
    const struct world *w = arg;
    cleanup_buf struct buf sealed;
    cleanup_buf_wipe struct buf plain;
    buf_init(&sealed, 1 << 16);
    buf_init(&plain, 1 << 16);
    SR_TRY(hpke_seal(w->sealing_public, SLICE_LIT(WIRE_ENVELOPE_INFO), SLICE_LIT("aad"),
                     SLICE_LIT("what the task may know"), &sealed, err));
    SR_TRY(hpke_open(&w->sealing, SLICE_LIT(WIRE_ENVELOPE_INFO), SLICE_LIT("aad"),
                     buf_slice(&sealed), &plain, err));
    assert_true(slice_is(buf_slice(&plain), "what the task may know"));
    return SR_OK;
}

static void an_envelope_is_made_and_opened_or_memory_is_said_to_lack(void **state) {
    (void)nomem_sweep("envelope", seal_and_open, *state);
}

struct asked {
    struct world *w;
    struct buf rq;
};

static sr_status release(void *arg, struct sr_err *err) {
    struct asked *a = arg;
    cleanup_buf struct buf body;
    buf_init(&body, VAULT_BODY_MAX);
    sr_status st =
        vault_dispatch(a->w->vault, &a->w->peer, VAULT_MSG_release, buf_slice(&a->rq), &body, err);
    if (st != SR_OK) {
        assert_int_equal(body.n, 0);
        return st;
    }
    struct vault_release_rep r;
    assert_true(vault_release_rep_read(buf_slice(&body), &r));
    assert_true(r.envelope.n > 0);
    return SR_OK;
}

/* A try that failed does not use the assignment up; one that succeeded does, so each sweep has a
 * world of its own. */
static void sweep_releases(struct world *w, bool for_good) {
    struct asked a = {.w = w};
    cleanup_buf struct buf request, facts;
    buf_init(&request, 65536), buf_init(&facts, 1 << 20), buf_init(&a.rq, VAULT_BODY_MAX);
    world_request(w, &request);
    world_facts(w, &facts);
    const struct vault_release_req rq = {.request = buf_slice(&request),
                                         .facts = buf_slice(&facts),
                                         .evidence = buf_slice(&w->evidence)};
    vault_release_req_write(&a.rq, &rq);
    OK(a.rq.bad);
    assert_true(nomem_sweep_of("release", for_good, release, &a) > 10);
    buf_done(&a.rq);
}

static void secrets_are_released_whole_or_memory_is_said_to_lack(void **state) {
    sweep_releases(*state, false);
}

static void so_they_are_when_memory_stays_away(void **state) {
    sweep_releases(*state, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_envelope_is_made_and_opened_or_memory_is_said_to_lack,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(secrets_are_released_whole_or_memory_is_said_to_lack,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(so_they_are_when_memory_stays_away, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
