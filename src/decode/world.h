/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known about tasks, processes and their descriptors, built from
 * event records alone: no pid is ever looked up.  Owned by the consumer
 * thread; bounded (max_tasks, max_fds a table), with counters.
 *
 * A process outlives its last task until world_reap() so that sinks may still
 * look at it while they handle the exit record.
 */
#ifndef DECODE_WORLD_H
#define DECODE_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/hash.h"
#include "ring/ring.h"
#include "syscalls/syscalls.h"

/* One program image of a process: exec makes a new one. */
struct image {
	uint32_t id;			/* 1.. in order of appearance, unique in the run */
	int32_t pid;
	uint32_t parent_id;		/* image that forked (first image) or that exec'ed (later ones); 0 root */
	bool by_exec;			/* made by exec rather than by fork/start/attach */
	bool root;			/* image of the root process */
	uint64_t start_ticks, end_ticks;	/* end 0 while it lives */
	uint64_t starttime;		/* of the process, see tracer_ev_task */
	char *exe;			/* path, NUL-terminated; may be NULL before the first exec */
	uint32_t exe_len;
	char *argv;			/* NUL-separated, argv_len bytes; NULL unknown */
	uint32_t argv_len, argc;
	uint8_t elf_class, build_id_len, build_id[24];
	char comm[16];
	int32_t uid, ppid;
	bool ended;
	int status;			/* wait status once ended by exit; -1 ended by exec, -2 detached */
	struct tracer_ev_exit usage;	/* valid when ended by exit */
	uint64_t calls;			/* completed calls counted in it */
	void *user;			/* span builder's slot */
	uint32_t refs;
};

struct fd_entry { char *target; uint32_t len; uint8_t kind; bool cloexec; };
enum fd_kind { FD_FILE = 0, FD_SOCKET, FD_PIPE, FD_ANON, FD_DIR };

struct fd_table { struct fd_entry *fds; uint32_t cap; uint32_t refs; };
struct fs_state { char *cwd; uint32_t len; uint32_t refs; };

struct process {
	int32_t pid;
	uint32_t threads;
	struct image *image;		/* current one */
	struct process *parent;		/* may be NULL; counted reference by id: use parent_pid */
	int32_t parent_pid;
};

struct task {
	int32_t tid;
	struct process *proc;
	struct fd_table *fds;		/* shared as CLONE_FILES says */
	struct fs_state *fs;		/* shared as CLONE_FS says */
	char comm[16];
	uint64_t last_end;		/* ticks at the end of its last call, 0 none: compute spans */
	void *user;			/* group table of the thread (stats) */
};

struct world;

struct world_limits { uint32_t max_tasks, max_fds, max_path; };
int world_new(struct world **out, const struct world_limits *lim);
void world_free(struct world *w);

/* Apply one checked record before sinks see it (tasks, execs, comm), and
 * after (effects of a completed call on fds and cwd; removal of the dead). */
int world_before(struct world *w, const struct tracer_event *ev);
void world_after(struct world *w, const struct tracer_event *ev);

struct task *world_task(struct world *w, int32_t tid);	/* made on demand: a call of an unknown tid is not lost */
struct process *world_process(struct world *w, int32_t pid);
struct image *world_image(struct world *w, uint32_t id);
const struct fd_entry *task_fd(const struct task *t, int fd);	/* NULL unknown */

struct world_stats { uint32_t tasks, tasks_max, processes, images, fds, refused; };
void world_stats(const struct world *w, struct world_stats *out);

#endif
