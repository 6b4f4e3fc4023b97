/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF class and build-id by libelf.  Runs on the supervisor; the cache belongs
 * to it.  Files are what users run, so anything may be in them: only regular
 * files are opened, the number of headers and the size of a note segment that
 * are looked at are limited, and ELF_C_READ is used because a mapped file
 * that is truncated meanwhile would be a SIGBUS.
 */
#include "config.h"
#include "symbol/elf_id.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tracer/error.h>
#include <unistd.h>
#include "base/hash.h"

#define PHDRS_MAX 256u
#define NOTES_BYTES_MAX 65536u
#define NOTES_MAX 64u

struct file_key {
	uint64_t dev, ino, size;
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

struct cache_entry {
	struct file_key key;
	uint64_t hash;
	int result;
	struct elf_id id;
};

struct elf_id_cache {
	struct hash index;		/* hash of the key -> entry */
	struct cache_entry *entries;
	size_t max, next;
	uint64_t misses, evictions;
};

static int find_build_id(Elf_Data *data, struct elf_id *out)
{
	size_t at = 0;

	for (unsigned n = 0; n < NOTES_MAX; n++) {
		size_t name, desc;
		GElf_Nhdr nhdr;
		size_t next = gelf_getnote(data, at, &nhdr, &name, &desc);

		if (next == 0)
			return 0;
		if (nhdr.n_type == NT_GNU_BUILD_ID && nhdr.n_namesz == 4 &&
		    memcmp((char *)data->d_buf + name, "GNU", 4) == 0 && nhdr.n_descsz) {
			out->build_id_len = nhdr.n_descsz < ELF_BUILD_ID_MAX ? (uint8_t)nhdr.n_descsz
									     : ELF_BUILD_ID_MAX;
			memcpy(out->build_id, (char *)data->d_buf + desc, out->build_id_len);
			return 1;
		}
		at = next;
	}
	return 0;
}

static void read_notes(Elf *elf, off_t file_size, struct elf_id *out)
{
	size_t n = 0;

	if (elf_getphdrnum(elf, &n) < 0)
		return;
	for (size_t i = 0; i < n && i < PHDRS_MAX; i++) {
		GElf_Phdr ph;
		Elf_Data *data;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_NOTE ||
		    ph.p_filesz > NOTES_BYTES_MAX || ph.p_offset > (uint64_t)file_size ||
		    ph.p_filesz > (uint64_t)file_size - ph.p_offset)
			continue;
		data = elf_getdata_rawchunk(elf, (int64_t)ph.p_offset, ph.p_filesz,
					    ph.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		if (data && data->d_buf && find_build_id(data, out))
			return;
	}
}

static int read_elf(int fd, off_t size, struct elf_id *out)
{
	GElf_Ehdr ehdr;
	Elf *elf;
	int err = -ENOEXEC;

	*out = (struct elf_id){ 0 };
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -TRACER_ERR_FORMAT;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &ehdr)) {
		out->elf_class = (uint8_t)gelf_getclass(elf);
		out->machine = ehdr.e_machine;
		read_notes(elf, size, out);
		err = 0;
	}
	elf_end(elf);
	return err;
}

int elf_id_read(int fd, struct elf_id *out)
{
	struct stat st;

	*out = (struct elf_id){ 0 };
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? read_elf(fd, st.st_size, out) : -ENOEXEC;
}

int elf_id_cache_new(struct elf_id_cache **out, size_t max)
{
	struct elf_id_cache *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return -ENOMEM;
	c->max = max ? max : 1;
	c->entries = calloc(c->max, sizeof(*c->entries));
	if (!c->entries || hash_init(&c->index, c->max) < 0) {
		elf_id_cache_free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void elf_id_cache_free(struct elf_id_cache *c)
{
	if (!c)
		return;
	hash_fini(&c->index);
	free(c->entries);
	free(c);
}

static struct file_key make_key(const struct stat *st)
{
	return (struct file_key){
		.dev = st->st_dev, .ino = st->st_ino, .size = (uint64_t)st->st_size,
		.mtime_s = st->st_mtim.tv_sec, .mtime_ns = st->st_mtim.tv_nsec,
		.ctime_s = st->st_ctim.tv_sec, .ctime_ns = st->st_ctim.tv_nsec,
	};
}

/* The entry to fill for this hash: the one that has it, else the oldest. */
static struct cache_entry *take_entry(struct elf_id_cache *c, uint64_t hash)
{
	struct cache_entry *e = hash_lookup(&c->index, hash);

	if (e)
		return e;
	e = &c->entries[c->next];
	if (hash_lookup(&c->index, e->hash) == e) {
		hash_del(&c->index, e->hash);
		c->evictions++;
	}
	if (hash_put(&c->index, hash, e) < 0)
		return NULL;
	c->next = (c->next + 1) % c->max;
	return e;
}

static struct cache_entry *entry_lookup(struct elf_id_cache *c, const struct file_key *key, uint64_t *hash)
{
	struct cache_entry *e;

	*hash = hash_bytes(key, sizeof(*key), 0);
	e = hash_lookup(&c->index, *hash);
	return e && memcmp(&e->key, key, sizeof(*key)) == 0 ? e : NULL;
}

int elf_id_cache_get_path(struct elf_id_cache *c, const char *path, const struct stat *st, struct elf_id *out)
{
	struct file_key key = make_key(st);
	struct cache_entry *e;
	uint64_t hash;
	int fd, err;

	*out = (struct elf_id){ 0 };
	if (!S_ISREG(st->st_mode))
		return -ENOEXEC;
	e = entry_lookup(c, &key, &hash);
	if (e) {
		*out = e->id;
		return e->result;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	err = elf_id_cache_get(c, fd, out);
	close(fd);
	return err;
}

int elf_id_cache_get(struct elf_id_cache *c, int fd, struct elf_id *out)
{
	struct file_key key;
	struct cache_entry *e;
	struct stat st;
	uint64_t hash;
	int err;

	*out = (struct elf_id){ 0 };
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	key = make_key(&st);
	e = entry_lookup(c, &key, &hash);
	if (!e) {
		c->misses++;
		err = read_elf(fd, st.st_size, out);
		e = take_entry(c, hash);
		if (e)
			*e = (struct cache_entry){ key, hash, err, *out };
		return err;
	}
	*out = e->id;
	return e->result;
}

uint64_t elf_id_cache_misses(const struct elf_id_cache *c)
{
	return c->misses;
}

uint64_t elf_id_cache_evictions(const struct elf_id_cache *c)
{
	return c->evictions;
}
