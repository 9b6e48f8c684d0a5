/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include "oci/oci.h"
#include "oci/tar.h"
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* ---- a folder of our own, and archives made by hand ---- */

static char base_dir[] = "/tmp/test_oci.XXXXXX";

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(base_dir) ? 0 : -1;
}
static int drop_dir(void **state) {
    (void)state;
    return fs_remove_tree(base_dir, NULL) == SR_OK ? 0 : -1;
}

static char *at(const char *name) {
    static char path[8][512];
    static unsigned n;
    char *p = path[n++ % 8];
    (void)snprintf(p, 512, "%s/%s", base_dir, name);
    return p;
}

static void put(const char *name, const char *text, mode_t mode) {
    assert_int_equal(fs_write_atomic(at(name), slice_str(text), mode, NULL), SR_OK);
}

static int fresh_root(const char *name) {
    assert_int_equal(fs_remove_tree(at(name), NULL), SR_OK);
    assert_int_equal(mkdir(at(name), 0700), 0);
    int fd = open(at(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void raw_entry(struct buf *b, char type, const char *path, const char *link,
                      const char *data, unsigned mode) {
    size_t start = b->n, n = data ? strlen(data) : 0;
    tar_put_header(b, TAR_FILE, path, n, mode);
    uint8_t *h = b->p + start;
    h[156] = (uint8_t)type;
    if (link) memcpy(h + 157, link, strlen(link));
    memset(h + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < 512; i++) sum += h[i];
    (void)snprintf((char *)h + 148, 8, "%06o", sum);
    if (data) {
        static const uint8_t zeros[512];
        buf_put(b, data, n);
        buf_put(b, zeros, tar_padding(n));
    }
}

static void tar_end(struct buf *b) {
    static const uint8_t zeros[1024];
    buf_put(b, zeros, sizeof zeros);
}

static void gzip_of(struct slice in, struct buf *out) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    uint8_t *p = buf_reserve(out, in.n + 4096);
    assert_non_null(p);
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = p;
    z.avail_out = (uInt)(in.n + 4096);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    assert_non_null(buf_grow(out, z.total_out));
    (void)deflateEnd(&z);
}

static void blob(struct buf *b, struct slice data, char ret_digest[72]) {
    static const uint8_t zeros[512];
    char path[13 + 65] = "blobs/sha256/";
    struct hash h = sha256(data);
    hex_encode(path + 13, h.b, 32);
    (void)snprintf(ret_digest, 72, "sha256:%s", path + 13);
    tar_put_header(b, TAR_FILE, path, data.n, 0644);
    buf_add(b, data);
    buf_put(b, zeros, tar_padding(data.n));
}

/* An archive of these layers, blobs before the index, as skopeo orders them. */
static void archive_of(struct buf *out, const struct slice *layers, const bool *gzip, size_t n) {
    struct buf layers_json, ids, text;
    char digest[72], config_digest[72];
    buf_init(out, 16 << 20);
    buf_init(&layers_json, 65536);
    buf_init(&ids, 65536);
    buf_init(&text, 65536);
    for (size_t i = 0; i < n; i++) {
        struct buf packed;
        buf_init(&packed, 16 << 20);
        struct slice data = layers[i];
        if (gzip[i]) {
            gzip_of(data, &packed);
            data = buf_slice(&packed);
        }
        blob(out, data, digest);
        buf_printf(&layers_json,
                   "%s{\"mediaType\":\"application/"
                   "vnd.oci.image.layer.v1.tar%s\",\"digest\":\"%s\",\"size\":%zu}",
                   i ? "," : "", gzip[i] ? "+gzip" : "", digest, data.n);
        struct hash h = sha256(layers[i]);
        char hex[65];
        hex_encode(hex, h.b, 32);
        buf_printf(&ids, "%s\"sha256:%s\"", i ? "," : "", hex);
        buf_done(&packed);
    }
    buf_printf(&text,
               "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"/"
               "a\"],\"Cmd\":[\"b\"],"
               "\"Env\":[\"X=1\"],\"WorkingDir\":\"/w\",\"Labels\":{\"egress\":\"a.b:443,c:1\"}},"
               "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
#if defined(__aarch64__)
               "arm64",
#else
               "amd64",
#endif
               buf_cstr(&ids));
    blob(out, buf_slice(&text), config_digest);
    size_t config_n = text.n;
    buf_clear(&text);
    buf_printf(&text,
               "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"%s\",\"size\":%"
               "zu},\"layers\":[%s]}",
               config_digest, config_n, buf_cstr(&layers_json));
    blob(out, buf_slice(&text), digest);
    size_t manifest_n = text.n;
    buf_clear(&text);
    buf_printf(&text, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%s\",\"size\":%zu}]}",
               digest, manifest_n);
    raw_entry(out, '0', "index.json", NULL, buf_cstr(&text), 0644);
    raw_entry(out, '0', "oci-layout", NULL, "{\"imageLayoutVersion\":\"1.0.0\"}", 0644);
    tar_end(out);
    assert_int_equal(out->bad, SR_OK);
    buf_done(&layers_json);
    buf_done(&ids);
    buf_done(&text);
}

/* Three layers of which the third is the first again: its blob is in the archive once. */
static void archive_same_layer_once(struct buf *out, const struct slice layers[3],
                                    const bool gzip[3]) {
    struct buf twice;
    archive_of(&twice, layers, gzip, 3);
    size_t first = 512 + layers[0].n + tar_padding(layers[0].n), at = 0;
    /* Blobs come in order: cut the third one's entry out. */
    for (unsigned i = 0; i < 2; i++) {
        uint64_t size = 0;
        for (size_t k = 0; k < 11; k++) size = size * 8 + (uint64_t)(twice.p[at + 124 + k] - '0');
        at += 512 + (size_t)size + tar_padding(size);
    }
    buf_init(out, 16u << 20);
    buf_put(out, twice.p, at);
    buf_put(out, twice.p + at + first, twice.n - at - first);
    assert_int_equal(out->bad, SR_OK);
    buf_done(&twice);
}

static sr_status unpack_bytes(struct slice bytes, const char *root, const struct oci_limits *lim,
                              struct sr_err *err) {
    struct oci_image *img = NULL;
    sr_status st = oci_open(oci_source_mem(&bytes), NULL, &img, err);
    if (st != SR_OK) return st;
    int fd = fresh_root(root);
    st = oci_unpack(img, fd, lim, err);
    (void)close(fd);
    oci_close(img);
    return st;
}

static sr_status unpack_layers(const struct slice *layers, size_t n, const char *root,
                               const struct oci_limits *lim, struct sr_err *err) {
    struct buf b;
    static const bool plain[8];
    archive_of(&b, layers, plain, n);
    sr_status st = unpack_bytes(buf_slice(&b), root, lim, err);
    buf_done(&b);
    return st;
}

static void holds(const char *path, const char *text) {
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(fs_read(at(path), &b, NULL), SR_OK);
    assert_string_equal(buf_cstr(&b), text);
    buf_done(&b);
}

static void make_app(const char *egress) {
    char json[512];
    (void)mkdir(at("app"), 0755);
    (void)mkdir(at("app/lib"), 0755);
    put("app/run", "#!binary", 0755);
    put("app/lib/data.txt", "some data", 0644);
    (void)snprintf(
        json, sizeof json,
        "{\"name\":\"stats\",\"entrypoint\":[\"run\",\"--x\"],\"files\":[\"run\",\"lib\"]%s}",
        egress);
    put("app/app.json", json, 0644);
}

/* ---- tests ---- */

static void a_built_image_opens_and_unpacks_to_the_same_files(void **state) {
    (void)state;
    struct sr_err err = {0};
    struct oci_built built;
    make_app(",\"egress\":[\"api.example.org:443\"]");
    assert_int_equal(oci_build(at("app"), at("app.oci"), &built, &err), SR_OK);
    assert_string_equal(built.name, "stats");
    int fd = open(at("app.oci"), O_RDONLY | O_CLOEXEC);
    struct oci_source src;
    struct oci_image *img;
    assert_int_equal(oci_source_fd(fd, &src, &err), SR_OK);
    assert_int_equal(src.size, built.size);
    assert_int_equal(oci_open(src, &built.manifest, &img, &err), SR_OK);
    const struct oci_config *c = oci_config(img);
    assert_int_equal(c->argv.n, 2);
    assert_string_equal(c->argv.v[0], "/run");
    assert_string_equal(c->argv.v[1], "--x");
    assert_int_equal(c->egress.n, 1);
    assert_string_equal(c->egress.v[0], "api.example.org:443");
    int root = fresh_root("root");
    assert_int_equal(oci_unpack(img, root, NULL, &err), SR_OK);
    holds("root/run", "#!binary");
    holds("root/lib/data.txt", "some data");
    assert_false(fs_exists(at("root/app.json")));
    struct stat st;
    assert_int_equal(stat(at("root/run"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0755);
    (void)close(root);
    oci_close(img);
    (void)close(fd);
    oci_built_done(&built);
}

/* An interpreter of this machine, under the app's own folder of the image. */
static void files_of_the_machine_and_links_go_in_beside_the_app(void **state) {
    (void)state;
    struct sr_err err = {0};
    struct oci_built built;
    static char path[] = "usr/bin/interpreter", link[] = "bin", target[] = "usr/bin", from[300];
    make_app("");
    put("interpreter", "#!interpreter", 0755);
    (void)snprintf(from, sizeof from, "%s", at("interpreter"));
    put("app/app.json",
        "{\"name\":\"script\",\"entrypoint\":[\"/usr/bin/interpreter\",\"/app/"
        "run\"],\"root\":\"app\","
        "\"files\":[\"run\"],\"env\":{\"A\":\"1\"}}",
        0644);
    const struct oci_extra extras[] = {{path, from, NULL}, {link, NULL, target}};
    assert_int_equal(oci_build_on(at("app"), at("on.oci"), extras, 2, &built, &err), SR_OK);
    int fd = open(at("on.oci"), O_RDONLY | O_CLOEXEC);
    struct oci_source src;
    struct oci_image *img;
    assert_int_equal(oci_source_fd(fd, &src, &err), SR_OK);
    assert_int_equal(oci_open(src, &built.manifest, &img, &err), SR_OK);
    struct hash manifest = oci_manifest(img);
    assert_true(hash_eq(&manifest, &built.manifest));
    assert_string_equal(oci_config(img)->argv.v[0], "/usr/bin/interpreter");
    assert_string_equal(oci_config(img)->env.v[0], "A=1");
    assert_string_equal(oci_config(img)->workdir, "/app");
    int root = fresh_root("on");
    assert_int_equal(oci_unpack(img, root, NULL, &err), SR_OK);
    holds("on/usr/bin/interpreter", "#!interpreter");
    holds("on/bin/interpreter", "#!interpreter"); /* through the link */
    holds("on/app/run", "#!binary");
    (void)close(root);
    oci_close(img);
    (void)close(fd);
    oci_built_done(&built);
    /* What is not there, and links that a header has no room for, are refused. */
    static char missing
        [] = "/no/such/file",
 long_target[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
        "890123456789";
    assert_int_equal(oci_build_on(at("app"), at("on.oci"), &(struct oci_extra){path, missing, NULL},
                                  1, &built, &err),
                     SR_E_NOTFOUND);
    assert_int_equal(oci_build_on(at("app"), at("on.oci"),
                                  &(struct oci_extra){link, NULL, long_target}, 1, &built, NULL),
                     SR_E_TOOBIG);
}

static void a_deployment_says_which_hosts_and_variables_it_has_instead(void **state) {
    (void)state;
    struct sr_err err = {0};
    struct oci_built built;
    struct oci_source src;
    struct oci_image *img;
    make_app(",\"egress\":[\"official.org:443\"],\"env\":{\"GATE\":\"a\",\"GATEWAY\":\"b\"}");
    const char *const egress[] = {"mine.org:587", "gate.org:80"};
    const char *const env[] = {"GATEWAY=http://gate.org", "NEW=1=2"};
    struct oci_settings s = {egress, 2, env, 2};
    assert_int_equal(oci_build_with(at("app"), at("set.oci"), NULL, 0, &s, &built, &err), SR_OK);
    assert_int_equal(built.egress.n, 2);
    oci_built_done(&built);
    int fd = open(at("set.oci"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(oci_source_fd(fd, &src, &err), SR_OK);
    assert_int_equal(oci_open(src, NULL, &img, &err), SR_OK);
    const struct oci_config *c = oci_config(img);
    assert_int_equal(c->egress.n, 2);
    assert_string_equal(c->egress.v[0], "mine.org:587");
    assert_int_equal(c->env.n, 3);
    assert_string_equal(c->env.v[0], "GATE=a");
    assert_string_equal(c->env.v[1], "GATEWAY=http://gate.org");
    assert_string_equal(c->env.v[2], "NEW=1=2");
    oci_close(img);
    (void)close(fd);
    const char *const bad[] = {"192.0.2.1:25", "=x", "Mine.org:1", "novalue"};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        s = (struct oci_settings){bad + i, i % 2 == 0, bad + i, i % 2};
        err = (struct sr_err){0};
        assert_int_equal(oci_build_with(at("app"), at("set.oci"), NULL, 0, &s, &built, &err),
                         SR_E_USAGE);
        assert_non_null(strstr(err.what, bad[i]));
        assert_true(err.hint[0] != 0);
    }
}

static void the_same_folder_gives_the_same_digest_and_another_content_another(void **state) {
    (void)state;
    struct oci_built a, b;
    make_app("");
    assert_int_equal(oci_build(at("app"), at("a.oci"), &a, NULL), SR_OK);
    put("app/run", "#!binary", 0700);
    assert_int_equal(oci_build(at("app"), at("b.oci"), &b, NULL), SR_OK);
    assert_true(hash_eq(&a.manifest, &b.manifest));
    oci_built_done(&b);
    put("app/run", "#!binarz", 0755);
    assert_int_equal(oci_build(at("app"), at("b.oci"), &b, NULL), SR_OK);
    assert_false(hash_eq(&a.manifest, &b.manifest));
    oci_built_done(&b);
    make_app(",\"egress\":[\"x.org:1\"]");
    assert_int_equal(oci_build(at("app"), at("b.oci"), &b, NULL), SR_OK);
    assert_false(hash_eq(&a.manifest, &b.manifest));
    oci_built_done(&a);
    oci_built_done(&b);
}

static void a_faulty_app_folder_says_what_to_do(void **state) {
    (void)state;
    static const struct {
        const char *json;
        sr_status want;
    } cases[] = {
        {"{}", SR_E_USAGE},
        {"[]", SR_E_USAGE},
        {"{\"name\":\"x\"}", SR_E_USAGE},
        {"{\"name\":\"x\",\"entrypoint\":[]}", SR_E_USAGE},
        {"{\"name\":\"x\",\"entrypoint\":\"missing\"}", SR_E_NOTFOUND},
        {"{\"name\":\"x\",\"entrypoint\":\"run\",\"files\":[\"../etc\"]}", SR_E_USAGE},
        {"{\"name\":\"x\",\"entrypoint\":\"run\",\"files\":[\"/etc/passwd\"]}", SR_E_USAGE},
        {"{\"name\":\"x\",\"entrypoint\":\"run\",\"files\":[\"nothing\"]}", SR_E_NOTFOUND},
        {"{\"name\":\"x\",\"entrypoint\":\"run\",\"egress\":[\"no port\"]}", SR_E_USAGE},
        {"{\"name\":\"x\",\"entrypoint\":\"run\",\"egress\":[\"a:0\"]}", SR_E_USAGE},
        {"{\"name\":\"x\",\"entrypoint\":\"link\",\"files\":[\"link\"]}", SR_E_USAGE},
    };
    make_app("");
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        struct sr_err err = {0};
        struct oci_built b;
        put("app/app.json", cases[i].json, 0644);
        if (i + 1 == SR_ARRAY_LEN(cases))
            assert_int_equal(symlink("/etc/passwd", at("app/link")), 0);
        assert_int_equal(oci_build(at("app"), at("x.oci"), &b, &err), cases[i].want);
        assert_true(err.hint[0] != 0);
        assert_false(fs_exists(at("x.oci")));
    }
    (void)unlink(at("app/link"));
    struct sr_err err = {0};
    struct oci_built b;
    assert_int_equal(oci_build(at("no-such"), at("x.oci"), &b, &err), SR_E_NOTFOUND);
    assert_true(err.hint[0] != 0);
}

static void an_archive_cut_anywhere_fails(void **state) {
    (void)state;
    struct oci_built built;
    struct buf b;
    make_app("");
    assert_int_equal(oci_build(at("app"), at("cut.oci"), &built, NULL), SR_OK);
    buf_init(&b, 1 << 20);
    assert_int_equal(fs_read(at("cut.oci"), &b, NULL), SR_OK);
    for (size_t cut = 0; cut < b.n; cut += cut % 512 < 4 || cut % 512 > 508 ? 1 : 63)
        assert_int_not_equal(unpack_bytes(slice_of(b.p, cut), "cutroot", NULL, NULL), SR_OK);
    assert_int_equal(unpack_bytes(buf_slice(&b), "cutroot", NULL, NULL), SR_OK);
    buf_done(&b);
    oci_built_done(&built);
}

static void any_changed_byte_of_the_blobs_is_noticed(void **state) {
    (void)state;
    struct buf layer, b;
    buf_init(&layer, 65536);
    raw_entry(&layer, '0', "f", NULL, "content of the file", 0644);
    tar_end(&layer);
    struct slice l = buf_slice(&layer);
    for (unsigned gz = 0; gz < 2; gz++) {
        const bool gzip = gz != 0;
        archive_of(&b, &l, &gzip, 1);
        unsigned noticed = 0, total = 0;
        for (size_t i = 512; i < 512 + 60; i++, total++) { /* the layer's first bytes */
            b.p[i] ^= 1;
            if (unpack_bytes(buf_slice(&b), "bits", NULL, NULL) != SR_OK) noticed++;
            b.p[i] ^= 1;
        }
        assert_int_equal(noticed, total);
        assert_int_equal(unpack_bytes(buf_slice(&b), "bits", NULL, NULL), SR_OK);
        buf_done(&b);
    }
    buf_done(&layer);
}

static void the_wanted_digest_must_be_there(void **state) {
    (void)state;
    struct buf layer, b;
    static const bool plain = false;
    buf_init(&layer, 65536);
    raw_entry(&layer, '0', "f", NULL, "x", 0644);
    tar_end(&layer);
    struct slice l = buf_slice(&layer), bytes;
    archive_of(&b, &l, &plain, 1);
    bytes = buf_slice(&b);
    struct hash other = {{1}};
    struct oci_image *img = NULL;
    assert_int_equal(oci_open(oci_source_mem(&bytes), &other, &img, NULL), SR_E_NOTFOUND);
    assert_null(img);
    assert_int_equal(oci_open(oci_source_mem(&bytes), NULL, &img, NULL), SR_OK);
    assert_int_equal(oci_config(img)->argv.n, 2);
    assert_int_equal(oci_config(img)->egress.n, 2);
    assert_string_equal(oci_config(img)->workdir, "/w");
    oci_close(img);
    buf_done(&b);
    buf_done(&layer);
}

static void whiteouts_hide_what_lower_layers_had(void **state) {
    (void)state;
    struct buf one, two;
    buf_init(&one, 65536);
    buf_init(&two, 65536);
    raw_entry(&one, '5', "d", NULL, NULL, 0755);
    raw_entry(&one, '0', "d/old", NULL, "old", 0644);
    raw_entry(&one, '0', "d/older", NULL, "older", 0644);
    raw_entry(&one, '0', "gone", NULL, "gone", 0644);
    raw_entry(&one, '5', "tree", NULL, NULL, 0755);
    raw_entry(&one, '0', "tree/leaf", NULL, "leaf", 0644);
    raw_entry(&one, '0', "kept", NULL, "kept", 0644);
    tar_end(&one);
    raw_entry(&two, '0', "d/new", NULL, "new", 0644);
    raw_entry(&two, '0', "d/.wh..wh..opq", NULL, "", 0644); /* after the new file: it must stay */
    raw_entry(&two, '0', ".wh.gone", NULL, "", 0644);
    raw_entry(&two, '0', ".wh.tree", NULL, "", 0644);
    raw_entry(&two, '0', ".wh.never", NULL, "", 0644);
    tar_end(&two);
    struct slice layers[] = {buf_slice(&one), buf_slice(&two)};
    struct buf b;
    const bool gzip[] = {true, false};
    archive_of(&b, layers, gzip, 2);
    assert_int_equal(unpack_bytes(buf_slice(&b), "wh", NULL, NULL), SR_OK);
    holds("wh/d/new", "new");
    holds("wh/kept", "kept");
    assert_false(fs_exists(at("wh/d/old")));
    assert_false(fs_exists(at("wh/d/older")));
    assert_false(fs_exists(at("wh/gone")));
    assert_false(fs_exists(at("wh/tree")));
    buf_done(&b);
    buf_done(&one);
    buf_done(&two);
}

/* Each of these layers tries to leave the folder, or to be something we do not make. */
static void hostile_layers_do_not_leave_the_folder(void **state) {
    (void)state;
    static const struct {
        char type1;
        const char *path1, *link1;
        char type2;
        const char *path2, *link2;
        sr_status want; /* SR_OK: harmless, resolved inside */
    } cases[] = {
        {'0', "../out", NULL, 0, NULL, NULL, SR_E_MALFORMED},
        {'0', "a/../../out", NULL, 0, NULL, NULL, SR_E_MALFORMED},
        {'2', "l", "../..", '0', "l/out", NULL, SR_OK},
        {'2', "l", "/", '0', "l/out", NULL, SR_OK},
        {'2', "l", "/tmp", '0', "l/out", NULL, SR_E_MALFORMED},
        {'2', "l", "/etc/passwd", '0', "l", NULL, SR_OK},
        {'2', "l", "l", '0', "l/out", NULL, SR_E_MALFORMED},
        {'1', "h", "../../etc/passwd", 0, NULL, NULL, SR_E_MALFORMED},
        {'1', "h", "etc/passwd", 0, NULL, NULL, SR_E_MALFORMED},
        {'2', "l", "/etc/passwd", '1', "h", "l", SR_E_MALFORMED},
        {'3', "null", NULL, 0, NULL, NULL, SR_E_MALFORMED},
        {'4', "disk", NULL, 0, NULL, NULL, SR_E_MALFORMED},
        {'6', "pipe", NULL, 0, NULL, NULL, SR_E_MALFORMED},
        {'S', "sparse", NULL, 0, NULL, NULL, SR_E_MALFORMED},
        {'2', "l", "", 0, NULL, NULL, SR_E_MALFORMED},
        {'0', "f", NULL, '0', "f/below", NULL, SR_E_MALFORMED},
        {'0', ".wh.", NULL, 0, NULL, NULL, SR_E_MALFORMED},
        {'0', ".wh...", NULL, 0, NULL, NULL, SR_E_MALFORMED},
        {'0', "/abs", NULL, 0, NULL, NULL, SR_OK},
    };
    struct stat st;
    put("witness", "untouched", 0644);
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        struct buf layer;
        buf_init(&layer, 65536);
        raw_entry(&layer, cases[i].type1, cases[i].path1, cases[i].link1,
                  cases[i].type1 == '0' ? "evil" : NULL, 04777);
        if (cases[i].type2)
            raw_entry(&layer, cases[i].type2, cases[i].path2, cases[i].link2,
                      cases[i].type2 == '0' ? "evil" : NULL, 0644);
        tar_end(&layer);
        struct slice l = buf_slice(&layer);
        struct sr_err err = {0};
        sr_status got = unpack_layers(&l, 1, "hostile", NULL, &err);
        if (got != cases[i].want) fail_msg("case %zu: %d (%s)", i, got, err.what);
        assert_false(fs_exists(at("out")));
        assert_int_equal(stat(at("hostile"), &st), 0);
        buf_done(&layer);
    }
    holds("witness", "untouched");
    assert_false(fs_exists("/tmp/out"));
    assert_false(fs_exists("/out"));
    assert_int_equal(stat(at("hostile/abs"), &st), 0); /* the last case */
    assert_int_equal(st.st_mode & 07000, 0);
}

static void links_inside_the_folder_work(void **state) {
    (void)state;
    struct buf layer;
    buf_init(&layer, 65536);
    raw_entry(&layer, '5', "usr/bin", NULL, NULL, 0555);
    raw_entry(&layer, '2', "bin", "usr/bin", NULL, 0777);
    raw_entry(&layer, '0', "bin/tool", NULL, "tool", 0755);
    raw_entry(&layer, '1', "bin/same", "bin/tool", NULL, 0755);
    raw_entry(&layer, '1', "bin/same", "usr/bin/same", NULL, 0755);
    tar_end(&layer);
    struct slice l = buf_slice(&layer);
    struct sr_err err = {0};
    if (unpack_layers(&l, 1, "links", NULL, &err) != SR_OK) fail_msg("%s", err.what);
    holds("links/usr/bin/tool", "tool");
    holds("links/usr/bin/same", "tool");
    buf_done(&layer);
}

static void limits_on_size_and_number_hold(void **state) {
    (void)state;
    struct buf layer;
    buf_init(&layer, 65536);
    raw_entry(&layer, '0', "a", NULL, "0123456789", 0644);
    raw_entry(&layer, '0', "b", NULL, "0123456789", 0644);
    tar_end(&layer);
    struct slice l = buf_slice(&layer);
    assert_int_equal(unpack_layers(&l, 1, "lim", &(struct oci_limits){19, 0}, NULL), SR_E_TOOBIG);
    assert_int_equal(unpack_layers(&l, 1, "lim", &(struct oci_limits){20, 1}, NULL), SR_E_TOOBIG);
    assert_int_equal(unpack_layers(&l, 1, "lim", &(struct oci_limits){20, 2}, NULL), SR_OK);
    buf_done(&layer);
}

static void a_gzip_bomb_stops_at_the_limit(void **state) {
    (void)state;
    struct buf layer, b;
    const bool gzip = true;
    buf_init(&layer, 16 << 20);
    raw_entry(&layer, '0', "a", NULL, "x", 0644);
    tar_end(&layer);
    uint8_t *p = buf_grow(&layer, 8 << 20); /* zeros behind the end of the tar */
    assert_non_null(p);
    memset(p, 0, 8 << 20);
    struct slice l = buf_slice(&layer);
    archive_of(&b, &l, &gzip, 1);
    assert_true(b.n < 65536);
    assert_int_equal(unpack_bytes(buf_slice(&b), "bomb", &(struct oci_limits){1000, 10}, NULL),
                     SR_E_TOOBIG);
    assert_int_equal(unpack_bytes(buf_slice(&b), "bomb", NULL, NULL), SR_OK);
    buf_done(&b);
    buf_done(&layer);
}

static void long_paths_survive_the_round_trip(void **state) {
    (void)state;
    char path[1200], json[2048], target[2400];
    size_t n = 0;
    make_app("");
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned k = 0; k < 200; k++) path[n++] = (char)('a' + (char)i);
        path[n] = 0;
        (void)snprintf(target, sizeof target, "%s/app/%s", base_dir, path);
        assert_int_equal(mkdir(target, 0755), 0);
        path[n++] = '/';
    }
    (void)snprintf(path + n, sizeof path - n, "leaf");
    (void)snprintf(target, sizeof target, "app/%s", path);
    (void)snprintf(json, sizeof json, "%s/app/%s", base_dir, path);
    assert_int_equal(fs_write_atomic(json, slice_str("deep"), 0644, NULL), SR_OK);
    (void)snprintf(json, sizeof json, "{\"name\":\"x\",\"entrypoint\":\"run\"}");
    put("app/app.json", json, 0644);
    struct oci_built built;
    struct sr_err err = {0};
    if (oci_build(at("app"), at("long.oci"), &built, &err) != SR_OK) fail_msg("%s", err.what);
    struct buf b, got;
    buf_init(&b, 1 << 20);
    buf_init(&got, 100);
    assert_int_equal(fs_read(at("long.oci"), &b, NULL), SR_OK);
    assert_int_equal(b.n, built.size);
    assert_int_equal(unpack_bytes(buf_slice(&b), "long", NULL, &err), SR_OK);
    (void)snprintf(json, sizeof json, "%s/long/%s", base_dir, path);
    assert_int_equal(fs_read(json, &got, NULL), SR_OK);
    assert_string_equal(buf_cstr(&got), "deep");
    buf_done(&b);
    buf_done(&got);
    oci_built_done(&built);
}

static void scribble(void *arg, uint64_t off, uint64_t n) {
    const struct slice *m = arg;
    memset((uint8_t *)(uintptr_t)m->p + off, 0xee, n);
}

static void bytes_that_were_forgotten_are_not_read_again(void **state) {
    (void)state;
    struct buf one, two, b;
    buf_init(&one, 1u << 20);
    buf_init(&two, 65536);
    char big[300001];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    raw_entry(&one, '0', "a", NULL, big, 0644);
    tar_end(&one);
    raw_entry(&two, '0', "b", NULL, "b", 0644);
    tar_end(&two);
    for (unsigned gz = 0; gz < 2; gz++) {
        const struct slice layers[] = {buf_slice(&two), buf_slice(&one), buf_slice(&two)};
        const bool gzip[] = {false, gz == 1, false};
        struct sr_err err = {0};
        struct oci_image *img;
        archive_same_layer_once(&b, layers, gzip);
        struct slice bytes = buf_slice(&b);
        struct oci_source src = oci_source_mem(&bytes);
        src.forget = scribble;
        if (oci_open(src, NULL, &img, &err) != SR_OK) fail_msg("%s", err.what);
        int fd = fresh_root("forget");
        if (oci_unpack(img, fd, NULL, &err) != SR_OK) fail_msg("%s", err.what);
        holds("forget/b", "b");
        holds("forget/a", big);
        (void)close(fd);
        oci_close(img);
        buf_done(&b);
    }
    buf_done(&one);
    buf_done(&two);
}

static void egress_entries_are_host_and_port(void **state) {
    (void)state;
    static const char *const good[] = {"a:1", "api.example.org:443", "1.2.3.x4:65535", "x-y.z:80"};
    static const char *const bad[] = {"",      "a",      "a:",   ":1",          "a:0",    "a:65536",
                                      "A.b:1", "a..b:1", ".a:1", "-a:1",        "a-:1",   "a b:1",
                                      "*.a:1", "a:1:2",  "a:+1", "1.2.3.4:443", "a.1:80", "10:1"};
    for (size_t i = 0; i < SR_ARRAY_LEN(good); i++)
        assert_true(oci_egress_valid(slice_str(good[i])));
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        assert_false(oci_egress_valid(slice_str(bad[i])));
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_built_image_opens_and_unpacks_to_the_same_files),
        cmocka_unit_test(files_of_the_machine_and_links_go_in_beside_the_app),
        cmocka_unit_test(a_deployment_says_which_hosts_and_variables_it_has_instead),
        cmocka_unit_test(the_same_folder_gives_the_same_digest_and_another_content_another),
        cmocka_unit_test(a_faulty_app_folder_says_what_to_do),
        cmocka_unit_test(an_archive_cut_anywhere_fails),
        cmocka_unit_test(any_changed_byte_of_the_blobs_is_noticed),
        cmocka_unit_test(the_wanted_digest_must_be_there),
        cmocka_unit_test(whiteouts_hide_what_lower_layers_had),
        cmocka_unit_test(hostile_layers_do_not_leave_the_folder),
        cmocka_unit_test(links_inside_the_folder_work),
        cmocka_unit_test(limits_on_size_and_number_hold),
        cmocka_unit_test(a_gzip_bomb_stops_at_the_limit),
        cmocka_unit_test(long_paths_survive_the_round_trip),
        cmocka_unit_test(bytes_that_were_forgotten_are_not_read_again),
        cmocka_unit_test(egress_entries_are_host_and_port),
    };
    return cmocka_run_group_tests_name("oci", t, make_dir, drop_dir);
}
