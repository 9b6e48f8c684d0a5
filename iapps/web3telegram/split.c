/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telegram takes 4096 characters a message and refuses more. A longer text becomes several
 * messages. It is Telegram's HTML: tags that are open where it is cut are closed, and opened again
 * in the next message. Limits count the raw text with its tags, which is on the safe side.
 */
#include "web3telegram/bot.h"

#define TAG_MAX 1024u /* bytes of one tag or entity */

struct open_tags {
    struct slice tag[BOT_TAGS_MAX]; /* as they were written: "<a href=…>" */
    size_t n;
};

static struct slice tag_name(struct slice tag) {
    size_t i = 1;
    while (i < tag.n && tag.p[i] != ' ' && tag.p[i] != '>' && tag.p[i] != '/') i++;
    return slice_of(tag.p + 1, i - 1);
}

/* Length of the token at s: a tag, an entity, or one character. */
static size_t token(struct slice s) {
    uint8_t end = s.p[0] == '<' ? '>' : s.p[0] == '&' ? ';' : 0;
    if (end) {
        size_t max = end == ';' ? 12 : TAG_MAX;
        for (size_t i = 1; i < s.n && i < max; i++)
            if (s.p[i] == end) return i + 1;
    }
    size_t n = 1;
    while (n < s.n && n < 4 && (s.p[n] & 0xc0) == 0x80) n++;
    return n;
}

static void note_tag(struct open_tags *o, struct slice t) {
    if (t.n < 3 || t.p[0] != '<' || t.p[t.n - 1] != '>') return;
    if (t.p[1] == '/') {
        if (o->n > 0) o->n--;
    } else if (o->n < BOT_TAGS_MAX) {
        o->tag[o->n++] = t;
    }
}

static size_t closing_units(const struct open_tags *o) {
    size_t n = 0;
    for (size_t i = 0; i < o->n; i++) n += tag_name(o->tag[i]).n + 3;
    return n;
}

/* Tags open at offset `to`, from the text's start: parts are few, texts are short. */
static struct open_tags tags_at(struct slice text, size_t to) {
    struct open_tags o = {0};
    for (size_t i = 0; i < to;) {
        struct slice t = slice_of(text.p + i, token(slice_of(text.p + i, text.n - i)));
        note_tag(&o, t);
        i += t.n;
    }
    return o;
}

static void emit(struct buf *b, const struct open_tags *before, struct slice part,
                 const struct open_tags *after) {
    for (size_t i = 0; i < before->n; i++) buf_add(b, before->tag[i]);
    buf_add(b, part);
    for (size_t i = after->n; i > 0; i--) {
        buf_str(b, "</");
        buf_add(b, tag_name(after->tag[i - 1]));
        buf_str(b, ">");
    }
}

sr_status bot_split(struct slice text, size_t *at, struct buf *ret_part, struct sr_err *err) {
    struct open_tags before = tags_at(text, *at), open = before;
    size_t units = 0, i = *at, line = 0, space = 0;
    for (size_t k = 0; k < before.n; k++) units += msg_utf16_units(before.tag[k]);
    while (i < text.n) {
        struct slice t = slice_of(text.p + i, token(slice_of(text.p + i, text.n - i)));
        struct open_tags then = open;
        note_tag(&then, t);
        if (units + msg_utf16_units(t) + closing_units(&then) > BOT_TEXT_MAX) break;
        units += msg_utf16_units(t);
        open = then;
        i += t.n;
        if (t.p[0] == '\n') line = i;
        if (t.p[0] == ' ') space = i;
    }
    if (i < text.n && (line > 0 || space > 0)) i = line > 0 ? line : space;
    if (i == *at) return sr_fail(err, SR_E_RANGE, "a tag does not fit in a message");
    struct open_tags after = tags_at(text, i);
    emit(ret_part, &before, slice_of(text.p + *at, i - *at), &after);
    *at = i;
    return buf_status(ret_part, err);
}
