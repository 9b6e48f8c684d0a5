/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netapp - an app that talks to hosts as any program does: getaddrinfo and connect
 *
 * fetch HOST PORT TEXT       sends TEXT, writes what comes back
 * many HOST PORT N BYTES     N connections at once, each must get its own bytes back
 * flood HOST PORT            sends until it is stopped
 * ways FOREIGN_PORT          tries every way that is not listed; ends with the number that worked
 * Static.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned number(const char *s) {
    unsigned n = 0;
    for (; *s >= '0' && *s <= '9' && n < 100000000; s++) n = n * 10 + (unsigned)(*s - '0');
    return n;
}

static int reach(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int rc = getaddrinfo(host, port, &hints, &found), s = -1;
    if (rc != 0) {
        (void)fprintf(stderr, "%s: %s\n", host, gai_strerror(rc));
        return -1;
    }
    for (struct addrinfo *a = found; a && s < 0; a = a->ai_next) {
        s = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (s >= 0 && connect(s, a->ai_addr, a->ai_addrlen) != 0) {
            (void)fprintf(stderr, "%s %s: %s\n", host, port, strerror(errno));
            (void)close(s);
            s = -1;
        }
    }
    freeaddrinfo(found);
    return s;
}

static int computed(void) {
    FILE *f = fopen("/iexec_out/computed.json", "w");
    if (!f) return 101;
    (void)fputs("{\"deterministic-output-path\":\"/iexec_out/result.txt\"}", f);
    return fclose(f) == 0 ? 0 : 101;
}

static int fetch(const char *host, const char *port, const char *text) {
    int s = reach(host, port);
    if (s < 0) return 1;
    size_t n = strlen(text);
    if (write(s, text, n) != (ssize_t)n || shutdown(s, SHUT_WR) != 0) return 2;
    FILE *f = fopen("/iexec_out/result.txt", "w");
    char copy[4096];
    ssize_t got;
    while ((got = read(s, copy, sizeof copy)) > 0) (void)fwrite(copy, 1, (size_t)got, f);
    if (got < 0) {
        (void)fprintf(stderr, "read: %s\n", strerror(errno));
        return 3;
    }
    return fclose(f) == 0 ? computed() : 4;
}

/* Sends its bytes and reads them back at the same time. */
static int echo(const char *host, const char *port, unsigned bytes, unsigned seed) {
    static unsigned char out[65536], in[65536];
    int s = reach(host, port);
    if (s < 0) return 1;
    unsigned sent = 0, got = 0;
    while (got < bytes) {
        struct pollfd p = {s, (short)(sent < bytes ? POLLIN | POLLOUT : POLLIN), 0};
        if (poll(&p, 1, 60000) != 1) return 2;
        if (p.revents & POLLOUT) {
            unsigned n = bytes - sent < sizeof out ? bytes - sent : (unsigned)sizeof out;
            for (unsigned i = 0; i < n; i++) out[i] = (unsigned char)((sent + i) * 7 + seed);
            ssize_t k = send(s, out, n, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (k < 0 && errno != EAGAIN) return 3;
            if (k > 0) sent += (unsigned)k;
            if (sent == bytes) (void)shutdown(s, SHUT_WR);
        }
        if (p.revents & (POLLIN | POLLHUP)) {
            ssize_t k = recv(s, in, sizeof in, MSG_DONTWAIT);
            if (k == 0 || (k < 0 && errno != EAGAIN)) return 4;
            for (ssize_t i = 0; i < k; i++)
                if (in[i] != (unsigned char)((got + (unsigned)i) * 7 + seed)) return 5;
            if (k > 0) got += (unsigned)k;
        }
    }
    char more;
    return read(s, &more, 1) == 0 ? 0 : 6;
}

static int many(const char *host, const char *port, unsigned n, unsigned bytes) {
    for (unsigned i = 0; i < n; i++) {
        pid_t p = fork();
        if (p == 0) _exit(echo(host, port, bytes, i));
        if (p < 0) return 7;
    }
    int status, bad = 0;
    while (wait(&status) > 0)
        if (status != 0) bad = WIFEXITED(status) ? WEXITSTATUS(status) : 8;
    if (bad) return bad;
    FILE *f = fopen("/iexec_out/result.txt", "w");
    if (!f) return 9;
    (void)fprintf(f, "%u x %u\n", n, bytes);
    return fclose(f) == 0 ? computed() : 4;
}

static int flood(const char *host, const char *port) {
    static char zeros[65536];
    int s = reach(host, port);
    while (s >= 0 && write(s, zeros, sizeof zeros) > 0) {
    }
    return 1;
}

static unsigned open_ways;

static void way(const char *name, int open) {
    (void)printf("%s %s\n", open ? "OPEN  " : "closed", name);
    if (open) open_ways++;
}

static int to(int family, int type, const char *addr, unsigned port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int s = socket(family, type | SOCK_CLOEXEC, 0), ok;
    if (s < 0) return 0;
    (void)inet_pton(family, addr, family == AF_INET ? (void *)&in.sin_addr : &in6.sin6_addr);
    const void *sa = family == AF_INET ? (const void *)&in : &in6;
    socklen_t n = family == AF_INET ? sizeof in : sizeof in6;
    if (type == SOCK_STREAM)
        ok = connect(s, sa, n) == 0;
    else
        ok = connect(s, sa, n) == 0 && send(s, "x", 1, 0) == 1 && send(s, "x", 1, 0) == 1;
    (void)close(s);
    return ok;
}

static int ways(unsigned foreign) {
    static const char *const names[] = {"not-listed.test", "api.listed.test",
                                        "listed.test.evil.test", "169.254.169.254.listed",
                                        "metadata.google.internal"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        struct addrinfo *found = NULL;
        int ok = getaddrinfo(names[i], "80", NULL, &found) == 0;
        if (ok) freeaddrinfo(found);
        way(names[i], ok);
    }
    static const struct {
        int family, type;
        const char *addr;
        unsigned port;
    } raw[] = {
        {AF_INET, SOCK_STREAM, "192.0.2.1", 80},     {AF_INET, SOCK_STREAM, "10.0.0.1", 443},
        {AF_INET, SOCK_STREAM, "192.168.0.1", 443},  {AF_INET, SOCK_STREAM, "169.254.169.254", 80},
        {AF_INET, SOCK_DGRAM, "192.0.2.53", 53},     {AF_INET, SOCK_DGRAM, "169.254.169.254", 53},
        {AF_INET6, SOCK_STREAM, "2001:db8::1", 443}, {AF_INET6, SOCK_STREAM, "fd00:ec2::254", 80},
        {AF_INET6, SOCK_DGRAM, "2001:db8::53", 53},  {AF_INET6, SOCK_STREAM, "fe80::1", 80}};
    for (unsigned i = 0; i < sizeof raw / sizeof *raw; i++) {
        char name[100];
        (void)snprintf(name, sizeof name, "%s %s port %u",
                       raw[i].type == SOCK_STREAM ? "TCP" : "UDP", raw[i].addr, raw[i].port);
        way(name, to(raw[i].family, raw[i].type, raw[i].addr, raw[i].port));
    }
    way("a port of the host's loopback", to(AF_INET, SOCK_STREAM, "127.0.0.1", foreign));
    way("the same by IPv6", to(AF_INET6, SOCK_STREAM, "::1", foreign));
    way("the same by a mapped address", to(AF_INET6, SOCK_STREAM, "::ffff:127.0.0.1", foreign));
    way("another port of a listed name", to(AF_INET, SOCK_STREAM, "127.1.0.1", foreign));
    way("UDP to a listed name", to(AF_INET, SOCK_DGRAM, "127.1.0.1", foreign));
    way("TCP to the resolver", to(AF_INET, SOCK_STREAM, "127.0.0.1", 53));
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53)};
    in.sin_addr.s_addr = htonl(0x7f000001);
    way("taking the resolver's place", bind(s, (struct sockaddr *)&in, sizeof in) == 0);
    in.sin_addr.s_addr = htonl(0xc0000201);
    in.sin_port = 0;
    way("an address that is not ours", bind(s, (struct sockaddr *)&in, sizeof in) == 0);
    FILE *f = fopen("/iexec_out/result.txt", "w");
    if (!f) return 101;
    (void)fprintf(f, "%u open\n", open_ways);
    if (fclose(f) != 0 || computed() != 0) return 101;
    return (int)open_ways;
}

/* Listens on a port of its own and waits for ever. */
static int offer(const char *port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(port))};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s, (struct sockaddr *)&in, sizeof in) != 0 || listen(s, 5) != 0) return 1;
    for (;;) (void)accept(s, NULL, NULL);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (argc == 5 && strcmp(what, "fetch") == 0) return fetch(argv[2], argv[3], argv[4]);
    if (argc == 6 && strcmp(what, "many") == 0)
        return many(argv[2], argv[3], number(argv[4]), number(argv[5]));
    if (argc == 4 && strcmp(what, "flood") == 0) return flood(argv[2], argv[3]);
    if (argc == 3 && strcmp(what, "ways") == 0) return ways(number(argv[2]));
    if (argc == 3 && strcmp(what, "offer") == 0) return offer(argv[2]);
    return 100;
}
