/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owned a data set, ever: the registry's Transfer events of its token. Needed only when the
 * owner of now is not who stored the key (sold, given away, in a collection for sharing).
 */
#include "sms/chain_int.h"
#include <stdlib.h>

#define ASK_MAX   2000u /* requests for one data set's history */
#define BLOCK_MIN 1000u /* smaller pieces are not tried */

static struct owners *row_of(struct sms_chain *c, const struct addr *data) {
    size_t at = ((size_t)data->b[18] << 8 | data->b[19]) % OWNERS_KEPT;
    struct owners *o = &c->owners[at];
    if (!addr_eq(&o->data, data)) *o = (struct owners){.data = *data};
    return o;
}

static bool is_in(const struct owners *o, const struct addr *who) {
    for (size_t i = 0; i < o->n; i++)
        if (addr_eq(&o->who[i], who)) return true;
    return false;
}

/* A full row forgets its oldest but one: the first owner, who stored the key, stays. */
static void add(struct owners *o, const struct addr *who) {
    if (addr_is_zero(who) || is_in(o, who)) return;
    if (o->n == OWNERS_EACH) {
        memmove(&o->who[1], &o->who[2], (OWNERS_EACH - 2) * sizeof o->who[0]);
        o->n--;
    }
    o->who[o->n++] = *who;
}

static sr_status read_part(struct sms_chain *c, const struct addr *data, uint64_t from, uint64_t to,
                           struct owners *o, struct sr_err *err) {
    struct hash topic = poco_topic(POCO_EV_TRANSFER721), token = {{0}};
    memcpy(token.b + 12, data->b, 20);
    const struct eth_filter filter = {.addrs = &c->poco.dataset_registry,
                                      .n_addrs = 1,
                                      .topics0 = &topic,
                                      .n_topics0 = 1,
                                      .topics3 = &token,
                                      .n_topics3 = 1};
    cleanup_logs struct eth_logs logs = {0};
    SR_TRY(eth_get_logs(c->rpc, &filter, from, to, &logs, err));
    for (size_t i = 0; i < logs.n; i++) {
        const struct eth_log *l = &logs.v[i];
        struct addr who;
        if (l->n_topics != 4 || !hash_eq(&l->topics[3], &token)) continue;
        memcpy(who.b, l->topics[2].b + 12, 20);
        add(o, &who);
    }
    return SR_OK;
}

/* All at once where the node allows it; else in pieces as large as it does. */
static sr_status read_up_to(struct sms_chain *c, const struct addr *data, uint64_t head,
                            struct sr_err *err) {
    uint64_t size = UINT64_MAX;
    for (unsigned asked = 0; asked < ASK_MAX; asked++) {
        struct owners part = *row_of(c, data); /* others may use the row while we wait */
        if (part.next > head) return SR_OK;
        uint64_t left = head - part.next, n = left < size ? left : size - 1;
        struct sr_err e = {0};
        sr_status st = read_part(c, data, part.next, part.next + n, &part, &e);
        if (st == SR_E_CHAIN && n / 2 >= BLOCK_MIN) {
            size = n / 2;
            continue;
        }
        if (st != SR_OK) {
            *err = e;
            return st;
        }
        part.next += n + 1;
        *row_of(c, data) = part;
    }
    return sr_fail(err, SR_E_CHAIN, "the node gives too few blocks of events at once");
}

sr_status sms_chain_was_owner(struct sms_chain *c, const struct addr *data, const struct addr *who,
                              bool *ret, struct sr_err *err) {
    uint64_t head;
    SR_TRY(sms_chain_open(c, err));
    if (!c->owners && !(c->owners = sr_calloc_n(OWNERS_KEPT, sizeof *c->owners)))
        return sr_fail(err, SR_E_NOMEM, "no memory for owners");
    if (is_in(row_of(c, data), who)) { /* who was one stays one */
        *ret = true;
        return SR_OK;
    }
    SR_TRY(eth_block_number(c->rpc, &head, err));
    SR_TRY(read_up_to(c, data, head, err));
    *ret = is_in(row_of(c, data), who);
    return SR_OK;
}
