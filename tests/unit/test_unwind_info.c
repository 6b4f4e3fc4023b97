/* SPDX-License-Identifier: Apache-2.0 */
/* Which code has call frame information, in real files. */
#include "config.h"
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "engine/unwind_info.h"
#include "unit.h"

struct where {
	uint64_t addr, base;
	char path[512];
};

static int look(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct where *w = ctx;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || w->addr - info->dlpi_addr - p->p_vaddr >= p->p_memsz)
			continue;
		w->base = info->dlpi_addr;
		snprintf(w->path, sizeof(w->path), "%s",
			 info->dlpi_name[0] ? info->dlpi_name : "/proc/self/exe");
		return 1;
	}
	return 0;
}

static void handler(int sig)
{
	(void)sig;
}

/* The C library's own signal return. */
static uint64_t restorer(void)
{
	struct { void *handler; unsigned long flags; uint64_t restorer, mask; } now;
	struct sigaction sa = { .sa_handler = handler };

	sigaction(SIGUSR1, &sa, NULL);
	ck_assert_int_eq(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &now, 8), 0);
	return now.restorer;
}

START_TEST(signal_return)
{
	struct where w = { .addr = restorer() };
	int fd;

	ck_assert_int_eq(dl_iterate_phdr(look, &w), 1);
	fd = open(w.path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert(unwind_info_covers(fd, w.addr - w.base, w.addr - w.base + 9));
	/* more than the function */
	ck_assert(!unwind_info_covers(fd, w.addr - w.base, w.addr - w.base + 4096));
	/* nothing at all */
	ck_assert(!unwind_info_covers(fd, w.addr - w.base, w.addr - w.base));
	/* no code */
	ck_assert(!unwind_info_covers(fd, 0, 9));
	ck_assert(!unwind_info_covers(fd, UINT64_MAX - 64, UINT64_MAX));
	close(fd);
}
END_TEST

START_TEST(other_files)
{
	char junk[4096], name[] = "/tmp/unwind-XXXXXX";
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert(!unwind_info_covers(fd, 0, 9));
	ck_assert(!unwind_info_covers(-1, 0, 9));
	close(fd);
	/* a head that promises more than there is */
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(read(fd, junk, 64), 64);
	close(fd);
	memset(junk + 64, 0x41, sizeof(junk) - 64);
	fd = mkstemp(name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, junk, sizeof(junk)), (ssize_t)sizeof(junk));
	for (uint64_t at = 0; at < 8192; at += 64)
		ck_assert(!unwind_info_covers(fd, at, at + 9));
	close(fd);
	unlink(name);
}
END_TEST

int main(void)
{
	return unit_run("unwind_info", (const TTest *const[]){ signal_return, other_files, NULL });
}
