/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fold groups.  group_table_get() and group_add() are the whole cost of a call
 * that is folded, so they are small: the group of the latest call is tried
 * first, then one probe of a half-empty index.  Runs on the consumer thread.
 */
#include "config.h"
#include "stats/group.h"

#include <stdlib.h>
#include <string.h>

#define GROUP_CAP_MIN 8u
#define GROUP_MAX 32768u

const uint64_t group_bounds_ns[GROUP_BOUNDS] = {
	1000u, 3000u, 10000u, 30000u, 100000u, 300000u, 1000000u, 3000000u, 10000000u, 30000000u, 100000000u,
	300000000u, 1000000000u, 3000000000u, 10000000000u,
};
const double group_bounds_s[GROUP_BOUNDS] = {
	1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, 3, 10,
};

/* First bucket that numbers of this bit length can fall into.  Bounds are a
 * factor of three apart, so at most one lies within a bit length. */
static const uint8_t first_bucket[65] = {
    [0 ... 9] = 0, [10] = 0,  [11] = 1,	 [12] = 1,  [13] = 2,  [14] = 2,	 [15] = 3,
    [16] = 4,	   [17] = 4,  [18] = 5,	 [19] = 5,  [20] = 6,  [21] = 7,	 [22] = 7,
    [23] = 8,	   [24] = 8,  [25] = 9,	 [26] = 10, [27] = 10, [28] = 11,	 [29] = 11,
    [30] = 12,	   [31] = 13, [32] = 13, [33] = 14, [34] = 14, [35 ... 64] = 15,
};

void group_table_init(struct group_table *t, uint32_t max)
{
	*t = (struct group_table){ .max = max < GROUP_MAX ? max : GROUP_MAX,
				   .other = { .key = GROUP_OTHER } };
}

void group_table_fini(struct group_table *t)
{
	free(t->groups);
	free(t->index);
	group_table_init(t, t->max);
}

void group_table_reset(struct group_table *t)
{
	if (t->index)
		memset(t->index, 0, 2 * t->cap * sizeof(*t->index));
	t->used = t->last = 0;
	t->other = (struct group){ .key = GROUP_OTHER };
}

static inline uint32_t index_slot(const struct group_table *t, uint64_t key)
{
	uint32_t mask = 2 * t->cap - 1, i = (uint32_t)(key * 0x9e3779b97f4a7c15u >> 40) & mask;

	while (t->index[i] && t->groups[t->index[i] - 1].key != key)
		i = (i + 1) & mask;
	return i;
}

static bool table_grow(struct group_table *t)
{
	uint32_t cap = t->cap ? 2 * t->cap : GROUP_CAP_MIN;
	struct group *groups = realloc(t->groups, cap * sizeof(*groups));
	uint16_t *index;

	if (!groups)
		return false;
	t->groups = groups;
	index = calloc(2 * cap, sizeof(*index));
	if (!index)
		return false;
	free(t->index);
	t->index = index;
	t->cap = cap;
	for (uint32_t i = 0; i < t->used; i++)
		index[index_slot(t, groups[i].key)] = (uint16_t)(i + 1);
	return true;
}

static struct group *table_add(struct group_table *t, uint64_t key)
{
	if (t->used == t->max || (t->used == t->cap && !table_grow(t))) {
		t->refused++;
		return &t->other;
	}
	t->groups[t->used] = (struct group){ .key = key };
	t->index[index_slot(t, key)] = (uint16_t)(t->used + 1);
	t->last = t->used++;
	return &t->groups[t->last];
}

struct group *group_table_get(struct group_table *t, uint64_t key)
{
	uint32_t pos;

	if (t->used && t->groups[t->last].key == key)
		return &t->groups[t->last];
	if (key == GROUP_OTHER)
		return &t->other;
	pos = t->cap ? t->index[index_slot(t, key)] : 0;
	if (!pos)
		return table_add(t, key);
	t->last = pos - 1;
	return &t->groups[t->last];
}

struct group *group_table_next(struct group_table *t, uint32_t *pos)
{
	while (*pos < t->used)
		if (t->groups[(*pos)++].count)
			return &t->groups[*pos - 1];
	if (*pos > t->used || !t->other.count)
		return NULL;
	*pos = t->used + 1;
	return &t->other;
}

void group_add(struct group *g, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t ns = end_ns > start_ns ? end_ns - start_ns : 0;
	unsigned i = first_bucket[ns ? 64 - __builtin_clzll(ns) : 0];

	if (g->count++ == 0) {
		g->min_ns = g->max_ns = ns;
		g->first_ns = start_ns;
		g->last_ns = end_ns;
	}
	g->total_ns += ns;
	if (ns < g->min_ns)
		g->min_ns = ns;
	if (ns > g->max_ns)
		g->max_ns = ns;
	if (start_ns < g->first_ns)
		g->first_ns = start_ns;
	if (end_ns > g->last_ns)
		g->last_ns = end_ns;
	if (i < GROUP_BOUNDS && ns > group_bounds_ns[i])
		i++;
	g->buckets[i]++;
}

void group_merge(struct group *into, const struct group *from)
{
	if (!from->count)
		return;
	if (!into->count) {
		into->min_ns = from->min_ns;
		into->first_ns = from->first_ns;
	}
	into->count += from->count;
	into->total_ns += from->total_ns;
	if (from->min_ns < into->min_ns)
		into->min_ns = from->min_ns;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	if (from->first_ns < into->first_ns)
		into->first_ns = from->first_ns;
	if (from->last_ns > into->last_ns)
		into->last_ns = from->last_ns;
	for (unsigned i = 0; i < GROUP_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

void group_reset(struct group *g)
{
	g->count = g->total_ns = g->min_ns = g->max_ns = g->first_ns = g->last_ns = 0;
	memset(g->buckets, 0, sizeof(g->buckets));
}

int group_slow_lookup(const struct group *g, uint64_t ns)
{
	unsigned least = 0;

	for (unsigned i = 1; i < GROUP_SLOW; i++)
		if (g->slow[i].ns < g->slow[least].ns)
			least = i;
	return ns > g->slow[least].ns ? (int)least : -1;
}

void group_slow_set(struct group *g, int slot, uint64_t ns, void *item)
{
	g->slow[slot] = (struct group_slow){ .ns = ns, .item = item };
	g->floor_ns = g->slow[0].ns;
	for (unsigned i = 1; i < GROUP_SLOW; i++)
		if (g->slow[i].ns < g->floor_ns)
			g->floor_ns = g->slow[i].ns;
}

void group_format_counts(const struct group *g, int64_t out[GROUP_BUCKETS])
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < GROUP_BUCKETS; i++) {
		sum += g->buckets[i];
		out[i] = (int64_t)sum;
	}
}
