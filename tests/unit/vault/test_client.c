/* SPDX-License-Identifier: Apache-2.0 */
/* The client of the roles against a vault in a child process. */
#include "net/net.h"
#include "poco/calls.h"
#include "vault_world.h"
#include "wire/vault_client.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct served {
    char dir[64], path[96];
    pid_t pid;
    struct person me, sms;
    struct addr hub;
    struct vault_client *client;
    unsigned done;
};

static void start(struct served *s) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, s->path, strlen(s->path));
    (void)unlink(s->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 64), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct person me; /* secrets are not inherited: made anew */
        struct vault *v = NULL;
        person_new(&me, "worker");
        struct vault_config c = {.role = VAULT_WORKER,
                                 .chain_id = CHAIN_ID,
                                 .hub = s->hub,
                                 .key = &me.key,
                                 .limits = vault_limits_default()};
        log_setup("vault", open("/dev/null", O_WRONLY), LOG_ERROR);
        if (vault_new(&c, &v, NULL) != SR_OK) _exit(1);
        (void)!vault_serve(v, fd, -1, -1, geteuid(), NULL);
        _exit(0);
    }
    (void)close(fd);
}

static void stop(struct served *s) {
    int status;
    (void)kill(s->pid, SIGKILL);
    assert_true(waitpid(s->pid, &status, 0) == s->pid);
    s->pid = 0;
}

static int set_up(void **state) {
    struct served *s = calloc(1, sizeof *s);
    assert_non_null(s);
    person_new(&s->me, "worker");
    memset(s->hub.b, 0x44, 20);
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/vault-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    (void)snprintf(s->path, sizeof s->path, "%s/socket", s->dir);
    start(s);
    OK(net_init(NULL));
    OK(vault_client_new(s->path, &s->client, NULL));
    *state = s;
    return 0;
}

static sr_status hang_up(void *arg, struct sr_err *err) {
    struct served *s = arg;
    (void)err;
    vault_client_free(s->client);
    return fiber_sleep(1, NULL); /* its reader ends */
}

static int tear_down(void **state) {
    struct served *s = *state;
    OK(net_call(hang_up, s, NULL));
    net_done();
    if (s->pid) stop(s);
    secret_free(&s->me.key);
    (void)unlink(s->path);
    (void)rmdir(s->dir);
    free(s);
    return 0;
}

static sr_status login(struct served *s, uint8_t n, struct sr_err *err) {
    struct hash nonce = {{n}};
    struct addr pool = {{9}};
    struct sr_signature sig;
    SR_TRY(vault_sign_login(s->client, &nonce, &pool, &sig, err));
    struct hash h = wire_login_hash(&pool, &nonce, &s->me.addr);
    return eth_message_check(&h, slice_of(sig.b, 65), &s->me.addr, err);
}

#define IN_FIBER(fn)                                                                               \
    static void fn(void **state) {                                                                 \
        struct sr_err e = {0};                                                                     \
        if (net_call(fn##_, *state, &e) != SR_OK) fail_msg("%s", e.what);                          \
    }

static sr_status a_call_is_answered_(void *arg, struct sr_err *err) {
    struct served *s = arg;
    struct vault_identity id;
    SR_TRY(vault_hello(s->client, &id, err));
    assert_true(addr_eq(&id.wallet, &s->me.addr));
    return login(s, 1, err);
}
IN_FIBER(a_call_is_answered)

static void one_of_many(void *arg) {
    struct served *s = arg;
    for (uint8_t i = 0; i < 20; i++) OK(login(s, i, NULL));
    s->done++;
}
static sr_status fibers_share_the_connection_(void *arg, struct sr_err *err) {
    struct served *s = arg;
    for (unsigned i = 0; i < 30; i++) SR_TRY(fiber_start(one_of_many, s, err));
    while (s->done < 30) SR_TRY(fiber_sleep(1, err));
    return SR_OK;
}
IN_FIBER(fibers_share_the_connection)

static sr_status a_refusal_keeps_its_code_and_text_(void *arg, struct sr_err *err) {
    struct served *s = arg;
    struct sr_err e = {0};
    struct sr_signature sig;
    assert_int_equal(vault_key_proof(s->client, &sig, &e), SR_E_AUTH);
    assert_non_null(strstr(e.what, "may not send"));
    return login(s, 2, err); /* and the connection lives */
}
IN_FIBER(a_refusal_keeps_its_code_and_text)

static sr_status a_vault_that_dies_is_dialled_again_(void *arg, struct sr_err *err) {
    struct served *s = arg;
    struct sr_err e = {0};
    SR_TRY(login(s, 1, err));
    stop(s);
    sr_status st = login(s, 2, &e);
    assert_int_equal(st, SR_E_UNAVAILABLE);
    e = (struct sr_err){0};
    st = login(s, 3, &e);
    assert_int_equal(st, SR_E_UNAVAILABLE);
    if (!e.hint[0]) return sr_fail(err, SR_E_RANGE, "no hint with: %s", e.what);
    start(s);
    return login(s, 4, err);
}
IN_FIBER(a_vault_that_dies_is_dialled_again)

static sr_status a_vault_is_a_signer_of_transactions_(void *arg, struct sr_err *err) {
    struct served *s = arg;
    struct eth_signer signer;
    struct sr_signature sig;
    struct eth_tx back;
    struct addr from;
    struct hash deal = {{1}};
    cleanup_buf struct buf data = {0}, raw = {0};
    buf_init(&data, 1000), buf_init(&raw, 10000);
    SR_TRY(vault_signer(s->client, &signer, err));
    assert_true(addr_eq(&signer.addr, &s->me.addr));
    assert_null(signer.sign_digest);
    SR_TRY(poco_enc_initialize(&data, &deal, u256_of(0), err));
    struct eth_tx tx = {.type = TX_1559,
                        .chain_id = CHAIN_ID,
                        .nonce = 3,
                        .gas_limit = 500000,
                        .max_fee = u256_of(1000),
                        .max_tip = u256_of(10),
                        .to = s->hub,
                        .data = buf_slice(&data)};
    SR_TRY(signer.sign_tx(signer.ctx, &tx, &sig, err));
    SR_TRY(tx_encode(&tx, &sig, &raw, NULL, err));
    SR_TRY(tx_decode(buf_slice(&raw), &back, &sig, &from, err));
    assert_true(addr_eq(&from, &s->me.addr));
    tx.type = TX_LEGACY;
    assert_int_equal(signer.sign_tx(signer.ctx, &tx, &sig, NULL), SR_E_REFUSED);
    tx.type = TX_1559;
    tx.value = u256_of(1);
    assert_int_equal(signer.sign_tx(signer.ctx, &tx, &sig, NULL), SR_E_REFUSED);
    return SR_OK;
}
IN_FIBER(a_vault_is_a_signer_of_transactions)

static void failures_that_make_no_sense_are_named(void **state) {
    (void)state;
    const uint8_t zero[] = {0, 0, 0, 0, 0, 0}, plus[] = {0, 0, 0, 4, 0, 0},
                  unknown[] = {0xff, 0xff, 0x00, 0x00, 0, 0},
                  longer[] = {0xff, 0xff, 0xff, 0xfc, 0, 1};
    assert_int_equal(vault_failure_read(slice_of(zero, 6), NULL), SR_E_MALFORMED);
    assert_int_equal(vault_failure_read(slice_of(plus, 6), NULL), SR_E_MALFORMED);
    assert_int_equal(vault_failure_read(slice_of(unknown, 6), NULL), SR_E_MALFORMED);
    assert_int_equal(vault_failure_read(slice_of(longer, 6), NULL), SR_E_MALFORMED);
    assert_int_equal(vault_failure_read(slice_of(NULL, 0), NULL), SR_E_MALFORMED);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest t[] = {
        T(a_call_is_answered),
        T(fibers_share_the_connection),
        T(a_refusal_keeps_its_code_and_text),
        T(a_vault_that_dies_is_dialled_again),
        T(a_vault_is_a_signer_of_transactions),
        cmocka_unit_test(failures_that_make_no_sense_are_named),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("vault/client", t, NULL, NULL);
}
