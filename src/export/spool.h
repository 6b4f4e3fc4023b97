/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches on disk that no collector took: segments in a directory, one for
 * each run, each a head and a sequence of records with a checksum.  A record
 * that was delivered later is marked in place; a segment without unsent
 * records is removed.  Whatever byte a crash stopped at, every record that
 * was whole is found again.
 *
 * A segment is locked (flock) while its run, or `tracer send`, works on it.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <limits.h>

#define SPOOL_SUFFIX ".spool"
#define SPOOL_HEADROOM 8u		/* writable bytes before a payload that was read */
#define SPOOL_PAYLOAD_MAX 67108864u

enum spool_sync { SPOOL_SYNC_NONE = 0, SPOOL_SYNC_CLOSE, SPOOL_SYNC_BATCH };

/* ---- reading ---- */

struct spool_record {
	uint64_t offset;		/* of its head */
	uint64_t time_ns;		/* Unix, when it was written */
	uint32_t spans;
	const uint8_t *payload;		/* gzipped ExportTraceServiceRequest; until the next call */
	size_t len;
};

struct spool_reader {
	int fd;
	uint64_t pos;
	uint8_t *buf;
	size_t cap;
	uint64_t damaged;		/* bytes that belong to no whole record */
	char path[PATH_MAX];
};

/* -EWOULDBLOCK: somebody works on it.  -TRACER_ERR_FORMAT: not a segment. */
int spool_reader_open(struct spool_reader *r, const char *path);
void spool_reader_close(struct spool_reader *r);
/* 1: the next unsent record; 0: there is none (what is written later will be
 * seen); negative: read error. */
int spool_reader_next(struct spool_reader *r, struct spool_record *out);
int spool_reader_mark_sent(struct spool_reader *r, const struct spool_record *rec);
/* Back to the first record. */
void spool_reader_reset(struct spool_reader *r);
/* Removes the segment if nothing in it is unsent: 1 removed, 0 not. */
int spool_reader_remove_if_done(struct spool_reader *r);
/* Paths of the segments of a directory, oldest first; the caller frees each
 * and the list.  Count or -errno. */
int spool_list(const char *dir, char ***out);

/* ---- writing ---- */

struct spool;
struct spool_stats { uint64_t records, spans, bytes, refused_full, errors; };

/* Makes the directory if need be and checks that it can be written; the
 * segment is made with the first record.  max: bytes of all segments in it. */
int spool_open(struct spool **out, const char *dir, uint64_t max, enum spool_sync sync, char *why, size_t whylen);
/* Syncs as told; an empty segment is removed. */
void spool_close(struct spool *s);
/* 0; -ENOSPC: over max, or disk full; -errno.  On error the segment is as before. */
int spool_add(struct spool *s, const uint8_t *payload, size_t len, uint32_t spans);
void spool_stats(const struct spool *s, struct spool_stats *out);
/* A reader of what this run has written so far; NULL: nothing yet.  Owned by s. */
struct spool_reader *spool_own(struct spool *s);
const char *spool_dir(const struct spool *s);

#endif
