/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder: the two halves of a call, before and after the system call
 * instruction.  Runs inside the traced program, on the thread that makes the
 * call, with the agent's stack of that thread; owns the producer's side of
 * the thread's ring.  Freestanding: no libc, no vector registers, none of
 * rbx, rbp, r12 to r15.
 *
 * Order of stores: the tracer may look at any instruction.  b->cur is set
 * before the first byte of a record is written and cleared after it was
 * committed, so what lies between is always found.  What lies behind the
 * head is zero whenever nobody is writing.  A task has one record under way,
 * so the head moves only when that is committed.
 *
 * Nearly all calls take a short way through each half, which keeps to the
 * nine registers that there are: without a stack frame, with one word of
 * tables (agent_control.brief), and with what is rare out of line.
 */
#include "agent/agent.h"

#include <stdatomic.h>

#define SYS_FUTEX 202
#define SYS_CLOCK_GETTIME 228
#define FUTEX_WAIT 0
#define FULL_WAIT_NS 50000000


static inline const struct agent_control *control_of(const struct agent_block *b)
{
	return (const struct agent_control *)b->control;
}

static inline struct ring_header *ring_of(const struct agent_block *b)
{
	return (struct ring_header *)b->ring;
}

static COLD uint64_t ticks_by_call(void)
{
	int64_t ts[2];

	agent_syscall(SYS_CLOCK_GETTIME, 1, (long)ts, 0, 0, 0, 0);
	return (uint64_t)ts[0] * 1000000000u + (uint64_t)ts[1];
}

static inline uint64_t ticks(const struct agent_control *ctl)
{
	uint32_t lo, hi;

	if (UNLIKELY(ctl->clock != TRACER_CLOCK_TSC))
		return ticks_by_call();
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (uint64_t)hi << 32;
}

static inline uint64_t head_word(uint32_t size, uint32_t kind, uint32_t flags)
{
	return size | (uint64_t)kind << 32 | (uint64_t)TRACER_ABI_X86_64 << 40 | (uint64_t)flags << 48;
}

static inline void store_word(void *record, uint64_t word)
{
	atomic_store_explicit((_Atomic uint64_t *)record, word, memory_order_release);
}

static inline void store_head(struct agent_block *b, uint64_t head)
{
	b->head = head;
	/* Pairs with the consumer's acquire load. */
	atomic_store_explicit((_Atomic uint64_t *)&ring_of(b)->head, head, memory_order_release);
}

/* The consumer has met a record that it cannot believe and reads no more. */
static int dead(const struct agent_block *b)
{
	return atomic_load_explicit((_Atomic uint32_t *)&ring_of(b)->dead, memory_order_relaxed) != 0;
}

/* The tracer was killed: nobody makes room any more. */
static int gone(const struct agent_control *ctl)
{
	return (atomic_load_explicit((const _Atomic uint32_t *)&ctl->tracer, memory_order_relaxed) & AGENT_TRACER_GONE) != 0;
}

static int fits(struct agent_block *b, uint32_t bound)
{
	b->tail = atomic_load_explicit((_Atomic uint64_t *)&ring_of(b)->tail, memory_order_acquire);
	return b->head + bound - b->tail <= b->ring_size;
}

/* The ring is full: sleep until the consumer has made room.  A signal ends the
 * wait and finds us before the call, so the tracer takes it back. */
static COLD int wait_for_room(struct agent_block *b, const struct agent_control *ctl, uint32_t bound)
{
	struct ring_header *ring = ring_of(b);
	int64_t timeout[2] = { 0, FULL_WAIT_NS };
	uint64_t since;

	if (fits(b, bound))
		return 1;
	if (ctl->drop || dead(b) || gone(ctl)) {
		atomic_fetch_add_explicit((_Atomic uint64_t *)&ring->lost, 1, memory_order_relaxed);
		return 0;
	}
	since = ticks(ctl);
	atomic_fetch_add_explicit((_Atomic uint64_t *)&ring->waits, 1, memory_order_relaxed);
	for (;;) {
		uint32_t wake = atomic_load_explicit((_Atomic uint32_t *)&ring->wake, memory_order_acquire);

		/* Full barrier between this and the look at tail; the consumer does it the other way round. */
		atomic_exchange_explicit((_Atomic uint32_t *)&ring->waiting, 1, memory_order_seq_cst);
		if (fits(b, bound) || dead(b) || gone(ctl))
			break;
		agent_syscall(SYS_FUTEX, (long)&ring->wake, FUTEX_WAIT, wake, (long)timeout, 0, 0);
	}
	atomic_store_explicit((_Atomic uint32_t *)&ring->waiting, 0, memory_order_relaxed);
	atomic_fetch_add_explicit((_Atomic uint64_t *)&ring->waited_ticks, ticks(ctl) - since, memory_order_relaxed);
	return !dead(b) && !gone(ctl);
}

static inline void store_args(uint64_t *args, const struct agent_block *b, unsigned nargs)
{
	switch (nargs) {
	default: args[5] = b->r9;	/* fall through */
	case 5: args[4] = b->r8;	/* fall through */
	case 4: args[3] = b->r10;	/* fall through */
	case 3: args[2] = b->rdx;	/* fall through */
	case 2: args[1] = b->rsi;	/* fall through */
	case 1: args[0] = b->rdi;	/* fall through */
	case 0: break;
	}
}

/* size: with complete records behind it. */
static inline void commit(struct agent_block *b, struct tracer_ev_call *call, uint32_t size,
			  uint64_t head)
{
	struct ring_header *ring = ring_of(b);

	/* What was reserved and not used is zero still. */
	store_head(b, b->pos + size);
	store_word(call, head);
	b->cur = 0;
	ring->records++;
}

/* A call that did not come back here, as was to be expected: the thread is still there, so it was
 * rt_sigreturn.  Its record was left open until now so that a signal could still take the call back.
 * The tracer does the same where a signal finds us in here (inproc_signal.c): b->open says that the
 * record is not that of the call which has just come in. */
static COLD void settle(struct agent_block *b)
{
	struct tracer_ev_call *call = (struct tracer_ev_call *)b->cur;

	commit(b, call, b->size, head_word(b->size, TRACER_EV_ENTER, call->head.flags & ~TRACER_EVF_PENDING));
	atomic_signal_fence(memory_order_seq_cst);
	b->open = 0;
	atomic_signal_fence(memory_order_seq_cst);
}

static uint32_t flags_of(unsigned action)
{
	return TRACER_EVF_INPROC | (action & AGENT_HIDDEN ? TRACER_EVF_HIDDEN : 0);
}

static inline struct tracer_ev_call *begin(struct agent_block *b, unsigned nargs, uint32_t bound,
					   uint32_t flags)
{
	uint64_t pos = b->head;
	struct tracer_ev_call *call =
		(struct tracer_ev_call *)(b->ring + sizeof(struct ring_header) + (pos & (b->ring_size - 1)));

	b->pos = pos;
	b->cur = (uint64_t)call;
	atomic_signal_fence(memory_order_seq_cst);

	*(uint64_t *)&call->head.tid = (uint32_t)b->tid | b->rax << 32;	/* and nr */
	call->ip = b->ip;
	*(uint64_t *)&call->nargs = nargs;	/* no captures yet */
	store_args(call->args, b, nargs);
	b->size = (uint32_t)sizeof(*call) + 8 * nargs;
	*(uint64_t *)&b->entered_size = b->size;	/* and no pieces */
	store_word(call, head_word(bound, TRACER_EV_CALL, flags | TRACER_EVF_PENDING));
	atomic_store_explicit((_Atomic uint64_t *)&ring_of(b)->latest, pos, memory_order_relaxed);
	return call;
}

#define NR_SIGACTION 13
#define NR_PRCTL 157
#define NR_ARCH_PRCTL 158
#define SIGSYS 31
#define NR_SETRLIMIT 160
#define NR_PRLIMIT64 302
#define RLIMIT_DATA 2
#define RLIMIT_AS 9
#define PR_SET_DUMPABLE 4
#define PR_SET_SECCOMP 22
#define PR_SET_TSC 26
#define PR_SET_DISPATCH 59
#define PR_SET_VMA 0x53564d41
#define ARCH_SET_GS 0x1001
#define ARCH_GET_GS 0x1004
#define ARCH_SHSTK_ENABLE 0x5001

/* Limits that our mappings count against. */
static int limits_memory(uint64_t resource)
{
	return (uint32_t)resource == RLIMIT_AS || (uint32_t)resource == RLIMIT_DATA;
}

/* Calls that could take the ground from under us, or find more memory than the program's own: the tracer decides. */
static int sensitive(struct agent_block *b)
{
	switch (b->rax) {
	case NR_SIGACTION: return b->rdi == SIGSYS && b->rsi;
	case NR_PRCTL: return b->rdi == PR_SET_SECCOMP || b->rdi == PR_SET_DISPATCH || b->rdi == PR_SET_TSC ||
			      (b->rdi == PR_SET_DUMPABLE && !b->rsi) ||
			      (b->rdi == PR_SET_VMA && !b->rsi && agent_context_named(b));
	case NR_ARCH_PRCTL: return b->rdi == ARCH_SET_GS || b->rdi == ARCH_GET_GS || b->rdi == ARCH_SHSTK_ENABLE;
	case NR_SETRLIMIT: return limits_memory(b->rdi);
	case NR_PRLIMIT64: return b->rdx && limits_memory(b->rsi);
	default: return 1;
	}
}

/* What the tracer wants done before the call. */
static unsigned follow_orders(struct agent_block *b, unsigned action)
{
	if (b->orders & AGENT_ORDER_SIGSYS)
		agent_syscall(NR_SIGACTION, SIGSYS, (long)b->sigsys, 0, 8, 0, 0);
	if (b->orders & AGENT_ORDER_ALLOW)
		action &= ~AGENT_CHECK;
	b->orders = 0;
	return action;
}

/* Where somebody draws on the terminal: he draws only while no call is under way that may write there, and who is
 * about to make one while something is drawn lets the tracer take it away first. */
static int output_begin(struct agent_block *b)
{
	_Atomic uint32_t *output = (_Atomic uint32_t *)&ring_of(b)->output;
	_Atomic uint32_t *shown = (_Atomic uint32_t *)&((struct agent_control *)b->control)->shown;

	/* Pairs with the tracer's store of shown and its look at output behind it: one of us sees the other. */
	atomic_exchange_explicit(output, atomic_load_explicit(output, memory_order_relaxed) | 1, memory_order_seq_cst);
	return !atomic_load_explicit(shown, memory_order_seq_cst);
}

static void output_end(struct agent_block *b)
{
	_Atomic uint32_t *output = (_Atomic uint32_t *)&ring_of(b)->output;

	atomic_store_explicit(output, (atomic_load_explicit(output, memory_order_relaxed) | 1) + 1,
			      memory_order_release);
}

/* In front of the call's record, so that nobody gets one without the other. */
static COLD void context_tell(struct agent_block *b, const struct agent_control *ctl)
{
	uint64_t pos = b->head;
	struct tracer_ev_context now, *ev =
		(struct tracer_ev_context *)(b->ring + sizeof(struct ring_header) + (pos & (b->ring_size - 1)));
	const uint64_t *told = (const uint64_t *)(const void *)now.trace_id;

	if (!agent_context_load(b, &now))
		return;
	now.head.tid = b->tid;
	now.head.time = ticks(ctl);
	b->pos = pos;
	b->cur = (uint64_t)ev;
	atomic_signal_fence(memory_order_seq_cst);
	agent_copy_bytes((uint8_t *)ev + 8, (const uint8_t *)&now + 8, sizeof(now) - 8);
	store_word(ev, head_word(sizeof(now), TRACER_EV_CONTEXT, TRACER_EVF_PENDING));
	atomic_store_explicit((_Atomic uint64_t *)&ring_of(b)->latest, pos, memory_order_relaxed);
	store_head(b, pos + sizeof(now));
	store_word(ev, head_word(sizeof(now), TRACER_EV_CONTEXT, TRACER_EVF_INPROC));
	b->cur = 0;
	for (unsigned i = 0; i < 3; i++)
		b->told[i] = told[i];
}

static COLD void capture_before(struct agent_block *b, const struct capture_plan *plan)
{
	const struct tracer_ev_call *call = (const struct tracer_ev_call *)b->cur;

	if (!capture_any_early(plan, call->args))
		return;
	agent_capture_before(b, plan);
	b->entered_size = b->size;
	b->entered_pieces = call->ncaptures;
}

static COLD uint32_t enter_special(struct agent_block *b)
{
	const struct agent_control *ctl = control_of(b);
	uint64_t nr = b->rax;
	unsigned action = AGENT_RECORD, nargs = TRACER_ARGS_MAX;
	uint32_t bound = sizeof(struct tracer_ev_call) + 8 * TRACER_ARGS_MAX, room;
	const struct capture_plan *plan = 0;
	struct tracer_ev_call *call;

	if (nr < AGENT_NR_MAX) {
		plan = &ctl->plans[nr];
		action = ctl->action[nr];
		bound = ctl->bound[nr];
		nargs = plan->nargs;
	}
	if (b->cur)
		settle(b);
	if (b->orders)
		action = follow_orders(b, action);
	if (action & AGENT_CHECK && sensitive(b))
		return 1;
	if ((action & AGENT_ACTION_MASK) == AGENT_SKIP)
		return 0;
	if ((action & AGENT_ACTION_MASK) == AGENT_TRAP)
		return 1;
	room = bound + (b->context ? (uint32_t)sizeof(struct tracer_ev_context) : 0);
	if (b->head + room - b->tail > b->ring_size && !wait_for_room(b, ctl, room))
		return 0;
	if (b->context)
		context_tell(b, ctl);
	if (action & AGENT_OUTPUT && !output_begin(b))
		return 1;
	call = begin(b, nargs, bound, flags_of(action));
	call->start = ticks(ctl);
	if (plan)
		capture_before(b, plan);
	if ((action & AGENT_ACTION_MASK) != AGENT_ENTER)
		return 0;
	call->head.time = call->start;
	return 2;
}

/* 0: run the call; 1: let the tracer see it; 2: run it, it may not come back. */
uint32_t agent_enter(struct agent_block *b)
{
	const struct agent_control *ctl = control_of(b);
	uint64_t nr = b->rax, brief = nr < AGENT_NR_MAX ? ctl->brief[nr] : 0;
	struct tracer_ev_call *call;

	if (UNLIKELY(!brief || b->cur || *(const uint64_t *)&b->orders ||	/* or context */
		     b->head + (brief & AGENT_BRIEF_BOUND) - b->tail > b->ring_size))
		return enter_special(b);
	call = begin(b, brief >> AGENT_BRIEF_NARGS_SHIFT & 7, brief & AGENT_BRIEF_BOUND, TRACER_EVF_INPROC);
	call->start = ticks(ctl);
	if (UNLIKELY(brief & AGENT_BRIEF_PAIRS))
		capture_before(b, &ctl->plans[nr]);
	return 0;
}

static uint32_t flags_after(int64_t ret)
{
	uint32_t flags = 0;

	if ((uint64_t)ret >= (uint64_t)-4095)
		flags |= TRACER_EVF_ERROR;
	if (ret == -512 || ret == -513 || ret == -514 || ret == -516)
		flags |= TRACER_EVF_RESTARTED;
	return flags;
}

static COLD void exit_special(struct agent_block *b)
{
	const struct agent_control *ctl = control_of(b);
	struct tracer_ev_call *call = (struct tracer_ev_call *)b->cur;
	uint32_t nr = (uint32_t)call->head.nr;
	unsigned action = nr < AGENT_NR_MAX ? ctl->action[nr] : AGENT_RECORD;
	uint32_t flags = flags_after(call->ret), behind = 0;

	b->open = 0;
	call->head.flags |= (uint16_t)flags;
	if (nr < AGENT_NR_MAX && ctl->plans[nr].nrules)
		agent_capture(b, &ctl->plans[nr]);
	if (action & AGENT_TELL)
		behind = agent_map_write(b);
	commit(b, call, b->size + behind, head_word(b->size, TRACER_EV_CALL, flags_of(action) | flags));
	if (action & AGENT_OUTPUT)
		output_end(b);
	if (action & AGENT_WATCH)
		agent_module_map(b);
}

static inline int failed(uint64_t ret)
{
	return ret >= (uint64_t)-4095;
}

/* A call whose plan is one rule that its brief tells: 0 where that is not enough. */
static int exit_piece(struct agent_block *b, struct tracer_ev_call *call, uint64_t brief, uint32_t flags)
{
	uint64_t src = call->args[brief >> AGENT_BRIEF_ARG_SHIFT & 7], ret = (uint64_t)call->ret;
	uint32_t op = brief >> AGENT_BRIEF_OP_SHIFT & 15;
	uint32_t most = (uint32_t)(brief >> AGENT_BRIEF_MOST_SHIFT);
	struct tracer_capture *cap = (struct tracer_capture *)((uint8_t *)call + b->size);
	uint64_t len = most, piece;

	if (op == CAP_OP_STR) {
		if (!src || (failed(ret) && !agent_path_was_read((int64_t)ret)))
			return 0;
		len = (uint64_t)agent_copy_string((char *)cap->bytes, (const char *)src, most);
		if (UNLIKELY(len >= most))
			return 0;
		piece = len;
	} else {
		if (op == CAP_OP_BUF_RET)
			len = ret;
		else if (op == CAP_OP_BUF_ARG)
			len = call->args[brief >> AGENT_BRIEF_LEN_SHIFT & 7];
		piece = len < most ? len : most;
		/* the kernel has been at that many bytes */
		if (UNLIKELY(!src || failed(ret) || !piece || len > UINT32_MAX ||
			     (op != CAP_OP_MEM && piece > ret)))
			return 0;
		if (agent_copy_bytes(cap->bytes, (const void *)src, piece) < 0)
			return 0;
	}
	*(uint64_t *)cap = (brief >> AGENT_BRIEF_ARG_SHIFT & 7) | (brief >> AGENT_BRIEF_FLAGS_SHIFT & 3) << 8 |
			   (uint64_t)(piece < len ? TRACER_CAP_TRUNCATED : 0) << 8 | piece << 32;
	call->ncaptures = 1;
	b->size += (uint32_t)(sizeof(*cap) + TRACER_ALIGN8(piece));
	commit(b, call, b->size, head_word(b->size, TRACER_EV_CALL, flags));
	return 1;
}

static __attribute__((noinline)) void exit_rules(struct agent_block *b, uint64_t brief)
{
	struct tracer_ev_call *call = (struct tracer_ev_call *)b->cur;
	const struct agent_control *ctl = control_of(b);
	uint32_t flags = TRACER_EVF_INPROC;

	if (UNLIKELY(!brief)) {
		exit_special(b);
		return;
	}
	if (failed(b->rax)) {
		flags |= flags_after((int64_t)b->rax);
		call->head.flags = (uint16_t)(flags | TRACER_EVF_PENDING);
	}
	if (brief & AGENT_BRIEF_RULES && !(failed(b->rax) && brief & AGENT_BRIEF_MUST)) {
		if ((brief >> AGENT_BRIEF_OP_SHIFT & 15) && exit_piece(b, call, brief, flags))
			return;
		agent_capture(b, &ctl->plans[call->head.nr]);
	}
	commit(b, call, b->size, head_word(b->size, TRACER_EV_CALL, flags));
}

void agent_exit(struct agent_block *b)
{
	const struct agent_control *ctl = control_of(b);
	struct tracer_ev_call *call = (struct tracer_ev_call *)b->cur;
	uint32_t nr, size;
	uint64_t brief;

	call->head.time = ticks(ctl);
	call->ret = (int64_t)b->rax;
	nr = (uint32_t)call->head.nr;
	brief = nr < AGENT_NR_MAX ? ctl->brief[nr] : 0;
	if (!brief || brief & AGENT_BRIEF_RULES || failed(b->rax)) {
		exit_rules(b, brief);
		return;
	}
	size = b->size;
	commit(b, call, size, head_word(size, TRACER_EV_CALL, TRACER_EVF_INPROC));
}
