/* SPDX-License-Identifier: Apache-2.0 */
/* app init: a new app's folder, by flags or by questions. */
#include "cli/cli_int.h"
#include "cli/template.h"
#include "zip/zip.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64u
#define FILE_BYTES     (256u << 10)

typedef enum { LANG_PYTHON, LANG_JAVASCRIPT, LANG_C } language;
struct features {
    char name[NAME_MAX_BYTES + 1];
    language lang;
    bool data, bulk, args, secrets, app_secret, files;
};
static const char *const language_words[] = {"Python", "JavaScript", "C"};

/* ---- what is wanted ---- */

static sr_status check_name(struct slice name, struct sr_err *err) {
    bool ok = name.n >= 2 && name.n <= NAME_MAX_BYTES && name.p[0] != ' ' && name.p[0] != '-' &&
              name.p[name.n - 1] != ' ';
    for (size_t i = 0; ok && i < name.n; i++) {
        uint8_t c = name.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == ' ' || c == '-';
    }
    if (ok) return SR_OK;
    sr_hint(err, "two to %u letters, digits, spaces and hyphens", NAME_MAX_BYTES);
    return sr_fail(err, SR_E_USAGE, "%s cannot be an app's name", log_q(name).s);
}

static sr_status read_language(struct slice word, language *ret, struct sr_err *err) {
    static const struct {
        const char *word;
        language lang;
    } words[] = {{"python", LANG_PYTHON},         {"py", LANG_PYTHON},
                 {"javascript", LANG_JAVASCRIPT}, {"js", LANG_JAVASCRIPT},
                 {"node", LANG_JAVASCRIPT},       {"c", LANG_C}};
    for (size_t i = 0; i < SR_ARRAY_LEN(words); i++)
        if (slice_ieq(word, words[i].word)) {
            *ret = words[i].lang;
            return SR_OK;
        }
    sr_hint(err, "python, javascript or c");
    return sr_fail(err, SR_E_USAGE, "%s is no language of ours", log_q(word).s);
}

static sr_status read_data(struct slice word, struct features *f, struct sr_err *err) {
    f->data = slice_is(word, "one") || slice_is(word, "bulk");
    f->bulk = slice_is(word, "bulk");
    if (f->data || slice_is(word, "none")) return SR_OK;
    sr_hint(err, "none, one, or bulk (several in one task)");
    return sr_fail(err, SR_E_USAGE, "%s is no choice for protected data", log_q(word).s);
}

/* A line of the answer; empty: what stands there. */
static struct slice ask(const char *question, const char *standard, char *line, size_t n) {
    (void)fprintf(stderr, "? %s (%s) ", question, standard);
    (void)fflush(stderr);
    if (!fgets(line, (int)n, stdin)) line[0] = 0;
    struct slice answer = slice_trim(slice_str(line));
    return answer.n > 0 ? answer : slice_str(standard);
}

static bool ask_yes(const char *question, bool standard) {
    char line[256];
    struct slice a = ask(question, standard ? "yes" : "no", line, sizeof line);
    return a.n > 0 && (a.p[0] == 'y' || a.p[0] == 'Y');
}

static sr_status ask_all(struct cli *c, struct features *f, struct sr_err *err) {
    char line[256];
    struct slice name = c->n_args > 0
                            ? slice_str(c->args[0])
                            : ask("What's your project name?", "hello-world", line, sizeof line);
    SR_TRY(check_name(name, err));
    memcpy(f->name, name.p, name.n);
    SR_TRY(
        read_language(ask("Which language: python, javascript or c?", "python", line, sizeof line),
                      &f->lang, err));
    f->args = ask_yes("Does the app take arguments (public)?", true);
    SR_TRY(read_data(ask("Protected data: none, one or bulk?", "one", line, sizeof line), f, err));
    f->files = ask_yes("Public input files?", false);
    f->secrets = ask_yes("Secrets of who runs it?", false);
    f->app_secret = ask_yes("A secret of yours, the developer's?", false);
    return SR_OK;
}

static sr_status by_flags(struct cli *c, struct features *f, struct sr_err *err) {
    const char *lang = cli_value(c, "--language"), *data = cli_value(c, "--data");
    struct slice name = slice_str(c->args[0]);
    SR_TRY(check_name(name, err));
    memcpy(f->name, name.p, name.n);
    SR_TRY(read_language(slice_str(lang ? lang : "python"), &f->lang, err));
    SR_TRY(read_data(slice_str(data ? data : "one"), f, err));
    f->args = !cli_flag(c, "--no-args");
    f->files = cli_flag(c, "--input-files");
    f->secrets = cli_flag(c, "--requester-secrets");
    f->app_secret = cli_flag(c, "--app-secret");
    return SR_OK;
}

/* ---- the files ---- */

static sr_status write_file(const char *dir, const char *name, struct slice text,
                            struct sr_err *err) {
    cleanup_free char *path = path_join(dir, name);
    if (!path) return sr_fail(err, SR_E_NOMEM, "path");
    char *slash = strrchr(path, '/');
    *slash = 0;
    SR_TRY(fs_mkdirs(path, 0755, err));
    *slash = '/';
    return fs_write_atomic(path, text, 0644, err);
}

static sr_status from_template(const char *dir, const char *name, const char *template_name,
                               const struct template_value *values, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, FILE_BYTES);
    SR_TRY(template_fill(template_name, values, &b, err));
    return write_file(dir, name, buf_slice(&b), err);
}

static void put_list(struct jw *w, const char *key, const char *const *words) {
    jw_key(w, key);
    jw_arr(w);
    for (; *words; words++) jw_cstr(w, *words);
    jw_end_arr(w);
}

static void put_test(struct jw *w, const struct features *f) {
    static const char *const one[] = {"default", NULL}, *const bulk[] = {"data1", "data2", NULL},
                             *const inputs[] = {"mock/inputs/hello.txt", NULL};
    jw_key(w, "test");
    jw_obj(w);
    if (f->args) jw_kcstr(w, "args", "Alice");
    if (f->data) put_list(w, "data", f->bulk ? bulk : one);
    if (f->files) put_list(w, "inputFiles", inputs);
    if (f->secrets) {
        jw_key(w, "secrets");
        jw_obj(w);
        jw_kcstr(w, "1", "a requester's secret");
        jw_end_obj(w);
    }
    if (f->app_secret) jw_kcstr(w, "appSecret", "the developer's secret");
    jw_end_obj(w);
}

static sr_status write_app_json(const char *dir, const struct features *f, struct sr_err *err) {
    static const char *const files_c[] = {"app", NULL}, *const files_src[] = {"src", NULL};
    static const char *const python[] = {"/usr/bin/python3", "/app/src/app.py", NULL};
    static const char *const node[] = {"/usr/bin/node", "/app/src/app.js", NULL};
    static const char *const files_js[] = {"package.json", "src", NULL};
    static const char *const program[] = {"app", NULL}, *const nobody[] = {NULL};
    cleanup_buf struct buf b;
    buf_init(&b, FILE_BYTES);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kcstr(&w, "name", f->name);
    if (f->lang == LANG_C) {
        jw_kcstr(&w, "build", "make -s");
        put_list(&w, "entrypoint", program);
        put_list(&w, "files", files_c);
    } else {
        bool py = f->lang == LANG_PYTHON;
        jw_kcstr(&w, "base", py ? "python" : "node");
        jw_kcstr(&w, "root", "app");
        put_list(&w, "entrypoint", py ? python : node);
        put_list(&w, "files", py ? files_src : files_js);
    }
    put_list(&w, "egress", nobody);
    put_test(&w, f);
    jw_end_obj(&w);
    buf_u8(&b, '\n');
    SR_TRY(buf_status(&b, err));
    return write_file(dir, "app.json", buf_slice(&b), err);
}

static sr_status collect(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

/* {"secretText": text} as data protect stores it. */
static sr_status write_mock(const char *dir, const char *name, const char *text,
                            struct sr_err *err) {
    cleanup_buf struct buf zip, leaf;
    struct zip_writer *z;
    size_t n = strlen(text);
    buf_init(&zip, FILE_BYTES);
    buf_init(&leaf, FILE_BYTES);
    for (unsigned i = 0; i < 4; i++) buf_u8(&leaf, (uint8_t)(n >> (8 * i)));
    buf_str(&leaf, text);
    SR_TRY(zip_writer_new(collect, &zip, 0, &z, err));
    sr_status st = zip_file(z, SLICE_LIT("secretText"), ZIP_STORED, buf_slice(&leaf), err);
    if (st == SR_OK) st = zip_finish(z, err);
    zip_writer_free(z);
    return st == SR_OK ? write_file(dir, name, buf_slice(&zip), err) : st;
}

static sr_status write_mocks(const char *dir, const struct features *f, struct sr_err *err) {
    static const char *const texts[][2] = {{"mock/protectedData/default", "protected data"},
                                           {"mock/protectedData/data1", "foo"},
                                           {"mock/protectedData/data2", "bar"},
                                           {"mock/protectedData/data3", "baz"}};
    for (size_t i = 0; f->data && i < (f->bulk ? SR_ARRAY_LEN(texts) : 1); i++)
        SR_TRY(write_mock(dir, texts[i][0], texts[i][1], err));
    if (f->files) SR_TRY(write_file(dir, "mock/inputs/hello.txt", SLICE_LIT("hello\n"), err));
    return SR_OK;
}

static sr_status write_project(const char *dir, const struct features *f, struct sr_err *err) {
    static const char *const sources[] = {"src/app.py", "src/app.js", "src/app.c"};
    const struct template_value values[] = {{"NAME", f->name},
                                            {"LANGUAGE", language_words[f->lang]},
                                            {"SOURCE", sources[f->lang]},
                                            {"data", f->data ? "" : NULL},
                                            {"bulk", f->bulk ? "" : NULL},
                                            {"args", f->args ? "" : NULL},
                                            {"secrets", f->secrets ? "" : NULL},
                                            {"appsecret", f->app_secret ? "" : NULL},
                                            {"files", f->files ? "" : NULL},
                                            {NULL, NULL}};
    SR_TRY(from_template(dir, sources[f->lang], sources[f->lang] + 4, values, err));
    SR_TRY(from_template(dir, "README.md", "README.md", values, err));
    if (f->lang == LANG_C) SR_TRY(from_template(dir, "Makefile", "Makefile", values, err));
    if (f->lang == LANG_PYTHON && f->data)
        SR_TRY(from_template(dir, "src/protected_data.py", "protected_data.py", values, err));
    if (f->lang == LANG_JAVASCRIPT && f->data)
        SR_TRY(from_template(dir, "src/deserializer.js", "deserializer.js", values, err));
    if (f->lang == LANG_JAVASCRIPT)
        SR_TRY(write_file(dir, "package.json",
                          SLICE_LIT("{\n  \"private\": true,\n  \"type\": \"module\"\n}\n"), err));
    SR_TRY(write_file(dir, ".gitignore",
                      f->lang == LANG_C ? SLICE_LIT("output/\ncache/\napp\n")
                                        : SLICE_LIT("output/\ncache/\n"),
                      err));
    SR_TRY(write_mocks(dir, f, err));
    return write_app_json(dir, f, err);
}

sr_status cmd_app_init(struct cli *c, struct sr_err *err) {
    struct features f = {{0}, LANG_PYTHON, false, false, false, false, false, false};
    bool questions = cli_flag(c, "--ask") || (c->n_args == 0 && isatty(STDIN_FILENO) == 1);
    if (!questions && c->n_args == 0) {
        sr_hint(err, "strongroom app init NAME, or --ask for questions");
        return sr_fail(err, SR_E_USAGE, "app init needs a name");
    }
    SR_TRY(questions ? ask_all(c, &f, err) : by_flags(c, &f, err));
    if (mkdir(f.name, 0755) != 0) {
        if (errno != EEXIST) return sr_fail(err, SR_E_SYS, "making folder '%s'", f.name);
        sr_hint(err, "remove it or choose a different name");
        return sr_fail(err, SR_E_CONFLICT, "target directory \"%s\" already exists", f.name);
    }
    SR_TRY(write_project(f.name, &f, err));
    out_begin(c);
    out_str(c, "folder", f.name);
    out_str(c, "language", language_words[f.lang]);
    out_end(c);
    bool quote = strchr(f.name, ' ') != NULL;
    out_text(c, "next:\n");
    out_text(c, "  cd %s%s%s\n", quote ? "\"" : "", f.name, quote ? "\"" : "");
    out_text(c, "  strongroom app test\n");
    out_text(c, "  strongroom app deploy\n");
    out_text(c, "  strongroom run .\n");
    return SR_OK;
}
