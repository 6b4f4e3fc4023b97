/* SPDX-License-Identifier: Apache-2.0 */
/* Cases for the span builder: what a call costs that is folded, and one that
 * gets a span.  Main thread; spans go back to the pool as they come out. */
#include "config.h"
#include "bench.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "span/span_builder.h"

#define CALLS 8u

struct bed {
	struct world *world;
	struct clock_map clock;
	struct span_pool *pool;
	struct span_builder *b;
	struct call calls[CALLS];
	union { struct tracer_ev_call ev; char room[256]; uint64_t align; } rec[CALLS];
};

static void bed_emit(void *ctx, struct span *s)
{
	span_pool_put(((struct bed *)ctx)->pool, s);
}

/* getpid, read, write, openat of a path: with success and with an ordinary error. */
static void bed_load_call(struct bed *bed, unsigned i)
{
	static const int nrs[] = { 39, 0, 1, 257 };
	struct tracer_ev_call *ev = &bed->rec[i].ev;
	const struct syscall_desc *d = syscall_lookup(TRACER_ABI_X86_64, nrs[i % 4]);
	struct tracer_capture *cap;

	*ev = (struct tracer_ev_call){ .head = { .kind = TRACER_EV_CALL, .tid = 10, .nr = nrs[i % 4] } };
	ev->start = 100000 + 1000 * i;
	ev->head.time = ev->start + 700;
	ev->nargs = d->nargs;
	ev->ret = i < 4 || i % 4 == 0 ? 3 : -ENOENT;
	ev->head.flags = ev->ret < 0 ? TRACER_EVF_ERROR : 0;
	ev->head.size = (uint32_t)sizeof(*ev) + 8u * ev->nargs;
	if (i % 4 == 3) {
		cap = (struct tracer_capture *)(bed->rec[i].room + ev->head.size);
		*cap = (struct tracer_capture){ .arg = 1, .flags = TRACER_CAP_IN, .len = 17 };
		memcpy(cap->bytes, "/etc/ld.so.cache", 17);
		ev->ncaptures = 1;
		ev->head.size += 8 + 24;
	}
	call_init(&bed->calls[i], ev, bed->world, &bed->clock);
}

static void bed_teardown(void *state)
{
	struct bed *bed = state;

	span_builder_free(bed->b);
	world_free(bed->world);
	span_pool_free(bed->pool);
	free(bed);
}

static void *bed_setup(enum span_detail detail)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	struct span_builder_config cfg = { .detail = detail, .max_spans = 1000, .arguments = true,
					   .fold_interval_ns = 1, .emit = bed_emit, .emit_ctx = bed,
					   .root_span_id = { 1 }, .decode = { .string_max = 32 } };
	struct tracer_ev_clock point = { .source = TRACER_CLOCK_MONOTONIC, .real_ns = 1700000000000000000u };
	struct tracer_ev_task task = { .head = { .size = sizeof(task), .kind = TRACER_EV_TASK, .tid = 10,
						 .flags = TRACER_EVF_ROOT }, .pid = 10, .comm = "bench" };

	if (!bed)
		return NULL;
	trace_context_init(&cfg.context);
	clock_map_load(&bed->clock, &point);
	if (span_pool_new(&bed->pool, 64, 4096, false) < 0 || world_new(&bed->world, NULL) < 0 ||
	    span_builder_new(&bed->b, &cfg, bed->pool, bed->world, &bed->clock) < 0)
		return NULL;
	world_before(bed->world, &task.head);
	span_builder_event(bed->b, &task.head);
	for (unsigned i = 0; i < CALLS; i++)
		bed_load_call(bed, i);
	return bed;
}

static void *fold_setup(void)
{
	struct bed *bed = bed_setup(DETAIL_AUTO);

	/* Past the budget of single calls. */
	for (int i = 0; bed && i < 2000; i++)
		span_builder_call(bed->b, &bed->calls[i % CALLS]);
	return bed;
}

static void *full_setup(void)
{
	return bed_setup(DETAIL_FULL);
}

static void run_same(void *state, uint64_t n)
{
	struct bed *bed = state;

	while (n--)
		span_builder_call(bed->b, &bed->calls[1]);
}

static void run_mixed(void *state, uint64_t n)
{
	struct bed *bed = state;

	for (uint64_t i = 0; i < n; i++)
		span_builder_call(bed->b, &bed->calls[i % CALLS]);
}

static void *pool_setup(void)
{
	struct span_pool *p;

	return span_pool_new(&p, 64, 64, false) < 0 ? NULL : p;
}

static void run_pool(void *state, uint64_t n)
{
	while (n--)
		span_pool_put(state, span_pool_get(state));
}

static void pool_teardown(void *state)
{
	span_pool_free(state);
}

static const struct bench_case cases[] = {
	{ .name = "fold_same", .what = "fold a call, the same group again", .unit = "call", .setup = fold_setup,
	  .run = run_same, .teardown = bed_teardown },
	{ .name = "fold_mixed", .what = "fold calls of 7 groups in turn", .unit = "call", .setup = fold_setup,
	  .run = run_mixed, .teardown = bed_teardown },
	{ .name = "span_creation", .what = "decode a call into a span", .unit = "span", .setup = full_setup,
	  .run = run_mixed, .teardown = bed_teardown },
	{ .name = "pool_get_put", .what = "a span from and to the pool", .unit = "span", .setup = pool_setup,
	  .run = run_pool, .teardown = pool_teardown },
	{ 0 }
};

const struct bench_suite bench_span = { "span", cases };
