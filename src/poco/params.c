/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/params.h"

void poco_params_done(struct poco_params *p) {
    json_free(p->doc);
    *p = (struct poco_params){0};
}

static bool read_files(const struct json_val *v, struct poco_params *p, bool *too_many) {
    if (!json_is(v, JSON_ARRAY)) return false;
    for (const struct json_val *f = json_first(v); f; f = json_next(f)) {
        if (p->n_files == PARAMS_MAX_FILES) {
            *too_many = true;
            return false;
        }
        if (!json_str(f, &p->files[p->n_files])) return false;
        p->n_files++;
    }
    return true;
}

static bool read_secrets(const struct json_val *v, struct poco_params *p, bool *too_many) {
    if (!json_is(v, JSON_OBJECT)) return false;
    for (const struct json_val *s = json_first(v); s; s = json_next(s)) {
        if (p->n_secrets == PARAMS_MAX_SECRETS) {
            *too_many = true;
            return false;
        }
        struct poco_secret_ref *r = &p->secrets[p->n_secrets];
        if (!num_u64(json_key(s), UINT64_MAX, &r->index) || r->index == 0 || !json_str(s, &r->name))
            return false;
        p->n_secrets++;
    }
    return true;
}

/* False: not the shape we know, so the text as a whole is the arguments. */
static bool read_object(const struct json_val *root, struct poco_params *p, bool *too_many) {
    if (!json_is(root, JSON_OBJECT)) return false;
    for (const struct json_val *v = json_first(root); v; v = json_next(v)) {
        struct slice k = json_key(v);
        bool ok;
        if (slice_is(k, "iexec_args")) {
            ok = p->has_args = json_str(v, &p->args);
        } else if (slice_is(k, "iexec_input_files")) {
            ok = read_files(v, p, too_many);
        } else if (slice_is(k, "iexec_secrets")) {
            ok = read_secrets(v, p, too_many);
        } else if (slice_is(k, "iexec_result_encryption")) {
            ok = p->has_encryption = json_bool(v, &p->encryption);
        } else if (slice_is(k, "iexec_result_storage_provider")) {
            ok = json_str(v, &p->storage);
        } else if (slice_is(k, "iexec_result_storage_proxy")) {
            ok = json_str(v, &p->proxy);
        } else if (slice_is(k, "bulk_cid")) {
            ok = json_str(v, &p->bulk_cid);
        } else {
            ok = false;
        }
        if (!ok) return false;
    }
    return true;
}

sr_status poco_params_read(struct slice text, struct poco_params *ret, struct sr_err *err) {
    struct poco_params p = {0};
    bool too_many = false;
    struct sr_err e = {0};
    sr_status st = json_parse(text, &p.doc, &e);
    if (st == SR_E_NOMEM) return sr_fail(err, st, "deal parameters");
    if (st == SR_OK && read_object(json_root(p.doc), &p, &too_many)) {
        *ret = p;
        return SR_OK;
    }
    poco_params_done(&p);
    if (too_many) return sr_fail(err, SR_E_TOOBIG, "deal parameters: too many files or secrets");
    *ret = (struct poco_params){.has_args = true, .args = text};
    return SR_OK;
}

void poco_params_write(const struct poco_params *p, struct buf *b) {
    struct jw w = jw_of(b);
    jw_obj(&w);
    if (p->n_secrets) {
        jw_key(&w, "iexec_secrets");
        jw_obj(&w);
        /* ascending, as a JavaScript object gives integer keys */
        uint64_t last = 0;
        for (size_t i = 0; i < p->n_secrets; i++) {
            const struct poco_secret_ref *next = NULL;
            for (size_t k = 0; k < p->n_secrets; k++)
                if (p->secrets[k].index > last && (!next || p->secrets[k].index < next->index))
                    next = &p->secrets[k];
            if (!next) break; /* an index given twice: the first counts */
            last = next->index;
            char key[21];
            char dec[U256_DEC_MAX];
            u256_to_dec(dec, u256_of(last));
            memcpy(key, dec, strlen(dec) + 1);
            jw_kstr(&w, key, next->name);
        }
        jw_end_obj(&w);
    }
    if (p->storage.n) jw_kstr(&w, "iexec_result_storage_provider", p->storage);
    if (p->proxy.n) jw_kstr(&w, "iexec_result_storage_proxy", p->proxy);
    if (p->has_encryption) jw_kbool(&w, "iexec_result_encryption", p->encryption);
    if (p->bulk_cid.n) jw_kstr(&w, "bulk_cid", p->bulk_cid);
    if (p->n_files) {
        jw_key(&w, "iexec_input_files");
        jw_arr(&w);
        for (size_t i = 0; i < p->n_files; i++) jw_str(&w, p->files[i]);
        jw_end_arr(&w);
    }
    if (p->has_args) jw_kstr(&w, "iexec_args", p->args);
    jw_end_obj(&w);
}

void poco_result_write(struct buf *b, const char *storage, struct slice location) {
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_kcstr(&w, "storage", storage);
    jw_kstr(&w, "location", location);
    jw_end_obj(&w);
}

sr_status poco_result_read(struct slice results, struct poco_result_link *ret, struct sr_err *err) {
    struct poco_result_link l = {0};
    sr_status st = json_parse(results, &l.doc, NULL);
    if (st == SR_E_NOMEM) return sr_fail(err, st, "task results");
    if (st != SR_OK || !json_str(json_get(json_root(l.doc), "storage"), &l.storage)) {
        json_free(l.doc);
        *ret = (struct poco_result_link){.storage = SLICE_LIT("none")};
        return SR_OK;
    }
    (void)json_str(json_get(json_root(l.doc), "location"), &l.location);
    *ret = l;
    return SR_OK;
}
