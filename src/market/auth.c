/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - who publishes: challenges signed by a wallet  SPEC: services.md#28-challenge */
#include "eth/eip712.h"
#include "eth/tx.h"
#include "market/market_int.h"

#define CHALLENGE_CHARS 32

static sr_status make_challenge(struct buf *b, struct sr_err *err) {
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint8_t rnd[256];
    SR_TRY(random_bytes(rnd, sizeof rnd, err));
    buf_str(b, "Sign this message to log into iExec Gateway: ");
    size_t n = 0;
    for (size_t i = 0; i < sizeof rnd && n < CHALLENGE_CHARS; i++)
        if (rnd[i] < 248) { /* 4 * 62: every character as likely as any other */
            buf_u8(b, (uint8_t)set[rnd[i] % 62]);
            n++;
        }
    return buf_status(b, err);
}

static sr_status open_challenge(struct market *m, const struct addr *who, struct buf *b,
                                struct sr_err *err) {
    uint64_t now = clock_unix_ms(), old = now > MARKET_CHALLENGE_MS ? now - MARKET_CHALLENGE_MS : 0,
             n;
    sr_status st =
        db_get_bytes(m->db, "SELECT challenge FROM challenge WHERE who = $1 AND made > $2",
                     DB_ARGS(db_addr(who), db_u64(old)), b, NULL);
    if (st != SR_E_NOTFOUND) return st == SR_OK ? st : sr_fail(err, st, "challenges");
    SR_TRY(group_join(m, err));
    if (m->challenges == 0 ||
        m->challenges >= MARKET_CHALLENGES_MAX) /* else an upper bound will do */
        SR_TRY(
            db_get_u64(m->db, "SELECT COUNT(*) FROM challenge", DB_NO_ARGS, &m->challenges, err));
    n = m->challenges++;
    if (n >= MARKET_CHALLENGES_MAX) {
        SR_TRY(db_run(m->db, "DELETE FROM challenge WHERE made <= $1", DB_ARGS(db_u64(old)), err));
        /* Whoever asks for many must not lock out the others: the oldest go. */
        if (db_changed(m->db) == 0)
            SR_TRY(db_run(m->db,
                          "DELETE FROM challenge WHERE made <= (SELECT made FROM challenge"
                          " ORDER BY made LIMIT 1 OFFSET $1)",
                          DB_ARGS(db_u64(MARKET_CHALLENGES_MAX / 64)), err));
    }
    SR_TRY(make_challenge(b, err));
    return db_run(m->db,
                  "INSERT INTO challenge (who, challenge, made) VALUES ($1, $2, $3) ON CONFLICT "
                  "(who) DO UPDATE SET challenge = excluded.challenge, made = excluded.made",
                  DB_ARGS(db_addr(who), db_text(buf_slice(b)), db_u64(now)), err);
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
    SR_TRY(open_challenge(m, &who, &text, err));
    if (db_is_shared(m->db)) SR_TRY(group_wait(m, err)); /* it may be used with another process */
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

static sr_status invalid(struct sr_err *err) {
    return sr_fail(err, SR_E_REFUSED, "invalid authorization");
}

/* Signed by the account's own key; else a contract may say that it has signed (ERC-1271). */
static bool is_signed(struct market *m, const struct auth *a) {
    bool ok = false;
    if (a->signature.ok && addr_eq(&a->signature.signer, &a->who)) return true;
    return eth_check_signature(m->rpc, &a->who, &a->signature.hash, a->signature.sig,
                               (struct eth_at){0}, &ok, NULL) == SR_OK &&
           ok;
}

void recovered_all(void *arg) {
    for (struct recovered **r = arg; *r; r++)
        (*r)->ok = secp_recover(&(*r)->hash, (*r)->sig, &(*r)->signer, NULL) == SR_OK;
}

void auth_done(struct auth *a) {
    buf_done(&a->text);
    buf_done(&a->sig);
}

sr_status auth_read(struct market *m, struct http_req *rq, struct auth *ret, struct sr_err *err) {
    struct slice header, hash_hex, rest, sig_hex, who_hex;
    struct hash h;
    struct addr who;
    buf_init(&ret->text, 256);
    buf_init(&ret->sig, POCO_SIGN_MAX);
    if (!http_header(rq, "authorization", &header) || !slice_cut(header, '_', &hash_hex, &rest) ||
        !slice_cut(rest, '_', &sig_hex, &who_hex) || !hash_parse(hash_hex, &h) ||
        !slice_starts(sig_hex, "0x") || !addr_parse(who_hex, &who))
        return invalid(err);
    bool good = hex_decode_buf(sig_hex, &ret->sig);
    BUF_TRY_MEMORY(&ret->sig, err);
    if (!good || ret->sig.bad) return invalid(err);
    uint64_t now = clock_unix_ms(), old = now > MARKET_CHALLENGE_MS ? now - MARKET_CHALLENGE_MS : 0;
    if (db_get_bytes(m->db, "SELECT challenge FROM challenge WHERE who = $1 AND made > $2",
                     DB_ARGS(db_addr(&who), db_u64(old)), &ret->text, NULL) != SR_OK)
        return invalid(err);
    struct hash want = eip712_challenge("iExec Gateway", m->chain_id, buf_slice(&ret->text));
    if (!hash_eq(&want, &h)) return invalid(err);
    ret->who = who;
    ret->signature = (struct recovered){.hash = h, .sig = buf_slice(&ret->sig)};
    return SR_OK;
}

sr_status auth_use(struct market *m, const struct auth *a, struct sr_err *err) {
    if (!is_signed(m, a)) return invalid(err);
    SR_TRY(group_join(m, err));
    SR_TRY(db_run(m->db, "DELETE FROM challenge WHERE who = $1 AND challenge = $2",
                  DB_ARGS(db_addr(&a->who), db_text(buf_slice(&a->text))), err));
    if (db_changed(m->db) != 1) return invalid(err); /* somebody was quicker with it */
    return SR_OK;
}
