/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gql_schema.c - PoCo's subgraph as a table of entities over the index
 *
 * Not indexed here, and so null or empty: gas and parties of transactions, scores, bulk slices.
 * SPEC: services.md#62-entities
 */
#include "market/gql.h"

#define F(...)                                                                                     \
    { __VA_ARGS__ }
#define FIELDS(a) a, SR_ARRAY_LEN(a)
#define NOTHING   "(SELECT CAST(NULL AS BYTEA) AS id WHERE 1 = 0)"

#define EVENT_COLUMNS                                                                              \
    "block || '-' || log AS id, kind, tx, time, account, other, task, deal, resource, value, "     \
    "hash, data, block, log"
#define EVENT(kind) "(SELECT " EVENT_COLUMNS " FROM event WHERE kind = '" kind "')"
#define EVENT_BASE                                                                                 \
    F("id", G_TEXT, "t.id", NULL), F("transaction", G_REF, "t.tx", "Transaction"),                 \
        F("timestamp", G_BIGINT, "t.time", NULL)

static const struct gentity_field account[] = {
    F("id", G_ID, "t.id", NULL),
    F("balance", G_RLC,
      "(SELECT COALESCE(SUM(value), 0) FROM event WHERE kind = 'Transfer' AND other = t.id) - "
      "(SELECT COALESCE(SUM(value), 0) FROM event WHERE kind = 'Transfer' AND account = t.id)",
      NULL),
    F("frozen", G_RLC,
      "(SELECT COALESCE(SUM(value), 0) FROM event WHERE kind = 'Lock' AND account = t.id) - "
      "(SELECT COALESCE(SUM(value), 0) FROM event WHERE kind IN ('Unlock', 'Seize') AND account = "
      "t.id)",
      NULL),
    F("score", G_BIGINT, "CAST(0 AS BIGINT)", NULL),
    F("apps", G_LIST, "owner", "App"),
    F("datasets", G_LIST, "owner", "Dataset"),
    F("workerpools", G_LIST, "owner", "Workerpool"),
    F("dealRequester", G_LIST, "requester", "Deal"),
    F("dealBeneficiary", G_LIST, "beneficiary", "Deal"),
    F("dealCallback", G_LIST, "callback", "Deal"),
    F("taskRequester", G_LIST, "requester", "Task"),
    F("contributions", G_LIST, "account", "Contribution"),
    F("transfersFrom", G_LIST, "account", "Transfer"),
    F("transfersTo", G_LIST, "other", "Transfer"),
    F("events", G_LIST, "account", "AccountEvent"),
};
#define USAGE(col)                                                                                 \
    F("usageCount", G_BIGINT,                                                                      \
      "(SELECT COALESCE(SUM(d.volume), 0) FROM deal AS d WHERE d." col " = t.id)", NULL),          \
        F("lastUsageTimestamp", G_BIGINT,                                                          \
          "(SELECT COALESCE(MAX(d.time), 0) FROM deal AS d WHERE d." col " = t.id)", NULL),        \
        F("usages", G_LIST, col, "Deal")
static const struct gentity_field app[] = {
    F("id", G_ID, "t.id", NULL),
    F("owner", G_REF, "t.owner", "Account"),
    F("name", G_TEXT, "t.name", NULL),
    F("type", G_TEXT, "t.type", NULL),
    F("multiaddr", G_BYTES, "t.raw", NULL),
    F("checksum", G_BYTES, "t.checksum", NULL),
    F("mrenclave", G_BYTES, "t.mrenclave", NULL),
    F("timestamp", G_BIGINT, "t.time", NULL),
    USAGE("app"),
    F("orders", G_LIST, "app", "AppOrder"),
    F("transfers", G_LIST, "resource", "AppTransfer"),
};
static const struct gentity_field dataset[] = {
    F("id", G_ID, "t.id", NULL),
    F("owner", G_REF, "t.owner", "Account"),
    F("name", G_TEXT, "t.name", NULL),
    F("multiaddr", G_BYTES, "t.raw", NULL),
    F("checksum", G_BYTES, "t.checksum", NULL),
    F("timestamp", G_BIGINT, "t.time", NULL),
    USAGE("dataset"),
    F("bulkUsages", G_LIST, "id", "BulkSlice"),
    F("orders", G_LIST, "dataset", "DatasetOrder"),
    F("transfers", G_LIST, "resource", "DatasetTransfer"),
};
static const struct gentity_field workerpool[] = {
    F("id", G_ID, "t.id", NULL),
    F("owner", G_REF, "t.owner", "Account"),
    F("description", G_TEXT, "t.name", NULL),
    F("workerStakeRatio", G_BIGINT, "t.stake_ratio", NULL),
    F("schedulerRewardRatio", G_BIGINT, "t.reward_ratio", NULL),
    F("timestamp", G_BIGINT, "t.time", NULL),
    USAGE("workerpool"),
    F("orders", G_LIST, "workerpool", "WorkerpoolOrder"),
    F("events", G_LIST, "resource", "WorkerpoolEvent"),
    F("transfers", G_LIST, "resource", "WorkerpoolTransfer"),
};
static const struct gentity_field category[] = {
    F("id", G_NUMID, "t.id", NULL),
    F("name", G_TEXT, "t.name", NULL),
    F("description", G_TEXT, "t.description", NULL),
    F("workClockTimeRef", G_BIGINT, "t.timeref", NULL),
    F("timestamp", G_BIGINT, "t.time", NULL),
    F("deals", G_LIST, "category", "Deal"),
};
static const struct gentity_field deal[] = {
    F("id", G_ID, "t.id", NULL),
    F("tasks", G_LIST, "deal", "Task"),
    F("app", G_REF, "t.app", "App"),
    F("appOwner", G_REF, "t.app_owner", "Account"),
    F("appPrice", G_RLC, "t.app_price", NULL),
    F("dataset", G_REF, "t.dataset", "Dataset"),
    F("datasetOwner", G_REF, "t.dataset_owner", "Account"),
    F("datasetPrice", G_RLC, "t.dataset_price", NULL),
    F("workerpool", G_REF, "t.workerpool", "Workerpool"),
    F("workerpoolOwner", G_REF, "t.workerpool_owner", "Account"),
    F("workerpoolPrice", G_RLC, "t.price", NULL),
    F("trust", G_BIGINT, "t.trust", NULL),
    F("category", G_REF, "t.category", "Category"),
    F("tag", G_BYTES, "t.tag", NULL),
    F("requester", G_REF, "t.requester", "Account"),
    F("beneficiary", G_REF, "t.beneficiary", "Account"),
    F("callback", G_REF, "t.callback", "Account"),
    F("params", G_TEXT, "t.params", NULL),
    F("startTime", G_BIGINT, "t.start", NULL),
    F("botFirst", G_BIGINT, "t.bot_first", NULL),
    F("botSize", G_BIGINT, "t.volume", NULL),
    F("completedTasksCount", G_BIGINT,
      "(SELECT COUNT(*) FROM event AS e WHERE e.kind = 'TaskFinalize' AND e.task IN (SELECT "
      "f.task FROM task_event AS f WHERE f.deal = t.id))",
      NULL),
    F("claimedTasksCount", G_BIGINT,
      "(SELECT COUNT(*) FROM event AS e WHERE e.kind = 'TaskClaimed' AND e.task IN (SELECT f.task "
      "FROM task_event AS f WHERE f.deal = t.id))",
      NULL),
    F("workerStake", G_RLC, "t.worker_stake", NULL),
    F("schedulerRewardRatio", G_BIGINT, "t.scheduler_ratio", NULL),
    F("sponsor", G_REF, "t.sponsor", "Account"),
    F("timestamp", G_BIGINT, "t.time", NULL),
    F("apporder", G_REF, "t.app_hash", "AppOrder"),
    F("datasetorder", G_REF, "t.dataset_hash", "DatasetOrder"),
    F("workerpoolorder", G_REF, "t.workerpool_hash", "WorkerpoolOrder"),
    F("requestorder", G_REF, "t.request_hash", "RequestOrder"),
    F("events", G_LIST, "deal", "DealEvent"),
    F("bulk", G_REF, "NULL", "Bulk"),
};
static const struct gentity_field task[] = {
    F("id", G_ID, "t.id", NULL),
    F("status", G_STATUS, "t.status", NULL),
    F("deal", G_REF, "t.deal", "Deal"),
    F("index", G_BIGTEXT, "t.idx", NULL),
    F("requester", G_REF, "t.requester", "Account"),
    F("contributions", G_LIST, "task", "Contribution"),
    F("consensus", G_BYTES, "CASE WHEN t.status IN (2, 3) THEN t.consensus END", NULL),
    F("resultDigest", G_BYTES, "CASE WHEN t.status = 3 THEN t.digest END", NULL),
    F("results", G_HEXTEXT, "t.results", NULL),
    F("resultsCallback", G_HEXTEXT, "t.callback", NULL),
    F("contributionDeadline", G_BIGINT, "t.contribution_deadline", NULL),
    F("revealDeadline", G_BIGINT, "CASE WHEN t.reveal_deadline > 0 THEN t.reveal_deadline END",
      NULL),
    F("finalDeadline", G_BIGINT, "t.final_deadline", NULL),
    F("timestamp", G_BIGINT, "t.time", NULL),
    F("rewards", G_LIST, "task", "Reward"),
    F("seizes", G_LIST, "task", "Seize"),
    F("events", G_LIST, "task", "TaskEvent"),
    F("bulkSlice", G_REF, "NULL", "BulkSlice"),
};
/* the newest event of each task says how it stands; its timestamp is that of the newest one */
#define TASK_TABLE                                                                                 \
    "(SELECT e.task AS id, e.status, e.deal, e.idx, e.consensus, e.digest, e.results, "            \
    "e.callback, "                                                                                 \
    "e.contribution_deadline, e.reveal_deadline, e.final_deadline, e.time, (SELECT d.requester "   \
    "FROM deal AS d WHERE d.id = e.deal) AS requester FROM task_event AS e WHERE NOT EXISTS "      \
    "(SELECT 1 FROM task_event AS f WHERE f.task = e.task AND (f.block > e.block OR (f.block = "   \
    "e.block AND f.log > e.log))))"
static const struct gentity_field contribution[] = {
    EVENT_BASE,
    F("status", G_TEXT,
      "CASE WHEN EXISTS (SELECT 1 FROM event AS r WHERE r.kind = 'TaskReveal' AND r.task = t.task "
      "AND r.account = t.account) THEN 'PROVED' ELSE 'CONTRIBUTED' END",
      NULL),
    F("task", G_REF, "t.task", "Task"),
    F("worker", G_REF, "t.account", "Account"),
    F("hash", G_BYTES, "t.hash", NULL),
};
/* Each order once: from the first deal that used it. */
#define ORDER_TABLE(hash, columns)                                                                 \
    "(SELECT d." hash " AS id, " columns                                                           \
    " FROM deal AS d WHERE NOT EXISTS (SELECT 1 FROM deal AS "                                     \
    "f WHERE f." hash " = d." hash " AND (f.block < d.block OR (f.block = d.block AND f.log < "    \
    "d.log))))"
static const struct gentity_field app_order[] = {
    F("id", G_ID, "t.id", NULL),
    F("app", G_REF, "t.app", "App"),
    F("appprice", G_RLC, "t.price", NULL),
    F("deals", G_LIST, "app_hash", "Deal"),
};
static const struct gentity_field dataset_order[] = {
    F("id", G_ID, "t.id", NULL),
    F("dataset", G_REF, "t.dataset", "Dataset"),
    F("datasetprice", G_RLC, "t.price", NULL),
    F("deals", G_LIST, "dataset_hash", "Deal"),
};
static const struct gentity_field workerpool_order[] = {
    F("id", G_ID, "t.id", NULL),
    F("workerpool", G_REF, "t.workerpool", "Workerpool"),
    F("workerpoolprice", G_RLC, "t.price", NULL),
    F("deals", G_LIST, "workerpool_hash", "Deal"),
};
static const struct gentity_field request_order[] = {
    F("id", G_ID, "t.id", NULL),
    F("requester", G_REF, "t.requester", "Account"),
    F("deals", G_LIST, "request_hash", "Deal"),
};
static const struct gentity_field transaction[] = {
    F("id", G_ID, "t.id", NULL),
    F("timestamp", G_BIGINT, "t.time", NULL),
    F("blockNumber", G_BIGINT, "t.block", NULL),
    F("from", G_REF, "NULL", "Account"),
    F("to", G_REF, "NULL", "Account"),
    F("value", G_BIGINT, "NULL", NULL),
    F("gasLimit", G_BIGINT, "NULL", NULL),
    F("gasUsed", G_BIGINT, "NULL", NULL),
    F("gasPrice", G_BIGINT, "NULL", NULL),
};
static const struct gentity_field protocol[] = {
    F("id", G_TEXT, "t.id", NULL),
    F("categoriesCount", G_BIGINT, "(SELECT COUNT(*) FROM category)", NULL),
    F("appsCount", G_BIGINT, "(SELECT COUNT(*) FROM resource WHERE kind = 0)", NULL),
    F("datasetsCount", G_BIGINT, "(SELECT COUNT(*) FROM resource WHERE kind = 1)", NULL),
    F("workerpoolsCount", G_BIGINT, "(SELECT COUNT(*) FROM resource WHERE kind = 2)", NULL),
    F("dealsCount", G_BIGINT, "(SELECT COUNT(*) FROM deal)", NULL),
    F("tasksCount", G_BIGINT, "(SELECT COALESCE(SUM(volume), 0) FROM deal)", NULL),
    F("completedTasksCount", G_BIGINT, "(SELECT COUNT(*) FROM event WHERE kind = 'TaskFinalize')",
      NULL),
    F("claimedTasksCount", G_BIGINT, "(SELECT COUNT(*) FROM event WHERE kind = 'TaskClaimed')",
      NULL),
};
/* Events. `kind` is the type that __typename tells, also through an interface. */
#define EVENT_ALL                                                                                  \
    EVENT_BASE, F("account", G_REF, "t.account", "Account"), F("value", G_RLC, "t.value", NULL),   \
        F("task", G_REF, "t.task", "Task"), F("deal", G_REF, "COALESCE(t.deal, t.hash)", "Deal"),  \
        F("worker", G_REF, "t.account", "Account"), F("hash", G_BYTES, "t.hash", NULL),            \
        F("consensus", G_BYTES, "t.hash", NULL), F("digest", G_BYTES, "t.hash", NULL),             \
        F("results", G_BYTES, "t.data", NULL), F("workerpool", G_REF, "t.resource", "Workerpool"), \
        F("score", G_BIGINT, "CAST(0 AS BIGINT)", NULL)
static const struct gentity_field event[] = {EVENT_ALL};
#define MOVE(word, target)                                                                         \
    EVENT_BASE, F(word, G_REF, "t.resource", target), F("from", G_REF, "t.account", "Account"),    \
        F("to", G_REF, "t.other", "Account")
static const struct gentity_field app_move[] = {MOVE("app", "App")};
static const struct gentity_field dataset_move[] = {MOVE("dataset", "Dataset")};
static const struct gentity_field workerpool_move[] = {MOVE("workerpool", "Workerpool")};
static const struct gentity_field transfer[] = {
    EVENT_BASE, F("from", G_REF, "t.account", "Account"), F("to", G_REF, "t.other", "Account"),
    F("value", G_RLC, "t.value", NULL)};
static const struct gentity_field nothing[] = {
    F("id", G_ID, "t.id", NULL),
    F("hash", G_TEXT, "NULL", NULL),
    F("index", G_BIGINT, "NULL", NULL),
    F("bulk", G_REF, "NULL", "Bulk"),
    F("deal", G_REF, "NULL", "Deal"),
    F("task", G_REF, "NULL", "Task"),
    F("slices", G_LIST, "id", "BulkSlice"),
    F("datasets", G_LIST, "id", "Dataset"),
    F("datasetOrders", G_LIST, "id", "DatasetOrder"),
};

#define RESOURCE(kind) "(SELECT address AS id, resource.* FROM resource WHERE kind = " kind ")"
#define EV(type, one, many, fields)                                                                \
    { type, one, many, EVENT(type), G_TEXT, "t.block, t.log", FIELDS(fields), false }

static const struct gentity poco_entities[] = {
    {"Account", "account", "accounts", "account", G_ID, NULL, FIELDS(account), false},
    {"App", "app", "apps", RESOURCE("0"), G_ID, NULL, FIELDS(app), false},
    {"Dataset", "dataset", "datasets", RESOURCE("1"), G_ID, NULL, FIELDS(dataset), false},
    {"Workerpool", "workerpool", "workerpools", RESOURCE("2"), G_ID, NULL, FIELDS(workerpool),
     false},
    {"Category", "category", "categories", "category", G_NUMID, NULL, FIELDS(category), false},
    {"Deal", "deal", "deals", "deal", G_ID, NULL, FIELDS(deal), false},
    {"Task", "task", "tasks", TASK_TABLE, G_ID, NULL, FIELDS(task), false},
    {"Contribution", "contribution", "contributions", EVENT("TaskContribute"), G_TEXT, NULL,
     FIELDS(contribution), false},
    {"AppOrder", "appOrder", "appOrders", ORDER_TABLE("app_hash", "d.app, d.app_price AS price"),
     G_ID, NULL, FIELDS(app_order), false},
    {"DatasetOrder", "datasetOrder", "datasetOrders",
     "(SELECT o.* FROM " ORDER_TABLE(
         "dataset_hash", "d.dataset, d.dataset_price AS price") " AS o WHERE o.dataset IN (SELECT "
                                                                "r.address FROM resource AS r))",
     G_ID, NULL, FIELDS(dataset_order), false},
    {"WorkerpoolOrder", "workerpoolOrder", "workerpoolOrders",
     ORDER_TABLE("workerpool_hash", "d.workerpool, d.price"), G_ID, NULL, FIELDS(workerpool_order),
     false},
    {"RequestOrder", "requestOrder", "requestOrders", ORDER_TABLE("request_hash", "d.requester"),
     G_ID, NULL, FIELDS(request_order), false},
    {"Bulk", "bulk", "bulks", NOTHING, G_ID, NULL, FIELDS(nothing), false},
    {"BulkSlice", "bulkSlice", "bulkSliceice", NOTHING, G_ID, NULL, FIELDS(nothing), false},
    {"Transaction", "transaction", "transactions",
     "(SELECT tx AS id, MIN(time) AS time, MIN(block) AS block FROM event GROUP BY tx)", G_ID, NULL,
     FIELDS(transaction), false},
    {"Protocol", "protocol", "protocols", "(SELECT 'iExec' AS id)", G_TEXT, NULL, FIELDS(protocol),
     false},
    EV("Transfer", "transfer", "transfers", transfer),
    EV("Reward", "reward", "rewards", event),
    EV("Seize", "seize", "seizes", event),
    EV("Lock", "lock", "locks", event),
    EV("Unlock", "unlock", "unlocks", event),
    EV("AccurateContribution", "accurateContribution", "accurateContributions", event),
    EV("FaultyContribution", "faultyContribution", "faultyContributions", event),
    EV("AppTransfer", "appTransfer", "appTransfers", app_move),
    EV("DatasetTransfer", "datasetTransfer", "datasetTransfers", dataset_move),
    EV("WorkerpoolTransfer", "workerpoolTransfer", "workerpoolTransfers", workerpool_move),
    EV("SchedulerNotice", "schedulerNotice", "schedulerNotices", event),
    EV("PolicyUpdate", "policyUpdate", "policyUpdates", event),
    EV("OrdersMatched", "ordersMatched", "ordersMatcheds", event),
    EV("TaskInitialize", "taskInitialize", "taskInitializes", event),
    EV("TaskContribute", "taskContribute", "taskContributes", event),
    EV("TaskConsensus", "taskConsensus", "taskConsensuses", event),
    EV("TaskReveal", "taskReveal", "taskReveals", event),
    EV("TaskReopen", "taskReopen", "taskReopens", event),
    EV("TaskFinalize", "taskFinalize", "taskFinalizes", event),
    EV("TaskClaimed", "taskClaimed", "taskClaimeds", event),
    {"AccountEvent", NULL, NULL,
     "(SELECT " EVENT_COLUMNS " FROM event WHERE kind IN ('Reward', 'Seize', 'Lock', 'Unlock', "
     "'AccurateContribution', 'FaultyContribution'))",
     G_TEXT, "t.block, t.log", FIELDS(event), true},
    {"WorkerpoolEvent", NULL, NULL,
     "(SELECT " EVENT_COLUMNS " FROM event WHERE kind IN ('SchedulerNotice', 'PolicyUpdate'))",
     G_TEXT, "t.block, t.log", FIELDS(event), true},
    {"DealEvent", NULL, NULL, "(SELECT " EVENT_COLUMNS " FROM event WHERE kind = 'OrdersMatched')",
     G_TEXT, "t.block, t.log", FIELDS(event), true},
    {"TaskEvent", NULL, NULL,
     "(SELECT " EVENT_COLUMNS " FROM event WHERE kind IN ('TaskInitialize', 'TaskContribute', "
     "'TaskConsensus', 'TaskReveal', 'TaskReopen', 'TaskFinalize', 'TaskClaimed'))",
     G_TEXT, "t.block, t.log", FIELDS(event), true},
};
const struct gschema gql_poco = {poco_entities, SR_ARRAY_LEN(poco_entities)};
