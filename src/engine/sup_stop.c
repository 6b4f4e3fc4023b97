/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a wait status to whom it concerns, and how a task goes on.  Supervisor
 * thread.  While everything is let go (detaching) a stop ends in a detach
 * instead of a resume; nothing else differs.
 */
#include "config.h"
#include "engine/supervisor.h"
#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tracee/proc_fs.h"

static enum tracee_resume resume_how(const struct supervisor *s, const struct sup_task *t)
{
	if (s->hooks && s->hooks->resume_how)
		return s->hooks->resume_how(s, t);
	return s->filter && !t->all_calls && !t->in_call ? TRACEE_CONT : TRACEE_CALL;
}

bool sup_trap_waits(const struct sup_task *t)
{
	struct proc_status st;

	return proc_status_load(t->base.tid, &st) == 0 && ((st.pending & ~st.blocked) >> (SIGSYS - 1) & 1);
}

void sup_resume(struct supervisor *s, struct sup_task *t, int sig)
{
	/* that SIGSYS would kill a program that nobody catches it for */
	if ((s->detaching || t->let_go) && !sig && s->hooks && sup_trap_waits(t)) {
		t->base.state = TRACEE_RUNNING;
		tracee_resume(t->base.tid, TRACEE_CONT, 0);
		return;
	}
	if (s->detaching || t->let_go) {
		sup_task_detach(s, t, sig);
		return;
	}
	t->base.state = TRACEE_RUNNING;
	tracee_resume(t->base.tid, resume_how(s, t), sig);
}

/* What the program that we start does before its exec, so that we need not stop it at each call of its
 * preparations (spawn.h). */
static bool start_stop(const struct supervisor *s, const struct sup_task *t, const siginfo_t *info)
{
	return t->base.tid == s->root && !s->root_execed && info->si_signo == SIGSTOP && info->si_code == SI_TKILL &&
	       info->si_pid == s->root;
}

static void signal_stop(struct supervisor *s, struct sup_task *t, int sig)
{
	siginfo_t info;

	if (tracee_siginfo_load(t->base.tid, &info) < 0)
		return;
	if (start_stop(s, t, &info)) {
		sup_resume(s, t, 0);
		return;
	}
	s->stats[ENGINE_STAT_SIGNAL_STOPS]++;
	if (s->hooks && s->hooks->on_signal && s->hooks->on_signal(s, t, &info))
		return;
	sup_event_signal(s, t, sig, &info);
	sup_resume(s, t, sig);
}

static bool all_listen(const struct supervisor *s)
{
	struct tracee *t;

	for (size_t pos = 0; (t = task_next(&s->tasks, &pos));)
		if (t->state != TRACEE_LISTENING && t->state != TRACEE_GONE)
			return false;
	return true;
}

/* By the same signal as the program, so that the shell is told the same; to this thread, so that it
 * returns when that is over. */
static void stop_self(int sig)
{
	struct sigaction dflt = { .sa_handler = SIG_DFL }, before;
	sigset_t one, mask;

	sigemptyset(&one);
	sigaddset(&one, sig);
	sigaction(sig, &dflt, &before);
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), sig);
	pthread_sigmask(SIG_UNBLOCK, &one, &mask);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	sigaction(sig, &before, NULL);
}

/* Nothing runs that could need us: the shell is shown what it would see natively, a job that
 * stopped.  A SIGCONT for the job has reached the program as well; one for us alone is handed on. */
static void job_stop(struct supervisor *s, int sig)
{
	siginfo_t info = { .si_pid = 0 };

	if (!s->cfg.job_control || !s->root || s->detaching || (sig != SIGTSTP && sig != SIGTTIN && sig != SIGTTOU) ||
	    !all_listen(s) || getpgid(s->root) != getpgrp())
		return;
	stop_self(sig);
	if (waitid(P_PID, (id_t)s->root, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0 && !info.si_pid)
		kill(s->root, SIGCONT);
}

/* A stop by job control.  LISTEN leaves it stopped for the outside and tells us
 * when that ends. */
static void group_stop(struct supervisor *s, struct sup_task *t, int sig)
{
	if (t->base.state != TRACEE_LISTENING)
		sup_event_signal(s, t, sig, NULL);
	if (s->detaching || t->let_go) {
		sup_task_detach(s, t, 0);	/* the kernel keeps it stopped */
		return;
	}
	t->base.state = TRACEE_LISTENING;
	tracee_listen(t->base.tid);
	job_stop(s, sig);
}

static void trap_stop(struct supervisor *s, struct sup_task *t)
{
	if (t->interrupted && !t->in_call)
		sup_call_undo(s, t);
	t->interrupted = false;
	if (s->hooks && s->hooks->on_trap && !s->hooks->on_trap(s, t))
		return;
	sup_resume(s, t, 0);
}

static void first_stop(struct supervisor *s, struct sup_task *t)
{
	if (t->base.state != TRACEE_EXPECTED)
		return;
	t->base.state = TRACEE_STOPPED;
	if (s->hooks && s->hooks->on_first_stop)
		s->hooks->on_first_stop(s, t);
}

static void task_stop(struct supervisor *s, struct sup_task *t, const struct stop *stop)
{
	if (t->base.state == TRACEE_GONE)
		return;
	first_stop(s, t);
	switch (stop->kind) {
	case STOP_CALL:
		sup_call_stop(s, t, false);
		return;
	case STOP_SECCOMP:
		sup_call_stop(s, t, true);
		return;
	case STOP_SIGNAL:
		signal_stop(s, t, stop->sig);
		return;
	case STOP_GROUP:
		group_stop(s, t, stop->sig);
		return;
	case STOP_TRAP:
		trap_stop(s, t);
		return;
	case STOP_BIRTH:
		sup_birth_stop(s, t, stop->event);
		return;
	case STOP_EXEC:
		sup_exec_stop(s, t);
		return;
	default:
		sup_resume(s, t, 0);
	}
}

static void stop_count(struct supervisor *s, const struct stop *stop)
{
	s->stats[ENGINE_STAT_STOPS]++;
	if (stop->event)
		s->stats[ENGINE_STAT_EVENT_STOPS]++;
}

void sup_status_load(struct supervisor *s, pid_t tid, int status, const struct rusage *usage)
{
	struct sup_task *t = sup_lookup(s, tid);
	struct stop stop;

	stop_parse(status, &stop);
	if (!t) {
		sup_untold_add(s, tid, status);
		return;
	}
	if (stop.kind == STOP_EXITED || stop.kind == STOP_KILLED) {
		sup_death(s, t, status, usage);
		return;
	}
	stop_count(s, &stop);
	if (t->base.state == TRACEE_UNTOLD)
		t->status = status;
	else
		task_stop(s, t, &stop);
}
