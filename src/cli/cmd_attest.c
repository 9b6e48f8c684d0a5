/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attest verify: anybody's evidence, judged offline. The arguments, the exit code (0 accept, 1
 * reject) and the one JSON object are a contract with those who test verifiers.
 * SPEC: attestation.md#12-policy-verdict-test-contract
 */
#include "cli/cli_int.h"
#include <strongroom/attest.h>
#include <time.h>

enum { MAIN, COLLATERAL, QUOTE, ROOT, EK, ASK, ARK, CRL, POLICY, PARTS };

/* What each kind calls its parts. */
static const struct {
    const char *kind;
    const char *option[PARTS]; /* NULL: has none */
    unsigned needed;           /* a bit a part */
} kinds[] = {
    {"dcap",
     {[MAIN] = "--quote", [COLLATERAL] = "--collateral", [ROOT] = "--root"},
     1u << MAIN | 1u << COLLATERAL},
    {"snp",
     {[MAIN] = "--report", [EK] = "--ek", [ASK] = "--ask", [ARK] = "--ark", [CRL] = "--crl"},
     1u << MAIN | 1u << EK | 1u << ASK | 1u << ARK},
    {"nitro", {[MAIN] = "--doc", [ROOT] = "--root"}, 1u << MAIN},
    {"ccel", {[MAIN] = "--log", [QUOTE] = "--quote"}, 1u << MAIN},
};

static sr_status moment(struct cli *c, uint64_t *ret, struct sr_err *err) {
    const char *text = cli_value(c, "--time");
    struct tm tm = {0};
    if (!text) return SR_OK;
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    time_t t = end && *end == 0 ? timegm(&tm) : -1;
    if (t <= 0) return sr_fail(err, SR_E_USAGE, "--time is like 2026-01-31T12:00:00Z");
    *ret = (uint64_t)t;
    return SR_OK;
}

static sr_status read_part(struct cli *c, const char *option, bool needed, struct buf *b,
                           struct sr_bytes *ret, struct sr_err *err) {
    const char *path = cli_value(c, option);
    if (!path && !needed) return SR_OK;
    if (!path) {
        sr_hint(err, "strongroom help attest verify");
        return sr_fail(err, SR_E_USAGE, "attest verify: %s is missing", option);
    }
    SR_TRY(fs_read(path, b, err));
    /* An empty file was given, too. */
    *ret = (struct sr_bytes){.p = b->n > 0 ? (const void *)b->p : "", .n = b->n};
    return SR_OK;
}

static sr_status verify(struct cli *c, struct buf part[PARTS], struct sr_err *err) {
    const char *kind = cli_value(c, "--kind");
    struct sr_bytes got[PARTS] = {{NULL, 0}};
    struct sr_evidence e = {.kind = kind};
    struct sr_evidence_verdict v = {0};
    SR_TRY(moment(c, &e.time_unix_s, err));
    SR_TRY(read_part(c, "--policy", false, &part[POLICY], &got[POLICY], err));
    for (size_t k = 0; kind && k < SR_ARRAY_LEN(kinds); k++) {
        if (strcmp(kind, kinds[k].kind) != 0) continue;
        for (unsigned i = 0; i < PARTS; i++)
            if (kinds[k].option[i])
                SR_TRY(read_part(c, kinds[k].option[i], kinds[k].needed >> i & 1, &part[i], &got[i],
                                 err));
    }
    e.evidence = got[MAIN], e.collateral = got[COLLATERAL], e.quote = got[QUOTE];
    e.root = got[ROOT], e.ek = got[EK], e.ask = got[ASK], e.ark = got[ARK], e.crl = got[CRL];
    e.policy = got[POLICY];
    SR_TRY(sr_evidence_verify(&e, &v, err));
    buf_str(&c->out, cli_flag(c, "--text") ? v.text : v.json);
    if (!v.accepted) c->exit_code = 1;
    sr_evidence_verdict_done(&v);
    return SR_OK;
}

sr_status cmd_attest_verify(struct cli *c, struct sr_err *err) {
    struct buf part[PARTS];
    for (size_t i = 0; i < PARTS; i++) buf_init(&part[i], SR_EVIDENCE_MAX);
    sr_status st = verify(c, part, err);
    for (size_t i = 0; i < PARTS; i++) buf_done(&part[i]);
    return st;
}
