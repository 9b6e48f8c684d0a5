/* SPDX-License-Identifier: Apache-2.0 */
/* match_int.h - the hub's reasons to refuse a match, in words */
#pragma once
#include "poco/order.h"

struct match_reason {
    unsigned code; /* of iExecV5-matchOrders-0x.. */
    const char *what, *hint;
};
extern const struct match_reason match_reasons[];
extern const size_t match_reasons_n;
const struct match_reason *match_reason_of(unsigned code); /* NULL: unknown */
