/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counts.c - how many open orders a filter matches, kept right while orders come and go
 *
 * A list's answer says how many orders match in all. Counting 100,000 rows takes 60 ms, and any
 * change would make it necessary again. So the counts of the filters asked lately are kept, and a
 * change asks each of them about the one order that changes, before and after.
 */
#include "market/market_int.h"
#include <stdlib.h>

#define LIVE_COUNTS  24  /* at most 64: one bit each */
#define LIVE_MIN     500 /* smaller counts are counted */
#define LIVE_IDLE_US 60000000
#define SIGNERS      4096

struct live {
    poco_kind kind;
    int64_t asked_us;
    struct sel sel;
    char *sql; /* does this order match? */
    uint64_t count;
};
struct by_signer {
    struct addr signer;
    poco_kind kind;
    bool known;
    uint64_t count;
};
struct live_counts {
    struct live e[LIVE_COUNTS];
    size_t n;
    struct by_signer signers[SIGNERS];
};

struct live_counts *counts_new(void) {
    return calloc(1, sizeof(struct live_counts));
}

static void live_done(struct live *l) {
    sel_done(&l->sel);
    free(l->sql);
    *l = (struct live){0};
}

void counts_flush(struct market *m) {
    for (size_t i = 0; i < m->counts->n; i++) live_done(&m->counts->e[i]);
    m->counts->n = 0;
    for (size_t i = 0; i < SIGNERS; i++) m->counts->signers[i].known = false;
}

void counts_free(struct market *m) {
    if (!m->counts) return;
    counts_flush(m);
    free(m->counts);
}

static bool same(const struct sel *a, const struct sel *b) {
    if (a->n != b->n || !slice_eq(buf_slice(&a->where), buf_slice(&b->where))) return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->args[i].type != b->args[i].type || a->args[i].i != b->args[i].i ||
            !slice_eq(a->args[i].s, b->args[i].s))
            return false;
    return true;
}

/* Counting a large one again costs most, so the smallest gives way, or one that nobody asks for any
 * more. LIVE_COUNTS: all are worth more. */
static size_t place_for(struct live_counts *c, uint64_t count) {
    int64_t old = clock_mono_us() - LIVE_IDLE_US;
    if (c->n < LIVE_COUNTS) return c->n++;
    size_t least = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (c->e[i].asked_us < old) return i;
        if (c->e[i].count < c->e[least].count) least = i;
    }
    return c->e[least].count < count ? least : LIVE_COUNTS;
}

/* Room is not worth a failure: without it the count is simply not kept. */
static void keep(struct market *m, poco_kind k, const struct sel *s, uint64_t count) {
    struct live_counts *c = m->counts;
    struct live l = {.kind = k, .count = count};
    sel_init(&l.sel);
    buf_add(&l.sel.where, buf_slice(&s->where));
    l.sel.n = s->n;
    memcpy(l.sel.mem, s->mem, sizeof s->mem);
    for (size_t i = 0; i < s->n; i++) {
        l.sel.args[i] = s->args[i]; /* blobs lie in mem */
        if (s->args[i].s.n) l.sel.args[i].s.p = l.sel.mem[i];
    }
    struct buf sql;
    buf_init(&sql, 16384);
    buf_printf(&sql, "SELECT COUNT(*) FROM orders WHERE hash = $%zu AND kind = %u AND status = 0",
               s->n + 1, (unsigned)k);
    buf_add(&sql, buf_slice(&s->where));
    if (l.sel.where.bad || sql.bad) {
        buf_done(&sql);
        live_done(&l);
        return;
    }
    l.sql = (char *)sql.p;
    size_t at = place_for(c, count);
    if (at == LIVE_COUNTS) {
        live_done(&l);
        return;
    }
    l.asked_us = clock_mono_us();
    live_done(&c->e[at]);
    c->e[at] = l;
    for (size_t i = 0; i < l.sel.n; i++) /* it has moved */
        if (c->e[at].sel.args[i].s.n) c->e[at].sel.args[i].s.p = c->e[at].sel.mem[i];
}

sr_status counts_get(struct market *m, poco_kind k, const struct sel *s, uint64_t *ret,
                     struct sr_err *err) {
    for (size_t i = 0; i < m->counts->n; i++)
        if (m->counts->e[i].kind == k && same(&m->counts->e[i].sel, s)) {
            *ret = m->counts->e[i].count;
            m->counts->e[i].asked_us = clock_mono_us();
            return SR_OK;
        }
    cleanup_buf struct buf sql;
    buf_init(&sql, 16384);
    buf_printf(&sql, "SELECT COUNT(*) FROM orders WHERE kind = %u AND status = 0", (unsigned)k);
    buf_add(&sql, buf_slice(&s->where));
    SR_TRY(buf_status(&sql, err));
    SR_TRY(db_get_u64(m->db, buf_cstr(&sql), s->args, s->n, ret, err));
    if (*ret >= LIVE_MIN) keep(m, k, s, *ret);
    return SR_OK;
}

uint64_t counts_mask(struct market *m, poco_kind k, const struct hash *h) {
    uint64_t mask = 0;
    for (size_t i = 0; i < m->counts->n; i++) {
        const struct live *l = &m->counts->e[i];
        if (l->kind != k) continue;
        struct db_val args[SEL_ARGS + 1];
        uint64_t hit;
        memcpy(args, l->sel.args, l->sel.n * sizeof *args);
        args[l->sel.n] = db_hash(h);
        if (db_get_u64(m->db, l->sql, args, l->sel.n + 1, &hit, NULL) != SR_OK) {
            counts_flush(m); /* the change itself will meet and tell that failure */
            return 0;
        }
        if (hit) mask |= (uint64_t)1 << i;
    }
    return mask;
}

void counts_changed(struct market *m, poco_kind k, const struct hash *h, uint64_t before) {
    uint64_t after = counts_mask(m, k, h);
    for (size_t i = 0; i < m->counts->n; i++) {
        struct live *l = &m->counts->e[i];
        bool was = before >> i & 1, is = after >> i & 1;
        if (l->kind == k && was != is) l->count += is ? 1u : (uint64_t)-1;
    }
}

static struct by_signer *signer_slot(struct market *m, poco_kind k, const struct addr *a) {
    size_t h = (size_t)a->b[17] << 16 | (size_t)a->b[18] << 8 | a->b[19];
    return &m->counts->signers[(h * 4 + (size_t)k) % SIGNERS];
}

sr_status counts_open(struct market *m, poco_kind k, const struct addr *signer, uint64_t *ret,
                      struct sr_err *err) {
    struct by_signer *s = signer_slot(m, k, signer);
    if (!s->known || s->kind != k || !addr_eq(&s->signer, signer)) {
        uint64_t n;
        SR_TRY(db_get_u64(
            m->db, "SELECT COUNT(*) FROM orders WHERE signer = $1 AND kind = $2 AND status = 0",
            DB_ARGS(db_addr(signer), db_u64(k)), &n, err));
        *s = (struct by_signer){*signer, k, true, n};
    }
    *ret = s->count;
    return SR_OK;
}

void counts_open_changed(struct market *m, poco_kind k, const struct addr *signer, bool was,
                         bool is) {
    struct by_signer *s = signer_slot(m, k, signer);
    if (s->known && s->kind == k && addr_eq(&s->signer, signer) && was != is)
        s->count += is ? 1u : (uint64_t)-1;
}
