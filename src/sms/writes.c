/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writes.c - all that the secret service writes goes through one group (commit.h): what several
 * requests write at the same time is one transaction and asks the disk once, and none of them is
 * answered before the disk has it. What is read may be newer than the disk: whoever tells of it
 * waits (sms_lasting).
 */
#include "sms/sms_int.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the group */

static void committed(void *role) {
    struct sms *s = role;
    s->committed_log = s->log;
}

static void asked(void *role) {
    struct sms *s = role;
    s->asked = s->written;
}

static void lasts(void *role) {
    struct sms *s = role;
    s->lasting = s->asked;
}

static void undone(void *role) {
    struct sms *s = role;
    s->log = s->committed_log;
}

static const struct commit_hooks hooks = {
    .committed = committed, .asked = asked, .lasts = lasts, .undone = undone};

sr_status sms_lasting(struct sms *s, struct sr_err *err) {
    return s->lasting == s->written ? SR_OK : commit_lasts(s->writes, err);
}

/* ---- a secret */

struct keep_job {
    struct commit_job j;
    struct stored_secret secret; /* sealed by the vault */
    bool update;
    keep_outcome outcome;
};

static void keep_drop(struct commit_job *take_j) {
    struct keep_job *k = (struct keep_job *)take_j;
    stored_done(&k->secret);
    free(k);
}

/* An app secret that a former owner left is given to nobody: the new one may put his own. The key
 * of data stays what it was with every owner: no other opens it. */
static sr_status keep_one(struct sms *s, struct keep_job *k, struct sr_err *err) {
    cleanup_stored struct stored_secret old = {0};
    const struct stored_secret *fresh = &k->secret;
    struct sr_err e = {0};
    sr_status st =
        secret_find(s->db, fresh->kind, &fresh->target, buf_slice(&fresh->name), &old, &e);
    bool is_there = st == SR_OK;
    bool stale = is_there && fresh->kind == SECRET_APP && !addr_eq(&old.signer, &fresh->signer);
    k->outcome = k->update && !is_there             ? KEEP_MISSING
                 : !k->update && is_there && !stale ? KEEP_EXISTS
                                                    : KEEP_DONE;
    if (st == SR_E_NOTFOUND) st = SR_OK;
    if (st == SR_OK && k->outcome == KEEP_DONE) {
        e = (struct sr_err){0};
        st = secret_keep(s->db, fresh, k->update || stale, &e);
        if (st == SR_OK) s->written++;
    }
    if (st == SR_E_TOOBIG) { /* his own affair */
        k->j.st = st;
        k->j.why = e;
        return SR_OK;
    }
    if (st != SR_OK) *err = e;
    return st;
}

static sr_status keep_run(void *role, struct commit_job **jobs, size_t n, struct sr_err *err) {
    for (size_t i = 0; i < n; i++) SR_TRY(keep_one(role, (struct keep_job *)jobs[i], err));
    return SR_OK;
}

sr_status sms_keep(struct sms *s, struct stored_secret *take_secret, bool update, keep_outcome *ret,
                   struct sr_err *err) {
    struct keep_job *k = sr_calloc_n(1, sizeof *k);
    if (!k) {
        stored_done(take_secret);
        return sr_fail(err, SR_E_NOMEM, "no memory to store a secret");
    }
    k->j.run = keep_run;
    k->j.drop = keep_drop;
    k->secret = *take_secret;
    *take_secret = (struct stored_secret){0};
    k->update = update;
    struct commit_job *j = &k->j;
    sr_status st = commit_do(s->writes, &j, err);
    if (st == SR_OK) *ret = k->outcome;
    if (j) keep_drop(j);
    return st;
}

/* ---- rows of the release log */

struct log_job {
    struct commit_job j;
    struct log_row *rows; /* owned; their codes are static, or `code` */
    size_t n;
    char code[SMS_CODE_MAX];
    bool releases;             /* and then: */
    struct hash nonce;         /* the assignment that is used up, */
    struct buf request, token; /* and what the first row's record holds */
    bool was_used;
};

static void log_drop(struct commit_job *take_j) {
    struct log_job *l = (struct log_job *)take_j;
    buf_done(&l->request);
    buf_done(&l->token);
    free(l->rows);
    free(l);
}

/* Only the unique index says that an assignment was used; another conflict is a log that somebody
 * else writes too. */
static sr_status use_assignment(struct sms *s, struct log_job *l, struct sr_err *err) {
    struct sr_err e = {0};
    const struct log_row *row = &l->rows[0];
    sr_status st =
        db_run(s->db, "INSERT INTO used (task, nonce, worker) VALUES ($1, $2, $3)",
               DB_ARGS(db_hash(&row->task), db_hash(&l->nonce), db_addr(&row->worker)), &e);
    l->was_used = st == SR_E_CONFLICT;
    if (st == SR_OK || l->was_used) return SR_OK;
    *err = e;
    return st;
}

static sr_status log_one(struct sms *s, struct log_job *l, struct sr_err *err) {
    l->was_used = false;
    if (l->releases) SR_TRY(use_assignment(s, l, err));
    if (l->was_used) return SR_OK;
    for (size_t i = 0; i < l->n; i++) {
        SR_TRY(release_log_add(&s->log, &l->rows[i], err));
        release_log_kept(&s->log, &l->rows[i]);
        if (i == 0 && l->releases)
            SR_TRY(record_keep(s, &l->rows[0], buf_slice(&l->request), buf_slice(&l->token), err));
    }
    s->written++;
    return SR_OK;
}

static sr_status log_run(void *role, struct commit_job **jobs, size_t n, struct sr_err *err) {
    for (size_t i = 0; i < n; i++) SR_TRY(log_one(role, (struct log_job *)jobs[i], err));
    return SR_OK;
}

static sr_status log_copy(struct log_job *l, const struct sms_entry *e, struct sr_err *err) {
    l->rows = sr_calloc_n(e->n, sizeof *l->rows);
    if (!l->rows) return sr_fail(err, SR_E_NOMEM, "no memory for rows of the release log");
    memcpy(l->rows, e->rows, e->n * sizeof *l->rows);
    l->n = e->n;
    if (!e->nonce) { /* a refusal: its code may be the request's */
        (void)snprintf(l->code, sizeof l->code, "%s", e->rows[0].code);
        l->rows[0].code = l->code;
        return SR_OK;
    }
    l->releases = true;
    l->nonce = *e->nonce;
    buf_init(&l->request, SMS_RELEASE_MAX);
    buf_init(&l->token, WIRE_TOKEN_BYTES);
    buf_add(&l->request, e->request);
    buf_add(&l->token, e->token);
    SR_TRY(buf_status(&l->request, err));
    return buf_status(&l->token, err);
}

sr_status sms_log(struct sms *s, const struct sms_entry *e, bool *ret_was_used,
                  struct sr_err *err) {
    struct log_job *l = sr_calloc_n(1, sizeof *l);
    if (!l) return sr_fail(err, SR_E_NOMEM, "no memory for a row of the release log");
    struct commit_job *j = &l->j;
    l->j.run = log_run;
    l->j.drop = log_drop;
    sr_status st = log_copy(l, e, err);
    if (st == SR_OK) st = commit_do(s->writes, &j, err);
    if (st == SR_OK) *ret_was_used = l->was_used;
    if (j) log_drop(j);
    return st;
}

/* ---- begin and end */

/* Before there are fibers: what the start has written, and what was found of a process that was
 * killed before the disk had it. */
static sr_status sync_now(struct db *db, struct sr_err *err) {
    int fd = db_sync_fd(db);
    if (fd == DB_SYNC_NONE) return SR_OK;
    if (fd == DB_SYNC_LOST || fdatasync(fd) != 0)
        return sr_fail(err, SR_E_SYS, "the disk does not take the secret service's database");
    return SR_OK;
}

sr_status sms_open(struct sms *s, const char *dir, struct sr_err *err) {
    SR_TRY(sms_db_open(dir, &s->db, err));
    SR_TRY(release_log_open(s->db, &s->log, err));
    s->committed_log = s->log;
    SR_TRY(nonces_init(&s->nonces, s->db, err));
    SR_TRY(sync_now(s->db, err));
    return commit_new(s->db, s, &hooks, &s->writes, err);
}

void sms_close(struct sms *s) {
    commit_free(s->writes);
    db_close(s->db);
    s->writes = NULL;
    s->db = NULL;
}
