/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - what an iApp was given: protected data (one, or a bulk), input files, secrets; and
 * where its result goes
 *
 * Protected data is one leaf: "file" (as `strongroom data protect FILE` makes it), else the first
 * one that is no rules leaf. A model (model.h) is told from a table by its first bytes.
 *
 * Depends on: base, deserializer.  Used by: train, predict, table-questions.
 * SPEC: execution.md#8-stage-environment
 */
#pragma once
#include "base/base.h"
#include "csv.h"
#include <strongroom/deserializer.h>

#define SOURCE_MAX       200u /* data sets and input files together */
#define SOURCE_RULES_MAX 65536u

struct source {
    struct sr_pd *pd;  /* protected data; NULL: an input file or a text */
    const char *leaf;  /* borrowed from pd */
    char *path;        /* an input file */
    struct slice text; /* a secret's text, borrowed from the environment */
    char name[32];     /* "data set 2", "input file 1", "secret 1": for people */
    bool is_model;
};
struct sources {
    struct source v[SOURCE_MAX];
    size_t n;
    size_t withheld; /* members of a bulk that were not released to this task */
};

#define SOURCES_INPUT_FILES 1u /* also what the requester brought: public files ... */
#define SOURCES_SECRET      2u /* ... and requester secret 1, as a table */

/*
 * sources_open - opens all there is; the caller checks whether it suffices
 *
 * SR_E_MALFORMED for protected data that is no archive or has no leaf, SR_E_NOTFOUND for an input
 * file that is named and not there. A bulk's missing members are counted.
 */
SR_CHECK sr_status sources_open(unsigned what, struct sources *ret, struct sr_err *err);
void sources_close(struct sources *s);
/* The only model among them; SR_E_USAGE with none or several. */
SR_CHECK sr_status sources_model(const struct sources *s, const struct source **ret,
                                 struct sr_err *err);
size_t sources_tables(const struct sources *s);

/* All bytes, at most max; owned by b. */
SR_CHECK sr_status source_read(const struct source *s, struct buf *b, struct sr_err *err);
/* Its rows, streamed. Errors begin with the source's name. */
SR_CHECK sr_status source_rows(const struct source *s, csv_each each, void *arg,
                               struct sr_err *err);
/* The owner's rules, a leaf "rules" or "rules_json" beside the table; SR_OK and nothing in b when
 * there are none. */
SR_CHECK sr_status source_rules(const struct source *s, struct buf *b, struct sr_err *err);

/* $IEXEC_OUT/name. */
SR_CHECK sr_status result_write(const char *name, struct slice data, struct sr_err *err);
/* computed.json: the whole folder is the result. */
SR_CHECK sr_status result_done(struct sr_err *err);
/* "PROGRAM: what happened" and the hint to stderr; the exit status 1. */
int result_failed(const char *program, const struct sr_err *err);
