/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attest collateral: asks Intel's service, or a mirror, for what `attest verify` needs, checks it,
 * and keeps it in a file. The one attest command that uses the network.
 */
#include "cli/cli_int.h"
#include "net/net.h"
#include "tee/pcs.h"
#include "tee/policy.h"

#define SERVICE  "https://api.trustedservices.intel.com"
#define ROOT_CRL "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
#define URL_MAX  1024u
#define ASK_MS   20000u

struct fetch {
    const char *service; /* NULL: Intel's */
    struct pcs_platform platform;
    struct http_answer answer[PCS_PARTS];
    struct buf json;
};

static sr_status ask(struct fetch *f, pcs_part part, struct sr_err *err) {
    char path[PCS_PATH_MAX], url[URL_MAX];
    struct http_answer *a = &f->answer[part];
    pcs_path(&f->platform, part, path);
    int n = part == PCS_ROOT_CRL && !f->service
                ? snprintf(url, sizeof url, "%s", ROOT_CRL)
                : snprintf(url, sizeof url, "%s%s", f->service ? f->service : SERVICE, path);
    if (n < 0 || (size_t)n >= sizeof url) return sr_fail(err, SR_E_USAGE, "--service is too long");
    const struct http_call call = {.url = url, .max_body = PCS_BODY_MAX, .total_ms = ASK_MS};
    SR_TRY(http_fetch(&call, a, err));
    if (a->status == 200) return SR_OK;
    if (a->status == 404)
        return sr_fail(err, SR_E_NOTFOUND, "the service knows nothing of this platform (%s)", path);
    return sr_fail(err, SR_E_UNAVAILABLE, "the service answered %d for %s", a->status, path);
}

static sr_status fetch(void *arg, struct sr_err *err) {
    struct fetch *f = arg;
    struct pcs_answer parts[PCS_PARTS];
    memset(parts, 0, sizeof parts);
    for (size_t i = 0; i < PCS_PARTS; i++) {
        const char *header = pcs_chain_header((pcs_part)i);
        SR_TRY(ask(f, (pcs_part)i, err));
        parts[i].body = buf_slice(&f->answer[i].body);
        if (header && !http_answer_header(&f->answer[i], header, &parts[i].chain))
            return sr_fail(err, SR_E_MALFORMED, "an answer without %s", header);
    }
    return pcs_assemble(parts, &f->json, err);
}

/* Nothing is kept that does not verify, or that is older than what is there. */
static sr_status check(struct cli *c, const struct fetch *f, const char *path, uint64_t *ret_until,
                       uint64_t *ret_number, struct sr_err *err) {
    cleanup_buf struct buf root = {0}, old = {0};
    struct dcap_collateral *col = NULL;
    uint64_t before = 0;
    buf_init(&root, 4096), buf_init(&old, DCAP_COLLATERAL_MAX);
    const char *given = cli_value(c, "--root");
    if (given)
        SR_TRY(fs_read(given, &root, err));
    else
        SR_TRY(dcap_pinned_root(buf_slice(&f->json), &root, err));
    SR_TRY(dcap_collateral_new(buf_slice(&f->json), buf_slice(&root), &col, NULL, err));
    *ret_until = dcap_collateral_expires(col);
    dcap_collateral_free(col);
    SR_TRY(pcs_evaluation_number(buf_slice(&f->json), ret_number, err));
    if (fs_exists(path) && fs_read(path, &old, NULL) == SR_OK &&
        pcs_evaluation_number(buf_slice(&old), &before, NULL) == SR_OK && before > *ret_number) {
        sr_hint(err, "remove %s if you mean it", path);
        return sr_fail(err, SR_E_REFUSED,
                       "the service gave evaluation %llu, older than %llu in the file: a rollback",
                       (unsigned long long)*ret_number, (unsigned long long)before);
    }
    return SR_OK;
}

static sr_status run(struct cli *c, struct fetch *f, struct sr_err *err) {
    cleanup_buf struct buf quote = {0};
    const char *path = cli_value(c, "--out"), *quote_path = cli_value(c, "--quote");
    uint64_t until = 0, number = 0;
    char hex[13], date[25];
    if (!path || !quote_path)
        return sr_fail(err, SR_E_USAGE, "attest collateral: --quote and --out are needed");
    buf_init(&quote, DCAP_QUOTE_MAX);
    SR_TRY(fs_read(quote_path, &quote, err));
    SR_TRY(pcs_platform_of(buf_slice(&quote), &f->platform, err));
    SR_TRY(net_init(err));
    SR_TRY(net_call(fetch, f, err));
    SR_TRY(check(c, f, path, &until, &number, err));
    SR_TRY(fs_write_atomic(path, buf_slice(&f->json), 0644, err));
    hex_encode(hex, f->platform.fmspc, 6);
    iso8601(date, until * 1000);
    out_begin(c);
    out_str(c, "file", path);
    out_str(c, "kind", f->platform.tdx ? "tdx" : "sgx");
    out_str(c, "fmspc", hex);
    out_u64(c, "evaluation", number);
    out_str(c, "good_until", date);
    const uint64_t now = clock_unix_ms() / 1000;
    if (until < now + COLLATERAL_WARN_S)
        out_str(c, "warning", until < now ? "it has EXPIRED already" : "it expires within a week");
    out_end(c);
    return SR_OK;
}

sr_status cmd_attest_collateral(struct cli *c, struct sr_err *err) {
    struct fetch f = {.service = cli_value(c, "--service")};
    buf_init(&f.json, DCAP_COLLATERAL_MAX);
    sr_status st = run(c, &f, err);
    for (size_t i = 0; i < PCS_PARTS; i++) http_answer_done(&f.answer[i]);
    buf_done(&f.json);
    return st;
}
