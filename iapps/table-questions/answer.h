/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.h - the answer to a question: groups of enough people only (README.md says what that
 * protects from, and what not)
 *
 * Depends on: base, question, source, table.  Used by: table-questions.
 */
#pragma once
#include "../common/source.h"
#include "question.h"

#define ANSWER_MAX_GROUPS 20000u
#define ANSWER_MAX_BYTES  (16u << 20)

struct answer {
    struct buf csv, json;
    uint64_t rows, shown, withheld; /* rows asked about; groups */
};

/*
 * answer - asks all tables of s
 *
 * SR_E_NOTFOUND for a column that is not there, SR_E_REFUSED for what the rules do not allow or
 * what keeps or leaves out too few people, SR_E_USAGE for a comparison of numbers with words,
 * SR_E_TOOBIG. *ret is owned: answer_done.
 */
SR_CHECK sr_status answer(const struct question *q, const struct sources *s, struct answer *ret,
                          struct sr_err *err);
void answer_done(struct answer *a);
