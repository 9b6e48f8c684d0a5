/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/debian.h"
#include "crypto/crypto.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NAMES_MAX     64u
#define NAMES_BYTES   4096u
#define MIRROR_MAX    300u
#define LOG_SHOWN     (64u << 10)
#define SAID_MAX      (1u << 20)
#define BUNDLE_MAX    (4u << 20)
#define DEFAULT_SUITE "bookworm"

struct wanted { /* texts without anything that a program could take for an option */
    char names[NAMES_BYTES], suite[40], mirror[MIRROR_MAX + 1];
};

static bool is_word(struct slice s, const char *more) {
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || c == 0 || !strchr(more, c))) return false;
    }
    return s.n > 0;
}

static sr_status take_names(const struct json_val *list, struct wanted *w, struct sr_err *err) {
    size_t n = 0, at = 0;
    struct slice name;
    if (!json_is(list, JSON_ARRAY) || json_len(list) == 0 || json_len(list) > NAMES_MAX) {
        sr_hint(err, "\"packages\": [\"python3-minimal\"]");
        return sr_fail(err, SR_E_USAGE, "app.json: packages is no list of 1 to %u names",
                       NAMES_MAX);
    }
    for (const struct json_val *v = json_first(list); v; v = json_next(v), n++) {
        if (!json_str(v, &name) || !is_word(name, "+.-") || at + name.n + 2 > sizeof w->names)
            return sr_fail(err, SR_E_USAGE, "app.json: packages holds what is no package's name");
        at += (size_t)snprintf(w->names + at, sizeof w->names - at, "%s%.*s", n ? "," : "",
                               (int)name.n, (const char *)name.p);
    }
    return SR_OK;
}

static sr_status take_mirror(struct slice text, struct wanted *w, struct sr_err *err) {
    static const char *const kinds[] = {"http://", "https://", "file:/", "copy:/", "deb "};
    bool known = text.n <= MIRROR_MAX;
    for (size_t i = 0; i < text.n; i++) known &= text.p[i] >= ' ' && text.p[i] < 0x7f;
    bool begins = false;
    for (size_t i = 0; i < SR_ARRAY_LEN(kinds); i++) begins |= slice_starts(text, kinds[i]);
    if (!known || !begins)
        return sr_fail(err, SR_E_USAGE, "app.json: mirror is no URL of an archive and no apt line");
    memcpy(w->mirror, text.p, text.n);
    return SR_OK;
}

static sr_status take_wanted(const struct json_val *app, struct wanted *w, struct sr_err *err) {
    const struct json_val *suite = json_get(app, "suite"), *mirror = json_get(app, "mirror");
    struct slice text = SLICE_LIT(DEFAULT_SUITE);
    SR_TRY(take_names(json_get(app, "packages"), w, err));
    if ((suite && !json_str(suite, &text)) || !is_word(text, "-") || text.n >= sizeof w->suite)
        return sr_fail(err, SR_E_USAGE, "app.json: suite is no name of a Debian suite");
    memcpy(w->suite, text.p, text.n);
    if (!mirror || json_is(mirror, JSON_NULL)) return SR_OK;
    if (!json_str(mirror, &text)) text = slice_of(NULL, 0);
    return take_mirror(text, w, err);
}

static char *folder_of(const char *dir, const struct wanted *w) {
    char hex[65], *folder = NULL;
    cleanup_buf struct buf b = {0};
    buf_init(&b, NAMES_BYTES + 1024);
    buf_printf(&b, "%s\n%s\n%s\n", w->names, w->suite, w->mirror);
    struct hash key = sha256(buf_slice(&b));
    hex_encode(hex, key.b, 32);
    hex[16] = 0;
    if (asprintf(&folder, "%s/cache/debian-%s", dir, hex) < 0) return NULL;
    return folder;
}

/* The first "E: ..." of mmdebstrap's log, for the error's text: the later ones follow from it. */
static void first_reason(const char *log, char dst[160]) {
    cleanup_buf struct buf b = {0};
    struct slice rest, line = {NULL, 0};
    buf_init(&b, LOG_SHOWN);
    (void)snprintf(dst, 160, "mmdebstrap failed");
    if (fs_read(log, &b, NULL) != SR_OK) return;
    for (rest = buf_slice(&b); rest.n > 0 && !slice_starts(line, "E: ");)
        (void)slice_cut(rest, '\n', &line, &rest);
    if (slice_starts(line, "E: "))
        (void)snprintf(dst, 160, "%.150s", log_q(slice_of(line.p + 3, line.n - 3)).s);
}

static sr_status run_mmdebstrap(const struct wanted *w, const char *tar, const char *log,
                                struct sr_err *err) {
    /* The shell opens the log, and sees no text of app.json but as a parameter. */
    static char sh[] = "/bin/sh", c[] = "-c", script[] = "exec mmdebstrap \"$@\" >\"$0\" 2>&1",
                variant[] = "--variant=extract", mode[] = "--mode=unshare",
                format[] = "--format=tar", skip[] = "--skip=chroot/mount";
    char include[NAMES_BYTES + 16], why[160];
    cleanup_free char *to = slice_dup(slice_str(tar)), *to_log = slice_dup(slice_str(log));
    struct wanted copy = *w;
    cleanup_buf struct buf said = {0};
    if (!to || !to_log) return sr_fail(err, SR_E_NOMEM, "path");
    buf_init(&said, SAID_MAX);
    (void)snprintf(include, sizeof include, "--include=%s", w->names);
    char *argv[16] = {sh, c, script, to_log, variant, mode, format, skip, include, copy.suite, to};
    if (copy.mirror[0]) argv[11] = copy.mirror;
    struct sr_err e = {0};
    sr_status st = sdk_program(argv, &said, "apt install mmdebstrap", &e);
    if (st == SR_OK) return SR_OK;
    first_reason(log, why);
    sr_hint(err, "it needs mmdebstrap, and Debian's archive once; all it said is in %.100s", log);
    return sr_fail(err, SR_E_UNAVAILABLE, "getting packages: %s", why);
}

static sr_status unpack(const char *tar, const char *folder, struct sr_err *err) {
    static char program[] = "tar", owner[] = "--no-same-owner", perms[] = "--no-same-permissions",
                without[] = "--exclude=./dev", x[] = "-xf", into[] = "-C";
    cleanup_free char *from = slice_dup(slice_str(tar)), *to = slice_dup(slice_str(folder));
    cleanup_buf struct buf said = {0};
    if (!from || !to) return sr_fail(err, SR_E_NOMEM, "path");
    buf_init(&said, SAID_MAX);
    char *argv[] = {program, owner, perms, without, x, from, into, to, NULL};
    return sdk_program(argv, &said, "tar unpacks what mmdebstrap made", err);
}

static int is_certificate(const struct dirent *d) {
    size_t n = strlen(d->d_name);
    return n > 4 && strcmp(d->d_name + n - 4, ".crt") == 0;
}

/* ca-certificates' own script would make the bundle; scripts are not run here. */
static sr_status make_bundle(const char *folder, struct sr_err *err) {
    cleanup_free char *all = path_join(folder, "usr/share/ca-certificates/mozilla");
    cleanup_free char *certs = path_join(folder, "etc/ssl/certs");
    cleanup_free char *path = certs ? path_join(certs, "ca-certificates.crt") : NULL;
    cleanup_buf struct buf bundle = {0};
    struct dirent **list = NULL;
    if (!all || !path) return sr_fail(err, SR_E_NOMEM, "path");
    int n = scandir(all, &list, is_certificate, alphasort);
    if (n <= 0) return SR_OK; /* not wanted */
    buf_init(&bundle, BUNDLE_MAX);
    sr_status st = SR_OK;
    for (int i = 0; i < n; i++) {
        cleanup_free char *one = path_join(all, list[i]->d_name);
        if (st == SR_OK) st = one ? fs_read(one, &bundle, err) : sr_fail(err, SR_E_NOMEM, "path");
        free(list[i]);
    }
    free(list);
    SR_TRY(st);
    SR_TRY(fs_mkdirs(certs, 0755, err));
    return fs_write_atomic(path, buf_slice(&bundle), 0644, err);
}

static sr_status fetch(const struct wanted *w, const char *folder, struct sr_err *err) {
    cleanup_free char *part = NULL, *tar = NULL, *log = NULL;
    struct sr_err none = {0};
    if (asprintf(&part, "%s.part", folder) < 0) part = NULL;
    if (asprintf(&tar, "%s.tar", folder) < 0) tar = NULL;
    if (asprintf(&log, "%s.log", folder) < 0) log = NULL;
    if (!part || !tar || !log) return sr_fail(err, SR_E_NOMEM, "path");
    (void)!fs_remove_tree(part, &none);
    SR_TRY(fs_mkdirs(part, 0755, err));
    sr_status st = run_mmdebstrap(w, tar, log, err);
    if (st == SR_OK) st = unpack(tar, part, err);
    (void)unlink(tar);
    if (st == SR_OK) st = make_bundle(part, err);
    if (st == SR_OK && rename(part, folder) != 0)
        st = sr_fail(err, SR_E_SYS, "keeping '%s'", folder);
    if (st != SR_OK) (void)!fs_remove_tree(part, &none);
    return st;
}

sr_status sdk_debian_fetch(const char *dir, const struct json_val *app, char **ret_folder,
                           struct sr_err *err) {
    struct wanted w = {{0}, {0}, {0}};
    SR_TRY(take_wanted(app, &w, err));
    cleanup_free char *folder = folder_of(dir, &w);
    if (!folder) return sr_fail(err, SR_E_NOMEM, "path");
    if (!fs_is_dir(folder)) SR_TRY(fetch(&w, folder, err));
    *ret_folder = sr_take_ptr(folder);
    return SR_OK;
}
