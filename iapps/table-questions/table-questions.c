/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table-questions - an iApp: answers structured questions about protected tables, never about a few
 * people
 *
 * The question is JSON (README.md), as the arguments or, so that nobody else can read it, as the
 * requester's secret 1. Result: answer.csv, and answer.json with the numbers of rows and groups.
 */
#include "answer.h"
#include <stdio.h>
#include <stdlib.h>

static sr_status question_text(int argc, char **argv, struct buf *ret, struct sr_err *err) {
    const char *secret = getenv("IEXEC_REQUESTER_SECRET_1");
    if (argc > 1 && secret && *secret)
        return sr_fail(err, SR_E_USAGE,
                       "the question is given twice: as arguments and as secret 1");
    if (secret && *secret) buf_str(ret, secret);
    for (int i = 1; i < argc; i++) {
        if (i > 1) buf_u8(ret, ' ');
        buf_str(ret, argv[i]);
    }
    if (ret->n == 0) {
        sr_hint(err,
                "--args \"'{\\\"group\\\": [\\\"COLUMN\\\"]}'\", or --secret 1=FILE with the JSON");
        return sr_fail(err, SR_E_USAGE, "there is no question");
    }
    return buf_status(ret, err);
}

static sr_status run(int argc, char **argv, struct sr_err *err) {
    static struct sources s;
    static struct question q;
    struct answer a = {0};
    cleanup_buf struct buf text;
    buf_init(&text, QUESTION_MAX_TEXT + 1);
    SR_TRY(question_text(argc, argv, &text, err));
    SR_TRY(question_parse(buf_slice(&text), &q, err));
    sr_status st = sources_open(0, &s, err);
    if (st == SR_OK) st = answer(&q, &s, &a, err);
    if (st == SR_OK) st = result_write("answer.csv", buf_slice(&a.csv), err);
    if (st == SR_OK) st = result_write("answer.json", buf_slice(&a.json), err);
    if (st == SR_OK) st = result_done(err);
    if (st == SR_OK)
        (void)printf("%llu rows, %llu groups, %llu withheld\n", (unsigned long long)a.rows,
                     (unsigned long long)a.shown, (unsigned long long)a.withheld);
    answer_done(&a);
    question_done(&q);
    sources_close(&s);
    return st;
}

int main(int argc, char **argv) {
    struct sr_err err = {0};
    return run(argc, argv, &err) == SR_OK ? 0 : result_failed("table-questions", &err);
}
