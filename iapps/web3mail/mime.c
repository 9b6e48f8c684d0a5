/* SPDX-License-Identifier: Apache-2.0 */
#include "web3mail/mime.h"
#include <time.h>

#define WORD_MAX 75u /* of an encoded word, RFC 2047 section 2 */

/* Bytes of the character at i, at least one: invalid bytes stand alone. */
static size_t char_at(struct slice s, size_t i) {
    size_t n = 1;
    while (i + n < s.n && n < 4 && (s.p[i + n] & 0xc0) == 0x80) n++;
    return s.p[i] < 0x80 ? 1 : n;
}

/* ---- headers ---- */

/* Text that may stand in a header as it is: printable ASCII that no reader takes for an encoded
 * word. */
static bool is_plain(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e) return false;
    if (s.n > 0 && (s.p[0] == ' ' || s.p[s.n - 1] == ' ')) return false;
    return !memmem(s.p, s.n, "=?", 2) && !memmem(s.p, s.n, "  ", 2);
}

static void encoded_word(struct buf *b, struct slice piece) {
    buf_str(b, "=?UTF-8?B?");
    base64_encode(b, piece);
    buf_str(b, "?=");
}

/* As many characters as fit in one word of max characters. */
static struct slice word_part(struct slice s, size_t max) {
    size_t room = (max - 12) / 4 * 3, n = 0; /* 12: =?UTF-8?B??= */
    while (n < s.n) {
        size_t c = char_at(s, n);
        if (n + c > room) break;
        n += c;
    }
    return slice_of(s.p, n);
}

static void encoded_words(struct buf *b, struct slice s, size_t col) {
    cleanup_buf struct buf
        clean; /* control characters become spaces: decoded, they would be lines */
    buf_init(&clean, s.n + 1);
    for (size_t i = 0; i < s.n; i++) buf_u8(&clean, s.p[i] < 0x20 || s.p[i] == 0x7f ? ' ' : s.p[i]);
    struct slice left = buf_slice(&clean);
    while (left.n > 0) {
        size_t max = col + 24 < MIME_LINE ? MIME_LINE - col : 0;
        if (max == 0) {
            buf_str(b, "\r\n ");
            col = 1;
            continue;
        }
        struct slice part = word_part(left, max < WORD_MAX ? max : WORD_MAX);
        encoded_word(b, part);
        left = slice_of(left.p + part.n, left.n - part.n);
        if (left.n > 0) buf_str(b, "\r\n ");
        col = 1;
    }
    if (clean.bad != SR_OK) b->bad = clean.bad;
}

void mime_words(struct buf *b, struct slice text, size_t col) {
    if (!is_plain(text)) {
        encoded_words(b, text, col);
        return;
    }
    /* Folded at spaces; a word that is longer than a line stays whole. */
    while (text.n > 0) {
        struct slice word, rest;
        bool more = slice_cut(text, ' ', &word, &rest);
        buf_add(b, word);
        col += word.n;
        if (!more) return;
        const uint8_t *space = memchr(rest.p, ' ', rest.n);
        size_t next = space ? (size_t)(space - rest.p) : rest.n;
        if (col + 1 + next > MIME_LINE) {
            buf_str(b, "\r\n ");
            col = 1;
        } else {
            buf_u8(b, ' ');
            col++;
        }
        text = rest;
    }
}

void mime_phrase(struct buf *b, struct slice text, size_t col) {
    if (!is_plain(text) || text.n > 60) {
        encoded_words(b, text, col);
        return;
    }
    buf_u8(b, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\') buf_u8(b, '\\');
        buf_u8(b, text.p[i]);
    }
    buf_u8(b, '"');
}

void mime_date(struct buf *b, uint64_t unix_s) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t = {0};
    time_t at = (time_t)unix_s;
    if (!gmtime_r(&at, &t)) t = (struct tm){.tm_mday = 1, .tm_year = 70, .tm_wday = 4};
    buf_printf(b, "%.3s, %02d %.3s %d %02d:%02d:%02d +0000", days + 3 * t.tm_wday, t.tm_mday,
               months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

/* ---- body ---- */

struct quoted {
    struct buf *b;
    size_t col;
};

static void quoted_put(struct quoted *q, const char *text, size_t n) {
    if (q->col + n > MIME_LINE - 1) { /* one for the soft line break */
        buf_str(q->b, "=\r\n");
        q->col = 0;
    }
    buf_put(q->b, text, n);
    q->col += n;
}

static void quoted_byte(struct quoted *q, uint8_t c, bool escape) {
    static const char hex[] = "0123456789ABCDEF";
    char text[3] = {'=', hex[c >> 4], hex[c & 15]};
    if (escape)
        quoted_put(q, text, 3);
    else
        quoted_put(q, (const char *)&c, 1);
}

void mime_quoted(struct buf *b, struct slice s) {
    struct quoted q = {.b = b};
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') continue;
        if (c == '\n' || c == '\r') {
            buf_str(b, "\r\n");
            q.col = 0;
            continue;
        }
        bool at_end = i + 1 == s.n || s.p[i + 1] == '\n' || s.p[i + 1] == '\r';
        bool blank = c == ' ' || c == '\t';
        /* A dot or "From " at a line's start: some relays still touch them. */
        bool start = q.col == 0 && (c == '.' || c == 'F');
        quoted_byte(&q, c,
                    (blank && at_end) || start || c == '=' || c > 0x7e || (c < 0x20 && c != '\t'));
    }
    if (q.col > 0) buf_str(b, "\r\n");
}

void mime_base64(struct buf *b, struct slice s) {
    const size_t piece = MIME_LINE / 4 * 3;
    for (size_t i = 0; i < s.n; i += piece) {
        base64_encode(b, slice_of(s.p + i, s.n - i < piece ? s.n - i : piece));
        buf_str(b, "\r\n");
    }
}

/* Which of the two is shorter. */
static bool mostly_text(struct slice s) {
    size_t odd = 0;
    for (size_t i = 0; i < s.n; i++) odd += s.p[i] > 0x7e;
    return 6 * odd <= s.n + 60; /* short texts stay readable */
}

sr_status mime_write(const struct mime_message *m, struct buf *ret, struct sr_err *err) {
    bool quoted = mostly_text(m->text);
    buf_str(ret, "Date: ");
    mime_date(ret, m->unix_s);
    buf_str(ret, "\r\nFrom: ");
    mime_phrase(ret, m->from_name, 6);
    /* The address has a line of its own: it may be 254 characters. */
    buf_printf(ret, "\r\n <%s>\r\nTo: <%s>\r\nSubject: ", m->from, m->to);
    mime_words(ret, m->subject, 9);
    buf_printf(ret, "\r\nMessage-ID: <%s>\r\nMIME-Version: 1.0\r\n", m->id);
    buf_printf(ret, "Content-Type: text/%s; charset=utf-8\r\n", m->html ? "html" : "plain");
    buf_printf(ret, "Content-Transfer-Encoding: %s\r\n\r\n",
               quoted ? "quoted-printable" : "base64");
    if (quoted)
        mime_quoted(ret, m->text);
    else
        mime_base64(ret, m->text);
    return buf_status(ret, err);
}
