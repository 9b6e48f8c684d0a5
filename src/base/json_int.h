/* SPDX-License-Identifier: Apache-2.0 */
/* json_int.h - what the JSON reader and writer share */
#pragma once
#include "base/json.h"

/* Length of the UTF-8 character at p (p < end), 0 when it is not one: overlong, surrogate, cut,
 * above U+10FFFF. */
size_t json_utf8_len(const uint8_t *p, const uint8_t *end);
