/* SPDX-License-Identifier: Apache-2.0 */
#include "zip/zip_int.h"
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

#define OUT_BYTES  (64u * 1024)
#define MEM_LEVEL  8
#define MADE_BY    20u /* 2.0, DOS: as the official clients write */
#define MADE_BY_64 45u

struct zip_writer {
    zip_sink_fn sink;
    void *arg;
    uint64_t at; /* bytes written so far */
    uint16_t dos_time, dos_date;
    size_t entries;
    struct buf dir; /* central directory */
    bool open, finished, failed;
    /* the open entry */
    char name[ZIP_NAME_MAX];
    size_t name_n;
    zip_method method;
    bool has_known, zip64, folder;
    struct zip_known known;
    uint64_t start, size, packed;
    uint32_t crc;
    bool z_ready;
    z_stream z;
    uint8_t out[OUT_BYTES];
};

static void put16(struct buf *b, uint32_t v) {
    uint8_t p[2] = {(uint8_t)v, (uint8_t)(v >> 8)};
    buf_put(b, p, sizeof p);
}
static void put32(struct buf *b, uint32_t v) {
    put16(b, v & MAX16);
    put16(b, v >> 16);
}
static void put64(struct buf *b, uint64_t v) {
    put32(b, (uint32_t)v);
    put32(b, (uint32_t)(v >> 32));
}
static uint32_t cap32(uint64_t v) {
    return v >= MAX32 ? MAX32 : (uint32_t)v;
}

/* Archives hold wall-clock time without a zone; ours is UTC. */
static void dos_clock(struct zip_writer *w, uint64_t unix_ms) {
    time_t t = (time_t)(unix_ms / 1000);
    struct tm tm;
    w->dos_date = 1 << 5 | 1;
    w->dos_time = 0;
    if (unix_ms == 0 || !gmtime_r(&t, &tm) || tm.tm_year < 80 || tm.tm_year > 207) return;
    w->dos_date = (uint16_t)((tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday);
    w->dos_time = (uint16_t)(tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2);
}

sr_status zip_writer_new(zip_sink_fn sink, void *arg, uint64_t unix_ms, struct zip_writer **ret,
                         struct sr_err *err) {
    struct zip_writer *w = sr_calloc_n(1, sizeof *w);
    if (!w) return sr_fail(err, SR_E_NOMEM, "no memory for an archive");
    w->sink = sink;
    w->arg = arg;
    buf_init(&w->dir, ZIP_DIR_MAX);
    dos_clock(w, unix_ms);
    *ret = w;
    return SR_OK;
}

void zip_writer_free(struct zip_writer *w) {
    if (!w) return;
    if (w->z_ready) (void)deflateEnd(&w->z);
    buf_done(&w->dir);
    explicit_bzero(w->out, sizeof w->out); /* what was packed may be secret */
    free(w);
}

static sr_status emit(struct zip_writer *w, struct slice s, struct sr_err *err) {
    if (s.n == 0) return SR_OK;
    w->at += s.n;
    sr_status st = w->sink(w->arg, s, err);
    w->failed = st != SR_OK;
    return st;
}

static sr_status wrong_order(struct zip_writer *w, bool want_open, struct sr_err *err) {
    if (w->finished || w->failed || w->open != want_open)
        return sr_fail(err, SR_E_USAGE, "archive calls out of order");
    return SR_OK;
}

/* The part that local and central header share: from "version needed" to the name's length. */
static void header_middle(struct zip_writer *w, struct buf *b, bool in_central) {
    bool later = !w->has_known && !in_central;
    bool utf8 = false;
    for (size_t i = 0; i < w->name_n; i++) utf8 |= (uint8_t)w->name[i] >= 0x80;
    put16(b, w->zip64 ? MADE_BY_64 : w->method == ZIP_DEFLATED ? 20 : 10);
    put16(b, (w->has_known ? 0 : FLAG_DESCRIPTOR) | (utf8 ? FLAG_UTF8 : 0));
    put16(b, (uint32_t)w->method);
    put16(b, w->dos_time);
    put16(b, w->dos_date);
    put32(b, later ? 0 : w->crc);
    if (w->zip64) {
        put32(b, MAX32);
        put32(b, MAX32);
    } else {
        put32(b, later ? 0 : (uint32_t)w->packed);
        put32(b, later ? 0 : (uint32_t)w->size);
    }
    put16(b, (uint32_t)w->name_n);
}

sr_status zip_begin(struct zip_writer *w, struct slice name, zip_method method,
                    const struct zip_known *known, uint64_t size_hint, struct sr_err *err) {
    SR_TRY(wrong_order(w, false, err));
    w->folder = name.n > 0 && name.p[name.n - 1] == '/';
    if (!zip_name_ok(name, w->folder) || (w->folder && (!known || known->size > 0)))
        return sr_fail(err, SR_E_MALFORMED, "a name that no archive entry can have");
    if (w->entries >= ZIP_ENTRIES_MAX)
        return sr_fail(err, SR_E_TOOBIG, "more than %u entries", ZIP_ENTRIES_MAX);
    if (known && method != ZIP_STORED)
        return sr_fail(err, SR_E_USAGE, "the packed size of a deflated entry is never known");
    memcpy(w->name, name.p, name.n);
    w->name_n = name.n;
    w->method = method;
    w->has_known = known != NULL;
    w->known = known ? *known : (struct zip_known){0, 0};
    w->size = w->packed = known ? known->size : 0;
    w->crc = known ? known->crc : 0;
    /* A deflated entry can grow by a little; half of the range is left for that. */
    w->zip64 = known ? known->size >= MAX32 : size_hint >= MAX32 / 2;
    w->start = w->at;
    if (method == ZIP_DEFLATED) {
        int rc = w->z_ready ? deflateReset(&w->z)
                            : deflateInit2(&w->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS,
                                           MEM_LEVEL, Z_DEFAULT_STRATEGY);
        if (rc != Z_OK) return sr_fail(err, SR_E_NOMEM, "no memory for packing");
        w->z_ready = true;
    }
    cleanup_buf struct buf b = {0};
    buf_init(&b, LOCAL_BYTES + ZIP_NAME_MAX + 32);
    put32(&b, SIG_LOCAL);
    header_middle(w, &b, false);
    put16(&b, w->zip64 ? 20 : 0);
    buf_put(&b, w->name, w->name_n);
    if (w->zip64) {
        put16(&b, EXTRA_ZIP64);
        put16(&b, 16);
        put64(&b, w->size);
        put64(&b, w->packed);
    }
    SR_TRY(buf_status(&b, err));
    w->open = true;
    w->size = w->packed = 0;
    w->crc = 0;
    return emit(w, buf_slice(&b), err);
}

static sr_status deflate_some(struct zip_writer *w, struct slice data, int flush,
                              struct sr_err *err) {
    int rc;
    w->z.next_in = (z_const Bytef *)(uintptr_t)data.p;
    w->z.avail_in = (uInt)data.n;
    do {
        w->z.next_out = w->out;
        w->z.avail_out = OUT_BYTES;
        rc = deflate(&w->z, flush);
        SR_ASSERT(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
        size_t n = OUT_BYTES - w->z.avail_out;
        w->packed += n;
        SR_TRY(emit(w, slice_of(w->out, n), err));
    } while (w->z.avail_out == 0 || (flush == Z_FINISH && rc != Z_STREAM_END));
    return SR_OK;
}

static sr_status changed(struct zip_writer *w, struct sr_err *err) {
    w->failed = true;
    sr_hint(err, "let nothing write to the file meanwhile, then try again");
    return sr_fail(err, SR_E_CONFLICT, "an entry changed while it was archived");
}

sr_status zip_write(struct zip_writer *w, struct slice data, struct sr_err *err) {
    SR_TRY(wrong_order(w, true, err));
    w->size += data.n;
    if (w->has_known && w->size > w->known.size) return changed(w, err);
    if (!w->zip64 && !w->has_known && w->size >= MAX32 - (MAX32 >> 8))
        return sr_fail(err, SR_E_TOOBIG, "an entry of 4 GiB or more, not announced");
    w->crc = zip_crc32(w->crc, data);
    if (w->method == ZIP_STORED) {
        w->packed += data.n;
        return emit(w, data, err);
    }
    while (data.n > 0) { /* zlib counts in 32 bits */
        size_t n = data.n < (1u << 30) ? data.n : (1u << 30);
        SR_TRY(deflate_some(w, slice_of(data.p, n), Z_NO_FLUSH, err));
        data.p += n;
        data.n -= n;
    }
    return SR_OK;
}

/* The entry's line in the central directory. */
static void central_add(struct zip_writer *w) {
    struct buf *b = &w->dir;
    bool far = w->start >= MAX32;
    uint32_t extra = (w->zip64 ? 16u : 0) + (far ? 8u : 0);
    put32(b, SIG_CENTRAL);
    put16(b, w->zip64 || far ? MADE_BY_64 : MADE_BY);
    header_middle(w, b, true);
    put16(b, extra ? extra + 4 : 0);
    put16(b, 0); /* comment */
    put16(b, 0); /* disk */
    put16(b, 0);
    put32(b, w->folder ? 0x10 : 0);
    put32(b, cap32(w->start));
    buf_put(b, w->name, w->name_n);
    if (extra) {
        put16(b, EXTRA_ZIP64);
        put16(b, extra);
        if (w->zip64) {
            put64(b, w->size);
            put64(b, w->packed);
        }
        if (far) put64(b, w->start);
    }
    w->entries++;
}

sr_status zip_end(struct zip_writer *w, struct sr_err *err) {
    SR_TRY(wrong_order(w, true, err));
    if (w->method == ZIP_DEFLATED) SR_TRY(deflate_some(w, slice_of("", 0), Z_FINISH, err));
    if (w->has_known && (w->size != w->known.size || w->crc != w->known.crc))
        return changed(w, err);
    if (!w->has_known) {
        cleanup_buf struct buf b = {0};
        buf_init(&b, 32);
        put32(&b, SIG_DESCRIPTOR);
        put32(&b, w->crc);
        if (w->zip64) {
            put64(&b, w->packed);
            put64(&b, w->size);
        } else {
            put32(&b, (uint32_t)w->packed);
            put32(&b, (uint32_t)w->size);
        }
        SR_TRY(buf_status(&b, err));
        SR_TRY(emit(w, buf_slice(&b), err));
    }
    central_add(w);
    w->open = false;
    return buf_status(&w->dir, err);
}

sr_status zip_folder(struct zip_writer *w, struct slice name, struct sr_err *err) {
    static const struct zip_known nothing;
    if (name.n == 0 || name.p[name.n - 1] != '/')
        return sr_fail(err, SR_E_MALFORMED, "a folder's name ends with '/'");
    SR_TRY(zip_begin(w, name, ZIP_STORED, &nothing, 0, err));
    return zip_end(w, err);
}

sr_status zip_file(struct zip_writer *w, struct slice name, zip_method method, struct slice data,
                   struct sr_err *err) {
    struct zip_known known = {data.n, zip_crc32(0, data)};
    SR_TRY(zip_begin(w, name, method, method == ZIP_STORED ? &known : NULL, data.n, err));
    SR_TRY(zip_write(w, data, err));
    return zip_end(w, err);
}

sr_status zip_finish(struct zip_writer *w, struct sr_err *err) {
    SR_TRY(wrong_order(w, false, err));
    uint64_t start = w->at, n = w->dir.n;
    cleanup_buf struct buf b = {0};
    SR_TRY(buf_status(&w->dir, err));
    buf_init(&b, END64_BYTES + LOCATOR_BYTES + END_BYTES);
    if (start >= MAX32 || n >= MAX32 || w->entries >= MAX16) {
        put32(&b, SIG_END64);
        put64(&b, END64_BYTES - 12);
        put16(&b, MADE_BY_64);
        put16(&b, MADE_BY_64);
        put32(&b, 0);
        put32(&b, 0);
        put64(&b, w->entries);
        put64(&b, w->entries);
        put64(&b, n);
        put64(&b, start);
        put32(&b, SIG_LOCATOR64);
        put32(&b, 0);
        put64(&b, start + n);
        put32(&b, 1);
    }
    uint32_t count = w->entries >= MAX16 ? MAX16 : (uint32_t)w->entries;
    put32(&b, SIG_END);
    put32(&b, 0); /* disks */
    put16(&b, count);
    put16(&b, count);
    put32(&b, cap32(n));
    put32(&b, cap32(start));
    put16(&b, 0);
    SR_TRY(buf_status(&b, err));
    SR_TRY(emit(w, buf_slice(&w->dir), err));
    w->finished = true;
    return emit(w, buf_slice(&b), err);
}
