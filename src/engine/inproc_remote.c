/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A system call made by a stopped task on our behalf, and what it is used for:
 * room for stubs near code that is out of reach of the image (executables at
 * addresses of their own, code made at run time); and an end to our mappings
 * where they would count for the program.  Supervisor thread.  All
 * signals are blocked meanwhile, so nothing but death comes in between; a
 * death is kept for the caller to hand on (it->gone).
 *
 * remote_call() is for a task whose call has just trapped.  remote_open() to
 * remote_close() are for one that stands in a trap of ours and may have been
 * interrupted in a call.
 */
#include "config.h"
#include "engine/inproc.h"
#include "tracee/proc_fs.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define LOWEST 0x10000u		/* the usual vm.mmap_min_addr */
#define STOPS_MAX 64

/* On to the next stop of this kind: 0, or -ESRCH.  *stopped: it met a stop by job control. */
static int step_to(struct sup_task *t, enum tracee_resume how, uint8_t kind, bool *stopped)
{
	struct inproc_task *it = inproc_of(t);
	struct stop stop;

	for (unsigned i = 0; i < STOPS_MAX; i++) {
		pid_t tid;

		if (tracee_resume(t->base.tid, how, 0) < 0)
			return -ESRCH;
		/* sup_stop() interrupts waits */
		do
			tid = tracee_wait(t->base.tid, &it->gone_status, true, &it->gone_usage);
		while (tid == -EINTR);
		if (tid != t->base.tid)
			return -ESRCH;
		if (WIFEXITED(it->gone_status) || WIFSIGNALED(it->gone_status)) {
			it->gone = true;
			return -ESRCH;
		}
		stop_parse(it->gone_status, &stop);
		if (stop.kind == kind)
			return 0;
		*stopped |= stop.kind == STOP_GROUP || (stop.kind == STOP_SIGNAL && stop.sig == SIGSTOP);
	}
	return -ESRCH;
}

static int call_step(struct sup_task *t)
{
	bool stopped;

	return step_to(t, TRACEE_CALL, STOP_CALL, &stopped);
}

/* The task's next instruction is the "syscall" at insn, with these registers. */
static int call_set(struct sup_task *t, struct arch_regs regs, uint64_t insn, uint64_t nr, const uint64_t args[6])
{
	regs.r.rip = insn;
	regs.r.rax = nr;
	regs.r.orig_rax = (unsigned long long)-1ll;
	regs.r.rdi = args[0];
	regs.r.rsi = args[1];
	regs.r.rdx = args[2];
	regs.r.r10 = args[3];
	regs.r.r8 = args[4];
	regs.r.r9 = args[5];
	return tracee_regs_set(t->base.tid, &regs);
}

int64_t remote_call(struct sup_task *t, uint64_t at, uint64_t nr, const uint64_t args[6])
{
	struct inproc_task *it = inproc_of(t);
	struct arch_regs saved, regs;
	int64_t ret = -ESRCH;
	uint64_t mask;

	if (tracee_regs_load(t->base.tid, &saved) < 0 || tracee_mask_load(t->base.tid, &mask) < 0)
		return -ESRCH;
	tracee_mask_set(t->base.tid, ~(uint64_t)0);
	if (call_set(t, saved, at, nr, args) == 0 && call_step(t) == 0 && call_step(t) == 0 &&
	    tracee_regs_load(t->base.tid, &regs) == 0)
		ret = (int64_t)regs.r.rax;
	if (it->gone)
		return -ESRCH;
	saved.r.orig_rax = (unsigned long long)-1ll;
	tracee_regs_set(t->base.tid, &saved);
	tracee_mask_set(t->base.tid, mask);
	return ret;
}

/* ---- many calls, by an instruction that is not the agent's ---- */

int remote_open(struct sup_task *t, struct remote *r, uint64_t insn)
{
	*r = (struct remote){ .insn = insn };
	if (tracee_regs_load(t->base.tid, &r->saved) < 0 || tracee_mask_load(t->base.tid, &r->mask) < 0)
		return -ESRCH;
	tracee_mask_set(t->base.tid, ~(uint64_t)0);
	return 0;
}

int64_t remote_run(struct sup_task *t, struct remote *r, uint64_t nr, const uint64_t args[6])
{
	struct arch_regs regs;

	if (inproc_of(t)->gone)
		return -ESRCH;
	if (call_set(t, r->saved, r->insn, nr, args) < 0 || step_to(t, TRACEE_CALL, STOP_CALL, &r->stopped) < 0 ||
	    step_to(t, TRACEE_CALL, STOP_CALL, &r->stopped) < 0 || tracee_regs_load(t->base.tid, &regs) < 0)
		return -ESRCH;
	return (int64_t)regs.r.rax;
}

/* In a trap again, where the kernel has still to decide whether the call that it had interrupted is
 * restarted: by signals that it finds then, not by what it found before. */
void remote_close(struct sup_task *t, struct remote *r)
{
	if (inproc_of(t)->gone)
		return;
	tracee_interrupt(t->base.tid);
	if (step_to(t, TRACEE_CONT, STOP_TRAP, &r->stopped) < 0)
		return;
	tracee_regs_set(t->base.tid, &r->saved);
	tracee_mask_set(t->base.tid, r->mask);
	/* what would have stopped it meanwhile stops it now */
	if (r->stopped)
		syscall(SYS_tgkill, t->base.group->pid, t->base.tid, SIGSTOP);
}

/* ---- room for stubs ---- */

struct place { uint64_t near, size, end, best; };

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The upper end of each gap, with a page to spare, but below a stack, which grows. */
static int place_look(void *ctx, const struct proc_map *map)
{
	struct place *p = ctx;
	uint64_t at = map->start - p->size - PAGE;
	uint64_t from = p->end > LOWEST ? p->end : LOWEST;

	if (map->start > p->size + 2 * PAGE && at >= from + PAGE && strcmp(map->path, "[stack]") &&
	    (!p->best || distance(at, p->near) < distance(p->best, p->near)))
		p->best = at;
	p->end = map->end;
	return 0;
}

/* The free place of size bytes that is nearest to at; 0: none. */
static uint64_t place_near(pid_t pid, uint64_t at, uint64_t size)
{
	struct place p = { .near = at, .size = size };

	proc_maps_read(pid, place_look, &p);
	return p.best;
}

uint64_t remote_room(struct sup_task *t, uint64_t near, uint64_t size)
{
	uint64_t at = place_near(t->base.tid, near, size);
	uint64_t args[6] = { at, size, PROT_READ | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0 };
	int64_t ret;

	if (!at)
		return 0;
	ret = remote_call(t, inproc_of(t)->mm->image + agent_image.call, SYS_mmap, args);
	return ret > 0 ? (uint64_t)ret : 0;
}

void remote_unmap(struct inproc *e, struct sup_task *t)
{
	const struct inproc_arena *a = e->arena;
	const struct inproc_mm *mm = inproc_of(t)->mm;
	const struct { uint64_t at, size; } ours[] = {
		{ mm->rings, a->rings_size },
		{ mm->slots, (uint64_t)a->nslots * AGENT_SLOT_SIZE },
		{ mm->image, a->image_size },
	};
	struct arch_regs regs;

	if (tracee_regs_load(t->base.tid, &regs) < 0)
		return;
	for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]) && !inproc_of(t)->gone; i++) {
		const uint64_t args[6] = { ours[i].at, ours[i].size };

		remote_call(t, regs.r.rip, SYS_munmap, args);
	}
	if (inproc_of(t)->gone)
		return;
	regs.r.gs_base = 0;
	tracee_regs_set(t->base.tid, &regs);
}
