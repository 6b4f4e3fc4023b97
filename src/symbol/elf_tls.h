/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an ELF file (x86-64) says that a thread-local variable lies, from an
 * open descriptor: its place in the file's TLS segment and, where there is
 * one, the relocation through which the dynamic loader tells the rest.
 */
#ifndef ELF_TLS_H
#define ELF_TLS_H

#include <stdbool.h>
#include <stdint.h>

enum elf_tls_reloc {
	ELF_TLS_NONE = 0,		/* none: the linker knew it (local-exec) */
	ELF_TLS_TPOFF,			/* a word: offset from the thread pointer (initial-exec) */
	ELF_TLS_DTPMOD,			/* two words: module, offset in its block (general dynamic) */
	ELF_TLS_DESC			/* two words: function, its argument (TLS descriptor) */
};

struct elf_tls {
	bool fixed;			/* addresses are absolute (ET_EXEC) */
	/* a program, not a library: its block is next to the thread pointer */
	bool program;
	uint64_t value;			/* in the segment */
	uint64_t size, align;		/* of the segment */
	uint64_t base;			/* lowest address of a load segment */
	enum elf_tls_reloc reloc;
	uint64_t where;			/* address of the relocated words */
};

/* 0, -ENOENT where the file does not define it, -ENOEXEC for what is no such file. */
int elf_tls_read(int fd, const char *name, struct elf_tls *out);

#endif
