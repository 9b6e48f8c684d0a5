/* SPDX-License-Identifier: Apache-2.0 */
/* share: collections, renting, subscription, sale */
#include "cli/cli_int.h"

#define DURATION_MAX (100ull * 365 * 86400) /* seconds: a hundred years */

/* "90", "90s", "30m", "1h", "7d": seconds. */
static sr_status duration_of(struct cli *c, uint64_t *ret_s, struct sr_err *err) {
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    const char *text = cli_value(c, "--duration");
    if (!text) {
        sr_hint(err, "--duration 1h, or 30m, 7d, 90s");
        return sr_fail(err, SR_E_USAGE, "for how long? --duration is missing");
    }
    struct slice s = slice_str(text);
    uint64_t each = 1, n;
    for (size_t i = 0; s.n > 0 && i < SR_ARRAY_LEN(units); i++)
        if (s.p[s.n - 1] == (uint8_t)units[i].unit) {
            each = units[i].seconds;
            s.n--;
            break;
        }
    if (!num_u64(s, DURATION_MAX / each, &n) || n == 0) {
        sr_hint(err, "like 1h, 30m, 7d or 90s");
        return sr_fail(err, SR_E_USAGE, "--duration %.32s is not a duration", text);
    }
    *ret_s = n * each;
    return SR_OK;
}

static sr_status id_of(const char *text, uint64_t *ret, struct sr_err *err) {
    if (num_u64(slice_str(text), UINT64_MAX, ret) && *ret > 0) return SR_OK;
    sr_hint(err, "strongroom share list shows them");
    return sr_fail(err, SR_E_USAGE, "%.32s is not the number of a collection", text);
}

static sr_status done(struct cli *c, const char *key, const char *value, const char *tx) {
    out_begin(c);
    out_str(c, key, value);
    out_str(c, "tx", tx);
    out_end(c);
    return SR_OK;
}

/* ---- the owner's side ---- */

sr_status cmd_share_create(struct cli *c, struct sr_err *err) {
    uint64_t id;
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_collection_create(c->client, &id, tx, err));
    out_begin(c);
    out_u64(c, "collection", id);
    out_str(c, "tx", tx);
    out_end(c);
    return SR_OK;
}

sr_status cmd_share_close(struct cli *c, struct sr_err *err) {
    uint64_t id;
    char tx[SR_HASH_TEXT];
    SR_TRY(id_of(c->args[0], &id, err));
    SR_TRY(sr_collection_close(c->client, id, tx, err));
    return done(c, "closed", c->args[0], tx);
}

sr_status cmd_share_offer(struct cli *c, struct sr_err *err) {
    uint64_t id, seconds = 0;
    char tx[SR_HASH_TEXT];
    SR_TRY(id_of(c->args[0], &id, err));
    if (!cli_flag(c, "--stop")) SR_TRY(duration_of(c, &seconds, err));
    SR_TRY(sr_collection_offer(c->client, id, cli_value(c, "--price"), seconds, tx, err));
    return done(c, "collection", c->args[0], tx);
}

sr_status cmd_share_whitelist(struct cli *c, struct sr_err *err) {
    char list[SR_ADDR_TEXT], tx[SR_HASH_TEXT];
    SR_TRY(sr_whitelist_new(c->client, c->args, c->n_args, list, tx, err));
    return done(c, "whitelist", list, tx);
}

sr_status cmd_share_allow(struct cli *c, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_whitelist_add(c->client, c->args[0], c->args[1], tx, err));
    return done(c, "whitelist", c->args[0], tx);
}

sr_status cmd_share_app(struct cli *c, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_share_app(c->client, c->args[0], tx, err));
    return done(c, "app", c->args[0], tx);
}

sr_status cmd_share_add(struct cli *c, struct sr_err *err) {
    uint64_t id;
    char tx[SR_HASH_TEXT];
    char own[SR_ADDR_TEXT];
    const char *list = cli_value(c, "--whitelist");
    SR_TRY(id_of(c->args[0], &id, err));
    if (!list) {
        SR_TRY(share_own_list(c, own, err));
        list = own;
    }
    SR_TRY(sr_share_add(c->client, id, c->args[1], list, tx, err));
    return done(c, "data", c->args[1], tx);
}

sr_status cmd_share_remove(struct cli *c, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_share_remove(c->client, c->args[0], tx, err));
    return done(c, "data", c->args[0], tx);
}

static sr_status bundle(struct cli *c, bool in, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_share_bundle(c->client, c->args[0], in, tx, err));
    return done(c, "data", c->args[0], tx);
}

sr_status cmd_share_bundle(struct cli *c, struct sr_err *err) {
    return bundle(c, true, err);
}

sr_status cmd_share_unbundle(struct cli *c, struct sr_err *err) {
    return bundle(c, false, err);
}

sr_status cmd_share_rent_out(struct cli *c, struct sr_err *err) {
    uint64_t seconds = 0;
    char tx[SR_HASH_TEXT];
    SR_TRY(duration_of(c, &seconds, err));
    SR_TRY(sr_share_for_rent(c->client, c->args[0], cli_value(c, "--price"), seconds, tx, err));
    return done(c, "data", c->args[0], tx);
}

sr_status cmd_share_stop_rent(struct cli *c, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_share_for_rent(c->client, c->args[0], NULL, 0, tx, err));
    return done(c, "data", c->args[0], tx);
}

sr_status cmd_share_sell(struct cli *c, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    const char *price = cli_value(c, "--price");
    if (!price) {
        sr_hint(err, "--price NRLC; 0 gives it away to whoever takes it");
        return sr_fail(err, SR_E_USAGE, "for how much? --price is missing");
    }
    SR_TRY(sr_share_for_sale(c->client, c->args[0], price, tx, err));
    return done(c, "data", c->args[0], tx);
}

sr_status cmd_share_stop_sale(struct cli *c, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_share_for_sale(c->client, c->args[0], NULL, tx, err));
    return done(c, "data", c->args[0], tx);
}

/* ---- the consumer's side ---- */

static const char *const kinds[] = {
    [SR_PAID_RENT] = "rent", [SR_PAID_SUBSCRIPTION] = "subscription", [SR_PAID_SALE] = "sale"};

static void put_paid(struct cli *c, const struct sr_paid *p) {
    out_begin(c);
    out_str(c, "kind", kinds[p->kind]);
    out_str(c, "data", p->data);
    out_u64(c, "collection", p->collection);
    out_str(c, "from", p->from);
    out_str(c, "to", p->to);
    out_amount(c, "price", p->price_nrlc);
    out_time(c, "end", p->end_unix_s);
    out_str(c, "tx", p->tx);
    out_end(c);
}

sr_status cmd_share_rent(struct cli *c, struct sr_err *err) {
    struct sr_paid p;
    SR_TRY(sr_share_rent(c->client, c->args[0], cli_value(c, "--max-price"), &p, err));
    put_paid(c, &p);
    return SR_OK;
}

sr_status cmd_share_subscribe(struct cli *c, struct sr_err *err) {
    struct sr_paid p;
    uint64_t id;
    SR_TRY(id_of(c->args[0], &id, err));
    SR_TRY(sr_collection_subscribe(c->client, id, cli_value(c, "--max-price"), &p, err));
    put_paid(c, &p);
    return SR_OK;
}

sr_status cmd_share_buy(struct cli *c, struct sr_err *err) {
    struct sr_paid p;
    SR_TRY(sr_share_buy(c->client, c->args[0], cli_value(c, "--for"), cli_value(c, "--max-price"),
                        &p, err));
    put_paid(c, &p);
    return SR_OK;
}

sr_status cmd_share_use(struct cli *c, struct sr_err *err) {
    struct sr_deal_ids ids;
    SR_TRY(sr_share_consume(c->client, c->args[0], cli_value(c, "--app"),
                            cli_value(c, "--workerpool"), &ids, err));
    out_begin(c);
    out_str(c, "deal", ids.deal);
    out_str(c, "task", ids.task);
    out_str(c, "tx", ids.tx);
    sr_status st = SR_OK;
    if (!cli_flag(c, "--no-wait")) st = cli_wait_and_fetch(c, &ids, err);
    if (st != SR_OK && c->json) buf_clear(&c->out); /* the failure is the only JSON then */
    if (st == SR_OK) out_end(c);
    return st;
}

/* ---- what is there ---- */

static void put_terms(struct cli *c, const char *what, bool offered, const char *price,
                      uint64_t seconds) {
    if (c->json) {
        jw_key(&c->w, what);
        if (!offered) {
            jw_null(&c->w);
            return;
        }
        jw_obj(&c->w);
        jw_kcstr(&c->w, "price", price);
        if (seconds) jw_ku64(&c->w, "seconds", seconds);
        jw_end_obj(&c->w);
        return;
    }
    if (!offered) return;
    if (seconds)
        out_text(c, "%-16s %s nRLC for %llu s\n", what, price, (unsigned long long)seconds);
    else
        out_text(c, "%-16s %s nRLC\n", what, price);
}

static void put_data(struct cli *c, const struct sr_sharing *s, const struct sr_shared_data *d) {
    out_begin(c);
    out_str(c, "data", d->data);
    out_str(c, "name", d->name);
    out_u64(c, "collection", d->collection);
    out_str(c, "owner", d->owner);
    out_str(c, "whitelist", d->list);
    if (c->json) {
        jw_key(&c->w, "apps");
        jw_arr(&c->w);
    }
    for (size_t i = 0; i < s->n_apps; i++) {
        if (d->list[0] == 0 || strcmp(s->apps[i].list, d->list) != 0 || s->apps[i].app[0] == 0)
            continue;
        if (c->json)
            jw_cstr(&c->w, s->apps[i].app);
        else
            out_text(c, "%-16s %s\n", "app", s->apps[i].app);
    }
    if (c->json) jw_end_arr(&c->w);
    out_bool(c, c->json ? "inSubscription" : "in subscription", d->in_subscription);
    put_terms(c, "rent", d->for_rent, d->rent_price_nrlc, d->rent_seconds);
    put_terms(c, "sale", d->for_sale, d->sale_price_nrlc, 0);
    out_u64(c, "uses", d->uses);
    out_end(c);
}

static void put_collection(struct cli *c, const struct sr_collection *col) {
    out_begin(c);
    out_u64(c, "collection", col->id);
    out_str(c, "owner", col->owner);
    out_u64(c, "data", col->n_data);
    put_terms(c, "subscription", col->seconds > 0, col->price_nrlc, col->seconds);
    out_end(c);
}

/* Who may be NULL; else the address to compare with. */
static sr_status address_of(struct cli *c, const char *who, char ret[SR_ADDR_TEXT],
                            struct sr_err *err) {
    struct sr_wallet w;
    if (who && who[0] == '0' && who[1] == 'x' && strlen(who) == SR_ADDR_TEXT - 1) {
        for (size_t i = 0; i < SR_ADDR_TEXT; i++)
            ret[i] = (char)(who[i] >= 'A' && who[i] <= 'F' ? who[i] + 32 : who[i]);
        return SR_OK;
    }
    SR_TRY(sr_wallet_show(c->client, who, &w, err));
    memcpy(ret, w.address, SR_ADDR_TEXT);
    return SR_OK;
}

static void array(struct cli *c, const char *key) {
    if (!c->json) return;
    jw_key(&c->w, key);
    jw_arr(&c->w);
}

static void array_end(struct cli *c) {
    if (c->json) jw_end_arr(&c->w);
}

sr_status cmd_share_list(struct cli *c, struct sr_err *err) {
    struct sr_sharing s = {0};
    char owner[SR_ADDR_TEXT] = "";
    if (cli_value(c, "--owner")) SR_TRY(address_of(c, cli_value(c, "--owner"), owner, err));
    SR_TRY(sr_sharing_read(c->client, &s, err));
    size_t shown = 0;
    if (c->json) jw_obj(&c->w);
    array(c, "collections");
    for (size_t i = 0; i < s.n_collections; i++) {
        const struct sr_collection *col = &s.collections[i];
        if (owner[0] && strcmp(owner, col->owner) != 0) continue;
        if (c->json)
            put_collection(c, col);
        else
            out_text(c, "%llu  %s  %llu data%s%s%s\n", (unsigned long long)col->id, col->owner,
                     (unsigned long long)col->n_data, col->seconds ? ", subscription " : "",
                     col->seconds ? col->price_nrlc : "", col->seconds ? " nRLC" : "");
        shown++;
    }
    array_end(c);
    array(c, "whitelists");
    for (size_t i = 0; i < s.n_apps && c->json; i++) {
        if (owner[0] && strcmp(owner, s.apps[i].owner) != 0) continue;
        out_begin(c);
        out_str(c, "whitelist", s.apps[i].list);
        out_str(c, "owner", s.apps[i].owner);
        out_str(c, "app", s.apps[i].app);
        out_end(c);
    }
    array_end(c);
    if (shown == 0) out_text(c, "no collections; strongroom share create makes one\n");
    out_end(c);
    sr_sharing_done(&s);
    return SR_OK;
}

sr_status cmd_share_show(struct cli *c, struct sr_err *err) {
    struct sr_sharing s = {0};
    uint64_t id;
    SR_TRY(id_of(c->args[0], &id, err));
    SR_TRY(sr_sharing_read(c->client, &s, err));
    const struct sr_collection *col = NULL;
    for (size_t i = 0; i < s.n_collections; i++)
        if (s.collections[i].id == id) col = &s.collections[i];
    if (!col) {
        sr_sharing_done(&s);
        return sr_fail(err, SR_E_NOTFOUND,
                       "This collection does not seem to exist or it has been burned.");
    }
    if (c->json) {
        jw_obj(&c->w);
        jw_key(&c->w, "collection");
    }
    put_collection(c, col);
    array(c, "data");
    for (size_t i = 0; i < s.n_data; i++) {
        if (s.data[i].collection != id) continue;
        out_text(c, "\n");
        put_data(c, &s, &s.data[i]);
    }
    array_end(c);
    array(c, "access");
    for (size_t i = 0; i < s.n_paid; i++) {
        const struct sr_paid *p = &s.paid[i];
        if (p->collection != id || p->end_unix_s < s.now_unix_s) continue;
        if (c->json)
            put_paid(c, p);
        else
            out_text(c, "\n%-16s %s by %s\n", "running", kinds[p->kind], p->from);
    }
    array_end(c);
    if (c->json) out_end(c);
    sr_sharing_done(&s);
    return SR_OK;
}

sr_status cmd_share_data(struct cli *c, struct sr_err *err) {
    struct sr_sharing s = {0};
    char data[SR_ADDR_TEXT];
    SR_TRY(address_of(c, c->args[0], data, err));
    SR_TRY(sr_sharing_read(c->client, &s, err));
    sr_status st = SR_E_NOTFOUND;
    for (size_t i = 0; i < s.n_data; i++) {
        if (strcmp(s.data[i].data, data) != 0) continue;
        put_data(c, &s, &s.data[i]);
        st = SR_OK;
    }
    sr_sharing_done(&s);
    return st == SR_OK ? st : sr_fail(err, st, "%s was never shared", data);
}

/* ---- earnings: what was paid to somebody, each payment, and the sum of each data set ---- */

static void add_decimal(char sum[SR_AMOUNT_TEXT], const char *more) {
    struct u256 a, b;
    if (u256_from_dec(slice_str(sum), &a) && u256_from_dec(slice_str(more), &b) &&
        u256_add(&a, a, b))
        u256_to_dec(sum, a);
}

sr_status cmd_share_earnings(struct cli *c, struct sr_err *err) {
    struct sr_sharing s = {0};
    char me[SR_ADDR_TEXT], total[SR_AMOUNT_TEXT] = "0";
    SR_TRY(address_of(c, c->n_args ? c->args[0] : NULL, me, err));
    SR_TRY(sr_sharing_read(c->client, &s, err));
    out_begin(c);
    out_str(c, "owner", me);
    array(c, "payments");
    for (size_t i = 0; i < s.n_paid; i++) {
        const struct sr_paid *p = &s.paid[i];
        if (strcmp(p->to, me) != 0) continue;
        add_decimal(total, p->price_nrlc);
        if (c->json)
            put_paid(c, p);
        else
            out_text(c, "%-16s %s nRLC from %s%s%s\n", kinds[p->kind], p->price_nrlc, p->from,
                     p->data[0] ? " for " : "", p->data);
    }
    array_end(c);
    array(c, "byData");
    for (size_t i = 0; i < s.n_data; i++) {
        char sum[SR_AMOUNT_TEXT] = "0";
        bool any = false;
        for (size_t k = 0; k < s.n_paid; k++)
            if (strcmp(s.paid[k].to, me) == 0 && strcmp(s.paid[k].data, s.data[i].data) == 0) {
                add_decimal(sum, s.paid[k].price_nrlc);
                any = true;
            }
        if (!any) continue;
        if (c->json) {
            out_begin(c);
            out_str(c, "data", s.data[i].data);
            out_str(c, "name", s.data[i].name);
            out_amount(c, "earned", sum);
            out_end(c);
        } else {
            out_text(c, "%-16s %s nRLC by %s %s\n", "earned", sum, s.data[i].data, s.data[i].name);
        }
    }
    array_end(c);
    out_amount(c, "total", total);
    out_end(c);
    sr_sharing_done(&s);
    return SR_OK;
}
