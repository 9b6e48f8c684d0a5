/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trial.h"
#include "crypto/crypto.h"
#include "tee/tee.h"
#include "wire/formats.h"
#include "worker/proxy.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES    (64u << 10)
#define PLATFORM_MAX  16384u
#define ROOM_BYTES    (64u << 20)
#define ROOM_AFTER_MS 120000u

struct protected_data {
    struct sr_secret key;
    struct hash checksum;
    struct addr address;
    int fd; /* cipher text, in a file without a name */
};
struct run {
    const struct trial *t;
    struct trial_end *e;
    struct launcher launcher;
    struct buf platform;
    struct sr_secret sms_key;
    struct addr sms, worker, challenge;
    struct hash task;
    struct protected_data data[TRIAL_MAX_INPUTS];
    struct door *door;
    struct proxy *proxy;
    int64_t began_us;
};

/* ---- the room program ---- */

static sr_status room_path(char **ret, struct sr_err *err) {
    static const char *const places[] = {"room", "../libexec/strongroom/room"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return sr_fail(err, SR_E_SYS, "looking for the room program");
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    for (size_t i = 0; i < SR_ARRAY_LEN(places); i++) {
        cleanup_free char *path = path_join(self, places[i]);
        if (path && access(path, R_OK | X_OK) == 0) {
            *ret = sr_take_ptr(path);
            return SR_OK;
        }
    }
    sr_hint(err, "it is built and installed with this program");
    return sr_fail(err, SR_E_NOTFOUND, "no room program beside this one");
}

/* ---- protecting the mocks, as the network's are ---- */

static sr_status temp_file(int *ret, struct sr_err *err) {
    *ret = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return *ret >= 0 ? SR_OK : sr_fail(err, SR_E_SYS, "making a temporary file");
}

static sr_status encrypt(int in, struct protected_data *d, struct sr_err *err) {
    uint8_t iv[AES_IV_BYTES];
    struct sha256 sum;
    struct aes_cbc aes = {0};
    cleanup_free uint8_t *plain = malloc(COPY_BYTES), *cipher = malloc(COPY_BYTES + 32);
    size_t n = 0;
    if (!plain || !cipher) return sr_fail(err, SR_E_NOMEM, "protecting a mock");
    SR_TRY(random_bytes(iv, sizeof iv, err));
    SR_TRY(sha256_init(&sum, err));
    sha256_add(&sum, slice_of(iv, sizeof iv));
    sr_status st = fd_write_all(d->fd, iv, sizeof iv, err);
    if (st == SR_OK) st = aes_cbc_init(&aes, true, &d->key, iv, err);
    for (bool more = true; st == SR_OK && more;) {
        ssize_t got = read(in, plain, COPY_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) st = sr_fail(err, SR_E_SYS, "reading a mock");
        more = got > 0;
        if (st != SR_OK) break;
        st = more ? aes_cbc_add(&aes, slice_of(plain, (size_t)got), cipher, &n, err)
                  : aes_cbc_end(&aes, cipher, &n, err);
        if (st != SR_OK) break;
        sha256_add(&sum, slice_of(cipher, n));
        st = fd_write_all(d->fd, cipher, n, err);
    }
    aes_cbc_drop(&aes);
    d->checksum = sha256_end(&sum);
    return st;
}

static sr_status protect(const char *path, size_t i, struct protected_data *d, struct sr_err *err) {
    cleanup_close int in = open(path, O_RDONLY | O_CLOEXEC);
    if (in < 0) return sr_fail(err, SR_E_NOTFOUND, "no file '%s': %s", path, strerror(errno));
    SR_TRY(temp_file(&d->fd, err));
    SR_TRY(secret_new(32, &d->key, err));
    SR_TRY(random_bytes(d->key.p, 32, err));
    memset(d->address.b, 0xd0, sizeof d->address.b);
    d->address.b[19] = (uint8_t)(i + 1);
    return encrypt(in, d, err);
}

/* ---- what the secret service says ---- */

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void put_secrets(struct jw *w, const struct trial *t) {
    char number[16];
    jw_key(w, "secrets");
    jw_obj(w);
    if (t->secret_app.p) jw_kstr(w, "app", t->secret_app);
    jw_key(w, "requester");
    jw_obj(w);
    for (size_t i = 0; i < TRIAL_MAX_SECRETS; i++) {
        if (!t->secrets[i].p) continue;
        (void)snprintf(number, sizeof number, "%zu", i + 1);
        jw_kstr(w, number, t->secrets[i]);
    }
    jw_end_obj(w);
    jw_end_obj(w);
}

static void put_inputs(struct jw *w, const struct run *r) {
    const struct trial *t = r->t;
    jw_key(w, "datasets");
    jw_arr(w);
    for (size_t i = 0; i < t->n_data; i++) {
        cleanup_buf_wipe struct buf key;
        buf_init(&key, 64);
        base64_encode(&key, secret_slice(&r->data[i].key));
        jw_obj(w);
        jw_kaddr(w, "address", &r->data[i].address);
        jw_kcstr(w, "url", "/ipfs/trial");
        jw_khash(w, "checksum", &r->data[i].checksum);
        jw_kstr(w, "key", buf_slice(&key));
        jw_end_obj(w);
    }
    jw_end_arr(w);
    jw_key(w, "inputFiles");
    jw_arr(w);
    for (size_t i = 0; i < t->n_inputs; i++) {
        char url[512];
        (void)snprintf(url, sizeof url, "trial:///%s", name_of(t->inputs[i]));
        jw_cstr(w, url);
    }
    jw_end_arr(w);
}

static void write_envelope(const struct run *r, struct buf *b) {
    const struct trial *t = r->t;
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_ku64(&w, "version", 1);
    jw_khash(&w, "task", &r->task);
    jw_khash(&w, "deal", &r->task);
    jw_ku64(&w, "index", 0);
    jw_ku64(&w, "botFirst", 0);
    jw_ku64(&w, "botSize", 1);
    jw_kaddr(&w, "worker", &r->worker);
    jw_kaddr(&w, "challenge", &r->challenge);
    jw_key(&w, "app");
    jw_obj(&w);
    jw_kaddr(&w, "address", &r->worker);
    jw_khash(&w, "digest", &t->digest);
    jw_end_obj(&w);
    put_inputs(&w, r);
    if (t->args) jw_kcstr(&w, "args", t->args);
    jw_ku64(&w, "seconds", t->seconds);
    put_secrets(&w, t);
    jw_key(&w, "result");
    jw_obj(&w);
    jw_kbool(&w, "encrypt", false);
    if (t->callback) jw_kaddr(&w, "callback", &r->worker);
    jw_end_obj(&w);
    jw_end_obj(&w);
}

static sr_status seal(struct run *r, const struct door_binding *binding, struct buf *body,
                      struct sr_err *err) {
    uint8_t aad[WIRE_ENVELOPE_AAD_BYTES];
    cleanup_buf_wipe struct buf plain;
    cleanup_buf struct buf sealed;
    buf_init(&plain, WIRE_ENVELOPE_MAX);
    buf_init(&sealed, WIRE_ENVELOPE_MAX);
    write_envelope(r, &plain);
    SR_TRY(buf_status(&plain, err));
    struct hash evidence = sha256(binding->evidence);
    wire_envelope_aad(aad, &r->task, &r->worker, &r->challenge, &evidence);
    SR_TRY(hpke_seal(binding->sealing_key, SLICE_LIT(WIRE_ENVELOPE_INFO), slice_of(aad, sizeof aad),
                     buf_slice(&plain), &sealed, err));
    struct hash h = wire_envelope_hash(aad, buf_slice(&sealed));
    h = eth_message_hash(&h);
    struct door_envelope m = {.sealed = buf_slice(&sealed)};
    SR_TRY(secp_sign(&r->sms_key, &h, &m.signature, err));
    door_envelope_write(body, &m);
    return buf_status(body, err);
}

/* ---- the worker's part ---- */

static sr_status send_file(struct door *d, unsigned type, size_t index, int fd,
                           struct sr_err *err) {
    struct stat st;
    cleanup_buf struct buf head;
    cleanup_free uint8_t *copy = malloc(DOOR_DATA_MAX);
    buf_init(&head, 64);
    if (!copy) return sr_fail(err, SR_E_NOMEM, "sending a file");
    if (fstat(fd, &st) != 0) return sr_fail(err, SR_E_SYS, "looking at a file");
    door_input_write(&head, &(struct door_input){(uint32_t)index, (uint64_t)st.st_size});
    SR_TRY(door_send(d, type, buf_slice(&head), err));
    for (off_t at = 0; at < st.st_size;) {
        ssize_t n = pread(fd, copy, DOOR_DATA_MAX, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return sr_fail(err, SR_E_SYS, "reading a file");
        SR_TRY(door_send(d, DOOR_DATA, slice_of(copy, (size_t)n), err));
        at += n;
    }
    return door_send(d, DOOR_END, slice_of(NULL, 0), err);
}

static sr_status send_path(struct door *d, unsigned type, size_t index, const char *path,
                           struct sr_err *err) {
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sr_fail(err, SR_E_NOTFOUND, "no file '%s': %s", path, strerror(errno));
    return send_file(d, type, index, fd, err);
}

static sr_status send_begin(struct run *r, struct sr_err *err) {
    const struct trial *t = r->t;
    struct door_begin m = {.task = r->task,
                           .nonce = r->task,
                           .app_digest = t->digest,
                           .worker = r->worker,
                           .sms_identity = r->sms,
                           .room_sha256 = r->launcher.room_sha256,
                           .memory_bytes = t->memory_bytes,
                           .disk_bytes = t->disk_bytes,
                           .processes = 256,
                           .seconds = t->seconds,
                           .now_unix_s = clock_unix_ms() / 1000,
                           .secret_platform = buf_slice(&r->platform)};
    cleanup_buf_wipe struct buf body;
    buf_init(&body, DOOR_BODY_MAX);
    door_begin_write(&body, &m);
    SR_TRY(buf_status(&body, err));
    return door_send(r->door, DOOR_BEGIN, buf_slice(&body), err);
}

static sr_status attest(struct run *r, struct sr_err *err) {
    unsigned type;
    struct door_binding binding;
    cleanup_buf struct buf body;
    buf_init(&body, DOOR_BODY_MAX);
    SR_TRY(send_begin(r, err));
    SR_TRY(door_recv(r->door, DOOR_ROOM_MS, &type, err));
    if (type != DOOR_BINDING || !door_binding_read(buf_slice(&r->door->frame), &binding))
        return sr_fail(err, SR_E_MALFORMED, "the room did not give its evidence");
    r->challenge = wire_challenge_address(binding.challenge_public);
    SR_TRY(seal(r, &binding, &body, err));
    SR_TRY(send_path(r->door, DOOR_IMAGE, 0, r->t->archive, err));
    return door_send(r->door, DOOR_ENVELOPE, buf_slice(&body), err);
}

static void read_end(struct trial_end *e, unsigned type) {
    struct door_done d;
    struct door_failed f;
    if (type == DOOR_DONE && door_done_read(buf_slice(&e->body), &d)) {
        e->done = true;
        e->tail_out = d.tail_out;
        e->tail_err = d.tail_err;
        e->callback = d.callback;
        e->network = d.egress;
    } else if (type == DOOR_FAILED && door_failed_read(buf_slice(&e->body), &f)) {
        (void)snprintf(e->cause, sizeof e->cause, "%.*s", (int)f.cause.n, (const char *)f.cause.p);
        (void)snprintf(e->message, sizeof e->message, "%.*s", (int)f.message.n,
                       (const char *)f.message.p);
        e->tail_out = f.tail_out;
        e->tail_err = f.tail_err;
        e->has_exit = f.has_exit;
        e->exit_code = f.exit_code;
        e->network = f.egress;
    }
}

static sr_status await_end(struct run *r, struct sr_err *err) {
    int64_t until = clock_mono_us() + (r->t->seconds * 1000ll + ROOM_AFTER_MS) * 1000;
    struct trial_end *e = r->e;
    for (;;) {
        unsigned type;
        int64_t left = (until - clock_mono_us()) / 1000;
        if (left <= 0) return sr_fail(err, SR_E_TIMEOUT, "the room does not end");
        SR_TRY(door_recv(r->door, (uint64_t)left, &type, err));
        struct slice body = buf_slice(&r->door->frame);
        if (proxy_takes(type)) {
            SR_TRY(proxy_frame(r->proxy, type, body, err));
        } else if (type == DOOR_RUNNING) {
            e->started_us = clock_mono_us() - r->began_us;
        } else if (type == DOOR_RESULT) {
            SR_TRY(temp_file(&e->archive_fd, err));
        } else if (type == DOOR_DATA && e->archive_fd >= 0) {
            SR_TRY(fd_write_all(e->archive_fd, body.p, body.n, err));
        } else if (type == DOOR_DONE || type == DOOR_FAILED) {
            buf_add(&e->body, body);
            SR_TRY(buf_status(&e->body, err));
            e->ended_us = clock_mono_us() - r->began_us;
            read_end(e, type);
            return SR_OK;
        } else if (type != DOOR_END) {
            return sr_fail(err, SR_E_MALFORMED, "the room sent message %u", type);
        }
    }
}

/* A room that gives up while it is being fed has said why. */
static sr_status feed(struct run *r, struct sr_err *err) {
    const struct trial *t = r->t;
    for (size_t i = 0; i < t->n_data; i++)
        SR_TRY(send_file(r->door, DOOR_DATASET, i, r->data[i].fd, err));
    for (size_t i = 0; i < t->n_inputs; i++)
        SR_TRY(send_path(r->door, DOOR_INPUT, i, t->inputs[i], err));
    return SR_OK;
}

static sr_status in_fiber(void *arg, struct sr_err *err) {
    struct run *r = arg;
    struct sr_err why = {0};
    r->began_us = clock_mono_us();
    SR_TRY(door_launch(&r->launcher, &r->door, err));
    r->e->ready_us = clock_mono_us() - r->began_us;
    SR_TRY(proxy_new(r->door, r->t->egress, r->t->loopback, &r->proxy, err));
    sr_status st = attest(r, &why);
    if (st == SR_OK) st = feed(r, &why);
    bool fed = st == SR_OK;
    st = await_end(r, fed ? err : NULL);
    if (st != SR_OK && !fed) {
        *err = why;
        st = why.code;
    }
    stream_shutdown(r->door->stream);
    proxy_free(r->proxy);
    door_close(r->door);
    r->door = NULL;
    return st;
}

static sr_status prepare(struct run *r, struct sr_err *err) {
    struct tee_sim_authority a = {0};
    char *room = NULL;
    SR_TRY(room_path(&room, err));
    sr_status st = launcher_init(room, &r->launcher, err);
    free(room);
    SR_TRY(st);
    r->launcher.memory_bytes = r->t->memory_bytes + r->t->disk_bytes + ROOM_BYTES;
    SR_TRY(tee_sim_authority_new(clock_unix_ms() / 1000, &a, err));
    buf_add(&r->platform, buf_slice(&a.secret_platform));
    tee_sim_authority_done(&a);
    SR_TRY(buf_status(&r->platform, err));
    SR_TRY(secp_keygen(&r->sms_key, err));
    SR_TRY(secp_address(&r->sms_key, &r->sms, err));
    SR_TRY(random_bytes(r->task.b, sizeof r->task.b, err));
    memset(r->worker.b, 0x77, sizeof r->worker.b);
    for (size_t i = 0; i < r->t->n_data; i++) SR_TRY(protect(r->t->data[i], i, &r->data[i], err));
    SR_TRY(net_init(err));
    return net_call(in_fiber, r, err);
}

sr_status trial_run(const struct trial *t, struct trial_end *ret_e, struct sr_err *err) {
    struct run r = {.t = t, .e = ret_e, .launcher = {.room_fd = -1, .ns_fd = -1}};
    *ret_e = (struct trial_end){.archive_fd = -1};
    buf_init(&ret_e->body, DOOR_BODY_MAX);
    buf_init(&r.platform, PLATFORM_MAX);
    for (size_t i = 0; i < TRIAL_MAX_INPUTS; i++) r.data[i].fd = -1;
    sr_status st = prepare(&r, err);
    for (size_t i = 0; i < TRIAL_MAX_INPUTS; i++) {
        secret_free(&r.data[i].key);
        if (r.data[i].fd >= 0) (void)close(r.data[i].fd);
    }
    launcher_done(&r.launcher);
    secret_free(&r.sms_key);
    buf_wipe(&r.platform);
    if (st != SR_OK) trial_end_done(ret_e);
    return st;
}

void trial_end_done(struct trial_end *e) {
    buf_done(&e->body);
    if (e->archive_fd >= 0) (void)close(e->archive_fd);
    e->archive_fd = -1;
}
