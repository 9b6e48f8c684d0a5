/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a release was asked and answered with, but for the secrets: of it, and of what the chain
 * has, anybody can make the task's evidence bundle. The newest ones are kept.
 */
#include "sms/sms_int.h"

sr_status record_keep(struct sms *s, const struct log_row *row, struct slice request,
                      struct slice token, struct sr_err *err) {
    if (row->n > SMS_RECORDS_KEPT)
        SR_TRY(db_run(s->db, "DELETE FROM records WHERE n <= $1",
                      DB_ARGS(db_u64(row->n - SMS_RECORDS_KEPT)), err));
    return db_run(s->db, "INSERT INTO records (n, task, request, token) VALUES ($1, $2, $3, $4)",
                  DB_ARGS(db_u64(row->n), db_hash(&row->task), db_blob(request), db_blob(token)),
                  err);
}

static sr_status not_there(struct sr_err *err) {
    return sr_fail(err, SR_E_NOTFOUND, "no secrets were released for that task");
}

/* GET /v1/tasks/{task}/record: its last release. */
sr_status sms_record(struct http_req *rq, void *role, struct sr_err *err) {
    struct sms *s = role;
    struct hash task;
    cleanup_buf struct buf out = {0};
    cleanup_db_rows struct db_rows *r = NULL;
    if (!hash_parse(http_param(rq, "task"), &task))
        return sr_fail(err, SR_E_MALFORMED, "a task is 0x and 64 digits");
    SR_TRY(sms_lasting(s, err));
    SR_TRY(db_select(
        s->db, "SELECT n, request, token FROM records WHERE task = $1 ORDER BY n DESC LIMIT 1",
        DB_ARGS(db_hash(&task)), &r, err));
    bool found = db_next(r);
    buf_init(&out, 2u * SMS_RELEASE_MAX);
    struct jw w = jw_of(&out);
    if (found) {
        uint64_t n = db_col_u64(r, 0);
        jw_obj(&w);
        jw_key(&w, "request");
        jw_raw(&w, db_col_bytes(r, 1));
        jw_khex(&w, "token", db_col_bytes(r, 2));
        jw_key(&w, "release");
        SR_TRY(release_log_row_json(&s->log, n, &w, err));
        jw_end_obj(&w);
    }
    SR_TRY(db_end(sr_take_ptr(r), err));
    return found ? http_reply_json(rq, 200, &out, err) : not_there(err);
}

/* GET /v1/attestation: what evidence is judged by, without any secret. */
sr_status sms_attestation(struct http_req *rq, void *role, struct sr_err *err) {
    struct sms *s = role;
    cleanup_buf struct buf out = {0};
    buf_init(&out, SMS_AUTHORITY_MAX + 8192);
    struct jw w = jw_of(&out);
    jw_obj(&w);
    jw_key(&w, "authority");
    if (s->authority.n > 0)
        jw_raw(&w, slice_trim(buf_slice(&s->authority)));
    else
        jw_null(&w);
    jw_key(&w, "rooms");
    jw_arr(&w);
    for (size_t i = 0; i < s->n_rooms; i++) jw_hex(&w, slice_of(s->rooms[i].b, 32));
    jw_end_arr(&w);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &out, err);
}
