/* SPDX-License-Identifier: Apache-2.0 */
/* Images from registries, by skopeo. */
#include "base/base.h"
#include "sdk/system.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SAID_MAX (1u << 20)

/* The last word of "docker://host/path/name:tag", without the tag. */
static char *name_of(const char *image) {
    struct slice rest = slice_str(image), word = rest;
    while (slice_cut(rest, '/', &word, &rest)) {
    }
    if (rest.n == 0) rest = word;
    (void)slice_cut(rest, '@', &word, &rest);
    (void)slice_cut(word, ':', &word, &rest);
    return slice_dup(word.n > 0 ? word : SLICE_LIT("app"));
}

static bool is_known(const char *image) {
    static const char *const kinds[] = {"docker://", "oci-archive:", "oci:", "docker-archive:"};
    for (size_t i = 0; i < SR_ARRAY_LEN(kinds); i++)
        if (slice_starts(slice_str(image), kinds[i])) return true;
    return false;
}

static bool is_local(const char *image) {
    return slice_starts(slice_str(image), "docker://127.0.0.1:") ||
           slice_starts(slice_str(image), "docker://localhost:");
}

static sr_status read_copy(const char *archive, struct oci_built *b, struct sr_err *err) {
    struct oci_source src;
    struct oci_image *img;
    cleanup_close int fd = open(archive, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "opening the copied image");
    SR_TRY(oci_source_fd(fd, &src, err));
    SR_TRY(oci_open(src, NULL, &img, err));
    b->manifest = oci_manifest(img);
    b->size = src.size;
    sr_status st = oci_strings_copy(&oci_config(img)->egress, &b->egress, err);
    if (st == SR_OK && oci_config(img)->argv.n == 0)
        st = sr_fail(err, SR_E_USAGE, "the image names no program to start");
    oci_close(img);
    return st;
}

sr_status sdk_copy_image(const char *image, const char *name, const char *archive,
                         struct oci_built *ret, struct sr_err *err) {
    static char program[] = "skopeo", word[] = "copy", quiet[] = "--quiet",
                policy[] = "--insecure-policy", format[] = "--format", oci[] = "oci",
                plain[] = "--src-tls-verify=false";
    struct oci_built b = {0};
    cleanup_buf struct buf said;
    cleanup_free char *from = slice_dup(slice_str(image)), *to = NULL;
    if (!is_known(image)) {
        sr_hint(err, "docker://HOST/NAME:TAG, oci-archive:FILE or oci:DIR");
        return sr_fail(err, SR_E_USAGE, "'%.100s' is no image that can be copied", image);
    }
    if (asprintf(&to, "oci-archive:%s", archive) < 0) {
        to = NULL;
        return sr_fail(err, SR_E_NOMEM, "path");
    }
    if (!from) return sr_fail(err, SR_E_NOMEM, "path");
    buf_init(&said, SAID_MAX);
    char *argv[12] = {program, policy, word, quiet, format, oci};
    size_t n = 6;
    if (is_local(image)) argv[n++] = plain;
    argv[n++] = from;
    argv[n++] = to;
    SR_TRY(sdk_program(argv, &said, "apt install skopeo: it speaks with image registries", err));
    sr_status st = read_copy(archive, &b, err);
    b.name = name ? slice_dup(slice_str(name)) : name_of(image);
    if (st == SR_OK && !b.name) st = sr_fail(err, SR_E_NOMEM, "name");
    if (st != SR_OK) {
        oci_built_done(&b);
        return st;
    }
    *ret = b;
    return SR_OK;
}
