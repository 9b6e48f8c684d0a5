/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain-average - an iApp: the average of protected numbers, for a contract
 *
 * The protected data is one text file with a number a line (of several leaves, "file" or the
 * first). Lines that are no number are left out. Of fewer than five numbers nothing is said: an
 * average of so few speaks of single ones.
 *
 * Result: computed.json with callback-data, the ABI encoding of (int256 average, uint256 count);
 * the average is in millionths, rounded to the nearest. The hub hands it to the deal's callback
 * contract, for instance contracts/src/examples/AverageConsumer.sol.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strongroom/deserializer.h>

#define MIN_NUMBERS 5u
#define MAX_ABS     1e12 /* of a number: millionths of the average stay exact enough and in 64 bits */

_Noreturn static void stop(const char *what) {
    (void)fprintf(stderr, "chain-average: %s\n", what);
    exit(1);
}

/* A word of the ABI: a 64-bit two's complement number, extended by its sign. */
static void put_word(FILE *f, int64_t v) {
    (void)fprintf(f, "%s%016llx",
                  v < 0 ? "ffffffffffffffffffffffffffffffffffffffffffffffff"
                        : "000000000000000000000000000000000000000000000000",
                  (unsigned long long)v);
}

static void write_computed(double mean, uint64_t n) {
    char path[512];
    const char *dir = getenv("IEXEC_OUT");
    (void)snprintf(path, sizeof path, "%s/computed.json", dir && *dir ? dir : "/iexec_out");
    FILE *f = fopen(path, "w");
    if (!f) stop("cannot write computed.json");
    (void)fputs("{\"callback-data\":\"0x", f);
    put_word(f, (int64_t)llround(mean * 1e6));
    put_word(f, (int64_t)n);
    (void)fputs("\"}\n", f);
    if (fclose(f) != 0) stop("cannot write computed.json");
}

int main(void) {
    struct sr_err err = {0};
    struct sr_pd *pd = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (sr_pd_open(NULL, &pd, &err) != SR_OK) stop(err.what);
    const char *leaf = sr_pd_has(pd, "file") ? "file" : sr_pd_path_at(pd, 0);
    if (!leaf) stop("the protected data is empty");
    if (sr_pd_bytes(pd, leaf, &bytes, &size, &err) != SR_OK) stop(err.what);
    double mean = 0;
    uint64_t n = 0;
    for (const char *p = (const char *)bytes; p && *p;) {
        char *end;
        double v = strtod(p, &end);
        const char *line = strchr(p, '\n');
        if (end != p && (line ? end <= line : 1) && (*end == '\n' || *end == '\r' || !*end) &&
            fabs(v) <= MAX_ABS) {
            n++;
            mean += (v - mean) / (double)n;
        }
        p = line ? line + 1 : NULL;
    }
    if (n < MIN_NUMBERS) stop("fewer than five numbers");
    write_computed(mean, n);
    (void)printf("an average of %llu numbers\n", (unsigned long long)n);
    free(bytes);
    sr_pd_close(pd);
    return 0;
}
