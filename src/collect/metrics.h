/* SPDX-License-Identifier: Apache-2.0 */
/* A received ExportMetricsServiceRequest: as lines for people, and as OTLP/JSON. */
#ifndef COLLECT_METRICS_H
#define COLLECT_METRICS_H

#include "base/strbuf.h"
#include "export/proto/metrics_service.pb-c.h"

typedef Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest metrics_request;

/* A heading for each resource, a line for each point; returns the points. */
uint64_t metrics_format_text(const metrics_request *req, struct strbuf *out);
/* One line of the OTLP file exporter, no newline. */
void metrics_format_json(const metrics_request *req, struct strbuf *out);

#endif
