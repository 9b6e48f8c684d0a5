/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.c - what the market's socket tells: orders that come, change and go, deals
 *
 * A change is noted where it is written, and told when its transaction is committed (a request's:
 * on disk). A note is small; the order or deal is read when it is told, once for all listeners. On
 * a shared database the notes travel with the news of the commit, so every market tells them.
 * SPEC: services.md#210-socket
 */
#include "market/socket_int.h"
#include <stdio.h>
#include <stdlib.h>

#define NOTE       34u /* what, kind, hash */
#define NOTES_MAX  LIVE_NOTES_MAX
#define TELL_NOTES 100u /* in one message of the server: it takes less than 8000 bytes */

typedef enum { LIVE_PUBLISHED, LIVE_UPDATED, LIVE_UNPUBLISHED, LIVE_DEAL } live_what;

struct live {
    struct buf noted, ready; /* in the open transaction; committed */
};

struct live *live_new(void) {
    struct live *l = sr_calloc_n(1, sizeof *l);
    if (!l) return NULL;
    buf_init(&l->noted, NOTES_MAX);
    buf_init(&l->ready, NOTES_MAX);
    return l;
}

void live_free(struct live *l) {
    if (!l) return;
    buf_done(&l->noted);
    buf_done(&l->ready);
    free(l);
}

/* ---- noting */

static void note(struct market *m, live_what what, unsigned kind, const struct hash *h) {
    struct live *l = m->live;
    if (!m->caught_up || /* what is read from long ago is no news */
        (!db_is_shared(m->db) && !sockets_listen(m, what == LIVE_DEAL ? ROOM_DEALS : ROOM_ORDERS)))
        return;
    if (l->noted.n + NOTE > l->noted.max) return;
    buf_u8(&l->noted, (uint8_t)what);
    buf_u8(&l->noted, (uint8_t)kind);
    buf_put(&l->noted, h->b, 32);
    if (l->noted.bad) { /* no memory: nobody is told of this transaction */
        buf_done(&l->noted);
        buf_init(&l->noted, NOTES_MAX);
    }
}

void live_order(struct market *m, poco_kind k, const struct hash *h, bool was_open, bool is_open) {
    if (!was_open && !is_open) return;
    note(m, !was_open ? LIVE_PUBLISHED : is_open ? LIVE_UPDATED : LIVE_UNPUBLISHED, k, h);
}

void live_deal(struct market *m, const struct hash *id) {
    note(m, LIVE_DEAL, 0, id);
}

size_t live_mark(const struct market *m) {
    return m->live->noted.n;
}

void live_back(struct market *m, size_t mark) {
    if (mark < m->live->noted.n) m->live->noted.n = mark;
}

sr_status live_tell_others(struct market *m, struct sr_err *err) {
    const struct buf *noted = &m->live->noted;
    size_t at = 0;
    if (!db_is_shared(m->db)) return SR_OK;
    do {
        size_t n = noted->n - at < NOTE * TELL_NOTES ? noted->n - at : NOTE * TELL_NOTES;
        cleanup_buf struct buf b;
        buf_init(&b, 8000);
        if (n) buf_hex(&b, slice_of(noted->p + at, n));
        SR_TRY(buf_status(&b, err));
        SR_TRY(db_tell(m->db, MARKET_CHANNEL, buf_slice(&b), err));
        at += n;
    } while (at < noted->n);
    return SR_OK;
}

void live_committed(struct market *m) {
    buf_add(&m->live->ready, buf_slice(&m->live->noted));
    buf_clear(&m->live->noted);
    if (m->live->ready.bad) {
        buf_done(&m->live->ready);
        buf_init(&m->live->ready, NOTES_MAX);
    }
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
    if (order_load(m, h, &r, &json, NULL) != SR_OK || json.bad || r.kind != kind ||
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

/* Notes of another process may be anything. */
static void tell_all(struct market *m, struct slice notes) {
    struct rd r = rd_of(notes);
    while (rd_left(&r) >= NOTE) {
        uint8_t what = rd_u8(&r), kind = rd_u8(&r);
        struct hash h;
        rd_copy(&r, h.b, sizeof h.b);
        if (what <= LIVE_DEAL && kind < POCO_KINDS) tell(m, (live_what)what, kind, &h);
    }
}

void live_take(struct market *m, struct buf *ret_ready) {
    struct buf t = *ret_ready;
    *ret_ready = m->live->ready;
    m->live->ready = t;
    buf_clear(&m->live->ready);
}

void live_send(struct market *m, struct buf *ready) {
    tell_all(m, buf_slice(ready));
    buf_clear(ready);
}

void live_send_ready(struct market *m) {
    cleanup_buf struct buf b;
    buf_init(&b, NOTES_MAX);
    live_take(m, &b);
    live_send(m, &b);
}

void live_heard(struct market *m, struct slice lines) {
    struct slice line, rest;
    for (; lines.n; lines = rest) {
        if (!slice_cut(lines, '\n', &line, &rest)) {
            line = lines;
            rest = slice_of(NULL, 0);
        }
        cleanup_buf struct buf notes;
        buf_init(&notes, NOTES_MAX);
        if (line.n && hex_decode_buf(line, &notes) && !notes.bad) tell_all(m, buf_slice(&notes));
    }
}
