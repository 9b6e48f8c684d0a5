/* SPDX-License-Identifier: Apache-2.0 */
/* whitelist_int.h - the creation code of a whitelist. Used by: src/sdk/whitelist*.c */
#pragma once

extern const char whitelist_creation_code[]; /* hex, without 0x */
