/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code of files that the program maps: where the tracer has a copy of such
 * code with its call sites patched, the copy goes where the code is, so that
 * the program's first calls need no stop.  Runs in the traced program, right
 * behind the mmap() that mapped the code and before anybody can run it.
 *
 * The copies lie in our own mapping of the image.  mremap() makes a second,
 * private mapping of them, over the first in one step, and needs neither a
 * descriptor nor a path.
 *
 * Every such mapping is noted in a table that the tracer reads, before it is
 * replaced: the tracer compares what it finds before it believes the table.
 */
#include "agent/agent.h"

#include <stdatomic.h>

#define SYS_FSTAT 5
#define SYS_MMAP 9
#define SYS_MREMAP 25
#define REMAP_OVER 7u			/* MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP */
#define PROT_READ_EXEC 5u
#define MAP_PRIVATE 2
#define MAP_FIXED 16
#define MAP_PLAIN 0x100812u		/* ... and MAP_FIXED, MAP_DENYWRITE, MAP_FIXED_NOREPLACE */
#define PAGE 4096u

/* struct stat of the kernel, x86-64 (asm/stat.h). */
struct kernel_stat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev, size, blksize, blocks;
	uint64_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
	uint64_t unused[3];
};

static struct agent_files *files_of(const struct agent_block *b)
{
	const struct agent_control *ctl = (const struct agent_control *)b->control;

	return ctl->files_at ? (struct agent_files *)(b->image + ctl->files_at) : 0;
}

static int same_id(const struct agent_file_id *a, const struct agent_file_id *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->size == b->size && a->mtime == b->mtime &&
	       a->mtime_ns == b->mtime_ns && a->ctime == b->ctime && a->ctime_ns == b->ctime_ns;
}

static uint64_t copy_of(struct agent_files *files, const struct agent_module *m)
{
	/* Pairs with the tracer's release of a file that is written whole. */
	uint32_t n = atomic_load_explicit((_Atomic uint32_t *)&files->count, memory_order_acquire);

	for (uint32_t i = 0; i < n && i < AGENT_FILES_MAX; i++) {
		struct agent_file *f = &files->files[i];

		if (same_id(&f->id, &m->id) && f->offset == m->offset && f->length == m->length)
			return atomic_load_explicit((_Atomic uint64_t *)&f->copy, memory_order_acquire);
	}
	return 0;
}

/* A free entry, or that of what lay there before. */
static struct agent_module *entry_get(struct agent_modules *t, const struct agent_module *m)
{
	uint32_t n = atomic_load_explicit((_Atomic uint32_t *)&t->count, memory_order_relaxed);

	for (uint32_t i = 0; i < n && i < AGENT_MODULES_MAX; i++) {
		struct agent_module *old = &t->modules[i];

		if (m->at < old->at + old->length && old->at < m->at + m->length)
			return old;
	}
	n = n < AGENT_MODULES_MAX ? atomic_fetch_add_explicit((_Atomic uint32_t *)&t->count, 1, memory_order_relaxed) : n;
	if (n < AGENT_MODULES_MAX)
		return &t->modules[n];
	atomic_fetch_add_explicit((_Atomic uint32_t *)&t->refused, 1, memory_order_relaxed);
	return 0;
}

long agent_module_add(struct agent_block *b, const struct agent_module *m)
{
	struct agent_files *files = files_of(b);
	struct agent_module *e;

	if (!files || !b->modules)
		return 0;
	e = entry_get((struct agent_modules *)b->modules, m);
	if (!e)
		return 0;
	atomic_store_explicit((_Atomic uint64_t *)&e->at, 0, memory_order_relaxed);
	e->length = m->length;
	e->offset = m->offset;
	e->id = m->id;
	e->copy = copy_of(files, m);
	atomic_store_explicit((_Atomic uint64_t *)&e->at, m->at, memory_order_release);
	if (!e->copy)
		return 0;
	return agent_syscall(SYS_MREMAP, (long)(b->image + e->copy), (long)m->length, (long)m->length, REMAP_OVER,
			     (long)m->at, 0);
}

void agent_module_set_linker(struct agent_block *b, const struct agent_module *m)
{
	struct agent_modules *t = (struct agent_modules *)b->modules;

	if (!t)
		return;
	t->linker = m->at;
	t->linker_length = m->length;
}

/* The dynamic linker maps code for nothing but to be run.  An emulator (valgrind, qemu) maps it in the same way,
 * reads it, and finds a register in our jumps that is not the emulated one. */
static int by_linker(const struct agent_block *b)
{
	const struct agent_modules *t = (const struct agent_modules *)b->modules;

	return t && b->ip - t->linker <= t->linker_length && t->linker_length;
}

/* mmap() has returned. */
void agent_module_map(struct agent_block *b)
{
	struct agent_module m = { .at = b->rax, .length = (b->rsi + PAGE - 1) & ~(uint64_t)(PAGE - 1), .offset = b->r9 };
	struct kernel_stat st;

	if (b->rdx != PROT_READ_EXEC || !(b->r10 & MAP_PRIVATE) || b->r10 & ~(uint64_t)MAP_PLAIN ||
	    !by_linker(b) || (int64_t)m.at <= 0 || (int32_t)b->r8 < 0 || agent_syscall(SYS_FSTAT, (long)b->r8, (long)&st, 0, 0, 0, 0) < 0)
		return;
	m.id = (struct agent_file_id){ st.dev, st.ino, st.size, st.mtime, st.mtime_ns, st.ctime, st.ctime_ns };
	/* should it have failed behind its point of no return: the file itself again */
	if (agent_module_add(b, &m) < 0)
		agent_syscall(SYS_MMAP, (long)m.at, (long)m.length, PROT_READ_EXEC, MAP_PRIVATE | MAP_FIXED, (long)b->r8,
			      (long)m.offset);
}
