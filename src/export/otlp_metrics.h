/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics to an ExportMetricsServiceRequest.  Metrics are few (a point for
 * each call and outcome, once an interval), so libprotobuf-c encodes them; the
 * caller's data is only looked at.
 */
#ifndef OTLP_METRICS_H
#define OTLP_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resource;

enum metric_kind { METRIC_SUM = 0, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_EXP_HISTOGRAM };
enum metric_temporality { METRIC_DELTA = 1, METRIC_CUMULATIVE = 2 };	/* as on the wire */

struct metric_attr {
	const char *key;
	const char *str;	/* UTF-8; NULL: i */
	int64_t i;
};

struct metric_point {
	const struct metric_attr *attrs;
	size_t nattrs;
	uint64_t start_ns, time_ns;		/* Unix */
	bool is_double;				/* sum, gauge: d, else i */
	int64_t i;
	double d;
	/* histograms */
	uint64_t count;
	double sum, min, max;			/* min and max only where count > 0 */
	const uint64_t *counts;			/* explicit: nbounds + 1; exponential: ncounts from offset on */
	size_t ncounts;
	const double *bounds;			/* explicit; ascending */
	int32_t scale, offset;			/* exponential: bucket i is (base^(offset+i), base^(offset+i+1)],
						   base 2^(2^-scale) */
	uint64_t zero_count;
};

struct metric {
	const char *name, *description, *unit;
	enum metric_kind kind;
	enum metric_temporality temporality;	/* all but gauges */
	bool monotonic;				/* sums */
	const struct metric_point *points;
	size_t npoints;
};

/* *out is malloc()ed with OTLP_METRICS_HEADROOM writable bytes before it: give
 * it to otlp_metrics_free().  Metrics without points are left out; 0 with *len
 * 0 when nothing is left (do not send).  -ENOMEM. */
#define OTLP_METRICS_HEADROOM 8u
int otlp_encode_metrics(const struct resource *r, const struct metric *metrics, size_t n, uint8_t **out, size_t *len);
void otlp_metrics_free(uint8_t *out);

#endif
