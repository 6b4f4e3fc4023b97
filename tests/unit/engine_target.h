/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of engines share besides a run (engine_run.h). */
#ifndef TESTS_ENGINE_TARGET_H
#define TESTS_ENGINE_TARGET_H

#include <check.h>
#include "engine_run.h"

/* A program to attach to; it prints a line when it is ready. */
struct target {
	pid_t pid;
	int out;		/* its stdout */
	char **argv;
	pthread_barrier_t forked;
};

/* Forked by another thread: it is no business of the supervisor's wait. */
void target_open(struct target *t, char *const argv[]);
void target_read_line(struct target *t, const char *want);
/* Waits for its end; its wait status. */
int target_close(struct target *t);
/* Threads of a process, none of which may be traced. */
unsigned target_count_untraced(pid_t pid);

/* For engine_run.started: stop() from another thread, after a while (stop_after_us). */
void engine_run_stop_later(struct engine_run *run);
/* This call, and others that were asked for so, and nothing else. */
void engine_run_select(struct engine_run *r, const char *name);

/* Runs and frees a suite; 77 where ptrace is forbidden. */
int engine_suite_run(Suite *suite);

#endif
