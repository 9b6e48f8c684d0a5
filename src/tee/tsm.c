/* SPDX-License-Identifier: Apache-2.0 */
/* NOT RUN ON HARDWARE: see tsm.h. */
#include "tee/tsm.h"
#include "tee/sim_int.h"
#include "tee/tee.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void tsm_report_done(struct tsm_report *r) {
    buf_done(&r->evidence), buf_done(&r->certificates);
}

static sr_status attribute(const char *entry, const char *name, char *path, size_t n,
                           struct sr_err *err) {
    int k = snprintf(path, n, "%s/%s", entry, name);
    return k > 0 && (size_t)k < n ? SR_OK : sr_fail(err, SR_E_TOOBIG, "a path too long");
}

/* One write call: the kernel takes each as a whole value. SR_E_UNAVAILABLE: try again. */
static sr_status attribute_write(const char *entry, const char *name, struct slice v,
                                 struct sr_err *err) {
    char path[512];
    SR_TRY(attribute(entry, name, path, sizeof path, err));
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "open %s", path);
    ssize_t n = write(fd, v.p, v.n);
    if (n == (ssize_t)v.n) return SR_OK;
    if (n < 0 && (errno == EBUSY || errno == ETIMEDOUT || errno == EINTR || errno == EAGAIN))
        return SR_E_UNAVAILABLE;
    return sr_fail(err, SR_E_SYS, "write %s", path);
}

static sr_status attribute_read(const char *entry, const char *name, struct buf *b,
                                struct sr_err *err) {
    char path[512];
    SR_TRY(attribute(entry, name, path, sizeof path, err));
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "open %s", path);
    for (;;) {
        uint8_t *p = buf_reserve(b, 4096);
        if (!p) return buf_status(b, err);
        ssize_t n = read(fd, p, 4096);
        if (n == 0) return SR_OK;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EBUSY || errno == ETIMEDOUT || errno == EWOULDBLOCK))
            return SR_E_UNAVAILABLE;
        if (n < 0) return sr_fail(err, SR_E_SYS, "read %s", path);
        (void)buf_grow(b, (size_t)n);
    }
}

static sr_status number(const char *entry, const char *name, uint64_t *ret, struct sr_err *err) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, 8192);
    SR_TRY(attribute_read(entry, name, &b, err));
    return num_u64(slice_trim(buf_slice(&b)), UINT64_MAX, ret)
               ? SR_OK
               : sr_fail(err, SR_E_MALFORMED, "%s is no number", name);
}

static sr_status provider(const char *entry, tee_provider *ret, struct sr_err *err) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, 8192);
    SR_TRY(attribute_read(entry, "provider", &b, err));
    struct slice s = slice_trim(buf_slice(&b));
    if (slice_is(s, "tdx_guest"))
        *ret = TEE_TDX;
    else if (slice_is(s, "sev_guest"))
        *ret = TEE_SEV_SNP;
    else
        return sr_fail(err, SR_E_NOTFOUND, "a provider of reports that is not known here");
    return SR_OK;
}

/*
 * Writes and reads, and whether it was us alone: generation counts the writes of everybody.
 * SR_E_UNAVAILABLE without a text: once more.
 */
static sr_status attempt(const char *entry, const uint8_t data[64], int privlevel,
                         struct tsm_report *r, struct sr_err *err) {
    uint64_t before = 0, after = 0;
    const char level = (char)('0' + privlevel);
    buf_clear(&r->evidence), buf_clear(&r->certificates);
    SR_TRY(number(entry, "generation", &before, err));
    if (privlevel >= 0) SR_TRY(attribute_write(entry, "privlevel", slice_of(&level, 1), err));
    SR_TRY(attribute_write(entry, "inblob", slice_of(data, 64), err));
    SR_TRY(attribute_read(entry, "outblob", &r->evidence, err));
    SR_TRY(provider(entry, &r->provider, err));
    if (r->provider == TEE_SEV_SNP) SR_TRY(attribute_read(entry, "auxblob", &r->certificates, err));
    SR_TRY(number(entry, "generation", &after, err));
    return after - before == (privlevel >= 0 ? 2u : 1u) ? SR_OK : SR_E_UNAVAILABLE;
}

sr_status tsm_report_get(const char *dir, const uint8_t report_data[64], int privlevel,
                         struct tsm_report *ret, struct sr_err *err) {
    static unsigned count;
    char entry[256];
    struct tsm_report r = {0};
    if (privlevel > 3) return sr_fail(err, SR_E_USAGE, "a privilege level is 0 to 3");
    int k = snprintf(entry, sizeof entry, "%s/strongroom-%d-%u", dir, (int)getpid(), count++);
    if (k < 0 || (size_t)k >= sizeof entry) return sr_fail(err, SR_E_TOOBIG, "a path too long");
    if (mkdir(entry, 0700) != 0 && errno != EEXIST) {
        sr_hint(err, "the guest needs Linux 6.7, CONFIG_TSM_REPORTS and a mounted configfs");
        return sr_fail(err, errno == ENOENT ? SR_E_NOTFOUND : SR_E_SYS, "mkdir %s", entry);
    }
    buf_init(&r.evidence, TSM_OUTBLOB_MAX);
    buf_init(&r.certificates, SNP_TABLE_MAX);
    sr_status st = SR_E_UNAVAILABLE;
    for (unsigned i = 0; i < TSM_TRIES && st == SR_E_UNAVAILABLE; i++) {
        const struct timespec wait = {.tv_nsec = (long)(TSM_BACKOFF_MS << i) * 1000000L};
        if (i > 0) (void)nanosleep(&wait, NULL);
        st = attempt(entry, report_data, privlevel, &r, err);
    }
    (void)rmdir(entry);
    if (st == SR_E_UNAVAILABLE) st = sr_fail(err, st, "the host's quoting service stays busy");
    if (st == SR_OK && r.evidence.n == 0)
        st = sr_fail(err, SR_E_MALFORMED, "the kernel gave an empty report");
    if (st == SR_OK)
        *ret = r;
    else
        tsm_report_done(&r);
    return st;
}

sr_status tsm_rtmr_extend(const char *dir, unsigned rtmr, const uint8_t digest[48],
                          struct sr_err *err) {
    char path[512];
    if (rtmr != 2 && rtmr != 3)
        return sr_fail(err, SR_E_USAGE, "RTMR%u belongs to the firmware", rtmr);
    int k = snprintf(path, sizeof path, "%s/rtmr%u:sha384", dir, rtmr);
    if (k < 0 || (size_t)k >= sizeof path) return sr_fail(err, SR_E_TOOBIG, "a path too long");
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return sr_fail(err, errno == ENOENT ? SR_E_NOTFOUND : SR_E_SYS, "open %s", path);
    return write(fd, digest, 48) == 48 ? SR_OK : sr_fail(err, SR_E_SYS, "write %s", path);
}

/* ---- /dev/sev-guest ---- */

struct snp_ext_request {
    uint8_t user_data[64];
    uint32_t vmpl;
    uint8_t reserved[28];
    uint64_t certs_address;
    uint32_t certs_len;
    uint32_t pad;
};
struct snp_ioctl {
    uint8_t msg_version, pad[7];
    uint64_t request, response, exitinfo2;
};
_Static_assert(sizeof(struct snp_ioctl) == 32, "the kernel's layout");
#define SNP_GET_EXT_REPORT 0xC0205302ul

sr_status snp_guest_answer(const uint8_t answer[4000], struct buf *ret, struct sr_err *err) {
    struct rd r = rd_of(slice_of(answer, 4000));
    const uint32_t status = rd_u32le(&r), size = rd_u32le(&r);
    (void)rd_take(&r, 24);
    if (status != 0)
        return sr_fail(err, SR_E_REFUSED, "the firmware refused a report (status %u)", status);
    if (size != SNP_REPORT_BYTES) return sr_fail(err, SR_E_MALFORMED, "a report of %u bytes", size);
    buf_add(ret, rd_take(&r, size));
    return buf_status(ret, err);
}

sr_status snp_guest_report(const char *device, const uint8_t report_data[64], unsigned vmpl,
                           struct tsm_report *ret, struct sr_err *err) {
    cleanup_buf struct buf certs = {0};
    uint8_t answer[4000] = {0};
    struct tsm_report r = {.provider = TEE_SEV_SNP};
    cleanup_close int fd = open(device, O_RDWR | O_CLOEXEC);
    if (fd < 0) return sr_fail(err, errno == ENOENT ? SR_E_NOTFOUND : SR_E_SYS, "open %s", device);
    buf_init(&certs, SNP_TABLE_MAX);
    uint8_t *table = buf_grow(&certs, SNP_TABLE_MAX);
    if (!table) return buf_status(&certs, err);
    memset(table, 0, SNP_TABLE_MAX);
    struct snp_ext_request q = {
        .vmpl = vmpl, .certs_address = (uintptr_t)table, .certs_len = SNP_TABLE_MAX};
    memcpy(q.user_data, report_data, sizeof q.user_data);
    struct snp_ioctl io = {
        .msg_version = 1, .request = (uintptr_t)&q, .response = (uintptr_t)answer};
    if (ioctl(fd, SNP_GET_EXT_REPORT, &io) != 0)
        return sr_fail(err, SR_E_SYS, "SNP_GET_EXT_REPORT (firmware %u, VMM %u)",
                       (unsigned)(io.exitinfo2 & UINT32_MAX), (unsigned)(io.exitinfo2 >> 32));
    buf_init(&r.evidence, SNP_REPORT_BYTES);
    buf_init(&r.certificates, SNP_TABLE_MAX);
    sr_status st = snp_guest_answer(answer, &r.evidence, err);
    if (st == SR_OK) {
        buf_put(&r.certificates, table, q.certs_len <= SNP_TABLE_MAX ? q.certs_len : 0);
        *ret = r;
    } else {
        tsm_report_done(&r);
    }
    return st;
}

/* ---- the envelope ---- */

static void part(struct buf *b, uint16_t type, struct slice v) {
    uint8_t head[6];
    if (v.n == 0) return;
    put_le16(head, type);
    put_le32(head + 2, (uint32_t)v.n);
    buf_put(b, head, sizeof head);
    buf_add(b, v);
}

sr_status tsm_envelope(const struct tsm_report *r, struct slice event_log, struct buf *ret,
                       struct sr_err *err) {
    const uint8_t head[4] = {(uint8_t)r->provider, 0, 0, 0};
    if (r->evidence.n > TEE_QUOTE_MAX || event_log.n > TEE_EVENTLOG_MAX)
        return sr_fail(err, SR_E_TOOBIG, "evidence of %zu bytes", r->evidence.n);
    buf_str(ret, ENVELOPE_TAG);
    buf_put(ret, head, sizeof head);
    part(ret, ENVELOPE_EVIDENCE, buf_slice(&r->evidence));
    part(ret, 2, event_log);
    part(ret, 3, buf_slice(&r->certificates));
    return buf_status(ret, err);
}
