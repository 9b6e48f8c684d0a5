/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - parameters and their official messages  SPEC: services.md#23-parameter-rules */
#include "eth/tx.h"
#include "market/market_int.h"

static int cut(struct slice s) {
    return (int)(s.n > 80 ? 80 : s.n);
}

sr_status q_chain(struct market *m, struct http_req *rq, struct sr_err *err) {
    struct slice s;
    uint64_t id;
    if (!http_query(rq, "chainId", &s) || s.n == 0)
        return sr_fail(err, SR_E_MALFORMED, "chainId is a required field");
    if (!num_u64(s, UINT64_MAX, &id) || id != m->chain_id)
        return sr_fail(err, SR_E_MALFORMED, "chainId %.*s is not supported", cut(s),
                       (const char *)s.p);
    return SR_OK;
}

sr_status q_addr_text(const char *p, struct slice text, struct addr *ret, struct sr_err *err) {
    struct slice digits = slice_starts(text, "0x") ? slice_of(text.p + 2, text.n - 2) : text;
    if (digits.n != 40 || !hex_decode(digits, ret->b, 20))
        return sr_fail(err, SR_E_MALFORMED, "%s is not a valid ethereum address", p);
    return SR_OK;
}

sr_status q_hash_text(const char *p, struct slice text, struct hash *ret, struct sr_err *err) {
    if (!hash_parse(text, ret))
        return sr_fail(err, SR_E_MALFORMED, "%s must be a bytes32 hexstring", p);
    return SR_OK;
}

/* What JavaScript's Number makes of a text, as far as the rules tell apart. */
sr_status q_int_text(const char *p, struct slice text, uint64_t min, uint64_t *ret,
                     struct sr_err *err) {
    struct slice t = slice_trim(text);
    uint64_t v;
    if (num_u64(t, UINT64_MAX, &v)) {
        if (v > POCO_SAFE_MAX)
            return sr_fail(err, SR_E_MALFORMED, "%s must be less than or equal to %llu", p,
                           (unsigned long long)POCO_SAFE_MAX);
        if (v < min)
            return sr_fail(err, SR_E_MALFORMED, "%s must be greater than or equal to %llu", p,
                           (unsigned long long)min);
        *ret = v;
        return SR_OK;
    }
    bool digits = t.n > 0, dot = false, minus = t.n > 1 && t.p[0] == '-';
    for (size_t i = minus; i < t.n; i++) {
        bool d = t.p[i] >= '0' && t.p[i] <= '9';
        if (t.p[i] == '.' && !dot && t.n > 1)
            dot = true;
        else if (!d)
            digits = false;
    }
    if (digits && minus)
        return sr_fail(err, SR_E_MALFORMED, "%s must be greater than or equal to %llu", p,
                       (unsigned long long)min);
    if (digits && dot) return sr_fail(err, SR_E_MALFORMED, "%s must be an integer", p);
    if (digits)
        return sr_fail(err, SR_E_MALFORMED, "%s must be less than or equal to %llu", p,
                       (unsigned long long)POCO_SAFE_MAX);
    return sr_fail(err, SR_E_MALFORMED,
                   "%s must be a `number` type, but the final value was: `NaN` (cast from the "
                   "value `\"%.*s\"`).",
                   p, cut(text), (const char *)text.p);
}

sr_status q_addr(struct http_req *rq, const char *p, bool any_ok, q_state *ret_state,
                 struct addr *ret, struct sr_err *err) {
    struct slice s;
    if (!http_query(rq, p, &s) || s.n == 0) {
        *ret_state = Q_ABSENT;
        return SR_OK;
    }
    if (any_ok && slice_ieq(s, "any")) {
        *ret_state = Q_ANY;
        return SR_OK;
    }
    *ret_state = Q_GIVEN;
    if (q_addr_text(p, s, ret, NULL) == SR_OK) return SR_OK;
    if (any_ok)
        return sr_fail(err, SR_E_MALFORMED, "%s is neither \"any\" nor a valid ethereum address",
                       p);
    return sr_fail(err, SR_E_MALFORMED, "%s is not a valid ethereum address", p);
}

sr_status q_hash(struct http_req *rq, const char *p, bool *ret_given, struct hash *ret,
                 struct sr_err *err) {
    struct slice s;
    *ret_given = http_query(rq, p, &s) && s.n > 0;
    return *ret_given ? q_hash_text(p, s, ret, err) : SR_OK;
}

sr_status q_int(struct http_req *rq, const char *p, uint64_t min, bool *ret_given, uint64_t *ret,
                struct sr_err *err) {
    struct slice s;
    *ret_given = http_query(rq, p, &s);
    return *ret_given ? q_int_text(p, s, min, ret, err) : SR_OK;
}

sr_status q_bool(struct http_req *rq, const char *p, bool *ret, struct sr_err *err) {
    struct slice s;
    *ret = false;
    if (!http_query(rq, p, &s)) return SR_OK;
    if (slice_ieq(s, "true") || slice_is(s, "1")) {
        *ret = true;
        return SR_OK;
    }
    if (slice_ieq(s, "false") || slice_is(s, "0")) return SR_OK;
    return sr_fail(err, SR_E_MALFORMED,
                   "%s must be a `boolean` type, but the final value was: `\"%.*s\"`.", p, cut(s),
                   (const char *)s.p);
}

sr_status q_page(struct http_req *rq, struct q_page *ret, struct sr_err *err) {
    bool has_index, has_size, has_page;
    uint64_t index = 0, size = MARKET_PAGE, page = 0;
    SR_TRY(q_int(rq, "pageIndex", 0, &has_index, &index, err));
    SR_TRY(q_int(rq, "pageSize", MARKET_PAGE_MIN, &has_size, &size, err));
    if (size > MARKET_PAGE_MAX)
        return sr_fail(err, SR_E_MALFORMED, "pageSize must be less than or equal to %u",
                       MARKET_PAGE_MAX);
    if (has_index || has_size) {
        if (__builtin_mul_overflow(size, index, &ret->skip) || ret->skip > INT64_MAX)
            ret->skip = INT64_MAX;
        ret->limit = size;
        return SR_OK;
    }
    SR_TRY(q_int(rq, "page", 0, &has_page, &page, err)); /* an offset, in spite of its name */
    *ret = (struct q_page){MARKET_PAGE, page};
    return SR_OK;
}

/* ---- SELECTs */

void sel_init(struct sel *s) {
    s->n = 0;
    buf_init(&s->where, 8192);
}

void sel_done(struct sel *s) {
    buf_done(&s->where);
}

static uint8_t *sel_slot(struct sel *s, const char *text, struct db_val v, size_t blob) {
    SR_ASSERT(s->n < SEL_ARGS);
    const char *at = strstr(text, "%s");
    SR_ASSERT(at);
    buf_put(&s->where, text, (size_t)(at - text));
    buf_printf(&s->where, "$%zu", s->n + 1);
    buf_str(&s->where, at + 2);
    uint8_t *mem = s->mem[s->n];
    if (blob) v.s = slice_of(mem, blob);
    s->args[s->n++] = v;
    return mem;
}

void sel_addr(struct sel *s, const char *text, const struct addr *a) {
    memcpy(sel_slot(s, text, (struct db_val){.type = DB_BLOB}, 20), a->b, 20);
}

void sel_hash(struct sel *s, const char *text, const struct hash *h) {
    memcpy(sel_slot(s, text, (struct db_val){.type = DB_BLOB}, 32), h->b, 32);
}

void sel_i64(struct sel *s, const char *text, int64_t v) {
    (void)sel_slot(s, text, db_i64(v), 0);
}

void sel_text(struct sel *s, const char *text) {
    buf_str(&s->where, text);
}
