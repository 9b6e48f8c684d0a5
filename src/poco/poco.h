/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poco.h - the hub and its registries on a chain: addresses, views, explanations of refusals
 *
 * Two libraries: poco_core (order, calls, params: no sockets) and poco (this: reads through
 * eth_rpc; everything waits).
 *
 * Depends on: eth.  Used by: market, sms, scheduler, worker, sdk.
 */
#pragma once
#include "eth/rpc.h"
#include "poco/calls.h"
#include "poco/functions.h"
#include "poco/order.h"
#include "poco/params.h"

struct poco {
    struct eth_rpc *rpc; /* borrowed */
    struct poco_domain domain;
    struct addr hub, token, app_registry, dataset_registry, workerpool_registry;
};
/* Reads chain id, domain and registries in one request. SR_E_NOTFOUND: no hub at that address. */
SR_CHECK sr_status poco_open(struct eth_rpc *rpc, const struct addr *hub, struct poco *ret,
                             struct sr_err *err);

typedef enum {
    POCO_TASK_UNSET,
    POCO_TASK_ACTIVE,
    POCO_TASK_REVEALING,
    POCO_TASK_COMPLETED,
    POCO_TASK_FAILED
} poco_task_status;
extern const char *const poco_task_status_word[5];

struct poco_resource {
    struct addr pointer, owner;
    struct u256 price;
};
struct poco_deal { /* owned: poco_deal_done */
    struct poco_resource app, dataset, workerpool;
    struct u256 trust, category;
    struct hash tag;
    struct addr requester, beneficiary, callback, sponsor;
    struct slice params; /* owned by mem */
    uint64_t start_time;
    struct u256 bot_first, bot_size, worker_stake, scheduler_ratio;
    void *mem;
};
struct poco_task { /* owned: poco_task_done */
    poco_task_status status;
    struct hash deal;
    struct u256 index;
    uint64_t timeref, contribution_deadline, reveal_deadline, final_deadline;
    struct hash consensus;
    uint64_t reveal_counter, winner_counter;
    const struct addr *contributors; /* these three owned by mem */
    size_t n_contributors;
    struct hash result_digest;
    struct slice results, callback_data;
    void *mem;
};
struct poco_account {
    struct u256 stake, locked;
};
struct poco_category { /* owned: poco_category_done */
    char *name, *description;
    uint64_t time_ref;
};
struct poco_app { /* owned: poco_app_done */
    struct addr owner;
    struct slice name, type, multiaddr, mrenclave; /* owned by mem; multiaddr as bytes */
    struct hash checksum;
    void *mem;
};
struct poco_dataset { /* owned: poco_dataset_done */
    struct addr owner;
    struct slice name, multiaddr; /* owned by mem */
    struct hash checksum;
    void *mem;
};
struct poco_workerpool { /* owned: poco_workerpool_done */
    struct addr owner;
    struct slice description;
    uint64_t stake_ratio, scheduler_ratio;
    void *mem;
};
struct poco_contribution {
    unsigned status;
    struct hash result_hash, result_seal;
    struct addr enclave;
    struct u256 weight;
};
/* All accept zeroed ones. */
void poco_deal_done(struct poco_deal *d);
void poco_task_done(struct poco_task *t);
void poco_category_done(struct poco_category *c);
void poco_app_done(struct poco_app *a);
void poco_dataset_done(struct poco_dataset *d);
void poco_workerpool_done(struct poco_workerpool *w);
#define cleanup_deal __attribute__((cleanup(poco_deal_done)))
#define cleanup_task __attribute__((cleanup(poco_task_done)))

/* SR_E_NOTFOUND for an unknown deal; an unknown task has status UNSET and a zero deal. */
SR_CHECK sr_status poco_view_deal(const struct poco *p, const struct hash *id, struct eth_at at,
                                  struct poco_deal *ret, struct sr_err *err);
SR_CHECK sr_status poco_view_task(const struct poco *p, const struct hash *id, struct eth_at at,
                                  struct poco_task *ret, struct sr_err *err);
SR_CHECK sr_status poco_view_account(const struct poco *p, const struct addr *a, struct eth_at at,
                                     struct poco_account *ret, struct sr_err *err);
SR_CHECK sr_status poco_view_category(const struct poco *p, uint64_t id, struct eth_at at,
                                      struct poco_category *ret, struct sr_err *err);
SR_CHECK sr_status poco_view_consumed(const struct poco *p, const struct hash *order,
                                      struct eth_at at, struct u256 *ret, struct sr_err *err);
SR_CHECK sr_status poco_view_presigned(const struct poco *p, const struct hash *order,
                                       struct eth_at at, struct addr *ret, struct sr_err *err);
SR_CHECK sr_status poco_view_contribution(const struct poco *p, const struct hash *task,
                                          const struct addr *worker, struct eth_at at,
                                          struct poco_contribution *ret, struct sr_err *err);
/* SR_E_NOTFOUND: no such resource at that address. */
SR_CHECK sr_status poco_view_app(const struct poco *p, const struct addr *a, struct eth_at at,
                                 struct poco_app *ret, struct sr_err *err);
SR_CHECK sr_status poco_view_dataset(const struct poco *p, const struct addr *a, struct eth_at at,
                                     struct poco_dataset *ret, struct sr_err *err);
SR_CHECK sr_status poco_view_workerpool(const struct poco *p, const struct addr *a,
                                        struct eth_at at, struct poco_workerpool *ret,
                                        struct sr_err *err);
/* Registered in the kind's registry? The owner too (POCO_REQUEST is not a resource). */
SR_CHECK sr_status poco_owner(const struct poco *p, poco_kind k, const struct addr *resource,
                              struct eth_at at, bool *ret_registered, struct addr *ret_owner,
                              struct sr_err *err);
/* The hub's verifyPresignatureOrSignature for the order's signer. */
SR_CHECK sr_status poco_verify(const struct poco *p, const struct poco_order *o,
                               const struct addr *signer, struct eth_at at, bool *ret_ok,
                               struct sr_err *err);
/* assertDatasetDealCompatibility: SR_E_REFUSED with the contract's reason. */
SR_CHECK sr_status poco_assert_dataset_deal(const struct poco *p, const struct poco_order *o,
                                            const struct hash *deal, struct eth_at at,
                                            struct sr_err *err);
/* The same as a call of one's own making, for batches; and the answer to viewDataset(address). */
SR_CHECK sr_status poco_enc_assert_dataset_deal(struct buf *b, const struct poco_order *o,
                                                const struct hash *deal, struct sr_err *err);
SR_CHECK sr_status poco_dataset_of(struct slice answer, struct poco_dataset *ret,
                                   struct sr_err *err);
/* Any view of any of the contracts, by name, at `to`. ret owned: abi_out_done, its bytes borrowed
 * from ret_bytes. */
SR_CHECK sr_status poco_view(const struct poco *p, const struct addr *to, poco_fn f,
                             struct eth_at at, const struct abi_val *v, size_t n,
                             struct buf *ret_bytes, struct abi_out *ret, struct sr_err *err);
/* What a worker has earned in trust. */
SR_CHECK sr_status poco_view_score(const struct poco *p, const struct addr *worker,
                                   struct eth_at at, uint64_t *ret, struct sr_err *err);
/* What the result of a task with a callback was. SR_E_REFUSED while it has none. ret owned: the
 * bytes are appended. */
SR_CHECK sr_status poco_result_for(const struct poco *p, const struct hash *task, struct eth_at at,
                                   struct buf *ret, struct sr_err *err);
/* How many tasks these orders would make now; no terms or signatures are checked. */
SR_CHECK sr_status poco_deal_volume(const struct poco *p, const struct poco_order *app,
                                    const struct poco_order *dataset,
                                    const struct poco_order *workerpool,
                                    const struct poco_order *request, struct u256 *ret,
                                    struct sr_err *err);
/* RLC of a wallet (not staked); allowed(restriction, account) with ERC-734 groups. */
SR_CHECK sr_status erc20_balance(struct eth_rpc *r, const struct addr *token, const struct addr *a,
                                 struct eth_at at, struct u256 *ret, struct sr_err *err);
SR_CHECK sr_status poco_allowed(const struct poco *p, const struct addr *restriction,
                                const struct addr *account, struct eth_at at, bool *ret,
                                struct sr_err *err);
/* Where a create call would put it: the registries' predict functions. create is the calldata of
 * poco_enc_create_*. */
SR_CHECK sr_status poco_predict(const struct poco *p, poco_kind k, struct slice create,
                                struct addr *ret, struct sr_err *err);
/* The deal in a matchOrders receipt; the resource in a create receipt. */
SR_CHECK sr_status poco_receipt_deal(const struct poco *p, const struct eth_receipt *r,
                                     struct hash *ret_deal, struct u256 *ret_volume,
                                     struct sr_err *err);
SR_CHECK sr_status poco_receipt_created(const struct poco *p, poco_kind k,
                                        const struct eth_receipt *r, struct addr *ret,
                                        struct sr_err *err);

/* Asks the chain what matchOrders would do now, sent by `from`. SR_E_REFUSED, explained; otherwise
 * the deal it would make. dataset may be NULL. */
SR_CHECK sr_status poco_try_match(const struct poco *p, const struct addr *from,
                                  const struct poco_order *app, const struct poco_order *dataset,
                                  const struct poco_order *workerpool,
                                  const struct poco_order *request, struct hash *ret_deal,
                                  struct sr_err *err);
/* Turns a refusal of the hub (reason in err->what) into words and a hint for a user: "the data
 * owner has not granted this app", ... Leaves other errors alone. */
void poco_explain(struct sr_err *err);
