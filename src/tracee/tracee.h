/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptrace's requests, one function each, and the waiting for what they bring.
 * Only the supervisor thread may call them: the kernel refuses all others.
 * Everything returns 0 (or a length) or -errno; -ESRCH means that the task is
 * dead or not stopped, and is never an error by itself: its death is on the
 * way.
 */
#ifndef TRACEE_H
#define TRACEE_H

#include <linux/ptrace.h>	/* never together with sys/ptrace.h: they clash */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include "arch/arch.h"

/* Every tracee of ours has these. */
#define TRACEE_OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC)
#define TRACEE_OPTIONS_FOLLOW (PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK)

/* How a stopped task goes on. */
enum tracee_resume {
	TRACEE_CONT = PTRACE_CONT,
	TRACEE_STEP = PTRACE_SINGLESTEP,
	TRACEE_CALL = PTRACE_SYSCALL	/* to the next entry or exit of a call */
};

int tracee_seize(pid_t tid, unsigned long options);
int tracee_interrupt(pid_t tid);
int tracee_listen(pid_t tid);
int tracee_resume(pid_t tid, enum tracee_resume how, int sig);
int tracee_detach(pid_t tid, int sig);

/* Filled bytes of info (what PTRACE_GET_SYSCALL_INFO has to tell), or -errno. */
int tracee_call_load(pid_t tid, struct ptrace_syscall_info *info);
int tracee_message_load(pid_t tid, unsigned long *message);
int tracee_siginfo_load(pid_t tid, siginfo_t *info);
int tracee_regs_load(pid_t tid, struct arch_regs *regs);
int tracee_regs_set(pid_t tid, const struct arch_regs *regs);
int tracee_mask_load(pid_t tid, uint64_t *mask);
int tracee_mask_set(pid_t tid, uint64_t mask);

/* Waits for any tracee (tid -1) or one, of this thread alone: children of other
 * threads stay theirs.  *usage, where wanted, is that of a dead process.
 * The tid, 0 where nothing is there and wait is false, -EINTR, -ECHILD. */
pid_t tracee_wait(pid_t tid, int *status, bool wait, struct rusage *usage);

#endif
