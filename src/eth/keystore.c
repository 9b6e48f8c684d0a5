/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/keystore.h"
#include "eth/tx.h"
#include <openssl/evp.h>

#define KEY_BYTES     32u
#define DERIVED_BYTES 32u
#define PBKDF2_MAX    10000000u /* rounds: some seconds */
#define SALT_MAX      256u

static struct hash mac_of(const uint8_t derived[DERIVED_BYTES], const uint8_t *cipher, size_t n) {
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, slice_of(derived + 16, 16));
    keccak_add(&k, slice_of(cipher, n));
    return keccak_end(&k);
}

static void put_hexs(struct jw *w, const char *key, const uint8_t *p, size_t n) {
    char hex[2 * DERIVED_BYTES + 1];
    SR_ASSERT(n <= DERIVED_BYTES);
    hex_encode(hex, p, n);
    jw_kcstr(w, key, hex);
}

sr_status keystore_write(const struct sr_secret *key, struct slice secret_password,
                         uint64_t scrypt_n, struct buf *ret_json, struct sr_err *err) {
    struct addr a;
    uint8_t rnd[16 + 16 + 32], cipher[KEY_BYTES];
    const uint8_t *iv = rnd + 16, *salt = rnd + 32;
    if (key->n != KEY_BYTES) return sr_fail(err, SR_E_RANGE, "a wallet key has 32 bytes");
    SR_TRY(secp_address(key, &a, err));
    SR_TRY(random_bytes(rnd, sizeof rnd, err));
    rnd[6] = (rnd[6] & 0x0f) | 0x40; /* UUID version 4 */
    rnd[8] = (rnd[8] & 0x3f) | 0x80;
    cleanup_secret struct sr_secret d = {0};
    SR_TRY(secret_new(DERIVED_BYTES, &d, err));
    SR_TRY(scrypt_derive(secret_password, slice_of(salt, 32), scrypt_n, 8, 1, d.p, DERIVED_BYTES,
                         err));
    SR_TRY(aes128_ctr(d.p, iv, secret_slice(key), cipher, err));
    struct hash mac = mac_of(d.p, cipher, KEY_BYTES);
    char u[33];
    hex_encode(u, rnd, 16);
    cleanup_buf struct buf id;
    buf_init(&id, 64);
    buf_printf(&id, "%.8s-%.4s-%.4s-%.4s-%.12s", u, u + 8, u + 12, u + 16, u + 20);

    struct jw w = jw_of(ret_json);
    jw_obj(&w);
    jw_kcstr(&w, "address", addr_text(&a).s + 2);
    jw_kcstr(&w, "id", buf_cstr(&id));
    jw_ku64(&w, "version", 3);
    jw_key(&w, "Crypto"); /* the capital is what the official client writes */
    jw_obj(&w);
    jw_kcstr(&w, "cipher", "aes-128-ctr");
    jw_key(&w, "cipherparams");
    jw_obj(&w);
    put_hexs(&w, "iv", iv, 16);
    jw_end_obj(&w);
    put_hexs(&w, "ciphertext", cipher, KEY_BYTES);
    jw_kcstr(&w, "kdf", "scrypt");
    jw_key(&w, "kdfparams");
    jw_obj(&w);
    put_hexs(&w, "salt", salt, 32);
    jw_ku64(&w, "n", scrypt_n);
    jw_ku64(&w, "dklen", DERIVED_BYTES);
    jw_ku64(&w, "p", 1);
    jw_ku64(&w, "r", 8);
    jw_end_obj(&w);
    put_hexs(&w, "mac", mac.b, 32);
    jw_end_obj(&w);
    jw_end_obj(&w);
    return buf_status(ret_json, err);
}

static const struct json_val *get_either(const struct json_val *v, const char *a, const char *b) {
    const struct json_val *x = json_get(v, a);
    return x ? x : json_get(v, b);
}

static sr_status malformed(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_MALFORMED, "wallet file: %s", what);
}

static sr_status derive(const struct json_val *crypto, struct slice secret_password, uint8_t *out,
                        struct sr_err *err) {
    const struct json_val *kp = json_get(crypto, "kdfparams");
    struct slice kdf, salt_hex;
    uint64_t dklen, n, r, p;
    cleanup_buf struct buf salt;
    buf_init(&salt, SALT_MAX);
    if (!json_str(json_get(crypto, "kdf"), &kdf)) return malformed(err, "kdf is missing");
    if (!json_str(json_get(kp, "salt"), &salt_hex) || !hex_decode_buf(salt_hex, &salt) ||
        salt.bad) {
        BUF_TRY_MEMORY(&salt, err);
        return malformed(err, "salt is not hex");
    }
    if (!json_u64(json_get(kp, "dklen"), &dklen) || dklen != DERIVED_BYTES)
        return malformed(err, "dklen is not 32");
    if (slice_is(kdf, "scrypt")) {
        if (!json_u64(json_get(kp, "n"), &n) || !json_u64(json_get(kp, "r"), &r) ||
            !json_u64(json_get(kp, "p"), &p))
            return malformed(err, "scrypt's n, r or p is missing");
        return scrypt_derive(secret_password, buf_slice(&salt), n, r, p, out, DERIVED_BYTES, err);
    }
    if (slice_is(kdf, "pbkdf2")) {
        struct slice prf;
        if (!json_u64(json_get(kp, "c"), &n) || n == 0 || n > PBKDF2_MAX)
            return malformed(err, "pbkdf2's c is missing or too big");
        if (!json_str(json_get(kp, "prf"), &prf) || !slice_is(prf, "hmac-sha256"))
            return malformed(err, "prf is not hmac-sha256");
        if (secret_password.n > INT32_MAX ||
            PKCS5_PBKDF2_HMAC((const char *)secret_password.p, (int)secret_password.n, salt.p,
                              (int)salt.n, (int)n, EVP_sha256(), (int)DERIVED_BYTES, out) != 1)
            return sr_fail(err, SR_E_CRYPTO, "pbkdf2 failed");
        return SR_OK;
    }
    return malformed(err, "kdf is neither scrypt nor pbkdf2");
}

sr_status keystore_read(struct slice json, struct slice secret_password, struct sr_secret *ret_key,
                        struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    if (json.n > KEYSTORE_MAX_BYTES) return sr_fail(err, SR_E_TOOBIG, "not a wallet file");
    SR_TRY(json_parse(json, &doc, err));
    const struct json_val *root = json_root(doc), *crypto = get_either(root, "Crypto", "crypto");
    struct slice s;
    uint64_t version;
    uint8_t iv[16], cipher[KEY_BYTES];
    struct hash mac;
    if (!json_u64(json_get(root, "version"), &version) || version != 3)
        return malformed(err, "version is not 3");
    if (!json_str(json_get(crypto, "cipher"), &s) || !slice_is(s, "aes-128-ctr"))
        return malformed(err, "cipher is not aes-128-ctr");
    if (!json_str(json_get(json_get(crypto, "cipherparams"), "iv"), &s) || !hex_decode(s, iv, 16))
        return malformed(err, "iv is not 16 bytes of hex");
    if (!json_str(json_get(crypto, "ciphertext"), &s) || !hex_decode(s, cipher, KEY_BYTES))
        return malformed(err, "ciphertext is not 32 bytes of hex");
    if (!json_str(json_get(crypto, "mac"), &s) || !hex_decode(s, mac.b, 32))
        return malformed(err, "mac is not 32 bytes of hex");
    cleanup_secret struct sr_secret d = {0}, k = {0};
    SR_TRY(secret_new(DERIVED_BYTES, &d, err));
    SR_TRY(derive(crypto, secret_password, d.p, err));
    struct hash want = mac_of(d.p, cipher, KEY_BYTES);
    if (!ct_equal(want.b, mac.b, 32)) {
        sr_status st = sr_fail(err, SR_E_AUTH, "wrong password for this wallet");
        sr_hint(err, "type it again, or give another --password-file");
        return st;
    }
    SR_TRY(secret_new(KEY_BYTES, &k, err));
    SR_TRY(aes128_ctr(d.p, iv, slice_of(cipher, KEY_BYTES), k.p, err));
    struct addr got, named;
    SR_TRY(secp_address(&k, &got, err));
    if (keystore_address(json, &named, NULL) == SR_OK && !addr_eq(&got, &named))
        return malformed(err, "the key inside is not of the address it names");
    *ret_key = k;
    k = (struct sr_secret){0};
    return SR_OK;
}

sr_status keystore_address(struct slice json, struct addr *ret_a, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct slice s;
    if (json.n > KEYSTORE_MAX_BYTES) return sr_fail(err, SR_E_TOOBIG, "not a wallet file");
    SR_TRY(json_parse(json, &doc, err));
    if (!json_str(json_get(json_root(doc), "address"), &s))
        return sr_fail(err, SR_E_NOTFOUND, "wallet file: it names no address");
    struct addr a;
    if (!hex_decode(s, a.b, 20)) return malformed(err, "address is not 20 bytes of hex");
    *ret_a = a;
    return SR_OK;
}

void keystore_name(char dst[KEYSTORE_NAME_MAX], const struct addr *a, uint64_t unix_ms) {
    char t[25];
    iso8601(t, unix_ms);
    for (char *c = t; *c; c++)
        if (*c == ':') *c = '-';
    cleanup_buf struct buf b;
    buf_init(&b, KEYSTORE_NAME_MAX - 1);
    buf_printf(&b, "UTC--%.23s000000Z--%s", t, addr_checksum(a).s + 2);
    SR_ASSERT(b.bad == SR_OK);
    memcpy(dst, buf_cstr(&b), b.n + 1);
}
