/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree grows from its leaves: each level keeps the links that have no parent yet, and a full
 * level becomes one link of the next. At the end the rests are closed from below; the highest level
 * with a single link holds the root. That is Kubo's balanced layout, in constant memory.
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
    size_t used; /* of the chunk being filled */
    uint64_t chunks, file_bytes;
    struct level level[IPFS_DEPTH_MAX];
    uint8_t leaf[LEAF_HEAD + IPFS_CHUNK + LEAF_TAIL];
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

/* The head is written backwards from the chunk, so that the block is one piece. */
static sr_status leaf_done(struct dag_builder *d, struct link *ret, struct sr_err *err) {
    size_t n = d->used, inner = 2 + 1 + varint_size(n);
    uint8_t *chunk = d->leaf + LEAF_HEAD, *tail = chunk + n;
    if (n > 0) inner += 1 + varint_size(n) + n;
    *tail++ = 0x18;
    tail = varint_write(tail, n);
    uint8_t *head = chunk - (1 + varint_size(inner)) - 2 - (n > 0 ? 1 + varint_size(n) : 0), *p;
    SR_ASSERT(head >= d->leaf);
    p = head;
    *p++ = 0x0a;
    p = varint_write(p, inner);
    *p++ = 0x08;
    *p++ = DAG_FILE;
    if (n > 0) {
        *p++ = 0x12;
        p = varint_write(p, n);
    }
    SR_ASSERT(p == chunk);
    d->used = 0;
    d->chunks++;
    return block_done(d, slice_of(head, (size_t)(tail - head)), 0, n, ret, err);
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

sr_status dag_add(struct dag_builder *d, struct slice data, struct sr_err *err) {
    d->file_bytes += data.n;
    while (data.n > 0) {
        if (d->used == IPFS_CHUNK) { /* lazily: the last chunk may be the only one */
            struct link l;
            SR_TRY(leaf_done(d, &l, err));
            SR_TRY(link_up(d, 0, l, err));
        }
        size_t n = IPFS_CHUNK - d->used < data.n ? IPFS_CHUNK - d->used : data.n;
        memcpy(d->leaf + LEAF_HEAD + d->used, data.p, n);
        d->used += n;
        data.p += n;
        data.n -= n;
    }
    return SR_OK;
}

sr_status dag_end(struct dag_builder *d, struct dag_result *ret, struct sr_err *err) {
    struct link root = {{{0}}, 0, 0};
    if (d->used > 0 || d->chunks == 0) {
        SR_TRY(leaf_done(d, &root, err));
        SR_TRY(link_up(d, 0, root, err));
    }
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
