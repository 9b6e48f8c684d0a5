/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tee_int.h - what the files of the verifier share: failures with a class, certificates, collateral
 *
 * Depends on: tee.h, libcrypto.  Used by: tee only.
 */
#pragma once
#include "tee/sim_int.h"
#include "tee/tee.h"
#include <openssl/evp.h>
#include <openssl/x509.h>

/* Fails with an error class of the vectors (a static string), named in the text too. */
#define dcap_reject(cls, err, name, ...)                                                           \
    dcap_reject_((cls), (err), __func__, (name), "" __VA_ARGS__)
sr_status dcap_reject_(const char **ret_class, struct sr_err *err, const char *where,
                       const char *name, const char *what);

/* ---- certificates ---- */

struct cert_chain {
    X509 *c[DCAP_CHAIN_MAX]; /* leaf first */
    size_t n;
};
void chain_done(struct cert_chain *c);
/* PEM texts, one after the other; NULs at the end are ignored. */
SR_CHECK sr_status chain_read(struct slice pem, struct cert_chain *ret, const char **ret_class,
                              struct sr_err *err);
/*
 * Signatures, names, kinds and algorithms of leaf .. root; want certificates below the root. The
 * root itself may be in the chain or not; when it is, it must be the pinned one.
 */
SR_CHECK sr_status chain_check(struct cert_chain *c, X509 *root, size_t want,
                               const char **ret_class, struct sr_err *err);
SR_CHECK sr_status cert_check_time(X509 *c, uint64_t now_s, const char **ret_class,
                                   struct sr_err *err);
SR_CHECK bool cert_has_name(X509 *c, const char *cn);
/* A CRL in DER as hex digits, or in PEM. */
SR_CHECK sr_status crl_read(struct slice text, X509_CRL **ret, const char **ret_class,
                            struct sr_err *err);
SR_CHECK sr_status crl_check(X509_CRL *crl, X509 *issuer, const char **ret_class,
                             struct sr_err *err);
SR_CHECK sr_status crl_check_time(X509_CRL *crl, uint64_t now_s, const char **ret_class,
                                  struct sr_err *err);
SR_CHECK sr_status crl_check_cert(X509_CRL *crl, X509 *c, const char **ret_class,
                                  struct sr_err *err);
/* The key of a P-256 certificate as X|Y; false when it is none. */
SR_CHECK bool cert_p256(X509 *c, uint8_t ret_pub[64]);

struct pck {
    uint8_t svn[16]; /* .2.1 to .2.16 */
    uint16_t pcesvn;
    uint8_t pce_id[2], fmspc[6];
};
SR_CHECK bool pck_read(X509 *c, struct pck *ret);
SR_CHECK bool pck_extension_parse(struct slice der, struct pck *ret); /* for the fuzzer too */

/* ---- collateral ---- */

struct tcb_level {
    uint8_t sgx[16], tdx[16];
    uint16_t pcesvn;
    uint16_t isvsvn;
    tcb_status status;
    const struct json_val *advisories; /* borrowed from the document; may be NULL */
};
struct tcb_levels { /* descending */
    struct tcb_level *v;
    size_t n;
};
#define DCAP_MODULES_MAX 16
struct tdx_module {
    bool present;
    char id[8]; /* "TDX_01" in capitals; empty for the old single record */
    uint8_t mrsigner[48], attributes[8];
    struct tcb_levels levels;
};
struct tcb_info {
    struct json *doc;
    bool tdx;
    uint64_t issued, next;
    uint8_t fmspc[6], pce_id[2];
    struct tcb_levels levels;
    struct tdx_module module, modules[DCAP_MODULES_MAX];
    size_t n_modules;
};
struct qe_identity {
    struct json *doc;
    bool tdx;
    uint64_t issued, next;
    uint8_t miscselect[4], miscselect_mask[4]; /* as in the report: little-endian */
    uint8_t attributes[16], attributes_mask[16];
    uint8_t mrsigner[32];
    uint16_t prod_id;
    struct tcb_levels levels;
};
/*
 * A platform whose PCK chain and QE report were checked before: of its next quote only the
 * signature is new. Known by the SHA-256 of everything else in the signature section; what depends
 * on time (dates, revocations) is judged anew each time.
 */
#define DCAP_KNOWN_MAX 16
struct known_platform {
    struct hash id;
    struct cert_chain chain; /* leaf, CA; n 0: an empty place */
    struct pck pck;
    EVP_PKEY *attest_key;
};
struct known_platforms {
    struct known_platform v[DCAP_KNOWN_MAX];
    size_t next; /* to be overwritten */
};
void known_platform_done(struct known_platform *k);

struct dcap_collateral {
    struct known_platforms *known; /* grows with verifications: one thread at a time */
    struct json *doc;
    X509 *root;
    X509_CRL *root_crl, *pck_crl;
    struct cert_chain pck_crl_issuer, tcb_chain, qe_chain, pck_chain; /* the last may be empty */
    struct tcb_info tcb;
    struct qe_identity qe;
};
SR_CHECK sr_status tcb_info_parse(struct slice json, struct tcb_info *ret, struct sr_err *err);
void tcb_info_done(struct tcb_info *t);
SR_CHECK sr_status qe_identity_parse(struct slice json, struct qe_identity *ret,
                                     struct sr_err *err);
void qe_identity_done(struct qe_identity *q);

/* ---- levels ---- */

/* attestation.md, section 2.7: fills the states and advisories of r. */
SR_CHECK sr_status dcap_judge(const struct dcap_collateral *c, const struct pck *pck,
                              const struct dcap_quote *q, struct dcap_result *r,
                              const char **ret_class, struct sr_err *err);
/* The record for the module version of that TEE_TCB_SVN; NULL: unknown. */
const struct tdx_module *dcap_module(const struct tcb_info *t, const uint8_t tee_tcb_svn[16]);
