/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.h - what several fibers write is committed together, and on disk before they go on
 *
 * A job is what one request writes. Those that wait are run in one transaction; while the disk
 * takes it, the next ones gather, so a slow disk makes larger groups instead of a longer queue. A
 * group has its database for itself: whatever else writes there does so in commit_alone.
 *
 * When the disk does not take what was committed, its jobs fail, may be found written all the same,
 * and the group writes nothing more: what came after would stand behind a hole.
 *
 * Depends on: base, net, db.  Used by: market, sms.
 * Limits: COMMIT_*.
 */
#pragma once
#include "db/db.h"
#include "net/net.h"

#define COMMIT_JOBS    256 /* of one transaction, at most */
#define COMMIT_EARLY   16  /* so many are worth a transaction while the disk takes another */
#define COMMIT_MANY    32 /* fibers that wait are many: then large groups matter, not short waits */
#define COMMIT_CALM    250u  /* pages of the log that are written back while fewer wait */
#define COMMIT_WAIT_MS 30000 /* how long a fiber waits for its job */

struct commit_group; /* owned: commit_free */
struct commit_job;

/* Runs n jobs of one kind (the same function), 1 or more, in the open transaction; n - 1 of them
 * would be as right. Each gets its own result in st and why, or `again`. What it returns concerns
 * the transaction: a failure undoes everything, for all jobs. With a file it must not wait. */
typedef sr_status commit_fn(void *role, struct commit_job **jobs, size_t n, struct sr_err *err);

struct commit_job {
    commit_fn *run;
    /* Frees one whose fiber has left meanwhile; NULL: free. */
    void (*drop)(struct commit_job *take_j);
    sr_status st;
    struct sr_err why; /* of a failure */
    bool again;        /* run sets it: not this time, but in the next transaction */
    /* the group's */
    struct commit_job *next;
    struct fcond told;
    bool running, done, left;
};

/* What happens around transactions; each may be NULL, none waits but begin and end on a server. */
struct commit_hooks {
    sr_status (*begin)(void *role, struct sr_err *err); /* first in each transaction */
    sr_status (*end)(void *role, struct sr_err *err);   /* last in it */
    void (*committed)(void *role); /* others may see it, a power cut may still undo it */
    void (*asked)(void *role);     /* the disk is asked for all that is committed by now */
    void (*lasts)(void *role);     /* and it has it */
    void (*undone)(void *role);    /* all that the jobs did in it is gone */
};

/* db, role and hooks are borrowed until commit_free. A file should be opened without DB_SYNC_EACH:
 * the group asks the disk itself. */
SR_CHECK sr_status commit_new(struct db *db, void *role, const struct commit_hooks *hooks,
                              struct commit_group **ret, struct sr_err *err);
void commit_free(struct commit_group *g); /* when no fiber uses it any more; accepts NULL */

/* Waits until the job has run and what it wrote lasts; gives its result. *job is from malloc. If
 * this fails because the wait did (SR_E_TIMEOUT, SR_E_CANCELLED), the job may still run: then it is
 * the group's, and *job NULL. Otherwise it is the caller's, as before. */
SR_CHECK sr_status commit_do(struct commit_group *g, struct commit_job **job, struct sr_err *err);

/* Runs fn(arg) while no group's transaction is open and none begins: for transactions of its own.
 * Waits for that. What it commits lasts some time after (a server's: at once). */
SR_CHECK sr_status commit_alone(struct commit_group *g,
                                sr_status (*fn)(void *arg, struct sr_err *err), void *arg,
                                struct sr_err *err);
/* Waits until what was committed so far is on disk. */
SR_CHECK sr_status commit_lasts(struct commit_group *g, struct sr_err *err);
bool commit_is_busy(const struct commit_group *g); /* jobs wait, run or are not on disk yet */
/* Why nothing is written any more: for /health. SR_OK: the disk has not failed. */
SR_CHECK sr_status commit_sound(const struct commit_group *g, struct sr_err *err);

/* For db_wait_by: statements wait in fibers of net.h. */
extern const struct db_waits commit_fibers;
