/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - the store as an OCI registry (/v2/): what skopeo, podman and others push and pull
 *
 * Blobs and manifests are ordinary content of the store, so an image is also there under /ipfs/
 * (the answer's X-Ipfs-Path says where). The registry adds names: a digest's CID, a repository's
 * manifests and tags (names.h). All of it is public; content is never removed by a client.
 *
 * Specification: OCI Distribution 1.1. Only sha256 digests; no referrers (clients then use tags).
 */
#pragma once
#include "store/blobs.h"

#define REG_NAME_MAX     200u                /* of a repository */
#define REG_TAG_MAX      128u                /* of a tag */
#define REG_MANIFEST_MAX (4u << 20)          /* bytes */
#define REG_REPOS_MAX    10000u              /* listed */
#define REG_TAGS_MAX     10000u              /* of a repository */
#define REG_SESSIONS_MAX 32u                 /* uploads begun and not ended */
#define REG_SESSION_MS   (10ull * 60 * 1000) /* an upload nobody goes on with */
#define REG_PAGE_MAX     1000u               /* names in one list */

typedef enum { REGISTRY_OFF, REGISTRY_READ, REGISTRY_OPEN } registry_mode;

struct reg_session;
struct registry {
    registry_mode mode; /* open: anybody who reaches the store may push */
    struct reg_session *first;
    size_t n;
};
void registry_done(struct registry *r);

/* The shape of an error under /v2/; status and code of the standard. SPEC: OCI Distribution, Error
 * Codes. */
SR_CHECK sr_status reg_refuse(struct http_req *rq, int status, const char *code, const char *what,
                              struct sr_err *err);
void reg_error(struct http_req *rq, const struct sr_err *e);

struct store;
sr_status reg_get(struct http_req *rq, void *role, struct sr_err *err);
sr_status reg_post(struct http_req *rq, void *role, struct sr_err *err);
sr_status reg_patch(struct http_req *rq, void *role, struct sr_err *err);
sr_status reg_put(struct http_req *rq, void *role, struct sr_err *err);
sr_status reg_delete(struct http_req *rq, void *role, struct sr_err *err);

/* ---- between the registry's own files ---- */

typedef enum {
    REG_BASE,
    REG_BLOB,
    REG_START,
    REG_UPLOAD,
    REG_MANIFEST,
    REG_TAGS,
    REG_CATALOG,
    REG_REFERRERS
} reg_what;
/* A path below /v2/, parsed. Texts are borrowed from it. */
struct reg_path {
    reg_what what;
    struct slice name; /* of the repository */
    struct slice ref;  /* digest, tag or the upload's identity */
};
bool reg_path_parse(struct slice path, struct reg_path *ret);
/* "sha256:" and 64 lower-case digits. */
bool reg_digest_parse(struct slice text, struct hash *ret);
struct digest_text {
    char s[72];
};
struct digest_text reg_digest_text(const struct hash *h);
bool reg_tag_ok(struct slice text);

/* Content by its SHA-256. SR_E_NOTFOUND. ret_fd is the caller's. */
SR_CHECK sr_status reg_blob_open(const struct store *s, const struct hash *digest,
                                 struct cid *ret_cid, struct blob *ret, struct sr_err *err);
SR_CHECK sr_status reg_blob_named(struct store *s, const struct hash *digest, const struct cid *cid,
                                  struct sr_err *err);
sr_status reg_manifest_get(struct store *s, struct http_req *rq, const struct reg_path *p,
                           struct sr_err *err);
sr_status reg_manifest_put(struct store *s, struct http_req *rq, const struct reg_path *p,
                           struct sr_err *err);
sr_status reg_tags(struct store *s, struct http_req *rq, const struct reg_path *p,
                   struct sr_err *err);
sr_status reg_catalog(struct store *s, struct http_req *rq, struct sr_err *err);
sr_status reg_upload_start(struct store *s, struct http_req *rq, const struct reg_path *p,
                           struct sr_err *err);
sr_status reg_upload_more(struct store *s, struct http_req *rq, const struct reg_path *p,
                          struct sr_err *err);
sr_status reg_upload_end(struct store *s, struct http_req *rq, const struct reg_path *p,
                         struct sr_err *err);
sr_status reg_upload_show(struct store *s, struct http_req *rq, const struct reg_path *p,
                          struct sr_err *err);
sr_status reg_upload_cancel(struct store *s, struct http_req *rq, const struct reg_path *p,
                            struct sr_err *err);
