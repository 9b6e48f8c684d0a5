/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deserializer.h - reads protected data inside an iApp
 *
 * The archive that data protect made (by this program or by the JavaScript SDK) lies decrypted at
 * $IEXEC_IN/$IEXEC_DATASET_FILENAME. Values are named by dotted paths ("a.b.c") and typed by the
 * schema. Small and static: base and zip only, no network, no threads.
 *
 * Link: pkg-config --static strongroom-deserializer.
 * SPEC: dataprotector.md#8-deserialiser-inside-iapps
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strongroom/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SR_PD_MAX_PATH  1024         /* bytes of a dotted path */
#define SR_PD_MAX_VALUE (1ull << 31) /* bytes of a value read into memory at once */

struct sr_pd; /* an opened archive; owned: sr_pd_close */

/* path NULL: from the environment. SR_E_NOTFOUND "Missing protected data" (no path, no
 * environment), SR_E_MALFORMED "Failed to load protected data" (unreadable, or not a zip). */
sr_status sr_pd_open(const char *path, struct sr_pd **ret_pd, struct sr_err *err);
/* The n-th (1..) of a bulk: $IEXEC_IN/$IEXEC_DATASET_<n>_FILENAME. */
sr_status sr_pd_open_bulk(unsigned n, struct sr_pd **ret_pd, struct sr_err *err);
void sr_pd_close(struct sr_pd *pd); /* accepts NULL */

/* The leaves, in the archive's order; the dotted path is borrowed until close; NULL beyond the end.
 */
size_t sr_pd_count(const struct sr_pd *pd);
const char *sr_pd_path_at(const struct sr_pd *pd, size_t i);
bool sr_pd_has(const struct sr_pd *pd, const char *path);
/* Size of the leaf's bytes; SR_E_NOTFOUND "Failed to load path <path>". */
sr_status sr_pd_size(const struct sr_pd *pd, const char *path, uint64_t *ret_n, struct sr_err *err);

/* Typed leaves. SR_E_NOTFOUND "Failed to load path …"; SR_E_MALFORMED "Failed to deserialize … as
 * …". Bytes after the value are ignored. */
sr_status sr_pd_bool(struct sr_pd *pd, const char *path, bool *ret_v, struct sr_err *err);
sr_status sr_pd_f64(struct sr_pd *pd, const char *path, double *ret_v, struct sr_err *err);
/* i128 as decimal text. */
sr_status sr_pd_i128(struct sr_pd *pd, const char *path, char ret_text[41], struct sr_err *err);
/* NUL-terminated; owned: free. Falls back to the raw bytes of the old format. ret_n may be NULL. */
sr_status sr_pd_string(struct sr_pd *pd, const char *path, char **ret_s, size_t *ret_n,
                       struct sr_err *err);
/* The raw bytes (a NUL follows them); owned: free. */
sr_status sr_pd_bytes(struct sr_pd *pd, const char *path, uint8_t **ret_p, size_t *ret_n,
                      struct sr_err *err);
/* The raw bytes in pieces, for leaves of any size. each returns SR_OK to go on. */
sr_status sr_pd_stream(struct sr_pd *pd, const char *path,
                       sr_status (*each)(void *arg, const void *p, size_t n, struct sr_err *err),
                       void *arg, struct sr_err *err);

#ifdef __cplusplus
}
#endif
