/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults - an iApp that goes wrong on demand: the first argument says how
 *
 * Static, no library but libc, so that it runs in an image from scratch. Used by the tests of room,
 * worker and scheduler, and by operators who want to see how a pool treats a bad app.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *env_or(const char *name, const char *fallback) {
    const char *v = getenv(name);
    return v && v[0] ? v : fallback;
}

static FILE *out_file(const char *name) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", env_or("IEXEC_OUT", "/iexec_out"), name);
    FILE *f = fopen(path, "w");
    if (!f) {
        (void)fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
        exit(90);
    }
    return f;
}

static void close_file(FILE *f) {
    if (fclose(f) != 0) {
        (void)fprintf(stderr, "cannot write: %s\n", strerror(errno));
        exit(91);
    }
}

static void computed(const char *text) {
    FILE *f = out_file("computed.json");
    (void)fputs(text, f);
    close_file(f);
}

static void computed_path(const char *name) {
    char text[512];
    (void)snprintf(text, sizeof text, "{\"deterministic-output-path\":\"/iexec_out/%s\"}", name);
    computed(text);
}

static int mode_ok(const char *arg) {
    FILE *f = out_file("result.txt");
    (void)fprintf(f, "%s\n", arg ? arg : "fine");
    close_file(f);
    computed_path("result.txt");
    (void)puts("all is well");
    return 0;
}

static int mode_exit(const char *arg) {
    (void)mode_ok("written before the failure");
    (void)fprintf(stderr, "ending on purpose\n");
    return arg ? (int)(arg[0] - '0') : 1;
}

static int mode_no_computed(const char *arg) {
    (void)arg;
    close_file(out_file("result.txt"));
    return 0;
}

static int mode_bad_computed(const char *arg) {
    computed(arg ? arg : "{not json");
    return 0;
}

static int mode_callback(const char *arg) {
    char text[1024];
    (void)snprintf(text, sizeof text, "{\"callback-data\":\"%s\"}", arg ? arg : "0xaabb");
    computed(text);
    return 0;
}

static int mode_loop(const char *arg) {
    (void)arg;
    (void)puts("looping");
    (void)fflush(stdout);
    for (volatile unsigned long n = 0;; n++) {
    }
}

static int mode_sleep(const char *arg) {
    (void)arg;
    for (;;) (void)pause();
}

static int mode_memory(const char *arg) {
    (void)arg;
    for (size_t n = 0;; n++) {
        char *p = mmap(NULL, 16u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return 92;
        memset(p, (int)n, 16u << 20);
    }
}

static int mode_disk(const char *arg) {
    static char block[1u << 20];
    const char *name = arg ? arg : "big";
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", env_or("IEXEC_OUT", "/iexec_out"), name);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    for (unsigned i = 0; i < 10240; i++) { /* 10 GiB */
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block) {
            (void)fprintf(stderr, "after %u MiB: %s\n", i, strerror(errno));
            return 93;
        }
    }
    computed_path(name);
    return 0;
}

static int mode_fork(const char *arg) {
    (void)arg;
    unsigned made = 0;
    for (unsigned i = 0; i < 100000; i++) {
        pid_t p = fork();
        if (p == 0)
            for (;;) (void)pause();
        if (p < 0) {
            (void)fprintf(stderr, "after %u processes: %s\n", made, strerror(errno));
            return 94;
        }
        made++;
    }
    return 0;
}

static int mode_crash(const char *arg) {
    (void)arg;
    (void)raise(SIGSEGV);
    *(volatile int *)8 = 1;
    return 0;
}

static int mode_orphan(const char *arg) { /* leaves a process behind, then ends well */
    if (fork() == 0)
        for (;;) (void)pause();
    return mode_ok(arg);
}

static int mode_shout(const char *arg) { /* more output than is kept */
    (void)arg;
    for (unsigned i = 0; i < 60000; i++) (void)printf("line %u\n", i);
    return mode_ok("shouted");
}

static int mode_long_name(const char *arg) {
    (void)arg;
    close_file(out_file("a-name-of-thirty-two-characters-x"));
    return mode_ok(NULL);
}

static int mode_environment(const char *arg) {
    (void)arg;
    FILE *f = out_file("environment.txt");
    for (char **e = environ; *e; e++) (void)fprintf(f, "%s\n", *e);
    close_file(f);
    computed_path("environment.txt");
    return 0;
}

static int mode_arguments(int argc, char **argv) {
    FILE *f = out_file("arguments.txt");
    for (int i = 0; i < argc; i++) (void)fprintf(f, "[%s]\n", argv[i]);
    close_file(f);
    computed_path("arguments.txt");
    return 0;
}

static int mode_copy(const char *arg) { /* the data set, or the named input, becomes the result */
    static char block[1u << 16];
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", env_or("IEXEC_IN", "/iexec_in"),
                   arg ? env_or(arg, "") : env_or("IEXEC_DATASET_FILENAME", ""));
    int in = open(path, O_RDONLY);
    if (in < 0) {
        (void)fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        return 95;
    }
    FILE *f = out_file("copy");
    for (ssize_t n; (n = read(in, block, sizeof block)) > 0;) (void)fwrite(block, 1, (size_t)n, f);
    close_file(f);
    computed_path("copy");
    return 0;
}

/* The data sets of a bulk: which are there, and what the room says of them. */
static int mode_bulk(const char *arg) {
    (void)arg;
    static char told[1u << 16];
    char name[64], path[512];
    const char *in = env_or("IEXEC_IN", "/iexec_in");
    long n = strtol(env_or("IEXEC_BULK_SLICE_SIZE", "0"), NULL, 10);
    FILE *f = out_file("bulk.txt");
    for (long i = 1; i <= n && i <= 100; i++) {
        struct stat st;
        (void)snprintf(name, sizeof name, "IEXEC_DATASET_%ld_FILENAME", i);
        const char *file = env_or(name, "");
        (void)snprintf(path, sizeof path, "%s/%s", in, file);
        bool there = *file && stat(path, &st) == 0 && S_ISREG(st.st_mode);
        (void)fprintf(f, "%ld %s %s\n", i, file, there ? "there" : "absent");
    }
    close_file(f);
    (void)snprintf(path, sizeof path, "%s/strongroom-datasets.json", in);
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, told, sizeof told);
    if (got < 0) return 96;
    f = out_file("told.json");
    (void)fwrite(told, 1, (size_t)got, f);
    close_file(f);
    computed_path("bulk.txt");
    return 0;
}

static int mode_folder(const char *arg) {
    (void)arg;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/many", env_or("IEXEC_OUT", "/iexec_out"));
    (void)mkdir(path, 0755);
    static const char *const names[] = {"many/b", "many/a", "many/c"};
    for (unsigned i = 0; i < 3; i++) {
        FILE *f = out_file(names[i]);
        (void)fputs(names[i], f);
        close_file(f);
    }
    computed_path("many");
    return 0;
}

/* Deeper than a result may be. */
static int mode_deep(const char *arg) {
    (void)arg;
    char path[1024];
    int n = snprintf(path, sizeof path, "%s", env_or("IEXEC_OUT", "/iexec_out"));
    for (unsigned i = 0; i < 40; i++) {
        n += snprintf(path + n, sizeof path - (size_t)n, "/d");
        if (mkdir(path, 0755) != 0) return 97;
    }
    return mode_ok(NULL);
}

static int mode_host(const char *arg) { /* looks for anything of the host */
    (void)arg;
    static const char *const paths[] = {
        "/etc/passwd", "/root",    "/home",   "/sys", "/proc/1/root/etc/passwd",
        "/dev/sda",    "/dev/mem", "/var/lib"};
    FILE *f = out_file("host.txt");
    unsigned seen = 0;
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        if (access(paths[i], F_OK) == 0) {
            (void)fprintf(f, "sees %s\n", paths[i]);
            seen++;
        }
    (void)fprintf(f, "%u of the host\n", seen);
    close_file(f);
    computed_path("host.txt");
    return seen == 0 ? 0 : 96;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*fn)(const char *arg);
    } modes[] = {
        {"ok", mode_ok},
        {"exit", mode_exit},
        {"no-computed", mode_no_computed},
        {"bad-computed", mode_bad_computed},
        {"callback", mode_callback},
        {"loop", mode_loop},
        {"sleep", mode_sleep},
        {"memory", mode_memory},
        {"disk", mode_disk},
        {"fork", mode_fork},
        {"crash", mode_crash},
        {"orphan", mode_orphan},
        {"shout", mode_shout},
        {"long-name", mode_long_name},
        {"environment", mode_environment},
        {"copy", mode_copy},
        {"bulk", mode_bulk},
        {"folder", mode_folder},
        {"deep", mode_deep},
        {"host", mode_host},
    };
    const char *mode = argc > 1 ? argv[1] : "ok";
    if (strcmp(mode, "arguments") == 0) return mode_arguments(argc, argv);
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(mode, modes[i].name) == 0) return modes[i].fn(argc > 2 ? argv[2] : NULL);
    (void)fprintf(stderr, "faults: no mode '%s'\n", mode);
    return 2;
}
