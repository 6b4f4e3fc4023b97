/* SPDX-License-Identifier: Apache-2.0 */
/* ELF identity of files made here byte by byte, of ourselves, and of no ELF at all. */
#include "config.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "symbol/elf_id.h"
#include "unit.h"

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	struct { Elf64_Nhdr nh; char name[4]; uint8_t desc[4]; } other;
	struct { Elf64_Nhdr nh; char name[4]; uint8_t desc[20]; } id;
};

static struct image make_image(void)
{
	struct image im = {
		.eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			.e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = sizeof(Elf64_Ehdr),
			.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2 },
		.ph = { { .p_type = PT_LOAD },
			{ .p_type = PT_NOTE, .p_offset = offsetof(struct image, other),
			  .p_filesz = sizeof(struct image) - offsetof(struct image, other), .p_align = 4 } },
		.other = { { 4, 4, NT_GNU_ABI_TAG }, "GNU", { 1 } },
		.id = { { 4, 20, NT_GNU_BUILD_ID }, "GNU", { 0xde, 0xad, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
							     16, 17, 18, 19, 0xbe } },
	};

	return im;
}

static int put_file(const void *p, size_t n)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, n), (int)n);
	return fd;
}

START_TEST(build_id_is_found)
{
	struct image im = make_image();
	struct elf_id id;
	int fd = put_file(&im, sizeof(im));

	ck_assert_int_eq(elf_id_read(fd, &id), 0);
	ck_assert_uint_eq(id.elf_class, ELFCLASS64);
	ck_assert_uint_eq(id.machine, EM_X86_64);
	ck_assert_uint_eq(id.build_id_len, 20);
	ck_assert_mem_eq(id.build_id, im.id.desc, 20);
	close(fd);
	im.id.nh.n_type = 77;
	fd = put_file(&im, sizeof(im));
	ck_assert_int_eq(elf_id_read(fd, &id), 0);
	ck_assert_uint_eq(id.build_id_len, 0);
	close(fd);
}
END_TEST

START_TEST(odd_files)
{
	struct image im = make_image();
	struct elf_id id;
	int fd;

	for (size_t n = 0; n <= sizeof(im); n++) {
		fd = put_file(&im, n);
		elf_id_read(fd, &id);
		ck_assert_uint_eq(id.build_id_len, n == sizeof(im) ? 20 : 0);
		close(fd);
	}
	im.ph[1].p_filesz = UINT64_MAX - 8;
	im.ph[1].p_offset = 16;
	fd = put_file(&im, sizeof(im));
	ck_assert_int_eq(elf_id_read(fd, &id), 0);
	ck_assert_uint_eq(id.build_id_len, 0);
	close(fd);
	fd = put_file("#!/bin/sh\n", 10);
	ck_assert_int_eq(elf_id_read(fd, &id), -ENOEXEC);
	ck_assert_uint_eq(id.elf_class, 0);
	close(fd);
	fd = open("/", O_RDONLY);
	ck_assert_int_eq(elf_id_read(fd, &id), -ENOEXEC);
	close(fd);
	ck_assert_int_eq(elf_id_read(fd, &id), -EBADF);
}
END_TEST

START_TEST(mutated_images)
{
	unsigned long seed = 12;
	struct elf_id id;

	for (int i = 0; i < 3000; i++) {
		struct image im = make_image();
		int fd;

		for (int k = 0; k < 3; k++)
			((uint8_t *)&im)[unit_random(&seed) % sizeof(im)] =
			    (uint8_t)(unit_random(&seed) >> 20);
		fd = put_file(&im, sizeof(im));
		elf_id_read(fd, &id);
		ck_assert_uint_le(id.build_id_len, ELF_BUILD_ID_MAX);
		close(fd);
	}
}
END_TEST

START_TEST(ourselves)
{
	struct elf_id id;
	int fd = open("/proc/self/exe", O_RDONLY);

	ck_assert_int_eq(elf_id_read(fd, &id), 0);
	ck_assert_uint_eq(id.elf_class, sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
	close(fd);
}
END_TEST

START_TEST(cache)
{
	struct image im = make_image();
	struct elf_id_cache *c;
	struct elf_id id;
	int fds[6];

	ck_assert_int_eq(elf_id_cache_new(&c, 4), 0);
	for (int i = 0; i < 6; i++) {
		im.id.desc[1] = (uint8_t)i;
		fds[i] = put_file(&im, sizeof(im));
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++) {
			ck_assert_int_eq(elf_id_cache_get(c, fds[i], &id), 0);
			ck_assert_uint_eq(id.build_id[1], i);
		}
	}
	ck_assert_uint_eq(elf_id_cache_misses(c), 4);
	for (int round = 0; round < 10; round++) {
		ck_assert_int_eq(elf_id_cache_get(c, fds[round % 6], &id), 0);
		ck_assert_uint_eq(id.build_id[1], round % 6);
	}
	ck_assert_uint_gt(elf_id_cache_misses(c), 4);
	ck_assert_uint_eq(elf_id_cache_evictions(c), elf_id_cache_misses(c) - 4);
	/* Changed in place: same inode, other size and times. */
	ck_assert_int_eq(ftruncate(fds[0], 0), 0);
	ck_assert_int_eq(elf_id_cache_get(c, fds[0], &id), -ENOEXEC);
	ck_assert_int_eq(elf_id_cache_get(c, fds[0], &id), -ENOEXEC);
	elf_id_cache_free(c);
	elf_id_cache_free(NULL);
}
END_TEST

START_TEST(cache_by_path)
{
	struct elf_id_cache *c;
	struct elf_id by_path, by_fd;
	struct stat st;
	int fd = open("/proc/self/exe", O_RDONLY);

	ck_assert_int_eq(elf_id_cache_new(&c, 4), 0);
	ck_assert_int_eq(stat("/proc/self/exe", &st), 0);
	ck_assert_int_eq(elf_id_cache_get_path(c, "/proc/self/exe", &st, &by_path), 0);
	ck_assert_int_eq(elf_id_cache_get(c, fd, &by_fd), 0);
	ck_assert_mem_eq(&by_path, &by_fd, sizeof(by_fd));
	ck_assert_uint_eq(by_path.elf_class, sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32);
	/* Known by what stat() told: not even opened again. */
	ck_assert_int_eq(elf_id_cache_get_path(c, "/nonexistent", &st, &by_path), 0);
	ck_assert_mem_eq(&by_path, &by_fd, sizeof(by_fd));
	ck_assert_uint_eq(elf_id_cache_misses(c), 1);
	st.st_ino++;
	ck_assert_int_eq(elf_id_cache_get_path(c, "/nonexistent", &st, &by_path), -ENOENT);
	ck_assert_int_eq(stat("/dev/zero", &st), 0);
	ck_assert_int_eq(elf_id_cache_get_path(c, "/dev/zero", &st, &by_path), -ENOEXEC);
	ck_assert_uint_eq(elf_id_cache_misses(c), 1);
	close(fd);
	elf_id_cache_free(c);
}
END_TEST

int main(void)
{
	return unit_run("elf_id", (const TTest *const[]){ build_id_is_found, odd_files, mutated_images, ourselves,
							   cache, cache_by_path, NULL });
}
