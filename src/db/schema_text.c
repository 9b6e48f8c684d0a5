/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which text each step of a schema had when it was run. A step that was changed afterwards would
 * leave files that look right by their count and lack a column: they are refused at the start.
 */
#include "db/db_text.h"

/* FNV-1a, of 63 bits: told from an accident, not from an enemy. */
static uint64_t digest_of(const char *text) {
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *p = text; *p; p++) h = (h ^ (uint8_t)*p) * 0x100000001b3u;
    return h >> 1;
}

sr_status db_step_keep(struct db *db, const char *const *steps, size_t i, struct sr_err *err) {
    return db_run(db, "INSERT INTO schema_step (n, digest) VALUES ($1, $2)",
                  DB_ARGS(db_u64(i), db_u64(digest_of(steps[i]))), err);
}

sr_status db_steps_check(struct db *db, const char *const *steps, size_t done, struct sr_err *err) {
    SR_TRY(db_script(db,
                     "CREATE TABLE IF NOT EXISTS schema_step (n BIGINT NOT NULL UNIQUE, digest "
                     "BIGINT NOT NULL)",
                     err));
    for (size_t i = 0; i < done; i++) {
        uint64_t was = 0;
        sr_status st = db_get_u64(db, "SELECT digest FROM schema_step WHERE n = $1",
                                  DB_ARGS(db_u64(i)), &was, NULL);
        if (st == SR_E_NOTFOUND) { /* from before digests were kept */
            SR_TRY(db_step_keep(db, steps, i, err));
            continue;
        }
        if (st != SR_OK) return sr_fail(err, st, "database: the schema's steps are not readable");
        if (was == digest_of(steps[i])) continue;
        sr_hint(err, "use the program that wrote it, or begin with another folder");
        return sr_fail(err, SR_E_CONFLICT,
                       "database: step %zu of its schema is not as this program knows it", i + 1);
    }
    return SR_OK;
}
