/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool's writing half.  Exporter thread; one segment per run, made with
 * the first record and locked as long as the run lives.
 */
#include "config.h"
#include "export/spool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>
#include <tracer/error.h>
#include "base/clock.h"
#include "export/spool_format.h"

struct spool {
	char dir[PATH_MAX - 80];		/* room for a name behind it */
	uint64_t max, others, end;	/* others: bytes of segments that are not ours; end: of ours */
	enum spool_sync sync;
	struct spool_reader own;	/* fd -1: no segment yet */
	struct spool_stats stats;
};

static int dir_check(const char *dir, char *why, size_t whylen)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		snprintf(why, whylen, "cannot make the spool directory '%s': %s", dir, strerror(errno));
		return -TRACER_ERR_USAGE;
	}
	if (access(dir, R_OK | W_OK | X_OK) < 0) {
		snprintf(why, whylen, "cannot write to the spool directory '%s': %s", dir, strerror(errno));
		return -TRACER_ERR_USAGE;
	}
	return 0;
}

static uint64_t dir_bytes(const char *dir)
{
	char **paths = NULL;
	uint64_t sum = 0;
	int n = spool_list(dir, &paths);

	for (int i = 0; i < n; i++) {
		struct stat st;

		if (stat(paths[i], &st) == 0)
			sum += (uint64_t)st.st_size;
		free(paths[i]);
	}
	free(paths);
	return sum;
}

int spool_open(struct spool **out, const char *dir, uint64_t max, enum spool_sync sync, char *why, size_t whylen)
{
	struct spool *s;
	int err;

	if (strlen(dir) >= sizeof(s->dir)) {
		snprintf(why, whylen, "the name of the spool directory is too long");
		return -TRACER_ERR_USAGE;
	}
	err = dir_check(dir, why, whylen);
	if (err)
		return err;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	strcpy(s->dir, dir);
	s->max = max;
	s->sync = sync;
	s->own.fd = -1;
	s->others = dir_bytes(dir);
	*out = s;
	return 0;
}

/* A name that sorts by time and that no other run has. */
static int segment_create(struct spool *s)
{
	struct spool_file_head head = { .magic = SPOOL_FILE_MAGIC };
	int fd;

	snprintf(s->own.path, sizeof(s->own.path), "%s/spans-%020llu-%d" SPOOL_SUFFIX, s->dir,
		 (unsigned long long)clock_real_ns(), (int)getpid());
	fd = open(s->own.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || write(fd, &head, sizeof(head)) != (ssize_t)sizeof(head)) {
		int err = errno ? -errno : -ENOSPC;

		unlink(s->own.path);
		close(fd);
		return err;
	}
	s->own.fd = fd;
	s->own.pos = s->end = sizeof(head);
	return 0;
}

static uint32_t record_crc(const struct spool_record_head *h, const uint8_t *payload)
{
	uLong crc = crc32(0, (const Bytef *)&h->len, SPOOL_CRC_BYTES);

	return (uint32_t)crc32(crc, payload, h->len);
}

static int segment_write(struct spool *s, const struct spool_record_head *h, const uint8_t *payload)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)h, sizeof(*h) }, { (void *)(uintptr_t)payload, h->len } };
	size_t total = sizeof(*h) + h->len;
	ssize_t put = pwritev(s->own.fd, iov, 2, (off_t)s->end);

	if (put == (ssize_t)total && (s->sync != SPOOL_SYNC_BATCH || fdatasync(s->own.fd) == 0)) {
		s->end += total;
		return 0;
	}
	/* A torn record would be skipped by readers; still, leave none. */
	int err = put >= 0 && put < (ssize_t)total ? -ENOSPC : -errno;

	if (ftruncate(s->own.fd, (off_t)s->end) < 0)
		s->stats.errors++;
	return err;
}

int spool_add(struct spool *s, const uint8_t *payload, size_t len, uint32_t spans)
{
	struct spool_record_head h = { .magic = SPOOL_RECORD_MAGIC, .state = SPOOL_UNSENT, .len = (uint32_t)len,
				       .spans = spans, .time_ns = clock_real_ns() };
	int err;

	if (len > SPOOL_PAYLOAD_MAX || s->others + s->end + sizeof(h) + len > s->max) {
		s->stats.refused_full++;
		return -ENOSPC;
	}
	err = s->own.fd < 0 ? segment_create(s) : 0;
	if (!err) {
		h.crc = record_crc(&h, payload);
		err = segment_write(s, &h, payload);
	}
	if (err) {
		s->stats.errors++;
		return err;
	}
	s->stats.records++;
	s->stats.spans += spans;
	s->stats.bytes += sizeof(h) + len;
	return 0;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	if (s->own.fd >= 0) {
		if (!spool_reader_remove_if_done(&s->own) && s->sync != SPOOL_SYNC_NONE)
			fdatasync(s->own.fd);
		spool_reader_close(&s->own);
	}
	free(s);
}

void spool_stats(const struct spool *s, struct spool_stats *out)
{
	*out = s->stats;
}

struct spool_reader *spool_own(struct spool *s)
{
	return s->own.fd < 0 ? NULL : &s->own;
}

const char *spool_dir(const struct spool *s)
{
	return s->dir;
}
