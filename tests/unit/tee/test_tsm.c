/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Getting evidence, against a fake tree of the kernel's files. NOT RUN ON HARDWARE: this shows
 * what is written and read, not that a kernel agrees.
 */
#include "tee/tsm.h"
#include "tee_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake {
    char dir[64];
    unsigned numbers[4]; /* what generation says at each reading */
    size_t n;
    pthread_t thread;
    int watch;
};

static void put(const char *dir, const char *name, const void *p, size_t n) {
    char path[512];
    assert_true(snprintf(path, sizeof path, "%s/%s", dir, name) > 0);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* generation is a fifo: each reader gets the next number, and the next waits until it has left. */
static void *kernel(void *arg) {
    struct fake *k = arg;
    char path[512], event[512];
    (void)snprintf(path, sizeof path, "%s/generation", k->dir);
    for (size_t i = 0; i < k->n; i++) {
        FILE *f = fopen(path, "wb"); /* waits for the reader */
        if (!f) return NULL;
        (void)fprintf(f, "%u\n", k->numbers[i]);
        (void)fclose(f);
        if (read(k->watch, event, sizeof event) < 0) return NULL;
    }
    return NULL;
}

static unsigned used; /* entries that this process has asked for */

/* The entry is there before it is made, with the name that comes next. */
static void fake_start(struct fake *k, const char *root, const char *provider) {
    char path[512];
    (void)snprintf(k->dir, sizeof k->dir, "%s/strongroom-%d-%u", root, (int)getpid(), used++);
    assert_int_equal(mkdir(k->dir, 0700), 0);
    put(k->dir, "provider", provider, strlen(provider));
    put(k->dir, "inblob", "", 0);
    put(k->dir, "privlevel", "", 0);
    put(k->dir, "outblob", "quote", 5);
    put(k->dir, "auxblob", "certs", 5);
    (void)snprintf(path, sizeof path, "%s/generation", k->dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    k->watch = inotify_init1(IN_CLOEXEC);
    assert_true(k->watch >= 0);
    assert_true(inotify_add_watch(k->watch, path, IN_CLOSE_NOWRITE) >= 0);
    assert_int_equal(pthread_create(&k->thread, NULL, kernel, k), 0);
}

static void fake_end(struct fake *k, const char *root) {
    assert_int_equal(pthread_join(k->thread, NULL), 0);
    assert_int_equal(close(k->watch), 0);
    OK(fs_remove_tree(root, NULL));
}

static void written(const struct fake *k, const char *name, const void *p, size_t n) {
    char path[512];
    struct buf b;
    (void)snprintf(path, sizeof path, "%s/%s", k->dir, name);
    file_into(path, &b);
    assert_int_equal(b.n, n);
    assert_memory_equal(b.p, p, n);
    buf_done(&b);
}

static void evidence_is_asked_for_as_the_kernel_wants(void **state) {
    (void)state;
    char root[] = "/tmp/sr-tsm-XXXXXX";
    struct fake k = {.numbers = {4, 5}, .n = 2};
    struct tsm_report r = {0};
    uint8_t data[64];
    struct sr_err e = {0};
    memset(data, 0x5a, sizeof data);
    assert_non_null(mkdtemp(root));
    fake_start(&k, root, "tdx_guest\n");
    if (tsm_report_get(root, data, -1, &r, &e) != SR_OK) fail_msg("%s", e.what);
    assert_int_equal(r.provider, TEE_TDX);
    assert_true(slice_is(buf_slice(&r.evidence), "quote"));
    assert_int_equal(r.certificates.n, 0);
    written(&k, "inblob", data, 64);
    tsm_report_done(&r);
    fake_end(&k, root);
}

static void a_report_that_somebody_else_caused_is_asked_for_again(void **state) {
    (void)state;
    char root[] = "/tmp/sr-tsm-XXXXXX";
    struct fake k = {.numbers = {4, 6, 6, 7}, .n = 4}; /* two writes, one of them ours; then one */
    struct tsm_report r = {0};
    uint8_t data[64] = {0};
    assert_non_null(mkdtemp(root));
    fake_start(&k, root, "tdx_guest");
    OK(tsm_report_get(root, data, -1, &r, NULL));
    tsm_report_done(&r);
    fake_end(&k, root);
}

static void a_report_of_sev_snp_brings_its_certificates(void **state) {
    (void)state;
    char root[] = "/tmp/sr-tsm-XXXXXX";
    struct fake k = {.numbers = {1, 3}, .n = 2}; /* the level is a write too */
    struct tsm_report r = {0};
    struct tee_envelope env;
    uint8_t data[64] = {0};
    struct buf b;
    assert_non_null(mkdtemp(root));
    fake_start(&k, root, "sev_guest\n");
    OK(tsm_report_get(root, data, 2, &r, NULL));
    written(&k, "privlevel", "2", 1);
    buf_init(&b, 4096);
    OK(tsm_envelope(&r, SLICE_LIT("log"), &b, NULL));
    OK(tee_envelope_parse(buf_slice(&b), &env, NULL));
    assert_int_equal(env.provider, TEE_SEV_SNP);
    assert_true(slice_is(env.evidence, "quote") && slice_is(env.certificates, "certs") &&
                slice_is(env.event_log, "log"));
    buf_done(&b);
    tsm_report_done(&r);
    fake_end(&k, root);
}

static void a_provider_that_is_not_known_is_refused(void **state) {
    (void)state;
    char root[] = "/tmp/sr-tsm-XXXXXX";
    struct fake k = {.numbers = {1}, .n = 1};
    struct tsm_report r = {0};
    uint8_t data[64] = {0};
    assert_non_null(mkdtemp(root));
    fake_start(&k, root, "other_guest\n");
    assert_int_equal(tsm_report_get(root, data, -1, &r, NULL), SR_E_NOTFOUND);
    fake_end(&k, root);
}

static void a_host_without_the_hardware_is_told_so(void **state) {
    (void)state;
    struct tsm_report r = {0};
    struct sr_err e = {0};
    uint8_t data[64] = {0};
    assert_int_equal(tsm_report_get("/nonexistent/tsm", data, -1, &r, &e), SR_E_NOTFOUND);
    assert_true(e.hint[0] != 0);
    used++;
    assert_int_equal(snp_guest_report("/nonexistent/sev-guest", data, 0, &r, NULL), SR_E_NOTFOUND);
    assert_int_equal(tsm_rtmr_extend("/nonexistent", 3, data, NULL), SR_E_NOTFOUND);
    assert_int_equal(tsm_rtmr_extend("/nonexistent", 0, data, NULL), SR_E_USAGE);
}

static void an_rtmr_is_extended_by_48_bytes(void **state) {
    (void)state;
    char root[] = "/tmp/sr-tsm-XXXXXX", path[512];
    uint8_t digest[48];
    struct buf b;
    memset(digest, 7, sizeof digest);
    assert_non_null(mkdtemp(root));
    put(root, "rtmr3:sha384", "", 0);
    OK(tsm_rtmr_extend(root, 3, digest, NULL));
    (void)snprintf(path, sizeof path, "%s/rtmr3:sha384", root);
    file_into(path, &b);
    assert_int_equal(b.n, 48);
    assert_memory_equal(b.p, digest, 48);
    buf_done(&b);
    OK(fs_remove_tree(root, NULL));
}

static void the_firmwares_answer_is_taken_apart(void **state) {
    (void)state;
    uint8_t a[4000] = {0};
    struct buf b;
    buf_init(&b, SNP_REPORT_BYTES);
    a[4] = 0xa0, a[5] = 0x04; /* 1184 */
    a[32] = 5;
    OK(snp_guest_answer(a, &b, NULL));
    assert_int_equal(b.n, SNP_REPORT_BYTES);
    assert_int_equal(b.p[0], 5);
    a[0] = 0x16;
    assert_int_equal(snp_guest_answer(a, &b, NULL), SR_E_REFUSED);
    a[0] = 0, a[5] = 0x05;
    assert_int_equal(snp_guest_answer(a, &b, NULL), SR_E_MALFORMED);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(evidence_is_asked_for_as_the_kernel_wants),
        cmocka_unit_test(a_report_that_somebody_else_caused_is_asked_for_again),
        cmocka_unit_test(a_report_of_sev_snp_brings_its_certificates),
        cmocka_unit_test(a_provider_that_is_not_known_is_refused),
        cmocka_unit_test(a_host_without_the_hardware_is_told_so),
        cmocka_unit_test(an_rtmr_is_extended_by_48_bytes),
        cmocka_unit_test(the_firmwares_answer_is_taken_apart),
    };
    return cmocka_run_group_tests_name("tee/tsm", t, NULL, NULL);
}
