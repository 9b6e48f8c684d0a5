/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive is written front to back in one pass over the files: the layer's length is known from
 * the files' sizes, and all JSON texts have a length that does not depend on the digests in them.
 * So room is left for the front part, the layer is written and hashed, and the front part filled in
 * last.
 */
#include "oci/oci_int.h"
#include "oci/tar.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define APP_JSON_MAX (64u << 10)
#define MAX_FILES    100000u
#define COPY_BYTES   (256u << 10)
#define ARCH_AMD64   "amd64"
#define ARCH_ARM64   "arm64"
#if defined(__aarch64__)
#define ARCH ARCH_ARM64
#else
#define ARCH ARCH_AMD64
#endif

struct item {
    char *path; /* inside the image */
    char *from; /* below dir, or absolute; NULL: a folder or a link */
    char *link; /* target */
    bool folder;
    uint64_t size;
    unsigned mode;
};
struct plan {
    int dir;
    struct item *items;
    size_t n, cap;
    char *name;
    char root[OCI_MAX_PATH + 1]; /* "" or "app": in front of the files' paths */
    const struct oci_extra *extras;
    size_t n_extras;
    const struct oci_settings *settings; /* NULL: none */
    struct oci_strings argv, env, egress;
};

static void item_done(struct item *it) {
    free(it->path);
    free(it->from);
    free(it->link);
}

static void plan_done(struct plan *p) {
    for (size_t i = 0; i < p->n; i++) item_done(&p->items[i]);
    free(p->items);
    free(p->name);
    oci_strings_done(&p->argv);
    oci_strings_done(&p->env);
    oci_strings_done(&p->egress);
    if (p->dir >= 0) (void)close(p->dir);
}

/* ---- which files ---- */

/* take is as it is in the list: its texts are copied. */
static sr_status plan_put(struct plan *p, const struct item *like, struct sr_err *err) {
    if (p->n >= MAX_FILES) return sr_fail(err, SR_E_TOOBIG, "more than %u files", MAX_FILES);
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 32;
        struct item *items = reallocarray(p->items, cap, sizeof *items);
        if (!items) return sr_fail(err, SR_E_NOMEM, "list of files");
        p->items = items;
        p->cap = cap;
    }
    struct item it = *like;
    it.path = slice_dup(slice_str(like->path));
    it.from = like->from ? slice_dup(slice_str(like->from)) : NULL;
    it.link = like->link ? slice_dup(slice_str(like->link)) : NULL;
    if (!it.path || (like->from && !it.from) || (like->link && !it.link)) {
        item_done(&it);
        return sr_fail(err, SR_E_NOMEM, "list of files");
    }
    p->items[p->n++] = it;
    return SR_OK;
}

/* Every folder above a file has an entry of its own. */
static sr_status put_folders(struct plan *p, const char *path, struct sr_err *err) {
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        char part[OCI_MAX_PATH + 1];
        (void)snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        SR_TRY(plan_put(p, &(struct item){.path = part, .folder = true, .mode = 0755}, err));
    }
    return SR_OK;
}

/* path below the app's folder. */
static sr_status plan_add(struct plan *p, const char *path, bool folder, uint64_t size,
                          unsigned mode, struct sr_err *err) {
    char full[OCI_MAX_PATH + 1], from[OCI_MAX_PATH + 1];
    int n = snprintf(full, sizeof full, "%s%s%s", p->root, p->root[0] ? "/" : "", path);
    if (n < 0 || (size_t)n >= sizeof full || strlen(path) >= sizeof from)
        return sr_fail(err, SR_E_TOOBIG, "a path below '%s' is too long", p->root);
    memcpy(from, path, strlen(path) + 1);
    return plan_put(p,
                    &(struct item){.path = full,
                                   .from = folder ? NULL : from,
                                   .folder = folder,
                                   .size = size,
                                   .mode = mode},
                    err);
}

static sr_status add_extra(struct plan *p, const struct oci_extra *x, struct sr_err *err) {
    struct stat st;
    char clean[OCI_MAX_PATH + 1];
    if (!tar_path_clean(slice_str(x->path), clean) || clean[0] == 0)
        return sr_fail(err, SR_E_USAGE, "'%s' is no path in an image", x->path);
    SR_TRY(put_folders(p, clean, err));
    if (x->link) {
        if (strlen(x->link) > TAR_LINK_MAX)
            return sr_fail(err, SR_E_TOOBIG, "the link '%s' is too long", x->path);
        return plan_put(p, &(struct item){.path = clean, .link = x->link, .mode = 0777}, err);
    }
    if (stat(x->from, &st) != 0 || !S_ISREG(st.st_mode))
        return sr_fail(err, SR_E_NOTFOUND, "no file '%s' on this machine", x->from);
    return plan_put(p,
                    &(struct item){.path = clean,
                                   .from = x->from,
                                   .size = (uint64_t)st.st_size,
                                   .mode = st.st_mode & 0111 ? 0755 : 0644},
                    err);
}

static sr_status add_path(struct plan *p, const char *path, unsigned depth, struct sr_err *err);

static bool is_named(const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, name) == 0;
}

/* What a project holds beside its app. */
static bool is_projects(const char *name) {
    static const char *const names[] = {"app.json", "cache", "output", "mock"};
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static sr_status add_folder(struct plan *p, const char *path, unsigned depth, struct sr_err *err) {
    int fd = openat(p->dir, path[0] ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0) (void)close(fd);
        return sr_fail(err, SR_E_SYS, "opening folder '%s'", path);
    }
    sr_status st = SR_OK;
    for (struct dirent *de; st == SR_OK && (de = readdir(d)) != NULL;) {
        char full[OCI_MAX_PATH + 1];
        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0) continue;
        if (path[0] == 0 && is_projects(de->d_name)) continue;
        if (strcmp(de->d_name, ".bin") == 0 && is_named(path, "node_modules"))
            continue; /* links to commands: npm's, not the app's */
        int n = snprintf(full, sizeof full, "%s%s%s", path, path[0] ? "/" : "", de->d_name);
        st = n < 0 || (size_t)n >= sizeof full
                 ? sr_fail(err, SR_E_TOOBIG, "a path below '%s' is too long", path)
                 : add_path(p, full, depth, err);
    }
    (void)closedir(d);
    return st;
}

static sr_status add_path(struct plan *p, const char *path, unsigned depth, struct sr_err *err) {
    struct stat st;
    if (depth == 0) return sr_fail(err, SR_E_TOOBIG, "folders deeper than %u", OCI_MAX_DEPTH);
    if (fstatat(p->dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return sr_fail(err, SR_E_SYS, "looking at '%s'", path);
        sr_hint(
            err,
            "app.json lists it under files or entrypoint; paths are relative to the app's folder");
        return sr_fail(err, SR_E_NOTFOUND, "no file '%s' in the app's folder", path);
    }
    if (S_ISDIR(st.st_mode)) {
        SR_TRY(plan_add(p, path, true, 0, 0755, err));
        return add_folder(p, path, depth - 1, err);
    }
    if (!S_ISREG(st.st_mode)) {
        sr_hint(err, "put a copy of the file there; images made here hold files and folders only");
        return sr_fail(err, SR_E_USAGE, "'%s' is a link, a pipe or a device", path);
    }
    return plan_add(p, path, false, (uint64_t)st.st_size, st.st_mode & 0111 ? 0755 : 0644, err);
}

static sr_status add_parents(struct plan *p, const char *path, struct sr_err *err) {
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        char part[OCI_MAX_PATH + 1];
        (void)snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        SR_TRY(plan_add(p, part, true, 0, 0755, err));
    }
    return SR_OK;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

static void plan_sort(struct plan *p) {
    if (p->n == 0) return;
    qsort(p->items, p->n, sizeof *p->items, by_path);
    size_t kept = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (kept > 0 && strcmp(p->items[kept - 1].path, p->items[i].path) == 0)
            item_done(&p->items[i]);
        else
            p->items[kept++] = p->items[i];
    }
    p->n = kept;
}

/* ---- app.json ---- */

static sr_status faulty(struct sr_err *err, const char *why) {
    sr_hint(err,
            "app.json: {\"name\": \"my-app\", \"entrypoint\": [\"app\"], \"files\": [\"app\"], "
            "\"egress\": [\"host:443\"]}; files and egress may be absent");
    return sr_fail(err, SR_E_USAGE, "app.json: %s", why);
}

static sr_status take_name(struct plan *p, const struct json_val *root, struct sr_err *err) {
    struct slice name;
    if (!json_str(json_get(root, "name"), &name) || name.n == 0 || name.n > 127)
        return faulty(err, "name is not a text of 1 to 127 characters");
    p->name = slice_dup(name);
    return p->name ? SR_OK : sr_fail(err, SR_E_NOMEM, "app.json");
}

static sr_status take_list(const struct json_val *v, size_t max, const char *why,
                           struct oci_strings *ret, struct sr_err *err) {
    struct slice word;
    if (json_str(v, &word)) return oci_strings_add(ret, word, max, err);
    if (!json_is(v, JSON_ARRAY)) return faulty(err, why);
    for (const struct json_val *i = json_first(v); i; i = json_next(i)) {
        if (!json_str(i, &word)) return faulty(err, why);
        SR_TRY(oci_strings_add(ret, word, max, err));
    }
    return SR_OK;
}

static sr_status take_files(struct plan *p, const struct json_val *files, struct sr_err *err) {
    char clean[OCI_MAX_PATH + 1];
    if (!files) return add_folder(p, "", OCI_MAX_DEPTH, err);
    if (!json_is(files, JSON_ARRAY)) return faulty(err, "files is not a list of paths");
    for (const struct json_val *i = json_first(files); i; i = json_next(i)) {
        struct slice path;
        if (!json_str(i, &path) || !tar_path_clean(path, clean) || clean[0] == 0 ||
            path.p[0] == '/')
            return faulty(err, "files holds something that is not a path inside the folder");
        SR_TRY(add_parents(p, clean, err));
        SR_TRY(add_path(p, clean, OCI_MAX_DEPTH, err));
    }
    return SR_OK;
}

/* argv[0] becomes absolute, must be one of the files, and be executable. */
static sr_status check_entrypoint(struct plan *p, struct sr_err *err) {
    char clean[OCI_MAX_PATH + 1], inside[2 * OCI_MAX_PATH + 2], *absolute;
    if (p->argv.n == 0 || !tar_path_clean(slice_str(p->argv.v[0]), clean) || clean[0] == 0)
        return faulty(err, "entrypoint is not a path inside the folder");
    bool own = p->root[0] && p->argv.v[0][0] != '/';
    (void)snprintf(inside, sizeof inside, "%s%s%s", own ? p->root : "", own ? "/" : "", clean);
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->items[i].path, inside) != 0 || p->items[i].folder) continue;
        p->items[i].mode = 0755;
        if (asprintf(&absolute, "/%s", inside) < 0) return sr_fail(err, SR_E_NOMEM, "app.json");
        free(p->argv.v[0]);
        p->argv.v[0] = absolute;
        return SR_OK;
    }
    sr_hint(err, "build the app first, or list the file under files");
    return sr_fail(err, SR_E_NOTFOUND, "the entrypoint '%s' is not among the app's files", clean);
}

static sr_status take_root(struct plan *p, const struct json_val *v, struct sr_err *err) {
    struct slice text;
    if (!v) return SR_OK;
    if (!json_str(v, &text) || !tar_path_clean(text, p->root))
        return faulty(err, "root is not a folder of the image");
    char below[OCI_MAX_PATH + 3];
    (void)snprintf(below, sizeof below, "%s/", p->root);
    return p->root[0] ? put_folders(p, below, err) : SR_OK;
}

static sr_status take_env(struct plan *p, const struct json_val *v, struct sr_err *err) {
    if (!v) return SR_OK;
    if (!json_is(v, JSON_OBJECT)) return faulty(err, "env is not an object of texts");
    for (const struct json_val *i = json_first(v); i; i = json_next(i)) {
        struct slice value, name = json_key(i);
        cleanup_buf struct buf b;
        if (!json_str(i, &value) || name.n == 0 || memchr(name.p, '=', name.n))
            return faulty(err, "env is not an object of texts");
        buf_init(&b, APP_JSON_MAX);
        buf_add(&b, name);
        buf_u8(&b, '=');
        buf_add(&b, value);
        SR_TRY(buf_status(&b, err));
        SR_TRY(oci_strings_add(&p->env, buf_slice(&b), OCI_MAX_ARGS, err));
    }
    return SR_OK;
}

static sr_status set_egress(struct plan *p, struct sr_err *err) {
    if (!p->settings || p->settings->n_egress == 0) return SR_OK;
    oci_strings_done(&p->egress);
    for (size_t i = 0; i < p->settings->n_egress; i++) {
        struct slice host = slice_str(p->settings->egress[i]);
        if (!oci_egress_valid(host)) {
            sr_hint(err, "a host's name in lower case, and its port: smtp.example.org:587");
            return sr_fail(err, SR_E_USAGE, "'%s' is not host:port", p->settings->egress[i]);
        }
        SR_TRY(oci_strings_add(&p->egress, host, OCI_MAX_EGRESS, err));
    }
    return SR_OK;
}

static sr_status set_env(struct plan *p, struct sr_err *err) {
    for (size_t i = 0; p->settings && i < p->settings->n_env; i++) {
        const char *set = p->settings->env[i], *eq = strchr(set, '=');
        if (!eq || eq == set) {
            sr_hint(err, "NAME=VALUE");
            return sr_fail(err, SR_E_USAGE, "'%s' is no variable", set);
        }
        size_t name = (size_t)(eq - set) + 1, at = 0;
        while (at < p->env.n && strncmp(p->env.v[at], set, name) != 0) at++;
        if (at == p->env.n) {
            SR_TRY(oci_strings_add(&p->env, slice_str(set), OCI_MAX_ARGS, err));
            continue;
        }
        char *copy = slice_dup(slice_str(set));
        if (!copy) return sr_fail(err, SR_E_NOMEM, "app.json");
        free(p->env.v[at]);
        p->env.v[at] = copy;
    }
    return SR_OK;
}

static sr_status plan_read(struct plan *p, const char *dir, struct sr_err *err) {
    cleanup_buf struct buf text;
    cleanup_json struct json *doc = NULL;
    buf_init(&text, APP_JSON_MAX);
    cleanup_free char *path = path_join(dir, "app.json");
    if (!path) return sr_fail(err, SR_E_NOMEM, "path");
    sr_status st = fs_read(path, &text, err);
    if (st == SR_E_NOTFOUND) {
        sr_hint(err,
                "strongroom app deploy takes a folder with an app.json {name, entrypoint} in it");
        return st;
    }
    SR_TRY(st);
    st = json_parse(buf_slice(&text), &doc, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "app.json");
        return st;
    }
    const struct json_val *root = json_root(doc);
    if (!json_is(root, JSON_OBJECT)) return faulty(err, "not an object");
    p->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir < 0) return sr_fail(err, SR_E_SYS, "opening folder '%s'", dir);
    SR_TRY(take_name(p, root, err));
    SR_TRY(take_list(json_get(root, "entrypoint"), OCI_MAX_ARGS,
                     "entrypoint is neither a text nor a list of texts", &p->argv, err));
    const struct json_val *egress = json_get(root, "egress");
    if (egress && !json_is(egress, JSON_NULL))
        SR_TRY(take_list(egress, OCI_MAX_EGRESS, "egress is not a list of \"host:port\"",
                         &p->egress, err));
    for (size_t i = 0; i < p->egress.n; i++)
        if (!oci_egress_valid(slice_str(p->egress.v[i])))
            return faulty(err, "egress holds something that is not \"host:port\" in lower case");
    SR_TRY(take_root(p, json_get(root, "root"), err));
    SR_TRY(take_env(p, json_get(root, "env"), err));
    SR_TRY(set_egress(p, err));
    SR_TRY(set_env(p, err));
    SR_TRY(take_files(p, json_get(root, "files"), err));
    for (size_t i = 0; i < p->n_extras; i++) SR_TRY(add_extra(p, &p->extras[i], err));
    plan_sort(p);
    return check_entrypoint(p, err);
}

/* ---- writing ---- */

struct front { /* everything before the layer's bytes */
    struct buf bytes;
    struct hash manifest;
};

static void put_blob_header(struct buf *b, const struct hash *digest, uint64_t size) {
    char path[13 + 65];
    memcpy(path, "blobs/sha256/", 13);
    hex_encode(path + 13, digest->b, 32);
    tar_put_header(b, TAR_FILE, path, size, 0644);
}

static void put_file_entry(struct buf *b, const char *path, struct slice data) {
    static const uint8_t zeros[TAR_BLOCK];
    tar_put_header(b, TAR_FILE, path, data.n, 0644);
    buf_add(b, data);
    buf_put(b, zeros, tar_padding(data.n));
}

static void put_blob(struct buf *b, struct slice data) {
    static const uint8_t zeros[TAR_BLOCK];
    struct hash digest = sha256(data);
    put_blob_header(b, &digest, data.n);
    buf_add(b, data);
    buf_put(b, zeros, tar_padding(data.n));
}

static void put_digest(struct jw *w, const char *key, const struct hash *h) {
    char text[7 + 65] = "sha256:";
    hex_encode(text + 7, h->b, 32);
    if (key)
        jw_kcstr(w, key, text);
    else
        jw_cstr(w, text);
}

static void put_descriptor(struct jw *w, const char *type, const struct hash *digest,
                           uint64_t size) {
    jw_obj(w);
    jw_kcstr(w, "mediaType", type);
    put_digest(w, "digest", digest);
    jw_ku64(w, "size", size);
    jw_end_obj(w);
}

static void make_config(const struct plan *p, const struct hash *layer, struct buf *b) {
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_kcstr(&w, "architecture", ARCH);
    jw_key(&w, "config");
    jw_obj(&w);
    jw_key(&w, "Entrypoint");
    jw_arr(&w);
    for (size_t i = 0; i < p->argv.n; i++) jw_cstr(&w, p->argv.v[i]);
    jw_end_arr(&w);
    if (p->egress.n > 0) {
        cleanup_buf struct buf label;
        buf_init(&label, OCI_MAX_EGRESS * 300);
        for (size_t i = 0; i < p->egress.n; i++) {
            if (i > 0) buf_u8(&label, ',');
            buf_str(&label, p->egress.v[i]);
        }
        jw_key(&w, "Labels");
        jw_obj(&w);
        jw_kstr(&w, OCI_EGRESS_LABEL, buf_slice(&label));
        if (label.bad) b->bad = label.bad; /* never an image with a part of its list */
        jw_end_obj(&w);
    }
    if (p->env.n > 0) {
        jw_key(&w, "Env");
        jw_arr(&w);
        for (size_t i = 0; i < p->env.n; i++) jw_cstr(&w, p->env.v[i]);
        jw_end_arr(&w);
    }
    char workdir[OCI_MAX_PATH + 2];
    (void)snprintf(workdir, sizeof workdir, "/%s", p->root);
    jw_kcstr(&w, "WorkingDir", workdir);
    jw_end_obj(&w);
    jw_kcstr(&w, "os", "linux");
    jw_key(&w, "rootfs");
    jw_obj(&w);
    jw_key(&w, "diff_ids");
    jw_arr(&w);
    put_digest(&w, NULL, layer);
    jw_end_arr(&w);
    jw_kcstr(&w, "type", "layers");
    jw_end_obj(&w);
    jw_end_obj(&w);
}

static sr_status make_front(const struct plan *p, const struct hash *layer, uint64_t layer_size,
                            struct front *f, struct sr_err *err) {
    cleanup_buf struct buf config, manifest, index;
    buf_init(&config, OCI_MAX_JSON);
    buf_init(&manifest, OCI_MAX_JSON);
    buf_init(&index, OCI_MAX_JSON);
    make_config(p, layer, &config);
    struct hash digest = sha256(buf_slice(&config));

    struct jw w = jw_of(&manifest);
    jw_obj(&w);
    jw_ku64(&w, "schemaVersion", 2);
    jw_kcstr(&w, "mediaType", "application/vnd.oci.image.manifest.v1+json");
    jw_key(&w, "config");
    put_descriptor(&w, "application/vnd.oci.image.config.v1+json", &digest, config.n);
    jw_key(&w, "layers");
    jw_arr(&w);
    put_descriptor(&w, "application/vnd.oci.image.layer.v1.tar", layer, layer_size);
    jw_end_arr(&w);
    jw_end_obj(&w);
    f->manifest = sha256(buf_slice(&manifest));

    w = jw_of(&index);
    jw_obj(&w);
    jw_ku64(&w, "schemaVersion", 2);
    jw_key(&w, "manifests");
    jw_arr(&w);
    put_descriptor(&w, "application/vnd.oci.image.manifest.v1+json", &f->manifest, manifest.n);
    jw_end_arr(&w);
    jw_end_obj(&w);

    buf_clear(&f->bytes);
    put_file_entry(&f->bytes, "oci-layout", SLICE_LIT("{\"imageLayoutVersion\":\"1.0.0\"}"));
    put_file_entry(&f->bytes, "index.json", buf_slice(&index));
    put_blob(&f->bytes, buf_slice(&manifest));
    put_blob(&f->bytes, buf_slice(&config));
    put_blob_header(&f->bytes, layer, layer_size);
    SR_TRY(buf_status(&config, err));
    SR_TRY(buf_status(&manifest, err));
    SR_TRY(buf_status(&index, err));
    return buf_status(&f->bytes, err);
}

static uint64_t layer_length(const struct plan *p) {
    uint64_t n = 2 * TAR_BLOCK;
    for (size_t i = 0; i < p->n; i++)
        n += tar_header_bytes(p->items[i].folder ? TAR_DIR : TAR_FILE, p->items[i].path,
                              p->items[i].size) +
             p->items[i].size + tar_padding(p->items[i].size);
    return n;
}

static sr_status emit(int fd, struct sha256 *sum, struct slice data, struct sr_err *err) {
    sha256_add(sum, data);
    return fd_write_all(fd, data.p, data.n, err);
}

static sr_status changed(struct sr_err *err, const char *path) {
    sr_hint(err, "run the command again when nothing writes to the app's folder");
    return sr_fail(err, SR_E_CONFLICT, "'%s' changed while it was packed", path);
}

static sr_status emit_file(int out, struct sha256 *sum, const struct plan *p, const struct item *it,
                           uint8_t *copy, struct sr_err *err) {
    static const uint8_t zeros[TAR_BLOCK];
    uint64_t left = it->size;
    cleanup_close int fd = openat(p->dir, it->from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "opening '%s'", it->from);
    for (;;) {
        ssize_t got = read(fd, copy, COPY_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return sr_fail(err, SR_E_SYS, "reading '%s'", it->path);
        if (got == 0) break;
        if ((uint64_t)got > left) return changed(err, it->path);
        left -= (uint64_t)got;
        SR_TRY(emit(out, sum, slice_of(copy, (size_t)got), err));
    }
    if (left > 0) return changed(err, it->path);
    return emit(out, sum, slice_of(zeros, tar_padding(it->size)), err);
}

static sr_status emit_layer(int out, const struct plan *p, struct sha256 *sum, struct sr_err *err) {
    static const uint8_t end[2 * TAR_BLOCK];
    cleanup_free uint8_t *copy = malloc(COPY_BYTES);
    if (!copy) return sr_fail(err, SR_E_NOMEM, "packing");
    cleanup_buf struct buf head;
    buf_init(&head, 16u * TAR_BLOCK);
    for (size_t i = 0; i < p->n; i++) {
        const struct item *it = &p->items[i];
        buf_clear(&head);
        if (it->link)
            tar_put_link(&head, it->path, it->link);
        else
            tar_put_header(&head, it->folder ? TAR_DIR : TAR_FILE, it->path, it->size, it->mode);
        SR_TRY(buf_status(&head, err));
        SR_TRY(emit(out, sum, buf_slice(&head), err));
        if (it->from) SR_TRY(emit_file(out, sum, p, it, copy, err));
    }
    return emit(out, sum, slice_of(end, sizeof end), err);
}

static sr_status write_archive(int out, const struct plan *p, struct oci_built *ret,
                               struct sr_err *err) {
    static const uint8_t end[2 * TAR_BLOCK];
    struct front f = {0};
    struct sha256 sum;
    struct hash layer = {0};
    uint64_t layer_size = layer_length(p);
    buf_init(&f.bytes, 4 * OCI_MAX_JSON);
    sr_status st = make_front(p, &layer, layer_size, &f, err);
    size_t front = f.bytes.n;
    if (st == SR_OK) st = fd_write_all(out, f.bytes.p, front, err); /* holds the place */
    if (st == SR_OK) st = sha256_init(&sum, err);
    if (st == SR_OK) {
        st = emit_layer(out, p, &sum, err);
        layer = sha256_end(&sum);
    }
    if (st == SR_OK) st = fd_write_all(out, end, tar_padding(layer_size), err);
    if (st == SR_OK) st = fd_write_all(out, end, sizeof end, err);
    if (st == SR_OK) st = make_front(p, &layer, layer_size, &f, err);
    if (st == SR_OK) {
        SR_ASSERT(f.bytes.n == front);
        if (lseek(out, 0, SEEK_SET) != 0) st = sr_fail(err, SR_E_SYS, "packing");
        if (st == SR_OK) st = fd_write_all(out, f.bytes.p, front, err);
    }
    if (st == SR_OK && fsync(out) != 0) st = sr_fail(err, SR_E_SYS, "packing");
    if (st == SR_OK) {
        ret->manifest = f.manifest;
        ret->size = front + layer_size + tar_padding(layer_size) + sizeof end;
    }
    buf_done(&f.bytes);
    return st;
}

static sr_status build(struct plan *p, const char *dir, const char *out_path, struct oci_built *b,
                       struct sr_err *err) {
    SR_TRY(plan_read(p, dir, err));
    cleanup_free char *part = NULL;
    if (asprintf(&part, "%s.part-%ld", out_path, (long)getpid()) < 0) {
        part = NULL;
        return sr_fail(err, SR_E_NOMEM, "path");
    }
    cleanup_close int out = open(part, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0) return sr_fail(err, SR_E_SYS, "making '%s'", part);
    sr_status st = write_archive(out, p, b, err);
    if (st == SR_OK && rename(part, out_path) != 0)
        st = sr_fail(err, SR_E_SYS, "renaming to '%s'", out_path);
    if (st != SR_OK) (void)unlink(part);
    return st;
}

sr_status oci_build(const char *dir, const char *out_path, struct oci_built *ret,
                    struct sr_err *err) {
    return oci_build_on(dir, out_path, NULL, 0, ret, err);
}

sr_status oci_build_on(const char *dir, const char *out_path, const struct oci_extra *extras,
                       size_t n_extras, struct oci_built *ret, struct sr_err *err) {
    return oci_build_with(dir, out_path, extras, n_extras, NULL, ret, err);
}

sr_status oci_build_with(const char *dir, const char *out_path, const struct oci_extra *extras,
                         size_t n_extras, const struct oci_settings *settings,
                         struct oci_built *ret, struct sr_err *err) {
    struct plan p = {.dir = -1, .extras = extras, .n_extras = n_extras, .settings = settings};
    struct oci_built b = {0};
    sr_status st = build(&p, dir, out_path, &b, err);
    if (st == SR_OK) {
        b.name = sr_take_ptr(p.name);
        b.egress = p.egress;
        p.egress = (struct oci_strings){0};
        *ret = b;
    }
    plan_done(&p);
    return st;
}

void oci_built_done(struct oci_built *b) {
    free(b->name);
    oci_strings_done(&b->egress);
    *b = (struct oci_built){0};
}
