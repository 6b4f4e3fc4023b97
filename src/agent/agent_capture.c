/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies argument memory into the pending record.  Runs in the traced program
 * on its own thread.  A bare load is used only where the result of the call
 * proves that the kernel has been there (it succeeded, or it got as far as to
 * resolve a path) and no byte beyond the proven page is touched; everything
 * else goes through process_vm_readv on ourselves, which cannot fault, and
 * through the interpreter that the ptrace engine has (capture/capture.c).
 */
#include "agent/agent.h"

#include <errno.h>
#include <sys/types.h>
#include "capture/capture.h"

#define SYS_GETPID 39
#define SYS_PROCESS_VM_READV 310
#define PAGE 4096u
#define HEAD ((uint32_t)sizeof(struct tracer_capture))

/* What gcc may call for the interpreter's copies. */
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memset(void *dst, int c, size_t n);
void *memchr(const void *s, int c, size_t n);

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	agent_copy_bytes(dst, src, n);
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	volatile uint8_t *p = dst;

	while (n--)
		*p++ = (uint8_t)c;
	return dst;
}

void *memchr(const void *s, int c, size_t n)
{
	const uint8_t *p = s;

	for (; n; n--, p++)
		if (*p == (uint8_t)c)
			return (void *)(uintptr_t)p;
	return 0;
}

/* Where the interpreter reads to: it may read more than it keeps. */
struct reading {
	struct agent_block *b;
	uint8_t *begin, *limit;	/* of the record's room */
	uint8_t *end;
};

/* struct mem_reader's read: never faults. */
static ssize_t read_self(void *ctx, uint64_t addr, void *buf, size_t n)
{
	struct reading *r = ctx;
	uint64_t local[2] = { (uint64_t)buf, n }, remote[2] = { addr, n };
	struct agent_block *b = r->b;
	long got;

	if (addr < PAGE)
		return -EFAULT;
	if (!b->pid)
		b->pid = (int32_t)agent_syscall(SYS_GETPID, 0, 0, 0, 0, 0, 0);
	got = agent_syscall(SYS_PROCESS_VM_READV, b->pid, (long)local, 1, (long)remote, 1, 0);
	/* what goes to the stack is no concern */
	if (got > 0 && (uint8_t *)buf > r->begin && (uint8_t *)buf < r->limit && (uint8_t *)buf + got > r->end)
		r->end = (uint8_t *)buf + got;
	return got;
}

/* Clears what a copy has left behind the end of what is kept: a ring is zero where no record is. */
static void clear(uint8_t *p, uint8_t *end)
{
	while (p < end && (uint64_t)p % 8)
		*(volatile uint8_t *)p++ = 0;
	for (; p < end; p += 8)
		*(volatile uint64_t *)(void *)p = 0;
}

static void interpret(struct agent_block *b, const struct capture_plan *plan, unsigned phase)
{
	const struct agent_control *ctl = (const struct agent_control *)b->control;
	struct tracer_ev_call *call = (struct tracer_ev_call *)b->cur;
	struct reading reading;
	struct mem_reader reader;

	reading.b = b;
	reading.begin = reading.end = (uint8_t *)call;
	reading.limit = (uint8_t *)call + ctl->bound[call->head.nr];
	reader.ctx = &reading;
	reader.read = read_self;
	b->size = capture_append(plan, &ctl->limits, &reader, phase, call, b->size, ctl->bound[call->head.nr]);
	clear((uint8_t *)call + b->size, reading.end);
}

static void interpret_rule(struct agent_block *b, const struct capture_rule *rule)
{
	struct capture_plan one;

	one.nrules = 1;
	one.nargs = 0;
	one.flags = 0;
	one.wordsize = 8;
	one.rules[0] = *rule;
	interpret(b, &one, 0);
}

/* Path resolution got as far as to look the name up, so the kernel has read it.
 * EFAULT, ENAMETOOLONG, EINVAL and the like prove nothing. */
static int path_was_read(int64_t ret)
{
	switch (-ret) {
	case ENOENT: case ENOTDIR: case EACCES: case EEXIST: case EISDIR: case ELOOP: case EROFS: case ENOTEMPTY:
		return 1;
	default:
		return 0;
	}
}

/* Bytes from addr that lie on the pages of its first proven bytes. */
static uint64_t safe_bytes(uint64_t addr, uint64_t proven)
{
	return ((addr + proven - 1) | (PAGE - 1)) + 1 - addr;
}

struct piece { struct tracer_capture *cap; uint64_t src; uint32_t want, room; uint8_t flags; };

static void close_piece(struct agent_block *b, const struct piece *p, const struct capture_rule *rule, uint32_t len)
{
	struct tracer_ev_call *call = (struct tracer_ev_call *)b->cur;
	uint64_t head = rule->arg | (uint64_t)p->flags << 8 | (uint64_t)len << 32;

	*(uint64_t *)p->cap = head;
	b->size += HEAD + TRACER_ALIGN8(len);
	call->ncaptures++;
}

static int copy_string(struct agent_block *b, struct piece *p, const struct capture_rule *rule)
{
	long len = agent_copy_string((char *)p->cap->bytes, (const char *)p->src, p->want);

	if (len < 0) {
		clear(p->cap->bytes, p->cap->bytes + TRACER_ALIGN8(p->want));
		return 0;
	}
	if ((uint32_t)len == p->want) {
		char next = 0;

		if (agent_copy_bytes(&next, (const char *)p->src + len, 1) || next)
			p->flags |= TRACER_CAP_TRUNCATED;
	}
	close_piece(b, p, rule, (uint32_t)len);
	return 1;
}

static int copy_bytes(struct agent_block *b, struct piece *p, const struct capture_rule *rule, uint64_t len,
		      uint64_t proven)
{
	uint32_t n = len < p->want ? (uint32_t)len : p->want;

	if (!proven || n > safe_bytes(p->src, proven))
		return 0;
	if (n < len)
		p->flags |= TRACER_CAP_TRUNCATED;
	if (agent_copy_bytes(p->cap->bytes, (const void *)p->src, n) < 0) {
		clear(p->cap->bytes, p->cap->bytes + TRACER_ALIGN8(n));
		return 0;
	}
	close_piece(b, p, rule, n);
	return 1;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* 1 where the piece was made, 0 where the interpreter has to do it. */
static int rule_fast(struct agent_block *b, const struct capture_rule *rule, uint32_t left, unsigned index)
{
	const struct agent_control *ctl = (const struct agent_control *)b->control;
	struct tracer_ev_call *call = (struct tracer_ev_call *)b->cur;
	uint32_t space = ctl->bound[call->head.nr] & ~7u, used = b->size + HEAD;
	int64_t ret = call->ret;
	struct piece p;
	uint64_t len;

	if (!(rule->reserved0 & AGENT_RULE_PROVEN) || used + 8 > space || call->ncaptures >= TRACER_CAPTURES_MAX || !left)
		return 0;
	p.cap = (struct tracer_capture *)((uint8_t *)call + b->size);
	p.src = call->args[rule->arg];
	p.flags = rule->flags & (CAP_F_IN | CAP_F_OUT);
	p.want = least(left, space - used);
	if (rule->flags & CAP_F_DATA)
		p.want = least(p.want, ctl->limits.string_max);
	switch (rule->op) {
	case CAP_OP_STR:
		if (ret < 0 && (index || !path_was_read(ret)))
			return 0;
		if (!(rule->flags & CAP_F_DATA))
			p.want = least(p.want, ctl->limits.path_max);
		return copy_string(b, &p, rule);
	case CAP_OP_MEM:
		return ret >= 0 && copy_bytes(b, &p, rule, rule->size, rule->size);
	case CAP_OP_BUF_RET:
		return ret > 0 && copy_bytes(b, &p, rule, (uint64_t)ret, (uint64_t)ret);
	case CAP_OP_OBJS_RET:
		p.want -= rule->size ? p.want % rule->size : 0;
		return ret > 0 && rule->size && ret <= (int64_t)TRACER_EVENT_MAX &&
		       copy_bytes(b, &p, rule, (uint64_t)ret * rule->size, (uint64_t)ret * rule->size);
	case CAP_OP_BUF_ARG:
		len = call->args[rule->len_arg];
		if (ret < 0 || !len || len > UINT32_MAX)
			return 0;
		if (rule->size)
			len *= rule->size;
		if (rule->flags & CAP_F_DATA)
			return copy_bytes(b, &p, rule, len, (uint64_t)ret < len ? (uint64_t)ret : len);
		return copy_bytes(b, &p, rule, len, 1);
	default:
		return 0;
	}
}

static uint32_t room_left(const struct agent_control *ctl, const struct tracer_ev_call *call)
{
	const uint8_t *p = (const uint8_t *)&call->args[call->nargs];
	uint32_t left = ctl->limits.total_max;

	for (unsigned i = 0; i < call->ncaptures; i++) {
		const struct tracer_capture *cap = (const struct tracer_capture *)p;

		left = left > cap->len ? left - cap->len : 0;
		p += HEAD + TRACER_ALIGN8(cap->len);
	}
	return left;
}

/* As capture.c's rule_wanted() for what rule_fast() can do. */
static int wanted(const struct agent_control *ctl, const struct tracer_ev_call *call, const struct capture_rule *rule)
{
	if (rule->flags & CAP_F_ENTER || rule->arg >= call->nargs || !call->args[rule->arg])
		return 0;
	if (rule->op == CAP_OP_BUF_ARG && rule->len_arg >= call->nargs)
		return 0;
	if (rule->flags & CAP_F_DATA && !ctl->limits.string_max)
		return 0;
	return call->ret >= 0 || call->ret < -4095 || rule->flags & (CAP_F_IN | CAP_F_ALWAYS);
}

static int simple(uint8_t op)
{
	return op == CAP_OP_STR || op == CAP_OP_MEM || op == CAP_OP_BUF_RET || op == CAP_OP_BUF_ARG ||
	       op == CAP_OP_OBJS_RET;
}

void agent_capture(struct agent_block *b, const struct capture_plan *plan, unsigned phase)
{
	const struct agent_control *ctl = (const struct agent_control *)b->control;
	struct tracer_ev_call *call = (struct tracer_ev_call *)b->cur;

	if (phase) {
		interpret(b, plan, phase);
		return;
	}
	for (unsigned i = 0; i < plan->nrules; i++) {
		const struct capture_rule *rule = &plan->rules[i];

		if (!simple(rule->op))
			interpret_rule(b, rule);
		else if (wanted(ctl, call, rule) && !rule_fast(b, rule, room_left(ctl, call), i))
			interpret_rule(b, rule);
	}
}
