/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases for the way of a record: capture, ring, check at the trust boundary,
 * merge, world, decoding to text.  Main thread; ring_threads starts a producer.
 */
#include "config.h"
#include "bench.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "calls.h"
#include "decode/decode.h"
#include "ring/ring.h"
#include "ring/ring_map.h"
#include "ring/ring_set.h"
#include "shared_producer.h"

#define RING_SIZE (1u << 20)

struct pipe_bed {
	struct bench_calls calls;
	struct ring_map map;
	struct ring ring;		/* private, or the consumer's end of a shared one */
	struct ring_set *set;
	struct ring *of_set;
	uint8_t *copy;
	struct world *world;
	struct clock_map clock;
	struct decode_options decode;
	struct strbuf text;
	uint64_t left;			/* of the producer thread */
};

static struct pipe_bed *bed_new(void)
{
	struct pipe_bed *b = calloc(1, sizeof(*b));

	if (!b || bench_calls_init(&b->calls) < 0)
		abort();
	b->map.fd = -1;
	return b;
}

static void bed_teardown(void *state)
{
	struct pipe_bed *b = state;

	if (b->of_set)
		ring_set_close(b->set, b->of_set);
	ring_set_free(b->set);
	ring_map_close(&b->map);
	world_free(b->world);
	strbuf_fini(&b->text);
	free(b->copy);
	free(b);
}

/* ---- capture ---- */

static void *capture_setup(void)
{
	return bed_new();
}

static void run_capture(void *state, uint64_t n)
{
	struct pipe_bed *b = state;
	struct tracer_ev_call out[16];

	for (uint64_t i = 0; i < n; i++) {
		bench_calls_capture(&b->calls, i % BENCH_CALLS, out);
		bench_keep(out);
	}
}

/* ---- ring ---- */

static void *ring_setup(void)
{
	struct pipe_bed *b = bed_new();

	if (ring_map_open(&b->map, RING_SIZE, false) < 0 || ring_init(&b->ring, b->map.mem, RING_SIZE) < 0)
		abort();
	return b;
}

static bool ring_add(struct ring *r, const struct tracer_event *ev)
{
	struct tracer_event *to = ring_reserve(r, ev->size);

	if (!to)
		return false;
	memcpy(to, ev, ev->size);
	ring_commit(r, to);
	return true;
}

static void run_ring(void *state, uint64_t n)
{
	struct pipe_bed *b = state;

	for (uint64_t i = 0; i < n; i++) {
		ring_add(&b->ring, &b->calls.rec[i % BENCH_CALLS].u.head);
		bench_keep(ring_peek(&b->ring));
		ring_consume(&b->ring);
	}
}

static void *shared_setup(void)
{
	struct pipe_bed *b = bed_new();

	b->copy = malloc(TRACER_EVENT_MAX);
	if (!b->copy || ring_map_open(&b->map, RING_SIZE, true) < 0 ||
	    ring_init_shared(b->map.mem, RING_SIZE) < 0 ||
	    ring_open(&b->ring, b->map.mem, b->map.bytes, b->copy) < 0)
		abort();
	return b;
}

/* As the agent writes and the consumer reads it: copied out, checked, cleared. */
static void run_shared(void *state, uint64_t n)
{
	struct pipe_bed *b = state;

	for (uint64_t i = 0; i < n; i++) {
		const struct tracer_event *ev = &b->calls.rec[i % BENCH_CALLS].u.head;
		struct tracer_event *to = shared_reserve(b->map.mem, ev->size);

		memcpy((uint8_t *)to + 8, (const uint8_t *)ev + 8, ev->size - 8);
		shared_commit(b->map.mem, to, ev->size, ev->kind);
		bench_keep(ring_peek(&b->ring));
		ring_consume(&b->ring);
	}
}

static void *set_setup(void)
{
	struct pipe_bed *b = bed_new();

	if (ring_set_new(&b->set, 16) < 0 ||
	    ring_set_add(b->set, NULL, RING_SIZE, NULL, NULL, &b->of_set) < 0)
		abort();
	return b;
}

static void run_set(void *state, uint64_t n)
{
	struct pipe_bed *b = state;

	for (uint64_t i = 0; i < n; i++) {
		ring_add(b->of_set, &b->calls.rec[i % BENCH_CALLS].u.head);
		while (!ring_set_next(b->set))
			;
		ring_set_consume(b->set);
	}
}

static void *produce(void *arg)
{
	struct pipe_bed *b = arg;

	for (uint64_t i = 0; i < b->left; i++)
		while (!ring_add(&b->ring, &b->calls.rec[i % BENCH_CALLS].u.head))
			sched_yield();
	return NULL;
}

/* Contention: the producer on a thread of its own, the consumer here. */
static void run_threads(void *state, uint64_t n)
{
	struct pipe_bed *b = state;
	pthread_t t;

	b->left = n;
	if (pthread_create(&t, NULL, produce, b) != 0)
		abort();
	for (uint64_t got = 0; got < n;) {
		if (ring_peek(&b->ring)) {
			ring_consume(&b->ring);
			got++;
		} else {
			ring_publish(&b->ring);
			sched_yield();
		}
	}
	pthread_join(t, NULL);
}

/* ---- decode ---- */

static void *decode_setup(void)
{
	struct tracer_ev_clock point = { .source = TRACER_CLOCK_MONOTONIC, .real_ns = 1700000000000000000u };
	struct tracer_ev_task task = { .head = { .size = sizeof(task), .kind = TRACER_EV_TASK, .tid = 10,
						 .flags = TRACER_EVF_ROOT }, .pid = 10, .comm = "bench" };
	struct pipe_bed *b = bed_new();

	b->decode.string_max = 32;
	clock_map_load(&b->clock, &point);
	strbuf_init(&b->text, 65536);
	if (world_new(&b->world, NULL) < 0)
		abort();
	world_before(b->world, &task.head);
	return b;
}

static void run_world(void *state, uint64_t n)
{
	struct pipe_bed *b = state;

	for (uint64_t i = 0; i < n; i++) {
		const struct tracer_event *ev = &b->calls.rec[i % BENCH_CALLS].u.head;

		world_before(b->world, ev);
		world_after(b->world, ev);
	}
}

static void run_decode(void *state, uint64_t n)
{
	struct pipe_bed *b = state;
	struct call c;

	for (uint64_t i = 0; i < n; i++) {
		call_init(&c, &b->calls.rec[i % BENCH_CALLS].u.ev, b->world, &b->clock);
		strbuf_reset(&b->text);
		strbuf_add_str(&b->text, c.name);
		call_format_args(&c, &b->decode, &b->text);
		call_format_ret(&c, &b->decode, &b->text);
		bench_keep(b->text.p);
	}
}

static void run_check(void *state, uint64_t n)
{
	struct pipe_bed *b = state;
	int bad = 0;

	for (uint64_t i = 0; i < n; i++)
		bad |= event_check(&b->calls.rec[i % BENCH_CALLS].u.head, 1024);
	if (bad)
		abort();
}

#define CALL .unit = "call", .teardown = bed_teardown

static const struct bench_case cases[] = {
	{ .name = "capture", .what = "memory of a call into its record (16 calls in turn)", .setup = capture_setup,
	  .run = run_capture, CALL },
	{ .name = "ring", .what = "a record into a private ring and out of it", .setup = ring_setup, .run = run_ring, CALL },
	{ .name = "ring_shared", .what = "the same by the rules of a ring that the tracee writes", .setup = shared_setup,
	  .run = run_shared, CALL },
	{ .name = "ring_set", .what = "the same through the merge by time", .setup = set_setup, .run = run_set, CALL },
	{ .name = "ring_threads", .what = "producer and consumer on threads of their own", .setup = ring_setup,
	  .run = run_threads, CALL },
	{ .name = "event_check", .what = "a record checked at the trust boundary", .setup = capture_setup,
	  .run = run_check, CALL },
	{ .name = "world", .what = "tables of tasks, descriptors and directories follow a call", .setup = decode_setup,
	  .run = run_world, CALL },
	{ .name = "decode", .what = "a call as text", .setup = decode_setup, .run = run_decode, CALL },
	{ 0 }
};

const struct bench_suite bench_pipe = { "pipe", cases };
