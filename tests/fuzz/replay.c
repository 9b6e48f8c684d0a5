/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - runs a fuzz target over kept inputs where libFuzzer is not linked
 *
 * Each argument is a file or a folder of files. Each file goes through the target whole and cut at
 * every length: a parser must survive the end of its input anywhere.
 */
#include "base/base.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX (4u << 20)
#define CUTS_MAX  8192 /* cuts of one file, spread evenly over a longer one */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t runs;

/* The input lies at the very end of its block, so that a sanitizer sees the first byte too many. */
static void run(const uint8_t *p, size_t n) {
    uint8_t *copy = malloc(n ? n : 1);
    SR_ASSERT(copy);
    if (n) memcpy(copy, p, n);
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
    runs++;
}

static int replay_file(const char *path) {
    cleanup_buf struct buf b;
    struct sr_err err = {0};
    buf_init(&b, INPUT_MAX);
    if (fs_read(path, &b, &err) != SR_OK) {
        (void)fprintf(stderr, "%s: %s\n", path, err.what);
        return 1;
    }
    size_t step = b.n / CUTS_MAX + 1;
    for (size_t cut = 0; cut < b.n; cut += step) run(b.p, cut);
    run(b.p, b.n);
    return 0;
}

static int replay_folder(const char *path) {
    DIR *d = opendir(path);
    if (!d) {
        (void)fprintf(stderr, "%s: no corpus\n", path);
        return 1;
    }
    int bad = 0;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        cleanup_free char *file = path_join(path, e->d_name);
        SR_ASSERT(file);
        bad |= fs_is_dir(file) ? 0 : replay_file(file);
    }
    (void)closedir(d);
    return bad;
}

int main(int argc, char **argv) {
    int bad = argc < 2;
    for (int i = 1; i < argc; i++)
        bad |= fs_is_dir(argv[i]) ? replay_folder(argv[i]) : replay_file(argv[i]);
    (void)printf("%zu inputs\n", runs);
    return bad || runs == 0;
}
