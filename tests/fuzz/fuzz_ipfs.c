/* SPDX-License-Identifier: Apache-2.0 */
/* CIDs, UnixFS blocks, multiaddr: what is read is written back the same. */
#include "ipfs/ipfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sr_status nothing(void *arg, struct slice s, struct sr_err *err) {
    (void)err;
    *(uint64_t *)arg += s.n;
    return SR_OK;
}

/* Any block asked for is the input: only its own CID can match. */
static sr_status fetch(void *arg, const struct cid *cid, struct buf *b, struct sr_err *err) {
    (void)cid;
    buf_add(b, *(struct slice *)arg);
    return buf_status(b, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    struct cid c, again;
    struct dag_node n;
    struct slice path;
    uint64_t got = 0;
    if (cid_parse(in, &c, NULL) == SR_OK) {
        struct cid_text t = cid_text(&c);
        SR_ASSERT(cid_parse(slice_str(t.s), &again, NULL) == SR_OK && cid_eq(&c, &again));
        if (c.version == 0) SR_ASSERT(slice_is(in, t.s));
    }
    if (cid_read(in, &c)) {
        struct buf b;
        buf_init(&b, 64);
        cid_write(&b, &c);
        SR_ASSERT(slice_eq(buf_slice(&b), in));
        buf_done(&b);
    }
    if (ipfs_path_parse(in, &c, &path, NULL) == SR_OK) SR_ASSERT(path.n < in.n);
    if (dag_node_parse(in, &n, NULL) == SR_OK) {
        struct rd at = dag_links(&n);
        struct dag_link l;
        size_t links = 0;
        while (dag_link_next(&at, &l)) links++;
        SR_ASSERT(links == n.n_links);
        struct hash h = sha256(in);
        c = cid_v0(&h);
        sr_status st = dag_read(fetch, &in, &c, slice_of(NULL, 0), 1u << 20, nothing, &got, NULL);
        SR_ASSERT(st != SR_OK || got == n.file_bytes);
    }
    struct buf text, bytes;
    buf_init(&text, 1u << 16);
    buf_init(&bytes, 1u << 16);
    if (multiaddr_text(in, &text, NULL) == SR_OK && text.n <= MULTIADDR_MAX)
        SR_ASSERT(multiaddr_bytes(buf_slice(&text), &bytes, NULL) == SR_OK);
    buf_done(&text);
    buf_done(&bytes);
    return 0;
}
