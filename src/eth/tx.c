/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/tx.h"

#define HEAD_MAX 512u /* everything of a transaction but its data and access list */

static sr_status check(const struct eth_tx *tx, struct sr_err *err) {
    if (tx->type != TX_LEGACY && tx->type != TX_1559)
        return sr_fail(err, SR_E_RANGE, "transaction type %d is not known", (int)tx->type);
    if (tx->data.n > TX_MAX_DATA)
        return sr_fail(err, SR_E_TOOBIG, "transaction data has %zu bytes", tx->data.n);
    if (tx->type == TX_LEGACY && (tx->access_list.n || !u256_is_zero(tx->max_tip)))
        return sr_fail(err, SR_E_RANGE, "a legacy transaction has neither tip nor access list");
    if (tx->chain_id == 0 || tx->chain_id > UINT64_MAX / 2 - 40)
        return sr_fail(err, SR_E_RANGE, "chain id out of range");
    return SR_OK;
}

static void put_to_value_data(struct buf *b, const struct eth_tx *tx) {
    rlp_bytes(b, tx->creates ? slice_of(NULL, 0) : slice_of(tx->to.b, 20));
    rlp_u256(b, tx->value);
    rlp_bytes(b, tx->data);
}

static void put_fields(struct buf *b, const struct eth_tx *tx) {
    if (tx->type == TX_1559) {
        rlp_u64(b, tx->chain_id);
        rlp_u64(b, tx->nonce);
        rlp_u256(b, tx->max_tip);
        rlp_u256(b, tx->max_fee);
        rlp_u64(b, tx->gas_limit);
        put_to_value_data(b, tx);
        rlp_list(b, tx->access_list);
    } else {
        rlp_u64(b, tx->nonce);
        rlp_u256(b, tx->max_fee);
        rlp_u64(b, tx->gas_limit);
        put_to_value_data(b, tx);
    }
}

static void put_int32(struct buf *b, const uint8_t be[32]) {
    rlp_u256(b, u256_from_be(be));
}

static void wrap(struct buf *out, const struct eth_tx *tx, const struct buf *fields) {
    if (tx->type == TX_1559) buf_u8(out, 2);
    rlp_list(out, buf_slice(fields));
}

sr_status tx_sign_hash(const struct eth_tx *tx, struct hash *ret_h, struct sr_err *err) {
    SR_TRY(check(tx, err));
    cleanup_buf struct buf f, out;
    buf_init(&f, TX_MAX_DATA + tx->access_list.n + HEAD_MAX);
    buf_init(&out, TX_MAX_DATA + tx->access_list.n + HEAD_MAX);
    put_fields(&f, tx);
    if (tx->type == TX_LEGACY) { /* EIP-155 */
        rlp_u64(&f, tx->chain_id);
        rlp_u64(&f, 0);
        rlp_u64(&f, 0);
    }
    SR_TRY(buf_status(&f, err));
    wrap(&out, tx, &f);
    SR_TRY(buf_status(&out, err));
    *ret_h = keccak256(buf_slice(&out));
    return SR_OK;
}

sr_status tx_encode(const struct eth_tx *tx, const struct sr_signature *sig, struct buf *b,
                    struct hash *ret_hash, struct sr_err *err) {
    SR_TRY(check(tx, err));
    if (sig->b[64] != 27 && sig->b[64] != 28)
        return sr_fail(err, SR_E_MALFORMED, "a signature's last byte must be 27 or 28");
    unsigned parity = sig->b[64] - 27u;
    cleanup_buf struct buf f;
    buf_init(&f, TX_MAX_DATA + tx->access_list.n + HEAD_MAX);
    put_fields(&f, tx);
    rlp_u64(&f, tx->type == TX_1559 ? parity : tx->chain_id * 2 + 35 + parity);
    put_int32(&f, sig->b);
    put_int32(&f, sig->b + 32);
    SR_TRY(buf_status(&f, err));
    size_t start = b->n;
    wrap(b, tx, &f);
    SR_TRY(buf_status(b, err));
    if (ret_hash) *ret_hash = keccak256(slice_of(b->p + start, b->n - start));
    return SR_OK;
}

/* An access list is a list of [address, [32-byte keys]]. */
static bool access_list_ok(struct slice body) {
    struct rd r = rd_of(body), entry, keys;
    struct slice s;
    while (rd_left(&r) > 0) {
        if (!rlp_next_list(&r, &entry) || !rlp_next_bytes(&entry, &s) || s.n != 20 ||
            !rlp_next_list(&entry, &keys) || !rd_done(&entry))
            return false;
        while (rd_left(&keys) > 0)
            if (!rlp_next_bytes(&keys, &s) || s.n != 32) return false;
        if (!rd_done(&keys)) return false;
    }
    return rd_done(&r);
}

static bool read_to_value_data(struct rd *r, struct eth_tx *tx) {
    struct slice to;
    if (!rlp_next_bytes(r, &to) || (to.n != 0 && to.n != 20)) return false;
    tx->creates = to.n == 0;
    if (to.n) memcpy(tx->to.b, to.p, 20);
    return rlp_next_u256(r, &tx->value) && rlp_next_bytes(r, &tx->data);
}

static bool read_sig(struct rd *r, unsigned parity, struct sr_signature *sig) {
    struct u256 v;
    if (!rlp_next_u256(r, &v)) return false;
    u256_to_be(sig->b, v);
    if (!rlp_next_u256(r, &v)) return false;
    u256_to_be(sig->b + 32, v);
    sig->b[64] = (uint8_t)(27 + parity);
    return true;
}

static bool read_1559(struct slice body, struct eth_tx *tx, struct sr_signature *sig) {
    struct rd outer = rd_of(body), r, al;
    uint64_t parity;
    tx->type = TX_1559;
    if (!rlp_next_list(&outer, &r) || !rd_done(&outer)) return false;
    if (!rlp_next_u64(&r, &tx->chain_id) || !rlp_next_u64(&r, &tx->nonce) ||
        !rlp_next_u256(&r, &tx->max_tip) || !rlp_next_u256(&r, &tx->max_fee) ||
        !rlp_next_u64(&r, &tx->gas_limit) || !read_to_value_data(&r, tx) || !rlp_next_list(&r, &al))
        return false;
    tx->access_list = slice_of(al.p, (size_t)(al.end - al.p));
    return access_list_ok(tx->access_list) && rlp_next_u64(&r, &parity) && parity <= 1 &&
           read_sig(&r, (unsigned)parity, sig) && rd_done(&r);
}

static bool read_legacy(struct slice raw, struct eth_tx *tx, struct sr_signature *sig) {
    struct rd outer = rd_of(raw), r;
    uint64_t v;
    tx->type = TX_LEGACY;
    if (!rlp_next_list(&outer, &r) || !rd_done(&outer)) return false;
    if (!rlp_next_u64(&r, &tx->nonce) || !rlp_next_u256(&r, &tx->max_fee) ||
        !rlp_next_u64(&r, &tx->gas_limit) || !read_to_value_data(&r, tx) || !rlp_next_u64(&r, &v) ||
        v < 37)
        return false;
    tx->chain_id = (v - 35) / 2;
    return read_sig(&r, (unsigned)((v - 35) % 2), sig) && rd_done(&r);
}

sr_status tx_decode(struct slice raw, struct eth_tx *ret_tx, struct sr_signature *ret_sig,
                    struct addr *ret_from, struct sr_err *err) {
    struct eth_tx tx = {0};
    struct sr_signature sig;
    bool typed = raw.n > 0 && raw.p[0] < 0xc0;
    if (typed && raw.p[0] != 2)
        return sr_fail(err, SR_E_MALFORMED, "transaction type %u is not known", raw.p[0]);
    bool ok =
        typed ? read_1559(slice_of(raw.p + 1, raw.n - 1), &tx, &sig) : read_legacy(raw, &tx, &sig);
    if (!ok) return sr_fail(err, SR_E_MALFORMED, "not a signed transaction");
    struct hash h;
    struct addr from;
    SR_TRY(tx_sign_hash(&tx, &h, err));
    SR_TRY(secp_recover(&h, slice_of(sig.b, 65), &from, err));
    *ret_tx = tx;
    *ret_sig = sig;
    *ret_from = from;
    return SR_OK;
}

/* ---- signer with a key of this process */

static sr_status local_digest(void *ctx, const struct hash *digest, struct sr_signature *ret_sig,
                              struct sr_err *err) {
    return secp_sign(ctx, digest, ret_sig, err);
}

static sr_status local_tx(void *ctx, const struct eth_tx *tx, struct sr_signature *ret_sig,
                          struct sr_err *err) {
    struct hash h;
    SR_TRY(tx_sign_hash(tx, &h, err));
    return secp_sign(ctx, &h, ret_sig, err);
}

sr_status eth_signer_local(const struct sr_secret *key, struct eth_signer *ret,
                           struct sr_err *err) {
    struct addr a;
    SR_TRY(secp_address(key, &a, err));
    *ret = (struct eth_signer){
        .addr = a, .ctx = (void *)(uintptr_t)key, .sign_tx = local_tx, .sign_digest = local_digest};
    return SR_OK;
}

/* ---- addresses */

struct addr_text addr_checksum(const struct addr *a) {
    struct addr_text t = addr_text(a);
    struct hash h = keccak256(slice_of(t.s + 2, 40));
    for (size_t i = 0; i < 40; i++) {
        unsigned nibble = (h.b[i / 2] >> (i % 2 ? 0 : 4)) & 15u;
        char c = t.s[2 + i];
        if (c >= 'a' && nibble >= 8) t.s[2 + i] = (char)(c - 'a' + 'A');
    }
    return t;
}

bool addr_checksum_ok(struct slice text) {
    struct addr a;
    if (!addr_parse(text, &a)) return false;
    bool lower = false, upper = false;
    for (size_t i = 2; i < text.n; i++) {
        lower = lower || (text.p[i] >= 'a' && text.p[i] <= 'f');
        upper = upper || (text.p[i] >= 'A' && text.p[i] <= 'F');
    }
    return !lower || !upper ||
           slice_eq(slice_of(text.p + 2, 40), slice_str(addr_checksum(&a).s + 2));
}

struct addr eth_create_address(const struct addr *from, uint64_t nonce) {
    cleanup_buf struct buf f, out;
    buf_init(&f, 64);
    buf_init(&out, 64);
    rlp_bytes(&f, slice_of(from->b, 20));
    rlp_u64(&f, nonce);
    rlp_list(&out, buf_slice(&f));
    SR_ASSERT(f.bad == SR_OK && out.bad == SR_OK); /* an address of nothing would be worse */
    struct hash h = keccak256(buf_slice(&out));
    struct addr a;
    memcpy(a.b, h.b + 12, 20);
    return a;
}

struct addr eth_create2_address(const struct addr *from, const struct hash *salt,
                                const struct hash *init_code_hash) {
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, SLICE_LIT("\xff"));
    keccak_add(&k, slice_of(from->b, 20));
    keccak_add(&k, slice_of(salt->b, 32));
    keccak_add(&k, slice_of(init_code_hash->b, 32));
    struct hash h = keccak_end(&k);
    struct addr a;
    memcpy(a.b, h.b + 12, 20);
    return a;
}
