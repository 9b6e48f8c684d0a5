/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what became of a message, as the app, the room and the chain tell it. Pure.
 * SPEC: messaging.md#74-resultjson
 */
#include "sdk/messaging_int.h"
#include <stdlib.h>

static bool says(const struct json_val *v, const char *key) {
    bool yes = false;
    return json_bool(json_get(v, key), &yes) && yes;
}

/* {success, isEmailValid?, error?}, of one or of all */
static void read_one(const struct json_val *v, struct sr_delivery *d) {
    bool valid;
    d->state = says(v, "success") ? SR_DELIVERY_SENT : SR_DELIVERY_FAILED;
    if (json_bool(json_get(v, "isEmailValid"), &valid))
        d->address = valid ? SR_ADDRESS_VALID : SR_ADDRESS_INVALID;
    if (d->state == SR_DELIVERY_FAILED) {
        struct slice said = json_text(json_get(v, "error")), why = json_text(json_get(v, "reason"));
        if (said.n == 0) said = SLICE_LIT("the app gives no reason");
        TEXT_PUT(d->error, said);
        if (why.n > 0 && said.n + 3 < sizeof d->error) { /* our apps say more */
            memcpy(d->error + said.n, ": ", 2);
            text_put(d->error + said.n + 2, sizeof d->error - said.n - 2, why);
        }
    }
}

/* The room's list: [{"n":1,"address":"0x","outcome":"released"|CODE}] */
static sr_status read_released(const struct json_val *list, struct outcome *o, struct sr_err *err) {
    o->list = sr_calloc_n(json_len(list) + 1, sizeof *o->list);
    if (!o->list) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (const struct json_val *v = json_first(list); v; v = json_next(v)) {
        struct sr_delivery *d = &o->list[o->n];
        struct addr a;
        struct slice what = json_text(json_get(v, "outcome"));
        uint64_t n;
        if (!json_u64(json_get(v, "n"), &n) || n != o->n + 1 ||
            !json_addr(json_get(v, "address"), &a) || what.n == 0)
            return sr_fail(err, SR_E_MALFORMED, "the room's list of data sets");
        addr_put(d->data, &a);
        d->state = SR_DELIVERY_FAILED;
        if (!slice_is(what, "released")) {
            d->state = SR_DELIVERY_WITHHELD;
            TEXT_PUT(d->error, what);
        }
        o->n++;
    }
    return SR_OK;
}

/* Each released one has its own words; those without any got the common failure. */
static sr_status read_results(const struct json_val *root, struct outcome *o, struct sr_err *err) {
    const struct json_val *results = json_get(root, "results");
    bool common = !json_is(results, JSON_ARRAY);
    for (size_t i = 0; i < o->n; i++)
        if (o->list[i].state == SR_DELIVERY_FAILED) {
            if (common) read_one(root, &o->list[i]);
            if (!common) TEXT_PUT(o->list[i].error, SLICE_LIT("the app does not speak of it"));
        }
    for (const struct json_val *v = json_first(results); v; v = json_next(v)) {
        uint64_t n;
        if (!json_u64(json_get(v, "index"), &n) || n == 0 || n > o->n)
            return sr_fail(err, SR_E_MALFORMED, "the app's result.json: an index");
        if (o->list[n - 1].state == SR_DELIVERY_WITHHELD) continue;
        o->list[n - 1].error[0] = 0;
        read_one(v, &o->list[n - 1]);
    }
    return SR_OK;
}

sr_status delivery_of_bulk(const struct json_val *released, const struct json_val *result,
                           struct outcome *ret, struct sr_err *err) {
    struct outcome o = {0};
    sr_status st = json_is(released, JSON_ARRAY)
                       ? read_released(released, &o, err)
                       : sr_fail(err, SR_E_MALFORMED, "the room's list of data sets");
    if (st == SR_OK) st = read_results(result, &o, err);
    if (st == SR_OK)
        *ret = o;
    else
        free(o.list);
    return st;
}

sr_status delivery_of_one(const struct json_val *result, struct sr_delivery *ret,
                          struct sr_err *err) {
    if (!json_is(json_get(result, "success"), JSON_TRUE) &&
        !json_is(json_get(result, "success"), JSON_FALSE))
        return sr_fail(err, SR_E_MALFORMED, "the app's result.json does not tell success");
    read_one(result, ret);
    return SR_OK;
}

/* SPEC: messaging.md#72-mail */
sr_status delivery_of_callback(struct slice told, struct sr_delivery *ret, struct sr_err *err) {
    bool good = told.n == 32 && told.p[31] != 1 && told.p[31] <= 3;
    for (size_t i = 0; good && i < 31; i++) good = told.p[i] == 0;
    if (!good)
        return sr_fail(err, SR_E_MALFORMED, "what the task told the chain is no address check");
    ret->state = SR_DELIVERY_UNTOLD;
    ret->address = told.p[31] == 3   ? SR_ADDRESS_VALID
                   : told.p[31] == 2 ? SR_ADDRESS_INVALID
                                     : SR_ADDRESS_UNKNOWN;
    return SR_OK;
}
