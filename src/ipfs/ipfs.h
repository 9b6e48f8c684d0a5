/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ipfs.h - content identifiers, UnixFS files as Kubo makes them, multiaddr; no network (client.h)
 *
 * What a file's CID is follows from its bytes: chunks of 256 KiB, dag-pb leaves, a balanced tree of
 * at most 174 links a node (Kubo's defaults). So a stream is checked by building its tree again.
 *
 * Depends on: base, crypto.  Used by: room (verifies inputs), store, sdk, worker, market, cli.
 * Limits: IPFS_* below.  Memory: one chunk and a few kilobytes a level, whatever the file's size.
 */
#pragma once
#include "base/base.h"
#include "crypto/crypto.h"

#define IPFS_CHUNK     262144u
#define IPFS_LINKS     174u
#define IPFS_BLOCK_MAX (2u << 20) /* bytes of one block, as Kubo exchanges them */
#define IPFS_DEPTH_MAX 8u         /* levels of a tree: 174^7 chunks are beyond any file */
#define IPFS_PATH_MAX  16u        /* segments of a path below a CID */

/* ---- content identifiers
 * ---------------------------------------------------------------------------------- */

#define CID_DAG_PB 0x70u
#define CID_RAW    0x55u

/* A CID over SHA-256, the only hash we speak. */
struct cid {
    uint8_t version; /* 0 or 1 */
    uint32_t codec;  /* CID_DAG_PB for version 0 */
    struct hash digest;
};
struct cid_text {
    char s[72];
};
/* "Qm…" (base58btc), "b…" (base32, either case), "z…" (base58btc). SR_E_MALFORMED: anything else.
 */
SR_CHECK sr_status cid_parse(struct slice text, struct cid *ret_cid, struct sr_err *err);
struct cid_text cid_text(const struct cid *c);  /* in its own version */
struct cid_text cid_text1(const struct cid *c); /* as version 1, base32 */
struct cid cid_v0(const struct hash *digest);   /* dag-pb, version 0 */
/* The same block: digest and codec equal, whatever the version. */
bool cid_eq(const struct cid *a, const struct cid *b);
/* Binary form as in links; reads exactly one CID. */
void cid_write(struct buf *b, const struct cid *c);
bool cid_read(struct slice bytes, struct cid *ret_cid) SR_CHECK;
/*
 * "/ipfs/CID[/path]", "/p2p/CID[/path]", "ipfs://CID[/path]" or "CID[/path]"; *ret_path is the rest
 * without its first slash (may be empty), borrowed from text.
 */
SR_CHECK sr_status ipfs_path_parse(struct slice text, struct cid *ret_cid, struct slice *ret_path,
                                   struct sr_err *err);

/* ---- building the tree of a file
 * -------------------------------------------------------------------------- */

/* Called for each block as it is ready, children before parents. Borrows block. */
typedef sr_status (*dag_block_fn)(void *arg, const struct cid *cid, struct slice block,
                                  struct sr_err *err);
struct dag_builder; /* owned: dag_free */
/* on_block may be NULL: only the CID is wanted. */
SR_CHECK sr_status dag_new(dag_block_fn on_block, void *arg, struct dag_builder **ret,
                           struct sr_err *err);
SR_CHECK sr_status dag_add(struct dag_builder *d, struct slice data, struct sr_err *err);
/* A chunk that the caller hashes himself, beside something else: begin, feed its n bytes to
 * *ret_leaf, end. n is IPFS_CHUNK except for the file's last chunk; not between calls of dag_add.
 */
void dag_chunk_begin(const struct dag_builder *d, size_t n, struct sha256_lane *ret_leaf);
SR_CHECK sr_status dag_chunk_end(struct dag_builder *d, struct sha256_lane *leaf, size_t n,
                                 struct sr_err *err);
struct dag_result {
    struct cid cid;      /* version 0 */
    uint64_t file_bytes; /* of the content */
    uint64_t dag_bytes;  /* of all blocks: "Size" in the answer of add */
};
/* Ends the file; the builder may then be started again by adding. */
SR_CHECK sr_status dag_end(struct dag_builder *d, struct dag_result *ret, struct sr_err *err);
void dag_free(struct dag_builder *d); /* accepts NULL */
/* The whole thing for bytes in memory. */
SR_CHECK sr_status dag_of_bytes(struct slice data, struct dag_result *ret, struct sr_err *err);

/* ---- nodes and verified reading
 * --------------------------------------------------------------------------- */

typedef enum { DAG_RAW = 0, DAG_DIR = 1, DAG_FILE = 2 } dag_type;
struct dag_link {
    struct cid cid;
    struct slice name; /* borrowed from the block */
    uint64_t size;     /* cumulative */
};
/* A dag-pb block with UnixFS data. Borrows the block. */
struct dag_node {
    dag_type type;
    struct slice data;
    uint64_t file_bytes; /* of the file below this node */
    size_t n_links;
    struct slice pb; /* the block: dag_links walks it */
};
SR_CHECK sr_status dag_node_parse(struct slice block, struct dag_node *ret, struct sr_err *err);
/* for (struct rd at = dag_links(&n); dag_link_next(&at, &link);) */
struct rd dag_links(const struct dag_node *n);
bool dag_link_next(struct rd *at, struct dag_link *ret_link);
/* A directory's block; names sorted and distinct (SR_E_MALFORMED otherwise). */
SR_CHECK sr_status dag_dir_block(const struct dag_link *links, size_t n, struct buf *ret_block,
                                 struct sr_err *err);

/* Appends the block's bytes to b; need not check them. */
typedef sr_status (*dag_fetch_fn)(void *arg, const struct cid *cid, struct buf *b,
                                  struct sr_err *err);
typedef sr_status (*dag_sink_fn)(void *arg, struct slice data, struct sr_err *err);
/*
 * dag_read - reads the file at root/path block by block, checking each against its CID before any
 * of it is passed on
 *
 * Any UnixFS file layout, raw leaves, plain directories. SR_E_CRYPTO: a block is not what its CID
 * says; SR_E_NOTFOUND: no such name; SR_E_TOOBIG: more than max_bytes; SR_E_MALFORMED.
 */
SR_CHECK sr_status dag_read(dag_fetch_fn fetch, void *fetch_arg, const struct cid *root,
                            struct slice path, uint64_t max_bytes, dag_sink_fn sink, void *sink_arg,
                            struct sr_err *err);

/* ---- multiaddr of apps and data sets   SPEC: sdk-formats.md#2-multiaddr-of-apps-and-data-sets
 * ---------------- */

#define MULTIADDR_MAX 2048u /* bytes and characters */
/* Appends the bytes to store on chain: binary when text is a multiaddr, its UTF-8 otherwise. */
SR_CHECK sr_status multiaddr_bytes(struct slice text, struct buf *ret, struct sr_err *err);
/* Appends the text to show: "/p2p/Qm…" and so on, or the bytes as they are. */
SR_CHECK sr_status multiaddr_text(struct slice bytes, struct buf *ret, struct sr_err *err);
