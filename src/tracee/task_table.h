/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tasks that a supervisor traces, and the processes (thread groups) that
 * they belong to.  An engine puts struct tracee and struct tgroup first into
 * structures of its own and tells the sizes; entries are recycled, so the
 * steady state allocates nothing.  Supervisor thread only.
 */
#ifndef TRACEE_TASK_TABLE_H
#define TRACEE_TASK_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/hash.h"
#include "tracee/mem.h"

struct tracee;

/* A process. */
struct tgroup {
	pid_t pid;
	unsigned tasks;			/* living and known */
	struct tracee *first;		/* list by .sibling */
	struct mem mem;
};

enum tracee_state {
	TRACEE_EXPECTED = 0,	/* its parent told of it; its first stop is to come */
	TRACEE_UNTOLD,		/* its first stop came; its parent has not told yet: held */
	TRACEE_RUNNING,
	TRACEE_STOPPED,		/* in a ptrace-stop, held by us */
	TRACEE_LISTENING,	/* group-stop, PTRACE_LISTEN */
	TRACEE_GONE		/* superseded by another thread's exec: its death is to be swallowed */
};

struct tracee {
	pid_t tid;
	uint8_t state;			/* enum tracee_state */
	struct tgroup *group;		/* NULL while UNTOLD */
	struct tracee *sibling, **sibling_prev;
};

struct task_table {
	struct hash tasks, groups;
	struct tracee *last;		/* latest lookup */
	size_t task_size, group_size, max;
	struct tracee *free_tasks;	/* list by .sibling */
	struct tgroup *free_groups;	/* list by .first */
	size_t untold;			/* tasks in TRACEE_UNTOLD */
};

/* max: most tasks at a time. */
int task_table_init(struct task_table *t, size_t task_size, size_t group_size, size_t max);
/* on_free(ctx, task, NULL) and (ctx, NULL, group), also for recycled ones: what
 * the engine's own part holds is to be freed.  May be NULL. */
void task_table_fini(struct task_table *t, void (*on_free)(void *ctx, struct tracee *, struct tgroup *),
		     void *ctx);

struct tracee *task_lookup_slow(struct task_table *t, pid_t tid);
static inline struct tracee *task_lookup(struct task_table *t, pid_t tid)
{
	return t->last && t->last->tid == tid ? t->last : task_lookup_slow(t, tid);
}
struct tgroup *tgroup_lookup(struct task_table *t, pid_t pid);

/* New entry in the given state; bytes behind the struct tracee are zero for a
 * fresh one and as they were left for a recycled one.  *out, or -ENOMEM/-ENOSPC. */
int task_add(struct task_table *t, pid_t tid, enum tracee_state state, struct tracee **out);
/* Puts a task into the process pid, which is made where it is not there. */
int task_set_group(struct task_table *t, struct tracee *task, pid_t pid);
void task_set_state(struct task_table *t, struct tracee *task, enum tracee_state state);
/* The process goes with its last task. */
void task_del(struct task_table *t, struct tracee *task);

/* Iterate: *pos starts at 0; NULL at the end.  Nothing may be added meanwhile. */
struct tracee *task_next(const struct task_table *t, size_t *pos);
static inline size_t task_count(const struct task_table *t)
{
	return t->tasks.used;
}

#endif
