/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_market_socket.c - a body of Engine.IO packets, each message read as Socket.IO; what was read
 * and is written again reads the same */
#include "market/sio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const struct sio_packet *p, struct buf *b) {
    buf_u8(b, (uint8_t)('0' + p->type));
    if (!slice_is(p->nsp, "/")) {
        buf_add(b, p->nsp);
        buf_str(b, ",");
    }
    if (p->has_id) buf_printf(b, "%llu", (unsigned long long)p->id);
    if (p->doc) buf_add(b, json_raw(json_root(p->doc)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = slice_of(data, size), packet;
    size_t total = 0, n = 0;
    while (eio_next(&rest, &packet)) {
        total += packet.n;
        n++;
        SR_ASSERT(!packet.n || !memchr(packet.p, 0x1e, packet.n));
        if (packet.n == 0 || packet.p[0] != EIO_MESSAGE) continue;
        cleanup_sio struct sio_packet a = {0}, b = {0};
        struct sr_err e = {0};
        sr_status st = sio_read(slice_of(packet.p + 1, packet.n - 1), &a, &e);
        SR_ASSERT(st == SR_OK || st == SR_E_MALFORMED || st == SR_E_NOMEM || st == SR_E_TOOBIG);
        if (st != SR_OK) continue;
        SR_ASSERT(a.nsp.n && a.nsp.n <= SIO_NAMESPACE_MAX && a.nsp.p[0] == '/');
        cleanup_buf struct buf again;
        buf_init(&again, SIO_PACKET_MAX * 2);
        write_again(&a, &again);
        if (again.n > SIO_PACKET_MAX)
            continue; /* a number without its leading zeros is no longer */
        SR_ASSERT(sio_read(buf_slice(&again), &b, &e) == SR_OK);
        SR_ASSERT(a.type == b.type && slice_eq(a.nsp, b.nsp) && a.has_id == b.has_id);
        SR_ASSERT(a.id == b.id && slice_eq(a.event, b.event));
    }
    SR_ASSERT(total + n >= size || size == 0);
    return 0;
}
