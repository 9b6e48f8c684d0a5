/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One way to read an archive only: it begins with its first entry, entries touch each other, the
 * central directory touches the last one and the end record, and both headers of an entry agree.
 */
#include "zip/zip_int.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE (64u * 1024)
/* Bits 1 and 2 say how hard deflate tried. */
#define FLAGS_KNOWN (FLAG_DESCRIPTOR | FLAG_UTF8 | 0x0006u)

struct entry {
    struct zip_item item;
    uint16_t flags;
    uint64_t data_at;
};

struct zip_reader {
    int fd; /* -1: bytes */
    struct slice bytes;
    const struct zip_frame *frame; /* instead */
    uint64_t size;
    struct buf dir;
    size_t n;
    struct entry *entry;          /* in archive order */
    const struct entry **by_name; /* sorted */
};

static sr_status broken(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_MALFORMED, "not a sound zip archive: %s", what);
}

static sr_status frame_read(const struct zip_frame *f, uint64_t at, void *p, size_t n,
                            struct sr_err *err) {
    size_t lo = 0, hi = f->n; /* the last one that begins at or before */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (f->seg[mid].at <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct zip_seg *s = lo ? &f->seg[lo - 1] : NULL;
    if (!s || at - s->at > s->n || n > s->n - (size_t)(at - s->at))
        return broken(err, "a header lies in data");
    if (n) memcpy(p, f->bytes.p + s->from + (size_t)(at - s->at), n);
    return SR_OK;
}

static sr_status read_at(const struct zip_reader *r, uint64_t at, void *p, size_t n,
                         struct sr_err *err) {
    if (at > r->size || n > r->size - at) return broken(err, "it ends too early");
    if (r->frame) return frame_read(r->frame, at, p, n, err);
    if (r->fd < 0) {
        if (n) memcpy(p, r->bytes.p + at, n);
        return SR_OK;
    }
    uint8_t *dst = p;
    while (n > 0) {
        ssize_t got = pread(r->fd, dst, n, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return sr_fail(err, SR_E_SYS, "read an archive");
        if (got == 0) return broken(err, "it was cut while it was read");
        dst += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return SR_OK;
}

/* ---- the end records
 * -------------------------------------------------------------------------------------- */

struct where {
    uint64_t start, size, count;
};

static sr_status find_end64(const struct zip_reader *r, uint64_t *end, struct where *w,
                            struct sr_err *err) {
    uint8_t raw[END64_BYTES];
    if (*end < LOCATOR_BYTES + END64_BYTES) return broken(err, "no zip64 record");
    SR_TRY(read_at(r, *end - LOCATOR_BYTES, raw, LOCATOR_BYTES, err));
    struct rd l = rd_of(slice_of(raw, LOCATOR_BYTES));
    uint32_t sig = rd_u32le(&l), disk = rd_u32le(&l);
    uint64_t at = rd_u64le(&l);
    if (sig != SIG_LOCATOR64 || disk != 0 || rd_u32le(&l) != 1 ||
        at != *end - LOCATOR_BYTES - END64_BYTES)
        return broken(err, "its zip64 record is misplaced");
    SR_TRY(read_at(r, at, raw, END64_BYTES, err));
    struct rd e = rd_of(slice_of(raw, END64_BYTES));
    bool ok = rd_u32le(&e) == SIG_END64 && rd_u64le(&e) == END64_BYTES - 12;
    (void)rd_u32le(&e); /* versions */
    ok = ok && rd_u64le(&e) == 0;
    w->count = rd_u64le(&e);
    ok = ok && rd_u64le(&e) == w->count;
    w->size = rd_u64le(&e);
    w->start = rd_u64le(&e);
    if (!ok) return broken(err, "its zip64 record");
    *end = at;
    return SR_OK;
}

static sr_status find_directory(const struct zip_reader *r, struct where *ret, struct sr_err *err) {
    uint8_t raw[END_BYTES];
    struct where w = {0};
    if (r->size < END_BYTES) return broken(err, "it is too short");
    uint64_t end = r->size - END_BYTES;
    SR_TRY(read_at(r, end, raw, END_BYTES, err));
    struct rd e = rd_of(slice_of(raw, END_BYTES));
    if (rd_u32le(&e) != SIG_END) return broken(err, "it does not end with an end record");
    bool ok = rd_u32le(&e) == 0;
    w.count = rd_u16le(&e);
    ok = rd_u16le(&e) == w.count && ok;
    w.size = rd_u32le(&e);
    w.start = rd_u32le(&e);
    ok = rd_u16le(&e) == 0 && ok;
    if (!ok) return broken(err, "its end record");
    if (w.count == MAX16 || w.size == MAX32 || w.start == MAX32)
        SR_TRY(find_end64(r, &end, &w, err));
    if (w.start > end || w.size != end - w.start)
        return broken(err, "its directory does not reach its end");
    *ret = w;
    return SR_OK;
}

/* ---- the directory
 * ---------------------------------------------------------------------------------------- */

/* The numbers that did not fit, in the order of the format. */
static bool read_extra(struct slice extra, uint64_t *size, uint64_t *packed, uint64_t *at) {
    struct rd r = rd_of(extra);
    bool seen = false;
    while (rd_left(&r) > 0) {
        uint16_t id = rd_u16le(&r), n = rd_u16le(&r);
        struct rd f = rd_of(rd_take(&r, n));
        if (r.bad) return false;
        if (id != EXTRA_ZIP64) continue;
        if (seen) return false;
        seen = true;
        if (*size == MAX32) *size = rd_u64le(&f);
        if (*packed == MAX32) *packed = rd_u64le(&f);
        if (at && *at == MAX32) *at = rd_u64le(&f);
        if (f.bad) return false;
    }
    return rd_done(&r);
}

static bool central_next(struct rd *r, struct entry *ret) {
    struct entry e = {0};
    struct zip_item *it = &e.item;
    if (rd_u32le(r) != SIG_CENTRAL) return false;
    uint16_t made_by = rd_u16le(r);
    (void)rd_u16le(r); /* version needed: the method and flags decide */
    e.flags = rd_u16le(r);
    uint16_t method = rd_u16le(r);
    (void)rd_u32le(r); /* time */
    it->crc = rd_u32le(r);
    it->packed = rd_u32le(r);
    it->size = rd_u32le(r);
    uint16_t name_n = rd_u16le(r), extra_n = rd_u16le(r), comment_n = rd_u16le(r);
    uint16_t disk = rd_u16le(r);
    (void)rd_u16le(r);
    uint32_t attributes = rd_u32le(r);
    it->at = rd_u32le(r);
    it->name = rd_take(r, name_n);
    struct slice extra = rd_take(r, extra_n);
    (void)rd_take(r, comment_n);
    if (r->bad || disk != 0 || (e.flags & ~FLAGS_KNOWN) != 0) return false;
    if (method != ZIP_STORED && method != ZIP_DEFLATED) return false;
    it->method = (zip_method)method;
    if (!read_extra(extra, &it->size, &it->packed, &it->at)) return false;
    it->folder = name_n > 0 && it->name.p[name_n - 1] == '/';
    if (!zip_name_ok(it->name, it->folder) || (it->folder && it->size > 0)) return false;
    if (it->method == ZIP_STORED && it->packed != it->size) return false;
    if (made_by >> 8 == 3 && attributes >> 28 == 0xa) return false; /* a symbolic link */
    *ret = e;
    return true;
}

/* Reads the header in front of the data and compares; finds where the data are. */
static sr_status check_local(const struct zip_reader *r, struct entry *e, struct sr_err *err) {
    uint8_t raw[LOCAL_BYTES], text[ZIP_NAME_MAX];
    const struct zip_item *it = &e->item;
    SR_TRY(read_at(r, it->at, raw, LOCAL_BYTES, err));
    struct rd h = rd_of(slice_of(raw, LOCAL_BYTES));
    bool ok = rd_u32le(&h) == SIG_LOCAL;
    (void)rd_u16le(&h);
    ok = ok && rd_u16le(&h) == e->flags && rd_u16le(&h) == it->method;
    (void)rd_u32le(&h);
    uint32_t crc = rd_u32le(&h);
    uint64_t packed = rd_u32le(&h), size = rd_u32le(&h);
    uint16_t name_n = rd_u16le(&h), extra_n = rd_u16le(&h);
    if (!ok || name_n != it->name.n) return broken(err, "two headers of an entry differ");
    SR_TRY(read_at(r, it->at + LOCAL_BYTES, text, name_n, err));
    if (!slice_eq(slice_of(text, name_n), it->name))
        return broken(err, "two headers of an entry differ");
    e->data_at = it->at + LOCAL_BYTES + name_n + extra_n;
    if ((size == MAX32 || packed == MAX32) && extra_n > 0) {
        cleanup_buf struct buf b = {0};
        buf_init(&b, MAX16);
        uint8_t *p = buf_grow(&b, extra_n);
        SR_TRY(buf_status(&b, err));
        SR_TRY(read_at(r, it->at + LOCAL_BYTES + name_n, p, extra_n, err));
        if (!read_extra(buf_slice(&b), &size, &packed, NULL))
            return broken(err, "an entry's extra field");
    }
    bool later = (e->flags & FLAG_DESCRIPTOR) != 0;
    bool zero = later && crc == 0 && size == 0 && packed == 0;
    if (!zero && (crc != it->crc || size != it->size || packed != it->packed) && !later)
        return broken(err, "two headers of an entry differ");
    return SR_OK;
}

static int by_place(const void *a, const void *b) {
    uint64_t x = ((const struct entry *)a)->item.at, y = ((const struct entry *)b)->item.at;
    return x < y ? -1 : x > y;
}

/* '/' sorts first, so that what is inside "a/" follows "a" directly. */
static int name_cmp(struct slice a, struct slice b) {
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        int x = a.p[i] == '/' ? 0 : a.p[i], y = b.p[i] == '/' ? 0 : b.p[i];
        if (x != y) return x - y;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static int by_name(const void *a, const void *b) {
    return name_cmp((*(const struct entry *const *)a)->item.name,
                    (*(const struct entry *const *)b)->item.name);
}

static sr_status check_places(const struct zip_reader *r, uint64_t dir_start, struct sr_err *err) {
    uint64_t at = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct entry *e = &r->entry[i];
        /* After the data: nothing, or a descriptor of one of its four forms. */
        uint64_t gap = e->item.at - at;
        bool later = i > 0 && (r->entry[i - 1].flags & FLAG_DESCRIPTOR) != 0;
        if (e->item.at < at || (gap != 0 && !(later && gap >= 12 && gap <= 24 && gap % 4 == 0)))
            return broken(err, "entries overlap, or something hides between them");
        SR_TRY(check_local(r, e, err));
        if (e->data_at > dir_start || e->item.packed > dir_start - e->data_at)
            return broken(err, "an entry reaches into the directory");
        at = e->data_at + e->item.packed;
    }
    uint64_t gap = dir_start - at;
    bool later = r->n > 0 && (r->entry[r->n - 1].flags & FLAG_DESCRIPTOR) != 0;
    if (gap != 0 && !(later && gap >= 12 && gap <= 24 && gap % 4 == 0))
        return broken(err, "something hides before the directory");
    return SR_OK;
}

static sr_status check_names(const struct zip_reader *r, struct sr_err *err) {
    for (size_t i = 1; i < r->n; i++) {
        const struct zip_item *a = &r->by_name[i - 1]->item, *b = &r->by_name[i]->item;
        if (slice_eq(a->name, b->name)) return broken(err, "a name occurs twice");
        if (!a->folder && b->name.n > a->name.n && b->name.p[a->name.n] == '/' &&
            memcmp(a->name.p, b->name.p, a->name.n) == 0)
            return broken(err, "a name is both a file and a folder");
    }
    return SR_OK;
}

static sr_status load(struct zip_reader *r, const struct zip_limits *limits, struct sr_err *err) {
    struct where w = {0};
    uint64_t total = 0;
    uint64_t entry_max = limits && limits->entry_bytes ? limits->entry_bytes : UINT64_MAX;
    uint64_t total_max = limits && limits->total_bytes ? limits->total_bytes : UINT64_MAX;
    uint64_t count_max = limits && limits->entries ? limits->entries : ZIP_ENTRIES_MAX;
    SR_TRY(find_directory(r, &w, err));
    if (w.size > ZIP_DIR_MAX || w.count > count_max)
        return sr_fail(err, SR_E_TOOBIG, "an archive of %llu entries, at most %llu are taken",
                       (unsigned long long)w.count, (unsigned long long)count_max);
    if (w.count > w.size / CENTRAL_BYTES) return broken(err, "its directory is too short");
    uint8_t *p = buf_grow(&r->dir, (size_t)w.size);
    SR_TRY(buf_status(&r->dir, err));
    if (w.size > 0) SR_TRY(read_at(r, w.start, p, (size_t)w.size, err));
    r->entry = sr_calloc_n((size_t)w.count + 1, sizeof *r->entry);
    r->by_name = sr_calloc_n((size_t)w.count + 1, sizeof *r->by_name);
    if (!r->entry || !r->by_name) return sr_fail(err, SR_E_NOMEM, "no memory for an archive");
    struct rd at = rd_of(buf_slice(&r->dir));
    for (r->n = 0; r->n < w.count; r->n++) {
        struct entry *e = &r->entry[r->n];
        if (!central_next(&at, e)) return broken(err, "an entry of its directory");
        if (e->item.size > entry_max || e->item.size > total_max - total)
            return sr_fail(err, SR_E_TOOBIG, "an archive of more bytes than are taken");
        total += e->item.size;
    }
    if (!rd_done(&at)) return broken(err, "its directory has more than it says");
    qsort(r->entry, r->n, sizeof *r->entry, by_place);
    for (size_t i = 0; i < r->n; i++) r->by_name[i] = &r->entry[i];
    qsort(r->by_name, r->n, sizeof(struct entry *), by_name);
    SR_TRY(check_places(r, w.start, err));
    return check_names(r, err);
}

static sr_status open_any(int fd, struct slice bytes, const struct zip_frame *frame, uint64_t size,
                          const struct zip_limits *limits, struct zip_reader **ret,
                          struct sr_err *err) {
    struct zip_reader *r = sr_calloc_n(1, sizeof *r);
    if (!r) return sr_fail(err, SR_E_NOMEM, "no memory for an archive");
    r->fd = fd;
    r->bytes = bytes;
    r->frame = frame;
    r->size = size;
    buf_init(&r->dir, ZIP_DIR_MAX);
    sr_status st = load(r, limits, err);
    if (st != SR_OK)
        zip_reader_free(r);
    else
        *ret = r;
    return st;
}

sr_status zip_open_fd(int fd, const struct zip_limits *limits, struct zip_reader **ret,
                      struct sr_err *err) {
    struct stat s;
    if (fstat(fd, &s) != 0) return sr_fail(err, SR_E_SYS, "look at an archive");
    if (!S_ISREG(s.st_mode)) return sr_fail(err, SR_E_MALFORMED, "an archive must be a file");
    return open_any(fd, (struct slice){NULL, 0}, NULL, (uint64_t)s.st_size, limits, ret, err);
}

sr_status zip_open_bytes(struct slice bytes, const struct zip_limits *limits,
                         struct zip_reader **ret, struct sr_err *err) {
    return open_any(-1, bytes, NULL, bytes.n, limits, ret, err);
}

sr_status zip_open_frame(const struct zip_frame *frame, uint64_t size,
                         const struct zip_limits *limits, struct zip_reader **ret,
                         struct sr_err *err) {
    return open_any(-1, (struct slice){NULL, 0}, frame, size, limits, ret, err);
}

uint64_t zip_data_at(const struct zip_item *item) {
    return ((const struct entry *)item)->data_at; /* its first member */
}

void zip_reader_free(struct zip_reader *r) {
    if (!r) return;
    buf_done(&r->dir);
    free(r->entry);
    free(r->by_name);
    free(r);
}

size_t zip_count(const struct zip_reader *r) {
    return r->n;
}

const struct zip_item *zip_item_at(const struct zip_reader *r, size_t i) {
    return i < r->n ? &r->entry[i].item : NULL;
}

const struct zip_item *zip_find(const struct zip_reader *r, const char *name) {
    size_t lo = 0, hi = r->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = name_cmp(r->by_name[mid]->item.name, slice_str(name));
        if (c == 0) return &r->by_name[mid]->item;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* ---- unpacking
 * -------------------------------------------------------------------------------------------- */

struct out {
    zip_sink_fn sink;
    void *arg;
    uint64_t size, max;
    uint32_t crc;
};

static sr_status out_add(struct out *o, struct slice s, struct sr_err *err) {
    if (s.n > o->max - o->size) return broken(err, "an entry is longer than it says");
    o->size += s.n;
    o->crc = zip_crc32(o->crc, s);
    return s.n ? o->sink(o->arg, s, err) : SR_OK;
}

static sr_status inflate_all(const struct zip_reader *r, const struct entry *e, z_stream *z,
                             uint8_t *in, uint8_t *out, struct out *o, struct sr_err *err) {
    uint64_t at = e->data_at, left = e->item.packed;
    int rc = Z_OK;
    while (rc != Z_STREAM_END) {
        if (z->avail_in == 0 && left > 0) {
            size_t n = left < PIECE ? (size_t)left : PIECE;
            SR_TRY(read_at(r, at, in, n, err));
            at += n;
            left -= n;
            z->next_in = in;
            z->avail_in = (uInt)n;
        }
        z->next_out = out;
        z->avail_out = PIECE;
        rc = inflate(z, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END) return broken(err, "an entry's packed data");
        SR_TRY(out_add(o, slice_of(out, PIECE - z->avail_out), err));
    }
    if (left > 0 || z->avail_in > 0) return broken(err, "an entry's packed data go on");
    return SR_OK;
}

static sr_status copy_all(const struct zip_reader *r, const struct entry *e, uint8_t *in,
                          struct out *o, struct sr_err *err) {
    uint64_t at = e->data_at, left = e->item.packed;
    while (left > 0) {
        size_t n = left < PIECE ? (size_t)left : PIECE;
        SR_TRY(read_at(r, at, in, n, err));
        SR_TRY(out_add(o, slice_of(in, n), err));
        at += n;
        left -= n;
    }
    return SR_OK;
}

sr_status zip_extract(const struct zip_reader *r, const struct zip_item *item, zip_sink_fn sink,
                      void *arg, struct sr_err *err) {
    const struct entry *e = (const struct entry *)item; /* its first member */
    struct out o = {sink, arg, 0, item->size, 0};
    uint8_t *mem = malloc(2u * PIECE);
    sr_status st;
    if (!mem) return sr_fail(err, SR_E_NOMEM, "no memory for unpacking");
    if (item->method == ZIP_DEFLATED) {
        z_stream z = {0};
        if (inflateInit2(&z, -MAX_WBITS) != Z_OK) {
            free(mem);
            return sr_fail(err, SR_E_NOMEM, "no memory for unpacking");
        }
        st = inflate_all(r, e, &z, mem, mem + PIECE, &o, err);
        (void)inflateEnd(&z);
    } else {
        st = copy_all(r, e, mem, &o, err);
    }
    explicit_bzero(mem, 2u * PIECE);
    free(mem);
    if (st == SR_OK && o.size != item->size) st = broken(err, "an entry is shorter than it says");
    if (st == SR_OK && o.crc != item->crc) st = broken(err, "an entry's checksum differs");
    return st;
}

static sr_status into_buf(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

sr_status zip_extract_bytes(const struct zip_reader *r, const struct zip_item *item,
                            struct buf *ret, struct sr_err *err) {
    return zip_extract(r, item, into_buf, ret, err);
}
