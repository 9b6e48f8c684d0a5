/* SPDX-License-Identifier: Apache-2.0 */
/* graph.h - an index of a test's own, rows of every table, without a chain; documents asked of it
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "../db/cluster.h"
#include "market/gql.h"
#include <stdio.h>
#include <stdlib.h>

#define assert_ok(expr)                                                                            \
    do {                                                                                           \
        sr_status st_ = (expr);                                                                    \
        if (st_ != SR_OK) fail_msg("%s: %d %s", #expr, st_, e.what);                               \
    } while (0)

enum { ACCOUNTS = 6, APPS = 5, POOLS = 3, DATA = 9, DEALS = 48, COLLECTIONS = 4, LISTS = 3 };

static struct market m;
static struct cluster cluster;
static uint32_t seed = 4711;
static uint64_t next_log;

static inline uint32_t dice(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* An id that says what it is; of the same number always the same. */
static inline struct addr an(uint8_t what, uint32_t i) {
    struct addr a = {{what, (uint8_t)(i * 97u), (uint8_t)(i >> 8)}};
    a.b[19] = (uint8_t)i;
    return a;
}
static inline struct hash a_hash(uint8_t what, uint32_t i) {
    struct hash h = {{what, (uint8_t)(i * 101u), (uint8_t)(i >> 8)}};
    h.b[31] = (uint8_t)i;
    return h;
}
enum { ACC = 0xa0, APP = 0xb0, POOL = 0xc0, DAT = 0xd0, LIST = 0xe0 };
enum { H_DEAL = 1, H_TASK, H_TX, H_ORDER, H_ANY };

/* Rows go in by the names of their columns: tables may get more of them. */
#define INTO_EVENT                                                                                 \
    "INSERT INTO event (block, log, kind, tx, time, account, other, task, deal, resource, value, " \
    "hash, data) VALUES "
#define INTO_ACCOUNT "INSERT INTO account (id, block) VALUES "
#define INTO_CATEGORY                                                                              \
    "INSERT INTO category (id, name, description, timeref, tx, block, time) VALUES "
#define INTO_RESOURCE                                                                              \
    "INSERT INTO resource (address, kind, owner, name, type, multiaddr, raw, mrenclave, "          \
    "stake_ratio, reward_ratio, checksum, schema, block, log, time, tx) VALUES "
#define INTO_SCHEMA_ENTRY "INSERT INTO schema_entry (address, id, path, type, seq, block) VALUES "
#define INTO_TASK_EVENT                                                                            \
    "INSERT INTO task_event (task, block, log, time, deal, idx, status, results, digest, tx, "     \
    "contribution_deadline, reveal_deadline, final_deadline, consensus, callback) VALUES "
#define INTO_DEAL                                                                                  \
    "INSERT INTO deal (id, block, log, time, tx, app, dataset, workerpool, app_owner, "            \
    "dataset_owner, workerpool_owner, requester, beneficiary, app_hash, dataset_hash, "            \
    "workerpool_hash, request_hash, category, volume, price, app_price, dataset_price, trust, "    \
    "tag, callback, params, start, bot_first, worker_stake, scheduler_ratio, sponsor, json) "      \
    "VALUES "
#define INTO_COLLECTION                                                                            \
    "INSERT INTO collection (id, owner, price, duration, block, time, tx) VALUES "
#define INTO_OFFER                                                                                 \
    "INSERT INTO offer (data, collection, whitelist, bundled, rentable, for_sale, rent_price, "    \
    "rent_duration, sale_price, block) VALUES "
#define INTO_WHITELIST     "INSERT INTO whitelist (id, owner, block) VALUES "
#define INTO_WHITELIST_APP "INSERT INTO whitelist_app (whitelist, app, block) VALUES "
#define INTO_SHARE_EVENT                                                                           \
    "INSERT INTO share_event (id, kind, collection, data, who, until, deal, mode, block, log, "    \
    "time, tx) VALUES "

#define PUT(sql, ...)                                                                              \
    do {                                                                                           \
        struct sr_err e = {0};                                                                     \
        assert_ok(db_run(m.db, sql, DB_ARGS(__VA_ARGS__), &e));                                    \
    } while (0)
#define ADDR(what, i) db_addr(&(struct addr[]){an(what, i)}[0])
#define HASH(what, i) db_hash(&(struct hash[]){a_hash(what, i)}[0])
#define LETTER(i)     db_text(slice_of(&"zyxwvutsrqponm"[(i) % 14], 1))

struct happens {
    const char *kind;
    struct db_val account, other, task, deal, resource, value, hash, data;
    uint32_t tx;
};
static inline void put_event(uint64_t block, const struct happens *h) {
    PUT(INTO_EVENT "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)", db_u64(block),
        db_u64(next_log++), db_str(h->kind), HASH(H_TX, h->tx), db_u64(1000 + block * 5),
        h->account, h->other, h->task, h->deal, h->resource, h->value, h->hash, h->data);
}

static inline void put_resources(void) {
    for (uint32_t i = 0; i < ACCOUNTS; i++) PUT(INTO_ACCOUNT "($1,$2)", ADDR(ACC, i), db_u64(i));
    for (uint32_t i = 0; i < 3; i++)
        PUT(INTO_CATEGORY "($1,$2,$3,$4,$5,$6,$7)", db_u64(i), LETTER(i), db_str("what it's for"),
            db_u64(300 * (3 - i)), HASH(H_TX, i), db_u64(i), db_u64(1000 + i));
    for (uint32_t i = 0; i < APPS + POOLS + DATA; i++) {
        uint32_t kind = i < APPS           ? 0
                        : i < APPS + POOLS ? 2
                                           : 1,
                 no = kind == 0   ? i
                      : kind == 2 ? i - APPS
                                  : i - APPS - POOLS;
        uint8_t what = kind == 0 ? APP : kind == 2 ? POOL : DAT;
        PUT(INTO_RESOURCE "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16)",
            ADDR(what, no), db_u64(kind), ADDR(ACC, no * 5 % ACCOUNTS), LETTER(no * 3),
            db_str("DOCKER"), db_str("text"), ADDR(H_ANY, no), db_blob(slice_of("{}", no % 3)),
            db_u64(10 + no), db_u64(no), HASH(H_ANY, no),
            kind == 1 && no % 3 ? db_str("{\"a\":\"string\"}") : db_null(), db_u64(i),
            db_u64(next_log++), db_u64(1000 + i / 2), HASH(H_TX, i));
        const char *const moved[] = {"AppTransfer", "DatasetTransfer", "WorkerpoolTransfer"};
        for (uint32_t k = 0; k < no % 4; k++)
            put_event(i, &(struct happens){.kind = moved[kind],
                                           .account = ADDR(ACC, k),
                                           .other = ADDR(ACC, k + 1),
                                           .resource = ADDR(what, no),
                                           .tx = i});
        if (kind == 1 && no % 3)
            for (uint32_t k = 0; k < 2 + no % 2; k++)
                PUT(INTO_SCHEMA_ENTRY "($1,$2,$3,$4,$5,$6)", ADDR(DAT, no),
                    db_str(k == 0   ? "a:string"
                           : k == 1 ? "b.it's:bool"
                                    : "c:f64"),
                    db_str(k == 0   ? "a"
                           : k == 1 ? "b.it's"
                                    : "c"),
                    db_str(k == 0   ? "string"
                           : k == 1 ? "bool"
                                    : "f64"),
                    db_u64(k ^ 1), db_u64(i));
    }
}

static inline void put_task(uint32_t deal, uint32_t idx, uint64_t block) {
    static const char *const kinds[] = {"TaskInitialize", "TaskContribute", "TaskConsensus",
                                        "TaskReveal",     "TaskFinalize",   "TaskClaimed"};
    uint32_t no = deal * 8 + idx, far = no % 5;
    char text[12];
    (void)snprintf(text, sizeof text, "%u", idx);
    for (uint32_t step = 0; step <= far; step++) {
        uint32_t status = step == 4 ? 3 : step == 0 ? 1 : step;
        PUT(INTO_TASK_EVENT "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15)",
            HASH(H_TASK, no), db_u64(block + step), db_u64(next_log),
            db_u64(1000 + (block + step) * 5), HASH(H_DEAL, deal), db_str(text), db_u64(status),
            db_blob(slice_of("done", step == 4 ? 4 : 0)), HASH(H_ANY, no), HASH(H_TX, 50 + deal),
            db_u64(5000 + no), db_u64(step > 1 ? 6000 + no : 0), db_u64(9000 + no),
            HASH(H_ANY, no + 1), db_blob(slice_of("cb", no % 2 * 2)));
        put_event(
            block + step,
            &(struct happens){.kind = kinds[step == 4 && no % 2 ? 5 : step],
                              .account = step == 1 || step == 3 ? ADDR(ACC, no % 3) : db_null(),
                              .task = HASH(H_TASK, no),
                              .resource = step == 0 ? ADDR(POOL, deal % POOLS) : db_null(),
                              .hash = step ? HASH(H_ANY, no) : db_null(),
                              .data = step == 4 ? db_blob(slice_of("done", 4)) : db_null(),
                              .tx = 50 + deal});
    }
    if (far == 4) {
        static const char *const after[] = {"Reward", "Seize", "Unlock", "AccurateContribution",
                                            "FaultyContribution"};
        for (uint32_t k = 0; k < 5; k++)
            put_event(block + 5,
                      &(struct happens){.kind = after[k],
                                        .account = ADDR(ACC, (no + k) % ACCOUNTS),
                                        .task = HASH(H_TASK, no),
                                        .value = k < 3 ? db_u64(100 * no + k) : db_null(),
                                        .tx = 50 + deal});
    }
}

static inline void put_deals(void) {
    for (uint32_t i = 0; i < DEALS; i++) {
        uint64_t block = 20 + i / 2;
        bool data = i % 3 != 0;
        uint32_t app = dice(APPS - 1), requester = dice(4), beneficiary = dice(ACCOUNTS),
                 from = dice(ACCOUNTS), to = dice(ACCOUNTS);
        PUT(INTO_DEAL "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,"
                      "$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,$28,$29,1,$30,'{}')",
            HASH(H_DEAL, i), db_u64(block), db_u64(next_log++), db_u64(1000 + block * 5),
            HASH(H_TX, 50 + i), ADDR(APP, app), data ? ADDR(DAT, i % DATA) : ADDR(0, 0),
            ADDR(POOL, i % POOLS), ADDR(ACC, i % 2), data ? ADDR(ACC, i % 4) : ADDR(0, 0),
            ADDR(ACC, 5), ADDR(ACC, requester), ADDR(ACC, beneficiary), HASH(H_ORDER, i % 7),
            data ? HASH(H_ORDER, 100 + i % 5) : HASH(0, 0), HASH(H_ORDER, 200 + i % 4),
            HASH(H_ORDER, 300 + i / 3), db_u64(i % 3), db_u64(1 + i % 6),
            db_u64(1500000000u * (i % 3)), db_u64(i % 4 * 1000), db_u64(i % 5 * 7), db_u64(i % 2),
            HASH(i % 2 ? 0 : 9, 0), i % 9 ? ADDR(0, 0) : ADDR(ACC, 3),
            db_str(i % 4 ? "{}" : "{\"iexec_args\":\"it's \\\"5\\\"\"}"), db_u64(1000 + block * 5),
            db_u64(i % 3), db_u64(i), ADDR(ACC, i % 3));
        put_event(block, &(struct happens){.kind = "OrdersMatched",
                                           .deal = HASH(H_DEAL, i),
                                           .hash = HASH(H_DEAL, i),
                                           .resource = ADDR(POOL, i % POOLS),
                                           .tx = 50 + i});
        put_event(block, &(struct happens){.kind = "Lock",
                                           .account = ADDR(ACC, i % ACCOUNTS),
                                           .value = db_u64(i * 1000),
                                           .tx = 50 + i});
        put_event(block, &(struct happens){.kind = "Transfer",
                                           .account = ADDR(ACC, from),
                                           .other = ADDR(ACC, to),
                                           .value = db_u64(i * 77),
                                           .tx = 50 + i});
        if (i % 10 == 0)
            put_event(block, &(struct happens){.kind = i % 20 ? "PolicyUpdate" : "SchedulerNotice",
                                               .resource = ADDR(POOL, i % POOLS),
                                               .tx = 50 + i});
        for (uint32_t k = 0; k < i % 6; k++) put_task(i, k, block + 1);
    }
}

static inline void put_sharing(void) {
    for (uint32_t i = 0; i < COLLECTIONS; i++)
        PUT(INTO_COLLECTION "($1,$2,$3,$4,$5,$6,$7)", db_u64(i + 1), ADDR(ACC, i % 3),
            i % 2 ? db_null() : db_str("5000000000"), i % 2 ? db_null() : db_u64(60 * i),
            db_u64(80 + i), db_u64(2000 + i), HASH(H_TX, 150 + i));
    for (uint32_t i = 0; i < DATA; i += 2)
        PUT(INTO_OFFER "($1,$2,$3,$4,$5,$6,$7,$8,$9,90)", ADDR(DAT, i),
            i == 2 ? db_null() : db_u64(1 + i % COLLECTIONS), i % 4 ? db_null() : ADDR(LIST, 0),
            db_u64(i % 4 == 0), db_u64(i % 4 == 2), db_u64(i == 8),
            i % 4 == 2 ? db_str("7") : db_null(), i % 4 == 2 ? db_u64(1800) : db_null(),
            i == 8 ? db_str("99") : db_null());
    for (uint32_t i = 0; i < LISTS; i++) {
        PUT(INTO_WHITELIST "($1,$2,91)", ADDR(LIST, i), ADDR(ACC, i));
        for (uint32_t k = 0; k < i * 2; k++) /* the first has none; one is no resource of ours */
            PUT(INTO_WHITELIST_APP "($1,$2,92)", ADDR(LIST, i), ADDR(APP, (k + i) % (APPS + 1)));
    }
    for (uint32_t i = 0; i < 26; i++)
        PUT(INTO_SHARE_EVENT "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)",
            db_blob(slice_of(&(struct hash[]){a_hash(H_ANY, i)}[0], 32)), db_u64(i % 4),
            db_u64(1 + i % COLLECTIONS), i % 4 ? ADDR(DAT, i % DATA) : db_null(),
            ADDR(ACC, i % ACCOUNTS), db_u64(3000 + i * 10),
            i % 4 == 3 ? HASH(H_DEAL, i) : db_null(), db_u64(i % 2), db_u64(95 + i), db_u64(i),
            db_u64(2100 + i), HASH(H_TX, 160 + i));
}

/* Where STRONGROOM_TEST_POSTGRES is set: on a server. */
static inline int graph_open(void) {
    struct sr_err e = {0};
    const char *path = ":memory:";
    struct db_tx tx;
    if (getenv("STRONGROOM_TEST_POSTGRES")) {
        if (!cluster_start(&cluster)) {
            print_message("PostgreSQL is not installed: nothing is tested\n");
            exit(77);
        }
        path = cluster.url;
    }
    assert_ok(market_db_open(path, &m.db, &e));
    m.read = m.db;
    assert_ok(db_begin(m.db, &tx, &e));
    put_resources();
    put_deals();
    put_sharing();
    assert_ok(db_commit(&tx, &e));
    return 0;
}
static inline void graph_close(void) {
    db_close(m.db);
    cluster_stop(&cluster);
}

/* The answer, errors too; owned: free. variables: JSON or NULL. */
static inline char *graph_ask(bool poco, const char *query, const char *variables) {
    struct sr_err e = {0};
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf body, out;
    buf_init(&body, 2u << 20);
    buf_init(&out, GQL_ANSWER_MAX);
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_kcstr(&w, "query", query);
    jw_key(&w, "variables");
    jw_raw(&w, slice_str(variables && *variables ? variables : "{}"));
    jw_end_obj(&w);
    assert_ok(json_parse(buf_slice(&body), &doc, &e));
    assert_ok(gql_answer(&m, poco ? &gql_poco : &gql_dataprotector, json_root(doc), &out, &e));
    return slice_dup(buf_slice(&out));
}
