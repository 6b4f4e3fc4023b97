/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A seccomp-BPF program that stops (RET_TRACE) the calls that are wanted and
 * lets all others through at native speed.  The traced child installs it
 * before exec; it can't be taken away again, which is why the engine uses it
 * only under the conditions of docs/LIMITS.md.
 */
#ifndef ENGINE_SECCOMP_FILTER_H
#define ENGINE_SECCOMP_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/filter.h>

struct seccomp_filter {
	struct sock_filter *insns;
	unsigned count, cap;
};

/* wanted(ctx, abi, nr) is asked for every number of every ABI of this machine.
 * What has another architecture, or a number outside the tables, stops.
 * 0, -ENOMEM, -E2BIG. */
int seccomp_filter_init(struct seccomp_filter *f, bool (*wanted)(void *ctx, int abi, int nr), void *ctx);
void seccomp_filter_fini(struct seccomp_filter *f);
/* For the calling process; async-signal-safe.  Without the privilege sets
 * NO_NEW_PRIVS first.  0 or -errno. */
int seccomp_filter_set(const struct seccomp_filter *f);

#endif
