/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preallocated spans.  The consumer thread alone takes spans; any thread gives
 * them back.  A span that comes back is pushed onto an atomic list; when the
 * consumer's own list is empty it takes that list whole with one exchange, so
 * neither side ever walks memory that the other one changes (no ABA).
 *
 * Memory of a chunk is carved span by span as it is first needed: pages of
 * spans that were never in use stay untouched.  The pool owns the chunks; a
 * span has one owner at a time, told by its mark.
 */
#include "config.h"
#include "span/span_pool.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "span/resource.h"

enum { MARK_FREE = 0, MARK_TAKEN = 1 };

struct chunk {
	struct chunk *next;
	uint32_t spans, carved;
	char *mem;
};

struct span_pool {
	/* consumer's */
	struct span *free;
	struct chunk *chunks;		/* the first one is carved from */
	uint32_t chunk_size, max;
	bool disabled;
	/* written by the consumer, read by anybody */
	atomic_uint size, high_water;
	atomic_ullong gets, grown, refused;
	/* any thread's; on a line of its own */
	_Alignas(64) _Atomic(struct span *) returned;
	atomic_ullong puts, bad_puts;
};

/* Counters that only the consumer writes need no locked instruction. */
static void count(atomic_ullong *n)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

static int chunk_add(struct span_pool *p, uint32_t spans)
{
	struct chunk *c = malloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct chunk){ .next = p->chunks, .spans = spans };
	c->mem = malloc((size_t)spans * SPAN_SIZE);
	if (!c->mem) {
		free(c);
		return -ENOMEM;
	}
	p->chunks = c;
	atomic_fetch_add_explicit(&p->size, spans, memory_order_relaxed);
	return 0;
}

int span_pool_new(struct span_pool **out, uint32_t size, uint32_t max, bool disabled)
{
	struct span_pool *p;
	int ret;

	if (size == 0 || max < size)
		return -EINVAL;
	p = aligned_alloc(64, (sizeof(*p) + 63) & ~(size_t)63);
	if (!p)
		return -ENOMEM;
	*p = (struct span_pool){ .chunk_size = size, .max = max, .disabled = disabled };
	ret = disabled ? 0 : chunk_add(p, size);
	if (ret < 0) {
		free(p);
		return ret;
	}
	*out = p;
	return 0;
}

void span_pool_free(struct span_pool *p)
{
	struct chunk *c;

	if (!p)
		return;
	while ((c = p->chunks)) {
		p->chunks = c->next;
		free(c->mem);
		free(c);
	}
	free(p);
}

static uint32_t pool_in_use(const struct span_pool *p)
{
	/* puts first: what slips in between makes the figure too large, never negative. */
	unsigned long long puts = atomic_load_explicit(&p->puts, memory_order_acquire);

	return (uint32_t)(atomic_load_explicit(&p->gets, memory_order_relaxed) - puts);
}

static struct span *chunk_carve(struct span_pool *p)
{
	struct chunk *c = p->chunks;
	struct span *s;

	if (c->carved == c->spans)
		return NULL;
	s = (struct span *)(c->mem + (size_t)c->carved++ * SPAN_SIZE);
	s->pooled = MARK_FREE;
	return s;
}

static struct span *pool_grow(struct span_pool *p)
{
	uint32_t size = atomic_load_explicit(&p->size, memory_order_relaxed);
	uint32_t n = p->max - size < p->chunk_size ? p->max - size : p->chunk_size;

	if (n == 0 || chunk_add(p, n) < 0)
		return NULL;
	count(&p->grown);
	return chunk_carve(p);
}

static struct span *pool_take(struct span_pool *p)
{
	struct span *s;

	/* acquire: pairs with the release in pool_return(). */
	if (!p->free)
		p->free = atomic_exchange_explicit(&p->returned, NULL, memory_order_acquire);
	s = p->free;
	if (s) {
		p->free = s->next;
		return s;
	}
	s = chunk_carve(p);
	return s ? s : pool_grow(p);
}

static struct span *heap_take(struct span_pool *p)
{
	struct span *s = pool_in_use(p) < p->max ? malloc(SPAN_SIZE) : NULL;

	if (s)
		s->pooled = MARK_FREE;
	return s;
}

struct span *span_pool_get(struct span_pool *p)
{
	struct span *s = p->disabled ? heap_take(p) : pool_take(p);
	uint32_t in_use;

	if (!s) {
		count(&p->refused);
		return NULL;
	}
	span_reset(s);
	s->pooled = MARK_TAKEN;
	count(&p->gets);
	in_use = pool_in_use(p);
	if (in_use > atomic_load_explicit(&p->high_water, memory_order_relaxed))
		atomic_store_explicit(&p->high_water, in_use, memory_order_relaxed);
	return s;
}

/* A list from first to last. */
static void pool_return(struct span_pool *p, struct span *first, struct span *last)
{
	struct span *head = atomic_load_explicit(&p->returned, memory_order_relaxed);

	/* release: pairs with the acquire in pool_take(). */
	do
		last->next = head;
	while (!atomic_compare_exchange_weak_explicit(&p->returned, &head, first, memory_order_release,
						      memory_order_relaxed));
}

void span_pool_put(struct span_pool *p, struct span *s)
{
	struct resource *r;

	if (!s)
		return;
	/* A span that is not out must not get onto the list a second time. */
	if (__atomic_exchange_n(&s->pooled, MARK_FREE, __ATOMIC_RELAXED) != MARK_TAKEN) {
		atomic_fetch_add_explicit(&p->bad_puts, 1, memory_order_relaxed);
		return;
	}
	r = s->resource;
	s->resource = NULL;
	resource_put(r);
	/* Before it can be taken again, so that in_use never exceeds what is out. */
	atomic_fetch_add_explicit(&p->puts, 1, memory_order_release);
	if (p->disabled)
		free(s);
	else
		pool_return(p, s, s);
}

/* The references of spans to one resource, which those of a batch mostly share, are given back together. */
struct owed { struct resource *resource; uint32_t n; };

static void owed_add(struct owed *o, struct resource *r)
{
	if (r != o->resource) {
		resource_put_some(o->resource, o->n);
		*o = (struct owed){ .resource = r };
	}
	o->n++;
}

static bool span_release(struct span_pool *p, struct span *s, struct owed *o)
{
	/* nobody else has it: no exchange */
	if (__atomic_load_n(&s->pooled, __ATOMIC_RELAXED) != MARK_TAKEN) {
		atomic_fetch_add_explicit(&p->bad_puts, 1, memory_order_relaxed);
		return false;
	}
	__atomic_store_n(&s->pooled, MARK_FREE, __ATOMIC_RELAXED);
	owed_add(o, s->resource);
	s->resource = NULL;
	return true;
}

void span_pool_put_all(struct span_pool *p, struct span *const *spans, size_t n)
{
	struct owed owed = { NULL, 0 };
	struct span *first = NULL, *last = NULL;
	uint32_t good = 0;

	for (size_t i = 0; i < n; i++) {
		struct span *s = spans[i];

		if (!span_release(p, s, &owed))
			continue;
		good++;
		s->next = first;
		first = s;
		last = last ? last : s;
	}
	resource_put_some(owed.resource, owed.n);
	/* before they can be taken again: as in span_pool_put() */
	atomic_fetch_add_explicit(&p->puts, good, memory_order_release);
	if (first && !p->disabled)
		pool_return(p, first, last);
	while (p->disabled && first) {
		struct span *next = first->next;

		free(first);
		first = next;
	}
}

void span_pool_stats(const struct span_pool *p, struct span_pool_stats *out)
{
	*out = (struct span_pool_stats){
		.in_use = pool_in_use(p),
		.gets = atomic_load_explicit(&p->gets, memory_order_relaxed),
		.puts = atomic_load_explicit(&p->puts, memory_order_relaxed),
		.grown = atomic_load_explicit(&p->grown, memory_order_relaxed),
		.refused = atomic_load_explicit(&p->refused, memory_order_relaxed),
		.bad_puts = atomic_load_explicit(&p->bad_puts, memory_order_relaxed),
		.size = atomic_load_explicit(&p->size, memory_order_relaxed),
		.high_water = atomic_load_explicit(&p->high_water, memory_order_relaxed),
		.max = p->max,
	};
}
