/* SPDX-License-Identifier: Apache-2.0 */
/* result.json and computed.json as the official applications write them: indented by two. */
#include "messaging/messaging.h"
#include <stdio.h>

#define MAX_RESULT (256u << 20)

struct out {
    struct buf *b;
    unsigned depth;
    bool first;
};

static void line(struct out *o) {
    buf_u8(o->b, '\n');
    for (unsigned i = 0; i < o->depth; i++) buf_str(o->b, "  ");
}

static void open_with(struct out *o, const char *bracket) {
    buf_str(o->b, bracket);
    o->depth++;
    o->first = true;
}

static void close_with(struct out *o, const char *bracket) {
    o->depth--;
    if (!o->first) line(o);
    buf_str(o->b, bracket);
    o->first = false;
}

static void key(struct out *o, const char *name) {
    if (!o->first) buf_u8(o->b, ',');
    o->first = false;
    line(o);
    if (name) buf_printf(o->b, "\"%s\": ", name);
}

static void text(struct out *o, const char *name, const char *value) {
    key(o, name);
    struct jw w = jw_of(o->b);
    jw_cstr(&w, value);
}

static void truth(struct out *o, const char *name, bool value) {
    key(o, name);
    buf_str(o->b, value ? "true" : "false");
}

static void number(struct out *o, const char *name, size_t value) {
    key(o, name);
    buf_printf(o->b, "%zu", value);
}

static void item(struct out *o, const struct msg_result *r, const struct msg_item *it) {
    open_with(o, "{");
    if (r->bulk) number(o, "index", it->index);
    if (it->name) text(o, "protectedData", it->name);
    truth(o, "success", it->success);
    if (r->has_valid && it->valid != VALID_UNKNOWN)
        truth(o, "isEmailValid", it->valid == VALID_YES);
    if (!it->success) {
        text(o, "error", it->error);
        if (it->reason[0]) text(o, "reason", it->reason);
    }
    close_with(o, "}");
}

static void bulk(struct out *o, const struct msg_result *r) {
    size_t sent = 0;
    for (size_t i = 0; i < r->n; i++) sent += r->items[i].success;
    open_with(o, "{");
    truth(o, "success", sent == r->n);
    if (sent != r->n) text(o, "error", "Partial failure");
    number(o, "totalCount", r->n);
    number(o, "successCount", sent);
    number(o, "errorCount", r->n - sent);
    key(o, "results");
    open_with(o, "[");
    for (size_t i = 0; i < r->n; i++) {
        key(o, NULL);
        item(o, r, &r->items[i]);
    }
    close_with(o, "]");
    close_with(o, "}");
}

static sr_status put(const char *out, const char *name, const struct buf *b, struct sr_err *err) {
    SR_TRY(buf_status(b, err));
    cleanup_free char *path = path_join(out, name);
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    return fs_write_atomic(path, buf_slice(b), 0644, err);
}

static void computed(struct out *o, const char *out, const struct msg_result *r) {
    static const char *const last[] = {[VALID_UNKNOWN] = "0", [VALID_YES] = "3", [VALID_NO] = "2"};
    cleanup_buf struct buf path;
    buf_init(&path, 8192);
    buf_printf(&path, "%s/result.json", out);
    open_with(o, "{");
    text(o, "deterministic-output-path", buf_cstr(&path));
    if (r->callback) {
        char hex[2 + 64 + 1];
        (void)snprintf(hex, sizeof hex, "0x%063d%s", 0, last[r->items[0].valid]);
        text(o, "callback-data", hex);
    }
    close_with(o, "}");
}

sr_status msg_write(const char *out, const struct msg_result *r, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, MAX_RESULT);
    struct out o = {.b = &b, .first = true};
    if (r->error) {
        open_with(&o, "{");
        truth(&o, "success", false);
        text(&o, "error", r->error);
        close_with(&o, "}");
    } else if (r->bulk) {
        bulk(&o, r);
    } else {
        item(&o, r, &r->items[0]);
    }
    SR_TRY(put(out, "result.json", &b, err));
    buf_clear(&b);
    o = (struct out){.b = &b, .first = true};
    computed(&o, out, r);
    return put(out, "computed.json", &b, err);
}
