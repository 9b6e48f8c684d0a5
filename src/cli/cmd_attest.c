/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attest verify: anybody's evidence, judged offline. The arguments, the exit code (0 accept, 1
 * reject) and the one JSON object are a contract with those who test verifiers.
 * SPEC: attestation.md#12-policy-verdict-test-contract
 */
#include "cli/cli_int.h"
#include "tee/eventlog.h"
#include "tee/policy.h"
#include <stdlib.h>
#include <time.h>

#define FILE_MAX (8u << 20)
#define ADV_MAX  DCAP_ADVISORIES_MAX

struct evidence {
    struct buf main, collateral, root, ek, ask, ark, policy, crl;
    uint64_t now;
    const char *error; /* class */
    struct dcap_collateral *dcap_collateral;
    struct dcap_result dcap;
    struct snp_result snp;
    struct nitro_result nitro;
    struct eventlog_result log;
    struct policy_input in;
    const char *strict[TEE_REASONS_MAX];
    size_t n_strict;
    bool accepted, judged;
    struct policy_verdict verdict;
};

static void evidence_done(struct evidence *e) {
    struct buf *all[] = {&e->main, &e->collateral, &e->root,   &e->ek,
                         &e->ask,  &e->ark,        &e->policy, &e->crl};
    for (size_t i = 0; i < SR_ARRAY_LEN(all); i++) buf_done(all[i]);
    dcap_collateral_free(e->dcap_collateral);
}

static sr_status option_file(struct cli *c, const char *name, bool needed, struct buf *b,
                             struct sr_err *err) {
    const char *path = cli_value(c, name);
    buf_init(b, FILE_MAX);
    if (path) return fs_read(path, b, err);
    if (!needed) return SR_OK;
    sr_hint(err, "strongroom help attest verify");
    return sr_fail(err, SR_E_USAGE, "attest verify: %s is missing", name);
}

static sr_status moment(struct cli *c, uint64_t *ret, struct sr_err *err) {
    const char *text = cli_value(c, "--time");
    struct tm tm = {0};
    *ret = clock_unix_ms() / 1000;
    if (!text) return SR_OK;
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    time_t t = end && *end == 0 ? timegm(&tm) : -1;
    if (t < 0) return sr_fail(err, SR_E_USAGE, "--time is like 2026-01-31T12:00:00Z");
    *ret = (uint64_t)t;
    return SR_OK;
}

/* ---- the kinds: SR_OK and e->accepted says the verdict; a failure is of the command ---- */

static sr_status verify_dcap(struct cli *c, struct evidence *e, struct sr_err *err) {
    SR_TRY(option_file(c, "--quote", true, &e->main, err));
    SR_TRY(option_file(c, "--collateral", true, &e->collateral, err));
    SR_TRY(option_file(c, "--root", false, &e->root, err));
    sr_status st = SR_OK;
    if (!cli_value(c, "--root")) {
        st = dcap_pinned_root(buf_slice(&e->collateral), &e->root, NULL);
        if (st != SR_OK) e->error = "CHAIN_ROOT";
    }
    if (st == SR_OK)
        st = dcap_collateral_new(buf_slice(&e->collateral), buf_slice(&e->root),
                                 &e->dcap_collateral, &e->error, NULL);
    if (st == SR_OK) {
        st = dcap_verify(buf_slice(&e->main), e->dcap_collateral, e->now, &e->dcap, NULL);
        e->error = e->dcap.error;
        e->judged = true;
    }
    e->accepted = st == SR_OK;
    if (st == SR_OK) e->n_strict = dcap_strict_reasons(&e->dcap, e->strict, TEE_REASONS_MAX);
    e->in = (struct policy_input){.provider = e->dcap.tdx ? TEE_TDX : TEE_SGX,
                                  .dcap = &e->dcap,
                                  .collateral = e->dcap_collateral,
                                  .root_der = buf_slice(&e->root)};
    return SR_OK;
}

static sr_status verify_snp(struct cli *c, struct evidence *e, struct sr_err *err) {
    struct snp_chain *chain = NULL;
    SR_TRY(option_file(c, "--report", true, &e->main, err));
    SR_TRY(option_file(c, "--ek", true, &e->ek, err));
    SR_TRY(option_file(c, "--ask", true, &e->ask, err));
    SR_TRY(option_file(c, "--ark", true, &e->ark, err));
    SR_TRY(option_file(c, "--crl", false, &e->crl, err));
    sr_status st = snp_chain_new(buf_slice(&e->ek), buf_slice(&e->ask), buf_slice(&e->ark), &chain,
                                 &e->error, NULL);
    if (st == SR_OK && e->crl.n > 0)
        st = snp_chain_add_crl(chain, buf_slice(&e->crl), &e->error, NULL);
    if (st == SR_OK) {
        st = snp_verify(buf_slice(&e->main), chain, e->now, &e->snp, NULL);
        e->error = e->snp.error;
    }
    snp_chain_free(chain);
    e->accepted = st == SR_OK;
    if (st == SR_OK) e->n_strict = snp_strict_reasons(&e->snp, e->strict, TEE_REASONS_MAX);
    e->in = (struct policy_input){
        .provider = TEE_SEV_SNP, .snp = &e->snp, .root_der = buf_slice(&e->ark)};
    return SR_OK;
}

static sr_status verify_nitro(struct cli *c, struct evidence *e, struct sr_err *err) {
    SR_TRY(option_file(c, "--doc", true, &e->main, err));
    SR_TRY(option_file(c, "--root", false, &e->root, err));
    struct nitro_doc d;
    /* Without a root given, the document's own is tried: the pin decides. */
    if (!cli_value(c, "--root") && nitro_parse(buf_slice(&e->main), &d, NULL, NULL) == SR_OK &&
        nitro_root_is_pinned(d.cabundle[0]))
        buf_add(&e->root, d.cabundle[0]);
    sr_status st = nitro_verify(buf_slice(&e->main), buf_slice(&e->root), e->now, &e->nitro, NULL);
    e->error = e->nitro.error;
    e->accepted = st == SR_OK;
    if (st == SR_OK) e->n_strict = nitro_strict_reasons(&e->nitro, e->strict, TEE_REASONS_MAX);
    e->in = (struct policy_input){
        .provider = TEE_NITRO, .nitro = &e->nitro, .root_der = buf_slice(&e->root)};
    return SR_OK;
}

/* A log alone proves nothing; with --quote its registers must be those of the quote. */
static sr_status verify_ccel(struct cli *c, struct evidence *e, struct sr_err *err) {
    struct dcap_quote q;
    SR_TRY(option_file(c, "--log", true, &e->main, err));
    SR_TRY(option_file(c, "--quote", false, &e->collateral, err));
    struct slice log = buf_slice(&e->main), first = slice_trim(log);
    sr_status st = first.n > 0 && first.p[0] == '{' ? eventlog_replay_json(log, &e->log, NULL)
                                                    : eventlog_replay(log, &e->log, NULL);
    e->accepted = st == SR_OK;
    if (st != SR_OK) e->error = "PARSE";
    if (st != SR_OK || !cli_value(c, "--quote")) return SR_OK;
    e->accepted = dcap_parse(buf_slice(&e->collateral), &q, &e->error, NULL) == SR_OK && q.tdx;
    for (size_t i = 0; e->accepted && i < 4; i++) {
        if (e->log.n[i] == 0 || memcmp(q.body.p + 328 + 48 * i, e->log.rtmr[i], 48) == 0) continue;
        e->accepted = false;
        e->error = "RTMR_MISMATCH";
    }
    return SR_OK;
}

/* ---- the answer ---- */

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

static void answer_json(struct cli *c, const char *kind, const struct evidence *e) {
    struct jw *w = &c->w;
    const bool dcap = strcmp(kind, "dcap") == 0;
    jw_obj(w);
    jw_kcstr(w, "verdict", e->accepted ? "accept" : "reject");
    jw_key(w, "error");
    if (e->accepted)
        jw_null(w);
    else
        jw_cstr(w, e->error ? e->error : "REJECTED");
    jw_kcstr(w, "kind", kind);
    if (dcap && e->judged) {
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
        iso8601(until, dcap_collateral_expires(e->dcap_collateral) * 1000);
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
    buf_str(&c->out, "\n");
}

static void answer_text(struct cli *c, const char *kind, const struct evidence *e) {
    buf_printf(&c->out, "%s evidence: %s%s%s\n", kind, e->accepted ? "genuine" : "REFUSED",
               e->accepted ? "" : ", ", e->accepted || !e->error ? "" : e->error);
    if (strcmp(kind, "dcap") == 0 && e->judged)
        buf_printf(&c->out, "  platform         %s\n", tcb_status_name(e->dcap.status));
    if (strcmp(kind, "dcap") == 0 && e->judged) {
        char until[25];
        const uint64_t end = dcap_collateral_expires(e->dcap_collateral);
        iso8601(until, end * 1000);
        buf_printf(&c->out, "  collateral       %s until %s\n",
                   end < e->now                       ? "EXPIRED, was good"
                   : end < e->now + COLLATERAL_WARN_S ? "get new one SOON: good"
                                                      : "good",
                   until);
    }
    if (e->in.snp && e->accepted)
        buf_printf(&c->out, "  product          %s, %s\n", snp_product_name(e->snp.product),
                   e->snp.vlek ? "VLEK" : "VCEK");
    for (size_t i = 0; i < e->n_strict; i++)
        buf_printf(&c->out, "  strict policy    refuses: %s\n", e->strict[i]);
    for (size_t i = 0; strcmp(kind, "ccel") == 0 && e->log.events > 0 && i < 4; i++) {
        char hex[97];
        hex_encode(hex, e->log.rtmr[i], 48);
        buf_printf(&c->out, "  RTMR%zu            %s\n", i, hex);
    }
    for (size_t i = 0; i < e->verdict.n; i++) {
        const struct policy_clause *p = &e->verdict.clause[i];
        buf_printf(&c->out, "  %-4s %-18s %s\n",
                   !p->judged ? "-"
                   : p->holds ? "ok"
                              : "NO",
                   p->name, p->why);
    }
    if (e->verdict.n > 0)
        buf_printf(&c->out, "policy: %s\n", e->verdict.accepted ? "accepted" : "REFUSED");
}

static sr_status judge(struct cli *c, struct evidence *e, const char **ret_kind,
                       struct sr_err *err) {
    static const struct {
        const char *kind;
        sr_status (*verify)(struct cli *c, struct evidence *e, struct sr_err *err);
    } kinds[] = {
        {"dcap", verify_dcap}, {"snp", verify_snp}, {"nitro", verify_nitro}, {"ccel", verify_ccel}};
    const char *kind = cli_value(c, "--kind");
    SR_TRY(moment(c, &e->now, err));
    SR_TRY(option_file(c, "--policy", false, &e->policy, err));
    for (size_t i = 0; kind && i < SR_ARRAY_LEN(kinds); i++) {
        if (strcmp(kind, kinds[i].kind) != 0) continue;
        *ret_kind = kinds[i].kind;
        SR_TRY(kinds[i].verify(c, e, err));
        if (!cli_value(c, "--policy") || !e->accepted || e->in.root_der.n == 0) return SR_OK;
        struct policy *p = NULL;
        SR_TRY(policy_new(buf_slice(&e->policy), &p, err));
        e->in.now_s = e->now;
        policy_evaluate(p, &e->in, &e->verdict);
        policy_free(p);
        return SR_OK;
    }
    sr_hint(err, "--kind dcap, snp, nitro or ccel");
    return sr_fail(err, SR_E_USAGE, "attest verify: what kind of evidence is it?");
}

sr_status cmd_attest_verify(struct cli *c, struct sr_err *err) {
    struct evidence *e = sr_calloc_n(1, sizeof *e);
    const char *kind = "";
    if (!e) return sr_fail(err, SR_E_NOMEM, "out of memory");
    sr_status st = judge(c, e, &kind, err);
    if (st == SR_OK && e->accepted && e->verdict.n > 0 && !e->verdict.accepted) {
        e->accepted = false;
        e->error = "POLICY";
    }
    if (st == SR_OK && cli_flag(c, "--text"))
        answer_text(c, kind, e);
    else if (st == SR_OK)
        answer_json(c, kind, e);
    if (st == SR_OK && !e->accepted) c->exit_code = 1;
    evidence_done(e);
    free(e);
    return st;
}
