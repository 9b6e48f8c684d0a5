/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive unpacked as it comes, so that it need not be kept. What is not an entry's data (the
 * headers, the directory) is kept apart; at the end the strict reader judges it, and must find the
 * entries exactly where they were found in passing.
 */
#include "zip/zip_int.h"
#include <stdlib.h>
#include <zlib.h>

#define OUT_BYTES   (64u * 1024)
#define FRAME_MAX   (1u << 20)   /* bytes of headers and directory */
#define FLOW_MAX    4096u        /* entries */
#define OPEN_TAIL   (64u * 1024) /* kept of an entry whose end only the directory tells */
#define AFTER_BYTES 28u          /* the longest descriptor, and the next signature */

struct passed {
    uint64_t at, data_at, packed, size;
    uint32_t crc;
};

struct zip_flow {
    struct zip_flow_ops ops;
    void *arg;
    uint64_t total; /* bytes of the archive; UINT64_MAX: unknown */
    enum { IN_HEADER, IN_DATA, AFTER_DATA, IN_TAIL, IN_OPEN_TAIL } state;
    uint64_t at; /* of the next byte */
    uint8_t hold[LOCAL_BYTES + ZIP_NAME_MAX + 256];
    size_t held;
    bool known; /* by a stronger sum: CRCs are not compared */
    struct passed *v;
    size_t n;
    struct zip_frame frame;
    /* the entry that is passing */
    bool deflated, later, open; /* open: its length is unknown */
    uint64_t left;
    z_stream z;
    bool z_ready;
    uint8_t out[OUT_BYTES];
    struct zip_reader *reader;
};

static sr_status not_flowing(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_MALFORMED, "not an archive that can be read as it comes: %s", what);
}

sr_status zip_flow_new(const struct zip_flow_ops *ops, void *arg, uint64_t total,
                       struct zip_flow **ret, struct sr_err *err) {
    struct zip_flow *f = sr_calloc_n(1, sizeof *f);
    if (!f) return sr_fail(err, SR_E_NOMEM, "no memory for an archive");
    f->v = sr_calloc_n(FLOW_MAX, sizeof *f->v);
    f->frame.seg = sr_calloc_n(2 * FLOW_MAX + 2, sizeof *f->frame.seg);
    buf_init(&f->frame.bytes, FRAME_MAX);
    f->ops = *ops;
    f->arg = arg;
    f->total = total;
    if (!f->v || !f->frame.seg) {
        zip_flow_free(f);
        return sr_fail(err, SR_E_NOMEM, "no memory for an archive");
    }
    *ret = f;
    return SR_OK;
}

void zip_flow_free(struct zip_flow *f) {
    if (!f) return;
    if (f->z_ready) (void)inflateEnd(&f->z);
    zip_reader_free(f->reader);
    buf_wipe(&f->frame.bytes); /* may hold the end of an entry */
    free(f->frame.seg);
    free(f->v);
    explicit_bzero(f->out, sizeof f->out);
    free(f);
}

/* Keeps bytes that stand at `at` in the archive. */
static sr_status keep(struct zip_flow *f, uint64_t at, struct slice s, struct sr_err *err) {
    struct zip_frame *r = &f->frame;
    struct zip_seg *last = r->n ? &r->seg[r->n - 1] : NULL;
    if (!last || last->at + last->n != at) {
        if (r->n == 2 * FLOW_MAX + 2) return not_flowing(err, "too many entries");
        last = &r->seg[r->n++];
        *last = (struct zip_seg){at, r->bytes.n, 0}; /* NOLINT: seg is there from the start */
    }
    buf_add(&r->bytes, s);
    last->n += s.n;
    return buf_status(&r->bytes, err);
}

/* More of what is being held, up to n bytes of it. True: they are there. */
static bool hold(struct zip_flow *f, struct slice *in, size_t n) {
    size_t take = f->held >= n ? 0 : n - f->held < in->n ? n - f->held : in->n;
    if (take) memcpy(f->hold + f->held, in->p, take);
    f->held += take;
    f->at += take;
    *in = slice_of(in->p + take, in->n - take);
    return f->held >= n;
}

static sr_status begin_data(struct zip_flow *f, struct slice name, struct sr_err *err) {
    struct passed *p = &f->v[f->n];
    p->data_at = f->at;
    f->state = IN_DATA;
    if (f->deflated) {
        int rc = f->z_ready ? inflateReset(&f->z) : inflateInit2(&f->z, -MAX_WBITS);
        if (rc != Z_OK) return sr_fail(err, SR_E_NOMEM, "no memory for unpacking");
        f->z_ready = true;
    }
    return f->ops.begin(f->arg, name, err);
}

/* A local header: 30 bytes, the name, the extra field. */
static sr_status in_header(struct zip_flow *f, struct slice *in, struct sr_err *err) {
    if (!hold(f, in, 4)) return SR_OK;
    struct rd h = rd_of(slice_of(f->hold, LOCAL_BYTES));
    if (rd_u32le(&h) != SIG_LOCAL) { /* the directory, or what the strict reader will refuse */
        f->state = IN_TAIL;
        sr_status st = keep(f, f->at - f->held, slice_of(f->hold, f->held), err);
        f->held = 0;
        return st;
    }
    if (!hold(f, in, LOCAL_BYTES)) return SR_OK;
    (void)rd_u16le(&h);
    uint16_t flags = rd_u16le(&h), method = rd_u16le(&h);
    (void)rd_u32le(&h);
    (void)rd_u32le(&h);
    uint64_t packed = rd_u32le(&h);
    (void)rd_u32le(&h);
    size_t name_n = rd_u16le(&h), extra_n = rd_u16le(&h), n = LOCAL_BYTES + name_n + extra_n;
    if (n > sizeof f->hold || name_n > ZIP_NAME_MAX) return not_flowing(err, "a long header");
    if (!hold(f, in, n)) return SR_OK;
    if ((flags & FLAG_ENCRYPTED) != 0 || (method != ZIP_STORED && method != ZIP_DEFLATED))
        return not_flowing(err, "an entry's method");
    if (f->n == FLOW_MAX) return not_flowing(err, "too many entries");
    f->v[f->n] = (struct passed){.at = f->at - n};
    f->deflated = method == ZIP_DEFLATED;
    f->later = (flags & FLAG_DESCRIPTOR) != 0;
    f->open = !f->deflated && f->later;
    f->left = packed;
    if (!f->deflated && !f->later && packed == MAX32) return not_flowing(err, "a large entry");
    if (f->open && f->total == UINT64_MAX) return not_flowing(err, "an entry without a length");
    SR_TRY(keep(f, f->at - n, slice_of(f->hold, n), err));
    f->held = 0;
    return begin_data(f, slice_of(f->hold + LOCAL_BYTES, name_n), err);
}

static sr_status give(struct zip_flow *f, struct slice s, struct sr_err *err) {
    struct passed *p = &f->v[f->n];
    p->size += s.n;
    if (!f->known) p->crc = zip_crc32(p->crc, s);
    return s.n ? f->ops.data(f->arg, s, err) : SR_OK;
}

static sr_status end_data(struct zip_flow *f, struct sr_err *err) {
    f->n++;
    f->held = 0;
    f->state = f->later ? AFTER_DATA : IN_HEADER;
    return f->ops.end(f->arg, err);
}

static sr_status inflate_some(struct zip_flow *f, struct slice *in, struct sr_err *err) {
    struct passed *p = &f->v[f->n];
    size_t n = in->n < (1u << 30) ? in->n : (1u << 30);
    int rc = Z_OK;
    f->z.next_in = (z_const Bytef *)(uintptr_t)in->p;
    f->z.avail_in = (uInt)n;
    do {
        f->z.next_out = f->out;
        f->z.avail_out = OUT_BYTES;
        rc = inflate(&f->z, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return not_flowing(err, "an entry's packed data");
        SR_TRY(give(f, slice_of(f->out, OUT_BYTES - f->z.avail_out), err));
    } while (rc == Z_OK && f->z.avail_out == 0);
    size_t used = n - f->z.avail_in;
    p->packed += used;
    f->at += used;
    *in = slice_of(in->p + used, in->n - used);
    if (rc != Z_STREAM_END && f->z.avail_in > 0) return not_flowing(err, "an entry's packed data");
    return rc == Z_STREAM_END ? end_data(f, err) : SR_OK;
}

static sr_status in_data(struct zip_flow *f, struct slice *in, struct sr_err *err) {
    struct passed *p = &f->v[f->n];
    if (f->deflated) return in->n ? inflate_some(f, in, err) : SR_OK;
    uint64_t left = f->left;
    if (f->open) {
        uint64_t safe = f->total > OPEN_TAIL ? f->total - OPEN_TAIL : 0;
        left = safe > f->at ? safe - f->at : 0;
    }
    size_t n = left < in->n ? (size_t)left : in->n;
    f->at += n;
    p->packed += n;
    f->left -= f->open ? 0 : n;
    SR_TRY(give(f, slice_of(in->p, n), err));
    *in = slice_of(in->p + n, in->n - n);
    if (f->open && in->n > 0) f->state = IN_OPEN_TAIL;
    return !f->open && f->left == 0 ? end_data(f, err) : SR_OK;
}

/* The descriptor has one of four forms; the right one agrees with the data and with what follows.
 */
static sr_status after_data(struct zip_flow *f, struct slice *in, struct sr_err *err) {
    const struct passed *p = &f->v[f->n - 1];
    if (!hold(f, in, AFTER_BYTES)) return SR_OK;
    for (size_t form = 0; form < 4; form++) {
        struct rd r = rd_of(slice_of(f->hold, AFTER_BYTES));
        bool fits = form < 2 || rd_u32le(&r) == SIG_DESCRIPTOR;
        fits = (rd_u32le(&r) == p->crc || f->known) && fits;
        fits = (form % 2 ? rd_u64le(&r) : rd_u32le(&r)) == p->packed && fits;
        fits = (form % 2 ? rd_u64le(&r) : rd_u32le(&r)) == p->size && fits;
        size_t n = AFTER_BYTES - rd_left(&r);
        uint32_t next = rd_u32le(&r);
        if (!fits || (next != SIG_LOCAL && next != SIG_CENTRAL)) continue;
        struct slice rest = slice_of(f->hold + n, AFTER_BYTES - n);
        uint8_t again[AFTER_BYTES];
        memcpy(again, rest.p, rest.n);
        sr_status st = keep(f, f->at - AFTER_BYTES, slice_of(f->hold, n), err);
        if (st != SR_OK) return st;
        f->at -= rest.n;
        f->held = 0;
        f->state = IN_HEADER;
        rest.p = again;
        SR_TRY(in_header(f, &rest, err)); /* takes all, unless it is the directory */
        st = rest.n ? keep(f, f->at, rest, err) : SR_OK;
        f->at += rest.n;
        return st;
    }
    return not_flowing(err, "what follows an entry's data");
}

void zip_flow_known(struct zip_flow *f) {
    f->known = true;
}

sr_status zip_flow_add(struct zip_flow *f, struct slice in, struct sr_err *err) {
    while (in.n > 0) {
        sr_status st = SR_OK;
        switch (f->state) {
        case IN_HEADER: st = in_header(f, &in, err); break;
        case IN_DATA: st = in_data(f, &in, err); break;
        case AFTER_DATA: st = after_data(f, &in, err); break;
        default:
            st = keep(f, f->at, in, err);
            f->at += in.n;
            in.n = 0;
            break;
        }
        SR_TRY(st);
        if (f->state == IN_DATA && !f->deflated && !f->open && f->left == 0)
            SR_TRY(end_data(f, err)); /* an empty one */
    }
    return SR_OK;
}

/* The end of the entry whose length the directory has. */
static sr_status open_tail(struct zip_flow *f, const struct zip_item *it, struct sr_err *err) {
    struct passed *p = &f->v[f->n];
    uint64_t rest = it->packed - p->packed;
    const struct zip_seg *last = &f->frame.seg[f->frame.n - 1];
    uint64_t from = p->data_at + p->packed;
    if (it->packed < p->packed || from < last->at || from - last->at > last->n ||
        rest > last->n - (from - last->at))
        return not_flowing(err, "a long directory");
    SR_TRY(give(f, slice_of(f->frame.bytes.p + last->from + (from - last->at), (size_t)rest), err));
    p->packed = it->packed;
    f->n++;
    return f->ops.end(f->arg, err);
}

sr_status zip_flow_end(struct zip_flow *f, const struct zip_limits *limits,
                       const struct zip_reader **ret, struct sr_err *err) {
    bool open = f->state == IN_OPEN_TAIL;
    if (f->state != IN_TAIL && !open) return not_flowing(err, "it ends too early");
    SR_TRY(zip_open_frame(&f->frame, f->at, limits, &f->reader, err));
    if (zip_count(f->reader) != f->n + open) return not_flowing(err, "its directory");
    if (open) SR_TRY(open_tail(f, zip_item_at(f->reader, f->n), err));
    for (size_t i = 0; i < f->n; i++) {
        const struct zip_item *it = zip_item_at(f->reader, i);
        const struct passed *p = &f->v[i];
        if (it->at != p->at || zip_data_at(it) != p->data_at || it->packed != p->packed ||
            it->size != p->size || (it->crc != p->crc && !f->known))
            return not_flowing(err, "its directory says other things than its entries");
    }
    *ret = f->reader;
    return SR_OK;
}
