/* SPDX-License-Identifier: Apache-2.0 */
/* task evidence: makes an evidence bundle; verify FILE: checks it, offline. */
#include "cli/cli_int.h"
#include <strongroom/attest.h>

#define BUNDLE_MAX (4u << 20)

/* Anybody can write a bundle about services of his own: who knows the real ones says so. */
static sr_status expected(struct cli *c, const char *option, const char *got, struct sr_err *err) {
    const char *text = cli_value(c, option);
    struct addr want, is;
    if (!text) return SR_OK;
    if (!addr_parse(slice_str(text), &want))
        return sr_fail(err, SR_E_USAGE, "%s is an address: 0x and 40 digits", option);
    if (addr_parse(slice_str(got), &is) && addr_eq(&want, &is)) return SR_OK;
    return sr_fail(err, SR_E_REFUSED, "%s: the bundle's is %s", option, got);
}

static sr_status tell(struct cli *c, const struct sr_bundle_report *r, struct sr_err *err) {
    cleanup_buf struct buf held = {0};
    buf_init(&held, 4096);
    struct jw w = jw_of(&held);
    jw_arr(&w);
    for (size_t i = 0; i < r->n_checked; i++) jw_cstr(&w, r->checked[i]);
    jw_end_arr(&w);
    SR_TRY(buf_status(&held, err));
    out_begin(c);
    out_bool(c, "holds", true);
    out_str(c, "evidence", r->label);
    out_bool(c, "simulated", r->simulated);
    out_text(c, "%s",
             r->simulated ? "                 SIMULATED evidence protects nothing from the host\n"
                          : "");
    out_str(c, "task", r->task);
    out_str(c, "deal", r->deal);
    out_str(c, "result", r->result_digest);
    out_time(c, "released", r->released_unix_s);
    out_json(c, "checked", buf_cstr(&held));
    out_text(c, "%s", "stated, ask the chain:\n");
    out_u64(c, "chain", r->chain_id);
    out_str(c, "hub", r->hub);
    out_str(c, "transaction", r->transaction);
    out_str(c, "sms_identity", r->sms_identity);
    out_str(c, "worker", r->worker);
    out_str(c, "app_owner", r->app_owner);
    out_str(c, "dataset_owner", r->data_owner);
    out_str(c, "pool_owner", r->workerpool_owner);
    out_end(c);
    return SR_OK;
}

sr_status cmd_verify(struct cli *c, struct sr_err *err) {
    cleanup_buf struct buf b = {0};
    struct sr_bundle_report r;
    buf_init(&b, BUNDLE_MAX);
    SR_TRY(fs_read(c->args[0], &b, err));
    SR_TRY(sr_bundle_verify(b.p, b.n, &r, err));
    if (!r.holds) {
        sr_hint(err,
                "the field named is not what was signed or measured: do not rely on this file");
        return sr_fail(err, SR_E_CRYPTO, "%s: %s", r.field, r.why);
    }
    SR_TRY(expected(c, "--hub", r.hub, err));
    SR_TRY(expected(c, "--sms-identity", r.sms_identity, err));
    return tell(c, &r, err);
}

sr_status cmd_task_evidence(struct cli *c, struct sr_err *err) {
    cleanup_buf struct buf name = {0};
    struct sr_bundle b;
    const char *file = cli_value(c, "--out");
    buf_init(&name, 256);
    buf_printf(&name, "%.80s.bundle.json", c->args[0]);
    SR_TRY(buf_status(&name, err));
    if (!file) file = buf_cstr(&name);
    SR_TRY(sr_task_bundle(c->client, c->args[0], cli_value(c, "--policy"), file, &b, err));
    out_begin(c);
    out_str(c, "file", file);
    out_u64(c, "bytes", b.bytes);
    out_str(c, "task", b.task);
    out_str(c, "deal", b.deal);
    out_str(c, "evidence", b.label);
    out_str(c, "transaction", b.transaction);
    out_end(c);
    return SR_OK;
}
