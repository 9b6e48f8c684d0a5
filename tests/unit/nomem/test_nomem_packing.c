/* SPDX-License-Identifier: Apache-2.0 */
/* Archives, images and protected data when memory runs out in the middle. */
#include "nomem.h"
#include "oci/oci.h"
#include "sdk/sdk_int.h"
#include "zip/zip.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_nomem_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}
static int drop_folder(void **state) {
    (void)state;
    return fs_remove_tree(folder, NULL) == SR_OK ? 0 : -1;
}

static const char *at(const char *name) {
    static char path[4][512];
    static unsigned n;
    char *p = path[n++ % 4];
    (void)snprintf(p, 512, "%s/%s", folder, name);
    return p;
}

static void put(const char *name, const char *text, mode_t mode) {
    assert_int_equal(fs_write_atomic(at(name), slice_str(text), mode, NULL), SR_OK);
}

/* ---- zip ---- */

static sr_status into_buf(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

static sr_status packed(struct buf *b, struct sr_err *err) {
    struct zip_writer *w = NULL;
    sr_status st = zip_writer_new(into_buf, b, 0, &w, err);
    if (st != SR_OK) assert_null(w);
    SR_TRY(st);
    for (unsigned i = 0; i < 40 && st == SR_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "f%u", i);
        st = zip_file(w, slice_str(name), i % 2 ? ZIP_DEFLATED : ZIP_STORED,
                      SLICE_LIT("some bytes"), err);
    }
    if (st == SR_OK) st = zip_folder(w, SLICE_LIT("d/"), err);
    if (st == SR_OK) st = zip_finish(w, err);
    zip_writer_free(w);
    return st;
}

static sr_status read_zip(struct slice bytes, struct sr_err *err) {
    struct zip_reader *r = NULL;
    cleanup_buf struct buf got;
    buf_init(&got, 1 << 16);
    sr_status st = zip_open_bytes(bytes, NULL, &r, err);
    if (st != SR_OK) assert_null(r);
    SR_TRY(st);
    assert_int_equal(zip_count(r), 41);
    for (size_t i = 0; i < 40 && st == SR_OK; i++)
        st = zip_extract_bytes(r, zip_item_at(r, i), &got, err);
    zip_reader_free(r);
    SR_TRY(st);
    assert_int_equal(got.n, 400);
    return SR_OK;
}

static sr_status zip_there_and_back(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_buf struct buf b;
    buf_init(&b, 1 << 20);
    SR_TRY(packed(&b, err));
    return read_zip(buf_slice(&b), err);
}

static sr_status flow_begin(void *arg, struct slice name, struct sr_err *err) {
    (void)arg;
    (void)name;
    (void)err;
    return SR_OK;
}
static sr_status flow_end(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    return SR_OK;
}

static sr_status zip_in_passing(void *arg, struct sr_err *err) {
    static const struct zip_flow_ops ops = {flow_begin, into_buf, flow_end};
    const struct buf *zip = arg;
    struct zip_flow *f = NULL;
    const struct zip_reader *seen = NULL;
    cleanup_buf struct buf got;
    buf_init(&got, 1 << 16);
    SR_TRY(zip_flow_new(&ops, &got, zip->n, &f, err));
    sr_status st = SR_OK;
    for (size_t i = 0; i < zip->n && st == SR_OK; i += 100)
        st = zip_flow_add(f, slice_of(zip->p + i, zip->n - i < 100 ? zip->n - i : 100), err);
    if (st == SR_OK) st = zip_flow_end(f, NULL, &seen, err);
    if (st == SR_OK) assert_int_equal(zip_count(seen), 41);
    zip_flow_free(f);
    SR_TRY(st);
    assert_int_equal(got.n, 400);
    return SR_OK;
}

static void archives_are_made_and_read_or_memory_is_said_to_lack(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    buf_init(&b, 1 << 20);
    (void)nomem_sweep("zip", zip_there_and_back, NULL);
    assert_int_equal(packed(&b, NULL), SR_OK);
    (void)nomem_sweep("zip in passing", zip_in_passing, &b);
}

/* ---- images ---- */

static void make_app(void) {
    assert_int_equal(mkdir(at("app"), 0755), 0);
    assert_int_equal(mkdir(at("app/lib"), 0755), 0);
    put("app/run", "#!binary", 0755);
    put("app/lib/data.txt", "some data", 0644);
    put("app/app.json",
        "{\"name\":\"stats\",\"entrypoint\":[\"run\",\"--x\"],\"files\":[\"run\",\"lib\"],"
        "\"env\":{\"A\":\"1\"},\"egress\":[\"a.example.org:443\",\"b.example.org:443\"]}",
        0644);
}

static sr_status build(void *arg, struct sr_err *err) {
    (void)arg;
    struct oci_built built = {0};
    (void)unlink(at("app.oci"));
    sr_status st = oci_build(at("app"), at("app.oci"), &built, err);
    if (st != SR_OK) {
        assert_true(!built.name && !built.egress.v);
        assert_false(fs_exists(at("app.oci")));
        return st;
    }
    assert_string_equal(built.name, "stats");
    assert_int_equal(built.egress.n, 2);
    oci_built_done(&built);
    return SR_OK;
}

static sr_status unpack_into(struct oci_image *img, struct sr_err *err) {
    assert_int_equal(mkdir(at("root"), 0700), 0);
    int fd = open(at("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    sr_status st = oci_unpack(img, fd, NULL, err);
    (void)close(fd);
    struct stat s;
    if (st == SR_OK) assert_int_equal(stat(at("root/lib/data.txt"), &s), 0);
    return st;
}

static sr_status unpack(void *arg, struct sr_err *err) {
    const struct slice *bytes = arg;
    struct oci_image *img = NULL;
    sr_status st = oci_open(oci_source_mem(bytes), NULL, &img, err);
    if (st != SR_OK) assert_null(img);
    SR_TRY(st);
    assert_int_equal(oci_config(img)->egress.n, 2);
    st = unpack_into(img, err);
    oci_close(img);
    return st;
}

static sr_status open_and_unpack(void *arg, struct sr_err *err) {
    sr_status st = unpack(arg, err);
    /* the folder goes whatever has failed: with memory again */
    nomem_pause();
    assert_int_equal(fs_remove_tree(at("root"), NULL), SR_OK);
    return st;
}

static void images_are_built_and_unpacked_or_memory_is_said_to_lack(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    buf_init(&b, 1 << 20);
    make_app();
    assert_true(nomem_sweep("image built", build, NULL) > 10);
    assert_int_equal(build(NULL, NULL), SR_OK);
    assert_int_equal(fs_read(at("app.oci"), &b, NULL), SR_OK);
    struct slice bytes = buf_slice(&b);
    assert_true(nomem_sweep("image unpacked", open_and_unpack, &bytes) > 10);
}

/* ---- protected data ---- */

static sr_status read_all(struct pd_stream *s, struct sr_err *err) {
    struct slice piece;
    uint64_t total = 0;
    do {
        SR_TRY(pd_stream_next(s, &piece, err));
        total += piece.n;
    } while (piece.n);
    struct dag_result r;
    SR_TRY(dag_end(pd_stream_dag(s), &r, err));
    assert_int_equal(r.file_bytes, total);
    assert_true(total > 48);
    return SR_OK;
}

static sr_status encrypt(struct pd_files *files, const struct pd_tree *tree, struct sr_err *err) {
    static const uint8_t key_bytes[32] = {1, 2, 3};
    cleanup_secret struct sr_secret key = {0};
    struct pd_stream *s = NULL;
    SR_TRY(secret_from(key_bytes, sizeof key_bytes, &key, err));
    for (size_t i = 0; files && i < files->n; i++) SR_TRY(pd_file_open(&files->v[i], err));
    struct pd_stream_opts o = {.files = files ? files->v : NULL,
                               .n_files = files ? files->n : 0,
                               .tree = tree,
                               .key = &key,
                               .unix_ms = 1700000000000ull};
    sr_status st = pd_stream_new(&o, &s, err);
    if (st != SR_OK) assert_null(s);
    SR_TRY(st);
    st = read_all(s, err);
    pd_stream_free(s);
    return st;
}

static sr_status protect_files(void *arg, struct sr_err *err) {
    const char *const *paths = arg;
    struct pd_files files = {0};
    cleanup_buf struct buf schema;
    buf_init(&schema, 1 << 16);
    sr_status st = pd_files_of(paths, 1, &files, err);
    if (st == SR_OK) st = encrypt(&files, NULL, err);
    if (st == SR_OK) pd_files_schema(&files, &schema);
    if (st == SR_OK) st = buf_status(&schema, err);
    pd_files_done(&files);
    return st;
}

static sr_status protect_object(void *arg, struct sr_err *err) {
    (void)arg;
    struct pd_tree tree = {0};
    sr_status st = pd_tree_of_json(
        SLICE_LIT("{\"email\":\"a@b.c\",\"age\":7.25,\"deep\":{\"er\":{\"x\":true,\"y\":false}},"
                  "\"k1\":1,\"k2\":2,\"text\":\"some longer text that does not fit in place\"}"),
        &tree, err);
    if (st == SR_OK) st = encrypt(NULL, &tree, err);
    pd_tree_done(&tree);
    return st;
}

/* In a fiber, where a failed check must not jump out: it ends the program. */
struct swept {
    const char *what;
    nomem_job job;
    void *arg;
};
static sr_status sweep(void *arg, struct sr_err *err) {
    const struct swept *s = arg;
    SR_TRY(s->job(s->arg, err)); /* what the loop keeps for later is there from now on */
    SR_ASSERT(nomem_sweep(s->what, s->job, s->arg) > 5);
    return SR_OK;
}

static void data_are_protected_or_memory_is_said_to_lack(void **state) {
    (void)state;
    const char *const paths[] = {at("app")};
    struct swept files = {"files protected", protect_files, (void *)(uintptr_t)paths};
    struct swept object = {"object protected", protect_object, NULL};
    assert_int_equal(net_call(sweep, &files, NULL), SR_OK);
    assert_int_equal(net_call(sweep, &object, NULL), SR_OK);
    net_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archives_are_made_and_read_or_memory_is_said_to_lack),
        cmocka_unit_test(images_are_built_and_unpacked_or_memory_is_said_to_lack),
        cmocka_unit_test(data_are_protected_or_memory_is_said_to_lack),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
