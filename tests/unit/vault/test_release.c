/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_world.h"

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

/* Opens what a release gave, as the room would. */
static struct json *opened(const struct world *w, const struct buf *body) {
    struct vault_release_rep r;
    uint8_t aad[WIRE_ENVELOPE_AAD_BYTES];
    struct hash digest = sha256(buf_slice(&w->evidence));
    struct json *doc = NULL;
    cleanup_buf_wipe struct buf plain = {0};
    buf_init(&plain, WIRE_ENVELOPE_MAX);
    assert_true(vault_release_rep_read(buf_slice(body), &r));
    assert_true(slice_is(r.label, "SIMULATED"));
    wire_envelope_aad(aad, &w->assignment.task, &w->assignment.worker, &w->challenge, &digest);
    OK(hpke_open(&w->sealing, SLICE_LIT(WIRE_ENVELOPE_INFO), slice_of(aad, sizeof aad), r.envelope,
                 &plain, NULL));
    struct hash h = wire_envelope_hash(aad, r.envelope);
    OK(eth_message_check(&h, slice_of(r.envelope_signature.b, 65), &w->sms.addr, NULL));
    struct wire_token t;
    OK(wire_token_check(r.token, &w->sms.addr, &w->assignment.task, &w->worker.addr, &w->challenge,
                        NOW, &t, NULL));
    assert_int_equal(t.verdict, WIRE_SIMULATED);
    assert_true(hash_eq(&t.evidence_digest, &digest));
    OK(json_parse(buf_slice(&plain), &doc, NULL));
    return doc;
}

static bool is(const struct json_val *v, const char *want) {
    struct slice s;
    return json_str(v, &s) && slice_is(s, want);
}

static void a_release_gives_the_room_what_the_task_may_know(void **state) {
    struct world *w = *state;
    cleanup_buf struct buf body = {0};
    struct sr_err e = {0};
    buf_init(&body, VAULT_BODY_MAX);
    if (world_ask(w, &body, &e) != SR_OK) fail_msg("%s", e.what);
    cleanup_json struct json *doc = opened(w, &body);
    const struct json_val *v = json_root(doc);
    struct hash h;
    struct addr a;
    uint64_t n = 0;
    bool b = true;
    assert_true(json_u64(json_get(v, "version"), &n) && n == 1);
    assert_true(json_hash(json_get(v, "task"), &h) && hash_eq(&h, &w->assignment.task));
    assert_true(json_addr(json_get(v, "worker"), &a) && addr_eq(&a, &w->worker.addr));
    assert_true(json_hash(json_get(json_get(v, "app"), "digest"), &h) &&
                hash_eq(&h, &w->app_checksum));
    const struct json_val *d = json_at(json_get(v, "datasets"), 0);
    assert_int_equal(json_len(json_get(v, "datasets")), 1);
    assert_true(is(json_get(d, "url"), "/ipfs/QmData"));
    assert_true(is(json_get(d, "key"), "B0i9vD/v3FkCL/Fg+HDb8mhNZmyBif812tgfZ1IRGRk="));
    assert_true(is(json_get(v, "args"), "--top 3"));
    assert_true(json_u64(json_get(v, "seconds"), &n) && n == 300);
    assert_true(json_bool(json_get(json_get(v, "result"), "encrypt"), &b) && !b);
    assert_null(json_get(json_get(v, "result"), "callback"));
    assert_null(json_get(json_get(v, "secrets"), "app"));
}

static void app_requester_and_result_secrets_go_along(void **state) {
    tear_down(state);
    struct world *w;
    world_new(&w, "{\"iexec_result_encryption\":true,\"iexec_secrets\":{\"1\":\"api-key\",\"3\":"
                  "\"absent\",\"7\":\"other\"},\"iexec_input_files\":[\"https://x/y\"]}");
    *state = w;
    cleanup_buf struct buf body = {0}, pem64 = {0};
    struct sr_err e = {0};
    buf_init(&body, VAULT_BODY_MAX), buf_init(&pem64, 4096);
    base64_encode(&pem64,
                  SLICE_LIT("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
    world_keep(w, SECRET_APP, &w->app, "1", &w->developer, SLICE_LIT("app \"secret\""));
    world_keep(w, SECRET_REQUESTER, &w->requester.addr, "other", &w->requester, SLICE_LIT("o"));
    world_keep(w, SECRET_REQUESTER, &w->requester.addr, "api-key", &w->requester, SLICE_LIT("k"));
    world_keep(w, SECRET_WEB2, &w->requester.addr, "iexec-result-encryption-public-key",
               &w->requester, buf_slice(&pem64));
    if (world_ask(w, &body, &e) != SR_OK) fail_msg("%s", e.what);
    cleanup_json struct json *doc = opened(w, &body);
    const struct json_val *v = json_root(doc), *s = json_get(v, "secrets");
    bool b = false;
    assert_true(is(json_get(s, "app"), "app \"secret\""));
    assert_true(is(json_get(json_get(s, "requester"), "1"), "k"));
    assert_true(is(json_get(json_get(s, "requester"), "7"), "o"));
    assert_int_equal(json_len(json_get(s, "requester")), 2);
    assert_true(json_bool(json_get(json_get(v, "result"), "encrypt"), &b) && b);
    assert_true(is(json_get(json_get(v, "result"), "publicKey"),
                   "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
    assert_true(is(json_at(json_get(v, "inputFiles"), 0), "https://x/y"));
}

static void a_task_without_data_gets_none(void **state) {
    struct world *w = *state;
    cleanup_buf struct buf body = {0};
    struct sr_err e = {0};
    buf_init(&body, VAULT_BODY_MAX);
    w->request_order.request.dataset = (struct addr){{0}};
    w->dataset_order.dataset.tag = (struct hash){{0}};
    world_deal(w);
    w->f_dataset = (struct addr){{0}};
    buf_done(&w->secret[0].stored);
    w->n_secrets = 0;
    if (world_ask(w, &body, &e) != SR_OK) fail_msg("%s", e.what);
    cleanup_json struct json *doc = opened(w, &body);
    assert_int_equal(json_len(json_get(json_root(doc), "datasets")), 0);
}

/* Every place where this assignment could be remembered is taken. */
static void a_vault_that_cannot_remember_more_refuses_for_a_while(void **state) {
    struct world *w = *state;
    cleanup_buf struct buf body = {0};
    struct sr_err e = {0};
    buf_init(&body, VAULT_BODY_MAX);
    for (size_t i = 0; i < VAULT_NONCES_MAX; i++) {
        w->vault->used[i].expires = NOW + 1;
        w->vault->used[i].id.b[0] = 1;
    }
    assert_int_equal(world_ask(w, &body, &e), SR_E_UNAVAILABLE);
    assert_true(slice_starts(slice_str(e.what), "VAULT_BUSY: "));
    for (size_t i = 0; i < VAULT_NONCES_MAX; i++) w->vault->used[i].expires = NOW; /* over */
    OK(world_ask(w, &body, NULL));
}

static void refused(struct world *w, sr_status want, const char *code) {
    cleanup_buf struct buf body = {0};
    struct sr_err e = {0};
    buf_init(&body, VAULT_BODY_MAX);
    sr_status st = world_ask(w, &body, &e);
    if (st == SR_OK) fail_msg("released, not refused with %s", code);
    if (strncmp(e.what, code, strlen(code)) != 0 || e.what[strlen(code)] != ':')
        fail_msg("%s, not %s", e.what, code);
    assert_int_equal(st, want);
    assert_int_equal(body.n, 0);
}

static void an_assignment_releases_once(void **state) {
    struct world *w = *state;
    cleanup_buf struct buf body = {0};
    buf_init(&body, VAULT_BODY_MAX);
    OK(world_ask(w, &body, NULL));
    refused(w, SR_E_REFUSED, "ASSIGNMENT_USED");
    /* Another nonce is another assignment. */
    w->assignment.nonce.b[0]++;
    struct hash h = wire_assignment_hash(&w->assignment);
    h = eth_message_hash(&h);
    OK(secp_sign(&w->pool.key, &h, &w->assignment.signature, NULL));
    world_room(w);
    buf_clear(&body);
    OK(world_ask(w, &body, NULL));
}

static void a_refused_release_does_not_use_the_assignment_up(void **state) {
    struct world *w = *state;
    cleanup_buf struct buf body = {0};
    buf_init(&body, VAULT_BODY_MAX);
    w->secret[0].stored.p[20] ^= 1;
    refused(w, SR_E_CRYPTO, "SECRET_UNREADABLE");
    w->secret[0].stored.p[20] ^= 1;
    OK(world_ask(w, &body, NULL));
}

/* ---- who asks ---- */

static void assignments_expire(void **state) {
    struct world *w = *state;
    vault_set_time(w->vault, NOW + 300);
    w->f_now = NOW + 300;
    refused(w, SR_E_AUTH, "ASSIGNMENT_EXPIRED");
    vault_set_time(w->vault, NOW - 700); /* or are of the future */
    w->f_now = NOW - 700;
    refused(w, SR_E_AUTH, "ASSIGNMENT_EXPIRED");
}

static void facts_of_another_time_are_refused(void **state) {
    struct world *w = *state;
    w->f_now = NOW - VAULT_FACTS_SKEW_S - 1;
    refused(w, SR_E_REFUSED, "CLOCK_SKEW");
    w->f_now = NOW + VAULT_FACTS_SKEW_S + 1;
    refused(w, SR_E_REFUSED, "CLOCK_SKEW");
}

static void only_the_pool_owner_assigns(void **state) {
    struct world *w = *state;
    w->f_pool_owner = w->worker.addr;
    refused(w, SR_E_AUTH, "INVALID_AUTHORIZATION");
    w->f_pool_owner = w->pool.addr;
    w->assignment.signature.b[5] ^= 1;
    refused(w, SR_E_AUTH, "INVALID_AUTHORIZATION");
}

static void only_the_assigned_worker_asks(void **state) {
    struct world *w = *state;
    w->release_signature.b[7] ^= 1;
    refused(w, SR_E_AUTH, "INVALID_AUTHORIZATION");
    world_sign_release(w);
    struct person other = w->worker;
    w->worker = w->developer; /* signs in the worker's place */
    world_sign_release(w);
    w->worker = other;
    refused(w, SR_E_AUTH, "INVALID_AUTHORIZATION");
}

static void a_task_of_another_deal_is_refused(void **state) {
    struct world *w = *state;
    w->f_index = 1;
    refused(w, SR_E_AUTH, "INVALID_AUTHORIZATION");
    w->f_index = 0;
    w->f_bot_size = 0;
    refused(w, SR_E_AUTH, "INVALID_AUTHORIZATION");
    w->f_bot_size = 1;
    w->f_deal.b[0] ^= 1;
    refused(w, SR_E_AUTH, "INVALID_AUTHORIZATION");
}

static void a_passed_deadline_is_refused(void **state) {
    struct world *w = *state;
    w->f_deadline = NOW;
    refused(w, SR_E_REFUSED, "DEADLINE_PASSED");
}

/* ---- what runs there ---- */

static void evidence_must_bind_all_of_it(void **state) {
    struct world *w = *state;
    struct hash app = w->app_checksum;
    /* Made for other values; signed by the worker all the same. */
    w->app_checksum.b[0] ^= 1;
    world_room(w);
    w->app_checksum = app;
    refused(w, SR_E_REFUSED, "EVIDENCE_REFUSED");
    w->sms.addr.b[0] ^= 1;
    world_room(w);
    w->sms.addr.b[0] ^= 1;
    refused(w, SR_E_REFUSED, "EVIDENCE_REFUSED");
    w->sealing_public[0] ^= 1; /* a key that is not in the evidence */
    refused(w, SR_E_REFUSED, "EVIDENCE_REFUSED");
    w->sealing_public[0] ^= 1;
    struct hash nonce = w->assignment.nonce;
    w->assignment.nonce.b[3] ^= 1;
    world_room(w);
    w->assignment.nonce = nonce;
    world_sign_release(w);
    refused(w, SR_E_REFUSED, "EVIDENCE_REFUSED");
}

static void a_challenge_must_be_its_keys_address(void **state) {
    struct world *w = *state;
    w->challenge.b[0] ^= 1;
    refused(w, SR_E_AUTH, "EVIDENCE_REFUSED");
}

static void a_room_that_is_not_listed_is_refused(void **state) {
    struct world *w = *state;
    w->room_digest.b[0] ^= 1;
    world_room(w);
    refused(w, SR_E_REFUSED, "EVIDENCE_REFUSED");
}

static void evidence_of_another_authority_is_refused(void **state) {
    struct world *w = *state;
    tee_sim_authority_done(&w->authority);
    OK(tee_sim_authority_new(NOW, &w->authority, NULL));
    world_room(w);
    refused(w, SR_E_REFUSED, "EVIDENCE_REFUSED");
}

/* ---- what was agreed ---- */

static void each_fact_must_follow_from_the_orders(void **state) {
    struct world *w = *state;
    struct addr *facts[] = {&w->f_app, &w->f_dataset, &w->f_requester, &w->f_beneficiary,
                            &w->f_callback};
    for (size_t i = 0; i < SR_ARRAY_LEN(facts); i++) {
        struct addr was = *facts[i];
        facts[i]->b[19] ^= 1;
        refused(w, SR_E_REFUSED, "INVALID_AUTHORIZATION");
        *facts[i] = was;
    }
    w->f_params = "{\"iexec_args\":\"--all\"}";
    refused(w, SR_E_REFUSED, "INVALID_AUTHORIZATION");
    w->f_params = "{\"iexec_args\":\"--top 3\"}";
    w->f_tag.b[0] ^= 1;
    refused(w, SR_E_REFUSED, "INVALID_AUTHORIZATION");
}

static void each_order_must_be_its_owners(void **state) {
    struct world *w = *state;
    struct addr *owners[] = {&w->f_app_owner, &w->f_dataset_owner};
    for (size_t i = 0; i < SR_ARRAY_LEN(owners); i++) {
        struct addr was = *owners[i];
        *owners[i] = w->worker.addr;
        refused(w, SR_E_AUTH, "INVALID_AUTHORIZATION");
        *owners[i] = was;
    }
    struct poco_sign *signs[] = {&w->app_order.sign, &w->dataset_order.sign,
                                 &w->request_order.sign};
    bool *presigned[] = {&w->pre_app, &w->pre_dataset, &w->pre_request};
    cleanup_buf struct buf body = {0};
    buf_init(&body, VAULT_BODY_MAX);
    for (size_t i = 0; i < SR_ARRAY_LEN(signs); i++) {
        signs[i]->n = 0;
        refused(w, SR_E_AUTH, "INVALID_AUTHORIZATION");
        *presigned[i] = true; /* the chain knows it */
    }
    OK(world_ask(w, &body, NULL));
}

static void a_request_that_differs_is_another_deal(void **state) {
    struct world *w = *state;
    w->request_order.request.salt.b[0] ^= 1;
    OK(poco_order_sign(&w->request_order, &w->domain, &w->requester.key, NULL));
    refused(w, SR_E_REFUSED, "INVALID_AUTHORIZATION");
}

static void a_restriction_binds_unless_the_chain_has_judged_it(void **state) {
    struct world *w = *state;
    cleanup_buf struct buf body = {0};
    buf_init(&body, VAULT_BODY_MAX);
    w->dataset_order.dataset.apprestrict.b[0] ^= 1; /* for another app, or a group */
    world_deal(w);
    refused(w, SR_E_REFUSED, "INVALID_AUTHORIZATION");
    w->groups = true;
    OK(world_ask(w, &body, NULL));
}

static void a_deal_without_tee_is_refused(void **state) {
    struct world *w = *state;
    w->app_order.app.tag = w->dataset_order.dataset.tag = w->request_order.request.tag =
        (struct hash){{0}};
    world_deal(w);
    refused(w, SR_E_REFUSED, "EXECUTION_NOT_AUTHORIZED_NO_MATCH_ONCHAIN_TYPE");
}

/* ---- which secrets ---- */

static void a_data_key_that_is_missing_or_of_a_former_owner(void **state) {
    struct world *w = *state;
    buf_done(&w->secret[0].stored);
    w->n_secrets = 0;
    refused(w, SR_E_REFUSED, "PRE_COMPUTE_GET_DATASET_SECRET_FAILED");
    world_keep(w, SECRET_WEB3, &w->dataset, "", &w->worker, SLICE_LIT("stored by a former owner"));
    refused(w, SR_E_REFUSED, "OWNER_CHANGED");
    w->f_former_owner = &w->requester.addr; /* a former owner, but not who stored the key */
    refused(w, SR_E_REFUSED, "OWNER_CHANGED");
}

static void the_key_that_a_former_owner_stored_opens_sold_data(void **state) {
    struct world *w = *state;
    cleanup_buf struct buf body = {0};
    struct sr_err e = {0};
    buf_init(&body, VAULT_BODY_MAX);
    buf_done(&w->secret[0].stored);
    w->n_secrets = 0;
    world_keep(w, SECRET_WEB3, &w->dataset, "", &w->worker,
               SLICE_LIT("B0i9vD/v3FkCL/Fg+HDb8mhNZmyBif812tgfZ1IRGRk="));
    w->f_former_owner = &w->worker.addr;
    if (world_ask(w, &body, &e) != SR_OK) fail_msg("%s", e.what);
    cleanup_json struct json *doc = opened(w, &body);
    assert_true(is(json_get(json_at(json_get(json_root(doc), "datasets"), 0), "key"),
                   "B0i9vD/v3FkCL/Fg+HDb8mhNZmyBif812tgfZ1IRGRk="));
}

static void the_secret_of_an_app_is_its_owners_of_now(void **state) {
    struct world *w = *state;
    world_keep(w, SECRET_APP, &w->app, "1", &w->worker, SLICE_LIT("of the app's former owner"));
    w->f_former_owner = &w->worker.addr;
    refused(w, SR_E_REFUSED, "OWNER_CHANGED");
}

/* ---- a bulk ---- */

/* A world whose request asks for a bulk: no data set of its own. */
static struct world *bulk_world(void **state) {
    struct world *w;
    tear_down(state);
    world_new(&w, "{\"bulk_cid\":\"QmBulk\"}");
    *state = w;
    buf_done(&w->secret[0].stored);
    w->n_secrets = 0;
    w->f_dataset = (struct addr){{0}};
    w->request_order.request.dataset = (struct addr){{0}};
    world_deal(w);
    world_room(w);
    world_sign_release(w);
    return w;
}

struct bulk_want {
    struct addr data;
    const struct person *signer;
    struct addr app; /* restriction */
    uint64_t price, volume;
    bool presigned;
};

static void put_bulk(const struct world *w, struct buf *b, const struct bulk_want *want, size_t n,
                     bool with_withheld) {
    struct jw j = jw_of(b);
    jw_arr(&j);
    for (size_t i = 0; i < n; i++) {
        struct poco_order o = {.kind = POCO_DATASET};
        o.dataset = (struct poco_datasetorder){.dataset = want[i].data,
                                               .datasetprice = u256_of(want[i].price),
                                               .volume = u256_of(want[i].volume),
                                               .tag = tag_of(POCO_TAG_TEE | POCO_TAG_TDX),
                                               .apprestrict = want[i].app};
        OK(poco_order_sign(&o, &w->domain, &want[i].signer->key, NULL));
        jw_obj(&j);
        jw_kaddr(&j, "address", &want[i].data);
        jw_kaddr(&j, "owner", &w->owner.addr);
        jw_khash(&j, "checksum", &w->dataset_checksum);
        jw_kcstr(&j, "multiaddr", "/ipfs/QmBulkData");
        jw_kbool(&j, "presigned", want[i].presigned);
        jw_key(&j, "order");
        poco_order_json(&j, &o, false, true);
        jw_end_obj(&j);
    }
    if (with_withheld) {
        struct addr a = {{0xee}};
        jw_obj(&j);
        jw_kaddr(&j, "address", &a);
        jw_kcstr(&j, "outcome", "DATASET_ORDER_REVOKED");
        jw_end_obj(&j);
    }
    jw_end_arr(&j);
}

static void a_bulk_gives_each_key_and_says_what_is_withheld(void **state) {
    struct world *w = bulk_world(state);
    cleanup_buf struct buf body = {0}, bulk = {0};
    struct sr_err e = {0};
    buf_init(&body, VAULT_BODY_MAX), buf_init(&bulk, 65536);
    const struct bulk_want want[] = {
        {.data = {{1}}, .signer = &w->owner, .app = w->app, .volume = POCO_SAFE_MAX},
        {.data = {{2}}, .signer = &w->owner, .app = w->app, .volume = POCO_SAFE_MAX}};
    for (size_t i = 0; i < 2; i++)
        world_keep(w, SECRET_WEB3, &want[i].data, "", &w->owner, SLICE_LIT("key of one"));
    put_bulk(w, &bulk, want, 2, true);
    w->f_bulk = buf_cstr(&bulk);
    if (world_ask(w, &body, &e) != SR_OK) fail_msg("%s", e.what);
    cleanup_json struct json *doc = opened(w, &body);
    const struct json_val *list = json_get(json_root(doc), "datasets");
    bool is_bulk = false;
    assert_true(json_bool(json_get(json_root(doc), "bulk"), &is_bulk) && is_bulk);
    assert_int_equal(json_len(list), 3);
    assert_true(is(json_get(json_at(list, 0), "key"), "key of one"));
    assert_true(is(json_get(json_at(list, 1), "url"), "/ipfs/QmBulkData"));
    assert_true(is(json_get(json_at(list, 2), "outcome"), "DATASET_ORDER_REVOKED"));
    assert_null(json_get(json_at(list, 2), "key"));
}

static void a_bulk_order_that_grants_less_is_refused(void **state) {
    struct world *w = bulk_world(state);
    cleanup_buf struct buf bulk = {0};
    buf_init(&bulk, 65536);
    const struct bulk_want good = {
        .data = {{1}}, .signer = &w->owner, .app = w->app, .volume = POCO_SAFE_MAX};
    struct bulk_want bad[5];
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) bad[i] = good;
    bad[0].signer = &w->requester;
    bad[1].app = w->workerpool;
    bad[2].price = 1;
    bad[3].volume = 5;
    bad[4].app = (struct addr){{9}};
    world_keep(w, SECRET_WEB3, &good.data, "", &w->owner, SLICE_LIT("key"));
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        buf_clear(&bulk);
        put_bulk(w, &bulk, &bad[i], 1, false);
        w->f_bulk = buf_cstr(&bulk);
        refused(w, i == 0 ? SR_E_AUTH : SR_E_REFUSED, "INVALID_AUTHORIZATION");
    }
    const struct bulk_want twice[2] = {good, good};
    buf_clear(&bulk);
    put_bulk(w, &bulk, twice, 2, false);
    w->f_bulk = buf_cstr(&bulk);
    refused(w, SR_E_REFUSED, "INVALID_AUTHORIZATION");
    /* no key stored for it */
    struct bulk_want other = good;
    other.data = (struct addr){{3}};
    buf_done(&w->secret[--w->n_secrets].stored);
    buf_clear(&bulk);
    put_bulk(w, &bulk, &other, 1, false);
    w->f_bulk = buf_cstr(&bulk);
    refused(w, SR_E_REFUSED, "PRE_COMPUTE_GET_DATASET_SECRET_FAILED");
}

static void a_bulk_that_nobody_asked_for_is_refused(void **state) {
    struct world *w = *state;
    cleanup_buf struct buf bulk = {0};
    buf_init(&bulk, 65536);
    const struct bulk_want want = {
        .data = {{1}}, .signer = &w->owner, .app = w->app, .volume = POCO_SAFE_MAX};
    put_bulk(w, &bulk, &want, 1, false);
    w->f_bulk = buf_cstr(&bulk);
    refused(w, SR_E_REFUSED, "INVALID_AUTHORIZATION");
}

static void secrets_of_others_are_not_given(void **state) {
    struct world *w = *state;
    struct addr other = {{7}};
    world_keep(w, SECRET_WEB3, &other, "", &w->owner, SLICE_LIT("another data set's key"));
    refused(w, SR_E_REFUSED, "SECRET_NOT_FOR_TASK");
    buf_done(&w->secret[--w->n_secrets].stored);
    world_keep(w, SECRET_REQUESTER, &w->requester.addr, "unasked", &w->requester, SLICE_LIT("x"));
    refused(w, SR_E_REFUSED, "SECRET_NOT_FOR_TASK");
    buf_done(&w->secret[--w->n_secrets].stored);
    world_keep(w, SECRET_WEB2, &w->requester.addr, "dropbox", &w->requester, SLICE_LIT("x"));
    refused(w, SR_E_REFUSED, "SECRET_NOT_FOR_TASK");
}

static void a_stored_secret_cannot_be_passed_off_as_another(void **state) {
    struct world *w = *state;
    struct addr other = {{7}};
    buf_done(&w->secret[0].stored);
    w->n_secrets = 0;
    world_keep(w, SECRET_WEB3, &other, "", &w->owner, SLICE_LIT("another data set's key"));
    w->secret[0].target = w->dataset;
    refused(w, SR_E_CRYPTO, "SECRET_UNREADABLE");
}

static void a_result_key_that_is_asked_for_must_be_there(void **state) {
    tear_down(state);
    struct world *w;
    world_new(&w, "{\"iexec_result_encryption\":true}");
    *state = w;
    refused(w, SR_E_REFUSED, "POST_COMPUTE_GET_ENCRYPTION_TOKENS_FAILED_EMPTY_BENEFICIARY_KEY");
}

/* ---- hostile bytes ---- */

static void documents_cut_anywhere_are_refused(void **state) {
    struct world *w = *state;
    cleanup_buf struct buf request = {0}, facts = {0}, rq = {0}, body = {0};
    struct sr_err e = {0};
    buf_init(&request, 65536), buf_init(&facts, 1 << 20), buf_init(&rq, VAULT_BODY_MAX);
    buf_init(&body, VAULT_BODY_MAX);
    world_request(w, &request);
    world_facts(w, &facts);
    for (size_t cut = 0; cut < request.n + facts.n; cut++) {
        struct slice a = buf_slice(&request), b = buf_slice(&facts);
        if (cut < a.n)
            a.n = cut;
        else
            b.n = cut - a.n;
        buf_clear(&rq);
        vault_release_req_write(
            &rq, &(struct vault_release_req){.request = a, .facts = b, .evidence = SLICE_LIT("x")});
        assert_int_equal(
            vault_dispatch(w->vault, &w->peer, VAULT_MSG_release, buf_slice(&rq), &body, &e),
            SR_E_MALFORMED);
    }
    assert_int_equal(body.n, 0);
    for (size_t cut = 0; cut < rq.n; cut++) /* and the message itself */
        assert_int_equal(
            vault_dispatch(w->vault, &w->peer, VAULT_MSG_release, slice_of(rq.p, cut), &body, NULL),
            SR_E_USAGE);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest t[] = {
        T(a_release_gives_the_room_what_the_task_may_know),
        T(app_requester_and_result_secrets_go_along),
        T(a_task_without_data_gets_none),
        T(a_vault_that_cannot_remember_more_refuses_for_a_while),
        T(an_assignment_releases_once),
        T(a_refused_release_does_not_use_the_assignment_up),
        T(assignments_expire),
        T(facts_of_another_time_are_refused),
        T(only_the_pool_owner_assigns),
        T(only_the_assigned_worker_asks),
        T(a_task_of_another_deal_is_refused),
        T(a_passed_deadline_is_refused),
        T(evidence_must_bind_all_of_it),
        T(a_challenge_must_be_its_keys_address),
        T(a_room_that_is_not_listed_is_refused),
        T(evidence_of_another_authority_is_refused),
        T(each_fact_must_follow_from_the_orders),
        T(each_order_must_be_its_owners),
        T(a_request_that_differs_is_another_deal),
        T(a_restriction_binds_unless_the_chain_has_judged_it),
        T(a_deal_without_tee_is_refused),
        T(a_data_key_that_is_missing_or_of_a_former_owner),
        T(the_key_that_a_former_owner_stored_opens_sold_data),
        T(the_secret_of_an_app_is_its_owners_of_now),
        T(a_bulk_gives_each_key_and_says_what_is_withheld),
        T(a_bulk_order_that_grants_less_is_refused),
        T(a_bulk_that_nobody_asked_for_is_refused),
        T(secrets_of_others_are_not_given),
        T(a_stored_secret_cannot_be_passed_off_as_another),
        T(a_result_key_that_is_asked_for_must_be_there),
        T(documents_cut_anywhere_are_refused),
    };
    return cmocka_run_group_tests_name("vault/release", t, NULL, NULL);
}
