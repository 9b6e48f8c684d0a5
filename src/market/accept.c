/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept.c - publishes that came together are judged and stored together
 *
 * In one transaction: what the index knows of all of them (one wait), their challenges (one wait),
 * a judgement each, their rows (one wait). Nothing of the index changes meanwhile: our own writes
 * alone (commit.h), another market's waits for the transaction.
 * SPEC: services.md#26-publishing-checks-in-order
 */
#include "market/market_int.h"
#include <stdlib.h>

#define READ_AGAIN 8 /* a publish reads the chain again when a block came in between */

struct publish *publish_new(void) {
    struct publish *p = sr_calloc_n(1, sizeof *p);
    if (p) buf_init(&p->json, MARKET_BODY_MAX * 6);
    return p;
}

void publish_free(struct publish *p) {
    if (!p) return;
    json_free(p->doc);
    authed_done(&p->authed);
    buf_done(&p->json);
    free(p);
}

static void drop(struct commit_job *job) {
    publish_free((struct publish *)job);
}

/* ---- the checks */

static sr_status need_an_order(struct market *m, const struct poco_order *o, poco_kind k,
                               struct sr_err *err) {
    const struct poco_requestorder *r = &o->request;
    const struct request_needs n = {r->app, r->dataset, r->workerpool, r->requester,
                                    tag_is_tee(&r->tag)};
    const struct addr *res = k == POCO_APP ? &r->app : &r->dataset;
    const char *word = poco_kind_word[k];
    bool any;
    uint64_t best = 0;
    SR_TRY(orders_for_request(m, k, &n, &any, &best, err));
    if (!any)
        return sr_fail(err, SR_E_REFUSED, "No %s%sorder published for %s %s",
                       k == POCO_APP && n.tee ? "tee enabled " : "", word, word,
                       addr_checksum(res).s);
    struct u256 max = k == POCO_APP ? r->appmaxprice : r->datasetmaxprice;
    if (u256_cmp(u256_of(best), max) > 0)
        return sr_fail(err, SR_E_REFUSED,
                       "%smaxprice for %s %s is too low, actual best price is %llu nRLC", word,
                       word, addr_checksum(res).s, (unsigned long long)best);
    return SR_OK;
}

static sr_status judge(struct market *m, const struct poco_order *o, const struct facts *f,
                       const struct addr *who, uint64_t *ret_remaining, struct sr_err *err) {
    const char *word = poco_kind_word[o->kind];
    if (!f->registered) return sr_fail(err, SR_E_REFUSED, "Resource not deployed");
    if (!addr_eq(&f->owner, who))
        return sr_fail(err, SR_E_REFUSED, "only order signer %s can publish an order",
                       addr_checksum(&f->owner).s);
    if (!f->signed_ok) return sr_fail(err, SR_E_REFUSED, "invalid sign");
    uint64_t open;
    SR_TRY(counts_open(m, o->kind, who, &open, err));
    if (open >= m->open_max)
        return sr_fail(err, SR_E_REFUSED,
                       "maximum of %llu published open %sorders has been reached for wallet %s",
                       (unsigned long long)m->open_max, word, addr_checksum(who).s);
    struct u256 left, need;
    uint64_t remaining = 0;
    if (!u256_sub(&left, *poco_order_volume(o), f->consumed) || u256_is_zero(left) ||
        !u256_to_u64(left, &remaining))
        return sr_fail(err, SR_E_REFUSED, "order already consumed");
    if (!order_stake(o, remaining, &need) || u256_cmp(need, f->stake) > 0) {
        if (o->kind == POCO_WORKERPOOL)
            return sr_fail(err, SR_E_REFUSED,
                           "workerpool owner's stake is too low to cover required workerpool lock");
        char dec[U256_DEC_MAX];
        u256_to_dec(dec, need);
        return sr_fail(err, SR_E_REFUSED,
                       "requester stake is too low to cover requestorder payment, minimum stake "
                       "required is %s nRLC",
                       dec);
    }
    if (o->kind == POCO_REQUEST) {
        SR_TRY(need_an_order(m, o, POCO_APP, err));
        if (!addr_is_zero(&o->request.dataset)) SR_TRY(need_an_order(m, o, POCO_DATASET, err));
    }
    *ret_remaining = remaining;
    return SR_OK;
}

/* Its row and text, when all is well; ask_chain when only the chain can say so. */
static sr_status accept(struct market *m, struct publish *p, struct sr_err *err) {
    const struct addr *who = &p->authed.who;
    struct facts f;
    uint64_t remaining;
    p->ask_chain = false;
    if (p->malformed.code != SR_OK) {
        if (err) *err = p->malformed;
        return p->malformed.code;
    }
    if (p->index.known && p->index.status != ORDER_DEAD)
        return sr_fail(err, SR_E_REFUSED, "order already published");
    if (!facts_by_index(m, &p->o, &p->signature, who, &p->index, &f)) {
        p->ask_chain = !p->has_chain || p->step != m->step_no;
        if (p->ask_chain) return SR_OK;
        f = p->chain;
    }
    SR_TRY(judge(m, &p->o, &f, who, &remaining, err));
    p->row = order_row_of(&p->o, &p->signature.hash, who, remaining,
                          p->index.known ? p->index.published_ms : clock_unix_ms());
    buf_clear(&p->json);
    struct jw w = jw_of(&p->json);
    poco_order_json(&w, &p->o, true, true);
    return buf_status(&p->json, err);
}

/* The database's failures end the transaction; a refusal is its own. */
static bool is_refusal(sr_status st) {
    return st == SR_E_REFUSED || st == SR_E_MALFORMED || st == SR_E_TOOBIG || st == SR_E_NOMEM;
}

static sr_status run(void *role, struct commit_job **jobs, size_t n, struct sr_err *err) {
    struct market *m = role;
    struct authed *who[COMMIT_JOBS];
    cleanup_free struct db_stmt *s = sr_calloc_n(n, sizeof *s);
    size_t n_ask = 0, n_store = 0;
    if (!s) return sr_fail(err, SR_E_NOMEM, "publish");
    for (size_t i = 0; i < n; i++) {
        struct publish *p = (struct publish *)jobs[i];
        who[i] = &p->authed;
        if (p->malformed.code == SR_OK)
            s[n_ask++] = indexed_ask(&p->o, &p->signature.hash, &p->authed.who, &p->index);
    }
    SR_TRY(auth_use_all(m, who, n, s, n_ask, err));
    for (size_t i = 0; i < n; i++) {
        struct publish *p = (struct publish *)who[i];
        struct sr_err e = {0};
        if (!authed_goes_on(&p->authed)) continue;
        sr_status st = accept(m, p, &e);
        if (st != SR_OK && !is_refusal(st)) {
            if (err) *err = e;
            return st;
        }
        p->authed.job.st = st;
        p->authed.job.why = e;
        if (st == SR_OK && !p->ask_chain)
            s[n_store++] = order_insert_of(&p->row, buf_slice(&p->json), &p->insert);
    }
    SR_TRY(db_run_all(m->db, s, n_store, err));
    for (size_t i = 0; i < n; i++) {
        struct publish *p = (struct publish *)who[i];
        if (authed_goes_on(&p->authed) && !p->ask_chain) changes_order(m, NULL, &p->row);
    }
    return SR_OK;
}

sr_status publish_do(struct market *m, struct publish **p, struct sr_err *err) {
    for (unsigned i = 0; i < READ_AGAIN; i++) {
        struct commit_job *job = &(*p)->authed.job;
        job->run = run;
        job->drop = drop;
        sr_status st = commit_do(m->group, &job, err);
        if (!job) *p = NULL;
        if (st != SR_OK) return st;
        SR_ASSERT(*p); /* only a failure leaves it behind */
        if (!(*p)->ask_chain) return SR_OK;
        while (m->stepping) SR_TRY(fcond_wait(&m->step_done, COMMIT_WAIT_MS, err));
        (*p)->step = m->step_no;
        (*p)->has_chain = false;
        SR_TRY(facts_by_chain(m, &(*p)->o, &(*p)->signature.hash, &(*p)->authed.who, &(*p)->chain,
                              err));
        (*p)->has_chain = true;
    }
    return sr_fail(err, SR_E_UNAVAILABLE, "the chain moves too fast");
}
