/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said at the end of a run: one line of facts, a line for each thing
 * that went wrong, counters on request.  Supervisor thread, after the consumer
 * has ended; everything goes through the log.
 */
#include "config.h"
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "base/parse.h"
#include "session/parts.h"
#include "syscalls/syscalls.h"

static void add_count(struct strbuf *sb, const char *before, uint64_t n, const char *what)
{
	char buf[32];

	strbuf_add_fmt(sb, "%s%s %s", before, format_count(n, buf), what);
}

static void add_seconds(struct strbuf *sb, uint64_t ns)
{
	if (ns < 1000000000u)
		strbuf_add_fmt(sb, "%.1f ms", (double)ns / 1e6);
	else
		strbuf_add_fmt(sb, "%.2f s", (double)ns / 1e9);
}

static void add_ending(struct strbuf *sb, const struct tracer_session *s, const struct engine_result *er)
{
	char buf[16];

	if (!er->have_status) {
		strbuf_add_fmt(sb, "%s", s->npids ? "detached" : "ended");
	} else if (WIFSIGNALED(er->status)) {
		strbuf_add_fmt(sb, "%s killed by %s", s->name ? s->name : "program",
			       signal_name(WTERMSIG(er->status), buf));
	} else {
		strbuf_add_fmt(sb, "%s exited %d", s->name ? s->name : "program", WEXITSTATUS(er->status));
	}
	strbuf_add_str(sb, " after ");
	add_seconds(sb, s->end_ns - s->start_ns);
}

/* "; 1,204 calls; 57 data points sent of 23 series" */
static void add_metrics(struct strbuf *sb, const struct metering *m)
{
	add_count(sb, "; ", m->final.exported, "data points sent");
	add_count(sb, " (", m->counted.series_max, "series)");
	if (m->final.failed + m->final.rejected)
		add_count(sb, ", ", m->final.failed + m->final.rejected, "lost");
}

/* The line of a run without spans. */
static void report_metrics_line(struct tracer_session *s, const struct engine_result *er,
				const struct tracer_result *res)
{
	struct strbuf sb;
	char mem[700];

	if (!s->metering.otlp || s->delivery.wanted || option_num(s->options, OPT_QUIET))
		return;
	strbuf_init_fixed(&sb, mem, sizeof(mem));
	add_ending(&sb, s, er);
	add_count(&sb, "; ", res->calls, "calls");
	add_metrics(&sb, &s->metering);
	if (er->detached)
		add_count(&sb, ", ", er->detached, "tasks left running");
	strbuf_add_fmt(&sb, " -> %s", s->metering.where);
	log_msg(&s->log, LOG_INFO, "%s", mem);
}

static void report_metrics_loss(struct tracer_session *s)
{
	const struct metering *m = &s->metering;
	char n[32];
	/* The exporter has said so when it opened its circuit, and the exit line has the number. */
	bool told = !m->final.ever_succeeded && m->final.circuit_open && !s->delivery.wanted &&
		    option_num(s->options, OPT_QUIET) == 0;

	if (m->final.failed + m->final.rejected && !told)
		log_msg(&s->log, LOG_WARN, "collector %s: %s data points lost%s%s", m->where,
			format_count(m->final.failed + m->final.rejected, n),
			m->final.last_error[0] ? ": " : "", m->final.last_error);
	if (m->encode_errors)
		log_msg(&s->log, LOG_WARN,
			"%s metric requests could not be made: out of memory, or too large",
			format_count(m->encode_errors, n));
	if (m->counted.overflowed)
		log_msg(&s->log, LOG_WARN, "%s calls are in the overflow series (--metric-series-max)",
			format_count(m->counted.overflowed, n));
}

/* otel.sdk.* as the conventions name them. */
static void report_health(struct tracer_session *s)
{
	struct health_row rows[HEALTH_ROWS];
	struct health_values v;
	char name[128];

	metering_load_health(&s->metering, &s->delivery, &v);
	health_load(rows, &v.source);
	for (unsigned i = 0; i < HEALTH_ROWS; i++) {
		if (!rows[i].applies)
			continue;
		health_format_name(&rows[i], name, sizeof(name));
		log_msg(&s->log, LOG_INFO, "  %-62s %llu", name, (unsigned long long)rows[i].value);
	}
}

static void report_metrics(struct tracer_session *s)
{
	const struct metering *m = &s->metering;

	if (!m->wanted)
		return;
	log_msg(&s->log, LOG_INFO, "metrics: %u series of %u executables, %llu calls, %llu in the overflow series, %llu collections",
		m->counted.series_max, m->counted.execs, (unsigned long long)m->counted.calls,
		(unsigned long long)m->counted.overflowed, (unsigned long long)m->collections);
	log_msg(&s->log, LOG_INFO,
		"metric export: %llu requests, %llu data points, %llu bytes, %llu on the wire, %llu retries",
		(unsigned long long)m->final.requests, (unsigned long long)m->final.exported,
		(unsigned long long)m->final.bytes, (unsigned long long)m->final.wire_bytes,
		(unsigned long long)m->final.retries);
}

static void report_line(struct tracer_session *s, const struct engine_result *er,
			const struct tracer_result *res)
{
	const struct delivery *d = &s->delivery;
	struct strbuf sb;
	char mem[700];

	if (!d->otlp || !d->wanted || option_num(s->options, OPT_QUIET))
		return;
	strbuf_init_fixed(&sb, mem, sizeof(mem));
	add_ending(&sb, s, er);
	add_count(&sb, "; ", res->calls, "calls");
	add_count(&sb, ", ", res->spans, "spans sent");
	add_count(&sb, ", ", res->folded, "calls folded");
	add_count(&sb, ", ", res->dropped, "dropped");
	if (er->detached)
		add_count(&sb, ", ", er->detached, "tasks left running");
	strbuf_add_str(&sb, "; trace ");
	for (int i = 0; i < 16; i++)
		strbuf_add_fmt(&sb, "%02x", d->context.trace_id[i]);
	strbuf_add_fmt(&sb, " -> %s", d->where);
	log_msg(&s->log, LOG_INFO, "%s", mem);
}

/* A collector that did not take everything.  Where nothing listens the exporter has said so, once, when
 * it opened its circuit; the exit line has the number. */
static void report_collector(struct tracer_session *s, const struct tracer_result *res)
{
	const struct batch_stats *b = &s->delivery.final;
	uint64_t lost = b->failed + b->dropped_full + b->dropped_shutdown;
	char n[32];

	if (!s->delivery.otlp || !s->delivery.wanted || !res->export_failed)
		return;
	if (!b->ever_succeeded && b->circuit_open && option_num(s->options, OPT_QUIET) == 0)
		return;
	if (!b->ever_succeeded)
		log_msg(&s->log, LOG_WARN,
			"collector %s: %s; %s spans lost (start a receiver: tracer collect; or name another: --otlp-endpoint URL)",
			s->delivery.where, b->last_error[0] ? b->last_error : "no answer", format_count(lost, n));
	else if (lost)
		log_msg(&s->log, LOG_WARN, "collector %s: %s spans lost%s%s", s->delivery.where,
			format_count(lost, n), b->last_error[0] ? "; last error: " : "", b->last_error);
	if (b->rejected)
		log_msg(&s->log, LOG_WARN, "collector %s rejected %s spans%s%s", s->delivery.where,
			format_count(b->rejected, n), b->last_error[0] ? ": " : "", b->last_error);
}

static void report_loss(struct tracer_session *s, const struct tracer_result *res)
{
	char n[32];

	if (res->lost)
		log_msg(&s->log, LOG_WARN,
			"%s calls were not recorded: the rings were full (--overflow block, --ring-size)",
			format_count(res->lost, n));
	if (s->delivery.final.blocked_ns > 100000000u)
		log_msg(&s->log, LOG_WARN, "the program waited %.1f s for the collector",
			(double)s->delivery.final.blocked_ns / 1e9);
}

static void report_engine(struct tracer_session *s)
{
	log_msg(&s->log, LOG_INFO, "engine %s:", s->ops->name);
	for (int i = 0; i < ENGINE_STATS; i++)
		if (s->engine_stats[i])
			log_msg(&s->log, LOG_INFO, "  %-28s %llu", engine_stat_names[i],
				(unsigned long long)s->engine_stats[i]);
}

static void report_rings(struct tracer_session *s)
{
	struct ring_set_stats rs;

	ring_set_stats(s->rings, &rs);
	log_msg(&s->log, LOG_INFO,
		"rings: %llu, records %llu, bytes %llu, high water %llu, waits %llu, lost %llu, bad %llu",
		(unsigned long long)rs.rings, (unsigned long long)rs.records, (unsigned long long)rs.bytes,
		(unsigned long long)rs.high_water, (unsigned long long)rs.waits, (unsigned long long)rs.lost,
		(unsigned long long)rs.bad);
}

static void report_export(struct tracer_session *s)
{
	const struct batch_stats *b = &s->delivery.final;
	struct span_pool_stats p;

	if (!s->delivery.pool)
		return;
	span_pool_stats(s->delivery.pool, &p);
	log_msg(&s->log, LOG_INFO,
		"span pool: size %u of at most %u, high water %u, grown %llu, refused %llu", p.size, p.max,
		p.high_water, (unsigned long long)p.grown, (unsigned long long)p.refused);
	log_msg(&s->log, LOG_INFO, "queue: %llu spans, high water %u, full %llu times, waited %.3f s",
		(unsigned long long)b->queued, b->queue_high_water, (unsigned long long)b->blocks,
		(double)b->blocked_ns / 1e9);
	log_msg(&s->log, LOG_INFO,
		"export: %llu batches (largest %u), %llu spans, %llu bytes, %llu on the wire, %llu retries, %llu failed, %llu rejected",
		(unsigned long long)b->batches, b->largest_batch, (unsigned long long)b->exported,
		(unsigned long long)b->bytes, (unsigned long long)b->wire_bytes,
		(unsigned long long)b->retries, (unsigned long long)b->failed,
		(unsigned long long)b->rejected);
	if (b->spooled)
		log_msg(&s->log, LOG_INFO,
			"spool: %llu spans to disk, %llu of them delivered in this run, %llu refused",
			(unsigned long long)b->spooled, (unsigned long long)b->unspooled,
			(unsigned long long)b->spool_rejected);
}

void session_report_attached(struct tracer_session *s)
{
	uint64_t stats[ENGINE_STATS] = { 0 };

	if (!s->npids || option_num(s->options, OPT_QUIET) > 0)
		return;
	if (s->ops->stats)
		s->ops->stats(s->engine, stats);
	if (s->npids == 1)
		log_msg(&s->log, LOG_INFO, "attached to process %d, %llu thread%s; ^C or SIGTERM detaches",
			(int)s->pids[0], (unsigned long long)stats[ENGINE_STAT_TASKS],
			stats[ENGINE_STAT_TASKS] == 1 ? "" : "s");
	else
		log_msg(&s->log, LOG_INFO, "attached to %u processes, %llu threads; ^C or SIGTERM detaches",
			s->npids, (unsigned long long)stats[ENGINE_STAT_TASKS]);
}

void session_report(struct tracer_session *s, const struct engine_result *er, const struct tracer_result *res)
{
	enum { STATS_NONE, STATS_ENGINE, STATS_EXPORT, STATS_ALL } stats;

	stats = (int)option_num(s->options, OPT_STATS);
	report_collector(s, res);
	report_loss(s, res);
	report_metrics_loss(s);
	report_line(s, er, res);
	report_metrics_line(s, er, res);
	if (stats == STATS_ENGINE || stats == STATS_ALL) {
		report_engine(s);
		report_rings(s);
	}
	if (stats == STATS_EXPORT || stats == STATS_ALL) {
		report_export(s);
		report_metrics(s);
		report_health(s);
	}
}
