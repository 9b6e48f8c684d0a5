/* SPDX-License-Identifier: Apache-2.0 */
/* share_int.h - what the files of sharing have in common. Used by: src/sdk/share*.c */
#pragma once
#include "poco/sharing.h"
#include "sdk/sdk_int.h"

/* The chain, and a network that has a sharing contract. */
SR_CHECK sr_status share_open(struct sr_client *c, struct sr_err *err);
/* One call of the sharing contract (to NULL), or of another. ret (may be NULL): eth_receipt_done.
 */
SR_CHECK sr_status share_send(struct sr_client *c, const struct addr *to, const struct buf *data,
                              const char *step, char ret_tx[SR_HASH_TEXT], struct eth_receipt *ret,
                              struct sr_err *err);
/* SR_E_USAGE: more than the contract can hold. */
SR_CHECK sr_status share_terms_of(const char *price, uint64_t seconds, struct share_terms *ret,
                                  struct sr_err *err);

/* ---- all that is shared: share_view.c, share_index.c */

#define SHARING_MAX 100000u /* of each kind */

/* Beside the public arrays: what is known of the same row, in the chain's types. */
struct share_row {
    struct addr address;
    struct u256 collection;
    struct share_terms rent;
    struct u256 sale;
    bool named;
};
struct share_col {
    struct u256 id;
    struct addr owner; /* zero: closed */
    struct share_terms terms;
};
struct share_replay {
    struct sr_client *c;
    struct sr_sharing s;
    struct share_row *data;
    struct share_col *col;
    size_t cap_data, cap_col, cap_paid, cap_apps, n_col;
    struct addr lists; /* the registry of whitelists */
    uint64_t from;     /* events of earlier blocks are in it */
};
void share_replay_clear(struct share_replay *r); /* what it holds; it can be used again */

/* One row more; NULL or false: out of memory, or too many. */
struct share_row *share_add_data(struct share_replay *r, const struct addr *a,
                                 struct sr_shared_data **ret);
struct share_col *share_add_collection(struct share_replay *r, struct u256 id);
struct sr_paid *share_add_paid(struct share_replay *r);
/* owner, app: NULL when there is none */
bool share_add_listed(struct share_replay *r, const struct addr *list, const struct addr *owner,
                      const struct addr *app);

/* Fills r as of a block of the market's index, and sets r->from to the next. Leaves r empty when
 * there is no market, or what it tells is not of our contract or the node's chain. */
void share_index_read(struct share_replay *r);

/* One answer of the index, put into r. False: not of our contract, or not as it should be; r then
 * holds a part of it. */
struct share_page {
    uint64_t block;
    struct hash hash;
    bool more;
};
bool share_index_take(struct share_replay *r, const struct json_val *v, struct share_page *ret);
