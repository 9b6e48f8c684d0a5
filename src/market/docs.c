/* SPDX-License-Identifier: Apache-2.0 */
/* docs.c - the market's routes, described for /openapi.json: types of what comes and goes */
#include "market/market_int.h"
#include "net/http_doc.h"

/* clang-format off */
static const struct http_doc docs[] = {
    {"GET /version", "version of the interface",
     NULL, NULL, "200 application/json Version", NULL},
    {"GET /challenge", "what an address signs to publish",
     "chainId! address!", NULL, "200 application/json Challenge", "400"},
    {"GET /categories/{catid}", "one category",
     "chainId!", NULL, "200 application/json OneCategory", "400 404"},
    {"GET /categories", "categories, shortest first",
     "chainId! minWorkClockTimeRef:int maxWorkClockTimeRef:int pageIndex:int pageSize:int page:int", NULL, "200 application/json Categories", "400"},
    {"GET /deals/{dealid}", "one deal",
     "chainId!", NULL, "200 application/json OneDeal", "400 404"},
    {"GET /deals", "deals, newest first",
     "chainId! category:int requester beneficiary app dataset workerpool appOwner datasetOwner workerpoolOwner apporderHash datasetorderHash workerpoolorderHash requestorderHash pageIndex:int pageSize:int page:int", NULL, "200 application/json Deals", "400"},
    {"GET /ohlc", "prices paid in a category",
     "chainId! category:int!", NULL, "200 application/json Ohlc", "400"},
    {"GET /metrics", "numbers of open orders",
     "chainId!", NULL, "200 application/json Metrics", "400"},
    {"GET /apporders/{orderHash}", "one order",
     "chainId!", NULL, "200 application/json AppOrder1", "400 404"},
    {"GET /apporders", "open orders, best price first",
     "chainId! app appOwner dataset isDatasetStrict:bool workerpool isWorkerpoolStrict:bool requester isRequesterStrict:bool minTag maxTag minVolume:int pageIndex:int pageSize:int page:int", NULL, "200 application/json AppList", "400"},
    {"POST /apporders", "publish an order",
     "chainId! @authorization!", "application/json AppPublish", "200 application/json AppPublished", "400 403 500"},
    {"PUT /apporders", "withdraw orders",
     "chainId! @authorization!", "application/json Unpublish", "200 application/json Unpublished", "400 403 500"},
    {"GET /datasetorders/{orderHash}", "one order",
     "chainId!", NULL, "200 application/json DatasetOrder1", "400 404"},
    {"GET /datasetorders", "open orders, best price first",
     "chainId! dataset datasetOwner app isAppStrict:bool workerpool isWorkerpoolStrict:bool requester isRequesterStrict:bool minTag maxTag minVolume:int bulkOnly:bool pageIndex:int pageSize:int page:int", NULL, "200 application/json DatasetList", "400"},
    {"POST /datasetorders", "publish an order",
     "chainId! @authorization!", "application/json DatasetPublish", "200 application/json DatasetPublished", "400 403 500"},
    {"PUT /datasetorders", "withdraw orders",
     "chainId! @authorization!", "application/json Unpublish", "200 application/json Unpublished", "400 403 500"},
    {"GET /workerpoolorders/{orderHash}", "one order",
     "chainId!", NULL, "200 application/json WorkerpoolOrder1", "400 404"},
    {"GET /workerpoolorders", "open orders, best price first",
     "chainId! workerpool workerpoolOwner app isAppStrict:bool dataset isDatasetStrict:bool requester isRequesterStrict:bool category:int minTag maxTag minVolume:int minTrust:int pageIndex:int pageSize:int page:int", NULL, "200 application/json WorkerpoolList", "400"},
    {"POST /workerpoolorders", "publish an order",
     "chainId! @authorization!", "application/json WorkerpoolPublish", "200 application/json WorkerpoolPublished", "400 403 500"},
    {"PUT /workerpoolorders", "withdraw orders",
     "chainId! @authorization!", "application/json Unpublish", "200 application/json Unpublished", "400 403 500"},
    {"GET /requestorders/{orderHash}", "one order",
     "chainId!", NULL, "200 application/json RequestOrder1", "400 404"},
    {"GET /requestorders", "open orders, best price first",
     "chainId! app dataset requester beneficiary workerpool isWorkerpoolStrict:bool category:int minTag maxTag minVolume:int maxTrust:int pageIndex:int pageSize:int page:int", NULL, "200 application/json RequestList", "400"},
    {"POST /requestorders", "publish an order",
     "chainId! @authorization!", "application/json RequestPublish", "200 application/json RequestPublished", "400 403 500"},
    {"PUT /requestorders", "withdraw orders",
     "chainId! @authorization!", "application/json Unpublish", "200 application/json Unpublished", "400 403 500"},
    {"GET /v1/datasets", "who owns what",
     "owner page:int size:int", NULL, "200 application/json Resources", "400"},
    {"GET /v1/datasets/{address}", "one of them",
     NULL, NULL, "200 application/json Resource", "400 404"},
    {"GET /v1/apps", "who owns what",
     "owner page:int size:int", NULL, "200 application/json Resources", "400"},
    {"GET /v1/apps/{address}", "one of them",
     NULL, NULL, "200 application/json Resource", "400 404"},
    {"GET /v1/workerpools", "who owns what",
     "owner page:int size:int", NULL, "200 application/json Resources", "400"},
    {"GET /v1/workerpools/{address}", "one of them",
     NULL, NULL, "200 application/json Resource", "400 404"},
    {"GET /v1/deals", "deals of somebody",
     "requester dataset app page:int size:int", NULL, "200 application/json OurDeals", "400"},
    {"GET /v1/deals/{deal}", "a deal and its tasks",
     NULL, NULL, "200 application/json OurDeal", "400 404"},
    {"GET /v1/tasks/{task}", "a task as the chain has it",
     NULL, NULL, "200 application/json Task", "400 404"},
    {"GET /v1/head", "the last block that is indexed",
     NULL, NULL, "200 application/json Head", NULL},
    {"GET /v1/events", "server-sent events: of a deal, a task, or each block",
     "deal task", NULL, "200 text/event-stream", "400"},
    {"POST /subgraphs/poco", "GraphQL: what happened on the chain",
     NULL, "application/json Graphql", "200 application/json GraphqlAnswer", "400 413"},
    {"POST /subgraphs/dataprotector", "GraphQL: protected data and sharing",
     NULL, "application/json Graphql", "200 application/json GraphqlAnswer", "400 413"},
    {"GET /ws", "Engine.IO 4: open, poll, or become a websocket",
     "EIO! transport! sid", NULL, "200 text/plain", "400"},
    {"POST /ws", "Engine.IO 4: packets of a polling client",
     "EIO! transport! sid!", "text/plain", "200 text/html", "400 413"},
    {"GET /{chainId}/iapps/{name}", "compass: the address of a ready iApp",
     NULL, NULL, "200 application/json Compass", "404"},
    {"GET /{chainId}/workerpools/{address}", "compass: where a workerpool's scheduler is",
     NULL, NULL, "200 application/json Compass", "404"},
};

static const char schemas[] =
    "{\"Error\":{\"type\":\"object\",\"properties\":{\"ok\":{\"const\":false},\"error\":{\"type\""
    ":\"string\"},\"code\":{\"type\":\"string\"},\"hint\":{\"type\":\"string\"}},\"required\":[\"e"
    "rror\"]},\"AppOrder\":{\"type\":\"object\",\"properties\":{\"app\":{\"type\":\"string\",\"pa"
    "ttern\":\"^0x[0-9a-fA-F]{40}$\"},\"appprice\":{\"oneOf\":[{\"type\":\"integer\"},{\"type"
    "\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"volume\":{\"oneOf\":[{\"type\":\"integer\"},{\"t"
    "ype\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"datasetrestrict\":{\"type\":\"string\",\"pa"
    "ttern\":\"^0x[0-9a-fA-F]{40}$\"},\"workerpoolrestrict\":{\"type\":\"string\",\"pattern"
    "\":\"^0x[0-9a-fA-F]{40}$\"},\"requesterrestrict\":{\"type\":\"string\",\"pattern\":\"^0x"
    "[0-9a-fA-F]{40}$\"},\"tag\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"sal"
    "t\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"sign\":{\"type\":\"string\",\"p"
    "attern\":\"^0x([0-9a-fA-F]{2})*$\"}},\"required\":[\"app\",\"appprice\",\"volume\",\"dat"
    "asetrestrict\",\"workerpoolrestrict\",\"requesterrestrict\",\"tag\",\"salt\",\"sign\"]}"
    ",\"DatasetOrder\":{\"type\":\"object\",\"properties\":{\"dataset\":{\"type\":\"string\",\"p"
    "attern\":\"^0x[0-9a-fA-F]{40}$\"},\"datasetprice\":{\"oneOf\":[{\"type\":\"integer\"},{"
    "\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"volume\":{\"oneOf\":[{\"type\":\"integer\""
    "},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"apprestrict\":{\"type\":\"string\",\"p"
    "attern\":\"^0x[0-9a-fA-F]{40}$\"},\"workerpoolrestrict\":{\"type\":\"string\",\"patter"
    "n\":\"^0x[0-9a-fA-F]{40}$\"},\"requesterrestrict\":{\"type\":\"string\",\"pattern\":\"^0"
    "x[0-9a-fA-F]{40}$\"},\"tag\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"sa"
    "lt\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"sign\":{\"type\":\"string\",\""
    "pattern\":\"^0x([0-9a-fA-F]{2})*$\"}},\"required\":[\"dataset\",\"datasetprice\",\"vol"
    "ume\",\"apprestrict\",\"workerpoolrestrict\",\"requesterrestrict\",\"tag\",\"salt\",\"si"
    "gn\"]},\"WorkerpoolOrder\":{\"type\":\"object\",\"properties\":{\"workerpool\":{\"type\":"
    "\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"workerpoolprice\":{\"oneOf\":[{\"type"
    "\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"volume\":{\"oneOf\":[{\"t"
    "ype\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"category\":{\"oneOf\""
    ":[{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"trust\":{\"oneO"
    "f\":[{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"apprestrict"
    "\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"datasetrestrict\":{\"type"
    "\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"requesterrestrict\":{\"type\":\"str"
    "ing\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"tag\":{\"type\":\"string\",\"pattern\":\"^0x["
    "0-9a-f]{64}$\"},\"salt\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"sign\":"
    "{\"type\":\"string\",\"pattern\":\"^0x([0-9a-fA-F]{2})*$\"}},\"required\":[\"workerpool"
    "\",\"workerpoolprice\",\"volume\",\"category\",\"trust\",\"apprestrict\",\"datasetrestri"
    "ct\",\"requesterrestrict\",\"tag\",\"salt\",\"sign\"]},\"RequestOrder\":{\"type\":\"object"
    "\",\"properties\":{\"app\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"app"
    "maxprice\":{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\""
    "}]},\"dataset\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"datasetmaxp"
    "rice\":{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]},"
    "\"workerpool\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"workerpoolma"
    "xprice\":{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]"
    "},\"requester\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"volume\":{\"o"
    "neOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"category"
    "\":{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"tru"
    "st\":{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}]},\"b"
    "eneficiary\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"callback\":{\"t"
    "ype\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"params\":{\"type\":\"string\"},\"t"
    "ag\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"salt\":{\"type\":\"string\",\""
    "pattern\":\"^0x[0-9a-f]{64}$\"},\"sign\":{\"type\":\"string\",\"pattern\":\"^0x([0-9a-fA"
    "-F]{2})*$\"}},\"required\":[\"app\",\"appmaxprice\",\"dataset\",\"datasetmaxprice\",\"wo"
    "rkerpool\",\"workerpoolmaxprice\",\"requester\",\"volume\",\"category\",\"trust\",\"bene"
    "ficiary\",\"callback\",\"params\",\"tag\",\"salt\",\"sign\"]},\"AppItem\":{\"type\":\"object"
    "\",\"properties\":{\"order\":{\"$ref\":\"#/components/schemas/AppOrder\"},\"orderHash\""
    ":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"chainId\":{\"type\":\"integer\"}"
    ",\"publicationTimestamp\":{\"type\":\"string\"},\"signer\":{\"type\":\"string\",\"pattern"
    "\":\"^0x[0-9a-fA-F]{40}$\"},\"remaining\":{\"type\":\"integer\"},\"status\":{\"enum\":[\"o"
    "pen\",\"filled\",\"canceled\",\"dead\"]}},\"required\":[\"order\",\"orderHash\",\"chainId\""
    ",\"publicationTimestamp\",\"signer\",\"remaining\",\"status\"]},\"AppList\":{\"type\":\"o"
    "bject\",\"properties\":{\"ok\":{\"const\":true},\"orders\":{\"type\":\"array\",\"items\":{\""
    "$ref\":\"#/components/schemas/AppItem\"}},\"count\":{\"type\":\"integer\"},\"nextPage\""
    ":{\"type\":\"integer\"}},\"required\":[\"ok\",\"orders\",\"count\"]},\"AppPublished\":{\"ty"
    "pe\":\"object\",\"properties\":{\"ok\":{\"const\":true},\"published\":{\"$ref\":\"#/compon"
    "ents/schemas/AppItem\"}},\"required\":[\"ok\",\"published\"]},\"AppPublish\":{\"type\":"
    "\"object\",\"properties\":{\"order\":{\"$ref\":\"#/components/schemas/AppOrder\"}},\"re"
    "quired\":[\"order\"]},\"AppOrder1\":{\"type\":\"object\",\"properties\":{\"ok\":{\"const\":"
    "true},\"order\":{\"$ref\":\"#/components/schemas/AppOrder\"},\"orderHash\":{\"type\":\""
    "string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"chainId\":{\"type\":\"string\"},\"publicati"
    "onTimestamp\":{\"type\":\"string\"},\"signer\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a"
    "-fA-F]{40}$\"},\"remaining\":{\"type\":\"integer\"},\"status\":{\"enum\":[\"open\",\"fille"
    "d\",\"canceled\",\"dead\"]}},\"required\":[\"ok\",\"order\",\"orderHash\",\"chainId\",\"publ"
    "icationTimestamp\",\"signer\",\"remaining\",\"status\"]},\"DatasetItem\":{\"type\":\"obj"
    "ect\",\"properties\":{\"order\":{\"$ref\":\"#/components/schemas/DatasetOrder\"},\"ord"
    "erHash\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"chainId\":{\"type\":\"in"
    "teger\"},\"publicationTimestamp\":{\"type\":\"string\"},\"signer\":{\"type\":\"string\",\""
    "pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"remaining\":{\"type\":\"integer\"},\"status\":{\"en"
    "um\":[\"open\",\"filled\",\"canceled\",\"dead\"]},\"bulk\":{\"type\":\"boolean\"}},\"require"
    "d\":[\"order\",\"orderHash\",\"chainId\",\"publicationTimestamp\",\"signer\",\"remaining"
    "\",\"status\",\"bulk\"]},\"DatasetList\":{\"type\":\"object\",\"properties\":{\"ok\":{\"cons"
    "t\":true},\"orders\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Data"
    "setItem\"}},\"count\":{\"type\":\"integer\"},\"nextPage\":{\"type\":\"integer\"}},\"requir"
    "ed\":[\"ok\",\"orders\",\"count\"]},\"DatasetPublished\":{\"type\":\"object\",\"properties"
    "\":{\"ok\":{\"const\":true},\"published\":{\"$ref\":\"#/components/schemas/DatasetItem"
    "\"}},\"required\":[\"ok\",\"published\"]},\"DatasetPublish\":{\"type\":\"object\",\"proper"
    "ties\":{\"order\":{\"$ref\":\"#/components/schemas/DatasetOrder\"}},\"required\":[\"or"
    "der\"]},\"DatasetOrder1\":{\"type\":\"object\",\"properties\":{\"ok\":{\"const\":true},\"o"
    "rder\":{\"$ref\":\"#/components/schemas/DatasetOrder\"},\"orderHash\":{\"type\":\"stri"
    "ng\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"chainId\":{\"type\":\"string\"},\"publicationTi"
    "mestamp\":{\"type\":\"string\"},\"signer\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-"
    "F]{40}$\"},\"remaining\":{\"type\":\"integer\"},\"status\":{\"enum\":[\"open\",\"filled\",\""
    "canceled\",\"dead\"]}},\"required\":[\"ok\",\"order\",\"orderHash\",\"chainId\",\"publicat"
    "ionTimestamp\",\"signer\",\"remaining\",\"status\"]},\"WorkerpoolItem\":{\"type\":\"obje"
    "ct\",\"properties\":{\"order\":{\"$ref\":\"#/components/schemas/WorkerpoolOrder\"},\"o"
    "rderHash\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"chainId\":{\"type\":\""
    "integer\"},\"publicationTimestamp\":{\"type\":\"string\"},\"signer\":{\"type\":\"string\""
    ",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"remaining\":{\"type\":\"integer\"},\"status\":{\""
    "enum\":[\"open\",\"filled\",\"canceled\",\"dead\"]}},\"required\":[\"order\",\"orderHash\","
    "\"chainId\",\"publicationTimestamp\",\"signer\",\"remaining\",\"status\"]},\"Workerpool"
    "List\":{\"type\":\"object\",\"properties\":{\"ok\":{\"const\":true},\"orders\":{\"type\":\"a"
    "rray\",\"items\":{\"$ref\":\"#/components/schemas/WorkerpoolItem\"}},\"count\":{\"type"
    "\":\"integer\"},\"nextPage\":{\"type\":\"integer\"}},\"required\":[\"ok\",\"orders\",\"count"
    "\"]},\"WorkerpoolPublished\":{\"type\":\"object\",\"properties\":{\"ok\":{\"const\":true}"
    ",\"published\":{\"$ref\":\"#/components/schemas/WorkerpoolItem\"}},\"required\":[\"ok"
    "\",\"published\"]},\"WorkerpoolPublish\":{\"type\":\"object\",\"properties\":{\"order\":{"
    "\"$ref\":\"#/components/schemas/WorkerpoolOrder\"}},\"required\":[\"order\"]},\"Worke"
    "rpoolOrder1\":{\"type\":\"object\",\"properties\":{\"ok\":{\"const\":true},\"order\":{\"$r"
    "ef\":\"#/components/schemas/WorkerpoolOrder\"},\"orderHash\":{\"type\":\"string\",\"pa"
    "ttern\":\"^0x[0-9a-f]{64}$\"},\"chainId\":{\"type\":\"string\"},\"publicationTimestamp"
    "\":{\"type\":\"string\"},\"signer\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$"
    "\"},\"remaining\":{\"type\":\"integer\"},\"status\":{\"enum\":[\"open\",\"filled\",\"cancele"
    "d\",\"dead\"]}},\"required\":[\"ok\",\"order\",\"orderHash\",\"chainId\",\"publicationTime"
    "stamp\",\"signer\",\"remaining\",\"status\"]},\"RequestItem\":{\"type\":\"object\",\"prope"
    "rties\":{\"order\":{\"$ref\":\"#/components/schemas/RequestOrder\"},\"orderHash\":{\"t"
    "ype\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"chainId\":{\"type\":\"integer\"},\"pu"
    "blicationTimestamp\":{\"type\":\"string\"},\"signer\":{\"type\":\"string\",\"pattern\":\"^"
    "0x[0-9a-fA-F]{40}$\"},\"remaining\":{\"type\":\"integer\"},\"status\":{\"enum\":[\"open\""
    ",\"filled\",\"canceled\",\"dead\"]}},\"required\":[\"order\",\"orderHash\",\"chainId\",\"pu"
    "blicationTimestamp\",\"signer\",\"remaining\",\"status\"]},\"RequestList\":{\"type\":\"o"
    "bject\",\"properties\":{\"ok\":{\"const\":true},\"orders\":{\"type\":\"array\",\"items\":{\""
    "$ref\":\"#/components/schemas/RequestItem\"}},\"count\":{\"type\":\"integer\"},\"nextP"
    "age\":{\"type\":\"integer\"}},\"required\":[\"ok\",\"orders\",\"count\"]},\"RequestPublish"
    "ed\":{\"type\":\"object\",\"properties\":{\"ok\":{\"const\":true},\"published\":{\"$ref\":\""
    "#/components/schemas/RequestItem\"}},\"required\":[\"ok\",\"published\"]},\"RequestP"
    "ublish\":{\"type\":\"object\",\"properties\":{\"order\":{\"$ref\":\"#/components/schemas"
    "/RequestOrder\"}},\"required\":[\"order\"]},\"RequestOrder1\":{\"type\":\"object\",\"pro"
    "perties\":{\"ok\":{\"const\":true},\"order\":{\"$ref\":\"#/components/schemas/RequestO"
    "rder\"},\"orderHash\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"chainId\":"
    "{\"type\":\"string\"},\"publicationTimestamp\":{\"type\":\"string\"},\"signer\":{\"type\":"
    "\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"remaining\":{\"type\":\"integer\"},\"st"
    "atus\":{\"enum\":[\"open\",\"filled\",\"canceled\",\"dead\"]}},\"required\":[\"ok\",\"order\""
    ",\"orderHash\",\"chainId\",\"publicationTimestamp\",\"signer\",\"remaining\",\"status\"]"
    "},\"Deal\":{\"type\":\"object\",\"properties\":{\"dealid\":{\"type\":\"string\",\"pattern\":"
    "\"^0x[0-9a-f]{64}$\"},\"chainId\":{\"type\":\"integer\"},\"app\":{\"type\":\"object\",\"pro"
    "perties\":{\"pointer\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"owner"
    "\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"price\":{\"type\":\"integer"
    "\"}},\"required\":[\"pointer\",\"owner\",\"price\"]},\"dataset\":{\"type\":\"object\",\"prop"
    "erties\":{\"pointer\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"owner\""
    ":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"price\":{\"type\":\"integer\""
    "}},\"required\":[\"pointer\",\"owner\",\"price\"]},\"workerpool\":{\"type\":\"object\",\"pr"
    "operties\":{\"pointer\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"owne"
    "r\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"price\":{\"type\":\"intege"
    "r\"}},\"required\":[\"pointer\",\"owner\",\"price\"]},\"requester\":{\"type\":\"string\",\"p"
    "attern\":\"^0x[0-9a-fA-F]{40}$\"},\"beneficiary\":{\"type\":\"string\",\"pattern\":\"^0x"
    "[0-9a-fA-F]{40}$\"},\"callback\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}"
    "$\"},\"appHash\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"datasetHash\":{"
    "\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"workerpoolHash\":{\"type\":\"stri"
    "ng\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"requestHash\":{\"type\":\"string\",\"pattern\":\""
    "^0x[0-9a-f]{64}$\"},\"params\":{\"type\":\"string\"},\"volume\":{\"type\":\"integer\"},\"c"
    "ategory\":{\"type\":\"integer\"},\"tag\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64"
    "}$\"},\"trust\":{\"type\":\"integer\"},\"startTime\":{\"type\":\"integer\"},\"botFirst\":{\""
    "type\":\"integer\"},\"botSize\":{\"type\":\"integer\"},\"schedulerRewardRatio\":{\"type\""
    ":\"integer\"},\"workerStake\":{\"type\":\"integer\"},\"blockNumber\":{\"type\":\"integer\""
    "},\"blockTimestamp\":{\"type\":\"string\"},\"transactionHash\":{\"type\":\"string\",\"pat"
    "tern\":\"^0x[0-9a-f]{64}$\"}},\"required\":[\"dealid\",\"chainId\",\"app\",\"dataset\",\"w"
    "orkerpool\",\"requester\",\"beneficiary\",\"callback\",\"appHash\",\"datasetHash\",\"wor"
    "kerpoolHash\",\"requestHash\",\"params\",\"volume\",\"category\",\"tag\",\"trust\",\"start"
    "Time\",\"botFirst\",\"botSize\",\"schedulerRewardRatio\",\"workerStake\",\"blockNumber"
    "\",\"blockTimestamp\",\"transactionHash\"]},\"OneDeal\":{\"type\":\"object\",\"propertie"
    "s\":{\"ok\":{\"const\":true},\"dealid\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}"
    "$\"},\"chainId\":{\"type\":\"integer\"},\"app\":{\"type\":\"object\",\"properties\":{\"point"
    "er\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"owner\":{\"type\":\"strin"
    "g\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"price\":{\"type\":\"integer\"}},\"required\":["
    "\"pointer\",\"owner\",\"price\"]},\"dataset\":{\"type\":\"object\",\"properties\":{\"pointe"
    "r\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"owner\":{\"type\":\"string"
    "\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"price\":{\"type\":\"integer\"}},\"required\":[\""
    "pointer\",\"owner\",\"price\"]},\"workerpool\":{\"type\":\"object\",\"properties\":{\"poin"
    "ter\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"owner\":{\"type\":\"stri"
    "ng\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"price\":{\"type\":\"integer\"}},\"required\":"
    "[\"pointer\",\"owner\",\"price\"]},\"requester\":{\"type\":\"string\",\"pattern\":\"^0x[0-9"
    "a-fA-F]{40}$\"},\"beneficiary\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$"
    "\"},\"callback\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"appHash\":{\""
    "type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"datasetHash\":{\"type\":\"string\","
    "\"pattern\":\"^0x[0-9a-f]{64}$\"},\"workerpoolHash\":{\"type\":\"string\",\"pattern\":\"^"
    "0x[0-9a-f]{64}$\"},\"requestHash\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$"
    "\"},\"params\":{\"type\":\"string\"},\"volume\":{\"type\":\"integer\"},\"category\":{\"type\""
    ":\"integer\"},\"tag\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"trust\":{\"t"
    "ype\":\"integer\"},\"startTime\":{\"type\":\"integer\"},\"botFirst\":{\"type\":\"integer\"}"
    ",\"botSize\":{\"type\":\"integer\"},\"schedulerRewardRatio\":{\"type\":\"integer\"},\"wor"
    "kerStake\":{\"type\":\"integer\"},\"blockNumber\":{\"type\":\"integer\"},\"blockTimestam"
    "p\":{\"type\":\"string\"},\"transactionHash\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-"
    "f]{64}$\"}},\"required\":[\"ok\",\"dealid\",\"chainId\",\"app\",\"dataset\",\"workerpool\","
    "\"requester\",\"beneficiary\",\"callback\",\"appHash\",\"datasetHash\",\"workerpoolHash"
    "\",\"requestHash\",\"params\",\"volume\",\"category\",\"tag\",\"trust\",\"startTime\",\"botF"
    "irst\",\"botSize\",\"schedulerRewardRatio\",\"workerStake\",\"blockNumber\",\"blockTim"
    "estamp\",\"transactionHash\"]},\"Deals\":{\"type\":\"object\",\"properties\":{\"ok\":{\"co"
    "nst\":true},\"deals\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Dea"
    "l\"}},\"count\":{\"type\":\"integer\"},\"nextPage\":{\"type\":\"integer\"}},\"required\":[\""
    "ok\",\"deals\",\"count\"]},\"Category\":{\"type\":\"object\",\"properties\":{\"catid\":{\"ty"
    "pe\":\"integer\"},\"chainId\":{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]},\"n"
    "ame\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"},\"workClockTimeRef\":{\""
    "type\":\"integer\"},\"transactionHash\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{6"
    "4}$\"},\"blockNumber\":{\"type\":\"integer\"},\"blockTimestamp\":{\"type\":\"string\"}},\""
    "required\":[\"catid\",\"chainId\",\"name\",\"description\",\"workClockTimeRef\",\"transa"
    "ctionHash\",\"blockNumber\",\"blockTimestamp\"]},\"OneCategory\":{\"type\":\"object\",\""
    "properties\":{\"ok\":{\"const\":true},\"catid\":{\"type\":\"integer\"},\"chainId\":{\"oneO"
    "f\":[{\"type\":\"integer\"},{\"type\":\"string\"}]},\"name\":{\"type\":\"string\"},\"descrip"
    "tion\":{\"type\":\"string\"},\"workClockTimeRef\":{\"type\":\"integer\"},\"transactionHa"
    "sh\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"blockNumber\":{\"type\":\"in"
    "teger\"},\"blockTimestamp\":{\"type\":\"string\"}},\"required\":[\"ok\",\"catid\",\"chainI"
    "d\",\"name\",\"description\",\"workClockTimeRef\",\"transactionHash\",\"blockNumber\",\""
    "blockTimestamp\"]},\"Categories\":{\"type\":\"object\",\"properties\":{\"ok\":{\"const\":"
    "true},\"categories\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Cat"
    "egory\"}},\"count\":{\"type\":\"integer\"},\"nextPage\":{\"type\":\"integer\"}},\"required"
    "\":[\"ok\",\"categories\",\"count\"]},\"Version\":{\"type\":\"object\",\"properties\":{\"ok\""
    ":{\"const\":true},\"version\":{\"type\":\"string\"}},\"required\":[\"ok\",\"version\"]},\"C"
    "hallenge\":{\"type\":\"object\",\"properties\":{\"ok\":{\"const\":true},\"data\":{\"type\":"
    "\"object\",\"properties\":{\"types\":{\"type\":\"object\"},\"domain\":{\"type\":\"object\",\""
    "properties\":{\"name\":{\"type\":\"string\"},\"version\":{\"type\":\"string\"},\"chainId\":"
    "{\"type\":\"string\"}},\"required\":[\"name\",\"version\",\"chainId\"]},\"primaryType\":{\""
    "const\":\"Challenge\"},\"message\":{\"type\":\"object\",\"properties\":{\"challenge\":{\"t"
    "ype\":\"string\"}},\"required\":[\"challenge\"]}},\"required\":[\"types\",\"domain\",\"pri"
    "maryType\",\"message\"]}},\"required\":[\"ok\",\"data\"]},\"Metrics\":{\"type\":\"object\","
    "\"properties\":{\"ok\":{\"const\":true},\"lastBlock\":{\"type\":\"integer\"},\"checkpoint"
    "Block\":{\"type\":\"integer\"},\"apporders\":{\"type\":\"integer\"},\"datasetorders\":{\"t"
    "ype\":\"integer\"},\"workerpoolorders\":{\"type\":\"integer\"},\"requestorders\":{\"type"
    "\":\"integer\"}},\"required\":[\"ok\",\"lastBlock\",\"checkpointBlock\",\"apporders\",\"da"
    "tasetorders\",\"workerpoolorders\",\"requestorders\"]},\"Ohlc\":{\"type\":\"object\",\"p"
    "roperties\":{\"ok\":{\"const\":true},\"ohlc\":{\"type\":\"array\",\"items\":{\"type\":\"arra"
    "y\"}}},\"required\":[\"ok\",\"ohlc\"]},\"Unpublish\":{\"type\":\"object\",\"properties\":{\""
    "target\":{\"enum\":[\"unpublish_orderHash\",\"unpublish_last\",\"unpublish_all\"]},\"o"
    "rderHash\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"app\":{\"type\":\"stri"
    "ng\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"dataset\":{\"type\":\"string\",\"pattern\":\"^"
    "0x[0-9a-fA-F]{40}$\"},\"workerpool\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]"
    "{40}$\"},\"requester\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"}}},\"Unp"
    "ublished\":{\"type\":\"object\",\"properties\":{\"ok\":{\"const\":true},\"unpublished\":{"
    "\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"}}},\"req"
    "uired\":[\"ok\",\"unpublished\"]},\"Graphql\":{\"type\":\"object\",\"properties\":{\"query"
    "\":{\"type\":\"string\"},\"variables\":{\"type\":[\"object\",\"null\"]},\"operationName\":{"
    "\"type\":[\"string\",\"null\"]}},\"required\":[\"query\"]},\"GraphqlAnswer\":{\"type\":\"ob"
    "ject\",\"properties\":{\"data\":{\"type\":[\"object\",\"null\"]},\"errors\":{\"type\":\"arra"
    "y\",\"items\":{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\"}},\"requ"
    "ired\":[\"message\"]}}}},\"Head\":{\"type\":\"object\",\"properties\":{\"block\":{\"type\":"
    "\"integer\"},\"hash\":{\"type\":\"string\"}},\"required\":[\"block\",\"hash\"]},\"Resource\""
    ":{\"type\":\"object\",\"properties\":{\"address\":{\"type\":\"string\",\"pattern\":\"^0x[0-"
    "9a-fA-F]{40}$\"},\"owner\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-fA-F]{40}$\"},\"n"
    "ame\":{\"type\":\"string\"},\"multiaddr\":{\"type\":\"string\"},\"checksum\":{\"type\":\"str"
    "ing\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"schema\":{},\"type\":{\"type\":\"string\"},\"blo"
    "ck\":{\"type\":\"integer\"},\"time\":{\"type\":\"integer\"},\"tx\":{\"type\":\"string\",\"patt"
    "ern\":\"^0x[0-9a-f]{64}$\"}},\"required\":[\"address\",\"owner\",\"name\",\"block\",\"time"
    "\",\"tx\"]},\"Resources\":{\"type\":\"object\",\"properties\":{\"count\":{\"type\":\"integer"
    "\"},\"datasets\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Resource"
    "\"}},\"apps\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Resource\"}}"
    ",\"workerpools\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Resourc"
    "e\"}}},\"required\":[\"count\"]},\"OurDeal\":{\"type\":\"object\"},\"OurDeals\":{\"type\":\""
    "object\"},\"Task\":{\"type\":\"object\",\"properties\":{\"task\":{\"type\":\"string\",\"patt"
    "ern\":\"^0x[0-9a-f]{64}$\"},\"deal\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$"
    "\"},\"index\":{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]},\"status\":{\"type\""
    ":\"integer\"},\"results\":{\"type\":\"string\",\"pattern\":\"^0x([0-9a-fA-F]{2})*$\"},\"r"
    "esultDigest\":{\"type\":\"string\",\"pattern\":\"^0x[0-9a-f]{64}$\"},\"block\":{\"type\":"
    "\"integer\"}},\"required\":[\"task\",\"deal\",\"index\",\"status\",\"results\",\"resultDige"
    "st\",\"block\"]},\"Compass\":{\"type\":\"object\"}}";
/* clang-format on */

const struct http_docs market_docs = {docs, SR_ARRAY_LEN(docs), schemas};
