/* SPDX-License-Identifier: Apache-2.0 */
/* run, deal, task, result */
#include "cli/project.h"
#include <stdlib.h>

struct run_input {
    struct sr_run run;
    const char *data[CLI_MAX_OPTS], *urls[CLI_MAX_OPTS];
    struct sr_run_secret secrets[SR_MAX_SECRETS];
    struct buf values[SR_MAX_SECRETS];
    char *deployed; /* owned; the app's address, of a project */
};

static void input_done(struct run_input *in) {
    for (size_t i = 0; i < in->run.n_secrets; i++) buf_wipe(&in->values[i]);
    free(in->deployed);
}

/* "N=FILE": the value is read from the file, a last line feed is not part of it. */
static sr_status add_secret(struct run_input *in, const char *text, struct sr_err *err) {
    struct slice number, rest;
    uint64_t index;
    if (!slice_cut(slice_str(text), '=', &number, &rest) || rest.n == 0 ||
        !num_u64(number, 1000, &index) || index == 0) {
        sr_hint(err, "--secret 1=FILE, where FILE holds the value");
        return sr_fail(err, SR_E_USAGE, "--secret takes a number from 1 on, =, and a file");
    }
    if (in->run.n_secrets == SR_MAX_SECRETS)
        return sr_fail(err, SR_E_USAGE, "more than %d secrets", SR_MAX_SECRETS);
    for (size_t i = 0; i < in->run.n_secrets; i++)
        if (in->secrets[i].index == index)
            return sr_fail(err, SR_E_USAGE, "secret %u is given twice", (unsigned)index);
    struct buf *b = &in->values[in->run.n_secrets];
    buf_init(b, SR_MAX_SECRET_LEN + 2);
    struct sr_run_secret *s = &in->secrets[in->run.n_secrets++];
    s->index = (unsigned)index;
    SR_TRY(cli_read_file((const char *)rest.p, SR_MAX_SECRET_LEN + 2, b, err));
    size_t n = b->n;
    if (n > 0 && b->p[n - 1] == '\n') n--;
    if (n > 0 && b->p[n - 1] == '\r') n--;
    if (n == 0 || n > SR_MAX_SECRET_LEN)
        return sr_fail(err, SR_E_USAGE, "secret %u must have 1 to %d bytes", s->index,
                       SR_MAX_SECRET_LEN);
    s->value = b->p;
    s->n = n;
    return SR_OK;
}

static sr_status gather(struct cli *c, struct run_input *in, struct sr_err *err) {
    struct sr_run *r = &in->run;
    SR_TRY(project_app(c->args[0], &r->app, &in->deployed, err));
    r->args = cli_value(c, "--args");
    r->max_app_nrlc = cli_value(c, "--max-app-price");
    r->max_data_nrlc = cli_value(c, "--max-data-price");
    r->max_pool_nrlc = cli_value(c, "--max-pool-price");
    r->workerpool = cli_value(c, "--workerpool");
    r->beneficiary = cli_value(c, "--beneficiary");
    r->plain_result = cli_flag(c, "--plain-result");
    r->callback = cli_value(c, "--callback");
    const char *category = cli_value(c, "--category");
    if (category && !num_u64(slice_str(category), UINT64_MAX - 1, &r->category)) {
        sr_hint(err, "strongroom category list shows them");
        return sr_fail(err, SR_E_USAGE, "a category is a number");
    }
    const char *max = cli_value(c, "--max-price"); /* of each of the three, unless it has its own */
    if (!r->max_app_nrlc) r->max_app_nrlc = max;
    if (!r->max_data_nrlc) r->max_data_nrlc = max;
    if (!r->max_pool_nrlc) r->max_pool_nrlc = max;
    r->secrets = in->secrets;
    r->data = in->data;
    r->input_urls = in->urls;
    const char *v;
    while ((v = cli_value_nth(c, "--data", r->n_data)) != NULL) in->data[r->n_data++] = v;
    while ((v = cli_value_nth(c, "--input-file", r->n_inputs)) != NULL) in->urls[r->n_inputs++] = v;
    for (size_t i = 0; (v = cli_value_nth(c, "--secret", i)) != NULL; i++)
        SR_TRY(add_secret(in, v, err));
    return SR_OK;
}

#define TEXT_COPY(dst, src) (void)snprintf(dst, sizeof(dst), "%s", src)

static void default_folder(char *dst, size_t n, const char *task) {
    (void)snprintf(dst, n, "result-%.10s", task);
}

sr_status cli_wait_and_fetch(struct cli *c, const struct sr_deal_ids *ids, struct sr_err *err) {
    struct sr_task t = {0};
    sr_status st = sr_task_wait(c->client, ids->task, &t, err);
    if (st == SR_OK && cli_value(c, "--callback")) { /* the contract has the result */
        out_str(c, "status", t.status);
        out_str(c, "worker", t.worker);
        out_str(c, "digest", t.result_digest);
        out_str(c, "callback", cli_value(c, "--callback"));
        return SR_OK;
    }
    if (st != SR_OK) {
        c->has_failed = true;
        c->failed = t;
        TEXT_COPY(c->failed.task, ids->task);
        TEXT_COPY(c->failed.deal, ids->deal);
        struct sr_err none = {0};
        if (st == SR_E_TASK) (void)!sr_task_logs(c->client, ids->task, &c->failed_logs, &none);
        sr_hint(
            err,
            "strongroom task show %s tells more; strongroom result %s -o DIR fetches a late result",
            ids->task, ids->task);
        return st;
    }
    char folder[64];
    default_folder(folder, sizeof folder, ids->task);
    const char *out = cli_value(c, "--out");
    struct sr_result r = {0};
    SR_TRY(sr_result_get(c->client, ids->task, out ? out : folder, &r, err));
    out_str(c, "status", t.status);
    out_str(c, "worker", t.worker);
    out_str(c, "digest", t.result_digest);
    out_str(c, "result", r.dir);
    out_u64(c, "files", r.files);
    out_u64(c, "bytes", r.bytes);
    out_bool(c, "encrypted", r.was_encrypted);
    return SR_OK;
}

sr_status cmd_run(struct cli *c, struct sr_err *err) {
    struct run_input *in = sr_calloc_n(1, sizeof *in);
    if (!in) return sr_fail(err, SR_E_NOMEM, "out of memory");
    struct sr_deal_ids ids;
    sr_status st = gather(c, in, err);
    if (cli_flag(c, "--bulk")) {
        if (st == SR_OK) st = cli_run_bulk(c, &in->run, err);
        input_done(in);
        sr_free(in);
        return st;
    }
    if (st == SR_OK) st = sr_run_start(c->client, &in->run, &ids, err);
    input_done(in);
    sr_free(in);
    if (st != SR_OK) return st;
    out_begin(c);
    out_str(c, "deal", ids.deal);
    out_str(c, "task", ids.task);
    out_str(c, "tx", ids.tx);
    out_amount(c, "cost", ids.cost_nrlc);
    if (!cli_flag(c, "--no-wait")) st = cli_wait_and_fetch(c, &ids, err);
    if (st != SR_OK && c->json) buf_clear(&c->out); /* the failure is the only JSON then */
    if (st == SR_OK) out_end(c);
    return st;
}

sr_status cmd_can_run(struct cli *c, struct sr_err *err) {
    struct run_input *in = sr_calloc_n(1, sizeof *in);
    if (!in) return sr_fail(err, SR_E_NOMEM, "out of memory");
    struct sr_blocker *list = NULL;
    size_t n = 0;
    char cost[SR_AMOUNT_TEXT];
    sr_status st = gather(c, in, err);
    if (st == SR_OK) st = sr_can_run(c->client, &in->run, &list, &n, cost, err);
    input_done(in);
    sr_free(in);
    if (st != SR_OK) return st;
    out_begin(c);
    out_bool(c, c->json ? "canRun" : "can run", n == 0);
    out_amount(c, "cost", cost);
    out_list_begin(c, "blockers");
    for (size_t i = 0; i < n; i++) {
        const struct sr_blocker *b = &list[i];
        out_text(c, "\n%zu. %s\n", i + 1, b->what);
        out_text(c, "   what to do: %s\n", b->next);
        out_text(c, "   failure:    %s (to be mended by: %s%s)\n", b->code, b->party,
                 b->retry ? "; trying again may help" : "");
        if (!c->json) continue;
        jw_obj(&c->w);
        jw_kcstr(&c->w, "code", b->code);
        jw_kcstr(&c->w, "stage", b->stage);
        jw_kcstr(&c->w, "party", b->party);
        jw_kbool(&c->w, "retry", b->retry);
        jw_kcstr(&c->w, "what", b->what);
        jw_kcstr(&c->w, "next", b->next);
        jw_end_obj(&c->w);
    }
    out_list_end(c);
    out_end(c);
    c->exit_code = n == 0 ? 0 : 3;
    sr_free(list);
    return SR_OK;
}

sr_status cmd_deal_show(struct cli *c, struct sr_err *err) {
    struct sr_deal d = {0};
    SR_TRY(sr_deal_show(c->client, c->args[0], &d, err));
    out_begin(c);
    out_str(c, "deal", d.deal);
    out_str(c, "app", d.app);
    out_str(c, "data", d.data);
    out_str(c, "workerpool", d.workerpool);
    out_str(c, "requester", d.requester);
    out_str(c, "beneficiary", d.beneficiary);
    out_amount(c, "price", d.price_nrlc);
    out_str(c, "tag", d.tag);
    out_u64(c, "category", d.category);
    out_u64(c, "trust", d.trust);
    out_time(c, "start", d.start_unix_s);
    out_u64(c, "first", d.first);
    out_u64(c, "size", d.size);
    out_str(c, "params", d.params ? d.params : "");
    out_end(c);
    sr_deal_done(&d);
    return SR_OK;
}

/* What the app tried on the network: in JSON always, for people when it tried anything. */
void cli_put_egress(struct cli *c, const struct sr_task *t) {
    const struct sr_egress_count *e = &t->egress;
    char text[200];
    if (!t->has_egress) return;
    (void)snprintf(text, sizeof text,
                   c->json ? "{\"connections\":%llu,\"failed\":%llu,\"refused\":%llu,"
                             "\"sent\":%llu,\"received\":%llu}"
                           : "%llu connections (%llu failed), %llu refused, %llu bytes sent, "
                             "%llu received",
                   (unsigned long long)e->connections, (unsigned long long)e->failed,
                   (unsigned long long)e->refused, (unsigned long long)e->sent,
                   (unsigned long long)e->received);
    if (c->json)
        out_json(c, "egress", text);
    else if (e->connections + e->refused > 0)
        out_str(c, "network", text);
}

static void put_task(struct cli *c, const struct sr_task *t) {
    out_begin(c);
    out_str(c, "task", t->task);
    out_str(c, "deal", t->deal);
    out_str(c, "status", t->status);
    out_str(c, "stage", t->stage);
    out_str(c, "cause", t->cause);
    const struct sr_failure *f = sr_failure_find(t->cause);
    if (f) {
        out_str(c, "code", f->code);
        if (c->json) out_str(c, "failureStage", f->stage);
        out_str(c, "party", f->party);
        out_bool(c, "retry", f->retry);
        out_str(c, "next", f->next);
    }
    out_str(c, "worker", t->worker);
    out_time(c, c->json ? "finalDeadline" : "final deadline", t->final_deadline_unix_s);
    out_str(c, "result", t->result_location);
    out_str(c, "digest", t->result_digest);
    if (t->has_exit_code) out_i64(c, c->json ? "exitCode" : "exit code", t->exit_code);
    cli_put_egress(c, t);
}

sr_status cmd_task_show(struct cli *c, struct sr_err *err) {
    struct sr_task t;
    SR_TRY(sr_task_show(c->client, c->args[0], &t, err));
    put_task(c, &t);
    out_end(c);
    return SR_OK;
}

sr_status cmd_task_wait(struct cli *c, struct sr_err *err) {
    struct sr_task t;
    SR_TRY(sr_task_wait(c->client, c->args[0], &t, err));
    put_task(c, &t);
    out_end(c);
    return SR_OK;
}

#define SHOWN_MAX 4096u /* bytes of callback data that are printed; all are in the file */

/* The bytes that the contract got, as it got them. */
static sr_status read_told(const char *dir, struct buf *hex, struct sr_err *err) {
    cleanup_free char *path = path_join(dir, "callback-data");
    cleanup_buf struct buf told;
    buf_init(&told, SHOWN_MAX);
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    SR_TRY(fs_read(path, &told, err));
    buf_str(hex, "0x");
    buf_hex(hex, buf_slice(&told));
    return buf_status(hex, err);
}

sr_status cmd_result(struct cli *c, struct sr_err *err) {
    char folder[64];
    default_folder(folder, sizeof folder, c->args[0]);
    const char *out = cli_value(c, "--out");
    struct sr_result r = {0};
    SR_TRY(sr_result_get(c->client, c->args[0], out ? out : folder, &r, err));
    cleanup_buf struct buf told;
    buf_init(&told, 2 * SHOWN_MAX + 3);
    if (r.told && r.bytes <= SHOWN_MAX) SR_TRY(read_told(r.dir, &told, err));
    out_begin(c);
    out_str(c, "task", c->args[0]);
    out_str(c, "result", r.dir);
    out_u64(c, "files", r.files);
    out_u64(c, "bytes", r.bytes);
    out_bool(c, "encrypted", r.was_encrypted);
    if (told.n > 0) out_str(c, "callbackData", buf_cstr(&told));
    out_end(c);
    return SR_OK;
}
