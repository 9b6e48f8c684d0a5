/* SPDX-License-Identifier: Apache-2.0 */
/* decimal.h - a JSON number's text to the nearest double, ties to even, as JavaScript reads it */
#pragma once
#include "base/base.h"

/* text is a number by RFC 8259 (json_text of a JSON_NUMBER). False: not one, or beyond the largest
 * double. */
SR_CHECK bool decimal_to_double(struct slice text, double *ret_v);
