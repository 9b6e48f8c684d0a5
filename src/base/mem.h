/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.h - memory that a long-lived process no longer needs
 *
 * Depends on: the C library.  Used by: the roles, the vault.
 */
#pragma once

/*
 * mem_settle - gives back to the kernel what can be had again: unused heap, and the pages of code
 * and constant tables (libraries' too) that were touched so far
 *
 * Starting a process touches several megabytes that are never used again: relocations, tables of
 * names, initialisers. What is still used comes back from the page cache, a microsecond a page: for
 * the end of a start, or for a pause. Locked memory that is only read is unlocked (no secret is in
 * it). Never fails; any thread.
 */
void mem_settle(void);
