/* SPDX-License-Identifier: Apache-2.0 */
/* docs.c - the scheduler's routes, described for /openapi.json: types of what comes and goes */
#include "net/http_doc.h"
#include "scheduler/sched_int.h"

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

static const char schemas[] =
    "{\"Error\":{\"type\":\"object\",\"properties\":{\"error\":{\"type\":\"string\"},\"code\":{\"t"
    "ype\":\"string\"},\"hint\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"}}},\"Chall"
    "enge\":{\"type\":\"object\"},\"Task\":{\"type\":\"object\"},\"Logs\":{\"type\":\"array\"},\"Re"
    "plicate\":{\"type\":\"object\"},\"OneLog\":{\"type\":\"object\"},\"Figures\":{\"type\":\"obj"
    "ect\"},\"State\":{\"type\":\"object\",\"properties\":{\"task\":{\"type\":\"string\",\"patter"
    "n\":\"^0x[0-9a-f]{64}$\"},\"deal\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"}"
    ",\"index\":{\"type\":\"integer\"},\"status\":{\"enum\":[\"WAITING\",\"ASSIGNED\",\"RUNNING\""
    ",\"COMPLETED\",\"FAILED\"]},\"stage\":{\"type\":\"string\"},\"cause\":{\"type\":\"string\"},"
    "\"message\":{\"type\":\"string\"},\"exitCode\":{\"type\":\"integer\"},\"egress\":{\"type\":\""
    "object\"},\"worker\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"updated"
    "\":{\"type\":\"integer\"}},\"required\":[\"task\",\"status\",\"updated\"]},\"Pool\":{\"type\""
    ":\"object\"}}";
/* clang-format on */

const struct http_docs sched_docs = {docs, SR_ARRAY_LEN(docs), schemas};
