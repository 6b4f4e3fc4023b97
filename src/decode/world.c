/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world model: tasks, processes, images.  Runs on the consumer thread and
 * is fed records in the order of their time.  The world owns everything in
 * it; tasks hold references to tables, processes to their image.
 *
 * Records of different rings may swap places by a hair, so nothing here
 * relies on a task record to come first: a task may be made on demand and
 * adopted by its record later.
 */
#include "config.h"
#include "decode/world.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>
#include "base/strbuf.h"
#include "decode/effects.h"
#include "decode/inner.h"

#define STATUS_EXEC	(-1)
#define STATUS_DETACHED	(-2)

struct world {
	struct hash tasks, processes, images;
	struct fd_mem mem;
	struct world_hooks hooks;
	struct world_limits lim;
	uint32_t next_image;
	uint32_t tasks_max;
	uint64_t pipes;
	struct strbuf text;
	struct task *stand_in;		/* for tids that the limit refuses; not in the tables */
	struct task *latest;		/* that was looked up; NULL where it was freed */
};

/* --- images --- */

struct image *image_get(struct image *img)
{
	if (img)
		img->refs++;
	return img;
}

void image_put(struct world *w, struct image *img)
{
	if (!img || --img->refs)
		return;
	if (w->hooks.image_gone)
		w->hooks.image_gone(w->hooks.ctx, img);
	hash_del(&w->images, img->id);
	image_free_maps(&w->mem, img);
	shared_str_put(&w->mem, img->exe);
	shared_str_put(&w->mem, img->argv);
	shared_str_put(&w->mem, img->context);
	fd_mem_put(&w->mem, img, sizeof(*img));
}

static struct image *image_add(struct world *w, int32_t pid)
{
	struct image *img = fd_mem_get(&w->mem, sizeof(*img));

	if (!img)
		return NULL;
	img->id = ++w->next_image;
	img->pid = pid;
	img->uid = -1;
	img->refs = 1;
	if (hash_put(&w->images, img->id, img) < 0) {
		w->mem.refused++;
		fd_mem_put(&w->mem, img, sizeof(*img));
		return NULL;
	}
	return img;
}

/* A forked child runs its parent's program until it execs. */
static void image_set_program(struct image *img, const struct image *from)
{
	img->exe = shared_str_get(from->exe);
	img->exe_len = from->exe_len;
	img->argv = shared_str_get(from->argv);
	img->argv_len = from->argv_len;
	img->argc = from->argc;
	img->elf_class = from->elf_class;
	img->build_id_len = from->build_id_len;
	memcpy(img->build_id, from->build_id, sizeof(img->build_id));
	memcpy(img->comm, from->comm, sizeof(img->comm));
	img->uid = from->uid;
	img->parent_id = from->id;
}

static void image_end(struct image *img, uint64_t ticks, int status)
{
	if (img->ended)
		return;
	img->ended = true;
	img->end_ticks = ticks;
	if (img->usage.head.size == 0 || status < 0)
		img->status = status;
}

static uint32_t count_strings(const char *p, uint32_t n)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		count += p[i] == '\0';
	return count;
}

static void image_load_exec(struct world *w, struct image *img, const struct tracer_ev_exec *ev)
{
	uint32_t room = ev->head.size - (uint32_t)sizeof(*ev);
	uint32_t exe_len = ev->exe_len < room ? ev->exe_len : room;
	uint32_t argv_len = ev->argv_len < room - exe_len ? ev->argv_len : room - exe_len;
	uint32_t strings = count_strings(ev->text + exe_len, argv_len);

	img->exe_len = exe_len;
	img->exe = shared_str_new(&w->mem, ev->text, exe_len);
	if (!img->exe)
		img->exe_len = 0;
	img->argv = shared_str_new(&w->mem, ev->text + exe_len, argv_len);
	img->argv_len = img->argv ? argv_len : 0;
	img->argc = !img->argv ? 0 : ev->argc < strings ? ev->argc : strings;
	img->elf_class = ev->elf_class;
	img->build_id_len = ev->build_id_len <= 20 ? ev->build_id_len : 0;
	memcpy(img->build_id, ev->build_id, sizeof(img->build_id));
	memcpy(img->comm, ev->comm, sizeof(img->comm) - 1);
}

/* --- processes --- */

static struct process *process_add(struct world *w, int32_t pid)
{
	struct process *p = fd_mem_get(&w->mem, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = pid;
	p->image = image_add(w, pid);
	if (!p->image || hash_put(&w->processes, (uint32_t)pid, p) < 0) {
		w->mem.refused++;
		image_put(w, p->image);
		fd_mem_put(&w->mem, p, sizeof(*p));
		return NULL;
	}
	return p;
}

static void process_del(struct world *w, struct process *p)
{
	if (hash_lookup(&w->processes, (uint32_t)p->pid) == p)
		hash_del(&w->processes, (uint32_t)p->pid);
	image_put(w, p->image);
	fd_mem_put(&w->mem, p, sizeof(*p));
}

static void process_add_task(struct process *p, struct task *t)
{
	t->proc = p;
	t->sibling = p->tasks;
	p->tasks = t;
	p->threads++;
}

static void process_del_task(struct process *p, struct task *t)
{
	struct task **at = &p->tasks;

	while (*at && *at != t)
		at = &(*at)->sibling;
	if (!*at)
		return;
	*at = t->sibling;
	t->sibling = NULL;
	p->threads--;
}

/* --- tasks --- */

static struct task *task_lookup(struct world *w, int32_t tid)
{
	struct task *t = w->latest;

	/* a record asks three times for its task, and it is often that of the record before */
	if (t && t->tid == tid)
		return t;
	t = hash_lookup(&w->tasks, (uint32_t)tid);
	w->latest = t;
	return t;
}

/* Out of its process; a process without tasks ends. */
static void task_leave(struct world *w, struct task *t, uint64_t ticks)
{
	struct process *p = t->proc;

	if (!p)
		return;
	process_del_task(p, t);
	t->proc = NULL;
	if (p->tasks)
		return;
	image_end(p->image, ticks, STATUS_DETACHED);
	process_del(w, p);
}

static void task_free(struct world *w, struct task *t, uint64_t ticks)
{
	if (w->latest == t)
		w->latest = NULL;
	if (w->hooks.task_gone)
		w->hooks.task_gone(w->hooks.ctx, t);
	task_leave(w, t, ticks);
	fd_table_put(&w->mem, t->fds);
	fs_state_put(&w->mem, t->fs);
	image_put(w, t->old_image);
	fd_mem_put(&w->mem, t, sizeof(*t));
}

static void task_del(struct world *w, struct task *t, uint64_t ticks)
{
	hash_del(&w->tasks, (uint32_t)t->tid);
	task_free(w, t, ticks);
}

static struct task *task_add(struct world *w, int32_t tid)
{
	struct task *t = fd_mem_get(&w->mem, sizeof(*t));

	if (!t)
		return NULL;
	t->tid = tid;
	if (hash_put(&w->tasks, (uint32_t)tid, t) < 0) {
		w->mem.refused++;
		fd_mem_put(&w->mem, t, sizeof(*t));
		return NULL;
	}
	if (w->tasks.used > w->tasks_max)
		w->tasks_max = (uint32_t)w->tasks.used;
	return t;
}

/* Tables of its own, empty: nothing is known of where it came from. */
static void task_set_tables(struct world *w, struct task *t)
{
	struct task *other = t->proc ? t->proc->tasks : NULL;

	while (other && (other == t || !other->fds || !other->fs))
		other = other->sibling;
	if (other) {
		t->fds = fd_table_get(other->fds);
		t->fs = other->fs;
		t->fs->refs++;
		return;
	}
	t->fds = fd_table_new(&w->mem, NULL);
	t->fs = fs_state_new(&w->mem, NULL);
}

static struct task *task_guess(struct world *w, int32_t tid)
{
	struct process *p = hash_lookup(&w->processes, (uint32_t)tid);
	struct task *t = task_add(w, tid);

	if (!t)
		return NULL;
	if (!p)
		p = process_add(w, tid);
	if (!p) {
		hash_del(&w->tasks, (uint32_t)tid);
		fd_mem_put(&w->mem, t, sizeof(*t));
		return NULL;
	}
	process_add_task(p, t);
	task_set_tables(w, t);
	memcpy(t->comm, p->image->comm, sizeof(t->comm));
	t->guessed = true;
	return t;
}

struct task *world_task(struct world *w, int32_t tid)
{
	struct task *t = task_lookup(w, tid);

	if (!t)
		t = task_guess(w, tid);
	return t ? t : w->stand_in;
}

struct process *world_process(struct world *w, int32_t pid)
{
	return hash_lookup(&w->processes, (uint32_t)pid);
}

struct image *world_image(struct world *w, uint32_t id)
{
	return hash_lookup(&w->images, id);
}

struct image *task_call_image(const struct task *t, const struct tracer_ev_call *c,
			      const struct syscall_desc *d)
{
	if (t->old_image && d && !(c->head.flags & TRACER_EVF_ERROR) && !strncmp(d->name, "execve", 6))
		return t->old_image;
	return t->proc->image;
}

const struct fd_entry *task_fd(const struct task *t, int64_t fd)
{
	return fd_table_lookup(t->fds, fd);
}

/* --- task records --- */

/* Tables as clone shares or copies them. */
static void task_load_tables(struct world *w, struct task *t, const struct task *parent, uint64_t flags)
{
	fd_table_put(&w->mem, t->fds);
	fs_state_put(&w->mem, t->fs);
	t->fds = NULL;
	t->fs = NULL;
	if (!parent) {
		task_set_tables(w, t);
		return;
	}
	t->fds = flags & CLONE_FILES ? fd_table_get(parent->fds) : fd_table_new(&w->mem, parent->fds);
	if (flags & CLONE_FS && parent->fs) {
		t->fs = parent->fs;
		t->fs->refs++;
	} else {
		t->fs = fs_state_new(&w->mem, parent->fs);
	}
}

static void image_load_task(struct image *img, const struct tracer_ev_task *ev, const struct task *parent)
{
	if (parent && parent->proc && parent->proc->image != img && !img->exe && !img->argv)
		image_set_program(img, parent->proc->image);
	img->start_ticks = ev->head.time;
	img->starttime = ev->starttime;
	img->uid = ev->uid != -1 ? ev->uid : img->uid;
	img->ppid = ev->ppid;
	img->root = ev->head.flags & TRACER_EVF_ROOT;
	memcpy(img->comm, ev->comm, sizeof(img->comm) - 1);
}

/* The process of a task record; made and described when it is new. */
static struct process *task_load_process(struct world *w, const struct tracer_ev_task *ev,
					 const struct task *parent)
{
	struct process *p = world_process(w, ev->pid);

	if (p && ev->head.tid != ev->pid)
		return p;
	if (!p)
		p = process_add(w, ev->pid);
	if (!p)
		return NULL;
	image_load_task(p->image, ev, parent);
	p->parent_pid = parent && parent->proc ? parent->proc->pid : ev->ppid;
	return p;
}

/* The task of a record that says there is a new one: what has this tid is a guess to be
 * adopted, or the ghost of a task whose end was lost. */
static struct task *task_renew(struct world *w, const struct tracer_ev_task *ev)
{
	struct task *t = task_lookup(w, ev->head.tid);

	if (t && !t->guessed) {
		task_del(w, t, ev->head.time);
		t = NULL;
	}
	if (!t)
		return task_add(w, ev->head.tid);
	if (t->proc && t->proc->pid != ev->pid)
		task_leave(w, t, ev->head.time);
	t->guessed = false;
	return t;
}

static int load_task(struct world *w, const struct tracer_ev_task *ev)
{
	struct task *parent, *t = task_renew(w, ev);
	struct process *p;

	if (!t)
		return -ENOSPC;
	parent = ev->parent_tid ? task_lookup(w, ev->parent_tid) : NULL;
	if (parent == t)
		parent = NULL;
	p = task_load_process(w, ev, parent);
	if (!p) {
		task_del(w, t, ev->head.time);
		return -ENOSPC;
	}
	if (!t->proc)
		process_add_task(p, t);
	task_load_tables(w, t, parent, ev->clone_flags);
	memcpy(t->comm, ev->comm, sizeof(t->comm) - 1);
	return 0;
}

/* --- exec records --- */

/* The thread that exec'ed takes over the leader's id. */
static struct task *exec_rename(struct world *w, const struct tracer_ev_exec *ev)
{
	struct task *t = task_lookup(w, ev->former_tid);
	struct task *leader = task_lookup(w, ev->head.tid);

	if (!t || t == leader || ev->former_tid == ev->head.tid)
		return world_task(w, ev->head.tid);
	if (leader) {
		t->proc->leader_replaced = leader->proc == t->proc && !leader->gone;
		task_del(w, leader, ev->head.time);
	}
	hash_del(&w->tasks, (uint32_t)t->tid);
	t->tid = ev->head.tid;
	if (hash_put(&w->tasks, (uint32_t)t->tid, t) < 0) {
		w->mem.refused++;
		task_free(w, t, ev->head.time);
		return w->stand_in;
	}
	return t;
}

static void exec_load_tables(struct world *w, struct task *t)
{
	struct fd_table *own;

	if (t->fds && t->fds->refs > 1) {
		own = fd_table_new(&w->mem, t->fds);
		fd_table_put(&w->mem, t->fds);
		t->fds = own;
	}
	fd_table_del_cloexec(&w->mem, t->fds);
}

static int load_exec(struct world *w, const struct tracer_ev_exec *ev)
{
	struct task *t = exec_rename(w, ev);
	struct image *old, *img;

	if (t == w->stand_in)
		return -ENOSPC;
	exec_load_tables(w, t);
	memcpy(t->comm, ev->comm, sizeof(t->comm) - 1);
	t->context.set = false;
	old = t->proc->image;
	img = image_add(w, t->proc->pid);
	if (!img)
		return -ENOSPC;
	img->by_exec = true;
	img->parent_id = old->id;
	img->root = old->root;
	img->starttime = old->starttime;
	img->uid = old->uid;
	img->ppid = old->ppid;
	img->start_ticks = ev->head.time;
	image_load_exec(w, img, ev);
	image_end(old, ev->head.time, STATUS_EXEC);
	image_put(w, t->old_image);
	t->old_image = old;		/* the process' reference moves here */
	t->proc->image = img;
	return 0;
}

/* --- exit, descriptors, names --- */

static void load_exit(struct world *w, const struct tracer_ev_exit *ev)
{
	struct task *t = task_lookup(w, ev->head.tid);
	struct process *p = t ? t->proc : NULL;
	bool detached = ev->head.flags & TRACER_EVF_DETACHED;

	if (!p)
		return;
	if (ev->head.flags & TRACER_EVF_SUPERSEDED && ev->head.tid == p->pid && p->leader_replaced) {
		p->leader_replaced = false;
		return;
	}
	t->gone = true;
	if (ev->head.tid == p->pid && !(ev->head.flags & TRACER_EVF_SUPERSEDED) && !detached) {
		p->image->usage = *ev;
		p->image->status = ev->status;
	}
	if (p->threads == 1)
		image_end(p->image, ev->head.time, detached ? STATUS_DETACHED : ev->status);
}

static void load_fd(struct world *w, const struct tracer_ev_fd *ev)
{
	struct task *t = world_task(w, ev->head.tid);
	uint32_t room = ev->head.size - (uint32_t)sizeof(*ev);
	uint32_t len = ev->len < room ? ev->len : room;

	if (t->fds)
		fd_table_set(&w->mem, t->fds, ev->fd, ev->target, len, fd_kind_of(ev->target, len),
			     ev->cloexec);
}

static void load_cwd(struct world *w, const struct tracer_ev_text *ev)
{
	struct task *t = world_task(w, ev->head.tid);
	uint32_t room = ev->head.size - (uint32_t)sizeof(*ev);

	fs_state_set(&w->mem, t->fs, ev->text, ev->len < room ? ev->len : room);
}

static void load_comm(struct world *w, const struct tracer_ev_text *ev)
{
	struct task *t = world_task(w, ev->head.tid);
	uint32_t n = ev->head.size - (uint32_t)sizeof(*ev);

	n = ev->len < n ? ev->len : n;
	n = n < sizeof(t->comm) ? n : sizeof(t->comm) - 1;
	memset(t->comm, 0, sizeof(t->comm));
	memcpy(t->comm, ev->text, n);
	if (t->proc && t->tid == t->proc->pid)
		memcpy(t->proc->image->comm, t->comm, sizeof(t->comm));
}

static void load_context(struct world *w, const struct tracer_ev_context *ev)
{
	static const uint8_t none[8];
	struct task *t = world_task(w, ev->head.tid);
	struct image *img = t->proc ? t->proc->image : NULL;

	if (ev->what == TRACER_CONTEXT_THREAD && t != w->stand_in) {
		t->context = (struct task_context){ .trace_flags = ev->trace_flags };
		t->context.set = memcmp(ev->span_id, none, sizeof(none)) != 0;
		memcpy(t->context.trace_id, ev->trace_id, sizeof(t->context.trace_id));
		memcpy(t->context.span_id, ev->span_id, sizeof(t->context.span_id));
	} else if (ev->what == TRACER_CONTEXT_PROCESS && img) {
		shared_str_put(&w->mem, img->context);
		img->context = shared_str_new(&w->mem, (const char *)ev->payload, ev->len);
		img->context_len = img->context ? ev->len : 0;
	}
}

static void load_map(struct world *w, const struct tracer_ev_map *ev)
{
	struct task *t = world_task(w, ev->head.tid);

	if (t->proc)
		image_add_map(&w->mem, t->proc->image, ev);
}

int world_before(struct world *w, const struct tracer_event *ev)
{
	switch (ev->kind) {
	case TRACER_EV_CALL:
	case TRACER_EV_ENTER:
	case TRACER_EV_SIGNAL:
		world_task(w, ev->tid);
		return 0;
	case TRACER_EV_TASK:
		return load_task(w, (const struct tracer_ev_task *)ev);
	case TRACER_EV_EXEC:
		return load_exec(w, (const struct tracer_ev_exec *)ev);
	case TRACER_EV_EXIT:
		load_exit(w, (const struct tracer_ev_exit *)ev);
		return 0;
	case TRACER_EV_FD:
		load_fd(w, (const struct tracer_ev_fd *)ev);
		return 0;
	case TRACER_EV_CWD:
		load_cwd(w, (const struct tracer_ev_text *)ev);
		return 0;
	case TRACER_EV_COMM:
		load_comm(w, (const struct tracer_ev_text *)ev);
		return 0;
	case TRACER_EV_CONTEXT:
		load_context(w, (const struct tracer_ev_context *)ev);
		return 0;
	case TRACER_EV_MAP:
		load_map(w, (const struct tracer_ev_map *)ev);
		return 0;
	default:
		return 0;
	}
}

/* --- after the sinks --- */

static void unshare_tables(struct world *w, struct task *t, uint64_t flags)
{
	if (flags & CLONE_FILES && t->fds && t->fds->refs > 1) {
		struct fd_table *own = fd_table_new(&w->mem, t->fds);

		fd_table_put(&w->mem, t->fds);
		t->fds = own;
	}
	if (flags & (CLONE_FS | CLONE_NEWNS | CLONE_NEWUSER) && t->fs && t->fs->refs > 1) {
		struct fs_state *own = fs_state_new(&w->mem, t->fs);

		fs_state_put(&w->mem, t->fs);
		t->fs = own;
	}
}

static uint64_t unshare_flags(const struct tracer_ev_call *c, const struct syscall_desc *d)
{
	if (d->state == STATE_UNSHARE && c->nargs > 0)
		return c->args[0];
	if (d->state == STATE_CLOSE_RANGE && c->nargs > 2 && c->args[2] & 2)	/* CLOSE_RANGE_UNSHARE */
		return CLONE_FILES;
	return 0;
}

/* A failed close has closed, unless there was nothing to close; a connect goes on in the background. */
static bool failure_counts(const struct tracer_ev_call *c, const struct syscall_desc *d)
{
	return (d->state == STATE_CLOSE && c->ret != -EBADF) ||
	       (d->state == STATE_CONNECT && c->ret == -EINPROGRESS);
}

static void after_call(struct world *w, const struct tracer_ev_call *c)
{
	const struct syscall_desc *d = syscall_lookup(c->head.abi, c->head.nr);
	struct task *t = world_task(w, c->head.tid);
	struct effects fx = { .mem = &w->mem, .pipes = &w->pipes, .text = &w->text };
	bool failed = c->head.flags & TRACER_EVF_ERROR;
	struct image *img = task_call_image(t, c, d);
	struct inner_call in;

	if (!(c->head.flags & TRACER_EVF_HIDDEN))
		img->calls++;
	t->last_end = c->head.time;
	image_put(w, t->old_image);
	t->old_image = NULL;
	if (inner_call_load(&in, c, d)) {
		c = &in.copy.ev;
		d = in.desc;
	}
	if (!d || !effects_has(d) || (failed && !failure_counts(c, d)))
		return;
	unshare_tables(w, t, unshare_flags(c, d));
	effects_run(&fx, t, c, d);
}

void world_after(struct world *w, const struct tracer_event *ev)
{
	struct task *t;

	if (ev->kind == TRACER_EV_CALL) {
		after_call(w, (const struct tracer_ev_call *)ev);
	} else if (ev->kind == TRACER_EV_EXIT) {
		t = task_lookup(w, ev->tid);
		if (t && t->gone)
			task_del(w, t, ev->time);
	}
}

/* --- the whole --- */

static void limits_load(struct world_limits *l, const struct world_limits *from)
{
	*l = from ? *from : (struct world_limits){ 0 };
	l->max_tasks = l->max_tasks ? l->max_tasks : 16384;
	l->max_fds = l->max_fds ? l->max_fds : 65536;
	l->max_path = l->max_path ? l->max_path : 4096;
	l->max_bytes = l->max_bytes ? l->max_bytes : (size_t)256 << 20;
}

static int stand_in_init(struct world *w)
{
	struct process *p = fd_mem_get(&w->mem, sizeof(*p));
	struct task *t = fd_mem_get(&w->mem, sizeof(*t));
	struct image *img;

	w->next_image = UINT32_MAX - 1;		/* so that its id is no real image's */
	img = image_add(w, 0);
	w->next_image = 0;
	if (!p || !t || !img) {
		fd_mem_put(&w->mem, p, sizeof(*p));
		fd_mem_put(&w->mem, t, sizeof(*t));
		return -ENOMEM;
	}
	p->image = img;
	process_add_task(p, t);
	w->stand_in = t;
	return 0;
}

int world_new(struct world **out, const struct world_limits *lim)
{
	struct world *w = calloc(1, sizeof(*w));
	int ret = -ENOMEM;

	if (!w)
		return ret;
	limits_load(&w->lim, lim);
	w->mem.max = w->lim.max_bytes;
	w->mem.max_fds = w->lim.max_fds;
	w->mem.max_path = w->lim.max_path;
	strbuf_init(&w->text, w->lim.max_path + 256u);
	if (hash_init(&w->tasks, w->lim.max_tasks) < 0 || hash_init(&w->processes, w->lim.max_tasks) < 0 ||
	    hash_init(&w->images, (size_t)w->lim.max_tasks * 4) < 0 || stand_in_init(w) < 0) {
		world_free(w);
		return ret;
	}
	*out = w;
	return 0;
}

void world_set_hooks(struct world *w, const struct world_hooks *hooks)
{
	w->hooks = *hooks;
}

void world_free(struct world *w)
{
	struct task *t;
	struct image *img;
	size_t pos;

	if (!w)
		return;
	for (pos = 0; (t = hash_next(&w->tasks, &pos, NULL));)
		task_free(w, t, t->last_end);
	if (w->stand_in)
		task_free(w, w->stand_in, 0);
	/* References that were not given back end here. */
	for (pos = 0; (img = hash_next(&w->images, &pos, NULL));) {
		img->refs = 1;
		image_put(w, img);
	}
	fd_mem_fini(&w->mem);
	strbuf_fini(&w->text);
	hash_fini(&w->tasks);
	hash_fini(&w->processes);
	hash_fini(&w->images);
	free(w);
}

void world_stats(const struct world *w, struct world_stats *out)
{
	*out = (struct world_stats){
		.tasks = (uint32_t)w->tasks.used,
		.tasks_max = w->tasks_max,
		.processes = (uint32_t)w->processes.used,
		.images = w->next_image,
		.fds = w->mem.entries,
		.refused = w->mem.refused,
		.bytes = w->mem.used,
	};
}
