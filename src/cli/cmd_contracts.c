/* SPDX-License-Identifier: Apache-2.0 */
/* contracts: deployed on any chain, and compared with what was built. */
#include "cli/cli_int.h"
#include "deploy/deploy.h"
#include "net/net.h"
#include <fcntl.h>
#include <unistd.h>

#define GWEI            1000000000u
#define MAX_FEE_GWEI    100
#define MAX_FEE_LIMIT   1000000 /* GWEI */
#define DIFFERENCES_MAX (64u << 10)

struct job {
    struct cli *c;
    struct eth_rpc *rpc;
    const char *url;
    struct deploy_recipe *recipe;
    struct deploy_book book;
    struct buf differences; /* JSON list */
    struct jw w;
    size_t n_compared, n_differs;
    /* deploy */
    struct sr_secret key;
    struct eth_signer signer;
    struct deploy_opts o;
    char out[64];
};

static void job_done(struct job *j) {
    eth_rpc_free(j->rpc);
    deploy_recipe_free(j->recipe);
    buf_done(&j->differences);
    secret_free(&j->key);
}
#define cleanup_job __attribute__((cleanup(job_done)))

static sr_status needed(struct cli *c, const char *option, const char **ret, struct sr_err *err) {
    *ret = cli_value(c, option);
    if (*ret) return SR_OK;
    sr_hint(err, "strongroom %s --help lists its options", c->cmd->words);
    return sr_fail(err, SR_E_USAGE, "%s: %s is missing", c->cmd->words, option);
}

static sr_status job_begin(struct job *j, struct cli *c, struct sr_err *err) {
    j->c = c;
    buf_init(&j->differences, DIFFERENCES_MAX);
    j->w = jw_of(&j->differences);
    SR_TRY(needed(c, "--rpc", &j->url, err));
    SR_TRY(deploy_recipe_load(cli_value(c, "--recipe"), &j->recipe, err));
    SR_TRY(net_init(err));
    return eth_rpc_new(j->url, &j->rpc, err);
}

/* ---- verify */

static void note_difference(void *arg, const char *name, const char *what) {
    struct job *j = arg;
    jw_obj(&j->w);
    jw_kcstr(&j->w, "name", name);
    jw_kcstr(&j->w, "what", what);
    jw_end_obj(&j->w);
    out_text(j->c, "DIFFERS          %s: %s\n", name, what);
}

static sr_status compare(struct job *j, struct sr_err *err) {
    jw_arr(&j->w);
    SR_TRY(deploy_verify(j->rpc, j->recipe, &j->book, note_difference, j, &j->n_compared,
                         &j->n_differs, err));
    jw_end_arr(&j->w);
    return buf_status(&j->differences, err);
}

static void put_verdict(struct job *j) {
    struct cli *c = j->c;
    out_bool(c, "verified", j->n_differs == 0);
    out_u64(c, "compared", j->n_compared);
    if (c->json) out_json(c, "differs", buf_cstr(&j->differences));
    if (j->n_differs > 0) c->exit_code = 1;
}

static sr_status verify_fiber(void *arg, struct sr_err *err) {
    return compare(arg, err);
}

sr_status cmd_contracts_verify(struct cli *c, struct sr_err *err) {
    cleanup_job struct job j = {0};
    cleanup_buf struct buf b;
    const char *file;
    buf_init(&b, DEPLOY_BOOK_MAX);
    SR_TRY(needed(c, "--file", &file, err));
    SR_TRY(job_begin(&j, c, err));
    SR_TRY(fs_read(file, &b, err));
    sr_status st = deploy_book_parse(buf_slice(&b), &j.book, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "%s", file);
        return st;
    }
    SR_TRY(net_call(verify_fiber, &j, err));
    out_begin(c);
    out_u64(c, "chainId", j.book.chain_id);
    put_verdict(&j);
    out_end(c);
    return SR_OK;
}

/* ---- deploy */

static sr_status read_key(struct job *j, const char *path, struct sr_err *err) {
    cleanup_buf_wipe struct buf secret;
    buf_init(&secret, CLI_SECRET_MAX);
    SR_TRY(cli_read_file(path, CLI_SECRET_MAX, &secret, err));
    struct slice s = slice_trim(buf_slice(&secret));
    if (s.n > 0 && s.p[0] == '{') {
        cleanup_secret struct sr_secret password = {0};
        SR_TRY(secret_new(CLI_PASSWORD, &password, err));
        char *text = (char *)password.p;
        SR_TRY(cli_password(j->c, path, false, text, CLI_PASSWORD, err));
        SR_TRY(keystore_read(s, slice_of(text, strnlen(text, CLI_PASSWORD - 1)), &j->key, err));
    } else {
        SR_TRY(secret_new(32, &j->key, err));
        if (!hex_decode(s, j->key.p, 32)) {
            sr_hint(err,
                    "it holds 64 hex digits, with or without 0x, or the JSON of a V3 keystore");
            return sr_fail(err, SR_E_MALFORMED, "%s is not a private key", path);
        }
    }
    return eth_signer_local(&j->key, &j->signer, err);
}

/* Wei as units of the chain's currency, to nine places. */
static void put_coins(char dst[48], struct u256 wei) {
    uint64_t gwei = 0;
    if (!u256_to_u64(u256_div_u64(wei, GWEI, NULL), &gwei))
        (void)snprintf(dst, 48, "over 18 thousand million");
    else
        (void)snprintf(dst, 48, "%llu.%09llu", (unsigned long long)(gwei / GWEI),
                       (unsigned long long)(gwei % GWEI));
}

/* The person types the number of the chain that he means. */
static sr_status ask_chain(uint64_t chain_id, struct sr_err *err) {
    cleanup_close int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    char line[32];
    uint64_t typed = 0;
    if (fd < 0) {
        sr_hint(err, "give --yes when chain and cost are right");
        return sr_fail(err, SR_E_CANCELLED, "no terminal to confirm chain %llu",
                       (unsigned long long)chain_id);
    }
    (void)dprintf(fd, "Type the chain's number to deploy: ");
    ssize_t n = read(fd, line, sizeof line);
    if (n > 0 && num_u64(slice_trim(slice_of(line, (size_t)n)), UINT64_MAX, &typed) &&
        typed == chain_id)
        return SR_OK;
    return sr_fail(err, SR_E_CANCELLED, "not confirmed: nothing was sent");
}

static sr_status confirm(void *arg, const struct deploy_plan *p, struct sr_err *err) {
    struct job *j = arg;
    char cost[48], balance[48], fee[48];
    put_coins(cost, p->cost), put_coins(balance, p->balance), put_coins(fee, p->fee);
    if (!j->c->quiet || !cli_flag(j->c, "--yes")) {
        (void)fprintf(stderr, "chain            %llu\ndeployer         %s\ntransactions     %llu",
                      (unsigned long long)p->chain_id, addr_checksum(&p->deployer).s,
                      (unsigned long long)p->n_steps);
        if (p->n_done > 0) (void)fprintf(stderr, ", %zu sent before", p->n_done);
        (void)fprintf(stderr,
                      "\ngas              about %llu more\nfee per gas      up to %s\n"
                      "cost             about %s at most\nbalance          %s\n",
                      (unsigned long long)p->gas, fee, cost, balance);
    }
    return cli_flag(j->c, "--yes") ? SR_OK : ask_chain(p->chain_id, err);
}

static void tell_mined(void *arg, size_t done, size_t total, const char *step,
                       const struct addr *addr) {
    struct job *j = arg;
    if (j->c->quiet) return;
    (void)fprintf(stderr, "%3zu of %zu  %s%s%s\n", done, total, step, addr ? " " : "",
                  addr ? addr_checksum(addr).s : "");
}

static sr_status deploy_fiber(void *arg, struct sr_err *err) {
    struct job *j = arg;
    const char *out = cli_value(j->c, "--out");
    uint64_t chain_id;
    SR_TRY(eth_chain_id(j->rpc, &chain_id, err));
    if (!out) {
        (void)snprintf(j->out, sizeof j->out, "contracts-%llu.json", (unsigned long long)chain_id);
        out = j->out;
    }
    j->o.book_path = out;
    SR_TRY(deploy_run(&j->o, &j->book, err));
    return compare(j, err);
}

static void put_book(struct job *j) {
    struct cli *c = j->c;
    out_u64(c, "chainId", j->book.chain_id);
    if (c->json) {
        jw_key(&c->w, "contracts");
        jw_obj(&c->w);
    }
    for (size_t i = 0; i < j->book.n; i++)
        if (strcmp(j->book.v[i].name, "deployer") != 0)
            out_str(c, j->book.v[i].name, addr_checksum(&j->book.v[i].addr).s);
    if (c->json) jw_end_obj(&c->w);
    out_str(c, "deployer", addr_checksum(&j->signer.addr).s);
    out_str(c, "path", j->o.book_path);
}

sr_status cmd_contracts_deploy(struct cli *c, struct sr_err *err) {
    cleanup_job struct job j = {0};
    const char *key, *fee = cli_value(c, "--max-fee"), *rlc = cli_value(c, "--rlc");
    uint64_t gwei = MAX_FEE_GWEI;
    struct addr token;
    SR_TRY(needed(c, "--key", &key, err));
    if (fee && (!num_u64(slice_str(fee), MAX_FEE_LIMIT, &gwei) || gwei == 0))
        return sr_fail(err, SR_E_USAGE, "--max-fee is a number of gwei, 1 to %d", MAX_FEE_LIMIT);
    if (rlc && (!addr_parse(slice_str(rlc), &token) || !addr_checksum_ok(slice_str(rlc))))
        return sr_fail(err, SR_E_USAGE, "--rlc is not an address, or its checksum is wrong");
    SR_TRY(job_begin(&j, c, err));
    SR_TRY(read_key(&j, key, err));
    j.o = (struct deploy_opts){.rpc = j.rpc,
                               .signer = &j.signer,
                               .recipe = j.recipe,
                               .rpc_url = j.url,
                               .rlc = rlc ? &token : NULL,
                               .arg = &j,
                               .confirm = confirm,
                               .mined = tell_mined};
    if (!u256_mul(&j.o.max_fee, u256_of(gwei), u256_of(GWEI)))
        return sr_fail(err, SR_E_RANGE, "--max-fee");
    SR_TRY(net_call(deploy_fiber, &j, err));
    out_begin(c);
    put_book(&j);
    put_verdict(&j);
    out_end(c);
    return SR_OK;
}
