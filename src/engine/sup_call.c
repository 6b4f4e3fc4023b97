/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry and exit of calls: the hot path.  Supervisor thread.  At the entry
 * only numbers are kept (and what must be copied before the call); the record
 * is written at the exit, in place, in the ring.  Where there is no room the
 * task stays in its stop, on the list of the parked, and the wait loop goes
 * on with the others.
 */
#include "config.h"
#include "base/clock.h"
#include "engine/supervisor.h"
#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_HEAD ((uint32_t)sizeof(struct tracer_ev_call))

static const struct {
	const char *name;
	enum sup_special special;
} specials[] = {
	{ "execve", SUP_EXECVE },     { "execveat", SUP_EXECVE },  { "fork", SUP_FORK },
	{ "vfork", SUP_VFORK },       { "clone", SUP_CLONE },      { "clone3", SUP_CLONE3 },
	{ "seccomp", SUP_SECCOMP },   { "prctl", SUP_PRCTL },      { "setuid", SUP_SETUID },
	{ "setuid32", SUP_SETUID },   { "setreuid", SUP_SETUID },  { "setreuid32", SUP_SETUID },
	{ "setresuid", SUP_SETUID },  { "setresuid32", SUP_SETUID },
	{ "write", SUP_OUTPUT },      { "writev", SUP_OUTPUT },    { "pwrite64", SUP_OUTPUT },
	{ "pwritev", SUP_OUTPUT },    { "pwritev2", SUP_OUTPUT },  { "sendfile", SUP_OUTPUT },
	{ "sendfile64", SUP_OUTPUT }, { "splice", SUP_OUTPUT },    { "tee", SUP_OUTPUT },
	{ "ioctl", SUP_OUTPUT },      { "io_uring_enter", SUP_OUTPUT }, { "copy_file_range", SUP_OUTPUT },
};

void sup_special_init(struct supervisor *s)
{
	static const int abis[] = { TRACER_ABI_X86_64, TRACER_ABI_I386 };

	for (unsigned a = 0; a < sizeof(abis) / sizeof(abis[0]); a++) {
		for (unsigned i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
			int nr = syscall_number(abis[a], specials[i].name);

			if (nr >= 0 && nr < ENGINE_CALLS_MAX)
				s->special[abis[a]][nr] = (uint8_t)specials[i].special;
		}
	}
}

static bool makes_task(uint8_t special)
{
	return special >= SUP_FORK && special <= SUP_CLONE3;
}

static void forking_set(struct supervisor *s, struct sup_task *t, bool forking)
{
	s->forking += (size_t)forking - (size_t)t->forking;
	t->forking = forking;
}

static void writing_set(struct supervisor *s, struct sup_task *t, bool writing)
{
	if (writing == t->writing)
		return;
	t->writing = writing;
	(writing ? s->cfg.screen->begin : s->cfg.screen->end)(s->cfg.screen->ctx);
}

void sup_call_reset(struct supervisor *s, struct sup_task *t)
{
	writing_set(s, t, false);
	forking_set(s, t, false);
	t->in_call = t->record = t->recorded = t->hidden = false;
	t->enter_len = 0;
	t->enter_pieces = 0;
}

/* ---- memory ---- */

struct reader {
	struct supervisor *s;
	struct sup_task *t;
};

static ssize_t task_mem_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
	struct reader *r = ctx;
	struct sup_group *g = sup_group_of(r->t);
	ssize_t got = mem_read(&g->base.mem, addr, buf, n);

	if (got == -EFAULT)
		r->s->stats[ENGINE_STAT_FAULTS]++;
	/* told later: a record is under construction right now */
	if (got == -EPERM && !g->told_unreadable)
		r->s->unreadable = true;
	return got;
}

static const char *unreadable_why(const struct mem *m)
{
	if (m->err == -EMFILE || m->err == -ENFILE)
		return "no open file was left for it: ulimit -n";
	return m->err == -ENOENT ? "/proc does not show it" : "not dumpable";
}

void sup_unreadable_tell(struct supervisor *s, struct sup_task *t)
{
	struct sup_group *g = sup_group_of(t);
	const char *why;
	char text[128];

	s->unreadable = false;
	if (g->told_unreadable)
		return;
	g->told_unreadable = true;
	why = unreadable_why(&g->base.mem);
	snprintf(text, sizeof(text), "memory may not be read (%s): no captured bytes", why);
	sup_event_engine(s, t, text);
	log_msg(s->cfg.log, LOG_INFO, "pid %d: its memory may not be read (%s): "
				      "its calls are recorded without captured bytes", (int)g->base.pid, why);
}

const struct capture_plan *sup_plan(const struct supervisor *s, const struct syscall_desc *d)
{
	static const struct capture_plan nothing;

	return s->cfg.results_only ? &nothing : d->capture;
}

static void captures_run(struct supervisor *s, struct sup_task *t, unsigned phase,
			 struct tracer_ev_call *c, uint32_t space)
{
	struct reader r = { s, t };
	struct mem_reader mem = { &r, task_mem_read };

	capture_run(sup_plan(s, t->desc), &s->cfg.limits, &mem, phase, c, space);
}

/* ---- building a record ---- */

static uint32_t call_nargs(const struct supervisor *s, const struct sup_task *t)
{
	return t->desc ? sup_plan(s, t->desc)->nargs : TRACER_ARGS_MAX;
}

static uint32_t call_bound(const struct supervisor *s, const struct sup_task *t)
{
	if (!t->desc)
		return CALL_HEAD + 8 * TRACER_ARGS_MAX;
	if (!sup_plan(s, t->desc)->nrules)
		return CALL_HEAD + 8 * call_nargs(s, t);
	return capture_bound(sup_plan(s, t->desc), &s->cfg.limits);
}

static void call_fill(const struct supervisor *s, const struct sup_task *t, struct tracer_ev_call *c, uint8_t kind)
{
	uint32_t nargs = call_nargs(s, t);

	c->head.kind = kind;
	c->head.abi = t->abi;
	c->head.flags = t->hidden ? TRACER_EVF_HIDDEN : 0;
	c->head.tid = t->base.tid;
	c->head.nr = t->nr;
	c->head.time = t->end;
	c->start = t->start;
	c->ret = t->ret;
	c->ip = t->ip;
	c->caller = 0;
	c->nargs = (uint8_t)nargs;
	c->ncaptures = t->enter_pieces;
	c->reserved0 = 0;
	c->reserved1 = 0;
	memcpy(c->args, t->args, 8 * nargs);
	c->head.size = CALL_HEAD + 8 * nargs + t->enter_len;
	if (t->enter_len)
		memcpy(&c->args[nargs], t->enter, t->enter_len);
}

/* readable: the task stands still, so its memory can be copied. */
static void call_build(struct supervisor *s, struct sup_task *t, struct tracer_ev_call *c, uint8_t kind,
		       uint32_t space, bool readable)
{
	call_fill(s, t, c, kind);
	if (kind == TRACER_EV_CALL && t->error)
		c->head.flags |= TRACER_EVF_ERROR | (arch_restarts(t->ret) ? TRACER_EVF_RESTARTED : 0);
	if (!readable || !t->desc || !sup_plan(s, t->desc)->nrules)
		return;
	if (kind == TRACER_EV_ENTER) {
		/* what the call would have written is not there */
		c->head.flags |= TRACER_EVF_ERROR;
		captures_run(s, t, 0, c, space);
		c->head.flags &= (uint16_t)~TRACER_EVF_ERROR;
	} else {
		captures_run(s, t, 0, c, space);
	}
}

/* False: no room, and the policy says to wait. */
static bool call_emit(struct supervisor *s, struct sup_task *t, uint8_t kind)
{
	uint32_t bound = call_bound(s, t);
	struct tracer_event *ev = emitter_reserve(&s->out, bound);

	if (!ev) {
		if (!s->out.drop)
			return false;
		emitter_add_lost(&s->out);
		return true;
	}
	call_build(s, t, (struct tracer_ev_call *)ev, kind, bound, true);
	emitter_commit(&s->out, ev);
	s->stats[ENGINE_STAT_CALLS_TWO_STOPS]++;
	return true;
}

/* For a task that can't wait any more: dead, superseded or about to be detached. */
static void call_write(struct supervisor *s, struct sup_task *t, uint8_t kind, bool readable)
{
	struct tracer_ev_call *c = (struct tracer_ev_call *)s->out.scratch;

	call_build(s, t, c, kind, call_bound(s, t), readable);
	emitter_write(&s->out, &c->head);
	s->stats[ENGINE_STAT_CALLS_TWO_STOPS]++;
}

void sup_call_flush(struct supervisor *s, struct sup_task *t)
{
	if (t->parked == SUP_PARKED_EXIT) {
		call_write(s, t, TRACER_EV_CALL, t->base.state == TRACEE_STOPPED);
	} else if (t->in_call && t->record && !t->recorded) {
		t->end = s->now > t->start ? s->now : t->start;
		t->ret = 0;
		call_write(s, t, TRACER_EV_ENTER, t->base.state == TRACEE_STOPPED);
	}
	s->unreadable = false;
	sup_park_del(s, t);
	sup_call_reset(s, t);
}

/* ---- parking ---- */

static void park(struct supervisor *s, struct sup_task *t, enum sup_parked how)
{
	task_set_state(&s->tasks, &t->base, TRACEE_STOPPED);
	t->parked = (uint8_t)how;
	t->parked_at = clock_mono_ns();
	t->park_next = NULL;
	*s->park_last = t;
	s->park_last = &t->park_next;
	s->parked++;
	s->stats[ENGINE_STAT_PARKED]++;
}

static void park_end(struct supervisor *s, struct sup_task *t)
{
	s->stats[ENGINE_STAT_PARKED_NS] += clock_mono_ns() - t->parked_at;
	t->parked = SUP_NOT_PARKED;
	s->parked--;
}

void sup_park_del(struct supervisor *s, struct sup_task *t)
{
	struct sup_task **p = &s->park_first;

	if (!t->parked)
		return;
	while (*p != t)
		p = &(*p)->park_next;
	*p = t->park_next;
	if (s->park_last == &t->park_next)
		s->park_last = p;
	park_end(s, t);
}

static void entry_finish(struct supervisor *s, struct sup_task *t);
static void exit_finish(struct supervisor *s, struct sup_task *t);

bool sup_park_retry(struct supervisor *s)
{
	struct sup_task *t;

	while ((t = s->park_first)) {
		enum sup_parked how = t->parked;

		if (!call_emit(s, t, how == SUP_PARKED_EXIT ? TRACER_EV_CALL : TRACER_EV_ENTER))
			return false;
		sup_park_del(s, t);
		if (how == SUP_PARKED_EXIT)
			exit_finish(s, t);
		else
			entry_finish(s, t);
	}
	return true;
}

/* ---- entry ---- */

static void entry_captures(struct supervisor *s, struct sup_task *t)
{
	uint32_t bound = capture_bound(sup_plan(s, t->desc), &s->cfg.limits), len;
	struct tracer_ev_call *c = (struct tracer_ev_call *)s->out.scratch;
	uint32_t base = CALL_HEAD + 8 * call_nargs(s, t);

	call_fill(s, t, c, TRACER_EV_CALL);
	captures_run(s, t, CAP_F_ENTER, c, bound);
	len = c->head.size - base;
	if (len > t->enter_cap) {
		uint8_t *p = realloc(t->enter, len);

		if (!p)
			return;
		t->enter = p;
		t->enter_cap = len;
	}
	memcpy(t->enter, (uint8_t *)c + base, len);
	t->enter_len = len;
	t->enter_pieces = c->ncaptures;
}

static void x32_tell(struct supervisor *s, struct sup_task *t)
{
	struct sup_group *g = sup_group_of(t);

	if (g->told_x32)
		return;
	g->told_x32 = true;
	sup_event_engine(s, t, "x32 calls are not supported: recorded by number only");
	log_msg(s->cfg.log, LOG_WARN, "pid %d makes x32 calls: they are not supported and recorded by number only",
		(int)g->base.pid);
}

static void call_choose(struct supervisor *s, struct sup_task *t, int abi)
{
	bool selected;

	t->abi = (uint8_t)(abi < 0 ? s->arch->abi : abi);
	t->desc = abi < 0 ? NULL : syscall_lookup(abi, t->nr);
	t->special = t->nr >= 0 && t->nr < ENGINE_CALLS_MAX ? s->special[t->abi][t->nr] : SUP_PLAIN;
	if (abi < 0) {
		x32_tell(s, t);
		t->special = SUP_PLAIN;
	}
	selected = sup_selected(s, t->abi, t->nr);
	t->hidden = !selected && sup_keeps_state(s, t->desc);
	t->record = selected || t->hidden;
}

/* Recorded at its entry.  execve has the flag, too, but we see its end. */
static bool never_returns(const struct sup_task *t)
{
	return t->record && t->desc && t->desc->flags & SYSCALL_F_NORETURN && t->special != SUP_EXECVE;
}

static void entry_finish(struct supervisor *s, struct sup_task *t)
{
	if (s->unreadable)
		sup_unreadable_tell(s, t);
	t->recorded = never_returns(t);
	if (!t->recorded)
		t->start = clock_ticks(s->out.clock);
	sup_resume(s, t, 0);
}

static inline void context_look(struct supervisor *s, struct sup_task *t)
{
	if (sup_group_of(t)->context.how != SUP_CONTEXT_NONE)
		sup_context_look(s, t);
}

static void call_entry(struct supervisor *s, struct sup_task *t, const struct ptrace_syscall_info *info)
{
	uint64_t nr = info->entry.nr;

	/* before the exec of the root there is nothing but our own start-up code */
	t->nr = (int)nr;
	t->ip = info->instruction_pointer;
	for (unsigned i = 0; i < TRACER_ARGS_MAX; i++)
		t->args[i] = info->entry.args[i];
	call_choose(s, t, s->arch->abi_of(info->arch, nr));
	if (t->base.tid == s->root && !s->root_execed && t->special != SUP_EXECVE) {
		sup_resume(s, t, 0);
		return;
	}
	t->in_call = true;
	t->recorded = false;
	t->enter_len = 0;
	t->enter_pieces = 0;
	if (makes_task(t->special))
		forking_set(s, t, true);
	else if (t->special == SUP_EXECVE)
		sup_group_of(t)->exec_pending = true;
	else if (t->special == SUP_OUTPUT && s->cfg.screen)
		writing_set(s, t, true);
	if (t->record && t->desc && capture_any_early(sup_plan(s, t->desc), t->args))
		entry_captures(s, t);
	if (never_returns(t)) {
		context_look(s, t);
		t->start = t->end = s->now;
		t->ret = 0;
		if (!call_emit(s, t, TRACER_EV_ENTER)) {
			park(s, t, SUP_PARKED_ENTRY);
			return;
		}
	}
	entry_finish(s, t);
}

/* ---- exit ---- */

/* A filter of the program's own may answer calls before ours does: from then on
 * every call of it stops, whatever our filter says. */
static void filter_changed(struct supervisor *s, struct sup_task *t)
{
	struct tracee *o;

	if (!s->filter)
		return;
	for (o = t->base.group->first; o; o = o->sibling)
		((struct sup_task *)o)->all_calls = true;
}

static void call_effects(struct supervisor *s, struct sup_task *t)
{
	switch (t->special) {
	case SUP_SECCOMP:
		filter_changed(s, t);
		break;
	case SUP_PRCTL:
		if (t->args[0] == PR_SET_SECCOMP)
			filter_changed(s, t);
		else if (t->args[0] == PR_SET_NAME)
			sup_event_comm(s, t);
		break;
	case SUP_SETUID:
		sup_group_of(t)->uid = -1;
		break;
	default:
		break;
	}
}

static void exit_finish(struct supervisor *s, struct sup_task *t)
{
	if (s->unreadable)
		sup_unreadable_tell(s, t);
	if (t->special != SUP_PLAIN) {
		if (t->special == SUP_PRCTL)
			sup_context_prctl(s, t);
		if (!t->error)
			call_effects(s, t);
		else if (t->special == SUP_EXECVE)
			sup_group_of(t)->exec_pending = false;
	}
	if (s->cfg.maps && !t->error && t->desc && t->desc->state == STATE_MMAP)
		sup_event_map(s, t);
	sup_call_reset(s, t);
	sup_resume(s, t, 0);
}

static void call_exit(struct supervisor *s, struct sup_task *t, const struct ptrace_syscall_info *info)
{
	bool emit = t->record && !t->recorded;

	if (!t->in_call) {
		sup_resume(s, t, 0);
		return;
	}
	t->end = s->now > t->start ? s->now : t->start;
	if (s->root_exec_at && t->base.tid == s->root) {
		/* from there on it waited for the agent; nothing has been told since */
		t->end = s->root_exec_at > t->start ? s->root_exec_at : t->start;
		s->root_exec_at = 0;
	}
	t->ret = info->exit.rval;
	t->error = info->exit.is_error;
	/* the root's failed tries are told by the result of start() */
	if (t->base.tid == s->root && !s->root_execed)
		emit = false;
	/* interrupted by us, to be let go: for the program it goes on */
	if (t->interrupted && s->detaching && t->error &&
	    (arch_restarts(t->ret) || (t->ret == -EINTR && sup_call_undo(s, t)))) {
		sup_resume(s, t, 0);
		return;
	}
	if (emit)
		context_look(s, t);
	if (emit && !call_emit(s, t, TRACER_EV_CALL)) {
		park(s, t, SUP_PARKED_EXIT);
		return;
	}
	exit_finish(s, t);
}

void sup_call_stop(struct supervisor *s, struct sup_task *t, bool seccomp)
{
	struct ptrace_syscall_info info;
	int r = tracee_call_load(t->base.tid, &info);

	if (r < 0)
		return;
	if (seccomp && t->in_call)
		sup_resume(s, t, 0);	/* it stopped at the entry already */
	else if (info.op == PTRACE_SYSCALL_INFO_ENTRY || info.op == PTRACE_SYSCALL_INFO_SECCOMP)
		call_entry(s, t, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		call_exit(s, t, &info);
	else
		sup_resume(s, t, 0);
}
