/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evidence of one task, gathered into a bundle: the chain has the orders and the result, the
 * secret service the assignment, the room's evidence, the token and its log's row. Nothing of it is
 * believed: a bundle that does not verify is not written.
 */
#include "audit/audit.h"
#include "eth/tx.h"
#include "sdk/sdk_int.h"
#include <unistd.h>

#define RAW_MAX    (TX_MAX_DATA + 4096)
#define LOG_BLOCKS 10000u /* of one question to the node */
#define POLICY_MAX 65536u

struct bundle_args {
    struct sr_client *c;
    const char *task, *policy_file, *file;
    struct sr_bundle *ret;
};

struct gathering {
    struct sr_client *c;
    struct hash task, match_tx, settle_tx;
    struct json *record, *trust; /* of the secret service */
    struct buf match_raw, settle_raw, evidence, token, policy;
    struct poco_deal deal;
    struct poco_task view;
    struct poco_order order[POCO_KINDS];
    struct audit_parts p;
};

static void gathering_done(struct gathering *g) {
    json_free(g->record), json_free(g->trust);
    buf_done(&g->match_raw), buf_done(&g->settle_raw), buf_done(&g->evidence);
    buf_done(&g->token), buf_done(&g->policy);
    poco_deal_done(&g->deal), poco_task_done(&g->view);
}

static sr_status malformed(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_MALFORMED, "the secret service's answer: %s", what);
}

/* ---- the secret service -------------------------------------------------------------------------
 */

static sr_status ask_sms(struct gathering *g, const char *path, struct json **ret,
                         struct sr_err *err) {
    cleanup_buf struct buf url = {0};
    buf_init(&url, SDK_URL_MAX * 2);
    buf_printf(&url, "%s%s", g->c->net.sms, path);
    SR_TRY(buf_status(&url, err));
    return http_json("GET", buf_cstr(&url), (struct slice){NULL, 0}, ret, err);
}

static bool read_release(const struct json_val *v, struct audit_release *r) {
    return json_u64(json_get(v, "n"), &r->n) && json_u64(json_get(v, "time"), &r->time_ms) &&
           json_addr(json_get(v, "dataset"), &r->dataset) &&
           json_hash(json_get(v, "previous"), &r->previous) &&
           json_hash(json_get(v, "hash"), &r->hash);
}

static bool fixed_hex(const struct json_val *v, const char *key, uint8_t *dst, size_t n) {
    struct slice s;
    return json_str(json_get(v, key), &s) && s.n == 2 + 2 * n && hex_decode(s, dst, n);
}

static sr_status read_request(struct gathering *g, const struct json_val *v, struct sr_err *err) {
    struct audit_parts *p = &g->p;
    struct wire_binding *b = &p->binding;
    struct slice text;
    if (!wire_assignment_read(json_get(v, "assignment"), &p->assignment))
        return malformed(err, "assignment");
    if (!fixed_hex(v, "sealingKey", b->sealing_key, sizeof b->sealing_key) ||
        !fixed_hex(v, "challengePublic", b->challenge_public, sizeof b->challenge_public))
        return malformed(err, "the room's keys");
    if (!json_hash(json_get(v, "matchTx"), &g->match_tx)) return malformed(err, "matchTx");
    if (!json_str(json_get(v, "evidence"), &text) || !base64_decode(text, &g->evidence)) {
        BUF_TRY_MEMORY(&g->evidence, err);
        return malformed(err, "evidence");
    }
    SR_TRY(buf_status(&g->evidence, err));
    p->evidence = buf_slice(&g->evidence);
    b->task = g->task;
    b->nonce = p->assignment.nonce;
    b->worker = p->assignment.worker;
    b->sms_identity = g->c->net.sms_identity;
    return SR_OK;
}

static sr_status read_record(struct gathering *g, struct sr_err *err) {
    cleanup_buf struct buf path = {0};
    struct slice token;
    buf_init(&path, 256);
    buf_printf(&path, "/v1/tasks/%s/record", hash_text(&g->task).s);
    SR_TRY(buf_status(&path, err));
    sr_status st = ask_sms(g, buf_cstr(&path), &g->record, err);
    if (st == SR_E_NOTFOUND)
        sr_hint(err, "it keeps the newest ones only; a task that never got its secrets has none");
    SR_TRY(st);
    const struct json_val *v = json_root(g->record);
    if (!json_str(json_get(v, "token"), &token) || !hex_decode_buf(token, &g->token)) {
        BUF_TRY_MEMORY(&g->token, err);
        return malformed(err, "token");
    }
    g->p.token = buf_slice(&g->token);
    if (!read_release(json_get(v, "release"), &g->p.release)) return malformed(err, "release");
    return read_request(g, json_get(v, "request"), err);
}

/* Which of the rooms that the service releases to is the evidence of? */
static sr_status find_room(struct gathering *g, const struct json_val *rooms, struct sr_err *err) {
    struct tee_trust *t = NULL;
    struct tee_verdict v;
    struct tee_policy policy = {.n_mrtd = 1};
    struct sr_err why = {0};
    sr_status st = SR_E_NOTFOUND;
    SR_TRY(tee_trust_new(g->p.authority, g->c->net.simulated, &t, err));
    for (size_t i = 0; st != SR_OK && i < json_len(rooms); i++) {
        if (!json_hash(json_at(rooms, i), &g->p.room_sha256)) continue;
        wire_simulated_mrtd(&g->p.room_sha256, policy.mrtd[0]);
        st = tee_verify(t, &policy, g->p.evidence, g->p.release.time_ms / 1000, &v, &why);
    }
    tee_trust_free(t);
    if (st == SR_OK) return SR_OK;
    sr_hint(err, "a network started with another build has other rooms");
    return sr_fail(err, SR_E_NOTFOUND, "the evidence is of none of the service's %zu rooms%s%.120s",
                   json_len(rooms), why.what[0] ? ": " : "", why.what);
}

static sr_status read_trust(struct gathering *g, struct sr_err *err) {
    SR_TRY(ask_sms(g, "/v1/attestation", &g->trust, err));
    const struct json_val *v = json_root(g->trust), *authority = json_get(v, "authority");
    if (!json_is(authority, JSON_OBJECT)) return malformed(err, "authority");
    g->p.authority = json_raw(authority);
    return find_room(g, json_get(v, "rooms"), err);
}

/* Exactly this room, and what is simulated is named: on a network that is. */
static sr_status make_policy(struct gathering *g, const char *file, struct sr_err *err) {
    uint8_t mrtd[48];
    if (file) {
        SR_TRY(fs_read(file, &g->policy, err));
    } else {
        wire_simulated_mrtd(&g->p.room_sha256, mrtd);
        struct jw w = jw_of(&g->policy);
        char hex[97] = {0};
        hex_encode(hex, mrtd, sizeof mrtd);
        jw_obj(&w);
        jw_key(&w, "providers");
        jw_arr(&w);
        jw_cstr(&w, g->c->net.simulated ? "SIMULATED" : "tdx");
        jw_end_arr(&w);
        jw_key(&w, "measurements");
        jw_arr(&w);
        jw_obj(&w);
        jw_kcstr(&w, "mrtd", hex);
        jw_end_obj(&w);
        jw_end_arr(&w);
        jw_end_obj(&w);
    }
    SR_TRY(buf_status(&g->policy, err));
    g->p.policy = slice_trim(buf_slice(&g->policy));
    return SR_OK;
}

/* ---- the chain ----------------------------------------------------------------------------------
 */

static sr_status find_settling(struct gathering *g, uint64_t from, struct sr_err *err) {
    const struct hash topic = poco_topic(POCO_EV_TASK_FINALIZE);
    const struct eth_filter f = {.addrs = &g->c->poco.hub,
                                 .n_addrs = 1,
                                 .topics0 = &topic,
                                 .n_topics0 = 1,
                                 .topics1 = &g->task,
                                 .n_topics1 = 1};
    uint64_t head;
    SR_TRY(eth_block_number(g->c->rpc, &head, err));
    for (; from <= head; from += LOG_BLOCKS) {
        cleanup_logs struct eth_logs logs = {0};
        uint64_t to = head - from < LOG_BLOCKS ? head : from + LOG_BLOCKS - 1;
        SR_TRY(eth_get_logs(g->c->rpc, &f, from, to, &logs, err));
        if (logs.n == 0) continue;
        g->settle_tx = logs.v[0].tx;
        return SR_OK;
    }
    return sr_fail(err, SR_E_NOTFOUND, "the chain has no event of the task's end");
}

static sr_status read_orders(struct gathering *g, struct sr_err *err) {
    struct eth_tx tx;
    struct sr_signature sig;
    struct addr from;
    SR_TRY(eth_get_raw_tx(g->c->rpc, &g->match_tx, &g->match_raw, err));
    SR_TRY(tx_decode(buf_slice(&g->match_raw), &tx, &sig, &from, err));
    sr_status st = poco_match_read(tx.data, &g->c->poco.hub, g->order, err);
    if (st == SR_E_NOTFOUND) {
        sr_hint(err, "only the chain can show who agreed to it: strongroom deal show");
        return sr_fail(err, SR_E_REFUSED, "the deal was matched by another contract");
    }
    SR_TRY(st);
    g->p.app = &g->order[POCO_APP];
    g->p.workerpool = &g->order[POCO_WORKERPOOL];
    g->p.request = &g->order[POCO_REQUEST];
    if (!addr_is_zero(&g->order[POCO_DATASET].dataset.dataset))
        g->p.dataset = &g->order[POCO_DATASET];
    return SR_OK;
}

static sr_status read_settling(struct gathering *g, struct sr_err *err) {
    struct eth_tx tx;
    struct sr_signature sig;
    struct addr from;
    poco_call call;
    cleanup_abi struct abi_out out = {0};
    SR_TRY(eth_get_raw_tx(g->c->rpc, &g->settle_tx, &g->settle_raw, err));
    g->p.transaction = buf_slice(&g->settle_raw);
    SR_TRY(tx_decode(g->p.transaction, &tx, &sig, &from, err));
    SR_TRY(poco_call_read(tx.data, &call, &out, err));
    if (call != POCO_CALL_CONTRIBUTE_AND_FINALIZE || out.n != 7 || out.v[5].bytes.n != 65) {
        sr_hint(err, "tasks that several workers compute have no bundle yet");
        return sr_fail(err, SR_E_REFUSED, "the task was not settled by its worker alone");
    }
    memcpy(g->p.enclave_signature.b, out.v[5].bytes.p, 65);
    g->p.result_digest = out.v[1].hash;
    return SR_OK;
}

static sr_status read_chain(struct gathering *g, struct sr_err *err) {
    struct audit_parts *p = &g->p;
    struct poco_app app = {0};
    cleanup_receipt struct eth_receipt matched = {0};
    struct eth_rpc *rpc = g->c->rpc;
    SR_TRY(eth_get_receipt(rpc, &g->match_tx, &matched, err));
    SR_TRY(find_settling(g, matched.block, err));
    SR_TRY(read_orders(g, err));
    SR_TRY(read_settling(g, err));
    SR_TRY(poco_view_app(&g->c->poco, &g->deal.app.pointer, (struct eth_at){0}, &app, err));
    p->binding.app_digest = app.checksum;
    poco_app_done(&app);
    p->chain_id = g->c->net.chain_id;
    p->hub = g->c->poco.hub;
    p->app_owner = g->deal.app.owner;
    p->dataset_owner = g->deal.dataset.owner;
    p->workerpool_owner = g->deal.workerpool.owner;
    if (!u256_to_u64(g->deal.bot_first, &p->bot_first) || !u256_to_u64(g->view.index, &p->index))
        return sr_fail(err, SR_E_CHAIN, "the deal's place in its order");
    return SR_OK;
}

static sr_status read_task(struct gathering *g, struct sr_err *err) {
    const struct poco *poco = &g->c->poco;
    SR_TRY(poco_view_task(poco, &g->task, (struct eth_at){0}, &g->view, err));
    if (g->view.status != POCO_TASK_COMPLETED) {
        sr_hint(err, "strongroom task show %s says how it stands", hash_text(&g->task).s);
        return sr_fail(err, SR_E_REFUSED, "Task is not completed: %s",
                       poco_task_status_word[g->view.status]);
    }
    return poco_view_deal(poco, &g->view.deal, (struct eth_at){0}, &g->deal, err);
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

static sr_status tell(const struct gathering *g, uint64_t bytes, struct sr_bundle *ret,
                      struct sr_err *err) {
    struct wire_token token;
    if (!wire_token_read(g->p.token, &token)) return malformed(err, "token");
    hash_put(ret->task, &g->task);
    hash_put(ret->deal, &g->view.deal);
    hash_put(ret->transaction, &g->settle_tx);
    TEXT_PUT(ret->label, slice_str(wire_verdict_label(token.verdict)));
    ret->bytes = bytes;
    return SR_OK;
}

static sr_status gather(struct gathering *g, const struct bundle_args *a, struct sr_err *err) {
    cleanup_buf struct buf out = {0};
    buf_init(&out, AUDIT_MAX);
    buf_init(&g->match_raw, RAW_MAX);
    buf_init(&g->settle_raw, RAW_MAX);
    buf_init(&g->evidence, WIRE_EVIDENCE_MAX);
    buf_init(&g->token, WIRE_TOKEN_BYTES);
    buf_init(&g->policy, POLICY_MAX);
    SR_TRY(sdk_hash_arg(a->task, "task", &g->task, err));
    SR_TRY(sdk_chain(g->c, err));
    SR_TRY(sdk_service(g->c, g->c->net.sms, "sms", err));
    SR_TRY(read_task(g, err));
    SR_TRY(read_record(g, err));
    SR_TRY(read_trust(g, err));
    SR_TRY(make_policy(g, a->policy_file, err));
    SR_TRY(read_chain(g, err));
    sr_status st = audit_bundle_make(&g->p, &out, err);
    if (st != SR_OK) {
        sr_hint(err, "what the services gave does not fit together: do not rely on this task");
        sr_err_prefix(err, "the evidence does not verify");
        return st;
    }
    if (fs_exists(a->file)) {
        sr_hint(err, "choose another name with -o");
        return sr_fail(err, SR_E_CONFLICT, "%s exists", a->file);
    }
    SR_TRY(fs_write_atomic(a->file, buf_slice(&out), 0644, err));
    return tell(g, out.n, a->ret, err);
}

static sr_status make(void *arg, struct sr_err *err) {
    struct bundle_args *a = arg;
    struct gathering g = {.c = a->c};
    sr_status st = gather(&g, a, err);
    gathering_done(&g);
    return st;
}

sr_status sr_task_bundle(struct sr_client *c, const char *task, const char *policy_file,
                         const char *file, struct sr_bundle *ret_b, struct sr_err *err) {
    struct sr_bundle b = {0};
    struct bundle_args a = {c, task, policy_file, file, &b};
    SR_TRY(sdk_call(c, make, &a, err));
    *ret_b = b;
    return SR_OK;
}
