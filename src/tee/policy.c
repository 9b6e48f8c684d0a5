/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/policy.h"
#include "tee/tee_int.h"

#include <stdlib.h>
#include <time.h>

#define MAX_AGE_S 300u

struct policy {
    struct json *doc; /* NULL: strict */
    uint64_t expires;
};

static const struct json_val *key(const struct policy *p, const char *name) {
    return p->doc ? json_get(json_root(p->doc), name) : NULL;
}

/* ---- reading ---- */

static bool texts(const struct json_val *v, size_t most) {
    struct slice s;
    if (!v) return true;
    if (!json_is(v, JSON_ARRAY) || json_len(v) > most) return false;
    for (const struct json_val *x = json_first(v); x; x = json_next(x))
        if (!json_str(x, &s)) return false;
    return true;
}

static bool among(const struct json_val *list, struct slice s) {
    struct slice x;
    for (const struct json_val *v = json_first(list); v; v = json_next(v))
        if (json_str(v, &x) && slice_eq(x, s)) return true;
    return false;
}

static bool names_only(const struct json_val *list, const char *const *known, size_t n) {
    struct slice s = {0};
    if (!texts(list, 64)) return false;
    for (const struct json_val *v = json_first(list); v; v = json_next(v)) {
        bool found = false;
        (void)json_str(v, &s);
        for (size_t i = 0; i < n; i++) found |= slice_is(s, known[i]);
        if (!found) return false;
    }
    return true;
}

static bool hex_list(const struct json_val *list) {
    struct slice s = {0};
    uint8_t b[64];
    if (!texts(list, POLICY_SETS)) return false;
    for (const struct json_val *v = json_first(list); v; v = json_next(v)) {
        (void)json_str(v, &s);
        if (s.n == 0 || s.n > 128 || s.n % 2 || !hex_decode(s, b, s.n / 2)) return false;
    }
    return true;
}

static bool sets_ok(const struct json_val *v) {
    struct slice s;
    uint8_t b[64];
    if (!v) return true;
    if (!json_is(v, JSON_ARRAY) || json_len(v) > POLICY_SETS) return false;
    for (const struct json_val *set = json_first(v); set; set = json_next(set)) {
        if (!json_is(set, JSON_OBJECT) || json_len(set) == 0) return false;
        for (const struct json_val *r = json_first(set); r; r = json_next(r))
            if (!json_str(r, &s) || s.n == 0 || s.n > 128 || s.n % 2 || !hex_decode(s, b, s.n / 2))
                return false;
    }
    return true;
}

static bool bits_ok(const struct json_val *v) {
    uint64_t n;
    if (!v) return true;
    if (!json_is(v, JSON_ARRAY) || json_len(v) > 64) return false;
    for (const struct json_val *b = json_first(v); b; b = json_next(b))
        if (!json_u64(b, &n) || n > 63) return false;
    return true;
}

static bool attributes_ok(const struct json_val *v) {
    if (!v) return true;
    if (!json_is(v, JSON_OBJECT)) return false;
    for (const struct json_val *x = json_first(v); x; x = json_next(x))
        if (!slice_is(json_key(x), "must_set") && !slice_is(json_key(x), "must_clear"))
            return false;
    return bits_ok(json_get(v, "must_set")) && bits_ok(json_get(v, "must_clear"));
}

static bool min_tcb_ok(const struct json_val *v) {
    static const char *const levels[] = {"fmc", "bl", "tee", "snp", "ucode"};
    if (!v) return true;
    if (!json_is(v, JSON_OBJECT)) return false;
    for (const struct json_val *p = json_first(v); p; p = json_next(p)) {
        bool known = false;
        for (size_t i = 0; i < SNP_UNKNOWN; i++)
            known |= slice_is(json_key(p), snp_product_name((snp_product)i));
        if (!known || !json_is(p, JSON_OBJECT)) return false;
        for (const struct json_val *l = json_first(p); l; l = json_next(l)) {
            uint64_t n;
            known = false;
            for (size_t i = 0; i < SR_ARRAY_LEN(levels); i++)
                known |= slice_is(json_key(l), levels[i]);
            if (!known || !json_u64(l, &n) || n > 255) return false;
        }
    }
    return true;
}

static bool number_ok(const struct json_val *v) {
    uint64_t n;
    return !v || (json_u64(v, &n) && n <= UINT32_MAX);
}

static bool when(const struct json_val *v, uint64_t *ret) {
    struct slice s;
    struct tm tm = {0};
    char text[24] = "";
    if (!v) return true;
    if (!json_str(v, &s) || s.n != 20) return false;
    memcpy(text, s.p, s.n);
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    time_t t = end && *end == 0 ? timegm(&tm) : -1;
    if (t < 0) return false;
    *ret = (uint64_t)t;
    return true;
}

static const char *wrong_key(struct policy *p) {
    static const char *const known[] = {"providers",
                                        "roots",
                                        "tcb_status",
                                        "advisories_accepted",
                                        "min_tcb",
                                        "measurements",
                                        "signers",
                                        "td_attributes",
                                        "chips",
                                        "platform_info",
                                        "allow",
                                        "report_data",
                                        "max_age_s",
                                        "max_collateral_age_days",
                                        "require_eval_number_min",
                                        "expires"};
    static const char *const providers[] = {"tdx", "sev-snp", "sgx-dcap", "nitro", "SIMULATED"};
    static const char *const allow[] = {"debug", "migratable", "service_td", "vmpl"};
    const char *status[TCB_NONE];
    struct slice s;
    uint8_t b[64];
    for (size_t i = 0; i < TCB_NONE; i++) status[i] = tcb_status_name((tcb_status)i);
    if (!json_is(json_root(p->doc), JSON_OBJECT)) return "it is no object";
    for (const struct json_val *v = json_first(json_root(p->doc)); v; v = json_next(v)) {
        bool found = false;
        for (size_t i = 0; i < SR_ARRAY_LEN(known); i++) found |= slice_is(json_key(v), known[i]);
        if (!found) return "a key that no policy has";
    }
    if (!names_only(key(p, "providers"), providers, SR_ARRAY_LEN(providers))) return "providers";
    if (!names_only(key(p, "allow"), allow, SR_ARRAY_LEN(allow))) return "allow";
    if (!names_only(key(p, "tcb_status"), status, SR_ARRAY_LEN(status))) return "tcb_status";
    if (!texts(key(p, "advisories_accepted"), POLICY_SETS)) return "advisories_accepted";
    if (!hex_list(key(p, "roots"))) return "roots";
    if (!hex_list(key(p, "signers"))) return "signers";
    if (!hex_list(key(p, "chips"))) return "chips";
    if (!bits_ok(key(p, "platform_info"))) return "platform_info";
    if (!sets_ok(key(p, "measurements"))) return "measurements";
    if (!attributes_ok(key(p, "td_attributes"))) return "td_attributes";
    if (!min_tcb_ok(key(p, "min_tcb"))) return "min_tcb";
    const struct json_val *r = key(p, "report_data");
    if (r && (!json_str(r, &s) || s.n == 0 || s.n > 128 || s.n % 2 || !hex_decode(s, b, s.n / 2)))
        return "report_data";
    if (!number_ok(key(p, "max_age_s"))) return "max_age_s";
    if (!number_ok(key(p, "max_collateral_age_days"))) return "max_collateral_age_days";
    if (!number_ok(key(p, "require_eval_number_min"))) return "require_eval_number_min";
    return when(key(p, "expires"), &p->expires) ? NULL : "expires";
}

sr_status policy_new(struct slice json, struct policy **ret, struct sr_err *err) {
    struct policy *p = sr_calloc_n(1, sizeof *p);
    sr_status st = SR_OK;
    if (!p) return sr_fail(err, SR_E_NOMEM, "out of memory");
    if (json.n > POLICY_MAX) st = sr_fail(err, SR_E_TOOBIG, "the policy is too long");
    if (st == SR_OK && json.n > 0) st = json_parse(json, &p->doc, err);
    const char *wrong = st == SR_OK && p->doc ? wrong_key(p) : NULL;
    if (wrong) st = sr_fail(err, SR_E_MALFORMED, "the policy is malformed: %s", wrong);
    if (st == SR_OK)
        *ret = p;
    else
        policy_free(p);
    return st;
}

void policy_free(struct policy *p) {
    if (!p) return;
    json_free(p->doc);
    free(p);
}

/* ---- evaluating ---- */

static struct policy_clause *add(struct policy_verdict *v, const char *name, bool judged,
                                 bool holds) {
    SR_ASSERT(v->n < POLICY_CLAUSES);
    struct policy_clause *c = &v->clause[v->n++];
    *c = (struct policy_clause){.name = name, .judged = judged, .holds = holds || !judged};
    return c;
}
#define WHY(c, ...) ((void)snprintf((c)->why, sizeof(c)->why, __VA_ARGS__))

static bool allows(const struct policy *p, const char *what) {
    return among(key(p, "allow"), slice_str(what));
}

static bool pinned(const struct policy_input *in) {
    if (in->snp) return snp_ark_is_pinned(in->root_der, NULL);
    if (in->nitro) return nitro_root_is_pinned(in->root_der);
    return dcap_root_is_pinned(in->root_der);
}

static void judge_origin(const struct policy *p, const struct policy_input *in,
                         struct policy_verdict *v) {
    const struct json_val *list = key(p, "providers");
    const char *name = tee_provider_label(in->provider);
    bool named = list ? among(list, slice_str(name)) : in->provider != TEE_SIMULATED;
    struct policy_clause *c = add(v, "provider", true, named);
    WHY(c, "%s is %s", name, named ? "accepted" : "not among the accepted providers");

    char hex[65];
    struct hash h = sha256(in->root_der);
    hex_encode(hex, h.b, 32);
    list = key(p, "roots");
    /* The root of a simulated authority is whoever made it: naming SIMULATED is what allows it. */
    bool ok = list                            ? among(list, slice_str(hex))
              : in->provider == TEE_SIMULATED ? named
                                              : pinned(in);
    c = add(v, "root", true, ok);
    WHY(c, "root %.16s... is %s", hex, ok ? "accepted" : "neither pinned nor named");

    ok = p->expires == 0 || in->now_s <= p->expires;
    c = add(v, "expires", p->expires != 0, ok);
    WHY(c, "%s", p->expires == 0 ? "the policy has no end" : ok ? "in force" : "expired");
}

static bool bit(const uint8_t a[8], uint64_t n) {
    return (a[n / 8] >> (n % 8) & 1u) != 0;
}

static uint64_t first_wrong_bit(const uint8_t a[8], const struct json_val *list, bool want) {
    uint64_t n = 0;
    for (const struct json_val *b = json_first(list); b; b = json_next(b))
        if (json_u64(b, &n) && bit(a, n) != want) return n;
    return 64;
}

static void judge_td(const struct policy *p, const struct dcap_result *r,
                     struct policy_verdict *v) {
    static const uint8_t zero[48];
    const struct json_val *a = key(p, "td_attributes");
    uint8_t attr[8];
    memcpy(attr, r->td_attributes, 8);
    struct policy_clause *c = add(v, "debug", true, allows(p, "debug") || attr[0] == 0);
    WHY(c, "attributes begin with 0x%02x: %s", attr[0],
        attr[0] ? "the guest can be debugged" : "no debugging");
    c = add(v, "migratable", true, allows(p, "migratable") || !bit(attr, 29));
    WHY(c, "MIGRATABLE is %s", bit(attr, 29) ? "set" : "clear");
    c = add(v, "service_td", true,
            allows(p, "service_td") || memcmp(r->mr_servicetd, zero, 48) == 0);
    WHY(c, "service TDs are %s", memcmp(r->mr_servicetd, zero, 48) ? "bound" : "absent");
    uint64_t wrong = 64;
    bool set = true;
    if (json_get(a, "must_set"))
        wrong = first_wrong_bit(attr, json_get(a, "must_set"), true);
    else if (!bit(attr, 28))
        wrong = 28;
    if (wrong == 64) {
        set = false;
        if (json_get(a, "must_clear"))
            wrong = first_wrong_bit(attr, json_get(a, "must_clear"), false);
        else if (bit(attr, 63))
            wrong = 63;
    }
    c = add(v, "td_attributes", true, wrong == 64);
    if (wrong == 64)
        WHY(c, "as wanted");
    else
        WHY(c, "bit %u must be %s", (unsigned)wrong, set ? "set" : "clear");
}

static void judge_dcap(const struct policy *p, const struct policy_input *in,
                       struct policy_verdict *v) {
    const struct dcap_result *r = in->dcap;
    const struct json_val *list = key(p, "tcb_status");
    const char *status = tcb_status_name(r->status);
    bool ok = list ? among(list, slice_str(status))
                   : r->status == TCB_UP_TO_DATE || r->status == TCB_SW_HARDENING_NEEDED;
    if (r->status == TCB_REVOKED) ok = false;
    struct policy_clause *c = add(v, "tcb_status", true, ok);
    WHY(c, "the platform is %s", status);

    const char *extra = NULL;
    list = key(p, "advisories_accepted");
    for (size_t i = 0; list && !extra && i < r->n_advisories; i++)
        if (!among(list, slice_str(r->advisories[i]))) extra = r->advisories[i];
    c = add(v, "advisories", list != NULL, !extra);
    if (extra) WHY(c, "%s is not accepted", extra);
    if (!extra) WHY(c, "%zu named in the collateral", r->n_advisories);

    uint64_t most = 0, least = 0, number = 0, issued = in->now_s;
    bool old = json_u64(key(p, "max_collateral_age_days"), &most);
    bool eval = json_u64(key(p, "require_eval_number_min"), &least);
    bool has =
        in->collateral &&
        json_u64(json_get(json_root(in->collateral->tcb.doc), "tcbEvaluationDataNumber"), &number);
    if (in->collateral) issued = in->collateral->tcb.issued;
    const uint64_t age = in->now_s > issued ? (in->now_s - issued) / 86400 : 0;
    c = add(v, "collateral_age", old, in->collateral && age <= most);
    WHY(c, "TCB info is %llu days old", (unsigned long long)age);
    c = add(v, "evaluation_number", eval, has && number >= least);
    WHY(c, "TCB evaluation data number %llu", (unsigned long long)number);
    if (r->tdx) {
        judge_td(p, r, v);
        return;
    }
    c = add(v, "debug", true, allows(p, "debug") || !r->debug);
    WHY(c, "the enclave is %s", r->debug ? "a debug enclave" : "no debug enclave");
}

static bool tcb_reaches(const struct json_val *want, const struct snp_tcb *have) {
    struct snp_tcb w = {0};
    struct {
        const char *name;
        uint8_t *at;
    } f[] = {{"fmc", &w.fmc}, {"bl", &w.bl}, {"tee", &w.tee}, {"snp", &w.snp}, {"ucode", &w.ucode}};
    for (size_t i = 0; i < SR_ARRAY_LEN(f); i++) {
        uint64_t n = 0;
        if (json_u64(json_get(want, f[i].name), &n)) *f[i].at = (uint8_t)n;
    }
    return snp_tcb_at_least(have, &w);
}

static void judge_snp(const struct policy *p, const struct policy_input *in,
                      struct policy_verdict *v) {
    const struct snp_result *r = in->snp;
    const struct snp_report *q = &r->report;
    const char *product = snp_product_name(r->product);
    struct policy_clause *c = add(v, "debug", true, allows(p, "debug") || !r->debug);
    WHY(c, "the guest policy %s debugging", r->debug ? "allows" : "forbids");
    const bool moves = (q->policy & SNP_POLICY_MIGRATE_MA) != 0;
    c = add(v, "migratable", true, allows(p, "migratable") || !moves);
    WHY(c, "a migration agent is %s", moves ? "allowed" : "not allowed");
    c = add(v, "vmpl", true, allows(p, "vmpl") || q->vmpl == 0);
    WHY(c, "asked for at privilege level %u", q->vmpl);
    const struct json_val *all = key(p, "min_tcb"), *want = json_get(all, product);
    const struct snp_tcb launch = snp_tcb_read(q->launch_tcb, r->product);
    bool ok = want && tcb_reaches(want, &r->tcb) && tcb_reaches(want, &r->committed) &&
              tcb_reaches(want, &launch);
    c = add(v, "min_tcb", all != NULL, ok);
    if (all && !want)
        WHY(c, "the policy names no minimum for %s", product);
    else
        WHY(c, "%s reports bl %u, tee %u, snp %u, ucode %u, fmc %u", product, r->tcb.bl, r->tcb.tee,
            r->tcb.snp, r->tcb.ucode, r->tcb.fmc);
}

static bool equals_hex(struct slice value, struct slice hex);

static void judge_chip(const struct policy *p, const struct snp_report *q,
                       struct policy_verdict *v) {
    const struct json_val *chips = key(p, "chips"), *bits = key(p, "platform_info");
    struct slice hex;
    bool ok = false;
    for (const struct json_val *c = json_first(chips); c; c = json_next(c))
        ok |= json_str(c, &hex) && equals_hex(slice_of(q->chip_id, sizeof q->chip_id), hex);
    struct policy_clause *c = add(v, "chip", chips != NULL, ok && !q->masked_chip);
    WHY(c, "the chip is %s",
        q->masked_chip ? "masked"
        : !chips       ? "told"
        : ok           ? "named"
                       : "not named");
    uint8_t info[8];
    for (size_t i = 0; i < 8; i++) info[i] = (uint8_t)(q->platform_info >> 8 * i);
    const uint64_t wrong = first_wrong_bit(info, bits, true);
    c = add(v, "platform_info", bits != NULL, wrong == 64);
    if (wrong == 64)
        WHY(c, "PLATFORM_INFO 0x%llx", (unsigned long long)q->platform_info);
    else
        WHY(c, "bit %u of PLATFORM_INFO must be set", (unsigned)wrong);
}

static void judge_nitro(const struct policy *p, const struct policy_input *in,
                        struct policy_verdict *v) {
    const struct nitro_result *r = in->nitro;
    uint64_t most = MAX_AGE_S;
    (void)json_u64(key(p, "max_age_s"), &most);
    struct policy_clause *c = add(v, "debug", true, allows(p, "debug") || !r->debug);
    WHY(c, "PCR0 is %s", r->debug ? "zero: debug mode" : "set");
    const uint64_t made = r->doc.timestamp_ms / 1000;
    bool ok =
        made <= in->now_s + TEE_CLOCK_SKEW_S && (made > in->now_s || in->now_s - made <= most);
    c = add(v, "age", true, ok);
    WHY(c, "made %lld s ago", (long long)in->now_s - (long long)made);
}

bool policy_register(const struct policy_input *in, struct slice name, struct slice *ret) {
    const struct dcap_result *d = in->dcap;
    const struct snp_report *s = in->snp ? &in->snp->report : NULL;
    uint64_t i = 0;
#define REG(when, text, field)                                                                     \
    do {                                                                                           \
        if ((when) && slice_is(name, (text))) {                                                    \
            *ret = slice_of((field), sizeof(field));                                               \
            return true;                                                                           \
        }                                                                                          \
    } while (0)
    REG(d && d->tdx, "mrtd", d->regs.mrtd);
    REG(d && d->tdx, "rtmr0", d->regs.rtmr[0]);
    REG(d && d->tdx, "rtmr1", d->regs.rtmr[1]);
    REG(d && d->tdx, "rtmr2", d->regs.rtmr[2]);
    REG(d && d->tdx, "rtmr3", d->regs.rtmr[3]);
    REG(d && d->tdx, "mrconfigid", d->regs.mrconfigid);
    REG(d && d->tdx, "mrowner", d->mrowner);
    REG(d && d->tdx, "mrownerconfig", d->mrownerconfig);
    REG(d && d->tdx, "mrseam", d->mrseam);
    REG(d && !d->tdx, "mrenclave", d->mrenclave);
    REG(d && !d->tdx, "mrsigner", d->mrsigner);
    REG(s, "measurement", s->measurement);
    REG(s, "host_data", s->host_data);
    REG(s, "id_key_digest", s->id_key_digest);
    REG(s, "author_key_digest", s->author_key_digest);
    REG(s, "chip_id", s->chip_id);
#undef REG
    if (!in->nitro || !slice_starts(name, "pcr") ||
        !num_u64(slice_of(name.p + 3, name.n - 3), NITRO_PCRS - 1, &i) ||
        in->nitro->doc.pcr[i].n == 0)
        return false;
    *ret = in->nitro->doc.pcr[i];
    return true;
}

static bool equals_hex(struct slice value, struct slice hex) {
    uint8_t b[64];
    return hex.n == 2 * value.n && value.n <= sizeof b && hex_decode(hex, b, value.n) &&
           ct_equal(b, value.p, value.n);
}

static bool set_matches(const struct policy_input *in, const struct json_val *set) {
    for (const struct json_val *r = json_first(set); r; r = json_next(r)) {
        struct slice value, hex;
        if (!policy_register(in, json_key(r), &value) || !json_str(r, &hex) ||
            !equals_hex(value, hex))
            return false;
    }
    return true;
}

static struct slice signer_of(const struct policy_input *in) {
    struct slice s = {0};
    const char *name = in->snp ? "id_key_digest" : in->nitro ? "pcr8" : "mrsigner";
    if (!policy_register(in, slice_str(name), &s)) s.n = 0;
    return s;
}

static void judge_identity(const struct policy *p, const struct policy_input *in,
                           struct policy_verdict *v) {
    const struct json_val *sets = key(p, "measurements"), *signers = key(p, "signers");
    bool ok = false;
    for (const struct json_val *s = json_first(sets); s; s = json_next(s)) ok |= set_matches(in, s);
    struct policy_clause *c = add(v, "measurement", sets != NULL, ok);
    WHY(c, "%s",
        !sets ? "the policy names none: this says nothing about the code"
        : ok  ? "one of the named sets"
              : "none of the named sets");

    struct slice signer = signer_of(in), hex;
    ok = false;
    for (const struct json_val *s = json_first(signers); s; s = json_next(s))
        ok |= signer.n > 0 && json_str(s, &hex) && equals_hex(signer, hex);
    c = add(v, "signer", signers != NULL, ok);
    WHY(c, "%s", !signers ? "the policy names none" : ok ? "named" : "not named");

    struct slice want = {0}, got = {0};
    bool given = json_str(key(p, "report_data"), &want);
    if (in->dcap) got = slice_of(in->dcap->report_data, 64);
    if (in->snp) got = slice_of(in->snp->report.report_data, 64);
    if (in->nitro) got = in->nitro->doc.nonce;
    ok = given && got.n > 0 && equals_hex(got, want);
    c = add(v, "report_data", given, ok);
    WHY(c, "%s",
        !given ? "the policy names none: freshness is the caller's"
        : ok   ? "as expected"
               : "another one than expected");
}

void policy_evaluate(const struct policy *p, const struct policy_input *in,
                     struct policy_verdict *ret) {
    struct policy_verdict v = {.accepted = true};
    judge_origin(p, in, &v);
    if (in->dcap) judge_dcap(p, in, &v);
    if (in->snp) {
        judge_snp(p, in, &v);
        judge_chip(p, &in->snp->report, &v);
    }
    if (in->nitro) judge_nitro(p, in, &v);
    judge_identity(p, in, &v);
    for (size_t i = 0; i < v.n; i++) v.accepted &= v.clause[i].holds;
    *ret = v;
}

void policy_verdict_json(const struct policy_verdict *v, struct jw *w) {
    jw_obj(w);
    jw_kbool(w, "accepted", v->accepted);
    jw_key(w, "clauses");
    jw_arr(w);
    for (size_t i = 0; i < v->n; i++) {
        jw_obj(w);
        jw_kcstr(w, "clause", v->clause[i].name);
        jw_kbool(w, "holds", v->clause[i].holds);
        jw_kbool(w, "judged", v->clause[i].judged);
        jw_kcstr(w, "why", v->clause[i].why);
        jw_end_obj(w);
    }
    jw_end_arr(w);
    jw_end_obj(w);
}
