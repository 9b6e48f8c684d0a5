/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading trees made by strangers: each block is checked against its CID first, and each node's
 * sizes must add up, so that every step makes progress and the work is bounded by max_bytes.
 */
#include "ipfs/ipfs.h"
#include "ipfs/ipfs_int.h"

#define UNIXFS_SYMLINK 4u
#define UNIXFS_SHARDED 5u

/* The UnixFS message inside a node. */
struct unixfs {
    uint64_t type, file_bytes, sum; /* sum of block sizes */
    size_t n_sizes;
    struct slice data;
    bool has_type, has_size, has_data;
};

static bool unixfs_parse(struct slice s, struct unixfs *ret) {
    struct unixfs u = {0};
    struct rd r = rd_of(s);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        bool bytes = f.wire == PB_BYTES;
        if (f.number == 1 && !bytes && !u.has_type) {
            u.has_type = true;
            u.type = f.value;
        } else if (f.number == 2 && bytes && !u.has_data) {
            u.has_data = true;
            u.data = f.bytes;
        } else if (f.number == 3 && !bytes && !u.has_size) {
            u.has_size = true;
            u.file_bytes = f.value;
        } else if (f.number == 4 && !bytes) {
            u.n_sizes++;
            if (f.value == 0 || __builtin_add_overflow(u.sum, f.value, &u.sum)) return false;
        } else if (f.number < 5 || f.number > 8) {
            return false; /* 5..8: hash type, fan-out, mode, time */
        }
    }
    if (!rd_done(&r) || !u.has_type) return false;
    *ret = u;
    return true;
}

static bool link_parse(struct slice s, struct dag_link *ret) {
    struct dag_link l = {.name = {NULL, 0}};
    struct rd r = rd_of(s);
    struct pb_field f;
    unsigned last = 0;
    while (pb_next(&r, &f)) {
        if (f.number <= last || f.number > 3) return false;
        last = f.number;
        if ((f.number == 3) != (f.wire == PB_VARINT)) return false;
        if (f.number == 1 && !cid_read(f.bytes, &l.cid)) return false;
        if (f.number == 2) l.name = f.bytes;
        if (f.number == 3) l.size = f.value;
        if (f.number != 1 && l.cid.codec == 0) return false; /* the hash comes first */
    }
    if (!rd_done(&r) || l.cid.codec == 0) return false;
    *ret = l;
    return true;
}

struct rd dag_links(const struct dag_node *n) {
    return rd_of(n->pb);
}

bool dag_link_next(struct rd *at, struct dag_link *ret_link) {
    struct pb_field f;
    return pb_next(at, &f) && f.number == 2 && f.wire == PB_BYTES && link_parse(f.bytes, ret_link);
}

sr_status dag_node_parse(struct slice block, struct dag_node *ret, struct sr_err *err) {
    struct dag_node n = {.pb = block};
    struct unixfs u = {0};
    struct rd r = rd_of(block);
    struct pb_field f;
    bool has_data = false, bad = block.n > IPFS_BLOCK_MAX;
    while (!bad && pb_next(&r, &f)) { /* links, then the data, as every writer does */
        struct dag_link l;
        bad = has_data || f.wire != PB_BYTES || f.number < 1 || f.number > 2;
        if (bad) break;
        if (f.number == 2) {
            bad = !link_parse(f.bytes, &l);
            n.n_links++;
        } else {
            has_data = true;
            bad = !unixfs_parse(f.bytes, &u);
        }
    }
    if (bad || !rd_done(&r) || !has_data)
        return sr_fail(err, SR_E_MALFORMED, "not a UnixFS block (%zu bytes)", block.n);
    if (u.type == UNIXFS_SYMLINK || u.type == UNIXFS_SHARDED)
        return sr_fail(err, SR_E_MALFORMED, "UnixFS %s are not supported",
                       u.type == UNIXFS_SYMLINK ? "links" : "sharded folders");
    if (u.type > DAG_FILE)
        return sr_fail(err, SR_E_MALFORMED, "UnixFS type %llu", (unsigned long long)u.type);
    n.type = (dag_type)u.type;
    n.data = u.data;
    n.file_bytes = u.file_bytes;
    if (n.type != DAG_DIR) {
        uint64_t sum;
        if (__builtin_add_overflow(u.sum, (uint64_t)u.data.n, &sum) || u.n_sizes != n.n_links ||
            sum != u.file_bytes)
            return sr_fail(err, SR_E_MALFORMED, "a UnixFS block's sizes do not add up");
    }
    *ret = n;
    return SR_OK;
}

sr_status dag_dir_block(const struct dag_link *links, size_t n, struct buf *ret_block,
                        struct sr_err *err) {
    for (size_t i = 0; i < n; i++) {
        struct slice a = links[i].name, b = i ? links[i - 1].name : (struct slice){NULL, 0};
        size_t k = a.n < b.n ? a.n : b.n;
        int order = k ? memcmp(b.p, a.p, k) : 0;
        if (a.n == 0 || memchr(a.p, '/', a.n) || slice_is(a, ".") || slice_is(a, ".."))
            return sr_fail(err, SR_E_MALFORMED, "a name that no file can have");
        if (i > 0 && (order > 0 || (order == 0 && b.n >= a.n)))
            return sr_fail(err, SR_E_MALFORMED, "names of a folder out of order or repeated");
        struct slice id = {NULL, 0};
        cleanup_buf struct buf cid = {0};
        buf_init(&cid, 64);
        cid_write(&cid, &links[i].cid);
        SR_TRY(buf_status(&cid, err));
        id = buf_slice(&cid);
        size_t inner = 1 + varint_size(id.n) + id.n + 1 + varint_size(a.n) + a.n + 1 +
                       varint_size(links[i].size);
        buf_u8(ret_block, 0x12);
        varint_add(ret_block, inner);
        buf_u8(ret_block, 0x0a);
        varint_add(ret_block, id.n);
        buf_add(ret_block, id);
        buf_u8(ret_block, 0x12);
        varint_add(ret_block, a.n);
        buf_add(ret_block, a);
        buf_u8(ret_block, 0x18);
        varint_add(ret_block, links[i].size);
    }
    buf_put(ret_block, "\x0a\x02\x08\x01", 4);
    return buf_status(ret_block, err);
}

struct walk {
    dag_fetch_fn fetch;
    void *fetch_arg;
    dag_sink_fn sink;
    void *sink_arg;
};

static sr_status block_get(const struct walk *w, const struct cid *c, struct buf *b,
                           struct sr_err *err) {
    if (c->codec != CID_DAG_PB && c->codec != CID_RAW)
        return sr_fail(err, SR_E_MALFORMED, "a CID of codec 0x%x is no file", (unsigned)c->codec);
    buf_init(b, IPFS_BLOCK_MAX);
    SR_TRY(w->fetch(w->fetch_arg, c, b, err));
    SR_TRY(buf_status(b, err));
    struct hash h = sha256(buf_slice(b));
    if (!hash_eq(&h, &c->digest))
        return sr_fail(err, SR_E_CRYPTO, "block %s holds other bytes", cid_text(c).s);
    return SR_OK;
}

/* A node as file content: raw leaves have no envelope. */
static sr_status content_of(const struct cid *c, struct slice block, struct dag_node *ret,
                            struct sr_err *err) {
    if (c->codec == CID_RAW) {
        *ret = (struct dag_node){DAG_RAW, block, block.n, 0, {NULL, 0}};
        return SR_OK;
    }
    SR_TRY(dag_node_parse(block, ret, err));
    if (ret->type == DAG_DIR) return sr_fail(err, SR_E_MALFORMED, "this is a folder, not a file");
    return SR_OK;
}

static sr_status emit(const struct walk *w, const struct dag_node *n, unsigned depth,
                      struct sr_err *err) {
    uint64_t sent = n->data.n;
    if (n->data.n > 0) SR_TRY(w->sink(w->sink_arg, n->data, err));
    if (n->n_links > 0 && depth == 0)
        return sr_fail(err, SR_E_TOOBIG, "more than %u levels of blocks", IPFS_DEPTH_MAX);
    struct rd at = dag_links(n);
    struct dag_link l;
    for (size_t i = 0; i < n->n_links; i++) {
        cleanup_buf struct buf b = {0};
        struct dag_node child;
        SR_ASSERT(dag_link_next(&at, &l)); /* parsed before */
        SR_TRY(block_get(w, &l.cid, &b, err));
        SR_TRY(content_of(&l.cid, buf_slice(&b), &child, err));
        if (child.file_bytes == 0 || child.file_bytes > n->file_bytes - sent)
            return sr_fail(err, SR_E_MALFORMED, "a UnixFS block's sizes do not add up");
        sent += child.file_bytes;
        SR_TRY(emit(w, &child, depth - 1, err));
    }
    if (sent != n->file_bytes)
        return sr_fail(err, SR_E_MALFORMED, "a UnixFS block's sizes do not add up");
    return SR_OK;
}

sr_status dag_read(dag_fetch_fn fetch, void *fetch_arg, const struct cid *root, struct slice path,
                   uint64_t max_bytes, dag_sink_fn sink, void *sink_arg, struct sr_err *err) {
    struct walk w = {fetch, fetch_arg, sink, sink_arg};
    struct cid at = *root;
    for (unsigned step = 0;; step++) {
        cleanup_buf struct buf b = {0};
        struct dag_node n;
        SR_TRY(block_get(&w, &at, &b, err));
        if (path.n == 0) {
            SR_TRY(content_of(&at, buf_slice(&b), &n, err));
            if (n.file_bytes > max_bytes)
                return sr_fail(err, SR_E_TOOBIG, "the file has %llu bytes, at most %llu are taken",
                               (unsigned long long)n.file_bytes, (unsigned long long)max_bytes);
            return emit(&w, &n, IPFS_DEPTH_MAX, err);
        }
        struct slice name, rest = {NULL, 0};
        struct dag_link l;
        bool found = false;
        (void)slice_cut(path, '/', &name, &rest);
        if (at.codec == CID_RAW || step >= IPFS_PATH_MAX)
            return sr_fail(err, SR_E_NOTFOUND, "no such path below this CID");
        SR_TRY(dag_node_parse(buf_slice(&b), &n, err));
        struct rd links = dag_links(&n);
        while (n.type == DAG_DIR && !found && dag_link_next(&links, &l))
            found = slice_eq(l.name, name);
        if (!found) return sr_fail(err, SR_E_NOTFOUND, "no such name in this folder");
        at = l.cid;
        path = rest;
    }
}
