/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/eventlog.h"

#define ALG_SHA384   0x000cu
#define DSTACK_EVENT 0x08000001u

void rtmr_extend(uint8_t rtmr[48], const uint8_t digest[48]) {
    uint8_t both[96];
    memcpy(both, rtmr, 48);
    memcpy(both + 48, digest, 48);
    sha384(slice_of(both, sizeof both), rtmr);
}

/* The first record: TCG_PCR_EVENT with the Spec ID, which lists the algorithms. */
sr_status eventlog_open(struct slice log, struct eventlog *ret, struct sr_err *err) {
    struct eventlog l = {.start = log.p};
    if (log.n > EVENTLOG_MAX) return sr_fail(err, SR_E_TOOBIG, "PARSE: an event log too long");
    l.r = rd_of(log);
    (void)rd_u32le(&l.r); /* index */
    const uint32_t type = rd_u32le(&l.r);
    (void)rd_take(&l.r, 20);
    struct rd s = rd_of(rd_take(&l.r, rd_u32le(&l.r)));
    struct slice name = rd_take(&s, 16);
    (void)rd_take(&s, 8); /* class, versions, size of numbers */
    const uint32_t n = rd_u32le(&s);
    if (l.r.bad || s.bad || type != EV_NO_ACTION || memcmp(name.p, "Spec ID Event03", 16) != 0 ||
        n == 0 || n > EVENTLOG_DIGESTS)
        return sr_fail(err, SR_E_MALFORMED, "PARSE: not an event log of a TDX guest");
    bool has = false;
    for (size_t i = 0; i < n; i++) {
        l.alg[i] = rd_u16le(&s);
        l.size[i] = rd_u16le(&s);
        has |= l.alg[i] == ALG_SHA384 && l.size[i] == 48;
        if (l.size[i] == 0 || l.size[i] > 64 || (l.alg[i] == ALG_SHA384 && l.size[i] != 48))
            s.bad = true;
    }
    l.n_algs = n;
    (void)rd_take(&s, rd_u8(&s)); /* the vendor's */
    if (!rd_done(&s) || !has)
        return sr_fail(err, SR_E_MALFORMED, "PARSE: the event log's header is malformed");
    *ret = l;
    return SR_OK;
}

static bool only(struct slice s, uint8_t v) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != v) return false;
    return true;
}

/* The rest is padding: the log's area is filled with 0xFF or zeros. */
static bool at_end(const struct rd *r) {
    struct slice left = slice_of(r->p, rd_left(r));
    if (left.n >= 4 && only(slice_of(left.p, 4), 0xff)) return true;
    if (left.n < 4 && only(left, 0xff)) return true;
    return only(slice_of(left.p, left.n < 12 ? left.n : 12), 0);
}

static bool digest_size(const struct eventlog *l, uint16_t alg, size_t *ret) {
    for (size_t i = 0; i < l->n_algs; i++) {
        if (l->alg[i] != alg) continue;
        *ret = l->size[i];
        return true;
    }
    return false;
}

bool eventlog_next(struct eventlog *l, struct event *ret) {
    struct event e = {0};
    if (l->bad) return false;
    if (at_end(&l->r)) {
        l->used = (size_t)(l->r.p - l->start);
        return false;
    }
    e.index = rd_u32le(&l->r);
    e.type = rd_u32le(&l->r);
    const uint32_t n = rd_u32le(&l->r);
    l->bad = l->r.bad || n > EVENTLOG_DIGESTS || e.index > 4;
    for (size_t i = 0; !l->bad && i < n; i++) {
        size_t size = 0;
        const uint16_t alg = rd_u16le(&l->r);
        l->bad = l->r.bad || !digest_size(l, alg, &size);
        if (l->bad) break;
        struct slice d = rd_take(&l->r, size);
        l->bad = l->r.bad || (alg == ALG_SHA384 && e.sha384);
        if (alg == ALG_SHA384) e.sha384 = d.p;
    }
    if (l->bad) return false;
    e.data = rd_take(&l->r, rd_u32le(&l->r));
    l->bad = l->r.bad;
    if (l->bad) return false;
    *ret = e;
    return true;
}

static bool hashes_to(struct slice s, const uint8_t want[48]) {
    uint8_t h[48];
    sha384(s, h);
    return memcmp(h, want, sizeof h) == 0;
}

bool event_proves_data(const struct event *e) {
    if (!e->sha384) return false;
    if (e->type != EV_EVENT_TAG) return hashes_to(e->data, e->sha384);
    struct rd r = rd_of(e->data); /* a tag: number, size, and what is measured */
    (void)rd_u32le(&r);
    struct slice part = rd_take(&r, rd_u32le(&r));
    return (!r.bad && hashes_to(part, e->sha384)) || hashes_to(e->data, e->sha384);
}

sr_status eventlog_replay(struct slice log, struct eventlog_result *ret, struct sr_err *err) {
    struct eventlog l;
    struct event e;
    struct eventlog_result r = {0};
    SR_TRY(eventlog_open(log, &l, err));
    while (eventlog_next(&l, &e)) {
        if (r.events == EVENTLOG_EVENTS)
            return sr_fail(err, SR_E_TOOBIG, "PARSE: too many events in the log");
        if (e.type == EV_NO_ACTION) continue; /* says something, extends nothing */
        if (!e.sha384)
            return sr_fail(err, SR_E_MALFORMED, "PARSE: event %zu has no SHA-384", r.events);
        if (e.index > 0) {
            rtmr_extend(r.rtmr[e.index - 1], e.sha384);
            r.n[e.index - 1]++;
        }
        r.events++;
        r.proved += event_proves_data(&e);
    }
    if (l.bad)
        return sr_fail(err, SR_E_MALFORMED, "PARSE: event %zu of the log is malformed", r.events);
    r.used = l.used;
    *ret = r;
    return SR_OK;
}

/* SHA-384(le32 type | ":" | name | ":" | payload) */
static bool dstack_digest(struct slice name, struct slice payload_hex, uint8_t ret[48]) {
    cleanup_buf struct buf b = {0};
    const uint8_t type[4] = {DSTACK_EVENT & 0xff, DSTACK_EVENT >> 8 & 0xff,
                             DSTACK_EVENT >> 16 & 0xff, DSTACK_EVENT >> 24};
    buf_init(&b, EVENTLOG_MAX);
    buf_put(&b, type, sizeof type);
    buf_str(&b, ":");
    buf_add(&b, name);
    buf_str(&b, ":");
    if (!hex_decode_buf(payload_hex, &b) || buf_status(&b, NULL) != SR_OK) return false;
    sha384(buf_slice(&b), ret);
    return true;
}

sr_status eventlog_replay_json(struct slice json, struct eventlog_result *ret, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct eventlog_result r = {0};
    if (json.n > EVENTLOG_JSON_MAX) return sr_fail(err, SR_E_TOOBIG, "PARSE: a log too long");
    SR_TRY(json_parse(json, &doc, err));
    const struct json_val *list = json_get(json_root(doc), "event_log");
    if (!json_is(list, JSON_ARRAY) || json_len(list) > EVENTLOG_EVENTS)
        return sr_fail(err, SR_E_MALFORMED, "PARSE: no list of events");
    for (const struct json_val *v = json_first(list); v; v = json_next(v)) {
        uint64_t reg = 0, type = 0;
        uint8_t digest[48], again[48];
        struct slice hex, name, payload;
        if (!json_u64(json_get(v, "imr"), &reg) || reg > 3 ||
            !json_u64(json_get(v, "event_type"), &type) || !json_str(json_get(v, "digest"), &hex) ||
            hex.n != 96 || !hex_decode(hex, digest, 48) || !json_str(json_get(v, "event"), &name) ||
            !json_str(json_get(v, "event_payload"), &payload))
            return sr_fail(err, SR_E_MALFORMED, "PARSE: event %zu is malformed", r.events);
        if (type == DSTACK_EVENT) {
            if (!dstack_digest(name, payload, again) || memcmp(again, digest, 48) != 0)
                return sr_fail(err, SR_E_CRYPTO,
                               "PARSE: event %zu has another digest than its text", r.events);
            r.proved++;
        }
        rtmr_extend(r.rtmr[reg], digest);
        r.n[reg]++;
        r.events++;
    }
    r.used = json.n;
    *ret = r;
    return SR_OK;
}
