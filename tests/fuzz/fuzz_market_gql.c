/* SPDX-License-Identifier: Apache-2.0 */
/* GraphQL documents against an index in memory, in which two rows of each table lead to each other:
 * an answer is JSON, and never a database error (a text of ours that SQL does not take would be
 * one). First byte: which schema; then the document, a zero byte and variables. */
#include "market/gql.h"

/* Ids are all the same two, so that whatever is asked for hangs on whatever. */
#define A20 "X'1111111111111111111111111111111111111111'"
#define B20 "X'2222222222222222222222222222222222222222'"
#define ROWS(a, n, kind, status)                                                                   \
    "INSERT INTO account (id, block) VALUES (" a ", 1);"                                           \
    "INSERT INTO category (id, name, description, timeref, tx, block, time) VALUES (" n            \
    ", 'c', 'd', 1, " a ", 1, 1);"                                                                 \
    "INSERT INTO resource (address, kind, owner, name, type, multiaddr, raw, mrenclave, "          \
    "stake_ratio, reward_ratio, checksum, schema, block, log, time, tx) VALUES (" a ", " kind      \
    ", " a ", 'r', 't', 'm', " a ", " a ", 1, 1, " a ", '{}', 1, 1, 1, " a ");"                    \
    "INSERT INTO deal (id, block, log, time, tx, app, dataset, workerpool, app_owner, "            \
    "dataset_owner, workerpool_owner, requester, beneficiary, app_hash, dataset_hash, "            \
    "workerpool_hash, request_hash, category, volume, price, app_price, dataset_price, trust, "    \
    "tag, callback, params, start, bot_first, worker_stake, scheduler_ratio, sponsor, json) "      \
    "VALUES (" a ", 1, " n ", 1, " a ", " a ", " a ", " a ", " a ", " a ", " a ", " a ", " a       \
    ", " a ", " a ", " a ", " a ", " n ", 1, 1, 1, 1, 1, " a ", " a ", '', 1, 1, 1, 1, " a         \
    ", '{}');"                                                                                     \
    "INSERT INTO task_event (task, block, log, time, deal, idx, status, results, digest, tx, "     \
    "contribution_deadline, reveal_deadline, final_deadline, consensus, callback) VALUES (" a      \
    ", 1, " n ", 1, " a ", '" n "', " status ", " a ", " a ", " a ", 1, 1, 1, " a ", " a ");"      \
    "INSERT INTO schema_entry (address, id, path, type, seq, block) VALUES (" a                    \
    ", 'a:string', 'a', 'string', 1, 1);"                                                          \
    "INSERT INTO collection (id, owner, price, duration, block, time, tx) VALUES (" n ", " a       \
    ", '5', 1, 1, 1, " a ");"                                                                      \
    "INSERT INTO offer (data, collection, whitelist, bundled, rentable, for_sale, rent_price, "    \
    "rent_duration, sale_price, block) VALUES (" a ", " n ", " a ", 1, 1, 1, '1', 1, '1', 1);"     \
    "INSERT INTO whitelist (id, owner, block) VALUES (" a ", " a ", 1);"                           \
    "INSERT INTO whitelist_app (whitelist, app, block) VALUES (" a ", " a ", 1);"
#define EVENT(kind, n)                                                                             \
    "INSERT INTO event (block, log, kind, tx, time, account, other, task, deal, resource, value, " \
    "hash, data) VALUES (1, " n ", '" kind "', " A20 ", 1, " A20 ", " B20 ", " A20 ", " A20        \
    ", " A20 ", 5, " A20 ", " A20 ");"
static const char rows[] = ROWS(A20, "1", "0", "3")
    ROWS(B20, "2", "1", "1") "INSERT INTO whitelist_app (whitelist, app, block) VALUES (" A20
                             ", " B20 ", 1);" EVENT("Transfer", "1") EVENT("Lock", "2")
                                 EVENT("OrdersMatched", "3") EVENT("TaskInitialize", "4")
                                     EVENT("TaskContribute", "5") EVENT("TaskFinalize", "6")
                                         EVENT("Reward", "7") EVENT("AppTransfer", "8")
                                             EVENT("SchedulerNotice", "9");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct market m;
    if (!m.db) {
        if (market_db_open(":memory:", &m.db, NULL) != SR_OK) return 0;
        SR_ASSERT(db_script(m.db, rows, NULL) == SR_OK);
    }
    m.read = m.db;
    if (size < 1 || size > 4096) return 0;
    struct slice query, vars = {0};
    if (!slice_cut(slice_of(data + 1, size - 1), '\0', &query, &vars)) vars = slice_of(NULL, 0);
    cleanup_buf struct buf body, b;
    cleanup_json struct json *doc = NULL, *answer = NULL;
    buf_init(&body, 65536);
    buf_init(&b, GQL_ANSWER_MAX);
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_kstr(&w, "query", query);
    jw_end_obj(&w);
    if (vars.n) {
        body.n--;
        buf_str(&body, ",\"variables\":");
        buf_add(&body, vars);
        buf_str(&body, "}");
    }
    if (body.bad || json_parse(buf_slice(&body), &doc, NULL) != SR_OK) return 0;
    struct sr_err e = {0};
    sr_status st =
        gql_answer(&m, data[0] & 1 ? &gql_poco : &gql_dataprotector, json_root(doc), &b, &e);
    SR_ASSERT(st == SR_OK || st == SR_E_NOMEM);
    SR_ASSERT(json_parse(buf_slice(&b), &answer, NULL) == SR_OK);
    return 0;
}
