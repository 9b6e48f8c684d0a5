/* SPDX-License-Identifier: Apache-2.0 */
#include "room/jail.h"
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Any folder that every machine has: it is hidden for a moment, in our own mount namespace only. */
#define SCAFFOLD "/tmp"

static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};

static sr_status make_folder(const char *path, mode_t mode, struct sr_err *err) {
    if (mkdir(path, mode) != 0 || chmod(path, mode) != 0)
        return sr_fail(err, SR_E_SYS, "making the room's folder %s", path);
    return SR_OK;
}

/* The host's node, bound onto an empty file; nothing else of the host's /dev is there. */
static sr_status bind_devices(struct sr_err *err) {
    SR_TRY(make_folder(SCAFFOLD "/dev", 0755, err));
    for (size_t i = 0; i < SR_ARRAY_LEN(devices); i++) {
        char from[32], to[64];
        (void)snprintf(from, sizeof from, "/dev/%s", devices[i]);
        (void)snprintf(to, sizeof to, SCAFFOLD "/dev/%s", devices[i]);
        cleanup_close int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || mount(from, to, NULL, MS_BIND, NULL) != 0)
            return sr_fail(err, SR_E_SYS, "giving the room %s", from);
    }
    static const char *const links[][2] = {{"/proc/self/fd", SCAFFOLD "/dev/fd"},
                                           {"/proc/self/fd/0", SCAFFOLD "/dev/stdin"},
                                           {"/proc/self/fd/1", SCAFFOLD "/dev/stdout"},
                                           {"/proc/self/fd/2", SCAFFOLD "/dev/stderr"}};
    for (size_t i = 0; i < SR_ARRAY_LEN(links); i++)
        if (symlink(links[i][0], links[i][1]) != 0)
            return sr_fail(err, SR_E_SYS, "making the room's /dev");
    return SR_OK;
}

static sr_status mount_root(struct sr_err *err) {
    char options[96];
    /* First of all: nothing that follows may be seen by the machine's other mount namespaces. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return sr_fail(err, SR_E_SYS, "making the room's mounts private");
    (void)snprintf(options, sizeof options, "size=%llu,nr_inodes=%u,mode=0711",
                   (unsigned long long)JAIL_MIN_DISK, JAIL_INODES);
    if (mount("tmpfs", SCAFFOLD, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
        return sr_fail(err, SR_E_SYS, "mounting the room's memory file system");
    return SR_OK;
}

static sr_status swap_root(struct sr_err *err) {
    if (chdir(SCAFFOLD) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        return sr_fail(err, SR_E_SYS, "leaving the host's files behind");
    return SR_OK;
}

/* Whether the launcher gave us a second id. */
static bool has_two_ids(void) {
    char text[128];
    cleanup_close int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0) return false;
    struct slice rest = slice_trim(slice_of(text, (size_t)n)), word;
    for (unsigned i = 0; i < 2; i++) {
        if (!slice_cut(rest, ' ', &word, &rest)) return false;
        rest = slice_trim(rest);
    }
    return slice_is(rest, "2");
}

/* The network namespace is empty but for a loopback that leads nowhere: programs that talk to
 * themselves by it go on working. */
static void raise_loopback(void) {
    cleanup_close int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq req = {.ifr_name = "lo"};
    if (s < 0 || ioctl(s, SIOCGIFFLAGS, &req) != 0) return;
    req.ifr_flags = (short)(req.ifr_flags | IFF_UP);
    (void)ioctl(s, SIOCSIFFLAGS, &req);
}

sr_status jail_resize(uint64_t disk_bytes, struct sr_err *err) {
    char options[96];
    if (disk_bytes < JAIL_MIN_DISK)
        return sr_fail(err, SR_E_RANGE, "a room needs at least %u bytes of disk", JAIL_MIN_DISK);
    (void)snprintf(options, sizeof options, "size=%llu", (unsigned long long)disk_bytes);
    if (mount(NULL, "/", NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, options) != 0)
        return sr_fail(err, SR_E_SYS, "sizing the room's memory file system");
    return SR_OK;
}

sr_status jail_enter(struct jail *ret_j, struct sr_err *err) {
    (void)umask(0022);
    struct jail j = {.app_id = has_two_ids() ? 1 : 0};
    SR_TRY(mount_root(err));
    SR_TRY(bind_devices(err));
    SR_TRY(make_folder(SCAFFOLD "/proc", 0555, err));
    if (mount("proc", SCAFFOLD "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) {
        sr_hint(
            err,
            "this host hides parts of /proc (a container?); run the worker where /proc is whole");
        return sr_fail(err, SR_E_SYS, "mounting the room's /proc");
    }
    SR_TRY(swap_root(err));
    SR_TRY(make_folder(JAIL_APP_DIR, 0755, err));
    SR_TRY(make_folder(JAIL_IN_DIR, 0755, err));
    SR_TRY(make_folder(JAIL_OUT_DIR, 0755, err));
    SR_TRY(make_folder("/dev/shm", 01777, err));
    if (chown(JAIL_APP_DIR, j.app_id, j.app_id) != 0 ||
        chown(JAIL_IN_DIR, j.app_id, j.app_id) != 0 || chown(JAIL_OUT_DIR, j.app_id, j.app_id) != 0)
        return sr_fail(err, SR_E_SYS, "giving folders to the app");
    raise_loopback();
    *ret_j = j;
    return SR_OK;
}

void jail_as_app(const struct jail *j) {
    (void)setfsgid(j->app_id);
    (void)setfsuid(j->app_id);
}

void jail_as_room(void) {
    (void)setfsuid(0);
    (void)setfsgid(0);
}
