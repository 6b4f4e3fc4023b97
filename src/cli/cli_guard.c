/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tracer that is attached in the program itself (--engine inproc -p) must not just vanish: the program's
 * code has jumps into memory that somebody has to take back.  So what the user has started, knows the number
 * of and may kill is not the tracer but a front of it, which starts the tracer as a child with a process
 * group and a name of its own, hands signals on and ends as it ends.  When the front is killed the kernel
 * sends the child a SIGTERM, and the program is let go as after any other SIGTERM.  Main thread, before there
 * is a session.
 *
 * When the child is killed the program makes its calls itself from there on.  It sees that in a word where
 * the kernel replaces the child's number, and its kernel looks at one byte of that, which has to be 1 until
 * then: so the child is one whose number has a 1 in one of its two lower bytes (arena_watch()).
 */
#include "config.h"
#include "cli.h"
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_NAME "attached-trace"	/* for "pkill tracer" it is not */
#define NUMBERS_MAX 4096	/* tried until one fits; it is one of 256, where nobody else takes it */

static const int handed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

static int child_start(pid_t front, const sigset_t *mask)
{
	setpgid(0, 0);
	prctl(PR_SET_NAME, CHILD_NAME);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigprocmask(SIG_SETMASK, mask, NULL);
	/* killed before the kernel knew of our wish */
	if (getppid() != front)
		raise(SIGTERM);
	return -1;
}

static int ended(int status)
{
	char message[128];

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	snprintf(message, sizeof(message), "the process that traced was killed by signal %d; the program goes on, and "
					   "nothing records it (docs/LIMITS.md)", WTERMSIG(status));
	cli_log(NULL, TRACER_LOG_ERROR, message);
	cli_die_of(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static bool number_fits(pid_t pid)
{
	return (pid & 0xff) == 1 || (pid >> 8 & 0xff) == 1;
}

/* The next number but this one is taken, so that it fits perhaps. */
static pid_t number_skip(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid;
}

/* As fork().  Where no number fits soon, any will do. */
static pid_t child_fork(void)
{
	for (unsigned i = 0; i < NUMBERS_MAX; i++) {
		pid_t pid = number_skip();

		if (pid < 0 || !number_fits(pid + 1))
			continue;
		pid = fork();
		if (pid < 0 || number_fits(pid ? pid : getpid()))
			return pid;
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return fork();
}

/* All of set is blocked: nothing comes in between. */
static int front_run(pid_t child, const sigset_t *set)
{
	int status, sig;

	for (;;) {
		sig = sigwaitinfo(set, NULL);
		if (sig == SIGCHLD && waitpid(child, &status, WNOHANG) == child)
			return ended(status);
		if (sig > 0 && sig != SIGCHLD)
			kill(child, sig);
	}
}

int cli_guard_start(void)
{
	struct sigaction dflt = { .sa_handler = SIG_DFL };
	sigset_t set, mask;
	pid_t front = getpid(), child;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof(handed_on) / sizeof(handed_on[0]); i++)
		sigaddset(&set, handed_on[i]);
	sigaction(SIGCHLD, &dflt, NULL);
	sigprocmask(SIG_BLOCK, &set, &mask);
	child = child_fork();
	if (child < 0) {
		cli_log(NULL, TRACER_LOG_ERROR, strerror(errno));
		return CLI_EXIT_FAILURE;
	}
	return child ? front_run(child, &set) : child_start(front, &mask);
}
