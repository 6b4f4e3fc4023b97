/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent goes into a program that runs already, and out of it again.
 * Supervisor thread; the task at hand stands in a trap of ours.
 *
 * In: every thread joins at its first trap.  The first one makes the calls that
 * map slots, image and rings, each gets its slot, its gs register and its
 * dispatch, and its next call is recorded by the agent.  Descriptors reach the
 * program over a socket of its own: that needs no /proc, no rights to our
 * descriptors and no name that both of us know.
 *
 * Nothing is patched before all tasks of the address space have joined, since
 * who meets a patched site needs the gs register (attach_complete).  A thread
 * that does not stop for a while (vfork, an uninterruptible sleep) delays that,
 * and until then each call costs a stop.
 *
 * Only one instruction is ever replaced (patch_choose_single): a program
 * that ran before us has addresses in signal frames and switched contexts
 * that we do not know, and nobody comes back into the middle of one
 * instruction.  For the same reason nobody can come back into a stub, so when
 * the last task of the address space is let go, all of it is unmapped.
 */
#include "config.h"
#include "engine/inproc.h"
#include "tracee/proc_fs.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER_CS 0x33
#define OUT_OF_THE_WAY 0x1000000000ull	/* as agent_boot.c: what is large, not near libraries */
#define VDSO_MAX 8192u
#define TRAP_CODE (SIGTRAP | PTRACE_EVENT_STOP << 8)	/* si_code of a trap of ours */
#define FDS 2u

/* ---- what the agent cannot live with ---- */

static const char *process_conflict(const struct sup_task *t)
{
	struct proc_status st;

	if (proc_status_load(t->base.tid, &st) < 0)
		return "it is gone";
	if (st.seccomp > 0)
		return "it is under a seccomp filter";
	if (st.shadow_stack)
		return "it uses shadow stacks";
	if (t->base.group->mem.fd < 0 || !t->base.group->mem.writable)
		return "its memory may not be written";
	return NULL;
}

static const char *thread_conflict(const struct sup_task *t, const struct arch_regs *regs)
{
	if (regs->r.cs != USER_CS)
		return "it is a 32-bit program";
	if (regs->r.gs_base)
		return "it uses the gs register";
	return trap_armed(t) ? "it uses syscall user dispatch itself" : NULL;
}

/* ---- in ---- */

struct vdso { uint64_t start, end; };

static int vdso_look(void *ctx, const struct proc_map *map)
{
	struct vdso *v = ctx;

	if (strcmp(map->path, "[vdso]"))
		return 0;
	*v = (struct vdso){ map->start, map->end };
	return 1;
}

/* A system call instruction that is not ours, in the vDSO; 0: none. */
static uint64_t insn_find(struct sup_task *t)
{
	struct vdso v = { 0, 0 };
	uint8_t code[VDSO_MAX];
	ssize_t n;

	proc_maps_read(t->base.group->pid, vdso_look, &v);
	if (!v.start)
		return 0;
	n = mem_read(&t->base.group->mem, v.start, code, v.end - v.start < VDSO_MAX ? v.end - v.start : VDSO_MAX);
	for (ssize_t i = 0; i + 1 < n; i++)
		if (code[i] == 0x0f && code[i + 1] == 0x05)
			return v.start + (uint64_t)i;
	return 0;
}

void attach_start(struct inproc *e, struct sup_task *t)
{
	struct inproc_mm *mm = mm_new(e);
	const char *why = process_conflict(t);

	if (!mm)
		return;
	arena_watch(e->arena);
	mm->attached = true;
	mm->insn = insn_find(t);
	for (struct tracee *o = t->base.group->first; o; o = o->sibling) {
		struct inproc_task *it = inproc_task_new(e);

		if (!it)
			break;
		it->mm = mm;
		mm->refs++;
		((struct sup_task *)o)->hook = it;
	}
	if (!why && !mm->insn)
		why = "it has no vDSO";
	if (why && inproc_of(t))
		trap_fall_back(e, t, why);
	mm_put(e, mm);
}

/* recvmsg() of two descriptors, as the program needs it. */
struct receipt {
	int32_t pair[2];
	struct msghdr msg;
	struct iovec iov;
	uint64_t byte;
	union { struct cmsghdr head; uint8_t room[CMSG_SPACE(FDS * sizeof(int))]; } control;
};

static int fds_send(const struct inproc *e, const struct sup_task *t, int theirs)
{
	int pidfd = (int)syscall(SYS_pidfd_open, t->base.group->pid, 0), sock, rc = 0;
	int fds[FDS] = { e->arena->image_fd, e->arena->rings_fd };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	union { struct cmsghdr head; uint8_t room[CMSG_SPACE(sizeof(fds))]; } control = { .head = { 0 } };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	if (pidfd < 0)
		return -errno;
	control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(fds)), .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
	sock = (int)syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
	if (sock < 0 || sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		rc = -errno;
	if (sock >= 0)
		close(sock);
	close(pidfd);
	return rc;
}

static void receipt_init(struct receipt *r, uint64_t at)
{
	memset(r, 0, sizeof(*r));
	r->iov = (struct iovec){ (void *)(uintptr_t)(at + offsetof(struct receipt, byte)), 1 };
	r->msg = (struct msghdr){ .msg_iov = (void *)(uintptr_t)(at + offsetof(struct receipt, iov)), .msg_iovlen = 1,
				  .msg_control = (void *)(uintptr_t)(at + offsetof(struct receipt, control)),
				  .msg_controllen = sizeof(r->control) };
}

/* The program has a descriptor of image and rings each; 0 or negative.  at: memory of it that is ours. */
static int fds_pass(struct inproc *e, struct sup_task *t, struct remote *r, uint64_t at, int fds[FDS])
{
	struct mem *m = &t->base.group->mem;
	struct receipt box;
	int64_t rc;

	receipt_init(&box, at);
	if (task_mem_write(t, at, &box, sizeof(box)) < 0)
		return -EFAULT;
	rc = REMOTE_RUN(t, r, SYS_socketpair, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, at);
	if (rc < 0)
		return (int)rc;
	if (mem_read(m, at, box.pair, sizeof(box.pair)) != sizeof(box.pair))
		return -EFAULT;
	rc = fds_send(e, t, box.pair[0]);
	if (rc == 0)
		rc = REMOTE_RUN(t, r, SYS_recvmsg, (uint64_t)box.pair[1], at + offsetof(struct receipt, msg),
				MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	REMOTE_RUN(t, r, SYS_close, (uint64_t)box.pair[0]);
	REMOTE_RUN(t, r, SYS_close, (uint64_t)box.pair[1]);
	if (rc < 0)
		return (int)rc;
	if (mem_read(m, at, &box, sizeof(box)) != sizeof(box) || box.control.head.cmsg_type != SCM_RIGHTS ||
	    box.control.head.cmsg_len != CMSG_LEN(FDS * sizeof(int)))
		return -EMFILE;
	memcpy(fds, CMSG_DATA(&box.control.head), FDS * sizeof(int));
	return 0;
}

static bool mapped(int64_t at)
{
	return at > 0;
}

/* Slots first: what is written for the other calls is written there. */
static int image_map(struct inproc *e, struct sup_task *t, struct remote *r)
{
	struct inproc_mm *mm = inproc_of(t)->mm;
	const struct inproc_arena *a = e->arena;
	uint64_t slots_size = arena_slots_size(a), hint = (mm->insn - OUT_OF_THE_WAY) & ~4095ull;
	int64_t slots, image = -ENOMEM, rings = -ENOMEM;
	int fds[FDS] = { -1, -1 }, rc;

	slots = REMOTE_RUN(t, r, SYS_mmap, hint, slots_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);
	if (!mapped(slots))
		return (int)slots;
	rc = fds_pass(e, t, r, (uint64_t)slots + inproc_of(t)->slot * (uint64_t)AGENT_SLOT_SIZE, fds);
	if (rc == 0) {
		image = REMOTE_RUN(t, r, SYS_mmap, 0, a->image_size, PROT_READ | PROT_EXEC, MAP_PRIVATE,
				   (uint64_t)fds[0], 0);
		rings = REMOTE_RUN(t, r, SYS_mmap, (uint64_t)slots - a->rings_size, a->rings_size, PROT_READ | PROT_WRITE,
				   MAP_SHARED, (uint64_t)fds[1], 0);
		REMOTE_RUN(t, r, SYS_close, (uint64_t)fds[0]);
		REMOTE_RUN(t, r, SYS_close, (uint64_t)fds[1]);
	}
	if (mapped(image) && mapped(rings)) {
		/* a core of the program has what is the program's */
		REMOTE_RUN(t, r, SYS_madvise, (uint64_t)slots, slots_size, MADV_DONTDUMP);
		REMOTE_RUN(t, r, SYS_madvise, (uint64_t)image, a->image_size, MADV_DONTDUMP);
		REMOTE_RUN(t, r, SYS_madvise, (uint64_t)rings, a->rings_size, MADV_DONTDUMP);
		mm->slots = (uint64_t)slots;
		mm->image = (uint64_t)image;
		mm->rings = (uint64_t)rings;
		mm->known = true;
		return 0;
	}
	REMOTE_RUN(t, r, SYS_munmap, (uint64_t)slots, slots_size);
	if (mapped(image))
		REMOTE_RUN(t, r, SYS_munmap, (uint64_t)image, a->image_size);
	if (mapped(rings))
		REMOTE_RUN(t, r, SYS_munmap, (uint64_t)rings, a->rings_size);
	return rc < 0 ? rc : mapped(image) ? (int)rings : (int)image;
}

static bool handles_sigsys(const struct sup_task *t)
{
	struct proc_status st;

	return proc_status_load(t->base.tid, &st) == 0 && st.handled >> (SIGSYS - 1) & 1;
}

/* What the program does with SIGSYS: the kernel forgets it where the dispatch finds that blocked or ignored. */
static int action_load(struct sup_task *t, struct remote *r)
{
	uint64_t at = inproc_of(t)->mm->slots + inproc_of(t)->slot * (uint64_t)AGENT_SLOT_SIZE;
	struct inproc_group *g = inproc_group_of(t);
	int64_t rc;

	if (!g || !handles_sigsys(t))
		return g ? 0 : -ENOMEM;
	rc = REMOTE_RUN(t, r, SYS_rt_sigaction, SIGSYS, 0, at, sizeof(uint64_t));
	if (rc == 0 && mem_read(&t->base.group->mem, at, g->action, sizeof(g->action)) != sizeof(g->action))
		rc = -EFAULT;
	g->own = rc == 0 && g->action[0];
	return (int)rc;
}

/* Forgotten, and nobody has said it again yet. */
static void action_restore(struct sup_task *t, struct remote *r)
{
	uint64_t at = inproc_of(t)->mm->slots + inproc_of(t)->slot * (uint64_t)AGENT_SLOT_SIZE;
	struct inproc_group *g = inproc_group_of(t);

	if (g && g->own && !handles_sigsys(t) && task_mem_write(t, at, g->action, sizeof(g->action)) == 0)
		REMOTE_RUN(t, r, SYS_rt_sigaction, SIGSYS, at, 0, sizeof(uint64_t));
}

static int agent_map(struct inproc *e, struct sup_task *t)
{
	struct remote r;
	int rc = remote_open(t, &r, inproc_of(t)->mm->insn);

	if (rc < 0)
		return rc;
	rc = image_map(e, t, &r);
	if (rc == 0)
		rc = action_load(t, &r);
	remote_close(t, &r);
	e->sup.stats[ENGINE_STAT_INJECTIONS] += rc == 0;
	return rc;
}

static void block_fill(const struct inproc *e, const struct sup_task *t, struct agent_block *b)
{
	const struct inproc_task *it = inproc_of(t);
	const struct inproc_mm *mm = it->mm;

	memset(b, 0, sizeof(*b));
	b->entry = mm->image + (e->arena->watched ? agent_image.watched : agent_image.entry);
	b->stack = b->self = task_block_at(it);
	b->ring = mm->rings + it->slot * e->arena->ring_stride;
	b->ring_size = e->arena->ring_size;
	b->head = arena_ring(e->arena, it->slot)->head;
	b->tail = __atomic_load_n(&arena_ring(e->arena, it->slot)->tail, __ATOMIC_ACQUIRE);
	b->image = mm->image;
	b->slots = mm->slots;
	b->rings = mm->rings;
	b->control = mm->image + e->arena->control_at;
	b->tid = t->base.tid;
	b->slot = it->slot;
	task_context_set(t, b);
	b->magic = AGENT_MAGIC;
}

/* The task's next call is recorded by the agent. */
static const char *task_enter(struct inproc *e, struct sup_task *t)
{
	struct inproc_task *it = inproc_of(t);
	struct arch_regs regs;
	struct agent_block b;

	block_fill(e, t, &b);
	if (tracee_regs_load(t->base.tid, &regs) < 0 || task_mem_write(t, b.self, &b, sizeof(b)) < 0)
		return "its memory may not be written";
	if (trap_arm(e, t, true) < 0)
		return "the kernel cannot dispatch the calls of a running program (before Linux 6.4)";
	regs.r.gs_base = b.self;
	tracee_regs_set(t->base.tid, &regs);
	it->mode = INPROC_ON;
	return NULL;
}

/* A thread of which nobody has told yet, of a process that is attached to. */
static struct inproc_task *stray_new(struct inproc *e, struct sup_task *t)
{
	struct inproc_task *it = NULL;

	for (struct tracee *o = t->base.group->first; o && !it; o = o->sibling) {
		const struct inproc_task *other = inproc_of((struct sup_task *)o);

		if (!other || !other->mm || !other->mm->attached)
			continue;
		it = t->hook = inproc_task_new(e);
		if (!it)
			break;
		it->mm = other->mm;
		it->mm->refs++;
	}
	return it;
}

bool attach_join(struct inproc *e, struct sup_task *t)
{
	struct inproc_task *it = inproc_of(t) ? inproc_of(t) : stray_new(e, t);
	const char *why = NULL;
	struct arch_regs regs;
	char text[128];
	int rc = 0;

	if (!it || !it->mm || !it->mm->attached || it->mm->off || it->mode != INPROC_OFF || t->let_go ||
	    e->sup.detaching || tracee_regs_load(t->base.tid, &regs) < 0)
		return true;
	why = thread_conflict(t, &regs);
	if (!why && !inproc_slot_get(e, it))
		why = "there is no slot left for it";
	if (!why && !it->mm->known)
		rc = agent_map(e, t);
	if (it->gone) {
		trap_gone(e, t);
		return false;
	}
	if (rc < 0) {
		snprintf(text, sizeof(text), "the agent could not be mapped: %s", strerror(-rc));
		why = text;
	}
	if (!why)
		why = task_enter(e, t);
	if (why)
		trap_fall_back(e, t, why);
	return true;
}

bool attach_complete(struct inproc *e, const struct inproc_mm *mm)
{
	struct tracee *o;
	size_t pos = 0;

	while ((o = task_next(&e->sup.tasks, &pos))) {
		const struct inproc_task *it = inproc_of((struct sup_task *)o);

		if (it && it->mm == mm && it->mode != INPROC_ON)
			return false;
	}
	return true;
}

/* ---- out ---- */

bool attach_in_agent(const struct inproc *e, const struct inproc_mm *mm, uint64_t ip)
{
	return mm->known && (ip - mm->image < e->arena->image_size || mm_stub_lookup(mm, ip));
}

static bool in_trap(const struct sup_task *t)
{
	siginfo_t info;

	return tracee_siginfo_load(t->base.tid, &info) == 0 && info.si_signo == SIGTRAP && info.si_code == TRAP_CODE;
}

static bool in_group_stop(const struct sup_task *t)
{
	siginfo_t info;

	return tracee_siginfo_load(t->base.tid, &info) == 0 && info.si_code >> 8 == PTRACE_EVENT_STOP;
}

static int memory_unmap(struct inproc *e, struct sup_task *t, struct inproc_mm *mm)
{
	const struct inproc_sites *s = mm->sites;
	struct remote r;
	int64_t rc;

	if (remote_open(t, &r, mm->insn) < 0)
		return -ESRCH;
	action_restore(t, &r);
	rc = REMOTE_RUN(t, &r, SYS_munmap, mm->image, e->arena->image_size);
	for (unsigned i = 0; rc == 0 && s && i < s->nareas; i++)
		if (s->areas[i].base - mm->image >= e->arena->image_size)
			rc = REMOTE_RUN(t, &r, SYS_munmap, s->areas[i].base, s->areas[i].size);
	if (rc == 0)
		rc = REMOTE_RUN(t, &r, SYS_munmap, mm->slots, arena_slots_size(e->arena));
	if (rc == 0)
		rc = REMOTE_RUN(t, &r, SYS_munmap, mm->rings, e->arena->rings_size);
	remote_close(t, &r);
	return (int)rc;
}

/* On to a trap, with the signal that is on its way. */
static void trap_again(struct sup_task *t, int sig)
{
	inproc_of(t)->again = true;
	t->interrupted = true;
	t->base.state = TRACEE_RUNNING;
	tracee_interrupt(t->base.tid);
	tracee_resume(t->base.tid, TRACEE_CONT, sig);
}

bool attach_end(struct inproc *e, struct sup_task *t, int sig)
{
	struct inproc_task *it = inproc_of(t);
	struct inproc_mm *mm = it->mm;
	int rc = -EBUSY;

	if (!mm || !mm->attached || !mm->known || mm->refs > 1)
		return true;
	if (!mm->pinned)
		mm_pads_restore(t);
	/* elsewhere than in a trap a signal or a restart would be lost; who is stopped by job control stays so */
	if (!mm->pinned && in_trap(t))
		rc = memory_unmap(e, t, mm);
	else if (!mm->pinned && !it->again && !in_group_stop(t)) {
		trap_again(t, sig);
		return false;
	}
	if (it->gone) {
		trap_gone(e, t);
		return false;
	}
	if (rc < 0)
		log_msg(e->sup.cfg.log, LOG_INFO, "pid %d: the agent's memory stays mapped, unused", (int)t->base.group->pid);
	return true;
}
