/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells which file the program has just mapped to run code of it: name,
 * identity, ELF class and build-id, as the tracer does where it stands beside
 * the call (engine/sup_maps.c).  Runs in the traced program, on the agent's
 * stack, between the end of the mmap() and its commit: both records become
 * visible at once, and a signal that comes in between finds the call pending
 * and leaves the telling to the tracer.
 *
 * The record lies behind that of the call, in the room that was reserved for
 * both: at its own place of the ring, which may be the ring's beginning.
 *
 * A file is anything: every offset is checked, little is read, and only by
 * pread(), which cannot fault.
 */
#include "agent/agent.h"

#include <elf.h>
#include <stdatomic.h>

#define SYS_FSTAT 5
#define SYS_PREAD64 17
#define SYS_READLINK 89
#define PROT_EXEC 4
#define MAP_ANONYMOUS 32
#define S_IFMT 0170000
#define S_IFREG 0100000
#define PATH_SIZE 4096u
#define HEAD_SIZE 1024u		/* of the file: its head, and the table of segments in all but odd files */
#define NOTES_SIZE 512u		/* of a segment of notes */
#define PHDRS_MAX 64u
#define BUILD_ID_MAX 20u

_Static_assert(AGENT_MAP_BOUND == sizeof(struct tracer_ev_map) + PATH_SIZE, "room for a record");

/* struct stat of the kernel, x86-64 (asm/stat.h). */
struct kernel_stat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev, size, blksize, blocks;
	uint64_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
	uint64_t unused[3];
};

/* A file and what was read of its beginning. */
struct reading { int fd; uint64_t n; uint8_t head[HEAD_SIZE]; };

struct segment { uint64_t offset, size; uint32_t align; };

static int file_read(const struct reading *r, uint64_t at, void *to, uint64_t n)
{
	if (at <= r->n && n <= r->n - at) {
		agent_copy_bytes(to, r->head + at, n);
		return 1;
	}
	return (int64_t)at >= 0 && agent_syscall(SYS_PREAD64, r->fd, (long)to, (long)n, (long)at, 0, 0) == (long)n;
}

static uint64_t file_read_some(const struct reading *r, uint64_t at, uint8_t *to, uint64_t n)
{
	long got = (int64_t)at >= 0 ? agent_syscall(SYS_PREAD64, r->fd, (long)to, (long)n, (long)at, 0, 0) : -1;

	return got > 0 ? (uint64_t)got : 0;
}

/* 1 where a segment is one of notes. */
static int segment64_load(const struct reading *r, unsigned i, struct segment *out)
{
	const Elf64_Ehdr *eh = (const void *)r->head;
	Elf64_Phdr ph;

	if (r->n < sizeof(*eh) || i >= eh->e_phnum || eh->e_phentsize != sizeof(ph))
		return -1;
	if (!file_read(r, eh->e_phoff + i * sizeof(ph), &ph, sizeof(ph)))
		return -1;
	*out = (struct segment){ ph.p_offset, ph.p_filesz, ph.p_align == 8 ? 8 : 4 };
	return ph.p_type == PT_NOTE;
}

static int segment32_load(const struct reading *r, unsigned i, struct segment *out)
{
	const Elf32_Ehdr *eh = (const void *)r->head;
	Elf32_Phdr ph;

	if (r->n < sizeof(*eh) || i >= eh->e_phnum || eh->e_phentsize != sizeof(ph))
		return -1;
	if (!file_read(r, (uint64_t)eh->e_phoff + i * sizeof(ph), &ph, sizeof(ph)))
		return -1;
	*out = (struct segment){ ph.p_offset, ph.p_filesz, ph.p_align == 8 ? 8 : 4 };
	return ph.p_type == PT_NOTE;
}

static uint64_t aligned(uint64_t n, uint32_t align)
{
	return (n + align - 1) & ~(uint64_t)(align - 1);
}

/* Looks for the note of a build-id; 1 where it is there. */
static int notes_look(const struct reading *r, const struct segment *seg, struct tracer_ev_map *m)
{
	uint8_t notes[NOTES_SIZE];
	uint64_t n = file_read_some(r, seg->offset, notes, seg->size < NOTES_SIZE ? seg->size : NOTES_SIZE), at = 0;

	while (at + sizeof(Elf64_Nhdr) <= n) {
		const Elf64_Nhdr *nh = (const void *)(notes + at);
		uint64_t desc = at + aligned(sizeof(*nh) + nh->n_namesz, seg->align);
		uint32_t len = nh->n_descsz < BUILD_ID_MAX ? nh->n_descsz : BUILD_ID_MAX;

		if (nh->n_type == NT_GNU_BUILD_ID && nh->n_namesz == 4 && len && desc + len <= n &&
		    *(const uint32_t *)(notes + at + sizeof(*nh)) == 0x00554e47) {	/* "GNU" */
			m->build_id_len = (uint8_t)len;
			agent_copy_bytes(m->build_id, notes + desc, len);
			return 1;
		}
		at = aligned(desc + nh->n_descsz, seg->align);
	}
	return 0;
}

static void elf_look(int fd, struct tracer_ev_map *m)
{
	struct segment seg;
	struct reading r;
	int64_t n;

	r.fd = fd;
	n = agent_syscall(SYS_PREAD64, fd, (long)r.head, HEAD_SIZE, 0, 0, 0);
	r.n = n > 0 ? (uint64_t)n : 0;
	if (r.n < sizeof(Elf32_Ehdr) || *(const uint32_t *)(const void *)r.head != 0x464c457f ||
	    (r.head[EI_CLASS] != ELFCLASS32 && r.head[EI_CLASS] != ELFCLASS64) || r.head[EI_DATA] != ELFDATA2LSB)
		return;
	m->elf_class = r.head[EI_CLASS];
	for (unsigned i = 0; i < PHDRS_MAX; i++) {
		int note = m->elf_class == ELFCLASS64 ? segment64_load(&r, i, &seg) : segment32_load(&r, i, &seg);

		if (note < 0 || (note && notes_look(&r, &seg, m)))
			return;
	}
}

static uint32_t path_load(int fd, char *to)
{
	char name[40];
	static const char prefix[] = "/proc/thread-self/fd/";
	unsigned at = sizeof(prefix) - 1, digits = 1;
	long n;

	agent_copy_bytes(name, prefix, at);
	for (int v = fd; v >= 10; v /= 10)
		digits++;
	for (unsigned i = digits; i; i--, fd /= 10)
		name[at + i - 1] = (char)('0' + fd % 10);
	name[at + digits] = 0;
	n = agent_syscall(SYS_READLINK, (long)name, (long)to, PATH_SIZE, 0, 0, 0);
	return n > 0 ? (uint32_t)n : 0;
}

uint32_t agent_map_write(struct agent_block *b)
{
	const struct tracer_ev_call *call = (const struct tracer_ev_call *)b->cur;
	uint64_t pos = b->pos + b->size;
	struct tracer_ev_map *m =
		(struct tracer_ev_map *)(b->ring + sizeof(struct ring_header) + (pos & (b->ring_size - 1)));
	struct kernel_stat st;
	int fd = (int)b->r8;
	uint32_t size;

	if (!(b->rdx & PROT_EXEC) || b->r10 & MAP_ANONYMOUS || fd < 0 || (call->ret < 0 && call->ret >= -4095))
		return 0;
	m->head.tid = b->tid;
	m->head.time = call->head.time;
	m->addr = (uint64_t)call->ret;
	m->len = b->rsi;
	m->offset = b->r9;
	if (agent_syscall(SYS_FSTAT, fd, (long)&st, 0, 0, 0, 0) == 0) {
		m->dev = st.dev;
		m->ino = st.ino;
		m->mtime_ns = st.mtime * 1000000000u + st.mtime_ns;
		if ((st.mode & S_IFMT) == S_IFREG)
			elf_look(fd, m);
	}
	m->path_len = path_load(fd, m->text);
	size = TRACER_ALIGN8((uint32_t)sizeof(*m) + m->path_len);
	*(uint64_t *)m = size | (uint64_t)TRACER_EV_MAP << 32 | (uint64_t)TRACER_ABI_X86_64 << 40 |
			 (uint64_t)TRACER_EVF_INPROC << 48;
	return size;
}
