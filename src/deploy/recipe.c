/* SPDX-License-Identifier: Apache-2.0 */
/* The recipe: found, parsed, and every byte of it checked before anything is sent. */
#include "deploy/deploy_int.h"
#include <stdlib.h>
#include <unistd.h>

#define CHAIN_WORD "{chainId}"
#define TEXT_MAX   1024

static sr_status wrong(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_MALFORMED, "the deployment recipe: %s", what);
}

sr_status recipe_fill(const struct json_val *hex, const struct json_val *puts,
                      const struct deploy_book *book, struct buf *ret, struct sr_err *err) {
    struct slice text;
    size_t start = ret->n;
    if (!json_str(hex, &text) || !slice_starts(text, "0x") || !hex_decode_buf(text, ret)) {
        BUF_TRY_MEMORY(ret, err);
        return wrong(err, "bytes are not 0x and hex digits");
    }
    SR_TRY(buf_status(ret, err));
    size_t n = ret->n - start;
    for (const struct json_val *p = json_first(puts); p; p = json_next(p)) {
        uint64_t at;
        struct slice is = json_text(json_get(p, "is"));
        if (!json_u64(json_get(p, "at"), &at) || n < sizeof(struct addr) ||
            at > n - sizeof(struct addr) || is.n == 0)
            return wrong(err, "a place outside its bytes");
        const struct deploy_entry *e = deploy_book_find(book, is);
        if (!e)
            return sr_fail(err, SR_E_NOTFOUND, "%.*s has no address yet", (int)is.n,
                           (const char *)is.p);
        memcpy(ret->p + start + at, e->addr.b, sizeof e->addr.b);
    }
    return SR_OK;
}

/* A selector, and its one string with the chain's number in it. */
static sr_status with_text(const struct json_val *step, uint64_t chain_id, struct buf *ret,
                           struct sr_err *err) {
    struct slice text;
    if (!json_str(json_get(step, "text"), &text) || text.n > TEXT_MAX)
        return wrong(err, "a text is too long");
    cleanup_buf struct buf b;
    buf_init(&b, 2 * TEXT_MAX);
    const size_t n = sizeof CHAIN_WORD - 1;
    for (size_t i = 0; i < text.n;) {
        if (text.n - i >= n && memcmp(text.p + i, CHAIN_WORD, n) == 0) {
            buf_printf(&b, "%llu", (unsigned long long)chain_id);
            i += n;
        } else {
            buf_u8(&b, text.p[i++]);
        }
    }
    SR_TRY(buf_status(&b, err));
    const struct abi_val v = av_bytes(buf_slice(&b));
    return abi_encode(ret, "string", &v, 1, err);
}

sr_status recipe_step_data(const struct json_val *step, const struct deploy_book *book,
                           struct buf *ret, struct sr_err *err) {
    SR_TRY(recipe_fill(json_get(step, "data"), json_get(step, "puts"), book, ret, err));
    if (json_get(step, "text")) return with_text(step, book->chain_id, ret, err);
    return SR_OK;
}

bool recipe_step_ready(const struct json_val *step, const struct deploy_book *book) {
    const struct json_val *to = json_get(step, "to");
    if (to && !deploy_book_find(book, json_text(to))) return false;
    const struct json_val *puts = json_get(step, "puts");
    for (const struct json_val *p = json_first(puts); p; p = json_next(p))
        if (!deploy_book_find(book, json_text(json_get(p, "is")))) return false;
    return true;
}

/* ---- everything once, with addresses of nobody */

static sr_status check_name(struct slice name, struct sr_err *err) {
    if (name.n == 0 || name.n >= DEPLOY_NAME_MAX) return wrong(err, "a name is missing");
    return SR_OK;
}

static sr_status check_steps(const struct deploy_recipe *r, struct deploy_book *book,
                             struct sr_err *err) {
    const struct addr nobody = {{0}};
    if (json_len(r->steps) == 0 || json_len(r->steps) > DEPLOY_STEPS_MAX)
        return wrong(err, "no steps, or too many");
    for (const struct json_val *s = json_first(r->steps); s; s = json_next(s)) {
        cleanup_buf struct buf b;
        buf_init(&b, DEPLOY_CODE_MAX);
        uint64_t gas;
        struct slice creates = json_text(json_get(s, "creates")), to = json_text(json_get(s, "to"));
        if (json_text(json_get(s, "name")).n == 0 || !json_u64(json_get(s, "gas"), &gas) ||
            gas > UINT32_MAX)
            return wrong(err, "a step without name or gas");
        if ((creates.n > 0) == (to.n > 0)) return wrong(err, "a step creates or calls");
        if (to.n > 0 && !deploy_book_find(book, to)) return wrong(err, "a call of nobody");
        SR_TRY(recipe_step_data(s, book, &b, err));
        if (creates.n == 0) continue;
        SR_TRY(check_name(creates, err));
        if (deploy_book_find(book, creates)) return wrong(err, "a name is used twice");
        SR_TRY(deploy_book_put(book, creates, &nobody, false, err));
    }
    return SR_OK;
}

static sr_status check_codes(const struct deploy_recipe *r, struct deploy_book *book,
                             struct sr_err *err) {
    const struct addr nobody = {{0}};
    for (const struct json_val *c = json_first(r->codes); c; c = json_next(c)) {
        struct slice name = json_text(json_get(c, "name")), by = json_text(json_get(c, "by"));
        SR_TRY(check_name(name, err));
        if (by.n == 0) continue;
        uint64_t nonce;
        if (!deploy_book_find(book, by) || !json_u64(json_get(c, "nonce"), &nonce))
            return wrong(err, "a contract that nobody creates");
        SR_TRY(deploy_book_put(book, name, &nobody, false, err));
    }
    for (const struct json_val *c = json_first(r->codes); c; c = json_next(c)) {
        cleanup_buf struct buf b;
        buf_init(&b, DEPLOY_CODE_MAX);
        SR_TRY(recipe_fill(json_get(c, "code"), json_get(c, "puts"), book, &b, err));
        const struct json_val *masks = json_get(c, "masks");
        for (const struct json_val *m = json_first(masks); m; m = json_next(m)) {
            uint64_t at, size;
            if (!json_u64(json_get(m, "at"), &at) || !json_u64(json_get(m, "size"), &size) ||
                at > b.n || size > b.n - at)
                return wrong(err, "a mask outside its code");
        }
    }
    return SR_OK;
}

static sr_status check_checks(const struct deploy_recipe *r, const struct deploy_book *book,
                              struct sr_err *err) {
    for (const struct json_val *c = json_first(r->checks); c; c = json_next(c)) {
        cleanup_buf struct buf b;
        buf_init(&b, DEPLOY_CODE_MAX);
        if (json_text(json_get(c, "name")).n == 0 ||
            !deploy_book_find(book, json_text(json_get(c, "to"))))
            return wrong(err, "a check of nobody");
        SR_TRY(recipe_fill(json_get(c, "data"), json_get(c, "dataPuts"), book, &b, err));
        SR_TRY(recipe_fill(json_get(c, "answer"), json_get(c, "puts"), book, &b, err));
    }
    return SR_OK;
}

static sr_status check_all(const struct deploy_recipe *r, struct sr_err *err) {
    uint64_t version = 0;
    struct deploy_book book = {0};
    const struct addr nobody = {{0}};
    if (!json_u64(json_get(json_root(r->doc), "version"), &version) || version != 1)
        return wrong(err, "its version is not 1");
    if (!json_is(r->steps, JSON_ARRAY) || !json_is(r->codes, JSON_ARRAY) ||
        !json_is(r->checks, JSON_ARRAY) || json_len(r->codes) + json_len(r->checks) > RPC_MAX_BATCH)
        return wrong(err, "steps, codes and checks are lists");
    SR_TRY(deploy_book_put(&book, SLICE_LIT("deployer"), &nobody, false, err));
    sr_status st = check_steps(r, &book, err);
    if (st == SR_OK) st = check_codes(r, &book, err);
    if (st == SR_OK) st = check_checks(r, &book, err);
    if (st == SR_E_NOTFOUND) { /* an address that no step before it makes */
        sr_err_prefix(err, "the deployment recipe");
        if (err) err->code = SR_E_MALFORMED;
        return SR_E_MALFORMED;
    }
    return st;
}

sr_status deploy_recipe_parse(struct slice text, struct deploy_recipe **ret, struct sr_err *err) {
    cleanup_recipe struct deploy_recipe *r = sr_calloc_n(1, sizeof *r);
    if (!r) return sr_fail(err, SR_E_NOMEM, "out of memory");
    SR_TRY(json_parse(text, &r->doc, err));
    const struct json_val *root = json_root(r->doc);
    r->steps = json_get(root, "steps");
    r->codes = json_get(root, "codes");
    r->checks = json_get(root, "checks");
    r->hash = keccak256(text);
    SR_TRY(check_all(r, err));
    *ret = sr_take_ptr(r);
    return SR_OK;
}

void deploy_recipe_free(struct deploy_recipe *r) {
    if (!r) return;
    json_free(r->doc);
    free(r);
}

/* Beside the program in a build folder, in share/ where it was installed. Owned. */
static char *find(void) {
    static const char *const places[] = {"contracts/deploy.json",
                                         "../share/strongroom/deploy.json"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return NULL;
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (!slash) return NULL;
    *slash = 0;
    for (size_t i = 0; i < SR_ARRAY_LEN(places); i++) {
        char *p = path_join(self, places[i]);
        if (p && fs_exists(p)) return p;
        free(p);
    }
    return NULL;
}

sr_status deploy_recipe_load(const char *path, struct deploy_recipe **ret, struct sr_err *err) {
    cleanup_free char *found = path ? NULL : find();
    cleanup_buf struct buf b;
    buf_init(&b, DEPLOY_RECIPE_MAX);
    if (!path && !found) {
        sr_hint(err, "build the contracts (make build), or name the file with --recipe");
        return sr_fail(err, SR_E_NOTFOUND, "the built contracts (deploy.json) are missing");
    }
    SR_TRY(fs_read(path ? path : found, &b, err));
    sr_status st = deploy_recipe_parse(buf_slice(&b), ret, err);
    if (st != SR_OK) sr_err_prefix(err, "%s", path ? path : found);
    return st;
}
