/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load on a market: bench_market publish|pages|graphql --market URL --rpc URL --chain FILE
 * Load on an SMS: bench_market secrets --market URL-of-the-SMS --rpc URL --chain FILE
 *   [--seconds N] [--count N] [--rate N a second] [--connections N] [--consume N a minute]
 *   [--first N: accounts from the Nth on, for several loads at once]
 * `publish` makes an app for each connection's own key, then each order of it takes its challenge,
 * signs both, and is answered. `pages` and `graphql` ask what clients ask, in turn; with --consume
 * deals use published orders up meanwhile. `secrets` stores new requester secrets, each signed.
 * With a rate, latency counts from when a request was due. Prints one line of JSON.
 */
#include "eth/eth.h"
#include "net/net.h"
#include "poco/poco.h"
#include "wire/formats.h"

#include <stdio.h>
#include <stdlib.h>

#define CONNECTIONS_MAX 250
#define SAMPLES_MAX     (1u << 21)

static struct {
    const char *mode, *market, *rpc_url, *chain;
    uint64_t seconds, count, rate, connections, consume, first;
} opt = {.seconds = 10, .connections = 16};

static struct {
    struct eth_rpc *rpc;
    struct poco poco;
    struct addr pool;
    struct sr_secret keys[10];
    struct eth_signer signers[10];
    struct eth_sender *alice, *bob;
} w;
enum { ALICE, BOB, CAROL, DAVE, OPERATOR };

static struct {
    uint32_t *us;
    size_t n;
    uint64_t failed, consumed;
    uint64_t due; /* requests handed out */
    int64_t start, end;
    unsigned running;
    struct fcond done;
    struct sr_err why;
} run;

/* ---- one request */

static void note(int64_t since, sr_status st, const struct sr_err *e) {
    if (st != SR_OK) {
        if (!run.failed++) run.why = *e;
        return;
    }
    if (run.n < SAMPLES_MAX) run.us[run.n++] = (uint32_t)(clock_mono_us() - since);
}

/* The body of a 200; owned by *a. */
static sr_status ask(const char *method, const char *path, const char *auth, struct slice body,
                     struct http_answer *a, struct sr_err *err) {
    char url[1024], header[512];
    (void)snprintf(url, sizeof url, "%s%s", opt.market, path);
    (void)snprintf(header, sizeof header, "authorization: %s", auth ? auth : "");
    const char *headers[] = {"Content-Type: application/json", auth ? header : NULL, NULL};
    const struct http_call c = {
        .method = method, .url = url, .headers = headers, .body = body, .max_body = 8u << 20};
    SR_TRY(http_fetch(&c, a, err));
    if (a->status != 200 && a->status != 204)
        return sr_fail(err, SR_E_REFUSED, "%s %s: %d %.60s", method, path, a->status,
                       buf_cstr(&a->body));
    return SR_OK;
}

static sr_status login(const struct sr_secret *key, const struct addr *who, char out[256],
                       struct sr_err *err) {
    char path[128];
    cleanup_answer struct http_answer a = {0};
    cleanup_json struct json *d = NULL;
    struct hash h;
    struct sr_signature sig;
    (void)snprintf(path, sizeof path, "/challenge?chainId=%llu&address=%s",
                   (unsigned long long)w.poco.domain.chain_id, addr_text(who).s);
    SR_TRY(ask("GET", path, NULL, slice_of(NULL, 0), &a, err));
    SR_TRY(json_parse(buf_slice(&a.body), &d, err));
    struct slice text =
        json_text(json_get(json_get(json_get(json_root(d), "data"), "message"), "challenge"));
    h = eip712_challenge("iExec Gateway", w.poco.domain.chain_id, text);
    SR_TRY(secp_sign(key, &h, &sig, err));
    cleanup_buf struct buf b;
    buf_init(&b, 256);
    buf_printf(&b, "%s_0x", hash_text(&h).s);
    buf_hex(&b, slice_of(sig.b, 65));
    buf_printf(&b, "_%s", addr_text(who).s);
    SR_TRY(buf_status(&b, err));
    memcpy(out, buf_cstr(&b), b.n + 1);
    return SR_OK;
}

static sr_status publish(const struct sr_secret *key, const struct addr *who, struct poco_order *o,
                         struct sr_err *err) {
    char auth[256], path[64];
    SR_TRY(poco_salt(o, err));
    SR_TRY(poco_order_sign(o, &w.poco.domain, key, err));
    SR_TRY(login(key, who, auth, err));
    cleanup_buf struct buf b;
    cleanup_answer struct http_answer a = {0};
    buf_init(&b, 1u << 16);
    struct jw j = jw_of(&b);
    jw_obj(&j);
    jw_key(&j, "order");
    poco_order_json(&j, o, false, true);
    jw_end_obj(&j);
    (void)snprintf(path, sizeof path, "/%sorders?chainId=%llu", poco_kind_word[o->kind],
                   (unsigned long long)w.poco.domain.chain_id);
    return ask("POST", path, auth, buf_slice(&b), &a, err);
}

/* ---- what is asked */

struct lane {
    struct sr_secret key;
    struct addr who, app;
    uint64_t n;
};
static struct lane lanes[CONNECTIONS_MAX];

static struct poco_order app_order(const struct addr *app, uint64_t volume, uint64_t price) {
    return (struct poco_order){
        .kind = POCO_APP,
        .app = {
            .app = *app, .volume = u256_of(volume), .appprice = u256_of(price), .tag = tag_of(9)}};
}

static sr_status one_publish(struct lane *l, uint64_t turn, struct sr_err *err) {
    struct poco_order o = app_order(&l->app, 1 + turn % 9, turn * 7919 % 1000);
    if (turn % 4 == 0) o.app.requesterrestrict = lanes[turn / 4 % 8].who;
    return publish(&l->key, &l->who, &o, err);
}

/* Books as the SDK asks for them: any app, one app, a requester's, filters, further pages. */
static sr_status one_page(struct lane *l, uint64_t turn, struct sr_err *err) {
    char path[512];
    unsigned long long chain = w.poco.domain.chain_id;
    const struct lane *other = &lanes[turn / 8 % opt.connections];
    cleanup_answer struct http_answer a = {0};
    switch (turn % 8) {
    case 0:
    case 1:
        (void)snprintf(path, sizeof path,
                       "/apporders?chainId=%llu&app=any&pageIndex=%u&pageSize=20", chain,
                       (unsigned)(turn / 8 % 5));
        break;
    case 2:
    case 3:
    case 4:
        (void)snprintf(path, sizeof path,
                       "/apporders?chainId=%llu&app=%s&isDatasetStrict=false&isWorkerpoolStrict="
                       "false&isRequesterStrict=false&pageIndex=0&pageSize=20",
                       chain, addr_text(&other->app).s);
        break;
    case 5:
        (void)snprintf(path, sizeof path,
                       "/apporders?chainId=%llu&app=%s&requester=%s&pageIndex=0&pageSize=20", chain,
                       addr_text(&other->app).s, addr_text(&l->who).s);
        break;
    case 6:
        (void)snprintf(path, sizeof path,
                       "/apporders?chainId=%llu&app=any&requester=any&minTag=0x%064x&minVolume=%u"
                       "&pageIndex=0&pageSize=20",
                       chain, 9, (unsigned)(1 + turn / 8 % 4));
        break;
    default:
        (void)snprintf(path, sizeof path, "/workerpoolorders?chainId=%llu&category=0&pageSize=20",
                       chain);
        break;
    }
    return ask("GET", path, NULL, slice_of(NULL, 0), &a, err);
}

static sr_status one_query(struct lane *l, uint64_t turn, struct sr_err *err) {
    static const char *const doc[] = {
        "{\"query\":\"query ($n: Int = 20) { deals(first: $n, orderBy: timestamp, orderDirection: "
        "desc) { id app { id name } requester { id } botSize appPrice tasks { id status } } }\"}",
        "{\"query\":\"{ apps(first: 20, orderBy: timestamp, orderDirection: desc) { id name owner "
        "{ id } checksum usageCount } }\"}",
        "{\"query\":\"{ protocol(id: \\\"iExec\\\") { appsCount dealsCount } categories { id name "
        "workClockTimeRef } }\"}"};
    char body[512];
    cleanup_answer struct http_answer a = {0};
    const char *text = doc[turn % 3];
    if (turn % 4 == 3) {
        (void)snprintf(body, sizeof body,
                       "{\"query\":\"query ($id: ID!) { app(id: $id) { id name owner { id } orders "
                       "{ id } transfers { transaction { id timestamp } } } }\",\"variables\":{"
                       "\"id\":\"%s\"}}",
                       addr_text(&l->app).s);
        text = body;
    }
    SR_TRY(ask("POST", "/subgraphs/poco", NULL, slice_str(text), &a, err));
    if (slice_starts(buf_slice(&a.body), "{\"errors"))
        return sr_fail(err, SR_E_REFUSED, "%.100s", buf_cstr(&a.body));
    return SR_OK;
}

#define SECRETS_EACH 900 /* of one account: the service stores 1,000 */

/* A new secret of the lane's account, which is another one now and then: the service looks at the
 * signature and seals the secret. */
static sr_status one_secret(struct lane *l, uint64_t turn, struct sr_err *err) {
    char name[64], path[192], value[33], auth[133];
    uint8_t rnd[16];
    struct sr_signature sig;
    cleanup_answer struct http_answer a = {0};
    SR_TRY(random_bytes(rnd, sizeof rnd, err));
    hex_encode(value, rnd, sizeof rnd);
    if (++l->n % SECRETS_EACH == 0) {
        memcpy(l->key.p, rnd, sizeof rnd);
        SR_TRY(secp_address(&l->key, &l->who, err));
    }
    (void)snprintf(name, sizeof name, "n%llx-%llu", (unsigned long long)run.start,
                   (unsigned long long)turn);
    (void)snprintf(path, sizeof path, "/requesters/%s/secrets/%s", addr_text(&l->who).s, name);
    struct slice secret = slice_of(value, 32);
    struct hash h = wire_secret_challenge(SECRET_REQUESTER, &l->who, slice_str(name), secret);
    h = eth_message_hash(&h);
    SR_TRY(secp_sign(&l->key, &h, &sig, err));
    memcpy(auth, "0x", 2);
    hex_encode(auth + 2, sig.b, sizeof sig.b);
    return ask("POST", path, auth, secret, &a, err);
}

/* ---- lanes */

static void lane_run(void *arg) {
    struct lane *l = arg;
    while (clock_mono_us() < run.end && (!opt.count || run.due < opt.count) && !net_stopping()) {
        uint64_t turn = run.due++;
        int64_t since = clock_mono_us();
        if (opt.rate) {
            since = run.start + (int64_t)(turn * 1000000 / opt.rate);
            int64_t early = since - clock_mono_us();
            if (since >= run.end) break;
            if (early > 1000 && fiber_sleep((uint64_t)early / 1000, NULL) != SR_OK) break;
            if (since > clock_mono_us()) since = clock_mono_us(); /* less than 1 ms early */
        }
        struct sr_err e = {0};
        sr_status st = strcmp(opt.mode, "publish") == 0   ? one_publish(l, turn, &e)
                       : strcmp(opt.mode, "pages") == 0   ? one_page(l, turn, &e)
                       : strcmp(opt.mode, "secrets") == 0 ? one_secret(l, turn, &e)
                                                          : one_query(l, turn, &e);
        note(since, st, &e);
    }
    run.running--;
    fcond_wake(&run.done);
}

/* Deals that use up orders published for it, evenly in time. */
static void consume_run(void *arg) {
    struct sr_err e = {0};
    struct poco_order *orders = arg, pool = orders[0];
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 16);
    for (uint64_t i = 1; clock_mono_us() < run.end; i++) {
        int64_t wait = run.start + (int64_t)(i * 60000000 / opt.consume) - clock_mono_us();
        if (wait > 1000 && fiber_sleep((uint64_t)wait / 1000, &e) != SR_OK) break;
        struct poco_order request = {.kind = POCO_REQUEST,
                                     .request = {.app = lanes[0].app,
                                                 .requester = w.signers[BOB].addr,
                                                 .beneficiary = w.signers[BOB].addr,
                                                 .volume = u256_of(1),
                                                 .params = SLICE_LIT("{}"),
                                                 .tag = tag_of(9)}};
        struct hash tx;
        buf_clear(&b);
        sr_status st = poco_salt(&request, &e);
        if (st == SR_OK) st = poco_order_sign(&request, &w.poco.domain, &w.keys[BOB], &e);
        if (st == SR_OK) st = poco_enc_match(&b, &orders[i], NULL, &pool, &request, &e);
        const struct eth_want want = {
            .to = w.poco.hub, .data = buf_slice(&b), .gas_limit = 2000000};
        if (st == SR_OK) st = eth_sender_submit(w.bob, &want, &tx, &e);
        if (st != SR_OK) {
            if (!run.failed++) run.why = e;
            break;
        }
        run.consumed++;
    }
    run.running--;
    fcond_wake(&run.done);
}

/* ---- set-up */

static sr_status read_chain(struct sr_err *err) {
    cleanup_buf struct buf b;
    cleanup_json struct json *d = NULL;
    struct addr hub;
    buf_init(&b, 1u << 20);
    SR_TRY(fs_read(opt.chain, &b, err));
    SR_TRY(json_parse(buf_slice(&b), &d, err));
    const struct json_val *root = json_root(d);
    if (!json_addr(json_get(json_get(root, "contracts"), "hub"), &hub) ||
        !json_addr(json_get(json_get(root, "workerpool"), "address"), &w.pool))
        return sr_fail(err, SR_E_MALFORMED, "%s is no chain.json", opt.chain);
    for (size_t i = 0; i < 10; i++) {
        struct slice key =
            json_text(json_get(json_at(json_get(root, "accounts"), i), "privateKey"));
        SR_TRY(secret_new(32, &w.keys[i], err));
        if (!hex_decode(key, w.keys[i].p, 32))
            return sr_fail(err, SR_E_MALFORMED, "%s holds no keys", opt.chain);
        SR_TRY(eth_signer_local(&w.keys[i], &w.signers[i], err));
    }
    SR_TRY(eth_rpc_new(opt.rpc_url, &w.rpc, err));
    return poco_open(w.rpc, &hub, &w.poco, err);
}

static sr_status make_lane(struct lane *l, size_t i, struct sr_err *err) {
    struct eth_receipt rc = {0};
    cleanup_buf struct buf b;
    struct hash sum = {{1}};
    char name[32];
    buf_init(&b, 4096);
    SR_TRY(secret_new(32, &l->key, err));
    memset(l->key.p, (int)(opt.first + i) + 1,
           32); /* always the same: a second run finds its apps again */
    SR_TRY(secp_address(&l->key, &l->who, err));
    (void)snprintf(name, sizeof name, "load %zu", (size_t)opt.first + i);
    SR_TRY(poco_enc_create_app(&b, &l->who, slice_str(name), SLICE_LIT("DOCKER"),
                               SLICE_LIT("localhost/load:1"), &sum, slice_of(NULL, 0), err));
    struct eth_want want = {.to = w.poco.app_registry, .data = buf_slice(&b)};
    cleanup_buf struct buf out;
    buf_init(&out, 1024);
    struct sr_err e = {0};
    if (eth_call(w.rpc, &w.signers[ALICE].addr, &want.to, want.data, (struct eth_at){0}, &out,
                 &e) == SR_OK) {
        SR_TRY(eth_sender_send(w.alice, &want, 20000, &rc, err));
        eth_receipt_done(&rc);
    }
    buf_clear(&b);
    buf_clear(&out);
    const struct abi_val args[] = {av_addr(&l->who), av_str(name),
                                   av_str("DOCKER"), av_bytes(SLICE_LIT("localhost/load:1")),
                                   av_hash(&sum),    av_bytes(slice_of(NULL, 0))};
    SR_TRY(
        abi_encode_call(&b, "predictApp(address,string,string,bytes,bytes32,bytes)", args, 6, err));
    SR_TRY(eth_call(w.rpc, NULL, &want.to, buf_slice(&b), (struct eth_at){0}, &out, err));
    if (out.n != 32) return sr_fail(err, SR_E_CHAIN, "no address was predicted");
    memcpy(l->app.b, out.p + 12, 20);
    return SR_OK;
}

/* The pool's order first, then one app order for each deal to come. Owned: free. */
static sr_status orders_to_consume(struct poco_order **ret, struct sr_err *err) {
    size_t n = (size_t)(opt.consume * (opt.seconds + 5) / 60 + 2);
    struct poco_order *o = calloc(n, sizeof *o);
    if (!o) return sr_fail(err, SR_E_NOMEM, "orders");
    *ret = o;
    o[0] = (struct poco_order){
        .kind = POCO_WORKERPOOL,
        .workerpool = {.workerpool = w.pool, .volume = u256_of(1u << 30), .tag = tag_of(9)}};
    SR_TRY(publish(&w.keys[OPERATOR], &w.signers[OPERATOR].addr, &o[0], err));
    for (size_t i = 1; i < n; i++) {
        o[i] = app_order(&lanes[0].app, 1, 0);
        SR_TRY(publish(&lanes[0].key, &lanes[0].who, &o[i], err));
    }
    return SR_OK;
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double ms(double part) {
    return run.n ? run.us[(size_t)((double)(run.n - 1) * part)] / 1e3 : 0;
}

static sr_status load(void *arg, struct sr_err *err) {
    (void)arg;
    struct poco_order *orders = NULL;
    SR_TRY(read_chain(err));
    const struct eth_sender_opts a = {.rpc = w.rpc, .signer = &w.signers[ALICE]},
                                 b = {.rpc = w.rpc, .signer = &w.signers[BOB]};
    SR_TRY(eth_sender_new(&a, &w.alice, err));
    SR_TRY(eth_sender_new(&b, &w.bob, err));
    for (size_t i = 0; i < opt.connections; i++) SR_TRY(make_lane(&lanes[i], i, err));
    if (opt.consume) SR_TRY(orders_to_consume(&orders, err));
    run.start = clock_mono_us();
    run.end = run.start + (int64_t)opt.seconds * 1000000;
    for (size_t i = 0; i < opt.connections; i++) {
        run.running++;
        SR_TRY(fiber_start(lane_run, &lanes[i], err));
    }
    if (opt.consume) {
        run.running++;
        SR_TRY(fiber_start(consume_run, orders, err));
    }
    while (run.running) SR_TRY(fcond_wait(&run.done, 0, err));
    double seconds = (double)(clock_mono_us() - run.start) / 1e6;
    qsort(run.us, run.n, sizeof *run.us, by_size);
    (void)printf("{\"done\":%zu,\"failed\":%llu,\"consumed\":%llu,\"seconds\":%.3f,\"per_s\":%.0f,"
                 "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
                 run.n, (unsigned long long)run.failed, (unsigned long long)run.consumed, seconds,
                 (double)run.n / seconds, ms(0.5), ms(0.99), ms(1));
    if (run.failed) (void)fprintf(stderr, "bench_market: %s\n", run.why.what);
    eth_sender_free(w.alice);
    eth_sender_free(w.bob);
    eth_rpc_free(w.rpc);
    free(orders);
    return SR_OK;
}

int main(int argc, char **argv) {
    const struct {
        const char *name;
        const char **text;
        uint64_t *number;
    } flags[] = {{"--market", &opt.market, NULL},
                 {"--rpc", &opt.rpc_url, NULL},
                 {"--chain", &opt.chain, NULL},
                 {"--seconds", NULL, &opt.seconds},
                 {"--count", NULL, &opt.count},
                 {"--rate", NULL, &opt.rate},
                 {"--consume", NULL, &opt.consume},
                 {"--first", NULL, &opt.first},
                 {"--connections", NULL, &opt.connections}};
    struct sr_err e = {0};
    opt.mode = argc > 1 ? argv[1] : "";
    bool ok = argc % 2 == 0;
    for (int i = 2; i + 1 < argc; i += 2) {
        bool known = false;
        for (size_t k = 0; k < SR_ARRAY_LEN(flags); k++) {
            if (strcmp(argv[i], flags[k].name) != 0) continue;
            known = true;
            if (flags[k].text)
                *flags[k].text = argv[i + 1];
            else
                ok = ok && num_u64(slice_str(argv[i + 1]), 100000000, flags[k].number);
        }
        ok = ok && known;
    }
    run.us = malloc(SAMPLES_MAX * sizeof *run.us);
    if (!ok || !opt.market || !opt.rpc_url || !opt.chain ||
        opt.connections + opt.first > CONNECTIONS_MAX || opt.connections == 0 || !run.us) {
        (void)fprintf(stderr, "bench_market: see the comment at the head of bench_market.c\n");
        return 2;
    }
    sr_status st = net_init(&e);
    if (st == SR_OK) st = net_call(load, NULL, &e);
    if (st != SR_OK) (void)fprintf(stderr, "bench_market: %s\n", e.what);
    free(run.us);
    net_done();
    return st == SR_OK && !run.failed ? 0 : 1;
}
