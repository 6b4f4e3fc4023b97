/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What --detail=metrics counts: one series for each executable, call and
 * outcome, with the calls' durations and bytes, and for each executable what
 * the kernel says its processes used.  Bounded: what finds no place is counted
 * in one overflow series, as the SDK specification's cardinality limit has it.
 * One thread (the consumer).
 */
#ifndef METRIC_SET_H
#define METRIC_SET_H

#include <stdbool.h>
#include <stdint.h>
#include "decode/world.h"
#include "stats/exp_histogram.h"

#define METRIC_EXECS_MAX 256u
#define METRIC_NAME_MAX 64u
/* Upper bounds of explicit buckets are group_bounds_ns of stats/group.h. */
#define METRIC_BUCKETS 16u

struct explicit_histogram { uint64_t count, sum, min, max, buckets[METRIC_BUCKETS]; };

struct metric_series {
	uint64_t key;			/* of the table */
	uint32_t call;			/* what it is called: see metric_call_name() */
	uint16_t exec;			/* index in execs; METRIC_EXECS_MAX: of all */
	uint16_t err;			/* errno, 0 success */
	bool write;			/* direction of bytes */
	uint64_t unfinished;		/* calls that never returned */
	uint64_t bytes;			/* transferred */
	union { struct exp_histogram exp; struct explicit_histogram explicit; } durations;
};

/* Of processes that have ended: struct rusage summed up, the largest of max. */
struct metric_usage {
	uint64_t processes, utime_us, stime_us, minflt, majflt, nvcsw, nivcsw;
	uint64_t maxrss_bytes;		/* never reset */
};

struct metric_exec {
	char name[METRIC_NAME_MAX];	/* last part of the path, as the bytes are */
	struct metric_usage usage;
};

struct metric_set;
struct metric_set_config {
	uint32_t max_series;		/* 0: 2000 */
	bool explicit_buckets;		/* rather than exponential ones */
	const char *program;		/* name of the root's image before its first exec; NULL: its comm */
};
struct metric_set_stats { uint64_t calls, unfinished, overflowed; uint32_t series, series_max, execs; };

int metric_set_new(struct metric_set **out, const struct metric_set_config *cfg);
void metric_set_free(struct metric_set *m);
/* A call that returned, or with kind TRACER_EV_ENTER one that did not; img made it. */
void metric_set_call(struct metric_set *m, const struct image *img, const struct tracer_ev_call *ev,
		     uint64_t ns);
/* The process of img is gone. */
void metric_set_exit(struct metric_set *m, const struct image *img, const struct tracer_ev_exit *ev);

/* Non-empty series in order of appearance, the overflow series last: *pos starts at 0, NULL at the end. */
const struct metric_series *metric_set_next(const struct metric_set *m, uint32_t *pos);
uint32_t metric_set_execs(const struct metric_set *m);
/* METRIC_EXECS_MAX: of all */
const struct metric_exec *metric_set_exec(const struct metric_set *m, uint32_t i);
/* "openat"; buf is used for numbers without a name. */
const char *metric_call_name(uint32_t call, char buf[24]);
uint64_t metric_series_count(const struct metric_set *m, const struct metric_series *s);
bool metric_set_explicit(const struct metric_set *m);
/* Delta temporality: calls (and usage, but for the peak) back to nothing.  Names and memory stay. */
void metric_set_reset_calls(struct metric_set *m);
void metric_set_reset_usage(struct metric_set *m);
void metric_set_stats(const struct metric_set *m, struct metric_set_stats *out);

#endif
