/* SPDX-License-Identifier: Apache-2.0 */
#include "room/resolve.h"

#define HEADER          12u
#define CLASS_IN        1u
#define FLAG_REPLY      0x8000u
#define FLAG_OPCODE     0x7800u
#define FLAG_CUT        0x0200u
#define FLAG_ASKS_MORE  0x0100u /* recursion desired: given back as it came */
#define FLAGS_OURS      0x8480u /* a reply, authoritative, with recursion */
#define CODE_NO_SUCH    3u
#define SECONDS_TO_KEEP 60u

static bool take_name(struct rd *r, char dst[RESOLVE_MAX_NAME + 1]) {
    size_t n = 0;
    for (;;) {
        uint8_t label = rd_u8(r);
        if (r->bad || label > 63) return false; /* a pointer has nothing to point at here */
        if (label == 0) break;
        if (n > 0) dst[n++] = '.';
        if (n + label > RESOLVE_MAX_NAME) return false;
        for (unsigned i = 0; i < label; i++) {
            uint8_t c = rd_u8(r);
            if (c >= 'A' && c <= 'Z') c = (uint8_t)(c + ('a' - 'A'));
            bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
            if (!plain) return false;
            dst[n++] = (char)c;
        }
        if (n >= RESOLVE_MAX_NAME) return false;
    }
    dst[n] = 0;
    return true;
}

bool resolve_parse(struct slice packet, struct resolve_query *ret) {
    struct resolve_query q;
    if (packet.n > RESOLVE_MAX_QUERY) return false;
    struct rd r = rd_of(packet);
    (void)rd_u16(&r); /* id */
    uint16_t flags = rd_u16(&r), questions = rd_u16(&r), answers = rd_u16(&r);
    (void)rd_u32(&r); /* authorities, additions: an EDNS option is not ours to heed */
    if ((flags & (FLAG_REPLY | FLAG_OPCODE | FLAG_CUT)) != 0 || questions != 1 || answers != 0 ||
        !take_name(&r, q.name))
        return false;
    q.type = rd_u16(&r);
    if (rd_u16(&r) != CLASS_IN || r.bad) return false;
    q.question_end = packet.n - rd_left(&r);
    *ret = q;
    return true;
}

void resolve_reply(struct buf *dst, struct slice packet, const struct resolve_query *q,
                   resolve_answer answer, uint32_t ipv4) {
    SR_ASSERT(q->question_end >= HEADER && q->question_end <= packet.n);
    unsigned flags = FLAGS_OURS | ((unsigned)packet.p[2] << 8 & FLAG_ASKS_MORE);
    if (answer == RESOLVE_NO_SUCH_NAME) flags |= CODE_NO_SUCH;
    buf_clear(dst);
    buf_put(dst, packet.p, 2);
    buf_u16(dst, (uint16_t)flags);
    buf_u16(dst, 1);
    buf_u16(dst, answer == RESOLVE_ADDRESS ? 1 : 0);
    buf_u32(dst, 0);
    buf_put(dst, packet.p + HEADER, q->question_end - HEADER);
    if (answer != RESOLVE_ADDRESS) return;
    buf_u16(dst, 0xc000u | HEADER); /* the question's name */
    buf_u16(dst, RESOLVE_TYPE_A);
    buf_u16(dst, CLASS_IN);
    buf_u32(dst, SECONDS_TO_KEEP);
    buf_u16(dst, 4);
    buf_u32(dst, ipv4);
}
