/* SPDX-License-Identifier: Apache-2.0 */
/* mail, telegram: contacts, send, campaign, result, install. */
#include "cli/cli_int.h"
#include <poll.h>
#include <strongroom/messaging.h>
#include <unistd.h>

#define CONTENT_BYTES    (4u * SR_MESSAGE_CONTENT_MAX) /* of UTF-8, at most */
#define REQUEST_BYTES    (256u * 1024)
#define RECIPIENTS_BYTES (1u << 20)

static sr_channel channel_of(const struct cli *c) {
    return slice_starts(slice_str(c->cmd->words), "mail ") ? SR_MAIL : SR_TELEGRAM;
}

static const char *app_of(const struct cli *c) {
    return channel_of(c) == SR_MAIL ? "web3mail" : "web3telegram";
}

/* ---- contacts ---- */

static void put_contact(struct cli *c, const struct sr_contact *t) {
    if (!c->json) {
        out_text(c, "%s  %-24s price %s nRLC, %s%s%s\n", t->data, t->name[0] ? t->name : "-",
                 t->price_nrlc, t->bulk ? "campaigns" : "single messages",
                 t->only_user ? ", only you" : "", t->remaining == 1 ? ", the last one" : "");
        return;
    }
    out_begin(c);
    out_str(c, "contact", t->data);
    out_str(c, "owner", t->owner);
    out_str(c, "name", t->name);
    out_str(c, "app", t->app);
    out_amount(c, "price", t->price_nrlc);
    out_u64(c, "remaining", t->remaining);
    out_bool(c, "onlyUser", t->only_user);
    out_bool(c, "bulk", t->bulk);
    out_time(c, "granted", t->granted_unix_s);
    out_str(c, "orderHash", t->order_hash);
    out_end(c);
}

sr_status cmd_message_contacts(struct cli *c, struct sr_err *err) {
    struct sr_contact_query q = {.user = c->n_args ? c->args[0] : NULL,
                                 .only_user = cli_flag(c, "--only-me"),
                                 .bulk = cli_flag(c, "--bulk")};
    struct sr_contact *list;
    size_t n;
    SR_TRY(sr_contacts(c->client, channel_of(c), &q, &list, &n, err));
    out_begin(c);
    out_list_begin(c, "contacts");
    for (size_t i = 0; i < n; i++) put_contact(c, &list[i]);
    out_list_end(c);
    if (n == 0) out_text(c, "none\n");
    out_end(c);
    sr_free(list);
    return SR_OK;
}

/* ---- what became of it ---- */

static const char *state_word(const struct sr_delivery *d) {
    return d->state == SR_DELIVERY_SENT       ? "sent"
           : d->state == SR_DELIVERY_FAILED   ? "failed"
           : d->state == SR_DELIVERY_WITHHELD ? "withheld"
                                              : "untold";
}

static const char *address_word(const struct sr_delivery *d) {
    return d->address == SR_ADDRESS_VALID     ? "valid"
           : d->address == SR_ADDRESS_INVALID ? "invalid"
                                              : "unknown";
}

struct tally {
    size_t all, sent, untold;
};

static void put_delivery(struct cli *c, const struct sr_delivery *d) {
    bool mail = channel_of(c) == SR_MAIL;
    if (!c->json) {
        out_text(c, "%s  %s%s%s%s%s\n", d->data, state_word(d), mail ? ", address " : "",
                 mail ? address_word(d) : "", d->error[0] ? ": " : "", d->error);
        return;
    }
    out_begin(c);
    out_str(c, "contact", d->data);
    out_str(c, "outcome", state_word(d));
    if (mail) out_str(c, "address", address_word(d));
    if (d->error[0]) out_str(c, "error", d->error);
    out_end(c);
}

/* The outcomes of one completed task, as a list of the open object. */
static sr_status put_deliveries(struct cli *c, const char *task, struct tally *t,
                                struct sr_err *err) {
    struct sr_delivery *list;
    size_t n;
    SR_TRY(sr_deliveries(c->client, task, &list, &n, err));
    out_list_begin(c, "deliveries");
    for (size_t i = 0; i < n; i++) {
        put_delivery(c, &list[i]);
        t->sent += list[i].state == SR_DELIVERY_SENT;
        t->untold += list[i].state == SR_DELIVERY_UNTOLD;
    }
    out_list_end(c);
    t->all += n;
    sr_free(list);
    return SR_OK;
}

static void judge(struct cli *c, const struct tally *t) {
    out_u64(c, "sent", t->sent);
    out_u64(c, "of", t->all);
    if (t->sent + t->untold < t->all) c->exit_code = 4;
}

sr_status cmd_message_result(struct cli *c, struct sr_err *err) {
    struct tally t = {0};
    out_begin(c);
    sr_status st = put_deliveries(c, c->args[0], &t, err);
    if (st == SR_OK) judge(c, &t);
    if (st != SR_OK && c->json) buf_clear(&c->out); /* the failure is the only JSON then */
    if (st == SR_OK) out_end(c);
    return st;
}

/* ---- the message ---- */

static sr_status read_content(struct cli *c, struct buf *content, struct sr_err *err) {
    const char *file = cli_value(c, "--file"), *text = cli_value(c, "--content");
    if ((file != NULL) == (text != NULL)) {
        sr_hint(err, "--file FILE, or --file - for standard input");
        return sr_fail(err, SR_E_USAGE, file ? "give the content once" : "there is no content");
    }
    if (text)
        buf_str(content, text);
    else
        SR_TRY(cli_read_file(file, CONTENT_BYTES, content, err));
    return buf_status(content, err);
}

/* content is borrowed by *m. */
static sr_status gather(struct cli *c, struct buf *content, struct sr_message *m,
                        struct sr_err *err) {
    const char *max = cli_value(c, "--max-price"); /* of each, unless it has its own */
    buf_init(content, CONTENT_BYTES + 1);
    SR_TRY(read_content(c, content, err));
    *m = (struct sr_message){.channel = channel_of(c),
                             .subject = cli_value(c, "--subject"),
                             .content = content->p,
                             .content_n = content->n,
                             .html = cli_flag(c, "--html"),
                             .sender = cli_value(c, "--sender"),
                             .label = cli_value(c, "--label"),
                             .max_app_nrlc = cli_value(c, "--max-app-price"),
                             .max_data_nrlc = cli_value(c, "--max-data-price"),
                             .max_pool_nrlc = cli_value(c, "--max-pool-price"),
                             .workerpool = cli_value(c, "--workerpool"),
                             .on_chain = cli_flag(c, "--on-chain")};
    if (!m->max_app_nrlc) m->max_app_nrlc = max;
    if (!m->max_data_nrlc) m->max_data_nrlc = max;
    if (!m->max_pool_nrlc) m->max_pool_nrlc = max;
    if (m->channel == SR_MAIL && !m->subject) {
        sr_hint(err, "--subject TEXT");
        return sr_fail(err, SR_E_USAGE, "a mail has a subject");
    }
    return SR_OK;
}

/* ---- send ---- */

static sr_status wait_one(struct cli *c, const struct sr_deal_ids *ids, struct sr_err *err) {
    struct sr_task t = {0};
    struct tally tally = {0};
    sr_status st = sr_task_wait(c->client, ids->task, &t, err);
    if (st == SR_OK) {
        out_str(c, "status", t.status);
        SR_TRY(put_deliveries(c, ids->task, &tally, err));
        judge(c, &tally);
        return SR_OK;
    }
    c->has_failed = true;
    c->failed = t;
    (void)snprintf(c->failed.task, sizeof c->failed.task, "%s", ids->task);
    (void)snprintf(c->failed.deal, sizeof c->failed.deal, "%s", ids->deal);
    sr_hint(err, "strongroom task show %s tells more", ids->task);
    return st;
}

sr_status cmd_message_send(struct cli *c, struct sr_err *err) {
    cleanup_buf_wipe struct buf content = {0};
    struct sr_message m;
    struct sr_deal_ids ids;
    SR_TRY(gather(c, &content, &m, err));
    SR_TRY(sr_message_send(c->client, &m, c->args[0], &ids, err));
    out_begin(c);
    out_str(c, "contact", c->args[0]);
    out_str(c, "deal", ids.deal);
    out_str(c, "task", ids.task);
    out_str(c, "tx", ids.tx);
    out_amount(c, "cost", ids.cost_nrlc);
    sr_status st = cli_flag(c, "--no-wait") ? SR_OK : wait_one(c, &ids, err);
    if (st != SR_OK && c->json) buf_clear(&c->out); /* the failure is the only JSON then */
    if (st == SR_OK) out_end(c);
    return st;
}

/* ---- campaign ---- */

struct names { /* owned: names_done */
    struct buf text;
    const char **v;
    size_t n;
};

static void names_done(struct names *l) {
    buf_done(&l->text);
    sr_free(l->v);
}

static sr_status add_name(struct names *l, const char *name, struct sr_err *err) {
    if (l->n == SR_BULK_MAX)
        return sr_fail(err, SR_E_USAGE, "a campaign has at most %d recipients", SR_BULK_MAX);
    l->v[l->n++] = name;
    return SR_OK;
}

/* One a line; empty lines and what begins with # are passed over. */
static sr_status add_lines(struct names *l, const char *file, struct sr_err *err) {
    SR_TRY(cli_read_file(file, RECIPIENTS_BYTES, &l->text, err));
    char *at = (char *)l->text.p, *end = at ? at + l->text.n : at;
    while (at && at < end) {
        char *line = at, *stop = memchr(at, '\n', (size_t)(end - at));
        at = stop ? stop + 1 : end;
        struct slice s = slice_trim(slice_of(line, (size_t)((stop ? stop : end) - line)));
        if (s.n == 0 || s.p[0] == '#') continue;
        char *name = line + (s.p - (const uint8_t *)line);
        name[s.n] = 0; /* a line feed or white space, or the end's NUL */
        SR_TRY(add_name(l, name, err));
    }
    return SR_OK;
}

static sr_status read_names(struct cli *c, struct names *l, struct sr_err *err) {
    const char *file = cli_value(c, "--recipients");
    bool all = cli_flag(c, "--all");
    buf_init(&l->text, RECIPIENTS_BYTES + 1);
    if ((c->n_args > 0) + (file != NULL) + all != 1) {
        sr_hint(err, "CONTACT..., --recipients FILE, or --all");
        return sr_fail(err, SR_E_USAGE, "say to whom, in one way");
    }
    if (all) return SR_OK;
    l->v = sr_calloc_n(SR_BULK_MAX, sizeof *l->v);
    if (!l->v) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < c->n_args; i++) SR_TRY(add_name(l, c->args[i], err));
    if (file) SR_TRY(add_lines(l, file, err));
    if (l->n > 0) return SR_OK;
    return sr_fail(err, SR_E_USAGE, "%s names nobody", file);
}

static sr_status per_task(const struct cli *c, unsigned *ret, struct sr_err *err) {
    const char *text = cli_value(c, "--per-task");
    uint64_t n = 0;
    if (text && (!num_u64(slice_str(text), SR_BULK_PER_TASK, &n) || n == 0))
        return sr_fail(err, SR_E_USAGE, "--per-task is a number from 1 to %d", SR_BULK_PER_TASK);
    *ret = (unsigned)n;
    return SR_OK;
}

static sr_status prepare_named(struct cli *c, struct names *l, char **ret_request, size_t *ret_n,
                               struct sr_err *err) {
    cleanup_buf_wipe struct buf content = {0};
    struct sr_message m;
    unsigned n;
    SR_TRY(per_task(c, &n, err));
    SR_TRY(read_names(c, l, err));
    SR_TRY(gather(c, &content, &m, err));
    return sr_campaign_prepare(c->client, &m, l->v, l->n, n, ret_request, ret_n, err);
}

static sr_status prepare(struct cli *c, char **ret_request, size_t *ret_n, struct sr_err *err) {
    struct names l = {0};
    sr_status st = prepare_named(c, &l, ret_request, ret_n, err);
    names_done(&l);
    return st;
}

static sr_status write_request(struct cli *c, const char *file, const char *request, size_t n,
                               struct sr_err *err) {
    if (fs_exists(file)) {
        sr_hint(err, "choose another name");
        return sr_fail(err, SR_E_CONFLICT, "%s is there already", file);
    }
    SR_TRY(fs_write_atomic(file, slice_str(request), 0600, err));
    out_begin(c);
    out_str(c, "request", file);
    out_u64(c, "recipients", n);
    out_end(c);
    return SR_OK;
}

/* One task to its end. A failed one is told, and the others go on. */
static sr_status one_task(struct cli *c, const struct sr_bulk_task *b, struct tally *t,
                          bool *ret_failed, struct sr_err *err) {
    struct sr_task task = {0};
    struct sr_err e = {0};
    out_begin(c);
    out_u64(c, "index", b->index);
    out_str(c, "deal", b->deal);
    out_str(c, "task", b->task);
    if (!cli_flag(c, "--no-wait")) {
        sr_status st = sr_task_wait(c->client, b->task, &task, &e);
        if (st != SR_OK && st != SR_E_TASK) {
            *err = e;
            return st;
        }
        *ret_failed = *ret_failed || st == SR_E_TASK;
        out_str(c, "status", st == SR_OK ? task.status : "FAILED");
        if (st == SR_E_TASK) out_str(c, "cause", task.cause);
        if (st == SR_OK) SR_TRY(put_deliveries(c, b->task, t, err));
    }
    out_end(c);
    return SR_OK;
}

static sr_status send_request(struct cli *c, const char *request, struct sr_err *err) {
    struct sr_bulk_task *tasks;
    struct tally t = {0};
    size_t n;
    bool failed = false;
    sr_status st = SR_OK;
    SR_TRY(sr_bulk_send(c->client, request, cli_value(c, "--workerpool"), &tasks, &n, err));
    out_begin(c);
    out_list_begin(c, "tasks");
    for (size_t i = 0; i < n && st == SR_OK; i++) st = one_task(c, &tasks[i], &t, &failed, err);
    out_list_end(c);
    sr_free(tasks);
    if (st == SR_OK && !cli_flag(c, "--no-wait")) judge(c, &t);
    if (failed) c->exit_code = 4;
    if (st != SR_OK && c->json) buf_clear(&c->out); /* the failure is the only JSON then */
    if (st == SR_OK) out_end(c);
    return st;
}

sr_status cmd_message_campaign(struct cli *c, struct sr_err *err) {
    const char *given = cli_value(c, "--request"), *file = cli_value(c, "--prepare");
    if (given) {
        cleanup_buf struct buf text;
        buf_init(&text, REQUEST_BYTES);
        if (file || c->n_args > 0 || cli_flag(c, "--all"))
            return sr_fail(err, SR_E_USAGE, "--request has its recipients and content already");
        SR_TRY(cli_read_file(given, REQUEST_BYTES, &text, err));
        return send_request(c, buf_cstr(&text), err);
    }
    char *request = NULL;
    size_t n = 0;
    SR_TRY(prepare(c, &request, &n, err));
    sr_status st = file ? write_request(c, file, request, n, err) : send_request(c, request, err);
    sr_free(request);
    return st;
}

/* ---- install ---- */

/* Beside this program, or where it was installed: build/iapps, ../share/strongroom/iapps. */
static sr_status find_app(const char *name, char path[4096], struct sr_err *err) {
    static const char *const places[] = {"iapps", "../share/strongroom/iapps"};
    char self[2048];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return sr_fail(err, SR_E_SYS, "find this program's own file");
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    for (size_t i = 0; i < SR_ARRAY_LEN(places); i++) {
        (void)snprintf(path, 4096, "%s/%s/%s", self, places[i], name);
        if (fs_is_dir(path)) return SR_OK;
    }
    sr_hint(err, "name its folder: strongroom ... install DIR");
    return sr_fail(err, SR_E_NOTFOUND, "the app %s did not come with this program", name);
}

sr_status cmd_message_install(struct cli *c, struct sr_err *err) {
    const char *file = cli_value(c, "--secret-file");
    struct sr_messaging_setup setup = {.gateway = cli_value(c, "--gateway")};
    struct sr_messaging m;
    struct sr_app app = {0};
    char path[4096];
    cleanup_buf_wipe struct buf secret;
    buf_init(&secret, CLI_SECRET_MAX);
    if (!file) {
        sr_hint(err, "--secret-file FILE; docs/messaging.md shows what it holds");
        return sr_fail(err, SR_E_USAGE, "how should the app send? It needs a secret");
    }
    if (c->n_args == 0) SR_TRY(find_app(app_of(c), path, err));
    setup.dir = c->n_args ? c->args[0] : path;
    SR_TRY(cli_secret(c, file, "The app's secret", &secret, err));
    setup.secret_value = secret.p;
    setup.secret_n = secret.n;
    SR_TRY(sr_messaging_install(c->client, channel_of(c), &setup, &m, err));
    SR_TRY(sr_app_show(c->client, m.app, &app, err));
    out_begin(c);
    out_str(c, "name", app_of(c));
    out_str(c, "app", m.app);
    out_str(c, "whitelist", m.whitelist);
    out_json(c, "egress", app.egress);
    if (app.egress && strstr(app.egress, "\"gateway.test:"))
        out_text(c,
                 "%-16s rooms reach this machine's gateway when it was started with\n"
                 "%-16s strongroom up --egress-loopback gateway.test\n",
                 "note", "");
    out_end(c);
    sr_app_done(&app);
    return SR_OK;
}

/* ---- the bot that tells chat ids ---- */

#define BOT_WAIT_S   50
#define BOT_PAUSE_MS 5000 /* after a failure that may pass */

static bool may_pass(sr_status st) {
    return st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT;
}

static sr_status answer_all(struct cli *c, const char *secret_token, size_t *ret_told,
                            struct sr_err *err) {
    const char *api = cli_value(c, "--api");
    uint64_t offset = 0, before;
    bool once = cli_flag(c, "--once");
    size_t n;
    do {
        struct sr_err why = {0};
        before = offset;
        sr_status st = sr_telegram_answer(c->client, secret_token, api, once ? 0 : BOT_WAIT_S,
                                          &offset, &n, &why);
        if (st == SR_OK) {
            *ret_told += n;
        } else if (once || !may_pass(st)) {
            *err = why;
            return st;
        } else {
            if (!c->quiet) (void)fprintf(stderr, "%s\n", why.what);
            (void)poll(NULL, 0, BOT_PAUSE_MS);
        }
    } while (!once || offset != before); /* the last call tells the API what was answered */
    return SR_OK;
}

sr_status cmd_telegram_bot(struct cli *c, struct sr_err *err) {
    cleanup_buf_wipe struct buf secret;
    size_t told = 0;
    buf_init(&secret, CLI_SECRET_MAX);
    SR_TRY(cli_secret(c, cli_value(c, "--token-file"), "The bot's token", &secret, err));
    while (secret.n > 0 && (secret.p[secret.n - 1] == '\n' || secret.p[secret.n - 1] == '\r'))
        secret.p[--secret.n] = 0;
    SR_TRY(answer_all(c, buf_cstr(&secret), &told, err));
    out_begin(c);
    out_u64(c, "told", told);
    out_end(c);
    return SR_OK;
}
