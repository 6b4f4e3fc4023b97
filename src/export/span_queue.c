/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ring of span pointers: the producer owns tail, the consumer head.  A slot
 * belongs to the producer before tail has passed it, to the consumer after.
 */
#include "config.h"
#include "export/span_queue.h"
#include <errno.h>
#include <stdlib.h>

int span_queue_init(struct span_queue *q, uint32_t limit)
{
	uint32_t slots = 1;

	while (slots < limit)
		slots *= 2;
	q->slots = calloc(slots, sizeof(*q->slots));
	q->mask = slots - 1;
	q->limit = limit;
	q->head_seen = 0;
	atomic_init(&q->tail, 0);
	atomic_init(&q->head, 0);
	return q->slots ? 0 : -ENOMEM;
}

void span_queue_fini(struct span_queue *q)
{
	free(q->slots);
	q->slots = NULL;
}

bool span_queue_push(struct span_queue *q, struct span *s)
{
	uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	if (tail - q->head_seen >= q->limit) {
		q->head_seen = atomic_load_explicit(&q->head, memory_order_acquire);	/* pairs with pop */
		if (tail - q->head_seen >= q->limit)
			return false;
	}
	q->slots[tail & q->mask] = s;
	/* Release for peek; sequentially consistent for the producer's look at
	 * the consumer's wake-up mark right after it. */
	atomic_store_explicit(&q->tail, tail + 1, memory_order_seq_cst);
	return true;
}

struct span *span_queue_peek(struct span_queue *q)
{
	uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	if (head == atomic_load_explicit(&q->tail, memory_order_acquire))	/* pairs with push */
		return NULL;
	return q->slots[head & q->mask];
}

void span_queue_pop(struct span_queue *q)
{
	uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	atomic_store_explicit(&q->head, head + 1, memory_order_release);	/* pairs with push */
}

uint64_t span_queue_tail(const struct span_queue *q)
{
	return atomic_load_explicit(&q->tail, memory_order_seq_cst);
}

uint32_t span_queue_depth(const struct span_queue *q)
{
	uint64_t head = atomic_load_explicit(&q->head, memory_order_seq_cst);

	return (uint32_t)(atomic_load_explicit(&q->tail, memory_order_seq_cst) - head);
}
