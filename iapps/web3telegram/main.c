/* SPDX-License-Identifier: Apache-2.0 */
/* web3telegram - an iApp: a bot's message to protected chats, which nobody but it sees */
#include "messaging/transfer.h"
#include "web3telegram/bot.h"

#define FIRST_LINE_MAX 256u

struct app {
    struct messenger m;
    struct json *secret_doc, *request_doc;
    struct bot_secret secret;
    struct bot_request request;
    struct transfer transfer;
    struct bot bot;
};

static uint64_t left_s(void *arg) {
    struct app *a = arg;
    int64_t end = a->transfer.end_us - (MSG_LAST_BYTE_S - MSG_LAST_START_S) * 1000000ll;
    int64_t now = clock_mono_us();
    return end > now ? (uint64_t)(end - now) / 1000000 : 0;
}

static bool take_secrets(void *arg, struct slice secret_app, struct slice secret_requester,
                         struct msg_content *ret, struct buf *ret_error) {
    struct app *a = arg;
    struct sr_err err = {0};
    if (!bot_secret_parse(secret_app, &a->secret_doc, &a->secret, ret_error) ||
        !bot_request_parse(secret_requester, &a->request_doc, &a->request, ret_error))
        return false;
    if (transfer_new(a->secret.ca_pem, &a->transfer, &err) != SR_OK) {
        buf_str(ret_error, err.what);
        return false;
    }
    a->m.http = (struct http_port){transfer_http, &a->transfer};
    a->bot = (struct bot){.secret = &a->secret,
                          .http = a->m.http,
                          .pause = transfer_pause,
                          .left_s = left_s,
                          .arg = a};
    *ret = (struct msg_content){a->request.multiaddr, a->request.key, false};
    return true;
}

static msg_outcome deliver(void *arg, struct msg_item *it, struct slice secret_content) {
    struct app *a = arg;
    cleanup_buf_wipe struct buf text;
    struct sr_err err = {0};
    struct slice name = a->request.sender_name;
    buf_init(&text, MSG_MAX_CONTENT + FIRST_LINE_MAX);
    buf_str(&text, "Message from: ");
    buf_add(&text, name.n > 0 ? name : SLICE_LIT("Web3Telegram Dapp"));
    buf_u8(&text, '\n');
    buf_add(&text, secret_content);
    if (buf_status(&text, &err) != SR_OK)
        msg_fail(it, "Failed to send Telegram message", "%s", err.what);
    else
        bot_send(&a->bot, buf_slice(&text), it);
    return MSG_DONE;
}

int main(void) {
    static struct app a;
    a.m = (struct messenger){.leaf = "telegram_chatId",
                             .gateway_env = "WEB3TELEGRAM_IPFS_GATEWAY",
                             .arg = &a,
                             .secrets = take_secrets,
                             .check = bot_chat_check,
                             .deliver = deliver,
                             .pause = transfer_pause,
                             .failed = "Failed to send Telegram message"};
    int code = msg_run(&a.m);
    transfer_done(&a.transfer);
    json_free(a.request_doc);
    json_free(a.secret_doc);
    return code;
}
