/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trial.h - runs an app's image in a real room on this machine, with inputs of its developer's
 *
 * The room, its launcher and its proxy are those of a worker; the secret service is played here, so
 * evidence is SIMULATED and nothing is on a chain. What a trial accepts, the network accepts.
 *
 * Depends on: worker's door library, tee, crypto, zip.  Used by: app test.
 */
#pragma once
#include "base/base.h"
#include "oci/oci.h"
#include "room/door.h"

#define TRIAL_MAX_INPUTS  32u
#define TRIAL_MAX_SECRETS 32u

struct trial {
    const char *archive; /* OCI archive */
    struct hash digest;  /* its manifest's */
    const struct oci_strings *egress;
    const char *loopback;               /* names that lead to this host; NULL: none */
    const char *args;                   /* NULL: none */
    const char *data[TRIAL_MAX_INPUTS]; /* files, in clear: protected here */
    size_t n_data;
    const char *inputs[TRIAL_MAX_INPUTS]; /* files */
    size_t n_inputs;
    struct slice secret_app;                 /* p NULL: none */
    struct slice secrets[TRIAL_MAX_SECRETS]; /* of the requester: number i + 1; p NULL: none */
    bool callback;
    uint32_t seconds;
    uint64_t memory_bytes, disk_bytes;
};
struct trial_end {
    bool done;
    char cause[DOOR_CAUSE_MAX + 1], message[DOOR_TEXT_MAX + 1]; /* when not done */
    bool has_exit;
    uint32_t exit_code;
    struct buf body; /* owned: trial_end_done; the next ones borrow from it */
    struct slice tail_out, tail_err, callback;
    struct door_egress network;
    int archive_fd;                         /* the result's zip; -1 */
    int64_t ready_us, started_us, ended_us; /* since the begin */
};
/* SR_OK when the room told an end, good or bad. Runs the loop meanwhile. */
SR_CHECK sr_status trial_run(const struct trial *t, struct trial_end *ret_e, struct sr_err *err);
void trial_end_done(struct trial_end *e);
