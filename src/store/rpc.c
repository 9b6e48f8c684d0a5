/* SPDX-License-Identifier: Apache-2.0 */
/* The rest of the node's interface: cat, pins, version, figures. */
#include "net/http_doc.h"
#include "store/store_int.h"
#include <stdio.h>

static sr_status find_arg(struct http_req *rq, struct store *s, struct cid *ret_cid,
                          struct blob *ret, struct sr_err *err) {
    struct slice arg, path;
    struct cid root;
    if (!http_query(rq, "arg", &arg))
        return sr_fail(err, SR_E_MALFORMED, "argument \"ipfs-path\" is required");
    SR_TRY(ipfs_path_parse(arg, &root, &path, err));
    return blob_resolve(s->blobs, &root, path, ret_cid, ret, err);
}

static sr_status number(struct http_req *rq, const char *name, uint64_t *v, struct sr_err *err) {
    struct slice text;
    if (!http_query(rq, name, &text)) return SR_OK;
    if (!num_u64(text, INT64_MAX, v)) return sr_fail(err, SR_E_MALFORMED, "%s is no number", name);
    return SR_OK;
}

sr_status store_cat(struct http_req *rq, void *role, struct sr_err *err) {
    struct cid cid;
    struct blob b;
    uint64_t from = 0, n = UINT64_MAX;
    SR_TRY(number(rq, "offset", &from, err));
    SR_TRY(number(rq, "length", &n, err));
    SR_TRY(find_arg(rq, role, &cid, &b, err));
    cleanup_close int fd = b.fd;
    if (b.dir) return sr_fail(err, SR_E_MALFORMED, "this dag node is a directory");
    if (from > b.size) from = b.size;
    if (n > b.size - from) n = b.size - from;
    SR_TRY(store_may_send(role, err));
    SR_TRY(http_reply_start(rq, 200, "text/plain", n, err));
    SR_TRY(store_send(role, rq, fd, from, from + n, err));
    return http_reply_end(rq, err);
}

sr_status store_pin_add(struct http_req *rq, void *role, struct sr_err *err) {
    struct cid cid;
    struct blob b;
    cleanup_buf struct buf out = {0};
    SR_TRY(find_arg(rq, role, &cid, &b, err));
    cleanup_close int fd = b.fd;
    (void)fd;
    buf_init(&out, 256);
    buf_printf(&out, "{\"Pins\":[\"%s\"]}", cid_text(&cid).s);
    return http_reply_json(rq, 200, &out, err);
}

/* Everything that is here is kept. */
sr_status store_pin_ls(struct http_req *rq, void *role, struct sr_err *err) {
    struct cid cid;
    struct blob b;
    cleanup_buf struct buf out = {0};
    SR_TRY(find_arg(rq, role, &cid, &b, err));
    cleanup_close int fd = b.fd;
    (void)fd;
    buf_init(&out, 256);
    buf_printf(&out, "{\"Keys\":{\"%s\":{\"Type\":\"recursive\"}}}", cid_text(&cid).s);
    return http_reply_json(rq, 200, &out, err);
}

/* A node's owner may unpin; here every caller would be everybody's owner. */
sr_status store_pin_rm(struct http_req *rq, void *role, struct sr_err *err) {
    (void)rq;
    (void)role;
    sr_hint(err, "the operator removes content on the store's disk");
    return sr_fail(err, SR_E_REFUSED, "content of this store is not removed by its clients");
}

sr_status store_version(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    return http_reply(rq, 200, "application/json",
                      SLICE_LIT("{\"Version\":\"0.1.0\",\"Commit\":\"\",\"Repo\":\"0\","
                                "\"System\":\"strongroom\",\"Golang\":\"\"}"),
                      err);
}

sr_status store_repo_stat(struct http_req *rq, void *role, struct sr_err *err) {
    struct store *s = role;
    struct blobs_stat st;
    cleanup_buf struct buf out = {0};
    blobs_count(s->blobs, &st);
    buf_init(&out, 1024);
    struct jw w = jw_of(&out);
    jw_obj(&w);
    jw_ku64(&w, "RepoSize", st.bytes);
    jw_ku64(&w, "StorageMax", st.quota == UINT64_MAX ? st.bytes + st.disk_free : st.quota);
    jw_ku64(&w, "NumObjects", st.files);
    jw_ku64(&w, "DiskFree", st.disk_free);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &out, err);
}

void store_error(struct http_req *rq, const struct sr_err *e) {
    cleanup_buf struct buf out = {0};
    bool rpc = slice_starts(http_path(rq), "/api/");
    if (slice_starts(http_path(rq), "/v2/")) {
        reg_error(rq, e);
        return;
    }
    buf_init(&out, 4096);
    struct jw w = jw_of(&out);
    jw_obj(&w);
    jw_kcstr(&w, rpc ? "Message" : "error", e->what);
    if (rpc) {
        jw_ku64(&w, "Code", 0);
        jw_kcstr(&w, "Type", "error");
    } else {
        jw_kcstr(&w, "code", sr_status_name(e->code));
    }
    if (e->hint[0]) jw_kcstr(&w, "hint", e->hint);
    jw_end_obj(&w);
    if (http_reply_json(rq, sr_status_http(e->code), &out, NULL) != SR_OK)
        log_debug("reply_lost", "code=%d", (int)e->code);
}

static sr_status health(void *role, struct jw *checks, struct sr_err *err) {
    const struct store *s = role;
    struct blobs_stat n;
    blobs_count(s->blobs, &n);
    jw_ku64(checks, "bytes", n.bytes);
    jw_ku64(checks, "quotaBytes", n.quota);
    jw_ku64(checks, "diskFreeBytes", n.disk_free);
    if (n.disk_free < BLOB_RESERVE) {
        sr_hint(err, "make room on the store's disk");
        return sr_fail(err, SR_E_UNAVAILABLE,
                       "the store's disk is full: reading works, adding not");
    }
    if (n.bytes >= n.quota) {
        sr_hint(err, "give the store more by --quota");
        return sr_fail(err, SR_E_UNAVAILABLE, "the quota is used up: reading works, adding not");
    }
    return SR_OK;
}

sr_status store_serve(struct store *s, const char *host, uint16_t port, int listen_fd,
                      struct http_server **ret, struct sr_err *err) {
    static const struct http_route routes[] = {
        {"POST", "/api/v0/add", store_add, 0},
        {"POST", "/api/v0/cat", store_cat, 0},
        {"POST", "/api/v0/pin/add", store_pin_add, 0},
        {"POST", "/api/v0/pin/ls", store_pin_ls, 0},
        {"POST", "/api/v0/pin/rm", store_pin_rm, 0},
        {"POST", "/api/v0/version", store_version, 0},
        {"POST", "/api/v0/repo/stat", store_repo_stat, 0},
        {"GET", "/ipfs/*", store_gateway, 0},
        {"GET", "/v1/store", store_repo_stat, 0},
        {"GET", "/v2/*", reg_get, 0},
        {"POST", "/v2/*", reg_post, 0},
        {"PATCH", "/v2/*", reg_patch, 0},
        {"PUT", "/v2/*", reg_put, REG_MANIFEST_MAX},
        {"DELETE", "/v2/*", reg_delete, 0},
    };
    const struct http_opts opts = {.routes = routes,
                                   .n_routes = SR_ARRAY_LEN(routes),
                                   .role = s,
                                   .cors = true,
                                   .name = "store",
                                   .health = health,
                                   .on_error = store_error};
    SR_TRY(http_serve(&opts, host, port, listen_fd, ret, err));
    http_server_describe(*ret, &store_docs);
    return SR_OK;
}
