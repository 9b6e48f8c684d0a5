/* SPDX-License-Identifier: Apache-2.0 */
/* One message to a vault of each role: type (2 bytes), body. */
#include "vault/vault_int.h"

#define NOW 1796000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vault *make(uint32_t role, const struct tee_sim_authority *a) {
    struct vault *v = NULL;
    struct sr_secret key = {0};
    struct vault_config c = {.role = role,
                             .chain_id = 421614,
                             .hub = {{0x44}},
                             .workerpool = {{0x55}},
                             .limits = vault_limits_default()};
    SR_ASSERT(secret_new(32, &key, NULL) == SR_OK);
    key.p[31] = 7;
    c.key = &key;
    if (role == VAULT_SMS) {
        c.master = &key;
        SR_ASSERT(tee_trust_new(buf_slice(&a->verifier), true, &c.take_trust, NULL) == SR_OK);
    }
    SR_ASSERT(vault_new(&c, &v, NULL) == SR_OK);
    secret_free(&key);
    vault_set_time(v, NOW);
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct vault *vault[3];
    if (!vault[0]) {
        struct tee_sim_authority a;
        SR_ASSERT(tee_sim_authority_new(NOW, &a, NULL) == SR_OK);
        vault[0] = make(VAULT_SMS, &a);
        vault[1] = make(VAULT_SCHEDULER, &a);
        vault[2] = make(VAULT_WORKER, &a);
        tee_sim_authority_done(&a);
    }
    if (size < 2) return 0;
    for (size_t i = 0; i < 3; i++) {
        struct vault_peer peer = {.greeted = data[0] != VAULT_MSG_hello};
        cleanup_buf struct buf reply = {0};
        buf_init(&reply, VAULT_BODY_MAX);
        (void)!vault_dispatch(vault[i], &peer, (uint16_t)(data[0] | data[1] << 8),
                              slice_of(data + 2, size - 2), &reply, NULL);
    }
    return 0;
}
