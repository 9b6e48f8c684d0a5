/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command and writes what it took, one line of JSON, to a file. A small program of its own,
 * because the kernel counts what a process held before exec as its peak: a child of a 25 MB
 * interpreter never shows less. bench_run FILE COMMAND [ARGUMENT...]
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double ms_of(struct timeval t) {
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static double now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        (void)fprintf(stderr, "usage: bench_run FILE COMMAND [ARGUMENT...]\n");
        return 2;
    }
    double start = now_ms();
    pid_t pid = vfork();
    if (pid == 0) {
        (void)execvp(argv[2], argv + 2);
        _exit(127);
    }
    int status = 0;
    struct rusage u;
    if (pid < 0 || wait4(pid, &status, 0, &u) != pid) {
        perror("bench_run");
        return 1;
    }
    double took = now_ms() - start;
    FILE *f = fopen(argv[1], "we");
    if (!f) {
        perror(argv[1]);
        return 1;
    }
    (void)fprintf(f, "{\"ms\":%.3f,\"peak_kb\":%ld,\"user_ms\":%.3f,\"system_ms\":%.3f}\n", took,
                  u.ru_maxrss, ms_of(u.ru_utime), ms_of(u.ru_stime));
    if (fclose(f) != 0) return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
