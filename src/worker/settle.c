/* SPDX-License-Identifier: Apache-2.0 */
/*
 * initialize and contributeAndFinalize, with consecutive nonces, so that one block may take both.
 *
 * The sender keeps both by intent in its database before it sends them: a worker that dies here
 * goes on at its next start (jobs/<task>/settling.json says with what), and nothing is sent twice.
 */
#include "worker/worker_int.h"
#include <stdio.h>

#define GAS_INITIALIZE 500000u
#define GAS_FINALIZE   1500000u
#define GAS_BYTE       1000u /* of results and callback data: 722 seen (execution.md, section 2) */
#define GAS_CALLBACK   500000u
#define SETTLE_GRACE_S 5u /* before the deadline it is of no use to begin */

static uint64_t now_s(void) {
    return clock_unix_ms() / 1000;
}

static sr_status await_authorisation(struct job *j, struct sr_err *err) {
    while (!j->authorised) {
        uint64_t now = now_s();
        if (j->cancelled) return sr_fail(err, SR_E_CANCELLED, "dropped by the scheduler");
        if (now + SETTLE_GRACE_S >= j->contribution_deadline)
            return job_fail(
                j, "CONTRIBUTION_TIMEOUT", BLAME_HOST,
                sr_fail(err, SR_E_TIMEOUT, "no authorisation before the contribution deadline"));
        sr_status st = fcond_wait(&j->changed, (j->contribution_deadline - now) * 1000, NULL);
        if (st == SR_E_CANCELLED) return sr_fail(err, st, "the worker stops");
    }
    return SR_OK;
}

static sr_status submit(struct job *j, const char *what, struct slice data, uint64_t gas,
                        struct hash *ret_tx, struct sr_err *err) {
    char intent[SENDER_INTENT_MAX];
    (void)snprintf(intent, sizeof intent, "%s:%s", what, hash_text(&j->task).s);
    struct eth_want want = {.intent = intent, .to = j->w->hub, .data = data, .gas_limit = gas};
    for (;;) {
        struct sr_err e = {0};
        sr_status st = eth_sender_submit(j->w->sender, &want, ret_tx, &e);
        if (st == SR_OK) return SR_OK;
        /* The node or the vault is away: until the deadline there is time. */
        bool away = st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT;
        if (!away || j->cancelled || now_s() >= j->contribution_deadline ||
            fiber_sleep(WORKER_RETRY_MS, NULL) != SR_OK) {
            if (err) *err = e;
            return job_fail(j, away ? "CHAIN_UNREACHABLE" : "CHAIN_RECEIPT_NOT_VALID", BLAME_HOST,
                            st);
        }
    }
}

/* Somebody (an earlier life of this worker) may have completed it already, with the same result. */
static bool is_completed_by_us(const struct job *j) {
    struct poco_task t = {0};
    if (poco_view_task(&j->w->poco, &j->task, (struct eth_at){0}, &t, NULL) != SR_OK) return false;
    bool same = t.status == POCO_TASK_COMPLETED && hash_eq(&t.result_digest, &j->digest);
    poco_task_done(&t);
    return same;
}

static sr_status await_receipt(struct job *j, struct sr_err *err) {
    for (;;) {
        struct sr_err e = {0};
        uint64_t now = now_s(),
                 left = j->contribution_deadline > now ? j->contribution_deadline - now : 0;
        cleanup_receipt struct eth_receipt receipt = {0};
        sr_status st = eth_sender_wait(j->w->sender, &j->tx, (left + 30) * 1000, &receipt, &e);
        if (st == SR_OK) {
            j->tx = receipt.tx;
            return SR_OK;
        }
        if (st == SR_E_REFUSED && is_completed_by_us(j)) return SR_OK;
        bool again = st == SR_E_UNAVAILABLE && left > 0 && !j->cancelled;
        if (!again || fiber_sleep(WORKER_RETRY_MS, NULL) != SR_OK) {
            if (err) *err = e;
            return job_fail(j,
                            st == SR_E_TIMEOUT ? "CONTRIBUTION_TIMEOUT" : "CHAIN_RECEIPT_NOT_VALID",
                            BLAME_HOST, st);
        }
    }
}

static sr_status keep_record(const struct job *j, struct slice calldata, struct sr_err *err) {
    cleanup_free char *path = job_path(j, "settling.json");
    if (!path) return sr_fail(err, SR_E_NOMEM, "settling");
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_khash(&w, "task", &j->task);
    jw_khash(&w, "deal", &j->deal);
    jw_ku64(&w, "index", j->index);
    jw_khash(&w, "digest", &j->digest);
    jw_ku64(&w, "contributionDeadline", j->contribution_deadline);
    jw_kbool(&w, "initialized", j->initialized);
    jw_khex(&w, "call", calldata);
    jw_end_obj(&w);
    SR_TRY(buf_status(&b, err));
    return fs_write_atomic(path, buf_slice(&b), 0600, err);
}

static sr_status settle_send(struct job *j, struct slice calldata, struct sr_err *err) {
    struct hash ignored;
    if (!j->initialized) {
        cleanup_buf struct buf init;
        buf_init(&init, 256);
        SR_TRY(poco_enc_initialize(&init, &j->deal, u256_of(j->index), err));
        /* It may revert, when somebody else was faster: that harms nothing. */
        SR_TRY(submit(j, "initialize", buf_slice(&init), GAS_INITIALIZE, &ignored, err));
    }
    uint64_t gas =
        GAS_FINALIZE + GAS_BYTE * calldata.n + (j->callback_data.n > 0 ? GAS_CALLBACK : 0);
    SR_TRY(submit(j, "finalize", calldata, gas, &j->tx, err));
    return await_receipt(j, err);
}

sr_status settle(struct job *j, struct sr_err *err) {
    SR_TRY(await_authorisation(j, err));
    cleanup_buf struct buf call;
    buf_init(&call, 256u << 10);
    sr_status st = poco_enc_contribute_and_finalize(
        &call, &j->task, &j->digest, buf_slice(&j->results), buf_slice(&j->callback_data),
        &j->challenge, slice_of(j->enclave_sign.b, 65), slice_of(j->authorisation.b, 65), err);
    if (st == SR_OK) st = keep_record(j, buf_slice(&call), err);
    if (st != SR_OK) return job_fail(j, "CHAIN_RECEIPT_NOT_VALID", BLAME_HOST, st);
    return settle_send(j, buf_slice(&call), err);
}

sr_status settle_resume(struct job *j, struct slice record, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf call;
    struct slice text;
    buf_init(&call, 256u << 10);
    SR_TRY(json_parse(record, &doc, err));
    const struct json_val *v = json_root(doc);
    if (!json_hash(json_get(v, "task"), &j->task) || !json_hash(json_get(v, "deal"), &j->deal) ||
        !json_u64(json_get(v, "index"), &j->index) ||
        !json_hash(json_get(v, "digest"), &j->digest) ||
        !json_u64(json_get(v, "contributionDeadline"), &j->contribution_deadline) ||
        !json_bool(json_get(v, "initialized"), &j->initialized) ||
        !json_str(json_get(v, "call"), &text) || !hex_decode_buf(text, &call)) {
        BUF_TRY_MEMORY(&call, err);
        return sr_fail(err, SR_E_MALFORMED, "a settling record is faulty");
    }
    return settle_send(j, buf_slice(&call), err);
}
