/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First thing that a new program image runs: maps slots and rings, fills in
 * the block of its only task, arms the dispatch.  Runs in the traced program
 * before its own first instruction, on the still unused part of its stack.  A
 * negative result ends in a trap that only the tracer sees; the program is
 * then traced by stops.
 */
#include "agent/agent.h"

#define SYS_OPEN 2
#define SYS_CLOSE 3
#define SYS_FSTAT 5
#define SYS_MMAP 9
#define SYS_MUNMAP 11
#define SYS_MADVISE 28
#define SYS_PRCTL 157
#define SYS_ARCH_PRCTL 158
#define ARCH_SET_GS 0x1001
#define PROT_RW 3
#define MAP_SHARED 1
#define MAP_ANON_PRIVATE_NORESERVE 0x4022
#define O_RDWR_CLOEXEC 02000002
#define MADV_DONTDUMP 16
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#define ERR_STALE (-116)
#define PR_GET_TSC 25
#define PR_TSC_SIGSEGV 2
#define AT_HWCAP2 26
#define HWCAP2_FSGSBASE 2u	/* arch/x86/include/uapi/asm/hwcap2.h */

/* Libraries are mapped right below the latest mapping, and have to be in reach of a jump to the
 * stubs, which are in the image: so what is large goes elsewhere, where that is free. */
#define OUT_OF_THE_WAY 0x1000000000	/* 64 GiB */

static long check_rings(const struct agent_boot *boot, long fd)
{
	uint64_t st[AGENT_STAT_SIZE / sizeof(uint64_t)];
	long rc = agent_syscall(SYS_FSTAT, fd, (long)st, 0, 0, 0, 0);

	return rc < 0 ? rc : st[0] == boot->dev && st[1] == boot->rings_ino ? 0 : ERR_STALE;
}

static long map_rings(const struct agent_boot *boot, uint64_t hint)
{
	long fd = agent_syscall(SYS_OPEN, (long)boot->rings_path, O_RDWR_CLOEXEC, 0, 0, 0, 0);
	long at;

	if (fd < 0)
		return fd;
	at = check_rings(boot, fd);
	if (at == 0)
		at = agent_syscall(SYS_MMAP, (long)hint, (long)boot->rings_size, PROT_RW, MAP_SHARED, fd, 0);
	agent_syscall(SYS_CLOSE, fd, 0, 0, 0, 0, 0);
	return at;
}

/* A core of the program has what is the program's: the kernel would make every page of ours to write it. */
static void keep_from_cores(uint64_t at, uint64_t size)
{
	agent_syscall(SYS_MADVISE, (long)at, (long)size, MADV_DONTDUMP, 0, 0, 0);
}

static struct agent_block *block_init(const struct agent_boot *boot, uint64_t slots, uint64_t rings)
{
	struct agent_block *b =
		(struct agent_block *)(slots + (uint64_t)boot->slot * AGENT_SLOT_SIZE + AGENT_BLOCK_AT);

	b->entry = (uint64_t)agent_entry;
	b->stack = (uint64_t)b;
	b->self = (uint64_t)b;
	b->head = boot->head;
	b->tail = boot->tail;
	b->ring = rings + boot->slot * boot->ring_stride;
	b->ring_size = boot->ring_size;
	b->image = (uint64_t)agent_text_begin;
	b->slots = slots;
	b->rings = rings;
	b->control = (uint64_t)agent_control_begin;
	b->tid = boot->tid;
	b->slot = boot->slot;
	b->modules = (uint64_t)b - AGENT_BLOCK_AT + AGENT_MODULES_AT;
	b->magic = AGENT_MAGIC;
	return b;
}

/* gs is ours.  Who would set it by an instruction, which nobody sees, has to look first whether the kernel lets
 * him (Documentation/arch/x86/x86_64/fsgs.rst); the call that he makes otherwise is seen. */
static void hide_fsgsbase(uint64_t sp)
{
	uint64_t *p = (uint64_t *)sp;

	for (p += 1 + *p + 1; *p; p++)
		;
	for (p++; *p; p += 2)
		if (*p == AT_HWCAP2)
			p[1] &= ~(uint64_t)HWCAP2_FSGSBASE;
}

/* The parent may have forbidden it (PR_SET_TSC), which an exec does not change. */
static int may_read_clock(void)
{
	const struct agent_control *ctl = (const struct agent_control *)agent_control_begin;
	int32_t mode = 0;

	return ctl->clock != TRACER_CLOCK_TSC || agent_syscall(SYS_PRCTL, PR_GET_TSC, (long)&mode, 0, 0, 0, 0) < 0 ||
	       mode != PR_TSC_SIGSEGV;
}

static long begin(const struct agent_boot *boot, uint64_t slots, uint64_t rings)
{
	struct agent_block *b;
	long rc;

	if (!may_read_clock())
		return -AGENT_ERR_CLOCK;
	keep_from_cores((uint64_t)agent_text_begin, boot->image_size);
	keep_from_cores(slots, boot->slots_size);
	keep_from_cores(rings, boot->rings_size);
	b = block_init(boot, slots, rings);
	rc = agent_syscall(SYS_ARCH_PRCTL, ARCH_SET_GS, (long)b, 0, 0, 0, 0);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < 2 && rc >= 0; i++)
		if (boot->modules[i].length)
			rc = agent_module_add(b, &boot->modules[i]);
	if (rc < 0)
		return rc;
	agent_module_set_linker(b, &boot->modules[1]);
	return agent_syscall(SYS_PRCTL, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, (long)agent_text_begin,
			     agent_text_end - agent_text_begin, 0, 0);
}

long agent_boot_run(const struct agent_boot *boot, int image_fd, uint64_t here)
{
	uint64_t hint = ((uint64_t)agent_text_begin - OUT_OF_THE_WAY) & ~(uint64_t)4095;
	long slots, rings, rc;

	(void)here;
	agent_syscall(SYS_CLOSE, image_fd, 0, 0, 0, 0, 0);
	slots = agent_syscall(SYS_MMAP, (long)(hint + boot->rings_size), (long)boot->slots_size, PROT_RW,
			      MAP_ANON_PRIVATE_NORESERVE, -1, 0);
	if (slots < 0)
		return slots;
	rings = map_rings(boot, hint);
	rc = rings < 0 ? rings : begin(boot, (uint64_t)slots, (uint64_t)rings);
	if (rc >= 0)
		hide_fsgsbase(boot->sp);
	/* the program gets its memory back as it was; the tracer unmaps the image */
	if (rc < 0)
		agent_syscall(SYS_MUNMAP, slots, (long)boot->slots_size, 0, 0, 0, 0);
	if (rc < 0 && rings > 0)
		agent_syscall(SYS_MUNMAP, rings, (long)boot->rings_size, 0, 0, 0, 0);
	return rc;
}
