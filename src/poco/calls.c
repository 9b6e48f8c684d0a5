/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/calls.h"
#include "poco/functions.h"

#define A9 POCO_T_ORDER
#define WP POCO_T_WORKERPOOL
#define RQ POCO_T_REQUEST

sr_status poco_enc_match(struct buf *b, const struct poco_order *app,
                         const struct poco_order *dataset, const struct poco_order *workerpool,
                         const struct poco_order *request, struct sr_err *err) {
    static const struct poco_order null_dataset = {.kind = POCO_DATASET};
    struct abi_val v[4][POCO_ORDER_VALS];
    SR_ASSERT(app->kind == POCO_APP && workerpool->kind == POCO_WORKERPOOL &&
              request->kind == POCO_REQUEST && (!dataset || dataset->kind == POCO_DATASET));
    return abi_call(b, "matchOrders(" A9 "," A9 "," WP "," RQ ")", err, poco_order_val(app, v[0]),
                    poco_order_val(dataset ? dataset : &null_dataset, v[1]),
                    poco_order_val(workerpool, v[2]), poco_order_val(request, v[3]));
}

sr_status poco_enc_manage(struct buf *b, const struct poco_order *o, poco_op op,
                          struct slice op_sign, struct sr_err *err) {
    static const char *const sig[POCO_KINDS] = {
        "manageAppOrder((" A9 ",uint8,bytes))", "manageDatasetOrder((" A9 ",uint8,bytes))",
        "manageWorkerpoolOrder((" WP ",uint8,bytes))", "manageRequestOrder((" RQ ",uint8,bytes))"};
    struct abi_val v[POCO_ORDER_VALS];
    const struct abi_val t[3] = {poco_order_val(o, v), av_u64(op), av_bytes(op_sign)};
    return abi_call(b, sig[o->kind], err, av_list(t, 3));
}

sr_status poco_enc_initialize(struct buf *b, const struct hash *deal, struct u256 index,
                              struct sr_err *err) {
    return abi_call(b, "initialize(bytes32,uint256)", err, av_hash(deal), av_u256(index));
}

sr_status poco_enc_contribute(struct buf *b, const struct hash *task,
                              const struct hash *result_hash, const struct hash *result_seal,
                              const struct addr *enclave, struct slice enclave_sign,
                              struct slice auth_sign, struct sr_err *err) {
    return abi_call(b, "contribute(bytes32,bytes32,bytes32,address,bytes,bytes)", err,
                    av_hash(task), av_hash(result_hash), av_hash(result_seal), av_addr(enclave),
                    av_bytes(enclave_sign), av_bytes(auth_sign));
}

sr_status poco_enc_contribute_and_finalize(struct buf *b, const struct hash *task,
                                           const struct hash *digest, struct slice results,
                                           struct slice callback_data, const struct addr *enclave,
                                           struct slice enclave_sign, struct slice auth_sign,
                                           struct sr_err *err) {
    return abi_call(b, "contributeAndFinalize(bytes32,bytes32,bytes,bytes,address,bytes,bytes)",
                    err, av_hash(task), av_hash(digest), av_bytes(results), av_bytes(callback_data),
                    av_addr(enclave), av_bytes(enclave_sign), av_bytes(auth_sign));
}

sr_status poco_enc_reveal(struct buf *b, const struct hash *task, const struct hash *digest,
                          struct sr_err *err) {
    return abi_call(b, "reveal(bytes32,bytes32)", err, av_hash(task), av_hash(digest));
}

sr_status poco_enc_finalize(struct buf *b, const struct hash *task, struct slice results,
                            struct slice callback_data, struct sr_err *err) {
    return abi_call(b, "finalize(bytes32,bytes,bytes)", err, av_hash(task), av_bytes(results),
                    av_bytes(callback_data));
}

sr_status poco_enc_task(struct buf *b, const char *what, const struct hash *task,
                        struct sr_err *err) {
    if (strcmp(what, "claim") == 0) return abi_call(b, "claim(bytes32)", err, av_hash(task));
    if (strcmp(what, "reopen") == 0) return abi_call(b, "reopen(bytes32)", err, av_hash(task));
    return sr_fail(err, SR_E_USAGE, "'%s' is no call on a task", what);
}

/* Values of an array; NULL when out of memory. Owned: free. */
static struct abi_val *hashes(const struct hash *h, size_t n) {
    struct abi_val *v = sr_calloc_n(n ? n : 1, sizeof *v);
    for (size_t i = 0; v && i < n; i++) v[i] = av_hash(&h[i]);
    return v;
}

sr_status poco_enc_claim_array(struct buf *b, const struct hash *tasks, size_t n,
                               struct sr_err *err) {
    cleanup_free struct abi_val *v = hashes(tasks, n);
    if (!v) return sr_fail(err, SR_E_NOMEM, "claimArray");
    return abi_call(b, "claimArray(bytes32[])", err, av_list(v, n));
}

sr_status poco_enc_init_and_claim_array(struct buf *b, const struct hash *deals,
                                        const struct u256 *indexes, size_t n, struct sr_err *err) {
    cleanup_free struct abi_val *d = hashes(deals, n);
    cleanup_free struct abi_val *x = sr_calloc_n(n ? n : 1, sizeof *x);
    if (!d || !x) return sr_fail(err, SR_E_NOMEM, "initializeAndClaimArray");
    for (size_t i = 0; i < n; i++) x[i] = av_u256(indexes[i]);
    return abi_call(b, "initializeAndClaimArray(bytes32[],uint256[])", err, av_list(d, n),
                    av_list(x, n));
}

sr_status poco_enc_create_app(struct buf *b, const struct addr *owner, struct slice name,
                              struct slice type, struct slice multiaddr,
                              const struct hash *checksum, struct slice mrenclave,
                              struct sr_err *err) {
    return abi_call(b, "createApp(address,string,string,bytes,bytes32,bytes)", err, av_addr(owner),
                    av_bytes(name), av_bytes(type), av_bytes(multiaddr), av_hash(checksum),
                    av_bytes(mrenclave));
}

sr_status poco_enc_create_dataset(struct buf *b, const struct addr *owner, struct slice name,
                                  struct slice multiaddr, const struct hash *checksum,
                                  struct sr_err *err) {
    return abi_call(b, "createDataset(address,string,bytes,bytes32)", err, av_addr(owner),
                    av_bytes(name), av_bytes(multiaddr), av_hash(checksum));
}

sr_status poco_enc_create_dataset_with_schema(struct buf *b, const struct addr *owner,
                                              struct slice name, struct slice schema,
                                              struct slice multiaddr, const struct hash *checksum,
                                              struct sr_err *err) {
    return abi_call(b, "createDatasetWithSchema(address,string,string,bytes,bytes32)", err,
                    av_addr(owner), av_bytes(name), av_bytes(schema), av_bytes(multiaddr),
                    av_hash(checksum));
}

sr_status poco_enc_create_workerpool(struct buf *b, const struct addr *owner,
                                     struct slice description, struct sr_err *err) {
    return abi_call(b, "createWorkerpool(address,string)", err, av_addr(owner),
                    av_bytes(description));
}

sr_status poco_enc_change_policy(struct buf *b, uint64_t stake_ratio, uint64_t scheduler_ratio,
                                 struct sr_err *err) {
    return abi_call(b, "changePolicy(uint256,uint256)", err, av_u64(stake_ratio),
                    av_u64(scheduler_ratio));
}

sr_status poco_enc_approve_and_call(struct buf *b, const struct addr *spender, struct u256 amount,
                                    struct slice data, struct sr_err *err) {
    return abi_call(b, "approveAndCall(address,uint256,bytes)", err, av_addr(spender),
                    av_u256(amount), av_bytes(data));
}

sr_status poco_enc_withdraw(struct buf *b, struct u256 amount, struct sr_err *err) {
    return abi_call(b, "withdraw(uint256)", err, av_u256(amount));
}

sr_status erc20_enc_transfer(struct buf *b, const struct addr *to, struct u256 amount,
                             struct sr_err *err) {
    return abi_call(b, "transfer(address,uint256)", err, av_addr(to), av_u256(amount));
}

sr_status erc721_enc_transfer(struct buf *b, const struct addr *from, const struct addr *to,
                              const struct addr *entry, struct sr_err *err) {
    uint8_t id[32] = {0};
    memcpy(id + 12, entry->b, 20);
    return abi_call(b, "safeTransferFrom(address,address,uint256)", err, av_addr(from), av_addr(to),
                    av_u256(u256_from_be(id)));
}

/* ---- reading */

#define CALL_SIG(name, sig) [name] = sig,
static const char *const call_sig[POCO_CALL_N] = {POCO_CALLS(CALL_SIG)};
#undef CALL_SIG

const char *poco_call_signature(poco_call c) {
    return call_sig[c];
}

sr_status poco_call_read(struct slice data, poco_call *ret_call, struct abi_out *ret,
                         struct sr_err *err) {
    static uint8_t sel[POCO_CALL_N][4]; /* filled once; only ever the same values */
    static bool ready;
    for (unsigned c = 0; !ready && c < POCO_CALL_N; c++) abi_selector(call_sig[c], sel[c]);
    ready = true;
    for (unsigned c = 0; data.n >= 4 && c < POCO_CALL_N; c++) {
        if (memcmp(data.p, sel[c], 4) != 0) continue;
        SR_TRY(abi_decode_call(data, call_sig[c], ret, err));
        *ret_call = (poco_call)c;
        return SR_OK;
    }
    return sr_fail(err, SR_E_NOTFOUND, "not a call of PoCo that is known here");
}

/* ---- events */

#define EVENT_ROW(name, sig, idx) [name] = {sig, idx},
static const struct { const char *sig, *indexed; } events[POCO_EV_N] = {POCO_EVENTS(EVENT_ROW)};
#undef EVENT_ROW

struct hash poco_topic(poco_event e) {
    static struct hash topics[POCO_EV_N]; /* filled once; only ever the same values */
    static bool ready[POCO_EV_N];
    if (!ready[e]) {
        topics[e] = abi_topic(events[e].sig);
        ready[e] = true;
    }
    return topics[e];
}

static size_t count_indexed(const char *indexed) {
    size_t n = 0;
    for (; *indexed; indexed++) n += *indexed == 'i';
    return n;
}

/* The types of the arguments that are not indexed, "bytes32,uint256". A tuple of values of fixed
 * size is encoded as its members one after the other, so its parentheses are left out. */
static void data_types(poco_event e, struct buf *ret_data, struct slice ret_indexed[3]) {
    struct slice head = {0}, list = {0}, word = {0};
    (void)slice_cut(slice_str(events[e].sig), '(', &head, &list);
    list.n--;
    size_t k = 0;
    for (const char *i = events[e].indexed; *i; i++) {
        if (!slice_cut(list, ',', &word, &list)) list = slice_of(NULL, 0);
        if (*i == 'i') {
            ret_indexed[k++] = word;
        } else {
            if (ret_data->n) buf_str(ret_data, ",");
            while (word.n && word.p[0] == '(') word = slice_of(word.p + 1, word.n - 1);
            while (word.n && word.p[word.n - 1] == ')') word.n--;
            buf_add(ret_data, word);
        }
    }
}

static bool topic_val(struct slice type, const struct hash *t, struct abi_val *ret) {
    char name[16] = {0};
    cleanup_abi struct abi_out o = {0};
    if (!type.p || type.n >= sizeof name) return false;
    memcpy(name, type.p, type.n);
    if (abi_decode(slice_of(t->b, 32), name, &o, NULL) != SR_OK) return false;
    *ret = o.v[0]; /* a value type: nothing inside that o owns */
    return true;
}

sr_status poco_log_read(const struct hash *topics, size_t n_topics, struct slice data,
                        struct poco_log *ret, struct sr_err *err) {
    if (n_topics == 0) return sr_fail(err, SR_E_NOTFOUND, "an event without a name");
    unsigned e = 0;
    for (; e < POCO_EV_N; e++) {
        struct hash t = poco_topic((poco_event)e);
        if (hash_eq(&t, &topics[0]) && count_indexed(events[e].indexed) + 1 == n_topics) break;
    }
    if (e == POCO_EV_N) return sr_fail(err, SR_E_NOTFOUND, "not an event that is known here");
    cleanup_buf struct buf types;
    buf_init(&types, 256);
    struct slice indexed[3] = {0};
    data_types((poco_event)e, &types, indexed);
    cleanup_abi struct abi_out o = {0};
    SR_TRY(abi_decode(data, buf_cstr(&types), &o, err));
    struct poco_log l = {.event = (poco_event)e};
    size_t k = 0, m = 0;
    for (const char *i = events[e].indexed; *i; i++) {
        if (*i == 'i') {
            if (!topic_val(indexed[k], &topics[k + 1], &l.arg[l.n]))
                return sr_fail(err, SR_E_MALFORMED, "%s: a topic is malformed", events[e].sig);
            k++;
        } else {
            l.arg[l.n] = o.v[m++]; /* numbers by value; bytes borrowed from data */
        }
        l.n++;
    }
    *ret = l;
    return SR_OK;
}
