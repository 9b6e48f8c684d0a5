/* SPDX-License-Identifier: Apache-2.0 */
/* http_parse.c - heads, chunks, URLs: bytes to structs */
#include "net/http_wire.h"

static bool is_tchar(uint8_t c) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool http_is_token(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (!is_tchar(s.p[i])) return false;
    return s.n > 0;
}

bool http_is_value(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f) return false;
    return true;
}

int http_head_end(struct slice in, size_t *scan, size_t *ret_n) {
    size_t i = *scan;
    if (in.n > 0 && (in.p[0] == '\r' || in.p[0] == '\n')) return -1;
    while (i < in.n) {
        const uint8_t *lf = memchr(in.p + i, '\n', in.n - i);
        if (memchr(in.p + i, 0, lf ? (size_t)(lf - (in.p + i)) : in.n - i)) return -1;
        if (!lf) break;
        size_t at = (size_t)(lf - in.p);
        if (at == 0 || in.p[at - 1] != '\r') return -1;
        if (at >= 3 && in.p[at - 2] == '\n') {
            *ret_n = at + 1;
            return 1;
        }
        i = at + 1;
    }
    *scan = in.n;
    return 0;
}

/* The next line without its CRLF. */
static struct slice next_line(struct slice *rest) {
    const uint8_t *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!lf || lf == rest->p || lf[-1] != '\r') {
        *rest = slice_of(rest->p, 0);
        return (struct slice){NULL, 0};
    }
    size_t n = (size_t)(lf - rest->p) + 1;
    struct slice line = slice_of(rest->p, n - 2);
    *rest = slice_of(rest->p + n, rest->n - n);
    return line;
}

bool http_has_word(struct slice value, const char *word) {
    struct slice head, rest = value;
    bool more = true;
    while (more) {
        more = slice_cut(rest, ',', &head, &rest);
        if (slice_ieq(slice_trim(head), word)) return true;
    }
    return false;
}

bool http_find(const struct http_head *h, const char *name, struct slice *ret_v) {
    for (size_t i = 0; i < h->n_fields; i++)
        if (slice_ieq(h->fields[i].name, name)) {
            *ret_v = h->fields[i].value;
            return true;
        }
    return false;
}

static sr_status bad(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_MALFORMED, "HTTP: %s", what);
}

static sr_status parse_version(struct slice v, int *ret_minor, struct sr_err *err) {
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0) return bad(err, "not a version");
    if (v.p[5] != '1' || v.p[6] != '.' || (v.p[7] != '0' && v.p[7] != '1'))
        return bad(err, "version is not 1.0 or 1.1");
    *ret_minor = v.p[7] - '0';
    return SR_OK;
}

/* Field lines, and what the framing fields say. *ret_status as in http_parse_request. */
static sr_status parse_fields(struct slice rest, struct http_head *h, size_t *ret_hosts,
                              int *ret_status, struct sr_err *err) {
    size_t lengths = 0, encodings = 0, hosts = 0;
    for (;;) {
        struct slice line = next_line(&rest);
        if (!line.p) return bad(err, "a line without end");
        if (line.n == 0) break;
        struct slice name, value;
        if (!slice_cut(line, ':', &name, &value)) return bad(err, "a header without colon");
        if (!http_is_token(name)) return bad(err, "a bad header name");
        while (value.n && (value.p[0] == ' ' || value.p[0] == '\t')) value.p++, value.n--;
        while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t')) value.n--;
        if (!http_is_value(value)) return bad(err, "a bad header value");
        if (h->n_fields == HTTP_HEADERS_MAX) {
            *ret_status = 431;
            return sr_fail(err, SR_E_TOOBIG, "HTTP: more than %d headers", HTTP_HEADERS_MAX);
        }
        h->fields[h->n_fields++] = (struct http_field){name, value};
        if (slice_ieq(name, "content-length")) {
            if (lengths++) return bad(err, "two lengths");
            if (!num_u64(value, INT64_MAX, &h->length)) return bad(err, "a bad length");
            h->has_length = true;
        } else if (slice_ieq(name, "transfer-encoding")) {
            if (encodings++) return bad(err, "two transfer encodings");
            if (!slice_ieq(value, "chunked")) {
                *ret_status = 501;
                return bad(err, "a transfer encoding other than chunked");
            }
            h->chunked = true;
        } else if (slice_ieq(name, "connection")) {
            if (http_has_word(value, "close")) h->close = true;
            if (http_has_word(value, "keep-alive")) h->keep_alive = true;
            if (http_has_word(value, "upgrade")) h->upgrade = true;
        } else if (slice_ieq(name, "host")) {
            hosts++;
        } else if (slice_ieq(name, "expect")) {
            if (!slice_ieq(value, "100-continue")) {
                *ret_status = 417;
                return bad(err, "an expectation other than 100-continue");
            }
            h->expect_continue = true;
        }
    }
    if (rest.n) return bad(err, "bytes after the head");
    if (h->chunked && h->has_length) return bad(err, "both a length and chunks");
    if (h->chunked && h->minor == 0) return bad(err, "chunks in HTTP/1.0");
    *ret_hosts = hosts;
    return SR_OK;
}

sr_status http_parse_request(struct slice head, struct http_head *ret, int *ret_status,
                             struct sr_err *err) {
    *ret_status = 400;
    ret->n_fields = 0;
    ret->has_length = ret->chunked = ret->close = ret->keep_alive = ret->expect_continue =
        ret->upgrade = false;
    ret->length = 0;
    ret->status = 0;
    struct slice rest = head, line = next_line(&rest), target, version;
    if (!line.p) return bad(err, "no request line");
    if (!slice_cut(line, ' ', &ret->method, &line) || !slice_cut(line, ' ', &target, &version))
        return bad(err, "a request line without its three parts");
    if (!http_is_token(ret->method)) return bad(err, "a bad method");
    if (ret->method.n > HTTP_METHOD_MAX) {
        *ret_status = 501;
        return bad(err, "an unknown method");
    }
    if (parse_version(version, &ret->minor, err) != SR_OK) {
        if (slice_starts(version, "HTTP/")) *ret_status = 505;
        return SR_E_MALFORMED;
    }
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= 0x20 || target.p[i] >= 0x7f || target.p[i] == '#')
            return bad(err, "a bad request target");
    if (slice_starts(target, "http://") || slice_starts(target, "https://")) {
        /* absolute form: the authority is of no interest here, the path begins after it */
        size_t i = target.p[4] == 's' ? 8 : 7;
        while (i < target.n && target.p[i] != '/' && target.p[i] != '?') i++;
        if (i == target.n || target.p[i] == '?') return bad(err, "an absolute target without path");
        target = slice_of(target.p + i, target.n - i);
    }
    bool star = target.n == 1 && target.p[0] == '*' && slice_is(ret->method, "OPTIONS");
    if (!star && (target.n == 0 || target.p[0] != '/')) return bad(err, "a bad request target");
    struct slice none = slice_of(target.p + target.n, 0);
    if (!slice_cut(target, '?', &ret->path, &ret->query)) ret->query = none;
    size_t hosts = 0;
    SR_TRY(parse_fields(rest, ret, &hosts, ret_status, err));
    if (hosts > 1 || (hosts == 0 && ret->minor == 1)) return bad(err, "not exactly one Host");
    return SR_OK;
}

sr_status http_parse_response(struct slice head, struct http_head *ret, struct sr_err *err) {
    ret->n_fields = 0;
    ret->has_length = ret->chunked = ret->close = ret->keep_alive = ret->expect_continue =
        ret->upgrade = false;
    ret->length = 0;
    ret->method = ret->path = ret->query = (struct slice){NULL, 0};
    struct slice rest = head, line = next_line(&rest), version, code, reason;
    if (!line.p || !slice_cut(line, ' ', &version, &code)) return bad(err, "no status line");
    SR_TRY(parse_version(version, &ret->minor, err));
    (void)slice_cut(code, ' ', &code, &reason);
    uint64_t status;
    if (code.n != 3 || !num_u64(code, 999, &status) || status < 100)
        return bad(err, "a bad status");
    ret->status = (int)status;
    size_t hosts;
    int unused;
    return parse_fields(rest, ret, &hosts, &unused, err);
}

/* ---- chunks ---- */

enum { CH_SIZE, CH_EXT, CH_SIZE_LF, CH_DATA, CH_DATA_CR, CH_DATA_LF, CH_TRAILER, CH_TRAILER_LF };

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static sr_status chunk_byte(struct chunked *c, uint8_t b, struct sr_err *err) {
    int v;
    switch (c->state) {
    case CH_SIZE:
        v = hex_value(b);
        if (v >= 0) {
            if (c->digits == 15) return bad(err, "a chunk size beyond reason");
            c->digits++;
            c->left = c->left << 4 | (uint64_t)v;
        } else if (c->digits == 0) {
            return bad(err, "a chunk without size");
        } else if (b == '\r') {
            c->state = CH_SIZE_LF;
        } else if (b == ';') {
            c->state = CH_EXT;
        } else {
            return bad(err, "a bad chunk size");
        }
        return SR_OK;
    case CH_EXT:
        if (b == '\r')
            c->state = CH_SIZE_LF;
        else if ((b < 0x20 && b != '\t') || b == 0x7f)
            return bad(err, "a bad chunk extension");
        else if (++c->extra > HTTP_TRAILER_MAX)
            return sr_fail(err, SR_E_TOOBIG, "HTTP: chunk extensions beyond the limit");
        return SR_OK;
    case CH_SIZE_LF:
        if (b != '\n') return bad(err, "a chunk size without line end");
        c->state = c->left ? CH_DATA : CH_TRAILER;
        c->line_empty = true;
        return SR_OK;
    case CH_DATA_CR:
        if (b != '\r') return bad(err, "a chunk without line end");
        c->state = CH_DATA_LF;
        return SR_OK;
    case CH_DATA_LF:
        if (b != '\n') return bad(err, "a chunk without line end");
        c->state = CH_SIZE;
        c->digits = 0;
        c->left = 0;
        return SR_OK;
    case CH_TRAILER:
        if (b == '\r')
            c->state = CH_TRAILER_LF;
        else if ((b < 0x20 && b != '\t') || b == 0x7f)
            return bad(err, "a bad trailer");
        else if (++c->extra > HTTP_TRAILER_MAX)
            return sr_fail(err, SR_E_TOOBIG, "HTTP: trailers beyond the limit");
        else
            c->line_empty = false;
        return SR_OK;
    default: /* CH_TRAILER_LF */
        if (b != '\n') return bad(err, "a trailer without line end");
        c->done = c->line_empty;
        c->line_empty = true;
        c->state = CH_TRAILER;
        return SR_OK;
    }
}

sr_status chunked_next(struct chunked *c, struct slice in, size_t *ret_used, struct slice *ret_data,
                       struct sr_err *err) {
    size_t i = 0;
    *ret_data = (struct slice){NULL, 0};
    while (i < in.n && !c->done) {
        if (c->state == CH_DATA) {
            size_t take = in.n - i < c->left ? in.n - i : (size_t)c->left;
            *ret_data = slice_of(in.p + i, take);
            c->left -= take;
            i += take;
            if (c->left == 0) c->state = CH_DATA_CR;
            break;
        }
        SR_TRY(chunk_byte(c, in.p[i++], err));
    }
    *ret_used = i;
    return SR_OK;
}

/* ---- URLs ---- */

size_t url_decode(struct slice s, bool plus_is_space, uint8_t *dst) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int hi, lo;
        if (s.p[i] == '%' && s.n - i > 2 && (hi = hex_value(s.p[i + 1])) >= 0 &&
            (lo = hex_value(s.p[i + 2])) >= 0) {
            dst[n++] = (uint8_t)(hi << 4 | lo);
            i += 2;
        } else {
            dst[n++] = plus_is_space && s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    return n;
}

static sr_status bad_url(const char *text, const char *why, struct sr_err *err) {
    (void)sr_fail(err, SR_E_USAGE, "URL '%.100s': %s", text, why);
    sr_hint(err, "use http://HOST[:PORT]/..., https://... or unix:/SOCKET:/...");
    return SR_E_USAGE;
}

sr_status url_parse(const char *text, struct url *ret, struct sr_err *err) {
    struct slice t = slice_str(text);
    if (t.n > HTTP_URL_MAX) return bad_url(text, "too long", err);
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] <= 0x20 || t.p[i] >= 0x7f) return bad_url(text, "a space or control", err);
    struct url u = {0};
    struct slice whole = t, host;
    size_t frag = 0;
    while (frag < t.n && t.p[frag] != '#') frag++;
    t.n = whole.n = frag;
    if (slice_starts(t, "unix:")) {
        t = slice_of(t.p + 5, t.n - 5);
        u.is_unix = true;
        if (!slice_cut(t, ':', &host, &u.target)) u.target = slice_of(t.p + t.n, 0);
        if (host.n == 0 || host.p[0] != '/') return bad_url(text, "no socket path", err);
    } else {
        if (slice_starts(t, "http://") || slice_starts(t, "ws://")) {
            u.port = 80;
        } else if (slice_starts(t, "https://") || slice_starts(t, "wss://")) {
            u.tls = true;
            u.port = 443;
        } else {
            return bad_url(text, "not http", err);
        }
        size_t skip = 3; /* the first "://" */
        while (t.p[skip - 1] != '/' || t.p[skip - 2] != '/') skip++;
        t = slice_of(t.p + skip, t.n - skip);
        size_t end = 0;
        while (end < t.n && t.p[end] != '/' && t.p[end] != '?') end++;
        struct slice auth = slice_of(t.p, end), port = {NULL, 0};
        u.target = slice_of(t.p + end, t.n - end);
        if (memchr(auth.p, '@', auth.n)) return bad_url("(hidden)", "a user name in it", err);
        if (auth.n && auth.p[0] == '[') {
            const uint8_t *close = memchr(auth.p, ']', auth.n);
            if (!close) return bad_url(text, "a bad address", err);
            host = slice_of(auth.p + 1, (size_t)(close - auth.p) - 1);
            struct slice after = slice_of(close + 1, auth.n - (size_t)(close - auth.p) - 1);
            if (after.n && after.p[0] != ':') return bad_url(text, "a bad address", err);
            if (after.n) port = slice_of(after.p + 1, after.n - 1);
        } else {
            (void)slice_cut(auth, ':', &host, &port);
        }
        if (host.n == 0) return bad_url(text, "no host", err);
        if (port.n) {
            uint64_t v = 0;
            if (!num_u64(port, 65535, &v) || v == 0) return bad_url(text, "a bad port", err);
            u.port = (uint16_t)v;
        }
    }
    if (host.n >= sizeof u.host) return bad_url(text, "a host name too long", err);
    memcpy(u.host, host.p, host.n);
    u.origin = slice_of(whole.p, (size_t)(u.target.p - whole.p));
    if (u.is_unix && u.origin.n && u.origin.p && u.origin.p[u.origin.n - 1] == ':') u.origin.n--;
    *ret = u;
    return SR_OK;
}
