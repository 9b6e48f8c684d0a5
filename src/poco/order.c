/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/order.h"
#include "eth/tx.h"

const char *const poco_kind_word[POCO_KINDS] = {"app", "dataset", "workerpool", "request"};

#define F(k, name, type)                                                                           \
    { #name, type, (uint16_t)offsetof(struct poco_order, k.name) }
static const struct poco_field app_fields[] = {
    F(app, app, POCO_F_ADDR),
    F(app, appprice, POCO_F_UINT),
    F(app, volume, POCO_F_UINT),
    F(app, tag, POCO_F_B32),
    F(app, datasetrestrict, POCO_F_ADDR),
    F(app, workerpoolrestrict, POCO_F_ADDR),
    F(app, requesterrestrict, POCO_F_ADDR),
    F(app, salt, POCO_F_B32),
};
static const struct poco_field dataset_fields[] = {
    F(dataset, dataset, POCO_F_ADDR),
    F(dataset, datasetprice, POCO_F_UINT),
    F(dataset, volume, POCO_F_UINT),
    F(dataset, tag, POCO_F_B32),
    F(dataset, apprestrict, POCO_F_ADDR),
    F(dataset, workerpoolrestrict, POCO_F_ADDR),
    F(dataset, requesterrestrict, POCO_F_ADDR),
    F(dataset, salt, POCO_F_B32),
};
static const struct poco_field workerpool_fields[] = {
    F(workerpool, workerpool, POCO_F_ADDR),
    F(workerpool, workerpoolprice, POCO_F_UINT),
    F(workerpool, volume, POCO_F_UINT),
    F(workerpool, tag, POCO_F_B32),
    F(workerpool, category, POCO_F_UINT),
    F(workerpool, trust, POCO_F_UINT),
    F(workerpool, apprestrict, POCO_F_ADDR),
    F(workerpool, datasetrestrict, POCO_F_ADDR),
    F(workerpool, requesterrestrict, POCO_F_ADDR),
    F(workerpool, salt, POCO_F_B32),
};
static const struct poco_field request_fields[] = {
    F(request, app, POCO_F_ADDR),        F(request, appmaxprice, POCO_F_UINT),
    F(request, dataset, POCO_F_ADDR),    F(request, datasetmaxprice, POCO_F_UINT),
    F(request, workerpool, POCO_F_ADDR), F(request, workerpoolmaxprice, POCO_F_UINT),
    F(request, requester, POCO_F_ADDR),  F(request, volume, POCO_F_UINT),
    F(request, tag, POCO_F_B32),         F(request, category, POCO_F_UINT),
    F(request, trust, POCO_F_UINT),      F(request, beneficiary, POCO_F_ADDR),
    F(request, callback, POCO_F_ADDR),   F(request, params, POCO_F_STR),
    F(request, salt, POCO_F_B32),
};
#undef F

static const struct {
    const struct poco_field *fields;
    size_t n;
    const char *type; /* EIP-712 type text */
} kinds[POCO_KINDS] = {
    [POCO_APP] = {app_fields, SR_ARRAY_LEN(app_fields),
                  "AppOrder(address app,uint256 appprice,uint256 volume,bytes32 tag,address "
                  "datasetrestrict,address workerpoolrestrict,address requesterrestrict,bytes32 "
                  "salt)"},
    [POCO_DATASET] = {dataset_fields, SR_ARRAY_LEN(dataset_fields),
                      "DatasetOrder(address dataset,uint256 datasetprice,uint256 volume,bytes32 "
                      "tag,address apprestrict,address workerpoolrestrict,address "
                      "requesterrestrict,bytes32 salt)"},
    [POCO_WORKERPOOL] = {workerpool_fields, SR_ARRAY_LEN(workerpool_fields),
                         "WorkerpoolOrder(address workerpool,uint256 workerpoolprice,uint256 "
                         "volume,bytes32 tag,uint256 category,uint256 trust,address "
                         "apprestrict,address datasetrestrict,address requesterrestrict,bytes32 "
                         "salt)"},
    [POCO_REQUEST] = {request_fields, SR_ARRAY_LEN(request_fields),
                      "RequestOrder(address app,uint256 appmaxprice,address dataset,uint256 "
                      "datasetmaxprice,address workerpool,uint256 workerpoolmaxprice,address "
                      "requester,uint256 volume,bytes32 tag,uint256 category,uint256 trust,address "
                      "beneficiary,address callback,string params,bytes32 salt)"},
};

#define A9 "(address,uint256,uint256,bytes32,address,address,address,bytes32,bytes)"
const char *const poco_order_abi[POCO_KINDS] = {
    A9, A9,
    "(address,uint256,uint256,bytes32,uint256,uint256,address,address,address,bytes32,bytes)",
    ("(address,uint256,address,uint256,address,uint256,address,uint256,bytes32,uint256,uint256,"
     "address,address,string,bytes32,bytes)")};

const struct poco_field *poco_fields(poco_kind k, size_t *ret_n) {
    *ret_n = kinds[k].n;
    return kinds[k].fields;
}

const struct poco_field *poco_field_named(poco_kind k, const char *name) {
    for (size_t i = 0; i < kinds[k].n; i++)
        if (strcmp(kinds[k].fields[i].name, name) == 0) return &kinds[k].fields[i];
    return NULL;
}

/* A field that every kind has. */
static const struct poco_field *common(poco_kind k, const char *name) {
    const struct poco_field *f = poco_field_named(k, name);
    SR_ASSERT(f);
    return f;
}

static void *at(struct poco_order *o, const struct poco_field *f) {
    return (char *)o + f->offset;
}

static const struct slice *field_str(const struct poco_order *o, const struct poco_field *f) {
    return (const struct slice *)(const void *)((const char *)o + f->offset);
}

const struct addr *poco_order_resource(const struct poco_order *o) {
    return poco_field_addr(o, &kinds[o->kind].fields[0]);
}

const struct u256 *poco_order_price(const struct poco_order *o) {
    return o->kind == POCO_REQUEST ? &o->request.workerpoolmaxprice
                                   : poco_field_uint(o, &kinds[o->kind].fields[1]);
}

const struct u256 *poco_order_volume(const struct poco_order *o) {
    return poco_field_uint(o, common(o->kind, "volume"));
}

const struct hash *poco_order_tag(const struct poco_order *o) {
    return poco_field_b32(o, common(o->kind, "tag"));
}

/* ---- hashes */

struct poco_domain poco_domain_of(uint64_t chain_id, const struct addr *hub) {
    struct eip712_domain d = {.name = "iExecODB",
                              .version = "5.0.0",
                              .chain_id = chain_id,
                              .has_contract = true,
                              .contract = *hub};
    return (struct poco_domain){chain_id, *hub, eip712_separator(&d)};
}

static void put_hash(struct keccak *k, struct hash h) {
    keccak_add(k, slice_of(h.b, 32));
}

/* Type and the first n fields. */
static void absorb(struct keccak *k, const struct poco_order *o, size_t n) {
    keccak_init(k);
    put_hash(k, keccak256(slice_str(kinds[o->kind].type)));
    for (size_t i = 0; i < n; i++) {
        const struct poco_field *f = &kinds[o->kind].fields[i];
        uint8_t w[32] = {0};
        switch (f->type) {
        case POCO_F_ADDR: memcpy(w + 12, poco_field_addr(o, f)->b, 20); break;
        case POCO_F_UINT: u256_to_be(w, *poco_field_uint(o, f)); break;
        case POCO_F_B32: memcpy(w, poco_field_b32(o, f)->b, 32); break;
        case POCO_F_STR: {
            struct hash h = keccak256(*field_str(o, f));
            memcpy(w, h.b, 32);
            break;
        }
        }
        keccak_add(k, slice_of(w, 32));
    }
}

struct hash poco_struct_hash(const struct poco_order *o) {
    struct keccak k;
    absorb(&k, o, kinds[o->kind].n);
    return keccak_end(&k);
}

struct poco_salting poco_salting_of(const struct poco_domain *d, const struct poco_order *o) {
    struct poco_salting s = {.separator = d->separator};
    absorb(&s.before, o, kinds[o->kind].n - 1); /* the salt is the last field of every kind */
    return s;
}

struct hash poco_salted_hash(const struct poco_salting *s, uint64_t salt) {
    struct keccak k = s->before;
    uint8_t w[32];
    u256_to_be(w, u256_of(salt));
    keccak_add(&k, slice_of(w, 32));
    struct hash h = keccak_end(&k);
    return eip712_digest(&s->separator, &h);
}

struct hash poco_order_hash(const struct poco_domain *d, const struct poco_order *o) {
    struct hash s = poco_struct_hash(o);
    return eip712_digest(&d->separator, &s);
}

void poco_sign_set(struct poco_sign *s, const struct sr_signature *sig) {
    s->n = sizeof sig->b;
    memcpy(s->b, sig->b, sizeof sig->b);
}

sr_status poco_order_sign(struct poco_order *o, const struct poco_domain *d,
                          const struct sr_secret *key, struct sr_err *err) {
    struct hash h = poco_order_hash(d, o);
    struct sr_signature sig;
    SR_TRY(secp_sign(key, &h, &sig, err));
    poco_sign_set(&o->sign, &sig);
    return SR_OK;
}

sr_status poco_order_signer(const struct poco_order *o, const struct poco_domain *d,
                            struct addr *ret_a, struct sr_err *err) {
    struct hash h = poco_order_hash(d, o);
    return secp_recover(&h, slice_of(o->sign.b, o->sign.n), ret_a, err);
}

sr_status poco_salt(struct poco_order *o, struct sr_err *err) {
    return random_bytes(at(o, common(o->kind, "salt")), 32, err);
}

/* ---- JSON */

static sr_status field_bad(poco_kind k, const struct poco_field *f, const char *what,
                           struct sr_err *err) {
    return sr_fail(err, SR_E_MALFORMED, "%s order: %s %s", poco_kind_word[k], f->name, what);
}

sr_status poco_order_from_json(poco_kind k, const struct json_val *v, struct poco_order *ret,
                               struct sr_err *err) {
    struct poco_order o;
    memset(&o, 0, sizeof o);
    o.kind = k;
    if (!json_is(v, JSON_OBJECT))
        return sr_fail(err, SR_E_MALFORMED, "%s order: not a JSON object", poco_kind_word[k]);
    for (size_t i = 0; i < kinds[k].n; i++) {
        const struct poco_field *f = &kinds[k].fields[i];
        const struct json_val *x = json_get(v, f->name);
        if (!x) return field_bad(k, f, "is missing", err);
        switch (f->type) {
        case POCO_F_ADDR:
            if (!json_addr(x, at(&o, f))) return field_bad(k, f, "is not an address", err);
            break;
        case POCO_F_UINT:
            if (!json_u256(x, at(&o, f))) return field_bad(k, f, "is not a whole number", err);
            break;
        case POCO_F_B32:
            if (!json_hash(x, at(&o, f))) return field_bad(k, f, "is not 32 bytes of hex", err);
            break;
        case POCO_F_STR:
            if (!json_str(x, at(&o, f))) return field_bad(k, f, "is not a string", err);
            if (field_str(&o, f)->n > POCO_PARAMS_MAX) return field_bad(k, f, "is too long", err);
            break;
        }
    }
    const struct json_val *sign = json_get(v, "sign");
    if (sign) {
        struct slice s;
        cleanup_buf struct buf b;
        buf_init(&b, POCO_SIGN_MAX);
        bool good = json_str(sign, &s) && slice_starts(s, "0x") && hex_decode_buf(s, &b);
        if (b.bad == SR_E_NOMEM) return buf_status(&b, err);
        if (!good || b.bad)
            return sr_fail(err, SR_E_MALFORMED, "%s order: sign is not hex of at most %u bytes",
                           poco_kind_word[k], POCO_SIGN_MAX);
        o.sign.n = (uint16_t)b.n;
        if (b.n) memcpy(o.sign.b, b.p, b.n);
    }
    *ret = o;
    return SR_OK;
}

void poco_order_json(struct jw *w, const struct poco_order *o, bool numbers, bool with_sign) {
    jw_obj(w);
    for (size_t i = 0; i < kinds[o->kind].n; i++) {
        const struct poco_field *f = &kinds[o->kind].fields[i];
        jw_key(w, f->name);
        switch (f->type) {
        case POCO_F_ADDR: jw_cstr(w, addr_checksum(poco_field_addr(o, f)).s); break;
        case POCO_F_UINT:
            if (numbers)
                jw_u256_num(w, *poco_field_uint(o, f));
            else
                jw_u256_dec(w, *poco_field_uint(o, f));
            break;
        case POCO_F_B32: jw_hex(w, slice_of(poco_field_b32(o, f)->b, 32)); break;
        case POCO_F_STR: jw_str(w, *field_str(o, f)); break;
        }
    }
    if (with_sign) jw_khex(w, "sign", slice_of(o->sign.b, o->sign.n));
    jw_end_obj(w);
}

/* ---- calldata */

struct abi_val poco_order_val(const struct poco_order *o, struct abi_val v[POCO_ORDER_VALS]) {
    size_t n = kinds[o->kind].n;
    for (size_t i = 0; i < n; i++) {
        const struct poco_field *f = &kinds[o->kind].fields[i];
        switch (f->type) {
        case POCO_F_ADDR: v[i] = av_addr(poco_field_addr(o, f)); break;
        case POCO_F_UINT: v[i] = av_u256(*poco_field_uint(o, f)); break;
        case POCO_F_B32: v[i] = av_hash(poco_field_b32(o, f)); break;
        case POCO_F_STR: v[i] = av_bytes(*field_str(o, f)); break;
        }
    }
    v[n] = av_bytes(slice_of(o->sign.b, o->sign.n));
    return av_list(v, n + 1);
}

sr_status poco_order_from_val(poco_kind k, const struct abi_val *v, struct poco_order *ret,
                              struct sr_err *err) {
    struct poco_order o;
    memset(&o, 0, sizeof o);
    o.kind = k;
    size_t n = kinds[k].n;
    if (v->kind != ABI_LIST || v->list.n != n + 1)
        return sr_fail(err, SR_E_MALFORMED, "not a %s order", poco_kind_word[k]);
    for (size_t i = 0; i < n; i++) {
        const struct poco_field *f = &kinds[k].fields[i];
        const struct abi_val *x = &v->list.v[i];
        static const abi_kind want[] = {[POCO_F_ADDR] = ABI_ADDR,
                                        [POCO_F_UINT] = ABI_NUM,
                                        [POCO_F_B32] = ABI_FIXED,
                                        [POCO_F_STR] = ABI_BYTES};
        if (x->kind != want[f->type]) return field_bad(k, f, "has the wrong type", err);
        switch (f->type) {
        case POCO_F_ADDR: memcpy(at(&o, f), &x->addr, sizeof x->addr); break;
        case POCO_F_UINT: memcpy(at(&o, f), &x->num, sizeof x->num); break;
        case POCO_F_B32: memcpy(at(&o, f), &x->hash, sizeof x->hash); break;
        case POCO_F_STR: memcpy(at(&o, f), &x->bytes, sizeof x->bytes); break;
        }
    }
    const struct abi_val *sign = &v->list.v[n];
    if (sign->kind != ABI_BYTES || sign->bytes.n > POCO_SIGN_MAX)
        return sr_fail(err, SR_E_TOOBIG, "%s order: sign has more than %u bytes", poco_kind_word[k],
                       POCO_SIGN_MAX);
    o.sign.n = (uint16_t)sign->bytes.n;
    if (sign->bytes.n) memcpy(o.sign.b, sign->bytes.p, sign->bytes.n);
    *ret = o;
    return SR_OK;
}
