/* SPDX-License-Identifier: Apache-2.0 */
/* A received ExportTraceServiceRequest: into the span store, and as OTLP/JSON. */
#ifndef COLLECT_TRACES_H
#define COLLECT_TRACES_H

#include "base/strbuf.h"
#include "collect/span_store.h"
#include "export/proto/trace_service.pb-c.h"

typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest traces_request;

struct traces_stats { uint64_t spans, calls, roots; };

/* Adds every span; counts spans, calls (summaries count what they stand for)
 * and roots (spans without a parent in this process tree: their flags say
 * that the parent is remote, or there is none).  The last root's trace id goes to root_trace. */
void traces_store(const traces_request *req, struct span_store *store, struct traces_stats *st,
		  uint8_t root_trace[16]);

/* One line of the OTLP file exporter: {"resourceSpans":[...]}, no newline. */
void traces_format_json(const traces_request *req, struct strbuf *out);

#endif
