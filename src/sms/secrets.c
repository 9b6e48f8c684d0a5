/* SPDX-License-Identifier: Apache-2.0 */
#include "sms/sms_int.h"

static const char *const schema[] = {
    "CREATE TABLE secrets (kind BIGINT NOT NULL, target BYTEA NOT NULL, name TEXT NOT NULL,"
    " sent_name TEXT NOT NULL, signer BYTEA NOT NULL, blob BYTEA NOT NULL,"
    " created_ms BIGINT NOT NULL, changed_ms BIGINT NOT NULL);"
    "CREATE UNIQUE INDEX secrets_key ON secrets (target, kind, name);"
    "CREATE TABLE releases (n BIGINT NOT NULL, time_ms BIGINT NOT NULL, task BYTEA NOT NULL,"
    " deal BYTEA NOT NULL, worker BYTEA NOT NULL, dataset BYTEA NOT NULL, released BIGINT NOT NULL,"
    " code TEXT NOT NULL, evidence BYTEA NOT NULL, verdict BIGINT NOT NULL,"
    " previous BYTEA NOT NULL, hash BYTEA NOT NULL);"
    "CREATE UNIQUE INDEX releases_n ON releases (n);"
    "CREATE INDEX releases_task ON releases (task, n);"
    "CREATE INDEX releases_dataset ON releases (dataset, n);"
    /* An assignment is used when its row is here; in the transaction of its release. */
    "CREATE TABLE used (task BYTEA NOT NULL, nonce BYTEA NOT NULL, worker BYTEA NOT NULL);"
    "CREATE UNIQUE INDEX used_key ON used (task, nonce);",
    "CREATE TABLE kept (name TEXT NOT NULL, value BYTEA NOT NULL);"
    "CREATE UNIQUE INDEX kept_name ON kept (name);",
    "CREATE TABLE records (n BIGINT NOT NULL, task BYTEA NOT NULL, request BYTEA NOT NULL,"
    " token BYTEA NOT NULL);"
    "CREATE UNIQUE INDEX records_n ON records (n);"
    "CREATE INDEX records_task ON records (task, n);",
};

sr_status sms_db_open(const char *dir, struct db **ret, struct sr_err *err) {
    cleanup_free char *path = path_join(dir, "sms.db");
    struct db *db = NULL;
    if (!path) return sr_fail(err, SR_E_NOMEM, "no memory for a path");
    SR_TRY(fs_mkdirs(dir, 0700, err));
    SR_TRY(db_open(path, 0, &db, err)); /* the group of writes.c asks the disk */
    sr_status st = db_migrate(db, schema, SR_ARRAY_LEN(schema), err);
    if (st != SR_OK)
        db_close(db);
    else
        *ret = db;
    return st;
}

void stored_done(struct stored_secret *s) {
    buf_done(&s->name);
    buf_done(&s->blob);
}

/* Names of web2 secrets are the same in any case; the others are as they are. */
static void key_name(secret_kind kind, struct slice name, struct buf *ret) {
    buf_init(ret, SMS_NAME_MAX + 1);
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        buf_u8(ret, kind == SECRET_WEB2 && c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
    }
}

sr_status secret_find(struct db *db, secret_kind kind, const struct addr *target, struct slice name,
                      struct stored_secret *ret, struct sr_err *err) {
    cleanup_buf struct buf key = {0};
    cleanup_db_rows struct db_rows *r = NULL;
    cleanup_stored struct stored_secret s = {.kind = kind, .target = *target};
    key_name(kind, name, &key);
    SR_TRY(buf_status(&key, err));
    SR_TRY(db_select(db,
                     "SELECT signer, sent_name, blob FROM secrets"
                     " WHERE target = $1 AND kind = $2 AND name = $3",
                     DB_ARGS(db_addr(target), db_u64(kind), db_text(buf_slice(&key))), &r, err));
    bool found = db_next(r);
    if (found) {
        s.signer = db_col_addr(r, 0);
        buf_init(&s.name, SMS_NAME_MAX + 1);
        buf_init(&s.blob, SMS_BODY_MAX);
        buf_add(&s.name, db_col_bytes(r, 1));
        buf_add(&s.blob, db_col_bytes(r, 2));
    }
    SR_TRY(db_end(sr_take_ptr(r), err));
    if (!found) return sr_fail(err, SR_E_NOTFOUND, "no such secret");
    SR_TRY(buf_status(&s.name, err));
    SR_TRY(buf_status(&s.blob, err));
    *ret = s;
    s.name = s.blob = (struct buf){0};
    return SR_OK;
}

sr_status secret_keep(struct db *db, const struct stored_secret *s, bool replace,
                      struct sr_err *err) {
    cleanup_buf struct buf key = {0};
    uint64_t n = 0;
    struct db_val now = db_u64(clock_unix_ms());
    key_name(s->kind, buf_slice(&s->name), &key);
    SR_TRY(buf_status(&key, err));
    SR_TRY(db_get_u64(db, "SELECT count(*) FROM secrets WHERE target = $1 AND kind = $2",
                      DB_ARGS(db_addr(&s->target), db_u64(s->kind)), &n, err));
    if (n >= SMS_SECRETS_EACH && !replace)
        return sr_fail(err, SR_E_TOOBIG, "%u secrets are the most for one owner", SMS_SECRETS_EACH);
    const char *sql =
        replace ? "INSERT INTO secrets (kind, target, name, sent_name, signer, blob, created_ms,"
                  " changed_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)"
                  " ON CONFLICT (target, kind, name) DO UPDATE SET sent_name = excluded.sent_name,"
                  " signer = excluded.signer, blob = excluded.blob,"
                  " changed_ms = excluded.changed_ms"
                : "INSERT INTO secrets (kind, target, name, sent_name, signer, blob, created_ms,"
                  " changed_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)";
    return db_run(db, sql,
                  DB_ARGS(db_u64(s->kind), db_addr(&s->target), db_text(buf_slice(&key)),
                          db_text(buf_slice(&s->name)), db_addr(&s->signer),
                          db_blob(buf_slice(&s->blob)), now),
                  err);
}
