/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recipe carried out. Every step is an intent of the sender: its transaction is on disk before
 * it is sent, so that after a crash at any line the same step finds the transaction of the first
 * time. What depends on nothing that is under way is sent without waiting.
 */
#include "deploy/deploy_int.h"
#include <stdio.h>
#include <unistd.h>

#define STATE_PATH_MAX 4096
#define GWEI           1000000000u

struct run {
    const struct deploy_opts *o;
    struct deploy_book book;
    struct eth_sender *sender;
    char state_path[STATE_PATH_MAX];
    /* sent, not yet seen mined, in order */
    struct {
        const struct json_val *step;
        struct hash tx;
    } under_way[DEPLOY_IN_FLIGHT];
    size_t n_under_way, n_done, n_steps;
    bool untouched; /* refused before anything was sent, now or in a former run */
};

static bool is_given(const struct run *r, const struct json_val *step) {
    const struct deploy_entry *e = deploy_book_find(&r->book, json_text(json_get(step, "creates")));
    return e && e->given;
}

/* One state for a chain, a deployer, a build: what another one sent must not be taken for ours. */
static sr_status name_state(struct run *r, struct sr_err *err) {
    struct eth_block genesis = {0};
    uint8_t id[8];
    struct keccak k;
    SR_TRY(eth_get_block(r->o->rpc, eth_at_block(0), &genesis, err));
    for (size_t i = 0; i < 8; i++) id[i] = (uint8_t)(r->book.chain_id >> (8 * i));
    keccak_init(&k);
    keccak_add(&k, slice_of(id, sizeof id));
    keccak_add(&k, slice_of(genesis.hash.b, sizeof genesis.hash.b));
    keccak_add(&k, slice_of(r->o->signer->addr.b, sizeof r->o->signer->addr.b));
    keccak_add(&k, slice_of(r->o->recipe->hash.b, sizeof r->o->recipe->hash.b));
    if (r->o->rlc) keccak_add(&k, slice_of(r->o->rlc->b, sizeof r->o->rlc->b));
    struct hash h = keccak_end(&k);
    char hex[17];
    hex_encode(hex, h.b, 8);
    if (snprintf(r->state_path, sizeof r->state_path, "%s.%s.state", r->o->book_path, hex) >=
        (int)sizeof r->state_path)
        return sr_fail(err, SR_E_USAGE, "%s: too long a name", r->o->book_path);
    return SR_OK;
}

static void remove_state(const struct run *r) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < SR_ARRAY_LEN(ends); i++) {
        char path[STATE_PATH_MAX + 8];
        (void)snprintf(path, sizeof path, "%s%s", r->state_path, ends[i]);
        (void)unlink(path); /* left behind it does no harm */
    }
}

static sr_status intent_of(const struct json_val *step, char dst[SENDER_INTENT_MAX],
                           struct sr_err *err) {
    struct slice name = json_text(json_get(step, "name"));
    if (snprintf(dst, SENDER_INTENT_MAX, "%.*s", (int)name.n, (const char *)name.p) >=
        SENDER_INTENT_MAX)
        return sr_fail(err, SR_E_MALFORMED, "a step's name is too long");
    return SR_OK;
}

/* ---- before anything is paid */

static sr_status count_done(struct run *r, size_t *ret_n, uint64_t *ret_gas, struct sr_err *err) {
    for (const struct json_val *s = json_first(r->o->recipe->steps); s; s = json_next(s)) {
        char intent[SENDER_INTENT_MAX];
        eth_intent_state state;
        struct hash tx;
        struct sr_err none = {0};
        uint64_t gas = 0;
        if (is_given(r, s)) continue;
        r->n_steps++;
        SR_TRY(intent_of(s, intent, err));
        sr_status st = eth_sender_intent(r->sender, intent, &state, &tx, &none);
        if (st == SR_OK) ++*ret_n;
        if (st == SR_E_NOTFOUND && json_u64(json_get(s, "gas"), &gas)) *ret_gas += gas;
        if (st != SR_OK && st != SR_E_NOTFOUND) {
            if (err) *err = none;
            return st;
        }
    }
    return SR_OK;
}

/* Below the base fee nothing is mined: better to say so than to wait. */
static sr_status fee_is_fair(const struct deploy_opts *o, struct sr_err *err) {
    struct eth_block now = {0};
    SR_TRY(eth_get_block(o->rpc, (struct eth_at){0}, &now, err));
    if (u256_is_zero(o->max_fee) || u256_cmp(now.base_fee, o->max_fee) <= 0) return SR_OK;
    char gwei[U256_DEC_MAX], most[U256_DEC_MAX];
    u256_to_dec(gwei, u256_div_u64(now.base_fee, GWEI, NULL));
    u256_to_dec(most, u256_div_u64(o->max_fee, GWEI, NULL));
    sr_hint(err, "do it later, or raise --max-fee");
    return sr_fail(err, SR_E_REFUSED, "gas costs %s gwei now, the limit is %s", gwei, most);
}

static sr_status plan(struct run *r, struct sr_err *err) {
    const struct deploy_opts *o = r->o;
    struct deploy_plan p = {.chain_id = r->book.chain_id, .deployer = o->signer->addr};
    struct u256 tip;
    SR_TRY(count_done(r, &p.n_done, &p.gas, err));
    p.n_steps = r->n_steps;
    r->untouched = p.n_done == 0;
    SR_TRY(eth_balance(o->rpc, &p.deployer, (struct eth_at){0}, &p.balance, err));
    SR_TRY(eth_fees(o->rpc, &p.fee, &tip, err));
    SR_TRY(fee_is_fair(o, err));
    if (!u256_is_zero(o->max_fee) && u256_cmp(p.fee, o->max_fee) > 0) p.fee = o->max_fee;
    if (!u256_mul(&p.cost, p.fee, u256_of(p.gas)))
        return sr_fail(err, SR_E_RANGE, "the chain asks absurd fees");
    if (o->confirm) SR_TRY(o->confirm(o->arg, &p, err));
    if (u256_cmp(p.balance, p.cost) < 0) {
        sr_hint(err, "send it the chain's currency, then do the same again");
        return sr_fail(err, SR_E_REFUSED, "%s cannot pay for the deployment",
                       addr_text(&p.deployer).s);
    }
    return SR_OK;
}

/* ---- sending */

static sr_status see_mined(struct run *r, struct sr_err *err) {
    for (size_t i = 0; i < r->n_under_way; i++) {
        const struct json_val *step = r->under_way[i].step;
        struct slice name = json_text(json_get(step, "name")),
                     creates = json_text(json_get(step, "creates"));
        cleanup_receipt struct eth_receipt rc = {0};
        sr_status st = eth_sender_wait(r->sender, &r->under_way[i].tx, DEPLOY_MINED_MS, &rc, err);
        if (st == SR_OK && creates.n > 0 && !rc.has_contract)
            st = sr_fail(err, SR_E_CHAIN, "the receipt names no contract");
        if (st != SR_OK) {
            sr_err_prefix(err, "%.*s", (int)name.n, (const char *)name.p);
            if (st == SR_E_REFUSED)
                sr_hint(err, "it was sent and reverted: remove %s to begin anew", r->state_path);
            return st;
        }
        if (creates.n > 0) SR_TRY(deploy_book_put(&r->book, creates, &rc.contract, false, err));
        char text[SENDER_INTENT_MAX];
        SR_TRY(intent_of(step, text, err));
        r->n_done++;
        if (r->o->mined)
            r->o->mined(r->o->arg, r->n_done, r->n_steps, text,
                        creates.n > 0 ? &rc.contract : NULL);
    }
    r->n_under_way = 0;
    return SR_OK;
}

static sr_status send_step(struct run *r, const struct json_val *step, struct sr_err *err) {
    char intent[SENDER_INTENT_MAX];
    cleanup_buf struct buf data;
    buf_init(&data, DEPLOY_CODE_MAX);
    struct slice to = json_text(json_get(step, "to"));
    SR_TRY(intent_of(step, intent, err));
    SR_TRY(recipe_step_data(step, &r->book, &data, err));
    struct eth_want w = {.intent = intent, .creates = to.n == 0, .data = buf_slice(&data)};
    if (to.n > 0) w.to = deploy_book_find(&r->book, to)->addr;
    sr_status st = eth_sender_submit(r->sender, &w, &r->under_way[r->n_under_way].tx, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "%s", intent);
        sr_hint(err, "nothing is lost: do the same again, it goes on where it stopped");
        return st;
    }
    r->under_way[r->n_under_way++].step = step;
    return SR_OK;
}

static sr_status send_all(struct run *r, struct sr_err *err) {
    for (const struct json_val *s = json_first(r->o->recipe->steps); s; s = json_next(s)) {
        if (is_given(r, s)) continue;
        if (r->n_under_way == DEPLOY_IN_FLIGHT || !recipe_step_ready(s, &r->book))
            SR_TRY(see_mined(r, err));
        SR_TRY(send_step(r, s, err));
    }
    return see_mined(r, err);
}

static sr_status carry_out(struct run *r, struct sr_err *err) {
    const struct deploy_opts *o = r->o;
    const struct eth_sender_opts so = {.rpc = o->rpc,
                                       .signer = o->signer,
                                       .path = r->state_path,
                                       .chain_id = r->book.chain_id,
                                       .stuck_ms = o->stuck_ms,
                                       .max_fee_cap = o->max_fee};
    SR_TRY(eth_sender_new(&so, &r->sender, err));
    SR_TRY(plan(r, err));
    r->untouched = false;
    SR_TRY(send_all(r, err));
    cleanup_buf struct buf text;
    buf_init(&text, DEPLOY_BOOK_MAX);
    deploy_book_text(&r->book, o->rpc_url, &text);
    SR_TRY(buf_status(&text, err));
    /* 0600: the node's address may carry a customer's key */
    return fs_write_atomic(o->book_path, buf_slice(&text), 0600, err);
}

sr_status deploy_run(const struct deploy_opts *o, struct deploy_book *ret_book,
                     struct sr_err *err) {
    cleanup_free struct run *r = sr_calloc_n(1, sizeof *r);
    if (!r) return sr_fail(err, SR_E_NOMEM, "out of memory");
    r->o = o;
    if (fs_exists(o->book_path)) {
        sr_hint(err, "strongroom contracts verify compares it with the chain; name another file to "
                     "deploy once more");
        return sr_fail(err, SR_E_CONFLICT, "%s is there already", o->book_path);
    }
    SR_TRY(eth_chain_id(o->rpc, &r->book.chain_id, err));
    SR_TRY(deploy_book_put(&r->book, SLICE_LIT("deployer"), &o->signer->addr, false, err));
    if (o->rlc) SR_TRY(deploy_book_put(&r->book, SLICE_LIT("rlc"), o->rlc, true, err));
    SR_TRY(name_state(r, err));
    sr_status st = carry_out(r, err);
    eth_sender_free(r->sender);
    if (st == SR_OK || r->untouched) remove_state(r);
    if (st == SR_OK) *ret_book = r->book;
    return st;
}
