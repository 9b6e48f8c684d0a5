/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - orders into the book  SPEC: services.md#26-publishing-checks-in-order */
#include "eth/tx.h"
#include "market/market_int.h"

poco_kind path_kind(struct http_req *rq) {
    struct slice p = http_path(rq);
    for (unsigned k = 0; k < POCO_KINDS; k++) {
        size_t n = strlen(poco_kind_word[k]);
        if (p.n > n && memcmp(p.p + 1, poco_kind_word[k], n) == 0) return (poco_kind)k;
    }
    return POCO_APP;
}

/* ---- the body */

static void *field_at(struct poco_order *o, const struct poco_field *f) {
    return (char *)o + f->offset;
}

static sr_status read_field(const struct json_val *v, const struct poco_field *f,
                            struct poco_order *o, struct sr_err *err) {
    char name[64];
    cleanup_buf struct buf b;
    buf_init(&b, sizeof name - 1);
    buf_printf(&b, "order.%s", f->name);
    memcpy(name, buf_cstr(&b), b.n + 1);
    const struct json_val *x = json_get(v, f->name);
    struct slice s = json_text(x);
    if (!x || json_is(x, JSON_NULL) ||
        (f->type != POCO_F_STR && json_is(x, JSON_STRING) && s.n == 0))
        return sr_fail(err, SR_E_MALFORMED, "%s is a required field", name);
    switch (f->type) {
    case POCO_F_ADDR: return q_addr_text(name, s, field_at(o, f), err);
    case POCO_F_UINT: {
        uint64_t n;
        SR_TRY(q_int_text(name, s, strcmp(f->name, "volume") == 0 ? 1 : 0, &n, err));
        struct u256 big = u256_of(n);
        memcpy(field_at(o, f), &big, sizeof big);
        return SR_OK;
    }
    case POCO_F_B32: return q_hash_text(name, s, field_at(o, f), err);
    case POCO_F_STR:
        if (!json_is(x, JSON_STRING) || s.n > POCO_PARAMS_MAX)
            return sr_fail(err, SR_E_MALFORMED, "%s must be a `string` of at most %u bytes", name,
                           POCO_PARAMS_MAX);
        memcpy(field_at(o, f), &s, sizeof s);
        return SR_OK;
    }
    return SR_OK;
}

static sr_status read_order(const struct json_val *body, poco_kind k, struct poco_order *ret,
                            struct sr_err *err) {
    const struct json_val *v = json_get(body, "order");
    size_t n;
    const struct poco_field *f = poco_fields(k, &n);
    memset(ret, 0, sizeof *ret);
    ret->kind = k;
    if (!json_is(v, JSON_OBJECT)) return sr_fail(err, SR_E_MALFORMED, "order is a required field");
    for (size_t i = 0; i < n; i++) SR_TRY(read_field(v, &f[i], ret, err));
    struct slice s = json_text(json_get(v, "sign"));
    if (s.n == 0) return sr_fail(err, SR_E_MALFORMED, "order.sign is a required field");
    if (!slice_starts(s, "0x"))
        return sr_fail(err, SR_E_MALFORMED, "order.sign must be a valid signature");
    cleanup_buf struct buf sign;
    buf_init(&sign, POCO_SIGN_MAX);
    bool good = hex_decode_buf(s, &sign);
    BUF_TRY_MEMORY(&sign, err);
    if (!good || sign.bad) return sr_fail(err, SR_E_REFUSED, "invalid sign");
    ret->sign.n = (uint16_t)sign.n;
    if (sign.n) memcpy(ret->sign.b, sign.p, sign.n);
    return SR_OK;
}

/* The official answer to a body that is no JSON is a 500. */
sr_status read_body(struct http_req *rq, struct json **ret, struct sr_err *err) {
    struct slice body;
    SR_TRY(http_body(rq, &body, err));
    if (json_parse(body, ret, NULL) == SR_OK && json_is(json_root(*ret), JSON_OBJECT)) return SR_OK;
    json_free(*ret);
    *ret = NULL;
    return http_reply(rq, 500, "application/json; charset=utf-8",
                      SLICE_LIT("{\"ok\":false,\"error\":\"Internal error\"}"), err);
}

static void free_publish(struct publish **p) {
    publish_free(*p);
}

/* Everything of the request that a job needs: it may outlive the request. */
static sr_status read_publish(struct market *m, struct http_req *rq, struct publish *p,
                              struct sr_err *err) {
    SR_TRY(read_body(rq, &p->doc, err));
    if (!p->doc) return SR_OK;
    SR_TRY(auth_read(rq, &p->authed, err));
    bool good = read_order(json_root(p->doc), path_kind(rq), &p->o, &p->malformed) == SR_OK;
    p->signature.sig = slice_of(p->o.sign.b, p->o.sign.n);
    if (good) p->signature.hash = poco_order_hash(&m->poco.domain, &p->o);
    struct recovered *both[] = {&p->authed.signature, good ? &p->signature : NULL, NULL};
    SR_TRY(fiber_offload(recovered_all, both, err));
    return auth_is_signed(m, &p->authed, err);
}

sr_status route_publish(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    __attribute__((cleanup(free_publish))) struct publish *p = NULL;
    SR_TRY(q_chain(m, rq, err));
    p = publish_new();
    if (!p) return sr_fail(err, SR_E_NOMEM, "publish");
    SR_TRY(read_publish(m, rq, p, err));
    if (!p->doc) return SR_OK;
    SR_TRY(publish_do(m, &p, err));
    cleanup_buf struct buf b;
    buf_init(&b, MARKET_BODY_MAX * 7);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kbool(&w, "ok", true);
    jw_key(&w, "published");
    jw_obj(&w);
    order_item(&w, &p->row, buf_slice(&p->json), m->chain_id, p->row.kind == POCO_DATASET);
    jw_end_obj(&w);
    jw_end_obj(&w);
    log_info("order_published", "kind=%s order=%s signer=%s", poco_kind_word[p->row.kind],
             hash_text(&p->row.hash).s, addr_text(&p->row.signer).s);
    return http_reply_json(rq, 200, &b, err);
}
