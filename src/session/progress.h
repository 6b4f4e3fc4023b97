/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress line: what the run has done so far, for a person who waits.
 * The caller of the library draws it; here is decided when.  It is never on
 * the screen while a program writes: the engine tells when a call that may
 * write begins and ends, or keeps programs from it for as long as the line is
 * there (struct engine_screen), and messages of ours go through progress_log().  All of it under one lock,
 * which the supervisor takes for calls that may write, and the consumer twice a second.
 */
#ifndef SESSION_PROGRESS_H
#define SESSION_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <tracer/session.h>
#include "engine/engine.h"

struct progress {
	pthread_mutex_t lock;
	tracer_progress_fn fn;		/* NULL: nobody draws */
	void *ctx;
	tracer_log_fn log;
	void *log_ctx;
	struct engine_screen screen;	/* for the engine */
	uint64_t next_ns;		/* consumer's: of the next line, CLOCK_MONOTONIC */
	uint64_t start_ns;
	/* lock: */
	bool watched, shown, over;
	unsigned writing;		/* calls under way that may write */
	uint64_t written_ns;		/* when the latest of them was over */
	const struct engine_gate *gate;	/* NULL: the engine tells of all */
};

void progress_init(struct progress *p, const struct tracer_session_config *cfg);
void progress_set_wanted(struct progress *p, bool wanted);	/* before anything runs */
void progress_fini(struct progress *p);
/* Consumer: draws where it is time and the screen is quiet. */
void progress_tick(struct progress *p, uint64_t mono_ns, uint64_t calls, uint64_t processes);
/* Everything that may write is known from here on, or is not. */
void progress_watch(void *progress, bool on);
/* Gone, and never drawn again. */
void progress_stop(struct progress *p);
/* A tracer_log_fn; ctx is the struct progress. */
void progress_log(void *progress, int level, const char *message);

#endif
