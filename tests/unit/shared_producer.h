/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer for shared rings by the rules of ring_abi.h, as a test needs it:
 * what the agent does inside a tracee, in plain C.
 */
#ifndef SHARED_PRODUCER_H
#define SHARED_PRODUCER_H

#include <string.h>
#include "ring/ring_abi.h"

/* NULL: no room.  The caller fills and commits. */
static inline struct tracer_event *shared_reserve(struct ring_header *h, uint32_t size)
{
	uint64_t head = __atomic_load_n(&h->head, __ATOMIC_RELAXED);
	struct tracer_event *ev;

	if (head + size - __atomic_load_n(&h->tail, __ATOMIC_ACQUIRE) > h->size)
		return NULL;
	head = __atomic_fetch_add(&h->head, size, __ATOMIC_RELAXED);
	ev = (void *)((uint8_t *)(h + 1) + (head & (h->size - 1)));
	__atomic_store_n((uint64_t *)(void *)ev, (uint64_t)size | (uint64_t)TRACER_EVF_PENDING << 48,
			 __ATOMIC_RELEASE);
	return ev;
}

/* final < what was reserved: a filler is left behind. */
static inline void shared_commit(struct ring_header *h, struct tracer_event *ev, uint32_t final, uint8_t kind)
{
	uint8_t *data = (uint8_t *)(h + 1);
	uint64_t rest = ((uint64_t)((uint8_t *)ev - data) + final) & (h->size - 1);
	uint32_t reserved = ev->size;

	if (final < reserved)
		__atomic_store_n((uint64_t *)(void *)(data + rest), (uint64_t)(reserved - final),
				 __ATOMIC_RELAXED);
	__atomic_store_n((uint64_t *)(void *)ev, (uint64_t)final | (uint64_t)kind << 32, __ATOMIC_RELEASE);
}

/* A call record without arguments and with one capture's worth of text. */
static inline void shared_fill(struct tracer_event *ev, int32_t tid, int32_t nr, uint64_t time)
{
	struct tracer_ev_call *c = (void *)ev;

	ev->tid = tid;
	ev->nr = nr;
	ev->time = time;
	c->start = time;
	c->ret = nr;
}

#endif
