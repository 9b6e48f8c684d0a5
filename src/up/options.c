/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the flags of up, down and status */
#include "up/up_int.h"
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "usage: strongroom up     [--dir DIR] [--port BASE] [--json] [--detach]\n"
    "                         [--workers N] [--egress-loopback NAMES]\n"
    "       strongroom down   [--dir DIR] [--json]\n"
    "       strongroom status [--dir DIR] [--json]\n"
    "DIR is $STRONGROOM_DIR, else ~/.strongroom. BASE (8545) is the chain's port, the other "
    "services\n"
    "take the next ones; 0: any free ports. N: 1 to 4 (1). NAMES (commas between them), where an "
    "app's image "
    "lists them, lead to "
    "this\n"
    "machine, so that an app can be tried with a server of one's own.\n";

static char *absolute(const char *path) {
    if (path[0] == '/') return slice_dup(slice_str(path));
    char *here = getcwd(NULL, 0);
    char *all = here ? path_join(here, path) : NULL;
    free(here);
    return all;
}

static sr_status default_dir(char **ret_dir, struct sr_err *err) {
    const char *dir = getenv("STRONGROOM_DIR"), *home = getenv("HOME");
    if (dir && dir[0]) {
        *ret_dir = absolute(dir);
    } else if (home && home[0] == '/') {
        *ret_dir = path_join(home, ".strongroom");
    } else {
        sr_hint(err, "give --dir DIR, or set STRONGROOM_DIR");
        return sr_fail(err, SR_E_USAGE, "no folder for the network: HOME is not set");
    }
    return *ret_dir ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

static sr_status wrong(struct sr_err *err, const char *what, const char *arg) {
    sr_hint(err, "strongroom up --help shows the flags");
    return sr_fail(err, SR_E_USAGE, "%s '%.80s'", what, arg);
}

static sr_status parse_one(int argc, char **argv, int *i, struct up_options *o,
                           struct sr_err *err) {
    const char *a = argv[*i], *v = NULL;
    bool up = strcmp(o->word, "up") == 0;
    if (strcmp(a, "--json") == 0) {
        o->json = true;
        return SR_OK;
    }
    if (strcmp(a, "--detach") == 0 && up) {
        o->detach = true;
        return SR_OK;
    }
    static const char loopback[] = "--egress-loopback";
    if (up && slice_starts(slice_str(a), loopback)) {
        const char *names = a + sizeof loopback - 1;
        if (names[0] == 0)
            names = *i + 1 < argc ? argv[++*i] : "=";
        else if (names[0] != '=')
            return wrong(err, "unknown flag", a);
        o->egress_loopback = names[0] == '=' ? names + 1 : names;
        return o->egress_loopback[0] ? SR_OK : wrong(err, "no value after", a);
    }
    bool dir = slice_starts(slice_str(a), "--dir"), port = slice_starts(slice_str(a), "--port");
    bool workers = slice_starts(slice_str(a), "--workers");
    const char *rest = a + (dir ? 5 : workers ? 9 : 6);
    if ((!dir && !((port || workers) && up)) || (rest[0] != 0 && rest[0] != '='))
        return wrong(err, "unknown flag", a);
    if (rest[0] == '=')
        v = rest + 1;
    else if (*i + 1 < argc)
        v = argv[++*i];
    if (!v || !v[0]) return wrong(err, "no value after", a);
    if (dir) {
        free(o->dir);
        o->dir = absolute(v);
        return o->dir ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    uint64_t base;
    if (workers) {
        if (!num_u64(slice_str(v), UP_WORKERS, &base) || base == 0)
            return wrong(err, "not 1 to 4 workers:", v);
        o->workers = (unsigned)base;
        return SR_OK;
    }
    if (!num_u64(slice_str(v), 65535 - PORT_COUNT, &base)) return wrong(err, "not a port:", v);
    o->base = (uint16_t)base;
    return SR_OK;
}

sr_status up_parse(int argc, char **argv, struct up_options *ret, struct sr_err *err) {
    struct up_options o = {.word = argv[0], .base = UP_PORT, .workers = 1};
    sr_status st = SR_OK;
    for (int i = 1; i < argc && st == SR_OK; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            (void)fputs(usage, stdout);
            free(o.dir);
            exit(0);
        }
        st = parse_one(argc, argv, &i, &o, err);
    }
    if (st == SR_OK && !o.dir) st = default_dir(&o.dir, err);
    if (st != SR_OK) {
        free(o.dir);
        o.dir = NULL;
    }
    *ret = o; /* also after a failure: --json says how to complain */
    return st;
}
