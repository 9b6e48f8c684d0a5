/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c - which files a protect is about: files by their names, a folder with all that is below
 * it, standard input. Keys of the archive are paths of their names; the schema nests as folders do.
 */
#include "sdk/sdk_int.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 16

struct walk {
    struct pd_files *f;
    struct sr_err *err;
};

static sr_status add(struct pd_files *f, const char *path, const char *key, struct sr_err *err) {
    if (f->n == SR_MAX_FILES) {
        sr_hint(err, "pack the folder into an archive first");
        return sr_fail(err, SR_E_TOOBIG, "more than %d files", SR_MAX_FILES);
    }
    struct pd_file *v = reallocarray(f->v, f->n + 1, sizeof *v);
    if (!v) return sr_fail(err, SR_E_NOMEM, "out of memory");
    f->v = v;
    struct pd_file *to = &v[f->n];
    *to = (struct pd_file){.fd = -1};
    size_t n = strlen(key);
    if (n == 0) return sr_fail(err, SR_E_USAGE, "%s has no file name", path);
    if (n >= sizeof to->key)
        return sr_fail(err, SR_E_USAGE, "the path of %.100s... is too long for a key", path);
    memcpy(to->key, key, n + 1);
    to->path = slice_dup(slice_str(path));
    if (!to->path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    f->n++;
    return SR_OK;
}

static sr_status joined(char *dst, size_t size, const char *a, const char *b, struct sr_err *err) {
    int n = snprintf(dst, size, "%s%s%s", a, a[0] ? "/" : "", b);
    return n >= 0 && (size_t)n < size ? SR_OK
                                      : sr_fail(err, SR_E_USAGE, "the path %.100s is too long", a);
}

/* Links and devices are refused rather than left out: a protected folder is the whole folder. */
static sr_status add_folder(struct pd_files *f, const char *path, const char *key, unsigned depth,
                            struct sr_err *err) {
    if (depth > DEPTH_MAX)
        return sr_fail(err, SR_E_USAGE, "%s: folders deeper than %d", path, DEPTH_MAX);
    struct dirent **list = NULL;
    int n = scandir(path, &list, NULL, alphasort);
    if (n < 0) return sr_fail(err, SR_E_SYS, "can't read the folder %s", path);
    sr_status st = SR_OK;
    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        char below[4096], word[256], whole[512];
        struct stat info;
        if (st == SR_OK && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            pd_key(word, name);
            st = joined(below, sizeof below, path, name, err);
            if (st == SR_OK) st = joined(whole, sizeof whole, key, word, err);
            if (st == SR_OK && lstat(below, &info) != 0)
                st = sr_fail(err, SR_E_SYS, "can't look at %s", below);
            if (st == SR_OK && S_ISDIR(info.st_mode)) {
                st = add_folder(f, below, whole, depth + 1, err);
            } else if (st == SR_OK && !S_ISREG(info.st_mode)) {
                sr_hint(err, "replace the link by what it names, or leave it out");
                st = sr_fail(err, SR_E_USAGE, "%s is neither a file nor a folder", below);
            } else if (st == SR_OK) {
                st = add(f, below, whole, err);
            }
        }
        free(list[i]);
    }
    free(list);
    return st;
}

/* Read once, kept in memory: the archive needs its length and CRC first, and plain data does not go
 * to a disk. */
static sr_status add_stdin(struct pd_files *f, struct sr_err *err) {
    char path[40];
    uint64_t total = 0;
    cleanup_free uint8_t *block = malloc(65536);
    if (!block) return sr_fail(err, SR_E_NOMEM, "out of memory");
    f->memory = memfd_create("strongroom", MFD_CLOEXEC);
    if (f->memory < 0) return sr_fail(err, SR_E_SYS, "no memory file");
    for (;;) {
        ssize_t n = read(STDIN_FILENO, block, 65536);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sr_fail(err, SR_E_SYS, "can't read standard input");
        if (n == 0) break;
        total += (uint64_t)n;
        if (total > SR_MAX_STDIN) {
            sr_hint(err, "write it to a file, and protect that");
            return sr_fail(err, SR_E_TOOBIG, "standard input has more than %u MiB",
                           (unsigned)(SR_MAX_STDIN >> 20));
        }
        SR_TRY(fd_write_all(f->memory, block, (size_t)n, err));
    }
    explicit_bzero(block, 65536);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", f->memory);
    return add(f, path, "file", err);
}

static sr_status add_one(struct pd_files *f, const char *path, bool only, struct sr_err *err) {
    struct stat info;
    char word[256];
    if (strcmp(path, "-") == 0) {
        if (only) return add_stdin(f, err);
        return sr_fail(err, SR_E_USAGE, "standard input (-) is protected alone");
    }
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        size_t n = strlen(path);
        cleanup_free char *bare = NULL;
        while (n > 1 && path[n - 1] == '/') n--;
        if (!(bare = slice_dup(slice_of(path, n))))
            return sr_fail(err, SR_E_NOMEM, "out of memory");
        word[0] = 0;
        if (!only) pd_key(word, bare);
        size_t before = f->n;
        SR_TRY(add_folder(f, bare, word, 1, err));
        return f->n > before ? SR_OK : sr_fail(err, SR_E_USAGE, "the folder %s has no file", path);
    }
    if (only) {
        memcpy(word, "file", 5);
    } else {
        pd_key(word, path);
    }
    return add(f, path, word, err);
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct pd_file *)a)->key, ((const struct pd_file *)b)->key);
}

/* Sorted: all that begin like a key follow it, among them a folder of its name. */
static sr_status distinct(const struct pd_files *f, struct sr_err *err) {
    for (size_t i = 0; i < f->n; i++) {
        const char *a = f->v[i].key;
        const size_t n = strlen(a);
        for (size_t k = i + 1; k < f->n && strncmp(a, f->v[k].key, n) == 0; k++) {
            const char next = f->v[k].key[n];
            if (next != 0 && next != '/') continue;
            sr_hint(err, "rename one of them, or protect them apart");
            return sr_fail(err, SR_E_USAGE, "%s and %s would both be the key %s", f->v[i].path,
                           f->v[k].path, a);
        }
    }
    return SR_OK;
}

sr_status pd_files_of(const char *const *paths, size_t n, struct pd_files *ret,
                      struct sr_err *err) {
    if (n == 0 || n > SR_MAX_FILES)
        return sr_fail(err, SR_E_USAGE, "give 1 to %d files", SR_MAX_FILES);
    for (size_t i = 0; i < n; i++) SR_TRY(add_one(ret, paths[i], n == 1, err));
    bool nested = false;
    for (size_t i = 0; i < ret->n; i++) nested = nested || strchr(ret->v[i].key, '/');
    if (nested) { /* a flat list keeps the order in which it was given */
        qsort(ret->v, ret->n, sizeof *ret->v, by_key);
        return distinct(ret, err);
    }
    for (size_t i = 0; i < ret->n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(ret->v[i].key, ret->v[k].key) == 0) {
                sr_hint(err, "rename one of them, or protect them apart");
                return sr_fail(err, SR_E_USAGE, "%s and %s would both be the key %s",
                               ret->v[k].path, ret->v[i].path, ret->v[i].key);
            }
    return SR_OK;
}

void pd_files_done(struct pd_files *f) {
    for (size_t i = 0; i < f->n; i++) {
        pd_file_close(&f->v[i]);
        free((char *)(uintptr_t)f->v[i].path);
    }
    free(f->v);
    if (f->memory > 0) (void)close(f->memory);
    *f = (struct pd_files){0};
}

/* {"a":{"b":"text/plain"},"c":"application/pdf"} for the keys a/b and c. */
void pd_files_schema(const struct pd_files *f, struct buf *b) {
    struct jw w = jw_of(b);
    const char *last = "";
    size_t open = 0; /* folders that are open */
    jw_obj(&w);
    for (size_t i = 0; i < f->n; i++) {
        const char *key = f->v[i].key;
        size_t same = 0, at = 0, word = 0;
        /* how many folders this one shares with the one before */
        for (; last[at] && last[at] == key[at]; at++)
            if (key[at] == '/') {
                same++;
                word = at + 1;
            }
        for (; open > same; open--) jw_end_obj(&w);
        for (const char *slash; (slash = strchr(key + word, '/')) != NULL;
             word = (size_t)(slash - key) + 1, open++) {
            char name[256] = {0};
            memcpy(name, key + word, (size_t)(slash - key) - word);
            jw_key(&w, name);
            jw_obj(&w);
        }
        jw_kcstr(&w, key + word, f->v[i].mime);
        last = key;
    }
    for (; open > 0; open--) jw_end_obj(&w);
    jw_end_obj(&w);
}
