/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which TCB level a platform has reached, and what follows from it.
 * SPEC: attestation.md#27-tcb-level-matching-and-status-lattice
 */
#include "tee/tee_int.h"

static void add_advisories(struct dcap_result *r, const struct json_val *list) {
    for (const struct json_val *a = json_first(list); a; a = json_next(a)) {
        struct slice s;
        bool known = false;
        if (!json_str(a, &s) || s.n >= sizeof r->advisories[0]) continue;
        for (size_t i = 0; i < r->n_advisories; i++) known |= slice_is(s, r->advisories[i]);
        if (known || r->n_advisories == DCAP_ADVISORIES_MAX) continue;
        char *dst = r->advisories[r->n_advisories++];
        if (s.n) memcpy(dst, s.p, s.n);
        dst[s.n] = 0;
    }
}

const struct tdx_module *dcap_module(const struct tcb_info *t, const uint8_t tee_tcb_svn[16]) {
    static const char digit[] = "0123456789ABCDEF";
    if (tee_tcb_svn[1] == 0) return t->module.present ? &t->module : NULL;
    const char id[] = {'T', 'D', 'X', '_', digit[tee_tcb_svn[1] >> 4], digit[tee_tcb_svn[1] & 15],
                       0};
    for (size_t i = 0; i < t->n_modules; i++)
        if (strcmp(t->modules[i].id, id) == 0) return &t->modules[i];
    return NULL;
}

static const struct tcb_level *isvsvn_level(const struct tcb_levels *l, uint16_t svn) {
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].isvsvn <= svn) return &l->v[i];
    return NULL;
}

static bool sgx_reached(const struct tcb_level *l, const struct pck *p) {
    for (size_t i = 0; i < 16; i++)
        if (p->svn[i] < l->sgx[i]) return false;
    return p->pcesvn >= l->pcesvn;
}

/* With a module version of its own, components 0 and 1 are judged through the module's identity. */
static bool tdx_reached(const struct tcb_level *l, const uint8_t svn[16]) {
    for (size_t i = svn[1] > 0 ? 2 : 0; i < 16; i++)
        if (svn[i] < l->tdx[i]) return false;
    return true;
}

static tcb_status converge(tcb_status base, tcb_status other) {
    if (other == TCB_REVOKED) return TCB_REVOKED;
    if (other != TCB_OUT_OF_DATE) return base;
    switch (base) {
    case TCB_UP_TO_DATE:
    case TCB_SW_HARDENING_NEEDED: return TCB_OUT_OF_DATE;
    case TCB_CONFIGURATION_NEEDED:
    case TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED: return TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
    default: return base;
    }
}

static bool wants_configuration(tcb_status s) {
    return s == TCB_CONFIGURATION_NEEDED || s == TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ||
           s == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

/* A platform that was patched under a running TD: would a restarted one be current? */
static sr_status relaunch(const struct dcap_collateral *c, const uint8_t svn2[16],
                          struct dcap_result *r, const char **ret_class, struct sr_err *err) {
    const struct tcb_level *best = &c->tcb.levels.v[0];
    bool current = svn2[2] >= best->tdx[2];
    if (r->qe == TCB_OUT_OF_DATE || r->qe == TCB_REVOKED) return SR_OK;
    if (r->sgx_level > TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED) return SR_OK;
    if (r->status != TCB_OUT_OF_DATE && r->status != TCB_OUT_OF_DATE_CONFIGURATION_NEEDED)
        return SR_OK;
    if (r->module != TCB_OUT_OF_DATE) return SR_OK;
    if (svn2[1] == 0) {
        current = current && svn2[0] >= best->tdx[0];
    } else {
        const struct tdx_module *m = dcap_module(&c->tcb, svn2);
        if (!m)
            return dcap_reject(ret_class, err, "TDX_MODULE_MISMATCH",
                               "no record of the platform's TDX module");
        current = current && svn2[0] >= m->levels.v[0].isvsvn;
    }
    if (current)
        r->status = wants_configuration(r->sgx_level) || wants_configuration(r->status)
                        ? TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
                        : TCB_TD_RELAUNCH_ADVISED;
    return SR_OK;
}

#define NOT_SUPPORTED(what) dcap_reject(ret_class, err, "TCB_NOT_SUPPORTED", what)

sr_status dcap_judge(const struct dcap_collateral *c, const struct pck *pck,
                     const struct dcap_quote *q, struct dcap_result *r, const char **ret_class,
                     struct sr_err *err) {
    const bool td = q->tdx;
    const uint8_t *svn = q->body.p; /* TEE_TCB_SVN, where it is a TD */
    const struct tcb_levels *ls = &c->tcb.levels;
    const struct tcb_level *sgx = NULL, *tdx = NULL, *module = NULL;
    const uint8_t *qe = q->qe_report;
    const struct tcb_level *qe_level =
        isvsvn_level(&c->qe.levels, (uint16_t)(qe[258] | qe[259] << 8));
    if (!qe_level) return NOT_SUPPORTED("the quoting enclave is older than every level");
    r->qe = qe_level->status;

    for (size_t i = 0; i < ls->n && !(sgx && (tdx || !td)); i++) {
        if (!sgx_reached(&ls->v[i], pck)) continue;
        if (!sgx) sgx = &ls->v[i];
        if (td && tdx_reached(&ls->v[i], svn)) tdx = &ls->v[i];
    }
    if (!sgx || (td && !tdx)) return NOT_SUPPORTED("the platform has reached no level");
    r->sgx_level = sgx->status;
    r->status = sgx->status;
    if (td) {
        r->tdx_level = tdx->status;
        r->status = tdx->status;
        if (svn[1] > 0) {
            const struct tdx_module *m = dcap_module(&c->tcb, svn);
            module = m ? isvsvn_level(&m->levels, svn[0]) : NULL;
            if (!module) return NOT_SUPPORTED("the TDX module has reached no level");
            r->module = module->status;
            r->status = converge(r->status, module->status);
        }
        if (q->body_type == 3) SR_TRY(relaunch(c, q->body.p + 584, r, ret_class, err));
    }
    r->status = converge(r->status, r->qe);
    add_advisories(r, (td ? tdx : sgx)->advisories);
    if (module) add_advisories(r, module->advisories);
    add_advisories(r, qe_level->advisories);
    return SR_OK;
}
