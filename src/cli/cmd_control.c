/* SPDX-License-Identifier: Apache-2.0 */
/* What an owner keeps an eye on: grants given and got, uses, transfers; finding data; groups. */
#include "cli/cli_int.h"
#include <time.h>

static const char *or_any(const struct cli *c, const char *address) {
    return !c->json && strspn(address + 2, "0") == 40 ? "any" : address;
}

/* An array of objects in JSON, rows in text. */
static void open_list(struct cli *c, const char *key) {
    if (!c->json) return;
    jw_obj(&c->w);
    jw_key(&c->w, key);
    jw_arr(&c->w);
}

static void close_list(struct cli *c) {
    if (!c->json) return;
    jw_end_arr(&c->w);
    out_end(c);
}

static void put_grants(struct cli *c, const char *key, const struct sr_grant_info *list, size_t n) {
    open_list(c, key);
    for (size_t i = 0; i < n; i++) {
        const struct sr_grant_info *g = &list[i];
        if (!c->json) {
            out_text(c, "%s  app %s, user %s, price %s nRLC, %llu left%s%s\n", g->data,
                     or_any(c, g->app), or_any(c, g->user), g->price_nrlc,
                     (unsigned long long)g->remaining, g->tx[0] ? ", closed by " : "", g->tx);
            continue;
        }
        out_begin(c);
        out_str(c, "data", g->data);
        out_str(c, "orderHash", g->order_hash);
        out_str(c, "app", g->app);
        out_str(c, "user", g->user);
        out_amount(c, "price", g->price_nrlc);
        out_u64(c, "count", g->count);
        out_u64(c, "remaining", g->remaining);
        out_str(c, "tx", g->tx);
        out_end(c);
    }
    if (n == 0) out_text(c, "none\n");
    close_list(c);
}

sr_status cmd_data_grants(struct cli *c, struct sr_err *err) {
    struct sr_grant_info *list;
    size_t n;
    SR_TRY(sr_data_grants(c->client, c->n_args ? c->args[0] : NULL, cli_value(c, "--app"),
                          cli_value(c, "--user"), &list, &n, err));
    put_grants(c, "grants", list, n);
    sr_free(list);
    return SR_OK;
}

sr_status cmd_data_received(struct cli *c, struct sr_err *err) {
    struct sr_grant_info *list;
    size_t n;
    SR_TRY(sr_data_received(c->client, c->n_args ? c->args[0] : NULL, cli_flag(c, "--only-me"),
                            &list, &n, err));
    put_grants(c, "grants", list, n);
    sr_free(list);
    return SR_OK;
}

sr_status cmd_data_transfer(struct cli *c, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_data_transfer(c->client, c->args[0], c->args[1], tx, err));
    out_begin(c);
    out_str(c, "data", c->args[0]);
    out_str(c, "to", c->args[1]);
    out_str(c, "tx", tx);
    out_end(c);
    return SR_OK;
}

sr_status cmd_data_usage(struct cli *c, struct sr_err *err) {
    struct sr_use *list;
    size_t n;
    SR_TRY(sr_data_usage(c->client, c->args[0], &list, &n, err));
    open_list(c, "uses");
    for (size_t i = 0; i < n; i++) {
        const struct sr_use *u = &list[i];
        char when[25] = "";
        if (u->time_unix_s > 0) iso8601(when, u->time_unix_s * 1000);
        if (!c->json) {
            out_text(c, "%s  %s by %s, app %s, %s nRLC: %s%s%s%s\n", when, u->task, u->requester,
                     u->app, u->price_nrlc, u->status, u->key_released ? "" : ", key not given out",
                     u->refusal[0] ? ": " : "", u->refusal);
            continue;
        }
        out_begin(c);
        out_str(c, "deal", u->deal);
        out_str(c, "task", u->task);
        out_str(c, "requester", u->requester);
        out_str(c, "beneficiary", u->beneficiary);
        out_str(c, "app", u->app);
        out_amount(c, "price", u->price_nrlc);
        out_time(c, "time", u->time_unix_s);
        out_str(c, "status", u->status);
        out_bool(c, "keyReleased", u->key_released);
        out_str(c, "refusal", u->refusal);
        out_bool(c, "bulk", u->bulk);
        out_end(c);
    }
    if (n == 0) out_text(c, "nobody has used it\n");
    close_list(c);
    sr_free(list);
    return SR_OK;
}

/* "2026-01-31", with or without "T12:00:00Z"; or seconds since 1970. */
static sr_status time_of(struct cli *c, const char *option, uint64_t *ret, struct sr_err *err) {
    const char *text = cli_value(c, option);
    char whole[25];
    *ret = 0;
    if (!text) return SR_OK;
    if (num_u64(slice_str(text), UINT32_MAX, ret)) return SR_OK;
    if (strlen(text) == 10)
        (void)snprintf(whole, sizeof whole, "%sT00:00:00Z", text);
    else
        (void)snprintf(whole, sizeof whole, "%s", text);
    struct tm tm = {0};
    const char *end = strptime(whole, "%Y-%m-%dT%H:%M:%SZ", &tm);
    time_t t = end && *end == 0 ? timegm(&tm) : -1;
    *ret = t > 0 ? (uint64_t)t : 0;
    if (t > 0) return SR_OK;
    sr_hint(err, "like 2026-01-31 or 2026-01-31T12:00:00Z");
    return sr_fail(err, SR_E_USAGE, "%s %.32s is not a date", option, text);
}

sr_status cmd_data_find(struct cli *c, struct sr_err *err) {
    const char *schema[CLI_MAX_OPTS];
    struct sr_data_query q = {
        .owner = cli_value(c, "--owner"), .name = cli_value(c, "--name"), .schema = schema};
    const char *v;
    while ((v = cli_value_nth(c, "--schema", q.n_schema)) != NULL) schema[q.n_schema++] = v;
    SR_TRY(time_of(c, "--after", &q.after_unix_s, err));
    SR_TRY(time_of(c, "--before", &q.before_unix_s, err));
    struct sr_data *list;
    size_t n;
    SR_TRY(sr_data_find(c->client, &q, &list, &n, err));
    open_list(c, "data");
    for (size_t i = 0; i < n; i++) {
        char when[25] = "";
        iso8601(when, list[i].created_unix_s * 1000);
        if (!c->json) {
            out_text(c, "%s  %-20s  %s  %s  %s\n", list[i].address, list[i].name, when,
                     list[i].owner, list[i].schema ? list[i].schema : "");
            continue;
        }
        out_begin(c);
        out_str(c, "address", list[i].address);
        out_str(c, "name", list[i].name);
        out_str(c, "owner", list[i].owner);
        out_str(c, "cid", list[i].cid);
        out_str(c, "checksum", list[i].checksum);
        out_json(c, "schema", list[i].schema);
        out_time(c, "created", list[i].created_unix_s);
        out_str(c, "tx", list[i].tx);
        out_end(c);
    }
    if (n == 0) out_text(c, "none\n");
    close_list(c);
    sr_data_list_free(list, n);
    return SR_OK;
}

/* ---- groups ---- */

static sr_status told(struct cli *c, const char *group, const char *tx) {
    out_begin(c);
    out_str(c, "group", group);
    out_str(c, "tx", tx);
    out_end(c);
    return SR_OK;
}

sr_status cmd_group_create(struct cli *c, struct sr_err *err) {
    char group[SR_ADDR_TEXT], tx[SR_HASH_TEXT];
    SR_TRY(sr_group_create(c->client, c->args, c->n_args, group, tx, err));
    return told(c, group, tx);
}

static sr_status set(struct cli *c, bool in, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_group_set(c->client, c->args[0], &c->args[1], c->n_args - 1, in, tx, err));
    return told(c, c->args[0], tx);
}

sr_status cmd_group_add(struct cli *c, struct sr_err *err) {
    return set(c, true, err);
}

sr_status cmd_group_remove(struct cli *c, struct sr_err *err) {
    return set(c, false, err);
}

sr_status cmd_group_has(struct cli *c, struct sr_err *err) {
    bool is;
    SR_TRY(sr_group_has(c->client, c->args[0], c->args[1], &is, err));
    out_begin(c);
    out_str(c, "group", c->args[0]);
    out_str(c, "who", c->args[1]);
    out_bool(c, "member", is);
    out_end(c);
    if (!is) c->exit_code = 1;
    return SR_OK;
}
