/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci_int.h"
#include "oci/tar.h"
#include <stdlib.h>

#define MAX_MANIFESTS 64u

/* ---- small things ---- */

void oci_strings_done(struct oci_strings *s) {
    for (size_t i = 0; i < s->n; i++) free(s->v[i]);
    free(s->v);
    *s = (struct oci_strings){0};
}

sr_status oci_strings_add(struct oci_strings *s, struct slice text, size_t max,
                          struct sr_err *err) {
    if (s->n >= max)
        return sr_fail(err, SR_E_TOOBIG, "more than %zu words in the image's config", max);
    if (text.n > 0 && memchr(text.p, 0, text.n))
        return sr_fail(err, SR_E_MALFORMED, "a word of the image's config has a NUL in it");
    if (!s->v) s->v = sr_calloc_n(max + 1, sizeof *s->v);
    char *copy = s->v ? slice_dup(text) : NULL;
    if (!copy) return sr_fail(err, SR_E_NOMEM, "image config");
    s->v[s->n++] = copy;
    return SR_OK;
}

sr_status oci_strings_copy(const struct oci_strings *s, struct oci_strings *ret,
                           struct sr_err *err) {
    struct oci_strings copy = {0};
    sr_status st = SR_OK;
    for (size_t i = 0; i < s->n && st == SR_OK; i++)
        st = oci_strings_add(&copy, slice_str(s->v[i]), s->n, err);
    if (st != SR_OK) {
        oci_strings_done(&copy);
        return st;
    }
    *ret = copy;
    return SR_OK;
}

bool oci_digest_parse(struct slice text, struct hash *ret_h) {
    if (!slice_starts(text, "sha256:") || text.n != 7 + 64) return false;
    for (size_t i = 7; i < text.n; i++)
        if (text.p[i] >= 'A' && text.p[i] <= 'F') return false;
    return hex_decode(slice_of(text.p + 7, 64), ret_h->b, 32);
}

bool oci_egress_valid(struct slice text) {
    struct slice host, port;
    uint64_t n;
    if (text.n > 253 + 6 || !slice_cut(text, ':', &host, &port) || host.n == 0) return false;
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool inner = (c == '-' || c == '.') && i > 0 && i + 1 < host.n;
        if (!word && !inner) return false;
        if (c == '.' && i > 0 && host.p[i - 1] == '.') return false;
    }
    /* Names only: an address (all of its last word digits) says nothing to the data's owner, and
     * nothing vouches for it. */
    struct slice last = host, head;
    while (slice_cut(last, '.', &head, &last)) {
    }
    last = last.n ? last : head;
    bool letters = false;
    for (size_t i = 0; i < last.n; i++) letters |= last.p[i] >= 'a' && last.p[i] <= 'z';
    return letters && num_u64(port, 65535, &n) && n > 0;
}

sr_status oci_egress_parse(struct slice label, struct oci_strings *ret, struct sr_err *err) {
    struct slice rest = label, one;
    while (rest.n > 0) {
        (void)slice_cut(rest, ',', &one, &rest);
        one = slice_trim(one);
        if (one.n == 0) continue;
        if (!oci_egress_valid(one))
            return sr_fail(err, SR_E_MALFORMED, "egress %s is not name:port", log_q(one).s);
        SR_TRY(oci_strings_add(ret, one, OCI_MAX_EGRESS, err));
    }
    return SR_OK;
}

/* ---- the outer archive ---- */

struct outer {
    struct oci_source *src;
    uint64_t off;
};

static sr_status outer_read(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    struct outer *o = arg;
    uint64_t left = o->off < o->src->size ? o->src->size - o->off : 0;
    size_t take = left < n ? (size_t)left : n;
    if (take > 0) SR_TRY(o->src->read_at(o->src->arg, o->off, p, take, err));
    o->off += take;
    *ret_n = take;
    return SR_OK;
}

static sr_status outer_skip(void *arg, uint64_t n, struct sr_err *err) {
    struct outer *o = arg;
    if (o->off > o->src->size || n > o->src->size - o->off)
        return sr_fail(err, SR_E_MALFORMED, "the image archive ends too early");
    o->off += n;
    return SR_OK;
}

static sr_status check_layout(struct oci_image *img, uint64_t off, uint64_t size,
                              struct sr_err *err) {
    char text[256];
    cleanup_json struct json *doc = NULL;
    struct slice version;
    if (size > sizeof text) return sr_fail(err, SR_E_MALFORMED, "oci-layout is too long");
    SR_TRY(img->src.read_at(img->src.arg, off, text, (size_t)size, err));
    SR_TRY(json_parse(slice_of(text, (size_t)size), &doc, err));
    if (!json_str(json_get(json_root(doc), "imageLayoutVersion"), &version) ||
        !slice_is(version, "1.0.0"))
        return sr_fail(err, SR_E_MALFORMED, "oci-layout is not of version 1.0.0");
    img->has_layout = true;
    return SR_OK;
}

static const struct oci_blob *find_blob(const struct oci_image *img, const struct hash *digest) {
    for (size_t i = 0; i < img->n_blobs; i++)
        if (hash_eq(&img->blobs[i].digest, digest)) return &img->blobs[i];
    return NULL;
}

static sr_status note_file(struct oci_image *img, const struct tar_entry *e, uint64_t off,
                           struct sr_err *err) {
    struct slice path = slice_str(e->path);
    if (slice_is(path, "oci-layout")) {
        if (img->has_layout) return sr_fail(err, SR_E_MALFORMED, "two oci-layout files");
        return check_layout(img, off, e->size, err);
    }
    if (slice_is(path, "index.json")) {
        if (img->has_index) return sr_fail(err, SR_E_MALFORMED, "two index.json files");
        img->index = (struct oci_blob){.off = off, .size = e->size};
        img->has_index = true;
        return SR_OK;
    }
    if (!slice_starts(path, "blobs/sha256/"))
        return SR_OK; /* other tools' files: not ours to read */
    struct oci_blob b = {.off = off, .size = e->size};
    if (path.n != 13 + 64 || !hex_decode(slice_of(path.p + 13, 64), b.digest.b, 32))
        return sr_fail(err, SR_E_MALFORMED, "a blob's name is not its digest");
    if (find_blob(img, &b.digest)) return sr_fail(err, SR_E_MALFORMED, "a blob comes twice");
    if (img->n_blobs >= OCI_MAX_BLOBS)
        return sr_fail(err, SR_E_TOOBIG, "more than %u blobs", OCI_MAX_BLOBS);
    if (!img->blobs) img->blobs = sr_calloc_n(OCI_MAX_BLOBS, sizeof *img->blobs);
    if (!img->blobs) return sr_fail(err, SR_E_NOMEM, "image blobs");
    img->blobs[img->n_blobs++] = b;
    return SR_OK;
}

static sr_status scan(struct oci_image *img, struct tar_reader *t, struct outer *o,
                      struct sr_err *err) {
    for (size_t n = 0; n < 4 * OCI_MAX_BLOBS; n++) {
        const struct tar_entry *e;
        SR_TRY(tar_next(t, &e, err));
        if (!e) {
            if (img->has_layout && img->has_index) return SR_OK;
            return sr_fail(err, SR_E_MALFORMED, "no oci-layout or no index.json in the archive");
        }
        if (e->type == TAR_DIR) continue;
        if (e->type != TAR_FILE) return sr_fail(err, SR_E_MALFORMED, "a link in an image archive");
        if (e->size > img->src.size || o->off > img->src.size - e->size)
            return sr_fail(err, SR_E_MALFORMED, "the image archive ends too early");
        SR_TRY(note_file(img, e, o->off, err));
    }
    return sr_fail(err, SR_E_TOOBIG, "too many entries in the image archive");
}

/* ---- index, manifest, config ---- */

static sr_status read_json(struct oci_image *img, const struct oci_blob *b, bool check,
                           const char *what, struct json **ret_doc, struct sr_err *err) {
    if (b->size > OCI_MAX_JSON)
        return sr_fail(err, SR_E_TOOBIG, "the image's %s is over %u bytes", what, OCI_MAX_JSON);
    cleanup_buf struct buf text;
    buf_init(&text, OCI_MAX_JSON);
    uint8_t *p = buf_grow(&text, (size_t)b->size);
    if (b->size > 0 && !p) return buf_status(&text, err);
    if (b->size > 0) SR_TRY(img->src.read_at(img->src.arg, b->off, p, (size_t)b->size, err));
    struct hash got = sha256(buf_slice(&text));
    if (check && !hash_eq(&got, &b->digest))
        return sr_fail(err, SR_E_CRYPTO, "the image's %s is not what its digest says", what);
    sr_status st = json_parse(buf_slice(&text), ret_doc, err);
    if (st != SR_OK) sr_err_prefix(err, "the image's %s", what);
    return st;
}

/* A descriptor {mediaType, digest, size}: the blob of the archive that it names. */
static sr_status descriptor(const struct oci_image *img, const struct json_val *d, const char *what,
                            struct oci_blob *ret, struct sr_err *err) {
    struct slice text;
    struct hash digest;
    uint64_t size;
    if (!json_str(json_get(d, "digest"), &text) || !oci_digest_parse(text, &digest) ||
        !json_u64(json_get(d, "size"), &size))
        return sr_fail(err, SR_E_MALFORMED, "the image's %s has a faulty descriptor", what);
    const struct oci_blob *b = find_blob(img, &digest);
    if (!b) return sr_fail(err, SR_E_NOTFOUND, "the image's %s is not in the archive", what);
    if (b->size != size)
        return sr_fail(err, SR_E_MALFORMED, "the image's %s has another size than it says", what);
    *ret = *b;
    return SR_OK;
}

static bool platform_is_ours(const struct json_val *m) {
    struct slice os, arch;
    const struct json_val *p = json_get(m, "platform");
    return json_str(json_get(p, "os"), &os) && json_str(json_get(p, "architecture"), &arch) &&
           slice_is(os, "linux") && slice_is(arch, OUR_ARCHITECTURE);
}

static sr_status pick_manifest(const struct oci_image *img, const struct json_val *index,
                               const struct hash *want, struct oci_blob *ret, struct sr_err *err) {
    const struct json_val *list = json_get(index, "manifests"), *chosen = NULL;
    size_t n = json_len(list);
    if (!json_is(list, JSON_ARRAY) || n == 0 || n > MAX_MANIFESTS)
        return sr_fail(err, SR_E_MALFORMED, "the image's index lists no manifest, or too many");
    for (const struct json_val *m = json_first(list); m; m = json_next(m)) {
        struct slice text;
        struct hash digest;
        if (!json_str(json_get(m, "digest"), &text) || !oci_digest_parse(text, &digest))
            return sr_fail(err, SR_E_MALFORMED, "the image's index has a faulty descriptor");
        if (want ? hash_eq(want, &digest) : n == 1 || platform_is_ours(m)) {
            chosen = m;
            break;
        }
    }
    if (!chosen)
        return sr_fail(err, SR_E_NOTFOUND,
                       want ? "no manifest with the app's checksum in the image"
                            : "no manifest for linux/" OUR_ARCHITECTURE);
    return descriptor(img, chosen, "manifest", ret, err);
}

static sr_status layer_kind(const struct json_val *d, bool *ret_gzip, struct sr_err *err) {
    static const struct {
        const char *type;
        bool gzip;
    } kinds[] = {
        {"application/vnd.oci.image.layer.v1.tar", false},
        {"application/vnd.oci.image.layer.v1.tar+gzip", true},
        {"application/vnd.docker.image.rootfs.diff.tar", false},
        {"application/vnd.docker.image.rootfs.diff.tar.gzip", true},
    };
    struct slice type = {0};
    (void)json_str(json_get(d, "mediaType"), &type);
    for (size_t i = 0; i < SR_ARRAY_LEN(kinds); i++) {
        if (!slice_is(type, kinds[i].type)) continue;
        *ret_gzip = kinds[i].gzip;
        return SR_OK;
    }
    return sr_fail(err, SR_E_MALFORMED, "a layer of media type %s (plain tar or gzip only)",
                   log_q(type).s);
}

static sr_status take_layers(struct oci_image *img, const struct json_val *manifest,
                             const struct json_val *config, struct sr_err *err) {
    const struct json_val *layers = json_get(manifest, "layers");
    const struct json_val *ids = json_get(json_get(config, "rootfs"), "diff_ids");
    size_t n = json_len(layers);
    if (!json_is(layers, JSON_ARRAY) || !json_is(ids, JSON_ARRAY) || n == 0 || n != json_len(ids))
        return sr_fail(err, SR_E_MALFORMED, "the image's layers and diff_ids do not agree");
    if (n > OCI_MAX_LAYERS) return sr_fail(err, SR_E_TOOBIG, "more than %u layers", OCI_MAX_LAYERS);
    const struct json_val *l = json_first(layers), *id = json_first(ids);
    for (size_t i = 0; i < n; i++, l = json_next(l), id = json_next(id)) {
        struct slice text;
        struct oci_layer *y = &img->layers[i];
        SR_TRY(descriptor(img, l, "layer", &y->blob, err));
        SR_TRY(layer_kind(l, &y->gzip, err));
        if (!json_str(id, &text) || !oci_digest_parse(text, &y->diff_id))
            return sr_fail(err, SR_E_MALFORMED, "the image has a faulty diff_id");
    }
    img->n_layers = n;
    return SR_OK;
}

static sr_status take_words(const struct json_val *arr, struct oci_strings *s, struct sr_err *err) {
    if (!arr || json_is(arr, JSON_NULL)) return SR_OK;
    if (!json_is(arr, JSON_ARRAY))
        return sr_fail(err, SR_E_MALFORMED, "the image's config has a list that is none");
    for (const struct json_val *v = json_first(arr); v; v = json_next(v)) {
        struct slice word;
        if (!json_str(v, &word))
            return sr_fail(err, SR_E_MALFORMED, "the image's config has a word that is none");
        SR_TRY(oci_strings_add(s, word, OCI_MAX_ARGS, err));
    }
    return SR_OK;
}

static sr_status take_text(const struct json_val *v, const char *fallback, char **ret,
                           struct sr_err *err) {
    struct slice text = slice_str(fallback);
    if (json_is(v, JSON_STRING)) (void)json_str(v, &text);
    if (text.n == 0) text = slice_str(fallback);
    if (text.n > OCI_MAX_PATH || (text.n && memchr(text.p, 0, text.n)))
        return sr_fail(err, SR_E_MALFORMED, "the image's config has a faulty text");
    *ret = slice_dup(text);
    return *ret ? SR_OK : sr_fail(err, SR_E_NOMEM, "image config");
}

static sr_status take_config(struct oci_image *img, const struct json_val *root,
                             struct sr_err *err) {
    struct slice os, arch, label;
    if (!json_str(json_get(root, "os"), &os) || !json_str(json_get(root, "architecture"), &arch))
        return sr_fail(err, SR_E_MALFORMED, "the image's config names no platform");
    if (!slice_is(os, "linux") || !slice_is(arch, OUR_ARCHITECTURE))
        return sr_fail(err, SR_E_REFUSED, "the image is not for linux/" OUR_ARCHITECTURE);
    const struct json_val *c = json_get(root, "config");
    SR_TRY(take_words(json_get(c, "Entrypoint"), &img->config.argv, err));
    SR_TRY(take_words(json_get(c, "Cmd"), &img->config.argv, err));
    SR_TRY(take_words(json_get(c, "Env"), &img->config.env, err));
    SR_TRY(take_text(json_get(c, "WorkingDir"), "/", &img->config.workdir, err));
    SR_TRY(take_text(json_get(c, "User"), "", &img->config.user, err));
    if (img->config.argv.n == 0)
        return sr_fail(err, SR_E_MALFORMED,
                       "the image says not what to run (no Entrypoint, no Cmd)");
    if (json_str(json_get(json_get(c, "Labels"), OCI_EGRESS_LABEL), &label))
        SR_TRY(oci_egress_parse(label, &img->config.egress, err));
    return SR_OK;
}

static sr_status open_image(struct oci_image *img, const struct hash *want, struct sr_err *err) {
    struct outer o = {.src = &img->src};
    struct tar_reader t;
    tar_reader_init(&t, outer_read, &o);
    t.skip = outer_skip;
    sr_status st = scan(img, &t, &o, err);
    tar_reader_done(&t);
    SR_TRY(st);

    cleanup_json struct json *index = NULL, *manifest = NULL, *config = NULL;
    struct oci_blob b;
    uint64_t schema;
    SR_TRY(read_json(img, &img->index, false, "index", &index, err));
    SR_TRY(pick_manifest(img, json_root(index), want, &b, err));
    img->manifest = b.digest;
    SR_TRY(read_json(img, &b, true, "manifest", &manifest, err));
    if (!json_u64(json_get(json_root(manifest), "schemaVersion"), &schema) || schema != 2)
        return sr_fail(err, SR_E_MALFORMED, "the image's manifest is not of schema 2");
    SR_TRY(descriptor(img, json_get(json_root(manifest), "config"), "config", &b, err));
    SR_TRY(read_json(img, &b, true, "config", &config, err));
    SR_TRY(take_config(img, json_root(config), err));
    return take_layers(img, json_root(manifest), json_root(config), err);
}

sr_status oci_open(struct oci_source src, const struct hash *want, struct oci_image **ret_img,
                   struct sr_err *err) {
    struct oci_image *img = sr_calloc_n(1, sizeof *img);
    if (!img) return sr_fail(err, SR_E_NOMEM, "image");
    img->magic = OCI_MAGIC;
    img->src = src;
    sr_status st = open_image(img, want, err);
    if (st != SR_OK) {
        oci_close(img);
        return st;
    }
    *ret_img = img;
    return SR_OK;
}

void oci_close(struct oci_image *img) {
    if (!img) return;
    SR_ASSERT(img->magic == OCI_MAGIC);
    oci_strings_done(&img->config.argv);
    oci_strings_done(&img->config.env);
    oci_strings_done(&img->config.egress);
    free(img->config.workdir);
    free(img->config.user);
    free(img->blobs);
    free(img);
}

const struct oci_config *oci_config(const struct oci_image *img) {
    return &img->config;
}

struct hash oci_manifest(const struct oci_image *img) {
    return img->manifest;
}
