/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cgroup.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_PREFIX "strongroom-room-"
#define NUMBER_MAX   32u

static bool put(const char *dir, const char *file, const char *text) {
    char path[CGROUP_PATH + 64];
    (void)snprintf(path, sizeof path, "%s/%s", dir, file);
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool holds(const char *dir, const char *file, const char *word) {
    cleanup_buf struct buf b;
    char path[CGROUP_PATH + 64];
    buf_init(&b, 65536);
    (void)snprintf(path, sizeof path, "%s/%s", dir, file);
    if (fs_read(path, &b, NULL) != SR_OK) return false;
    struct slice rest = slice_trim(buf_slice(&b)), one;
    while (rest.n > 0) {
        (void)slice_cut(rest, ' ', &one, &rest);
        if (slice_is(slice_trim(one), word)) return true;
    }
    return false;
}

/* Version 2's line of /proc/self/cgroup: "0::/a/b". */
static bool own_path(char ret[CGROUP_PATH]) {
    cleanup_buf struct buf b;
    buf_init(&b, 65536);
    if (fs_read("/proc/self/cgroup", &b, NULL) != SR_OK) return false;
    struct slice rest = buf_slice(&b), line;
    while (rest.n > 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        if (!slice_starts(line, "0::/") || line.n >= CGROUP_PATH) continue;
        (void)snprintf(ret, CGROUP_PATH, "%.*s", (int)line.n - 3, (const char *)line.p + 3);
        return true;
    }
    return false;
}

/* A group that we can make is a group that we can use: try it once. */
static bool usable(const struct cgroups *c) {
    char path[CGROUP_PATH + 64];
    (void)snprintf(path, sizeof path, "%s/" GROUP_PREFIX "try-%ld", c->base, (long)getpid());
    if (mkdir(path, 0755) != 0) return false;
    bool ok = put(path, "memory.max", "1073741824");
    return rmdir(path) == 0 && ok;
}

/* Groups of workers that were killed: empty, and nobody's. */
static void remove_old(const char *base) {
    DIR *d = opendir(base);
    if (!d) return;
    for (struct dirent *de; (de = readdir(d)) != NULL;) {
        uint64_t pid;
        struct slice rest = slice_str(de->d_name), owner, number;
        if (!slice_starts(rest, GROUP_PREFIX)) continue;
        rest = slice_of(rest.p + sizeof GROUP_PREFIX - 1, rest.n - (sizeof GROUP_PREFIX - 1));
        if (!slice_cut(rest, '-', &owner, &number) || !num_u64(owner, INT32_MAX, &pid)) continue;
        if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
            (void)unlinkat(dirfd(d), de->d_name, AT_REMOVEDIR);
    }
    (void)closedir(d);
}

static bool find(struct cgroups *c) {
    static const char mount[] = "/sys/fs/cgroup";
    char path[CGROUP_PATH];
    if (!own_path(path)) return false;
    int n = snprintf(c->base, sizeof c->base, "%s%s", mount, strcmp(path, "/") == 0 ? "" : path);
    if (n < 0 || (size_t)n + NUMBER_MAX + sizeof GROUP_PREFIX >= sizeof c->base) return false;
    if (!holds(c->base, "cgroup.controllers", "memory")) return false;
    if (!holds(c->base, "cgroup.subtree_control", "memory") &&
        !put(c->base, "cgroup.subtree_control", "+memory"))
        return false;
    return usable(c);
}

void cgroups_find(struct cgroups *ret) {
    *ret = (struct cgroups){0};
    if (find(ret))
        remove_old(ret->base);
    else
        *ret = (struct cgroups){0};
}

void cgroup_enter(const struct cgroups *c, pid_t pid, uint64_t bytes, char ret_path[CGROUP_PATH]) {
    char text[NUMBER_MAX];
    ret_path[0] = 0;
    if (c->base[0] == 0 || bytes == 0) return;
    char path[CGROUP_PATH];
    int n = snprintf(path, sizeof path, "%s/" GROUP_PREFIX "%ld-%ld", c->base, (long)getpid(),
                     (long)pid);
    if (n < 0 || (size_t)n >= sizeof path || mkdir(path, 0755) != 0) return;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
    bool ok = put(path, "memory.max", text);
    (void)put(path, "memory.swap.max", "0");
    (void)snprintf(text, sizeof text, "%ld", (long)pid);
    if (!ok || !put(path, "cgroup.procs", text)) {
        (void)rmdir(path);
        return;
    }
    memcpy(ret_path, path, (size_t)n + 1);
}

void cgroup_remove(const char *path) {
    if (path[0]) (void)rmdir(path);
}
