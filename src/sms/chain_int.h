/* SPDX-License-Identifier: Apache-2.0 */
/* chain_int.h - between chain.c (what is asked, in rounds) and deal.c (what it means) */
#pragma once
#include "poco/sharing.h"
#include "sms/sms_int.h"

struct sms_chain {
    struct eth_rpc *rpc;
    char *market, *store; /* NULL: none */
    uint64_t chain_id;
    struct addr hub;
    bool opened;
    struct poco poco;
    struct owners *owners; /* OWNERS_KEPT rows, by data set; NULL until the first is looked for */
    uint64_t last_salt;    /* of the last consumption through a sharing contract */
};

/* Owners of one data set's token, past and present, up to a block. */
#define OWNERS_KEPT 256u
#define OWNERS_EACH 64u
struct owners {
    struct addr data; /* zero: free */
    uint64_t next;    /* block to read from */
    struct addr who[OWNERS_EACH];
    size_t n;
};

/* The hub's event: which orders made which deal. */
struct matched {
    struct hash deal, app, dataset, request; /* order hashes */
};

/* The hub's event in the receipt whose deal holds the task; fills deal, deal_id, index. */
SR_CHECK sr_status deal_find(struct sms_chain *c, const struct eth_receipt *r, struct eth_at at,
                             const struct hash *task, struct sms_facts *f, struct matched *ret,
                             struct sr_err *err);
/* Orders of the transaction, not yet compared with the event. */
SR_CHECK sr_status deal_orders_of_tx(struct sms_chain *c, const struct hash *tx,
                                     struct sms_facts *f, struct sr_err *err);
/* Orders of this deal from a call inside that transaction's. SR_E_NOTFOUND. */
SR_CHECK sr_status deal_orders_inside(struct sms_chain *c, const struct matched *m,
                                      struct sms_facts *f, struct sr_err *err);
SR_CHECK sr_status deal_orders_of_market(struct sms_chain *c, const struct matched *m,
                                         struct sms_facts *f, struct sr_err *err);
/* A deal that a sharing contract made: its orders follow from the contract's rule. */
SR_CHECK sr_status deal_orders_of_sharing(struct sms_chain *c, const struct matched *m,
                                          uint64_t deal_block, struct eth_at head,
                                          struct sms_facts *f, struct sr_err *err);
/* bulk.c: the data sets of a bulk task. SR_E_NOTFOUND: its lists are not to be had. */
SR_CHECK sr_status bulk_read(struct sms_chain *c, struct sms_facts *f, struct eth_at at,
                             struct sr_err *err);
bool deal_orders_agree(const struct sms_chain *c, const struct sms_facts *f,
                       const struct matched *m);
SR_CHECK sr_status deal_revocation(struct sms_chain *c, uint64_t deal_block, uint64_t head,
                                   const struct hash *order, struct sms_facts *f,
                                   struct sr_err *err);
SR_CHECK sr_status deal_groups(struct sms_chain *c, struct eth_at at, struct sms_facts *f,
                               struct sr_err *err);
