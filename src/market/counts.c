/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counts.c - how many open orders a filter matches, kept right while orders come and go
 *
 * A list's answer says how many orders match in all. Counting 100,000 rows takes 60 ms, and any
 * change would make it necessary again. So the counts of the filters asked lately are kept, and
 * each change is held against those that may concern it: of its resource, and of any.
 *
 * With a shared database a count and the news of a change come over different connections, in any
 * order. A count knows what its statement saw (PostgreSQL's snapshot: the transactions that were
 * committed then); a change tells its transaction; it counts only if the statement did not see it.
 * What is told while the statement is under way waits for its answer.
 */
#include "market/market_int.h"
#include <stdlib.h>

#define LIVE_COUNTS 4096  /* at most, of about 1 KiB */
#define BUCKETS     1024u /* by kind and resource */
#define BUCKET_MAX  64u   /* so many are held against a change, and those of any resource */
#define SIGNERS     1024
#define SIGNER_WAYS 4u /* places of the table in which one may be */
#define RUNNING_MAX 32 /* transactions under way at a count that is kept */
#define DELTA       9u /* bytes: transaction, +1 or -1 */

/* What a statement of a shared database saw. */
struct seen {
    uint64_t below, from, running[RUNNING_MAX];
    size_t n;
};
struct live {
    struct live *next; /* of its bucket */
    struct filter filter;
    struct seen seen; /* all zero: everything but what is told (our own file) */
    int64_t asked_us;
    uint64_t count;
};
/* A count that is asked for, in the fiber that asks. */
struct asking {
    struct asking *next;
    const struct filter *filter;
    struct buf deltas;
    bool lost; /* more has changed than was told */
};
struct by_signer {
    struct addr signer;
    poco_kind kind;
    bool known;
    uint64_t count;
};
struct live_counts {
    struct live *bucket[BUCKETS + POCO_KINDS]; /* the last ones: of any resource */
    size_t n, hand;
    struct asking *asking;
    struct by_signer signers[SIGNERS];
};

struct live_counts *counts_new(void) {
    return calloc(1, sizeof(struct live_counts));
}

static void empty(struct live_counts *c) {
    for (size_t i = 0; i < SR_ARRAY_LEN(c->bucket); i++)
        for (struct live *l; (l = c->bucket[i]);) {
            c->bucket[i] = l->next;
            free(l);
        }
    c->n = 0;
}

void counts_free(struct live_counts *c) {
    if (!c) return;
    empty(c);
    free(c);
}

void counts_flush(struct market *m) {
    empty(m->counts);
    for (struct asking *a = m->counts->asking; a; a = a->next) a->lost = true;
    for (size_t i = 0; i < SIGNERS; i++) m->counts->signers[i].known = false;
}

/* ---- what a statement saw */

/* "below:from:running,running" */
static bool read_seen(struct slice s, struct seen *ret) {
    struct slice below, from, one, rest;
    memset(ret, 0, sizeof *ret);
    if (!slice_cut(s, ':', &below, &rest) || !slice_cut(rest, ':', &from, &rest) ||
        !num_u64(below, UINT64_MAX, &ret->below) || !num_u64(from, UINT64_MAX, &ret->from))
        return false;
    while (rest.n) {
        if (!slice_cut(rest, ',', &one, &rest)) {
            one = rest;
            rest = slice_of(NULL, 0);
        }
        if (ret->n == RUNNING_MAX || !num_u64(one, UINT64_MAX, &ret->running[ret->n++]))
            return false;
    }
    return true;
}

static bool saw(const struct seen *s, uint64_t tx) {
    if (tx == 0 || tx >= s->from) return false;
    if (tx < s->below) return true;
    for (size_t i = 0; i < s->n; i++)
        if (s->running[i] == tx) return false;
    return true;
}

/* ---- counting */

struct counted {
    uint64_t n;
    struct seen seen;
    bool known; /* seen is */
};

static void get_count(void *arg, struct db_rows *r) {
    struct counted *c = arg;
    c->n = db_col_u64(r, 0);
    c->known = db_col_is_null(r, 1) || read_seen(db_col_bytes(r, 1), &c->seen);
}

static sr_status count(struct market *m, const struct filter *f, struct counted *ret,
                       struct sr_err *err) {
    cleanup_sel struct sel s;
    cleanup_buf struct buf sql;
    sel_init(&s);
    filter_sql(f, &s);
    buf_init(&sql, 16384);
    buf_printf(&sql, "SELECT COUNT(*), %s FROM orders%s WHERE kind = %u AND status = 0",
               db_is_shared(m->read) ? "CAST(pg_current_snapshot() AS TEXT)" : "NULL",
               filter_index(f, m->read, false), (unsigned)f->kind);
    buf_add(&sql, buf_slice(&s.where));
    SR_TRY(buf_status(&s.where, err));
    SR_TRY(buf_status(&sql, err));
    struct db_stmt q = {
        .sql = buf_cstr(&sql), .args = s.args, .n = s.n, .row = get_count, .arg = ret};
    return db_run_all(m->read, &q, 1, err);
}

/* resource NULL: any. */
static size_t bucket_of(poco_kind k, const struct addr *resource) {
    if (!resource) return BUCKETS + (size_t)k;
    return (((size_t)resource->b[17] << 16 | (size_t)resource->b[18] << 8 | resource->b[19]) *
                POCO_KINDS +
            (size_t)k) %
           BUCKETS;
}

static struct live *kept(struct live_counts *c, const struct filter *f) {
    struct live *l = c->bucket[bucket_of(f->kind, filter_resource(f))];
    while (l && !filter_same(&l->filter, f)) l = l->next;
    return l;
}

/* Drops the one of a bucket that was asked for longest ago; false: it has none. */
static bool drop_oldest(struct live_counts *c, size_t bucket) {
    struct live **oldest = &c->bucket[bucket];
    if (!*oldest) return false;
    for (struct live **l = oldest; *l; l = &(*l)->next)
        if ((*l)->asked_us < (*oldest)->asked_us) oldest = l;
    struct live *gone = *oldest;
    *oldest = gone->next;
    free(gone);
    c->n--;
    return true;
}

static void make_room(struct live_counts *c, size_t bucket) {
    size_t n = 0;
    for (struct live *l = c->bucket[bucket]; l; l = l->next) n++;
    if (n >= BUCKET_MAX && drop_oldest(c, bucket)) return;
    while (c->n >= LIVE_COUNTS && !drop_oldest(c, c->hand++ % SR_ARRAY_LEN(c->bucket))) continue;
}

/* The answer has come: with what was told meanwhile it is the present count. Room is not worth a
 * failure: without it the count is simply not kept. */
static void keep(struct live_counts *c, const struct asking *a, const struct counted *answer) {
    if (!answer->known || a->lost || a->deltas.bad || kept(c, a->filter)) return;
    size_t bucket = bucket_of(a->filter->kind, filter_resource(a->filter));
    struct live *l = sr_calloc_n(1, sizeof *l);
    if (!l) return;
    make_room(c, bucket);
    *l = (struct live){c->bucket[bucket], *a->filter, answer->seen, clock_mono_us(), answer->n};
    struct rd r = rd_of(buf_slice(&a->deltas));
    while (rd_left(&r) >= DELTA) {
        uint64_t tx = rd_u64(&r);
        uint8_t more = rd_u8(&r);
        if (!saw(&l->seen, tx)) l->count += more ? 1u : (uint64_t)-1;
    }
    c->bucket[bucket] = l;
    c->n++;
}

sr_status counts_get(struct market *m, const struct filter *f, uint64_t *ret, struct sr_err *err) {
    struct live_counts *c = m->counts;
    struct live *l = kept(c, f);
    if (l) {
        *ret = l->count;
        l->asked_us = clock_mono_us();
        return SR_OK;
    }
    struct asking a = {.next = c->asking, .filter = f};
    struct counted answer = {0};
    buf_init(&a.deltas, 1u << 20);
    c->asking = &a;
    sr_status st = count(m, f, &answer, err);
    struct asking **at = &c->asking;
    while (*at != &a) at = &(*at)->next;
    *at = a.next;
    if (st == SR_OK) {
        keep(c, &a, &answer);
        *ret = answer.n;
    }
    buf_done(&a.deltas);
    return st;
}

/* ---- signers */

/* The first of its places. */
static struct by_signer *signer_set(struct market *m, poco_kind k, const struct addr *a) {
    size_t h = (size_t)a->b[17] << 16 | (size_t)a->b[18] << 8 | a->b[19];
    return &m->counts->signers[(h * POCO_KINDS + (size_t)k) * SIGNER_WAYS % SIGNERS];
}

static struct by_signer *signer_known(struct market *m, poco_kind k, const struct addr *a) {
    struct by_signer *s = signer_set(m, k, a);
    for (size_t i = 0; i < SIGNER_WAYS; i++)
        if (s[i].known && s[i].kind == k && addr_eq(&s[i].signer, a)) return &s[i];
    return NULL;
}

/* A free one, else that of whoever has least to count. */
static struct by_signer *signer_place(struct market *m, poco_kind k, const struct addr *a) {
    struct by_signer *s = signer_set(m, k, a), *best = s;
    for (size_t i = 0; i < SIGNER_WAYS; i++) {
        if (!s[i].known) return &s[i];
        if (s[i].count < best->count) best = &s[i];
    }
    return best;
}

sr_status counts_open(struct market *m, poco_kind k, const struct addr *signer, uint64_t *ret,
                      struct sr_err *err) {
    struct by_signer *s = signer_known(m, k, signer);
    if (!s) {
        uint64_t n;
        SR_TRY(db_get_u64(
            m->db, "SELECT COUNT(*) FROM orders WHERE signer = $1 AND kind = $2 AND status = 0",
            DB_ARGS(db_addr(signer), db_u64(k)), &n, err));
        s = signer_place(m, k, signer);
        *s = (struct by_signer){*signer, k, true, n};
    }
    *ret = s->count;
    return SR_OK;
}

static void signer_changed(struct market *m, const struct order_row *r, int by, bool others) {
    struct by_signer *s =
        r && r->status == ORDER_OPEN ? signer_known(m, r->kind, &r->signer) : NULL;
    if (!s) return;
    if (others)
        s->known = false; /* counted before or after that? */
    else
        s->count += (uint64_t)(int64_t)by;
}

/* ---- changes */

static void follow(struct live *l, const struct order_row *before, const struct order_row *after,
                   uint64_t tx) {
    for (; l; l = l->next) {
        if (saw(&l->seen, tx)) continue;
        bool was = before && filter_matches(&l->filter, before),
             is = after && filter_matches(&l->filter, after);
        if (was != is) l->count += is ? 1u : (uint64_t)-1;
    }
}

void counts_changed(struct market *m, const struct order_row *before, const struct order_row *after,
                    uint64_t tx, bool others) {
    struct live_counts *c = m->counts;
    const struct order_row *r = after ? after : before;
    follow(c->bucket[bucket_of(r->kind, &r->resource)], before, after, tx);
    follow(c->bucket[bucket_of(r->kind, NULL)], before, after, tx);
    for (struct asking *a = c->asking; a; a = a->next) {
        bool was = before && filter_matches(a->filter, before),
             is = after && filter_matches(a->filter, after);
        if (was == is) continue;
        buf_u64(&a->deltas, tx);
        buf_u8(&a->deltas, is);
    }
    signer_changed(m, before, -1, others);
    signer_changed(m, after, 1, others);
}
