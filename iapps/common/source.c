/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"
#include "model.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE (64u << 10)

/* ---- opening ---- */

static const char *folder_in(void) {
    const char *in = getenv("IEXEC_IN");
    return in && *in ? in : "/iexec_in";
}

static bool is_rules(const char *leaf) {
    return strcmp(leaf, "rules") == 0 || strcmp(leaf, "rules_json") == 0;
}

static sr_status see_head(void *arg, const void *p, size_t n, struct sr_err *err) {
    (void)err;
    struct buf *b = arg;
    size_t want = sizeof MODEL_MAGIC - 1;
    if (b->n < want) buf_put(b, p, n < want - b->n ? n : want - b->n);
    return SR_OK;
}

typedef sr_status (*each_piece)(void *arg, const void *p, size_t n, struct sr_err *err);

static sr_status stream_file(const char *path, each_piece each, void *arg, struct sr_err *err) {
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sr_fail(err, SR_E_NOTFOUND, "the input file is not there");
    cleanup_free uint8_t *piece = malloc(PIECE);
    if (!piece) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (;;) {
        ssize_t n = read(fd, piece, PIECE);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sr_fail(err, SR_E_SYS, "reading the input file");
        if (n == 0) return SR_OK;
        SR_TRY(each(arg, piece, (size_t)n, err));
    }
}

static sr_status stream(const struct source *s, each_piece each, void *arg, struct sr_err *err) {
    if (s->pd) return sr_pd_stream(s->pd, s->leaf, each, arg, err);
    if (s->path) return stream_file(s->path, each, arg, err);
    return s->text.n ? each(arg, s->text.p, s->text.n, err) : SR_OK;
}

/* Takes its place among the others when it can be read; its parts are freed otherwise. */
static sr_status add(struct sources *all, struct source *take, struct sr_err *err) {
    cleanup_buf struct buf head;
    buf_init(&head, sizeof MODEL_MAGIC);
    sr_status st = SR_OK;
    if (all->n == SOURCE_MAX)
        st = sr_fail(err, SR_E_TOOBIG, "more than %u data sets and files", SOURCE_MAX);
    if (st == SR_OK && take->pd) {
        for (size_t i = 0; i < sr_pd_count(take->pd) && !take->leaf; i++)
            if (!is_rules(sr_pd_path_at(take->pd, i))) take->leaf = sr_pd_path_at(take->pd, i);
        if (sr_pd_has(take->pd, "file")) take->leaf = "file";
        if (!take->leaf) st = sr_fail(err, SR_E_MALFORMED, "the protected data is empty");
    }
    if (st == SR_OK) st = stream(take, see_head, &head, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "%s", take->name);
        sr_pd_close(take->pd);
        free(take->path);
        return st;
    }
    take->is_model = slice_is(buf_slice(&head), MODEL_MAGIC);
    all->v[all->n++] = *take;
    return SR_OK;
}

static sr_status count_of(const char *variable, size_t *ret, struct sr_err *err) {
    const char *text = getenv(variable);
    uint64_t n = 0;
    if (text && *text && !num_u64(slice_str(text), SOURCE_MAX, &n))
        return sr_fail(err, SR_E_MALFORMED, "%s is no number up to %u", variable, SOURCE_MAX);
    *ret = (size_t)n;
    return SR_OK;
}

/* Is the file that a variable names there? A data set variable may hold the zero address, or name
 * a member that was not released. */
static bool is_there(const char *variable) {
    const char *name = getenv(variable);
    if (!name || !*name) return false;
    cleanup_free char *path = path_join(folder_in(), name);
    return path && fs_exists(path);
}

static sr_status open_bulk(size_t n, struct sources *all, struct sr_err *err) {
    char variable[48];
    for (unsigned i = 1; i <= n; i++) {
        struct source s = {0};
        (void)snprintf(s.name, sizeof s.name, "data set %u", i);
        (void)snprintf(variable, sizeof variable, "IEXEC_DATASET_%u_FILENAME", i);
        if (!is_there(variable)) {
            all->withheld++;
            continue;
        }
        sr_status st = sr_pd_open_bulk(i, &s.pd, err);
        if (st != SR_OK) {
            sr_err_prefix(err, "%s", s.name);
            return st;
        }
        SR_TRY(add(all, &s, err));
    }
    return SR_OK;
}

static sr_status open_files(struct sources *all, struct sr_err *err) {
    size_t n = 0;
    char variable[48];
    SR_TRY(count_of("IEXEC_INPUT_FILES_NUMBER", &n, err));
    for (unsigned i = 1; i <= n; i++) {
        struct source s = {0};
        (void)snprintf(s.name, sizeof s.name, "input file %u", i);
        (void)snprintf(variable, sizeof variable, "IEXEC_INPUT_FILE_NAME_%u", i);
        const char *name = getenv(variable);
        s.path = path_join(folder_in(), name ? name : "");
        if (!s.path) return sr_fail(err, SR_E_NOMEM, "out of memory");
        SR_TRY(add(all, &s, err));
    }
    return SR_OK;
}

static sr_status open_all(unsigned what, struct sources *all, struct sr_err *err) {
    size_t bulk = 0;
    SR_TRY(count_of("IEXEC_BULK_SLICE_SIZE", &bulk, err));
    if (bulk > 0)
        SR_TRY(open_bulk(bulk, all, err));
    else if (is_there("IEXEC_DATASET_FILENAME")) {
        struct source s = {.name = "the data set"};
        SR_TRY(sr_pd_open(NULL, &s.pd, err));
        SR_TRY(add(all, &s, err));
    }
    if (what & SOURCES_INPUT_FILES) SR_TRY(open_files(all, err));
    const char *secret = what & SOURCES_SECRET ? getenv("IEXEC_REQUESTER_SECRET_1") : NULL;
    if (secret && *secret) {
        struct source s = {.name = "secret 1", .text = slice_str(secret)};
        SR_TRY(add(all, &s, err));
    }
    return SR_OK;
}

sr_status sources_open(unsigned what, struct sources *ret, struct sr_err *err) {
    *ret = (struct sources){0};
    sr_status st = open_all(what, ret, err);
    if (st != SR_OK) sources_close(ret);
    return st;
}

void sources_close(struct sources *s) {
    for (size_t i = 0; i < s->n; i++) {
        sr_pd_close(s->v[i].pd);
        free(s->v[i].path);
    }
    *s = (struct sources){0};
}

size_t sources_tables(const struct sources *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) n += !s->v[i].is_model;
    return n;
}

sr_status sources_model(const struct sources *s, const struct source **ret, struct sr_err *err) {
    const struct source *found = NULL;
    for (size_t i = 0; i < s->n; i++) {
        if (!s->v[i].is_model) continue;
        if (found) {
            sr_hint(err, "give one model, beside the tables it shall work on");
            return sr_fail(err, SR_E_USAGE, "%s and %s are both models", found->name, s->v[i].name);
        }
        found = &s->v[i];
    }
    if (!found) {
        sr_hint(err, "protect the model.srm of the app train, and give it with --data");
        return sr_fail(err, SR_E_USAGE, "there is no model among what this task was given%s",
                       s->withheld ? " (some data sets were withheld)" : "");
    }
    *ret = found;
    return SR_OK;
}

/* ---- reading ---- */

static sr_status collect(void *arg, const void *p, size_t n, struct sr_err *err) {
    struct buf *b = arg;
    buf_put(b, p, n);
    return buf_status(b, err);
}

sr_status source_read(const struct source *s, struct buf *b, struct sr_err *err) {
    sr_status st = stream(s, collect, b, err);
    if (st != SR_OK) sr_err_prefix(err, "%s", s->name);
    return st;
}

static sr_status to_csv(void *arg, const void *p, size_t n, struct sr_err *err) {
    return csv_feed(arg, p, n, err);
}

sr_status source_rows(const struct source *s, csv_each each, void *arg, struct sr_err *err) {
    struct csv *csv = NULL;
    SR_TRY(csv_new(each, arg, &csv, err));
    sr_status st = stream(s, to_csv, csv, err);
    if (st == SR_OK) st = csv_end(csv, err);
    csv_free(csv);
    if (st != SR_OK) sr_err_prefix(err, "%s", s->name);
    return st;
}

sr_status source_rules(const struct source *s, struct buf *b, struct sr_err *err) {
    if (!s->pd) return SR_OK;
    for (size_t i = 0; i < sr_pd_count(s->pd); i++) {
        const char *leaf = sr_pd_path_at(s->pd, i);
        if (!is_rules(leaf)) continue;
        sr_status st = sr_pd_stream(s->pd, leaf, collect, b, err);
        if (st != SR_OK) sr_err_prefix(err, "the rules of %s", s->name);
        return st;
    }
    return SR_OK;
}

/* ---- the result ---- */

sr_status result_write(const char *name, struct slice data, struct sr_err *err) {
    const char *out = getenv("IEXEC_OUT");
    cleanup_free char *path = path_join(out && *out ? out : "/iexec_out", name);
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "writing %s", name);
    return fd_write_all(fd, data.p, data.n, err);
}

sr_status result_done(struct sr_err *err) {
    return result_write("computed.json",
                        SLICE_LIT("{\"deterministic-output-path\":\"/iexec_out\"}\n"), err);
}

int result_failed(const char *program, const struct sr_err *err) {
    (void)fprintf(stderr, "%s: %s\n", program, err->what[0] ? err->what : "failed");
    if (err->hint[0]) (void)fprintf(stderr, "  %s\n", err->hint);
    return 1;
}
