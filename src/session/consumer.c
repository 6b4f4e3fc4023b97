/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer thread.  Drains the rings in order of time and does for each
 * record only what somebody wants: state always (descriptors, images), the
 * summary from the raw record, decoding and spans only where a sink or the
 * span builder is there to take them.
 *
 * When it has drained all it waits for 1 ms, so that records which come one by
 * one are taken together.  If there was none it is idle: the next record of the
 * supervisor wakes it at once.  What is recorded inside a program rings no
 * bell: for such rings it looks again after 1 ms for as long as 20 ms, then
 * after 10 ms for a second, then every 50 ms.  A ring that fills up wakes it in
 * any case.
 */
#include "config.h"
#include "session/consumer.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <tracer/error.h>

#define WAIT_MIN_NS 1000000ull
#define WAIT_MAX_NS 50000000ull
#define WAIT_MEDIUM_NS 10000000ull
#define WAITS_SHORT 20u			/* waits before they get longer ... */
#define WAITS_MEDIUM 120u		/* ... and long: after a second */
#define WAIT_SLICE_NS 100000000ull
#define TICK_NS 100000000ull		/* fold interval is looked at */
#define DRAIN_MAX 4096u			/* records between two looks at the clock */
#define LINGER_EVERY 32u		/* ... and at the exporter */
#define FILL_MAX 80u			/* percent of a ring */

/* --- one record ---------------------------------------------------------------------------------------- */

static uint64_t call_ns(const struct consumer *c, const struct tracer_ev_call *ev)
{
	uint64_t start = clock_map_mono(&c->clock, ev->start), end = clock_map_mono(&c->clock, ev->head.time);
	return end > start ? end - start : 0;
}

static void add_summary(struct consumer *c, const struct tracer_ev_call *ev, uint64_t ns)
{
	if (c->summary && ev->head.kind == TRACER_EV_ENTER)
		summary_add_unfinished(c->summary, ev->head.abi, ev->head.nr);
	else if (c->summary)
		summary_add_raw(c->summary, ev->head.abi, ev->head.nr, ev->head.flags & TRACER_EVF_ERROR, ns);
}

/* Short calls (--min-duration) are left out of what people read; spans of them are folded. */
static void deliver_call(struct consumer *c, const struct tracer_ev_call *ev)
{
	struct outputs *outs = c->outputs;
	struct call call;
	bool long_enough;

	call_init(&call, ev, c->world, &c->clock);
	if (!selection_wants_call(c->selection, &call)) {
		c->counts.hidden++;
		return;
	}
	c->counts.calls++;
	add_summary(c, ev, call.end_ns - call.start_ns);
	if (c->metering->set)
		metering_call(c->metering, c->world, ev, call.end_ns - call.start_ns);
	long_enough = call.end_ns - call.start_ns >= c->selection->min_ns;
	for (unsigned i = 0; outs->wants_calls && long_enough && i < outs->n; i++)
		if (outs->list[i].sink && outs->list[i].ops->on_call)
			outs->list[i].ops->on_call(outs->list[i].sink, &call);
	if (c->delivery->builder)
		span_builder_call(c->delivery->builder, &call);
}

static void handle_call(struct consumer *c, const struct tracer_ev_call *ev)
{
	uint64_t ns;

	if (ev->head.flags & TRACER_EVF_HIDDEN || !selection_wants_record(c->selection, ev)) {
		c->counts.hidden++;
		return;
	}
	if (c->decode) {
		deliver_call(c, ev);
		return;
	}
	c->counts.calls++;
	if (!c->summary && !c->metering->set)
		return;
	ns = call_ns(c, ev);
	add_summary(c, ev, ns);
	if (c->metering->set)
		metering_call(c->metering, c->world, ev, ns);
}

static void handle_task(struct consumer *c, const struct tracer_event *ev)
{
	struct outputs *outs = c->outputs;
	struct task *t = world_task(c->world, ev->tid);

	if (ev->kind == TRACER_EV_EXIT && c->metering->set)
		metering_exit(c->metering, c->world, (const struct tracer_ev_exit *)ev);
	if (ev->kind == TRACER_EV_SIGNAL && !filter_wants_signal(&c->selection->filter, ev->nr))
		return;
	for (unsigned i = 0; outs->wants_tasks && i < outs->n; i++)
		if (outs->list[i].sink && outs->list[i].ops->on_task)
			outs->list[i].ops->on_task(outs->list[i].sink, ev, t->proc ? t->proc->image : NULL);
}

static void handle_clock(struct consumer *c, const struct tracer_ev_clock *ev)
{
	if (!c->replay)
		return;
	if (c->clock_loaded)
		clock_map_add(&c->clock, ev->head.time, ev->mono_ns);
	else
		clock_map_load(&c->clock, ev);
	c->clock_loaded = true;
}

static void deliver_raw(struct consumer *c, const struct tracer_event *ev)
{
	struct outputs *outs = c->outputs;

	for (unsigned i = 0; outs->wants_events && i < outs->n; i++)
		if (outs->list[i].sink && outs->list[i].ops->on_event)
			outs->list[i].ops->on_event(outs->list[i].sink, ev);
}

static void note_event(struct consumer *c, const struct tracer_event *ev)
{
	if (ev->time > c->last_ticks)
		c->last_ticks = ev->time;
	if (ev->kind == TRACER_EV_LOST)
		c->counts.lost += ((const struct tracer_ev_lost *)ev)->count;
	if (ev->kind == TRACER_EV_TASK && ((const struct tracer_ev_task *)ev)->pid == ev->tid)
		c->counts.processes++;
	if (ev->kind == TRACER_EV_CLOCK)
		handle_clock(c, (const struct tracer_ev_clock *)ev);
}

static void handle_record(struct consumer *c, const struct tracer_event *ev)
{
	bool call = ev->kind == TRACER_EV_CALL || ev->kind == TRACER_EV_ENTER;

	note_event(c, ev);
	if (call && !c->tables) {
		deliver_raw(c, ev);
		handle_call(c, (const struct tracer_ev_call *)ev);
		return;
	}
	world_before(c->world, ev);
	deliver_raw(c, ev);
	switch (ev->kind) {
	case TRACER_EV_CALL:
	case TRACER_EV_ENTER:
		handle_call(c, (const struct tracer_ev_call *)ev);
		break;
	case TRACER_EV_TASK:
	case TRACER_EV_EXEC:
	case TRACER_EV_EXIT:
	case TRACER_EV_SIGNAL:
	case TRACER_EV_MAP:
		handle_task(c, ev);
		/* fall through */
	default:
		if (c->delivery->builder)
			span_builder_event(c->delivery->builder, ev);
	}
	world_after(c->world, ev);
}

/* --- loop ---------------------------------------------------------------------------------------- */

/* A recording needs the points of the clock, which no engine writes. */
static void record_clock(struct consumer *c)
{
	struct tracer_ev_clock ev;

	clock_map_encode(&c->clock, &ev);
	deliver_raw(c, &ev.head);
}

/* Unix time; of a recording, that of the latest record. */
static uint64_t real_now(const struct consumer *c)
{
	return clock_map_real(&c->clock, c->replay ? c->last_ticks : clock_ticks(c->clock_source));
}

static void step_timers(struct consumer *c)
{
	uint64_t now = clock_mono_ns();

	/* The map knows itself when a measurement is due. */
	if (!c->replay && clock_map_sync(&c->clock) && c->outputs->wants_events)
		record_clock(c);
	if (now < c->next_tick_ns)
		return;
	c->next_tick_ns = now + TICK_NS;
	if (c->delivery->builder)
		span_builder_tick(c->delivery->builder, now);
	if (c->progress)
		progress_tick(c->progress, now, c->counts.calls, c->counts.processes);
	if (c->metering->wanted)
		metering_tick(c->metering, now, real_now(c), c->delivery);
}

/* A record is a tenth of the span that is made of it: while the exporter has enough to do, records stay where
 * they are, as long as nobody has to wait for their room. */
static void linger(struct consumer *c)
{
	struct batch_processor *b = c->delivery->batch;

	while (b && batch_processor_ahead(b) && ring_set_fill(c->rings) < FILL_MAX)
		batch_processor_linger(b);
}

static unsigned drain(struct consumer *c)
{
	const struct tracer_event *ev;
	unsigned n = 0;

	for (; n < DRAIN_MAX && (ev = ring_set_next(c->rings)); n++) {
		handle_record(c, ev);
		ring_set_consume(c->rings);
		if (n % LINGER_EVERY == 0)
			linger(c);
	}
	return n;
}

/* waits: how many there were since the latest record. */
static void wait_for_records(struct consumer *c, unsigned waits)
{
	uint64_t ns = waits < WAITS_SHORT ? WAIT_MIN_NS : waits < WAITS_MEDIUM ? WAIT_MEDIUM_NS : WAIT_MAX_NS;

	if (!waits)
		ring_set_wait(c->rings, WAIT_MIN_NS);
	else
		ring_set_wait_idle(c->rings, ring_set_shared(c->rings) ? ns : WAIT_MAX_NS);
}

static void consume_all(struct consumer *c)
{
	unsigned waits = 0;
	bool flushed = true;

	for (;;) {
		if (drain(c)) {
			waits = 0;
			flushed = false;
			step_timers(c);
			continue;
		}
		if (ring_set_done(c->rings))
			return;
		if (!flushed)
			outputs_flush(c->outputs);
		flushed = true;
		wait_for_records(c, waits);
		waits += waits < UINT_MAX;
		step_timers(c);
	}
}

/* --- begin and end
 * ------------------------------------------------------------------------------------------ */

static void format_summary(struct consumer *c, struct strbuf *out)
{
	summary_format(c->summary, option_str(c->options, OPT_SUMMARY_SORT), out);
}

static void finish(struct consumer *c)
{
	struct ring_set_stats rs;
	struct strbuf sb;
	struct delivery_end end;
	int r = 0;

	ring_set_stats(c->rings, &rs);
	/* the rings count all of it; marks in the stream tell a part, or in a replay the whole */
	if (rs.lost > c->counts.lost)
		c->counts.lost = rs.lost;
	end = (struct delivery_end){
		.end_ticks = c->last_ticks,
		.lost = c->counts.lost,
		.waited_ns = atomic_load(&c->waited_ns),
		.overhead_ns = atomic_load(&c->tracer_ns),
		.deadline_mono_ns = atomic_load(&c->deadline_mono_ns),
	};
	delivery_finish(c->delivery, &end);
	metering_finish(c->metering, real_now(c), end.deadline_mono_ns, c->delivery);
	if (c->summary) {
		strbuf_init(&sb, 1 << 20);
		format_summary(c, &sb);
		r = outputs_write(c->outputs, &sb);
		strbuf_fini(&sb);
	}
	c->output_error = outputs_close(c->outputs, c->output_why, sizeof(c->output_why));
	if (r < 0 && !c->output_error) {
		c->output_error = r;
		snprintf(c->output_why, sizeof(c->output_why), "writing the summary: %s", tracer_strerror(r));
	}
}

static int open_summary(struct consumer *c)
{
	bool wanted = option_num(c->options, OPT_SUMMARY_ONLY) || option_num(c->options, OPT_SUMMARY);
	const char *columns = option_str(c->options, OPT_SUMMARY_COLUMNS);
	int r;

	if (!wanted && !columns)
		return 0;
	r = summary_new(&c->summary);
	if (r < 0 || !columns)
		return r;
	r = summary_set_columns(c->summary, columns);
	if (!wanted) {
		summary_free(c->summary);
		c->summary = NULL;
	}
	if (!r)
		return 0;
	snprintf(c->start_why, sizeof(c->start_why),
		 "-U %s: not understood; columns are time-percent, total-time, avg-time, calls, errors, min-time, p50, p90, "
		 "p99, max-time, name", columns);
	return -TRACER_ERR_USAGE;
}

static int begin(struct consumer *c)
{
	struct sink_config base;
	int r = world_new(&c->world, &(struct world_limits){ 0 });

	if (!r)
		r = open_summary(c);
	if (r < 0 && !c->start_why[0])
		snprintf(c->start_why, sizeof(c->start_why), "%s", tracer_strerror(r));
	if (r < 0)
		return r;
	if (!c->replay)
		clock_map_init(&c->clock, c->clock_source, &c->clock_first);
	sink_config_load(&base, c->options);
	base.show_pid =
	    option_given(c->options, OPT_FOLLOW_FORKS) && option_num(c->options, OPT_FOLLOW_FORKS);
	base.log = c->log;
	base.clock = &c->clock;
	base.world = c->world;
	r = outputs_open(c->outputs, c->options, &base, c->start_why, sizeof(c->start_why));
	if (r < 0)
		return r;
	if (c->outputs->wants_events && !c->replay)
		record_clock(c);
	r = delivery_start(c->delivery, c->options, c->world, &c->clock, c->engine, c->log);
	if (r < 0)
		snprintf(c->start_why, sizeof(c->start_why), "spans: %s", tracer_strerror(r));
	if (r < 0)
		return r;
	r = metering_start(c->metering, c->delivery->program, c->replay ? 0 : real_now(c));
	if (r < 0)
		snprintf(c->start_why, sizeof(c->start_why), "metrics: %s", tracer_strerror(r));
	c->decode = c->outputs->wants_calls || c->delivery->builder || selection_reads_calls(c->selection);
	c->tables = c->decode || c->metering->wanted || c->outputs->wants_tasks;
	return r;
}

static void *consumer_run(void *arg)
{
	struct consumer *c = arg;
	char why[300];

	pthread_setname_np(pthread_self(), "tracer-consumer");
	c->start_result = begin(c);
	if (c->start_result < 0)
		outputs_close(c->outputs, why, sizeof(why));
	sem_post(&c->ready);
	if (c->start_result < 0)
		return NULL;
	consume_all(c);
	finish(c);
	sem_post(&c->ended);
	return NULL;
}

int consumer_start(struct consumer *c)
{
	sigset_t all, old;
	int r;

	sem_init(&c->ready, 0, 0);
	sem_init(&c->ended, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&c->thread, NULL, consumer_run, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0) {
		snprintf(c->start_why, sizeof(c->start_why), "cannot start a thread: %s", strerror(-r));
		return r;
	}
	c->started = true;
	while (sem_wait(&c->ready) && errno == EINTR)
		;
	return c->start_result;
}

void consumer_end(struct consumer *c, uint64_t deadline_mono_ns)
{
	atomic_store(&c->deadline_mono_ns, deadline_mono_ns);
	ring_set_finish(c->rings);
	ring_set_wake(c->rings);
}

/* In slices: ThreadSanitizer runs signal handlers only between calls, and ours end the wait. */
int consumer_wait(struct consumer *c, uint64_t mono_ns)
{
	uint64_t now;

	while ((now = clock_mono_ns()) < mono_ns) {
		uint64_t until = now + WAIT_SLICE_NS < mono_ns ? now + WAIT_SLICE_NS : mono_ns;
		struct timespec ts = { .tv_sec = (time_t)(until / 1000000000u),
				       .tv_nsec = (long)(until % 1000000000u) };

		if (!sem_clockwait(&c->ended, CLOCK_MONOTONIC, &ts))
			return 0;
		if (errno != EINTR && errno != ETIMEDOUT)
			return -errno;
	}
	return -ETIMEDOUT;
}

void consumer_join(struct consumer *c)
{
	if (!c->started)
		return;
	pthread_join(c->thread, NULL);
	sem_destroy(&c->ready);
	sem_destroy(&c->ended);
	summary_free(c->summary);
	c->summary = NULL;
	c->started = false;
}
