/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fork and exec of the root program.  spawn_open() runs on the supervisor
 * thread; child_run() and what it calls run in the forked child, where only
 * async-signal-safe functions are allowed (other threads of the tracer may
 * have held any lock).  Both pipes are close-on-exec: the program sees
 * neither.  All signals are blocked around the fork, so that none of the
 * tracer's handlers ever runs in the child.
 */
#include "config.h"
#include "tracee/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/open_fds.h"

#define GROUPS_MAX 1024
#define SCRIPT_ARGS_MAX 4096

struct failure {
	int step, err;
};

struct child {
	const struct spawn_plan *plan;
	int go, failed;
	sigset_t mask;
	gid_t *groups;
	int ngroups;
};

static void child_fail(const struct child *c, int step, int err)
{
	struct failure f = { .step = step, .err = err };
	ssize_t n = write(c->failed, &f, sizeof(f));

	(void)n;
	_exit(127);
}

static void dispositions_set(const struct spawn_plan *p)
{
	for (int sig = 1; sig <= 64; sig++) {
		uint64_t bit = 1ull << (sig - 1);

		if (p->changed & bit)
			signal(sig, p->ignored & bit ? SIG_IGN : SIG_DFL);
	}
}

/* The raw calls: glibc's would try to tell the other threads, which are not here. */
static int user_set(const struct child *c)
{
	const struct spawn_plan *p = c->plan;

	if (!p->run_as)
		return 0;
	if (syscall(SYS_setgroups, (long)c->ngroups, c->groups) < 0 ||
	    syscall(SYS_setresgid, p->gid, p->gid, p->gid) < 0 ||
	    syscall(SYS_setresuid, p->uid, p->uid, p->uid) < 0)
		return -errno;
	return 0;
}

/* What execvp() does with a file that has no #! line: the shell reads it. */
static void script_run(const struct spawn_plan *p)
{
	static const char shell[] = "/bin/sh";
	char *args[SCRIPT_ARGS_MAX];
	size_t n = 0;

	args[n++] = (char *)shell;
	args[n++] = (char *)p->file;
	for (char *const *a = p->argv + (p->argv[0] != NULL); *a && n < SCRIPT_ARGS_MAX - 1; a++)
		args[n++] = *a;
	args[n] = NULL;
	execve(shell, args, p->envp);
	errno = ENOEXEC;
}

static void child_run(const struct child *c)
{
	const struct spawn_plan *p = c->plan;
	const sigset_t *mask = p->mask ? p->mask : &c->mask;
	ssize_t n;
	char go;
	int r;

	/* Until it stops itself none of its calls is a stop; all signals are blocked. */
	dispositions_set(p);
	if (p->fds)
		open_fds_set_private(p->fds, p->nfds);
	if (p->no_handlers)	/* else as late as can be */
		sigprocmask(SIG_SETMASK, mask, NULL);
	do
		n = read(c->go, &go, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(127);	/* the tracer gave up */
	/* before the privileges go: a filter without them would need NO_NEW_PRIVS */
	r = p->prepare ? p->prepare(p->ctx) : 0;
	if (r < 0)
		child_fail(c, SPAWN_PREPARE, r);
	r = user_set(c);
	if (r < 0)
		child_fail(c, SPAWN_USER, r);
	if (!p->no_handlers)
		sigprocmask(SIG_SETMASK, mask, NULL);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSTOP);
	execve(p->file, p->argv, p->envp);
	if (errno == ENOEXEC)
		script_run(p);
	child_fail(c, SPAWN_EXEC, -errno);
}

static int groups_load(struct child *c)
{
	const struct spawn_plan *p = c->plan;

	if (!p->run_as)
		return 0;
	c->ngroups = GROUPS_MAX;
	c->groups = malloc(sizeof(*c->groups) * GROUPS_MAX);
	if (!c->groups)
		return -ENOMEM;
	if (!p->user || getgrouplist(p->user, p->gid, c->groups, &c->ngroups) < 0) {
		c->groups[0] = p->gid;
		c->ngroups = 1;
	}
	return 0;
}

static int child_fork(struct spawn *s, struct child *c)
{
	sigset_t all;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &c->mask);
	pid = fork();
	if (pid == 0) {
		close(s->go);	/* so that the tracer's end is the end of file */
		child_run(c);
	}
	s->pid = pid < 0 ? -errno : pid;
	pthread_sigmask(SIG_SETMASK, &c->mask, NULL);
	return pid < 0 ? s->pid : 0;
}

int spawn_open(struct spawn *s, const struct spawn_plan *plan)
{
	struct child c = { .plan = plan, .go = -1, .failed = -1 };
	int go[2] = { -1, -1 }, failed[2] = { -1, -1 }, r;

	*s = (struct spawn){ .pid = -1, .go = -1, .go_read = -1, .failed = -1 };
	r = groups_load(&c);
	if (r < 0)
		return r;
	if (pipe2(go, O_CLOEXEC) < 0) {
		r = -errno;
	} else if (pipe2(failed, O_CLOEXEC) < 0) {
		r = -errno;
		close(go[0]);
		close(go[1]);
	} else {
		c.go = go[0];
		c.failed = failed[1];
		s->go = go[1];
		s->go_read = go[0];
		s->failed = failed[0];
		r = child_fork(s, &c);
	}
	if (failed[1] >= 0)
		close(failed[1]);
	if (r < 0)
		spawn_close(s);
	free(c.groups);
	return r;
}

int spawn_start(struct spawn *s)
{
	ssize_t n = write(s->go, "", 1);

	return n == 1 ? 0 : -errno;
}

enum spawn_step spawn_error(struct spawn *s, int *err)
{
	struct failure f;

	*err = 0;
	if (read(s->failed, &f, sizeof(f)) != sizeof(f))
		return SPAWN_NONE;
	*err = f.err;
	return (enum spawn_step)f.step;
}

void spawn_close(struct spawn *s)
{
	if (s->go >= 0)
		close(s->go);
	if (s->go_read >= 0)
		close(s->go_read);
	if (s->failed >= 0)
		close(s->failed);
	s->go = s->go_read = s->failed = -1;
}
