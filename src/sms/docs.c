/* SPDX-License-Identifier: Apache-2.0 */
/* docs.c - the secret service's routes, described for /openapi.json; types are in schemas.json */
#include "net/http_doc.h"
#include "sms/sms_int.h"

extern const char sms_schemas[]; /* schemas.json */

/* clang-format off */
static const struct http_doc docs[] = {
    {"HEAD /secrets/web3", "is the key of this data stored",
     "secretAddress!", NULL, "204", "400 404"},
    {"POST /secrets/web3", "store the key of data, once",
     "secretAddress! @Authorization! @X-Contract-Origin", "text/plain", "204", "400 401 409 413 500 503"},
    {"HEAD /secrets/web2", "is this secret of an account stored",
     "ownerAddress! secretName!", NULL, "204", "400 404"},
    {"POST /secrets/web2", "store an account's secret",
     "ownerAddress! secretName! @Authorization! @X-Contract-Origin", "text/plain", "204", "400 401 409 413 500 503"},
    {"PUT /secrets/web2", "change an account's secret",
     "ownerAddress! secretName! @Authorization! @X-Contract-Origin", "text/plain", "204", "400 401 404 413 500 503"},
    {"HEAD /requesters/{address}/secrets/{name}", "is this requester's secret stored",
     NULL, NULL, "204", "400 404"},
    {"POST /requesters/{address}/secrets/{name}", "store a requester's secret, once",
     "@Authorization! @X-Contract-Origin", "text/plain", "204", "400 401 409 500 503"},
    {"HEAD /apps/{address}/secrets", "is the app's secret stored",
     NULL, NULL, "204", "400 404"},
    {"POST /apps/{address}/secrets", "store the app's secret, once an owner",
     "@Authorization! @X-Contract-Origin", "text/plain", "204", "400 401 409 413 500 503"},
    {"GET /version", "version",
     NULL, NULL, "200 text/plain", NULL},
    {"GET /metrics", "counters",
     NULL, NULL, "200 application/json Figures", NULL},
    {"GET /tee/framework", "the kind of enclave",
     NULL, NULL, "200 application/json Framework", NULL},
    {"GET /tee/properties/{framework}", "properties of the framework",
     NULL, NULL, "200 application/json Properties", "404 409"},
    {"GET /tee/properties/{framework}/{version}", "properties of a version",
     NULL, NULL, "200 application/json Properties", "404 409"},
    {"POST /tee/challenges/{task}", "not here: challenges are made in the room",
     NULL, "*/*", "200 text/plain", "404"},
    {"POST /tee/sessions", "not here: secrets are released by /v1/",
     NULL, "*/*", "200 application/json Figures", "404"},
    {"GET /v1/vault", "the keys that secrets are sealed to",
     NULL, NULL, "200 application/json VaultKey", "503"},
    {"POST /v1/nonces", "a nonce for an assignment",
     NULL, "application/json NonceAsked", "200 application/json Nonce", "400"},
    {"POST /v1/tasks/{task}/release", "a task's secrets, sealed to its room",
     NULL, "application/json ReleaseAsked", "200 application/json Released", "400 401 403 404 409 413 500 503"},
    {"GET /v1/tasks/{task}/record", "what a release was asked with",
     NULL, NULL, "200 application/json Record", "400 404"},
    {"GET /v1/attestation", "what evidence is verified by",
     NULL, NULL, "200 application/json Attestation", NULL},
    {"GET /v1/releases", "the release log, oldest first",
     "task dataset after:int size:int", NULL, "200 application/json Releases", "400"},
};
/* clang-format on */

const struct http_docs sms_docs = {docs, SR_ARRAY_LEN(docs), sms_schemas};
