/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of installed apps. apps.json beside network.json is what lasts: strongroom up takes it into
 * the network.json that it writes, and the market's compass answers from it (docs/wire.md).
 */
#include "sdk/sdk_int.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64
#define APPS_MAX       (256u * 1024) /* bytes of apps.json */

struct name_args {
    struct sr_client *c;
    const char *name, *app, *list;
    struct addr app_addr, list_addr;
};

/* An object of names and addresses with one of them set. */
static void put_names(struct jw *w, const struct json_val *old, const char *name,
                      const struct addr *a) {
    jw_obj(w);
    for (const struct json_val *v = json_first(old); v; v = json_next(v)) {
        if (a && slice_is(json_key(v), name)) continue;
        jw_key_slice(w, json_key(v));
        jw_raw(w, json_raw(v));
    }
    if (a) jw_kaddr(w, name, a);
    jw_end_obj(w);
}

/* root again, with the names set in its members "apps" and "whitelists". */
static void put_doc(struct jw *w, const struct json_val *root, const struct name_args *n) {
    jw_obj(w);
    for (const struct json_val *v = json_first(root); v; v = json_next(v)) {
        struct slice key = json_key(v);
        if (slice_is(key, "apps") || slice_is(key, "whitelists")) continue;
        jw_key_slice(w, key);
        jw_raw(w, json_raw(v));
    }
    jw_key(w, "apps");
    put_names(w, json_get(root, "apps"), n->name, &n->app_addr);
    jw_key(w, "whitelists");
    put_names(w, json_get(root, "whitelists"), n->name, n->list ? &n->list_addr : NULL);
    jw_end_obj(w);
}

static sr_status rewrite(const char *path, const struct json_val *root, const struct name_args *n,
                         struct sr_err *err) {
    cleanup_buf_wipe struct buf b; /* a development network.json has keys */
    buf_init(&b, SDK_NETWORK_MAX);
    struct jw w = jw_of(&b);
    put_doc(&w, root, n);
    buf_u8(&b, '\n');
    SR_TRY(buf_status(&b, err));
    return fs_write_atomic(path, buf_slice(&b), 0600, err);
}

static sr_status rewrite_apps(const char *path, const struct name_args *n, struct sr_err *err) {
    cleanup_buf struct buf text;
    cleanup_json struct json *doc = NULL;
    buf_init(&text, APPS_MAX);
    if (fs_exists(path)) {
        SR_TRY(fs_read(path, &text, err));
        sr_status st = json_parse(buf_slice(&text), &doc, err);
        if (st != SR_OK) sr_err_prefix(err, "%s", path);
        if (st != SR_OK) return st;
    }
    return rewrite(path, doc ? json_root(doc) : NULL, n, err);
}

static sr_status write_both(struct name_args *n, const char *dir, struct sr_err *err) {
    struct sr_client *c = n->c;
    cleanup_free char *apps = path_join(dir, "apps.json");
    if (!apps) return sr_fail(err, SR_E_NOMEM, "out of memory");
    /* Two installations at once: one after the other, each upon what the other wrote. */
    cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) return sr_fail(err, SR_E_SYS, "can't lock %s", dir);
    SR_TRY(rewrite_apps(apps, n, err));
    sdk_network_done(&c->net);
    SR_TRY(sdk_network(c, err));
    SR_TRY(rewrite(c->network_file, json_root(c->net.doc), n, err));
    sdk_network_done(&c->net);
    return sdk_network(c, err);
}

static sr_status set_name(void *arg, struct sr_err *err) {
    struct name_args *n = arg;
    size_t len = strlen(n->name);
    if (len == 0 || len > NAME_MAX_BYTES ||
        strspn(n->name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") !=
            len ||
        slice_starts(slice_str(n->name), "0x"))
        return sr_fail(err, SR_E_USAGE, "an app's name has 1 to %d letters, digits, - and _",
                       NAME_MAX_BYTES);
    SR_TRY(sdk_addr_arg(n->app, "app", &n->app_addr, err));
    if (n->list) SR_TRY(sdk_addr_arg(n->list, "whitelist", &n->list_addr, err));
    SR_TRY(sdk_network(n->c, err));
    const char *file = n->c->network_file, *slash = strrchr(file, '/');
    cleanup_free char *dir =
        slash ? slice_dup(slice_of(file, slash == file ? 1 : (size_t)(slash - file)))
              : slice_dup(SLICE_LIT("."));
    if (!dir) return sr_fail(err, SR_E_NOMEM, "out of memory");
    return write_both(n, dir, err);
}

sr_status sr_app_set_name(struct sr_client *c, const char *name, const char *app, const char *list,
                          struct sr_err *err) {
    struct name_args n = {.c = c, .name = name, .app = app, .list = list};
    return sdk_call(c, set_name, &n, err);
}
