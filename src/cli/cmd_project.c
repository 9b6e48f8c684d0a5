/* SPDX-License-Identifier: Apache-2.0 */
/* app test and app build of a project, and its secret. */
#include "cli/project.h"
#include "cli/trial.h"
#include "sdk/sdk_int.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEST_SECONDS 60u
#define MIB          (1024u * 1024u)
#define SECRET_BYTES 4096u       /* of one secret */
#define OUTPUT_MAX   (50u * MIB) /* of the official network */

/* ---- what a trial is given ---- */

struct given { /* texts that the trial borrows */
    char *owned[3 * TRIAL_MAX_INPUTS];
    size_t n_owned;
    struct buf secrets[TRIAL_MAX_SECRETS + 1]; /* the last is the app's */
    struct json *doc;
};

static void given_done(struct given *g) {
    for (size_t i = 0; i < g->n_owned; i++) free(g->owned[i]);
    for (size_t i = 0; i < SR_ARRAY_LEN(g->secrets); i++) buf_wipe(&g->secrets[i]);
    json_free(g->doc);
}

static const char *keep(struct given *g, char *take_text) {
    if (!take_text || g->n_owned == SR_ARRAY_LEN(g->owned)) {
        free(take_text);
        return NULL;
    }
    g->owned[g->n_owned++] = take_text;
    return take_text;
}

/* A mock's name (mock/protectedData/NAME), or a file. */
static sr_status add_data(struct given *g, const char *dir, struct slice word, struct trial *t,
                          struct sr_err *err) {
    cleanup_free char *name = slice_dup(word), *folder = path_join(dir, "mock/protectedData");
    cleanup_free char *mock = name && folder ? path_join(folder, name) : NULL;
    if (!mock) return sr_fail(err, SR_E_NOMEM, "path");
    if (t->n_data == TRIAL_MAX_INPUTS)
        return sr_fail(err, SR_E_TOOBIG, "more than %u protected data", TRIAL_MAX_INPUTS);
    bool is_mock = access(mock, R_OK) == 0;
    if (!is_mock && access(name, R_OK) != 0) {
        sr_hint(err, "a name below mock/protectedData, or a file");
        return sr_fail(err, SR_E_NOTFOUND, "no mock and no file '%.80s'", name);
    }
    const char *path = keep(g, is_mock ? sr_take_ptr(mock) : sr_take_ptr(name));
    if (!path) return sr_fail(err, SR_E_NOMEM, "path");
    t->data[t->n_data++] = path;
    return SR_OK;
}

static sr_status add_input(struct given *g, const char *dir, struct slice word, struct trial *t,
                           struct sr_err *err) {
    cleanup_free char *name = slice_dup(word);
    if (!name) return sr_fail(err, SR_E_NOMEM, "path");
    if (t->n_inputs == TRIAL_MAX_INPUTS)
        return sr_fail(err, SR_E_TOOBIG, "more than %u input files", TRIAL_MAX_INPUTS);
    char *path = dir && name[0] != '/' ? path_join(dir, name) : sr_take_ptr(name);
    if (!path || access(path, R_OK) != 0) {
        free(path);
        return sr_fail(err, SR_E_NOTFOUND, "no input file '%.80s'", name ? name : "");
    }
    const char *kept = keep(g, path);
    if (!kept) return sr_fail(err, SR_E_NOMEM, "path");
    t->inputs[t->n_inputs++] = kept;
    return SR_OK;
}

static sr_status add_secret(struct given *g, struct slice number, struct slice text,
                            struct trial *t, struct sr_err *err) {
    uint64_t n;
    if (!num_u64(number, TRIAL_MAX_SECRETS, &n) || n == 0) {
        sr_hint(err, "--secret 1=FILE; numbers are 1 to %u", TRIAL_MAX_SECRETS);
        return sr_fail(err, SR_E_USAGE, "%s is no number of a secret", log_q(number).s);
    }
    struct buf *b = &g->secrets[n - 1];
    buf_wipe(b);
    buf_init(b, SECRET_BYTES);
    buf_add(b, text);
    SR_TRY(buf_status(b, err));
    t->secrets[n - 1] = buf_slice(b);
    return SR_OK;
}

static sr_status secret_file(const char *path, struct buf *b, struct sr_err *err) {
    buf_wipe(b);
    buf_init(b, SECRET_BYTES);
    SR_TRY(fs_read(path, b, err));
    while (b->n > 0 && b->p[b->n - 1] == '\n') b->n--; /* as an editor leaves it */
    return SR_OK;
}

/* What app.json's "test" names. */
static sr_status take_standard(struct given *g, const char *dir, const struct json_val *test,
                               struct trial *t, struct sr_err *err) {
    struct slice text;
    if (json_str(json_get(test, "args"), &text) && !(t->args = keep(g, slice_dup(text))))
        return sr_fail(err, SR_E_NOMEM, "arguments");
    for (const struct json_val *v = json_first(json_get(test, "data")); v; v = json_next(v))
        if (json_str(v, &text)) SR_TRY(add_data(g, dir, text, t, err));
    for (const struct json_val *v = json_first(json_get(test, "inputFiles")); v; v = json_next(v))
        if (json_str(v, &text)) SR_TRY(add_input(g, dir, text, t, err));
    for (const struct json_val *v = json_first(json_get(test, "secrets")); v; v = json_next(v))
        if (json_str(v, &text)) SR_TRY(add_secret(g, json_key(v), text, t, err));
    if (json_str(json_get(test, "appSecret"), &text)) {
        struct buf *b = &g->secrets[TRIAL_MAX_SECRETS];
        buf_init(b, SECRET_BYTES);
        buf_add(b, text);
        SR_TRY(buf_status(b, err));
        t->secret_app = buf_slice(b);
    }
    return SR_OK;
}

static sr_status take_flags(struct cli *c, struct given *g, const char *dir, struct trial *t,
                            struct sr_err *err) {
    const char *v;
    t->args = cli_value(c, "--args");
    for (size_t i = 0; (v = cli_value_nth(c, "--data", i)) != NULL; i++)
        SR_TRY(add_data(g, dir, slice_str(v), t, err));
    for (size_t i = 0; (v = cli_value_nth(c, "--input-file", i)) != NULL; i++)
        SR_TRY(add_input(g, NULL, slice_str(v), t, err));
    for (size_t i = 0; (v = cli_value_nth(c, "--secret", i)) != NULL; i++) {
        struct slice number, path;
        cleanup_buf_wipe struct buf text = {0};
        (void)slice_cut(slice_str(v), '=', &number, &path);
        cleanup_free char *name = slice_dup(path);
        if (!name) return sr_fail(err, SR_E_NOMEM, "path");
        SR_TRY(secret_file(name, &text, err));
        SR_TRY(add_secret(g, number, buf_slice(&text), t, err));
    }
    if ((v = cli_value(c, "--app-secret")) != NULL) {
        SR_TRY(secret_file(v, &g->secrets[TRIAL_MAX_SECRETS], err));
        t->secret_app = buf_slice(&g->secrets[TRIAL_MAX_SECRETS]);
    }
    return SR_OK;
}

static bool has_inputs(const struct cli *c) {
    static const char *const flags[] = {"--args", "--data", "--input-file", "--secret",
                                        "--app-secret"};
    for (size_t i = 0; i < SR_ARRAY_LEN(flags); i++)
        if (cli_value(c, flags[i])) return true;
    return false;
}

/* ---- what came out ---- */

static sr_status unpack_output(const char *dir, int zip_fd, size_t *ret_files, uint64_t *ret_bytes,
                               struct sr_err *err) {
    cleanup_free char *out = path_join(dir, "output");
    if (!out) return sr_fail(err, SR_E_NOMEM, "path");
    struct sr_err none = {0};
    if (fs_remove_tree(out, &none) != SR_OK && access(out, F_OK) == 0)
        return sr_fail(err, SR_E_SYS, "emptying '%s'", out);
    SR_TRY(fs_mkdirs(out, 0755, err));
    return sdk_unpack(zip_fd, out, 0, ret_files, ret_bytes, err);
}

static void show_logs(const struct trial_end *e) {
    const struct slice tails[] = {e->tail_out, e->tail_err};
    static const char *const names[] = {"stdout", "stderr"};
    for (size_t i = 0; i < 2; i++)
        if (tails[i].n > 0)
            (void)fprintf(stderr, "--- %s of the app\n%.*s%s", names[i], (int)tails[i].n,
                          (const char *)tails[i].p, tails[i].p[tails[i].n - 1] == '\n' ? "" : "\n");
}

static sr_status judge(struct cli *c, const struct trial *t, const struct trial_end *e,
                       struct sr_err *err) {
    if (e->done) return SR_OK;
    if (!c->quiet) show_logs(e);
    if (strstr(e->message, "computed.json"))
        sr_hint(err, "before it ends with 0, the app writes IEXEC_OUT/computed.json: "
                     "{\"deterministic-output-path\": \"/iexec_out/...\"}");
    else if (strstr(e->message, "callback") && t->callback)
        sr_hint(err, "with --callback, computed.json has \"callback-data\": \"0x...\"");
    else if (e->has_exit)
        sr_hint(err, "its output stands above");
    return sr_fail(err, SR_E_TASK, "%s: %.180s", e->cause, e->message);
}

static void put_end(struct cli *c, const struct oci_built *built, const struct trial_end *e,
                    size_t files, uint64_t bytes, int64_t us) {
    char text[200];
    out_begin(c);
    out_str(c, "app", built->name);
    out_str(c, "measurement", hash_text(&built->manifest).s);
    out_u64(c, "size", built->size);
    out_str(c, "evidence", "SIMULATED");
    if (c->json || files > 0) {
        out_u64(c, "files", files);
        out_u64(c, "bytes", bytes);
        out_str(c, "output", "output");
    }
    if (e->callback.n > 0) {
        cleanup_buf struct buf hex;
        buf_init(&hex, 2 * DOOR_CALLBACK_MAX + 8);
        buf_str(&hex, "0x");
        buf_hex(&hex, e->callback);
        out_str(c, "callback", buf_cstr(&hex));
    }
    if (c->json) {
        cleanup_free char *out = slice_dup(e->tail_out), *errs = slice_dup(e->tail_err);
        out_str(c, "stdout", out ? out : "");
        out_str(c, "stderr", errs ? errs : "");
    } else {
        (void)snprintf(text, sizeof text, "%u connections, %u refused", e->network.connections,
                       e->network.refused);
        if (e->network.connections + e->network.refused > 0) out_str(c, "network", text);
    }
    out_u64(c, "ms", (uint64_t)us / 1000);
    out_end(c);
    if (bytes > OUTPUT_MAX)
        out_text(c, "%-16s the output is over the 50 MiB of the official network\n", "warning");
}

/* ---- commands ---- */

static sr_status temp_archive(char *folder, char **ret_path, struct sr_err *err) {
    if (!mkdtemp(folder)) return sr_fail(err, SR_E_SYS, "can't make a temporary folder");
    *ret_path = path_join(folder, "image.tar");
    return *ret_path ? SR_OK : sr_fail(err, SR_E_NOMEM, "path");
}

static sr_status try_app(struct cli *c, const char *dir, const char *archive, struct sr_err *err) {
    struct oci_built built = {0};
    struct given g = {0};
    struct trial t = {.archive = archive,
                      .seconds = TEST_SECONDS,
                      .memory_bytes = 1024ull * MIB,
                      .disk_bytes = 1024ull * MIB,
                      .loopback = cli_value(c, "--egress-loopback"),
                      .callback = cli_flag(c, "--callback")};
    struct trial_end e = {.archive_fd = -1};
    size_t files = 0;
    uint64_t bytes = 0;
    int64_t began = clock_mono_us();
    sr_status st = project_make(c, dir, err);
    if (st == SR_OK) st = project_pack(dir, archive, &built, err);
    t.digest = built.manifest;
    t.egress = &built.egress;
    if (st == SR_OK) st = project_json(dir, &g.doc, err);
    const struct json_val *test = json_get(json_root(g.doc), "test");
    if (st == SR_OK)
        st =
            has_inputs(c) ? take_flags(c, &g, dir, &t, err) : take_standard(&g, dir, test, &t, err);
    if (st == SR_OK) st = trial_run(&t, &e, err);
    if (st == SR_OK) st = judge(c, &t, &e, err);
    if (st == SR_OK && e.archive_fd >= 0)
        st = unpack_output(dir, e.archive_fd, &files, &bytes, err);
    if (st == SR_OK) {
        if (!c->json && !c->quiet) show_logs(&e);
        put_end(c, &built, &e, files, bytes, clock_mono_us() - began);
    }
    trial_end_done(&e);
    given_done(&g);
    oci_built_done(&built);
    return st;
}

sr_status cmd_app_test(struct cli *c, struct sr_err *err) {
    cleanup_free char *dir = NULL, *archive = NULL;
    char folder[] = "/tmp/strongroom-test-XXXXXX";
    SR_TRY(project_find(c->n_args > 0 ? c->args[0] : ".", &dir, err));
    SR_TRY(temp_archive(folder, &archive, err));
    sr_status st = try_app(c, dir, archive, err);
    struct sr_err none = {0};
    if (fs_remove_tree(folder, &none) != SR_OK) log_err(LOG_WARN, "temporary_folder_left", &none);
    return st;
}

sr_status cmd_app_build(struct cli *c, struct sr_err *err) {
    cleanup_free char *dir = NULL, *standard = NULL, *cache = NULL;
    struct oci_built built = {0};
    const char *out = cli_value(c, "--out");
    SR_TRY(project_find(c->n_args > 0 ? c->args[0] : ".", &dir, err));
    SR_TRY(project_make(c, dir, err));
    cache = path_join(dir, "cache");
    standard = path_join(dir, "cache/image.oci.tar");
    if (!cache || !standard) return sr_fail(err, SR_E_NOMEM, "path");
    if (!out) SR_TRY(fs_mkdirs(cache, 0755, err));
    SR_TRY(project_pack(dir, out ? out : standard, &built, err));
    out_begin(c);
    out_str(c, "app", built.name);
    out_str(c, "measurement", hash_text(&built.manifest).s);
    out_u64(c, "size", built.size);
    out_str(c, "image", out ? out : standard);
    out_end(c);
    oci_built_done(&built);
    return SR_OK;
}

sr_status cmd_app_secret_set(struct cli *c, struct sr_err *err) {
    cleanup_free char *owned = NULL;
    cleanup_buf_wipe struct buf text;
    const char *app;
    buf_init(&text, CLI_SECRET_MAX);
    SR_TRY(project_app(c->args[0], &app, &owned, err));
    SR_TRY(cli_secret(c, cli_value(c, "--secret-file"), "Secret of the app", &text, err));
    if (text.n > 0 && text.p[text.n - 1] == '\n') text.n--; /* as an editor leaves it */
    if (text.n == 0 || text.n > SR_MAX_SECRET_LEN)
        return sr_fail(err, SR_E_USAGE, "a secret has 1 to %d bytes", SR_MAX_SECRET_LEN);
    SR_TRY(sr_secret_push(c->client, "app", app, NULL, text.p, text.n, err));
    out_begin(c);
    out_str(c, "app", app);
    out_bool(c, "set", true);
    out_end(c);
    return SR_OK;
}
