/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deploy.h - puts our contracts on a chain, once, whatever interrupts it; and says if they are ours
 *
 * The recipe (deploy.json, made by contracts/recipe.mjs when the contracts are built) needs no ABI:
 * bytes to send and places in them that take addresses. What was sent and mined is remembered in a
 * state file beside the book, by the sender of eth: the same call again goes on where it stopped.
 * The book is the outcome: names and addresses, in the form of a network.json.
 *
 * Depends on: eth.  Used by: cli.  Everything that takes an eth_rpc waits: call it in a fiber.
 * Limits: DEPLOY_*.
 */
#pragma once
#include "eth/eth.h"

#define DEPLOY_RECIPE_MAX (8u << 20) /* bytes of deploy.json */
#define DEPLOY_BOOK_MAX   (64u << 10)
#define DEPLOY_NAMES_MAX  64
#define DEPLOY_NAME_MAX   40
#define DEPLOY_STEPS_MAX  128
#define DEPLOY_CODE_MAX   (256u << 10) /* bytes of one step's data, of one code */
#define DEPLOY_IN_FLIGHT  12           /* a node keeps only so many of one sender */
#define DEPLOY_MINED_MS   900000       /* how long one transaction may take */

struct deploy_recipe;
/* A text that is cut or wrong anywhere is SR_E_MALFORMED. Owned: deploy_recipe_free. */
SR_CHECK sr_status deploy_recipe_parse(struct slice text, struct deploy_recipe **ret,
                                       struct sr_err *err);
/* path NULL: the one beside this program, or where it was installed. */
SR_CHECK sr_status deploy_recipe_load(const char *path, struct deploy_recipe **ret,
                                      struct sr_err *err);
void deploy_recipe_free(struct deploy_recipe *r); /* accepts NULL */
static inline void cleanup_recipe_(struct deploy_recipe **r) {
    deploy_recipe_free(*r);
}
#define cleanup_recipe __attribute__((cleanup(cleanup_recipe_)))

/* Who stands where. "deployer" is one of them. */
struct deploy_entry {
    char name[DEPLOY_NAME_MAX];
    struct addr addr;
    bool given; /* was there before (--rlc): not ours to judge */
};
struct deploy_book {
    uint64_t chain_id;
    struct deploy_entry v[DEPLOY_NAMES_MAX];
    size_t n;
};
/* NULL: not in it. Borrowed. */
const struct deploy_entry *deploy_book_find(const struct deploy_book *b, struct slice name);
/* SR_E_TOOBIG when it is full; a name that is there is overwritten. */
SR_CHECK sr_status deploy_book_put(struct deploy_book *b, struct slice name, const struct addr *a,
                                   bool given, struct sr_err *err);
SR_CHECK sr_status deploy_book_parse(struct slice text, struct deploy_book *ret,
                                     struct sr_err *err);
void deploy_book_text(const struct deploy_book *b, const char *rpc_url, struct buf *ret_json);

/* What is about to be paid for. */
struct deploy_plan {
    uint64_t chain_id, n_steps, gas; /* gas: as measured when the recipe was made */
    size_t n_done;                   /* steps that a former run has sent */
    struct addr deployer;
    struct u256 balance, fee, cost; /* wei; fee per gas as offered now, cost at that fee */
};
struct deploy_opts {
    struct eth_rpc *rpc; /* borrowed, like all here */
    const struct eth_signer *signer;
    const struct deploy_recipe *recipe;
    const char *book_path;  /* where the book goes; the state file lies beside it meanwhile */
    const char *rpc_url;    /* to stand in the book */
    const struct addr *rlc; /* an RLC that is there already; NULL: ours is deployed */
    struct u256 max_fee;    /* wei per gas, never offered more; 0: no limit */
    uint64_t stuck_ms;      /* 0: as the sender has it */
    void *arg;
    /* Last chance to say no, before anything is sent: any failure ends it. May be NULL. */
    sr_status (*confirm)(void *arg, const struct deploy_plan *plan, struct sr_err *err);
    /* A step has been mined; addr NULL when it created nothing. May be NULL. */
    void (*mined)(void *arg, size_t done, size_t total, const char *step, const struct addr *addr);
};
/* Sends what is missing, waits until all is mined, writes the book, removes the state file.
 * Failures leave the state file: the same call goes on. SR_E_CONFLICT: the book is there already.
 */
SR_CHECK sr_status deploy_run(const struct deploy_opts *o, struct deploy_book *ret_book,
                              struct sr_err *err);
/* Compares code (immutables included: each must hold the address of this deployment) and wiring
 * with the recipe. *ret_differs counts the calls of differs; SR_OK also when some do. */
typedef void deploy_differs_fn(void *arg, const char *name, const char *what);
SR_CHECK sr_status deploy_verify(struct eth_rpc *rpc, const struct deploy_recipe *r,
                                 const struct deploy_book *b, deploy_differs_fn *differs, void *arg,
                                 size_t *ret_compared, size_t *ret_differs, struct sr_err *err);
