/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles a selection of calls into a seccomp-BPF program: per architecture
 * a binary search over the ranges of wanted and unwanted numbers.  Pure but
 * for seccomp_filter_set(), which the forked child runs.
 *
 * Source: Documentation/userspace-api/seccomp_filter.rst; a conditional jump
 * of classic BPF reaches 255 instructions, an unconditional one all.
 */
#include "config.h"
#include "engine/seccomp_filter.h"
#include "arch/arch.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NUMBERS 1024u	/* as ENGINE_CALLS_MAX */

/* Numbers from start on (up to the next range) have this fate. */
struct range {
	uint32_t start;
	const struct seccomp_rule *rule;
};

const struct seccomp_rule seccomp_pass = { .verdict = SECCOMP_PASS }, seccomp_stop = { .verdict = SECCOMP_STOP };

static int insn_add(struct seccomp_filter *f, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (f->count == f->cap) {
		unsigned cap = f->cap ? f->cap * 2 : 256;
		struct sock_filter *p;

		if (cap > BPF_MAXINSNS)
			return -E2BIG;
		p = realloc(f->insns, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		f->insns = p;
		f->cap = cap;
	}
	f->insns[f->count++] = (struct sock_filter){ code, jt, jf, k };
	return 0;
}

static unsigned ranges_make(struct range *out, int abi, seccomp_rule_fn rule, void *ctx)
{
	unsigned n = 0;

	for (uint32_t nr = 0; nr < NUMBERS; nr++) {
		const struct seccomp_rule *r = rule(ctx, abi, (int)nr);

		if (!n || out[n - 1].rule != r)
			out[n++] = (struct range){ nr, r };
	}
	/* not in any table: stop and look */
	if (out[n - 1].rule->verdict != SECCOMP_STOP)
		out[n++] = (struct range){ NUMBERS, &seccomp_stop };
	return n;
}

/* The low word is the first one on the machines that we know. */
static int condition_add(struct seccomp_filter *f, const struct seccomp_rule *r)
{
	uint32_t at = offsetof(struct seccomp_data, args) + r->arg * (uint32_t)sizeof(uint64_t);
	int err = insn_add(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, at);

	for (unsigned i = 0; !err && i < r->nvalues; i++)
		err = insn_add(f, BPF_JMP | (r->bits ? BPF_JSET : BPF_JEQ) | BPF_K, (uint8_t)(r->nvalues - i), 0,
			       r->values[i]);
	return err ? err : insn_add(f, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
}

static int rule_add(struct seccomp_filter *f, const struct seccomp_rule *r)
{
	int err = r->verdict == SECCOMP_STOP_IF ? condition_add(f, r) : 0;

	if (err)
		return err;
	return insn_add(f, BPF_RET | BPF_K, 0, 0, r->verdict == SECCOMP_PASS ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRACE);
}

static int tree_add(struct seccomp_filter *f, const struct range *r, unsigned n)
{
	unsigned half = n / 2, jump;
	int err;

	if (n == 1)
		return rule_add(f, r->rule);
	/* nr >= start of the upper half: go there, over the lower half */
	err = insn_add(f, BPF_JMP | BPF_JGE | BPF_K, 0, 1, r[half].start);
	jump = f->count;
	if (!err)
		err = insn_add(f, BPF_JMP | BPF_JA, 0, 0, 0);
	if (!err)
		err = tree_add(f, r, half);
	if (err)
		return err;
	f->insns[jump].k = f->count - jump - 1;
	return tree_add(f, r + half, n - half);
}

static int abi_add(struct seccomp_filter *f, int abi, uint32_t audit, seccomp_rule_fn rule, void *ctx)
{
	struct range ranges[NUMBERS + 1];
	unsigned n = ranges_make(ranges, abi, rule, ctx), jump;
	int err;

	err = insn_add(f, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, audit);
	jump = f->count;
	if (!err)
		err = insn_add(f, BPF_JMP | BPF_JA, 0, 0, 0);
	if (!err)
		err = insn_add(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	if (!err)
		err = tree_add(f, ranges, n);
	if (!err)
		f->insns[jump].k = f->count - jump - 1;
	return err;
}

int seccomp_filter_init(struct seccomp_filter *f, seccomp_rule_fn rule, void *ctx)
{
	const struct arch *arch = arch_native();
	int err;

	*f = (struct seccomp_filter){ 0 };
	err = insn_add(f, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	for (int abi = 0; !err && abi < TRACER_ABIS; abi++) {
		if (arch->audit_of(abi))
			err = abi_add(f, abi, arch->audit_of(abi), rule, ctx);
	}
	if (!err)
		err = insn_add(f, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRACE);
	if (err)
		seccomp_filter_fini(f);
	return err;
}

void seccomp_filter_fini(struct seccomp_filter *f)
{
	free(f->insns);
	*f = (struct seccomp_filter){ 0 };
}

int seccomp_filter_set(const struct seccomp_filter *f)
{
	struct sock_fprog prog = { .len = (unsigned short)f->count, .filter = f->insns };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0)
		return 0;
	if (errno != EACCES)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return -errno;
	return 0;
}
