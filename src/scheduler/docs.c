/* SPDX-License-Identifier: Apache-2.0 */
/* docs.c - the scheduler's routes, described for /openapi.json; its types are in schemas.json */
#include "net/http_doc.h"
#include "scheduler/sched_int.h"

extern const char sched_schemas[]; /* schemas.json */

/* clang-format off */
static const struct http_doc docs[] = {
    {"GET /tasks/logs/challenge", "what a requester signs to read logs",
     "address! chainId", NULL, "200 application/json Challenge", "400"},
    {"GET /tasks/{id}", "a task as the pool sees it",
     NULL, NULL, "200 application/json Task", "404"},
    {"GET /tasks/{id}/logs", "what the app has printed, for the requester",
     "@Authorization!", NULL, "200 application/json Logs", "401 403 404"},
    {"GET /tasks/{id}/replicates/{wallet}", "one worker's part",
     NULL, NULL, "200 application/json Replicate", "404"},
    {"GET /tasks/{id}/replicates/{wallet}/logs", "what the app has printed there",
     "@Authorization!", NULL, "200 application/json OneLog", "401 403 404"},
    {"GET /version", "version",
     NULL, NULL, "200 text/plain", NULL},
    {"GET /metrics", "counters",
     NULL, NULL, "200 application/json Figures", NULL},
    {"GET /v1/tasks/{id}", "a task's state",
     NULL, NULL, "200 application/json State", "404"},
    {"GET /v1/tasks/{id}/events", "server-sent events: the state at each change",
     NULL, NULL, "200 text/event-stream", "400 404"},
    {"GET /v1/pool", "workers, slots, queue",
     NULL, NULL, "200 application/json Pool", NULL},
    {"GET /v1/workers", "websocket of a worker",
     NULL, NULL, "101", "400 503"},
};
/* clang-format on */

const struct http_docs sched_docs = {docs, SR_ARRAY_LEN(docs), sched_schemas};
