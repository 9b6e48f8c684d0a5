/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train - an iApp: learns a model from the protected tables of one or several owners
 *
 * Arguments: target=COLUMN and others NAME=VALUE (README.md). The tables are CSV with a header
 * line; in a bulk, all of them together. Result: model.srm (iapps/common/README.md), which can
 * itself be protected, granted and rented, and metrics.json: how good it is on rows that it has not
 * seen.
 */
#include "learn.h"
#include <stdio.h>
#include <time.h>

static sr_status run(int argc, char **argv, struct sr_err *err) {
    struct options o;
    struct sources s;
    struct learnt l = {0};
    cleanup_buf struct buf file;
    buf_init(&file, MODEL_MAX_BYTES);
    SR_TRY(options_parse(argc, argv, &o, err));
    SR_TRY(sources_open(0, &s, err));
    sr_status st = learn(&s, &o, &l, err);
    sources_close(&s);
    if (st != SR_OK) return st;
    model_write(l.model, &file);
    st = buf_status(&file, err);
    if (st == SR_OK) st = result_write("model.srm", buf_slice(&file), err);
    if (st == SR_OK) st = result_write("metrics.json", buf_slice(&l.report), err);
    if (st == SR_OK) st = result_done(err);
    struct timespec used = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    /* Printed only: a result with a time in it would differ between workers. */
    if (st == SR_OK)
        (void)printf("%s; %.2f s of processor time\n", l.line,
                     (double)used.tv_sec + (double)used.tv_nsec / 1e9);
    learnt_done(&l);
    return st;
}

int main(int argc, char **argv) {
    struct sr_err err = {0};
    return run(argc, argv, &err) == SR_OK ? 0 : result_failed("train", &err);
}
