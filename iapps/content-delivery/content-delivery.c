/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content-delivery - an iApp: hands protected content over to who may have it
 *
 * The app of shared data (docs: collections, renting, subscription): it runs only for who has
 * rented the data or subscribed to its collection, and its result is encrypted for him alone.
 *
 * The leaf "file" becomes $IEXEC_OUT/content, as applications expect it; of data without such a
 * leaf, every leaf becomes a file below $IEXEC_OUT/content. Constant memory at any size.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strongroom/deserializer.h>
#include <sys/stat.h>

#define PATH_BYTES (SR_PD_MAX_PATH + 256)

_Noreturn static void stop(const char *what, const char *which) {
    (void)fprintf(stderr, "content-delivery: %s%s%s\n", what, which ? ": " : "",
                  which ? which : "");
    exit(1);
}

static sr_status put(void *arg, const void *p, size_t n, struct sr_err *err) {
    (void)err;
    if (n > 0 && fwrite(p, 1, n, (FILE *)arg) != n) stop("cannot write", NULL);
    return SR_OK;
}

/* Makes the folders of a path. */
static void make_folders(char *path, size_t from) {
    for (char *p = path + from; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        if (mkdir(path, 0755) != 0 && errno != EEXIST) stop("cannot make the folder", path);
        *p = '/';
    }
}

static void hand_over(struct sr_pd *pd, const char *leaf, char *path, size_t root) {
    struct sr_err err = {0};
    make_folders(path, root);
    FILE *f = fopen(path, "wb");
    if (!f) stop("cannot write", path);
    if (sr_pd_stream(pd, leaf, put, f, &err) != SR_OK) stop(err.what, NULL);
    if (fclose(f) != 0) stop("cannot write", path);
}

int main(void) {
    struct sr_err err = {0};
    struct sr_pd *pd = NULL;
    char path[PATH_BYTES];
    const char *out = getenv("IEXEC_OUT");
    if (!out || !*out) out = "/iexec_out";
    const size_t root = strlen(out) + 1;
    if (root > 128) stop("IEXEC_OUT is too long", NULL);
    if (sr_pd_open(NULL, &pd, &err) != SR_OK) stop(err.what, NULL);
    if (sr_pd_has(pd, "file")) {
        (void)snprintf(path, sizeof path, "%s/content", out);
        hand_over(pd, "file", path, root);
    } else {
        if (sr_pd_count(pd) == 0) stop("the protected data is empty", NULL);
        for (size_t i = 0; i < sr_pd_count(pd); i++) {
            const char *leaf = sr_pd_path_at(pd, i);
            int n = snprintf(path, sizeof path, "%s/content/%s", out, leaf);
            if (n < 0 || (size_t)n >= sizeof path) stop("a path is too long", leaf);
            for (char *p = path + root; *p; p++)
                if (*p == '.') *p = '/'; /* keys have no dots: those are between keys */
            hand_over(pd, leaf, path, root);
        }
    }
    sr_pd_close(pd);
    (void)snprintf(path, sizeof path, "%s/computed.json", out);
    FILE *f = fopen(path, "w");
    if (!f) stop("cannot write", path);
    (void)fputs("{\"deterministic-output-path\":\"/iexec_out/content\"}\n", f);
    if (fclose(f) != 0) stop("cannot write", path);
    return 0;
}
