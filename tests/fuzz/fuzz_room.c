/* SPDX-License-Identifier: Apache-2.0 */
/* What a room reads from outside: the first byte picks the message, the envelope's JSON, or the
 * command line. */
#include "room/resolve.h"
#include "room/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n == 0) return 0;
    struct slice s = slice_of(data + 1, n - 1);
    union {
        struct door_begin begin;
        struct door_binding binding;
        struct door_envelope envelope;
        struct door_input input;
        struct door_done done;
        struct door_failed failed;
        struct door_flow flow;
        struct resolve_query query;
    } u;
    struct buf reply;
    struct task t;
    struct words w = {0};
    sr_status st;
    switch (data[0]) {
    case 'b': (void)!door_begin_read(s, &u.begin); break;
    case 'i': (void)!door_binding_read(s, &u.binding); break;
    case 'e': (void)!door_envelope_read(s, &u.envelope); break;
    case 'n': (void)!door_input_read(s, &u.input); break;
    case 'd': (void)!door_done_read(s, &u.done); break;
    case 'f': (void)!door_failed_read(s, &u.failed); break;
    case 'w':
        if (s.n > 0) (void)!door_flow_read(s.p[0], slice_of(s.p + 1, s.n - 1), &u.flow);
        break;
    case 'q':
        if (!resolve_parse(s, &u.query)) break;
        buf_init(&reply, RESOLVE_MAX_REPLY);
        resolve_reply(&reply, s, &u.query, RESOLVE_ADDRESS, 0x7f010001);
        if (reply.bad != SR_OK) __builtin_trap();
        buf_done(&reply);
        break;
    case 'a':
        st = args_split(s, &w, NULL);
        words_done(&w);
        break;
    default:
        if (task_parse(s, &t, NULL) != SR_OK) break;
        st = app_environment(&t, NULL, &w, NULL);
        (void)st;
        words_done(&w);
        task_done(&t);
    }
    return 0;
}
