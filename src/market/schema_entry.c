/* SPDX-License-Identifier: Apache-2.0 */
/* schema_entry.c - a data set's schema, flattened as the official index flattens it
 * SPEC: dataprotector.md#61-sources */
#include "market/market_int.h"

#define ENTRIES_MAX 1024
#define PATH_MAX_   1024

static const char *const types[] = {"bool",
                                    "string",
                                    "f64",
                                    "i128",
                                    "boolean",
                                    "number",
                                    "application/octet-stream",
                                    "application/pdf",
                                    "application/xml",
                                    "application/zip",
                                    "audio/midi",
                                    "audio/mpeg",
                                    "audio/x-wav",
                                    "image/bmp",
                                    "image/gif",
                                    "image/jpeg",
                                    "image/png",
                                    "image/webp",
                                    "video/mp4",
                                    "video/mpeg",
                                    "video/x-msvideo"};

static bool known_type(struct slice s) {
    for (size_t i = 0; i < SR_ARRAY_LEN(types); i++)
        if (slice_is(s, types[i])) return true;
    return false;
}

static bool good_key(struct slice k) {
    for (size_t i = 0; i < k.n; i++) {
        uint8_t c = k.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '_' || c == '-'))
            return false;
    }
    return k.n > 0;
}

static sr_status add(struct market *m, const struct addr *data, struct slice path,
                     struct slice type, uint64_t seq, uint64_t block, struct sr_err *err) {
    cleanup_buf struct buf id;
    buf_init(&id, PATH_MAX_ + 64);
    buf_add(&id, path);
    buf_str(&id, ":");
    buf_add(&id, type);
    SR_TRY(buf_status(&id, err));
    return db_run(m->db,
                  "INSERT INTO schema_entry (address, id, path, type, seq, block) VALUES ($1, $2, "
                  "$3, $4, $5, $6)",
                  DB_ARGS(db_addr(data), db_text(buf_slice(&id)), db_text(path), db_text(type),
                          db_u64(seq), db_u64(block)),
                  err);
}

sr_status index_schema(struct market *m, const struct addr *data, struct slice text, uint64_t block,
                       struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    if (json_parse(text, &doc, NULL) != SR_OK || !json_is(json_root(doc), JSON_OBJECT))
        return SR_OK;
    /* depth first without recursion: up holds where to go on, len the path's length there */
    const struct json_val *up[JSON_MAX_DEPTH];
    size_t len[JSON_MAX_DEPTH], depth = 0;
    cleanup_buf struct buf path;
    buf_init(&path, PATH_MAX_);
    uint64_t n = 0;
    const struct json_val *v = json_first(json_root(doc));
    for (;;) {
        if (!v) {
            if (depth == 0) return SR_OK;
            v = json_next(up[--depth]);
            path.n = len[depth];
            continue;
        }
        struct slice key = json_key(v), type;
        size_t before = path.n;
        bool deeper = false;
        if (good_key(key) && before + key.n + 1 < PATH_MAX_) {
            if (before) buf_str(&path, ".");
            buf_add(&path, key);
            if (json_str(v, &type) && known_type(type)) {
                if (n == ENTRIES_MAX) return SR_OK;
                SR_TRY(add(m, data, buf_slice(&path), type, n++, block, err));
            } else if (json_is(v, JSON_OBJECT) && depth < JSON_MAX_DEPTH) {
                up[depth] = v;
                len[depth++] = before;
                v = json_first(v);
                deeper = true;
            }
        }
        if (!deeper) {
            path.n = before;
            v = json_next(v);
        }
    }
}
