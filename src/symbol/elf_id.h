/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an executable is: ELF class, machine and GNU build-id, from an open
 * descriptor.  Bounded: however odd the file, little is read and nothing is
 * mapped.  Used by the supervisor at every exec, so there is a cache.
 */
#ifndef ELF_ID_H
#define ELF_ID_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define ELF_BUILD_ID_MAX 20u		/* longer ones are cut */

struct elf_id {
	uint8_t elf_class;		/* ELFCLASS32 1, ELFCLASS64 2 */
	uint8_t build_id_len;		/* 0: has none */
	uint16_t machine;		/* EM_* */
	uint8_t build_id[24];
};

/* 0, -ENOEXEC for what is not ELF, or an error of reading. */
int elf_id_read(int fd, struct elf_id *out);

/* The same, remembered by (device, inode, size, time of modification and of
 * change); the oldest of max entries goes when it is full.  One thread. */
struct elf_id_cache;
int elf_id_cache_new(struct elf_id_cache **out, size_t max);
void elf_id_cache_free(struct elf_id_cache *c);
int elf_id_cache_get(struct elf_id_cache *c, int fd, struct elf_id *out);
/* By name; st is what stat() told of it just now.  Opened only where it is not remembered. */
int elf_id_cache_get_path(struct elf_id_cache *c, const char *path, const struct stat *st,
			  struct elf_id *out);
/* Files that were read, and files that had to be forgotten for others, so far. */
uint64_t elf_id_cache_misses(const struct elf_id_cache *c);
uint64_t elf_id_cache_evictions(const struct elf_id_cache *c);

#endif
