/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The in-process engine as the session sees it, and its hooks into the
 * supervisor: a slot for every task, the agent for every program, an address
 * space shared by those who share it.  Supervisor thread; owns all of struct
 * inproc.
 */
#include "config.h"
#include "base/clock.h"
#include "engine/inproc.h"
#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <tracer/error.h>
#include "tracee/proc_fs.h"
#include "tracee/refusal.h"

#define PR_SET_DISPATCH 59
#define FDS_LEAST 7u	/* open files without which no run is begun */
#define FDS_MORE 16u	/* ... with room for outputs and some processes */

struct engine {
	struct inproc in;
};

/* ---- memory ---- */

/* Memory that the program itself may write: no detour through /proc. */
int task_mem_write(struct sup_task *t, uint64_t addr, const void *buf, size_t n)
{
	struct iovec local = { (void *)(uintptr_t)buf, n }, remote = { (void *)(uintptr_t)addr, n };

	if (process_vm_writev(t->base.tid, &local, 1, &remote, 1, 0) == (ssize_t)n)
		return 0;
	return mem_write(&t->base.group->mem, addr, buf, n);
}

uint64_t task_block_at(const struct inproc_task *it)
{
	return it->mm->slots + (uint64_t)it->slot * AGENT_SLOT_SIZE + AGENT_BLOCK_AT;
}

bool task_block_read(struct sup_task *t, struct agent_block *b)
{
	return mem_read(&t->base.group->mem, task_block_at(inproc_of(t)), b, sizeof(*b)) == sizeof(*b) &&
	       b->magic == AGENT_MAGIC;
}

/* ---- processes ---- */

/* NULL: no memory. */
struct inproc_group *inproc_group_of(const struct sup_task *t)
{
	struct sup_group *g = sup_group_of(t);

	if (!g->hook)
		g->hook = calloc(1, sizeof(struct inproc_group));
	return g->hook;
}

static void on_group_free(struct supervisor *s, struct sup_group *g)
{
	(void)s;
	free(g->hook);
	g->hook = NULL;
}

static void group_inherit(const struct sup_task *parent, const struct sup_task *child)
{
	struct inproc_group *from = sup_group_of(parent)->hook, *to;

	if (!from || !from->own || sup_group_of(parent) == sup_group_of(child))
		return;
	to = inproc_group_of(child);
	if (to)
		*to = *from;
}

/* ---- tasks ---- */

struct inproc_task *inproc_task_new(struct inproc *e)
{
	struct inproc_task *it = e->free_task;

	if (it)
		e->free_task = it->next_free;
	else
		it = malloc(sizeof(*it));
	if (it)
		memset(it, 0, sizeof(*it));
	return it;
}

static void slot_put(struct inproc *e, struct inproc_task *it)
{
	if (!it->have_slot)
		return;
	arena_abandon(e->arena, it->slot);
	e->sup.stats[ENGINE_STAT_CALLS_NO_STOP] += arena_ring(e->arena, it->slot)->records;
	ring_set_close(e->arena->set, it->ring);
	it->have_slot = false;
}

bool inproc_slot_get(struct inproc *e, struct inproc_task *it)
{
	if (it->have_slot)
		return true;
	it->have_slot = arena_slot_get(e->arena, &it->slot, &it->ring) == 0;
	return it->have_slot;
}

static void task_put(struct inproc *e, struct sup_task *t)
{
	struct inproc_task *it = inproc_of(t);

	if (!it)
		return;
	slot_put(e, it);
	mm_put(e, it->mm);
	t->hook = NULL;
	it->next_free = e->free_task;
	e->free_task = it;
}

/* ---- hooks ---- */

static void on_birth(struct supervisor *s, struct sup_task *parent, struct sup_task *child, uint64_t flags)
{
	struct inproc *e = inproc_from(s);
	struct inproc_task *pt = inproc_of(parent), *it;

	if (!pt || child->hook)
		return;
	group_inherit(parent, child);
	it = inproc_task_new(e);
	if (!it)
		return;
	if (flags & CLONE_VM) {
		it->mm = pt->mm;
		it->mm->refs++;
	} else {
		it->mm = mm_copy(e, pt->mm);
	}
	child->hook = it;
	if (pt->mode == INPROC_BOOTING) {
		struct arch_regs regs;

		if (tracee_regs_load(parent->base.tid, &regs) == 0)
			trap_learn(e, parent, regs.r.gs_base);
		if (it->mm != pt->mm && pt->mm->known) {
			mm_put(e, it->mm);
			it->mm = mm_copy(e, pt->mm);
		}
	}
	if (!it->mm || pt->mode != INPROC_ON || !task_block_read(parent, &it->birth))
		return;
	/* a call of a task that has no slot must not find the agent: child_refuse() */
	if (!inproc_slot_get(e, it))
		return;
	it->mode = INPROC_ON;
}

void task_context_set(const struct sup_task *t, struct agent_block *b)
{
	const struct sup_context *c = &sup_group_of(t)->context;

	b->context = c->how == SUP_CONTEXT_STATIC ? AGENT_CONTEXT_STATIC :
		     c->how == SUP_CONTEXT_MODULE ? AGENT_CONTEXT_MODULE : AGENT_CONTEXT_NONE;
	b->context_offset = c->offset;
	b->context_module = c->module;
}

/* All threads look there from now on; they run. */
static void on_context(struct supervisor *s, struct sup_task *t)
{
	struct agent_block b;
	struct tracee *o;

	(void)s;
	task_context_set(t, &b);
	for (o = t->base.group->first; o; o = o->sibling) {
		struct sup_task *other = (struct sup_task *)o;
		struct inproc_task *it = inproc_of(other);
		uint64_t at;

		if (!it || !it->have_slot || !it->mm || !it->mm->known)
			continue;
		at = task_block_at(it);
		/* the word that says so comes last */
		task_mem_write(other, at + offsetof(struct agent_block, context_offset), &b.context_offset,
			       offsetof(struct agent_block, told) - offsetof(struct agent_block, context_offset));
		task_mem_write(other, at + offsetof(struct agent_block, context), &b.context, sizeof(b.context));
	}
}

static void block_init(const struct inproc *e, struct sup_task *t, struct agent_block *b)
{
	const struct inproc_task *it = inproc_of(t);
	uint64_t at = task_block_at(it);

	*b = it->birth;
	b->stack = b->self = at;
	b->cur = b->pos = b->size = 0;
	b->head = b->tail = 0;
	b->ring = it->mm->rings + it->slot * e->arena->ring_stride;
	b->tid = t->base.tid;
	b->slot = it->slot;
	b->pid = 0;
	b->orders = b->open = 0;
	memset(b->told, 0, sizeof(b->told));
	task_context_set(t, b);
}

/* The child stands behind the agent's system call instruction with its parent's registers. */
static bool child_start(struct inproc *e, struct sup_task *t, struct arch_regs *regs)
{
	struct inproc_task *it = inproc_of(t);
	struct agent_block b;
	uint64_t ah;

	if (regs->r.rip != it->mm->image + agent_image.after)
		return false;
	block_init(e, t, &b);
	if (task_mem_write(t, b.self, &b, sizeof(b)) < 0)
		return false;
	ah = b.flags >> 8 & 0xd5;
	regs->r.eflags = (regs->r.eflags & ~0x8d5ull) | ah | (b.flags & 1 ? 0x800 : 0);
	regs->r.rip = regs->r.rcx = b.cont;
	regs->r.gs_base = b.self;
	if (e->by_prctl || trap_arm(e, t, true) < 0)
		regs->r.rip = it->mm->image + agent_image.child;
	return tracee_regs_set(t->base.tid, regs) == 0;
}

/* No slot, or not where it should be: the child's program goes on by stops. */
static void child_refuse(struct inproc *e, struct sup_task *t, struct arch_regs *regs)
{
	struct inproc_task *it = inproc_of(t);

	it->mode = INPROC_OFF;
	if (it->birth.magic == AGENT_MAGIC && regs->r.rip == it->mm->image + agent_image.after) {
		regs->r.rip = regs->r.rcx = it->birth.cont;
		if (it->mm->attached)
			regs->r.gs_base = 0;
		tracee_regs_set(t->base.tid, regs);
	}
	/* its memory may have been copied before its parent's was put in order */
	if (it->mm->off && it->mm->known)
		mm_restore(e, t);
	trap_fall_back(e, t, "there is no slot left for it");
}

/* Its parent was killed before it could tell of it: what we have to know is in the block that it
 * inherited. */
static struct inproc_task *orphan_new(struct inproc *e, struct sup_task *t)
{
	struct inproc_task *it;
	struct arch_regs regs;
	struct agent_block b;

	if (tracee_regs_load(t->base.tid, &regs) < 0 || !regs.r.gs_base ||
	    mem_read(&t->base.group->mem, regs.r.gs_base, &b, sizeof(b)) != sizeof(b) || b.magic != AGENT_MAGIC)
		return NULL;
	it = inproc_task_new(e);
	if (!it)
		return NULL;
	t->hook = it;
	it->mm = mm_new(e);
	if (!it->mm)
		return NULL;
	it->mm->image = b.image;
	it->mm->slots = b.slots;
	it->mm->rings = b.rings;
	it->mm->modules = b.modules;
	it->mm->known = true;
	it->mm->closed = true;
	it->birth = b;
	it->mode = inproc_slot_get(e, it) ? INPROC_ON : INPROC_OFF;
	return it;
}

/* The parent lives, so its event will come. */
static bool expects_birth(struct supervisor *s, const struct sup_task *t)
{
	struct proc_status st;

	if (proc_status_load(t->base.tid, &st) < 0)
		return false;
	return tgroup_lookup(&s->tasks, st.tgid == t->base.tid ? st.ppid : st.tgid) != NULL;
}

static void on_first_stop(struct supervisor *s, struct sup_task *t)
{
	struct inproc *e = inproc_from(s);
	struct inproc_task *it = inproc_of(t);
	struct arch_regs regs;

	if (!it)
		it = orphan_new(e, t);
	if (!it || (it->mode == INPROC_OFF && !it->birth.magic) || t->let_go)
		return;
	if (tracee_regs_load(t->base.tid, &regs) < 0)
		return;
	if (it->mm->off || it->mode == INPROC_OFF || !child_start(e, t, &regs))
		child_refuse(e, t, &regs);
}

/* The call that led here was made through the agent and has succeeded. */
static void exec_finish(struct inproc *e, const struct sup_task *t)
{
	const struct inproc_task *it = inproc_of(t);
	uint64_t pos = arena_ring(e->arena, it->slot)->latest;
	struct tracer_ev_call *c = arena_pending(e->arena, it->slot, pos);
	uint64_t now = clock_ticks(e->sup.out.clock);

	if (!c)
		return;
	c->head.tid = t->base.tid;	/* a thread that is not the leader becomes it */
	c->ret = 0;
	c->head.time = now > c->start ? now : c->start;
	arena_commit(e->arena, it->slot, c, pos, arena_complete(c), TRACER_EV_CALL,
		     (uint16_t)(c->head.flags & ~TRACER_EVF_PENDING));
}

static bool limited(pid_t tid, int resource, rlim_t own)
{
	struct rlimit l;

	return prlimit(tid, resource, NULL, &l) == 0 && l.rlim_cur < own;
}

/* Why a new program is better traced by stops, or NULL.  A filter that was not there before might kill it
 * for what our loader calls; only who was traced by stops can have got one. */
static const char *unfit(const struct inproc *e, const struct sup_task *t, bool was_off)
{
	struct proc_status st;

	if (limited(t->base.tid, RLIMIT_AS, e->own_space) || limited(t->base.tid, RLIMIT_DATA, e->own_data))
		return "its memory is limited";
	if (was_off && proc_status_load(t->base.tid, &st) == 0 && st.filters > e->own_filters)
		return "it is under seccomp";
	return NULL;
}

static void on_exec(struct supervisor *s, struct sup_task *t)
{
	struct inproc *e = inproc_from(s);
	struct inproc_task *it = inproc_of(t);
	bool was_off = it && it->mode == INPROC_OFF;
	const char *why;

	if (!it) {
		it = t->hook = inproc_task_new(e);
		if (!it)
			return;
	}
	if (it->have_slot)
		exec_finish(e, t);
	/* handlers end with the program, SIG_IGN does not */
	if (sup_group_of(t)->hook && inproc_group_of(t)->action[0] != 1)
		inproc_group_of(t)->own = false;
	mm_put(e, it->mm);
	it->mm = mm_new(e);
	it->mode = INPROC_OFF;
	it->birth.magic = 0;
	it->step_site = 0;
	if (!it->mm)
		return;
	why = unfit(e, t, was_off);
	if (!why && !it->have_slot && !inproc_slot_get(e, it))
		why = "there is no slot left for it";
	if (!why && boot_start(e, t, &why))
		return;
	if (why)
		trap_fall_back(e, t, why);
}

static void on_death(struct supervisor *s, struct sup_task *t)
{
	task_put(inproc_from(s), t);
}

static void on_attach(struct supervisor *s, struct sup_task *t)
{
	attach_start(inproc_from(s), t);
}

static bool on_trap(struct supervisor *s, struct sup_task *t)
{
	return attach_join(inproc_from(s), t);
}

static bool on_detach(struct supervisor *s, struct sup_task *t, int sig)
{
	struct inproc *e = inproc_from(s);
	struct inproc_task *it = inproc_of(t);

	if (!it)
		return true;
	if (it->mm)
		boot_settle(e, t);
	if (it->mm && it->mm->known && !it->mm->off) {
		it->mm->off = true;
		mm_restore(e, t);
	}
	if (it->mm)
		trap_leave(e, t);
	if (!attach_end(e, t, sig))
		return false;
	task_put(e, t);
	return true;
}

static bool on_signal(struct supervisor *s, struct sup_task *t, const siginfo_t *info)
{
	struct inproc *e = inproc_from(s);

	if (!inproc_of(t) || !inproc_of(t)->mm)
		return false;
	if (info->si_signo == SIGSYS && trap_dispatch(e, t, info))
		return true;
	return signal_stop(e, t, info);
}

static enum tracee_resume resume_how(const struct supervisor *s, const struct sup_task *t)
{
	struct inproc_task *it = inproc_of(t);

	if (it && it->mode != INPROC_OFF && it->mm->off)
		trap_leave((struct inproc *)(uintptr_t)s, (struct sup_task *)(uintptr_t)t);
	if (!it || it->mode == INPROC_OFF || t->in_call || ((const struct inproc *)s)->shadow)
		return TRACEE_CALL;
	return TRACEE_CONT;
}

/* What takes a while and does not depend on the program: it does not wait for that at its exec. */
static void on_launch(struct supervisor *s)
{
	files_prepare_some(inproc_from(s));
}

static const struct sup_hooks hooks = {
	.on_launch = on_launch,
	.on_birth = on_birth,
	.on_first_stop = on_first_stop,
	.expects_birth = expects_birth,
	.on_exec = on_exec,
	.on_death = on_death,
	.on_group_free = on_group_free,
	.on_signal = on_signal,
	.resume_how = resume_how,
	.on_attach = on_attach,
	.on_trap = on_trap,
	.on_context = on_context,
	.on_detach = on_detach,
};

/* ---- the vtable ---- */

/* So many files can still be opened. */
static bool fds_left(unsigned n)
{
	int fds[FDS_MORE];
	unsigned got = 0;

	while (got < n && (fds[got] = eventfd(0, EFD_CLOEXEC)) >= 0)
		got++;
	for (unsigned i = 0; i < got; i++)
		close(fds[i]);
	return got == n;
}

/* The place is taken where another tracer's loader is, which is written over our vDSO at our exec. */
static void refuse_vdso(char *why, size_t whylen)
{
	struct proc_status st;

	if (proc_status_load(getpid(), &st) == 0 && st.tracer)
		snprintf(why, whylen, "tracer itself is already traced by pid %d, and so is what it starts: "
				      "a process has one tracer at a time", (int)st.tracer);
	else
		snprintf(why, whylen, "the vDSO has no room for the loader (vdso=0?); use --engine ptrace");
}

static int inproc_probe(const struct engine_config *cfg, char *why, size_t whylen)
{
	static const char *const variants[] = { "sud-ptrace", "sud-prctl", "shadow" };
	bool known = !cfg->variant;

	for (unsigned i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		known |= cfg->variant && !strcmp(cfg->variant, variants[i]);
	if (!known) {
		snprintf(why, whylen, "the in-process engine has no variant '%s'; there are sud-ptrace and sud-prctl",
			 cfg->variant);
		return -TRACER_ERR_USAGE;
	}
	if (!cfg->argv && (!cfg->named || (cfg->variant && !strcmp(cfg->variant, "sud-prctl")))) {
		snprintf(why, whylen, "the in-process engine attaches to running programs only by --engine inproc");
		return -TRACER_ERR_ENGINE;
	}
	/* A child of vfork shares its parent's patched memory: it cannot be let go without the parent. */
	if (!cfg->follow) {
		snprintf(why, whylen, "the in-process engine follows all children; --no-follow needs --engine ptrace");
		return -TRACER_ERR_ENGINE;
	}
	/* /proc/PID/fd of ours is open to our own user's programs; all of theirs would be traced by stops */
	if (cfg->run_as && (cfg->run_uid != geteuid() || cfg->run_gid != getegid())) {
		snprintf(why, whylen, "another user's program (-u) cannot open the in-process engine's memory; use --engine ptrace");
		return -TRACER_ERR_ENGINE;
	}
	if (!boot_vdso_room()) {
		refuse_vdso(why, whylen);
		return -TRACER_ERR_ENGINE;
	}
	/* programs open our descriptors by /proc/PID/fd */
	if (!proc_own()) {
		snprintf(why, whylen, "the in-process engine needs /proc of our own PID namespace, and here is none; "
				      "mount it, or use --engine ptrace");
		return -TRACER_ERR_ENGINE;
	}
	if (!fds_left(cfg->named ? FDS_LEAST : FDS_MORE)) {
		snprintf(why, whylen, "the limit on open files leaves too few for the in-process engine; "
				      "raise it (ulimit -n), or use --engine ptrace");
		return -TRACER_ERR_ENGINE;
	}
	if (prctl(PR_SET_DISPATCH, 0, 0, 0, 0) < 0) {
		snprintf(why, whylen, "this kernel has no syscall user dispatch (Linux 5.11); use --engine ptrace");
		return -TRACER_ERR_ENGINE;
	}
	if (!arena_probe(cfg->ring_size)) {
		snprintf(why, whylen, "the limits on address space or file size (ulimit -v, -f) leave no room for "
				      "rings; raise them, or use --engine ptrace");
		return -TRACER_ERR_ENGINE;
	}
	return sup_probe(cfg, why, whylen);
}

static void own_load(struct inproc *e)
{
	struct proc_status st;
	struct rlimit l;

	e->own_filters = proc_status_load(getpid(), &st) == 0 ? st.filters : 0;
	e->own_space = getrlimit(RLIMIT_AS, &l) == 0 ? l.rlim_cur : RLIM_INFINITY;
	e->own_data = getrlimit(RLIMIT_DATA, &l) == 0 ? l.rlim_cur : RLIM_INFINITY;
}

static int inproc_open(const struct engine_config *cfg, struct engine **out)
{
	struct engine *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return -ENOMEM;
	rc = sup_init(&e->in.sup, cfg, &hooks);
	if (rc == 0) {
		e->in.shadow = cfg->variant && !strcmp(cfg->variant, "shadow");
		/* every call is compared there */
		e->in.sup.cfg.maps = cfg->maps && !e->in.shadow;
		rc = files_init(&e->in);
		if (rc == 0)
			rc = arena_open(&e->in.arena, &e->in.sup);
		if (rc < 0)
			sup_fini(&e->in.sup);
	}
	if (rc < 0) {
		files_fini(&e->in);
		free(e);
		return rc;
	}
	/* calls that are lost say nothing of themselves */
	e->in.sup.writes_unseen = cfg->overflow == ENGINE_DROP || e->in.shadow;
	screen_open(&e->in);
	cache_load(&e->in);
	e->in.vdso_room = boot_vdso_room();
	e->in.capable = refusal_probe_capable();
	own_load(&e->in);
	e->in.by_prctl = cfg->variant && !strcmp(cfg->variant, "sud-prctl");
	*out = e;
	return 0;
}

static int inproc_start(struct engine *e)
{
	return sup_start(&e->in.sup);
}

static int inproc_run(struct engine *e, struct engine_result *res)
{
	int rc = sup_run(&e->in.sup, res);

	arena_unwatch(e->in.arena);
	return rc;
}

static void inproc_close(struct engine *e)
{
	if (!e)
		return;
	screen_close(&e->in);
	cache_store(&e->in);
	arena_unwatch(e->in.arena);
	sup_fini(&e->in.sup);
	while (e->in.free_mm) {
		struct inproc_mm *mm = e->in.free_mm;

		e->in.free_mm = mm->next_free;
		free(mm);
	}
	while (e->in.free_task) {
		struct inproc_task *it = e->in.free_task;

		e->in.free_task = it->next_free;
		free(it);
	}
	files_fini(&e->in);
	arena_close(e->in.arena);
	free(e);
}

static void inproc_forward(struct engine *e, int sig)
{
	sup_forward(&e->in.sup, sig);
}

static void inproc_stop(struct engine *e)
{
	sup_stop(&e->in.sup);
}

static void inproc_stats(const struct engine *e, uint64_t out[ENGINE_STATS])
{
	uint64_t one = e->in.sup.stats[ENGINE_STAT_CALLS_ONE_STOP], *none = &out[ENGINE_STAT_CALLS_NO_STOP];

	memcpy(out, e->in.sup.stats, sizeof(e->in.sup.stats));
	/* all that programs recorded, but for those that had trapped before */
	*none = *none > one ? *none - one : 0;
}

const struct engine_ops engine_inproc = {
	.name = "inproc",
	.probe = inproc_probe,
	.open = inproc_open,
	.start = inproc_start,
	.run = inproc_run,
	.close = inproc_close,
	.forward = inproc_forward,
	.stop = inproc_stop,
	.stats = inproc_stats,
};
