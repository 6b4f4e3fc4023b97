/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of a run: options to parts, counting, collection.  The consumer
 * thread counts and collects (a collection takes well below a millisecond for
 * a few hundred series), the sender's thread sends.  While a request still
 * waits for the collector no other is made: with delta temporality the next
 * one covers both intervals.
 */
#include "config.h"
#include "session/metering.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tracer/error.h>
#include "base/clock.h"
#include "base/utf8.h"
#include "export/grpc.h"
#include "export/otlp_encode.h"
#include "export/otlp_exporter.h"
#include "syscalls/syscalls.h"

static const struct metric_desc call_duration = { "syscall.duration", "s", "Time that system calls took." };
static const struct metric_desc call_io = { "syscall.io", "By", "Bytes that system calls transferred." };
static const struct metric_desc call_unfinished = { "syscall.unfinished", "{call}",
	"System calls that never returned (exit, death, detach)." };
static const struct metric_desc cpu_time = { "process.cpu.time", "s",
	"Total CPU seconds of processes that have ended." };
static const struct metric_desc memory_usage = { "process.memory.usage", "By",
	"Largest resident set of a process that has ended." };
static const struct metric_desc paging_faults = { "process.paging.faults", "{fault}",
	"Page faults of processes that have ended." };
static const struct metric_desc context_switches = { "process.context_switches", "{context_switch}",
	"Context switches of processes that have ended." };
static const struct metric_desc collection_duration = { "otel.sdk.metric_reader.collection.duration", "s",
	"The duration of the collect operation of the metric reader." };

static const struct metric_desc operation_duration = { "otel.sdk.exporter.operation.duration", "s",
	"The duration of exporting a batch of telemetry records." };

static const struct metric_attr overflow_attr = { .key = "otel.metric.overflow" };

/* --- options --- */

static int open_exporter(struct metering *m, const struct log *log, char *why, size_t whylen)
{
	struct otlp_config cfg;
	int r;

	options_load_metrics(m->options, &cfg);
	cfg.log = log;
	r = otlp_http_exporter_new(&m->exporter, &cfg, why, whylen);
	m->protocol = cfg.protocol;
	if (r)
		return r;
	m->exporter_name = m->exporter->ops->name;
	otlp_exporter_load_peer(m->exporter, &m->peer);
	snprintf(m->where, sizeof(m->where), "%s", otlp_exporter_shown(m->exporter));
	return 0;
}

/* The stricter of the exporter's and the reader's limit; 0 is none. */
static uint64_t timeout_of(const struct tracer_options *o)
{
	const struct option_value *v = option_of_metrics(o, OPT_OTLP_TIMEOUT, OPT_METRICS_TIMEOUT);
	uint64_t exporter = v ? v->num : 10000000000u, reader = option_num(o, OPT_METRIC_TIMEOUT);

	return reader && (!exporter || reader < exporter) ? reader : exporter;
}

int metering_open(struct metering *m, const struct tracer_options *o, struct outputs *outs,
		  const struct log *log, char *why, size_t whylen)
{
	bool metrics_only = option_num(o, OPT_DETAIL) == DETAIL_METRICS;

	*m = (struct metering){ .options = o, .outputs = outs };
	m->calls = metrics_only || option_num(o, OPT_METRICS);
	m->self = option_num(o, OPT_SELF_METRICS) != 0;
	m->file = metrics_only && outs->wants_spans;
	m->otlp = options_want_metrics(o, m->file);
	m->wanted = m->otlp || m->file;
	if (!m->wanted)
		return 0;
	m->preference = option_num(o, OPT_METRIC_TEMPORALITY);
	m->interval_ns = option_num(o, OPT_METRIC_INTERVAL);
	m->timeout_ns = timeout_of(o);
	exp_histogram_init(&m->collect_time);
	resource_run_init(&m->run);
	m->run.service_name = option_str(o, OPT_SERVICE_NAME);
	m->run.attributes = option_str(o, OPT_RESOURCE_ATTRIBUTES);
	return m->otlp ? open_exporter(m, log, why, whylen) : 0;
}

static void set_service(struct metering *m, const char *name)
{
	const char *slash = strrchr(name, '/');
	size_t n;

	name = slash ? slash + 1 : name;
	n = strlen(name);
	if (!utf8_valid(name, n))
		return;
	n = utf8_prefix(name, n, sizeof(m->service) - 1);
	snprintf(m->service, sizeof(m->service), "%.*s", (int)n, name);
	m->run.fallback_name = m->service;
}

int metering_start(struct metering *m, const char *program, uint64_t real_ns)
{
	struct metric_set_config cfg = { 0 };
	int r;

	if (!m->wanted)
		return 0;
	cfg.max_series = (uint32_t)option_num(m->options, OPT_METRIC_SERIES_MAX);
	cfg.explicit_buckets = option_num(m->options, OPT_METRIC_HISTOGRAM) == 1;
	/* As /proc/PID/exe will have it: its first calls belong to the same executable. */
	cfg.program = m->program = program ? realpath(program, NULL) : NULL;
	m->start_ns = m->since_ns = real_ns;
	m->next_ns = clock_mono_ns() + m->interval_ns;
	if (program)
		set_service(m, program);
	resource_host_probe(&m->host, "");
	r = otlp_metrics_new(&m->request);
	if (!r && m->calls)
		r = metric_set_new(&m->set, &cfg);
	if (!r && m->otlp)
		r = metric_sender_start(&m->sender, m->exporter, m->timeout_ns);
	if (m->sender)
		m->exporter = NULL;	/* it is the sender's now */
	return r;
}

/* --- counting --- */

void metering_call(struct metering *m, struct world *w, const struct tracer_ev_call *ev, uint64_t ns)
{
	const struct task *t = world_task(w, ev->head.tid);

	metric_set_call(m->set, task_call_image(t, ev, syscall_lookup(ev->head.abi, ev->head.nr)), ev, ns);
}

void metering_exit(struct metering *m, struct world *w, const struct tracer_ev_exit *ev)
{
	const struct task *t = world_task(w, ev->head.tid);

	if (t->proc && t->proc->image)
		metric_set_exit(m->set, t->proc->image, ev);
}

/* --- collection --- */

/* Counters of calls and of ourselves are synchronous instruments, what rusage
 * says is an asynchronous one: they differ with "lowmemory". */
static enum metric_temporality calls_temporality(const struct metering *m)
{
	return m->preference == PREFER_CUMULATIVE ? METRIC_CUMULATIVE : METRIC_DELTA;
}

static enum metric_temporality usage_temporality(const struct metering *m)
{
	return m->preference == PREFER_DELTA ? METRIC_DELTA : METRIC_CUMULATIVE;
}

static void open_metric(struct metering *m, const struct metric_desc *d, enum metric_kind kind,
			enum metric_temporality t, size_t max)
{
	if (kind == METRIC_UPDOWN)
		t = METRIC_CUMULATIVE;
	otlp_metrics_open(m->request, d, kind, t, t == METRIC_DELTA ? m->since_ns : m->start_ns, max);
}

struct call_attrs { struct metric_attr attr[3]; unsigned n; char name[24], err[12]; };

static void load_attrs(struct call_attrs *a, const struct metric_series *s)
{
	const char *err = s->err ? errno_name(s->err) : NULL;

	a->n = 0;
	if (s->exec == METRIC_EXECS_MAX) {
		a->attr[a->n++] = overflow_attr;
		return;
	}
	a->attr[a->n++] =
	    (struct metric_attr){ .key = "syscall.name", .text = metric_call_name(s->call, a->name) };
	if (s->err && !err)
		snprintf(a->err, sizeof(a->err), "%d", s->err);
	if (s->err)
		a->attr[a->n++] = (struct metric_attr){ .key = "error.type", .text = err ? err : a->err };
}

static void add_duration(struct metering *m, const struct metric_series *s)
{
	struct call_attrs a;

	if (!metric_series_count(m->set, s))
		return;
	load_attrs(&a, s);
	if (metric_set_explicit(m->set))
		otlp_metrics_add_explicit(m->request, a.attr, a.n, &s->durations.explicit);
	else
		otlp_metrics_add_exponential(m->request, a.attr, a.n, &s->durations.exp);
}

static void add_io(struct metering *m, const struct metric_series *s)
{
	struct call_attrs a;

	if (!s->bytes)
		return;
	load_attrs(&a, s);
	if (s->exec != METRIC_EXECS_MAX)
		a.attr[a.n++] =
		    (struct metric_attr){ .key = "syscall.io.direction", .text = s->write ? "write" : "read" };
	otlp_metrics_add_int(m->request, a.attr, a.n, s->bytes);
}

static void add_unfinished(struct metering *m, const struct metric_series *s)
{
	struct call_attrs a;

	if (!s->unfinished)
		return;
	load_attrs(&a, s);
	otlp_metrics_add_int(m->request, a.attr, a.n, s->unfinished);
}

/* One metric: the series of an executable, or of those without a place. */
static void add_series(struct metering *m, const struct metric_desc *d, enum metric_kind kind, uint32_t exec,
		       size_t max, void (*add)(struct metering *m, const struct metric_series *s))
{
	const struct metric_series *s;
	uint32_t pos = 0;

	open_metric(m, d, kind, calls_temporality(m), max);
	while ((s = metric_set_next(m->set, &pos)))
		if (s->exec == exec)
			add(m, s);
}

static void add_split(struct metering *m, const struct metric_desc *d, const char *key,
		      const char *const names[2], const uint64_t values[2], bool overflow, bool seconds)
{
	struct metric_attr attrs[2] = { { .key = key }, overflow_attr };

	open_metric(m, d, METRIC_SUM, usage_temporality(m), 2);
	for (unsigned i = 0; i < 2; i++) {
		attrs[0].text = names[i];
		if (seconds)
			otlp_metrics_add_double(m->request, attrs, 1 + overflow, (double)values[i] / 1e6);
		else
			otlp_metrics_add_int(m->request, attrs, 1 + overflow, values[i]);
	}
}

static void add_usage(struct metering *m, const struct metric_usage *u, bool overflow)
{
	static const char *const modes[2] = { "user", "system" }, *const faults[2] = { "minor", "major" },
		*const switches[2] = { "voluntary", "involuntary" };

	if (u->maxrss_bytes) {
		open_metric(m, &memory_usage, METRIC_UPDOWN, METRIC_CUMULATIVE, 1);
		otlp_metrics_add_int(m->request, &overflow_attr, overflow, u->maxrss_bytes);
	}
	if (!u->processes)
		return;
	add_split(m, &cpu_time, "cpu.mode", modes, (uint64_t[]){ u->utime_us, u->stime_us }, overflow, true);
	add_split(m, &paging_faults, "system.paging.fault.type", faults, (uint64_t[]){u->minflt, u->majflt},
		  overflow, false);
	add_split(m, &context_switches, "process.context_switch.type", switches,
		  (uint64_t[]){u->nvcsw, u->nivcsw}, overflow, false);
}

/* name NULL: the run as such. */
static int open_resource(struct metering *m, const char *name)
{
	struct resource_image img = { .exe = name, .exe_len = name ? strlen(name) : 0 };
	struct resource *r;
	int err = resource_build(&r, &m->host, &m->run, &img);

	if (err)
		return err;
	otlp_metrics_add_resource(m->request, r);
	resource_put(r);
	return 0;
}

static int add_exec(struct metering *m, uint32_t i, size_t max)
{
	const struct metric_exec *e = metric_set_exec(m->set, i);
	enum metric_kind kind = metric_set_explicit(m->set) ? METRIC_EXPLICIT : METRIC_EXPONENTIAL;
	bool overflow = i == METRIC_EXECS_MAX;
	int err = open_resource(m, overflow ? NULL : e->name);

	if (err)
		return err;
	add_series(m, &call_duration, kind, i, max, add_duration);
	add_series(m, &call_io, METRIC_SUM, i, max, add_io);
	add_series(m, &call_unfinished, METRIC_SUM, i, max, add_unfinished);
	add_usage(m, &e->usage, overflow);
	return 0;
}

static int add_calls(struct metering *m)
{
	struct metric_set_stats st;
	int err = 0;

	metric_set_stats(m->set, &st);
	if (!m->service[0] && st.execs)
		set_service(m, metric_set_exec(m->set, 0)->name);
	for (uint32_t i = 0; i < st.execs && !err; i++)
		err = add_exec(m, i, st.series);
	return err ? err : add_exec(m, METRIC_EXECS_MAX, 1);
}

void metering_load_health(const struct metering *m, const struct delivery *d, struct health_values *v)
{
	*v = (struct health_values){ .source.span_exporter = d->exporter_name,
				     .source.metric_exporter = m->exporter_name,
				     .source.span_peer = &d->peer, .source.metric_peer = &m->peer,
				     .source.queue_capacity = d->queue_size };
	if (d->builder) {
		span_builder_stats(d->builder, &v->built);
		v->source.built = &v->built;
	}
	if (d->batch) {
		batch_processor_stats(d->batch, &v->batch);
		v->source.batch = &v->batch;
	}
	if (m->sender) {
		metric_sender_stats(m->sender, &v->sender);
		v->source.sender = &v->sender;
	}
}

/* One point for each way that exports ended. */
static void add_times(struct metering *m, const struct export_times *t, const char *type,
		      const struct otlp_peer *peer)
{
	char name[64], err[24];

	snprintf(name, sizeof(name), "%s/0", type);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct export_time *r = &t->rows[i];
		const char *error = export_time_format_error(r, err);
		struct metric_attr attrs[7] = { { .key = "otel.component.type", .text = type },
						{ .key = "otel.component.name", .text = name } };
		unsigned n = 2 + health_add_peer(attrs + 2, peer);

		if (error)
			attrs[n++] = (struct metric_attr){ .key = "error.type", .text = error };
		if (r->http_status)
			attrs[n++] = (struct metric_attr){ .key = "http.response.status_code",
							  .number = &r->http_status };
		if (r->rpc_status >= 0)
			attrs[n++] = (struct metric_attr){ .key = "rpc.response.status_code",
							  .text = grpc_status_name(r->rpc_status) };
		otlp_metrics_add_exponential(m->request, attrs, n, &r->h);
	}
}

static void add_operations(struct metering *m, const struct delivery *d)
{
	bool delta = calls_temporality(m) == METRIC_DELTA;
	struct export_times t;

	open_metric(m, &operation_duration, METRIC_EXPONENTIAL, calls_temporality(m), 2 * EXPORT_TIMES);
	if (d->batch) {
		batch_processor_load_times(d->batch, &t, delta);
		add_times(m, &t, d->exporter_name, &d->peer);
	}
	if (m->sender) {
		metric_sender_load_times(m->sender, &t, delta);
		add_times(m, &t, m->exporter_name, &m->peer);
	}
}

static int add_health(struct metering *m, const struct delivery *d)
{
	struct health_row rows[HEALTH_ROWS];
	bool delta = calls_temporality(m) == METRIC_DELTA;
	struct health_values values;
	int err = open_resource(m, NULL);

	if (err)
		return err;
	metering_load_health(m, d, &values);
	health_load(rows, &values.source);
	for (unsigned i = 0; i < HEALTH_ROWS; i++) {
		uint64_t v = rows[i].value;

		if (!i || rows[i].desc != rows[i - 1].desc)
			open_metric(m, rows[i].desc, rows[i].kind, calls_temporality(m), HEALTH_ROWS);
		if (rows[i].kind == METRIC_SUM && delta)
			v -= m->health_last[i];
		m->health_last[i] = rows[i].value;
		if (rows[i].applies)
			otlp_metrics_add_int(m->request, rows[i].attrs, rows[i].nattrs, v);
	}
	add_operations(m, d);
	if (m->collect_time.count) {
		open_metric(m, &collection_duration, METRIC_EXPONENTIAL, calls_temporality(m), 1);
		otlp_metrics_add_exponential(m->request, (struct metric_attr[]){
			{ .key = "otel.component.type", .text = "periodic_metric_reader" },
			{ .key = "otel.component.name", .text = "periodic_metric_reader/0" } }, 2, &m->collect_time);
		if (delta)
			exp_histogram_init(&m->collect_time);
	}
	return 0;
}

static void deliver(struct metering *m)
{
	struct outputs *outs = m->outputs;
	struct metric_body *body = NULL;

	if (m->file && !otlp_metrics_encode(m->request, OTLP_HTTP_JSON, &body)) {
		for (unsigned i = 0; i < outs->n; i++)
			if (outs->list[i].sink && outs->list[i].ops->on_metrics)
				outs->list[i].ops->on_metrics(outs->list[i].sink,
							      (const char *)body->data + OTLP_HEADROOM,
							      body->len);
		free(body);
	}
	if (!m->sender)
		return;
	if (otlp_metrics_encode(m->request, m->protocol, &body))
		m->encode_errors++;
	else
		metric_sender_push(m->sender, body);
}

static void collect(struct metering *m, uint64_t real_ns, const struct delivery *d)
{
	uint64_t start = clock_mono_ns();
	int err = 0;

	otlp_metrics_reset(m->request, real_ns);
	if (m->set)
		err = add_calls(m);
	if (!err && m->self)
		err = add_health(m, d);
	m->encode_errors += err < 0;
	if (!err && otlp_metrics_points(m->request))
		deliver(m);
	if (m->set && calls_temporality(m) == METRIC_DELTA)
		metric_set_reset_calls(m->set);
	if (m->set && usage_temporality(m) == METRIC_DELTA)
		metric_set_reset_usage(m->set);
	m->since_ns = real_ns;
	m->collections++;
	exp_histogram_add(&m->collect_time, clock_mono_ns() - start);
}

void metering_tick(struct metering *m, uint64_t mono_ns, uint64_t real_ns, const struct delivery *d)
{
	if (!m->start_ns)
		m->start_ns = m->since_ns = real_ns;
	if (mono_ns < m->next_ns || (m->sender && !metric_sender_idle(m->sender)))
		return;
	m->next_ns = mono_ns + m->interval_ns;
	collect(m, real_ns, d);
}

void metering_finish(struct metering *m, uint64_t real_ns, uint64_t deadline_mono_ns,
		     const struct delivery *d)
{
	if (!m->wanted)
		return;
	if (!m->start_ns)
		m->start_ns = m->since_ns = real_ns;
	collect(m, real_ns, d);
	if (m->set)
		metric_set_stats(m->set, &m->counted);
	if (m->sender) {
		metric_sender_shutdown(m->sender, deadline_mono_ns);
		metric_sender_stats(m->sender, &m->final);
	}
}

void metering_abort(struct metering *m)
{
	if (m->sender)
		metric_sender_abort(m->sender);
}

void metering_close(struct metering *m)
{
	metric_sender_free(m->sender);
	if (m->exporter)
		m->exporter->ops->free(m->exporter);
	metric_set_free(m->set);
	free(m->program);
	otlp_metrics_free(m->request);
	*m = (struct metering){ 0 };
}
