/* SPDX-License-Identifier: Apache-2.0 */
/* up.c - the commands up, down and status */
#include "up/up_int.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

bool up_has(const char *word) {
    return strcmp(word, "up") == 0 || strcmp(word, "down") == 0 || strcmp(word, "status") == 0;
}

int up_exit_code(const struct sr_err *err) {
    switch (err->code) {
    case SR_OK: return 0;
    case SR_E_USAGE: return 2;
    case SR_E_REFUSED:
    case SR_E_AUTH:
    case SR_E_CONFLICT: return 3;
    case SR_E_UNAVAILABLE:
    case SR_E_TIMEOUT: return 5;
    default: return 1;
    }
}

void up_complain(const char *who, const struct sr_err *err, bool json) {
    if (json) {
        cleanup_buf struct buf b;
        buf_init(&b, 4096);
        struct jw w = jw_of(&b);
        jw_obj(&w);
        jw_kcstr(&w, "error", err->what);
        jw_kcstr(&w, "code", sr_status_name(err->code));
        jw_kcstr(&w, "hint", err->hint);
        jw_ku64(&w, "exit", (uint64_t)up_exit_code(err));
        jw_end_obj(&w);
        (void)printf("%s\n", buf_cstr(&b));
        (void)fflush(stdout);
    }
    (void)fprintf(stderr, "strongroom %s: %s\n", who, err->what);
    if (err->hint[0]) (void)fprintf(stderr, "  what to do: %s\n", err->hint);
}

/* With --detach: the parent waits for the child's word and ends with its outcome. */
static int wait_for_word(int fd, pid_t child) {
    char byte = 1;
    ssize_t r;
    do r = read(fd, &byte, 1);
    while (r < 0 && errno == EINTR);
    if (r == 1 && byte == 0) return 0;
    int how = 0; /* it said why on our terminal */
    if (waitpid(child, &how, 0) != child || !WIFEXITED(how)) return 1;
    return WEXITSTATUS(how) ? WEXITSTATUS(how) : 1;
}

/* In the detached child: its own session; the terminal is let go once the network is ready. */
static sr_status detach(struct network *n, int fd, struct sr_err *err) {
    if (setsid() < 0) return sr_fail(err, SR_E_SYS, "start a session");
    n->notify_fd = fd;
    return SR_OK;
}

static sr_status log_to_file(struct network *n, struct sr_err *err) {
    cleanup_free char *path = up_path(n->home.logs, "up.log");
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "open '%s'", path);
    log_setup("up", fd, LOG_INFO); /* kept open to the end */
    return SR_OK;
}

static sr_status run_network(struct network *n, const struct up_env *env, struct sr_err *err) {
    SR_TRY(tools_find(&n->tools, err));
    SR_TRY(home_open(&n->home, &n->tools, err));
    SR_TRY(log_to_file(n, err));
    SR_TRY(sockets_open(n->opt.base, n->opt.workers, &n->home, &n->sockets, err));
    plan_children(n, env);
    return supervise(n, err);
}

static void network_done(struct network *n) {
    for (size_t i = 0; i < n->n; i++) child_done(&n->child[i]);
    sockets_close(&n->sockets);
    tools_done(&n->tools);
    home_done(&n->home);
}

static int bring_up(const struct up_options *opt, const struct up_env *env) {
    struct sr_err err = {0};
    struct network n = {.opt = *opt,
                        .control = {-1, -1},
                        .signals = -1,
                        .notify_fd = -1,
                        .out = stdout,
                        .began_us = clock_mono_us()};
    n.sockets = sockets_none();
    sr_status st = home_paths(opt->dir, &n.home, &err);
    int word[2];
    if (st == SR_OK && opt->detach) {
        (void)fflush(NULL);
        if (pipe2(word, O_CLOEXEC) != 0) return 1;
        pid_t child = fork();
        if (child < 0) return 1;
        if (child > 0) {
            (void)close(word[1]);
            home_done(&n.home);
            return wait_for_word(word[0], child);
        }
        (void)close(word[0]);
        st = detach(&n, word[1], &err);
    }
    if (st == SR_OK) st = run_network(&n, env, &err);
    if (st != SR_OK)
        up_complain("up", &err, opt->json);
    else if (!opt->json && !opt->detach)
        (void)printf("stopped\n");
    network_done(&n);
    return up_exit_code(&err);
}

int up_main(int argc, char **argv, const struct up_env *env) {
    struct sr_err err = {0};
    struct up_options opt;
    int code;
    if (up_parse(argc, argv, &opt, &err) != SR_OK) {
        up_complain(argv[0], &err, opt.json);
        return up_exit_code(&err);
    }
    if (strcmp(opt.word, "up") == 0)
        code = bring_up(&opt, env);
    else
        code = strcmp(opt.word, "down") == 0 ? down_main(&opt) : status_main(&opt);
    free(opt.dir);
    return code;
}
