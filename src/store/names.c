/* SPDX-License-Identifier: Apache-2.0 */
#include "store/names.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512u

struct put {
    int dir_fd;
    const char *path, *text;
    sr_status st;
    struct sr_err err;
};

static sr_status sync_at(int dir_fd, const char *path, struct sr_err *err) {
    cleanup_close int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) return sr_fail(err, SR_E_SYS, "sync a folder of the registry");
    return SR_OK;
}

/* The folders of a path; each new one is on disk before something is put into it. */
static sr_status make_folders(int dir_fd, const char *path, struct sr_err *err) {
    char part[PATH_BYTES];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        (void)snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        if (mkdirat(dir_fd, part, 0700) != 0) {
            if (errno == EEXIST) continue;
            return sr_fail(err, SR_E_SYS, "make a folder of the registry");
        }
        char *up = strrchr(part, '/');
        if (up) *up = 0;
        SR_TRY(sync_at(dir_fd, up ? part : ".", err));
    }
    return SR_OK;
}

static sr_status put_now(const struct put *p, struct sr_err *err) {
    char tmp[PATH_BYTES], folder[PATH_BYTES];
    const char *slash = strrchr(p->path, '/');
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - p->path), p->path);
    (void)snprintf(tmp, sizeof tmp, "tmp/name-%p", (const void *)p); /* one is on its way here */
    (void)unlinkat(p->dir_fd, tmp, 0);
    SR_TRY(make_folders(p->dir_fd, p->path, err));
    if (symlinkat(p->text, p->dir_fd, tmp) != 0 ||
        renameat(p->dir_fd, tmp, p->dir_fd, p->path) != 0)
        return sr_fail(err, SR_E_SYS, "write a name of the registry");
    return sync_at(p->dir_fd, folder, err);
}

static void put_work(void *arg) {
    struct put *p = arg;
    p->st = put_now(p, &p->err);
}

sr_status name_put(int dir_fd, const char *path, const char *text, struct sr_err *err) {
    struct put p = {.dir_fd = dir_fd, .path = path, .text = text};
    char had[NAME_TEXT_MAX + 1];
    SR_ASSERT(strlen(path) < PATH_BYTES && strlen(text) <= NAME_TEXT_MAX && text[0]);
    if (name_get(dir_fd, path, had, NULL) == SR_OK && strcmp(had, text) == 0) return SR_OK;
    SR_TRY(fiber_offload(put_work, &p, err));
    if (p.st != SR_OK && err && err->code == SR_OK) *err = p.err;
    return p.st;
}

sr_status name_get(int dir_fd, const char *path, char ret_text[NAME_TEXT_MAX + 1],
                   struct sr_err *err) {
    ssize_t n = readlinkat(dir_fd, path, ret_text, NAME_TEXT_MAX + 1);
    if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
        return sr_fail(err, SR_E_NOTFOUND, "no such name in the registry");
    if (n <= 0 || n > (ssize_t)NAME_TEXT_MAX)
        return sr_fail(err, SR_E_SYS, "read a name of the registry");
    ret_text[n] = 0;
    return SR_OK;
}

/* ---- lists
 * ---------------------------------------------------------------------------------------------- */

struct listing {
    int dir_fd;
    const char *path;
    size_t max, room;
    struct names out;
    sr_status st;
    struct sr_err err;
};

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static sr_status keep_name(struct listing *l, const char *name) {
    if (l->out.n == l->max) return sr_fail(&l->err, SR_E_TOOBIG, "more than %zu names", l->max);
    if (l->out.n == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        char **v = realloc(l->out.v, room * sizeof *v);
        if (!v) return sr_fail(&l->err, SR_E_NOMEM, "no memory for a list of names");
        l->out.v = v;
        l->room = room;
    }
    char *copy = slice_dup(slice_str(name));
    if (!copy) return sr_fail(&l->err, SR_E_NOMEM, "no memory for a list of names");
    l->out.v[l->out.n++] = copy;
    return SR_OK;
}

static void list_work(void *arg) {
    struct listing *l = arg;
    l->st = SR_OK;
    int fd = openat(l->dir_fd, l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0) (void)close(fd);
        l->st = sr_fail(&l->err, SR_E_SYS, "open a folder of the registry");
        return;
    }
    for (struct dirent *e; l->st == SR_OK && (e = readdir(d));)
        if (e->d_name[0] != '.') l->st = keep_name(l, e->d_name);
    (void)closedir(d);
    if (l->out.n) qsort(l->out.v, l->out.n, sizeof *l->out.v, by_text);
}

sr_status names_list(int dir_fd, const char *path, size_t max, struct names *ret,
                     struct sr_err *err) {
    struct listing l = {.dir_fd = dir_fd, .path = path, .max = max};
    sr_status st = fiber_offload(list_work, &l, err);
    if (st == SR_OK && l.st != SR_OK) {
        if (err && err->code == SR_OK) *err = l.err;
        st = l.st;
    }
    if (st == SR_OK)
        *ret = l.out;
    else
        names_done(&l.out);
    return st;
}

void names_done(struct names *l) {
    for (size_t i = 0; i < l->n; i++) free(l->v[i]);
    free(l->v);
    *l = (struct names){0};
}
