/* SPDX-License-Identifier: Apache-2.0 */
/* docs.c - the store's routes, described for /openapi.json; its types are in schemas.json */
#include "net/http_doc.h"
#include "store/store_int.h"

extern const char store_schemas[]; /* schemas.json */

/* clang-format off */
static const struct http_doc docs[] = {
    {"POST /api/v0/add", "add files: a line of JSON for each",
     "progress:bool pin:bool cid-version:int only-hash:bool wrap-with-directory:bool stream-channels:bool quieter:bool", "multipart/form-data", "200 application/json", "400 413 503"},
    {"POST /api/v0/cat", "a file's bytes",
     "arg! offset:int length:int", NULL, "200 text/plain", "400 404"},
    {"POST /api/v0/pin/add", "all that is here is kept",
     "arg!", NULL, "200 application/json Pins", "400 404"},
    {"POST /api/v0/pin/ls", "is it here",
     "arg!", NULL, "200 application/json Keys", "400 404"},
    {"POST /api/v0/pin/rm", "not for clients",
     NULL, NULL, "200 application/json Pins", "403"},
    {"POST /api/v0/version", "version",
     NULL, NULL, "200 application/json KuboVersion", NULL},
    {"POST /api/v0/repo/stat", "room and use",
     NULL, NULL, "200 application/json Stat", NULL},
    {"GET /ipfs/*", "the gateway: a file, or one below a folder",
     "format @Range @If-None-Match", NULL, "200 application/octet-stream", "400 404 503"},
    {"GET /v1/store", "room and use",
     NULL, NULL, "200 application/json Stat", NULL},
    {"GET /v2/*", "OCI registry: blobs, manifests, tags",
     "n:int last", NULL, "200 */*", "404"},
    {"POST /v2/*", "OCI registry: begin an upload",
     "digest mount from", "application/octet-stream", "202", "400 403 404"},
    {"PATCH /v2/*", "OCI registry: a piece of an upload",
     "@Content-Range", "application/octet-stream", "202", "400 404 416"},
    {"PUT /v2/*", "OCI registry: end an upload, or a manifest",
     "digest", "*/*", "201", "400 403 404 413"},
    {"DELETE /v2/*", "OCI registry: give up an upload",
     NULL, NULL, "204", "404 405"},
};
/* clang-format on */

const struct http_docs store_docs = {docs, SR_ARRAY_LEN(docs), store_schemas};
