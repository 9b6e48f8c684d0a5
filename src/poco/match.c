/* SPDX-License-Identifier: Apache-2.0 */
/* match.c - what the hub will say about four orders, in its order of checks
 * SPEC: poco.md#8-matchorders--sponsormatchorders */
#include "poco/match_int.h"

const struct match_reason match_reasons[] = {
    {0x00, "the request and the workerpool order are for different categories",
     "choose a workerpool order of the request's category"},
    {0x01, "the category does not exist", "strongroom offers categories 0 to 4"},
    {0x02, "the workerpool offers less trust than the request demands",
     "lower the trust, or choose another workerpool"},
    {0x03, "the app costs more than the request allows", "raise the maximum price for the app"},
    {0x04, "the data costs more than the request allows", "raise the maximum price for the data"},
    {0x05, "the workerpool costs more than the request allows",
     "raise the maximum price for the workerpool"},
    {0x06, "the workerpool does not offer what the tag demands",
     "choose a workerpool whose order has the tags tee,tdx"},
    {0x07, "the data or the request demands a TEE, and the app order does not offer one",
     "the app's owner must publish an order with the tags tee,tdx"},
    {0x10, "the request and the app order name different apps", NULL},
    {0x11, "the request and the data order name different data", NULL},
    {0x12, "the request is for another workerpool", NULL},
    {0x13, "the app may not be used with this data", "ask the app's owner for an order"},
    {0x14, "the app may not be used on this workerpool", "choose another workerpool"},
    {0x15, "the app may not be used by this requester", "ask the app's owner for an order"},
    {0x16, "the data owner has not granted this app",
     "ask the data's owner for a grant to this app"},
    {0x17, "the data owner has not granted this workerpool", "choose another workerpool"},
    {0x18, "the data owner has not granted this requester",
     "ask the data's owner for a grant to your address"},
    {0x19, "the workerpool does not run this app", "choose another workerpool"},
    {0x1a, "the workerpool does not accept this data", "choose another workerpool"},
    {0x1b, "the workerpool does not serve this requester", "choose another workerpool"},
    {0x20, "the app is not registered", "check the app's address"},
    {0x21, "the app order is not signed by the app's owner",
     "the app was sold, or the order changed"},
    {0x30, "the data is not registered", "check the data's address"},
    {0x31, "the data order is not signed by the data's owner",
     "the data was transferred, or the order changed"},
    {0x40, "the workerpool is not registered", NULL},
    {0x41, "the workerpool order is not signed by the workerpool's owner", NULL},
    {0x50, "the request is not signed by the requester", NULL},
    {0x60, "one of the orders is used up or was revoked",
     "look for fresh orders; a revoked grant must be given again by the data's owner"},
};
const size_t match_reasons_n = SR_ARRAY_LEN(match_reasons);

const struct match_reason *match_reason_of(unsigned code) {
    for (size_t i = 0; i < match_reasons_n; i++)
        if (match_reasons[i].code == code) return &match_reasons[i];
    return NULL;
}

static sr_status refuse(unsigned code, struct sr_err *err) {
    const struct match_reason *r = match_reason_of(code);
    SR_ASSERT(r);
    sr_status st = sr_fail(err, SR_E_REFUSED, "%s", r->what);
    if (r->hint) sr_hint(err, "%s", r->hint);
    return st;
}

/* A restriction to a group (a contract that lists its members) is the chain's to judge: here it is
 * refused. poco_try_match asks the chain. */
static bool open_or(const struct addr *restrict_to, const struct addr *who) {
    return addr_is_zero(restrict_to) || addr_eq(restrict_to, who);
}

sr_status poco_match_check(const struct poco_order *app, const struct poco_order *dataset,
                           const struct poco_order *workerpool, const struct poco_order *request,
                           struct sr_err *err) {
    static const struct poco_order null_dataset = {.kind = POCO_DATASET};
    const struct poco_apporder *a = &app->app;
    const struct poco_datasetorder *d = dataset ? &dataset->dataset : &null_dataset.dataset;
    const struct poco_workerpoolorder *w = &workerpool->workerpool;
    const struct poco_requestorder *r = &request->request;

    if (u256_cmp(r->category, w->category) != 0) return refuse(0x00, err);
    if (u256_cmp(r->trust, w->trust) > 0) return refuse(0x02, err);
    if (u256_cmp(r->appmaxprice, a->appprice) < 0) return refuse(0x03, err);
    if (u256_cmp(r->datasetmaxprice, d->datasetprice) < 0) return refuse(0x04, err);
    if (u256_cmp(r->workerpoolmaxprice, w->workerpoolprice) < 0) return refuse(0x05, err);
    struct hash tag = tag_deal(&a->tag, &d->tag, &r->tag);
    if (!tag_within(&tag, &w->tag)) return refuse(0x06, err);
    if (tag_is_tee(&tag) && !tag_is_tee(&a->tag)) return refuse(0x07, err);
    if (!addr_eq(&r->app, &a->app)) return refuse(0x10, err);
    if (!addr_eq(&r->dataset, &d->dataset)) return refuse(0x11, err);
    if (!open_or(&r->workerpool, &w->workerpool)) return refuse(0x12, err);
    if (!open_or(&a->datasetrestrict, &d->dataset)) return refuse(0x13, err);
    if (!open_or(&a->workerpoolrestrict, &w->workerpool)) return refuse(0x14, err);
    if (!open_or(&a->requesterrestrict, &r->requester)) return refuse(0x15, err);
    if (!open_or(&d->apprestrict, &a->app)) return refuse(0x16, err);
    if (!open_or(&d->workerpoolrestrict, &w->workerpool)) return refuse(0x17, err);
    if (!open_or(&d->requesterrestrict, &r->requester)) return refuse(0x18, err);
    if (!open_or(&w->apprestrict, &a->app)) return refuse(0x19, err);
    if (!open_or(&w->datasetrestrict, &d->dataset)) return refuse(0x1a, err);
    if (!open_or(&w->requesterrestrict, &r->requester)) return refuse(0x1b, err);
    return SR_OK;
}
