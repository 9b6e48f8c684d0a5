/* SPDX-License-Identifier: Apache-2.0 */
#include "room/result.h"
#include "room/door.h"
#include "zip/zip.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COPY_BYTES (128u << 10)

void computed_done(struct computed *c) {
    buf_done(&c->callback);
    *c = (struct computed){0};
}

static sr_status blame(const char **ret_cause, const char *cause, sr_status st) {
    *ret_cause = cause;
    return st;
}

/* Opens a path below the results folder; no link is followed. */
static int open_below(int out_fd, const char *path, uint64_t flags) {
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, out_fd, path, &how, sizeof how);
}

/* ---- lists of files ---- */

struct names {
    char **v;
    size_t n, cap;
};

static void names_done(struct names *l) {
    for (size_t i = 0; i < l->n; i++) free(l->v[i]);
    free(l->v);
    *l = (struct names){0};
}

static sr_status names_add(struct names *l, const char *prefix, const char *name,
                           struct sr_err *err) {
    char *path;
    if (l->n >= RESULT_FILES_MAX)
        return sr_fail(err, SR_E_TOOBIG, "more than %u files in the result", RESULT_FILES_MAX);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        char **v = reallocarray(l->v, cap, sizeof *v);
        if (!v) return sr_fail(err, SR_E_NOMEM, "result");
        l->v = v;
        l->cap = cap;
    }
    if (asprintf(&path, "%s%s%s", prefix, prefix[0] ? "/" : "", name) < 0)
        return sr_fail(err, SR_E_NOMEM, "result");
    l->v[l->n++] = path;
    return SR_OK;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Regular files of one folder (dir is taken), and its folders into `folders`. */
static sr_status list_folder(int take_dir, const char *prefix, struct names *files,
                             struct names *folders, struct sr_err *err) {
    DIR *d = fdopendir(take_dir);
    if (!d) {
        (void)close(take_dir);
        return sr_fail(err, SR_E_SYS, "listing the results");
    }
    sr_status st = SR_OK;
    for (struct dirent *de; st == SR_OK && (de = readdir(d)) != NULL;) {
        struct stat info;
        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0) continue;
        if (fstatat(dirfd(d), de->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            st = sr_fail(err, SR_E_SYS, "looking at the results");
        else if (S_ISREG(info.st_mode))
            st = names_add(files, prefix, de->d_name, err);
        else if (S_ISDIR(info.st_mode) && folders)
            st = names_add(folders, prefix, de->d_name, err);
    }
    (void)closedir(d);
    return st;
}

/* All regular files below out_fd, sorted; level by level, so no recursion. */
static sr_status list_all(int out_fd, struct names *files, struct sr_err *err) {
    struct names level = {0}, next = {0};
    sr_status st = names_add(&level, "", ".", err);
    for (unsigned depth = 0; st == SR_OK && level.n > 0; depth++) {
        if (depth > RESULT_DEPTH_MAX)
            st =
                sr_fail(err, SR_E_TOOBIG, "folders deeper than %u in the result", RESULT_DEPTH_MAX);
        for (size_t i = 0; i < level.n && st == SR_OK; i++) {
            int fd = open_below(out_fd, level.v[i], O_RDONLY | O_DIRECTORY);
            st = fd < 0 ? sr_fail(err, SR_E_SYS, "opening a folder of the results")
                        : list_folder(fd, depth == 0 ? "" : level.v[i], files, &next, err);
        }
        names_done(&level);
        level = next;
        next = (struct names){0};
    }
    names_done(&level);
    if (st == SR_OK && files->n > 1) qsort(files->v, files->n, sizeof *files->v, by_bytes);
    return st;
}

/* ---- computed.json and the digest ---- */

static sr_status read_whole(int fd, struct buf *b, struct sr_err *err) {
    for (;;) {
        uint8_t *p = buf_reserve(b, 16384);
        if (!p) return buf_status(b, err);
        ssize_t n = read(fd, p, 16384);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sr_fail(err, SR_E_SYS, "reading a result file");
        if (n == 0) return SR_OK;
        if (!buf_grow(b, (size_t)n)) return buf_status(b, err);
    }
}

static sr_status file_sha256(int fd, struct hash *ret, struct sr_err *err) {
    struct sha256 s;
    cleanup_free uint8_t *copy = malloc(COPY_BYTES);
    if (!copy) return sr_fail(err, SR_E_NOMEM, "result");
    SR_TRY(sha256_init(&s, err));
    for (;;) {
        ssize_t n = read(fd, copy, COPY_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            sha256_drop(&s);
            return sr_fail(err, SR_E_SYS, "reading a result file");
        }
        if (n == 0) break;
        sha256_add(&s, slice_of(copy, (size_t)n));
    }
    *ret = sha256_end(&s);
    return SR_OK;
}

/* keccak256 over the SHA-256 of each direct child file, in byte order of the names. */
static sr_status folder_digest(int take_dir, struct hash *ret, struct sr_err *err) {
    struct names files = {0};
    struct keccak k;
    cleanup_close int dir = dup(take_dir);
    sr_status st = list_folder(take_dir, "", &files, NULL, err);
    if (files.n > 1) qsort(files.v, files.n, sizeof *files.v, by_bytes);
    keccak_init(&k);
    for (size_t i = 0; i < files.n && st == SR_OK; i++) {
        struct hash h;
        cleanup_close int fd = openat(dir, files.v[i], O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        st = fd < 0 ? sr_fail(err, SR_E_SYS, "opening a result file") : file_sha256(fd, &h, err);
        if (st == SR_OK) keccak_add(&k, slice_of(h.b, 32));
    }
    names_done(&files);
    if (st == SR_OK) *ret = keccak_end(&k);
    return st;
}

/* "/iexec_out/x" -> "x"; NULL when it is not below the results folder. */
static const char *below_out(const char *path) {
    static const char top[] = "/iexec_out";
    if (strncmp(path, top, sizeof top - 1) != 0) return NULL;
    path += sizeof top - 1;
    if (*path != 0 && *path != '/') return NULL;
    while (*path == '/') path++;
    return *path ? path : ".";
}

static sr_status path_digest(int out_fd, const struct json_val *v, struct hash *ret,
                             struct sr_err *err) {
    struct slice text;
    struct stat info;
    if (!json_str(v, &text) || text.n == 0 || text.n > 4096 || memchr(text.p, 0, text.n)) {
        sr_hint(
            err,
            "write {\"deterministic-output-path\": \"/iexec_out/result.txt\"} (a file or folder)");
        return sr_fail(err, SR_E_TASK, "computed.json has no deterministic-output-path");
    }
    cleanup_free char *path = slice_dup(text);
    if (!path) return sr_fail(err, SR_E_NOMEM, "result");
    const char *below = below_out(path);
    int fd = below ? open_below(out_fd, below, O_RDONLY | O_NONBLOCK) : -1;
    if (fd < 0 || fstat(fd, &info) != 0) {
        if (fd >= 0) (void)close(fd);
        return sr_fail(err, SR_E_TASK, "computed.json names %s, which is not below /iexec_out",
                       log_q(text).s);
    }
    if (S_ISDIR(info.st_mode)) return folder_digest(fd, ret, err);
    sr_status st = S_ISREG(info.st_mode)
                       ? file_sha256(fd, ret, err)
                       : sr_fail(err, SR_E_TASK, "computed.json names neither a file nor a folder");
    (void)close(fd);
    return st;
}

static sr_status callback_digest(const struct json_val *v, struct computed *c, struct sr_err *err) {
    struct slice text;
    buf_init(&c->callback, DOOR_CALLBACK_MAX);
    if (!json_str(v, &text) || !hex_decode_buf(text, &c->callback) || c->callback.n == 0) {
        if (c->callback.bad != SR_OK) return buf_status(&c->callback, err);
        return sr_fail(err, SR_E_TASK,
                       "computed.json has no callback-data in hex, and the deal has a callback");
    }
    c->digest = keccak256(buf_slice(&c->callback));
    return SR_OK;
}

sr_status result_compute(int out_fd, bool has_callback, struct computed *ret,
                         const char **ret_cause, struct sr_err *err) {
    cleanup_buf struct buf text;
    cleanup_json struct json *doc = NULL;
    struct computed c = {0};
    buf_init(&text, RESULT_COMPUTED_MAX);
    cleanup_close int fd = open_below(out_fd, "computed.json", O_RDONLY | O_NONBLOCK);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        sr_hint(err, "an app must write IEXEC_OUT/computed.json before it ends");
        return blame(ret_cause, "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND",
                     sr_fail(err, SR_E_TASK, "the app wrote no computed.json"));
    }
    sr_status st = read_whole(fd, &text, err);
    if (st == SR_OK) st = json_parse(buf_slice(&text), &doc, err);
    if (st == SR_OK && !json_is(json_root(doc), JSON_OBJECT))
        st = sr_fail(err, SR_E_MALFORMED, "not an object");
    if (st != SR_OK) {
        sr_err_prefix(err, "computed.json");
        return blame(ret_cause, "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND", st);
    }
    st = has_callback ? callback_digest(json_get(json_root(doc), "callback-data"), &c, err)
                      : path_digest(out_fd, json_get(json_root(doc), "deterministic-output-path"),
                                    &c.digest, err);
    if (st != SR_OK) {
        computed_done(&c);
        return blame(ret_cause, "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED", st);
    }
    *ret = c;
    return SR_OK;
}

/* ---- the archive ---- */

static sr_status check_names(const struct names *files, struct sr_err *err) {
    for (size_t i = 0; i < files->n; i++) {
        const char *slash = strrchr(files->v[i], '/'), *name = slash ? slash + 1 : files->v[i];
        if (strlen(name) > RESULT_NAME_MAX)
            return sr_fail(err, SR_E_TASK, "the result file name %s is longer than %u bytes",
                           log_q(slice_str(name)).s, RESULT_NAME_MAX);
    }
    return SR_OK;
}

static sr_status zip_one(struct zip_writer *z, int out_fd, const char *path, uint8_t *copy,
                         struct sr_err *err) {
    struct stat info;
    cleanup_close int fd = open_below(out_fd, path, O_RDONLY);
    if (fd < 0 || fstat(fd, &info) != 0) return sr_fail(err, SR_E_SYS, "opening a result file");
    SR_TRY(zip_begin(z, slice_str(path), ZIP_DEFLATED, NULL, (uint64_t)info.st_size, err));
    for (;;) {
        ssize_t n = read(fd, copy, COPY_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sr_fail(err, SR_E_SYS, "reading a result file");
        if (n == 0) return zip_end(z, err);
        SR_TRY(zip_write(z, slice_of(copy, (size_t)n), err));
    }
}

static sr_status zip_all(int out_fd, const struct names *files, zip_sink_fn sink, void *arg,
                         struct sr_err *err) {
    struct zip_writer *z = NULL;
    cleanup_free uint8_t *copy = malloc(COPY_BYTES);
    if (!copy) return sr_fail(err, SR_E_NOMEM, "result");
    sr_status st = zip_writer_new(sink, arg, 0, &z, err);
    for (size_t i = 0; i < files->n && st == SR_OK; i++)
        st = zip_one(z, out_fd, files->v[i], copy, err);
    if (st == SR_OK) st = zip_finish(z, err);
    zip_writer_free(z);
    return st;
}

/* ---- its encryption: a zip of aes-key.rsa and iexec_out.zip.aes ---- */

struct crypt {
    struct zip_writer *outer;
    struct aes_cbc aes;
    struct buf out;
};

static sr_status crypt_sink(void *arg, struct slice data, struct sr_err *err) {
    struct crypt *c = arg;
    while (data.n > 0) {
        size_t take = data.n < COPY_BYTES ? data.n : COPY_BYTES, n;
        buf_clear(&c->out);
        uint8_t *p = buf_reserve(&c->out, take + AES_IV_BYTES);
        if (!p) return buf_status(&c->out, err);
        SR_TRY(aes_cbc_add(&c->aes, slice_of(data.p, take), p, &n, err));
        SR_TRY(zip_write(c->outer, slice_of(p, n), err));
        data = slice_of(data.p + take, data.n - take);
    }
    return SR_OK;
}

/* No archive of these files is longer: decides whether zip64 forms, which some clients cannot read,
 * are needed. */
static uint64_t archive_bound(int out_fd, const struct names *files) {
    uint64_t sum = 1024;
    for (size_t i = 0; i < files->n; i++) {
        struct stat info;
        if (fstatat(out_fd, files->v[i], &info, AT_SYMLINK_NOFOLLOW) != 0) return UINT64_MAX;
        uint64_t size = (uint64_t)info.st_size;
        sum += size + size / 512 + 512 + 2 * strlen(files->v[i]);
    }
    return sum;
}

static sr_status encrypt_all(struct crypt *c, int out_fd, const struct names *files,
                             const char *public_pem, const char **ret_cause, struct sr_err *err) {
    cleanup_secret struct sr_secret key = {0};
    cleanup_buf struct buf sealed_key;
    uint8_t iv[AES_IV_BYTES], last[AES_IV_BYTES];
    size_t n;
    buf_init(&sealed_key, 1000);
    SR_TRY(secret_new(AES_KEY_BYTES, &key, err));
    SR_TRY(random_bytes(key.p, key.n, err));
    SR_TRY(random_bytes(iv, sizeof iv, err));
    sr_status st = rsa_encrypt(slice_str(public_pem), secret_slice(&key), &sealed_key, err);
    if (st != SR_OK)
        return blame(ret_cause,
                     st == SR_E_MALFORMED ? "POST_COMPUTE_MALFORMED_ENCRYPTION_PUBLIC_KEY"
                     : st == SR_E_CRYPTO  ? "POST_COMPUTE_ENCRYPTION_FAILED"
                                          : *ret_cause,
                     st);
    SR_TRY(zip_file(c->outer, SLICE_LIT("aes-key.rsa"), ZIP_STORED, buf_slice(&sealed_key), err));
    SR_TRY(zip_begin(c->outer, SLICE_LIT("iexec_out.zip.aes"), ZIP_STORED, NULL,
                     archive_bound(out_fd, files), err));
    SR_TRY(zip_write(c->outer, slice_of(iv, sizeof iv), err));
    SR_TRY(aes_cbc_init(&c->aes, true, &key, iv, err));
    SR_TRY(zip_all(out_fd, files, crypt_sink, c, err));
    SR_TRY(aes_cbc_end(&c->aes, last, &n, err));
    SR_TRY(zip_write(c->outer, slice_of(last, n), err));
    SR_TRY(zip_end(c->outer, err));
    return zip_finish(c->outer, err);
}

sr_status result_archive(int out_fd, const char *public_pem, result_sink sink, void *arg,
                         const char **ret_cause, struct sr_err *err) {
    struct names files = {0};
    *ret_cause = "POST_COMPUTE_OUT_FOLDER_ZIP_FAILED";
    sr_status st = list_all(out_fd, &files, err);
    if (st == SR_OK && check_names(&files, err) != SR_OK)
        st = blame(ret_cause, "POST_COMPUTE_TOO_LONG_RESULT_FILE_NAME", SR_E_TASK);
    if (st == SR_OK && !public_pem) st = zip_all(out_fd, &files, sink, arg, err);
    if (st == SR_OK && public_pem) {
        struct crypt c = {0};
        buf_init(&c.out, COPY_BYTES + 2 * AES_IV_BYTES);
        st = zip_writer_new(sink, arg, 0, &c.outer, err);
        if (st == SR_OK) st = encrypt_all(&c, out_fd, &files, public_pem, ret_cause, err);
        aes_cbc_drop(&c.aes);
        zip_writer_free(c.outer);
        buf_done(&c.out);
    }
    names_done(&files);
    return st;
}
