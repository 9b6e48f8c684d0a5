/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket.c - the market's socket: Engine.IO 4 sessions over long polling or a websocket, and the
 * rooms that Socket.IO clients join in them
 *
 * A session over a websocket has two fibers: the handler's reads, the other writes and pings. One
 * over polling has none between requests; when nobody asks for it any more, it goes when its next
 * ping is long over and somebody looks at it.
 * SPEC: services.md#210-socket
 */
#include "market/socket_int.h"
#include <stdlib.h>

#define TEXT_PLAIN "text/plain; charset=UTF-8"

struct item {
    struct item *next;
    struct told *told;
};

struct socket {
    struct socket *next;
    unsigned refs; /* the list's, and each fiber's */
    bool closed, connected, waits_pong, getting, upgrading, writing;
    unsigned rooms;
    char sid[SOCKET_SID + 1], id[SOCKET_SID + 1];
    int64_t due, connect_by;
    struct ws *ws; /* NULL: polling */
    struct item *first, **last;
    size_t queued;
    struct fcond news; /* something is queued, or the session has changed */
};

struct sockets {
    struct socket *first;
    size_t n, joined[ROOMS];
    uint64_t ping_ms;
};

struct sockets *sockets_new(uint64_t ping_ms) {
    struct sockets *s = calloc(1, sizeof *s);
    if (s) s->ping_ms = ping_ms ? ping_ms : SOCKET_PING_MS;
    return s;
}

/* ---- texts and queues */

struct told *told_new(struct slice text) {
    struct told *t = malloc(sizeof *t + text.n);
    if (!t) return NULL;
    t->refs = 1;
    t->n = text.n;
    if (text.n) memcpy(t->p, text.p, text.n);
    return t;
}

void told_unref(struct told *t) {
    if (t && --t->refs == 0) free(t);
}

static struct told *take(struct socket *s) {
    struct item *i = s->first;
    if (!i) return NULL;
    struct told *t = i->told;
    s->first = i->next;
    if (!s->first) s->last = &s->first;
    s->queued -= t->n;
    free(i);
    return t;
}

static void unref(struct socket *s) {
    if (--s->refs) return;
    for (struct told *t; (t = take(s));) told_unref(t);
    free(s);
}

static void set_rooms(struct market *m, struct socket *s, unsigned rooms) {
    for (unsigned r = 0; r < ROOMS; r++) {
        if (!(s->rooms >> r & 1) && (rooms >> r & 1)) m->sockets->joined[r]++;
        if ((s->rooms >> r & 1) && !(rooms >> r & 1)) m->sockets->joined[r]--;
    }
    s->rooms = rooms;
}

/* Its fibers see it and end. */
static void end_session(struct market *m, struct socket *s) {
    if (s->closed) return;
    s->closed = true;
    set_rooms(m, s, 0);
    struct socket **at = &m->sockets->first;
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    m->sockets->n--;
    if (s->ws) ws_shutdown(s->ws);
    fcond_wake(&s->news);
    unref(s);
}

void sockets_free(struct market *m) {
    if (!m->sockets) return;
    while (m->sockets->first) end_session(m, m->sockets->first);
    free(m->sockets);
}

static void queue(struct market *m, struct socket *s, struct told *t) {
    struct item *i = s->queued + t->n > SOCKET_QUEUE_MAX ? NULL : malloc(sizeof *i);
    if (!i) { /* it does not keep up */
        end_session(m, s);
        return;
    }
    *i = (struct item){.told = t};
    t->refs++;
    *s->last = i;
    s->last = &i->next;
    s->queued += t->n;
    fcond_wake(&s->news);
}

static void say(struct market *m, struct socket *s, struct slice text) {
    struct told *t = told_new(text);
    if (!t) {
        end_session(m, s);
        return;
    }
    queue(m, s, t);
    told_unref(t);
}

/* False: it does not answer, and has ended. */
static bool heartbeat(struct market *m, struct socket *s) {
    int64_t now = clock_mono_us();
    if (s->closed) return false;
    if (now < s->due) return true;
    if (s->waits_pong || (!s->connected && now > s->connect_by)) {
        end_session(m, s);
        return false;
    }
    s->waits_pong = true;
    s->due = now + (int64_t)SOCKET_PONG_MS(m->sockets->ping_ms) * 1000;
    say(m, s, SLICE_LIT("2"));
    return !s->closed;
}

/* Nobody has asked for a polling session since its ping was due. */
static bool is_left(const struct market *m, const struct socket *s, int64_t now) {
    return !s->ws && !s->getting &&
           now > s->due + (int64_t)SOCKET_PONG_MS(m->sockets->ping_ms) * 1000;
}

static void drop_left(struct market *m) {
    int64_t now = clock_mono_us();
    for (struct socket *s = m->sockets->first, *next; s; s = next) {
        next = s->next;
        if (is_left(m, s, now)) end_session(m, s);
    }
}

bool sockets_listen(const struct market *m, socket_room room) {
    return m->sockets->joined[room] > 0;
}

void sockets_tell(struct market *m, socket_room room, struct told *t) {
    int64_t now = clock_mono_us();
    for (struct socket *s = m->sockets->first, *next; s; s = next) {
        next = s->next; /* s may go, no other does */
        if (!(s->rooms >> room & 1)) continue;
        if (is_left(m, s, now))
            end_session(m, s);
        else
            queue(m, s, t);
    }
}

static uint64_t until_due(const struct socket *s) {
    int64_t left = (s->due - clock_mono_us()) / 1000 + 1;
    return left > 1 ? (uint64_t)left : 1;
}

/* Waits for news or the next ping. False: the session is over. */
static bool wait_news(struct market *m, struct socket *s) {
    if (s->closed) return false;
    sr_status st = fcond_wait(&s->news, until_due(s), NULL);
    if (st == SR_E_CANCELLED) end_session(m, s);
    return heartbeat(m, s);
}

/* ---- what a client says */

static bool read_room(const struct market *m, const struct json_val *v, socket_room *ret) {
    uint64_t chain;
    struct slice topic = json_text(json_get(v, "topic"));
    if (!num_u64(json_text(json_get(v, "chainId")), UINT64_MAX, &chain) || chain != m->chain_id)
        return false;
    if (!slice_is(topic, "orders") && !slice_is(topic, "deals")) return false;
    *ret = slice_is(topic, "orders") ? ROOM_ORDERS : ROOM_DEALS;
    return true;
}

/* An event that is none of ours is passed over, as the official server does. */
static void on_event(struct market *m, struct socket *s, const struct sio_packet *p) {
    bool ok = true, leave = slice_is(p->event, "leave");
    if (slice_is(p->event, "join") || leave) {
        socket_room room = ROOM_ORDERS;
        ok = read_room(m, json_at(json_root(p->doc), 1), &room);
        if (ok) set_rooms(m, s, leave ? s->rooms & ~(1u << room) : s->rooms | 1u << room);
    } else if (slice_is(p->event, "leaveAll")) {
        set_rooms(m, s, 0);
    } else {
        return;
    }
    if (!p->has_id) return;
    cleanup_buf struct buf b;
    buf_init(&b, 256);
    buf_printf(&b, "43%llu%s", (unsigned long long)p->id,
               ok ? "[true]"
                  : "[false,{\"error\":\"chainId is another, or topic is neither orders nor "
                    "deals\"}]");
    say(m, s, buf_slice(&b));
}

static void on_connect(struct market *m, struct socket *s, struct slice nsp) {
    cleanup_buf struct buf b;
    buf_init(&b, 512);
    if (slice_is(nsp, "/")) {
        s->connected = true;
        buf_printf(&b, "40{\"sid\":\"%s\"}", s->id);
    } else {
        buf_str(&b, "44");
        buf_add(&b, nsp);
        buf_str(&b, ",{\"message\":\"Invalid namespace\"}");
    }
    say(m, s, buf_slice(&b));
}

static bool on_message(struct market *m, struct socket *s, struct slice text) {
    cleanup_sio struct sio_packet p = {0};
    if (sio_read(text, &p, NULL) != SR_OK) return false;
    switch (p.type) {
    case SIO_CONNECT: on_connect(m, s, p.nsp); return true;
    case SIO_DISCONNECT:
        if (slice_is(p.nsp, "/")) {
            set_rooms(m, s, 0);
            s->connected = false;
            s->connect_by = clock_mono_us() + (int64_t)SOCKET_CONNECT_MS * 1000;
        }
        return true;
    case SIO_EVENT:
        if (!s->connected || !slice_is(p.nsp, "/")) return false;
        on_event(m, s, &p);
        return true;
    case SIO_ACK: return true;
    case SIO_CONNECT_ERROR: return false;
    }
    return false;
}

/* What is no packet ends the session. */
static void on_packet(struct market *m, struct socket *s, struct slice packet) {
    bool ok = packet.n > 0;
    switch (ok ? packet.p[0] : 0) {
    case EIO_PONG:
        s->waits_pong = false;
        s->due = clock_mono_us() + (int64_t)m->sockets->ping_ms * 1000;
        fcond_wake(&s->news);
        break;
    case EIO_MESSAGE: ok = on_message(m, s, slice_of(packet.p + 1, packet.n - 1)); break;
    case EIO_NOOP: break;
    default: ok = false; /* also its goodbye */
    }
    if (!ok) end_session(m, s);
}

/* ---- sessions */

static sr_status refuse(struct http_req *rq, int code, struct sr_err *err) {
    static const char *const texts[] = {
        "Transport unknown", "Session ID unknown", "Bad handshake method",
        "Bad request",       "Forbidden",          "Unsupported protocol version"};
    cleanup_buf struct buf b;
    buf_init(&b, 128);
    buf_printf(&b, "{\"code\":%d,\"message\":\"%s\"}", code, texts[code]);
    return http_reply_json(rq, 400, &b, err);
}

static sr_status random_id(char id[SOCKET_SID + 1], struct sr_err *err) {
    uint8_t rnd[SOCKET_SID / 2];
    cleanup_buf struct buf b;
    buf_init(&b, SOCKET_SID);
    SR_TRY(random_bytes(rnd, sizeof rnd, err));
    buf_hex(&b, slice_of(rnd, sizeof rnd));
    SR_TRY(buf_status(&b, err));
    memcpy(id, buf_cstr(&b), SOCKET_SID + 1);
    return SR_OK;
}

/* Its first packet is queued. ret is borrowed from the list. */
static sr_status new_session(struct market *m, bool polling, struct socket **ret,
                             struct sr_err *err) {
    struct sockets *all = m->sockets;
    if (all->n >= SOCKETS_MAX) drop_left(m);
    if (all->n >= SOCKETS_MAX) return sr_fail(err, SR_E_UNAVAILABLE, "too many open sockets");
    struct socket *s = calloc(1, sizeof *s);
    if (!s) return sr_fail(err, SR_E_NOMEM, "no memory for a socket");
    sr_status st = random_id(s->sid, err);
    if (st == SR_OK) st = random_id(s->id, err);
    if (st != SR_OK) {
        free(s);
        return st;
    }
    s->refs = 1;
    s->last = &s->first;
    s->due = clock_mono_us() + (int64_t)all->ping_ms * 1000;
    s->connect_by = clock_mono_us() + (int64_t)SOCKET_CONNECT_MS * 1000;
    s->next = all->first;
    all->first = s;
    all->n++;
    cleanup_buf struct buf b;
    buf_init(&b, 256);
    buf_printf(&b,
               "0{\"sid\":\"%s\",\"upgrades\":[%s],\"pingInterval\":%llu,\"pingTimeout\":%llu,"
               "\"maxPayload\":%u}",
               s->sid, polling ? "\"websocket\"" : "", (unsigned long long)all->ping_ms,
               (unsigned long long)SOCKET_PONG_MS(all->ping_ms), SIO_PACKET_MAX);
    say(m, s, buf_slice(&b));
    if (s->closed) return sr_fail(err, SR_E_NOMEM, "no memory for a socket");
    *ret = s;
    return SR_OK;
}

static struct socket *find(struct market *m, struct slice sid) {
    struct socket *s = m->sockets->first;
    while (s && !slice_is(sid, s->sid)) s = s->next;
    return s;
}

/* ---- long polling */

/* All that is queued goes out, in one body; an upgrade begins when this request is answered. */
static sr_status answer_get(struct market *m, struct socket *s, struct http_req *rq,
                            struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, SOCKET_QUEUE_MAX * 2);
    s->getting = true;
    bool there = heartbeat(m, s);
    while (there && !s->first && !s->upgrading) there = wait_news(m, s);
    s->getting = false;
    for (struct told *t; (t = take(s));) {
        if (b.n) buf_u8(&b, 0x1e);
        buf_put(&b, t->p, t->n);
        told_unref(t);
    }
    if (b.n == 0) buf_str(&b, s->closed ? "1" : "6");
    sr_status st = buf_status(&b, err);
    if (st == SR_OK) st = http_reply(rq, 200, TEXT_PLAIN, buf_slice(&b), err);
    if (st != SR_OK) end_session(m, s); /* what it should have heard is gone */
    return st;
}

static sr_status poll_get(struct market *m, struct http_req *rq, struct slice sid,
                          struct sr_err *err) {
    struct socket *s = NULL;
    if (sid.n == 0) SR_TRY(new_session(m, true, &s, err));
    if (!s) s = find(m, sid);
    if (!s) return refuse(rq, 1, err);
    if (s->ws) return refuse(rq, 3, err);
    if (s->getting) { /* two readers would each get a part */
        end_session(m, s);
        return refuse(rq, 3, err);
    }
    s->refs++;
    sr_status st = answer_get(m, s, rq, err);
    unref(s);
    return st;
}

static sr_status poll_post(struct market *m, struct http_req *rq, struct slice sid,
                           struct sr_err *err) {
    struct slice body, packet;
    if (sid.n == 0) return refuse(rq, 2, err);
    SR_TRY(http_body(rq, &body, err)); /* waits: the session is looked for after it */
    struct socket *s = find(m, sid);
    if (!s) return refuse(rq, 1, err);
    if (s->ws) return refuse(rq, 3, err);
    s->refs++;
    for (size_t n = 0; eio_next(&body, &packet) && !s->closed; n++) {
        if (n < SIO_PACKETS_MAX)
            on_packet(m, s, packet);
        else
            end_session(m, s);
    }
    unref(s);
    return http_reply(rq, 200, "text/html", SLICE_LIT("ok"), err);
}

/* ---- websocket */

struct writer {
    struct market *m;
    struct socket *s;
};

static void write_all(void *arg) {
    struct writer *w = arg;
    struct market *m = w->m;
    struct socket *s = w->s;
    while (heartbeat(m, s)) {
        struct told *t = take(s);
        if (!t) {
            (void)wait_news(m, s);
            continue;
        }
        sr_status st = ws_send(s->ws, slice_of(t->p, t->n), NULL);
        told_unref(t);
        if (st != SR_OK) end_session(m, s);
    }
    s->writing = false;
    fcond_wake(&s->news);
}

/* The session's packets, until it ends. Takes over no reference; ws stays the caller's. */
static void run_websocket(struct market *m, struct socket *s, struct ws *ws) {
    struct writer w = {m, s};
    cleanup_buf struct buf b;
    buf_init(&b, SIO_PACKET_MAX);
    s->ws = ws;
    s->writing = fiber_start(write_all, &w, NULL) == SR_OK;
    if (!s->writing) end_session(m, s);
    while (!s->closed) {
        if (ws_recv(ws, 0, &b, NULL) == SR_OK)
            on_packet(m, s, buf_slice(&b));
        else
            end_session(m, s);
    }
    while (s->writing) (void)!fcond_wait(&s->news, 0, NULL); /* it uses what is on our stack */
    s->ws = NULL;
}

/* A polling session comes over: "2probe", "3probe", then "5". False: it stays where it is. */
static bool upgrades(struct socket *s, struct ws *ws) {
    cleanup_buf struct buf b;
    buf_init(&b, SIO_PACKET_MAX);
    if (ws_recv(ws, SOCKET_UPGRADE_MS, &b, NULL) != SR_OK || !slice_is(buf_slice(&b), "2probe") ||
        s->closed || s->ws || s->upgrading || ws_send(ws, SLICE_LIT("3probe"), NULL) != SR_OK)
        return false;
    if (s->closed || s->ws || s->upgrading) return false; /* meanwhile */
    s->upgrading = true;
    fcond_wake(&s->news); /* the request that waits is answered */
    bool ok = ws_recv(ws, SOCKET_UPGRADE_MS, &b, NULL) == SR_OK && slice_is(buf_slice(&b), "5") &&
              !s->closed && !s->getting;
    s->upgrading = false;
    return ok;
}

static sr_status open_websocket(struct market *m, struct http_req *rq, struct slice sid,
                                struct sr_err *err) {
    struct socket *s = sid.n ? find(m, sid) : NULL;
    if (sid.n && !s) return refuse(rq, 1, err);
    if (s && (s->ws || s->upgrading)) return refuse(rq, 3, err);
    if (!s) SR_TRY(new_session(m, false, &s, err));
    bool fresh = sid.n == 0;
    s->refs++;
    struct ws *ws;
    sr_status st = ws_accept(rq, SIO_PACKET_MAX, &ws, err);
    if (st == SR_OK) {
        if (fresh || upgrades(s, ws)) run_websocket(m, s, ws);
        ws_close(ws);
    } else if (fresh) {
        end_session(m, s);
    }
    unref(s);
    return st;
}

sr_status route_socket(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct slice transport, version, sid = {0};
    bool named = http_query(rq, "transport", &transport);
    bool websocket = named && slice_is(transport, "websocket");
    if (!websocket && !(named && slice_is(transport, "polling"))) return refuse(rq, 0, err);
    if (http_query(rq, "sid", &sid) && sid.n != SOCKET_SID) return refuse(rq, 1, err);
    if (!http_query(rq, "EIO", &version) || !slice_is(version, "4")) return refuse(rq, 5, err);
    if (websocket) return ws_is_upgrade(rq) ? open_websocket(m, rq, sid, err) : refuse(rq, 3, err);
    return slice_is(http_method(rq), "POST") ? poll_post(m, rq, sid, err)
                                             : poll_get(m, rq, sid, err);
}
