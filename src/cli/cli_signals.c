/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of the command itself.  Handlers run on the main thread (all others
 * block everything).  They pass signals on to the traced program, or ask the
 * session to detach, and they never end the tool before the last spans are out.
 *
 * What was ignored when we were started stays ignored (nohup, background jobs), for us and the
 * program.  Attached to a program that somebody else started we listen to SIGINT all the same:
 * a script's background commands have it ignored, and it is how to say "detach".
 */
#include "config.h"
#include "cli.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Handlers have no argument of ours: the one place with state of its own. */
static struct tracer_session *_Atomic session;
static atomic_int attached_mode, interrupts, early_signal;
static struct sigaction before[65];
static sigset_t mask_before;
static uint64_t changed;

static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
/* The terminal stops the program, and that stops us (engine's job_control): a program that handles ^Z
 * needs us until it has stopped.  A closed pipe is an error code, not a death. */
static const int ignored[] = { SIGTSTP, SIGTTOU, SIGTTIN, SIGPIPE };

static void on_signal(int sig, siginfo_t *info, void *context)
{
	struct tracer_session *s = atomic_load(&session);
	int saved = errno;

	(void)context;
	if (sig == SIGINT && atomic_fetch_add(&interrupts, 1) && s)
		tracer_session_abort(s);
	if (!s)
		atomic_store(&early_signal, sig);
	else if (atomic_load(&attached_mode))
		tracer_session_stop(s);
	else if (info->si_code != SI_KERNEL)	/* the terminal's goes to the whole group */
		tracer_session_forward(s, sig);
	errno = saved;
}

static void change(int sig, const struct sigaction *sa, bool always)
{
	sigaction(sig, NULL, &before[sig]);
	if (before[sig].sa_handler == SIG_IGN && !always)
		return;
	sigaction(sig, sa, NULL);
	changed |= 1ull << (sig - 1);
}

void cli_signals_start(struct tracer_inherit *inherit, bool attaching)
{
	struct sigaction handler = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, dflt = { .sa_handler = SIG_DFL };
	sigset_t open;

	sigfillset(&handler.sa_mask);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		change(forwarded[i], &handler, attaching && forwarded[i] == SIGINT);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		change(ignored[i], &ignore, false);
	/* With SIGCHLD ignored children leave no status; with these blocked we would be deaf. */
	sigaction(SIGCHLD, NULL, &before[SIGCHLD]);
	sigaction(SIGCHLD, &dflt, NULL);
	changed |= 1ull << (SIGCHLD - 1);
	sigemptyset(&open);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&open, forwarded[i]);
	sigaddset(&open, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &open, &mask_before);
	*inherit = (struct tracer_inherit){ .mask = mask_before, .changed = changed };
	if (before[SIGCHLD].sa_handler == SIG_IGN)
		inherit->ignored |= 1ull << (SIGCHLD - 1);
}

void cli_signals_set_session(struct tracer_session *s, int attached)
{
	int early;

	atomic_store(&attached_mode, attached);
	atomic_store(&session, s);
	early = atomic_exchange(&early_signal, 0);
	if (s && early)
		raise(early);
}

void cli_signals_stop(void)
{
	atomic_store(&session, NULL);
	for (int sig = 1; sig < 65; sig++)
		if (changed >> (sig - 1) & 1)
			sigaction(sig, &before[sig], NULL);
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

void cli_die_of(int sig)
{
	struct rlimit none = { 0, 0 };
	struct sigaction dflt = { .sa_handler = SIG_DFL };
	sigset_t one;

	/* The program has left its core; a pipe in core_pattern ignores the limit. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	sigaction(sig, &dflt, NULL);
	sigemptyset(&one);
	sigaddset(&one, sig);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	kill(getpid(), sig);
}
