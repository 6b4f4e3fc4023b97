/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction lengths: known encodings, moving, looking back, and a real disassembler as judge. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <gelf.h>
#include <fcntl.h>
#include <unistd.h>
#include "arch/insn_x86_64.h"
#include "unit.h"
#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

struct known { const char *bytes; unsigned n; int len; unsigned flags; };

static const struct known known[] = {
	{ "\x0f\x05", 2, 2, INSN_F_SYSCALL | INSN_F_TRAP },
	{ "\xb8\x27\x00\x00\x00", 5, 5, 0 },
	{ "\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", 10, 10, 0 },
	{ "\x66\xb8\x01\x02", 4, 4, 0 },
	{ "\x48\xc7\xc0\x0f\x00\x00\x00", 7, 7, 0 },
	{ "\x48\x3d\x00\xf0\xff\xff", 6, 6, 0 },
	{ "\x48\x8b\x44\x24\x10", 5, 5, 0 },
	{ "\x48\x8b\x05\x10\x00\x00\x00", 7, 7, INSN_F_RIPREL },
	{ "\x64\x48\x8b\x04\x25\x28\x00\x00\x00", 9, 9, 0 },
	{ "\x77\x02", 2, 2, INSN_F_REL },
	{ "\x0f\x87\x01\x00\x00\x00", 6, 6, INSN_F_REL },
	{ "\xe8\x00\x00\x00\x00", 5, 5, INSN_F_REL | INSN_F_CALL },
	{ "\xff\xe0", 2, 2, INSN_F_JUMP },
	{ "\xc3", 1, 1, INSN_F_RET },
	{ "\xf6\xc1\x01", 3, 3, 0 },
	{ "\xf7\xd8", 2, 2, 0 },
	{ "\xf3\x0f\x1e\xfa", 4, 4, 0 },
	{ "\xc5\xf8\x77", 3, 3, 0 },
	{ "\xc5\xf9\xef\xc0", 4, 4, 0 },
	{ "\xc4\xe3\x7d\x39\xc1\x01", 6, 6, 0 },
	{ "\x62\xf1\x7c\x48\x10\x00", 6, 6, 0 },
	{ "\xa1\x01\x02\x03\x04\x05\x06\x07\x08", 9, 9, 0 },
	{ "\x66\xe9\x00\x00", 4, -EINVAL, 0 },
	{ "\x06", 1, -EINVAL, 0 },
	{ "\x8f\xe8\x78\xc2\xc0\x00", 6, -EINVAL, 0 },
	{ "\x0f", 1, -ENODATA, 0 },
};

START_TEST(known_encodings)
{
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct insn in;
		int rc = insn_decode((const uint8_t *)known[i].bytes, known[i].n, &in);

		ck_assert_msg(known[i].len < 0 ? rc == known[i].len : rc == 0 && in.len == known[i].len,
			      "row %u: rc %d len %u", i, rc, in.len);
		if (!rc)
			ck_assert_msg(in.flags == known[i].flags, "row %u: flags %x", i, in.flags);
	}
}
END_TEST

START_TEST(moving)
{
	const uint8_t load[] = { 0x48, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x00 };
	uint8_t out[INSN_MAX];
	struct insn in;
	int32_t disp;

	ck_assert_int_eq(insn_decode(load, sizeof(load), &in), 0);
	ck_assert(insn_movable(&in));
	ck_assert_int_eq(insn_relocate(load, &in, 0x1000, 0x2000, out), 7);
	memcpy(&disp, out + 3, 4);
	ck_assert_int_eq(disp, 0x10 - 0x1000);
	ck_assert_int_eq(insn_relocate(load, &in, 0x1000, 0x200000000000, out), -ERANGE);
	ck_assert_int_eq(insn_decode((const uint8_t *)"\xc3", 1, &in), 0);
	ck_assert(!insn_movable(&in));
}
END_TEST

START_TEST(branches)
{
	uint8_t code[64];

	memset(code, 0x90, sizeof(code));
	ck_assert(!insn_branch_into(code, sizeof(code), 0x1000, 0x1010, 0x1015));
	code[0] = 0xeb;
	code[1] = 0x10;		/* 0x1012 */
	ck_assert(insn_branch_into(code, sizeof(code), 0x1000, 0x1010, 0x1015));
	ck_assert(!insn_branch_into(code, sizeof(code), 0x1000, 0x1013, 0x1015));
	/* the same bytes inside of an instruction are no branch: mov %rsi,0x10(%rsp) */
	memset(code, 0x90, sizeof(code));
	memcpy(code + 40, "\x48\x89\x74\x24\x10", 5);
	ck_assert(!insn_branch_into(code, sizeof(code), 0x1000, 0x104e, 0x1055));
	memcpy(code + 40, "\x90\x90\x74\x24\x90", 5);
	ck_assert(insn_branch_into(code, sizeof(code), 0x1000, 0x104e, 0x1055));
	memset(code, 0x90, sizeof(code));
	code[0] = 0x0f;
	code[1] = 0x84;
	memcpy(code + 2, &(int32_t){ -0x100 }, 4);
	ck_assert(insn_branch_into(code, sizeof(code), 0x1000, 0xf05, 0xf08));
}
END_TEST

/* Byte by byte, as it is said. */
static bool far_by_hand(const uint8_t *p, size_t n, uint64_t base, uint64_t lo, uint64_t hi)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = p[i] == 0xe8 || p[i] == 0xe9 ? 5 : i + 1 < n && p[i] == 0x0f && (p[i + 1] & 0xf0) == 0x80 ? 6 : 0;
		int32_t d;

		if (!len || i + len > n)
			continue;
		memcpy(&d, p + i + len - 4, 4);
		if (base + i + len + (uint64_t)(int64_t)d - lo < hi - lo)
			return true;
	}
	return false;
}

static bool may_be_near(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] & 0xf0) == 0x70 || p[i] == 0xeb || (p[i] >= 0xe0 && p[i] <= 0xe3))
			return true;
	return false;
}

START_TEST(far_branches)
{
	static const uint8_t bytes[] = { 0xe8, 0xe9, 0x0f, 0x84, 0x8f, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0x01, 0x04, 0x90, 0xfe };
	unsigned long state = 7;
	unsigned found = 0;
	uint8_t code[512];

	for (unsigned n = 0; n < 20000; n++) {
		uint64_t base = n & 1 ? 0x7f0012340000 : 0, lo = base + unit_random(&state) % 700,
			 hi = lo + 1 + n % 9;
		size_t len = 1 + unit_random(&state) % sizeof(code);
		bool expected;

		for (size_t i = 0; i < len; i++)
			code[i] = bytes[unit_random(&state) % sizeof(bytes)];
		for (size_t i = 1; i + 4 <= len && n % 3; i += 40)
			memcpy(code + i, &(int32_t){ (int32_t)(unit_random(&state) % 600) - 300 }, 4);
		expected = far_by_hand(code, len, base, lo, hi);
		if (expected || !may_be_near(code, len))
			ck_assert_int_eq(insn_branch_into(code, len, base, lo, hi), expected);
		found += expected;
	}
	ck_assert_uint_gt(found, 100);
	ck_assert_uint_lt(found, 19000);
}
END_TEST

/* The executable segments of a file, each given to fn. */
static void each_text(const char *path, void (*fn)(const uint8_t *p, size_t n, void *ctx), void *ctx)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf;
	size_t n = 0;

	if (fd < 0)
		return;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && !elf_getphdrnum(elf, &n))
		for (size_t i = 0; i < n; i++) {
			GElf_Phdr ph;
			uint8_t *text;

			if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
				continue;
			text = malloc(ph.p_filesz);
			if (pread(fd, text, ph.p_filesz, (off_t)ph.p_offset) == (ssize_t)ph.p_filesz)
				fn(text, ph.p_filesz, ctx);
			free(text);
		}
	elf_end(elf);
	close(fd);
}

static const char *const programs[] = {
	"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1",
	"/bin/busybox", "/usr/bin/git", NULL
};

/* Every syscall instruction behind "mov $imm32,%eax" must see that mov when it looks back. */
struct back { unsigned sites, found, wrong; };

static void look_back(const uint8_t *p, size_t n, void *ctx)
{
	struct back *b = ctx;

	for (size_t i = 80; i + 2 < n; i++) {
		unsigned len;

		if (p[i] != 0x0f || p[i + 1] != 0x05 || p[i - 5] != 0xb8 || (p[i - 6] & 0xf0) == 0x40 ||
		    p[i - 2] || p[i - 1])
			continue;
		len = insn_before(p + i - 80, 80);
		b->sites++;
		b->found += len == 5;
		b->wrong += len && len != 5;
	}
}

START_TEST(looking_back)
{
	struct back b = { 0 };

	each_text(programs[0], look_back, &b);
	if (b.sites < 100)
		return;
	ck_assert_uint_eq(b.wrong, 0);
	ck_assert_msg(b.found * 10 >= b.sites * 9, "%u of %u", b.found, b.sites);
}
END_TEST

#ifdef HAVE_CAPSTONE
struct judge { csh cs; cs_insn *insn; unsigned long same, refused, differ, flags; bool linear; char first[200]; };

static bool judge_flags(const struct insn *in, const cs_insn *ci)
{
	bool call = ci->id == X86_INS_CALL || ci->id == X86_INS_LCALL;
	bool jump = ci->id == X86_INS_JMP || ci->id == X86_INS_LJMP;
	bool ret = ci->id == X86_INS_RET || ci->id == X86_INS_RETF || ci->id == X86_INS_RETFQ;

	return (!call || (in->flags & INSN_F_CALL)) && (!jump || (in->flags & INSN_F_JUMP)) &&
	       (!ret || (in->flags & INSN_F_RET)) &&
	       (ci->id != X86_INS_SYSCALL || (in->flags & INSN_F_SYSCALL));
}

static void judge_one(struct judge *j, const uint8_t *p, size_t n, size_t *len)
{
	const uint8_t *code = p;
	size_t left = n < INSN_MAX ? n : INSN_MAX;
	uint64_t at = 0x10000;
	struct insn in;
	int rc = insn_decode(p, n, &in);

	*len = 1;
	if (!cs_disasm_iter(j->cs, &code, &left, &at, j->insn))
		return;
	*len = j->insn->size;
	if (rc < 0) {
		j->refused++;
	} else if (in.len != j->insn->size || !judge_flags(&in, j->insn)) {
		if (!j->differ++)
			snprintf(j->first, sizeof(j->first),
				 "%02x %02x %02x %02x %02x %02x %02x %02x: %u, not %u (%.30s %.60s)", p[0],
				 p[1], p[2], p[3], p[4], p[5], p[6], p[7], in.len, j->insn->size,
				 j->insn->mnemonic, j->insn->op_str);
	} else {
		j->same++;
	}
}

static void judge_text(const uint8_t *p, size_t n, void *ctx)
{
	for (size_t i = 0; i + INSN_MAX < n && i < 4000000;) {
		size_t len;

		judge_one(ctx, p + i, n - i, &len);
		i += len;
	}
}

static void judge_open(struct judge *j)
{
	memset(j, 0, sizeof(*j));
	ck_assert_int_eq(cs_open(CS_ARCH_X86, CS_MODE_64, &j->cs), CS_ERR_OK);
	j->insn = cs_malloc(j->cs);
}

START_TEST(against_disassembler)
{
	struct judge j;

	judge_open(&j);
	for (unsigned i = 0; programs[i]; i++)
		each_text(programs[i], judge_text, &j);
	fprintf(stderr, "text: same %lu refused %lu differ %lu %s\n", j.same, j.refused, j.differ, j.first);
	ck_assert_msg(j.differ == 0, "%lu differ, first %s", j.differ, j.first);
	ck_assert_msg(j.refused * 1000 <= j.same, "%lu refused of %lu", j.refused, j.same);
	cs_free(j.insn, 1);
	cs_close(&j.cs);
}
END_TEST

START_TEST(random_bytes)
{
	unsigned long state = 0x9e3779b97f4a7c15ul;
	struct judge j;

	judge_open(&j);
	for (unsigned i = 0; i < 1000000; i++) {
		uint8_t code[16];
		size_t len;

		for (unsigned k = 0; k < sizeof(code); k += 8)
			memcpy(code + k, &(unsigned long){ unit_random(&state) }, 8);
		judge_one(&j, code, sizeof(code), &len);
	}
	fprintf(stderr, "random: same %lu refused %lu differ %lu %s\n", j.same, j.refused, j.differ, j.first);
	ck_assert_msg(j.differ == 0, "%lu differ, first %s", j.differ, j.first);
	ck_assert_uint_gt(j.same, 500000);
	cs_free(j.insn, 1);
	cs_close(&j.cs);
}
END_TEST
#endif

int main(void)
{
	int rc = unit_run("insn", (const TTest *const[]){
		known_encodings, moving, branches, far_branches, looking_back,
#ifdef HAVE_CAPSTONE
		against_disassembler, random_bytes,
#endif
		NULL });

#ifndef HAVE_CAPSTONE
	if (!rc) {
		puts("SKIP: no capstone to compare with (Debian: apt-get install libcapstone-dev); the rest passed");
		return 77;
	}
#endif
	return rc;
}
