/* SPDX-License-Identifier: Apache-2.0 */
/* Verified reading: what builders make is read back, what liars make is refused. */
#include "ipfs/ipfs_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BLOCKS_MAX 1024

struct shelf {
    size_t n;
    struct {
        struct cid cid;
        uint8_t *p;
        size_t n;
    } b[BLOCKS_MAX];
};

static sr_status keep(void *arg, const struct cid *cid, struct slice block, struct sr_err *err) {
    struct shelf *s = arg;
    (void)err;
    assert_true(s->n < BLOCKS_MAX);
    s->b[s->n].cid = *cid;
    s->b[s->n].p = malloc(block.n + 1);
    assert_non_null(s->b[s->n].p);
    memcpy(s->b[s->n].p, block.p, block.n);
    s->b[s->n++].n = block.n;
    return SR_OK;
}

static struct cid keep_block(struct shelf *s, struct slice block, uint32_t codec) {
    struct cid c = {codec == CID_RAW, codec, sha256(block)};
    assert_int_equal(keep(s, &c, block, NULL), SR_OK);
    return c;
}

static sr_status fetch(void *arg, const struct cid *cid, struct buf *b, struct sr_err *err) {
    const struct shelf *s = arg;
    for (size_t i = 0; i < s->n; i++) {
        if (!cid_eq(cid, &s->b[i].cid)) continue;
        buf_put(b, s->b[i].p, s->b[i].n);
        return SR_OK;
    }
    return sr_fail(err, SR_E_NOTFOUND, "no such block");
}

static void shelf_empty(struct shelf *s) {
    for (size_t i = 0; i < s->n; i++) free(s->b[i].p);
    free(s);
}

static sr_status into(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

static struct shelf *shelf_new(void) {
    struct shelf *s = calloc(1, sizeof *s);
    assert_non_null(s);
    return s;
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

static struct cid build(struct shelf *s, struct slice data) {
    struct dag_builder *d;
    struct dag_result r;
    assert_int_equal(dag_new(keep, s, &d, NULL), SR_OK);
    assert_int_equal(dag_add(d, data, NULL), SR_OK);
    assert_int_equal(dag_end(d, &r, NULL), SR_OK);
    dag_free(d);
    return r.cid;
}

static sr_status read_all(struct shelf *s, struct cid root, const char *path, uint64_t max,
                          struct buf *out) {
    return dag_read(fetch, s, &root, slice_str(path), max, into, out, NULL);
}

static void files_of_all_shapes_come_back(void **state) {
    (void)state;
    const size_t sizes[] = {
        0, 1, IPFS_CHUNK - 1, IPFS_CHUNK, IPFS_CHUNK + 1, 5 * IPFS_CHUNK + 77, 175 * IPFS_CHUNK};
    for (size_t i = 0; i < SR_ARRAY_LEN(sizes); i++) {
        struct shelf *s = shelf_new();
        cleanup_free uint8_t *p = noise(sizes[i], (uint32_t)i + 1);
        cleanup_buf struct buf out;
        buf_init(&out, sizes[i] + 1);
        struct cid root = build(s, slice_of(p, sizes[i]));
        assert_int_equal(read_all(s, root, "", UINT64_MAX, &out), SR_OK);
        assert_true(slice_eq(buf_slice(&out), slice_of(p, sizes[i])));
        buf_clear(&out);
        if (sizes[i] > 0) assert_int_equal(read_all(s, root, "", sizes[i] - 1, &out), SR_E_TOOBIG);
        assert_int_equal(out.n, 0);
        shelf_empty(s);
    }
}

static void one_changed_bit_in_any_block_is_found(void **state) {
    (void)state;
    struct shelf *s = shelf_new();
    cleanup_free uint8_t *p = noise(3 * IPFS_CHUNK, 7);
    struct cid root = build(s, slice_of(p, 3 * IPFS_CHUNK));
    for (size_t i = 0; i < s->n; i++) {
        cleanup_buf struct buf out;
        buf_init(&out, 4 * IPFS_CHUNK);
        s->b[i].p[s->b[i].n / 2] ^= 1;
        assert_int_equal(read_all(s, root, "", UINT64_MAX, &out), SR_E_CRYPTO);
        s->b[i].p[s->b[i].n / 2] ^= 1;
        size_t n = s->b[i].n--;
        assert_int_equal(read_all(s, root, "", UINT64_MAX, &out), SR_E_CRYPTO);
        s->b[i].n = n;
    }
    shelf_empty(s);
}

static struct dag_link link_to(struct cid c, const char *name, uint64_t size) {
    return (struct dag_link){c, slice_str(name), size};
}

static void paths_walk_through_folders_and_raw_leaves(void **state) {
    (void)state;
    struct shelf *s = shelf_new();
    cleanup_buf struct buf inner, outer, out;
    buf_init(&inner, 4096);
    buf_init(&outer, 4096);
    buf_init(&out, 4096);
    struct cid raw = keep_block(s, SLICE_LIT("raw leaf"), CID_RAW);
    struct cid file = build(s, SLICE_LIT("hello"));
    struct dag_link a[] = {link_to(file, "hello.txt", 13), link_to(raw, "raw", 8)};
    assert_int_equal(dag_dir_block(a, 2, &inner, NULL), SR_OK);
    struct cid sub = keep_block(s, buf_slice(&inner), CID_DAG_PB);
    struct dag_link b[] = {link_to(file, "a", 13), link_to(sub, "dir", 100)};
    assert_int_equal(dag_dir_block(b, 2, &outer, NULL), SR_OK);
    struct cid root = keep_block(s, buf_slice(&outer), CID_DAG_PB);
    assert_int_equal(read_all(s, root, "dir/hello.txt", 100, &out), SR_OK);
    assert_true(slice_is(buf_slice(&out), "hello"));
    buf_clear(&out);
    assert_int_equal(read_all(s, root, "dir/raw", 100, &out), SR_OK);
    assert_true(slice_is(buf_slice(&out), "raw leaf"));
    assert_int_equal(read_all(s, root, "dir/none", 100, &out), SR_E_NOTFOUND);
    assert_int_equal(read_all(s, root, "dir/raw/x", 100, &out), SR_E_NOTFOUND);
    assert_int_equal(read_all(s, root, "a/x", 100, &out), SR_E_NOTFOUND);
    assert_int_equal(read_all(s, root, "dir", 100, &out), SR_E_MALFORMED);
    struct dag_link twice[] = {link_to(file, "a", 1), link_to(file, "a", 1)};
    struct dag_link order[] = {link_to(file, "b", 1), link_to(file, "a", 1)};
    struct dag_link slash[] = {link_to(file, "a/b", 1)};
    assert_int_equal(dag_dir_block(twice, 2, &inner, NULL), SR_E_MALFORMED);
    assert_int_equal(dag_dir_block(order, 2, &inner, NULL), SR_E_MALFORMED);
    assert_int_equal(dag_dir_block(slash, 1, &inner, NULL), SR_E_MALFORMED);
    shelf_empty(s);
}

/* The well-known CID of an empty folder. */
static void an_empty_folder_has_its_known_cid(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    buf_init(&b, 64);
    assert_int_equal(dag_dir_block(NULL, 0, &b, NULL), SR_OK);
    struct hash h = sha256(buf_slice(&b));
    struct cid c = cid_v0(&h);
    assert_string_equal(cid_text(&c).s, "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
}

/* A file node over links with the sizes it claims. */
static struct cid liar(struct shelf *s, const struct cid *child, size_t n, const uint64_t *sizes,
                       uint64_t total) {
    cleanup_buf struct buf b, u;
    buf_init(&b, 65536);
    buf_init(&u, 65536);
    buf_put(&u, "\x08\x02\x18", 3);
    varint_add(&u, total);
    for (size_t i = 0; i < n; i++) {
        cleanup_buf struct buf id;
        buf_init(&id, 64);
        cid_write(&id, child);
        buf_u8(&b, 0x12);
        varint_add(&b, 2 + id.n + 2 + 2);
        buf_u8(&b, 0x0a);
        varint_add(&b, id.n);
        buf_add(&b, buf_slice(&id));
        buf_put(&b, "\x12\x00\x18\x05", 4);
        buf_u8(&u, 0x20);
        varint_add(&u, sizes[i]);
    }
    buf_u8(&b, 0x0a);
    varint_add(&b, u.n);
    buf_add(&b, buf_slice(&u));
    return keep_block(s, buf_slice(&b), CID_DAG_PB);
}

static void trees_that_lie_about_sizes_are_refused(void **state) {
    (void)state;
    struct shelf *s = shelf_new();
    cleanup_buf struct buf out;
    buf_init(&out, 4096);
    struct cid five = build(s, SLICE_LIT("hello")), none = build(s, SLICE_LIT(""));
    const uint64_t ok[] = {5, 5}, four[] = {4, 5}, zero[] = {0, 0}, big[] = {UINT64_MAX, 1};
    assert_int_equal(read_all(s, liar(s, &five, 2, ok, 10), "", 10, &out), SR_OK);
    assert_int_equal(read_all(s, liar(s, &five, 2, ok, 11), "", 99, &out), SR_E_MALFORMED);
    assert_int_equal(read_all(s, liar(s, &five, 2, four, 9), "", 99, &out), SR_E_MALFORMED);
    assert_int_equal(read_all(s, liar(s, &none, 2, zero, 0), "", 99, &out), SR_E_MALFORMED);
    assert_int_equal(read_all(s, liar(s, &five, 2, big, 0), "", 99, &out), SR_E_MALFORMED);
    struct cid at = five; /* one link above one link: deeper than any file */
    const uint64_t one[] = {5};
    for (unsigned i = 0; i < IPFS_DEPTH_MAX + 1; i++) at = liar(s, &at, 1, one, 5);
    assert_int_equal(read_all(s, at, "", 99, &out), SR_E_TOOBIG);
    struct cid gone = none;
    gone.digest.b[0] ^= 1;
    assert_int_equal(read_all(s, gone, "", 99, &out), SR_E_NOTFOUND);
    gone.codec = 0x71;
    assert_int_equal(read_all(s, gone, "", 99, &out), SR_E_MALFORMED);
    shelf_empty(s);
}

static void truncated_at_every_length_fails(void **state) {
    (void)state;
    struct shelf *s = shelf_new();
    cleanup_free uint8_t *p = noise(3 * IPFS_CHUNK, 3);
    (void)build(s, slice_of(p, 3 * IPFS_CHUNK));
    struct dag_node n;
    const size_t root = s->n - 1;
    assert_int_equal(dag_node_parse(slice_of(s->b[root].p, s->b[root].n), &n, NULL), SR_OK);
    assert_int_equal(n.n_links, 3);
    for (size_t cut = 0; cut < s->b[root].n; cut++)
        assert_int_equal(dag_node_parse(slice_of(s->b[root].p, cut), &n, NULL), SR_E_MALFORMED);
    shelf_empty(s);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(files_of_all_shapes_come_back),
        cmocka_unit_test(one_changed_bit_in_any_block_is_found),
        cmocka_unit_test(paths_walk_through_folders_and_raw_leaves),
        cmocka_unit_test(an_empty_folder_has_its_known_cid),
        cmocka_unit_test(trees_that_lie_about_sizes_are_refused),
        cmocka_unit_test(truncated_at_every_length_fails),
    };
    return cmocka_run_group_tests_name("ipfs/read", t, NULL, NULL);
}
