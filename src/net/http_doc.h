/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_doc.h - what a service's routes take and give, for its /openapi.json
 *
 * Routes come from the server's table, so none is missing; what a row here says of one is added:
 * parameters, body, answers. Small languages in the strings keep a row on a line or two.
 *
 * Depends on: net.  Used by: the roles with an HTTP server.
 */
#pragma once
#include "net/net.h"

struct http_doc {
    const char *route;   /* "GET /apporders": as in the table of routes */
    const char *summary; /* one line */
    /* Parameters of the query, spaces between: "pageSize:int chainId! bulkOnly:bool". "!":
     * required. One that begins with "@" is a header. NULL: none. */
    const char *params;
    const char *body;   /* "application/json Name" or a media type alone; NULL: none */
    const char *answer; /* "200 application/json Name", "200 text/plain", "204" */
    const char *errors; /* "400 403": each with the schema Error. NULL: none */
};

struct http_docs {
    const struct http_doc *docs;
    size_t n;
    const char *schemas; /* members of components.schemas, JSON; "Error" is among them */
};

/* d is borrowed for the server's life. */
void http_server_describe(struct http_server *s, const struct http_docs *d);

/* For tests: the first route of the table without a row, or a row without a route; NULL: all fit.
 */
const char *http_docs_gap(const struct http_opts *o, const struct http_docs *d);
