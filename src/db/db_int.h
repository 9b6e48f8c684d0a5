/* SPDX-License-Identifier: Apache-2.0 */
/* db_int.h - an engine behind db.h: sqlite.c in a file, pg.c on a server */
#pragma once
#include "db/db.h"

struct db_ops {
    void (*close)(struct db *db);
    sr_status (*script)(struct db *db, const char *sql, struct sr_err *err);
    /* copy: the values must outlive the call */
    sr_status (*start)(struct db *db, const char *sql, const struct db_val *args, size_t n,
                       bool copy, struct db_rows **ret_rows, struct sr_err *err);
    bool (*next)(struct db_rows *r);
    /* Ends it, rows changed; NULL err: nobody asks. */
    sr_status (*end)(struct db_rows *r, uint64_t *ret_changed, struct sr_err *err);
    /* NULL: one after the other. */
    sr_status (*run_all)(struct db *db, struct db_stmt *s, size_t n, struct sr_err *err);
    db_type (*type)(struct db_rows *r, unsigned col);
    int64_t (*i64)(struct db_rows *r, unsigned col);        /* of a DB_INT */
    struct slice (*bytes)(struct db_rows *r, unsigned col); /* of a text or blob */
    const char *begin;
    bool (*in_tx)(struct db *db); /* false: a failure has ended the transaction */
    sr_status (*committed)(struct db *db, const char *verb, struct sr_err *err);
    /* Only one process at a time brings a schema up to date. */
    sr_status (*migrate)(struct db *db, bool begin, struct sr_err *err);
    sr_status (*check)(struct db *db, struct sr_err *err);
    int (*sync_fd)(struct db *db);
    void (*log_limit)(struct db *db, unsigned pages); /* NULL: there is no log */
    void (*wait_by)(struct db *db, const struct db_waits *w, unsigned connections); /* or NULL */
    const char *blob_open, *blob_close; /* around the hex digits of a literal */
    bool shared;
};
struct db {
    const struct db_ops *ops;
    uint64_t changed;
    unsigned level; /* open transactions */
};
struct db_rows {
    struct db *db;
};

SR_CHECK sr_status db_sqlite_open(const char *path, unsigned flags, struct db **ret,
                                  struct sr_err *err);
SR_CHECK sr_status db_pg_open(const char *url, unsigned flags, struct db **ret, struct sr_err *err);
