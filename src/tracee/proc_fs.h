/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc tells about a task.  Used where ptrace does not tell: at birth,
 * exec, attach and for diagnoses, never per call.
 */
#ifndef TRACEE_PROC_FS_H
#define TRACEE_PROC_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	char comm[16];
	char state;		/* R, S, D, T, t, Z, X */
	pid_t ppid;
	uint64_t starttime;	/* field 22 */
	int processor;		/* CPU it last ran on */
};

struct proc_status {
	pid_t tgid, ppid, tracer;
	uid_t uid, euid;
	int seccomp;		/* 0 none, 1 strict, 2 filter, -1 not told */
	int filters;		/* how many; 1 where an older kernel does not count */
	bool kernel_thread;
	uint64_t pending, blocked;	/* signals, bit sig-1; pending: of the thread and of the process */
	uint64_t handled;	/* ... caught or ignored */
	bool shadow_stack;
};

/* /proc is that of our PID namespace: in another one our numbers are somebody else's. */
bool proc_own(void);
/* "/proc/TID/NAME", or -ENOENT where it would be somebody else's.  All below is refused so, too. */
int proc_path_format(char *buf, size_t len, pid_t tid, const char *name);

/* 0 or -errno (-ENOENT, -ESRCH: gone). */
int proc_stat_load(pid_t tid, struct proc_stat *out);
int proc_status_load(pid_t tid, struct proc_status *out);
/* From the text of the files. */
int proc_stat_parse(const char *text, size_t len, struct proc_stat *out);
int proc_status_parse(const char *text, size_t len, struct proc_status *out);

/* Whole small file of a task ("cmdline", "comm"): bytes read, at most len. */
ssize_t proc_file_read(pid_t tid, const char *name, void *buf, size_t len);
/* Target of a link ("exe", "cwd"): its length, NUL-terminated; or -errno. */
ssize_t proc_link_read(pid_t tid, const char *name, char *buf, size_t len);

/* For each thread of a process / each open descriptor.  A callback that
 * returns non-zero ends the walk, which returns that. */
int proc_tasks_read(pid_t pid, int (*fn)(void *ctx, pid_t tid), void *ctx);
struct proc_fd { int fd; bool cloexec; const char *target; size_t len; };
int proc_fds_read(pid_t pid, int (*fn)(void *ctx, const struct proc_fd *fd), void *ctx);

/* For each mapping, lowest address first; the path is NUL-terminated, "" for none. */
struct proc_map { uint64_t start, end, offset, ino; bool exec; const char *path; size_t len; };
int proc_maps_read(pid_t pid, int (*fn)(void *ctx, const struct proc_map *map), void *ctx);
/* One line of /proc/PID/maps without its newline; the path points into it.  0 or -EINVAL. */
int proc_map_parse(const char *line, struct proc_map *out);

#endif
