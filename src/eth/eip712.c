/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/eip712.h"

static void put_u64(struct keccak *k, uint64_t v) {
    uint8_t w[32];
    u256_to_be(w, u256_of(v));
    keccak_add(k, slice_of(w, 32));
}

static void put_hash(struct keccak *k, struct hash h) {
    keccak_add(k, slice_of(h.b, 32));
}

struct hash eip712_separator(const struct eip712_domain *d) {
    const char *const fields[] = {d->name ? "string name" : NULL,
                                  d->version ? "string version" : NULL,
                                  d->chain_id ? "uint256 chainId" : NULL,
                                  d->has_contract ? "address verifyingContract" : NULL};
    const char *sep = "EIP712Domain(";
    struct keccak k, t;
    keccak_init(&t);
    for (size_t i = 0; i < SR_ARRAY_LEN(fields); i++) {
        if (!fields[i]) continue;
        keccak_add(&t, slice_str(sep));
        keccak_add(&t, slice_str(fields[i]));
        sep = ",";
    }
    keccak_add(&t, slice_str(*sep == ',' ? ")" : "EIP712Domain()"));
    keccak_init(&k);
    put_hash(&k, keccak_end(&t));
    if (d->name) put_hash(&k, keccak256(slice_str(d->name)));
    if (d->version) put_hash(&k, keccak256(slice_str(d->version)));
    if (d->chain_id) put_u64(&k, d->chain_id);
    if (d->has_contract) {
        uint8_t w[32] = {0};
        memcpy(w + 12, d->contract.b, 20);
        keccak_add(&k, slice_of(w, 32));
    }
    return keccak_end(&k);
}

struct hash eip712_digest(const struct hash *separator, const struct hash *struct_hash) {
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, SLICE_LIT("\x19\x01"));
    put_hash(&k, *separator);
    put_hash(&k, *struct_hash);
    return keccak_end(&k);
}

struct hash eip712_challenge(const char *service_name, uint64_t chain_id, struct slice challenge) {
    struct eip712_domain d = {.name = service_name, .version = "1", .chain_id = chain_id};
    struct hash sep = eip712_separator(&d);
    struct keccak k;
    keccak_init(&k);
    put_hash(&k, keccak256(SLICE_LIT("Challenge(string challenge)")));
    put_hash(&k, keccak256(challenge));
    struct hash s = keccak_end(&k);
    return eip712_digest(&sep, &s);
}

/* ---- whole documents ---- */

struct typed {
    const struct json_val *types;
    struct sr_err *err;
};

/* "Person[2][]" -> "Person" */
static struct slice base_type(struct slice t) {
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] == '[') return slice_of(t.p, i);
    return t;
}

static const struct json_val *find_type(const struct typed *t, struct slice name) {
    for (const struct json_val *v = json_first(t->types); v; v = json_next(v))
        if (slice_eq(json_key(v), name)) return v;
    return NULL;
}

static sr_status bad(const struct typed *t, const char *what, struct slice name) {
    return sr_fail(t->err, SR_E_MALFORMED, "typed data: %s '%.*s'", what,
                   (int)(name.n > 60 ? 60 : name.n), (const char *)name.p);
}

static bool add_name(struct slice *names, size_t *n, struct slice name) {
    for (size_t i = 0; i < *n; i++)
        if (slice_eq(names[i], name)) return true;
    if (*n == EIP712_MAX_TYPES) return false;
    names[(*n)++] = name;
    return true;
}

static int cmp_slice(struct slice a, struct slice b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* encodeType: the type, then everything it refers to in order of name. */
static sr_status type_hash(const struct typed *t, struct slice name, struct hash *ret) {
    struct slice names[EIP712_MAX_TYPES];
    size_t n = 0;
    (void)add_name(names, &n, name);
    for (size_t i = 0; i < n; i++) { /* names grows: breadth first */
        const struct json_val *def = find_type(t, names[i]);
        if (!json_is(def, JSON_ARRAY)) return bad(t, "no type", names[i]);
        for (const struct json_val *m = json_first(def); m; m = json_next(m)) {
            struct slice ty;
            if (!json_str(json_get(m, "type"), &ty))
                return bad(t, "member without type in", names[i]);
            if (find_type(t, base_type(ty)) && !add_name(names, &n, base_type(ty)))
                return bad(t, "too many types in", name);
        }
    }
    for (size_t i = 2; i < n; i++)
        for (size_t k = i; k > 1 && cmp_slice(names[k - 1], names[k]) > 0; k--) {
            struct slice s = names[k];
            names[k] = names[k - 1];
            names[k - 1] = s;
        }
    struct keccak k;
    keccak_init(&k);
    for (size_t i = 0; i < n; i++) {
        keccak_add(&k, names[i]);
        keccak_add(&k, SLICE_LIT("("));
        bool first = true;
        for (const struct json_val *m = json_first(find_type(t, names[i])); m; m = json_next(m)) {
            struct slice ty, nm;
            if (!json_str(json_get(m, "type"), &ty) || !json_str(json_get(m, "name"), &nm))
                return bad(t, "member without name in", names[i]);
            if (!first) keccak_add(&k, SLICE_LIT(","));
            first = false;
            keccak_add(&k, ty);
            keccak_add(&k, SLICE_LIT(" "));
            keccak_add(&k, nm);
        }
        keccak_add(&k, SLICE_LIT(")"));
    }
    *ret = keccak_end(&k);
    return SR_OK;
}

static sr_status hash_struct(const struct typed *t, struct slice type, const struct json_val *v,
                             unsigned depth, struct hash *ret);

static sr_status hex_word(const struct typed *t, struct slice type, const struct json_val *v,
                          size_t n, bool left, struct hash *ret) {
    struct slice s;
    struct hash h = {{0}};
    if (!json_str(v, &s) || !slice_starts(s, "0x") || !hex_decode(s, h.b + (left ? 0 : 32 - n), n))
        return bad(t, "wrong value for type", type);
    *ret = h;
    return SR_OK;
}

static sr_status encode_value(const struct typed *t, struct slice type, const struct json_val *v,
                              unsigned depth, struct hash *ret) {
    struct slice s;
    struct u256 num;
    uint64_t n;
    if (depth > EIP712_MAX_DEPTH) return bad(t, "nested too deep at", type);
    if (type.n && type.p[type.n - 1] == ']') {
        size_t open = type.n;
        while (open > 0 && type.p[open - 1] != '[') open--;
        if (open == 0 || !json_is(v, JSON_ARRAY)) return bad(t, "wrong value for type", type);
        struct slice len = slice_of(type.p + open, type.n - open - 1);
        if (len.n && (!num_u64(len, 1u << 20, &n) || n != json_len(v)))
            return bad(t, "wrong number of items for type", type);
        struct keccak k;
        keccak_init(&k);
        for (const struct json_val *m = json_first(v); m; m = json_next(m)) {
            struct hash h;
            SR_TRY(encode_value(t, slice_of(type.p, open - 1), m, depth + 1, &h));
            put_hash(&k, h);
        }
        *ret = keccak_end(&k);
        return SR_OK;
    }
    if (find_type(t, type)) return hash_struct(t, type, v, depth + 1, ret);
    if (slice_is(type, "string")) {
        if (!json_str(v, &s)) return bad(t, "wrong value for type", type);
        *ret = keccak256(s);
        return SR_OK;
    }
    if (slice_is(type, "bytes")) {
        cleanup_buf struct buf b;
        buf_init(&b, 1u << 20);
        bool good = json_str(v, &s) && slice_starts(s, "0x") && hex_decode_buf(s, &b);
        if (b.bad == SR_E_NOMEM) return buf_status(&b, t->err);
        if (!good || b.bad) return bad(t, "wrong value for type", type);
        *ret = keccak256(buf_slice(&b));
        return SR_OK;
    }
    if (slice_is(type, "address")) return hex_word(t, type, v, 20, false, ret);
    if (slice_is(type, "bool")) {
        bool b;
        if (!json_bool(v, &b)) return bad(t, "wrong value for type", type);
        *ret = (struct hash){{[31] = b}};
        return SR_OK;
    }
    if (slice_starts(type, "bytes") && num_u64(slice_of(type.p + 5, type.n - 5), 32, &n) && n)
        return hex_word(t, type, v, (size_t)n, true, ret);
    if (slice_starts(type, "uint") && num_u64(slice_of(type.p + 4, type.n - 4), 256, &n) && n &&
        n % 8 == 0) {
        if (!json_u256(v, &num)) return bad(t, "wrong value for type", type);
        for (unsigned bit = (unsigned)n; bit < 256; bit++)
            if (num.w[bit / 64] >> (bit % 64) & 1) return bad(t, "too big for type", type);
        u256_to_be(ret->b, num);
        return SR_OK;
    }
    return bad(t, "unknown type", type);
}

static sr_status hash_struct(const struct typed *t, struct slice type, const struct json_val *v,
                             unsigned depth, struct hash *ret) {
    struct hash h;
    SR_TRY(type_hash(t, type, &h));
    if (!json_is(v, JSON_OBJECT)) return bad(t, "wrong value for type", type);
    struct keccak k;
    keccak_init(&k);
    put_hash(&k, h);
    for (const struct json_val *m = json_first(find_type(t, type)); m; m = json_next(m)) {
        struct slice ty, nm;
        if (!json_str(json_get(m, "type"), &ty) || !json_str(json_get(m, "name"), &nm))
            return bad(t, "member without name in", type);
        const struct json_val *field = NULL;
        for (const struct json_val *f = json_first(v); f && !field; f = json_next(f))
            if (slice_eq(json_key(f), nm)) field = f;
        if (!field) return bad(t, "missing field", nm);
        SR_TRY(encode_value(t, ty, field, depth, &h));
        put_hash(&k, h);
    }
    *ret = keccak_end(&k);
    return SR_OK;
}

sr_status eip712_json(const struct json_val *typed_data, struct hash *ret_digest,
                      struct sr_err *err) {
    struct typed t = {json_get(typed_data, "types"), err};
    const struct json_val *domain = json_get(typed_data, "domain");
    const struct json_val *message = json_get(typed_data, "message");
    struct slice primary;
    if (!json_is(t.types, JSON_OBJECT) || !domain || !message ||
        !json_str(json_get(typed_data, "primaryType"), &primary))
        return sr_fail(err, SR_E_MALFORMED,
                       "typed data: types, domain, primaryType or message is missing");
    struct hash sep, h;
    SR_TRY(hash_struct(&t, SLICE_LIT("EIP712Domain"), domain, 0, &sep));
    SR_TRY(hash_struct(&t, primary, message, 0, &h));
    *ret_digest = eip712_digest(&sep, &h);
    return SR_OK;
}
