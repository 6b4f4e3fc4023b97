/* SPDX-License-Identifier: Apache-2.0 */
/* Event ring: private and shared, wraps, pending records, hostile memory. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "ring/ring.h"
#include "ring/ring_map.h"
#include "shared_producer.h"
#include "unit.h"

#define SIZE 65536u
#define CALL ((uint32_t)sizeof(struct tracer_ev_call))

static struct ring_map map;
static struct ring ring;
static uint8_t copy[TRACER_EVENT_MAX] __attribute__((aligned(64)));

static void open_private(void)
{
	ck_assert_int_eq(ring_map_open(&map, SIZE, false), 0);
	ck_assert_int_eq(ring_init(&ring, map.mem, SIZE), 0);
}

static struct ring_header *open_shared(void)
{
	ck_assert_int_eq(ring_map_open(&map, SIZE, true), 0);
	ck_assert_int_eq(ring_init_shared(map.mem, SIZE), 0);
	ck_assert_int_eq(ring_open(&ring, map.mem, map.bytes, copy), 0);
	return map.mem;
}

START_TEST(sizes)
{
	open_private();
	ck_assert_uint_eq(ring_bytes(0), 0);
	ck_assert_uint_eq(ring_bytes(5000), 0);
	ck_assert_uint_eq(ring_bytes(2048), 0);
	ck_assert_uint_ge(ring_bytes(4096), 4096 + 192 + TRACER_EVENT_MAX);
	ck_assert_int_eq(ring_open(&ring, map.mem, map.bytes, copy), 0);
	ck_assert_int_eq(ring_open(&ring, map.mem, map.bytes - 4096, copy), -EINVAL);
	((struct ring_header *)map.mem)->size = SIZE * 2;
	ck_assert_int_eq(ring_open(&ring, map.mem, map.bytes, copy), -EINVAL);
	((struct ring_header *)map.mem)->size = SIZE;
	((struct ring_header *)map.mem)->magic++;
	ck_assert_int_eq(ring_open(&ring, map.mem, map.bytes, copy), -EINVAL);
	ck_assert_int_eq(ring_map_open(&map, 12345, false), -EINVAL);
	ring_map_close(NULL);
}
END_TEST

START_TEST(memfd_cannot_be_resized)
{
	open_shared();
	ck_assert_int_eq(ftruncate(map.fd, 0), -1);
	ck_assert_int_eq(ftruncate(map.fd, (off_t)map.bytes + 4096), -1);
	ring_map_close(&map);
}
END_TEST

static bool all_are(const void *p, size_t n, uint8_t c)
{
	const uint8_t *b = p;

	while (n && *b == c) {
		b++;
		n--;
	}
	return n == 0;
}

/* Random sizes over many wraps against a counter; contents are derived from it. */
START_TEST(private_property)
{
	unsigned long seed = 9;
	uint64_t written = 0, got = 0;

	open_private();
	while (got < 20000) {
		unsigned long r = unit_random(&seed);

		if (r & 1) {
			uint32_t room = 32 + (uint32_t)(r >> 8) % 4000 / 8 * 8;
			struct tracer_ev_text *t = (void *)ring_reserve(&ring, room);

			if (!t)
				continue;
			memset(&t->head + 1, 0xee, room - sizeof(t->head));
			ck_assert_ptr_null(ring_reserve(&ring, 32));
			if (r >> 40 & 1) {
				ring_discard(&ring, &t->head);
				continue;
			}
			t->len = (uint32_t)(r >> 20) % (room - 32 + 1);
			t->head.size = 32 + t->len;
			t->head.kind = TRACER_EV_COMM;
			t->head.tid = 1;
			t->head.time = written;
			memset(t->text, (int)(written & 0xff), t->len);
			written++;
			ring_commit(&ring, &t->head);
		} else {
			const struct tracer_ev_text *t = (const void *)ring_peek(&ring);

			ck_assert(!t == (written == got));
			if (!t)
				continue;
			ck_assert_ptr_eq(ring_peek(&ring), t);
			ck_assert_uint_eq(t->head.time, got);
			ck_assert(all_are(t->text, t->len, (uint8_t)got));
			got++;
			ring_consume(&ring);
		}
		if (written == got)
			ring_publish(&ring);
	}
	ck_assert_uint_gt(ring.hdr->head, 50 * SIZE);
	ck_assert_uint_eq(ring.dropped, 0);
	ck_assert_uint_le(ring.high_water, SIZE);
}
END_TEST

START_TEST(private_full_and_again)
{
	struct tracer_event *ev;
	unsigned n = 0;

	open_private();
	ck_assert_ptr_null(ring_reserve(&ring, TRACER_EVENT_MAX + 8));
	ck_assert_ptr_null(ring_reserve(&ring, 28));
	while ((ev = ring_reserve(&ring, 64))) {
		ev->kind = TRACER_EV_LOST;
		ev->size = 32;
		ring_commit(&ring, ev);
		n++;
	}
	ck_assert_uint_eq(n, (SIZE - 32) / 32);
	ck_assert_uint_ge(ring.hdr->waits, 1);
	ck_assert_uint_eq(ring_used(&ring), n * 32);
	while (ring_peek(&ring)) {
		ring_consume(&ring);
		n--;
	}
	ck_assert_uint_eq(n, 0);
	ring_publish(&ring);
	ck_assert_uint_eq(ring_used(&ring), 0);
	ck_assert_ptr_nonnull(ring_reserve(&ring, SIZE / 2));
}
END_TEST

/* A bug of our own costs the record, not the supervisor's ring. */
START_TEST(private_bad_record)
{
	struct tracer_event *ev;

	open_private();
	for (int i = 0; i < 2; i++) {
		ev = ring_reserve(&ring, 32);
		ev->kind = i ? TRACER_EV_LOST : TRACER_EV_CALL;
		ring_commit(&ring, ev);
	}
	ck_assert_uint_eq(ring_peek(&ring)->kind, TRACER_EV_LOST);
	ck_assert_uint_eq(ring.dropped, 1);
}
END_TEST

/* Nested reservations settled in random order, some abandoned, some discarded,
 * some shrunk: each comes exactly once, and what was consumed reads as zero. */
START_TEST(shared_property)
{
	struct ring_header *h = open_shared();
	struct tracer_event *open[8] = { 0 };
	static uint8_t due[1 << 20];
	unsigned long seed = 4;
	uint64_t id = 0, got = 0, expected = 0;
	const struct tracer_event *ev;

	for (int turn = 0; turn < 400000; turn++) {
		unsigned long r = unit_random(&seed);
		unsigned k = r >> 10 & 7;

		if ((r & 3) == 0 && (ev = ring_peek(&ring))) {
			ck_assert_uint_eq(due[ev->nr], ev->kind);
			due[ev->nr] = 0;
			got++;
			ring_consume(&ring);
		} else if (!open[k] && id < sizeof(due)) {
			uint32_t size = CALL + (uint32_t)(r >> 20) % 100 * 8;

			open[k] = shared_reserve(h, size);
			if (open[k])
				shared_fill(open[k], 5, (int32_t)id++, 1);
		} else if (open[k]) {
			uint8_t kind = r >> 30 & 3   ? TRACER_EV_CALL
				       : r >> 32 & 1 ? TRACER_EV_ENTER
						     : TRACER_EV_NONE;
			uint32_t final = kind == TRACER_EV_NONE ? open[k]->size : CALL;

			due[open[k]->nr] = kind;
			expected += kind != TRACER_EV_NONE;
			shared_commit(h, open[k], final, kind);
			open[k] = NULL;
		}
		if (r % 64 == 0)
			ring_publish(&ring);
	}
	for (unsigned k = 0; k < 8; k++) {
		if (open[k])
			ring_settle(open[k], TRACER_EV_NONE);
	}
	while ((ev = ring_peek(&ring))) {
		got++;
		ring_consume(&ring);
	}
	ck_assert_uint_eq(got, expected);
	ck_assert_uint_gt(h->head, 50 * SIZE);
	ring_publish(&ring);
	ck_assert_uint_eq(h->tail, h->head);
	ck_assert(all_are(ring.data, SIZE + TRACER_EVENT_MAX, 0));
}
END_TEST

START_TEST(shared_pending_is_passed_by)
{
	struct ring_header *h = open_shared();
	struct tracer_event *outer = shared_reserve(h, CALL);
	struct tracer_event *inner;

	shared_fill(outer, 5, 100, 9);
	ck_assert_ptr_null(ring_peek(&ring));
	inner = shared_reserve(h, CALL);
	shared_fill(inner, 5, 101, 4);
	ck_assert_ptr_null(ring_peek(&ring));
	shared_commit(h, inner, CALL, TRACER_EV_CALL);
	ck_assert_int_eq(ring_peek(&ring)->nr, 101);
	ring_consume(&ring);
	ck_assert_ptr_null(ring_peek(&ring));
	ring_publish(&ring);
	ck_assert_uint_eq(h->tail, 0);
	shared_commit(h, outer, CALL, TRACER_EV_CALL);
	ck_assert_int_eq(ring_peek(&ring)->nr, 100);
	ring_consume(&ring);
	ring_publish(&ring);
	ck_assert_uint_eq(h->tail, 2 * CALL);
	ck_assert(all_are(ring.data, SIZE + TRACER_EVENT_MAX, 0));
}
END_TEST

START_TEST(shared_stuck_and_settled)
{
	struct ring_header *h = open_shared();
	struct tracer_event *outer = shared_reserve(h, CALL);
	struct tracer_event *ev;
	unsigned n = 0;

	shared_fill(outer, 5, 1000000, 9);
	while ((ev = shared_reserve(h, CALL))) {
		shared_fill(ev, 5, (int32_t)n++, 10);
		shared_commit(h, ev, CALL, TRACER_EV_CALL);
		ck_assert_ptr_nonnull(ring_peek(&ring));
		ring_consume(&ring);
		ring_publish(&ring);
	}
	ck_assert_uint_eq(n, SIZE / CALL - 1);
	ck_assert_ptr_null(ring_peek(&ring));
	ck_assert(ring_stuck(&ring));
	ring_settle(outer, TRACER_EV_ENTER);
	ck_assert_uint_eq(ring_peek(&ring)->kind, TRACER_EV_ENTER);
	ring_consume(&ring);
	ring_publish(&ring);
	ck_assert_ptr_null(ring_peek(&ring));
	ck_assert(!ring_stuck(&ring));
	ck_assert_ptr_nonnull(shared_reserve(h, CALL));
}
END_TEST

/* The task died: its open calls never returned; a half-written one is dropped. */
START_TEST(shared_closed)
{
	struct ring_header *h = open_shared();
	const struct tracer_event *ev;

	shared_fill(shared_reserve(h, CALL), 5, 1, 77);
	shared_reserve(h, CALL);			/* tid 0: not filled */
	shared_fill(shared_reserve(h, CALL), 5, 3, 79);
	h->head += 64;					/* killed between xadd and first word */
	ck_assert_ptr_null(ring_peek(&ring));
	ring.closed = true;
	for (int nr = 1; nr <= 3; nr += 2) {
		ev = ring_peek(&ring);
		ck_assert_ptr_nonnull(ev);
		ck_assert_int_eq(ev->nr, nr);
		ck_assert_uint_eq(ev->kind, TRACER_EV_ENTER);
		ring_consume(&ring);
	}
	ck_assert_ptr_null(ring_peek(&ring));
	ck_assert_uint_eq(ring.dropped, 1);
	ck_assert_uint_eq(ring.bad, 0);
}
END_TEST

/* The record handed out is ours: scribbling on the ring does not reach it. */
START_TEST(shared_record_is_a_copy)
{
	struct ring_header *h = open_shared();
	struct tracer_event *ev = shared_reserve(h, CALL + 16);
	const struct tracer_ev_call *c;

	shared_fill(ev, 5, 1, 1);
	shared_commit(h, ev, CALL + 8, TRACER_EV_CALL);
	((struct tracer_ev_call *)(void *)ev)->nargs = 1;
	c = (const void *)ring_peek(&ring);
	ck_assert_uint_eq(c->nargs, 1);
	((struct tracer_ev_call *)(void *)ev)->nargs = 200;
	ck_assert_uint_eq(c->nargs, 1);
}
END_TEST

START_TEST(shared_bad_kills_the_ring)
{
	static const uint64_t words[] = {
		1, 4, 12, (uint64_t)TRACER_EVENT_MAX + 8, UINT32_MAX, 8 | (uint64_t)TRACER_EV_CALL << 32,
		16 | (uint64_t)TRACER_EV_LOST << 32, 64 | (uint64_t)200 << 32,
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct ring_header *h = open_shared();
		uint32_t seen = h->wake;

		h->waiting = 1;
		memcpy(ring.data, &words[i], 8);
		ck_assert_ptr_null(ring_peek(&ring));
		ck_assert_uint_eq(ring.bad, 1);
		ck_assert_uint_eq(h->dead, 1);
		ck_assert_uint_ne(h->wake, seen);
		ck_assert_ptr_null(ring_peek(&ring));
		ring_map_close(&map);
	}
}
END_TEST

/* Any bytes, changing while we read: nothing is handed out that fails the
 * check, and nothing outside the ring is touched (ASan, guard pages). */
START_TEST(shared_hostile_memory)
{
	unsigned long seed = 77;
	unsigned handed = 0;

	for (int round = 0; round < 1000; round++) {
		struct ring_header *h = open_shared();

		for (int i = 0; i < 2000; i++) {
			unsigned long r = unit_random(&seed);
			uint64_t at = r % (SIZE + TRACER_EVENT_MAX - 8) / (r >> 60 & 1 ? 1 : 256) / 8 * 8;
			uint64_t w =
			    (r >> 20 & 0x1f8) | (r >> 40 & 0xf) << 32 | (uint64_t)(r >> 50 & 1) << 48;
			const struct tracer_event *ev;

			memcpy(ring.data + at, &w, 8);
			h->head = unit_random(&seed);
			h->size = unit_random(&seed);
			h->tail = unit_random(&seed);
			ev = ring_peek(&ring);
			if (ev) {
				handed++;
				ck_assert_int_eq(event_check(ev, TRACER_EVENT_MAX), 0);
				ring_consume(&ring);
			}
			if (ring.bad)
				break;
		}
		ck_assert_uint_le(ring_used(&ring), SIZE);
		ring_map_close(&map);
	}
	ck_assert_uint_gt(handed, 0);
}
END_TEST

int main(void)
{
	return unit_run("ring", (const TTest *const[]){ sizes, memfd_cannot_be_resized, private_property,
		private_full_and_again, private_bad_record, shared_property, shared_pending_is_passed_by,
		shared_stuck_and_settled, shared_closed, shared_record_is_a_copy, shared_bad_kills_the_ring,
		shared_hostile_memory, NULL });
}
