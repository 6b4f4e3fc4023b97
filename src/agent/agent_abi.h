/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tracer and agent agree on.  The agent is freestanding code that the
 * tracer maps into a traced process; patched call sites jump to it, it runs
 * the system call and writes the record.  Freestanding header: nothing but
 * <stdint.h> and the ABI headers of ring and capture.
 *
 * Memory of the agent in one address space:
 *   image   text, then struct agent_control, struct agent_files, room for
 *           stubs, patched copies of files; read-only and executable, private
 *           (the tracer writes stubs through /proc/PID/mem, which copies the
 *           page; it goes on writing files and copies for all)
 *   slots   private anonymous memory, one slot a task:
 *           [ stack of the agent | struct agent_block ]; gs_base of a task is
 *           the address of its block
 *   rings   shared with the tracer, one ring a slot (ring_abi.h)
 *
 * A task has at most one call in flight: before any handler of the program
 * runs, the tracer finishes or rolls back the call that the signal found in
 * the agent.  So the block has room for one call, and the user's stack is
 * never touched.
 */
#ifndef AGENT_ABI_H
#define AGENT_ABI_H

#include <stddef.h>
#include <stdint.h>
#include "capture/capture_abi.h"
#include "ring/ring_abi.h"

#define AGENT_ABI_VERSION 1u
#define AGENT_MAGIC 0x31746e6567617274ull	/* "tragent1" without the p */

#define AGENT_NR_MAX 512u		/* numbers from here on have no plan: arguments only */
#define AGENT_SLOT_SIZE 16384u
#define AGENT_BLOCK_AT 12288u		/* offset of the block in its slot = size of the stack */
#define AGENT_STUBS_SIZE 65536u
#define AGENT_PATH_MAX 48u
#define AGENT_STAT_SIZE 144u		/* struct stat, which begins with device and inode (asm/stat.h) */
#define AGENT_ERR_CLOCK 62		/* ETIME: agent_boot() must not read the clock */
#define AGENT_MAP_BOUND (104u + 4096u)	/* record of a mapping: struct tracer_ev_map and a path */
#define AGENT_FILES_MAX 128u
#define AGENT_MODULES_MAX 40u
#define AGENT_MODULES_AT 12800u		/* offset of struct agent_modules in the first slot that is used */

/* What the recorder does with a number. */
enum agent_action {
	AGENT_RECORD = 0,	/* one record, after the call */
	AGENT_SKIP,		/* not selected: no record */
	AGENT_ENTER,		/* may not return: TRACER_EV_ENTER before the call */
	AGENT_TRAP		/* the tracer has to see it: run the original instruction */
};
#define AGENT_ACTION_MASK 0x07u
#define AGENT_OUTPUT 0x08u	/* with AGENT_RECORD: may write to a terminal, where somebody draws (agent_control.shown) */
#define AGENT_CHECK 0x40u	/* AGENT_TRAP for some arguments */
#define AGENT_WATCH 0x20u	/* with AGENT_RECORD: it may map code of a file (agent_module.c) */
#define AGENT_TELL 0x10u	/* with AGENT_RECORD: what it maps is told of (agent_map.c) */
#define AGENT_HIDDEN 0x80u	/* with AGENT_RECORD: TRACER_EVF_HIDDEN */

/* In a rule's reserved0: what the rule names is read or written by the kernel
 * whenever the call succeeds, all of it up to the length that the rule tells. */
#define AGENT_RULE_PROVEN 1u
/* And nothing is left to be asked but for pointer and result.  The bits above are how many bytes are
 * taken at the most, where neither room nor limit of the record can cut them; else 0. */
#define AGENT_RULE_SHORT 2u
#define AGENT_RULE_MOST_SHIFT 2
#define AGENT_RULE_MOST_MAX 16383u

#define AGENT_TRACER_GONE 0x40000000u	/* FUTEX_OWNER_DIED, linux/futex.h */

/* Written by the tracer into the image before any process maps it. */
struct agent_control {
	uint64_t magic;
	uint32_t version;
	uint32_t clock;				/* enum tracer_clock_source */
	uint32_t drop;				/* full ring: count the loss instead of waiting */
	uint32_t files_at;			/* offset of struct agent_files in the image, 0: none */
	uint32_t shown;				/* we have drawn on the terminal: AGENT_OUTPUT is AGENT_TRAP; atomic */
	uint32_t trap;				/* a system call instruction that the dispatch does not allow */
	/* A robust mutex of the tracer's, 0 or AGENT_TRACER_GONE in the first word where there is none, or none any
	 * more: the kernel writes that before it lets the tracer's tasks go (arena_watch()). */
	uint64_t tracer[5];
	struct capture_limits limits;
	uint8_t action[AGENT_NR_MAX];
	uint32_t bound[AGENT_NR_MAX];		/* room that a record can need */
	uint64_t brief[AGENT_NR_MAX];		/* AGENT_BRIEF_*: of calls with nothing special, else 0 */
	struct capture_plan plans[AGENT_NR_MAX];
};

/* What a file is known by, as fstat() tells it. */
struct agent_file_id {
	uint64_t dev, ino, size;
	uint64_t mtime, mtime_ns, ctime, ctime_ns;
};

/* Code of a file whose call sites are known.  The tracer writes it while programs read: all of it
 * before the count tells of it, later only copy, in one store. */
struct agent_file {
	struct agent_file_id id;
	uint64_t offset, length;		/* of the mapping of its code */
	uint64_t copy;				/* offset in the image of a copy with its sites patched */
};

struct agent_files {
	uint32_t count;
	uint32_t reserved0;
	struct agent_file files[AGENT_FILES_MAX];
};

/* Code of a file that a program has mapped.  Written by the program: at comes last. */
struct agent_module {
	uint64_t at, length, offset;
	uint64_t copy;				/* the patched copy that lies there; 0: the file itself */
	struct agent_file_id id;
};

struct agent_modules {
	uint32_t count;
	uint32_t refused;			/* had no room */
	uint64_t linker, linker_length;		/* code of the program's interpreter; 0: none is known */
	struct agent_module modules[AGENT_MODULES_MAX];
};

/* All that the recorder has to know of most calls, in one word: the bound, and these. */
#define AGENT_BRIEF_BOUND 0xfffffull
#define AGENT_BRIEF_NARGS_SHIFT 20	/* 3 bits */
#define AGENT_BRIEF_RULES (1ull << 23)	/* its plan has rules, for after the call */
/* The only rule, where it is short and never cut by the room of the record. */
#define AGENT_BRIEF_OP_SHIFT 24		/* 4 bits, 0: not so */
#define AGENT_BRIEF_ARG_SHIFT 28	/* 3 bits */
#define AGENT_BRIEF_LEN_SHIFT 31	/* 3 bits: argument that is the length */
#define AGENT_BRIEF_FLAGS_SHIFT 34	/* 2 bits: CAP_F_IN, CAP_F_OUT */
#define AGENT_BRIEF_MUST (1ull << 36)	/* nothing is taken where the call fails */
#define AGENT_BRIEF_PAIRS (1ull << 37)	/* some rules perhaps for before: never with the only one */
#define AGENT_BRIEF_MOST_SHIFT 40	/* 14 bits: bytes */

/* What of capture.c's rule_wanted() does not depend on the call. */
static inline int agent_rule_is_short(const struct agent_control *c, const struct capture_plan *p,
				      const struct capture_rule *r)
{
	if (!(r->reserved0 & AGENT_RULE_PROVEN) || r->flags & CAP_F_ENTER || r->arg >= p->nargs)
		return 0;
	if (r->flags & CAP_F_DATA && !c->limits.string_max)
		return 0;
	return r->op == CAP_OP_STR || r->op == CAP_OP_MEM || r->op == CAP_OP_BUF_RET ||
	       (r->op == CAP_OP_BUF_ARG && r->len_arg < p->nargs) || (r->op == CAP_OP_OBJS_RET && r->size);
}

/* Bytes that a rule takes at the most. */
static inline uint64_t agent_rule_most(const struct agent_control *c, const struct capture_rule *r)
{
	uint64_t most = r->op == CAP_OP_STR ? c->limits.path_max : r->op == CAP_OP_MEM ? r->size : UINT32_MAX;

	return r->flags & CAP_F_DATA && c->limits.string_max < most ? c->limits.string_max : most;
}

/* Marks a plan's short rules. */
static inline void agent_plan_finish(const struct agent_control *c, struct capture_plan *p, uint32_t bound)
{
	uint64_t bytes = 0, room = 64 + 8ull * p->nargs + 8;

	for (unsigned i = 0; i < p->nrules; i++) {
		bytes += agent_rule_most(c, &p->rules[i]);
		room += 8 + ((agent_rule_most(c, &p->rules[i]) + 7) & ~7ull);
	}
	for (unsigned i = 0; i < p->nrules; i++) {
		struct capture_rule *r = &p->rules[i];
		uint64_t most = agent_rule_most(c, r);

		if (!agent_rule_is_short(c, p, r))
			continue;
		if (bytes > c->limits.total_max || room > (bound & ~7u) || most > AGENT_RULE_MOST_MAX)
			most = 0;
		r->reserved0 = (uint16_t)(AGENT_RULE_PROVEN | AGENT_RULE_SHORT | most << AGENT_RULE_MOST_SHIFT);
	}
}

static inline uint64_t agent_brief_rule(const struct capture_rule *r)
{
	uint64_t most = r->reserved0 >> AGENT_RULE_MOST_SHIFT;

	if (!(r->reserved0 & AGENT_RULE_SHORT) || !most || r->op == CAP_OP_OBJS_RET ||
	    (r->op == CAP_OP_MEM && r->size != most) ||
	    (r->op == CAP_OP_BUF_ARG && (r->size || !(r->flags & CAP_F_DATA))))
		return 0;
	return (uint64_t)r->op << AGENT_BRIEF_OP_SHIFT | (uint64_t)r->arg << AGENT_BRIEF_ARG_SHIFT |
	       (uint64_t)(r->len_arg & 7) << AGENT_BRIEF_LEN_SHIFT |
	       (uint64_t)(r->flags & (CAP_F_IN | CAP_F_OUT)) << AGENT_BRIEF_FLAGS_SHIFT |
	       (r->flags & (CAP_F_IN | CAP_F_ALWAYS) ? 0 : AGENT_BRIEF_MUST) | most << AGENT_BRIEF_MOST_SHIFT;
}

/* When the tables above are complete. */
static inline void agent_control_finish(struct agent_control *c)
{
	for (unsigned nr = 0; nr < AGENT_NR_MAX; nr++) {
		struct capture_plan *p = &c->plans[nr];

		agent_plan_finish(c, p, c->bound[nr]);
		c->brief[nr] = 0;
		if (c->action[nr] == AGENT_RECORD && !(p->flags & CAP_PLAN_ENTER))
			c->brief[nr] = c->bound[nr] | (uint64_t)p->nargs << AGENT_BRIEF_NARGS_SHIFT |
				       (p->nrules ? AGENT_BRIEF_RULES : 0) |
				       (p->flags & CAP_PLAN_PAIRS ? AGENT_BRIEF_PAIRS : 0) |
				       (p->nrules == 1 ? agent_brief_rule(&p->rules[0]) : 0);
	}
}
_Static_assert(CAP_OP_OBJS_RET < 16 && TRACER_EVENT_MAX <= AGENT_BRIEF_BOUND, "a brief has room for it");

/* What the exec loader hands to agent_boot, on the new stack. */
struct agent_boot {
	uint64_t entry;				/* where the program begins */
	uint64_t sp;
	uint64_t image_size;
	uint64_t slots_size;
	uint64_t rings_size;			/* bytes of the mapping */
	uint64_t ring_stride;
	uint64_t ring_size;			/* data bytes of one ring */
	uint64_t head, tail;			/* where this task's ring goes on */
	uint32_t slot;
	int32_t tid;
	char image_path[AGENT_PATH_MAX];
	char rings_path[AGENT_PATH_MAX];
	uint64_t dev, image_ino, rings_ino;	/* what these are: a path may lead elsewhere */
	uint8_t stat[AGENT_STAT_SIZE];		/* room for the loader */
	struct agent_module modules[2];		/* the executable and its interpreter; length 0: not told */
};

/* One task's state.  Offsets are used by the assembly: see the asserts. */
struct agent_block {
	uint64_t entry;		/* where stubs jump to */
	uint64_t stack;		/* top of the agent's stack of this task */
	uint64_t sp;		/* the call in flight: the program's stack pointer */
	uint64_t cont;		/* ... where it goes on; "0f 05" lies right before that */
	uint64_t ip;		/* ... address behind the original instruction */
	uint64_t rax;		/* ... number, then result */
	uint64_t rdi, rsi, rdx, r10, r8, r9;
	uint64_t flags;		/* ... ah from lahf, al overflow */
	uint64_t self;		/* address of this block */
	uint64_t cur;		/* address of the pending record, 0: none */
	uint64_t pos;		/* ... its position in the ring */
	uint64_t head;		/* our position; the shared copy is for the consumer */
	uint64_t tail;		/* consumer's position when we last looked */
	uint64_t ring;		/* address of our struct ring_header */
	uint64_t ring_size;
	uint64_t image;		/* base of the image */
	uint64_t slots;
	uint64_t rings;
	uint64_t control;
	int32_t tid;
	uint32_t slot;
	int32_t pid;		/* own pid in our own namespace, 0: not asked yet */
	uint32_t size;		/* bytes of the pending record so far */
	uint32_t entered_size;	/* ... before the call, ... */
	uint32_t entered_pieces;	/* ... with so many captures */
	uint64_t sigsys[4];	/* AGENT_ORDER_SIGSYS: the program's own action */
	uint32_t orders;	/* AGENT_ORDER_*: from the tracer, for the next call */
	uint32_t context;	/* enum agent_context: the program publishes its threads' active spans; the tracer's alone */
	uint64_t modules;	/* address of struct agent_modules */
	uint64_t context_offset;	/* of the variable: from the thread pointer, or in the block of the module */
	uint64_t context_module;
	uint64_t told[3];	/* trace and span that were told last; 0 none */
	uint32_t open;		/* cur's call was made and may not come back */
	uint32_t reserved0;
	uint64_t magic;
};

/* Where the variable is that points to a thread's active span (OTEP 4947). */
enum agent_context {
	AGENT_CONTEXT_NONE = 0,
	AGENT_CONTEXT_STATIC,	/* at an offset from the thread pointer */
	AGENT_CONTEXT_MODULE	/* in a module's block, which the thread's vector tells (glibc) */
};

#define AGENT_ORDER_ALLOW 1u	/* AGENT_CHECK was looked at: make the call */
#define AGENT_ORDER_SIGSYS 2u	/* the kernel has reset the program's action: set it again */

#define AGENT_B_ENTRY 0
#define AGENT_B_STACK 8
#define AGENT_B_SP 16
#define AGENT_B_CONT 24
#define AGENT_B_IP 32
#define AGENT_B_RAX 40
#define AGENT_B_RDI 48
#define AGENT_B_RSI 56
#define AGENT_B_RDX 64
#define AGENT_B_R10 72
#define AGENT_B_R8 80
#define AGENT_B_R9 88
#define AGENT_B_FLAGS 96
#define AGENT_B_SELF 104
#define AGENT_B_CUR 112
#define AGENT_B_CONTROL 184
#define AGENT_B_OPEN 304
#define AGENT_C_TRAP 28
#define AGENT_C_TRACER 32

_Static_assert(offsetof(struct agent_block, entry) == AGENT_B_ENTRY, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, stack) == AGENT_B_STACK, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, sp) == AGENT_B_SP, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, cont) == AGENT_B_CONT, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, ip) == AGENT_B_IP, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, rax) == AGENT_B_RAX, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, rdi) == AGENT_B_RDI, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, r9) == AGENT_B_R9, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, flags) == AGENT_B_FLAGS, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, self) == AGENT_B_SELF, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, cur) == AGENT_B_CUR, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, orders) % 8 == 0 &&
	       offsetof(struct agent_block, context) == offsetof(struct agent_block, orders) + 4, "looked at as one word");
_Static_assert(sizeof(struct agent_block) == 320, "block is ABI");
_Static_assert(offsetof(struct agent_block, open) == AGENT_B_OPEN, "offset known to the assembly");
_Static_assert(offsetof(struct agent_block, control) == AGENT_B_CONTROL, "offset known to the assembly");
_Static_assert(offsetof(struct agent_control, trap) == AGENT_C_TRAP, "offset known to the assembly");
_Static_assert(offsetof(struct agent_control, tracer) == AGENT_C_TRACER, "offset known to the assembly");
_Static_assert(AGENT_BLOCK_AT + sizeof(struct agent_block) <= AGENT_MODULES_AT, "modules lie behind the block");
_Static_assert(AGENT_MODULES_AT + sizeof(struct agent_modules) <= AGENT_SLOT_SIZE, "and in its slot");
_Static_assert(sizeof(struct agent_boot) == 520, "boot is ABI");

/* The agent as linked: bytes and the offsets of its landmarks. */
struct agent_image {
	const uint8_t *text;
	uint32_t text_size;
	uint32_t entry;		/* patched sites come in here, one after the other: */
	uint32_t pivot;		/* ... first instruction with the program's stack pointer put away */
	uint32_t number;	/* ... the number is saved */
	uint32_t saved;		/* ... first instruction with all registers saved */
	uint32_t entered;	/* ... return address of the recorder's first half */
	uint32_t call;		/* ... the system call instruction */
	uint32_t after;		/* ... behind it */
	uint32_t result;	/* ... the result is saved */
	uint32_t left;		/* ... return address of the recorder's second half */
	uint32_t trap;		/* ... from here on the call is given back to the tracer */
	uint32_t end;		/* ... end of this stretch */
	uint32_t watched;	/* the same for programs that outlive the tracer ... */
	uint32_t swapped;	/* ... here rcx is no longer, but r11 is where to go on */
	uint32_t watched_end;
	uint32_t child;		/* first instruction of a new task */
	uint32_t child_call;	/* ... behind its own system call */
	uint32_t boot;		/* first instruction after exec */
	uint32_t boot_failed;	/* ... its trap: nothing is mapped but the image */
	uint32_t copy, copy_end, copy_fault;	/* loads that may fault lie between the first two */
};

#ifdef AGENT_HOST
extern const struct agent_image agent_image;
#endif

#endif
