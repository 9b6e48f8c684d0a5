/* SPDX-License-Identifier: Apache-2.0 */
/* What apps may reach from a real room, through the worker's real proxy. SIMULATED evidence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include "drive.h"
#include "zip/zip.h"
#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTED "listed.test"

static const char *room_path, *netapp_path;
static struct drive_world world;
static struct hash netapp, deaf; /* with a list, without one */
static pid_t echo_pid, silent_pid;
static uint16_t echo_port, silent_port, unlisted_port;
static struct oci_strings list;
static char words[4][64];
static char *list_v[5];

static int listen_here(uint16_t *ret_port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof in;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&in, sizeof in) != 0 || listen(s, 64) != 0 ||
        getsockname(s, (struct sockaddr *)&in, &n) != 0)
        abort();
    *ret_port = ntohs(in.sin_port);
    return s;
}

static void echo_one(int c) {
    static char copy[65536];
    for (ssize_t n; (n = read(c, copy, sizeof copy)) > 0;)
        for (ssize_t at = 0; at < n;) {
            ssize_t k = write(c, copy + at, (size_t)(n - at));
            if (k <= 0) _exit(1);
            at += k;
        }
    _exit(0);
}

/* A server of this host: says back what it hears, or only listens. */
static pid_t serve(int s, bool echo) {
    pid_t p = fork();
    if (p != 0) {
        (void)close(s);
        return p;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int c = accept(s, NULL, NULL);
        if (!echo || c < 0) continue;
        if (fork() == 0) echo_one(c);
        (void)close(c);
    }
}

static int start(void **state) {
    (void)state;
    char json[512];
    int closed;
    echo_pid = serve(listen_here(&echo_port), true);
    silent_pid = serve(listen_here(&silent_port), false);
    closed = listen_here(&unlisted_port);
    drive_setup(&world, room_path);
    (void)snprintf(words[0], sizeof words[0], LISTED ":%u", echo_port);
    (void)snprintf(words[1], sizeof words[1], LISTED ":%u", silent_port);
    (void)snprintf(words[2], sizeof words[2], "private.test:%u", echo_port);
    (void)snprintf(words[3], sizeof words[3], "second.test:%u", echo_port);
    for (size_t i = 0; i < 4; i++) list_v[i] = words[i];
    list = (struct oci_strings){list_v, 4};
    (void)snprintf(json, sizeof json, "[\"%s\",\"%s\",\"%s\",\"%s\"]", words[0], words[1], words[2],
                   words[3]);
    drive_image_egress(&world, netapp_path, "netapp", json, &netapp);
    drive_image(&world, netapp_path, "deaf", &deaf);
    (void)closed; /* stays open: a port of this host that nobody lists */
    return 0;
}

static int finish(void **state) {
    (void)state;
    (void)kill(echo_pid, SIGKILL);
    (void)kill(silent_pid, SIGKILL);
    (void)waitpid(echo_pid, NULL, 0);
    (void)waitpid(silent_pid, NULL, 0);
    drive_teardown(&world);
    net_done();
    return 0;
}

static void run(const char *args, uint32_t seconds, struct drive_end *e) {
    drive_run(
        &world, "netapp", &netapp,
        &(struct drive){
            .args = args, .egress = &list, .loopback = LISTED ", second.test", .seconds = seconds},
        e);
}

static void expect_done(const struct drive_end *e) {
    if (!e->done)
        fail_msg("%s: %s; stdout %.*s stderr %.*s", e->cause, e->message, (int)e->f.tail_out.n,
                 (const char *)e->f.tail_out.p, (int)e->f.tail_err.n,
                 (const char *)e->f.tail_err.p);
}

static void result_is(const struct drive_end *e, const char *text) {
    struct zip_reader *z;
    struct buf b;
    buf_init(&b, 64u << 20);
    assert_int_equal(zip_open_bytes(buf_slice(&e->archive), NULL, &z, NULL), SR_OK);
    const struct zip_item *item = zip_find(z, "result.txt");
    assert_non_null(item);
    assert_int_equal(zip_extract_bytes(z, item, &b, NULL), SR_OK);
    assert_string_equal(buf_cstr(&b), text);
    zip_reader_free(z);
    buf_done(&b);
}

static void an_app_reaches_a_listed_host_as_any_program_does(void **state) {
    (void)state;
    struct drive_end e;
    char args[200];
    (void)snprintf(args, sizeof args, "fetch " LISTED " %u 'hello network'", echo_port);
    run(args, 0, &e);
    expect_done(&e);
    result_is(&e, "hello network");
    assert_int_equal(e.d.egress.connections, 1);
    assert_int_equal(e.d.egress.failed, 0);
    assert_int_equal(e.d.egress.refused, 0);
    assert_int_equal(e.d.egress.sent, 13);
    assert_int_equal(e.d.egress.received, 13);
    drive_end_done(&e);
    (void)snprintf(args, sizeof args, "fetch SECOND.test %u upper", echo_port);
    run(args, 0, &e);
    expect_done(&e);
    result_is(&e, "upper");
    drive_end_done(&e);
}

static void many_connections_at_once_keep_their_bytes_apart(void **state) {
    (void)state;
    struct drive_end e;
    char args[200];
    (void)snprintf(args, sizeof args, "many " LISTED " %u 40 1000000", echo_port);
    int64_t began = clock_mono_us();
    run(args, 60, &e);
    expect_done(&e);
    result_is(&e, "40 x 1000000\n");
    assert_int_equal(e.d.egress.connections, 40);
    assert_int_equal(e.d.egress.sent, 40000000);
    assert_int_equal(e.d.egress.received, 40000000);
    print_message("egress: 40 connections, 80 MB both ways in %lld ms\n",
                  (long long)(clock_mono_us() - began) / 1000);
    drive_end_done(&e);
}

static void more_connections_than_a_room_has_wait_for_their_turn(void **state) {
    (void)state;
    struct drive_end e;
    char args[200];
    (void)snprintf(args, sizeof args, "many " LISTED " %u 90 20000", echo_port);
    drive_run(
        &world, "netapp", &netapp,
        &(struct drive){
            .args = args, .egress = &list, .loopback = LISTED, .seconds = 60, .processes = 200},
        &e);
    expect_done(&e);
    assert_int_equal(e.d.egress.connections, 90);
    drive_end_done(&e);
}

static void every_way_that_is_not_listed_is_closed(void **state) {
    (void)state;
    struct drive_end e;
    char args[100];
    (void)snprintf(args, sizeof args, "ways %u", unlisted_port);
    run(args, 0, &e);
    expect_done(&e);
    result_is(&e, "0 open\n");
    assert_int_equal(e.d.egress.connections, 0);
    assert_true(e.d.egress.refused >= 5 + 8); /* names; addresses without a way */
    drive_end_done(&e);
}

static void without_a_list_there_is_no_network_and_tries_are_counted(void **state) {
    (void)state;
    struct drive_end e;
    char args[200];
    (void)snprintf(args, sizeof args, "ways %u", echo_port);
    drive_run(&world, "deaf", &deaf, &(struct drive){.args = args}, &e);
    expect_done(&e);
    assert_int_equal(e.d.egress.connections, 0);
    assert_true(e.d.egress.refused >= 6);
    drive_end_done(&e);
    (void)snprintf(args, sizeof args, "fetch " LISTED " %u x", echo_port);
    drive_run(&world, "deaf", &deaf, &(struct drive){.args = args}, &e);
    assert_true(e.failed);
    assert_int_equal(e.f.exit_code, 1);
    drive_end_done(&e);
}

/* A name that the image lists, but that leads to this host and is no development name. */
static void a_listed_name_of_this_host_is_refused_by_the_worker(void **state) {
    (void)state;
    struct drive_end e;
    char args[200];
    static char local[64];
    static char *local_v[] = {local, NULL};
    struct hash digest;
    char json[100];
    (void)snprintf(local, sizeof local, "localhost:%u", echo_port);
    (void)snprintf(json, sizeof json, "[\"%s\"]", local);
    drive_image_egress(&world, netapp_path, "local", json, &digest);
    (void)snprintf(args, sizeof args, "fetch 127.1.0.1 %u x", echo_port);
    drive_run(&world, "local", &digest,
              &(struct drive){.args = args, .egress = &(struct oci_strings){local_v, 1}}, &e);
    assert_true(e.failed);
    assert_int_equal(e.f.egress.connections, 1);
    assert_int_equal(e.f.egress.failed, 1);
    assert_int_equal(e.f.egress.received, 0);
    drive_end_done(&e);
}

static void a_host_that_does_not_read_holds_nothing_up(void **state) {
    (void)state;
    struct drive_end e;
    char args[200];
    (void)snprintf(args, sizeof args, "flood " LISTED " %u", silent_port);
    run(args, 1, &e);
    assert_true(e.failed);
    assert_string_equal(e.cause, "APP_COMPUTE_TIMEOUT");
    assert_int_equal(e.f.egress.connections, 1);
    assert_true(e.end_us < 6000000);
    drive_end_done(&e);
}

struct neighbour {
    struct drive_end e;
};

static void call_the_neighbour(void *arg, struct launched *r) {
    struct neighbour *n = arg;
    (void)r;
    drive_run(&world, "deaf", &deaf, &(struct drive){.args = "ways 7777"}, &n->e);
    (void)kill(r->pid, SIGKILL);
}

static void another_tasks_sockets_are_out_of_reach(void **state) {
    (void)state;
    struct drive_end e;
    struct neighbour n = {0};
    drive_run(&world, "deaf", &deaf,
              &(struct drive){.args = "offer 7777", .while_running = call_the_neighbour, .arg = &n},
              &e);
    expect_done(&n.e);
    result_is(&n.e, "0 open\n");
    drive_end_done(&n.e);
    drive_end_done(&e);
}

int main(int argc, char **argv) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(an_app_reaches_a_listed_host_as_any_program_does),
        cmocka_unit_test(many_connections_at_once_keep_their_bytes_apart),
        cmocka_unit_test(more_connections_than_a_room_has_wait_for_their_turn),
        cmocka_unit_test(every_way_that_is_not_listed_is_closed),
        cmocka_unit_test(without_a_list_there_is_no_network_and_tries_are_counted),
        cmocka_unit_test(a_listed_name_of_this_host_is_refused_by_the_worker),
        cmocka_unit_test(a_host_that_does_not_read_holds_nothing_up),
        cmocka_unit_test(another_tasks_sockets_are_out_of_reach),
    };
    if (argc < 3) return 2;
    room_path = argv[1];
    netapp_path = argv[2];
    if (argc > 3) cmocka_set_test_filter(argv[3]);
    return cmocka_run_group_tests_name("egress", t, start, finish);
}
