/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/vault_wire.h"

static w_u8 get_u8(struct rd *r) {
    return rd_u8(r);
}
static w_u32 get_u32(struct rd *r) {
    return rd_u32(r);
}
static w_u64 get_u64(struct rd *r) {
    return rd_u64(r);
}
static w_addr get_addr(struct rd *r) {
    struct addr a;
    rd_copy(r, a.b, sizeof a.b);
    return a;
}
static w_hash get_hash(struct rd *r) {
    struct hash h;
    rd_copy(r, h.b, sizeof h.b);
    return h;
}
static w_sig get_sig(struct rd *r) {
    struct sr_signature s;
    rd_copy(r, s.b, sizeof s.b);
    return s;
}
static w_blob get_blob(struct rd *r) {
    uint32_t n = rd_u32(r);
    return rd_take(r, n);
}
#define get_key32 get_hash

static void put_u8(struct buf *b, w_u8 v) {
    buf_u8(b, v);
}
static void put_u32(struct buf *b, w_u32 v) {
    buf_u32(b, v);
}
static void put_u64(struct buf *b, w_u64 v) {
    buf_u64(b, v);
}
static void put_addr(struct buf *b, w_addr v) {
    buf_put(b, v.b, sizeof v.b);
}
static void put_hash(struct buf *b, w_hash v) {
    buf_put(b, v.b, sizeof v.b);
}
static void put_sig(struct buf *b, w_sig v) {
    buf_put(b, v.b, sizeof v.b);
}
static void put_blob(struct buf *b, w_blob v) {
    if (v.n > VAULT_BODY_MAX) {
        b->bad = SR_E_TOOBIG;
        return;
    }
    buf_u32(b, (uint32_t)v.n);
    buf_add(b, v);
}
#define put_key32 put_hash

#define F(kind, field) m.field = get_##kind(&r);
#define READER(name, fields)                                                                       \
    bool vault_##name##_read(struct slice body, struct vault_##name *ret) {                        \
        struct vault_##name m;                                                                     \
        memset(&m, 0, sizeof m);                                                                   \
        struct rd r = rd_of(body);                                                                 \
        fields if (!rd_done(&r)) return false;                                                     \
        *ret = m;                                                                                  \
        return true;                                                                               \
    }
#define M(num, name, roles, max, request, reply)                                                   \
    READER(name##_req, request) READER(name##_rep, reply)
VAULT_MSGS(M)
#undef M
#undef F

#define F(kind, field) put_##kind(b, m->field);
#define WRITER(name, fields)                                                                       \
    void vault_##name##_write(struct buf *b, const struct vault_##name *m) {                       \
        (void)b, (void)m;                                                                          \
        fields                                                                                     \
    }
#define M(num, name, roles, max, request, reply)                                                   \
    WRITER(name##_req, request) WRITER(name##_rep, reply)
VAULT_MSGS(M)
#undef M
#undef F

void vault_frame_write(uint8_t dst[VAULT_FRAME_HEAD], const struct vault_frame *f) {
    const uint32_t words[] = {(uint32_t)f->type << 16 | f->flags, f->id, f->length};
    for (size_t i = 0; i < VAULT_FRAME_HEAD; i++)
        dst[i] = (uint8_t)(words[i / 4] >> (24 - 8 * (i % 4)));
}

bool vault_frame_read(const uint8_t src[VAULT_FRAME_HEAD], struct vault_frame *ret) {
    struct rd r = rd_of(slice_of(src, VAULT_FRAME_HEAD));
    struct vault_frame f = {.type = rd_u16(&r), .flags = rd_u16(&r)};
    f.id = rd_u32(&r);
    f.length = rd_u32(&r);
    if (f.flags != 0 || f.length > VAULT_BODY_MAX) return false;
    *ret = f;
    return true;
}

void vault_failure_write(struct buf *b, const struct sr_err *e) {
    size_t n = strnlen(e->what, sizeof e->what);
    if (n > VAULT_TEXT_MAX) n = VAULT_TEXT_MAX;
    buf_u32(b, (uint32_t)e->code);
    buf_u16(b, (uint16_t)n);
    buf_put(b, e->what, n);
}

sr_status vault_failure_read(struct slice body, struct sr_err *err) {
    struct rd r = rd_of(body);
    int32_t code = (int32_t)rd_u32(&r);
    uint16_t n = rd_u16(&r);
    struct slice text = rd_take(&r, n);
    if (!rd_done(&r) || code >= 0 || n > VAULT_TEXT_MAX ||
        strcmp(sr_status_text((sr_status)code), "unknown") == 0)
        return sr_fail(err, SR_E_MALFORMED, "the vault's failure makes no sense");
    return sr_fail(err, (sr_status)code, "%.*s", (int)text.n, (const char *)text.p);
}
