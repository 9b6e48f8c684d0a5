/* SPDX-License-Identifier: Apache-2.0 */
/* template.h - the files of a new app (iapps/templates), and how they become a project's */
#pragma once
#include "base/base.h"

struct template {
    const char *name, *text;
};
extern const struct template templates[]; /* ends with a NULL name */

struct template_value { /* NULL value: a name that is not there; "%if name" is then false */
    const char *name, *value;
};
/*
 * template_fill - one template's text
 *
 * Lines "%if NAME", "%else", "%end" (nested at most 8 deep) keep or drop what is between; "%NAME%"
 * becomes the value. values ends with a NULL name. SR_E_NOTFOUND: no template of that name.
 */
SR_CHECK sr_status template_fill(const char *name, const struct template_value *values,
                                 struct buf *ret, struct sr_err *err);
