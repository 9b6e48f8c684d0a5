/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of RLC as people write them. SPEC: sdk-formats.md#1-amounts-and-integers */
#include "sdk/sdk_int.h"

#define RLC_DECIMALS 9

static bool scale(struct slice whole, struct slice part, unsigned decimals, struct u256 *ret_v) {
    char digits[160];
    if (whole.n == 0 || whole.n + decimals >= sizeof digits) return false;
    while (part.n > decimals) { /* only zeros may be cut off */
        if (part.p[part.n - 1] != '0') return false;
        part.n--;
    }
    memcpy(digits, whole.p, whole.n);
    if (part.n > 0) memcpy(digits + whole.n, part.p, part.n);
    memset(digits + whole.n + part.n, '0', decimals - part.n);
    size_t n = whole.n + decimals, skip = 0;
    while (skip + 1 < n && digits[skip] == '0') skip++;
    return u256_from_dec(slice_of(digits + skip, n - skip), ret_v);
}

bool sdk_scale(struct slice number, unsigned decimals, struct u256 *ret_v) {
    struct slice whole, part;
    bool has_part = slice_cut(number, '.', &whole, &part);
    if (!has_part) part = (struct slice){NULL, 0};
    return !(has_part && part.n == 0) && scale(whole, part, decimals, ret_v);
}

sr_status sdk_amount(const char *text, struct u256 *ret_nrlc, struct sr_err *err) {
    struct slice number, unit, whole, part;
    struct u256 v;
    bool has_unit = slice_cut(slice_trim(slice_str(text)), ' ', &number, &unit);
    unit = slice_trim(unit);
    bool rlc = has_unit && slice_ieq(unit, "RLC");
    bool known = !has_unit || rlc || slice_ieq(unit, "nRLC");
    bool has_part = slice_cut(number, '.', &whole, &part);
    if (!has_part) part = (struct slice){NULL, 0};
    if (!known || (has_part && part.n == 0) || !scale(whole, part, rlc ? RLC_DECIMALS : 0, &v)) {
        sr_hint(err, "write 1000, \"1000 nRLC\" or \"1.5 RLC\"");
        return sr_fail(err, SR_E_USAGE, "%.64s is not a valid amount", text);
    }
    *ret_nrlc = v;
    return SR_OK;
}

sr_status sdk_price(const char *text, const char *what, struct u256 *ret_nrlc, struct sr_err *err) {
    struct u256 v = {0};
    uint64_t small;
    if (text) {
        struct sr_err ignored = {0};
        if (sdk_amount(text, &v, &ignored) != SR_OK || !u256_to_u64(v, &small) ||
            small > POCO_SAFE_MAX) {
            sr_hint(err, "a whole number of nRLC, or \"1.5 RLC\"");
            return sr_fail(err, SR_E_USAGE, "%s: %.64s is not a valid price", what, text);
        }
    }
    *ret_nrlc = v;
    return SR_OK;
}
