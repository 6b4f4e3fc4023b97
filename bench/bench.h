/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Harness for micro-benchmarks.  A case says how to make its state, how to do
 * n iterations of the real code, and how to take the state down; the harness
 * warms up, calibrates n so that a sample lasts long enough, takes samples of
 * all selected cases in turn (A B C A B C: noise hits them alike), counts
 * allocations, and reports robust statistics as text and JSON.
 *
 * Single-threaded unless the case starts threads itself.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>

struct bench_case {
	const char *name;		/* unique, snake_case */
	const char *what;		/* one line for readers */
	double items;			/* things per iteration (spans, calls), for the rate; 0: 1 */
	const char *unit;		/* name of a thing: "span" */
	void *(*setup)(void);		/* NULL: no state.  Returning NULL: cannot run here, skipped */
	void *(*setup_with)(const void *arg);	/* the same, for families of cases; instead of setup */
	const void *arg;
	void (*run)(void *state, uint64_t n);
	void (*teardown)(void *state);
	/* Latency cases: fills out[] with up to max single durations in ns and
	 * returns how many; the samples are these, not means. */
	uint64_t (*latencies)(void *state, double *out, uint64_t max);
};

/* One file of cases ends with one of these. */
struct bench_suite {
	const char *name;
	const struct bench_case *cases;	/* ends with name NULL */
};

/* The registry: bench_suites.c, one line a suite, NULL-terminated. */
extern const struct bench_suite *const bench_suites[];

/* Allocations (malloc, calloc, realloc) and bytes since the program started. */
void bench_allocs(uint64_t *count, uint64_t *bytes);

/* Tells the compiler that the value is used. */
static inline void bench_keep(const void *p)
{
	__asm__ volatile("" : : "g"(p) : "memory");
}

#endif
