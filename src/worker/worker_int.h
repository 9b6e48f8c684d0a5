/* SPDX-License-Identifier: Apache-2.0 */
/* worker_int.h - the worker's parts (private to worker) */
#pragma once
#include "eth/eth.h"
#include "ipfs/client.h"
#include "net/role.h"
#include "oci/oci.h"
#include "poco/poco.h"
#include "room/door.h"
#include "wire/vault_client.h"
#include "worker/door_io.h"
#include "worker/proxy.h"

#define WORKER_MAX_SLOTS      64u
#define WORKER_MAX_JOBS       256u /* with those whose end the scheduler has not heard */
#define WORKER_MAX_INPUTS     100u
#define WORKER_MAX_URL        2048u
#define WORKER_RECONNECT_MS   200u /* first pause after a lost connection; doubles */
#define WORKER_RECONNECT_MAX  5000u
#define WORKER_RETRY_MS       500u   /* between tries of a service that is away */
#define WORKER_RELEASE_MS     45000u /* how long the secret service may be away: a nonce's life */
#define WORKER_UPLOAD_MS      120000u
#define WORKER_ROOM_RESULT_MS 120000u
#define WORKER_ROOM_BYTES     (64u << 20)  /* for the room itself */
#define WORKER_ARCHIVE_EXTRA  (256u << 20) /* a result's archive beyond its files */
#define WORKER_CACHE_BYTES    (4ull << 30) /* of images */

/* A byte source or sink that is told apart by what it is of. */
struct job_input {
    struct addr address; /* of a data set */
    char *url;           /* multiaddr text, or an input file's URL; owned */
    struct hash checksum;
};

typedef enum {
    JOB_RUNNING,
    JOB_ENDED, /* its last message waits to be sent */
} job_state;

struct job {
    struct worker *w;
    struct job *next;
    job_state state;
    bool cancelled;       /* the scheduler dropped it: it ends without a word */
    struct fcond changed; /* authorised, cancelled */
    /* what was assigned */
    struct hash task, deal, match_tx;
    uint64_t index, seconds, contribution_deadline;
    struct wire_assignment assignment;
    struct addr app;
    char *app_multiaddr;
    struct hash app_checksum;
    struct job_input *datasets, *files;
    size_t n_datasets, n_files;
    bool bulk; /* data sets come with the release, and one that is missing does not end the task */
    bool initialized, has_callback;
    struct addr callback;
    /* what became of it */
    const char *stage;        /* static; the last one that was told */
    struct door *door;        /* while a room lives */
    struct oci_strings hosts; /* which the app may reach, by its image */
    struct proxy *proxy;      /* carries its connections; NULL: hosts is empty */
    struct door_egress egress;
    struct addr challenge;
    struct buf attested; /* that message, to say again after a lost connection */
    bool authorised;
    struct sr_signature authorisation;
    struct buf last;   /* done or failed */
    struct buf record; /* settling.json of an earlier life; n 0: a new job */
    /* for a failure */
    const char *cause; /* static, or cause_text */
    char cause_text[WIRE_CAUSE_MAX + 1];
    door_blame blame;
    bool has_exit;
    uint32_t exit_code;
    struct buf tail_out, tail_err;
    /* of a success */
    struct hash digest;
    struct sr_signature enclave_sign;
    struct buf callback_data, results;
    bool has_archive;
    struct hash tx;
    int64_t started_us;
};

struct worker {
    const char *dir, *scheduler, *store, *sms, *name, *ws_url; /* ws_url NULL: the node is polled */
    const char *egress_loopback; /* development: names that lead to this host; NULL: none */
    bool any_registry;           /* else only the store's own */
    struct addr hub, me, sms_identity;
    uint64_t chain_id, slots, memory_bytes, disk_bytes, processes;
    struct vault_client *vault;
    struct eth_rpc *rpc;
    struct eth_signer signer;
    struct eth_sender *sender;
    struct poco poco;
    struct launcher launcher;
    struct door *spare; /* a room that waits in its jail */
    bool making_spare;
    struct buf platform; /* SIMULATED authority; n 0: none */
    struct job *jobs;
    size_t n_jobs;
    /* the connection */
    struct ws *ws; /* NULL: none */
    unsigned sending;
    struct fcond link_changed;
    struct fmutex image_lock; /* one image is fetched at a time */
};

/* ---- link.c: the connection to the scheduler ---- */
void link_fiber(void *arg); /* struct worker *; runs until the loop stops */
/* Sends when connected; SR_E_UNAVAILABLE otherwise. */
SR_CHECK sr_status link_send(struct worker *w, struct slice text, struct sr_err *err);
/* Told when connected; said again on a new connection. */
void link_stage(struct job *j, const char *stage);
/* Waits until the job's last message has gone out. */
SR_CHECK sr_status link_send_last(struct job *j, struct sr_err *err);

/* ---- chain.c: what the chain takes back ---- */
void chain_fiber(void *arg); /* struct worker * */

/* ---- message.c: texts of docs/wire.md ---- */
SR_CHECK sr_status msg_assign_read(const struct json_val *v, struct job *j, struct sr_err *err);
SR_CHECK sr_status msg_login(const struct worker *w, const struct sr_signature *sig,
                             struct buf *ret, struct sr_err *err);
void msg_stage(struct buf *b, const struct hash *task, const char *stage);
void msg_attested(struct buf *b, const struct hash *task, const struct addr *challenge,
                  struct slice token);
void msg_done(struct buf *b, const struct job *j);
void msg_failed(struct buf *b, const struct job *j, const struct sr_err *e);

/* ---- job.c: one task ---- */
struct job *job_new(struct worker *w);
void job_free(struct job *j);
void job_fiber(void *arg); /* struct job *: runs it, tells the end, frees it */
/* Takes up what an earlier life left in DIR/jobs: goes on with what was settling, removes the rest.
 */
SR_CHECK sr_status jobs_resume(struct worker *w, struct sr_err *err);
void job_cancel(struct job *j);
struct job *job_find(struct worker *w, const struct hash *task);
size_t jobs_running(const struct worker *w);
/* Remembers why; the first one stays. Returns st. cause NULL: keep cause_text. */
/* The room's result into fd, up to its END; SR_E_TOOBIG beyond what a result can be. */
SR_CHECK sr_status job_take_data(struct job *j, struct door *d, int fd, struct sr_err *err);
sr_status job_fail(struct job *j, const char *cause, door_blame blame, sr_status st);
/* The same with another's word for it; one that is no cause (wire_is_cause: the scheduler would
 * take us for broken) becomes `otherwise`. */
sr_status job_fail_code(struct job *j, struct slice code, const char *otherwise, door_blame blame,
                        sr_status st);
/* DIR/jobs/<task>/name, owned. */
char *job_path(const struct job *j, const char *name) SR_CHECK;

/* ---- spare.c: one room always waits in its jail ---- */
SR_CHECK sr_status door_open(struct worker *w, struct door **ret, struct sr_err *err); /* READY */
void door_spare_start(struct worker *w); /* sees to it that a room waits */

/* ---- fetch.c: what goes into a room, and comes out ---- */
SR_CHECK sr_status fetch_image(struct job *j, int *ret_fd, bool *ret_cached, struct sr_err *err);
void image_forget(const struct worker *w, const struct hash *digest);
/* Reads what the image's config lists under "egress" into j->hosts. */
SR_CHECK sr_status image_hosts(struct job *j, int fd, struct sr_err *err);
SR_CHECK sr_status send_image(struct door *d, int fd, struct sr_err *err);
SR_CHECK sr_status send_inputs(struct job *j, struct door *d, struct sr_err *err);
SR_CHECK sr_status upload_result(struct job *j, struct sr_err *err);

/* ---- release.c, settle.c ---- */
struct released {
    struct buf token, envelope; /* owned: released_done */
    struct sr_signature signature;
    bool bulk;                  /* then the data sets are these, and not the assignment's */
    struct job_input *datasets; /* owned; url NULL: withheld */
    size_t n_datasets;
};
SR_CHECK sr_status ask_release(struct job *j, const struct door_binding *b, struct released *ret,
                               struct sr_err *err);
void released_done(struct released *r);
SR_CHECK sr_status settle(struct job *j, struct sr_err *err);
/* Goes on from jobs/<task>/settling.json of an earlier life. */
SR_CHECK sr_status settle_resume(struct job *j, struct slice record, struct sr_err *err);
