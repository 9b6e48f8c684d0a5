/* SPDX-License-Identifier: Apache-2.0 */
/* fiber_switch.h - a machine context: prepare one, leave one for another */
#pragma once
#include <stddef.h>

#if !defined(NET_UCONTEXT) && (defined(__x86_64__) || defined(__aarch64__))
struct machine {
    void *sp;
};
#else
#include <ucontext.h>
struct machine {
    ucontext_t uc;
};
#endif

/* A context that will run entry (which never returns) on the given stack. */
void machine_init(struct machine *m, void *stack, size_t n, void (*entry)(void));
/* Saves the running context in *from and continues *to. */
void machine_switch(struct machine *from, struct machine *to);
