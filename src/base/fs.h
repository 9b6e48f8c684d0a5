/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs.h - files and folders, with errors a user can act on
 *
 * Depends on: buf.  Blocks: yes (call from a thread, or for small files only, where a loop runs).
 */
#pragma once
#include "base/buf.h"

/* Appends the whole file to b (bounded by b->max). SR_E_NOTFOUND, SR_E_TOOBIG, SR_E_SYS. */
SR_CHECK sr_status fs_read(const char *path, struct buf *b, struct sr_err *err);
/* Writes a new file beside it, fsyncs, renames over path, fsyncs the folder: all or nothing, also
 * in a crash. */
SR_CHECK sr_status fs_write_atomic(const char *path, struct slice data, unsigned mode,
                                   struct sr_err *err);
SR_CHECK sr_status fs_mkdirs(const char *path, unsigned mode,
                             struct sr_err *err); /* like mkdir -p */
/* Removes a folder and all in it, never following links, of any depth; a missing one is fine. */
SR_CHECK sr_status fs_remove_tree(const char *path, struct sr_err *err);
bool fs_exists(const char *path);
bool fs_is_dir(const char *path);
/* All n bytes or an error; EINTR is handled. */
SR_CHECK sr_status fd_write_all(int fd, const void *p, size_t n, struct sr_err *err);
SR_CHECK sr_status fd_read_full(int fd, void *p, size_t n,
                                struct sr_err *err); /* SR_E_MALFORMED when it ends early */
/* "dir/name", owned (free); NULL when out of memory. */
char *path_join(const char *dir, const char *name) SR_CHECK;
