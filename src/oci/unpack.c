/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci_int.h"
#include "oci/tar.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#define DEFAULT_MAX_BYTES   (8ull << 30)
#define DEFAULT_MAX_ENTRIES 1000000u
#define IN_BYTES            (128u * 1024)
#define REMOVE_MAX_DEPTH    512u
#define MADE_MAX            (256u << 20) /* bytes of names that one layer made */

/* ---- the bytes of a layer: blob digest, gzip, content digest ---- */

struct layer_stream {
    struct oci_image *img;
    const struct oci_layer *layer;
    uint64_t off, left; /* of the blob */
    uint64_t out_max;   /* content bytes still allowed */
    struct sha256 blob_sum, diff_sum;
    bool forget; /* no later layer is of the same blob */
    bool zlib_on, member_open;
    z_stream z;
    uint8_t *in;
};

static void stream_done(struct layer_stream *s) {
    if (s->zlib_on) (void)inflateEnd(&s->z);
    sha256_drop(&s->blob_sum);
    sha256_drop(&s->diff_sum);
    free(s->in);
    *s = (struct layer_stream){0};
}

/* Images do hold the same (often empty) layer twice. */
static bool is_last_use(const struct oci_image *img, const struct oci_layer *layer) {
    for (const struct oci_layer *y = layer + 1; y < img->layers + img->n_layers; y++)
        if (y->blob.off == layer->blob.off) return false;
    return true;
}

static sr_status stream_init(struct layer_stream *s, struct oci_image *img,
                             const struct oci_layer *layer, uint64_t out_max, struct sr_err *err) {
    *s = (struct layer_stream){.img = img,
                               .layer = layer,
                               .off = layer->blob.off,
                               .left = layer->blob.size,
                               .out_max = out_max};
    s->forget = img->src.forget && is_last_use(img, layer);
    SR_TRY(sha256_init(&s->blob_sum, err));
    if (!layer->gzip) return SR_OK;
    SR_TRY(sha256_init(&s->diff_sum, err));
    s->in = malloc(IN_BYTES);
    if (!s->in || inflateInit2(&s->z, 15 + 16) != Z_OK)
        return sr_fail(err, SR_E_NOMEM, "unpacking a layer");
    s->zlib_on = true;
    return SR_OK;
}

static sr_status blob_read(struct layer_stream *s, void *p, size_t n, size_t *ret_n,
                           struct sr_err *err) {
    size_t take = s->left < n ? (size_t)s->left : n;
    if (take > 0) SR_TRY(s->img->src.read_at(s->img->src.arg, s->off, p, take, err));
    sha256_add(&s->blob_sum, slice_of(p, take));
    if (s->forget && take > 0) s->img->src.forget(s->img->src.arg, s->off, take);
    s->off += take;
    s->left -= take;
    *ret_n = take;
    return SR_OK;
}

static sr_status inflate_some(struct layer_stream *s, struct sr_err *err) {
    if (s->z.avail_in == 0) {
        size_t got;
        SR_TRY(blob_read(s, s->in, IN_BYTES, &got, err));
        s->z.next_in = s->in;
        s->z.avail_in = (uInt)got;
        if (got == 0 && !s->member_open) return SR_OK; /* else: output may still be pending */
    }
    if (!s->member_open) { /* gzip files may be several members one after another */
        if (inflateReset(&s->z) != Z_OK) return sr_fail(err, SR_E_NOMEM, "unpacking a layer");
        s->member_open = true;
    }
    int rc = inflate(&s->z, Z_NO_FLUSH);
    if (rc == Z_STREAM_END)
        s->member_open = false;
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return sr_fail(err, SR_E_MALFORMED, "a layer's gzip data is faulty");
    return SR_OK;
}

static sr_status gzip_read(struct layer_stream *s, void *p, size_t n, size_t *ret_n,
                           struct sr_err *err) {
    s->z.next_out = p;
    s->z.avail_out = (uInt)n;
    while (s->z.avail_out > 0) {
        SR_TRY(inflate_some(s, err));
        if (s->z.avail_in == 0 && s->left == 0 && s->z.avail_out > 0) break;
    }
    *ret_n = n - s->z.avail_out;
    sha256_add(&s->diff_sum, slice_of(p, *ret_n));
    return SR_OK;
}

static sr_status layer_read(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    struct layer_stream *s = arg;
    size_t got;
    SR_TRY(s->layer->gzip ? gzip_read(s, p, n, &got, err) : blob_read(s, p, n, &got, err));
    if (got > s->out_max)
        return sr_fail(err, SR_E_TOOBIG, "the image unpacks to more than allowed");
    s->out_max -= got;
    *ret_n = got;
    return SR_OK;
}

/* Reads what follows the tar's end, then compares both digests. */
static sr_status stream_verify(struct layer_stream *s, struct sr_err *err) {
    uint8_t rest[16384];
    size_t got;
    do {
        SR_TRY(layer_read(s, rest, sizeof rest, &got, err));
    } while (got > 0);
    if (s->layer->gzip && (s->member_open || s->left > 0))
        return sr_fail(err, SR_E_MALFORMED, "a layer's gzip data ends too early");
    struct hash blob = sha256_end(&s->blob_sum);
    struct hash diff = s->layer->gzip ? sha256_end(&s->diff_sum) : blob;
    if (!hash_eq(&blob, &s->layer->blob.digest) || !hash_eq(&diff, &s->layer->diff_id))
        return sr_fail(err, SR_E_CRYPTO, "a layer of the image is not what its digest says");
    return SR_OK;
}

/* ---- the folder ---- */

struct unpacker {
    int root;
    int parent; /* O_PATH of parent_path, -1: none */
    char parent_path[OCI_MAX_PATH + 1];
    uint64_t bytes_left, entries_left;
    size_t layer;
    struct buf made; /* NUL-ended paths that this layer made (from the second layer on) */
};

/* Opens a folder below the root; links on the way are resolved as if the root were "/". */
static int open_inside(const struct unpacker *u, const char *path) {
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (path[0] == 0) path = ".";
    return (int)syscall(SYS_openat2, u->root, path, &how, sizeof how);
}

static void forget_parent(struct unpacker *u) {
    if (u->parent >= 0) (void)close(u->parent);
    u->parent = -1;
}

/* Makes the folders of path that are missing (0755). */
static sr_status make_parents(struct unpacker *u, const char *path, struct sr_err *err) {
    char part[OCI_MAX_PATH + 1];
    cleanup_close int at = open_inside(u, "");
    size_t n = strlen(path), from = 0;
    for (size_t i = 0; i <= n && at >= 0; i++) {
        if (i < n && path[i] != '/') continue;
        memcpy(part, path, i);
        part[i] = 0;
        int next = open_inside(u, part);
        if (next < 0 && errno == ENOENT && mkdirat(at, part + from, 0755) == 0)
            next = open_inside(u, part);
        (void)close(at);
        at = next;
        from = i + 1;
    }
    if (at < 0) {
        if (errno == ENOTDIR || errno == ELOOP || errno == EEXIST || errno == ENOENT)
            return sr_fail(err, SR_E_MALFORMED, "an image path goes through a file or a dead link");
        return sr_fail(err, SR_E_SYS, "making a folder of the image");
    }
    return SR_OK;
}

/* The open parent folder of path, and path's last segment. */
static sr_status enter_parent(struct unpacker *u, const char *path, const char **ret_base,
                              struct sr_err *err) {
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    *ret_base = slash ? slash + 1 : path;
    if (u->parent >= 0 && strlen(u->parent_path) == n && memcmp(u->parent_path, path, n) == 0)
        return SR_OK;
    forget_parent(u);
    memcpy(u->parent_path, path, n);
    u->parent_path[n] = 0;
    u->parent = open_inside(u, u->parent_path);
    if (u->parent < 0 && errno == ENOENT) {
        SR_TRY(make_parents(u, u->parent_path, err));
        u->parent = open_inside(u, u->parent_path);
    }
    if (u->parent < 0 && (errno == ENOTDIR || errno == ELOOP || errno == ENOENT))
        return sr_fail(err, SR_E_MALFORMED, "an image path goes through a file or a dead link");
    if (u->parent < 0) return sr_fail(err, SR_E_SYS, "opening a folder of the image");
    return SR_OK;
}

/* Removes name below dir, following no link. A missing one is fine. */
static sr_status remove_at(int dir, const char *name, unsigned depth, struct sr_err *err) {
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return SR_OK;
    if (errno != EISDIR && errno != EPERM) return sr_fail(err, SR_E_SYS, "replacing an image file");
    if (depth == 0) return sr_fail(err, SR_E_TOOBIG, "the image's folders are too deep");
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0) (void)close(fd);
        return sr_fail(err, SR_E_SYS, "replacing an image folder");
    }
    sr_status st = SR_OK;
    for (struct dirent *de; st == SR_OK && (de = readdir(d)) != NULL;)
        if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
            st = remove_at(fd, de->d_name, depth - 1, err);
    (void)closedir(d);
    SR_TRY(st);
    if (unlinkat(dir, name, AT_REMOVEDIR) != 0)
        return sr_fail(err, SR_E_SYS, "replacing an image folder");
    return SR_OK;
}

static bool made_here(const struct unpacker *u, const char *path) {
    size_t n = strlen(path);
    for (size_t at = 0; at < u->made.n;) {
        const char *p = (const char *)u->made.p + at;
        size_t len = strlen(p);
        if (len >= n && memcmp(p, path, n) == 0 && (len == n || p[n] == '/')) return true;
        at += len + 1;
    }
    return false;
}

static sr_status note_made(struct unpacker *u, const char *path, struct sr_err *err) {
    if (u->layer == 0) return SR_OK;
    buf_put(&u->made, path, strlen(path) + 1);
    return buf_status(&u->made, err);
}

/* ".wh.NAME": lower layers' NAME is gone; ".wh..wh..opq": all that lower layers have in this
 * folder. */
static sr_status whiteout(struct unpacker *u, const char *path, const char *base,
                          struct sr_err *err) {
    char full[OCI_MAX_PATH + 260];
    int dir_len = (int)(base - path);
    if (strcmp(base, ".wh..wh..opq") != 0) {
        const char *name = base + 4;
        if (name[0] == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            return sr_fail(err, SR_E_MALFORMED, "a whiteout without a name");
        (void)snprintf(full, sizeof full, "%.*s%s", dir_len, path, name);
        if (made_here(u, full)) return SR_OK;
        return remove_at(u->parent, name, REMOVE_MAX_DEPTH, err);
    }
    int fd = openat(u->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0) (void)close(fd);
        return sr_fail(err, SR_E_SYS, "emptying an image folder");
    }
    sr_status st = SR_OK;
    for (struct dirent *de; st == SR_OK && (de = readdir(d)) != NULL;) {
        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0) continue;
        (void)snprintf(full, sizeof full, "%.*s%s", dir_len, path, de->d_name);
        if (!made_here(u, full)) st = remove_at(fd, de->d_name, REMOVE_MAX_DEPTH, err);
    }
    (void)closedir(d);
    return st;
}

static sr_status put_file(struct unpacker *u, struct tar_reader *t, const char *base, unsigned mode,
                          struct sr_err *err) {
    uint8_t data[65536];
    SR_TRY(remove_at(u->parent, base, REMOVE_MAX_DEPTH, err));
    cleanup_close int fd =
        openat(u->parent, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "making an image file");
    for (;;) {
        size_t got;
        SR_TRY(tar_data(t, data, sizeof data, &got, err));
        if (got == 0) break;
        SR_TRY(fd_write_all(fd, data, got, err));
    }
    if (fchmod(fd, mode | 0400) != 0) return sr_fail(err, SR_E_SYS, "setting an image file's mode");
    return SR_OK;
}

static sr_status put_folder(struct unpacker *u, const char *base, unsigned mode,
                            struct sr_err *err) {
    struct stat st;
    if (fstatat(u->parent, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
        SR_TRY(remove_at(u->parent, base, REMOVE_MAX_DEPTH, err));
    if (mkdirat(u->parent, base, 0700) != 0 && errno != EEXIST)
        return sr_fail(err, SR_E_SYS, "making an image folder");
    if (fchmodat(u->parent, base, mode | 0700, 0) != 0)
        return sr_fail(err, SR_E_SYS, "setting an image folder's mode");
    return SR_OK;
}

static sr_status put_hardlink(struct unpacker *u, const char *target, const char *base,
                              struct sr_err *err) {
    char dir[OCI_MAX_PATH + 1];
    const char *slash = strrchr(target, '/'), *name = slash ? slash + 1 : target;
    size_t n = slash ? (size_t)(slash - target) : 0;
    memcpy(dir, target, n);
    dir[n] = 0;
    cleanup_close int from = open_inside(u, dir);
    struct stat st, old;
    if (from < 0 || fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return sr_fail(err, SR_E_MALFORMED, "a hard link in the image leads nowhere");
    if (fstatat(u->parent, base, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_ino == st.st_ino &&
        old.st_dev == st.st_dev)
        return SR_OK; /* linked to itself: removing the old name could lose the file */
    SR_TRY(remove_at(u->parent, base, REMOVE_MAX_DEPTH, err));
    if (linkat(from, name, u->parent, base, 0) != 0)
        return sr_fail(err, SR_E_SYS, "making a hard link of the image");
    return SR_OK;
}

static sr_status put_entry(struct unpacker *u, struct tar_reader *t, const struct tar_entry *e,
                           struct sr_err *err) {
    const char *base;
    if (e->path[0] == 0) return SR_OK; /* the root folder itself */
    if (u->entries_left-- == 0) return sr_fail(err, SR_E_TOOBIG, "the image has too many files");
    if (e->type == TAR_FILE) {
        if (e->size > u->bytes_left)
            return sr_fail(err, SR_E_TOOBIG, "the image unpacks to more than allowed");
        u->bytes_left -= e->size;
    }
    SR_TRY(enter_parent(u, e->path, &base, err));
    if (strncmp(base, ".wh.", 4) == 0) {
        forget_parent(u); /* a cached folder may be the one that goes */
        SR_TRY(enter_parent(u, e->path, &base, err));
        SR_TRY(whiteout(u, e->path, base, err));
        forget_parent(u);
        return SR_OK;
    }
    SR_TRY(note_made(u, e->path, err));
    switch (e->type) {
    case TAR_FILE: SR_TRY(put_file(u, t, base, e->mode, err)); break;
    case TAR_DIR: SR_TRY(put_folder(u, base, e->mode, err)); break;
    case TAR_HARDLINK: SR_TRY(put_hardlink(u, e->link, base, err)); break;
    case TAR_SYMLINK:
        SR_TRY(remove_at(u->parent, base, REMOVE_MAX_DEPTH, err));
        if (symlinkat(e->link, u->parent, base) != 0)
            return sr_fail(err, SR_E_SYS, "making a link of the image");
        break;
    }
    if (e->type != TAR_FILE) forget_parent(u); /* what a path means may have changed */
    return SR_OK;
}

static sr_status unpack_layer(struct unpacker *u, struct layer_stream *s, struct sr_err *err) {
    struct tar_reader t;
    const struct tar_entry *e = NULL;
    tar_reader_init(&t, layer_read, s);
    sr_status st;
    do {
        st = tar_next(&t, &e, err);
        if (st == SR_OK && e) st = put_entry(u, &t, e, err);
    } while (st == SR_OK && e);
    if (st == SR_OK) st = stream_verify(s, err);
    tar_reader_done(&t);
    return st;
}

sr_status oci_unpack(struct oci_image *img, int root_fd, const struct oci_limits *limits,
                     struct sr_err *err) {
    struct unpacker u = {.root = root_fd, .parent = -1};
    u.bytes_left = limits && limits->max_bytes ? limits->max_bytes : DEFAULT_MAX_BYTES;
    u.entries_left = limits && limits->max_entries ? limits->max_entries : DEFAULT_MAX_ENTRIES;
    uint64_t out_max = u.bytes_left + u.entries_left * (4 * TAR_BLOCK) + (1u << 20);
    sr_status st = SR_OK;
    buf_init(&u.made, MADE_MAX);
    for (size_t i = 0; i < img->n_layers && st == SR_OK; i++) {
        struct layer_stream s = {0};
        u.layer = i;
        buf_clear(&u.made);
        st = stream_init(&s, img, &img->layers[i], out_max, err);
        if (st == SR_OK) st = unpack_layer(&u, &s, err);
        out_max = s.out_max;
        stream_done(&s);
    }
    forget_parent(&u);
    buf_done(&u.made);
    return st;
}
