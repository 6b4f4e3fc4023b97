/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptrace's requests.  Run on the supervisor thread; no state of their own.
 * The raw system call is used where glibc's variadic wrapper would only cost.
 */
#include "config.h"
#include "tracee/tracee.h"
#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static inline long request(long what, pid_t tid, unsigned long addr, unsigned long data)
{
	long r = syscall(SYS_ptrace, what, (long)tid, addr, data);

	return r < 0 ? -errno : r;
}

int tracee_seize(pid_t tid, unsigned long options)
{
	return (int)request(PTRACE_SEIZE, tid, 0, options);
}

int tracee_interrupt(pid_t tid)
{
	return (int)request(PTRACE_INTERRUPT, tid, 0, 0);
}

int tracee_listen(pid_t tid)
{
	return (int)request(PTRACE_LISTEN, tid, 0, 0);
}

int tracee_resume(pid_t tid, enum tracee_resume how, int sig)
{
	return (int)request(how, tid, 0, (unsigned long)sig);
}

int tracee_detach(pid_t tid, int sig)
{
	return (int)request(PTRACE_DETACH, tid, 0, (unsigned long)sig);
}

int tracee_call_load(pid_t tid, struct ptrace_syscall_info *info)
{
	return (int)request(PTRACE_GET_SYSCALL_INFO, tid, sizeof(*info), (unsigned long)info);
}

int tracee_message_load(pid_t tid, unsigned long *message)
{
	return (int)request(PTRACE_GETEVENTMSG, tid, 0, (unsigned long)message);
}

int tracee_siginfo_load(pid_t tid, siginfo_t *info)
{
	return (int)request(PTRACE_GETSIGINFO, tid, 0, (unsigned long)info);
}

int tracee_regs_load(pid_t tid, struct arch_regs *regs)
{
	return (int)request(PTRACE_GETREGS, tid, 0, (unsigned long)&regs->r);
}

int tracee_regs_set(pid_t tid, const struct arch_regs *regs)
{
	return (int)request(PTRACE_SETREGS, tid, 0, (unsigned long)&regs->r);
}

/* The kernel's sigset is 64 bits; its size goes where the address would. */
int tracee_mask_load(pid_t tid, uint64_t *mask)
{
	return (int)request(PTRACE_GETSIGMASK, tid, sizeof(*mask), (unsigned long)mask);
}

int tracee_mask_set(pid_t tid, uint64_t mask)
{
	return (int)request(PTRACE_SETSIGMASK, tid, sizeof(mask), (unsigned long)&mask);
}

pid_t tracee_wait(pid_t tid, int *status, bool wait, struct rusage *usage)
{
	long r = syscall(SYS_wait4, (long)tid, status, __WALL | __WNOTHREAD | (wait ? 0 : WNOHANG), usage);

	return r < 0 ? -errno : (pid_t)r;
}
