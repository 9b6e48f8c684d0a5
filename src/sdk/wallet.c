/* SPDX-License-Identifier: Apache-2.0 */
/* Who acts, and with which key. Wallet names first, then development names of the network. */
#include "sdk/keyfolder.h"
#include <stdlib.h>

sr_status sdk_addr_arg(const char *text, const char *what, struct addr *ret_a, struct sr_err *err) {
    struct addr a;
    struct slice s = slice_str(text);
    if (!addr_parse(s, &a)) {
        sr_hint(err, "an address is 0x and 40 hex digits");
        return sr_fail(err, SR_E_USAGE, "%s: \"%.64s\" is not an address", what, text);
    }
    if (!addr_checksum_ok(s)) {
        sr_hint(err, "check it for a typing error, or write it in lower case");
        return sr_fail(err, SR_E_USAGE, "%s: the checksum of %.64s is wrong", what, text);
    }
    *ret_a = a;
    return SR_OK;
}

sr_status sdk_hash_arg(const char *text, const char *what, struct hash *ret_h, struct sr_err *err) {
    if (hash_parse(slice_str(text), ret_h)) return SR_OK;
    sr_hint(err, "an id is 0x and 64 hex digits");
    return sr_fail(err, SR_E_USAGE, "%s: \"%.80s\" is not an id", what, text);
}

sr_status sdk_who(struct sr_client *c, const char *who, struct addr *ret_a, struct sr_err *err) {
    if (slice_starts(slice_str(who), "0x")) return sdk_addr_arg(who, "who", ret_a, err);
    if (keyfolder_by_name(c->keystore, who, ret_a)) return SR_OK;
    struct slice name;
    struct sr_err none = {0};
    bool has_network = sdk_network(c, &none) == SR_OK;
    if (has_network && sdk_dev_account(&c->net, slice_str(who), &name, ret_a, NULL)) return SR_OK;
    sr_hint(err, "strongroom wallet list shows the names%s",
            has_network ? "" : "; no network.json was found for development names");
    return sr_fail(err, SR_E_NOTFOUND, "there is no wallet \"%.64s\"", who);
}

sr_status sdk_me(struct sr_client *c, struct addr *ret_a, struct sr_err *err) {
    char text[64];
    if (c->as) return sdk_who(c, c->as, ret_a, err);
    if (keyfolder_default(c->keystore, text)) return sdk_who(c, text, ret_a, err);
    struct keyfile *list = NULL;
    size_t n = 0;
    SR_TRY(keyfolder_list(c->keystore, &list, &n, err));
    if (n == 1) *ret_a = list[0].addr;
    free(list);
    if (n == 1) return SR_OK;
    /* The first minute: a development network, no wallet of one's own yet. */
    struct slice name;
    struct sr_err none = {0};
    if (n == 0 && sdk_network(c, &none) == SR_OK && c->net.simulated &&
        sdk_dev_account(&c->net, SLICE_LIT("alice"), &name, ret_a, NULL))
        return SR_OK;
    sr_hint(err, "--as NAME, or strongroom wallet use NAME; strongroom wallet new makes a wallet");
    return sr_fail(err, SR_E_USAGE, "who acts is not known: no --as and no default wallet");
}

static sr_status ask_password(struct sr_client *c, const char *wallet, bool confirm,
                              struct sr_secret *ret_password, size_t *ret_n, struct sr_err *err) {
    if (!c->password) {
        sr_hint(err, "give a password function (--password-file)");
        return sr_fail(err, SR_E_USAGE, "the wallet %s needs a password", wallet);
    }
    SR_TRY(secret_new(SDK_PASSWORD_MAX, ret_password, err));
    char *p = (char *)ret_password->p;
    SR_TRY(c->password(c->password_arg, wallet, confirm, p, SDK_PASSWORD_MAX, err));
    *ret_n = strnlen(p, SDK_PASSWORD_MAX - 1);
    return SR_OK;
}

/* The key of an address: a development account's from the network, else a keystore file's. */
static sr_status read_key(struct sr_client *c, const struct addr *a, struct sr_secret *ret_key,
                          struct sr_err *err) {
    struct keyfile f;
    struct slice name, hex;
    struct addr dev;
    struct addr_text text = addr_text(a);
    if (keyfolder_find(c->keystore, a, &f)) {
        cleanup_buf struct buf b;
        cleanup_secret struct sr_secret password = {0};
        size_t n;
        buf_init(&b, KEYSTORE_MAX_BYTES);
        SR_TRY(fs_read(f.path, &b, err));
        SR_TRY(ask_password(c, text.s, false, &password, &n, err));
        sr_status st = keystore_read(buf_slice(&b), slice_of(password.p, n), ret_key, err);
        if (st == SR_E_AUTH) sr_hint(err, "type it again; a lost password can't be recovered");
        return st;
    }
    struct sr_err none = {0};
    if (sdk_network(c, &none) == SR_OK &&
        sdk_dev_account(&c->net, slice_str(text.s), &name, &dev, &hex)) {
        SR_TRY(secret_new(32, ret_key, err));
        if (hex_decode(hex, ret_key->p, 32)) return SR_OK;
        secret_free(ret_key);
        return sr_fail(err, SR_E_MALFORMED, "the network's key of %s is not 32 bytes", text.s);
    }
    sr_hint(err, "strongroom wallet import adds it; strongroom wallet list shows what is there");
    return sr_fail(err, SR_E_NOTFOUND, "there is no key for %s in %s", text.s, c->keystore);
}

sr_status sdk_unlock(struct sr_client *c, struct sr_err *err) {
    if (c->has_key) return SR_OK;
    SR_TRY(sdk_me(c, &c->me, err));
    cleanup_secret struct sr_secret key = {0};
    SR_TRY(read_key(c, &c->me, &key, err));
    struct addr a;
    SR_TRY(secp_address(&key, &a, err));
    if (!addr_eq(&a, &c->me))
        return sr_fail(err, SR_E_CRYPTO, "the key of %s is another wallet's", addr_text(&c->me).s);
    c->key = key;
    key = (struct sr_secret){0};
    SR_TRY(eth_signer_local(&c->key, &c->signer, err));
    c->has_key = true;
    return SR_OK;
}

sr_status sdk_app_addr(struct sr_client *c, const char *app, struct addr *ret_a,
                       struct sr_err *err) {
    if (slice_starts(slice_str(app), "0x")) return sdk_addr_arg(app, "app", ret_a, err);
    SR_TRY(sdk_network(c, err));
    if (json_addr(json_get(json_get(json_root(c->net.doc), "apps"), app), ret_a)) return SR_OK;
    sr_hint(err, "give its address; strongroom app deploy prints it");
    return sr_fail(err, SR_E_NOTFOUND, "this network names no app \"%.64s\"", app);
}

/* ---- public -----------------------------------------------------------------------------------
 */

static void fill(struct sr_client *c, const struct addr *a, struct sr_wallet *w) {
    struct keyfile f;
    struct slice name;
    struct addr other;
    struct sr_err none = {0};
    *w = (struct sr_wallet){0};
    addr_put(w->address, a);
    if (keyfolder_find(c->keystore, a, &f)) {
        TEXT_PUT(w->path, slice_str(f.path));
        (void)keyfolder_name_of(c->keystore, a, w->name);
    } else if (sdk_network(c, &none) == SR_OK &&
               sdk_dev_account(&c->net, slice_str(w->address), &name, &other, NULL)) {
        TEXT_PUT(w->name, name);
    }
    struct addr me;
    w->is_default = sdk_me(c, &me, &none) == SR_OK && addr_eq(&me, a);
}

static sr_status store(struct sr_client *c, const struct sr_secret *key, const char *name,
                       struct sr_wallet *ret_w, struct sr_err *err) {
    cleanup_secret struct sr_secret password = {0};
    cleanup_buf struct buf json;
    struct keyfile f;
    struct addr a;
    size_t n;
    buf_init(&json, KEYSTORE_MAX_BYTES);
    SR_TRY(secp_address(key, &a, err));
    if (name) SR_TRY(keyfolder_check_name(c->keystore, name, err));
    if (keyfolder_find(c->keystore, &a, &f)) {
        sr_hint(err, "use it as it is: --as %s", addr_text(&a).s);
        return sr_fail(err, SR_E_CONFLICT, "the keystore has the wallet %s already",
                       addr_text(&a).s);
    }
    SR_TRY(ask_password(c, name ? name : addr_text(&a).s, true, &password, &n, err));
    if (n == 0) {
        sr_hint(err, "choose a password of at least one character");
        return sr_fail(err, SR_E_USAGE, "the password is empty");
    }
    SR_TRY(keystore_write(key, slice_of(password.p, n), KEYSTORE_N, &json, err));
    SR_TRY(keyfolder_add(c->keystore, &a, buf_slice(&json), name, &f, err));
    fill(c, &a, ret_w);
    return SR_OK;
}

sr_status sr_wallet_new(struct sr_client *c, const char *name, struct sr_wallet *ret_w,
                        struct sr_err *err) {
    cleanup_secret struct sr_secret key = {0};
    SR_TRY(secp_keygen(&key, err));
    return store(c, &key, name, ret_w, err);
}

static sr_status import_json(struct sr_client *c, struct slice json, const char *name,
                             struct sr_wallet *ret_w, struct sr_err *err) {
    cleanup_secret struct sr_secret password = {0}, key = {0};
    struct keyfile f;
    struct addr a;
    size_t n;
    SR_TRY(ask_password(c, "the imported keystore", false, &password, &n, err));
    SR_TRY(keystore_read(json, slice_of(password.p, n), &key, err));
    SR_TRY(secp_address(&key, &a, err));
    SR_TRY(keyfolder_add(c->keystore, &a, json, name, &f, err));
    fill(c, &a, ret_w);
    return SR_OK;
}

sr_status sr_wallet_import(struct sr_client *c, const char *name, const char *secret_key,
                           struct sr_wallet *ret_w, struct sr_err *err) {
    struct slice s = slice_trim(slice_str(secret_key));
    if (name) SR_TRY(keyfolder_check_name(c->keystore, name, err));
    if (s.n > 0 && s.p[0] == '{') return import_json(c, s, name, ret_w, err);
    cleanup_secret struct sr_secret key = {0};
    SR_TRY(secret_new(32, &key, err));
    if (!hex_decode(s, key.p, 32)) {
        sr_hint(err, "give 64 hex digits, with or without 0x, or the JSON of a V3 keystore");
        return sr_fail(err, SR_E_MALFORMED, "this is not a private key");
    }
    return store(c, &key, name, ret_w, err);
}

sr_status sr_wallet_list(struct sr_client *c, struct sr_wallet **ret_list, size_t *ret_n,
                         struct sr_err *err) {
    struct keyfile *files = NULL;
    size_t n = 0;
    SR_TRY(keyfolder_list(c->keystore, &files, &n, err));
    struct sr_err none = {0};
    const struct json_val *accounts =
        sdk_network(c, &none) == SR_OK ? json_get(json_root(c->net.doc), "accounts") : NULL;
    struct sr_wallet *list = sr_calloc_n(n + json_len(accounts) + 1, sizeof *list);
    if (!list) {
        free(files);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    size_t used = 0;
    for (size_t i = 0; i < n; i++) fill(c, &files[i].addr, &list[used++]);
    for (const struct json_val *v = json_first(accounts); v; v = json_next(v)) {
        struct addr a;
        struct keyfile f;
        if (json_addr(json_get(v, "address"), &a) && !keyfolder_find(c->keystore, &a, &f))
            fill(c, &a, &list[used++]);
    }
    free(files);
    *ret_list = list;
    *ret_n = used;
    return SR_OK;
}

sr_status sr_wallet_show(struct sr_client *c, const char *who, struct sr_wallet *ret_w,
                         struct sr_err *err) {
    struct addr a;
    SR_TRY(who ? sdk_who(c, who, &a, err) : sdk_me(c, &a, err));
    fill(c, &a, ret_w);
    return SR_OK;
}

sr_status sr_wallet_use(struct sr_client *c, const char *who, struct sr_wallet *ret_w,
                        struct sr_err *err) {
    struct addr a;
    struct slice name;
    struct keyfile f;
    SR_TRY(sdk_who(c, who, &a, err));
    struct addr_text text = addr_text(&a);
    bool in_folder = keyfolder_find(c->keystore, &a, &f);
    struct sr_err none = {0};
    if (!in_folder && !(sdk_network(c, &none) == SR_OK &&
                        sdk_dev_account(&c->net, slice_str(text.s), &name, &a, NULL))) {
        sr_hint(err, "strongroom wallet import adds it");
        return sr_fail(err, SR_E_NOTFOUND, "there is no key for %s", text.s);
    }
    SR_TRY(keyfolder_set_default(c->keystore, text.s, err));
    fill(c, &a, ret_w);
    return SR_OK;
}

sr_status sr_wallet_export(struct sr_client *c, const char *who, char **ret_secret,
                           struct sr_err *err) {
    struct addr a;
    cleanup_secret struct sr_secret key = {0};
    SR_TRY(who ? sdk_who(c, who, &a, err) : sdk_me(c, &a, err));
    SR_TRY(read_key(c, &a, &key, err));
    char *text = malloc(67);
    if (!text) return sr_fail(err, SR_E_NOMEM, "out of memory");
    text[0] = '0';
    text[1] = 'x';
    hex_encode(text + 2, key.p, 32);
    *ret_secret = text;
    return SR_OK;
}

void sr_wallet_wipe(char *secret) {
    if (!secret) return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}
