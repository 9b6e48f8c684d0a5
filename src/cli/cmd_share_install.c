/* SPDX-License-Identifier: Apache-2.0 */
/*
 * share install: the delivery app that comes with this program, ready to share data with
 *
 * Deploys it, hands it to the sharing contract, makes a whitelist of it. What a former, interrupted
 * call has done already is taken up.
 */
#include "cli/project.h"
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define DELIVERY "content-delivery"

/* Its folder: beside this program in a build, or installed with it. */
static sr_status find_folder(char ret[PATH_MAX], struct sr_err *err) {
    static const char *const places[] = {"iapps/" DELIVERY,
                                         "../libexec/strongroom/iapps/" DELIVERY};
    char self[PATH_MAX / 2];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return sr_fail(err, SR_E_SYS, "find this program's own file");
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    for (size_t i = 0; i < SR_ARRAY_LEN(places); i++) {
        (void)snprintf(ret, PATH_MAX, "%s/%s", self, places[i]);
        if (fs_is_dir(ret)) return SR_OK;
    }
    sr_hint(err, "strongroom app deploy DIR, share app APP and share whitelist APP do it step by "
                 "step, with any app");
    return sr_fail(err, SR_E_NOTFOUND, "the delivery app did not come with this program");
}

static bool is_delivery(struct cli *c, const char *app) {
    struct sr_app a = {0};
    bool yes = sr_app_show(c->client, app, &a, NULL) == SR_OK && strcmp(a.name, DELIVERY) == 0;
    sr_app_done(&a);
    return yes;
}

/* A whitelist of this wallet with the app in it. */
static sr_status find_list(struct cli *c, const char *me, char ret_list[SR_ADDR_TEXT],
                           char ret_app[SR_ADDR_TEXT], struct sr_err *err) {
    struct sr_sharing s = {0};
    SR_TRY(sr_sharing_read(c->client, &s, err));
    for (size_t i = 0; i < s.n_apps && !ret_list[0]; i++) {
        if (strcmp(s.apps[i].owner, me) != 0 || !s.apps[i].app[0]) continue;
        if (!is_delivery(c, s.apps[i].app)) continue;
        memcpy(ret_list, s.apps[i].list, SR_ADDR_TEXT);
        memcpy(ret_app, s.apps[i].app, SR_ADDR_TEXT);
    }
    sr_sharing_done(&s);
    return SR_OK;
}

/* Deployed by this wallet, and not handed over yet. */
static sr_status find_app(struct cli *c, const char *me, char ret_app[SR_ADDR_TEXT],
                          struct sr_err *err) {
    struct sr_resource *list = NULL;
    size_t n = 0;
    SR_TRY(sr_resource_list(c->client, "app", me, &list, &n, err));
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name, DELIVERY) == 0) memcpy(ret_app, list[i].address, SR_ADDR_TEXT);
    sr_free(list);
    return SR_OK;
}

static sr_status deploy(struct cli *c, char ret_app[SR_ADDR_TEXT], struct sr_err *err) {
    char folder[PATH_MAX];
    struct sr_app a = {0};
    SR_TRY(find_folder(folder, err));
    SR_TRY(sr_app_deploy(c->client, folder, true, &a, err));
    memcpy(ret_app, a.address, SR_ADDR_TEXT);
    sr_app_done(&a);
    return SR_OK;
}

sr_status cmd_share_install(struct cli *c, struct sr_err *err) {
    struct sr_wallet me;
    char app[SR_ADDR_TEXT] = "", list[SR_ADDR_TEXT] = "", tx[SR_HASH_TEXT] = "";
    SR_TRY(sr_wallet_show(c->client, NULL, &me, err));
    SR_TRY(find_list(c, me.address, list, app, err));
    if (!list[0]) {
        const char *const apps[] = {app};
        SR_TRY(find_app(c, me.address, app, err));
        if (!app[0]) SR_TRY(deploy(c, app, err));
        SR_TRY(sr_share_app(c->client, app, tx, err));
        SR_TRY(sr_whitelist_new(c->client, apps, 1, list, tx, err));
    }
    out_begin(c);
    out_str(c, "app", app);
    out_str(c, "whitelist", list);
    out_str(c, "tx", tx);
    out_end(c);
    return SR_OK;
}

sr_status share_own_list(struct cli *c, char ret_list[SR_ADDR_TEXT], struct sr_err *err) {
    struct sr_sharing s = {0};
    struct sr_wallet me;
    bool several = false;
    char list[SR_ADDR_TEXT] = "";
    SR_TRY(sr_wallet_show(c->client, NULL, &me, err));
    SR_TRY(sr_sharing_read(c->client, &s, err));
    for (size_t i = 0; i < s.n_apps; i++) {
        if (strcmp(s.apps[i].owner, me.address) != 0) continue;
        several = several || (list[0] && strcmp(list, s.apps[i].list) != 0);
        memcpy(list, s.apps[i].list, SR_ADDR_TEXT);
    }
    sr_sharing_done(&s);
    if (list[0] && !several) {
        memcpy(ret_list, list, SR_ADDR_TEXT);
        return SR_OK;
    }
    sr_hint(err, several ? "--whitelist LIST; strongroom share list --json shows them"
                         : "strongroom share install makes one that hands the content over");
    return sr_fail(err, SR_E_USAGE, "which apps may use it? %s",
                   several ? "the wallet has several whitelists"
                           : "the wallet has no whitelist yet");
}
