/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent goes into a new program, at its exec event and without another
 * stop: a loader of some eighty bytes is written to the unused end of the
 * vDSO's last page (private memory of the program once it is written; nothing
 * has to be put back), it maps the image and jumps to agent_boot, which maps
 * the rest and goes on where the kernel had meant to.  What fails ends in a
 * trap, and the program is traced by stops.  Supervisor thread.
 */
#include "config.h"
#include "engine/inproc.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u
#define BOOT_BELOW 4096u	/* bytes below the new stack pointer: nobody has been there */
#define BOOT_STACK 16384u	/* what the agent's beginning can use below that */
#define USER_CS 0x33

/*
 * open(rdi, esi); fstat(the descriptor, r15), which has to tell device rbx and
 * inode rbp: nothing else is executed; mmap(NULL, r12, edx, r10, the descriptor,
 * r9); jump to the mapping + r14 with the descriptor in r8d, which is -1 before.
 * rax cannot be set at an exec event (the result of execve goes there), so the
 * numbers are loaded here.
 */
#define LOADER_SYSCALL 3u	/* offset of its first system call instruction */
static const uint8_t loader[] = {
	0x6a, 0x02, 0x58,	/* push $2; pop %rax */
	0x0f, 0x05,		/* syscall */
	0x85, 0xc0,		/* test %eax,%eax */
	0x78, 0x33,		/* js failed */
	0x41, 0x89, 0xc0,	/* mov %eax,%r8d */
	0x89, 0xc7,		/* mov %eax,%edi */
	0x4c, 0x89, 0xfe,	/* mov %r15,%rsi */
	0x6a, 0x05, 0x58,	/* push $5; pop %rax */
	0x0f, 0x05,		/* syscall */
	0x85, 0xc0,		/* test %eax,%eax */
	0x78, 0x22,		/* js failed */
	0x6a, 0x8c, 0x58,	/* push $-ESTALE; pop %rax */
	0x49, 0x3b, 0x1f,	/* cmp (%r15),%rbx */
	0x75, 0x1a,		/* jne failed */
	0x49, 0x3b, 0x6f, 0x08,	/* cmp 8(%r15),%rbp */
	0x75, 0x14,		/* jne failed */
	0x31, 0xff,		/* xor %edi,%edi */
	0x4c, 0x89, 0xe6,	/* mov %r12,%rsi */
	0x6a, 0x09, 0x58,	/* push $9; pop %rax */
	0x0f, 0x05,		/* syscall */
	0x48, 0x85, 0xc0,	/* test %rax,%rax */
	0x78, 0x05,		/* js failed */
	0x4c, 0x01, 0xf0,	/* add %r14,%rax */
	0xff, 0xe0,		/* jmp *%rax */
	0xcc			/* failed: int3 */
};

/* Our own vDSO is the same file as everybody's: where its last page ends in zeros. */
uint32_t boot_vdso_room(void)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *eh = (const void *)vdso;
	uint64_t end, room;

	if (!vdso || memcmp(eh->e_ident, ELFMAG, SELFMAG))
		return 0;
	end = eh->e_shoff + (uint64_t)eh->e_shnum * eh->e_shentsize;
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		const Elf64_Phdr *ph = (const void *)(vdso + eh->e_phoff + i * (uint64_t)eh->e_phentsize);

		if (ph->p_type == PT_LOAD && ph->p_offset + ph->p_filesz > end)
			end = ph->p_offset + ph->p_filesz;
	}
	room = (end + 15) & ~15ull;
	if ((room & (PAGE - 1)) + sizeof(loader) > PAGE || !(room & (PAGE - 1)))
		return 0;
	for (uint64_t i = end; i < room + sizeof(loader); i++)
		if (vdso[i])
			return 0;
	return (uint32_t)room;
}

/* The vector behind arguments and environment on the new stack. */
static bool auxv_load(struct sup_task *t, uint64_t sp, struct inproc_auxv *out)
{
	uint64_t words[512], n = 0, at = 0;
	unsigned nulls = 0;
	bool first = true;

	memset(out, 0, sizeof(*out));
	for (unsigned chunk = 0; chunk < 4096; chunk++) {
		ssize_t got = mem_read(&t->base.group->mem, sp, words, sizeof(words));

		if (got < 16)
			return false;
		n = (uint64_t)got / 8;
		for (at = first; nulls < 2 && at < n; at++)
			nulls += words[at] == 0;
		first = false;
		for (; nulls == 2 && at + 1 < n; at += 2) {
			if (words[at] == AT_NULL)
				return out->vdso != 0;
			if (words[at] == AT_SYSINFO_EHDR)
				out->vdso = words[at + 1];
			if (words[at] == AT_PHDR)
				out->phdr = words[at + 1];
			if (words[at] == AT_PHNUM)
				out->phnum = words[at + 1];
			if (words[at] == AT_BASE)
				out->base = words[at + 1];
		}
		sp += at * 8;
	}
	return false;
}

static void boot_fill(const struct inproc *e, const struct sup_task *t, struct agent_boot *boot,
		      const struct arch_regs *regs)
{
	const struct inproc_arena *a = e->arena;
	const struct inproc_task *it = inproc_of(t);

	memset(boot, 0, sizeof(*boot));
	boot->entry = regs->r.rip;
	boot->sp = regs->r.rsp;
	boot->image_size = a->image_size;
	boot->slots_size = (uint64_t)a->nslots * AGENT_SLOT_SIZE;
	boot->rings_size = a->rings_size;
	boot->ring_stride = a->ring_stride;
	boot->ring_size = a->ring_size;
	boot->head = arena_ring(a, it->slot)->head;
	boot->tail = __atomic_load_n(&arena_ring(a, it->slot)->tail, __ATOMIC_ACQUIRE);
	boot->dev = a->dev;
	boot->image_ino = a->image_ino;
	boot->rings_ino = a->rings_ino;
	boot->slot = it->slot;
	boot->tid = t->base.tid;
	snprintf(boot->image_path, sizeof(boot->image_path), "/proc/%d/fd/%d", (int)getpid(), a->image_fd);
	snprintf(boot->rings_path, sizeof(boot->rings_path), "/proc/%d/fd/%d", (int)getpid(), a->rings_fd);
}

/* What the program will find by the path: its /proc may be another one, or none. */
static bool path_leads_here(const struct inproc *e, const struct sup_task *t)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/root/proc/%d/fd/%d", (int)t->base.tid, (int)getpid(), e->arena->image_fd);
	return stat(path, &st) == 0 && st.st_dev == e->arena->dev && st.st_ino == e->arena->image_ino;
}

static int loader_start(struct inproc *e, struct sup_task *t, struct arch_regs *regs, const struct inproc_auxv *av)
{
	uint64_t at = (regs->r.rsp - BOOT_BELOW) & ~(uint64_t)15, code = av->vdso + e->vdso_room;
	struct agent_boot boot;
	int rc;

	boot_fill(e, t, &boot, regs);
	module_boot(e, t, av, boot.modules);
	rc = task_mem_write(t, at, &boot, sizeof(boot));
	if (rc == 0)
		rc = mem_write(&t->base.group->mem, code, loader, sizeof(loader));
	if (rc < 0)
		return rc;
	regs->r.rip = code;
	regs->r.rdi = at + offsetof(struct agent_boot, image_path);
	regs->r.rsi = O_RDONLY | O_CLOEXEC;
	regs->r.rdx = PROT_READ | PROT_EXEC;
	regs->r.r10 = MAP_PRIVATE;
	regs->r.r8 = (unsigned long long)-1ll;
	regs->r.r9 = 0;
	regs->r.rbx = boot.dev;
	regs->r.rbp = boot.image_ino;
	regs->r.r12 = e->arena->image_size;
	regs->r.r13 = at;
	regs->r.r14 = agent_image.boot;
	regs->r.r15 = at + offsetof(struct agent_boot, stat);
	return tracee_regs_set(t->base.tid, regs);
}

bool boot_start(struct inproc *e, struct sup_task *t, const char **why)
{
	struct inproc_task *it = inproc_of(t);
	struct arch_regs regs;
	struct inproc_auxv av;

	*why = NULL;
	if (tracee_regs_load(t->base.tid, &regs) < 0)
		return false;
	if (regs.r.cs != USER_CS) {
		*why = "it is a 32-bit program";
		return false;
	}
	if (!e->vdso_room || !auxv_load(t, regs.r.rsp, &av)) {
		*why = t->base.group->mem.fd < 0 ? "its memory may not be read" : "it has no vDSO with room for the loader";
		return false;
	}
	if (!path_leads_here(e, t)) {
		*why = "its /proc does not show the tracer (another PID namespace, or none mounted)";
		return false;
	}
	it->entry = regs.r.rip;
	it->sp = regs.r.rsp;
	it->loader = av.vdso + e->vdso_room;
	if (loader_start(e, t, &regs, &av) < 0) {
		*why = "its memory may not be written";
		return false;
	}
	it->mode = INPROC_BOOTING;
	e->sup.stats[ENGINE_STAT_INJECTIONS]++;
	return true;
}

/* The program begins where the kernel had meant it to. */
static void program_start(const struct inproc_task *it, struct arch_regs *regs)
{
	regs->r.rip = it->entry;
	regs->r.rsp = it->sp;
	regs->r.rax = regs->r.rbx = regs->r.rcx = regs->r.rdx = regs->r.rsi = regs->r.rdi = regs->r.rbp = 0;
	regs->r.r8 = regs->r.r9 = regs->r.r10 = regs->r.r11 = regs->r.r12 = regs->r.r13 = regs->r.r14 = regs->r.r15 = 0;
	regs->r.orig_rax = (unsigned long long)-1ll;
}

/* In the loader, or in the agent's own beginning, which runs on the program's stack. */
static bool booting(const struct inproc_task *it, const struct arch_regs *regs)
{
	uint64_t at = regs->r.rip - it->mm->image;

	if (!regs->r.gs_base)
		return true;
	return it->mm->known && at >= agent_image.child && at < agent_image.text_size && it->sp - regs->r.rsp < BOOT_STACK;
}

void boot_settle(struct inproc *e, struct sup_task *t)
{
	struct inproc_task *it = inproc_of(t);
	struct arch_regs regs;

	if (it->mode != INPROC_BOOTING || tracee_regs_load(t->base.tid, &regs) < 0)
		return;
	trap_learn(e, t, regs.r.gs_base);
	if (!booting(it, &regs))
		return;
	program_start(it, &regs);
	tracee_regs_set(t->base.tid, &regs);
}

/* What the loader has opened or mapped goes.  The task may be dead then (gone). */
static void loader_undo(const struct inproc *e, struct sup_task *t, const struct arch_regs *regs)
{
	const struct inproc_task *it = inproc_of(t);
	uint64_t at = it->loader + LOADER_SYSCALL, behind = regs->r.rip - it->loader;
	const uint64_t fd[6] = { regs->r.r8 };
	const uint64_t image[6] = { regs->r.rip - 1 - agent_image.boot_failed, e->arena->image_size };

	if (behind > sizeof(loader))
		remote_call(t, at, SYS_munmap, image);
	else if ((int32_t)regs->r.r8 >= 0)
		remote_call(t, at, SYS_close, fd);
}

bool boot_failed(struct inproc *e, struct sup_task *t, struct arch_regs *regs)
{
	struct inproc_task *it = inproc_of(t);
	int64_t err = (int64_t)regs->r.rax;
	char why[96];

	if (err >= 0 || err < -4095)
		return false;
	loader_undo(e, t, regs);
	if (it->gone)
		return true;
	if (err == -AGENT_ERR_CLOCK)
		snprintf(why, sizeof(why), "it must not read the clock (PR_SET_TSC)");
	else
		snprintf(why, sizeof(why), "the agent could not be mapped: %s", strerror((int)-err));
	program_start(it, regs);
	regs->r.gs_base = 0;
	tracee_regs_set(t->base.tid, regs);
	it->mode = INPROC_OFF;
	trap_fall_back(e, t, why);
	return true;
}
