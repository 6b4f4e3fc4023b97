/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of spans: pool, builder, batch processor, exporter, and the trace
 * context they belong to.  Opened and closed on the main thread; between
 * start and finish it is the consumer thread's.
 */
#ifndef SESSION_DELIVERY_H
#define SESSION_DELIVERY_H

#include <stdbool.h>
#include "export/batch_processor.h"
#include "export/otlp_exporter.h"
#include "session/options.h"
#include "session/outputs.h"
#include "span/propagator.h"
#include "span/span_builder.h"
#include "span/span_pool.h"

struct delivery {
	bool wanted;			/* spans are built */
	bool otlp;			/* and go to a collector */
	bool traced;			/* the run is a trace, sampled or not: the program is told of it */
	struct trace_context context;
	unsigned propagators;		/* PROPAGATE_* */
	/* replay: trace and root span are the recorded run's, where it tells */
	bool adopt;
	uint8_t root_span_id[8];
	struct span_pool *pool;
	struct span_builder *builder;
	struct span_exporter *exporter;	/* the batch processor's, once that is there */
	struct batch_processor *batch;
	struct outputs *outputs;
	const char *program;		/* path of what is run, NULL: attached */
	const char *exporter_name;	/* component type, NULL none */
	struct otlp_peer peer;
	uint32_t queue_size;
	char where[300];		/* collector, for messages */
	struct batch_stats final;	/* after finish */
	struct span_builder_stats built;
	const char *instance_id;	/* of the run, NULL: its own */
};

/* Decides, checks endpoint and headers, makes the trace context.  No thread yet. */
int delivery_open(struct delivery *d, const struct tracer_options *o, struct outputs *outs, char *const *envp,
		  const struct log *log, char *why, size_t whylen);
/* Consumer thread, all signals blocked: builder and exporter thread. */
int delivery_start(struct delivery *d, const struct tracer_options *o, struct world *w,
		   const struct clock_map *clock, const char *engine, const struct log *log);
/* Consumer thread, after the last record: folds, flush, root span, shutdown. */
struct delivery_end { uint64_t end_ticks, lost, waited_ns, overhead_ns, deadline_mono_ns; };
void delivery_finish(struct delivery *d, const struct delivery_end *end);
void delivery_close(struct delivery *d);

#endif
