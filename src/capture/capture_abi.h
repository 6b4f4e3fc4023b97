/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which memory of a call is copied into its record: a plan per call, made
 * from the argument kinds.  Freestanding: the agent interprets the same plans
 * as the ptrace engine, from a copy in its own read-only data.
 *
 * "After" means: copied when the call has returned, under the named
 * condition.  Input strings and structures are taken after the call, too
 * (the kernel has read them), except for calls that may not return, where
 * CAP_F_ENTER is set.
 */
#ifndef CAPTURE_ABI_H
#define CAPTURE_ABI_H

#include <stdint.h>

enum capture_op {
	CAP_OP_NONE = 0,
	CAP_OP_STR,		/* NUL-terminated string, at most the string limit */
	CAP_OP_MEM,		/* size bytes */
	CAP_OP_BUF_ARG,		/* buffer; length is the value of args[len_arg] (times size if size) */
	CAP_OP_BUF_RET,		/* buffer; length is the return value */
	CAP_OP_BUF_PTR,		/* buffer; length is the 32-bit word at args[len_arg] (sockaddr out) */
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

#define CAPTURE_RULES_MAX 6u
struct capture_plan {
	uint8_t nrules;
	uint8_t nargs;		/* arguments to record */
	uint8_t flags;		/* CAP_PLAN_* */
	uint8_t wordsize;	/* 8 or 4: pointers in iovec, argv */
	uint32_t reserved0;
	struct capture_rule rules[CAPTURE_RULES_MAX];
};

#define CAP_PLAN_ENTER	0x01u	/* some rule has CAP_F_ENTER */
#define CAP_PLAN_DATA	0x02u	/* some rule has CAP_F_DATA */

/* Limits of one run; the agent has a copy in its control page. */
struct capture_limits {
	uint32_t string_max;	/* -s: bytes of user data and of strings that are no paths */
	uint32_t path_max;	/* bytes of a path (4096) */
	uint32_t vector_max;	/* strings of an argv (64) */
	uint32_t total_max;	/* bytes of all captures of one call (16384) */
};

_Static_assert(sizeof(struct capture_rule) == 8, "capture rule is ABI");
_Static_assert(sizeof(struct capture_plan) == 56, "capture plan is ABI");

#endif
