/* SPDX-License-Identifier: Apache-2.0 */
#include "sms/sms.h"
#include "sms/sms_int.h"

/* "0x…,0x…" */
static sr_status read_rooms(struct slice list, struct sms *s, struct sr_err *err) {
    struct slice one;
    for (bool more = list.n > 0; more;) {
        more = slice_cut(list, ',', &one, &list);
        if (s->n_rooms == SMS_ROOMS_MAX || !hash_parse(one, &s->rooms[s->n_rooms++]))
            return sr_fail(err, SR_E_USAGE, "sms: --rooms is at most %u digests, with commas",
                           SMS_ROOMS_MAX);
    }
    return SR_OK;
}

static sr_status read_attestation(struct sms *s, const char *authority, const char *rooms,
                                  struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    buf_init(&s->authority, SMS_AUTHORITY_MAX);
    if (rooms) SR_TRY(read_rooms(slice_str(rooms), s, err));
    if (!authority) return SR_OK;
    SR_TRY(fs_read(authority, &s->authority, err));
    return json_parse(buf_slice(&s->authority), &doc, err);
}

static sr_status start(int argc, char **argv, struct role_flags *rf, struct sms *s,
                       struct http_server **server, struct sr_err *err) {
    const char *rpc = NULL, *ws = NULL, *chain_id = NULL, *hub = NULL, *vault = NULL;
    const char *store = NULL, *market = NULL, *authority = NULL, *rooms = NULL;
    const struct role_flag flags[] = {
        {"--rpc", &rpc, true, "URL of the chain's node; several with commas"},
        {"--ws", &ws, false, "websocket of the chain's node; not needed here"},
        {"--chain-id", &chain_id, true, "number of the chain"},
        {"--hub", &hub, true, "address of the hub"},
        {"--vault", &vault, true, "socket of the vault"},
        {"--store", &store, false, "gateway of the content store, for the lists of bulk requests"},
        {"--market", &market, false, "URL of the order book, for deals made through contracts"},
        {"--authority", &authority, false, "file by which evidence is verified; told to anybody"},
        {"--rooms", &rooms, false, "SHA-256 of each room executable; told to anybody"},
    };
    struct sms_chain_opts o = {0};
    SR_TRY(role_parse(argc, argv, "sms", flags, SR_ARRAY_LEN(flags), rf, err));
    if (!rf->dir) return sr_fail(err, SR_E_USAGE, "sms: --dir is missing");
    if (!num_u64(slice_str(chain_id), UINT64_MAX, &o.chain_id))
        return sr_fail(err, SR_E_USAGE, "sms: --chain-id is not a number");
    if (!addr_parse(slice_str(hub), &o.hub))
        return sr_fail(err, SR_E_USAGE, "sms: --hub is not an address");
    o.rpc = rpc;
    o.market = market;
    o.store = store;
    SR_TRY(role_begin(rf, err));
    SR_TRY(read_attestation(s, authority, rooms, err));
    s->dir = rf->dir;
    SR_TRY(sms_open(s, rf->dir, err));
    SR_TRY(sms_chain_new(&o, &s->chain, err));
    SR_TRY(vault_client_new(vault, &s->vault, err));
    return sms_serve(s, rf->listen_host, rf->listen_port, rf->listen_fd, server, err);
}

#define WARM_FIRST_MS 50u
#define WARM_MOST_MS  2000u

/* Meets chain and vault before the first request does; says so while one is missing. */
static void warm_up(void *arg) {
    struct sms *s = arg;
    bool told = false;
    for (uint64_t ms = WARM_FIRST_MS;; ms = ms * 2 < WARM_MOST_MS ? ms * 2 : WARM_MOST_MS) {
        struct vault_identity id;
        struct sr_err e = {0};
        sr_status st = sms_chain_open(s->chain, &e);
        if (st == SR_OK) st = vault_hello(s->vault, &id, &e);
        if (st == SR_OK) {
            log_info("peers_met", "identity=%s", addr_text(&id.wallet).s);
            return;
        }
        if (!told) log_err(LOG_WARN, "waiting_for_peer", &e);
        told = true;
        if (fiber_sleep(ms, NULL) != SR_OK) return;
    }
}

int sms_main(int argc, char **argv) {
    struct sms s = {.db = NULL};
    struct role_flags rf;
    struct http_server *server = NULL;
    struct sr_err e = {0};
    if (start(argc, argv, &rf, &s, &server, &e) != SR_OK) return role_fail(&rf, &e);
    if (fiber_start(warm_up, &s, &e) != SR_OK) log_err(LOG_WARN, "warm_up", &e);
    role_ready(&rf, http_server_port(server));
    int rc = role_run(&rf);
    http_server_close(server);
    vault_client_free(s.vault);
    sms_chain_free(s.chain);
    sms_close(&s);
    buf_done(&s.authority);
    return rc;
}
