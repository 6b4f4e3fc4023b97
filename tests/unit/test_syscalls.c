/* SPDX-License-Identifier: Apache-2.0 */
/* The syscall table: lookups, plans, names, which failures are ordinary. */
#include "config.h"
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "syscalls/syscalls.h"
#include "unit.h"

START_TEST(lookup)
{
	static const struct { int abi, nr; const char *name; } rows[] = {
		{ TRACER_ABI_X86_64, 0, "read" }, { TRACER_ABI_X86_64, 59, "execve" },
		{ TRACER_ABI_X86_64, 257, "openat" }, { TRACER_ABI_X86_64, 471, "rseq_slice_yield" },
		{ TRACER_ABI_I386, 0, "restart_syscall" }, { TRACER_ABI_I386, 3, "read" },
		{ TRACER_ABI_I386, 11, "execve" }, { TRACER_ABI_I386, 102, "socketcall" },
		{ TRACER_ABI_I386, 403, "clock_gettime64" }, { TRACER_ABI_I386, 471, "rseq_slice_yield" },
	};
	char buf[24];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct syscall_desc *d = syscall_lookup(rows[i].abi, rows[i].nr);

		ck_assert_ptr_nonnull(d);
		ck_assert_str_eq(d->name, rows[i].name);
		ck_assert_int_eq(syscall_number(rows[i].abi, rows[i].name), rows[i].nr);
		ck_assert_str_eq(syscall_name(rows[i].abi, rows[i].nr, buf), rows[i].name);
		ck_assert_str_eq(syscall_row_name(d->id), rows[i].name);
	}
	/* Gaps, ends, and what is no ABI of this table. */
	ck_assert_ptr_null(syscall_lookup(TRACER_ABI_X86_64, 400));
	ck_assert_ptr_null(syscall_lookup(TRACER_ABI_X86_64, -1));
	ck_assert_ptr_null(syscall_lookup(TRACER_ABI_X86_64, 472));
	ck_assert_ptr_null(syscall_lookup(TRACER_ABI_I386, 415));
	ck_assert_ptr_null(syscall_lookup(TRACER_ABI_AARCH64, 0));
	ck_assert_ptr_null(syscall_lookup(TRACER_ABIS, 0));
	ck_assert_int_eq(syscall_max(TRACER_ABI_X86_64), 472);
	ck_assert_int_eq(syscall_max(TRACER_ABI_AARCH64), 0);
	ck_assert_int_eq(syscall_number(TRACER_ABI_X86_64, "socketcall"), -ENOENT);
	ck_assert_int_eq(syscall_number(TRACER_ABI_I386, "arch_prctl"), 384);
	ck_assert_int_eq(syscall_number(TRACER_ABIS, "read"), -ENOENT);
	ck_assert_str_eq(syscall_name(TRACER_ABI_X86_64, 511, buf), "syscall_0x1ff");
	ck_assert_ptr_null(syscall_row_name(syscall_rows()));
}
END_TEST

START_TEST(generic_row)
{
	const struct syscall_desc *d = syscall_generic(TRACER_ABI_X86_64);

	ck_assert_int_eq(d->nargs, 6);
	ck_assert_int_eq(d->args[5], ARG_HEX);
	ck_assert_int_eq(d->capture->nargs, 6);
	ck_assert_int_eq(d->capture->nrules, 0);
	ck_assert_int_eq(d->id, syscall_rows());
	ck_assert_int_eq(syscall_generic(TRACER_ABI_I386)->capture->wordsize, 4);
}
END_TEST

static const struct capture_rule *rule(const struct syscall_desc *d, unsigned i)
{
	ck_assert_uint_lt(i, d->capture->nrules);
	return &d->capture->rules[i];
}

static const struct syscall_desc *call(int abi, const char *name)
{
	const struct syscall_desc *d = syscall_lookup(abi, syscall_number(abi, name));

	ck_assert_ptr_nonnull(d);
	return d;
}

START_TEST(plans)
{
	const struct syscall_desc *d = call(TRACER_ABI_X86_64, "read");

	ck_assert_int_eq(d->capture->nrules, 1);
	ck_assert_int_eq(rule(d, 0)->op, CAP_OP_BUF_RET);
	ck_assert_int_eq(rule(d, 0)->arg, 1);
	ck_assert_int_eq(rule(d, 0)->flags, CAP_F_OUT | CAP_F_DATA);
	ck_assert_int_eq(d->capture->flags, CAP_PLAN_DATA);
	ck_assert_int_eq(d->len_args[1], 2);
	ck_assert_int_eq(d->len_args[0], 0xff);

	d = call(TRACER_ABI_X86_64, "execve");
	ck_assert_int_eq(d->capture->flags, CAP_PLAN_ENTER);
	ck_assert_int_eq(rule(d, 0)->op, CAP_OP_STR);
	ck_assert_int_eq(rule(d, 0)->flags, CAP_F_IN | CAP_F_ENTER);
	ck_assert_int_eq(rule(d, 1)->op, CAP_OP_STRV);
	ck_assert_int_eq(rule(d, 1)->flags, CAP_F_IN | CAP_F_ENTER);
	ck_assert_int_eq(rule(d, 2)->op, CAP_OP_COUNTV);

	d = call(TRACER_ABI_X86_64, "accept");
	ck_assert_int_eq(rule(d, 0)->op, CAP_OP_BUF_PTR);
	ck_assert_int_eq(rule(d, 0)->len_arg, 2);
	ck_assert_int_eq(rule(d, 1)->flags, CAP_F_IN | CAP_F_ENTER);
	ck_assert_int_eq(rule(d, 2)->flags, CAP_F_OUT);

	d = call(TRACER_ABI_X86_64, "poll");
	ck_assert_int_eq(rule(d, 0)->op, CAP_OP_BUF_ARG);
	ck_assert_int_eq(rule(d, 0)->size, 8);
	ck_assert_int_eq(rule(d, 0)->flags, CAP_F_OUT | CAP_F_ALWAYS);
	ck_assert(d->flags & SYSCALL_F_WAITS);
	ck_assert_int_eq(rule(call(TRACER_ABI_X86_64, "epoll_wait"), 0)->op, CAP_OP_OBJS_RET);
	ck_assert_int_eq(call(TRACER_ABI_X86_64, "select")->capture->nrules, 8);
}
END_TEST

/* Sizes that the compiler knows, too. */
START_TEST(sizes)
{
	ck_assert_uint_eq(rule(call(TRACER_ABI_X86_64, "fstat"), 0)->size, sizeof(struct stat));
	ck_assert_uint_eq(rule(call(TRACER_ABI_X86_64, "fstatfs"), 0)->size, sizeof(struct statfs));
	ck_assert_uint_eq(rule(call(TRACER_ABI_X86_64, "nanosleep"), 0)->size, sizeof(struct timespec));
	ck_assert_uint_eq(rule(call(TRACER_ABI_X86_64, "getrusage"), 0)->size, sizeof(struct rusage));
	ck_assert_uint_eq(rule(call(TRACER_ABI_X86_64, "fcntl"), 0)->size, sizeof(struct flock));
	ck_assert_uint_eq(rule(call(TRACER_ABI_I386, "nanosleep"), 0)->size, 8);
	ck_assert_uint_eq(rule(call(TRACER_ABI_I386, "clock_nanosleep_time64"), 0)->size, 16);
	ck_assert_uint_eq(rule(call(TRACER_ABI_I386, "fstat64"), 0)->size, 96);
	ck_assert_uint_eq(rule(call(TRACER_ABI_I386, "writev"), 0)->size, 8);
}
END_TEST

/* The same name may be another call in another ABI, with the same id. */
START_TEST(overrides)
{
	const struct syscall_desc *a = call(TRACER_ABI_X86_64, "mmap"), *b = call(TRACER_ABI_I386, "mmap");

	ck_assert_int_eq(a->id, b->id);
	ck_assert_int_eq(a->nargs, 6);
	ck_assert_int_eq(b->nargs, 1);
	ck_assert_int_eq(call(TRACER_ABI_I386, "pread64")->nargs, 5);
	ck_assert_int_eq(call(TRACER_ABI_X86_64, "pread64")->nargs, 4);
	ck_assert_str_eq(call(TRACER_ABI_X86_64, "clone")->arg_names[3], "child_tid");
	ck_assert_str_eq(call(TRACER_ABI_I386, "clone")->arg_names[3], "tls");
}
END_TEST

START_TEST(nearest)
{
	ck_assert_str_eq(syscall_nearest("opneat"), "openat");
	ck_assert_str_eq(syscall_nearest("raed"), "read");
	ck_assert_str_eq(syscall_nearest("getpidd"), "getpid");
	ck_assert_str_eq(syscall_nearest("excve"), "execve");
	ck_assert_ptr_null(syscall_nearest("completely_different"));
	ck_assert_ptr_null(syscall_nearest("zz"));
	ck_assert_ptr_null(syscall_nearest(""));
	ck_assert_ptr_null(syscall_nearest("a_name_that_is_longer_than_any_system_call_ever_was"));
}
END_TEST

START_TEST(errno_names)
{
	ck_assert_str_eq(errno_name(ENOENT), "ENOENT");
	ck_assert_str_eq(errno_text(ENOENT), "No such file or directory");
	ck_assert_str_eq(errno_name(EAGAIN), "EAGAIN");
	ck_assert_str_eq(errno_name(512), "ERESTARTSYS");
	ck_assert_str_eq(errno_name(516), "ERESTART_RESTARTBLOCK");
	ck_assert_ptr_null(errno_name(0));
	ck_assert_ptr_null(errno_name(-1));
	ck_assert_ptr_null(errno_name(41));
	ck_assert_ptr_null(errno_name(100000));
	for (int e = 1; e < EHWPOISON; e++)
		if (errno_text(e))
			ck_assert_str_eq(errno_text(e), strerror(e));
}
END_TEST

START_TEST(signal_names)
{
	char buf[16];

	ck_assert_str_eq(signal_name(SIGSEGV, buf), "SIGSEGV");
	ck_assert_str_eq(signal_name(32, buf), "SIGRTMIN");
	ck_assert_str_eq(signal_name(35, buf), "SIGRT_3");
	ck_assert_str_eq(signal_name(64, buf), "SIGRT_32");
	ck_assert_str_eq(signal_name(65, buf), "65");
	ck_assert_str_eq(signal_name(0, buf), "0");
	ck_assert_str_eq(signal_name(-3, buf), "-3");
	ck_assert_int_eq(signal_number("SIGTERM"), SIGTERM);
	ck_assert_int_eq(signal_number("term"), SIGTERM);
	ck_assert_int_eq(signal_number("SIGRT_3"), 35);
	ck_assert_int_eq(signal_number("SIGRTMIN"), 32);
	ck_assert_int_eq(signal_number("SIGRT_33"), -ENOENT);
	ck_assert_int_eq(signal_number("SIGRT_x"), -ENOENT);
	ck_assert_int_eq(signal_number("SIGCLD"), SIGCHLD);
	ck_assert_int_eq(signal_number("SIGNONE"), -ENOENT);
	ck_assert_int_eq(signal_number("SIG"), -ENOENT);
}
END_TEST

START_TEST(constants)
{
	ck_assert_str_eq(xlat_lookup(&xlat_whence, SEEK_END), "SEEK_END");
	ck_assert_ptr_null(xlat_lookup(&xlat_whence, 77));
	ck_assert_str_eq(xlat_lookup(&xlat_ioctl, 0x5401), "TCGETS");
	ck_assert_str_eq(xlat_lookup(&xlat_ioctl, 0x5413), "TIOCGWINSZ");
	ck_assert_str_eq(xlat_lookup(&xlat_ioctl, 0x541b), "FIONREAD");
	ck_assert_str_eq(xlat_lookup(&xlat_rusage_who, (uint64_t)-1), "RUSAGE_CHILDREN");
	/* FS_IOC_GETFLAGS carries the size of a long. */
	ck_assert_str_eq(xlat_lookup(&xlat_ioctl, 0x80086601), "FS_IOC_GETFLAGS");
	ck_assert_str_eq(xlat_lookup(&xlat_ioctl_i386, 0x80046601), "FS_IOC_GETFLAGS");
	ck_assert_str_eq(xlat_lookup(&xlat_ioctl_i386, 0x5401), "TCGETS");
	ck_assert_str_eq(xlat_lookup(&xlat_open_flags, O_SYNC), "O_SYNC");
	ck_assert_ptr_null(xlat_lookup(&xlat_open_flags, 0x80000000));
	ck_assert_ptr_eq(xlat_set("open_flags"), &xlat_open_flags);
	ck_assert_ptr_null(xlat_set("no_such_set"));
	for (unsigned i = 0; xlat_sets[i]; i++)
		for (unsigned j = 1; j < xlat_sets[i]->count && !xlat_sets[i]->flags; j++)
			ck_assert_msg(xlat_sets[i]->entries[j - 1].value < xlat_sets[i]->entries[j].value,
				      "%s is not sorted", xlat_sets[i]->name);
}
END_TEST

struct record { struct tracer_ev_call c; uint64_t args[6]; struct tracer_capture cap; char bytes[112]; };

static bool ordinary(const char *name, int err, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct record r = { .c = { .head = { .size = sizeof(struct tracer_ev_call) + 48 }, .nargs = 6 },
			    .args = { a0, a1, a2 } };

	return syscall_ordinary(call(TRACER_ABI_X86_64, name), &r.c, err);
}

START_TEST(ordinary_errors)
{
	static const struct { const char *name; int err; uint64_t a0, a1, a2; bool yes; } rows[] = {
		{ "getpid", EINTR, 0, 0, 0, true }, { "write", 512, 0, 0, 0, true }, { "write", 516, 0, 0, 0, true },
		{ "write", 517, 0, 0, 0, false }, { "clone3", ENOSYS, 0, 0, 0, true },
		{ "read", EAGAIN, 0, 0, 0, true }, { "read", EIO, 0, 0, 0, false }, { "read", EBADF, 0, 0, 0, false },
		{ "clone", EAGAIN, 0, 0, 0, false }, { "mlock", EAGAIN, 0, 0, 0, false },
		{ "stat", ENOENT, 0, 0, 0, true }, { "access", ENOENT, 0, 0, 0, true },
		{ "access", EACCES, 0, 0, 0, true }, { "stat", EACCES, 0, 0, 0, false },
		{ "open", ENOENT, 0, O_RDONLY, 0, true }, { "open", ENOENT, 0, O_WRONLY | O_CREAT, 0, false },
		{ "open", ENOENT, 0, O_RDONLY | O_CREAT, 0, false }, { "open", EACCES, 0, O_RDONLY, 0, false },
		{ "openat", ENOENT, 0, 0, O_RDONLY | O_CLOEXEC, true }, { "openat", ENOENT, 0, 0, O_RDWR, false },
		{ "readlink", EINVAL, 0, 0, 0, true }, { "getxattr", ENODATA, 0, 0, 0, true },
		{ "getxattr", EIO, 0, 0, 0, false }, { "ioctl", ENOTTY, 0, 0, 0, true },
		{ "connect", EINPROGRESS, 0, 0, 0, true }, { "connect", ECONNREFUSED, 0, 0, 0, false },
		{ "wait4", ECHILD, 0, 0, WNOHANG, true }, { "wait4", ECHILD, 0, 0, 0, false },
		{ "futex", ETIMEDOUT, 0, 0, 0, true }, { "futex", EAGAIN, 0, 0, 0, true },
		{ "kill", ESRCH, 1, 0, 0, true }, { "kill", ESRCH, 1, SIGTERM, 0, false },
		{ "unlink", ENOENT, 0, 0, 0, true }, { "rename", ENOENT, 0, 0, 0, false },
		{ "mkdir", EEXIST, 0, 0, 0, true }, { "mkdir", ENOENT, 0, 0, 0, false },
		{ "mmap", ENOMEM, 0, 0, 0, false }, { "write", ENOSPC, 0, 0, 0, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(ordinary(rows[i].name, rows[i].err, rows[i].a0, rows[i].a1, rows[i].a2) == rows[i].yes,
			      "%s %d should %sbe ordinary", rows[i].name, rows[i].err, rows[i].yes ? "" : "not ");
	ck_assert(!syscall_ordinary(syscall_generic(0), &(struct tracer_ev_call){ 0 }, ENOENT));
}
END_TEST

/* What only the captured bytes tell. */
START_TEST(ordinary_by_capture)
{
	struct record r = { .c = { .nargs = 6, .ncaptures = 1 }, .cap = { .arg = 1 } };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/var/run/nscd/socket" };
	uint64_t how = O_RDONLY;

	r.c.head.size = sizeof(r);
	r.cap.len = sizeof(un);
	memcpy(r.cap.bytes, &un, sizeof(un));
	ck_assert(syscall_ordinary(call(TRACER_ABI_X86_64, "connect"), &r.c, ENOENT));
	strcpy(un.sun_path, "/var/run/docker.sock");
	memcpy(r.cap.bytes, &un, sizeof(un));
	ck_assert(!syscall_ordinary(call(TRACER_ABI_X86_64, "connect"), &r.c, ENOENT));
	r.cap.len = 1 << 20;	/* a record that lies */
	ck_assert(!syscall_ordinary(call(TRACER_ABI_X86_64, "connect"), &r.c, ENOENT));

	r.cap.arg = 2;
	r.cap.len = sizeof(how);
	memcpy(r.cap.bytes, &how, sizeof(how));
	ck_assert(syscall_ordinary(call(TRACER_ABI_X86_64, "openat2"), &r.c, ENOENT));
	how = O_WRONLY | O_CREAT;
	memcpy(r.cap.bytes, &how, sizeof(how));
	ck_assert(!syscall_ordinary(call(TRACER_ABI_X86_64, "openat2"), &r.c, ENOENT));
	r.c.ncaptures = 0;
	ck_assert(!syscall_ordinary(call(TRACER_ABI_X86_64, "openat2"), &r.c, ENOENT));
}
END_TEST

/* Numbers as this machine's header has them. */
START_TEST(header_numbers)
{
	ck_assert_int_eq(syscall_number(TRACER_ABI_X86_64, "openat"), __NR_openat);
	ck_assert_int_eq(syscall_number(TRACER_ABI_X86_64, "clone3"), __NR_clone3);
	ck_assert_int_eq(syscall_number(TRACER_ABI_X86_64, "close_range"), __NR_close_range);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		lookup, generic_row, plans, sizes, overrides, nearest, errno_names, signal_names, constants,
		ordinary_errors, ordinary_by_capture, header_numbers, NULL
	};

	return unit_run("syscalls", tests);
}
