/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifications a second on one core, by CPU time: quotes and reports with what can be cached held,
 * and with nothing held. Prints one line of JSON. bench_attest VECTORS (tests/vectors/attestation)
 */
#include "tee/nitro.h"
#include "tee/snp.h"
#include "tee/tee.h"

#include <stdio.h>
#include <time.h>

#define SECONDS 1.0

struct files {
    const char *dir;
    struct buf quote, collateral, root, report, ek, ask, ark, doc, nitro_root;
};

static double cpu_s(void) {
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static sr_status load(const struct files *f, const char *name, struct buf *b, struct sr_err *err) {
    char path[512];
    buf_init(b, 4u << 20);
    int n = snprintf(path, sizeof path, "%s/%s", f->dir, name);
    if (n < 0 || (size_t)n >= sizeof path) return sr_fail(err, SR_E_TOOBIG, "a path too long");
    return fs_read(path, b, err);
}

#define QUOTE_TIME  1764652144u /* 2025-12-02 */
#define REPORT_TIME 1770051886u /* 2026-02-02 */
#define DOC_TIME    1766678659u /* 2025-12-25 */

struct state {
    struct files *f;
    struct dcap_collateral *collateral;
    struct snp_chain *chain;
};

static sr_status tdx_cached(struct state *s, struct sr_err *err) {
    static struct dcap_result r;
    return dcap_verify(buf_slice(&s->f->quote), s->collateral, QUOTE_TIME, &r, err);
}
static sr_status tdx_cold(struct state *s, struct sr_err *err) {
    static struct dcap_result r;
    struct dcap_collateral *c = NULL;
    SR_TRY(
        dcap_collateral_new(buf_slice(&s->f->collateral), buf_slice(&s->f->root), &c, NULL, err));
    sr_status st = dcap_verify(buf_slice(&s->f->quote), c, QUOTE_TIME, &r, err);
    dcap_collateral_free(c);
    return st;
}
static sr_status snp_cached(struct state *s, struct sr_err *err) {
    static struct snp_result r;
    return snp_verify(buf_slice(&s->f->report), s->chain, REPORT_TIME, &r, err);
}
static sr_status snp_cold(struct state *s, struct sr_err *err) {
    static struct snp_result r;
    struct snp_chain *c = NULL;
    SR_TRY(snp_chain_new(buf_slice(&s->f->ek), buf_slice(&s->f->ask), buf_slice(&s->f->ark), &c,
                         NULL, err));
    sr_status st = snp_verify(buf_slice(&s->f->report), c, REPORT_TIME, &r, err);
    snp_chain_free(c);
    return st;
}
static sr_status nitro(struct state *s, struct sr_err *err) {
    static struct nitro_result r;
    return nitro_verify(buf_slice(&s->f->doc), buf_slice(&s->f->nitro_root), DOC_TIME, &r, err);
}

static sr_status measure(const char *name, struct state *s,
                         sr_status (*one)(struct state *s, struct sr_err *err), bool first,
                         struct sr_err *err) {
    size_t n = 0;
    SR_TRY(one(s, err));
    const double start = cpu_s();
    double took = 0;
    while (took < SECONDS) {
        for (size_t i = 0; i < 20; i++, n++) SR_TRY(one(s, err));
        took = cpu_s() - start;
    }
    (void)printf("%s\"%s_per_s\":%.0f", first ? "{" : ",", name, (double)n / took);
    return SR_OK;
}

static sr_status run(struct state *s, struct sr_err *err) {
    struct files *f = s->f;
    SR_TRY(load(f, "dcap/quotes/tdx4-b0c06f000000-b9e238b2.bin", &f->quote, err));
    SR_TRY(load(f, "dcap/collateral/tdx-b0c06f000000-e18-20251117.json", &f->collateral, err));
    SR_TRY(load(f, "roots/intel-sgx-root.der", &f->root, err));
    SR_TRY(load(f, "snp/turin-v5-3f44a09b.report", &f->report, err));
    SR_TRY(load(f, "snp/ek-turin-14889815.der", &f->ek, err));
    SR_TRY(load(f, "roots/amd/SEV-Turin.der", &f->ask, err));
    SR_TRY(load(f, "roots/amd/ARK-Turin.der", &f->ark, err));
    SR_TRY(load(f, "nitro/54ae0f97.cbor", &f->doc, err));
    SR_TRY(load(f, "roots/aws-nitro-root.der", &f->nitro_root, err));
    SR_TRY(dcap_collateral_new(buf_slice(&f->collateral), buf_slice(&f->root), &s->collateral, NULL,
                               err));
    SR_TRY(snp_chain_new(buf_slice(&f->ek), buf_slice(&f->ask), buf_slice(&f->ark), &s->chain, NULL,
                         err));
    SR_TRY(measure("tdx_v4_cached", s, tdx_cached, true, err));
    SR_TRY(measure("tdx_v4_nothing_cached", s, tdx_cold, false, err));
    SR_TRY(measure("snp_cached", s, snp_cached, false, err));
    SR_TRY(measure("snp_nothing_cached", s, snp_cold, false, err));
    SR_TRY(measure("nitro", s, nitro, false, err));
    (void)printf("}\n");
    return SR_OK;
}

int main(int argc, char **argv) {
    struct files f = {.dir = argc > 1 ? argv[1] : "tests/vectors/attestation"};
    struct state s = {.f = &f};
    struct sr_err e = {0};
    sr_status st = run(&s, &e);
    if (st != SR_OK) (void)fprintf(stderr, "bench_attest: %s\n", e.what);
    dcap_collateral_free(s.collateral);
    snp_chain_free(s.chain);
    struct buf *all[] = {&f.quote, &f.collateral, &f.root, &f.report,    &f.ek,
                         &f.ask,   &f.ark,        &f.doc,  &f.nitro_root};
    for (size_t i = 0; i < SR_ARRAY_LEN(all); i++) buf_done(all[i]);
    return st == SR_OK ? 0 : 1;
}
