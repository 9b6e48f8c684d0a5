/* SPDX-License-Identifier: Apache-2.0 */
#include "market/gql.h"
#include "market/market_int.h"
#include "market/sio.h"
#include "net/http_doc.h"
#include <stdlib.h>

const struct http_route market_routes[] = {
    {"GET", "/version", route_version, 0},
    {"GET", "/challenge", route_challenge, 0},
    {"GET", "/categories/{catid}", route_category, 0},
    {"GET", "/categories", route_categories, 0},
    {"GET", "/deals/{dealid}", route_deal, 0},
    {"GET", "/deals", route_deals, 0},
    {"GET", "/ohlc", route_ohlc, 0},
    {"GET", "/metrics", route_metrics, 0},
    {"GET", "/apporders/{orderHash}", route_order, 0},
    {"GET", "/datasetorders/{orderHash}", route_order, 0},
    {"GET", "/workerpoolorders/{orderHash}", route_order, 0},
    {"GET", "/requestorders/{orderHash}", route_order, 0},
    {"GET", "/apporders", route_book, 0},
    {"GET", "/datasetorders", route_book, 0},
    {"GET", "/workerpoolorders", route_book, 0},
    {"GET", "/requestorders", route_book, 0},
    {"POST", "/apporders", route_publish, MARKET_BODY_MAX},
    {"POST", "/datasetorders", route_publish, MARKET_BODY_MAX},
    {"POST", "/workerpoolorders", route_publish, MARKET_BODY_MAX},
    {"POST", "/requestorders", route_publish, MARKET_BODY_MAX},
    {"PUT", "/apporders", route_unpublish, MARKET_BODY_MAX},
    {"PUT", "/datasetorders", route_unpublish, MARKET_BODY_MAX},
    {"PUT", "/workerpoolorders", route_unpublish, MARKET_BODY_MAX},
    {"PUT", "/requestorders", route_unpublish, MARKET_BODY_MAX},
    {"GET", "/v1/datasets", v1_datasets, 0},
    {"GET", "/v1/datasets/{address}", v1_dataset, 0},
    {"GET", "/v1/apps", v1_datasets, 0},
    {"GET", "/v1/apps/{address}", v1_dataset, 0},
    {"GET", "/v1/workerpools", v1_datasets, 0},
    {"GET", "/v1/workerpools/{address}", v1_dataset, 0},
    {"GET", "/v1/deals", v1_deals, 0},
    {"GET", "/v1/deals/{deal}", v1_deal, 0},
    {"GET", "/v1/tasks/{task}", v1_task, 0},
    {"GET", "/v1/head", v1_head, 0},
    {"GET", "/v1/events", v1_events, 0},
    {"GET", "/v1/sharing", v1_sharing, 0},
    {"POST", "/subgraphs/poco", route_graphql, GQL_BODY_MAX},
    {"POST", "/subgraphs/dataprotector", route_graphql, GQL_BODY_MAX},
    {"GET", "/ws", route_socket, 0},
    {"POST", "/ws", route_socket, SIO_PACKET_MAX},
    {"GET", "/{chainId}/workerpools/{address}", route_compass, 0},
    {"GET", "/{chainId}/iapps/{name}", route_compass_app, 0},
};
const size_t market_routes_n = SR_ARRAY_LEN(market_routes);

/* {ok:false, error}: clients read error. Ours get code and hint too. (The server logs the rest.) */
void market_error(struct http_req *rq, const struct sr_err *e) {
    int status = sr_status_http(e->code);
    const char *text = e->what;
    if (e->code == SR_E_NOTFOUND && strcmp(text, "no such route") == 0) {
        if (http_reply(rq, 404, "text/plain; charset=utf-8", SLICE_LIT("Not Found"), NULL) != SR_OK)
            return; /* the client has left */
        return;
    }
    if (e->code == SR_E_UNAVAILABLE || e->code == SR_E_TIMEOUT || e->code == SR_E_CHAIN) {
        status = 500;
        text = "Something went wrong, you should retry later.";
    } else if (status >= 500) {
        status = 500;
        text = "Internal error";
    } else if (status == 401) {
        status = 403;
    }
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kbool(&w, "ok", false);
    jw_kcstr(&w, "error", text);
    jw_kcstr(&w, "code", sr_status_name(e->code));
    if (e->hint[0]) jw_kcstr(&w, "hint", e->hint);
    jw_end_obj(&w);
    if (http_reply_json(rq, status, &b, NULL) != SR_OK) return; /* the client has left */
}

sr_status market_health(void *role, struct jw *checks, struct sr_err *err) {
    struct market *m = role;
    uint64_t one, chain = 0, now = clock_unix_ms() / 1000;
    jw_ku64(checks, "block", m->head);
    if (m->head_time)
        jw_ku64(checks, "blockAgeSeconds", now > m->head_time ? now - m->head_time : 0);
    jw_kbool(checks, "caughtUp", m->caught_up);
    jw_kbool(checks, "indexes", m->follower != NULL);
    SR_TRY(db_get_u64(m->read, "SELECT 1", DB_NO_ARGS, &one, err));
    SR_TRY(commit_sound(m->group, err));
    jw_kcstr(checks, "database", "ok");
    if (m->opts->dir && !db_is_shared(m->db)) SR_TRY(role_disk_health(m->opts->dir, checks, err));
    SR_TRY(eth_block_number(m->rpc, &chain, err));
    jw_kcstr(checks, "chain", "ok");
    jw_ku64(checks, "chainBlock", chain);
    if (!m->caught_up)
        return sr_fail(err, SR_E_UNAVAILABLE, "the index is at block %llu of %llu",
                       (unsigned long long)m->head, (unsigned long long)chain);
    return SR_OK;
}

static void follow(void *arg) {
    struct market *m = arg;
    struct sr_err e = {0};
    sr_status st = eth_follow(m->follower, &e);
    if (st == SR_OK || st == SR_E_CANCELLED) return;
    /* a role that no longer indexes must not look alive */
    log_err(LOG_ERROR, "index_stopped", &e);
    m->index_failed = true;
    net_stop();
}

sr_status market_index(struct market *m, struct sr_err *err) {
    const struct market_opts *o = m->opts;
    static struct addr addrs[7];
    static struct hash topics[INDEX_TOPICS], listed;
    struct eth_mark marks[FOLLOW_KEEP];
    size_t n, n_addrs = 4;
    addrs[0] = m->poco.hub;
    addrs[1] = m->poco.app_registry;
    addrs[2] = m->poco.dataset_registry;
    addrs[3] = m->poco.workerpool_registry;
    if (o->has_data_protector) addrs[n_addrs++] = m->data_protector;
    if (m->has_sharing) {
        addrs[n_addrs++] = m->sharing;
        addrs[n_addrs++] = m->whitelist_registry;
    }
    index_topics(topics);
    listed = poco_topic(POCO_EV_WHITELIST_APP);
    SR_TRY(index_marks(m, marks, &n, err));
    if (n) {
        m->head = marks[n - 1].number;
        m->head_hash = marks[n - 1].hash;
    }
    const struct eth_follow_opts f = {
        .rpc = m->rpc,
        .ws_url = o->ws,
        .start_block = o->start_block,
        .marks = marks,
        .n_marks = n,
        .filter = {.addrs = addrs,
                   .n_addrs = n_addrs,
                   .topics0 = topics,
                   .n_topics0 = INDEX_TOPICS},
        /* any contract's: each list of apps is one of its own */
        .also = {.topics0 = &listed, .n_topics0 = m->has_sharing ? 1 : 0},
        .arg = m,
        .on_step = index_step,
        .on_rollback = index_rollback};
    SR_TRY(eth_follower_new(&f, &m->follower, err));
    return fiber_start(follow, m, err);
}

/* The chain may start later than we do: waits for it, saying so once. */
static sr_status open_hub(struct market *m, const struct addr *hub, struct sr_err *err) {
    for (uint64_t wait = 50, told = 0;; wait = wait < 1000 ? wait * 2 : wait) {
        struct sr_err e = {0};
        sr_status st = poco_open(m->rpc, hub, &m->poco, &e);
        if (st != SR_E_UNAVAILABLE && st != SR_E_TIMEOUT) {
            if (st != SR_OK && err) *err = e;
            return st;
        }
        if (!told++) log_err(LOG_INFO, "waits_for_chain", &e);
        SR_TRY(fiber_sleep(wait, err));
    }
}

/* ---- what requests write, in groups */

/* The index of another process writes before this group or after it. */
static sr_status on_begin(void *role, struct sr_err *err) {
    struct market *m = role;
    return db_lock_in_tx(m->db, MARKET_LOCK_ROWS, true, err);
}
static sr_status on_end(void *role, struct sr_err *err) {
    return changes_tell(role, err);
}
static void on_committed(void *role) {
    changes_committed(role);
}
static void on_asked(void *role) {
    live_asked(role);
}
static void on_lasts(void *role) {
    live_lasts(role);
}
static void on_undone(void *role) {
    struct market *m = role;
    changes_back(m, 0);
    market_changed(m);
}
static const struct commit_hooks hooks = {.begin = on_begin,
                                          .end = on_end,
                                          .committed = on_committed,
                                          .asked = on_asked,
                                          .lasts = on_lasts,
                                          .undone = on_undone};

sr_status market_start(const struct market_opts *o, struct market **ret, struct sr_err *err) {
    struct market *m = calloc(1, sizeof *m);
    if (!m) return sr_fail(err, SR_E_NOMEM, "market");
    m->opts = o;
    m->data_protector = o->data_protector;
    m->has_sharing = o->has_sharing;
    m->sharing = o->sharing;
    m->whitelist_registry = o->whitelist_registry;
    m->scheduler_url = o->scheduler_url;
    m->apps_file = o->apps_file;
    m->has_workerpool = o->has_workerpool;
    m->workerpool = o->workerpool;
    m->open_max = o->open_max ? o->open_max : MARKET_OPEN_MAX;
    m->cache = cache_new();
    m->counts = counts_new();
    m->stakes = stakes_new();
    m->changes = changes_new();
    m->live = live_new();
    m->sockets = sockets_new(o->ping_ms);
    sr_status st = m->cache && m->counts && m->stakes && m->changes && m->live && m->sockets
                       ? SR_OK
                       : sr_fail(err, SR_E_NOMEM, "market");
    if (st == SR_OK) st = market_db_open(o->path, &m->db, err);
    m->read = m->db;
    if (st == SR_OK && o->rebuild) st = market_db_forget_chain(m->db, err);
    if (st == SR_OK) st = auth_seed(m->db, m->seed, err);
    if (st == SR_OK) st = commit_new(m->db, m, &hooks, &m->group, err);
    if (st == SR_OK) st = eth_rpc_new(o->rpc, &m->rpc, err);
    if (st == SR_OK) st = open_hub(m, &o->hub, err);
    m->chain_id = m->poco.domain.chain_id;
    if (st == SR_OK)
        st = db_is_shared(m->db) ? replica_start(m, o->path, err) : market_index(m, err);
    if (st != SR_OK) {
        market_stop(m);
        return st;
    }
    *ret = m;
    return SR_OK;
}

/* The follower's fiber has ended, or never ran. */
void market_stop(struct market *m) {
    if (!m) return;
    eth_follower_free(m->follower);
    eth_rpc_free(m->rpc);
    sockets_free(m);
    commit_free(m->group);
    replica_stop(m);
    db_close(m->db);
    cache_free(m->cache);
    counts_free(m->counts);
    stakes_free(m->stakes);
    changes_free(m->changes);
    live_free(m->live);
    free(m);
}

/* ---- the role */

struct role {
    struct role_flags rf;
    struct market_opts o;
    uint64_t chain_id;
    struct market *m;
    struct http_server *server;
};

static sr_status read_addr(const char *flag, const char *text, struct addr *ret, bool *ret_given,
                           struct sr_err *err) {
    *ret_given = text != NULL;
    if (text && !addr_parse(slice_str(text), ret))
        return sr_fail(err, SR_E_USAGE, "market: %s is not an address", flag);
    return SR_OK;
}

static sr_status start(void *arg, struct sr_err *err) {
    struct role *r = arg;
    SR_TRY(market_start(&r->o, &r->m, err));
    if (r->m->chain_id != r->chain_id) {
        sr_status st = sr_fail(err, SR_E_USAGE, "the chain node is of chain %llu, not %llu",
                               (unsigned long long)r->m->chain_id, (unsigned long long)r->chain_id);
        sr_hint(err, "give the market --rpc of a node of that chain");
        return st;
    }
    const struct http_opts h = {.routes = market_routes,
                                .n_routes = market_routes_n,
                                .role = r->m,
                                .cors = true,
                                .cors_echo = true, /* as the official one */
                                .name = "market",
                                .health = market_health,
                                .on_error = market_error};
    SR_TRY(http_serve(&h, r->rf.listen_host, r->rf.listen_port, r->rf.listen_fd, &r->server, err));
    http_server_describe(r->server, &market_docs);
    return SR_OK;
}

int market_main(int argc, char **argv) {
    static struct role r; /* one a process, and as long as it lives */
    struct sr_err e = {0};
    const char *rpc = NULL, *ws = NULL, *chain = NULL, *hub = NULL, *apps = NULL, *datasets = NULL,
               *pools = NULL, *protector = NULL, *scheduler = NULL, *pool = NULL, *first = NULL,
               *open_max = NULL, *sharing = NULL, *lists = NULL, *url = NULL, *again = NULL,
               *named = NULL;
    const struct role_flag flags[] = {
        {"--rpc", &rpc, true, "URL of the chain's node; several with commas"},
        {"--ws", &ws, false, "websocket of the chain's node; without it we poll"},
        {"--chain-id", &chain, true, "number of the chain"},
        {"--hub", &hub, true, "address of the hub"},
        {"--app-registry", &apps, false, "address; the hub's own word counts"},
        {"--dataset-registry", &datasets, false, "address; the hub's own word counts"},
        {"--workerpool-registry", &pools, false, "address; the hub's own word counts"},
        {"--data-protector", &protector, false, "address of DataProtector"},
        {"--sharing", &sharing, false, "address of DataProtectorSharing"},
        {"--whitelist-registry", &lists, false, "address of the registry of lists of apps"},
        {"--scheduler", &scheduler, false, "URL that compass gives for --workerpool"},
        {"--workerpool", &pool, false, "address of the workerpool"},
        {"--apps", &named, false, "JSON file of the apps that compass names"},
        {"--db", &url, false, "postgresql:// URL instead of a file in --dir; no password in it"},
        {"--rebuild", &again, false, "yes: read the chain again from its beginning; orders stay"},
        {"--first-block", &first, false, "block of the hub's creation"},
        {"--open-orders", &open_max, false, "most open orders of one kind by one signer"},
    };
    char *path = NULL;
    bool given;
    sr_status st = role_parse(argc, argv, "market", flags, SR_ARRAY_LEN(flags), &r.rf, &e);
    if (st == SR_OK && !r.rf.dir) st = sr_fail(&e, SR_E_USAGE, "market: --dir is missing");
    if (st == SR_OK && !num_u64(slice_str(chain), UINT64_MAX, &r.chain_id))
        st = sr_fail(&e, SR_E_USAGE, "market: --chain-id is not a number");
    if (st == SR_OK) st = read_addr("--hub", hub, &r.o.hub, &given, &e);
    if (st == SR_OK)
        st = read_addr("--data-protector", protector, &r.o.data_protector, &r.o.has_data_protector,
                       &e);
    if (st == SR_OK) st = read_addr("--sharing", sharing, &r.o.sharing, &r.o.has_sharing, &e);
    if (st == SR_OK)
        st = read_addr("--whitelist-registry", lists, &r.o.whitelist_registry, &given, &e);
    if (st == SR_OK && given != r.o.has_sharing)
        st = sr_fail(&e, SR_E_USAGE, "market: --sharing and --whitelist-registry go together");
    if (st == SR_OK) st = read_addr("--workerpool", pool, &r.o.workerpool, &r.o.has_workerpool, &e);
    if (st == SR_OK && first && !num_u64(slice_str(first), UINT64_MAX, &r.o.start_block))
        st = sr_fail(&e, SR_E_USAGE, "market: --first-block is not a number");
    if (st == SR_OK && open_max && !num_u64(slice_str(open_max), 1000000, &r.o.open_max))
        st = sr_fail(&e, SR_E_USAGE, "market: --open-orders is not a number up to 1000000");
    if (st == SR_OK && again && strcmp(again, "yes") != 0)
        st = sr_fail(&e, SR_E_USAGE, "market: --rebuild takes the word yes");
    r.o.rebuild = again != NULL;
    if (st == SR_OK && url && !db_is_url(url))
        st = sr_fail(&e, SR_E_USAGE, "market: --db is no postgresql:// URL");
    if (st == SR_OK) st = role_begin(&r.rf, &e);
    if (st == SR_OK) {
        path = path_join(r.rf.dir, "market.db");
        st = path ? fs_mkdirs(r.rf.dir, 0700, &e) : sr_fail(&e, SR_E_NOMEM, "market");
    }
    r.o.path = url ? url : path;
    r.o.dir = r.rf.dir;
    r.o.rpc = rpc;
    r.o.ws = ws;
    r.o.scheduler_url = scheduler;
    r.o.apps_file = named;
    if (st == SR_OK) st = net_call(start, &r, &e);
    int rc = 0;
    if (st != SR_OK) {
        rc = role_fail(&r.rf, &e);
    } else {
        role_ready(&r.rf, http_server_port(r.server));
        rc = role_run(&r.rf);
        if (r.m->index_failed) rc = 1;
        http_server_close(r.server);
        market_stop(r.m);
    }
    free(path);
    return rc;
}
