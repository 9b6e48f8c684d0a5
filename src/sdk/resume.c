/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/resume.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_MAX 4096u
#define PREFIX     ".upload-"
#define TRIES      5u /* without a byte more between them */
#define PAUSE_MS   700u
#define STALL_MS   60000u
#define NAME       "protected-data"

/* ---- the record ---- */

/* Names the content, the wallet and the store: with anything else it would be another upload. */
static struct hash fingerprint(const struct sr_client *c, const struct pd_files *files,
                               const struct sr_secret *given) {
    cleanup_buf struct buf b;
    buf_init(&b, SR_MAX_FILES * 8192u);
    buf_str(&b, "SR-UP-v1");
    buf_put(&b, c->me.b, sizeof c->me.b);
    buf_str(&b, c->net.ipfs_node);
    if (given) {
        struct hash h = sha256(secret_slice(given));
        buf_put(&b, h.b, sizeof h.b);
    }
    for (size_t i = 0; i < files->n; i++) {
        const struct pd_file *f = &files->v[i];
        buf_printf(&b, "\n%s %llu %08x %lld.%09lld", f->key, (unsigned long long)f->size, f->crc,
                   (long long)f->mtime_s, (long long)f->mtime_ns);
    }
    return sha256(buf_slice(&b));
}

static sr_status record_write(const struct resume *r, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, RECORD_MAX);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_ku64(&w, "version", 1);
    jw_khex(&w, "salt", slice_of(r->salt, sizeof r->salt));
    jw_ku64(&w, "time", r->unix_ms);
    jw_kcstr(&w, "place", r->place);
    if (r->stored) {
        jw_kcstr(&w, "cid", cid_text(&r->made.cid).s);
        jw_ku64(&w, "bytes", r->made.file_bytes);
        jw_khash(&w, "checksum", &r->checksum);
    }
    jw_end_obj(&w);
    SR_TRY(buf_status(&b, err));
    return fs_write_atomic(r->path, buf_slice(&b), 0600, err);
}

/* False: there is none, or none that can be used. */
static bool record_read(struct resume *r) {
    cleanup_buf struct buf b;
    cleanup_json struct json *doc = NULL;
    struct slice text;
    uint64_t version;
    buf_init(&b, RECORD_MAX);
    if (fs_read(r->path, &b, NULL) != SR_OK || json_parse(buf_slice(&b), &doc, NULL) != SR_OK)
        return false;
    const struct json_val *v = json_root(doc);
    if (!json_u64(json_get(v, "version"), &version) || version != 1 ||
        !json_str(json_get(v, "salt"), &text) || !hex_decode(text, r->salt, sizeof r->salt) ||
        !json_u64(json_get(v, "time"), &r->unix_ms) || !json_str(json_get(v, "place"), &text) ||
        text.n >= sizeof r->place || memchr(text.p, 0, text.n))
        return false;
    TEXT_PUT(r->place, text);
    r->stored = json_str(json_get(v, "cid"), &text) &&
                cid_parse(text, &r->made.cid, NULL) == SR_OK &&
                json_u64(json_get(v, "bytes"), &r->made.file_bytes) &&
                json_hash(json_get(v, "checksum"), &r->checksum);
    return true;
}

static void forget_old(const char *folder) {
    DIR *d = opendir(folder);
    struct stat st;
    uint64_t now = clock_unix_ms() / 1000;
    if (!d) return;
    for (struct dirent *de; (de = readdir(d)) != NULL;)
        if (strncmp(de->d_name, PREFIX, sizeof PREFIX - 1) == 0 &&
            fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (uint64_t)st.st_mtim.tv_sec + RESUME_OLD_S < now)
            (void)unlinkat(dirfd(d), de->d_name, 0);
    (void)closedir(d);
}

/* Whoever has the wallet's key can derive them, and nobody else: the salt is no secret. */
static sr_status derive(const struct sr_client *c, const struct resume *r,
                        const struct sr_secret *given, struct sr_secret *ret_key,
                        uint8_t ret_iv[16], struct sr_err *err) {
    cleanup_secret struct sr_secret both = {0};
    SR_TRY(secret_new(AES_KEY_BYTES + AES_IV_BYTES, &both, err));
    SR_TRY(hkdf_sha256(secret_slice(&c->key), slice_of(r->salt, sizeof r->salt),
                       SLICE_LIT("strongroom upload key and iv v1"), both.p, both.n, err));
    SR_TRY(secret_from(given ? given->p : both.p, AES_KEY_BYTES, ret_key, err));
    memcpy(ret_iv, both.p + AES_KEY_BYTES, AES_IV_BYTES);
    return SR_OK;
}

sr_status resume_open(struct sr_client *c, const struct pd_files *files,
                      const struct sr_secret *secret_given, struct resume *ret,
                      struct sr_secret *ret_key, uint8_t ret_iv[16], struct sr_err *err) {
    uint64_t total = 0;
    char hex[65], name[96];
    for (size_t i = 0; i < files->n; i++) total += files->v[i].size;
    if (total < RESUME_MIN || files->memory > 0) return SR_OK;
    struct hash h = fingerprint(c, files, secret_given);
    hex_encode(hex, h.b, sizeof h.b);
    (void)snprintf(name, sizeof name, PREFIX "%.32s", hex);
    SR_TRY(fs_mkdirs(c->keystore, 0700, err));
    forget_old(c->keystore);
    if (!(ret->path = path_join(c->keystore, name))) return sr_fail(err, SR_E_NOMEM, "upload");
    if (!record_read(ret)) {
        struct resume fresh = {.path = ret->path, .unix_ms = clock_unix_ms()};
        SR_TRY(random_bytes(fresh.salt, sizeof fresh.salt, err));
        *ret = fresh;
    }
    return derive(c, ret, secret_given, ret_key, ret_iv, err);
}

void resume_forget(struct resume *r) {
    if (r->path) (void)unlink(r->path);
}

void resume_done(struct resume *r) {
    free(r->path);
    *r = (struct resume){0};
}

/* ---- the store ---- */

static sr_status ask(struct sr_client *c, const char *method, const char *place, const char *query,
                     struct http_answer *ret, struct sr_err *err) {
    cleanup_buf struct buf url;
    buf_init(&url, 2048);
    buf_printf(&url, "%s%s%s", c->net.ipfs_node, place, query);
    SR_TRY(buf_status(&url, err));
    struct http_call call = {.method = method, .url = buf_cstr(&url), .timeout_ms = STALL_MS};
    return sdk_fetch(&call, SDK_PATIENCE_MS, ret, err);
}

static sr_status begin(struct sr_client *c, struct resume *r, struct sr_err *err) {
    cleanup_answer struct http_answer a = {0};
    struct slice place;
    SR_TRY(ask(c, "POST", "/v2/" NAME "/blobs/uploads/", "", &a, err));
    if (a.status != 202 || !http_answer_header(&a, "Location", &place) ||
        !slice_starts(place, "/v2/") || place.n >= sizeof r->place)
        return sr_fail(err, a.status >= 500 ? SR_E_UNAVAILABLE : SR_E_NOTFOUND,
                       "the store takes no upload in pieces (%d)", a.status);
    TEXT_PUT(r->place, place);
    return record_write(r, err);
}

/* How much of it the store has; begins anew when it knows nothing of it any more. */
static sr_status find(struct sr_client *c, struct resume *r, uint64_t *ret_at, struct sr_err *err) {
    cleanup_answer struct http_answer a = {0};
    struct slice range, from, to;
    uint64_t last;
    *ret_at = 0;
    if (!r->place[0]) return begin(c, r, err);
    SR_TRY(ask(c, "GET", r->place, "", &a, err));
    if (a.status == 404) return begin(c, r, err);
    if (a.status != 204 || !http_answer_header(&a, "Range", &range) ||
        !slice_cut(range, '-', &from, &to) || !num_u64(slice_trim(to), INT64_MAX, &last))
        return sr_fail(err, SR_E_UNAVAILABLE, "the store answers %d about an upload", a.status);
    *ret_at = last > 0 ? last + 1 : 0; /* 0-0 is said of nothing, too */
    return SR_OK;
}

struct rest {
    struct sr_client *c;
    struct pd_stream *stream;
    const char *step;
    uint64_t at, done, total; /* bytes: to pass over, made, of all or 0 */
};

static sr_status rest_next(void *arg, struct slice *ret_piece, struct sr_err *err) {
    struct rest *s = arg;
    for (;;) {
        struct slice piece = {0};
        SR_TRY(pd_stream_next(s->stream, &piece, err));
        uint64_t before = s->done;
        s->done += piece.n;
        sdk_progress(s->c, s->step, NULL, piece.n ? s->done : s->total, s->total, NULL);
        if (piece.n > 0 && s->done <= s->at) continue; /* the store has it */
        if (piece.n > 0 && before < s->at)
            piece = slice_of(piece.p + (s->at - before), (size_t)(s->done - s->at));
        *ret_piece = piece;
        return SR_OK;
    }
}

/* Sends what is missing, and ends the upload. */
static sr_status send_rest(struct sr_client *c, struct resume *r, const struct pd_stream_opts *o,
                           const char *step, uint64_t at, struct sr_err *err) {
    struct rest s = {.c = c, .step = step, .at = at};
    char range[80], hex[65], query[100];
    cleanup_buf struct buf url;
    cleanup_answer struct http_answer sent = {0}, ended = {0};
    buf_init(&url, 2048);
    buf_printf(&url, "%s%s", c->net.ipfs_node, r->place);
    SR_TRY(buf_status(&url, err));
    SR_TRY(pd_stream_new(o, &s.stream, err));
    uint64_t length = pd_stream_length(s.stream);
    bool known = length != UINT64_MAX;
    s.total = known ? length : 0;
    (void)snprintf(range, sizeof range, "Content-Range: %llu-%llu", (unsigned long long)at,
                   (unsigned long long)(length - 1));
    const char *headers[] = {"Content-Type: application/octet-stream", known ? range : NULL, NULL};
    struct http_call call = {.method = "PATCH",
                             .url = buf_cstr(&url),
                             .headers = headers,
                             .body_next = rest_next,
                             .arg = &s,
                             .body_length = known ? length - at : UINT64_MAX,
                             .timeout_ms = STALL_MS};
    struct slice nothing = {0};
    sr_status st = known && at > length    ? sr_fail(err, SR_E_CONFLICT, "the store has too much")
                   : known && at == length ? SR_OK /* only the end was not said */
                                           : http_fetch(&call, &sent, err);
    if (st == SR_OK && sent.status == 0) st = rest_next(&s, &nothing, err);
    if (st == SR_OK && sent.status != 0 && sent.status != 202)
        st = sr_fail(err, SR_E_UNAVAILABLE, "the store answers %d to a piece", sent.status);
    if (st == SR_OK) st = dag_end(pd_stream_dag(s.stream), &r->made, err);
    if (st == SR_OK) {
        r->checksum = pd_stream_checksum(s.stream);
        hex_encode(hex, r->checksum.b, sizeof r->checksum.b);
        (void)snprintf(query, sizeof query, "?digest=sha256:%s", hex);
        st = ask(c, "PUT", r->place, query, &ended, err);
    }
    if (st == SR_OK && ended.status != 201)
        st = sr_fail(err, ended.status == 400 ? SR_E_CRYPTO : SR_E_UNAVAILABLE,
                     "the store answers %d to the end of an upload", ended.status);
    pd_stream_free(s.stream);
    return st;
}

static bool may_mend(sr_status st) {
    return st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT || st == SR_E_SYS || st == SR_E_MALFORMED;
}

sr_status resume_upload(struct sr_client *c, struct resume *r, const struct pd_stream_opts *o,
                        const char *step, struct sr_err *err) {
    struct pd_stream_opts opts = *o;
    uint64_t most = 0;
    opts.unix_ms = r->unix_ms;
    if (r->stored) return SR_OK;
    for (unsigned tries = 1;; tries++) {
        struct sr_err why = {0};
        uint64_t at;
        sr_status st = find(c, r, &at, &why);
        if (st == SR_OK && at > most) {
            most = at;
            tries = 1;
        }
        if (st == SR_OK) st = send_rest(c, r, &opts, step, at, &why);
        if (st == SR_OK) break;
        if (st == SR_E_CRYPTO) r->place[0] = 0; /* what the store had was not ours */
        if ((may_mend(st) || st == SR_E_CRYPTO) && tries < TRIES) {
            SR_TRY(fiber_sleep(PAUSE_MS, err));
            continue;
        }
        if (err) *err = why;
        if (may_mend(st)) sr_hint(err, "the same command goes on where this one stopped");
        return st;
    }
    r->stored = true;
    return record_write(r, err);
}
