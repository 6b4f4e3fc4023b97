/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rings of a session.  The supervisor adds and closes, the consumer
 * merges and releases; what they share is atomic.  A ring's memory belongs to
 * the set (private) or to who handed it over (shared); its notes are freed by
 * the consumer when the ring is closed and empty.
 *
 * The consumer works in rounds: read the clock, look at every ring that has no
 * record in the heap, then hand out by time what is not younger than the
 * clock.  A record that is committed later than the look is younger, so the
 * order over all rings holds without polling every ring for every record.
 */
#include "config.h"
#include "ring/ring_set.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "ring/ring_map.h"

struct ring_slot {
	struct ring ring;
	struct ring_map map;		/* private memory; mem NULL: shared */
	void (*release)(void *ctx, void *mem);
	void *ctx;
	size_t index;
	atomic_bool closed;		/* supervisor -> consumer */
	bool in_heap;
	bool counted_bad;
};

struct heap_entry { uint64_t time, round; struct ring_slot *slot; };

struct ring_set {
	size_t max;
	bool timed;			/* source is known */
	enum tracer_clock_source source;
	_Atomic(struct ring_slot *) *slots;	/* set by the supervisor, NULLed by the consumer */
	atomic_size_t top;		/* slots in use are below it */
	size_t cursor;			/* supervisor: where a free slot may be */
	atomic_bool finished;
	_Atomic uint32_t wake;		/* futex: consumer sleeps on it */
	_Atomic uint32_t sleeping;	/* consumer is about to */
	_Atomic uint32_t idle;		/* and wants the bell for the next record; taken back by who rings */
	_Atomic uint32_t shared;	/* rings that the supervisor does not write */
	_Atomic uint32_t drained;	/* futex: supervisor sleeps on it */
	_Atomic uint32_t drain_waiters;
	_Atomic uint64_t added;
	/* consumer */
	struct heap_entry *heap;
	size_t nheap;
	uint64_t horizon;
	uint64_t round;			/* looks so far */
	uint32_t seen_wake;
	struct ring_slot *current;	/* whose record is out */
	const struct tracer_event *current_ev;
	uint8_t *copy;
	struct ring_set_stats stats;	/* of released rings; records and bytes of all */
};

/* ---- both sides ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, seen, &ts, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0);
}

int ring_set_new(struct ring_set **out, size_t max_rings)
{
	struct ring_set *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return -ENOMEM;
	s->max = max_rings;
	s->horizon = UINT64_MAX;
	s->slots = calloc(max_rings, sizeof(*s->slots));
	s->heap = calloc(max_rings, sizeof(*s->heap));
	s->copy = aligned_alloc(64, TRACER_EVENT_MAX);
	if (!s->slots || !s->heap || !s->copy) {
		ring_set_free(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void ring_set_set_clock(struct ring_set *s, enum tracer_clock_source source)
{
	s->timed = true;
	s->source = source;
	s->horizon = 0;
}

static void slot_free(struct ring_slot *slot)
{
	if (slot->release)
		slot->release(slot->ctx, slot->ring.hdr);
	ring_map_close(&slot->map);
	free(slot);
}

void ring_set_free(struct ring_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->slots && i < s->top; i++) {
		if (s->slots[i])
			slot_free(s->slots[i]);
	}
	free(s->copy);
	free(s->heap);
	free(s->slots);
	free(s);
}

/* ---- supervisor ---- */

static int slot_new(struct ring_set *s, void *mem, uint64_t size, struct ring_slot **out)
{
	struct ring_slot *slot = aligned_alloc(64, (sizeof(*slot) + 63) & ~(size_t)63);
	int err;

	if (!slot)
		return -ENOMEM;
	*slot = (struct ring_slot){ .map.fd = -1 };
	if (mem) {
		err = ring_open(&slot->ring, mem, ring_bytes(size), s->copy);
	} else {
		err = ring_map_open(&slot->map, size, false);
		if (err == 0)
			err = ring_init(&slot->ring, slot->map.mem, size);
	}
	if (err < 0) {
		ring_map_close(&slot->map);
		free(slot);
		return err;
	}
	*out = slot;
	return 0;
}

static int free_index(struct ring_set *s, size_t *out)
{
	for (size_t n = 0; n < s->max; n++) {
		size_t i = (s->cursor + n) % s->max;

		/* Pairs with the release in slot_release(). */
		if (!atomic_load_explicit(&s->slots[i], memory_order_acquire)) {
			*out = i;
			s->cursor = i + 1;
			return 0;
		}
	}
	return -ENOSPC;
}

int ring_set_add(struct ring_set *s, void *mem, uint64_t size,
		 void (*release)(void *ctx, void *mem), void *ctx, struct ring **out)
{
	struct ring_slot *slot = NULL;
	size_t index;
	int err = free_index(s, &index);

	if (err == 0)
		err = slot_new(s, mem, size, &slot);
	if (err < 0)
		return err;
	slot->release = release;
	slot->ctx = ctx;
	slot->index = index;
	*out = &slot->ring;
	/* Release pairs with the acquire in adopt(). */
	atomic_store_explicit(&s->slots[index], slot, memory_order_release);
	atomic_fetch_add_explicit(&s->added, 1, memory_order_relaxed);
	if (slot->ring.shared)
		atomic_fetch_add_explicit(&s->shared, 1, memory_order_relaxed);
	if (index >= atomic_load_explicit(&s->top, memory_order_relaxed))
		atomic_store_explicit(&s->top, index + 1, memory_order_release);
	return 0;
}

void ring_set_close(struct ring_set *s, struct ring *r)
{
	struct ring_slot *slot = (struct ring_slot *)(void *)((char *)r - offsetof(struct ring_slot, ring));

	/* Release: all records first.  Pairs with the acquire in look(). */
	atomic_store_explicit(&slot->closed, true, memory_order_release);
	ring_set_wake(s);
}

void ring_set_finish(struct ring_set *s)
{
	atomic_store_explicit(&s->finished, true, memory_order_release);
	ring_set_wake(s);
}

void ring_set_wake(struct ring_set *s)
{
	/* Pairs with the store in ring_set_wait(): either it sees the new number or
	 * we see that it sleeps. */
	atomic_fetch_add_explicit(&s->wake, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&s->sleeping, memory_order_seq_cst))
		futex_wake(&s->wake);
}

void ring_set_bell(struct ring_set *s)
{
	/* The exchange and that in ring_set_wait_idle() are in one order: either we see that the
	 * consumer is idle, or it sees what was committed before. */
	if (atomic_exchange_explicit(&s->idle, 0, memory_order_acq_rel))
		ring_set_wake(s);
}

uint32_t ring_set_shared(const struct ring_set *s)
{
	return atomic_load_explicit(&((struct ring_set *)s)->shared, memory_order_relaxed);
}

uint32_t ring_set_drained(const struct ring_set *s)
{
	return atomic_load_explicit(&((struct ring_set *)s)->drained, memory_order_acquire);
}

void ring_set_wait_drained(struct ring_set *s, uint32_t seen, uint64_t ns)
{
	/* Before the kernel compares drained: pairs with the load in drained_tick(). */
	atomic_fetch_add_explicit(&s->drain_waiters, 1, memory_order_seq_cst);
	futex_wait(&s->drained, seen, ns);
	atomic_fetch_sub_explicit(&s->drain_waiters, 1, memory_order_relaxed);
}

/* ---- consumer ---- */

static void drained_tick(struct ring_set *s)
{
	atomic_fetch_add_explicit(&s->drained, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&s->drain_waiters, memory_order_seq_cst))
		futex_wake(&s->drained);
}

static void heap_push(struct ring_set *s, struct ring_slot *slot, uint64_t time)
{
	size_t i = s->nheap++;

	while (i && s->heap[(i - 1) / 2].time > time) {
		s->heap[i] = s->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->heap[i] = (struct heap_entry){ time, s->round, slot };
	slot->in_heap = true;
}

/* e in the place of the top, and down to where it belongs. */
static void heap_set_top(struct ring_set *s, struct heap_entry e)
{
	size_t i = 0;
	size_t c;

	while ((c = 2 * i + 1) < s->nheap) {
		if (c + 1 < s->nheap && s->heap[c + 1].time < s->heap[c].time)
			c++;
		if (s->heap[c].time >= e.time)
			break;
		s->heap[i] = s->heap[c];
		i = c;
	}
	s->heap[i] = e;
}

static void heap_pop(struct ring_set *s)
{
	struct heap_entry last = s->heap[--s->nheap];

	s->heap[0].slot->in_heap = false;
	heap_set_top(s, last);
}

static void stats_add(struct ring_set_stats *st, const struct ring *r)
{
	const struct ring_header *h = r->hdr;

	st->lost += __atomic_load_n(&h->lost, __ATOMIC_RELAXED);
	st->waits += __atomic_load_n(&h->waits, __ATOMIC_RELAXED);
	st->waited_ticks += __atomic_load_n(&h->waited_ticks, __ATOMIC_RELAXED);
	st->dropped += r->dropped;
	if (r->high_water > st->high_water)
		st->high_water = r->high_water;
}

static void slot_release(struct ring_set *s, struct ring_slot *slot)
{
	stats_add(&s->stats, &slot->ring);
	if (slot->ring.shared)
		atomic_fetch_sub_explicit(&s->shared, 1, memory_order_relaxed);
	atomic_store_explicit(&s->slots[slot->index], NULL, memory_order_release);
	slot_free(slot);
}

static void note_bad(struct ring_set *s, struct ring_slot *slot)
{
	if (!slot->counted_bad && __atomic_load_n(&slot->ring.bad, __ATOMIC_RELAXED)) {
		slot->counted_bad = true;
		s->stats.bad++;
		drained_tick(s);
	}
}

/* One ring without a record in the heap. */
static void look(struct ring_set *s, struct ring_slot *slot)
{
	/* Before the look: what was written before the close is then seen. */
	bool closed = atomic_load_explicit(&slot->closed, memory_order_acquire);
	uint64_t time;

	slot->ring.closed = closed;
	if (ring_poll(&slot->ring, &time)) {
		heap_push(s, slot, time);
		return;
	}
	note_bad(s, slot);
	if (ring_publish(&slot->ring))
		drained_tick(s);
	if (closed)
		slot_release(s, slot);
}

static void look_at_all(struct ring_set *s)
{
	size_t top;

	/* Before the look, so that a wake during it is not slept through. */
	s->seen_wake = atomic_load_explicit(&s->wake, memory_order_acquire);
	s->round++;
	if (s->timed)
		s->horizon = clock_ticks_ordered(s->source);
	top = atomic_load_explicit(&s->top, memory_order_acquire);
	for (size_t i = 0; i < top; i++) {
		/* Pairs with the release in ring_set_add(). */
		struct ring_slot *slot = atomic_load_explicit(&s->slots[i], memory_order_acquire);

		if (slot && !slot->in_heap)
			look(s, slot);
	}
}

/* A task that stamps its records with the future would be held for ever. */
static void drop_future(struct ring_set *s)
{
	struct ring_slot *slot = s->heap[0].slot;

	if (slot->ring.shared) {
		heap_pop(s);
		ring_stop(&slot->ring);
		note_bad(s, slot);
	} else {
		s->heap[0].time = 0;
	}
}

/* The record at the top of the heap, if it is one. */
static const struct tracer_event *take_top(struct ring_set *s)
{
	struct ring_slot *slot = s->heap[0].slot;
	const struct tracer_event *ev = ring_peek(&slot->ring);

	if (ev) {
		s->current = slot;
		s->current_ev = ev;
		return ev;
	}
	heap_pop(s);
	note_bad(s, slot);
	return NULL;
}

const struct tracer_event *ring_set_next(struct ring_set *s)
{
	const struct tracer_event *ev;

	if (s->current)
		return s->current_ev;
	for (bool looked = false;;) {
		while (s->nheap && s->heap[0].time <= s->horizon) {
			ev = take_top(s);
			if (ev)
				return ev;
		}
		/* What was found before the clock was read is older than it. */
		if (s->nheap && s->heap[0].round < s->round) {
			drop_future(s);
			continue;
		}
		if (looked && !s->nheap)
			return NULL;
		look_at_all(s);
		looked = true;
	}
}

void ring_set_consume(struct ring_set *s)
{
	struct ring_slot *slot = s->current;
	uint64_t time;

	if (!slot)
		return;
	s->current = NULL;
	s->stats.records++;
	s->stats.bytes += slot->ring.next.size;
	if (ring_consume(&slot->ring))
		drained_tick(s);
	/* it is the top */
	if (ring_poll(&slot->ring, &time))
		heap_set_top(s, (struct heap_entry){ time, s->round, slot });
	else
		heap_pop(s);
}

bool ring_set_done(const struct ring_set *s)
{
	struct ring_set *w = (struct ring_set *)s;
	size_t top;

	if (s->nheap || s->current || !atomic_load_explicit(&w->finished, memory_order_acquire))
		return false;
	top = atomic_load_explicit(&w->top, memory_order_acquire);
	for (size_t i = 0; i < top; i++) {
		if (atomic_load_explicit(&w->slots[i], memory_order_acquire))
			return false;
	}
	return true;
}

void ring_set_wait(struct ring_set *s, uint64_t ns)
{
	atomic_store_explicit(&s->sleeping, 1, memory_order_seq_cst);
	futex_wait(&s->wake, s->seen_wake, ns);
	atomic_store_explicit(&s->sleeping, 0, memory_order_relaxed);
}

static bool records_wait(struct ring_set *s)
{
	size_t top = atomic_load_explicit(&s->top, memory_order_acquire);

	for (size_t i = 0; i < top; i++) {
		struct ring_slot *slot = atomic_load_explicit(&s->slots[i], memory_order_acquire);

		if (slot && !slot->ring.shared && ring_used(&slot->ring))
			return true;
	}
	return false;
}

void ring_set_wait_idle(struct ring_set *s, uint64_t ns)
{
	/* Before the look; pairs with the exchange in ring_set_bell(). */
	atomic_exchange_explicit(&s->idle, 1, memory_order_acq_rel);
	if (!records_wait(s))
		ring_set_wait(s, ns);
	atomic_store_explicit(&s->idle, 0, memory_order_relaxed);
}

unsigned ring_set_fill(const struct ring_set *s)
{
	struct ring_set *w = (struct ring_set *)s;
	size_t top = atomic_load_explicit(&w->top, memory_order_acquire);
	unsigned most = 0;

	for (size_t i = 0; i < top; i++) {
		const struct ring_slot *slot = atomic_load_explicit(&w->slots[i], memory_order_acquire);
		unsigned fill = slot ? (unsigned)(ring_used(&slot->ring) * 100 / slot->ring.size) : 0;

		most = fill > most ? fill : most;
	}
	return most;
}

void ring_set_stats(const struct ring_set *s, struct ring_set_stats *out)
{
	struct ring_set *w = (struct ring_set *)s;

	*out = s->stats;
	out->rings = atomic_load_explicit(&w->added, memory_order_relaxed);
	for (size_t i = 0; i < atomic_load_explicit(&w->top, memory_order_acquire); i++) {
		const struct ring_slot *slot = atomic_load_explicit(&w->slots[i], memory_order_acquire);

		if (slot)
			stats_add(out, &slot->ring);
	}
}
