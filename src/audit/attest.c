/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anybody's evidence, judged from bytes: the public face of tee. What is rejected has an error
 * class; a failure is of the caller.   SPEC: attestation.md#12-policy-verdict-test-contract
 */
#include "audit/judged.h"
#include <stdlib.h>

#define ANSWER_MAX (1u << 20)

static struct slice part(struct sr_bytes b) {
    return slice_of(b.p, b.p ? b.n : 0);
}

static sr_status need(struct sr_bytes b, const char *name, const char *kind, struct sr_err *err) {
    if (b.n > SR_EVIDENCE_MAX)
        return sr_fail(err, SR_E_TOOBIG, "%s is longer than %u bytes", name, SR_EVIDENCE_MAX);
    return b.p ? SR_OK : sr_fail(err, SR_E_USAGE, "%s evidence needs %s", kind, name);
}

static sr_status judge_dcap(struct judged *e, struct sr_err *err) {
    const struct sr_evidence *g = e->given;
    SR_TRY(need(g->evidence, "a quote", "dcap", err));
    SR_TRY(need(g->collateral, "collateral", "dcap", err));
    const struct slice collateral = part(g->collateral);
    sr_status st = SR_OK;
    e->root = part(g->root);
    if (!g->root.p) {
        st = dcap_pinned_root(collateral, &e->pinned, NULL);
        if (st != SR_OK) e->error = "CHAIN_ROOT";
        e->root = buf_slice(&e->pinned);
    }
    if (st == SR_OK) st = dcap_collateral_new(collateral, e->root, &e->collateral, &e->error, NULL);
    if (st == SR_OK) {
        st = dcap_verify(part(g->evidence), e->collateral, e->now, &e->dcap, NULL);
        e->error = e->dcap.error;
        e->has_platform = true;
    }
    e->accepted = st == SR_OK;
    if (st == SR_OK) e->n_strict = dcap_strict_reasons(&e->dcap, e->strict, TEE_REASONS_MAX);
    e->in = (struct policy_input){.provider = e->dcap.tdx ? TEE_TDX : TEE_SGX,
                                  .dcap = &e->dcap,
                                  .collateral = e->collateral,
                                  .root_der = e->root};
    return SR_OK;
}

static sr_status judge_snp(struct judged *e, struct sr_err *err) {
    const struct sr_evidence *g = e->given;
    struct snp_chain *chain = NULL;
    SR_TRY(need(g->evidence, "a report", "snp", err));
    SR_TRY(need(g->ek, "a VCEK or VLEK", "snp", err));
    SR_TRY(need(g->ask, "an ASK or ASVK", "snp", err));
    SR_TRY(need(g->ark, "an ARK", "snp", err));
    e->root = part(g->ark);
    sr_status st = snp_chain_new(part(g->ek), part(g->ask), e->root, &chain, &e->error, NULL);
    if (st == SR_OK && g->crl.n > 0) st = snp_chain_add_crl(chain, part(g->crl), &e->error, NULL);
    if (st == SR_OK) {
        st = snp_verify(part(g->evidence), chain, e->now, &e->snp, NULL);
        e->error = e->snp.error;
    }
    snp_chain_free(chain);
    e->accepted = st == SR_OK;
    if (st == SR_OK) e->n_strict = snp_strict_reasons(&e->snp, e->strict, TEE_REASONS_MAX);
    e->in = (struct policy_input){.provider = TEE_SEV_SNP, .snp = &e->snp, .root_der = e->root};
    return SR_OK;
}

static sr_status judge_nitro(struct judged *e, struct sr_err *err) {
    const struct sr_evidence *g = e->given;
    const struct slice document = part(g->evidence);
    struct nitro_doc d;
    SR_TRY(need(g->evidence, "a document", "nitro", err));
    e->root = part(g->root);
    /* Without a root given, the document's own is tried: the pin decides. */
    if (!g->root.p && nitro_parse(document, &d, NULL, NULL) == SR_OK &&
        nitro_root_is_pinned(d.cabundle[0]))
        e->root = d.cabundle[0];
    sr_status st = nitro_verify(document, e->root, e->now, &e->nitro, NULL);
    e->error = e->nitro.error;
    e->accepted = st == SR_OK;
    if (st == SR_OK) e->n_strict = nitro_strict_reasons(&e->nitro, e->strict, TEE_REASONS_MAX);
    e->in = (struct policy_input){.provider = TEE_NITRO, .nitro = &e->nitro, .root_der = e->root};
    return SR_OK;
}

/* A log alone proves nothing; with a quote its registers must be those of the quote. */
static sr_status judge_ccel(struct judged *e, struct sr_err *err) {
    const struct sr_evidence *g = e->given;
    struct dcap_quote q;
    SR_TRY(need(g->evidence, "a log", "ccel", err));
    const struct slice log = part(g->evidence), first = slice_trim(log);
    sr_status st = first.n > 0 && first.p[0] == '{' ? eventlog_replay_json(log, &e->log, NULL)
                                                    : eventlog_replay(log, &e->log, NULL);
    e->accepted = st == SR_OK;
    if (st != SR_OK) e->error = "PARSE";
    if (st != SR_OK || !g->quote.p) return SR_OK;
    e->accepted = dcap_parse(part(g->quote), &q, &e->error, NULL) == SR_OK && q.tdx;
    for (size_t i = 0; e->accepted && i < 4; i++) {
        if (e->log.n[i] == 0 || memcmp(q.body.p + 328 + 48 * i, e->log.rtmr[i], 48) == 0) continue;
        e->accepted = false;
        e->error = "RTMR_MISMATCH";
    }
    return SR_OK;
}

static sr_status judge_policy(struct judged *e, struct sr_err *err) {
    struct policy *p = NULL;
    if (!e->given->policy.p || !e->accepted || e->root.n == 0) return SR_OK;
    SR_TRY(policy_new(part(e->given->policy), &p, err));
    e->in.now_s = e->now;
    policy_evaluate(p, &e->in, &e->verdict);
    policy_free(p);
    if (e->verdict.accepted) return SR_OK;
    e->accepted = false;
    e->error = "POLICY";
    return SR_OK;
}

static sr_status judge(struct judged *e, struct sr_err *err) {
    static const struct {
        const char *kind;
        sr_status (*judge)(struct judged *e, struct sr_err *err);
    } kinds[] = {
        {"dcap", judge_dcap}, {"snp", judge_snp}, {"nitro", judge_nitro}, {"ccel", judge_ccel}};
    const char *kind = e->given->kind;
    for (size_t i = 0; kind && i < SR_ARRAY_LEN(kinds); i++) {
        if (strcmp(kind, kinds[i].kind) != 0) continue;
        SR_TRY(kinds[i].judge(e, err));
        return judge_policy(e, err);
    }
    sr_hint(err, "dcap, snp, nitro or ccel");
    return sr_fail(err, SR_E_USAGE, "what kind of evidence is it?");
}

static sr_status answer(const struct judged *e, struct sr_evidence_verdict *ret,
                        struct sr_err *err) {
    cleanup_buf struct buf json = {0}, text = {0};
    buf_init(&json, ANSWER_MAX);
    buf_init(&text, ANSWER_MAX);
    judged_json(e, &json);
    judged_text(e, &text);
    SR_TRY(buf_status(&json, err));
    SR_TRY(buf_status(&text, err));
    struct sr_evidence_verdict v = {.accepted = e->accepted,
                                    .json = slice_dup(buf_slice(&json)),
                                    .text = slice_dup(buf_slice(&text))};
    if (!v.json || !v.text) {
        sr_evidence_verdict_done(&v);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    *ret = v;
    return SR_OK;
}

sr_status sr_evidence_verify(const struct sr_evidence *given, struct sr_evidence_verdict *ret_v,
                             struct sr_err *err) {
    struct judged *e = sr_calloc_n(1, sizeof *e);
    if (!e) return sr_fail(err, SR_E_NOMEM, "out of memory");
    e->given = given;
    e->now = given->time_unix_s ? given->time_unix_s : clock_unix_ms() / 1000;
    buf_init(&e->pinned, SR_EVIDENCE_MAX);
    sr_status st = judge(e, err);
    if (st == SR_OK) st = answer(e, ret_v, err);
    dcap_collateral_free(e->collateral);
    buf_done(&e->pinned);
    free(e);
    return st;
}

void sr_evidence_verdict_done(struct sr_evidence_verdict *v) {
    free(v->json), free(v->text);
    v->json = v->text = NULL;
}
