/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files whose call sites are known.  A site that trapped once is remembered by
 * its place in the file; when enough calls have trapped that a copy would have
 * saved, the file's code is copied into the agent's image with its known sites
 * patched, and every program that maps the file from then on maps the copy
 * over it (agent_module.c).  Stubs lie in what the last page of the code leaves
 * free, so one copy serves at any address.  Supervisor thread.
 *
 * A file is known by what fstat() tells, time of change included.  A copy is
 * made only of a file that has not changed for a while, so that a later
 * change cannot have the same time.  A copy is never changed: programs run
 * it.  A larger one takes its place in the table; places of sites and stubs
 * stay the same.
 */
#include "config.h"
#include "engine/inproc.h"
#include "engine/unwind_info.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define NR_RT_SIGRETURN 15
#define SITES_PER_FILE 512u
#define LENGTH_MAX (8u << 20)		/* of code that is copied */
#define TRAPS_PER_COPY 12u		/* about what a copy costs */
#define AT_REST_SECONDS 2
#define NEAR_BACK 96u
#define NEAR_AHEAD 64u
#define STUB_ALIGN 8u
#define PREPARED_MAX (2u << 20)		/* bytes of copies made before anything was met */

int files_init(struct inproc *e)
{
	e->files.files = calloc(AGENT_FILES_MAX, sizeof(*e->files.files));
	return e->files.files ? 0 : -ENOMEM;
}

void files_fini(struct inproc *e)
{
	for (unsigned i = 0; i < e->files.nfiles; i++) {
		free(e->files.files[i].path);
		free(e->files.files[i].sites);
	}
	free(e->files.files);
}

void files_id(struct agent_file_id *id, const struct stat *st)
{
	*id = (struct agent_file_id){
		.dev = st->st_dev, .ino = st->st_ino, .size = (uint64_t)st->st_size,
		.mtime = (uint64_t)st->st_mtim.tv_sec, .mtime_ns = (uint64_t)st->st_mtim.tv_nsec,
		.ctime = (uint64_t)st->st_ctim.tv_sec, .ctime_ns = (uint64_t)st->st_ctim.tv_nsec,
	};
}

uint64_t files_hash(const void *bytes, size_t n)
{
	uint64_t h = n, w;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		memcpy(&w, (const uint8_t *)bytes + i, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	return h;
}

struct inproc_file *files_lookup(struct inproc *e, const struct agent_file_id *id, uint64_t offset, uint64_t length)
{
	for (unsigned i = 0; i < e->files.nfiles; i++) {
		struct inproc_file *f = &e->files.files[i];

		if (!memcmp(&f->id, id, sizeof(*id)) && f->offset == offset && f->length == length)
			return f;
	}
	return NULL;
}

const struct inproc_copy *files_copy_lookup(const struct inproc *e, uint64_t at)
{
	for (unsigned i = 0; i < e->files.ncopies; i++)
		if (e->files.copies[i].at == at)
			return &e->files.copies[i];
	return NULL;
}

/* ---- what is known ---- */

/* The name of what t has mapped at this address; NULL: none that could be opened. */
static char *mapped_path(const struct sup_task *t, uint64_t at)
{
	char name[32], line[4352], *path = NULL;
	uint64_t from;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/maps", (int)t->base.tid);
	f = fopen(name, "re");
	while (f && !path && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-", &from) != 1 || from != at)
			continue;
		path = strchr(line, '/');
		if (!path)
			break;
		path[strcspn(path, "\n")] = '\0';
		path = strdup(path);
	}
	if (f)
		fclose(f);
	return path;
}

struct inproc_file *files_add(struct inproc *e, const struct agent_file_id *id, uint64_t offset, uint64_t length,
			      const char *path)
{
	struct inproc_file *f;

	if (!length || length > LENGTH_MAX || (length | offset) & (PAGE - 1) || offset > id->size ||
	    offset + length > id->size + PAGE)
		return NULL;
	if (e->files.nfiles == AGENT_FILES_MAX) {
		e->sup.stats[ENGINE_STAT_COPIES_REFUSED]++;
		return NULL;
	}
	f = &e->files.files[e->files.nfiles++];
	f->id = *id;
	f->offset = offset;
	f->length = length;
	f->path = path ? strdup(path) : NULL;
	f->refused = !f->path;
	return f;
}

static struct inproc_file *file_met(struct inproc *e, const struct sup_task *t, const struct agent_module *m)
{
	struct inproc_file *f;
	char *path;

	if (m->copy)
		return NULL;
	path = mapped_path(t, m->at);
	f = files_add(e, &m->id, m->offset, m->length, path);
	if (f)
		f->executed = inproc_of(t)->mm->text_base / PAGE == m->at / PAGE;
	free(path);
	return f;
}

static struct inproc_learnt *site_lookup(struct inproc_file *f, uint32_t at)
{
	for (unsigned i = 0; i < f->nsites; i++)
		if (f->sites[i].at == at)
			return &f->sites[i];
	return NULL;
}

static bool sites_grow(struct inproc_file *f)
{
	unsigned room = f->room ? f->room * 2 : 16;
	struct inproc_learnt *s;

	if (f->nsites < f->room)
		return true;
	s = room <= SITES_PER_FILE ? realloc(f->sites, room * sizeof(*s)) : NULL;
	if (!s)
		return false;
	f->sites = s;
	f->room = room;
	return true;
}

struct inproc_learnt *files_site_add(struct inproc *e, struct inproc_file *f, uint32_t at, uint16_t nr)
{
	struct inproc_learnt *s = site_lookup(f, at);

	if (s)
		return s;
	if (!sites_grow(f)) {
		e->sup.stats[ENGINE_STAT_COPIES_REFUSED]++;
		return NULL;
	}
	s = &f->sites[f->nsites++];
	*s = (struct inproc_learnt){ .at = at, .nr = nr };
	e->sup.stats[ENGINE_STAT_SITES_LEARNT]++;
	e->files.learnt++;
	return s;
}

/* ---- a copy ---- */

struct code {
	uint8_t *bytes;
	size_t n;
	int fd;			/* the file */
};

static ssize_t read_code(void *ctx, uint64_t addr, void *buf, size_t n)
{
	const struct code *c = ctx;

	if (addr >= c->n)
		return -EFAULT;
	if (n > c->n - addr)
		n = c->n - addr;
	memcpy(buf, c->bytes + addr, n);
	return (ssize_t)n;
}

/* Where the code ends in its last page and nothing but zeros follows: 0 or negative. */
static int stubs_find(struct inproc_file *f, int fd, const struct code *c)
{
	uint8_t head[PAGE];
	const Elf64_Ehdr *eh = (const void *)head;
	ssize_t n = pread(fd, head, sizeof(head), 0);
	uint64_t end = 0;

	if (n < (ssize_t)sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phoff > PAGE ||
	    eh->e_phoff + (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr) > (uint64_t)n)
		return -ENOEXEC;
	f->head_hash = files_hash(head, n < INPROC_HEAD ? (size_t)n : INPROC_HEAD);
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, head + eh->e_phoff + i * sizeof(ph), sizeof(ph));
		if (!end && ph.p_type == PT_LOAD && ph.p_flags & PF_X && (ph.p_offset & ~(uint64_t)(PAGE - 1)) == f->offset)
			end = ph.p_offset + ph.p_filesz - f->offset;
		if (end && !f->vaddr)
			f->vaddr = ph.p_vaddr - (ph.p_offset - f->offset);
	}
	if (!end || end > f->length || f->length - end >= PAGE)
		return -ENOEXEC;
	for (uint64_t i = end; i < f->length; i++)
		if (c->bytes[i])
			return -ENOEXEC;
	f->stubs_begin = f->stubs = (uint32_t)((end + STUB_ALIGN - 1) & ~(uint64_t)(STUB_ALIGN - 1));
	return 0;
}

/* Unwinders know a signal return by its bytes, but where the file tells them of it. */
static bool unwinds(const struct inproc_file *f, const struct inproc_learnt *s, const struct code *c)
{
	uint64_t bias = f->vaddr;

	return s->nr != NR_RT_SIGRETURN || unwind_info_covers(c->fd, bias + s->patch.at, bias + s->at + 2);
}

/* The site's patch, decided once: later copies have the same. */
static void site_plan(struct inproc *e, struct inproc_file *f, struct inproc_learnt *s, struct code *c)
{
	const struct mem_reader reader = { c, read_code };
	uint32_t from = s->at > NEAR_BACK ? s->at - NEAR_BACK : 0;
	size_t n = c->n - from < NEAR_BACK + NEAR_AHEAD ? c->n - from : NEAR_BACK + NEAR_AHEAD;
	const struct patch_code near = { c->bytes + from, n, from };

	s->planned = true;
	if (patch_choose(&near, s->at, s->nr, &s->patch) < 0 || !unwinds(f, s, c) ||
	    (s->patch.form == PATCH_AFTER && mm_branches_far(e, &reader, &near, &s->patch)) ||
	    patch_build(&near, &s->patch, f->stubs) < 0 || f->stubs + s->patch.stub_len > c->n) {
		s->patch.form = PATCH_NONE;
		return;
	}
	f->stubs += (s->patch.stub_len + STUB_ALIGN - 1u) & ~(STUB_ALIGN - 1u);
}

static void sites_apply(struct inproc *e, struct inproc_file *f, struct code *c)
{
	for (unsigned i = 0; i < f->nsites; i++) {
		struct inproc_learnt *s = &f->sites[i];

		if (!s->planned)
			site_plan(e, f, s, c);
		if (s->patch.form == PATCH_NONE)
			continue;
		memcpy(c->bytes + s->patch.stub_at, s->patch.stub, s->patch.stub_len);
		memcpy(c->bytes + s->patch.at, s->patch.jump, s->patch.len);
	}
}

static int code_load(const struct inproc_file *f, int fd, struct code *c)
{
	size_t n = 0;

	while (n < c->n) {
		ssize_t got = pread(fd, c->bytes + n, c->n - n, (off_t)(f->offset + n));

		if (got < 0)
			return -errno;
		if (!got)
			break;
		n += (size_t)got;
	}
	memset(c->bytes + n, 0, c->n - n);
	return 0;
}

/* The file that is meant, unchanged for a while: a descriptor, -EAGAIN for one that just changed. */
static int file_open(const struct inproc_file *f)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc = -ESTALE;
	struct agent_file_id id;
	struct timespec now;
	struct stat st;

	if (fd < 0)
		return -errno;
	clock_gettime(CLOCK_REALTIME, &now);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		files_id(&id, &st);
		rc = memcmp(&id, &f->id, sizeof(id)) ? -ESTALE :
		     now.tv_sec < st.st_ctim.tv_sec + AT_REST_SECONDS ? -EAGAIN : 0;
	}
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static void copy_tell(struct inproc *e, struct inproc_file *f, uint32_t at)
{
	struct agent_files *table = (struct agent_files *)(void *)(e->arena->image + e->arena->files_at);

	if (f->shared) {
		/* Pairs with the agent's acquire load. */
		atomic_store_explicit((_Atomic uint64_t *)&f->shared->copy, at, memory_order_release);
		return;
	}
	f->shared = &table->files[table->count];
	*f->shared = (struct agent_file){ .id = f->id, .offset = f->offset, .length = f->length, .copy = at };
	/* Pairs with the agent's acquire load. */
	atomic_store_explicit((_Atomic uint32_t *)&table->count, table->count + 1, memory_order_release);
}

static int copy_make(struct inproc *e, struct inproc_file *f)
{
	uint32_t at = e->arena->copies_at + e->files.used;
	struct code c = { e->arena->image + at, f->length, -1 };
	int fd, rc;

	if (f->length > e->arena->copies_end - at || e->files.ncopies == INPROC_COPIES)
		return -ENOSPC;
	fd = file_open(f);
	if (fd < 0)
		return fd;
	c.fd = fd;
#ifdef MADV_POPULATE_WRITE
	madvise(c.bytes, c.n, MADV_POPULATE_WRITE);	/* cheaper than page by page; no matter if not */
#endif
	rc = code_load(f, fd, &c);
	if (rc == 0 && !f->stubs)
		rc = stubs_find(f, fd, &c);
	if (rc == 0)
		sites_apply(e, f, &c);
	/* its pages stay in our mapping: they are memory of ours that programs share, and count as such */
	close(fd);
	if (rc < 0)
		return rc;
	e->files.used += (uint32_t)f->length;
	e->files.copies[e->files.ncopies++] =
		(struct inproc_copy){ at, (uint16_t)(f - e->files.files), (uint16_t)f->nsites };
	f->copied = f->nsites;
	copy_tell(e, f, at);
	return 0;
}

static int copy_try(struct inproc *e, struct inproc_file *f)
{
	int rc = copy_make(e, f);

	e->sup.stats[rc < 0 ? ENGINE_STAT_COPIES_REFUSED : ENGINE_STAT_COPIES]++;
	f->traps = 0;
	f->refused = rc < 0 && rc != -EAGAIN;
	log_msg(e->sup.cfg.log, LOG_DEBUG, "copy of '%s' with %u sites: %s", f->path, f->nsites,
		rc < 0 ? strerror(-rc) : "made");
	return rc;
}

void files_prepare(struct inproc *e, struct inproc_file *f)
{
	if (!f->cached || f->copied || f->refused)
		return;
	if (copy_try(e, f) == 0)
		e->sup.stats[ENGINE_STAT_CACHE_HITS]++;
	else
		f->cached = false;
}

/* Programs map libraries without asking: those that are known from former runs and have the most sites, which are what
 * most programs use, are there from the beginning.  The copy of a program is made at its exec. */
void files_prepare_some(struct inproc *e)
{
	uint64_t left = PREPARED_MAX;

	e->files.prepared = true;
	for (;;) {
		struct inproc_file *best = NULL;

		for (unsigned i = 0; i < e->files.nfiles; i++) {
			struct inproc_file *f = &e->files.files[i];

			if (f->cached && !f->executed && !f->copied && !f->refused && f->length <= left &&
			    (!best || f->nsites > best->nsites))
				best = f;
		}
		if (!best)
			return;
		left -= best->length;
		files_prepare(e, best);
	}
}

bool files_learn(struct inproc *e, struct sup_task *t, const struct agent_module *m, uint64_t at, uint64_t nr)
{
	struct inproc_file *f = files_lookup(e, &m->id, m->offset, m->length);
	struct inproc_learnt *s;

	if (!f)
		f = file_met(e, t, m);
	if (!f || f->refused || nr >= AGENT_NR_MAX)
		return false;
	s = files_site_add(e, f, (uint32_t)(at - m->at), (uint16_t)nr);
	files_prepare(e, f);
	/* in the copy already, or not to be patched: this program mapped the file earlier */
	if (s && s - f->sites >= f->copied && ++f->traps >= TRAPS_PER_COPY)
		copy_try(e, f);
	return s && s->planned && s->patch.form != PATCH_NONE;
}
