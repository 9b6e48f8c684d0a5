/* SPDX-License-Identifier: Apache-2.0 */
#include "ipfs/ipfs.h"
#include "ipfs/ipfs_int.h"
#include <arpa/inet.h>

typedef enum { ARG_NONE, ARG_IP4, ARG_IP6, ARG_PORT, ARG_NAME, ARG_PEER } arg_kind;

/* The first name of a code is the one shown. */
static const struct proto {
    const char *name;
    uint16_t code;
    arg_kind arg;
} protos[] = {
    {"ip4", 4, ARG_IP4},     {"tcp", 6, ARG_PORT},       {"ip6", 41, ARG_IP6},
    {"dns", 53, ARG_NAME},   {"dns4", 54, ARG_NAME},     {"dns6", 55, ARG_NAME},
    {"udp", 273, ARG_PORT},  {"dnsaddr", 56, ARG_NAME},  {"p2p", 421, ARG_PEER},
    {"ipfs", 421, ARG_PEER}, {"https", 443, ARG_NONE},   {"tls", 448, ARG_NONE},
    {"quic", 460, ARG_NONE}, {"ws", 477, ARG_NONE},      {"wss", 478, ARG_NONE},
    {"http", 480, ARG_NONE}, {"quic-v1", 461, ARG_NONE},
};

static bool arg_write(arg_kind kind, struct slice text, struct buf *b) {
    char tmp[64];
    uint8_t ip[16];
    uint64_t port;
    struct cid c;
    switch (kind) {
    case ARG_NONE: return true;
    case ARG_IP4:
    case ARG_IP6:
        if (text.n == 0 || text.n >= sizeof tmp || memchr(text.p, 0, text.n)) return false;
        memcpy(tmp, text.p, text.n);
        tmp[text.n] = 0;
        if (inet_pton(kind == ARG_IP4 ? AF_INET : AF_INET6, tmp, ip) != 1) return false;
        buf_put(b, ip, kind == ARG_IP4 ? 4 : 16);
        return true;
    case ARG_PORT:
        if (!num_u64(text, 65535, &port)) return false;
        buf_u16(b, (uint16_t)port);
        return true;
    case ARG_NAME:
        if (text.n == 0) return false;
        varint_add(b, text.n);
        buf_add(b, text);
        return true;
    case ARG_PEER: /* only the hash stays; codec and version of a CID are lost */
        if (cid_parse(text, &c, NULL) != SR_OK) return false;
        c = cid_v0(&c.digest);
        varint_add(b, 34);
        cid_write(b, &c);
        return true;
    }
    return false;
}

/* "/proto/value…" into b; false when text is not a multiaddr. */
static bool from_text(struct slice text, struct buf *b) {
    if (text.n == 0 || text.p[0] != '/') return false;
    struct slice rest = {text.p + 1, text.n - 1};
    if (rest.n > 0 && rest.p[rest.n - 1] == '/') rest.n--;
    while (rest.n > 0) {
        struct slice name, value = {NULL, 0};
        const struct proto *p = NULL;
        (void)slice_cut(rest, '/', &name, &rest);
        for (size_t i = 0; i < SR_ARRAY_LEN(protos) && !p; i++)
            if (slice_is(name, protos[i].name)) p = &protos[i];
        if (!p) return false;
        if (p->arg != ARG_NONE) (void)slice_cut(rest, '/', &value, &rest);
        varint_add(b, p->code);
        if (!arg_write(p->arg, value, b)) return false;
    }
    return true;
}

sr_status multiaddr_bytes(struct slice text, struct buf *ret, struct sr_err *err) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, MULTIADDR_MAX);
    if (text.n > MULTIADDR_MAX)
        return sr_fail(err, SR_E_TOOBIG, "an address of %zu characters, at most %u", text.n,
                       MULTIADDR_MAX);
    bool is_multiaddr = from_text(text, &b);
    SR_TRY(buf_status(&b, err));
    buf_add(ret, is_multiaddr ? buf_slice(&b) : text);
    return buf_status(ret, err);
}

static bool arg_read(arg_kind kind, struct rd *r, struct buf *b) {
    char tmp[2 * BASE58_BYTES_MAX + 1];
    struct slice s;
    if (kind == ARG_NONE) return true;
    if (kind == ARG_PORT) {
        buf_printf(b, "/%u", rd_u16(r));
        return !r->bad;
    }
    if (kind == ARG_IP4 || kind == ARG_IP6) {
        s = rd_take(r, kind == ARG_IP4 ? 4 : 16);
        if (r->bad || !inet_ntop(kind == ARG_IP4 ? AF_INET : AF_INET6, s.p, tmp, sizeof tmp))
            return false;
        buf_printf(b, "/%s", tmp);
        return true;
    }
    uint64_t n = varint_read(r);
    if (r->bad || n == 0 || n > MULTIADDR_MAX) return false;
    s = rd_take(r, (size_t)n);
    if (r->bad) return false;
    buf_u8(b, '/');
    if (kind == ARG_NAME) {
        buf_add(b, s);
        return !memchr(s.p, '/', s.n) && !memchr(s.p, 0, s.n);
    }
    if (s.n != 34 || s.p[0] != 0x12 || s.p[1] != 0x20) return false;
    base58_encode(tmp, s.p, s.n);
    buf_str(b, tmp);
    return true;
}

static bool to_text(struct slice bytes, struct buf *b) {
    struct rd r = rd_of(bytes);
    while (!r.bad && rd_left(&r) > 0) {
        const struct proto *p = NULL;
        uint64_t code = varint_read(&r);
        for (size_t i = 0; i < SR_ARRAY_LEN(protos) && !p && !r.bad; i++)
            if (protos[i].code == code) p = &protos[i];
        if (!p) return false;
        buf_u8(b, '/');
        buf_str(b, p->name);
        if (!arg_read(p->arg, &r, b)) return false;
    }
    return rd_done(&r);
}

sr_status multiaddr_text(struct slice bytes, struct buf *ret, struct sr_err *err) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, 8u * MULTIADDR_MAX);
    if (bytes.n > MULTIADDR_MAX)
        return sr_fail(err, SR_E_TOOBIG, "an address of %zu bytes, at most %u", bytes.n,
                       MULTIADDR_MAX);
    if (bytes.n == 0) {
        buf_u8(ret, '/');
    } else {
        bool is_multiaddr = to_text(bytes, &b);
        SR_TRY(buf_status(&b, err));
        buf_add(ret, is_multiaddr ? buf_slice(&b) : bytes);
    }
    return buf_status(ret, err);
}
