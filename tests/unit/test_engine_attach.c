/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Beginning and end of tracing: attach and detach, what is left behind, stop
 * and forward from other threads, refusals, users, what a program inherits.
 * Skipped (77) where ptrace is forbidden.
 */
#include "config.h"
#include "engine_target.h"
#include "syscalls/syscalls.h"
#include "tracee/proc_fs.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tracer/error.h>

static struct engine_run r;
static char file[64];

static void setup(void)
{
	engine_run_init(&r);
	snprintf(file, sizeof(file), "/tmp/engine_attach.%d", (int)getpid());
}

static void teardown(void)
{
	unlink(file);
	engine_run_fini(&r);
}

#define RUN(...) engine_run_program(&r, (char *const[]){ __VA_ARGS__, NULL })

/* For tests that are run with each engine that attaches. */
static const char *const engine_names[] = { "ptrace", "inproc" };
#define ENGINES 2

static void use_engine(int i)
{
	r.ops = engine_lookup(engine_names[i]);
	r.cfg.named = true;
}

static unsigned flagged(int kind, unsigned flag)
{
	unsigned n = 0;

	for (const struct tracer_event *ev = NULL; (ev = engine_run_next(&r, ev));)
		n += ev->kind == kind && ev->flags & flag;
	return n;
}

static void attach_ok(pid_t pid)
{
	r.started = engine_run_stop_later;
	engine_run_attach(&r, pid);
	ck_assert_msg(r.err == 0, "%d\n%s", r.err, r.log);
	engine_run_check(&r);
}

/* ---- attach ---- */

START_TEST(attach_and_stop)
{
	struct target t;

	use_engine(_i);
	close(open(file, O_CREAT | O_WRONLY, 0666));
	target_open(&t, (char *[]){ "fx_spin", "1", file, NULL });
	target_read_line(&t, "ready");
	attach_ok(t.pid);
	ck_assert(!r.result.have_status);
	ck_assert_uint_eq(r.result.detached, 1);
	ck_assert_uint_eq(flagged(TRACER_EV_TASK, TRACER_EVF_ATTACHED), 1);
	ck_assert_uint_eq(flagged(TRACER_EV_EXEC, TRACER_EVF_ATTACHED), 1);
	ck_assert_uint_eq(flagged(TRACER_EV_EXIT, TRACER_EVF_DETACHED), 1);
	ck_assert_uint_ge(engine_run_kind(&r, TRACER_EV_FD), 3);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_CWD), 1);
	ck_assert_uint_gt(engine_run_calls(&r, -1, "getppid"), 100);
	ck_assert_uint_eq(target_count_untraced(t.pid), 1);
	unlink(file);
	target_read_line(&t, "done");
	ck_assert_int_eq(target_close(&t), 0);
}
END_TEST

START_TEST(attach_threads_under_load)
{
	struct target t;

	close(open(file, O_CREAT | O_WRONLY, 0666));
	target_open(&t, (char *[]){ "fx_spin", "16", file, NULL });
	target_read_line(&t, "ready");
	for (int i = 0; i < 5; i++) {
		r.stop_after_us = 20000;
		use_engine(_i);
		attach_ok(t.pid);
		ck_assert_uint_eq(flagged(TRACER_EV_TASK, TRACER_EVF_ATTACHED), 16);
		ck_assert_uint_eq(flagged(TRACER_EV_EXIT, TRACER_EVF_DETACHED), 16);
		ck_assert_uint_eq(r.result.detached, 1);
		ck_assert_uint_eq(target_count_untraced(t.pid), 16);
		engine_run_fini(&r);
		engine_run_init(&r);
	}
	unlink(file);
	target_read_line(&t, "done");
	ck_assert_int_eq(target_close(&t), 0);
}
END_TEST

START_TEST(attached_program_ends)
{
	struct target t;
	char pid[16];
	ssize_t n;

	use_engine(_i);
	/* its parent is not us */
	target_open(&t, (char *[]){ "/bin/sh", "-c", "sh -c 'sleep 0.3; exit 7' & echo $!; wait $!; echo status $?", NULL });
	n = read(t.out, pid, sizeof(pid) - 1);
	ck_assert_int_gt(n, 1);
	engine_run_attach(&r, atoi(pid));
	ck_assert_int_eq(r.err, 0);
	engine_run_check(&r);
	ck_assert_uint_eq(r.result.detached, 0);
	/* its sleep is ours, too, if it was not there before */
	ck_assert_uint_ge(engine_run_kind(&r, TRACER_EV_EXIT), 1);
	ck_assert_uint_eq(engine_run_enters(&r, "exit_group"), engine_run_kind(&r, TRACER_EV_EXIT));
	/* we saw its end; so does its parent */
	target_read_line(&t, "status 7");
	ck_assert_int_eq(target_close(&t), 0);
}
END_TEST

START_TEST(interrupted_sleep_goes_on)
{
	struct timespec a, b;
	struct target t;

	use_engine(_i);
	target_open(&t, (char *[]){ "/bin/sleep", "0.6", NULL });
	clock_gettime(CLOCK_MONOTONIC, &a);
	usleep(50000);
	attach_ok(t.pid);
	ck_assert_int_eq(target_close(&t), 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	/* not shorter than it was told; a restart from the beginning would make 0.8 s of it */
	ck_assert_int_ge((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000, 540);
	/* blocked when we let go: it has no end */
	ck_assert_uint_ge(engine_run_enters(&r, "restart_syscall") + engine_run_enters(&r, "clock_nanosleep"), 1);
}
END_TEST

/* Calls that the kernel never restarts: our coming and going must not show. */
START_TEST(interrupted_epoll_goes_on)
{
	struct target t;

	use_engine(_i);
	target_open(&t, (char *[]){ "fx_restart", "epoll", NULL });
	target_read_line(&t, "ready");
	usleep(50000);
	r.stop_after_us = 50000;
	attach_ok(t.pid);
	ck_assert_uint_ge(engine_run_enters(&r, "epoll_wait"), 1);
	target_read_line(&t, "epoll_wait: 1 errno 0");
	ck_assert_int_eq(target_close(&t), 0);
}
END_TEST

START_TEST(stopped_program_stays_stopped)
{
	struct proc_stat st;
	struct target t;
	siginfo_t info;

	use_engine(_i);
	target_open(&t, (char *[]){ "fx_spin", "4", NULL });
	target_read_line(&t, "ready");
	kill(t.pid, SIGSTOP);
	ck_assert_int_eq(waitid(P_PID, (id_t)t.pid, &info, WSTOPPED), 0);
	attach_ok(t.pid);
	ck_assert_uint_eq(flagged(TRACER_EV_SIGNAL, TRACER_EVF_STOP), 4);
	ck_assert_uint_eq(engine_run_calls(&r, -1, "getppid"), 0);
	ck_assert_uint_eq(target_count_untraced(t.pid), 4);
	usleep(50000);
	ck_assert_int_eq(proc_stat_load(t.pid, &st), 0);
	ck_assert_int_eq(st.state, 'T');
	kill(t.pid, SIGCONT);
	usleep(50000);
	ck_assert_int_eq(proc_stat_load(t.pid, &st), 0);
	ck_assert_int_ne(st.state, 'T');
	kill(t.pid, SIGKILL);
	ck_assert_int_eq(WTERMSIG(target_close(&t)), SIGKILL);
}
END_TEST

START_TEST(one_of_several_refused)
{
	pid_t pids[2];
	struct target t;

	close(open(file, O_CREAT | O_WRONLY, 0666));
	target_open(&t, (char *[]){ "fx_spin", "4", file, NULL });
	target_read_line(&t, "ready");
	pids[0] = t.pid;
	pids[1] = 4194304;
	r.cfg.pids = pids;
	r.cfg.npids = 2;
	engine_run_attach_all(&r);
	ck_assert_int_eq(r.err, -TRACER_ERR_PTRACE);
	/* the other one is as it was before */
	ck_assert_uint_eq(target_count_untraced(t.pid), 4);
	unlink(file);
	target_read_line(&t, "done");
	ck_assert_int_eq(target_close(&t), 0);
}
END_TEST

START_TEST(refusals)
{
	struct target t;
	pid_t other;

	engine_run_attach(&r, 4194304);
	ck_assert_int_eq(r.err, -TRACER_ERR_PTRACE);
	ck_assert_ptr_nonnull(strstr(r.log, "cannot trace pid 4194304: ESRCH"));
	engine_run_fini(&r);
	engine_run_init(&r);
	/* traced by somebody else */
	target_open(&t, (char *[]){ "fx_spin", "1", NULL });
	target_read_line(&t, "ready");
	other = fork();
	if (other == 0) {
		ptrace(PTRACE_SEIZE, t.pid, 0, 0);
		pause();
	}
	usleep(50000);
	engine_run_attach(&r, t.pid);
	ck_assert_int_eq(r.err, -TRACER_ERR_PTRACE);
	ck_assert_ptr_nonnull(strstr(r.log, "already traced by pid"));
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	kill(t.pid, SIGKILL);
	target_close(&t);
}
END_TEST

/* ---- what is left behind ---- */

static pid_t daemon_pid(void)
{
	FILE *f = fopen(file, "r");
	int pid = 0;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
	fclose(f);
	return pid;
}

static void daemon_end(pid_t pid)
{
	unlink(file);
	for (int i = 0; i < 500 && kill(pid, 0) == 0; i++)
		usleep(10000);
	ck_assert_int_eq(kill(pid, 0), -1);
}

START_TEST(daemon_is_let_go)
{
	pid_t pid;

	RUN("fx_daemon", file);
	ck_assert_int_eq(r.err, 0);
	engine_run_check(&r);
	ck_assert(r.result.have_status);
	ck_assert_int_eq(r.result.status, 0);
	ck_assert_uint_eq(r.result.detached, 1);
	ck_assert_uint_eq(flagged(TRACER_EV_EXIT, TRACER_EVF_DETACHED), 1);
	pid = daemon_pid();
	ck_assert_uint_eq(target_count_untraced(pid), 1);
	daemon_end(pid);
}
END_TEST

static void *file_remover(void *arg)
{
	usleep(400000);
	unlink(file);
	return arg;
}

static void remove_later(struct engine_run *run)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, file_remover, run), 0);
	pthread_detach(t);
}

START_TEST(wait_all)
{
	r.cfg.wait_all = true;
	r.started = remove_later;
	RUN("fx_daemon", file);
	ck_assert_int_eq(r.err, 0);
	engine_run_check(&r);
	ck_assert_int_eq(r.result.status, 0);
	ck_assert_uint_eq(r.result.detached, 0);
	ck_assert_uint_eq(flagged(TRACER_EV_EXIT, TRACER_EVF_DETACHED), 0);
}
END_TEST

START_TEST(daemon_under_a_filter_stays)
{
	engine_run_select(&r, "setsid");
	r.cfg.seccomp_filter = true;
	r.started = remove_later;
	RUN("fx_daemon", file);
	ck_assert_int_eq(r.err, 0);
	engine_run_check(&r);
	ck_assert_uint_gt(r.stats[ENGINE_STAT_FILTERED_TASKS], 0);
	ck_assert_uint_eq(r.result.detached, 0);
	ck_assert_uint_eq(engine_run_calls(&r, -1, "setsid"), 1);
	ck_assert_ptr_nonnull(strstr(r.log, "cannot be let go"));
}
END_TEST

START_TEST(stop_lets_a_launched_program_go)
{
	r.started = engine_run_stop_later;
	RUN("fx_spin", "3");
	ck_assert_int_eq(r.err, 0);
	engine_run_check(&r);
	ck_assert(!r.result.have_status);
	ck_assert_uint_eq(r.result.detached, 1);
	ck_assert_uint_eq(target_count_untraced(r.result.root), 3);
	kill(r.result.root, SIGKILL);
	waitpid(r.result.root, NULL, 0);
}
END_TEST

/* Many times, so that the request meets the loop at every place. */
START_TEST(stop_is_never_lost)
{
	struct target t;

	target_open(&t, (char *[]){ "/bin/sleep", "100", NULL });
	for (unsigned i = 0; i < 200; i++) {
		r.stop_after_us = i * 3;
		attach_ok(t.pid);
		ck_assert_uint_eq(r.result.detached, 1);
		engine_run_fini(&r);
		engine_run_init(&r);
	}
	kill(t.pid, SIGKILL);
	target_close(&t);
}
END_TEST

static void *forwarder(void *arg)
{
	struct engine_run *run = arg;

	usleep(100000);
	run->ops->forward(run->engine, SIGTERM);
	return NULL;
}

static void forward_later(struct engine_run *run)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, forwarder, run), 0);
	pthread_detach(t);
}

START_TEST(forward)
{
	r.started = forward_later;
	RUN("fx_spin");
	ck_assert_int_eq(r.err, 0);
	engine_run_check(&r);
	ck_assert(WIFSIGNALED(r.result.status));
	ck_assert_int_eq(WTERMSIG(r.result.status), SIGTERM);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_SIGNAL), 1);
}
END_TEST

/* ---- violent ends ---- */

static void *killer(void *arg)
{
	struct engine_run *run = arg;
	char name[64];
	pid_t pid = 0;
	FILE *f;

	usleep(150000);
	snprintf(name, sizeof(name), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(name, "r");
	if (f && fscanf(f, "%d", &pid) == 1 && pid > 0)
		kill(pid, SIGKILL);
	if (f)
		fclose(f);
	(void)run;
	return NULL;
}

static void kill_later(struct engine_run *run)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, killer, run), 0);
	pthread_detach(t);
}

START_TEST(killed_in_the_loop)
{
	r.started = kill_later;
	RUN("fx_spin", "4");
	ck_assert_int_eq(r.err, 0);
	engine_run_check(&r);
	ck_assert_int_eq(WTERMSIG(r.result.status), SIGKILL);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_EXIT), 4);
	ck_assert_uint_gt(engine_run_calls(&r, -1, "getppid"), 100);
}
END_TEST

START_TEST(killed_while_parked)
{
	r.cfg.ring_size = 65536;
	r.hold_ms = 600;
	r.started = kill_later;
	RUN("fx_spin", "4");
	ck_assert_int_eq(r.err, 0);
	engine_run_check(&r);
	ck_assert_uint_gt(r.stats[ENGINE_STAT_PARKED], 0);
	ck_assert_int_eq(WTERMSIG(r.result.status), SIGKILL);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_EXIT), 4);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_LOST), 0);
}
END_TEST

START_TEST(signal_while_parked)
{
	struct timespec a, b;

	r.cfg.ring_size = 65536;
	r.hold_ms = 1000;
	r.started = forward_later;
	clock_gettime(CLOCK_MONOTONIC, &a);
	RUN("/bin/sh", "-c", "trap 'exit 9' TERM; while :; do cd /; done");
	clock_gettime(CLOCK_MONOTONIC, &b);
	ck_assert_int_eq(r.err, 0);
	engine_run_check(&r);
	ck_assert_int_eq(WEXITSTATUS(r.result.status), 9);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_LOST), 0);
}
END_TEST

/* The tracer's death: a child of ours runs the engine and is killed. */
static pid_t tracer_fork(pid_t attach_to, int *out)
{
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		if (attach_to) {
			engine_run_attach(&r, attach_to);
		} else {
			r.cfg.envp = environ;
			engine_run_program(&r, (char *[]){ "fx_spin", "2", NULL });
		}
		_exit(0);
	}
	close(fds[1]);
	*out = fds[0];
	return pid;
}

static pid_t child_of(pid_t pid)
{
	char name[64];
	int child = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(name, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%d", &child), 1);
	fclose(f);
	return child;
}

START_TEST(tracer_is_killed)
{
	pid_t tracer, program;
	struct target t;
	int out;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	tracer = tracer_fork(0, &out);
	usleep(200000);
	program = child_of(tracer);
	kill(tracer, SIGKILL);
	ck_assert_int_eq(waitpid(tracer, NULL, 0), tracer);
	/* a launched program dies with it */
	ck_assert_int_eq(waitpid(program, NULL, 0), program);
	close(out);
	/* one that was attached to lives on */
	target_open(&t, (char *[]){ "fx_spin", "2", NULL });
	target_read_line(&t, "ready");
	tracer = tracer_fork(t.pid, &out);
	usleep(200000);
	kill(tracer, SIGKILL);
	ck_assert_int_eq(waitpid(tracer, NULL, 0), tracer);
	usleep(50000);
	ck_assert_uint_eq(target_count_untraced(t.pid), 2);
	kill(t.pid, SIGKILL);
	target_close(&t);
	close(out);
}
END_TEST

START_TEST(children_of_others)
{
	struct target t;

	/* ends while we trace; forked by another thread of ours */
	target_open(&t, (char *[]){ "/bin/sleep", "0.1", NULL });
	RUN("/bin/sleep", "0.4");
	ck_assert_int_eq(r.err, 0);
	/* its status is still there for who wants it */
	ck_assert_int_eq(target_close(&t), 0);
}
END_TEST

/* ---- users ---- */

#define NOBODY 65534

START_TEST(plain_user)
{
	const struct tracer_event *ev;

	if (getuid() == 0)
		ck_assert(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	prctl(PR_SET_DUMPABLE, 1);
	RUN("/bin/sh", "-c", "/bin/echo one; cd /; /bin/echo two");
	ck_assert_msg(r.err == 0, "%d %s", r.err, r.log);
	engine_run_check(&r);
	ck_assert_str_eq(r.out, "one\ntwo\n");
	ck_assert_ptr_nonnull(engine_run_piece(engine_run_call(&r, "chdir"), 0, 0));
	ev = engine_run_next(&r, NULL);
	ck_assert_int_eq(((const struct tracer_ev_task *)ev)->uid, getuid());
}
END_TEST

START_TEST(plain_user_filter)
{
	if (getuid() == 0)
		ck_assert(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	prctl(PR_SET_DUMPABLE, 1);
	engine_run_select(&r, "chdir");
	r.cfg.seccomp_filter = true;
	RUN("/bin/sh", "-c", "cd /; /bin/echo two");
	ck_assert_msg(r.err == 0, "%d %s", r.err, r.log);
	ck_assert_str_eq(r.out, "two\n");
	ck_assert_uint_eq(r.stats[ENGINE_STAT_FILTERED_TASKS], 2);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_CALL), 1);
}
END_TEST

START_TEST(not_dumpable)
{
	const struct tracer_event *ev = NULL;
	unsigned with = 0, without = 0;

	if (getuid() == 0)
		ck_assert(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	prctl(PR_SET_DUMPABLE, 1);
	RUN("fx_dumpable");
	ck_assert_int_eq(r.err, 0);
	engine_run_check(&r);
	ck_assert_str_eq(r.out, "open -1\n");
	while ((ev = engine_run_next(&r, ev))) {
		const struct tracer_ev_call *c = (const struct tracer_ev_call *)ev;

		if (ev->kind != TRACER_EV_CALL || ev->nr != syscall_number(ev->abi, "openat") || c->ret != -ENOENT)
			continue;
		with += c->ncaptures == 1 && !memcmp(event_capture(c, 0)->bytes, "/nonexistent-parent", 19);
		without += c->ncaptures == 0;
	}
	/* opened before, the descriptor goes on working; the child's could not be opened */
	ck_assert_uint_eq(with, 1);
	ck_assert_uint_eq(without, 1);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_ENGINE), 1);
}
END_TEST

START_TEST(unreadable_program)
{
	const struct tracer_event *ev = NULL;
	char copy[128], command[512];
	const char *builddir = getenv("builddir");

	if (getuid() != 0)
		return;	/* can't make one that we may not read */
	snprintf(copy, sizeof(copy), "/tmp/engine_unreadable.%d", (int)getpid());
	snprintf(command, sizeof(command), "cp '%s/fx_end' %s && chmod 0111 %s", builddir ? builddir : ".", copy, copy);
	ck_assert_int_eq(system(command), 0);
	ck_assert(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
	prctl(PR_SET_DUMPABLE, 1);
	RUN(copy, "exit", "5");
	ck_assert_msg(r.err == 0, "%d %s", r.err, r.log);
	engine_run_check(&r);
	ck_assert_int_eq(WEXITSTATUS(r.result.status), 5);
	while ((ev = engine_run_next(&r, ev)) && ev->kind != TRACER_EV_EXEC)
		;
	ck_assert_ptr_nonnull(ev);
	ck_assert_int_eq(((const struct tracer_ev_exec *)ev)->dumpable, 0);
	ck_assert_uint_eq(engine_run_kind(&r, TRACER_EV_ENGINE), 1);
	ck_assert_uint_gt(engine_run_kind(&r, TRACER_EV_CALL), 10);
}
END_TEST

START_TEST(run_as)
{
	if (getuid() != 0)
		return;	/* only root may */
	r.cfg.run_as = true;
	r.cfg.run_uid = r.cfg.run_gid = NOBODY;
	r.cfg.run_user = "nobody";
	RUN("/usr/bin/id", "-un");
	ck_assert_msg(r.err == 0, "%d %s", r.err, r.log);
	ck_assert_str_eq(r.out, "nobody\n");
	/* the program's first call is its execve, not our change of user */
	ck_assert_uint_eq(engine_run_calls(&r, -1, "setresuid"), 0);
}
END_TEST

/* ---- what it inherits ---- */

START_TEST(inherits_as_native)
{
	struct engine_inherit inherit = { .signals = true, .changed = 1ull << (SIGINT - 1) | 1ull << (SIGHUP - 1),
					  .ignored = 1ull << (SIGHUP - 1) };
	char native[65536];
	struct target t;
	size_t n = 0;
	ssize_t got;
	sigset_t mask;

	/* the state that the program is to see */
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, &inherit.mask);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	target_open(&t, (char *[]){ "fx_mask", NULL });
	while ((got = read(t.out, native + n, sizeof(native) - 1 - n)) > 0)
		n += (size_t)got;
	native[n] = '\0';
	ck_assert_int_eq(target_close(&t), 0);
	/* the tracer's own: other handlers, another mask */
	inherit.mask = mask;
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_IGN);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	r.cfg.inherit = &inherit;
	r.cfg.pin = true;
	RUN("fx_mask");
	ck_assert_int_eq(r.err, 0);
	ck_assert_ptr_nonnull(strstr(native, "blocked 12\nignored 1 3"));
	ck_assert_str_eq(r.out, native);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("engine_attach");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, attach_and_stop, 0, ENGINES);
	tcase_add_loop_test(c, attach_threads_under_load, 0, ENGINES);
	tcase_add_loop_test(c, attached_program_ends, 0, ENGINES);
	tcase_add_loop_test(c, interrupted_sleep_goes_on, 0, ENGINES);
	tcase_add_loop_test(c, interrupted_epoll_goes_on, 0, ENGINES);
	tcase_add_loop_test(c, stopped_program_stays_stopped, 0, ENGINES);
	tcase_add_test(c, one_of_several_refused);
	tcase_add_test(c, refusals);
	tcase_add_test(c, daemon_is_let_go);
	tcase_add_test(c, wait_all);
	tcase_add_test(c, daemon_under_a_filter_stays);
	tcase_add_test(c, stop_lets_a_launched_program_go);
	tcase_add_test(c, stop_is_never_lost);
	tcase_add_test(c, forward);
	tcase_add_test(c, killed_in_the_loop);
	tcase_add_test(c, killed_while_parked);
	tcase_add_test(c, signal_while_parked);
	tcase_add_test(c, tracer_is_killed);
	tcase_add_test(c, children_of_others);
	tcase_add_test(c, plain_user);
	tcase_add_test(c, plain_user_filter);
	tcase_add_test(c, not_dumpable);
	tcase_add_test(c, unreadable_program);
	tcase_add_test(c, run_as);
	tcase_add_test(c, inherits_as_native);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return engine_suite_run(suite());
}
