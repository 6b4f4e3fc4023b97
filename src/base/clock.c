/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clock sources, and the map from ticks to time.  Reading a clock is free of
 * state and may happen on any thread; a struct clock_map belongs to the
 * consumer.
 *
 * Why a piecewise line: a rate measured once, over 10 ms, was 19 ms off after
 * 30 s.  So the pair (ticks, monotonic) is measured again and again, first
 * after 0.2 ms, for which the program has to wait, then after 2 ms and at
 * doubled intervals up to one second.  At each measurement the old line is a
 * little off; the new line starts where the old one is (no step) and bends so
 * that it meets the measured line one interval later.
 */
#include "config.h"
#include "base/clock.h"
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <x86intrin.h>
#endif

#define NS_PER_S 1000000000ull
#define FIRST_NS 200000ull		/* for a first rate; refined from then on */
#define INTERVAL_MIN_NS 2000000ull
#define INTERVAL_MAX_NS NS_PER_S
#define UNIT ((uint64_t)1 << 32)	/* rate of a clock that ticks in nanoseconds */
/* A rate this much (1/512) off the last one over a second is no drift but a
 * suspended machine: one clock went on and the other did not. */
#define RATE_JUMP_SHIFT 9

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_real_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

#ifdef __x86_64__
/* CPUID 0x80000007 EDX bit 8 (AMD and Intel manuals: "invariant TSC"). */
static int tsc_invariant(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
}

/* prctl(PR_SET_TSC) makes rdtsc fault. */
static int tsc_allowed(void)
{
	int mode = 0;

	return prctl(PR_GET_TSC, &mode) < 0 || mode == PR_TSC_ENABLE;
}

/* The kernel's own clocksource: it has checked that all CPUs agree. */
static int tsc_trusted(void)
{
	char name[16] = "";
	int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		      O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, name, sizeof(name) - 1);
	close(fd);
	return n > 0 && strncmp(name, "tsc\n", 4) == 0;
}

enum tracer_clock_source clock_probe(void)
{
	return tsc_allowed() && tsc_invariant() && tsc_trusted() ? TRACER_CLOCK_TSC
								 : TRACER_CLOCK_MONOTONIC;
}

uint64_t clock_ticks(enum tracer_clock_source source)
{
	return source == TRACER_CLOCK_TSC ? __rdtsc() : clock_mono_ns();
}

/* rdtsc is no memory access: only lfence keeps loads in order with it. */
uint64_t clock_ticks_ordered(enum tracer_clock_source source)
{
	uint64_t ticks;

	_mm_mfence();
	_mm_lfence();
	ticks = clock_ticks(source);
	_mm_lfence();
	return ticks;
}
#else
enum tracer_clock_source clock_probe(void)
{
	return TRACER_CLOCK_MONOTONIC;
}

uint64_t clock_ticks(enum tracer_clock_source source)
{
	(void)source;
	return clock_mono_ns();
}

uint64_t clock_ticks_ordered(enum tracer_clock_source source)
{
	uint64_t ticks;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ticks = clock_ticks(source);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return ticks;
}
#endif

/* Ticks and another clock at one moment: the best of a few tries, since the
 * thread may be preempted between the readings. */
static void measure(enum tracer_clock_source source, clockid_t id, struct clock_point *out)
{
	uint64_t best = UINT64_MAX;

	*out = (struct clock_point){ 0 };
	for (int i = 0; i < 8; i++) {
		uint64_t before = clock_ticks(source);
		uint64_t ns = read_clock(id);
		uint64_t after = clock_ticks(source);

		if (after - before < best) {
			best = after - before;
			*out = (struct clock_point){ before + best / 2, ns };
		}
	}
}

/* CLOCK_MONOTONIC as ticks is the time itself: nothing between to measure. */
static void measure_pair(enum tracer_clock_source source, struct clock_point *out)
{
	if (source == TRACER_CLOCK_MONOTONIC)
		out->ticks = out->ns = clock_mono_ns();
	else
		measure(source, CLOCK_MONOTONIC, out);
}

static uint64_t scale(uint64_t ticks, uint64_t rate)
{
	return (uint64_t)((unsigned __int128)ticks * rate >> 32);
}

static uint64_t slope(uint64_t ns, uint64_t ticks)
{
	return (uint64_t)(((unsigned __int128)ns << 32) / ticks);
}

static void start_line(struct clock_map *m, uint64_t ticks, uint64_t ns, uint64_t rate)
{
	m->base_ticks = m->meet_ticks = m->raw_ticks = ticks;
	m->base_ns = m->meet_ns = m->raw_ns = ns;
	m->bend = m->rate = rate;
	m->interval_ns = INTERVAL_MIN_NS;
	m->points = 1;
}

void clock_point_sync(struct clock_point *p, enum tracer_clock_source source)
{
	measure_pair(source, p);
}

/* Until FIRST_NS after the first pair. */
static void wait_for_rate(const struct clock_point *first)
{
	uint64_t until = first->ns + FIRST_NS;
	struct timespec ts = { .tv_sec = (time_t)(until / NS_PER_S), .tv_nsec = (long)(until % NS_PER_S) };

	if (clock_mono_ns() < until)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

void clock_map_init(struct clock_map *m, enum tracer_clock_source source, const struct clock_point *first)
{
	struct clock_point second, real;

	*m = (struct clock_map){ .source = source };
	start_line(m, first->ticks, first->ns, UNIT);
	if (source == TRACER_CLOCK_TSC) {
		wait_for_rate(first);
		measure_pair(source, &second);
		start_line(m, second.ticks, second.ns,
			   slope(second.ns - first->ns, second.ticks - first->ticks));
	}
	measure(TRACER_CLOCK_MONOTONIC, CLOCK_REALTIME, &real);
	m->real_offset_ns = (int64_t)(real.ns - real.ticks);
}

void clock_map_load(struct clock_map *m, const struct tracer_ev_clock *first)
{
	*m = (struct clock_map){ .source = first->source };
	start_line(m, first->head.time, first->mono_ns, first->rate ? first->rate : UNIT);
	m->real_offset_ns = (int64_t)(first->real_ns - first->mono_ns);
}

void clock_map_encode(const struct clock_map *m, struct tracer_ev_clock *out)
{
	*out = (struct tracer_ev_clock){
		.head = { .size = sizeof(*out), .kind = TRACER_EV_CLOCK, .time = m->raw_ticks },
		.mono_ns = m->raw_ns,
		.real_ns = m->raw_ns + (uint64_t)m->real_offset_ns,
		.source = m->source,
		.rate = m->rate,
	};
}

int clock_map_sync(struct clock_map *m)
{
	struct clock_point now;

	if (clock_mono_ns() - m->raw_ns < m->interval_ns)
		return 0;
	measure_pair(m->source, &now);
	clock_map_add(m, now.ticks, now.ns);
	return 1;
}

static uint64_t chord(const struct clock_point *from, const struct clock_point *to, uint64_t ticks)
{
	return from->ns + (uint64_t)((unsigned __int128)(ticks - from->ticks) * (to->ns - from->ns) /
				     (to->ticks - from->ticks));
}

/* Which of the old points is missed least: the one nearest to the chord over
 * its neighbours. */
static unsigned past_spare(const struct clock_map *m)
{
	uint64_t least = UINT64_MAX;
	unsigned at = 1;

	for (unsigned i = 1; i + 1 < m->npast; i++) {
		uint64_t ns = chord(&m->past[i - 1], &m->past[i + 1], m->past[i].ticks);
		uint64_t off = ns > m->past[i].ns ? ns - m->past[i].ns : m->past[i].ns - ns;

		if (off < least) {
			least = off;
			at = i;
		}
	}
	return at;
}

/* Remembers where an old line began. */
static void past_push(struct clock_map *m, uint64_t ticks, uint64_t ns)
{
	if (m->npast == CLOCK_POINTS_MAX) {
		unsigned at = past_spare(m);

		memmove(&m->past[at], &m->past[at + 1], (m->npast - at - 1) * sizeof(m->past[0]));
		m->npast--;
	}
	m->past[m->npast++] = (struct clock_point){ ticks, ns };
}

/* Rate from the last pair to this one, or the old one where that can't be. */
static uint64_t measured_rate(const struct clock_map *m, uint64_t dticks, uint64_t dns)
{
	uint64_t rate = slope(dns, dticks);
	uint64_t off = rate > m->rate ? rate - m->rate : m->rate - rate;

	if (rate == 0 || (dns >= INTERVAL_MAX_NS / 2 && off > m->rate >> RATE_JUMP_SHIFT))
		return m->rate;
	return rate;
}

/* From (ticks, line) to where the measured line (ticks, ns, rate) is one
 * interval later.  An error that cannot be made up in that time with half or
 * double the rate is made up as far as that goes; the next sync goes on. */
static void bend_line(struct clock_map *m, uint64_t ticks, uint64_t line, uint64_t ns)
{
	uint64_t horizon = slope(m->interval_ns, m->rate) ? slope(m->interval_ns, m->rate) : 1;
	uint64_t run = scale(horizon, m->rate);
	uint64_t target = ns + run;
	uint64_t rise = target > line ? target - line : 0;

	if (rise < run / 2)
		rise = run / 2;
	if (rise > run * 2)
		rise = run * 2;
	m->base_ticks = ticks;
	m->base_ns = line;
	m->bend = slope(rise, horizon);
	m->meet_ticks = ticks + horizon;
	m->meet_ns = line + scale(horizon, m->bend);
}

void clock_map_add(struct clock_map *m, uint64_t ticks, uint64_t mono_ns)
{
	uint64_t line = clock_map_mono(m, ticks);

	if (ticks <= m->raw_ticks || mono_ns <= m->raw_ns || ticks <= m->base_ticks) {
		/* A counter that began anew while the machine was suspended. */
		if (ticks < m->raw_ticks && mono_ns > m->raw_ns + NS_PER_S) {
			m->npast = 0;
			start_line(m, ticks, mono_ns, m->rate);
		}
		return;
	}
	past_push(m, m->base_ticks, m->base_ns);
	if (m->meet_ticks > m->base_ticks && m->meet_ticks < ticks)
		past_push(m, m->meet_ticks, m->meet_ns);
	m->rate = measured_rate(m, ticks - m->raw_ticks, mono_ns - m->raw_ns);
	m->interval_ns = m->interval_ns * 2 < INTERVAL_MAX_NS ? m->interval_ns * 2 : INTERVAL_MAX_NS;
	bend_line(m, ticks, line, mono_ns);
	m->raw_ticks = ticks;
	m->raw_ns = mono_ns;
	m->points++;
}

/* On the lines before the current one; exact at both ends of each. */
static uint64_t past_mono(const struct clock_map *m, uint64_t ticks)
{
	struct clock_point to = { m->base_ticks, m->base_ns };
	struct clock_point from = to;
	uint64_t back;

	for (unsigned i = m->npast; i--; to = from) {
		from = m->past[i];
		if (ticks >= from.ticks)
			return chord(&from, &to, ticks);
	}
	/* Before the first point: a task that started before we did. */
	back = scale(from.ticks - ticks, m->rate);
	return back < from.ns ? from.ns - back : 0;
}

uint64_t clock_map_mono(const struct clock_map *m, uint64_t ticks)
{
	if (ticks >= m->meet_ticks)
		return m->meet_ns + scale(ticks - m->meet_ticks, m->rate);
	if (ticks >= m->base_ticks)
		return m->base_ns + scale(ticks - m->base_ticks, m->bend);
	return past_mono(m, ticks);
}

uint64_t clock_map_real(const struct clock_map *m, uint64_t ticks)
{
	return clock_map_mono(m, ticks) + (uint64_t)m->real_offset_ns;
}
