/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images, cached by digest; inputs, streamed from the store into the room; the result, streamed to
 * the store. What lies on this host's disk is public or cipher text.
 */
#include "oci/registry.h"
#include "worker/worker_int.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the image cache: DIR/images/<digest>.oci ---- */

static char *image_path(const struct worker *w, const struct hash *digest, const char *suffix) {
    char hex[65], *path;
    hex_encode(hex, digest->b, 32);
    if (asprintf(&path, "%s/images/%s.oci%s", w->dir, hex, suffix) < 0) return NULL;
    return path;
}

void image_forget(const struct worker *w, const struct hash *digest) {
    cleanup_free char *path = image_path(w, digest, "");
    if (path) (void)unlink(path);
}

struct cached {
    char name[256];
    uint64_t size;
    struct timespec used;
};

/* Removes the images used longest ago until the rest fits. */
static void evict(const struct worker *w) {
    cleanup_free char *dir = path_join(w->dir, "images");
    DIR *d = dir ? opendir(dir) : NULL;
    if (!d) return;
    for (unsigned round = 0; round < 1000; round++) {
        struct cached oldest = {{0}, 0, {0}};
        uint64_t sum = 0;
        rewinddir(d);
        for (struct dirent *de; (de = readdir(d)) != NULL;) {
            struct stat st;
            if (fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
                !S_ISREG(st.st_mode))
                continue;
            sum += (uint64_t)st.st_size;
            if (oldest.name[0] && (st.st_mtim.tv_sec > oldest.used.tv_sec ||
                                   (st.st_mtim.tv_sec == oldest.used.tv_sec &&
                                    st.st_mtim.tv_nsec >= oldest.used.tv_nsec)))
                continue;
            oldest.used = st.st_mtim;
            (void)snprintf(oldest.name, sizeof oldest.name, "%s", de->d_name);
        }
        if (sum <= WORKER_CACHE_BYTES || !oldest.name[0]) break;
        if (unlinkat(dirfd(d), oldest.name, 0) != 0) break;
        log_info("image_evicted", "file=%s", oldest.name);
    }
    (void)closedir(d);
}

static sr_status to_fd(void *arg, struct slice data, struct sr_err *err) {
    return fd_write_all(*(int *)arg, data.p, data.n, err);
}

static sr_status check_image(int fd, const struct hash *digest, struct sr_err *err) {
    struct oci_source src;
    struct oci_image *img;
    SR_TRY(oci_source_fd(fd, &src, err));
    SR_TRY(oci_open(src, digest, &img, err));
    oci_close(img);
    return SR_OK;
}

/* What the store or a web server has; else the name of an image in a registry. */
static bool is_location(struct slice multiaddr) {
    struct cid cid;
    struct slice rest;
    return slice_starts(multiaddr, "http://") || slice_starts(multiaddr, "https://") ||
           ipfs_path_parse(multiaddr, &cid, &rest, NULL) == SR_OK;
}

/* "127.0.0.1:8548" of its URL */
static struct slice store_host(const struct worker *w) {
    struct slice host = slice_str(w->store), rest;
    if (slice_starts(host, "http://")) host = slice_of(host.p + 7, host.n - 7);
    (void)slice_cut(host, '/', &host, &rest);
    return host;
}

static sr_status download(struct job *j, const char *path, const char *part, struct sr_err *err) {
    struct ipfs_get_opts opts = {.max_bytes = j->w->disk_bytes, .public_urls = true};
    struct registry_ref ref;
    cleanup_close int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "making '%s'", part);
    struct slice where = slice_str(j->app_multiaddr);
    if (!is_location(where) && registry_ref_parse(where, &ref)) {
        /* The store is a registry, too: on a development network a local one. */
        struct registry_opts from = {.local = j->w->store, .max_bytes = j->w->disk_bytes};
        if (!j->w->any_registry && !slice_is(store_host(j->w), ref.host)) {
            sr_hint(err,
                    "strongroom app deploy --from-image docker://... puts a copy into the store");
            return sr_fail(err, SR_E_USAGE, "this worker takes no images of %.100s", ref.host);
        }
        SR_TRY(registry_pull(&ref, &j->app_checksum, &from, fd, NULL, err));
    } else {
        SR_TRY(ipfs_get(j->w->store, where, &opts, to_fd, &fd, err));
    }
    SR_TRY(check_image(fd, &j->app_checksum, err));
    if (rename(part, path) != 0) return sr_fail(err, SR_E_SYS, "keeping an image");
    return SR_OK;
}

static door_blame blame_of_download(sr_status st, door_blame owner) {
    return st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT || st == SR_E_SYS || st == SR_E_NOMEM ||
                   st == SR_E_CANCELLED
               ? BLAME_HOST
               : owner;
}

sr_status fetch_image(struct job *j, int *ret_fd, bool *ret_cached, struct sr_err *err) {
    struct worker *w = j->w;
    cleanup_free char *path = image_path(w, &j->app_checksum, "");
    cleanup_free char *part = image_path(w, &j->app_checksum, ".part");
    if (!path || !part) return sr_fail(err, SR_E_NOMEM, "image");
    struct registry_ref ref;
    sr_status st = SR_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *ret_cached = fd >= 0;
    if (fd < 0) {
        struct slice where = slice_str(j->app_multiaddr);
        if (!is_location(where) && !registry_ref_parse(where, &ref)) {
            sr_hint(err, "register the app with the /ipfs/ address of an OCI archive (strongroom "
                         "app deploy), or the name of an image in a registry");
            st = sr_fail(err, SR_E_USAGE,
                         "the app's image address is none that this worker can fetch");
            return job_fail(j, "APP_IMAGE_DOWNLOAD_FAILED", BLAME_APP, st);
        }
        SR_TRY(fmutex_lock(&w->image_lock, err));
        fd = open(path, O_RDONLY | O_CLOEXEC); /* another task's fetch may have been the same */
        if (fd < 0) {
            st = download(j, path, part, err);
            (void)unlink(part);
            fd = st == SR_OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            evict(w);
        }
        fmutex_unlock(&w->image_lock);
        if (st == SR_OK && fd < 0) st = sr_fail(err, SR_E_SYS, "opening an image");
        if (st != SR_OK)
            return job_fail(j, "APP_IMAGE_DOWNLOAD_FAILED", blame_of_download(st, BLAME_APP), st);
    }
    (void)futimens(fd, NULL);
    *ret_fd = fd;
    return SR_OK;
}

sr_status image_hosts(struct job *j, int fd, struct sr_err *err) {
    struct oci_source src;
    struct oci_image *img;
    SR_TRY(oci_source_fd(fd, &src, err));
    SR_TRY(oci_open(src, &j->app_checksum, &img, err));
    sr_status st = oci_strings_copy(&oci_config(img)->egress, &j->hosts, err);
    oci_close(img);
    return st;
}

/* ---- into the room ---- */

static sr_status begin_input(struct door *d, unsigned type, size_t index, uint64_t size,
                             struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, 64);
    door_input_write(&b, &(struct door_input){(uint32_t)index, size});
    SR_TRY(buf_status(&b, err));
    return door_send(d, type, buf_slice(&b), err);
}

sr_status send_image(struct door *d, int fd, struct sr_err *err) {
    struct stat st;
    cleanup_free uint8_t *copy = malloc(DOOR_DATA_MAX);
    if (!copy) return sr_fail(err, SR_E_NOMEM, "image");
    if (fstat(fd, &st) != 0) return sr_fail(err, SR_E_SYS, "looking at an image");
    SR_TRY(begin_input(d, DOOR_IMAGE, 0, (uint64_t)st.st_size, err));
    for (off_t at = 0; at < st.st_size;) {
        ssize_t n = pread(fd, copy, DOOR_DATA_MAX, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return sr_fail(err, SR_E_SYS, "reading an image");
        SR_TRY(door_send(d, DOOR_DATA, slice_of(copy, (size_t)n), err));
        at += n;
    }
    return door_send(d, DOOR_END, slice_of(NULL, 0), err);
}

struct feed {
    struct door *d;
    bool room_failed; /* not the store */
};

static sr_status feed_room(void *arg, struct slice data, struct sr_err *err) {
    struct feed *f = arg;
    while (data.n > 0) {
        size_t take = data.n < DOOR_DATA_MAX ? data.n : DOOR_DATA_MAX;
        sr_status st = door_send(f->d, DOOR_DATA, slice_of(data.p, take), err);
        if (st != SR_OK) {
            f->room_failed = true;
            return st;
        }
        data = slice_of(data.p + take, data.n - take);
    }
    return SR_OK;
}

static sr_status send_one(struct job *j, struct door *d, unsigned type, size_t i, const char *url,
                          const char *cause, door_blame owner, struct sr_err *err) {
    /* The room checks everything against checksum or CID: no need to do it twice. */
    struct ipfs_get_opts opts = {
        .max_bytes = j->w->disk_bytes, .unverified = true, .public_urls = true};
    struct feed f = {.d = d};
    SR_TRY(begin_input(d, type, i, DOOR_SIZE_UNKNOWN, err));
    sr_status st = ipfs_get(j->w->store, slice_str(url), &opts, feed_room, &f, err);
    if (st != SR_OK && !f.room_failed) {
        const door_blame blame = blame_of_download(st, owner);
        if (type != DOOR_DATASET || !j->bulk || blame == BLAME_HOST)
            return job_fail(j, cause, blame, st);
        log_info("dataset_missing", "task=%s dataset=%s", hash_text(&j->task).s,
                 addr_text(&j->datasets[i].address).s);
        if (err) *err = (struct sr_err){0};
        st = SR_OK; /* the room sees what is missing, and goes on without it */
    }
    SR_TRY(st);
    return door_send(d, DOOR_END, slice_of(NULL, 0), err);
}

sr_status send_inputs(struct job *j, struct door *d, struct sr_err *err) {
    for (size_t i = 0; i < j->n_datasets; i++)
        if (j->datasets[i].url)
            SR_TRY(send_one(j, d, DOOR_DATASET, i, j->datasets[i].url,
                            "PRE_COMPUTE_DATASET_DOWNLOAD_FAILED", BLAME_DATA, err));
    for (size_t i = 0; i < j->n_files; i++)
        SR_TRY(send_one(j, d, DOOR_INPUT, i, j->files[i].url,
                        "PRE_COMPUTE_INPUT_FILE_DOWNLOAD_FAILED", BLAME_REQUESTER, err));
    return SR_OK;
}

/* ---- out of the room ---- */

static sr_status from_fd(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    ssize_t got;
    do got = read(*(int *)arg, p, n);
    while (got < 0 && errno == EINTR);
    if (got < 0) return sr_fail(err, SR_E_SYS, "reading the result");
    *ret_n = (size_t)got;
    return SR_OK;
}

static sr_status upload_once(struct job *j, const char *path, struct sr_err *err) {
    struct stat st;
    struct dag_result added;
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) return sr_fail(err, SR_E_SYS, "opening the result");
    SR_TRY(ipfs_add(j->w->store, from_fd, &fd, (uint64_t)st.st_size, &added, err));
    cleanup_buf struct buf location;
    buf_init(&location, 128);
    buf_printf(&location, "/ipfs/%s", cid_text(&added.cid).s);
    buf_clear(&j->results);
    poco_result_write(&j->results, "ipfs", buf_slice(&location));
    return buf_status(&j->results, err);
}

sr_status upload_result(struct job *j, struct sr_err *err) {
    cleanup_free char *path = job_path(j, "result.zip");
    if (!path) return sr_fail(err, SR_E_NOMEM, "result");
    int64_t until = clock_mono_us() + (int64_t)WORKER_UPLOAD_MS * 1000;
    for (;;) {
        struct sr_err e = {0};
        sr_status st = upload_once(j, path, &e);
        if (st == SR_OK) return SR_OK;
        bool again = st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT || st == SR_E_CANCELLED;
        if (!again || j->cancelled || clock_mono_us() > until ||
            fiber_sleep(WORKER_RETRY_MS, NULL) != SR_OK) {
            if (err) *err = e;
            return job_fail(j, "POST_COMPUTE_IPFS_UPLOAD_FAILED", BLAME_HOST, st);
        }
    }
}
