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
