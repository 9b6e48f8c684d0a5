/* SPDX-License-Identifier: Apache-2.0 */
/* Wallets in a keystore folder, and who acts. */
#include "sdk/keyfolder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#define KEY "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
#define ADR "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23"

static char folder[] = "/tmp/test_sdk_wallet_XXXXXX";
static const char *password = "a good password";

static sr_status give_password(void *arg, const char *wallet, bool confirm, char *secret_buf,
                               size_t n, struct sr_err *err) {
    (void)arg;
    (void)wallet;
    (void)confirm;
    (void)err;
    (void)snprintf(secret_buf, n, "%s", password);
    return SR_OK;
}

static struct sr_client *client(const char *keys, const char *as) {
    cleanup_free char *keystore = path_join(folder, keys);
    struct sr_options o = {
        .dir = folder, .keystore = keystore, .as = as, .password = give_password};
    struct sr_client *c = NULL;
    assert_int_equal(sr_client_open(&o, &c, NULL), SR_OK);
    return c;
}

static void an_imported_key_comes_back_with_its_password_only(void **state) {
    (void)state;
    struct sr_client *c = client("one", NULL);
    struct sr_wallet w;
    struct stat st;
    struct sr_err err = {0};
    char *secret = NULL;
    assert_int_equal(sr_wallet_import(c, "mine", KEY, &w, &err), SR_OK);
    assert_string_equal(w.address, ADR);
    assert_string_equal(w.name, "mine");
    assert_true(w.is_default); /* the only one */
    assert_int_equal(stat(w.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(sr_client_keystore(c), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(sr_wallet_export(c, "mine", &secret, &err), SR_OK);
    assert_string_equal(secret, KEY);
    sr_wallet_wipe(secret);
    secret = NULL;
    password = "wrong";
    assert_int_equal(sr_wallet_export(c, ADR, &secret, &err), SR_E_AUTH);
    assert_null(secret);
    assert_true(err.hint[0] != 0);
    assert_int_equal(sr_exit_code(err.code), 3);
    password = "a good password";
    err = (struct sr_err){0};
    assert_int_equal(sr_wallet_import(c, NULL, KEY, &w, &err), SR_E_CONFLICT);
    sr_client_close(c);
}

static void who_acts_is_said_or_chosen(void **state) {
    (void)state;
    struct sr_client *c = client("two", NULL);
    struct sr_wallet a, b, w;
    struct sr_err err = {0};
    assert_int_equal(sr_wallet_show(c, NULL, &w, &err), SR_E_USAGE); /* nobody is there */
    assert_true(err.hint[0] != 0);
    assert_int_equal(sr_wallet_new(c, "a", &a, NULL), SR_OK);
    assert_int_equal(sr_wallet_new(c, "b", &b, NULL), SR_OK);
    err = (struct sr_err){0};
    assert_int_equal(sr_wallet_show(c, NULL, &w, &err), SR_E_USAGE); /* which of the two? */
    assert_int_equal(sr_wallet_use(c, "b", &w, NULL), SR_OK);
    assert_int_equal(sr_wallet_show(c, NULL, &w, NULL), SR_OK);
    assert_string_equal(w.address, b.address);
    sr_client_close(c);
    c = client("two", "a");
    assert_int_equal(sr_wallet_show(c, NULL, &w, NULL), SR_OK);
    assert_string_equal(w.address, a.address);
    struct sr_wallet *list;
    size_t n;
    assert_int_equal(sr_wallet_list(c, &list, &n, NULL), SR_OK);
    assert_int_equal(n, 2);
    sr_free(list);
    sr_client_close(c);
}

static void bad_names_and_keys_are_refused(void **state) {
    (void)state;
    struct sr_client *c = client("three", NULL);
    struct sr_wallet w;
    assert_int_equal(sr_wallet_import(c, "a/b", KEY, &w, NULL), SR_E_USAGE);
    assert_int_equal(sr_wallet_import(c, "0x12", KEY, &w, NULL), SR_E_USAGE);
    assert_int_equal(sr_wallet_import(c, NULL, "abc", &w, NULL), SR_E_MALFORMED);
    assert_int_equal(sr_wallet_import(c, NULL, "", &w, NULL), SR_E_MALFORMED);
    password = "";
    assert_int_equal(sr_wallet_import(c, NULL, KEY, &w, NULL), SR_E_USAGE);
    password = "a good password";
    assert_int_equal(sr_wallet_show(c, "0x2C7536E3605D9C16a7a3D7b1898e529396a65c24", &w, NULL),
                     SR_E_USAGE);
    assert_int_equal(sr_wallet_show(c, "nobody", &w, NULL), SR_E_NOTFOUND);
    sr_client_close(c);
}

static int setup(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    return fs_remove_tree(folder, NULL) == SR_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(an_imported_key_comes_back_with_its_password_only),
        cmocka_unit_test(who_acts_is_said_or_chosen),
        cmocka_unit_test(bad_names_and_keys_are_refused),
    };
    return cmocka_run_group_tests_name("sdk/wallet", t, setup, teardown);
}
