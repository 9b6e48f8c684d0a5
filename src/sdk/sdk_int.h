/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sdk_int.h - the inside of libstrongroom: one client, its network, its wallet, and the services
 *
 * Public functions pack their arguments and run in a fiber (sdk_call); everything declared here
 * waits and must be called in one. Used by: src/sdk only.
 */
#pragma once
#include "base/base.h"
#include "eth/eth.h"
#include "ipfs/client.h"
#include "net/net.h"
#include "poco/poco.h"
#include "wire/formats.h"
#include "zip/zip.h"
#include <stdio.h>
#include <strongroom/strongroom.h>

#define SDK_MAGIC        0x53525344u
#define SDK_NETWORK_MAX  (1u << 20) /* bytes of network.json */
#define SDK_PASSWORD_MAX 1024       /* with its NUL */
#define SDK_URL_MAX      2048
#define SDK_PAGE         1000 /* orders asked for at once */
#define SDK_TX_MS        120000
#define SDK_TAG_TEE_TDX  (POCO_TAG_TEE | POCO_TAG_TDX)
#define SDK_RESULT_KEY   "iexec-result-encryption-public-key"

struct network {
    bool loaded, simulated;
    uint64_t chain_id;
    char *rpc, *ws, *market, *sms, *ipfs_node, *ipfs_gateway, *scheduler; /* owned; may be NULL */
    struct addr hub, rlc, data_protector, workerpool, sharing;
    bool has_workerpool, has_data_protector, has_sms_identity, has_sharing;
    struct addr sms_identity;
    struct json *doc; /* accounts and apps are read from it */
};

struct sr_client {
    uint32_t magic;
    char *dir, *network_file, *keystore, *as; /* owned; as may be NULL */
    sr_password_fn password;
    void *password_arg;
    sr_progress_fn progress;
    void *progress_arg;
    struct network net;
    /* the chain, opened by the first call that needs it */
    struct eth_rpc *rpc;
    struct poco poco;
    bool has_poco;
    /* the acting wallet, unlocked by the first call that signs */
    struct sr_secret key;
    struct addr me;
    bool has_key;
    struct eth_signer signer;
    struct eth_sender *sender;
    /* the vault's sealing key, once verified */
    bool vault_asked, has_vault;
    uint8_t vault_key[32];
    /* the last deal made here: tells a task that never was from one that the chain lost */
    struct hash last_task, last_deal;
    uint64_t last_first, last_size; /* tasks of that deal; size 0: last_task alone */
};

/* client.c */
typedef sr_status (*sdk_fn)(void *arg, struct sr_err *err);
SR_CHECK sr_status sdk_call(struct sr_client *c, sdk_fn fn, void *arg, struct sr_err *err);
/* http_fetch that waits for a service that is being started again: connections refused, and 503
 * answers, are tried anew for patience_ms. Nothing is sent twice. */
#define SDK_PATIENCE_MS 2000
SR_CHECK sr_status sdk_fetch(const struct http_call *call, uint64_t patience_ms,
                             struct http_answer *ret, struct sr_err *err);
void sdk_progress(struct sr_client *c, const char *step, const char *stage, uint64_t done,
                  uint64_t total, const char *subject);
void text_put(char *dst, size_t n, struct slice s); /* cut, NUL-terminated */
#define TEXT_PUT(dst, s) text_put((dst), sizeof(dst), (s))
void addr_put(char dst[SR_ADDR_TEXT], const struct addr *a);
void hash_put(char dst[SR_HASH_TEXT], const struct hash *h);
void u256_put(char dst[SR_AMOUNT_TEXT], struct u256 v);

/* network.c */
SR_CHECK sr_status sdk_network(struct sr_client *c, struct sr_err *err); /* loads it once */
void sdk_network_done(struct network *n);
/* A service's origin, or SR_E_NOTFOUND naming it. */
SR_CHECK sr_status sdk_service(struct sr_client *c, const char *origin, const char *name,
                               struct sr_err *err);
SR_CHECK sr_status sdk_chain(struct sr_client *c, struct sr_err *err); /* network, rpc, poco */
/* A development account of the network: its address, and its key when ret_key is given. */
bool sdk_dev_account(const struct network *n, struct slice name_or_addr, struct slice *ret_name,
                     struct addr *ret_a, struct slice *ret_secret_hex);

/* amount.c: "1000", "1000 nRLC", "1.5 RLC". */
SR_CHECK sr_status sdk_amount(const char *text, struct u256 *ret_nrlc, struct sr_err *err);
/* "1.25" in units of 10^-decimals. False: no number, or one with more decimals. */
SR_CHECK bool sdk_scale(struct slice number, unsigned decimals, struct u256 *ret_v);
/* NULL: 0; else digits only. */
SR_CHECK sr_status sdk_price(const char *text, const char *what, struct u256 *ret_nrlc,
                             struct sr_err *err);

/* wallet.c */
/* An address from hex (checksum checked when cased), a wallet's name or a development name. */
SR_CHECK sr_status sdk_who(struct sr_client *c, const char *who, struct addr *ret_a,
                           struct sr_err *err);
SR_CHECK sr_status sdk_me(struct sr_client *c, struct addr *ret_a, struct sr_err *err);
SR_CHECK sr_status sdk_unlock(struct sr_client *c, struct sr_err *err); /* c->key, c->signer */
/* An address, or a name under "apps" of the network. */
SR_CHECK sr_status sdk_app_addr(struct sr_client *c, const char *app, struct addr *ret_a,
                                struct sr_err *err);
SR_CHECK sr_status sdk_addr_arg(const char *text, const char *what, struct addr *ret_a,
                                struct sr_err *err);
SR_CHECK sr_status sdk_hash_arg(const char *text, const char *what, struct hash *ret_h,
                                struct sr_err *err);

/* send.c: one transaction, mined; a refusal is explained. ret may be NULL. */
SR_CHECK sr_status sdk_send(struct sr_client *c, const struct addr *to, struct u256 value,
                            struct slice data, struct eth_receipt *ret, struct sr_err *err);

/* The same for the creation of a contract: code and arguments. */
SR_CHECK sr_status sdk_create(struct sr_client *c, struct slice code, struct eth_receipt *ret,
                              struct sr_err *err);

/* view.c: calls by their signature. ret_mem is initialised here; owned by the caller. */
SR_CHECK sr_status sdk_view(struct sr_client *c, const struct addr *to, const char *signature,
                            const struct abi_val *args, size_t n, const char *types,
                            struct buf *ret_mem, struct abi_out *ret, struct sr_err *err);
SR_CHECK sr_status sdk_view_u256(struct sr_client *c, const struct addr *to, const char *signature,
                                 const struct abi_val *args, size_t n, struct u256 *ret,
                                 struct sr_err *err);
SR_CHECK sr_status sdk_send_call(struct sr_client *c, const struct addr *to, const char *signature,
                                 const struct abi_val *args, size_t n, struct hash *ret_tx,
                                 struct sr_err *err);

/* A lock of the acting wallet against other processes, held until the descriptor is closed; after
 * patience_ms, or where there can be none, the caller goes on without. */
int sdk_lock(struct sr_client *c, const char *what, uint64_t patience_ms);

/* image.c: the hosts that an app's image lists. SR_E_UNAVAILABLE when it is neither in the
 * store nor in a registry that may be asked. *ret is owned: oci_strings_done. */
struct oci_strings;
SR_CHECK sr_status sdk_image_egress(struct sr_client *c, const char *location,
                                    const struct hash *checksum, struct oci_strings *ret,
                                    struct sr_err *err);

/* sms.c */
/* Is the secret service there, and its vault's key genuine? Before anything is registered. */
SR_CHECK sr_status sms_ready(struct sr_client *c, struct sr_err *err);
struct sms_name {
    secret_kind kind;
    struct addr target;
    const char *name; /* "" for data set keys */
};
SR_CHECK sr_status sms_has(struct sr_client *c, const struct sms_name *n, bool *ret_has,
                           struct sr_err *err);
/* Stores a secret, signed by the acting wallet and sealed to the vault where the service offers its
 * key. replace: PUT when it exists (web2 only). */
SR_CHECK sr_status sms_put(struct sr_client *c, const struct sms_name *n, struct slice secret,
                           bool replace, struct sr_err *err);

/* run.c: a run whose secrets get their values when all checks have passed, just before they are
 * pushed: fill may be NULL */
SR_CHECK sr_status run_start(struct sr_client *c, const struct sr_run *run, sdk_fn fill, void *arg,
                             struct sr_deal_ids *ret, struct sr_err *err);
/* run.c: a run's requester secrets: a name of chance for each, and putting them there */
#define RUN_SECRET_NAME 40 /* with its NUL */
SR_CHECK sr_status run_secrets_name(const struct sr_run *run, char ret_names[][RUN_SECRET_NAME],
                                    struct sr_err *err);
/* The params of its request. bulk_cid NULL: none. ret is appended to. */
SR_CHECK sr_status run_params(const struct sr_run *run, bool encrypt, const char *bulk_cid,
                              char names[][RUN_SECRET_NAME], struct buf *ret, struct sr_err *err);
SR_CHECK sr_status run_secrets_push(struct sr_client *c, const struct sr_run *run,
                                    char names[][RUN_SECRET_NAME], struct sr_err *err);

/* market.c */
struct book_entry {
    struct poco_order order;
    struct hash hash;
    uint64_t remaining, published_unix_s; /* 0: not known */
};
struct book { /* owned: book_done */
    struct book_entry *v;
    size_t n;
    struct json *doc; /* params of request orders live here */
};
void book_done(struct book *b);
/* JSON of any of the market's GET routes, or a failure with the market's words. */
SR_CHECK sr_status market_get(struct sr_client *c, const char *url, struct json **ret_doc,
                              struct sr_err *err);
#define cleanup_book __attribute__((cleanup(book_done)))
struct book_filter {      /* of other orders; NULL: only unrestricted ones, "any": all */
    const char *resource; /* address */
    const char *app, *dataset, *workerpool, *requester;
    bool strict; /* only orders restricted to exactly these */
    bool strict_app, strict_requester;
    bool bulk;     /* data set orders that are free and without a limit */
    uint64_t page; /* of SDK_PAGE orders */
    const struct hash *min_tag;
    bool has_category;
    uint64_t category;
};
SR_CHECK sr_status market_orders(struct sr_client *c, poco_kind kind, const struct book_filter *f,
                                 struct book *ret, struct sr_err *err);
/* The DataProtector index: its answer to a GraphQL request (JSON text), or a failure with its
 * words. */
SR_CHECK sr_status market_index_ask(struct sr_client *c, struct slice body, struct json **ret_doc,
                                    struct sr_err *err);
/* Open data set orders that are for groups (ERC-734) of which app, workerpool and the acting wallet
 * are members now, by the chain. Replaces what ret holds when there are some. */
SR_CHECK sr_status market_group_orders(struct sr_client *c, const struct addr *data,
                                       const struct addr *app, const struct addr *pool,
                                       struct book *ret, struct sr_err *err);
/* Signs with the acting wallet, then publishes. *ret_hash its id. */
SR_CHECK sr_status market_publish(struct sr_client *c, struct poco_order *order,
                                  struct hash *ret_hash, struct sr_err *err);
/* Why is there no open data set order: was there one that is closed now? */
bool market_was_revoked(struct sr_client *c, const struct addr *data, const struct addr *app,
                        const struct addr *requester, struct hash *ret_order);

/* data.c: what an open order grants */
void grant_fill(struct sr_grant_info *g, const struct book_entry *e);

/* schema.c: a JSON object as the JavaScript SDK types and stores it */
struct pd_leaf {        /* one file of the archive */
    struct slice path;  /* "a/b" */
    struct slice bytes; /* serialised */
    bool folder;        /* "a/" */
};
struct pd_tree { /* owned: pd_tree_done */
    struct pd_leaf *v;
    size_t n, cap;
    struct buf schema; /* JSON text */
    struct buf mem;    /* paths and bytes point into it */
};
void pd_tree_done(struct pd_tree *t);
SR_CHECK sr_status pd_tree_of_json(struct slice json, struct pd_tree *ret, struct sr_err *err);
/* The schema type of a binary, by its first bytes. */
#define PD_SNIFF 32
const char *pd_mime(struct slice head);
/* A file's key: base name, other characters than [A-Za-z0-9_-] as '_'. */
void pd_key(char dst[256], const char *path);

/* open.c: a data key, base64 of 32 bytes */
SR_CHECK sr_status pd_key_of(const char *text, struct sr_secret *ret, struct sr_err *err);

/* stream.c: archive, encryption and checksum in one pass */
struct pd_file {
    const char *path;
    char key[256];
    int fd;
    uint64_t size;
    uint32_t crc;
    int64_t mtime_s, mtime_ns;
    const char *mime;
};
struct pd_stream;
struct pd_stream_opts {
    struct pd_file *files; /* opened and measured: pd_file_open */
    size_t n_files;
    const struct pd_tree *tree; /* instead of files */
    const struct sr_secret *key;
    const uint8_t *iv; /* 16 bytes; NULL: new ones. The same twice for the same content only */
    uint64_t unix_ms;
};
/* tree.c: files, all files of folders, or standard input ("-") */
struct pd_files {      /* owned: pd_files_done; starts zeroed */
    struct pd_file *v; /* their paths are owned, too */
    size_t n;
    int memory; /* what standard input had; 0: none */
};
SR_CHECK sr_status pd_files_of(const char *const *paths, size_t n, struct pd_files *ret,
                               struct sr_err *err);
void pd_files_done(struct pd_files *f);
void pd_files_schema(const struct pd_files *f, struct buf *b); /* of opened ones */
SR_CHECK sr_status pd_file_open(struct pd_file *f, struct sr_err *err);
void pd_file_close(struct pd_file *f);
SR_CHECK sr_status pd_stream_new(const struct pd_stream_opts *o, struct pd_stream **ret,
                                 struct sr_err *err);
void pd_stream_free(struct pd_stream *s); /* accepts NULL; waits for a block being made */
uint64_t pd_stream_length(const struct pd_stream *s); /* of the cipher text */
/* An ipfs_next_fn; arg is the stream. */
SR_CHECK sr_status pd_stream_next(void *arg, struct slice *ret_piece, struct sr_err *err);
/* Borrowed: has got all that was read, at the end. */
struct dag_builder *pd_stream_dag(struct pd_stream *s);
struct hash pd_stream_checksum(const struct pd_stream *s); /* after the end was read */

/* result_key.c: the RSA key of the acting wallet's results, made on first use */
/* Stores it in the secret service, in place of an older one. */
SR_CHECK sr_status result_key_push(struct sr_client *c, struct sr_err *err);
SR_CHECK sr_status result_key_public(struct sr_client *c, struct buf *ret_pem, struct sr_err *err);
SR_CHECK sr_status result_key_secret(struct sr_client *c, const struct addr *who,
                                     struct buf *ret_secret_pem, struct sr_err *err);

/* unpack.c: an archive of files into a folder, nothing overwritten. max_bytes 0: as much as its
 * disk has room for; SR_E_TOOBIG before anything is written. */
SR_CHECK sr_status sdk_unpack(int zip_fd, const char *dir, uint64_t max_bytes, size_t *ret_files,
                              uint64_t *ret_bytes, struct sr_err *err);
/* An unnamed file in dir, for what must not stay. */
SR_CHECK sr_status sdk_temp_file(const char *dir, int *ret_fd, struct sr_err *err);
/* "/ipfs/<cid>" and nothing else: SR_E_REFUSED. */
SR_CHECK sr_status sdk_result_location(struct slice location, struct cid *ret_cid,
                                       struct sr_err *err);
/* unpack.c: fails when the item's file exists already; gives an unnamed file its name, or makes a
 * folder (fd -1). root is the folder `dir`. */
SR_CHECK sr_status sdk_unpack_free(int root, const char *dir, const struct zip_item *item,
                                   struct sr_err *err);
SR_CHECK sr_status sdk_unpack_name(int root, const struct zip_item *item, int fd,
                                   struct sr_err *err);
/* unpack.c: the key of a result from its aes-key.rsa. */
SR_CHECK sr_status sdk_result_key(struct slice secret_pem, struct slice sealed,
                                  struct sr_secret *ret_key, struct sr_err *err);
/* result_flow.c: an encrypted result of so many bytes, downloaded, decrypted and unpacked in one
 * pass. SR_E_MALFORMED, SR_E_CRYPTO: it can't be read so, or is not sound; nothing was made. */
SR_CHECK sr_status sdk_result_flow(struct sr_client *c, const char *location, uint64_t bytes,
                                   struct slice secret_pem, const char *dir, size_t *ret_files,
                                   uint64_t *ret_bytes, struct sr_err *err);
/* Encrypted result archive -> plain zip, streamed. */
SR_CHECK sr_status sdk_decrypt_result(const struct zip_reader *outer, struct slice secret_pem,
                                      int plain_fd, struct sr_err *err);

/* task.c */
SR_CHECK sr_status task_show(struct sr_client *c, const struct hash *task, struct sr_task *ret,
                             struct sr_err *err);
SR_CHECK sr_status task_wait(struct sr_client *c, const struct hash *task, struct sr_task *ret,
                             struct sr_err *err);
