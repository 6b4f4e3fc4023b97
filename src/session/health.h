/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told of the span and metric pipelines themselves, under the names of
 * OpenTelemetry's conventions for SDKs (otel.sdk.*): for --stats and as metrics.
 */
#ifndef SESSION_HEALTH_H
#define SESSION_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include "export/batch_processor.h"
#include "export/metric_sender.h"
#include "export/otlp_exporter.h"
#include "span/span_builder.h"

#define HEALTH_ROWS 17u
#define HEALTH_ATTRS 5u

struct health_row {
	const struct metric_desc *desc;
	struct metric_attr attrs[HEALTH_ATTRS];
	unsigned nattrs;
	enum metric_kind kind;		/* METRIC_SUM, or METRIC_UPDOWN: a state, not a count */
	uint64_t value;
	bool applies;			/* there is such a part in this run */
};

/* Where a part is missing its pointer is NULL. */
struct health_source {
	const struct span_builder_stats *built;
	const struct batch_stats *batch;
	const char *span_exporter;	/* component type */
	const struct otlp_peer *span_peer;
	uint32_t queue_capacity;
	const struct metric_sender_stats *sender;
	const char *metric_exporter;
	const struct otlp_peer *metric_peer;
};

/* All HEALTH_ROWS, always in the same order; rows of one metric are neighbours. */
void health_load(struct health_row rows[HEALTH_ROWS], const struct health_source *src);
/* server.address and, where it has one, server.port: how many there are. */
unsigned health_add_peer(struct metric_attr attrs[2], const struct otlp_peer *peer);
/* otel.sdk.exporter.span.exported{error.type=rejected} */
void health_format_name(const struct health_row *row, char *buf, size_t size);

#endif
