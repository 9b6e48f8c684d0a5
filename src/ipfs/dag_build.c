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

static sr_status leaf_link(struct dag_builder *d, struct hash digest, size_t n, size_t block_bytes,
                           struct sr_err *err) {
    d->chunks++;
    return link_up(d, 0, (struct link){digest, block_bytes, n}, err);
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

/* all, when given, gets the chunk's bytes too. */
static sr_status one_chunk(struct dag_builder *d, struct slice chunk, struct sha256_lane *all,
                           struct sr_err *err) {
    uint8_t head[LEAF_HEAD], tail[LEAF_TAIL];
    size_t nh = leaf_head(head, chunk.n), nt = leaf_tail(tail, chunk.n);
    struct sha256_lane l;
    sha256_lane_init(&l);
    sha256_lane_add(&l, slice_of(head, nh));
    if (all)
        sha256_lanes_add(&l, chunk, all, chunk);
    else
        sha256_lane_add(&l, chunk);
    sha256_lane_add(&l, slice_of(tail, nt));
    return leaf_link(d, sha256_lane_end(&l), chunk.n, nh + chunk.n + nt, err);
}

static sr_status two_chunks(struct dag_builder *d, const uint8_t *p, struct sr_err *err) {
    uint8_t head[LEAF_HEAD], tail[LEAF_TAIL];
    size_t nh = leaf_head(head, IPFS_CHUNK), nt = leaf_tail(tail, IPFS_CHUNK);
    struct sha256_lane l[2];
    for (int i = 0; i < 2; i++) {
        sha256_lane_init(&l[i]);
        sha256_lane_add(&l[i], slice_of(head, nh));
    }
    sha256_lanes_add(&l[0], slice_of(p, IPFS_CHUNK), &l[1], slice_of(p + IPFS_CHUNK, IPFS_CHUNK));
    for (int i = 0; i < 2; i++) {
        sha256_lane_add(&l[i], slice_of(tail, nt));
        SR_TRY(leaf_link(d, sha256_lane_end(&l[i]), IPFS_CHUNK, nh + IPFS_CHUNK + nt, err));
    }
    return SR_OK;
}

static sr_status buffer_full(struct dag_builder *d, struct sr_err *err) {
    d->used = 0;
    return d->on_block ? leaf_block(d, IPFS_CHUNK, err) : two_chunks(d, d->leaf + LEAF_HEAD, err);
}

/* What the builder takes at once from the front of data, past its buffer; 0: nothing. */
static size_t straight(const struct dag_builder *d, size_t n, bool all) {
    size_t least = all ? IPFS_CHUNK : 2 * IPFS_CHUNK;
    return d->used == 0 && !d->on_block && n >= least ? least : 0;
}

sr_status dag_add_all(struct dag_builder *d, struct slice data, struct sha256_lane *all,
                      struct sr_err *err) {
    size_t room = d->on_block ? IPFS_CHUNK : 2 * IPFS_CHUNK;
    d->file_bytes += data.n;
    while (data.n > 0) {
        if (d->used == room) SR_TRY(buffer_full(d, err));
        size_t n = straight(d, data.n, all != NULL);
        if (n > 0) {
            SR_TRY(all ? one_chunk(d, slice_of(data.p, n), all, err) : two_chunks(d, data.p, err));
        } else {
            n = room - d->used < data.n ? room - d->used : data.n;
            memcpy(d->leaf + LEAF_HEAD + d->used, data.p, n);
            d->used += n;
            if (all) sha256_lane_add(all, slice_of(data.p, n));
        }
        data = slice_of(data.p + n, data.n - n);
    }
    return SR_OK;
}

sr_status dag_add(struct dag_builder *d, struct slice data, struct sr_err *err) {
    return dag_add_all(d, data, NULL, err);
}

static sr_status buffer_end(struct dag_builder *d, struct sr_err *err) {
    const uint8_t *p = d->leaf + LEAF_HEAD;
    size_t n = d->used;
    if (n == 0 && d->chunks > 0) return SR_OK;
    if (d->on_block) return leaf_block(d, n, err);
    size_t first = n < IPFS_CHUNK ? n : IPFS_CHUNK;
    SR_TRY(one_chunk(d, slice_of(p, first), NULL, err));
    return n > first ? one_chunk(d, slice_of(p + first, n - first), NULL, err) : SR_OK;
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
