/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks one address up in .eh_frame_hdr (LSB, "DWARF Extensions") and reads
 * the frame description found there.  Only the encodings that linkers and
 * compilers write are understood.  Reads a few dozen bytes of the file with
 * pread(); any thread.
 */
#include "config.h"
#include "engine/unwind_info.h"
#include <elf.h>
#include <string.h>
#include <unistd.h>

#define PHDRS_MAX 64u
#define ENC_UDATA4 0x03u
#define ENC_DATAREL_SDATA4 0x3bu
#define ENC_PCREL_SDATA4 0x1bu
#define CIE_MAX 64u

struct elf {
	int fd;
	unsigned n;
	Elf64_Phdr ph[PHDRS_MAX];
};

static bool phdrs_load(struct elf *e)
{
	Elf64_Ehdr eh;

	if (pread(e->fd, &eh, sizeof(eh), 0) != sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_phentsize != sizeof(e->ph[0]) || eh.e_phnum > PHDRS_MAX)
		return false;
	e->n = eh.e_phnum;
	return pread(e->fd, e->ph, e->n * sizeof(e->ph[0]), (off_t)eh.e_phoff) == (ssize_t)(e->n * sizeof(e->ph[0]));
}

/* n bytes at an address of the file. */
static bool bytes_at(const struct elf *e, uint64_t addr, void *buf, size_t n)
{
	for (unsigned i = 0; i < e->n; i++) {
		const Elf64_Phdr *p = &e->ph[i];

		if (p->p_type == PT_LOAD && addr >= p->p_vaddr && addr - p->p_vaddr < p->p_filesz &&
		    n <= p->p_filesz - (addr - p->p_vaddr))
			return pread(e->fd, buf, n, (off_t)(p->p_offset + (addr - p->p_vaddr))) == (ssize_t)n;
	}
	return false;
}

/* The description that begins last at or before addr: its address, 0 where there is none. */
static uint64_t fde_lookup(const struct elf *e, uint64_t addr)
{
	struct { uint8_t version, ptr_enc, count_enc, table_enc; int32_t ptr; uint32_t count; } hdr;
	struct { int32_t at, fde; } row;
	uint64_t base = 0;
	uint32_t lo = 0, hi;

	for (unsigned i = 0; i < e->n; i++)
		if (e->ph[i].p_type == PT_GNU_EH_FRAME)
			base = e->ph[i].p_vaddr;
	if (!base || !bytes_at(e, base, &hdr, sizeof(hdr)) || hdr.version != 1 || hdr.count_enc != ENC_UDATA4 ||
	    hdr.table_enc != ENC_DATAREL_SDATA4)
		return 0;
	for (hi = hdr.count; lo < hi; ) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (!bytes_at(e, base + sizeof(hdr) + (uint64_t)mid * sizeof(row), &row, sizeof(row)))
			return 0;
		if (base + (uint64_t)(int64_t)row.at <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || !bytes_at(e, base + sizeof(hdr) + (uint64_t)(lo - 1) * sizeof(row), &row, sizeof(row)))
		return 0;
	return base + (uint64_t)(int64_t)row.fde;
}

static unsigned skip_leb(const uint8_t *p, unsigned at)
{
	while (at < CIE_MAX && p[at] & 0x80)
		at++;
	return at + 1;
}

/* Addresses in its descriptions are relative to their own place. */
static bool cie_plain(const struct elf *e, uint64_t addr)
{
	uint8_t cie[CIE_MAX];
	const char *aug = (const char *)cie + 9;
	unsigned at;

	if (!bytes_at(e, addr, cie, sizeof(cie)) || (cie[8] != 1 && cie[8] != 3) || aug[0] != 'z')
		return false;
	at = 9 + (unsigned)strnlen(aug, 8) + 1;
	at = skip_leb(cie, at);				/* alignment of code */
	at = skip_leb(cie, at);				/* ... of data */
	at = cie[8] == 1 ? at + 1 : skip_leb(cie, at);	/* the return address's column */
	at = skip_leb(cie, at);				/* length of what follows */
	if (at >= CIE_MAX || cie[at] != ENC_PCREL_SDATA4)
		return false;
	return !strcmp(aug, "zR") || !strcmp(aug, "zRS");
}

bool unwind_info_covers(int fd, uint64_t from, uint64_t to)
{
	struct { uint32_t length, cie; int32_t begin; uint32_t range; } fde;
	struct elf e = { .fd = fd };
	uint64_t at, begin;

	if (!phdrs_load(&e))
		return false;
	at = fde_lookup(&e, from);
	if (!at || !bytes_at(&e, at, &fde, sizeof(fde)) || fde.length < 12 || fde.length >= 0xfffffff0u || !fde.cie ||
	    !cie_plain(&e, at + 4 - fde.cie))
		return false;
	begin = at + 8 + (uint64_t)(int64_t)fde.begin;
	return from >= begin && from < to && to <= begin + fde.range;
}
