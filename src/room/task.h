/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.h - what the room knows of its one task: keys it made, and the envelope it opened
 *
 * Depends on: base, crypto, wire formats.  Used by: room's main.  Limits: TASK_*.
 * Never: lets a key or a secret into an error text. SPEC: docs/wire.md, "Secret release"
 */
#pragma once
#include "room/door.h"

#define TASK_MAX_DATASETS 100u
#define TASK_MAX_INPUTS   100u
#define TASK_MAX_SECRETS  100u /* of the requester */
#define TASK_MAX_ARGS     (64u << 10)
#define TASK_MAX_URL      2048u
#define TASK_MAX_SECONDS  (100u * 3600)

/* Born here, never leave: the challenge key signs the result, the sealing key opens the envelope.
 */
struct room_keys {
    struct sr_secret challenge, sealing;
    uint8_t challenge_public[64], sealing_public[32];
    struct addr challenge_address;
};
SR_CHECK sr_status room_keys_new(struct room_keys *ret, struct sr_err *err);
void room_keys_done(struct room_keys *k);

#define TASK_MAX_OUTCOME 48u

struct task_dataset {
    struct addr address;
    struct hash checksum;
    struct sr_secret key;               /* AES-256 */
    char outcome[TASK_MAX_OUTCOME + 1]; /* of a bulk: why it is not there, a code; "": it is */
};
struct task_secret {
    uint32_t index;
    struct sr_secret value;
};
struct task {
    struct hash id, deal;
    uint64_t index, bot_first, bot_size;
    struct addr worker, app;
    struct hash app_digest;
    bool bulk; /* data sets that are not to be had do not end the task */
    struct task_dataset *datasets;
    size_t n_datasets;
    char **inputs; /* URLs */
    size_t n_inputs;
    char *args; /* NULL: none */
    uint32_t seconds;
    struct sr_secret app_secret; /* p NULL: none */
    struct task_secret *secrets;
    size_t n_secrets;
    bool encrypt, has_callback;
    struct addr callback;
    char *public_key; /* PEM; NULL: none */
};
/*
 * task_open - check the SMS's signature, unseal, parse, and compare with what this room was started
 * for
 *
 * SR_E_CRYPTO: not signed by that SMS, or not sealed to this room and evidence. SR_E_MALFORMED: not
 * the JSON of docs/wire.md. SR_E_REFUSED: for another task, worker or app.
 */
SR_CHECK sr_status task_open(const struct door_begin *begin, const struct room_keys *keys,
                             struct slice evidence, const struct door_envelope *envelope,
                             struct task *ret_t, struct sr_err *err);
/* Only the JSON, for tests and fuzzing. */
SR_CHECK sr_status task_parse(struct slice secret_json, struct task *ret_t, struct sr_err *err);
void task_done(struct task *t); /* wipes */

/* ---- what the app is given (env.c) ---- */

struct words { /* NULL-terminated, owned: words_done wipes */
    char **v;
    size_t n, cap;
};
SR_CHECK sr_status words_add(struct words *w, struct slice secret_word, struct sr_err *err);
void words_done(struct words *w);
/* Splits as a shell does: blanks, '...', "...", backslash; nothing is expanded. SR_E_MALFORMED: an
 * open quote. */
SR_CHECK sr_status args_split(struct slice text, struct words *ret, struct sr_err *err);
/* SPEC: execution.md#8-stage-environment-all-values-are-strings--tee-sessionjson (column App) */
SR_CHECK sr_status app_environment(const struct task *t, char *const *image_env, struct words *ret,
                                   struct sr_err *err);
/* What became of each data set of a bulk: [{"n":1,"address":"0x","outcome":"released"}]. */
#define OUTCOMES_FILE "strongroom-datasets.json" /* below /iexec_in and /iexec_out */
#define OUTCOMES_MAX  16384u
void outcomes_json(const struct task *t, struct buf *b);
/* Names of files below /iexec_in. */
struct addr_text dataset_file(const struct task_dataset *d);
struct hash_text input_file(const char *url);
