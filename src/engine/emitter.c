/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ring, backlog and loss count of one supervisor.  All on the supervisor
 * thread; the ring itself belongs to the ring set.
 */
#include "config.h"
#include "engine/emitter.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WAKE_COMMITS 64u	/* look at the fill level once in so many records */
#define BACKLOG_START 65536u

int emitter_init(struct emitter *e, struct ring_set *rings, uint64_t ring_size,
		 enum tracer_clock_source clock, bool drop)
{
	*e = (struct emitter){ .rings = rings, .clock = clock, .drop = drop };
	e->scratch = calloc(1, TRACER_EVENT_MAX);
	if (!e->scratch)
		return -ENOMEM;
	return ring_set_add(rings, NULL, ring_size, NULL, NULL, &e->ring);
}

static void lost_count(struct emitter *e, uint64_t n)
{
	e->lost += n;
	e->lost_total += n;
	__atomic_fetch_add(&e->ring->hdr->lost, n, __ATOMIC_RELAXED);
}

void emitter_fini(struct emitter *e)
{
	if (e->ring) {
		if (!emitter_flush(e)) {
			uint32_t at = e->at;
			uint64_t n = 0;

			for (; at < e->len; n++)
				at += ((struct tracer_event *)(e->backlog + at))->size;
			lost_count(e, n);
		}
		ring_set_close(e->rings, e->ring);
	}
	free(e->backlog);
	free(e->scratch);
	*e = (struct emitter){ 0 };
}

static bool lost_flush(struct emitter *e)
{
	struct tracer_ev_lost *ev = (struct tracer_ev_lost *)ring_reserve(e->ring, sizeof(*ev));

	if (!ev)
		return false;
	ev->head = (struct tracer_event){ .size = sizeof(*ev), .kind = TRACER_EV_LOST };
	ev->head.time = clock_ticks(e->clock);
	ev->count = e->lost;
	ring_commit(e->ring, &ev->head);
	e->lost = 0;
	return true;
}

bool emitter_flush(struct emitter *e)
{
	while (e->at < e->len) {
		const struct tracer_event *from = (const struct tracer_event *)(e->backlog + e->at);
		struct tracer_event *to = ring_reserve(e->ring, from->size);

		if (!to)
			return false;
		memcpy(to, from, from->size);
		ring_commit(e->ring, to);
		e->at += from->size;
	}
	e->at = e->len = 0;
	return !e->lost || lost_flush(e);
}

static void room_missing(struct emitter *e)
{
	e->drained = ring_set_drained(e->rings);
	ring_set_wake(e->rings);
}

static bool in_order(struct emitter *e)
{
	return (e->at == e->len && !e->lost) || emitter_flush(e);
}

struct tracer_event *emitter_reserve(struct emitter *e, uint32_t size)
{
	struct tracer_event *ev = NULL;

	if (in_order(e))
		ev = ring_reserve(e->ring, size);
	if (!ev) {
		room_missing(e);
		/* the consumer may have made room between the two looks */
		if (in_order(e))
			ev = ring_reserve(e->ring, size);
	}
	return ev;
}

void emitter_commit(struct emitter *e, struct tracer_event *ev)
{
	ring_commit(e->ring, ev);
	ring_set_bell(e->rings);
	if (++e->commits % WAKE_COMMITS == 0 && ring_used(e->ring) > e->ring->size / 2)
		ring_set_wake(e->rings);
}

void emitter_add_lost(struct emitter *e)
{
	lost_count(e, 1);
}

struct tracer_event *emitter_event(struct emitter *e, uint8_t kind, int32_t tid, uint32_t size)
{
	struct tracer_event *ev = (struct tracer_event *)e->scratch;

	memset(ev, 0, size);
	ev->size = size;
	ev->kind = kind;
	ev->tid = tid;
	ev->time = clock_ticks(e->clock);
	return ev;
}

static bool backlog_grow(struct emitter *e, uint32_t size)
{
	uint32_t cap = e->cap ? e->cap : BACKLOG_START;
	uint8_t *p;

	if (e->len + size <= e->cap)
		return true;
	while (cap < e->len + size)
		cap *= 2;
	if (cap > EMITTER_BACKLOG_MAX)
		return false;
	p = realloc(e->backlog, cap);
	if (!p)
		return false;
	e->backlog = p;
	e->cap = cap;
	return true;
}

void emitter_write(struct emitter *e, struct tracer_event *ev)
{
	struct tracer_event *to;

	ev->size = TRACER_ALIGN8(ev->size);
	to = emitter_reserve(e, ev->size);
	if (to) {
		memcpy(to, ev, ev->size);
		emitter_commit(e, to);
	} else if (backlog_grow(e, ev->size)) {
		memcpy(e->backlog + e->len, ev, ev->size);
		e->len += ev->size;
	} else {
		lost_count(e, 1);
	}
}

bool emitter_check_room(struct emitter *e)
{
	return ring_set_drained(e->rings) != e->drained;
}
