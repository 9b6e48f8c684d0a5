/* SPDX-License-Identifier: Apache-2.0 */
/* What is read and written when memory runs out in the middle: JSON, orders, contract data. */
#include "eth/abi.h"
#include "nomem.h"
#include "poco/order.h"
#include <stdio.h>

static const char text[] =
    "{\"a\":[1,2,{\"b\":\"\\u00e9\\n and more text than fits in place\",\"c\":[[],[{}]]}],"
    "\"long\":\"0123456789012345678901234567890123456789012345678901234567890123456789\","
    "\"n\":-1.5e3,\"t\":true,\"f\":false,\"z\":null,\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,\"k5\":5,"
    "\"k6\":6,\"k7\":7,\"k8\":8,\"k9\":9,\"k10\":10,\"k11\":11,\"k12\":12,\"k13\":13}";

static sr_status json_there_and_back(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_json struct json *doc = NULL, *again = NULL;
    cleanup_buf struct buf b;
    buf_init(&b, 1 << 20);
    SR_TRY(json_parse(slice_str(text), &doc, err));
    struct jw w = jw_of(&b);
    jw_arr(&w);
    for (unsigned i = 0; i < 40; i++) {
        jw_obj(&w);
        jw_key(&w, "doc");
        jw_raw(&w, json_raw(json_root(doc)));
        jw_kstr(&w, "str", json_text(json_get(json_root(doc), "long")));
        jw_ku64(&w, "i", i);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    SR_TRY(buf_status(&b, err));
    sr_status st = json_parse(buf_slice(&b), &again, err);
    if (st != SR_OK) assert_null(again);
    SR_TRY(st);
    assert_int_equal(json_len(json_root(again)), 40);
    return SR_OK;
}

static void json_is_read_and_written_or_memory_is_said_to_lack(void **state) {
    (void)state;
    assert_true(nomem_sweep("json", json_there_and_back, NULL) > 5);
}

static sr_status orders_there_and_back(void *arg, struct sr_err *err) {
    const struct poco_order *orders = arg;
    for (unsigned k = 0; k < POCO_KINDS; k++) {
        cleanup_buf struct buf b;
        cleanup_json struct json *doc = NULL;
        struct poco_order back;
        buf_init(&b, 1 << 16);
        struct jw w = jw_of(&b);
        poco_order_json(&w, &orders[k], k % 2 != 0, true);
        SR_TRY(buf_status(&b, err));
        SR_TRY(json_parse(buf_slice(&b), &doc, err));
        SR_TRY(poco_order_from_json((poco_kind)k, json_root(doc), &back, err));
        struct hash h1 = poco_struct_hash(&orders[k]), h2 = poco_struct_hash(&back);
        assert_true(hash_eq(&h1, &h2));
    }
    return SR_OK;
}

static void orders_are_read_and_written_or_memory_is_said_to_lack(void **state) {
    (void)state;
    static struct poco_order orders[POCO_KINDS];
    static const char *const files[POCO_KINDS] = {"AppOrder", "DatasetOrder", "WorkerpoolOrder",
                                                  "RequestOrder"};
    struct json *docs[POCO_KINDS];
    for (unsigned k = 0; k < POCO_KINDS; k++) {
        char path[512];
        cleanup_buf struct buf b;
        buf_init(&b, 1 << 16);
        (void)snprintf(path, sizeof path, CORPUS "/poco_order/%s", files[k]);
        assert_int_equal(fs_read(path, &b, NULL), SR_OK);
        assert_int_equal(json_parse(buf_slice(&b), &docs[k], NULL), SR_OK);
        assert_int_equal(poco_order_from_json((poco_kind)k, json_root(docs[k]), &orders[k], NULL),
                         SR_OK);
    }
    (void)nomem_sweep("orders", orders_there_and_back, orders);
    for (unsigned k = 0; k < POCO_KINDS; k++) json_free(docs[k]);
}

#define TYPES "(uint8,string,(uint256,bytes)[])[],bytes,string[],uint256"

static sr_status abi_there_and_back(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_abi struct abi_out o = {0};
    cleanup_buf struct buf b, again;
    buf_init(&b, 1 << 20);
    buf_init(&again, 1 << 20);
    const struct abi_val inner[] = {av_u64(7), av_bytes(SLICE_LIT("some bytes"))};
    struct abi_val pairs[6], rows[6];
    for (size_t i = 0; i < 6; i++) pairs[i] = av_list(inner, 2);
    const struct abi_val row[] = {av_u64(3), av_bytes(SLICE_LIT("text")), av_list(pairs, 6)};
    for (size_t i = 0; i < 6; i++) rows[i] = av_list(row, 3);
    struct abi_val texts[3];
    for (size_t i = 0; i < 3; i++) texts[i] = av_bytes(SLICE_LIT("a text"));
    const struct abi_val all[] = {av_list(rows, 6), av_bytes(SLICE_LIT("x")), av_list(texts, 3),
                                  av_u64(5)};
    SR_TRY(abi_encode(&b, TYPES, all, 4, err));
    sr_status st = abi_decode(buf_slice(&b), TYPES, &o, err);
    if (st != SR_OK) assert_true(!o.v && !o.mem);
    SR_TRY(st);
    SR_TRY(abi_encode(&again, TYPES, o.v, o.n, err));
    assert_true(slice_eq(buf_slice(&b), buf_slice(&again)));
    return SR_OK;
}

static void contract_data_is_read_and_written_or_memory_is_said_to_lack(void **state) {
    (void)state;
    assert_true(nomem_sweep("abi", abi_there_and_back, NULL) > 3);
}

static sr_status orders_in_a_call(void *arg, struct sr_err *err) {
    const struct buf *calldata = arg;
    const struct addr hub = {{7}};
    struct poco_order o[POCO_KINDS];
    struct poco_match_at at = {0};
    sr_status st = poco_match_read(buf_slice(calldata), &hub, o, err);
    if (st != SR_E_NOTFOUND) return st;
    if (err) *err = (struct sr_err){0};
    return poco_match_inside(buf_slice(calldata), &at, o, err);
}

static void orders_in_calldata_are_found_or_memory_is_said_to_lack(void **state) {
    (void)state;
    static const char *const files[] = {CORPUS "/poco_calldata/match",
                                        CORPUS "/poco_calldata/wallet"};
    for (size_t i = 0; i < SR_ARRAY_LEN(files); i++) {
        cleanup_buf struct buf b;
        buf_init(&b, 1 << 16);
        assert_int_equal(fs_read(files[i], &b, NULL), SR_OK);
        assert_true(nomem_sweep("calldata", orders_in_a_call, &b) > 5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_read_and_written_or_memory_is_said_to_lack),
        cmocka_unit_test(orders_are_read_and_written_or_memory_is_said_to_lack),
        cmocka_unit_test(orders_in_calldata_are_found_or_memory_is_said_to_lack),
        cmocka_unit_test(contract_data_is_read_and_written_or_memory_is_said_to_lack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
