/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/vault_client.h"

#include "net/net.h"
#include "wire/vault_wire.h"
#include <stdlib.h>

#define CALL_TIMEOUT_MS 15000

/* A call that waits for its reply. Lives on its fiber's stack, linked while it waits. */
struct pending {
    struct pending *next;
    uint32_t id;
    bool done;
    struct vault_frame head;
    struct buf body;
    struct fcond answered;
};

/* One connection: shared by the client and the fiber that reads from it. */
struct link {
    struct stream *s;
    unsigned refs;
    bool dead;
    uint32_t next_id;
    struct pending *waiting;
};

struct vault_client {
    char *path;
    struct link *link;
    struct fmutex dialling;
    struct vault_identity identity;
};

static void link_drop(struct link *l) {
    if (--l->refs > 0) return;
    stream_close(l->s);
    free(l);
}

static void link_kill(struct link *l) {
    l->dead = true;
    stream_shutdown(l->s);
    for (struct pending *p = l->waiting; p; p = p->next) fcond_wake(&p->answered);
}

static sr_status read_frame(struct link *l, struct sr_err *err) {
    uint8_t head[VAULT_FRAME_HEAD];
    struct vault_frame f;
    SR_TRY(stream_read_full(l->s, head, sizeof head, 0, err));
    if (!vault_frame_read(head, &f)) return sr_fail(err, SR_E_MALFORMED, "a frame of the vault");
    cleanup_buf struct buf body = {0};
    buf_init(&body, VAULT_BODY_MAX);
    if (f.length > 0) {
        uint8_t *p = buf_grow(&body, f.length);
        if (!p) return buf_status(&body, err);
        SR_TRY(stream_read_full(l->s, p, f.length, CALL_TIMEOUT_MS, err));
    }
    for (struct pending *p = l->waiting; p; p = p->next) {
        if (p->id != f.id || p->done) continue;
        buf_done(&p->body);
        p->body = body;
        body = (struct buf){0};
        p->head = f;
        p->done = true;
        fcond_wake(&p->answered);
        break;
    }
    return SR_OK; /* nobody waits for it any more: dropped */
}

static void reader(void *arg) {
    struct link *l = arg;
    while (!l->dead && read_frame(l, NULL) == SR_OK) {
    }
    link_kill(l);
    link_drop(l);
}

static void forget(struct link *l, const struct pending *gone) {
    for (struct pending **at = &l->waiting; *at; at = &(*at)->next) {
        if (*at == gone) {
            *at = gone->next;
            return;
        }
    }
}

static sr_status went_away(struct sr_err *err) {
    sr_status st = sr_fail(err, SR_E_UNAVAILABLE, "the vault went away");
    sr_hint(err, "the call can be repeated once the vault is back");
    return st;
}

/* Sends one request over l and waits for its reply; ret_body is owned. *ret_unsent: the connection
 * had ended before, so the vault has not seen the request. */
static sr_status exchange(struct link *l, uint16_t type, struct slice body, struct buf *ret_body,
                          bool *ret_unsent, struct sr_err *err) {
    struct pending p = {.id = ++l->next_id};
    cleanup_buf_wipe struct buf frame = {0}; /* secrets pass through here */
    uint8_t head[VAULT_FRAME_HEAD];
    if (body.n > VAULT_BODY_MAX)
        return sr_fail(err, SR_E_TOOBIG, "a message of %zu bytes for the vault", body.n);
    buf_init(&frame, VAULT_FRAME_HEAD + VAULT_BODY_MAX);
    vault_frame_write(head,
                      &(struct vault_frame){.type = type, .id = p.id, .length = (uint32_t)body.n});
    if (buf_reserve(&frame, sizeof head + body.n)) { /* one piece: no copies left behind */
        buf_put(&frame, head, sizeof head);
        buf_add(&frame, body);
    }
    SR_TRY(buf_status(&frame, err));

    l->refs++;
    p.next = l->waiting;
    l->waiting = &p;
    sr_status st = stream_write(l->s, buf_slice(&frame), NULL);
    *ret_unsent = st != SR_OK;
    if (st != SR_OK) {
        link_kill(l);
        st = went_away(err);
    }
    while (st == SR_OK && !p.done && !l->dead) {
        st = fcond_wait(&p.answered, CALL_TIMEOUT_MS, err);
        if (st == SR_E_TIMEOUT) link_kill(l); /* a vault that hangs is dialled anew */
    }
    forget(l, &p);
    if (st == SR_OK && !p.done) st = went_away(err);
    if (st == SR_OK && p.head.type == (type | VAULT_FAILURE)) {
        st = vault_failure_read(buf_slice(&p.body), err);
    } else if (st == SR_OK && p.head.type != type + VAULT_REPLY) {
        link_kill(l);
        st = sr_fail(err, SR_E_MALFORMED, "the vault answered something else");
    }
    if (st == SR_OK) {
        *ret_body = p.body;
        p.body = (struct buf){0};
    }
    buf_done(&p.body);
    link_drop(l);
    return st;
}

static sr_status greet(struct vault_client *v, struct link *l, struct sr_err *err) {
    cleanup_buf struct buf rq = {0}, rp = {0};
    struct vault_hello_rep hello;
    buf_init(&rq, 64);
    vault_hello_req_write(&rq, &(struct vault_hello_req){.version = VAULT_VERSION});
    bool unsent;
    SR_TRY(exchange(l, VAULT_MSG_hello, buf_slice(&rq), &rp, &unsent, err));
    if (!vault_hello_rep_read(buf_slice(&rp), &hello) || hello.version != VAULT_VERSION)
        return sr_fail(err, SR_E_MALFORMED, "a vault of another version at %s", v->path);
    v->identity.wallet = hello.wallet;
    memcpy(v->identity.sealing_key, hello.sealing_key.b, 32);
    return SR_OK;
}

static sr_status dial(struct vault_client *v, struct sr_err *err) {
    struct link *l = sr_calloc_n(1, sizeof *l);
    if (!l) return sr_fail(err, SR_E_NOMEM, "out of memory");
    sr_status st = stream_connect_unix(v->path, &l->s, err);
    if (st != SR_OK) {
        free(l);
        sr_hint(err, "is the vault of this role running? it listens at %s", v->path);
        return st;
    }
    l->refs = 2;
    st = fiber_start(reader, l, err);
    if (st != SR_OK) {
        l->refs = 1;
        link_drop(l);
        return st;
    }
    st = greet(v, l, err);
    if (st != SR_OK) {
        link_kill(l);
        link_drop(l);
        return st;
    }
    v->link = l;
    return SR_OK;
}

static sr_status connected(struct vault_client *v, struct sr_err *err) {
    if (v->link && !v->link->dead) return SR_OK;
    SR_TRY(fmutex_lock(&v->dialling, err));
    sr_status st = SR_OK;
    if (v->link && v->link->dead) {
        link_drop(v->link);
        v->link = NULL;
    }
    if (!v->link) st = dial(v, err);
    fmutex_unlock(&v->dialling);
    return st;
}

static sr_status call(struct vault_client *v, uint16_t type, struct buf *request,
                      struct buf *ret_body, struct sr_err *err) {
    SR_TRY(buf_status(request, err));
    /* A vault that was started anew since the last call: dialled again, once. */
    for (unsigned attempt = 0;; attempt++) {
        struct sr_err e = {0};
        bool unsent = false;
        SR_TRY(connected(v, err));
        sr_status st = exchange(v->link, type, buf_slice(request), ret_body, &unsent, &e);
        if (st == SR_OK) return SR_OK;
        if (unsent && attempt == 0) continue;
        if (err && err->code == SR_OK) *err = e;
        return st;
    }
}

sr_status vault_client_new(const char *socket_path, struct vault_client **ret, struct sr_err *err) {
    struct vault_client *v = sr_calloc_n(1, sizeof *v);
    if (!v || !(v->path = slice_dup(slice_str(socket_path)))) {
        free(v);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    *ret = v;
    return SR_OK;
}

void vault_client_free(struct vault_client *v) {
    if (!v) return;
    if (v->link) {
        link_kill(v->link);
        link_drop(v->link);
    }
    free(v->path);
    free(v);
}

sr_status vault_hello(struct vault_client *v, struct vault_identity *ret, struct sr_err *err) {
    SR_TRY(connected(v, err));
    *ret = v->identity;
    return SR_OK;
}

/* Writes the request, calls, reads the reply; rp_bytes keeps what the reply borrows. */
#define CALL(name, rp, ...)                                                                        \
    cleanup_buf_wipe struct buf rq_bytes = {0};                                                    \
    cleanup_buf struct buf rp_bytes = {0};                                                         \
    struct vault_##name##_rep rp;                                                                  \
    buf_init(&rq_bytes, VAULT_BODY_MAX);                                                           \
    vault_##name##_req_write(&rq_bytes, &(struct vault_##name##_req){__VA_ARGS__});                \
    SR_TRY(call(v, VAULT_MSG_##name, &rq_bytes, &rp_bytes, err));                                  \
    if (!vault_##name##_rep_read(buf_slice(&rp_bytes), &rp))                                       \
    return sr_fail(err, SR_E_MALFORMED, "the vault's answer to " #name " is malformed")

sr_status vault_secret_seal(struct vault_client *v, const struct vault_secret *s,
                            struct buf *ret_stored, struct sr_err *err) {
    CALL(secret_seal, rp, .kind = (uint8_t)s->kind, .target = s->target, .signer = s->signer,
         .name = s->name, .sealed = s->is_sealed ? 1 : 0, .secret = s->secret,
         .signature = s->signature, .by_contract = s->by_contract ? 1 : 0, .origin = s->origin);
    buf_add(ret_stored, rp.stored);
    return buf_status(ret_stored, err);
}

sr_status vault_release(struct vault_client *v, struct slice request_json, struct slice facts_json,
                        struct slice evidence, struct vault_released *ret, struct sr_err *err) {
    CALL(release, rp, .request = request_json, .facts = facts_json, .evidence = evidence);
    struct vault_released r = {.envelope_signature = rp.envelope_signature};
    for (int k = WIRE_SIMULATED; k <= WIRE_SNP; k++)
        if (slice_is(rp.label, wire_verdict_label((wire_verdict)k))) r.verdict = (wire_verdict)k;
    if (r.verdict == 0) return sr_fail(err, SR_E_MALFORMED, "the vault gave no known verdict");
    buf_init(&r.token, WIRE_TOKEN_BYTES);
    buf_init(&r.envelope, WIRE_ENVELOPE_MAX);
    buf_add(&r.token, rp.token);
    buf_add(&r.envelope, rp.envelope);
    sr_status st = buf_status(&r.token, err);
    if (st == SR_OK) st = buf_status(&r.envelope, err);
    if (st == SR_OK)
        *ret = r;
    else
        vault_released_done(&r);
    return st;
}

void vault_released_done(struct vault_released *r) {
    buf_done(&r->token);
    buf_done(&r->envelope);
}

sr_status vault_key_proof(struct vault_client *v, struct sr_signature *ret, struct sr_err *err) {
    cleanup_buf struct buf rq = {0}, rp_bytes = {0};
    struct vault_key_proof_rep rp;
    buf_init(&rq, 16);
    SR_TRY(call(v, VAULT_MSG_key_proof, &rq, &rp_bytes, err));
    if (!vault_key_proof_rep_read(buf_slice(&rp_bytes), &rp))
        return sr_fail(err, SR_E_MALFORMED, "the vault's answer to key_proof is malformed");
    *ret = rp.signature;
    return SR_OK;
}

sr_status vault_sign_assignment(struct vault_client *v, struct wire_assignment *a,
                                struct sr_err *err) {
    CALL(sign_assignment, rp, .task = a->task, .worker = a->worker, .nonce = a->nonce,
         .expires = a->expires_unix_s);
    a->signature = rp.signature;
    return SR_OK;
}

sr_status vault_sign_authorisation(struct vault_client *v, const struct hash *task,
                                   const struct addr *worker, const struct addr *challenge,
                                   struct slice token, struct sr_signature *ret,
                                   struct sr_err *err) {
    CALL(sign_authorisation, rp, .task = *task, .worker = *worker, .challenge = *challenge,
         .token = token);
    *ret = rp.signature;
    return SR_OK;
}

sr_status vault_sign_order(struct vault_client *v, struct slice order_json,
                           struct sr_signature *ret, struct sr_err *err) {
    CALL(sign_order, rp, .order = order_json);
    *ret = rp.signature;
    return SR_OK;
}

sr_status vault_sign_market(struct vault_client *v, struct slice domain_name,
                            struct slice domain_version, struct slice challenge,
                            struct sr_signature *ret, struct sr_err *err) {
    CALL(sign_market, rp, .domain_name = domain_name, .domain_version = domain_version,
         .challenge = challenge);
    *ret = rp.signature;
    return SR_OK;
}

sr_status vault_sign_login(struct vault_client *v, const struct hash *nonce,
                           const struct addr *workerpool, struct sr_signature *ret,
                           struct sr_err *err) {
    CALL(sign_login, rp, .nonce = *nonce, .workerpool = *workerpool);
    *ret = rp.signature;
    return SR_OK;
}

sr_status vault_sign_release(struct vault_client *v, const struct hash *task,
                             const struct hash *nonce, const struct hash *evidence_digest,
                             struct sr_signature *ret, struct sr_err *err) {
    CALL(sign_release, rp, .task = *task, .nonce = *nonce, .evidence_digest = *evidence_digest);
    *ret = rp.signature;
    return SR_OK;
}

sr_status vault_sign_tx(struct vault_client *v, struct slice payload, struct sr_signature *ret,
                        struct sr_err *err) {
    CALL(sign_tx, rp, .payload = payload);
    *ret = rp.signature;
    return SR_OK;
}

/* ---- as a signer of transactions ---- */

static sr_status sign_tx_of(void *ctx, const struct eth_tx *tx, struct sr_signature *ret_sig,
                            struct sr_err *err) {
    cleanup_buf struct buf payload = {0};
    buf_init(&payload, VAULT_BODY_MAX);
    SR_TRY(vault_tx_payload(tx, &payload, err));
    return vault_sign_tx(ctx, buf_slice(&payload), ret_sig, err);
}

sr_status vault_tx_payload(const struct eth_tx *tx, struct buf *ret, struct sr_err *err) {
    cleanup_buf struct buf items = {0};
    if (tx->type != TX_1559 || tx->creates || tx->access_list.n > 0)
        return sr_fail(err, SR_E_REFUSED, "the vault signs plain EIP-1559 calls only");
    buf_init(&items, VAULT_BODY_MAX);
    rlp_u64(&items, tx->chain_id);
    rlp_u64(&items, tx->nonce);
    rlp_u256(&items, tx->max_tip);
    rlp_u256(&items, tx->max_fee);
    rlp_u64(&items, tx->gas_limit);
    rlp_bytes(&items, slice_of(tx->to.b, 20));
    rlp_u256(&items, tx->value);
    rlp_bytes(&items, tx->data);
    rlp_list(&items, slice_of(NULL, 0));
    SR_TRY(buf_status(&items, err));
    buf_u8(ret, 0x02);
    rlp_list(ret, buf_slice(&items));
    return buf_status(ret, err);
}

sr_status vault_signer(struct vault_client *v, struct eth_signer *ret, struct sr_err *err) {
    struct vault_identity id;
    SR_TRY(vault_hello(v, &id, err));
    *ret = (struct eth_signer){.addr = id.wallet, .ctx = v, .sign_tx = sign_tx_of};
    return SR_OK;
}
