/* SPDX-License-Identifier: Apache-2.0 */
/* No allocation per span in the steady state: the heap's own functions are
 * interposed and counted while calls run through the builder. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>

#include "span_sim.h"
#include "unit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
int main(void)
{
	puts("SKIP: the heap cannot be interposed here");
	return 77;
}
#else

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

static unsigned long allocations;

void *malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	allocations++;
	return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	allocations++;
	return __libc_memalign(align, n);
}

static uint64_t run(struct sim *m, uint64_t t, int n)
{
	for (int i = 0; i < n; i++, t += 50000) {
		int tid = 10 + i % 3;

		sim_plain(m, tid, SIM_GETPID, t, t + 100, 10);
		sim_call(m, &(struct sim_call){ .tid = tid, .nr = SIM_READ, .start = t + 200, .end = t + 900 + (uint64_t)i % 7,
			.ret = 3, .args = { 0, 0x1000, 8 }, .cap_arg = 1, .cap = "secret", .cap_len = 6,
			.cap_flags = TRACER_CAP_OUT });
		sim_path(m, tid, t + 1000, t + 1500, "/etc/ld.so.preload", O_RDONLY, -ENOENT);
		sim_path(m, tid, t + 2000, t + 2500, "/root/x", O_RDONLY, -EACCES);
		/* Now and then slower than all before: candidates come and go. */
		sim_plain(m, tid, SIM_FSYNC, t + 3000, t + 3000 + (i % 50 ? 500 : 20000 + (uint64_t)i), 0);
	}
	return t;
}

static void expect_none(enum span_detail detail, uint64_t max_spans)
{
	struct sim m;
	unsigned long before, gets;
	struct span_pool_stats st;
	uint64_t t;

	before = allocations;
	sim_init(&m, detail);
	m.count_only = true;
	m.cfg.max_spans = max_spans;
	m.cfg.max_trace_bytes = 0;
	m.cfg.compute = true;
	m.cfg.compute_ns = 20000;
	sim_start(&m, 64, 4096);
	ck_assert_uint_gt(allocations, before);	/* the count counts */
	sim_task(&m, 1000, 10, 10, 0, TRACER_EVF_ROOT);
	sim_exec(&m, 2000, 10, "/bin/sh", "sh");
	sim_task(&m, 2000, 11, 10, 10, 0);
	sim_task(&m, 2000, 12, 10, 10, 0);
	t = run(&m, 5000, 500);
	span_builder_tick(m.b, t);
	t = run(&m, t, 500);
	span_builder_tick(m.b, t + 10 * (uint64_t)SIM_NS_S);
	span_pool_stats(m.pool, &st);
	gets = st.gets;
	before = allocations;
	for (int k = 1; k < 8; k++) {
		t = run(&m, t, 1000);
		span_builder_tick(m.b, t + (10 << k) * (uint64_t)SIM_NS_S);
	}
	ck_assert_uint_eq(allocations, before);
	span_pool_stats(m.pool, &st);
	ck_assert_uint_gt(st.gets, gets);	/* and there was something to count */
	sim_exit(&m, t, 12, 10, 0, 0);
	sim_exit(&m, t, 11, 10, 0, 0);
	sim_exit(&m, t, 10, 10, 0, 0);
	sim_finish(&m, t);
	sim_fini(&m);
}

START_TEST(full)
{
	expect_none(DETAIL_FULL, 0);
}
END_TEST

START_TEST(auto_single)
{
	expect_none(DETAIL_AUTO, 1u << 20);
}
END_TEST

START_TEST(auto_folding)
{
	expect_none(DETAIL_AUTO, 2000);
}
END_TEST

START_TEST(summary)
{
	expect_none(DETAIL_SUMMARY, 2000);
}
END_TEST

int main(void)
{
	return unit_run("span_alloc", (const TTest *const[]){full, auto_single, auto_folding, summary, NULL});
}
#endif
