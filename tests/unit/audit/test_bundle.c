/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle is made of real signatures and SIMULATED evidence; then everything in it is changed. */
#include "audit/audit_int.h"
#include "eth/tx.h"
#include "poco/calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants these first */
#include <cmocka.h>

#define OK(expr) assert_int_equal((expr), SR_OK)
#define NOW      1796000000u

enum { K_APP, K_DATA, K_POOL, K_REQUESTER, K_WORKER, K_SMS, K_ROOM, K_N };

struct world {
    struct sr_secret key[K_N];
    struct addr who[K_N];
    struct tee_sim_authority authority;
    struct poco_order order[POCO_KINDS];
    struct poco_domain domain;
    struct audit_parts p;
    uint8_t token[WIRE_TOKEN_BYTES];
    struct buf evidence, tx, bundle;
};

static const char policy[] = "{\"providers\":[\"SIMULATED\"]}";

static void sign(const struct sr_secret *k, const struct hash *h, struct sr_signature *ret) {
    const struct hash m = eth_message_hash(h);
    OK(secp_sign(k, &m, ret, NULL));
}

static void make_orders(struct world *w) {
    const struct hash tag = tag_of(POCO_TAG_TEE | POCO_TAG_TDX);
    struct addr app, data, pool;
    memset(app.b, 0xa1, 20), memset(data.b, 0xd1, 20), memset(pool.b, 0xb1, 20);
    memset(w->order, 0, sizeof w->order);
    for (size_t i = 0; i < POCO_KINDS; i++) w->order[i].kind = (poco_kind)i;
    struct poco_apporder *a = &w->order[POCO_APP].app;
    a->app = app, a->volume = u256_of(5), a->tag = tag;
    struct poco_datasetorder *d = &w->order[POCO_DATASET].dataset;
    d->dataset = data, d->volume = u256_of(5), d->tag = tag;
    struct poco_workerpoolorder *p = &w->order[POCO_WORKERPOOL].workerpool;
    p->workerpool = pool, p->volume = u256_of(5), p->tag = tag;
    struct poco_requestorder *r = &w->order[POCO_REQUEST].request;
    r->app = app, r->dataset = data, r->volume = u256_of(1), r->tag = tag;
    r->requester = r->beneficiary = w->who[K_REQUESTER];
    r->params = SLICE_LIT("{\"iexec_args\":\"hello\"}");
    const int signer[] = {K_APP, K_DATA, K_POOL, K_REQUESTER};
    for (size_t i = 0; i < POCO_KINDS; i++) {
        OK(poco_salt(&w->order[i], NULL));
        OK(poco_order_sign(&w->order[i], &w->domain, &w->key[signer[i]], NULL));
    }
    w->p.app = &w->order[POCO_APP];
    w->p.dataset = &w->order[POCO_DATASET];
    w->p.workerpool = &w->order[POCO_WORKERPOOL];
    w->p.request = &w->order[POCO_REQUEST];
    w->p.app_owner = w->who[K_APP];
    w->p.dataset_owner = w->who[K_DATA];
    w->p.workerpool_owner = w->who[K_POOL];
}

static void make_room(struct world *w) {
    struct wire_binding *g = &w->p.binding;
    uint8_t mrtd[48], data[64];
    memset(g->nonce.b, 0x33, 32), memset(g->sealing_key, 0x44, 32);
    memset(g->app_digest.b, 0x55, 32), memset(w->p.room_sha256.b, 0x66, 32);
    g->worker = w->who[K_WORKER];
    g->sms_identity = w->who[K_SMS];
    OK(secp_public(&w->key[K_ROOM], g->challenge_public, NULL));
    OK(wire_report_data(g, data, NULL));
    wire_simulated_mrtd(&w->p.room_sha256, mrtd);
    OK(tee_sim_evidence(buf_slice(&w->authority.secret_platform), mrtd, data, NOW, &w->evidence,
                        NULL));
    w->p.evidence = buf_slice(&w->evidence);
    w->p.authority = buf_slice(&w->authority.verifier);
    struct wire_assignment *a = &w->p.assignment;
    *a = (struct wire_assignment){
        .task = g->task, .worker = g->worker, .nonce = g->nonce, .expires_unix_s = NOW + 600};
    struct hash h = wire_assignment_hash(a);
    sign(&w->key[K_POOL], &h, &a->signature);
    struct wire_token t = {.task = g->task,
                           .worker = g->worker,
                           .challenge = wire_challenge_address(g->challenge_public),
                           .evidence_digest = sha256(w->p.evidence),
                           .verdict = WIRE_SIMULATED,
                           .expires_unix_s = NOW + 900};
    h = wire_token_hash(&t);
    sign(&w->key[K_SMS], &h, &t.signature);
    wire_token_write(w->token, &t);
    w->p.token = slice_of(w->token, sizeof w->token);
}

static void make_result(struct world *w, const struct hash *deal) {
    struct audit_parts *p = &w->p;
    const struct hash *task = &p->binding.task;
    const struct addr challenge = wire_challenge_address(p->binding.challenge_public);
    struct sr_signature auth, sig;
    cleanup_buf struct buf call = {0};
    memset(p->result_digest.b, 0x77, 32);
    struct hash result = wire_result_hash(task, &p->result_digest),
                seal = wire_result_seal(&p->binding.worker, task, &p->result_digest),
                m = wire_enclave_message(&result, &seal),
                h = wire_authorisation_hash(&p->binding.worker, task, &challenge);
    sign(&w->key[K_ROOM], &m, &p->enclave_signature);
    sign(&w->key[K_POOL], &h, &auth);
    buf_init(&call, 65536);
    OK(poco_enc_contribute_and_finalize(
        &call, task, &p->result_digest, SLICE_LIT("{}"), (struct slice){0}, &challenge,
        slice_of(p->enclave_signature.b, 65), slice_of(auth.b, 65), NULL));
    struct eth_tx tx = {.type = TX_1559,
                        .chain_id = p->chain_id,
                        .nonce = 3,
                        .gas_limit = 500000,
                        .max_fee = u256_of(1000),
                        .max_tip = u256_of(1),
                        .to = p->hub,
                        .data = buf_slice(&call)};
    OK(tx_sign_hash(&tx, &h, NULL));
    OK(secp_sign(&w->key[K_WORKER], &h, &sig, NULL));
    buf_clear(&w->tx);
    OK(tx_encode(&tx, &sig, &w->tx, NULL, NULL));
    p->transaction = buf_slice(&w->tx);
    p->release = (struct audit_release){
        .n = 7, .time_ms = NOW * 1000ull + 5, .dataset = p->dataset->dataset.dataset};
    memset(p->release.previous.b, 0x99, 32);
    p->release.hash = release_hash(p, task, deal, WIRE_SIMULATED);
    p->policy = slice_str(policy);
}

static int set_up(void **state) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    for (size_t i = 0; i < K_N; i++) {
        OK(secp_keygen(&w->key[i], NULL));
        OK(secp_address(&w->key[i], &w->who[i], NULL));
    }
    OK(tee_sim_authority_new(NOW, &w->authority, NULL));
    buf_init(&w->evidence, TEE_SIM_EVIDENCE_MAX);
    buf_init(&w->tx, 65536);
    buf_init(&w->bundle, AUDIT_MAX);
    w->p.chain_id = 31337;
    memset(w->p.hub.b, 0xcc, 20);
    w->domain = poco_domain_of(w->p.chain_id, &w->p.hub);
    make_orders(w);
    struct hash request = poco_order_hash(&w->domain, w->p.request);
    struct hash deal = poco_deal_id(&request, u256_of(0));
    w->p.binding.task = poco_task_id(&deal, u256_of(0));
    make_room(w);
    make_result(w, &deal);
    struct sr_err e = {0};
    if (audit_bundle_make(&w->p, &w->bundle, &e) != SR_OK) fail_msg("%s", e.what);
    const char *keep = getenv("STRONGROOM_TEST_KEEP_BUNDLE"); /* for a fuzz corpus, by hand */
    if (keep) OK(fs_write_atomic(keep, buf_slice(&w->bundle), 0644, NULL));
    *state = w;
    return 0;
}

static int tear_down(void **state) {
    struct world *w = *state;
    for (size_t i = 0; i < K_N; i++) secret_free(&w->key[i]);
    tee_sim_authority_done(&w->authority);
    buf_done(&w->evidence), buf_done(&w->tx), buf_done(&w->bundle);
    free(w);
    return 0;
}

static void a_bundle_holds_and_says_that_it_is_simulated(void **state) {
    struct world *w = *state;
    struct audit_report r;
    const int64_t start = clock_mono_us();
    OK(audit_verify(buf_slice(&w->bundle), &r, NULL));
    print_message("%zu bytes, verified in %.1f ms\n", w->bundle.n,
                  (double)(clock_mono_us() - start) / 1000.0);
    assert_null(r.field);
    assert_true(r.simulated);
    assert_int_equal(r.label, WIRE_SIMULATED);
    assert_int_equal(r.n_held, 15);
    assert_true(addr_eq(&r.worker, &w->who[K_WORKER]));
    assert_true(addr_eq(&r.sms_identity, &w->who[K_SMS]));
}

static void every_flipped_byte_is_caught(void **state) {
    struct world *w = *state;
    struct audit_report r;
    size_t by_seal = 0;
    /* STRONGROOM_TEST_STEP=1 takes each byte (a minute); the default a third of them. */
    const char *step_text = getenv("STRONGROOM_TEST_STEP");
#ifdef CHECKED_BUILD
    uint64_t step = 29;
#else
    uint64_t step = 3;
#endif
    if (step_text) assert_true(num_u64(slice_str(step_text), 1000, &step) && step > 0);
    for (size_t i = 0; i < w->bundle.n; i += step) {
        w->bundle.p[i] ^= (uint8_t)(1u << i % 8);
        if (audit_verify(buf_slice(&w->bundle), &r, NULL) == SR_OK) fail_msg("byte %zu", i);
        assert_non_null(r.field);
        by_seal += strcmp(r.field, "sha256") == 0;
        w->bundle.p[i] ^= (uint8_t)(1u << i % 8);
    }
    OK(audit_verify(buf_slice(&w->bundle), &r, NULL));
    print_message("%zu bytes changed, %zu found by the seal only\n", w->bundle.n, by_seal);
}

static void a_bundle_cut_anywhere_is_refused(void **state) {
    struct world *w = *state;
    struct audit_report r;
    for (size_t cut = 0; cut < w->bundle.n; cut += 23) {
        uint8_t *p = malloc(cut ? cut : 1);
        assert_non_null(p);
        memcpy(p, w->bundle.p, cut);
        assert_int_not_equal(audit_verify(slice_of(p, cut), &r, NULL), SR_OK);
        free(p);
    }
}

/* Somebody changes a field and writes the seal anew. */
static void forged(struct world *w, const char *from, const char *to, const char *field) {
    struct audit_report r;
    struct buf b;
    buf_init(&b, AUDIT_MAX);
    const size_t body = w->bundle.n - 72;
    const uint8_t *at = memmem(w->bundle.p, body, from, strlen(from));
    if (!at) fail_msg("no %s in the bundle", from);
    buf_put(&b, w->bundle.p, (size_t)(at - w->bundle.p));
    buf_str(&b, to);
    buf_put(&b, at + strlen(from), body - (size_t)(at - w->bundle.p) - strlen(from));
    struct hash h = sha256(buf_slice(&b));
    buf_str(&b, "sha256 ");
    buf_hex(&b, slice_of(h.b, 32));
    buf_str(&b, "\n");
    assert_int_not_equal(audit_verify(buf_slice(&b), &r, NULL), SR_OK);
    if (strcmp(r.field, field) != 0) fail_msg("%s: named %s, not %s", from, r.field, field);
    buf_done(&b);
}

static void what_was_forged_is_named(void **state) {
    struct world *w = *state;
    forged(w, "\"chainId\":31337", "\"chainId\":31338", "orders.app");
    forged(w, "\"hub\":\"0xcc", "\"hub\":\"0xcd", "orders.app");
    forged(w, "hello", "hallo", "orders.request");
    forged(w, "\"index\":0", "\"index\":1", "task");
    forged(w, "\"botFirst\":0", "\"botFirst\":1", "deal");
    forged(w, "\"nonce\":\"0x3333", "\"nonce\":\"0x3334", "assignment");
    forged(w, "\"sealingKey\":\"0x44", "\"sealingKey\":\"0x45", "room.evidence");
    forged(w, "\"appDigest\":\"0x55", "\"appDigest\":\"0x56", "room.evidence");
    forged(w, "\"roomDigest\":\"0x66", "\"roomDigest\":\"0x67", "room.evidence");
    forged(w, "\"token\":\"0x5352", "\"token\":\"0x5353", "token");
    forged(w, "{\"providers\":[\"SIMULATED\"]}", "{\"providers\":[\"tdx\"]}", "verdict");
    forged(w, "\"accepted\":true", "\"accepted\":false", "verdict");
    forged(w, "\"n\":7", "\"n\":8", "release");
    forged(w, "\"previous\":\"0x99", "\"previous\":\"0x98", "release");
    forged(w, "\"digest\":\"0x77", "\"digest\":\"0x78", "result.enclaveSignature");
    forged(w, "\"transaction\":\"0x02", "\"transaction\":\"0x03", "transaction");
    forged(w, "strongroom-bundle-1", "strongroom-bundle-2", "format");
    forged(w, "{\"format\"", "{\"extra\":1,\"format\"", "fields");
}

static void nothing_is_made_that_does_not_hold(void **state) {
    struct world *w = *state;
    struct audit_parts p = w->p;
    struct buf b;
    buf_init(&b, AUDIT_MAX);
    p.release.n++;
    assert_int_equal(audit_bundle_make(&p, &b, NULL), SR_E_CRYPTO);
    p = w->p;
    p.policy = SLICE_LIT("{}"); /* strict: no SIMULATED */
    assert_int_equal(audit_bundle_make(&p, &b, NULL), SR_E_CRYPTO);
    p = w->p;
    p.workerpool_owner = w->who[K_APP];
    assert_int_equal(audit_bundle_make(&p, &b, NULL), SR_E_CRYPTO);
    assert_int_equal(b.n, 0);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_bundle_holds_and_says_that_it_is_simulated),
        cmocka_unit_test(every_flipped_byte_is_caught),
        cmocka_unit_test(a_bundle_cut_anywhere_is_refused),
        cmocka_unit_test(what_was_forged_is_named),
        cmocka_unit_test(nothing_is_made_that_does_not_hold),
    };
    return cmocka_run_group_tests_name("audit/bundle", t, set_up, tear_down);
}
