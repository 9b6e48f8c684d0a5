/* SPDX-License-Identifier: Apache-2.0 */
#include "room/egress.h"
#include "room/resolve.h"
#include "room/stage.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESOLVER_PORT 53
#define HOST_BASE     0x7f010000u /* 127.1.0.0: the N-th listed name is .N */
#define BACKLOG       64

struct listed {
    int fd; /* listens */
    uint32_t ipv4;
    uint16_t port;
    struct slice host; /* borrowed from the image */
};
struct flow {
    uint32_t id;
    int fd;             /* the app's end; -1: a free place */
    bool opened;        /* the worker has connected */
    bool app_ended;     /* the app sends no more */
    bool net_ended;     /* the host sends no more */
    bool shut;          /* the app was told so */
    uint32_t may_send;  /* to the worker */
    uint32_t may_take;  /* from the worker */
    struct buf pending; /* for the app */
};
struct egress {
    struct room *r;
    struct listed listed[OCI_MAX_EGRESS];
    size_t n_listed;
    int names; /* UDP */
    struct flow flows[DOOR_FLOWS];
    uint32_t next_id;
    struct door_egress count;
    struct resolve_query refused; /* the last one: A and AAAA of a name are one try */
    struct buf out;
    uint8_t copy[DOOR_FLOW_MAX];
};

/* ---- start and end ---- */

static sr_status bound(int type, uint32_t ipv4, uint16_t port, int *ret_fd, struct sr_err *err) {
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ipv4)};
    cleanup_close int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) != 0))
        return sr_fail(err, SR_E_SYS, "listening for the app's connections");
    *ret_fd = sr_take_fd(fd);
    return SR_OK;
}

/* The address of a host's first mention, or the next free one. */
static uint32_t address_of(const struct egress *e, struct slice host) {
    uint32_t last = HOST_BASE;
    for (size_t i = 0; i < e->n_listed; i++) {
        if (slice_eq(e->listed[i].host, host)) return e->listed[i].ipv4;
        if (e->listed[i].ipv4 > last) last = e->listed[i].ipv4;
    }
    return last + 1;
}

static sr_status listen_all(struct egress *e, const struct oci_strings *list, struct sr_err *err) {
    SR_TRY(bound(SOCK_DGRAM, INADDR_LOOPBACK, RESOLVER_PORT, &e->names, err));
    for (size_t i = 0; i < list->n; i++) {
        struct slice host, port;
        uint64_t number = 0;
        (void)slice_cut(slice_str(list->v[i]), ':', &host, &port);
        SR_ASSERT(num_u64(port, 65535, &number)); /* oci_open has looked */
        struct listed *l = &e->listed[i];
        *l = (struct listed){-1, address_of(e, host), (uint16_t)number, host};
        bool twice = false;
        for (size_t k = 0; k < i; k++)
            twice |= e->listed[k].ipv4 == l->ipv4 && e->listed[k].port == l->port;
        e->n_listed++;
        if (!twice) SR_TRY(bound(SOCK_STREAM, l->ipv4, l->port, &l->fd, err));
    }
    return SR_OK;
}

sr_status egress_new(struct room *r, const struct oci_strings *list, struct egress **ret_e,
                     struct sr_err *err) {
    struct egress *e = sr_calloc_n(1, sizeof *e);
    if (!e) return sr_fail(err, SR_E_NOMEM, "the app's network");
    e->r = r;
    e->names = -1;
    buf_init(&e->out, DOOR_BODY_MAX);
    for (size_t i = 0; i < DOOR_FLOWS; i++) e->flows[i].fd = -1;
    sr_status st = listen_all(e, list, err);
    if (st != SR_OK) {
        egress_free(e);
        return st;
    }
    *ret_e = e;
    return SR_OK;
}

static void flow_drop(struct flow *f) {
    if (f->fd >= 0) (void)close(f->fd);
    buf_wipe(&f->pending);
    *f = (struct flow){.fd = -1};
}

void egress_free(struct egress *e) {
    if (!e) return;
    for (size_t i = 0; i < DOOR_FLOWS; i++) flow_drop(&e->flows[i]);
    for (size_t i = 0; i < e->n_listed; i++)
        if (e->listed[i].fd >= 0) (void)close(e->listed[i].fd);
    if (e->names >= 0) (void)close(e->names);
    buf_done(&e->out);
    explicit_bzero(e->copy, sizeof e->copy);
    free(e);
}

/* ---- names ---- */

static resolve_answer look_up(struct egress *e, const struct resolve_query *q, uint32_t *ret_ipv4) {
    struct slice name = slice_str(q->name);
    bool a = q->type == RESOLVE_TYPE_A;
    if (slice_is(name, "localhost")) {
        *ret_ipv4 = INADDR_LOOPBACK;
        return a ? RESOLVE_ADDRESS : RESOLVE_NOTHING;
    }
    for (size_t i = 0; i < e->n_listed; i++)
        if (slice_eq(e->listed[i].host, name)) {
            *ret_ipv4 = e->listed[i].ipv4;
            return a ? RESOLVE_ADDRESS : RESOLVE_NOTHING;
        }
    bool same = strcmp(e->refused.name, q->name) == 0 && e->refused.type != q->type;
    if (!same) e->count.refused++;
    e->refused = *q;
    return RESOLVE_NO_SUCH_NAME;
}

static void answer_name(struct egress *e) {
    uint8_t packet[RESOLVE_MAX_QUERY];
    struct sockaddr_in from;
    socklen_t n_from = sizeof from;
    struct resolve_query q;
    uint32_t ipv4 = 0;
    ssize_t n =
        recvfrom(e->names, packet, sizeof packet, MSG_TRUNC, (struct sockaddr *)&from, &n_from);
    if (n <= 0 || (size_t)n > sizeof packet || n_from != sizeof from ||
        !resolve_parse(slice_of(packet, (size_t)n), &q))
        return;
    resolve_answer answer = look_up(e, &q, &ipv4);
    resolve_reply(&e->out, slice_of(packet, (size_t)n), &q, answer, ipv4);
    if (e->out.bad == SR_OK)
        (void)sendto(e->names, e->out.p, e->out.n, MSG_DONTWAIT, (struct sockaddr *)&from, n_from);
}

/* ---- flows ---- */

static sr_status tell(struct egress *e, unsigned type, const struct door_flow *m,
                      struct sr_err *err) {
    buf_clear(&e->out);
    door_flow_write(&e->out, type, m);
    SR_TRY(buf_status(&e->out, err));
    return room_send(e->r, type, buf_slice(&e->out), err);
}

static sr_status close_flow(struct egress *e, struct flow *f, struct sr_err *err) {
    uint32_t id = f->id;
    flow_drop(f);
    return tell(e, DOOR_FLOW_CLOSE, &(struct door_flow){.id = id}, err);
}

/* As a host that went away looks: the app's next read or write fails. */
static void reset_flow(struct flow *f) {
    struct linger now = {1, 0};
    (void)setsockopt(f->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    flow_drop(f);
}

static bool is_spent(const struct egress *e) {
    return e->count.connections >= EGRESS_MAX_CONNECTIONS ||
           e->count.sent + e->count.received >= EGRESS_MAX_BYTES;
}

static struct flow *free_flow(struct egress *e) {
    for (size_t i = 0; i < DOOR_FLOWS; i++)
        if (e->flows[i].fd < 0) return &e->flows[i];
    return NULL;
}

static sr_status take_connection(struct egress *e, size_t place, struct sr_err *err) {
    struct flow *f = free_flow(e);
    if (!f) return SR_OK;
    int fd = accept4(e->listed[place].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return SR_OK; /* it went away again */
    *f = (struct flow){.id = e->next_id++, .fd = fd};
    f->may_send = f->may_take = DOOR_FLOW_WINDOW;
    buf_init(&f->pending, DOOR_FLOW_WINDOW);
    if (is_spent(e)) {
        e->count.refused++;
        reset_flow(f);
        return SR_OK;
    }
    e->count.connections++;
    return tell(e, DOOR_OPEN, &(struct door_flow){.id = f->id, .n = (uint32_t)place}, err);
}

static sr_status from_app(struct egress *e, struct flow *f, struct sr_err *err) {
    size_t max = f->may_send < sizeof e->copy ? f->may_send : sizeof e->copy;
    ssize_t n = read(f->fd, e->copy, max);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return SR_OK;
    if (n < 0 || is_spent(e)) {
        reset_flow(f);
        return tell(e, DOOR_FLOW_CLOSE, &(struct door_flow){.id = f->id}, err);
    }
    struct door_flow m = {.id = f->id, .data = slice_of(e->copy, (size_t)n)};
    if (n > 0) {
        f->may_send -= (uint32_t)n;
        e->count.sent += (uint64_t)n;
        return tell(e, DOOR_FLOW, &m, err);
    }
    f->app_ended = true;
    if (f->shut) return close_flow(e, f, err);
    return tell(e, DOOR_FLOW_END, &m, err);
}

/* Once all was written, the host's end is told; when both have ended, the flow is over. */
static sr_status pass_end(struct egress *e, struct flow *f, struct sr_err *err) {
    if (!f->net_ended || f->pending.n > 0 || f->shut) return SR_OK;
    (void)shutdown(f->fd, SHUT_WR);
    f->shut = true;
    return f->app_ended ? close_flow(e, f, err) : SR_OK;
}

static sr_status to_app(struct egress *e, struct flow *f, struct sr_err *err) {
    ssize_t n = send(f->fd, f->pending.p, f->pending.n, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return SR_OK;
    if (n < 0) return close_flow(e, f, err);
    buf_drop(&f->pending, (size_t)n);
    f->may_take += (uint32_t)n;
    SR_TRY(tell(e, DOOR_FLOW_TOOK, &(struct door_flow){.id = f->id, .n = (uint32_t)n}, err));
    return pass_end(e, f, err);
}

/* ---- what the worker says ---- */

static sr_status faulty(struct sr_err *err) {
    return sr_fail(err, SR_E_MALFORMED, "the worker sent a faulty message about a connection");
}

static sr_status on_flow_data(struct egress *e, struct flow *f, const struct door_flow *m,
                              struct sr_err *err) {
    if (!f->opened || f->net_ended || m->data.n > f->may_take) return faulty(err);
    if (is_spent(e)) {
        reset_flow(f);
        return tell(e, DOOR_FLOW_CLOSE, &(struct door_flow){.id = m->id}, err);
    }
    f->may_take -= (uint32_t)m->data.n;
    e->count.received += m->data.n;
    buf_add(&f->pending, m->data);
    SR_TRY(buf_status(&f->pending, err));
    return to_app(e, f, err);
}

static sr_status on_frame(struct egress *e, unsigned type, struct slice body, struct sr_err *err) {
    struct door_flow m;
    struct flow *f = NULL;
    if (type == DOOR_OPEN || !door_flow_read(type, body, &m) || m.id >= e->next_id)
        return faulty(err);
    for (size_t i = 0; i < DOOR_FLOWS && !f; i++)
        if (e->flows[i].fd >= 0 && e->flows[i].id == m.id) f = &e->flows[i];
    if (!f) return SR_OK; /* closed here meanwhile */
    switch (type) {
    case DOOR_OPENED:
        if (f->opened) return faulty(err);
        f->opened = m.n == DOOR_OPENED_OK;
        if (f->opened) return SR_OK;
        e->count.failed++;
        reset_flow(f);
        return SR_OK;
    case DOOR_FLOW: return on_flow_data(e, f, &m, err);
    case DOOR_FLOW_END:
        if (!f->opened || f->net_ended) return faulty(err);
        f->net_ended = true;
        return pass_end(e, f, err);
    case DOOR_FLOW_TOOK:
        if (m.n > DOOR_FLOW_WINDOW - f->may_send) return faulty(err);
        f->may_send += m.n;
        return SR_OK;
    default: reset_flow(f); return SR_OK;
    }
}

static sr_status on_stream(struct egress *e, struct sr_err *err) {
    unsigned type;
    SR_TRY(room_recv(e->r, &type, err));
    return on_frame(e, type, buf_slice(&e->r->frame), err);
}

/* ---- the loop's two halves ---- */

static short flow_events(const struct flow *f) {
    int events = 0;
    if (f->fd < 0) return 0;
    if (f->opened && !f->app_ended && f->may_send > 0) events |= POLLIN;
    if (f->pending.n > 0) events |= POLLOUT;
    return (short)events;
}

size_t egress_poll(struct egress *e, struct pollfd *fds) {
    size_t n = 0;
    bool full = free_flow(e) == NULL;
    fds[n++] = (struct pollfd){.fd = e->names, .events = POLLIN};
    for (size_t i = 0; i < e->n_listed; i++)
        fds[n++] = (struct pollfd){.fd = full ? -1 : e->listed[i].fd, .events = POLLIN};
    for (size_t i = 0; i < DOOR_FLOWS; i++) {
        short events = flow_events(&e->flows[i]);
        fds[n++] = (struct pollfd){.fd = events ? e->flows[i].fd : -1, .events = events};
    }
    return n;
}

static sr_status flow_ready(struct egress *e, struct flow *f, short events, struct sr_err *err) {
    if ((events & POLLOUT) != 0 && f->pending.n > 0) SR_TRY(to_app(e, f, err));
    if (f->fd >= 0 && (events & (POLLIN | POLLERR | POLLHUP)) != 0 && f->may_send > 0 &&
        !f->app_ended)
        return from_app(e, f, err);
    if (f->fd >= 0 && (events & POLLERR) != 0) return close_flow(e, f, err);
    return SR_OK;
}

sr_status egress_ready(struct egress *e, const struct pollfd *fds, size_t n, bool stream_ready,
                       struct sr_err *err) {
    SR_ASSERT(n == 1 + e->n_listed + DOOR_FLOWS);
    if (fds[0].revents != 0) answer_name(e);
    for (size_t i = 0; i < DOOR_FLOWS; i++) {
        short events = fds[1 + e->n_listed + i].revents;
        if (events != 0) SR_TRY(flow_ready(e, &e->flows[i], events, err));
    }
    for (size_t i = 0; i < e->n_listed; i++)
        if (fds[1 + i].revents != 0) SR_TRY(take_connection(e, i, err));
    return stream_ready ? on_stream(e, err) : SR_OK;
}

/* ---- what was tried ---- */

static size_t read_text(const char *path, char *dst, size_t max) {
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    while (fd >= 0 && n < max) {
        ssize_t got = read(fd, dst + n, max - n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        n += (size_t)got;
    }
    return n;
}

static struct slice word_of(struct slice *rest) {
    struct slice word;
    *rest = slice_trim(*rest);
    (void)slice_cut(*rest, ' ', &word, rest);
    return word;
}

/* The kernel's count of sends that had nowhere to go. IPv4: a line of names, a line of numbers. */
static uint64_t no_routes(void) {
    char text[8192];
    uint64_t v4 = 0, v6 = 0;
    struct slice names, numbers, line,
        rest = slice_of(text, read_text("/proc/net/snmp", text, sizeof text));
    (void)slice_cut(rest, '\n', &names, &rest);
    (void)slice_cut(rest, '\n', &numbers, &rest);
    while (names.n > 0 && numbers.n > 0) {
        struct slice number = word_of(&numbers);
        if (slice_is(word_of(&names), "OutNoRoutes")) (void)!num_u64(number, UINT32_MAX, &v4);
    }
    rest = slice_of(text, read_text("/proc/net/snmp6", text, sizeof text));
    while (rest.n > 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        if (!slice_starts(line, "Ip6OutNoRoutes")) continue;
        line = slice_of(line.p + 14, line.n - 14);
        (void)!num_u64(slice_trim(line), UINT32_MAX, &v6);
        break;
    }
    return v4 + v6;
}

struct door_egress egress_count(const struct egress *e) {
    struct door_egress c = {0};
    if (e) c = e->count;
    uint64_t refused = c.refused + no_routes();
    c.refused = refused < UINT32_MAX ? (uint32_t)refused : UINT32_MAX;
    return c;
}

/* ---- the resolver's address, for programs ---- */

sr_status egress_resolver_file(int root_fd, struct sr_err *err) {
    static const char text[] = "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n";
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    (void)mkdirat(root_fd, "etc", 0755);
    cleanup_close int etc = (int)syscall(SYS_openat2, root_fd, "etc", &how, sizeof how);
    if (etc >= 0) (void)unlinkat(etc, "resolv.conf", 0);
    cleanup_close int fd = etc < 0
                               ? -1
                               : openat(etc, "resolv.conf",
                                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) return sr_fail(err, SR_E_TASK, "the image's /etc/resolv.conf cannot be written");
    return fd_write_all(fd, text, sizeof text - 1, err);
}
