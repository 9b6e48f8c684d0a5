/* SPDX-License-Identifier: Apache-2.0 */
#include "room/task.h"
#include <stdlib.h>

sr_status room_keys_new(struct room_keys *ret, struct sr_err *err) {
    struct room_keys k = {0};
    sr_status st = secp_keygen(&k.challenge, err);
    if (st == SR_OK) st = secp_public(&k.challenge, k.challenge_public, err);
    if (st == SR_OK) st = hpke_keygen(&k.sealing, k.sealing_public, err);
    if (st != SR_OK) {
        room_keys_done(&k);
        return st;
    }
    k.challenge_address = wire_challenge_address(k.challenge_public);
    *ret = k;
    return SR_OK;
}

void room_keys_done(struct room_keys *k) {
    secret_free(&k->challenge);
    secret_free(&k->sealing);
}

/* ---- the envelope's JSON ---- */

static sr_status faulty(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_MALFORMED, "the envelope has no valid %s", what);
}

static sr_status take_text(const struct json_val *v, size_t max, char **ret, const char *what,
                           struct sr_err *err) {
    struct slice s;
    if (!v || json_is(v, JSON_NULL)) return SR_OK;
    if (!json_str(v, &s) || s.n > max || (s.n && memchr(s.p, 0, s.n))) return faulty(err, what);
    *ret = slice_dup(s);
    return *ret ? SR_OK : sr_fail(err, SR_E_NOMEM, "envelope");
}

static sr_status take_datasets(struct task *t, const struct json_val *list, struct sr_err *err) {
    size_t n = json_len(list);
    if (!json_is(list, JSON_ARRAY) || n > TASK_MAX_DATASETS) return faulty(err, "datasets");
    if (n > 0 && !(t->datasets = sr_calloc_n(n, sizeof *t->datasets)))
        return sr_fail(err, SR_E_NOMEM, "envelope");
    for (const struct json_val *d = json_first(list); d; d = json_next(d)) {
        struct task_dataset *to = &t->datasets[t->n_datasets++];
        struct slice text;
        cleanup_buf_wipe struct buf key;
        buf_init(&key, 64);
        if (!json_addr(json_get(d, "address"), &to->address))
            return faulty(err, "data set address");
        text = json_text(json_get(d, "outcome"));
        if (t->bulk && text.n > 0) {
            if (text.n > TASK_MAX_OUTCOME || memchr(text.p, 0, text.n))
                return faulty(err, "data set outcome");
            memcpy(to->outcome, text.p, text.n);
            continue;
        }
        if (!json_hash(json_get(d, "checksum"), &to->checksum))
            return faulty(err, "data set checksum");
        if (!json_str(json_get(d, "key"), &text) || !base64_decode(slice_trim(text), &key) ||
            key.n != AES_KEY_BYTES) {
            BUF_TRY_MEMORY(&key, err);
            return faulty(err, "data set key");
        }
        SR_TRY(secret_from(key.p, key.n, &to->key, err));
    }
    return SR_OK;
}

static sr_status take_inputs(struct task *t, const struct json_val *list, struct sr_err *err) {
    if (!list || json_is(list, JSON_NULL)) return SR_OK;
    size_t n = json_len(list);
    if (!json_is(list, JSON_ARRAY) || n > TASK_MAX_INPUTS) return faulty(err, "inputFiles");
    if (n > 0 && !(t->inputs = sr_calloc_n(n, sizeof *t->inputs)))
        return sr_fail(err, SR_E_NOMEM, "envelope");
    for (const struct json_val *u = json_first(list); u; u = json_next(u)) {
        if (!json_is(u, JSON_STRING)) return faulty(err, "input file URL");
        SR_TRY(take_text(u, TASK_MAX_URL, &t->inputs[t->n_inputs], "input file URL", err));
        t->n_inputs++;
    }
    return SR_OK;
}

static sr_status take_secret(const struct json_val *v, struct sr_secret *ret, struct sr_err *err) {
    struct slice s;
    if (!json_str(v, &s) || s.n > WIRE_SECRET_MAX || (s.n && memchr(s.p, 0, s.n)))
        return faulty(err, "secret");
    if (s.n == 0) return SR_OK;
    return secret_from(s.p, s.n, ret, err);
}

static sr_status take_secrets(struct task *t, const struct json_val *v, struct sr_err *err) {
    const struct json_val *app = json_get(v, "app"), *list = json_get(v, "requester");
    if (app && !json_is(app, JSON_NULL)) SR_TRY(take_secret(app, &t->app_secret, err));
    if (!list || json_is(list, JSON_NULL)) return SR_OK;
    size_t n = json_len(list);
    if (!json_is(list, JSON_OBJECT) || n > TASK_MAX_SECRETS)
        return faulty(err, "requester secrets");
    if (n > 0 && !(t->secrets = sr_calloc_n(n, sizeof *t->secrets)))
        return sr_fail(err, SR_E_NOMEM, "envelope");
    for (const struct json_val *s = json_first(list); s; s = json_next(s)) {
        uint64_t index;
        if (!num_u64(json_key(s), UINT32_MAX, &index) || index == 0)
            return faulty(err, "requester secret index");
        struct task_secret *to = &t->secrets[t->n_secrets++];
        to->index = (uint32_t)index;
        SR_TRY(take_secret(s, &to->value, err));
    }
    return SR_OK;
}

static sr_status take_result(struct task *t, const struct json_val *v, struct sr_err *err) {
    const struct json_val *encrypt = json_get(v, "encrypt"), *callback = json_get(v, "callback");
    if (!json_is(v, JSON_OBJECT)) return faulty(err, "result");
    if (encrypt && !json_bool(encrypt, &t->encrypt)) return faulty(err, "result.encrypt");
    SR_TRY(take_text(json_get(v, "publicKey"), 16384, &t->public_key, "result.publicKey", err));
    if (!callback || json_is(callback, JSON_NULL)) return SR_OK;
    if (!json_addr(callback, &t->callback)) return faulty(err, "result.callback");
    t->has_callback = !addr_is_zero(&t->callback);
    return SR_OK;
}

static sr_status take_all(struct task *t, const struct json_val *root, struct sr_err *err) {
    uint64_t version, seconds;
    const struct json_val *app = json_get(root, "app");
    if (!json_u64(json_get(root, "version"), &version) || version != WIRE_VERSION)
        return faulty(err, "version");
    if (!json_hash(json_get(root, "task"), &t->id) || !json_hash(json_get(root, "deal"), &t->deal))
        return faulty(err, "task and deal");
    if (!json_u64(json_get(root, "index"), &t->index) ||
        !json_u64(json_get(root, "botFirst"), &t->bot_first) ||
        !json_u64(json_get(root, "botSize"), &t->bot_size))
        return faulty(err, "index in the bag of tasks");
    if (!json_addr(json_get(root, "worker"), &t->worker)) return faulty(err, "worker");
    if (!json_addr(json_get(app, "address"), &t->app) ||
        !json_hash(json_get(app, "digest"), &t->app_digest))
        return faulty(err, "app");
    if (!json_u64(json_get(root, "seconds"), &seconds) || seconds == 0 ||
        seconds > TASK_MAX_SECONDS)
        return faulty(err, "seconds");
    t->seconds = (uint32_t)seconds;
    SR_TRY(take_text(json_get(root, "args"), TASK_MAX_ARGS, &t->args, "args", err));
    const struct json_val *bulk = json_get(root, "bulk");
    if (bulk && !json_bool(bulk, &t->bulk)) return faulty(err, "bulk");
    SR_TRY(take_datasets(t, json_get(root, "datasets"), err));
    SR_TRY(take_inputs(t, json_get(root, "inputFiles"), err));
    SR_TRY(take_secrets(t, json_get(root, "secrets"), err));
    return take_result(t, json_get(root, "result"), err);
}

sr_status task_parse(struct slice secret_json, struct task *ret_t, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct task t = {0};
    /* The parser's own text could quote what it read: say only that it is none. */
    if (json_parse(secret_json, &doc, NULL) != SR_OK)
        return sr_fail(err, SR_E_MALFORMED, "the envelope holds no JSON");
    sr_status st = take_all(&t, json_root(doc), err);
    if (st != SR_OK) {
        task_done(&t);
        return st;
    }
    *ret_t = t;
    return SR_OK;
}

void task_done(struct task *t) {
    for (size_t i = 0; i < t->n_datasets; i++) secret_free(&t->datasets[i].key);
    for (size_t i = 0; i < t->n_secrets; i++) secret_free(&t->secrets[i].value);
    for (size_t i = 0; i < t->n_inputs; i++) free(t->inputs[i]);
    secret_free(&t->app_secret);
    free(t->datasets);
    free(t->secrets);
    free(t->inputs);
    free(t->args);
    free(t->public_key);
    *t = (struct task){0};
}

sr_status task_open(const struct door_begin *begin, const struct room_keys *keys,
                    struct slice evidence, const struct door_envelope *envelope, struct task *ret_t,
                    struct sr_err *err) {
    uint8_t aad[WIRE_ENVELOPE_AAD_BYTES];
    struct hash digest = sha256(evidence);
    wire_envelope_aad(aad, &begin->task, &begin->worker, &keys->challenge_address, &digest);
    struct hash signed_hash = wire_envelope_hash(aad, envelope->sealed);
    if (eth_message_check(&signed_hash, slice_of(envelope->signature.b, 65), &begin->sms_identity,
                          NULL) != SR_OK)
        return sr_fail(err, SR_E_CRYPTO, "the envelope is not signed by the secret service");
    cleanup_buf_wipe struct buf plain;
    buf_init(&plain, WIRE_ENVELOPE_MAX);
    if (hpke_open(&keys->sealing, SLICE_LIT(WIRE_ENVELOPE_INFO), slice_of(aad, sizeof aad),
                  envelope->sealed, &plain, NULL) != SR_OK)
        return sr_fail(err, SR_E_CRYPTO, "the envelope is not sealed to this room");
    struct task t;
    SR_TRY(task_parse(buf_slice(&plain), &t, err));
    if (!hash_eq(&t.id, &begin->task) || !addr_eq(&t.worker, &begin->worker) ||
        !hash_eq(&t.app_digest, &begin->app_digest)) {
        task_done(&t);
        return sr_fail(err, SR_E_REFUSED, "the envelope is for another task, worker or app");
    }
    *ret_t = t;
    return SR_OK;
}
