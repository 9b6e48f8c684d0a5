/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit for protect: one pass over a file, AES-256-CBC then SHA-256, nothing kept. Prints one
 * line of JSON. bench_pass FILE [--decrypt]     with --decrypt: SHA-256, then decryption, of the
 * same bytes
 */
#include "crypto/crypto.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE (256u * 1024)

static sr_status pass(int fd, bool encrypt, uint64_t *ret_bytes, struct sr_err *err) {
    cleanup_secret struct sr_secret key = {0};
    SR_TRY(secret_new(32, &key, err));
    const uint8_t iv[16] = {0};
    cleanup_free uint8_t *in = malloc(PIECE);
    cleanup_free uint8_t *out = malloc(PIECE + 16);
    if (!in || !out) return sr_fail(err, SR_E_NOMEM, "no memory");
    struct sha256 sha;
    struct aes_cbc aes = {0};
    SR_TRY(sha256_init(&sha, err));
    sr_status st = aes_cbc_init(&aes, encrypt, &key, iv, err);
    uint64_t total = 0;
    while (st == SR_OK) {
        ssize_t n = read(fd, in, PIECE);
        if (n < 0) st = sr_fail(err, SR_E_SYS, "read");
        if (n <= 0) break;
        size_t made = 0;
        if (!encrypt) sha256_add(&sha, slice_of(in, (size_t)n));
        st = aes_cbc_add(&aes, slice_of(in, (size_t)n), out, &made, err);
        if (encrypt) sha256_add(&sha, slice_of(out, made));
        total += (uint64_t)n;
    }
    aes_cbc_drop(&aes);
    struct hash h = sha256_end(&sha);
    (void)h;
    *ret_bytes = total;
    return st;
}

int main(int argc, char **argv) {
    struct sr_err e = {0};
    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_pass FILE [--decrypt]\n");
        return 2;
    }
    cleanup_close int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    uint64_t bytes = 0;
    int64_t start = clock_mono_us();
    sr_status st = fd < 0 ? sr_fail(&e, SR_E_SYS, "open") : pass(fd, argc < 3, &bytes, &e);
    if (st != SR_OK) {
        (void)fprintf(stderr, "bench_pass: %s\n", e.what);
        return 1;
    }
    double s = (double)(clock_mono_us() - start) / 1e6;
    (void)printf("{\"mb\":%.1f,\"mb_per_s\":%.1f}\n", (double)bytes / 1e6, (double)bytes / 1e6 / s);
    return 0;
}
