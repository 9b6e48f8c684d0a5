/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blobs.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#define PUSH_BYTES     (8u << 20)
#define DIRECT_ALIGN   4096u
#define DIRECT_FROM    (8u << 20) /* bytes of a file that go through the page cache */
#define NAME_MAX_BYTES 96u        /* "blobs/ab/" and 64 digits, and a NUL */

struct blobs {
    int dir_fd;
    uint64_t quota, used, files;
    size_t uploads;
    uint64_t next_tmp;
};

struct upload {
    struct blobs *blobs;
    struct dag_builder *dag;
    bool keep;
    int fd;
    uint64_t written;
    uint64_t pushable, pushed; /* bytes in the kernel; of them, on their way to the disk */
    bool direct, no_direct;    /* as the descriptor is set; the file system has no such writes */
    char tmp[NAME_MAX_BYTES];
    /* for the thread */
    struct slice data;
    struct dag_result result;
    sr_status st;
    bool existed;
    uint64_t had;
    struct sr_err err;
    struct sha256_lane *sum; /* borrowed; NULL: none is wanted */
    bool loose;              /* what came was not whole chunks alone */
};

static void name_of(char dst[NAME_MAX_BYTES], const char *folder, const struct hash *digest) {
    char hex[2 * sizeof digest->b + 1];
    hex_encode(hex, digest->b, sizeof digest->b);
    if (strcmp(folder, "dirs") == 0) /* few */
        (void)snprintf(dst, NAME_MAX_BYTES, "dirs/%s", hex);
    else
        (void)snprintf(dst, NAME_MAX_BYTES, "%s/%.2s/%s", folder, hex, hex);
}

/* ---- opening
 * ---------------------------------------------------------------------------------------------- */

static sr_status sync_folder(int dir_fd, const char *name, struct sr_err *err) {
    cleanup_close int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) return sr_fail(err, SR_E_SYS, "sync the store's '%s'", name);
    return SR_OK;
}

/* Adds up what a folder of 256 folders holds. */
static sr_status count_shard(struct blobs *b, const char *shard, struct sr_err *err) {
    int fd = openat(b->dir_fd, shard, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return SR_OK;
    if (fd < 0) return sr_fail(err, SR_E_SYS, "open the store's '%s'", shard);
    DIR *d = fdopendir(fd);
    if (!d) {
        (void)close(fd);
        return sr_fail(err, SR_E_NOMEM, "no memory for a folder");
    }
    for (struct dirent *e; (e = readdir(d));) {
        struct stat s;
        if (e->d_name[0] == '.' || fstatat(fd, e->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0) continue;
        b->files++;
        b->used += (uint64_t)s.st_size;
    }
    (void)closedir(d);
    return SR_OK;
}

static sr_status empty_tmp(struct blobs *b, struct sr_err *err) {
    int fd = openat(b->dir_fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0) (void)close(fd);
        return sr_fail(err, SR_E_SYS, "open the store's 'tmp'");
    }
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') (void)unlinkat(fd, e->d_name, 0);
    (void)closedir(d);
    return SR_OK;
}

static sr_status open_folders(struct blobs *b, struct sr_err *err) {
    static const char *const names[] = {"blobs", "dirs", "tmp"};
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++)
        if (mkdirat(b->dir_fd, names[i], 0700) != 0 && errno != EEXIST)
            return sr_fail(err, SR_E_SYS, "make the store's '%s'", names[i]);
    SR_TRY(empty_tmp(b, err));
    bool fresh = false;
    for (unsigned i = 0; i < 256; i++) { /* all at once, so that no upload pays for it */
        char shard[16];
        (void)snprintf(shard, sizeof shard, "blobs/%02x", i);
        if (mkdirat(b->dir_fd, shard, 0700) == 0) {
            fresh = true;
            continue;
        }
        if (errno != EEXIST) return sr_fail(err, SR_E_SYS, "make the store's '%s'", shard);
        SR_TRY(count_shard(b, shard, err));
    }
    uint64_t files = b->files;
    SR_TRY(count_shard(b, "dirs", err));
    b->files = files; /* folders count by their bytes, not as files */
    return fresh ? sync_folder(b->dir_fd, "blobs", err) : SR_OK;
}

sr_status blobs_open(const char *dir, uint64_t quota, struct blobs **ret, struct sr_err *err) {
    SR_TRY(fs_mkdirs(dir, 0700, err));
    struct blobs *b = sr_calloc_n(1, sizeof *b);
    if (!b) return sr_fail(err, SR_E_NOMEM, "no memory for the store");
    b->quota = quota;
    b->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    sr_status st = b->dir_fd >= 0 ? open_folders(b, err)
                                  : sr_fail(err, SR_E_SYS, "open the store's folder '%.100s'", dir);
    if (st != SR_OK)
        blobs_close(b);
    else
        *ret = b;
    return st;
}

void blobs_close(struct blobs *b) {
    if (!b) return;
    if (b->dir_fd >= 0) (void)close(b->dir_fd);
    free(b);
}

int blobs_dir_fd(const struct blobs *b) {
    return b->dir_fd;
}

/* ---- uploads
 * ---------------------------------------------------------------------------------------------- */

sr_status upload_new(struct blobs *b, bool keep, struct upload **ret, struct sr_err *err) {
    if (b->uploads >= UPLOADS_MAX) {
        sr_hint(err, "try again in a moment");
        return sr_fail(err, SR_E_UNAVAILABLE, "%u uploads at once are the most", UPLOADS_MAX);
    }
    struct upload *u = sr_calloc_n(1, sizeof *u);
    if (!u) return sr_fail(err, SR_E_NOMEM, "no memory for an upload");
    u->blobs = b;
    u->keep = keep;
    u->fd = -1;
    b->uploads++;
    sr_status st = dag_new(NULL, NULL, &u->dag, err);
    if (st == SR_OK && keep) {
        (void)snprintf(u->tmp, sizeof u->tmp, "tmp/%llu", (unsigned long long)b->next_tmp++);
        u->fd = openat(b->dir_fd, u->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (u->fd < 0) st = sr_fail(err, SR_E_SYS, "make a file in the store");
    }
    if (st != SR_OK)
        upload_drop(u);
    else
        *ret = u;
    return st;
}

void upload_drop(struct upload *u) {
    if (!u) return;
    if (u->fd >= 0) {
        (void)close(u->fd);
        (void)unlinkat(u->blobs->dir_fd, u->tmp, 0);
    }
    u->blobs->uploads--;
    u->blobs->used -= u->written;
    dag_free(u->dag);
    free(u);
}

void upload_sum(struct upload *u, struct sha256_lane *sum) {
    u->sum = sum;
}

/* Asks the kernel to begin writing now what it has, so that the last fsync finds little left. */
static void push_out(struct upload *u) {
    uint64_t n = u->pushable - u->pushed;
    if (n < PUSH_BYTES) return;
    (void)sync_file_range(u->fd, (off_t)u->pushed, (off_t)n, SYNC_FILE_RANGE_WRITE);
    u->pushed = u->pushable;
}

static bool set_direct(struct upload *u, bool on) {
    if (u->direct == on) return true;
    int flags = fcntl(u->fd, F_GETFL);
    if (flags < 0 || fcntl(u->fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) != 0)
        return false;
    u->direct = on;
    return true;
}

/* A large file goes past the page cache: its pages would be copied, and push out what is read
 * often. Its beginning does not: small data is read again at once, by the task that it is for. */
static bool write_direct(struct upload *u) {
    bool fits = u->pushable >= DIRECT_FROM && u->pushable % DIRECT_ALIGN == 0 &&
                u->data.n % DIRECT_ALIGN == 0 && (uintptr_t)u->data.p % DIRECT_ALIGN == 0;
    if (u->no_direct || !fits || !set_direct(u, true)) return false;
    ssize_t n = pwrite(u->fd, u->data.p, u->data.n, (off_t)u->pushable);
    if (n == (ssize_t)u->data.n && lseek(u->fd, n, SEEK_CUR) >= 0) return true;
    u->no_direct = true; /* whatever it was: written again through the cache, which tells */
    return false;
}

/* The content's name and the sum of all: two hashes of a chunk at once take little longer than one.
 */
static sr_status hash_both(struct upload *u) {
    struct sha256_lane leaf;
    if (u->loose || u->data.n != IPFS_CHUNK) {
        u->loose = true;
        sha256_lane_add(u->sum, u->data);
        return dag_add(u->dag, u->data, &u->err);
    }
    dag_chunk_begin(u->dag, IPFS_CHUNK, &leaf);
    sha256_lanes_add(u->sum, u->data, &leaf, u->data);
    return dag_chunk_end(u->dag, &leaf, IPFS_CHUNK, &u->err);
}

static void add_work(void *arg) {
    struct upload *u = arg;
    u->st = u->sum ? hash_both(u) : dag_add(u->dag, u->data, &u->err);
    if (u->st != SR_OK || !u->keep) return;
    if (!write_direct(u)) {
        if (!set_direct(u, false))
            u->st = sr_fail(&u->err, SR_E_SYS, "write an upload");
        else
            u->st = fd_write_all(u->fd, u->data.p, u->data.n, &u->err);
    }
    u->pushable += u->data.n;
    push_out(u);
}

static sr_status disk_full(struct sr_err *err) {
    sr_hint(err, "make room on the store's disk, or give the store another folder");
    return sr_fail(err, SR_E_UNAVAILABLE, "the store's disk is full");
}

/* Room for n bytes, counted before they come, so that uploads cannot share the same. */
static sr_status claim(struct blobs *b, uint64_t n, struct sr_err *err) {
    struct statvfs v;
    if (b->quota - (b->used < b->quota ? b->used : b->quota) < n) {
        sr_hint(err, "the store's operator may raise its --quota");
        return sr_fail(err, SR_E_TOOBIG, "the store's quota of %llu bytes is used up",
                       (unsigned long long)b->quota);
    }
    if (fstatvfs(b->dir_fd, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < BLOB_RESERVE + n)
        return disk_full(err);
    b->used += n;
    return SR_OK;
}

/* What went wrong on the thread, in words for the client. */
static sr_status worked(struct upload *u, sr_status st, struct sr_err *err) {
    if (st != SR_OK) return st; /* the loop stops */
    if (u->st == SR_OK) return SR_OK;
    if (u->err.sys == ENOSPC || u->err.sys == EDQUOT || u->err.sys == EFBIG) return disk_full(err);
    if (err && err->code == SR_OK) *err = u->err;
    return u->st;
}

sr_status upload_add(struct upload *u, struct slice data, struct sr_err *err) {
    struct blobs *b = u->blobs;
    if (data.n == 0) return SR_OK;
    if (u->keep) {
        SR_TRY(claim(b, data.n, err));
        u->written += data.n;
    }
    u->data = data;
    return worked(u, fiber_offload(add_work, u, err), err);
}

/* Moves tmp to its name. What was there before had the same bytes, or was damaged: it is replaced
 * either way. *ret_had: its size, if there was one. */
static sr_status settle(int dir_fd, const char *tmp, const char *name, bool *ret_existed,
                        uint64_t *ret_had, struct sr_err *err) {
    char shard[NAME_MAX_BYTES];
    struct stat had;
    const char *slash = strrchr(name, '/');
    (void)snprintf(shard, sizeof shard, "%.*s", (int)(slash - name), name);
    *ret_existed = fstatat(dir_fd, name, &had, AT_SYMLINK_NOFOLLOW) == 0;
    *ret_had = *ret_existed ? (uint64_t)had.st_size : 0;
    if (renameat(dir_fd, tmp, dir_fd, name) != 0) return sr_fail(err, SR_E_SYS, "name an upload");
    return sync_folder(dir_fd, shard, err);
}

static void end_work(void *arg) {
    struct upload *u = arg;
    char name[NAME_MAX_BYTES];
    u->st = dag_end(u->dag, &u->result, &u->err);
    if (u->st != SR_OK || !u->keep) return;
    if (fsync(u->fd) != 0) {
        u->st = sr_fail(&u->err, SR_E_SYS, "sync an upload");
        return;
    }
    name_of(name, "blobs", &u->result.cid.digest);
    u->st = settle(u->blobs->dir_fd, u->tmp, name, &u->existed, &u->had, &u->err);
}

sr_status upload_end(struct upload *u, struct dag_result *ret, struct sr_err *err) {
    sr_status st = worked(u, fiber_offload(end_work, u, err), err);
    if (st == SR_OK) {
        *ret = u->result;
        if (u->keep) {
            (void)close(u->fd);
            u->fd = -1;
            u->written = 0; /* stays counted */
            u->blobs->used -= u->had < u->blobs->used ? u->had : u->blobs->used;
            u->blobs->files += !u->existed;
        }
    }
    upload_drop(u);
    return st;
}

struct dir_put {
    struct blobs *b;
    struct slice block;
    struct hash digest;
    char tmp[NAME_MAX_BYTES];
    uint64_t had; /* bytes of it that were here already */
    sr_status st;
    struct sr_err err;
};

static void dir_work(void *arg) {
    struct dir_put *d = arg;
    char name[NAME_MAX_BYTES];
    bool existed;
    cleanup_close int fd =
        openat(d->b->dir_fd, d->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        d->st = sr_fail(&d->err, SR_E_SYS, "make a file in the store");
        return;
    }
    d->st = fd_write_all(fd, d->block.p, d->block.n, &d->err);
    if (d->st == SR_OK && fsync(fd) != 0) d->st = sr_fail(&d->err, SR_E_SYS, "sync a folder");
    name_of(name, "dirs", &d->digest);
    if (d->st == SR_OK) d->st = settle(d->b->dir_fd, d->tmp, name, &existed, &d->had, &d->err);
    if (d->st != SR_OK) (void)unlinkat(d->b->dir_fd, d->tmp, 0);
}

sr_status blobs_put_dir(struct blobs *b, struct slice block, struct cid *ret, struct sr_err *err) {
    struct dir_put d = {.b = b, .block = block, .digest = sha256(block)};
    (void)snprintf(d.tmp, sizeof d.tmp, "tmp/%llu", (unsigned long long)b->next_tmp++);
    SR_TRY(claim(b, block.n, err));
    sr_status st = fiber_offload(dir_work, &d, err);
    uint64_t back = st == SR_OK && d.st == SR_OK ? d.had : block.n;
    b->used -= back < b->used ? back : b->used;
    SR_TRY(st);
    if (d.st != SR_OK) {
        if (d.err.sys == ENOSPC || d.err.sys == EDQUOT) return disk_full(err);
        if (err && err->code == SR_OK) *err = d.err;
        return d.st;
    }
    *ret = cid_v0(&d.digest);
    return SR_OK;
}

/* ---- reading
 * ---------------------------------------------------------------------------------------------- */

sr_status blob_open(const struct blobs *b, const struct cid *cid, struct blob *ret,
                    struct sr_err *err) {
    static const char *const folders[] = {"blobs", "dirs"};
    if (cid->codec == CID_DAG_PB) {
        for (size_t i = 0; i < SR_ARRAY_LEN(folders); i++) {
            char name[NAME_MAX_BYTES];
            struct stat s;
            name_of(name, folders[i], &cid->digest);
            int fd = openat(b->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
            if (fd < 0 && errno == ENOENT) continue;
            if (fd < 0) return sr_fail(err, SR_E_SYS, "open content of the store");
            if (fstat(fd, &s) != 0) {
                (void)close(fd);
                return sr_fail(err, SR_E_SYS, "look at content of the store");
            }
            *ret = (struct blob){fd, i == 1, (uint64_t)s.st_size};
            return SR_OK;
        }
    }
    sr_hint(err, "add it to this store first");
    return sr_fail(err, SR_E_NOTFOUND, "%s is not in this store", cid_text(cid).s);
}

struct read_job {
    int fd;
    uint64_t at;
    uint8_t *p;
    size_t n;
    int sys; /* 0: done; EIO also for a file that got shorter */
};

static void read_work(void *arg) {
    struct read_job *j = arg;
    while (j->n > 0) {
        ssize_t got = pread(j->fd, j->p, j->n, (off_t)j->at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            j->sys = got < 0 ? errno : EIO;
            return;
        }
        j->p += got;
        j->at += (uint64_t)got;
        j->n -= (size_t)got;
    }
    j->sys = 0;
}

/* What the kernel holds in memory is copied here and now: that takes less than two threads' telling
 * each other. The rest waits for the disk, elsewhere. */
static void read_held(struct read_job *j) {
    while (j->n > 0) {
        const struct iovec v = {.iov_base = j->p, .iov_len = j->n};
        ssize_t got = preadv2(j->fd, &v, 1, (off_t)j->at, RWF_NOWAIT);
        if (got <= 0) return;
        j->p += got;
        j->at += (uint64_t)got;
        j->n -= (size_t)got;
    }
}

sr_status blob_read(int fd, uint64_t at, void *p, size_t n, struct sr_err *err) {
    struct read_job j = {fd, at, p, n, EIO};
    read_held(&j);
    if (j.n == 0) return SR_OK;
    SR_TRY(fiber_offload(read_work, &j, err));
    if (j.sys == 0) return SR_OK;
    errno = j.sys;
    return sr_fail(err, SR_E_SYS, "read content of the store");
}

sr_status blob_resolve(const struct blobs *b, const struct cid *root, struct slice path,
                       struct cid *ret_cid, struct blob *ret, struct sr_err *err) {
    struct cid at = *root;
    for (unsigned step = 0;; step++) {
        struct blob found;
        SR_TRY(blob_open(b, &at, &found, err));
        if (path.n == 0) {
            *ret_cid = at;
            *ret = found;
            return SR_OK;
        }
        cleanup_close int fd = found.fd;
        cleanup_buf struct buf block = {0};
        struct dag_node n;
        struct dag_link l;
        struct slice name;
        if (!found.dir || step >= IPFS_PATH_MAX || found.size > IPFS_BLOCK_MAX)
            return sr_fail(err, SR_E_NOTFOUND, "no such path below this CID");
        (void)slice_cut(path, '/', &name, &path);
        buf_init(&block, IPFS_BLOCK_MAX);
        uint8_t *p = buf_grow(&block, (size_t)found.size);
        SR_TRY(buf_status(&block, err));
        SR_TRY(blob_read(fd, 0, p, (size_t)found.size, err));
        SR_TRY(dag_node_parse(buf_slice(&block), &n, err));
        bool hit = false;
        for (struct rd links = dag_links(&n); !hit && dag_link_next(&links, &l);)
            hit = slice_eq(l.name, name);
        if (!hit) return sr_fail(err, SR_E_NOTFOUND, "no such name in this folder");
        at = l.cid;
    }
}

void blobs_count(const struct blobs *b, struct blobs_stat *ret) {
    struct statvfs v;
    *ret = (struct blobs_stat){b->files, b->used, b->quota, 0};
    if (fstatvfs(b->dir_fd, &v) == 0) ret->disk_free = (uint64_t)v.f_bavail * v.f_frsize;
}
