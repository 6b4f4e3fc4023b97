/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the kernel does not let us trace, and what to do about it.
 */
#ifndef TRACEE_REFUSAL_H
#define TRACEE_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "tracee/proc_fs.h"

/* What is known when a request was refused. */
struct refusal {
	int err;		/* negative errno of the request */
	bool known;		/* status is filled */
	struct proc_status status;	/* of the process that was to be traced */
	bool ended;		/* its first thread is a zombie ... */
	bool threads_live;	/* ... and others are not */
	bool self;		/* it is ourselves */
	bool unlisted;		/* it is there, and /proc, which would list its threads, is not ours */
	uid_t our_uid;
	bool capable;		/* we have CAP_SYS_PTRACE */
	int yama;		/* kernel.yama.ptrace_scope, -1: not there */
	bool child;		/* our own child, not an attach */
	bool filtered;		/* we run under a seccomp filter */
};

/* Do we have CAP_SYS_PTRACE? */
bool refusal_probe_capable(void);
void refusal_load(struct refusal *r, pid_t pid, int err, bool child);
/* One line of what, for a second line what to do (may be empty). Pure. */
void refusal_format(const struct refusal *r, char *buf, size_t len);

#endif
