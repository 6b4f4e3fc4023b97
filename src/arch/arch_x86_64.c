/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86-64 and the i386 programs that it runs.  Pure functions over register
 * values, no state; called by the supervisor.
 *
 * Sources: arch/x86/entry/calling.h (which register is which argument),
 * include/uapi/linux/audit.h (AUDIT_ARCH_*), arch/x86/include/uapi/asm/unistd.h
 * (the x32 bit).
 */
#include "config.h"
#include "arch/arch.h"
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>

#define X32_BIT 0x40000000u

static int x86_abi_of(uint32_t audit_arch, uint64_t nr)
{
	if (audit_arch == AUDIT_ARCH_I386)
		return TRACER_ABI_I386;
	if (audit_arch != AUDIT_ARCH_X86_64)
		return -ENOTSUP;
	/* -1 (a call that a filter or debugger cancelled) has the bit as well */
	if (nr & X32_BIT && (int64_t)nr >= 0)
		return -ENOTSUP;
	return TRACER_ABI_X86_64;
}

static uint32_t x86_audit_of(int abi)
{
	if (abi == TRACER_ABI_X86_64)
		return AUDIT_ARCH_X86_64;
	return abi == TRACER_ABI_I386 ? AUDIT_ARCH_I386 : 0;
}

static void x86_call_load(const struct arch_regs *regs, int abi, struct arch_call *out)
{
	const struct user_regs_struct *r = &regs->r;

	out->abi = abi;
	out->nr = (int)r->orig_rax;
	if (abi == TRACER_ABI_I386) {
		const uint64_t args[] = { r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp };

		for (unsigned i = 0; i < TRACER_ARGS_MAX; i++)
			out->args[i] = (uint32_t)args[i];
	} else {
		const uint64_t args[] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

		for (unsigned i = 0; i < TRACER_ARGS_MAX; i++)
			out->args[i] = args[i];
	}
}

static void x86_call_set(struct arch_regs *regs, const struct arch_call *call)
{
	struct user_regs_struct *r = &regs->r;

	r->orig_rax = (unsigned long long)(long long)call->nr;
	if (call->abi == TRACER_ABI_I386) {
		r->rbx = call->args[0];
		r->rcx = call->args[1];
		r->rdx = call->args[2];
		r->rsi = call->args[3];
		r->rdi = call->args[4];
		r->rbp = call->args[5];
	} else {
		r->rdi = call->args[0];
		r->rsi = call->args[1];
		r->rdx = call->args[2];
		r->r10 = call->args[3];
		r->r8 = call->args[4];
		r->r9 = call->args[5];
	}
}

/* The code segment of 32-bit programs (arch/x86/include/asm/segment.h, __USER32_CS). */
static unsigned x86_word(const struct arch_regs *regs)
{
	return regs->r.cs == 0x23 ? 4 : 8;
}

static uint64_t x86_tls(const struct arch_regs *regs)
{
	return regs->r.fs_base;
}

static uint64_t x86_ip(const struct arch_regs *regs)
{
	return regs->r.rip;
}

static uint64_t x86_sp(const struct arch_regs *regs)
{
	return regs->r.rsp;
}

static int64_t x86_ret(const struct arch_regs *regs)
{
	return (int64_t)regs->r.rax;
}

static void x86_set_ip(struct arch_regs *regs, uint64_t ip)
{
	regs->r.rip = ip;
}

static void x86_set_sp(struct arch_regs *regs, uint64_t sp)
{
	regs->r.rsp = sp;
}

static void x86_set_ret(struct arch_regs *regs, int64_t ret)
{
	regs->r.rax = (unsigned long long)ret;
}

static bool x86_in_call(const struct arch_regs *regs)
{
	return (int64_t)regs->r.orig_rax >= 0;
}

static void x86_set_no_restart(struct arch_regs *regs)
{
	regs->r.orig_rax = (unsigned long long)-1ll;
}

const struct arch arch_x86_64 = {
	.name = "x86_64",
	.abi = TRACER_ABI_X86_64,
	.elf_machine = EM_X86_64,
	.insn_len = 2,
	.insn = { 0x0f, 0x05 },
	.abi_of = x86_abi_of,
	.audit_of = x86_audit_of,
	.call_load = x86_call_load,
	.call_set = x86_call_set,
	.word = x86_word,
	.tls = x86_tls,
	.ip = x86_ip,
	.sp = x86_sp,
	.ret = x86_ret,
	.set_ip = x86_set_ip,
	.set_sp = x86_set_sp,
	.set_ret = x86_set_ret,
	.in_call = x86_in_call,
	.set_no_restart = x86_set_no_restart,
};
