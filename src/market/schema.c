/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c - the market's tables
 *
 * Rows of the chain carry their block, so that a reorg is a delete; what is changed instead of
 * added (orders, owners) leaves its old state in an undo table. Tags are five words of 52 bits,
 * lowest first, so that bits are tested in SQL.
 */
#include "market/market_int.h"

/* All that comes from the chain; orders stay, and events only confirm how they stand. */
#define CHAIN_ROWS_GONE                                                                            \
    "DELETE FROM mark; DELETE FROM order_undo; DELETE FROM owner_undo; DELETE FROM category;"      \
    "DELETE FROM deal; DELETE FROM task_event; DELETE FROM resource; DELETE FROM account;"         \
    "DELETE FROM event; DELETE FROM schema_entry; DELETE FROM collection;"                         \
    "DELETE FROM collection_undo; DELETE FROM offer; DELETE FROM offer_undo;"                      \
    "DELETE FROM whitelist; DELETE FROM whitelist_undo; DELETE FROM whitelist_app;"                \
    "DELETE FROM share_event; DELETE FROM closed;"

static const char *const steps[] = {
    "CREATE TABLE orders (hash BYTEA NOT NULL UNIQUE, kind BIGINT NOT NULL, status BIGINT NOT NULL,"
    " signer BYTEA NOT NULL, resource BYTEA NOT NULL, price BIGINT NOT NULL,"
    " volume BIGINT NOT NULL, remaining BIGINT NOT NULL, tag0 BIGINT NOT NULL,"
    " tag1 BIGINT NOT NULL, tag2 BIGINT NOT NULL, tag3 BIGINT NOT NULL, tag4 BIGINT NOT NULL,"
    " category BIGINT NOT NULL,"
    " trust BIGINT NOT NULL, bulk BIGINT NOT NULL, stake BIGINT NOT NULL,"
    " app BYTEA, dataset BYTEA, workerpool BYTEA, requester BYTEA, beneficiary BYTEA,"
    " published BIGINT NOT NULL, json TEXT NOT NULL);"
    /* One set of indexes for the open orders of each kind. A book is asked either by resource or
     * for any, mostly with restrictions that are equal to something; then pages come in order and
     * counts need the index alone. */
    "CREATE INDEX app_any ON orders (price, published, hash, dataset, workerpool, requester, tag0,"
    " remaining) WHERE kind = 0 AND status = 0;"
    "CREATE INDEX app_public ON orders (dataset, workerpool, requester, price, published, hash,"
    " tag0, remaining) WHERE kind = 0 AND status = 0;"
    "CREATE INDEX app_resource ON orders (resource, dataset, workerpool, requester, price,"
    " published, hash, tag0, remaining) WHERE kind = 0 AND status = 0;"
    "CREATE INDEX dataset_any ON orders (price, published, hash, app, workerpool, requester, tag0,"
    " remaining) WHERE kind = 1 AND status = 0;"
    "CREATE INDEX dataset_public ON orders (app, workerpool, requester, price, published, hash,"
    " tag0, remaining) WHERE kind = 1 AND status = 0;"
    "CREATE INDEX dataset_resource ON orders (resource, app, workerpool, requester, price,"
    " published, hash, tag0, remaining) WHERE kind = 1 AND status = 0;"
    "CREATE INDEX workerpool_any ON orders (price, published, hash, app, dataset, requester,"
    " category, trust, tag0, remaining) WHERE kind = 2 AND status = 0;"
    "CREATE INDEX workerpool_public ON orders (app, dataset, requester, category, price, published,"
    " hash, trust, tag0, remaining) WHERE kind = 2 AND status = 0;"
    "CREATE INDEX workerpool_resource ON orders (resource, app, dataset, requester, category,"
    " price, published, hash, trust, tag0, remaining) WHERE kind = 2 AND status = 0;"
    "CREATE INDEX request_any ON orders (price DESC, published, hash, workerpool, category, trust,"
    " tag0, remaining) WHERE kind = 3 AND status = 0;"
    "CREATE INDEX request_public ON orders (workerpool, category, price DESC, published, hash,"
    " trust, tag0, remaining) WHERE kind = 3 AND status = 0;"
    "CREATE INDEX request_resource ON orders (resource, workerpool, category, price DESC,"
    " published, hash, trust, tag0, remaining) WHERE kind = 3 AND status = 0;"
    "CREATE INDEX request_dataset ON orders (dataset) WHERE kind = 3 AND status = 0;"
    "CREATE INDEX request_requester ON orders (requester) WHERE kind = 3 AND status = 0;"
    "CREATE INDEX orders_resource ON orders (resource, kind, status);"
    "CREATE INDEX orders_signer ON orders (signer, kind, status);"
    "CREATE TABLE order_undo (block BIGINT NOT NULL, seq BIGINT NOT NULL, hash BYTEA NOT NULL,"
    " status BIGINT NOT NULL, remaining BIGINT NOT NULL);"
    "CREATE INDEX order_undo_block ON order_undo (block, seq);"
    "CREATE TABLE challenge (who BYTEA NOT NULL UNIQUE, challenge TEXT NOT NULL,"
    " made BIGINT NOT NULL);"
    "CREATE TABLE mark (number BIGINT NOT NULL PRIMARY KEY, hash BYTEA NOT NULL);"
    "CREATE TABLE category (id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL,"
    " description TEXT NOT NULL, timeref BIGINT NOT NULL, tx BYTEA NOT NULL,"
    " block BIGINT NOT NULL, time BIGINT NOT NULL);"
    "CREATE INDEX category_block ON category (block);"
    "CREATE TABLE deal (id BYTEA NOT NULL UNIQUE, block BIGINT NOT NULL, log BIGINT NOT NULL,"
    " time BIGINT NOT NULL, tx BYTEA NOT NULL, app BYTEA NOT NULL, dataset BYTEA NOT NULL,"
    " workerpool BYTEA NOT NULL, app_owner BYTEA NOT NULL, dataset_owner BYTEA NOT NULL,"
    " workerpool_owner BYTEA NOT NULL, requester BYTEA NOT NULL, beneficiary BYTEA NOT NULL,"
    " app_hash BYTEA NOT NULL, dataset_hash BYTEA NOT NULL, workerpool_hash BYTEA NOT NULL,"
    " request_hash BYTEA NOT NULL, category BIGINT NOT NULL, volume BIGINT NOT NULL,"
    " price BIGINT NOT NULL, app_price BIGINT NOT NULL, dataset_price BIGINT NOT NULL,"
    " trust BIGINT NOT NULL, tag BYTEA NOT NULL, callback BYTEA NOT NULL, params TEXT NOT NULL,"
    " start BIGINT NOT NULL, bot_first BIGINT NOT NULL, worker_stake BIGINT NOT NULL,"
    " scheduler_ratio BIGINT NOT NULL, sponsor BYTEA NOT NULL, json TEXT NOT NULL);"
    "CREATE INDEX deal_block ON deal (block, id);"
    "CREATE INDEX deal_requester ON deal (requester, block);"
    "CREATE INDEX deal_app ON deal (app, block);"
    "CREATE INDEX deal_dataset ON deal (dataset, block);"
    "CREATE INDEX deal_workerpool ON deal (workerpool, block);"
    "CREATE INDEX deal_app_hash ON deal (app_hash, block);"
    "CREATE INDEX deal_dataset_hash ON deal (dataset_hash, block);"
    "CREATE INDEX deal_workerpool_hash ON deal (workerpool_hash, block);"
    "CREATE INDEX deal_request_hash ON deal (request_hash, block);"
    "CREATE TABLE task_event (task BYTEA NOT NULL, block BIGINT NOT NULL, log BIGINT NOT NULL,"
    " time BIGINT NOT NULL, deal BYTEA NOT NULL, idx TEXT NOT NULL, status BIGINT NOT NULL,"
    " results BYTEA NOT NULL, digest BYTEA NOT NULL, tx BYTEA NOT NULL,"
    " contribution_deadline BIGINT NOT NULL, reveal_deadline BIGINT NOT NULL,"
    " final_deadline BIGINT NOT NULL, consensus BYTEA NOT NULL, callback BYTEA NOT NULL);"
    "CREATE INDEX task_event_task ON task_event (task, block, log);"
    "CREATE INDEX task_event_deal ON task_event (deal);"
    "CREATE INDEX task_event_block ON task_event (block, log);"
    "CREATE TABLE resource (address BYTEA NOT NULL UNIQUE, kind BIGINT NOT NULL,"
    " owner BYTEA NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, multiaddr TEXT NOT NULL,"
    " raw BYTEA NOT NULL, mrenclave BYTEA NOT NULL, stake_ratio BIGINT NOT NULL,"
    " reward_ratio BIGINT NOT NULL,"
    " checksum BYTEA NOT NULL, schema TEXT, block BIGINT NOT NULL, log BIGINT NOT NULL,"
    " time BIGINT NOT NULL, tx BYTEA NOT NULL);"
    "CREATE INDEX resource_owner ON resource (kind, owner, block, log);"
    "CREATE INDEX resource_block ON resource (block);"
    "CREATE INDEX resource_kind ON resource (kind, block, log);"
    "CREATE TABLE owner_undo (block BIGINT NOT NULL, seq BIGINT NOT NULL, address BYTEA NOT NULL,"
    " owner BYTEA NOT NULL);"
    "CREATE INDEX owner_undo_block ON owner_undo (block, seq);"
    /* for the subgraphs: who was ever named, every event, entries of data schemas */
    "CREATE TABLE account (id BYTEA NOT NULL UNIQUE, block BIGINT NOT NULL);"
    "CREATE INDEX account_block ON account (block);"
    "CREATE TABLE event (block BIGINT NOT NULL, log BIGINT NOT NULL, kind TEXT NOT NULL,"
    " tx BYTEA NOT NULL, time BIGINT NOT NULL, account BYTEA, other BYTEA, task BYTEA, deal BYTEA,"
    " resource BYTEA, value BIGINT, hash BYTEA, data BYTEA);"
    "CREATE INDEX event_block ON event (block, log);"
    "CREATE INDEX event_kind ON event (kind, block, log);"
    "CREATE INDEX event_tx ON event (tx);"
    "CREATE INDEX event_account ON event (account, kind);"
    "CREATE INDEX event_other ON event (other, kind);"
    "CREATE INDEX event_task ON event (task);"
    "CREATE INDEX event_deal ON event (deal);"
    "CREATE INDEX event_resource ON event (resource);"
    "CREATE TABLE schema_entry (address BYTEA NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL,"
    " type TEXT NOT NULL, seq BIGINT NOT NULL, block BIGINT NOT NULL);"
    "CREATE INDEX schema_entry_address ON schema_entry (address, id);"
    "CREATE INDEX schema_entry_id ON schema_entry (id);"
    "CREATE INDEX schema_entry_block ON schema_entry (block);",
    /* DataProtectorSharing (share.c). The _undo tables hold a row's old state and when it changed.
     */
    "CREATE TABLE collection (id BIGINT NOT NULL UNIQUE, owner BYTEA NOT NULL, price TEXT,"
    " duration BIGINT, block BIGINT NOT NULL, time BIGINT NOT NULL, tx BYTEA NOT NULL);"
    "CREATE INDEX collection_owner ON collection (owner);"
    "CREATE TABLE collection_undo (u_block BIGINT NOT NULL, u_seq BIGINT NOT NULL,"
    " id BIGINT NOT NULL, owner BYTEA NOT NULL, price TEXT, duration BIGINT,"
    " block BIGINT NOT NULL, time BIGINT NOT NULL, tx BYTEA NOT NULL);"
    "CREATE INDEX collection_undo_block ON collection_undo (u_block, u_seq);"
    "CREATE TABLE offer (data BYTEA NOT NULL UNIQUE, collection BIGINT, whitelist BYTEA,"
    " bundled BIGINT NOT NULL, rentable BIGINT NOT NULL, for_sale BIGINT NOT NULL,"
    " rent_price TEXT, rent_duration BIGINT, sale_price TEXT, block BIGINT NOT NULL);"
    "CREATE INDEX offer_collection ON offer (collection);"
    "CREATE TABLE offer_undo (u_block BIGINT NOT NULL, u_seq BIGINT NOT NULL,"
    " data BYTEA NOT NULL, collection BIGINT, whitelist BYTEA, bundled BIGINT NOT NULL,"
    " rentable BIGINT NOT NULL, for_sale BIGINT NOT NULL, rent_price TEXT, rent_duration BIGINT,"
    " sale_price TEXT, block BIGINT NOT NULL);"
    "CREATE INDEX offer_undo_block ON offer_undo (u_block, u_seq);"
    "CREATE TABLE whitelist (id BYTEA NOT NULL UNIQUE, owner BYTEA NOT NULL,"
    " block BIGINT NOT NULL);"
    "CREATE INDEX whitelist_owner ON whitelist (owner);"
    "CREATE TABLE whitelist_undo (u_block BIGINT NOT NULL, u_seq BIGINT NOT NULL,"
    " id BYTEA NOT NULL, owner BYTEA NOT NULL, block BIGINT NOT NULL);"
    "CREATE INDEX whitelist_undo_block ON whitelist_undo (u_block, u_seq);"
    "CREATE TABLE whitelist_app (whitelist BYTEA NOT NULL, app BYTEA NOT NULL,"
    " block BIGINT NOT NULL, UNIQUE (whitelist, app));"
    "CREATE INDEX whitelist_app_app ON whitelist_app (app);"
    "CREATE INDEX whitelist_app_block ON whitelist_app (block);"
    "CREATE TABLE share_event (id BYTEA NOT NULL UNIQUE, kind BIGINT NOT NULL, collection BIGINT,"
    " data BYTEA, who BYTEA, until BIGINT NOT NULL, deal BYTEA, mode BIGINT NOT NULL,"
    " block BIGINT NOT NULL, log BIGINT NOT NULL, time BIGINT NOT NULL, tx BYTEA NOT NULL);"
    "CREATE INDEX share_event_who ON share_event (kind, who);"
    "CREATE INDEX share_event_data ON share_event (kind, data);"
    "CREATE INDEX share_event_collection ON share_event (kind, collection);"
    "CREATE INDEX share_event_block ON share_event (block);"
    /* orders that their owners closed, known to us or not */
    "CREATE TABLE closed (hash BYTEA NOT NULL UNIQUE, block BIGINT NOT NULL);"
    "CREATE INDEX closed_block ON closed (block);"
    /* what these hold has happened already: read the chain from its beginning once more */
    CHAIN_ROWS_GONE,
    /* what was paid and to whom, by the terms of then: the chain is read once more */
    "ALTER TABLE share_event ADD COLUMN price TEXT;"
    "ALTER TABLE share_event ADD COLUMN payee BYTEA;" CHAIN_ROWS_GONE,
    /* lists of the subgraphs, newest first; what uses of a resource come to */
    "CREATE INDEX deal_time ON deal (time);"
    "CREATE INDEX task_event_time ON task_event (time);"
    "CREATE INDEX resource_time ON resource (kind, time);"
    "DROP INDEX deal_app; CREATE INDEX deal_app ON deal (app, block, volume, time);"
    "DROP INDEX deal_dataset; CREATE INDEX deal_dataset ON deal (dataset, block, volume, time);"
    "DROP INDEX deal_workerpool;"
    "CREATE INDEX deal_workerpool ON deal (workerpool, block, volume, time);",
    /* a challenge is not stored any more: it follows from the seed, the account and how many it has
     * used */
    "DROP TABLE challenge;"
    "DROP INDEX orders_resource;" /* each kind's own serves */
    "CREATE TABLE challenge_seed (id BIGINT NOT NULL PRIMARY KEY, seed BYTEA NOT NULL);"
    "CREATE TABLE challenge_use (who BYTEA NOT NULL PRIMARY KEY, used BIGINT NOT NULL);"
    /* One resource's orders by price: of a few hundred, or thousand, nearly all match, and a
     * restriction with two values ("nobody or me") does not break their order. */
    "DROP INDEX app_resource; DROP INDEX dataset_resource; DROP INDEX workerpool_resource;"
    "DROP INDEX request_resource;"
    "CREATE INDEX app_resource ON orders (resource, price, published, hash, dataset, workerpool,"
    " requester, tag0, remaining) WHERE kind = 0 AND status = 0;"
    "CREATE INDEX dataset_resource ON orders (resource, price, published, hash, app, workerpool,"
    " requester, tag0, remaining) WHERE kind = 1 AND status = 0;"
    "CREATE INDEX workerpool_resource ON orders (resource, price, published, hash, app, dataset,"
    " requester, category, trust, tag0, remaining) WHERE kind = 2 AND status = 0;"
    "CREATE INDEX request_resource ON orders (resource, price DESC, published, hash, workerpool,"
    " category, trust, tag0, remaining) WHERE kind = 3 AND status = 0;",
};

sr_status market_db_open(const char *path, struct db **ret, struct sr_err *err) {
    struct db *db;
    SR_TRY(db_open(path, 0, &db, err));
    sr_status st = db_migrate(db, steps, SR_ARRAY_LEN(steps), err);
    if (st != SR_OK) {
        db_close(db);
        return st;
    }
    *ret = db;
    return SR_OK;
}

sr_status market_db_forget_chain(struct db *db, struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(db, &tx, err));
    SR_TRY(db_script(db, CHAIN_ROWS_GONE, err));
    return db_commit(&tx, err);
}

/* All columns of the chain's rows, in an order that the rows themselves have. */
static const char *const digested[] = {
    "SELECT id, name, description, timeref, tx, block, time FROM category WHERE block <= $1 ORDER "
    "BY "
    "id",
    "SELECT id, block, log, time, tx, json, price, app_price, dataset_price, start FROM deal WHERE "
    "block <= $1 ORDER BY block, log",
    "SELECT task, block, log, time, deal, idx, status, results, digest, tx, contribution_deadline,"
    " reveal_deadline, final_deadline, consensus, callback FROM task_event WHERE block <= $1 ORDER "
    "BY block, log",
    "SELECT address, kind, owner, name, type, multiaddr, raw, mrenclave, stake_ratio, reward_ratio,"
    " checksum, schema, block, log, time, tx FROM resource WHERE block <= $1 ORDER BY block, log",
    "SELECT id, block FROM account WHERE block <= $1 ORDER BY id",
    "SELECT block, log, kind, tx, time, account, other, task, deal, resource, value, hash, data "
    "FROM "
    "event WHERE block <= $1 ORDER BY block, log",
    "SELECT address, id, path, type, seq, block FROM schema_entry WHERE block <= $1 ORDER BY "
    "address, seq",
    "SELECT hash, block FROM closed WHERE block <= $1 ORDER BY hash",
    "SELECT id, owner, price, duration, block, time, tx FROM collection WHERE block <= $1 ORDER BY "
    "id",
    "SELECT data, collection, whitelist, bundled, rentable, for_sale, rent_price, rent_duration,"
    " sale_price, block FROM offer WHERE block <= $1 ORDER BY data",
    "SELECT id, owner, block FROM whitelist WHERE block <= $1 ORDER BY id",
    "SELECT whitelist, app, block FROM whitelist_app WHERE block <= $1 ORDER BY whitelist, app",
    "SELECT id, kind, collection, data, who, until, deal, mode, block, log, time, tx, price, payee "
    "FROM share_event WHERE block <= $1 ORDER BY block, log",
};
#define DIGEST_COLUMNS 16

static void digest_value(struct keccak *k, struct db_rows *q, unsigned col) {
    struct slice s = db_col_bytes(q, col);
    uint64_t n = s.n ? s.n : db_col_u64(q, col); /* an empty text and 0 are the same here */
    uint8_t head[9] = {db_col_is_null(q, col) ? 0 : s.n ? 2 : 1};
    for (unsigned i = 0; i < 8; i++) head[1 + i] = (uint8_t)(n >> (56 - 8 * i));
    keccak_add(k, slice_of(head, sizeof head));
    if (s.n) keccak_add(k, s);
}

sr_status index_digest(struct db *db, uint64_t block, struct hash *ret, struct sr_err *err) {
    struct keccak k;
    keccak_init(&k);
    for (size_t i = 0; i < SR_ARRAY_LEN(digested); i++) {
        cleanup_db_rows struct db_rows *q = NULL;
        SR_TRY(db_select(db, digested[i], DB_ARGS(db_u64(block)), &q, err));
        uint64_t rows = 0;
        for (; db_next(q); rows++)
            for (unsigned c = 0; c < DIGEST_COLUMNS; c++) digest_value(&k, q, c);
        SR_TRY(db_end(sr_take_ptr(q), err));
        uint8_t mark[2] = {(uint8_t)i, rows ? 1 : 0};
        keccak_add(&k, slice_of(mark, sizeof mark));
    }
    *ret = keccak_end(&k);
    return SR_OK;
}
