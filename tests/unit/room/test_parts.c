/* SPDX-License-Identifier: Apache-2.0 */
/* The room's parts that need no namespace: messages, envelope, command line, environment, result.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include "room/result.h"
#include "room/task.h"
#include "zip/zip.h"
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the door's messages ---- */

static void put_all(struct buf *b, unsigned kind) {
    static const uint8_t bytes[] = {1, 2, 3, 4, 5};
    struct slice s = slice_of(bytes, sizeof bytes);
    switch (kind) {
    case 0:
        door_begin_write(b, &(struct door_begin){.task = {{1}},
                                                 .memory_bytes = 2,
                                                 .disk_bytes = 3,
                                                 .processes = 4,
                                                 .seconds = 5,
                                                 .now_unix_s = 6,
                                                 .secret_platform = s});
        break;
    case 1: door_binding_write(b, &(struct door_binding){.evidence = s}); break;
    case 2: door_envelope_write(b, &(struct door_envelope){.sealed = s}); break;
    case 3: door_input_write(b, &(struct door_input){7, 8}); break;
    case 4:
        door_done_write(b, &(struct door_done){.callback = s, .tail_out = s, .tail_err = s});
        break;
    default:
        door_failed_write(b, &(struct door_failed){.cause = s,
                                                   .message = s,
                                                   .blame = BLAME_DATA,
                                                   .has_exit = true,
                                                   .exit_code = 9,
                                                   .tail_out = s,
                                                   .tail_err = s});
    }
}

static bool read_any(struct slice body, unsigned kind) {
    union {
        struct door_begin begin;
        struct door_binding binding;
        struct door_envelope envelope;
        struct door_input input;
        struct door_done done;
        struct door_failed failed;
    } u;
    switch (kind) {
    case 0:
        return door_begin_read(body, &u.begin) && u.begin.seconds == 5 &&
               u.begin.secret_platform.n == 5;
    case 1: return door_binding_read(body, &u.binding) && u.binding.evidence.n == 5;
    case 2: return door_envelope_read(body, &u.envelope) && u.envelope.sealed.n == 5;
    case 3: return door_input_read(body, &u.input) && u.input.index == 7 && u.input.size == 8;
    case 4: return door_done_read(body, &u.done) && u.done.callback.n == 5;
    default:
        return door_failed_read(body, &u.failed) && u.failed.exit_code == 9 &&
               u.failed.blame == BLAME_DATA;
    }
}

static void every_message_reads_back_and_fails_when_cut_or_longer(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < 6; kind++) {
        struct buf b;
        buf_init(&b, 4096);
        put_all(&b, kind);
        assert_true(read_any(buf_slice(&b), kind));
        for (size_t cut = 0; cut < b.n; cut++) assert_false(read_any(slice_of(b.p, cut), kind));
        buf_u8(&b, 0);
        assert_false(read_any(buf_slice(&b), kind));
        buf_done(&b);
    }
}

static void a_frame_head_has_a_limit_and_no_slack(void **state) {
    (void)state;
    uint8_t head[DOOR_HEAD];
    unsigned type;
    size_t n;
    door_head_write(head, DOOR_DATA, DOOR_BODY_MAX);
    assert_true(door_head_read(head, &type, &n));
    assert_int_equal(type, DOOR_DATA);
    assert_int_equal(n, DOOR_BODY_MAX);
    head[7]++;
    assert_false(door_head_read(head, &type, &n));
    door_head_write(head, DOOR_DATA, 1);
    head[2] = 1;
    assert_false(door_head_read(head, &type, &n));
}

/* ---- the envelope's JSON ---- */

#define H64 "0x1111111111111111111111111111111111111111111111111111111111111111"
#define A40 "0x2222222222222222222222222222222222222222"
#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
static const char good[] =
    "{\"version\":1,\"task\":\"" H64 "\",\"deal\":\"" H64
    "\",\"index\":0,\"botFirst\":0,\"botSize\":1,\"worker\":\"" A40 "\",\"challenge\":\"" A40
    "\",\"app\":{\"address\":\"" A40 "\",\"digest\":\"" H64 "\"},\"datasets\":[{\"address\":\"" A40
    "\",\"url\":\"/ipfs/x\",\"checksum\":\"" H64 "\",\"key\":\"" KEY
    "\"}],\"inputFiles\":[\"u\"],\"args\":\"a b\","
    "\"seconds\":300,\"secrets\":{\"app\":\"s\",\"requester\":{\"1\":\"t\"}},\"result\":{"
    "\"encrypt\":true,\"publicKey\":\"PEM\"}}";

static void an_envelope_reads(void **state) {
    (void)state;
    struct task t;
    assert_int_equal(task_parse(slice_str(good), &t, NULL), SR_OK);
    assert_int_equal(t.n_datasets, 1);
    assert_int_equal(t.datasets[0].key.n, 32);
    assert_int_equal(t.n_inputs, 1);
    assert_string_equal(t.args, "a b");
    assert_int_equal(t.n_secrets, 1);
    assert_int_equal(t.secrets[0].index, 1);
    assert_true(t.encrypt);
    assert_false(t.has_callback);
    task_done(&t);
}

static void an_envelope_cut_anywhere_fails(void **state) {
    (void)state;
    struct task t;
    for (size_t cut = 0; cut + 1 < sizeof good; cut++)
        assert_int_equal(task_parse(slice_of(good, cut), &t, NULL), SR_E_MALFORMED);
}

static void an_envelope_with_a_wrong_field_fails_without_quoting_it(void **state) {
    (void)state;
    static const char *const changes[][2] = {
        {"\"version\":1", "\"version\":2"},
        {"\"task\":\"0x1", "\"task\":\"1"},
        {"\"index\":0", "\"index\":-1"},
        {"\"seconds\":300", "\"seconds\":0"},
        {"\"seconds\":300", "\"seconds\":999999999"},
        {"\"key\":\"AAAA", "\"key\":\"AAA"},
        {"\"datasets\":[", "\"datasets\":[1,"},
        {"\"args\":\"a b\"", "\"args\":5"},
        {"{\"1\":\"t\"}", "{\"0\":\"t\"}"},
        {"{\"1\":\"t\"}", "{\"x\":\"t\"}"},
        {"{\"1\":\"t\"}", "{\"1\":[]}"},
        {"[\"u\"]", "[null]"},
        {"\"encrypt\":true", "\"encrypt\":1"},
        {"\"publicKey\":\"PEM\"", "\"callback\":\"0x1\""},
        {"\"app\":\"s\"", "\"app\":\"s\\u0000\""},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(changes); i++) {
        char text[sizeof good + 64];
        const char *at = strstr(good, changes[i][0]);
        struct sr_err err = {0};
        struct task t;
        assert_non_null(at);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, changes[i][1],
                       at + strlen(changes[i][0]));
        if (task_parse(slice_str(text), &t, &err) != SR_E_MALFORMED) fail_msg("case %zu", i);
        assert_null(strstr(err.what, "AAAA"));
    }
}

/* ---- the command line ---- */

static void command_lines_split_as_a_shell_splits_them(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *words[5];
    } cases[] = {
        {"", {NULL}},
        {"   ", {NULL}},
        {"a", {"a"}},
        {" a  b\tc\n", {"a", "b", "c"}},
        {"'a b' \"c d\"", {"a b", "c d"}},
        {"a'b'c\"d\"", {"abcd"}},
        {"'' \"\"", {"", ""}},
        {"a\\ b", {"a b"}},
        {"\"\\n \\\" \\\\ \\$\"", {"\\n \" \\ $"}},
        {"'\\'", {"\\"}},
        {"$HOME `id` *", {"$HOME", "`id`", "*"}},
        {"{\"k\":\"v\"}", {"{k:v}"}},
        {"'{\"k\":1}'", {"{\"k\":1}"}},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        struct words w = {0};
        assert_int_equal(args_split(slice_str(cases[i].text), &w, NULL), SR_OK);
        size_t n = 0;
        while (n < 5 && cases[i].words[n]) n++;
        assert_int_equal(w.n, n);
        for (size_t k = 0; k < n; k++) assert_string_equal(w.v[k], cases[i].words[k]);
        words_done(&w);
    }
    static const char *const open_quotes[] = {"'", "\"", "a 'b", "\"\\\""};
    for (size_t i = 0; i < SR_ARRAY_LEN(open_quotes); i++) {
        struct words w = {0};
        assert_int_equal(args_split(slice_str(open_quotes[i]), &w, NULL), SR_E_MALFORMED);
        words_done(&w);
    }
}

static void the_image_cannot_set_the_rooms_variables(void **state) {
    (void)state;
    struct task t;
    struct words w = {0};
    char a[] = "IEXEC_OUT=/elsewhere", b[] = "LANG=C", *env[] = {a, b, NULL};
    assert_int_equal(task_parse(slice_str(good), &t, NULL), SR_OK);
    assert_int_equal(app_environment(&t, env, &w, NULL), SR_OK);
    unsigned lang = 0;
    for (size_t i = 0; i < w.n; i++) {
        assert_string_not_equal(w.v[i], a);
        lang += strcmp(w.v[i], b) == 0;
    }
    assert_int_equal(lang, 1);
    words_done(&w);
    task_done(&t);
}

/* ---- the result ---- */

static char dir[] = "/tmp/test_parts.XXXXXX";

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}
static int drop_dir(void **state) {
    (void)state;
    return fs_remove_tree(dir, NULL) == SR_OK ? 0 : -1;
}

static void put(const char *name, const char *text) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(fs_write_atomic(path, slice_str(text), 0644, NULL), SR_OK);
}

static sr_status compute(const char *json, bool callback, struct computed *c, const char **cause) {
    put("computed.json", json);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    sr_status st = result_compute(fd, callback, c, cause, NULL);
    (void)close(fd);
    return st;
}

static void a_result_behind_a_link_is_no_result(void **state) {
    (void)state;
    char path[600];
    struct computed c;
    const char *cause = NULL;
    put("real", "x");
    (void)snprintf(path, sizeof path, "%s/link", dir);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    (void)snprintf(path, sizeof path, "%s/pipe", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    static const char *const bad[] = {
        "/iexec_out/link", "/iexec_out/pipe", "/iexec_out/none", "/iexec_out/../x", "real", ""};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        char json[200];
        (void)snprintf(json, sizeof json, "{\"deterministic-output-path\":\"%s\"}", bad[i]);
        assert_int_not_equal(compute(json, false, &c, &cause), SR_OK);
        assert_string_equal(cause, "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED");
    }
    assert_int_equal(
        compute("{\"deterministic-output-path\":\"/iexec_out//real\",\"callback-data\":\"junk\"}",
                false, &c, &cause),
        SR_OK);
    struct hash want = sha256(SLICE_LIT("x"));
    assert_true(hash_eq(&want, &c.digest));
    assert_int_equal(c.callback.n, 0);
    computed_done(&c);
}

struct collected {
    struct buf b;
};
static sr_status collect(void *arg, struct slice data, struct sr_err *err) {
    struct collected *c = arg;
    buf_add(&c->b, data);
    return buf_status(&c->b, err);
}

static void the_archive_holds_regular_files_only(void **state) {
    (void)state;
    char path[600];
    const char *cause = NULL;
    struct collected c;
    (void)snprintf(path, sizeof path, "%s/deep", dir);
    assert_int_equal(mkdir(path, 0755), 0);
    put("deep/file", "deep");
    buf_init(&c.b, 1u << 20);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(result_archive(fd, NULL, collect, &c, &cause, NULL), SR_OK);
    struct zip_reader *z;
    assert_int_equal(zip_open_bytes(buf_slice(&c.b), NULL, &z, NULL), SR_OK);
    assert_non_null(zip_find(z, "deep/file"));
    assert_non_null(zip_find(z, "real"));
    assert_null(zip_find(z, "link"));
    assert_null(zip_find(z, "pipe"));
    assert_null(zip_find(z, "deep/"));
    zip_reader_free(z);
    put("a-name-that-has-32-bytes-in-all-x", "");
    buf_clear(&c.b);
    assert_int_equal(result_archive(fd, NULL, collect, &c, &cause, NULL), SR_E_TASK);
    assert_string_equal(cause, "POST_COMPUTE_TOO_LONG_RESULT_FILE_NAME");
    (void)close(fd);
    buf_done(&c.b);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(every_message_reads_back_and_fails_when_cut_or_longer),
        cmocka_unit_test(a_frame_head_has_a_limit_and_no_slack),
        cmocka_unit_test(an_envelope_reads),
        cmocka_unit_test(an_envelope_cut_anywhere_fails),
        cmocka_unit_test(an_envelope_with_a_wrong_field_fails_without_quoting_it),
        cmocka_unit_test(command_lines_split_as_a_shell_splits_them),
        cmocka_unit_test(the_image_cannot_set_the_rooms_variables),
        cmocka_unit_test(a_result_behind_a_link_is_no_result),
        cmocka_unit_test(the_archive_holds_regular_files_only),
    };
    return cmocka_run_group_tests_name("room/parts", t, make_dir, drop_dir);
}
