/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/proxy.h"
#include <stdlib.h>

struct link {
    struct link *next;
    struct proxy *p;
    uint32_t id;
    char host[256];
    uint16_t port;
    bool loopback;
    struct stream *s; /* NULL until connected */
    unsigned fibers;  /* that use this link */
    bool over;        /* the room knows, or is told, that it is gone */
    bool room_ended;  /* the app sends no more */
    uint32_t may_send, may_take;
    struct buf pending; /* for the host */
    struct fcond changed;
};
/* Lives until the last link has left: one that still connects does not keep a task waiting. */
struct proxy {
    struct door *d; /* gone when ending */
    const struct oci_strings *list;
    const char *loopback;
    struct link *links;
    size_t n_links;
    uint32_t next_id;
    unsigned sending;      /* fibers inside of door_send */
    bool ending, released; /* no more frames; the last link frees */
    struct fcond changed;
};

sr_status proxy_new(struct door *d, const struct oci_strings *list, const char *loopback,
                    struct proxy **ret_p, struct sr_err *err) {
    struct proxy *p = sr_calloc_n(1, sizeof *p);
    if (!p) return sr_fail(err, SR_E_NOMEM, "proxy");
    p->d = d;
    p->list = list;
    p->loopback = loopback;
    *ret_p = p;
    return SR_OK;
}

static void tell(struct link *l, unsigned type, const struct door_flow *m) {
    cleanup_buf struct buf b;
    struct sr_err e = {0};
    buf_init(&b, DOOR_FLOW_MAX + 64);
    door_flow_write(&b, type, m);
    if (l->p->ending) return;
    l->p->sending++;
    if (b.bad != SR_OK || door_send(l->p->d, type, buf_slice(&b), &e) != SR_OK) l->over = true;
    l->p->sending--;
    fcond_wake(&l->p->changed);
}

static void end_link(struct link *l, bool say) {
    if (l->over) return;
    l->over = true;
    if (l->s) stream_shutdown(l->s);
    fcond_wake(&l->changed);
    if (say) tell(l, DOOR_FLOW_CLOSE, &(struct door_flow){.id = l->id});
}

/* The last fiber that leaves takes the link away. */
static void leave(struct link *l) {
    struct proxy *p = l->p;
    if (--l->fibers > 0) return;
    for (struct link **at = &p->links; *at; at = &(*at)->next)
        if (*at == l) {
            *at = l->next;
            break;
        }
    p->n_links--;
    stream_close(l->s);
    buf_wipe(&l->pending);
    free(l);
    if (p->released && p->n_links == 0) free(p);
}

/* ---- from the room to the host ---- */

static void to_host(struct link *l) {
    cleanup_buf_wipe struct buf piece;
    buf_init(&piece, DOOR_FLOW_WINDOW);
    while (!l->over) {
        if (l->pending.n == 0 && l->room_ended) {
            stream_end(l->s);
            return;
        }
        if (l->pending.n == 0) {
            if (fcond_wait(&l->changed, 0, NULL) != SR_OK) end_link(l, false);
            continue;
        }
        buf_clear(&piece);
        buf_add(&piece, buf_slice(&l->pending));
        buf_clear(&l->pending);
        if (piece.bad != SR_OK || stream_write(l->s, buf_slice(&piece), NULL) != SR_OK) {
            end_link(l, true);
            return;
        }
        l->may_take += (uint32_t)piece.n;
        tell(l, DOOR_FLOW_TOOK, &(struct door_flow){.id = l->id, .n = (uint32_t)piece.n});
    }
}

static void to_host_fiber(void *arg) {
    to_host(arg);
    leave(arg);
}

/* ---- from the host to the room ---- */

static void from_host(struct link *l) {
    cleanup_free uint8_t *copy = malloc(DOOR_FLOW_MAX);
    while (copy && !l->over) {
        size_t n = 0;
        if (l->may_send == 0) {
            if (fcond_wait(&l->changed, 0, NULL) != SR_OK) end_link(l, false);
            continue;
        }
        size_t max = l->may_send < DOOR_FLOW_MAX ? l->may_send : DOOR_FLOW_MAX;
        if (stream_read(l->s, copy, max, PROXY_IDLE_MS, &n, NULL) != SR_OK) {
            end_link(l, true);
            return;
        }
        if (l->over) return;
        struct door_flow m = {.id = l->id, .data = slice_of(copy, n)};
        l->may_send -= (uint32_t)n;
        tell(l, n > 0 ? DOOR_FLOW : DOOR_FLOW_END, &m);
        if (n == 0) return;
    }
    if (!copy) end_link(l, true);
}

/* ---- connecting ---- */

static bool is_named(const char *names, struct slice name) {
    struct slice rest = slice_str(names), one;
    while (rest.n > 0) {
        (void)slice_cut(rest, ',', &one, &rest);
        if (slice_eq(slice_trim(one), name)) return true;
    }
    return false;
}

/* What the list says at that place, once. */
static bool read_place(const struct proxy *p, uint32_t place, struct link *l) {
    struct slice host, port;
    uint64_t number;
    if (place >= p->list->n) return false;
    (void)slice_cut(slice_str(p->list->v[place]), ':', &host, &port);
    if (!num_u64(port, 65535, &number) || host.n >= sizeof l->host) return false;
    memcpy(l->host, host.p, host.n);
    l->host[host.n] = 0;
    l->port = (uint16_t)number;
    l->loopback = p->loopback && is_named(p->loopback, host);
    return true;
}

static sr_status connect_host(struct link *l, struct sr_err *err) {
    struct stream *s = NULL;
    SR_TRY(l->loopback ? stream_connect_tcp("127.0.0.1", l->port, false, PROXY_CONNECT_MS, &s, err)
                       : stream_connect_public(l->host, l->port, false, PROXY_CONNECT_MS, &s, err));
    l->s = s;
    if (l->over) stream_shutdown(s);
    return SR_OK;
}

static void link_fiber_(void *arg) {
    struct link *l = arg;
    struct sr_err e = {0};
    sr_status st = connect_host(l, &e);
    if (st != SR_OK) {
        if (st != SR_E_CANCELLED) log_err(LOG_INFO, "egress_failed", &e);
        uint32_t why = st == SR_E_REFUSED ? DOOR_OPENED_REFUSED : DOOR_OPENED_UNREACHED;
        if (!l->over) tell(l, DOOR_OPENED, &(struct door_flow){.id = l->id, .n = why});
        l->over = true;
    }
    if (!l->over) tell(l, DOOR_OPENED, &(struct door_flow){.id = l->id, .n = DOOR_OPENED_OK});
    if (!l->over) {
        l->fibers++;
        if (fiber_start(to_host_fiber, l, NULL) != SR_OK) {
            l->fibers--;
            end_link(l, true);
        }
    }
    if (!l->over) from_host(l);
    leave(l);
}

/* ---- frames ---- */

static sr_status faulty(struct sr_err *err) {
    return sr_fail(err, SR_E_MALFORMED, "the room sent a faulty message about a connection");
}

static sr_status open_link(struct proxy *p, const struct door_flow *m, struct sr_err *err) {
    if (m->id != p->next_id || p->n_links >= 2 * DOOR_FLOWS) return faulty(err);
    struct link *l = sr_calloc_n(1, sizeof *l);
    if (!l) return sr_fail(err, SR_E_NOMEM, "connection");
    *l = (struct link){.p = p, .id = m->id, .fibers = 1, .next = p->links};
    if (!read_place(p, m->n, l)) {
        free(l);
        return faulty(err);
    }
    l->may_send = l->may_take = DOOR_FLOW_WINDOW;
    buf_init(&l->pending, DOOR_FLOW_WINDOW);
    sr_status st = fiber_start(link_fiber_, l, err);
    if (st != SR_OK) {
        free(l);
        return st;
    }
    p->next_id++;
    p->links = l;
    p->n_links++;
    return SR_OK;
}

bool proxy_takes(unsigned type) {
    return type == DOOR_OPEN || (type >= DOOR_FLOW && type <= DOOR_FLOW_CLOSE);
}

sr_status proxy_frame(struct proxy *p, unsigned type, struct slice body, struct sr_err *err) {
    struct door_flow m;
    struct link *l = NULL;
    if (!proxy_takes(type) || !door_flow_read(type, body, &m)) return faulty(err);
    if (type == DOOR_OPEN) return open_link(p, &m, err);
    if (m.id >= p->next_id) return faulty(err);
    for (l = p->links; l && l->id != m.id;) l = l->next;
    if (!l || l->over) return SR_OK; /* gone here meanwhile */
    switch (type) {
    case DOOR_FLOW:
        if (l->room_ended || !l->s || m.data.n > l->may_take) return faulty(err);
        l->may_take -= (uint32_t)m.data.n;
        buf_add(&l->pending, m.data);
        SR_TRY(buf_status(&l->pending, err));
        break;
    case DOOR_FLOW_END:
        if (l->room_ended || !l->s) return faulty(err);
        l->room_ended = true;
        break;
    case DOOR_FLOW_TOOK:
        if (m.n > DOOR_FLOW_WINDOW - l->may_send) return faulty(err);
        l->may_send += m.n;
        break;
    default: end_link(l, false); return SR_OK;
    }
    fcond_wake(&l->changed);
    return SR_OK;
}

void proxy_free(struct proxy *p) {
    if (!p) return;
    p->ending = true;
    for (struct link *l = p->links; l; l = l->next) end_link(l, false);
    while (p->sending > 0)
        if (fcond_wait(&p->changed, 1000, NULL) != SR_OK) stream_shutdown(p->d->stream);
    p->released = true;
    if (p->n_links == 0) free(p);
}
