/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call that the dispatch caught: the site is patched, and this call goes
 * through the recorder, too, so that it needs one stop and every record is
 * made by the same code.  What the agent cannot live with sends the process
 * to the ptrace way.  Supervisor thread; the task stands still.
 */
#include "config.h"
#include "engine/inproc.h"
#include "tracee/proc_fs.h"
#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYS_USER_DISPATCH_CODE 2	/* si_code, asm-generic/siginfo.h */
#define USER_CS 0x33
#define NR_RT_SIGACTION 13
#define NR_RT_SIGRETURN 15
#define NR_PRCTL 157
#define NR_ARCH_PRCTL 158
#define NR_SECCOMP 317
#define PR_SET_DISPATCH 59
#define PR_SECCOMP 22
#define PR_SET_DUMPABLE 4
#define PR_SET_TSC 26
#define PR_TSC_SIGSEGV 2
#define SET_DISPATCH_CONFIG 0x4210	/* PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG, Linux 6.4 */
#define GET_DISPATCH_CONFIG 0x4211

struct dispatch_config { uint64_t mode, selector, offset, len; };

int trap_arm(const struct inproc *e, struct sup_task *t, bool on)
{
	struct inproc_mm *mm = inproc_of(t)->mm;
	struct dispatch_config c = { 0 };

	if (on)
		c = (struct dispatch_config){ 1, 0, mm->image, agent_image.text_size };
	if (on && mm->attached && e->arena->selector_at)
		c.selector = mm->image + e->arena->selector_at;
	return syscall(SYS_ptrace, SET_DISPATCH_CONFIG, (long)t->base.tid, sizeof(c), &c) < 0 ? -errno : 0;
}

bool trap_armed(const struct sup_task *t)
{
	struct dispatch_config c = { 0 };

	return syscall(SYS_ptrace, GET_DISPATCH_CONFIG, (long)t->base.tid, sizeof(c), &c) == 0 && c.mode;
}

void trap_gone(struct inproc *e, struct sup_task *t)
{
	struct rusage usage = inproc_of(t)->gone_usage;

	sup_status_load(&e->sup, t->base.tid, inproc_of(t)->gone_status, &usage);
}

bool trap_learn(struct inproc *e, struct sup_task *t, uint64_t gs_base)
{
	struct inproc_task *it = inproc_of(t);
	struct inproc_mm *mm = it->mm;
	struct agent_block b;

	if (mm->known)
		return gs_base == task_block_at(it);
	if (!gs_base || mem_read(&t->base.group->mem, gs_base, &b, sizeof(b)) != sizeof(b) || b.magic != AGENT_MAGIC ||
	    b.slot != it->slot || b.self != gs_base ||
	    gs_base != b.slots + (uint64_t)b.slot * AGENT_SLOT_SIZE + AGENT_BLOCK_AT)
		return false;
	mm->image = b.image;
	mm->slots = b.slots;
	mm->rings = b.rings;
	mm->modules = b.modules;
	mm->known = true;
	it->mode = INPROC_ON;
	(void)e;
	return true;
}

/* ---- fall-back ---- */

void trap_leave(struct inproc *e, struct sup_task *t)
{
	struct inproc_task *it = inproc_of(t);
	bool changed = false, step = false;
	struct arch_regs regs;

	if (it->mode == INPROC_OFF)
		return;
	if (tracee_regs_load(t->base.tid, &regs) == 0) {
		if (it->mode == INPROC_BOOTING)
			trap_learn(e, t, regs.r.gs_base);
		signal_evict(e, t, &regs, &changed, &step);
		if (step)
			regs.r.rip = it->step_cont;	/* no handler: the kernel restarts, or nothing is to be done */
		it->step_site = 0;
		if (it->mm->attached && attach_in_agent(e, it->mm, regs.r.rip)) {
			it->mm->pinned = true;
		} else if (it->mm->attached) {
			regs.r.gs_base = 0;
			changed = true;
		}
		if (changed)
			tracee_regs_set(t->base.tid, &regs);
	}
	signal_settle(e, t);
	trap_arm(e, t, false);
	it->trap_due = sup_trap_waits(t);
	it->mode = INPROC_OFF;
}

/* The user is told of each reason once; counted is each process. */
static bool first_time(struct inproc *e, const char *why)
{
	uint64_t hash = files_hash(why, strlen(why));

	for (unsigned i = 0; i < e->ntold; i++)
		if (e->told[i] == hash)
			return false;
	if (e->ntold == INPROC_TOLD_MAX)
		return false;
	e->told[e->ntold++] = hash;
	return true;
}

void trap_fall_back(struct inproc *e, struct sup_task *t, const char *why)
{
	struct supervisor *s = &e->sup;
	struct inproc_mm *mm = inproc_of(t)->mm;
	struct tracee *o;
	size_t pos = 0;

	if (mm->off)
		return;
	mm->off = true;
	if (first_time(e, why))
		log_msg(s->cfg.log, s->cfg.chosen ? LOG_DEBUG : LOG_INFO, "pid %d is traced by stops: %s",
			(int)t->base.group->pid, why);
	sup_event_engine(s, t, why);
	if (mm->known)
		mm_restore(e, t);
	/* the others leave at their next stop */
	while ((o = task_next(&s->tasks, &pos))) {
		struct sup_task *other = (struct sup_task *)o;

		if (other == t || !inproc_of(other) || inproc_of(other)->mm != mm || o->state != TRACEE_RUNNING)
			continue;
		other->interrupted = true;
		tracee_interrupt(o->tid);
	}
}

static bool hides_memory(const struct arch_regs *regs)
{
	return regs->r.rax == NR_PRCTL && regs->r.rdi == PR_SET_DUMPABLE && !regs->r.rsi;
}

/* It sets a limit that our mappings would use up. */
static bool limits_memory(struct sup_task *t, const struct arch_regs *regs)
{
	bool other = regs->r.rax == SYS_prlimit64;
	uint64_t resource = other ? regs->r.rsi : regs->r.rdi, at = other ? regs->r.rdx : regs->r.rsi;
	struct rlimit new;

	if (regs->r.rax != SYS_setrlimit && !other)
		return false;
	if (other && (pid_t)regs->r.rdi && (pid_t)regs->r.rdi != t->base.group->pid)
		return false;
	return (resource == RLIMIT_AS || resource == RLIMIT_DATA) &&
	       mem_read(&t->base.group->mem, at, &new, sizeof(new)) == sizeof(new) && new.rlim_cur != RLIM_INFINITY;
}

/* The reason why our mappings have to go before this call, or NULL.  Those who share them would lose them, too:
 * then they stay, and only what is executed later is without. */
static const char *crowded(struct sup_task *t, const struct arch_regs *regs)
{
	if (inproc_of(t)->mm->refs > 1)
		return NULL;
	return limits_memory(t, regs) ? "it limits its memory" : regs->r.rax == SYS_mlockall ? "it locks its memory" : NULL;
}

/* It makes a task that no tracer gets, and that would run what is patched with the registers of its parent. */
static bool makes_untraced(const struct sup_task *t, const struct arch_regs *regs)
{
	uint64_t flags = regs->r.rdi;

	if (regs->r.rax == SYS_clone3)
		return mem_read(&t->base.group->mem, regs->r.rdi, &flags, sizeof(flags)) == sizeof(flags) &&
		       flags & CLONE_UNTRACED;
	return regs->r.rax == SYS_clone && flags & CLONE_UNTRACED;
}

/* The reason why the agent cannot go on after this call, or NULL. */
static const char *conflict(const struct inproc *e, const struct sup_task *t, const struct arch_regs *regs)
{
	uint64_t nr = regs->r.rax, arg = regs->r.rdi;

	if (nr == NR_ARCH_PRCTL && (arg & ~0xfull) == 0x1000)
		return arg == 0x1001 || arg == 0x1004 ? "it uses the gs register" : NULL;
	if (nr == NR_ARCH_PRCTL)
		return "it uses shadow stacks";
	/* its memory is ours for as long as it has it; that of its children would not be */
	if (hides_memory(regs))
		return e->capable ? NULL : "it hides the memory of its children (PR_SET_DUMPABLE)";
	if (nr == NR_PRCTL && arg == PR_SET_TSC)
		return regs->r.rsi == PR_TSC_SIGSEGV ? "it must not read the clock (PR_SET_TSC)" : NULL;
	if (nr == NR_PRCTL)
		return arg == PR_SET_DISPATCH ? "it uses syscall user dispatch itself" :
		       arg == PR_SECCOMP ? "it puts itself under seccomp" : NULL;
	if (nr == NR_SECCOMP)
		return "it puts itself under seccomp";
	if (makes_untraced(t, regs))
		return "it makes a task that cannot be traced (CLONE_UNTRACED)";
	return NULL;
}

/* SIGSYS may have been blocked; the kernel has just unblocked it.  Whether it was is not told, but
 * who blocks everything else that can be blocked had it blocked. */
static void mask_restore(struct sup_task *t)
{
	uint64_t mask, all = ~(uint64_t)0, never = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1);
	uint64_t libc = 3ull << 31, sys = 1ull << (SIGSYS - 1);

	if (tracee_mask_load(t->base.tid, &mask) < 0 || mask & sys)
		return;
	if ((mask | never | libc | sys) == all)
		tracee_mask_set(t->base.tid, mask | sys);
}

/* The call is made again, with nothing in its way. */
static void call_again(struct inproc *e, struct sup_task *t, struct arch_regs *regs)
{
	regs->r.rip -= 2;
	regs->r.orig_rax = (unsigned long long)-1ll;
	if (inproc_of(t)->mm->attached)
		regs->r.gs_base = 0;
	tracee_regs_set(t->base.tid, regs);
	trap_arm(e, t, false);
	inproc_of(t)->mode = INPROC_OFF;
}

/* The same, not from one of our stubs, which may go. */
static void site_again(struct inproc *e, struct sup_task *t, struct arch_regs *regs)
{
	const struct inproc_site *site = mm_stub_lookup(inproc_of(t)->mm, regs->r.rip - 2);

	if (site)
		regs->r.rip = site->patch.site + 2;
	call_again(e, t, regs);
}

static void make_room(struct inproc *e, struct sup_task *t, struct arch_regs *regs, const char *why)
{
	trap_fall_back(e, t, why);
	site_again(e, t, regs);
	remote_unmap(e, t);
}

/* The registers of a call that the dispatch caught: behind the program's own instruction, always. */
static int caught_load(struct inproc *e, struct sup_task *t, struct arch_regs *regs)
{
	const struct inproc_mm *mm = inproc_of(t)->mm;
	struct agent_block b;
	int rc = tracee_regs_load(t->base.tid, regs);

	if (rc == 0 && mm->known && regs->r.rip - 2 == arena_trap_at(e, mm) && task_block_read(t, &b))
		regs->r.rip = b.ip;
	return rc;
}

/* The trap of a task that has left since: nobody else knows what that signal is. */
static bool late_trap(struct inproc *e, struct sup_task *t)
{
	struct inproc_task *it = inproc_of(t);
	struct arch_regs regs;

	if (!it->trap_due)
		return false;
	it->trap_due = false;
	if (caught_load(e, t, &regs) == 0) {
		mask_restore(t);
		site_again(e, t, &regs);
	}
	sup_resume(&e->sup, t, 0);
	return true;
}

/* ---- the trap ---- */

/* It is to be patched yet. */
static bool is_open(const struct inproc_site *site)
{
	return !site || (!site->patched && (site->planned || !site->patch.site));
}

/* A call trapped at its site, which is learnt, and patched if that can be done and pays.  NULL: not known. */
static struct inproc_site *site_met(struct inproc *e, struct sup_task *t, uint64_t at, uint64_t nr)
{
	struct inproc_mm *mm = inproc_of(t)->mm;
	struct inproc_site *site = mm_site_lookup(mm, at);
	bool vouched = is_open(site) && !mm->closed && module_site_met(e, t, at, nr);

	/* of a signal return its file has to say where it is */
	if (nr == NR_RT_SIGRETURN && !vouched)
		return site;
	site = mm_site_lookup(mm, at);
	if (is_open(site) || site->patched)
		site = mm_site_add(mm, at);
	if (site && (is_open(site) || site->patched))
		mm_site_patch(e, t, site, nr);
	return site;
}

static void redirect(struct inproc *e, struct sup_task *t, struct arch_regs *regs)
{
	struct inproc_mm *mm = inproc_of(t)->mm;
	uint64_t behind = regs->r.rip, cont = behind, ip = behind;
	struct inproc_site *site = mm_stub_lookup(mm, behind - 2);

	if (!site && module_stub_load(e, t, behind - 2))
		site = mm_stub_lookup(mm, behind - 2);
	if (site) {
		/* the stub's own instruction: a call that is made again */
		ip = site->patch.site + 2;
	} else {
		site = site_met(e, t, behind - 2, regs->r.rax);
		if (inproc_of(t)->gone)
			return;
		if (site && site->planned && site->patch.form == PATCH_AFTER)
			cont = site->patch.cont;
	}
	regs->r.rip = mm->image + agent_image.entry;
	regs->r.rcx = cont;
	regs->r.r11 = ip;
	regs->r.orig_rax = (unsigned long long)-1ll;
	tracee_regs_set(t->base.tid, regs);
	e->sup.stats[ENGINE_STAT_CALLS_ONE_STOP]++;
	sup_resume(&e->sup, t, 0);
}

/* The kernel forces SIGSYS on a task that blocks or ignores it by resetting its action to the default.
 * That is seen in /proc/PID/status; the agent sets the action again before the call. */
static bool action_lost(const struct sup_task *t)
{
	static const char *const lines[] = { "\nSigIgn:\t", "\nSigCgt:\t" };
	char text[4096];
	ssize_t n = proc_file_read(t->base.tid, "status", text, sizeof(text) - 1);
	uint64_t known = 0;

	if (n <= 0)
		return false;
	text[n] = '\0';
	for (unsigned i = 0; i < 2; i++) {
		const char *p = strstr(text, lines[i]);

		if (p)
			known |= strtoull(p + strlen(lines[i]), NULL, 16);
	}
	return !(known >> (SIGSYS - 1) & 1);
}

/* To ignore a signal takes it from whoever has it before him: another thread's trap would be lost, and its call. */
static bool ignored_by_many(const struct sup_task *t, const struct inproc_group *g)
{
	return g->action[0] == (uint64_t)(uintptr_t)SIG_IGN && inproc_of(t)->mm->refs > 1;
}

/* What the agent is to do before the call that trapped. */
static void orders_set(const struct inproc *e, struct sup_task *t, const struct arch_regs *regs)
{
	struct inproc_group *g = sup_group_of(t)->hook;
	bool sets = regs->r.rax == NR_RT_SIGACTION && regs->r.rdi == SIGSYS && regs->r.rsi;
	uint64_t at = task_block_at(inproc_of(t)), mask;
	uint32_t orders = 0;

	if (g && g->own && !ignored_by_many(t, g) && action_lost(t)) {
		orders |= AGENT_ORDER_SIGSYS;
		task_mem_write(t, at + offsetof(struct agent_block, sigsys), g->action, sizeof(g->action));
		if (g->action[0] != (uint64_t)(uintptr_t)SIG_IGN && tracee_mask_load(t->base.tid, &mask) == 0)
			tracee_mask_set(t->base.tid, mask | 1ull << (SIGSYS - 1));
	}
	if (sets) {
		g = inproc_group_of(t);
		if (g && mem_read(&t->base.group->mem, regs->r.rsi, g->action, sizeof(g->action)) == sizeof(g->action))
			g->own = g->action[0] != 0;
	}
	/* what could not be allowed has found a conflict */
	if (regs->r.rax < AGENT_NR_MAX && e->arena->control->action[regs->r.rax] & AGENT_CHECK)
		orders |= AGENT_ORDER_ALLOW;
	if (orders)
		task_mem_write(t, at + offsetof(struct agent_block, orders), &orders, sizeof(orders));
}

/* What the supervisor wants to know of a call, as far as it can be known before. */
static void call_told(struct inproc *e, struct sup_task *t, const struct arch_regs *regs)
{
	const struct user_regs_struct *r = &regs->r;
	const uint64_t args[TRACER_ARGS_MAX] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	const struct engine_screen *screen = e->sup.cfg.screen;

	switch (r->rax < ENGINE_CALLS_MAX ? e->sup.special[TRACER_ABI_X86_64][r->rax] : SUP_PLAIN) {
	case SUP_OUTPUT:
		/* its ring says that it writes; what is drawn goes away */
		if (screen)
			screen->begin(screen->ctx);
		if (screen)
			screen->end(screen->ctx);
		break;
	case SUP_SETUID:
		sup_group_of(t)->uid = -1;
		break;
	case SUP_PRCTL:
		t->abi = TRACER_ABI_X86_64;
		memcpy(t->args, args, sizeof(args));
		sup_context_prctl(&e->sup, t);
		break;
	default:
		break;
	}
}

static bool is_syscall_insn(struct sup_task *t, uint64_t at)
{
	uint8_t b[2];

	return mem_read(&t->base.group->mem, at, b, 2) == 2 && b[0] == 0x0f && b[1] == 0x05;
}

bool trap_dispatch(struct inproc *e, struct sup_task *t, const siginfo_t *info)
{
	struct inproc_task *it = inproc_of(t);
	struct arch_regs regs;
	const char *why;
	bool learnt;

	if (info->si_code != SYS_USER_DISPATCH_CODE)
		return false;
	if (it->mode == INPROC_OFF)
		return late_trap(e, t);
	if (caught_load(e, t, &regs) < 0)
		return true;
	mask_restore(t);
	it->step_site = 0;	/* no handler was entered: the call was begun again, and has come here */
	if (it->mm->off || e->sup.detaching || t->let_go) {
		call_again(e, t, &regs);
		sup_resume(&e->sup, t, 0);
		return true;
	}
	/* first: whatever the reason may be, what is patched must be known to be put back */
	learnt = trap_learn(e, t, regs.r.gs_base);
	why = conflict(e, t, &regs);
	if (!why && !learnt)
		why = "it changed the gs register";
	if (!why && (regs.r.cs != USER_CS || info->si_arch != AUDIT_ARCH_X86_64))
		why = "it makes 32-bit calls";
	if (!why && !is_syscall_insn(t, regs.r.rip - 2) && !mm_site_lookup(it->mm, regs.r.rip - 2))
		why = "it makes calls by an unknown instruction";
	if (why) {
		trap_fall_back(e, t, why);
		/* it is not to find ours */
		if (regs.r.rax == NR_ARCH_PRCTL)
			regs.r.gs_base = 0;
		call_again(e, t, &regs);
		sup_resume(&e->sup, t, 0);
		return true;
	}
	it->mode = INPROC_ON;
	why = crowded(t, &regs);
	if (why) {
		make_room(e, t, &regs, why);
		if (!it->gone)
			sup_resume(&e->sup, t, 0);
	} else {
		orders_set(e, t, &regs);
		call_told(e, t, &regs);
		redirect(e, t, &regs);
	}
	if (it->gone)
		trap_gone(e, t);
	return true;
}
