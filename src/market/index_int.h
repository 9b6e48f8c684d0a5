/* SPDX-License-Identifier: Apache-2.0 */
/* index_int.h - the two halves of a step: what is asked of the node, and rows */
#pragma once
#include "market/market_int.h"

/* Questions to the node, and their answers in the order of the questions. */
#define ASK_AT_ONCE 200
struct ask {
    struct market *m;
    struct buf body; /* calldata of the open batch, one after the other */
    struct {
        struct addr to;
        size_t at, n;
    } call[ASK_AT_ONCE];
    size_t n_open;
    struct buf answers; /* u32 length (UINT32_MAX: it reverted) and bytes, one after the other */
    size_t read;
};
SR_CHECK sr_status ask_flush(struct ask *a, struct sr_err *err);
/* The next answer; false when it reverted or is no such data (then o is empty). */
bool ask_answer(struct ask *a, const char *types, struct abi_out *o);

/* First half: the questions that one log raises. What is asked here is answered in index_row, in
 * the same order and under the same conditions; `asked` remembers the conditions. */
struct asked {
    bool read, stake;
};
SR_CHECK sr_status ask_for(struct ask *a, const struct eth_log *l, struct asked *w,
                           struct sr_err *err);
/* Types of the answers. */
extern const char ask_deal_types[], ask_task_types[];
extern const char *const ask_resource_types[3];

/* An event of ours, from the contract that may send it. */
bool log_read(const struct market *m, const struct eth_log *l, struct poco_log *ret);
/* Which registry spoke; false: none. */
bool log_registry(const struct market *m, const struct eth_log *l, poco_kind *ret);
struct addr log_entry(const struct eth_log *l); /* a registry's: its number is the address */
bool log_is_of_task(poco_event e);

/* Second half. */
SR_CHECK sr_status index_row(struct ask *a, const struct asked *w, const struct eth_log *l,
                             const struct eth_step *s, struct sr_err *err);
