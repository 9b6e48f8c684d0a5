/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resume.h - an upload of protected data that is gone on with after an interruption
 *
 * The network's store takes a blob in pieces by the OCI protocol and keeps what has come. So that
 * the same cipher text can be made again, key and IV follow from the wallet's key and a salt; the
 * salt and where the upload stands are a small file in the keystore folder, without any secret.
 *
 * Depends on: stream, net.  Used by: sdk/protect.c.  Limits: RESUME_MIN, RESUME_OLD_S.
 */
#pragma once
#include "sdk/sdk_int.h"

#define RESUME_MIN   (8ull << 20)  /* bytes of files; below, an upload is simply done again */
#define RESUME_OLD_S (6ull * 3600) /* a store forgets sooner; then the record goes, too */
#define RESUME_PLACE 300u          /* bytes of an upload's location */

struct resume { /* owned: resume_done; zeroed: nothing to go on with */
    char *path; /* the record; NULL: this upload has none */
    uint8_t salt[32];
    uint64_t unix_ms; /* of the archive's entries */
    char place[RESUME_PLACE];
    /* all of it is in the store */
    bool stored;
    struct dag_result made;
    struct hash checksum;
};
/*
 * resume_open - finds the record of these files, or begins one in memory
 *
 * files     opened and measured
 * secret_given  a key that the data must have; NULL: *ret_key is derived
 * ret_key   empty before; the data's key
 * ret_iv    16 bytes
 *
 * Files too small for it: SR_OK with ret->path NULL, key and IV untouched.
 */
SR_CHECK sr_status resume_open(struct sr_client *c, const struct pd_files *files,
                               const struct sr_secret *secret_given, struct resume *ret,
                               struct sr_secret *ret_key, uint8_t ret_iv[16], struct sr_err *err);
/*
 * resume_upload - what is not in the store yet; afterwards r->stored
 *
 * o      as for pd_stream_new, with the key and IV of resume_open
 * step   progress is told under this name
 *
 * SR_E_NOTFOUND: the store takes no pieces; nothing was sent.
 */
SR_CHECK sr_status resume_upload(struct sr_client *c, struct resume *r,
                                 const struct pd_stream_opts *o, const char *step,
                                 struct sr_err *err);
/* The data is registered and its key handed over: nothing of it stays. */
void resume_forget(struct resume *r);
void resume_done(struct resume *r);
