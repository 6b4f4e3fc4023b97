/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of the engines without a tracee: registry, seccomp filter (run by a
 * small interpreter of classic BPF), emitter with its backlog.
 */
#include "config.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <tracer/error.h>
#include "engine/emitter.h"
#include "engine/engine.h"
#include "engine/seccomp_filter.h"
#include "unit.h"

START_TEST(registry)
{
	struct engine_config cfg = { .argv = NULL };
	const struct engine_ops *ops = NULL;
	char why[256] = "";

	ck_assert_str_eq(engine_lookup("ptrace")->name, "ptrace");
	ck_assert_ptr_null(engine_lookup("ptrac"));
	ck_assert_ptr_null(engine_lookup("ptraces"));
	ck_assert_int_eq(engine_choose("nosuch", &cfg, &ops, why, sizeof(why)), -TRACER_ERR_USAGE);
	ck_assert_ptr_nonnull(strstr(why, "'nosuch'"));
	ck_assert_ptr_nonnull(strstr(why, "ptrace"));
	/* it has no variants */
	ck_assert_int_eq(engine_choose("ptrace:x", &cfg, &ops, why, sizeof(why)), -TRACER_ERR_USAGE);
	ck_assert_str_eq(cfg.variant, "x");
	ck_assert_ptr_nonnull(strstr(why, "'x'"));
	cfg.variant = NULL;
	ck_assert_int_eq(engine_choose("ptrace", &cfg, &ops, why, sizeof(why)), 0);
	ck_assert_str_eq(ops->name, "ptrace");
	for (int i = 0; i < ENGINE_STATS; i++)
		ck_assert_ptr_nonnull(engine_stat_names[i]);
	/* a running program is not changed unless that was asked for */
	cfg = (struct engine_config){ .follow = true, .ring_size = 1u << 20 };
	ck_assert_int_eq(engine_choose("auto", &cfg, &ops, why, sizeof(why)), 0);
	ck_assert_str_eq(ops->name, "ptrace");
	/* another user's program */
	cfg = (struct engine_config){ .argv = (char *[]){ NULL }, .follow = true, .run_as = true,
				      .run_uid = geteuid() + 1, .run_gid = getegid() };
	ck_assert_int_eq(engine_choose("inproc", &cfg, &ops, why, sizeof(why)), -TRACER_ERR_ENGINE);
	ck_assert_ptr_nonnull(strstr(why, "(-u)"));
	cfg.run_uid = geteuid();
	why[0] = '\0';
	engine_choose("inproc", &cfg, &ops, why, sizeof(why));
	ck_assert_ptr_null(strstr(why, "(-u)"));
}
END_TEST

/* ---- seccomp filter ---- */

static uint32_t filter_run_arg(const struct seccomp_filter *f, uint32_t arch, uint32_t nr, unsigned arg, uint64_t value)
{
	struct seccomp_data data = { .nr = (int)nr, .arch = arch };
	uint32_t a = 0, pc = 0;

	data.args[arg] = value;
	for (unsigned steps = 0; steps < BPF_MAXINSNS; steps++) {
		const struct sock_filter *i = &f->insns[pc++];

		ck_assert_uint_lt(pc, f->count + 1);
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (uint8_t *)&data + i->k, sizeof(a));
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			ck_abort_msg("instruction %#x", i->code);
		}
	}
	ck_abort_msg("the filter does not end");
	return 0;
}

static uint32_t filter_run(const struct seccomp_filter *f, uint32_t arch, uint32_t nr)
{
	return filter_run_arg(f, arch, nr, 0, 0);
}

static unsigned long density;

static bool wanted(int abi, int nr)
{
	unsigned long h = ((unsigned long)nr + (unsigned long)abi * 7919 + 1) * 0x9e3779b97f4a7c15ul;

	return (h >> 40) % 100 < density;
}

static const struct seccomp_rule *rule(void *ctx, int abi, int nr)
{
	(void)ctx;
	return wanted(abi, nr) ? &seccomp_stop : &seccomp_pass;
}

START_TEST(filters)
{
	static const unsigned long densities[] = { 0, 1, 10, 50, 90, 100 };

	for (unsigned d = 0; d < sizeof(densities) / sizeof(densities[0]); d++) {
		struct seccomp_filter f;

		density = densities[d];
		ck_assert_int_eq(seccomp_filter_init(&f, rule, NULL), 0);
		ck_assert_uint_le(f.count, BPF_MAXINSNS);
		for (uint32_t nr = 0; nr < 1024; nr++) {
			ck_assert_uint_eq(filter_run(&f, AUDIT_ARCH_X86_64, nr),
					  wanted(0, (int)nr) ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW);
			ck_assert_uint_eq(filter_run(&f, AUDIT_ARCH_I386, nr),
					  wanted(1, (int)nr) ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW);
		}
		/* what is in no table stops: x32, numbers to come, other architectures */
		ck_assert_uint_eq(filter_run(&f, AUDIT_ARCH_X86_64, 1024), SECCOMP_RET_TRACE);
		ck_assert_uint_eq(filter_run(&f, AUDIT_ARCH_X86_64, 0x40000001), SECCOMP_RET_TRACE);
		ck_assert_uint_eq(filter_run(&f, AUDIT_ARCH_X86_64, UINT32_MAX), SECCOMP_RET_TRACE);
		ck_assert_uint_eq(filter_run(&f, AUDIT_ARCH_AARCH64, 1), SECCOMP_RET_TRACE);
		seccomp_filter_fini(&f);
	}
}
END_TEST

static const struct seccomp_rule one_of = {
	.verdict = SECCOMP_STOP_IF, .arg = 1, .nvalues = 3, .values = { 0, 2, 1030 },
};
static const struct seccomp_rule any_bit = {
	.verdict = SECCOMP_STOP_IF, .arg = 2, .nvalues = 1, .bits = true, .values = { 4 },
};

/* 72 and 73 by their second argument, 9 by a bit of its third, 10 always. */
static const struct seccomp_rule *conditional_rule(void *ctx, int abi, int nr)
{
	(void)ctx;
	(void)abi;
	if (nr == 72 || nr == 73)
		return &one_of;
	if (nr == 9)
		return &any_bit;
	return nr == 10 ? &seccomp_stop : &seccomp_pass;
}

START_TEST(filter_by_argument)
{
	struct seccomp_filter f;

	ck_assert_int_eq(seccomp_filter_init(&f, conditional_rule, NULL), 0);
	for (uint64_t v = 0; v < 2048; v++) {
		bool among = v == 0 || v == 2 || v == 1030;

		ck_assert_uint_eq(filter_run_arg(&f, AUDIT_ARCH_X86_64, 72, 1, v),
				  among ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW);
		ck_assert_uint_eq(filter_run_arg(&f, AUDIT_ARCH_I386, 73, 1, v),
				  among ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW);
		ck_assert_uint_eq(filter_run_arg(&f, AUDIT_ARCH_X86_64, 9, 2, v),
				  v & 4 ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW);
		ck_assert_uint_eq(filter_run_arg(&f, AUDIT_ARCH_X86_64, 10, 1, v), SECCOMP_RET_TRACE);
		ck_assert_uint_eq(filter_run_arg(&f, AUDIT_ARCH_X86_64, 11, 1, v), SECCOMP_RET_ALLOW);
	}
	/* the low word decides, as in the kernel */
	ck_assert_uint_eq(filter_run_arg(&f, AUDIT_ARCH_X86_64, 72, 1, 0xdead00000002), SECCOMP_RET_TRACE);
	/* another argument is another matter */
	ck_assert_uint_eq(filter_run_arg(&f, AUDIT_ARCH_X86_64, 9, 1, 4), SECCOMP_RET_ALLOW);
	seccomp_filter_fini(&f);
}
END_TEST

/* ---- emitter ---- */

static struct ring_set *rings;
static struct emitter out;
static uint64_t told_lost;

static void emitter_begin(bool drop)
{
	ck_assert_int_eq(ring_set_new(&rings, 4), 0);
	ck_assert_int_eq(emitter_init(&out, rings, 4096 * 16, TRACER_CLOCK_MONOTONIC, drop), 0);
}

static void exit_write(int tid)
{
	struct tracer_ev_exit *ev = (struct tracer_ev_exit *)emitter_event(&out, TRACER_EV_EXIT, tid, sizeof(*ev));

	ev->pid = tid;
	emitter_write(&out, &ev->head);
}

/* Takes up to n records; their tids must go on from *next. */
static unsigned take(unsigned n, int *next)
{
	const struct tracer_event *ev;
	unsigned got = 0;

	while (got < n && (ev = ring_set_next(rings))) {
		if (ev->kind == TRACER_EV_EXIT)
			ck_assert_int_eq(ev->tid, (*next)++);
		else
			told_lost += ((const struct tracer_ev_lost *)ev)->count;
		ring_set_consume(rings);
		got++;
	}
	return got;
}

START_TEST(backlog_keeps_order)
{
	enum { N = 5000 };
	int next = 1;

	emitter_begin(false);
	for (int i = 1; i <= N; i++)
		exit_write(i);
	/* far more than the ring holds, and nobody was made to wait */
	ck_assert_uint_gt(out.len, out.at);
	ck_assert_ptr_null(emitter_reserve(&out, 64));
	while (next <= N) {
		ck_assert_uint_gt(take(100, &next), 0);
		if (emitter_check_room(&out))
			emitter_flush(&out);
	}
	ck_assert(emitter_flush(&out));
	ck_assert_uint_eq(out.lost_total, 0);
	ck_assert_ptr_nonnull(emitter_reserve(&out, 64));
	emitter_fini(&out);
	ring_set_finish(rings);
	ring_set_free(rings);
}
END_TEST

START_TEST(backlog_has_a_limit)
{
	unsigned n = EMITTER_BACKLOG_MAX / sizeof(struct tracer_ev_exit) + 5000, kept;
	int next = 1;

	emitter_begin(false);
	for (unsigned i = 1; i <= n; i++)
		exit_write((int)i);
	ck_assert_uint_gt(out.lost_total, 0);
	kept = n - (unsigned)out.lost_total;
	while (next <= (int)kept) {
		ck_assert_uint_gt(take(100, &next), 0);
		emitter_flush(&out);
	}
	/* the loss is told behind what was kept */
	ck_assert(emitter_flush(&out));
	take(UINT32_MAX, &next);
	ck_assert_uint_eq(told_lost + kept, n);
	emitter_fini(&out);
	ring_set_finish(rings);
	ring_set_free(rings);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { registry, filters, filter_by_argument, backlog_keeps_order, backlog_has_a_limit, NULL };

	return unit_run("engine", tests);
}
