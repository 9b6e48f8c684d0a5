/* SPDX-License-Identifier: Apache-2.0 */
/* The guard must say no wherever the room would mount over somebody's folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include "room/guard.h"
#include <cmocka.h>
#include <stdio.h>

static struct room_facts good(void) {
    struct room_facts f = {.pid = 1,
                           .stream_is_socket = true,
                           .host_ns_is_given = true,
                           .mount_ns_is_hosts = false,
                           .mount_ns_is_known = true};
    (void)snprintf(f.uid_map, sizeof f.uid_map, "         0       1000          1\n");
    return f;
}

static void refused(const struct room_facts *f) {
    struct sr_err err = {0};
    assert_int_equal(room_guard_judge(f, &err), SR_E_REFUSED);
    assert_true(err.what[0] != 0);
    assert_true(err.hint[0] != 0);
}

static void fresh_namespaces_are_accepted(void **state) {
    (void)state;
    struct room_facts f = good();
    assert_int_equal(room_guard_judge(&f, NULL), SR_OK);
    (void)snprintf(f.uid_map, sizeof f.uid_map, "0 100000 1\n1 100001 1\n");
    assert_int_equal(room_guard_judge(&f, NULL), SR_OK);
    (void)snprintf(f.uid_map, sizeof f.uid_map, "0 100000 2\n");
    assert_int_equal(room_guard_judge(&f, NULL), SR_OK);
}

static void any_pid_but_1_is_refused(void **state) {
    (void)state;
    struct room_facts f = good();
    f.pid = 2;
    refused(&f);
    f.pid = 0;
    refused(&f);
}

static void missing_descriptors_are_refused(void **state) {
    (void)state;
    struct room_facts f = good();
    f.stream_is_socket = false;
    refused(&f);
    f = good();
    f.host_ns_is_given = false;
    refused(&f);
}

static void the_hosts_mount_namespace_is_refused(void **state) {
    (void)state;
    struct room_facts f = good();
    f.mount_ns_is_hosts = true;
    refused(&f);
    f = good();
    f.mount_ns_is_known = false;
    refused(&f);
}

static void the_hosts_user_namespace_is_refused(void **state) {
    (void)state;
    static const char *const maps[] = {
        "",
        "\n",
        "         0          0 4294967295\n",
        "0 0 65536\n",
        "0 0 3\n",
        "0 1 1\n1 2 1\n2 3 1\n",
        "0 1\n",
        "words all over\n",
        "0 1 -1\n",
        "0 0 99999999999999999999\n",
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(maps); i++) {
        struct room_facts f = good();
        (void)snprintf(f.uid_map, sizeof f.uid_map, "%s", maps[i]);
        refused(&f);
    }
}

static void this_very_process_is_refused(void **state) {
    (void)state;
    struct sr_err err = {0};
    assert_int_equal(room_guard(&err), SR_E_REFUSED);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(fresh_namespaces_are_accepted),
        cmocka_unit_test(any_pid_but_1_is_refused),
        cmocka_unit_test(missing_descriptors_are_refused),
        cmocka_unit_test(the_hosts_mount_namespace_is_refused),
        cmocka_unit_test(the_hosts_user_namespace_is_refused),
        cmocka_unit_test(this_very_process_is_refused),
    };
    return cmocka_run_group_tests_name("room/guard", t, NULL, NULL);
}
