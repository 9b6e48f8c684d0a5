/* SPDX-License-Identifier: Apache-2.0 */
/*
 * project.h - an app's folder: found, adopted, built, and what it was deployed as
 *
 * A project has app.json. One of the official generator (iapp.config.json, Dockerfile, src/) gets
 * an app.json of its own on first use, and stays what it was.
 *
 * Used by: app init, test, build, deploy, run.
 */
#pragma once
#include "cli/cli_int.h"
#include "oci/oci.h"

/* The project of a folder: there or above it. *ret_dir owned. SR_E_NOTFOUND with a hint. */
SR_CHECK sr_status project_find(const char *start, char **ret_dir, struct sr_err *err);
/* Runs app.json's "build" command, if it has one. Its output goes to stderr. */
SR_CHECK sr_status project_make(struct cli *c, const char *dir, struct sr_err *err);
/* Packs it. *ret is owned: oci_built_done. */
SR_CHECK sr_status project_pack(const char *dir, const char *archive, struct oci_built *ret,
                                struct sr_err *err);
/* cache/deployments.json: the newest first. Address of the newest, owned; NULL when there is none.
 */
char *project_deployed(const char *dir) SR_CHECK;
SR_CHECK sr_status project_note_deployed(const char *dir, const struct sr_app *app,
                                         struct sr_err *err);
/* The app that a word of the user means: of a folder ("." or with a "/"), what was deployed from it
 * last, in *ret_owned (free); any other word is itself. SR_E_NOTFOUND with a hint. */
SR_CHECK sr_status project_app(const char *word, const char **ret_app, char **ret_owned,
                               struct sr_err *err);
/* app.json as JSON, owned. */
SR_CHECK sr_status project_json(const char *dir, struct json **ret, struct sr_err *err);
