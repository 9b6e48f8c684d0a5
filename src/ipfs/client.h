/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - add to and get from an IPFS node and gateway (ours, Kubo, a pinning service)
 *
 * The CID is computed here while the bytes pass and compared with the node's: neither node nor
 * gateway is trusted. All functions wait (call them in a fiber).
 *
 * Depends on: ipfs.h, net.  Used by: sdk, worker, scheduler, cli.  Memory: constant.
 */
#pragma once
#include "ipfs/ipfs.h"
#include "net/net.h"

/* Fills p with 1..n bytes; *ret_n 0 at the end. */
typedef sr_status (*ipfs_read_fn)(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err);

/*
 * ipfs_add - streams content to {node}/api/v0/add and pins it there
 *
 * node     origin, "http://127.0.0.1:5001"
 * size     bytes that read will give when known (sent as Content-Length), UINT64_MAX otherwise
 * ret      what was added; the node's answer was the same CID
 *
 * SR_E_CRYPTO when the node answers another CID; SR_E_UNAVAILABLE, SR_E_TIMEOUT with a hint.
 */
SR_CHECK sr_status ipfs_add(const char *node, ipfs_read_fn read, void *arg, uint64_t size,
                            struct dag_result *ret, struct sr_err *err);
/* The next piece, borrowed until the next call; empty at the end. */
typedef sr_status (*ipfs_next_fn)(void *arg, struct slice *ret_piece, struct sr_err *err);
/*
 * ipfs_add_pieces - ipfs_add without copies, for content that is made in pieces elsewhere
 *
 * secret_auth   the value of an Authorization header, for a node that is somebody's; NULL: none
 * fed      borrowed: a builder that got the same bytes by the time next gives the end; it is ended
 *          here. So the maker of the content can hash it on its own thread.
 */
SR_CHECK sr_status ipfs_add_pieces(const char *node, const char *secret_auth, ipfs_next_fn next,
                                   void *arg, uint64_t size, struct dag_builder *fed,
                                   struct dag_result *ret, struct sr_err *err);
SR_CHECK sr_status ipfs_add_bytes(const char *node, struct slice data, struct dag_result *ret,
                                  struct sr_err *err);

struct ipfs_get_opts {
    uint64_t max_bytes; /* 0: no bound */
    bool unverified;    /* skip the check: the caller has a checksum of its own */
    bool blocks;        /* fetch single blocks (?format=raw) and check each before passing it on:
                           for files of another layout than Kubo's default, and for paths */
    bool public_urls;   /* the location is a stranger's: a URL must lead to the public internet, or
                           below the gateway's own /ipfs/; else SR_E_REFUSED */
    /* Optional: where sink wants the next piece put, *ret_n bytes of room; spares its copy. Not
     * used with blocks. */
    uint8_t *(*room)(void *arg, size_t *ret_n);
};
/*
 * ipfs_get - streams {gateway}{location} into sink
 *
 * location  "/ipfs/CID[/path]", "/p2p/CID", "ipfs://CID" or an http(s) URL (never verified)
 *
 * Without opts->blocks the check comes at the end: what sink got is worthless unless SR_OK.
 * SR_E_NOTFOUND; SR_E_CRYPTO: not the content the CID names; SR_E_TOOBIG; SR_E_UNAVAILABLE.
 */
SR_CHECK sr_status ipfs_get(const char *gateway, struct slice location,
                            const struct ipfs_get_opts *opts, dag_sink_fn sink, void *arg,
                            struct sr_err *err);
/* Appends to ret, bounded by ret->max. */
SR_CHECK sr_status ipfs_get_bytes(const char *gateway, struct slice location, struct buf *ret,
                                  struct sr_err *err);
/* Is it there: HEAD. *ret_bytes UINT64_MAX when the gateway does not say. SR_E_NOTFOUND. */
SR_CHECK sr_status ipfs_head(const char *gateway, struct slice location, uint64_t *ret_bytes,
                             struct sr_err *err);
