/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored secrets. They come in with their owner's signature over the official challenge, which
 * stays with them: what the vault gives to a room, somebody who owned it had stored.
 */
#include "eth/rlp.h"
#include "vault/vault_int.h"

#define STORED_TAG     "SR-STO-v1" /* with its NUL: 10 bytes */
#define STORED_PLAIN   (20 + 2 + POCO_SIGN_MAX + WIRE_SECRET_MAX)
#define NAME_MAX_BYTES 64
#define BY_CONTRACT    0x8000u /* in the length of a signature: not a key's */

static bool name_ok(secret_kind kind, struct slice name) {
    if (kind == SECRET_WEB3) return name.n == 0;
    if (kind == SECRET_APP) return slice_is(name, "1");
    if (name.n < 1 || name.n > NAME_MAX_BYTES) return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '-' && c != '_') return false;
    }
    return true;
}

static void stored_aad(struct buf *b, secret_kind kind, const struct addr *target,
                       struct slice name) {
    buf_put(b, STORED_TAG, 10);
    wire_secret_aad(b, kind, target, name);
}

static sr_status check_signature(secret_kind kind, const struct addr *target, struct slice name,
                                 struct slice secret, struct slice signature,
                                 const struct addr *signer, struct sr_err *err) {
    struct hash h = wire_secret_challenge(kind, target, name, secret);
    if (eth_message_check(&h, signature, signer, NULL) != SR_OK)
        return sr_fail(err, SR_E_AUTH, "the secret is not signed by %s", addr_text(signer).s);
    return SR_OK;
}

/* An address that is the hash of these bytes is a contract's: nobody knows a key for it. */
static sr_status check_origin(const struct addr *a, struct slice origin, struct sr_err *err) {
    cleanup_buf struct buf items = {0}, list = {0};
    struct slice hashed = origin;
    buf_init(&items, 64), buf_init(&list, 64);
    if (origin.n == WIRE_ORIGIN_CREATE) {
        struct rd r = rd_of(origin);
        rlp_bytes(&items, rd_take(&r, 20));
        rlp_u64(&items, rd_u64(&r));
        rlp_list(&list, buf_slice(&items));
        SR_TRY(buf_status(&list, err));
        hashed = buf_slice(&list);
    } else if (origin.n != WIRE_ORIGIN_CREATE2 || origin.p[0] != 0xff) {
        return sr_fail(err, SR_E_AUTH, "the secret of a contract comes without its origin");
    }
    struct hash h = keccak256(hashed);
    if (memcmp(h.b + 12, a->b, 20) != 0)
        return sr_fail(err, SR_E_AUTH, "%s does not come of that origin", addr_text(a).s);
    return SR_OK;
}

/* A contract's signature is the contract's own word, which the SMS has asked for; it cannot be seen
 * here. Of data and apps the SMS also says who owns them, so it could do no more with a lie.
 * Secrets of an account itself would lose what protects them, the account's signature: so for these
 * the account must be seen to be a contract. */
static sr_status check_contract(const struct vault_secret_seal_req *m, struct sr_err *err) {
    if (m->signature.n > POCO_SIGN_MAX)
        return sr_fail(err, SR_E_TOOBIG, "a signature of %zu bytes", m->signature.n);
    if (m->kind == SECRET_WEB3 || m->kind == SECRET_APP) return SR_OK;
    return check_origin(&m->signer, m->origin, err);
}

sr_status vault_on_secret_seal(struct vault *v, const struct vault_secret_seal_req *m,
                               struct buf *ret_reply, struct sr_err *err) {
    cleanup_buf struct buf aad = {0}, stored = {0};
    cleanup_buf_wipe struct buf opened = {0}, plain = {0};
    const secret_kind kind = (secret_kind)m->kind;
    struct slice secret = m->secret;
    buf_init(&aad, 256), buf_init(&stored, 2 * STORED_PLAIN);
    buf_init(&opened, VAULT_BODY_MAX), buf_init(&plain, STORED_PLAIN);
    if (m->kind < SECRET_WEB3 || m->kind > SECRET_APP || m->sealed > 1 || m->by_contract > 1)
        return sr_fail(err, SR_E_MALFORMED, "no such kind of secret");
    if (!name_ok(kind, m->name)) return sr_fail(err, SR_E_MALFORMED, "the secret's name is wrong");
    if (m->sealed) {
        wire_secret_aad(&aad, kind, &m->target, m->name);
        SR_TRY(buf_status(&aad, err));
        SR_TRY(hpke_open(&v->sealing_key, SLICE_LIT(WIRE_SECRET_INFO), buf_slice(&aad), secret,
                         &opened, err));
        secret = buf_slice(&opened);
        buf_clear(&aad);
    }
    if (secret.n > WIRE_SECRET_MAX)
        return sr_fail(err, SR_E_TOOBIG, "a secret of %zu bytes, more than %u", secret.n,
                       WIRE_SECRET_MAX);
    if ((kind == SECRET_WEB2 || kind == SECRET_REQUESTER) && !addr_eq(&m->signer, &m->target))
        return sr_fail(err, SR_E_AUTH, "this kind of secret is signed by whom it belongs to");
    if (m->by_contract)
        SR_TRY(check_contract(m, err));
    else
        SR_TRY(check_signature(kind, &m->target, m->name, secret, m->signature, &m->signer, err));

    if (buf_reserve(&plain, STORED_PLAIN)) { /* one piece: no copies left behind */
        buf_put(&plain, m->signer.b, 20);
        buf_u16(&plain, (uint16_t)(m->signature.n | (m->by_contract ? BY_CONTRACT : 0u)));
        buf_add(&plain, m->signature);
        buf_add(&plain, secret);
    }
    SR_TRY(buf_status(&plain, err));
    stored_aad(&aad, kind, &m->target, m->name);
    SR_TRY(buf_status(&aad, err));
    SR_TRY(aes_gcm_seal(&v->storage_key, buf_slice(&aad), buf_slice(&plain), &stored, err));
    vault_secret_seal_rep_write(ret_reply,
                                &(struct vault_secret_seal_rep){.stored = buf_slice(&stored)});
    return SR_OK;
}

void vault_opened_done(struct vault_opened *o) {
    buf_wipe(&o->secret);
}

sr_status vault_secret_open(const struct vault *v, secret_kind kind, const struct addr *target,
                            struct slice name, struct slice stored, struct vault_opened *ret,
                            struct sr_err *err) {
    cleanup_buf struct buf aad = {0};
    cleanup_buf_wipe struct buf plain = {0};
    struct vault_opened o;
    buf_init(&aad, 256), buf_init(&plain, STORED_PLAIN);
    if (!name_ok(kind, name)) return sr_fail(err, SR_E_MALFORMED, "the secret's name is wrong");
    stored_aad(&aad, kind, target, name);
    SR_TRY(buf_status(&aad, err));
    SR_TRY(aes_gcm_open(&v->storage_key, buf_slice(&aad), stored, &plain, err));
    struct rd r = rd_of(buf_slice(&plain));
    rd_copy(&r, o.signer.b, 20);
    uint16_t n = rd_u16(&r);
    struct slice signature = rd_take(&r, n & ~BY_CONTRACT);
    struct slice secret = rd_take(&r, rd_left(&r));
    if (!rd_done(&r)) return sr_fail(err, SR_E_CRYPTO, "a stored secret is malformed");
    /* a contract's word was taken when this was sealed, by us */
    if (!(n & BY_CONTRACT))
        SR_TRY(check_signature(kind, target, name, secret, signature, &o.signer, err));
    buf_init(&o.secret, WIRE_SECRET_MAX);
    buf_add(&o.secret, secret);
    sr_status st = buf_status(&o.secret, err);
    if (st == SR_OK)
        *ret = o;
    else
        vault_opened_done(&o);
    return st;
}

sr_status vault_on_key_proof(struct vault *v, const struct vault_key_proof_req *m,
                             struct buf *ret_reply, struct sr_err *err) {
    (void)m;
    struct vault_key_proof_rep r;
    struct hash h = wire_vault_key_hash(v->sealing_public);
    SR_TRY(vault_sign_message(v, &h, &r.signature, err));
    vault_key_proof_rep_write(ret_reply, &r);
    return SR_OK;
}
