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

sr_status cli_pick(struct buf *answer, const char *field, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    SR_TRY(json_parse(slice_trim(buf_slice(answer)), &doc, err));
    const struct json_val *v = find(json_root(doc), slice_str(field));
    if (!v) {
        sr_hint(err, "the same command with --json shows the fields that there are");
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
