/* SPDX-License-Identifier: Apache-2.0 */
/* deploy_int.h - the recipe from inside: JSON values, checked as a whole when it was parsed */
#pragma once
#include "deploy/deploy.h"

struct deploy_recipe {
    struct json *doc;
    const struct json_val *steps, *codes, *checks;
    struct hash hash; /* of the text: another build is another recipe */
};

/* The bytes of hex with the addresses of the book at their places. Appends. SR_E_NOTFOUND names
 * whom the book lacks. */
SR_CHECK sr_status recipe_fill(const struct json_val *hex, const struct json_val *puts,
                               const struct deploy_book *book, struct buf *ret, struct sr_err *err);
/* The data of a step, whatever its kind. */
SR_CHECK sr_status recipe_step_data(const struct json_val *step, const struct deploy_book *book,
                                    struct buf *ret, struct sr_err *err);
/* Has the book whom the step needs? */
bool recipe_step_ready(const struct json_val *step, const struct deploy_book *book);
