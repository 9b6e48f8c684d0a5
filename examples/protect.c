/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protect.c - the smallest program: protect a file, grant an app and a user, say where it is
 *
 *   protect DIR WHO FILE APP USER
 *
 * DIR is a network's folder (strongroom up --dir DIR), WHO a development name such as alice.
 */
#include <stdio.h>
#include <strongroom/strongroom.h>

static void show_progress(void *arg, const struct sr_progress *p) {
    (void)arg;
    if (p->total > 0 && p->done == p->total) (void)fprintf(stderr, "%s done\n", p->step);
}

static int complain(const struct sr_err *err) {
    (void)fprintf(stderr, "%s\n  what to do: %s\n", err->what, err->hint);
    return sr_exit_code(err->code);
}

int main(int argc, char **argv) {
    struct sr_err err = {0};
    struct sr_client *c = NULL;
    struct sr_data data = {0};
    if (argc != 6) {
        (void)fprintf(stderr, "usage: protect DIR WHO FILE APP USER\n");
        return 2;
    }
    struct sr_options opts = {.dir = argv[1], .as = argv[2], .progress = show_progress};
    const char *files[] = {argv[3]};
    struct sr_grant_info granted;
    sr_status st = sr_client_open(&opts, &c, &err);
    if (st == SR_OK) st = sr_data_protect_files(c, files, 1, "example", &data, &err);
    if (st == SR_OK) {
        struct sr_grant grant = {
            .data = data.address, .app = argv[4], .user = argv[5], .count = 10};
        st = sr_data_grant(c, &grant, &granted, &err);
    }
    if (st == SR_OK) (void)printf("%s %s %s\n", data.address, data.cid, granted.order_hash);
    int code = st == SR_OK ? 0 : complain(&err);
    sr_data_done(&data);
    sr_client_close(c);
    return code;
}
