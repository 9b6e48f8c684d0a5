/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.c - who publishes: challenges signed by a wallet  SPEC: services.md#28-challenge
 *
 * The challenge of an account is a MAC, under the database's seed, of the account, the number of
 * challenges it has used, and the time in steps. So asking again gives the same one until it is
 * used or too old, any number of askers costs no room, and every market of a database knows it. The
 * seed is no secret that protects somebody: who knows it knows what may be signed next, as anybody
 * who asks does.
 */
#include "crypto/crypto.h"
#include "eth/eip712.h"
#include "eth/tx.h"
#include "market/market_int.h"
#include <stdlib.h>

#define CHALLENGE_CHARS 32

sr_status auth_seed(struct db *db, uint8_t ret[32], struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, 32);
    SR_TRY(random_bytes(ret, 32, err));
    SR_TRY(db_run(db,
                  "INSERT INTO challenge_seed (id, seed) VALUES (1, $1) ON CONFLICT (id) DO "
                  "NOTHING",
                  DB_ARGS(db_blob(slice_of(ret, 32))), err));
    SR_TRY(db_get_bytes(db, "SELECT seed FROM challenge_seed WHERE id = 1", DB_NO_ARGS, &b, err));
    if (b.n != 32) return sr_fail(err, SR_E_CONFLICT, "the seed of challenges is damaged");
    memcpy(ret, b.p, 32);
    return SR_OK;
}

static sr_status invalid(struct sr_err *err) {
    return sr_fail(err, SR_E_REFUSED, "invalid authorization");
}

uint64_t auth_step_now(void) {
    return clock_unix_ms() / 1000 / MARKET_CHALLENGE_S;
}

static void add_number(struct keccak *k, uint64_t v) {
    uint8_t b[8];
    for (unsigned i = 0; i < 8; i++) b[i] = (uint8_t)(v >> (56 - 8 * i));
    keccak_add(k, slice_of(b, sizeof b));
}

void auth_challenge(const struct market *m, const struct addr *who, uint64_t uses, uint64_t step,
                    struct buf *b) {
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t chars = 0;
    buf_str(b, "Sign this message to log into iExec Gateway: ");
    for (uint64_t block = 0; chars < CHALLENGE_CHARS; block++) {
        struct keccak k; /* with the seed first it is a MAC: nothing can be appended unseen */
        keccak_init(&k);
        keccak_add(&k, slice_of(m->seed, sizeof m->seed));
        keccak_add(&k, slice_of(who->b, sizeof who->b));
        add_number(&k, uses), add_number(&k, step), add_number(&k, block);
        const struct hash mac = keccak_end(&k);
        for (size_t i = 0; i < sizeof mac.b && chars < CHALLENGE_CHARS; i++)
            if (mac.b[i] < 248) { /* 4 * 62: every character as likely as any other */
                buf_u8(b, (uint8_t)set[mac.b[i] % 62]);
                chars++;
            }
    }
}

static sr_status uses_of(struct db *db, const struct addr *who, uint64_t *ret, struct sr_err *err) {
    struct sr_err e = {0};
    sr_status st = db_get_u64(db, "SELECT used FROM challenge_use WHERE who = $1",
                              DB_ARGS(db_addr(who)), ret, &e);
    if (st == SR_E_NOTFOUND) *ret = 0;
    if (st == SR_OK || st == SR_E_NOTFOUND) return SR_OK;
    if (err) *err = e;
    return st;
}

static void type_field(struct jw *w, const char *name, const char *type) {
    jw_obj(w);
    jw_kcstr(w, "name", name);
    jw_kcstr(w, "type", type);
    jw_end_obj(w);
}

sr_status route_challenge(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct addr who;
    q_state given;
    SR_TRY(q_chain(m, rq, err));
    SR_TRY(q_addr(rq, "address", false, &given, &who, err));
    if (given == Q_ABSENT) return sr_fail(err, SR_E_MALFORMED, "address is a required field");
    cleanup_buf struct buf text, b;
    buf_init(&text, 256);
    buf_init(&b, 4096);
    uint64_t uses;
    SR_TRY(uses_of(m->read, &who, &uses, err));
    auth_challenge(m, &who, uses, auth_step_now(), &text);
    SR_TRY(buf_status(&text, err));
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kbool(&w, "ok", true);
    jw_key(&w, "data");
    jw_obj(&w);
    jw_key(&w, "types");
    jw_obj(&w);
    jw_key(&w, "EIP712Domain");
    jw_arr(&w);
    type_field(&w, "name", "string");
    type_field(&w, "version", "string");
    type_field(&w, "chainId", "uint256");
    jw_end_arr(&w);
    jw_key(&w, "Challenge");
    jw_arr(&w);
    type_field(&w, "challenge", "string");
    jw_end_arr(&w);
    jw_end_obj(&w);
    jw_key(&w, "domain");
    jw_obj(&w);
    jw_kcstr(&w, "name", "iExec Gateway");
    jw_kcstr(&w, "version", "1");
    jw_key(&w, "chainId");
    jw_u256_dec(&w, u256_of(m->chain_id));
    jw_end_obj(&w);
    jw_kcstr(&w, "primaryType", "Challenge");
    jw_key(&w, "message");
    jw_obj(&w);
    jw_kstr(&w, "challenge", buf_slice(&text));
    jw_end_obj(&w);
    jw_end_obj(&w);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

void recovered_all(void *arg) {
    for (struct recovered **r = arg; *r; r++)
        (*r)->ok = secp_recover(&(*r)->hash, (*r)->sig, &(*r)->signer, NULL) == SR_OK;
}

void authed_done(struct authed *a) {
    buf_done(&a->sig);
}

sr_status auth_read(struct http_req *rq, struct authed *ret, struct sr_err *err) {
    struct slice header, hash_hex, rest, sig_hex, who_hex;
    buf_init(&ret->sig, POCO_SIGN_MAX);
    if (!http_header(rq, "authorization", &header) || !slice_cut(header, '_', &hash_hex, &rest) ||
        !slice_cut(rest, '_', &sig_hex, &who_hex) || !hash_parse(hash_hex, &ret->signature.hash) ||
        !slice_starts(sig_hex, "0x") || !addr_parse(who_hex, &ret->who))
        return invalid(err);
    bool good = hex_decode_buf(sig_hex, &ret->sig);
    BUF_TRY_MEMORY(&ret->sig, err);
    if (!good || ret->sig.bad) return invalid(err);
    ret->signature.sig = buf_slice(&ret->sig);
    return SR_OK;
}

sr_status auth_is_signed(struct market *m, const struct authed *a, struct sr_err *err) {
    bool ok = false;
    if (a->signature.ok && addr_eq(&a->signature.signer, &a->who)) return SR_OK;
    if (eth_check_signature(m->rpc, &a->who, &a->signature.hash, a->signature.sig,
                            (struct eth_at){0}, &ok, NULL) == SR_OK &&
        ok)
        return SR_OK;
    return invalid(err);
}

/* ---- used up, in a transaction */

/* The hash that was signed is that of the present challenge, or the one of the step before. */
static bool is_present(const struct market *m, const struct authed *a) {
    uint64_t step = auth_step_now();
    for (uint64_t back = 0; back < 2; back++) {
        struct buf text;
        buf_init(&text, 256);
        auth_challenge(m, &a->who, a->uses, step - back, &text);
        struct hash want = eip712_challenge("iExec Gateway", m->chain_id, buf_slice(&text));
        bool same = !text.bad && hash_eq(&want, &a->signature.hash);
        buf_done(&text);
        if (same) return true;
    }
    return false;
}

static int by_account(const void *a, const void *b) {
    const struct authed *const *x = a, *const *y = b;
    return memcmp((*x)->who.b, (*y)->who.b, 20);
}

static void get_uses(void *arg, struct db_rows *r) {
    ((struct authed *)arg)->uses = db_col_u64(r, 0);
}

/* Whom it concerns, in `due`. */
static size_t those_due(struct authed **jobs, size_t n, struct authed **due) {
    size_t n_due = 0;
    qsort(jobs, n, sizeof *jobs, by_account);
    for (size_t i = 0; i < n; i++) {
        struct authed *a = jobs[i];
        if (i > 0 && addr_eq(&a->who, &jobs[i - 1]->who))
            a->job.again = true; /* the first one's writing counts */
        else if (!a->used)
            due[n_due++] = a;
    }
    return n_due;
}

static void refuse(struct authed *a) {
    a->job.st = invalid(&a->job.why);
}

sr_status auth_use_all(struct market *m, struct authed **jobs, size_t n, struct db_stmt *more,
                       size_t n_more, struct sr_err *err) {
    static const char select[] = "SELECT used FROM challenge_use WHERE who = $1",
                      update[] = "INSERT INTO challenge_use (who, used) VALUES ($1, 1) ON CONFLICT "
                                 "(who) DO UPDATE SET used = challenge_use.used + 1 WHERE "
                                 "challenge_use.used = $2";
    struct authed *due[COMMIT_JOBS];
    struct db_val args[COMMIT_JOBS][2];
    cleanup_free struct db_stmt *s = sr_calloc_n(n + n_more + 1, sizeof *s);
    if (!s) return sr_fail(err, SR_E_NOMEM, "publish");
    size_t n_due = those_due(jobs, n, due);
    for (size_t i = 0; i < n_due; i++) {
        args[i][0] = db_addr(&due[i]->who);
        due[i]->uses = 0;
        s[i] = (struct db_stmt){
            .sql = select, .args = args[i], .n = 1, .row = get_uses, .arg = due[i]};
    }
    if (n_more) memcpy(s + n_due, more, n_more * sizeof *s);
    SR_TRY(db_run_all(m->db, s, n_due + n_more, err));
    size_t n_used = 0;
    for (size_t i = 0; i < n_due; i++) {
        if (!is_present(m, due[i])) {
            refuse(due[i]);
            continue;
        }
        due[n_used] = due[i];
        args[n_used][0] = db_addr(&due[n_used]->who);
        args[n_used][1] = db_u64(due[n_used]->uses);
        s[n_used] = (struct db_stmt){.sql = update, .args = args[n_used], .n = 2};
        n_used++;
    }
    SR_TRY(db_run_all(m->db, s, n_used, err));
    for (size_t i = 0; i < n_used; i++) {
        due[i]->used = s[i].changed == 1;
        if (!due[i]->used) refuse(due[i]); /* with another market, a moment ago */
    }
    return SR_OK;
}
