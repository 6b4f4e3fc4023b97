/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ticks and time.  Engines and agent stamp records with ticks: the invariant
 * TSC where the kernel trusts it as its own clocksource, else
 * CLOCK_MONOTONIC nanoseconds.  One struct clock_map (owned by the consumer)
 * turns ticks into CLOCK_MONOTONIC by a continuous piecewise line that is
 * extended about every second, and into Unix time by one offset per run.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <tracer/event.h>

/* Which source this machine lets us use. */
enum tracer_clock_source clock_probe(void);
uint64_t clock_mono_ns(void);
uint64_t clock_real_ns(void);
uint64_t clock_ticks(enum tracer_clock_source source);
/* The same, not reordered with loads and stores around it. */
uint64_t clock_ticks_ordered(enum tracer_clock_source source);

/* Where a line began; the last few are kept, because a call that was blocked
 * for long has a start that lies on an old line. */
struct clock_point { uint64_t ticks, ns; };
#define CLOCK_POINTS_MAX 64u

/*
 * The current line bends at meet: from base to meet it makes up for the error
 * seen at the last measurement, behind meet it runs at the measured rate.
 * Rates are nanoseconds per tick times 2^32, so that a replay that adds the
 * same pairs gives the same times to the nanosecond.
 */
struct clock_map {
	enum tracer_clock_source source;
	uint64_t base_ticks, base_ns;	/* start of the current line */
	uint64_t meet_ticks, meet_ns;	/* its bend */
	uint64_t bend, rate;		/* slope before and behind it */
	uint64_t raw_ticks, raw_ns;	/* last pair measured */
	int64_t real_offset_ns;		/* Unix = monotonic + offset, fixed at init */
	uint64_t interval_ns;		/* until the next measurement is due: 2 ms, doubling to 1 s */
	uint64_t points;		/* pairs added */
	struct clock_point past[CLOCK_POINTS_MAX];	/* oldest first; then base */
	unsigned npast;
};

/* A first pair, to be taken as early as can be; ... */
void clock_point_sync(struct clock_point *p, enum tracer_clock_source source);
/* ... live: from that pair and one that is taken now, 0.2 ms later at least (TSC). */
void clock_map_init(struct clock_map *m, enum tracer_clock_source source, const struct clock_point *first);
/* Replay: from a recorded point. */
void clock_map_load(struct clock_map *m, const struct tracer_ev_clock *first);
/* The last pair as a record; loading and adding these in order repeats the map. */
void clock_map_encode(const struct clock_map *m, struct tracer_ev_clock *out);
/* Live: when interval_ns have passed, measure a new pair; the line goes on
 * without a step.  1 when a point was added (record it), else 0.  The consumer
 * calls it on every turn and never sleeps longer than interval_ns. */
int clock_map_sync(struct clock_map *m);
/* Add a given pair (replay, tests). */
void clock_map_add(struct clock_map *m, uint64_t ticks, uint64_t mono_ns);
/* Monotone: a later tick never gets an earlier time. */
uint64_t clock_map_mono(const struct clock_map *m, uint64_t ticks);
uint64_t clock_map_real(const struct clock_map *m, uint64_t ticks);

#endif
