/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attach to a running process and let tasks go.  Supervisor thread.
 *
 * Attach: seize every thread that /proc/PID/task lists until a whole pass
 * finds no new one (a thread made meanwhile by a seized one is ours already).
 * Detach: interrupt what runs; whatever it stops in next, it is let go from
 * there with the signal that it was about to get.
 */
#include "config.h"
#include "base/clock.h"
#include "engine/supervisor.h"
#include "tracee/proc_fs.h"
#include "tracee/refusal.h"
#include <errno.h>
#include <stdio.h>
#include <tracer/error.h>

#define PASSES_MAX 64

struct attach {
	struct supervisor *s;
	pid_t pid;
	unsigned found;
	int err;
};

static int thread_attach(void *ctx, pid_t tid)
{
	struct attach *a = ctx;
	struct supervisor *s = a->s;
	struct sup_task *t = sup_lookup(s, tid);
	int r;

	if (t)
		return 0;
	r = tracee_seize(tid, s->options);
	if (r == -ESRCH)
		return 0;	/* gone meanwhile */
	if (r < 0) {
		/* a thread of one that was seized before: its own first stop is on the way */
		if (a->found && r == -EPERM)
			return 0;
		a->err = r;
		return 1;
	}
	t = sup_task_start(s, tid, a->pid, TRACEE_RUNNING);
	if (!t) {
		a->err = -ENOSPC;
		return 1;
	}
	a->found++;
	t->interrupted = true;
	sup_event_task(s, t, 0, 0, TRACER_EVF_ATTACHED, clock_ticks(s->out.clock));
	tracee_interrupt(tid);
	return 0;
}

static int refuse(struct supervisor *s, pid_t pid, int err)
{
	struct refusal why;
	char text[256];

	refusal_load(&why, pid, err, false);
	refusal_format(&why, text, sizeof(text));
	log_msg(s->cfg.log, LOG_ERROR, "cannot trace pid %d: %s\n  %s", (int)pid,
		err == -EPERM ? "EPERM" : err == -ESRCH ? "ESRCH" : "refused", text);
	return -TRACER_ERR_PTRACE;
}

static int threads_attach(struct attach *a)
{
	for (unsigned pass = 0; pass < PASSES_MAX; pass++) {
		unsigned before = a->found;
		int r = proc_tasks_read(a->pid, thread_attach, a);

		if (a->err || r < 0)
			return a->err ? a->err : r == -ENOENT ? -ESRCH : r;
		if (a->found == before)
			break;
	}
	return a->found ? 0 : -ESRCH;
}

int sup_attach(struct supervisor *s, pid_t pid)
{
	struct attach a = { .s = s, .pid = pid };
	struct proc_status st;
	struct sup_task *t;
	int r;

	/* any thread of it names the process */
	if (proc_status_load(pid, &st) == 0)
		a.pid = st.tgid;
	r = threads_attach(&a);
	if (r < 0)
		return refuse(s, pid, r);
	t = sup_lookup(s, a.pid);
	if (!t)
		return 0;	/* the leader is a zombie; its threads are ours */
	sup_group_of(t)->root = true;
	sup_environ_start(s, t);
	s->roots_left++;
	mem_open(&t->base.group->mem, s->hooks != NULL);
	sup_event_exec(s, t, a.pid, TRACER_EVF_ATTACHED);
	sup_event_files(s, a.pid);
	sup_context_attach(s, t);
	sup_event_maps(s, t, TRACER_EVF_ATTACHED);
	if (s->hooks && s->hooks->on_attach)
		s->hooks->on_attach(s, t);
	return 0;
}

/* No signal is waiting that could have ended a call. */
static bool undisturbed(pid_t tid)
{
	struct proc_status st;

	return proc_status_load(tid, &st) == 0 && !(st.pending & ~st.blocked);
}

/* Our interrupt made a call return EINTR that the kernel does not restart
 * (epoll_wait, rt_sigtimedwait, semop ..., see signal(7)): the program, which
 * got no signal, shall not see that.  It makes the call again. */
bool sup_call_undo(struct supervisor *s, struct sup_task *t)
{
	struct arch_regs regs;
	struct arch_call call;

	if (tracee_regs_load(t->base.tid, &regs) < 0 || !s->arch->in_call(&regs) ||
	    s->arch->ret(&regs) != -EINTR || !undisturbed(t->base.tid))
		return false;
	s->arch->call_load(&regs, s->arch->abi, &call);
	s->arch->set_ret(&regs, call.nr);
	s->arch->set_ip(&regs, s->arch->ip(&regs) - s->arch->insn_len);
	return tracee_regs_set(t->base.tid, &regs) == 0;
}

void sup_task_detach(struct supervisor *s, struct sup_task *t, int sig)
{
	t->base.state = TRACEE_STOPPED;
	sup_call_flush(s, t);
	if (s->hooks && s->hooks->on_detach && !s->hooks->on_detach(s, t, sig))
		return;
	if (tracee_detach(t->base.tid, sig) < 0) {
		/* killed meanwhile: its death will be seen */
		t->base.state = TRACEE_RUNNING;
		return;
	}
	/* behind what was finished for it */
	s->now = clock_ticks(s->out.clock);
	sup_event_exit(s, t, 0, TRACER_EVF_DETACHED, NULL);
	if (t->base.tid == t->base.group->pid)
		s->detached++;
	sup_task_del(s, t);
}

/* The next task in a state that can be let go as it is, or NULL. */
static struct sup_task *held_next(const struct supervisor *s)
{
	struct tracee *t;
	size_t pos = 0;

	do
		t = task_next(&s->tasks, &pos);
	while (t && t->state != TRACEE_STOPPED);
	return (struct sup_task *)t;
}

void sup_detach_start(struct supervisor *s)
{
	struct sup_task *t;
	struct tracee *o;
	size_t pos = 0;

	s->detaching = true;
	if (s->cfg.screen)
		s->cfg.screen->watch(s->cfg.screen->ctx, false);
	while ((t = held_next(s)))
		sup_task_detach(s, t, 0);
	while ((o = task_next(&s->tasks, &pos))) {
		t = (struct sup_task *)o;
		if (o->state != TRACEE_RUNNING && o->state != TRACEE_LISTENING)
			continue;
		t->interrupted = true;
		tracee_interrupt(o->tid);
	}
}
