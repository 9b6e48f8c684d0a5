/* SPDX-License-Identifier: Apache-2.0 */
/* Members of the two secrets, with the sentences that the official applications say. */
#include "messaging/messaging.h"

#define EMAIL_MAX 254u
#define LOCAL_MAX 64u
#define LABEL_MAX 63u

static bool is_alnum(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_local(uint8_t c) {
    return is_alnum(c) || (c && strchr(".!#$%&'*+/=?^_`{|}~-", c) != NULL);
}

static bool is_label(struct slice s) {
    if (s.n == 0 || s.n > LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-') return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '-') return false;
    return true;
}

bool msg_is_email(struct slice s) {
    struct slice local, rest, label;
    if (s.n > EMAIL_MAX || !slice_cut(s, '@', &local, &rest)) return false;
    if (local.n == 0 || local.n > LOCAL_MAX || local.p[0] == '.' || local.p[local.n - 1] == '.')
        return false;
    for (size_t i = 0; i < local.n; i++) {
        if (!is_local(local.p[i])) return false;
        if (local.p[i] == '.' && local.p[i - 1] == '.') return false;
    }
    size_t labels = 0;
    for (bool more = true; more; labels++) {
        more = slice_cut(rest, '.', &label, &rest);
        if (!is_label(label)) return false;
    }
    return labels >= 2;
}

size_t msg_utf16_units(struct slice utf8) {
    size_t n = 0;
    for (size_t i = 0; i < utf8.n; i++) {
        if ((utf8.p[i] & 0xc0) != 0x80) n++;
        if (utf8.p[i] >= 0xf0) n++; /* a surrogate pair */
    }
    return n;
}

static bool one_line(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

static bool is_base64(struct slice s) {
    cleanup_buf_wipe struct buf b;
    buf_init(&b, s.n + 4);
    return base64_decode(s, &b) && b.bad == SR_OK;
}

static bool is_url(struct slice s, const char *scheme) {
    if (!slice_starts(s, scheme)) return false;
    struct slice rest = slice_of(s.p + strlen(scheme), s.n - strlen(scheme));
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= 0x20 || rest.p[i] >= 0x7f || rest.p[i] == '@') return false;
    return rest.n > 0 && rest.p[0] != '/';
}

/* What can be asked of a gateway as it is. */
static bool is_multiaddr(struct slice s) {
    if (!slice_starts(s, "/ipfs/") && !slice_starts(s, "/p2p/")) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) && (s.p[i] == 0 || !strchr("/._-", s.p[i]))) return false;
        if (i > 0 && s.p[i] == '.' && s.p[i - 1] == '.') return false;
    }
    return true;
}

static bool is_word(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && (s.p[i] == 0 || !strchr(":_-", s.p[i]))) return false;
    return true;
}

/* NULL, or the fault that follows the key. */
static const char *text_fault(rule_kind kind, struct slice s) {
    if (s.n == 0) return "is not allowed to be empty";
    switch (kind) {
    case RULE_TEXT: return one_line(s) ? NULL : "must be one line";
    case RULE_EMAIL: return msg_is_email(s) ? NULL : "must be a valid email";
    case RULE_NAME:
        if (msg_utf16_units(s) < 3) return "length must be at least 3 characters long";
        return msg_utf16_units(s) > 20 ? "length must be less than or equal to 20 characters long"
                                       : NULL;
    case RULE_MULTIADDR: return is_multiaddr(s) ? NULL : "must be a multiAddr";
    case RULE_BASE64: return is_base64(s) ? NULL : "must be a valid base64 string";
    case RULE_TYPE:
        return slice_is(s, "text/plain") || slice_is(s, "text/html")
                   ? NULL
                   : "must be one of [text/plain, text/html]";
    case RULE_HTTPS: return is_url(s, "https://") ? NULL : "must be an https:// URL";
    case RULE_HTTP:
        return is_url(s, "https://") || is_url(s, "http://") ? NULL : "must be an http(s):// URL";
    case RULE_SMTP:
        return is_url(s, "smtp://") || is_url(s, "smtps://")
                   ? NULL
                   : "must be smtp://host:port or smtps://host:port";
    case RULE_PEM:
        return memmem(s.p, s.n, "-----BEGIN CERTIFICATE-----", 27) ? NULL
                                                                   : "must be PEM certificates";
    case RULE_TOKEN: return is_word(s) ? NULL : "must hold letters, digits, : _ and - only";
    case RULE_SUBJECT:
    case RULE_BOOL:
    case RULE_SECONDS: break;
    }
    return NULL;
}

static const char *take(const struct rule *r, const struct json_val *v) {
    struct slice text;
    uint64_t n;
    if (!v) return r->required ? "is required" : NULL;
    if (r->kind == RULE_BOOL) return json_bool(v, r->ret) ? NULL : "must be a boolean";
    if (r->kind == RULE_SECONDS) {
        if (!json_u64(v, &n) || n < 1 || n > 60) return "must be a number from 1 to 60";
        *(unsigned *)r->ret = (unsigned)n;
        return NULL;
    }
    if (!json_str(v, &text)) return "must be a string";
    const char *fault = text_fault(r->kind, text);
    if (!fault) *(struct slice *)r->ret = text;
    return fault;
}

static void add_fault(struct buf *b, const char *what, struct slice key, const char *fault) {
    if (b->n == 0)
        buf_printf(b, "%s: ", what);
    else
        buf_str(b, "; ");
    buf_u8(b, '"');
    buf_add(b, key);
    buf_printf(b, "\" %s", fault);
}

void msg_check(const struct json_val *root, const char *what, const struct rule *rules, size_t n,
               struct buf *ret_error) {
    if (!json_is(root, JSON_OBJECT)) {
        add_fault(ret_error, what, SLICE_LIT("value"), "must be of type object");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char *fault = take(&rules[i], json_get(root, rules[i].key));
        if (fault) add_fault(ret_error, what, slice_str(rules[i].key), fault);
    }
    for (const struct json_val *v = json_first(root); v; v = json_next(v)) {
        bool known = false;
        for (size_t i = 0; i < n && !known; i++) known = slice_is(json_key(v), rules[i].key);
        if (known) continue;
        struct slice key = json_key(v);
        if (key.n > 64) key.n = 0; /* not a name that somebody mistyped */
        add_fault(ret_error, what, key, "is not allowed");
    }
}
