/* SPDX-License-Identifier: Apache-2.0 */
/* Intel's root out of collateral, for who does not have it as a file: the pin decides. */
#include "tee/policy.h"
#include "tee/tee_int.h"
#include <time.h>

static const char pin[] = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3";

bool dcap_root_is_pinned(struct slice root_der) {
    uint8_t want[32];
    struct hash h = sha256(root_der);
    return hex_decode(slice_str(pin), want, 32) && memcmp(h.b, want, 32) == 0;
}

sr_status dcap_pinned_root(struct slice collateral_json, struct buf *ret_der, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct cert_chain ch = {.n = 0};
    struct slice pem;
    uint8_t *der = NULL;
    if (collateral_json.n > DCAP_COLLATERAL_MAX)
        return sr_fail(err, SR_E_TOOBIG, "the collateral is too long");
    SR_TRY(json_parse(collateral_json, &doc, err));
    if (!json_str(json_get(json_root(doc), "tcb_info_issuer_chain"), &pem))
        return sr_fail(err, SR_E_MALFORMED, "the collateral has no issuer chain");
    SR_TRY(chain_read(pem, &ch, NULL, err));
    int n = i2d_X509(ch.c[ch.n - 1], &der);
    chain_done(&ch);
    bool ok = n > 0 && dcap_root_is_pinned(slice_of(der, (size_t)n));
    if (ok) buf_put(ret_der, der, (size_t)n);
    OPENSSL_free(der);
    return ok ? buf_status(ret_der, err)
              : sr_fail(err, SR_E_CRYPTO, "CHAIN_ROOT: the collateral is under another root");
}

uint64_t dcap_collateral_expires(const struct dcap_collateral *c) {
    X509_CRL *const crls[] = {c->root_crl, c->pck_crl};
    uint64_t first = c->tcb.next < c->qe.next ? c->tcb.next : c->qe.next;
    for (size_t i = 0; i < SR_ARRAY_LEN(crls); i++) {
        const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crls[i]);
        struct tm tm;
        if (!next || ASN1_TIME_to_tm(next, &tm) != 1) continue;
        const time_t t = timegm(&tm);
        if (t >= 0 && (uint64_t)t < first) first = (uint64_t)t;
    }
    return first;
}
