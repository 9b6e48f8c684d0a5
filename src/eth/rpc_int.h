/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_int.h - JSON-RPC shapes, read and written; shared by rpc, batch, follower, sender */
#pragma once
#include "eth/rpc.h"

/* Posts one body (a request or a batch) to the first endpoint that answers. */
SR_CHECK sr_status rpc_post(struct eth_rpc *r, struct slice body, uint64_t timeout_ms,
                            struct json **ret_doc, struct sr_err *err);
void rpc_request(struct jw *w, uint64_t id, const char *method, struct slice params);
/* The failure that an "error" member describes; SR_OK when there is none. */
SR_CHECK sr_status rpc_outcome(const struct json_val *answer, struct sr_err *err);
bool rpc_no_such_method(const struct json_val *answer);
/* A node that keeps the newest state only (anvil --prune-history) fails a read of "latest" when a
 * block is mined between its finding that block and its reading: asking again is right. */
#define RPC_READ_AGAIN 6
bool rpc_raced_a_block(const struct json_val *answer);

void rpc_put_at(struct jw *w, struct eth_at at);
void rpc_put_u64(struct jw *w, uint64_t v);
void rpc_put_u256(struct jw *w, struct u256 v);
void rpc_put_filter(struct jw *w, const struct eth_filter *f); /* members address and topics */
bool rpc_get_u64(const struct json_val *v, uint64_t *ret);
bool rpc_get_u256(const struct json_val *v, struct u256 *ret);
SR_CHECK sr_status rpc_get_block(const struct json_val *v, struct eth_block *ret,
                                 struct sr_err *err);
SR_CHECK sr_status rpc_get_logs(const struct json_val *arr, struct eth_logs *ret,
                                struct sr_err *err);
SR_CHECK sr_status rpc_get_receipt(const struct json_val *v, struct eth_receipt *ret,
                                   struct sr_err *err);
