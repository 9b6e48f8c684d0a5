/* SPDX-License-Identifier: Apache-2.0 */
/* Protected data with the key in hand: open it here, or store the key where rooms get it. */
#include "sdk/sdk_int.h"
#include <sys/stat.h>
#include <unistd.h>

sr_status pd_key_of(const char *text, struct sr_secret *ret, struct sr_err *err) {
    cleanup_buf_wipe struct buf raw;
    buf_init(&raw, 64);
    if (!base64_decode(slice_trim(slice_str(text)), &raw) || raw.n != AES_KEY_BYTES) {
        BUF_TRY_MEMORY(&raw, err);
        sr_hint(err, "as data protect --key-out wrote it, or the JavaScript SDK returned it");
        return sr_fail(err, SR_E_MALFORMED, "a data key is 32 bytes in base64");
    }
    return secret_from(raw.p, raw.n, ret, err);
}

struct open_args {
    struct sr_client *c;
    const char *data, *key, *dir;
    struct sr_result *ret;
};

static sr_status push(void *arg, struct sr_err *err) {
    struct open_args *a = arg;
    struct sms_name n = {.kind = SECRET_WEB3, .name = ""};
    cleanup_secret struct sr_secret key = {0};
    cleanup_buf_wipe struct buf text;
    buf_init(&text, 64);
    SR_TRY(pd_key_of(a->key, &key, err));
    SR_TRY(sdk_addr_arg(a->data, "data", &n.target, err));
    SR_TRY(sdk_chain(a->c, err));
    SR_TRY(sdk_unlock(a->c, err));
    base64_encode(&text, secret_slice(&key));
    SR_TRY(buf_status(&text, err));
    return sms_put(a->c, &n, buf_slice(&text), false, err);
}

sr_status sr_data_push_key(struct sr_client *c, const char *data, const char *secret_key,
                           struct sr_err *err) {
    struct open_args a = {.c = c, .data = data, .key = secret_key};
    return sdk_call(c, push, &a, err);
}

struct plain {
    struct sr_client *c;
    const struct sr_secret *key;
    struct sha256 sum;
    struct aes_cbc aes;
    uint8_t iv[AES_IV_BYTES];
    size_t n_iv;
    bool started;
    int fd;
    uint64_t done;
    struct buf out;
};

static sr_status decrypt(void *arg, struct slice data, struct sr_err *err) {
    struct plain *p = arg;
    size_t n;
    sha256_add(&p->sum, data);
    p->done += data.n;
    sdk_progress(p->c, "download", NULL, p->done, 0, NULL);
    if (p->n_iv < AES_IV_BYTES) {
        size_t take = AES_IV_BYTES - p->n_iv < data.n ? AES_IV_BYTES - p->n_iv : data.n;
        memcpy(p->iv + p->n_iv, data.p, take);
        p->n_iv += take;
        data = slice_of(data.p + take, data.n - take);
        if (p->n_iv < AES_IV_BYTES) return SR_OK;
        SR_TRY(aes_cbc_init(&p->aes, false, p->key, p->iv, err));
        p->started = true;
    }
    if (data.n == 0) return SR_OK;
    buf_clear(&p->out);
    uint8_t *to = buf_reserve(&p->out, data.n + AES_IV_BYTES);
    if (!to) return buf_status(&p->out, err);
    SR_TRY(aes_cbc_add(&p->aes, data, to, &n, err));
    return fd_write_all(p->fd, to, n, err);
}

static sr_status finish(struct plain *p, const struct hash *checksum, struct sr_err *err) {
    uint8_t last[AES_IV_BYTES];
    size_t n;
    struct hash got = sha256_end(&p->sum);
    if (!hash_eq(&got, checksum))
        return sr_fail(err, SR_E_CRYPTO,
                       "the stored data is not what its checksum on the chain says");
    if (!p->started || aes_cbc_end(&p->aes, last, &n, NULL) != SR_OK)
        return sr_fail(err, SR_E_CRYPTO, "this key does not open that data");
    sr_status st = fd_write_all(p->fd, last, n, err);
    explicit_bzero(last, sizeof last);
    return st;
}

static sr_status fetch(struct open_args *a, const struct poco_dataset *ds, struct plain *p,
                       struct sr_err *err) {
    cleanup_buf struct buf where;
    struct ipfs_get_opts o = {.unverified = true}; /* the checksum is the chain's */
    buf_init(&where, MULTIADDR_MAX * 2);
    SR_TRY(multiaddr_text(ds->multiaddr, &where, err));
    SR_TRY(sha256_init(&p->sum, err));
    SR_TRY(sdk_temp_file(a->dir, &p->fd, err));
    SR_TRY(ipfs_get(a->c->net.ipfs_gateway, buf_slice(&where), &o, decrypt, p, err));
    return finish(p, &ds->checksum, err);
}

static sr_status open_data(void *arg, struct sr_err *err) {
    struct open_args *a = arg;
    struct sr_client *c = a->c;
    struct addr data;
    struct poco_dataset ds = {0};
    cleanup_secret struct sr_secret key = {0};
    struct plain p = {.c = c, .key = &key, .fd = -1};
    SR_TRY(pd_key_of(a->key, &key, err));
    SR_TRY(sdk_addr_arg(a->data, "data", &data, err));
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_service(c, c->net.ipfs_gateway, "ipfsGateway", err));
    SR_TRY(poco_view_dataset(&c->poco, &data, (struct eth_at){0}, &ds, err));
    sr_status st = fs_mkdirs(a->dir, 0700, err);
    buf_init(&p.out, 8u << 20);
    if (st == SR_OK) st = fetch(a, &ds, &p, err);
    if (st == SR_OK) {
        TEXT_PUT(a->ret->dir, slice_str(a->dir));
        a->ret->was_encrypted = true;
        st = sdk_unpack(p.fd, a->dir, 0, &a->ret->files, &a->ret->bytes, err);
    }
    aes_cbc_drop(&p.aes);
    sha256_drop(&p.sum);
    buf_wipe(&p.out);
    if (p.fd >= 0) (void)close(p.fd);
    poco_dataset_done(&ds);
    return st;
}

sr_status sr_data_open(struct sr_client *c, const char *data, const char *secret_key,
                       const char *out_dir, struct sr_result *ret_r, struct sr_err *err) {
    struct sr_result r = {0};
    struct open_args a = {.c = c, .data = data, .key = secret_key, .dir = out_dir, .ret = &r};
    SR_TRY(sdk_call(c, open_data, &a, err));
    *ret_r = r;
    return SR_OK;
}
