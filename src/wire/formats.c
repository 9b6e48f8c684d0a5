/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/formats.h"

#include <openssl/evp.h>

const char *wire_verdict_label(wire_verdict v) {
    switch (v) {
    case WIRE_SIMULATED: return "SIMULATED";
    case WIRE_TDX: return "TDX";
    case WIRE_SNP: return "SEV-SNP";
    }
    return "unknown";
}

/* Keccak over a tag (with its NUL, so that no tag is another's prefix) and parts. */
static struct hash hash_parts(const char *tag, const struct slice *parts, size_t n) {
    struct keccak k;
    keccak_init(&k);
    if (tag) keccak_add(&k, slice_of(tag, strlen(tag) + 1));
    for (size_t i = 0; i < n; i++) keccak_add(&k, parts[i]);
    return keccak_end(&k);
}
#define HASH_OF(tag, ...)                                                                          \
    hash_parts((tag), (const struct slice[]){__VA_ARGS__},                                         \
               sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice))
#define BYTES(x) slice_of((x).b, sizeof(x).b)

static void put_u64(uint8_t dst[8], uint64_t v) {
    for (size_t i = 0; i < 8; i++) dst[i] = (uint8_t)(v >> (56 - 8 * i));
}

struct hash wire_assignment_hash(const struct wire_assignment *a) {
    uint8_t expires[8];
    put_u64(expires, a->expires_unix_s);
    return HASH_OF("SR-ASG-v1", BYTES(a->task), BYTES(a->worker), BYTES(a->nonce),
                   slice_of(expires, 8));
}

void wire_assignment_write(struct jw *w, const struct wire_assignment *a) {
    jw_obj(w);
    jw_khash(w, "task", &a->task);
    jw_kaddr(w, "worker", &a->worker);
    jw_khash(w, "nonce", &a->nonce);
    jw_ku64(w, "expires", a->expires_unix_s);
    jw_khex(w, "signature", BYTES(a->signature));
    jw_end_obj(w);
}

bool wire_assignment_read(const struct json_val *v, struct wire_assignment *ret_a) {
    struct wire_assignment a;
    struct slice sig;
    if (!json_hash(json_get(v, "task"), &a.task) || !json_addr(json_get(v, "worker"), &a.worker) ||
        !json_hash(json_get(v, "nonce"), &a.nonce) ||
        !json_u64(json_get(v, "expires"), &a.expires_unix_s) ||
        !json_str(json_get(v, "signature"), &sig) || !slice_starts(sig, "0x") ||
        !hex_decode(sig, a.signature.b, sizeof a.signature.b))
        return false;
    *ret_a = a;
    return true;
}

struct hash wire_release_hash(const struct hash *task, const struct addr *worker,
                              const struct hash *nonce, const struct hash *evidence_digest) {
    return HASH_OF("SR-REL-v1", BYTES(*task), BYTES(*worker), BYTES(*nonce),
                   BYTES(*evidence_digest));
}

struct hash wire_login_hash(const struct addr *workerpool, const struct hash *nonce,
                            const struct addr *worker) {
    return HASH_OF("SR-LOG-v1", BYTES(*workerpool), BYTES(*nonce), BYTES(*worker));
}

struct hash wire_vault_key_hash(const uint8_t sealing_key[32]) {
    return HASH_OF("SR-VLT-v1", slice_of(sealing_key, 32));
}

struct hash wire_authorisation_hash(const struct addr *worker, const struct hash *task,
                                    const struct addr *challenge) {
    return HASH_OF(NULL, BYTES(*worker), BYTES(*task), BYTES(*challenge));
}

struct hash wire_result_hash(const struct hash *task, const struct hash *digest) {
    return HASH_OF(NULL, BYTES(*task), BYTES(*digest));
}

struct hash wire_result_seal(const struct addr *worker, const struct hash *task,
                             const struct hash *digest) {
    return HASH_OF(NULL, BYTES(*worker), BYTES(*task), BYTES(*digest));
}

struct hash wire_enclave_message(const struct hash *result_hash, const struct hash *result_seal) {
    return HASH_OF(NULL, BYTES(*result_hash), BYTES(*result_seal));
}

#define TOKEN_TAG    "SR-TOK-v1" /* with its NUL: 10 bytes */
#define TOKEN_SIGNED (WIRE_TOKEN_BYTES - 65)

void wire_token_write(uint8_t dst[WIRE_TOKEN_BYTES], const struct wire_token *t) {
    uint8_t *p = dst;
#define PUT(src, n) (memcpy(p, (src), (n)), p += (n))
    PUT(TOKEN_TAG, 10);
    PUT(t->task.b, 32);
    PUT(t->worker.b, 20);
    PUT(t->challenge.b, 20);
    PUT(t->evidence_digest.b, 32);
    *p++ = (uint8_t)t->verdict;
    put_u64(p, t->expires_unix_s);
    p += 8;
    PUT(t->signature.b, 65);
#undef PUT
}

struct hash wire_token_hash(const struct wire_token *t) {
    uint8_t bytes[WIRE_TOKEN_BYTES];
    wire_token_write(bytes, t);
    return keccak256(slice_of(bytes, TOKEN_SIGNED));
}

bool wire_token_read(struct slice bytes, struct wire_token *ret_t) {
    struct rd r = rd_of(bytes);
    struct wire_token t;
    struct slice tag = rd_take(&r, 10);
    rd_copy(&r, t.task.b, 32);
    rd_copy(&r, t.worker.b, 20);
    rd_copy(&r, t.challenge.b, 20);
    rd_copy(&r, t.evidence_digest.b, 32);
    uint8_t verdict = rd_u8(&r);
    t.expires_unix_s = rd_u64(&r);
    rd_copy(&r, t.signature.b, 65);
    if (!rd_done(&r) || !slice_eq(tag, slice_of(TOKEN_TAG, 10))) return false;
    if (verdict < WIRE_SIMULATED || verdict > WIRE_SNP) return false;
    t.verdict = (wire_verdict)verdict;
    *ret_t = t;
    return true;
}

sr_status wire_token_check(struct slice bytes, const struct addr *sms_identity,
                           const struct hash *task, const struct addr *worker,
                           const struct addr *challenge, uint64_t now_unix_s,
                           struct wire_token *ret_t, struct sr_err *err) {
    struct wire_token t;
    if (!wire_token_read(bytes, &t))
        return sr_fail(err, SR_E_MALFORMED, "an attestation token of %zu bytes is not one",
                       bytes.n);
    struct hash h = wire_token_hash(&t);
    sr_status st = eth_message_check(&h, BYTES(t.signature), sms_identity, NULL);
    if (st != SR_OK)
        return sr_fail(err, SR_E_AUTH, "the attestation token is not signed by the SMS identity");
    if (!hash_eq(&t.task, task))
        return sr_fail(err, SR_E_AUTH, "the attestation token is for another task");
    if (!addr_eq(&t.worker, worker))
        return sr_fail(err, SR_E_AUTH, "the attestation token is for another worker");
    if (!addr_eq(&t.challenge, challenge))
        return sr_fail(err, SR_E_AUTH, "the attestation token is for another challenge");
    if (t.expires_unix_s <= now_unix_s)
        return sr_fail(err, SR_E_AUTH, "the attestation token has expired");
    *ret_t = t;
    return SR_OK;
}

void wire_envelope_aad(uint8_t dst[WIRE_ENVELOPE_AAD_BYTES], const struct hash *task,
                       const struct addr *worker, const struct addr *challenge,
                       const struct hash *evidence_digest) {
    memcpy(dst, "SR-ENV-v1", 10);
    memcpy(dst + 10, task->b, 32);
    memcpy(dst + 42, worker->b, 20);
    memcpy(dst + 62, challenge->b, 20);
    memcpy(dst + 82, evidence_digest->b, 32);
}

struct hash wire_envelope_hash(const uint8_t aad[WIRE_ENVELOPE_AAD_BYTES], struct slice sealed) {
    return HASH_OF(NULL, slice_of(aad, WIRE_ENVELOPE_AAD_BYTES), sealed);
}

void wire_secret_aad(struct buf *ret, secret_kind kind, const struct addr *target,
                     struct slice name) {
    buf_u8(ret, (uint8_t)kind);
    buf_put(ret, target->b, 20);
    buf_add(ret, name);
}

struct hash wire_release_row_hash(const struct wire_release_row *row) {
    struct keccak k;
    uint8_t head[16], flags[2] = {row->released, row->verdict};
    for (unsigned i = 0; i < 8; i++) {
        head[i] = (uint8_t)(row->n >> (56 - 8 * i));
        head[8 + i] = (uint8_t)(row->time_ms >> (56 - 8 * i));
    }
    keccak_init(&k);
    keccak_add(&k, slice_of("SR-RLG-v1", 10));
    keccak_add(&k, slice_of(row->previous.b, 32));
    keccak_add(&k, slice_of(head, sizeof head));
    keccak_add(&k, slice_of(row->task.b, 32));
    keccak_add(&k, slice_of(row->deal.b, 32));
    keccak_add(&k, slice_of(row->worker.b, 20));
    keccak_add(&k, slice_of(row->dataset.b, 20));
    keccak_add(&k, slice_of(flags, sizeof flags));
    keccak_add(&k, slice_of(row->evidence_digest.b, 32));
    keccak_add(&k, row->code);
    return keccak_end(&k);
}

struct hash wire_secret_challenge(secret_kind kind, const struct addr *target, struct slice name,
                                  struct slice secret) {
    struct hash domain = keccak256(SLICE_LIT("IEXEC_SMS_DOMAIN"));
    struct hash value = keccak256(secret);
    if (kind == SECRET_WEB3) return HASH_OF(NULL, BYTES(domain), BYTES(*target), BYTES(value));
    struct hash name_hash = keccak256(name);
    return HASH_OF(NULL, BYTES(domain), BYTES(*target), BYTES(name_hash), BYTES(value));
}

#define REPORT_PURPOSE_SECRETS 1
enum { KEY_X25519 = 0x01, KEY_CHALLENGE = 0x02, KEY_SMS_IDENTITY = 0x10 };

sr_status wire_report_data(const struct wire_binding *b, uint8_t ret_data[64], struct sr_err *err) {
    struct hash launch;
    {
        uint8_t inputs[10 + 32];
        memcpy(inputs, "SR-LIN-v1", 10);
        memcpy(inputs + 10, b->app_digest.b, 32);
        launch = sha256(slice_of(inputs, sizeof inputs));
    }
    cleanup_buf struct buf d;
    buf_init(&d, 1024);
    buf_put(&d, "SR-RD-v1", 9);
    buf_u8(&d, REPORT_PURPOSE_SECRETS);
    buf_u16(&d, 32);
    buf_put(&d, b->nonce.b, 32);
    buf_put(&d, b->task.b, 32);
    buf_put(&d, b->worker.b, 20);
    buf_u8(&d, 3);
    buf_u8(&d, KEY_X25519);
    buf_u16(&d, 32);
    buf_put(&d, b->sealing_key, 32);
    buf_u8(&d, KEY_CHALLENGE);
    buf_u16(&d, 64);
    buf_put(&d, b->challenge_public, 64);
    buf_u8(&d, KEY_SMS_IDENTITY);
    buf_u16(&d, 20);
    buf_put(&d, b->sms_identity.b, 20);
    buf_put(&d, launch.b, 32);
    SR_TRY(buf_status(&d, err));
    unsigned n = 0;
    if (EVP_Digest(d.p, d.n, ret_data, &n, EVP_sha512(), NULL) != 1)
        return sr_fail(err, SR_E_CRYPTO, "SHA-512 failed");
    return SR_OK;
}

struct addr wire_challenge_address(const uint8_t challenge_public[64]) {
    struct hash h = keccak256(slice_of(challenge_public, 64));
    struct addr a;
    memcpy(a.b, h.b + 12, sizeof a.b);
    return a;
}

void wire_simulated_mrtd(const struct hash *room_sha256, uint8_t ret_mrtd[48]) {
    uint8_t in[12 + 32];
    memcpy(in, "SR-SIM-room", 12);
    memcpy(in + 12, room_sha256->b, 32);
    sha384(slice_of(in, sizeof in), ret_mrtd);
}
