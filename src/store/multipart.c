/* SPDX-License-Identifier: Apache-2.0 */
#include "store/multipart.h"
#include <stdlib.h>

struct multipart {
    multipart_read_fn read;
    void *arg;
    char mark[MULTIPART_BOUNDARY_MAX + 5]; /* CRLF -- boundary */
    size_t mark_n;
    size_t off, n; /* unread bytes: buf[off .. off + n) */
    size_t clean;  /* of them, so many at the front begin no boundary */
    bool in_part, ended, at_end;
    uint8_t *buf; /* MULTIPART_ROOM, of whole pages: large pieces can be written past the cache */
};

static sr_status malformed(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_MALFORMED, "multipart form: %s", what);
}

/* The value of name=… among the parameters after the first ';', into dst; false when absent. */
static bool parameter(struct slice header, const char *name, char *dst, size_t room, bool *bad) {
    struct slice rest, word;
    (void)slice_cut(header, ';', &word, &rest);
    while (rest.n > 0) {
        rest = slice_trim(rest);
        size_t k = 0, n = 0;
        while (k < rest.n && rest.p[k] != '=' && rest.p[k] != ';') k++;
        bool wanted = slice_ieq(slice_trim(slice_of(rest.p, k)), name);
        if (k == rest.n || rest.p[k] == ';') { /* no value */
            rest = slice_of(rest.p + k + (k < rest.n), rest.n - k - (k < rest.n));
            continue;
        }
        bool quoted = ++k < rest.n && rest.p[k] == '"';
        if (quoted) k++;
        for (; k < rest.n && rest.p[k] != (quoted ? '"' : ';'); k++) {
            if (quoted && rest.p[k] == '\\' && k + 1 < rest.n) k++;
            if (wanted && n + 1 >= room) {
                *bad = true;
                return false;
            }
            if (wanted) dst[n++] = (char)rest.p[k];
        }
        if (wanted) {
            while (!quoted && n > 0 && (dst[n - 1] == ' ' || dst[n - 1] == '\t')) n--;
            dst[n] = 0;
            return true;
        }
        while (k < rest.n && rest.p[k] != ';') k++;
        rest = slice_of(rest.p + k + (k < rest.n), rest.n - k - (k < rest.n));
    }
    return false;
}

sr_status multipart_new(struct slice content_type, multipart_read_fn read, void *arg,
                        struct multipart **ret, struct sr_err *err) {
    struct slice kind, rest;
    char boundary[MULTIPART_BOUNDARY_MAX + 1];
    bool bad = false;
    (void)slice_cut(content_type, ';', &kind, &rest);
    if (!slice_ieq(slice_trim(kind), "multipart/form-data"))
        return malformed(err, "the body must be multipart/form-data");
    if (!parameter(content_type, "boundary", boundary, sizeof boundary, &bad) || !boundary[0])
        return malformed(err, "no boundary, or one that is too long");
    for (const char *c = boundary; *c; c++)
        if (*c < ' ' || *c > '~') return malformed(err, "a boundary of other than plain text");
    struct multipart *m = malloc(sizeof *m);
    uint8_t *buf = aligned_alloc(MULTIPART_PAGE, MULTIPART_ROOM);
    if (!m || !buf) {
        free(m);
        free(buf);
        return sr_fail(err, SR_E_NOMEM, "no memory for a form");
    }
    m->buf = buf;
    m->read = read;
    m->arg = arg;
    memcpy(m->mark, "\r\n--", 4);
    m->mark_n = 4 + strlen(boundary);
    memcpy(m->mark + 4, boundary, strlen(boundary) + 1);
    m->in_part = m->ended = m->at_end = false;
    m->off = m->clean = 0;
    m->n = 2; /* as if a line had ended before the first boundary */
    memcpy(m->buf, "\r\n", 2);
    *ret = m;
    return SR_OK;
}

void multipart_free(struct multipart *m) {
    if (!m) return;
    free(m->buf);
    free(m);
}

/* More bytes behind the unread ones; at the end of the body, none. */
static sr_status fill(struct multipart *m, struct sr_err *err) {
    size_t got = 0;
    if (m->at_end) return SR_OK;
    if (m->off > 0 && m->off + m->n > MULTIPART_ROOM / 2) {
        memmove(m->buf, m->buf + m->off, m->n);
        m->off = 0;
    }
    size_t end = m->off + m->n;
    if (end == MULTIPART_ROOM) return SR_OK;
    SR_TRY(m->read(m->arg, m->buf + end, MULTIPART_ROOM - end, &got, err));
    if (got == 0) m->at_end = true;
    m->n += got;
    return SR_OK;
}

static sr_status need(struct multipart *m, size_t n, struct sr_err *err) {
    while (m->n < n) {
        if (m->at_end) return malformed(err, "it ends too early");
        SR_TRY(fill(m, err));
    }
    return SR_OK;
}

static void skip(struct multipart *m, size_t n) {
    m->off += n;
    m->n -= n;
    m->clean -= m->clean < n ? m->clean : n;
    if (m->n == 0) m->off = 0;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool percent_decode(char *s) {
    char *out = s;
    for (; *s; s++) {
        int hi = s[0] == '%' ? hex_digit(s[1]) : -1, lo = hi >= 0 ? hex_digit(s[2]) : -1;
        if (lo < 0) {
            *out++ = *s;
            continue;
        }
        if (hi == 0 && lo == 0) return false;
        *out++ = (char)(hi * 16 + lo);
        s += 2;
    }
    *out = 0;
    return true;
}

static sr_status read_head(struct slice head, struct multipart_part *p, struct sr_err *err) {
    while (head.n > 0) {
        struct slice line, name, value;
        bool bad = false;
        (void)slice_cut(head, '\n', &line, &head);
        if (!slice_cut(line, ':', &name, &value)) {
            if (slice_trim(line).n > 0) return malformed(err, "a part's header");
            continue;
        }
        value = slice_trim(value);
        if (slice_ieq(name, "Content-Disposition")) {
            (void)parameter(value, "filename", p->path, sizeof p->path, &bad);
            if (bad || !percent_decode(p->path)) return malformed(err, "a file's name");
        } else if (slice_ieq(name, "Content-Type")) {
            p->folder = slice_ieq(value, "application/x-directory");
            if (slice_ieq(value, "application/symlink"))
                return malformed(err, "symbolic links are not taken");
        } else if (slice_ieq(name, "Content-Transfer-Encoding")) {
            if (!slice_ieq(value, "binary") && !slice_ieq(value, "8bit") &&
                !slice_ieq(value, "7bit"))
                return malformed(err, "a part's transfer encoding");
        }
    }
    return SR_OK;
}

sr_status multipart_next(struct multipart *m, struct multipart_part *ret_part, bool *ret_more,
                         struct sr_err *err) {
    struct multipart_part p = {.folder = false};
    SR_ASSERT(!m->in_part);
    if (m->ended) {
        *ret_more = false;
        return SR_OK;
    }
    SR_TRY(need(m, m->mark_n + 2, err));
    if (memcmp(m->buf + m->off, m->mark, m->mark_n) != 0) return malformed(err, "no boundary");
    skip(m, m->mark_n);
    if (memcmp(m->buf + m->off, "--", 2) == 0) {
        m->ended = true;
        *ret_more = false;
        return SR_OK;
    }
    const uint8_t *end = NULL;
    while (!end) {
        end = memmem(m->buf + m->off, m->n, "\r\n\r\n", 4);
        if (!end && m->n > MULTIPART_HEAD_MAX) return malformed(err, "headers too long");
        if (!end && m->at_end) return malformed(err, "it ends too early");
        if (!end) SR_TRY(fill(m, err));
    }
    size_t n = (size_t)(end - (m->buf + m->off));
    SR_TRY(read_head(slice_of(m->buf + m->off, n), &p, err));
    skip(m, n + 4);
    m->in_part = true;
    *ret_part = p;
    *ret_more = true;
    return SR_OK;
}

sr_status multipart_data(struct multipart *m, struct slice *ret_data, struct sr_err *err) {
    if (!m->in_part) {
        *ret_data = (struct slice){NULL, 0};
        return SR_OK;
    }
    for (;;) {
        const uint8_t *p = m->buf + m->off;
        const uint8_t *mark = memmem(p + m->clean, m->n - m->clean, m->mark, m->mark_n);
        if (!mark && m->n >= m->mark_n) m->clean = m->n - (m->mark_n - 1);
        if (mark) {
            size_t n = (size_t)(mark - p);
            if (n == 0) m->in_part = false;
            *ret_data = slice_of(p, n);
            skip(m, n);
            return SR_OK;
        }
        /* Handed on in big pieces: what could be the start of a boundary stays. */
        bool full = m->off + m->n == MULTIPART_ROOM;
        if (m->n >= MULTIPART_PIECE + m->mark_n - 1) {
            size_t n = MULTIPART_PIECE;
            *ret_data = slice_of(p, n);
            skip(m, n);
            return SR_OK;
        }
        if (m->at_end) return malformed(err, "it ends too early");
        if (full) { /* little is left at the end of the buffer: to its front with it */
            memmove(m->buf, p, m->n);
            m->off = 0;
        }
        SR_TRY(fill(m, err));
    }
}
