/* SPDX-License-Identifier: Apache-2.0 */
/* The map from ticks to time: continuous, monotone, close to the truth. */
#include "config.h"
#include <string.h>
#include "base/clock.h"
#include "unit.h"

#define NS_PER_S 1000000000.0

/* A counter of 2.45 GHz whose rate wanders by up to 40 ppm, over a minute. */
static double true_ns(double ticks)
{
	double s = ticks / 2.45e9;

	return NS_PER_S * s + 40e-6 * NS_PER_S * 10 * (__builtin_sin(s / 10) + 0.1 * __builtin_sin(s));
}

static uint64_t mono_at(uint64_t ticks)
{
	return 5000000000ull + (uint64_t)true_ns((double)ticks);
}

/* As a live map begins: two pairs 2 ms apart, the second one noisy. */
static void start(struct clock_map *m, uint64_t t0, int64_t noise)
{
	uint64_t t1 = t0 + 4900000;
	struct tracer_ev_clock ev = {
		.head.time = t1, .mono_ns = mono_at(t1) + (uint64_t)noise, .source = TRACER_CLOCK_TSC,
		.real_ns = mono_at(t1) + 1000000000000000ull };

	ev.rate = (uint64_t)(((unsigned __int128)(ev.mono_ns - mono_at(t0)) << 32) / (t1 - t0));
	clock_map_load(m, &ev);
}

START_TEST(one_minute_with_drift)
{
	unsigned long seed = 3;
	struct clock_map m;
	uint64_t due, prev = 0, worst = 0;

	start(&m, 0, 300);
	due = m.raw_ns + m.interval_ns;
	for (uint64_t t = 5000000; t < 147000000000ull; t += 490000) {
		uint64_t ns = mono_at(t);
		uint64_t got = clock_map_mono(&m, t);
		uint64_t err = got > ns ? got - ns : ns - got;

		ck_assert_uint_ge(got, prev);
		prev = got;
		if (err > worst)
			worst = err;
		if (ns >= due) {
			uint64_t before = clock_map_mono(&m, t);

			/* Measurements are late by up to half a second and noisy by 200 ns. */
			clock_map_add(&m, t, ns + unit_random(&seed) % 200);
			ck_assert_uint_eq(clock_map_mono(&m, t), before);
			ck_assert_uint_ge(clock_map_mono(&m, t + 1), before);
			due = ns + m.interval_ns + unit_random(&seed) % (m.interval_ns / 2);
		}
	}
	ck_assert_uint_lt(worst, 100000);
	ck_assert_uint_gt(m.points, 40);
}
END_TEST

/* The same tick has the same time for ever, and order is kept across lines. */
START_TEST(past_ticks_stay)
{
	static uint64_t ticks[200], first[200];
	struct clock_map m;
	unsigned n = 0;

	start(&m, 0, 0);
	for (uint64_t t = 10000000; t < 122500000000ull && n < 200; t += 600000000) {
		ticks[n] = t;
		first[n++] = clock_map_mono(&m, t);
		clock_map_add(&m, t + 50000000, mono_at(t + 50000000));
		for (unsigned i = 0; i < n; i++) {
			uint64_t now = clock_map_mono(&m, ticks[i]);
			uint64_t off = now > first[i] ? now - first[i] : first[i] - now;

			/* Exact until a point was given up, then near. */
			ck_assert_uint_le(off, n < CLOCK_POINTS_MAX / 2 ? 1 : 100000);
			ck_assert(i == 0 || now >= clock_map_mono(&m, ticks[i - 1]));
		}
	}
	ck_assert_uint_le(m.npast, CLOCK_POINTS_MAX);
	ck_assert_uint_eq(n, 200);
	/* Before the beginning: earlier, not absurd. */
	ck_assert_uint_lt(clock_map_mono(&m, 1), mono_at(10000000));
	ck_assert_uint_eq(clock_map_real(&m, ticks[3]) - clock_map_mono(&m, ticks[3]), 1000000000000000ull);
}
END_TEST

START_TEST(hostile_pairs_keep_it_monotone)
{
	unsigned long seed = 11;

	for (int round = 0; round < 200; round++) {
		struct clock_map m;
		uint64_t t = 0, ns = 0;

		start(&m, 0, 0);
		t = m.raw_ticks;
		ns = m.raw_ns;
		for (int i = 0; i < 300; i++) {
			uint64_t a = t + unit_random(&seed) % 10000000000;
			uint64_t before = clock_map_mono(&m, a);

			t = a;
			ns += unit_random(&seed) >> (24 + unit_random(&seed) % 30);
			clock_map_add(&m, t, ns);
			ck_assert_uint_eq(clock_map_mono(&m, a), before);
			for (uint64_t x = a; x < a + 1000000000; x += 99999989)
				ck_assert_uint_le(clock_map_mono(&m, x), clock_map_mono(&m, x + 99999989));
			ck_assert_uint_le(clock_map_mono(&m, a - 1), before);
		}
	}
}
END_TEST

START_TEST(replay_gives_the_same)
{
	struct clock_map live, replay;
	struct tracer_ev_clock ev;
	unsigned long seed = 5;

	start(&live, 0, 100);
	clock_map_encode(&live, &ev);
	clock_map_load(&replay, &ev);
	for (uint64_t t = 10000000; t < 30000000000ull; t += 1 + unit_random(&seed) % 2000000000) {
		clock_map_add(&live, t, mono_at(t) + unit_random(&seed) % 100);
		clock_map_encode(&live, &ev);
		clock_map_add(&replay, ev.head.time, ev.mono_ns);
		ck_assert_uint_eq(clock_map_real(&live, t + 12345), clock_map_real(&replay, t + 12345));
	}
	ck_assert_mem_eq(&live, &replay, sizeof(live));
}
END_TEST

START_TEST(counter_begins_anew)
{
	struct clock_map m;

	start(&m, 1000000000000, 0);
	clock_map_add(&m, 5000, m.raw_ns + 60000000000ull);
	ck_assert_uint_eq(clock_map_mono(&m, 5000), m.raw_ns);
}
END_TEST

START_TEST(live_sources)
{
	enum tracer_clock_source sources[2] = { TRACER_CLOCK_MONOTONIC, clock_probe() };

	for (int i = 0; i < 2; i++) {
		struct clock_map m;
		struct clock_point first;
		uint64_t before, at, after, real, now, waited;
		int added = 0;

		clock_point_sync(&first, sources[i]);
		clock_map_init(&m, sources[i], &first);
		/* the second pair is far enough from the first for a rate, whenever that was taken */
		waited = clock_mono_ns() - first.ns;
		ck_assert(sources[i] != TRACER_CLOCK_TSC || waited >= 200000);
		ck_assert(sources[i] != TRACER_CLOCK_TSC || m.raw_ns - first.ns >= 190000);
		while (!added) {
			before = clock_mono_ns();
			at = clock_ticks(sources[i]);
			after = clock_mono_ns();
			added = clock_map_sync(&m);
		}
		ck_assert_uint_eq(m.points, 2);
		/* The rate from 2 ms is good to far better than 1 %. */
		ck_assert_uint_ge(clock_map_mono(&m, at) + 200000, before);
		ck_assert_uint_le(clock_map_mono(&m, at), after + 200000);
		real = clock_map_real(&m, clock_ticks(sources[i]));
		now = clock_real_ns();
		ck_assert_uint_lt(real > now ? real - now : now - real, 1000000000);
	}
}
END_TEST

int main(void)
{
	return unit_run("clock", (const TTest *const[]){ one_minute_with_drift, past_ticks_stay,
		hostile_pairs_keep_it_monotone, replay_gives_the_same, counter_begins_anew, live_sources, NULL });
}
