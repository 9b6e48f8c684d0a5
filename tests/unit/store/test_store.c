/* SPDX-License-Identifier: Apache-2.0 */
/* The store over HTTP, in this process: node and gateway as clients use them. */
#include "ipfs/client.h"
#include "store/store_int.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct world {
    char dir[64], origin[64];
    struct store store;
    struct http_server *server;
} W;

static void open_world(uint64_t quota) {
    assert_int_equal(net_init(NULL), SR_OK);
    (void)snprintf(W.dir, sizeof W.dir, "/tmp/store-test-XXXXXX");
    assert_non_null(mkdtemp(W.dir));
    W.store = (struct store){.max_add = ADD_BYTES_DEFAULT, .grace_ms = ADD_GRACE_MS};
    assert_int_equal(blobs_open(W.dir, quota, &W.store.blobs, NULL), SR_OK);
    assert_int_equal(store_serve(&W.store, "127.0.0.1", 0, -1, &W.server, NULL), SR_OK);
    (void)snprintf(W.origin, sizeof W.origin, "http://127.0.0.1:%u", http_server_port(W.server));
}

static int setup(void **state) {
    (void)state;
    open_world(UINT64_MAX);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    http_server_close(W.server);
    blobs_close(W.store.blobs);
    assert_int_equal(fs_remove_tree(W.dir, NULL), SR_OK);
    return 0;
}

/* Runs a story in a fiber. */
static void in_fiber(sr_status (*story)(void *arg, struct sr_err *err)) {
    struct sr_err e = {0};
    if (net_call(story, NULL, &e) != SR_OK) fail_msg("%s: %s", e.where, e.what);
}

static sr_status get(const char *method, const char *path, const char *header,
                     struct http_answer *a, struct sr_err *err) {
    char url[512];
    (void)snprintf(url, sizeof url, "%s%s", W.origin, path);
    const char *headers[] = {header, NULL};
    struct http_call c = {
        .method = method, .url = url, .headers = header ? headers : NULL, .max_body = 64u << 20};
    return http_fetch(&c, a, err);
}

static bool header_is(const struct http_answer *a, const char *name, const char *want) {
    struct slice v;
    return http_answer_header(a, name, &v) && slice_is(v, want);
}

static uint8_t *noise(size_t n, uint32_t seed) {
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(seed >> 24);
    }
    return p;
}

static sr_status random_sizes_story(void *arg, struct sr_err *err) {
    (void)arg;
    uint32_t seed = 20;
    for (int i = 0; i < 24; i++) {
        seed = seed * 1664525u + 1013904223u;
        size_t n = i == 0 ? 0 : i == 1 ? IPFS_CHUNK : (seed >> 8) % (i < 20 ? 400000u : 3000000u);
        cleanup_free uint8_t *p = noise(n, seed);
        struct dag_result r;
        cleanup_buf struct buf back;
        uint64_t size;
        char path[96];
        buf_init(&back, n + 1);
        SR_TRY(ipfs_add_bytes(W.origin, slice_of(p, n), &r, err));
        (void)snprintf(path, sizeof path, "/p2p/%s", cid_text(&r.cid).s);
        SR_TRY(ipfs_head(W.origin, slice_str(path), &size, err));
        assert_int_equal(size, n);
        SR_TRY(ipfs_get_bytes(W.origin, slice_str(path), &back, err));
        assert_true(slice_eq(buf_slice(&back), slice_of(p, n)));
        buf_clear(&back); /* the version 1 form is the same content */
        (void)snprintf(path, sizeof path, "ipfs://%s", cid_text1(&r.cid).s);
        SR_TRY(ipfs_get_bytes(W.origin, slice_str(path), &back, err));
        assert_int_equal(back.n, n);
    }
    return SR_OK;
}
static void content_of_random_sizes_comes_back(void **state) {
    (void)state;
    in_fiber(random_sizes_story);
}

/* The exchange that the official client was recorded in. */
static sr_status recorded_story(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_answer struct http_answer a = {0}, b = {0}, c = {0};
    static const char body[] =
        "-------------------------------QGV2KnJDHlC12X-NRtaN5\r\nContent-Disposition: form-data; "
        "name=\"file\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        "[\"QmdsWvh4wrr9uSCh4Zd6uHc8FRAq7GZhg1gfnMn2xEhc2R\"]\r\n"
        "-------------------------------QGV2KnJDHlC12X-NRtaN5--\r\n";
    static const char *const headers[] = {
        "Content-Type: multipart/form-data; "
        "boundary=-----------------------------QGV2KnJDHlC12X-NRtaN5",
        NULL};
    char url[200];
    (void)snprintf(url, sizeof url, "%s/api/v0/add?stream-channels=true&progress=false", W.origin);
    struct http_call call = {
        .method = "POST", .url = url, .headers = headers, .body = slice_str(body)};
    SR_TRY(http_fetch(&call, &a, err));
    assert_int_equal(a.status, 200);
    assert_true(header_is(&a, "Content-Type", "application/json"));
    assert_string_equal(buf_cstr(&a.body),
                        "{\"Name\":\"Qmf2u3iMLXKC8A9EsBcCGY2YbnFdvByEKsfeu2euJaHhWf\","
                        "\"Hash\":\"Qmf2u3iMLXKC8A9EsBcCGY2YbnFdvByEKsfeu2euJaHhWf\","
                        "\"Size\":\"58\"}\n");
    SR_TRY(get("HEAD", "/ipfs/Qmf2u3iMLXKC8A9EsBcCGY2YbnFdvByEKsfeu2euJaHhWf", NULL, &b, err));
    assert_int_equal(b.status, 200);
    assert_true(header_is(&b, "Content-Type", "application/octet-stream"));
    assert_true(header_is(&b, "Content-Length", "50"));
    assert_true(header_is(&b, "Access-Control-Allow-Origin", "*"));
    SR_TRY(get("GET", "/api/v0/add", NULL, &c, err));
    assert_int_equal(c.status, 405);
    return SR_OK;
}
static void the_recorded_exchange_is_answered_as_recorded(void **state) {
    (void)state;
    in_fiber(recorded_story);
}

static sr_status ranges_story(void *arg, struct sr_err *err) {
    (void)arg;
    static const struct {
        const char *range;
        int status;
        size_t from, to;
    } t[] = {{"Range: bytes=0-0", 206, 0, 1},
             {"Range: bytes=5-", 206, 5, 300000},
             {"Range: bytes=-7", 206, 299993, 300000},
             {"Range: bytes=-999999", 206, 0, 300000},
             {"Range: bytes=262140-262150", 206, 262140, 262151},
             {"Range: bytes=299999-400000", 206, 299999, 300000},
             {"Range: bytes=300000-", 416, 0, 0},
             {"Range: bytes=-0", 416, 0, 0},
             {"Range: bytes=9-3", 200, 0, 300000},
             {"Range: bytes=0-1,5-6", 200, 0, 300000},
             {"Range: lines=1-2", 200, 0, 300000},
             {"Range: bytes=99999999999999999999-", 200, 0, 300000}};
    cleanup_free uint8_t *p = noise(300000, 9);
    struct dag_result r;
    char path[96], etag[128];
    SR_TRY(ipfs_add_bytes(W.origin, slice_of(p, 300000), &r, err));
    (void)snprintf(path, sizeof path, "/ipfs/%s", cid_text(&r.cid).s);
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        cleanup_answer struct http_answer a = {0};
        SR_TRY(get("GET", path, t[i].range, &a, err));
        if (a.status != t[i].status) fail_msg("%s: %d", t[i].range, a.status);
        if (a.status == 416) {
            assert_true(header_is(&a, "Content-Range", "bytes */300000"));
            continue;
        }
        assert_true(slice_eq(buf_slice(&a.body), slice_of(p + t[i].from, t[i].to - t[i].from)));
        char want[64];
        (void)snprintf(want, sizeof want, "bytes %zu-%zu/300000", t[i].from, t[i].to - 1);
        if (a.status == 206) assert_true(header_is(&a, "Content-Range", want));
    }
    cleanup_answer struct http_answer a = {0}, b = {0};
    (void)snprintf(etag, sizeof etag, "If-None-Match: W/\"x\", \"%s\"", cid_text(&r.cid).s);
    SR_TRY(get("GET", path, etag, &a, err));
    assert_int_equal(a.status, 304);
    assert_int_equal(a.body.n, 0);
    SR_TRY(get("HEAD", path, "Range: bytes=0-9", &b, err));
    assert_int_equal(b.status, 206);
    assert_true(header_is(&b, "Content-Length", "10"));
    return SR_OK;
}
static void ranges_and_tags_follow_the_standard(void **state) {
    (void)state;
    in_fiber(ranges_story);
}

static sr_status form(const char *query, const char *body, struct http_answer *a,
                      struct sr_err *err) {
    static const char *const headers[] = {"Content-Type: multipart/form-data; boundary=B", NULL};
    char url[300];
    (void)snprintf(url, sizeof url, "%s/api/v0/add%s", W.origin, query);
    struct http_call call = {
        .method = "POST", .url = url, .headers = headers, .body = slice_str(body)};
    return http_fetch(&call, a, err);
}

#define FILE_PART(name, data)                                                                      \
    "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" name "\"\r\n\r\n" data     \
    "\r\n"

/* The last line's CID was made by the reference importer from the same files. */
static sr_status known_folder_story(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_answer struct http_answer a = {0};
    SR_TRY(form("?wrap-with-directory=true",
                FILE_PART("d%2Fb%2Fc.txt", "sea") FILE_PART("d%2Fa.txt", "hello") "--B--\r\n", &a,
                err));
    assert_non_null(strstr(buf_cstr(&a.body),
                           "{\"Name\":\"d/b\","
                           "\"Hash\":\"QmSVDRFSHbhoW641xyZovExtJe2a5wpjkUtaHdtBf5D5kj\","
                           "\"Size\":\"62\"}\n"));
    assert_non_null(strstr(buf_cstr(&a.body),
                           "{\"Name\":\"\","
                           "\"Hash\":\"Qmde4tR5gpvJDgHAtE995o2ZfCGm6JJjn22QuexPtBfKPY\","
                           "\"Size\":\"217\"}\n"));
    return SR_OK;
}
static void folders_have_the_cids_of_the_reference_importer(void **state) {
    (void)state;
    in_fiber(known_folder_story);
}

static sr_status folders_story(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_answer struct http_answer a = {0}, b = {0}, c = {0}, d = {0};
    SR_TRY(form("?wrap-with-directory=true",
                FILE_PART("dir%2Fb.txt", "bee") FILE_PART("dir%2Fsub%2Fc", "sea")
                    FILE_PART("a", "hello") "--B--\r\n",
                &a, err));
    assert_int_equal(a.status, 200);
    struct slice line, rest = slice_trim(buf_slice(&a.body)), hash = {NULL, 0};
    size_t lines = 0;
    cleanup_json struct json *doc = NULL;
    while (rest.n > 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        json_free(sr_take_ptr(doc));
        SR_TRY(json_parse(line, &doc, err));
        assert_true(json_str(json_get(json_root(doc), "Hash"), &hash));
        lines++;
    }
    assert_int_equal(lines, 6); /* three files, two folders, the wrapping one */
    char path[128];
    cleanup_buf struct buf got;
    buf_init(&got, 100);
    (void)snprintf(path, sizeof path, "/ipfs/%.*s/dir/sub/c", (int)hash.n, (const char *)hash.p);
    SR_TRY(ipfs_get_bytes(W.origin, slice_str(path), &got, err)); /* block by block, verified */
    assert_string_equal(buf_cstr(&got), "sea");
    SR_TRY(get("GET", path, NULL, &b, err));
    assert_string_equal(buf_cstr(&b.body), "sea");
    (void)snprintf(path, sizeof path, "/ipfs/%.*s/dir/none", (int)hash.n, (const char *)hash.p);
    SR_TRY(get("GET", path, NULL, &c, err));
    assert_int_equal(c.status, 404);
    (void)snprintf(path, sizeof path, "/ipfs/%.*s/", (int)hash.n, (const char *)hash.p);
    SR_TRY(get("GET", path, NULL, &d, err));
    assert_int_equal(d.status, 200);
    assert_non_null(strstr(buf_cstr(&d.body), "\"name\":\"dir\""));
    return SR_OK;
}
static void folders_are_kept_and_walked(void **state) {
    (void)state;
    in_fiber(folders_story);
}

static sr_status refusals_story(void *arg, struct sr_err *err) {
    (void)arg;
    static const struct {
        const char *query, *body;
        int status;
    } t[] = {
        {"?cid-version=1", FILE_PART("", "x") "--B--", 400},
        {"?raw-leaves=true", FILE_PART("", "x") "--B--", 400},
        {"?chunker=size-1024", FILE_PART("", "x") "--B--", 400},
        {"", "--B--", 400},
        {"", "no form", 400},
        {"", FILE_PART("", "x"), 400},
        {"", FILE_PART("../x", "x") "--B--", 400},
        {"?w=true", FILE_PART("x", "x") FILE_PART("x", "y") "--B--", 400},
        {"?w=true", FILE_PART("x", "x") FILE_PART("x%2Fy", "y") "--B--", 400},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        cleanup_answer struct http_answer a = {0};
        SR_TRY(form(t[i].query, t[i].body, &a, err));
        if (a.status != t[i].status) fail_msg("case %zu: %d", i, a.status);
        assert_non_null(strstr(buf_cstr(&a.body), "\"Message\":"));
        assert_non_null(strstr(buf_cstr(&a.body), "\"Type\":\"error\""));
    }
    static const struct {
        const char *method, *path;
        int status;
    } g[] = {
        {"GET", "/ipfs/QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", 404},
        {"GET", "/ipfs/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", 404},
        {"GET", "/ipfs/rubbish", 400},
        {"GET", "/ipfs/..%2f..%2fetc/passwd", 400},
        {"GET", "/ipfs/", 400},
        {"POST", "/api/v0/cat?arg=QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", 404},
        {"POST", "/api/v0/cat", 400},
        {"POST", "/api/v0/pin/rm?arg=QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", 403},
        {"POST", "/api/v0/nothing", 404},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(g); i++) {
        cleanup_answer struct http_answer a = {0};
        SR_TRY(get(g[i].method, g[i].path, NULL, &a, err));
        if (a.status != g[i].status) fail_msg("%s: %d", g[i].path, a.status);
        cleanup_json struct json *doc = NULL;
        assert_int_equal(json_parse(buf_slice(&a.body), &doc, NULL), SR_OK);
    }
    return SR_OK;
}
static void bad_requests_get_an_error_that_says_why(void **state) {
    (void)state;
    in_fiber(refusals_story);
}

static size_t files_in(const char *sub) {
    char cmd[128];
    size_t n = 0;
    struct stat s;
    (void)snprintf(cmd, sizeof cmd, "%s/%s", W.dir, sub);
    assert_int_equal(stat(cmd, &s), 0);
    n = (size_t)s.st_nlink;
    return n;
}

/* A client that promises more than it sends, and goes. */
static sr_status cut_story(void *arg, struct sr_err *err) {
    (void)arg;
    struct stream *s;
    struct blobs_stat before, after;
    blobs_count(W.store.blobs, &before);
    SR_TRY(stream_connect_tcp("127.0.0.1", http_server_port(W.server), false, 1000, &s, err));
    SR_TRY(stream_write(
        s,
        SLICE_LIT(
            "POST /api/v0/add HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n"
            "Content-Type: multipart/form-data; boundary=B\r\n\r\n" FILE_PART("", "some bytes")),
        err));
    stream_close(s);
    cleanup_answer struct http_answer a = {0};
    for (int i = 0; i < 200; i++) { /* until the handler has noticed */
        blobs_count(W.store.blobs, &after);
        if (i > 2 && after.bytes == before.bytes) break;
        SR_TRY(fiber_sleep(5, err));
    }
    assert_int_equal(after.bytes, before.bytes);
    assert_int_equal(after.files, before.files);
    SR_TRY(get("GET", "/v1/store", NULL, &a, err)); /* and goes on */
    assert_int_equal(a.status, 200);
    return SR_OK;
}
static void a_client_that_goes_away_leaves_nothing(void **state) {
    (void)state;
    in_fiber(cut_story);
    assert_int_equal(files_in("tmp"), 2);
}

static sr_status quota_story(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_free uint8_t *p = noise(600000, 3);
    struct dag_result r;
    struct sr_err e = {0};
    struct blobs_stat st;
    SR_TRY(ipfs_add_bytes(W.origin, slice_of(p, 500000), &r, err));
    SR_TRY(ipfs_add_bytes(W.origin, slice_of(p, 500000), &r, err)); /* again: takes no more room */
    blobs_count(W.store.blobs, &st);
    assert_int_equal(st.bytes, 500000);
    assert_int_equal(ipfs_add_bytes(W.origin, slice_of(p, 600000), &r, &e), SR_E_TOOBIG);
    assert_non_null(strstr(e.what, "quota"));
    blobs_count(W.store.blobs, &st);
    assert_int_equal(st.bytes, 500000);
    SR_TRY(ipfs_add_bytes(W.origin, slice_of(p, 400000), &r, err));
    W.store.max_add = 1000;
    memset(&e, 0, sizeof e);
    assert_int_equal(ipfs_add_bytes(W.origin, slice_of(p, 2000), &r, &e), SR_E_TOOBIG);
    return SR_OK;
}
static sr_status folder_quota_story(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_free uint8_t *p = noise(1400, 4);
    struct cid cid;
    struct sr_err e = {0};
    struct blobs_stat st;
    SR_TRY(blobs_put_dir(W.store.blobs, slice_of(p, 600), &cid, err));
    SR_TRY(blobs_put_dir(W.store.blobs, slice_of(p, 600), &cid, err)); /* again: no more room */
    assert_int_equal(blobs_put_dir(W.store.blobs, slice_of(p + 600, 800), &cid, &e), SR_E_TOOBIG);
    assert_non_null(strstr(e.what, "quota"));
    blobs_count(W.store.blobs, &st);
    assert_int_equal(st.bytes, 600);
    struct blobs *again = NULL; /* and a restart does not forget them */
    SR_TRY(blobs_open(W.dir, 1300, &again, err));
    blobs_count(again, &st);
    blobs_close(again);
    assert_int_equal(st.bytes, 600);
    return SR_OK;
}
static void folders_count_against_the_quota_too(void **state) {
    (void)state;
    (void)teardown(NULL);
    open_world(1300);
    in_fiber(folder_quota_story);
}

static void quota_and_size_limit_hold(void **state) {
    (void)state;
    (void)teardown(NULL);
    open_world(1000000);
    in_fiber(quota_story);
}

/* A limit on the size of files fails as a full disk does. */
static sr_status full_story(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_free uint8_t *p = noise(900000, 3);
    struct dag_result r;
    struct sr_err e = {0};
    struct blobs_stat st;
    struct rlimit old, small = {400000, 400000};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    sr_status got = ipfs_add_bytes(W.origin, slice_of(p, 900000), &r, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(got, SR_E_UNAVAILABLE);
    assert_non_null(strstr(e.what, "disk is full"));
    blobs_count(W.store.blobs, &st);
    assert_int_equal(st.bytes, 0);
    return ipfs_add_bytes(W.origin, slice_of(p, 900000), &r, err); /* room again */
}
static void a_full_disk_is_told_and_leaves_nothing(void **state) {
    (void)state;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    in_fiber(full_story);
    assert_int_equal(files_in("tmp"), 2);
}

static sr_status slow_story(void *arg, struct sr_err *err) {
    (void)arg;
    struct stream *s;
    char answer[4096];
    size_t n = 0;
    W.store.grace_ms = 0;
    SR_TRY(stream_connect_tcp("127.0.0.1", http_server_port(W.server), false, 1000, &s, err));
    SR_TRY(
        stream_write(s,
                     SLICE_LIT("POST /api/v0/add HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n"
                               "Content-Type: multipart/form-data; boundary=B\r\n\r\n"),
                     err));
    for (int i = 0; i < 5; i++) {
        SR_TRY(fiber_sleep(3, err)); /* the passing of time is what is tested */
        if (stream_write(s, SLICE_LIT("-"), NULL) != SR_OK) break;
    }
    SR_TRY(stream_read(s, answer, sizeof answer, 5000, &n, err));
    assert_true(slice_starts(slice_of(answer, n), "HTTP/1.1 504"));
    stream_close(s);
    return SR_OK;
}
static void an_upload_that_drips_is_ended(void **state) {
    (void)state;
    in_fiber(slow_story);
}

static sr_status tampered_story(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_free uint8_t *p = noise(600000, 4);
    struct dag_result r;
    struct sr_err e = {0};
    cleanup_buf struct buf back, path, loc;
    buf_init(&back, 700000);
    buf_init(&path, 300);
    buf_init(&loc, 300);
    SR_TRY(ipfs_add_bytes(W.origin, slice_of(p, 600000), &r, err));
    buf_printf(&path, "%s/blobs/", W.dir);
    buf_hex(&path, slice_of(r.cid.digest.b, 1));
    buf_str(&path, "/");
    buf_hex(&path, slice_of(r.cid.digest.b, 32));
    buf_printf(&loc, "/ipfs/%s", cid_text(&r.cid).s);
    FILE *f = fopen(buf_cstr(&path), "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 300000, SEEK_SET), 0);
    assert_int_equal(fputc(p[300000] ^ 1, f), p[300000] ^ 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(ipfs_get_bytes(W.origin, buf_slice(&loc), &back, &e), SR_E_CRYPTO);
    SR_TRY(ipfs_add_bytes(W.origin, slice_of(p, 600000), &r, err)); /* adding again mends it */
    buf_clear(&back);
    SR_TRY(ipfs_get_bytes(W.origin, buf_slice(&loc), &back, err));
    struct blobs_stat st;
    assert_int_equal(truncate(buf_cstr(&path), 100), 0);
    memset(&e, 0, sizeof e);
    buf_clear(&back);
    assert_int_equal(ipfs_get_bytes(W.origin, buf_slice(&loc), &back, &e), SR_E_CRYPTO);
    SR_TRY(ipfs_add_bytes(W.origin, slice_of(p, 600000), &r, err));
    blobs_count(W.store.blobs, &st);
    assert_int_equal(st.files, 1);
    buf_clear(&back);
    return ipfs_get_bytes(W.origin, buf_slice(&loc), &back, err);
}
static void content_changed_on_disk_is_noticed_by_the_client(void **state) {
    (void)state;
    in_fiber(tampered_story);
}

static sr_status restart_story(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_buf struct buf back;
    buf_init(&back, 100);
    return ipfs_get_bytes(
        W.origin, SLICE_LIT("/ipfs/Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"), &back, err);
}
static sr_status before_restart_story(void *arg, struct sr_err *err) {
    (void)arg;
    struct dag_result r;
    return ipfs_add_bytes(W.origin, SLICE_LIT("hello world"), &r, err);
}
static void after_a_restart_all_is_there_and_leftovers_are_gone(void **state) {
    (void)state;
    char left[100];
    struct blobs_stat st;
    in_fiber(before_restart_story);
    http_server_close(W.server);
    blobs_close(W.store.blobs);
    (void)snprintf(left, sizeof left, "%s/tmp/77", W.dir);
    assert_int_equal(fs_write_atomic(left, SLICE_LIT("half"), 0600, NULL), SR_OK);
    assert_int_equal(blobs_open(W.dir, UINT64_MAX, &W.store.blobs, NULL), SR_OK);
    assert_false(fs_exists(left));
    blobs_count(W.store.blobs, &st);
    assert_int_equal(st.files, 1);
    assert_int_equal(st.bytes, 11);
    assert_int_equal(store_serve(&W.store, "127.0.0.1", 0, -1, &W.server, NULL), SR_OK);
    (void)snprintf(W.origin, sizeof W.origin, "http://127.0.0.1:%u", http_server_port(W.server));
    in_fiber(restart_story);
}

/* ---- memory: STORE_TEST_BYTES makes it as long as one likes */

struct pattern {
    uint64_t left;
};
static sr_status pattern_read(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    struct pattern *z = arg;
    (void)err;
    if (n > z->left) n = (size_t)z->left;
    memset(p, (int)(z->left / 997 % 251), n); /* what stands at a wrong place is noticed */
    z->left -= n;
    *ret_n = n;
    return SR_OK;
}
static sr_status swallow(void *arg, struct slice data, struct sr_err *err) {
    (void)err;
    *(uint64_t *)arg += data.n;
    return SR_OK;
}
static long peak_kb(void) {
    struct rusage u;
    assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
    return u.ru_maxrss;
}
static sr_status big_story(void *arg, struct sr_err *err) {
    uint64_t n = *(uint64_t *)arg, got = 0;
    struct pattern z = {n};
    struct dag_result r;
    char loc[96];
    int64_t t0 = clock_mono_us();
    SR_TRY(ipfs_add(W.origin, pattern_read, &z, UINT64_MAX, &r, err)); /* chunked */
    int64_t t1 = clock_mono_us();
    (void)snprintf(loc, sizeof loc, "/ipfs/%s", cid_text(&r.cid).s);
    SR_TRY(ipfs_get(W.origin, slice_str(loc), NULL, swallow, &got, err));
    int64_t t2 = clock_mono_us();
    assert_int_equal(got, n);
    print_message("add %.0f MB/s, get %.0f MB/s (client and server in one process)\n",
                  (double)n / (double)(t1 - t0), (double)n / (double)(t2 - t1));
    return SR_OK;
}
static void memory_does_not_grow_with_the_file(void **state) {
    (void)state;
    const char *want = getenv("STORE_TEST_BYTES");
    uint64_t n = (32u << 20) + 12345; /* past the page cache for the most part, not at its end */
    struct sr_err e = {0};
    if (want) assert_true(num_size(slice_str(want), 1ull << 40, &n));
    long before = peak_kb();
    if (net_call(big_story, &n, &e) != SR_OK) fail_msg("%s: %s", e.where, e.what);
    long grown = peak_kb() - before;
    print_message("%llu MB: peak grew by %ld kB\n", (unsigned long long)(n >> 20), grown);
#ifndef CHECKED_BUILD
    assert_true(grown < 16 * 1024);
#endif
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test_setup_teardown(content_of_random_sizes_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(the_recorded_exchange_is_answered_as_recorded, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ranges_and_tags_follow_the_standard, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_have_the_cids_of_the_reference_importer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(folders_are_kept_and_walked, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_requests_get_an_error_that_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_goes_away_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(quota_and_size_limit_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_count_against_the_quota_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told_and_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_upload_that_drips_is_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(content_changed_on_disk_is_noticed_by_the_client, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(after_a_restart_all_is_there_and_leftovers_are_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(memory_does_not_grow_with_the_file, setup, teardown),
    };
    return cmocka_run_group_tests_name("store", t, NULL, NULL);
}
