/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instruction lengths of 64-bit mode from two opcode tables (Intel SDM volume 2,
 * appendix A; AMD APM volume 3, appendix A).  Pure functions, any thread, no
 * state.  What is rare and awkward (XOP, 16-bit branches, undefined rows) is
 * refused (as are ud0 and ud1, whose length is disputed): a refusal costs one call site its patch, a wrong
 * length a program.
 */
#include "config.h"
#include "arch/insn_x86_64.h"

#include <errno.h>
#include <string.h>

enum {
	M = 0x01,	/* has a ModRM byte */
	I8 = 0x02,	/* 8-bit immediate */
	IZ = 0x04,	/* 16 or 32 bits, by operand size */
	I16 = 0x08,	/* 16-bit immediate */
	J8 = 0x10,	/* 8-bit relative target */
	JZ = 0x20,	/* 32-bit relative target */
	G = 0x40,	/* looked at by insn_special() */
	X = 0x80	/* refused */
};

#define R4(v) v, v, v, v
#define R8(v) R4(v), R4(v)
#define R16(v) R8(v), R8(v)

static const uint8_t map_one[256] = {
	/* 00 */ R4(M), I8, IZ, X, X, R4(M), I8, IZ, X, X,
	/* 10 */ R4(M), I8, IZ, X, X, R4(M), I8, IZ, X, X,
	/* 20 */ R4(M), I8, IZ, X, X, R4(M), I8, IZ, X, X,
	/* 30 */ R4(M), I8, IZ, X, X, R4(M), I8, IZ, X, X,
	/* 40 */ R16(X),
	/* 50 */ R16(0),
	/* 60 */ X, X, X, M, X, X, X, X, IZ, M | IZ, I8, M | I8, R4(0),
	/* 70 */ R16(J8),
	/* 80 */ M | I8, M | IZ, X, M | I8, R4(M), R4(M), M, M | G, M, M | G,
	/* 90 */ R8(0), 0, 0, X, 0, 0, 0, 0, 0,
	/* a0 */ R4(G), R4(0), I8, IZ, 0, 0, R4(0),
	/* b0 */ R8(I8), R8(G),
	/* c0 */ M | I8, M | I8, I16, 0, X, X, M | I8 | G, M | IZ | G, I16 | I8, 0, I16, 0, G, I8 | G, X, 0,
	/* d0 */ R4(M), X, X, X, 0, R8(M),
	/* e0 */ R4(J8), R4(I8), JZ, JZ, X, J8, R4(0),
	/* f0 */ X, G, X, X, G, 0, M | G, M | G, R4(0), 0, 0, M | G, M | G
};

static const uint8_t map_0f[256] = {
	/* 00 */ M | G, M | G, M, M, X, G, 0, G, 0, 0, X, G, X, M, 0, M | I8,
	/* 10 */ R16(M),
	/* 20 */ R4(G), R4(X), R8(M),
	/* 30 */ 0, 0, 0, 0, G, G, X, 0, X, X, X, X, R4(X),
	/* 40 */ R16(M),
	/* 50 */ R16(M),
	/* 60 */ R16(M),
	/* 70 */ R4(M | I8), R4(M), M | G, M | G, X, X, R4(M),
	/* 80 */ R16(JZ),
	/* 90 */ R16(M),
	/* a0 */ 0, 0, 0, M, M | I8, M, X, X, 0, 0, 0, M, M | I8, M, M, M,
	/* b0 */ R4(M), R4(M), M | G, X, M | I8 | G, M, R4(M),
	/* c0 */ M, M, M | I8, M, M | I8, M | I8, M | I8, M, R8(0),
	/* d0 */ R16(M),
	/* e0 */ R16(M),
	/* f0 */ R8(M), R4(M), M, M, M, X
};
_Static_assert(sizeof(map_one) == 256 && sizeof(map_0f) == 256, "complete tables");

/* The byte 77 of map_0f above is emms without ModRM; see map_0f_attr(). */

struct cursor {
	const uint8_t *p;
	size_t n;		/* bytes there, at most INSN_MAX */
	size_t at;
	bool opsize;		/* 66 */
	bool addrsize;		/* 67 */
	bool rep;		/* f3 */
	bool repne;		/* f2 */
	bool lock;
	uint8_t rex;
	bool short_data;	/* ran out of bytes */
};

static uint8_t cursor_next(struct cursor *c)
{
	if (c->at < c->n)
		return c->p[c->at++];
	c->short_data = true;
	return 0;
}

static uint8_t cursor_peek(struct cursor *c)
{
	if (c->at < c->n)
		return c->p[c->at];
	c->short_data = true;
	return 0;
}

static void cursor_skip(struct cursor *c, size_t n)
{
	if (c->n - c->at < n)
		c->short_data = true;
	else
		c->at += n;
}

/* Legacy prefixes in any order, then REX, which counts only right before the opcode. */
static uint8_t take_prefixes(struct cursor *c)
{
	for (;;) {
		uint8_t b = cursor_next(c);

		if (c->short_data)
			return 0;
		if ((b & 0xf0) == 0x40) {
			c->rex = b;
			continue;
		}
		switch (b) {
		case 0x66: c->opsize = true; break;
		case 0x67: c->addrsize = true; break;
		case 0xf0: c->lock = true; break;
		case 0xf2: c->repne = true; break;
		case 0xf3: c->rep = true; break;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: break;
		default: return b;
		}
		c->rex = 0;
	}
}

static void take_modrm(struct cursor *c, struct insn *out)
{
	uint8_t m = cursor_next(c), mod = m >> 6, rm = m & 7;
	uint8_t base = rm;

	if (mod == 3)
		return;
	if (rm == 4)
		base = cursor_next(c) & 7;
	if (mod == 1) {
		cursor_skip(c, 1);
	} else if (mod == 2 || (mod == 0 && base == 5)) {
		if (mod == 0 && rm == 5) {
			out->flags |= INSN_F_RIPREL;
			out->disp_at = (uint8_t)c->at;
		}
		cursor_skip(c, 4);
	}
}

static uint8_t map_0f_attr(uint8_t op)
{
	return op == 0x77 ? 0 : map_0f[op];
}

/* One-byte opcodes with a rule of their own; the attributes that hold, or X. */
static int special_one(struct cursor *c, struct insn *out, uint8_t op, int attr)
{
	uint8_t reg = attr & M ? (cursor_peek(c) >> 3) & 7 : 0;

	switch (op) {
	case 0x8d: return (cursor_peek(c) >> 6) == 3 ? X : attr;	/* lea of a register */
	case 0x8f: return reg ? X : attr;			/* else XOP */
	case 0xa0: case 0xa1: case 0xa2: case 0xa3:
		cursor_skip(c, c->addrsize ? 4 : 8);
		return attr;
	case 0xb8: case 0xb9: case 0xba: case 0xbb: case 0xbc: case 0xbd: case 0xbe: case 0xbf:
		cursor_skip(c, c->rex & 8 ? 8 : c->opsize ? 2 : 4);
		return attr;
	case 0xc6: return reg ? X : attr;			/* refuses xabort, too */
	case 0xc7: return reg ? X : attr;			/* refuses xbegin, too */
	case 0xcc: case 0xcd: case 0xf1: case 0xf4:
		out->flags |= INSN_F_TRAP;
		return attr;
	case 0xf6: return reg < 2 ? attr | I8 : attr;
	case 0xf7: return reg < 2 ? attr | IZ : attr;
	case 0xfe: return reg < 2 ? attr : X;
	case 0xff:
		if (reg == 7 || ((reg == 3 || reg == 5) && (cursor_peek(c) >> 6) == 3))
			return X;
		if (reg == 2 || reg == 3)
			out->flags |= INSN_F_CALL;
		if (reg == 4 || reg == 5)
			out->flags |= INSN_F_JUMP;
		return attr;
	default: return X;
	}
}

static int special_0f(struct cursor *c, struct insn *out, uint8_t op, int attr)
{
	uint8_t reg = attr & M ? (cursor_peek(c) >> 3) & 7 : 0;

	switch (op) {
	case 0x00: return reg < 6 ? attr : X;
	case 0x01: return attr;
	case 0x05:
		out->flags |= INSN_F_SYSCALL | INSN_F_TRAP;
		return attr;
	case 0x07: case 0x34: case 0x35:
		out->flags |= INSN_F_TRAP | INSN_F_RET;
		return attr;
	case 0x0b:
		out->flags |= INSN_F_TRAP;
		return attr;
	case 0x20: case 0x21: case 0x22: case 0x23:		/* mod is ignored */
		cursor_skip(c, 1);
		return attr;
	case 0x78: case 0x79: return c->opsize || c->repne ? X : attr;	/* SSE4a has immediates */
	case 0xb8: return c->rep ? attr : X;			/* popcnt, else jmpe */
	case 0xba: return reg < 4 ? X : attr;
	default: return X;
	}
}

static void note_branch(struct insn *out, uint8_t op, bool two)
{
	if (two)
		return;
	if (op == 0xe8)
		out->flags |= INSN_F_CALL;
	if (op == 0xe9 || op == 0xeb)
		out->flags |= INSN_F_JUMP;
	if (op == 0xc2 || op == 0xc3 || op == 0xca || op == 0xcb || op == 0xcf)
		out->flags |= INSN_F_RET;
}

static int take_immediates(struct cursor *c, struct insn *out, int attr)
{
	if (attr & IZ)
		cursor_skip(c, c->opsize && !(c->rex & 8) ? 2 : 4);
	if (attr & I16)
		cursor_skip(c, 2);
	if (attr & I8)
		cursor_skip(c, 1);
	if (attr & (J8 | JZ)) {
		if (c->opsize || (c->addrsize && attr & JZ))
			return -EINVAL;	/* processors and disassemblers differ on its length */
		out->flags |= INSN_F_REL;
		out->rel_size = attr & J8 ? 1 : 4;
		cursor_skip(c, out->rel_size);
	}
	return 0;
}

/* VEX and EVEX: the map and the opcode say all. */
static int take_vex(struct cursor *c, struct insn *out, uint8_t first)
{
	unsigned map = 1, op;
	bool evex = first == 0x62;

	if (c->rex || c->opsize || c->rep || c->repne || c->lock)
		return -EINVAL;
	if (first != 0xc5)
		map = cursor_next(c) & (evex ? 0x07 : 0x1f);
	cursor_skip(c, evex ? 2 : 1);
	op = cursor_next(c);
	if (map < 1 || map > (evex ? 6u : 3u) || map == 4)
		return -EINVAL;
	if (map == 1 && op == 0x77 && !evex)
		return 0;
	take_modrm(c, out);
	if (map == 3 ||
	    (map == 1 && ((op >= 0x70 && op <= 0x73) || op == 0xc2 || (op >= 0xc4 && op <= 0xc6))))
		cursor_skip(c, 1);
	return 0;
}

static int take_two(struct cursor *c, struct insn *out)
{
	uint8_t op = cursor_next(c);
	int attr;

	if (op == 0x38 || op == 0x3a) {
		cursor_skip(c, 1);
		take_modrm(c, out);
		cursor_skip(c, op == 0x3a);
		return 0;
	}
	attr = map_0f_attr(op);
	if (attr & G)
		attr = special_0f(c, out, op, attr);
	if (attr & X)
		return c->short_data ? -ENODATA : -EINVAL;
	note_branch(out, op, true);
	if (attr & M)
		take_modrm(c, out);
	return take_immediates(c, out, attr);
}

static int take_one(struct cursor *c, struct insn *out, uint8_t op)
{
	int attr = map_one[op];

	if (attr & G)
		attr = special_one(c, out, op, attr);
	if (attr & X)
		return c->short_data ? -ENODATA : -EINVAL;
	note_branch(out, op, false);
	if (attr & M)
		take_modrm(c, out);
	return take_immediates(c, out, attr);
}

static int take_opcode(struct cursor *c, struct insn *out, uint8_t op)
{
	if (op == 0x0f)
		return take_two(c, out);
	if (op == 0xc4 || op == 0xc5 || op == 0x62)
		return take_vex(c, out, op);
	return take_one(c, out, op);
}

int insn_decode(const uint8_t *p, size_t n, struct insn *out)
{
	struct cursor c = { .p = p, .n = n < INSN_MAX ? n : INSN_MAX };
	uint8_t op;
	int rc;

	memset(out, 0, sizeof(*out));
	op = take_prefixes(&c);
	rc = c.short_data ? 0 : take_opcode(&c, out, op);
	if (c.short_data)
		return n < INSN_MAX ? -ENODATA : -EINVAL;
	if (rc < 0)
		return rc;
	out->len = (uint8_t)c.at;
	if (out->rel_size == 1)
		out->rel = (int8_t)p[c.at - 1];
	else if (out->rel_size == 4)
		memcpy(&out->rel, p + c.at - 4, 4);
	return 0;
}

int insn_relocate(const uint8_t *p, const struct insn *in, uint64_t from, uint64_t to, uint8_t *out)
{
	memcpy(out, p, in->len);
	if (in->flags & INSN_F_RIPREL) {
		int32_t disp;
		int64_t moved;

		memcpy(&disp, p + in->disp_at, 4);
		moved = (int64_t)disp + (int64_t)(from - to);
		if (moved != (int32_t)moved)
			return -ERANGE;
		disp = (int32_t)moved;
		memcpy(out + in->disp_at, &disp, 4);
	}
	return in->len;
}

#define LOOK_BACK 64u
#define MIN_VOTES 8u

/* Decode forward from start; the length of the instruction that ends at p[at], or 0. */
static unsigned chain_last(const uint8_t *p, size_t start, size_t at)
{
	unsigned len = 0;

	while (start < at) {
		struct insn in;

		if (insn_decode(p + start, at - start, &in) < 0)
			return 0;
		len = in.len;
		start += len;
	}
	return len;
}

unsigned insn_before(const uint8_t *p, size_t at)
{
	unsigned votes[INSN_MAX + 1] = { 0 }, total = 0, best = 0;
	size_t start = at > LOOK_BACK ? at - LOOK_BACK : 0;

	/* Starts close to the end have not had time to fall into step. */
	for (; start + INSN_MAX < at; start++) {
		unsigned len = chain_last(p, start, at);

		if (len) {
			votes[len]++;
			total++;
		}
	}
	for (unsigned len = 1; len <= INSN_MAX; len++)
		if (votes[len] > votes[best])
			best = len;
	return total >= MIN_VOTES && votes[best] * 8 >= total * 7 ? best : 0;
}

/* Whether an instruction may begin at p[at]: false where nearly all decodings from earlier starts
 * agree that one lies across it. */
static bool may_begin(const uint8_t *p, size_t at)
{
	size_t start = at > LOOK_BACK ? at - LOOK_BACK : 0;
	unsigned lands = 0, total = 0;

	for (; start + INSN_MAX < at; start++) {
		size_t i = start;
		struct insn in;

		while (i < at && insn_decode(p + i, at + INSN_MAX - i, &in) == 0)
			i += in.len;
		if (i < at)
			continue;
		lands += i == at;
		total++;
	}
	return total < MIN_VOTES || lands * 8 > total;
}

#define NEAR_REACH 160u	/* 127 bytes and an instruction, and something to spare */

static bool in_range(uint64_t v, uint64_t lo, uint64_t hi)
{
	return v >= lo && v < hi;
}

/* Jumps and calls with 32 bits of distance: nearly no four bytes lead there, so they are looked at first. */
static bool far_branch_into(const uint8_t *p, size_t n, uint64_t base, uint64_t lo, uint64_t hi)
{
	uint32_t span = (uint32_t)(hi - lo), next = (uint32_t)(base - lo) + 4;

	for (size_t i = 1; i + 4 <= n; i++) {
		uint32_t d;

		memcpy(&d, p + i, 4);
		if (next + (uint32_t)i + d >= span ||
		    !in_range(base + i + 4 + (uint64_t)(int64_t)(int32_t)d, lo, hi))
			continue;
		if (p[i - 1] == 0xe8 || p[i - 1] == 0xe9 ||
		    (i >= 2 && p[i - 2] == 0x0f && (p[i - 1] & 0xf0) == 0x80))
			return true;
	}
	return false;
}

/* Those with 8 bits, from as far as they reach. */
static bool near_branch_into(const uint8_t *p, size_t n, uint64_t base, uint64_t lo, uint64_t hi)
{
	size_t from = lo > base + NEAR_REACH ? (size_t)(lo - base) - NEAR_REACH : 0;

	for (size_t i = from; i + 2 <= n && base + i < hi + NEAR_REACH; i++) {
		uint8_t b = p[i];
		uint64_t at = base + i;

		if (((b & 0xf0) == 0x70 || b == 0xeb || (b >= 0xe0 && b <= 0xe3)) &&
		    in_range(at + 2 + (uint64_t)(int64_t)(int8_t)p[i + 1], lo, hi) &&
		    !in_range(at, lo - 1, hi) && (i + INSN_MAX > n || may_begin(p, i)))
			return true;
	}
	return false;
}

bool insn_branch_into(const uint8_t *p, size_t n, uint64_t base, uint64_t lo, uint64_t hi)
{
	return far_branch_into(p, n, base, lo, hi) || near_branch_into(p, n, base, lo, hi);
}
