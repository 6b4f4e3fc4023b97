/* SPDX-License-Identifier: Apache-2.0 */
/* The language of -e: what is selected, what is refused and with which words. */
#include "config.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <tracer/error.h>
#include "syscalls/filter.h"
#include "syscalls/syscalls.h"
#include "unit.h"

static bool wants(const struct filter *f, const char *name)
{
	bool i386 = strstr(name, "@32") != NULL;
	int abi = i386 ? TRACER_ABI_I386 : TRACER_ABI_X86_64, nr;
	char buf[64];

	snprintf(buf, sizeof(buf), "%.*s", (int)strcspn(name, "@"), name);
	nr = syscall_number(abi, buf);
	ck_assert_msg(nr >= 0, "%s", name);
	return filter_wants(f, abi, nr);
}

/* Names between spaces, each wanted (yes) or not. */
static void check_names(const struct filter *f, const char *spec, const char *names, bool yes)
{
	char list[256], *save, *name;

	snprintf(list, sizeof(list), "%s", names);
	for (name = strtok_r(list, " ", &save); name; name = strtok_r(NULL, " ", &save))
		ck_assert_msg(wants(f, name) == yes, "-e '%s' should %sselect %s", spec, yes ? "" : "not ",
			      name);
}

START_TEST(selects)
{
	static const struct { const char *spec, *yes, *no; } rows[] = {
		{ "trace=openat", "openat openat@32", "open read openat2" },
		{ "openat", "openat", "open" },
		{ "t=read,write", "read write read@32", "readv close" },
		{ "trace=all", "read write socketcall@32", "" },
		{ "trace=none", "", "read write" },
		{ "trace=!all", "", "read write" },
		{ "trace=!none", "read write", "" },
		{ "trace=!read,write", "close open", "read write write@32" },
		{ "trace=!%file", "read close", "openat stat open@32" },
		{ "trace=%file", "open openat stat execve chdir rename", "read fstat" },
		{ "trace=%process", "fork execve exit_group wait4 clone3", "getpid open" },
		{ "trace=%net", "socket connect sendto sendfile", "read open" },
		{ "trace=%network", "socket connect socketcall@32", "read open" },
		{ "trace=network", "socket connect", "read" },
		{ "trace=%signal", "kill rt_sigaction rt_sigreturn", "read" },
		{ "trace=%ipc", "shmget semop msgrcv ipc@32", "mq_open read" },
		{ "trace=%desc", "read close openat dup2 epoll_wait", "stat getpid socket" },
		{ "trace=%memory", "mmap brk mprotect", "read" },
		{ "trace=%creds", "getuid setresgid capget", "getpid" },
		{ "trace=%clock", "gettimeofday clock_gettime", "nanosleep getpid" },
		{ "trace=%pure", "getpid getuid", "getrandom read" },
		{ "trace=%stat", "stat stat64@32", "lstat fstat newfstatat" },
		{ "trace=%lstat", "lstat oldlstat@32", "stat fstat" },
		{ "trace=%fstat", "fstat newfstatat", "stat lstat" },
		{ "trace=%%stat", "stat lstat fstat statx oldlstat@32", "statfs read" },
		{ "trace=%statfs", "statfs", "fstatfs" },
		{ "trace=%%statfs", "statfs fstatfs", "stat" },
		{ "trace=/^open", "open openat open_by_handle_at", "mq_open read" },
		{ "trace=/open/", "open mq_open perf_event_open", "read" },
		{ "trace=/^(read|write)v?$", "read write readv writev", "pread64 readlink" },
		{ "trace=read@64", "read", "read@32" },
		{ "trace=read@32,write", "read@32 write write@32", "read" },
		{ "trace=%net@32", "socketcall@32 socket@32", "socket" },
		{ "trace=?no_such_call,read", "read", "write" },
		{ "trace=??no_such_call,read", "read", "write" },
		{ "trace=?/nothing_like_that,read", "read", "write" },
		{ "trace=?socketcall@64,read", "read", "write" },
		{ "trace=59", "execve oldolduname@32", "read" },
		{ "trace=11@32", "execve@32", "munmap" },
		{ "trace=mmap2", "mmap2@32", "mmap" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct filter f;
		char why[256] = "";

		filter_init(&f);
		ck_assert_msg(filter_parse(&f, rows[i].spec, why, sizeof(why)) == 0, "%s: %s", rows[i].spec,
			      why);
		check_names(&f, rows[i].spec, rows[i].yes, true);
		check_names(&f, rows[i].spec, rows[i].no, false);
	}
}
END_TEST

START_TEST(refuses)
{
	static const struct { const char *spec, *part; } rows[] = {
		{ "trace=opnat", "did you mean 'openat'" },
		{ "trace=read,wriet", "did you mean 'write'" },
		{ "trace=xyzzyqwertz", "put ? in front" },
		{ "trace=%fiel", "%file %desc" },
		{ "trace=%", "there are:" },
		{ "trace=/[", "no regular expression" },
		{ "trace=/nothing_like_that", "matches" },
		{ "trace=", "an item is missing" },
		{ "", "an item is missing" },
		{ "trace=read,,write", "an item is missing" },
		{ "trace=read,", "an item is missing" },
		{ "trace=!", "an item is missing" },
		{ "trace=read@16", "64 or 32" },
		{ "trace=socketcall@64", "does not exist in that ABI" },
		{ "trace=1024", "0 to 1023" },
		{ "trace=5x", "0 to 1023" },
		{ "trace=read,all", "no system call is called 'all'" },
		{ "tarce=read", "-e knows no 'tarce='" },
		{ "inject=read", "-e knows no" },
		{ "status=fine", "successful failed" },
		{ "status=", "an item is missing" },
		{ "fd=x", "no file descriptor" },
		{ "fd=-1", "no file descriptor" },
		{ "fd=99999999999", "no file descriptor" },
		{ "signal=SIGNONE", "no signal" },
		{ "signal=65", "no signal" },
		{ "signal=0", "no signal" },
	};
	char longest[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct filter f, before;
		char why[256] = "";

		filter_init(&f);
		ck_assert_int_eq(filter_parse(&f, "trace=close", why, sizeof(why)), 0);
		before = f;
		ck_assert_msg(filter_parse(&f, rows[i].spec, why, sizeof(why)) == -TRACER_ERR_USAGE, "%s",
			      rows[i].spec);
		ck_assert_msg(strstr(why, rows[i].part) != NULL, "%s: %s", rows[i].spec, why);
		ck_assert_msg(!memcmp(&f, &before, sizeof(f)), "%s changed the filter", rows[i].spec);
		ck_assert_int_eq(filter_parse(&f, rows[i].spec, NULL, 0), -TRACER_ERR_USAGE);
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_eq(filter_parse(&(struct filter){ 0 }, longest, NULL, 0), -TRACER_ERR_USAGE);
}
END_TEST

START_TEST(unknown_numbers)
{
	struct filter f;

	filter_init(&f);
	ck_assert(filter_wants(&f, TRACER_ABI_X86_64, 500));
	ck_assert(filter_wants(&f, TRACER_ABI_X86_64, 5000));
	ck_assert_int_eq(filter_parse(&f, "!read", NULL, 0), 0);
	ck_assert(filter_wants(&f, TRACER_ABI_X86_64, 500));
	ck_assert(!filter_wants(&f, TRACER_ABI_X86_64, 5000));
	ck_assert(!filter_wants(&f, TRACER_ABI_X86_64, -1));
	ck_assert(!filter_wants(&f, TRACER_ABIS, 1));
	ck_assert_int_eq(filter_parse(&f, "500", NULL, 0), 0);
	ck_assert(filter_wants(&f, TRACER_ABI_X86_64, 500));
	ck_assert(!filter_wants(&f, TRACER_ABI_X86_64, 501));
	ck_assert_int_eq(filter_parse(&f, "all", NULL, 0), 0);
	ck_assert(filter_wants(&f, TRACER_ABI_X86_64, 5000));
}
END_TEST

START_TEST(statuses)
{
	struct filter f;

	filter_init(&f);
	ck_assert(filter_wants_status(&f, FILTER_FAILED));
	ck_assert(filter_wants_status(&f, FILTER_DETACHED));
	ck_assert_int_eq(filter_parse(&f, "status=successful,unfinished", NULL, 0), 0);
	ck_assert(filter_wants_status(&f, FILTER_SUCCESSFUL));
	ck_assert(filter_wants_status(&f, FILTER_UNFINISHED));
	ck_assert(!filter_wants_status(&f, FILTER_FAILED));
	ck_assert_int_eq(filter_parse(&f, "status=!failed", NULL, 0), 0);
	ck_assert(filter_wants_status(&f, FILTER_UNAVAILABLE));
	ck_assert(!filter_wants_status(&f, FILTER_FAILED));
	ck_assert_int_eq(filter_parse(&f, "status=none", NULL, 0), 0);
	ck_assert(!filter_wants_status(&f, FILTER_SUCCESSFUL));
	ck_assert_int_eq(filter_parse(&f, "status=all", NULL, 0), 0);
	ck_assert(filter_wants_status(&f, FILTER_SUCCESSFUL));
	/* One kind of SET leaves the others alone. */
	ck_assert(filter_wants(&f, TRACER_ABI_X86_64, 0));
}
END_TEST

START_TEST(descriptors)
{
	struct filter f;
	char spec[512] = "fd=0";

	filter_init(&f);
	ck_assert(filter_wants_fd(&f, -1));
	ck_assert_int_eq(filter_parse(&f, "fd=3,7", NULL, 0), 0);
	ck_assert(filter_wants_fd(&f, 3));
	ck_assert(filter_wants_fd(&f, 7));
	ck_assert(!filter_wants_fd(&f, 4));
	ck_assert(!filter_wants_fd(&f, -1));
	ck_assert_int_eq(filter_parse(&f, "fd=!3", NULL, 0), 0);
	ck_assert(!filter_wants_fd(&f, 3));
	ck_assert(filter_wants_fd(&f, 4));
	ck_assert(!filter_wants_fd(&f, -1));
	ck_assert_int_eq(filter_parse(&f, "fd=none", NULL, 0), 0);
	ck_assert(!filter_wants_fd(&f, 3));
	ck_assert_int_eq(filter_parse(&f, "fd=all", NULL, 0), 0);
	ck_assert(filter_wants_fd(&f, -1));
	for (int i = 1; i <= (int)FILTER_FDS_MAX; i++)
		snprintf(spec + strlen(spec), sizeof(spec) - strlen(spec), ",%d", i);
	ck_assert_int_eq(filter_parse(&f, spec, NULL, 0), -TRACER_ERR_USAGE);
}
END_TEST

START_TEST(signals)
{
	struct filter f;

	filter_init(&f);
	ck_assert(filter_wants_signal(&f, SIGTERM));
	ck_assert(filter_wants_signal(&f, 64));
	ck_assert(!filter_wants_signal(&f, 0));
	ck_assert(!filter_wants_signal(&f, 65));
	ck_assert_int_eq(filter_parse(&f, "signal=term,SIGRT_3,64", NULL, 0), 0);
	ck_assert(filter_wants_signal(&f, SIGTERM));
	ck_assert(filter_wants_signal(&f, 35));
	ck_assert(filter_wants_signal(&f, 64));
	ck_assert(!filter_wants_signal(&f, SIGINT));
	ck_assert_int_eq(filter_parse(&f, "signal=!SIGCHLD", NULL, 0), 0);
	ck_assert(!filter_wants_signal(&f, SIGCHLD));
	ck_assert(filter_wants_signal(&f, SIGINT));
	ck_assert_int_eq(filter_parse(&f, "s=none", NULL, 0), 0);
	ck_assert(!filter_wants_signal(&f, SIGINT));
	ck_assert_int_eq(filter_parse(&f, "signals=all", NULL, 0), 0);
	ck_assert(filter_wants_signal(&f, SIGINT));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		selects, refuses, unknown_numbers, statuses, descriptors, signals, NULL
	};

	return unit_run("filter", tests);
}
