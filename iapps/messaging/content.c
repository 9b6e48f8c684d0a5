/* SPDX-License-Identifier: Apache-2.0 */
/* The message: proven to be what its address says, then decrypted; never garbage. */
#include "crypto/crypto.h"
#include "ipfs/ipfs.h"
#include "messaging/messaging.h"

bool msg_is_utf8(struct slice s) {
    for (size_t i = 0; i < s.n;) {
        uint8_t c = s.p[i];
        size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : 3;
        if (c >= 0x80 && (c < 0xc2 || c > 0xf4)) return false;
        if (s.n - i <= more) return false;
        for (size_t k = 1; k <= more; k++)
            if ((s.p[i + k] & 0xc0) != 0x80) return false;
        if (more > 1) { /* no longer form than needed, no surrogate, nothing beyond U+10FFFF */
            uint8_t d = s.p[i + 1];
            if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d >= 0xa0) || (c == 0xf0 && d < 0x90) ||
                (c == 0xf4 && d >= 0x90))
                return false;
        }
        i += more + 1;
    }
    return true;
}

static sr_status cannot(struct sr_err *err, const char *why) {
    sr_hint(err, "%s", why);
    return sr_fail(err, SR_E_CRYPTO, "Failed to decrypt content");
}

static sr_status decrypt(struct slice sealed, const struct sr_secret *key, struct buf *ret,
                         struct sr_err *err) {
    struct aes_cbc c = {0};
    size_t n = 0, last = 0;
    struct slice body = slice_of(sealed.p + AES_IV_BYTES, sealed.n - AES_IV_BYTES);
    uint8_t *out = buf_reserve(ret, body.n + 2 * AES_IV_BYTES);
    SR_TRY(buf_status(ret, err));
    struct sr_err why = {0};
    sr_status st = aes_cbc_init(&c, false, key, sealed.p, &why);
    if (st == SR_OK) st = aes_cbc_add(&c, body, out, &n, &why);
    if (st == SR_OK) st = aes_cbc_end(&c, out + n, &last, &why);
    aes_cbc_drop(&c);
    if (st != SR_OK) return cannot(err, "its key does not open it");
    (void)buf_grow(ret, n + last);
    return buf_status(ret, err);
}

sr_status msg_content_open(struct slice sealed, struct slice secret_key_base64,
                           struct buf *ret_secret_text, struct sr_err *err) {
    cleanup_buf_wipe struct buf raw;
    cleanup_secret struct sr_secret key = {0};
    buf_init(&raw, AES_KEY_BYTES + 4);
    if (!base64_decode(secret_key_base64, &raw) || raw.bad != SR_OK || raw.n != AES_KEY_BYTES)
        return cannot(err, "its key is not one of 256 bits");
    if (sealed.n < 2 * AES_IV_BYTES || sealed.n % AES_IV_BYTES != 0)
        return cannot(err, "it is not whole blocks after an initial vector");
    SR_TRY(secret_from(raw.p, raw.n, &key, err));
    cleanup_buf_wipe struct buf text;
    buf_init(&text, MSG_MAX_CONTENT + 64);
    SR_TRY(decrypt(sealed, &key, &text, err));
    /* A wrong key passes the padding's check once in 256 times; it does not make text. */
    if (!msg_is_utf8(buf_slice(&text))) return cannot(err, "what its key opens is no text");
    buf_add(ret_secret_text, buf_slice(&text));
    return buf_status(ret_secret_text, err);
}

sr_status msg_content_check(struct slice multiaddr, struct slice sealed, struct sr_err *err) {
    struct cid want;
    struct slice below;
    struct dag_result is;
    struct sr_err none = {0};
    if (ipfs_path_parse(multiaddr, &want, &below, &none) != SR_OK || below.n > 0) return SR_OK;
    if (want.codec == CID_RAW) {
        struct hash h = sha256(sealed);
        if (hash_eq(&h, &want.digest)) return SR_OK;
    } else if (want.version == 0) {
        SR_TRY(dag_of_bytes(sealed, &is, err));
        if (cid_eq(&is.cid, &want)) return SR_OK;
    } else {
        return SR_OK; /* a tree of version 1 may have leaves of several kinds */
    }
    sr_hint(err, "the gateway gave other bytes than the content's address names");
    return sr_fail(err, SR_E_CRYPTO, "the content is not what its address says");
}
