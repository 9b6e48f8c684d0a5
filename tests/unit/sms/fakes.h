/* SPDX-License-Identifier: Apache-2.0 */
/* fakes.h - a chain and a vault made of variables, for the tests of the secret service's edge */
#pragma once
#include "sms/sms_int.h"

struct fakes {
    /* chain */
    struct addr owner;
    struct addr contract;       /* says yes to \"by the contract\" */
    struct hash contract_asked; /* of every app and data set; zero: none is registered */
    bool chain_down, no_deal;
    poco_task_status status;
    struct addr pool_owner, app, dataset, requester, beneficiary;
    struct addr app_owner_now, dataset_owner_now; /* zero: as in the deal */
    uint64_t deadline_in_s;
    bool not_tee, revoked, restricted;
    struct addr former_owner; /* of every data set */
    const char *params;
    struct bulk_item *bulk; /* of the task; NULL: it is none */
    size_t n_bulk;
    /* vault */
    bool vault_down;
    const char *vault_refuses; /* "CODE: text" */
    unsigned waits;            /* turns of the loop before the vault answers */
    unsigned seals, releases;
    char facts[8192]; /* what the last release was told */
};
extern struct fakes F;
