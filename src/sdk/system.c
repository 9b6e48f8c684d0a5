/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an app needs of a system (app.json's "base"): files of this machine's installed Debian
 * packages and of what they depend on. No network, no container engine; the same versions give the
 * same image.
 */
#include "sdk/system.h"
#include "base/base.h"
#include "sdk/debian.h"
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST_MAX     (32u << 20) /* what dpkg-query may say */
#define MAX_PACKAGES 400u        /* of one image */
#define MAX_FILES    60000u
#define MAX_KNOWN    20000u /* installed here */

extern char **environ;

/* Not needed to run anything. */
static const char *const left_out[] = {"debconf",
                                       "debconf-2.0",
                                       "dpkg",
                                       "adduser",
                                       "passwd",
                                       "tar",
                                       "perl-base",
                                       "openssl",
                                       "init-system-helpers",
                                       "python3-minimal:nodejs",
                                       "ca-certificates:nodejs"};
static const char *const left_out_paths[] = {"/usr/share/doc/",
                                             "/usr/share/man/",
                                             "/usr/share/info/",
                                             "/usr/share/locale/",
                                             "/usr/share/lintian/",
                                             "/usr/share/bash-completion/",
                                             "/usr/share/bug/",
                                             "/usr/share/applications/",
                                             "/usr/share/pixmaps/",
                                             "/usr/share/icons/",
                                             "/usr/share/gdb/",
                                             "/usr/share/systemtap/",
                                             "/usr/share/i18n/",
                                             "/usr/share/doc-base/",
                                             "/usr/share/binfmts/",
                                             "/usr/share/python3/",
                                             "/usr/share/gcc/",
                                             "/usr/include/",
                                             "/usr/lib/node_modules/",
                                             "/var/",
                                             "/etc/apt/",
                                             "/etc/init.d/",
                                             "/etc/cron",
                                             "/etc/default/",
                                             "/etc/ld.so",
                                             "/usr/lib/systemd/",
                                             "/usr/lib/valgrind/"};

/* ---- dpkg-query ---- */

sr_status sdk_program(char *const *argv, struct buf *out, const char *hint, struct sr_err *err) {
    int ends[2];
    pid_t pid;
    posix_spawn_file_actions_t fa;
    if (pipe2(ends, O_CLOEXEC) != 0) return sr_fail(err, SR_E_SYS, "starting %s", argv[0]);
    int rc = posix_spawn_file_actions_init(&fa);
    if (rc == 0) rc = posix_spawn_file_actions_adddup2(&fa, ends[1], 1);
    if (rc == 0) rc = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&fa);
    (void)close(ends[1]);
    if (rc != 0) {
        (void)close(ends[0]);
        sr_hint(err, "%s", hint);
        return sr_fail(err, SR_E_UNAVAILABLE, "cannot start %s: %s", argv[0], strerror(rc));
    }
    for (;;) {
        uint8_t *p = buf_reserve(out, 65536);
        ssize_t n = p ? read(ends[0], p, 65536) : -1;
        if (n < 0 && p && errno == EINTR) continue;
        if (n <= 0) break;
        (void)buf_grow(out, (size_t)n);
    }
    (void)close(ends[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    SR_TRY(buf_status(out, err));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return sr_fail(err, SR_E_UNAVAILABLE, "%s failed", argv[0]);
    return SR_OK;
}

static sr_status run(char *const *argv, struct buf *out, struct sr_err *err) {
    return sdk_program(argv, out, "apps with a base are packed on Debian, from installed packages",
                       err);
}

struct package {
    struct slice name, before, depends; /* of the text */
    bool wanted;
};
struct packages {
    struct buf text;
    struct package *v;
    size_t n;
    struct package *order[MAX_PACKAGES]; /* wanted */
    size_t n_order;
    char *node; /* a Node.js that is no package's; owned */
};

static struct slice plain_name(struct slice s) {
    struct slice name, rest;
    s = slice_trim(s);
    (void)slice_cut(s, ' ', &name, &rest); /* "libc6 (>= 2.36)" */
    (void)slice_cut(name, ':', &name, &rest);
    return name;
}

static sr_status read_packages(struct packages *p, struct sr_err *err) {
    static char name[] = "dpkg-query", show[] = "-W",
                format[] = "-f=${db:Status-Status}\t${Package}\t${Pre-Depends}\t${Depends}\n";
    char *argv[] = {name, show, format, NULL};
    SR_TRY(run(argv, &p->text, err));
    p->v = sr_calloc_n(MAX_KNOWN, sizeof *p->v);
    if (!p->v) return sr_fail(err, SR_E_NOMEM, "list of packages");
    struct slice rest = buf_slice(&p->text), line, status;
    while (rest.n > 0 && p->n < MAX_KNOWN) {
        struct package *k = &p->v[p->n];
        (void)slice_cut(rest, '\n', &line, &rest);
        if (!slice_cut(line, '\t', &status, &line) || !slice_is(status, "installed") ||
            !slice_cut(line, '\t', &k->name, &line))
            continue;
        (void)slice_cut(line, '\t', &k->before, &k->depends);
        p->n++;
    }
    return SR_OK;
}

static struct package *find(struct packages *p, struct slice name) {
    for (size_t i = 0; i < p->n; i++)
        if (slice_eq(p->v[i].name, name)) return &p->v[i];
    return NULL;
}

/* top: the package that was asked for; an entry "name:top" is left out below it only. */
static bool is_left_out(struct slice name, struct slice top) {
    for (size_t i = 0; i < SR_ARRAY_LEN(left_out); i++) {
        struct slice what, below;
        bool only = slice_cut(slice_str(left_out[i]), ':', &what, &below);
        if (slice_eq(what, name) && (!only || slice_eq(below, top))) return true;
    }
    return false;
}

static sr_status want(struct packages *p, struct package *k, struct sr_err *err) {
    if (k->wanted) return SR_OK;
    if (p->n_order == MAX_PACKAGES)
        return sr_fail(err, SR_E_TOOBIG, "more than %u packages", MAX_PACKAGES);
    k->wanted = true;
    p->order[p->n_order++] = k;
    return SR_OK;
}

/* "a (>= 1) | b, c": of each, the first that is installed. */
static sr_status want_list(struct packages *p, struct slice list, struct slice top,
                           struct sr_err *err) {
    struct slice one, choice;
    while (list.n > 0) {
        (void)slice_cut(list, ',', &one, &list);
        while (one.n > 0) {
            (void)slice_cut(one, '|', &choice, &one);
            struct slice name = plain_name(choice);
            struct package *k = find(p, name);
            if (!k) continue;
            if (!is_left_out(name, top)) SR_TRY(want(p, k, err));
            break;
        }
    }
    return SR_OK;
}

static sr_status want_all(struct packages *p, struct slice top, struct sr_err *err) {
    struct package *k = find(p, top);
    if (!k) {
        sr_hint(err,
                "apt install %.*s; or \"packages\" instead of \"base\": out of Debian's archive",
                (int)(top.n < 60 ? top.n : 60), (const char *)top.p);
        return sr_fail(err, SR_E_NOTFOUND, "package %s is not installed on this machine",
                       log_q(top).s);
    }
    size_t from = p->n_order;
    SR_TRY(want(p, k, err));
    for (size_t i = from; i < p->n_order; i++) {
        SR_TRY(want_list(p, p->order[i]->before, top, err));
        SR_TRY(want_list(p, p->order[i]->depends, top, err));
    }
    return SR_OK;
}

/* ---- files ---- */

static sr_status put(struct sdk_system *s, const char *path, const char *from, const char *link,
                     struct sr_err *err) {
    if (s->n >= MAX_FILES) return sr_fail(err, SR_E_TOOBIG, "more than %u files", MAX_FILES);
    struct oci_extra *x = &s->v[s->n];
    x->path = slice_dup(slice_str(path));
    x->from = from ? slice_dup(slice_str(from)) : NULL;
    x->link = link ? slice_dup(slice_str(link)) : NULL;
    s->n++;
    return x->path && (!from || x->from) && (!link || x->link)
               ? SR_OK
               : sr_fail(err, SR_E_NOMEM, "list of files");
}

static bool is_merged(const char *name) {
    char target[64];
    ssize_t n = readlink(name, target, sizeof target);
    return n > 4 && memcmp(target, "usr/", 4) == 0;
}

/* path: as packages name it; below: the folder that stands for "/" (""). */
static sr_status put_file(struct sdk_system *s, const char *below, const char *path,
                          struct sr_err *err) {
    static const char *const merged[] = {"/bin/", "/sbin/", "/lib/", "/lib64/"};
    struct stat st;
    char inside[4096], target[256];
    const char *prefix = "";
    char real[4096];
    if ((size_t)snprintf(real, sizeof real, "%s%s", below, path) >= sizeof real)
        return sr_fail(err, SR_E_TOOBIG, "a path is too long");
    if (lstat(real, &st) != 0) return SR_OK; /* a documentation filter of this machine's */
    for (size_t i = 0; i < SR_ARRAY_LEN(merged); i++)
        if (s->merged && slice_starts(slice_str(path), merged[i])) prefix = "usr/";
    int n = snprintf(inside, sizeof inside, "%s%s", prefix, path + 1);
    if (n < 0 || (size_t)n >= sizeof inside) return sr_fail(err, SR_E_TOOBIG, "a path is too long");
    if (S_ISLNK(st.st_mode)) {
        ssize_t k = readlink(real, target, sizeof target - 1);
        if (k <= 0 || k > 99) return SR_OK;
        target[k] = 0;
        return put(s, inside, NULL, target, err);
    }
    if (!S_ISREG(st.st_mode) || access(real, R_OK) != 0) return SR_OK;
    return put(s, inside, real, NULL, err);
}

static bool path_is_left_out(struct slice path) {
    for (size_t i = 0; i < SR_ARRAY_LEN(left_out_paths); i++)
        if (slice_starts(path, left_out_paths[i])) return true;
    return slice_starts(path, "/usr/lib/") && path.n > 8 &&
           memmem(path.p, path.n, "/gconv/", 7) != NULL;
}

static sr_status put_packages(struct sdk_system *s, const struct packages *p, struct sr_err *err) {
    static char name[] = "dpkg-query", list[] = "-L";
    char *argv[MAX_PACKAGES + 3] = {name, list};
    cleanup_buf struct buf text;
    buf_init(&text, LIST_MAX);
    sr_status st = SR_OK;
    for (size_t i = 0; i < p->n_order && st == SR_OK; i++)
        if (!(argv[2 + i] = slice_dup(p->order[i]->name)))
            st = sr_fail(err, SR_E_NOMEM, "packages");
    if (st == SR_OK) st = run(argv, &text, err);
    for (size_t i = 0; i < p->n_order; i++) free(argv[2 + i]);
    SR_TRY(st);
    struct slice rest = buf_slice(&text), line;
    while (rest.n > 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        if (line.n < 2 || line.p[0] != '/' || path_is_left_out(line)) continue;
        cleanup_free char *path = slice_dup(line);
        if (!path) return sr_fail(err, SR_E_NOMEM, "list of files");
        SR_TRY(put_file(s, "", path, err));
    }
    return SR_OK;
}

static sr_status put_common(struct sdk_system *s, struct sr_err *err) {
    static const char certificates[] = "/etc/ssl/certs/ca-certificates.crt";
    static const char *const roots[] = {"bin", "sbin", "lib", "lib64"};
    s->merged = is_merged("/lib");
    for (size_t i = 0; s->merged && i < SR_ARRAY_LEN(roots); i++) {
        char host[16], target[32];
        (void)snprintf(host, sizeof host, "/%s", roots[i]);
        (void)snprintf(target, sizeof target, "usr/%s", roots[i]);
        if (is_merged(host)) SR_TRY(put(s, roots[i], NULL, target, err));
    }
    return access(certificates, R_OK) == 0 ? put(s, certificates + 1, certificates, NULL, err)
                                           : SR_OK;
}

void sdk_system_done(struct sdk_system *s) {
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].path);
        free(s->v[i].from);
        free(s->v[i].link);
    }
    free(s->v);
    *s = (struct sdk_system){0};
}

/* "python" and "node" are the packages that people mean. */
static struct slice package_of(struct slice word) {
    if (slice_is(word, "python")) return SLICE_LIT("python3");
    if (slice_is(word, "node") || slice_is(word, "javascript")) return SLICE_LIT("nodejs");
    return word;
}

/* The executable that a shell would find. */
static char *on_path(const char *name) {
    const char *path = getenv("PATH");
    struct slice rest = slice_str(path ? path : "/usr/local/bin:/usr/bin:/bin"), one;
    while (rest.n > 0) {
        (void)slice_cut(rest, ':', &one, &rest);
        cleanup_free char *dir = slice_dup(one);
        cleanup_free char *full = dir ? path_join(dir, name) : NULL;
        if (full && access(full, X_OK) == 0) return realpath(full, NULL);
    }
    return NULL;
}

/* Node.js is often no package: then the program on PATH, with the libraries that it needs. */
static sr_status want_word(struct packages *p, struct slice word, struct sr_err *err) {
    struct slice name = package_of(word);
    if (slice_is(name, "nodejs") && !find(p, name) && (p->node = on_path("node")) != NULL) {
        SR_TRY(want_all(p, SLICE_LIT("libc6"), err));
        return want_all(p, SLICE_LIT("libstdc++6"), err);
    }
    return want_all(p, name, err);
}

static sr_status gather(const struct json_val *base, struct packages *p, struct sdk_system *s,
                        struct sr_err *err) {
    struct slice word;
    SR_TRY(read_packages(p, err));
    if (json_str(base, &word)) {
        SR_TRY(want_word(p, word, err));
    } else {
        if (!json_is(base, JSON_ARRAY))
            return sr_fail(err, SR_E_USAGE, "app.json: base is neither a package nor a list");
        for (const struct json_val *i = json_first(base); i; i = json_next(i)) {
            if (!json_str(i, &word))
                return sr_fail(err, SR_E_USAGE, "app.json: base holds something that is no text");
            SR_TRY(want_word(p, word, err));
        }
    }
    s->v = sr_calloc_n(MAX_FILES, sizeof *s->v);
    if (!s->v) return sr_fail(err, SR_E_NOMEM, "list of files");
    SR_TRY(put_common(s, err));
    if (p->node) SR_TRY(put(s, "usr/bin/node", p->node, NULL, err));
    return put_packages(s, p, err);
}

/* ---- out of Debian's archive ---- */

/* mmdebstrap's own, and this machine's name and resolver, which it copies. */
static const char *const archive_left_out[] = {
    "/etc/hostname", "/etc/resolv.conf", "/etc/fstab", "/etc/dpkg/",
    "/dev/",         "/proc/",           "/sys/",      "/run/",
    "/tmp/"};

static bool archive_path_is_left_out(struct slice path) {
    for (size_t i = 0; i < SR_ARRAY_LEN(archive_left_out); i++)
        if (slice_starts(path, archive_left_out[i])) return true;
    return path_is_left_out(path);
}

static sr_status put_folder(struct sdk_system *s, const char *below, const char *path,
                            unsigned depth, struct sr_err *err) {
    char real[4096], inside[4096];
    struct dirent **list = NULL;
    if (depth > OCI_MAX_DEPTH) return sr_fail(err, SR_E_TOOBIG, "folders are too deep");
    if ((size_t)snprintf(real, sizeof real, "%s%s", below, path) >= sizeof real)
        return sr_fail(err, SR_E_TOOBIG, "a path is too long");
    int n = scandir(real, &list, NULL, alphasort);
    if (n < 0) return sr_fail(err, SR_E_SYS, "reading '%s'", real);
    sr_status st = SR_OK;
    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        bool skip = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
        bool folder = list[i]->d_type == DT_DIR;
        if (depth == 0 && !folder) skip = true; /* links of a merged /usr: put above */
        if (st == SR_OK && !skip) {
            if ((size_t)snprintf(inside, sizeof inside, "%s/%s%s", path, name, folder ? "/" : "") >=
                sizeof inside)
                st = sr_fail(err, SR_E_TOOBIG, "a path is too long");
            else if (archive_path_is_left_out(slice_str(inside)))
                skip = true;
        }
        if (st == SR_OK && !skip && folder) {
            inside[strlen(inside) - 1] = 0;
            st = put_folder(s, below, inside, depth + 1, err);
        } else if (st == SR_OK && !skip) {
            st = put_file(s, below, inside, err);
        }
        free(list[i]);
    }
    free(list);
    return st;
}

static sr_status from_archive(const char *dir, const struct json_val *app, struct sdk_system *s,
                              struct sr_err *err) {
    static const char *const roots[] = {"bin", "sbin", "lib", "lib64"};
    cleanup_free char *folder = NULL;
    if (json_get(app, "base")) {
        sr_hint(err, "base is of this machine's packages, packages of Debian's archive: take one");
        return sr_fail(err, SR_E_USAGE, "app.json names both base and packages");
    }
    SR_TRY(sdk_debian_fetch(dir, app, &folder, err));
    s->v = sr_calloc_n(MAX_FILES, sizeof *s->v);
    if (!s->v) return sr_fail(err, SR_E_NOMEM, "list of files");
    s->merged = true;
    for (size_t i = 0; i < SR_ARRAY_LEN(roots); i++) {
        char target[32];
        (void)snprintf(target, sizeof target, "usr/%s", roots[i]);
        SR_TRY(put(s, roots[i], NULL, target, err));
    }
    return put_folder(s, folder, "", 0, err);
}

sr_status sdk_system_of(const char *dir, struct sdk_system *ret, struct sr_err *err) {
    cleanup_free char *path = path_join(dir, "app.json");
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf text;
    struct packages p = {0};
    struct sdk_system s = {0};
    buf_init(&text, 64u << 10);
    if (!path) return sr_fail(err, SR_E_NOMEM, "path");
    *ret = s;
    if (fs_read(path, &text, NULL) != SR_OK || json_parse(buf_slice(&text), &doc, NULL) != SR_OK)
        return SR_OK; /* oci_build says what is wrong */
    const struct json_val *base = json_get(json_root(doc), "base");
    bool archive = json_get(json_root(doc), "packages") != NULL;
    if (!archive && (!base || json_is(base, JSON_NULL))) return SR_OK;
    buf_init(&p.text, LIST_MAX);
    sr_status st = archive ? from_archive(dir, json_root(doc), &s, err) : gather(base, &p, &s, err);
    buf_done(&p.text);
    free(p.v);
    free(p.node);
    if (st != SR_OK) {
        sdk_system_done(&s);
        return st;
    }
    *ret = s;
    return SR_OK;
}
