/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which memory of a call is copied into its record: a plan per call, made
 * from the argument kinds.  Freestanding: the agent interprets the same plans
 * as the ptrace engine, from a copy in its own read-only data.
 *
 * "After" means: copied when the call has returned, under the named
 * condition.  Input strings and structures are taken after the call, too
 * (the kernel has read them), except for calls that may not return and for
 * what the kernel writes back, where CAP_F_ENTER is set, and where the program
 * has named the same memory for something that the kernel writes
 * (rt_sigprocmask(how, &set, &set)): see capture_early().
 *
 * What a rule puts into the record (piece = struct tracer_capture; index is
 * its .index), the same for every engine:
 *   STR        one piece, index 0: the string without its NUL; TRUNCATED
 *              where the limit cut it.  Limit: path_max, with CAP_F_DATA
 *              string_max.
 *   MEM, BUF_* one piece, index 0.  With CAP_F_DATA at most string_max bytes,
 *              TRUNCATED where there was more.
 *   OBJS_RET   one piece, index 0: whole objects only.
 *   STRV       one piece, index 0: the strings one after another, each with
 *              its NUL (one that was cut, too); at most vector_max of them,
 *              each at most as STR says; TRUNCATED where any was cut or left
 *              out.  A NULL vector gives no piece.
 *   COUNTV     one piece, index 0: a u64, the number of pointers before NULL;
 *              TRUNCATED where it is larger than CAPTURE_COUNT_MAX.
 *   IOV*       index 0: the array of iovecs as it lies in memory (whole
 *              elements, at most vector_max); index 1+i: data of element i,
 *              as long as pieces are left (an element without bytes gives no
 *              piece); all data together at most string_max.
 *   MSGHDR*    index 0: the msghdr as it lies in memory; index 1: name;
 *              index 2: the array of iovecs; index 3: control, at most
 *              CAPTURE_CONTROL_MAX; index 4+i: data of element i.
 * A NULL pointer gives no piece.  What cannot be read gives a piece with
 * TRACER_CAP_FAULT and the bytes that could be.  A piece that total_max cuts
 * is TRUNCATED; one that it leaves nothing of is left out.  A piece's flags
 * have the direction that the rule has (both bits where it has both).
 */
#ifndef CAPTURE_ABI_H
#define CAPTURE_ABI_H

#include <stdint.h>
#include <tracer/event.h>

enum capture_op {
	CAP_OP_NONE = 0,
	CAP_OP_STR,		/* NUL-terminated string, at most the string limit */
	CAP_OP_MEM,		/* size bytes */
	CAP_OP_BUF_ARG,		/* buffer; length is the value of args[len_arg] (times size if size) */
	CAP_OP_BUF_RET,		/* buffer; length is the return value */
	CAP_OP_BUF_PTR,		/* buffer; length is the 32-bit word at args[len_arg] (sockaddr out),
				   at most size, or CAPTURE_NAME_MAX where size is 0 */
	CAP_OP_IOV,		/* struct iovec[args[len_arg]] and the data they point to (in) */
	CAP_OP_IOV_RET,		/* the same, data limited by the return value (out) */
	CAP_OP_MSGHDR,		/* struct msghdr, name, iovecs and data (in) */
	CAP_OP_MSGHDR_RET,	/* the same, out */
	CAP_OP_STRV,		/* vector of strings (argv): up to the vector limit */
	CAP_OP_COUNTV,		/* vector of pointers: count only (envp), as one u64 */
	CAP_OP_OBJS_RET		/* array of size-byte objects; count is the return value */
};

#define CAP_F_IN	0x01u	/* kernel reads it */
#define CAP_F_OUT	0x02u	/* kernel writes it: only when the call succeeded */
#define CAP_F_ENTER	0x04u	/* take it before the call */
#define CAP_F_DATA	0x08u	/* user data (read/write buffers): limited by -s, dropped when -s 0 */
#define CAP_F_ALWAYS	0x10u	/* take it whatever the result (out even on error) */

struct capture_rule {
	uint8_t op;		/* enum capture_op */
	uint8_t arg;		/* index of the pointer argument */
	uint8_t len_arg;	/* index of the length argument, 0xff none */
	uint8_t flags;		/* CAP_F_* */
	uint16_t size;		/* object size in this ABI, or element size */
	uint16_t reserved0;
};

#define CAPTURE_RULES_MAX 8u	/* select: three sets and a timeout, before and after */
#define CAPTURE_COUNT_MAX 65536u	/* pointers that COUNTV counts */
#define CAPTURE_CONTROL_MAX 256u	/* bytes of a msghdr's control data */
#define CAPTURE_NAME_MAX 128u		/* bytes of a socket address */
#define CAPTURE_PAIRS_MAX 4u
struct capture_plan {
	uint8_t nrules;
	uint8_t nargs;		/* arguments to record */
	uint8_t flags;		/* CAP_PLAN_* */
	uint8_t wordsize;	/* 8 or 4: pointers in iovec, argv */
	/* rule that reads | rule that writes << 4, of other arguments; 0: none */
	uint8_t pairs[CAPTURE_PAIRS_MAX];
	struct capture_rule rules[CAPTURE_RULES_MAX];
};

#define CAP_PLAN_ENTER	0x01u	/* some rule has CAP_F_ENTER */
#define CAP_PLAN_DATA	0x02u	/* some rule has CAP_F_DATA */
#define CAP_PLAN_PAIRS	0x04u	/* there are pairs */

/* Limits of one run; the agent has a copy in its control page. */
struct capture_limits {
	uint32_t string_max;	/* -s: bytes of user data and of strings that are no paths */
	uint32_t path_max;	/* bytes of a path (4096) */
	uint32_t vector_max;	/* strings of an argv (64) */
	uint32_t total_max;	/* bytes of all captures of one call (16384) */
};

/* Bytes that a rule names as far as they are known before the call; at least 1. */
static inline uint64_t capture_extent(const struct capture_rule *rule, const uint64_t *args)
{
	uint64_t n = rule->size;

	if (rule->op == CAP_OP_BUF_ARG && rule->len_arg < TRACER_ARGS_MAX)
		n = (n ? n : 1) * (args[rule->len_arg] & 0xffffffffu);
	else if (rule->op != CAP_OP_MEM)
		n = 1;
	return n ? n : 1;
}

static inline int capture_overlaps(const struct capture_plan *plan, uint8_t pair, const uint64_t *args)
{
	const struct capture_rule *in = &plan->rules[pair & 15], *out = &plan->rules[pair >> 4];
	uint64_t from = args[in->arg], to = args[out->arg];

	return from - to < capture_extent(out, args) || to - from < capture_extent(in, args);
}

/* Rule i is to be run before the call. */
static inline int capture_early(const struct capture_plan *plan, unsigned i, const uint64_t *args)
{
	if (plan->rules[i].flags & CAP_F_ENTER)
		return 1;
	if (!(plan->flags & CAP_PLAN_PAIRS))
		return 0;
	for (unsigned k = 0; k < CAPTURE_PAIRS_MAX && plan->pairs[k]; k++)
		if ((plan->pairs[k] & 15) == i && capture_overlaps(plan, plan->pairs[k], args))
			return 1;
	return 0;
}

/* Some rule is. */
static inline int capture_any_early(const struct capture_plan *plan, const uint64_t *args)
{
	if (plan->flags & CAP_PLAN_ENTER)
		return 1;
	if (!(plan->flags & CAP_PLAN_PAIRS))
		return 0;
	for (unsigned k = 0; k < CAPTURE_PAIRS_MAX && plan->pairs[k]; k++)
		if (capture_overlaps(plan, plan->pairs[k], args))
			return 1;
	return 0;
}

_Static_assert(sizeof(struct capture_rule) == 8, "capture rule is ABI");
_Static_assert(sizeof(struct capture_plan) == 72, "capture plan is ABI");

#endif
