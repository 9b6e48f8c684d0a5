/* SPDX-License-Identifier: Apache-2.0 */
/*
 * share.c - DataProtectorSharing's events become rows: collections, subscriptions, rentals, sales
 *
 * What happened once (a rental, a sale) is a row of its own, with its block. What can change (a
 * collection's owner, how a data set is offered) is a row whose old state is kept, so that a
 * rollback puts it back.   SPEC: dataprotector.md#94-read-methods-and-their-queries
 */
#include "market/market_int.h"

/* A table whose rows change: `cols` are all of its columns, `id` the first. */
struct kept {
    const char *save, *restore[4], *prune;
};
#define KEPT(table, id, cols)                                                                      \
    {                                                                                              \
        .save = "INSERT INTO " table "_undo (u_block, u_seq, " cols ") SELECT $1, (SELECT "        \
                "COALESCE(MAX(u_seq), 0) + 1 FROM " table "_undo WHERE u_block = $1), " cols       \
                " FROM " table " WHERE " id " = $2",                                               \
        .restore =                                                                                 \
            {                                                                                      \
                "DELETE FROM " table " WHERE " id " IN (SELECT " id " FROM " table                 \
                "_undo WHERE u_block > $1)",                                                       \
                "INSERT INTO " table " (" cols ") SELECT " cols " FROM " table                     \
                "_undo AS u WHERE u.u_block > $1 AND NOT EXISTS (SELECT 1 FROM " table             \
                "_undo AS o WHERE o." id " = u." id " AND o.u_block > $1 AND (o.u_block < "        \
                "u.u_block OR (o.u_block = u.u_block AND o.u_seq < u.u_seq)))",                    \
                "DELETE FROM " table "_undo WHERE u_block > $1",                                   \
                "DELETE FROM " table " WHERE block > $1",                                          \
            },                                                                                     \
        .prune = "DELETE FROM " table "_undo WHERE u_block < $1",                                  \
    }
static const struct kept kept[] = {
#define COLLECTION (&kept[0])
    KEPT("collection", "id", "id, owner, price, duration, block, time, tx"),
#define OFFER (&kept[1])
    KEPT("offer", "data",
         "data, collection, whitelist, bundled, rentable, for_sale, rent_price, rent_duration, "
         "sale_price, block"),
#define WHITELIST (&kept[2])
    KEPT("whitelist", "id", "id, owner, block"),
};

static sr_status save(struct market *m, const struct kept *k, struct db_val id, uint64_t block,
                      struct sr_err *err) {
    return db_run(m->db, k->save, DB_ARGS(db_u64(block), id), err);
}

sr_status share_rollback(struct market *m, uint64_t keep, struct sr_err *err) {
    for (size_t i = 0; i < SR_ARRAY_LEN(kept); i++)
        for (size_t s = 0; s < SR_ARRAY_LEN(kept[i].restore); s++)
            SR_TRY(db_run(m->db, kept[i].restore[s], DB_ARGS(db_u64(keep)), err));
    SR_TRY(db_run(m->db, "DELETE FROM share_event WHERE block > $1", DB_ARGS(db_u64(keep)), err));
    return db_run(m->db, "DELETE FROM whitelist_app WHERE block > $1", DB_ARGS(db_u64(keep)), err);
}

sr_status share_prune(struct market *m, uint64_t before, struct sr_err *err) {
    for (size_t i = 0; i < SR_ARRAY_LEN(kept); i++)
        SR_TRY(db_run(m->db, kept[i].prune, DB_ARGS(db_u64(before)), err));
    return SR_OK;
}

bool share_is_event(const struct market *m, const struct eth_log *l, poco_event e) {
    if (!m->has_sharing) return false;
    if (e == POCO_EV_WHITELIST_APP) return true; /* of a list that we know: share_row sees to it */
    if (e == POCO_EV_TRANSFER721)
        return addr_eq(&l->address, &m->sharing) || addr_eq(&l->address, &m->whitelist_registry);
    return e >= POCO_EV_SHARE_MOVED && e <= POCO_EV_SHARE_CONSUMED &&
           addr_eq(&l->address, &m->sharing);
}

/* A collection's number; one that does not fit is none of our contract's. */
static bool number(const struct abi_val *v, uint64_t *ret) {
    return u256_to_u64(v->num, ret) && *ret <= INT64_MAX;
}

static sr_status collection_moved(struct market *m, const struct eth_log *l,
                                  const struct poco_log *ev, uint64_t time, struct sr_err *err) {
    uint64_t id;
    const struct addr *to = &ev->arg[1].addr;
    if (!number(&ev->arg[2], &id)) return SR_OK;
    /* a burnt one belongs to nobody, who is an account then, as in the official index */
    SR_TRY(db_run(m->db,
                  "INSERT INTO account (id, block) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
                  DB_ARGS(db_addr(to), db_u64(l->block)), err));
    SR_TRY(save(m, COLLECTION, db_u64(id), l->block, err));
    return db_run(m->db,
                  "INSERT INTO collection (id, owner, block, time, tx) VALUES ($1, $2, $3, $4, $5) "
                  "ON CONFLICT (id) DO UPDATE SET owner = excluded.owner",
                  DB_ARGS(db_u64(id), db_addr(to), db_u64(l->block), db_u64(time), db_hash(&l->tx)),
                  err);
}

static sr_status whitelist_moved(struct market *m, const struct eth_log *l,
                                 const struct poco_log *ev, struct sr_err *err) {
    struct addr id;
    memcpy(id.b, l->topics[3].b + 12, 20);
    SR_TRY(save(m, WHITELIST, db_addr(&id), l->block, err));
    SR_TRY(db_run(m->db,
                  "INSERT INTO account (id, block) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
                  DB_ARGS(db_addr(&ev->arg[1].addr), db_u64(l->block)), err));
    return db_run(
        m->db,
        "INSERT INTO whitelist (id, owner, block) VALUES ($1, $2, $3) ON CONFLICT (id) DO "
        "UPDATE SET owner = excluded.owner",
        DB_ARGS(db_addr(&id), db_addr(&ev->arg[1].addr), db_u64(l->block)), err);
}

static sr_status whitelist_app(struct market *m, const struct eth_log *l, const struct poco_log *ev,
                               struct sr_err *err) {
    uint64_t known;
    SR_TRY(db_get_u64(m->db, "SELECT COUNT(*) FROM whitelist WHERE id = $1",
                      DB_ARGS(db_addr(&l->address)), &known, err));
    if (!known) return SR_OK;
    return db_run(m->db,
                  "INSERT INTO whitelist_app (whitelist, app, block) VALUES ($1, $2, $3) ON "
                  "CONFLICT (whitelist, app) DO NOTHING",
                  DB_ARGS(db_addr(&l->address), db_addr(&ev->arg[0].addr), db_u64(l->block)), err);
}

/* Keeps the old state of a data set's offer, makes one where there is none. */
static sr_status change_offer(struct market *m, const struct addr *data, uint64_t block,
                              struct sr_err *err) {
    SR_TRY(db_run(m->db,
                  "INSERT INTO offer (data, bundled, rentable, for_sale, block) VALUES ($1, 0, 0, "
                  "0, $2) ON CONFLICT (data) DO NOTHING",
                  DB_ARGS(db_addr(data), db_u64(block)), err));
    return save(m, OFFER, db_addr(data), block, err);
}

static sr_status data_moved(struct market *m, const struct eth_log *l, const struct poco_log *ev,
                            struct sr_err *err) {
    uint64_t to;
    const struct addr *data = &ev->arg[0].addr, *list = &ev->arg[3].addr;
    if (!number(&ev->arg[1], &to)) return SR_OK;
    SR_TRY(change_offer(m, data, l->block, err));
    return db_run(m->db, "UPDATE offer SET collection = $2, whitelist = $3 WHERE data = $1",
                  DB_ARGS(db_addr(data), to ? db_u64(to) : db_null(),
                          addr_is_zero(list) ? db_null() : db_addr(list)),
                  err);
}

/* sql sets flags of the data set $1. */
static sr_status flags(struct market *m, const struct eth_log *l, const struct addr *data,
                       const char *sql, struct sr_err *err) {
    SR_TRY(change_offer(m, data, l->block, err));
    return db_run(m->db, sql, DB_ARGS(db_addr(data)), err);
}

static sr_status rentable(struct market *m, const struct eth_log *l, const struct poco_log *ev,
                          struct sr_err *err) {
    char p[U256_DEC_MAX];
    uint64_t seconds = INT64_MAX;
    u256_to_dec(p, ev->arg[2].num);
    (void)!u256_to_u64(ev->arg[3].num, &seconds);
    SR_TRY(change_offer(m, &ev->arg[1].addr, l->block, err));
    return db_run(m->db,
                  "UPDATE offer SET rentable = 1, rent_price = $2, rent_duration = $3 WHERE data = "
                  "$1",
                  DB_ARGS(db_addr(&ev->arg[1].addr), db_str(p), db_u64(seconds)), err);
}

static sr_status for_sale(struct market *m, const struct eth_log *l, const struct poco_log *ev,
                          struct sr_err *err) {
    char p[U256_DEC_MAX];
    u256_to_dec(p, ev->arg[2].num);
    SR_TRY(change_offer(m, &ev->arg[1].addr, l->block, err));
    return db_run(m->db, "UPDATE offer SET for_sale = 1, sale_price = $2 WHERE data = $1",
                  DB_ARGS(db_addr(&ev->arg[1].addr), db_str(p)), err);
}

static sr_status params(struct market *m, const struct eth_log *l, const struct poco_log *ev,
                        struct sr_err *err) {
    uint64_t id, seconds = INT64_MAX;
    char p[U256_DEC_MAX];
    if (!number(&ev->arg[0], &id)) return SR_OK;
    u256_to_dec(p, ev->arg[1].num);
    (void)!u256_to_u64(ev->arg[2].num, &seconds);
    SR_TRY(save(m, COLLECTION, db_u64(id), l->block, err));
    return db_run(m->db, "UPDATE collection SET price = $2, duration = $3 WHERE id = $1",
                  DB_ARGS(db_u64(id), db_str(p), db_u64(seconds)), err);
}

/* One row; price is what the terms said when it happened, which nobody can pay more or less than.
 */
#define HAPPENED(price)                                                                            \
    "INSERT INTO share_event (id, kind, collection, data, who, until, deal, mode, block, log,"     \
    " time, tx, price, payee) VALUES ($1, $2, COALESCE($3, (SELECT o.collection FROM offer AS o"   \
    " WHERE o.data = $4)), $4, $5, $6, $7, $8, $9, $10, $11, $12, " price                          \
    ", (SELECT c.owner FROM collection AS c WHERE c.id = $3))"
static const char *const happened_sql[] = {
    [SHARE_SUBSCRIPTION] = HAPPENED("(SELECT c.price FROM collection AS c WHERE c.id = $3)"),
    [SHARE_RENTAL] = HAPPENED("(SELECT o.rent_price FROM offer AS o WHERE o.data = $4)"),
    [SHARE_SALE] = HAPPENED("(SELECT o.sale_price FROM offer AS o WHERE o.data = $4)"),
    [SHARE_CONSUMPTION] = HAPPENED("NULL"),
};

/* Something that happened: who NULL, data NULL, deal NULL where there is none. */
struct happening {
    share_kind kind;
    const struct abi_val *collection;
    const struct addr *data, *who;
    const struct hash *deal;
    struct u256 until;
    uint64_t mode;
};
static sr_status happened(struct market *m, const struct eth_log *l, uint64_t time,
                          const struct happening *h, struct sr_err *err) {
    uint64_t collection = 0, until = INT64_MAX;
    if (h->collection && !number(h->collection, &collection)) return SR_OK;
    (void)!u256_to_u64(h->until, &until);
    uint8_t id[36]; /* transaction, then the log's number, little-endian: the official ids */
    memcpy(id, l->tx.b, 32);
    for (unsigned i = 0; i < 4; i++) id[32 + i] = (uint8_t)(l->index >> (8 * i));
    if (h->who)
        SR_TRY(db_run(m->db,
                      "INSERT INTO account (id, block) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
                      DB_ARGS(db_addr(h->who), db_u64(l->block)), err));
    return db_run(m->db, happened_sql[h->kind],
                  DB_ARGS(db_blob(slice_of(id, sizeof id)), db_u64(h->kind),
                          h->collection ? db_u64(collection) : db_null(),
                          h->data ? db_addr(h->data) : db_null(),
                          h->who ? db_addr(h->who) : db_null(), db_u64(until),
                          h->deal ? db_hash(h->deal) : db_null(), db_u64(h->mode), db_u64(l->block),
                          db_u64(l->index), db_u64(time), db_hash(&l->tx)),
                  err);
}

sr_status share_data_moved(struct market *m, const struct addr *data, uint64_t block,
                           struct sr_err *err) {
    SR_TRY(save(m, OFFER, db_addr(data), block, err));
    return db_run(m->db, "UPDATE offer SET bundled = 0, rentable = 0, for_sale = 0 WHERE data = $1",
                  DB_ARGS(db_addr(data)), err);
}

sr_status share_row(struct market *m, const struct eth_log *l, const struct poco_log *ev,
                    uint64_t time, struct sr_err *err) {
    const struct abi_val *v = ev->arg;
    market_changed(m);
    switch (ev->event) {
    case POCO_EV_TRANSFER721:
        return addr_eq(&l->address, &m->sharing) ? collection_moved(m, l, ev, time, err)
                                                 : whitelist_moved(m, l, ev, err);
    case POCO_EV_WHITELIST_APP: return whitelist_app(m, l, ev, err);
    case POCO_EV_SHARE_MOVED: return data_moved(m, l, ev, err);
    case POCO_EV_SHARE_PARAMS: return params(m, l, ev, err);
    case POCO_EV_SHARE_BUNDLED:
        return flags(m, l, &v[1].addr, "UPDATE offer SET bundled = 1 WHERE data = $1", err);
    case POCO_EV_SHARE_UNBUNDLED:
        return flags(m, l, &v[1].addr, "UPDATE offer SET bundled = 0 WHERE data = $1", err);
    case POCO_EV_SHARE_RENTABLE: return rentable(m, l, ev, err);
    case POCO_EV_SHARE_UNRENTABLE:
        return flags(m, l, &v[1].addr, "UPDATE offer SET rentable = 0 WHERE data = $1", err);
    case POCO_EV_SHARE_FOR_SALE: return for_sale(m, l, ev, err);
    case POCO_EV_SHARE_NOT_FOR_SALE:
        return flags(m, l, &v[1].addr, "UPDATE offer SET for_sale = 0 WHERE data = $1", err);
    case POCO_EV_SHARE_SUBSCRIPTION: {
        const struct happening h = {
            .kind = SHARE_SUBSCRIPTION, .collection = &v[0], .who = &v[1].addr, .until = v[2].num};
        return happened(m, l, time, &h, err);
    }
    case POCO_EV_SHARE_RENTAL: {
        const struct happening h = {.kind = SHARE_RENTAL,
                                    .collection = &v[0],
                                    .data = &v[1].addr,
                                    .who = &v[2].addr,
                                    .until = v[3].num};
        return happened(m, l, time, &h, err);
    }
    case POCO_EV_SHARE_SOLD: {
        const struct happening h = {
            .kind = SHARE_SALE, .collection = &v[0], .who = &v[1].addr, .data = &v[2].addr};
        SR_TRY(happened(m, l, time, &h, err));
        /* the contract forgets all about it */
        return flags(m, l, &v[2].addr,
                     "UPDATE offer SET collection = NULL, whitelist = NULL, bundled = 0, rentable "
                     "= 0, for_sale = 0 WHERE data = $1",
                     err);
    }
    case POCO_EV_SHARE_CONSUMED: {
        const struct happening h = {.kind = SHARE_CONSUMPTION,
                                    .deal = &v[0].hash,
                                    .data = &v[1].addr,
                                    .mode = v[2].num.w[0]};
        return happened(m, l, time, &h, err);
    }
    default: return SR_OK;
    }
}
