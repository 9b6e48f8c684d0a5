/* SPDX-License-Identifier: Apache-2.0 */
/* store_int.h - the role's state and handlers; private to this folder */
#pragma once
#include "store/blobs.h"
#include "store/registry.h"
#include "store/store.h"

#define ADD_PARTS_MAX     10000u        /* files of one add */
#define ADD_FOLDER_MAX    (256u * 1024) /* bytes of a folder's block; Kubo would shard */
#define ADD_GRACE_MS      60000u        /* then at least so many bytes a second: */
#define ADD_MIN_RATE      (16u * 1024)
#define ADD_MAX_MS        (24ull * 3600 * 1000) /* and never longer than this */
#define ADD_BYTES_DEFAULT (1ull << 40)          /* of one add */
#define SENDS_MAX         512u                  /* answers with a file under way at once */
#define SEND_PIECE        (128u * 1024)

struct store {
    struct blobs *blobs;
    uint64_t max_add;
    size_t sends;
    uint64_t grace_ms; /* ADD_GRACE_MS; tests shorten it */
    struct registry registry;
};

extern const struct http_docs store_docs; /* docs.c */
sr_status store_add(struct http_req *rq, void *role, struct sr_err *err);
sr_status store_gateway(struct http_req *rq, void *role, struct sr_err *err);
sr_status store_cat(struct http_req *rq, void *role, struct sr_err *err);
sr_status store_pin_add(struct http_req *rq, void *role, struct sr_err *err);
sr_status store_pin_ls(struct http_req *rq, void *role, struct sr_err *err);
sr_status store_pin_rm(struct http_req *rq, void *role, struct sr_err *err);
sr_status store_version(struct http_req *rq, void *role, struct sr_err *err);
sr_status store_repo_stat(struct http_req *rq, void *role, struct sr_err *err);
/* Kubo's shape of an error under /api/, ours elsewhere. */
void store_error(struct http_req *rq, const struct sr_err *e);
/* Sends bytes from..to of a file as the body of a started answer. */
SR_CHECK sr_status store_send(struct store *s, struct http_req *rq, int fd, uint64_t from,
                              uint64_t to, struct sr_err *err);
/* A whole file or the range that is asked for, of an answer whose headers are set. */
SR_CHECK sr_status store_send_file(struct store *s, struct http_req *rq, const char *etag,
                                   const struct blob *b, struct sr_err *err);
/* SR_E_UNAVAILABLE when too many files are being sent; ask before the answer starts. */
SR_CHECK sr_status store_may_send(const struct store *s, struct sr_err *err);
/* Serves until net_stop; the routes of this folder. */
SR_CHECK sr_status store_serve(struct store *s, const char *host, uint16_t port, int listen_fd,
                               struct http_server **ret, struct sr_err *err);
