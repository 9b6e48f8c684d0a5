/* SPDX-License-Identifier: Apache-2.0 */
/* drive.h - plays worker and secret service for one room, blocking: for tests and measurements */
#pragma once
#include "room/door.h"
#include "worker/proxy.h"

struct drive_data {
    struct slice plain;
    bool wrong_key, wrong_checksum;
};
struct drive {
    const char *args;
    const struct drive_data *data;
    size_t n_data;
    const char *const *inputs; /* URLs */
    const struct slice *input_bytes;
    size_t n_inputs;
    const char *public_pem; /* asks for encryption */
    bool callback, encrypt_without_key, bulk;
    bool data_out_of_order; /* the first data set is sent as the second */
    const char *app_secret, *requester_secret;
    uint64_t memory_bytes, disk_bytes;                      /* 0: 256 MiB each */
    uint32_t processes, seconds;                            /* 0: 64, 20 */
    bool other_signer, other_task, other_room, other_image; /* tampering */
    /* The image's list, and its names that lead to this host: then a real proxy serves the app. */
    const struct oci_strings *egress;
    const char *loopback;
    void (*while_running)(void *arg, struct launched *r); /* called at RUNNING */
    void *arg;
};
struct drive_end {
    bool done, failed; /* neither: the room went away */
    struct buf body;   /* of DONE or FAILED; the two below borrow from it */
    struct door_done d;
    struct door_failed f;
    struct buf archive;
    struct hash task;
    struct addr worker, challenge;
    int64_t ready_us, binding_us, running_us, end_us; /* since the launch */
    char cause[DOOR_CAUSE_MAX + 1];
    char message[DOOR_TEXT_MAX + 1];
};
struct drive_world {
    struct launcher launcher;
    struct buf platform; /* of the simulated authority */
    struct sr_secret sms_key;
    struct addr sms_identity;
    char dir[64];
};
void drive_setup(struct drive_world *w, const char *room_path);
void drive_keys(struct drive_world *w); /* the secret service's, new */
void drive_teardown(struct drive_world *w);
/* Packs one executable as an image; *ret_digest its manifest's. */
void drive_image(struct drive_world *w, const char *exe, const char *name, struct hash *ret_digest);
/* egress: JSON of app.json's list; NULL: none. */
void drive_image_egress(struct drive_world *w, const char *exe, const char *name,
                        const char *egress, struct hash *ret_digest);
/* image is the name given to drive_image. */
void drive_run(struct drive_world *w, const char *image, const struct hash *digest,
               const struct drive *d, struct drive_end *ret);
void drive_end_done(struct drive_end *e);
