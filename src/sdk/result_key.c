/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RSA-4096 key that results are encrypted for: <keystore>/<checksummed address>_key (PKCS#8,
 * 0600) and _key.pub, the names of the official command line. SPEC:
 * sdk-formats.md#4-result-encryption
 */
#include "base/failure.h"
#include "sdk/sdk_int.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define RESULT_KEY_BITS 4096
#define MAKE_MS         120000 /* another process may be making it: minutes on a slow machine */

static char *key_path(const struct sr_client *c, const struct addr *who, const char *suffix) {
    char name[80];
    (void)snprintf(name, sizeof name, "%s%s", addr_checksum(who).s, suffix);
    return path_join(c->keystore, name);
}

sr_status result_key_secret(struct sr_client *c, const struct addr *who, struct buf *ret_secret_pem,
                            struct sr_err *err) {
    cleanup_free char *path = key_path(c, who, "_key");
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    sr_status st = fs_read(path, ret_secret_pem, err);
    if (st == SR_E_NOTFOUND) sr_why(err, SR_F_RESULT_KEY_FOREIGN);
    if (st == SR_E_NOTFOUND)
        sr_hint(err, "only the keystore folder that made the run can decrypt: --keystore DIR");
    return st;
}

struct make {
    struct buf secret, public;
    sr_status st;
    struct sr_err err;
};

static void make_pair(void *arg) {
    struct make *m = arg;
    m->st = rsa_generate(RESULT_KEY_BITS, &m->secret, &m->public, &m->err);
}

static sr_status make_and_keep(struct sr_client *c, const struct addr *who, struct buf *ret_pem,
                               struct sr_err *err) {
    cleanup_free char *secret = key_path(c, who, "_key"), *public = key_path(c, who, "_key.pub");
    if (!secret || !public) return sr_fail(err, SR_E_NOMEM, "out of memory");
    struct make m = {0};
    buf_init(&m.secret, 16384);
    buf_init(&m.public, 4096);
    sdk_progress(c, "result key", NULL, 0, 0, NULL);
    sr_status st = fiber_offload(make_pair, &m, err);
    if (st == SR_OK && m.st != SR_OK) {
        st = m.st;
        if (err) *err = m.err;
    }
    if (st == SR_OK) st = fs_mkdirs(c->keystore, 0700, err);
    if (st == SR_OK) st = fs_write_atomic(secret, buf_slice(&m.secret), 0600, err);
    if (st == SR_OK) st = fs_write_atomic(public, buf_slice(&m.public), 0644, err);
    if (st == SR_OK) buf_add(ret_pem, buf_slice(&m.public));
    buf_wipe(&m.secret);
    buf_done(&m.public);
    return st != SR_OK ? st : buf_status(ret_pem, err);
}

sr_status result_key_public(struct sr_client *c, struct buf *ret_pem, struct sr_err *err) {
    cleanup_buf_wipe struct buf secret;
    buf_init(&secret, 16384);
    cleanup_free char *path = key_path(c, &c->me, "_key");
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    if (!fs_exists(path)) { /* two first runs at once must not make two keys */
        cleanup_close int lock = sdk_lock(c, "result-key", MAKE_MS);
        (void)lock; /* held to the end of the block */
        if (!fs_exists(path)) return make_and_keep(c, &c->me, ret_pem, err);
    }
    SR_TRY(fs_read(path, &secret, err));
    sr_status st = rsa_public_of(buf_slice(&secret), ret_pem, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "%s", path);
        sr_hint(err, "move that file away: a new key is made by the next run");
    }
    return st;
}

sr_status result_key_push(struct sr_client *c, struct sr_err *err) {
    struct sms_name n = {.kind = SECRET_WEB2, .target = c->me, .name = SDK_RESULT_KEY};
    cleanup_buf struct buf pem, text;
    buf_init(&pem, 4096);
    buf_init(&text, 8192);
    SR_TRY(result_key_public(c, &pem, err));
    base64_encode(&text, buf_slice(&pem));
    SR_TRY(buf_status(&text, err));
    return sms_put(c, &n, buf_slice(&text), true, err);
}
