/* SPDX-License-Identifier: Apache-2.0 */
/* Registry of benchmark suites: one line each.  Constant data. */
#include "config.h"
#include <stddef.h>
#include "bench.h"

extern const struct bench_suite bench_base;
extern const struct bench_suite bench_pipe;
extern const struct bench_suite bench_stats;
extern const struct bench_suite bench_span;
extern const struct bench_suite bench_export;
extern const struct bench_suite bench_flow;
extern const struct bench_suite bench_spool;

const struct bench_suite *const bench_suites[] = {
	&bench_base,
	&bench_pipe,
	&bench_stats,
	&bench_span,
	&bench_export,
	&bench_flow,
	&bench_spool,
	NULL
};
