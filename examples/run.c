/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - run an app on protected data and fetch the decrypted result
 *
 *   run DIR WHO APP DATA OUT
 */
#include <stdio.h>
#include <strongroom/strongroom.h>

static void show_progress(void *arg, const struct sr_progress *p) {
    (void)arg;
    if (p->stage) (void)fprintf(stderr, "%s\n", p->stage);
}

int main(int argc, char **argv) {
    struct sr_err err = {0};
    struct sr_client *c = NULL;
    if (argc != 6) {
        (void)fprintf(stderr, "usage: run DIR WHO APP DATA OUT\n");
        return 2;
    }
    struct sr_options opts = {.dir = argv[1], .as = argv[2], .progress = show_progress};
    const char *data[] = {argv[4]};
    struct sr_run run = {.app = argv[3], .data = data, .n_data = 1};
    struct sr_deal_ids ids;
    struct sr_result result;
    sr_status st = sr_client_open(&opts, &c, &err);
    if (st == SR_OK) st = sr_run_start(c, &run, &ids, &err); /* every check, then the deal */
    if (st == SR_OK) st = sr_task_wait(c, ids.task, NULL, &err);
    if (st == SR_OK) st = sr_result_get(c, ids.task, argv[5], &result, &err);
    if (st == SR_OK)
        (void)printf("%s: %zu files in %s\n", ids.task, result.files, result.dir);
    else
        (void)fprintf(stderr, "%s\n  what to do: %s\n", err.what, err.hint);
    sr_client_close(c);
    return sr_exit_code(st);
}
