/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an order means, in sentences, and what its signer may not have meant.
 * SPEC: poco.md#7-restrictions, poco.md#6-tags
 */
#include "sdk/order.h"
#include <stdarg.h>

struct writer {
    const struct loaded *l;
    const struct order_facts *f;
    struct sr_explained *x;
};

SR_PRINTF(2, 3) static void say(struct writer *w, const char *fmt, ...) {
    if (w->x->n_sentences == SR_EXPLAIN_LINES) return;
    struct sr_line *line = &w->x->sentences[w->x->n_sentences++];
    va_list ap;
    line->code = "";
    va_start(ap, fmt);
    (void)vsnprintf(line->text, sizeof line->text, fmt, ap);
    va_end(ap);
}

SR_PRINTF(3, 4) static void warn(struct writer *w, const char *code, const char *fmt, ...) {
    if (w->x->n_warnings == SR_EXPLAIN_LINES) return;
    struct sr_line *line = &w->x->warnings[w->x->n_warnings++];
    va_list ap;
    line->code = code;
    va_start(ap, fmt);
    (void)vsnprintf(line->text, sizeof line->text, fmt, ap);
    va_end(ap);
}

struct words {
    char s[160];
};

/* "app 0x…", "any app", "any app of the group 0x…" */
static struct words party(const char *what, order_party p, const struct addr *a) {
    struct words w;
    if (addr_is_zero(a))
        (void)snprintf(w.s, sizeof w.s, "any %s", what);
    else if (p == PARTY_GROUP)
        (void)snprintf(w.s, sizeof w.s, "any %s in the group %s", what, addr_text(a).s);
    else
        (void)snprintf(w.s, sizeof w.s, "%s %s", what, addr_text(a).s);
    return w;
}

static struct words amount(struct u256 v) {
    struct words w;
    char dec[U256_DEC_MAX];
    u256_to_dec(dec, v);
    (void)snprintf(w.s, sizeof w.s, "%s nRLC", dec);
    return w;
}

static bool is_unlimited(struct u256 volume) {
    return u256_cmp(volume, u256_of(POCO_SAFE_MAX - 1)) >= 0;
}

static struct words times(struct u256 volume) {
    struct words w;
    char dec[U256_DEC_MAX];
    u256_to_dec(dec, volume);
    (void)snprintf(w.s, sizeof w.s, "%s time%s", dec, strcmp(dec, "1") == 0 ? "" : "s");
    if (is_unlimited(volume)) (void)snprintf(w.s, sizeof w.s, "any number of times");
    return w;
}

static void restriction(struct writer *w, const char *what, order_party p, const struct addr *a) {
    if (p == PARTY_GROUP)
        warn(w, "GROUP",
             "%s is a contract: who is in that group may change after the signature, without yours",
             addr_text(a).s);
    if (p == PARTY_NOTHING)
        warn(w, "NOTHING_THERE", "there is no %s at %s, and no group: nobody can use the order",
             what, addr_text(a).s);
}

static void common_end(struct writer *w) {
    const struct poco_order *o = &w->l->order;
    const struct hash *tag = poco_order_tag(o);
    cleanup_buf struct buf names;
    buf_init(&names, 1024);
    if (tag_is_tee(tag) && tag_names(tag, &names, NULL) == SR_OK)
        say(w, "It demands an enclave (tag %s).", buf_cstr(&names));
    else if (!tag_is_tee(tag))
        warn(w, "NO_TEE", "the tag does not ask for an enclave: whoever runs the task can read %s",
             o->kind == POCO_DATASET ? "the data" : "what it works on");
    if (is_unlimited(*poco_order_volume(o)))
        warn(w, "UNLIMITED", "there is no limit to the count: it is valid until it is cancelled");
}

static void app(struct writer *w) {
    const struct poco_apporder *o = &w->l->order.app;
    const struct order_facts *f = w->f;
    say(w, "Lets %s use app %s %s, for %s each time.",
        party("requester", f->requester, &o->requesterrestrict).s, addr_text(&o->app).s,
        times(o->volume).s, amount(o->appprice).s);
    say(w, "On %s and on %s.", party("data", f->data, &o->datasetrestrict).s,
        party("workerpool", f->pool, &o->workerpoolrestrict).s);
    if (u256_is_zero(o->appprice)) warn(w, "FREE", "the price is 0: the app is free");
    if (addr_is_zero(&o->requesterrestrict)) warn(w, "ANY_REQUESTER", "anybody may run the app");
    restriction(w, "data", f->data, &o->datasetrestrict);
    restriction(w, "workerpool", f->pool, &o->workerpoolrestrict);
    restriction(w, "requester", f->requester, &o->requesterrestrict);
}

static void dataset(struct writer *w) {
    const struct poco_datasetorder *o = &w->l->order.dataset;
    const struct order_facts *f = w->f;
    say(w, "Lets %s use data %s with %s, %s, for %s each time.",
        party("requester", f->requester, &o->requesterrestrict).s, addr_text(&o->dataset).s,
        party("app", f->app, &o->apprestrict).s, times(o->volume).s, amount(o->datasetprice).s);
    say(w, "On %s.", party("workerpool", f->pool, &o->workerpoolrestrict).s);
    if (addr_is_zero(&o->apprestrict))
        warn(w, "ANY_APP",
             "any app may read the data: also one that only copies it into its result");
    if (addr_is_zero(&o->requesterrestrict))
        warn(w, "ANY_REQUESTER", "anybody may run the app on the data");
    if (u256_is_zero(o->datasetprice)) warn(w, "FREE", "the price is 0: the owner earns nothing");
    restriction(w, "app", f->app, &o->apprestrict);
    restriction(w, "workerpool", f->pool, &o->workerpoolrestrict);
    restriction(w, "requester", f->requester, &o->requesterrestrict);
}

static void workerpool(struct writer *w) {
    const struct poco_workerpoolorder *o = &w->l->order.workerpool;
    const struct order_facts *f = w->f;
    char category[U256_DEC_MAX], trust[U256_DEC_MAX];
    u256_to_dec(category, o->category);
    u256_to_dec(trust, o->trust);
    say(w, "Workerpool %s runs tasks of category %s with trust %s for %s, %s, for %s each.",
        addr_text(&o->workerpool).s, category, trust,
        party("requester", f->requester, &o->requesterrestrict).s, times(o->volume).s,
        amount(o->workerpoolprice).s);
    say(w, "With %s and %s.", party("app", f->app, &o->apprestrict).s,
        party("data", f->data, &o->datasetrestrict).s);
    if (u256_is_zero(o->workerpoolprice))
        warn(w, "FREE", "the price is 0: scheduler and workers earn nothing, and pay the gas");
    if (addr_is_zero(&o->apprestrict)) warn(w, "ANY_APP", "the workers run any app");
    if (addr_is_zero(&o->requesterrestrict)) warn(w, "ANY_REQUESTER", "the workers serve anybody");
    restriction(w, "app", f->app, &o->apprestrict);
    restriction(w, "data", f->data, &o->datasetrestrict);
    restriction(w, "requester", f->requester, &o->requesterrestrict);
}

static void params(struct writer *w, struct slice text) {
    cleanup_params struct poco_params p = {0};
    if (poco_params_read(text, &p, NULL) != SR_OK) return;
    if (p.has_args) {
        int n = (int)(p.args.n < 160 ? p.args.n : 160);
        say(w, "The app gets the arguments \"%.*s\"%s, which everybody can read on the chain.", n,
            (const char *)p.args.p, p.args.n > 160 ? " (cut)" : "");
    }
    if (p.n_files + p.n_secrets > 0)
        say(w, "It gets %zu input file%s and %zu secret%s of the requester.", p.n_files,
            p.n_files == 1 ? "" : "s", p.n_secrets, p.n_secrets == 1 ? "" : "s");
    if (p.bulk_cid.n > 0)
        say(w, "It works on a list of data sets (bulk): %.*s.",
            (int)(p.bulk_cid.n < 100 ? p.bulk_cid.n : 100), (const char *)p.bulk_cid.p);
    if (p.has_encryption && p.encryption)
        say(w, "The result is encrypted for the beneficiary.");
    else if (addr_is_zero(&w->l->order.request.callback))
        warn(w, "PLAIN_RESULT", "the result is not encrypted: anybody can read it");
}

static void request(struct writer *w) {
    const struct poco_requestorder *o = &w->l->order.request;
    struct u256 sum = o->appmaxprice;
    char category[U256_DEC_MAX];
    u256_to_dec(category, o->category);
    bool fits =
        u256_add(&sum, sum, o->datasetmaxprice) && u256_add(&sum, sum, o->workerpoolmaxprice);
    struct words total = amount(sum);
    say(w, "%s asks %s for app %s%s%s on %s, category %s.", addr_text(&o->requester).s,
        times(o->volume).s, addr_text(&o->app).s, addr_is_zero(&o->dataset) ? "" : " with data ",
        addr_is_zero(&o->dataset) ? "" : addr_text(&o->dataset).s,
        party("workerpool", w->f->pool, &o->workerpool).s, category);
    say(w, "It pays at most %s a task: app %s, data %s, workerpool %s.",
        fits ? total.s : "an absurd sum", amount(o->appmaxprice).s, amount(o->datasetmaxprice).s,
        amount(o->workerpoolmaxprice).s);
    if (!addr_eq(&o->beneficiary, &o->requester))
        say(w, "The result is for %s.",
            addr_is_zero(&o->beneficiary) ? "nobody" : addr_text(&o->beneficiary).s);
    if (!addr_is_zero(&o->callback))
        say(w, "The contract %s gets the result on the chain, for everybody to read.",
            addr_text(&o->callback).s);
    params(w, o->params);
    if (fits && u256_is_zero(sum))
        warn(w, "FREE", "it offers 0 for everything: only free orders will match it");
    if (addr_is_zero(&o->workerpool)) warn(w, "ANY_WORKERPOOL", "any workerpool may run it");
    restriction(w, "workerpool", w->f->pool, &o->workerpool);
}

static void state(struct writer *w) {
    const struct loaded *l = w->l;
    const struct order_facts *f = w->f;
    struct sr_explained *x = w->x;
    struct u256 volume = *poco_order_volume(&l->order);
    const char *word = "open";
    if (!f->known) {
        word = "not checked";
        warn(w, "NOT_CHECKED",
             "no network was asked: who signed it, and whether it is open, is not "
             "known");
    } else if (f->cancelled) {
        word = "cancelled";
        warn(w, "CANCELLED", "its owner has cancelled it: it cannot be used any more");
    } else if (u256_cmp(f->consumed, volume) >= 0) {
        word = "used up";
        warn(w, "USED_UP", "it is used up or cancelled: it cannot be used any more");
    } else if (f->signature == SIGNED_NOT) {
        word = "unsigned";
        warn(w, "UNSIGNED", "nobody has signed it: it has no effect");
    } else if (strcmp(l->status, "dead") == 0) {
        word = "dead";
        warn(w, "DEAD",
             "the market has withdrawn it: its signer lost the stake or the ownership it "
             "needs");
    } else if (!u256_is_zero(f->consumed)) {
        char used[U256_DEC_MAX];
        u256_to_dec(used, f->consumed);
        say(w, "%s of it %s used.", used, strcmp(used, "1") == 0 ? "is" : "are");
    }
    (void)snprintf(x->state, sizeof x->state, "%s", word);
    if (!f->known) return;
    if (f->signature == SIGNED_WRONG)
        warn(w, "WRONG_SIGNER", "the signature is not by %s",
             l->order.kind == POCO_REQUEST ? "the requester" : "today's owner");
    if (!f->registered)
        warn(w, "NOT_REGISTERED", "there is no %s registered at %s",
             l->order.kind == POCO_REQUEST   ? "app"
             : l->order.kind == POCO_DATASET ? "data"
                                             : poco_kind_word[l->order.kind],
             addr_text(poco_order_resource(&l->order)).s);
}

void order_explain(const struct loaded *l, const struct order_facts *f, struct sr_explained *ret) {
    *ret = (struct sr_explained){0};
    struct writer w = {l, f, ret};
    (void)snprintf(ret->kind, sizeof ret->kind, "%s", poco_kind_word[l->order.kind]);
    if (!hash_is_zero(&l->hash)) hash_put(ret->hash, &l->hash);
    switch (l->order.kind) {
    case POCO_APP: app(&w); break;
    case POCO_DATASET: dataset(&w); break;
    case POCO_WORKERPOOL: workerpool(&w); break;
    case POCO_REQUEST: request(&w); break;
    }
    common_end(&w);
    state(&w);
}
