/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run of a supervisor: start or attach, wait for stops until the end, let
 * the rest go.  Everything here but sup_forward() and sup_stop() runs on the
 * one thread that called sup_start(): the kernel takes ptrace requests of a
 * tracee from that thread alone.
 *
 * How a signal interrupts the wait.  wait4() blocks, and a flag that a signal
 * handler sets right before it blocks would not be seen (there is no wait4
 * with a signal mask).  So sup_stop() sets the flag and starts a timer that
 * sends a signal of ours to this thread again and again, until the loop has
 * seen the flag and stops the timer: the second signal at the latest finds the
 * thread in wait4() and ends it with EINTR.  sup_forward() needs none of that:
 * it sends the signal to the tracee, whose signal stop is what wait4() waits
 * for.
 */
#include "config.h"
#include "base/clock.h"
#include "engine/seccomp_filter.h"
#include "base/err.h"
#include "engine/supervisor.h"
#include "tracee/proc_fs.h"
#include "tracee/refusal.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <tracer/error.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41	/* how programs tell of what they publish (sup_context.c) */
#endif

#define TASKS_MAX 65536u
#define ELF_IDS_MAX 1024u	/* executables remembered */
#define WAKE_SIGNAL (SIGRTMAX - 3)
#define WAKE_NS 5000000		/* between two wake-up signals */
#define PARKED_SLEEP_NS 200000	/* between two looks for room, while a task is parked */
#define TURN_EVERY 16u
#define BACKLOG_END_NS 5000000000ull	/* longest wait for room at the end */

/* ---- wake-up ---- */

static void wake_handler(int sig)
{
	(void)sig;
}

static void inherit_load(struct supervisor *s, sigset_t *mask, struct spawn_plan *plan)
{
	const struct engine_inherit *in = s->cfg.inherit;
	uint64_t bit = 1ull << (WAKE_SIGNAL - 1);

	*mask = in && in->signals ? in->mask : s->wake_mask;
	plan->mask = mask;
	plan->changed = in && in->signals ? in->changed : 0;
	plan->ignored = in && in->signals ? in->ignored : 0;
	plan->no_handlers = in && in->signals;
	plan->fds = in ? in->fds : NULL;
	plan->nfds = in ? in->nfds : 0;
	if (plan->changed & bit)
		return;
	plan->changed |= bit;
	plan->ignored |= s->wake_old.sa_handler == SIG_IGN ? bit : 0;
}

static int wake_open(struct supervisor *s)
{
	struct sigaction sa = { .sa_handler = wake_handler };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = WAKE_SIGNAL };
	sigset_t set;

	ev._sigev_un._tid = (int)syscall(SYS_gettid);
	sigemptyset(&set);
	sigaddset(&set, WAKE_SIGNAL);
	if (sigaction(WAKE_SIGNAL, &sa, &s->wake_old) < 0 || timer_create(CLOCK_MONOTONIC, &ev, &s->timer) < 0)
		return -errno;
	/* pairs with the load in sup_stop() */
	__atomic_store_n(&s->have_timer, true, __ATOMIC_RELEASE);
	pthread_sigmask(SIG_UNBLOCK, &set, &s->wake_mask);
	return 0;
}

static void wake_set(struct supervisor *s, long ns)
{
	struct itimerspec it = { .it_interval = { 0, ns }, .it_value = { 0, ns ? 1 : 0 } };

	timer_settime(s->timer, 0, &it, NULL);
}

static void wake_close(struct supervisor *s)
{
	if (!s->have_timer)
		return;
	__atomic_store_n(&s->have_timer, false, __ATOMIC_RELAXED);
	timer_delete(s->timer);
	pthread_sigmask(SIG_SETMASK, &s->wake_mask, NULL);
	sigaction(WAKE_SIGNAL, &s->wake_old, NULL);
}

void sup_forward(struct supervisor *s, int sig)
{
	int fd = __atomic_load_n(&s->root_fd, __ATOMIC_RELAXED), saved = errno;

	if (fd >= 0)
		syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
	errno = saved;
}

void sup_stop(struct supervisor *s)
{
	int saved = errno;

	/* pairs with the load in stop_check() */
	__atomic_store_n(&s->stop_wanted, 1, __ATOMIC_RELEASE);
	if (__atomic_load_n(&s->have_timer, __ATOMIC_ACQUIRE))
		wake_set(s, WAKE_NS);
	errno = saved;
}

/* ---- open ---- */

int sup_init(struct supervisor *s, const struct engine_config *cfg, const struct sup_hooks *hooks)
{
	int r;

	s->cfg = *cfg;
	s->hooks = hooks;
	s->arch = arch_native();
	s->attach = !cfg->argv;
	s->root_fd = -1;
	s->park_last = &s->park_first;
	s->spawn = (struct spawn){ .pid = -1, .go = -1, .go_read = -1, .failed = -1 };
	s->all.all = true;
	if (!s->cfg.selection)
		s->cfg.selection = &s->all;
	sup_special_init(s);
	r = task_table_init(&s->tasks, sizeof(struct sup_task), sizeof(struct sup_group), TASKS_MAX);
	if (r < 0)
		return r;
	r = elf_id_cache_new(&s->elf_ids, ELF_IDS_MAX);
	if (r == 0)
		r = emitter_init(&s->out, cfg->rings, cfg->ring_size, cfg->clock, cfg->overflow == ENGINE_DROP);
	if (r < 0) {
		elf_id_cache_free(s->elf_ids);
		task_table_fini(&s->tasks, NULL, NULL);
	}
	return r;
}

static bool alive(const struct supervisor *s)
{
	return task_count(&s->tasks) > 0;
}

/* A run that was cut short: the program of ours dies, those of others live on. */
static void rest_end(struct supervisor *s)
{
	if (s->root && !s->root_dead)
		kill(s->root, SIGKILL);
	if (!s->filter)
		sup_detach_start(s);
	while (alive(s) && sup_step(s, true) == 0)
		;
}

void sup_fini(struct supervisor *s)
{
	int fd = s->root_fd;

	if (alive(s))
		rest_end(s);
	__atomic_store_n(&s->root_fd, -1, __ATOMIC_RELAXED);
	if (fd >= 0)
		close(fd);
	spawn_close(&s->spawn);
	sup_pin_fini(s);
	wake_close(s);
	emitter_fini(&s->out);
	task_table_fini(&s->tasks, sup_task_free, s);
	elf_id_cache_free(s->elf_ids);
	seccomp_filter_fini(&s->program);
}

/* ---- probe ---- */

int sup_probe(const struct engine_config *cfg, char *why, size_t whylen)
{
	struct refusal r;

	(void)cfg;
	refusal_load(&r, getpid(), -EPERM, true);
	if (r.yama == 3) {
		refusal_format(&r, why, whylen);
		return -TRACER_ERR_PTRACE;
	}
	return 0;
}

/* ---- start ---- */

/* What the tracer itself lacks. */
static int refuse_start(struct supervisor *s, int err)
{
	char text[160];

	err_format(err, text, sizeof(text));
	log_msg(s->cfg.log, LOG_ERROR, "cannot start '%s': %s", s->cfg.file ? s->cfg.file : "tracing", text);
	return err;
}

static int refuse_child(struct supervisor *s, pid_t pid, int err)
{
	struct refusal why;
	char text[256];

	refusal_load(&why, pid, err, true);
	refusal_format(&why, text, sizeof(text));
	log_msg(s->cfg.log, LOG_ERROR, "cannot trace '%s': %s\n  %s", s->cfg.file, strerror(-err), text);
	return -TRACER_ERR_PTRACE;
}

/* A program with 32-bit pointers and 64-bit calls: x32. */
static int file_check(struct supervisor *s)
{
	Elf32_Ehdr h;
	int fd = open(s->cfg.file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return 0;	/* exec will tell */
	n = pread(fd, &h, sizeof(h), 0);
	close(fd);
	if (n != sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS32 ||
	    h.e_machine != s->arch->elf_machine)
		return 0;
	log_msg(s->cfg.log, LOG_ERROR, "'%s' is an x32 program, which is not supported: "
				       "build it for x86-64 or i386", s->cfg.file);
	return -TRACER_ERR_ENGINE;
}

/* The conditions of docs/LIMITS.md, "Filter". */
static bool filter_probe(const struct supervisor *s)
{
	struct proc_status st;

	if (!s->cfg.seccomp_filter || s->attach || !s->cfg.follow || s->cfg.selection->all || s->hooks)
		return false;
	return proc_status_load(getpid(), &st) == 0 && st.seccomp == 0;
}

/* What changes no table needs no stop: fcntl is called for flags far more often than for copies. */
static const struct seccomp_rule fcntl_rule = {
	.verdict = SECCOMP_STOP_IF, .arg = 1, .nvalues = 3, .values = { F_DUPFD, F_SETFD, F_DUPFD_CLOEXEC },
};
static const struct seccomp_rule prctl_rule = {
	.verdict = SECCOMP_STOP_IF, .arg = 0, .nvalues = 3, .values = { PR_SET_NAME, PR_SET_SECCOMP, PR_SET_VMA },
};

static const struct seccomp_rule code_rule = {
	.verdict = SECCOMP_STOP_IF, .arg = 2, .nvalues = 1, .bits = true, .values = { PROT_EXEC },
};

static const struct seccomp_rule *filter_rule(void *ctx, int abi, int nr)
{
	const struct supervisor *s = ctx;
	uint8_t special = nr < ENGINE_CALLS_MAX ? s->special[abi][nr] : (uint8_t)SUP_PLAIN;
	const struct syscall_desc *d = syscall_lookup(abi, nr);

	if (sup_selected(s, abi, nr))
		return &seccomp_stop;
	if (special != SUP_PLAIN && special != SUP_OUTPUT)
		return special == SUP_PRCTL ? &prctl_rule : &seccomp_stop;
	if (s->cfg.maps && d && d->state == STATE_MMAP)
		return d->nargs > 1 ? &code_rule : &seccomp_stop;
	if (!sup_keeps_state(s, d))
		return &seccomp_pass;
	return d->state == STATE_FCNTL ? &fcntl_rule : &seccomp_stop;
}

static int filter_start(void *ctx)
{
	return seccomp_filter_set(&((struct supervisor *)ctx)->program);
}

static void options_set(struct supervisor *s)
{
	s->filter = filter_probe(s) && seccomp_filter_init(&s->program, filter_rule, s) == 0;
	s->options = TRACEE_OPTIONS | PTRACE_O_TRACECLONE;
	if (s->cfg.follow)
		s->options |= TRACEE_OPTIONS_FOLLOW;
	if (!s->attach)
		s->options |= PTRACE_O_EXITKILL;
	if (s->filter)
		s->options |= PTRACE_O_TRACESECCOMP;
}

static int spawn_failed(struct supervisor *s)
{
	int err;
	enum spawn_step step = spawn_error(&s->spawn, &err);

	switch (step) {
	case SPAWN_NONE:
		return 0;	/* killed: that is its status */
	case SPAWN_USER:
		log_msg(s->cfg.log, LOG_ERROR, "cannot become user %s: %s",
			s->cfg.run_user ? s->cfg.run_user : "?", strerror(-err));
		return err;
	case SPAWN_PREPARE:
		log_msg(s->cfg.log, LOG_ERROR, "cannot install the seccomp filter: %s", strerror(-err));
		return err;
	default:
		log_msg(s->cfg.log, LOG_ERROR, "cannot execute '%s': %s%s", s->cfg.file, strerror(-err),
			err == -ENOENT ? " (the file, or the interpreter that it names)" : "");
		return err == -ENOENT ? -TRACER_ERR_NOTFOUND : -TRACER_ERR_NOEXEC;
	}
}

static int child_seize(struct supervisor *s)
{
	struct sup_task *t;
	int status, r = tracee_seize(s->spawn.pid, s->options);

	if (r < 0) {
		r = refuse_child(s, s->spawn.pid, r);
		kill(s->spawn.pid, SIGKILL);
		waitpid(s->spawn.pid, &status, 0);
		return r;
	}
	s->root = s->spawn.pid;
	s->root_fd = (int)syscall(SYS_pidfd_open, s->root, 0);
	t = sup_task_start(s, s->root, s->root, TRACEE_RUNNING);
	if (!t)
		return refuse_start(s, -ENOMEM);
	t->all_calls = true;
	sup_group_of(t)->root = true;
	sup_group_of(t)->ppid = getpid();
	s->roots_left = 1;
	return 0;
}

static int launch(struct supervisor *s)
{
	struct spawn_plan plan = {
		.file = s->cfg.file, .argv = s->cfg.argv, .envp = s->cfg.envp,
		.run_as = s->cfg.run_as, .uid = s->cfg.run_uid, .gid = s->cfg.run_gid, .user = s->cfg.run_user,
		.prepare = s->filter ? filter_start : NULL, .ctx = s,
	};
	sigset_t mask;
	int r = file_check(s);

	inherit_load(s, &mask, &plan);
	if (r < 0)
		return r;
	r = spawn_open(&s->spawn, &plan);
	if (r < 0)
		return refuse_start(s, r);
	r = child_seize(s);
	if (r < 0)
		return r;
	s->hold_root = true;
	r = spawn_start(&s->spawn);
	if (r == 0 && s->hooks && s->hooks->on_launch)
		s->hooks->on_launch(s);
	while (r == 0 && !s->root_execed && !s->root_dead)
		r = sup_step(s, true);
	if (!s->root_execed)
		r = spawn_failed(s);
	spawn_close(&s->spawn);
	return r;
}

int sup_start(struct supervisor *s)
{
	int r = wake_open(s);

	if (r < 0)
		return refuse_start(s, r);
	sup_pin_init(s);
	options_set(s);
	/* with a filter, a child that is let go or calls that do not stop there is writing that we do not see */
	if (s->cfg.screen && !s->filter && !s->writes_unseen && s->cfg.follow)
		s->cfg.screen->watch(s->cfg.screen->ctx, true);
	if (!s->attach)
		return launch(s);
	for (unsigned i = 0; r == 0 && i < s->cfg.npids; i++)
		r = sup_attach(s, s->cfg.pids[i]);
	return r;
}

/* ---- run ---- */

static bool waiting_for_room(const struct supervisor *s)
{
	return s->parked || s->out.at < s->out.len;
}

static void room_look(struct supervisor *s)
{
	if (emitter_check_room(&s->out) && emitter_flush(&s->out))
		sup_park_retry(s);
}

/* wait4() tells of the latest tasks first.  Where those stop again and again the others would wait for ever, so
 * every few stops it is the turn of another one, in their order in the table. */
static pid_t stop_wait(struct supervisor *s, int *status, bool block, struct rusage *usage)
{
	const struct tracee *t = NULL;
	pid_t tid;

	if (++s->steps % TURN_EVERY == 0) {
		t = task_next(&s->tasks, &s->turn);
		if (!t)
			s->turn = 0;
	}
	tid = t ? tracee_wait(t->tid, status, false, usage) : 0;
	return tid > 0 ? tid : tracee_wait(-1, status, block, usage);
}

int sup_step(struct supervisor *s, bool wait)
{
	bool block = wait && !waiting_for_room(s);
	struct timespec nap = { 0, PARKED_SLEEP_NS };
	struct rusage usage;
	int status;
	pid_t tid = stop_wait(s, &status, block, &usage);

	if (tid > 0) {
		s->now = clock_ticks(s->out.clock);
		sup_pin_tick(s, tid);
		sup_status_load(s, tid, status, &usage);
	} else if (tid == 0 && wait) {
		nanosleep(&nap, NULL);
	} else if (tid < 0 && tid != -EINTR) {
		return tid;
	}
	if (waiting_for_room(s))
		room_look(s);
	return 0;
}

static void stop_check(struct supervisor *s)
{
	if (!__atomic_load_n(&s->stop_wanted, __ATOMIC_ACQUIRE))
		return;
	wake_set(s, 0);
	__atomic_store_n(&s->stop_wanted, 0, __ATOMIC_RELAXED);
	if (s->detaching)
		return;
	if (s->filter)
		log_msg(s->cfg.log, LOG_WARN, "a program under a seccomp filter cannot be let go: tracing goes on");
	else
		sup_detach_start(s);
}

static void roots_check(struct supervisor *s)
{
	if (s->roots_left || s->detaching || s->told_rest || s->cfg.wait_all)
		return;
	s->told_rest = true;
	if (!s->filter)
		sup_detach_start(s);
	else if (alive(s))
		log_msg(s->cfg.log, LOG_INFO, "processes that were left behind are under a seccomp filter and "
					      "cannot be let go: waiting for their end");
}

/* What the ring did not take yet.  The consumer is at work, so this ends; where
 * it does not, emitter_fini() counts the rest. */
static void backlog_end(struct supervisor *s)
{
	struct timespec nap = { 0, PARKED_SLEEP_NS };
	uint64_t until = clock_mono_ns() + BACKLOG_END_NS;

	while (!emitter_flush(&s->out) && clock_mono_ns() < until) {
		ring_set_wake(s->cfg.rings);
		nanosleep(&nap, NULL);
	}
}

int sup_run(struct supervisor *s, struct engine_result *res)
{
	struct sup_task *root = s->root && !s->root_dead ? sup_lookup(s, s->root) : NULL;
	int r = 0;

	s->hold_root = false;
	if (root && root->base.state == TRACEE_STOPPED && !root->parked)
		sup_resume(s, root, 0);
	while (alive(s) && r == 0) {
		stop_check(s);
		roots_check(s);
		if (alive(s))
			r = sup_step(s, true);
	}
	backlog_end(s);
	*res = (struct engine_result){ .have_status = s->have_status, .status = s->root_status,
				       .detached = s->detached, .root = s->root };
	return r == -ECHILD ? 0 : r;
}
