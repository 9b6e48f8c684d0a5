/* SPDX-License-Identifier: Apache-2.0 */
#include "room/door.h"

void door_head_write(uint8_t dst[DOOR_HEAD], unsigned type, size_t n) {
    SR_ASSERT(type <= 0xff && n <= DOOR_BODY_MAX);
    memset(dst, 0, DOOR_HEAD);
    dst[0] = (uint8_t)type;
    for (size_t i = 0; i < 4; i++) dst[4 + i] = (uint8_t)(n >> (24 - 8 * i));
}

bool door_head_read(const uint8_t src[DOOR_HEAD], unsigned *ret_type, size_t *ret_n) {
    struct rd r = rd_of(slice_of(src, DOOR_HEAD));
    unsigned type = rd_u8(&r);
    bool zeros = rd_u8(&r) == 0 && rd_u16(&r) == 0;
    uint32_t n = rd_u32(&r);
    if (!zeros || n > DOOR_BODY_MAX) return false;
    *ret_type = type;
    *ret_n = n;
    return true;
}

static void put_blob(struct buf *b, struct slice s) {
    buf_u32(b, (uint32_t)s.n);
    buf_add(b, s);
}

static struct slice get_blob(struct rd *r, size_t max) {
    uint32_t n = rd_u32(r);
    if (n > max) r->bad = true;
    return rd_take(r, n);
}

void door_begin_write(struct buf *b, const struct door_begin *m) {
    buf_u32(b, DOOR_VERSION);
    buf_put(b, m->task.b, 32);
    buf_put(b, m->worker.b, 20);
    buf_put(b, m->nonce.b, 32);
    buf_put(b, m->sms_identity.b, 20);
    buf_put(b, m->app_digest.b, 32);
    buf_put(b, m->room_sha256.b, 32);
    buf_u64(b, m->memory_bytes);
    buf_u64(b, m->disk_bytes);
    buf_u32(b, m->processes);
    buf_u32(b, m->seconds);
    buf_u64(b, m->now_unix_s);
    put_blob(b, m->secret_platform);
}

bool door_begin_read(struct slice body, struct door_begin *ret) {
    struct rd r = rd_of(body);
    struct door_begin m;
    bool version = rd_u32(&r) == DOOR_VERSION;
    rd_copy(&r, m.task.b, 32);
    rd_copy(&r, m.worker.b, 20);
    rd_copy(&r, m.nonce.b, 32);
    rd_copy(&r, m.sms_identity.b, 20);
    rd_copy(&r, m.app_digest.b, 32);
    rd_copy(&r, m.room_sha256.b, 32);
    m.memory_bytes = rd_u64(&r);
    m.disk_bytes = rd_u64(&r);
    m.processes = rd_u32(&r);
    m.seconds = rd_u32(&r);
    m.now_unix_s = rd_u64(&r);
    m.secret_platform = get_blob(&r, DOOR_PLATFORM_MAX);
    if (!version || !rd_done(&r)) return false;
    *ret = m;
    return true;
}

void door_binding_write(struct buf *b, const struct door_binding *m) {
    buf_put(b, m->sealing_key, 32);
    buf_put(b, m->challenge_public, 64);
    put_blob(b, m->evidence);
}

bool door_binding_read(struct slice body, struct door_binding *ret) {
    struct rd r = rd_of(body);
    struct door_binding m;
    rd_copy(&r, m.sealing_key, 32);
    rd_copy(&r, m.challenge_public, 64);
    m.evidence = get_blob(&r, WIRE_EVIDENCE_MAX);
    if (!rd_done(&r)) return false;
    *ret = m;
    return true;
}

void door_envelope_write(struct buf *b, const struct door_envelope *m) {
    put_blob(b, m->sealed);
    buf_put(b, m->signature.b, 65);
}

bool door_envelope_read(struct slice body, struct door_envelope *ret) {
    struct rd r = rd_of(body);
    struct door_envelope m;
    m.sealed = get_blob(&r, WIRE_ENVELOPE_MAX);
    rd_copy(&r, m.signature.b, 65);
    if (!rd_done(&r)) return false;
    *ret = m;
    return true;
}

void door_input_write(struct buf *b, const struct door_input *m) {
    buf_u32(b, m->index);
    buf_u64(b, m->size);
}

bool door_input_read(struct slice body, struct door_input *ret) {
    struct rd r = rd_of(body);
    struct door_input m;
    m.index = rd_u32(&r);
    m.size = rd_u64(&r);
    if (!rd_done(&r)) return false;
    *ret = m;
    return true;
}

void door_flow_write(struct buf *b, unsigned type, const struct door_flow *m) {
    buf_u32(b, m->id);
    if (type == DOOR_FLOW)
        buf_add(b, m->data);
    else if (type != DOOR_FLOW_END && type != DOOR_FLOW_CLOSE)
        buf_u32(b, m->n);
}

bool door_flow_read(unsigned type, struct slice body, struct door_flow *ret) {
    struct rd r = rd_of(body);
    struct door_flow m = {.id = rd_u32(&r)};
    switch (type) {
    case DOOR_FLOW:
        m.data = rd_take(&r, rd_left(&r));
        if (m.data.n == 0 || m.data.n > DOOR_FLOW_MAX) return false;
        break;
    case DOOR_FLOW_END:
    case DOOR_FLOW_CLOSE: break;
    case DOOR_OPEN: m.n = rd_u32(&r); break;
    case DOOR_OPENED:
        m.n = rd_u32(&r);
        if (m.n > DOOR_OPENED_UNREACHED) return false;
        break;
    case DOOR_FLOW_TOOK:
        m.n = rd_u32(&r);
        if (m.n == 0 || m.n > DOOR_FLOW_WINDOW) return false;
        break;
    default: return false;
    }
    if (!rd_done(&r)) return false;
    *ret = m;
    return true;
}

static void put_egress(struct buf *b, const struct door_egress *e) {
    buf_u32(b, e->connections);
    buf_u32(b, e->failed);
    buf_u32(b, e->refused);
    buf_u64(b, e->sent);
    buf_u64(b, e->received);
}

static struct door_egress get_egress(struct rd *r) {
    struct door_egress e = {.connections = rd_u32(r)};
    e.failed = rd_u32(r);
    e.refused = rd_u32(r);
    e.sent = rd_u64(r);
    e.received = rd_u64(r);
    return e;
}

void door_done_write(struct buf *b, const struct door_done *m) {
    buf_put(b, m->digest.b, 32);
    buf_put(b, m->signature.b, 65);
    put_blob(b, m->callback);
    put_blob(b, m->tail_out);
    put_blob(b, m->tail_err);
    put_egress(b, &m->egress);
}

bool door_done_read(struct slice body, struct door_done *ret) {
    struct rd r = rd_of(body);
    struct door_done m;
    rd_copy(&r, m.digest.b, 32);
    rd_copy(&r, m.signature.b, 65);
    m.callback = get_blob(&r, DOOR_CALLBACK_MAX);
    m.tail_out = get_blob(&r, WIRE_LOG_TAIL_MAX);
    m.tail_err = get_blob(&r, WIRE_LOG_TAIL_MAX);
    m.egress = get_egress(&r);
    if (!rd_done(&r)) return false;
    *ret = m;
    return true;
}

const char *door_blame_name(door_blame b) {
    switch (b) {
    case BLAME_APP: return "app";
    case BLAME_DATA: return "data";
    case BLAME_REQUESTER: return "requester";
    case BLAME_HOST: return "host";
    }
    return "host";
}

void door_failed_write(struct buf *b, const struct door_failed *m) {
    put_blob(b, m->cause);
    put_blob(b, m->message);
    buf_u8(b, (uint8_t)m->blame);
    buf_u8(b, m->has_exit ? 1 : 0);
    buf_u32(b, m->has_exit ? m->exit_code : 0);
    put_blob(b, m->tail_out);
    put_blob(b, m->tail_err);
    put_egress(b, &m->egress);
}

bool door_failed_read(struct slice body, struct door_failed *ret) {
    struct rd r = rd_of(body);
    struct door_failed m;
    m.cause = get_blob(&r, DOOR_CAUSE_MAX);
    m.message = get_blob(&r, DOOR_TEXT_MAX);
    uint8_t blame = rd_u8(&r), has_exit = rd_u8(&r);
    m.exit_code = rd_u32(&r);
    m.tail_out = get_blob(&r, WIRE_LOG_TAIL_MAX);
    m.tail_err = get_blob(&r, WIRE_LOG_TAIL_MAX);
    m.egress = get_egress(&r);
    if (!rd_done(&r) || blame < BLAME_APP || blame > BLAME_HOST || has_exit > 1) return false;
    m.blame = (door_blame)blame;
    m.has_exit = has_exit == 1;
    *ret = m;
    return true;
}
