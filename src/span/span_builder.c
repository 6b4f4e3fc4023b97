/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The span builder: which call gets a span of its own, what is held back,
 * when a trace ends and the next begins.  Runs on the consumer thread, owns
 * spans from the pool to emit().  How a span of each sort is filled is in
 * span_call.c and span_process.c, folding in fold.c, the order of spans is
 * explained in builder.h.
 */
#include "config.h"
#include "span/builder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- spans in and out --- */

struct span *builder_get(struct span_builder *b, struct pspan *p, enum span_type type)
{
	struct span *s;

	if (!p->resource && pspan_load_resource(b, p) < 0)
		return NULL;
	s = span_pool_get(b->pool);
	if (!s && b->stats.held) {
		builder_flush_all(b);
		s = span_pool_get(b->pool);
	}
	if (!s)
		return NULL;
	s->type = (uint8_t)type;
	s->resource = pspan_resource_get(p);
	s->flags = b->trace.flags | BUILDER_FLAG_LOCAL;
	memcpy(s->trace_id, b->trace.id, sizeof(s->trace_id));
	id_generator_next(&b->ids, s->span_id);
	if (type != SPAN_PROCESS && type != SPAN_ROOT)	/* those set their own */
		memcpy(s->parent_id, pspan_parent(b, p), sizeof(s->parent_id));
	if (b->trace.serial == 1 && b->cfg.context.trace_state[0])
		s->trace_state = b->cfg.context.trace_state;
	return s;
}

static void builder_out(struct span_builder *b, struct pspan *p, struct span *s)
{
	p->out_ns = later(p->out_ns, s->end_ns);
	if (b->cfg.limited) {
		span_set_limits(s, &b->cfg.limits);
		s->encoded_size = 0;
	}
	if (!s->encoded_size)
		s->encoded_size = span_estimate(s);
	b->stats.bytes += s->encoded_size;
	b->trace.spans++;
	b->cfg.emit(b->cfg.emit_ctx, s);
}

void builder_hold(struct span_builder *b, struct pspan *p, struct span *s)
{
	s->next = NULL;
	*p->held_tail = s;
	p->held_tail = &s->next;
	b->stats.held++;
}

void builder_emit(struct span_builder *b, struct pspan *p, struct span *s)
{
	if (!p->held && !p->candidates) {
		builder_out(b, p, s);
		return;
	}
	builder_hold(b, p, s);
	if (b->stats.held >= BUILDER_HELD_MAX)
		builder_flush_all(b);
}

/* Stable merge of two lists by end. */
static struct span *list_merge(struct span *x, struct span *y)
{
	struct span *head = NULL, **tail = &head;

	while (x && y) {
		struct span **from = y->end_ns < x->end_ns ? &y : &x;

		*tail = *from;
		*from = (*from)->next;
		tail = &(*tail)->next;
	}
	*tail = x ? x : y;
	return head;
}

/* Bottom-up: bins[i] is empty or a sorted list of 2^i spans. */
static struct span *list_sort(struct span *list)
{
	struct span *bins[32] = { NULL }, *out = NULL;

	while (list) {
		struct span *s = list;
		unsigned i = 0;

		list = list->next;
		s->next = NULL;
		for (; i < 31 && bins[i]; i++) {
			s = list_merge(bins[i], s);
			bins[i] = NULL;
		}
		bins[i] = list_merge(bins[i], s);
	}
	for (unsigned i = 0; i < 32; i++)
		out = list_merge(bins[i], out);
	return out;
}

static void group_take(struct span_builder *b, struct pspan *p, struct group *g)
{
	for (unsigned i = 0; i < GROUP_SLOW; i++) {
		struct span *s = g->slow[i].item;

		g->slow[i].item = NULL;
		if (!s)
			continue;
		p->candidates--;
		b->stats.held--;	/* counted again by hold */
		builder_hold(b, p, s);
	}
}

void builder_take(struct span_builder *b, struct pspan *p, struct group_table *t)
{
	for (uint32_t i = 0; i < t->used && p->candidates; i++)
		group_take(b, p, &t->groups[i]);
}

void builder_flush(struct span_builder *b, struct pspan *p)
{
	struct span *list, *s;

	for (struct fold_thread *t = p->threads; t; t = t->next)
		builder_take(b, p, &t->table);
	list = list_sort(p->held);
	p->held = NULL;
	p->held_tail = &p->held;
	while ((s = list)) {
		list = s->next;
		s->next = NULL;
		b->stats.held--;
		builder_out(b, p, s);
	}
}

void builder_flush_all(struct span_builder *b)
{
	for (struct pspan *p = b->list; p; p = p->next)
		builder_flush(b, p);
	builder_flush(b, &b->root);
}

/* --- traces --- */

static void trace_init(struct span_builder *b, uint64_t now_ns)
{
	static const unsigned shares[][2] = {
		[DETAIL_AUTO] = { 70, 20 }, [DETAIL_FULL] = { 0, 0 }, [DETAIL_SUMMARY] = { 0, 0 },
		[DETAIL_PROCESS] = { 0, 0 }, [DETAIL_METRICS] = { 0, 0 },
	};
	struct trace *t = &b->trace;
	enum span_detail d = b->cfg.detail;

	t->serial++;
	t->start_ns = now_ns;
	t->spans = t->processes = 0;
	budget_init(&t->budget, d == DETAIL_FULL ? 0 : b->cfg.max_spans, b->cfg.max_trace_bytes, shares[d][0],
		    shares[d][1]);
	budget_add(&t->budget, BUDGET_FRAME, 1, BUILDER_PROCESS_BYTES);	/* its root */
	b->fold_interval_ns = b->cfg.fold_interval_ns;
	b->fold_mark = (builder_frame_usable(&t->budget) + 1) / 2;
	b->trace_due_ns = 0;
	b->stats.traces++;
}

void builder_split(struct span_builder *b)
{
	builder_flush_all(b);
	for (struct pspan *p = b->list; p; p = p->next)
		pspan_segment_end(b, p);
	pspan_segment_end(b, &b->root);
	/* The other half stays: samplers on the way look at that one; a run is kept or left as a whole. */
	id_span(b->trace.id);
	trace_init(b, b->now_ns);
}

static bool split_due(const struct span_builder *b)
{
	if (b->cfg.trace_split && b->trace.spans >= b->cfg.trace_split)
		return true;
	return b->cfg.detail == DETAIL_AUTO && budget_spent(&b->trace.budget);
}

/* --- calls --- */

/* An error is worth a span once for each call, errno and path. */
static bool error_is_new(struct span_builder *b, const struct call *c)
{
	uint64_t key = (uint64_t)c->desc->id << 16 | (uint16_t)c->err;

	if (b->errors.used >= BUILDER_ERRORS_MAX)
		return false;
	strbuf_reset(&b->text);
	call_path(c, &b->text);
	key = hash_bytes(b->text.p, b->text.len, key);
	if (hash_lookup(&b->errors, key))
		return false;
	return hash_put(&b->errors, key, b) == 0;
}

/* Ends of threads and processes, and successful execs. */
static bool call_of_life(const struct call *c)
{
	return c->desc->flags & SYSCALL_F_NORETURN && c->desc->classes & SYSCALL_CLASS_PROCESS && !c->err;
}

static bool call_notable(struct span_builder *b, const struct call *c, bool unexpected)
{
	uint64_t ns = c->end_ns - c->start_ns;

	if (!budget_check(&b->trace.budget, BUDGET_NOTABLE, 1, b->call_bytes))
		return false;
	if (b->cfg.min_duration_ns && ns >= b->cfg.min_duration_ns)
		return true;
	if (call_of_life(c))
		return true;
	return unexpected && error_is_new(b, c);
}

/* The share that pays for a span of this call, or -1: it is folded. */
static int call_choose(struct span_builder *b, const struct call *c, bool unexpected)
{
	if (b->cfg.detail == DETAIL_FULL)
		return BUDGET_SINGLE;
	if (b->cfg.detail != DETAIL_AUTO)
		return -1;
	if (budget_check(&b->trace.budget, BUDGET_SINGLE, 1, b->call_bytes))
		return BUDGET_SINGLE;
	return call_notable(b, c, unexpected) ? BUDGET_NOTABLE : -1;
}

static bool call_emit(struct span_builder *b, struct pspan *p, const struct call *c, bool unexpected,
		      int share)
{
	struct span *s = call_span(b, p, c, unexpected);

	if (!s)
		return false;
	budget_add(&b->trace.budget, (enum budget_share)share, 1, s->encoded_size);
	b->stats.single++;
	b->stats.notable += share == BUDGET_NOTABLE;
	builder_emit(b, p, s);
	return true;
}

static void call_count(struct span_builder *b, struct pspan *p, const struct call *c)
{
	b->stats.calls++;
	p->calls++;
	p->last_ns = later(p->last_ns, c->end_ns);
	b->now_ns = later(b->now_ns, c->end_ns);
}

void span_builder_call(struct span_builder *b, const struct call *c)
{
	bool unexpected;
	struct pspan *p;
	int share;

	if (b->off || b->finishing || c->ev->head.flags & TRACER_EVF_HIDDEN)
		return;
	if (split_due(b))
		builder_split(b);
	p = pspan_get(b, c->image);
	call_count(b, p, c);
	if (b->cfg.compute)
		call_compute(b, p, c);
	unexpected = c->err && call_unexpected(b, c);
	share = call_choose(b, c, unexpected);
	if (share >= 0 && call_emit(b, p, c, unexpected, share))
		return;
	if (b->cfg.detail == DETAIL_FULL)
		b->stats.dropped++;	/* no span to be had, and folding was not asked for */
	else
		fold_call(b, p, c, unexpected);
}

/* --- events, time --- */

/* The run that was recorded: what its programs have sent themselves is in that trace. */
static void context_adopt(struct span_builder *b, const struct tracer_ev_context *ev)
{
	if (!b->cfg.adopt || b->root.trace)
		return;
	memcpy(b->cfg.context.trace_id, ev->trace_id, sizeof(ev->trace_id));
	memcpy(b->trace.id, ev->trace_id, sizeof(b->trace.id));
	memcpy(b->root.span_id, ev->span_id, sizeof(b->root.span_id));
	b->trace.flags = b->cfg.context.trace_flags = ev->trace_flags;
}

static void context_event(struct span_builder *b, const struct tracer_ev_context *ev)
{
	if (ev->what == TRACER_CONTEXT_RUN)
		context_adopt(b, ev);
	else if (ev->what == TRACER_CONTEXT_IMAGE)
		pspan_context(b, ev);
	else if (ev->what == TRACER_CONTEXT_PROCESS)
		pspan_context_resource(b, ev->head.tid);
}

void span_builder_event(struct span_builder *b, const struct tracer_event *ev)
{
	if (b->off || b->finishing)
		return;
	switch (ev->kind) {
	case TRACER_EV_TASK:
	case TRACER_EV_EXEC:
	case TRACER_EV_EXIT:
		b->now_ns = later(b->now_ns, clock_map_real(b->clock, ev->time));
		pspan_event(b, ev);
		break;
	case TRACER_EV_CONTEXT:
		context_event(b, (const struct tracer_ev_context *)(const void *)ev);
		break;
	default:
		break;
	}
}

/* The interval doubles each time half of what is left of the frame is gone. */
static void fold_pace(struct span_builder *b)
{
	uint64_t usable = builder_frame_usable(&b->trace.budget);

	while (b->fold_mark < usable && b->trace.budget.share[BUDGET_FRAME].spans >= b->fold_mark) {
		b->fold_interval_ns *= 2;
		b->fold_mark += (usable - b->fold_mark + 1) / 2;
	}
}

void span_builder_tick(struct span_builder *b, uint64_t mono_ns)
{
	if (b->off || b->finishing)
		return;
	if (!b->trace_due_ns)
		b->trace_due_ns = mono_ns + BUILDER_TRACE_NS;
	if (!b->fold_due_ns)
		b->fold_due_ns = mono_ns + b->fold_interval_ns;
	if (b->cfg.detail == DETAIL_AUTO && mono_ns >= b->trace_due_ns) {
		builder_split(b);
		b->trace_due_ns = mono_ns + BUILDER_TRACE_NS;
	}
	if (b->cfg.detail == DETAIL_FULL || mono_ns < b->fold_due_ns)
		return;
	for (struct pspan *p = b->list; p; p = p->next)
		fold_flush(b, p);
	fold_flush(b, &b->root);
	fold_pace(b);
	b->fold_due_ns = mono_ns + b->fold_interval_ns;
}

void span_builder_finish(struct span_builder *b, uint64_t end_ticks)
{
	struct pspan *p, *next;

	if (b->off || b->finishing)
		return;
	b->finishing = true;
	b->now_ns = later(b->now_ns, clock_map_real(b->clock, end_ticks));
	/* The shared ones last: the others may still fold into them. */
	for (p = b->list; p; p = next) {
		next = p->next;
		if (!p->shared)
			pspan_close(b, p);
	}
	while (b->list)
		pspan_close(b, b->list);
	fold_process_end(b, &b->root);
	fold_rest(b);
}

void span_builder_finish_root(struct span_builder *b, const struct span_final *f)
{
	if (b->off || !b->root.trace)
		return;
	pspan_root_finish(b, f);
	b->off = true;
}

void span_builder_stats(const struct span_builder *b, struct span_builder_stats *out)
{
	*out = b->stats;
}

/* --- life --- */

static void config_load(struct span_builder *b, const struct span_builder_config *cfg)
{
	b->cfg = *cfg;
	b->decode = cfg->decode;
	b->decode.no_buffers = !cfg->buffers;
	b->call_bytes = BUILDER_CALL_BYTES;
	b->root.root = true;
	b->root.held_tail = &b->root.held;
	b->root_status = -2;
	memcpy(b->root.span_id, cfg->root_span_id, sizeof(b->root.span_id));
	memcpy(b->trace.id, cfg->context.trace_id, sizeof(b->trace.id));
	b->trace.flags = cfg->context.trace_flags;
	b->off = !cfg->context.sampled || cfg->detail == DETAIL_METRICS;
	if (!cfg->context.sampled)
		log_msg(cfg->log, LOG_WARN, "TRACEPARENT says that this trace is not sampled: no spans are "
			"exported (unset TRACEPARENT to start a trace of its own)");
}

int span_builder_new(struct span_builder **out, const struct span_builder_config *cfg, struct span_pool *pool,
		     struct world *w, const struct clock_map *clock)
{
	struct span_builder *b = calloc(1, sizeof(*b));
	int ret = b ? hash_init(&b->errors, BUILDER_ERRORS_MAX) : -ENOMEM;

	if (ret < 0) {
		free(b);
		return ret;
	}
	config_load(b, cfg);
	b->pool = pool;
	b->world = w;
	b->clock = clock;
	strbuf_init(&b->text, 8192);
	id_generator_init(&b->ids);
	resource_host_probe(&b->host, "");
	resource_run_init(&b->run);
	if (cfg->instance_id)
		snprintf(b->run.instance_id, sizeof(b->run.instance_id), "%s", cfg->instance_id);
	b->run.service_name = cfg->service_name;
	b->run.attributes = cfg->resource_attributes;
	group_table_init(&b->rest, BUILDER_GROUPS_REST);
	group_table_init(&b->root.own, BUILDER_GROUPS_THREAD);
	trace_init(b, 0);
	world_set_hooks(w, &(struct world_hooks){ .ctx = b, .task_gone = fold_task_gone,
						  .image_gone = pspan_image_gone });
	*out = b;
	return 0;
}

void span_builder_free(struct span_builder *b)
{
	struct fold_thread *t;

	if (!b)
		return;
	world_set_hooks(b->world, &(struct world_hooks){ 0 });
	while (b->list)
		pspan_fini(b, b->list);
	pspan_fini(b, &b->root);
	while ((t = b->spare)) {
		b->spare = t->next;
		group_table_fini(&t->table);
		free(t);
	}
	group_table_fini(&b->rest);
	hash_fini(&b->errors);
	strbuf_fini(&b->text);
	free(b);
}
