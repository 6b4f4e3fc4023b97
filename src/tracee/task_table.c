/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks by tid, processes by pid.  Owned by one supervisor and used on its
 * thread only.  Freed entries go to lists and come back from there.
 */
#include "config.h"
#include "tracee/task_table.h"
#include <errno.h>
#include <stdlib.h>

int task_table_init(struct task_table *t, size_t task_size, size_t group_size, size_t max)
{
	int r;

	*t = (struct task_table){ .task_size = task_size, .group_size = group_size, .max = max };
	r = hash_init(&t->tasks, max);
	if (r < 0)
		return r;
	r = hash_init(&t->groups, max);
	if (r < 0)
		hash_fini(&t->tasks);
	return r;
}

typedef void free_fn(void *ctx, struct tracee *task, struct tgroup *group);

static void task_free(struct tracee *task, free_fn *on_free, void *ctx)
{
	if (on_free)
		on_free(ctx, task, NULL);
	free(task);
}

static void group_free(struct tgroup *g, free_fn *on_free, void *ctx)
{
	mem_close(&g->mem);
	if (on_free)
		on_free(ctx, NULL, g);
	free(g);
}

void task_table_fini(struct task_table *t, free_fn *on_free, void *ctx)
{
	size_t pos = 0;
	void *p;

	while (t->tasks.slots && (p = hash_next(&t->tasks, &pos, NULL)))
		task_free(p, on_free, ctx);
	pos = 0;
	while (t->groups.slots && (p = hash_next(&t->groups, &pos, NULL)))
		group_free(p, on_free, ctx);
	for (struct tracee *task; (task = t->free_tasks);) {
		t->free_tasks = task->sibling;
		task_free(task, on_free, ctx);
	}
	for (struct tgroup *g; (g = t->free_groups);) {
		t->free_groups = (struct tgroup *)g->first;
		group_free(g, on_free, ctx);
	}
	hash_fini(&t->tasks);
	hash_fini(&t->groups);
}

struct tracee *task_lookup_slow(struct task_table *t, pid_t tid)
{
	struct tracee *task = hash_lookup(&t->tasks, (uint64_t)tid);

	if (task)
		t->last = task;
	return task;
}

struct tgroup *tgroup_lookup(struct task_table *t, pid_t pid)
{
	return hash_lookup(&t->groups, (uint64_t)pid);
}

static struct tracee *task_get(struct task_table *t)
{
	struct tracee *task = t->free_tasks;

	if (!task)
		return calloc(1, t->task_size);
	t->free_tasks = task->sibling;
	return task;
}

static void task_put(struct task_table *t, struct tracee *task)
{
	task->sibling = t->free_tasks;
	t->free_tasks = task;
}

int task_add(struct task_table *t, pid_t tid, enum tracee_state state, struct tracee **out)
{
	struct tracee *task = task_get(t);
	int r;

	if (!task)
		return -ENOMEM;
	*task = (struct tracee){ .tid = tid, .state = (uint8_t)state };
	r = hash_put(&t->tasks, (uint64_t)tid, task);
	if (r < 0) {
		task_put(t, task);
		return r;
	}
	if (state == TRACEE_UNTOLD)
		t->untold++;
	*out = task;
	return 0;
}

static int group_add(struct task_table *t, pid_t pid, struct tgroup **out)
{
	struct tgroup *g = t->free_groups;
	int r;

	if (g)
		t->free_groups = (struct tgroup *)g->first;
	else
		g = calloc(1, t->group_size);
	if (!g)
		return -ENOMEM;
	*g = (struct tgroup){ .pid = pid };
	mem_init(&g->mem, pid);
	r = hash_put(&t->groups, (uint64_t)pid, g);
	if (r < 0) {
		g->first = (struct tracee *)t->free_groups;
		t->free_groups = g;
		return r;
	}
	*out = g;
	return 0;
}

static void group_leave(struct task_table *t, struct tracee *task)
{
	struct tgroup *g = task->group;

	*task->sibling_prev = task->sibling;
	if (task->sibling)
		task->sibling->sibling_prev = task->sibling_prev;
	task->group = NULL;
	if (--g->tasks)
		return;
	mem_close(&g->mem);
	hash_del(&t->groups, (uint64_t)g->pid);
	g->first = (struct tracee *)t->free_groups;
	t->free_groups = g;
}

int task_set_group(struct task_table *t, struct tracee *task, pid_t pid)
{
	struct tgroup *g = tgroup_lookup(t, pid);
	int r;

	if (!g) {
		r = group_add(t, pid, &g);
		if (r < 0)
			return r;
	}
	task->group = g;
	task->sibling = g->first;
	task->sibling_prev = &g->first;
	if (g->first)
		g->first->sibling_prev = &task->sibling;
	g->first = task;
	g->tasks++;
	return 0;
}

void task_set_state(struct task_table *t, struct tracee *task, enum tracee_state state)
{
	t->untold += (size_t)(state == TRACEE_UNTOLD) - (size_t)(task->state == TRACEE_UNTOLD);
	task->state = (uint8_t)state;
}

void task_del(struct task_table *t, struct tracee *task)
{
	task_set_state(t, task, TRACEE_GONE);
	if (task->group)
		group_leave(t, task);
	hash_del(&t->tasks, (uint64_t)task->tid);
	if (t->last == task)
		t->last = NULL;
	task->tid = 0;
	task_put(t, task);
}

struct tracee *task_next(const struct task_table *t, size_t *pos)
{
	return hash_next(&t->tasks, pos, NULL);
}
