/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventlog.h - measured-boot event logs of TDX guests (CCEL), replayed to RTMR0..3
 *
 * Replay proves digests only: an event's text is worth something only when event_proves_data says
 * so, and the registers equal those of a verified quote. Used by: cli (attest), audit, tests.
 * SPEC: attestation.md#31-event-log-ccel-and-rtmr-replay
 */
#pragma once
#include "crypto/crypto.h"

#define EVENTLOG_MAX      (1u << 20)
#define EVENTLOG_DIGESTS  8u /* of one event */
#define EVENTLOG_EVENTS   16384u
#define EVENTLOG_JSON_MAX (4u << 20)

#define EV_NO_ACTION    3u
#define EV_SEPARATOR    4u
#define EV_EVENT_TAG    6u
#define EV_EFI_VARIABLE 0x80000001u
#define EV_EFI_ACTION   0x80000007u

struct event {
    uint32_t index; /* 0 MRTD, 1..4 RTMR0..3 */
    uint32_t type;
    const uint8_t *sha384; /* 48, borrowed; NULL: it has none */
    struct slice data;
};
struct eventlog { /* a cursor */
    struct rd r;
    uint16_t alg[EVENTLOG_DIGESTS], size[EVENTLOG_DIGESTS];
    size_t n_algs;
    size_t used; /* bytes of the log before its padding, known at the end */
    const uint8_t *start;
    bool bad;
};
/* Reads the header. SR_E_MALFORMED. */
SR_CHECK sr_status eventlog_open(struct slice log, struct eventlog *ret, struct sr_err *err);
/* The next event; false at the end, or when log->bad. */
SR_CHECK bool eventlog_next(struct eventlog *log, struct event *ret);
/* Is the event's data (or its documented part) what was measured? */
bool event_proves_data(const struct event *e);

struct eventlog_result {
    uint8_t rtmr[4][48];
    size_t n[4], events, proved, used;
};
/* One extension: RTMR' = SHA-384(RTMR | digest). */
void rtmr_extend(uint8_t rtmr[48], const uint8_t digest[48]);
SR_CHECK sr_status eventlog_replay(struct slice log, struct eventlog_result *ret,
                                   struct sr_err *err);
/* The JSON logs of dstack guests; digests of RTMR3's named events are computed again. */
SR_CHECK sr_status eventlog_replay_json(struct slice json, struct eventlog_result *ret,
                                        struct sr_err *err);
