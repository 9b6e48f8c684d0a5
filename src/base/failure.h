/* SPDX-License-Identifier: Apache-2.0 */
/* failure.h - the failure catalogue as names that the compiler checks. Used by: sdk, cli. */
#pragma once
#include "base/status.h"
#include <strongroom/failure.h>

#define FAILURE(code, stage, party, retry, cause, next) SR_F_##code,
typedef enum {
#include <strongroom/failure.def>
    SR_F_COUNT
} sr_failure_id;
#undef FAILURE

/* Says which failure of the catalogue this is; the first one stays. Call before the failure is
 * returned; the catalogue's next step is the hint unless a better one was or is given. */
void sr_why(struct sr_err *e, sr_failure_id id);
/* The same by the code's text ("CODE" or "CODE: words"); an unknown one leaves *e as it is. */
void sr_why_text(struct sr_err *e, const char *text);
/* The hint of *e: its own, else the catalogue's; "" when there is none. */
const char *sr_err_next(const struct sr_err *e);
