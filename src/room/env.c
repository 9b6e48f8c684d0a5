/* SPDX-License-Identifier: Apache-2.0 */
#include "room/task.h"
#include <stdio.h>
#include <stdlib.h>

#define MAX_WORDS 4096u

sr_status words_add(struct words *w, struct slice secret_word, struct sr_err *err) {
    if (w->n >= MAX_WORDS) return sr_fail(err, SR_E_TOOBIG, "more than %u arguments", MAX_WORDS);
    if (w->n + 1 >= w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 32;
        char **v = reallocarray(w->v, cap, sizeof *v);
        if (!v) return sr_fail(err, SR_E_NOMEM, "arguments");
        w->v = v;
        w->cap = cap;
    }
    char *copy = slice_dup(secret_word);
    if (!copy) return sr_fail(err, SR_E_NOMEM, "arguments");
    w->v[w->n++] = copy;
    w->v[w->n] = NULL;
    return SR_OK;
}

void words_done(struct words *w) {
    for (size_t i = 0; i < w->n; i++) {
        explicit_bzero(w->v[i], strlen(w->v[i]));
        free(w->v[i]);
    }
    free(w->v);
    *w = (struct words){0};
}

/* ---- the command line ---- */

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Moves one word from *rest into b; false when a quote stays open. */
static bool take_word(struct slice *rest, struct buf *b) {
    size_t i = 0;
    uint8_t quote = 0;
    for (; i < rest->n; i++) {
        uint8_t c = rest->p[i];
        if (quote == '\'') {
            if (c == '\'')
                quote = 0;
            else
                buf_u8(b, c);
        } else if (c == '\\' && i + 1 < rest->n) {
            uint8_t next = rest->p[++i];
            if (quote == '"' && next != '"' && next != '\\' && next != '$' && next != '`')
                buf_u8(b, '\\');
            buf_u8(b, next);
        } else if (quote == '"') {
            if (c == '"')
                quote = 0;
            else
                buf_u8(b, c);
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (is_blank(c)) {
            break;
        } else {
            buf_u8(b, c);
        }
    }
    *rest = slice_of(rest->p + i, rest->n - i);
    return quote == 0;
}

sr_status args_split(struct slice text, struct words *ret, struct sr_err *err) {
    struct slice rest = slice_trim(text);
    cleanup_buf struct buf word;
    buf_init(&word, TASK_MAX_ARGS);
    while (rest.n > 0) {
        buf_clear(&word);
        if (!take_word(&rest, &word))
            return sr_fail(err, SR_E_MALFORMED, "the app's arguments have an open quote");
        SR_TRY(buf_status(&word, err));
        SR_TRY(words_add(ret, buf_slice(&word), err));
        rest = slice_trim(rest);
    }
    return SR_OK;
}

/* ---- the environment ---- */

struct addr_text dataset_file(const struct task_dataset *d) {
    return addr_text(&d->address);
}

void outcomes_json(const struct task *t, struct buf *b) {
    struct jw w = jw_of(b);
    jw_arr(&w);
    for (size_t i = 0; i < t->n_datasets; i++) {
        const struct task_dataset *d = &t->datasets[i];
        jw_obj(&w);
        jw_ku64(&w, "n", i + 1);
        jw_kaddr(&w, "address", &d->address);
        jw_kcstr(&w, "outcome", d->outcome[0] ? d->outcome : "released");
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
}

struct hash_text input_file(const char *url) {
    struct hash h = sha256(slice_str(url));
    return hash_text(&h);
}

struct env {
    struct words *w;
    struct sr_err *err;
    sr_status st;
};

static void set(struct env *e, const char *name, struct slice secret_value) {
    if (e->st != SR_OK) return;
    cleanup_buf_wipe struct buf b;
    buf_init(&b, 64u << 10);
    buf_str(&b, name);
    buf_u8(&b, '=');
    buf_add(&b, secret_value);
    e->st = buf_status(&b, e->err);
    if (e->st == SR_OK) e->st = words_add(e->w, buf_slice(&b), e->err);
}

static void set_text(struct env *e, const char *name, const char *value) {
    set(e, name, slice_str(value));
}

static void set_num(struct env *e, const char *name, uint64_t value) {
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    set_text(e, name, text);
}

static bool has_name(const struct words *w, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < w->n; i++)
        if (strncmp(w->v[i], name, n) == 0 && w->v[i][n] == '=') return true;
    return false;
}

static void set_datasets(struct env *e, const struct task *t) {
    char name[64];
    /* Empty when there is none: the zero address reads as "there is one" to the published oracle
     * app. */
    struct addr_text one = {""};
    if (t->n_datasets == 1 && !t->bulk) one = dataset_file(&t->datasets[0]);
    set_text(e, "IEXEC_DATASET_ADDRESS", one.s);
    set_text(e, "IEXEC_DATASET_FILENAME", one.s);
    if (!t->bulk && t->n_datasets <= 1) return;
    set_num(e, "IEXEC_BULK_SLICE_SIZE", t->n_datasets);
    for (size_t i = 0; i < t->n_datasets; i++) {
        (void)snprintf(name, sizeof name, "IEXEC_DATASET_%zu_FILENAME", i + 1);
        set_text(e, name, dataset_file(&t->datasets[i]).s);
    }
}

static void set_inputs(struct env *e, const struct task *t) {
    char name[64];
    set_num(e, "IEXEC_INPUT_FILES_NUMBER", t->n_inputs);
    if (t->n_inputs > 0) set_text(e, "IEXEC_INPUT_FILES_FOLDER", "/iexec_in");
    for (size_t i = 0; i < t->n_inputs; i++) {
        (void)snprintf(name, sizeof name, "IEXEC_INPUT_FILE_NAME_%zu", i + 1);
        set_text(e, name, input_file(t->inputs[i]).s);
    }
}

static void set_secrets(struct env *e, const struct task *t) {
    char name[64];
    if (t->app_secret.p) {
        set(e, "IEXEC_APP_DEVELOPER_SECRET", secret_slice(&t->app_secret));
        set(e, "IEXEC_APP_DEVELOPER_SECRET_1", secret_slice(&t->app_secret));
    }
    for (size_t i = 0; i < t->n_secrets; i++) {
        (void)snprintf(name, sizeof name, "IEXEC_REQUESTER_SECRET_%u", t->secrets[i].index);
        set(e, name, secret_slice(&t->secrets[i].value));
    }
}

sr_status app_environment(const struct task *t, char *const *image_env, struct words *ret,
                          struct sr_err *err) {
    struct env e = {ret, err, SR_OK};
    for (; image_env && *image_env && e.st == SR_OK; image_env++)
        if (strncmp(*image_env, "IEXEC_", 6) != 0)
            e.st = words_add(ret, slice_str(*image_env), err);
    if (!has_name(ret, "PATH"))
        set_text(&e, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (!has_name(ret, "HOME")) set_text(&e, "HOME", "/tmp");
    set_text(&e, "IEXEC_TASK_ID", hash_text(&t->id).s);
    set_text(&e, "IEXEC_DEAL_ID", hash_text(&t->deal).s);
    set_num(&e, "IEXEC_TASK_INDEX", t->index);
    set_text(&e, "IEXEC_IN", "/iexec_in");
    set_text(&e, "IEXEC_OUT", "/iexec_out");
    set_num(&e, "IEXEC_BOT_SIZE", t->bot_size);
    set_num(&e, "IEXEC_BOT_FIRST_INDEX", t->bot_first);
    set_num(&e, "IEXEC_BOT_TASK_INDEX", t->index);
    set_datasets(&e, t);
    set_inputs(&e, t);
    set_secrets(&e, t);
    return e.st;
}
