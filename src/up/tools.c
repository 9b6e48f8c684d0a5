/* SPDX-License-Identifier: Apache-2.0 */
/* tools.c - finds the programs and files that a network is made of */
#include "up/up_int.h"
#include <stdlib.h>
#include <unistd.h>

static bool runs(const char *path) {
    return path && access(path, X_OK) == 0 && !fs_is_dir(path);
}

static char *self_path(void) {
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return NULL;
    return slice_dup(slice_of(path, (size_t)n));
}

/* The folder of a file, owned. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slice_dup(slice_of(path, slash && slash > path ? (size_t)(slash - path) : 1));
}

/* dir/name if check says yes, owned; NULL otherwise. */
static char *look(const char *dir, const char *name, bool (*check)(const char *)) {
    char *p = up_path(dir, name);
    if (check(p)) return p;
    free(p);
    return NULL;
}

static char *find_anvil(const char *bin) {
    const char *given = getenv("STRONGROOM_ANVIL");
    if (given) return runs(given) ? slice_dup(slice_str(given)) : NULL;
    char *installed = look(bin, "../libexec/strongroom/anvil", runs);
    if (installed) return installed;
#ifdef ANVIL_PATH
    if (runs(ANVIL_PATH)) return slice_dup(slice_str(ANVIL_PATH));
#endif
    const char *path = getenv("PATH");
    struct slice rest = slice_str(path ? path : ""), dir;
    while (rest.n) {
        (void)slice_cut(rest, ':', &dir, &rest);
        cleanup_free char *d = slice_dup(dir);
        char *hit = d && d[0] == '/' ? look(d, "anvil", runs) : NULL;
        if (hit) return hit;
    }
    return NULL;
}

static sr_status missing(struct sr_err *err, const char *what, const char *hint) {
    sr_hint(err, "%s", hint);
    return sr_fail(err, SR_E_NOTFOUND, "%s is missing", what);
}

sr_status tools_find(struct up_tools *ret, struct sr_err *err) {
    struct up_tools t = {.self = self_path()};
    *ret = t;
    if (!t.self) return sr_fail(err, SR_E_SYS, "find this program's own file");
    cleanup_free char *bin = folder_of(t.self);
    if (!bin) return sr_fail(err, SR_E_NOMEM, "out of memory");
    ret->anvil = find_anvil(bin);
    ret->vault = look(bin, "strongroom-vault", runs);
    if (!ret->vault) ret->vault = look(bin, "../libexec/strongroom/strongroom-vault", runs);
    ret->room = look(bin, "room", runs);
    if (!ret->room) ret->room = look(bin, "../libexec/strongroom/room", runs);
    ret->chain_state = look(bin, "contracts/chain-state.json", fs_exists);
    if (!ret->chain_state)
        ret->chain_state = look(bin, "../share/strongroom/chain-state.json", fs_exists);
    ret->chain_info = look(bin, "contracts/chain.json", fs_exists);
    if (!ret->chain_info) ret->chain_info = look(bin, "../share/strongroom/chain.json", fs_exists);
    if (!ret->anvil)
        return missing(err, "anvil, the development chain,",
                       "run make build, or set STRONGROOM_ANVIL to the program");
    if (!ret->chain_state || !ret->chain_info)
        return missing(err, "the contracts' chain state (contracts/chain-state.json)",
                       "run make build: it compiles the contracts and makes it");
    return SR_OK;
}

void tools_done(struct up_tools *t) {
    free(t->self);
    free(t->vault);
    free(t->room);
    free(t->anvil);
    free(t->chain_state);
    free(t->chain_info);
    *t = (struct up_tools){0};
}
