/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding.  A call that gets no span of its own is counted in the group of its
 * thread, number and outcome; the slowest few of a group are kept as spans
 * (candidates) that later ones may replace.  Groups become summary spans at
 * each fold interval and when their thread or process ends, as far as the
 * trace's frame allows; what it does not allow moves up: to the process, to
 * all processes of the executable, to the run.  Nothing that was folded is
 * ever dropped for want of budget.  Consumer thread.
 */
#include "config.h"
#include "span/builder.h"

#include <stdlib.h>
#include <string.h>

/* --- threads --- */

static struct fold_thread *thread_new(struct span_builder *b)
{
	struct fold_thread *t = b->spare;

	if (t) {
		b->spare = t->next;
		return t;
	}
	if (b->threads == BUILDER_THREADS_MAX)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	b->threads++;
	group_table_init(&t->table, BUILDER_GROUPS_THREAD);
	return t;
}

/* Its tables are empty of calls and candidates by now, or are not wanted any more. */
void fold_thread_fini(struct span_builder *b, struct fold_thread *t)
{
	struct pspan *p = t->owner;

	for (uint32_t i = 0; i < t->table.used; i++)
		for (unsigned k = 0; k < GROUP_SLOW; k++)
			if (t->table.groups[i].slow[k].item)
				span_pool_put(b->pool, t->table.groups[i].slow[k].item);
	if (t->prev)
		t->prev->next = t->next;
	else
		p->threads = t->next;
	if (t->next)
		t->next->prev = t->prev;
	if (t->task)
		t->task->user = NULL;
	group_table_reset(&t->table);
	t->owner = NULL;
	t->task = NULL;
	t->prev = NULL;
	t->next = b->spare;
	b->spare = t;
}

static struct fold_thread *thread_open(struct span_builder *b, struct pspan *p, struct task *task)
{
	struct fold_thread *t = thread_new(b);

	if (!t)
		return NULL;
	t->owner = p;
	t->task = task;
	t->prev = NULL;
	t->next = p->threads;
	if (p->threads)
		p->threads->prev = t;
	p->threads = t;
	task->user = t;
	return t;
}

/* --- summaries --- */

void fold_add_group(struct span *s, const struct group *g)
{
	int64_t counts[GROUP_BUCKETS];

	group_format_counts(g, counts);
	span_add_bool(s, SPAN_KEY_AGG_IS_SUMMARY, true);
	span_add_int(s, SPAN_KEY_AGG_SPAN_COUNT, (int64_t)g->count);
	span_add_int(s, SPAN_KEY_AGG_MIN_NS, (int64_t)g->min_ns);
	span_add_int(s, SPAN_KEY_AGG_MAX_NS, (int64_t)g->max_ns);
	span_add_int(s, SPAN_KEY_AGG_AVG_NS, (int64_t)(g->count ? g->total_ns / g->count : 0));
	span_add_int(s, SPAN_KEY_AGG_TOTAL_NS, (int64_t)g->total_ns);
	span_add_doubles(s, SPAN_KEY_AGG_BOUNDS, group_bounds_s, GROUP_BOUNDS);
	span_add_ints(s, SPAN_KEY_AGG_COUNTS, counts, GROUP_BUCKETS);
}

static void summary_emit(struct span_builder *b, struct pspan *p, const struct task *task, struct group *g)
{
	struct span *s = builder_get(b, p, SPAN_SUMMARY);

	if (s) {
		s->start_ns = g->first_ns;
		s->end_ns = later(g->last_ns, p->out_ns);
		call_add_group(s, g, task);
		fold_add_group(s, g);
		s->encoded_size = span_estimate(s);
		budget_add(&b->trace.budget, BUDGET_FRAME, 1, s->encoded_size);
		b->stats.summary_spans++;
		b->stats.folded_groups++;
		builder_hold(b, p, s);	/* callers flush: in order of end */
	} else {
		b->stats.folded -= g->count;
		b->stats.dropped += g->count;
	}
	group_reset(g);
}

static uint32_t table_count(struct group_table *t)
{
	uint32_t n = 0, pos = 0;

	while (group_table_next(t, &pos))
		n++;
	return n;
}

/* Whether n summaries may be written now.  Each taker gets a part of what is
 * left, so that later ones find something; a quarter is kept for the end. */
static bool summaries_fit(const struct span_builder *b, uint32_t n)
{
	const struct budget *bu = &b->trace.budget;
	uint64_t room = budget_room(bu, BUDGET_FRAME, BUILDER_SUMMARY_BYTES);
	uint64_t kept = bu->share[BUDGET_FRAME].max_spans - builder_frame_usable(bu);

	if (bu->unlimited || b->finishing)
		return n <= room;
	return room > kept && n <= (room - kept + 3) / 4;
}

static void table_emit(struct span_builder *b, struct pspan *p, const struct task *task,
		       struct group_table *t)
{
	struct group *g;
	uint32_t pos = 0;

	while ((g = group_table_next(t, &pos)))
		summary_emit(b, p, task, g);
}

static void table_merge(struct group_table *into, struct group_table *from)
{
	uint32_t pos = 0;
	struct group *g;

	while ((g = group_table_next(from, &pos))) {
		group_merge(group_table_get(into, g->key), g);
		group_reset(g);
	}
}

/* --- ends --- */

static void thread_close(struct span_builder *b, struct fold_thread *t)
{
	struct pspan *p = t->owner;

	builder_take(b, p, &t->table);
	if (summaries_fit(b, table_count(&t->table)))
		table_emit(b, p, t->task, &t->table);
	else
		table_merge(&p->own, &t->table);
	fold_thread_fini(b, t);
	if (!p->candidates)
		builder_flush(b, p);	/* else at the next flush, behind the candidates */
}

void fold_task_gone(void *ctx, struct task *task)
{
	if (task->user)
		thread_close(ctx, task->user);
}

void fold_flush(struct span_builder *b, struct pspan *p)
{
	uint32_t n = table_count(&p->own);

	builder_flush(b, p);
	for (struct fold_thread *t = p->threads; t; t = t->next)
		n += table_count(&t->table);
	if (!n || !summaries_fit(b, n))
		return;		/* they go on counting until there is room, or their end */
	table_emit(b, p, NULL, &p->own);
	for (struct fold_thread *t = p->threads; t; t = t->next)
		table_emit(b, p, t->task, &t->table);
	builder_flush(b, p);
}

void fold_process_end(struct span_builder *b, struct pspan *p)
{
	struct pspan *shared;

	while (p->threads)
		thread_close(b, p->threads);
	if (summaries_fit(b, table_count(&p->own)))
		table_emit(b, p, NULL, &p->own);
	builder_flush(b, p);
	if (!table_count(&p->own))
		return;
	shared = p->shared || p->root || b->finishing ? NULL : pspan_shared(b, p);
	table_merge(shared ? &shared->own : &b->rest, &p->own);
}

/* The last resort always fits: one summary of everything. */
void fold_rest(struct span_builder *b)
{
	if (!summaries_fit(b, table_count(&b->rest))) {
		for (uint32_t i = 0; i < b->rest.used; i++) {
			group_merge(&b->rest.other, &b->rest.groups[i]);
			group_reset(&b->rest.groups[i]);
		}
	}
	table_emit(b, &b->root, NULL, &b->rest);
	builder_flush(b, &b->root);
}

/* --- calls --- */

/* Whether a call is slow enough, and may be kept, in its group's slot. */
static bool slow_check(const struct span_builder *b, const struct pspan *p, const struct call *c,
		       const struct group *g, uint64_t ns, int slot)
{
	uint64_t room;

	if (ns < BUILDER_SLOW_ALWAYS_NS && ns * g->count <= 2 * g->total_ns)
		return false;
	if (call_waits(c))
		return false;
	if (g->slow[slot].item)
		return true;	/* it takes over the place of another one */
	room = budget_room(&b->trace.budget, BUDGET_NOTABLE, b->call_bytes);
	return b->stats.held < BUILDER_HELD_MAX && p->candidates < (room + 7) / 8;
}

/* A candidate that is replaced becomes a folded call, and its span is free again. */
static void candidate_del(struct span_builder *b, struct pspan *p, struct group *g, int slot)
{
	struct span *s = g->slow[slot].item;

	group_add(g, s->start_ns, s->end_ns);
	budget_del(&b->trace.budget, BUDGET_NOTABLE, 1, s->encoded_size);
	b->stats.single--;
	b->stats.notable--;
	b->stats.folded++;
	b->stats.held--;
	p->candidates--;
	g->slow[slot].item = NULL;
	span_pool_put(b->pool, s);
}

static bool candidate_add(struct span_builder *b, struct pspan *p, const struct call *c, bool unexpected,
			  struct group *g, uint64_t ns)
{
	int slot = group_slow_lookup(g, ns);
	struct span *s;

	if (slot < 0 || !slow_check(b, p, c, g, ns, slot))
		return false;
	s = call_span(b, p, c, unexpected);
	if (!s)
		return false;
	if (g->slow[slot].item)
		candidate_del(b, p, g, slot);
	group_slow_set(g, slot, ns, s);
	budget_add(&b->trace.budget, BUDGET_NOTABLE, 1, s->encoded_size);
	b->stats.single++;
	b->stats.notable++;
	b->stats.held++;
	p->candidates++;
	return true;
}

static struct group_table *table_of(struct span_builder *b, struct pspan *p, const struct call *c)
{
	struct fold_thread *t = c->task->user;

	if (t && t->owner == p)
		return &t->table;
	if (t)
		thread_close(b, t);	/* the thread runs another program now */
	/* The world owns the task; its user slot is ours. */
	t = thread_open(b, p, (struct task *)(uintptr_t)c->task);
	return t ? &t->table : &p->own;
}

void fold_call(struct span_builder *b, struct pspan *p, const struct call *c, bool unexpected)
{
	uint64_t ns = c->end_ns > c->start_ns ? c->end_ns - c->start_ns : 0;
	struct group_table *t;
	struct group *g;

	if (b->cfg.detail == DETAIL_PROCESS) {
		b->stats.folded++;	/* into tracer.calls of the process span */
		return;
	}
	t = table_of(b, p, c);
	g = group_table_get(t, group_key(c->ev->head.abi, c->ev->head.nr, c->err, unexpected));
	if (ns >= BUILDER_SLOW_NS && ns > g->floor_ns && b->cfg.detail == DETAIL_AUTO && t != &p->own &&
	    g->key != GROUP_OTHER && candidate_add(b, p, c, unexpected, g, ns))
		return;
	group_add(g, c->start_ns, c->end_ns);
	b->stats.folded++;
}
