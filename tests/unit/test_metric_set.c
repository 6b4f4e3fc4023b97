/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metric series against plain counting; the limits of series and executables;
 * the explicit buckets.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <tracer/event.h>

#include "stats/group.h"
#include "stats/metric_set.h"
#include "syscalls/syscalls.h"
#include "unit.h"

static struct metric_set *open_set(uint32_t max, bool explicit_buckets)
{
	struct metric_set_config cfg = { .max_series = max, .explicit_buckets = explicit_buckets, .program = "/opt/first" };
	struct metric_set *m;

	ck_assert_int_eq(metric_set_new(&m, &cfg), 0);
	return m;
}

static struct image image_of(uint32_t id, char *exe)
{
	return (struct image){
	    .id = id, .exe = exe, .exe_len = exe ? (uint32_t)strlen(exe) : 0, .comm = "comm"};
}

static void call_abi(struct metric_set *m, const struct image *img, int abi, int nr, int64_t ret, uint64_t ns)
{
	struct tracer_ev_call ev = { .head = { .kind = TRACER_EV_CALL, .abi = (uint8_t)abi, .nr = nr }, .ret = ret };

	if (ret < 0)
		ev.head.flags |= TRACER_EVF_ERROR;
	metric_set_call(m, img, &ev, ns);
}

static void call(struct metric_set *m, const struct image *img, const char *name, int64_t ret, uint64_t ns)
{
	call_abi(m, img, TRACER_ABI_X86_64, syscall_number(TRACER_ABI_X86_64, name), ret, ns);
}

static const struct metric_series *find(const struct metric_set *m, const char *exec, const char *name,
					int err)
{
	const struct metric_series *s;
	char buf[24];
	uint32_t pos = 0;

	while ((s = metric_set_next(m, &pos)))
		if (s->exec != METRIC_EXECS_MAX && !strcmp(metric_set_exec(m, s->exec)->name, exec) &&
		    !strcmp(metric_call_name(s->call, buf), name) && s->err == err)
			return s;
	return NULL;
}

static const struct metric_series *overflow(const struct metric_set *m)
{
	const struct metric_series *s;
	uint32_t pos = 0;

	while ((s = metric_set_next(m, &pos)))
		if (s->exec == METRIC_EXECS_MAX)
			return s;
	return NULL;
}

START_TEST(series_are_by_executable_call_and_outcome)
{
	struct metric_set *m = open_set(0, false);
	struct image ls = image_of(1, "/bin/ls"), cat = image_of(2, "/usr/bin/cat");

	call(m, &ls, "openat", 3, 1000);
	call(m, &ls, "openat", 4, 3000);
	call(m, &ls, "openat", -2, 500);
	call(m, &cat, "openat", 3, 7);
	ck_assert_uint_eq(find(m, "ls", "openat", 0)->durations.exp.count, 2);
	ck_assert_uint_eq(find(m, "ls", "openat", 0)->durations.exp.sum, 4000);
	ck_assert_uint_eq(find(m, "ls", "openat", 2)->durations.exp.count, 1);
	ck_assert_uint_eq(find(m, "cat", "openat", 0)->durations.exp.max, 7);
	ck_assert_ptr_null(find(m, "cat", "openat", 2));
	ck_assert_ptr_null(overflow(m));
	metric_set_free(m);
}
END_TEST

START_TEST(bytes_have_a_direction)
{
	struct metric_set *m = open_set(0, false);
	struct image img = image_of(1, "/bin/ls");

	call(m, &img, "read", 100, 1);
	call(m, &img, "read", 0, 1);
	call(m, &img, "read", -11, 1);
	call(m, &img, "recvfrom", 5, 1);
	call(m, &img, "write", 7, 1);
	call(m, &img, "openat", 9, 1);
	ck_assert_uint_eq(find(m, "ls", "read", 0)->bytes, 100);
	ck_assert(!find(m, "ls", "read", 0)->write);
	ck_assert_uint_eq(find(m, "ls", "read", 11)->bytes, 0);
	ck_assert(!find(m, "ls", "recvfrom", 0)->write);
	ck_assert(find(m, "ls", "write", 0)->write);
	ck_assert_uint_eq(find(m, "ls", "write", 0)->bytes, 7);
	ck_assert_uint_eq(find(m, "ls", "openat", 0)->bytes, 0);
	metric_set_free(m);
}
END_TEST

/* The same call in two ABIs is one series: attributes must be unique. */
START_TEST(abis_share_a_name)
{
	struct metric_set *m = open_set(0, false);
	struct image img = image_of(1, "/bin/ls");
	uint32_t pos = 0, n = 0;

	call_abi(m, &img, TRACER_ABI_X86_64, syscall_number(TRACER_ABI_X86_64, "close"), 0, 1);
	call_abi(m, &img, TRACER_ABI_I386, syscall_number(TRACER_ABI_I386, "close"), 0, 1);
	call_abi(m, &img, TRACER_ABI_X86_64, 0x1fff, -38, 1);
	call_abi(m, &img, TRACER_ABI_I386, 0x1fff, -38, 1);
	while (metric_set_next(m, &pos))
		n++;
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(find(m, "ls", "close", 0)->durations.exp.count, 2);
	ck_assert_uint_eq(find(m, "ls", "syscall_0x1fff", 38)->durations.exp.count, 2);
	metric_set_free(m);
}
END_TEST

START_TEST(unfinished_calls_have_no_duration)
{
	struct metric_set *m = open_set(0, false);
	struct image img = image_of(1, "/bin/ls");
	struct tracer_ev_call ev = { .head = { .kind = TRACER_EV_ENTER,
					       .nr = syscall_number(TRACER_ABI_X86_64, "exit_group") } };

	metric_set_call(m, &img, &ev, 0);
	ck_assert_uint_eq(find(m, "ls", "exit_group", 0)->unfinished, 1);
	ck_assert_uint_eq(find(m, "ls", "exit_group", 0)->durations.exp.count, 0);
	metric_set_free(m);
}
END_TEST

START_TEST(images_without_a_path)
{
	struct metric_set *m = open_set(0, false);
	struct image root = image_of(1, NULL), other = image_of(2, NULL);

	root.root = true;
	call(m, &root, "close", 0, 1);
	call(m, &other, "close", 0, 1);
	ck_assert_ptr_nonnull(find(m, "first", "close", 0));
	ck_assert_ptr_nonnull(find(m, "comm", "close", 0));
	other.exe = "/bin/now";		/* its path came later */
	other.exe_len = 8;
	call(m, &other, "close", 0, 1);
	ck_assert_ptr_nonnull(find(m, "now", "close", 0));
	metric_set_free(m);
}
END_TEST

/* Random calls: every series has exactly what was counted beside it, whatever
 * the order in which tables grew. */
START_TEST(random_calls)
{
	static uint64_t counts[20][300][4], sums[20][300][4];
	struct metric_set *m = open_set(100000, _i);
	unsigned long seed = 5;
	const struct metric_series *s;
	uint64_t total = 0;
	uint32_t pos = 0;
	static char paths[20][16];

	memset(counts, 0, sizeof(counts));
	memset(sums, 0, sizeof(sums));
	for (unsigned i = 0; i < 100000; i++) {
		unsigned x = unit_random(&seed) % 20, nr = unit_random(&seed) % 300,
			 err = unit_random(&seed) % 4;
		uint64_t ns = unit_random(&seed) % 1000000;
		struct image img = image_of(x + 1 + 256 * (i % 3), paths[x]);

		snprintf(paths[x], sizeof(paths[x]), "/bin/p%u", x);
		img = image_of(x + 1 + 256 * (i % 3), paths[x]);
		call_abi(m, &img, TRACER_ABI_X86_64, (int)nr, err ? -(int64_t)err : 1, ns);
		counts[x][nr][err]++;
		sums[x][nr][err] += ns;
	}
	while ((s = metric_set_next(m, &pos))) {
		unsigned x = (unsigned)atoi(metric_set_exec(m, s->exec)->name + 1);
		char buf[24];
		int nr = syscall_number(TRACER_ABI_X86_64, metric_call_name(s->call, buf));

		ck_assert_int_ge(nr, 0);
		ck_assert_uint_eq(metric_series_count(m, s), counts[x][nr][s->err]);
		ck_assert_uint_eq(_i ? s->durations.explicit.sum : s->durations.exp.sum, sums[x][nr][s->err]);
		total += counts[x][nr][s->err];
	}
	ck_assert_uint_eq(total, 100000);
	metric_set_free(m);
}
END_TEST

START_TEST(too_many_series)
{
	struct metric_set *m = open_set(3, false);
	struct image img = image_of(1, "/bin/ls");
	struct metric_set_stats st;

	call(m, &img, "read", 10, 1);
	call(m, &img, "write", 10, 1);
	call(m, &img, "close", 0, 1);
	ck_assert_ptr_null(overflow(m));
	call(m, &img, "openat", 3, 50);
	call(m, &img, "lseek", 3, 60);
	call(m, &img, "close", 0, 1);
	ck_assert_uint_eq(overflow(m)->durations.exp.count, 2);
	ck_assert_uint_eq(overflow(m)->durations.exp.sum, 110);
	ck_assert_uint_eq(find(m, "ls", "close", 0)->durations.exp.count, 2);
	metric_set_stats(m, &st);
	ck_assert_uint_eq(st.overflowed, 2);
	ck_assert_uint_eq(st.calls, 6);
	ck_assert_uint_eq(st.series, 3);
	/* With delta temporality the next interval has places again. */
	metric_set_reset_calls(m);
	ck_assert_ptr_null(find(m, "ls", "close", 0));
	call(m, &img, "lseek", 3, 60);
	ck_assert_uint_eq(find(m, "ls", "lseek", 0)->durations.exp.count, 1);
	ck_assert_ptr_null(overflow(m));
	metric_set_free(m);
}
END_TEST

START_TEST(too_many_executables)
{
	struct metric_set *m = open_set(100000, false);
	static char path[32];

	for (uint32_t i = 0; i < METRIC_EXECS_MAX + 5; i++) {
		struct image img;

		snprintf(path, sizeof(path), "/bin/p%u", i);
		img = image_of(i + 1, path);
		call(m, &img, "close", 0, 10);
	}
	ck_assert_uint_eq(metric_set_execs(m), METRIC_EXECS_MAX);
	ck_assert_uint_eq(overflow(m)->durations.exp.count, 5);
	metric_set_free(m);
}
END_TEST

START_TEST(usage_of_processes)
{
	struct metric_set *m = open_set(0, false);
	struct image img = image_of(1, "/bin/ls");
	struct tracer_ev_exit ev = { .head = { .tid = 7 }, .pid = 7, .utime_us = 10, .stime_us = 20, .maxrss_kib = 3,
				     .minflt = 5, .majflt = 1, .nvcsw = 2, .nivcsw = 4 };
	const struct metric_usage *u = &metric_set_exec(m, 0)->usage;

	metric_set_exit(m, &img, &ev);
	ev.maxrss_kib = 2;
	metric_set_exit(m, &img, &ev);
	ev.head.tid = 8;			/* a thread's end */
	metric_set_exit(m, &img, &ev);
	ev.head.tid = 7;
	ev.head.flags = TRACER_EVF_DETACHED;
	metric_set_exit(m, &img, &ev);
	ck_assert_uint_eq(u->processes, 2);
	ck_assert_uint_eq(u->utime_us, 20);
	ck_assert_uint_eq(u->stime_us, 40);
	ck_assert_uint_eq(u->minflt + u->majflt + u->nvcsw + u->nivcsw, 24);
	ck_assert_uint_eq(u->maxrss_bytes, 3 * 1024);
	metric_set_reset_usage(m);
	ck_assert_uint_eq(u->processes + u->utime_us, 0);
	ck_assert_uint_eq(u->maxrss_bytes, 3 * 1024);
	metric_set_free(m);
}
END_TEST

START_TEST(explicit_bounds)
{
	struct metric_set *m = open_set(0, true);
	struct image img = image_of(1, "/bin/ls");
	const struct explicit_histogram *h;

	for (unsigned i = 0; i < GROUP_BOUNDS; i++) {
		call(m, &img, "close", 0, group_bounds_ns[i]);
		call(m, &img, "close", 0, group_bounds_ns[i] + 1);
	}
	h = &find(m, "ls", "close", 0)->durations.explicit;
	ck_assert_uint_eq(h->buckets[0], 1);	/* a bound belongs to the bucket below it */
	for (unsigned i = 1; i < GROUP_BOUNDS; i++)
		ck_assert_uint_eq(h->buckets[i], 2);
	ck_assert_uint_eq(h->buckets[GROUP_BOUNDS], 1);
	ck_assert_uint_eq(h->min, group_bounds_ns[0]);
	ck_assert_uint_eq(h->max, group_bounds_ns[GROUP_BOUNDS - 1] + 1);
	metric_set_free(m);
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ series_are_by_executable_call_and_outcome, 0 }, { bytes_have_a_direction, 0 },
		{ abis_share_a_name, 0 }, { unfinished_calls_have_no_duration, 0 },
		{ images_without_a_path, 0 }, { random_calls, 2 }, { too_many_series, 0 },
		{ too_many_executables, 0 }, { usage_of_processes, 0 }, { explicit_bounds, 0 },
		{ NULL, 0 }
	};

	return unit_run_cases("metric_set", NULL, NULL, cases);
}
