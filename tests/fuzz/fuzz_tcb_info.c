/* SPDX-License-Identifier: Apache-2.0 */
/* TCB info and QE identity, as signed documents would hold them; CRLs; authority files. */
#include "tee/tee_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice s = slice_of(data, size);
    struct tcb_info t;
    struct qe_identity q;
    struct tee_trust *trust = NULL;
    X509_CRL *crl = NULL;
    if (tcb_info_parse(s, &t, NULL) == SR_OK) tcb_info_done(&t);
    if (qe_identity_parse(s, &q, NULL) == SR_OK) qe_identity_done(&q);
    if (crl_read(s, &crl, NULL, NULL) == SR_OK) X509_CRL_free(crl);
    if (tee_trust_new(s, true, &trust, NULL) == SR_OK) tee_trust_free(trust);
    return 0;
}
