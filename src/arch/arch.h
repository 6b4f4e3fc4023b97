/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between processors, as seen from outside of a tracee: which
 * ABI a call belongs to, where its number, arguments and result lie in the
 * registers, what the instruction looks like.  Constant, no state.
 */
#ifndef ARCH_H
#define ARCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>
#include <tracer/event.h>

/* General registers as PTRACE_GETREGS fills them (on x86-64 the 64-bit layout
 * for 32-bit tracees, too). */
struct arch_regs {
	struct user_regs_struct r;
};

struct arch_call {
	int abi;			/* enum tracer_abi */
	int nr;
	uint64_t args[TRACER_ARGS_MAX];
};

#define ARCH_INSN_MAX 8u

struct arch {
	const char *name;
	int abi;			/* native ABI */
	uint16_t elf_machine;		/* EM_* of native programs */
	uint8_t insn_len;		/* of the system call instruction */
	uint8_t insn[ARCH_INSN_MAX];

	/* ABI of a call from AUDIT_ARCH_* and the number as the kernel reports
	 * them; -ENOTSUP for one that is not supported (x32). */
	int (*abi_of)(uint32_t audit_arch, uint64_t nr);
	/* AUDIT_ARCH_* of an ABI, 0 for one of another processor. */
	uint32_t (*audit_of)(int abi);
	/* The call that the registers describe at its entry, or anywhere before
	 * it has returned. */
	void (*call_load)(const struct arch_regs *regs, int abi, struct arch_call *out);
	void (*call_set)(struct arch_regs *regs, const struct arch_call *call);

	unsigned (*word)(const struct arch_regs *regs);	/* bytes of a pointer of the code that runs */
	uint64_t (*tls)(const struct arch_regs *regs);	/* thread pointer */
	uint64_t (*ip)(const struct arch_regs *regs);
	uint64_t (*sp)(const struct arch_regs *regs);
	int64_t (*ret)(const struct arch_regs *regs);
	void (*set_ip)(struct arch_regs *regs, uint64_t ip);
	void (*set_sp)(struct arch_regs *regs, uint64_t sp);
	void (*set_ret)(struct arch_regs *regs, int64_t ret);
	/* Inside a call (the kernel may still restart it on the way out). */
	bool (*in_call)(const struct arch_regs *regs);
	/* The kernel shall not restart anything on the way out. */
	void (*set_no_restart)(struct arch_regs *regs);
};

extern const struct arch arch_x86_64;

static inline const struct arch *arch_native(void)
{
	return &arch_x86_64;
}

/* Kernel-internal results that a tracer sees at the exit of a call that will
 * be restarted (include/linux/errno.h). */
#define ARCH_ERESTARTSYS 512
#define ARCH_ERESTARTNOINTR 513
#define ARCH_ERESTARTNOHAND 514
#define ARCH_ERESTART_RESTARTBLOCK 516

static inline bool arch_restarts(int64_t ret)
{
	return ret == -ARCH_ERESTARTSYS || ret == -ARCH_ERESTARTNOINTR || ret == -ARCH_ERESTARTNOHAND ||
	       ret == -ARCH_ERESTART_RESTARTBLOCK;
}

/* Bytes of a pointer in an ABI. */
static inline unsigned arch_wordsize(int abi)
{
	return abi == TRACER_ABI_I386 ? 4 : 8;
}

#endif
