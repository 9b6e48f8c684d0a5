/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_world.h"

#define BYTES(x) slice_of((x).b, sizeof(x).b)

void person_new(struct person *p, const char *name) {
    struct hash h = keccak256(slice_str(name));
    OK(secret_from(h.b, 32, &p->key, NULL));
    OK(secp_address(&p->key, &p->addr, NULL));
}

static struct addr address(const char *name) {
    struct hash h = keccak256(slice_str(name));
    struct addr a;
    memcpy(a.b, h.b, 20);
    return a;
}

static void orders(struct world *w, const char *params) {
    struct hash tag = tag_of(POCO_TAG_TEE | POCO_TAG_TDX);
    w->app_order = (struct poco_order){.kind = POCO_APP};
    w->app_order.app = (struct poco_apporder){.app = w->app, .volume = u256_of(1000), .tag = tag};
    w->dataset_order = (struct poco_order){.kind = POCO_DATASET};
    w->dataset_order.dataset =
        (struct poco_datasetorder){.dataset = w->dataset, .volume = u256_of(1000), .tag = tag};
    w->dataset_order.dataset.apprestrict = w->app;
    w->dataset_order.dataset.requesterrestrict = w->requester.addr;
    w->request_order = (struct poco_order){.kind = POCO_REQUEST};
    w->request_order.request = (struct poco_requestorder){.app = w->app,
                                                          .dataset = w->dataset,
                                                          .requester = w->requester.addr,
                                                          .beneficiary = w->requester.addr,
                                                          .volume = u256_of(1),
                                                          .tag = tag,
                                                          .params = slice_str(params)};
}

void world_deal(struct world *w) {
    struct poco_requestorder *r = &w->request_order.request;
    OK(poco_order_sign(&w->app_order, &w->domain, &w->developer.key, NULL));
    OK(poco_order_sign(&w->dataset_order, &w->domain, &w->owner.key, NULL));
    OK(poco_order_sign(&w->request_order, &w->domain, &w->requester.key, NULL));
    struct hash request = poco_order_hash(&w->domain, &w->request_order);
    w->f_bot_first = 0, w->f_bot_size = 1, w->f_index = 0;
    w->f_deal = poco_deal_id(&request, u256_of(w->f_bot_first));
    w->f_tag = tag_deal(&w->app_order.app.tag, &w->dataset_order.dataset.tag, &r->tag);
    w->assignment = (struct wire_assignment){.task = poco_task_id(&w->f_deal, u256_of(w->f_index)),
                                             .worker = w->worker.addr,
                                             .nonce = {{42}},
                                             .expires_unix_s = NOW + 300};
    struct hash h = wire_assignment_hash(&w->assignment);
    h = eth_message_hash(&h);
    OK(secp_sign(&w->pool.key, &h, &w->assignment.signature, NULL));
    world_room(w);
}

void world_sign_release(struct world *w) {
    struct hash digest = sha256(buf_slice(&w->evidence));
    struct hash h = wire_release_hash(&w->assignment.task, &w->assignment.worker,
                                      &w->assignment.nonce, &digest);
    h = eth_message_hash(&h);
    OK(secp_sign(&w->worker.key, &h, &w->release_signature, NULL));
}

void world_room(struct world *w) {
    uint8_t mrtd[48], report[64];
    struct wire_binding b = {.nonce = w->assignment.nonce,
                             .task = w->assignment.task,
                             .worker = w->assignment.worker,
                             .sms_identity = w->sms.addr,
                             .app_digest = w->app_checksum};
    memcpy(b.sealing_key, w->sealing_public, 32);
    memcpy(b.challenge_public, w->challenge_public, 64);
    OK(wire_report_data(&b, report, NULL));
    wire_simulated_mrtd(&w->room_digest, mrtd);
    buf_done(&w->evidence);
    buf_init(&w->evidence, TEE_SIM_EVIDENCE_MAX);
    OK(tee_sim_evidence(buf_slice(&w->authority.secret_platform), mrtd, report, NOW, &w->evidence,
                        NULL));
    world_sign_release(w);
}

void world_new(struct world **ret, const char *params) {
    struct world *w = calloc(1, sizeof *w);
    struct vault_config c = {.role = VAULT_SMS, .chain_id = CHAIN_ID};
    struct person master;
    assert_non_null(w);
    person_new(&w->sms, "sms"), person_new(&w->pool, "pool"), person_new(&w->worker, "worker");
    person_new(&w->developer, "bob"), person_new(&w->owner, "alice");
    person_new(&w->requester, "carol"), person_new(&master, "master");
    w->hub = address("hub"), w->app = address("app"), w->dataset = address("dataset");
    w->workerpool = address("workerpool");
    w->app_checksum = keccak256(SLICE_LIT("manifest"));
    w->dataset_checksum = keccak256(SLICE_LIT("data"));
    w->room_digest = keccak256(SLICE_LIT("room"));
    w->domain = poco_domain_of(CHAIN_ID, &w->hub);
    OK(tee_sim_authority_new(NOW, &w->authority, NULL));

    c.hub = w->hub;
    c.key = &w->sms.key;
    c.master = &master.key;
    c.limits = vault_limits_default();
    wire_simulated_mrtd(&w->room_digest, c.policy.mrtd[c.policy.n_mrtd++]);
    OK(tee_trust_new(buf_slice(&w->authority.verifier), true, &c.take_trust, NULL));
    OK(vault_new(&c, &w->vault, NULL));
    secret_free(&master.key);
    vault_set_time(w->vault, NOW);
    w->peer.greeted = true;

    OK(hpke_keygen(&w->sealing, w->sealing_public, NULL));
    OK(secp_keygen(&w->challenge_key, NULL));
    OK(secp_public(&w->challenge_key, w->challenge_public, NULL));
    w->challenge = wire_challenge_address(w->challenge_public);
    orders(w, params);
    world_deal(w);
    w->f_now = NOW;
    w->f_deadline = NOW + 3000;
    w->f_pool_owner = w->pool.addr;
    w->f_app = w->app, w->f_app_owner = w->developer.addr;
    w->f_dataset = w->dataset, w->f_dataset_owner = w->owner.addr;
    w->f_workerpool = w->workerpool;
    w->f_requester = w->f_beneficiary = w->requester.addr;
    w->f_params = params;
    world_keep(w, SECRET_WEB3, &w->dataset, "", &w->owner,
               SLICE_LIT("B0i9vD/v3FkCL/Fg+HDb8mhNZmyBif812tgfZ1IRGRk="));
    *ret = w;
}

void world_free(struct world *w) {
    struct person *all[] = {&w->sms, &w->pool, &w->worker, &w->developer, &w->owner, &w->requester};
    for (size_t i = 0; i < SR_ARRAY_LEN(all); i++) secret_free(&all[i]->key);
    for (size_t i = 0; i < w->n_secrets; i++) buf_done(&w->secret[i].stored);
    secret_free(&w->sealing), secret_free(&w->challenge_key);
    tee_sim_authority_done(&w->authority);
    vault_free(w->vault);
    buf_done(&w->evidence);
    free(w);
}

sr_status world_store(struct world *w, secret_kind kind, const struct addr *target,
                      const char *name, const struct person *signer, struct slice secret,
                      struct buf *ret_stored) {
    struct hash h = wire_secret_challenge(kind, target, slice_str(name), secret);
    struct sr_signature sig;
    struct vault_secret_seal_rep rep;
    cleanup_buf struct buf rq = {0}, rp = {0};
    buf_init(&rq, VAULT_BODY_MAX), buf_init(&rp, VAULT_BODY_MAX);
    h = eth_message_hash(&h);
    OK(secp_sign(&signer->key, &h, &sig, NULL));
    vault_secret_seal_req_write(&rq, &(struct vault_secret_seal_req){.kind = (uint8_t)kind,
                                                                     .target = *target,
                                                                     .signer = signer->addr,
                                                                     .name = slice_str(name),
                                                                     .secret = secret,
                                                                     .signature = BYTES(sig)});
    SR_TRY(vault_dispatch(w->vault, &w->peer, VAULT_MSG_secret_seal, buf_slice(&rq), &rp, NULL));
    assert_true(vault_secret_seal_rep_read(buf_slice(&rp), &rep));
    buf_add(ret_stored, rep.stored);
    return SR_OK;
}

void world_keep(struct world *w, secret_kind kind, const struct addr *target, const char *name,
                const struct person *signer, struct slice secret) {
    assert_true(w->n_secrets < SR_ARRAY_LEN(w->secret));
    w->secret[w->n_secrets].kind = kind;
    w->secret[w->n_secrets].target = *target;
    w->secret[w->n_secrets].name = name;
    buf_init(&w->secret[w->n_secrets].stored, 16384);
    OK(world_store(w, kind, target, name, signer, secret, &w->secret[w->n_secrets].stored));
    w->n_secrets++;
}

void world_request(const struct world *w, struct buf *b) {
    struct jw j = jw_of(b);
    jw_obj(&j);
    jw_key(&j, "assignment");
    wire_assignment_write(&j, &w->assignment);
    jw_khash(&j, "matchTx", &w->f_deal);
    jw_kaddr(&j, "challenge", &w->challenge);
    jw_khex(&j, "challengePublic", slice_of(w->challenge_public, 64));
    jw_khex(&j, "sealingKey", slice_of(w->sealing_public, 32));
    jw_khex(&j, "signature", BYTES(w->release_signature));
    jw_end_obj(&j);
    OK(buf_status(b, NULL));
}

void world_facts(const struct world *w, struct buf *b) {
    struct jw j = jw_of(b);
    jw_obj(&j);
    jw_ku64(&j, "now", w->f_now);
    jw_kaddr(&j, "poolOwner", &w->f_pool_owner);
    jw_key(&j, "deal");
    jw_obj(&j);
    jw_khash(&j, "id", &w->f_deal);
    jw_kaddr(&j, "app", &w->f_app);
    jw_kaddr(&j, "appOwner", &w->f_app_owner);
    jw_khash(&j, "appChecksum", &w->app_checksum);
    jw_kcstr(&j, "appMultiaddr", "/ipfs/QmApp");
    jw_kaddr(&j, "dataset", &w->f_dataset);
    jw_kaddr(&j, "datasetOwner", &w->f_dataset_owner);
    jw_kcstr(&j, "datasetMultiaddr", "/ipfs/QmData");
    jw_khash(&j, "datasetChecksum", &w->dataset_checksum);
    jw_kaddr(&j, "workerpool", &w->f_workerpool);
    jw_kaddr(&j, "requester", &w->f_requester);
    jw_kaddr(&j, "beneficiary", &w->f_beneficiary);
    jw_kaddr(&j, "callback", &w->f_callback);
    jw_khash(&j, "tag", &w->f_tag);
    jw_kcstr(&j, "params", w->f_params);
    jw_ku64(&j, "trust", 1);
    jw_ku64(&j, "botFirst", w->f_bot_first);
    jw_ku64(&j, "botSize", w->f_bot_size);
    jw_ku64(&j, "seconds", 300);
    jw_ku64(&j, "contributionDeadline", w->f_deadline);
    jw_end_obj(&j);
    jw_ku64(&j, "index", w->f_index);
    jw_key(&j, "orders");
    jw_obj(&j);
    jw_key(&j, "app");
    poco_order_json(&j, &w->app_order, false, true);
    jw_key(&j, "dataset");
    if (addr_is_zero(&w->f_dataset))
        jw_null(&j);
    else
        poco_order_json(&j, &w->dataset_order, false, true);
    jw_key(&j, "request");
    poco_order_json(&j, &w->request_order, false, true);
    jw_end_obj(&j);
    jw_key(&j, "presigned");
    jw_obj(&j);
    jw_kbool(&j, "app", w->pre_app);
    jw_kbool(&j, "dataset", w->pre_dataset);
    jw_kbool(&j, "request", w->pre_request);
    jw_end_obj(&j);
    jw_kbool(&j, "groupsChecked", w->groups);
    if (w->f_bulk) {
        jw_key(&j, "bulk");
        jw_raw(&j, slice_str(w->f_bulk));
    }
    if (w->f_former_owner) jw_kaddr(&j, "formerOwner", w->f_former_owner);
    jw_key(&j, "secrets");
    jw_arr(&j);
    for (size_t i = 0; i < w->n_secrets; i++) {
        cleanup_buf struct buf b64 = {0};
        buf_init(&b64, 32768);
        base64_encode(&b64, buf_slice(&w->secret[i].stored));
        jw_obj(&j);
        jw_ku64(&j, "kind", w->secret[i].kind);
        jw_kaddr(&j, "target", &w->secret[i].target);
        jw_kcstr(&j, "name", w->secret[i].name);
        jw_kstr(&j, "stored", buf_slice(&b64));
        jw_end_obj(&j);
    }
    jw_end_arr(&j);
    jw_end_obj(&j);
    OK(buf_status(b, NULL));
}

sr_status world_ask(struct world *w, struct buf *ret_body, struct sr_err *err) {
    cleanup_buf struct buf request = {0}, facts = {0}, rq = {0};
    buf_init(&request, 65536), buf_init(&facts, 1 << 20), buf_init(&rq, VAULT_BODY_MAX);
    world_request(w, &request);
    world_facts(w, &facts);
    vault_release_req_write(&rq, &(struct vault_release_req){.request = buf_slice(&request),
                                                             .facts = buf_slice(&facts),
                                                             .evidence = buf_slice(&w->evidence)});
    return vault_dispatch(w->vault, &w->peer, VAULT_MSG_release, buf_slice(&rq), ret_body, err);
}
