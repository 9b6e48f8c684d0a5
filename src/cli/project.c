/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project.h"
#include "sdk/system.h"
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFIG_MAX      (256u << 10)
#define DEPLOYMENTS_MAX (1u << 20)
#define KEPT            50u /* deployments */

extern char **environ;

static bool has(const char *dir, const char *name) {
    cleanup_free char *path = path_join(dir, name);
    return path && access(path, F_OK) == 0;
}

static sr_status read_json(const char *dir, const char *name, struct json **ret,
                           struct sr_err *err) {
    cleanup_free char *path = path_join(dir, name);
    cleanup_buf struct buf text;
    buf_init(&text, CONFIG_MAX);
    if (!path) return sr_fail(err, SR_E_NOMEM, "path");
    SR_TRY(fs_read(path, &text, err));
    sr_status st = json_parse(buf_slice(&text), ret, err);
    if (st == SR_OK) return SR_OK;
    sr_err_prefix(err, "%s", name);
    return st;
}

sr_status project_json(const char *dir, struct json **ret, struct sr_err *err) {
    return read_json(dir, "app.json", ret, err);
}

/* ---- projects of the official generator ---- */

static void put_words(struct jw *w, const char *key, const char *const *words) {
    jw_key(w, key);
    jw_arr(w);
    for (; *words; words++) jw_cstr(w, *words);
    jw_end_arr(w);
}

static sr_status adopt(const char *dir, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf b;
    struct slice name;
    buf_init(&b, CONFIG_MAX);
    SR_TRY(read_json(dir, "iapp.config.json", &doc, err));
    if (!json_str(json_get(json_root(doc), "projectName"), &name)) name = SLICE_LIT("iapp");
    bool js = has(dir, "src/app.js");
    if (!js && !has(dir, "src/app.py"))
        return sr_fail(err, SR_E_NOTFOUND, "neither src/app.js nor src/app.py in '%s'", dir);
    /* Without the generator's --disable-wasm-trap-handler: Node 18 does not know it, and a room
     * does not limit addresses. */
    static const char *const node[] = {"/usr/bin/node", "/app/src/app.js", NULL};
    static const char *const python[] = {"/usr/bin/python3", "/app/src/app.py", NULL};
    const char *files[4] = {"src"};
    size_t n = 1;
    if (js) files[n++] = "package.json";
    if (has(dir, js ? "node_modules" : "site-packages"))
        files[n++] = js ? "node_modules" : "site-packages";
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kstr(&w, "name", name);
    jw_kcstr(&w, "base", js ? "node" : "python");
    jw_kcstr(&w, "root", "app");
    put_words(&w, "entrypoint", js ? node : python);
    put_words(&w, "files", files);
    if (!js) {
        jw_key(&w, "env");
        jw_obj(&w);
        jw_kcstr(&w, "PYTHONPATH", "/app/site-packages");
        jw_end_obj(&w);
    }
    jw_end_obj(&w);
    buf_u8(&b, '\n');
    SR_TRY(buf_status(&b, err));
    cleanup_free char *path = path_join(dir, "app.json");
    return path ? fs_write_atomic(path, buf_slice(&b), 0644, err)
                : sr_fail(err, SR_E_NOMEM, "path");
}

sr_status project_find(const char *start, char **ret_dir, struct sr_err *err) {
    char here[PATH_MAX];
    if (!realpath(start, here)) {
        sr_hint(err, "strongroom app init NAME makes a project");
        return sr_fail(err, SR_E_NOTFOUND, "no folder '%s'", start);
    }
    for (;;) {
        if (has(here, "app.json") || has(here, "iapp.config.json")) break;
        char *slash = strrchr(here, '/');
        if (!slash || slash == here) {
            sr_hint(err,
                    "strongroom app init NAME makes a project; an app's folder has an app.json");
            return sr_fail(err, SR_E_NOTFOUND, "no app.json in '%s' or above it", start);
        }
        *slash = 0;
    }
    if (!has(here, "app.json")) SR_TRY(adopt(here, err));
    *ret_dir = slice_dup(slice_str(here));
    return *ret_dir ? SR_OK : sr_fail(err, SR_E_NOMEM, "path");
}

/* ---- building ---- */

/* Where the C deserialiser's pkg-config file is: of this build, or installed with this program. */
static void point_at_library(void) {
    char self[PATH_MAX], paths[3 * PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return;
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    const char *old = getenv("PKG_CONFIG_PATH");
    (void)snprintf(paths, sizeof paths, "%s/src/deserializer:%s/../lib/pkgconfig%s%s", self, self,
                   old ? ":" : "", old ? old : "");
    (void)setenv("PKG_CONFIG_PATH", paths, 1);
}

sr_status project_make(struct cli *c, const char *dir, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct slice command;
    SR_TRY(project_json(dir, &doc, err));
    const struct json_val *v = json_get(json_root(doc), "build");
    if (!v || json_is(v, JSON_NULL)) return SR_OK;
    cleanup_free char *text = json_str(v, &command) ? slice_dup(command) : NULL;
    if (!text) return sr_fail(err, SR_E_USAGE, "app.json: build is not a command");
    if (!c->quiet) (void)fprintf(stderr, "build: %s\n", text);
    static char shell[] = "/bin/sh", flag[] = "-c";
    char *argv[] = {shell, flag, text, NULL};
    pid_t pid;
    posix_spawn_file_actions_t fa;
    point_at_library();
    int rc = posix_spawn_file_actions_init(&fa);
    if (rc == 0) rc = posix_spawn_file_actions_addchdir_np(&fa, dir);
    if (rc == 0) rc = posix_spawn_file_actions_adddup2(&fa, STDERR_FILENO, STDOUT_FILENO);
    if (rc == 0) rc = posix_spawn(&pid, shell, &fa, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&fa);
    if (rc != 0) return sr_fail(err, SR_E_SYS, "starting the build: %s", strerror(rc));
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return SR_OK;
    sr_hint(err, "its own messages stand above");
    return sr_fail(err, SR_E_TASK, "the build command failed: %.100s", text);
}

sr_status project_pack(const char *dir, const char *archive, struct oci_built *ret,
                       struct sr_err *err) {
    struct sdk_system system;
    SR_TRY(sdk_system_of(dir, &system, err));
    sr_status st = oci_build_on(dir, archive, system.v, system.n, ret, err);
    sdk_system_done(&system);
    return st;
}

/* ---- deployments ---- */

#define DEPLOYMENTS "cache/deployments.json"

char *project_deployed(const char *dir) {
    cleanup_json struct json *doc = NULL;
    struct slice app;
    if (read_json(dir, DEPLOYMENTS, &doc, NULL) != SR_OK) return NULL;
    const struct json_val *newest = json_first(json_root(doc));
    return json_str(json_get(newest, "app"), &app) ? slice_dup(app) : NULL;
}

sr_status project_note_deployed(const char *dir, const struct sr_app *app, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf b;
    cleanup_free char *folder = path_join(dir, "cache"), *path = path_join(dir, DEPLOYMENTS);
    if (!folder || !path) return sr_fail(err, SR_E_NOMEM, "path");
    SR_TRY(fs_mkdirs(folder, 0755, err));
    buf_init(&b, DEPLOYMENTS_MAX);
    struct jw w = jw_of(&b);
    jw_arr(&w);
    jw_obj(&w);
    jw_kcstr(&w, "app", app->address);
    jw_kcstr(&w, "owner", app->owner);
    jw_kcstr(&w, "image", app->multiaddr);
    jw_ku64(&w, "time", clock_unix_ms() / 1000);
    jw_end_obj(&w);
    size_t kept = 1;
    if (read_json(dir, DEPLOYMENTS, &doc, NULL) == SR_OK)
        for (const struct json_val *v = json_first(json_root(doc)); v && kept < KEPT;
             v = json_next(v)) {
            struct slice text;
            if (!json_str(json_get(v, "app"), &text) || slice_is(text, app->address)) continue;
            jw_obj(&w);
            jw_kstr(&w, "app", text);
            if (json_str(json_get(v, "owner"), &text)) jw_kstr(&w, "owner", text);
            if (json_str(json_get(v, "image"), &text)) jw_kstr(&w, "image", text);
            uint64_t time;
            if (json_u64(json_get(v, "time"), &time)) jw_ku64(&w, "time", time);
            jw_end_obj(&w);
            kept++;
        }
    jw_end_arr(&w);
    SR_TRY(buf_status(&b, err));
    return fs_write_atomic(path, buf_slice(&b), 0644, err);
}

sr_status project_app(const char *word, const char **ret_app, char **ret_owned,
                      struct sr_err *err) {
    cleanup_free char *dir = NULL;
    if (strcmp(word, ".") != 0 && !strchr(word, '/')) {
        *ret_app = word;
        return SR_OK;
    }
    SR_TRY(project_find(word, &dir, err));
    char *deployed = project_deployed(dir);
    if (!deployed) {
        sr_hint(err, "strongroom app deploy comes first");
        return sr_fail(err, SR_E_NOTFOUND, "the app in '%.80s' was not deployed yet", dir);
    }
    *ret_app = *ret_owned = deployed;
    return SR_OK;
}
