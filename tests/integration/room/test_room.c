/* SPDX-License-Identifier: Apache-2.0 */
/* The real room, started by the real launcher, with good apps and bad ones. SIMULATED evidence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include "drive.h"
#include "ipfs/ipfs.h"
#include "room/guard.h"
#include "zip/zip.h"
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *room_path, *faults_path, *hostile_path;
static struct drive_world world;
static struct hash faults, hostile;

static int start(void **state) {
    (void)state;
    drive_setup(&world, room_path);
    drive_image(&world, faults_path, "faults", &faults);
    drive_image(&world, hostile_path, "hostile", &hostile);
    return 0;
}
static int finish(void **state) {
    (void)state;
    drive_teardown(&world);
    return 0;
}

static void run(const struct drive *d, struct drive_end *e) {
    drive_run(&world, "faults", &faults, d, e);
}

static void expect_done(const struct drive_end *e) {
    if (!e->done)
        fail_msg("%s: %s; stderr %.*s", e->cause, e->message, (int)e->f.tail_err.n,
                 (const char *)e->f.tail_err.p);
}

static void entry_is(const struct drive_end *e, const char *name, const char *text) {
    struct zip_reader *z;
    struct buf b;
    buf_init(&b, 64u << 20);
    assert_int_equal(zip_open_bytes(buf_slice(&e->archive), NULL, &z, NULL), SR_OK);
    const struct zip_item *item = zip_find(z, name);
    assert_non_null(item);
    assert_int_equal(zip_extract_bytes(z, item, &b, NULL), SR_OK);
    assert_string_equal(buf_cstr(&b), text);
    zip_reader_free(z);
    buf_done(&b);
}

static void fails_with(const struct drive *d, const char *cause, door_blame blame,
                       const char *words) {
    struct drive_end e;
    run(d, &e);
    assert_true(e.failed);
    assert_string_equal(e.cause, cause);
    assert_int_equal(e.f.blame, blame);
    if (!strstr(e.message, words)) fail_msg("message: %s", e.message);
    assert_int_equal(e.archive.n, 0);
    drive_end_done(&e);
}

/* ---- good ones ---- */

static void a_good_app_gives_a_signed_result(void **state) {
    (void)state;
    struct drive_end e;
    run(&(struct drive){.args = "ok 'hello room'"}, &e);
    expect_done(&e);
    entry_is(&e, "result.txt", "hello room\n");
    struct hash digest = sha256(SLICE_LIT("hello room\n"));
    assert_true(hash_eq(&digest, &e.d.digest));
    struct hash rh = wire_result_hash(&e.task, &digest),
                seal = wire_result_seal(&e.worker, &e.task, &digest);
    struct hash m = wire_enclave_message(&rh, &seal);
    assert_int_equal(eth_message_check(&m, slice_of(e.d.signature.b, 65), &e.challenge, NULL),
                     SR_OK);
    assert_true(slice_eq(e.d.tail_out, SLICE_LIT("all is well\n")));
    assert_int_equal(e.d.callback.n, 0);
    drive_end_done(&e);
}

static void the_app_gets_the_official_environment(void **state) {
    (void)state;
    struct drive_end e;
    static const char url[] = "http://example.org/x";
    const char *const inputs[] = {url};
    const struct slice bytes[] = {SLICE_LIT("input")};
    const struct drive_data data[] = {{.plain = SLICE_LIT("d")}};
    run(&(struct drive){.args = "environment",
                        .data = data,
                        .n_data = 1,
                        .inputs = inputs,
                        .input_bytes = bytes,
                        .n_inputs = 1,
                        .app_secret = "app s3cret",
                        .requester_secret = "req s3cret"},
        &e);
    expect_done(&e);
    char text[4096];
    struct hash name = sha256(slice_str(url));
    (void)snprintf(
        text, sizeof text,
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOME=/tmp\n"
        "IEXEC_TASK_ID=%s\n"
        "IEXEC_DEAL_ID=0xdd00000000000000000000000000000000000000000000000000000000000000\n"
        "IEXEC_TASK_INDEX=3\nIEXEC_IN=/iexec_in\nIEXEC_OUT=/iexec_out\nIEXEC_BOT_SIZE=5\n"
        "IEXEC_BOT_FIRST_INDEX=2\nIEXEC_BOT_TASK_INDEX=3\n"
        "IEXEC_DATASET_ADDRESS=0xd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0\n"
        "IEXEC_DATASET_FILENAME=0xd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0\n"
        "IEXEC_INPUT_FILES_NUMBER=1\nIEXEC_INPUT_FILES_FOLDER=/"
        "iexec_in\nIEXEC_INPUT_FILE_NAME_1=%s\n"
        "IEXEC_APP_DEVELOPER_SECRET=app s3cret\nIEXEC_APP_DEVELOPER_SECRET_1=app s3cret\n"
        "IEXEC_REQUESTER_SECRET_7=req s3cret\n",
        hash_text(&e.task).s, hash_text(&name).s);
    entry_is(&e, "environment.txt", text);
    drive_end_done(&e);
}

static void a_data_set_is_decrypted_for_the_app(void **state) {
    (void)state;
    struct drive_end e;
    static char big[3u << 20];
    for (size_t i = 0; i + 1 < sizeof big; i++) big[i] = (char)('a' + i % 23);
    const struct drive_data data[] = {{.plain = slice_str(big)}};
    run(&(struct drive){.args = "copy", .data = data, .n_data = 1}, &e);
    expect_done(&e);
    entry_is(&e, "copy", big);
    drive_end_done(&e);
}

static void several_data_sets_come_as_a_bulk(void **state) {
    (void)state;
    struct drive_end e;
    const struct drive_data data[] = {{.plain = SLICE_LIT("one")}, {.plain = SLICE_LIT("two")}};
    run(&(struct drive){.args = "copy IEXEC_DATASET_2_FILENAME", .data = data, .n_data = 2}, &e);
    expect_done(&e);
    entry_is(&e, "copy", "two");
    drive_end_done(&e);
}

static void an_input_file_with_a_cid_is_checked(void **state) {
    (void)state;
    struct dag_result dag;
    struct drive_end e;
    char url[128];
    assert_int_equal(dag_of_bytes(SLICE_LIT("content"), &dag, NULL), SR_OK);
    (void)snprintf(url, sizeof url, "/ipfs/%s", cid_text(&dag.cid).s);
    const char *const inputs[] = {url};
    const struct slice good[] = {SLICE_LIT("content")}, bad[] = {SLICE_LIT("contenT")};
    run(&(struct drive){.args = "copy IEXEC_INPUT_FILE_NAME_1",
                        .inputs = inputs,
                        .input_bytes = good,
                        .n_inputs = 1},
        &e);
    expect_done(&e);
    entry_is(&e, "copy", "content");
    drive_end_done(&e);
    fails_with(&(struct drive){.inputs = inputs, .input_bytes = bad, .n_inputs = 1},
               "PRE_COMPUTE_INPUT_FILE_DOWNLOAD_FAILED", BLAME_HOST, "CID");
}

static void a_folder_is_digested_as_the_official_stack_does(void **state) {
    (void)state;
    struct drive_end e;
    run(&(struct drive){.args = "folder"}, &e);
    expect_done(&e);
    static const char *const names[] = {"many/a", "many/b", "many/c"};
    struct keccak k;
    keccak_init(&k);
    for (size_t i = 0; i < 3; i++) {
        struct hash h = sha256(slice_str(names[i]));
        keccak_add(&k, slice_of(h.b, 32));
        entry_is(&e, names[i], names[i]);
    }
    struct hash want = keccak_end(&k);
    assert_true(hash_eq(&want, &e.d.digest));
    drive_end_done(&e);
}

static void a_callback_is_the_result(void **state) {
    (void)state;
    struct drive_end e;
    run(&(struct drive){.args = "callback 0x0102", .callback = true}, &e);
    expect_done(&e);
    struct hash want = keccak256(slice_of("\x01\x02", 2));
    assert_true(hash_eq(&want, &e.d.digest));
    assert_true(slice_eq(e.d.callback, slice_of("\x01\x02", 2)));
    assert_int_equal(e.archive.n, 0);
    drive_end_done(&e);
    fails_with(&(struct drive){.args = "ok", .callback = true},
               "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED", BLAME_APP, "callback");
}

static void an_encrypted_result_opens_with_the_beneficiarys_key_only(void **state) {
    (void)state;
    struct drive_end e;
    struct buf private_pem, public_pem, rsa, aes, key, plain;
    buf_init(&private_pem, 16384);
    buf_init(&public_pem, 16384);
    buf_init(&rsa, 1u << 20);
    buf_init(&aes, 1u << 20);
    buf_init(&key, 8192);
    buf_init(&plain, 1u << 20);
    assert_int_equal(rsa_generate(2048, &private_pem, &public_pem, NULL), SR_OK);
    run(&(struct drive){.args = "ok secret", .public_pem = buf_cstr(&public_pem)}, &e);
    expect_done(&e);
    struct zip_reader *z;
    assert_int_equal(zip_open_bytes(buf_slice(&e.archive), NULL, &z, NULL), SR_OK);
    assert_int_equal(zip_count(z), 2);
    assert_int_equal(zip_extract_bytes(z, zip_find(z, "aes-key.rsa"), &rsa, NULL), SR_OK);
    assert_int_equal(zip_extract_bytes(z, zip_find(z, "iexec_out.zip.aes"), &aes, NULL), SR_OK);
    zip_reader_free(z);
    assert_int_equal(rsa_decrypt(buf_slice(&private_pem), buf_slice(&rsa), &key, NULL), SR_OK);
    struct sr_secret k;
    struct aes_cbc c = {0};
    size_t n, total;
    assert_int_equal(secret_from(key.p, key.n, &k, NULL), SR_OK);
    assert_int_equal(aes_cbc_init(&c, false, &k, aes.p, NULL), SR_OK);
    uint8_t *p = buf_reserve(&plain, aes.n + 32);
    assert_int_equal(aes_cbc_add(&c, slice_of(aes.p + 16, aes.n - 16), p, &total, NULL), SR_OK);
    assert_int_equal(aes_cbc_end(&c, p + total, &n, NULL), SR_OK);
    assert_non_null(buf_grow(&plain, total + n));
    aes_cbc_drop(&c);
    secret_free(&k);
    buf_clear(&e.archive);
    buf_add(&e.archive, buf_slice(&plain));
    entry_is(&e, "result.txt", "secret\n");
    drive_end_done(&e);
    fails_with(&(struct drive){.args = "ok", .public_pem = "no key"},
               "POST_COMPUTE_MALFORMED_ENCRYPTION_PUBLIC_KEY", BLAME_REQUESTER, "");
    fails_with(&(struct drive){.args = "ok", .encrypt_without_key = true},
               "POST_COMPUTE_ENCRYPTION_PUBLIC_KEY_MISSING", BLAME_REQUESTER,
               "no result encryption key");
    buf_done(&private_pem);
    buf_done(&public_pem);
    buf_done(&rsa);
    buf_done(&aes);
    buf_done(&key);
    buf_done(&plain);
}

static void arguments_are_split_like_a_shell_does(void **state) {
    (void)state;
    struct drive_end e;
    run(&(struct drive){.args = "arguments a\\ b \"c 'd' \\\"e\" 'f \"g' \"\""}, &e);
    expect_done(&e);
    entry_is(&e, "arguments.txt", "[/app]\n[arguments]\n[a b]\n[c 'd' \"e]\n[f \"g]\n[]\n");
    drive_end_done(&e);
    fails_with(&(struct drive){.args = "ok 'open"}, "APP_COMPUTE_FAILED", BLAME_REQUESTER, "quote");
}

static void a_process_left_behind_dies_with_the_app(void **state) {
    (void)state;
    struct drive_end e;
    run(&(struct drive){.args = "orphan"}, &e);
    expect_done(&e);
    drive_end_done(&e);
}

static void only_the_last_output_is_kept(void **state) {
    (void)state;
    struct drive_end e;
    run(&(struct drive){.args = "shout"}, &e);
    expect_done(&e);
    assert_int_equal(e.d.tail_out.n, WIRE_LOG_TAIL_MAX);
    static const char end[] = "line 59999\nall is well\n";
    assert_memory_equal(e.d.tail_out.p + e.d.tail_out.n - (sizeof end - 1), end, sizeof end - 1);
    drive_end_done(&e);
}

/* ---- bad apps ---- */

static void a_failing_app_has_its_exit_code_and_output_told(void **state) {
    (void)state;
    struct drive_end e;
    run(&(struct drive){.args = "exit 3"}, &e);
    assert_true(e.failed);
    assert_string_equal(e.cause, "APP_COMPUTE_FAILED");
    assert_true(e.f.has_exit);
    assert_int_equal(e.f.exit_code, 3);
    assert_int_equal(e.f.blame, BLAME_APP);
    assert_true(slice_eq(e.f.tail_err, SLICE_LIT("ending on purpose\n")));
    drive_end_done(&e);
}

static void every_way_to_go_wrong_has_its_cause(void **state) {
    (void)state;
    fails_with(&(struct drive){.args = "crash"}, "APP_COMPUTE_FAILED", BLAME_APP, "signal 11");
    fails_with(&(struct drive){.args = "no-computed"}, "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND",
               BLAME_APP, "computed.json");
    fails_with(&(struct drive){.args = "bad-computed"}, "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND",
               BLAME_APP, "computed.json");
    fails_with(&(struct drive){.args = "bad-computed {}"},
               "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED", BLAME_APP,
               "deterministic-output-path");
    static const char *const elsewhere[] = {"/etc/passwd", "/iexec_in/x", "/iexec_out/../iexec_in",
                                            "/iexec_outer", "x"};
    for (size_t i = 0; i < SR_ARRAY_LEN(elsewhere); i++) {
        char args[200];
        (void)snprintf(args, sizeof args, "bad-computed '{\"deterministic-output-path\":\"%s\"}'",
                       elsewhere[i]);
        fails_with(&(struct drive){.args = args}, "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED",
                   BLAME_APP, "not below");
    }
    fails_with(&(struct drive){.args = "long-name"}, "POST_COMPUTE_TOO_LONG_RESULT_FILE_NAME",
               BLAME_APP, "longer than 31");
}

static void an_endless_app_is_stopped(void **state) {
    (void)state;
    fails_with(&(struct drive){.args = "loop", .seconds = 1}, "APP_COMPUTE_TIMEOUT", BLAME_APP,
               "longer than its 1 seconds");
    fails_with(&(struct drive){.args = "sleep", .seconds = 1}, "APP_COMPUTE_TIMEOUT", BLAME_APP,
               "longer");
}

static void a_memory_hog_is_stopped(void **state) {
    (void)state;
    fails_with(&(struct drive){.args = "memory", .memory_bytes = 96u << 20}, "APP_COMPUTE_FAILED",
               BLAME_APP, "more memory than its 96 MiB");
}

static void ten_gigabytes_do_not_fit(void **state) {
    (void)state;
    fails_with(&(struct drive){.args = "disk", .disk_bytes = 48u << 20}, "APP_COMPUTE_FAILED",
               BLAME_APP, "disk");
}

static void a_fork_bomb_stays_small(void **state) {
    (void)state;
    struct drive_end e;
    run(&(struct drive){.args = "fork", .processes = 20}, &e);
    assert_true(e.failed);
    assert_string_equal(e.cause, "APP_COMPUTE_FAILED");
    char text[200];
    (void)snprintf(text, sizeof text, "%.*s", (int)e.f.tail_err.n, (const char *)e.f.tail_err.p);
    assert_non_null(strstr(text, "after 19 processes"));
    drive_end_done(&e);
}

/* ---- a host that lies ---- */

static void tampered_inputs_stop_the_task(void **state) {
    (void)state;
    const struct drive_data sum[] = {{.plain = SLICE_LIT("data"), .wrong_checksum = true}};
    const struct drive_data key[] = {{.plain = SLICE_LIT("data"), .wrong_key = true}};
    fails_with(&(struct drive){.args = "copy", .data = sum, .n_data = 1},
               "PRE_COMPUTE_INVALID_DATASET_CHECKSUM", BLAME_DATA, "checksum");
    fails_with(&(struct drive){.args = "copy", .data = key, .n_data = 1},
               "PRE_COMPUTE_DATASET_DECRYPTION_FAILED", BLAME_DATA, "key");
    fails_with(&(struct drive){.args = "ok", .other_image = true}, "APP_IMAGE_DOWNLOAD_FAILED",
               BLAME_APP, "checksum");
}

static void data_that_does_not_come_or_fit_stops_the_task(void **state) {
    (void)state;
    static char big[12u << 20];
    memset(big, 'x', sizeof big - 1);
    const struct drive_data one[] = {{.plain = SLICE_LIT("data")}};
    const struct drive_data large[] = {{.plain = slice_str(big)}};
    const struct drive_data two[] = {{.plain = slice_of(big, 6u << 20)},
                                     {.plain = slice_of(big, 6u << 20)}};
    fails_with(&(struct drive){.args = "copy", .data = one, .n_data = 1, .data_out_of_order = true},
               "PRE_COMPUTE_DATASET_DOWNLOAD_FAILED", BLAME_HOST, "another input than is due");
    fails_with(&(struct drive){.args = "copy", .data = large, .n_data = 1, .disk_bytes = 8u << 20},
               "PRE_COMPUTE_SAVING_PLAIN_DATASET_FAILED", BLAME_HOST,
               "more than the room's disk holds");
    fails_with(&(struct drive){.args = "copy", .data = two, .n_data = 2, .disk_bytes = 8u << 20},
               "PRE_COMPUTE_SAVING_PLAIN_DATASET_FAILED", BLAME_HOST,
               "do not fit into the room; the data set needs more room than this");
}

static void of_many_data_sets_one_that_does_not_open_is_left_out(void **state) {
    (void)state;
    struct drive_end e;
    const struct drive_data data[] = {{.plain = SLICE_LIT("one"), .wrong_key = true},
                                      {.plain = SLICE_LIT("two")}};
    run(&(struct drive){.args = "bulk", .data = data, .n_data = 2, .bulk = true}, &e);
    expect_done(&e);
    entry_is(&e, "told.json",
             "[{\"n\":1,\"address\":\"0xd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0\","
             "\"outcome\":\"DATASET_UNREADABLE\"},"
             "{\"n\":2,\"address\":\"0xd1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1\","
             "\"outcome\":\"released\"}]");
    drive_end_done(&e);
}

static void results_that_cannot_be_packed_or_encrypted_fail(void **state) {
    (void)state;
    /* An RSA key by its form; its modulus is even, so nothing can be encrypted with it. */
    static const char even[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAgAAAAAAAAAAAAAAAAAAA\n"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                               "AgIDAQAB\n"
                               "-----END PUBLIC KEY-----\n";
    fails_with(&(struct drive){.args = "deep"}, "POST_COMPUTE_OUT_FOLDER_ZIP_FAILED", BLAME_APP,
               "deeper than");
    fails_with(&(struct drive){.args = "ok", .public_pem = even}, "POST_COMPUTE_ENCRYPTION_FAILED",
               BLAME_REQUESTER, "RSA encryption failed");
}

static void only_the_services_envelope_for_this_room_and_task_opens(void **state) {
    (void)state;
    fails_with(&(struct drive){.args = "ok", .other_signer = true},
               "PRE_COMPUTE_FAILED_UNKNOWN_ISSUE", BLAME_HOST, "signed");
    fails_with(&(struct drive){.args = "ok", .other_room = true},
               "PRE_COMPUTE_FAILED_UNKNOWN_ISSUE", BLAME_HOST, "sealed");
    fails_with(&(struct drive){.args = "ok", .other_task = true},
               "PRE_COMPUTE_FAILED_UNKNOWN_ISSUE", BLAME_HOST, "another task");
}

/* Processes of this machine whose parent chain leads to the room: none may be left. */
static unsigned count_named(const char *name) {
    unsigned n = 0;
    DIR *d = opendir("/proc");
    assert_non_null(d);
    for (struct dirent *de; (de = readdir(d)) != NULL;) {
        char path[300], comm[64] = {0};
        if (de->d_name[0] < '1' || de->d_name[0] > '9') continue;
        (void)snprintf(path, sizeof path, "/proc/%s/status", de->d_name);
        FILE *f = fopen(path, "r");
        if (!f) continue;
        char line[200], *got = fgets(comm, sizeof comm, f);
        long ppid = -1;
        while (got && fgets(line, sizeof line, f))
            if (strncmp(line, "NSpid:", 6) == 0) {
                char *tab = strrchr(line, '\t');
                ppid = tab ? (long)(tab - line) : -1;
            }
        (void)fclose(f);
        if (ppid >= 0 && strstr(comm, name)) n++;
    }
    (void)closedir(d);
    return n;
}

static void hang_up(void *arg, struct launched *r) {
    unsigned *running = arg;
    *running = count_named("\tapp\n");
    (void)close(r->stream);
    r->stream = -1;
    struct pollfd p = {.fd = r->pidfd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 5000), 1); /* the room ends by itself */
}

static void when_the_worker_goes_nothing_is_left(void **state) {
    (void)state;
    struct drive_end e;
    unsigned running = 0;
    run(&(struct drive){.args = "sleep", .while_running = hang_up, .arg = &running}, &e);
    assert_false(e.done);
    assert_false(e.failed);
    assert_true(running >= 1);
    assert_int_equal(count_named("\tapp\n"), running - 1);
    drive_end_done(&e);
}

/* ---- the hostile app ---- */

static void a_hostile_app_finds_no_way_out(void **state) {
    (void)state;
    struct drive_end e;
    char args[256];
    /* Things of the host to find: a TCP port, an abstract socket, a process, a file, a variable. */
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(tcp, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(tcp, 4), 0);
    assert_int_equal(getsockname(tcp, (struct sockaddr *)&in, &len), 0);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "test-room-%d", (int)getpid());
    int abstract = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(un.sun_path + 1));
    assert_int_equal(bind(abstract, (struct sockaddr *)&un, len), 0);
    assert_int_equal(listen(abstract, 4), 0);
    assert_int_equal(setenv("STRONGROOM_TEST_LEAK", "leaked", 1), 0);
    (void)snprintf(args, sizeof args, "%u %s %d %s", ntohs(in.sin_port), un.sun_path + 1,
                   (int)getpid(), world.dir);
    const struct drive_data data[] = {{.plain = SLICE_LIT("not to be changed")}};
    drive_run(&world, "hostile", &hostile, &(struct drive){.args = args, .data = data, .n_data = 1},
              &e);
    (void)close(tcp);
    (void)close(abstract);
    struct slice out = e.done ? e.d.tail_out : e.f.tail_out;
    if (!e.done || getenv("SHOW"))
        (void)fprintf(stderr, "%s %s\n%.*s", e.cause, e.message, (int)out.n, (const char *)out.p);
    assert_true(e.done);
    drive_end_done(&e);
}

/* While one room holds a secret in memory, files and environment, another task's hostile app looks
 * for it. */
static void look_from_another_room(void *arg, struct launched *r) {
    (void)r;
    struct drive_end *e = arg;
    char args[256];
    const struct drive_data data[] = {{.plain = SLICE_LIT("another's")}};
    (void)snprintf(args, sizeof args, "1 none %d %s", (int)r->pid, world.dir);
    drive_run(&world, "hostile", &hostile, &(struct drive){.args = args, .data = data, .n_data = 1},
              e);
    (void)close(r->stream); /* the first one has done its part */
    r->stream = -1;
}

static void two_rooms_do_not_see_each_other(void **state) {
    (void)state;
    struct drive_end first, second = {0};
    const struct drive_data data[] = {{.plain = SLICE_LIT("the secret of one task")}};
    run(&(struct drive){.args = "sleep",
                        .data = data,
                        .n_data = 1,
                        .app_secret = "s3cret",
                        .while_running = look_from_another_room,
                        .arg = &second},
        &first);
    if (!second.done) fail_msg("%s: %s", second.cause, second.message);
    drive_end_done(&first);
    drive_end_done(&second);
}

static void tell_running(void *arg, struct launched *r) {
    (void)r;
    if (write(*(int *)arg, "r", 1) != 1) _exit(1);
}

/* kill -9 of what launched the room: nothing stays. */
static void when_the_launcher_is_killed_nothing_is_left(void **state) {
    (void)state;
    int ready[2];
    char byte;
    unsigned before = count_named("\tapp\n");
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        struct drive_end e;
        drive_keys(&world); /* secrets do not survive a fork */
        run(&(struct drive){.args = "sleep", .while_running = tell_running, .arg = &ready[1]}, &e);
        _exit(0);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    assert_true(count_named("\tapp\n") > before);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (unsigned i = 0; i < 500 && count_named("\tapp\n") > before; i++) (void)poll(NULL, 0, 10);
    assert_int_equal(count_named("\tapp\n"), before);
}

/* ---- the guard, with the real program: in a mount namespace of our own, whatever happens ---- */

static void started_by_hand_it_refuses_and_touches_nothing(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) _exit(77);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null, 2);
        (void)execl(room_path, "room", (char *)NULL);
        _exit(78);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ROOM_EXIT_REFUSED);
    assert_true(fs_exists(world.dir)); /* /tmp is what it was */
}

static void a_launcher_without_a_room_says_so(void **state) {
    (void)state;
    struct launcher l;
    struct sr_err err = {0};
    assert_int_equal(launcher_init("/no/such/room", &l, &err), SR_E_NOTFOUND);
    assert_non_null(strstr(err.hint, "--room"));
    err = (struct sr_err){0};
    assert_int_equal(launcher_init("/bin/true", &l, &err),
                     SR_E_UNAVAILABLE); /* ends with another code */
    assert_non_null(strstr(err.hint, "--room"));
    err = (struct sr_err){0};
    assert_int_equal(launcher_init("/etc/hostname", &l, &err),
                     SR_E_UNAVAILABLE); /* no program at all */
}

static unsigned open_descriptors(void) {
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void rooms_leave_neither_descriptors_nor_zombies(void **state) {
    (void)state;
    unsigned before = open_descriptors();
    for (unsigned i = 0; i < 5; i++) {
        struct drive_end e;
        run(&(struct drive){.args = i % 2 ? "ok" : "exit 1"}, &e);
        assert_true(i % 2 ? e.done : e.failed);
        drive_end_done(&e);
    }
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void rooms_start_quickly(void **state) {
    (void)state;
    enum { N = 40, PARTS = 5 };
    static const char *const parts[PARTS] = {"launch to READY", "BEGIN to BINDING",
                                             "BINDING to app running", "app running to DONE",
                                             "launch to DONE"};
    static int64_t us[PARTS][N];
    for (size_t i = 0; i < N; i++) {
        struct drive_end e;
        run(&(struct drive){.args = "ok"}, &e);
        expect_done(&e);
        us[0][i] = e.ready_us;
        us[1][i] = e.binding_us - e.ready_us;
        us[2][i] = e.running_us - e.binding_us;
        us[3][i] = e.end_us - e.running_us;
        us[4][i] = e.end_us;
        drive_end_done(&e);
    }
    for (size_t p = 0; p < PARTS; p++) {
        qsort(us[p], N, sizeof us[p][0], by_value);
        print_message("room: %s p50 %lld us, p90 %lld us\n", parts[p], (long long)us[p][N / 2],
                      (long long)us[p][N * 9 / 10]);
    }
    assert_true(us[4][N / 2] < 1000000);
}

int main(int argc, char **argv) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_good_app_gives_a_signed_result),
        cmocka_unit_test(the_app_gets_the_official_environment),
        cmocka_unit_test(a_data_set_is_decrypted_for_the_app),
        cmocka_unit_test(several_data_sets_come_as_a_bulk),
        cmocka_unit_test(an_input_file_with_a_cid_is_checked),
        cmocka_unit_test(a_folder_is_digested_as_the_official_stack_does),
        cmocka_unit_test(a_callback_is_the_result),
        cmocka_unit_test(an_encrypted_result_opens_with_the_beneficiarys_key_only),
        cmocka_unit_test(arguments_are_split_like_a_shell_does),
        cmocka_unit_test(a_process_left_behind_dies_with_the_app),
        cmocka_unit_test(only_the_last_output_is_kept),
        cmocka_unit_test(a_failing_app_has_its_exit_code_and_output_told),
        cmocka_unit_test(every_way_to_go_wrong_has_its_cause),
        cmocka_unit_test(an_endless_app_is_stopped),
        cmocka_unit_test(a_memory_hog_is_stopped),
        cmocka_unit_test(ten_gigabytes_do_not_fit),
        cmocka_unit_test(a_fork_bomb_stays_small),
        cmocka_unit_test(tampered_inputs_stop_the_task),
        cmocka_unit_test(data_that_does_not_come_or_fit_stops_the_task),
        cmocka_unit_test(of_many_data_sets_one_that_does_not_open_is_left_out),
        cmocka_unit_test(results_that_cannot_be_packed_or_encrypted_fail),
        cmocka_unit_test(only_the_services_envelope_for_this_room_and_task_opens),
        cmocka_unit_test(when_the_worker_goes_nothing_is_left),
        cmocka_unit_test(a_hostile_app_finds_no_way_out),
        cmocka_unit_test(two_rooms_do_not_see_each_other),
        cmocka_unit_test(when_the_launcher_is_killed_nothing_is_left),
        cmocka_unit_test(started_by_hand_it_refuses_and_touches_nothing),
        cmocka_unit_test(a_launcher_without_a_room_says_so),
        cmocka_unit_test(rooms_leave_neither_descriptors_nor_zombies),
        cmocka_unit_test(rooms_start_quickly),
    };
    if (argc < 4) return 2;
    room_path = argv[1];
    faults_path = argv[2];
    hostile_path = argv[3];
    if (argc > 4 && strcmp(argv[4], "--ordinary-user") == 0) {
        /* The same rooms, started by nobody: where the test itself is root. */
        if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
                               setresuid(65534, 65534, 65534) != 0))
            return 1;
        (void)prctl(PR_SET_DUMPABLE, 1); /* changing ids took it; an ordinary process has it */
        if (access(room_path, R_OK) != 0 || access(faults_path, R_OK) != 0 ||
            access(hostile_path, R_OK) != 0)
            return 77; /* meson: skipped; the build folder is not for everybody */
    } else if (argc > 4) {
        cmocka_set_test_filter(argv[4]);
    }
    return cmocka_run_group_tests_name("room", t, start, finish);
}
