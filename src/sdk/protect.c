/* SPDX-License-Identifier: Apache-2.0 */
/* protect: archive, encrypt, store, register, hand over the key. */
#include "sdk/resume.h"
#include <stdlib.h>

#define NAME_MAX_BYTES  120
#define STEP            "encrypt+upload" /* one pass does both */
#define UPLOAD_TRIES    4
#define UPLOAD_PAUSE_MS 700
#define HAND_OVER_MS    30000 /* the data is registered: worth waiting for the secret service */

struct protect_args {
    struct sr_client *c;
    const char *const *paths;
    size_t n_paths;
    struct slice json;
    const char *name, *key;
    sr_key_fn key_made;
    void *key_arg;
    const char *url, *secret_auth; /* of another node than the network's store */
    struct sr_data *ret;
};

/* What is being protected, and where it stands. */
struct job {
    struct sr_client *c;
    struct pd_files files;
    struct pd_tree tree;
    struct buf schema;
    struct sr_secret key;
    struct pd_stream *stream;
    uint64_t done, total;
    const char *node, *secret_auth; /* where it goes */
    struct resume resume;
    uint8_t iv[AES_IV_BYTES]; /* with resume.path */
};

static void job_done(struct job *j) {
    pd_stream_free(j->stream);
    resume_done(&j->resume);
    pd_files_done(&j->files);
    pd_tree_done(&j->tree);
    buf_done(&j->schema);
    secret_free(&j->key);
}

static sr_status open_files(struct job *j, const char *const *paths, size_t n, struct sr_err *err) {
    SR_TRY(pd_files_of(paths, n, &j->files, err));
    for (size_t i = 0; i < j->files.n; i++) SR_TRY(pd_file_open(&j->files.v[i], err));
    pd_files_schema(&j->files, &j->schema);
    return buf_status(&j->schema, err);
}

static sr_status next_and_tell(void *arg, struct slice *ret_piece, struct sr_err *err) {
    struct job *j = arg;
    SR_TRY(pd_stream_next(j->stream, ret_piece, err));
    j->done += ret_piece->n;
    sdk_progress(j->c, STEP, NULL, ret_piece->n ? j->done : j->total, j->total, NULL);
    return SR_OK;
}

static struct pd_stream_opts opts_of(const struct job *j) {
    return (struct pd_stream_opts){.files = j->files.v,
                                   .n_files = j->files.n,
                                   .tree = j->files.n ? NULL : &j->tree,
                                   .key = &j->key,
                                   .iv = j->resume.path ? j->iv : NULL,
                                   .unix_ms = clock_unix_ms()};
}

/* One try: a stream can be read once only. */
static sr_status send_stream(struct job *j, struct dag_result *ret, struct sr_err *err) {
    struct pd_stream_opts o = opts_of(j);
    pd_stream_free(j->stream);
    j->stream = NULL;
    SR_TRY(pd_stream_new(&o, &j->stream, err));
    uint64_t length = pd_stream_length(j->stream);
    j->total = length == UINT64_MAX ? 0 : length;
    j->done = 0;
    return ipfs_add_pieces(j->node, j->secret_auth, next_and_tell, j, length,
                           pd_stream_dag(j->stream), ret, err);
}

/* All of it, again where that mends it. */
static sr_status send_whole(struct job *j, struct dag_result *ret, struct sr_err *err) {
    for (unsigned tries = 1;; tries++) {
        struct sr_err why = {0};
        sr_status st = send_stream(j, ret, &why);
        if (st == SR_OK) return SR_OK;
        if (st == SR_E_UNAVAILABLE && tries < UPLOAD_TRIES) {
            SR_TRY(fiber_sleep(UPLOAD_PAUSE_MS, err));
            continue;
        }
        if (err) *err = why;
        if (st == SR_E_UNAVAILABLE) sr_hint(err, "strongroom status shows whether the store runs");
        return st;
    }
}

static sr_status upload(struct job *j, struct sr_data *d, struct sr_err *err) {
    struct sr_client *c = j->c;
    struct dag_result r = {0};
    struct hash sum;
    sr_status st = SR_E_NOTFOUND;
    if (j->resume.path) {
        struct pd_stream_opts o = opts_of(j);
        struct sr_err why = {0};
        st = resume_upload(c, &j->resume, &o, STEP, &why);
        r = j->resume.made;
        sum = j->resume.checksum;
        if (st != SR_OK && st != SR_E_NOTFOUND) {
            if (err) *err = why;
            return st;
        }
    }
    if (st == SR_E_NOTFOUND) {
        SR_TRY(send_whole(j, &r, err));
        sum = pd_stream_checksum(j->stream);
    }
    hash_put(d->checksum, &sum);
    TEXT_PUT(d->cid, slice_str(cid_text(&r.cid).s));
    (void)snprintf(d->multiaddr, sizeof d->multiaddr, "/p2p/%s", d->cid);
    d->bytes = r.file_bytes;
    cleanup_buf struct buf location;
    buf_init(&location, 256);
    buf_printf(&location, "/ipfs/%s", d->cid);
    uint64_t there;
    st = ipfs_head(c->net.ipfs_gateway, buf_slice(&location), &there, err);
    if (st == SR_E_NOTFOUND && j->node != c->net.ipfs_node)
        sr_hint(err,
                "rooms fetch data from the network's gateway, %s: it must find what that node "
                "stores",
                c->net.ipfs_gateway);
    return st;
}

/* A secret goes to this machine, or by TLS. */
static sr_status check_node(const struct protect_args *a, struct sr_err *err) {
    struct slice url = slice_str(a->url);
    bool local = slice_starts(url, "http://127.0.0.1:") || slice_starts(url, "http://[::1]:") ||
                 slice_starts(url, "http://localhost:");
    if (!slice_starts(url, "http://") && !slice_starts(url, "https://"))
        return sr_fail(err, SR_E_USAGE, "the node's URL must begin with http:// or https://");
    if (a->secret_auth && !local && !slice_starts(url, "https://"))
        return sr_fail(err, SR_E_USAGE, "a node that asks for authorisation must have https://");
    for (const char *p = a->secret_auth; p && *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            return sr_fail(err, SR_E_USAGE, "the authorisation is one line of text");
    return SR_OK;
}

static sr_status enroll(struct job *j, const char *name, struct sr_data *d, struct sr_err *err) {
    struct sr_client *c = j->c;
    cleanup_buf struct buf where, data;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash sum;
    struct addr a;
    struct slice schema = j->files.n ? buf_slice(&j->schema) : buf_slice(&j->tree.schema);
    buf_init(&where, MULTIADDR_MAX);
    buf_init(&data, TX_MAX_DATA);
    SR_TRY(multiaddr_bytes(slice_str(d->multiaddr), &where, err));
    SR_ASSERT(hash_parse(slice_str(d->checksum), &sum));
    SR_TRY(poco_enc_create_dataset_with_schema(&data, &c->me, slice_str(name), schema,
                                               buf_slice(&where), &sum, err));
    sdk_progress(c, "deploy", NULL, 0, 0, d->cid);
    SR_TRY(sdk_send(c, &c->net.data_protector, (struct u256){0}, buf_slice(&data), &r, err));
    SR_TRY(poco_receipt_created(&c->poco, POCO_DATASET, &r, &a, err));
    addr_put(d->address, &a);
    hash_put(d->tx, &r.tx);
    struct eth_block block;
    if (eth_get_block(c->rpc, eth_at_block(r.block), &block, NULL) == SR_OK)
        d->created_unix_s = block.time;
    d->schema = slice_dup(schema);
    return d->schema ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

static sr_status hand_over(struct job *j, struct sr_data *d, bool a_key, struct sr_err *err) {
    cleanup_buf_wipe struct buf key;
    struct sms_name n = {.kind = SECRET_WEB3, .name = ""};
    buf_init(&key, 64);
    base64_encode(&key, secret_slice(&j->key));
    SR_TRY(buf_status(&key, err));
    SR_ASSERT(addr_parse(slice_str(d->address), &n.target));
    sdk_progress(j->c, "secret", NULL, 0, 0, d->address);
    int64_t end = clock_mono_us() + HAND_OVER_MS * 1000ll;
    for (;;) {
        struct sr_err why = {0};
        sr_status st = sms_put(j->c, &n, buf_slice(&key), false, &why);
        if (st == SR_OK) break;
        bool again = (st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT) && clock_mono_us() < end;
        if (again && fiber_sleep(UPLOAD_PAUSE_MS, NULL) == SR_OK) continue;
        sr_hint(err,
                a_key ? "strongroom data push-key %s --key-file FILE hands it over"
                      : "%s can't be used: protect the data again",
                d->address);
        return sr_fail(err, st, "%s is registered, but its key could not be handed over: %s",
                       d->address, why.what);
    }
    d->has_secret = true;
    return SR_OK;
}

/* To whoever wants to keep it, before anything else happens with it. */
static sr_status tell_key(const struct protect_args *a, const struct sr_secret *key,
                          struct sr_err *err) {
    cleanup_buf_wipe struct buf text;
    buf_init(&text, 64);
    base64_encode(&text, secret_slice(key));
    SR_TRY(buf_status(&text, err));
    return a->key_made(a->key_arg, buf_cstr(&text), err);
}

static sr_status protect_job(struct protect_args *a, struct job *j, struct sr_err *err) {
    struct sr_client *c = a->c;
    if (strlen(a->name) > NAME_MAX_BYTES)
        return sr_fail(err, SR_E_USAGE, "the name is longer than %d bytes", NAME_MAX_BYTES);
    SR_TRY(sdk_network(c, err));
    if (a->url)
        SR_TRY(check_node(a, err));
    else
        SR_TRY(sdk_service(c, c->net.ipfs_node, "ipfsNode", err));
    j->node = a->url ? a->url : c->net.ipfs_node;
    j->secret_auth = a->secret_auth;
    SR_TRY(sdk_service(c, c->net.ipfs_gateway, "ipfsGateway", err));
    if (!c->net.has_data_protector)
        return sr_fail(err, SR_E_NOTFOUND, "this network has no DataProtector contract");
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(sdk_chain(c, err));
    if (a->n_paths > 0)
        SR_TRY(open_files(j, a->paths, a->n_paths, err));
    else
        SR_TRY(pd_tree_of_json(a->json, &j->tree, err));
    SR_TRY(sms_ready(c, err));
    cleanup_secret struct sr_secret given = {0};
    if (a->key) SR_TRY(pd_key_of(a->key, &given, err));
    if (a->n_paths > 0 && !a->url)
        SR_TRY(resume_open(c, &j->files, a->key ? &given : NULL, &j->resume, &j->key, j->iv, err));
    if (j->resume.path) {
        sdk_progress(c, STEP, j->resume.place[0] ? "continued" : NULL, 0, 0, NULL);
    } else if (a->key) {
        j->key = given;
        given = (struct sr_secret){0};
    } else {
        SR_TRY(secret_new(AES_KEY_BYTES, &j->key, err));
        SR_TRY(random_bytes(j->key.p, j->key.n, err));
    }
    if (a->key_made) SR_TRY(tell_key(a, &j->key, err));
    struct sr_data *d = a->ret;
    addr_put(d->owner, &c->me);
    TEXT_PUT(d->name, slice_str(a->name));
    SR_TRY(upload(j, d, err));
    SR_TRY(enroll(j, a->name, d, err));
    SR_TRY(hand_over(j, d, a->key || a->key_made, err));
    resume_forget(&j->resume);
    return SR_OK;
}

static sr_status protect(void *arg, struct sr_err *err) {
    struct protect_args *a = arg;
    struct job j = {.c = a->c};
    buf_init(&j.schema, SR_MAX_FILES * 512);
    sr_status st = protect_job(a, &j, err);
    job_done(&j);
    return st;
}

static sr_status run(struct protect_args *a, struct sr_data *ret_d, struct sr_err *err) {
    struct sr_data d = {0};
    a->ret = &d;
    sr_status st = sdk_call(a->c, protect, a, err);
    if (st == SR_OK)
        *ret_d = d;
    else
        sr_data_done(&d);
    return st;
}

sr_status sr_data_protect_files(struct sr_client *c, const char *const *paths, size_t n,
                                const char *name, struct sr_data *ret_d, struct sr_err *err) {
    if (n == 0) return sr_fail(err, SR_E_USAGE, "no file to protect");
    struct protect_args a = {.c = c, .paths = paths, .n_paths = n, .name = name ? name : ""};
    return run(&a, ret_d, err);
}

sr_status sr_data_protect_json(struct sr_client *c, const char *json, size_t len, const char *name,
                               struct sr_data *ret_d, struct sr_err *err) {
    struct protect_args a = {.c = c, .json = slice_of(json, len), .name = name ? name : ""};
    return run(&a, ret_d, err);
}

sr_status sr_data_protect(struct sr_client *c, const struct sr_protect *p, struct sr_data *ret_d,
                          struct sr_err *err) {
    struct protect_args a = {.c = c,
                             .paths = p->paths,
                             .n_paths = p->n_paths,
                             .json = slice_of(p->json, p->json ? p->json_len : 0),
                             .name = p->name ? p->name : "",
                             .key = p->secret_key,
                             .key_made = p->key_made,
                             .key_arg = p->key_arg,
                             .url = p->upload_url,
                             .secret_auth = p->secret_upload_auth};
    if ((p->n_paths > 0) == (p->json != NULL))
        return sr_fail(err, SR_E_USAGE, "give either files or one JSON object to protect");
    return run(&a, ret_d, err);
}
