/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code of files in an address space: what the agent has noted there, and what
 * it is told at the exec about what the kernel has mapped.  Where a patched
 * copy lies, its sites become sites of the address space (inproc_mm.c) when
 * one of them is met, or all is to be put back.  The notes are the program's
 * own memory: they are believed as far as the bytes in place agree.
 * Supervisor thread.
 */
#include "config.h"
#include "engine/inproc.h"
#include <elf.h>
#include <stdio.h>
#include <string.h>

#define PAGE 4096u
#define PHDRS_MAX 32u
#define INTERP_MAX 256u
#define FLOOR(x) ((x) & ~(uint64_t)(PAGE - 1))
#define ROUND(x) FLOOR((x) + PAGE - 1)

/* ---- what was noted ---- */

static unsigned modules_read(struct sup_task *t, struct agent_modules *out)
{
	const struct inproc_mm *mm = inproc_of(t)->mm;

	if (!mm->known || !mm->modules ||
	    mem_read(&t->base.group->mem, mm->modules, out, sizeof(*out)) != sizeof(*out))
		return 0;
	return out->count < AGENT_MODULES_MAX ? out->count : AGENT_MODULES_MAX;
}

static bool sane(const struct agent_module *m)
{
	return m->at && !(m->at & (PAGE - 1)) && m->length && !(m->length & (PAGE - 1)) && m->at + m->length > m->at;
}

bool module_lookup(struct inproc *e, struct sup_task *t, uint64_t ip, struct agent_module *out)
{
	struct agent_modules all;
	unsigned n = modules_read(t, &all);

	(void)e;
	for (unsigned i = 0; i < n; i++)
		if (sane(&all.modules[i]) && ip - all.modules[i].at < all.modules[i].length) {
			*out = all.modules[i];
			return true;
		}
	return false;
}

/* The copy's stubs are where the program says that the copy is. */
static bool in_place(struct inproc *e, struct sup_task *t, const struct agent_module *m, const struct inproc_file *f)
{
	uint8_t now[PAGE];
	size_t n = f->length - f->stubs_begin;

	return n && n <= sizeof(now) &&
	       mem_read(&t->base.group->mem, m->at + f->stubs_begin, now, n) == (ssize_t)n &&
	       !memcmp(now, e->arena->image + m->copy + f->stubs_begin, n);
}

static bool copy_sites_load(struct inproc *e, struct sup_task *t, const struct agent_module *m)
{
	const struct inproc_copy *c = m->copy ? files_copy_lookup(e, m->copy) : NULL;
	const struct inproc_file *f = c ? &e->files.files[c->file] : NULL;

	if (!f || m->length != f->length || !in_place(e, t, m, f))
		return false;
	for (unsigned i = 0; i < c->nsites; i++) {
		struct patch p = f->sites[i].patch;

		if (p.form == PATCH_NONE)
			continue;
		p.site += m->at;
		p.at += m->at;
		p.stub_at += m->at;
		p.cont += m->at;
		if (!mm_site_known(inproc_of(t)->mm, &p))
			return false;
	}
	return true;
}

bool module_stub_load(struct inproc *e, struct sup_task *t, uint64_t ip)
{
	const struct inproc_copy *c;
	struct agent_module m;

	if (!e->files.ncopies || !module_lookup(e, t, ip, &m) || !m.copy)
		return false;
	c = files_copy_lookup(e, m.copy);
	return c && ip - m.at >= e->files.files[c->file].stubs_begin && copy_sites_load(e, t, &m);
}

bool module_site_met(struct inproc *e, struct sup_task *t, uint64_t at, uint64_t nr)
{
	struct agent_module m;

	if (!module_lookup(e, t, at, &m))
		return false;
	if (m.copy)
		copy_sites_load(e, t, &m);
	return mm_site_lookup(inproc_of(t)->mm, at) || files_learn(e, t, &m, at, nr);
}

void module_sites_load_all(struct inproc *e, struct sup_task *t)
{
	struct agent_modules all;
	unsigned n = e->files.ncopies ? modules_read(t, &all) : 0;

	for (unsigned i = 0; i < n; i++)
		if (sane(&all.modules[i]))
			copy_sites_load(e, t, &all.modules[i]);
}

/* ---- at the exec ---- */

/* The executable segment of a file that is loaded with this bias. */
static bool text_of(const Elf64_Phdr *ph, unsigned n, uint64_t bias, struct agent_module *m)
{
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++) {
		if (ph[i].p_type != PT_LOAD || !(ph[i].p_flags & PF_X))
			continue;
		found++;
		if (ph[i].p_flags & PF_W || ph[i].p_filesz != ph[i].p_memsz)
			return false;
		m->at = FLOOR(bias + ph[i].p_vaddr);
		m->length = ROUND(bias + ph[i].p_vaddr + ph[i].p_filesz) - m->at;
		m->offset = FLOOR(ph[i].p_offset);
	}
	return found == 1;
}

static bool id_load(const char *path, struct agent_file_id *id)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	files_id(id, &st);
	return true;
}

static bool exe_load(const struct sup_task *t, const Elf64_Phdr *ph, unsigned n, uint64_t bias, struct agent_module *m)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)t->base.group->pid);
	return text_of(ph, n, bias, m) && id_load(path, &m->id);
}

/* What its path names now is what was loaded, if the beginning of it is the same. */
static bool same_head(struct inproc *e, const struct agent_module *m, const uint8_t *head, size_t n)
{
	const struct inproc_file *f = files_lookup(e, &m->id, m->offset, m->length);

	return !f || !f->shared || f->head_hash == files_hash(head, n);
}

/* Known from a former run: its copy is made now. */
static void prepare(struct inproc *e, const struct agent_module *m)
{
	struct inproc_file *f = m->length ? files_lookup(e, &m->id, m->offset, m->length) : NULL;

	if (f)
		files_prepare(e, f);
}

static bool interp_load(struct inproc *e, struct sup_task *t, const Elf64_Phdr *ph, unsigned n, uint64_t bias,
			uint64_t base, struct agent_module *m)
{
	char path[INTERP_MAX + 32];
	uint8_t head[INPROC_HEAD];
	const Elf64_Ehdr *eh = (const void *)head;
	Elf64_Phdr own[PHDRS_MAX];
	int at = snprintf(path, sizeof(path), "/proc/%d/root", (int)t->base.group->pid);
	unsigned i = 0;

	while (i < n && ph[i].p_type != PT_INTERP)
		i++;
	if (i == n || !base || ph[i].p_filesz < 2 || ph[i].p_filesz > INTERP_MAX ||
	    mem_read(&t->base.group->mem, bias + ph[i].p_vaddr, path + at, ph[i].p_filesz) != (ssize_t)ph[i].p_filesz ||
	    path[at] != '/' || path[at + (int)ph[i].p_filesz - 1])
		return false;
	if (mem_read(&t->base.group->mem, base, head, sizeof(head)) != sizeof(head) ||
	    eh->e_phoff + (uint64_t)eh->e_phnum * sizeof(own[0]) > sizeof(head) || eh->e_phnum > PHDRS_MAX)
		return false;
	memcpy(own, head + eh->e_phoff, eh->e_phnum * sizeof(own[0]));
	if (!text_of(own, eh->e_phnum, base, m) || !id_load(path, &m->id))
		return false;
	prepare(e, m);
	return same_head(e, m, head, sizeof(head));
}

static uint64_t bias_of(const Elf64_Phdr *ph, unsigned n, uint64_t phdr)
{
	for (unsigned i = 0; i < n; i++)
		if (ph[i].p_type == PT_PHDR)
			return phdr - ph[i].p_vaddr;
	/* a static program at its own addresses, where the first page has the table */
	for (unsigned i = 0; i < n; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset == 0)
			return FLOOR(phdr) - FLOOR(ph[i].p_vaddr);
	return 0;
}

void module_boot(struct inproc *e, struct sup_task *t, const struct inproc_auxv *av, struct agent_module out[2])
{
	struct inproc_mm *mm = inproc_of(t)->mm;
	Elf64_Phdr ph[PHDRS_MAX];
	unsigned n = (unsigned)(av->phnum < PHDRS_MAX ? av->phnum : PHDRS_MAX);
	uint64_t bias;

	memset(out, 0, 2 * sizeof(out[0]));
	mm->text_base = mm->text_end = 0;
	if (!av->phdr || mem_read(&t->base.group->mem, av->phdr, ph, n * sizeof(ph[0])) != (ssize_t)(n * sizeof(ph[0])))
		return;
	bias = bias_of(ph, n, av->phdr);
	for (unsigned i = 0; i < n; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_flags & PF_X) {
			mm->text_base = bias + ph[i].p_vaddr;
			mm->text_end = bias + ph[i].p_vaddr + ph[i].p_memsz;
		}
	if (!e->files.prepared)
		files_prepare_some(e);
	if (exe_load(t, ph, n, bias, &out[0]))
		prepare(e, &out[0]);
	else
		out[0].length = 0;
	if (!interp_load(e, t, ph, n, bias, av->base, &out[1]))
		out[1].length = 0;
}
