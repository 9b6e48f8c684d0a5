/* SPDX-License-Identifier: Apache-2.0 */
/* What a mail server's refusal means. Its words are never passed on: they often name the address.
 */
#include "web3mail/web3mail.h"

#define FAILED "Failed to send email"

static bool take_number(struct slice *s, unsigned max_digits, unsigned *ret) {
    unsigned v = 0, n = 0;
    while (n < s->n && n < max_digits && s->p[n] >= '0' && s->p[n] <= '9')
        v = 10 * v + (s->p[n++] - '0');
    if (n == 0) return false;
    *s = slice_of(s->p + n, s->n - n);
    *ret = v;
    return true;
}

/* "550 5.1.1 text" or "550-5.1.1 text" */
struct smtp_reply smtp_reply_read(struct slice line) {
    struct smtp_reply r = {0}, bare = {0};
    struct slice s = line;
    if (!take_number(&s, 3, &r.code) || line.n - s.n != 3 || r.code < 200 || r.code > 599)
        return (struct smtp_reply){0};
    bare.code = r.code;
    if (s.n < 2 || (s.p[0] != ' ' && s.p[0] != '-')) return bare;
    s = slice_of(s.p + 1, s.n - 1);
    for (unsigned i = 0; i < 3; i++) {
        if (i > 0) {
            if (s.n == 0 || s.p[0] != '.') return bare;
            s = slice_of(s.p + 1, s.n - 1);
        }
        if (!take_number(&s, 3, &r.status[i])) return bare;
    }
    return r.status[0] == r.code / 100 ? r : bare;
}

/* RFC 3463: the address itself is bad (5.1.0 is any other trouble with it). */
static bool bad_address(const struct smtp_reply *r) {
    return r->status[0] == 5 && r->status[1] == 1 &&
           (r->status[2] == 1 || r->status[2] == 2 || r->status[2] == 3 || r->status[2] == 6 ||
            r->status[2] == 10);
}

msg_outcome smtp_judge(const struct smtp_reply *r, struct msg_item *it) {
    if (r->status[0])
        msg_fail(it, FAILED, "the mail server answered %u %u.%u.%u", r->code, r->status[0],
                 r->status[1], r->status[2]);
    else
        msg_fail(it, FAILED, "the mail server answered %u", r->code);
    if (r->code == 421) return MSG_STOP; /* it closes */
    if (r->code < 500) return MSG_LATER;
    if (bad_address(r)) it->valid = VALID_NO;
    return MSG_DONE;
}
