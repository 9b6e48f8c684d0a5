/* SPDX-License-Identifier: Apache-2.0 */
/* http_client_int.h - what the websocket client takes from the HTTP client */
#pragma once
#include "net/http_wire.h"

/* A new connection to the URL's origin; failures name it. */
SR_CHECK sr_status http_connect_(const struct url *u, int64_t deadline_us, struct stream **ret,
                                 struct sr_err *err);
void http_put_target_(struct buf *b, const struct url *u); /* the path and query, "/" at least */
void http_put_host_(struct buf *b, const struct url *u);   /* the Host line */
