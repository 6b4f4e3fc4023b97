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

/* Never faults. */
long agent_read_self(struct agent_block *b, uint64_t addr, void *buf, size_t n)
{
	uint64_t local[2] = { (uint64_t)buf, n }, remote[2] = { addr, n };

	if (addr < PAGE)
		return -EFAULT;
	if (!b->pid)
		b->pid = (int32_t)agent_syscall(SYS_GETPID, 0, 0, 0, 0, 0, 0);
	return agent_syscall(SYS_PROCESS_VM_READV, b->pid, (long)local, 1, (long)remote, 1, 0);
}

/* struct mem_reader's read. */
static ssize_t read_self(void *ctx, uint64_t addr, void *buf, size_t n)
{
	struct reading *r = ctx;
	long got = agent_read_self(r->b, addr, buf, n);

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

static COLD void interpret(struct agent_block *b, const struct capture_plan *plan, unsigned phase)
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

static COLD void interpret_rule(struct agent_block *b, const struct capture_rule *rule)
{
	struct capture_plan one;

	one.nrules = 1;
	one.nargs = 0;
	one.flags = 0;
	one.wordsize = 8;
	one.rules[0] = *rule;
	interpret(b, &one, 0);
}

/* Bytes from addr that lie on the pages of its first proven bytes. */
static uint64_t safe_bytes(uint64_t addr, uint64_t proven)
{
	return ((addr + proven - 1) | (PAGE - 1)) + 1 - addr;
}

struct piece { struct tracer_capture *cap; uint64_t src; uint32_t want; };

static inline int close_piece(struct agent_block *b, const struct piece *p, const struct capture_rule *rule,
			      uint32_t len, uint32_t truncated)
{
	struct tracer_ev_call *call = (struct tracer_ev_call *)b->cur;
	uint64_t flags = (rule->flags & (CAP_F_IN | CAP_F_OUT)) | truncated;

	*(uint64_t *)p->cap = rule->arg | flags << 8 | (uint64_t)len << 32;
	b->size += HEAD + TRACER_ALIGN8(len);
	call->ncaptures++;
	return 1;
}

static COLD int fault(const struct piece *p, uint32_t n)
{
	clear(p->cap->bytes, p->cap->bytes + TRACER_ALIGN8(n));
	return 0;
}

/* As much as was asked for: whether there is more. */
static COLD uint32_t string_goes_on(const char *behind)
{
	char next = 0;

	return agent_copy_bytes(&next, behind, 1) || next ? TRACER_CAP_TRUNCATED : 0;
}

static inline int copy_string(struct agent_block *b, const struct piece *p, const struct capture_rule *rule)
{
	long len = agent_copy_string((char *)p->cap->bytes, (const char *)p->src, p->want);
	uint32_t truncated = 0;

	if (UNLIKELY(len < 0))
		return fault(p, p->want);
	if (UNLIKELY((uint32_t)len == p->want))
		truncated = string_goes_on((const char *)p->src + len);
	return close_piece(b, p, rule, (uint32_t)len, truncated);
}

static int copy_bytes(struct agent_block *b, const struct piece *p, const struct capture_rule *rule, uint64_t len,
		      uint64_t proven)
{
	uint32_t n = len < p->want ? (uint32_t)len : p->want;

	if (!proven || n > safe_bytes(p->src, proven))
		return 0;
	if (agent_copy_bytes(p->cap->bytes, (const void *)p->src, n) < 0)
		return fault(p, n);
	return close_piece(b, p, rule, n, n < len ? TRACER_CAP_TRUNCATED : 0);
}

static inline uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* An array of objects, or a buffer whose length is an argument. */
static int copy_counted(struct agent_block *b, struct piece *p, const struct capture_rule *rule)
{
	const struct tracer_ev_call *call = (const struct tracer_ev_call *)b->cur;
	int64_t ret = call->ret;
	uint64_t len;

	if (rule->op == CAP_OP_OBJS_RET) {
		p->want -= p->want % rule->size;
		return ret > 0 && ret <= (int64_t)TRACER_EVENT_MAX &&
		       copy_bytes(b, p, rule, (uint64_t)ret * rule->size, (uint64_t)ret * rule->size);
	}
	len = call->args[rule->len_arg];
	if (ret < 0 || !len || len > UINT32_MAX)
		return 0;
	if (rule->size)
		len *= rule->size;
	if (rule->flags & CAP_F_DATA)
		return copy_bytes(b, p, rule, len, (uint64_t)ret < len ? (uint64_t)ret : len);
	return copy_bytes(b, p, rule, len, 1);
}

static COLD uint32_t bytes_captured(const struct tracer_ev_call *call)
{
	const uint8_t *p = (const uint8_t *)&call->args[call->nargs];
	uint32_t sum = 0;

	for (unsigned i = 0; i < call->ncaptures; i++) {
		const struct tracer_capture *cap = (const struct tracer_capture *)p;

		sum += cap->len;
		p += HEAD + TRACER_ALIGN8(cap->len);
	}
	return sum;
}

/* What room and limits of the record leave to a rule that does not know it. */
static COLD uint32_t room_left(const struct agent_block *b, const struct capture_rule *rule)
{
	const struct agent_control *ctl = (const struct agent_control *)b->control;
	const struct tracer_ev_call *call = (const struct tracer_ev_call *)b->cur;
	uint32_t space = call->head.size & ~7u, used = b->size + HEAD;	/* of what is pending: the bound */
	uint32_t left = bytes_captured(call), most = ctl->limits.string_max;

	left = left < ctl->limits.total_max ? ctl->limits.total_max - left : 0;
	if (used + 8 > space || call->ncaptures >= TRACER_CAPTURES_MAX)
		return 0;
	left = least(left, space - used);
	if (rule->op == CAP_OP_STR && !(rule->flags & CAP_F_DATA))
		most = ctl->limits.path_max;
	return rule->op == CAP_OP_STR || rule->flags & CAP_F_DATA ? least(left, most) : left;
}

/* An AGENT_RULE_SHORT whose pointer is not NULL.  1 where the piece was made, 0 where the interpreter has
 * to do it. */
static inline int rule_short(struct agent_block *b, const struct capture_rule *rule, unsigned index)
{
	struct tracer_ev_call *call = (struct tracer_ev_call *)b->cur;
	int64_t ret = call->ret;
	struct piece p;

	p.cap = (struct tracer_capture *)((uint8_t *)call + b->size);
	p.src = call->args[rule->arg];
	p.want = rule->reserved0 >> AGENT_RULE_MOST_SHIFT;
	if (UNLIKELY(!p.want))
		p.want = room_left(b, rule);
	if (UNLIKELY(!p.want))
		return 0;
	if (rule->op == CAP_OP_STR)
		return (ret >= 0 || (!index && agent_path_was_read(ret))) && copy_string(b, &p, rule);
	if (rule->op == CAP_OP_MEM)
		return ret >= 0 && copy_bytes(b, &p, rule, rule->size, rule->size);
	if (rule->op == CAP_OP_BUF_RET)
		return ret > 0 && copy_bytes(b, &p, rule, (uint64_t)ret, (uint64_t)ret);
	return copy_counted(b, &p, rule);
}

void agent_capture_before(struct agent_block *b, const struct capture_plan *plan)
{
	interpret(b, plan, CAP_F_ENTER);
}

void agent_capture(struct agent_block *b, const struct capture_plan *plan)
{
	const struct tracer_ev_call *call = (const struct tracer_ev_call *)b->cur;
	const struct capture_rule *rule = plan->rules, *end = rule + plan->nrules;

	/* some rules were run before the call */
	if (UNLIKELY(b->entered_pieces && plan->flags & CAP_PLAN_PAIRS)) {
		interpret(b, plan, 0);
		return;
	}
	for (; rule < end; rule++) {
		if (UNLIKELY(!(rule->reserved0 & AGENT_RULE_SHORT))) {
			interpret_rule(b, rule);
			continue;
		}
		/* as capture.c's rule_wanted() */
		if (!call->args[rule->arg])
			continue;
		if (call->ret < 0 && call->ret >= -4095 && !(rule->flags & (CAP_F_IN | CAP_F_ALWAYS)))
			continue;
		if (!rule_short(b, rule, (unsigned)(rule - plan->rules)))
			interpret_rule(b, rule);
	}
}
