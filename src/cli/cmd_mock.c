/* SPDX-License-Identifier: Apache-2.0 */
/* app mock: protected data for app test, typed and archived as data protect does it. */
#include "cli/project.h"
#include "sdk/sdk_int.h"
#include <unistd.h>

#define MOCK_MAX (16u << 20)

static sr_status collect(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

static sr_status archive(const struct pd_tree *t, struct buf *zip, struct sr_err *err) {
    struct zip_writer *z;
    SR_TRY(zip_writer_new(collect, zip, 0, &z, err));
    sr_status st = SR_OK;
    for (size_t i = 0; i < t->n && st == SR_OK; i++)
        st = t->v[i].folder ? zip_folder(z, t->v[i].path, err)
                            : zip_file(z, t->v[i].path, ZIP_STORED, t->v[i].bytes, err);
    if (st == SR_OK) st = zip_finish(z, err);
    zip_writer_free(z);
    return st;
}

static sr_status check_name(struct slice name, struct sr_err *err) {
    bool ok = name.n > 0 && name.n <= 64;
    for (size_t i = 0; ok && i < name.n; i++) {
        uint8_t c = name.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_';
    }
    if (ok) return SR_OK;
    sr_hint(err, "letters, digits, - and _");
    return sr_fail(err, SR_E_USAGE, "%s cannot be a mock's name", log_q(name).s);
}

sr_status cmd_app_mock(struct cli *c, struct sr_err *err) {
    const char *text = cli_value(c, "--object"), *name = c->n_args > 0 ? c->args[0] : "default";
    cleanup_free char *dir = NULL, *folder = NULL, *path = NULL;
    cleanup_buf struct buf json, zip;
    struct pd_tree tree = {0};
    buf_init(&json, MOCK_MAX);
    buf_init(&zip, MOCK_MAX);
    if (!text) {
        sr_hint(err,
                "--object FILE: the JSON object that the mock shall hold; - is standard input");
        return sr_fail(err, SR_E_USAGE, "app mock needs --object");
    }
    SR_TRY(check_name(slice_str(name), err));
    SR_TRY(project_find(".", &dir, err));
    SR_TRY(cli_read_file(text, MOCK_MAX, &json, err));
    SR_TRY(pd_tree_of_json(buf_slice(&json), &tree, err));
    sr_status st = archive(&tree, &zip, err);
    folder = path_join(dir, "mock/protectedData");
    path = folder ? path_join(folder, name) : NULL;
    if (st == SR_OK && !path) st = sr_fail(err, SR_E_NOMEM, "path");
    if (st == SR_OK) st = fs_mkdirs(folder, 0755, err);
    if (st == SR_OK) st = fs_write_atomic(path, buf_slice(&zip), 0644, err);
    if (st == SR_OK) {
        out_begin(c);
        out_str(c, "mock", name);
        out_str(c, "file", path);
        out_json(c, "schema", buf_cstr(&tree.schema));
        out_end(c);
    }
    pd_tree_done(&tree);
    return st;
}
