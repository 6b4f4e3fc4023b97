/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody draws on the terminal that programs may write to (struct
 * engine_screen).  Programs that record themselves tell nobody that they write;
 * so each ring's header says whether its task is in such a call, and a
 * word of the image that all see says that something is drawn: who finds it
 * set before such a call goes by the tracer, which takes the drawing away.
 * Owned by the supervisor; the gate is called under the screen's lock, by
 * whoever draws.
 */
#include "config.h"
#include "engine/inproc.h"
#include <stdatomic.h>

static _Atomic uint32_t *shown_of(const struct inproc *e)
{
	struct agent_control *c = (struct agent_control *)(void *)(e->arena->image + e->arena->control_at);

	return (_Atomic uint32_t *)&c->shown;
}

static bool gate_close(void *ctx)
{
	struct inproc *e = ctx;
	uint32_t sum = 0, before = e->outputs;
	bool writing = false;

	/* Pairs with output_begin() in the agent: it sees this, or we see its count. */
	atomic_store_explicit(shown_of(e), 1, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = 0; i < e->arena->nslots; i++) {
		struct ring_header *ring;
		uint32_t n;

		if (!arena_slot_used(e->arena, i))
			continue;
		ring = arena_ring(e->arena, i);
		n = __atomic_load_n(&ring->output, __ATOMIC_SEQ_CST);
		/* a ring that was given up says nothing any more */
		writing |= n & 1 || __atomic_load_n(&ring->dead, __ATOMIC_RELAXED);
		sum += n;
	}
	e->outputs = sum;
	return !writing && sum == before;
}

static void gate_open(void *ctx)
{
	atomic_store_explicit(shown_of(ctx), 0, memory_order_seq_cst);
}

void screen_open(struct inproc *e)
{
	const struct engine_screen *screen = e->sup.cfg.screen;

	if (!screen)
		return;
	e->gate = (struct engine_gate){ gate_close, gate_open, e };
	screen->set_gate(screen->ctx, &e->gate);
}

void screen_close(struct inproc *e)
{
	const struct engine_screen *screen = e->sup.cfg.screen;

	if (screen && e->gate.ctx)
		screen->set_gate(screen->ctx, NULL);
}

void screen_output_end(struct inproc *e, const struct sup_task *t)
{
	struct ring_header *ring = arena_ring(e->arena, inproc_of(t)->slot);
	uint32_t n = __atomic_load_n(&ring->output, __ATOMIC_RELAXED);

	if (e->sup.cfg.screen && n & 1)
		__atomic_store_n(&ring->output, n + 1, __ATOMIC_RELEASE);
}
