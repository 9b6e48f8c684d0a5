/* SPDX-License-Identifier: Apache-2.0 */
/*
 * predict - an iApp: what a protected model says about rows
 *
 * The model is one of the data sets (or a public input file). Rows come as protected tables beside
 * it (a bulk), as the requester's input files, his secret 1, or one row as arguments COLUMN=VALUE.
 * Result: predictions.csv; and metrics.json when the rows have the target too.
 */
#include "ask.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static sr_status to_file(void *arg, struct slice piece, struct sr_err *err) {
    return fd_write_all(*(int *)arg, piece.p, piece.n, err);
}

static sr_status open_result(int *ret, struct sr_err *err) {
    const char *out = getenv("IEXEC_OUT");
    cleanup_free char *path = path_join(out && *out ? out : "/iexec_out", "predictions.csv");
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    *ret = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return *ret >= 0 ? SR_OK : sr_fail(err, SR_E_SYS, "writing predictions.csv");
}

static sr_status load(const struct sources *s, struct model **ret, struct sr_err *err) {
    const struct source *source;
    cleanup_buf struct buf file;
    buf_init(&file, MODEL_MAX_BYTES);
    SR_TRY(sources_model(s, &source, err));
    SR_TRY(source_read(source, &file, err));
    return model_read(buf_slice(&file), ret, err);
}

static sr_status run(int argc, char **argv, struct sr_err *err) {
    struct sources s;
    struct model *m = NULL;
    struct asked a = {0};
    cleanup_close int fd = -1;
    SR_TRY(sources_open(SOURCES_INPUT_FILES | SOURCES_SECRET, &s, err));
    sr_status st = load(&s, &m, err);
    if (st == SR_OK) st = open_result(&fd, err);
    if (st == SR_OK) st = ask(m, &s, argc, argv, to_file, &fd, &a, err);
    if (st == SR_OK && a.known) {
        buf_u8(&a.metrics, '\n');
        st = result_write("metrics.json", buf_slice(&a.metrics), err);
    }
    if (st == SR_OK) st = result_done(err);
    if (st == SR_OK)
        (void)printf("%llu predictions of %s by %zu trees\n", (unsigned long long)a.rows, m->target,
                     m->n_trees);
    asked_done(&a);
    model_free(m);
    sources_close(&s);
    return st;
}

int main(int argc, char **argv) {
    struct sr_err err = {0};
    return run(argc, argv, &err) == SR_OK ? 0 : result_failed("predict", &err);
}
