/* SPDX-License-Identifier: Apache-2.0 */
#include "room/guard.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NSFS_MAGIC_NUMBER 0x6e736673 /* linux/magic.h: NSFS_MAGIC */
#define WHOLE_ID_RANGE    4294967295u

static const char by_launcher_only[] =
    "the room is started by the worker (strongroom worker), never by hand";

static size_t read_small(const char *path, char *dst, size_t max) {
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    while (fd >= 0 && n + 1 < max) {
        ssize_t got = read(fd, dst + n, max - 1 - n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        n += (size_t)got;
    }
    dst[n] = 0;
    return n;
}

void room_guard_gather(struct room_facts *ret_f) {
    *ret_f = (struct room_facts){.pid = (long)getpid()};
    struct stat st, ours;
    ret_f->stream_is_socket = fstat(ROOM_FD_STREAM, &st) == 0 && S_ISSOCK(st.st_mode);
    struct statfs fs;
    ret_f->host_ns_is_given = fstat(ROOM_FD_HOST_NS, &st) == 0 &&
                              fstatfs(ROOM_FD_HOST_NS, &fs) == 0 &&
                              (unsigned long)fs.f_type == NSFS_MAGIC_NUMBER;
    ret_f->mount_ns_is_known = stat("/proc/self/ns/mnt", &ours) == 0;
    ret_f->mount_ns_is_hosts = ret_f->host_ns_is_given && ret_f->mount_ns_is_known &&
                               st.st_dev == ours.st_dev && st.st_ino == ours.st_ino;
    (void)read_small("/proc/self/uid_map", ret_f->uid_map, sizeof ret_f->uid_map);
}

/* The length of the first mapping, and how many lines there are; false for anything else. */
static bool uid_map_read(const char *text, uint64_t *ret_longest, size_t *ret_lines) {
    struct slice rest = slice_str(text), line;
    uint64_t longest = 0;
    size_t lines = 0;
    while (rest.n > 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        line = slice_trim(line);
        if (line.n == 0) continue;
        struct slice word = line;
        for (unsigned i = 0; i < 2; i++) {
            struct slice head;
            if (!slice_cut(word, ' ', &head, &word)) return false;
            word = slice_trim(word);
        }
        uint64_t count;
        if (!num_u64(word, WHOLE_ID_RANGE, &count)) return false;
        if (count > longest) longest = count;
        lines++;
    }
    *ret_longest = longest;
    *ret_lines = lines;
    return lines > 0;
}

sr_status room_guard_judge(const struct room_facts *f, struct sr_err *err) {
    sr_hint(err, "%s", by_launcher_only);
    if (f->pid != 1)
        return sr_fail(err, SR_E_REFUSED,
                       "the room is not process 1 of a pid namespace (it is %ld)", f->pid);
    if (!f->stream_is_socket)
        return sr_fail(err, SR_E_REFUSED, "descriptor %d is not a socket", ROOM_FD_STREAM);
    if (!f->host_ns_is_given)
        return sr_fail(err, SR_E_REFUSED, "descriptor %d is not the host's mount namespace",
                       ROOM_FD_HOST_NS);
    if (!f->mount_ns_is_known || f->mount_ns_is_hosts)
        return sr_fail(err, SR_E_REFUSED, "the room shares the host's mount namespace");
    uint64_t longest = 0;
    size_t lines = 0;
    if (!uid_map_read(f->uid_map, &longest, &lines) || lines > 2)
        return sr_fail(err, SR_E_REFUSED, "the room has no user namespace of one or two mappings");
    if (longest > 2) return sr_fail(err, SR_E_REFUSED, "the room is in the host's user namespace");
    return SR_OK;
}

sr_status room_guard(struct sr_err *err) {
    struct room_facts f;
    room_guard_gather(&f);
    return room_guard_judge(&f, err);
}
