/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helpers of the tests of engines: a program that somebody else has started, a
 * stop from another thread, whether this machine lets us trace at all.  The
 * caller is the supervisor; each helper's thread lives as long as what it made.
 */
#include "config.h"
#include "engine_target.h"
#include "tracee/proc_fs.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "syscalls/syscalls.h"

#define STOP_AFTER_US 150000

static void *target_fork(void *arg)
{
	struct target *t = arg;
	const char *builddir = getenv("builddir");
	char path[4096];
	int fds[2];

	snprintf(path, sizeof(path), strchr(t->argv[0], '/') ? "%s" : "%2$s/%1$s", t->argv[0],
		 builddir ? builddir : ".");
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	t->pid = fork();
	if (t->pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execv(path, t->argv);
		_exit(127);
	}
	close(fds[1]);
	t->out = fds[0];
	pthread_barrier_wait(&t->forked);
	/* a thread's children move to another one when it ends */
	for (;;)
		pause();
	return NULL;
}

void target_read_line(struct target *t, const char *want)
{
	char line[64];
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(t->out, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	ck_assert_str_eq(line, want);
}

/* Forked by another thread: it is no business of the supervisor's wait. */
void target_open(struct target *t, char *const argv[])
{
	pthread_t thread;

	t->argv = (char **)argv;
	pthread_barrier_init(&t->forked, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, target_fork, t), 0);
	pthread_detach(thread);
	pthread_barrier_wait(&t->forked);
}

int target_close(struct target *t)
{
	int status;

	ck_assert_int_eq(waitpid(t->pid, &status, 0), t->pid);
	close(t->out);
	return status;
}

static int untraced_check(void *ctx, pid_t tid)
{
	struct proc_status st;

	ck_assert_int_eq(proc_status_load(tid, &st), 0);
	ck_assert_msg(st.tracer == 0, "thread %d is still traced", tid);
	++*(unsigned *)ctx;
	return 0;
}

unsigned target_count_untraced(pid_t pid)
{
	unsigned n = 0;

	ck_assert_int_eq(proc_tasks_read(pid, untraced_check, &n), 0);
	return n;
}

static void *stopper(void *arg)
{
	struct engine_run *run = arg;

	usleep(run->stop_after_us ? run->stop_after_us : STOP_AFTER_US);
	run->ops->stop(run->engine);
	return NULL;
}

void engine_run_stop_later(struct engine_run *run)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, stopper, run), 0);
	pthread_detach(t);
}

void engine_run_select(struct engine_run *r, const char *name)
{
	r->selection.all = false;
	for (int abi = 0; abi < 2; abi++) {
		int nr = syscall_number(abi, name);

		if (nr >= 0)
			r->selection.bits[abi][nr / 64] |= 1ull << (nr % 64);
	}
}

static int refused(void)
{
	pid_t pid = fork();
	long err;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	err = ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	return err < 0;
}

int engine_suite_run(Suite *suite)
{
	SRunner *runner;
	int failed;

	if (refused()) {
		puts("SKIP: ptrace is refused here");
		return 77;
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
