/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v1/tasks/{task}/release: the one way by which secrets leave.
 *
 * In order: the worker's signature, the nonce, the assignment's owner and time, the chain, the
 * vault, the log. Nothing leaves before its row in the log is on disk, in the same transaction that
 * uses the assignment up (writes.c).   SPEC: docs/wire.md, "Secret release"
 */
#include "ipfs/ipfs.h"
#include "sms/sms_int.h"

struct ask {
    struct slice body;
    struct hash task, match_tx;
    struct wire_assignment assignment;
    struct buf evidence;
    struct hash evidence_digest;
    struct sr_signature signature;
    struct sms_facts *facts; /* owned; NULL until the chain was read */
    const char *code;        /* of a refusal */
    char code_room[SMS_CODE_MAX];
    int status;
    int64_t started_us;
    bool known; /* the pool's owner vouches for the request: its refusal is always logged */
};

static void ask_done(struct ask *a) {
    buf_done(&a->evidence);
    sms_facts_free(a->facts);
}

static sr_status refuse(struct ask *a, int status, const char *code, const char *hint,
                        struct sr_err *err, const char *what) {
    a->status = status;
    a->code = code;
    if (hint) sr_hint(err, "%s", hint);
    return sr_fail(err,
                   status == 401   ? SR_E_AUTH
                   : status == 409 ? SR_E_CONFLICT
                                   : SR_E_REFUSED,
                   "%s", what);
}

static sr_status read_ask(struct http_req *rq, struct ask *a, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct slice text;
    if (!hash_parse(http_param(rq, "task"), &a->task))
        return sr_fail(err, SR_E_MALFORMED, "a task is 0x and 64 digits");
    SR_TRY(http_body(rq, &a->body, err));
    SR_TRY(json_parse(a->body, &doc, err));
    const struct json_val *v = json_root(doc);
    if (!wire_assignment_read(json_get(v, "assignment"), &a->assignment))
        return sr_fail(err, SR_E_MALFORMED, "assignment is missing or malformed");
    if (!json_hash(json_get(v, "matchTx"), &a->match_tx)) {
        sr_hint(err, "name the transaction that matched the deal");
        return sr_fail(err, SR_E_MALFORMED, "matchTx is missing or malformed");
    }
    if (!json_str(json_get(v, "signature"), &text) ||
        !hex_decode(text, a->signature.b, sizeof a->signature.b))
        return sr_fail(err, SR_E_MALFORMED, "signature is missing or malformed");
    buf_init(&a->evidence, WIRE_EVIDENCE_MAX);
    if (!json_str(json_get(v, "evidence"), &text) || !base64_decode(text, &a->evidence) ||
        a->evidence.bad != SR_OK || a->evidence.n == 0) {
        BUF_TRY_MEMORY(&a->evidence, err);
        return sr_fail(err, SR_E_MALFORMED, "evidence is missing, malformed or too long");
    }
    a->evidence_digest = sha256(buf_slice(&a->evidence));
    return SR_OK;
}

/* What needs no chain. */
static sr_status check_ask(struct sms *s, struct ask *a, struct sr_err *err) {
    const struct wire_assignment *g = &a->assignment;
    uint64_t now = clock_unix_ms() / 1000;
    struct hash h = wire_release_hash(&a->task, &g->worker, &g->nonce, &a->evidence_digest);
    if (!hash_eq(&g->task, &a->task))
        return refuse(a, 401, "INVALID_AUTHORIZATION", NULL, err,
                      "the assignment is of another task");
    if (eth_message_check(&h, slice_of(a->signature.b, sizeof a->signature.b), &g->worker, NULL) !=
        SR_OK)
        return refuse(a, 401, "INVALID_AUTHORIZATION", NULL, err,
                      "the request is not signed by the assignment's worker");
    if (!nonce_check(&s->nonces, &a->task, &g->nonce, now))
        return refuse(a, 409, "NONCE_UNKNOWN", "the scheduler asks for a new one and assigns again",
                      err, "the nonce is not one of ours for this task, or too old");
    if (g->expires_unix_s <= now || g->expires_unix_s > now + WIRE_ASSIGNMENT_LIFE_S)
        return refuse(a, 409, "ASSIGNMENT_EXPIRED", "the scheduler assigns again", err,
                      "the assignment's time is over");
    return SR_OK;
}

/* What the chain says about it. */
static sr_status check_facts(struct ask *a, struct sr_err *err) {
    const struct sms_facts *f = a->facts;
    struct hash h = wire_assignment_hash(&a->assignment);
    struct slice sig = slice_of(a->assignment.signature.b, sizeof a->assignment.signature.b);
    if (eth_message_check(&h, sig, &f->deal.workerpool.owner, NULL) != SR_OK)
        return refuse(a, 401, "EXECUTION_NOT_AUTHORIZED_INVALID_SIGNATURE", NULL, err,
                      "the assignment is not signed by the workerpool's owner");
    a->known = true;
    if (f->status != POCO_TASK_UNSET && f->status != POCO_TASK_ACTIVE)
        return refuse(a, 409, "TASK_NOT_ACTIVE", NULL, err, "the task is over");
    if (f->contribution_deadline <= f->chain_now_s || f->contribution_deadline <= f->now_s)
        return refuse(a, 409, "DEADLINE_PASSED", NULL, err,
                      "the task's contribution deadline has passed");
    if (!tag_is_tee(&f->deal.tag))
        return refuse(a, 403, "EXECUTION_NOT_AUTHORIZED_NO_MATCH_ONCHAIN_TYPE",
                      "orders need the tag tee", err, "the deal is not for an enclave");
    if (!addr_eq(&f->app_owner, &f->deal.app.owner) ||
        (f->has_dataset && !addr_eq(&f->dataset_owner, &f->deal.dataset.owner)))
        return refuse(a, 403, "OWNER_CHANGED", "match the orders again with the new owner's", err,
                      "the app or the data set has another owner since the deal");
    if (f->restricted)
        return refuse(a, 403, f->restricted, "ask the owner of the order to add the account again",
                      err, "an order is for a group to which the deal belongs no more");
    if (f->dataset_revoked)
        return refuse(a, 403, "DATASET_ORDER_REVOKED", "ask the data owner for a new grant", err,
                      "the data owner has revoked the grant of this deal");
    return SR_OK;
}

/* Not a refusal: the same request may succeed in a moment. */
static sr_status unavailable(struct ask *a, const char *code, const struct sr_err *e,
                             struct sr_err *err) {
    a->status = 503;
    a->code = code;
    *err = *e;
    return SR_E_UNAVAILABLE;
}

/* "CODE: text" of the vault; code into room. */
static bool split_code(const char *what, char *room, size_t room_n, const char **ret_text) {
    size_t n = 0;
    while ((what[n] >= 'A' && what[n] <= 'Z') || what[n] == '_') n++;
    if (n == 0 || n >= room_n || what[n] != ':' || what[n + 1] != ' ') return false;
    memcpy(room, what, n);
    room[n] = 0;
    *ret_text = what + n + 2;
    return true;
}

static sr_status vault_refused(struct ask *a, sr_status st, const struct sr_err *e,
                               struct sr_err *err) {
    const char *text = e->what;
    const char *hint = e->hint[0] ? e->hint : NULL;
    bool coded = split_code(e->what, a->code_room, sizeof a->code_room, &text);
    switch (st) {
    case SR_E_UNAVAILABLE:
    case SR_E_TIMEOUT: return unavailable(a, coded ? a->code_room : "VAULT_LOCKED", e, err);
    case SR_E_AUTH:
    case SR_E_REFUSED:
    case SR_E_CRYPTO:
    case SR_E_MALFORMED: break;
    default: *err = *e; return st;
    }
    const char *code = coded               ? a->code_room
                       : st == SR_E_CRYPTO ? "EVIDENCE_REFUSED"
                                           : "VAULT_REFUSED";
    return refuse(a, strcmp(code, "ASSIGNMENT_USED") == 0 ? 409 : 403, code, hint, err, text);
}

static void row_of(const struct ask *a, bool released, uint8_t verdict, struct log_row *row) {
    *row = (struct log_row){.task = a->task,
                            .worker = a->assignment.worker,
                            .released = released,
                            .code = released ? "" : a->code,
                            .evidence_digest = a->evidence_digest,
                            .verdict = verdict};
    if (!a->facts) return;
    row->deal = a->facts->deal_id;
    if (a->facts->has_dataset) row->dataset = a->facts->deal.dataset.pointer;
}

/* A row for each data set of a bulk: its owner finds what became of it. */
static void bulk_rows(const struct ask *a, uint8_t verdict, struct log_row *rows) {
    for (size_t i = 0; i < a->facts->n_bulk; i++) {
        const struct bulk_item *b = &a->facts->bulk[i];
        row_of(a, true, verdict, &rows[i]);
        rows[i].dataset = b->address;
        if (b->outcome) {
            rows[i].released = false;
            rows[i].code = b->outcome;
            rows[i].verdict = 0;
        }
    }
}

/* Uses the assignment and writes the rows, or neither; on disk when it returns. */
static sr_status commit_release(struct sms *s, struct ask *a, const struct vault_released *v,
                                struct sr_err *err) {
    size_t n = 1 + a->facts->n_bulk;
    cleanup_free struct log_row *rows = sr_calloc_n(n, sizeof *rows);
    bool was_used = false;
    if (!rows) return sr_fail(err, SR_E_NOMEM, "no memory for rows of the release log");
    row_of(a, true, (uint8_t)v->verdict, &rows[0]);
    bulk_rows(a, (uint8_t)v->verdict, rows + 1);
    const struct sms_entry e = {.rows = rows,
                                .n = n,
                                .nonce = &a->assignment.nonce,
                                .request = a->body,
                                .token = buf_slice(&v->token)};
    SR_TRY(sms_log(s, &e, &was_used, err));
    if (was_used)
        return refuse(a, 409, "ASSIGNMENT_USED", "the scheduler assigns again", err,
                      "this assignment was used before");
    return SR_OK;
}

static bool allowed(struct allowance *a, uint64_t burst, uint64_t each_ms) {
    uint64_t now = clock_unix_ms(), more = now > a->at_ms ? (now - a->at_ms) / each_ms : 0;
    if (more > 0) {
        a->left = more < burst - a->left ? a->left + more : burst;
        a->at_ms = now;
    }
    if (a->left == 0) return false;
    a->left--;
    return true;
}

/* Anybody can make us refuse as often as he likes; nobody may fill the log with it. */
static bool may_log(struct sms *s, const struct ask *a) {
    bool ok = a->known ? allowed(&s->known, SMS_KNOWN_BURST, SMS_KNOWN_MS)
                       : allowed(&s->noise, SMS_NOISE_BURST, SMS_NOISE_MS);
    if (!ok) s->not_logged++;
    return ok;
}

static sr_status log_refusal(struct sms *s, const struct ask *a, struct sr_err *err) {
    struct log_row row;
    bool was_used;
    if (!may_log(s, a)) return SR_OK;
    row_of(a, false, 0, &row);
    return sms_log(s, &(struct sms_entry){.rows = &row, .n = 1}, &was_used, err);
}

/* What the worker must fetch for a bulk task, in the envelope's order, and what became of the rest.
 */
static sr_status bulk_answer(struct jw *w, const struct sms_facts *f, struct sr_err *err) {
    if (!f->is_bulk) return SR_OK;
    jw_key(w, "datasets");
    jw_arr(w);
    for (size_t i = 0; i < f->n_bulk; i++) {
        const struct bulk_item *b = &f->bulk[i];
        cleanup_buf struct buf text = {0};
        jw_obj(w);
        jw_kaddr(w, "address", &b->address);
        jw_kcstr(w, "outcome", b->outcome ? b->outcome : "");
        if (!b->outcome) {
            buf_init(&text, 8u * MULTIADDR_MAX);
            SR_TRY(multiaddr_text(b->dataset.multiaddr, &text, err));
            jw_kstr(w, "url", buf_slice(&text));
            jw_khash(w, "checksum", &b->dataset.checksum);
        }
        jw_end_obj(w);
    }
    jw_end_arr(w);
    return SR_OK;
}

static sr_status send_released(struct http_req *rq, const struct vault_released *v,
                               const struct sms_facts *f, struct sr_err *err) {
    cleanup_buf struct buf text = {0}, out = {0};
    buf_init(&text, 2u * WIRE_ENVELOPE_MAX);
    buf_init(&out, 4u * WIRE_ENVELOPE_MAX);
    base64_encode(&text, buf_slice(&v->envelope));
    SR_TRY(buf_status(&text, err));
    struct jw w = jw_of(&out);
    jw_obj(&w);
    jw_khex(&w, "token", buf_slice(&v->token));
    jw_kstr(&w, "envelope", buf_slice(&text));
    jw_khex(&w, "envelopeSignature",
            slice_of(v->envelope_signature.b, sizeof v->envelope_signature.b));
    jw_kcstr(&w, "label", wire_verdict_label(v->verdict));
    SR_TRY(bulk_answer(&w, f, err));
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &out, err);
}

static bool was_used(struct sms *s, const struct ask *a) {
    uint64_t n = 0;
    return db_get_u64(s->db, "SELECT count(*) FROM used WHERE task = $1 AND nonce = $2",
                      DB_ARGS(db_hash(&a->task), db_hash(&a->assignment.nonce)), &n,
                      NULL) == SR_OK &&
           n > 0;
}

static sr_status release(struct http_req *rq, struct sms *s, struct ask *a, struct sr_err *err) {
    cleanup_buf struct buf facts = {0};
    struct vault_released v = {0};
    struct sr_err e = {0};
    SR_TRY(read_ask(rq, a, err));
    SR_TRY(check_ask(s, a, err));
    if (was_used(s, a)) /* the transaction decides; this spares chain and vault */
        return refuse(a, 409, "ASSIGNMENT_USED", "the scheduler assigns again", err,
                      "this assignment was used before");
    const char *code = NULL;
    sr_status st = sms_chain_facts(s->chain, &a->task, &a->match_tx, &a->facts, &code, &e);
    if (st == SR_E_NOTFOUND && code)
        return refuse(a, 403, code, e.hint[0] ? e.hint : NULL, err, e.what);
    if (st != SR_OK) return unavailable(a, "CHAIN_UNAVAILABLE", &e, err);
    SR_TRY(check_facts(a, err));
    buf_init(&facts, 512u * 1024);
    code = NULL;
    st = sms_facts_json(s, a->facts, &facts, &code, &e);
    if (st == SR_E_REFUSED && code)
        return refuse(a, 403, code, e.hint[0] ? e.hint : NULL, err, e.what);
    if (st == SR_E_CHAIN || st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT)
        return unavailable(a, "CHAIN_UNAVAILABLE", &e, err);
    if (st != SR_OK) {
        *err = e;
        return st;
    }
    st = vault_release(s->vault, a->body, buf_slice(&facts), buf_slice(&a->evidence), &v, &e);
    if (st != SR_OK) return vault_refused(a, st, &e, err);
    st = commit_release(s, a, &v, err);
    if (st == SR_OK) {
        log_info("secrets_released", "task=%s worker=%s label=%s dur_us=%lld",
                 hash_text(&a->task).s, addr_text(&a->assignment.worker).s,
                 wire_verdict_label(v.verdict), (long long)(clock_mono_us() - a->started_us));
        st = send_released(rq, &v, a->facts, err);
    }
    vault_released_done(&v);
    return st;
}

static sr_status send_refusal(struct http_req *rq, const struct ask *a, const struct sr_err *e,
                              struct sr_err *err) {
    cleanup_buf struct buf out = {0};
    buf_init(&out, 4096);
    struct jw w = jw_of(&out);
    jw_obj(&w);
    jw_kcstr(&w, "error", e->what);
    jw_kcstr(&w, "code", a->code);
    jw_kcstr(&w, "hint", e->hint);
    jw_end_obj(&w);
    return http_reply_json(rq, a->status, &out, err);
}

sr_status sms_release(struct http_req *rq, void *role, struct sr_err *err) {
    struct sms *s = role;
    struct ask a = {.started_us = clock_mono_us()};
    struct sr_err e = {0};
    sr_status st = release(rq, s, &a, &e);
    if (st != SR_OK && a.code) {
        log_info("release_refused", "task=%s worker=%s code=%s", hash_text(&a.task).s,
                 addr_text(&a.assignment.worker).s, a.code);
        st = a.status == 503 ? SR_OK : log_refusal(s, &a, err); /* no row, no answer */
        if (st == SR_OK) st = send_refusal(rq, &a, &e, err);
    } else if (st != SR_OK) {
        *err = e;
    }
    ask_done(&a);
    return st;
}

sr_status sms_nonce(struct http_req *rq, void *role, struct sr_err *err) {
    struct sms *s = role;
    struct slice body;
    struct hash task, nonce;
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf out = {0};
    uint64_t now = clock_unix_ms() / 1000;
    SR_TRY(http_body(rq, &body, err));
    SR_TRY(json_parse(body, &doc, err));
    if (!json_hash(json_get(json_root(doc), "task"), &task))
        return sr_fail(err, SR_E_MALFORMED, "task is missing or malformed");
    SR_TRY(nonce_make(&s->nonces, &task, now, &nonce, err));
    buf_init(&out, 256);
    struct jw w = jw_of(&out);
    jw_obj(&w);
    jw_khash(&w, "nonce", &nonce);
    jw_ku64(&w, "expires", now + WIRE_NONCE_LIFE_S);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &out, err);
}
