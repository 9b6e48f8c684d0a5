/* SPDX-License-Identifier: Apache-2.0 */
/* ws.c - websockets over streams: the handshakes, and messages that fibers wait for */
#include "net/http_client_int.h"
#include "net/http_server_int.h"
#include "net/ws_frame.h"
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define WS_GUID       "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define WS_CONNECT_MS 10000
#define WS_CLOSE_MS   1000
#define WS_READ       4096
#define WS_MASK_CHUNK 16384
#define WS_MAGIC      0x57736f63u

struct ws {
    uint32_t magic;
    struct stream *s;
    bool own_stream; /* the client's; the server's belongs to its connection */
    bool client;
    bool ended; /* nothing more will come */
    bool close_sent;
    struct http_in in;
    struct ws_in frames;
    struct buf message;
    int64_t heard_us, pinged_us;
};

static sr_status ws_new(struct stream *s, bool client, size_t max_message, struct ws **ret,
                        struct sr_err *err) {
    struct ws *w = sr_calloc_n(1, sizeof *w);
    if (!w) return sr_fail(err, SR_E_NOMEM, "no memory for a websocket");
    w->magic = WS_MAGIC;
    w->s = s;
    w->client = w->own_stream = client;
    w->in.s = s;
    buf_init(&w->message, max_message);
    w->frames = (struct ws_in){.from_client = !client, .message = &w->message};
    w->heard_us = w->pinged_us = clock_mono_us();
    s->write_ms = WS_DEAD_MS;
    *ret = w;
    return SR_OK;
}

/* The answer to a key: base64 of SHA-1 over it and the protocol's fixed text. */
static void accept_of(struct slice key, struct buf *b) {
    uint8_t md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    net_crypto_init_();
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (c && EVP_DigestInit_ex(c, EVP_sha1(), NULL) == 1 &&
        EVP_DigestUpdate(c, key.p, key.n) == 1 &&
        EVP_DigestUpdate(c, WS_GUID, sizeof WS_GUID - 1) == 1)
        (void)EVP_DigestFinal_ex(c, md, &n);
    EVP_MD_CTX_free(c);
    base64_encode(b, slice_of(md, n));
}

/* ---- server side ---- */

bool ws_is_upgrade(const struct http_req *rq) {
    struct slice v;
    return slice_is(rq->head.method, "GET") && rq->head.minor == 1 && rq->head.upgrade &&
           http_header(rq, "upgrade", &v) && http_has_word(v, "websocket");
}

sr_status ws_accept(struct http_req *rq, size_t max_message, struct ws **ret, struct sr_err *err) {
    struct slice version, key;
    if (!ws_is_upgrade(rq) || rq->reply != REPLY_NONE || !rq->body_in.ended)
        return sr_fail(err, SR_E_MALFORMED, "not a websocket request");
    if (!http_header(rq, "sec-websocket-version", &version) || !slice_is(version, "13")) {
        http_set_header(rq, "Sec-WebSocket-Version", "13");
        return sr_fail(err, SR_E_MALFORMED, "the websocket version is not 13");
    }
    cleanup_buf struct buf raw, b;
    buf_init(&raw, 64);
    buf_init(&b, 1024);
    if (!http_header(rq, "sec-websocket-key", &key) || key.n > 32 || !base64_decode(key, &raw) ||
        raw.n != 16) {
        BUF_TRY_MEMORY(&raw, err);
        return sr_fail(err, SR_E_MALFORMED, "a bad websocket key");
    }
    buf_str(&b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    accept_of(key, &b);
    buf_str(&b, "\r\n");
    buf_add(&b, buf_slice(&rq->extra));
    buf_str(&b, "\r\n");
    SR_TRY(buf_status(&b, err));
    struct ws *w;
    SR_TRY(ws_new(&rq->conn->stream, false, max_message, &w, err));
    w->in = rq->conn->in; /* with what the client sent already */
    rq->conn->in = (struct http_in){.s = &rq->conn->stream};
    rq->taken = true;
    rq->reply = REPLY_DONE;
    sr_status st = stream_write(w->s, buf_slice(&b), err);
    if (st != SR_OK) {
        w->ended = true;
        ws_close(w);
        return st;
    }
    *ret = w;
    return SR_OK;
}

/* ---- client side ---- */

static sr_status check_answer(const struct http_head *h, struct slice key, struct sr_err *err) {
    struct slice v;
    cleanup_buf struct buf want;
    buf_init(&want, 64);
    accept_of(key, &want);
    if (h->status != 101)
        return sr_fail(err, SR_E_UNAVAILABLE, "the websocket was answered with %d", h->status);
    if (!h->upgrade || !http_find(h, "upgrade", &v) || !slice_ieq(v, "websocket") ||
        !http_find(h, "sec-websocket-accept", &v) || !slice_eq(v, buf_slice(&want)) ||
        http_find(h, "sec-websocket-extensions", &v))
        return sr_fail(err, SR_E_MALFORMED, "not a websocket answer");
    return SR_OK;
}

static sr_status handshake(struct stream *s, const struct url *u, struct http_in *in,
                           int64_t deadline, struct sr_err *err) {
    uint8_t nonce[16];
    cleanup_buf struct buf key, b;
    buf_init(&key, 64);
    buf_init(&b, HTTP_URL_MAX + 1024);
    net_crypto_init_();
    if (RAND_bytes(nonce, sizeof nonce) != 1) return sr_fail(err, SR_E_SYS, "no randomness");
    base64_encode(&key, slice_of(nonce, sizeof nonce));
    buf_str(&b, "GET ");
    http_put_target_(&b, u);
    buf_str(&b, " HTTP/1.1\r\n");
    http_put_host_(&b, u);
    buf_str(&b, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: ");
    buf_add(&b, buf_slice(&key));
    buf_str(&b, "\r\n\r\n");
    SR_TRY(buf_status(&b, err));
    SR_TRY(stream_write(s, buf_slice(&b), err));
    struct slice raw;
    bool any;
    SR_TRY(http_in_head(in, deadline, &raw, &any, err));
    struct http_head *h = malloc(sizeof *h);
    if (!h) return sr_fail(err, SR_E_NOMEM, "no memory for an answer");
    sr_status st = http_parse_response(raw, h, err);
    if (st == SR_OK) st = check_answer(h, buf_slice(&key), err);
    free(h);
    return st;
}

sr_status ws_connect(const char *url, size_t max_message, struct ws **ret, struct sr_err *err) {
    struct url u;
    SR_TRY(url_parse(url, &u, err));
    SR_TRY(net_init(err));
    int64_t deadline = deadline_after_(WS_CONNECT_MS);
    struct stream *s;
    SR_TRY(http_connect_(&u, deadline, &s, err));
    struct http_in in = {.s = s};
    struct ws *w = NULL;
    sr_status st = handshake(s, &u, &in, deadline, err);
    if (st == SR_OK) st = ws_new(s, true, max_message, &w, err);
    if (st != SR_OK) {
        http_in_done(&in);
        stream_close(s);
        return st;
    }
    w->in = in;
    *ret = w;
    return SR_OK;
}

/* ---- messages ---- */

static sr_status send_frame(struct ws *w, ws_opcode op, struct slice data, struct sr_err *err) {
    uint8_t head[14], mask[4];
    if (w->client && RAND_bytes(mask, sizeof mask) != 1)
        return sr_fail(err, SR_E_SYS, "no randomness");
    size_t hn = ws_put_head(head, op, data.n, w->client ? mask : NULL);
    if (!w->client) return stream_write2_(w->s, slice_of(head, hn), data, err);
    /* Masked by pieces, so that a long message needs no second copy of itself. */
    SR_TRY(fmutex_lock(&w->s->writing, err));
    uint8_t piece[14 + WS_MASK_CHUNK];
    memcpy(piece, head, hn);
    size_t off = 0;
    sr_status st = SR_OK;
    do {
        size_t n = data.n - off < WS_MASK_CHUNK ? data.n - off : WS_MASK_CHUNK;
        if (n) memcpy(piece + hn, data.p + off, n);
        ws_mask(piece + hn, n, mask, off);
        st = stream_write_locked_(w->s, slice_of(piece, hn + n), err);
        off += n;
        hn = 0;
    } while (st == SR_OK && off < data.n);
    fmutex_unlock(&w->s->writing);
    return st;
}

sr_status ws_send(struct ws *w, struct slice text, struct sr_err *err) {
    SR_ASSERT(w->magic == WS_MAGIC);
    if (w->ended || w->close_sent) return sr_fail(err, SR_E_CANCELLED, "the websocket has ended");
    return send_frame(w, WS_TEXT, text, err);
}

static void send_close(struct ws *w, struct slice payload) {
    if (w->close_sent || w->s->shut) return;
    w->close_sent = true;
    (void)!send_frame(w, WS_CLOSE, payload, NULL);
}

static sr_status ended(struct ws *w, struct sr_err *err) {
    w->ended = true;
    return sr_fail(err, SR_E_CANCELLED, "the websocket has ended");
}

/* One event out of the read-ahead; WS_MORE: it is used up. */
static sr_status next_event(struct ws *w, ws_event *ret_event, struct sr_err *err) {
    size_t used = 0;
    sr_status st = ws_in_next(&w->frames, http_in_rest(&w->in), &used, ret_event, err);
    if (st != SR_OK) {
        uint8_t code[2] = {(uint8_t)(w->frames.close_code >> 8), (uint8_t)w->frames.close_code};
        send_close(w, slice_of(code, 2));
        w->ended = true;
        return st;
    }
    w->in.off += used;
    return SR_OK;
}

/* Waits for more bytes; pings a silent peer, gives up on a dead one. */
static sr_status wait_more(struct ws *w, int64_t user_deadline, struct sr_err *err) {
    for (;;) {
        int64_t now = clock_mono_us();
        if (user_deadline && now >= user_deadline)
            return sr_fail(err, SR_E_TIMEOUT, "no message in time");
        if (now - w->heard_us > (int64_t)WS_DEAD_MS * 1000) return ended(w, err);
        int64_t last = w->heard_us > w->pinged_us ? w->heard_us : w->pinged_us;
        int64_t ping_at = last + (int64_t)WS_PING_MS * 1000;
        if (now >= ping_at) {
            w->pinged_us = now;
            if (!w->close_sent) SR_TRY(send_frame(w, WS_PING, slice_of(NULL, 0), err));
            continue;
        }
        size_t n = 0;
        struct sr_err why = {0};
        sr_status st = http_in_fill(&w->in, deadline_min_(user_deadline, ping_at), &n, &why);
        if (st == SR_E_TIMEOUT) continue;
        if (st != SR_OK || n == 0) return ended(w, err);
        w->heard_us = clock_mono_us();
        return SR_OK;
    }
}

sr_status ws_recv(struct ws *w, uint64_t timeout_ms, struct buf *b, struct sr_err *err) {
    SR_ASSERT(w->magic == WS_MAGIC);
    int64_t deadline = deadline_after_(timeout_ms);
    buf_clear(b);
    for (;;) {
        if (w->ended) return ended(w, err);
        ws_event ev = WS_MORE;
        SR_TRY(next_event(w, &ev, err));
        switch (ev) {
        case WS_MESSAGE: {
            if (w->message.n > b->max)
                return sr_fail(err, SR_E_TOOBIG, "a message of %zu bytes", w->message.n);
            /* The buffers change places: no copy. */
            struct buf t = *b;
            size_t max = w->message.max;
            *b = w->message;
            b->max = t.max;
            w->message = t;
            w->message.max = max;
            buf_clear(&w->message);
            return SR_OK;
        }
        case WS_GOT_PING:
            if (!w->close_sent)
                SR_TRY(
                    send_frame(w, WS_PONG, slice_of(w->frames.control, w->frames.control_n), err));
            break;
        case WS_GOT_PONG: break;
        case WS_GOT_CLOSE: {
            size_t n = w->frames.control_n < 2 ? 0 : 2; /* the code goes back */
            send_close(w, slice_of(w->frames.control, n));
            return ended(w, err);
        }
        case WS_MORE: SR_TRY(wait_more(w, deadline, err)); break;
        }
    }
}

void ws_shutdown(struct ws *w) {
    stream_shutdown(w->s);
}

/* The other side's close frame is waited for a moment, so that our last message is not lost. */
static void close_politely(struct ws *w) {
    if (w->ended || w->s->shut || !fiber_is_running() || net_stopping()) return;
    static const uint8_t normal[2] = {0x03, 0xe8};
    send_close(w, slice_of(normal, 2));
    int64_t deadline = deadline_after_(WS_CLOSE_MS);
    for (;;) {
        ws_event ev = WS_MORE;
        if (next_event(w, &ev, NULL) != SR_OK || ev == WS_GOT_CLOSE) return;
        if (ev == WS_MESSAGE) buf_clear(&w->message);
        if (ev != WS_MORE) continue;
        size_t n = 0;
        if (http_in_fill(&w->in, deadline, &n, NULL) != SR_OK || n == 0) return;
    }
}

void ws_close(struct ws *w) {
    if (!w) return;
    SR_ASSERT(w->magic == WS_MAGIC);
    close_politely(w);
    w->magic = 0;
    http_in_done(&w->in);
    buf_done(&w->message);
    if (w->own_stream)
        stream_close(w->s);
    else
        stream_shutdown(w->s);
    free(w);
}
