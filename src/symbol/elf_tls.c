/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread-local variables of ELF files by libelf.  Supervisor thread, once for
 * each file of a process that publishes a thread context.  As in elf_id.c
 * anything may be in a file: what is looked at is limited, nothing is mapped.
 * Relocations: "ELF Handling For Thread-Local Storage" and the x86-64 psABI.
 */
#include "config.h"
#include "symbol/elf_tls.h"
#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#define SECTIONS_MAX 4096u
#define PHDRS_MAX 256u
#define ENTRIES_MAX 4000000u		/* symbols or relocations of a section */
#define NAME_MAX_LEN 64u

struct search {
	Elf *elf;
	const char *name;
	struct elf_tls *out;
	size_t index;			/* of the symbol in .dynsym */
};

static void program_load(struct search *s)
{
	size_t n = 0;
	GElf_Phdr ph;

	if (elf_getphdrnum(s->elf, &n) < 0)
		return;
	s->out->base = UINT64_MAX;
	for (size_t i = 0; i < n && i < PHDRS_MAX; i++) {
		if (!gelf_getphdr(s->elf, (int)i, &ph))
			continue;
		if (ph.p_type == PT_LOAD && ph.p_vaddr < s->out->base)
			s->out->base = ph.p_vaddr;
		if (ph.p_type == PT_INTERP)
			s->out->program = true;
		if (ph.p_type == PT_TLS) {
			s->out->size = ph.p_memsz;
			s->out->align = ph.p_align ? ph.p_align : 1;
		}
	}
}

static bool symbol_find(struct search *s, Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = sh->sh_entsize ? (size_t)(sh->sh_size / sh->sh_entsize) : 0;
	GElf_Sym sym;

	for (size_t i = 1; data && i < n && i < ENTRIES_MAX; i++) {
		const char *name;

		if (!gelf_getsym(data, (int)i, &sym) || GELF_ST_TYPE(sym.st_info) != STT_TLS ||
		    sym.st_shndx == SHN_UNDEF)
			continue;
		name = elf_strptr(s->elf, sh->sh_link, sym.st_name);
		if (!name || strncmp(name, s->name, NAME_MAX_LEN) != 0)
			continue;
		s->index = i;
		s->out->value = sym.st_value;
		return true;
	}
	return false;
}

static enum elf_tls_reloc reloc_kind(const struct search *s, const GElf_Rela *r)
{
	bool named = GELF_R_SYM(r->r_info) == s->index;

	switch (GELF_R_TYPE(r->r_info)) {
	case R_X86_64_TPOFF64:
		return named ? ELF_TLS_TPOFF : ELF_TLS_NONE;
	case R_X86_64_DTPMOD64:
		return named ? ELF_TLS_DTPMOD : ELF_TLS_NONE;
	case R_X86_64_TLSDESC:		/* of a symbol that cannot be overridden: by its place alone */
		return named || (!GELF_R_SYM(r->r_info) && (uint64_t)r->r_addend == s->out->value)
			   ? ELF_TLS_DESC
			   : ELF_TLS_NONE;
	default:
		return ELF_TLS_NONE;
	}
}

static void reloc_find(struct search *s, Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = sh->sh_entsize ? (size_t)(sh->sh_size / sh->sh_entsize) : 0;
	GElf_Rela rela;

	for (size_t i = 0; data && i < n && i < ENTRIES_MAX && !s->out->reloc; i++) {
		if (!gelf_getrela(data, (int)i, &rela))
			continue;
		s->out->reloc = reloc_kind(s, &rela);
		s->out->where = rela.r_offset;
	}
}

/* Sections of this type, until done. */
static bool sections_walk(struct search *s, uint32_t type)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	for (unsigned n = 0; n < SECTIONS_MAX && (scn = elf_nextscn(s->elf, scn)); n++) {
		if (!gelf_getshdr(scn, &sh) || sh.sh_type != type || !(sh.sh_flags & SHF_ALLOC))
			continue;
		if (type == SHT_DYNSYM && symbol_find(s, scn, &sh))
			return true;
		if (type == SHT_RELA)
			reloc_find(s, scn, &sh);
	}
	return false;
}

static int file_search(struct search *s)
{
	GElf_Ehdr h;

	if (!s->elf || elf_kind(s->elf) != ELF_K_ELF || !gelf_getehdr(s->elf, &h) ||
	    h.e_machine != EM_X86_64 || gelf_getclass(s->elf) != ELFCLASS64)
		return -ENOEXEC;
	s->out->fixed = s->out->program = h.e_type == ET_EXEC;
	if (!sections_walk(s, SHT_DYNSYM))
		return -ENOENT;
	program_load(s);
	sections_walk(s, SHT_RELA);
	return s->out->size ? 0 : -ENOENT;
}

int elf_tls_read(int fd, const char *name, struct elf_tls *out)
{
	struct search s = { .name = name, .out = out };
	struct stat st;
	int r;

	*out = (struct elf_tls){ 0 };
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || elf_version(EV_CURRENT) == EV_NONE)
		return -ENOEXEC;
	s.elf = elf_begin(fd, ELF_C_READ, NULL);
	r = file_search(&s);
	elf_end(s.elf);
	return r;
}
