/* SPDX-License-Identifier: Apache-2.0 */
/* publish.h - who publishes, what the chain says of it, orders stored together; a part of
 * market_int.h */
#pragma once

/* ---- auth.c: a challenge follows from the database's seed, the account, how many it has used, and
 * the time; so nothing is stored until one is used. */
sr_status route_challenge(struct http_req *rq, void *role, struct sr_err *err);
/* The seed, made by whoever comes first. */
SR_CHECK sr_status auth_seed(struct db *db, uint8_t ret[32], struct sr_err *err);
/* An account's challenge (appended to b) after so many uses, in that step of MARKET_CHALLENGE_S. */
void auth_challenge(const struct market *m, const struct addr *who, uint64_t uses, uint64_t step,
                    struct buf *b);
uint64_t auth_step_now(void);
/* Whose key made a signature. Finding out is most of a publish's work, so it is done on the thread
 * pool: fiber_offload(recovered_all, array of pointers that ends with NULL). */
struct recovered {
    struct hash hash;
    struct slice sig; /* borrowed */
    struct addr signer;
    bool ok;
};
void recovered_all(void *arg);

/* What publish and unpublish have in common, the head of their jobs: the authorization header,
 * read, then its signature judged, then used up in a transaction. */
struct authed {
    struct commit_job job;
    struct addr who;
    struct buf sig; /* owned: authed_done */
    struct recovered signature;
    bool used;     /* it was, in a transaction that is committed, or in this one */
    uint64_t uses; /* challenges that the account had used, as this transaction sees it */
};
/* SR_E_REFUSED "invalid authorization". */
SR_CHECK sr_status auth_read(struct http_req *rq, struct authed *ret, struct sr_err *err);
/* When the signature was recovered: it is of the account's own key, or a contract's word. Waits. */
SR_CHECK sr_status auth_is_signed(struct market *m, const struct authed *a, struct sr_err *err);
void authed_done(struct authed *a); /* accepts a zeroed one */
/* In a transaction: whoever's challenge is not the account's present one, or is used meanwhile, has
 * SR_E_REFUSED in its job; the second of an account comes again in the next one. Puts the jobs into
 * the order of accounts: in it every market locks their rows. The statements `more` are asked with
 * the same wait. */
SR_CHECK sr_status auth_use_all(struct market *m, struct authed **jobs, size_t n,
                                struct db_stmt *more, size_t n_more, struct sr_err *err);
/* Does the job still stand, after auth_use_all? */
static inline bool authed_goes_on(const struct authed *a) {
    return a->job.st == SR_OK && !a->job.again;
}

/* ---- facts.c: what the chain knows of an order */
struct facts {
    bool registered, signed_ok;
    struct addr owner;
    struct u256 consumed;
    struct u256 stake;
};
/* What the index and the book know of it, by one statement. */
struct indexed {
    bool known; /* an order with this hash is stored */
    order_status status;
    uint64_t published_ms;
    bool owned, closed;
    uint64_t volume; /* of its deals */
    /* the question's */
    struct addr who;
    poco_kind kind;
    struct db_val args[2];
};
struct db_stmt indexed_ask(const struct poco_order *o, const struct hash *h, const struct addr *who,
                           struct indexed *ret);
/* False: the index cannot say that all is well, ask the chain. */
bool facts_by_index(struct market *m, const struct poco_order *o, const struct recovered *signature,
                    const struct addr *who, const struct indexed *i, struct facts *ret);
SR_CHECK sr_status facts_by_chain(struct market *m, const struct poco_order *o,
                                  const struct hash *h, const struct addr *who, struct facts *ret,
                                  struct sr_err *err);
struct stake_cache *stakes_new(void) SR_CHECK;
void stakes_free(struct stake_cache *c);
void stakes_forget(struct market *m, const struct addr *who); /* an event touched it */
void stakes_flush(struct market *m);

/* ---- accept.c: a publish as a job */
struct publish {
    struct authed authed; /* first: it is the job */
    struct json *doc;     /* the body; o borrows from it */
    struct poco_order o;
    struct sr_err malformed; /* code set: the order is none; told after it is known who asks */
    struct recovered signature;
    /* facts by the chain, read when m->step_no was step */
    bool has_chain;
    uint64_t step;
    struct facts chain;
    /* results of SR_OK */
    bool ask_chain; /* not stored: the chain must be asked first */
    struct order_row row;
    struct buf json;
    /* in a transaction */
    struct indexed index;
    struct order_insert insert;
};
struct publish *publish_new(void) SR_CHECK; /* owned: publish_free */
void publish_free(struct publish *p);       /* accepts NULL */
/* Judges and stores. Waits; *p may be left behind (commit_do). */
SR_CHECK sr_status publish_do(struct market *m, struct publish **p, struct sr_err *err);
