/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ws.c - websocket frames in two different cuts give the same events; first byte: which side
 */
#include "net/ws_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_MAX 5000
#define EVENTS_MAX  200

struct run {
    sr_status st;
    size_t n;
    uint8_t events[EVENTS_MAX];
    size_t sizes[EVENTS_MAX];
    uint16_t close_code;
};

static void feed(struct slice in, size_t step, bool from_client, struct run *r) {
    cleanup_buf struct buf message;
    buf_init(&message, MESSAGE_MAX);
    struct ws_in w = {.from_client = from_client, .message = &message};
    *r = (struct run){0};
    for (size_t at = 0; at < in.n && r->st == SR_OK;) {
        size_t end = in.n - at > step ? at + step : in.n;
        for (;;) {
            size_t used = 0;
            ws_event ev = WS_MORE;
            r->st = ws_in_next(&w, slice_of(in.p + at, end - at), &used, &ev, NULL);
            if (r->st != SR_OK) break;
            at += used;
            SR_ASSERT(at <= end && message.n <= MESSAGE_MAX && w.control_n <= 125);
            if (ev == WS_MORE) break;
            if (r->n < EVENTS_MAX) {
                r->events[r->n] = (uint8_t)ev;
                r->sizes[r->n++] = ev == WS_MESSAGE ? message.n : w.control_n;
            }
            if (ev == WS_MESSAGE) buf_clear(&message);
        }
    }
    r->close_code = w.close_code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    static struct run a, b;
    bool from_client = data[0] & 1;
    struct slice in = slice_of(data + 1, size - 1);
    feed(in, SIZE_MAX, from_client, &a);
    feed(in, 1, from_client, &b);
    SR_ASSERT(a.st == b.st && a.n == b.n && a.close_code == b.close_code);
    SR_ASSERT(memcmp(a.events, b.events, a.n) == 0);
    SR_ASSERT(memcmp(a.sizes, b.sizes, a.n * sizeof *a.sizes) == 0);
    return 0;
}
