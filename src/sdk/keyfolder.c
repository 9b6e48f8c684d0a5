/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/keyfolder.h"
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NAMES_MAX (1u << 20)

/* UTC--<date>--<40 hex digits> */
static bool parse_name(const char *file, struct keyfile *ret) {
    size_t n = strlen(file);
    if (n < 47 || n > 100 || strncmp(file, "UTC--", 5) != 0) return false;
    const char *hex = file + n - 40;
    if (hex[-1] != '-' || hex[-2] != '-' || !hex_decode(slice_of(hex, 40), ret->addr.b, 20))
        return false;
    text_put(ret->date, sizeof ret->date, slice_of(file + 5, n - 47));
    return true;
}

static int by_addr_newest_first(const void *pa, const void *pb) {
    const struct keyfile *a = pa, *b = pb;
    int c = memcmp(&a->addr, &b->addr, sizeof a->addr);
    return c != 0 ? c : strcmp(b->date, a->date);
}

static size_t drop_older(struct keyfile *list, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !addr_eq(&list[kept - 1].addr, &list[i].addr)) list[kept++] = list[i];
    return kept;
}

sr_status keyfolder_list(const char *folder, struct keyfile **ret_list, size_t *ret_n,
                         struct sr_err *err) {
    DIR *d = opendir(folder);
    if (!d && errno == ENOENT) {
        *ret_list = NULL;
        *ret_n = 0;
        return SR_OK;
    }
    if (!d) return sr_fail(err, SR_E_SYS, "can't read the keystore folder %s", folder);
    struct keyfile *list = NULL;
    size_t n = 0, cap = 0;
    sr_status st = SR_OK;
    for (struct dirent *e; st == SR_OK && (e = readdir(d)) != NULL;) {
        struct keyfile f = {0};
        if (!parse_name(e->d_name, &f)) continue;
        if (snprintf(f.path, sizeof f.path, "%s/%s", folder, e->d_name) >= (int)sizeof f.path)
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            struct keyfile *more = n < KEYFOLDER_MAX ? reallocarray(list, cap, sizeof *list) : NULL;
            if (!more) {
                st = sr_fail(err, SR_E_TOOBIG, "too many wallets in %s", folder);
                break;
            }
            list = more;
        }
        list[n++] = f;
    }
    (void)closedir(d);
    if (st != SR_OK) {
        free(list);
        return st;
    }
    if (n > 0) qsort(list, n, sizeof *list, by_addr_newest_first);
    *ret_list = list;
    *ret_n = drop_older(list, n);
    return SR_OK;
}

bool keyfolder_find(const char *folder, const struct addr *a, struct keyfile *ret) {
    struct keyfile *list = NULL;
    size_t n = 0;
    bool found = false;
    if (keyfolder_list(folder, &list, &n, NULL) != SR_OK) return false;
    for (size_t i = 0; i < n && !found; i++) {
        found = addr_eq(&list[i].addr, a);
        if (found) *ret = list[i];
    }
    free(list);
    return found;
}

/* ---- names ---------------------------------------------------------------------------------- */

static sr_status read_small(const char *folder, const char *file, struct buf *b) {
    cleanup_free char *path = path_join(folder, file);
    return path ? fs_read(path, b, NULL) : SR_E_NOMEM;
}

static struct json *read_names(const char *folder) {
    cleanup_buf struct buf b;
    struct json *doc = NULL;
    buf_init(&b, NAMES_MAX);
    if (read_small(folder, "names.json", &b) != SR_OK) return NULL;
    return json_parse(buf_slice(&b), &doc, NULL) == SR_OK ? doc : NULL;
}

bool keyfolder_by_name(const char *folder, const char *name, struct addr *ret_a) {
    cleanup_json struct json *doc = read_names(folder);
    return doc && json_addr(json_get(json_root(doc), name), ret_a);
}

bool keyfolder_name_of(const char *folder, const struct addr *a, char ret_name[64]) {
    cleanup_json struct json *doc = read_names(folder);
    if (!doc) return false;
    for (const struct json_val *v = json_first(json_root(doc)); v; v = json_next(v)) {
        struct addr one;
        if (!json_addr(v, &one) || !addr_eq(&one, a)) continue;
        text_put(ret_name, 64, json_key(v));
        return true;
    }
    return false;
}

sr_status keyfolder_check_name(const char *folder, const char *name, struct sr_err *err) {
    size_t n = strlen(name);
    bool ok = n > 0 && n < 64 && strncmp(name, "0x", 2) != 0;
    for (size_t i = 0; ok && i < n; i++) {
        char ch = name[i];
        ok = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
             ch == '-' || ch == '_' || ch == '.';
    }
    if (!ok) {
        sr_hint(err, "use letters, digits, '-', '_' and '.', 63 at most");
        return sr_fail(err, SR_E_USAGE, "\"%.64s\" can't be a wallet's name", name);
    }
    struct addr taken;
    if (keyfolder_by_name(folder, name, &taken)) {
        sr_hint(err, "choose another --name; strongroom wallet list shows those in use");
        return sr_fail(err, SR_E_CONFLICT, "the name %s is taken by %s", name, addr_text(&taken).s);
    }
    return SR_OK;
}

static sr_status add_name(const char *folder, const char *name, const struct addr *a,
                          struct sr_err *err) {
    cleanup_json struct json *doc = read_names(folder);
    cleanup_buf struct buf b;
    buf_init(&b, NAMES_MAX);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    for (const struct json_val *v = json_first(json_root(doc)); doc && v; v = json_next(v)) {
        jw_key_slice(&w, json_key(v));
        jw_raw(&w, json_raw(v));
    }
    jw_kaddr(&w, name, a);
    jw_end_obj(&w);
    SR_TRY(buf_status(&b, err));
    cleanup_free char *path = path_join(folder, "names.json");
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    return fs_write_atomic(path, buf_slice(&b), 0600, err);
}

/* ---- files ------------------------------------------------------------------------------------
 */

sr_status keyfolder_add(const char *folder, const struct addr *a, struct slice json,
                        const char *name, struct keyfile *ret, struct sr_err *err) {
    struct keyfile f;
    if (keyfolder_find(folder, a, &f)) {
        sr_hint(err, "it is in %s", f.path);
        return sr_fail(err, SR_E_CONFLICT, "the keystore has the wallet %s already",
                       addr_text(a).s);
    }
    if (name) SR_TRY(keyfolder_check_name(folder, name, err));
    SR_TRY(fs_mkdirs(folder, 0700, err));
    char file[KEYSTORE_NAME_MAX];
    keystore_name(file, a, clock_unix_ms());
    f = (struct keyfile){.addr = *a};
    if (snprintf(f.path, sizeof f.path, "%s/%s", folder, file) >= (int)sizeof f.path)
        return sr_fail(err, SR_E_TOOBIG, "the keystore folder's name is too long");
    SR_TRY(fs_write_atomic(f.path, json, 0600, err));
    if (name) SR_TRY(add_name(folder, name, a, err));
    *ret = f;
    return SR_OK;
}

bool keyfolder_default(const char *folder, char ret_text[64]) {
    cleanup_buf struct buf b;
    buf_init(&b, 256);
    if (read_small(folder, "default", &b) != SR_OK) return false;
    struct slice s = slice_trim(buf_slice(&b));
    if (s.n == 0 || s.n >= 64) return false;
    text_put(ret_text, 64, s);
    return true;
}

sr_status keyfolder_set_default(const char *folder, const char *text, struct sr_err *err) {
    SR_TRY(fs_mkdirs(folder, 0700, err));
    cleanup_free char *path = path_join(folder, "default");
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    return fs_write_atomic(path, slice_str(text), 0600, err);
}
