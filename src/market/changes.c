/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes.c - what a transaction changes, and who has to know
 *
 * A change is noted where it is written. Rows of our own file are seen by every reader from then
 * on; those of a shared database when they are committed. So kept counts and ready answers follow
 * at once in the first case, at the commit in the second. The other markets get the same notes with
 * the news of the commit (NOTIFY), and the number of the transaction, by which a count knows
 * whether it has seen it. A note holds all that a list can ask of an order: what is gone cannot be
 * read any more.
 */
#include "market/market_int.h"
#include <stdlib.h>

#define MESSAGE_MAX  7990u /* characters the server takes in one */
#define TELL_AT_ONCE 16u   /* messages with one wait */
#define ALL          'A'   /* a note: anything may have changed */
#define ORDER        'O'
#define DEAL         'D'
#define THERE        1u /* flags of an order's states */
#define OPEN         2u
#define NOTE_ORDER   (1u + 2u + 2 * 9u + 32u + 7 * 20u + TAG_WORDS * 8u + 2 * 8u)
#define NOTE_DEAL    33u
#define OWN_TXS      64u /* our last transactions, whose news are none to us */

struct changes {
    struct buf noted; /* in the open transaction */
    bool all;         /* in it: more than notes can say */
    uint64_t tx;      /* its number, when it has told */
    uint64_t own[OWN_TXS];
    size_t next_own;
};

struct changes *changes_new(void) {
    struct changes *c = sr_calloc_n(1, sizeof *c);
    if (c) buf_init(&c->noted, MARKET_CHANGES_MAX);
    return c;
}

void changes_free(struct changes *c) {
    if (!c) return;
    buf_done(&c->noted);
    free(c);
}

/* ---- notes */

static unsigned state_of(const struct order_row *r) {
    return !r ? 0 : r->status == ORDER_OPEN ? THERE | OPEN : THERE;
}

static uint64_t left_in(const struct order_row *r) {
    return r ? r->remaining : 0;
}

static void put_order(struct buf *b, const struct order_row *before,
                      const struct order_row *after) {
    const struct order_row *r = after ? after : before;
    SR_ASSERT(r);
    const struct addr *addrs[] = {&r->signer,     &r->resource,  &r->app,        &r->dataset,
                                  &r->workerpool, &r->requester, &r->beneficiary};
    buf_u8(b, ORDER);
    buf_u8(b, (uint8_t)r->kind);
    buf_u8(b, r->bulk);
    buf_u8(b, (uint8_t)state_of(before));
    buf_u64(b, left_in(before));
    buf_u8(b, (uint8_t)state_of(after));
    buf_u64(b, left_in(after));
    buf_put(b, r->hash.b, 32);
    for (size_t i = 0; i < SR_ARRAY_LEN(addrs); i++) buf_put(b, addrs[i]->b, 20);
    for (size_t i = 0; i < TAG_WORDS; i++) buf_u64(b, (uint64_t)r->tag[i]);
    buf_u64(b, r->category);
    buf_u64(b, r->trust);
}

struct order_note {
    struct order_row before, after;
    bool was, is; /* there */
};

static struct order_note read_order(struct rd *r) {
    struct order_note n = {.before = {.kind = (poco_kind)(rd_u8(r) % POCO_KINDS)}};
    struct order_row *o = &n.before;
    o->bulk = rd_u8(r) != 0;
    unsigned was = rd_u8(r);
    uint64_t left = rd_u64(r);
    unsigned is = rd_u8(r);
    uint64_t now = rd_u64(r);
    struct addr *addrs[] = {&o->signer,     &o->resource,  &o->app,        &o->dataset,
                            &o->workerpool, &o->requester, &o->beneficiary};
    rd_copy(r, o->hash.b, 32);
    for (size_t i = 0; i < SR_ARRAY_LEN(addrs); i++) rd_copy(r, addrs[i]->b, 20);
    for (size_t i = 0; i < TAG_WORDS; i++) o->tag[i] = (int64_t)rd_u64(r);
    o->category = rd_u64(r);
    o->trust = rd_u64(r);
    n.after = *o;
    o->remaining = left;
    n.after.remaining = now;
    o->status = was & OPEN ? ORDER_OPEN : ORDER_DEAD;
    n.after.status = is & OPEN ? ORDER_OPEN : ORDER_DEAD;
    n.was = was & THERE;
    n.is = is & THERE;
    return n;
}

/* ---- who has to know */

static void everything(struct market *m) {
    counts_flush(m);
    books_changed_all(m);
}

static void order_seen(struct market *m, const struct order_row *before,
                       const struct order_row *after, uint64_t tx, bool others) {
    const struct order_row *r = after ? after : before;
    SR_ASSERT(r);
    counts_changed(m, before, after, tx, others);
    books_changed(m, r->kind, &r->resource);
    market_changed(m);
}

static void order_told(struct market *m, const struct order_row *before,
                       const struct order_row *after) {
    bool was = before && before->status == ORDER_OPEN, is = after && after->status == ORDER_OPEN;
    const struct order_row *r = after ? after : before;
    SR_ASSERT(r);
    if (was || is)
        live_note(m,
                  !was ? LIVE_PUBLISHED
                  : is ? LIVE_UPDATED
                       : LIVE_UNPUBLISHED,
                  r->kind, &r->hash);
}

/* Of a committed transaction. seen: counts and answers have followed already. Notes of another
 * process may be anything. */
static void follow(struct market *m, struct slice notes, uint64_t tx, bool seen, bool others) {
    struct rd r = rd_of(notes);
    while (rd_left(&r) > 0 && !r.bad) {
        uint8_t what = rd_u8(&r);
        if (what == ORDER) {
            const struct order_note n = read_order(&r);
            if (r.bad) break;
            const struct order_row *before = n.was ? &n.before : NULL,
                                   *after = n.is ? &n.after : NULL;
            if (!before && !after) continue;
            if (!seen) order_seen(m, before, after, tx, others);
            order_told(m, before, after);
        } else if (what == DEAL) {
            struct hash id;
            rd_copy(&r, id.b, 32);
            if (!r.bad) live_note(m, LIVE_DEAL, 0, &id);
        } else {
            if (!seen) everything(m);
            if (what != ALL) return;
        }
    }
}

/* ---- in a transaction */

/* Is there anybody who would be told? What is read from long ago is no news. */
static bool noteworthy(struct market *m, size_t n) {
    struct changes *c = m->changes;
    if (!m->caught_up || c->noted.n + n > c->noted.max) {
        c->all = true;
        return false;
    }
    return true;
}

static void check_memory(struct changes *c) {
    if (!c->noted.bad) return;
    buf_done(&c->noted);
    buf_init(&c->noted, MARKET_CHANGES_MAX);
    c->all = true;
}

void changes_order(struct market *m, const struct order_row *before,
                   const struct order_row *after) {
    /* a signer is a part of what stays: with another one it is another order */
    if (before && after && !addr_eq(&before->signer, &after->signer)) {
        changes_order(m, before, NULL);
        before = NULL;
    }
    if (!db_is_shared(m->db)) order_seen(m, before, after, 0, false);
    if (!noteworthy(m, NOTE_ORDER)) return;
    put_order(&m->changes->noted, before, after);
    check_memory(m->changes);
}

void changes_deal(struct market *m, const struct hash *id) {
    if (!noteworthy(m, NOTE_DEAL)) return;
    buf_u8(&m->changes->noted, DEAL);
    buf_put(&m->changes->noted, id->b, 32);
    check_memory(m->changes);
}

size_t changes_mark(const struct market *m) {
    return m->changes->noted.n;
}

void changes_back(struct market *m, size_t mark) {
    struct changes *c = m->changes;
    if (mark < c->noted.n) c->noted.n = mark;
    if (mark == 0) c->all = false;
    if (!db_is_shared(m->db)) everything(m); /* they have followed what is now undone */
}

/* ---- committed */

static size_t note_size(uint8_t what) {
    return what == ORDER ? NOTE_ORDER : what == DEAL ? NOTE_DEAL : 1;
}

/* As many notes from there as a message holds. */
static size_t message_end(struct slice notes, size_t at) {
    size_t end = at;
    while (end < notes.n) {
        size_t n = note_size(notes.p[end]);
        if ((end + n - at + 2) / 3 * 4 > MESSAGE_MAX - 24) break;
        end += n;
    }
    return end;
}

static void get_tx(void *arg, struct db_rows *r) {
    struct changes *c = arg;
    (void)!num_u64(db_col_bytes(r, 0), UINT64_MAX, &c->tx);
}

/* A message: "number:notes in base64". */
struct message {
    struct buf text;
    struct db_val args[2];
};

static struct db_stmt message_of(struct changes *c, struct slice notes, struct message *ret) {
    buf_init(&ret->text, MESSAGE_MAX);
    base64_encode(&ret->text, notes);
    ret->args[0] = db_str(MARKET_CHANNEL);
    ret->args[1] = db_text(buf_slice(&ret->text));
    return (struct db_stmt){.sql = "SELECT CAST(pg_current_xact_id() AS TEXT), pg_notify($1,"
                                   " CAST(pg_current_xact_id() AS TEXT) || ':' || $2)",
                            .args = ret->args,
                            .n = 2,
                            .row = get_tx,
                            .arg = c};
}

/* The messages of notes from *at on, with one wait; at least one, though it be empty. */
static sr_status tell(struct market *m, struct slice notes, size_t *at, struct sr_err *err) {
    struct message msg[TELL_AT_ONCE];
    struct db_stmt s[TELL_AT_ONCE];
    size_t n = 0;
    sr_status st = SR_OK;
    do {
        size_t end = message_end(notes, *at);
        s[n] =
            message_of(m->changes, notes.n ? slice_of(notes.p + *at, end - *at) : notes, &msg[n]);
        if (st == SR_OK) st = buf_status(&msg[n].text, err);
        *at = end;
    } while (++n < TELL_AT_ONCE && *at < notes.n);
    if (st == SR_OK) st = db_run_all(m->db, s, n, err);
    for (size_t i = 0; i < n; i++) buf_done(&msg[i].text);
    return st;
}

sr_status changes_tell(struct market *m, struct sr_err *err) {
    struct changes *c = m->changes;
    static const uint8_t all = ALL;
    const struct slice notes = c->all ? slice_of(&all, 1) : buf_slice(&c->noted);
    size_t at = 0;
    if (!db_is_shared(m->db)) return SR_OK;
    do SR_TRY(tell(m, notes, &at, err));
    while (at < notes.n);
    return SR_OK;
}

void changes_committed(struct market *m) {
    struct changes *c = m->changes;
    bool shared = db_is_shared(m->db);
    if (c->all && shared) {
        everything(m);
        market_changed(m);
    }
    follow(m, buf_slice(&c->noted), c->tx, !shared || c->all, false);
    if (shared) c->own[c->next_own++ % OWN_TXS] = c->tx;
    buf_clear(&c->noted);
    c->all = false;
}

/* The link leaves out what our connection says, but that may have been made anew meanwhile. */
static bool is_own(const struct changes *c, uint64_t tx) {
    for (size_t i = 0; i < OWN_TXS; i++)
        if (c->own[i] == tx) return true;
    return false;
}

void changes_heard(struct market *m, struct slice lines, bool whole) {
    struct slice line, rest, number, text;
    if (!whole) everything(m);
    for (; lines.n; lines = rest) {
        uint64_t tx;
        if (!slice_cut(lines, '\n', &line, &rest)) {
            line = lines;
            rest = slice_of(NULL, 0);
        }
        cleanup_buf struct buf notes;
        buf_init(&notes, MESSAGE_MAX);
        if (slice_cut(line, ':', &number, &text) && num_u64(number, UINT64_MAX, &tx) &&
            base64_decode(text, &notes) && !notes.bad) {
            if (!is_own(m->changes, tx)) follow(m, buf_slice(&notes), tx, false, true);
        } else if (line.n) {
            everything(m);
        }
    }
}
