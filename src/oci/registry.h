/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - an image out of a registry, as the archive that oci.h reads
 *
 * The name is a stranger's (a chain's app entry), so is the registry: only the public internet is
 * asked, over TLS, except one local service that is named. What comes is checked on the way: the
 * manifest against the wanted digest, config and layers against the manifest.
 *
 * A library of its own, for the room reads images and has no net.
 * Depends on: net, oci.  Used by: worker (apps of registries), sdk (app deploy --by-name).
 * Limits: REGISTRY_*.  SPEC: iapp.md#5-deploy-run
 */
#pragma once
#include "oci/oci.h"

#define REGISTRY_NAME_MAX  256u /* bytes of host, repository, tag, each */
#define REGISTRY_TOKEN_MAX 8192u

struct registry_ref {                       /* "ghcr.io/some/app:1.0@sha256:..." */
    char host[REGISTRY_NAME_MAX + 1];       /* with its port */
    char repository[REGISTRY_NAME_MAX + 1]; /* "some/app" */
    char tag[REGISTRY_NAME_MAX + 1];        /* "latest" when none is said */
    bool has_digest;
    struct hash digest;
};
/* As Docker reads names: without a host it is Docker Hub's. False: no name of an image. */
SR_CHECK bool registry_ref_parse(struct slice text, struct registry_ref *ret);

/* The URL that a refusal ("WWW-Authenticate: Bearer realm=...,service=...,scope=...") sends to for
 * a token, appended; false: none. */
SR_CHECK bool registry_token_url(struct slice header, struct buf *ret_url);

struct registry_opts {
    const char *local;  /* "http://host:port": of this host alone a local address and plain HTTP are
                           taken; NULL: of none */
    uint64_t max_bytes; /* of the archive; 0: no limit */
};
/*
 * registry_pull - fetch an image into a file
 *
 * want        its manifest's digest; NULL: what the name says now, for this platform
 * fd          written from its beginning
 * ret_digest  the manifest's; may be NULL
 *
 * Waits (a fiber's call). SR_E_NOTFOUND, SR_E_AUTH (not for everybody), SR_E_CRYPTO (other bytes
 * than its digest says), SR_E_TOOBIG, SR_E_REFUSED (a local address), SR_E_UNAVAILABLE,
 * SR_E_MALFORMED.
 */
SR_CHECK sr_status registry_pull(const struct registry_ref *ref, const struct hash *want,
                                 const struct registry_opts *opts, int fd, struct hash *ret_digest,
                                 struct sr_err *err);

/* What the image says of the hosts that it wants, without fetching its layers. *ret is owned:
 * oci_strings_done. Failures as above. */
SR_CHECK sr_status registry_egress(const struct registry_ref *ref, const struct hash *want,
                                   const struct registry_opts *opts, struct oci_strings *ret,
                                   struct sr_err *err);
