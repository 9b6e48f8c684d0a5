/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - durations from CLOCK_MONOTONIC in microseconds, dates from CLOCK_REALTIME in
 * milliseconds */
#pragma once
#include <stdint.h>

int64_t clock_mono_us(void);
uint64_t clock_unix_ms(void);
