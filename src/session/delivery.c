/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wires the span pipeline together from options.  The consumer thread builds
 * spans and hands each to the outputs that take spans, then to the batch
 * processor, which owns it from there; without one it goes back to the pool.
 */
#include "config.h"
#include "session/delivery.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tracer/error.h>
#include "export/otlp_exporter.h"
#include "export/spool_exporter.h"
#include "span/sampler.h"

#define BATCH_BYTES 3145728u		/* a batch is also cut at 3 MiB serialised, or less: batch_bytes() */

static const char *env_lookup(char *const *envp, const char *name)
{
	size_t n = strlen(name);

	for (; envp && *envp; envp++)
		if (!strncmp(*envp, name, n) && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

static void load_propagators(struct delivery *d, const struct tracer_options *o, const struct log *log)
{
	char unknown[64];

	d->propagators = propagators_parse(option_str(o, OPT_PROPAGATORS), unknown, sizeof(unknown));
	if (unknown[0])
		log_msg(log, LOG_WARN, "propagator '%s' is not known and ignored (--propagators, OTEL_PROPAGATORS): there are "
				       "tracecontext, baggage, none", unknown);
}

/* A wrong --trace-parent is an error, a wrong TRACEPARENT of the environment a warning. */
static int load_context(struct delivery *d, const struct tracer_options *o, char *const *envp,
			const struct log *log, char *why, size_t whylen)
{
	const char *parent = option_str(o, OPT_TRACE_PARENT);
	bool given = o->v[OPT_TRACE_PARENT].origin == TRACER_FROM_OPTION;
	char reason[200];

	if (!given && !(d->propagators & PROPAGATE_TRACECONTEXT))
		parent = NULL;
	d->adopt = option_str(o, OPT_RECORDING) && !given;
	if (parent &&
	    !propagator_parse(parent, env_lookup(envp, "TRACESTATE"), &d->context, reason, sizeof(reason)))
		return 0;
	if (parent && given) {
		snprintf(why, whylen, "--trace-parent %s: %s", parent, reason);
		return -TRACER_ERR_USAGE;
	}
	if (parent)
		log_msg(log, LOG_WARN, "TRACEPARENT=%s: %s; a new trace is started", parent, reason);
	trace_context_init(&d->context);
	return 0;
}

/* The run's decision.  Unsampled, nothing is recorded, and the program is told so: the spans of its own
 * SDK would have no parent. */
static void load_sampling(struct delivery *d, const struct tracer_options *o, const struct log *log)
{
	struct sampler s = { .kind = (enum sampler_kind)option_num(o, OPT_SAMPLER),
			     .ratio = option_num(o, OPT_SAMPLER_ARG) };
	bool parent = sampler_follows_parent(&s, &d->context);

	d->context.sampled = sampler_check(&s, &d->context);
	d->context.trace_flags = (uint8_t)((d->context.trace_flags & ~1u) | d->context.sampled);
	d->wanted = d->context.sampled;
	if (!d->wanted && parent)
		log_msg(log, LOG_WARN, "the parent trace is not sampled (TRACEPARENT): no spans are sent");
	else if (!d->wanted && option_num(o, OPT_QUIET) == 0)
		log_msg(log, LOG_INFO, "this run is not sampled (%s): no spans are sent",
			option_str(o, OPT_SAMPLER));
}

/* The exporter with a spool behind it. */
static int open_spool(struct delivery *d, const struct tracer_options *o, const struct log *log, char *why,
		      size_t whylen)
{
	struct span_exporter *inner = d->exporter;
	struct spool *spool;
	int r = spool_open(&spool, option_str(o, OPT_OTLP_SPOOL), option_num(o, OPT_OTLP_SPOOL_MAX),
			   (enum spool_sync)option_num(o, OPT_OTLP_SPOOL_SYNC), why, whylen);

	if (r < 0)
		return r;
	d->exporter = NULL;
	return spool_exporter_new(&d->exporter, inner, spool, log);
}

static int open_exporter(struct delivery *d, const struct tracer_options *o, const struct log *log, char *why,
			 size_t whylen)
{
	struct otlp_config cfg;
	int r;

	options_load_traces(o, &cfg);
	cfg.log = log;
	r = otlp_http_exporter_new(&d->exporter, &cfg, why, whylen);
	if (r)
		return r;
	d->exporter_name = d->exporter->ops->name;
	otlp_exporter_load_peer(d->exporter, &d->peer);
	snprintf(d->where, sizeof(d->where), "%s", otlp_exporter_shown(d->exporter));
	return option_str(o, OPT_OTLP_SPOOL) ? open_spool(d, o, log, why, whylen) : 0;
}

int delivery_open(struct delivery *d, const struct tracer_options *o, struct outputs *outs, char *const *envp,
		  const struct log *log, char *why, size_t whylen)
{
	int r;

	*d = (struct delivery){ .outputs = outs };
	if (option_num(o, OPT_DETAIL) == DETAIL_METRICS)
		return 0;
	d->otlp = options_want_otlp(o, outs->wants_spans);
	d->wanted = d->otlp || outs->wants_spans;
	if (!d->wanted)
		return 0;
	id_span(d->root_span_id);
	load_propagators(d, o, log);
	r = load_context(d, o, envp, log, why, whylen);
	if (!r && d->otlp)
		r = open_exporter(d, o, log, why, whylen);
	if (r < 0)
		return r;
	d->traced = true;
	load_sampling(d, o, log);
	if (!d->wanted)
		return 0;
	r = span_pool_new(&d->pool, (uint32_t)option_num(o, OPT_POOL_SIZE),
			  (uint32_t)option_num(o, OPT_POOL_MAX), option_num(o, OPT_POOL_DISABLE));
	if (r < 0)
		snprintf(why, whylen, "span pool of %llu spans: %s",
			 (unsigned long long)option_num(o, OPT_POOL_SIZE), tracer_strerror(r));
	return r;
}

/* The builder's way out; takes the span. */
static void emit(void *ctx, struct span *s)
{
	struct delivery *d = ctx;

	for (unsigned i = 0; d->outputs->wants_spans && i < d->outputs->n; i++)
		if (d->outputs->list[i].sink && d->outputs->list[i].ops->on_span)
			d->outputs->list[i].ops->on_span(d->outputs->list[i].sink, s);
	if (d->batch)
		batch_processor_push(d->batch, s);
	else
		span_pool_put(d->pool, s);
}

/* The stricter of the exporter's and the batch processor's limit; 0 is none. */
static uint64_t export_timeout(const struct tracer_options *o)
{
	uint64_t exporter = option_num(o, OPT_OTLP_TIMEOUT),
		 processor = option_num(o, OPT_OTLP_EXPORT_TIMEOUT);

	return processor && (!exporter || processor < exporter) ? processor : exporter;
}

/* A quarter of a request is left for resources, so that batches need not be split: what fails between two
 * parts of one could not be kept. */
static uint64_t batch_bytes(const struct tracer_options *o)
{
	uint64_t most = option_num(o, OPT_OTLP_REQUEST_MAX) / 4 * 3;

	return most < BATCH_BYTES ? most : BATCH_BYTES;
}

static int start_batch(struct delivery *d, const struct tracer_options *o, const struct log *log)
{
	struct batch_config cfg = {
		.batch_size = (uint32_t)option_num(o, OPT_BATCH_SIZE),
		.queue_size = (uint32_t)option_num(o, OPT_QUEUE_SIZE),
		.delay_ns = option_num(o, OPT_BATCH_DELAY),
		.export_timeout_ns = export_timeout(o),
		.batch_bytes = batch_bytes(o),
		.overflow = (enum overflow_policy)option_num(o, OPT_OVERFLOW),	/* choices in the order of the enum */
		.block_max_ns = option_num(o, OPT_BLOCK_MAX),
	};
	int r;

	d->queue_size = cfg.queue_size;
	r = batch_processor_start(&d->batch, &cfg, d->exporter, d->pool, log);

	if (!r)
		d->exporter = NULL;	/* it is the batch processor's now */
	return r;
}

/* Without a limit of characters the span's own in bytes holds. */
static void limits_load(struct span_builder_config *c, const struct tracer_options *o)
{
	bool length = option_given(o, OPT_VALUE_LENGTH_LIMIT);

	c->limits = (struct span_limits){
		.value_len = length ? (uint32_t)option_num(o, OPT_VALUE_LENGTH_LIMIT) : UINT32_MAX,
		.attrs = (uint32_t)option_num(o, OPT_COUNT_LIMIT),
		.links = (uint32_t)option_num(o, OPT_LINK_LIMIT),
	};
	c->limited =
	    c->limits.value_len < SPAN_STR_MAX || c->limits.attrs < SPAN_ATTRS_MAX || !c->limits.links;
}

static void builder_config_load(struct span_builder_config *c, const struct delivery *d,
				const struct tracer_options *o)
{
	*c = (struct span_builder_config){
		.detail = (enum span_detail)option_num(o, OPT_DETAIL),
		.errors = (enum span_errors)option_num(o, OPT_ERRORS),
		.max_spans = option_num(o, OPT_MAX_SPANS),
		.max_trace_bytes = option_num(o, OPT_MAX_TRACE_BYTES),
		.trace_split = option_num(o, OPT_TRACE_SPLIT),
		.min_duration_ns = option_num(o, OPT_MIN_DURATION),
		.fold_interval_ns = option_num(o, OPT_FOLD_INTERVAL),
		.compute = option_given(o, OPT_COMPUTE),
		.compute_ns = option_num(o, OPT_COMPUTE),
		.args = option_num(o, OPT_OTLP_ARGS) != 0,
		.buffers = option_num(o, OPT_OTLP_BUFFERS) != 0,
		.arguments = true,
		.service_name = option_str(o, OPT_SERVICE_NAME),
		.resource_attributes = option_str(o, OPT_RESOURCE_ATTRIBUTES),
		.context = d->context,
		.adopt = d->adopt,
		.program = d->program,
		.instance_id = d->instance_id,
	};
	limits_load(c, o);
	decode_options_load(&c->decode, o);
	c->decode.no_buffers = !c->buffers;
	memcpy(c->root_span_id, d->root_span_id, sizeof(c->root_span_id));
}

int delivery_start(struct delivery *d, const struct tracer_options *o, struct world *w,
		   const struct clock_map *clock, const char *engine, const struct log *log)
{
	struct span_builder_config cfg;
	int r = 0;

	if (!d->wanted)
		return 0;
	if (d->otlp)
		r = start_batch(d, o, log);
	if (r < 0)
		return r;
	builder_config_load(&cfg, d, o);
	cfg.engine = engine;
	cfg.log = log;
	cfg.emit = emit;
	cfg.emit_ctx = d;
	return span_builder_new(&d->builder, &cfg, d->pool, w, clock);
}

void delivery_finish(struct delivery *d, const struct delivery_end *end)
{
	struct span_final root = { .lost = end->lost, .waited_ns = end->waited_ns,
				   .overhead_ns = end->overhead_ns };

	if (!d->builder)
		return;
	span_builder_finish(d->builder, end->end_ticks);
	if (d->batch) {
		batch_processor_flush(d->batch, end->deadline_mono_ns);
		batch_processor_stats(d->batch, &d->final);
		root.exported = d->final.exported;
		root.dropped =
		    d->final.dropped_full + d->final.dropped_shutdown + d->final.failed + d->final.rejected;
		root.waited_ns += d->final.blocked_ns;
	}
	span_builder_finish_root(d->builder, &root);
	if (d->batch) {
		batch_processor_shutdown(d->batch, end->deadline_mono_ns);
		batch_processor_stats(d->batch, &d->final);
	}
	span_builder_stats(d->builder, &d->built);
}

void delivery_close(struct delivery *d)
{
	span_builder_free(d->builder);
	batch_processor_free(d->batch);
	if (d->exporter)
		d->exporter->ops->free(d->exporter);
	span_pool_free(d->pool);
	*d = (struct delivery){ 0 };
}
