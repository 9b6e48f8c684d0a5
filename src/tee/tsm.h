/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tsm.h - getting evidence on a host that has the hardware: configfs-tsm, RTMR extension, SNP ioctl
 *
 * NOT RUN ON HARDWARE: written to the kernel's documented interface and tested against a fake tree
 * of those files; nobody has run it inside a TDX or SEV-SNP guest yet. Used by: tests; the room's
 * launcher for guests, when there is one. Blocks: yes.
 * SPEC: attestation.md#3-tdx-evidence-on-linux, attestation.md#44-getting-a-report
 */
#pragma once
#include "tee/maker.h"
#include "tee/snp.h"

#define TSM_REPORT_DIR   "/sys/kernel/config/tsm/report"
#define TSM_RTMR_DIR     "/sys/class/misc/tdx_guest/measurements"
#define TSM_OUTBLOB_MAX  65536u
#define TSM_TRIES        5u
#define TSM_BACKOFF_MS   50u /* doubles with each try */
#define SNP_GUEST_DEVICE "/dev/sev-guest"

struct tsm_report { /* owned: tsm_report_done */
    tee_provider provider;
    struct buf evidence, certificates; /* certificates: SNP's table; may be empty */
};
void tsm_report_done(struct tsm_report *r); /* accepts a zeroed one */
/*
 * tsm_report_get - a quote or report over 64 bytes, through configfs-tsm
 *
 * dir          TSM_REPORT_DIR, or a fake
 * report_data  what is bound
 * privlevel    SNP: 0..3; negative: not written
 *
 * SR_E_NOTFOUND: the kernel has no such interface, or no provider known here. SR_E_UNAVAILABLE: the
 * host's quoting service stays busy, or somebody else keeps writing. The entry made is removed.
 */
SR_CHECK sr_status tsm_report_get(const char *dir, const uint8_t report_data[64], int privlevel,
                                  struct tsm_report *ret, struct sr_err *err);
/* Extends RTMR2 or 3. SR_E_NOTFOUND: a kernel before 6.16. */
SR_CHECK sr_status tsm_rtmr_extend(const char *dir, unsigned rtmr, const uint8_t digest[48],
                                   struct sr_err *err);
/* SNP_GET_EXT_REPORT on /dev/sev-guest, for kernels without configfs-tsm. */
SR_CHECK sr_status snp_guest_report(const char *device, const uint8_t report_data[64],
                                    unsigned vmpl, struct tsm_report *ret, struct sr_err *err);
/* The report out of the ioctl's 4000-byte answer. */
SR_CHECK sr_status snp_guest_answer(const uint8_t answer[4000], struct buf *ret,
                                    struct sr_err *err);
/* Puts evidence into an "SRE1" envelope. */
SR_CHECK sr_status tsm_envelope(const struct tsm_report *r, struct slice event_log, struct buf *ret,
                                struct sr_err *err);
