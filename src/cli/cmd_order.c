/* SPDX-License-Identifier: Apache-2.0 */
/* explain; order sign, publish, unpublish, fill, cancel, show, book; publish and unpublish of apps
 * and workerpools. */
#include "cli/cli_int.h"

#define ORDER_MAX (256u * 1024)

/* A hash or JSON text as it is, else a file's content ("-": standard input), into room. */
static sr_status order_arg(const char *text, struct buf *room, const char **ret,
                           struct sr_err *err) {
    struct hash h;
    struct slice t = slice_trim(slice_str(text));
    *ret = text;
    if (hash_parse(t, &h) || (t.n > 0 && t.p[0] == '{')) return SR_OK;
    buf_init(room, ORDER_MAX);
    sr_status st = cli_read_file(text, ORDER_MAX, room, err);
    if (st == SR_E_NOTFOUND)
        sr_hint(err, "give an order's hash (0x and 64 digits), a file, or - for standard input");
    SR_TRY(st);
    buf_u8(room, 0);
    SR_TRY(buf_status(room, err));
    *ret = (const char *)room->p;
    return SR_OK;
}

static void put_lines(struct cli *c, const char *key, const char *title, const struct sr_line *v,
                      size_t n) {
    out_list_begin(c, key);
    if (n > 0 && title[0]) out_text(c, "\n%s\n", title);
    for (size_t i = 0; i < n; i++) {
        out_text(c, v[i].code[0] ? "- %s [%s]\n" : "%s%s\n", v[i].text, v[i].code);
        if (!c->json) continue;
        jw_obj(&c->w);
        if (v[i].code[0]) jw_kcstr(&c->w, "code", v[i].code);
        jw_kcstr(&c->w, "text", v[i].text);
        jw_end_obj(&c->w);
    }
    out_list_end(c);
}

sr_status cmd_explain(struct cli *c, struct sr_err *err) {
    cleanup_buf struct buf room = {0};
    const char *order;
    SR_TRY(order_arg(c->args[0], &room, &order, err));
    struct sr_explained *x = sr_calloc_n(1, sizeof *x);
    if (!x) return sr_fail(err, SR_E_NOMEM, "out of memory");
    sr_status st = sr_order_explain(c->client, order, x, err);
    if (st == SR_OK) {
        out_begin(c);
        out_str(c, "kind", x->kind);
        out_str(c, c->json ? "orderHash" : "order", x->hash);
        out_str(c, "state", x->state);
        out_text(c, "\n");
        put_lines(c, "sentences", "", x->sentences, x->n_sentences);
        put_lines(c, "warnings", "Mind:", x->warnings, x->n_warnings);
        out_end(c);
    }
    sr_free(x);
    return st;
}

/* "app publish": the kind is the command's first word; "order …": its first argument. */
static const char *kind_of(struct cli *c, char room[16], size_t *ret_arg) {
    struct slice first, rest;
    (void)slice_cut(slice_str(c->cmd->words), ' ', &first, &rest);
    *ret_arg = 0;
    if (slice_is(first, "order")) {
        *ret_arg = 1;
        return c->args[0];
    }
    (void)snprintf(room, 16, "%.*s", (int)first.n, (const char *)first.p);
    return room;
}

static sr_status number(struct cli *c, const char *option, uint64_t *ret, struct sr_err *err) {
    const char *v = cli_value(c, option);
    if (!v) return SR_OK;
    if (strcmp(v, "unlimited") == 0 && strcmp(option, "--count") == 0) {
        *ret = SR_UNLIMITED;
        return SR_OK;
    }
    if (num_u64(slice_str(v), SR_UNLIMITED, ret)) return SR_OK;
    return sr_fail(err, SR_E_USAGE, "%s takes a number", option);
}

static sr_status read_offer(struct cli *c, struct sr_offer *o, struct sr_err *err) {
    o->price_nrlc = cli_value(c, "--price");
    o->tag = cli_value(c, "--tag");
    if (o->tag && strcmp(o->tag, "none") == 0) o->tag = "";
    o->app = cli_value(c, "--app");
    o->data = cli_value(c, "--data");
    o->workerpool = cli_value(c, "--workerpool");
    o->requester = cli_value(c, "--user");
    o->max_data_nrlc = cli_value(c, "--max-data-price");
    o->max_pool_nrlc = cli_value(c, "--max-pool-price");
    o->beneficiary = cli_value(c, "--beneficiary");
    o->callback = cli_value(c, "--callback");
    o->params = cli_value(c, "--params");
    SR_TRY(number(c, "--count", &o->count, err));
    SR_TRY(number(c, "--category", &o->category, err));
    return number(c, "--trust", &o->trust, err);
}

static sr_status sign(struct cli *c, bool publish, struct sr_err *err) {
    char room[16], hash[SR_HASH_TEXT];
    size_t at;
    struct sr_offer offer = {.kind = kind_of(c, room, &at)};
    cleanup_buf struct buf text = {0};
    const char *template = cli_value(c, "--template");
    char *json = NULL;
    if (template) SR_TRY(order_arg(template, &text, &template, err));
    if (c->n_args > at) offer.resource = c->args[at];
    SR_TRY(read_offer(c, &offer, err));
    SR_TRY(sr_order_sign(c->client, &offer, template, publish, hash, &json, err));
    out_begin(c);
    out_str(c, c->json ? "orderHash" : "order hash", hash);
    if (c->json) out_bool(c, "published", publish);
    if (c->json)
        out_json(c, "order", json);
    else if (!publish)
        buf_printf(&c->out, "%s\n", json);
    out_end(c);
    sr_free(json);
    return SR_OK;
}

sr_status cmd_order_sign(struct cli *c, struct sr_err *err) {
    return sign(c, cli_flag(c, "--publish"), err);
}

sr_status cmd_publish(struct cli *c, struct sr_err *err) {
    return sign(c, true, err);
}

sr_status cmd_order_publish(struct cli *c, struct sr_err *err) {
    cleanup_buf struct buf room = {0};
    const char *order;
    char hash[SR_HASH_TEXT];
    SR_TRY(order_arg(c->args[0], &room, &order, err));
    SR_TRY(sr_order_publish(c->client, order, hash, err));
    out_begin(c);
    out_str(c, c->json ? "orderHash" : "order hash", hash);
    out_end(c);
    return SR_OK;
}

static sr_status unpublish(struct cli *c, const char *kind, const char *order, const char *resource,
                           struct sr_err *err) {
    char(*list)[SR_HASH_TEXT] = NULL;
    size_t n = 0;
    SR_TRY(
        sr_order_unpublish(c->client, kind, order, resource, cli_flag(c, "--all"), &list, &n, err));
    out_begin(c);
    out_list_begin(c, "unpublished");
    for (size_t i = 0; i < n; i++) {
        if (c->json) jw_cstr(&c->w, list[i]);
        out_text(c, "%s\n", list[i]);
    }
    out_list_end(c);
    out_end(c);
    sr_free(list);
    return SR_OK;
}

sr_status cmd_order_unpublish(struct cli *c, struct sr_err *err) {
    struct hash h;
    if (c->n_args == 1) return unpublish(c, c->args[0], NULL, NULL, err);
    bool hash = hash_parse(slice_str(c->args[1]), &h);
    return unpublish(c, c->args[0], hash ? c->args[1] : NULL, hash ? NULL : c->args[1], err);
}

sr_status cmd_unpublish(struct cli *c, struct sr_err *err) {
    char room[16];
    size_t at;
    return unpublish(c, kind_of(c, room, &at), NULL, c->args[0], err);
}

sr_status cmd_order_cancel(struct cli *c, struct sr_err *err) {
    cleanup_buf struct buf room = {0};
    const char *order;
    char tx[SR_HASH_TEXT];
    SR_TRY(order_arg(c->args[0], &room, &order, err));
    SR_TRY(sr_order_cancel(c->client, order, tx, err));
    out_begin(c);
    out_str(c, "tx", tx);
    out_end(c);
    return SR_OK;
}

sr_status cmd_order_fill(struct cli *c, struct sr_err *err) {
    static const char *const options[4] = {"--app", "--data", "--workerpool", "--request"};
    struct buf room[4] = {0};
    const char *text[4] = {NULL};
    struct sr_deal_ids ids;
    uint64_t volume;
    sr_status st = SR_OK;
    for (size_t i = 0; i < 4 && st == SR_OK; i++)
        if (cli_value(c, options[i]))
            st = order_arg(cli_value(c, options[i]), &room[i], &text[i], err);
    if (st == SR_OK)
        st = sr_order_fill(c->client, text[0], text[1], text[2], text[3], &ids, &volume, err);
    for (size_t i = 0; i < 4; i++) buf_done(&room[i]);
    SR_TRY(st);
    out_begin(c);
    out_str(c, "deal", ids.deal);
    out_str(c, c->json ? "task" : "first task", ids.task);
    out_u64(c, c->json ? "volume" : "tasks", volume);
    out_amount(c, "cost", ids.cost_nrlc);
    out_str(c, "tx", ids.tx);
    out_end(c);
    return SR_OK;
}

sr_status cmd_order_show(struct cli *c, struct sr_err *err) {
    char *json = NULL;
    SR_TRY(sr_order_show(c->client, c->args[0], &json, err));
    buf_str(&c->out, json); /* the market's item, for people too: strongroom explain has words */
    buf_str(&c->out, "\n");
    sr_free(json);
    return SR_OK;
}

static void put_row(struct cli *c, const char *kind, const struct sr_book_row *r) {
    bool pool = strcmp(kind, "workerpool") == 0 || strcmp(kind, "request") == 0;
    if (!c->json) {
        out_text(c, "%s  %s nRLC  %llu left  %s  tag %s%s%s\n", r->hash, r->price_nrlc,
                 (unsigned long long)r->remaining, r->resource, r->tag[0] ? r->tag : "none",
                 r->app[0] ? "  app " : "", r->app);
        return;
    }
    out_begin(c);
    out_str(c, "orderHash", r->hash);
    out_str(c, "resource", r->resource);
    out_str(c, "signer", r->signer);
    out_str(c, "price", r->price_nrlc);
    out_u64(c, "remaining", r->remaining);
    out_str(c, "tag", r->tag);
    out_str(c, "app", r->app);
    out_str(c, "data", r->data);
    out_str(c, "workerpool", r->workerpool);
    out_str(c, "requester", r->requester);
    if (pool) out_u64(c, "category", r->category);
    if (pool) out_u64(c, "trust", r->trust);
    out_end(c);
}

sr_status cmd_order_book(struct cli *c, struct sr_err *err) {
    struct sr_book_filter f = {.kind = c->args[0],
                               .resource = c->n_args > 1 ? c->args[1] : NULL,
                               .owner = cli_value(c, "--owner"),
                               .app = cli_value(c, "--app"),
                               .data = cli_value(c, "--data"),
                               .workerpool = cli_value(c, "--workerpool"),
                               .requester = cli_value(c, "--user"),
                               .strict = cli_flag(c, "--strict"),
                               .min_tag = cli_value(c, "--min-tag"),
                               .max_tag = cli_value(c, "--max-tag"),
                               .category = cli_value(c, "--category")};
    struct sr_book_row *list = NULL;
    size_t n = 0;
    uint64_t total = 0, max = 0;
    SR_TRY(number(c, "--min-volume", &f.min_volume, err));
    SR_TRY(number(c, "--min-trust", &f.min_trust, err));
    SR_TRY(number(c, "--max", &max, err));
    f.max = (size_t)max;
    SR_TRY(sr_order_book(c->client, &f, &list, &n, &total, err));
    out_begin(c);
    if (c->json) out_u64(c, "count", total);
    out_list_begin(c, "orders");
    for (size_t i = 0; i < n; i++) put_row(c, f.kind, &list[i]);
    out_list_end(c);
    if (n < total) out_text(c, "%zu of %llu; --max N shows more\n", n, (unsigned long long)total);
    if (n == 0) out_text(c, "no open orders match\n");
    out_end(c);
    sr_free(list);
    return SR_OK;
}
