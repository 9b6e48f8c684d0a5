/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of a message: the app's result.json, the room's list of what it released, or the 32
 * bytes on the chain of a mail with the official client's callback.
 * SPEC: messaging.md#74-resultjson
 */
#include "sdk/messaging_int.h"
#include <stdlib.h>

#define RESULT_MAX (1u << 20) /* bytes of result.json, and of the room's list */
#define TOLD_MAX   65536u     /* bytes for a contract: what a room gives at most */

static sr_status read_json(const char *dir, const char *name, struct json **ret_doc,
                           struct sr_err *err) {
    cleanup_free char *path = path_join(dir, name);
    cleanup_buf struct buf text;
    buf_init(&text, RESULT_MAX);
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    if (!fs_exists(path))
        return sr_fail(err, SR_E_MALFORMED, "the result has no %s: was it a messaging app?", name);
    SR_TRY(fs_read(path, &text, err));
    return json_parse(buf_slice(&text), ret_doc, err);
}

static sr_status read_told(const char *dir, struct sr_delivery *d, struct sr_err *err) {
    cleanup_free char *path = path_join(dir, "callback-data");
    cleanup_buf struct buf told;
    buf_init(&told, TOLD_MAX);
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    SR_TRY(fs_read(path, &told, err));
    return delivery_of_callback(buf_slice(&told), d, err);
}

static sr_status read_single(const char *dir, const struct addr *data, bool told, struct outcome *o,
                             struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    o->list = sr_calloc_n(1, sizeof *o->list);
    if (!o->list) return sr_fail(err, SR_E_NOMEM, "out of memory");
    o->n = 1;
    addr_put(o->list[0].data, data);
    if (told) return read_told(dir, o->list, err);
    SR_TRY(read_json(dir, "result.json", &doc, err));
    return delivery_of_one(json_root(doc), o->list, err);
}

static sr_status read_bulk(const char *dir, struct outcome *o, struct sr_err *err) {
    cleanup_json struct json *released = NULL, *doc = NULL;
    SR_TRY(read_json(dir, "strongroom-datasets.json", &released, err));
    SR_TRY(read_json(dir, "result.json", &doc, err));
    return delivery_of_bulk(json_root(released), json_root(doc), o, err);
}

struct deliveries_args {
    struct sr_client *c;
    const char *task;
    struct outcome out;
};

static sr_status read_all(struct deliveries_args *a, const char *dir, struct sr_err *err) {
    struct sr_client *c = a->c;
    struct sr_result r = {0};
    struct sr_task t = {0};
    struct hash task, deal;
    cleanup_deal struct poco_deal d = {0};
    SR_TRY(sdk_hash_arg(a->task, "task", &task, err));
    SR_TRY(task_show(c, &task, &t, err));
    SR_TRY(sdk_hash_arg(t.deal, "deal", &deal, err));
    SR_TRY(poco_view_deal(&c->poco, &deal, (struct eth_at){0}, &d, err));
    SR_TRY(sr_result_get(c, a->task, dir, &r, err));
    return addr_is_zero(&d.dataset.pointer)
               ? read_bulk(dir, &a->out, err)
               : read_single(dir, &d.dataset.pointer, r.told, &a->out, err);
}

/* The result lies in a private folder for the moment: it names no address. */
static sr_status deliveries(void *arg, struct sr_err *err) {
    char folder[] = "/tmp/strongroom-sent-XXXXXX";
    if (!mkdtemp(folder)) return sr_fail(err, SR_E_SYS, "can't make a temporary folder");
    sr_status st = read_all(arg, folder, err);
    struct sr_err none = {0};
    if (fs_remove_tree(folder, &none) != SR_OK) log_err(LOG_WARN, "temporary_folder_left", &none);
    return st;
}

sr_status sr_deliveries(struct sr_client *c, const char *task, struct sr_delivery **ret_list,
                        size_t *ret_n, struct sr_err *err) {
    struct deliveries_args a = {.c = c, .task = task};
    sr_status st = sdk_call(c, deliveries, &a, err);
    if (st != SR_OK) {
        free(a.out.list);
        return st;
    }
    *ret_list = a.out.list;
    *ret_n = a.out.n;
    return SR_OK;
}
