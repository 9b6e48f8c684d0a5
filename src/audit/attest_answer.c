/* SPDX-License-Identifier: Apache-2.0 */
/* The answer about evidence: the one JSON object of the contract, and the same for people.
 * SPEC: attestation.md#12-policy-verdict-test-contract */
#include "audit/judged.h"
#include <stdio.h>

static void hex_text(struct jw *w, const char *key, struct slice s) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, 4096);
    buf_hex(&b, s);
    jw_kcstr(w, key, buf_cstr(&b));
}

static void dcap_measurements(struct jw *w, const struct dcap_result *r) {
#define REG(name, field) hex_text(w, name, slice_of(field, sizeof(field)))
    if (r->tdx) {
        REG("mr_td", r->regs.mrtd);
        REG("mr_config_id", r->regs.mrconfigid);
        REG("mr_seam", r->mrseam);
        REG("mr_owner", r->mrowner);
        REG("mr_owner_config", r->mrownerconfig);
        REG("rtmr0", r->regs.rtmr[0]);
        REG("rtmr1", r->regs.rtmr[1]);
        REG("rtmr2", r->regs.rtmr[2]);
        REG("rtmr3", r->regs.rtmr[3]);
        REG("xfam", r->xfam);
        REG("td_attributes", r->td_attributes);
        REG("mr_servicetd", r->mr_servicetd);
    } else {
        REG("mr_enclave", r->mrenclave);
        REG("mr_signer", r->mrsigner);
        jw_ku64(w, "isv_prod_id", r->isv_prod_id);
        jw_ku64(w, "isv_svn", r->isv_svn);
    }
    REG("report_data", r->report_data);
}

static void snp_measurements(struct jw *w, const struct snp_report *r) {
    REG("measurement", r->measurement);
    REG("host_data", r->host_data);
    REG("report_data", r->report_data);
    REG("id_key_digest", r->id_key_digest);
    REG("chip_id", r->chip_id);
    REG("reported_tcb", r->reported_tcb);
    REG("committed_tcb", r->committed_tcb);
    REG("launch_tcb", r->launch_tcb);
#undef REG
}

static void nitro_measurements(struct jw *w, const struct nitro_doc *d) {
    for (size_t i = 0; i < NITRO_PCRS; i++) {
        char name[16];
        if (d->pcr[i].n == 0) continue;
        (void)snprintf(name, sizeof name, "pcr%zu", i);
        hex_text(w, name, d->pcr[i]);
    }
    if (d->has_user_data) hex_text(w, "user_data", d->user_data);
    if (d->has_nonce) hex_text(w, "nonce", d->nonce);
    if (d->has_public_key) hex_text(w, "public_key", d->public_key);
}

void judged_json(const struct judged *e, struct buf *ret) {
    struct jw writer = jw_of(ret), *w = &writer;
    const char *kind = e->given->kind;
    const bool dcap = strcmp(kind, "dcap") == 0;
    jw_obj(w);
    jw_kcstr(w, "verdict", e->accepted ? "accept" : "reject");
    jw_key(w, "error");
    if (e->accepted)
        jw_null(w);
    else
        jw_cstr(w, e->error ? e->error : "REJECTED");
    jw_kcstr(w, "kind", kind);
    if (dcap && e->has_platform) {
        jw_kcstr(w, "tcb_status", tcb_status_name(e->dcap.status));
        jw_kcstr(w, "sgx_level_status", tcb_status_name(e->dcap.sgx_level));
        jw_kcstr(w, "tdx_level_status", tcb_status_name(e->dcap.tdx_level));
        jw_kcstr(w, "module_status", tcb_status_name(e->dcap.module));
        jw_kcstr(w, "qe_status", tcb_status_name(e->dcap.qe));
        jw_key(w, "advisories");
        jw_arr(w);
        for (size_t i = 0; i < e->dcap.n_advisories; i++) jw_cstr(w, e->dcap.advisories[i]);
        jw_end_arr(w);
        char until[25];
        iso8601(until, dcap_collateral_expires(e->collateral) * 1000);
        jw_kcstr(w, "collateral_expires", until);
    }
    if (strcmp(kind, "ccel") == 0) {
        jw_key(w, "rtmr");
        jw_arr(w);
        for (size_t i = 0; e->log.events > 0 && i < 4; i++) {
            char hex[97];
            hex_encode(hex, e->log.rtmr[i], 48);
            jw_cstr(w, hex);
        }
        jw_end_arr(w);
        jw_ku64(w, "events", e->log.events);
        jw_ku64(w, "events_with_proved_text", e->log.proved);
    } else {
        jw_kbool(w, "debug", e->dcap.debug || e->snp.debug || e->nitro.debug);
        jw_kbool(w, "simulated", false);
        jw_key(w, "policy_strict_reject");
        jw_arr(w);
        for (size_t i = 0; i < e->n_strict; i++) jw_cstr(w, e->strict[i]);
        jw_end_arr(w);
    }
    /* What is not verified is not shown: somebody would use it. */
    if (e->accepted && e->in.root_der.n > 0) {
        jw_kbool(w, "root_is_pinned",
                 e->in.snp     ? snp_ark_is_pinned(e->in.root_der, NULL)
                 : e->in.nitro ? nitro_root_is_pinned(e->in.root_der)
                               : dcap_root_is_pinned(e->in.root_der));
        if (e->in.snp) jw_kcstr(w, "product", snp_product_name(e->snp.product));
        if (e->in.snp) jw_kcstr(w, "signing_key", e->snp.vlek ? "VLEK" : "VCEK");
        jw_key(w, "measurements");
        jw_obj(w);
        if (e->in.dcap) dcap_measurements(w, &e->dcap);
        if (e->in.snp) snp_measurements(w, &e->snp.report);
        if (e->in.nitro) nitro_measurements(w, &e->nitro.doc);
        jw_end_obj(w);
    }
    if (e->verdict.n > 0) {
        jw_key(w, "policy");
        policy_verdict_json(&e->verdict, w);
    }
    jw_end_obj(w);
    buf_str(ret, "\n");
}

void judged_text(const struct judged *e, struct buf *ret) {
    const char *kind = e->given->kind;
    buf_printf(ret, "%s evidence: %s%s%s\n", kind, e->accepted ? "genuine" : "REFUSED",
               e->accepted ? "" : ", ", e->accepted || !e->error ? "" : e->error);
    if (strcmp(kind, "dcap") == 0 && e->has_platform)
        buf_printf(ret, "  platform         %s\n", tcb_status_name(e->dcap.status));
    if (strcmp(kind, "dcap") == 0 && e->has_platform) {
        char until[25];
        const uint64_t end = dcap_collateral_expires(e->collateral);
        iso8601(until, end * 1000);
        buf_printf(ret, "  collateral       %s until %s\n",
                   end < e->now                       ? "EXPIRED, was good"
                   : end < e->now + COLLATERAL_WARN_S ? "get new one SOON: good"
                                                      : "good",
                   until);
    }
    if (e->in.snp && e->accepted)
        buf_printf(ret, "  product          %s, %s\n", snp_product_name(e->snp.product),
                   e->snp.vlek ? "VLEK" : "VCEK");
    for (size_t i = 0; i < e->n_strict; i++)
        buf_printf(ret, "  strict policy    refuses: %s\n", e->strict[i]);
    for (size_t i = 0; strcmp(kind, "ccel") == 0 && e->log.events > 0 && i < 4; i++) {
        char hex[97];
        hex_encode(hex, e->log.rtmr[i], 48);
        buf_printf(ret, "  RTMR%zu            %s\n", i, hex);
    }
    for (size_t i = 0; i < e->verdict.n; i++) {
        const struct policy_clause *p = &e->verdict.clause[i];
        buf_printf(ret, "  %-4s %-18s %s\n",
                   !p->judged ? "-"
                   : p->holds ? "ok"
                              : "NO",
                   p->name, p->why);
    }
    if (e->verdict.n > 0)
        buf_printf(ret, "policy: %s\n", e->verdict.accepted ? "accepted" : "REFUSED");
}
