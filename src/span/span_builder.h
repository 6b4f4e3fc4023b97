/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls and process events become spans: the tree of TELEMETRY (process spans,
 * syscall spans, compute spans, summary spans), under the budget.  Runs on the
 * consumer thread.  Spans come from the pool and are handed to emit(), which
 * takes them over.
 */
#ifndef SPAN_BUILDER_H
#define SPAN_BUILDER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/log.h"
#include "decode/decode.h"
#include "span/propagator.h"
#include "span/span_pool.h"

enum span_detail { DETAIL_AUTO = 0, DETAIL_FULL, DETAIL_SUMMARY, DETAIL_PROCESS, DETAIL_METRICS };
enum span_errors { ERRORS_UNEXPECTED = 0, ERRORS_ALL, ERRORS_NONE };

struct span_builder_config {
	enum span_detail detail;
	enum span_errors errors;
	uint64_t max_spans, max_trace_bytes, trace_split;
	uint64_t min_duration_ns;	/* 0 off */
	uint64_t fold_interval_ns;
	bool compute;
	uint64_t compute_ns;		/* threshold */
	bool args;			/* --otlp-args: argv of processes */
	bool buffers;			/* --otlp-buffers: user data in syscall.arguments */
	bool arguments;			/* syscall.arguments at all */
	bool limited;			/* limits below the span's own are set */
	struct span_limits limits;
	struct decode_options decode;
	/* path of the program to run: names it until its first exec; NULL unknown */
	const char *program;
	const char *instance_id;	/* service.instance.id; NULL: a fresh one */
	const char *service_name;	/* NULL: from the root's executable */
	const char *resource_attributes;	/* list form, may be NULL */
	const char *engine;
	struct trace_context context;	/* trace id, root parent, flags, state: see propagator.h */
	/* a replay: trace and root span are those that the recorded program was given */
	bool adopt;
	uint8_t root_span_id[8];	/* fixed before exec: it is in the program's TRACEPARENT */
	const struct log *log;
	/* Takes the span.  ctx is emit_ctx. */
	void (*emit)(void *ctx, struct span *s);
	void *emit_ctx;
};

/* Every call is in exactly one of single, folded, dropped: their sum is calls. */
struct span_builder_stats {
	uint64_t calls, single, folded, dropped, folded_groups;
	uint64_t begun, live;		/* process spans, ended or not; those that are not */
	/* of begun: without a parent, under TRACEPARENT's span; all others are under spans of ours */
	uint64_t orphans, remote;
	uint64_t process_spans, compute_spans, summary_spans, notable, traces, bytes;
	uint64_t held;			/* of single: spans that wait for their turn */
};

struct span_builder;
/* Takes the world's hooks and its user slots: free the builder before the world. */
int span_builder_new(struct span_builder **out, const struct span_builder_config *cfg,
		     struct span_pool *pool, struct world *w, const struct clock_map *clock);
void span_builder_free(struct span_builder *b);
void span_builder_call(struct span_builder *b, const struct call *c);
void span_builder_event(struct span_builder *b, const struct tracer_event *ev);	/* after world_before() */
void span_builder_tick(struct span_builder *b, uint64_t mono_ns);	/* fold interval */
/* End: folds and process spans (not the root's). */
void span_builder_finish(struct span_builder *b, uint64_t end_ticks);
/* The root span, last, with the final counts. */
struct span_final { uint64_t exported, dropped, lost, waited_ns, overhead_ns; };
void span_builder_finish_root(struct span_builder *b, const struct span_final *f);
void span_builder_stats(const struct span_builder *b, struct span_builder_stats *out);

#endif
