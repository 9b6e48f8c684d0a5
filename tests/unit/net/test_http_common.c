/* SPDX-License-Identifier: Apache-2.0 */
/* What every service has without doing anything: limits, health, figures, its description. */
#include "net/http_doc.h"
#include "net_test.h"

static sr_status hello(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    return http_reply(rq, 200, "text/plain", SLICE_LIT("hello"), err);
}
static sr_status own_metrics(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    return http_reply(rq, 200, "application/json", SLICE_LIT("{\"own\":1}"), err);
}
static sr_status unwell(void *role, struct jw *checks, struct sr_err *err) {
    jw_ku64(checks, "block", 7);
    return *(bool *)role ? sr_fail(err, SR_E_UNAVAILABLE, "the node is away") : SR_OK;
}

static bool is_unwell;
static struct http_server *server;

static sr_status serve(bool own, const char *name, struct sr_err *err) {
    static const struct http_route routes[] = {{"GET", "/hello/{who}", hello, 0},
                                               {"POST", "/hello/{who}", hello, 100},
                                               {"GET", "/files/*", hello, 0},
                                               {"GET", "/metrics", own_metrics, 0}};
    const struct http_opts o = {.routes = routes,
                                .n_routes = own ? 4 : 3,
                                .role = &is_unwell,
                                .cors = true,
                                .cors_echo = own,
                                .name = name,
                                .health = unwell};
    return http_serve(&o, "127.0.0.1", 0, -1, &server, err);
}

static sr_status ask(const char *path, const char *header, struct http_answer *a,
                     struct sr_err *err) {
    char url[200];
    const char *headers[] = {header, NULL};
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", http_server_port(server), path);
    struct http_call c = {.url = url, .headers = header ? headers : NULL};
    return http_fetch(&c, a, err);
}

static bool has(const struct http_answer *a, const char *text) {
    return strstr(buf_cstr(&a->body), text) != NULL;
}

FIBER_TEST(health_is_what_the_role_says) {
    cleanup_answer struct http_answer a = {0}, b = {0};
    SR_TRY(serve(false, "test", err));
    SR_TRY(ask("/health", NULL, &a, err));
    CHECK(a.status == 200 && has(&a, "\"service\":\"test\",\"status\":\"ok\""));
    is_unwell = true;
    SR_TRY(ask("/health", NULL, &b, err));
    is_unwell = false;
    CHECK(b.status == 503 && has(&b, "\"status\":\"failing\"") && has(&b, "the node is away") &&
          has(&b, "\"checks\":{\"block\":7}") && has(&b, "\"code\":\"SR_E_"));
    http_server_close(server);
    return SR_OK;
}

FIBER_TEST(figures_count_answers_by_route_and_never_by_path) {
    cleanup_answer struct http_answer a = {0}, b = {0}, c = {0};
    SR_TRY(serve(false, "test", err));
    SR_TRY(ask("/hello/a-secret-name", NULL, &a, err));
    SR_TRY(ask("/nowhere", NULL, &b, err));
    SR_TRY(ask("/metrics", NULL, &c, err));
    CHECK(c.status == 200);
    CHECK(has(&c, "strongroom_info{service=\"test\","));
    CHECK(has(&c, "http_requests_total{method=\"GET\",route=\"/hello/{who}\",code=\"2xx\"} 1\n"));
    CHECK(has(&c, "http_requests_total{method=\"\",route=\"none\",code=\"4xx\"} 1\n"));
    CHECK(has(&c, "http_request_duration_seconds_bucket{le=\"+Inf\"} 2\n"));
    CHECK(has(&c, "process_resident_memory_bytes "));
    CHECK(!has(&c, "a-secret-name"));
    http_server_close(server);
    return SR_OK;
}

FIBER_TEST(a_service_with_metrics_of_its_own_gives_figures_to_those_who_ask_for_text) {
    cleanup_answer struct http_answer a = {0}, b = {0}, c = {0};
    SR_TRY(serve(true, "test", err));
    SR_TRY(ask("/metrics", NULL, &a, err));
    CHECK(has(&a, "{\"own\":1}"));
    SR_TRY(ask("/metrics", "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
               &b, err));
    CHECK(has(&b, "strongroom_info{"));
    SR_TRY(ask("/metrics", "Accept: application/json, text/plain, */*", &c, err));
    CHECK(has(&c, "{\"own\":1}"));
    http_server_close(server);
    return SR_OK;
}

FIBER_TEST(the_routes_are_described_from_their_table) {
    cleanup_answer struct http_answer a = {0};
    cleanup_json struct json *doc = NULL;
    SR_TRY(serve(false, "test", err));
    SR_TRY(ask("/openapi.json", NULL, &a, err));
    SR_TRY(json_parse(buf_slice(&a.body), &doc, err));
    const struct json_val *paths = json_get(json_root(doc), "paths");
    const struct json_val *one = json_get(paths, "/hello/{who}");
    uint64_t max = 0;
    struct slice name;
    CHECK(json_len(paths) == 2 && json_len(one) == 2);
    CHECK(json_u64(json_get(json_get(json_get(one, "post"), "requestBody"), "x-max-bytes"), &max));
    CHECK(max == 100);
    CHECK(json_str(json_get(json_at(json_get(json_get(one, "get"), "parameters"), 0), "name"),
                   &name));
    CHECK(slice_is(name, "who") && json_get(paths, "/files/{rest}"));
    http_server_close(server);
    return SR_OK;
}

FIBER_TEST(what_a_row_says_of_a_route_is_described) {
    static const struct http_doc rows[] = {
        {"GET /hello/{who}", "greets", "loud:bool times:int! @authorization", NULL,
         "200 application/json Greeting", "400 404"},
        {"POST /hello/{who}", "greets back", NULL, "application/json Greeting", "204", NULL}};
    static const struct http_docs docs = {rows, 2, "{\"Error\":{},\"Greeting\":{}}"};
    cleanup_answer struct http_answer a = {0};
    cleanup_json struct json *doc = NULL;
    SR_TRY(serve(false, "test", err));
    http_server_describe(server, &docs);
    SR_TRY(ask("/openapi.json", NULL, &a, err));
    SR_TRY(json_parse(buf_slice(&a.body), &doc, err));
    CHECK(has(&a, "\"summary\":\"greets\""));
    CHECK(has(&a, "{\"name\":\"loud\",\"in\":\"query\",\"required\":false,\"schema\":{\"type\":"
                  "\"boolean\"}}"));
    CHECK(has(&a, "{\"name\":\"times\",\"in\":\"query\",\"required\":true,\"schema\":{\"type\":"
                  "\"integer\"}}"));
    CHECK(has(&a, "{\"name\":\"authorization\",\"in\":\"header\",\"required\":false"));
    CHECK(has(&a, "\"200\":{\"description\":\"done\",\"content\":{\"application/json\":{"
                  "\"schema\":{\"$ref\":\"#/components/schemas/Greeting\"}}}}"));
    CHECK(has(&a, "\"404\":{\"description\":\"refused or failed\""));
    CHECK(has(&a, "\"204\":{\"description\":\"done\"}"));
    CHECK(has(&a, "\"components\":{\"schemas\":{\"Error\":{},\"Greeting\":{}}}"));
    http_server_close(server);
    return SR_OK;
}

FIBER_TEST(an_origin_is_echoed_where_the_official_service_does) {
    cleanup_answer struct http_answer a = {0}, b = {0};
    struct slice v;
    SR_TRY(serve(true, "test", err));
    SR_TRY(ask("/hello/x", "Origin: http://dapp.example", &a, err));
    CHECK(http_answer_header(&a, "Access-Control-Allow-Origin", &v) &&
          slice_is(v, "http://dapp.example"));
    CHECK(http_answer_header(&a, "Vary", &v) && slice_is(v, "Origin"));
    SR_TRY(ask("/hello/x", NULL, &b, err));
    CHECK(http_answer_header(&b, "Access-Control-Allow-Origin", &v) && slice_is(v, "*"));
    http_server_close(server);
    return SR_OK;
}

FIBER_TEST(who_asks_too_often_waits_and_others_do_not) {
    const struct http_limits l = {.per_second = 1, .burst = 3, .client_header = "X-Client"};
    const struct http_limits none = {0};
    SR_TRY(http_set_limits(&l, err));
    SR_TRY(serve(false, "test", err));
    int ok = 0, refused = 0;
    for (int i = 0; i < 5; i++) {
        cleanup_answer struct http_answer a = {0};
        struct slice v;
        SR_TRY(ask("/hello/x", "X-Client: 192.0.2.1", &a, err));
        ok += a.status == 200;
        refused += a.status == 429;
        CHECK(http_answer_header(&a, "X-RateLimit-Limit", &v) && slice_is(v, "3"));
        if (a.status == 429) {
            CHECK(http_answer_header(&a, "Retry-After", &v) && slice_is(v, "1"));
            CHECK(has(&a, "\"error\":\"Rate limit exceeded\""));
        }
    }
    CHECK(ok >= 3 && refused >= 1);
    cleanup_answer struct http_answer b = {0}, c = {0}, d = {0}, e = {0};
    SR_TRY(ask("/hello/x", "X-Client: 192.0.2.2", &b, err));
    CHECK(b.status == 200);
    SR_TRY(ask("/hello/x", "X-Client: 192.0.2.2, 192.0.2.1", &c, err)); /* only the last counts */
    CHECK(c.status == 429);
    SR_TRY(ask("/health", "X-Client: 192.0.2.1", &d, err)); /* a probe is never refused */
    CHECK(d.status == 200);
    SR_TRY(ask("/metrics", "X-Client: 192.0.2.3", &e, err));
    CHECK(has(&e, "http_requests_limited_total"));
    SR_TRY(http_set_limits(&none, err));
    http_server_close(server);
    return SR_OK;
}

FIBER_TEST(clients_beyond_the_table_push_out_the_quiet_ones) {
    const struct http_limits l = {.per_second = 1000, .burst = 1000, .client_header = "X-Client"};
    const struct http_limits none = {0};
    SR_TRY(http_set_limits(&l, err));
    SR_TRY(serve(false, "test", err));
    for (unsigned i = 0; i < 300; i++) {
        cleanup_answer struct http_answer a = {0};
        char header[60];
        (void)snprintf(header, sizeof header, "X-Client: 2001:db8:%x::%x", i, i);
        SR_TRY(ask("/hello/x", header, &a, err));
        CHECK(a.status == 200);
    }
    SR_TRY(http_set_limits(&none, err));
    http_server_close(server);
    return SR_OK;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(health_is_what_the_role_says),
        cmocka_unit_test(figures_count_answers_by_route_and_never_by_path),
        cmocka_unit_test(a_service_with_metrics_of_its_own_gives_figures_to_those_who_ask_for_text),
        cmocka_unit_test(the_routes_are_described_from_their_table),
        cmocka_unit_test(what_a_row_says_of_a_route_is_described),
        cmocka_unit_test(an_origin_is_echoed_where_the_official_service_does),
        cmocka_unit_test(who_asks_too_often_waits_and_others_do_not),
        cmocka_unit_test(clients_beyond_the_table_push_out_the_quiet_ones),
    };
    return cmocka_run_group_tests_name("http_common", t, NULL, end_net);
}
