/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded queue of spans between one producer and one consumer thread.  No
 * locks, no waiting; who waits does so outside (see batch_processor.c).
 */
#ifndef SPAN_QUEUE_H
#define SPAN_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "span/span.h"

struct span_queue {
	struct span **slots;
	uint32_t mask, limit;			/* limit: spans it takes, slots are a power of two */
	_Alignas(64) atomic_uint_fast64_t tail;	/* spans ever pushed; producer */
	uint64_t head_seen;			/* producer's last look at head */
	_Alignas(64) atomic_uint_fast64_t head;	/* spans ever popped; consumer */
};

int span_queue_init(struct span_queue *q, uint32_t limit);	/* 0 or -ENOMEM */
void span_queue_fini(struct span_queue *q);
/* Producer.  False: full. */
bool span_queue_push(struct span_queue *q, struct span *s);
/* Consumer.  The oldest, left in place; NULL: empty. */
struct span *span_queue_peek(struct span_queue *q);
/* Consumer.  Removes what peek returned. */
void span_queue_pop(struct span_queue *q);
/* Any thread. */
uint64_t span_queue_tail(const struct span_queue *q);
uint32_t span_queue_depth(const struct span_queue *q);

#endif
