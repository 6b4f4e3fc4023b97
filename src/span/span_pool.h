/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preallocated spans.  get() on the consumer thread only; put() from any
 * thread (lock-free return list, taken over whole by get when its own list is
 * empty).  Grows by chunks up to max; growth is not the steady state and is
 * counted.  disabled: plain malloc/free, for debugging with sanitizers.
 */
#ifndef SPAN_POOL_H
#define SPAN_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include "span/span.h"

struct span_pool;
/* bad_puts: puts of a span that was not out; refused, so that the list stays whole. */
struct span_pool_stats {
	uint64_t gets, puts, grown, refused, bad_puts;
	uint32_t size, max, in_use, high_water;
};

int span_pool_new(struct span_pool **out, uint32_t size, uint32_t max, bool disabled);
void span_pool_free(struct span_pool *p);	/* all spans must be back */
/* A reset span, or NULL: the pool is at max (counted as refused). */
struct span *span_pool_get(struct span_pool *p);
/* Drops the span's resource reference, too. */
void span_pool_put(struct span_pool *p, struct span *s);
/* All of them, with locked instructions for the whole lot instead of for each; none is NULL, none is with
 * somebody else. */
void span_pool_put_all(struct span_pool *p, struct span *const *spans, size_t n);
void span_pool_stats(const struct span_pool *p, struct span_pool_stats *out);

#endif
