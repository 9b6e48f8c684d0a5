/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/template.h"

#define MAX_DEPTH 8u

static const char *value_of(const struct template_value *values, struct slice name) {
    for (; values->name; values++)
        if (slice_is(name, values->name)) return values->value;
    return NULL;
}

static void put_line(struct slice line, const struct template_value *values, struct buf *ret) {
    struct slice before, rest = line, name, after;
    while (slice_cut(rest, '%', &before, &rest)) {
        buf_add(ret, before);
        const char *value = slice_cut(rest, '%', &name, &after) ? value_of(values, name) : NULL;
        if (value) {
            buf_str(ret, value);
            rest = after;
        } else {
            buf_u8(ret, '%');
        }
    }
    buf_add(ret, before);
    buf_u8(ret, '\n');
}

static sr_status fill(struct slice text, const struct template_value *values, struct buf *ret,
                      struct sr_err *err) {
    bool on[MAX_DEPTH + 1] = {true};
    size_t depth = 0;
    struct slice line;
    while (text.n > 0) {
        (void)slice_cut(text, '\n', &line, &text);
        if (slice_starts(line, "%if ")) {
            if (depth == MAX_DEPTH) return sr_fail(err, SR_E_TOOBIG, "a template is nested deep");
            bool yes = value_of(values, slice_of(line.p + 4, line.n - 4)) != NULL;
            depth++;
            on[depth] = on[depth - 1] && yes;
        } else if (slice_is(line, "%else")) {
            SR_ASSERT(depth > 0);
            on[depth] = on[depth - 1] && !on[depth];
        } else if (slice_is(line, "%end")) {
            SR_ASSERT(depth > 0);
            depth--;
        } else if (on[depth]) {
            put_line(line, values, ret);
        }
    }
    return buf_status(ret, err);
}

sr_status template_fill(const char *name, const struct template_value *values, struct buf *ret,
                        struct sr_err *err) {
    for (const struct template *t = templates; t->name; t++)
        if (strcmp(t->name, name) == 0) return fill(slice_str(t->text), values, ret, err);
    return sr_fail(err, SR_E_NOTFOUND, "no template %s", name);
}
