/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merge by time over many rings, with a supervisor thread that adds, fills and
 * closes, producer threads for shared rings, and one consumer.  Run under
 * --enable-sanitizers=thread, too.
 */
#include "config.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/futex.h>
#include "base/clock.h"
#include "ring/ring_map.h"
#include "ring/ring_set.h"
#include "shared_producer.h"
#include "unit.h"

#define CALL ((uint32_t)sizeof(struct tracer_ev_call))

static struct tracer_event *put(struct ring *r, int32_t nr, uint64_t time)
{
	struct tracer_event *ev = ring_reserve(r, sizeof(struct tracer_ev_lost));

	if (!ev)
		return NULL;
	ev->kind = TRACER_EV_LOST;
	ev->nr = nr;
	ev->time = time;
	ring_commit(r, ev);
	return ev;
}

START_TEST(merges_by_time)
{
	struct ring_set_stats st;
	struct ring_set *s;
	struct ring *r[10];
	unsigned long seed = 2;
	uint64_t time[10] = { 0 }, prev = 0, sum = 0, got = 0;

	ck_assert_int_eq(ring_set_new(&s, 10), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(ring_set_add(s, NULL, 65536, NULL, NULL, &r[i]), 0);
	ck_assert_int_eq(ring_set_add(s, NULL, 65536, NULL, NULL, &r[0]), -ENOSPC);
	for (int i = 0; i < 5000; i++) {
		unsigned k = unit_random(&seed) % 10;

		time[k] += 1 + unit_random(&seed) % 100;
		ck_assert_ptr_nonnull(put(r[k], i, time[k]));
		sum += (uint64_t)i;
	}
	ck_assert(!ring_set_done(s));
	/* 500 of each, more or less, of 32 bytes */
	ck_assert_uint_ge(ring_set_fill(s), 50 * 500 * sizeof(struct tracer_ev_lost) / 65536);
	ck_assert_uint_lt(ring_set_fill(s), 100);
	ring_set_finish(s);
	for (int i = 0; i < 10; i++)
		ring_set_close(s, r[i]);
	for (const struct tracer_event *ev; (ev = ring_set_next(s)); ring_set_consume(s)) {
		ck_assert_ptr_eq(ring_set_next(s), ev);
		ck_assert_uint_ge(ev->time, prev);
		prev = ev->time;
		sum -= (uint64_t)ev->nr;
		got++;
	}
	ck_assert_uint_eq(got, 5000);
	ck_assert_uint_eq(sum, 0);
	ck_assert_uint_eq(ring_set_fill(s), 0);
	ck_assert(ring_set_done(s));
	ring_set_stats(s, &st);
	ck_assert_uint_eq(st.records, 5000);
	ck_assert_uint_eq(st.bytes, 5000 * sizeof(struct tracer_ev_lost));
	ck_assert_uint_eq(st.rings, 10);
	ck_assert_uint_gt(st.high_water, 0);
	ring_set_free(s);
	ring_set_free(NULL);
}
END_TEST

static void note_release(void *ctx, void *mem)
{
	*(void **)ctx = mem;
}

START_TEST(closed_slot_is_used_again)
{
	struct ring_set *s;
	struct ring *r;
	struct ring_map map;
	void *released = NULL;

	ck_assert_int_eq(ring_set_new(&s, 1), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ring_map_open(&map, 4096, true), 0);
		ck_assert_int_eq(ring_set_add(s, map.mem, 4096, note_release, &released, &r), -EINVAL);
		ck_assert_int_eq(ring_init_shared(map.mem, 4096), 0);
		ck_assert_int_eq(ring_set_add(s, map.mem, 4096, note_release, &released, &r), 0);
		shared_fill(shared_reserve(map.mem, CALL), 4, i, 1);
		ring_set_close(s, r);
		ck_assert_uint_eq(ring_set_next(s)->kind, TRACER_EV_ENTER);
		ck_assert_ptr_null(released);
		ring_set_consume(s);
		ck_assert_ptr_null(ring_set_next(s));
		ck_assert_ptr_eq(released, map.mem);
		released = NULL;
		ring_map_close(&map);
	}
	ring_set_free(s);
}
END_TEST

/* One bad ring, one from the future: both are given up, the third goes on. */
START_TEST(bad_ring_alone)
{
	struct ring_set_stats st;
	struct ring_set *s;
	struct ring *r[3];
	struct ring_map map[2];

	ck_assert_int_eq(ring_set_new(&s, 3), 0);
	ring_set_set_clock(s, TRACER_CLOCK_MONOTONIC);
	for (int i = 0; i < 2; i++) {
		struct tracer_event *ev;

		ck_assert_int_eq(ring_map_open(&map[i], 4096, true), 0);
		ck_assert_int_eq(ring_init_shared(map[i].mem, 4096), 0);
		ck_assert_int_eq(ring_set_add(s, map[i].mem, 4096, NULL, NULL, &r[i]), 0);
		ev = shared_reserve(map[i].mem, CALL);
		shared_fill(ev, i ? 4 : 0, 1, i ? UINT64_MAX : 1);
		shared_commit(map[i].mem, ev, CALL, TRACER_EV_CALL);
	}
	ck_assert_int_eq(ring_set_add(s, NULL, 4096, NULL, NULL, &r[2]), 0);
	put(r[2], 33, clock_mono_ns());
	ck_assert_int_eq(ring_set_next(s)->nr, 33);
	ring_set_consume(s);
	ck_assert_ptr_null(ring_set_next(s));
	ring_set_stats(s, &st);
	ck_assert_uint_eq(st.bad, 2);
	ck_assert_uint_eq(((struct ring_header *)map[1].mem)->dead, 1);
	put(r[2], 34, clock_mono_ns());
	ck_assert_int_eq(ring_set_next(s)->nr, 34);
	ring_set_free(s);
}
END_TEST

#define TASKS 6
#define RECORDS 20000

struct job { struct ring_header *h; int32_t tid; uint64_t full; };

/* As the agent: xadd, nested call now and then, sleeps when there is no room. */
static void agent_wait(struct job *j)
{
	uint32_t seen = __atomic_load_n(&j->h->wake, __ATOMIC_ACQUIRE);
	uint64_t head = __atomic_load_n(&j->h->head, __ATOMIC_RELAXED);

	j->full++;
	__atomic_store_n(&j->h->waiting, 1, __ATOMIC_SEQ_CST);
	if (head + 2 * CALL - __atomic_load_n(&j->h->tail, __ATOMIC_SEQ_CST) > j->h->size)
		syscall(SYS_futex, &j->h->wake, FUTEX_WAIT, seen, &(struct timespec){.tv_sec = 10}, NULL, 0);
}

static struct tracer_event *agent_reserve(struct job *j, int32_t nr)
{
	struct tracer_event *ev;

	while (!(ev = shared_reserve(j->h, CALL)))
		agent_wait(j);
	shared_fill(ev, j->tid, nr, clock_mono_ns());
	return ev;
}

static void *agent_run(void *arg)
{
	struct job *j = arg;

	for (int32_t i = 0; i < RECORDS; i += 2) {
		struct tracer_event *outer = agent_reserve(j, i);
		uint64_t room = __atomic_load_n(&j->h->head, __ATOMIC_RELAXED) + CALL -
				__atomic_load_n(&j->h->tail, __ATOMIC_ACQUIRE);
		struct tracer_event *inner = NULL;

		if (i % 10 == 0 && room <= j->h->size) {
			inner = agent_reserve(j, i + 1);
			shared_commit(j->h, inner, CALL, TRACER_EV_CALL);
		}
		outer->time = clock_mono_ns();
		shared_commit(j->h, outer, CALL, TRACER_EV_CALL);
		if (!inner) {
			inner = agent_reserve(j, i + 1);
			shared_commit(j->h, inner, CALL, TRACER_EV_CALL);
		}
	}
	return NULL;
}

static void supervisor_put(struct ring_set *s, struct ring *main_ring, uint8_t kind, int32_t tid)
{
	struct tracer_ev_task *t;
	uint32_t size = kind == TRACER_EV_TASK ? sizeof(*t) : sizeof(struct tracer_ev_exit);

	for (;;) {
		uint32_t seen = ring_set_drained(s);

		t = (void *)ring_reserve(main_ring, size);
		if (t)
			break;
		ring_set_wake(s);
		ring_set_wait_drained(s, seen, 1000000000);
	}
	memset(&t->head + 1, 0, size - sizeof(t->head));
	t->head.kind = kind;
	t->head.tid = tid;
	t->head.time = clock_mono_ns();
	t->pid = tid;
	if (kind == TRACER_EV_EXIT)
		((struct tracer_ev_exit *)(void *)t)->pid = tid;
	ring_commit(main_ring, &t->head);
}

/* TASKS tasks at a time, in three generations, each with a ring of its own. */
static void *supervisor_run(void *arg)
{
	struct ring_set *s = arg;
	struct ring *main_ring, *rings[TASKS];
	struct ring_map maps[3][TASKS];
	struct job jobs[3][TASKS];
	pthread_t threads[TASKS];

	ring_set_add(s, NULL, 4096, NULL, NULL, &main_ring);
	for (int g = 0; g < 3; g++) {
		for (int i = 0; i < TASKS; i++) {
			struct job *j = &jobs[g][i];

			ring_map_open(&maps[g][i], 8192, true);
			ring_init_shared(maps[g][i].mem, 8192);
			*j = (struct job){ maps[g][i].mem, 1 + g * TASKS + i, 0 };
			supervisor_put(s, main_ring, TRACER_EV_TASK, j->tid);
			ring_set_add(s, maps[g][i].mem, 8192, NULL, NULL, &rings[i]);
			pthread_create(&threads[i], NULL, agent_run, j);
		}
		for (int i = 0; i < TASKS; i++) {
			pthread_join(threads[i], NULL);
			supervisor_put(s, main_ring, TRACER_EV_EXIT, jobs[g][i].tid);
			ring_set_close(s, rings[i]);
		}
	}
	ring_set_close(s, main_ring);
	ring_set_finish(s);
	return NULL;
}

/* Each task: first TASK, then every number exactly once, then EXIT. */
START_TEST(threads)
{
	static uint8_t seen[3 * TASKS + 1][RECORDS];
	uint32_t count[3 * TASKS + 1] = { 0 };
	struct ring_set_stats st;
	pthread_t supervisor;
	struct ring_set *s;

	ck_assert_int_eq(ring_set_new(&s, 3 * TASKS + 1), 0);
	ring_set_set_clock(s, TRACER_CLOCK_MONOTONIC);
	ck_assert_int_eq(pthread_create(&supervisor, NULL, supervisor_run, s), 0);
	while (!ring_set_done(s)) {
		const struct tracer_event *ev = ring_set_next(s);

		if (!ev) {
			ring_set_wait(s, 200000);
			continue;
		}
		if (ev->kind == TRACER_EV_TASK) {
			ck_assert_uint_eq(count[ev->tid], 0);
			count[ev->tid] = 1;
		} else if (ev->kind == TRACER_EV_EXIT) {
			ck_assert_uint_eq(count[ev->tid], RECORDS + 1);
		} else {
			ck_assert_uint_ge(count[ev->tid], 1);
			ck_assert(!seen[ev->tid][ev->nr]);
			seen[ev->tid][ev->nr] = 1;
			count[ev->tid]++;
		}
		ring_set_consume(s);
	}
	pthread_join(supervisor, NULL);
	ring_set_stats(s, &st);
	ck_assert_uint_eq(st.bad + st.dropped + st.lost, 0);
	ck_assert_uint_eq(st.records, 3 * TASKS * (RECORDS + 2));
	ring_set_free(s);
}
END_TEST

/* A wake between look and sleep is not slept through: without it, this hangs
 * for an hour and the test times out. */
static void *waker(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		ring_set_wake(arg);
		sched_yield();
	}
	ring_set_finish(arg);
	return NULL;
}

START_TEST(wake_is_not_lost)
{
	struct ring_set *s;
	pthread_t t;

	ck_assert_int_eq(ring_set_new(&s, 1), 0);
	ck_assert_int_eq(pthread_create(&t, NULL, waker, s), 0);
	while (!ring_set_next(s) && !ring_set_done(s))
		ring_set_wait(s, 3600000000000ull);
	pthread_join(t, NULL);
	ring_set_free(s);
}
END_TEST

/* One record at a time, the next when the consumer has the last: each finds it idle or about to
 * be.  A bell that is not rung or not heard hangs for an hour. */
struct bell { struct ring_set *s; struct ring *ring; _Atomic uint32_t taken; };

static void *bell_ringer(void *arg)
{
	struct bell *b = arg;

	for (uint32_t i = 0; i < 2000; i++) {
		struct tracer_ev_lost *ev = (void *)ring_reserve(b->ring, sizeof(*ev));

		ev->head = (struct tracer_event){
		    .size = sizeof(*ev), .kind = TRACER_EV_LOST, .time = clock_mono_ns()};
		ev->count = i;
		ring_commit(b->ring, &ev->head);
		ring_set_bell(b->s);
		while (atomic_load(&b->taken) == i)
			sched_yield();
	}
	ring_set_close(b->s, b->ring);
	ring_set_finish(b->s);
	return NULL;
}

START_TEST(bell_is_not_lost)
{
	const struct tracer_event *ev;
	struct bell b = { 0 };
	uint32_t n = 0;
	pthread_t t;

	ck_assert_int_eq(ring_set_new(&b.s, 2), 0);
	ring_set_set_clock(b.s, TRACER_CLOCK_MONOTONIC);
	ck_assert_int_eq(ring_set_add(b.s, NULL, 4096, NULL, NULL, &b.ring), 0);
	ck_assert_int_eq(pthread_create(&t, NULL, bell_ringer, &b), 0);
	for (;;) {
		ev = ring_set_next(b.s);
		/* In this order: it is next() that lets go of closed rings, and nobody rings for the end
		 * again. */
		if (!ev && ring_set_done(b.s))
			break;
		if (!ev) {
			ring_set_wait_idle(b.s, 3600000000000ull);
			continue;
		}
		ck_assert_uint_eq(((const struct tracer_ev_lost *)(const void *)ev)->count, n);
		ring_set_consume(b.s);
		atomic_store(&b.taken, ++n);
	}
	ck_assert_uint_eq(n, 2000);
	pthread_join(t, NULL);
	ring_set_free(b.s);
}
END_TEST

/* What the traced program writes itself is counted: it has to be looked at. */
START_TEST(shared_rings_are_counted)
{
	struct ring_map map;
	struct ring_set *s;
	struct ring *mine, *its;

	ck_assert_int_eq(ring_set_new(&s, 2), 0);
	ck_assert_int_eq(ring_map_open(&map, 4096, true), 0);
	ck_assert_int_eq(ring_init_shared(map.mem, 4096), 0);
	ck_assert_int_eq(ring_set_add(s, NULL, 4096, NULL, NULL, &mine), 0);
	ck_assert_uint_eq(ring_set_shared(s), 0);
	ck_assert_int_eq(ring_set_add(s, map.mem, 4096, NULL, NULL, &its), 0);
	ck_assert_uint_eq(ring_set_shared(s), 1);
	ring_set_close(s, its);
	ck_assert_ptr_null(ring_set_next(s));
	ck_assert_uint_eq(ring_set_shared(s), 0);
	ring_set_free(s);
	ring_map_close(&map);
}
END_TEST

int main(void)
{
	return unit_run("ring_set", (const TTest *const[]){ merges_by_time, closed_slot_is_used_again, bad_ring_alone,
							     threads, wake_is_not_lost, bell_is_not_lost,
							     shared_rings_are_counted, NULL });
}
