/* SPDX-License-Identifier: Apache-2.0 */
/* failure.c - the failure catalogue */
#include "base/failure.h"
#include <string.h>

#define CHECK      "check"
#define SCHEDULE   "schedule"
#define RELEASE    "release"
#define FETCH      "fetch"
#define RUN        "run"
#define RESULT     "result"
#define SETTLE     "settle"
#define COLLECT    "collect"
#define REQUESTER  "requester"
#define APP_OWNER  "app owner"
#define DATA_OWNER "data owner"
#define WORKERPOOL "workerpool"
#define WORKER     "worker"
#define OPERATOR   "operator"
#define YES        true
#define NO         false

#define FAILURE(code, stage, party, retry, cause, next) {#code, stage, party, retry, cause, next},
static const struct sr_failure table[] = {
#include <strongroom/failure.def>
};
#undef FAILURE

const struct sr_failure *sr_failure_at(size_t i) {
    return i < SR_ARRAY_LEN(table) ? &table[i] : NULL;
}

const struct sr_failure *sr_failure_find(const char *text) {
    if (!text) return NULL;
    size_t n = strcspn(text, ":");
    for (size_t i = 0; i < SR_ARRAY_LEN(table); i++)
        if (strlen(table[i].code) == n && memcmp(table[i].code, text, n) == 0) return &table[i];
    return NULL;
}

void sr_why(struct sr_err *e, sr_failure_id id) {
    if (e && !e->failure) e->failure = table[id].code;
}

void sr_why_text(struct sr_err *e, const char *text) {
    const struct sr_failure *f = sr_failure_find(text);
    if (e && f && !e->failure) e->failure = f->code;
}

const char *sr_err_next(const struct sr_err *e) {
    if (e->hint[0]) return e->hint;
    const struct sr_failure *f = sr_failure_find(e->failure);
    return f ? f->next : "";
}
