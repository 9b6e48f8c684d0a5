/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests by tag and by digest, and the lists of tags and repositories. */
#include "store/names.h"
#include "store/store_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_BYTES (REG_NAME_MAX + REG_TAG_MAX + 64u)

/* "oci/repos/<name>/<kind>/<leaf>"; '+' stands for '/' in the name, where no '+' can be. */
static void repo_path(char dst[PATH_BYTES], struct slice name, const char *kind,
                      struct slice leaf) {
    int n = snprintf(dst, PATH_BYTES, "oci/repos/%.*s", (int)name.n, (const char *)name.p);
    for (char *c = dst + strlen("oci/repos/"); *c; c++)
        if (*c == '/') *c = '+';
    (void)snprintf(dst + n, PATH_BYTES - (size_t)n, "/%s%s%.*s", kind, leaf.n ? "/" : "",
                   (int)leaf.n, (const char *)leaf.p);
}

/* Which manifest a reference means: a digest, or a tag's. */
static sr_status find_digest(struct store *s, const struct reg_path *p, struct hash *ret,
                             struct sr_err *err) {
    char path[PATH_BYTES], text[NAME_TEXT_MAX + 1];
    if (reg_digest_parse(p->ref, ret)) return SR_OK;
    if (!reg_tag_ok(p->ref)) return sr_fail(err, SR_E_NOTFOUND, "neither a tag nor a digest");
    repo_path(path, p->name, "tags", p->ref);
    SR_TRY(name_get(blobs_dir_fd(s->blobs), path, text, err));
    if (!hex_decode(slice_str(text), ret->b, sizeof ret->b))
        return sr_fail(err, SR_E_SYS, "a tag of the registry is damaged");
    return SR_OK;
}

static sr_status read_manifest(struct store *s, struct http_req *rq, const struct reg_path *p,
                               struct buf *out, char type[NAME_TEXT_MAX + 1], struct sr_err *err) {
    struct hash digest;
    struct cid cid;
    struct blob b;
    char path[PATH_BYTES], text[96];
    SR_TRY(find_digest(s, p, &digest, err));
    struct digest_text d = reg_digest_text(&digest);
    repo_path(path, p->name, "manifests", slice_str(d.s + 7));
    SR_TRY(name_get(blobs_dir_fd(s->blobs), path, type, err));
    SR_TRY(reg_blob_open(s, &digest, &cid, &b, err));
    cleanup_close int fd = b.fd;
    if (b.size > REG_MANIFEST_MAX) return sr_fail(err, SR_E_SYS, "a manifest is damaged");
    uint8_t *at = buf_grow(out, (size_t)b.size);
    SR_TRY(buf_status(out, err));
    SR_TRY(blob_read(fd, 0, at, (size_t)b.size, err));
    http_set_header(rq, "Docker-Content-Digest", d.s);
    (void)snprintf(text, sizeof text, "\"%s\"", d.s);
    http_set_header(rq, "ETag", text);
    (void)snprintf(text, sizeof text, "/ipfs/%s", cid_text(&cid).s);
    http_set_header(rq, "X-Ipfs-Path", text);
    return SR_OK;
}

sr_status reg_manifest_get(struct store *s, struct http_req *rq, const struct reg_path *p,
                           struct sr_err *err) {
    cleanup_buf struct buf out = {0};
    char type[NAME_TEXT_MAX + 1];
    struct sr_err e = {0};
    buf_init(&out, REG_MANIFEST_MAX + 1);
    sr_status st = read_manifest(s, rq, p, &out, type, &e);
    if (st == SR_E_NOTFOUND)
        return reg_refuse(rq, 404, "MANIFEST_UNKNOWN", "no such manifest in this repository", err);
    if (st != SR_OK) {
        if (err) *err = e;
        return st;
    }
    return http_reply(rq, 200, type, buf_slice(&out), err);
}

/* ---- pushing
 * ---------------------------------------------------------------------------------------------- */

/* The media type: of the request, which the manifest's own must not contradict. */
static bool media_type(struct http_req *rq, const struct json_val *root,
                       char ret[NAME_TEXT_MAX + 1]) {
    struct slice type = {NULL, 0}, own, waste;
    (void)http_header(rq, "Content-Type", &type);
    (void)slice_cut(type, ';', &type, &waste);
    type = slice_trim(type);
    if (json_str(json_get(root, "mediaType"), &own)) {
        if (type.n && !slice_eq(type, own)) return false;
        type = own;
    }
    if (!slice_starts(type, "application/") || type.n > 127) return false; /* none a browser runs */
    for (size_t i = 0; i < type.n; i++)
        if (type.p[i] <= ' ' || type.p[i] > '~') return false;
    (void)snprintf(ret, NAME_TEXT_MAX + 1, "%.*s", (int)type.n, (const char *)type.p);
    return true;
}

/* Is what a descriptor names here, in its size? Layers that are elsewhere say so by "urls". */
static bool is_here(struct store *s, const struct json_val *descriptor) {
    struct slice text;
    struct hash digest;
    struct cid cid;
    struct blob b;
    uint64_t size;
    if (json_len(json_get(descriptor, "urls")) > 0) return true;
    if (!json_str(json_get(descriptor, "digest"), &text) || !reg_digest_parse(text, &digest) ||
        !json_u64(json_get(descriptor, "size"), &size) ||
        reg_blob_open(s, &digest, &cid, &b, NULL) != SR_OK)
        return false;
    (void)close(b.fd);
    return b.size == size;
}

/* NULL, or what is wrong with it. */
static const char *check(struct store *s, const struct json_val *root, const char **ret_code) {
    uint64_t version;
    const struct json_val *list = json_get(root, "manifests");
    *ret_code = "MANIFEST_INVALID";
    if (!json_u64(json_get(root, "schemaVersion"), &version) || version != 2)
        return "schemaVersion is not 2";
    if (!json_is(list, JSON_ARRAY)) {
        list = json_get(root, "layers");
        if (!json_is(list, JSON_ARRAY) || !json_is(json_get(root, "config"), JSON_OBJECT))
            return "neither an image (config, layers) nor an index (manifests)";
        *ret_code = "MANIFEST_BLOB_UNKNOWN";
        if (!is_here(s, json_get(root, "config"))) return "its config has not been pushed";
    }
    *ret_code = "MANIFEST_BLOB_UNKNOWN";
    for (const struct json_val *v = json_first(list); v; v = json_next(v))
        if (!is_here(s, v)) return "something it names has not been pushed, or has another size";
    return NULL;
}

static sr_status keep(struct store *s, const struct reg_path *p, struct slice body,
                      const struct hash *digest, const char *type, bool tagged,
                      struct sr_err *err) {
    char path[PATH_BYTES];
    struct upload *u;
    struct dag_result r;
    struct digest_text d = reg_digest_text(digest);
    SR_TRY(upload_new(s->blobs, true, &u, err));
    sr_status st = upload_add(u, body, err);
    if (st != SR_OK) {
        upload_drop(u);
        return st;
    }
    SR_TRY(upload_end(u, &r, err));
    SR_TRY(reg_blob_named(s, digest, &r.cid, err));
    repo_path(path, p->name, "manifests", slice_str(d.s + 7));
    SR_TRY(name_put(blobs_dir_fd(s->blobs), path, type, err));
    if (!tagged) return SR_OK;
    repo_path(path, p->name, "tags", p->ref);
    return name_put(blobs_dir_fd(s->blobs), path, d.s + 7, err);
}

sr_status reg_manifest_put(struct store *s, struct http_req *rq, const struct reg_path *p,
                           struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct slice body;
    struct hash digest, want;
    char type[NAME_TEXT_MAX + 1], text[REG_NAME_MAX + 120];
    const char *code;
    bool by_digest = reg_digest_parse(p->ref, &want);
    if (!by_digest && !reg_tag_ok(p->ref))
        return reg_refuse(rq, 400, "TAG_INVALID", "neither a tag nor a sha256 digest", err);
    SR_TRY(http_body(rq, &body, err));
    digest = sha256(body);
    if (by_digest && !hash_eq(&digest, &want))
        return reg_refuse(rq, 400, "DIGEST_INVALID", "what came has another digest", err);
    struct sr_err e = {0};
    if (json_parse(body, &doc, &e) != SR_OK)
        return reg_refuse(rq, 400, "MANIFEST_INVALID", e.what, err);
    const struct json_val *root = json_root(doc);
    if (!media_type(rq, root, type))
        return reg_refuse(rq, 400, "MANIFEST_INVALID", "its mediaType is not its Content-Type",
                          err);
    const char *wrong = check(s, root, &code);
    if (wrong) return reg_refuse(rq, 400, code, wrong, err);
    SR_TRY(keep(s, p, body, &digest, type, !by_digest, err));
    struct digest_text d = reg_digest_text(&digest);
    (void)snprintf(text, sizeof text, "/v2/%.*s/manifests/%s", (int)p->name.n,
                   (const char *)p->name.p, d.s);
    http_set_header(rq, "Location", text);
    http_set_header(rq, "Docker-Content-Digest", d.s);
    return http_reply(rq, 201, NULL, slice_of(NULL, 0), err);
}

/* ---- lists
 * ---------------------------------------------------------------------------------------------- */

/* Writes a page of sorted names; "last" and "n" of the query choose it, Link names the next. */
static sr_status page(struct http_req *rq, struct jw *w, const char *key, const struct names *l,
                      const char *path, struct sr_err *err) {
    struct slice text, last = {NULL, 0};
    uint64_t n = REG_PAGE_MAX;
    size_t i = 0, shown = 0;
    char link[REG_NAME_MAX * 2 + 120];
    if (http_query(rq, "n", &text) && (!num_u64(text, REG_PAGE_MAX, &n)))
        return sr_fail(err, SR_E_RANGE, "n: a number up to %u", REG_PAGE_MAX);
    if (http_query(rq, "last", &last)) {
        for (; i < l->n; i++) {
            size_t k = strlen(l->v[i]);
            int c = memcmp(l->v[i], last.p, k < last.n ? k : last.n);
            if (c > 0 || (c == 0 && k > last.n)) break;
        }
    }
    jw_key(w, key);
    jw_arr(w);
    for (; i < l->n && shown < n; i++, shown++) jw_cstr(w, l->v[i]);
    jw_end_arr(w);
    if (i < l->n && shown > 0) {
        (void)snprintf(link, sizeof link, "<%s?n=%llu&last=%s>; rel=\"next\"", path,
                       (unsigned long long)n, l->v[i - 1]);
        http_set_header(rq, "Link", link);
    }
    return SR_OK;
}

sr_status reg_tags(struct store *s, struct http_req *rq, const struct reg_path *p,
                   struct sr_err *err) {
    cleanup_buf struct buf out = {0};
    struct names l;
    char path[PATH_BYTES];
    repo_path(path, p->name, "tags", slice_of(NULL, 0));
    SR_TRY(names_list(blobs_dir_fd(s->blobs), path, REG_TAGS_MAX, &l, err));
    if (l.n == 0) {
        names_done(&l);
        return reg_refuse(rq, 404, "NAME_UNKNOWN", "no such repository, or it has no tag", err);
    }
    buf_init(&out, 4u << 20);
    struct jw w = jw_of(&out);
    jw_obj(&w);
    jw_kstr(&w, "name", p->name);
    (void)snprintf(path, sizeof path, "/v2/%.*s/tags/list", (int)p->name.n,
                   (const char *)p->name.p);
    sr_status st = page(rq, &w, "tags", &l, path, err);
    jw_end_obj(&w);
    names_done(&l);
    return st == SR_OK ? http_reply_json(rq, 200, &out, err) : st;
}

sr_status reg_catalog(struct store *s, struct http_req *rq, struct sr_err *err) {
    cleanup_buf struct buf out = {0};
    struct names l;
    SR_TRY(names_list(blobs_dir_fd(s->blobs), "oci/repos", REG_REPOS_MAX, &l, err));
    for (size_t i = 0; i < l.n; i++)
        for (char *c = l.v[i]; *c; c++)
            if (*c == '+') *c = '/';
    buf_init(&out, 4u << 20);
    struct jw w = jw_of(&out);
    jw_obj(&w);
    sr_status st = page(rq, &w, "repositories", &l, "/v2/_catalog", err);
    jw_end_obj(&w);
    names_done(&l);
    return st == SR_OK ? http_reply_json(rq, 200, &out, err) : st;
}
