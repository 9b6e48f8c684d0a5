/* SPDX-License-Identifier: Apache-2.0 */
/* The two subgraphs: what the explorer and the npm clients ask them. */
#include "market/gql.h"
#include "world.h"

FIBER_TEST(the_subgraphs_answer_what_explorer_and_sdk_ask) {
    struct addr app = make_app(ALICE, "graph's \"app\""), data = make_data(CAROL, "graph data");
    (void)make_app(ALICE, "another"); /* lists have more than what is looked for */
    (void)make_data(BOB, "another");
    struct hash h[4], deal = make_deal(&app, &data, 2, h);
    struct sr_err e = {0};
    struct buf b;
    buf_init(&b, 4096);
    assert_ok(poco_enc_initialize(&b, &deal, u256_of(0), &e));
    struct eth_receipt rc = send(WORKER, &hub, &b);
    struct hash tx = rc.tx;
    eth_receipt_done(&rc);
    buf_done(&b);
    char vars[1024];

    /* DataProtector's own documents */
    const char *mine = "query ($start: Int!, $range: Int!, $where: ProtectedData_filter) { "
                       "protectedDatas(where: $where skip: $start first: $range orderBy: "
                       "creationTimestamp orderDirection: desc) { id name owner { id } schema { id "
                       "} creationTimestamp multiaddr } }";
    (void)snprintf(vars, sizeof vars,
                   "{\"where\":{\"and\":[{\"id\":\"%s\"},{\"owner\":\"%s\"},{"
                   "\"creationTimestamp_gte\":1},{\"or\":[{\"schema_contains\":[\"x:f64\"]},{"
                   "\"schema_contains\":[\"a.file:string\"]}]}]},\"start\":0,\"range\":50}",
                   addr_text(&data).s, addr_text(&signers[CAROL].addr).s);
    struct json *d = gql("dataprotector", mine, vars);
    const struct json_val *l = data_of(d, "protectedDatas"), *p = json_at(l, 0);
    assert_int_equal(json_len(l), 1);
    struct addr id = vec_addr(p, "id"), owner = vec_addr(json_get(p, "owner"), "id");
    assert_addr_is(id, data);
    assert_addr_is(owner, signers[CAROL].addr);
    assert_int_equal(json_len(json_get(p, "schema")), 2);
    assert_true(slice_is(vec_str(json_at(json_get(p, "schema"), 0), "id"), "a.file:string"));
    assert_true(slice_starts(vec_str(p, "multiaddr"), "0xa50322"));
    assert_true(json_is(json_get(p, "creationTimestamp"), JSON_STRING));
    json_free(d);
    d = gql("dataprotector", mine, "{\"start\":0,\"range\":1000}");
    assert_true(json_len(data_of(d, "protectedDatas")) >= 2);
    json_free(d);
    (void)snprintf(vars, sizeof vars,
                   "{\"requiredSchema\":[\"a.file:string\",\"b:bool\"],\"id\":[\"%s\",\"0x00\"],"
                   "\"start\":0,\"range\":1000}",
                   addr_text(&data).s);
    d = gql(
        "dataprotector",
        "query GetValidContacts($requiredSchema: [String!]! $id: [String!]! $start: Int! $range: "
        "Int!) { protectedDatas(where: {transactionHash_not: \"0x\" schema_contains: "
        "$requiredSchema id_in: $id} skip: $start first: $range orderBy: creationTimestamp "
        "orderDirection: desc) { id name } }",
        vars);
    assert_int_equal(json_len(data_of(d, "protectedDatas")), 1);
    json_free(d);
    cleanup_buf struct buf many; /* as Web3Mail's client names all contacts at once */
    buf_init(&many, GQL_BODY_MAX);
    buf_printf(&many, "{\"id\":[\"%s\"", addr_text(&data).s);
    for (unsigned i = 0; i < 15000; i++) buf_printf(&many, ",\"0x%040x\"", i);
    buf_str(&many, "]}");
    d = gql("dataprotector",
            "query($id: [String!]!) { protectedDatas(where: {id_in: $id}) { id } }",
            buf_cstr(&many));
    assert_int_equal(json_len(data_of(d, "protectedDatas")), 1);
    json_free(d);
    (void)snprintf(vars, sizeof vars, "{\"datasetAddress\":\"%s\"}", addr_text(&data).s);
    d = gql(
        "dataprotector",
        "query DatasetSchema($datasetAddress: ID!) { protectedData(id: $datasetAddress) { schema "
        "{ path type } collection { id } rentals { id } } }",
        vars);
    assert_true(slice_is(
        vec_str(json_at(json_get(data_of(d, "protectedData"), "schema"), 1), "path"), "b"));
    json_free(d);
    d = gql("dataprotector", "{ protectedData(id: \"0x12\") { id } collections { id } }", NULL);
    assert_true(json_is(data_of(d, "protectedData"), JSON_NULL));
    json_free(d);

    /* the bulk look-up of a request's deals */
    (void)snprintf(vars, sizeof vars, "{\"where\":{\"requestorder\":\"%s\"}}", hash_text(&h[3]).s);
    d = gql("poco",
            "query ($where: Deal_filter) { deals(where: $where) { tasks { taskId: id bulkSlice { "
            "datasets { id } } } } }",
            vars);
    assert_int_equal(json_len(json_get(json_at(data_of(d, "deals"), 0), "tasks")), 1);
    json_free(d);

    /* the explorer's */
    (void)snprintf(vars, sizeof vars, "{\"dealId\":\"%s\"}", hash_text(&deal).s);
    d = gql(
        "poco",
        "# a comment\nquery Deal($dealId: ID!) { deal(id: $dealId) { dealid: id timestamp "
        "requester { address: id } app { address: id name } dataset { address: id name } "
        "workerpool { address: id description } category { catid: id workClockTimeRef name } "
        "bulk { id } startTime appPrice datasetPrice workerpoolPrice botSize trust "
        "completedTasksCount claimedTasksCount params tag botFirst dealEvents: events(orderBy: "
        "timestamp, orderDirection: asc) { timestamp id type: __typename transaction { id } } "
        "tasks(first: 8, skip: 0, orderBy: index, orderDirection: asc) { taskid: id index status "
        "finalDeadline } tasksHasNext: tasks(first: 1, skip: 8) { taskid: id } requestorder { "
        "deals(where: {id_not: $dealId}) { id } } } }",
        vars);
    p = data_of(d, "deal");
    cleanup_free char *name = slice_dup(vec_str(json_get(p, "app"), "name"));
    assert_string_equal(name, "graph's \"app\"");
    assert_true(slice_is(vec_str(p, "botSize"), "2"));
    assert_true(slice_is(vec_str(p, "workerpoolPrice"), "0"));
    assert_true(json_is(json_get(p, "bulk"), JSON_NULL));
    assert_true(slice_is(vec_str(json_at(json_get(p, "dealEvents"), 0), "type"), "OrdersMatched"));
    assert_true(slice_is(vec_str(json_at(json_get(p, "tasks"), 0), "status"), "ACTIVE"));
    assert_int_equal(json_len(json_get(p, "tasksHasNext")), 0);
    assert_int_equal(json_len(json_get(json_get(p, "requestorder"), "deals")), 0);
    json_free(d);
    struct hash task = poco_task_id(&deal, u256_of(0));
    (void)snprintf(vars, sizeof vars, "{\"taskId\":\"%s\"}", hash_text(&task).s);
    d = gql(
        "poco",
        "query Task($taskId: ID!) { task(id: $taskId) { taskid: id timestamp deal { dealid: id "
        "app { name } } requester { address: id } index status results resultDigest consensus "
        "taskEvents: events(orderBy: timestamp) { timestamp id type: __typename transaction { id "
        "} ... on TaskContribute { worker { id } hash } ... on TaskFinalize { results } ...I } } "
        "} fragment I on TaskInitialize { workerpool { id } }",
        vars);
    p = data_of(d, "task");
    assert_true(json_is(json_get(p, "results"), JSON_NULL));
    const struct json_val *ev = json_at(json_get(p, "taskEvents"), 0);
    struct addr wp = vec_addr(json_get(ev, "workerpool"), "id");
    assert_addr_is(wp, pool);
    assert_null(json_get(ev, "hash"));
    json_free(d);
    (void)snprintf(vars, sizeof vars, "{\"address\":\"%s\"}", addr_text(&signers[BOB].addr).s);
    d = gql("poco",
            "query Address($address: ID!) { account(id: $address) { address: id staked: balance "
            "locked: frozen score apps(first: 1000) { id } contributions(first: 1000) { id } "
            "dealRequester(first: 1000) { id } taskRequester(first: 5, orderBy: timestamp, "
            "orderDirection: desc) { id } } }",
            vars);
    assert_true(json_len(json_get(data_of(d, "account"), "dealRequester")) >= 1);
    assert_true(slice_is(vec_str(data_of(d, "account"), "locked"), "0"));
    json_free(d);
    d = gql(
        "poco",
        "query Apps($length: Int = 20, $skip: Int = 0, $recentFrom: BigInt = 0, $orderBy: "
        "App_orderBy = usageCount, $orderDirection: OrderDirection = desc) { apps(first: $length "
        "skip: $skip orderBy: $orderBy orderDirection: $orderDirection where: "
        "{lastUsageTimestamp_gte: $recentFrom}) { address: id owner { address: id } timestamp "
        "name type multiaddr checksum mrenclave usageCount lastUsageTimestamp transfers(orderBy: "
        "timestamp, orderDirection: desc) { transaction { txHash: id timestamp blockNumber } } } "
        "appsHasNext: apps(first: 1, skip: 1000) { address: id } }",
        NULL);
    assert_true(json_len(data_of(d, "apps")) > 1);
    assert_int_equal(json_len(json_get(json_at(data_of(d, "apps"), 0), "transfers")), 1);
    json_free(d);
    (void)snprintf(vars, sizeof vars, "{\"search\":\"%s\",\"tx\":\"%s\"}", hash_text(&deal).s,
                   hash_text(&tx).s);
    d = gql(
        "poco",
        "query Search($search: ID!, $tx: String!) { app(id: $search) { id } dataset(id: $search) "
        "{ id } deal(id: $search) { id } task(id: $search) { id } account(id: $search) { id } "
        "transaction(id: $search) { id } taskInitializes(where: {transaction: $tx}) { id type: "
        "__typename task { id } } locks(where: {transaction: $tx}) { id value account { id } } "
        "bulkSliceice(where: {datasets_: {id: $search}}, orderBy: task__timestamp, "
        "orderDirection: desc) { task { id } } protocol(id: \"iExec\") { dealsCount tasksCount } "
        "datasets(first: 1 where: {name_contains: \"graph%\"}) { id } categories(orderBy: "
        "workClockTimeRef) { id } }",
        vars);
    assert_true(json_is(data_of(d, "app"), JSON_NULL) && json_is(data_of(d, "deal"), JSON_OBJECT));
    assert_int_equal(json_len(data_of(d, "taskInitializes")), 1);
    assert_int_equal(json_len(data_of(d, "datasets")), 0);
    assert_int_equal(json_len(data_of(d, "categories")), 5);
    json_free(d);

    gql_fails("{ apps { foo } }", "has no field `foo`");
    gql_fails("{ nothing { id } }", "has no field `nothing`");
    gql_fails("{ apps { id }", "Syntax Error");
    gql_fails("{ apps }", "selection");
    gql_fails("{ apps { owner } }", "selection");
    gql_fails("{ apps(first: 1001) { id } }", "first");
    gql_fails("{ apps(skip: 5001) { id } }", "skip");
    gql_fails("{ apps(where: {foo: 1}) { id } }", "foo");
    gql_fails("{ apps(orderBy: foo) { id } }", "foo");
    gql_fails("mutation { apps { id } }", "only queries");
    gql_fails("{ apps { id @include(if: true) } }", "directives");
    gql_fails("{ __schema { types { name } } }", "__schema");
    gql_fails("query A { apps { id } } query B { apps { id } }", "operationName");
    gql_fails("{ apps { ...X } } fragment X on App { ...X }", "deep");
    gql_fails("{ datasets(where: {name: \"'; DROP TABLE deal; --\", foo: 1}) { id } }", "foo");
    d = gql("poco", "{ datasets(where: {name: \"'; DROP TABLE deal; --\"}) { id } }", NULL);
    assert_int_equal(json_len(data_of(d, "datasets")), 0);
    json_free(d);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_subgraphs_answer_what_explorer_and_sdk_ask),
    };
    return cmocka_run_group_tests_name("market subgraphs", t, setup, teardown);
}
