/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program through an engine and keeps all of its records, for tests.
 * The caller is the supervisor; a thread of ours is the consumer.
 */
#ifndef TESTS_ENGINE_RUN_H
#define TESTS_ENGINE_RUN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "engine/engine.h"

struct engine_run {
	struct engine_config cfg;
	const struct engine_ops *ops;
	struct engine *engine;
	struct engine_result result;
	uint64_t stats[ENGINE_STATS];
	int err;			/* of open, start or run */
	char log[4096];			/* messages, one a line */
	/* what the program wrote to stdout */
	char out[65536];
	/* records, one behind the other */
	uint8_t *records;
	size_t len, cap, count;
	/* consumer */
	pthread_t consumer;
	bool slow;			/* sleeps after each record */
	unsigned hold_ms;		/* takes nothing for so long at first */
	bool hold_full;			/* takes nothing until a record found no room */
	struct log log_to;
	struct engine_selection selection;
	struct capture_limits limits;
	/* called between start and run */
	void (*started)(struct engine_run *r);
	unsigned stop_after_us;		/* of engine_run_stop_later(); 0: its own */
	void *ctx;
};

/* Defaults: engine "ptrace", everything selected, 1 MiB ring. */
void engine_run_init(struct engine_run *r);
/* argv[0] is looked up in the build directory unless it has a slash. */
void engine_run_program(struct engine_run *r, char *const argv[]);
void engine_run_attach(struct engine_run *r, pid_t pid);
void engine_run_attach_all(struct engine_run *r);	/* to cfg.pids */
void engine_run_fini(struct engine_run *r);

/* Iterate over the records: NULL starts, NULL ends. */
const struct tracer_event *engine_run_next(const struct engine_run *r, const struct tracer_event *ev);
/* Number of calls of this name (any ABI if abi < 0) that have ended / of ENTER records. */
unsigned engine_run_calls(const struct engine_run *r, int abi, const char *name);
unsigned engine_run_enters(const struct engine_run *r, const char *name);
unsigned engine_run_kind(const struct engine_run *r, int kind);
/* First call of this name, or NULL. */
const struct tracer_ev_call *engine_run_call(const struct engine_run *r, const char *name);
/* The captured piece of an argument, or NULL. */
const struct tracer_capture *engine_run_piece(const struct tracer_ev_call *c, unsigned arg, unsigned index);
/* Every call has its task, time never runs backwards in a task, every task ends. */
void engine_run_check(const struct engine_run *r);

#endif
