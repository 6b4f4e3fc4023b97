/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known call sites, kept from one run to the next: for each file what it is
 * known by, its path, and where calls were met with which number.  Hints, not
 * code: every site is looked at in the file itself before it is patched, and
 * a file that is not what it was is left out.
 *
 * The directory and the file in it have to be ours alone to write; what is
 * not, or is damaged, or of another version, is ignored and counted.  A new
 * file takes the old one's place in one step.  Supervisor thread.
 */
#include "config.h"
#include "engine/inproc.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "call-sites"
#define MAGIC 0x7365746973637274ull	/* "trcsites" */
#define CACHE_VERSION 2u
#define CACHE_MAX (4u << 20)
#define FILES_KEPT 96u			/* the rest of the table is for what is new */

struct cache_head {
	uint64_t magic;
	uint32_t version, nfiles;
	uint64_t size;			/* of what follows */
	uint64_t hash;			/* of all, with this field zero */
};

/* A path and the sites follow, each padded to 8 bytes. */
struct cache_file {
	struct agent_file_id id;
	uint64_t offset, length;
	uint32_t path_len;
	uint16_t nsites, executed;
};

struct cache_site { uint32_t at; uint32_t nr; };

#define PADDED(n) (((n) + 7u) & ~(size_t)7)

/* ---- where it is ---- */

static bool ours_alone(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* The directory, with those above it that are missing where it is to be written; or -errno. */
static int dir_open(const char *path, bool make)
{
	char part[4096];
	int fd;

	if (!path[0] || strlen(path) >= sizeof(part))
		return -EINVAL;
	strcpy(part, path);
	for (char *p = part + 1; make && p; ) {
		p = strchr(p, '/');
		if (p)
			*p = '\0';
		mkdir(part, 0700);
		if (p)
			*p++ = '/';
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!ours_alone(fd, S_IFDIR)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

/* ---- reading ---- */

static int bytes_read(const char *dir, uint8_t **out, size_t *size)
{
	int at = dir_open(dir, false), fd, rc = -EPERM;
	struct stat st;

	if (at < 0)
		return at;
	fd = openat(at, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	close(at);
	if (fd < 0)
		return -errno;
	*out = NULL;
	if (ours_alone(fd, S_IFREG) && fstat(fd, &st) == 0) {
		*size = (size_t)st.st_size;
		rc = st.st_size < (off_t)sizeof(struct cache_head) || st.st_size > CACHE_MAX ? -EBADMSG : 0;
	}
	if (rc == 0) {
		*out = malloc(*size);
		rc = !*out ? -ENOMEM : read(fd, *out, *size) == (ssize_t)*size ? 0 : -EBADMSG;
	}
	if (rc < 0)
		free(*out);
	close(fd);
	return rc;
}

static bool head_valid(uint8_t *bytes, size_t size)
{
	struct cache_head h;

	memcpy(&h, bytes, sizeof(h));
	memset(bytes + offsetof(struct cache_head, hash), 0, sizeof(h.hash));
	return h.magic == MAGIC && h.version == CACHE_VERSION && h.size == size - sizeof(h) && h.size % 8 == 0 &&
	       h.hash == files_hash(bytes, size);
}

static bool unchanged(const char *path, const struct agent_file_id *id)
{
	struct agent_file_id now;
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	files_id(&now, &st);
	return !memcmp(&now, id, sizeof(now));
}

static void sites_load(struct inproc *e, struct inproc_file *f, const uint8_t *p, uint32_t n)
{
	struct cache_site s;

	for (uint32_t i = 0; i < n; i++) {
		memcpy(&s, p + i * sizeof(s), sizeof(s));
		if (s.at + 2ull <= f->length && s.nr < AGENT_NR_MAX)
			files_site_add(e, f, s.at, (uint16_t)s.nr);
	}
	f->cached = f->nsites > 0;
}

/* One file of n bytes at p: bytes used, or negative where they make no sense. */
static ssize_t file_load(struct inproc *e, const uint8_t *p, size_t n)
{
	struct cache_file c;
	struct inproc_file *f;
	size_t paths, sites;
	const char *path;

	if (n < sizeof(c))
		return -EBADMSG;
	memcpy(&c, p, sizeof(c));
	paths = PADDED(c.path_len);
	sites = c.nsites * sizeof(struct cache_site);
	path = (const char *)p + sizeof(c);
	if (c.path_len < 2 || c.path_len > 4096 || c.nsites > AGENT_NR_MAX || sizeof(c) + paths + sites > n ||
	    path[0] != '/' || memchr(path, '\0', c.path_len) != path + c.path_len - 1)
		return -EBADMSG;
	if (unchanged(path, &c.id)) {
		f = files_add(e, &c.id, c.offset, c.length, path);
		if (f) {
			f->executed = c.executed;
			sites_load(e, f, p + sizeof(c) + paths, c.nsites);
		}
	}
	return (ssize_t)(sizeof(c) + paths + sites);
}

static int files_load(struct inproc *e, const uint8_t *bytes, size_t size)
{
	const uint8_t *p = bytes + sizeof(struct cache_head), *end = bytes + size;

	while (p < end && e->files.nfiles < FILES_KEPT) {
		ssize_t n = file_load(e, p, (size_t)(end - p));

		if (n < 0)
			return (int)n;
		p += n;
	}
	return 0;
}

/* Whoever named the directory is told; the usual one is no matter for a message. */
static int level_of(const struct inproc *e)
{
	return e->sup.cfg.site_cache_named ? LOG_WARN : LOG_DEBUG;
}

void cache_load(struct inproc *e)
{
	const char *dir = e->sup.cfg.site_cache;
	size_t size = 0;
	uint8_t *bytes = NULL;
	int rc;

	if (!dir || e->arena->copies_at == e->arena->copies_end)
		return;
	rc = bytes_read(dir, &bytes, &size);
	if (rc == -ENOENT)
		return;
	if (rc == 0) {
		rc = head_valid(bytes, size) ? files_load(e, bytes, size) : -EBADMSG;
		free(bytes);
	}
	e->files.learnt = 0;
	e->sup.stats[ENGINE_STAT_SITES_LEARNT] = 0;
	if (rc == 0)
		return;
	e->sup.stats[ENGINE_STAT_CACHE_IGNORED]++;
	log_msg(e->sup.cfg.log, level_of(e), "the call sites in '%s' are not used: %s", dir,
		rc == -EBADMSG ? "damaged or of another version" :
		rc == -EPERM ? "it is not yours alone to write (owner, mode)" : strerror(-rc));
}

/* ---- writing ---- */

static size_t file_size(const struct inproc_file *f)
{
	return sizeof(struct cache_file) + PADDED(strlen(f->path) + 1) + f->nsites * sizeof(struct cache_site);
}

static uint8_t *file_store(uint8_t *p, const struct inproc_file *f)
{
	struct cache_file c = { .id = f->id, .offset = f->offset, .length = f->length,
				.path_len = (uint32_t)strlen(f->path) + 1, .nsites = (uint16_t)f->nsites,
				.executed = f->executed };

	memcpy(p, &c, sizeof(c));
	p += sizeof(c);
	memcpy(p, f->path, c.path_len);
	p += PADDED(c.path_len);
	for (unsigned i = 0; i < f->nsites; i++, p += sizeof(struct cache_site))
		memcpy(p, &(struct cache_site){ f->sites[i].at, f->sites[i].nr }, sizeof(struct cache_site));
	return p;
}

/* What was met in this run comes first: it is kept when there is too much. */
static uint8_t *bytes_new(const struct inproc *e, size_t *size)
{
	struct cache_head h = { .magic = MAGIC, .version = CACHE_VERSION };
	uint8_t *bytes, *p;

	*size = sizeof(h);
	for (unsigned i = 0; i < e->files.nfiles; i++)
		if (e->files.files[i].path && e->files.files[i].nsites)
			*size += file_size(&e->files.files[i]);
	bytes = *size <= CACHE_MAX ? calloc(1, *size) : NULL;
	if (!bytes)
		return NULL;
	p = bytes + sizeof(h);
	for (unsigned old = 0; old < 2; old++)
		for (unsigned i = 0; i < e->files.nfiles; i++) {
			const struct inproc_file *f = &e->files.files[i];

			if (!f->path || !f->nsites || (f->cached && !f->copied) != old)
				continue;
			p = file_store(p, f);
			h.nfiles++;
		}
	h.size = *size - sizeof(h);
	memcpy(bytes, &h, sizeof(h));
	h.hash = files_hash(bytes, *size);
	memcpy(bytes, &h, sizeof(h));
	return bytes;
}

static int bytes_write(const char *dir, const uint8_t *bytes, size_t size)
{
	int at = dir_open(dir, true), fd, rc;
	char name[48];

	if (at < 0)
		return at;
	snprintf(name, sizeof(name), "." NAME ".%d", (int)getpid());
	unlinkat(at, name, 0);
	fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : write(fd, bytes, size) == (ssize_t)size ? 0 : -ENOSPC;
	if (fd >= 0)
		close(fd);
	if (rc == 0 && renameat(at, name, at, NAME) < 0)
		rc = -errno;
	if (rc < 0 && fd >= 0)
		unlinkat(at, name, 0);
	close(at);
	return rc;
}

void cache_store(struct inproc *e)
{
	const char *dir = e->sup.cfg.site_cache;
	uint8_t *bytes;
	size_t size;
	int rc;

	if (!dir || !e->files.learnt)
		return;
	bytes = bytes_new(e, &size);
	rc = bytes ? bytes_write(dir, bytes, size) : -ENOMEM;
	free(bytes);
	if (rc < 0)
		log_msg(e->sup.cfg.log, level_of(e), "the call sites are not kept in '%s': %s", dir, strerror(-rc));
}
