/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is our own code for secrets blind to them? Keys are marked as undefined; valgrind then reports
 * every branch and every index that depends on them. Run under valgrind only (meson.build does).
 */
#include "crypto/ossl_int.h"

#include <stdio.h>
#include <valgrind/memcheck.h>

#define SECRET(p, n) VALGRIND_MAKE_MEM_UNDEFINED((p), (n))
#define PUBLIC(p, n) VALGRIND_MAKE_MEM_DEFINED((p), (n))

static void encodings(void) {
    uint8_t key[32];
    char hex[65];
    struct buf b64;
    memset(key, 0x5a, sizeof key);
    buf_init(&b64, 1000);
    SECRET(key, sizeof key);
    hex_encode(hex, key, sizeof key);
    base64_encode(&b64, slice_of(key, sizeof key));
    PUBLIC(hex, sizeof hex);
    PUBLIC(b64.p, b64.n);
    SR_ASSERT(strlen(hex) == 64 && b64.n == 44);
    buf_wipe(&b64);
}

static void comparing(void) {
    uint8_t a[33] = {1}, b[33] = {1};
    SECRET(a, sizeof a);
    SECRET(b, sizeof b);
    bool same = ct_equal(a, b, sizeof a);
    PUBLIC(&same, sizeof same);
    SR_ASSERT(same);
}

static void hashing(void) {
    uint8_t m[300], prk[32] = {0}, okm[80];
    memset(m, 7, sizeof m);
    SECRET(m, sizeof m);
    struct hash h = keccak256(slice_of(m, sizeof m));
    PUBLIC(&h, sizeof h);
    SECRET(prk, sizeof prk);
    SR_ASSERT(hkdf_expand(prk, SLICE_LIT("info"), okm, sizeof okm, NULL) == SR_OK);
    PUBLIC(okm, sizeof okm);
}

/* HPKE around what OpenSSL does with the key. */
static void sealing(void) {
    struct sr_secret key = {0};
    uint8_t pub[32];
    struct buf sealed, out;
    SR_ASSERT(hpke_keygen(&key, pub, NULL) == SR_OK);
    buf_init(&sealed, 1000), buf_init(&out, 1000);
    SR_ASSERT(hpke_seal(pub, SLICE_LIT("i"), SLICE_LIT("a"), SLICE_LIT("plain"), &sealed, NULL) ==
              SR_OK);
    SECRET(key.p, key.n);
    sr_status st = hpke_open(&key, SLICE_LIT("i"), SLICE_LIT("a"), buf_slice(&sealed), &out, NULL);
    PUBLIC(&st, sizeof st);
    SR_ASSERT(st == SR_OK);
    PUBLIC(out.p, out.n);
    SR_ASSERT(slice_is(buf_slice(&out), "plain"));
    buf_done(&sealed), buf_wipe(&out);
    secret_free(&key);
}

int main(int argc, char **argv) {
    if (!RUNNING_ON_VALGRIND) {
        (void)fputs("run this under valgrind\n", stderr);
        return 1;
    }
    encodings();
    comparing();
    hashing();
    sealing();
    if (argc > 1 && strcmp(argv[1], "--branch") == 0) { /* does the test see anything at all? */
        volatile uint8_t key = 1;
        SECRET(&key, 1);
        if (key) (void)fputs("", stderr);
    }
    return 0;
}
