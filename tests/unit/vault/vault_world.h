/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_world.h - a small world for the vault's tests: people with keys, signed orders, a room with
 * evidence, stored secrets; a release that succeeds, to be spoiled one thing at a time
 */
#pragma once
#include "poco/order.h"
#include "vault/vault_int.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the three above first */
#include <cmocka.h>
#include <stdlib.h>

#define OK(expr)                                                                                   \
    do {                                                                                           \
        struct sr_err ok_err = {0};                                                                \
        (void)ok_err;                                                                              \
        assert_int_equal((expr), SR_OK);                                                           \
    } while (0)
#define NOW      1796000000u
#define CHAIN_ID 421614u

struct person {
    struct sr_secret key;
    struct addr addr;
};

struct world {
    struct person sms, pool, worker, developer, owner, requester;
    struct tee_sim_authority authority;
    struct vault *vault; /* the SMS's */
    struct vault_peer peer;
    struct addr hub, app, dataset, workerpool;
    struct hash room_digest, app_checksum, dataset_checksum;
    struct poco_domain domain;
    struct poco_order app_order, dataset_order, request_order;

    /* The room. */
    struct sr_secret sealing, challenge_key;
    uint8_t sealing_public[32], challenge_public[64];
    struct addr challenge;
    struct wire_assignment assignment;
    struct buf evidence;

    /* What is said: to be changed before ask(). */
    struct addr f_pool_owner, f_app, f_app_owner, f_dataset, f_dataset_owner, f_workerpool;
    struct addr f_requester, f_beneficiary, f_callback;
    struct hash f_deal, f_tag;
    const char *f_params;
    uint64_t f_now, f_bot_first, f_bot_size, f_index, f_deadline;
    const char *f_bulk;                /* JSON text of the member "bulk"; NULL: none */
    const struct addr *f_former_owner; /* NULL: none */
    bool pre_app, pre_dataset, pre_request, groups;
    struct sr_signature release_signature;

    /* Stored secrets, as the SMS keeps them. */
    struct {
        secret_kind kind;
        struct addr target;
        const char *name;
        struct buf stored;
    } secret[8];
    size_t n_secrets;
};

void world_new(struct world **ret, const char *params);
void world_free(struct world *w);
void person_new(struct person *p, const char *name);
/* Signs and stores a secret through the vault; returns its status. */
sr_status world_store(struct world *w, secret_kind kind, const struct addr *target,
                      const char *name, const struct person *signer, struct slice secret,
                      struct buf *ret_stored);
void world_keep(struct world *w, secret_kind kind, const struct addr *target, const char *name,
                const struct person *signer, struct slice secret);
/* Makes orders, deal, task, assignment, evidence and signatures anew, after a change. */
void world_deal(struct world *w);
void world_room(struct world *w);
void world_sign_release(struct world *w);
void world_request(const struct world *w, struct buf *b);
void world_facts(const struct world *w, struct buf *b);
/* Asks the vault; *ret_body is the reply's. */
sr_status world_ask(struct world *w, struct buf *ret_body, struct sr_err *err);
