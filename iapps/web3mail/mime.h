/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mime.h - a message of one part as mail servers want it: 7-bit, short lines, nothing injected
 *
 * Depends on: base.  Used by: smtp.c.  Pure: bytes in, bytes out.
 * RFC 5322 (message), 2045 (quoted-printable, base64), 2047 (words of headers).
 */
#pragma once
#include "base/base.h"

#define MIME_LINE 76u /* characters of a line without its end */

struct mime_message {
    const char *from, *to;                 /* email addresses, checked */
    struct slice from_name, subject, text; /* UTF-8 */
    bool html;
    uint64_t unix_s; /* Date */
    const char *id;  /* Message-ID without its brackets */
};
/* The whole message, lines ending with CRLF. Dots at the start of lines are the sender's business.
 */
SR_CHECK sr_status mime_write(const struct mime_message *m, struct buf *ret, struct sr_err *err);

/* Parts of it, for tests. col: characters already on the line. */
void mime_words(struct buf *b, struct slice text, size_t col);  /* unstructured text */
void mime_phrase(struct buf *b, struct slice text, size_t col); /* a name in front of <…> */
void mime_quoted(struct buf *b, struct slice text); /* quoted-printable, CRLF at the end */
void mime_base64(struct buf *b, struct slice text);
void mime_date(struct buf *b, uint64_t unix_s);
