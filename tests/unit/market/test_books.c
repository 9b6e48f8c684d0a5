/* SPDX-License-Identifier: Apache-2.0 */
/* Order books against the tables of the specification, row by row; who may sign and publish. */
#include "world.h"
#include <errno.h>
#include <sys/syscall.h>

/* ---- a model of the book: what a query must find among all orders of a kind */

#define ORDERS 240
static struct poco_order all[4][ORDERS];
static uint64_t left[4][ORDERS];
static uint32_t seed = 12345;

static uint32_t dice(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}
static struct addr some(uint32_t n) { /* 0: nobody */
    struct addr a = {{0}};
    if (n) a.b[18] = 0xb0, a.b[19] = (uint8_t)n;
    return a;
}
static struct hash some_tag(void) {
    static const uint32_t tags[] = {0, 1, 3, 9, 0x101, 0xb};
    struct hash t = tag_of(tags[dice(6)]);
    if (dice(8) == 0) t.b[0] = 0x80; /* bit 255 */
    return t;
}

static void fill(void) {
    struct sr_err e = {0};
    struct db_tx tx;
    assert_ok(db_begin(mk->db, &tx, &e));
    for (unsigned k = 0; k < 4; k++)
        for (unsigned i = 0; i < ORDERS; i++) {
            struct poco_order *o = &all[k][i];
            uint64_t volume = dice(10) ? 1 + dice(9) : POCO_SAFE_MAX - dice(2), price = dice(3);
            struct addr a = some(1 + dice(2)), x = some(dice(3)), y = some(dice(3)),
                        z = some(dice(3)), signer = some(50 + dice(3));
            struct hash tag = some_tag(), h;
            *o = (struct poco_order){.kind = (poco_kind)k};
            switch (k) {
            case POCO_APP:
                o->app = (struct poco_apporder){.app = a,
                                                .appprice = u256_of(price),
                                                .volume = u256_of(volume),
                                                .tag = tag,
                                                .datasetrestrict = x,
                                                .workerpoolrestrict = y,
                                                .requesterrestrict = z};
                break;
            case POCO_DATASET:
                o->dataset = (struct poco_datasetorder){.dataset = a,
                                                        .datasetprice = u256_of(price),
                                                        .volume = u256_of(volume),
                                                        .tag = tag,
                                                        .apprestrict = x,
                                                        .workerpoolrestrict = y,
                                                        .requesterrestrict = z};
                break;
            case POCO_WORKERPOOL:
                o->workerpool = (struct poco_workerpoolorder){.workerpool = a,
                                                              .workerpoolprice = u256_of(price),
                                                              .volume = u256_of(volume),
                                                              .tag = tag,
                                                              .category = u256_of(dice(3)),
                                                              .trust = u256_of(dice(4)),
                                                              .apprestrict = x,
                                                              .datasetrestrict = y,
                                                              .requesterrestrict = z};
                break;
            default:
                o->request = (struct poco_requestorder){.app = a,
                                                        .dataset = x,
                                                        .workerpool = y,
                                                        .requester = signer,
                                                        .beneficiary = z,
                                                        .workerpoolmaxprice = u256_of(price),
                                                        .volume = u256_of(volume),
                                                        .tag = tag,
                                                        .category = u256_of(dice(3)),
                                                        .trust = u256_of(dice(4)),
                                                        .params = SLICE_LIT("{}")};
                break;
            }
            assert_ok(poco_salt(o, &e));
            left[k][i] = volume > 9 ? volume : 1 + dice((uint32_t)volume);
            h = poco_order_hash(&mk->poco.domain, o);
            store_order(o, &h, &signer, left[k][i], 1000 + dice(5));
            /* who signed is not in the order: kept in its sign for the model */
            memcpy(o->sign.b, signer.b, 20);
        }
    assert_ok(changes_tell(mk, &e));
    assert_ok(db_commit(&tx, &e));
    changes_committed(mk);
}

/* A parameter as it was given: absent, "any", or an address by its number. */
enum { ABSENT = -2, ANY = -1 };
struct restriction {
    const char *name, *flag;
    int given;
    bool strict;
};
static bool lets(const struct restriction *r, const struct addr *field) {
    struct addr want = r->given > 0 ? some((uint32_t)r->given) : some(0);
    if (r->given == ANY) return true;
    if (r->given == ABSENT) return addr_is_zero(field);
    return addr_eq(field, &want) || (!r->strict && addr_is_zero(field));
}
static bool is_it(int given, const struct addr *field) {
    struct addr want = given > 0 ? some((uint32_t)given) : some(0);
    return given < 0 || addr_eq(field, &want);
}

static void put(struct buf *b, const char *name, int given) {
    if (given == ANY)
        buf_printf(b, "&%s=any", name);
    else if (given != ABSENT) {
        struct addr a = some((uint32_t)given);
        buf_printf(b, "&%s=%s", name, dice(2) ? addr_text(&a).s : addr_checksum(&a).s);
    }
}

static int choice(void) {
    return (int)dice(5) - 2; /* absent, any, nobody, 1, 2 */
}

static const struct addr *field(const struct poco_order *o, const char *name) {
    size_t n;
    const struct poco_field *f = poco_fields(o->kind, &n);
    char with[40];
    (void)snprintf(with, sizeof with, "%srestrict", name);
    for (size_t i = 0; i < n; i++)
        if (strcmp(f[i].name, name) == 0 || strcmp(f[i].name, with) == 0)
            if (f[i].type == POCO_F_ADDR &&
                (strcmp(f[i].name, with) == 0 || o->kind == POCO_REQUEST))
                return (const struct addr *)(const void *)((const char *)o + f[i].offset);
    fail_msg("no field %s", name);
    return NULL;
}

static void one_question(poco_kind k) {
    static const char *const names[4][4] = {{"dataset", "workerpool", "requester"},
                                            {"app", "workerpool", "requester"},
                                            {"app", "dataset", "requester"},
                                            {"workerpool"}};
    static const char *const flags[4][4] = {
        {"isDatasetStrict", "isWorkerpoolStrict", "isRequesterStrict"},
        {"isAppStrict", "isWorkerpoolStrict", "isRequesterStrict"},
        {"isAppStrict", "isDatasetStrict", "isRequesterStrict"},
        {"isWorkerpoolStrict"}};
    static const char *const owners[] = {"appOwner", "datasetOwner", "workerpoolOwner", NULL};
    struct restriction r[3];
    size_t n_r = k == POCO_REQUEST ? 1 : 3, n;
    cleanup_buf struct buf b;
    buf_init(&b, 2048);
    buf_printf(&b, "/%sorders?chainId=421614&pageSize=1000", poco_kind_word[k]);
    for (size_t i = 0; i < n_r; i++) {
        r[i] = (struct restriction){names[k][i], flags[k][i], choice(), dice(2) == 1};
        put(&b, r[i].name, r[i].given);
        if (r[i].strict || dice(2))
            buf_printf(&b, "&%s=%s", r[i].flag, r[i].strict ? (dice(2) ? "true" : "1") : "false");
    }
    /* resource and owner; a request's app, data set, requester and beneficiary are exact */
    int resource = dice(3) ? ANY : 1 + (int)dice(2), owner = ABSENT, exact[3] = {-2, -2, -2};
    static const char *const exacts[] = {"dataset", "requester", "beneficiary"};
    put(&b, poco_kind_word[k == POCO_REQUEST ? POCO_APP : k], resource);
    if (owners[k] && dice(3) == 0) owner = 50 + (int)dice(3);
    if (owners[k]) put(&b, owners[k], owner);
    for (size_t i = 0; k == POCO_REQUEST && i < 3; i++) {
        exact[i] = choice();
        if (i == 1 && exact[i] >= 0) exact[i] = 50 + (int)dice(3);
        if (dice(2)) exact[i] = ABSENT;
        put(&b, exacts[i], exact[i]);
    }
    struct hash min = {{0}}, max = {{0}};
    bool has_min = dice(3) == 0, has_max = dice(3) == 0, bulk = false;
    if (has_min) min = some_tag();
    if (has_max) max = some_tag();
    if (has_min) buf_printf(&b, "&minTag=%s", hash_text(&min).s);
    if (has_max) buf_printf(&b, "&maxTag=%s", hash_text(&max).s);
    uint64_t volume = dice(3) ? 0 : 1 + dice(9), category = dice(4), trust = dice(5);
    bool has_category = k >= POCO_WORKERPOOL && dice(3) == 0,
         has_trust = k >= POCO_WORKERPOOL && dice(3) == 0;
    if (volume) buf_printf(&b, "&minVolume=%u", (unsigned)volume);
    if (has_category) buf_printf(&b, "&category=%u", (unsigned)category);
    if (has_trust)
        buf_printf(&b, "&%s=%u", k == POCO_REQUEST ? "maxTrust" : "minTrust", (unsigned)trust);
    if (k == POCO_DATASET && dice(3) == 0) bulk = true;
    if (bulk) buf_str(&b, "&bulkOnly=true");

    size_t want = 0;
    for (size_t i = 0; i < ORDERS; i++) {
        const struct poco_order *o = &all[k][i];
        const struct hash *tag = poco_order_tag(o);
        struct addr signer;
        uint64_t v, price, c = 0, t = 0;
        memcpy(signer.b, o->sign.b, 20);
        assert_true(u256_to_u64(*poco_order_volume(o), &v) &&
                    u256_to_u64(*poco_order_price(o), &price));
        if (k >= POCO_WORKERPOOL)
            assert_true(
                u256_to_u64(k == POCO_REQUEST ? o->request.category : o->workerpool.category, &c) &&
                u256_to_u64(k == POCO_REQUEST ? o->request.trust : o->workerpool.trust, &t));
        bool ok = is_it(resource, poco_order_resource(o)) && is_it(owner, &signer) &&
                  left[k][i] >= volume && (!has_category || c == category) &&
                  (!has_trust || (k == POCO_REQUEST ? t <= trust : trust <= 1 || t >= trust)) &&
                  (!bulk || (price == 0 && v >= POCO_SAFE_MAX - 1));
        for (size_t j = 0; j < n_r; j++) ok = ok && lets(&r[j], field(o, r[j].name));
        for (size_t j = 0; k == POCO_REQUEST && j < 3; j++)
            ok = ok && is_it(exact[j], field(o, exacts[j]));
        for (size_t j = 0; j < 32; j++)
            ok = ok && (!has_min || (tag->b[j] & min.b[j]) == min.b[j]) &&
                 (!has_max || (tag->b[j] & ~max.b[j]) == 0);
        want += ok;
    }
    struct json *d = get(buf_cstr(&b));
    const struct json_val *l = json_get(json_root(d), "orders");
    n = json_len(l);
    if (n != want || vec_u64(json_root(d), "count") != want)
        fail_msg("%s: %zu orders, not %zu", buf_cstr(&b), n, want);
    /* price up (a request's: down), then time, then hash */
    static const char *const prices[] = {"appprice", "datasetprice", "workerpoolprice",
                                         "workerpoolmaxprice"};
    for (size_t i = 0; i + 1 < n; i++) {
        const struct json_val *p = json_at(l, i), *q = json_at(l, i + 1);
        uint64_t x = vec_u64(json_get(p, "order"), prices[k]),
                 y = vec_u64(json_get(q, "order"), prices[k]);
        char *tp = slice_dup(vec_str(p, "publicationTimestamp")),
             *tq = slice_dup(vec_str(q, "publicationTimestamp"));
        int times = strcmp(tp, tq);
        struct hash hp = vec_hash(p, "orderHash"), hq = vec_hash(q, "orderHash");
        bool in_order = x != y       ? (k == POCO_REQUEST ? x > y : x < y)
                        : times != 0 ? times < 0
                                     : memcmp(hp.b, hq.b, 32) < 0;
        free(tp);
        free(tq);
        if (!in_order) fail_msg("%s: out of order at %zu", buf_cstr(&b), i);
    }
    json_free(d);
}

FIBER_TEST(every_filter_of_every_book_answers_as_the_tables_say) {
    fill();
    for (unsigned i = 0; i < 150; i++)
        for (unsigned k = 0; k < 4; k++) one_question((poco_kind)k);
}

/* Any conditions, whether a list can ask for them or not. */
static struct filter some_filter(poco_kind k) {
    static const unsigned addrs[] = {COL_RESOURCE,   COL_SIGNER,    COL_APP,        COL_DATASET,
                                     COL_WORKERPOOL, COL_REQUESTER, COL_BENEFICIARY};
    struct filter f;
    filter_init(&f, k);
    for (unsigned n = dice(4); n > 0; n--) {
        unsigned col = addrs[dice(7)];
        /* columns that a kind has not are null: nobody asks for them */
        if ((k == POCO_APP && col == COL_APP) || (k == POCO_DATASET && col == COL_DATASET) ||
            (k == POCO_WORKERPOOL && col == COL_WORKERPOOL) ||
            (k != POCO_REQUEST && col == COL_BENEFICIARY))
            continue;
        struct addr a = col == COL_SIGNER ? some(50 + dice(3)) : some(dice(3));
        filter_addr(&f, col, dice(2) ? IS : IS_OR_NONE, &a);
    }
    struct hash tag = some_tag();
    for (unsigned i = 0; i < TAG_WORDS; i++)
        if (dice(6) == 0) filter_i64(&f, COL_TAG + i, HAS_BITS + dice(2), tag_word(&tag, i));
    if (dice(3) == 0) filter_i64(&f, COL_REMAINING, AT_LEAST, 1 + dice(9));
    if (dice(4) == 0) filter_i64(&f, COL_CATEGORY, IS, dice(3));
    if (dice(4) == 0) filter_i64(&f, COL_TRUST, AT_LEAST + dice(2), dice(4));
    if (dice(6) == 0) filter_i64(&f, COL_BULK, IS, dice(2));
    return f;
}

FIBER_TEST(a_filter_says_of_a_row_what_it_says_to_the_database) {
    struct sr_err e = {0};
    unsigned some_match = 0;
    for (unsigned k = 0; k < 4; k++) {
        cleanup_free struct order_row *rows = sr_calloc_n(ORDERS, sizeof *rows);
        assert_non_null(rows);
        for (size_t i = 0; i < ORDERS; i++) {
            struct hash h = poco_order_hash(&mk->poco.domain, &all[k][i]);
            assert_ok(order_load(mk->read, &h, &rows[i], NULL, &e));
        }
        for (unsigned i = 0; i < 120; i++) {
            const struct filter f = some_filter((poco_kind)k), g = f;
            uint64_t there, here = 0;
            assert_true(filter_same(&f, &g));
            for (size_t r = 0; r < ORDERS; r++) here += filter_matches(&f, &rows[r]);
            assert_ok(counts_get(mk, &f, &there, &e));
            assert_int_equal(here, there);
            some_match += here > 0 && here < ORDERS;
        }
    }
    assert_true(some_match > 100); /* they do tell orders apart */
}

FIBER_TEST(pages_follow_each_other_and_say_whether_there_are_more) {
    struct json *whole = get("/apporders?chainId=421614&app=any&dataset=any&workerpool=any&"
                             "requester=any&pageSize=1000");
    const struct json_val *l = json_get(json_root(whole), "orders");
    size_t n = json_len(l), seen = 0;
    assert_true(n > 200);
    assert_null(json_get(json_root(whole), "nextPage")); /* it is not full */
    for (unsigned page = 0;; page++) {
        char path[192];
        uint64_t next;
        (void)snprintf(path, sizeof path,
                       "/apporders?chainId=421614&app=any&dataset=any&workerpool=any&requester=any"
                       "&pageIndex=%u&pageSize=24",
                       page);
        struct json *d = get(path);
        const struct json_val *p = json_get(json_root(d), "orders");
        for (size_t i = 0; i < json_len(p); i++) {
            struct hash a = vec_hash(json_at(p, i), "orderHash"),
                        b = vec_hash(json_at(l, seen++), "orderHash");
            assert_hash_is(a, b);
        }
        bool more = json_u64(json_get(json_root(d), "nextPage"), &next);
        assert_true(more == (json_len(p) == 24));
        if (more) assert_int_equal(next, 24 * (page + 1));
        json_free(d);
        if (!more) break;
    }
    assert_int_equal(seen, n);
    /* the old way: page is an offset */
    struct json *d = get("/apporders?chainId=421614&app=any&dataset=any&workerpool=any&requester="
                         "any&page=7");
    struct hash a = vec_hash(json_at(json_get(json_root(d), "orders"), 0), "orderHash"),
                b = vec_hash(json_at(l, 7), "orderHash");
    assert_hash_is(a, b);
    assert_int_equal(vec_u64(json_root(d), "nextPage"), 27);
    json_free(d);
    json_free(whole);
}

/* ---- who may sign */

/* A contract that answers every call with the 32 bytes that begin with word. */
static struct addr make_wallet(uint32_t word) {
    struct sr_err e = {0};
    char data[96];
    struct eth_sender *s;
    struct eth_receipt rc = {0};
    /* returns the 16 bytes behind it: PUSH4 word, shifted left by 224 bits, to memory, returned */
    (void)snprintf(data, sizeof data,
                   "0x6010600c60003960106000f3"
                   "63%08x60e01b60005260206000f3",
                   word);
    cleanup_buf struct buf b;
    buf_init(&b, 128);
    assert_true(hex_decode_buf(slice_str(data), &b));
    const struct eth_sender_opts o = {.rpc = mk->rpc, .signer = &signers[ALICE], .ws_url = node.ws};
    const struct eth_want w = {.creates = true, .data = buf_slice(&b)};
    assert_ok(eth_sender_new(&o, &s, &e));
    assert_ok(eth_sender_send(s, &w, 20000, &rc, &e));
    eth_sender_free(s);
    assert_true(rc.ok && rc.has_contract);
    struct addr a = rc.contract;
    eth_receipt_done(&rc);
    return a;
}

static struct addr app_of(const struct addr *owner, const char *name) {
    struct sr_err e = {0};
    struct buf b;
    struct hash sum = {{7}};
    struct addr a;
    buf_init(&b, 4096);
    assert_ok(poco_enc_create_app(&b, owner, slice_str(name), SLICE_LIT("DOCKER"),
                                  SLICE_LIT("docker.io/me/app:1"), &sum, slice_of(NULL, 0), &e));
    struct eth_receipt rc = send(ALICE, &mk->poco.app_registry, &b);
    assert_ok(poco_receipt_created(&mk->poco, POCO_APP, &rc, &a, &e));
    eth_receipt_done(&rc);
    buf_done(&b);
    return a;
}

/* As publish_raw, in the name of a contract: whatever signs, the contract is asked. */
static struct json *publish_for(const struct addr *who, const struct poco_order *o, int want) {
    char path[128];
    (void)snprintf(path, sizeof path, "/challenge?chainId=421614&address=%s", addr_text(who).s);
    struct json *c = get(path);
    struct sr_err e = {0};
    struct hash h;
    assert_ok(eip712_json(json_get(json_root(c), "data"), &h, &e));
    json_free(c);
    char auth[256];
    (void)snprintf(auth, sizeof auth, "%s_0x1234_%s", hash_text(&h).s, addr_text(who).s);
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_key(&w, "order");
    poco_order_json(&w, o, false, true);
    jw_end_obj(&w);
    return ask_status("POST", "/apporders?chainId=421614", auth, buf_slice(&b), want);
}

FIBER_TEST(contract_wallets_publish_by_their_own_word) {
    struct addr yes = make_wallet(0x1626ba7e), no = make_wallet(0x12345678);
    struct addr a = app_of(&yes, "wallet's"), b = app_of(&no, "other wallet's");
    struct poco_order o = app_order(&a, 2);
    o.sign.n = 3; /* no signature of a key */
    struct json *d = publish_for(&yes, &o, 200);
    struct hash h = vec_hash(json_get(json_root(d), "published"), "orderHash");
    json_free(d);
    order_is(POCO_APP, &h, "open", 2);
    o = app_order(&b, 2);
    o.sign.n = 3;
    d = publish_for(&no, &o, 403);
    assert_true(slice_is(vec_str(json_root(d), "error"), "invalid authorization"));
    json_free(d);
    /* a key that is not the contract's */
    d = publish_for(&signers[BOB].addr, &o, 403);
    assert_true(slice_is(vec_str(json_root(d), "error"), "invalid authorization"));
    json_free(d);
}

FIBER_TEST(presigned_orders_need_no_signature) {
    struct sr_err e = {0};
    struct addr a = app_of(&signers[ALICE].addr, "presigned");
    struct poco_order o = app_order(&a, 4);
    struct buf b;
    assert_ok(poco_salt(&o, &e));
    refused(ALICE, &o, "invalid sign"); /* "0x" */
    o.sign.n = 65;                      /* zeros */
    refused(ALICE, &o, "invalid sign");
    o.sign.n = 0;
    buf_init(&b, 1u << 16);
    assert_ok(poco_enc_manage(&b, &o, POCO_OP_SIGN, slice_of(NULL, 0), &e));
    struct eth_receipt rc = send(ALICE, &hub, &b);
    eth_receipt_done(&rc);
    buf_done(&b);
    o.sign.n = 65;
    json_free(publish_raw(ALICE, &o, 200));
    struct hash h = poco_order_hash(&mk->poco.domain, &o);
    order_is(POCO_APP, &h, "open", 4);
}

/* ---- the disk: what the group asks comes here */

static _Atomic int disk_fails; /* errno */

int fdatasync(int fd) {
    if (!disk_fails) return (int)syscall(SYS_fdatasync, fd);
    errno = disk_fails;
    return -1;
}

static sr_status health(struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    return market_health(mk, &w, err);
}

/* The last one: nothing is written after it. */
FIBER_TEST(a_disk_that_does_not_take_an_order_ends_publishing_and_health_says_so) {
    struct sr_err e = {0};
    if (getenv("STRONGROOM_TEST_POSTGRES")) return; /* the server's disk */
    struct addr a = app_of(&signers[ALICE].addr, "on a bad disk");
    struct poco_order o = app_order(&a, 1);
    assert_ok(health(&e));
    for (int round = 0; round < 2; round++) { /* the second time nobody asks it */
        assert_ok(poco_salt(&o, &e));
        assert_ok(poco_order_sign(&o, &mk->poco.domain, &keys[ALICE], &e));
        disk_fails = round == 0 ? EIO : 0;
        json_free(publish_raw(ALICE, &o, 500));
    }
    assert_int_equal(health(&e), SR_E_SYS);
    assert_int_equal(e.sys, EIO);
    assert_true(e.hint[0] != 0);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(every_filter_of_every_book_answers_as_the_tables_say),
        cmocka_unit_test(a_filter_says_of_a_row_what_it_says_to_the_database),
        cmocka_unit_test(pages_follow_each_other_and_say_whether_there_are_more),
        cmocka_unit_test(contract_wallets_publish_by_their_own_word),
        cmocka_unit_test(presigned_orders_need_no_signature),
        cmocka_unit_test(a_disk_that_does_not_take_an_order_ends_publishing_and_health_says_so),
    };
    return cmocka_run_group_tests_name("market books", t, setup, teardown);
}
