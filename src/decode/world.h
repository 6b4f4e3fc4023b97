/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known about tasks, processes and their descriptors, built from
 * event records alone: no pid is ever looked up.  Owned by the consumer
 * thread; bounded (struct world_limits), with counters.
 *
 * The order of one record: event_check(), world_before(), sinks, world_after().
 * So a sink sees a task of an exit record, and the descriptor that a close
 * closes.  Whoever keeps an image longer takes a reference.
 *
 * Targets of descriptors read as /proc/PID/fd/N does.  What has no name there
 * but an inode number that no record tells is named by us: "TCP:[local->peer]"
 * (sockets, as far as the addresses are known), "pipe:[#7]" (both ends of the
 * seventh pipe of the run), "anon_inode:[eventfd]".
 */
#ifndef DECODE_WORLD_H
#define DECODE_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/hash.h"
#include "decode/fd_table.h"
#include "decode/image_map.h"
#include "ring/ring.h"
#include "syscalls/syscalls.h"

/* One program image of a process: exec makes a new one. */
struct image {
	uint32_t id;			/* 1.. in order of appearance, unique in the run */
	int32_t pid;
	/* image that forked (first image) or that exec'ed (later ones); 0 root */
	uint32_t parent_id;
	bool by_exec;			/* made by exec rather than by fork/start/attach */
	bool root;			/* image of the root process */
	uint64_t start_ticks, end_ticks;	/* end 0 while it lives */
	uint64_t starttime;		/* of the process, see tracer_ev_task */
	char *exe;			/* path, NUL-terminated; may be NULL before the first exec */
	uint32_t exe_len;
	char *argv;			/* NUL-separated, argv_len bytes; NULL unknown */
	uint32_t argv_len, argc;
	uint8_t elf_class, build_id_len, build_id[24];
	char *context;			/* what it tells of itself: a ProcessContext message; NULL none */
	uint32_t context_len;
	char comm[16];
	int32_t uid, ppid;
	bool ended;
	int status;			/* wait status once ended by exit; -1 ended by exec, -2 detached */
	struct tracer_ev_exit usage;	/* valid when ended by exit */
	uint64_t calls;			/* completed calls counted in it */
	struct image_map *maps;		/* files that it runs code of (image_map.h) */
	uint32_t nmaps, maps_room, maps_refused;
	void *user;			/* span builder's slot */
	uint32_t refs;
};

/* What CLONE_FS shares.  len 0: unknown. */
struct fs_state { char *cwd; uint32_t len; uint32_t refs; };

struct process {
	int32_t pid;
	uint32_t threads;
	struct image *image;		/* current one */
	int32_t parent_pid;
	struct task *tasks;		/* list by task.sibling */
	bool leader_replaced;		/* another thread exec'ed: one late exit of the leader is to come */
};

/* The span that a program's own SDK has active in a thread. */
struct task_context {
	uint8_t trace_id[16], span_id[8];
	uint8_t trace_flags;		/* W3C */
	bool set;
};

struct task {
	int32_t tid;
	struct process *proc;
	struct fd_table *fds;		/* shared as CLONE_FILES says; NULL: no memory for it */
	struct fs_state *fs;		/* shared as CLONE_FS says; NULL: no memory for it */
	char comm[16];
	uint64_t last_end;		/* ticks at the end of its last call, 0 none: compute spans */
	void *user;			/* group table of the thread (stats) */
	struct task *sibling;
	struct task_context context;
	struct image *old_image;	/* between its exec and the end of that execve: who made the call */
	bool guessed;			/* made on demand: no record told of it */
	bool gone;			/* its exit was seen: removed after this record */
};

struct world;

/* 0 in a field: the default (16384 tasks, 65536 descriptors a table, 4096 bytes of a
 * path, 256 MiB in all). */
struct world_limits { uint32_t max_tasks, max_fds, max_path; size_t max_bytes; };
/* Called before a task or an image is freed, so that user slots can be, too. */
struct world_hooks {
	void *ctx;
	void (*task_gone)(void *ctx, struct task *t);
	void (*image_gone)(void *ctx, struct image *img);
};

int world_new(struct world **out, const struct world_limits *lim);
void world_set_hooks(struct world *w, const struct world_hooks *hooks);
void world_free(struct world *w);

/* Apply one checked record before sinks see it (tasks, execs, comm), and
 * after (effects of a completed call on fds and cwd; removal of the dead). */
int world_before(struct world *w, const struct tracer_event *ev);
void world_after(struct world *w, const struct tracer_event *ev);

/* Never NULL.  An unknown tid is made on demand, so that no call is lost; where the
 * limit refuses one it is a common stand-in with tid 0. */
struct task *world_task(struct world *w, int32_t tid);
struct process *world_process(struct world *w, int32_t pid);	/* NULL unknown */
struct image *world_image(struct world *w, uint32_t id);	/* NULL unknown */
struct image *image_get(struct image *img);
void image_put(struct world *w, struct image *img);
/* The image that made a call: a successful execve belongs to the one that it ended. */
struct image *task_call_image(const struct task *t, const struct tracer_ev_call *c,
			      const struct syscall_desc *d);
const struct fd_entry *task_fd(const struct task *t, int64_t fd);	/* NULL unknown */

struct world_stats { uint32_t tasks, tasks_max, processes, images, fds; uint64_t refused; size_t bytes; };
void world_stats(const struct world *w, struct world_stats *out);

#endif
