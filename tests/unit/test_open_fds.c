/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that were open keep their flags; later ones become close-on-exec. */
#include "config.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/open_fds.h"
#include "unit.h"

START_TEST(ascending_and_complete)
{
	int a = open("/dev/null", O_RDONLY), b = fcntl(a, F_DUPFD, 300), *fds, n = open_fds_load(&fds),
	    found = 0;

	ck_assert_int_ge(n, 2);
	for (int i = 0; i < n; i++) {
		ck_assert(i == 0 || fds[i] > fds[i - 1]);
		ck_assert_int_ge(fcntl(fds[i], F_GETFD), 0);
		found += fds[i] == a || fds[i] == b;
	}
	ck_assert_int_eq(found, 2);
	free(fds);
	close(a);
	close(b);
}
END_TEST

START_TEST(later_ones_are_closed)
{
	int before = open("/dev/null", O_RDONLY), high = fcntl(before, F_DUPFD, 500), *fds,
	    n = open_fds_load(&fds);
	int later = open("/dev/null", O_RDONLY), between = fcntl(before, F_DUPFD, 400),
	    above = fcntl(before, F_DUPFD, 600);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		open_fds_set_private(fds, n);
		_exit(fcntl(before, F_GETFD) != 0 || fcntl(high, F_GETFD) != 0 ||
		      fcntl(STDERR_FILENO, F_GETFD) != 0 || fcntl(later, F_GETFD) != FD_CLOEXEC ||
		      fcntl(between, F_GETFD) != FD_CLOEXEC || fcntl(above, F_GETFD) != FD_CLOEXEC);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	free(fds);
	for (int i = 0; i < 5; i++)
		close((int[]){ before, high, later, between, above }[i]);
}
END_TEST

int main(void)
{
	return unit_run("open-fds",
			(const TTest *const[]){ascending_and_complete, later_ones_are_closed, NULL});
}
