/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer thread: rings -> world -> summary, sinks, spans.  It owns
 * world, clock, outputs and span builder from start to join.
 */
#ifndef SESSION_CONSUMER_H
#define SESSION_CONSUMER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/log.h"
#include "decode/world.h"
#include "ring/ring_set.h"
#include "session/delivery.h"
#include "session/metering.h"
#include "session/outputs.h"
#include "session/progress.h"
#include "session/select.h"
#include "stats/summary.h"

struct consumer_counts {
	uint64_t calls;		/* that the user selected */
	uint64_t hidden;	/* kept for state only, or left out by the selection */
	uint64_t lost;		/* reported by engine or rings */
	uint64_t processes;
};

struct consumer {
	/* set before start */
	const struct tracer_options *options;
	const struct selection *selection;
	const struct log *log;
	struct ring_set *rings;
	struct outputs *outputs;
	struct delivery *delivery;
	struct metering *metering;
	struct progress *progress;
	enum tracer_clock_source clock_source;
	struct clock_point clock_first;	/* live: taken long enough ago for a first rate */
	bool replay;			/* the clock comes from the records */
	const char *engine;

	/* the thread's own */
	struct world *world;
	struct clock_map clock;
	bool clock_loaded;
	struct summary *summary;	/* NULL: not wanted */
	bool decode;			/* somebody wants struct call */
	/* somebody wants to know what calls do to descriptors and directories */
	bool tables;
	struct consumer_counts counts;
	uint64_t last_ticks;
	uint64_t next_tick_ns;
	int output_error;
	char output_why[300];

	/* between the threads */
	pthread_t thread;
	bool started;
	sem_t ready, ended;
	int start_result;
	char start_why[300];
	_Atomic uint64_t deadline_mono_ns;	/* of the end; 0: not yet */
	/* told by the supervisor at its end: held program, our CPU time */
	_Atomic uint64_t waited_ns, tracer_ns;
};

/* Starts the thread (all signals blocked in it) and waits until outputs are open:
 * 0 or negative with c->start_why. */
int consumer_start(struct consumer *c);
/* The engine has ended and the rings are finished: everything has to be delivered by then. */
void consumer_end(struct consumer *c, uint64_t deadline_mono_ns);
/* Waits for the end of the thread; -ETIMEDOUT when it is not over at mono_ns (then call again). */
int consumer_wait(struct consumer *c, uint64_t mono_ns);
void consumer_join(struct consumer *c);

#endif
