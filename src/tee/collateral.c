/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collateral: what Intel (or a simulated authority) signs about platforms. Parsed, chained and
 * signature-checked once; only the dates are judged again with each quote.
 * SPEC: attestation.md#25-collateral
 */
#include "tee/p256.h"
#include "tee/tee_int.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

static const char *const status_names[] = {
    [TCB_UP_TO_DATE] = "UpToDate",
    [TCB_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
    [TCB_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
    [TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "ConfigurationAndSWHardeningNeeded",
    [TCB_TD_RELAUNCH_ADVISED] = "TDRelaunchAdvised",
    [TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = "TDRelaunchAdvisedConfigurationNeeded",
    [TCB_OUT_OF_DATE] = "OutOfDate",
    [TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OutOfDateConfigurationNeeded",
    [TCB_REVOKED] = "Revoked",
    [TCB_NONE] = "",
};

const char *tcb_status_name(tcb_status s) {
    return (size_t)s < SR_ARRAY_LEN(status_names) ? status_names[s] : "";
}

static bool status_of(const struct json_val *v, tcb_status *ret) {
    struct slice s;
    if (!json_str(v, &s)) return false;
    for (size_t i = 0; i < (size_t)TCB_NONE; i++) {
        /* What only we conclude is never in a document. */
        if (i == TCB_TD_RELAUNCH_ADVISED || i == TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED)
            continue;
        if (slice_is(s, status_names[i])) {
            *ret = (tcb_status)i;
            return true;
        }
    }
    return false;
}

/* "2025-11-17T05:21:34Z" */
static bool date_of(const struct json_val *v, uint64_t *ret_s) {
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    struct slice s;
    uint64_t n[6];
    const unsigned at[] = {0, 5, 8, 11, 14, 17};
    if (!json_str(v, &s) || s.n != sizeof shape - 1) return false;
    for (size_t i = 0; i < s.n; i++)
        if (shape[i] == 'd' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != (uint8_t)shape[i])
            return false;
    for (size_t i = 0; i < 6; i++)
        if (!num_u64(slice_of(s.p + at[i], i == 0 ? 4 : 2), 9999, &n[i])) return false;
    if (n[0] < 1970 || n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > 31 || n[3] > 23 || n[4] > 59 ||
        n[5] > 59)
        return false;
    struct tm tm = {.tm_year = (int)n[0] - 1900,
                    .tm_mon = (int)n[1] - 1,
                    .tm_mday = (int)n[2],
                    .tm_hour = (int)n[3],
                    .tm_min = (int)n[4],
                    .tm_sec = (int)n[5]};
    time_t t = timegm(&tm);
    if (t < 0 || tm.tm_mday != (int)n[2]) return false; /* the 31st of a shorter month */
    *ret_s = (uint64_t)t;
    return true;
}

static bool hex_at(const struct json_val *v, const char *key, void *dst, size_t n) {
    struct slice s;
    return json_str(json_get(v, key), &s) && s.n == 2 * n && hex_decode(s, dst, n);
}

static bool small_at(const struct json_val *v, const char *key, uint64_t max, uint64_t *ret) {
    return json_u64(json_get(v, key), ret) && *ret <= max;
}

static bool components(const struct json_val *v, uint8_t ret[16]) {
    uint64_t n = 0;
    if (!json_is(v, JSON_ARRAY) || json_len(v) != 16) return false;
    size_t i = 0;
    for (const struct json_val *c = json_first(v); c; c = json_next(c)) {
        if (!small_at(c, "svn", 255, &n)) return false;
        ret[i++] = (uint8_t)n;
    }
    return true;
}

static bool advisories_ok(const struct json_val *v) {
    if (!v) return true;
    if (!json_is(v, JSON_ARRAY) || json_len(v) > DCAP_ADVISORIES_MAX) return false;
    for (const struct json_val *a = json_first(v); a; a = json_next(a)) {
        struct slice s;
        if (!json_str(a, &s) || s.n >= sizeof((struct dcap_result *)0)->advisories[0]) return false;
    }
    return true;
}

static int descending(const void *a, const void *b) {
    const struct tcb_level *x = a, *y = b;
    int d = memcmp(y->sgx, x->sgx, sizeof x->sgx);
    if (d == 0) d = (y->pcesvn > x->pcesvn) - (y->pcesvn < x->pcesvn);
    if (d == 0) d = memcmp(y->tdx, x->tdx, sizeof x->tdx);
    if (d == 0) d = (y->isvsvn > x->isvsvn) - (y->isvsvn < x->isvsvn);
    return d;
}

typedef enum { LEVEL_SGX, LEVEL_TDX, LEVEL_ISVSVN } level_kind;

static bool level_read(const struct json_val *v, level_kind kind, struct tcb_level *l) {
    const struct json_val *tcb = json_get(v, "tcb");
    uint64_t n = 0, date;
    *l = (struct tcb_level){.advisories = json_get(v, "advisoryIDs")};
    if (!status_of(json_get(v, "tcbStatus"), &l->status) ||
        !date_of(json_get(v, "tcbDate"), &date) || !advisories_ok(l->advisories))
        return false;
    if (kind == LEVEL_ISVSVN) {
        if (!small_at(tcb, "isvsvn", 65535, &n)) return false;
        l->isvsvn = (uint16_t)n;
        return true;
    }
    if (!components(json_get(tcb, "sgxtcbcomponents"), l->sgx) ||
        !small_at(tcb, "pcesvn", 65535, &n))
        return false;
    l->pcesvn = (uint16_t)n;
    return kind == LEVEL_SGX || components(json_get(tcb, "tdxtcbcomponents"), l->tdx);
}

/* The order in the document is not to be trusted: sorted here. */
static bool levels_read(const struct json_val *arr, level_kind kind, struct tcb_levels *ret) {
    size_t n = json_len(arr);
    if (!json_is(arr, JSON_ARRAY) || n == 0 || n > DCAP_LEVELS_MAX) return false;
    ret->v = sr_calloc_n(n, sizeof *ret->v);
    if (!ret->v) return false;
    for (const struct json_val *v = json_first(arr); v; v = json_next(v))
        if (!level_read(v, kind, &ret->v[ret->n++])) return false;
    qsort(ret->v, n, sizeof *ret->v, descending);
    return true;
}

static bool module_read(const struct json_val *v, bool identity, struct tdx_module *m) {
    struct slice id;
    uint8_t mask[8];
    m->present = true;
    if (!hex_at(v, "mrsigner", m->mrsigner, 48) || !hex_at(v, "attributes", m->attributes, 8) ||
        !hex_at(v, "attributesMask", mask, 8))
        return false;
    if (!identity) return true;
    if (!json_str(json_get(v, "id"), &id) || id.n != 6) return false;
    for (size_t i = 0; i < id.n; i++) {
        char c = (char)id.p[i];
        m->id[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return levels_read(json_get(v, "tcbLevels"), LEVEL_ISVSVN, &m->levels);
}

static bool tcb_info_read(const struct json_val *v, struct tcb_info *t) {
    struct slice id;
    uint64_t version = 0, type = 0;
    if (!json_str(json_get(v, "id"), &id) || !(slice_is(id, "SGX") || slice_is(id, "TDX")))
        return false;
    t->tdx = slice_is(id, "TDX");
    if (!small_at(v, "version", 100, &version) || version != 3 ||
        !small_at(v, "tcbType", 100, &type) || type != 0 ||
        !date_of(json_get(v, "issueDate"), &t->issued) ||
        !date_of(json_get(v, "nextUpdate"), &t->next) || !hex_at(v, "fmspc", t->fmspc, 6) ||
        !hex_at(v, "pceId", t->pce_id, 2))
        return false;
    if (!levels_read(json_get(v, "tcbLevels"), t->tdx ? LEVEL_TDX : LEVEL_SGX, &t->levels))
        return false;
    if (!t->tdx) return true;
    const struct json_val *m = json_get(v, "tdxModule"), *ids = json_get(v, "tdxModuleIdentities");
    if (m && !module_read(m, false, &t->module)) return false;
    if (ids && (!json_is(ids, JSON_ARRAY) || json_len(ids) > DCAP_MODULES_MAX)) return false;
    for (m = json_first(ids); m; m = json_next(m))
        if (!module_read(m, true, &t->modules[t->n_modules++])) return false;
    return true;
}

sr_status tcb_info_parse(struct slice json, struct tcb_info *ret, struct sr_err *err) {
    struct tcb_info t = {0};
    SR_TRY(json_parse(json, &t.doc, err));
    if (!tcb_info_read(json_root(t.doc), &t)) {
        tcb_info_done(&t);
        return sr_fail(err, SR_E_MALFORMED, "TCB info is malformed");
    }
    *ret = t;
    return SR_OK;
}

void tcb_info_done(struct tcb_info *t) {
    free(t->levels.v);
    for (size_t i = 0; i < t->n_modules; i++) free(t->modules[i].levels.v);
    json_free(t->doc);
    *t = (struct tcb_info){0};
}

/* Text of a big-endian u32 against the little-endian bytes of a report. */
static bool misc_at(const struct json_val *v, const char *key, uint8_t ret[4]) {
    uint8_t be[4];
    if (!hex_at(v, key, be, 4)) return false;
    for (size_t i = 0; i < 4; i++) ret[i] = be[3 - i];
    return true;
}

static bool qe_read(const struct json_val *v, struct qe_identity *q) {
    struct slice id;
    uint64_t version = 0, prod = 0;
    if (!json_str(json_get(v, "id"), &id) || !(slice_is(id, "QE") || slice_is(id, "TD_QE")))
        return false;
    q->tdx = slice_is(id, "TD_QE");
    if (!small_at(v, "version", 100, &version) || version != 2 ||
        !date_of(json_get(v, "issueDate"), &q->issued) ||
        !date_of(json_get(v, "nextUpdate"), &q->next) || !misc_at(v, "miscselect", q->miscselect) ||
        !misc_at(v, "miscselectMask", q->miscselect_mask) ||
        !hex_at(v, "attributes", q->attributes, 16) ||
        !hex_at(v, "attributesMask", q->attributes_mask, 16) ||
        !hex_at(v, "mrsigner", q->mrsigner, 32) || !small_at(v, "isvprodid", 65535, &prod))
        return false;
    q->prod_id = (uint16_t)prod;
    return levels_read(json_get(v, "tcbLevels"), LEVEL_ISVSVN, &q->levels);
}

sr_status qe_identity_parse(struct slice json, struct qe_identity *ret, struct sr_err *err) {
    struct qe_identity q = {0};
    SR_TRY(json_parse(json, &q.doc, err));
    if (!qe_read(json_root(q.doc), &q)) {
        qe_identity_done(&q);
        return sr_fail(err, SR_E_MALFORMED, "QE identity is malformed");
    }
    *ret = q;
    return SR_OK;
}

void qe_identity_done(struct qe_identity *q) {
    free(q->levels.v);
    json_free(q->doc);
    *q = (struct qe_identity){0};
}

/* A signed document: its chain to the root, its signature over the exact bytes. */
static sr_status signed_text(struct dcap_collateral *c, const char *key, const char *sig_key,
                             const char *chain_key, struct cert_chain *ret_chain,
                             struct slice *ret_text, const char **ret_class, struct sr_err *err) {
    const struct json_val *v = json_root(c->doc);
    struct slice chain;
    uint8_t sig[64], pub[64];
    if (!json_str(json_get(v, key), ret_text) || !json_str(json_get(v, chain_key), &chain))
        return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "a signed document is missing");
    if (!hex_at(v, sig_key, sig, sizeof sig))
        return dcap_reject(ret_class, err, "PARSE", "a document's signature is not 128 hex digits");
    SR_TRY(chain_read(chain, ret_chain, ret_class, err));
    SR_TRY(chain_check(ret_chain, c->root, 1, ret_class, err));
    if (!cert_has_name(ret_chain->c[0], "Intel SGX TCB Signing") ||
        !cert_p256(ret_chain->c[0], pub) || !p256_verify(pub, *ret_text, sig))
        return dcap_reject(ret_class, err, "COLLATERAL_SIGNATURE",
                           "a document is not signed by the TCB signer");
    return SR_OK;
}

static sr_status load(struct dcap_collateral *c, struct slice json, struct slice root_der,
                      const char **ret_class, struct sr_err *err) {
    struct slice text;
    const uint8_t *p = root_der.p;
    crypto_init();
    c->root = d2i_X509(NULL, &p, (long)root_der.n);
    ERR_clear_error();
    if (!c->root || p != root_der.p + root_der.n || X509_check_ca(c->root) != 1)
        return dcap_reject(ret_class, err, "CHAIN_ROOT", "the pinned root is not a CA certificate");
    if (json.n > DCAP_COLLATERAL_MAX)
        return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "too long");
    if (json_parse(json, &c->doc, err) != SR_OK)
        return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "not JSON");
    const struct json_val *v = json_root(c->doc);

    if (!json_str(json_get(v, "root_ca_crl"), &text))
        return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "no root CRL");
    SR_TRY(crl_read(text, &c->root_crl, ret_class, err));
    SR_TRY(crl_check(c->root_crl, c->root, ret_class, err));

    if (!json_str(json_get(v, "pck_crl_issuer_chain"), &text))
        return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "no issuer of the PCK CRL");
    SR_TRY(chain_read(text, &c->pck_crl_issuer, ret_class, err));
    if (!json_str(json_get(v, "pck_crl"), &text))
        return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "no PCK CRL");
    SR_TRY(crl_read(text, &c->pck_crl, ret_class, err));
    SR_TRY(crl_check(c->pck_crl, c->pck_crl_issuer.c[0], ret_class, err));

    if (json_str(json_get(v, "pck_certificate_chain"), &text))
        SR_TRY(chain_read(text, &c->pck_chain, ret_class, err));

    SR_TRY(signed_text(c, "tcb_info", "tcb_info_signature", "tcb_info_issuer_chain", &c->tcb_chain,
                       &text, ret_class, err));
    if (tcb_info_parse(text, &c->tcb, err) != SR_OK)
        return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "TCB info");
    SR_TRY(signed_text(c, "qe_identity", "qe_identity_signature", "qe_identity_issuer_chain",
                       &c->qe_chain, &text, ret_class, err));
    if (qe_identity_parse(text, &c->qe, err) != SR_OK)
        return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "QE identity");
    return SR_OK;
}

sr_status dcap_collateral_new(struct slice json, struct slice root_der,
                              struct dcap_collateral **ret, const char **ret_class,
                              struct sr_err *err) {
    struct dcap_collateral *c = sr_calloc_n(1, sizeof *c);
    if (!c || !(c->known = sr_calloc_n(1, sizeof *c->known))) {
        free(c);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    if (ret_class) *ret_class = NULL;
    sr_status st = load(c, json, root_der, ret_class, err);
    if (st == SR_OK)
        *ret = c;
    else
        dcap_collateral_free(c);
    return st;
}

void dcap_collateral_free(struct dcap_collateral *c) {
    if (!c) return;
    for (size_t i = 0; i < DCAP_KNOWN_MAX; i++) known_platform_done(&c->known->v[i]);
    free(c->known);
    tcb_info_done(&c->tcb);
    qe_identity_done(&c->qe);
    chain_done(&c->pck_crl_issuer), chain_done(&c->tcb_chain), chain_done(&c->qe_chain);
    chain_done(&c->pck_chain);
    X509_CRL_free(c->root_crl);
    X509_CRL_free(c->pck_crl);
    X509_free(c->root);
    json_free(c->doc);
    free(c);
}
