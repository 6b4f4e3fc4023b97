/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lap FILE COMMAND [ARG...]: runs the command and writes to FILE how many
 * nanoseconds it took, from fork to exit.  Between a tracer and a program it
 * tells the program's own time, without the tracer's start and end.  One
 * thread.
 */
#include "config.h"
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	int64_t begin, took;
	int status = 0;
	FILE *out;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: lap FILE COMMAND [ARG...]\n");
		return 2;
	}
	begin = now_ns();
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("lap");
		return 1;
	}
	took = now_ns() - begin;
	out = fopen(argv[1], "w");
	if (!out || fprintf(out, "%lld\n", (long long)took) < 0 || fclose(out) != 0) {
		perror(argv[1]);
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
