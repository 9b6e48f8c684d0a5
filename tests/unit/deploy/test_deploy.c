/* SPDX-License-Identifier: Apache-2.0 */
/* The recipe that the build made, carried out on a chain of the test's own. */
#include "../eth/anvil.h"
#include "deploy/deploy.h"
#include <dirent.h>
#include <sys/stat.h>

#define N_STEPS 34 /* of the recipe: transactions, and so the payer's nonce in the end */

static const char small[] =
    "{\"version\":1,\"steps\":["
    "{\"name\":\"deploy A\",\"creates\":\"a\",\"gas\":9,\"data\":\"0x60\",\"puts\":[]},"
    "{\"name\":\"a.set\",\"to\":\"a\",\"gas\":9,\"data\":\"0x01020304\",\"puts\":[],"
    "\"text\":\"x/{chainId}/\"},"
    "{\"name\":\"deploy B\",\"creates\":\"b\",\"gas\":9,"
    "\"data\":\"0xff0000000000000000000000000000000000000000\","
    "\"puts\":[{\"at\":1,\"is\":\"a\"}]}],"
    "\"codes\":[{\"name\":\"a\",\"code\":\"0x6000\",\"puts\":[],\"masks\":[{\"at\":1,\"size\":1}]},"
    "{\"name\":\"c\",\"code\":\"0x60\",\"puts\":[],\"masks\":[],\"by\":\"b\",\"nonce\":1}],"
    "\"checks\":[{\"name\":\"a.b\",\"to\":\"a\",\"data\":\"0x00\",\"dataPuts\":[],"
    "\"answer\":\"0x0000000000000000000000000000000000000000\","
    "\"puts\":[{\"at\":0,\"is\":\"deployer\"}]}]}";

static struct anvil chain;
static char folder[] = "/tmp/sr-deploy-XXXXXX";

static sr_status parse(const char *text, struct sr_err *e) {
    cleanup_recipe struct deploy_recipe *r = NULL;
    return deploy_recipe_parse(slice_str(text), &r, e);
}

static void a_recipe_cut_anywhere_is_refused(void **state) {
    (void)state;
    assert_int_equal(parse(small, NULL), SR_OK);
    for (size_t n = 0; n + 1 < sizeof small; n++) {
        cleanup_recipe struct deploy_recipe *r = NULL;
        assert_int_not_equal(deploy_recipe_parse(slice_of(small, n), &r, NULL), SR_OK);
        assert_null(r);
    }
}

/* The text with one part replaced. */
static void refused(const char *part, const char *instead, const char *why) {
    cleanup_buf struct buf b;
    struct sr_err e = {0};
    buf_init(&b, 8192);
    const char *at = strstr(small, part);
    assert_non_null(at);
    buf_put(&b, small, (size_t)(at - small));
    buf_str(&b, instead);
    buf_str(&b, at + strlen(part));
    assert_int_equal(parse(buf_cstr(&b), &e), SR_E_MALFORMED);
    if (!strstr(e.what, why)) fail_msg("%s: %s", instead, e.what);
}

static void a_recipe_that_cannot_be_followed_is_refused_before_anything_is_sent(void **state) {
    (void)state;
    refused("\"version\":1", "\"version\":2", "version");
    refused("\"at\":1,\"is\":\"a\"", "\"at\":2,\"is\":\"a\"", "outside");
    refused("\"at\":1,\"is\":\"a\"", "\"at\":18446744073709551615,\"is\":\"a\"", "outside");
    refused("\"at\":1,\"is\":\"a\"", "\"at\":1,\"is\":\"b\"", "b has no address");
    refused("\"creates\":\"b\"", "\"creates\":\"a\"", "twice");
    refused("\"to\":\"a\"", "\"to\":\"b\"", "nobody");
    refused("\"size\":1", "\"size\":2", "mask");
    refused("\"by\":\"b\"", "\"by\":\"z\"", "nobody creates");
    refused("0x6000", "0x600", "hex");
    refused("\"gas\":9", "\"gas\":-9", "gas");
}

static void a_book_reads_as_it_was_written(void **state) {
    (void)state;
    struct deploy_book b = {.chain_id = 7}, again;
    cleanup_buf struct buf text;
    buf_init(&text, DEPLOY_BOOK_MAX);
    struct addr a = {{1}}, d = {{2}};
    assert_int_equal(deploy_book_put(&b, SLICE_LIT("deployer"), &d, false, NULL), SR_OK);
    assert_int_equal(deploy_book_put(&b, SLICE_LIT("rlc"), &a, true, NULL), SR_OK);
    assert_int_equal(deploy_book_put(&b, SLICE_LIT("hub"), &d, false, NULL), SR_OK);
    deploy_book_text(&b, "http://127.0.0.1:1", &text);
    assert_int_equal(deploy_book_parse(buf_slice(&text), &again, NULL), SR_OK);
    assert_int_equal(again.n, 3);
    assert_int_equal(again.chain_id, 7);
    assert_true(deploy_book_find(&again, SLICE_LIT("rlc"))->given);
    assert_false(deploy_book_find(&again, SLICE_LIT("hub"))->given);
    assert_true(addr_eq(&deploy_book_find(&again, SLICE_LIT("deployer"))->addr, &d));
    for (size_t n = 0; n + 2 < text.n; n++)
        assert_int_not_equal(deploy_book_parse(slice_of(text.p, n), &again, NULL), SR_OK);
}

/* ---- on a chain */

struct job {
    struct eth_rpc *rpc;
    struct deploy_recipe *recipe;
    struct sr_secret key;
    struct eth_signer signer;
    struct deploy_opts o;
    struct deploy_book book;
    char path[128];
    size_t die_at, mined; /* killed when so many have been seen mined */
};

static void job_begin(struct job *j, unsigned key, const char *book) {
    *j = (struct job){0};
    struct sr_err e = {0};
    if (deploy_recipe_load(CHAIN_DIR "/deploy.json", &j->recipe, &e) != SR_OK)
        fail_msg("%s", e.what);
    assert_int_equal(eth_rpc_new(chain.http, &j->rpc, NULL), SR_OK);
    vec_key(slice_str(anvil_keys[key]), &j->key);
    assert_int_equal(eth_signer_local(&j->key, &j->signer, NULL), SR_OK);
    (void)snprintf(j->path, sizeof j->path, "%s/%s", folder, book);
    j->o = (struct deploy_opts){.rpc = j->rpc,
                                .signer = &j->signer,
                                .recipe = j->recipe,
                                .book_path = j->path,
                                .rpc_url = chain.http,
                                .arg = j};
}

static void job_end(struct job *j) {
    eth_rpc_free(j->rpc);
    deploy_recipe_free(j->recipe);
    secret_free(&j->key);
}

static void die_in_time(void *arg, size_t done, size_t total, const char *step,
                        const struct addr *addr) {
    struct job *j = arg;
    (void)done, (void)total, (void)step, (void)addr;
    if (++j->mined == j->die_at) (void)kill(getpid(), SIGKILL);
}

static sr_status run_fiber(void *arg, struct sr_err *err) {
    struct job *j = arg;
    return deploy_run(&j->o, &j->book, err);
}

static size_t files_in_folder(void) {
    DIR *d = opendir(folder);
    assert_non_null(d);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

/* A process that is killed once so many steps have been seen mined; the parent's loop is not begun.
 */
static void killed_after(size_t n) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct job j;
        struct sr_err e = {0};
        job_begin(&j, 0, "book.json");
        j.die_at = n;
        j.o.mined = die_in_time;
        sr_status st = net_call(run_fiber, &j, &e);
        print_message("it should have been killed: %d %s\n", st, e.what);
        _exit(1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_true(files_in_folder() > 0);
}

static size_t said_n;
static char said[4096];
static void say(void *arg, const char *name, const char *what) {
    (void)arg;
    said_n++;
    size_t n = strlen(said);
    (void)snprintf(said + n, sizeof said - n, "%s: %s\n", name, what);
}
/* What verify says of the book, in said. */
static size_t differences(struct job *j) {
    size_t compared = 0, n = 0;
    struct sr_err e = {0};
    said[0] = 0, said_n = 0;
    if (deploy_verify(j->rpc, j->recipe, &j->book, say, NULL, &compared, &n, &e) != SR_OK)
        fail_msg("verify: %s", e.what);
    assert_int_equal(n, said_n);
    assert_true(compared >= 38);
    return n;
}
static void must_say(const char *what) {
    if (!strstr(said, what)) fail_msg("\"%s\" is not in: %s", what, said);
}

static struct job deployed;

static void a_deployment_killed_again_and_again_is_made_once(void **state) {
    (void)state;
    static const size_t kills[] = {1, 9, 13, 14, 17, 30, 33};
    for (size_t i = 0; i < SR_ARRAY_LEN(kills); i++) killed_after(kills[i]);
    struct sr_err e = {0};
    job_begin(&deployed, 0, "book.json");
    deployed.o.mined = die_in_time;
    if (net_call(run_fiber, &deployed, &e) != SR_OK) fail_msg("%s (%s)", e.what, e.hint);
    assert_int_equal(deployed.mined, N_STEPS);
    assert_int_equal(files_in_folder(), 1); /* the book; no state left */
}

FIBER_TEST(no_step_was_paid_twice_and_all_is_as_built) {
    uint64_t nonce = 0;
    assert_int_equal(
        eth_nonce(deployed.rpc, &deployed.signer.addr, (struct eth_at){0}, &nonce, NULL), SR_OK);
    assert_int_equal(nonce, N_STEPS);
    if (differences(&deployed) != 0) fail_msg("%s", said);
}

static void set_code(const char *who, struct slice code) {
    cleanup_buf struct buf params;
    buf_init(&params, 1u << 20);
    const struct deploy_entry *e = deploy_book_find(&deployed.book, slice_str(who));
    assert_non_null(e);
    buf_printf(&params, "[\"%s\",\"0x", addr_text(&e->addr).s);
    buf_hex(&params, code);
    buf_str(&params, "\"]");
    anvil_do(deployed.rpc, "anvil_setCode", buf_cstr(&params));
}

/* One byte of a contract changed; afterwards as it was. */
static void tampered(const char *who, size_t at, const char *expected) {
    cleanup_buf struct buf code;
    buf_init(&code, DEPLOY_CODE_MAX);
    const struct deploy_entry *e = deploy_book_find(&deployed.book, slice_str(who));
    assert_non_null(e);
    assert_int_equal(eth_code(deployed.rpc, &e->addr, (struct eth_at){0}, &code, NULL), SR_OK);
    assert_true(code.n > at);
    code.p[at] ^= 1;
    set_code(who, buf_slice(&code));
    assert_true(differences(&deployed) >= 1);
    must_say(expected);
    code.p[at] ^= 1;
    set_code(who, buf_slice(&code));
    assert_int_equal(differences(&deployed), 0);
}

FIBER_TEST(a_changed_byte_or_immutable_is_named) {
    tampered("poco1Facet", 9000, "poco1Facet: its code differs from byte 9000 on");
    tampered("dataProtector", 140, "dataProtector: its immutable at byte 136 is 0x");
    tampered("rlc", 3000, "rlc: its code differs from byte 3000 on");
    cleanup_buf struct buf code;
    buf_init(&code, DEPLOY_CODE_MAX);
    const struct deploy_entry *e = deploy_book_find(&deployed.book, SLICE_LIT("relayFacet"));
    assert_int_equal(eth_code(deployed.rpc, &e->addr, (struct eth_at){0}, &code, NULL), SR_OK);
    set_code("relayFacet", (struct slice){NULL, 0});
    assert_int_equal(differences(&deployed), 1);
    must_say("relayFacet: there is no code");
    set_code("relayFacet", slice_of(code.p, code.n - 1));
    assert_int_equal(differences(&deployed), 1);
    must_say("relayFacet: its code has");
    set_code("relayFacet", buf_slice(&code));
}

FIBER_TEST(other_wiring_is_named) {
    struct deploy_book right = deployed.book;
    struct addr other = {{9}};
    assert_int_equal(deploy_book_put(&deployed.book, SLICE_LIT("rlc"), &other, true, NULL), SR_OK);
    assert_int_equal(differences(&deployed), 1);
    must_say("hub.token: is 0x");
    deployed.book = right;
    struct addr relay = deploy_book_find(&right, SLICE_LIT("relayFacet"))->addr,
                escrow = deploy_book_find(&right, SLICE_LIT("escrowTokenFacet"))->addr;
    assert_int_equal(deploy_book_put(&deployed.book, SLICE_LIT("relayFacet"), &escrow, false, NULL),
                     SR_OK);
    assert_int_equal(
        deploy_book_put(&deployed.book, SLICE_LIT("escrowTokenFacet"), &relay, false, NULL), SR_OK);
    assert_int_equal(differences(&deployed), 5);
    must_say("relayFacet: its code has");
    must_say("hub's functions in escrowTokenFacet");
    must_say("hub.facetAddresses");
    deployed.book = right;
    deployed.book.n--;
    assert_true(differences(&deployed) >= 1);
    must_say("the file has no address of it");
    deployed.book = right;
    deployed.book.chain_id++;
    size_t a, b;
    assert_int_equal(
        deploy_verify(deployed.rpc, deployed.recipe, &deployed.book, say, NULL, &a, &b, NULL),
        SR_E_REFUSED);
    deployed.book = right;
}

FIBER_TEST(a_book_that_is_there_is_not_deployed_over) {
    struct sr_err e = {0};
    assert_int_equal(deploy_run(&deployed.o, &deployed.book, &e), SR_E_CONFLICT);
    assert_non_null(strstr(e.hint, "contracts verify"));
}

static sr_status say_no(void *arg, const struct deploy_plan *p, struct sr_err *err) {
    (void)arg;
    assert_int_equal(p->chain_id, 31337);
    assert_int_equal(p->n_steps, N_STEPS);
    assert_true(p->gas > 30000000);
    assert_false(u256_is_zero(p->cost));
    return sr_fail(err, SR_E_CANCELLED, "no");
}

FIBER_TEST(who_says_no_or_cannot_pay_sends_nothing_and_leaves_nothing) {
    struct job j;
    struct sr_err e = {0};
    job_begin(&j, 1, "other.json");
    size_t files = files_in_folder();
    j.o.confirm = say_no;
    assert_int_equal(deploy_run(&j.o, &j.book, NULL), SR_E_CANCELLED);
    char params[128];
    (void)snprintf(params, sizeof params, "[\"%s\",\"0x1000\"]", addr_text(&j.signer.addr).s);
    anvil_do(j.rpc, "anvil_setBalance", params);
    j.o.confirm = NULL;
    assert_int_equal(deploy_run(&j.o, &j.book, &e), SR_E_REFUSED);
    assert_non_null(strstr(e.what, "cannot pay"));
    uint64_t nonce = 1;
    assert_int_equal(eth_nonce(j.rpc, &j.signer.addr, (struct eth_at){0}, &nonce, NULL), SR_OK);
    assert_int_equal(nonce, 0);
    assert_int_equal(files_in_folder(), files);
    job_end(&j);
}

FIBER_TEST(an_rlc_that_is_there_is_used_and_not_judged) {
    struct job j;
    struct sr_err e = {0};
    job_begin(&j, 2, "given.json");
    j.o.rlc = &deploy_book_find(&deployed.book, SLICE_LIT("rlc"))->addr;
    if (deploy_run(&j.o, &j.book, &e) != SR_OK) fail_msg("%s", e.what);
    uint64_t nonce = 0;
    assert_int_equal(eth_nonce(j.rpc, &j.signer.addr, (struct eth_at){0}, &nonce, NULL), SR_OK);
    assert_int_equal(nonce, N_STEPS - 1);
    if (differences(&j) != 0) fail_msg("%s", said);
    cleanup_buf struct buf b;
    buf_init(&b, DEPLOY_BOOK_MAX);
    assert_int_equal(fs_read(j.path, &b, NULL), SR_OK);
    assert_int_equal(deploy_book_parse(buf_slice(&b), &j.book, NULL), SR_OK);
    assert_true(deploy_book_find(&j.book, SLICE_LIT("rlc"))->given);
    if (differences(&j) != 0) fail_msg("%s", said);
    job_end(&j);
}

static int begin(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    anvil_start(&chain, 0, NULL);
    return 0;
}
static int end(void **state) {
    (void)state;
    struct sr_err e = {0};
    job_end(&deployed);
    anvil_kill(&chain);
    return fs_remove_tree(folder, &e) == SR_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recipe_cut_anywhere_is_refused),
        cmocka_unit_test(a_recipe_that_cannot_be_followed_is_refused_before_anything_is_sent),
        cmocka_unit_test(a_book_reads_as_it_was_written),
        cmocka_unit_test(a_deployment_killed_again_and_again_is_made_once),
        cmocka_unit_test(no_step_was_paid_twice_and_all_is_as_built),
        cmocka_unit_test(a_changed_byte_or_immutable_is_named),
        cmocka_unit_test(other_wiring_is_named),
        cmocka_unit_test(a_book_that_is_there_is_not_deployed_over),
        cmocka_unit_test(who_says_no_or_cannot_pay_sends_nothing_and_leaves_nothing),
        cmocka_unit_test(an_rlc_that_is_there_is_used_and_not_judged),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
