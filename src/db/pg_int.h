/* SPDX-License-Identifier: Apache-2.0 */
/* pg_int.h - libpq, loaded at its first use: other roles need not carry it and what it needs */
#pragma once
#include "db/db_int.h"
#include <libpq-fe.h>

/* clang-format off: it makes stairs of such a list */
#define PQ_CALLS(X)                                                                                \
    X(PQbackendPID)                                                                                \
    X(PQclear) X(PQcmdStatus) X(PQcmdTuples) X(PQconnectdbParams) X(PQconninfoFree)                \
        X(PQconninfoParse) X(PQconsumeInput) X(PQdescribePrepared) X(PQerrorMessage) X(PQexec)     \
            X(PQexecParams) X(PQexecPrepared) X(PQfinish) X(PQfreemem) X(PQftype) X(PQgetResult)   \
                X(PQgetisnull) X(PQgetlength) X(PQgetvalue) X(PQisBusy) X(PQnfields) X(PQnotifies) \
                    X(PQnparams) X(PQntuples) X(PQprepare) X(PQreset) X(PQresultErrorField)        \
                        X(PQresultStatus) X(PQsendQuery) X(PQsetNoticeProcessor) X(PQsocket)       \
                            X(PQstatus) X(PQtransactionStatus)
/* clang-format on */
struct pq {
#define PQ_FIELD(name) __typeof__(name) *name;
    PQ_CALLS(PQ_FIELD)
#undef PQ_FIELD
};
/* After a pg_connect that went well. */
const struct pq *pq(void);
/* Owned: PQfinish. */
SR_CHECK sr_status pg_connect(const char *url, PGconn **ret, struct sr_err *err);
SR_CHECK sr_status pg_fail(PGconn *c, const PGresult *res, const char *what, struct sr_err *err);
int pg_backend(const struct db *db); /* process of the server that serves it */
