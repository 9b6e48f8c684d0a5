/* SPDX-License-Identifier: Apache-2.0 */
/* Apps: a folder becomes an image in the store, an entry in the registry, an order in the book. */
#include "oci/oci.h"
#include "sdk/sdk_int.h"
#include "sdk/system.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void sr_app_done(struct sr_app *a) {
    if (!a) return;
    free(a->egress);
    a->egress = NULL;
}

struct app_args {
    struct sr_client *c;
    const char *dir;          /* or the app's address or name */
    const char *image, *name; /* an image instead of a folder; its app's name */
    bool no_publish;
    struct oci_settings settings;
    struct sr_app *ret;
};

static sr_status egress_json(const struct oci_strings *hosts, char **ret, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, 65536);
    struct jw w = jw_of(&b);
    jw_arr(&w);
    for (size_t i = 0; i < hosts->n; i++) jw_cstr(&w, hosts->v[i]);
    jw_end_arr(&w);
    SR_TRY(buf_status(&b, err));
    *ret = slice_dup(buf_slice(&b));
    return *ret ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

struct upload {
    struct sr_client *c;
    int fd;
    uint64_t done, total;
};

static sr_status read_image(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    struct upload *u = arg;
    ssize_t got;
    do got = read(u->fd, p, n);
    while (got < 0 && errno == EINTR);
    if (got < 0) return sr_fail(err, SR_E_SYS, "can't read the image");
    u->done += (uint64_t)got;
    *ret_n = (size_t)got;
    sdk_progress(u->c, "upload", NULL, u->done, u->total, NULL);
    return SR_OK;
}

static sr_status build_image(const struct app_args *a, const char *path, struct oci_built *built,
                             struct sr_err *err) {
    struct sdk_system system;
    SR_TRY(sdk_system_of(a->dir, &system, err));
    sr_status st = oci_build_with(a->dir, path, system.v, system.n, &a->settings, built, err);
    sdk_system_done(&system);
    return st;
}

/* Builds in a private temporary folder, uploads, and removes it. */
static sr_status pack(const struct app_args *a, struct oci_built *built, struct dag_result *ret,
                      struct sr_err *err) {
    struct sr_client *c = a->c;
    const char *dir = a->image ? a->image : a->dir;
    char folder[] = "/tmp/strongroom-app-XXXXXX";
    if (!mkdtemp(folder)) return sr_fail(err, SR_E_SYS, "can't make a temporary folder");
    cleanup_free char *path = path_join(folder, "image.tar");
    sr_status st = path ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
    sdk_progress(c, "pack", NULL, 0, 0, dir);
    if (st == SR_OK)
        st = a->image ? sdk_copy_image(a->image, a->name, path, built, err)
                      : build_image(a, path, built, err);
    if (st == SR_OK) {
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct upload u = {c, fd, 0, built->size};
        st = fd < 0 ? sr_fail(err, SR_E_SYS, "can't read the image")
                    : ipfs_add(c->net.ipfs_node, read_image, &u, built->size, ret, err);
    }
    struct sr_err none = {0};
    if (fs_remove_tree(folder, &none) != SR_OK) log_err(LOG_WARN, "temporary_folder_left", &none);
    return st;
}

/* The same image by the same owner has the same address: then it is there already. */
static sr_status enroll(struct sr_client *c, const struct oci_built *built, struct sr_app *ret,
                        struct addr *ret_a, struct sr_err *err) {
    cleanup_buf struct buf where, data;
    cleanup_receipt struct eth_receipt r = {0};
    bool registered;
    struct addr owner;
    buf_init(&where, MULTIADDR_MAX);
    buf_init(&data, 65536);
    SR_TRY(multiaddr_bytes(slice_str(ret->multiaddr), &where, err));
    SR_TRY(poco_enc_create_app(&data, &c->me, slice_str(built->name), SLICE_LIT("DOCKER"),
                               buf_slice(&where), &built->manifest, (struct slice){NULL, 0}, err));
    SR_TRY(poco_predict(&c->poco, POCO_APP, buf_slice(&data), ret_a, err));
    SR_TRY(poco_owner(&c->poco, POCO_APP, ret_a, (struct eth_at){0}, &registered, &owner, err));
    if (registered) return SR_OK;
    sdk_progress(c, "deploy", NULL, 0, 0, built->name);
    SR_TRY(sdk_send(c, &c->poco.app_registry, (struct u256){0}, buf_slice(&data), &r, err));
    SR_TRY(poco_receipt_created(&c->poco, POCO_APP, &r, ret_a, err));
    hash_put(ret->tx, &r.tx);
    return SR_OK;
}

static sr_status publish(struct sr_client *c, const struct addr *app, struct sr_app *ret,
                         struct sr_err *err) {
    cleanup_book struct book open = {0};
    struct addr_text text = addr_text(app);
    struct book_filter f = {.resource = text.s};
    struct hash tag = tag_of(SDK_TAG_TEE_TDX), h;
    f.min_tag = &tag;
    SR_TRY(market_orders(c, POCO_APP, &f, &open, err));
    for (size_t i = 0; i < open.n; i++)
        if (u256_is_zero(open.v[i].order.app.appprice)) {
            hash_put(ret->order_hash, &open.v[i].hash);
            return SR_OK;
        }
    struct poco_order o = {.kind = POCO_APP};
    o.app = (struct poco_apporder){
        .app = *app, .volume = u256_of(POCO_SAFE_MAX), .tag = tag_of(SDK_TAG_TEE_TDX)};
    sdk_progress(c, "publish", NULL, 0, 0, text.s);
    SR_TRY(market_publish(c, &o, &h, err));
    hash_put(ret->order_hash, &h);
    return SR_OK;
}

static sr_status deploy_built(struct app_args *a, struct oci_built *built, struct sr_err *err) {
    struct sr_client *c = a->c;
    struct dag_result d;
    struct addr app;
    SR_TRY(pack(a, built, &d, err));
    (void)snprintf(a->ret->multiaddr, sizeof a->ret->multiaddr, "/ipfs/%s", cid_text(&d.cid).s);
    hash_put(a->ret->checksum, &built->manifest);
    addr_put(a->ret->owner, &c->me);
    TEXT_PUT(a->ret->name, slice_str(built->name));
    SR_TRY(egress_json(&built->egress, &a->ret->egress, err));
    SR_TRY(enroll(c, built, a->ret, &app, err));
    addr_put(a->ret->address, &app);
    return a->no_publish ? SR_OK : publish(c, &app, a->ret, err);
}

static sr_status deploy(void *arg, struct sr_err *err) {
    struct app_args *a = arg;
    struct oci_built built = {0};
    SR_TRY(sdk_network(a->c, err));
    SR_TRY(sdk_service(a->c, a->c->net.ipfs_node, "ipfsNode", err));
    if (!a->no_publish) SR_TRY(sdk_service(a->c, a->c->net.market, "market", err));
    SR_TRY(sdk_unlock(a->c, err));
    SR_TRY(sdk_chain(a->c, err));
    sr_status st = deploy_built(a, &built, err);
    oci_built_done(&built);
    return st;
}

static sr_status show(void *arg, struct sr_err *err) {
    struct app_args *a = arg;
    struct sr_client *c = a->c;
    struct poco_app app = {0};
    cleanup_buf struct buf where;
    struct addr addr;
    buf_init(&where, MULTIADDR_MAX * 2);
    SR_TRY(sdk_app_addr(c, a->dir, &addr, err));
    SR_TRY(sdk_chain(c, err));
    sr_status seen = poco_view_app(&c->poco, &addr, (struct eth_at){0}, &app, err);
    if (seen == SR_E_NOTFOUND) sr_hint(err, "strongroom app deploy prints an app's address");
    if (seen != SR_OK) return seen;
    addr_put(a->ret->address, &addr);
    addr_put(a->ret->owner, &app.owner);
    TEXT_PUT(a->ret->name, app.name);
    hash_put(a->ret->checksum, &app.checksum);
    sr_status st = multiaddr_text(app.multiaddr, &where, err);
    struct slice text = buf_slice(&where);
    if (slice_starts(text, "/p2p/")) /* one protocol of two names: the one that deploy says */
        (void)snprintf(a->ret->multiaddr, sizeof a->ret->multiaddr, "/ipfs/%.*s", (int)(text.n - 5),
                       (const char *)text.p + 5);
    else
        TEXT_PUT(a->ret->multiaddr, text);
    if (st == SR_OK) {
        struct oci_strings hosts = {0};
        struct sr_err unknown = {0}; /* then nothing is said of it */
        if (sdk_image_egress(c, a->ret->multiaddr, &app.checksum, &hosts, &unknown) == SR_OK)
            st = egress_json(&hosts, &a->ret->egress, err);
        oci_strings_done(&hosts);
    }
    poco_app_done(&app);
    return st;
}

static sr_status run(struct app_args *a, sdk_fn fn, struct sr_app *ret_a, struct sr_err *err) {
    struct sr_app app = {0};
    a->ret = &app;
    sr_status st = sdk_call(a->c, fn, a, err);
    if (st == SR_OK)
        *ret_a = app;
    else
        sr_app_done(&app);
    return st;
}

sr_status sr_app_deploy(struct sr_client *c, const char *dir, bool no_publish, struct sr_app *ret_a,
                        struct sr_err *err) {
    struct app_args a = {.c = c, .dir = dir, .no_publish = no_publish};
    return run(&a, deploy, ret_a, err);
}

sr_status sr_app_deploy_with(struct sr_client *c, const char *dir,
                             const struct sr_app_settings *settings, struct sr_app *ret_a,
                             struct sr_err *err) {
    struct app_args a = {.c = c,
                         .dir = dir,
                         .no_publish = settings->no_publish,
                         .settings = {.egress = settings->egress,
                                      .n_egress = settings->n_egress,
                                      .env = settings->env,
                                      .n_env = settings->n_env}};
    return run(&a, deploy, ret_a, err);
}

sr_status sr_app_deploy_image(struct sr_client *c, const char *image, const char *name,
                              bool no_publish, struct sr_app *ret_a, struct sr_err *err) {
    struct app_args a = {.c = c, .image = image, .name = name, .no_publish = no_publish};
    return run(&a, deploy, ret_a, err);
}

sr_status sr_app_show(struct sr_client *c, const char *app, struct sr_app *ret_a,
                      struct sr_err *err) {
    struct app_args a = {.c = c, .dir = app};
    return run(&a, show, ret_a, err);
}
