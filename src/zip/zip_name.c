/* SPDX-License-Identifier: Apache-2.0 */
#include "zip/zip_int.h"

bool zip_name_ok(struct slice name, bool folder) {
    if (name.n == 0 || name.n > ZIP_NAME_MAX) return false;
    if (memchr(name.p, 0, name.n) || memchr(name.p, '\\', name.n)) return false;
    if (folder != (name.p[name.n - 1] == '/')) return false;
    struct slice seg, rest = {name.p, name.n - (folder ? 1 : 0)};
    for (bool more = true; more;) {
        more = slice_cut(rest, '/', &seg, &rest);
        if (seg.n == 0 || slice_is(seg, ".") || slice_is(seg, "..")) return false;
    }
    return true;
}
