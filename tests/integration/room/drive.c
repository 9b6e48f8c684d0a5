/* SPDX-License-Identifier: Apache-2.0 */
#include "drive.h"
#include "oci/oci.h"
#include "tee/tee.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MUST(expr) must((expr), #expr, __LINE__)
static void must(sr_status st, const char *what, int line) {
    if (st == SR_OK) return;
    (void)fprintf(stderr, "drive.c:%d: %s: %s\n", line, what, sr_status_name(st));
    abort();
}

void drive_setup(struct drive_world *w, const char *room_path) {
    struct sr_err err = {0};
    struct tee_sim_authority a = {0};
    *w = (struct drive_world){0};
    (void)snprintf(w->dir, sizeof w->dir, "/tmp/test_room.XXXXXX");
    if (!mkdtemp(w->dir)) abort();
    if (launcher_init(room_path, &w->launcher, &err) != SR_OK) {
        (void)fprintf(stderr, "launcher: %s; %s\n", err.what, err.hint);
        abort();
    }
    MUST(tee_sim_authority_new(clock_unix_ms() / 1000, &a, NULL));
    buf_init(&w->platform, TEE_PLATFORM_MAX);
    buf_add(&w->platform, buf_slice(&a.secret_platform));
    tee_sim_authority_done(&a);
    drive_keys(w);
}

void drive_keys(struct drive_world *w) {
    MUST(secp_keygen(&w->sms_key, NULL));
    MUST(secp_address(&w->sms_key, &w->sms_identity, NULL));
}

void drive_teardown(struct drive_world *w) {
    MUST(fs_remove_tree(w->dir, NULL));
    launcher_done(&w->launcher);
    buf_done(&w->platform);
    secret_free(&w->sms_key);
}

void drive_image(struct drive_world *w, const char *exe, const char *name,
                 struct hash *ret_digest) {
    drive_image_egress(w, exe, name, NULL, ret_digest);
}

void drive_image_egress(struct drive_world *w, const char *exe, const char *name,
                        const char *egress, struct hash *ret_digest) {
    char dir[256], path[512], json[4096];
    struct oci_built built;
    struct sr_err err = {0};
    struct buf bytes;
    (void)snprintf(dir, sizeof dir, "%s/%s", w->dir, name);
    MUST(fs_mkdirs(dir, 0755, NULL));
    buf_init(&bytes, 64u << 20);
    MUST(fs_read(exe, &bytes, NULL));
    (void)snprintf(path, sizeof path, "%s/app", dir);
    MUST(fs_write_atomic(path, buf_slice(&bytes), 0755, NULL));
    buf_done(&bytes);
    (void)snprintf(json, sizeof json, "{\"name\":\"%s\",\"entrypoint\":\"app\"%s%s}", name,
                   egress ? ",\"egress\":" : "", egress ? egress : "");
    (void)snprintf(path, sizeof path, "%s/app.json", dir);
    MUST(fs_write_atomic(path, slice_str(json), 0644, NULL));
    (void)snprintf(path, sizeof path, "%s.oci", dir);
    sr_status st = oci_build(dir, path, &built, &err);
    if (st != SR_OK) (void)fprintf(stderr, "%s\n", err.what);
    MUST(st);
    *ret_digest = built.manifest;
    oci_built_done(&built);
}

/* ---- the stream, blocking ---- */

static bool send_frame(int fd, unsigned type, struct slice body) {
    uint8_t head[DOOR_HEAD];
    door_head_write(head, type, body.n);
    if (send(fd, head, sizeof head, MSG_NOSIGNAL) != (ssize_t)sizeof head) return false;
    for (size_t at = 0; at < body.n;) {
        ssize_t n = send(fd, body.p + at, body.n - at, MSG_NOSIGNAL);
        if (n <= 0) return false;
        at += (size_t)n;
    }
    return true;
}

static bool recv_frame(int fd, unsigned *type, struct buf *b) {
    uint8_t head[DOOR_HEAD];
    size_t n;
    if (recv(fd, head, sizeof head, MSG_WAITALL) != (ssize_t)sizeof head) return false;
    if (!door_head_read(head, type, &n)) return false;
    buf_clear(b);
    if (n == 0) return true;
    uint8_t *p = buf_grow(b, n);
    return p && recv(fd, p, n, MSG_WAITALL) == (ssize_t)n;
}

static bool send_bytes(int fd, unsigned type, uint32_t index, struct slice data) {
    struct buf b;
    buf_init(&b, 64);
    door_input_write(&b, &(struct door_input){index, data.n});
    bool ok = send_frame(fd, type, buf_slice(&b));
    buf_done(&b);
    while (ok && data.n > 0) {
        size_t take = data.n < DOOR_DATA_MAX ? data.n : DOOR_DATA_MAX;
        ok = send_frame(fd, DOOR_DATA, slice_of(data.p, take));
        data = slice_of(data.p + take, data.n - take);
    }
    return ok && send_frame(fd, DOOR_END, slice_of(NULL, 0));
}

/* ---- the secret service ---- */

struct ready {
    struct buf cipher;
    struct sr_secret key;
    struct hash checksum;
    struct addr address;
};

static void encrypt_data(const struct drive_data *d, size_t i, struct ready *r) {
    uint8_t iv[16];
    size_t n;
    struct aes_cbc c = {0};
    *r = (struct ready){0};
    MUST(secret_new(32, &r->key, NULL));
    MUST(random_bytes(r->key.p, 32, NULL));
    MUST(random_bytes(iv, 16, NULL));
    MUST(aes_cbc_init(&c, true, &r->key, iv, NULL));
    buf_init(&r->cipher, d->plain.n + 64);
    buf_put(&r->cipher, iv, 16);
    uint8_t *p = buf_reserve(&r->cipher, d->plain.n + 32);
    if (!p) abort();
    MUST(aes_cbc_add(&c, d->plain, p, &n, NULL));
    size_t total = n;
    MUST(aes_cbc_end(&c, p + total, &n, NULL));
    if (!buf_grow(&r->cipher, total + n)) abort();
    aes_cbc_drop(&c);
    r->checksum = sha256(buf_slice(&r->cipher));
    if (d->wrong_checksum) r->checksum.b[0] ^= 1;
    if (d->wrong_key) r->key.p[0] ^= 1;
    memset(r->address.b, 0xd0 + (int)i, 20);
}

static void write_envelope(const struct drive *d, const struct drive_end *e,
                           const struct hash *digest, const struct ready *ready, struct buf *b) {
    struct jw w = jw_of(b);
    struct hash task = e->task;
    if (d->other_task) task.b[0] ^= 1;
    jw_obj(&w);
    jw_ku64(&w, "version", 1);
    if (d->bulk) jw_kbool(&w, "bulk", true);
    jw_khash(&w, "task", &task);
    jw_khash(&w, "deal", &(struct hash){{0xdd}});
    jw_ku64(&w, "index", 3);
    jw_ku64(&w, "botFirst", 2);
    jw_ku64(&w, "botSize", 5);
    jw_kaddr(&w, "worker", &e->worker);
    jw_kaddr(&w, "challenge", &e->challenge);
    jw_key(&w, "app");
    jw_obj(&w);
    jw_kaddr(&w, "address", &(struct addr){{0xaa}});
    jw_khash(&w, "digest", digest);
    jw_end_obj(&w);
    jw_key(&w, "datasets");
    jw_arr(&w);
    for (size_t i = 0; i < d->n_data; i++) {
        struct buf key;
        buf_init(&key, 64);
        base64_encode(&key, secret_slice(&ready[i].key));
        jw_obj(&w);
        jw_kaddr(&w, "address", &ready[i].address);
        jw_kcstr(&w, "url", "/ipfs/unused");
        jw_khash(&w, "checksum", &ready[i].checksum);
        jw_kstr(&w, "key", buf_slice(&key));
        jw_end_obj(&w);
        buf_done(&key);
    }
    jw_end_arr(&w);
    jw_key(&w, "inputFiles");
    jw_arr(&w);
    for (size_t i = 0; i < d->n_inputs; i++) jw_cstr(&w, d->inputs[i]);
    jw_end_arr(&w);
    if (d->args) jw_kcstr(&w, "args", d->args);
    jw_ku64(&w, "seconds", 300);
    jw_key(&w, "secrets");
    jw_obj(&w);
    if (d->app_secret) jw_kcstr(&w, "app", d->app_secret);
    jw_key(&w, "requester");
    jw_obj(&w);
    if (d->requester_secret) jw_kcstr(&w, "7", d->requester_secret);
    jw_end_obj(&w);
    jw_end_obj(&w);
    jw_key(&w, "result");
    jw_obj(&w);
    jw_kbool(&w, "encrypt", d->public_pem != NULL || d->encrypt_without_key);
    if (d->public_pem) jw_kcstr(&w, "publicKey", d->public_pem);
    if (d->callback) jw_kaddr(&w, "callback", &(struct addr){{0xcb}});
    jw_end_obj(&w);
    jw_end_obj(&w);
}

static bool send_envelope(struct drive_world *w, int fd, const struct drive *d, struct drive_end *e,
                          const struct hash *digest, const struct ready *ready,
                          const struct door_binding *binding) {
    uint8_t aad[WIRE_ENVELOPE_AAD_BYTES], to[32];
    struct buf plain, sealed, body;
    struct sr_secret key = {0};
    buf_init(&plain, WIRE_ENVELOPE_MAX);
    buf_init(&sealed, WIRE_ENVELOPE_MAX);
    buf_init(&body, DOOR_BODY_MAX);
    write_envelope(d, e, digest, ready, &plain);
    struct hash evidence = sha256(binding->evidence);
    wire_envelope_aad(aad, &e->task, &e->worker, &e->challenge, &evidence);
    memcpy(to, binding->sealing_key, 32);
    if (d->other_room) {
        struct sr_secret other;
        MUST(hpke_keygen(&other, to, NULL));
        secret_free(&other);
    }
    MUST(hpke_seal(to, SLICE_LIT(WIRE_ENVELOPE_INFO), slice_of(aad, sizeof aad), buf_slice(&plain),
                   &sealed, NULL));
    struct hash h = wire_envelope_hash(aad, buf_slice(&sealed));
    h = eth_message_hash(&h);
    struct door_envelope m = {.sealed = buf_slice(&sealed)};
    MUST(secp_keygen(&key, NULL));
    MUST(secp_sign(d->other_signer ? &key : &w->sms_key, &h, &m.signature, NULL));
    door_envelope_write(&body, &m);
    bool ok = send_frame(fd, DOOR_ENVELOPE, buf_slice(&body));
    secret_free(&key);
    buf_done(&plain);
    buf_done(&sealed);
    buf_done(&body);
    return ok;
}

/* ---- one task ---- */

static bool send_begin(struct drive_world *w, int fd, const struct drive *d,
                       const struct drive_end *e, const struct hash *digest) {
    struct buf body;
    struct door_begin m = {.task = e->task,
                           .nonce = {{0x40}},
                           .app_digest = *digest,
                           .worker = e->worker,
                           .sms_identity = w->sms_identity,
                           .room_sha256 = w->launcher.room_sha256,
                           .memory_bytes = d->memory_bytes ? d->memory_bytes : 256u << 20,
                           .disk_bytes = d->disk_bytes ? d->disk_bytes : 256u << 20,
                           .processes = d->processes ? d->processes : 64,
                           .seconds = d->seconds ? d->seconds : 20,
                           .now_unix_s = clock_unix_ms() / 1000,
                           .secret_platform = buf_slice(&w->platform)};
    if (d->other_image) m.app_digest.b[0] ^= 1;
    buf_init(&body, DOOR_BODY_MAX);
    door_begin_write(&body, &m);
    bool ok = send_frame(fd, DOOR_BEGIN, buf_slice(&body));
    buf_done(&body);
    return ok;
}

struct served {
    struct launched *r;
    const struct drive *d;
    struct drive_end *e;
    int64_t start;
};

static void read_cause(struct drive_end *e) {
    if (!e->failed) return;
    (void)snprintf(e->cause, sizeof e->cause, "%.*s", (int)e->f.cause.n,
                   (const char *)e->f.cause.p);
    (void)snprintf(e->message, sizeof e->message, "%.*s", (int)e->f.message.n,
                   (const char *)e->f.message.p);
}

/* As the worker does it, with its own proxy. */
static sr_status serve(void *arg, struct sr_err *err) {
    struct served *s = arg;
    struct door door = {.room = {.pidfd = -1, .stream = -1}};
    struct proxy *p = NULL;
    unsigned type;
    buf_init(&door.frame, DOOR_BODY_MAX);
    MUST(stream_from_fd(sr_take_fd(s->r->stream), &door.stream, NULL));
    MUST(proxy_new(&door, s->d->egress, s->d->loopback, &p, NULL));
    while (!s->e->done && !s->e->failed && door_recv(&door, 60000, &type, NULL) == SR_OK) {
        struct slice body = buf_slice(&door.frame);
        if (proxy_takes(type)) {
            MUST(proxy_frame(p, type, body, err));
        } else if (type == DOOR_RUNNING) {
            s->e->running_us = clock_mono_us() - s->start;
            if (s->d->while_running) s->d->while_running(s->d->arg, s->r);
        } else if (type == DOOR_DATA) {
            buf_add(&s->e->archive, body);
        } else if (type == DOOR_DONE || type == DOOR_FAILED) {
            buf_add(&s->e->body, body);
            s->e->done = type == DOOR_DONE && door_done_read(buf_slice(&s->e->body), &s->e->d);
            s->e->failed =
                type == DOOR_FAILED && door_failed_read(buf_slice(&s->e->body), &s->e->f);
            s->e->end_us = clock_mono_us() - s->start;
        }
    }
    read_cause(s->e);
    stream_shutdown(door.stream);
    proxy_free(p);
    stream_close(door.stream);
    buf_done(&door.frame);
    return SR_OK;
}

static void receive_end(struct launched *r, const struct drive *d, int64_t start,
                        struct drive_end *e) {
    unsigned type;
    struct buf b;
    buf_init(&b, DOOR_BODY_MAX);
    while (recv_frame(r->stream, &type, &b)) {
        if (type == DOOR_RUNNING) {
            e->running_us = clock_mono_us() - start;
            if (d->while_running) d->while_running(d->arg, r);
            if (r->stream < 0) break;
        } else if (type == DOOR_DATA) {
            buf_add(&e->archive, buf_slice(&b));
        } else if (type == DOOR_DONE || type == DOOR_FAILED) {
            buf_add(&e->body, buf_slice(&b));
            e->done = type == DOOR_DONE && door_done_read(buf_slice(&e->body), &e->d);
            e->failed = type == DOOR_FAILED && door_failed_read(buf_slice(&e->body), &e->f);
            e->end_us = clock_mono_us() - start;
        }
    }
    read_cause(e);
    buf_done(&b);
}

void drive_run(struct drive_world *w, const char *image, const struct hash *digest,
               const struct drive *d, struct drive_end *ret) {
    struct launched r;
    struct sr_err err = {0};
    struct buf archive, frame;
    struct ready ready[4];
    char path[256];
    unsigned type;
    *ret = (struct drive_end){0};
    buf_init(&ret->archive, 1u << 30);
    buf_init(&ret->body, DOOR_BODY_MAX);
    buf_init(&archive, 256u << 20);
    buf_init(&frame, DOOR_BODY_MAX);
    (void)snprintf(path, sizeof path, "%s/%s.oci", w->dir, image);
    MUST(fs_read(path, &archive, NULL));
    MUST(random_bytes(ret->task.b, 32, NULL));
    memset(ret->worker.b, 0x77, 20);
    for (size_t i = 0; i < d->n_data; i++) encrypt_data(&d->data[i], i, &ready[i]);
    int64_t start = clock_mono_us();
    sr_status st = launcher_start(&w->launcher, &r, &err);
    if (st != SR_OK) (void)fprintf(stderr, "%s\n", err.what);
    MUST(st);
    struct door_binding binding;
    bool ok = recv_frame(r.stream, &type, &frame) && type == DOOR_READY;
    ret->ready_us = clock_mono_us() - start;
    ok = ok && send_begin(w, r.stream, d, ret, digest) && recv_frame(r.stream, &type, &frame) &&
         type == DOOR_BINDING && door_binding_read(buf_slice(&frame), &binding);
    ret->binding_us = clock_mono_us() - start;
    if (ok) {
        ret->challenge = wire_challenge_address(binding.challenge_public);
        ok = send_bytes(r.stream, DOOR_IMAGE, 0, buf_slice(&archive)) &&
             send_envelope(w, r.stream, d, ret, digest, ready, &binding);
    }
    for (uint32_t i = 0; ok && i < d->n_data; i++)
        ok = send_bytes(r.stream, DOOR_DATASET, i + d->data_out_of_order,
                        buf_slice(&ready[i].cipher));
    for (uint32_t i = 0; ok && i < d->n_inputs; i++)
        ok = send_bytes(r.stream, DOOR_INPUT, i, d->input_bytes[i]);
    if (d->egress) {
        MUST(net_init(NULL));
        MUST(net_call(serve, &(struct served){&r, d, ret, start}, NULL));
    } else {
        receive_end(&r, d, start, ret);
    }
    launched_end(&r);
    for (size_t i = 0; i < d->n_data; i++) {
        buf_done(&ready[i].cipher);
        secret_free(&ready[i].key);
    }
    buf_done(&archive);
    buf_done(&frame);
}

void drive_end_done(struct drive_end *e) {
    buf_done(&e->archive);
    buf_done(&e->body);
}
