/* SPDX-License-Identifier: Apache-2.0 */
#include "room/egress.h"
#include "room/stage.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB (1024u * 1024u)

static sr_status command_line(const struct room *r, struct words *ret, struct sr_err *err) {
    const struct oci_config *c = oci_config(r->image);
    for (size_t i = 0; i < c->argv.n; i++) SR_TRY(words_add(ret, slice_str(c->argv.v[i]), err));
    return r->task.args ? args_split(slice_str(r->task.args), ret, err) : SR_OK;
}

static bool disk_is_full(void) {
    struct statvfs v;
    return statvfs("/", &v) == 0 && (v.f_bavail * v.f_bsize < 65536 || v.f_favail < 8);
}

/* Why the app's end is a failure; SR_OK when it is none. */
static sr_status judge_end(struct room *r, struct sr_err *err) {
    const struct app_end *e = &r->end;
    uint64_t memory = r->begin.memory_bytes / MIB, disk = r->begin.disk_bytes / MIB;
    const char *full = disk_is_full() ? "; its disk was full" : "";
    uint32_t seconds = r->task.seconds < r->begin.seconds ? r->task.seconds : r->begin.seconds;
    switch (e->how) {
    case APP_EXITED:
        if (e->code == 0) return SR_OK;
        sr_hint(err, "its last output is kept with the task%s", full);
        return fail_task(
            r, "APP_COMPUTE_FAILED", BLAME_APP,
            sr_fail(err, SR_E_TASK, "the app ended with exit code %u%s", e->code, full));
    case APP_SIGNALLED:
        return fail_task(r, "APP_COMPUTE_FAILED", BLAME_APP,
                         sr_fail(err, SR_E_TASK, "the app was ended by signal %u (%s)%s%s", e->code,
                                 strsignal((int)e->code), full,
                                 e->code == SIGXFSZ   ? "; it wrote more than its disk holds"
                                 : e->code == SIGKILL ? "; by the kernel: its memory was used up"
                                                      : ""));
    case APP_TIMED_OUT:
        return fail_task(r, "APP_COMPUTE_TIMEOUT", BLAME_APP,
                         sr_fail(err, SR_E_TASK,
                                 "the app ran longer than its %u seconds and was stopped",
                                 seconds));
    case APP_MEMORY:
        return fail_task(r, "APP_COMPUTE_FAILED", BLAME_APP,
                         sr_fail(err, SR_E_TASK,
                                 "the app used more memory than its %llu MiB and was stopped",
                                 (unsigned long long)memory));
    case APP_ABANDONED: break;
    }
    (void)disk;
    r->gone = true;
    return sr_fail(err, SR_E_CANCELLED, "the worker has gone");
}

static sr_status watch(struct room *r, struct app_proc *p, struct egress *net, struct sr_err *err) {
    struct watch_limits w = {.memory_bytes = r->begin.memory_bytes,
                             .seconds = r->task.seconds < r->begin.seconds ? r->task.seconds
                                                                           : r->begin.seconds,
                             .stream_fd = r->fd,
                             .egress = net};
    sr_status st = room_send(r, DOOR_RUNNING, slice_of(NULL, 0), err);
    if (st != SR_OK) {
        app_drop(p);
        return st;
    }
    st = app_watch(p, &w, &r->end, err);
    r->egress = egress_count(net);
    if (st != SR_OK) return fail_task(r, "APP_COMPUTE_FAILED", BLAME_HOST, st);
    return judge_end(r, err);
}

/* No list, no network: neither a resolver nor anything that listens. */
static sr_status connect_app(struct room *r, struct egress **ret, struct sr_err *err) {
    const struct oci_strings *list = &oci_config(r->image)->egress;
    *ret = NULL;
    if (list->n == 0) return SR_OK;
    cleanup_close int root = open(JAIL_APP_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return sr_fail(err, SR_E_SYS, "opening the image's folder");
    jail_as_app(&r->jail);
    sr_status st = egress_resolver_file(root, err);
    jail_as_room();
    return st == SR_OK ? egress_new(r, list, ret, err) : st;
}

static sr_status run(struct room *r, const struct app_spec *spec, struct sr_err *err) {
    struct app_proc p;
    struct egress *net = NULL;
    sr_status st = connect_app(r, &net, err);
    if (st == SR_OK) st = app_start(&r->jail, spec, &p, err);
    if (st != SR_OK) {
        egress_free(net);
        return fail_task(r, "APP_COMPUTE_FAILED", st == SR_E_TASK ? BLAME_APP : BLAME_HOST, st);
    }
    st = watch(r, &p, net, err);
    egress_free(net);
    return st;
}

sr_status stage_app(struct room *r, struct sr_err *err) {
    struct words argv = {0}, env = {0};
    const struct oci_config *c = oci_config(r->image);
    sr_status st = command_line(r, &argv, err);
    if (st != SR_OK) st = fail_task(r, "APP_COMPUTE_FAILED", BLAME_REQUESTER, st);
    if (st == SR_OK && (st = app_environment(&r->task, c->env.v, &env, err)) != SR_OK)
        st = fail_task(r, "APP_COMPUTE_FAILED", BLAME_HOST, st);
    if (st == SR_OK) {
        struct app_spec spec = {.argv = argv.v,
                                .envp = env.v,
                                .workdir = c->workdir,
                                .processes = r->begin.processes,
                                .file_bytes = r->begin.disk_bytes};
        st = run(r, &spec, err);
    }
    words_done(&env);
    words_done(&argv);
    return st;
}
