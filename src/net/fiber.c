/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber.c - the process's loop, the fibers on it, and what they wait for
 *
 * The loop's own stack runs libuv; a callback that makes a fiber ready only puts it on a queue. The
 * queue is run between two turns of the loop, so a callback never runs inside a fiber, nor a fiber
 * inside a callback.
 */
#include "net/fiber_switch.h"
#include "net/net_int.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NET_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(NET_ASAN)
#define NET_ASAN 1
#endif
#ifdef NET_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

#define FIBER_POOL_MAX 32   /* idle stacks kept */
#define STOP_GRACE_MS  1000 /* what fibers have to end after net_stop */
#define EPOLL_BATCH    256

struct fiber {
    struct machine machine;
    uint8_t *map; /* guard page, then the stack */
    void (*fn)(void *arg);
    void *arg;
    struct fiber *next;          /* in the ready queue or the pool */
    struct fiber *older, *newer; /* all that live */
    bool parked, no_cancel;
    sr_status result;
    uv_timer_t timer;
#ifdef NET_ASAN
    void *fake_stack;
#endif
};

/* The loop is the process's: the one thing here that is global. */
static struct {
    bool up, stopping;
    uv_loop_t loop;
    uv_idle_t spin; /* active while fibers are ready, so that the loop does not sleep */
    uv_poll_t poll;
    uv_timer_t second;
    int epfd;
    size_t page;
    struct fiber *current, *ready_first, *ready_last, *newest, *pool;
    size_t alive, pooled;
    struct machine home;
    void (*each_second[4])(void);
    size_t n_each_second;
#ifdef NET_ASAN
    const void *home_bottom;
    size_t home_size;
    void *home_fake;
#endif
} L = {.epfd = -1};

struct uv_loop_s *net_loop(void) {
    return &L.loop;
}
bool net_stopping(void) {
    return L.stopping;
}
bool fiber_is_running(void) {
    return L.current != NULL;
}
struct fiber *fiber_current_(void) {
    return L.current;
}

/* ---- switching ---- */

static void on_spin(uv_idle_t *h) {
    (void)h;
}

static void ready_push(struct fiber *f) {
    f->next = NULL;
    if (L.ready_last)
        L.ready_last->next = f;
    else {
        L.ready_first = f;
        (void)uv_idle_start(&L.spin, on_spin);
    }
    L.ready_last = f;
}

static void go_home(struct fiber *f, bool for_ever) {
#ifdef NET_ASAN
    __sanitizer_start_switch_fiber(for_ever ? NULL : &f->fake_stack, L.home_bottom, L.home_size);
#else
    (void)for_ever;
#endif
    machine_switch(&f->machine, &L.home);
#ifdef NET_ASAN
    __sanitizer_finish_switch_fiber(f->fake_stack, &L.home_bottom, &L.home_size);
#endif
}

static void run_fiber(struct fiber *f) {
    L.current = f;
#ifdef NET_ASAN
    __sanitizer_start_switch_fiber(&L.home_fake, f->map + L.page, FIBER_STACK);
#endif
    machine_switch(&L.home, &f->machine);
#ifdef NET_ASAN
    __sanitizer_finish_switch_fiber(L.home_fake, NULL, NULL);
#endif
    L.current = NULL;
}

static void fiber_entry(void) {
    struct fiber *f = L.current;
#ifdef NET_ASAN
    __sanitizer_finish_switch_fiber(NULL, &L.home_bottom, &L.home_size);
#endif
    f->fn(f->arg);
    f->fn = NULL; /* ended */
    go_home(f, true);
    __builtin_unreachable();
}

/* ---- stacks ---- */

static void fiber_unmap(struct fiber *f) {
#ifdef NET_ASAN
    __lsan_unregister_root_region(f->map + L.page, FIBER_STACK);
#endif
    (void)munmap(f->map, FIBER_STACK + L.page);
    free(f);
}

static void on_timer_closed(uv_handle_t *h) {
    fiber_unmap(h->data);
}

static struct fiber *fiber_take(struct sr_err *err) {
    struct fiber *f = L.pool;
    if (f) {
        L.pool = f->next;
        L.pooled--;
        return f;
    }
    f = sr_calloc_n(1, sizeof *f);
    if (!f) {
        (void)sr_fail(err, SR_E_NOMEM, "no memory for a fiber");
        return NULL;
    }
    f->map = mmap(NULL, FIBER_STACK + L.page, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (f->map == MAP_FAILED || mprotect(f->map, L.page, PROT_NONE) != 0) {
        if (f->map != MAP_FAILED) (void)munmap(f->map, FIBER_STACK + L.page);
        free(f);
        (void)sr_fail(err, SR_E_NOMEM, "no memory for a fiber's stack");
        return NULL;
    }
#ifdef NET_ASAN
    __lsan_register_root_region(f->map + L.page, FIBER_STACK);
#endif
    (void)uv_timer_init(&L.loop, &f->timer);
    f->timer.data = f;
    return f;
}

static void fiber_retire(struct fiber *f) {
    if (f->older) f->older->newer = f->newer;
    if (f->newer)
        f->newer->older = f->older;
    else
        L.newest = f->older;
    L.alive--;
    if (L.pooled < FIBER_POOL_MAX) {
        f->next = L.pool;
        L.pool = f;
        L.pooled++;
    } else {
        uv_close((uv_handle_t *)&f->timer, on_timer_closed);
    }
}

sr_status fiber_start(void (*fn)(void *arg), void *arg, struct sr_err *err) {
    if (!L.up) SR_TRY(net_init(err));
    struct fiber *f = fiber_take(err);
    if (!f) return SR_E_NOMEM;
    f->fn = fn;
    f->arg = arg;
    f->parked = f->no_cancel = false;
    f->newer = NULL;
    f->older = L.newest;
    if (L.newest) L.newest->newer = f;
    L.newest = f;
    L.alive++;
#ifdef NET_ASAN
    __asan_unpoison_memory_region(f->map + L.page, FIBER_STACK); /* what the last one left */
#endif
    machine_init(&f->machine, f->map + L.page, FIBER_STACK, fiber_entry);
    ready_push(f);
    return SR_OK;
}

/* Runs those that are ready now; those they make ready have the next turn. */
static void run_ready(void) {
    struct fiber *last = L.ready_last;
    while (L.ready_first) {
        struct fiber *f = L.ready_first;
        L.ready_first = f->next;
        if (!L.ready_first) {
            L.ready_last = NULL;
            (void)uv_idle_stop(&L.spin);
        }
        run_fiber(f);
        if (!f->fn) fiber_retire(f);
        if (f == last) break;
    }
}

/* ---- waiting ---- */

static void on_park_timeout(uv_timer_t *t) {
    fiber_wake_(t->data, SR_E_TIMEOUT);
}

void fiber_wake_(struct fiber *f, sr_status result) {
    if (!f->parked) return;
    f->parked = false;
    f->result = result;
    (void)uv_timer_stop(&f->timer);
    ready_push(f);
}

void fiber_yield_(void) {
    SR_ASSERT(L.current != NULL);
    struct fiber *f = L.current;
    ready_push(f);
    go_home(f, false);
}

sr_status fiber_park_(uint64_t timeout_ms, bool no_cancel, struct sr_err *err) {
    SR_ASSERT(L.current != NULL);
    struct fiber *f = L.current;
    if (L.stopping && !no_cancel) {
        fiber_yield_(); /* one that ignores the cancellation must not keep the loop from ending */
        return sr_fail(err, SR_E_CANCELLED, "stopping");
    }
    f->parked = true;
    f->no_cancel = no_cancel;
    f->result = SR_OK;
    if (timeout_ms) {
        uv_update_time(&L.loop);
        (void)uv_timer_start(&f->timer, on_park_timeout, timeout_ms, 0);
    }
    go_home(f, false);
    if (f->result == SR_E_TIMEOUT) return sr_fail(err, SR_E_TIMEOUT, "nothing came in time");
    if (f->result == SR_E_CANCELLED) return sr_fail(err, SR_E_CANCELLED, "stopping");
    return f->result;
}

/* A waiting fiber's place in a condition: a ring, so that leaving it early costs nothing. */
struct waiter {
    struct fiber *f;
    struct waiter *next, *prev;
    struct fcond *in; /* NULL once woken */
};

static void waiter_leave(struct waiter *w) {
    struct fcond *c = w->in;
    if (!c) return;
    w->in = NULL;
    if (w->next == w) {
        c->first = NULL;
        return;
    }
    w->next->prev = w->prev;
    w->prev->next = w->next;
    if (c->first == w) c->first = w->next;
}

sr_status fcond_wait(struct fcond *c, uint64_t timeout_ms, struct sr_err *err) {
    struct waiter w = {.f = L.current, .in = c};
    struct waiter *first = c->first;
    if (first) {
        w.next = first;
        w.prev = first->prev;
        first->prev->next = &w;
        first->prev = &w;
    } else {
        w.next = w.prev = &w;
        c->first = &w;
    }
    sr_status st = fiber_park_(timeout_ms, false, err);
    waiter_leave(&w);
    return st;
}

static void wake_first(struct fcond *c) {
    struct waiter *w = c->first;
    if (!w) return;
    waiter_leave(w);
    fiber_wake_(w->f, SR_OK);
}

void fcond_wake(struct fcond *c) {
    while (c->first) wake_first(c);
}

/* The lock is handed over: whoever is woken holds it already, so nobody can overtake. */
sr_status fmutex_lock(struct fmutex *m, struct sr_err *err) {
    if (!m->held) {
        m->held = true;
        return SR_OK;
    }
    return fcond_wait(&m->free, 0, err);
}

void fmutex_unlock(struct fmutex *m) {
    SR_ASSERT(m->held);
    /* One whose wait was cancelled but has not run yet is still in the ring: pass it over. */
    while (m->free.first) {
        struct waiter *w = m->free.first;
        bool waits = w->f->parked;
        waiter_leave(w);
        if (waits) {
            fiber_wake_(w->f, SR_OK);
            return;
        }
    }
    m->held = false;
}

sr_status fiber_sleep(uint64_t ms, struct sr_err *err) {
    if (ms == 0) {
        fiber_yield_();
        return L.stopping ? sr_fail(err, SR_E_CANCELLED, "stopping") : SR_OK;
    }
    struct sr_err why = {0};
    sr_status st = fiber_park_(ms, false, &why);
    if (st == SR_E_TIMEOUT) return SR_OK;
    return st == SR_OK ? SR_OK : sr_fail(err, st, "%s", why.what);
}

struct offload {
    uv_work_t req;
    struct fiber *f;
    void (*work)(void *arg);
    void *arg;
};

static void offload_run(uv_work_t *req) {
    struct offload *o = req->data;
    o->work(o->arg);
}
static void offload_after(uv_work_t *req, int status) {
    (void)status;
    struct offload *o = req->data;
    fiber_wake_(o->f, SR_OK);
}

sr_status fiber_offload(void (*work)(void *arg), void *arg, struct sr_err *err) {
    if (!L.current) { /* a command without a loop: the thread is its own */
        work(arg);
        return SR_OK;
    }
    struct offload o = {.f = L.current, .work = work, .arg = arg};
    o.req.data = &o;
    int rc = uv_queue_work(&L.loop, &o.req, offload_run, offload_after);
    if (rc != 0) return sr_fail(err, SR_E_SYS, "thread pool: %s", uv_strerror(rc));
    /* The work uses this stack, so it is waited for even at the stop. */
    return fiber_park_(0, true, err);
}

struct fiber_work {
    uv_work_t req;
    struct fiber *waits; /* NULL: nobody yet */
    bool done;
    void (*work)(void *arg);
    void *arg;
};

static void work_run(uv_work_t *req) {
    struct fiber_work *w = req->data;
    w->work(w->arg);
}
static void work_after(uv_work_t *req, int status) {
    (void)status;
    struct fiber_work *w = req->data;
    w->done = true;
    if (w->waits) fiber_wake_(w->waits, SR_OK);
}

sr_status fiber_work_start(void (*work)(void *arg), void *arg, struct fiber_work **ret,
                           struct sr_err *err) {
    struct fiber_work *w = sr_calloc_n(1, sizeof *w);
    if (!w) return sr_fail(err, SR_E_NOMEM, "no memory for work");
    w->work = work;
    w->arg = arg;
    w->req.data = w;
    int rc = 0;
    if (L.current) {
        rc = uv_queue_work(&L.loop, &w->req, work_run, work_after);
    } else { /* a command without a loop: the thread is its own */
        work(arg);
        w->done = true;
    }
    if (rc != 0) {
        free(w);
        return sr_fail(err, SR_E_SYS, "thread pool: %s", uv_strerror(rc));
    }
    *ret = w;
    return SR_OK;
}

void fiber_work_wait(struct fiber_work *w) {
    if (!w) return;
    w->waits = L.current;
    while (!w->done) (void)!fiber_park_(0, true, NULL);
    free(w);
}

/* ---- descriptors ---- */

static void on_epoll(uv_poll_t *h, int status, int events) {
    (void)h;
    (void)status;
    (void)events;
    struct epoll_event ev[EPOLL_BATCH];
    for (int round = 0; round < 4; round++) {
        int n = epoll_wait(L.epfd, ev, EPOLL_BATCH, 0);
        for (int i = 0; i < n; i++) {
            struct io *io = ev[i].data.ptr;
            uint32_t e = ev[i].events;
            io->seen |= e & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
            if (e & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) fcond_wake(&io->can_read);
            if (e & (EPOLLOUT | EPOLLHUP | EPOLLERR)) fcond_wake(&io->can_write);
            if (io->on_event) io->on_event(io, e);
        }
        if (n < EPOLL_BATCH) break;
    }
}

sr_status io_open_(struct io *io, int take_fd, struct sr_err *err) {
    *io = (struct io){.fd = take_fd};
    sr_status st = net_init(err);
    if (st == SR_OK) {
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.ptr = io};
        if (epoll_ctl(L.epfd, EPOLL_CTL_ADD, take_fd, &ev) != 0)
            st = sr_fail(err, SR_E_SYS, "watch a descriptor");
    }
    if (st != SR_OK) {
        (void)close(take_fd);
        io->fd = -1;
    }
    return st;
}

void io_close_(struct io *io) {
    if (io->fd < 0) return;
    if (L.epfd >= 0) (void)epoll_ctl(L.epfd, EPOLL_CTL_DEL, io->fd, NULL);
    (void)close(io->fd);
    io->fd = -1;
    fcond_wake(&io->can_read);
    fcond_wake(&io->can_write);
}

static sr_status io_wait(struct fcond *c, int64_t deadline_us, struct sr_err *err) {
    uint64_t ms = 0;
    if (deadline_us) {
        int64_t left = deadline_us - clock_mono_us();
        if (left <= 0) return sr_fail(err, SR_E_TIMEOUT, "nothing came in time");
        ms = (uint64_t)(left + 999) / 1000;
    }
    return fcond_wait(c, ms, err);
}
sr_status io_wait_read_(struct io *io, int64_t deadline_us, struct sr_err *err) {
    return io_wait(&io->can_read, deadline_us, err);
}
sr_status io_wait_write_(struct io *io, int64_t deadline_us, struct sr_err *err) {
    return io_wait(&io->can_write, deadline_us, err);
}

sr_status fiber_poll_fd(int fd, int events, uint64_t timeout_ms, struct sr_err *err) {
    SR_TRY(net_init(err));
    /* A duplicate, so that two fibers may wait for one descriptor, or one that is a stream's too.
     */
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0) return sr_fail(err, SR_E_SYS, "duplicate a descriptor");
    struct io io;
    SR_TRY(io_open_(&io, own, err));
    /* Level-triggered would fire at once when it is ready already; edge-triggered does so too when
     * it is registered. */
    sr_status st = events & POLLOUT ? io_wait_write_(&io, deadline_after_(timeout_ms), err)
                                    : io_wait_read_(&io, deadline_after_(timeout_ms), err);
    io_close_(&io);
    return st;
}

static void on_own_event(struct io *io, uint32_t events) {
    (void)events;
    fcond_wake(&io->can_read);
}

/* Each wait asks for one event, and the kernel forgets a descriptor that is closed: one call
 * instead of four. */
sr_status fiber_poll_own_fd(int fd, int events, uint64_t timeout_ms, struct sr_err *err) {
    SR_TRY(net_init(err));
    struct io io = {.fd = fd, .on_event = on_own_event};
    struct epoll_event ev = {.events = EPOLLONESHOT, .data.ptr = &io};
    if (events & POLLIN) ev.events |= EPOLLIN | EPOLLRDHUP;
    if (events & POLLOUT) ev.events |= EPOLLOUT;
    if (epoll_ctl(L.epfd, EPOLL_CTL_MOD, fd, &ev) != 0 &&
        (errno != ENOENT || epoll_ctl(L.epfd, EPOLL_CTL_ADD, fd, &ev) != 0))
        return sr_fail(err, SR_E_SYS, "watch a descriptor");
    sr_status st = io_wait_read_(&io, deadline_after_(timeout_ms), err);
    /* one that has not fired would do so when this stack is gone */
    if (st != SR_OK) (void)epoll_ctl(L.epfd, EPOLL_CTL_DEL, fd, NULL);
    return st;
}

/* ---- the loop ---- */

static void on_second(uv_timer_t *t) {
    (void)t;
    for (size_t i = 0; i < L.n_each_second; i++) L.each_second[i]();
}

void net_every_second_(void (*fn)(void)) {
    for (size_t i = 0; i < L.n_each_second; i++)
        if (L.each_second[i] == fn) return;
    SR_ASSERT(L.n_each_second < SR_ARRAY_LEN(L.each_second));
    L.each_second[L.n_each_second++] = fn;
    if (!uv_is_active((uv_handle_t *)&L.second))
        (void)uv_timer_start(&L.second, on_second, 1000, 1000);
}

sr_status net_init(struct sr_err *err) {
    if (L.up) return SR_OK;
    (void)signal(SIGPIPE, SIG_IGN);
    L.page = (size_t)sysconf(_SC_PAGESIZE);
    L.epfd = epoll_create1(EPOLL_CLOEXEC);
    if (L.epfd < 0) return sr_fail(err, SR_E_SYS, "make an epoll set");
    int rc = uv_loop_init(&L.loop);
    if (rc != 0) {
        (void)close(L.epfd);
        L.epfd = -1;
        return sr_fail(err, SR_E_SYS, "make a loop: %s", uv_strerror(rc));
    }
    (void)uv_idle_init(&L.loop, &L.spin);
    (void)uv_timer_init(&L.loop, &L.second);
    (void)uv_poll_init(&L.loop, &L.poll, L.epfd);
    (void)uv_poll_start(&L.poll, UV_READABLE, on_epoll);
    L.stopping = false;
    L.up = true;
    return SR_OK;
}

void net_stop(void) {
    L.stopping = true;
    if (L.up) (void)uv_idle_start(&L.spin, on_spin); /* the loop must notice */
}

static void cancel_all(void) {
    for (struct fiber *f = L.newest; f; f = f->older)
        if (!f->no_cancel) fiber_wake_(f, SR_E_CANCELLED);
}

static void on_grace_over(uv_timer_t *t) {
    *(bool *)t->data = true;
}

/* Cancels what the fibers wait for and gives them a little time to end. */
static void wind_down(void) {
    uv_timer_t *grace = sr_calloc_n(1, sizeof *grace);
    bool over = grace == NULL;
    if (grace) {
        (void)uv_timer_init(&L.loop, grace);
        grace->data = &over;
        uv_update_time(&L.loop);
        (void)uv_timer_start(grace, on_grace_over, STOP_GRACE_MS, 0);
    }
    for (;;) {
        cancel_all();
        run_ready();
        if (L.alive == 0 || over) break;
        (void)uv_run(&L.loop, UV_RUN_ONCE);
    }
    if (grace) {
        grace->data = NULL;
        uv_close((uv_handle_t *)grace, (uv_close_cb)free);
        (void)uv_run(&L.loop, UV_RUN_NOWAIT);
    }
    if (L.ready_first == NULL) (void)uv_idle_stop(&L.spin);
    if (L.alive > 0) log_warn("fibers_left", "count=%zu", L.alive);
}

void net_run(void) {
    SR_ASSERT(L.up && L.current == NULL);
    for (;;) {
        run_ready();
        if (L.stopping) break;
        (void)uv_run(&L.loop, UV_RUN_ONCE);
    }
    wind_down();
    L.stopping = false;
}

struct net_call {
    sr_status (*fn)(void *arg, struct sr_err *err);
    void *arg;
    struct sr_err *err;
    sr_status result;
    bool ended;
};

static void call_entry(void *arg) {
    struct net_call *c = arg;
    c->result = c->fn(c->arg, c->err);
    c->ended = true;
}

sr_status net_call(sr_status (*fn)(void *arg, struct sr_err *err), void *arg, struct sr_err *err) {
    if (L.current) return fn(arg, err);
    SR_TRY(net_init(err));
    struct net_call c = {.fn = fn, .arg = arg, .err = err};
    SR_TRY(fiber_start(call_entry, &c, err));
    for (;;) {
        run_ready();
        if (c.ended) break;
        if (L.stopping) cancel_all();
        (void)uv_run(&L.loop, UV_RUN_ONCE);
    }
    L.stopping = false;
    if (L.ready_first == NULL) (void)uv_idle_stop(&L.spin);
    return c.result;
}

static void close_walk(uv_handle_t *h, void *arg) {
    (void)arg;
    if (uv_is_closing(h)) return;
    for (struct fiber *f = L.pool; f; f = f->next)
        if (h == (uv_handle_t *)&f->timer) {
            uv_close(h, on_timer_closed);
            return;
        }
    uv_close(h, NULL);
}

void net_done(void) {
    if (!L.up) return;
    SR_ASSERT(L.current == NULL);
    L.stopping = true;
    wind_down();
    http_pool_done_();
    http_server_all_done_();
    uv_walk(&L.loop, close_walk, NULL);
    L.pool = NULL;
    L.pooled = 0;
    (void)uv_run(&L.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&L.loop);
    (void)close(L.epfd);
    tls_done_();
    L.epfd = -1;
    L.n_each_second = 0;
    L.newest = L.ready_first = L.ready_last = NULL;
    L.alive = 0;
    L.up = L.stopping = false;
}
