/* SPDX-License-Identifier: Apache-2.0 */
/* GraphQL documents against an index in memory: an answer is JSON, and never a database error (a
 * text of ours that SQL does not take would be one). First byte: which schema; then the document,
 * a zero byte and variables. */
#include "market/gql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct market m;
    if (!m.db && market_db_open(":memory:", &m.db, NULL) != SR_OK) return 0;
    m.read = m.db;
    if (size < 1 || size > 4096) return 0;
    struct slice query, vars = {0};
    if (!slice_cut(slice_of(data + 1, size - 1), '\0', &query, &vars)) vars = slice_of(NULL, 0);
    cleanup_buf struct buf body, b;
    cleanup_json struct json *doc = NULL, *answer = NULL;
    buf_init(&body, 65536);
    buf_init(&b, GQL_ANSWER_MAX);
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_kstr(&w, "query", query);
    jw_end_obj(&w);
    if (vars.n) {
        body.n--;
        buf_str(&body, ",\"variables\":");
        buf_add(&body, vars);
        buf_str(&body, "}");
    }
    if (body.bad || json_parse(buf_slice(&body), &doc, NULL) != SR_OK) return 0;
    struct sr_err e = {0};
    sr_status st =
        gql_answer(&m, data[0] & 1 ? &gql_poco : &gql_dataprotector, json_root(doc), &b, &e);
    SR_ASSERT(st == SR_OK || st == SR_E_NOMEM);
    SR_ASSERT(json_parse(buf_slice(&b), &answer, NULL) == SR_OK);
    return 0;
}
