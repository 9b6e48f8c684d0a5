/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a question about a fixed table: no answer speaks of fewer than five rows, nor does
 * what it leaves out. The bytes behind the first zero are the owner's rules. */
#include "table-questions/answer.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char TABLE[] = "a,b,c\n1,x,1\n2,x,2\n3,x,3\n4,x,\n5,x,5\n6,x,6\n7,y,7\n8,y,8\n9,y,9\n"
                            "10,z,10\n11,z,11\n12,z,12\n13,z,13\n14,z,14\n15,w,15\n,w,16\n";

static sr_status check_row(void *arg, const struct slice *fields, size_t n, uint64_t row,
                           struct sr_err *err) {
    size_t *column = arg;
    uint64_t rows = 0;
    (void)err;
    for (size_t i = 0; row == 0 && i < n; i++)
        if (slice_is(fields[i], "rows")) *column = i;
    if (row) SR_ASSERT(num_u64(fields[*column], 16, &rows) && rows >= QUESTION_LEAST_GROUP);
    return SR_OK;
}

static void check(const struct answer *a) {
    cleanup_json struct json *doc = NULL;
    struct csv *csv = NULL;
    size_t column = 0;
    uint64_t hidden = 0;
    SR_ASSERT(csv_new(check_row, &column, &csv, NULL) == SR_OK);
    SR_ASSERT(csv_feed(csv, a->csv.p, a->csv.n, NULL) == SR_OK && csv_end(csv, NULL) == SR_OK);
    csv_free(csv);
    SR_ASSERT(json_parse(buf_slice(&a->json), &doc, NULL) == SR_OK);
    SR_ASSERT(json_u64(json_get(json_root(doc), "rowsWithheld"), &hidden));
    SR_ASSERT(hidden == 0 || hidden >= QUESTION_LEAST_GROUP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct sources s;
    static struct question q;
    struct question_rules r;
    struct answer a;
    struct slice question = {data, size}, rules = {data, 0};
    if (slice_cut(question, 0, &question, &rules) &&
        question_rules_parse(rules, &r, NULL) == SR_OK) {
        (void)question_rules_allow(&r, SLICE_LIT("a"));
        question_rules_done(&r);
    }
    if (question_parse(question, &q, NULL) != SR_OK) return 0;
    s = (struct sources){0};
    s.v[s.n++] = (struct source){.text = slice_of(TABLE, sizeof TABLE - 1)};
    if (answer(&q, &s, &a, NULL) == SR_OK) {
        check(&a);
        answer_done(&a);
    }
    question_done(&q);
    return 0;
}
