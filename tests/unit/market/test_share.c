/* SPDX-License-Identifier: Apache-2.0 */
/* Collections, subscriptions, rentals and sales: from the contract's events to the subgraph. */
#include "world.h"

/* One call of a contract; the arguments by the signature. */
static void call_(size_t who, const struct addr *to, const char *sig, const struct abi_val *v,
                  size_t n) {
    struct sr_err e = {0};
    struct buf b;
    buf_init(&b, 1u << 16);
    assert_ok(abi_encode_call(&b, sig, v, n, &e));
    struct eth_receipt rc = send(who, to, &b);
    if (!rc.ok) fail_msg("%s reverted", sig);
    eth_receipt_done(&rc);
    buf_done(&b);
}
#define CALL(who, to, sig, ...)                                                                    \
    call_(who, to, sig, (const struct abi_val[]){__VA_ARGS__},                                     \
          sizeof((const struct abi_val[]){__VA_ARGS__}) / sizeof(struct abi_val))
#define TERMS(price, duration) av_list((const struct abi_val[]){av_u64(price), av_u64(duration)}, 2)

static struct addr make_list(size_t who) {
    struct sr_err e = {0};
    struct buf b;
    struct addr list = {{0}};
    buf_init(&b, 4096);
    assert_ok(abi_call(&b, "createAddOnlyAppWhitelist(address)", &e, av_addr(&signers[who].addr)));
    struct eth_receipt rc = send(who, &lists, &b);
    assert_int_equal(rc.logs.n, 1);
    memcpy(list.b, rc.logs.v[0].topics[3].b + 12, 20);
    eth_receipt_done(&rc);
    buf_done(&b);
    return list;
}

static uint64_t make_collection(size_t who) {
    struct sr_err e = {0};
    struct buf b;
    buf_init(&b, 4096);
    assert_ok(abi_call(&b, "createCollection(address)", &e, av_addr(&signers[who].addr)));
    struct eth_receipt rc = send(who, &sharing, &b);
    assert_int_equal(rc.logs.n, 1);
    uint64_t id = rc.logs.v[0].topics[3].b[31];
    eth_receipt_done(&rc);
    buf_done(&b);
    return id;
}

/* The answer to a document about DataProtector, as text. */
static const char *text_of(const char *query, const char *variables) {
    static char out[16384];
    struct json *d = gql("dataprotector", query, variables);
    struct slice s = json_raw(json_get(json_root(d), "data"));
    assert_true(s.n < sizeof out);
    memcpy(out, s.p, s.n);
    out[s.n] = 0;
    json_free(d);
    return out;
}
static void says(const char *query, const char *variables, const char *want) {
    const char *got = text_of(query, variables);
    if (strcmp(got, want) != 0) fail_msg("%s\n says %s\n not  %s", query, got, want);
}
static void has(const char *query, const char *variables, const char *part) {
    const char *got = text_of(query, variables);
    if (!strstr(got, part)) fail_msg("%s\n says %s\n without %s", query, got, part);
}

static struct addr list, app, data[2];
static uint64_t id;
static char carol[43], bob[43], d0[43], d1[43], vars[512];

static void lower(char out[43], const struct addr *a) {
    memcpy(out, addr_text(a).s, 43);
}

static const char *const by_owner =
    "query ($where: Collection_filter) { collections(where: $where, orderBy: creationTimestamp, "
    "orderDirection: asc) { id owner { id } protectedDatas(orderBy: creationTimestamp, "
    "orderDirection: desc, where: {or: [{isForSale: true}, {isRentable: true}, "
    "{isIncludedInSubscription: true}]}) { name isForSale isRentable isIncludedInSubscription "
    "saleParams { id price } rentalParams { price duration } rentals { renter } } } }";

FIBER_TEST(a_collection_appears_with_its_data) {
    app = make_app(ALICE, "reader");
    data[0] = make_data(CAROL, "one");
    data[1] = make_data(CAROL, "two");
    lower(carol, &signers[CAROL].addr);
    lower(bob, &signers[BOB].addr);
    lower(d0, &data[0]);
    lower(d1, &data[1]);
    list = make_list(CAROL);
    CALL(CAROL, &list, "addApp(address)", av_addr(&app));
    id = make_collection(CAROL);
    CALL(CAROL, &mk->poco.dataset_registry, "setApprovalForAll(address,bool)", av_addr(&sharing),
         av_bool(true));
    for (size_t i = 0; i < 2; i++)
        CALL(CAROL, &sharing, "addProtectedDataToCollection(uint256,address,address)", av_u64(id),
             av_addr(&data[i]), av_addr(&list));

    /* getUserAddOnlyAppWhitelist */
    char want[1024];
    (void)snprintf(vars, sizeof vars, "{\"where\":{\"owner\":\"%s\"}}", carol);
    (void)snprintf(want, sizeof want,
                   "{\"addOnlyAppWhitelists\":[{\"id\":\"%s\",\"owner\":{\"id\":\"%s\"},\"apps\":"
                   "[{\"id\":\"%s\"}]}]}",
                   addr_text(&list).s, carol, addr_text(&app).s);
    says("query ($where: AddOnlyAppWhitelist_filter) { addOnlyAppWhitelists(where: $where) { id "
         "owner { id } apps { id } } }",
         vars, want);
    (void)snprintf(
        want, sizeof want,
        "{\"app\":{\"owner\":{\"id\":\"%s\"},\"addOnlyAppWhitelists\":[{\"id\":\"%s\"}]}}",
        addr_text(&signers[ALICE].addr).s, addr_text(&list).s);
    (void)snprintf(vars, sizeof vars, "{\"id\":\"%s\"}", addr_text(&app).s);
    says("query ($id: ID!) { app(id: $id) { owner { id } addOnlyAppWhitelists { id } } }", vars,
         want);
    (void)snprintf(vars, sizeof vars, "{\"a\":\"%s\"}", addr_text(&app).s);
    (void)snprintf(want, sizeof want, "{\"addOnlyAppWhitelists\":[{\"id\":\"%s\"}]}",
                   addr_text(&list).s);
    says("query ($a: String!) { addOnlyAppWhitelists(where: {apps_: {id: $a}}) { id } }", vars,
         want);

    /* getCollectionsByOwner, with and without what is offered to nobody */
    (void)snprintf(vars, sizeof vars, "{\"where\":{\"owner\":\"%s\"}}", carol);
    (void)snprintf(
        want, sizeof want,
        "{\"collections\":[{\"id\":\"%u\",\"owner\":{\"id\":\"%s\"},\"protectedDatas\":[]}]}",
        (unsigned)id, carol);
    says(by_owner, vars, want);
    has("query ($where: Collection_filter) { collections(where: $where) { protectedDatas(orderBy: "
        "name) { name collection { id } owner { id } } } }",
        vars, "{\"name\":\"one\",\"collection\":{\"id\":\"");
    /* held by the contract now */
    (void)snprintf(vars, sizeof vars, "{\"id\":\"%s\"}", d0);
    (void)snprintf(want, sizeof want, "{\"protectedData\":{\"owner\":{\"id\":\"%s\"}}}",
                   addr_text(&sharing).s);
    says("query ($id: ID!) { protectedData(id: $id) { owner { id } } }", vars, want);
}

FIBER_TEST(terms_are_shown_and_can_be_taken_back) {
    CALL(CAROL, &sharing, "setSubscriptionParams(uint256,(uint72,uint40))", av_u64(id),
         TERMS(5, 3600));
    CALL(CAROL, &sharing, "setProtectedDataToSubscription(address)", av_addr(&data[0]));
    CALL(CAROL, &sharing, "setProtectedDataToRenting(address,(uint72,uint40))", av_addr(&data[0]),
         TERMS(7, 1800));
    CALL(CAROL, &sharing, "setProtectedDataForSale(address,uint72)", av_addr(&data[1]), av_u64(99));
    /* getProtectedDataPricingParams */
    (void)snprintf(vars, sizeof vars, "{\"id\":\"%s\"}", d0);
    says("query ($id: ID!) { protectedData(id: $id) { name isRentable isIncludedInSubscription "
         "isForSale collection { subscriptionParams { price duration } } rentalParams { price "
         "duration } saleParams { price } } }",
         vars,
         "{\"protectedData\":{\"name\":\"one\",\"isRentable\":true,\"isIncludedInSubscription\":"
         "true,\"isForSale\":false,\"collection\":{\"subscriptionParams\":{\"price\":\"5\","
         "\"duration\":\"3600\"}},\"rentalParams\":{\"price\":\"7\",\"duration\":\"1800\"},"
         "\"saleParams\":null}}");
    (void)snprintf(vars, sizeof vars, "{\"where\":{\"owner\":\"%s\"}}", carol);
    has(by_owner, vars, "\"saleParams\":{\"id\":\"0x");
    /* getProtectedDataInCollections: all filters */
    static const char *const listed =
        "query ($where: ProtectedData_filter) { protectedDatas(where: $where, skip: 0, first: 100, "
        "orderBy: creationTimestamp, orderDirection: desc) { name } }";
    (void)snprintf(vars, sizeof vars,
                   "{\"where\":{\"id\":\"%s\",\"isRentable\":true,\"isForSale\":null,"
                   "\"collection\":\"%u\",\"collection_\":{\"owner\":\"%s\"},"
                   "\"creationTimestamp_gte\":0}}",
                   d0, (unsigned)id, carol);
    says(listed, vars, "{\"protectedDatas\":[{\"name\":\"one\"}]}");
    says(listed, "{\"where\":{\"isForSale\":true,\"collection_not\":\"null\"}}",
         "{\"protectedDatas\":[{\"name\":\"two\"}]}");
    says(listed, "{\"where\":{\"collection\":\"77\"}}", "{\"protectedDatas\":[]}");
    (void)snprintf(vars, sizeof vars,
                   "{\"where\":{\"collection_not\":\"null\",\"collection_\":{\"owner\":\"%s\"}}}",
                   bob);
    says(listed, vars, "{\"protectedDatas\":[]}");

    char back[80];
    snapshot(back);
    CALL(CAROL, &sharing, "removeProtectedDataFromRenting(address)", av_addr(&data[0]));
    CALL(CAROL, &sharing, "removeProtectedDataFromSubscription(address)", av_addr(&data[0]));
    CALL(CAROL, &sharing, "removeProtectedDataForSale(address)", av_addr(&data[1]));
    CALL(CAROL, &sharing, "removeProtectedDataFromCollection(address)", av_addr(&data[1]));
    CALL(CAROL, &sharing, "setSubscriptionParams(uint256,(uint72,uint40))", av_u64(id),
         TERMS(6, 60));
    says("{ protectedDatas(orderBy: name) { name isRentable isIncludedInSubscription isForSale "
         "rentalParams { price } collection { subscriptionParams { price } } } }",
         NULL,
         "{\"protectedDatas\":[{\"name\":\"one\",\"isRentable\":false,"
         "\"isIncludedInSubscription\":false,\"isForSale\":false,\"rentalParams\":null,"
         "\"collection\":{\"subscriptionParams\":{\"price\":\"6\"}}},{\"name\":\"two\","
         "\"isRentable\":false,\"isIncludedInSubscription\":false,\"isForSale\":false,"
         "\"rentalParams\":null,\"collection\":null}]}");
    take_back(back); /* the chain forgets that: so does the index */
    says("{ protectedDatas(orderBy: name) { name isRentable isIncludedInSubscription isForSale "
         "rentalParams { price } collection { subscriptionParams { price } } } }",
         NULL,
         "{\"protectedDatas\":[{\"name\":\"one\",\"isRentable\":true,"
         "\"isIncludedInSubscription\":true,\"isForSale\":false,\"rentalParams\":{\"price\":\"7\"},"
         "\"collection\":{\"subscriptionParams\":{\"price\":\"5\"}}},{\"name\":\"two\","
         "\"isRentable\":false,\"isIncludedInSubscription\":false,\"isForSale\":true,"
         "\"rentalParams\":null,\"collection\":{\"subscriptionParams\":{\"price\":\"5\"}}}]}");
}

FIBER_TEST(subscribing_renting_and_buying_are_listed) {
    CALL(BOB, &hub, "approve(address,uint256)", av_addr(&sharing), av_u64(1000));
    CALL(BOB, &sharing, "subscribeToCollection(uint256,(uint72,uint40))", av_u64(id),
         TERMS(5, 3600));
    CALL(BOB, &sharing, "rentProtectedData(address,(uint72,uint40))", av_addr(&data[0]),
         TERMS(7, 1800));
    char want[1024];
    static const char *const subscriptions =
        "query ($where: CollectionSubscription_filter) { collectionSubscriptions(where: $where) { "
        "collection { id owner { id } subscriptionParams { price duration } } subscriber { id } } "
        "}";
    (void)snprintf(want, sizeof want,
                   "{\"collectionSubscriptions\":[{\"collection\":{\"id\":\"%u\",\"owner\":{\"id\":"
                   "\"%s\"},\"subscriptionParams\":{\"price\":\"5\",\"duration\":\"3600\"}},"
                   "\"subscriber\":{\"id\":\"%s\"}}]}",
                   (unsigned)id, carol, bob);
    (void)snprintf(vars, sizeof vars,
                   "{\"where\":{\"subscriber\":\"%s\",\"collection\":\"%u\",\"endDate_gte\":1}}",
                   bob, (unsigned)id);
    says(subscriptions, vars, want);
    says(subscriptions, "{\"where\":{\"endDate_gte\":\"99999999999\"}}",
         "{\"collectionSubscriptions\":[]}");
    /* getRentals */
    (void)snprintf(vars, sizeof vars,
                   "{\"where\":{\"renter\":\"%s\",\"protectedData\":\"%s\",\"endDate_gte\":1}}",
                   bob, d0);
    (void)snprintf(want, sizeof want,
                   "{\"rentals\":[{\"renter\":\"%s\",\"protectedData\":{\"id\":\"%s\",\"name\":"
                   "\"one\"},\"rentalParams\":{\"price\":\"7\",\"duration\":\"1800\"}}]}",
                   bob, d0);
    says("query ($where: Rental_filter) { rentals(where: $where) { renter protectedData { id name "
         "} rentalParams { price duration } } }",
         vars, want);
    struct json *d = gql("dataprotector", "{ rentals { id creationTimestamp endDate } }", NULL);
    const struct json_val *r = json_at(data_of(d, "rentals"), 0);
    uint64_t made = 0, until = 0;
    assert_true(num_u64(vec_str(r, "creationTimestamp"), UINT64_MAX, &made) &&
                num_u64(vec_str(r, "endDate"), UINT64_MAX, &until));
    assert_int_equal(until - made, 1800);
    assert_int_equal(vec_str(r, "id").n, 2 + 64 + 8);
    json_free(d);
    /* getCollectionOwners, as Bob and as Dave ask it */
    static const char *const owners =
        "query ($me: String!) { accounts(where: {collections_: {id_not: null}}, first: 100) { id "
        "collections(orderBy: creationTimestamp, orderDirection: desc) { id subscriptionParams { "
        "price } subscriptions(where: {subscriber_: {id: $me}, endDate_gte: \"1\"}) { subscriber { "
        "id } } } } }";
    (void)snprintf(vars, sizeof vars, "{\"me\":\"%s\"}", bob);
    (void)snprintf(want, sizeof want,
                   "{\"accounts\":[{\"id\":\"%s\",\"collections\":[{\"id\":\"%u\","
                   "\"subscriptionParams\":{\"price\":\"5\"},\"subscriptions\":[{\"subscriber\":{"
                   "\"id\":\"%s\"}}]}]}]}",
                   carol, (unsigned)id, bob);
    says(owners, vars, want);
    (void)snprintf(vars, sizeof vars, "{\"me\":\"%s\"}", addr_text(&signers[DAVE].addr).s);
    has(owners, vars, "\"subscriptions\":[]");

    CALL(BOB, &sharing, "buyProtectedData(address,address,uint72)", av_addr(&data[1]),
         av_addr(&signers[BOB].addr), av_u64(99));
    (void)snprintf(vars, sizeof vars, "{\"id\":\"%s\"}", d1);
    (void)snprintf(
        want, sizeof want,
        "{\"protectedData\":{\"owner\":{\"id\":\"%s\"},\"isForSale\":false,"
        "\"collection\":null,\"sales\":[{\"buyer\":\"%s\",\"collection\":{\"id\":\"%u\"},"
        "\"saleParams\":{\"price\":\"99\"}}]}}",
        bob, bob, (unsigned)id);
    says("query ($id: ID!) { protectedData(id: $id) { owner { id } isForSale collection { id } "
         "sales { buyer collection { id } saleParams { price } } } }",
         vars, want);
}

FIBER_TEST(only_apps_of_lists_we_know_are_apps) {
    /* somebody's own contract of the same events: a list that no registry made */
    struct addr other = make_list(DAVE), second = make_app(ALICE, "second");
    CALL(DAVE, &other, "addApp(address)", av_addr(&second));
    char want[256];
    (void)snprintf(vars, sizeof vars, "{\"id\":\"%s\"}", addr_text(&other).s);
    (void)snprintf(want, sizeof want, "{\"addOnlyAppWhitelist\":{\"apps\":[{\"id\":\"%s\"}]}}",
                   addr_text(&second).s);
    says("query ($id: ID!) { addOnlyAppWhitelist(id: $id) { apps { id } } }", vars, want);
    CALL(DAVE, &other, "transferOwnership(address)", av_addr(&signers[BOB].addr));
    (void)snprintf(want, sizeof want, "{\"addOnlyAppWhitelist\":{\"owner\":{\"id\":\"%s\"}}}", bob);
    says("query ($id: ID!) { addOnlyAppWhitelist(id: $id) { owner { id } } }", vars, want);
    /* and a burnt collection is nobody's */
    uint64_t gone = make_collection(DAVE);
    CALL(DAVE, &sharing, "burn(uint256)", av_u64(gone));
    (void)snprintf(vars, sizeof vars, "{\"id\":\"%u\"}", (unsigned)gone);
    says("query ($id: ID!) { collection(id: $id) { owner { id } } }", vars,
         "{\"collection\":{\"owner\":{\"id\":\"0x0000000000000000000000000000000000000000\"}}}");
}

/* The n-th payment that /v1/sharing tells; "" when there is none. */
static const char *payment(size_t n) {
    static char out[200];
    struct json *d = get("/v1/sharing?size=1000");
    const struct json_val *p = json_at(json_get(json_root(d), "payments"), n);
    struct slice kind = json_text(json_get(p, "kind")), price = json_text(json_get(p, "price")),
                 from = json_text(json_get(p, "from")), to = json_text(json_get(p, "to"));
    const struct json_val *of = json_get(p, "data");
    (void)snprintf(out, sizeof out, "%.*s %.*s %s%s%.*s", (int)kind.n, (const char *)kind.p,
                   (int)price.n, (const char *)price.p,
                   slice_is(from, bob) && slice_is(to, carol) ? "bob to carol" : "",
                   json_kind(of) == JSON_NULL ? "" : " for ", (int)json_text(of).n,
                   (const char *)json_text(of).p);
    json_free(d);
    return p ? out : "";
}

FIBER_TEST(what_was_paid_is_told_by_the_terms_of_then) {
    char want[200], back[80];
    CALL(CAROL, &sharing, "setProtectedDataToRenting(address,(uint72,uint40))", av_addr(&data[0]),
         TERMS(8, 1800));
    CALL(CAROL, &sharing, "setSubscriptionParams(uint256,(uint72,uint40))", av_u64(id),
         TERMS(50, 3600));
    assert_string_equal(payment(0), "subscription 5 bob to carol");
    (void)snprintf(want, sizeof want, "rent 7 bob to carol for %s", d0);
    assert_string_equal(payment(1), want);
    (void)snprintf(want, sizeof want, "sale 99 bob to carol for %s", d1);
    assert_string_equal(payment(2), want);
    assert_string_equal(payment(3), "");
    snapshot(back);
    CALL(BOB, &sharing, "rentProtectedData(address,(uint72,uint40))", av_addr(&data[0]),
         TERMS(8, 1800));
    (void)snprintf(want, sizeof want, "rent 8 bob to carol for %s", d0);
    assert_string_equal(payment(3), want);
    take_back(back);
    assert_string_equal(payment(3), "");
}

FIBER_TEST(what_is_shared_comes_in_pages_of_one_block) {
    static const char *const lists_of[] = {"data", "collections", "payments", "whitelists"};
    size_t whole[4], paged[4] = {0};
    struct json *d = get("/v1/sharing?size=1000");
    const struct json_val *v = json_root(d);
    struct addr contract;
    struct hash hash;
    bool more;
    assert_true(json_bool(json_get(v, "more"), &more) && !more);
    assert_true(json_addr(json_get(v, "contract"), &contract) && addr_eq(&contract, &sharing));
    assert_true(json_hash(json_get(v, "hash"), &hash) && hash_eq(&hash, &mk->head_hash));
    for (size_t i = 0; i < 4; i++) whole[i] = json_len(json_get(v, lists_of[i]));
    const struct json_val *one = json_at(json_get(v, "data"), 0);
    assert_true(slice_is(json_text(json_get(one, "name")), "one"));
    assert_true(slice_is(json_text(json_get(one, "rentPrice")), "8"));
    json_free(d);
    more = true;
    for (unsigned n = 0; more && n < 100; n++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/v1/sharing?size=1&page=%u", n);
        d = get(path);
        for (size_t i = 0; i < 4; i++) paged[i] += json_len(json_get(json_root(d), lists_of[i]));
        assert_true(json_bool(json_get(json_root(d), "more"), &more));
        json_free(d);
    }
    for (size_t i = 0; i < 4; i++) assert_int_equal(paged[i], whole[i]);
    assert_true(whole[0] == 2 && whole[1] >= 1 && whole[2] == 3 && whole[3] >= 1);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_collection_appears_with_its_data),
        cmocka_unit_test(terms_are_shown_and_can_be_taken_back),
        cmocka_unit_test(subscribing_renting_and_buying_are_listed),
        cmocka_unit_test(what_was_paid_is_told_by_the_terms_of_then),
        cmocka_unit_test(what_is_shared_comes_in_pages_of_one_block),
        cmocka_unit_test(only_apps_of_lists_we_know_are_apps),
    };
    return cmocka_run_group_tests_name("market sharing", t, setup, teardown);
}
