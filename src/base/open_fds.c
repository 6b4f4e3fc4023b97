/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of open descriptors, and closing the others at exec.  Loading:
 * any thread, before others open files.  Setting: the forked child, so nothing
 * but system calls; the list belongs to the caller.
 */
#include "config.h"
#include "base/open_fds.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FLAG_CLOEXEC 4u		/* CLOSE_RANGE_CLOEXEC, linux/close_range.h, since 5.11 */
#define HIGHEST 65536		/* where an older kernel makes us try each number */

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

static int list_add(int **fds, int n, int fd)
{
	int *more;

	/* room in powers of two */
	if ((n & (n - 1)) == 0) {
		more = realloc(*fds, sizeof(**fds) * (n ? 2u * (unsigned)n : 1u));
		if (!more)
			return -ENOMEM;
		*fds = more;
	}
	(*fds)[n] = fd;
	return n + 1;
}

int open_fds_load(int **fds)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int n = 0;

	*fds = NULL;
	if (!d)
		return -errno;
	*fds = malloc(sizeof(**fds));	/* not NULL where none is open */
	if (!*fds)
		n = -ENOMEM;
	while (n >= 0 && (e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d))
			n = list_add(fds, n, atoi(e->d_name));
	closedir(d);
	if (n < 0) {
		free(*fds);
		*fds = NULL;
		return n;
	}
	if (n)
		qsort(*fds, (size_t)n, sizeof(**fds), compare);
	return n;
}

static void range_set(unsigned first, unsigned last)
{
	if (first > last || syscall(SYS_close_range, first, last, FLAG_CLOEXEC) == 0)
		return;
	for (unsigned fd = first; fd <= last && fd < HIGHEST; fd++)
		fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

void open_fds_set_private(const int *fds, int n)
{
	unsigned next = 3;

	for (int i = 0; i < n; i++) {
		unsigned fd = (unsigned)fds[i];

		if (fd < next)
			continue;
		range_set(next, fd - 1);
		next = fd + 1;
	}
	range_set(next, INT_MAX);
}
