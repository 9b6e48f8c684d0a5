/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strongroom.h - the client library: protect data, grant access, deploy an app, run it, read the
 * result
 *
 * One struct sr_client is one network (a network.json), one keystore folder and one acting wallet.
 * Every call waits until it is done. One client and one thread at a time: the library runs its own
 * event loop inside each call. Long calls tell what they do through the progress function.
 *
 * Conventions
 *   addresses, hashes   text, "0x" and hex digits, any letter case in, lower case out
 *   amounts             nRLC (10^-9 RLC) as decimal text unless a name says otherwise
 *   ret_x               written on success only; what must be freed says so
 *   err                 optional; after a failure holds the code, what happened, what to do next
 *
 * A minimal program is examples/protect.c. Build: cc app.c $(pkg-config --cflags --libs --static
 * strongroom).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strongroom/failure.h>
#include <strongroom/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SR_WARN __attribute__((warn_unused_result))

#define SR_ADDR_TEXT   43 /* "0x", 40 digits, NUL */
#define SR_HASH_TEXT   67 /* "0x", 64 digits, NUL */
#define SR_AMOUNT_TEXT 79 /* decimal digits of 2^256 - 1, NUL */
#define SR_CID_TEXT    72 /* base58 CIDv0 or base32 CIDv1, NUL */

#define SR_MAX_FILES      1024                /* files of one protected data */
#define SR_MAX_AUTH       4096                /* bytes of an Authorization header's value */
#define SR_MAX_JSON       (16u << 20)         /* bytes of a JSON object to protect */
#define SR_MAX_SECRETS    16                  /* requester secrets of one run */
#define SR_MAX_INPUTS     64                  /* input file URLs of one run */
#define SR_MAX_SECRET_LEN 4096                /* bytes of one secret */
#define SR_MAX_ARGS       8192                /* bytes of the arguments of one run */
#define SR_UNLIMITED      9007199254740991ull /* accesses of a grant without a limit (2^53 - 1) */

/* ---- client ------------------------------------------------------------------------------- */

struct sr_client;

/* What a long call is doing. total is 0 when unknown; done == total ends a step. */
struct sr_progress {
    const char *step;  /* static: "encrypt+upload", "upload", "deploy", "secret", "grant", "check",
                          "deal", "wait",  "download", "decrypt", ... */
    const char *stage; /* for "wait": matched, initialised, attested, running, uploading, completed;
                          else NULL */
    uint64_t done, total; /* bytes of what is sent or fetched; else 0 */
    const char *subject;  /* file, address or task id; may be NULL; borrowed */
};
typedef void (*sr_progress_fn)(void *arg, const struct sr_progress *p);

/*
 * Asks for the password of a keystore file: writes at most n - 1 bytes and a NUL into secret_buf.
 * confirm: a new password, ask twice. The library wipes the buffer.
 */
typedef sr_status (*sr_password_fn)(void *arg, const char *wallet, bool confirm, char *secret_buf,
                                    size_t n, struct sr_err *err);

struct sr_options {
    const char *dir;          /* network folder with network.json; NULL: $STRONGROOM_DIR, else
                                 $HOME/.strongroom */
    const char *network_file; /* a network.json elsewhere; wins over dir */
    const char *keystore;     /* folder of V3 keystores and result keys; NULL: $STRONGROOM_KEYSTORE,
                                 else     $HOME/.strongroom/keystore */
    const char *as; /* who acts: a development name, an address, or a wallet in the keystore;
                       NULL: the default wallet ("wallet use") */
    sr_password_fn password; /* NULL: calls that need a keystore password fail */
    void *password_arg;
    sr_progress_fn progress; /* may be NULL */
    void *progress_arg;
};

/*
 * sr_client_open - reads the settings; touches neither network nor keystore
 *
 * opts     borrows; texts are copied
 * ret_c    owned: sr_client_close
 *
 * network.json is read by the first call that needs it. Fails with SR_E_NOMEM only.
 */
SR_PUBLIC SR_WARN sr_status sr_client_open(const struct sr_options *opts, struct sr_client **ret_c,
                                           struct sr_err *err);
SR_PUBLIC void sr_client_close(struct sr_client *c); /* accepts NULL; wipes keys */
/* The folders in use, after defaults; borrowed from the client. */
SR_PUBLIC const char *sr_client_dir(const struct sr_client *c);
SR_PUBLIC const char *sr_client_keystore(const struct sr_client *c);

/* Frees what a call returned as owned text; accepts NULL. */
SR_PUBLIC void sr_free(void *p);

/* ---- wallets (no network needed) ------------------------------------------------------------ */

struct sr_wallet {
    char address[SR_ADDR_TEXT];
    char name[64];  /* development name, or the name given to wallet new/import; may be "" */
    char path[512]; /* keystore file; "" for a development account */
    bool is_default;
};
/* New key, encrypted (Web3 Secret Storage v3, scrypt) under a password that is asked for. */
SR_PUBLIC SR_WARN sr_status sr_wallet_new(struct sr_client *c, const char *name,
                                          struct sr_wallet *ret_w, struct sr_err *err);
/* secret_key: 32 bytes as hex (with or without 0x), or the JSON text of a V3 keystore (its password
 * is asked for, then kept). SR_E_MALFORMED, SR_E_CONFLICT when the address is there already. */
SR_PUBLIC SR_WARN sr_status sr_wallet_import(struct sr_client *c, const char *name,
                                             const char *secret_key, struct sr_wallet *ret_w,
                                             struct sr_err *err);
/* ret_list is owned: sr_free. Keystore files first, then the network's development accounts. */
SR_PUBLIC SR_WARN sr_status sr_wallet_list(struct sr_client *c, struct sr_wallet **ret_list,
                                           size_t *ret_n, struct sr_err *err);
/* The acting wallet, or the one named. */
SR_PUBLIC SR_WARN sr_status sr_wallet_show(struct sr_client *c, const char *who,
                                           struct sr_wallet *ret_w, struct sr_err *err);
/* Makes who the default of this keystore folder. */
SR_PUBLIC SR_WARN sr_status sr_wallet_use(struct sr_client *c, const char *who,
                                          struct sr_wallet *ret_w, struct sr_err *err);
/* The private key in hex, after the password; ret_secret is owned: sr_wallet_wipe. */
SR_PUBLIC SR_WARN sr_status sr_wallet_export(struct sr_client *c, const char *who,
                                             char **ret_secret, struct sr_err *err);
SR_PUBLIC void sr_wallet_wipe(char *secret); /* overwrites, frees; accepts NULL */

/* ---- money ------------------------------------------------------------------------------------
 */

struct sr_account {
    char address[SR_ADDR_TEXT];
    char stake_nrlc[SR_AMOUNT_TEXT];  /* free, in the hub */
    char locked_nrlc[SR_AMOUNT_TEXT]; /* held by running deals */
    char wallet_nrlc[SR_AMOUNT_TEXT]; /* RLC outside the hub */
    char gas_wei[SR_AMOUNT_TEXT];     /* native coin, for gas */
};
SR_PUBLIC SR_WARN sr_status sr_account_show(struct sr_client *c, const char *who,
                                            struct sr_account *ret_a, struct sr_err *err);
/* amount: "1000", "1000 nRLC", "1.5 RLC". */
SR_PUBLIC SR_WARN sr_status sr_account_deposit(struct sr_client *c, const char *amount,
                                               char ret_tx[SR_HASH_TEXT], struct sr_err *err);
SR_PUBLIC SR_WARN sr_status sr_account_withdraw(struct sr_client *c, const char *amount,
                                                char ret_tx[SR_HASH_TEXT], struct sr_err *err);
/* Development networks only: gas and RLC for who, from the operator's account. */
SR_PUBLIC SR_WARN sr_status sr_faucet(struct sr_client *c, const char *who,
                                      struct sr_account *ret_a, struct sr_err *err);

/* ---- protected data ---------------------------------------------------------------------------
 */

struct sr_data {
    char address[SR_ADDR_TEXT];
    char owner[SR_ADDR_TEXT];
    char name[128];
    char multiaddr[256]; /* "/p2p/<cid>" or a URL */
    char cid[SR_CID_TEXT];
    char checksum[SR_HASH_TEXT];
    char tx[SR_HASH_TEXT];   /* that created it; "" when not known */
    uint64_t created_unix_s; /* 0 when not known */
    uint64_t bytes;          /* of the encrypted file; 0 when not known */
    char *schema;            /* JSON text; owned: sr_data_done; may be NULL */
    bool has_secret;         /* its key is in the secret service */
};
SR_PUBLIC void sr_data_done(struct sr_data *d); /* frees what it holds; accepts NULL */

/*
 * sr_data_protect_files - encrypts files, stores them, registers them, hands the key to the secret
 * service
 *
 * paths    n file names; one file is key "file", several take their base names (other characters
 *          than letters, digits, - and _ become _; two files of one key are an error)
 * name     public, on the chain; may be ""
 *
 * One pass, constant memory at any size. SR_E_NOTFOUND, SR_E_SYS (a file unreadable), SR_E_CONFLICT
 * (a file changed while it was read), SR_E_UNAVAILABLE. When the key could not be handed over after
 * the registration, the error says so and the data set is useless.
 */
SR_PUBLIC SR_WARN sr_status sr_data_protect_files(struct sr_client *c, const char *const *paths,
                                                  size_t n, const char *name, struct sr_data *ret_d,
                                                  struct sr_err *err);
/* The same for a JSON object, typed as the JavaScript SDK types it: strings, booleans, numbers
 * (f64), nested objects. Arrays and null are refused. */
SR_PUBLIC SR_WARN sr_status sr_data_protect_json(struct sr_client *c, const char *json, size_t len,
                                                 const char *name, struct sr_data *ret_d,
                                                 struct sr_err *err);
#define SR_MAX_STDIN (1u << 30) /* bytes of standard input: kept in memory */
#define SR_KEY_TEXT  45         /* base64 of a data key, NUL */
/* Gets the data key (base64, borrowed; wiped afterwards) before anything is uploaded. */
typedef sr_status (*sr_key_fn)(void *arg, const char *secret_key, struct sr_err *err);
struct sr_protect {           /* either paths or json */
    const char *const *paths; /* files; folders, whose files get their paths as keys; "-" alone:
                                 standard input */
    size_t n_paths;
    const char *json;
    size_t json_len;
    const char *name;       /* NULL: "" */
    const char *secret_key; /* use this key (base64 of 32 bytes); NULL: a new one */
    sr_key_fn key_made;     /* NULL: the key is kept nowhere but in the secret service. An upload
                               that is continued has the key of its beginning */
    void *key_arg;
    const char *upload_url;         /* origin of an IPFS node's or pinning service's RPC (Kubo's
                                       /api/v0/add) to store it with; NULL: the network's own store */
    const char *secret_upload_auth; /* value of the Authorization header for it; NULL: none */
};
SR_PUBLIC SR_WARN sr_status sr_data_protect(struct sr_client *c, const struct sr_protect *p,
                                            struct sr_data *ret_d, struct sr_err *err);
/* Hands the key of own data over to the secret service. SR_E_CONFLICT: it has one. */
SR_PUBLIC SR_WARN sr_status sr_data_push_key(struct sr_client *c, const char *data,
                                             const char *secret_key, struct sr_err *err);
/* Data sets of owner (NULL: the acting wallet), newest first. ret_list is owned: sr_data_list_free.
 */
SR_PUBLIC SR_WARN sr_status sr_data_list(struct sr_client *c, const char *owner,
                                         struct sr_data **ret_list, size_t *ret_n,
                                         struct sr_err *err);
SR_PUBLIC void sr_data_list_free(struct sr_data *list, size_t n);
SR_PUBLIC SR_WARN sr_status sr_data_show(struct sr_client *c, const char *data,
                                         struct sr_data *ret_d, struct sr_err *err);

/* Gives it to somebody else, with its key; grants of the old owner end with that. */
SR_PUBLIC SR_WARN sr_status sr_data_transfer(struct sr_client *c, const char *data, const char *to,
                                             char ret_tx[SR_HASH_TEXT], struct sr_err *err);

struct sr_data_query {         /* all of what is given must hold; zeroed: all protected data */
    const char *owner;         /* address or name */
    const char *name;          /* a part of it */
    const char *const *schema; /* "path:type", like "file:application/pdf", "email:string" */
    size_t n_schema;
    uint64_t after_unix_s, before_unix_s; /* created from, before; 0: any time */
};
/* Newest first, from the network's DataProtector index; bytes and has_secret are not known.
 * ret_list is owned: sr_data_list_free. */
SR_PUBLIC SR_WARN sr_status sr_data_find(struct sr_client *c, const struct sr_data_query *q,
                                         struct sr_data **ret_list, size_t *ret_n,
                                         struct sr_err *err);

struct sr_use { /* one task on protected data */
    char deal[SR_HASH_TEXT], task[SR_HASH_TEXT];
    char requester[SR_ADDR_TEXT], beneficiary[SR_ADDR_TEXT], app[SR_ADDR_TEXT];
    char price_nrlc[SR_AMOUNT_TEXT]; /* paid for the data; comes back when the task fails */
    uint64_t time_unix_s;            /* of the deal */
    char status[16];                 /* UNSET, ACTIVE, REVEALING, COMPLETED, FAILED */
    bool key_released;               /* a room got the key, by the secret service's log */
    char refusal[80];                /* why none did: the code of the last refusal; "" */
    bool bulk;                       /* as one of many */
};
/* Who used it. ret_list is owned: sr_free. */
SR_PUBLIC SR_WARN sr_status sr_data_usage(struct sr_client *c, const char *data,
                                          struct sr_use **ret_list, size_t *ret_n,
                                          struct sr_err *err);

/* Groups (ERC-734 contracts) that a grant can name instead of one app or one user; who made it lets
 * members in and out. Members: addresses, names of apps, names of wallets. */
SR_PUBLIC SR_WARN sr_status sr_group_create(struct sr_client *c, const char *const *who, size_t n,
                                            char ret_group[SR_ADDR_TEXT], char ret_tx[SR_HASH_TEXT],
                                            struct sr_err *err);
SR_PUBLIC SR_WARN sr_status sr_group_set(struct sr_client *c, const char *group,
                                         const char *const *who, size_t n, bool in,
                                         char ret_tx[SR_HASH_TEXT], struct sr_err *err);
SR_PUBLIC SR_WARN sr_status sr_group_has(struct sr_client *c, const char *group, const char *who,
                                         bool *ret_is, struct sr_err *err);

struct sr_grant {
    const char *data;
    const char *app;  /* address, name in network.json, or whitelist contract; "any" for any app */
    const char *user; /* address or name; "any" for anybody */
    const char *price_nrlc; /* per access; NULL: 0 */
    uint64_t count;         /* accesses; 0: 1 */
    bool bulk;              /* may be used with others in one task: free, without a limit */
};
struct sr_grant_info {
    char order_hash[SR_HASH_TEXT];
    char data[SR_ADDR_TEXT];
    char app[SR_ADDR_TEXT];  /* zero address: any */
    char user[SR_ADDR_TEXT]; /* zero address: any */
    char price_nrlc[SR_AMOUNT_TEXT];
    uint64_t count, remaining;
    char tx[SR_HASH_TEXT]; /* of a revocation; else "" */
};
/* Signs a data set order and publishes it. SR_E_CONFLICT: granted already; SR_E_REFUSED: not the
 * owner, not an app, no key in the secret service. */
SR_PUBLIC SR_WARN sr_status sr_data_grant(struct sr_client *c, const struct sr_grant *g,
                                          struct sr_grant_info *ret_g, struct sr_err *err);
/* Open grants of one data set, or (data NULL) of all that the acting wallet owns; app and user
 * NULL: all. ret_list is owned: sr_free. */
SR_PUBLIC SR_WARN sr_status sr_data_grants(struct sr_client *c, const char *data, const char *app,
                                           const char *user, struct sr_grant_info **ret_list,
                                           size_t *ret_n, struct sr_err *err);
/* Open grants that who (NULL: the acting wallet) may use; only_me: without those to anybody.
 * ret_list is owned: sr_free. */
SR_PUBLIC SR_WARN sr_status sr_data_received(struct sr_client *c, const char *who, bool only_me,
                                             struct sr_grant_info **ret_list, size_t *ret_n,
                                             struct sr_err *err);
/* Closes on the chain every open grant that matches (data NULL: of all that the wallet owns).
 * SR_E_NOTFOUND when there is none. ret_list is owned: sr_free. */
SR_PUBLIC SR_WARN sr_status sr_data_revoke(struct sr_client *c, const char *data, const char *app,
                                           const char *user, struct sr_grant_info **ret_list,
                                           size_t *ret_n, struct sr_err *err);

/* ---- apps -------------------------------------------------------------------------------------
 */

struct sr_app {
    char address[SR_ADDR_TEXT];
    char owner[SR_ADDR_TEXT];
    char name[128];
    char multiaddr[256];
    char checksum[SR_HASH_TEXT]; /* SHA-256 of the OCI manifest */
    char tx[SR_HASH_TEXT];
    char order_hash[SR_HASH_TEXT]; /* of the published app order; "" without */
    char *egress; /* JSON array of hosts the app may talk to, "[]" for none; owned: sr_app_done;
                     NULL when not known */
};
SR_PUBLIC void sr_app_done(struct sr_app *a);
/* dir holds app.json {name, entrypoint, files, egress} and the files. Packs an OCI image, stores
 * and registers it, and publishes a free, unlimited app order unless no_publish. */
SR_PUBLIC SR_WARN sr_status sr_app_deploy(struct sr_client *c, const char *dir, bool no_publish,
                                          struct sr_app *ret_a, struct sr_err *err);
/* What a deployment decides over app.json. Borrowed. */
struct sr_app_settings {
    bool no_publish;
    const char *const *egress; /* "host:port"; n_egress > 0: instead of app.json's list */
    size_t n_egress;
    const char *const *env; /* "NAME=VALUE", instead of app.json's value of that name */
    size_t n_env;
};
/* sr_app_deploy with settings: an app whose servers are its operator's. SR_E_USAGE names a setting
 * that is none. */
SR_PUBLIC SR_WARN sr_status sr_app_deploy_with(struct sr_client *c, const char *dir,
                                               const struct sr_app_settings *settings,
                                               struct sr_app *ret_a, struct sr_err *err);
/* The same of an image that is there already: docker://HOST/NAME:TAG, oci-archive:FILE or oci:DIR
 * (needs skopeo). It goes to the store; its manifest's digest is the app's checksum. name NULL: the
 * image's. */
SR_PUBLIC SR_WARN sr_status sr_app_deploy_image(struct sr_client *c, const char *image,
                                                const char *name, bool no_publish,
                                                struct sr_app *ret_a, struct sr_err *err);
SR_PUBLIC SR_WARN sr_status sr_app_show(struct sr_client *c, const char *app, struct sr_app *ret_a,
                                        struct sr_err *err);
/* Gives an app a name on this network, and (list not NULL) the whitelist that its users grant
 * access to: in network.json, and in apps.json beside it, from which strongroom up and the market's
 * compass learn it. */
SR_PUBLIC SR_WARN sr_status sr_app_set_name(struct sr_client *c, const char *name, const char *app,
                                            const char *list, struct sr_err *err);

/* ---- runs -------------------------------------------------------------------------------------
 */

struct sr_run_secret {
    unsigned index;    /* 1.. as the app sees it: IEXEC_REQUESTER_SECRET_<index> */
    const void *value; /* borrows secret */
    size_t n;          /* 1..SR_MAX_SECRET_LEN */
};
struct sr_run {
    const char *app;         /* address, or a name in network.json */
    const char *const *data; /* addresses; at most one in this version */
    size_t n_data;
    const char *args; /* public: it is on the chain; NULL: none */
    const struct sr_run_secret *secrets;
    size_t n_secrets;
    const char *const *input_urls;
    size_t n_inputs;
    const char *max_app_nrlc, *max_data_nrlc, *max_pool_nrlc; /* NULL: 0 */
    const char *workerpool;                                   /* NULL: the network's */
    const char *beneficiary; /* who can decrypt; NULL: the acting wallet */
    bool plain_result;       /* do not encrypt the result (anybody can read it) */
    const char *callback;    /* contract that gets the result on the chain; NULL: none */
    uint64_t category;       /* how long the app may take; see sr_category_list */
};
struct sr_deal_ids {
    char deal[SR_HASH_TEXT];
    char task[SR_HASH_TEXT];
    char tx[SR_HASH_TEXT];
    char cost_nrlc[SR_AMOUNT_TEXT];
};
/*
 * sr_run_start - finds orders, checks that the run can succeed, then makes the deal
 *
 * Nothing is paid before all checks passed: orders open, prices within the limits, access granted
 * to this app and requester, data key and result key present, app image in place, stake sufficient.
 * SR_E_REFUSED says which check failed.
 */
SR_PUBLIC SR_WARN sr_status sr_run_start(struct sr_client *c, const struct sr_run *run,
                                         struct sr_deal_ids *ret_ids, struct sr_err *err);

/* What a task's app tried on the network, as its room counted. */
struct sr_egress_count {
    uint64_t connections; /* to hosts that its image lists */
    uint64_t failed;      /* of these: not reached */
    uint64_t refused;     /* names and addresses that are not listed */
    uint64_t sent, received;
};

#define SR_BULK_MAX      10000 /* data sets of one bulk request */
#define SR_BULK_PER_TASK 100   /* of one of its tasks */
struct sr_bulk_task {
    char deal[SR_HASH_TEXT], task[SR_HASH_TEXT], tx[SR_HASH_TEXT];
    uint64_t index; /* of the list it works on: data sets index * per_task and on */
};
/*
 * sr_bulk_start - one request for many data sets, in tasks of at most per_task (0:
 * SR_BULK_PER_TASK)
 *
 * run->data    each granted for bulk (sr_grant.bulk); SR_E_REFUSED names those that are not
 * ret_tasks    owned: sr_free
 *
 * A data set that cannot be used when its task runs (revoked, expired, missing, ...) does not end
 * it: app and result have a file strongroom-datasets.json that tells what became of each.
 */
SR_PUBLIC SR_WARN sr_status sr_bulk_start(struct sr_client *c, const struct sr_run *run,
                                          unsigned per_task, struct sr_bulk_task **ret_tasks,
                                          size_t *ret_n, struct sr_err *err);

/*
 * sr_bulk_prepare - the same without its deals: lists and secrets are stored, nothing is paid
 *
 * ret_request  the signed request order as JSON, as the official clients' prepareBulkRequest has
 * it; its prices are run's maxima; owned: sr_free
 */
SR_PUBLIC SR_WARN sr_status sr_bulk_prepare(struct sr_client *c, const struct sr_run *run,
                                            unsigned per_task, char **ret_request,
                                            struct sr_err *err);
/*
 * sr_bulk_send - makes the deals of a bulk request, or of what is left of it
 *
 * request     borrows; of sr_bulk_prepare, sr_campaign_prepare or an official client
 * workerpool  NULL: the one of the request, else the network's
 * ret_tasks   all tasks of the request, by their index (tx "" of earlier ones); owned: sr_free
 *
 * The request's signer pays, the acting wallet sends. SR_E_USAGE: no bulk request, or it is for
 * another workerpool. SR_E_REFUSED: cancelled, or no order that can be used.
 */
SR_PUBLIC SR_WARN sr_status sr_bulk_send(struct sr_client *c, const char *request,
                                         const char *workerpool, struct sr_bulk_task **ret_tasks,
                                         size_t *ret_n, struct sr_err *err);

/* Something that would keep a run from succeeding. */
struct sr_blocker {
    const char *code;  /* of the failure catalogue (failure.h), else a status' name; static */
    const char *stage; /* static */
    const char *party; /* who can mend it; static */
    bool retry;        /* it may go away by itself */
    char what[240], next[200];
};
/*
 * sr_can_run - makes every check of a run, pays and stores nothing, and tells all that is in its
 * way
 *
 * run         borrows; as for sr_run_start
 * ret_list    owned: sr_free; the blockers in the order of the checks; n 0: it can run
 * ret_cost    what a task would cost, in nRLC, by the orders found; may be NULL
 *
 * Balances, stakes, orders open on the chain, prices, tags, restrictions (groups are asked),
 * signatures of today's owners, app image, data file and its key, the beneficiary's result key,
 * gas, services, scheduler and workers. Fails only where no check could be made: wrong usage, no
 * network.json, a wallet that does not open.   SPEC: dataprotector.md#57-processprotecteddata
 */
SR_PUBLIC SR_WARN sr_status sr_can_run(struct sr_client *c, const struct sr_run *run,
                                       struct sr_blocker **ret_list, size_t *ret_n,
                                       char ret_cost[SR_AMOUNT_TEXT], struct sr_err *err);

struct sr_task {
    char task[SR_HASH_TEXT];
    char deal[SR_HASH_TEXT];
    char status[16]; /* UNSET, ACTIVE, REVEALING, COMPLETED, FAILED, TIMEOUT: as the chain has it */
    char stage[32];  /* what the scheduler last said; "" when it said nothing */
    char cause[240]; /* of a failure; "" otherwise */
    uint64_t final_deadline_unix_s;
    char result_location[256]; /* "/ipfs/<cid>"; "" when there is none */
    char result_digest[SR_HASH_TEXT];
    char worker[SR_ADDR_TEXT]; /* "" when not known */
    bool has_egress;           /* the scheduler has heard of the end */
    struct sr_egress_count egress;
    bool has_exit_code; /* the app ended by itself */
    int64_t exit_code;
};
SR_PUBLIC SR_WARN sr_status sr_task_show(struct sr_client *c, const char *task,
                                         struct sr_task *ret_t, struct sr_err *err);
/* Waits for the end, told by the scheduler and the chain. SR_OK: COMPLETED. SR_E_TASK: it failed,
 * the error has the cause, and ret_t (may be NULL) is filled too. */
SR_PUBLIC SR_WARN sr_status sr_task_wait(struct sr_client *c, const char *task,
                                         struct sr_task *ret_t, struct sr_err *err);

/* The ends of what the app wrote to stdout and stderr, in the last attempt. It may hold anything
 * that the app saw, so the scheduler gives it to the requester of the task alone: SR_E_AUTH to
 * others. SR_E_NOTFOUND: none is kept (the app has not run, or it was purged). */
struct sr_task_logs {
    char *out, *err; /* UTF-8; owned: sr_task_logs_done */
};
SR_PUBLIC SR_WARN sr_status sr_task_logs(struct sr_client *c, const char *task,
                                         struct sr_task_logs *ret_l, struct sr_err *err);
SR_PUBLIC void sr_task_logs_done(struct sr_task_logs *l); /* accepts a zeroed one */

struct sr_bundle {
    char task[SR_HASH_TEXT], deal[SR_HASH_TEXT];
    char transaction[SR_HASH_TEXT]; /* that brought the result to the chain */
    char label[16];                 /* "SIMULATED", "TDX", "SEV-SNP" */
    uint64_t bytes;
};
/*
 * sr_task_bundle - gathers the evidence of a completed task into one file, and verifies it
 *
 * policy_file  JSON policy that the evidence is judged by; NULL: only rooms that the secret service
 *              releases to, and SIMULATED evidence only on a development network
 * file         written whole or not at all; SR_E_CONFLICT when it exists
 *
 * What it shows is listed by `strongroom verify`, which needs no network. SR_E_NOTFOUND: the secret
 * service has no release of that task. SR_E_REFUSED: not completed, or matched or signed by a
 * contract, whose consent only the chain can show.
 */
SR_PUBLIC SR_WARN sr_status sr_task_bundle(struct sr_client *c, const char *task,
                                           const char *policy_file, const char *file,
                                           struct sr_bundle *ret_b, struct sr_err *err);

struct sr_step {
    char status[48], cause[80];
    char worker[SR_ADDR_TEXT]; /* whose step; "" of the task itself */
    uint64_t unix_ms;
};
/* The task's steps by time, as its scheduler wrote them down. ret_list is owned: sr_free. */
SR_PUBLIC SR_WARN sr_status sr_task_steps(struct sr_client *c, const char *task,
                                          struct sr_step **ret_list, size_t *ret_n,
                                          struct sr_err *err);

struct sr_deal {
    char deal[SR_HASH_TEXT];
    char app[SR_ADDR_TEXT], data[SR_ADDR_TEXT], workerpool[SR_ADDR_TEXT];
    char requester[SR_ADDR_TEXT], beneficiary[SR_ADDR_TEXT];
    char price_nrlc[SR_AMOUNT_TEXT]; /* per task */
    char tag[SR_HASH_TEXT];
    uint64_t category, trust, start_unix_s, first, size;
    char *params; /* JSON text; owned: sr_deal_done */
};
SR_PUBLIC void sr_deal_done(struct sr_deal *d);
SR_PUBLIC SR_WARN sr_status sr_deal_show(struct sr_client *c, const char *deal,
                                         struct sr_deal *ret_d, struct sr_err *err);

/* ---- sharing: collections, renting, subscription, sale ------------------------------------------
 *
 * Data put into a collection is held by the sharing contract until it is taken out or sold. Whoever
 * rents it, or subscribes to its collection, may run the apps of its whitelist on it until his time
 * is over; results are encrypted for him alone. Prices move from payer to the collection's owner
 * inside the hub, at once: what was earned is in his account (sr_account_show), and
 * sr_account_withdraw takes it out. Ids of collections are numbers from 1.
 */

#define SR_SHARE_MAX_APPS 64 /* apps given to one new whitelist */

/* Of the acting wallet. */
SR_PUBLIC SR_WARN sr_status sr_collection_create(struct sr_client *c, uint64_t *ret_id,
                                                 char ret_tx[SR_HASH_TEXT], struct sr_err *err);
/* For good; it must be empty, and without a running subscription. */
SR_PUBLIC SR_WARN sr_status sr_collection_close(struct sr_client *c, uint64_t id,
                                                char ret_tx[SR_HASH_TEXT], struct sr_err *err);
/* The terms of a subscription: price for so many seconds, not renewed. seconds 0: no new ones. */
SR_PUBLIC SR_WARN sr_status sr_collection_offer(struct sr_client *c, uint64_t id,
                                                const char *price_nrlc, uint64_t seconds,
                                                char ret_tx[SR_HASH_TEXT], struct sr_err *err);

/* A list of apps that only grows; whose data names it lets those apps, and no others, use it. */
SR_PUBLIC SR_WARN sr_status sr_whitelist_new(struct sr_client *c, const char *const *apps, size_t n,
                                             char ret_list[SR_ADDR_TEXT], char ret_tx[SR_HASH_TEXT],
                                             struct sr_err *err);
SR_PUBLIC SR_WARN sr_status sr_whitelist_add(struct sr_client *c, const char *list, const char *app,
                                             char ret_tx[SR_HASH_TEXT], struct sr_err *err);
/* Hands an app of the acting wallet to the sharing contract, for good: only such apps can be run on
 * shared data. */
SR_PUBLIC SR_WARN sr_status sr_share_app(struct sr_client *c, const char *app,
                                         char ret_tx[SR_HASH_TEXT], struct sr_err *err);

/* Puts own data into an own collection. SR_E_REFUSED: another's, or its key is not stored. */
SR_PUBLIC SR_WARN sr_status sr_share_add(struct sr_client *c, uint64_t id, const char *data,
                                         const char *list, char ret_tx[SR_HASH_TEXT],
                                         struct sr_err *err);
/* Takes it out, back to the acting wallet; not while it is rented or subscribed to. */
SR_PUBLIC SR_WARN sr_status sr_share_remove(struct sr_client *c, const char *data,
                                            char ret_tx[SR_HASH_TEXT], struct sr_err *err);
/* Into the subscription of its collection, or (in false) out of it. */
SR_PUBLIC SR_WARN sr_status sr_share_bundle(struct sr_client *c, const char *data, bool in,
                                            char ret_tx[SR_HASH_TEXT], struct sr_err *err);
/* For rent at that price for so many seconds; seconds 0: no new rentals. */
SR_PUBLIC SR_WARN sr_status sr_share_for_rent(struct sr_client *c, const char *data,
                                              const char *price_nrlc, uint64_t seconds,
                                              char ret_tx[SR_HASH_TEXT], struct sr_err *err);
/* For sale; price NULL: not any more. Not while it is for rent or in the subscription. */
SR_PUBLIC SR_WARN sr_status sr_share_for_sale(struct sr_client *c, const char *data,
                                              const char *price_nrlc, char ret_tx[SR_HASH_TEXT],
                                              struct sr_err *err);

typedef enum { SR_PAID_RENT, SR_PAID_SUBSCRIPTION, SR_PAID_SALE } sr_paid_kind;
struct sr_paid { /* one payment */
    sr_paid_kind kind;
    char data[SR_ADDR_TEXT]; /* "" for a subscription */
    uint64_t collection;
    char from[SR_ADDR_TEXT]; /* who rents or subscribes; of a sale who owns it then */
    char to[SR_ADDR_TEXT];   /* the owner of the collection */
    char price_nrlc[SR_AMOUNT_TEXT];
    uint64_t end_unix_s; /* until when access lasts; 0: for good */
    char tx[SR_HASH_TEXT];
};
/* The price comes from the account in the hub. max_price NULL: 0; SR_E_REFUSED when it costs more,
 * or the account has less. */
SR_PUBLIC SR_WARN sr_status sr_share_rent(struct sr_client *c, const char *data,
                                          const char *max_price_nrlc, struct sr_paid *ret_p,
                                          struct sr_err *err);
SR_PUBLIC SR_WARN sr_status sr_collection_subscribe(struct sr_client *c, uint64_t id,
                                                    const char *max_price_nrlc,
                                                    struct sr_paid *ret_p, struct sr_err *err);
/* to NULL: the acting wallet. The buyer needs no key: the secret service has it. */
SR_PUBLIC SR_WARN sr_status sr_share_buy(struct sr_client *c, const char *data, const char *to,
                                         const char *max_price_nrlc, struct sr_paid *ret_p,
                                         struct sr_err *err);
/*
 * Runs an app of the data's whitelist on data that the acting wallet has rented or subscribed to.
 * app NULL: the last one on the whitelist; workerpool NULL: the network's. Free; only workerpool
 * orders without a price can be used. Then sr_task_wait, sr_result_get.
 */
SR_PUBLIC SR_WARN sr_status sr_share_consume(struct sr_client *c, const char *data, const char *app,
                                             const char *workerpool, struct sr_deal_ids *ret_ids,
                                             struct sr_err *err);

struct sr_shared_data {
    char data[SR_ADDR_TEXT], name[128];
    uint64_t collection;      /* 0: in none now */
    char owner[SR_ADDR_TEXT]; /* of the collection; "" in none */
    char list[SR_ADDR_TEXT];  /* whitelist of apps */
    bool in_subscription, for_rent, for_sale;
    char rent_price_nrlc[SR_AMOUNT_TEXT], sale_price_nrlc[SR_AMOUNT_TEXT];
    uint64_t rent_seconds;
    uint64_t uses; /* times an app was run on it through the sharing contract */
};
struct sr_collection {
    uint64_t id;
    char owner[SR_ADDR_TEXT];
    uint64_t n_data;
    char price_nrlc[SR_AMOUNT_TEXT]; /* of a subscription */
    uint64_t seconds;                /* of one; 0: none offered */
};
struct sr_listed_app {
    char list[SR_ADDR_TEXT], owner[SR_ADDR_TEXT]; /* whitelist, and its owner */
    char app[SR_ADDR_TEXT];                       /* "" : the list is empty */
};
struct sr_sharing { /* owned: sr_sharing_done */
    struct sr_shared_data *data;
    size_t n_data;
    struct sr_collection *collections; /* open ones */
    size_t n_collections;
    struct sr_paid *paid; /* oldest first */
    size_t n_paid;
    struct sr_listed_app *apps;
    size_t n_apps;
    uint64_t now_unix_s; /* of the chain: what ends before is over */
};
/* All that the chain tells of sharing: from the market's index and the events since, or from all
 * events of the contract where no index is to be had. */
SR_PUBLIC SR_WARN sr_status sr_sharing_read(struct sr_client *c, struct sr_sharing *ret_s,
                                            struct sr_err *err);
SR_PUBLIC void sr_sharing_done(struct sr_sharing *s); /* accepts NULL and a zeroed one */

/* ---- results -----------------------------------------------------------------------------------
 */

struct sr_result {
    char dir[512]; /* where the files are */
    size_t files;
    uint64_t bytes;
    bool was_encrypted;
    bool told; /* the result of a run with a callback: what its contract got */
};
/* Opens protected data here, with its key: downloads, checks, decrypts and unpacks it into out_dir.
 * SR_E_CRYPTO: not that key, or not the data of the chain's checksum. */
SR_PUBLIC SR_WARN sr_status sr_data_open(struct sr_client *c, const char *data,
                                         const char *secret_key, const char *out_dir,
                                         struct sr_result *ret_r, struct sr_err *err);
/* Downloads the result of a completed task, decrypts it with the key in the keystore folder,
 * unpacks it into out_dir (made when missing; existing files are never overwritten: SR_E_CONFLICT).
 * Streams. The result of a run with a callback is read from the chain into the file callback-data,
 * as the contract got it. */
SR_PUBLIC SR_WARN sr_status sr_result_get(struct sr_client *c, const char *task,
                                          const char *out_dir, struct sr_result *ret_r,
                                          struct sr_err *err);

/* ---- orders -------------------------------------------------------------------------------------
 *
 * An order is named by its hash (the market is asked) or given as JSON text: bare, or as a market's
 * item {"order":{...}}. Kinds: "app", "dataset" (or "data"), "workerpool", "request".
 */

struct sr_line {
    const char
        *code; /* of a warning: ANY_APP, ANY_REQUESTER, ANY_WORKERPOOL, FREE, UNLIMITED, NO_TEE,
                  GROUP, NOTHING_THERE, UNSIGNED, WRONG_SIGNER, USED_UP, CANCELLED, DEAD,
                  NOT_REGISTERED, PLAIN_RESULT, NOT_CHECKED; "" of a sentence; static */
    char text[320];
};
#define SR_EXPLAIN_LINES 24
struct sr_explained {
    char kind[12];           /* app, dataset, workerpool, request */
    char hash[SR_HASH_TEXT]; /* "" offline */
    char state[16];          /* open, used up, cancelled, dead, unsigned, not checked */
    struct sr_line sentences[SR_EXPLAIN_LINES], warnings[SR_EXPLAIN_LINES];
    size_t n_sentences, n_warnings;
};
/*
 * sr_order_explain - what an order means, in sentences, and what its signer may not have meant
 *
 * order    borrows; a hash or JSON text; signed or not
 *
 * With a network, chain and market are asked whether it is open, who signed it, and what the
 * restricted addresses are; without one (no network.json) the text alone is explained, with the
 * warning NOT_CHECKED. SR_E_NOTFOUND, SR_E_MALFORMED.   SPEC: poco.md#7-restrictions
 */
SR_PUBLIC SR_WARN sr_status sr_order_explain(struct sr_client *c, const char *order,
                                             struct sr_explained *ret, struct sr_err *err);

/* What an order shall offer or ask for. NULL texts and zeroes are the defaults. */
struct sr_offer {
    const char *kind;
    const char *resource;   /* app, data or workerpool; of a request its app */
    const char *price_nrlc; /* NULL: 0; of a request: of the app at most */
    uint64_t count;         /* 0: 1; SR_UNLIMITED */
    const char *tag;        /* "tee,tdx" (the default), "" for none, or 32 bytes hex */
    const char *app, *data, *workerpool, *requester; /* whom it is for; NULL: anybody. A request:
                                                        what it wants */
    uint64_t category, trust;                        /* workerpool, request */
    const char *max_data_nrlc, *max_pool_nrlc, *beneficiary, *callback, *params; /* request */
};
/*
 * sr_order_sign - makes an order, signs it as the acting wallet, and publishes it when told to
 *
 * template_json   borrows; an order whose fields stand where offer is silent; its salt is replaced;
 *                 NULL: none
 * offer           borrows; NULL: the template as it is
 * ret_json        owned: sr_free; may be NULL
 *
 * SR_E_REFUSED when the acting wallet does not own what is offered, or the market says no.
 */
SR_PUBLIC SR_WARN sr_status sr_order_sign(struct sr_client *c, const struct sr_offer *offer,
                                          const char *template_json, bool publish,
                                          char ret_hash[SR_HASH_TEXT], char **ret_json,
                                          struct sr_err *err);
/* Publishes a signed order as it is. */
SR_PUBLIC SR_WARN sr_status sr_order_publish(struct sr_client *c, const char *order_json,
                                             char ret_hash[SR_HASH_TEXT], struct sr_err *err);
/* Takes orders back from the market: order (a hash), or the newest or all of resource (of the
 * acting wallet when kind is request). They stay valid for who kept a copy: sr_order_cancel ends
 * that. ret_hashes: owned, sr_free; n texts of SR_HASH_TEXT bytes. */
SR_PUBLIC SR_WARN sr_status sr_order_unpublish(struct sr_client *c, const char *kind,
                                               const char *order, const char *resource, bool all,
                                               char (**ret_hashes)[SR_HASH_TEXT], size_t *ret_n,
                                               struct sr_err *err);
/* Closes an order for ever, on the chain. */
SR_PUBLIC SR_WARN sr_status sr_order_cancel(struct sr_client *c, const char *order,
                                            char ret_tx[SR_HASH_TEXT], struct sr_err *err);
/* Matches orders (data NULL: none); the chain is asked first. *ret_volume: tasks of the deal; the
 * ids are of its first. */
SR_PUBLIC SR_WARN sr_status sr_order_fill(struct sr_client *c, const char *app, const char *data,
                                          const char *workerpool, const char *request,
                                          struct sr_deal_ids *ret_ids, uint64_t *ret_volume,
                                          struct sr_err *err);
/* The market's item {order, orderHash, remaining, status, signer, publicationTimestamp}; owned. */
SR_PUBLIC SR_WARN sr_status sr_order_show(struct sr_client *c, const char *hash, char **ret_json,
                                          struct sr_err *err);

struct sr_book_filter {
    const char *kind, *resource;                     /* resource NULL: any */
    const char *owner;                               /* signer of app, data or workerpool orders */
    const char *app, *data, *workerpool, *requester; /* orders that these may use; "any": all;
                                                        NULL: open to everybody only */
    bool strict;                                     /* only orders made for exactly these */
    const char *min_tag, *max_tag;
    const char *category; /* NULL: any */
    uint64_t min_volume, min_trust;
    size_t max; /* 0: 100 */
};
struct sr_book_row {
    char hash[SR_HASH_TEXT], resource[SR_ADDR_TEXT], signer[SR_ADDR_TEXT];
    char price_nrlc[SR_AMOUNT_TEXT], tag[48]; /* names, or 32 bytes hex cut short */
    char app[SR_ADDR_TEXT], data[SR_ADDR_TEXT], workerpool[SR_ADDR_TEXT], requester[SR_ADDR_TEXT];
    uint64_t remaining, category, trust;
};
/* Open orders, cheapest first (requests: best paid first). ret_list is owned: sr_free. */
SR_PUBLIC SR_WARN sr_status sr_order_book(struct sr_client *c, const struct sr_book_filter *f,
                                          struct sr_book_row **ret_list, size_t *ret_n,
                                          uint64_t *ret_total, struct sr_err *err);

/* ---- deals and tasks in lists, claims
 * ------------------------------------------------------------
 */

struct sr_deal_filter { /* NULL: any */
    const char *requester, *beneficiary, *app, *data, *workerpool;
    const char *app_owner, *data_owner, *pool_owner;
    const char
        *status; /* of tasks: UNSET, ACTIVE, REVEALING, COMPLETED, FAILED, TIMEOUT, CLAIMABLE */
    size_t max;  /* 0: 100 */
};
struct sr_deal_row {
    char deal[SR_HASH_TEXT];
    char app[SR_ADDR_TEXT], data[SR_ADDR_TEXT], workerpool[SR_ADDR_TEXT]; /* data "" without */
    char requester[SR_ADDR_TEXT], beneficiary[SR_ADDR_TEXT];
    char price_nrlc[SR_AMOUNT_TEXT]; /* per task */
    uint64_t category, start_unix_s, first, size;
};
/* Deals that the market knows, newest first. ret_list is owned: sr_free. */
SR_PUBLIC SR_WARN sr_status sr_deal_list(struct sr_client *c, const struct sr_deal_filter *f,
                                         struct sr_deal_row **ret_list, size_t *ret_n,
                                         uint64_t *ret_total, struct sr_err *err);
struct sr_task_row {
    char task[SR_HASH_TEXT], deal[SR_HASH_TEXT];
    char app[SR_ADDR_TEXT], data[SR_ADDR_TEXT];
    char status[16]; /* TIMEOUT: its final deadline has passed, and it can be claimed */
    uint64_t index, started_unix_s, final_deadline_unix_s;
    bool initialised, claimable;
};
/* Tasks of the newest 1000 deals, as the chain has them. ret_list is owned: sr_free. */
SR_PUBLIC SR_WARN sr_status sr_task_list(struct sr_client *c, const struct sr_deal_filter *f,
                                         struct sr_task_row **ret_list, size_t *ret_n,
                                         struct sr_err *err);
struct sr_claimed {
    char task[SR_HASH_TEXT], deal[SR_HASH_TEXT], tx[SR_HASH_TEXT];
};
/*
 * sr_claim - ends tasks whose final deadline has passed without a result; the requester's price
 * comes back, with the pool's stake on top
 *
 * deal, task   one of them, or both NULL: every such task of the acting wallet
 * ret_list     owned: sr_free; n may be 0 only when both are NULL
 *
 * Tasks that were never initialised are initialised on the way. At most 32 a transaction.
 * SR_E_REFUSED: nothing to claim.   SPEC: poco.md#14-task-life-cycle
 */
SR_PUBLIC SR_WARN sr_status sr_claim(struct sr_client *c, const char *deal, const char *task,
                                     struct sr_claimed **ret_list, size_t *ret_n,
                                     struct sr_err *err);
/* The workerpool's document of a task, and what the app wrote (logs: the acting wallet must be the
 * requester). Both owned: sr_free; *ret_logs_json may be NULL.
 * SPEC: services.md#8-workerpool-public-api */
SR_PUBLIC SR_WARN sr_status sr_task_debug(struct sr_client *c, const char *task, bool logs,
                                          char **ret_info_json, char **ret_logs_json,
                                          struct sr_err *err);

/* ---- registries, categories, the network
 * ---------------------------------------------------------
 */

struct sr_resource {
    char address[SR_ADDR_TEXT], owner[SR_ADDR_TEXT];
    char name[128];      /* a workerpool's: its description */
    char multiaddr[256]; /* of apps and data */
    char checksum[SR_HASH_TEXT];
    uint64_t stake_ratio, scheduler_ratio; /* workerpool: percent */
};
/* kind: "app", "data", "workerpool", here and below. */
SR_PUBLIC SR_WARN sr_status sr_resource_show(struct sr_client *c, const char *kind,
                                             const char *address, struct sr_resource *ret,
                                             struct sr_err *err);
/* Of owner (NULL: the acting wallet), newest first, by the registry itself; 1000 at most. ret_list
 * is owned: sr_free. */
SR_PUBLIC SR_WARN sr_status sr_resource_list(struct sr_client *c, const char *kind,
                                             const char *owner, struct sr_resource **ret_list,
                                             size_t *ret_n, struct sr_err *err);
SR_PUBLIC SR_WARN sr_status sr_resource_count(struct sr_client *c, const char *kind,
                                              const char *owner, uint64_t *ret_n,
                                              struct sr_err *err);
/* Gives it to somebody else. Its open orders end. SR_E_REFUSED: not the owner. */
SR_PUBLIC SR_WARN sr_status sr_resource_transfer(struct sr_client *c, const char *kind,
                                                 const char *address, const char *to,
                                                 char ret_tx[SR_HASH_TEXT], struct sr_err *err);
/* SR_E_CONFLICT: the acting wallet has one of that description. */
SR_PUBLIC SR_WARN sr_status sr_workerpool_deploy(struct sr_client *c, const char *description,
                                                 char ret_address[SR_ADDR_TEXT],
                                                 char ret_tx[SR_HASH_TEXT], struct sr_err *err);
struct sr_category {
    uint64_t id;
    char name[64], description[256];
    uint64_t unit_s; /* a task must contribute within 7 of these, and ends after 10 */
};
SR_PUBLIC SR_WARN sr_status sr_category_list(struct sr_client *c, struct sr_category **ret_list,
                                             size_t *ret_n, struct sr_err *err);
/* Only the owner of the hub can. */
SR_PUBLIC SR_WARN sr_status sr_category_create(struct sr_client *c, const char *name,
                                               const char *description, uint64_t unit_s,
                                               uint64_t *ret_id, char ret_tx[SR_HASH_TEXT],
                                               struct sr_err *err);
struct sr_info {
    uint64_t chain_id, block;
    bool simulated; /* a development network */
    char hub[SR_ADDR_TEXT], rlc[SR_ADDR_TEXT];
    char app_registry[SR_ADDR_TEXT], data_registry[SR_ADDR_TEXT], workerpool_registry[SR_ADDR_TEXT];
    char workerpool[SR_ADDR_TEXT], data_protector[SR_ADDR_TEXT], sms_identity[SR_ADDR_TEXT];
    char rpc[256], market[256], sms[256], ipfs_gateway[256], scheduler[256];
};
SR_PUBLIC SR_WARN sr_status sr_network_info(struct sr_client *c, struct sr_info *ret,
                                            struct sr_err *err);

/* ---- money between wallets, allowances
 * -----------------------------------------------------------
 */

/* what: "rlc" (amount as for a deposit) or "ether" ("0.5", "0.5 ether", "3 gwei", "100 wei"). */
SR_PUBLIC SR_WARN sr_status sr_wallet_send(struct sr_client *c, const char *what,
                                           const char *amount, const char *to,
                                           char ret_tx[SR_HASH_TEXT], struct sr_err *err);
/* All RLC, then all of the chain's coin but what its transfer may cost. "" for what was not sent.
 */
SR_PUBLIC SR_WARN sr_status sr_wallet_sweep(struct sr_client *c, const char *to,
                                            char ret_rlc_tx[SR_HASH_TEXT],
                                            char ret_coin_tx[SR_HASH_TEXT], struct sr_err *err);
/* Lets spender use so much of the acting wallet's stake; "0" ends it. */
SR_PUBLIC SR_WARN sr_status sr_account_approve(struct sr_client *c, const char *spender,
                                               const char *amount, char ret_tx[SR_HASH_TEXT],
                                               struct sr_err *err);
SR_PUBLIC SR_WARN sr_status sr_account_allowance(struct sr_client *c, const char *owner,
                                                 const char *spender, char ret_nrlc[SR_AMOUNT_TEXT],
                                                 struct sr_err *err);

/* ---- secrets
 * --------------------------------------------------------------------------------------
 *
 * kind: "app" (target: an app; its owner pushes), "data" (the key of protected data, as base64; its
 * owner), "requester" (a name; target NULL: the acting wallet), "result-key" (check only).
 */

/* secret_value: 1 to SR_MAX_SECRET_LEN bytes, borrowed; sealed to the vault. SR_E_CONFLICT: it is
 * there already, and cannot be changed.   SPEC: services.md#31-secret-operations */
SR_PUBLIC SR_WARN sr_status sr_secret_push(struct sr_client *c, const char *kind,
                                           const char *target, const char *name,
                                           const void *secret_value, size_t n, struct sr_err *err);
SR_PUBLIC SR_WARN sr_status sr_secret_check(struct sr_client *c, const char *kind,
                                            const char *target, const char *name, bool *ret_has,
                                            struct sr_err *err);
/* Makes the acting wallet's key for results when there is none, and hands its public half to the
 * secret service. SR_E_CONFLICT: one is there, and replace is false. */
SR_PUBLIC SR_WARN sr_status sr_result_key_push(struct sr_client *c, bool replace,
                                               struct sr_err *err);

/* The exit code of a command that ended with this code: 0 ok, 2 usage, 3 refused, 4 task failed, 5
 * service down, 1 anything else. */
SR_PUBLIC int sr_exit_code(sr_status code);

#ifdef __cplusplus
}
#endif
