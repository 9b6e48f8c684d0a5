/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes: the parser, then everything up to the first signature, with the collateral of no
 * platform. */
#include "tee/p256.h"
#include "tee/tee_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct dcap_quote q;
    struct cert_chain chain;
    struct pck pck;
    if (dcap_parse(slice_of(data, size), &q, NULL, NULL) != SR_OK) return 0;
    (void)!p256_key_ok(q.attest_key);
    if (chain_read(q.cert_data, &chain, NULL, NULL) != SR_OK) return 0;
    for (size_t i = 0; i < chain.n; i++) (void)!pck_read(chain.c[i], &pck);
    if (chain.n > 1) (void)!chain_check(&chain, chain.c[chain.n - 1], chain.n - 1, NULL, NULL);
    chain_done(&chain);
    return 0;
}
