/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tracer that is attached in the program itself (--engine inproc -p) must not just vanish: the program's code
 * has jumps into memory that somebody has to take back.  So what the user has started, knows the number of and
 * may kill is not the tracer but a front of it, which starts the tracer as a child with a process group and a
 * name of its own, hands signals on and ends as it ends.  When the front is killed the kernel sends the child a
 * SIGTERM, and the program is let go as after any other SIGTERM.  Main thread, before there is a session.
 */
#include "config.h"
#include "cli.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_NAME "attached-trace"	/* for "pkill tracer" it is not */

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
	snprintf(message, sizeof(message), "the process that traced was killed by signal %d; the program may not outlive "
					   "that (docs/LIMITS.md)", WTERMSIG(status));
	cli_log(NULL, TRACER_LOG_ERROR, message);
	cli_die_of(WTERMSIG(status));
	return 128 + WTERMSIG(status);
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
	child = fork();
	if (child < 0) {
		cli_log(NULL, TRACER_LOG_ERROR, strerror(errno));
		return CLI_EXIT_FAILURE;
	}
	return child ? front_run(child, &set) : child_start(front, &mask);
}
