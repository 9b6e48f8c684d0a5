/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message to many contacts: a bulk request of the messaging app, the content encrypted and
 * stored once.   SPEC: messaging.md#6-campaigns
 */
#include "sdk/bulk_int.h"
#include "sdk/messaging_int.h"
#include <stdlib.h>

struct campaign {
    struct sr_client *c;
    const struct sr_message *m;
    const char *const *data; /* n of them; n 0: all */
    size_t n;
    unsigned per_task;
    char **ret_request;
    size_t recipients;
    /* in work */
    struct message x;
    struct contacts contacts;
    struct bulk bulk;
    struct addr_text *texts;
    const char **names;
};

static void campaign_done(struct campaign *p) {
    message_done(&p->x);
    contacts_done(&p->contacts);
    bulk_done(&p->bulk);
    free(p->texts);
    free(p->names);
}

static int by_data(const void *a, const void *b) {
    const struct contact *x = a, *y = b;
    return memcmp(&x->order.dataset.dataset, &y->order.dataset.dataset, sizeof(struct addr));
}

/* Those that were named, in their order; all who are none are told, not the first only. */
static sr_status choose(struct campaign *p, struct sr_err *err) {
    struct contacts *l = &p->contacts, some = {0};
    cleanup_buf struct buf lacking;
    size_t n_lacking = 0;
    buf_init(&lacking, 4096);
    if (l->n > 1) qsort(l->v, l->n, sizeof *l->v, by_data);
    some.v = sr_calloc_n(p->n, sizeof *some.v);
    if (!some.v) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < p->n; i++) {
        struct contact key = {0}, *t;
        sr_status st = sdk_addr_arg(p->data[i], "data", &key.order.dataset.dataset, err);
        if (st != SR_OK) {
            contacts_done(&some);
            return st;
        }
        t = l->n ? bsearch(&key, l->v, l->n, sizeof *l->v, by_data) : NULL;
        if (t)
            some.v[some.n++] = *t;
        else if (n_lacking++ < 3)
            buf_printf(&lacking, "%s%s", n_lacking > 1 ? ", " : "", p->data[i]);
    }
    contacts_done(l);
    *l = some;
    if (n_lacking == 0) return SR_OK;
    sr_hint(err, "its owner: strongroom data grant ADDR --bulk --app %s --user %s",
            p->x.net.has_list ? p->x.ch->app : addr_text(&p->x.net.app).s, addr_text(&p->c->me).s);
    return sr_fail(err, SR_E_REFUSED, "%zu of %zu are no contacts that allow campaigns: %s%s",
                   n_lacking, p->n, buf_cstr(&lacking), n_lacking > 3 ? ", ..." : "");
}

static sr_status no_twins(const struct contacts *l, struct sr_err *err) {
    struct contact *sorted = sr_calloc_n(l->n, sizeof *sorted);
    if (!sorted) return sr_fail(err, SR_E_NOMEM, "out of memory");
    memcpy(sorted, l->v, l->n * sizeof *sorted);
    qsort(sorted, l->n, sizeof *sorted, by_data);
    sr_status st = SR_OK;
    for (size_t i = 1; i < l->n && st == SR_OK; i++)
        if (by_data(&sorted[i - 1], &sorted[i]) == 0)
            st = sr_fail(err, SR_E_USAGE, "%s is given twice", sorted[i].shown.data);
    free(sorted);
    return st;
}

static sr_status recipients(struct campaign *p, struct sr_err *err) {
    struct sr_client *c = p->c;
    if (p->n > SR_BULK_MAX)
        return sr_fail(err, SR_E_USAGE, "a campaign has at most %d recipients", SR_BULK_MAX);
    SR_TRY(contacts_read(c, p->x.ch, &p->x.net, &c->me, false, true, &p->contacts, err));
    if (p->n > 0) SR_TRY(choose(p, err));
    if (p->contacts.n > SR_BULK_MAX) {
        sr_hint(err, "name them, in several campaigns");
        return sr_fail(err, SR_E_TOOBIG, "%zu contacts are more than one campaign takes (%d)",
                       p->contacts.n, SR_BULK_MAX);
    }
    if (p->contacts.n == 0) {
        sr_hint(err, "strongroom %s contacts lists those of single messages", p->x.ch->word);
        return sr_fail(err, SR_E_REFUSED, "%s has no contacts that allow campaigns",
                       addr_text(&c->me).s);
    }
    return no_twins(&p->contacts, err);
}

/* Their grants are in hand already: the bulk need not look for them one by one. */
static sr_status hand_grants(struct campaign *p, struct sr_err *err) {
    size_t n = p->contacts.n;
    p->texts = sr_calloc_n(n, sizeof *p->texts);
    p->names = sr_calloc_n(n, sizeof *p->names);
    p->bulk.grants = sr_calloc_n(n, sizeof *p->bulk.grants);
    if (!p->texts || !p->names || !p->bulk.grants) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        p->bulk.grants[i] = p->contacts.v[i].order;
        p->texts[i] = addr_text(&p->contacts.v[i].order.dataset.dataset);
        p->names[i] = p->texts[i].s;
    }
    p->x.run.data = p->names;
    p->x.run.n_data = n;
    p->recipients = n;
    return SR_OK;
}

static sr_status prepare(void *arg, struct sr_err *err) {
    struct campaign *p = arg;
    struct sr_client *c = p->c;
    if (p->m->on_chain)
        return sr_fail(err, SR_E_USAGE, "a campaign's outcome is not put on the chain");
    SR_TRY(message_open(&p->x, c, p->m, err));
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(recipients(p, err));
    SR_TRY(hand_grants(p, err));
    struct addr_text app = addr_text(&p->x.net.app);
    p->x.run.app = app.s;
    p->bulk.c = c;
    p->bulk.run = &p->x.run;
    p->bulk.per_task = p->per_task;
    p->bulk.fill = message_seal;
    p->bulk.fill_arg = &p->x;
    SR_TRY(bulk_prepare(&p->bulk, true, err));
    return bulk_text(&p->bulk, p->ret_request, err);
}

sr_status sr_campaign_prepare(struct sr_client *c, const struct sr_message *m,
                              const char *const *data, size_t n, unsigned per_task,
                              char **ret_request, size_t *ret_n, struct sr_err *err) {
    struct campaign *p = sr_calloc_n(1, sizeof *p);
    if (!p) return sr_fail(err, SR_E_NOMEM, "out of memory");
    *p = (struct campaign){
        .c = c, .m = m, .data = data, .n = n, .per_task = per_task, .ret_request = ret_request};
    sr_status st = sdk_call(c, prepare, p, err);
    if (st == SR_OK && ret_n) *ret_n = p->recipients;
    campaign_done(p);
    free(p);
    return st;
}
