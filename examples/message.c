/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.c - mails every contact who allows it, one message each, and says what became of it
 *
 *   message DIR WHO SUBJECT TEXT
 *
 * DIR is a network's folder with a mail app (strongroom mail install), WHO a development name.
 */
#include <stdio.h>
#include <string.h>
#include <strongroom/messaging.h>

static int complain(const struct sr_err *err) {
    (void)fprintf(stderr, "%s\n  what to do: %s\n", err->what, err->hint);
    return sr_exit_code(err->code);
}

static sr_status write_to(struct sr_client *c, const struct sr_message *m, const char *contact,
                          struct sr_err *err) {
    struct sr_deal_ids ids;
    struct sr_delivery *told;
    size_t n;
    sr_status st = sr_message_send(c, m, contact, &ids, err);
    if (st == SR_OK) st = sr_task_wait(c, ids.task, NULL, err);
    if (st == SR_OK) st = sr_deliveries(c, ids.task, &told, &n, err);
    if (st != SR_OK) return st;
    for (size_t i = 0; i < n; i++)
        (void)printf("%s %s\n", told[i].data,
                     told[i].state == SR_DELIVERY_SENT ? "sent" : told[i].error);
    sr_free(told);
    return SR_OK;
}

int main(int argc, char **argv) {
    struct sr_err err = {0};
    struct sr_client *c = NULL;
    struct sr_contact *contacts = NULL;
    size_t n = 0;
    if (argc != 5) {
        (void)fprintf(stderr, "usage: message DIR WHO SUBJECT TEXT\n");
        return 2;
    }
    struct sr_options opts = {.dir = argv[1], .as = argv[2]};
    struct sr_message m = {.channel = SR_MAIL,
                           .subject = argv[3],
                           .content = argv[4],
                           .content_n = strlen(argv[4]),
                           .sender = "Example"};
    sr_status st = sr_client_open(&opts, &c, &err);
    if (st == SR_OK) st = sr_contacts(c, SR_MAIL, NULL, &contacts, &n, &err);
    for (size_t i = 0; i < n && st == SR_OK; i++)
        if (strcmp(contacts[i].price_nrlc, "0") == 0) st = write_to(c, &m, contacts[i].data, &err);
    int code = st == SR_OK ? 0 : complain(&err);
    sr_free(contacts);
    sr_client_close(c);
    return code;
}
