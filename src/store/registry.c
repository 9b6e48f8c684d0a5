/* SPDX-License-Identifier: Apache-2.0 */
/* The registry's paths, blobs out, and the shape of its errors. */
#include "store/names.h"
#include "store/store_int.h"
#include <stdio.h>

/* ---- paths
 * ---------------------------------------------------------------------------------------------- */

static bool lower_or_digit(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Runs of lower-case letters and digits, joined by "." or "_" or "__" or any number of "-". */
static bool part_ok(struct slice p) {
    if (p.n == 0 || !lower_or_digit(p.p[0]) || !lower_or_digit(p.p[p.n - 1])) return false;
    for (size_t i = 0, n; i < p.n; i += n ? n : 1) {
        n = 0;
        if (lower_or_digit(p.p[i])) continue;
        while (p.p[i + n] == p.p[i]) n++; /* the last one is a letter or digit */
        if (p.p[i] != '-' && !(p.p[i] == '_' && n <= 2) && !(p.p[i] == '.' && n == 1)) return false;
        if (!lower_or_digit(p.p[i + n])) return false;
    }
    return true;
}

static bool name_ok(struct slice name) {
    if (name.n == 0 || name.n > REG_NAME_MAX) return false;
    struct slice part, rest = name;
    bool more = true;
    while (more) {
        more = slice_cut(rest, '/', &part, &rest);
        if (!part_ok(part)) return false;
    }
    return true;
}

bool reg_tag_ok(struct slice t) {
    if (t.n == 0 || t.n > REG_TAG_MAX || t.p[0] == '.' || t.p[0] == '-') return false;
    for (size_t i = 0; i < t.n; i++) {
        uint8_t c = t.p[i];
        if (!lower_or_digit(c) && !(c >= 'A' && c <= 'Z') && c != '_' && c != '.' && c != '-')
            return false;
    }
    return true;
}

bool reg_digest_parse(struct slice text, struct hash *ret) {
    struct hash h;
    if (text.n != 71 || !slice_starts(text, "sha256:")) return false;
    for (size_t i = 7; i < text.n; i++)
        if (text.p[i] >= 'A' && text.p[i] <= 'F') return false;
    if (!hex_decode(slice_of(text.p + 7, 64), h.b, sizeof h.b)) return false;
    *ret = h;
    return true;
}

struct digest_text reg_digest_text(const struct hash *h) {
    struct digest_text t = {"sha256:"};
    hex_encode(t.s + 7, h->b, sizeof h->b);
    return t;
}

/* The last two parts of a path, from the end: <name>/<kind>/<ref>. */
static bool cut_last(struct slice *path, struct slice *ret_last) {
    for (size_t i = path->n; i-- > 0;) {
        if (path->p[i] != '/') continue;
        *ret_last = slice_of(path->p + i + 1, path->n - i - 1);
        path->n = i;
        return true;
    }
    return false;
}

bool reg_path_parse(struct slice path, struct reg_path *ret) {
    struct reg_path p = {0};
    struct slice kind, before;
    if (path.n == 0) {
        *ret = p;
        return true;
    }
    if (slice_is(path, "_catalog")) {
        ret->what = REG_CATALOG;
        return true;
    }
    if (!cut_last(&path, &p.ref) || !cut_last(&path, &kind)) return false;
    p.name = path;
    if (slice_is(kind, "manifests")) {
        p.what = REG_MANIFEST;
    } else if (slice_is(kind, "referrers")) {
        p.what = REG_REFERRERS;
    } else if (slice_is(kind, "tags") && slice_is(p.ref, "list")) {
        p.what = REG_TAGS;
    } else if (slice_is(kind, "blobs") && (p.ref.n == 0 || slice_is(p.ref, "uploads"))) {
        p.what = REG_START;
    } else if (slice_is(kind, "blobs")) {
        p.what = REG_BLOB;
    } else if (slice_is(kind, "uploads") && cut_last(&p.name, &before) &&
               slice_is(before, "blobs")) {
        p.what = p.ref.n == 0 ? REG_START : REG_UPLOAD;
    } else {
        return false;
    }
    if (!name_ok(p.name)) return false;
    *ret = p;
    return true;
}

/* ---- errors
 * ---------------------------------------------------------------------------------------------- */

sr_status reg_refuse(struct http_req *rq, int status, const char *code, const char *what,
                     struct sr_err *err) {
    cleanup_buf struct buf out = {0};
    buf_init(&out, 8192);
    struct jw w = jw_of(&out);
    jw_obj(&w);
    jw_key(&w, "errors");
    jw_arr(&w);
    jw_obj(&w);
    jw_kcstr(&w, "code", code);
    jw_kcstr(&w, "message", what);
    jw_end_obj(&w);
    jw_end_arr(&w);
    jw_end_obj(&w);
    return http_reply_json(rq, status, &out, err);
}

void reg_error(struct http_req *rq, const struct sr_err *e) {
    char what[512];
    const char *code = "UNKNOWN";
    int status = sr_status_http(e->code);
    if (e->code == SR_E_NOTFOUND) code = "NAME_UNKNOWN";
    if (e->code == SR_E_TOOBIG) code = "SIZE_INVALID";
    if (e->code == SR_E_REFUSED) code = "DENIED";
    if (e->code == SR_E_UNAVAILABLE) code = "TOOMANYREQUESTS";
    (void)snprintf(what, sizeof what, "%s%s%s", e->what, e->hint[0] ? "; " : "", e->hint);
    if (reg_refuse(rq, status, code, what, NULL) != SR_OK)
        log_debug("reply_lost", "code=%d", (int)e->code);
}

/* ---- blobs
 * ---------------------------------------------------------------------------------------------- */

static void digest_path(char dst[96], const struct hash *digest) {
    (void)snprintf(dst, 96, "oci/digests/%s", reg_digest_text(digest).s + 7);
}

sr_status reg_blob_open(const struct store *s, const struct hash *digest, struct cid *ret_cid,
                        struct blob *ret, struct sr_err *err) {
    char path[96], text[NAME_TEXT_MAX + 1];
    struct cid cid;
    digest_path(path, digest);
    SR_TRY(name_get(blobs_dir_fd(s->blobs), path, text, err));
    SR_TRY(cid_parse(slice_str(text), &cid, err));
    SR_TRY(blob_open(s->blobs, &cid, ret, err));
    *ret_cid = cid;
    return SR_OK;
}

sr_status reg_blob_named(struct store *s, const struct hash *digest, const struct cid *cid,
                         struct sr_err *err) {
    char path[96];
    digest_path(path, digest);
    return name_put(blobs_dir_fd(s->blobs), path, cid_text(cid).s, err);
}

static sr_status blob_get(struct store *s, struct http_req *rq, const struct reg_path *p,
                          struct sr_err *err) {
    struct hash digest;
    struct cid cid;
    struct blob b;
    struct sr_err e = {0};
    char text[96];
    if (!reg_digest_parse(p->ref, &digest))
        return reg_refuse(rq, 400, "DIGEST_INVALID", "a blob is named by its sha256 digest", err);
    sr_status st = reg_blob_open(s, &digest, &cid, &b, &e);
    if (st == SR_E_NOTFOUND)
        return reg_refuse(rq, 404, "BLOB_UNKNOWN", "no blob of this digest is here", err);
    if (st != SR_OK) {
        if (err) *err = e;
        return st;
    }
    cleanup_close int fd = b.fd;
    (void)fd;
    (void)snprintf(text, sizeof text, "\"%s\"", reg_digest_text(&digest).s);
    http_set_header(rq, "ETag", text);
    http_set_header(rq, "Docker-Content-Digest", reg_digest_text(&digest).s);
    http_set_header(rq, "Cache-Control", "public, max-age=29030400, immutable");
    (void)snprintf(text, sizeof text, "/ipfs/%s", cid_text(&cid).s);
    http_set_header(rq, "X-Ipfs-Path", text);
    (void)snprintf(text, sizeof text, "\"%s\"", reg_digest_text(&digest).s);
    return store_send_file(s, rq, text, &b, err);
}

/* ---- by method
 * ---------------------------------------------------------------------------------------------- */

/* Parses the path; answers itself when there is nothing to find there. */
static bool begin(struct http_req *rq, struct store *s, struct reg_path *p, sr_status *st,
                  struct sr_err *err) {
    http_set_header(rq, "Docker-Distribution-Api-Version", "registry/2.0");
    http_set_header(rq, "X-Content-Type-Options", "nosniff");
    if (s->registry.mode == REGISTRY_OFF)
        *st = reg_refuse(rq, 404, "UNSUPPORTED", "this store is no registry", err);
    else if (!reg_path_parse(http_param(rq, "*"), p))
        *st = reg_refuse(rq, 404, "NAME_INVALID", "no path of a registry", err);
    else if (s->registry.mode == REGISTRY_READ && !slice_is(http_method(rq), "GET") &&
             !slice_is(http_method(rq), "HEAD"))
        *st = reg_refuse(rq, 403, "DENIED", "nothing is pushed to this registry", err);
    else
        return true;
    return false;
}

static sr_status not_so(struct http_req *rq, struct sr_err *err) {
    return reg_refuse(rq, 405, "UNSUPPORTED", "this is not done here", err);
}

sr_status reg_get(struct http_req *rq, void *role, struct sr_err *err) {
    struct store *s = role;
    struct reg_path p = {0};
    sr_status st = SR_OK;
    if (!begin(rq, s, &p, &st, err)) return st;
    switch (p.what) {
    case REG_BASE: return http_reply(rq, 200, "application/json", SLICE_LIT("{}"), err);
    case REG_BLOB: return blob_get(s, rq, &p, err);
    case REG_MANIFEST: return reg_manifest_get(s, rq, &p, err);
    case REG_TAGS: return reg_tags(s, rq, &p, err);
    case REG_CATALOG: return reg_catalog(s, rq, err);
    case REG_UPLOAD: return reg_upload_show(s, rq, &p, err);
    case REG_REFERRERS: /* absent: clients look for the tag that stands for it */
        return reg_refuse(rq, 404, "UNSUPPORTED", "no referrers are kept", err);
    case REG_START: break;
    }
    return not_so(rq, err);
}

sr_status reg_post(struct http_req *rq, void *role, struct sr_err *err) {
    struct store *s = role;
    struct reg_path p = {0};
    sr_status st = SR_OK;
    if (!begin(rq, s, &p, &st, err)) return st;
    return p.what == REG_START ? reg_upload_start(s, rq, &p, err) : not_so(rq, err);
}

sr_status reg_patch(struct http_req *rq, void *role, struct sr_err *err) {
    struct store *s = role;
    struct reg_path p = {0};
    sr_status st = SR_OK;
    if (!begin(rq, s, &p, &st, err)) return st;
    return p.what == REG_UPLOAD ? reg_upload_more(s, rq, &p, err) : not_so(rq, err);
}

sr_status reg_put(struct http_req *rq, void *role, struct sr_err *err) {
    struct store *s = role;
    struct reg_path p = {0};
    sr_status st = SR_OK;
    if (!begin(rq, s, &p, &st, err)) return st;
    if (p.what == REG_UPLOAD) return reg_upload_end(s, rq, &p, err);
    return p.what == REG_MANIFEST ? reg_manifest_put(s, rq, &p, err) : not_so(rq, err);
}

/* Content may be what a chain points to: the store's operator removes it, no client does. */
sr_status reg_delete(struct http_req *rq, void *role, struct sr_err *err) {
    struct store *s = role;
    struct reg_path p = {0};
    sr_status st = SR_OK;
    if (!begin(rq, s, &p, &st, err)) return st;
    return p.what == REG_UPLOAD ? reg_upload_cancel(s, rq, &p, err) : not_so(rq, err);
}
