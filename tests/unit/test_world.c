/* SPDX-License-Identifier: Apache-2.0 */
/* The world model: tasks, tables, images, from records alone. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "decode/world.h"
#include "records.h"

#define X TRACER_ABI_X86_64

static struct world *w;

static void setup(void)
{
	arena_used = 0;
	ck_assert_int_eq(world_new(&w, NULL), 0);
}

static void apply(const struct tracer_event *ev)
{
	ck_assert_int_eq(world_before(w, ev), 0);
	world_after(w, ev);
}

#define CALL(tid, name, ...) apply(&call_of(X, tid, name, __VA_ARGS__)->head)

static void start(void)
{
	setup();
	apply(task_of(10, 10, 0, 0));
	apply(text_of(TRACER_EV_CWD, 10, "/home/me"));
	apply(fd_of(10, 0, "/dev/pts/1", 0));
	apply(fd_of(10, 2, "pipe:[55]", 1));
}

static const char *target(int32_t tid, int fd)
{
	const struct fd_entry *e = task_fd(world_task(w, tid), fd);

	return e ? e->target : "none";
}

#define FD_IS(tid, fd, text) ck_assert_str_eq(target(tid, fd), text)
#define CWD_IS(tid, text) ck_assert_str_eq(world_task(w, tid)->fs->cwd, text)

static void done(void)
{
	world_free(w);
	w = NULL;
}

START_TEST(initial_state)
{
	start();
	FD_IS(10, 0, "/dev/pts/1");
	FD_IS(10, 1, "none");
	FD_IS(10, -1, "none");
	FD_IS(10, 2, "pipe:[55]");
	ck_assert_int_eq(task_fd(world_task(w, 10), 2)->kind, FD_PIPE);
	CWD_IS(10, "/home/me");
	done();
}
END_TEST

START_TEST(open_and_close)
{
	start();
	CALL(10, "open", 3, str("/etc/passwd"), A(O_RDONLY), A(0));
	FD_IS(10, 3, "/etc/passwd");
	CALL(10, "openat", 4, A(AT_FDCWD), str("src/a.c"), A(O_RDONLY), A(0));
	FD_IS(10, 4, "/home/me/src/a.c");
	CALL(10, "openat", 5, A(AT_FDCWD), str(".././x//y"), A(O_RDONLY), A(0));
	FD_IS(10, 5, "/home/x//y");
	CALL(10, "openat", -ENOENT, A(AT_FDCWD), str("gone"), A(O_RDONLY), A(0));
	CALL(10, "openat", 6, A(AT_FDCWD), str("/dir"), A(O_DIRECTORY), A(0));
	CALL(10, "openat", 7, A(6), str("in/it"), A(O_RDONLY), A(0));
	FD_IS(10, 7, "/dir/in/it");
	CALL(10, "close", 0, A(3));
	FD_IS(10, 3, "none");
	CALL(10, "close", -EIO, A(4));		/* closed all the same */
	FD_IS(10, 4, "none");
	CALL(10, "close", -EBADF, A(5));	/* cannot be: but it was not closed */
	FD_IS(10, 5, "/home/x//y");
	CALL(10, "close_range", 0, A(5), A(6), A(0));
	FD_IS(10, 5, "none");
	FD_IS(10, 6, "none");
	FD_IS(10, 7, "/dir/in/it");
	done();
}
END_TEST

START_TEST(relative_without_cwd)
{
	setup();
	apply(task_of(10, 10, 0, 0));
	CALL(10, "open", 3, str("a"), A(0), A(0));
	FD_IS(10, 3, "none");
	CALL(10, "open", 3, str("/a"), A(0), A(0));
	FD_IS(10, 3, "/a");
	done();
}
END_TEST

START_TEST(dup_family)
{
	start();
	CALL(10, "open", 3, str("/f"), A(O_RDONLY), A(0));
	CALL(10, "dup", 4, A(3));
	CALL(10, "dup2", 1, A(4), A(1));
	CALL(10, "dup3", 9, A(1), A(9), A(O_CLOEXEC));
	CALL(10, "fcntl", 20, A(9), A(F_DUPFD_CLOEXEC), A(20));
	FD_IS(10, 4, "/f");
	FD_IS(10, 1, "/f");
	FD_IS(10, 9, "/f");
	FD_IS(10, 20, "/f");
	ck_assert(fd_table_cloexec(world_task(w, 10)->fds, 9));
	ck_assert(fd_table_cloexec(world_task(w, 10)->fds, 20));
	ck_assert(!fd_table_cloexec(world_task(w, 10)->fds, 4));
	CALL(10, "dup2", 0, A(77), A(0));	/* of what we do not know */
	FD_IS(10, 0, "none");
	CALL(10, "dup2", 9, A(9), A(9));	/* nothing happens, not even to close-on-exec */
	ck_assert(fd_table_cloexec(world_task(w, 10)->fds, 9));
	CALL(10, "fcntl", 0, A(9), A(F_SETFD), A(0));
	ck_assert(!fd_table_cloexec(world_task(w, 10)->fds, 9));
	CALL(10, "ioctl", 0, A(9), A(0x5451), A(0));	/* FIOCLEX */
	ck_assert(fd_table_cloexec(world_task(w, 10)->fds, 9));
	CALL(10, "ioctl", -EBADF, A(9), A(0x5450), A(0));
	ck_assert(fd_table_cloexec(world_task(w, 10)->fds, 9));
	done();
}
END_TEST

static uint64_t kernel_at;
static uint8_t kernel_bytes[128];
static size_t kernel_len;

static void kernel_write(void)
{
	memcpy(arena + (kernel_at - ARENA_BASE), kernel_bytes, kernel_len);
}

static uint64_t written(const void *p, size_t n)
{
	kernel_at = mem(NULL, n);
	memcpy(kernel_bytes, p, n);
	kernel_len = n;
	record_kernel = kernel_write;
	return kernel_at;
}

START_TEST(new_kinds)
{
	const int32_t fds[2] = { 5, 6 };
	uint64_t at;

	start();
	at = written(fds, sizeof(fds));
	CALL(10, "pipe2", 0, at, A(O_CLOEXEC));
	FD_IS(10, 5, "pipe:[#1]");
	FD_IS(10, 6, "pipe:[#1]");
	at = written(fds, sizeof(fds));
	CALL(10, "socketpair", 0, A(AF_UNIX), A(SOCK_DGRAM), A(0), at);
	FD_IS(10, 5, "UNIX-DGRAM:[#2]");
	CALL(10, "epoll_create1", 7, A(0));
	FD_IS(10, 7, "anon_inode:[eventpoll]");
	CALL(10, "eventfd2", 8, A(0), A(0));
	FD_IS(10, 8, "anon_inode:[eventfd]");
	CALL(10, "memfd_create", 9, str("shm"), A(1));
	FD_IS(10, 9, "/memfd:shm (deleted)");
	ck_assert(fd_table_cloexec(world_task(w, 10)->fds, 9));
	CALL(10, "timerfd_create", 10, A(1), A(0));
	FD_IS(10, 10, "anon_inode:[timerfd]");
	CALL(10, "inotify_init1", 11, A(0));
	FD_IS(10, 11, "anon_inode:inotify");
	CALL(10, "pidfd_open", 12, A(1), A(0));
	FD_IS(10, 12, "anon_inode:[pidfd]");
	done();
}
END_TEST

static uint64_t inet(const char *address, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	unsigned b[4];

	sscanf(address, "%u.%u.%u.%u", &b[0], &b[1], &b[2], &b[3]);
	sin.sin_addr.s_addr = htonl(b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3]);
	return mem(&sin, sizeof(sin));
}

START_TEST(sockets)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(999), .sin_addr = { htonl(0x0a000001) } };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/x" };
	uint32_t len = 16;
	uint64_t at, at_len;

	start();
	CALL(10, "socket", 3, A(AF_INET), A(SOCK_STREAM | SOCK_CLOEXEC), A(0));
	FD_IS(10, 3, "TCP");
	ck_assert_int_eq(task_fd(world_task(w, 10), 3)->family, AF_INET);
	CALL(10, "bind", 0, A(3), inet("127.0.0.1", 80), A(16));
	FD_IS(10, 3, "TCP:[127.0.0.1:80]");
	at_len = mem(&len, 4);
	at = written(&from, sizeof(from));
	CALL(10, "accept4", 4, A(3), at, at_len, A(SOCK_CLOEXEC));
	FD_IS(10, 4, "TCP:[127.0.0.1:80->10.0.0.1:999]");
	ck_assert(fd_table_cloexec(world_task(w, 10)->fds, 4));
	CALL(10, "accept", 5, A(3), A(0), A(0));
	FD_IS(10, 5, "TCP:[127.0.0.1:80]");
	at_len = mem(&len, 4);
	at = written(&from, sizeof(from));
	CALL(10, "getpeername", 0, A(5), at, at_len);
	FD_IS(10, 5, "TCP:[127.0.0.1:80->10.0.0.1:999]");
	CALL(10, "socket", 6, A(AF_INET6), A(SOCK_DGRAM), A(0));
	FD_IS(10, 6, "UDPv6");
	CALL(10, "socket", 7, A(AF_INET), A(SOCK_DGRAM), A(0));
	CALL(10, "dup", 8, A(7));
	CALL(10, "connect", 0, A(7), inet("10.1.2.3", 53), A(16));
	FD_IS(10, 8, "UDP:[->10.1.2.3:53]");	/* dup shares the description */
	CALL(10, "socket", 9, A(AF_UNIX), A(SOCK_STREAM), A(0));
	CALL(10, "connect", -ECONNREFUSED, A(9), mem(&un, sizeof(un)), A(sizeof(un)));
	FD_IS(10, 9, "UNIX-STREAM");
	CALL(10, "connect", -EINPROGRESS, A(9), mem(&un, sizeof(un)), A(sizeof(un)));
	FD_IS(10, 9, "UNIX-STREAM:[->/run/x]");
	done();
}
END_TEST

START_TEST(cwd_changes)
{
	start();
	CALL(10, "chdir", 0, str("sub"));
	CWD_IS(10, "/home/me/sub");
	CALL(10, "chdir", -ENOENT, str("none"));
	CWD_IS(10, "/home/me/sub");
	CALL(10, "chdir", 0, str("../.."));
	CWD_IS(10, "/home");
	CALL(10, "chdir", 0, str("../../.."));
	CWD_IS(10, "/");
	CALL(10, "open", 3, str("/var/tmp"), A(O_DIRECTORY), A(0));
	CALL(10, "fchdir", 0, A(3));
	CWD_IS(10, "/var/tmp");
	CALL(10, "fchdir", 0, A(99));	/* to where we do not know */
	ck_assert_uint_eq(world_task(w, 10)->fs->len, 0);
	done();
}
END_TEST

START_TEST(fork_copies_thread_shares)
{
	start();
	apply(task_of(11, 11, 10, 0));
	apply(task_of(12, 10, 10, CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_FS));
	CALL(12, "open", 3, str("/by-thread"), A(0), A(0));
	FD_IS(10, 3, "/by-thread");
	FD_IS(11, 3, "none");
	CALL(11, "close", 0, A(0));
	FD_IS(10, 0, "/dev/pts/1");
	CALL(12, "chdir", 0, str("/t"));
	CWD_IS(10, "/t");
	CWD_IS(11, "/home/me");
	ck_assert_ptr_eq(world_task(w, 12)->proc, world_task(w, 10)->proc);
	ck_assert_uint_eq(world_task(w, 10)->proc->threads, 2);
	ck_assert_int_eq(world_task(w, 11)->proc->parent_pid, 10);
	ck_assert_uint_eq(world_task(w, 11)->proc->image->parent_id, world_task(w, 10)->proc->image->id);
	CALL(12, "unshare", 0, A(CLONE_FILES | CLONE_FS));
	CALL(12, "close", 0, A(3));
	FD_IS(10, 3, "/by-thread");
	CALL(12, "chdir", 0, str("/own"));
	CWD_IS(10, "/t");
	done();
}
END_TEST

START_TEST(exec_makes_an_image)
{
	struct image *first, *second;

	start();
	first = image_get(world_task(w, 10)->proc->image);
	CALL(10, "openat", 3, A(AT_FDCWD), str("/gone"), A(O_CLOEXEC), A(0));
	CALL(10, "openat", 4, A(AT_FDCWD), str("/stays"), A(0), A(0));
	apply(exec_of(10, 10, "/bin/ls", "ls"));
	second = world_task(w, 10)->proc->image;
	ck_assert_ptr_ne(first, second);
	ck_assert(first->ended && first->status == -1 && second->by_exec && !second->ended);
	ck_assert_uint_eq(second->parent_id, first->id);
	ck_assert_str_eq(second->exe, "/bin/ls");
	ck_assert_str_eq(second->argv, "ls");
	ck_assert_uint_eq(second->argc, 1);
	FD_IS(10, 3, "none");
	FD_IS(10, 2, "none");
	FD_IS(10, 4, "/stays");
	CWD_IS(10, "/home/me");
	/* The execve itself is the old image's call, what follows the new one's. */
	CALL(10, "execve", 0, str("/bin/ls"), A(0), A(0));
	CALL(10, "getpid", 10);
	ck_assert_uint_eq(first->calls, 3);
	ck_assert_uint_eq(second->calls, 1);
	image_put(w, first);
	done();
}
END_TEST

START_TEST(mapped_files)
{
	struct image *first, *second;
	struct world_stats before, after;
	char path[32];

	start();
	apply(exec_of(10, 10, "/bin/ls", "ls"));
	CALL(10, "execve", 0, str("/bin/ls"), A(0), A(0));
	world_stats(w, &before);
	first = world_task(w, 10)->proc->image;
	apply(map_of(10, "/bin/ls", 1));
	apply(map_of(10, "/lib/libc.so.6", 2));
	apply(map_of(10, "/lib/libc.so.6", 2));
	ck_assert_uint_eq(first->nmaps, 2);
	ck_assert_str_eq(first->maps[1].path, "/lib/libc.so.6");
	ck_assert_uint_eq(first->maps[1].build_id[19], 2);
	/* another file of the same name is another file */
	apply(map_of(10, "/lib/libc.so.6", 3));
	ck_assert_uint_eq(first->nmaps, 3);
	apply(task_of(20, 10, 10, CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_FS | CLONE_SIGHAND));
	apply(map_of(20, "/lib/of-a-thread.so", 4));
	ck_assert_uint_eq(first->nmaps, 4);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/lib/%u.so", i);
		apply(map_of(10, path, 5));
	}
	ck_assert_uint_eq(first->nmaps, IMAGE_MAPS_MAX);
	ck_assert_uint_eq(first->maps_refused, 4 + 100 - IMAGE_MAPS_MAX);
	ck_assert_str_eq(first->maps[3].path, "/lib/of-a-thread.so");
	/* the next program has its own; nothing is left of the old one's */
	apply(exit_of(20, 10, 0, TRACER_EVF_SUPERSEDED));
	apply(exec_of(10, 10, "/bin/ls", "ls"));
	CALL(10, "execve", 0, str("/bin/ls"), A(0), A(0));
	second = world_task(w, 10)->proc->image;
	ck_assert_uint_eq(second->nmaps, 0);
	world_stats(w, &after);
	ck_assert_uint_eq(after.bytes, before.bytes);
	done();
}
END_TEST

START_TEST(exec_from_a_thread)
{
	start();
	apply(task_of(12, 10, 10, CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_FS));
	apply(task_of(13, 10, 10, CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_FS));
	apply(exec_of(10, 12, "/bin/sh", "sh"));
	ck_assert_int_eq(world_task(w, 10)->tid, 10);
	FD_IS(10, 0, "/dev/pts/1");
	/* The leader's end is told after it, and must not end the survivor. */
	apply(exit_of(10, 10, 0, TRACER_EVF_SUPERSEDED));
	apply(exit_of(13, 10, 0, TRACER_EVF_SUPERSEDED));
	FD_IS(10, 0, "/dev/pts/1");
	ck_assert_uint_eq(world_task(w, 10)->proc->threads, 1);
	ck_assert(!world_task(w, 10)->proc->image->ended);
	apply(exit_of(10, 10, 0x700, 0));
	ck_assert_ptr_null(world_process(w, 10));
	done();
}
END_TEST

START_TEST(exec_from_a_thread_leader_first)
{
	start();
	apply(task_of(12, 10, 10, CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_FS));
	apply(exit_of(10, 10, 0, TRACER_EVF_SUPERSEDED));
	apply(exec_of(10, 12, "/bin/sh", "sh"));
	FD_IS(10, 0, "/dev/pts/1");
	ck_assert_uint_eq(world_task(w, 10)->proc->threads, 1);
	apply(exit_of(10, 10, 0, 0));
	ck_assert_ptr_null(world_process(w, 10));
	done();
}
END_TEST

START_TEST(exit_ends_the_image)
{
	struct image *img;
	struct world_stats st;

	start();
	apply(task_of(12, 10, 10, CLONE_VM | CLONE_THREAD | CLONE_FILES | CLONE_FS));
	img = image_get(world_task(w, 10)->proc->image);
	apply(exit_of(12, 10, 0, 0));
	ck_assert(!img->ended);
	ck_assert_int_eq(world_before(w, exit_of(10, 10, 0x300, 0)), 0);
	ck_assert(img->ended);
	ck_assert_int_eq(img->status, 0x300);
	ck_assert_ptr_nonnull(world_process(w, 10));	/* sinks still see it */
	world_after(w, &record.head);
	ck_assert_ptr_null(world_process(w, 10));
	world_stats(w, &st);
	ck_assert_uint_eq(st.tasks, 0);
	ck_assert_uint_eq(st.processes, 0);
	ck_assert_uint_eq(st.fds, 0);
	image_put(w, img);
	done();
}
END_TEST

START_TEST(detached_is_not_an_exit)
{
	struct image *img;

	start();
	img = image_get(world_task(w, 10)->proc->image);
	apply(exit_of(10, 10, 0, TRACER_EVF_DETACHED));
	ck_assert(img->ended);
	ck_assert_int_eq(img->status, -2);
	image_put(w, img);
	done();
}
END_TEST

START_TEST(unknown_tid)
{
	struct task *t;

	setup();
	CALL(77, "open", 3, str("/x"), A(0), A(0));
	t = world_task(w, 77);
	ck_assert_int_eq(t->tid, 77);
	ck_assert(t->guessed);
	FD_IS(77, 3, "/x");
	t->last_end = 5;
	/* Its record comes late: the same task, now known. */
	apply(task_of(77, 70, 0, 0));
	ck_assert_ptr_eq(world_task(w, 77), t);
	ck_assert(!t->guessed);
	ck_assert_int_eq(t->proc->pid, 70);
	ck_assert_uint_eq(t->last_end, 5);
	done();
}
END_TEST

START_TEST(reused_tid)
{
	start();
	apply(task_of(11, 11, 10, 0));
	apply(task_of(11, 11, 0, 0));	/* the first one's end was lost */
	FD_IS(11, 0, "none");
	ck_assert_uint_eq(world_task(w, 11)->proc->threads, 1);
	done();
}
END_TEST

START_TEST(names)
{
	start();
	CALL(10, "prctl", 0, A(PR_SET_NAME), str("worker"), A(0), A(0), A(0));
	ck_assert_str_eq(world_task(w, 10)->comm, "worker");
	apply(text_of(TRACER_EV_COMM, 10, "a name that is much too long"));
	ck_assert_str_eq(world_task(w, 10)->comm, "a name that is ");
	done();
}
END_TEST

START_TEST(limits)
{
	const struct world_limits lim = { .max_tasks = 4, .max_fds = 32, .max_path = 64 };
	struct world_stats st;
	char path[200];

	arena_used = 0;
	ck_assert_int_eq(world_new(&w, &lim), 0);
	for (int i = 1; i <= 4; i++)
		apply(task_of(i, i, 0, 0));
	ck_assert_int_eq(world_before(w, task_of(5, 5, 0, 0)), -ENOSPC);
	ck_assert_int_eq(world_task(w, 5)->tid, 0);	/* the stand-in: no call is lost */
	CALL(5, "open", 3, str("/x"), A(0), A(0));
	CALL(1, "open", 31, str("/in"), A(0), A(0));
	CALL(1, "open", 32, str("/out"), A(0), A(0));
	FD_IS(1, 31, "/in");
	FD_IS(1, 32, "none");
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[150] = '\0';
	CALL(1, "open", 3, str(path), A(0), A(0));
	ck_assert_uint_eq(task_fd(world_task(w, 1), 3)->len, 64);
	world_stats(w, &st);
	ck_assert_uint_eq(st.tasks, 4);
	ck_assert_uint_ge(st.refused, 4);
	done();
}
END_TEST

START_TEST(byte_limit)
{
	const struct world_limits lim = { .max_bytes = 60000 };
	struct world_stats st;
	char path[300];

	arena_used = 0;
	ck_assert_int_eq(world_new(&w, &lim), 0);
	apply(task_of(1, 1, 0, 0));
	memset(path, 'b', sizeof(path));
	path[0] = '/';
	path[299] = '\0';
	for (int fd = 0; fd < 500; fd++) {
		arena_used = 0;
		CALL(1, "open", fd, str(path), A(0), A(0));
	}
	world_stats(w, &st);
	ck_assert_uint_le(st.bytes, 60000);
	ck_assert_uint_gt(st.refused, 0);
	ck_assert_uint_gt(st.fds, 50);
	done();
}
END_TEST

/* A loop of open and close takes no more memory than its first turn. */
START_TEST(steady_state)
{
	struct world_stats before, after;

	start();
	for (int i = 0; i < 100; i++) {
		arena_used = 0;
		CALL(10, "open", 3, str("/some/path/or/other"), A(0), A(0));
		CALL(10, "close", 0, A(3));
		if (i == 0)
			world_stats(w, &before);
	}
	world_stats(w, &after);
	ck_assert_uint_eq(before.bytes, after.bytes);
	done();
}
END_TEST

static int gone_tasks, gone_images;

static void task_gone(void *ctx, struct task *t)
{
	(void)ctx;
	(void)t;
	gone_tasks++;
}

static void image_gone(void *ctx, struct image *img)
{
	(void)ctx;
	(void)img;
	gone_images++;
}

START_TEST(gone_hooks)
{
	const struct world_hooks hooks = { NULL, task_gone, image_gone };

	start();
	world_set_hooks(w, &hooks);
	apply(task_of(11, 11, 10, 0));
	apply(exit_of(11, 11, 0, 0));
	ck_assert_int_eq(gone_tasks, 1);
	ck_assert_int_eq(gone_images, 1);
	done();
	ck_assert_int_eq(gone_tasks, 3);	/* and the stand-in */
	ck_assert_int_eq(gone_images, 3);
}
END_TEST

/* Thousands of random forks, execs, exits: counts stay consistent, nothing leaks (ASan). */
START_TEST(random_lives)
{
	unsigned long seed = 42;
	struct world_stats st;

	setup();
	for (int i = 0; i < 20000; i++) {
		unsigned long r = unit_random(&seed);
		int tid = 1 + (int)(r >> 8 & 31), other = 1 + (int)(r >> 16 & 31),
		    pid = 1 + (int)(r >> 24 & 31);
		uint64_t flags = (r >> 32 & 1 ? CLONE_FILES : 0) | (r >> 33 & 1 ? CLONE_FS : 0);
		const struct tracer_event *ev;

		arena_used = 0;
		switch (r & 7) {
		case 0:
			ev = task_of(tid, r >> 40 & 1 ? tid : pid, other, flags);
			break;
		case 1:
			ev = exec_of(tid, r >> 40 & 1 ? tid : other, "/bin/x", "x");
			break;
		case 2:
			ev = exit_of(tid, pid, 0, r >> 40 & 1 ? TRACER_EVF_SUPERSEDED : 0);
			break;
		case 3:
			ev = fd_of(tid, other, "/etc/f", r >> 40 & 1);
			break;
		case 4:
			ev = &call_of(X, tid, "dup2", other, A(pid), A(other))->head;
			break;
		case 5:
			ev = &call_of(X, tid, "close", 0, A(other))->head;
			break;
		case 6:
			ev = &call_of(X, tid, "chdir", 0, str("/d"))->head;
			break;
		default:
			ev = &call_of(X, tid, "unshare", 0, A(CLONE_FILES))->head;
		}
		world_before(w, ev);
		ck_assert_ptr_nonnull(world_task(w, tid)->proc);
		ck_assert_ptr_nonnull(world_task(w, tid)->proc->image);
		world_after(w, ev);
	}
	for (int tid = 1; tid <= 32; tid++) {
		apply(exit_of(tid, tid, 0, 0));
		if (world_task(w, tid)->proc)
			apply(exit_of(tid, tid, 0, 0));
	}
	world_stats(w, &st);
	ck_assert_uint_eq(st.fds, 0);
	done();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		initial_state, open_and_close, relative_without_cwd, dup_family, new_kinds, sockets, cwd_changes,
		fork_copies_thread_shares, exec_makes_an_image, mapped_files, exec_from_a_thread, exec_from_a_thread_leader_first,
		exit_ends_the_image, detached_is_not_an_exit, unknown_tid, reused_tid, names, limits, byte_limit,
		steady_state, gone_hooks, random_lives, NULL
	};

	return unit_run("world", tests);
}
