/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The official routes of secrets: exact statuses and texts, for unmodified clients.
 * Checks in the official order: signature, name, size, existence.
 * SPEC: services.md#31-secret-operations
 */
#include "sms/sms_int.h"

#define SEALED_TYPE   "application/vnd.strongroom.sealed"
#define ORIGIN_HEADER "X-Contract-Origin" /* hex of WIRE_ORIGIN_*, for contract wallets */
/* What the client reads; the body of web3 and web2 refusals is empty. */
#define TEXT_NOT_FOUND "{\"error\":[\"Secret not found\"]}"
#define TEXT_AUTH      "{\"error\":[\"Invalid authorization\"]}"
#define TEXT_EXISTS    "{\"error\":[\"Secret already exists\"]}"
#define TEXT_SIZE      "{\"error\":[\"Secret size should not exceed 4 Kb\"]}"
#define TEXT_NAME                                                                                  \
    "{\"error\":[\"Secret key should contain at most 64 characters from [0-9A-Za-z-_]\"]}"

struct put {
    secret_kind kind;
    struct addr target;
    struct slice name;
};

static bool speaks_json(secret_kind k) {
    return k == SECRET_REQUESTER || k == SECRET_APP;
}

static sr_status answer(struct http_req *rq, secret_kind kind, int status, const char *text,
                        struct sr_err *err) {
    bool json = text && speaks_json(kind);
    return http_reply(rq, status, json ? "application/json" : NULL, slice_str(json ? text : NULL),
                      err);
}

static sr_status missing(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_MALFORMED, "%s is missing or malformed", what);
}

static bool name_ok(struct slice name) {
    if (name.n == 0 || name.n > 64) return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
    }
    return true;
}

/* Which secret a request is about. */
static sr_status read_target(struct http_req *rq, secret_kind kind, struct put *ret,
                             struct sr_err *err) {
    struct slice text = {NULL, 0};
    struct put p = {.kind = kind, .name = {(const uint8_t *)"", 0}};
    const char *where = kind == SECRET_WEB3 ? "secretAddress" : "ownerAddress";
    if (kind == SECRET_WEB3 || kind == SECRET_WEB2)
        (void)http_query(rq, where, &text);
    else
        text = http_param(rq, "address");
    if (!addr_parse(text, &p.target)) return missing(err, "the address");
    if (kind == SECRET_WEB2 && (!http_query(rq, "secretName", &p.name) || p.name.n == 0 ||
                                p.name.n > SMS_NAME_MAX || memchr(p.name.p, 0, p.name.n)))
        return missing(err, "secretName");
    if (kind == SECRET_REQUESTER) p.name = http_param(rq, "name");
    if (kind == SECRET_APP) p.name = SLICE_LIT("1");
    *ret = p;
    return SR_OK;
}

static sr_status has(struct http_req *rq, struct sms *s, secret_kind kind, struct sr_err *err) {
    struct put p;
    cleanup_stored struct stored_secret found = {0};
    struct sr_err e = {0};
    SR_TRY(read_target(rq, kind, &p, err));
    if (kind == SECRET_REQUESTER && !name_ok(p.name)) return answer(rq, kind, 400, TEXT_NAME, err);
    sr_status st = secret_find(s->db, kind, &p.target, p.name, &found, &e);
    if (st == SR_E_NOTFOUND) return answer(rq, kind, 404, TEXT_NOT_FOUND, err);
    if (st != SR_OK) {
        *err = e;
        return st;
    }
    SR_TRY(sms_lasting(s, err)); /* what is said to be stored stays so */
    return answer(rq, kind, 204, NULL, err);
}

/* Who must have signed: SR_E_NOTFOUND when nobody can. */
static sr_status find_signer(struct sms *s, const struct put *p, struct addr *ret,
                             struct sr_err *err) {
    if (p->kind == SECRET_WEB3)
        return sms_chain_owner(s->chain, POCO_DATASET, &p->target, ret, err);
    if (p->kind == SECRET_APP) return sms_chain_owner(s->chain, POCO_APP, &p->target, ret, err);
    *ret = p->target;
    return SR_OK;
}

/* The vault's answer to a secret, as a status; 0: it is stored in ret. */
static sr_status seal(struct http_req *rq, struct sms *s, const struct vault_secret *v,
                      struct buf *ret, int *ret_status, struct sr_err *err) {
    struct sr_err e = {0};
    (void)rq;
    sr_status st = vault_secret_seal(s->vault, v, ret, &e);
    switch (st) {
    case SR_OK: *ret_status = 0; return SR_OK;
    case SR_E_AUTH:
    case SR_E_CRYPTO: *ret_status = 401; return SR_OK;
    case SR_E_TOOBIG: *ret_status = v->kind == SECRET_REQUESTER ? 400 : 413; return SR_OK;
    case SR_E_MALFORMED: *ret_status = 400; return SR_OK;
    default: *err = e; return st; /* locked or gone: 503 */
    }
}

/* No key's signature: the signer may be a contract that stands by it. One that sends sealed secrets
 * has a key of ours, for what a contract is asked about must be seen. */
static sr_status ask_contract(struct sms *s, struct vault_secret *v, const struct hash *h,
                              struct sr_err *err) {
    struct hash digest = eth_message_hash(h);
    return sms_chain_signed(s->chain, &v->signer, &digest, v->signature, &v->by_contract, err);
}

static sr_status put_checked(struct http_req *rq, struct sms *s, const struct put *p,
                             struct vault_secret *v, bool update, struct sr_err *err) {
    cleanup_stored struct stored_secret fresh = {.kind = p->kind, .target = p->target};
    keep_outcome outcome = KEEP_DONE;
    int status = 0;
    if (!v->is_sealed) { /* the vault checks the same, but the order of checks is official */
        struct hash h = wire_secret_challenge(p->kind, &p->target, p->name, v->secret);
        bool signed_ok = eth_message_check(&h, v->signature, &v->signer, NULL) == SR_OK;
        if (!signed_ok) SR_TRY(ask_contract(s, v, &h, err));
        if (!signed_ok && !v->by_contract) return answer(rq, p->kind, 401, TEXT_AUTH, err);
    }
    if (p->kind == SECRET_REQUESTER && !name_ok(p->name))
        return answer(rq, p->kind, 400, TEXT_NAME, err);
    if (!v->is_sealed && v->secret.n > WIRE_SECRET_MAX)
        return answer(rq, p->kind, p->kind == SECRET_REQUESTER ? 400 : 413, TEXT_SIZE, err);
    /* Sealed: only the vault can see whose it is, so it is asked before existence is told. */
    buf_init(&fresh.blob, SMS_BODY_MAX);
    buf_init(&fresh.name, SMS_NAME_MAX + 1);
    buf_add(&fresh.name, p->name);
    fresh.signer = v->signer;
    SR_TRY(seal(rq, s, v, &fresh.blob, &status, err));
    if (status != 0) return answer(rq, p->kind, status, status == 401 ? TEXT_AUTH : TEXT_SIZE, err);
    SR_TRY(buf_status(&fresh.blob, err));
    SR_TRY(sms_keep(s, &fresh, update, &outcome, err));
    if (outcome == KEEP_MISSING) return answer(rq, p->kind, 404, TEXT_NOT_FOUND, err);
    if (outcome == KEEP_EXISTS) return answer(rq, p->kind, 409, TEXT_EXISTS, err);
    log_info("secret_put", "kind=%d target=%s sealed=%d update=%d", (int)p->kind,
             addr_text(&p->target).s, v->is_sealed, update);
    return answer(rq, p->kind, 204, NULL, err);
}

static sr_status put(struct http_req *rq, struct sms *s, secret_kind kind, struct sr_err *err) {
    struct put p;
    struct slice auth, type = {NULL, 0}, body;
    cleanup_buf struct buf signature, origin;
    struct sr_err e = {0};
    buf_init(&signature, POCO_SIGN_MAX), buf_init(&origin, WIRE_ORIGIN_CREATE2);
    bool update = slice_is(http_method(rq), "PUT");
    SR_TRY(read_target(rq, kind, &p, err));
    if (!http_header(rq, "Authorization", &auth)) return missing(err, "the header Authorization");
    SR_TRY(http_body(rq, &body, err));
    if (body.n == 0) return missing(err, "the secret");
    bool good = hex_decode_buf(auth, &signature);
    struct slice from;
    if (http_header(rq, ORIGIN_HEADER, &from)) good = hex_decode_buf(from, &origin) && good;
    BUF_TRY_MEMORY(&signature, err);
    BUF_TRY_MEMORY(&origin, err);
    if (!good || signature.bad || origin.bad || signature.n == 0)
        return answer(rq, kind, 401, TEXT_AUTH, err);
    struct vault_secret v = {.kind = kind,
                             .target = p.target,
                             .name = p.name,
                             .secret = body,
                             .signature = buf_slice(&signature),
                             .origin = buf_slice(&origin)};
    sr_status st = find_signer(s, &p, &v.signer, &e);
    if (st == SR_E_NOTFOUND) return answer(rq, kind, 401, TEXT_AUTH, err);
    if (st != SR_OK) {
        *err = e;
        return st;
    }
    cleanup_buf_wipe struct buf raw = {0};
    buf_init(&raw, SMS_BODY_MAX);
    (void)http_header(rq, "Content-Type", &type);
    if (slice_is(type, SEALED_TYPE)) {
        v.is_sealed = true;
        if (!base64_decode(slice_trim(body), &raw)) {
            BUF_TRY_MEMORY(&raw, err);
            return missing(err, "the sealed secret");
        }
        v.secret = buf_slice(&raw);
    }
    st = put_checked(rq, s, &p, &v, update, err);
    explicit_bzero((void *)(uintptr_t)body.p, body.n);
    return st;
}

sr_status sms_web3_has(struct http_req *rq, void *role, struct sr_err *err) {
    return has(rq, role, SECRET_WEB3, err);
}
sr_status sms_web3_put(struct http_req *rq, void *role, struct sr_err *err) {
    return put(rq, role, SECRET_WEB3, err);
}
sr_status sms_web2_has(struct http_req *rq, void *role, struct sr_err *err) {
    return has(rq, role, SECRET_WEB2, err);
}
sr_status sms_web2_put(struct http_req *rq, void *role, struct sr_err *err) {
    return put(rq, role, SECRET_WEB2, err);
}
sr_status sms_requester_has(struct http_req *rq, void *role, struct sr_err *err) {
    return has(rq, role, SECRET_REQUESTER, err);
}
sr_status sms_requester_put(struct http_req *rq, void *role, struct sr_err *err) {
    return put(rq, role, SECRET_REQUESTER, err);
}
sr_status sms_app_has(struct http_req *rq, void *role, struct sr_err *err) {
    return has(rq, role, SECRET_APP, err);
}
sr_status sms_app_put(struct http_req *rq, void *role, struct sr_err *err) {
    return put(rq, role, SECRET_APP, err);
}
