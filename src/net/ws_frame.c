/* SPDX-License-Identifier: Apache-2.0 */
/* ws_frame.c - websocket frames in and out of bytes */
#include "net/ws_frame.h"

bool ws_utf8(struct slice s) {
    for (size_t i = 0; i < s.n;) {
        uint8_t c = s.p[i];
        if (c < 0x80) {
            i++;
            continue;
        }
        size_t n = c >= 0xc2 && c <= 0xdf   ? 1
                   : (c & 0xf0) == 0xe0     ? 2
                   : c >= 0xf0 && c <= 0xf4 ? 3
                                            : 0;
        if (n == 0 || s.n - i <= n) return false;
        uint8_t d = s.p[i + 1];
        if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) || (c == 0xf0 && d < 0x90) ||
            (c == 0xf4 && d > 0x8f))
            return false;
        for (size_t k = 1; k <= n; k++)
            if ((s.p[i + k] & 0xc0) != 0x80) return false;
        i += n + 1;
    }
    return true;
}

void ws_mask(uint8_t *p, size_t n, const uint8_t mask[4], size_t at) {
    size_t i = 0;
    uint8_t m[8];
    for (size_t k = 0; k < 8; k++) m[k] = mask[(at + k) & 3];
    uint64_t wide, word;
    memcpy(&wide, m, 8);
    for (; n - i >= 8; i += 8) {
        memcpy(&word, p + i, 8);
        word ^= wide;
        memcpy(p + i, &word, 8);
    }
    for (; i < n; i++) p[i] ^= m[i & 7];
}

size_t ws_put_head(uint8_t dst[14], ws_opcode op, uint64_t n, const uint8_t mask[4]) {
    size_t k = 2;
    dst[0] = (uint8_t)(0x80u | (unsigned)op);
    if (n < 126) {
        dst[1] = (uint8_t)n;
    } else if (n <= 0xffff) {
        dst[1] = 126;
        dst[2] = (uint8_t)(n >> 8);
        dst[3] = (uint8_t)n;
        k = 4;
    } else {
        dst[1] = 127;
        for (int i = 0; i < 8; i++) dst[2 + i] = (uint8_t)(n >> (56 - 8 * i));
        k = 10;
    }
    if (mask) {
        dst[1] |= 0x80;
        memcpy(dst + k, mask, 4);
        k += 4;
    }
    return k;
}

static sr_status bad(struct ws_in *w, uint16_t code, struct sr_err *err, const char *what) {
    w->close_code = code;
    return sr_fail(err, code == 1009 ? SR_E_TOOBIG : SR_E_MALFORMED, "websocket: %s", what);
}

static size_t head_size(const struct ws_in *w) {
    if (w->head_n < 2) return 2;
    uint8_t l = w->head[1] & 0x7f;
    return 2u + (l == 126 ? 2u : l == 127 ? 8u : 0u) + (w->head[1] & 0x80 ? 4u : 0u);
}

/* The first two bytes: what can be refused before anything more is read. */
static sr_status check_start(struct ws_in *w, struct sr_err *err) {
    uint8_t b0 = w->head[0], b1 = w->head[1];
    w->fin = (b0 & 0x80) != 0;
    w->op = (ws_opcode)(b0 & 15);
    if (b0 & 0x70) return bad(w, 1002, err, "reserved bits are set");
    if (((b1 & 0x80) != 0) != w->from_client)
        return bad(w, 1002, err, w->from_client ? "an unmasked frame" : "a masked frame");
    switch (w->op) {
    case WS_CONT:
        if (w->kind == WS_CONT) return bad(w, 1002, err, "a continuation of nothing");
        break;
    case WS_TEXT:
    case WS_BINARY:
        if (w->kind != WS_CONT) return bad(w, 1002, err, "a message inside a message");
        break;
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG:
        if (!w->fin) return bad(w, 1002, err, "a fragmented control frame");
        if ((b1 & 0x7f) > 125) return bad(w, 1002, err, "a long control frame");
        break;
    default: return bad(w, 1002, err, "an unknown opcode");
    }
    return SR_OK;
}

static sr_status head_complete(struct ws_in *w, struct sr_err *err) {
    size_t k = 2;
    uint8_t l = w->head[1] & 0x7f;
    w->left = l;
    if (l == 126) {
        w->left = (uint64_t)w->head[2] << 8 | w->head[3];
        k = 4;
        if (w->left < 126) return bad(w, 1002, err, "a length not in its shortest form");
    } else if (l == 127) {
        w->left = 0;
        for (int i = 0; i < 8; i++) w->left = w->left << 8 | w->head[2 + i];
        k = 10;
        if (w->left <= 0xffff) return bad(w, 1002, err, "a length not in its shortest form");
    }
    if (w->from_client) memcpy(w->mask, w->head + k, 4);
    w->at = 0;
    w->in_payload = true;
    if (w->op >= WS_CLOSE) {
        w->control_n = 0;
        return SR_OK;
    }
    if (w->op != WS_CONT) w->kind = w->op;
    if (w->left > w->message->max - w->message->n) return bad(w, 1009, err, "a message too long");
    return SR_OK;
}

static bool close_code_ok(uint16_t c) {
    return (c >= 1000 && c <= 1014 && c != 1004 && c != 1005 && c != 1006) ||
           (c >= 3000 && c <= 4999);
}

/* The frame's payload is whole. */
static sr_status frame_complete(struct ws_in *w, ws_event *ret_event, struct sr_err *err) {
    w->in_payload = false;
    w->head_n = 0;
    struct slice control = slice_of(w->control, w->control_n);
    switch (w->op) {
    case WS_PING: *ret_event = WS_GOT_PING; return SR_OK;
    case WS_PONG: *ret_event = WS_GOT_PONG; return SR_OK;
    case WS_CLOSE:
        if (control.n == 1) return bad(w, 1002, err, "a close code of one byte");
        if (control.n >= 2) {
            if (!close_code_ok((uint16_t)(control.p[0] << 8 | control.p[1])))
                return bad(w, 1002, err, "a bad close code");
            if (!ws_utf8(slice_of(control.p + 2, control.n - 2)))
                return bad(w, 1007, err, "a close reason that is not UTF-8");
        }
        *ret_event = WS_GOT_CLOSE;
        return SR_OK;
    default:
        if (!w->fin) return SR_OK;
        if (w->kind == WS_TEXT && !ws_utf8(buf_slice(w->message)))
            return bad(w, 1007, err, "text that is not UTF-8");
        w->kind = WS_CONT;
        *ret_event = WS_MESSAGE;
        return SR_OK;
    }
}

static sr_status take_payload(struct ws_in *w, struct slice in, size_t *ret_n, struct sr_err *err) {
    size_t n = in.n < w->left ? in.n : (size_t)w->left;
    uint8_t *dst;
    if (w->op >= WS_CLOSE) {
        dst = w->control + w->control_n;
        w->control_n += n;
    } else {
        dst = n ? buf_grow(w->message, n) : NULL;
        if (n && !dst) return bad(w, 1009, err, "no room for the message");
    }
    if (n) {
        memcpy(dst, in.p, n);
        if (w->from_client) ws_mask(dst, n, w->mask, w->at);
    }
    w->at = (w->at + n) & 3;
    w->left -= n;
    *ret_n = n;
    return SR_OK;
}

sr_status ws_in_next(struct ws_in *w, struct slice in, size_t *ret_used, ws_event *ret_event,
                     struct sr_err *err) {
    size_t i = 0;
    *ret_event = WS_MORE;
    while (*ret_event == WS_MORE) {
        if (!w->in_payload) {
            if (i == in.n) break;
            w->head[w->head_n++] = in.p[i++];
            if (w->head_n == 2) SR_TRY(check_start(w, err));
            if (w->head_n < 2 || w->head_n < head_size(w)) continue;
            SR_TRY(head_complete(w, err));
        } else if (w->left > 0 && i == in.n) {
            break;
        }
        size_t n = 0;
        SR_TRY(take_payload(w, slice_of(in.p + i, in.n - i), &n, err));
        i += n;
        if (w->left == 0) SR_TRY(frame_complete(w, ret_event, err));
    }
    *ret_used = i;
    return SR_OK;
}
