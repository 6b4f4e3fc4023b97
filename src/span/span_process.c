/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process spans: one for each program image, one for all images of an
 * executable where there are too many, and the root's, which is written last.
 * A span is opened when its image appears (the span that calls hang under must
 * have an id by then) and written when the world lets go of the image, that is
 * behind the last call of it.  Consumer thread; owned by the builder, found
 * through image.user.
 */
#include "config.h"
#include "span/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/utf8.h"

#define MAPS_BYTES 640u		/* of the 2 KiB of a span */
#define REFERENCES 64u		/* to a resource, taken at a time */

/* struct call and the world's lookups hand out images read-only; the user slot is ours. */
static void image_set_user(const struct image *img, struct pspan *p)
{
	((struct image *)(uintptr_t)img)->user = p;
}

/* --- names and resources --- */

static const char *base_name(const char *path, size_t n, size_t *len)
{
	const char *slash = memrchr(path, '/', n);

	*len = slash ? n - (size_t)(slash + 1 - path) : n;
	return slash ? slash + 1 : path;
}

static void pspan_set_name(struct span_builder *b, struct pspan *p, const struct image *img)
{
	const char *name = img->comm;
	size_t len = strnlen(img->comm, sizeof(img->comm));

	if (img->exe && img->exe_len)
		name = base_name(img->exe, img->exe_len, &len);
	else if (p->root && b->cfg.program)
		name = base_name(b->cfg.program, strlen(b->cfg.program), &len);
	if (!len) {
		name = "process";
		len = 7;
	}
	p->named = img->exe && img->exe_len;
	p->name_len = (uint8_t)(len < sizeof(p->name) ? len : sizeof(p->name));
	memcpy(p->name, name, p->name_len);
}

static void service_load(struct span_builder *b, const struct pspan *p)
{
	const char *name = p->name;
	size_t len = p->name_len;

	if (b->service[0])
		return;
	if (b->cfg.program)
		name = base_name(b->cfg.program, strlen(b->cfg.program), &len);
	/* A service name is a string in every back-end: no bytes that are not UTF-8. */
	if (utf8_valid(name, len))
		snprintf(b->service, sizeof(b->service), "%.*s", (int)len, name);
	else
		snprintf(b->service, sizeof(b->service), "unknown_service");
	b->run.fallback_name = b->service;
}

int pspan_load_resource(struct span_builder *b, struct pspan *p)
{
	struct resource_image ri = { 0 };
	const struct image *img = p->image;

	service_load(b, b->root.trace ? &b->root : p);
	if (img)
		ri = (struct resource_image){ .id = img->id, .pid = img->pid, .starttime = img->starttime,
					      .exe = img->exe, .exe_len = img->exe_len,
					      .build_id = img->build_id, .build_id_len = img->build_id_len,
					      .context = img->context, .context_len = img->context_len };
	if (!ri.exe) {
		ri.exe = p->name;
		ri.exe_len = p->name_len;
	}
	if (p->shared)
		ri.id = p->resource_id;
	return resource_build(&p->resource, &b->host, &b->run, &ri);
}

struct resource *pspan_resource_get(struct pspan *p)
{
	if (!p->references) {
		resource_get_some(p->resource, REFERENCES);
		p->references = REFERENCES;
	}
	p->references--;
	return p->resource;
}

static void pspan_resource_put(struct pspan *p)
{
	resource_put_some(p->resource, p->references + 1);
	p->references = 0;
	p->resource = NULL;
}

/* --- places in the tree --- */

/* For the counts of our own health. */
static void count_begin(struct span_builder *b)
{
	b->stats.begun++;
	b->stats.live++;
}

static void segment_open(struct span_builder *b, struct pspan *p)
{
	count_begin(b);
	b->stats.orphans += p->root;
	p->seg.trace = b->trace.serial;
	p->seg.start_ns = later(b->trace.start_ns, p->start_ns);
	id_generator_next(&b->ids, p->seg.id);
	budget_add(&b->trace.budget, BUDGET_FRAME, 1, BUILDER_PROCESS_BYTES);
	if (!p->root)
		pspan_parent(b, &b->root);
}

const uint8_t *pspan_parent(struct span_builder *b, struct pspan *p)
{
	if (p->trace == b->trace.serial)
		return p->span_id;
	if (p->seg.trace != b->trace.serial)
		segment_open(b, p);
	return p->seg.id;
}

/* A span under p, or p's own: everything but its name and its ids. */
static struct span *process_span(struct span_builder *b, struct pspan *p, enum span_type type)
{
	struct span *s = builder_get(b, p, type);

	if (!s)
		return NULL;
	span_set_name(s, p->name, p->name_len);
	span_add_str(s, SPAN_KEY_PROCESS_EXECUTABLE_NAME, p->name, p->name_len);
	if (p->image && p->image->exe_len)
		span_add_str(s, SPAN_KEY_PROCESS_EXECUTABLE_PATH, p->image->exe, p->image->exe_len);
	if (p->image && p->image->pid)
		span_add_int(s, SPAN_KEY_PROCESS_PID, p->image->pid);
	if (p->image && p->image->ppid > 0)
		span_add_int(s, SPAN_KEY_PROCESS_PARENT_PID, p->image->ppid);
	return s;
}

/* What stood for the process in the trace that ends now. */
void pspan_segment_end(struct span_builder *b, struct pspan *p)
{
	struct span *s;

	if (p->seg.trace != b->trace.serial || p->trace == b->trace.serial)
		return;
	s = process_span(b, p, SPAN_PROCESS);
	p->seg.trace = 0;
	b->stats.live--;
	if (!s)
		return;
	memcpy(s->span_id, p->seg.id, sizeof(s->span_id));
	if (p->root)
		memset(s->parent_id, 0, sizeof(s->parent_id));
	else
		memcpy(s->parent_id, pspan_parent(b, &b->root), sizeof(s->parent_id));
	s->start_ns = p->seg.start_ns;
	s->end_ns = later(later(p->last_ns, p->out_ns), s->start_ns);
	span_add_bool(s, SPAN_KEY_TRACER_CONTINUED, true);
	s->has_link = 1;
	memcpy(s->link.trace_id, p->trace_id, sizeof(s->link.trace_id));
	memcpy(s->link.span_id, p->span_id, sizeof(s->link.span_id));
	s->link.flags = b->trace.flags | BUILDER_FLAG_LOCAL;
	if (p->trace == 1 && b->cfg.context.trace_state[0])
		s->link.trace_state = b->cfg.context.trace_state;
	b->stats.process_spans++;
	builder_emit(b, p, s);
	builder_flush(b, p);
}

/* --- opening --- */

static void list_add(struct span_builder *b, struct pspan *p)
{
	p->prev = NULL;
	p->next = b->list;
	if (b->list)
		b->list->prev = p;
	b->list = p;
}

static void list_del(struct span_builder *b, struct pspan *p)
{
	if (p->prev)
		p->prev->next = p->next;
	else if (b->list == p)
		b->list = p->next;
	if (p->next)
		p->next->prev = p->prev;
}

static void pspan_place(struct span_builder *b, struct pspan *p, const uint8_t parent[8])
{
	p->trace = b->trace.serial;
	memcpy(p->trace_id, b->trace.id, sizeof(p->trace_id));
	memcpy(p->parent_id, parent, sizeof(p->parent_id));
	if (!p->root)
		id_generator_next(&b->ids, p->span_id);
}

static struct pspan *pspan_new(struct span_builder *b)
{
	struct pspan *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->held_tail = &p->held;
	group_table_init(&p->own, BUILDER_GROUPS_THREAD);
	list_add(b, p);
	count_begin(b);
	return p;
}

static void root_open(struct span_builder *b, const struct image *img)
{
	struct pspan *p = &b->root;

	count_begin(b);
	if (b->cfg.context.remote)
		b->stats.remote++;
	else
		b->stats.orphans++;
	pspan_place(b, p, b->cfg.context.parent_id);
	p->start_ns = clock_map_real(b->clock, img->start_ticks);
	if (!b->trace.start_ns)
		b->trace.start_ns = p->start_ns;
}

/* The root's latest image: what the root span is named after.  The reference
 * keeps it until the root span is written. */
static void root_load(struct span_builder *b, const struct image *img)
{
	struct pspan *p = &b->root;

	if (p->image)
		image_put(b->world, (struct image *)(uintptr_t)p->image);
	p->image = image_get((struct image *)(uintptr_t)img);
	pspan_resource_put(p);
	pspan_set_name(b, p, img);
}

static struct pspan *shared_lookup(const struct span_builder *b, const struct pspan *like)
{
	for (unsigned i = 0; i < b->nshared; i++)
		if (b->shared[i]->name_len == like->name_len &&
		    memcmp(b->shared[i]->name, like->name, like->name_len) == 0)
			return b->shared[i];
	return NULL;
}

/* Every process of a name is one span from here on: the first of them opens it.  It begins
 * with the earliest, which need not have come first: a process with a span of its own that had no
 * room for its summaries is as old as it is. */
struct pspan *pspan_shared(struct span_builder *b, const struct pspan *like)
{
	struct pspan *p = shared_lookup(b, like);

	if (p) {
		p->start_ns = like->start_ns < p->start_ns ? like->start_ns : p->start_ns;
		return p;
	}
	p = b->nshared < BUILDER_SHARED_MAX ? pspan_new(b) : NULL;
	if (!p)
		return NULL;
	p->shared = true;
	p->resource_id = UINT32_MAX / 2 + b->nshared;
	p->name_len = like->name_len;
	memcpy(p->name, like->name, like->name_len);
	pspan_place(b, p, pspan_parent(b, &b->root));
	p->start_ns = like->start_ns;
	budget_add(&b->trace.budget, BUDGET_FRAME, 1, BUILDER_PROCESS_BYTES);
	b->shared[b->nshared++] = p;
	return p;
}

/* Process spans may take half of the frame, all of it where there is nothing else. */
static bool process_fits(struct span_builder *b)
{
	const struct budget *bu = &b->trace.budget;
	uint64_t most = bu->share[BUDGET_FRAME].max_spans;

	if (b->cfg.detail != DETAIL_PROCESS)
		most /= 2;
	return bu->unlimited ||
	       (b->trace.processes < most && budget_check(bu, BUDGET_FRAME, 1, BUILDER_PROCESS_BYTES));
}

/*
 * A forked image hangs under the forker's, and so does what the process execs
 * later (a shell's child: `make` -> `sh` and `make` -> `cc`, side by side).
 * The root's later images hang under the root.
 */
static void parent_of(struct span_builder *b, const struct image *img, struct pspan *from, uint8_t out[8])
{
	if (from && img->by_exec && !from->root && !from->shared && from->trace == b->trace.serial)
		memcpy(out, from->parent_id, 8);
	else if (from && !(img->by_exec && !from->root))
		memcpy(out, pspan_parent(b, from), 8);
	else
		memcpy(out, pspan_parent(b, &b->root), 8);
}

static struct pspan *image_open(struct span_builder *b, const struct image *img, struct pspan *from)
{
	struct pspan like = { .start_ns = clock_map_real(b->clock, img->start_ticks) }, *p;
	uint8_t parent[8];

	if (!process_fits(b)) {
		pspan_set_name(b, &like, img);
		p = pspan_shared(b, &like);
		return p ? p : &b->root;
	}
	p = pspan_new(b);
	if (!p)
		return &b->root;
	parent_of(b, img, from, parent);
	pspan_place(b, p, parent);
	p->start_ns = like.start_ns;
	p->image = img;
	pspan_set_name(b, p, img);
	b->trace.processes++;
	budget_add(&b->trace.budget, BUDGET_FRAME, 1, BUILDER_PROCESS_BYTES);
	return p;
}

static struct pspan *pspan_open(struct span_builder *b, const struct image *img)
{
	const struct image *before = img->parent_id ? world_image(b->world, img->parent_id) : NULL;
	struct pspan *from = before ? before->user : NULL, *p;

	if (!b->root.trace) {
		root_open(b, img);
		root_load(b, img);
		p = &b->root;
	} else if (img->by_exec && from == &b->root && !b->root.named) {
		/* Between fork and the first exec it was not yet the program. */
		root_load(b, img);
		p = &b->root;
	} else {
		p = image_open(b, img, from);
	}
	p->live++;
	image_set_user(img, p);
	return p;
}

struct pspan *pspan_get(struct span_builder *b, const struct image *img)
{
	return img->user ? img->user : pspan_open(b, img);
}

/* --- events --- */

void pspan_event(struct span_builder *b, const struct tracer_event *ev)
{
	const struct task *t = world_task(b->world, ev->tid);
	const struct image *img = t->proc ? t->proc->image : NULL;

	if (!img)
		return;
	pspan_get(b, img);
	if (ev->kind == TRACER_EV_TASK && t->tid == t->proc->pid)
		b->processes++;
	if (ev->kind == TRACER_EV_EXIT && img->ended && img->pid == b->root.image->pid) {
		b->root_status = img->status;
		b->root_end_ns = clock_map_real(b->clock, img->end_ticks);
	}
}

/*
 * The id that the new image found in TRACEPARENT is its process span's; nothing
 * hangs under that yet.  It is at home in the run's first trace, the one that
 * TRACEPARENT names: in a later one a segment stands for it.  A shared span
 * and the root keep their own.
 */
void pspan_context(struct span_builder *b, const struct tracer_ev_context *ev)
{
	static const uint8_t none[8];
	const struct task *t = world_task(b->world, ev->head.tid);
	const struct image *img = t->proc ? t->proc->image : NULL;
	struct pspan *p = img ? pspan_get(b, img) : NULL;
	bool ours = memcmp(ev->trace_id, b->cfg.context.trace_id, sizeof(ev->trace_id)) == 0;

	if (!p || p->root || p->shared || p->calls)
		return;
	memcpy(p->span_id, ev->span_id, sizeof(p->span_id));
	if (!ours)
		return;
	if (p->trace != 1) {
		p->trace = 1;
		memcpy(p->trace_id, b->cfg.context.trace_id, sizeof(p->trace_id));
		memcpy(p->parent_id, b->root.span_id, sizeof(p->parent_id));
	}
	if (memcmp(ev->parent_id, none, sizeof(none)) != 0)
		memcpy(p->parent_id, ev->parent_id, sizeof(p->parent_id));
}

/* From here on its spans have a resource that knows what the program tells of itself. */
void pspan_context_resource(struct span_builder *b, int32_t tid)
{
	const struct task *t = world_task(b->world, tid);
	const struct image *img = t->proc ? t->proc->image : NULL;
	struct pspan *p = img ? pspan_get(b, img) : NULL;

	if (!p || p->shared || p->image != img)
		return;
	pspan_resource_put(p);
}

/* --- closing --- */

static void add_signal(struct span *s, int status)
{
	char buf[16];
	const char *name = signal_name(WTERMSIG(status), buf);

	span_add_str(s, SPAN_KEY_TRACER_EXIT_SIGNAL, name, strlen(name));
	span_add_str(s, SPAN_KEY_ERROR_TYPE, name, strlen(name));
	span_set_status(s, SPAN_ERROR, WCOREDUMP(status) ? "core dumped" : NULL, WCOREDUMP(status) ? 11 : 0);
}

static void add_exit_code(struct span *s, int code)
{
	char text[16];

	span_add_int(s, SPAN_KEY_PROCESS_EXIT_CODE, code);
	if (!code)
		return;
	span_add_str(s, SPAN_KEY_ERROR_TYPE, text, (size_t)snprintf(text, sizeof(text), "%d", code));
	span_set_status(s, SPAN_ERROR, NULL, 0);
}

/* status as image.status has it: -1 another program took its place, -2 it lives on. */
static void add_end(struct span *s, int status)
{
	const char *reason = status == -1 ? "exec" : status < 0 ? "detached" : WIFSIGNALED(status) ? "signal" : "exit";

	span_add_str(s, SPAN_KEY_TRACER_EXIT_REASON, reason, strlen(reason));
	if (status >= 0 && WIFEXITED(status))
		add_exit_code(s, WEXITSTATUS(status));
	else if (status >= 0 && WIFSIGNALED(status))
		add_signal(s, status);
}

static void add_argv(struct span *s, const struct image *img)
{
	const char *p = img->argv, *end;

	if (!p)
		return;
	end = p + img->argv_len;
	span_open_array(s, SPAN_KEY_PROCESS_COMMAND_ARGS);
	while (p < end) {
		size_t n = strnlen(p, (size_t)(end - p));

		span_add_element(s, p, n);
		p += n + 1;
	}
	span_close_array(s);
}

/* The first files that fit: path and build-id, each with the length before it. */
static unsigned maps_fit(const struct image *img)
{
	size_t bytes = 0;
	unsigned n = 0;

	while (n < img->nmaps) {
		bytes += img->maps[n].len + 2u * img->maps[n].build_id_len + 8;
		if (bytes > MAPS_BYTES)
			break;
		n++;
	}
	return n;
}

/* Two arrays of the same length. */
static void add_maps(struct span *s, const struct image *img)
{
	char id[2 * sizeof(img->maps->build_id) + 1];
	unsigned n = maps_fit(img);

	if (!n)
		return;
	span_open_array(s, SPAN_KEY_TRACER_MAPPED_FILES);
	for (unsigned i = 0; i < n; i++)
		span_add_element(s, img->maps[i].path, img->maps[i].len);
	span_close_array(s);
	span_open_array(s, SPAN_KEY_TRACER_MAPPED_BUILD_IDS);
	for (unsigned i = 0; i < n; i++) {
		id[0] = '\0';
		for (unsigned k = 0; k < img->maps[i].build_id_len; k++)
			sprintf(id + 2 * k, "%02x", img->maps[i].build_id[k]);
		span_add_element(s, id, strlen(id));
	}
	span_close_array(s);
}

static uint64_t pspan_end(const struct span_builder *b, const struct pspan *p)
{
	uint64_t end = p->image && p->image->end_ticks ? clock_map_real(b->clock, p->image->end_ticks) : 0;

	if (!end && !p->shared)
		end = b->now_ns;
	end = later(end, later(p->last_ns, p->out_ns));
	return later(end, p->start_ns);
}

/* Its span in the trace it started in. */
static struct span *home_span(struct span_builder *b, struct pspan *p, enum span_type type)
{
	struct span *s = process_span(b, p, type);

	if (!s)
		return NULL;
	memcpy(s->trace_id, p->trace_id, sizeof(s->trace_id));
	memcpy(s->span_id, p->span_id, sizeof(s->span_id));
	memcpy(s->parent_id, p->parent_id, sizeof(s->parent_id));
	s->trace_state = NULL;
	if (p->trace == 1) {
		s->flags = b->cfg.context.trace_flags | BUILDER_FLAG_LOCAL;
		s->trace_state = b->cfg.context.trace_state[0] ? b->cfg.context.trace_state : NULL;
	}
	if (type == SPAN_ROOT && b->cfg.context.remote)
		s->flags |= BUILDER_FLAG_REMOTE;
	s->start_ns = p->start_ns;
	s->end_ns = pspan_end(b, p);
	span_add_int(s, SPAN_KEY_TRACER_CALLS, (int64_t)p->calls);
	if (p->image)
		add_maps(s, p->image);
	if (b->cfg.args && p->image)
		add_argv(s, p->image);
	return s;
}

void pspan_close(struct span_builder *b, struct pspan *p)
{
	struct span *s;

	fold_process_end(b, p);
	pspan_segment_end(b, p);
	s = home_span(b, p, SPAN_PROCESS);
	/* No lives: it has only calls of processes with spans of their own. */
	if (s && p->shared && p->lives.count)
		fold_add_group(s, &p->lives);
	else if (s && !p->shared)
		add_end(s, p->image && p->image->ended ? p->image->status : -2);
	if (s) {
		b->stats.process_spans++;
		builder_emit(b, p, s);
	}
	pspan_fini(b, p);
}

void pspan_fini(struct span_builder *b, struct pspan *p)
{
	while (p->threads)
		fold_thread_fini(b, p->threads);
	while (p->held) {
		struct span *s = p->held;

		p->held = s->next;
		span_pool_put(b->pool, s);
	}
	pspan_resource_put(p);
	group_table_fini(&p->own);
	if (p->root) {
		if (p->image)
			image_put(b->world, (struct image *)(uintptr_t)p->image);
		p->image = NULL;
		return;
	}
	if (p->image)
		image_set_user(p->image, NULL);
	list_del(b, p);
	b->stats.live--;
	free(p);
}

void pspan_image_gone(void *ctx, struct image *img)
{
	struct span_builder *b = ctx;
	struct pspan *p = img->user;

	img->user = NULL;
	if (!p || b->finishing)
		return;
	if (p->shared)
		group_add(&p->lives, clock_map_real(b->clock, img->start_ticks),
			  clock_map_real(b->clock, img->end_ticks ? img->end_ticks : img->start_ticks));
	if (--p->live == 0 && !p->shared && !p->root)
		pspan_close(b, p);
}

/* --- the root --- */

static void add_counts(struct span_builder *b, struct span *s, const struct span_final *f)
{
	/* What the exporter had to drop is no recorded call any more; the sum stays the calls made. */
	uint64_t lost = f->dropped < b->stats.single ? f->dropped : b->stats.single;
	const struct { enum span_key key; uint64_t value; } rows[] = {
		{ SPAN_KEY_TRACER_RECORDED, b->stats.single - lost }, { SPAN_KEY_TRACER_FOLDED, b->stats.folded },
		{ SPAN_KEY_TRACER_DROPPED, b->stats.dropped + lost }, { SPAN_KEY_TRACER_LOST, f->lost },
		{ SPAN_KEY_TRACER_WAITED_NS, f->waited_ns }, { SPAN_KEY_TRACER_OVERHEAD_NS, f->overhead_ns },
		{ SPAN_KEY_TRACER_PROCESSES, b->processes },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		span_add_int(s, rows[i].key, (int64_t)rows[i].value);
}

void pspan_root_finish(struct span_builder *b, const struct span_final *f)
{
	static const char *const details[] = {
		[DETAIL_AUTO] = "auto", [DETAIL_FULL] = "full", [DETAIL_SUMMARY] = "summary",
		[DETAIL_PROCESS] = "process", [DETAIL_METRICS] = "metrics",
	};
	struct pspan *p = &b->root;
	const char *detail = details[b->cfg.detail];
	struct span *s;

	pspan_segment_end(b, p);
	b->stats.live -= p->trace != 0;
	p->calls = b->stats.calls;
	s = home_span(b, p, SPAN_ROOT);
	if (!s)
		return;
	if (b->root_end_ns)
		s->end_ns = later(b->root_end_ns, later(p->last_ns, p->out_ns));
	add_end(s, b->root_status);
	add_counts(b, s, f);
	span_add_str(s, SPAN_KEY_TRACER_DETAIL, detail, strlen(detail));
	if (b->cfg.engine)
		span_add_str(s, SPAN_KEY_TRACER_ENGINE, b->cfg.engine, strlen(b->cfg.engine));
	b->stats.process_spans++;
	builder_emit(b, p, s);
}
