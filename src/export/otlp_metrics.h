/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics to the bytes of an ExportMetricsServiceRequest.  A request is built
 * up in order: a resource, its metrics, their points; then encoded.  Errors
 * (no memory) stick and are told by encode.
 *
 * One builder belongs to one thread.  It keeps its memory between requests.
 */
#ifndef OTLP_METRICS_H
#define OTLP_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "export/otlp_endpoint.h"
#include "span/resource.h"
#include "stats/metric_set.h"

enum metric_kind { METRIC_SUM = 0, METRIC_UPDOWN, METRIC_GAUGE, METRIC_EXPONENTIAL, METRIC_EXPLICIT };
enum metric_temporality { METRIC_DELTA = 1, METRIC_CUMULATIVE = 2 };	/* as on the wire */

struct metric_desc { const char *name, *unit, *description; };
struct metric_attr { const char *key, *text; const int64_t *number; };	/* neither text nor number: true */

struct otlp_metrics;

int otlp_metrics_new(struct otlp_metrics **out);
void otlp_metrics_free(struct otlp_metrics *m);
/* Empty again; time of the points to come. */
void otlp_metrics_reset(struct otlp_metrics *m, uint64_t time_ns);
void otlp_metrics_add_resource(struct otlp_metrics *m, const struct resource *r);
/* At most max points follow; a metric that gets none is left out. */
void otlp_metrics_open(struct otlp_metrics *m, const struct metric_desc *d, enum metric_kind kind,
		       enum metric_temporality t, uint64_t start_ns, size_t max);
/* As the metric's kind demands: the first two for sums and gauges. */
void otlp_metrics_add_int(struct otlp_metrics *m, const struct metric_attr *attrs, size_t n, uint64_t v);
void otlp_metrics_add_double(struct otlp_metrics *m, const struct metric_attr *attrs, size_t n, double v);
void otlp_metrics_add_exponential(struct otlp_metrics *m, const struct metric_attr *attrs, size_t n,
				  const struct exp_histogram *h);
void otlp_metrics_add_explicit(struct otlp_metrics *m, const struct metric_attr *attrs, size_t n,
			       const struct explicit_histogram *h);
size_t otlp_metrics_points(const struct otlp_metrics *m);

/* What can be sent: malloc'ed; the body begins OTLP_HEADROOM bytes into data, what is before it may be written. */
struct metric_body { struct metric_body *next; size_t points, len; uint8_t data[]; };
int otlp_metrics_encode(struct otlp_metrics *m, enum otlp_protocol protocol, struct metric_body **out);

#endif
