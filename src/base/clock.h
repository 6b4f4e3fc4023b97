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

struct clock_map {
	enum tracer_clock_source source;
	uint64_t base_ticks, base_ns;	/* start of the current line */
	double ns_per_tick;		/* its slope */
	uint64_t raw_ticks, raw_ns;	/* last pair measured */
	int64_t real_offset_ns;		/* Unix = monotonic + offset, fixed at init */
	uint64_t points;
};

/* Live: takes the first pair and a first rate (about 2 ms for the TSC). */
void clock_map_init(struct clock_map *m, enum tracer_clock_source source);
/* Replay: from a recorded point. */
void clock_map_load(struct clock_map *m, const struct tracer_ev_clock *first);
/* Live: measure a new pair; the line goes on without a step. */
void clock_map_sync(struct clock_map *m);
/* Add a given pair (replay, tests). */
void clock_map_add(struct clock_map *m, uint64_t ticks, uint64_t mono_ns);
uint64_t clock_map_mono(const struct clock_map *m, uint64_t ticks);
uint64_t clock_map_real(const struct clock_map *m, uint64_t ticks);

#endif
