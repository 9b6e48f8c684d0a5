/* SPDX-License-Identifier: Apache-2.0 */
/* base.h - the whole ground floor in one include */
#pragma once
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/status.h"
#include "base/u256.h"
