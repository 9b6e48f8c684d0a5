/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h - a disk that can be held, and can fail: a test's fdatasync is disk_answer */
#pragma once
#include "net/net.h"
#include <poll.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct {
    _Atomic unsigned asked; /* how often */
    _Atomic int fails;      /* errno; 0: it takes everything */
    _Atomic bool held;      /* answers when `go` is posted */
    sem_t go;
    int entered; /* an eventfd: it was asked while held */
} disk;

/* On the thread that asks; real is the call itself. */
static int disk_answer(int fd, int (*real)(int fd)) {
    disk.asked++;
    if (disk.held) {
        (void)eventfd_write(disk.entered, 1);
        while (sem_wait(&disk.go) != 0) {
        }
    }
    if (disk.fails) {
        errno = disk.fails;
        return -1;
    }
    return real(fd);
}

/* Waits until the disk is asked, while it is held. */
static sr_status disk_entered(struct sr_err *err) {
    eventfd_t v;
    while (eventfd_read(disk.entered, &v) != 0)
        SR_TRY(fiber_poll_fd(disk.entered, POLLIN, 60000, err));
    return SR_OK;
}

static void disk_goes_on(void) {
    disk.held = false;
    (void)sem_post(&disk.go);
}

/* Takes everything; false: it could not be made. */
static bool disk_begin(void) {
    disk.asked = 0;
    disk.fails = 0;
    disk.held = false;
    disk.entered = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return disk.entered >= 0 && sem_init(&disk.go, 0, 0) == 0;
}

static void disk_end(void) {
    if (disk.held) disk_goes_on(); /* after a failure */
    (void)close(disk.entered);
    (void)sem_destroy(&disk.go);
}
