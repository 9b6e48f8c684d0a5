/* SPDX-License-Identifier: Apache-2.0 */
/* Images out of a registry that is honest, wants a token, lies, or stops in the middle. (The
 * store's own registry: tests/integration/test_apps.py.) */
#include "net/net.h"
#include "oci/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#define TOKEN "a-token.for-everybody"

static char origin[64], host[64];
static struct {
    bool wants_token, changes_blob, cuts_blob, longer_blob, is_index;
    unsigned refused, tokens;
    struct buf config, layer, manifest, index;
    struct hash digest;
} S;

static void name_of(char dst[72], struct slice bytes) {
    struct hash h = sha256(bytes);
    memcpy(dst, "sha256:", 7);
    hex_encode(dst + 7, h.b, 32);
}

/* An image of one empty layer, as Docker names its parts. */
static void make_image(void) {
    char config[72], layer[72], manifest[72];
    buf_init(&S.config, 4096);
    buf_init(&S.layer, 4096);
    buf_init(&S.manifest, 4096);
    buf_init(&S.index, 4096);
    for (int i = 0; i < 1024; i++) buf_u8(&S.layer, 0);
    name_of(layer, buf_slice(&S.layer));
    buf_printf(&S.config,
               "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"/app\"],"
               "\"Labels\":{\"egress\":\"api.example.org:443\"}},"
               "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
#if defined(__aarch64__)
               "arm64",
#else
               "amd64",
#endif
               layer);
    name_of(config, buf_slice(&S.config));
    buf_printf(
        &S.manifest,
        "{\"schemaVersion\":2,\"mediaType\":\"application/"
        "vnd.docker.distribution.manifest.v2+json\","
        "\"config\":{\"mediaType\":\"application/vnd.docker.container.image.v1+json\",\"size\":%zu,"
        "\"digest\":\"%s\"},\"layers\":[{\"mediaType\":\"application/"
        "vnd.docker.image.rootfs.diff.tar\","
        "\"size\":%zu,\"digest\":\"%s\"}]}",
        S.config.n, config, S.layer.n, layer);
    S.digest = sha256(buf_slice(&S.manifest));
    name_of(manifest, buf_slice(&S.manifest));
    buf_printf(
        &S.index,
        "{\"schemaVersion\":2,\"manifests\":["
        "{\"digest\":\"sha256:%064d\",\"platform\":{\"os\":\"plan9\",\"architecture\":\"amd64\"}},"
        "{\"digest\":\"%s\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
        "{\"digest\":\"%s\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}}]}",
        0, manifest, manifest);
}

static sr_status may_see(struct http_req *rq, bool *ret_may, struct sr_err *err) {
    struct slice v;
    *ret_may =
        !S.wants_token || (http_header(rq, "Authorization", &v) && slice_is(v, "Bearer " TOKEN));
    if (*ret_may) return SR_OK;
    char header[300];
    S.refused++;
    (void)snprintf(
        header, sizeof header,
        "Bearer realm=\"%s/token\",service=\"a registry\",scope=\"repository:some/app:pull\"",
        origin);
    http_set_header(rq, "WWW-Authenticate", header);
    return http_reply(rq, 401, "application/json", SLICE_LIT("{}"), err);
}

static sr_status token(struct http_req *rq, void *role, struct sr_err *err) {
    struct slice v;
    (void)role;
    assert_true(http_query(rq, "scope", &v) && slice_is(v, "repository:some/app:pull"));
    assert_true(http_query(rq, "service", &v) && slice_is(v, "a registry"));
    S.tokens++;
    return http_reply(rq, 200, "application/json", SLICE_LIT("{\"token\":\"" TOKEN "\"}"), err);
}

static sr_status manifest(struct http_req *rq, void *role, struct sr_err *err) {
    bool may;
    struct slice which;
    char own[72];
    (void)role;
    SR_TRY(may_see(rq, &may, err));
    if (!may) return SR_OK;
    which = http_param(rq, "which");
    name_of(own, buf_slice(&S.manifest));
    if (slice_is(which, own))
        return http_reply(rq, 200, "application/json", buf_slice(&S.manifest), err);
    char list[72];
    name_of(list, buf_slice(&S.index));
    if (slice_is(which, "1.0") || slice_is(which, list))
        return http_reply(rq, 200, "application/json",
                          buf_slice(S.is_index ? &S.index : &S.manifest), err);
    return http_reply(rq, 404, "application/json", SLICE_LIT("{}"), err);
}

static sr_status blob(struct http_req *rq, void *role, struct sr_err *err) {
    bool may;
    char layer[72];
    (void)role;
    SR_TRY(may_see(rq, &may, err));
    if (!may) return SR_OK;
    name_of(layer, buf_slice(&S.layer));
    struct slice body = buf_slice(slice_is(http_param(rq, "which"), layer) ? &S.layer : &S.config);
    cleanup_buf struct buf copy;
    buf_init(&copy, 8192);
    buf_add(&copy, slice_of(body.p, S.cuts_blob ? body.n - 1 : body.n));
    if (S.changes_blob) copy.p[copy.n / 2] ^= 1;
    if (S.longer_blob) buf_u8(&copy, 0);
    return http_reply(rq, 200, "application/octet-stream", buf_slice(&copy), err);
}

static sr_status pull(const char *name, const struct hash *want, uint64_t max, struct hash *ret,
                      struct sr_err *err) {
    char path[] = "/tmp/sr-registry-XXXXXX", text[300];
    struct registry_ref ref;
    struct oci_source src;
    struct oci_image *img;
    cleanup_close int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0 && unlink(path) == 0);
    (void)snprintf(text, sizeof text, "%s/%s", host, name);
    assert_true(registry_ref_parse(slice_str(text), &ref));
    struct registry_opts o = {.local = origin, .max_bytes = max};
    SR_TRY(registry_pull(&ref, want, &o, fd, ret, err));
    /* What was written is an archive as any other. */
    assert_int_equal(oci_source_fd(fd, &src, NULL), SR_OK);
    assert_int_equal(oci_open(src, &S.digest, &img, NULL), SR_OK);
    assert_string_equal(oci_config(img)->argv.v[0], "/app");
    oci_close(img);
    return SR_OK;
}

static sr_status story(void *arg, struct sr_err *err) {
    static const struct http_route routes[] = {
        {"GET", "/token", token, 0},
        {"GET", "/v2/some/app/manifests/{which}", manifest, 0},
        {"GET", "/v2/some/app/blobs/{which}", blob, 0}};
    const struct http_opts opts = {.routes = routes, .n_routes = SR_ARRAY_LEN(routes)};
    struct http_server *server;
    struct hash got, other = {{1}};
    struct sr_err e = {0};
    (void)arg;
    SR_TRY(http_serve(&opts, "127.0.0.1", 0, -1, &server, err));
    (void)snprintf(origin, sizeof origin, "http://127.0.0.1:%u", http_server_port(server));
    (void)snprintf(host, sizeof host, "127.0.0.1:%u", http_server_port(server));
    /* By its digest, by its tag, out of a list for several platforms. */
    SR_TRY(pull("some/app:1.0", &S.digest, 0, &got, err));
    assert_true(hash_eq(&got, &S.digest));
    SR_TRY(pull("some/app:1.0", NULL, 0, &got, err));
    S.is_index = true;
    SR_TRY(pull("some/app:1.0", NULL, 0, &got, err));
    assert_true(hash_eq(&got, &S.digest));
    struct hash list = sha256(buf_slice(&S.index));
    assert_int_equal(pull("some/app:1.0", &list, 0, &got, &e),
                     SR_E_USAGE); /* no image, but a list of them */
    /* With a token, asked for once. */
    S.wants_token = true;
    SR_TRY(pull("some/app:1.0", NULL, 0, &got, err));
    assert_int_equal(S.tokens, 1);
    assert_int_equal(S.refused, 1);
    S.wants_token = false;
    /* What the image says of hosts, without its layers. */
    struct registry_ref mine;
    struct registry_opts here = {.local = origin};
    struct oci_strings hosts = {0};
    char name[100];
    (void)snprintf(name, sizeof name, "%s/some/app:1.0", host);
    assert_true(registry_ref_parse(slice_str(name), &mine));
    SR_TRY(registry_egress(&mine, &S.digest, &here, &hosts, err));
    assert_int_equal(hosts.n, 1);
    assert_string_equal(hosts.v[0], "api.example.org:443");
    oci_strings_done(&hosts);
    assert_int_equal(registry_egress(&mine, &other, &here, &hosts, &e), SR_E_NOTFOUND);
    e = (struct sr_err){0};
    S.changes_blob = true;
    assert_int_equal(registry_egress(&mine, &S.digest, &here, &hosts, &e), SR_E_CRYPTO);
    S.changes_blob = false;
    /* What is not so. */
    static const struct {
        bool changed, cut, longer;
        uint64_t max;
        sr_status want;
    } lies[] = {{true, false, false, 0, SR_E_CRYPTO},
                {false, true, false, 0, SR_E_CRYPTO},
                {false, false, true, 0, SR_E_CRYPTO},
                {false, false, false, 3000, SR_E_TOOBIG},
                {false, false, false, 100, SR_E_TOOBIG}};
    for (size_t i = 0; i < SR_ARRAY_LEN(lies); i++) {
        S.changes_blob = lies[i].changed;
        S.cuts_blob = lies[i].cut;
        S.longer_blob = lies[i].longer;
        e = (struct sr_err){0};
        assert_int_equal(pull("some/app:1.0", NULL, lies[i].max, &got, &e), lies[i].want);
    }
    S.longer_blob = false;
    assert_int_equal(pull("some/app:2.0", NULL, 0, &got, &e), SR_E_NOTFOUND);
    assert_int_equal(pull("some/app:1.0", &other, 0, &got, &e), SR_E_NOTFOUND);
    assert_int_equal(pull("other/app:1.0", NULL, 0, &got, &e), SR_E_NOTFOUND);
    char pinned[128];
    (void)snprintf(pinned, sizeof pinned, "some/app@sha256:%064d", 1);
    assert_int_equal(pull(pinned, &S.digest, 0, &got, &e), SR_E_USAGE);
    /* A local address that is not the named one's is never asked. */
    struct registry_ref ref;
    struct registry_opts nobody = {0};
    char text[100];
    (void)snprintf(text, sizeof text, "%s/some/app", host);
    assert_true(registry_ref_parse(slice_str(text), &ref));
    e = (struct sr_err){0};
    unsigned before = S.refused;
    S.wants_token = true;
    assert_int_equal(registry_pull(&ref, NULL, &nobody, -1, NULL, &e), SR_E_REFUSED);
    assert_int_equal(S.refused, before);
    http_server_close(server);
    return SR_OK;
}

static void only_what_its_digests_say_is_taken(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_int_equal(net_init(NULL), SR_OK);
    make_image();
    if (net_call(story, NULL, &e) != SR_OK) fail_msg("%s: %s", e.where, e.what);
    buf_done(&S.config);
    buf_done(&S.layer);
    buf_done(&S.manifest);
    buf_done(&S.index);
}

static void names_are_read_as_docker_reads_them(void **state) {
    (void)state;
    static const struct {
        const char *text, *host, *repository, *tag;
    } good[] = {{"debian", "registry-1.docker.io", "library/debian", "latest"},
                {"user/app:1.0", "registry-1.docker.io", "user/app", "1.0"},
                {"docker.io/user/app:V1_x", "registry-1.docker.io", "user/app", "V1_x"},
                {"docker://example.org:5000/a/b-c/d.e:t", "example.org:5000", "a/b-c/d.e", "t"},
                {"localhost/x", "localhost", "x", "latest"},
                {"127.0.0.1:80/apps/x:1", "127.0.0.1:80", "apps/x", "1"}};
    static const char *const bad[] = {"",
                                      "docker://",
                                      "UPPER/case",
                                      "/ipfs/x",
                                      "a//b",
                                      "a/../b",
                                      "a/.b",
                                      "a/",
                                      "a:",
                                      "a:b c",
                                      "-a",
                                      "example.org/",
                                      "a b",
                                      "a?b=c",
                                      "a#b",
                                      "a%2e",
                                      "example.org:5000@x/y",
                                      "a@sha256:12",
                                      "a@md5:00",
                                      "user@host.example/a"};
    struct registry_ref r;
    for (size_t i = 0; i < SR_ARRAY_LEN(good); i++) {
        if (!registry_ref_parse(slice_str(good[i].text), &r)) fail_msg("%s", good[i].text);
        assert_string_equal(r.host, good[i].host);
        assert_string_equal(r.repository, good[i].repository);
        assert_string_equal(r.tag, good[i].tag);
        assert_false(r.has_digest);
    }
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        if (registry_ref_parse(slice_str(bad[i]), &r)) fail_msg("%s", bad[i]);
    char text[300];
    (void)snprintf(text, sizeof text, "ghcr.io/a/b:1@sha256:%064d", 7);
    assert_true(registry_ref_parse(slice_str(text), &r));
    assert_true(r.has_digest && r.digest.b[31] == 0x07);
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_false(registry_ref_parse(slice_str(text), &r));
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(names_are_read_as_docker_reads_them),
        cmocka_unit_test(only_what_its_digests_say_is_taken),
    };
    return cmocka_run_group_tests_name("oci/registry", t, NULL, NULL);
}
