/* SPDX-License-Identifier: Apache-2.0 */
/* Archives into folders; nothing outside the folder is touched, nothing in it overwritten. */
#include "sdk/sdk_int.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SEGMENT_MAX 255

sr_status sdk_temp_file(const char *dir, int *ret_fd, struct sr_err *err) {
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* a file system without unnamed files */
        char path[1024];
        if (snprintf(path, sizeof path, "%s/.strongroom-XXXXXX", dir) >= (int)sizeof path)
            return sr_fail(err, SR_E_TOOBIG, "the folder's name is too long");
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0) (void)unlink(path);
    }
    if (fd < 0) return sr_fail(err, SR_E_SYS, "can't write into %s", dir);
    *ret_fd = fd;
    return SR_OK;
}

struct out {
    int fd;
    uint64_t bytes;
};

static sr_status to_file(void *arg, struct slice data, struct sr_err *err) {
    struct out *o = arg;
    o->bytes += data.n;
    return fd_write_all(o->fd, data.p, data.n, err);
}

/* Opens the folder of name below root, making what is missing and following no link; *ret_last is
 * the last segment. */
static sr_status enter(int root, struct slice name, int *ret_fd, char ret_last[SEGMENT_MAX + 1],
                       struct sr_err *err) {
    int at = dup(root);
    if (at < 0) return sr_fail(err, SR_E_SYS, "out of descriptors");
    struct slice head, rest = name;
    while (slice_cut(rest, '/', &head, &rest)) {
        char segment[SEGMENT_MAX + 1];
        text_put(segment, sizeof segment, head);
        if (mkdirat(at, segment, 0700) != 0 && errno != EEXIST) {
            (void)close(at);
            return sr_fail(err, SR_E_SYS, "can't make the folder %s", segment);
        }
        int next = openat(at, segment, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        (void)close(at);
        if (next < 0) return sr_fail(err, SR_E_SYS, "can't open the folder %s", segment);
        at = next;
    }
    text_put(ret_last, SEGMENT_MAX + 1, head);
    *ret_fd = at;
    return SR_OK;
}

static sr_status extract(int root, const struct zip_reader *z, const struct zip_item *item,
                         uint64_t *ret_bytes, struct sr_err *err) {
    char last[SEGMENT_MAX + 1];
    cleanup_close int folder = -1;
    SR_TRY(enter(root, item->name, &folder, last, err));
    if (item->folder) return SR_OK;
    cleanup_close int fd =
        openat(folder, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        if (errno == EEXIST) sr_hint(err, "choose another folder with -o");
        return sr_fail(err, errno == EEXIST ? SR_E_CONFLICT : SR_E_SYS, "can't make %.*s",
                       (int)item->name.n, (const char *)item->name.p);
    }
    struct out o = {fd, 0};
    SR_TRY(zip_extract(z, item, to_file, &o, err));
    *ret_bytes += o.bytes;
    return SR_OK;
}

sr_status sdk_unpack_free(int root, const char *dir, const struct zip_item *item,
                          struct sr_err *err) {
    char name[ZIP_NAME_MAX + 1];
    struct stat s;
    text_put(name, sizeof name, item->name);
    if (item->folder || fstatat(root, name, &s, AT_SYMLINK_NOFOLLOW) != 0) return SR_OK;
    sr_hint(err, "choose another folder with -o");
    return sr_fail(err, SR_E_CONFLICT, "%s/%s exists already", dir, name);
}

sr_status sdk_unpack_name(int root, const struct zip_item *item, int fd, struct sr_err *err) {
    char last[SEGMENT_MAX + 1], unnamed[32];
    cleanup_close int folder = -1;
    SR_TRY(enter(root, item->name, &folder, last, err));
    if (item->folder) return SR_OK;
    (void)snprintf(unnamed, sizeof unnamed, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, unnamed, folder, last, AT_SYMLINK_FOLLOW) == 0) return SR_OK;
    if (errno == EEXIST) sr_hint(err, "choose another folder with -o");
    return sr_fail(err, errno == EEXIST ? SR_E_CONFLICT : SR_E_SYS, "can't make %.*s",
                   (int)item->name.n, (const char *)item->name.p);
}

/* Few bytes can say that they are very many. */
static sr_status open_archive(int zip_fd, int root, uint64_t max_bytes, struct zip_reader **ret,
                              struct sr_err *err) {
    struct statvfs v;
    uint64_t room = max_bytes;
    if (room == 0)
        room = fstatvfs(root, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize + 1 : UINT64_MAX;
    struct zip_limits limits = {.total_bytes = room};
    sr_status st = zip_open_fd(zip_fd, &limits, ret, err);
    if (st == SR_E_TOOBIG)
        sr_hint(err, "make room on the disk, or choose a folder on another with -o");
    return st;
}

sr_status sdk_unpack(int zip_fd, const char *dir, uint64_t max_bytes, size_t *ret_files,
                     uint64_t *ret_bytes, struct sr_err *err) {
    struct zip_reader *z = NULL;
    cleanup_close int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return sr_fail(err, SR_E_SYS, "can't open the folder %s", dir);
    SR_TRY(open_archive(zip_fd, root, max_bytes, &z, err));
    sr_status st = SR_OK;
    size_t files = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < zip_count(z) && st == SR_OK; i++) { /* before anything is written */
        st = sdk_unpack_free(root, dir, zip_item_at(z, i), err);
    }
    for (size_t i = 0; i < zip_count(z) && st == SR_OK; i++) {
        const struct zip_item *item = zip_item_at(z, i);
        st = extract(root, z, item, &bytes, err);
        files += !item->folder;
    }
    zip_reader_free(z);
    if (st != SR_OK) return st;
    *ret_files = files;
    *ret_bytes = bytes;
    return SR_OK;
}

/* ---- decrypting ---------------------------------------------------------------------------------
 */

struct plain {
    struct aes_cbc aes;
    struct sr_secret key;
    uint8_t iv[AES_IV_BYTES];
    size_t iv_n;
    int fd;
    uint8_t out[32 * 1024 + 32];
};

static sr_status decrypt_some(void *arg, struct slice data, struct sr_err *err) {
    struct plain *p = arg;
    size_t n;
    if (p->iv_n < AES_IV_BYTES) {
        size_t take = AES_IV_BYTES - p->iv_n < data.n ? AES_IV_BYTES - p->iv_n : data.n;
        memcpy(p->iv + p->iv_n, data.p, take);
        p->iv_n += take;
        data = slice_of(data.p + take, data.n - take);
        if (p->iv_n == AES_IV_BYTES) SR_TRY(aes_cbc_init(&p->aes, false, &p->key, p->iv, err));
    }
    while (data.n > 0) {
        size_t take = data.n < 32 * 1024 ? data.n : 32 * 1024;
        SR_TRY(aes_cbc_add(&p->aes, slice_of(data.p, take), p->out, &n, err));
        SR_TRY(fd_write_all(p->fd, p->out, n, err));
        data = slice_of(data.p + take, data.n - take);
    }
    return SR_OK;
}

sr_status sdk_result_key(struct slice secret_pem, struct slice sealed, struct sr_secret *ret_key,
                         struct sr_err *err) {
    cleanup_buf_wipe struct buf secret;
    buf_init(&secret, 1024);
    if (rsa_decrypt(secret_pem, sealed, &secret, NULL) != SR_OK || secret.n != AES_KEY_BYTES) {
        sr_hint(err,
                "the result was encrypted for another key: another --keystore or beneficiary?");
        return sr_fail(err, SR_E_CRYPTO, "Failed to decrypt results key with beneficiary key");
    }
    return secret_from(secret.p, secret.n, ret_key, err);
}

static sr_status decrypt_all(struct plain *p, const struct zip_reader *outer,
                             struct slice secret_pem, struct sr_err *err) {
    const struct zip_item *key = zip_find(outer, "aes-key.rsa"),
                          *body = zip_find(outer, "iexec_out.zip.aes");
    if (!key) return sr_fail(err, SR_E_MALFORMED, "Missing aes-key.rsa file in zip input file");
    if (!body)
        return sr_fail(err, SR_E_MALFORMED, "Missing iexec_out.zip.aes file in zip input file");
    cleanup_buf struct buf sealed;
    struct sr_err why = {0};
    size_t n;
    buf_init(&sealed, 1000);
    SR_TRY(zip_extract_bytes(outer, key, &sealed, err));
    SR_TRY(sdk_result_key(secret_pem, buf_slice(&sealed), &p->key, err));
    SR_TRY(zip_extract(outer, body, decrypt_some, p, err));
    sr_status st = p->iv_n == AES_IV_BYTES ? aes_cbc_end(&p->aes, p->out, &n, &why) : SR_E_CRYPTO;
    if (st != SR_OK)
        return sr_fail(err, SR_E_CRYPTO, "Failed to decrypt results with decrypted results key");
    return fd_write_all(p->fd, p->out, n, err);
}

sr_status sdk_decrypt_result(const struct zip_reader *outer, struct slice secret_pem, int plain_fd,
                             struct sr_err *err) {
    struct plain *p = sr_calloc_n(1, sizeof *p);
    if (!p) return sr_fail(err, SR_E_NOMEM, "out of memory");
    p->fd = plain_fd;
    sr_status st = decrypt_all(p, outer, secret_pem, err);
    aes_cbc_drop(&p->aes);
    secret_free(&p->key);
    explicit_bzero(p, sizeof *p);
    free(p);
    return st;
}
