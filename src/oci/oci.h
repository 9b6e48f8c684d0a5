/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci.h - OCI image archives (an image layout in a tar): build one from a folder, read and unpack
 * one
 *
 * The caller moves the bytes: reading takes a random-access source, building writes into a file.
 * Nothing here fetches. An image's identity is the SHA-256 of its manifest (what the chain holds as
 * app checksum); everything else hangs below it by digest and is verified on the way.
 *
 * Depends on: base, crypto, zlib.  Used by: room (unpack), worker (checks, cache), sdk (app
 * deploy). Never: follows a link out of the target folder, makes device nodes, sets owners, keeps
 * set-id bits. Limits: OCI_* below and struct oci_limits.
 */
#pragma once
#include "crypto/crypto.h"

#define OCI_MAX_LAYERS   128
#define OCI_MAX_BLOBS    1024       /* entries of the outer archive */
#define OCI_MAX_JSON     (4u << 20) /* index, manifest, config */
#define OCI_MAX_ARGS     256        /* entrypoint and command words; environment entries */
#define OCI_MAX_PATH     4096       /* of a file inside a layer */
#define OCI_MAX_DEPTH    64         /* folders */
#define OCI_EGRESS_LABEL "egress"   /* config label: "host:port,host:port"; absent: no network */
#define OCI_MAX_EGRESS   64         /* hosts */

/* Random access to an archive's bytes: all n bytes at off, or a failure. */
struct oci_source {
    sr_status (*read_at)(void *arg, uint64_t off, void *p, size_t n, struct sr_err *err);
    void *arg;
    uint64_t size;
    /* May be NULL. Told by oci_unpack: these bytes will not be read again (a source in memory can
     * let go of them, so that archive and files are not both there in full). */
    void (*forget)(void *arg, uint64_t off, uint64_t n);
};
/* Over a regular file (fd borrowed while the source lives) and over memory (*mem borrowed). */
SR_CHECK sr_status oci_source_fd(int fd, struct oci_source *ret, struct sr_err *err);
struct oci_source oci_source_mem(const struct slice *mem);

struct oci_strings {
    char **v; /* NULL-terminated */
    size_t n;
};
void oci_strings_done(struct oci_strings *s);
/* *ret is owned: oci_strings_done. */
SR_CHECK sr_status oci_strings_copy(const struct oci_strings *s, struct oci_strings *ret,
                                    struct sr_err *err);
/* What the image's config says. Owned by the image. */
struct oci_config {
    struct oci_strings argv;   /* Entrypoint then Cmd */
    struct oci_strings env;    /* NAME=value */
    struct oci_strings egress; /* "host:port", lower case; n 0: no network */
    char *workdir;             /* "/" when absent */
    char *user;                /* as written; may be "" */
};

struct oci_image;
/*
 * oci_open - read an archive's index, manifest and config, and verify their digests
 *
 * want      borrows; the manifest digest it must have; NULL: the archive's only (or linux/amd64)
 * manifest ret_img   owned: oci_close. The source must outlive it.
 *
 * SR_E_MALFORMED for anything that is not a strict image layout, SR_E_CRYPTO when a digest differs,
 * SR_E_NOTFOUND when the wanted manifest is not in the archive, SR_E_TOOBIG over a limit.
 */
SR_CHECK sr_status oci_open(struct oci_source src, const struct hash *want,
                            struct oci_image **ret_img, struct sr_err *err);
void oci_close(struct oci_image *img);                 /* accepts NULL */
struct hash oci_manifest(const struct oci_image *img); /* its digest: the app's checksum */
const struct oci_config *oci_config(const struct oci_image *img);

struct oci_limits {
    uint64_t max_bytes;   /* of all files together, unpacked; 0: 8 GiB */
    uint64_t max_entries; /* files, folders and links of all layers; 0: 1 000 000 */
};
/*
 * oci_unpack - unpack all layers into an empty folder, in order, with whiteouts
 *
 * root_fd   borrows; an empty folder. After a failure it holds a part: remove it.
 *
 * Layers: plain tar or gzip; digests of blob and content are verified (SR_E_CRYPTO). Paths with
 * "..", device nodes, fifos, hard links out of the folder: SR_E_MALFORMED. Files get mode & 0777,
 * the caller's owner, no times.
 */
SR_CHECK sr_status oci_unpack(struct oci_image *img, int root_fd, const struct oci_limits *limits,
                              struct sr_err *err);

/* What an app's folder became. Texts are owned: oci_built_done. */
struct oci_built {
    struct hash manifest; /* the app's checksum */
    uint64_t size;        /* bytes of the archive */
    char *name;           /* app.json's name */
    struct oci_strings egress;
};
/* A file of this machine's, or a link, that goes into an image beside the app's own files. */
struct oci_extra {
    char *path; /* inside the image, without a leading "/" */
    char *from; /* absolute, a regular file; NULL: a link */
    char *link; /* its target */
};
/*
 * oci_build - pack a folder with app.json {name, entrypoint, root?, files?, env?, egress?} as a
 * one-layer image from scratch
 *
 * dir        the folder; entrypoint: "file" or ["file", "arg", ...] (a path inside the folder or
 * absolute in the image); files: paths of files or folders inside dir, absent: all but app.json and
 * a project's cache, output and mock; egress: ["host:port"]; root: the image's folder that the
 * files go to and that is the working folder; env: {"NAME": "value"} out_path   the archive; made
 * anew, all or nothing extras borrows; what the app needs of a system: interpreter, libraries
 *
 * Deterministic: the same files give the same digest. Streams: memory does not grow with the files.
 * SR_E_USAGE with a hint for a faulty app.json; SR_E_NOTFOUND names a missing file; SR_E_CONFLICT
 * when a file changed while it was read.
 */
SR_CHECK sr_status oci_build_on(const char *dir, const char *out_path,
                                const struct oci_extra *extras, size_t n_extras,
                                struct oci_built *ret, struct sr_err *err);
SR_CHECK sr_status oci_build(const char *dir, const char *out_path, struct oci_built *ret,
                             struct sr_err *err);
/* What a deployment decides over app.json, for apps whose servers are their operator's. */
struct oci_settings {
    const char *const *egress; /* "host:port"; n_egress > 0: instead of app.json's list */
    size_t n_egress;
    const char *const *env; /* "NAME=VALUE", instead of app.json's value of that name */
    size_t n_env;
};
/* The same, with settings (NULL: none). SR_E_USAGE names a setting that is none. */
SR_CHECK sr_status oci_build_with(const char *dir, const char *out_path,
                                  const struct oci_extra *extras, size_t n_extras,
                                  const struct oci_settings *settings, struct oci_built *ret,
                                  struct sr_err *err);
void oci_built_done(struct oci_built *b);

/* "name:port" of an egress list: a DNS name in lower case (no address), a port 1-65535; false
 * otherwise. */
bool oci_egress_valid(struct slice text);
