/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lengths and a few properties of x86-64 instructions: as much as is needed
 * to move instructions out of the way of a jump.  Pure: bytes in, facts out.
 */
#ifndef INSN_X86_64_H
#define INSN_X86_64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX 15u

#define INSN_F_REL	0x01u	/* target is relative: jmp, jcc, call, loop, xbegin */
#define INSN_F_JUMP	0x02u	/* jmp, direct or not */
#define INSN_F_CALL	0x04u	/* call, direct or not */
#define INSN_F_RET	0x08u	/* ret, iret */
#define INSN_F_TRAP	0x10u	/* syscall, sysenter, int, int3, ud2, hlt */
#define INSN_F_RIPREL	0x20u	/* memory operand relative to rip */
#define INSN_F_SYSCALL	0x40u	/* 0f 05 */

struct insn {
	uint8_t len;
	uint8_t flags;		/* INSN_F_* */
	uint8_t disp_at;	/* offset of the 32-bit displacement (INSN_F_RIPREL) */
	uint8_t rel_size;	/* bytes of the relative target, which is at the end: 1 or 4 */
	int32_t rel;
};

/* 0; -ENODATA where n bytes are not enough; -EINVAL for what is no instruction
 * of 64-bit mode or one that this decoder refuses to judge. */
int insn_decode(const uint8_t *p, size_t n, struct insn *out);

/* True where it may run at another address (after insn_relocate). */
static inline bool insn_movable(const struct insn *in)
{
	return !(in->flags & (INSN_F_REL | INSN_F_JUMP | INSN_F_CALL | INSN_F_RET | INSN_F_TRAP));
}

/* Copy one movable instruction from address from to address to; the rip-relative
 * displacement is adjusted.  Its length, or -ERANGE where it does not reach. */
int insn_relocate(const uint8_t *p, const struct insn *in, uint64_t from, uint64_t to, uint8_t *out);

/* Length of the instruction that ends at p[at], found by decoding from many
 * earlier starts and taking the answer on which nearly all agree (x86 code
 * synchronises itself); 0 where there is no such agreement. */
unsigned insn_before(const uint8_t *p, size_t at);

/* True where some byte of p[0..n) could begin a relative branch to an address
 * in [lo, hi); p[0] is at address base.  Errs on the side of true. */
bool insn_branch_into(const uint8_t *p, size_t n, uint64_t base, uint64_t lo, uint64_t hi);

#endif
