/* SPDX-License-Identifier: Apache-2.0 */
/* fs.c - files and folders */
#include "base/fs.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP (64u << 10)

char *path_join(const char *dir, const char *name) {
    size_t d = strlen(dir), n = strlen(name);
    bool slash = d > 0 && dir[d - 1] != '/';
    char *s = malloc(d + n + 2);
    if (!s) return NULL;
    memcpy(s, dir, d);
    if (slash) s[d++] = '/';
    memcpy(s + d, name, n + 1);
    return s;
}

bool fs_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

bool fs_is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

sr_status fd_write_all(int fd, const void *p, size_t n, struct sr_err *err) {
    const uint8_t *b = p;
    while (n) {
        ssize_t w = write(fd, b, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return sr_fail(err, SR_E_SYS, "write");
        b += w;
        n -= (size_t)w;
    }
    return SR_OK;
}

sr_status fd_read_full(int fd, void *p, size_t n, struct sr_err *err) {
    uint8_t *b = p;
    size_t got = 0;
    while (got < n) {
        ssize_t r = read(fd, b + got, n - got);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return sr_fail(err, SR_E_SYS, "read");
        if (r == 0) return sr_fail(err, SR_E_MALFORMED, "ended after %zu of %zu bytes", got, n);
        got += (size_t)r;
    }
    return SR_OK;
}

sr_status fs_read(const char *path, struct buf *b, struct sr_err *err) {
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return sr_fail(err, SR_E_NOTFOUND, "no file '%s'", path);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "open '%s'", path);
    for (;;) {
        /* One byte over the limit is asked for, so that a file just as long still ends well. */
        size_t room = b->max > b->n ? b->max - b->n : 0;
        uint8_t extra, *dst = &extra;
        size_t want = 1;
        if (room) {
            want = room < READ_STEP ? room : READ_STEP;
            dst = buf_reserve(b, want);
            if (!dst) return buf_status(b, err);
        }
        ssize_t r = read(fd, dst, want);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return sr_fail(err, SR_E_SYS, "read '%s'", path);
        if (r == 0) return SR_OK;
        if (!room) return sr_fail(err, SR_E_TOOBIG, "'%s' is larger than %zu bytes", path, b->max);
        (void)buf_grow(b, (size_t)r);
    }
}

static int open_parent(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_free char *dir = slice_dup(slice_of(path, slash == path ? 1 : (size_t)(slash - path)));
    if (!dir) {
        errno = ENOMEM;
        return -1;
    }
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static sr_status write_temp(const char *tmp, struct slice data, unsigned mode, struct sr_err *err) {
    cleanup_close int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "create '%s'", tmp);
    if (fchmod(fd, mode) != 0) return sr_fail(err, SR_E_SYS, "set the mode of '%s'", tmp);
    SR_TRY(fd_write_all(fd, data.p, data.n, err));
    if (fsync(fd) != 0) return sr_fail(err, SR_E_SYS, "flush '%s'", tmp);
    return SR_OK;
}

sr_status fs_write_atomic(const char *path, struct slice data, unsigned mode, struct sr_err *err) {
    static atomic_uint serial;
    struct buf name;
    buf_init(&name, 1u << 16);
    buf_printf(&name, "%s.%ld.%u.tmp", path, (long)getpid(), atomic_fetch_add(&serial, 1));
    cleanup_free char *tmp = (char *)name.p;
    SR_TRY(buf_status(&name, err));
    sr_status st = write_temp(tmp, data, mode, err);
    if (st == SR_OK && rename(tmp, path) != 0) st = sr_fail(err, SR_E_SYS, "rename to '%s'", path);
    if (st != SR_OK) {
        (void)unlink(tmp);
        sr_err_prefix(err, "writing '%s'", path);
        return st;
    }
    cleanup_close int dir = open_parent(path);
    if (dir < 0 || fsync(dir) != 0) return sr_fail(err, SR_E_SYS, "flush the folder of '%s'", path);
    return SR_OK;
}

sr_status fs_mkdirs(const char *path, unsigned mode, struct sr_err *err) {
    cleanup_free char *p = slice_dup(slice_str(path));
    if (!p) return sr_fail(err, SR_E_NOMEM, "out of memory");
    size_t n = strlen(p);
    if (n == 0) return sr_fail(err, SR_E_USAGE, "empty folder name");
    for (size_t i = 1; i <= n; i++) {
        if (p[i] != '/' && p[i] != 0) continue;
        char keep = p[i];
        p[i] = 0;
        if (mkdir(p, mode) != 0) {
            int why = errno;
            /* EROFS and EACCES also come for folders that exist above the one we may write to */
            if (!fs_is_dir(p)) {
                errno = why == EEXIST ? ENOTDIR : why;
                return sr_fail(err, SR_E_SYS, "make the folder '%s'", p);
            }
        }
        p[i] = keep;
    }
    return SR_OK;
}

/*
 * Removal without recursion and with three descriptors, however deep the tree: a folder found
 * inside a folder of the top is moved up into the top, so that everything is one step away from it.
 */
struct sweep {
    int top;
    unsigned serial;
    bool more; /* something was moved up: go round again */
};

static DIR *open_sub(int at, const char *name) {
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
        fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return NULL;
    (void)fchmod(fd, 0700); /* entries of a read-only folder cannot be removed */
    DIR *d = fdopendir(fd);
    if (!d) (void)close(fd);
    return d;
}

static bool is_dots(const char *n) {
    return n[0] == '.' && (n[1] == 0 || (n[1] == '.' && n[2] == 0));
}

static bool move_up(struct sweep *s, int at, const char *name) {
    for (int tries = 0; tries < 1000; tries++) {
        char to[40];
        (void)snprintf(to, sizeof to, ".removing-%u", s->serial++);
        if (renameat(at, name, s->top, to) == 0) {
            s->more = true;
            return true;
        }
        if (errno == EACCES && fchmodat(at, name, 0700, 0) == 0) continue; /* its ".." changes */
        if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) return false;
    }
    return false;
}

/* Empties one folder of the top; its own sub-folders go up. */
static bool empty_sub(struct sweep *s, const char *name) {
    DIR *d = open_sub(s->top, name);
    if (!d) return false;
    bool ok = true;
    int fd = dirfd(d);
    for (struct dirent *e; ok && (e = readdir(d));) {
        if (is_dots(e->d_name)) continue;
        if (unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT) continue;
        if (errno != EISDIR && errno != EPERM)
            ok = false;
        else if (unlinkat(fd, e->d_name, AT_REMOVEDIR) != 0)
            ok = move_up(s, fd, e->d_name);
    }
    int keep = errno;
    (void)closedir(d);
    errno = keep;
    return ok;
}

static bool sweep_once(struct sweep *s, DIR *d) {
    rewinddir(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (is_dots(e->d_name)) continue;
        if (unlinkat(s->top, e->d_name, 0) == 0 || errno == ENOENT) continue;
        if (errno != EISDIR && errno != EPERM) return false;
        if (unlinkat(s->top, e->d_name, AT_REMOVEDIR) == 0) continue;
        if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES) return false;
        if (!empty_sub(s, e->d_name)) return false;
        if (unlinkat(s->top, e->d_name, AT_REMOVEDIR) == 0) continue;
        if (errno != ENOTEMPTY && errno != EEXIST) return false;
        s->more = true; /* somebody still writes there, or readdir missed one */
    }
    return true;
}

sr_status fs_remove_tree(const char *path, struct sr_err *err) {
    if (unlink(path) == 0 || errno == ENOENT) return SR_OK;
    if (rmdir(path) == 0) return SR_OK;
    DIR *d = open_sub(AT_FDCWD, path);
    if (!d) return errno == ENOENT ? SR_OK : sr_fail(err, SR_E_SYS, "open the folder '%s'", path);
    struct sweep s = {.top = dirfd(d), .more = true};
    bool ok = true;
    while (ok && s.more) {
        s.more = false;
        ok = sweep_once(&s, d);
    }
    int keep = errno;
    (void)closedir(d);
    errno = keep;
    if (!ok || rmdir(path) != 0) return sr_fail(err, SR_E_SYS, "remove the folder '%s'", path);
    return SR_OK;
}
