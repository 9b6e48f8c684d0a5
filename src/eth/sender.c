/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/sender.h"
#include "db/db.h"
#include "eth/heads.h"
#include <stdlib.h>

#define SEND_TRIES    24 /* another process may use the wallet at the same time */
#define WAIT_MS       120000
#define POLL_FIRST_MS 15 /* without a subscription: an eighth of the time waited so far */
#define POLL_MAX_MS   400
#define LIVE_POLL_MS  2000
#define RAW_MAX       (TX_MAX_DATA + 4096)

enum { ROW_PENDING, ROW_OK, ROW_REVERTED };

struct eth_sender {
    struct eth_rpc *rpc;
    const struct eth_signer *signer;
    struct db *db;
    struct eth_heads *heads;
    uint64_t chain_id, stuck_ms, away_ms;
    struct u256 cap;
    uint16_t mark; /* wei added to what we offer: two processes that share a wallet must never make
                      the same bytes, or each would take the other's transaction for its own */
    struct fmutex order; /* nonces are given and sent under it */
    bool have_nonce;
    uint64_t nonce;
    uint64_t seq;
};

static const char *const schema[] = {
    "CREATE TABLE tx (seq BIGINT PRIMARY KEY, intent TEXT UNIQUE, nonce BIGINT NOT NULL,"
    " receiver BYTEA, value BYTEA NOT NULL, data BYTEA NOT NULL, gas BIGINT NOT NULL,"
    " max_fee BYTEA NOT NULL, max_tip BYTEA NOT NULL, raw BYTEA NOT NULL, hash BYTEA NOT NULL,"
    " state BIGINT NOT NULL, block BIGINT NOT NULL, sent_ms BIGINT NOT NULL);"
    "CREATE INDEX tx_state ON tx (state, nonce);"
    "CREATE TABLE tx_hash (hash BYTEA NOT NULL PRIMARY KEY, seq BIGINT NOT NULL);"
    "CREATE INDEX tx_hash_seq ON tx_hash (seq);",
};

sr_status eth_sender_new(const struct eth_sender_opts *o, struct eth_sender **ret,
                         struct sr_err *err) {
    struct eth_sender *s = calloc(1, sizeof *s);
    if (!s) return sr_fail(err, SR_E_NOMEM, "transaction sender");
    s->rpc = o->rpc;
    s->signer = o->signer;
    s->chain_id = o->chain_id;
    s->away_ms = o->away_ms;
    s->stuck_ms = o->stuck_ms ? o->stuck_ms : SENDER_STUCK_MS;
    s->cap = o->max_fee_cap;
    sr_status st = random_bytes(&s->mark, sizeof s->mark, err);
    if (st == SR_OK)
        st = db_open(o->path ? o->path : ":memory:", o->path ? DB_SYNC_EACH : 0, &s->db, err);
    if (st == SR_OK) st = db_migrate(s->db, schema, SR_ARRAY_LEN(schema), err);
    if (st == SR_OK)
        st = db_get_u64(s->db, "SELECT COALESCE(MAX(seq), 0) FROM tx", DB_NO_ARGS, &s->seq, err);
    if (st == SR_OK) st = eth_heads_new(o->ws_url, &s->heads, err);
    if (st != SR_OK) {
        eth_sender_free(s);
        return st;
    }
    *ret = s;
    return SR_OK;
}

void eth_sender_free(struct eth_sender *s) {
    if (!s) return;
    eth_heads_free(s->heads);
    db_close(s->db);
    free(s);
}

/* ---- rows */

struct row {
    uint64_t seq, nonce, gas, block, sent_ms;
    int state;
    bool creates;
    struct addr to;
    struct u256 value, max_fee, max_tip;
    struct hash hash;
    struct buf data, raw; /* owned */
};
static void row_done(struct row *r) {
    buf_done(&r->data);
    buf_done(&r->raw);
}
#define cleanup_row __attribute__((cleanup(row_done)))
static void row_init(struct row *r) {
    memset(r, 0, sizeof *r);
    buf_init(&r->data, TX_MAX_DATA);
    buf_init(&r->raw, RAW_MAX);
}

#define ROW_COLUMNS                                                                                \
    "seq, nonce, receiver, value, data, gas, max_fee, max_tip, raw, hash, state, block, sent_ms"

static sr_status load(struct eth_sender *s, const char *sql, const struct db_val *args, size_t n,
                      struct row *r, struct sr_err *err) {
    cleanup_db_rows struct db_rows *q = NULL;
    SR_TRY(db_select(s->db, sql, args, n, &q, err));
    if (!db_next(q)) {
        SR_TRY(db_end(sr_take_ptr(q), err));
        return sr_fail(err, SR_E_NOTFOUND, "no such transaction of this wallet");
    }
    r->seq = db_col_u64(q, 0);
    r->nonce = db_col_u64(q, 1);
    r->creates = db_col_is_null(q, 2);
    r->to = db_col_addr(q, 2);
    r->value = db_col_u256(q, 3);
    buf_clear(&r->data);
    buf_add(&r->data, db_col_bytes(q, 4));
    r->gas = db_col_u64(q, 5);
    r->max_fee = db_col_u256(q, 6);
    r->max_tip = db_col_u256(q, 7);
    buf_clear(&r->raw);
    buf_add(&r->raw, db_col_bytes(q, 8));
    r->hash = db_col_hash(q, 9);
    r->state = (int)db_col_u64(q, 10);
    r->block = db_col_u64(q, 11);
    r->sent_ms = db_col_u64(q, 12);
    SR_TRY(buf_status(&r->data, err));
    SR_TRY(buf_status(&r->raw, err));
    return db_end(sr_take_ptr(q), err);
}

static sr_status load_seq(struct eth_sender *s, uint64_t seq, struct row *r, struct sr_err *err) {
    return load(s, "SELECT " ROW_COLUMNS " FROM tx WHERE seq = $1", DB_ARGS(db_u64(seq)), r, err);
}

static sr_status load_intent(struct eth_sender *s, const char *intent, struct row *r,
                             struct sr_err *err) {
    return load(s, "SELECT " ROW_COLUMNS " FROM tx WHERE intent = $1", DB_ARGS(db_str(intent)), r,
                err);
}

static sr_status load_hash(struct eth_sender *s, const struct hash *h, struct row *r,
                           struct sr_err *err) {
    return load(
        s, "SELECT " ROW_COLUMNS " FROM tx WHERE seq = (SELECT seq FROM tx_hash WHERE hash = $1)",
        DB_ARGS(db_hash(h)), r, err);
}

/* Signs r as it stands; fills raw and hash. */
static sr_status sign(struct eth_sender *s, struct row *r, struct sr_err *err) {
    if (s->chain_id == 0) SR_TRY(eth_chain_id(s->rpc, &s->chain_id, err));
    const struct eth_tx tx = {.type = TX_1559,
                              .chain_id = s->chain_id,
                              .nonce = r->nonce,
                              .gas_limit = r->gas,
                              .max_fee = r->max_fee,
                              .max_tip = r->max_tip,
                              .creates = r->creates,
                              .to = r->to,
                              .value = r->value,
                              .data = buf_slice(&r->data)};
    struct sr_signature sig;
    SR_TRY(s->signer->sign_tx(s->signer->ctx, &tx, &sig, err));
    buf_clear(&r->raw);
    return tx_encode(&tx, &sig, &r->raw, &r->hash, err);
}

/* Writes what was signed (a new row when intent is given the first time), before it is sent. */
static sr_status save(struct eth_sender *s, const struct row *r, bool is_new, const char *intent,
                      struct sr_err *err) {
    uint8_t value[32], fee[32], tip[32];
    u256_to_be(value, r->value);
    u256_to_be(fee, r->max_fee);
    u256_to_be(tip, r->max_tip);
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(s->db, &tx, err));
    if (is_new)
        SR_TRY(
            db_run(s->db,
                   "INSERT INTO tx (seq, intent, nonce, receiver, value, data, gas, max_fee,"
                   " max_tip, raw, hash, state, block, sent_ms)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, $12)",
                   DB_ARGS(db_u64(r->seq), db_str(intent), db_u64(r->nonce),
                           r->creates ? db_null() : db_addr(&r->to), db_u256(value),
                           db_blob(buf_slice(&r->data)), db_u64(r->gas), db_u256(fee), db_u256(tip),
                           db_blob(buf_slice(&r->raw)), db_hash(&r->hash), db_u64(r->sent_ms)),
                   err));
    else
        SR_TRY(db_run(s->db,
                      "UPDATE tx SET nonce = $2, max_fee = $3, max_tip = $4, raw = $5, hash = $6,"
                      " sent_ms = $7, state = 0, block = 0 WHERE seq = $1",
                      DB_ARGS(db_u64(r->seq), db_u64(r->nonce), db_u256(fee), db_u256(tip),
                              db_blob(buf_slice(&r->raw)), db_hash(&r->hash), db_u64(r->sent_ms)),
                      err));
    SR_TRY(db_run(s->db, "INSERT INTO tx_hash (hash, seq) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                  DB_ARGS(db_hash(&r->hash), db_u64(r->seq)), err));
    return db_commit(&tx, err);
}

/* A row that will never be sent. When even this fails, the row is tried again at the next resume.
 */
static void forget(struct eth_sender *s, uint64_t seq) {
    struct sr_err e = {0};
    if (db_run(s->db, "DELETE FROM tx_hash WHERE seq = $1", DB_ARGS(db_u64(seq)), &e) != SR_OK ||
        db_run(s->db, "DELETE FROM tx WHERE seq = $1", DB_ARGS(db_u64(seq)), &e) != SR_OK)
        log_err(LOG_WARN, "tx_forget", &e);
}

/* The row gets another nonce: until then it must not count among those under way. */
static sr_status free_nonce(struct eth_sender *s, uint64_t seq, struct sr_err *err) {
    s->have_nonce = false;
    return db_run(s->db, "UPDATE tx SET nonce = 0 WHERE seq = $1", DB_ARGS(db_u64(seq)), err);
}

/* ---- fees and nonces */

static sr_status offer(struct eth_sender *s, struct row *r, struct sr_err *err) {
    SR_TRY(eth_fees(s->rpc, &r->max_fee, &r->max_tip, err));
    struct u256 mark = u256_of(s->mark);
    if (!u256_add(&r->max_fee, r->max_fee, mark) || !u256_add(&r->max_tip, r->max_tip, mark))
        return sr_fail(err, SR_E_RANGE, "absurd fees");
    if (!u256_is_zero(s->cap) && u256_cmp(r->max_fee, s->cap) > 0) {
        r->max_fee = s->cap;
        if (u256_cmp(r->max_tip, s->cap) > 0) r->max_tip = s->cap;
    }
    return SR_OK;
}

static bool add_quarter(struct u256 *v) {
    struct u256 more = u256_div_u64(*v, 4, NULL);
    return u256_add(v, *v, more) && u256_add(v, *v, u256_of(1));
}

static sr_status bump(struct eth_sender *s, struct row *r, struct sr_err *err) {
    struct row now = *r;
    if (!add_quarter(&r->max_fee) || !add_quarter(&r->max_tip))
        return sr_fail(err, SR_E_RANGE, "absurd fees");
    SR_TRY(eth_fees(s->rpc, &now.max_fee, &now.max_tip, err));
    if (u256_cmp(now.max_fee, r->max_fee) > 0) r->max_fee = now.max_fee;
    if (u256_cmp(now.max_tip, r->max_tip) > 0) r->max_tip = now.max_tip;
    if (!u256_is_zero(s->cap) && u256_cmp(r->max_fee, s->cap) > 0) {
        sr_status st = sr_fail(err, SR_E_REFUSED, "gas costs more than the configured maximum");
        sr_hint(err, "wait, or raise the maximum fee");
        return st;
    }
    return SR_OK;
}

/* The next free nonce: the chain's, or one more than the last of ours that is under way. */
static sr_status next_nonce(struct eth_sender *s, uint64_t *ret, struct sr_err *err) {
    if (!s->have_nonce) {
        uint64_t chain, ours = 0, n = 0;
        SR_TRY(
            eth_nonce(s->rpc, &s->signer->addr, (struct eth_at){.kind = ETH_PENDING}, &chain, err));
        SR_TRY(db_get_u64(s->db, "SELECT COUNT(*) FROM tx WHERE state = 0", DB_NO_ARGS, &n, err));
        if (n)
            SR_TRY(db_get_u64(s->db, "SELECT MAX(nonce) + 1 FROM tx WHERE state = 0", DB_NO_ARGS,
                              &ours, err));
        s->nonce = chain > ours ? chain : ours;
        s->have_nonce = true;
    }
    *ret = s->nonce;
    return SR_OK;
}

/* Signs, writes and sends a row with a nonce of its own; holds the order lock. */
static sr_status send_fresh(struct eth_sender *s, struct row *r, bool is_new, const char *intent,
                            struct sr_err *err) {
    struct sr_err e = {0};
    for (unsigned i = 0; i < SEND_TRIES; i++) {
        SR_TRY(next_nonce(s, &r->nonce, err));
        SR_TRY(sign(s, r, err));
        r->sent_ms = clock_unix_ms();
        SR_TRY(save(s, r, is_new, intent, err));
        is_new = false;
        e = (struct sr_err){0};
        sr_status st = eth_send_raw(s->rpc, buf_slice(&r->raw), NULL, &e);
        if (st == SR_OK) {
            s->nonce++;
            return SR_OK;
        }
        s->have_nonce = false; /* whatever happened, ask the chain before the next one */
        if (st == SR_E_CONFLICT || (st == SR_E_RANGE && strstr(e.what, "replacement"))) {
            /* somebody else uses this wallet too: the row must not hold the nonce back */
            SR_TRY(free_nonce(s, r->seq, err));
            if (i > 2) SR_TRY(fiber_sleep(1 + s->mark % 7, err)); /* fall out of step */
            continue;
        }
        if (st == SR_E_RANGE) {
            SR_TRY(bump(s, r, err));
            continue;
        }
        /* a node that is away may still have got it: with an intent the row stays, and the next
         * call with this intent sends the same bytes again */
        if (!intent || (st != SR_E_UNAVAILABLE && st != SR_E_TIMEOUT && st != SR_E_CANCELLED))
            forget(s, r->seq);
        if (err) *err = e;
        return st;
    }
    forget(s, r->seq);
    if (err) *err = e;
    return e.code;
}

/* A row that is under way already. */
static sr_status send_again(struct eth_sender *s, struct row *r, struct sr_err *err) {
    struct sr_err e = {0};
    sr_status st = eth_send_raw(s->rpc, buf_slice(&r->raw), NULL, &e);
    if (st == SR_OK || (st == SR_E_RANGE && strstr(e.what, "replacement"))) return SR_OK;
    if (st == SR_E_CONFLICT) return SR_OK; /* mined, or its nonce is taken: wait finds out */
    if (err) *err = e;
    return st;
}

sr_status eth_sender_submit(struct eth_sender *s, const struct eth_want *w, struct hash *ret_tx,
                            struct sr_err *err) {
    if (w->intent && strlen(w->intent) > SENDER_INTENT_MAX)
        return sr_fail(err, SR_E_USAGE, "intent is longer than %d", SENDER_INTENT_MAX);
    cleanup_row struct row r;
    row_init(&r);
    sr_status st = w->intent ? load_intent(s, w->intent, &r, NULL) : SR_E_NOTFOUND;
    if (st == SR_OK) {
        if (r.state == ROW_PENDING) SR_TRY(send_again(s, &r, err));
        *ret_tx = r.hash;
        return SR_OK;
    }
    if (st != SR_E_NOTFOUND) return sr_fail(err, st, "transactions of this wallet");
    r.creates = w->creates;
    r.to = w->to;
    r.value = w->value;
    r.gas = w->gas_limit;
    buf_add(&r.data, w->data);
    SR_TRY(buf_status(&r.data, err));
    if (r.gas == 0) {
        SR_TRY(eth_estimate_gas(s->rpc, &s->signer->addr, w->creates ? NULL : &w->to, w->value,
                                w->data, &r.gas, err));
        r.gas += r.gas / 4;
    }
    SR_TRY(offer(s, &r, err));
    SR_TRY(fmutex_lock(&s->order, err));
    /* another fiber may have wanted the same while we waited */
    cleanup_row struct row other;
    row_init(&other);
    if (w->intent && load_intent(s, w->intent, &other, NULL) == SR_OK) {
        fmutex_unlock(&s->order);
        *ret_tx = other.hash;
        return SR_OK;
    }
    r.seq = ++s->seq;
    st = send_fresh(s, &r, true, w->intent, err);
    fmutex_unlock(&s->order);
    if (st == SR_OK) *ret_tx = r.hash;
    return st;
}

/* ---- what became of it */

static sr_status settle(struct eth_sender *s, uint64_t seq, const struct eth_receipt *rc,
                        struct sr_err *err) {
    return db_run(s->db, "UPDATE tx SET state = $2, block = $3, hash = $4 WHERE seq = $1",
                  DB_ARGS(db_u64(seq), db_u64(rc->ok ? ROW_OK : ROW_REVERTED), db_u64(rc->block),
                          db_hash(&rc->tx)),
                  err);
}

/* The receipt of any of the row's transactions (there are several after a replacement). */
static sr_status look(struct eth_sender *s, uint64_t seq, struct eth_receipt *ret,
                      struct sr_err *err) {
    struct hash h[16];
    size_t n = 0;
    struct db_rows *q = NULL;
    SR_TRY(
        db_select(s->db, "SELECT hash FROM tx_hash WHERE seq = $1", DB_ARGS(db_u64(seq)), &q, err));
    while (n < SR_ARRAY_LEN(h) && db_next(q)) h[n++] = db_col_hash(q, 0);
    SR_TRY(db_end(q, err));
    for (size_t i = 0; i < n; i++) {
        struct sr_err e = {0};
        sr_status st = eth_get_receipt(s->rpc, &h[i], ret, &e);
        if (st == SR_E_NOTFOUND) continue;
        if (st != SR_OK && err) *err = e;
        return st;
    }
    return sr_fail(err, SR_E_NOTFOUND, "not mined yet");
}

/* Why did it revert? The same call on the state before its block says it, mostly. */
static sr_status reverted(struct eth_sender *s, const struct row *r, uint64_t block,
                          struct sr_err *err) {
    cleanup_buf struct buf out;
    buf_init(&out, 1u << 16);
    struct sr_err e = {0};
    struct eth_at at = eth_at_block(block ? block - 1 : 0);
    sr_status st = SR_OK;
    for (unsigned i = 0; i < 2 && !r->creates && st != SR_E_REFUSED; i++) {
        e = (struct sr_err){0};
        st = eth_call(s->rpc, &s->signer->addr, &r->to, buf_slice(&r->data), at, &out, &e);
        at = (struct eth_at){0}; /* a node without old states: as things are now */
    }
    if (st == SR_E_REFUSED) return sr_fail(err, SR_E_REFUSED, "%s", e.what);
    return sr_fail(err, SR_E_REFUSED, "the contract refused: no reason given (transaction %s)",
                   hash_text(&r->hash).s);
}

static sr_status replace(struct eth_sender *s, struct row *r, struct sr_err *err) {
    SR_TRY(bump(s, r, err));
    SR_TRY(sign(s, r, err));
    r->sent_ms = clock_unix_ms();
    SR_TRY(save(s, r, false, NULL, err));
    SR_TRY(send_again(s, r, err));
    log_info("tx_replaced", "tx=%s nonce=%llu", hash_text(&r->hash).s,
             (unsigned long long)r->nonce);
    return SR_OK;
}

/* Our transactions between the chain's nonce and this one: while the node has lost one of them
 * (nobody may be waiting for it), no later one is mined, whatever it offers. */
static sr_status send_earlier(struct eth_sender *s, uint64_t from, uint64_t below,
                              struct sr_err *err) {
    uint64_t seqs[64];
    size_t n = 0;
    struct db_rows *q = NULL;
    SR_TRY(db_select(s->db,
                     "SELECT seq FROM tx WHERE state = 0 AND nonce >= $1 AND nonce < $2"
                     " ORDER BY nonce LIMIT 64",
                     DB_ARGS(db_u64(from), db_u64(below)), &q, err));
    while (n < SR_ARRAY_LEN(seqs) && db_next(q)) seqs[n++] = db_col_u64(q, 0);
    SR_TRY(db_end(q, err));
    for (size_t i = 0; i < n; i++) {
        cleanup_row struct row r;
        row_init(&r);
        SR_TRY(load_seq(s, seqs[i], &r, err));
        bool stuck = r.nonce == from && clock_unix_ms() - r.sent_ms > s->stuck_ms;
        sr_status st = stuck ? replace(s, &r, err) : send_again(s, &r, err);
        if (st == SR_E_RANGE || st == SR_E_REFUSED) { /* its own waiter sees to that */
            if (err) *err = (struct sr_err){0};
            continue;
        }
        SR_TRY(st);
    }
    return SR_OK;
}

/* No receipt for long: a higher fee, or a fresh nonce when another transaction took this one. */
static sr_status push(struct eth_sender *s, struct row *r, struct sr_err *err) {
    uint64_t mined;
    SR_TRY(eth_nonce(s->rpc, &s->signer->addr, (struct eth_at){0}, &mined, err));
    SR_TRY(fmutex_lock(&s->order, err));
    sr_status st = load_seq(s, r->seq, r, err);
    if (st == SR_OK && r->state == ROW_PENDING) {
        if (mined > r->nonce) {
            struct eth_receipt rc = {0};
            st = look(s, r->seq, &rc, NULL);
            eth_receipt_done(&rc);
            if (st == SR_E_NOTFOUND) {
                log_warn("tx_nonce_taken", "tx=%s nonce=%llu", hash_text(&r->hash).s,
                         (unsigned long long)r->nonce);
                st = free_nonce(s, r->seq, err);
                if (st == SR_OK) st = offer(s, r, err);
                if (st == SR_OK) st = send_fresh(s, r, false, "again", err);
            }
        } else if (mined < r->nonce) {
            st = send_earlier(s, mined, r->nonce, err);
            if (st == SR_OK) st = send_again(s, r, err);
        } else if (clock_unix_ms() - r->sent_ms > s->stuck_ms) {
            st = replace(s, r, err);
        } else {
            st = send_again(s, r, err);
        }
    }
    fmutex_unlock(&s->order);
    return st;
}

static bool is_transient(sr_status st) {
    return st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT || st == SR_E_CHAIN;
}

sr_status eth_sender_wait(struct eth_sender *s, const struct hash *tx, uint64_t timeout_ms,
                          struct eth_receipt *ret, struct sr_err *err) {
    if (timeout_ms == 0) timeout_ms = WAIT_MS;
    int64_t start = clock_mono_us(), end = start + (int64_t)timeout_ms * 1000, pushed = start;
    uint64_t seen = 0;
    int64_t away_since = 0;
    struct eth_head head;
    cleanup_row struct row r;
    row_init(&r);
    SR_TRY(load_hash(s, tx, &r, err));
    for (;;) {
        struct eth_receipt rc = {0};
        struct sr_err e = {0};
        sr_status st = look(s, r.seq, &rc, &e);
        if (st == SR_OK) {
            st = settle(s, r.seq, &rc, err);
            if (st == SR_OK && !rc.ok) st = reverted(s, &r, rc.block, err);
            if (st == SR_OK && ret)
                *ret = rc;
            else
                eth_receipt_done(&rc);
            return st;
        }
        if (st != SR_E_NOTFOUND && !is_transient(st)) {
            if (err) *err = e;
            return st;
        }
        int64_t now = clock_mono_us();
        if (st != SR_E_UNAVAILABLE)
            away_since = 0;
        else if (away_since == 0)
            away_since = now;
        if (away_since && s->away_ms && now - away_since > (int64_t)s->away_ms * 1000) {
            if (err) *err = e;
            return st;
        }
        if (now > end) {
            st = sr_fail(err, SR_E_TIMEOUT, "transaction %s is not mined after %llu s",
                         hash_text(&r.hash).s, (unsigned long long)(timeout_ms / 1000));
            sr_hint(err, "it is still under way; do the same again to look for it");
            return st;
        }
        /* lost by a node that was restarted, or stuck: look after it now and then */
        if (now - pushed > (int64_t)s->stuck_ms * 1000 / 3) {
            pushed = now;
            struct sr_err pe = {0};
            st = push(s, &r, &pe);
            if (st != SR_OK && !is_transient(st) && st != SR_E_NOTFOUND) {
                if (err) *err = pe;
                return st;
            }
        }
        bool live = eth_heads_live(s->heads);
        uint64_t ms = (uint64_t)((now - start) / 8000);
        if (ms < POLL_FIRST_MS) ms = POLL_FIRST_MS;
        if (ms > POLL_MAX_MS) ms = POLL_MAX_MS;
        uint64_t nap = live ? LIVE_POLL_MS : ms, left = (uint64_t)((end - now) / 1000) + 1;
        if (nap > s->stuck_ms / 3 + 1) nap = s->stuck_ms / 3 + 1;
        st = eth_heads_wait(s->heads, &seen, nap < left ? nap : left, &head, err);
        if (st == SR_E_CANCELLED) return st;
    }
}

sr_status eth_sender_send(struct eth_sender *s, const struct eth_want *w, uint64_t timeout_ms,
                          struct eth_receipt *ret, struct sr_err *err) {
    struct hash tx;
    SR_TRY(eth_sender_submit(s, w, &tx, err));
    return eth_sender_wait(s, &tx, timeout_ms, ret, err);
}

static sr_status resend_all(struct eth_sender *s, struct sr_err *err) {
    uint64_t seqs[256];
    for (uint64_t above = 0;;) { /* in order of nonces; a page at a time */
        size_t n = 0;
        struct db_rows *q = NULL;
        SR_TRY(db_select(s->db,
                         "SELECT seq FROM tx WHERE state = 0 AND seq > $1 ORDER BY seq LIMIT 256",
                         DB_ARGS(db_u64(above)), &q, err));
        while (n < SR_ARRAY_LEN(seqs) && db_next(q)) seqs[n++] = db_col_u64(q, 0);
        SR_TRY(db_end(q, err));
        if (n == 0) return SR_OK;
        for (size_t i = 0; i < n; i++) {
            cleanup_row struct row r;
            row_init(&r);
            struct eth_receipt rc = {0};
            SR_TRY(load_seq(s, seqs[i], &r, err));
            sr_status st = look(s, seqs[i], &rc, NULL);
            if (st == SR_OK)
                st = settle(s, seqs[i], &rc, err);
            else if (st == SR_E_NOTFOUND)
                st = push(s, &r, err);
            eth_receipt_done(&rc);
            /* one that cannot be sent any more must not keep the others from it */
            if (st != SR_OK && st != SR_E_REFUSED && st != SR_E_RANGE) return st;
        }
        above = seqs[n - 1];
    }
}

sr_status eth_sender_rollback(struct eth_sender *s, uint64_t keep, struct sr_err *err) {
    SR_TRY(db_run(s->db, "UPDATE tx SET state = 0, block = 0 WHERE block > $1",
                  DB_ARGS(db_u64(keep)), err));
    s->have_nonce = false;
    return resend_all(s, err);
}

sr_status eth_sender_resume(struct eth_sender *s, struct sr_err *err) {
    uint64_t head;
    SR_TRY(eth_block_number(s->rpc, &head, err));
    return eth_sender_rollback(s, head, err); /* the chain may have become shorter meanwhile */
}

sr_status eth_sender_intent(struct eth_sender *s, const char *intent, eth_intent_state *ret_state,
                            struct hash *ret_tx, struct sr_err *err) {
    cleanup_row struct row r;
    row_init(&r);
    SR_TRY(load_intent(s, intent, &r, err));
    *ret_state = (eth_intent_state)r.state;
    *ret_tx = r.hash;
    return SR_OK;
}
