/* SPDX-License-Identifier: Apache-2.0 */
/* dev_key.h - the key of a development account of the saved chain; fails the test when it has none
 */
#ifndef SR_TEST_SMS_DEV_KEY_H
#define SR_TEST_SMS_DEV_KEY_H

#include "../eth/anvil.h"
#include "crypto/crypto.h"

static inline void key_at(const struct json_val *accounts, const char *name, struct sr_secret *ret,
                          struct addr *ret_addr) {
    uint8_t raw[32];
    for (const struct json_val *a = json_first(accounts); a; a = json_next(a)) {
        if (!slice_is(json_text(json_get(a, "name")), name)) continue;
        assert_true(hex_decode(json_text(json_get(a, "privateKey")), raw, 32));
        assert_int_equal(secret_from(raw, 32, ret, NULL), SR_OK);
        assert_int_equal(secp_address(ret, ret_addr, NULL), SR_OK);
        return;
    }
    fail_msg("no account %s", name);
}

#endif
