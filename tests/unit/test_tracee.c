/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pure parts of tracee and arch by table, the task table against a simple
 * model, remote memory and /proc on ourselves.
 */
#include "config.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "arch/arch.h"
#include "tracee/mem.h"
#include "tracee/proc_fs.h"
#include "tracee/refusal.h"
#include "tracee/stop.h"
#include "tracee/task_table.h"
#include "unit.h"

#define STOPPED(sig) ((sig) << 8 | 0x7f)
#define EVENT(event, sig) ((event) << 16 | STOPPED(sig))

START_TEST(stops)
{
	static const struct { int status; struct stop want; } table[] = {
		{ 0x0000, { STOP_EXITED, 0, 0, 0 } },
		{ 0x2a00, { STOP_EXITED, 0, 0, 42 } },
		{ 0xff00, { STOP_EXITED, 0, 0, 255 } },
		{ SIGKILL, { STOP_KILLED, 0, SIGKILL, 0 } },
		{ SIGSEGV | 0x80, { STOP_KILLED, 0, SIGSEGV, 0 } },	/* with a core */
		{ STOPPED(SIGTRAP | 0x80), { STOP_CALL, 0, SIGTRAP | 0x80, 0 } },
		{ STOPPED(SIGUSR1), { STOP_SIGNAL, 0, SIGUSR1, 0 } },
		{ STOPPED(SIGTRAP), { STOP_SIGNAL, 0, SIGTRAP, 0 } },	/* a breakpoint of its own */
		{ STOPPED(SIGSTOP), { STOP_SIGNAL, 0, SIGSTOP, 0 } },	/* not yet stopped by it */
		{ STOPPED(64), { STOP_SIGNAL, 0, 64, 0 } },
		{ EVENT(PTRACE_EVENT_STOP, SIGSTOP), { STOP_GROUP, PTRACE_EVENT_STOP, SIGSTOP, 0 } },
		{ EVENT(PTRACE_EVENT_STOP, SIGTTOU), { STOP_GROUP, PTRACE_EVENT_STOP, SIGTTOU, 0 } },
		{ EVENT(PTRACE_EVENT_STOP, SIGTRAP), { STOP_TRAP, PTRACE_EVENT_STOP, SIGTRAP, 0 } },
		{ EVENT(PTRACE_EVENT_FORK, SIGTRAP), { STOP_BIRTH, PTRACE_EVENT_FORK, SIGTRAP, 0 } },
		{ EVENT(PTRACE_EVENT_VFORK, SIGTRAP), { STOP_BIRTH, PTRACE_EVENT_VFORK, SIGTRAP, 0 } },
		{ EVENT(PTRACE_EVENT_CLONE, SIGTRAP), { STOP_BIRTH, PTRACE_EVENT_CLONE, SIGTRAP, 0 } },
		{ EVENT(PTRACE_EVENT_VFORK_DONE, SIGTRAP), { STOP_VFORK_DONE, PTRACE_EVENT_VFORK_DONE, SIGTRAP, 0 } },
		{ EVENT(PTRACE_EVENT_EXEC, SIGTRAP), { STOP_EXEC, PTRACE_EVENT_EXEC, SIGTRAP, 0 } },
		{ EVENT(PTRACE_EVENT_EXIT, SIGTRAP), { STOP_EXITING, PTRACE_EVENT_EXIT, SIGTRAP, 0 } },
		{ EVENT(PTRACE_EVENT_SECCOMP, SIGTRAP), { STOP_SECCOMP, PTRACE_EVENT_SECCOMP, SIGTRAP, 0 } },
		{ EVENT(99, SIGTRAP), { STOP_NONE, 99, SIGTRAP, 0 } },
		{ 0xffff, { STOP_NONE, 0, 0, 0 } },			/* continued */
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct stop got;

		stop_parse(table[i].status, &got);
		ck_assert_msg(!memcmp(&got, &table[i].want, sizeof(got)), "status %#x: kind %d event %d sig %d code %d",
			      table[i].status, got.kind, got.event, got.sig, got.code);
	}
}
END_TEST

START_TEST(abis)
{
	const struct arch *a = arch_native();

	ck_assert_int_eq(a->abi_of(AUDIT_ARCH_X86_64, 0), TRACER_ABI_X86_64);
	ck_assert_int_eq(a->abi_of(AUDIT_ARCH_X86_64, (uint64_t)-1), TRACER_ABI_X86_64);
	ck_assert_int_eq(a->abi_of(AUDIT_ARCH_I386, 4), TRACER_ABI_I386);
	ck_assert_int_eq(a->abi_of(AUDIT_ARCH_X86_64, 0x40000000u | 39), -ENOTSUP);
	ck_assert_int_eq(a->abi_of(AUDIT_ARCH_AARCH64, 0), -ENOTSUP);
	ck_assert_uint_eq(a->audit_of(TRACER_ABI_I386), AUDIT_ARCH_I386);
	ck_assert_uint_eq(a->audit_of(TRACER_ABI_AARCH64), 0);
	ck_assert(arch_restarts(-512));
	ck_assert(arch_restarts(-516));
	ck_assert(!arch_restarts(-515));
	ck_assert(!arch_restarts(-EINTR));
	ck_assert(!arch_restarts(512));
}
END_TEST

START_TEST(registers)
{
	const struct arch *a = arch_native();

	for (int abi = 0; abi < 2; abi++) {
		struct arch_call in = { abi, 42, { 1, 2, 3, 4, 5, 0xfffffffe } }, out;
		struct arch_regs regs;

		memset(&regs, 0, sizeof(regs));
		a->call_set(&regs, &in);
		a->call_load(&regs, abi, &out);
		ck_assert_int_eq(out.nr, 42);
		ck_assert_mem_eq(in.args, out.args, sizeof(in.args));
		ck_assert(a->in_call(&regs));
		a->set_no_restart(&regs);
		ck_assert(!a->in_call(&regs));
	}
}
END_TEST

START_TEST(proc_texts)
{
	static const char stat[] = "4242 (a) b (c) S 17 4242 4242 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 "
				   "998877 1000 100 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 3 0 0 0 0 0\n";
	static const char status[] = "Name:\tsleep\nState:\tS (sleeping)\nTgid:\t4242\nPid:\t4243\nPPid:\t17\n"
				     "TracerPid:\t99\nUid:\t1000\t1001\t1000\t1000\nSigPnd:\t0000000000000001\n"
				     "ShdPnd:\t0000000000004000\nSigBlk:\t8000000000000000\nSigIgn:\t0000000000001000\n"
				     "SigCgt:\t0000000040000000\nSeccomp:\t2\nx86_Thread_features:\tshstk wrss\n";
	struct proc_status s;
	struct proc_stat p;

	ck_assert_int_eq(proc_stat_parse(stat, sizeof(stat) - 1, &p), 0);
	ck_assert_str_eq(p.comm, "a) b (c");
	ck_assert_int_eq(p.state, 'S');
	ck_assert_int_eq(p.ppid, 17);
	ck_assert_uint_eq(p.starttime, 998877);
	ck_assert_int_eq(p.processor, 3);
	ck_assert_int_eq(proc_stat_parse("4242 sleep S", 12, &p), -EBADMSG);
	ck_assert_int_eq(proc_stat_parse("1 (x) R", 7, &p), -EBADMSG);
	ck_assert_int_eq(proc_status_parse(status, sizeof(status) - 1, &s), 0);
	ck_assert_int_eq(s.tgid, 4242);
	ck_assert_int_eq(s.tracer, 99);
	ck_assert_uint_eq(s.uid, 1000);
	ck_assert_uint_eq(s.euid, 1001);
	ck_assert_int_eq(s.seccomp, 2);
	ck_assert_uint_eq(s.pending, 0x4001);
	ck_assert_uint_eq(s.blocked, 1ull << 63);
	ck_assert_uint_eq(s.handled, 0x40001000);
	ck_assert(s.shadow_stack);
	ck_assert_int_eq(proc_status_parse("", 0, &s), -EBADMSG);
}
END_TEST

START_TEST(proc_maps_lines)
{
	struct proc_map m;

	ck_assert_int_eq(proc_map_parse("7f00a000-7f00b000 r-xp 00028000 fd:01 326269                     /lib/a b (deleted)",
					&m), 0);
	ck_assert(m.start == 0x7f00a000 && m.end == 0x7f00b000 && m.offset == 0x28000 && m.ino == 326269 && m.exec);
	ck_assert_str_eq(m.path, "/lib/a b (deleted)");
	ck_assert_int_eq(proc_map_parse("7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0 ", &m), 0);
	ck_assert(!m.exec && !m.ino && !m.len && !m.path[0]);
	ck_assert_int_eq(proc_map_parse("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]",
					&m), 0);
	ck_assert(m.exec && m.start == 0xffffffffff600000ull);
	ck_assert_int_eq(proc_map_parse("", &m), -EINVAL);
	ck_assert_int_eq(proc_map_parse("7f00a000-7f00b000 r-xp", &m), -EINVAL);
}
END_TEST

/* The mapping that this function lies in. */
static int map_find(void *ctx, const struct proc_map *map)
{
	uint64_t here = (uint64_t)(uintptr_t)map_find;

	if (here < map->start || here >= map->end)
		return 0;
	ck_assert(map->exec && map->ino && map->len);
	*(bool *)ctx = true;
	return 7;
}

START_TEST(proc_maps_of_ours)
{
	bool found = false;

	ck_assert_int_eq(proc_maps_read(getpid(), map_find, &found), 7);
	ck_assert(found);
	ck_assert_int_eq(proc_maps_read(4194304, map_find, &found), -ENOENT);
}
END_TEST

static int fd_find(void *ctx, const struct proc_fd *fd)
{
	int *want = ctx;

	if (fd->fd != want[0])
		return 0;
	ck_assert_int_eq(fd->cloexec, want[1]);
	ck_assert_mem_eq(fd->target, "pipe:[", 6);
	return 1;
}

START_TEST(proc_of_ours)
{
	struct proc_status s;
	struct proc_stat p;
	char exe[4096];
	int fds[2], want[2];

	ck_assert_int_eq(proc_stat_load(getpid(), &p), 0);
	ck_assert_int_eq(p.ppid, getppid());
	ck_assert_int_eq(proc_status_load(getpid(), &s), 0);
	ck_assert_int_eq(s.tgid, getpid());
	ck_assert_int_gt(proc_link_read(getpid(), "exe", exe, sizeof(exe)), 0);
	ck_assert_int_eq(pipe(fds), 0);
	want[0] = fds[0], want[1] = 0;
	ck_assert_int_eq(proc_fds_read(getpid(), fd_find, want), 1);
	ck_assert_int_eq(pipe2(fds, 02000000), 0);
	want[0] = fds[1], want[1] = 1;
	ck_assert_int_eq(proc_fds_read(getpid(), fd_find, want), 1);
	ck_assert_int_lt(proc_stat_load(4194304, &p), 0);
}
END_TEST

START_TEST(memory)
{
	uint8_t *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), buf[64];
	struct mem m;

	ck_assert_ptr_ne(map, MAP_FAILED);
	munmap(map + 4096, 4096);
	memcpy(map + 4080, "0123456789abcdef", 16);
	mem_init(&m, getpid());
	/* both ways say the same */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(mem_read(&m, (uintptr_t)map + 4080, buf, 4), 4);
		ck_assert_mem_eq(buf, "0123", 4);
		ck_assert_int_eq(mem_read(&m, (uintptr_t)map + 4080, buf, 64), 16);
		ck_assert_int_eq(mem_read(&m, (uintptr_t)map + 4096, buf, 1), -EFAULT);
		ck_assert_int_eq(mem_read(&m, 1, buf, 1), -EFAULT);
		ck_assert_int_eq(mem_read(&m, UINT64_MAX - 1, buf, 1), -EFAULT);
		ck_assert_int_eq(mem_read(&m, 1, buf, 0), 0);
		ck_assert_int_eq(mem_open(&m, true), 0);
		m.indirect = true;
	}
	mprotect(map, 4096, PROT_READ);
	ck_assert_int_eq(mem_write(&m, (uintptr_t)map + 4081, "x", 1), 0);
	ck_assert_mem_eq(map + 4080, "0x23", 4);
	mem_close(&m);
	ck_assert_int_eq(mem_read(&m, (uintptr_t)map, buf, 1), -EPERM);
}
END_TEST

/* ---- refusals ---- */

START_TEST(advice)
{
	static const struct { struct refusal r; const char *want; } table[] = {
		{ { .err = -ESRCH }, "no such process" },
		{ { .err = -ESRCH }, "pgrep NAME" },
		{ { .err = -ESRCH, .unlisted = true }, "mount -t proc" },
		{ { .err = -EPERM, .known = true, .ended = true, .status = { .ppid = 12 } }, "zombie, whose exit status pid 12" },
		{ { .err = -EPERM, .known = true, .ended = true, .threads_live = true }, "Start it under tracer" },
		{ { .err = -EPERM, .known = true, .self = true }, "tracer itself" },
		{ { .err = -EPERM, .known = true, .status = { .tracer = 77 } }, "already traced by pid 77" },
		{ { .err = -EPERM, .known = true, .status = { .kernel_thread = true }, .capable = true, .yama = -1 },
		  "kernel thread" },
		{ { .err = -EPERM, .known = true, .status = { .uid = 5 }, .our_uid = 6, .yama = 1 }, "belongs to uid 5" },
		{ { .err = -EPERM, .known = true, .status = { .uid = 6 }, .our_uid = 6, .yama = 1 },
		  "ptrace_scope = 1: only a parent may trace" },
		{ { .err = -EPERM, .known = true, .yama = 2 }, "ptrace_scope = 2: only root" },
		{ { .err = -EPERM, .known = true, .yama = 3, .capable = true, .child = true }, "off on this machine" },
		{ { .err = -EPERM, .known = true, .yama = -1, .child = true, .filtered = true }, "SYS_PTRACE" },
		{ { .err = -EPERM, .known = true, .yama = -1 }, "not dumpable" },
		{ { .err = -EPERM, .known = true, .yama = -1, .capable = true }, "security module" },
		{ { .err = -EIO }, "Input/output error" },
	};
	char buf[256];

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		refusal_format(&table[i].r, buf, sizeof(buf));
		ck_assert_msg(strstr(buf, table[i].want) != NULL, "%u: %s", i, buf);
	}
}
END_TEST

/* ---- task table ---- */

struct my_task { struct tracee base; int mark; };
struct my_group { struct tgroup base; int mark; };

START_TEST(tasks_against_a_model)
{
	enum { N = 200, STEPS = 20000 };
	static bool live[N + 1];
	static int group[N + 1];
	struct task_table t;
	unsigned long seed = 42;
	size_t count = 0, untold = 0;

	ck_assert_int_eq(task_table_init(&t, sizeof(struct my_task), sizeof(struct my_group), N), 0);
	for (int step = 0; step < STEPS; step++) {
		int tid = (int)(unit_random(&seed) % N) + 1;
		struct tracee *task = task_lookup(&t, tid);

		ck_assert_int_eq(task != NULL, live[tid]);
		if (!task) {
			bool held = unit_random(&seed) % 4 == 0;

			ck_assert_int_eq(task_add(&t, tid, held ? TRACEE_UNTOLD : TRACEE_EXPECTED, &task), 0);
			((struct my_task *)task)->mark = tid;
			group[tid] = held ? 0 : (tid - 1) / 10 * 10 + 1;
			if (!held)
				ck_assert_int_eq(task_set_group(&t, task, group[tid]), 0);
			untold += held;
			live[tid] = true;
			count++;
		} else if (task->state == TRACEE_UNTOLD && unit_random(&seed) % 2) {
			task_set_state(&t, task, TRACEE_RUNNING);
			group[tid] = (tid - 1) / 10 * 10 + 1;
			ck_assert_int_eq(task_set_group(&t, task, group[tid]), 0);
			untold--;
		} else {
			ck_assert_int_eq(((struct my_task *)task)->mark, tid);
			untold -= task->state == TRACEE_UNTOLD;
			task_del(&t, task);
			live[tid] = false;
			count--;
		}
		ck_assert_uint_eq(task_count(&t), count);
		ck_assert_uint_eq(t.untold, untold);
	}
	for (int g = 1; g <= N; g += 10) {
		struct tgroup *grp = tgroup_lookup(&t, g);
		unsigned want = 0, got = 0;

		for (int tid = g; tid < g + 10; tid++)
			want += live[tid] && group[tid] == g;
		for (struct tracee *o = grp ? grp->first : NULL; o; o = o->sibling)
			got++;
		ck_assert_uint_eq(got, want);
		ck_assert_int_eq(grp != NULL, want > 0);
	}
	task_table_fini(&t, NULL, NULL);
}
END_TEST

START_TEST(task_limit)
{
	struct task_table t;
	struct tracee *task;

	ck_assert_int_eq(task_table_init(&t, sizeof(struct my_task), sizeof(struct my_group), 3), 0);
	for (int i = 1; i <= 3; i++)
		ck_assert_int_eq(task_add(&t, i, TRACEE_RUNNING, &task), 0);
	ck_assert_int_eq(task_add(&t, 4, TRACEE_RUNNING, &task), -ENOSPC);
	task_del(&t, task_lookup(&t, 2));
	ck_assert_int_eq(task_add(&t, 4, TRACEE_RUNNING, &task), 0);
	ck_assert_ptr_eq(task_lookup(&t, 4), task);
	task_table_fini(&t, NULL, NULL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { stops, abis, registers, proc_texts, proc_maps_lines, proc_maps_of_ours, proc_of_ours, memory, advice,
				       tasks_against_a_model, task_limit, NULL };

	return unit_run("tracee", tests);
}
