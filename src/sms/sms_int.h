/* SPDX-License-Identifier: Apache-2.0 */
/* sms_int.h - the role's state and parts; private to this folder */
#pragma once
#include "commit/commit.h"
#include "poco/poco.h"
#include "sms/sms.h"
#include "wire/vault_client.h"

#define SMS_NAME_MAX      256u          /* bytes of a web2 secret's name */
#define SMS_BODY_MAX      (16u * 1024)  /* of a secret, sealed and in base64 */
#define SMS_RELEASE_MAX   (256u * 1024) /* of a release request */
#define SMS_BOTS_MAX      100000u       /* tasks of one deal */
#define SMS_PAGE_MAX      500u          /* rows of one page of the log */
#define SMS_LOG_CHECKED   100000u       /* newest rows checked at the start */
#define SMS_RECORDS_KEPT  100000u       /* newest rows whose evidence is kept */
#define SMS_AUTHORITY_MAX (1u << 20)    /* bytes of the authority's public file */
#define SMS_ROOMS_MAX     32u           /* room executables */
#define SMS_SECRETS_EACH  1000u         /* secrets of one kind and target */
#define SMS_CODE_MAX      80u           /* of a refusal, with its NUL */
/* Refusals that are logged: so many at once, and one more each so many milliseconds. */
#define SMS_NOISE_BURST   20u /* of strangers */
#define SMS_NOISE_MS      1000u
#define SMS_KNOWN_BURST   1000u /* of requests that a pool's owner vouches for */
#define SMS_KNOWN_MS      50u
#define SMS_CLOSED_BLOCKS 1000000u /* how far back a revocation is looked for */

#define RESULT_KEY_NAME "iexec-result-encryption-public-key"

/* ---- the release log (release_log.c)
 * ----------------------------------------------------------------------- */

struct log_row {
    uint64_t n, time_ms;
    struct hash task, deal;
    struct addr worker, dataset; /* zero: not known, none */
    bool released;
    const char *code; /* "" when released */
    struct hash evidence_digest;
    uint8_t verdict; /* wire_verdict; 0: none */
    struct hash previous, hash;
};
struct release_log {
    struct db *db;
    uint64_t n; /* of the last row */
    struct hash head;
};
/* Reads the end and checks the chain of hashes. SR_E_CRYPTO: a row was changed or is missing. */
SR_CHECK sr_status release_log_open(struct db *db, struct release_log *ret, struct sr_err *err);
/* Appends in the caller's transaction; release_log_kept makes it the last one. Fills row->n,
 * previous, hash. */
SR_CHECK sr_status release_log_add(struct release_log *log, struct log_row *row,
                                   struct sr_err *err);
void release_log_kept(struct release_log *log, const struct log_row *row);
struct hash log_row_hash(const struct log_row *row);
struct log_filter {
    const struct hash *task; /* NULL: any */
    const struct addr *dataset;
    uint64_t from; /* rows after this number */
    size_t most;
};
/* Writes rows as a JSON array, oldest first. */
SR_CHECK sr_status release_log_json(const struct release_log *log, const struct log_filter *f,
                                    struct jw *w, struct sr_err *err);
/* Row n, as an object. */
SR_CHECK sr_status release_log_row_json(const struct release_log *log, uint64_t n, struct jw *w,
                                        struct sr_err *err);

/* ---- nonces (nonce.c): nothing is kept; a nonce carries its time and proves where it is from
 * ---------------------------------------------------------------------------------------------- */

struct nonces {
    uint8_t key[32];
};
SR_CHECK sr_status nonces_init(struct nonces *n, struct db *db, struct sr_err *err);
SR_CHECK sr_status nonce_make(const struct nonces *n, const struct hash *task, uint64_t now_s,
                              struct hash *ret_nonce, struct sr_err *err);
/* Made here for this task, and not too old? */
bool nonce_check(const struct nonces *n, const struct hash *task, const struct hash *nonce,
                 uint64_t now_s);

/* ---- secrets at rest (secrets.c)
 * --------------------------------------------------------------------------- */

struct stored_secret { /* owned: stored_done */
    secret_kind kind;
    struct addr target, signer;
    struct buf name; /* as it was sent */
    struct buf blob; /* sealed by the vault */
};
void stored_done(struct stored_secret *s);
#define cleanup_stored __attribute__((cleanup(stored_done)))
/* SR_E_NOTFOUND. */
SR_CHECK sr_status secret_find(struct db *db, secret_kind kind, const struct addr *target,
                               struct slice name, struct stored_secret *ret, struct sr_err *err);
/* SR_E_CONFLICT when it exists and replace is false. */
SR_CHECK sr_status secret_keep(struct db *db, const struct stored_secret *s, bool replace,
                               struct sr_err *err);
/* Without its disk asked at each commit: see writes.c. */
SR_CHECK sr_status sms_db_open(const char *dir, struct db **ret, struct sr_err *err);

/* ---- what the chain says (chain.c)
 * ------------------------------------------------------------------------- */

#define BULK_MAX 100u /* data sets of one bulk task */
struct bulk_item {
    struct addr address;
    const char *outcome; /* static: why it is withheld; NULL: to be released */
    struct poco_order order;
    struct poco_dataset dataset;
    bool presigned, groups; /* not its owner's plain signature; a restriction is a group */
    struct addr signer;     /* who stored its key, */
    bool former_owner;      /* who owned it once */
};
void bulk_free(struct bulk_item *items, size_t n); /* accepts NULL */
struct sms_facts {
    uint64_t now_s;       /* of this host */
    uint64_t chain_now_s; /* of the block that was read */
    poco_task_status status;
    struct hash deal_id;
    struct poco_deal deal;
    uint64_t index, bot_first, bot_size;
    struct poco_app app;
    struct poco_dataset dataset;
    bool has_dataset;
    struct addr app_owner, dataset_owner; /* now */
    uint64_t seconds, contribution_deadline;
    struct poco_order app_order, dataset_order, request_order;
    bool app_presigned, dataset_presigned, request_presigned;
    bool dataset_revoked;
    bool groups_checked;    /* some restriction is a group, and all of them hold now */
    const char *restricted; /* a refusal: one does not; NULL: none */
    struct buf calldata;    /* orders borrow from it, */
    struct json *docs[4];   /* or from these */
    bool is_bulk;
    struct bulk_item *bulk; /* owned: bulk_free */
    size_t n_bulk;
};
struct sms_chain; /* owned: sms_chain_free */
struct sms_chain_opts {
    const char *rpc, *market, *store; /* the last two may be NULL */
    uint64_t chain_id;
    struct addr hub;
};
SR_CHECK sr_status sms_chain_new(const struct sms_chain_opts *o, struct sms_chain **ret,
                                 struct sr_err *err);
void sms_chain_free(struct sms_chain *c); /* accepts NULL */
/* Looks at the hub, once; done at first use anyway. Waits. */
SR_CHECK sr_status sms_chain_open(struct sms_chain *c, struct sr_err *err);
/* The chain's last block. */
SR_CHECK sr_status sms_chain_head(struct sms_chain *c, uint64_t *ret, struct sr_err *err);
/* Does that contract say now that it has signed this (ERC-1271)? */
SR_CHECK sr_status sms_chain_signed(struct sms_chain *c, const struct addr *contract,
                                    const struct hash *digest, struct slice signature, bool *ret,
                                    struct sr_err *err);
/*
 * sms_chain_was_owner - is or was `who` an owner of this data set
 *
 * Reads the registry's Transfer events of that token up to the head; what was read is remembered.
 * SR_E_CHAIN when the node gives no events so far back. Waits.
 */
SR_CHECK sr_status sms_chain_was_owner(struct sms_chain *c, const struct addr *data,
                                       const struct addr *who, bool *ret, struct sr_err *err);
/* owner() of a registered app or data set. SR_E_NOTFOUND. Waits. */
SR_CHECK sr_status sms_chain_owner(struct sms_chain *c, poco_kind kind, const struct addr *target,
                                   struct addr *ret, struct sr_err *err);
/*
 * sms_chain_facts - all that a release depends on, read at one block; waits
 *
 * ret       owned: sms_facts_free
 * ret_code  on SR_E_REFUSED and SR_E_NOTFOUND: the refusal's official name, static
 */
SR_CHECK sr_status sms_chain_facts(struct sms_chain *c, const struct hash *task,
                                   const struct hash *match_tx, struct sms_facts **ret,
                                   const char **ret_code, struct sr_err *err);
void sms_facts_free(struct sms_facts *f); /* accepts NULL */

/* ---- the role
 * ---------------------------------------------------------------------------------------------- */

struct allowance {
    uint64_t left, at_ms;
};
struct sms {
    const char *dir; /* NULL: not looked at by /health */
    struct db *db;
    struct commit_group *writes;
    uint64_t written, asked, lasting; /* writes: made, of which the disk was asked, on disk */
    struct sms_chain *chain;
    struct vault_client *vault;
    struct nonces nonces;
    struct release_log log, committed_log; /* with the rows of the open transaction; without */
    struct allowance noise, known;         /* of the log */
    uint64_t not_logged;
    struct buf authority; /* what evidence is verified by, JSON; n 0: not given */
    struct hash rooms[SMS_ROOMS_MAX];
    size_t n_rooms;
};

/* ---- what is written, and on disk before the call returns (writes.c); these wait
 * ---------------------------------------------------------------------------------------------- */

/* The database in dir with its log, nonces and group of writers. On failure sms_close is due too.
 */
SR_CHECK sr_status sms_open(struct sms *s, const char *dir, struct sr_err *err);
void sms_close(struct sms *s); /* accepts a zeroed one; when no fiber writes any more */

typedef enum { KEEP_DONE, KEEP_EXISTS, KEEP_MISSING } keep_outcome;
/* Stores a secret that the vault has sealed, or (update) changes one that is there. Takes what the
 * secret holds. SR_E_TOOBIG: too many of one target. */
SR_CHECK sr_status sms_keep(struct sms *s, struct stored_secret *take_secret, bool update,
                            keep_outcome *ret, struct sr_err *err);

struct sms_entry { /* borrowed; n, times and hashes of the rows are set when they are written */
    const struct log_row *rows;
    size_t n; /* 1 or more; of a refusal 1 */
    /* A release: the assignment that it uses up, what was asked, the token. NULL: a refusal. */
    const struct hash *nonce;
    struct slice request, token;
};
/* Appends to the release log. *ret_was_used: by another release, so nothing was written. */
SR_CHECK sr_status sms_log(struct sms *s, const struct sms_entry *e, bool *ret_was_used,
                           struct sr_err *err);
/* What can be read now is on disk when this returns. */
SR_CHECK sr_status sms_lasting(struct sms *s, struct sr_err *err);

/* The facts as the vault reads them; data sets of a bulk without a key get that outcome. */
SR_CHECK sr_status sms_facts_json(struct sms *s, struct sms_facts *f, struct buf *ret,
                                  const char **ret_code, struct sr_err *err);
sr_status sms_release(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_nonce(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_releases(struct http_req *rq, void *role, struct sr_err *err);
/* record.c: with the release's row, in its transaction. */
SR_CHECK sr_status record_keep(struct sms *s, const struct log_row *row, struct slice request,
                               struct slice token, struct sr_err *err);
sr_status sms_record(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_attestation(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_vault_key(struct http_req *rq, void *role, struct sr_err *err);

extern const struct http_docs sms_docs; /* docs.c */
/* routes_secrets.c: has and put of each kind */
sr_status sms_web3_has(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_web3_put(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_web2_has(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_web2_put(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_requester_has(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_requester_put(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_app_has(struct http_req *rq, void *role, struct sr_err *err);
sr_status sms_app_put(struct http_req *rq, void *role, struct sr_err *err);

SR_CHECK sr_status sms_serve(struct sms *s, const char *host, uint16_t port, int listen_fd,
                             struct http_server **ret, struct sr_err *err);
