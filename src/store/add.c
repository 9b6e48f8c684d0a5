/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/v0/add: content in, CID out.  SPEC: services.md#51-upload-node */
#include "store/multipart.h"
#include "store/store_int.h"
#include <stdio.h>
#include <stdlib.h>

struct entry {
    char *path; /* owned */
    bool folder;
    struct cid cid;
    uint64_t dag_bytes;
};

struct adding {
    struct store *store;
    struct http_req *rq;
    int64_t started_us;
    uint64_t got; /* bytes of the body */
    bool keep, wrap;
    struct entry *entry;
    size_t n, room;
    struct buf out; /* lines of the answer */
};

static sr_status read_body(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    struct adding *a = arg;
    uint64_t ms = (uint64_t)(clock_mono_us() - a->started_us) / 1000;
    uint64_t fair = a->store->grace_ms + a->got / ADD_MIN_RATE * 1000;
    if (ms > fair || ms > ADD_MAX_MS) {
        sr_hint(err, "at least %u bytes a second are expected", ADD_MIN_RATE);
        return sr_fail(err, SR_E_TIMEOUT, "the upload is too slow");
    }
    SR_TRY(http_body_read(a->rq, p, n, ret_n, err));
    a->got += *ret_n;
    if (a->got > a->store->max_add)
        return sr_fail(err, SR_E_TOOBIG, "an upload of more than %llu bytes",
                       (unsigned long long)a->store->max_add);
    return SR_OK;
}

static bool query_is(struct http_req *rq, const char *name, const char *value) {
    struct slice v;
    return http_query(rq, name, &v) && slice_is(v, value);
}

/* Only one form of CID can be found again from the chain, so no other is made. */
static sr_status read_options(struct adding *a, struct sr_err *err) {
    struct slice v;
    bool raw = query_is(a->rq, "raw-leaves", "true");
    bool v1 = http_query(a->rq, "cid-version", &v) && !slice_is(v, "0");
    bool chunker = http_query(a->rq, "chunker", &v) && !slice_is(v, "size-262144");
    bool hash = http_query(a->rq, "hash", &v) && !slice_is(v, "sha2-256");
    if (raw || v1 || chunker || hash || query_is(a->rq, "trickle", "true") ||
        query_is(a->rq, "inline", "true")) {
        sr_hint(err, "leave out cid-version, raw-leaves, chunker, trickle, inline and hash");
        return sr_fail(err, SR_E_MALFORMED, "only Kubo's default form of a file is made here");
    }
    a->keep = !query_is(a->rq, "only-hash", "true") && !query_is(a->rq, "n", "true");
    a->wrap = query_is(a->rq, "wrap-with-directory", "true") || query_is(a->rq, "w", "true");
    return SR_OK;
}

static void line_add(struct adding *a, struct slice name, const struct cid *cid, uint64_t size) {
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)size);
    struct jw w = jw_of(&a->out);
    jw_obj(&w);
    jw_kstr(&w, "Name", name);
    jw_kcstr(&w, "Hash", cid_text(cid).s);
    jw_kcstr(&w, "Size", text);
    jw_end_obj(&w);
    buf_u8(&a->out, '\n');
}

/* Relative, without "." and ".."; slashes at both ends are cut. */
static bool path_ok(struct slice *path) {
    while (path->n > 0 && path->p[0] == '/') *path = slice_of(path->p + 1, path->n - 1);
    while (path->n > 0 && path->p[path->n - 1] == '/') path->n--;
    struct slice seg, rest = *path;
    unsigned depth = 0;
    for (size_t i = 0; i < path->n; i++)
        if (path->p[i] < ' ') return false;
    while (rest.n > 0) {
        (void)slice_cut(rest, '/', &seg, &rest);
        if (seg.n == 0 || slice_is(seg, ".") || slice_is(seg, "..") || ++depth > IPFS_PATH_MAX)
            return false;
    }
    return true;
}

static sr_status entry_add(struct adding *a, struct slice path, bool folder,
                           const struct dag_result *r, struct sr_err *err) {
    if (a->n >= ADD_PARTS_MAX)
        return sr_fail(err, SR_E_TOOBIG, "more than %u files in one upload", ADD_PARTS_MAX);
    if (!path_ok(&path)) return sr_fail(err, SR_E_MALFORMED, "a file's path");
    if (a->n == a->room) {
        size_t room = a->room ? a->room * 2 : 8;
        struct entry *e = realloc(a->entry, room * sizeof *e);
        if (!e) return sr_fail(err, SR_E_NOMEM, "no memory for an upload");
        a->entry = e;
        a->room = room;
    }
    char *copy = slice_dup(path);
    if (!copy) return sr_fail(err, SR_E_NOMEM, "no memory for an upload");
    a->entry[a->n++] = (struct entry){copy, folder, r->cid, r->dag_bytes};
    return SR_OK;
}

static sr_status take_file(struct adding *a, struct multipart *m, struct dag_result *ret,
                           struct sr_err *err) {
    struct upload *u;
    SR_TRY(upload_new(a->store->blobs, a->keep, &u, err));
    for (;;) {
        struct slice data;
        sr_status st = multipart_data(m, &data, err);
        if (st == SR_OK && data.n == 0) return upload_end(u, ret, err);
        if (st == SR_OK) st = upload_add(u, data, err);
        if (st != SR_OK) {
            upload_drop(u);
            return st;
        }
    }
}

static sr_status take_parts(struct adding *a, struct multipart *m, struct sr_err *err) {
    for (;;) {
        struct multipart_part p;
        struct dag_result r = {0};
        bool more;
        SR_TRY(multipart_next(m, &p, &more, err));
        if (!more) return SR_OK;
        if (p.folder) {
            struct slice waste;
            do SR_TRY(multipart_data(m, &waste, err));
            while (waste.n > 0);
        } else {
            SR_TRY(take_file(a, m, &r, err));
        }
        SR_TRY(entry_add(a, slice_str(p.path), p.folder, &r, err));
        if (!p.folder) {
            struct slice path = slice_str(a->entry[a->n - 1].path);
            line_add(a, path.n ? path : slice_str(cid_text(&r.cid).s), &r.cid, r.dag_bytes);
        }
    }
}

/* ---- folders
 * ---------------------------------------------------------------------------------------------- */

/* '/' first, so that a folder's files are neighbours and names sort as links must. */
static int by_path(const void *a, const void *b) {
    const char *x = ((const struct entry *)a)->path, *y = ((const struct entry *)b)->path;
    while (*x && *x == *y) x++, y++;
    int p = *x == '/' ? 1 : (uint8_t)*x, q = *y == '/' ? 1 : (uint8_t)*y;
    return p - q;
}

/* Makes the folder of entries lo..hi, whose names begin at `skip`. Depth is bounded by path_ok. */
static sr_status make_folder(struct adding *a, size_t lo, size_t hi, size_t skip,
                             struct dag_link *ret, struct sr_err *err) {
    cleanup_free struct dag_link *links = sr_calloc_n(hi - lo + 1, sizeof *links);
    cleanup_buf struct buf block = {0};
    size_t n = 0;
    uint64_t below = 0;
    buf_init(&block, ADD_FOLDER_MAX);
    if (!links) return sr_fail(err, SR_E_NOMEM, "no memory for a folder");
    for (size_t i = lo, end; i < hi; i = end) {
        const char *name = a->entry[i].path + skip, *slash = strchrnul(name, '/');
        size_t len = (size_t)(slash - name);
        for (end = i + 1; end < hi; end++) {
            const char *other = a->entry[end].path + skip;
            if (strncmp(other, name, len) != 0 || (other[len] && other[len] != '/')) break;
        }
        struct dag_link *l = &links[n++];
        bool alone = !*slash; /* the entry itself; below it may be what a folder holds */
        if (alone && !a->entry[i].folder) {
            if (end > i + 1)
                return sr_fail(err, SR_E_MALFORMED, "a name is used twice in one upload");
            *l = (struct dag_link){a->entry[i].cid, slice_of(name, len), a->entry[i].dag_bytes};
        } else {
            SR_TRY(make_folder(a, i + alone, end, skip + len + 1, l, err));
            l->name = slice_of(name, len);
            line_add(a, slice_of(a->entry[i].path, skip + len), &l->cid, l->size);
        }
        below += l->size;
    }
    SR_TRY(dag_dir_block(links, n, &block, err));
    struct hash digest = sha256(buf_slice(&block));
    *ret = (struct dag_link){cid_v0(&digest), {NULL, 0}, below + block.n};
    return a->keep ? blobs_put_dir(a->store->blobs, buf_slice(&block), &ret->cid, err) : SR_OK;
}

static sr_status make_folders(struct adding *a, struct sr_err *err) {
    bool any = a->wrap;
    struct dag_link root;
    for (size_t i = 0; i < a->n && !any; i++)
        any = a->entry[i].folder || strchr(a->entry[i].path, '/');
    if (!any) return SR_OK;
    for (size_t i = 0; i < a->n; i++) {
        if (a->entry[i].path[0]) continue;
        free(a->entry[i].path); /* without a name: its CID is its name */
        a->entry[i].path = slice_dup(slice_str(cid_text(&a->entry[i].cid).s));
        if (!a->entry[i].path) return sr_fail(err, SR_E_NOMEM, "no memory for an upload");
    }
    qsort(a->entry, a->n, sizeof *a->entry, by_path);
    SR_TRY(make_folder(a, 0, a->n, 0, &root, err));
    if (a->wrap) line_add(a, SLICE_LIT(""), &root.cid, root.size);
    return SR_OK;
}

static sr_status add_all(struct adding *a, struct sr_err *err) {
    struct slice type = {NULL, 0};
    struct multipart *m;
    uint64_t announced;
    SR_TRY(read_options(a, err));
    if (http_body_length(a->rq, &announced) && announced > a->store->max_add)
        return sr_fail(err, SR_E_TOOBIG, "an upload of more than %llu bytes",
                       (unsigned long long)a->store->max_add);
    (void)http_header(a->rq, "Content-Type", &type);
    SR_TRY(multipart_new(type, read_body, a, &m, err));
    sr_status st = take_parts(a, m, err);
    multipart_free(m);
    SR_TRY(st);
    if (a->n == 0) return sr_fail(err, SR_E_MALFORMED, "multipart form: no file in it");
    SR_TRY(make_folders(a, err));
    SR_TRY(buf_status(&a->out, err));
    http_set_header(a->rq, "X-Chunked-Output", "1");
    return http_reply(a->rq, 200, "application/json", buf_slice(&a->out), err);
}

sr_status store_add(struct http_req *rq, void *role, struct sr_err *err) {
    struct adding a = {.store = role, .rq = rq, .started_us = clock_mono_us()};
    buf_init(&a.out, ADD_PARTS_MAX * 2048u);
    sr_status st = add_all(&a, err);
    for (size_t i = 0; i < a.n; i++) free(a.entry[i].path);
    free(a.entry);
    buf_done(&a.out);
    return st;
}
