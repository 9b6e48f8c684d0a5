/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/registry.h"
#include "net/net.h"
#include "oci/oci_int.h"
#include "oci/tar.h"
#include <stdio.h>
#include <stdlib.h>

#define DOCKER_HUB  "registry-1.docker.io"
#define URL_MAX     2048u
#define INDEX_MAX   256u /* manifests of an index */
#define REDIRECTS   5u
#define PATIENCE_MS 60000u

/* ---- names ---- */

static bool put_name(char dst[REGISTRY_NAME_MAX + 1], struct slice s, const char *more) {
    if (s.n == 0 || s.n > REGISTRY_NAME_MAX) return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || c == 0 || !strchr(more, c))) return false;
    }
    memcpy(dst, s.p, s.n);
    dst[s.n] = 0;
    return true;
}

/* "a/b/c", no empty part, none that leads upwards. */
static bool put_repository(char dst[REGISTRY_NAME_MAX + 1], struct slice s) {
    if (!put_name(dst, s, "._-/")) return false;
    return !strstr(dst, "//") && !strstr(dst, "..") && !strstr(dst, "/.") && dst[s.n - 1] != '/';
}

static bool looks_like_host(struct slice first) {
    return memchr(first.p, '.', first.n) || memchr(first.p, ':', first.n) ||
           slice_is(first, "localhost");
}

bool registry_ref_parse(struct slice text, struct registry_ref *ret) {
    struct registry_ref r = {.tag = "latest"};
    struct slice name, digest, first, rest, tag = {NULL, 0};
    if (slice_starts(text, "docker://")) text = slice_of(text.p + 9, text.n - 9);
    if (text.n == 0) return false;
    r.has_digest = slice_cut(text, '@', &name, &digest);
    if (r.has_digest && !oci_digest_parse(digest, &r.digest)) return false;
    bool host = slice_cut(name, '/', &first, &rest) && looks_like_host(first);
    if (!host) {
        first = SLICE_LIT("docker.io");
        rest = name;
    }
    bool tagged = slice_cut(rest, ':', &rest, &tag);
    char lower[REGISTRY_NAME_MAX + 1];
    if (tagged && tag.n > 0 && tag.n <= 128) { /* tags have capitals, too */
        for (size_t i = 0; i < tag.n; i++)
            lower[i] = tag.p[i] >= 'A' && tag.p[i] <= 'Z' ? (char)(tag.p[i] + 32) : (char)tag.p[i];
        if (!put_name(r.tag, slice_of(lower, tag.n), "._-")) return false;
        memcpy(r.tag, tag.p, tag.n);
    } else if (tagged) {
        return false;
    }
    if (!put_name(r.host, first, ".-:") || !put_repository(r.repository, rest)) return false;
    if (strcmp(r.host, "docker.io") == 0 || strcmp(r.host, "index.docker.io") == 0) {
        char whole[REGISTRY_NAME_MAX + 16];
        bool official = !strchr(r.repository, '/');
        (void)snprintf(whole, sizeof whole, "%s%s", official ? "library/" : "", r.repository);
        if (!put_repository(r.repository, slice_str(whole))) return false;
        memcpy(r.host, DOCKER_HUB, sizeof DOCKER_HUB);
    }
    *ret = r;
    return true;
}

/* ---- asking ---- */

struct pull {
    const struct registry_ref *ref;
    const struct registry_opts *opts;
    bool local; /* the one local service */
    char token[REGISTRY_TOKEN_MAX + 32];
    int fd;
    uint64_t written;
    /* the blob that is coming */
    uint64_t left;
    struct sha256 sum;
};

static bool is_local(const struct registry_opts *o, const char *host) {
    return o->local && slice_starts(slice_str(o->local), "http://") &&
           slice_is(slice_str(o->local + 7), host);
}

static const char accept[] = "Accept: application/vnd.oci.image.manifest.v1+json, "
                             "application/vnd.docker.distribution.manifest.v2+json, "
                             "application/vnd.oci.image.index.v1+json, "
                             "application/vnd.docker.distribution.manifest.list.v2+json";

/* name="value" of a challenge. */
static bool challenge_part(struct slice header, const char *name, struct slice *ret) {
    char key[32];
    int n = snprintf(key, sizeof key, "%s=\"", name);
    const uint8_t *at = memmem(header.p, header.n, key, (size_t)n);
    if (!at) return false;
    at += n;
    struct slice rest;
    return slice_cut(slice_of(at, (size_t)(header.p + header.n - at)), '"', ret, &rest);
}

static void add_query(struct buf *url, char mark, const char *name, struct slice value) {
    buf_printf(url, "%c%s=", mark, name);
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~:/,", c);
        if (plain && c)
            buf_u8(url, c);
        else
            buf_printf(url, "%%%02X", c);
    }
}

bool registry_token_url(struct slice header, struct buf *ret_url) {
    struct slice realm, part;
    if (!slice_starts(header, "Bearer ") || !challenge_part(header, "realm", &realm)) return false;
    if (!slice_starts(realm, "https://") && !slice_starts(realm, "http://")) return false;
    for (size_t i = 0; i < realm.n; i++)
        if (realm.p[i] <= ' ' || realm.p[i] >= 0x7f) return false;
    buf_add(ret_url, realm);
    char mark = memchr(realm.p, '?', realm.n) ? '&' : '?';
    if (challenge_part(header, "service", &part)) {
        add_query(ret_url, mark, "service", part);
        mark = '&';
    }
    if (challenge_part(header, "scope", &part)) add_query(ret_url, mark, "scope", part);
    return ret_url->bad == SR_OK;
}

/* A token for everybody, from where the registry sends: over TLS, or the local service itself. */
static sr_status get_token(struct pull *p, const struct http_answer *a, struct sr_err *err) {
    struct slice header, token;
    cleanup_buf struct buf url;
    cleanup_answer struct http_answer got = {0};
    cleanup_json struct json *doc = NULL;
    buf_init(&url, URL_MAX);
    if (p->token[0] || !http_answer_header(a, "WWW-Authenticate", &header) ||
        !registry_token_url(header, &url))
        return sr_fail(err, SR_E_AUTH, "the registry does not give this image to everybody");
    size_t n = p->local ? strlen(p->opts->local) : 0;
    bool at_home = n > 0 && slice_starts(buf_slice(&url), p->opts->local) && url.p[n] == '/';
    if (!at_home && !slice_starts(buf_slice(&url), "https://"))
        return sr_fail(err, SR_E_REFUSED, "the registry sends for a token to no https address");
    struct http_call call = {.url = buf_cstr(&url),
                             .max_body = 4 * REGISTRY_TOKEN_MAX,
                             .timeout_ms = PATIENCE_MS,
                             .public_only = !at_home};
    SR_TRY(http_fetch(&call, &got, err));
    if (got.status != 200)
        return sr_fail(err, SR_E_AUTH, "the registry gives no token for this image (HTTP %d)",
                       got.status);
    SR_TRY(json_parse(buf_slice(&got.body), &doc, err));
    const struct json_val *root = json_root(doc);
    if (!json_str(json_get(root, "token"), &token) &&
        !json_str(json_get(root, "access_token"), &token))
        return sr_fail(err, SR_E_MALFORMED, "the registry's token is missing");
    bool bad = token.n == 0 || token.n > REGISTRY_TOKEN_MAX;
    for (size_t i = 0; !bad && i < token.n; i++) bad = token.p[i] <= ' ' || token.p[i] >= 0x7f;
    if (bad) return sr_fail(err, SR_E_MALFORMED, "the registry's token is none");
    (void)snprintf(p->token, sizeof p->token, "Authorization: Bearer %.*s", (int)token.n,
                   (const char *)token.p);
    return SR_OK;
}

/* GET /v2/REPOSITORY/what/which, with a token when the registry wants one. */
static sr_status ask(struct pull *p, const char *what, const char *which,
                     sr_status (*on_data)(void *, struct slice, struct sr_err *),
                     struct http_answer *a, struct sr_err *err) {
    char url[URL_MAX];
    (void)snprintf(url, sizeof url, "%s://%s/v2/%s/%s/%s", p->local ? "http" : "https",
                   p->ref->host, p->ref->repository, what, which);
    for (unsigned round = 0; round < 2; round++) {
        const char *headers[] = {accept, p->token[0] ? p->token : NULL, NULL};
        struct http_call call = {.url = url,
                                 .headers = headers,
                                 .on_data = on_data,
                                 .arg = p,
                                 .max_body = OCI_MAX_JSON,
                                 .timeout_ms = PATIENCE_MS,
                                 .max_redirects = REDIRECTS,
                                 .public_only = !p->local};
        SR_TRY(http_fetch(&call, a, err));
        if (a->status != 401) break;
        struct http_answer refusal = *a;
        *a = (struct http_answer){0};
        sr_status st = get_token(p, &refusal, err);
        http_answer_done(&refusal);
        SR_TRY(st);
    }
    if (a->status == 200) return SR_OK;
    if (a->status == 404)
        return sr_fail(err, SR_E_NOTFOUND, "the registry has no such image: %s/%s", p->ref->host,
                       p->ref->repository);
    if (a->status == 401 || a->status == 403)
        return sr_fail(err, SR_E_AUTH, "the registry does not give this image to everybody");
    return sr_fail(err, SR_E_UNAVAILABLE, "the registry answered with HTTP %d", a->status);
}

static void digest_text(char dst[72], const struct hash *h) {
    memcpy(dst, "sha256:", 7);
    hex_encode(dst + 7, h->b, 32);
}

static sr_status get_manifest(struct pull *p, const char *which, const struct hash *want,
                              struct buf *ret_text, struct hash *ret_digest, struct json **ret_doc,
                              struct sr_err *err) {
    cleanup_answer struct http_answer a = {0};
    SR_TRY(ask(p, "manifests", which, NULL, &a, err));
    *ret_digest = sha256(buf_slice(&a.body));
    if (want && !hash_eq(ret_digest, want))
        return sr_fail(err, SR_E_CRYPTO, "the registry gives another manifest than was asked for");
    buf_clear(ret_text);
    buf_add(ret_text, buf_slice(&a.body));
    SR_TRY(buf_status(ret_text, err));
    return json_parse(buf_slice(ret_text), ret_doc, err);
}

static bool for_this_platform(const struct json_val *m, struct hash *ret) {
    struct slice os, arch, digest;
    const struct json_val *p = json_get(m, "platform");
    return json_str(json_get(p, "os"), &os) && json_str(json_get(p, "architecture"), &arch) &&
           slice_is(os, "linux") && slice_is(arch, OUR_ARCHITECTURE) &&
           json_str(json_get(m, "digest"), &digest) && oci_digest_parse(digest, ret);
}

static sr_status pick(const struct json_val *list, struct hash *ret, struct sr_err *err) {
    if (json_len(list) > INDEX_MAX)
        return sr_fail(err, SR_E_TOOBIG, "the image's index is too long");
    for (const struct json_val *m = json_first(list); m; m = json_next(m))
        if (for_this_platform(m, ret)) return SR_OK;
    return sr_fail(err, SR_E_NOTFOUND, "the image is not for linux/" OUR_ARCHITECTURE);
}

/* The manifest of one image, of an index the one for this platform. */
static sr_status find_manifest(struct pull *p, const struct hash *want, struct buf *text,
                               struct hash *ret_digest, struct json **ret_doc, struct sr_err *err) {
    char which[REGISTRY_NAME_MAX + 1];
    const struct hash *first = want ? want : p->ref->has_digest ? &p->ref->digest : NULL;
    cleanup_json struct json *doc = NULL;
    if (first)
        digest_text(which, first);
    else
        memcpy(which, p->ref->tag, sizeof which);
    SR_TRY(get_manifest(p, which, first, text, ret_digest, &doc, err));
    const struct json_val *list = json_get(json_root(doc), "manifests");
    if (!list) {
        *ret_doc = sr_take_ptr(doc);
        return SR_OK;
    }
    struct hash one;
    SR_TRY(pick(list, &one, err));
    if (want) {
        sr_hint(err, "register the digest of the image for linux/" OUR_ARCHITECTURE);
        return sr_fail(err, SR_E_USAGE, "the app's checksum is that of a list of images");
    }
    digest_text(which, &one);
    return get_manifest(p, which, &one, text, ret_digest, ret_doc, err);
}

/* ---- the archive ---- */

static sr_status put(struct pull *p, struct slice data, struct sr_err *err) {
    if (p->opts->max_bytes && data.n > p->opts->max_bytes - p->written)
        return sr_fail(err, SR_E_TOOBIG, "the image is longer than %llu bytes",
                       (unsigned long long)p->opts->max_bytes);
    p->written += data.n;
    return fd_write_all(p->fd, data.p, data.n, err);
}

static sr_status put_header(struct pull *p, const char *name, uint64_t size, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, 16u * TAR_BLOCK);
    tar_put_header(&b, TAR_FILE, name, size, 0644);
    SR_TRY(buf_status(&b, err));
    return put(p, buf_slice(&b), err);
}

static sr_status put_padding(struct pull *p, uint64_t size, struct sr_err *err) {
    static const uint8_t zeros[TAR_BLOCK];
    return put(p, slice_of(zeros, tar_padding(size)), err);
}

static sr_status put_file(struct pull *p, const char *name, struct slice data, struct sr_err *err) {
    SR_TRY(put_header(p, name, data.n, err));
    SR_TRY(put(p, data, err));
    return put_padding(p, data.n, err);
}

static void blob_name(char dst[96], const struct hash *h) {
    char hex[65];
    hex_encode(hex, h->b, 32);
    (void)snprintf(dst, 96, "blobs/sha256/%s", hex);
}

static sr_status blob_data(void *arg, struct slice data, struct sr_err *err) {
    struct pull *p = arg;
    if (data.n > p->left)
        return sr_fail(err, SR_E_CRYPTO, "the registry gives more bytes than the manifest says");
    p->left -= data.n;
    sha256_add(&p->sum, data);
    return put(p, data, err);
}

static sr_status put_blob(struct pull *p, const struct json_val *d, struct sr_err *err) {
    struct slice text;
    struct hash digest;
    char name[96], which[72];
    uint64_t size;
    cleanup_answer struct http_answer a = {0};
    if (!json_str(json_get(d, "digest"), &text) || !oci_digest_parse(text, &digest) ||
        !json_u64(json_get(d, "size"), &size))
        return sr_fail(err, SR_E_MALFORMED, "the image's manifest has a faulty descriptor");
    if (p->opts->max_bytes && size > p->opts->max_bytes) /* before anything is fetched */
        return sr_fail(err, SR_E_TOOBIG, "the image is longer than %llu bytes",
                       (unsigned long long)p->opts->max_bytes);
    blob_name(name, &digest);
    digest_text(which, &digest);
    SR_TRY(put_header(p, name, size, err));
    SR_TRY(sha256_init(&p->sum, err));
    p->left = size;
    sr_status st = ask(p, "blobs", which, blob_data, &a, err);
    struct hash got = sha256_end(&p->sum);
    SR_TRY(st);
    if (p->left > 0 || !hash_eq(&got, &digest))
        return sr_fail(err, SR_E_CRYPTO, "the registry gives other bytes than the manifest says");
    return put_padding(p, size, err);
}

static bool seen_before(const struct json_val *layers, const struct json_val *l) {
    struct slice mine, other;
    if (!json_str(json_get(l, "digest"), &mine)) return false;
    for (const struct json_val *m = json_first(layers); m && m != l; m = json_next(m))
        if (json_str(json_get(m, "digest"), &other) && slice_eq(mine, other)) return true;
    return false;
}

static sr_status put_front(struct pull *p, struct slice manifest, const struct hash *digest,
                           const struct json_val *root, struct sr_err *err) {
    struct slice type = SLICE_LIT("application/vnd.oci.image.manifest.v1+json");
    char name[96], text[72];
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    (void)json_str(json_get(root, "mediaType"), &type);
    digest_text(text, digest);
    blob_name(name, digest);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_ku64(&w, "schemaVersion", 2);
    jw_key(&w, "manifests");
    jw_arr(&w);
    jw_obj(&w);
    jw_kstr(&w, "mediaType", type);
    jw_kcstr(&w, "digest", text);
    jw_ku64(&w, "size", manifest.n);
    jw_end_obj(&w);
    jw_end_arr(&w);
    jw_end_obj(&w);
    SR_TRY(buf_status(&b, err));
    SR_TRY(put_file(p, "oci-layout", SLICE_LIT("{\"imageLayoutVersion\":\"1.0.0\"}"), err));
    SR_TRY(put_file(p, "index.json", buf_slice(&b), err));
    return put_file(p, name, manifest, err);
}

static sr_status put_all(struct pull *p, struct slice manifest, const struct hash *digest,
                         const struct json_val *root, struct sr_err *err) {
    static const uint8_t end[2 * TAR_BLOCK];
    const struct json_val *layers = json_get(root, "layers");
    if (!json_is(layers, JSON_ARRAY) || json_len(layers) > OCI_MAX_LAYERS)
        return sr_fail(err, SR_E_MALFORMED, "the image's manifest has no layers, or too many");
    SR_TRY(put_front(p, manifest, digest, root, err));
    SR_TRY(put_blob(p, json_get(root, "config"), err));
    for (const struct json_val *l = json_first(layers); l; l = json_next(l))
        if (!seen_before(layers, l)) SR_TRY(put_blob(p, l, err));
    return put(p, slice_of(end, sizeof end), err);
}

static sr_status begin(const struct registry_ref *ref, const struct hash *want,
                       const struct registry_opts *opts, int fd, struct pull **ret_p,
                       struct sr_err *err) {
    if (want && ref->has_digest && !hash_eq(want, &ref->digest))
        return sr_fail(err, SR_E_USAGE,
                       "the image's name has another digest than the app's checksum");
    struct pull *p = sr_calloc_n(1, sizeof *p);
    if (!p) return sr_fail(err, SR_E_NOMEM, "image");
    *p = (struct pull){.ref = ref, .opts = opts, .local = is_local(opts, ref->host), .fd = fd};
    *ret_p = p;
    return SR_OK;
}

static void end(struct pull *p) {
    explicit_bzero(p->token, sizeof p->token);
    free(p);
}

static sr_status label_of(struct pull *p, const struct json_val *manifest, struct oci_strings *ret,
                          struct sr_err *err) {
    char which[72];
    struct hash digest;
    struct slice text, label;
    cleanup_answer struct http_answer a = {0};
    cleanup_json struct json *config = NULL;
    if (!json_str(json_get(json_get(manifest, "config"), "digest"), &text) ||
        !oci_digest_parse(text, &digest))
        return sr_fail(err, SR_E_MALFORMED, "the image's manifest has a faulty descriptor");
    digest_text(which, &digest);
    SR_TRY(ask(p, "blobs", which, NULL, &a, err));
    struct hash got = sha256(buf_slice(&a.body));
    if (!hash_eq(&got, &digest))
        return sr_fail(err, SR_E_CRYPTO, "the registry gives other bytes than the manifest says");
    SR_TRY(json_parse(buf_slice(&a.body), &config, err));
    const struct json_val *labels = json_get(json_get(json_root(config), "config"), "Labels");
    if (!json_str(json_get(labels, OCI_EGRESS_LABEL), &label)) return SR_OK; /* no network */
    return oci_egress_parse(label, ret, err);
}

sr_status registry_egress(const struct registry_ref *ref, const struct hash *want,
                          const struct registry_opts *opts, struct oci_strings *ret,
                          struct sr_err *err) {
    cleanup_buf struct buf manifest;
    cleanup_json struct json *doc = NULL;
    struct hash digest;
    struct oci_strings hosts = {0};
    buf_init(&manifest, OCI_MAX_JSON);
    struct pull *p = NULL;
    SR_TRY(begin(ref, want, opts, -1, &p, err));
    sr_status st = find_manifest(p, want, &manifest, &digest, &doc, err);
    if (st == SR_OK) st = label_of(p, json_root(doc), &hosts, err);
    end(p);
    if (st == SR_OK)
        *ret = hosts;
    else
        oci_strings_done(&hosts);
    return st;
}

sr_status registry_pull(const struct registry_ref *ref, const struct hash *want,
                        const struct registry_opts *opts, int fd, struct hash *ret_digest,
                        struct sr_err *err) {
    cleanup_buf struct buf manifest;
    cleanup_json struct json *doc = NULL;
    struct hash digest;
    buf_init(&manifest, OCI_MAX_JSON);
    struct pull *p = NULL;
    SR_TRY(begin(ref, want, opts, fd, &p, err));
    sr_status st = find_manifest(p, want, &manifest, &digest, &doc, err);
    if (st == SR_OK) st = put_all(p, buf_slice(&manifest), &digest, json_root(doc), err);
    end(p);
    if (st == SR_OK && ret_digest) *ret_digest = digest;
    return st;
}
