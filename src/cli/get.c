/* SPDX-License-Identifier: Apache-2.0 */
/* --get FIELD: one field of an answer alone, for a script's variables. */
#include "cli/cli_int.h"

/* "a.b.0" leads into objects and lists. */
static const struct json_val *find(const struct json_val *v, struct slice path) {
    while (v && path.n > 0) {
        struct slice word;
        uint64_t i;
        (void)slice_cut(path, '.', &word, &path);
        cleanup_free char *key = slice_dup(word);
        if (json_is(v, JSON_ARRAY))
            v = num_u64(word, UINT32_MAX, &i) ? json_at(v, (size_t)i) : NULL;
        else
            v = key ? json_get(v, key) : NULL;
    }
    return v;
}

static void say_fields(const struct json_val *answer, struct sr_err *err) {
    cleanup_buf struct buf names;
    buf_init(&names, 200);
    for (const struct json_val *v = json_first(answer); json_is(answer, JSON_OBJECT) && v;
         v = json_next(v)) {
        if (names.n > 0) buf_str(&names, ", ");
        buf_add(&names, json_key(v));
    }
    if (names.n > 0 && buf_status(&names, NULL) == SR_OK)
        sr_hint(err, "it has: %s", buf_cstr(&names));
    else
        sr_hint(err, "the same command with --json shows the fields that there are");
}

sr_status cli_pick(struct buf *answer, const char *field, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    SR_TRY(json_parse(slice_trim(buf_slice(answer)), &doc, err));
    const struct json_val *v = find(json_root(doc), slice_str(field));
    if (!v) {
        say_fields(json_root(doc), err);
        return sr_fail(err, SR_E_NOTFOUND, "the answer has no field %s", log_q(slice_str(field)).s);
    }
    struct slice text;
    cleanup_buf struct buf copy;
    buf_init(&copy, answer->n + 1);
    buf_add(&copy, json_str(v, &text) ? text : json_raw(v));
    buf_str(&copy, "\n");
    SR_TRY(buf_status(&copy, err));
    buf_clear(answer);
    buf_add(answer, buf_slice(&copy));
    return buf_status(answer, err);
}
