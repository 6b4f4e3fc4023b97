/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planning of patches (patch.h).  Pure functions on bytes that the caller read
 * from the program; any thread.
 */
#include "config.h"
#include "engine/patch.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "arch/insn_x86_64.h"

#define JUMP_LEN 5u
#define FAR_INSNS 6u
#define FAR_BYTES 48u
#define AFTER_INSNS 4u
#define SHORT_REACH 129u

static bool is_mov_eax(const uint8_t *p, uint64_t nr)
{
	uint32_t imm;

	memcpy(&imm, p + 1, sizeof(imm));
	return p[0] == 0xb8 && imm == nr;
}

static bool movable_at(const uint8_t *p, size_t n, unsigned len)
{
	struct insn in;

	return insn_decode(p, n, &in) == 0 && in.len == len && insn_movable(&in);
}

/* A long one that does nothing is what lies between functions: who calls the next one never comes by. */
static bool is_filler(const uint8_t *p, unsigned len)
{
	unsigned i = 0;

	while (i < len && (p[i] == 0x66 || p[i] == 0x2e))
		i++;
	return i + 1 < len && p[i] == 0x0f && p[i + 1] == 0x1f;
}

/* May be replaced by a jump. */
static bool jumps_from(const struct patch_code *code, size_t at, unsigned len)
{
	/* a load of another number would mean that we misread the code */
	return !(len == 5 && code->bytes[at] == 0xb8) && !is_filler(code->bytes + at, len);
}

static void set_span(struct patch *p, const struct patch_code *code, uint8_t form, uint64_t at, unsigned len,
		     unsigned moved)
{
	p->form = form;
	p->at = at;
	p->len = (uint8_t)len;
	p->moved = (uint8_t)moved;
	memcpy(p->original, code->bytes + (at - code->base), len);
}

/* Straight-line, movable code from at to the site. */
static bool leads_to(const struct patch_code *code, size_t at, size_t site)
{
	for (unsigned i = 0; at < site; i++) {
		struct insn in;

		if (i == FAR_INSNS || insn_decode(code->bytes + at, code->n - at, &in) < 0 || !insn_movable(&in))
			return false;
		at += in.len;
	}
	return at == site;
}

/* "mov $nr,%eax" with the number that just trapped: that it is one, and not the middle of something
 * else, is as good as certain, since rax has that very value. */
static bool is_load_of(const struct patch_code *code, size_t at, uint64_t nr)
{
	return is_mov_eax(code->bytes + at, nr) && at && (code->bytes[at - 1] & 0xf0) != 0x40 &&
	       code->bytes[at - 1] != 0x66;
}

/* One long enough instruction right before, or "mov $nr,%eax" a little earlier. */
static int choose_before(const struct patch_code *code, size_t site, uint64_t nr, struct patch *out)
{
	unsigned len;

	for (size_t back = JUMP_LEN; back <= FAR_BYTES && back < site; back++)
		if (is_load_of(code, site - back, nr) && leads_to(code, site - back, site)) {
			set_span(out, code, back == JUMP_LEN ? PATCH_BEFORE : PATCH_FAR, code->base + site - back,
				 JUMP_LEN, (unsigned)back);
			return 0;
		}
	len = insn_before(code->bytes, site);
	if (len < JUMP_LEN || !jumps_from(code, site - len, len) ||
	    !movable_at(code->bytes + site - len, code->n - (site - len), len))
		return -ENOTSUP;
	set_span(out, code, PATCH_BEFORE, code->base + site - len, JUMP_LEN, len);
	return 0;
}

/* What compilers put behind the end of a function. */
static bool is_padding(uint8_t b)
{
	return b == 0x90 || b == 0xcc || b == 0x66 || b == 0x2e || b == 0x0f || b == 0x1f || b == 0x00;
}

/* Instructions behind the "syscall" until there is room for a jump. */
static int choose_after(const struct patch_code *code, size_t site, struct patch *out)
{
	unsigned total = 2;
	bool ended = false;

	for (unsigned i = 0; total < JUMP_LEN && !ended; i++) {
		struct insn in;

		if (i == AFTER_INSNS || site + total >= code->n ||
		    insn_decode(code->bytes + site + total, code->n - site - total, &in) < 0)
			return -ENOTSUP;
		ended = in.flags & (INSN_F_RET | INSN_F_JUMP);
		if (!ended && !insn_movable(&in))
			return -ENOTSUP;
		if (in.flags & (INSN_F_CALL | INSN_F_TRAP))
			return -ENOTSUP;
		total += in.len;
	}
	set_span(out, code, PATCH_AFTER, code->base + site, total, total - 2);
	for (; total < JUMP_LEN; total++)
		if (site + total >= code->n || !is_padding(code->bytes[site + total]))
			return -ENOTSUP;
	if (out->len < JUMP_LEN)
		set_span(out, code, PATCH_AFTER, out->at, JUMP_LEN, out->moved);
	if (insn_branch_into(code->bytes, code->n, code->base, out->at + 1, out->at + out->len))
		return -ENOTSUP;
	return 0;
}

/* Any instruction that is long enough, a little earlier. */
static int choose_far(const struct patch_code *code, size_t site, struct patch *out)
{
	size_t at = site;

	for (unsigned i = 0; i < FAR_INSNS; i++) {
		unsigned len = insn_before(code->bytes, at);

		if (!len || site - at + len > FAR_BYTES || !movable_at(code->bytes + at - len, code->n - (at - len), len))
			return -ENOTSUP;
		at -= len;
		if (!jumps_from(code, at, len))
			return -ENOTSUP;
		if (len < JUMP_LEN)
			continue;
		set_span(out, code, PATCH_FAR, code->base + at, JUMP_LEN, (unsigned)(site - at));
		return leads_to(code, at, site) ? 0 : -ENOTSUP;
	}
	return -ENOTSUP;
}

/* Instructions that do nothing, or end the program, for as long as a jump. */
static bool is_unused(const struct patch_code *code, size_t at)
{
	size_t end = at + PATCH_PAD_LEN;

	while (at < end) {
		struct insn in;
		size_t i = at;

		if (insn_decode(code->bytes + at, code->n - at, &in) < 0)
			return false;
		while (code->bytes[i] == 0x66 || code->bytes[i] == 0x2e)
			i++;
		if (code->bytes[i] != 0x90 && code->bytes[i] != 0xcc &&
		    !(code->bytes[i] == 0x0f && code->bytes[i + 1] == 0x1f))
			return false;
		at += in.len;
	}
	return true;
}

/* Padding behind a return or jump that ends code after the "syscall", in reach of a short jump: nobody
 * runs it. */
static int choose_short(const struct patch_code *code, size_t site, struct patch *out)
{
	bool ended = false;
	struct insn in;

	for (size_t at = site + 2; at - site <= SHORT_REACH && at + PATCH_PAD_LEN <= code->n; at += in.len) {
		if (ended && is_unused(code, at) &&
		    !insn_branch_into(code->bytes, code->n, code->base, code->base + at, code->base + at + PATCH_PAD_LEN)) {
			set_span(out, code, PATCH_SHORT, code->base + site, 2, 0);
			out->pad = (uint8_t)(at - site);
			memcpy(out->original + 2, code->bytes + at, PATCH_PAD_LEN);
			return 0;
		}
		if (insn_decode(code->bytes + at, code->n - at, &in) < 0)
			break;
		ended = in.flags & (INSN_F_RET | INSN_F_JUMP);
	}
	return -ENOTSUP;
}

static bool is_site(const struct patch_code *code, uint64_t site, struct patch *out)
{
	size_t at = site - code->base;

	memset(out, 0, sizeof(*out));
	out->site = site;
	return site >= code->base && at + 2 <= code->n && code->bytes[at] == 0x0f && code->bytes[at + 1] == 0x05;
}

int patch_choose_single(const struct patch_code *code, uint64_t site, uint64_t nr, struct patch *out)
{
	size_t at = site - code->base;

	if (!is_site(code, site, out))
		return -ENOTSUP;
	if (choose_before(code, at, nr, out) == 0 || choose_far(code, at, out) == 0 || choose_short(code, at, out) == 0)
		return 0;
	out->form = PATCH_NONE;
	return -ENOTSUP;
}

uint64_t patch_pad(const struct patch *p)
{
	return p->form == PATCH_SHORT ? p->at + p->pad : 0;
}

int patch_choose(const struct patch_code *code, uint64_t site, uint64_t nr, struct patch *out)
{
	size_t at = site - code->base;

	if (!is_site(code, site, out))
		return -ENOTSUP;
	if (choose_before(code, at, nr, out) == 0 || choose_after(code, at, out) == 0)
		return 0;
	out->form = PATCH_NONE;
	return -ENOTSUP;
}

/* ---- stub ---- */

struct out {
	struct patch *p;
	unsigned n;
	int err;
};

static void put(struct out *o, const void *bytes, unsigned n)
{
	if (o->n + n > PATCH_STUB_MAX) {
		o->err = -ENOTSUP;
		return;
	}
	memcpy(o->p->stub + o->n, bytes, n);
	o->n += n;
}

/* A displacement that is followed by the end of its instruction. */
static void put_rel32(struct out *o, uint64_t target)
{
	int64_t d = (int64_t)(target - (o->p->stub_at + o->n + 4));
	int32_t d32 = (int32_t)d;

	if (d != d32)
		o->err = -ERANGE;
	put(o, &d32, 4);
}

static void put_jump(struct out *o, uint64_t target)
{
	put(o, "\xe9", 1);
	put_rel32(o, target);
}

/* One instruction from the program, at its new place. */
static int put_moved(struct out *o, const struct patch_code *code, uint64_t from, struct insn *in)
{
	const uint8_t *p = code->bytes + (from - code->base);
	uint8_t bytes[INSN_MAX];

	if (insn_decode(p, code->n - (from - code->base), in) < 0)
		return -ENOTSUP;
	if (in->flags & INSN_F_JUMP && in->flags & INSN_F_REL) {
		put_jump(o, from + in->len + (uint64_t)(int64_t)in->rel);
		return o->err;
	}
	if (insn_relocate(p, in, from, o->p->stub_at + o->n, bytes) < 0)
		return -ERANGE;
	put(o, bytes, in->len);
	return o->err;
}

static int put_span(struct out *o, const struct patch_code *code, uint64_t from, unsigned len, bool *ended)
{
	*ended = false;
	for (uint64_t end = from + len; from < end;) {
		struct insn in;
		int rc = put_moved(o, code, from, &in);

		if (rc < 0)
			return rc;
		*ended = in.flags & (INSN_F_RET | INSN_F_JUMP);
		from += in.len;
	}
	return 0;
}

static void put_entry(struct out *o)
{
	put(o, "\x65\xff\x24\x25\0\0\0\0", 8);		/* jmp *%gs:0 */
}

static int build_before(struct out *o, const struct patch_code *code)
{
	struct patch *p = o->p;
	bool ended;
	int rc = put_span(o, code, p->at, p->moved, &ended);

	if (rc < 0)
		return rc;
	p->head = (uint8_t)o->n;
	p->cont = p->site + 2;
	put(o, "\x48\x8d\x0d", 3);			/* lea cont(%rip),%rcx */
	put_rel32(o, p->cont);
	put(o, "\x49\x89\xcb", 3);			/* mov %rcx,%r11 */
	put_entry(o);
	return 0;
}

static int build_after(struct out *o, const struct patch_code *code)
{
	struct patch *p = o->p;
	bool ended;
	int rc;

	p->cont = p->stub_at + 7 + 7 + 8 + 2;
	put(o, "\x48\x8d\x0d", 3);			/* lea cont(%rip),%rcx */
	put_rel32(o, p->cont);
	put(o, "\x4c\x8d\x1d", 3);			/* lea site+2(%rip),%r11 */
	put_rel32(o, p->site + 2);
	put_entry(o);
	put(o, "\x0f\x05", 2);
	rc = put_span(o, code, p->site + 2, p->moved, &ended);
	if (rc == 0 && !ended)
		put_jump(o, p->site + 2 + p->moved);
	return rc;
}

static int build_jump(struct patch *p)
{
	bool is_short = p->form == PATCH_SHORT;
	int64_t d = (int64_t)(p->stub_at - ((is_short ? patch_pad(p) : p->at) + JUMP_LEN));
	uint8_t *jump = p->jump + (is_short ? 2 : 0);
	int32_t d32 = (int32_t)d;

	if (d != d32)
		return -ERANGE;
	memset(p->jump, 0x90, p->len);
	if (is_short) {
		p->jump[0] = 0xeb;
		p->jump[1] = (uint8_t)(p->pad - 2);
	}
	jump[0] = 0xe9;
	memcpy(jump + 1, &d32, 4);
	return 0;
}

int patch_build(const struct patch_code *code, struct patch *p, uint64_t stub_at)
{
	struct out o = { .p = p };
	int rc;

	p->stub_at = stub_at;
	rc = p->form == PATCH_AFTER ? build_after(&o, code) : build_before(&o, code);
	if (rc < 0 || o.err < 0)
		return rc < 0 ? rc : o.err;
	p->stub_len = (uint8_t)o.n;
	return build_jump(p);
}

uint64_t patch_origin(const struct patch *p, uint64_t ip)
{
	uint64_t off = ip - p->stub_at;
	struct insn in;

	if (ip && ip == patch_pad(p))
		return p->site;
	if (ip < p->stub_at || off >= p->stub_len)
		return 0;
	if (p->form == PATCH_AFTER)
		return off < 7 + 7 + 8 ? p->site : 0;
	if (off >= p->head)
		return p->site;
	/* Among the moved instructions: only their start has a name in the program, and the
	 * first one is under the jump.  Moved ones keep their length. */
	for (unsigned at = 0; at < p->head; at += in.len) {
		if (at == off)
			return p->at + at;
		if (insn_decode(p->stub + at, p->head - at, &in) < 0)
			break;
	}
	return 0;
}
