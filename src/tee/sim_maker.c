/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/p256.h"
#include "tee/sim_int.h"

const uint8_t quote_qe_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                     0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
const uint8_t sim_tee_tcb_svn[16] = {5, 1, 3};

/* Header and TD report body of a v4 quote. SPEC: attestation.md#21-header-48-bytes-all-versions */
static void quote_head(uint8_t q[QUOTE_HEADER + TD_BODY], const uint8_t mrtd[48],
                       const uint8_t report_data[64]) {
    static const uint8_t xfam[8] = {0xe7, 0x02, 0x06};
    memset(q, 0, QUOTE_HEADER + TD_BODY);
    put_le16(q, 4);
    put_le16(q + 2, 2); /* ECDSA P-256 */
    put_le32(q + 4, 0x81);
    memcpy(q + 12, quote_qe_vendor, sizeof quote_qe_vendor);
    uint8_t *body = q + QUOTE_HEADER;
    memcpy(body, sim_tee_tcb_svn, sizeof sim_tee_tcb_svn);
    put_le32(body + 120, 1u << 28); /* TDATTRIBUTES: SEPT_VE_DISABLE */
    memcpy(body + 128, xfam, sizeof xfam);
    memcpy(body + 136, mrtd, 48);
    memcpy(body + 520, report_data, 64);
}

static sr_status platform_parse(struct slice secret_platform, struct slice *ret_secret_key,
                                struct slice *ret_tail, struct sr_err *err) {
    struct rd r = rd_of(secret_platform);
    struct slice tag = rd_take(&r, 10);
    struct slice key = rd_take(&r, 32);
    struct slice tail = rd_take(&r, rd_u32(&r));
    if (!rd_done(&r) || secret_platform.n > TEE_PLATFORM_MAX || tail.n < 64 ||
        !slice_eq(tag, slice_of(SIM_PLATFORM_TAG, 10)))
        return sr_fail(err, SR_E_MALFORMED, "not a simulated platform file");
    *ret_secret_key = key;
    *ret_tail = tail;
    return SR_OK;
}

sr_status tee_sim_evidence(struct slice secret_platform, const uint8_t mrtd[48],
                           const uint8_t report_data[64], uint64_t now_s, struct buf *ret_envelope,
                           struct sr_err *err) {
    struct slice key, tail;
    uint8_t head[QUOTE_HEADER + TD_BODY], sig[64], n[8];
    SR_TRY(platform_parse(secret_platform, &key, &tail, err));
    quote_head(head, mrtd, report_data);
    SR_TRY(p256_sign(key, tail.p, slice_of(head, sizeof head), sig, err));

    const size_t quote = sizeof head + 4 + sizeof sig + tail.n, before = ret_envelope->n;
    static const uint8_t start[] = {'S', 'R', 'E', '1', TEE_SIMULATED, 0, 0, 0, ENVELOPE_EVIDENCE,
                                    0};
    buf_put(ret_envelope, start, sizeof start);
    put_le32(n, (uint32_t)(16 + quote));
    buf_put(ret_envelope, n, 4);
    buf_put(ret_envelope, SIM_EVIDENCE_TAG, 8);
    put_le64(n, now_s);
    buf_put(ret_envelope, n, 8);
    buf_put(ret_envelope, head, sizeof head);
    put_le32(n, (uint32_t)(sizeof sig + tail.n));
    buf_put(ret_envelope, n, 4);
    buf_put(ret_envelope, sig, sizeof sig);
    buf_add(ret_envelope, tail);
    sr_status st = buf_status(ret_envelope, err);
    if (st != SR_OK && ret_envelope->n > before) ret_envelope->n = before;
    return st;
}
