/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of a file against the vectors, and its shape at depths no test can fill with bytes. */
#include "../../../src/ipfs/dag_build.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct json *vectors(void) {
    cleanup_buf struct buf b;
    struct sr_err e = {0};
    struct json *doc = NULL;
    buf_init(&b, 4u << 20);
    assert_int_equal(fs_read(VECTORS "/sdk/ipfs-cid.json", &b, &e), SR_OK);
    assert_int_equal(json_parse(buf_slice(&b), &doc, &e), SR_OK);
    return doc;
}

/* "text \"…\"" with its \n, or "N x 0xBB". */
static uint8_t *content(const struct json_val *v, size_t n) {
    struct slice what = json_text(json_get(v, "what")), text = json_text(json_get(v, "text"));
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    (void)text;
    if (slice_starts(what, "text")) {
        memcpy(p, "hello world\n", n < 12 ? n : 12);
    } else if (n > 0) {
        uint8_t b;
        assert_true(hex_decode(slice_of(what.p + what.n - 2, 2), &b, 1));
        memset(p, b, n);
    }
    return p;
}

static sr_status keep_last(void *arg, const struct cid *cid, struct slice block,
                           struct sr_err *err) {
    struct buf *b = arg;
    struct hash h = sha256(block);
    (void)err;
    assert_true(hash_eq(&h, &cid->digest));
    buf_clear(b);
    buf_add(b, block);
    return SR_OK;
}

static void vectors_give_the_same_cids_sizes_and_blocks(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors();
    const struct json_val *v = json_first(json_get(json_root(doc), "vectors"));
    for (; v; v = json_next(v)) {
        uint64_t n, size;
        struct dag_builder *d;
        struct dag_result r;
        struct hash sum, want_sum;
        cleanup_buf struct buf last, want;
        buf_init(&last, IPFS_BLOCK_MAX);
        buf_init(&want, IPFS_BLOCK_MAX);
        assert_true(json_u64(json_get(v, "length"), &n));
        assert_true(num_u64(json_text(json_get(v, "size")), UINT64_MAX, &size));
        cleanup_free uint8_t *p = content(v, n);
        sum = sha256(slice_of(p, n));
        assert_true(hex_decode(json_text(json_get(v, "sha256")), want_sum.b, 32));
        assert_true(hash_eq(&sum, &want_sum));
        assert_int_equal(dag_new(keep_last, &last, &d, NULL), SR_OK);
        for (int again = 0; again < 2; again++) { /* a builder can be used again */
            uint64_t step = again ? 99991 : n + 1;
            for (uint64_t at = 0; at < n; at += step)
                assert_int_equal(dag_add(d, slice_of(p + at, n - at < step ? n - at : step), NULL),
                                 SR_OK);
            assert_int_equal(dag_end(d, &r, NULL), SR_OK);
            assert_true(slice_is(json_text(json_get(v, "cid")), cid_text(&r.cid).s));
            assert_int_equal(r.dag_bytes, size);
            assert_int_equal(r.file_bytes, n);
        }
        dag_free(d);
        struct slice hex = json_text(json_get(v, n > IPFS_CHUNK ? "root" : "block"));
        if (hex.n == 0) continue;
        assert_true(hex_decode_buf(hex, &want));
        assert_true(slice_eq(buf_slice(&want), buf_slice(&last)));
    }
}

static void chunk_by_hand(struct dag_builder *d, struct slice chunk) {
    struct sha256_lane leaf;
    dag_chunk_begin(d, chunk.n, &leaf);
    sha256_lane_add(&leaf, chunk);
    assert_int_equal(dag_chunk_end(d, &leaf, chunk.n, NULL), SR_OK);
}

/* Blocks wanted or not, in pieces of every kind, chunks hashed by the caller: the same tree. */
static void all_ways_to_give_bytes_make_one_tree(void **state) {
    (void)state;
    const size_t most = 5 * IPFS_CHUNK + 77,
                 pieces[] = {most, 65536, 3 * IPFS_CHUNK / 2 + 1, 524288};
    const size_t lengths[] = {
        0, 1, IPFS_CHUNK, IPFS_CHUNK + 1, 2 * IPFS_CHUNK, 3 * IPFS_CHUNK - 1, 4 * IPFS_CHUNK, most};
    cleanup_free uint8_t *p = malloc(most);
    assert_non_null(p);
    for (size_t i = 0; i < most; i++) p[i] = (uint8_t)(i * 31 + i / 1000);
    for (size_t k = 0; k < SR_ARRAY_LEN(lengths); k++) {
        size_t n = lengths[k];
        struct dag_result want;
        struct dag_builder *d;
        cleanup_buf struct buf last;
        buf_init(&last, IPFS_BLOCK_MAX);
        assert_int_equal(dag_new(keep_last, &last, &d, NULL), SR_OK);
        assert_int_equal(dag_add(d, slice_of(p, n), NULL), SR_OK);
        assert_int_equal(dag_end(d, &want, NULL), SR_OK);
        dag_free(d);
        assert_int_equal(dag_new(NULL, NULL, &d, NULL), SR_OK);
        for (size_t i = 0; i <= SR_ARRAY_LEN(pieces); i++) {
            bool by_hand = i == SR_ARRAY_LEN(pieces);
            size_t step = by_hand ? IPFS_CHUNK : pieces[i];
            struct dag_result r;
            for (size_t at = 0; at < n; at += step) {
                struct slice piece = slice_of(p + at, n - at < step ? n - at : step);
                if (by_hand)
                    chunk_by_hand(d, piece);
                else
                    assert_int_equal(dag_add(d, piece, NULL), SR_OK);
            }
            assert_int_equal(dag_end(d, &r, NULL), SR_OK);
            assert_true(cid_eq(&r.cid, &want.cid));
            assert_int_equal(r.dag_bytes, want.dag_bytes);
            assert_int_equal(r.file_bytes, n);
        }
        dag_free(d);
    }
}

/* The rule said in another way: groups of 174, level by level, until one is left. */
static struct link grouped(struct dag_builder *d, struct link *l, size_t n) {
    while (n > 1) {
        size_t made = 0;
        for (size_t i = 0; i < n; i += IPFS_LINKS) {
            struct level v;
            v.n = n - i < IPFS_LINKS ? n - i : IPFS_LINKS;
            memcpy(v.link, l + i, v.n * sizeof *l);
            assert_int_equal(node_done(d, &v, &l[made++], NULL), SR_OK);
        }
        n = made;
    }
    return l[0];
}

static void deep_trees_are_balanced(void **state) {
    (void)state;
    const size_t k = IPFS_LINKS;
    const size_t counts[] = {
        1,         2,     k - 1,     k,         k + 1,         2 * k,        2 * k + 1,
        k * k - 1, k * k, k * k + 1, k * k + k, k * k + k + 1, 2 * k * k + 5};
    const size_t most = 2 * k * k + 5;
    struct dag_builder *d;
    cleanup_free struct link *l = malloc(most * sizeof *l);
    assert_non_null(l);
    assert_int_equal(dag_new(NULL, NULL, &d, NULL), SR_OK);
    for (size_t c = 0; c < SR_ARRAY_LEN(counts); c++) {
        struct dag_result r;
        for (size_t i = 0; i < counts[c]; i++) {
            memset(&l[i], (int)(i % 251), sizeof l[i]);
            l[i].dag_bytes = IPFS_CHUNK + 14;
            l[i].file_bytes = IPFS_CHUNK;
            d->chunks++;
            assert_int_equal(link_up(d, 0, l[i], NULL), SR_OK);
        }
        assert_int_equal(dag_end(d, &r, NULL), SR_OK);
        struct link want = grouped(d, l, counts[c]);
        assert_true(hash_eq(&want.digest, &r.cid.digest));
        assert_int_equal(want.dag_bytes, r.dag_bytes);
    }
    dag_free(d);
}

static sr_status refuse(void *arg, const struct cid *cid, struct slice block, struct sr_err *err) {
    (void)cid;
    (void)block;
    unsigned *left = arg;
    if (*left == 0) return sr_fail(err, SR_E_SYS, "disk full");
    --*left;
    return SR_OK;
}

static void a_failing_block_sink_stops_the_file(void **state) {
    (void)state;
    cleanup_free uint8_t *p = calloc(1, 3 * IPFS_CHUNK);
    for (unsigned ok = 0; ok < 4; ok++) {
        struct dag_builder *d;
        struct dag_result r;
        unsigned left = ok;
        assert_int_equal(dag_new(refuse, &left, &d, NULL), SR_OK);
        sr_status st = dag_add(d, slice_of(p, 3 * IPFS_CHUNK), NULL);
        if (st == SR_OK) st = dag_end(d, &r, NULL);
        assert_int_equal(st, SR_E_SYS);
        dag_free(d);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(vectors_give_the_same_cids_sizes_and_blocks),
        cmocka_unit_test(all_ways_to_give_bytes_make_one_tree),
        cmocka_unit_test(deep_trees_are_balanced),
        cmocka_unit_test(a_failing_block_sink_stops_the_file),
    };
    return cmocka_run_group_tests_name("ipfs/build", t, NULL, NULL);
}
