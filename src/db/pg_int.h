/* SPDX-License-Identifier: Apache-2.0 */
/* pg_int.h - libpq, loaded at its first use: other roles need not carry it and what it needs */
#pragma once
#include "db/db_int.h"
#include <libpq-fe.h>

struct pq {
    __typeof__(PQbackendPID) *PQbackendPID;
    __typeof__(PQclear) *PQclear;
    __typeof__(PQcmdStatus) *PQcmdStatus;
    __typeof__(PQcmdTuples) *PQcmdTuples;
    __typeof__(PQconnectdbParams) *PQconnectdbParams;
    __typeof__(PQconninfoFree) *PQconninfoFree;
    __typeof__(PQconninfoParse) *PQconninfoParse;
    __typeof__(PQconsumeInput) *PQconsumeInput;
    __typeof__(PQdescribePrepared) *PQdescribePrepared;
    __typeof__(PQerrorMessage) *PQerrorMessage;
    __typeof__(PQexec) *PQexec;
    __typeof__(PQexecParams) *PQexecParams;
    __typeof__(PQexecPrepared) *PQexecPrepared;
    __typeof__(PQfinish) *PQfinish;
    __typeof__(PQfreemem) *PQfreemem;
    __typeof__(PQftype) *PQftype;
    __typeof__(PQgetResult) *PQgetResult;
    __typeof__(PQgetisnull) *PQgetisnull;
    __typeof__(PQgetlength) *PQgetlength;
    __typeof__(PQgetvalue) *PQgetvalue;
    __typeof__(PQisBusy) *PQisBusy;
    __typeof__(PQnfields) *PQnfields;
    __typeof__(PQnotifies) *PQnotifies;
    __typeof__(PQnparams) *PQnparams;
    __typeof__(PQntuples) *PQntuples;
    __typeof__(PQprepare) *PQprepare;
    __typeof__(PQreset) *PQreset;
    __typeof__(PQresultErrorField) *PQresultErrorField;
    __typeof__(PQresultStatus) *PQresultStatus;
    __typeof__(PQsendQuery) *PQsendQuery;
    __typeof__(PQsetNoticeProcessor) *PQsetNoticeProcessor;
    __typeof__(PQsocket) *PQsocket;
    __typeof__(PQstatus) *PQstatus;
    __typeof__(PQtransactionStatus) *PQtransactionStatus;
};
/* After a pg_connect that went well. */
const struct pq *pq(void);
/* Owned: PQfinish. */
SR_CHECK sr_status pg_connect(const char *url, PGconn **ret, struct sr_err *err);
SR_CHECK sr_status pg_fail(PGconn *c, const PGresult *res, const char *what, struct sr_err *err);
int pg_backend(const struct db *db); /* process of the server that serves it */
