/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load KIND N [THREADS]: programs to trace, with a known number of one kind of call.
 *   syscall_heavy  N getppid calls and nothing else
 *   path_heavy     N access of a path of 30 bytes that is not there
 *   file_heavy     N times open, read and close of a file of 4 KiB: N read
 *   compute_heavy  N times 1 ms of arithmetic and a getppid
 *   io_heavy       N files made, written (4 pwrite64 each), read, removed
 *   fork_heavy     N times fork and exec of true(1), N wait4
 *   multi_thread   THREADS (4) threads, N getppid together (a multiple of THREADS), among other calls
 *   net_heavy      N round trips of 100 bytes over loopback TCP: 2 N sendto
 * Prints nothing.  Threads live inside their kind's function; the main thread
 * joins them.
 */
#include "config.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define THREADS_MAX 64
#define MESSAGE 100
/* About 1 ms on the machines of 2020: what counts is that it is the same with and without a tracer. */
#define ROUNDS 450000u

extern char **environ;

static void check(long rc, const char *what)
{
	if (rc >= 0)
		return;
	perror(what);
	exit(1);
}

static int syscall_heavy(long n)
{
	while (n--)
		syscall(SYS_getppid);
	return 0;
}

static int path_heavy(long n)
{
	while (n--)
		access("/tmp/there/is/no/such/file-xyz", R_OK);
	return 0;
}

static int file_heavy(long n)
{
	char path[] = "/dev/shm/load.XXXXXX", buf[4096] = "";
	int fd = mkstemp(path);

	check(fd, path);
	check(write(fd, buf, sizeof(buf)), "write");
	close(fd);
	while (n--) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		check(fd, path);
		check(read(fd, buf, sizeof(buf)), "read");
		close(fd);
	}
	return unlink(path) < 0;
}

static int compute_heavy(long n)
{
	volatile uint64_t result;
	uint64_t x = 88172645463325252ull;

	while (n--) {
		for (unsigned i = 0; i < ROUNDS; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
		}
		syscall(SYS_getppid);
	}
	result = x;
	return result == 0;
}

static void use_file(const char *path)
{
	char buf[512];
	struct stat st;
	int fd;

	memset(buf, 'x', sizeof(buf));
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(fd, path);
	for (int i = 0; i < 4; i++)
		check(pwrite(fd, buf, sizeof(buf), i * 512), "pwrite");
	check(fstat(fd, &st), "fstat");
	for (int i = 0; i < 4; i++)
		check(pread(fd, buf, sizeof(buf), i * 512), "pread");
	lseek(fd, 0, SEEK_SET);
	check(read(fd, buf, sizeof(buf)), "read");
	close(fd);
	check(access(path, R_OK), "access");
	unlink(path);
}

static int io_heavy(long n)
{
	char dir[] = "/dev/shm/load.XXXXXX", path[64];

	check(mkdtemp(dir) ? 0 : -1, dir);
	while (n--) {
		snprintf(path, sizeof(path), "%s/%ld", dir, n % 64);
		use_file(path);
	}
	return rmdir(dir) < 0;
}

static int fork_heavy(long n)
{
	char *argv[] = { (char *)"true", NULL };
	int status;
	pid_t pid;

	while (n--) {
		pid = fork();
		check(pid, "fork");
		if (pid == 0) {
			execve("/bin/true", argv, environ);
			_exit(127);
		}
		check(waitpid(pid, &status, 0), "wait");
		if (status != 0)
			return 1;
	}
	return 0;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *thread_main(void *arg)
{
	long n = *(long *)arg;
	int p[2];
	char c = 'x';

	check(pipe2(p, O_CLOEXEC), "pipe2");
	while (n--) {
		syscall(SYS_getppid);
		pthread_mutex_lock(&lock);
		check(write(p[1], &c, 1), "write");
		pthread_mutex_unlock(&lock);
		check(read(p[0], &c, 1), "read");
	}
	close(p[0]);
	close(p[1]);
	return NULL;
}

static int run_threads(long n, long threads)
{
	pthread_t t[THREADS_MAX];
	long share = n / threads;

	for (long i = 0; i < threads; i++)
		check(-pthread_create(&t[i], NULL, thread_main, &share), "pthread_create");
	for (long i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	return 0;
}

static int multi_thread(long n)
{
	return run_threads(n, THREADS);
}

static void read_all(int fd, char *buf)
{
	for (ssize_t got = 0, n; got < MESSAGE; got += n) {
		n = recv(fd, buf + got, (size_t)(MESSAGE - got), 0);
		check(n > 0 ? 0 : -1, "recv");
	}
}

struct server { int listener; long n; };

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	char buf[MESSAGE];

	check(fd, "accept");
	for (long i = 0; i < s->n; i++) {
		read_all(fd, buf);
		check(send(fd, buf, sizeof(buf), 0), "send");
	}
	close(fd);
	return NULL;
}

static int net_heavy(long n)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct server s = { socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), n };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	char buf[MESSAGE] = "";
	pthread_t t;

	check(bind(s.listener, (struct sockaddr *)&a, sizeof(a)), "bind");
	check(listen(s.listener, 1), "listen");
	check(getsockname(s.listener, (struct sockaddr *)&a, &len), "getsockname");
	check(-pthread_create(&t, NULL, serve, &s), "pthread_create");
	check(connect(fd, (struct sockaddr *)&a, sizeof(a)), "connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (long i = 0; i < n; i++) {
		check(send(fd, buf, sizeof(buf), 0), "send");
		read_all(fd, buf);
	}
	pthread_join(t, NULL);
	close(fd);
	close(s.listener);
	return 0;
}

static const struct { const char *name; int (*run)(long n); } kinds[] = {
	{ "syscall_heavy", syscall_heavy }, { "path_heavy", path_heavy }, { "file_heavy", file_heavy },
	{ "compute_heavy", compute_heavy }, { "io_heavy", io_heavy },
	{ "fork_heavy", fork_heavy }, { "multi_thread", multi_thread }, { "net_heavy", net_heavy },
};

int main(int argc, char **argv)
{
	long threads = argc == 4 ? atol(argv[3]) : 0;

	if (argc == 4 && strcmp(argv[1], "multi_thread") == 0 && threads > 0 && threads <= THREADS_MAX)
		return run_threads(atol(argv[2]), threads);
	for (size_t i = 0; argc == 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			return kinds[i].run(atol(argv[2]));
	fprintf(stderr, "usage: load syscall_heavy|path_heavy|file_heavy|compute_heavy|io_heavy|fork_heavy|multi_thread|net_heavy "
			"N [THREADS]\n");
	return 2;
}
