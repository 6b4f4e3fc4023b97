/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event ring.  The producer's half runs on the supervisor; the consumer's half
 * on the consumer thread.  The memory belongs to whoever mapped it.  A shared
 * ring's memory may change under our hands at any moment: each of its words is
 * read once, positions and extents are kept in struct ring, and a record is
 * copied before it is checked.
 */
#include "config.h"
#include "ring/ring.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u
#define FORGET 65536u			/* bytes */
/* Fillers and discarded records skipped in one look, so that a producer which
 * writes nothing else can't keep the consumer here. */
#define SKIP_MAX 1024

#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)

/* The first word of a record, as one number and taken apart. */
union word {
	uint64_t u;
	struct { uint32_t size; uint8_t kind, abi; uint16_t flags; } f;
};
_Static_assert(sizeof(union word) == 8, "a record is committed by one store");

size_t ring_bytes(uint64_t size)
{
	if (size < RING_SIZE_MIN || size > RING_SIZE_MAX || (size & (size - 1)))
		return 0;
	return (sizeof(struct ring_header) + size + TRACER_EVENT_MAX + PAGE - 1) & ~(size_t)(PAGE - 1);
}

int ring_init_shared(void *mem, uint64_t size)
{
	struct ring_header *hdr = mem;

	if (!ring_bytes(size) || (uintptr_t)mem % 64)
		return -EINVAL;
	hdr->magic = RING_MAGIC;
	hdr->size = size;
	return 0;
}

static void set_memory(struct ring *r, void *mem, uint64_t size)
{
	*r = (struct ring){ .hdr = mem, .data = (uint8_t *)mem + sizeof(struct ring_header), .size = size };
}

int ring_init(struct ring *r, void *mem, uint64_t size)
{
	int err = ring_init_shared(mem, size);

	if (err == 0)
		set_memory(r, mem, size);
	return err;
}

int ring_open(struct ring *r, void *mem, size_t bytes, uint8_t *copy)
{
	const struct ring_header *hdr = mem;
	uint64_t size = RING_SIZE_MIN;

	while (ring_bytes(size) && ring_bytes(size) < bytes)
		size *= 2;
	if (!copy || ring_bytes(size) != bytes || hdr->magic != RING_MAGIC || hdr->size != size)
		return -EINVAL;
	set_memory(r, mem, size);
	r->shared = true;
	r->copy = copy;
	return 0;
}

static uint64_t *word_at(const struct ring *r, uint64_t pos)
{
	return (uint64_t *)(void *)(r->data + (pos & (r->size - 1)));
}

/* ---- producer ---- */

struct tracer_event *ring_reserve(struct ring *r, uint32_t size)
{
	struct tracer_event *ev = (void *)word_at(r, r->head);

	if (r->head + size - r->seen_tail > r->size) {
		/* Pairs with the release in ring_publish(): the consumer is done
		 * with everything in front of tail. */
		r->seen_tail = load_acquire(&r->hdr->tail);
		if (r->head + size - r->seen_tail > r->size) {
			__atomic_fetch_add(&r->hdr->waits, 1, __ATOMIC_RELAXED);
			return NULL;
		}
	}
	if (r->reserved || size < sizeof(*ev) || size > TRACER_EVENT_MAX || size % 8)
		return NULL;
	r->reserved = size;
	*ev = (struct tracer_event){ .size = size };
	return ev;
}

void ring_commit(struct ring *r, struct tracer_event *ev)
{
	ev->size = TRACER_ALIGN8(ev->size);
	if (ev->size > r->reserved)
		ev->size = r->reserved;
	r->head += ev->size;
	r->reserved = 0;
	/* Pairs with the acquire load of head in find_private(). */
	store_release(&r->hdr->head, r->head);
}

void ring_discard(struct ring *r, struct tracer_event *ev)
{
	(void)ev;
	r->reserved = 0;
}

void ring_settle(struct tracer_event *ev, uint8_t kind)
{
	uint64_t *p = (uint64_t *)(void *)ev;
	union word w = { .u = load_relaxed(p) };

	w.f.kind = kind;
	w.f.flags &= (uint16_t)~TRACER_EVF_PENDING;
	/* Pairs with the acquire loads in find_shared() and find_settled(). */
	store_release(p, w.u);
}

bool ring_stuck(const struct ring *r)
{
	return load_relaxed(&r->stuck);
}

/* ---- consumer ---- */

static void wake_producer(struct ring *r)
{
	/* Pairs with the producer's store of waiting before it looks at tail
	 * again: either it sees the new tail or we see that it waits. */
	if (!__atomic_load_n(&r->hdr->waiting, __ATOMIC_SEQ_CST))
		return;
	store_relaxed(&r->hdr->waiting, 0);
	__atomic_fetch_add(&r->hdr->wake, 1, __ATOMIC_RELEASE);
	/* Not FUTEX_PRIVATE: the waiter is in another process. */
	syscall(SYS_futex, &r->hdr->wake, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* On its first lap a ring costs us what lies in it, not what has been: most tasks make few calls.  (All of it
 * is zero by now, so it does not matter whose memory it is.) */
static void pages_forget(struct ring *r)
{
	uintptr_t from = (uintptr_t)r->data + r->forgotten, to = (uintptr_t)r->data + r->tail;

	if (!r->shared || r->tail > r->size || r->tail - r->forgotten < FORGET)
		return;
	from = (from + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	madvise((void *)from, (to - from) & ~(uintptr_t)(PAGE - 1), MADV_DONTNEED);
	r->forgotten = r->tail & ~(uint64_t)(PAGE - 1);
}

bool ring_publish(struct ring *r)
{
	uint64_t used = ring_used(r);

	if (used > r->high_water)
		r->high_water = used;
	if (r->published == r->tail)
		return false;
	r->published = r->tail;
	pages_forget(r);
	/* Pairs with the acquire in ring_reserve() and its like in the agent;
	 * sequential for wake_producer(). */
	__atomic_store_n(&r->hdr->tail, r->tail, __ATOMIC_SEQ_CST);
	wake_producer(r);
	return true;
}

void ring_stop(struct ring *r)
{
	store_relaxed(&r->bad, 1);
	__atomic_store_n(&r->hdr->dead, 1, __ATOMIC_SEQ_CST);
	r->next.size = 0;
	wake_producer(r);
}

static void set_next(struct ring *r, struct ring_extent x, union word w)
{
	const struct tracer_ev_call *c = (const void *)word_at(r, x.pos);

	r->next = x;
	r->next_word = w.u;
	r->next_time = x.size >= sizeof(c->head) ? load_relaxed(&c->head.time) : 0;
	if (r->next_forced && x.size >= sizeof(*c) && r->next_time < load_relaxed(&c->start))
		r->next_time = load_relaxed(&c->start);
}

/* The producer is gone: what is pending never returned. */
static bool force(struct ring *r, union word *w)
{
	r->next_forced = r->closed && (w->f.flags & TRACER_EVF_PENDING);
	if (r->next_forced) {
		w->f.flags &= (uint16_t)~TRACER_EVF_PENDING;
		w->f.kind = TRACER_EV_ENTER;
	}
	return r->next_forced;
}

static void find_private(struct ring *r)
{
	union word w;

	/* Pairs with the release in ring_commit(). */
	if (r->scan == load_acquire(&r->hdr->head))
		return;
	w.u = *word_at(r, r->scan);
	set_next(r, (struct ring_extent){ r->scan, w.f.size }, w);
	r->scan += w.f.size;
}

/* Everything in front of the first pending record, or of scan, is free. */
static void move_tail(struct ring *r)
{
	uint64_t held = r->next.size ? r->next.pos : r->scan;

	if (r->npending && r->pending[0].pos < held)
		held = r->pending[0].pos;
	r->tail = held;
	if (r->tail - r->published >= r->size / 8)
		ring_publish(r);
}

/* The supervisor may look at the first word of a task's latest record at any time. */
static void clear(struct ring *r, const struct ring_extent *x)
{
	uint64_t *word = word_at(r, x->pos);

	memset(word + 1, 0, x->size - sizeof(*word));
	__atomic_store_n(word, 0, __ATOMIC_RELAXED);
}

static bool extent_valid(const struct ring *r, uint64_t pos, uint32_t size)
{
	return size >= 8 && size % 8 == 0 && size <= TRACER_EVENT_MAX && pos + size - r->tail <= r->size;
}

/* A record that was passed by and has been settled since. */
static void find_settled(struct ring *r)
{
	for (uint32_t i = 0; i < r->npending; i++) {
		struct ring_extent x = r->pending[i];
		union word w = { .u = load_acquire(word_at(r, x.pos)) };

		if (!force(r, &w) && (w.f.flags & TRACER_EVF_PENDING))
			continue;
		if (w.f.size > x.size) {
			ring_stop(r);
			return;
		}
		memmove(&r->pending[i], &r->pending[i + 1], (--r->npending - i) * sizeof(x));
		if (w.f.kind != TRACER_EV_NONE) {
			set_next(r, x, w);
			return;
		}
		clear(r, &x);
		move_tail(r);
		i--;
	}
}

/* A word that may by now be the inside of a record which somebody is filling: only a hint, to be thrown
 * away when the word in front of it has changed.  That is a race on purpose, so not one to report. */
__attribute__((no_sanitize("thread"), noinline)) static uint64_t load_hint(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* Whether a pending record at scan may be passed by: something is behind it.  It may have been
 * committed since its word was read, smaller than it was reserved: then what lies at its former end is
 * the middle of a later record, so the word is read once more. */
static bool pass_by(struct ring *r, uint32_t size, uint64_t word)
{
	uint64_t behind = r->scan + size;

	if (behind - r->tail >= r->size || !load_hint(word_at(r, behind)))
		return false;
	if (load_acquire(word_at(r, r->scan)) != word)
		return false;
	if (r->npending == RING_PENDING_MAX)
		return false;
	r->pending[r->npending++] = (struct ring_extent){ r->scan, size };
	r->scan = behind;
	return true;
}

static void find_shared(struct ring *r)
{
	for (int skipped = 0; skipped < SKIP_MAX; skipped++) {
		/* scan - tail == size: the word there is the one at tail. */
		union word w = { .u = r->scan - r->tail < r->size ? load_acquire(word_at(r, r->scan)) : 0 };
		struct ring_extent x = { r->scan, w.f.size };

		if (w.u == 0)
			return;
		if (!extent_valid(r, x.pos, x.size)) {
			ring_stop(r);
			return;
		}
		if (!force(r, &w) && (w.f.flags & TRACER_EVF_PENDING)) {
			if (!pass_by(r, x.size, w.u))
				return;
			continue;
		}
		r->scan += x.size;
		if (w.f.kind != TRACER_EV_NONE) {
			set_next(r, x, w);
			return;
		}
		clear(r, &x);
		move_tail(r);
	}
}

static void note_stuck(struct ring *r)
{
	bool now = !r->closed && r->npending &&
		   (r->npending == RING_PENDING_MAX || r->scan - r->pending[0].pos > r->size / 2);

	if (now != (load_relaxed(&r->stuck) != 0))
		store_relaxed(&r->stuck, now);
}

bool ring_poll(struct ring *r, uint64_t *time)
{
	if (load_relaxed(&r->bad))
		return false;
	if (r->next.size) {
		*time = r->next_time;
		return true;
	}
	if (!r->shared)
		find_private(r);
	if (r->shared && r->npending)
		find_settled(r);
	if (!r->next.size && r->shared && !load_relaxed(&r->bad))
		find_shared(r);
	if (r->npending || load_relaxed(&r->stuck))
		note_stuck(r);
	*time = r->next_time;
	return r->next.size != 0;
}

/* The record found, out of reach of its producer.  A call that its task never
 * finished has no end: it ends where it began. */
static const struct tracer_event *fetch(struct ring *r)
{
	const struct tracer_event *ev = (const void *)word_at(r, r->next.pos);
	struct tracer_ev_call *c = (void *)r->copy;
	union word w = { .u = r->next_word };

	if (!r->shared)
		return ev;
	memcpy(r->copy, ev, w.f.size <= r->next.size ? w.f.size : sizeof(w));
	memcpy(r->copy, &w.u, sizeof(w.u));
	if (r->next_forced && w.f.size >= sizeof(*c) && c->head.time < c->start)
		c->head.time = c->start;
	return &c->head;
}

const struct tracer_event *ring_peek(struct ring *r)
{
	const struct tracer_event *ev;
	uint64_t time;

	while (ring_poll(r, &time)) {
		ev = fetch(r);
		if (event_check(ev, r->next.size) == 0)
			return ev;
		if (r->shared && !r->next_forced) {
			ring_stop(r);
			return NULL;
		}
		r->dropped++;
		ring_consume(r);
	}
	return NULL;
}

bool ring_consume(struct ring *r)
{
	uint64_t before = r->published;
	struct ring_extent x = r->next;

	r->next.size = 0;
	if (!x.size)
		return false;
	if (r->shared)
		clear(r, &x);
	move_tail(r);
	return r->published != before;
}

uint64_t ring_used(const struct ring *r)
{
	uint64_t tail = load_acquire(&r->hdr->tail);
	uint64_t used = load_relaxed(&r->hdr->head) - tail;

	return used < r->size ? used : r->size;
}
