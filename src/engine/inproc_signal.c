/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal finds a task in the agent or in a stub.  Before any handler of the
 * program runs, the call is either taken back (it was not made yet: its record
 * is discarded, and the program stands before its call again) or finished by
 * us (record and registers), so that handlers, unwinders and cancellation see
 * the program's own code, and a longjmp leaves nothing open.  Supervisor
 * thread; the task stands still.
 *
 * How far the agent had come is told by the instruction pointer and the block:
 * see entry_x86_64.S.
 */
#include "config.h"
#include "base/clock.h"
#include "engine/inproc.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#define RECORD_HEAD ((uint32_t)sizeof(struct tracer_ev_call))

enum phase { NOT_THERE = 0, PROLOGUE, BEFORE, AFTER };

/* C code of the agent: which half called it is told by its return address. */
static enum phase phase_of_half(const struct inproc_mm *mm, struct sup_task *t, const struct agent_block *b)
{
	uint64_t back;

	if (mem_read(&t->base.group->mem, b->stack - 8, &back, sizeof(back)) != sizeof(back))
		return NOT_THERE;
	if (back == mm->image + agent_image.entered)
		return BEFORE;
	return back == mm->image + agent_image.left ? AFTER : NOT_THERE;
}

static enum phase phase_of(const struct inproc_mm *mm, struct sup_task *t, const struct agent_block *b, uint64_t ip)
{
	uint64_t at = ip - mm->image;

	if (at >= agent_image.text_size)
		return NOT_THERE;
	if (at < agent_image.saved || (at >= agent_image.watched && at < agent_image.watched_end))
		return PROLOGUE;
	if (at < agent_image.after || (at >= agent_image.trap && at < agent_image.end))
		return BEFORE;
	if (at < agent_image.trap)
		return AFTER;
	return at < agent_image.child ? NOT_THERE : phase_of_half(mm, t, b);
}

/* ---- the record ---- */

static ssize_t read_task(void *ctx, uint64_t addr, void *buf, size_t n)
{
	struct sup_task *t = ctx;

	return mem_read(&t->base.group->mem, addr, buf, n);
}

static void record_discard(struct inproc *e, const struct inproc_task *it, struct agent_block *b)
{
	struct tracer_ev_call *c = b->cur ? arena_pending(e->arena, it->slot, b->pos) : NULL;
	struct ring_header *hdr = arena_ring(e->arena, it->slot);

	if (c) {
		b->head = b->pos + c->head.size;
		atomic_store_explicit((_Atomic uint64_t *)&hdr->head, b->head, memory_order_relaxed);
		ring_settle(&c->head, TRACER_EV_NONE);
	} else if (b->cur && b->pos == b->head) {
		/* its first word was not written yet */
		c = (void *)((uint8_t *)(hdr + 1) + (b->pos & (e->arena->ring_size - 1)));
		memset(c, 0, RECORD_HEAD + 8 * TRACER_ARGS_MAX);
	}
	b->cur = 0;
}

/* The record under way is that of the call before, which did not come back here: as settle() does. */
static void record_settle(struct inproc *e, const struct inproc_task *it, struct agent_block *b)
{
	struct tracer_ev_call *c = b->cur ? arena_pending(e->arena, it->slot, b->pos) : NULL;

	if (c) {
		uint32_t size = arena_complete(c);

		arena_commit(e->arena, it->slot, c, b->pos, size, TRACER_EV_ENTER,
			     (uint16_t)(c->head.flags & ~TRACER_EVF_PENDING));
		b->head = b->pos + size;
	}
	b->cur = 0;
}

static uint16_t result_flags(int64_t ret)
{
	uint16_t flags = ret < 0 && ret >= -4095 ? TRACER_EVF_ERROR : 0;

	return arch_restarts(ret) ? flags | TRACER_EVF_RESTARTED : flags;
}

/* What the agent had begun to tell of a mapping is gone with the rest of the reserved room. */
static void map_tell(struct inproc *e, struct sup_task *t, const struct agent_block *b, int64_t ret, uint64_t time)
{
	const uint64_t args[TRACER_ARGS_MAX] = { b->rdi, b->rsi, b->rdx, b->r10, b->r8, b->r9 };

	t->abi = TRACER_ABI_X86_64;
	t->nr = SYS_mmap;
	t->desc = syscall_lookup(t->abi, t->nr);
	memcpy(t->args, args, sizeof(args));
	t->ret = ret;
	t->end = time;
	sup_event_map(&e->sup, t);
}

/* We stood in its way, or it is making a task: for the program, which is let go, the call goes on.  Its record
 * stays open until the slot is given back, and is then one of a call that never returned. */
static bool goes_on(const struct inproc *e, const struct sup_task *t, const struct agent_block *b, int64_t ret)
{
	const struct tracer_ev_call *c = arena_pending(e->arena, inproc_of(t)->slot, b->pos);
	uint8_t special = c && c->head.nr >= 0 && c->head.nr < ENGINE_CALLS_MAX ?
			  e->sup.special[TRACER_ABI_X86_64][c->head.nr] : (uint8_t)SUP_PLAIN;

	return e->sup.detaching && (arch_restarts(ret) || (ret == -ENOSYS && special >= SUP_FORK && special <= SUP_CLONE3));
}

/* As agent_exit() does. */
static void record_finish(struct inproc *e, struct sup_task *t, struct agent_block *b, int64_t ret)
{
	struct inproc_task *it = inproc_of(t);
	struct tracer_ev_call *c = b->cur ? arena_pending(e->arena, it->slot, b->pos) : NULL;
	const struct agent_control *ctl = e->arena->control;
	const struct mem_reader reader = { t, read_task };
	uint32_t size;
	uint64_t time;
	uint16_t flags;
	int32_t nr;

	b->cur = 0;
	if (!c)
		return;
	nr = c->head.nr;
	flags = (uint16_t)(c->head.flags & ~TRACER_EVF_PENDING) | result_flags(ret);
	c->ret = ret;
	/* it was over before what has stopped the task: in front of the record of that */
	c->head.time = e->sup.now - 1;
	if (c->head.time < c->start)
		c->head.time = c->start;
	time = c->head.time;
	/* what the agent has captured after the call is captured again */
	if (b->entered_pieces < c->ncaptures)
		c->ncaptures = (uint8_t)b->entered_pieces;
	size = arena_complete(c);
	if (nr >= 0 && nr < (int32_t)AGENT_NR_MAX && ctl->plans[nr].nrules && size == b->entered_size) {
		/* the consumer looks at the first word of what is pending */
		__atomic_fetch_or(&c->head.flags, result_flags(ret), __ATOMIC_RELAXED);
		size = capture_append(&ctl->plans[nr], &ctl->limits, &reader, 0, c, size, ctl->bound[nr]);
	}
	arena_commit(e->arena, it->slot, c, b->pos, size, TRACER_EV_CALL, flags);
	b->head = b->pos + size;
	if (e->sup.cfg.maps && nr == SYS_mmap && !(flags & TRACER_EVF_ERROR))
		map_tell(e, t, b, ret, time);
}

/* ---- the registers ---- */

#define FLAGS_AH 0xd5ull	/* SF ZF AF PF CF, as lahf has them in ah */
#define FLAG_OF 0x800ull

static uint64_t flags_of(uint64_t eflags, const struct agent_block *b)
{
	uint64_t ah = b->flags >> 8 & 0xff;

	eflags = (eflags & ~(FLAGS_AH | FLAG_OF)) | (ah & FLAGS_AH);
	return b->flags & 1 ? eflags | FLAG_OF : eflags;
}

static void regs_from_block(struct user_regs_struct *r, const struct agent_block *b)
{
	r->rdi = b->rdi;
	r->rsi = b->rsi;
	r->rdx = b->rdx;
	r->r10 = b->r10;
	r->r8 = b->r8;
	r->r9 = b->r9;
	r->rsp = b->sp;
	r->eflags = flags_of(r->eflags, b);
}

/* Before the call: the program stands at its own instruction again. */
static void back_out(struct inproc *e, struct sup_task *t, struct arch_regs *regs, struct agent_block *b,
		     enum phase phase)
{
	struct user_regs_struct *r = &regs->r;
	struct inproc_task *it = inproc_of(t);
	uint64_t at = r->rip - it->mm->image;

	if (phase == PROLOGUE) {
		if (at >= agent_image.number && at < agent_image.watched)
			r->rax = b->rax;
		r->rip = (at >= agent_image.watched && at < agent_image.swapped ? r->rcx : r->r11) - 2;
	} else {
		if (b->open && (at < agent_image.entered || at >= agent_image.child))
			record_settle(e, it, b);
		else if (!e->sup.detaching || at != agent_image.call)
			record_discard(e, it, b);
		regs_from_block(r, b);
		r->rax = b->rax;
		r->rip = b->ip - 2;
	}
	r->orig_rax = (unsigned long long)-1ll;
}

/* After the call.  True: it is to be restarted, or not, as the kernel will find, at a site whose
 * instruction is not where the kernel looks for it. */
static bool move_on(struct inproc *e, struct sup_task *t, struct arch_regs *regs, struct agent_block *b)
{
	struct user_regs_struct *r = &regs->r;
	struct inproc_task *it = inproc_of(t);
	bool fresh = r->rip - it->mm->image < agent_image.result;
	int64_t ret = fresh ? (int64_t)r->rax : (int64_t)b->rax;

	if (!goes_on(e, t, b, ret))
		record_finish(e, t, b, ret);
	regs_from_block(r, b);
	r->rax = (unsigned long long)ret;
	r->rcx = r->rip = b->cont;
	if (!fresh)
		r->orig_rax = (unsigned long long)-1ll;
	if (b->cont == b->ip || !arch_restarts(ret) || (int64_t)r->orig_rax < 0)
		return false;
	it->step_site = b->ip;
	it->step_cont = b->cont;
	r->rip = b->ip;
	return true;
}

static struct inproc_site *stub_site(struct inproc *e, struct sup_task *t, uint64_t ip)
{
	struct inproc_site *site = mm_stub_lookup(inproc_of(t)->mm, ip);

	if (!site && module_stub_load(e, t, ip))
		site = mm_stub_lookup(inproc_of(t)->mm, ip);
	return site ? site : mm_pad_lookup(t, ip);
}

static bool leave_stub(struct inproc *e, struct sup_task *t, struct user_regs_struct *r)
{
	struct inproc_site *site = stub_site(e, t, r->rip);
	uint64_t to = site ? patch_origin(&site->patch, r->rip) : 0;

	if (!to)
		return false;
	r->rip = to;
	return true;
}

/* A call that was allowed will trap again; another one that comes before it must not pass in its place. */
static void orders_reset(const struct inproc_task *it, struct sup_task *t, const struct agent_block *b)
{
	uint32_t orders = b->orders & ~AGENT_ORDER_ALLOW;

	if (orders != b->orders)
		task_mem_write(t, task_block_at(it) + offsetof(struct agent_block, orders), &orders, sizeof(orders));
}

void signal_evict(struct inproc *e, struct sup_task *t, struct arch_regs *regs, bool *changed, bool *step)
{
	struct inproc_task *it = inproc_of(t);
	struct agent_block b;
	enum phase phase;

	*changed = *step = false;
	if (!it->mm->known)
		return;
	if (regs->r.rip - it->mm->image >= agent_image.text_size && regs->r.rip != arena_trap_at(e, it->mm)) {
		*changed = leave_stub(e, t, &regs->r);
		return;
	}
	if (!task_block_read(t, &b))
		return;
	phase = regs->r.rip == arena_trap_at(e, it->mm) ? BEFORE : phase_of(it->mm, t, &b, regs->r.rip);
	if (phase == NOT_THERE)
		return;
	if (phase == AFTER)
		*step = move_on(e, t, regs, &b);
	else
		back_out(e, t, regs, &b, phase);
	*changed = true;
	e->sup.stats[ENGINE_STAT_EVICTIONS]++;
	screen_output_end(e, t);
	orders_reset(it, t, &b);
	if (phase == PROLOGUE)
		return;
	if (b.open) {
		b.open = 0;
		task_mem_write(t, task_block_at(it) + offsetof(struct agent_block, open), &b.open, sizeof(b.open));
	}
	task_mem_write(t, task_block_at(it) + offsetof(struct agent_block, cur), &b.cur,
		       offsetof(struct agent_block, tail) - offsetof(struct agent_block, cur));
}

void signal_settle(struct inproc *e, struct sup_task *t)
{
	struct inproc_task *it = inproc_of(t);
	struct agent_block b;

	if (!it->mm->known || !task_block_read(t, &b) || !b.open || !b.cur)
		return;
	record_settle(e, it, &b);
	task_mem_write(t, task_block_at(it) + offsetof(struct agent_block, cur), &b.cur, sizeof(b.cur));
}

/* ---- the stop ---- */

/* A load of the agent from the program's memory. */
static bool mend_copy(struct inproc *e, struct sup_task *t, struct arch_regs *regs)
{
	uint64_t at = regs->r.rip - inproc_of(t)->mm->image;

	if (!inproc_of(t)->mm->known || at < agent_image.copy || at >= agent_image.copy_end)
		return false;
	regs->r.rip = inproc_of(t)->mm->image + agent_image.copy_fault;
	tracee_regs_set(t->base.tid, regs);
	e->sup.stats[ENGINE_STAT_FAULTS]++;
	sup_resume(&e->sup, t, 0);
	return true;
}

/* The int3 that stands at a site while it is being patched. */
static bool met_patching(struct inproc *e, struct sup_task *t, struct arch_regs *regs)
{
	struct inproc_mm *mm = inproc_of(t)->mm;
	uint8_t now;

	if (!mm->sites || mem_read(&t->base.group->mem, regs->r.rip - 1, &now, 1) != 1)
		return false;
	for (unsigned i = 0; i < mm->sites->size; i++) {
		const struct inproc_site *s = &mm->sites->table[i];

		if (!s->at || !s->patch.len || regs->r.rip - 1 != s->patch.at)
			continue;
		/* who writes code is done with it when he looks at a stop: one that is still there came by a fork,
		 * or is the program's own */
		if (now == 0xcc && !mm_site_mend(t, s->at))
			continue;
		regs->r.rip--;
		tracee_regs_set(t->base.tid, regs);
		sup_resume(&e->sup, t, 0);
		return true;
	}
	return false;
}

/* First instruction of a handler that was entered by a single step: the kernel has chosen between
 * restart (saved rip = the site, which jumps to the stub) and EINTR (saved rip behind it, where the
 * program's bytes are replaced: the stub has them). */
static bool stepped(struct inproc *e, struct sup_task *t, const siginfo_t *info, struct arch_regs *regs)
{
	struct inproc_task *it = inproc_of(t);
	uint64_t at = regs->r.rsp + 8 + 40 + 16 * 8, saved;	/* ucontext: uc_mcontext.gregs[REG_RIP] */

	/* SI_KERNEL: an int3 */
	if (!it->step_site || info->si_signo != SIGTRAP || info->si_code <= 0 || info->si_code == SI_KERNEL)
		return false;
	if (mem_read(&t->base.group->mem, at, &saved, sizeof(saved)) == sizeof(saved) && saved == it->step_site)
		task_mem_write(t, at, &it->step_cont, sizeof(it->step_cont));
	it->step_site = 0;
	sup_resume(&e->sup, t, 0);
	return true;
}

/* The program steps through its own code by the trap flag.  What it meets of ours is a part of its call: taken back
 * there, it would make the same step again, for ever. */
static bool step_inside(struct inproc *e, struct sup_task *t, const siginfo_t *info, const struct arch_regs *regs)
{
	const struct inproc_mm *mm = inproc_of(t)->mm;
	const struct inproc_site *site;

	if (info->si_signo != SIGTRAP || info->si_code != TRAP_TRACE || !mm->known)
		return false;
	if (regs->r.rip - mm->image >= agent_image.text_size) {
		site = stub_site(e, t, regs->r.rip);
		if (!site || patch_origin(&site->patch, regs->r.rip) != site->patch.at)
			return false;
	}
	sup_resume(&e->sup, t, 0);
	return true;
}

static bool fault(const siginfo_t *info)
{
	return (info->si_signo == SIGSEGV || info->si_signo == SIGBUS) && info->si_code > 0;
}

bool signal_stop(struct inproc *e, struct sup_task *t, const siginfo_t *info)
{
	struct inproc_task *it = inproc_of(t);
	bool changed, step, trap = info->si_signo == SIGTRAP && info->si_code > 0;
	struct arch_regs regs;

	if (it->mode == INPROC_OFF || tracee_regs_load(t->base.tid, &regs) < 0)
		return false;
	if (it->mode == INPROC_BOOTING) {
		if (trap && boot_failed(e, t, &regs)) {
			if (it->gone)
				trap_gone(e, t);
			else
				sup_resume(&e->sup, t, 0);
			return true;
		}
		trap_learn(e, t, regs.r.gs_base);
	}
	if (fault(info) && mend_copy(e, t, &regs))
		return true;
	if (trap && (stepped(e, t, info, &regs) || met_patching(e, t, &regs)))
		return true;
	if (step_inside(e, t, info, &regs))
		return true;
	signal_evict(e, t, &regs, &changed, &step);
	if (changed)
		tracee_regs_set(t->base.tid, &regs);
	if (!step)
		return false;
	sup_event_signal(&e->sup, t, info->si_signo, info);
	t->base.state = TRACEE_RUNNING;
	tracee_resume(t->base.tid, TRACEE_STEP, info->si_signo);
	return true;
}
