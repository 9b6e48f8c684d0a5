/* SPDX-License-Identifier: Apache-2.0 */
/* A nonce: u64 time it ends ‖ 8 random bytes ‖ 16 bytes of HMAC over both and the task. */
#include "sms/sms_int.h"

/* The key outlives a restart, so that a restart costs no assignment. Who steals it can pass off old
 * evidence as fresh, no more; that an assignment is used once is the database's care. */
sr_status nonces_init(struct nonces *n, struct db *db, struct sr_err *err) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, sizeof n->key);
    sr_status st =
        db_get_bytes(db, "SELECT value FROM kept WHERE name = 'nonce key'", DB_NO_ARGS, &b, NULL);
    if (st == SR_OK && b.n == sizeof n->key) {
        memcpy(n->key, b.p, sizeof n->key);
        return SR_OK;
    }
    if (st != SR_OK && st != SR_E_NOTFOUND) return sr_fail(err, st, "read the nonces' key");
    SR_TRY(random_bytes(n->key, sizeof n->key, err));
    return db_run(db, "INSERT INTO kept (name, value) VALUES ('nonce key', $1)",
                  DB_ARGS(db_blob(slice_of(n->key, sizeof n->key))), err);
}

static void tag_of_nonce(const struct nonces *n, const struct hash *task, const uint8_t head[16],
                         uint8_t ret_tag[16]) {
    uint8_t text[16 + sizeof task->b], mac[32];
    memcpy(text, head, 16);
    memcpy(text + 16, task->b, sizeof task->b);
    hmac_sha256(slice_of(n->key, sizeof n->key), slice_of(text, sizeof text), mac);
    memcpy(ret_tag, mac, 16);
}

sr_status nonce_make(const struct nonces *n, const struct hash *task, uint64_t now_s,
                     struct hash *ret_nonce, struct sr_err *err) {
    struct hash h;
    uint64_t ends = now_s + WIRE_NONCE_LIFE_S;
    for (unsigned i = 0; i < 8; i++) h.b[i] = (uint8_t)(ends >> (56 - 8 * i));
    SR_TRY(random_bytes(h.b + 8, 8, err));
    tag_of_nonce(n, task, h.b, h.b + 16);
    *ret_nonce = h;
    return SR_OK;
}

bool nonce_check(const struct nonces *n, const struct hash *task, const struct hash *nonce,
                 uint64_t now_s) {
    uint8_t tag[16];
    struct rd r = rd_of(slice_of(nonce->b, 8));
    uint64_t ends = rd_u64(&r);
    tag_of_nonce(n, task, nonce->b, tag);
    return ct_equal(tag, nonce->b + 16, sizeof tag) && now_s <= ends;
}
