/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/tar.h"
#include <stdio.h>

/* Offsets and lengths in a ustar header. */
enum {
    H_NAME = 0,
    H_MODE = 100,
    H_UID = 108,
    H_GID = 116,
    H_SIZE = 124,
    H_MTIME = 136,
    H_SUM = 148,
    H_TYPE = 156,
    H_LINK = 157,
    H_MAGIC = 257,
    H_PREFIX = 345
};
#define NAME_LEN       100u
#define PREFIX_LEN     155u
#define SIZE_MAX_OCTAL 077777777777ull

void tar_reader_init(struct tar_reader *t, tar_read_fn read, void *arg) {
    *t = (struct tar_reader){.read = read, .arg = arg};
    buf_init(&t->path, TAR_EXT_MAX);
    buf_init(&t->link, TAR_EXT_MAX);
}

void tar_reader_done(struct tar_reader *t) {
    buf_done(&t->path);
    buf_done(&t->link);
}

bool tar_path_clean(struct slice path, char *dst) {
    size_t n = 0, depth = 0;
    struct slice rest = path, seg;
    if (memchr(path.n ? path.p : (const uint8_t *)"", 0, path.n)) return false;
    while (rest.n > 0) {
        (void)slice_cut(rest, '/', &seg, &rest);
        if (seg.n == 0 || slice_is(seg, ".")) continue;
        if (slice_is(seg, "..") || seg.n > 255 || ++depth > OCI_MAX_DEPTH) return false;
        if (n + seg.n + 1 > OCI_MAX_PATH) return false;
        if (n > 0) dst[n++] = '/';
        memcpy(dst + n, seg.p, seg.n);
        n += seg.n;
    }
    dst[n] = 0;
    return true;
}

/* ---- reading ---- */

/* Octal with leading spaces or zeros, ended by NUL or space; or GNU base-256 (first byte 0x80). */
static bool header_num(const uint8_t *p, size_t n, uint64_t *ret) {
    uint64_t v = 0;
    size_t i = 0;
    if (p[0] & 0x80) {
        if (p[0] != 0x80) return false; /* negative or beyond 2^64 */
        for (i = 1; i < n; i++) {
            if (v >> 55) return false;
            v = v << 8 | p[i];
        }
        *ret = v;
        return true;
    }
    while (i < n && p[i] == ' ') i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        if (v >> 60) return false;
        v = v << 3 | (uint64_t)(p[i] - '0');
    }
    for (; i < n; i++)
        if (p[i] != 0 && p[i] != ' ') return false;
    *ret = v;
    return true;
}

static bool header_sum_ok(const uint8_t h[TAR_BLOCK]) {
    uint64_t want, sum = 0;
    if (!header_num(h + H_SUM, 8, &want)) return false;
    for (size_t i = 0; i < TAR_BLOCK; i++) sum += i >= H_SUM && i < H_SUM + 8 ? ' ' : h[i];
    return sum == want;
}

static sr_status read_exact(struct tar_reader *t, void *p, size_t n, struct sr_err *err) {
    size_t got;
    SR_TRY(t->read(t->arg, p, n, &got, err));
    if (got != n) return sr_fail(err, SR_E_MALFORMED, "a tar archive ends too early");
    return SR_OK;
}

static sr_status skip_bytes(struct tar_reader *t, uint64_t n, struct sr_err *err) {
    if (n > 0 && t->skip) return t->skip(t->arg, n, err);
    uint8_t drop[4096];
    while (n > 0) {
        size_t take = n < sizeof drop ? (size_t)n : sizeof drop;
        SR_TRY(read_exact(t, drop, take, err));
        n -= take;
    }
    return SR_OK;
}

static sr_status read_extension(struct tar_reader *t, uint64_t size, struct buf *b,
                                struct sr_err *err) {
    if (size > TAR_EXT_MAX)
        return sr_fail(err, SR_E_TOOBIG, "a tar extension header of %llu bytes",
                       (unsigned long long)size);
    buf_clear(b);
    if (size == 0) return SR_OK;
    uint8_t *p = buf_grow(b, (size_t)size);
    if (!p) return buf_status(b, err);
    SR_TRY(read_exact(t, p, (size_t)size, err));
    return skip_bytes(t, tar_padding(size), err);
}

struct overrides {
    bool path, link, has_size;
    uint64_t size;
};

/* "LEN key=value\n" records. */
static bool pax_apply(struct tar_reader *t, struct slice text, bool global, struct overrides *o) {
    while (text.n > 0) {
        struct slice num, unused, key, value;
        uint64_t len;
        if (!slice_cut(text, ' ', &num, &unused) || !num_u64(num, text.n, &len)) return false;
        if (len < num.n + 3 || text.p[len - 1] != '\n') return false;
        struct slice rec = slice_of(text.p + num.n + 1, (size_t)len - num.n - 2);
        text = slice_of(text.p + len, text.n - (size_t)len);
        if (!slice_cut(rec, '=', &key, &value)) return false;
        bool path = slice_is(key, "path"), link = slice_is(key, "linkpath");
        if (slice_starts(key, "GNU.sparse")) return false;
        if (global && (path || link || slice_is(key, "size"))) return false;
        if (path) {
            buf_clear(&t->path);
            buf_add(&t->path, value);
            o->path = true;
        } else if (link) {
            buf_clear(&t->link);
            buf_add(&t->link, value);
            o->link = true;
        } else if (slice_is(key, "size")) {
            if (!num_u64(value, UINT64_MAX >> 1, &o->size)) return false;
            o->has_size = true;
        }
    }
    return true;
}

static size_t field_len(const uint8_t *p, size_t max) {
    const uint8_t *z = memchr(p, 0, max);
    return z ? (size_t)(z - p) : max;
}

/* One header that is not an extension, with the extensions before it applied. */
static sr_status take_entry(struct tar_reader *t, const uint8_t h[TAR_BLOCK],
                            const struct overrides *o, struct sr_err *err) {
    char clean[OCI_MAX_PATH + 1];
    if (!o->path) {
        buf_clear(&t->path);
        size_t pre =
            memcmp(h + H_MAGIC, "ustar\0", 6) == 0 ? field_len(h + H_PREFIX, PREFIX_LEN) : 0;
        if (pre > 0) {
            buf_put(&t->path, h + H_PREFIX, pre);
            buf_u8(&t->path, '/');
        }
        buf_put(&t->path, h + H_NAME, field_len(h + H_NAME, NAME_LEN));
    }
    if (!o->link) {
        buf_clear(&t->link);
        buf_put(&t->link, h + H_LINK, field_len(h + H_LINK, NAME_LEN));
    }
    SR_TRY(buf_status(&t->path, err));
    SR_TRY(buf_status(&t->link, err));
    uint64_t size, mode;
    if (!header_num(h + H_SIZE, 12, &size) || !header_num(h + H_MODE, 8, &mode))
        return sr_fail(err, SR_E_MALFORMED, "a tar header has a faulty number");
    if (o->has_size) size = o->size;
    if (size > UINT64_MAX >> 1) return sr_fail(err, SR_E_MALFORMED, "a tar entry's size is absurd");
    bool is_folder_name = t->path.n > 0 && t->path.p[t->path.n - 1] == '/';
    if (!tar_path_clean(buf_slice(&t->path), clean))
        return sr_fail(err, SR_E_MALFORMED, "a tar entry's path leaves the folder or is too long");
    buf_clear(&t->path);
    buf_str(&t->path, clean);

    struct tar_entry *e = &t->entry;
    *e = (struct tar_entry){.mode = (unsigned)(mode & 0777)};
    switch (h[H_TYPE]) {
    case 0:
    case '0':
    case '7': e->type = is_folder_name ? TAR_DIR : TAR_FILE; break;
    case '1': e->type = TAR_HARDLINK; break;
    case '2': e->type = TAR_SYMLINK; break;
    case '5': e->type = TAR_DIR; break;
    default:
        return sr_fail(err, SR_E_MALFORMED, "a tar entry is a device, a pipe or of unknown type %u",
                       h[H_TYPE]);
    }
    if (e->type == TAR_HARDLINK) {
        if (!tar_path_clean(buf_slice(&t->link), clean) || clean[0] == 0)
            return sr_fail(err, SR_E_MALFORMED, "a hard link's target leaves the folder");
        buf_clear(&t->link);
        buf_str(&t->link, clean);
    } else if (e->type == TAR_SYMLINK) {
        if (t->link.n == 0 || t->link.n > OCI_MAX_PATH || memchr(t->link.p, 0, t->link.n))
            return sr_fail(err, SR_E_MALFORMED, "a symbolic link's target is empty or too long");
    }
    if (e->type != TAR_DIR && clean[0] == 0 && t->path.n == 0)
        return sr_fail(err, SR_E_MALFORMED, "a tar entry has no name");
    if (e->type != TAR_FILE && size != 0 && e->type != TAR_HARDLINK)
        return sr_fail(err, SR_E_MALFORMED, "a tar folder or link has data");
    if (e->type == TAR_HARDLINK && size != 0)
        return sr_fail(err, SR_E_MALFORMED, "a hard link has data");
    SR_TRY(buf_status(&t->path, err));
    SR_TRY(buf_status(&t->link, err));
    e->path = buf_cstr(&t->path);
    e->link = buf_cstr(&t->link);
    e->size = size;
    t->left = size;
    t->pad = (unsigned)tar_padding(size);
    return SR_OK;
}

static bool all_zero(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0) return false;
    return true;
}

sr_status tar_next(struct tar_reader *t, const struct tar_entry **ret_e, struct sr_err *err) {
    uint8_t h[TAR_BLOCK];
    struct overrides o = {0};
    cleanup_buf struct buf ext;
    buf_init(&ext, TAR_EXT_MAX);
    SR_TRY(skip_bytes(t, t->left + t->pad, err));
    t->left = t->pad = 0;
    for (unsigned n_ext = 0; n_ext < 8; n_ext++) {
        SR_TRY(read_exact(t, h, TAR_BLOCK, err));
        if (all_zero(h, TAR_BLOCK)) {
            SR_TRY(read_exact(t, h, TAR_BLOCK, err));
            if (!all_zero(h, TAR_BLOCK) || n_ext > 0)
                return sr_fail(err, SR_E_MALFORMED, "a tar archive's end is faulty");
            *ret_e = NULL;
            return SR_OK;
        }
        if (!header_sum_ok(h))
            return sr_fail(err, SR_E_MALFORMED, "a tar header's checksum is wrong");
        uint8_t type = h[H_TYPE];
        if (type != 'x' && type != 'g' && type != 'L' && type != 'K') {
            SR_TRY(take_entry(t, h, &o, err));
            *ret_e = &t->entry;
            return SR_OK;
        }
        uint64_t size;
        if (!header_num(h + H_SIZE, 12, &size))
            return sr_fail(err, SR_E_MALFORMED, "a tar header has a faulty number");
        SR_TRY(read_extension(t, size, &ext, err));
        if (type == 'x' || type == 'g') {
            if (!pax_apply(t, buf_slice(&ext), type == 'g', &o))
                return sr_fail(err, SR_E_MALFORMED, "a pax header is faulty");
            continue;
        }
        struct buf *to = type == 'L' ? &t->path : &t->link;
        buf_clear(to);
        buf_put(to, ext.p, ext.n ? field_len(ext.p, ext.n) : 0);
        *(type == 'L' ? &o.path : &o.link) = true;
    }
    return sr_fail(err, SR_E_MALFORMED, "a tar entry has too many extension headers");
}

sr_status tar_data(struct tar_reader *t, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    size_t take = t->left < n ? (size_t)t->left : n;
    if (take > 0) SR_TRY(read_exact(t, p, take, err));
    t->left -= take;
    *ret_n = take;
    return SR_OK;
}

/* ---- writing ---- */

static void put_octal(uint8_t *dst, size_t n, uint64_t v) { /* n - 1 digits and a NUL */
    dst[n - 1] = 0;
    for (size_t i = n - 1; i-- > 0; v >>= 3) dst[i] = (uint8_t)('0' + (v & 7));
}

static void raw_header(struct buf *b, char type, const char *path, size_t path_n,
                       const char *target, uint64_t size, unsigned mode) {
    uint8_t h[TAR_BLOCK] = {0};
    memcpy(h + H_NAME, path, path_n < NAME_LEN ? path_n : NAME_LEN);
    put_octal(h + H_MODE, 8, mode);
    put_octal(h + H_UID, 8, 0);
    put_octal(h + H_GID, 8, 0);
    put_octal(h + H_SIZE, 12, size <= SIZE_MAX_OCTAL ? size : 0);
    put_octal(h + H_MTIME, 12, 0);
    memcpy(h + H_LINK, target, strlen(target));
    memcpy(h + H_SUM, "        ", 8);
    h[H_TYPE] = (uint8_t)type;
    memcpy(h + H_MAGIC, "ustar\00000", 8);
    unsigned sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++) sum += h[i];
    put_octal(h + H_SUM, 7, sum);
    buf_put(b, h, sizeof h);
}

static size_t digits_of(size_t v) {
    size_t n = 1;
    for (; v >= 10; v /= 10) n++;
    return n;
}

/* "LEN key=value\n", where LEN counts itself. */
static size_t pax_record(struct buf *b, const char *key, const char *value) {
    size_t body = strlen(key) + strlen(value) + 3, len = body + 1;
    while (len < body + digits_of(len)) len = body + digits_of(len);
    if (b) buf_printf(b, "%zu %s=%s\n", len, key, value);
    return len;
}

static size_t pax_body(struct buf *b, const char *path, uint64_t size) {
    size_t n = 0;
    char digits[24];
    if (strlen(path) >= NAME_LEN) n += pax_record(b, "path", path);
    if (size > SIZE_MAX_OCTAL) {
        (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)size);
        n += pax_record(b, "size", digits);
    }
    return n;
}

size_t tar_header_bytes(tar_type type, const char *path, uint64_t size) {
    (void)type;
    size_t body = pax_body(NULL, path, size);
    return TAR_BLOCK + (body ? TAR_BLOCK + body + tar_padding(body) : 0);
}

static void put_pax(struct buf *b, const char *path, uint64_t size) {
    static const uint8_t zeros[TAR_BLOCK];
    size_t body = pax_body(NULL, path, size);
    if (body == 0) return;
    raw_header(b, 'x', "pax", 3, "", body, 0644);
    (void)pax_body(b, path, size);
    buf_put(b, zeros, tar_padding(body));
}

void tar_put_header(struct buf *b, tar_type type, const char *path, uint64_t size, unsigned mode) {
    put_pax(b, path, size);
    raw_header(b, type == TAR_DIR ? '5' : '0', path, strlen(path), "", size, mode);
}

void tar_put_link(struct buf *b, const char *path, const char *target) {
    SR_ASSERT(strlen(target) <= TAR_LINK_MAX);
    put_pax(b, path, 0);
    raw_header(b, '2', path, strlen(path), target, 0, 0777);
}
