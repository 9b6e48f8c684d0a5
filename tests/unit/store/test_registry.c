/* SPDX-License-Identifier: Apache-2.0 */
/* The store as an OCI registry, over HTTP in this process. */
#include "store/names.h"
#include "store/store_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"

static struct world {
    char dir[64], origin[64];
    struct store store;
    struct http_server *server;
} W;

static void open_store(void) {
    W.store = (struct store){.max_add = 1u << 20, .grace_ms = ADD_GRACE_MS};
    W.store.registry.mode = REGISTRY_OPEN;
    assert_int_equal(blobs_open(W.dir, UINT64_MAX, &W.store.blobs, NULL), SR_OK);
    assert_int_equal(store_serve(&W.store, "127.0.0.1", 0, -1, &W.server, NULL), SR_OK);
    (void)snprintf(W.origin, sizeof W.origin, "http://127.0.0.1:%u", http_server_port(W.server));
}

static void close_store(void) {
    http_server_close(W.server);
    registry_done(&W.store.registry);
    blobs_close(W.store.blobs);
}

static int setup(void **state) {
    (void)state;
    assert_int_equal(net_init(NULL), SR_OK);
    (void)snprintf(W.dir, sizeof W.dir, "/tmp/registry-test-XXXXXX");
    assert_non_null(mkdtemp(W.dir));
    open_store();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    close_store();
    assert_int_equal(fs_remove_tree(W.dir, NULL), SR_OK);
    return 0;
}

static void in_fiber(sr_status (*story)(void *arg, struct sr_err *err)) {
    struct sr_err e = {0};
    if (net_call(story, NULL, &e) != SR_OK) fail_msg("%s: %s", e.where, e.what);
}

static sr_status ask(const char *method, const char *path, const char *header, const char *body,
                     struct http_answer *a, struct sr_err *err) {
    char url[512];
    const char *headers[] = {header, NULL};
    (void)snprintf(url, sizeof url, "%s%s", W.origin, path);
    struct http_call c = {.method = method,
                          .url = url,
                          .headers = header ? headers : NULL,
                          .body = slice_str(body ? body : ""),
                          .max_body = 8u << 20};
    return http_fetch(&c, a, err);
}

/* Asks, and checks status and, unless NULL, a text that the answer's body must have. */
static void expect(int status, const char *text, const char *method, const char *path,
                   const char *header, const char *body) {
    cleanup_answer struct http_answer a = {0};
    struct sr_err e = {0};
    if (ask(method, path, header, body, &a, &e) != SR_OK)
        fail_msg("%s %s: %s", method, path, e.what);
    if (a.status != status || (text && !strstr(buf_cstr(&a.body), text)))
        fail_msg("%s %s: %d %s", method, path, a.status, buf_cstr(&a.body));
}

static struct digest_text digest_of(const char *text) {
    struct hash h = sha256(slice_str(text));
    return reg_digest_text(&h);
}

static void push_whole(const char *name, const char *text) {
    char path[300];
    (void)snprintf(path, sizeof path, "/v2/%s/blobs/uploads/?digest=%s", name, digest_of(text).s);
    expect(201, NULL, "POST", path, "Content-Type: application/octet-stream", text);
}

static struct slice header_of(const struct http_answer *a, const char *name) {
    struct slice v = {NULL, 0};
    assert_true(http_answer_header(a, name, &v));
    return v;
}

static void manifest_of(char dst[600], const char *config, const char *layer, const char *extra) {
    (void)snprintf(dst, 600,
                   "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE "\",\"config\":{"
                   "\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\","
                   "\"size\":%zu},\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1."
                   "tar\",\"digest\":\"%s\",\"size\":%zu}]%s}",
                   digest_of(config).s, strlen(config), digest_of(layer).s, strlen(layer), extra);
}

static sr_status image_story(void *arg, struct sr_err *err) {
    (void)arg;
    char m[600], path[300], dir[64];
    cleanup_answer struct http_answer a = {0}, b = {0}, c = {0};
    expect(200, "{}", "GET", "/v2/", NULL, NULL);
    push_whole("team/app", "{}");
    push_whole("team/app", "the layer");
    manifest_of(m, "{}", "the layer", "");
    expect(201, NULL, "PUT", "/v2/team/app/manifests/v1", "Content-Type: " MANIFEST_TYPE, m);
    SR_TRY(ask("GET", "/v2/team/app/manifests/v1", NULL, NULL, &a, err));
    assert_int_equal(a.status, 200);
    assert_string_equal(buf_cstr(&a.body), m);
    assert_true(slice_is(header_of(&a, "Content-Type"), MANIFEST_TYPE));
    assert_true(slice_is(header_of(&a, "Docker-Content-Digest"), digest_of(m).s));
    /* the same content is there under the CID that the answer names */
    struct slice ipfs = header_of(&a, "X-Ipfs-Path");
    (void)snprintf(path, sizeof path, "%.*s", (int)ipfs.n, (const char *)ipfs.p);
    expect(200, m, "GET", path, NULL, NULL);
    (void)snprintf(path, sizeof path, "/v2/team/app/manifests/%s", digest_of(m).s);
    SR_TRY(ask("HEAD", path, NULL, NULL, &b, err));
    assert_int_equal(b.status, 200);
    (void)snprintf(path, sizeof path, "/v2/team/app/blobs/%s", digest_of("the layer").s);
    SR_TRY(ask("GET", path, "Range: bytes=4-", NULL, &c, err));
    assert_int_equal(c.status, 206);
    assert_string_equal(buf_cstr(&c.body), "layer");
    /* a manifest belongs to its repository; blobs are everybody's */
    expect(404, "MANIFEST_UNKNOWN", "GET", "/v2/other/manifests/v1", NULL, NULL);
    (void)snprintf(path, sizeof path, "/v2/other/blobs/uploads/?mount=%s&from=team/app",
                   digest_of("the layer").s);
    expect(201, NULL, "POST", path, NULL, NULL);
    /* all of it outlives the process */
    (void)snprintf(dir, sizeof dir, "%s", W.dir);
    close_store();
    open_store();
    expect(200, m, "GET", "/v2/team/app/manifests/v1", NULL, NULL);
    return SR_OK;
}
static void an_image_is_pushed_pulled_and_kept(void **state) {
    (void)state;
    in_fiber(image_story);
}

static sr_status pieces_story(void *arg, struct sr_err *err) {
    (void)arg;
    char place[200], path[300];
    cleanup_answer struct http_answer a = {0}, b = {0}, c = {0}, d = {0};
    SR_TRY(ask("POST", "/v2/app/blobs/uploads/", NULL, NULL, &a, err));
    assert_int_equal(a.status, 202);
    struct slice at = header_of(&a, "Location");
    (void)snprintf(place, sizeof place, "%.*s", (int)at.n, (const char *)at.p);
    SR_TRY(ask("PATCH", place, "Content-Range: 0-4", "first", &b, err));
    assert_int_equal(b.status, 202);
    assert_true(slice_is(header_of(&b, "Range"), "0-4"));
    /* what does not go on from there changes nothing */
    SR_TRY(ask("PATCH", place, "Content-Range: 9-14", "later", &c, err));
    assert_int_equal(c.status, 416);
    assert_true(slice_is(header_of(&c, "Range"), "0-4"));
    expect(202, NULL, "PATCH", place, NULL, " second");
    SR_TRY(ask("GET", place, NULL, NULL, &d, err));
    assert_int_equal(d.status, 204);
    assert_true(slice_is(header_of(&d, "Range"), "0-11"));
    expect(400, "DIGEST_INVALID", "PUT", place, NULL, NULL);
    (void)snprintf(path, sizeof path, "%s?digest=%s", place, digest_of("first second third").s);
    expect(201, NULL, "PUT", path, NULL, " third");
    (void)snprintf(path, sizeof path, "/v2/app/blobs/%s", digest_of("first second third").s);
    expect(200, "first second third", "GET", path, NULL, NULL);
    expect(404, "BLOB_UPLOAD_UNKNOWN", "PATCH", place, NULL, "more");
    return SR_OK;
}
static void a_blob_comes_in_pieces(void **state) {
    (void)state;
    in_fiber(pieces_story);
}

static sr_status wrong_story(void *arg, struct sr_err *err) {
    (void)arg;
    char m[600], path[300], place[200];
    static const char zero[] =
        "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    cleanup_answer struct http_answer a = {0};
    (void)snprintf(path, sizeof path, "/v2/app/blobs/uploads/?digest=%s", zero);
    expect(400, "DIGEST_INVALID", "POST", path, NULL, "not these bytes");
    expect(400, "DIGEST_INVALID", "POST", "/v2/app/blobs/uploads/?digest=sha512:00", NULL, "x");
    (void)snprintf(path, sizeof path, "/v2/app/blobs/%s", digest_of("not these bytes").s);
    expect(404, "BLOB_UNKNOWN", "GET", path, NULL, NULL); /* a wrong digest leaves nothing */
    (void)snprintf(path, sizeof path, "/v2/app/blobs/%s", zero);
    expect(404, "BLOB_UNKNOWN", "GET", path, NULL, NULL);
    expect(400, "DIGEST_INVALID", "GET", "/v2/app/blobs/sha256:zz", NULL, NULL);
    expect(404, "NAME_INVALID", "GET", "/v2/App/manifests/v1", NULL, NULL);
    expect(404, "NAME_INVALID", "GET", "/v2/a/../b/manifests/v1", NULL, NULL);
    expect(404, "NAME_INVALID", "GET", "/v2/.hidden/tags/list", NULL, NULL);
    expect(404, "NAME_UNKNOWN", "GET", "/v2/app/tags/list", NULL, NULL);
    push_whole("app", "{}");
    manifest_of(m, "{}", "a layer that is not here", "");
    expect(400, "MANIFEST_BLOB_UNKNOWN", "PUT", "/v2/app/manifests/v1", NULL, m);
    push_whole("app", "layer");
    manifest_of(m, "{}", "layer", "");
    expect(400, "TAG_INVALID", "PUT", "/v2/app/manifests/-x", NULL, m);
    expect(400, "MANIFEST_INVALID", "PUT", "/v2/app/manifests/v1", "Content-Type: text/html", m);
    expect(400, "MANIFEST_INVALID", "PUT", "/v2/app/manifests/v1", NULL, "{\"schemaVersion\":1}");
    expect(400, "MANIFEST_INVALID", "PUT", "/v2/app/manifests/v1", NULL, "no JSON");
    (void)snprintf(path, sizeof path, "/v2/app/manifests/%s", zero);
    expect(400, "DIGEST_INVALID", "PUT", path, NULL, m);
    expect(405, "UNSUPPORTED", "DELETE", "/v2/app/manifests/v1", NULL, NULL);
    /* over the limit of the store (1 MiB in this test): refused, and the upload is over */
    SR_TRY(ask("POST", "/v2/app/blobs/uploads/", NULL, NULL, &a, err));
    struct slice at = header_of(&a, "Location");
    (void)snprintf(place, sizeof place, "%.*s", (int)at.n, (const char *)at.p);
    cleanup_free char *big = malloc((1u << 20) + 2);
    assert_non_null(big);
    memset(big, 'x', (1u << 20) + 1);
    big[(1u << 20) + 1] = 0;
    expect(413, "SIZE_INVALID", "PATCH", place, NULL, big);
    expect(404, "BLOB_UPLOAD_UNKNOWN", "DELETE", place, NULL, NULL);
    W.store.registry.mode = REGISTRY_READ;
    expect(403, "DENIED", "POST", "/v2/app/blobs/uploads/", NULL, NULL);
    W.store.registry.mode = REGISTRY_OFF;
    expect(404, "UNSUPPORTED", "GET", "/v2/", NULL, NULL);
    return SR_OK;
}
static void what_is_wrong_is_refused_in_the_standards_words(void **state) {
    (void)state;
    in_fiber(wrong_story);
}

static sr_status lists_story(void *arg, struct sr_err *err) {
    (void)arg;
    char m[600];
    cleanup_answer struct http_answer a = {0};
    push_whole("a", "{}");
    push_whole("a", "layer");
    manifest_of(m, "{}", "layer", "");
    static const char *const places[] = {"/v2/b/c/manifests/2", "/v2/a/manifests/one",
                                         "/v2/a/manifests/two", "/v2/a/manifests/Three"};
    for (size_t i = 0; i < SR_ARRAY_LEN(places); i++)
        expect(201, NULL, "PUT", places[i], "Content-Type: " MANIFEST_TYPE, m);
    expect(200, "{\"repositories\":[\"a\",\"b/c\"]}", "GET", "/v2/_catalog", NULL, NULL);
    expect(200, "[\"Three\",\"one\",\"two\"]", "GET", "/v2/a/tags/list", NULL, NULL);
    SR_TRY(ask("GET", "/v2/a/tags/list?n=2", NULL, NULL, &a, err));
    assert_true(slice_is(header_of(&a, "Link"), "</v2/a/tags/list?n=2&last=one>; rel=\"next\""));
    expect(200, "{\"name\":\"a\",\"tags\":[\"two\"]}", "GET", "/v2/a/tags/list?n=2&last=one", NULL,
           NULL);
    /* a tag moves; the manifest it had stays under its digest */
    manifest_of(m, "{}", "layer", ",\"annotations\":{}");
    expect(201, NULL, "PUT", "/v2/a/manifests/one", "Content-Type: " MANIFEST_TYPE, m);
    expect(200, "annotations", "GET", "/v2/a/manifests/one", NULL, NULL);
    return SR_OK;
}
static void tags_and_repositories_are_listed_in_pages(void **state) {
    (void)state;
    in_fiber(lists_story);
}

static sr_status many_story(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    for (unsigned i = 0; i < REG_SESSIONS_MAX; i++)
        expect(202, NULL, "POST", "/v2/app/blobs/uploads/", NULL, NULL);
    expect(503, "TOOMANYREQUESTS", "POST", "/v2/app/blobs/uploads/", NULL, NULL);
    return SR_OK;
}
static void uploads_that_nobody_ends_are_bounded(void **state) {
    (void)state;
    in_fiber(many_story);
}

static void paths_are_read_strictly(void **state) {
    (void)state;
    struct reg_path p;
    static const char *const good[] = {"",
                                       "_catalog",
                                       "a/tags/list",
                                       "a/blobs/uploads",
                                       "a/blobs/uploads/",
                                       "a__b/c.d-e/manifests/x",
                                       "blobs/blobs/blobs/sha256:0",
                                       "a/blobs/uploads/00ff"};
    static const char *const bad[] = {"a",
                                      "a/b",
                                      "/manifests/x",
                                      "a//manifests/x",
                                      "a_-b/manifests/x",
                                      "a___b/manifests/x",
                                      "-a/manifests/x",
                                      "a/tags/other",
                                      "a+b/manifests/x",
                                      "a\n/manifests/x"};
    for (size_t i = 0; i < SR_ARRAY_LEN(good); i++)
        if (!reg_path_parse(slice_str(good[i]), &p)) fail_msg("'%s' is refused", good[i]);
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        if (reg_path_parse(slice_str(bad[i]), &p)) fail_msg("'%s' is taken", bad[i]);
    assert_true(reg_path_parse(slice_str("blobs/uploads/blobs/uploads/1"), &p));
    assert_true(slice_is(p.name, "blobs/uploads"));
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test_setup_teardown(an_image_is_pushed_pulled_and_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blob_comes_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_in_the_standards_words, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tags_and_repositories_are_listed_in_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(uploads_that_nobody_ends_are_bounded, setup, teardown),
        cmocka_unit_test(paths_are_read_strictly),
    };
    return cmocka_run_group_tests_name("registry", t, NULL, NULL);
}
