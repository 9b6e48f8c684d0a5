/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated authority: a root, a PCK CA, a TCB signer, one platform with its PCK key and its
 * attestation key, and the signed collateral about them, all in Intel's formats. It protects
 * nothing: whoever has the platform file signs what he likes. Every name in it says SIMULATED.
 */
#include "tee/p256_int.h"
#include "tee/sim_int.h"
#include "tee/tee.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY       86400
#define LIFE_DAYS 3653
#define QE_AUTH   32

static const char fmspc_hex[] = "535253494d00"; /* "SRSIM\0" */
static const char qe_mrsigner_hex[] =
    "53494d554c41544544000000000000000000000000000000000000000000aaaa"; /* "SIMULATED" */

/* Everything that is made on the way; released in one place. */
struct making {
    uint64_t now;
    EVP_PKEY *root_key, *ca_key, *tcb_key, *pck_key, *attest_key;
    X509 *root, *ca, *tcb, *pck;
    X509_CRL *root_crl, *pck_crl;
};

static void making_done(struct making *m) {
    EVP_PKEY_free(m->root_key), EVP_PKEY_free(m->ca_key), EVP_PKEY_free(m->tcb_key);
    EVP_PKEY_free(m->pck_key), EVP_PKEY_free(m->attest_key);
    X509_free(m->root), X509_free(m->ca), X509_free(m->tcb), X509_free(m->pck);
    X509_CRL_free(m->root_crl), X509_CRL_free(m->pck_crl);
    ERR_clear_error();
}

/* ---- DER of the PCK extension (sizes below 128 or in one or two bytes) ---- */

static void der(struct buf *b, uint8_t tag, struct slice body) {
    buf_u8(b, tag);
    if (body.n >= 256) {
        buf_u8(b, 0x82);
        buf_u16(b, (uint16_t)body.n);
    } else if (body.n >= 128) {
        buf_u8(b, 0x81);
        buf_u8(b, (uint8_t)body.n);
    } else {
        buf_u8(b, (uint8_t)body.n);
    }
    buf_add(b, body);
}

/* SEQUENCE { 1.2.840.113741.1.13.1.<a>[.<b>], value } appended to b; value is DER already. */
static void der_item(struct buf *b, unsigned a, unsigned sub, struct slice value) {
    static const uint8_t base[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
    struct buf oid, item;
    buf_init(&oid, 32), buf_init(&item, 4096);
    buf_put(&oid, base, sizeof base);
    buf_u8(&oid, (uint8_t)a);
    if (sub) buf_u8(&oid, (uint8_t)sub);
    der(&item, 0x06, buf_slice(&oid));
    buf_add(&item, value);
    der(b, 0x30, buf_slice(&item));
    buf_done(&oid), buf_done(&item);
}

static void der_octets(struct buf *b, unsigned a, unsigned sub, struct slice octets) {
    struct buf v;
    buf_init(&v, 1024);
    der(&v, 0x04, octets);
    der_item(b, a, sub, buf_slice(&v));
    buf_done(&v);
}

static void der_number(struct buf *b, uint8_t tag, unsigned a, unsigned sub, uint8_t n) {
    const uint8_t v[] = {tag, 1, n};
    der_item(b, a, sub, slice_of(v, sizeof v));
}

static void pck_extension(struct buf *ret) {
    uint8_t zero[16] = {0}, fmspc[6];
    struct buf tcb, all, v;
    buf_init(&tcb, 4096), buf_init(&all, 4096), buf_init(&v, 4096);
    SR_ASSERT(hex_decode(slice_str(fmspc_hex), fmspc, sizeof fmspc));
    for (unsigned i = 1; i <= 16; i++) der_number(&tcb, 0x02, 2, i, 1);
    der_number(&tcb, 0x02, 2, 17, 10); /* PCESVN */
    der_octets(&tcb, 2, 18, slice_of(zero, 16));
    der_octets(&all, 1, 0, slice_of(zero, 16)); /* PPID: no platform */
    der(&v, 0x30, buf_slice(&tcb));
    der_item(&all, 2, 0, buf_slice(&v));
    der_octets(&all, 3, 0, slice_of(zero, 2));
    der_octets(&all, 4, 0, slice_of(fmspc, sizeof fmspc));
    der_number(&all, 0x0a, 5, 0, 0);
    der(ret, 0x30, buf_slice(&all));
    buf_done(&tcb), buf_done(&all), buf_done(&v);
}

/* ---- certificates and CRLs ---- */

static bool add_extension(X509 *x, const X509V3_CTX *cx, int nid, const char *value) {
    X509V3_CTX c = *cx;
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
    bool ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool add_pck_extension(X509 *x) {
    struct buf b;
    buf_init(&b, 4096);
    pck_extension(&b);
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    ASN1_OCTET_STRING *os = ASN1_OCTET_STRING_new();
    bool ok =
        oid && os && buf_status(&b, NULL) == SR_OK && ASN1_OCTET_STRING_set(os, b.p, (int)b.n) == 1;
    X509_EXTENSION *e = ok ? X509_EXTENSION_create_by_OBJ(NULL, oid, 0, os) : NULL;
    ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(os);
    ASN1_OBJECT_free(oid);
    buf_done(&b);
    return ok;
}

static bool set_times(ASN1_TIME *from, ASN1_TIME *to, uint64_t now) {
    return from && to && ASN1_TIME_set(from, (time_t)now - DAY) &&
           ASN1_TIME_set(to, (time_t)now + (time_t)LIFE_DAYS * DAY);
}

enum kind { KIND_ROOT, KIND_CA, KIND_LEAF };

static X509 *certify(const struct making *m, enum kind kind, const char *cn, EVP_PKEY *key,
                     X509 *issuer, EVP_PKEY *issuer_key, long serial) {
    X509 *x = X509_new();
    X509_NAME *name = x ? X509_get_subject_name(x) : NULL;
    bool ok =
        name && X509_set_version(x, 2) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(x), serial) == 1 &&
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
                                   (const unsigned char *)"Strongroom SIMULATED", -1, -1, 0) == 1 &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1,
                                   0) == 1 &&
        X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name) == 1 &&
        set_times(X509_getm_notBefore(x), X509_getm_notAfter(x), m->now) &&
        X509_set_pubkey(x, key) == 1;
    X509V3_CTX cx;
    X509V3_set_ctx(&cx, issuer ? issuer : x, x, NULL, NULL, 0);
    ok = ok &&
         add_extension(x, &cx, NID_basic_constraints,
                       kind == KIND_ROOT ? "critical,CA:TRUE,pathlen:1"
                       : kind == KIND_CA ? "critical,CA:TRUE,pathlen:0"
                                         : "critical,CA:FALSE") &&
         add_extension(x, &cx, NID_key_usage,
                       kind == KIND_LEAF ? "critical,digitalSignature,nonRepudiation"
                                         : "critical,keyCertSign,cRLSign") &&
         add_extension(x, &cx, NID_subject_key_identifier, "hash");
    if (ok && kind == KIND_LEAF && strcmp(cn, "Intel SGX PCK Certificate") == 0)
        ok = add_pck_extension(x);
    if (ok && X509_sign(x, issuer_key, EVP_sha256()) > 0) return x;
    X509_free(x);
    return NULL;
}

static X509_CRL *empty_crl(const struct making *m, X509 *issuer, EVP_PKEY *key) {
    X509_CRL *c = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_new(), *to = ASN1_TIME_new();
    bool ok = c && set_times(from, to, m->now) && X509_CRL_set_version(c, 1) == 1 &&
              X509_CRL_set_issuer_name(c, X509_get_subject_name(issuer)) == 1 &&
              X509_CRL_set1_lastUpdate(c, from) == 1 && X509_CRL_set1_nextUpdate(c, to) == 1 &&
              X509_CRL_sign(c, key, EVP_sha256()) > 0;
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    if (ok) return c;
    X509_CRL_free(c);
    return NULL;
}

static bool make_all(struct making *m) {
    EVP_PKEY **keys[] = {&m->root_key, &m->ca_key, &m->tcb_key, &m->pck_key, &m->attest_key};
    for (size_t i = 0; i < SR_ARRAY_LEN(keys); i++)
        if (!(*keys[i] = EVP_EC_gen("P-256"))) return false;
    m->root = certify(m, KIND_ROOT, "SIMULATED Root CA", m->root_key, NULL, m->root_key, 1);
    if (!m->root) return false;
    m->ca = certify(m, KIND_CA, "Intel SGX PCK Platform CA", m->ca_key, m->root, m->root_key, 2);
    m->tcb = certify(m, KIND_LEAF, "Intel SGX TCB Signing", m->tcb_key, m->root, m->root_key, 3);
    if (!m->ca || !m->tcb) return false;
    m->pck = certify(m, KIND_LEAF, "Intel SGX PCK Certificate", m->pck_key, m->ca, m->ca_key, 4);
    m->root_crl = empty_crl(m, m->root, m->root_key);
    m->pck_crl = empty_crl(m, m->ca, m->ca_key);
    return m->pck && m->root_crl && m->pck_crl;
}

/* ---- bytes of it ---- */

static bool put_pem(struct buf *b, X509 *const *certs, size_t n) {
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL;
    for (size_t i = 0; ok && i < n; i++) ok = PEM_write_bio_X509(bio, certs[i]) == 1;
    char *p = NULL;
    long len = ok ? BIO_get_mem_data(bio, &p) : 0;
    if (len > 0) buf_put(b, p, (size_t)len);
    BIO_free(bio);
    return len > 0;
}

static bool raw_public(EVP_PKEY *k, uint8_t ret_pub[64]) {
    uint8_t p[65];
    size_t n = 0;
    if (EVP_PKEY_get_octet_string_param(k, "pub", p, sizeof p, &n) != 1 || n != 65 || p[0] != 4)
        return false;
    memcpy(ret_pub, p + 1, 64);
    return true;
}

static bool raw_secret(EVP_PKEY *k, uint8_t ret_secret[32]) {
    BIGNUM *d = NULL;
    bool ok = EVP_PKEY_get_bn_param(k, "priv", &d) == 1 && BN_bn2binpad(d, ret_secret, 32) == 32;
    BN_clear_free(d);
    return ok;
}

static sr_status platform_file(const struct making *m, struct buf *ret, struct sr_err *err) {
    uint8_t pub[64], secret[32], qe[QE_REPORT] = {0}, sig[64], auth[QE_AUTH], le[4];
    cleanup_buf struct buf pem = {0}, tail = {0}, bound = {0};
    buf_init(&pem, 8192), buf_init(&tail, 12288), buf_init(&bound, 256);
    X509 *const chain[] = {m->pck, m->ca, m->root};
    if (!raw_public(m->attest_key, pub) || !put_pem(&pem, chain, 3))
        return sr_fail(err, SR_E_CRYPTO, "cannot write the simulated platform");

    /* The quoting enclave's report: it vouches for the attestation key. */
    for (uint8_t i = 0; i < QE_AUTH; i++) auth[i] = i;
    qe[48] = 0x11; /* INIT, PROVISIONKEY */
    SR_ASSERT(hex_decode(slice_str(qe_mrsigner_hex), qe + 128, 32));
    put_le16(qe + 256, 2); /* ISVPRODID */
    put_le16(qe + 258, 4); /* ISVSVN */
    buf_put(&bound, pub, sizeof pub);
    buf_put(&bound, auth, sizeof auth);
    SR_TRY(buf_status(&bound, err));
    struct hash h = sha256(buf_slice(&bound));
    memcpy(qe + 320, h.b, 32);
    SR_TRY(p256_sign_pkey(m->pck_key, slice_of(qe, sizeof qe), sig, err));

    buf_put(&tail, pub, sizeof pub);
    put_le16(le, 6);
    buf_put(&tail, le, 2);
    put_le32(le, (uint32_t)(QE_REPORT + 64 + 2 + QE_AUTH + 2 + 4 + pem.n));
    buf_put(&tail, le, 4);
    buf_put(&tail, qe, sizeof qe);
    buf_put(&tail, sig, sizeof sig);
    put_le16(le, QE_AUTH);
    buf_put(&tail, le, 2);
    buf_put(&tail, auth, sizeof auth);
    put_le16(le, 5);
    buf_put(&tail, le, 2);
    put_le32(le, (uint32_t)pem.n);
    buf_put(&tail, le, 4);
    buf_add(&tail, buf_slice(&pem));
    SR_TRY(buf_status(&tail, err));

    if (!raw_secret(m->attest_key, secret))
        return sr_fail(err, SR_E_CRYPTO, "cannot write the simulated platform");
    buf_put(ret, SIM_PLATFORM_TAG, 10);
    buf_put(ret, secret, sizeof secret);
    buf_u32(ret, (uint32_t)tail.n);
    buf_add(ret, buf_slice(&tail));
    explicit_bzero(secret, sizeof secret);
    return buf_status(ret, err);
}

static void date_text(char dst[21], uint64_t unix_s) {
    char ms[25];
    iso8601(ms, unix_s * 1000);
    memcpy(dst, ms, 19);
    dst[19] = 'Z';
    dst[20] = 0;
}

static void tcb_info_text(struct buf *b, const char *from, const char *to) {
    buf_printf(b,
               "{\"id\":\"TDX\",\"version\":3,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\","
               "\"fmspc\":\"%s\",\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":1,"
               "\"tdxModule\":{\"mrsigner\":\"%096d\",\"attributes\":\"0000000000000000\","
               "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"},"
               "\"tdxModuleIdentities\":[{\"id\":\"TDX_01\",\"mrsigner\":\"%096d\","
               "\"attributes\":\"0000000000000000\",\"attributesMask\":\"FFFFFFFFFFFFFFFF\","
               "\"tcbLevels\":[{\"tcb\":{\"isvsvn\":%u},\"tcbDate\":\"%s\","
               "\"tcbStatus\":\"UpToDate\"}]}],\"tcbLevels\":[{\"tcb\":{\"sgxtcbcomponents\":[",
               from, to, fmspc_hex, 0, 0, sim_tee_tcb_svn[0], from);
    for (unsigned i = 0; i < 16; i++) buf_printf(b, "%s{\"svn\":1}", i ? "," : "");
    buf_str(b, "],\"pcesvn\":10,\"tdxtcbcomponents\":[");
    for (unsigned i = 0; i < 16; i++)
        buf_printf(b, "%s{\"svn\":%u}", i ? "," : "", sim_tee_tcb_svn[i]);
    buf_printf(b, "]},\"tcbDate\":\"%s\",\"tcbStatus\":\"UpToDate\"}]}", from);
}

static void qe_identity_text(struct buf *b, const char *from, const char *to) {
    buf_printf(
        b,
        "{\"id\":\"TD_QE\",\"version\":2,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\","
        "\"tcbEvaluationDataNumber\":1,\"miscselect\":\"00000000\","
        "\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\","
        "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"%s\","
        "\"isvprodid\":2,\"tcbLevels\":[{\"tcb\":{\"isvsvn\":4},\"tcbDate\":\"%s\","
        "\"tcbStatus\":\"UpToDate\"}]}",
        from, to, qe_mrsigner_hex, from);
}

static void put_der_hex(struct jw *w, const char *key, uint8_t *take_der, int n) {
    char *hex = n > 0 ? malloc((size_t)n * 2 + 1) : NULL;
    if (hex) {
        hex_encode(hex, take_der, (size_t)n);
        jw_kcstr(w, key, hex);
    } else {
        w->b->bad = SR_E_NOMEM;
    }
    free(hex);
    OPENSSL_free(take_der);
}

static sr_status put_signed(const struct making *m, struct jw *w, const char *key,
                            const char *sig_key, struct slice text, struct sr_err *err) {
    uint8_t sig[64];
    char hex[129];
    SR_TRY(p256_sign_pkey(m->tcb_key, text, sig, err));
    hex_encode(hex, sig, sizeof sig);
    jw_kstr(w, key, text);
    jw_kcstr(w, sig_key, hex);
    return SR_OK;
}

static sr_status verifier_file(const struct making *m, struct buf *ret, struct sr_err *err) {
    char from[21], to[21];
    cleanup_buf struct buf text = {0}, pem = {0};
    struct jw w = jw_of(ret);
    uint8_t *d = NULL;
    X509 *const ca_chain[] = {m->ca, m->root}, *const tcb_chain[] = {m->tcb, m->root};
    buf_init(&text, 65536), buf_init(&pem, 16384);
    date_text(from, m->now - DAY);
    date_text(to, m->now + (uint64_t)LIFE_DAYS * DAY);

    jw_obj(&w);
    jw_kbool(&w, "simulated", true);
    int n = i2d_X509(m->root, &d);
    put_der_hex(&w, "root", d, n);
    jw_key(&w, "collateral");
    jw_obj(&w);
    if (!put_pem(&pem, ca_chain, 2)) return sr_fail(err, SR_E_CRYPTO, "cannot write certificates");
    jw_kstr(&w, "pck_crl_issuer_chain", buf_slice(&pem));
    d = NULL;
    n = i2d_X509_CRL(m->root_crl, &d);
    put_der_hex(&w, "root_ca_crl", d, n);
    d = NULL;
    n = i2d_X509_CRL(m->pck_crl, &d);
    put_der_hex(&w, "pck_crl", d, n);
    buf_clear(&pem);
    if (!put_pem(&pem, tcb_chain, 2)) return sr_fail(err, SR_E_CRYPTO, "cannot write certificates");
    jw_kstr(&w, "tcb_info_issuer_chain", buf_slice(&pem));
    tcb_info_text(&text, from, to);
    SR_TRY(put_signed(m, &w, "tcb_info", "tcb_info_signature", buf_slice(&text), err));
    jw_kstr(&w, "qe_identity_issuer_chain", buf_slice(&pem));
    buf_clear(&text);
    qe_identity_text(&text, from, to);
    SR_TRY(put_signed(m, &w, "qe_identity", "qe_identity_signature", buf_slice(&text), err));
    SR_TRY(buf_status(&text, err));
    jw_end_obj(&w);
    jw_end_obj(&w);
    return buf_status(ret, err);
}

sr_status tee_sim_authority_new(uint64_t now_s, struct tee_sim_authority *ret, struct sr_err *err) {
    crypto_init();
    struct making m = {.now = now_s};
    struct tee_sim_authority a;
    buf_init(&a.secret_platform, TEE_PLATFORM_MAX);
    buf_init(&a.verifier, DCAP_COLLATERAL_MAX);
    sr_status st =
        make_all(&m) ? SR_OK : sr_fail(err, SR_E_CRYPTO, "cannot make the simulated authority");
    if (st == SR_OK) st = platform_file(&m, &a.secret_platform, err);
    if (st == SR_OK) st = verifier_file(&m, &a.verifier, err);
    making_done(&m);
    if (st == SR_OK)
        *ret = a;
    else
        tee_sim_authority_done(&a);
    return st;
}

void tee_sim_authority_done(struct tee_sim_authority *a) {
    buf_wipe(&a->secret_platform);
    buf_done(&a->verifier);
}
