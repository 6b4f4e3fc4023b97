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

enum seccomp_verdict { SECCOMP_PASS, SECCOMP_STOP, SECCOMP_STOP_IF };

/* What happens to a number.  SECCOMP_STOP_IF: where the low word of an argument is one of values, or,
 * with bits, has a bit of values[0]; the kernel takes commands and protections as such. */
struct seccomp_rule {
	uint8_t verdict;	/* enum seccomp_verdict */
	uint8_t arg;
	uint8_t nvalues;
	bool bits;
	uint32_t values[3];
};
extern const struct seccomp_rule seccomp_pass, seccomp_stop;

struct seccomp_filter {
	struct sock_filter *insns;
	unsigned count, cap;
};

typedef const struct seccomp_rule *(*seccomp_rule_fn)(void *ctx, int abi, int nr);
/* rule(ctx, abi, nr) is asked for every number of every ABI of this machine; what it returns is not
 * NULL and lasts as long as the call.  What has another architecture, or a number outside the tables, stops.
 * 0, -ENOMEM, -E2BIG. */
int seccomp_filter_init(struct seccomp_filter *f, seccomp_rule_fn rule, void *ctx);
void seccomp_filter_fini(struct seccomp_filter *f);
/* For the calling process; async-signal-safe.  Without the privilege sets
 * NO_NEW_PRIVS first.  0 or -errno. */
int seccomp_filter_set(const struct seccomp_filter *f);

#endif
