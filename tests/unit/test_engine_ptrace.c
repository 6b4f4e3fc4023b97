/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ptrace engine on fixtures: what the program did against what was
 * recorded.  Skipped (77) where ptrace is forbidden.
 */
#include "config.h"
#include "base/clock.h"
#include "engine/supervisor.h"
#include "engine_target.h"
#include "syscalls/syscalls.h"
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tracer/error.h>

static struct engine_run r;

static void setup(void)
{
	engine_run_init(&r);
}

static void teardown(void)
{
	engine_run_fini(&r);
}

#define RUN(...) engine_run_program(&r, (char *const[]){ __VA_ARGS__, NULL })

static void run_ok(void)
{
	ck_assert_msg(r.err == 0, "engine: %d\n%s", r.err, r.log);
	ck_assert(r.result.have_status);
	engine_run_check(&r);
}

/* ---- ends ---- */

START_TEST(exit_codes)
{
	char code[8];

	for (int i = 0; i < 256; i++) {
		engine_run_init(&r);
		snprintf(code, sizeof(code), "%d", i);
		RUN("fx_end", "exit", code);
		run_ok();
		ck_assert(WIFEXITED(r.result.status));
		ck_assert_int_eq(WEXITSTATUS(r.result.status), i);
		ck_assert_uint_eq(engine_run_enters(&r, "exit_group"), 1);
		ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_EXIT), 1);
		engine_run_fini(&r);
	}
}
END_TEST

START_TEST(fatal_signals)
{
	char number[8];

	for (int sig = 1; sig <= 64; sig++) {
		if (sig == 32 || sig == 33 || sig == SIGCHLD || sig == SIGCONT || sig == SIGURG || sig == SIGWINCH || sig == SIGSTOP ||
		    sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
			continue;
		engine_run_init(&r);
		snprintf(number, sizeof(number), "%d", sig);
		RUN("fx_end", "signal", number);
		run_ok();
		ck_assert_msg(WIFSIGNALED(r.result.status), "signal %d: status %#x", sig, r.result.status);
		ck_assert_int_eq(WTERMSIG(r.result.status), sig);
		/* SIGKILL makes no stop */
		ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_SIGNAL), sig == SIGKILL ? 0 : 1);
		engine_run_fini(&r);
	}
}
END_TEST

START_TEST(ignored_signals_do_not_kill)
{
	RUN("fx_end", "signal", "17");
	run_ok();
	ck_assert(WIFEXITED(r.result.status));
	ck_assert_int_eq(WEXITSTATUS(r.result.status), 98);
}
END_TEST

START_TEST(start_errors)
{
	RUN("/nonexistent/program");
	ck_assert_int_eq(r.err, -TRACER_ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(r.log, "/nonexistent/program"));
	ck_assert_uint_eq(r.count, 0);
	engine_run_fini(&r);
	engine_run_init(&r);
	RUN("/etc/passwd");
	ck_assert_int_eq(r.err, -TRACER_ERR_NOEXEC);
	ck_assert_uint_eq(r.count, 0);
}
END_TEST

/* ---- first records ---- */

START_TEST(root_records)
{
	const struct tracer_event *ev = engine_run_next(&r, NULL);
	const struct tracer_ev_exec *exec;
	const struct tracer_ev_call *call;
	unsigned fds = 0;

	RUN("fx_end", "exit", "0");
	run_ok();
	ev = engine_run_next(&r, NULL);
	ck_assert_int_eq(ev->kind, TRACER_EV_TASK);
	ck_assert(ev->flags & TRACER_EVF_ROOT);
	ck_assert_int_eq(ev->tid, r.result.root);
	ck_assert_int_eq(((const struct tracer_ev_task *)ev)->ppid, getpid());
	ev = engine_run_next(&r, ev);
	ck_assert_int_eq(ev->kind, TRACER_EV_EXEC);
	exec = (const struct tracer_ev_exec *)ev;
	ck_assert_int_eq(exec->former_tid, r.result.root);
	ck_assert_int_eq(exec->argc, 3);
	ck_assert_mem_eq(exec->text + exec->exe_len, "fx_end\0exit\0000", 14);
	ck_assert_int_eq(exec->elf_class, 2);
	ck_assert_int_eq(exec->dumpable, 1);
	ck_assert_str_eq(exec->comm, "fx_end");
	ev = engine_run_next(&r, ev);
	ck_assert_int_eq(ev->kind, TRACER_EV_CWD);
	while ((ev = engine_run_next(&r, ev)) && ev->kind == TRACER_EV_FD)
		fds++;
	ck_assert_uint_ge(fds, 3);
	/* the first call is the execve that succeeded, with what it was given */
	ck_assert_int_eq(ev->kind, TRACER_EV_CALL);
	call = engine_run_call(&r, "execve");
	ck_assert_ptr_eq(call, ev);
	ck_assert_int_eq(call->ret, 0);
	ck_assert_int_eq(engine_run_piece(call, 1, 0)->len, 14);
	ck_assert_mem_eq(engine_run_piece(call, 1, 0)->bytes, "fx_end\0exit\0000", 14);
}
END_TEST

struct engine {
	struct supervisor sup;
};

static uint64_t exec_seen;

static void exec_note(struct supervisor *s, struct sup_task *t)
{
	(void)t;
	exec_seen = clock_ticks(s->out.clock);
}

static void exec_note_told(struct supervisor *s, struct sup_task *t)
{
	exec_note(s, t);
	sup_event_engine(s, t, "something");
}

static const struct sup_hooks exec_hooks = { .on_exec = exec_note }, exec_told_hooks = { .on_exec = exec_note_told };
static const struct sup_hooks *hooks;

static int hooked_open(const struct engine_config *cfg, struct engine **out)
{
	struct engine *e = calloc(1, sizeof(*e));
	int rc = e ? sup_init(&e->sup, cfg, hooks) : -ENOMEM;

	if (rc == 0)
		*out = e;
	else
		free(e);
	return rc;
}

/* What a larger engine does at the exec is not the program's time: the execve has ended before.  The twin: who
 * tells of something there makes it end after that, since nothing may be told out of order. */
START_TEST(exec_end)
{
	struct engine_ops ops = *engine_lookup("ptrace");
	const struct tracer_ev_call *call;

	hooks = _i ? &exec_told_hooks : &exec_hooks;
	ops.open = hooked_open;
	r.ops = &ops;
	RUN("fx_end", "exit", "0");
	run_ok();
	call = engine_run_call(&r, "execve");
	ck_assert_ptr_nonnull(call);
	ck_assert_uint_ge(call->head.time, call->start);
	ck_assert_int_eq(call->head.time > exec_seen, _i);
}
END_TEST

/* Where nobody asks for names all births and execs are told, and nothing of /proc is read for them: the twin of
 * the test before. */
START_TEST(counts_only)
{
	const struct tracer_event *ev = NULL;
	const struct tracer_ev_exec *exec;

	r.cfg.counts_only = true;
	RUN("fx_births");
	run_ok();
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 8);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_TASK), 10);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_EXEC), 2);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_EXIT), 10);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_FD), 0);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_CWD), 0);
	while ((ev = engine_run_next(&r, ev)) && ev->kind != TRACER_EV_EXEC)
		;
	exec = (const struct tracer_ev_exec *)ev;
	ck_assert_int_eq(exec->former_tid, r.result.root);
	ck_assert_int_eq(exec->dumpable, 1);
	ck_assert_uint_eq(exec->exe_len + exec->argv_len + exec->argc, 0);
	ck_assert_uint_eq(r.stats[ENGINE_STAT_ELF_READ], 0);
}
END_TEST

/* Where nobody asks for arguments either, a record is a number, two times, a result and a place. */
START_TEST(results_only)
{
	const struct tracer_ev_call *c;

	r.cfg.counts_only = r.cfg.results_only = true;
	RUN("/bin/sh", "-c", "cd /; exec /bin/true");
	run_ok();
	c = engine_run_call(&r, "chdir");
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->nargs + c->ncaptures, 0);
	ck_assert_uint_eq(c->head.size, offsetof(struct tracer_ev_call, args));
	ck_assert_uint_ge(c->head.time, c->start);
	ck_assert_uint_eq(engine_run_calls(&r, -1, "execve"), 2);
	ck_assert_uint_ge(engine_run_calls(&r, -1, "openat"), 2);
}
END_TEST

START_TEST(captures)
{
	const struct tracer_ev_call *c;
	const struct tracer_capture *p;

	RUN("/bin/sh", "-c", "echo 0123456789012345678901234567890123456789; cd /; : </nonexistent/a/path");
	run_ok();
	c = engine_run_call(&r, "chdir");
	ck_assert_ptr_nonnull(c);
	p = engine_run_piece(c, 0, 0);
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(p->flags, TRACER_CAP_IN);
	ck_assert_int_eq(p->len, 1);
	ck_assert_int_eq(p->bytes[0], '/');
	c = engine_run_call(&r, "write");
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->ret, 41);
	p = engine_run_piece(c, 1, 0);
	ck_assert_int_eq(p->len, 32);
	ck_assert_int_eq(p->flags, TRACER_CAP_IN | TRACER_CAP_TRUNCATED);
	ck_assert_mem_eq(p->bytes, "0123456789", 10);
}
END_TEST

START_TEST(bad_pointers)
{
	const struct tracer_ev_call *c = NULL;
	const struct tracer_event *ev = NULL;
	unsigned faults = 0;

	RUN("fx_badptr");
	run_ok();
	ck_assert_ptr_nonnull(strstr(r.out, "open of 1: -1 errno 14\n"));
	ck_assert_ptr_nonnull(strstr(r.out, "open at the end of a page: 0"));
	ck_assert_ptr_nonnull(strstr(r.out, "recvmsg of bad: -1"));
	while ((ev = engine_run_next(&r, ev))) {
		if (ev->kind != TRACER_EV_CALL || ev->nr != syscall_number(0, "open"))
			continue;
		c = (const struct tracer_ev_call *)ev;
		for (unsigned i = 0; i < c->ncaptures; i++)
			faults += (event_capture(c, i)->flags & TRACER_CAP_FAULT) != 0;
		if (c->ret >= 0)	/* the one at the end of a page is whole */
			ck_assert_mem_eq(engine_run_piece(c, 0, 0)->bytes, "/dev/null", 9);
	}
	ck_assert_uint_ge(faults, 3);
	ck_assert_uint_gt(r.stats[ENGINE_STAT_FAULTS], 3);
}
END_TEST

/* ---- tasks ---- */

START_TEST(births)
{
	const struct tracer_event *ev = NULL;
	unsigned threads = 0, vforks = 0, usr1 = 0;

	RUN("fx_births");
	run_ok();
	ck_assert_str_eq(r.out, "fork: 11\nvfork and exec: 12\nclone: 13\nclone with shared files: 14\n"
				"clone with SIGUSR1: 15\nclone3: 16\ngrandchild: 18\ndone\n");
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 8);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_TASK), 10);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_EXEC), 2);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_EXIT), 10);
	while ((ev = engine_run_next(&r, ev))) {
		const struct tracer_ev_task *t = (const struct tracer_ev_task *)ev;

		if (ev->kind != TRACER_EV_TASK || ev->flags & TRACER_EVF_ROOT)
			continue;
		ck_assert_int_ne(t->parent_tid, 0);
		ck_assert_uint_ne(t->starttime, 0);
		ck_assert_int_eq(t->uid, getuid());
		threads += t->clone_flags & CLONE_THREAD && t->pid == r.result.root;
		vforks += (t->clone_flags & CLONE_VFORK) != 0;
		usr1 += (t->clone_flags & CSIGNAL) == SIGUSR1;
	}
	ck_assert_uint_eq(threads, 1);
	ck_assert_uint_eq(vforks, 1);
	ck_assert_uint_eq(usr1, 1);
}
END_TEST

START_TEST(threads)
{
	RUN("fx_threads", "50", "100");
	run_ok();
	ck_assert_str_eq(r.out, "threads 50 calls 5000\n");
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 5000);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_TASK), 51);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_EXIT), 51);
}
END_TEST

START_TEST(exec_from_thread)
{
	const struct tracer_event *ev = NULL;
	unsigned superseded = 0;
	int32_t former = 0;

	RUN("fx_thread_exec", "4");
	run_ok();
	ck_assert_str_eq(r.out, "executed\n");
	ck_assert_int_eq(WEXITSTATUS(r.result.status), 7);
	while ((ev = engine_run_next(&r, ev))) {
		const struct tracer_ev_exec *x = (const struct tracer_ev_exec *)ev;

		superseded += ev->kind == TRACER_EV_EXIT && ev->flags & TRACER_EVF_SUPERSEDED;
		if (ev->kind == TRACER_EV_EXEC && x->former_tid != ev->tid)
			former = x->former_tid;
	}
	ck_assert_int_ne(former, 0);
	ck_assert_uint_eq(superseded, 5);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_EXIT), 6);
	/* the sleepers' and the leader's calls were cut off */
	ck_assert_uint_eq(engine_run_enters(&r, "pause"), 5);
	/* its execve has an end, in the task that is left */
	ck_assert_uint_eq(engine_run_calls(&r, -1, "execve"), 2);
}
END_TEST

START_TEST(no_follow)
{
	r.cfg.follow = false;
	RUN("fx_births");
	run_ok();
	ck_assert_ptr_nonnull(strstr(r.out, "grandchild: 18\ndone\n"));
	/* itself, its thread, and what clone() made without SIGCHLD, which is let go */
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 1);
}
END_TEST

/* ---- signals ---- */

START_TEST(signals_exactly_once)
{
	RUN("fx_signals", "self", "200");
	run_ok();
	ck_assert_str_eq(r.out, "signals 200 queued 200 sum 19900 wrong 0\n");
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_SIGNAL), 400);
	ck_assert_uint_eq(engine_run_enters(&r, "rt_sigreturn"), 400);
}
END_TEST

START_TEST(timer_signals)
{
	unsigned long calls;
	int signals;

	RUN("fx_signals", "timer", "300");
	run_ok();
	ck_assert_int_eq(sscanf(r.out, "calls %lu signals %d", &calls, &signals), 2);
	ck_assert_int_eq(signals, engine_run_kind(&r, TRACER_EV_SIGNAL));
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), calls);
}
END_TEST

START_TEST(fault)
{
	const struct tracer_event *ev = NULL;

	RUN("fx_signals", "fault");
	run_ok();
	ck_assert_str_eq(r.out, "fault at 0x1234\n");
	while ((ev = engine_run_next(&r, ev)) && ev->kind != TRACER_EV_SIGNAL)
		;
	ck_assert_ptr_nonnull(ev);
	ck_assert_int_eq(ev->nr, SIGSEGV);
	ck_assert_uint_eq(((const struct tracer_ev_signal *)ev)->addr, 0x1234);
}
END_TEST

START_TEST(all_blocked)
{
	RUN("fx_signals", "blocked", "500");
	run_ok();
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 500);
}
END_TEST

START_TEST(restarts)
{
	const struct tracer_event *ev = NULL;
	unsigned restarted = 0;

	RUN("fx_restart");
	run_ok();
	ck_assert_str_eq(r.out, "read: 1 errno 0 handled 1\nread: -1 errno 4 handled 1\nnanosleep: 0\n");
	while ((ev = engine_run_next(&r, ev))) {
		if (ev->kind == TRACER_EV_CALL && ev->flags & TRACER_EVF_RESTARTED) {
			ck_assert(ev->flags & TRACER_EVF_ERROR);
			restarted++;
		}
	}
	ck_assert_uint_ge(restarted, 3);
	ck_assert_uint_ge(engine_run_calls(&r, -1, "restart_syscall"), 1);
}
END_TEST

START_TEST(group_stop)
{
	const struct tracer_event *ev = NULL;
	unsigned stops = 0;

	RUN("fx_group_stop");
	run_ok();
	ck_assert_str_eq(r.out, "stopped 1 by 19, still 1, continued 1, moving 1\n"
				"stopped 1 by 20, still 1, continued 1, moving 1\nkilled by 9\n");
	while ((ev = engine_run_next(&r, ev)))
		stops += ev->kind == TRACER_EV_SIGNAL && ev->flags & TRACER_EVF_STOP;
	ck_assert_uint_eq(stops, 4);
}
END_TEST

/* ---- ABIs ---- */

START_TEST(i386)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/fx_i386", getenv("builddir") ? getenv("builddir") : ".");
	if (access(path, X_OK))
		return;	/* no multilib compiler */
	RUN("fx_i386");
	run_ok();
	ck_assert_ptr_nonnull(strstr(r.out, "word 4 getpid 1 read 4\nopen -1\nchild 5\n"));
	ck_assert_uint_ge(engine_run_calls(&r, TRACER_ABI_I386, "getpid"), 1);
	ck_assert_uint_eq(engine_run_calls(&r, TRACER_ABI_X86_64, "getpid"), 0);
	ck_assert_uint_eq(engine_run_calls(&r, TRACER_ABI_X86_64, "execve"), 1);
	ck_assert_uint_eq(engine_run_calls(&r, TRACER_ABI_I386, "execve"), 1);
}
END_TEST

START_TEST(int80)
{
	RUN("fx_int80");
	run_ok();
	ck_assert_str_eq(r.out, "getpid 1\n");
	ck_assert_uint_eq(engine_run_calls(&r, TRACER_ABI_I386, "getpid"), 1);
	ck_assert_uint_eq(engine_run_calls(&r, TRACER_ABI_X86_64, "writev"), 0);
}
END_TEST

/* ---- the ring is full ---- */

START_TEST(full_ring_blocks)
{
	r.cfg.ring_size = 65536 * 2;
	r.hold_full = true;
	RUN("fx_threads", "4", "2000");
	run_ok();
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 8000);
	ck_assert_uint_gt(r.stats[ENGINE_STAT_PARKED], 0);
	ck_assert_uint_gt(r.stats[ENGINE_STAT_PARKED_NS], 0);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_LOST), 0);
}
END_TEST

START_TEST(full_ring_drops)
{
	const struct tracer_event *ev = NULL;
	uint64_t lost = 0;

	r.cfg.ring_size = 65536 * 2;
	r.cfg.overflow = ENGINE_DROP;
	r.hold_full = true;
	RUN("fx_threads", "4", "2000");
	run_ok();
	while ((ev = engine_run_next(&r, ev)))
		lost += ev->kind == TRACER_EV_LOST ? ((const struct tracer_ev_lost *)ev)->count : 0;
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq(r.stats[ENGINE_STAT_PARKED], 0);
	ck_assert_uint_lt(engine_run_calls(&r, -1, "getppid"), 8000);
	/* every call of the program is either there or counted; its others are few */
	ck_assert_uint_ge(engine_run_calls(&r, -1, "getppid") + lost, 8000);
}
END_TEST

/* ---- selection ---- */

START_TEST(selection_without_filter)
{
	engine_run_select(&r, "getppid");
	RUN("fx_births");
	run_ok();
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 8);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_CALL), 8);
	ck_assert_uint_eq(r.stats[ENGINE_STAT_FILTERED_TASKS], 0);
}
END_TEST

static int filter_any(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { 1, &allow };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

START_TEST(no_filter_under_a_filter)
{
	ck_assert_int_eq(filter_any(), 0);
	engine_run_select(&r, "getppid");
	r.cfg.seccomp_filter = true;
	RUN("fx_births");
	run_ok();
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 8);
	ck_assert_uint_eq(r.stats[ENGINE_STAT_FILTERED_TASKS], 0);
}
END_TEST

START_TEST(selection_with_filter)
{
	engine_run_select(&r, "getppid");
	r.cfg.seccomp_filter = true;
	RUN("fx_births");
	run_ok();
	ck_assert_ptr_nonnull(strstr(r.out, "grandchild: 18\ndone\n"));
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 8);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_CALL), 8);
	ck_assert_uint_eq(r.stats[ENGINE_STAT_FILTERED_TASKS], 10);
}
END_TEST

START_TEST(hidden_state_calls)
{
	const struct tracer_event *ev = NULL;
	unsigned hidden = 0, shown = 0;

	engine_run_select(&r, "write");
	r.cfg.seccomp_filter = true;
	r.cfg.state_ops = ~0u;
	RUN("/bin/sh", "-c", "cd /; echo x");
	run_ok();
	while ((ev = engine_run_next(&r, ev))) {
		if (ev->kind == TRACER_EV_CALL && ev->flags & TRACER_EVF_HIDDEN)
			hidden++;
		else
			shown += ev->kind == TRACER_EV_CALL;
	}
	ck_assert_uint_eq(shown, 1);
	ck_assert_uint_ge(hidden, 3);
	ck_assert_uint_eq(engine_run_calls(&r, -1, "chdir"), 1);
}
END_TEST

START_TEST(no_filter_when)
{
	/* all selected */
	r.cfg.seccomp_filter = true;
	RUN("fx_end", "exit", "0");
	run_ok();
	ck_assert_uint_eq(r.stats[ENGINE_STAT_FILTERED_TASKS], 0);
	engine_run_fini(&r);
	/* forks are not followed */
	engine_run_init(&r);
	engine_run_select(&r, "exit_group");
	r.cfg.seccomp_filter = true;
	r.cfg.follow = false;
	RUN("fx_births");
	run_ok();
	ck_assert_ptr_nonnull(strstr(r.out, "done\n"));
	ck_assert_uint_eq(r.stats[ENGINE_STAT_FILTERED_TASKS], 0);
}
END_TEST

START_TEST(own_filter_of_the_program)
{
	engine_run_select(&r, "getppid");
	r.cfg.seccomp_filter = true;
	RUN("fx_seccomp");
	run_ok();
	ck_assert_str_eq(r.out, "answered 10\n");
	/* its filter answers before ours: seen all the same */
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 10);
}
END_TEST

/* Children that are killed in the middle of being born, by a parent that is
 * killed as well: every task appears once and ends once, nothing hangs. */
START_TEST(storm)
{
	RUN("fx_storm", "300");
	run_ok();
	ck_assert_str_eq(r.out, "done\n");
	ck_assert_uint_ge(engine_run_kind(&r, TRACER_EV_TASK), 300);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_TASK), engine_run_kind(&r, TRACER_EV_EXIT));
}
END_TEST

START_TEST(x32)
{
	char name[64];
	Elf32_Ehdr h = { .e_ident = ELFMAG, .e_machine = EM_X86_64, .e_type = ET_EXEC };
	FILE *f;

	h.e_ident[EI_CLASS] = ELFCLASS32;
	snprintf(name, sizeof(name), "/tmp/engine_x32.%d", (int)getpid());
	f = fopen(name, "w");
	ck_assert_ptr_nonnull(f);
	fwrite(&h, sizeof(h), 1, f);
	fclose(f);
	RUN(name);
	unlink(name);
	ck_assert_int_eq(r.err, -TRACER_ERR_ENGINE);
	ck_assert_ptr_nonnull(strstr(r.log, "x32 program"));
	engine_run_fini(&r);
	/* a call by its number, from a program that is not one */
	engine_run_init(&r);
	RUN("fx_int80", "x32");
	run_ok();
	ck_assert_str_eq(r.out, "getpid 1\nx32 made\n");
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_ENGINE), 1);
}
END_TEST

/* Traced from here, or the whole test makes no sense. */
static Suite *suite(void)
{
	Suite *s = suite_create("engine_ptrace");
	TCase *c = tcase_create("programs");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 120);
	tcase_add_test(c, exit_codes);
	tcase_add_test(c, fatal_signals);
	tcase_add_test(c, ignored_signals_do_not_kill);
	tcase_add_test(c, start_errors);
	tcase_add_test(c, root_records);
	tcase_add_loop_test(c, exec_end, 0, 2);
	tcase_add_test(c, counts_only);
	tcase_add_test(c, results_only);
	tcase_add_test(c, captures);
	tcase_add_test(c, bad_pointers);
	tcase_add_test(c, births);
	tcase_add_test(c, threads);
	tcase_add_test(c, exec_from_thread);
	tcase_add_test(c, no_follow);
	tcase_add_test(c, signals_exactly_once);
	tcase_add_test(c, timer_signals);
	tcase_add_test(c, fault);
	tcase_add_test(c, all_blocked);
	tcase_add_test(c, restarts);
	tcase_add_test(c, group_stop);
	tcase_add_test(c, i386);
	tcase_add_test(c, int80);
	tcase_add_test(c, full_ring_blocks);
	tcase_add_test(c, full_ring_drops);
	tcase_add_test(c, selection_without_filter);
	tcase_add_test(c, selection_with_filter);
	tcase_add_test(c, hidden_state_calls);
	tcase_add_test(c, no_filter_when);
	tcase_add_test(c, no_filter_under_a_filter);
	tcase_add_test(c, storm);
	tcase_add_test(c, x32);
	tcase_add_test(c, own_filter_of_the_program);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return engine_suite_run(suite());
}
