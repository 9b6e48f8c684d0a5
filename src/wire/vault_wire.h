/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_wire.h - frames and bodies of the vault's messages, for both ends; made from vault.def
 *
 * For each message: struct vault_<name>_req and _rep, vault_<name>_{req,rep}_{read,write}. Readers
 * borrow from the body and accept one encoding only, nothing left over.
 *
 * Depends on: base, crypto.  Used by: vault, vault_client.  No sockets.
 */
#pragma once
#include "crypto/crypto.h"

#define VAULT_VERSION    2u
#define VAULT_BODY_MAX   (1u << 20)
#define VAULT_FRAME_HEAD 12u
#define VAULT_REPLY      0x80u  /* a reply's type is the request's plus this */
#define VAULT_FAILURE    0x100u /* a failure's: body i32 status, u16 n, text */
#define VAULT_TEXT_MAX   512u   /* of a failure */

enum { /* roles, as a bit map */
       VAULT_SMS = 1 << 0,
       VAULT_SCHEDULER = 1 << 1,
       VAULT_WORKER = 1 << 2,
       VAULT_ANY = VAULT_SMS | VAULT_SCHEDULER | VAULT_WORKER,
};

typedef uint8_t w_u8;
typedef uint32_t w_u32;
typedef uint64_t w_u64;
typedef struct addr w_addr;
typedef struct hash w_hash;
typedef struct hash w_key32;
typedef struct sr_signature w_sig;
typedef struct slice w_blob;

#include "wire/vault.def"

#define F(kind, field) w_##kind field;
#define M(num, name, roles, max, request, reply)                                                   \
    struct vault_##name##_req {                                                                    \
        request                                                                                    \
    };                                                                                             \
    struct vault_##name##_rep {                                                                    \
        reply                                                                                      \
    };                                                                                             \
    SR_CHECK bool vault_##name##_req_read(struct slice body, struct vault_##name##_req *ret);      \
    SR_CHECK bool vault_##name##_rep_read(struct slice body, struct vault_##name##_rep *ret);      \
    void vault_##name##_req_write(struct buf *b, const struct vault_##name##_req *m);              \
    void vault_##name##_rep_write(struct buf *b, const struct vault_##name##_rep *m);
VAULT_MSGS(M)
#undef M
#undef F

#define M(num, name, roles, max, request, reply) VAULT_MSG_##name = (num),
typedef enum { VAULT_MSGS(M) } vault_msg;
#undef M

struct vault_frame {
    uint16_t type, flags;
    uint32_t id, length;
};
void vault_frame_write(uint8_t dst[VAULT_FRAME_HEAD], const struct vault_frame *f);
/* False when it can't be one: flags set, or longer than a body may be. */
SR_CHECK bool vault_frame_read(const uint8_t src[VAULT_FRAME_HEAD], struct vault_frame *ret);

void vault_failure_write(struct buf *b, const struct sr_err *e);
/* Turns a failure's body into a failure; always fails. */
sr_status vault_failure_read(struct slice body, struct sr_err *err);
