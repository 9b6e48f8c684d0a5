/* SPDX-License-Identifier: Apache-2.0 */
/* docs.c - the secret service's routes, described for /openapi.json: types of what comes and goes
 */
#include "net/http_doc.h"
#include "sms/sms_int.h"

/* clang-format off */
static const struct http_doc docs[] = {
    {"HEAD /secrets/web3", "is the key of this data stored",
     "secretAddress!", NULL, "204", "400 404"},
    {"POST /secrets/web3", "store the key of data, once",
     "secretAddress! @Authorization! @X-Contract-Origin", "text/plain", "204", "400 401 409 413 503"},
    {"HEAD /secrets/web2", "is this secret of an account stored",
     "ownerAddress! secretName!", NULL, "204", "400 404"},
    {"POST /secrets/web2", "store an account's secret",
     "ownerAddress! secretName! @Authorization! @X-Contract-Origin", "text/plain", "204", "400 401 409 413 503"},
    {"PUT /secrets/web2", "change an account's secret",
     "ownerAddress! secretName! @Authorization! @X-Contract-Origin", "text/plain", "204", "400 401 404 413 503"},
    {"HEAD /requesters/{address}/secrets/{name}", "is this requester's secret stored",
     NULL, NULL, "204", "400 404"},
    {"POST /requesters/{address}/secrets/{name}", "store a requester's secret, once",
     "@Authorization! @X-Contract-Origin", "text/plain", "204", "400 401 409 503"},
    {"HEAD /apps/{address}/secrets", "is the app's secret stored",
     NULL, NULL, "204", "400 404"},
    {"POST /apps/{address}/secrets", "store the app's secret, once an owner",
     "@Authorization! @X-Contract-Origin", "text/plain", "204", "400 401 409 413 503"},
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
     NULL, "application/json ReleaseAsked", "200 application/json Released", "400 401 403 404 409 413 503"},
    {"GET /v1/tasks/{task}/record", "what a release was asked with",
     NULL, NULL, "200 application/json Record", "400 404"},
    {"GET /v1/attestation", "what evidence is verified by",
     NULL, NULL, "200 application/json Attestation", NULL},
    {"GET /v1/releases", "the release log, oldest first",
     "task dataset after:int size:int", NULL, "200 application/json Releases", "400"},
};

static const char schemas[] =
    "{\"Error\":{\"type\":\"object\",\"properties\":{\"error\":{\"oneOf\":[{\"type\":\"string\"},"
    "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]},\"code\":{\"type\":\"string\"},\"hint\""
    ":{\"type\":\"string\"}},\"required\":[\"error\"]},\"Figures\":{\"type\":\"object\"},\"Frame"
    "work\":{\"type\":\"string\"},\"Properties\":{\"type\":\"object\"},\"VaultKey\":{\"type\":\"o"
    "bject\",\"properties\":{\"identity\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{4"
    "0}$\"},\"sealingKey\":{\"type\":\"string\",\"pattern\":\"^0x([0-9a-fA-F]{2})*$\"},\"proo"
    "f\":{\"type\":\"string\",\"pattern\":\"^0x([0-9a-fA-F]{2})*$\"},\"label\":{\"type\":\"stri"
    "ng\"}},\"required\":[\"identity\",\"sealingKey\",\"proof\",\"label\"]},\"NonceAsked\":{\"t"
    "ype\":\"object\",\"properties\":{\"task\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{6"
    "4}$\"}},\"required\":[\"task\"]},\"Nonce\":{\"type\":\"object\",\"properties\":{\"nonce\":{"
    "\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"expires\":{\"type\":\"integer\"}},"
    "\"required\":[\"nonce\",\"expires\"]},\"ReleaseAsked\":{\"type\":\"object\",\"properties\""
    ":{\"assignment\":{\"type\":\"object\",\"properties\":{\"task\":{\"type\":\"string\",\"patte"
    "rn\":\"^0x[0-9a-f]{64}$\"},\"worker\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{"
    "40}$\"},\"nonce\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"expires\":{\"ty"
    "pe\":\"integer\"},\"signature\":{\"type\":\"string\",\"pattern\":\"^0x([0-9a-fA-F]{2})*$"
    "\"}},\"required\":[\"task\",\"worker\",\"nonce\",\"expires\",\"signature\"]},\"matchTx\":{\""
    "type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"challenge\":{\"type\":\"string\",\"p"
    "attern\":\"^0x[0-9a-fA-F]{40}$\"},\"challengePublic\":{\"type\":\"string\",\"pattern\":"
    "\"^0x([0-9a-fA-F]{2})*$\"},\"sealingKey\":{\"type\":\"string\",\"pattern\":\"^0x([0-9a-"
    "fA-F]{2})*$\"},\"evidence\":{\"type\":\"string\"},\"signature\":{\"type\":\"string\",\"pat"
    "tern\":\"^0x([0-9a-fA-F]{2})*$\"}},\"required\":[\"assignment\",\"matchTx\",\"challeng"
    "e\",\"challengePublic\",\"sealingKey\",\"evidence\",\"signature\"]},\"Released\":{\"type"
    "\":\"object\",\"properties\":{\"token\":{\"type\":\"string\",\"pattern\":\"^0x([0-9a-fA-F]"
    "{2})*$\"},\"envelope\":{\"type\":\"string\"},\"envelopeSignature\":{\"type\":\"string\",\""
    "pattern\":\"^0x([0-9a-fA-F]{2})*$\"},\"label\":{\"type\":\"string\"},\"datasets\":{\"typ"
    "e\":\"array\",\"items\":{\"type\":\"object\"}}},\"required\":[\"token\",\"envelope\",\"envel"
    "opeSignature\",\"label\"]},\"Record\":{\"type\":\"object\",\"properties\":{\"request\":{\""
    "type\":\"object\"},\"token\":{\"type\":\"string\",\"pattern\":\"^0x([0-9a-fA-F]{2})*$\"},"
    "\"release\":{\"type\":\"object\"}},\"required\":[\"request\",\"token\",\"release\"]},\"Atte"
    "station\":{\"type\":\"object\",\"properties\":{\"authority\":{\"type\":[\"object\",\"null\""
    "]},\"rooms\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^0x([0-9a-fA-"
    "F]{2})*$\"}}},\"required\":[\"authority\",\"rooms\"]},\"Releases\":{\"type\":\"array\",\"i"
    "tems\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"},\"time\":{\"type\":\""
    "integer\"},\"task\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"deal\":{\"typ"
    "e\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"worker\":{\"type\":\"string\",\"pattern"
    "\":\"^0x[0-9a-fA-F]{40}$\"},\"dataset\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F"
    "]{40}$\"},\"outcome\":{\"enum\":[\"released\",\"refused\"]},\"code\":{\"type\":\"string\"},"
    "\"evidenceDigest\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"label\":{\"ty"
    "pe\":\"string\"},\"previous\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"has"
    "h\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"}},\"required\":[\"n\",\"time\",\"t"
    "ask\",\"deal\",\"worker\",\"dataset\",\"outcome\",\"code\",\"evidenceDigest\",\"label\",\"pr"
    "evious\",\"hash\"]}}}";
/* clang-format on */

const struct http_docs sms_docs = {docs, SR_ARRAY_LEN(docs), schemas};
