/* SPDX-License-Identifier: Apache-2.0 */
/* SPEC: attestation.md#94-recommended-measured-set-for-our-images */
#include "tee/launch.h"

static void put_hash(struct jw *w, const char *key, const struct hash *h) {
    char hex[65];
    hex_encode(hex, h->b, 32);
    jw_kcstr(w, key, hash_is_zero(h) ? "" : hex);
}

static bool plain(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e) return false;
    return true;
}

sr_status launch_document(const struct launch_inputs *in, struct buf *ret_json,
                          struct hash *ret_image_id, struct sr_err *err) {
    /* Other texts would have more than one encoding. */
    if (!plain(in->cmdline) || !plain(in->machine) || !plain(in->qemu) || !plain(in->verity_root))
        return sr_fail(err, SR_E_MALFORMED, "launch inputs are ASCII texts");
    struct jw w = jw_of(ret_json);
    const size_t at = ret_json->n;
    jw_obj(&w); /* sorted */
    jw_kstr(&w, "cmdline", in->cmdline);
    put_hash(&w, "firmware_sha256", &in->firmware);
    put_hash(&w, "initrd_sha256", &in->initrd);
    put_hash(&w, "kernel_sha256", &in->kernel);
    jw_kstr(&w, "machine", in->machine);
    jw_ku64(&w, "memory_bytes", in->memory_bytes);
    jw_kstr(&w, "qemu_version", in->qemu);
    jw_ku64(&w, "vcpus", in->vcpus);
    jw_kstr(&w, "verity_root", in->verity_root);
    jw_end_obj(&w);
    SR_TRY(buf_status(ret_json, err));
    *ret_image_id = sha256(slice_of(ret_json->p + at, ret_json->n - at));
    return SR_OK;
}
