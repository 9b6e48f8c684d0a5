/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h - slices (borrowed bytes), bounded growing buffers, and the reading cursor
 *
 * Depends on: status.  Used by: everything.  Allocates: struct buf only, never beyond its maximum.
 */
#pragma once
#include "base/status.h"
#include <string.h>

/* Borrowed bytes; p may be NULL when n is 0. */
struct slice {
    const uint8_t *p;
    size_t n;
};
#define SLICE_LIT(s) ((struct slice){(const uint8_t *)("" s), sizeof(s) - 1})
static inline struct slice slice_of(const void *p, size_t n) {
    return (struct slice){p, n};
}
static inline struct slice slice_str(const char *s) {
    return (struct slice){(const uint8_t *)s, s ? strlen(s) : 0};
}
static inline bool slice_eq(struct slice a, struct slice b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool slice_is(struct slice a, const char *s) {
    return slice_eq(a, slice_str(s));
}
bool slice_starts(struct slice a, const char *prefix);
bool slice_ieq(struct slice a, const char *s); /* ASCII letters without case */
struct slice slice_trim(struct slice a);       /* spaces, tabs, CR, LF at both ends */
/* Splits at the first sep: *ret_head before it, *ret_rest after; false (all in head) when there is
 * none. */
bool slice_cut(struct slice a, char sep, struct slice *ret_head, struct slice *ret_rest);
/* A NUL-terminated copy, owned (free); NULL when out of memory. Inner NULs are the caller's
 * business. */
char *slice_dup(struct slice a) SR_CHECK;

/*
 * struct buf - a growing buffer with a required maximum; failure is sticky
 *
 * Start: buf_init(&b, max_bytes). End: buf_done. Additions after a failure do nothing; ask
 * buf_status once at the end. There is always a NUL after the last byte when n > 0 (buf_cstr gives
 * "" for an empty one).
 */
struct buf {
    uint8_t *p;
    size_t n, cap, max;
    sr_status bad; /* SR_OK, SR_E_TOOBIG or SR_E_NOMEM */
};
void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* frees; accepts zeroed and done buffers */
void buf_wipe(struct buf *b);  /* overwrites, then frees: for secrets */
void buf_clear(struct buf *b); /* keeps memory and maximum */
static inline void cleanup_buf_(struct buf *b) {
    buf_done(b);
}
static inline void cleanup_buf_wipe_(struct buf *b) {
    buf_wipe(b);
}
#define cleanup_buf      __attribute__((cleanup(cleanup_buf_)))
#define cleanup_buf_wipe __attribute__((cleanup(cleanup_buf_wipe_)))
/* Where a decoder has said no: to have no memory is no fault of the text. */
#define BUF_TRY_MEMORY(b, err)                                                                     \
    do {                                                                                           \
        if ((b)->bad == SR_E_NOMEM) return buf_status((b), (err));                                 \
    } while (0)
void buf_add(struct buf *b, struct slice s);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) SR_PRINTF(2, 3);
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v); /* big-endian, like all of these */
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_hex(struct buf *b, struct slice s); /* lower case, no 0x */
/* Room for n more bytes at the end, uninitialised; NULL after a failure. buf_grow adds them to the
 * length. */
uint8_t *buf_reserve(struct buf *b, size_t n);
uint8_t *buf_grow(struct buf *b, size_t n);
void buf_drop(struct buf *b, size_t n); /* forgets the first n bytes (n <= b->n) */
static inline struct slice buf_slice(const struct buf *b) {
    return (struct slice){b->p, b->n};
}
const char *buf_cstr(const struct buf *b); /* "" when empty */
/* SR_OK, or the sticky failure with a text. */
SR_CHECK sr_status buf_status(const struct buf *b, struct sr_err *err);

/* struct rd - a reading cursor whose failure is sticky: after one, every read gives zeros or empty
 * slices. */
struct rd {
    const uint8_t *p, *end;
    bool bad;
};
struct rd rd_of(struct slice s);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r); /* big-endian, like all of these */
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
uint16_t rd_u16le(struct rd *r);
uint32_t rd_u32le(struct rd *r);
uint64_t rd_u64le(struct rd *r);
struct slice rd_take(struct rd *r, size_t n);
void rd_copy(struct rd *r, void *dst, size_t n); /* zeroes dst on failure */
static inline size_t rd_left(const struct rd *r) {
    return r->bad ? 0 : (size_t)(r->end - r->p);
}
static inline bool rd_done(const struct rd *r) {
    return !r->bad && r->p == r->end;
} /* all read, nothing left */
