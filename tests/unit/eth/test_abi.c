/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/abi.c"
#include "vec.h"

static struct abi_val *some_vals(struct dec *d, size_t n) {
    struct abi_val *v = NULL;
    assert_int_equal(take_vals(d, n, &v), SR_OK);
    return v;
}

/* A JSON value of the vector file as a value of the type; memory is never freed one by one. */
static struct abi_val from_json(struct slice t, const struct json_val *j, struct dec *mem) {
    struct type ty;
    struct slice s;
    struct abi_val v = {0};
    assert_true(parse_type(t, &ty));
    switch (ty.form) {
    case T_NUM:
    case T_INT:
        v.kind = ABI_NUM;
        assert_true(json_u256(j, &v.num));
        break;
    case T_BOOL: {
        bool b;
        assert_true(json_bool(j, &b));
        v = av_bool(b);
        break;
    }
    case T_ADDR:
        v.kind = ABI_ADDR;
        assert_true(json_addr(j, &v.addr));
        break;
    case T_FIXED:
        v.kind = ABI_FIXED;
        assert_true(json_str(j, &s) && hex_decode(s, v.hash.b, ty.bits));
        break;
    case T_BYTES:
        assert_true(json_str(j, &s));
        if (slice_is(t, "bytes")) {
            struct abi_val *store = some_vals(mem, (s.n / 2 + sizeof *store) / sizeof *store);
            size_t n = (s.n - 2) / 2;
            assert_true(hex_decode(s, store, n));
            v = av_bytes(slice_of(store, n));
        } else {
            v = av_bytes(s);
        }
        break;
    case T_TUPLE:
    case T_ARRAY: {
        size_t n = json_len(j);
        struct abi_val *items = some_vals(mem, n);
        struct slice rest = ty.inner, m = ty.inner;
        bool bad = false;
        for (size_t i = 0; i < n; i++) {
            if (ty.form == T_TUPLE) assert_true(next_member(&rest, &m, &bad));
            items[i] = from_json(m, json_at(j, i), mem);
        }
        v = av_list(items, n);
        break;
    }
    }
    return v;
}

static bool same(const struct abi_val *a, const struct abi_val *b) {
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case ABI_NUM: return u256_cmp(a->num, b->num) == 0;
    case ABI_ADDR: return addr_eq(&a->addr, &b->addr);
    case ABI_FIXED: return hash_eq(&a->hash, &b->hash);
    case ABI_BYTES: return slice_eq(a->bytes, b->bytes);
    case ABI_LIST:
        if (a->list.n != b->list.n) return false;
        for (size_t i = 0; i < a->list.n; i++)
            if (!same(&a->list.v[i], &b->list.v[i])) return false;
        return true;
    }
    return false;
}

/* Both directions, and every cut of the bytes fails. */
static void check(struct slice types, const struct json_val *values, struct slice bytes,
                  const char *name) {
    struct sr_err e = {0};
    struct dec mem = {0};
    cleanup_free char *t = slice_dup(types);
    struct type whole = {.form = T_TUPLE, .inner = types};
    size_t n = json_len(values);
    struct abi_val *v = some_vals(&mem, n);
    bool bad = false;
    struct slice rest = whole.inner, m;
    for (size_t i = 0; i < n; i++) {
        assert_true(next_member(&rest, &m, &bad));
        v[i] = from_json(m, json_at(values, i), &mem);
    }
    struct buf b;
    buf_init(&b, ABI_MAX_BYTES);
    if (abi_encode(&b, t, v, n, &e) != SR_OK) fail_msg("%s: %s", name, e.what);
    if (!slice_eq(buf_slice(&b), bytes)) fail_msg("%s: encoded differently", name);
    cleanup_abi struct abi_out o = {0};
    if (abi_decode(bytes, t, &o, &e) != SR_OK) fail_msg("%s: decode: %s", name, e.what);
    assert_int_equal(o.n, n);
    for (size_t i = 0; i < n; i++)
        if (!same(&o.v[i], &v[i])) fail_msg("%s: decoded differently", name);
    for (size_t cut = 0; cut < bytes.n; cut += cut < 96 ? 1 : 17) {
        struct abi_out none = {0};
        if (abi_decode(slice_of(bytes.p, cut), t, &none, NULL) == SR_OK)
            fail_msg("%s: cut at %zu was accepted", name, cut);
    }
    buf_done(&b);
    drop_blocks(mem.blocks);
}

static void put_types(struct buf *b, const struct json_val *params) {
    buf_clear(b);
    for (const struct json_val *p = json_first(params); p; p = json_next(p)) {
        if (b->n) buf_str(b, ",");
        struct slice type = vec_str(p, "type");
        if (!slice_starts(type, "tuple")) {
            buf_add(b, type);
            continue;
        }
        struct buf inner;
        buf_init(&inner, 4096);
        put_types(&inner, json_get(p, "components"));
        buf_str(b, "(");
        buf_add(b, buf_slice(&inner));
        buf_str(b, ")");
        buf_add(b, slice_of(type.p + 5, type.n - 5));
        buf_done(&inner);
    }
}

static void official_calls_and_answers_both_directions(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("poco/abi-samples.json");
    cleanup_json struct json *abi = vec_load("poco/abi.json");
    size_t n = 0;
    for (const struct json_val *f = json_first(json_get(json_root(doc), "functions")); f;
         f = json_next(f), n++) {
        cleanup_free char *sig = slice_dup(vec_str(f, "signature"));
        struct buf call, ret, types;
        buf_init(&call, 1u << 20);
        buf_init(&ret, 1u << 20);
        buf_init(&types, 4096);
        vec_hex(f, "calldata", &call);
        struct slice t;
        assert_true(signature_types(sig, &t));
        uint8_t sel[4];
        abi_selector(sig, sel);
        assert_memory_equal(sel, call.p, 4);
        check(t, json_get(f, "args"), slice_of(call.p + 4, call.n - 4), sig);
        /* the samples name contracts otherwise than the ABI file: look by signature */
        const struct json_val *fn = NULL;
        for (const struct json_val *c = json_first(json_get(json_root(abi), "contracts")); c && !fn;
             c = json_next(c))
            for (const struct json_val *x = json_first(json_get(c, "functions")); x && !fn;
                 x = json_next(x))
                if (slice_is(vec_str(x, "signature"), sig) &&
                    (!json_get(f, "outputs") ||
                     json_len(json_get(x, "outputs")) == json_len(json_get(f, "outputs"))))
                    fn = x;
        if (!fn) fail_msg("%s: not in abi.json", sig);
        if (!json_get(f, "outputs")) { /* it returns nothing */
            buf_done(&call);
            continue;
        }
        vec_hex(f, "returndata", &ret);
        put_types(&types, json_get(fn, "outputs"));
        check(buf_slice(&types), json_get(f, "outputs"), buf_slice(&ret), sig);
        buf_done(&call);
        buf_done(&ret);
        buf_done(&types);
    }
    assert_true(n >= 200);
}

static void wrong_values_and_types_are_refused(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 1024);
    struct addr a = {{1}};
    assert_int_equal(abi_call(&b, "f(uint256)", NULL, av_addr(&a)), SR_E_USAGE);
    assert_int_equal(abi_call(&b, "f(uint8)", NULL, av_u64(256)), SR_E_RANGE);
    assert_int_equal(abi_call(&b, "f(uint256,bool)", NULL, av_u64(1)), SR_E_USAGE);
    assert_int_equal(abi_call(&b, "f(uint256)", NULL, av_u64(1), av_u64(1)), SR_E_USAGE);
    assert_int_equal(abi_call(&b, "f(uint7)", NULL, av_u64(1)), SR_E_USAGE);
    assert_int_equal(abi_call(&b, "f((uint8)", NULL, av_u64(1)), SR_E_USAGE);
    assert_int_equal(abi_call(&b, "f(uint8,)", NULL, av_u64(1)), SR_E_USAGE);
    assert_int_equal(abi_call(&b, "nothing", NULL, av_u64(1)), SR_E_USAGE);
    buf_done(&b);
    struct abi_out o = {0};
    uint8_t w[96] = {0};
    w[0] = 1;
    assert_int_equal(abi_decode(slice_of(w, 32), "address", &o, NULL), SR_E_MALFORMED);
    assert_int_equal(abi_decode(slice_of(w, 32), "uint8", &o, NULL), SR_E_MALFORMED);
    assert_int_equal(abi_decode(slice_of(w, 32), "uint256", &o, NULL), SR_OK);
    abi_out_done(&o);
    assert_int_equal(abi_decode(slice_of(w, 64), "uint256", &o, NULL), SR_E_MALFORMED); /* rest */
    memset(w, 0, sizeof w);
    w[31] = 64; /* an offset with a gap behind the head */
    assert_int_equal(abi_decode(slice_of(w, 96), "bytes", &o, NULL), SR_E_MALFORMED);
    w[31] = 32;
    memset(w + 32, 0xff, 32); /* a length of 2^256 - 1 */
    assert_int_equal(abi_decode(slice_of(w, 96), "bytes", &o, NULL), SR_E_MALFORMED);
    assert_int_equal(abi_decode(slice_of(w, 96), "uint256[]", &o, NULL), SR_E_MALFORMED);
}

static void nesting_has_a_limit(void **state) {
    (void)state;
    struct abi_out o = {0};
    uint8_t w[32] = {0};
    assert_int_equal(abi_decode(slice_of(w, 32), "((((((((((uint8))))))))))", &o, NULL),
                     SR_E_USAGE);
}

static void reverts_are_put_in_words(void **state) {
    (void)state;
    struct buf data, t;
    buf_init(&data, 1024);
    buf_init(&t, 1024);
    eth_revert_text(buf_slice(&data), &t);
    assert_string_equal(buf_cstr(&t), "no reason given");
    assert_int_equal(abi_call(&data, "Error(string)", NULL, av_str("iExecV5-matchOrders-0x06")),
                     SR_OK);
    buf_clear(&t);
    eth_revert_text(buf_slice(&data), &t);
    assert_string_equal(buf_cstr(&t), "iExecV5-matchOrders-0x06");
    buf_clear(&data);
    buf_clear(&t);
    assert_int_equal(abi_call(&data, "Panic(uint256)", NULL, av_u64(0x11)), SR_OK);
    eth_revert_text(buf_slice(&data), &t);
    assert_string_equal(buf_cstr(&t), "panic: arithmetic overflow");
    buf_clear(&data);
    buf_clear(&t);
    assert_int_equal(abi_call(&data, "IncompatibleDatasetOrder(string)", NULL, av_str("no")),
                     SR_OK);
    eth_revert_text(buf_slice(&data), &t);
    assert_string_equal(buf_cstr(&t), "IncompatibleDatasetOrder(no)");
    buf_clear(&t);
    eth_revert_text(SLICE_LIT("\x01\x02\x03"), &t);
    assert_string_equal(buf_cstr(&t), "0x010203");
    buf_done(&data);
    buf_done(&t);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(official_calls_and_answers_both_directions),
        cmocka_unit_test(wrong_values_and_types_are_refused),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(reverts_are_put_in_words),
    };
    return cmocka_run_group_tests_name("eth/abi", t, NULL, NULL);
}
