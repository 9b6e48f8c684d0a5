/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.h - answers an app's name look-ups: listed names only, each with an address of its own
 *
 * DNS over UDP as resolvers in programs speak it: one question; A of a listed name is
 * 127.1.0.N, where the relay listens; everything else has no answer. Pure: bytes in, bytes out.
 *
 * Depends on: base.  Used by: egress.  Limits: RESOLVE_*.
 */
#pragma once
#include "base/base.h"

#define RESOLVE_MAX_NAME  253u
#define RESOLVE_MAX_QUERY 512u
#define RESOLVE_MAX_REPLY (RESOLVE_MAX_QUERY + 16u)
#define RESOLVE_TYPE_A    1u

struct resolve_query {
    char name[RESOLVE_MAX_NAME + 1]; /* lower case, no dot at the end; "" is the root */
    uint16_t type;
    size_t question_end; /* bytes of header and question */
};
/* false: not a query with one question in the Internet's class, or a name with odd bytes. */
SR_CHECK bool resolve_parse(struct slice packet, struct resolve_query *ret);

typedef enum { RESOLVE_ADDRESS, RESOLVE_NOTHING, RESOLVE_NO_SUCH_NAME } resolve_answer;
/* The reply to that packet into dst (cleared first); ipv4 is used with RESOLVE_ADDRESS. */
void resolve_reply(struct buf *dst, struct slice packet, const struct resolve_query *q,
                   resolve_answer answer, uint32_t ipv4);
