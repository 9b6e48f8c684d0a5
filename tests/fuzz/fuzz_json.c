/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader accepts, the writer can say again, and the reader reads the same. */
#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy_scalar(struct jw *w, const struct json_val *v) {
    uint64_t n;
    struct u256 big;
    switch (json_kind(v)) {
    case JSON_STRING: jw_str(w, json_text(v)); break;
    case JSON_NUMBER:
        if (json_u64(v, &n) && slice_is(json_text(v), "0"))
            jw_u64(w, n);
        else if (json_u256(v, &big) && json_text(v).p[0] != '0')
            jw_u256_num(w, big);
        else
            jw_raw(w, json_raw(v));
        break;
    case JSON_TRUE: jw_bool(w, true); break;
    case JSON_FALSE: jw_bool(w, false); break;
    default: jw_null(w); break;
    }
}

/* Without recursion: the nesting is at most JSON_MAX_DEPTH. */
static void copy_document(struct jw *w, const struct json_val *root) {
    const struct json_val *up[JSON_MAX_DEPTH + 1];
    size_t depth = 0;
    const struct json_val *v = root;
    for (;;) {
        if (depth && json_is(up[depth - 1], JSON_OBJECT)) jw_key_slice(w, json_key(v));
        if (json_is(v, JSON_OBJECT))
            jw_obj(w);
        else if (json_is(v, JSON_ARRAY))
            jw_arr(w);
        else
            copy_scalar(w, v);
        if (json_len(v)) {
            up[depth++] = v;
            v = json_first(v);
            continue;
        }
        if (json_is(v, JSON_OBJECT)) jw_end_obj(w);
        if (json_is(v, JSON_ARRAY)) jw_end_arr(w);
        while (depth && !json_next(v)) {
            v = up[--depth];
            if (json_is(v, JSON_OBJECT))
                jw_end_obj(w);
            else
                jw_end_arr(w);
        }
        if (!depth) return;
        v = json_next(v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_json struct json *a = NULL, *b = NULL;
    if (json_parse(slice_of(data, size), &a, NULL) != SR_OK) return 0;
    cleanup_buf struct buf once, twice;
    buf_init(&once, 8 * size + 64);
    buf_init(&twice, 8 * size + 64);
    struct jw w = jw_of(&once);
    copy_document(&w, json_root(a));
    SR_ASSERT(buf_status(&once, NULL) == SR_OK && w.depth == 0);
    SR_ASSERT(json_parse(buf_slice(&once), &b, NULL) == SR_OK);
    w = jw_of(&twice);
    copy_document(&w, json_root(b));
    SR_ASSERT(slice_eq(buf_slice(&once), buf_slice(&twice)));
    return 0;
}
