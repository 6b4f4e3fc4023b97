/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnosis of a refused ptrace request.  Supervisor thread, once per
 * failure; the text is a pure function of what was found.
 *
 * Sources: ptrace(2) "Ptrace access mode checking",
 * Documentation/admin-guide/LSM/Yama.rst.
 */
#include "config.h"
#include "tracee/refusal.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAP_SYS_PTRACE_BIT 19

static int yama_scope(void)
{
	int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC), v = -1;
	char c;

	if (fd < 0)
		return -1;
	if (read(fd, &c, 1) == 1 && c >= '0' && c <= '9')
		v = c - '0';
	close(fd);
	return v;
}

bool refusal_probe_capable(void)
{
	char text[4096], *p;
	ssize_t n = proc_file_read(getpid(), "status", text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	p = strstr(text, "CapEff:");
	return p && (strtoull(p + 7, NULL, 16) >> CAP_SYS_PTRACE_BIT & 1);
}

static int thread_count(void *ctx, pid_t tid)
{
	(void)tid;
	return ++*(int *)ctx > 1;
}

void refusal_load(struct refusal *r, pid_t pid, int err, bool child)
{
	struct proc_status own;
	struct proc_stat st;
	int threads = 0;

	*r = (struct refusal){ .err = err, .our_uid = getuid(), .child = child };
	r->known = proc_status_load(pid, &r->status) == 0;
	r->self = r->known && r->status.tgid == getpid();
	r->ended = proc_stat_load(pid, &st) == 0 && (st.state == 'Z' || st.state == 'X');
	if (r->ended)
		proc_tasks_read(pid, thread_count, &threads);
	r->threads_live = threads > 1;
	r->unlisted = err == -ESRCH && !proc_own() && (kill(pid, 0) == 0 || errno == EPERM);
	r->capable = refusal_probe_capable();
	r->yama = yama_scope();
	r->filtered = proc_status_load(getpid(), &own) == 0 && own.seccomp == 2;
}

static void advice_format(const struct refusal *r, char *buf, size_t len)
{
	if (r->self)
		snprintf(buf, len, "It is tracer itself. Another tracer may trace it: tracer -- tracer ...");
	else if (r->known && r->status.tracer)
		snprintf(buf, len, "It is already traced by pid %d: a process has one tracer at a time.",
			 (int)r->status.tracer);
	else if (r->known && r->status.kernel_thread)
		snprintf(buf, len, "It is a kernel thread: it makes no system calls.");
	else if (!r->child && r->known && !r->capable && r->status.uid != r->our_uid)
		snprintf(buf, len, "It belongs to uid %u, you are uid %u: run as that user or as root.",
			 (unsigned)r->status.uid, (unsigned)r->our_uid);
	else if (r->yama == 3)
		snprintf(buf, len,
			 "kernel.yama.ptrace_scope = 3: tracing is off on this machine until a reboot.");
	else if (r->yama == 2 && !r->capable)
		snprintf(buf, len, "kernel.yama.ptrace_scope = 2: only root may trace. Run as root.");
	else if (r->yama == 1 && !r->child && !r->capable)
		snprintf(buf, len, "kernel.yama.ptrace_scope = 1: only a parent may trace. "
				   "Start it under tracer, or run as root.");
	else if (r->filtered)
		snprintf(buf, len, "A seccomp filter (container?) forbids ptrace: "
				   "allow it, e.g. docker run --cap-add SYS_PTRACE.");
	else if (!r->child && !r->capable)
		snprintf(buf, len, "It is not dumpable (set-user-ID program, or PR_SET_DUMPABLE 0), "
				   "or in another user namespace: run as root.");
	else
		snprintf(buf, len, "A security module or container forbids it.");
}

void refusal_format(const struct refusal *r, char *buf, size_t len)
{
	if (r->ended && r->threads_live)
		snprintf(buf, len,
			 "Its first thread has ended and others go on: such a process cannot be attached to. "
			 "Start it under tracer.");
	else if (r->ended)
		snprintf(buf, len, "It has ended (a zombie, whose exit status pid %d has not taken yet): "
				   "nothing is left to trace.", (int)r->status.ppid);
	else if (r->unlisted)
		snprintf(buf, len, "Its threads are listed in /proc, and here is none of our own PID namespace: "
				   "mount -t proc proc /proc");
	else if (r->err == -ESRCH)
		snprintf(buf, len,
			 "There is no such process here. Look for its number with ps -e or pgrep NAME; "
			 "to trace it from its start: tracer COMMAND.");
	else if (r->err == -EPERM || r->err == -EACCES)
		advice_format(r, buf, len);
	else
		snprintf(buf, len, "%s.", strerror(-r->err));
}
