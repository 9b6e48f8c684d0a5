/* SPDX-License-Identifier: Apache-2.0 */
/* net_test.h - tests whose body runs in a fiber: a failed check is an error return, not a jump */
#pragma once
#include "net/net.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return sr_fail(err, SR_E_SYS, "%s:%d: %s (errno may be unrelated)", __FILE__,          \
                           __LINE__, #cond);                                                       \
    } while (0)

static inline void run_in_fiber(sr_status (*fn)(void *arg, struct sr_err *err)) {
    struct sr_err e = {0};
    sr_status st = net_call(fn, NULL, &e);
    if (st != SR_OK) fail_msg("%s: %s (%s)", sr_status_name(st), e.what, e.where ? e.where : "");
}

/* A test named like its sentence whose body is a fiber. */
#define FIBER_TEST(name)                                                                           \
    static sr_status name##_body(void *arg, struct sr_err *err);                                   \
    static void name(void **state) {                                                               \
        (void)state;                                                                               \
        run_in_fiber(name##_body);                                                                 \
    }                                                                                              \
    static sr_status name##_body(void *arg __attribute__((unused)), struct sr_err *err)

static inline int end_net(void **state) {
    (void)state;
    net_done();
    return 0;
}
