/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.c - what the market's socket tells: orders that come, change and go, deals
 *
 * A change is noted when it is committed (changes.c), here or by another market, and told when it
 * is on disk. A note is small; the order or deal is read when it is told, once for all listeners.
 * SPEC: services.md#210-socket
 */
#include "market/socket_int.h"
#include <stdio.h>
#include <stdlib.h>

#define NOTE      34u             /* what, kind, hash */
#define NOTES_MAX (NOTE * 65536u) /* that wait; later ones are not told */

struct live {
    struct buf noted, asked, ready; /* committed; on the way to the disk; to be told */
    bool telling;                   /* a fiber does */
};

struct live *live_new(void) {
    struct live *l = sr_calloc_n(1, sizeof *l);
    if (!l) return NULL;
    buf_init(&l->noted, NOTES_MAX);
    buf_init(&l->asked, NOTES_MAX);
    buf_init(&l->ready, NOTES_MAX);
    return l;
}

void live_free(struct live *l) {
    if (!l) return;
    buf_done(&l->noted);
    buf_done(&l->asked);
    buf_done(&l->ready);
    free(l);
}

/* ---- noting */

/* All of `from`, or nothing where there is no room: nobody is told of that then. */
static void move(struct buf *to, struct buf *from) {
    if (to->n == 0) {
        struct buf t = *to;
        *to = *from;
        *from = t;
        return;
    }
    if (to->n + from->n <= to->max) buf_add(to, buf_slice(from));
    if (to->bad) {
        buf_done(to);
        buf_init(to, NOTES_MAX);
    }
    buf_clear(from);
}

void live_note(struct market *m, live_what what, unsigned kind, const struct hash *h) {
    struct buf *b = &m->live->noted;
    if (!sockets_listen(m, what == LIVE_DEAL ? ROOM_DEALS : ROOM_ORDERS) || b->n + NOTE > b->max)
        return;
    buf_u8(b, (uint8_t)what);
    buf_u8(b, (uint8_t)kind);
    buf_put(b, h->b, 32);
    if (b->bad) {
        buf_done(b);
        buf_init(b, NOTES_MAX);
    }
}

void live_asked(struct market *m) {
    move(&m->live->asked, &m->live->noted);
}

/* ---- telling */

/* 42["event",value]: the value follows. */
static void begin_event(struct buf *b, struct jw *w, const char *kind, const char *what) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s%s", kind, what);
    buf_str(b, "42");
    *w = jw_of(b);
    jw_arr(w);
    jw_cstr(w, name);
}

static bool put_order(struct market *m, struct jw *w, unsigned kind, const struct hash *h) {
    struct order_row r;
    cleanup_buf struct buf json;
    buf_init(&json, MARKET_BODY_MAX * 6);
    if (order_load(m->read, h, &r, &json, NULL) != SR_OK || json.bad || r.kind != kind ||
        r.status != ORDER_OPEN)
        return false; /* gone since: that is told too */
    jw_obj(w);
    order_item(w, &r, buf_slice(&json), 0, r.kind == POCO_DATASET);
    jw_end_obj(w);
    return true;
}

static bool put_deal(struct market *m, struct jw *w, const struct hash *id) {
    cleanup_buf struct buf json;
    cleanup_json struct json *doc = NULL;
    buf_init(&json, 1u << 20);
    if (db_get_bytes(m->read, "SELECT json FROM deal WHERE id = $1", DB_ARGS(db_hash(id)), &json,
                     NULL) != SR_OK ||
        json_parse(buf_slice(&json), &doc, NULL) != SR_OK)
        return false;
    jw_obj(w);
    for (const struct json_val *v = json_first(json_root(doc)); v; v = json_next(v)) {
        if (slice_is(json_key(v), "chainId")) continue;
        jw_key_slice(w, json_key(v));
        jw_raw(w, json_raw(v));
    }
    jw_end_obj(w);
    return true;
}

static void tell(struct market *m, live_what what, unsigned kind, const struct hash *h) {
    static const char *const kinds[] = {"apporder", "datasetorder", "workerpoolorder",
                                        "requestorder"};
    socket_room room = what == LIVE_DEAL ? ROOM_DEALS : ROOM_ORDERS;
    if (!sockets_listen(m, room)) return;
    cleanup_buf struct buf b;
    buf_init(&b, SOCKET_QUEUE_MAX);
    struct jw w;
    bool there = true;
    switch (what) {
    case LIVE_PUBLISHED:
    case LIVE_UPDATED:
        begin_event(&b, &w, kinds[kind], what == LIVE_UPDATED ? "_updated" : "_published");
        there = put_order(m, &w, kind, h);
        break;
    case LIVE_UNPUBLISHED:
        begin_event(&b, &w, kinds[kind], "_unpublished");
        jw_hex(&w, slice_of(h->b, 32));
        break;
    case LIVE_DEAL:
        begin_event(&b, &w, "deal", "_created");
        there = put_deal(m, &w, h);
        break;
    }
    jw_end_arr(&w);
    if (!there || b.bad) return;
    struct told *t = told_new(buf_slice(&b));
    if (!t) return;
    sockets_tell(m, room, t);
    told_unref(t);
}

static void tell_all(struct market *m, struct slice notes) {
    struct rd r = rd_of(notes);
    while (rd_left(&r) >= NOTE) {
        uint8_t what = rd_u8(&r), kind = rd_u8(&r);
        struct hash h;
        rd_copy(&r, h.b, sizeof h.b);
        tell(m, (live_what)what, kind, &h);
    }
}

/* Reading what is told may wait, so a fiber of its own does it, in the order of the notes. */
static void teller(void *arg) {
    struct market *m = arg;
    cleanup_buf struct buf now;
    buf_init(&now, NOTES_MAX);
    while (m->live->ready.n) {
        move(&now, &m->live->ready);
        tell_all(m, buf_slice(&now));
        buf_clear(&now);
    }
    m->live->telling = false;
}

void live_lasts(struct market *m) {
    struct live *l = m->live;
    move(&l->ready, &l->asked);
    if (l->ready.n == 0 || l->telling) return;
    l->telling = true;
    if (fiber_start(teller, m, NULL) != SR_OK) l->telling = false; /* with the next ones */
}
