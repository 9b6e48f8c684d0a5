/* SPDX-License-Identifier: Apache-2.0 */
/* x384_int.h - P-384 certificates and signatures, for SNP and Nitro. Used by: tee only. */
#pragma once
#include "tee/tee_int.h"

/* DER, all of it; NULL otherwise. Owned: X509_free. */
X509 *x509_of(struct slice der, size_t max);
SR_CHECK bool x509_is_p384(X509 *c);
/* r and s big-endian, 48 bytes each, ECDSA with SHA-384. */
SR_CHECK bool p384_verify(EVP_PKEY *k, struct slice message, const uint8_t sig[96]);
