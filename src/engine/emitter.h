/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's way into its ring.  A call that finds no room makes its
 * task wait (the caller parks it); what happens to tasks can't wait, so such
 * records go to a bounded backlog in front of the ring and what does not fit
 * there is counted.  Supervisor thread only.
 */
#ifndef ENGINE_EMITTER_H
#define ENGINE_EMITTER_H

#include <stdbool.h>
#include <stdint.h>
#include "ring/ring_set.h"

#define EMITTER_BACKLOG_MAX (8u << 20)	/* bytes */

struct emitter {
	struct ring_set *rings;
	struct ring *ring;
	enum tracer_clock_source clock;
	bool drop;			/* a call that finds no room is counted, not waited for */
	uint64_t lost;			/* not yet told by a LOST record */
	uint64_t lost_total;
	uint64_t drained;		/* ring_set_drained() at the latest try */
	unsigned commits;
	uint8_t *backlog;		/* records [at, len) */
	uint32_t at, len, cap;
	uint8_t *scratch;		/* TRACER_EVENT_MAX bytes for records under construction */
};

int emitter_init(struct emitter *e, struct ring_set *rings, uint64_t ring_size,
		 enum tracer_clock_source clock, bool drop);
/* Writes what the backlog holds as far as there is room, closes the ring. */
void emitter_fini(struct emitter *e);

/* Room for a call's record of at most size bytes; NULL: none now. */
struct tracer_event *emitter_reserve(struct emitter *e, uint32_t size);
void emitter_commit(struct emitter *e, struct tracer_event *ev);
/* A call was not recorded because there was no room. */
void emitter_add_lost(struct emitter *e);

/* The scratch record with a filled head of size bytes; the rest up to size is zero. */
struct tracer_event *emitter_event(struct emitter *e, uint8_t kind, int32_t tid, uint32_t size);
/* Copies a record into the ring or the backlog; ev->size is rounded up. */
void emitter_write(struct emitter *e, struct tracer_event *ev);

/* Backlog into the ring.  True when it is empty. */
bool emitter_flush(struct emitter *e);
/* The consumer has made room since the latest call (or since a reserve failed). */
bool emitter_check_room(struct emitter *e);

#endif
