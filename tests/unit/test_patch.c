/* SPDX-License-Identifier: Apache-2.0 */
/* Which form a site gets, what stub and jump look like, and real libraries as a whole. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "arch/insn_x86_64.h"
#include "engine/patch.h"
#include "unit.h"

#define BASE 0x400000ul
#define AT 200u		/* where the code under test begins */

static uint8_t bytes[512];

/* nops around the code; the site is where "0f 05" is. */
static struct patch_code code_of(const char *p, size_t n, uint64_t *site)
{
	static const uint8_t insn[] = { 0x0f, 0x05 };

	memset(bytes, 0x90, sizeof(bytes));
	memcpy(bytes + AT, p, n);
	*site = BASE + (uint64_t)((uint8_t *)memmem(bytes + AT, n, insn, 2) - bytes);
	return (struct patch_code){ bytes, sizeof(bytes), BASE };
}

static int choose(const char *p, size_t n, uint64_t nr, struct patch *out)
{
	uint64_t site;
	struct patch_code code = code_of(p, n, &site);
	int rc = patch_choose(&code, site, nr, out);

	return rc < 0 ? rc : patch_build(&code, out, BASE + 0x100000);
}

#define CHOOSE(s, nr, out) choose(s, sizeof(s) - 1, nr, out)

static int32_t rel_at(const uint8_t *p)
{
	int32_t d;

	memcpy(&d, p, 4);
	return d;
}

START_TEST(before)
{
	struct patch p;

	/* mov $39,%eax; syscall; ret */
	ck_assert_int_eq(CHOOSE("\xb8\x27\0\0\0\x0f\x05\xc3", 39, &p), 0);
	ck_assert_int_eq(p.form, PATCH_BEFORE);
	ck_assert_uint_eq(p.at, BASE + AT);
	ck_assert_uint_eq(p.len, 5);
	ck_assert_uint_eq(p.cont, BASE + AT + 7);
	ck_assert_int_eq(p.jump[0], 0xe9);
	ck_assert_uint_eq(p.at + 5 + (uint64_t)(int64_t)rel_at(p.jump + 1), p.stub_at);
	ck_assert_mem_eq(p.original, "\xb8\x27\0\0\0", 5);
	ck_assert_mem_eq(p.stub, "\xb8\x27\0\0\0\x48\x8d\x0d", 8);
	ck_assert_uint_eq(p.stub_at + 12 + (uint64_t)(int64_t)rel_at(p.stub + 8), p.cont);
	ck_assert_mem_eq(p.stub + p.stub_len - 8, "\x65\xff\x24\x25\0\0\0\0", 8);
	/* the number in the instruction must be the number that trapped */
	ck_assert_int_eq(CHOOSE("\xb8\x27\0\0\0\x0f\x05\xc3", 40, &p), 0);
	ck_assert_int_eq(p.form, PATCH_AFTER);
	/* glibc 2.41: mov 0x10(%rsp),%rax; syscall */
	ck_assert_int_eq(CHOOSE("\x48\x8b\x44\x24\x10\x0f\x05\xc3", 0, &p), 0);
	ck_assert_int_eq(p.form, PATCH_BEFORE);
	/* a load relative to rip is adjusted: mov 0x10(%rip),%rax */
	ck_assert_int_eq(CHOOSE("\x48\x8b\x05\x10\0\0\0\x0f\x05\xc3", 0, &p), 0);
	ck_assert_int_eq(rel_at(p.stub + 3), 0x10 - 0x100000 + (int32_t)AT);
}
END_TEST

START_TEST(far)
{
	struct patch p;

	/* mov $158,%eax; mov %rdx,%rsi; xor %edi,%edi; syscall */
	ck_assert_int_eq(CHOOSE("\xb8\x9e\0\0\0\x48\x89\xd6\x31\xff\x0f\x05\xc3", 158, &p), 0);
	ck_assert_int_eq(p.form, PATCH_FAR);
	ck_assert_uint_eq(p.at, BASE + AT);
	ck_assert_uint_eq(p.head, 10);
	ck_assert_mem_eq(p.stub, "\xb8\x9e\0\0\0\x48\x89\xd6\x31\xff", 10);
	ck_assert_uint_eq(patch_origin(&p, p.stub_at), p.at);
	ck_assert_uint_eq(patch_origin(&p, p.stub_at + 8), p.at + 8);
	ck_assert_uint_eq(patch_origin(&p, p.stub_at + 9), 0);
	ck_assert_uint_eq(patch_origin(&p, p.stub_at + 10), p.site);
	ck_assert_uint_eq(patch_origin(&p, p.stub_at - 1), 0);
	/* not over a branch: mov $158,%eax; je; syscall; cmp */
	ck_assert_int_eq(CHOOSE("\xb8\x9e\0\0\0\x74\x10\x0f\x05\x48\x3d\0\xf0\xff\xff", 158, &p), 0);
	ck_assert_int_eq(p.form, PATCH_AFTER);
}
END_TEST

static int choose_single(const char *p, size_t n, uint64_t nr, struct patch *out)
{
	uint64_t site;
	struct patch_code code = code_of(p, n, &site);
	int rc = patch_choose_single(&code, site, nr, out);

	return rc < 0 ? rc : patch_build(&code, out, BASE + 0x100000);
}

#define SINGLE(s, nr, out) choose_single(s, sizeof(s) - 1, nr, out)

START_TEST(single)
{
	char code[250];
	struct patch p;

	/* glibc 2.36, read with threads: mov 0x10(%rsp),%rsi; mov %eax,%r8d; mov 0x8(%rsp),%edi; xor %eax,%eax; syscall */
	ck_assert_int_eq(SINGLE("\x48\x8b\x74\x24\x10\x41\x89\xc0\x8b\x7c\x24\x08\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff\xc3", 0,
				&p), 0);
	ck_assert_int_eq(p.form, PATCH_FAR);
	ck_assert_uint_eq(p.at, BASE + AT);
	ck_assert_uint_eq(p.head, 14);
	ck_assert_uint_eq(patch_pad(&p), 0);
	ck_assert_uint_eq(patch_origin(&p, p.stub_at + 5), p.at + 5);
	/* ... without: je; xor %eax,%eax; syscall; cmp; ja; ret; nop */
	ck_assert_int_eq(SINGLE("\x74\x15\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff\x77\x5b\xc3\x66\x2e\x0f\x1f\x84\0\0\0\0\0", 0,
				&p), 0);
	ck_assert_int_eq(p.form, PATCH_SHORT);
	ck_assert_uint_eq(p.at, p.site);
	ck_assert_uint_eq(p.len, 2);
	ck_assert_uint_eq(p.cont, p.site + 2);
	ck_assert_uint_eq(patch_pad(&p), p.site + 11);
	ck_assert_mem_eq(p.jump, "\xeb\x09\xe9", 3);
	ck_assert_mem_eq(p.original, "\x0f\x05\x66\x2e\x0f\x1f\x84", 7);
	ck_assert_uint_eq(p.site + 16 + (uint64_t)(int64_t)rel_at(p.jump + 3), p.stub_at);
	ck_assert_uint_eq(patch_origin(&p, p.stub_at), p.site);
	ck_assert_uint_eq(patch_origin(&p, p.site + 11), p.site);
	ck_assert_uint_eq(patch_origin(&p, p.site + 2), 0);
	/* Go: mov %rbx,%rdi; syscall; cmp; jbe; neg %rax; ret; mov %rdx,%rbx; ret; int3 */
	ck_assert_int_eq(SINGLE("\x48\x89\xdf\x0f\x05\x48\x3d\x01\xf0\xff\xff\x76\x04\x48\xf7\xd8\xc3\x48\x89\xd3\xc3\xcc\xcc\xcc\xcc\xcc",
				0, &p), 0);
	ck_assert_int_eq(p.form, PATCH_SHORT);
	ck_assert_uint_eq(patch_pad(&p), p.site + 18);
	/* no padding behind an end: push %rbx */
	memset(code, 0x53, sizeof(code));
	memcpy(code, "\x74\x15\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff\x77\x5b\xc3", 15);
	ck_assert_int_eq(choose_single(code, sizeof(code), 0, &p), -ENOTSUP);
	/* ... where more may be replaced it is easy */
	ck_assert_int_eq(choose(code, sizeof(code), 0, &p), 0);
	ck_assert_int_eq(p.form, PATCH_AFTER);
	/* a tiny function: padding in front of it is run by nobody, so that which is behind it is taken */
	ck_assert_int_eq(SINGLE("\x0f\x1f\x80\0\0\0\0\x31\xc0\x0f\x05\xc3\x66\x2e\x0f\x1f\x84\0\0\0\0\0", 0, &p), 0);
	ck_assert_int_eq(p.form, PATCH_SHORT);
	ck_assert_uint_eq(patch_pad(&p), p.site + 3);
	ck_assert_int_eq(SINGLE("\x66\x0f\x1f\x44\0\0\x0f\x05\xc3\x66\x2e\x0f\x1f\x84\0\0\0\0\0", 0, &p), 0);
	ck_assert_int_eq(p.form, PATCH_SHORT);
	/* ... an instruction that does something: lea 0(%rax),%rdi */
	ck_assert_int_eq(SINGLE("\x48\x8d\xb8\0\0\0\0\x31\xc0\x0f\x05\xc3\x66\x2e\x0f\x1f\x84\0\0\0\0\0", 0, &p), 0);
	ck_assert_int_eq(p.form, PATCH_FAR);
	/* a branch to the padding: jmp to the nop */
	ck_assert_int_eq(SINGLE("\xeb\x0d\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff\x77\x5b\xc3\x66\x2e\x0f\x1f\x84\0\0\0\0\0", 0,
				&p), -ENOTSUP);
}
END_TEST

START_TEST(after)
{
	struct patch p;

	/* xor %eax,%eax; syscall; cmp $-4096,%rax; ja */
	ck_assert_int_eq(CHOOSE("\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff\x77\x10", 0, &p), 0);
	ck_assert_int_eq(p.form, PATCH_AFTER);
	ck_assert_uint_eq(p.at, BASE + AT + 2);
	ck_assert_uint_eq(p.len, 8);
	ck_assert_mem_eq(p.stub + (p.cont - p.stub_at) - 2, "\x0f\x05\x48\x3d\0\xf0\xff\xff\xe9", 9);
	ck_assert_uint_eq(p.stub_at + p.stub_len + (uint64_t)(int64_t)rel_at(p.stub + p.stub_len - 4), p.site + 8);
	ck_assert_uint_eq(patch_origin(&p, p.stub_at + 7), p.site);
	ck_assert_uint_eq(patch_origin(&p, p.cont), 0);
	/* syscall; ret; padding */
	ck_assert_int_eq(CHOOSE("\x31\xc0\x0f\x05\xc3\xcc\xcc", 0, &p), 0);
	ck_assert_uint_eq(p.len, 5);
	ck_assert_int_eq(p.stub[p.stub_len - 1], 0xc3);
	/* syscall; jmp: becomes a long one */
	ck_assert_int_eq(CHOOSE("\x31\xc0\x0f\x05\xeb\x10\x90\x90", 0, &p), 0);
	ck_assert_int_eq(p.stub[p.stub_len - 5], 0xe9);
	ck_assert_uint_eq(p.stub_at + p.stub_len + (uint64_t)(int64_t)rel_at(p.stub + p.stub_len - 4),
			  p.site + 4 + 0x10);
	/* no room behind a ret: another function begins */
	ck_assert_int_eq(CHOOSE("\x31\xc0\x0f\x05\xc3\x55\x53", 0, &p), -ENOTSUP);
	/* a branch lands on the cmp: jmp to it from 2 bytes before the xor */
	ck_assert_int_eq(CHOOSE("\xeb\x04\x31\xc0\x0f\x05\x48\x3d\0\xf0\xff\xff\x77\x10", 0, &p), -ENOTSUP);
	/* a call behind it */
	ck_assert_int_eq(CHOOSE("\x31\xc0\x0f\x05\xe8\0\0\0\0", 0, &p), -ENOTSUP);
}
END_TEST

START_TEST(reach)
{
	uint64_t site;
	struct patch_code code = code_of("\xb8\x27\0\0\0\x0f\x05\xc3", 8, &site);
	struct patch p;

	ck_assert_int_eq(patch_choose(&code, site, 39, &p), 0);
	ck_assert_int_eq(patch_build(&code, &p, BASE + 0x80001000ul), -ERANGE);
	ck_assert_int_eq(patch_build(&code, &p, BASE + 0x70000000ul), 0);
	ck_assert_int_eq(patch_choose(&code, site + 1, 39, &p), -ENOTSUP);
}
END_TEST

/* Every site of a library whose number the code tells: nearly all get a form, and each stub
 * decodes to what it should be. */
static void check_stub(const struct patch *p)
{
	unsigned at = 0, len = p->form == PATCH_AFTER ? (unsigned)(p->cont - p->stub_at) - 2 : p->stub_len;

	while (at < len) {
		struct insn in;

		ck_assert_int_eq(insn_decode(p->stub + at, p->stub_len - at, &in), 0);
		at += in.len;
	}
	ck_assert_uint_eq(at, len);
}

typedef int choose_fn(const struct patch_code *code, uint64_t site, uint64_t nr, struct patch *out);

static void whole(const char *path, choose_fn *chooser, unsigned least)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned sites = 0, forms[5] = { 0 };
	Elf *elf;
	size_t n = 0;

	if (fd < 0)
		return;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	ck_assert_int_eq(elf_getphdrnum(elf, &n), 0);
	for (size_t i = 0; i < n; i++) {
		struct patch_code code;
		GElf_Phdr ph;
		uint8_t *text;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
			continue;
		text = malloc(ph.p_filesz);
		ck_assert_int_eq(pread(fd, text, ph.p_filesz, (off_t)ph.p_offset), (ssize_t)ph.p_filesz);
		for (size_t at = 100; at + 100 < ph.p_filesz; at++) {
			uint64_t nr = 0;
			struct patch p;

			if (text[at] != 0x0f || text[at + 1] != 0x05)
				continue;
			if (text[at - 5] == 0xb8)
				nr = (uint64_t)rel_at(text + at - 4);
			code = (struct patch_code){ text + at - 100, 200, ph.p_vaddr + at - 100 };
			sites++;
			if (chooser(&code, ph.p_vaddr + at, nr, &p) == 0) {
				ck_assert_int_eq(patch_build(&code, &p, ph.p_vaddr + ph.p_filesz + 4096), 0);
				check_stub(&p);
			}
			forms[p.form]++;
		}
		free(text);
	}
	elf_end(elf);
	close(fd);
	fprintf(stderr, "%s: %u sites, none %u before %u far %u after %u short %u\n", path, sites, forms[0],
		forms[1], forms[2], forms[3], forms[4]);
	ck_assert_uint_ge((sites - forms[0]) * 100, sites * least);
}

START_TEST(real_code)
{
	whole("/lib/x86_64-linux-gnu/libc.so.6", patch_choose, 95);
	whole("/lib64/ld-linux-x86-64.so.2", patch_choose, 90);
	whole("/lib/ld-musl-x86_64.so.1", patch_choose, 80);
	whole("/bin/busybox", patch_choose, 90);
	whole("/lib/x86_64-linux-gnu/libc.so.6", patch_choose_single, 90);
	whole("/lib64/ld-linux-x86-64.so.2", patch_choose_single, 80);
	whole("/lib/ld-musl-x86_64.so.1", patch_choose_single, 40);
	whole("/bin/busybox", patch_choose_single, 50);
}
END_TEST

int main(void)
{
	return unit_run("patch", (const TTest *const[]){ before, far, single, after, reach, real_code, NULL });
}
