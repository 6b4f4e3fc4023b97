/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding: calls of one kind and outcome become a count, times and a
 * histogram.  A table holds the groups of a thread, a process or a run; it is
 * bounded, and what it has no room for goes to one common group, so that no
 * call is ever lost.  One thread at a time.
 */
#ifndef GROUP_H
#define GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Buckets from 1 us upward; the last one has no bound. */
#define GROUP_BOUNDS 15u
#define GROUP_BUCKETS (GROUP_BOUNDS + 1u)
extern const uint64_t group_bounds_ns[GROUP_BOUNDS];
extern const double group_bounds_s[GROUP_BOUNDS];

/* The slowest calls of a group that are kept whole. */
#define GROUP_SLOW 3u
struct group_slow { uint64_t ns; void *item; };	/* item: the owner's, NULL once it was handed on */

/* What a group is of: call number, ABI, errno of the failure (0: success),
 * and whether that failure is news.  GROUP_OTHER is the common group. */
#define GROUP_OTHER UINT64_MAX
static inline uint64_t group_key(int abi, int nr, int err, bool unexpected)
{
	return (uint64_t)(uint32_t)nr << 32 | (uint64_t)(uint8_t)abi << 24 | (uint64_t)unexpected << 16 |
	       (uint16_t)err;
}
static inline int group_nr(uint64_t key) { return (int)(int32_t)(key >> 32); }
static inline int group_abi(uint64_t key) { return (int)(key >> 24 & 0xff); }
static inline int group_errno(uint64_t key) { return (int)(key & 0xffff); }
static inline bool group_unexpected(uint64_t key) { return key >> 16 & 1; }

struct group {
	uint64_t key;
	uint64_t count, total_ns, min_ns, max_ns;
	uint64_t first_ns, last_ns;		/* start of the earliest, end of the latest call */
	uint64_t buckets[GROUP_BUCKETS];	/* each for itself, not cumulative */
	struct group_slow slow[GROUP_SLOW];
	uint64_t floor_ns;			/* a call must be slower to be among the slowest */
};

struct group_table {
	struct group *groups;		/* dense, in order of appearance */
	uint16_t *index;		/* open addressing: position + 1 in groups */
	uint32_t used, cap, max;	/* cap a power of two; index has 2 * cap slots */
	uint32_t last;			/* where the latest call went */
	struct group other;
	uint64_t refused;		/* calls that went to other because the table was full */
};

/* At most max groups (<= 32768); nothing is allocated before the first. */
void group_table_init(struct group_table *t, uint32_t max);
void group_table_fini(struct group_table *t);
/* Empty again, memory kept. */
void group_table_reset(struct group_table *t);
/* The group of a key, made when it is not there.  Never NULL: see other.  The
 * pointer is good until the next get of a new key. */
struct group *group_table_get(struct group_table *t, uint64_t key);
/* Non-empty groups, the common one last: *pos starts at 0, NULL at the end. */
struct group *group_table_next(struct group_table *t, uint32_t *pos);

void group_add(struct group *g, uint64_t start_ns, uint64_t end_ns);
/* Counts, times and histogram; the slowest stay with from. */
void group_merge(struct group *into, const struct group *from);
/* Counts and times back to nothing; what is known of the slowest stays. */
void group_reset(struct group *g);
/* Where ns stands among the slowest: the slot it should take, or -1. */
int group_slow_lookup(const struct group *g, uint64_t ns);
void group_slow_set(struct group *g, int slot, uint64_t ns, void *item);
/* Bucket counts summed up, as aggregation.histogram_bucket_counts has them. */
void group_format_counts(const struct group *g, int64_t out[GROUP_BUCKETS]);

#endif
