/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber_switch.c - changes stacks in a dozen instructions
 *
 * Only what the calling convention asks a callee to keep is saved; the signal mask is the thread's
 * and stays. Built without shadow-stack marks, as a switch returns to where it was not called from.
 */
#include "net/fiber_switch.h"
#include <stdint.h>

#if !defined(NET_UCONTEXT) && defined(__x86_64__)

void sr_machine_switch_(void **save_sp, void *load_sp);
__asm__(".text\n"
        ".p2align 4\n"
        ".globl sr_machine_switch_\n"
        ".hidden sr_machine_switch_\n"
        ".type sr_machine_switch_,@function\n"
        "sr_machine_switch_:\n"
        "  pushq %rbp\n"
        "  pushq %rbx\n"
        "  pushq %r12\n"
        "  pushq %r13\n"
        "  pushq %r14\n"
        "  pushq %r15\n"
        "  subq $8, %rsp\n"
        "  stmxcsr (%rsp)\n"
        "  fnstcw 4(%rsp)\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  ldmxcsr (%rsp)\n"
        "  fldcw 4(%rsp)\n"
        "  addq $8, %rsp\n"
        "  popq %r15\n"
        "  popq %r14\n"
        "  popq %r13\n"
        "  popq %r12\n"
        "  popq %rbx\n"
        "  popq %rbp\n"
        "  ret\n"
        ".size sr_machine_switch_, .-sr_machine_switch_\n");

void machine_init(struct machine *m, void *stack, size_t n, void (*entry)(void)) {
    uintptr_t top = ((uintptr_t)stack + n) & ~(uintptr_t)15;
    uint64_t *sp = (uint64_t *)top;
    uint32_t mxcsr;
    uint16_t cw;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(cw));
    *--sp = 0;                             /* where entry would return to */
    *--sp = (uint64_t)(uintptr_t)entry;    /* the switch's ret goes here */
    for (int i = 0; i < 6; i++) *--sp = 0; /* rbp rbx r12..r15 */
    *--sp = (uint64_t)cw << 32 | mxcsr;
    m->sp = sp;
}

void machine_switch(struct machine *from, struct machine *to) {
    sr_machine_switch_(&from->sp, to->sp);
}

#elif !defined(NET_UCONTEXT) && defined(__aarch64__)

void sr_machine_switch_(void **save_sp, void *load_sp);
__asm__(".text\n"
        ".p2align 4\n"
        ".globl sr_machine_switch_\n"
        ".hidden sr_machine_switch_\n"
        ".type sr_machine_switch_,%function\n"
        "sr_machine_switch_:\n"
        "  sub sp, sp, #176\n"
        "  stp x19, x20, [sp, #0]\n"
        "  stp x21, x22, [sp, #16]\n"
        "  stp x23, x24, [sp, #32]\n"
        "  stp x25, x26, [sp, #48]\n"
        "  stp x27, x28, [sp, #64]\n"
        "  stp x29, x30, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n"
        "  stp d10, d11, [sp, #112]\n"
        "  stp d12, d13, [sp, #128]\n"
        "  stp d14, d15, [sp, #144]\n"
        "  mov x9, sp\n"
        "  str x9, [x0]\n"
        "  mov sp, x1\n"
        "  ldp x19, x20, [sp, #0]\n"
        "  ldp x21, x22, [sp, #16]\n"
        "  ldp x23, x24, [sp, #32]\n"
        "  ldp x25, x26, [sp, #48]\n"
        "  ldp x27, x28, [sp, #64]\n"
        "  ldp x29, x30, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n"
        "  ldp d10, d11, [sp, #112]\n"
        "  ldp d12, d13, [sp, #128]\n"
        "  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #176\n"
        "  ret x30\n"
        ".size sr_machine_switch_, .-sr_machine_switch_\n");

void machine_init(struct machine *m, void *stack, size_t n, void (*entry)(void)) {
    uintptr_t top = ((uintptr_t)stack + n) & ~(uintptr_t)15;
    uint64_t *sp = (uint64_t *)(top - 176);
    for (int i = 0; i < 22; i++) sp[i] = 0;
    sp[11] = (uint64_t)(uintptr_t)entry; /* x30 */
    m->sp = sp;
}

void machine_switch(struct machine *from, struct machine *to) {
    sr_machine_switch_(&from->sp, to->sp);
}

#else

void machine_init(struct machine *m, void *stack, size_t n, void (*entry)(void)) {
    (void)getcontext(&m->uc);
    m->uc.uc_stack.ss_sp = stack;
    m->uc.uc_stack.ss_size = n;
    m->uc.uc_link = NULL;
    makecontext(&m->uc, entry, 0);
}

void machine_switch(struct machine *from, struct machine *to) {
    (void)swapcontext(&from->uc, &to->uc);
}

#endif
