/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_upload.c - blobs into the registry: in one request, in one piece, or in many
 *
 * An upload lives in memory between its requests; its bytes are in the store's tmp/ folder. What
 * nobody goes on with for REG_SESSION_MS goes when the next one begins.
 */
#include "store/names.h"
#include "store/store_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct reg_session {
    char id[33];
    char name[REG_NAME_MAX + 1];
    struct upload *upload;
    struct sha256_lane sum;
    uint64_t n; /* bytes so far */
    int64_t used_us;
    bool busy;   /* a request is adding to it */
    bool broken; /* its last bytes may be lost: not to be gone on with */
    struct reg_session *next;
};

static void session_free(struct registry *r, struct reg_session *x) {
    for (struct reg_session **at = &r->first; *at; at = &(*at)->next)
        if (*at == x) {
            *at = x->next;
            r->n--;
            break;
        }
    upload_drop(x->upload);
    free(x);
}

void registry_done(struct registry *r) {
    while (r->first) session_free(r, r->first);
}

static void drop_old(struct registry *r) {
    int64_t before = clock_mono_us() - (int64_t)REG_SESSION_MS * 1000;
    for (struct reg_session *x = r->first, *next; x; x = next) {
        next = x->next;
        if (!x->busy && x->used_us < before) session_free(r, x);
    }
}

static sr_status session_new(struct store *s, struct slice name, struct reg_session **ret,
                             struct sr_err *err) {
    struct registry *r = &s->registry;
    uint8_t id[16];
    drop_old(r);
    if (r->n >= REG_SESSIONS_MAX) {
        sr_hint(err, "try again in a moment");
        return sr_fail(err, SR_E_UNAVAILABLE, "%u uploads at once are the most", REG_SESSIONS_MAX);
    }
    SR_TRY(random_bytes(id, sizeof id, err));
    struct reg_session *x = sr_calloc_n(1, sizeof *x);
    if (!x) return sr_fail(err, SR_E_NOMEM, "no memory for an upload");
    hex_encode(x->id, id, sizeof id);
    (void)snprintf(x->name, sizeof x->name, "%.*s", (int)name.n, (const char *)name.p);
    x->used_us = clock_mono_us();
    x->next = r->first;
    r->first = x;
    r->n++;
    sha256_lane_init(&x->sum);
    sr_status st = upload_new(s->blobs, true, &x->upload, err);
    if (st != SR_OK) {
        session_free(r, x);
        return st;
    }
    upload_sum(x->upload, &x->sum);
    *ret = x;
    return SR_OK;
}

static struct reg_session *session_of(struct store *s, const struct reg_path *p) {
    for (struct reg_session *x = s->registry.first; x; x = x->next)
        if (slice_is(p->ref, x->id) && slice_is(p->name, x->name)) return x;
    return NULL;
}

static sr_status unknown(struct http_req *rq, struct sr_err *err) {
    return reg_refuse(rq, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload; it may have timed out", err);
}

static void set_place(struct http_req *rq, const struct reg_session *x) {
    char text[REG_NAME_MAX + 80];
    (void)snprintf(text, sizeof text, "/v2/%s/blobs/uploads/%s", x->name, x->id);
    http_set_header(rq, "Location", text);
    (void)snprintf(text, sizeof text, "0-%llu", (unsigned long long)(x->n ? x->n - 1 : 0));
    http_set_header(rq, "Range", text);
    http_set_header(rq, "Docker-Upload-Uuid", x->id);
}

static void set_blob_place(struct http_req *rq, struct slice name, const struct hash *digest) {
    char text[REG_NAME_MAX + 120];
    struct digest_text d = reg_digest_text(digest);
    (void)snprintf(text, sizeof text, "/v2/%.*s/blobs/%s", (int)name.n, (const char *)name.p, d.s);
    http_set_header(rq, "Location", text);
    http_set_header(rq, "Docker-Content-Digest", d.s);
}

/* ---- bytes
 * ---------------------------------------------------------------------------------------------- */

/* A piece of the body, as full as it gets. Slow clients are cut off as in add.c. */
static sr_status read_piece(struct store *s, struct http_req *rq, int64_t started_us, uint64_t got,
                            uint8_t *p, size_t *ret_n, struct sr_err *err) {
    size_t n = 0;
    for (size_t more = 1; more > 0 && n < BLOB_PIECE; n += more) {
        uint64_t ms = (uint64_t)(clock_mono_us() - started_us) / 1000;
        if (ms > s->grace_ms + (got + n) / ADD_MIN_RATE * 1000 || ms > ADD_MAX_MS) {
            sr_hint(err, "at least %u bytes a second are expected", ADD_MIN_RATE);
            return sr_fail(err, SR_E_TIMEOUT, "the upload is too slow");
        }
        SR_TRY(http_body_read(rq, p + n, BLOB_PIECE - n, &more, err));
    }
    *ret_n = n;
    return SR_OK;
}

static sr_status take_body(struct store *s, struct http_req *rq, struct reg_session *x,
                           struct sr_err *err) {
    int64_t started = clock_mono_us();
    uint64_t before = x->n, announced;
    if (http_body_length(rq, &announced) && announced > s->max_add - before)
        return sr_fail(err, SR_E_TOOBIG, "a blob of more than %llu bytes",
                       (unsigned long long)s->max_add);
    cleanup_free uint8_t *p = aligned_alloc(4096, BLOB_PIECE);
    if (!p) return sr_fail(err, SR_E_NOMEM, "no memory for an upload");
    for (;;) {
        size_t n;
        SR_TRY(read_piece(s, rq, started, x->n - before, p, &n, err));
        if (n == 0) return SR_OK;
        if (x->n + n > s->max_add)
            return sr_fail(err, SR_E_TOOBIG, "a blob of more than %llu bytes",
                           (unsigned long long)s->max_add);
        x->broken = true;
        SR_TRY(upload_add(x->upload, slice_of(p, n), err));
        x->broken = false;
        x->n += n;
        x->used_us = clock_mono_us();
    }
}

static sr_status take_locked(struct store *s, struct http_req *rq, struct reg_session *x,
                             struct sr_err *err) {
    x->busy = true;
    sr_status st = take_body(s, rq, x, err);
    x->busy = false;
    if (x->broken || st == SR_E_TOOBIG) session_free(&s->registry, x);
    return st;
}

/* Content-Range "from-to" of a piece must go on where the last one ended. */
static bool goes_on(struct http_req *rq, const struct reg_session *x) {
    struct slice text, from, to;
    uint64_t a, b;
    if (!http_header(rq, "Content-Range", &text)) return true;
    if (slice_starts(text, "bytes ")) text = slice_of(text.p + 6, text.n - 6);
    if (!slice_cut(text, '-', &from, &to)) return false;
    (void)slice_cut(to, '/', &to, &text); /* a total after it is not needed */
    return num_u64(slice_trim(from), INT64_MAX, &a) && num_u64(slice_trim(to), INT64_MAX, &b) &&
           b + 1 >= a && a == x->n;
}

/* Ends an upload: its digest must be the wanted one. */
static sr_status settle(struct store *s, struct http_req *rq, struct reg_session *x,
                        struct slice want_text, struct sr_err *err) {
    struct hash want, have;
    struct dag_result r;
    struct slice name = slice_str(x->name);
    if (!reg_digest_parse(want_text, &want))
        return reg_refuse(rq, 400, "DIGEST_INVALID", "digest: sha256 and 64 digits", err);
    have = sha256_lane_end(&x->sum);
    if (!hash_eq(&have, &want)) {
        session_free(&s->registry, x);
        return reg_refuse(rq, 400, "DIGEST_INVALID", "what came has another digest", err);
    }
    x->busy = true; /* nobody else's, while it goes to the disk */
    struct upload *u = sr_take_ptr(x->upload);
    sr_status st = upload_end(u, &r, err);
    if (st == SR_OK) st = reg_blob_named(s, &want, &r.cid, err);
    if (st == SR_OK) {
        set_blob_place(rq, name, &want);
        st = http_reply(rq, 201, NULL, slice_of(NULL, 0), err);
    }
    session_free(&s->registry, x);
    return st;
}

/* ---- requests
 * ---------------------------------------------------------------------------------------------- */

sr_status reg_upload_start(struct store *s, struct http_req *rq, const struct reg_path *p,
                           struct sr_err *err) {
    struct slice text;
    struct hash digest;
    struct reg_session *x;
    struct cid cid;
    struct blob b;
    if (http_query(rq, "mount", &text) && reg_digest_parse(text, &digest) &&
        reg_blob_open(s, &digest, &cid, &b, NULL) == SR_OK) { /* all repositories share blobs */
        (void)close(b.fd);
        set_blob_place(rq, p->name, &digest);
        return http_reply(rq, 201, NULL, slice_of(NULL, 0), err);
    }
    bool whole = http_query(rq, "digest", &text);
    SR_TRY(session_new(s, p->name, &x, err));
    if (whole) {
        SR_TRY(take_locked(s, rq, x, err));
        return settle(s, rq, x, text, err);
    }
    set_place(rq, x);
    return http_reply(rq, 202, NULL, slice_of(NULL, 0), err);
}

sr_status reg_upload_more(struct store *s, struct http_req *rq, const struct reg_path *p,
                          struct sr_err *err) {
    struct reg_session *x = session_of(s, p);
    if (!x) return unknown(rq, err);
    if (x->busy) return reg_refuse(rq, 409, "BLOB_UPLOAD_INVALID", "it is being added to", err);
    if (!goes_on(rq, x)) {
        set_place(rq, x);
        return reg_refuse(rq, 416, "BLOB_UPLOAD_INVALID", "it does not go on from there", err);
    }
    SR_TRY(take_locked(s, rq, x, err));
    set_place(rq, x);
    return http_reply(rq, 202, NULL, slice_of(NULL, 0), err);
}

sr_status reg_upload_end(struct store *s, struct http_req *rq, const struct reg_path *p,
                         struct sr_err *err) {
    struct reg_session *x = session_of(s, p);
    struct slice text;
    if (!x) return unknown(rq, err);
    if (x->busy) return reg_refuse(rq, 409, "BLOB_UPLOAD_INVALID", "it is being added to", err);
    if (!http_query(rq, "digest", &text))
        return reg_refuse(rq, 400, "DIGEST_INVALID", "the query has no digest", err);
    if (!goes_on(rq, x)) {
        set_place(rq, x);
        return reg_refuse(rq, 416, "BLOB_UPLOAD_INVALID", "it does not go on from there", err);
    }
    SR_TRY(take_locked(s, rq, x, err));
    return settle(s, rq, x, text, err);
}

sr_status reg_upload_show(struct store *s, struct http_req *rq, const struct reg_path *p,
                          struct sr_err *err) {
    struct reg_session *x = session_of(s, p);
    if (!x) return unknown(rq, err);
    set_place(rq, x);
    return http_reply(rq, 204, NULL, slice_of(NULL, 0), err);
}

sr_status reg_upload_cancel(struct store *s, struct http_req *rq, const struct reg_path *p,
                            struct sr_err *err) {
    struct reg_session *x = session_of(s, p);
    if (!x) return unknown(rq, err);
    if (x->busy) return reg_refuse(rq, 409, "BLOB_UPLOAD_INVALID", "it is being added to", err);
    session_free(&s->registry, x);
    return http_reply(rq, 204, NULL, slice_of(NULL, 0), err);
}
