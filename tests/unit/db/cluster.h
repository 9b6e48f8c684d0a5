/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.h - a PostgreSQL server of a test's own: in a temporary folder, on a Unix socket, as a
 * user without rights (it refuses to run as root). Include cmocka first. */
#pragma once
#include "base/base.h"
#include <glob.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLUSTER_NOBODY 65534

struct cluster {
    char dir[64], bin[128], url[192];
    pid_t pid;
    unsigned port; /* also on 127.0.0.1, by TLS: cluster_certify first; 0: the socket only */
};

static inline void cluster_drop_rights(void) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (geteuid() != 0) return;
    if (setgroups(0, NULL) != 0 || setgid(CLUSTER_NOBODY) != 0 || setuid(CLUSTER_NOBODY) != 0)
        _exit(126);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* another user: it was taken back */
}

/* argv[0] becomes the whole path: by it the programs find each other, which are in nobody's PATH.
 */
static inline pid_t cluster_spawn(const struct cluster *c, const char **argv) {
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", c->bin, argv[0]);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) return pid;
    cluster_drop_rights();
    if (chdir(c->dir) != 0) _exit(125);
    int log = open("log", O_RDWR | O_CREAT | O_APPEND, 0600);
    if (log >= 0) {
        (void)dup2(log, 1);
        (void)dup2(log, 2);
    }
    (void)unsetenv("LC_ALL");
    (void)setenv("LANG", "C", 1);
    argv[0] = path;
    (void)execv(path, (char *const *)(uintptr_t)argv);
    _exit(127);
}

static inline int cluster_wait(pid_t pid) {
    int st = 0;
    assert_int_equal(waitpid(pid, &st, 0), pid);
    return WIFEXITED(st) ? WEXITSTATUS(st) : 128;
}

static inline void cluster_serve(struct cluster *c) {
    char port[16];
    (void)snprintf(port, sizeof port, "%u", c->port ? c->port : 5432);
    const char *serve[] = {"postgres",
                           "-D",
                           "data",
                           "-k",
                           c->dir,
                           "-p",
                           port,
                           "-c",
                           c->port ? "listen_addresses=127.0.0.1" : "listen_addresses=",
                           "-c",
                           c->port ? "ssl=on" : "ssl=off",
                           "-c",
                           "fsync=off",
                           "-c",
                           "max_connections=40",
                           NULL};
    c->pid = cluster_spawn(c, serve);
    const char *ready[] = {"pg_isready", "-q", "-h", c->dir, "-p", port, NULL};
    for (int i = 0; cluster_wait(cluster_spawn(c, ready)) != 0; i++) {
        assert_true(i < 2000);
        (void)usleep(10000);
    }
}

/* A certificate of its own. */
static inline void cluster_certify(const struct cluster *c) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        cluster_drop_rights();
        (void)umask(077);
        if (chdir(c->dir) != 0 || !freopen("log", "a", stderr)) _exit(125);
        (void)execlp("openssl", "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                     "-keyout", "data/server.key", "-out", "data/server.crt", "-days", "2", "-subj",
                     "/CN=localhost", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(cluster_wait(pid), 0);
}

/* The server is gone at once; cluster_serve brings it back with what was committed. */
static inline void cluster_break(struct cluster *c) {
    (void)kill(c->pid, SIGQUIT);
    (void)cluster_wait(c->pid);
}

/* False: PostgreSQL is not installed here. */
static inline bool cluster_start(struct cluster *c) {
    glob_t g;
    *c = (struct cluster){0};
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &g) != 0) return false;
    const char *last = g.gl_pathv[g.gl_pathc - 1];
    (void)snprintf(c->bin, sizeof c->bin, "%.*s", (int)(strlen(last) - strlen("/initdb")), last);
    globfree(&g);
    (void)snprintf(c->dir, sizeof c->dir, "/tmp/sr-pg-XXXXXX");
    assert_non_null(mkdtemp(c->dir));
    if (geteuid() == 0) assert_int_equal(chown(c->dir, CLUSTER_NOBODY, CLUSTER_NOBODY), 0);
    const char *init[] = {"initdb", "-D", "data", "-U",         "strongroom", "-A",
                          "trust",  "-E", "UTF8", "--locale=C", "--no-sync",  NULL};
    assert_int_equal(cluster_wait(cluster_spawn(c, init)), 0);
    cluster_serve(c);
    (void)snprintf(c->url, sizeof c->url, "postgresql:///postgres?host=%s&user=strongroom", c->dir);
    return true;
}

static inline void cluster_stop(struct cluster *c) {
    if (!c->pid) return;
    (void)kill(c->pid, SIGINT); /* fast: open connections are ended */
    (void)cluster_wait(c->pid);
    assert_int_equal(fs_remove_tree(c->dir, NULL), SR_OK);
    c->pid = 0;
}

/* For a group's set-up: tests of a server that is not there skip themselves. */
static inline int cluster_set_up(struct cluster *c) {
    if (!cluster_start(c)) (void)printf("PostgreSQL is not installed: nothing is tested\n");
    return 0;
}
