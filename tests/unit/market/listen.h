/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h - a listener of the market's socket over a websocket, for tests with world.h */
#pragma once
#include "world.h"

#include "market/sio.h"

static void expect_ws(struct ws *w, const char *want) {
    struct sr_err e = {0};
    cleanup_buf struct buf b;
    buf_init(&b, 65536);
    assert_ok(ws_recv(w, 20000, &b, &e));
    if (!slice_starts(buf_slice(&b), want)) fail_msg("'%s' instead of '%s'", buf_cstr(&b), want);
}

static struct ws *open_ws(const char *sid) {
    struct sr_err e = {0};
    struct ws *w;
    cleanup_buf struct buf url;
    buf_init(&url, 512);
    buf_printf(&url, "ws%s/ws/?EIO=4&transport=websocket%s%s", base + 4, sid ? "&sid=" : "",
               sid ? sid : "");
    assert_ok(ws_connect(buf_cstr(&url), 65536, &w, &e));
    return w;
}

/* The next event, pings being answered meanwhile. */
static void expect_event(struct ws *w, const char *name, const struct hash *h) {
    struct sr_err e = {0};
    cleanup_buf struct buf b;
    buf_init(&b, 65536);
    for (;;) {
        assert_ok(ws_recv(w, 20000, &b, &e));
        if (!slice_is(buf_slice(&b), "2")) break;
        assert_ok(ws_send(w, SLICE_LIT("3"), &e));
    }
    cleanup_sio struct sio_packet p = {0};
    assert_ok(sio_read(slice_of(b.p + 1, b.n - 1), &p, &e));
    if (!slice_is(p.event, name)) fail_msg("'%s' instead of %s", buf_cstr(&b), name);
    if (!strstr(buf_cstr(&b), hash_text(h).s)) fail_msg("%s of another: %s", name, buf_cstr(&b));
}

/* Connected, in that room. */
static struct ws *listen_to(const char *topic) {
    struct sr_err e = {0};
    struct ws *w = open_ws(NULL);
    cleanup_buf struct buf b;
    buf_init(&b, 256);
    buf_printf(&b, "421[\"join\",{\"chainId\":\"421614\",\"topic\":\"%s\"}]", topic);
    expect_ws(w, "0{\"sid\"");
    assert_ok(ws_send(w, SLICE_LIT("40"), &e));
    expect_ws(w, "40{\"sid\"");
    assert_ok(ws_send(w, buf_slice(&b), &e));
    expect_ws(w, "431[true]");
    return w;
}
