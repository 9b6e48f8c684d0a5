/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.h - the key holder: a role's keys, and what they may be used for
 *
 * A process of its own (strongroom-vault) with no network, and no files after its start. Peers come
 * over one Unix socket; a table says which role may send which message, the rules stand beside each
 * handler, and what no rule allows is refused.
 *
 * Depends on: base, crypto, eth core, poco core, tee, wire core.  Used by: vault_main, tests.
 * Never: net, db, an HTTP parser; a key or secret in a log, an error text or an answer, except
 * sealed.
 * SPEC of the messages: docs/wire.md, "The vault".
 */
#pragma once
#include "poco/order.h"
#include "tee/tee.h"
#include "wire/vault_wire.h"

#define VAULT_CLIENTS_MAX  32
#define VAULT_PATIENCE_S   10     /* for a greeting, or the rest of a frame */
#define VAULT_NONCES_MAX   131072 /* released assignments that are remembered */
#define VAULT_SECRETS_MAX  200    /* stored secrets of one release */
#define VAULT_BULK_MAX     100    /* data sets of one bulk task */
#define VAULT_FACTS_SKEW_S 120    /* the SMS's clock against ours */

/* Bounds of what is signed; the defaults are vault_limits_default's. */
struct vault_limits {
    uint64_t gas;            /* of one transaction */
    struct u256 fee_per_gas; /* in wei */
    uint64_t tx_per_day;
    struct u256 wei_per_day;                      /* gas * fee, summed */
    struct u256 order_min_price, order_max_price; /* nRLC */
    uint64_t order_max_volume;
};
struct vault_limits vault_limits_default(void);

struct vault_config {
    uint32_t role; /* one of VAULT_SMS, VAULT_SCHEDULER, VAULT_WORKER */
    uint64_t chain_id;
    struct addr hub;
    struct addr workerpool;         /* scheduler */
    struct addr sms_identity;       /* scheduler: whose tokens it believes */
    const struct sr_secret *key;    /* 32 bytes; copied */
    const struct sr_secret *master; /* sms: 32 bytes; copied. Else NULL */
    struct tee_trust *take_trust;   /* sms: freed with the vault, also on failure */
    struct tee_policy policy;       /* sms */
    struct vault_limits limits;
};

struct vault; /* owned: vault_free */
SR_CHECK sr_status vault_new(const struct vault_config *c, struct vault **ret, struct sr_err *err);
void vault_free(struct vault *v); /* accepts NULL; wipes */
/* The wallet's address (SMS identity, pool owner, worker); the sealing key, zero without one. */
const struct addr *vault_wallet(const struct vault *v);
const uint8_t *vault_sealing_key(const struct vault *v);
/* For tests: the time that the rules see; 0: the clock's. */
void vault_set_time(struct vault *v, uint64_t unix_s);

/* A connection's state. Starts zeroed. */
struct vault_peer {
    bool greeted;
};
/*
 * vault_dispatch - one message: may this peer send it now, then do it
 *
 * body       borrows
 * ret_reply  gets the reply's body
 *
 * A failure is answered with its text, which never holds a secret. SR_E_USAGE means that the peer
 * does not speak the protocol: the connection is to be closed.
 */
SR_CHECK sr_status vault_dispatch(struct vault *v, struct vault_peer *peer, uint16_t type,
                                  struct slice body, struct buf *ret_reply, struct sr_err *err);

/*
 * vault_serve - answers peers on a listening Unix socket until stop_fd or control_fd says so
 *
 * listen_fd, stop_fd (readable: stop), control_fd (end of file: stop): borrowed, -1: none
 * peer_uid  the user whose processes may come (and root's)
 */
SR_CHECK sr_status vault_serve(struct vault *v, int listen_fd, int stop_fd, int control_fd,
                               uint32_t peer_uid, struct sr_err *err);

/* No new files, sockets, programs or executable memory from here on (seccomp). */
SR_CHECK sr_status vault_sandbox(struct sr_err *err);

/* The program: argv without its name. Returns the exit code. */
int vault_main(int argc, char **argv);
