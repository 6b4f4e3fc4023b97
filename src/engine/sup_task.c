/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Birth, exec and death of tasks.  Supervisor thread.
 *
 * A child's first stop and its parent's event come in either order, and a
 * parent that is killed in between never tells: such a child is held (UNTOLD)
 * until either its parent's event comes or no living task is in a call that
 * makes tasks, so that nobody is left who could tell.
 *
 * Source: ptrace(2), "PTRACE_O_TRACECLONE" and "execve(2) under ptrace".
 */
#include "config.h"
#include "base/clock.h"
#include "engine/supervisor.h"
#include "tracee/proc_fs.h"
#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

void sup_task_free(void *ctx, struct tracee *task, struct tgroup *group)
{
	(void)ctx;
	(void)group;
	if (task)
		free(((struct sup_task *)task)->enter);
}

/* The last task of a process takes with it what an engine keeps for that. */
void sup_task_del(struct supervisor *s, struct sup_task *t)
{
	struct sup_group *g = sup_group_of(t);

	if (g && g->base.tasks == 1 && s->hooks && s->hooks->on_group_free)
		s->hooks->on_group_free(s, g);
	task_del(&s->tasks, &t->base);
}

/* A fresh entry; the buffer of a recycled one is kept. */
static struct sup_task *task_new(struct supervisor *s, pid_t tid, enum tracee_state state)
{
	struct tracee *base;
	struct sup_task *t;
	uint8_t *enter;
	uint32_t cap;

	if (task_add(&s->tasks, tid, state, &base) < 0) {
		log_msg(s->cfg.log, LOG_WARN, "too many tasks: %d is not recorded", (int)tid);
		return NULL;
	}
	t = (struct sup_task *)base;
	enter = t->enter;
	cap = t->enter_cap;
	memset((uint8_t *)t + sizeof(t->base), 0, sizeof(*t) - sizeof(t->base));
	t->enter = enter;
	t->enter_cap = cap;
	return t;
}

static bool group_join(struct supervisor *s, struct sup_task *t, pid_t pid, const struct sup_group *parent)
{
	bool fresh = !tgroup_lookup(&s->tasks, pid);
	struct sup_group *g;

	if (task_set_group(&s->tasks, &t->base, pid) < 0)
		return false;
	g = sup_group_of(t);
	if (fresh) {
		memset((uint8_t *)g + sizeof(g->base), 0, sizeof(*g) - sizeof(g->base));
		g->uid = parent ? parent->uid : -1;
		if (parent)
			memcpy(g->span_id, parent->span_id, sizeof(g->span_id));
	}
	s->stats[ENGINE_STAT_TASKS]++;
	s->stats[ENGINE_STAT_FILTERED_TASKS] += s->filter;
	return true;
}

struct sup_task *sup_task_start(struct supervisor *s, pid_t tid, pid_t pid, enum tracee_state state)
{
	struct sup_task *t = task_new(s, tid, state);

	if (t && !group_join(s, t, pid, NULL)) {
		task_del(&s->tasks, &t->base);
		return NULL;
	}
	return t;
}

/* ---- birth ---- */

static uint64_t clone3_flags(struct sup_task *t, uint64_t args, pid_t child)
{
	struct proc_status st;
	uint64_t flags;

	if (mem_read(&t->base.group->mem, args, &flags, sizeof(flags)) == sizeof(flags))
		return flags;
	/* may not be read: whether it is a thread is all that we need */
	if (proc_status_load(child, &st) == 0 && st.tgid != child)
		return CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	return 0;
}

static void call_in_flight(struct supervisor *s, struct sup_task *t, struct arch_call *call)
{
	struct arch_regs regs;

	*call = (struct arch_call){ .abi = t->abi, .nr = t->nr };
	if (t->in_call) {
		memcpy(call->args, t->args, sizeof(call->args));
		return;
	}
	if (tracee_regs_load(t->base.tid, &regs) == 0)
		s->arch->call_load(&regs, s->arch->abi, call);
}

static uint64_t birth_flags(struct supervisor *s, struct sup_task *t, unsigned event, pid_t child)
{
	struct arch_call call;
	uint8_t special;

	call_in_flight(s, t, &call);
	special = call.nr >= 0 && call.nr < ENGINE_CALLS_MAX ? s->special[call.abi][call.nr] : SUP_PLAIN;
	if (special == SUP_CLONE)
		return call.args[0];
	if (special == SUP_CLONE3)
		return clone3_flags(t, call.args[0], child);
	return event == PTRACE_EVENT_VFORK ? CLONE_VM | CLONE_VFORK : 0;
}

static void birth_end(struct supervisor *s, struct sup_task *t)
{
	if (t->forking)
		s->forking--;
	t->forking = false;
}

/* A held child is known now: it goes on as if it had stopped only now. */
static void untold_start(struct supervisor *s, struct sup_task *t)
{
	int status = t->status;

	task_set_state(&s->tasks, &t->base, TRACEE_EXPECTED);
	sup_status_load(s, t->base.tid, status, NULL);
}

void sup_birth_stop(struct supervisor *s, struct sup_task *t, unsigned event)
{
	unsigned long message;
	struct sup_task *child;
	uint64_t flags;
	pid_t tid;
	bool held;

	if (tracee_message_load(t->base.tid, &message) < 0)
		return;
	tid = (pid_t)message;
	flags = birth_flags(s, t, event, tid);
	birth_end(s, t);
	child = sup_lookup(s, tid);
	held = child && child->base.state == TRACEE_UNTOLD;
	if (!child)
		child = task_new(s, tid, TRACEE_EXPECTED);
	if (child && (held || !child->base.group)) {
		pid_t pid = flags & CLONE_THREAD ? t->base.group->pid : tid;

		if (!group_join(s, child, pid, sup_group_of(t)))
			return;
		if (pid == tid)
			sup_group_of(child)->ppid = flags & CLONE_PARENT ? sup_group_of(t)->ppid : t->base.group->pid;
		child->all_calls = t->all_calls;
		child->let_go = !s->cfg.follow && !(flags & CLONE_THREAD);
		sup_event_task(s, child, t->base.tid, flags, 0, s->now);
		if (s->hooks && s->hooks->on_birth)
			s->hooks->on_birth(s, t, child, flags);
		if (held)
			untold_start(s, child);
	}
	sup_resume(s, t, 0);
}

void sup_untold_add(struct supervisor *s, pid_t tid, int status)
{
	struct sup_task *t;

	/* a dead stranger: a child of this thread that is not ours, or one of ours that
	 * was killed before anybody told of it */
	if (!WIFSTOPPED(status) && !s->forking && !s->hooks) {
		log_msg(s->cfg.log, LOG_DEBUG, "pid %d ended, which is not traced", (int)tid);
		return;
	}
	t = task_new(s, tid, TRACEE_UNTOLD);
	if (t)
		t->status = status;
	else if (WIFSTOPPED(status))
		tracee_detach(tid, 0);	/* one too many: it runs on, unseen */
	sup_untold_check(s);
}

static void untold_adopt(struct supervisor *s, struct sup_task *t)
{
	struct proc_status st;
	pid_t pid = t->base.tid;

	/* killed before anybody told of it, or a stranger */
	if (!WIFSTOPPED(t->status)) {
		task_del(&s->tasks, &t->base);
		return;
	}
	if (proc_status_load(t->base.tid, &st) == 0)
		pid = st.tgid;
	if (!group_join(s, t, pid, NULL)) {
		tracee_detach(t->base.tid, 0);
		sup_task_del(s, t);
		return;
	}
	sup_event_task(s, t, s->fork_parent, pid == t->base.tid ? 0 : CLONE_VM | CLONE_THREAD, 0, s->now);
	untold_start(s, t);
}

static bool expected(struct supervisor *s, const struct sup_task *t)
{
	return s->hooks && s->hooks->expects_birth && s->hooks->expects_birth(s, t);
}

void sup_untold_check(struct supervisor *s)
{
	while (s->tasks.untold && !s->forking) {
		struct tracee *t = NULL;
		size_t pos = 0;

		do
			t = task_next(&s->tasks, &pos);
		while (t && (t->state != TRACEE_UNTOLD || expected(s, (struct sup_task *)t)));
		if (!t)
			return;
		untold_adopt(s, (struct sup_task *)t);
	}
}

/* ---- exec ---- */

/* What the task recorded itself is complete before its end, and its end is later than that: a record that is
 * still open is handed out once its ring is closed, and the end must not be seen before. */
static void records_end(struct supervisor *s, struct sup_task *t)
{
	if (!s->hooks || !s->hooks->on_death)
		return;
	s->hooks->on_death(s, t);
	s->now = clock_ticks(s->out.clock);
}

/* A thread that another one's execve ended. */
static void task_supersede(struct supervisor *s, struct sup_task *t)
{
	sup_call_flush(s, t);
	records_end(s, t);
	sup_event_exit(s, t, 0, TRACER_EVF_SUPERSEDED, NULL);
}

/* The leader is gone and its tid belongs to the thread that called execve: what
 * is known of that thread and its call moves to the entry of the leader.  For
 * the former tid no status will come. */
static void leader_replace(struct supervisor *s, struct sup_task *leader, struct sup_task *f)
{
	uint8_t *enter = leader->enter;
	uint32_t cap = leader->enter_cap;

	task_supersede(s, leader);
	memcpy((uint8_t *)leader + sizeof(leader->base), (uint8_t *)f + sizeof(f->base),
	       sizeof(*f) - sizeof(f->base));
	f->enter = enter;
	f->enter_cap = cap;
	f->in_call = f->forking = false;
	sup_task_del(s, f);
}

/* All threads but the one that executed are gone.  Their own deaths, where the
 * kernel still tells of them, are old news. */
static void threads_supersede(struct supervisor *s, struct sup_task *t, pid_t former)
{
	struct sup_task *f = former != t->base.tid ? sup_lookup(s, former) : NULL;

	if (f && f->base.group == t->base.group)
		leader_replace(s, t, f);
	for (struct tracee *o = t->base.group->first; o; o = o->sibling) {
		if (o == &t->base || o->state == TRACEE_GONE)
			continue;
		task_supersede(s, (struct sup_task *)o);
		task_set_state(&s->tasks, o, TRACEE_GONE);
	}
}

static void group_exec(struct supervisor *s, struct sup_task *t)
{
	struct sup_group *g = sup_group_of(t);

	g->told_unreadable = g->told_x32 = false;
	sup_context_exec(t);
	g->exec_pending = false;
	g->base.mem.pid = g->base.pid;
	mem_open(&g->base.mem, s->hooks || s->cfg.propagate);
}

void sup_exec_stop(struct supervisor *s, struct sup_task *t)
{
	bool root = t->base.tid == s->root && !s->root_execed;
	unsigned long message;
	pid_t former = t->base.tid;

	if (tracee_message_load(t->base.tid, &message) == 0 && message)
		former = (pid_t)message;
	t->base.state = TRACEE_STOPPED;
	threads_supersede(s, t, former);
	group_exec(s, t);
	s->stats[ENGINE_STAT_EXECS]++;
	if (root) {
		s->root_execed = true;
		t->all_calls = false;
		sup_environ_start(s, t);
		sup_event_task(s, t, 0, 0, TRACER_EVF_ROOT, t->start);
	}
	sup_event_exec(s, t, former, 0);
	if (root)
		sup_event_files(s, t->base.tid);
	else
		sup_environ_exec(s, t);
	sup_event_maps(s, t, 0);
	if (root)
		s->root_exec_at = clock_ticks(s->out.clock);
	if (s->hooks && s->hooks->on_exec)
		s->hooks->on_exec(s, t);
	if (root && s->hold_root)
		return;
	sup_resume(s, t, 0);
}

/* ---- death ---- */

static void root_death(struct supervisor *s, struct sup_task *t, int status)
{
	struct sup_group *g = sup_group_of(t);

	if (t->base.tid != g->base.pid || !g->root)
		return;
	s->roots_left--;
	if (t->base.tid != s->root)
		return;
	s->root_dead = true;
	s->have_status = true;
	s->root_status = status;
}

/* A thread that dies while another one is in execve, and did not ask to. */
static bool superseded(const struct sup_task *t)
{
	const struct sup_group *g = sup_group_of(t);

	return g->exec_pending && t->base.tid != g->base.pid && t->special != SUP_EXECVE &&
	       !(t->in_call && t->recorded);
}

static void death_tell(struct supervisor *s, struct sup_task *t, int status, const struct rusage *usage)
{
	bool leader = t->base.tid == t->base.group->pid, told;
	uint16_t flags = superseded(t) ? TRACER_EVF_SUPERSEDED : 0;

	t->base.state = TRACEE_RUNNING;	/* nothing of it can be read any more */
	if (t->forking)
		s->fork_parent = t->base.tid;
	/* nothing was told of a root that never executed */
	told = t->base.tid != s->root || s->root_execed;
	if (told)
		sup_call_flush(s, t);
	records_end(s, t);
	if (told)
		sup_event_exit(s, t, status, flags, leader ? usage : NULL);
	root_death(s, t, status);
}

void sup_death(struct supervisor *s, struct sup_task *t, int status, const struct rusage *usage)
{
	if (t->base.state == TRACEE_UNTOLD) {
		t->status = status;
		return;
	}
	if (t->base.state != TRACEE_GONE)
		death_tell(s, t, status, usage);
	sup_call_reset(s, t);
	sup_task_del(s, t);
	sup_untold_check(s);
}
