/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool's reading half: records of a segment, whatever happened to it.
 * Runs on the exporter thread of a run that has a spool, and in `tracer send`;
 * the reader belongs to its caller, the buffer to the reader.
 */
#include "config.h"
#include "export/spool.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <tracer/error.h>
#include "export/spool_format.h"

#define SCAN_BYTES 4096u
#define SEGMENTS_MAX 100000

static const uint8_t record_magic[4] = SPOOL_RECORD_MAGIC;

int spool_reader_open(struct spool_reader *r, const char *path)
{
	struct spool_file_head head;
	int err;

	*r = (struct spool_reader){ .fd = open(path, O_RDWR | O_CLOEXEC) };
	if (r->fd < 0)
		return -errno;
	snprintf(r->path, sizeof(r->path), "%s", path);
	if (flock(r->fd, LOCK_EX | LOCK_NB) < 0)
		err = -errno;
	else if (pread(r->fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
		 memcmp(head.magic, SPOOL_FILE_MAGIC, sizeof(head.magic)) != 0)
		err = -TRACER_ERR_FORMAT;
	else
		err = 0;
	spool_reader_reset(r);
	if (err)
		spool_reader_close(r);
	return err;
}

void spool_reader_close(struct spool_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	free(r->buf);
	*r = (struct spool_reader){ .fd = -1 };
}

void spool_reader_reset(struct spool_reader *r)
{
	r->pos = sizeof(struct spool_file_head);
}

static int file_end(const struct spool_reader *r, uint64_t *end)
{
	struct stat st;

	if (fstat(r->fd, &st) < 0)
		return -errno;
	*end = (uint64_t)st.st_size;
	return 0;
}

/* The payload behind a head that looks right: 1 it is what the head says, 0 not. */
static int payload_read(struct spool_reader *r, const struct spool_record_head *h)
{
	size_t need = SPOOL_HEADROOM + h->len;
	ssize_t got;
	uLong crc;

	if (need > r->cap) {
		uint8_t *buf = realloc(r->buf, need + need / 2);

		if (!buf)
			return -ENOMEM;
		r->buf = buf;
		r->cap = need + need / 2;
	}
	got = pread(r->fd, r->buf + SPOOL_HEADROOM, h->len, (off_t)(r->pos + sizeof(*h)));
	if (got < 0)
		return -errno;
	if ((size_t)got != h->len)
		return 0;
	crc = crc32(0, (const Bytef *)&h->len, SPOOL_CRC_BYTES);
	return (uint32_t)crc32(crc, r->buf + SPOOL_HEADROOM, h->len) == h->crc;
}

/* The record at pos: 1 whole, 0 damaged, negative. */
static int record_read(struct spool_reader *r, uint64_t end, struct spool_record_head *h)
{
	if (end - r->pos < sizeof(*h))
		return 0;
	if (pread(r->fd, h, sizeof(*h), (off_t)r->pos) != (ssize_t)sizeof(*h))
		return -EIO;
	/* Without a payload its padding could be the beginning of the next record; none is ever written so. */
	if (memcmp(h->magic, record_magic, sizeof(record_magic)) != 0 || !h->len || h->len > SPOOL_PAYLOAD_MAX ||
	    h->len > end - r->pos - sizeof(*h))
		return 0;
	return payload_read(r, h);
}

/* The next place behind pos where a record may begin, or the end. */
static uint64_t scan(const struct spool_reader *r, uint64_t end)
{
	uint8_t buf[SCAN_BYTES];
	uint64_t pos = r->pos + 1;

	while (pos < end) {
		ssize_t n = pread(r->fd, buf, sizeof(buf), (off_t)pos);
		const uint8_t *hit = n < 4 ? NULL : memmem(buf, (size_t)n, record_magic, sizeof(record_magic));

		if (n < 4)
			return end;
		if (hit)
			return pos + (uint64_t)(hit - buf);
		pos += (uint64_t)n - 3;
	}
	return end;
}

int spool_reader_next(struct spool_reader *r, struct spool_record *out)
{
	struct spool_record_head h;
	uint64_t end = 0;
	int err = file_end(r, &end);

	while (!err && r->pos < end) {
		int whole = record_read(r, end, &h);
		uint64_t at = r->pos;

		if (whole < 0)
			return whole;
		if (!whole) {
			r->pos = scan(r, end);
			r->damaged += r->pos - at;
			continue;
		}
		r->pos += sizeof(h) + h.len;
		if (h.state == SPOOL_SENT)
			continue;
		*out = (struct spool_record){ .offset = at, .time_ns = h.time_ns, .spans = h.spans,
					      .payload = r->buf + SPOOL_HEADROOM, .len = h.len };
		return 1;
	}
	return err;
}

int spool_reader_mark_sent(struct spool_reader *r, const struct spool_record *rec)
{
	const uint8_t sent = SPOOL_SENT;
	off_t at = (off_t)(rec->offset + offsetof(struct spool_record_head, state));

	return pwrite(r->fd, &sent, 1, at) == 1 ? 0 : -errno;
}

int spool_reader_remove_if_done(struct spool_reader *r)
{
	uint64_t pos = r->pos, damaged = r->damaged;
	struct spool_record rec;
	int more;

	spool_reader_reset(r);
	more = spool_reader_next(r, &rec);
	r->pos = pos;
	r->damaged = damaged;
	return more == 0 && unlink(r->path) == 0;
}

static int is_segment(const struct dirent *e)
{
	size_t n = strlen(e->d_name), k = sizeof(SPOOL_SUFFIX) - 1;

	return n > k && strcmp(e->d_name + n - k, SPOOL_SUFFIX) == 0;
}

int spool_list(const char *dir, char ***out)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_segment, alphasort), kept = 0;

	if (n < 0)
		return -errno;
	*out = calloc((size_t)n + 1, sizeof(char *));
	for (int i = 0; i < n; i++) {
		if (*out && kept < SEGMENTS_MAX && asprintf(&(*out)[kept], "%s/%s", dir, entries[i]->d_name) >= 0)
			kept++;
		free(entries[i]);
	}
	free(entries);
	return *out ? kept : -ENOMEM;
}
