/* SPDX-License-Identifier: Apache-2.0 */
/* What reaches the messaging apps from outside: the first byte chooses which. */
#include "web3mail/mime.h"
#include "web3mail/web3mail.h"
#include "web3telegram/bot.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void secrets(struct slice s, unsigned which) {
    struct json *doc = NULL;
    struct mail_secret mail = {0};
    struct mail_request mail_request;
    struct bot_secret bot;
    struct bot_request bot_request;
    cleanup_buf struct buf error;
    buf_init(&error, 1u << 20);
    bool ok = which == 0   ? mail_secret_parse(s, &doc, &mail, &error)
              : which == 1 ? mail_request_parse(s, &doc, &mail_request, &error)
              : which == 2 ? bot_secret_parse(s, &doc, &bot, &error)
                           : bot_request_parse(s, &doc, &bot_request, &error);
    SR_ASSERT(ok == (error.n == 0));
    json_free(mail.apps);
    json_free(doc);
}

static void split(struct slice text) {
    if (!msg_is_utf8(text)) return; /* a message is text, or it was not opened */
    for (size_t at = 0, before = 0; at < text.n; before = at) {
        cleanup_buf struct buf part;
        buf_init(&part, 1u << 20);
        if (bot_split(text, &at, &part, NULL) != SR_OK) return;
        SR_ASSERT(at > before && at <= text.n);
        SR_ASSERT(msg_utf16_units(buf_slice(&part)) <= BOT_TEXT_MAX);
    }
}

static void write_mail(struct slice s) {
    cleanup_buf struct buf b;
    struct slice subject, text;
    buf_init(&b, 1u << 22);
    (void)slice_cut(s, 0, &subject, &text);
    struct mime_message m = {.from = "a@b.cd",
                             .to = "e@f.gh",
                             .from_name = subject,
                             .subject = subject,
                             .text = text,
                             .id = "x@y"};
    SR_ASSERT(mime_write(&m, &b, NULL) == SR_OK);
    size_t headers = 0;
    struct slice left = buf_slice(&b), line;
    while (slice_cut(left, '\n', &line, &left)) {
        SR_ASSERT(line.n > 0 && line.p[line.n - 1] == '\r' && line.n <= 998);
        if (line.n == 1) break;
        headers += line.p[0] != ' ';
    }
    SR_ASSERT(headers == 8);
}

static void content(struct slice s) {
    static const char key[] = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
    cleanup_buf struct buf text;
    buf_init(&text, MSG_MAX_CONTENT);
    if (msg_content_open(s, slice_str(key), &text, NULL) == SR_OK)
        SR_ASSERT(msg_is_utf8(buf_slice(&text)));
    (void)!msg_content_check(SLICE_LIT("/ipfs/QmT5NvUtoM5nWFfrQdVrFtvGfKFmG7AHE8P34isapyhCxX"), s,
                             NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    struct slice s = slice_of(data + 1, size - 1);
    switch (data[0]) {
    case '0':
    case '1':
    case '2':
    case '3': secrets(s, data[0] - '0'); break;
    case '4': (void)address_prior_read(s); break;
    case '5': (void)address_mailgun_read(s); break;
    case '6': (void)smtp_reply_read(s); break;
    case '7': (void)bot_retry_after(s); break;
    case '8': split(s); break;
    case '9': write_mail(s); break;
    case 'a': content(s); break;
    case 'b':
        (void)bot_chat_check(s);
        (void)msg_is_email(s);
        break;
    default: break;
    }
    return 0;
}
