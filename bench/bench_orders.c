/* SPDX-License-Identifier: Apache-2.0 */
/* What signing and verifying a request order costs, in CPU microseconds: one line of JSON. The peer
 * is orders.mjs. */
#include "poco/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 4000

static double cpu_us(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static sr_status measure(double *ret_sign_us, double *ret_verify_us, struct sr_err *err) {
    cleanup_secret struct sr_secret key = {0};
    SR_TRY(secp_keygen(&key, err));
    struct addr signer;
    SR_TRY(secp_address(&key, &signer, err));
    struct addr hub = {{0x3e, 0xca, 0x1b}};
    struct poco_domain d = poco_domain_of(421614, &hub);
    struct poco_order o = {.kind = POCO_REQUEST};
    o.request.requester = signer;
    o.request.volume = u256_of(1);
    o.request.tag = tag_of(POCO_TAG_TEE | POCO_TAG_TDX);
    o.request.params =
        SLICE_LIT("{\"iexec_result_storage_provider\":\"ipfs\",\"iexec_result_encryption\":true}");

    double start = cpu_us();
    for (unsigned i = 0; i < ROUNDS; i++) {
        memcpy(o.request.salt.b, &i, sizeof i);
        SR_TRY(poco_order_sign(&o, &d, &key, err));
    }
    *ret_sign_us = (cpu_us() - start) / ROUNDS;

    start = cpu_us();
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct addr got;
        SR_TRY(poco_order_signer(&o, &d, &got, err));
        if (!addr_eq(&got, &signer))
            return sr_fail(err, SR_E_CRYPTO, "another signer was recovered");
    }
    *ret_verify_us = (cpu_us() - start) / ROUNDS;
    return SR_OK;
}

int main(void) {
    struct sr_err e = {0};
    double sign = 0, verify = 0;
    if (measure(&sign, &verify, &e) != SR_OK) {
        (void)fprintf(stderr, "bench_orders: %s\n", e.what);
        return 1;
    }
    (void)printf("{\"sign_us\":%.1f,\"verify_us\":%.1f}\n", sign, verify);
    return 0;
}
