/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread's active span, in programs that publish it (OTEP 4947): looked at
 * before each call, as the supervisor does at its stops (engine/sup_context.c,
 * which finds out where a program keeps it).  Runs in the traced program, on
 * its own thread, on the agent's stack.
 *
 * The thread's own variable is read by loads, which could fault only where the
 * program has destroyed its thread-local storage (the tracer mends that).
 * What the variable points to is the program's word alone: it is read as
 * what may not be there.
 */
#include "agent/agent.h"

#define CONTEXT_NAME "OTEL_CTX"

/* OTEP 4947, the fixed part of a record. */
struct record {
	uint64_t trace_id[2], span_id;
	uint8_t valid, trace_flags;
	uint16_t attrs_size;
};

static uint64_t word_at(uint64_t addr)
{
	uint64_t word;

	return agent_copy_bytes(&word, (const void *)addr, sizeof(word)) ? 0 : word;
}

/* Address of the thread's variable, 0 where it has none yet. */
static uint64_t variable_of(const struct agent_block *b)
{
	uint64_t self = agent_thread_pointer(), block;

	if (self == UINT64_MAX)
		return 0;
	if (b->context == AGENT_CONTEXT_STATIC)
		return self + b->context_offset;
	/* glibc: the second word is the vector of blocks, an entry has 16 bytes, -1: not allocated */
	block = word_at(self + 8);
	if (block)
		block = word_at(block + 16 * b->context_module);
	return block && block != UINT64_MAX ? block + b->context_offset : 0;
}

static int record_read(struct agent_block *b, struct record *r)
{
	uint64_t at = variable_of(b), record = at ? word_at(at) : 0;

	return record && agent_read_self(b, record, r, sizeof(*r)) == sizeof(*r) && r->valid == 1 &&
	       (r->trace_id[0] || r->trace_id[1]) && r->span_id;
}

int agent_context_load(struct agent_block *b, struct tracer_ev_context *out)
{
	uint64_t *id = (uint64_t *)(void *)out->trace_id;	/* and the span's behind it */
	struct record r;

	*out = (struct tracer_ev_context){ .what = TRACER_CONTEXT_THREAD };
	if (record_read(b, &r)) {
		id[0] = r.trace_id[0];
		id[1] = r.trace_id[1];
		id[2] = r.span_id;
		out->trace_flags = r.trace_flags;
	}
	return id[0] != b->told[0] || id[1] != b->told[1] || id[2] != b->told[2];
}

int agent_context_named(struct agent_block *b)
{
	uint64_t name[2] = { 0, 0 }, want;

	agent_copy_bytes(&want, CONTEXT_NAME, sizeof(want));
	return agent_read_self(b, b->r8, name, sizeof(want) + 1) == sizeof(want) + 1 && name[0] == want && !name[1];
}
