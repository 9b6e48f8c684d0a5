/* SPDX-License-Identifier: Apache-2.0 */
/* data, app */
#include "cli/project.h"
#include <fcntl.h>

static bool is_zero_address(const char *text) {
    return strspn(text + 2, "0") == 40;
}

static const char *or_any(const char *address) {
    return is_zero_address(address) ? "any" : address;
}

static void put_data(struct cli *c, const struct sr_data *d) {
    out_str(c, "address", d->address);
    out_str(c, "name", d->name);
    out_str(c, "owner", d->owner);
    out_str(c, "cid", d->cid);
    out_str(c, "multiaddr", d->multiaddr);
    out_str(c, "checksum", d->checksum);
    if (d->bytes > 0) out_u64(c, "bytes", d->bytes); /* known to who protected it */
    out_json(c, "schema", d->schema);
    out_time(c, "created", d->created_unix_s);
    out_str(c, "tx", d->tx);
    out_bool(c, c->json ? "keyStored" : "key stored", d->has_secret);
}

/* The text is in this process's memory now: others need not see it in the process list. */
static void hide_argument(const char *text) {
    explicit_bzero((char *)(uintptr_t)text, strlen(text));
}

/* A new file, readable to its owner only; nothing is overwritten. An upload that is continued finds
 * the file that its beginning has written. */
static sr_status keep_key(void *arg, const char *secret_key, struct sr_err *err) {
    const char *path = arg;
    cleanup_buf_wipe struct buf kept;
    buf_init(&kept, 256);
    if (fs_read(path, &kept, NULL) == SR_OK &&
        slice_eq(slice_trim(buf_slice(&kept)), slice_str(secret_key)))
        return SR_OK;
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "can't make the key file %s", path);
    SR_TRY(fd_write_all(fd, secret_key, strlen(secret_key), err));
    return fd_write_all(fd, "\n", 1, err);
}

static sr_status read_key(struct cli *c, struct buf *secret_key, struct sr_err *err) {
    const char *path = cli_value(c, "--key-file");
    buf_init(secret_key, 256);
    return path ? cli_read_file(path, 256, secret_key, err) : SR_OK;
}

/* Another node than the network's store; auth holds what the file says. */
static sr_status upload_opts(struct cli *c, struct sr_protect *p, struct buf *auth,
                             struct sr_err *err) {
    const char *path = cli_value(c, "--upload-auth");
    buf_init(auth, SR_MAX_AUTH);
    p->upload_url = cli_value(c, "--upload-url");
    if (!path) return SR_OK;
    if (!p->upload_url) return sr_fail(err, SR_E_USAGE, "--upload-auth goes with --upload-url");
    SR_TRY(cli_read_file(path, SR_MAX_AUTH, auth, err));
    while (auth->n > 0 && (auth->p[auth->n - 1] == '\n' || auth->p[auth->n - 1] == '\r'))
        auth->p[--auth->n] = 0;
    p->secret_upload_auth = buf_cstr(auth);
    return SR_OK;
}

/* Each path by itself; what fails is told, and the others go on. */
static sr_status protect_each(struct cli *c, struct sr_protect *p) {
    bool failed = false;
    if (c->json) {
        jw_obj(&c->w);
        jw_key(&c->w, "data");
        jw_arr(&c->w);
    }
    for (size_t i = 0; i < c->n_args; i++) {
        struct sr_data d = {0};
        struct sr_err e = {0};
        const char *slash = strrchr(c->args[i], '/');
        p->paths = &c->args[i];
        p->n_paths = 1;
        p->name = slash && slash[1] ? slash + 1 : c->args[i];
        sr_status st = sr_data_protect(c->client, p, &d, &e);
        out_begin(c);
        out_str(c, "path", c->args[i]);
        if (st == SR_OK)
            put_data(c, &d);
        else
            out_str(c, "error", e.what);
        out_end(c);
        out_text(c, "\n");
        failed = failed || st != SR_OK;
        sr_data_done(&d);
    }
    if (c->json) jw_end_arr(&c->w);
    out_end(c);
    if (failed) c->exit_code = 1;
    return SR_OK;
}

sr_status cmd_data_protect(struct cli *c, struct sr_err *err) {
    const char *name = cli_value(c, "--name"), *text = cli_value(c, "--json"),
               *object = cli_value(c, "--object"), *keep = cli_value(c, "--key-out");
    struct sr_protect p = {.name = name};
    struct sr_data d = {0};
    cleanup_buf_wipe struct buf json, key, auth;
    SR_TRY(upload_opts(c, &p, &auth, err));
    buf_init(&json, SR_MAX_JSON);
    buf_init(&key, 0);
    if ((c->n_args > 0) + (text != NULL) + (object != NULL) != 1) {
        sr_hint(err,
                "strongroom data protect FILE, or --json '{\"key\": \"value\"}', or --object FILE");
        return sr_fail(err, SR_E_USAGE, "give either files or one JSON object to protect");
    }
    if (cli_flag(c, "--each") && (c->n_args == 0 || name || keep || cli_value(c, "--key-file")))
        return sr_fail(err, SR_E_USAGE, "--each goes with files only, without a name or a key");
    if (cli_flag(c, "--each")) return protect_each(c, &p);
    SR_TRY(read_key(c, &key, err));
    if (key.n > 0) p.secret_key = buf_cstr(&key);
    if (keep) {
        p.key_made = keep_key;
        p.key_arg = (void *)(uintptr_t)keep;
    }
    if (c->n_args > 0) {
        p.paths = c->args;
        p.n_paths = c->n_args;
    } else {
        if (text && strcmp(text, "-") != 0) {
            buf_str(&json, text);
            hide_argument(text);
        } else {
            SR_TRY(cli_read_file(text ? "-" : object, SR_MAX_JSON, &json, err));
        }
        SR_TRY(buf_status(&json, err));
        p.json = buf_cstr(&json);
        p.json_len = json.n;
    }
    SR_TRY(sr_data_protect(c->client, &p, &d, err));
    out_begin(c);
    put_data(c, &d);
    out_end(c);
    sr_data_done(&d);
    return SR_OK;
}

sr_status cmd_data_push_key(struct cli *c, struct sr_err *err) {
    cleanup_buf_wipe struct buf key;
    SR_TRY(read_key(c, &key, err));
    if (key.n == 0) return sr_fail(err, SR_E_USAGE, "which key? --key-file is missing");
    SR_TRY(sr_data_push_key(c->client, c->args[0], buf_cstr(&key), err));
    out_begin(c);
    out_str(c, "data", c->args[0]);
    out_bool(c, c->json ? "keyStored" : "key stored", true);
    out_end(c);
    return SR_OK;
}

sr_status cmd_data_open(struct cli *c, struct sr_err *err) {
    cleanup_buf_wipe struct buf key;
    struct sr_result r = {0};
    char folder[64];
    const char *out = cli_value(c, "--out");
    SR_TRY(read_key(c, &key, err));
    if (key.n == 0) return sr_fail(err, SR_E_USAGE, "which key? --key-file is missing");
    (void)snprintf(folder, sizeof folder, "data-%.10s", c->args[0]);
    SR_TRY(sr_data_open(c->client, c->args[0], buf_cstr(&key), out ? out : folder, &r, err));
    out_begin(c);
    out_str(c, "data", c->args[0]);
    out_str(c, "opened", r.dir);
    out_u64(c, "files", r.files);
    out_u64(c, "bytes", r.bytes);
    out_end(c);
    return SR_OK;
}

static sr_status parse_count(const char *text, uint64_t *ret_n, struct sr_err *err) {
    if (!text) {
        *ret_n = 1;
    } else if (strcmp(text, "unlimited") == 0) {
        *ret_n = SR_UNLIMITED;
    } else if (!num_u64(slice_str(text), SR_UNLIMITED, ret_n) || *ret_n == 0) {
        sr_hint(err, "a whole number from 1 on, or unlimited");
        return sr_fail(err, SR_E_USAGE, "--count %.32s is not a number of accesses", text);
    }
    return SR_OK;
}

static void put_grant(struct cli *c, const struct sr_grant_info *g) {
    out_str(c, c->json ? "orderHash" : "order", g->order_hash);
    out_str(c, "app", c->json ? g->app : or_any(g->app));
    out_str(c, "user", c->json ? g->user : or_any(g->user));
    out_amount(c, "price", g->price_nrlc);
    out_u64(c, "count", g->count);
    out_u64(c, "remaining", g->remaining);
    out_str(c, "tx", g->tx);
}

/* egress: a JSON array of hosts; NULL: not known. */
static void put_network(struct cli *c, const char *egress) {
    if (c->json) {
        out_json(c, "egress", egress);
    } else if (!egress) {
        out_text(c, "%-16s not known: its image cannot be looked at\n", "network");
    } else if (strcmp(egress, "[]") == 0) {
        out_text(c, "%-16s none: this app cannot talk to anybody\n", "network");
    } else {
        out_text(c, "%-16s this app can talk to %s, and to nobody else\n", "network", egress);
    }
}

sr_status cmd_data_grant(struct cli *c, struct sr_err *err) {
    struct sr_grant g = {.data = c->args[0],
                         .app = cli_value(c, "--app"),
                         .user = cli_value(c, "--user"),
                         .price_nrlc = cli_value(c, "--price"),
                         .bulk = cli_flag(c, "--bulk")};
    if (!g.app || !g.user) {
        sr_hint(err, "--app ADDRESS --user ADDRESS; the word any opens it to every app or user");
        return sr_fail(err, SR_E_USAGE, "data grant needs %s", g.app ? "--user" : "--app");
    }
    if (!g.bulk || cli_value(c, "--count"))
        SR_TRY(parse_count(cli_value(c, "--count"), &g.count, err));
    struct sr_grant_info info;
    struct sr_app app = {0};
    struct sr_err unknown = {0}; /* the grant says what is wrong with the app, if anything is */
    bool any = strcmp(g.app, "any") == 0;
    bool seen = !any && sr_app_show(c->client, g.app, &app, &unknown) == SR_OK;
    sr_status st = sr_data_grant(c->client, &g, &info, err);
    if (st == SR_OK) {
        out_begin(c);
        out_str(c, "data", c->args[0]);
        put_grant(c, &info);
        if (seen) put_network(c, app.egress);
        out_end(c);
    }
    sr_app_done(&app);
    return st;
}

static void put_grants(struct cli *c, const char *key, const struct sr_grant_info *list, size_t n) {
    if (c->json) {
        jw_key(&c->w, key);
        jw_arr(&c->w);
        for (size_t i = 0; i < n; i++) {
            out_begin(c);
            put_grant(c, &list[i]);
            out_end(c);
        }
        jw_end_arr(&c->w);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out_text(c, "%-16s app %s, user %s, price %s nRLC, %llu left%s%s\n", key,
                 or_any(list[i].app), or_any(list[i].user), list[i].price_nrlc,
                 (unsigned long long)list[i].remaining, list[i].tx[0] ? ", tx " : "", list[i].tx);
}

sr_status cmd_data_revoke(struct cli *c, struct sr_err *err) {
    struct sr_grant_info *list;
    size_t n;
    if ((c->n_args > 0) == cli_flag(c, "--all")) {
        sr_hint(err, "strongroom data revoke ADDR, or strongroom data revoke --all");
        return sr_fail(err, SR_E_USAGE, "give either protected data or --all");
    }
    const char *data = c->n_args ? c->args[0] : NULL;
    SR_TRY(sr_data_revoke(c->client, data, cli_value(c, "--app"), cli_value(c, "--user"), &list, &n,
                          err));
    out_begin(c);
    if (data) out_str(c, "data", data);
    put_grants(c, "revoked", list, n);
    out_end(c);
    sr_free(list);
    return SR_OK;
}

sr_status cmd_data_list(struct cli *c, struct sr_err *err) {
    struct sr_data *list;
    size_t n;
    SR_TRY(sr_data_list(c->client, cli_value(c, "--owner"), &list, &n, err));
    if (c->json) {
        jw_obj(&c->w);
        jw_key(&c->w, "data");
        jw_arr(&c->w);
        for (size_t i = 0; i < n; i++) {
            out_begin(c);
            put_data(c, &list[i]);
            out_end(c);
        }
        jw_end_arr(&c->w);
        out_end(c);
    }
    for (size_t i = 0; i < n; i++) {
        char when[25] = "";
        if (list[i].created_unix_s > 0) iso8601(when, list[i].created_unix_s * 1000);
        out_text(c, "%s  %-20s  %s  %s\n", list[i].address, list[i].name, when,
                 list[i].schema ? list[i].schema : "");
    }
    if (n == 0) out_text(c, "no protected data; strongroom data protect FILE makes some\n");
    sr_data_list_free(list, n);
    return SR_OK;
}

sr_status cmd_data_show(struct cli *c, struct sr_err *err) {
    struct sr_data d = {0};
    SR_TRY(sr_data_show(c->client, c->args[0], &d, err));
    struct sr_grant_info *list = NULL;
    size_t n = 0;
    sr_status st = sr_data_grants(c->client, c->args[0], NULL, NULL, &list, &n, err);
    if (st == SR_OK) {
        out_begin(c);
        put_data(c, &d);
        put_grants(c, "grants", list, n);
        out_end(c);
    }
    sr_free(list);
    sr_data_done(&d);
    return st;
}

static void put_app(struct cli *c, const struct sr_app *a) {
    out_begin(c);
    out_str(c, "address", a->address);
    out_str(c, "name", a->name);
    out_str(c, "owner", a->owner);
    out_str(c, "multiaddr", a->multiaddr);
    out_str(c, "checksum", a->checksum);
    put_network(c, a->egress);
    out_str(c, c->json ? "orderHash" : "order", a->order_hash);
    out_str(c, "tx", a->tx);
    out_end(c);
}

#define MAX_SETTINGS 64u /* of one option; what an image may have at most is oci's to say */

static sr_status take_all(struct cli *c, const char *option, const char *ret_v[MAX_SETTINGS],
                          size_t *ret_n, struct sr_err *err) {
    size_t n = 0;
    for (const char *v; (v = cli_value_nth(c, option, n)) != NULL;) {
        if (n == MAX_SETTINGS)
            return sr_fail(err, SR_E_USAGE, "more than %u times %s", MAX_SETTINGS, option);
        ret_v[n++] = v;
    }
    *ret_n = n;
    return SR_OK;
}

sr_status cmd_app_deploy(struct cli *c, struct sr_err *err) {
    struct sr_app a = {0};
    cleanup_free char *dir = NULL;
    const char *egress[MAX_SETTINGS], *env[MAX_SETTINGS];
    struct sr_app_settings s = {
        .no_publish = cli_flag(c, "--no-publish"), .egress = egress, .env = env};
    SR_TRY(take_all(c, "--egress", egress, &s.n_egress, err));
    SR_TRY(take_all(c, "--env", env, &s.n_env, err));
    const char *image = cli_value(c, "--from-image");
    if (image && s.n_egress + s.n_env > 0)
        return sr_fail(err, SR_E_USAGE,
                       "--egress and --env are for a folder: an image has its own");
    if (image) {
        SR_TRY(sr_app_deploy_image(c->client, image, cli_value(c, "--name"),
                                   cli_flag(c, "--no-publish"), &a, err));
        put_app(c, &a);
        sr_app_done(&a);
        return SR_OK;
    }
    SR_TRY(project_find(c->n_args > 0 ? c->args[0] : ".", &dir, err));
    SR_TRY(project_make(c, dir, err));
    SR_TRY(sr_app_deploy_with(c->client, dir, &s, &a, err));
    struct sr_err none = {0}; /* a folder that cannot be written is no failure: it is deployed */
    if (project_note_deployed(dir, &a, &none) != SR_OK) log_err(LOG_DEBUG, "not_noted", &none);
    put_app(c, &a);
    sr_app_done(&a);
    return SR_OK;
}

sr_status cmd_app_show(struct cli *c, struct sr_err *err) {
    struct sr_app a = {0};
    SR_TRY(sr_app_show(c->client, c->args[0], &a, err));
    put_app(c, &a);
    sr_app_done(&a);
    return SR_OK;
}

sr_status cmd_app_name(struct cli *c, struct sr_err *err) {
    const char *list = cli_value(c, "--whitelist");
    SR_TRY(sr_app_set_name(c->client, c->args[0], c->args[1], list, err));
    out_begin(c);
    out_str(c, "name", c->args[0]);
    out_str(c, "app", c->args[1]);
    if (list) out_str(c, "whitelist", list);
    out_end(c);
    return SR_OK;
}
