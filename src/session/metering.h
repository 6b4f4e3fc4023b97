/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of metrics: what the consumer thread counts, collected at every
 * metric interval and at the end, to the collector and to OTLP/JSON files.
 * Opened and closed on the main thread; between start and finish it is the
 * consumer thread's, but for abort.
 */
#ifndef SESSION_METERING_H
#define SESSION_METERING_H

#include <stdbool.h>
#include <stdint.h>
#include "export/metric_sender.h"
#include "session/delivery.h"
#include "session/health.h"
#include "session/options.h"
#include "session/outputs.h"
#include "span/resource_build.h"
#include "stats/metric_set.h"

struct metering {
	bool wanted;
	bool otlp;			/* to a collector */
	bool calls;			/* of the program: syscall.*, process.* */
	bool self;			/* of ourselves: otel.sdk.* */
	bool file;			/* outputs that take OTLP/JSON get them */
	enum otlp_protocol protocol;
	/* order of the choices */
	enum { PREFER_DELTA = 0, PREFER_CUMULATIVE, PREFER_LOWMEMORY } preference;
	uint64_t interval_ns, timeout_ns;
	struct metric_set *set;
	struct otlp_metrics *request;
	struct metric_sender *sender;
	struct span_exporter *exporter;	/* the sender's, once that is there */
	struct outputs *outputs;
	const struct tracer_options *options;
	struct resource_host host;
	struct resource_run run;
	char service[METRIC_NAME_MAX];	/* fallback of service.name */
	char *program;			/* path of what is run, links resolved; NULL unknown */
	uint64_t next_ns;		/* of the next collection, CLOCK_MONOTONIC */
	uint64_t start_ns, since_ns;	/* Unix time: of the run, of the delta */
	uint64_t health_last[HEALTH_ROWS];
	uint64_t collections, encode_errors;
	struct exp_histogram collect_time;
	const char *exporter_name;	/* component type */
	struct otlp_peer peer;
	char where[300];		/* collector, for messages */
	struct metric_sender_stats final;	/* after finish */
	struct metric_set_stats counted;
};

/* Counters of a run's parts, where they are. */
struct health_values {
	struct span_builder_stats built;
	struct batch_stats batch;
	struct metric_sender_stats sender;
	struct health_source source;
};
void metering_load_health(const struct metering *m, const struct delivery *d, struct health_values *v);

/* Decides, checks endpoint and headers.  No thread yet. */
int metering_open(struct metering *m, const struct tracer_options *o, struct outputs *outs,
		  const struct log *log, char *why, size_t whylen);
/* Consumer thread, all signals blocked.  program: path of what is run, or NULL; real_ns: Unix time,
 * 0 not known yet (replay). */
int metering_start(struct metering *m, const char *program, uint64_t real_ns);
void metering_call(struct metering *m, struct world *w, const struct tracer_ev_call *ev, uint64_t ns);
void metering_exit(struct metering *m, struct world *w, const struct tracer_ev_exit *ev);
void metering_tick(struct metering *m, uint64_t mono_ns, uint64_t real_ns, const struct delivery *d);
/* After the delivery's end; within the deadline. */
void metering_finish(struct metering *m, uint64_t real_ns, uint64_t deadline_mono_ns,
		     const struct delivery *d);
void metering_abort(struct metering *m);	/* any thread */
void metering_close(struct metering *m);

#endif
