/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"
#include "store/store_int.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Does only this machine reach the socket that we listen on? */
static bool is_loopback(const struct role_flags *rf) {
    struct sockaddr_storage sa = {0};
    socklen_t n = sizeof sa;
    struct in_addr a;
    if (rf->listen_fd < 0)
        return strcmp(rf->listen_host, "localhost") == 0 || strcmp(rf->listen_host, "::1") == 0 ||
               (inet_pton(AF_INET, rf->listen_host, &a) == 1 && ntohl(a.s_addr) >> 24 == 127);
    if (getsockname(rf->listen_fd, (struct sockaddr *)&sa, &n) != 0) return false;
    if (sa.ss_family == AF_INET)
        return ntohl(((struct sockaddr_in *)&sa)->sin_addr.s_addr) >> 24 == 127;
    return sa.ss_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&sa)->sin6_addr);
}

static sr_status read_mode(const char *text, const struct role_flags *rf, registry_mode *ret,
                           struct sr_err *err) {
    if (!text)
        *ret = is_loopback(rf) ? REGISTRY_OPEN : REGISTRY_READ;
    else if (strcmp(text, "open") == 0)
        *ret = REGISTRY_OPEN;
    else if (strcmp(text, "read") == 0)
        *ret = REGISTRY_READ;
    else if (strcmp(text, "off") == 0)
        *ret = REGISTRY_OFF;
    else
        return sr_fail(err, SR_E_USAGE, "store: --registry is one of open, read, off");
    return SR_OK;
}

static sr_status size_flag(const char *name, const char *text, uint64_t *v, struct sr_err *err) {
    if (text && !num_size(slice_str(text), INT64_MAX, v))
        return sr_fail(err, SR_E_USAGE, "store: %s is not a size such as 500g", name);
    return SR_OK;
}

static sr_status start(int argc, char **argv, struct role_flags *rf, struct store *s,
                       struct http_server **server, struct sr_err *err) {
    const char *quota_text = NULL, *max_text = NULL, *mode = NULL;
    uint64_t quota = UINT64_MAX;
    const struct role_flag flags[] = {
        {"--quota", &quota_text, false, "bytes of content kept in all, such as 500g"},
        {"--max-upload", &max_text, false, "bytes of one upload, such as 20g"},
        {"--registry", &mode, false,
         "open (pushes from anybody; the default on loopback), read (the default else) or off"},
    };
    SR_TRY(role_parse(argc, argv, "store", flags, SR_ARRAY_LEN(flags), rf, err));
    if (!rf->dir) return sr_fail(err, SR_E_USAGE, "store: --dir is missing");
    SR_TRY(size_flag("--quota", quota_text, &quota, err));
    SR_TRY(size_flag("--max-upload", max_text, &s->max_add, err));
    SR_TRY(read_mode(mode, rf, &s->registry.mode, err));
    SR_TRY(role_begin(rf, err));
    SR_TRY(blobs_open(rf->dir, quota, &s->blobs, err));
    return store_serve(s, rf->listen_host, rf->listen_port, rf->listen_fd, server, err);
}

int store_main(int argc, char **argv) {
    struct store s = {.max_add = ADD_BYTES_DEFAULT, .grace_ms = ADD_GRACE_MS};
    struct role_flags rf;
    struct http_server *server = NULL;
    struct sr_err e = {0};
    if (start(argc, argv, &rf, &s, &server, &e) != SR_OK) return role_fail(&rf, &e);
    role_ready(&rf, http_server_port(server));
    int rc = role_run(&rf);
    http_server_close(server);
    registry_done(&s.registry);
    blobs_close(s.blobs);
    return rc;
}
