/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree grows from its leaves: each level keeps the links that have no parent yet, and a full
 * level becomes one link of the next. At the end the rests are closed from below; the highest level
 * with a single link holds the root. That is Kubo's balanced layout, in constant memory.
 *
 * Chunks are hashed two at a time where nobody wants to see the blocks, and straight from the bytes
 * that were given where they hold whole chunks.
 */
#include "ipfs/ipfs.h"
#include "ipfs/ipfs_int.h"
#include <stdlib.h>

#define LEAF_HEAD  16u /* most bytes in front of a chunk: 12 */
#define LEAF_TAIL  8u  /* 18 and a varint of at most 3 bytes */
#define LINK_BYTES 50u /* 12 n 0a 22 34 bytes 12 00 18 varint(10) */
#define NODE_BYTES (IPFS_LINKS * (LINK_BYTES + 11u) + 32u)

struct link {
    struct hash digest;
    uint64_t dag_bytes, file_bytes;
};

struct level {
    size_t n;
    struct link link[IPFS_LINKS];
};

struct dag_builder {
    dag_block_fn on_block;
    void *arg;
    size_t used; /* of the chunks being filled: one when blocks are wanted, else two */
    uint64_t chunks, file_bytes;
    struct level level[IPFS_DEPTH_MAX];
    uint8_t leaf[LEAF_HEAD + 2 * IPFS_CHUNK + LEAF_TAIL];
    uint8_t node[NODE_BYTES];
};

sr_status dag_new(dag_block_fn on_block, void *arg, struct dag_builder **ret, struct sr_err *err) {
    struct dag_builder *d = malloc(sizeof *d); /* big: the parts that matter are set here */
    if (!d) return sr_fail(err, SR_E_NOMEM, "no memory for a file's tree");
    d->on_block = on_block;
    d->arg = arg;
    d->used = 0;
    d->chunks = d->file_bytes = 0;
    for (size_t i = 0; i < IPFS_DEPTH_MAX; i++) d->level[i].n = 0;
    *ret = d;
    return SR_OK;
}

void dag_free(struct dag_builder *d) {
    free(d);
}

static sr_status block_done(struct dag_builder *d, struct slice block, uint64_t below,
                            uint64_t file_bytes, struct link *ret, struct sr_err *err) {
    struct link l = {sha256(block), below + block.n, file_bytes};
    struct cid c = cid_v0(&l.digest);
    if (d->on_block) SR_TRY(d->on_block(d->arg, &c, block, err));
    *ret = l;
    return SR_OK;
}

static sr_status node_done(struct dag_builder *d, const struct level *v, struct link *ret,
                           struct sr_err *err) {
    uint64_t dag_bytes = 0, file_bytes = 0;
    size_t inner = 2;
    uint8_t *p = d->node;
    for (size_t i = 0; i < v->n; i++) {
        const struct link *l = &v->link[i];
        *p++ = 0x12;
        *p++ = (uint8_t)(2 + 34 + 2 + 1 + varint_size(l->dag_bytes));
        *p++ = 0x0a;
        *p++ = 34;
        *p++ = 0x12;
        *p++ = 0x20;
        memcpy(p, l->digest.b, 32);
        p += 32;
        *p++ = 0x12;
        *p++ = 0;
        *p++ = 0x18;
        p = varint_write(p, l->dag_bytes);
        dag_bytes += l->dag_bytes;
        file_bytes += l->file_bytes;
        inner += 1 + varint_size(l->file_bytes);
    }
    inner += 1 + varint_size(file_bytes);
    *p++ = 0x0a;
    p = varint_write(p, inner);
    *p++ = 0x08;
    *p++ = DAG_FILE;
    *p++ = 0x18;
    p = varint_write(p, file_bytes);
    for (size_t i = 0; i < v->n; i++) {
        *p++ = 0x20;
        p = varint_write(p, v->link[i].file_bytes);
    }
    size_t n = (size_t)(p - d->node);
    SR_ASSERT(n <= sizeof d->node);
    return block_done(d, slice_of(d->node, n), dag_bytes, file_bytes, ret, err);
}

/* Adds a link at a level; a full one becomes a node above. */
static sr_status link_up(struct dag_builder *d, size_t at, struct link l, struct sr_err *err) {
    for (;; at++) {
        if (at == IPFS_DEPTH_MAX) return sr_fail(err, SR_E_TOOBIG, "file too big for a tree");
        struct level *v = &d->level[at];
        v->link[v->n++] = l;
        if (v->n < IPFS_LINKS) return SR_OK;
        SR_TRY(node_done(d, v, &l, err));
        v->n = 0;
    }
}

/* ---- leaves ---- */

static size_t leaf_head(uint8_t head[LEAF_HEAD], size_t n) {
    size_t inner = 2 + 1 + varint_size(n) + (n > 0 ? 1 + varint_size(n) + n : 0);
    uint8_t *p = head;
    *p++ = 0x0a;
    p = varint_write(p, inner);
    *p++ = 0x08;
    *p++ = DAG_FILE;
    if (n > 0) {
        *p++ = 0x12;
        p = varint_write(p, n);
    }
    return (size_t)(p - head);
}

static size_t leaf_tail(uint8_t tail[LEAF_TAIL], size_t n) {
    tail[0] = 0x18;
    return (size_t)(varint_write(tail + 1, n) - tail);
}

/* For those who want the block: in one piece, around the chunk in the buffer. */
static sr_status leaf_block(struct dag_builder *d, size_t n, struct sr_err *err) {
    uint8_t head[LEAF_HEAD], *chunk = d->leaf + LEAF_HEAD;
    size_t nh = leaf_head(head, n);
    memcpy(chunk - nh, head, nh);
    size_t whole = nh + n + leaf_tail(chunk + n, n);
    struct link l;
    SR_TRY(block_done(d, slice_of(chunk - nh, whole), 0, n, &l, err));
    d->chunks++;
    return link_up(d, 0, l, err);
}

static void leaf_begin(size_t n, struct sha256_lane *ret) {
    uint8_t head[LEAF_HEAD];
    size_t nh = leaf_head(head, n);
    sha256_lane_init(ret);
    sha256_lane_add(ret, slice_of(head, nh));
}

static sr_status leaf_end(struct dag_builder *d, struct sha256_lane *l, size_t n,
                          struct sr_err *err) {
    uint8_t head[LEAF_HEAD], tail[LEAF_TAIL];
    size_t nt = leaf_tail(tail, n), nh = leaf_head(head, n);
    sha256_lane_add(l, slice_of(tail, nt));
    d->chunks++;
    return link_up(d, 0, (struct link){sha256_lane_end(l), nh + n + nt, n}, err);
}

static sr_status one_chunk(struct dag_builder *d, struct slice chunk, struct sr_err *err) {
    struct sha256_lane l;
    leaf_begin(chunk.n, &l);
    sha256_lane_add(&l, chunk);
    return leaf_end(d, &l, chunk.n, err);
}

static sr_status two_chunks(struct dag_builder *d, const uint8_t *p, struct sr_err *err) {
    struct sha256_lane l[2];
    for (int i = 0; i < 2; i++) leaf_begin(IPFS_CHUNK, &l[i]);
    sha256_lanes_add(&l[0], slice_of(p, IPFS_CHUNK), &l[1], slice_of(p + IPFS_CHUNK, IPFS_CHUNK));
    for (int i = 0; i < 2; i++) SR_TRY(leaf_end(d, &l[i], IPFS_CHUNK, err));
    return SR_OK;
}

void dag_chunk_begin(const struct dag_builder *d, size_t n, struct sha256_lane *ret_leaf) {
    SR_ASSERT(d->used == 0 && !d->on_block && n <= IPFS_CHUNK);
    leaf_begin(n, ret_leaf);
}

sr_status dag_chunk_end(struct dag_builder *d, struct sha256_lane *leaf, size_t n,
                        struct sr_err *err) {
    d->file_bytes += n;
    return leaf_end(d, leaf, n, err);
}

static sr_status buffer_full(struct dag_builder *d, struct sr_err *err) {
    d->used = 0;
    return d->on_block ? leaf_block(d, IPFS_CHUNK, err) : two_chunks(d, d->leaf + LEAF_HEAD, err);
}

sr_status dag_add(struct dag_builder *d, struct slice data, struct sr_err *err) {
    size_t room = d->on_block ? IPFS_CHUNK : 2 * IPFS_CHUNK;
    d->file_bytes += data.n;
    while (data.n > 0) {
        if (d->used == room) SR_TRY(buffer_full(d, err));
        size_t n = room;
        if (d->used == 0 && !d->on_block && data.n >= room) { /* past the buffer */
            SR_TRY(two_chunks(d, data.p, err));
        } else {
            n = room - d->used < data.n ? room - d->used : data.n;
            memcpy(d->leaf + LEAF_HEAD + d->used, data.p, n);
            d->used += n;
        }
        data = slice_of(data.p + n, data.n - n);
    }
    return SR_OK;
}

static sr_status buffer_end(struct dag_builder *d, struct sr_err *err) {
    const uint8_t *p = d->leaf + LEAF_HEAD;
    size_t n = d->used;
    if (n == 0 && d->chunks > 0) return SR_OK;
    if (d->on_block) return leaf_block(d, n, err);
    size_t first = n < IPFS_CHUNK ? n : IPFS_CHUNK;
    SR_TRY(one_chunk(d, slice_of(p, first), err));
    return n > first ? one_chunk(d, slice_of(p + first, n - first), err) : SR_OK;
}

sr_status dag_end(struct dag_builder *d, struct dag_result *ret, struct sr_err *err) {
    struct link root = {{{0}}, 0, 0};
    SR_TRY(buffer_end(d, err));
    size_t top = 0;
    for (size_t i = 0; i < IPFS_DEPTH_MAX; i++)
        if (d->level[i].n > 0) top = i;
    for (size_t i = 0; i < top; i++) {
        struct level *v = &d->level[i];
        if (v->n == 0) continue;
        SR_TRY(node_done(d, v, &root, err));
        v->n = 0;
        SR_TRY(link_up(d, i + 1, root, err));
    }
    /* Closing a level can fill the ones above. */
    for (top = 0; d->level[top].n == 0;) top++;
    for (size_t i = top + 1; i < IPFS_DEPTH_MAX; i++) SR_ASSERT(d->level[i].n == 0);
    if (d->level[top].n == 1)
        root = d->level[top].link[0];
    else
        SR_TRY(node_done(d, &d->level[top], &root, err));
    *ret = (struct dag_result){cid_v0(&root.digest), d->file_bytes, root.dag_bytes};
    d->level[top].n = 0;
    d->used = 0;
    d->chunks = d->file_bytes = 0;
    return SR_OK;
}

sr_status dag_of_bytes(struct slice data, struct dag_result *ret, struct sr_err *err) {
    struct dag_builder *d;
    SR_TRY(dag_new(NULL, NULL, &d, err));
    sr_status st = dag_add(d, data, err);
    if (st == SR_OK) st = dag_end(d, ret, err);
    dag_free(d);
    return st;
}
