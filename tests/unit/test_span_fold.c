/* SPDX-License-Identifier: Apache-2.0 */
/* Budget and folding: whatever a program does, every call is in exactly one of
 * single, folded, dropped; a trace stays within its budget; spans of a process
 * come in order of their end. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "span_sim.h"
#include "unit.h"

static struct span_builder_stats stats_of(const struct sim *m)
{
	struct span_builder_stats st;

	span_builder_stats(m->b, &st);
	return st;
}

static unsigned count_calls(const struct sim *m, const char *name)
{
	unsigned n = 0;

	while (sim_find(m, SPAN_CALL, name, n))
		n++;
	return n;
}

static void expect_sums(const struct sim *m)
{
	struct span_builder_stats st = stats_of(m);

	ck_assert_uint_eq(st.single + st.folded + st.dropped, st.calls);
	ck_assert_uint_le(st.notable, st.single);
}

/* --- what the whole output must satisfy --- */

static uint64_t id_key(const uint8_t trace[16], const uint8_t span[8])
{
	return hash_bytes(span, 8, hash_bytes(trace, 16, 1));
}

static void expect_ids(const struct sim *m)
{
	static const uint8_t none[8];
	struct hash ids;

	ck_assert_int_eq(hash_init(&ids, 1u << 22), 0);
	for (size_t i = 0; i < m->nspans; i++) {
		const struct span *s = sim_span(m, i);
		uint64_t k = id_key(s->trace_id, s->span_id);

		ck_assert(memcmp(s->span_id, none, 8) != 0);
		ck_assert_ptr_null(hash_lookup(&ids, k));
		ck_assert_int_eq(hash_put(&ids, k, (void *)(uintptr_t)s), 0);
	}
	for (size_t i = 0; i < m->nspans; i++) {
		const struct span *s = sim_span(m, i), *p = hash_lookup(&ids, id_key(s->trace_id, s->parent_id));

		if (!memcmp(s->parent_id, none, 8)) {
			/* The one root of its trace. */
			ck_assert(s->type == SPAN_ROOT || s->type == SPAN_PROCESS);
			ck_assert_ptr_null(hash_lookup(&ids, id_key(s->trace_id, none)));
			ck_assert_int_eq(hash_put(&ids, id_key(s->trace_id, none), (void *)(uintptr_t)s), 0);
			continue;
		}
		ck_assert_ptr_nonnull(p);
		ck_assert(p->type == SPAN_PROCESS || p->type == SPAN_ROOT);
	}
	hash_fini(&ids);
}

/* Spans under one parent, and the parent behind them. */
static void expect_order(const struct sim *m)
{
	struct hash last;

	ck_assert_int_eq(hash_init(&last, 1u << 22), 0);
	for (size_t i = 0; i < m->nspans; i++) {
		const struct span *s = sim_span(m, i);
		uint64_t k = id_key(s->trace_id, s->type == SPAN_PROCESS || s->type == SPAN_ROOT ? s->span_id :
				    s->parent_id);
		const struct span *before = hash_lookup(&last, k);

		ck_assert_uint_ge(s->end_ns, s->start_ns);
		ck_assert(utf8_valid(s->text + s->name_off, s->name_len));
		if (before)
			ck_assert_msg(s->end_ns >= before->end_ns,
				      "span %zu of type %d ends before its predecessor", i, s->type);
		ck_assert_int_eq(hash_put(&last, k, (void *)(uintptr_t)s), 0);
	}
	hash_fini(&last);
}

static void expect_histograms(const struct sim *m)
{
	for (size_t i = 0; i < m->nspans; i++) {
		const struct span *s = sim_span(m, i);
		const struct span_attr *counts = span_lookup(s, SPAN_KEY_AGG_COUNTS);
		const struct span_attr *bounds = span_lookup(s, SPAN_KEY_AGG_BOUNDS);
		int64_t prev = 0, v = 0;

		if (!counts)
			continue;
		ck_assert_uint_eq(counts->len, bounds->len + 8);
		for (uint32_t k = 0; k < counts->len; k += 8) {
			memcpy(&v, s->text + counts->v.off + k, 8);
			ck_assert_int_ge(v, prev);
			prev = v;
		}
		ck_assert_int_eq(v, sim_int(s, SPAN_KEY_AGG_SPAN_COUNT));
		ck_assert_int_le(sim_int(s, SPAN_KEY_AGG_MIN_NS), sim_int(s, SPAN_KEY_AGG_AVG_NS));
		ck_assert_int_le(sim_int(s, SPAN_KEY_AGG_AVG_NS), sim_int(s, SPAN_KEY_AGG_MAX_NS));
		ck_assert_int_eq(sim_int(s, SPAN_KEY_AGG_IS_SUMMARY), 1);
	}
}

static void expect_end(struct sim *m)
{
	struct span_builder_stats st = stats_of(m);
	struct span_pool_stats pool;

	expect_sums(m);
	ck_assert_uint_eq(st.held, 0);
	ck_assert_uint_eq(m->emitted[SPAN_CALL], st.single);
	ck_assert_uint_eq(m->emitted[SPAN_SUMMARY], st.summary_spans);
	ck_assert_uint_eq(m->emitted[SPAN_PROCESS] + m->emitted[SPAN_ROOT], st.process_spans);
	if (m->cfg.detail != DETAIL_PROCESS)
		ck_assert_uint_eq(m->summed, st.folded);
	span_pool_stats(m->pool, &pool);
	ck_assert_uint_eq(pool.in_use, 0);
	ck_assert_uint_eq(pool.gets, pool.puts);
	ck_assert_uint_eq(pool.bad_puts, 0);
	if (m->count_only)
		return;
	expect_ids(m);
	expect_order(m);
	expect_histograms(m);
}

static struct sim *begin(struct sim *m)
{
	sim_start(m, 64, 16384);
	sim_task(m, 1000, 10, 10, 0, TRACER_EVF_ROOT);
	sim_exec(m, 2000, 10, "/bin/sh", "sh");
	return m;
}

static void end(struct sim *m, uint64_t t)
{
	sim_exit(m, t, 10, 10, 0, 0);
	sim_finish(m, t);
	expect_end(m);
}

/* --- one thing at a time --- */

START_TEST(auto_within_budget_is_full)
{
	struct sim m;

	sim_init(&m, DETAIL_AUTO);
	begin(&m);
	for (uint64_t i = 0; i < 6000; i++)
		sim_plain(&m, 10, SIM_GETPID, 3000 + 20 * i, 3010 + 20 * i, 10);
	end(&m, 900000);
	ck_assert_uint_eq(stats_of(&m).single, 6000);
	ck_assert_uint_eq(m.emitted[SPAN_SUMMARY], 0);
	sim_fini(&m);
}
END_TEST

START_TEST(auto_folds_what_is_too_much)
{
	struct sim m;
	const struct span *s;

	sim_init(&m, DETAIL_AUTO);
	begin(&m);
	for (uint64_t i = 0; i < 50000; i++)
		sim_plain(&m, 10, SIM_GETPID, 3000 + 20 * i, 3010 + 20 * i, 10);
	end(&m, 9000000);
	ck_assert_uint_eq(stats_of(&m).single, 7000);
	ck_assert_uint_eq(stats_of(&m).folded, 43000);
	ck_assert_uint_eq(m.emitted[SPAN_SUMMARY], 1);
	s = sim_find(&m, SPAN_SUMMARY, "getpid", 0);
	ck_assert_int_eq(sim_int(s, SPAN_KEY_AGG_SPAN_COUNT), 43000);
	ck_assert_int_eq(sim_int(s, SPAN_KEY_AGG_AVG_NS), 10);
	ck_assert_int_eq(sim_int(s, SPAN_KEY_AGG_TOTAL_NS), 430000);
	ck_assert_int_eq(sim_int(s, SPAN_KEY_THREAD_ID), 10);
	ck_assert_uint_eq(s->start_ns, SIM_EPOCH + 3000 + 20 * 7000);
	ck_assert_uint_eq(s->end_ns, SIM_EPOCH + 3010 + 20 * 49999);
	sim_fini(&m);
}
END_TEST

START_TEST(bytes_limit_too)
{
	struct sim m;

	sim_init(&m, DETAIL_AUTO);
	m.cfg.max_spans = 1000000;
	m.cfg.max_trace_bytes = 500000;
	begin(&m);
	for (uint64_t i = 0; i < 20000; i++)
		sim_path(&m, 10, 3000 + 20 * i, 3010 + 20 * i, "/usr/share/a/path/of/some/length", O_RDONLY, 3);
	end(&m, 9000000);
	ck_assert_uint_le(stats_of(&m).bytes, 500000);
	ck_assert_uint_gt(stats_of(&m).bytes, 300000);
	ck_assert_uint_gt(stats_of(&m).folded, 15000);
	sim_fini(&m);
}
END_TEST

/* Uses up the singles so that only notable calls get spans. */
static uint64_t use_up(struct sim *m)
{
	uint64_t t = 3000;

	for (int i = 0; i < 70; i++, t += 20)
		sim_plain(m, 10, SIM_GETPID, t, t + 10, 10);
	return t;
}

START_TEST(slowest_survive)
{
	struct sim m;
	unsigned long seed = 9;
	uint64_t t, want[3] = { 0 };

	sim_init(&m, DETAIL_AUTO);
	m.cfg.max_spans = 100;
	begin(&m);
	t = use_up(&m);
	for (int i = 0; i < 3000; i++) {
		uint64_t ns = 5000 + unit_random(&seed) % 20000;

		if (i % 100 == 50)
			ns = SIM_NS_MS * (1 + unit_random(&seed) % 1000);
		sim_call(&m, &(struct sim_call){ .tid = 10, .nr = SIM_FSYNC, .start = t, .end = t + ns });
		t += ns + 10;
		for (int k = 0; k < 3; k++)
			if (ns > want[k]) {
				memmove(&want[k + 1], &want[k], (size_t)(2 - k) * sizeof(*want));
				want[k] = ns;
				break;
			}
	}
	end(&m, t);
	ck_assert_uint_eq(count_calls(&m, "fsync"), 3);
	for (int k = 0; k < 3; k++) {
		bool found = false;

		for (unsigned n = 0; n < 3; n++) {
			const struct span *s = sim_find(&m, SPAN_CALL, "fsync", n);

			found |= s->end_ns - s->start_ns == want[k];
		}
		ck_assert(found);
	}
	ck_assert_int_eq(sim_int(sim_find(&m, SPAN_SUMMARY, "fsync", 0), SPAN_KEY_AGG_SPAN_COUNT), 2997);
	sim_fini(&m);
}
END_TEST

START_TEST(waiting_is_not_slow)
{
	struct sim m;
	uint64_t t;

	sim_init(&m, DETAIL_AUTO);
	m.cfg.max_spans = 100;
	begin(&m);
	t = use_up(&m);
	sim_call(&m, &(struct sim_call){ .tid = 10, .nr = SIM_PIPE2, .start = t, .end = t + 10, .cap_arg = 0,
		.cap_flags = TRACER_CAP_OUT, .cap = (int[]){ 5, 6 }, .cap_len = 8 });
	for (int i = 0; i < 20; i++, t += 2 * SIM_NS_S) {
		sim_plain(&m, 10, SIM_FUTEX, t, t + SIM_NS_S, 0);
		sim_call(&m, &(struct sim_call){ .tid = 10, .nr = SIM_READ, .start = t + SIM_NS_S,
			.end = t + 2 * SIM_NS_S, .ret = 1, .args = { 5 } });	/* an empty pipe */
	}
	ck_assert_uint_eq(count_calls(&m, "futex"), 0);
	ck_assert_uint_eq(count_calls(&m, "read"), 0);
	/* The same time in a read of a file is slow. */
	sim_path(&m, 10, t, t + 10, "/data", O_RDONLY, 7);
	sim_call(&m,
		 &(struct sim_call){
		     .tid = 10, .nr = SIM_READ, .start = t + 10, .end = t + SIM_NS_S, .ret = 1, .args = {7}});
	end(&m, t + 2 * SIM_NS_S);
	ck_assert_uint_eq(count_calls(&m, "futex"), 0);
	ck_assert_uint_eq(count_calls(&m, "read"), 1);
	sim_fini(&m);
}
END_TEST

START_TEST(an_error_once)
{
	struct sim m;
	uint64_t t;

	sim_init(&m, DETAIL_AUTO);
	m.cfg.max_spans = 100;
	begin(&m);
	t = use_up(&m);
	for (int i = 0; i < 50; i++, t += 100) {
		sim_path(&m, 10, t, t + 10, "/root/a", O_RDONLY, -EACCES);
		sim_path(&m, 10, t + 20, t + 30, "/root/b", O_RDONLY, -EACCES);
		sim_path(&m, 10, t + 40, t + 50, "/root/a", O_RDONLY, -EMFILE);
		sim_path(&m, 10, t + 60, t + 70, "/no/such", O_RDONLY, -ENOENT);	/* ordinary */
	}
	end(&m, t);
	ck_assert_uint_eq(count_calls(&m, "openat"), 3);
	ck_assert_uint_eq(m.emitted[SPAN_SUMMARY], 3);
	for (unsigned n = 0; n < 3; n++) {
		const struct span *s = sim_find(&m, SPAN_SUMMARY, "openat", n);

		ck_assert_int_eq(s->status,
				 sim_int(s, SPAN_KEY_SYSCALL_ERRNO) == ENOENT ? SPAN_UNSET : SPAN_ERROR);
	}
	sim_fini(&m);
}
END_TEST

START_TEST(min_duration_is_notable)
{
	struct sim m;
	uint64_t t;

	sim_init(&m, DETAIL_AUTO);
	m.cfg.max_spans = 100;
	m.cfg.min_duration_ns = SIM_NS_S;
	begin(&m);
	t = use_up(&m);
	sim_plain(&m, 10, SIM_FUTEX, t, t + SIM_NS_S - 1, 0);
	sim_plain(&m, 10, SIM_FUTEX, t, t + SIM_NS_S, 0);
	end(&m, t + SIM_NS_S);
	ck_assert_uint_eq(count_calls(&m, "futex"), 1);
	sim_fini(&m);
}
END_TEST

START_TEST(summary_and_process_detail)
{
	for (int d = DETAIL_SUMMARY; d <= DETAIL_PROCESS; d++) {
		struct sim m;

		sim_init(&m, (enum span_detail)d);
		begin(&m);
		use_up(&m);
		sim_path(&m, 10, 90000, 90000 + SIM_NS_S, "/root/a", O_RDONLY, -EACCES);
		end(&m, 2 * SIM_NS_S);
		ck_assert_uint_eq(m.emitted[SPAN_CALL], 0);
		ck_assert_uint_eq(m.emitted[SPAN_SUMMARY], d == DETAIL_SUMMARY ? 2 : 0);
		ck_assert_uint_eq(m.emitted[SPAN_ROOT], 1);
		ck_assert_uint_eq(stats_of(&m).folded, 71);
		ck_assert_int_eq(sim_int(sim_span(&m, m.nspans - 1), SPAN_KEY_TRACER_CALLS), 71);
		sim_fini(&m);
	}
}
END_TEST

START_TEST(fold_interval_doubles)
{
	struct sim m;
	uint64_t s, n = 0, half = 0;

	sim_init(&m, DETAIL_AUTO);
	m.cfg.max_spans = 400;		/* 40 for the frame */
	begin(&m);
	span_builder_tick(m.b, 0);
	for (s = 1; s < 3500; s++) {
		sim_plain(&m, 10, SIM_GETPID, s * SIM_NS_S, s * SIM_NS_S + 10, 10);
		span_builder_tick(m.b, s * SIM_NS_S);
		n = m.emitted[SPAN_SUMMARY];
		half = s == 600 ? n : half;	/* singles go first */
		expect_sums(&m);
	}
	ck_assert_uint_ge(half, 10);
	ck_assert_uint_gt(n, half);		/* it goes on ... */
	ck_assert_uint_lt(n, 2 * half);		/* ... at a slower pace, */
	ck_assert_uint_le(n, 40);		/* within the share */
	end(&m, s * SIM_NS_S);
	ck_assert_uint_eq(stats_of(&m).traces, 1);
	sim_fini(&m);
}
END_TEST

START_TEST(a_new_trace_each_hour)
{
	struct sim m;

	sim_init(&m, DETAIL_AUTO);
	begin(&m);
	for (uint64_t s = 1; s < 3 * 3600; s += 10) {
		sim_plain(&m, 10, SIM_GETPID, s * SIM_NS_S, s * SIM_NS_S + 10, 10);
		span_builder_tick(m.b, s * SIM_NS_S);
	}
	end(&m, 3 * 3600 * (uint64_t)SIM_NS_S);
	ck_assert_uint_eq(stats_of(&m).traces, 3);
	sim_fini(&m);
}
END_TEST

/* Nothing begins before the process span that it hangs under, and a count is of something. */
static void check_processes(const struct sim *m)
{
	for (size_t i = 0; i < m->nspans; i++) {
		const struct span *p = sim_span(m, i);

		if (p->type != SPAN_PROCESS)
			continue;
		if (span_lookup(p, SPAN_KEY_AGG_SPAN_COUNT))
			ck_assert_int_gt(sim_int(p, SPAN_KEY_AGG_SPAN_COUNT), 0);
		for (size_t k = 0; k < m->nspans; k++)
			if (!memcmp(sim_span(m, k)->parent_id, p->span_id, 8))
				ck_assert_uint_ge(sim_span(m, k)->start_ns, p->start_ns);
	}
}

/* A build: thousands of short processes of a few programs. */
START_TEST(many_processes_fold_by_executable)
{
	static const char *const exes[] = { "/bin/cc", "/bin/as", "/bin/ld" };
	struct sim m;
	uint64_t t = 3000;
	const struct span *s;
	int64_t lives = 0;

	sim_init(&m, DETAIL_AUTO);
	begin(&m);
	for (int i = 0; i < 5000; i++) {
		int pid = 100 + i;

		sim_task(&m, t, pid, pid, 10, 0);
		sim_exec(&m, t + 100, pid, exes[i % 3], "x");
		sim_plain(&m, pid, SIM_EXECVE, t + 50, t + 150, 0);
		for (int k = 0; k < 8; k++)
			sim_plain(&m, pid, k % 5 ? SIM_GETPID : SIM_CLOSE, t + 200 + 20u * (unsigned)k,
				  t + 210 + 20u * (unsigned)k, 0);
		sim_exit(&m, t + 500, pid, pid, 0, 0);
		t += 1000;
		expect_sums(&m);
	}
	end(&m, t);
	ck_assert_uint_le(m.nspans, 10000);
	ck_assert_uint_le(stats_of(&m).bytes, 4u << 20);
	ck_assert_uint_eq(stats_of(&m).traces, 1);
	ck_assert_uint_gt(m.emitted[SPAN_PROCESS], 300);
	ck_assert_uint_lt(m.emitted[SPAN_PROCESS], 600);
	for (unsigned n = 0; (s = sim_find(&m, SPAN_PROCESS, "cc", n)); n++)
		if (span_lookup(s, SPAN_KEY_AGG_SPAN_COUNT))
			lives += sim_int(s, SPAN_KEY_AGG_SPAN_COUNT);
		else
			lives++;
	ck_assert_int_eq(lives, 5000 / 3 + 1);
	check_processes(&m);
	sim_fini(&m);
}
END_TEST

/* Processes with spans of their own, but no room for all their summaries. */
START_TEST(summaries_of_own_processes_are_shared)
{
	struct sim m;
	uint64_t t = 3000;
	const struct span *s;
	unsigned bare = 0;

	sim_init(&m, DETAIL_SUMMARY);
	begin(&m);
	for (int i = 0; i < 300; i++) {
		int pid = 100 + i;

		sim_task(&m, t, pid, pid, 10, 0);
		sim_exec(&m, t + 100, pid, i % 2 ? "/bin/cc" : "/bin/as", "x");
		for (int nr = 0; nr < 40; nr++)
			sim_plain(&m, pid, 100 + nr, t + 200 + 20u * (unsigned)nr,
				  t + 210 + 20u * (unsigned)nr, 0);
		t += 2000;
	}
	/* The youngest first: the oldest is not the one that opens the shared span. */
	for (int i = 299; i >= 0; i--, t += 10)
		sim_exit(&m, t, 100 + i, 100 + i, 0, 0);
	end(&m, t);
	check_processes(&m);
	for (unsigned k = 0; k < m.nspans; k++) {
		s = sim_span(&m, k);
		bare += s->type == SPAN_PROCESS && sim_int(s, SPAN_KEY_TRACER_CALLS) == 0;
	}
	ck_assert_uint_gt(bare, 0);
	sim_fini(&m);
}
END_TEST

/* With no budget to speak of the rest becomes one summary, and nothing is lost. */
START_TEST(tiny_budgets)
{
	for (uint64_t max = 1; max < 30; max++) {
		struct sim m;
		uint64_t t = 3000;

		sim_init(&m, DETAIL_AUTO);
		m.cfg.max_spans = max;
		begin(&m);
		for (int i = 0; i < 2000; i++, t += 100) {
			int nr = i % 60;

			if (nr != SIM_EXECVE)
				sim_plain(&m, 10, nr, t, t + 50, 0);
		}
		end(&m, t);
		ck_assert_uint_le(m.nspans, 3 * max + 8);
		sim_fini(&m);
	}
}
END_TEST

/* --- random programs --- */

#define TASKS 24

struct dice {
	unsigned long seed;
	struct { int tid, pid; bool used; } t[TASKS];
	uint64_t now;
	int next;
};

static unsigned roll(struct dice *d, unsigned n)
{
	return (unsigned)(unit_random(&d->seed) % n);
}

static void random_call(struct sim *m, struct dice *d, int tid)
{
	static const int nrs[] = {SIM_READ,   SIM_WRITE, SIM_CLOSE, SIM_GETPID, SIM_FUTEX, SIM_FSYNC,
				  SIM_OPENAT, 7,	 16,	    72,		100000};
	static const int errs[] = { ENOENT, EACCES, EINTR, EAGAIN, EIO, EBADF };
	int nr = nrs[roll(d, sizeof(nrs) / sizeof(nrs[0]))];
	uint64_t ns = roll(d, 50) ? roll(d, 3000) : (uint64_t)roll(d, 20000000);
	int64_t ret = roll(d, 4) ? (int64_t)roll(d, 8) : -errs[roll(d, 6)];
	char path[32];

	snprintf(path, sizeof(path), "/p%u%s", roll(d, 6), roll(d, 9) ? "" : "\xff");
	if (nr == SIM_OPENAT)
		sim_path(m, tid, d->now, d->now + ns, path, O_RDONLY, ret);
	else
		sim_call(m, &(struct sim_call){ .tid = tid, .nr = nr, .start = d->now, .end = d->now + ns, .ret = ret,
			.args = { roll(d, 8) }, .enter = roll(d, 500) == 0 });
	d->now += ns;
}

static void random_fork(struct sim *m, struct dice *d, unsigned from)
{
	for (unsigned i = 1; i < TASKS; i++) {
		if (d->t[i].used)
			continue;
		bool thread = roll(d, 2);

		d->t[i].used = true;
		d->t[i].tid = d->next++;
		d->t[i].pid = thread ? d->t[from].pid : d->t[i].tid;
		sim_task(m, d->now, d->t[i].tid, d->t[i].pid, d->t[from].tid, 0);
		return;
	}
}

static void random_exit(struct sim *m, struct dice *d, unsigned i)
{
	if (i == 0)
		return;
	sim_exit(m, d->now, d->t[i].tid, d->t[i].pid, roll(d, 2) ? 0 : 1 << 8, 0);
	d->t[i].used = false;
}

/* Another program: the other threads go, the leader's id stays. */
static void random_exec(struct sim *m, struct dice *d, unsigned i)
{
	static const char *const exes[] = { "/bin/a", "/usr/bin/b", "/c", "/opt/d\xff" };

	if (d->t[i].tid != d->t[i].pid)
		return;
	for (unsigned k = 0; k < TASKS; k++)
		if (k != i && d->t[k].used && d->t[k].pid == d->t[i].pid) {
			sim_exit(m, d->now, d->t[k].tid, d->t[k].pid, 0, TRACER_EVF_SUPERSEDED);
			d->t[k].used = false;
		}
	sim_exec(m, d->now + 5, d->t[i].tid, exes[roll(d, 4)], "x");
	sim_plain(m, d->t[i].tid, SIM_EXECVE, d->now, d->now + 10, 0);
	d->now += 10;
}

static void random_step(struct sim *m, struct dice *d)
{
	unsigned i = roll(d, TASKS), what = roll(d, 400);

	while (!d->t[i].used)
		i = (i + 1) % TASKS;
	if (what < 6)
		random_fork(m, d, i);
	else if (what < 10)
		random_exit(m, d, i);
	else if (what < 12)
		random_exec(m, d, i);
	else if (what < 13)
		span_builder_tick(m->b, d->now += SIM_NS_S);
	else
		random_call(m, d, d->t[i].tid);
	d->now += roll(d, 100);
}

static void random_run(unsigned long seed, enum span_detail detail)
{
	struct dice d = { .seed = seed * 77 + 1, .now = 5000, .next = 11, .t = { { 10, 10, true } } };
	struct span *taken[64];
	unsigned ntaken = 0, steps;
	struct sim m;

	sim_init(&m, detail);
	m.cfg.max_spans = detail == DETAIL_FULL ? 0 : 20 + roll(&d, 2000);
	m.cfg.max_trace_bytes = roll(&d, 2) ? 0 : 20000 + roll(&d, 400000);
	m.cfg.trace_split = roll(&d, 3) ? 0 : 50 + roll(&d, 500);
	m.cfg.fold_interval_ns = (1 + roll(&d, 10)) * (uint64_t)SIM_NS_S;
	m.cfg.min_duration_ns = roll(&d, 2) ? 0 : 5 * SIM_NS_MS;
	m.cfg.errors = (enum span_errors)roll(&d, 3);
	sim_start(&m, 16, 64 + roll(&d, 600));
	sim_task(&m, 1000, 10, 10, 0, TRACER_EVF_ROOT);
	sim_exec(&m, 2000, 10, "/bin/sh", "sh");
	steps = 1000 + roll(&d, 5000);
	for (unsigned i = 0; i < steps; i++) {
		/* Now and then the pool is short of spans, as with a slow exporter. */
		if (roll(&d, 300) == 0)
			while (ntaken < 64 && (taken[ntaken] = span_pool_get(m.pool)))
				ntaken++;
		else if (roll(&d, 100) == 0)
			while (ntaken)
				span_pool_put(m.pool, taken[--ntaken]);
		random_step(&m, &d);
		expect_sums(&m);
	}
	while (ntaken)
		span_pool_put(m.pool, taken[--ntaken]);
	sim_exit(&m, d.now, 10, 10, 0, 0);
	sim_finish(&m, d.now + 1);
	expect_sums(&m);
	ck_assert_int_eq(sim_span(&m, m.nspans - 1)->type, SPAN_ROOT);
	expect_end(&m);
	sim_fini(&m);
}

START_TEST(random_auto)
{
	for (unsigned long seed = 1; seed <= 60; seed++)
		random_run(seed, DETAIL_AUTO);
}
END_TEST

START_TEST(random_other_details)
{
	for (unsigned long seed = 1; seed <= 15; seed++) {
		random_run(seed, DETAIL_FULL);
		random_run(seed, DETAIL_SUMMARY);
		random_run(seed, DETAIL_PROCESS);
	}
}
END_TEST

/* Given up in mid-run: all spans go back. */
START_TEST(free_without_finish)
{
	uint64_t held = 0;

	for (unsigned long seed = 1; seed <= 10; seed++) {
		struct dice d = { .seed = seed, .now = 5000, .next = 11, .t = { { 10, 10, true } } };
		struct span_pool_stats st;
		struct sim m;

		sim_init(&m, DETAIL_AUTO);
		m.cfg.max_spans = 200;
		begin(&m);
		for (int i = 0; i < 300; i++)
			random_step(&m, &d);
		held += stats_of(&m).held;
		span_builder_free(m.b);
		m.b = NULL;
		span_pool_stats(m.pool, &st);
		ck_assert_uint_eq(st.in_use, 0);
		sim_fini(&m);
	}
	ck_assert_uint_gt(held, 0);	/* or nothing was tried */
}
END_TEST

int main(void)
{
	return unit_run("span_fold", (const TTest *const[]){ auto_within_budget_is_full, auto_folds_what_is_too_much,
		bytes_limit_too, slowest_survive, waiting_is_not_slow, an_error_once, min_duration_is_notable,
		summary_and_process_detail, fold_interval_doubles, a_new_trace_each_hour,
		many_processes_fold_by_executable, summaries_of_own_processes_are_shared,
		tiny_budgets, random_auto, random_other_details, free_without_finish,
		NULL });
}
