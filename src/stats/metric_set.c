/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series of calls per executable.  Owned by the consumer thread.  A call costs
 * a look into a small cache of images, one probe of an open-addressing index
 * and an increment in a histogram; memory is only taken for a series that was
 * never there before, and is kept when the counts go back to nothing.
 */
#include "config.h"
#include "stats/metric_set.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/utf8.h"
#include "stats/group.h"
#include "syscalls/syscalls.h"

#define SERIES_DEFAULT 2000u		/* metrics/sdk.md, "Cardinality limits" */
#define SERIES_MAX 1000000u
#define SERIES_FIRST 64u
#define IMAGES 256u			/* slots of the cache */
#define CALL_UNNAMED 0x80000000u	/* the rest is a number without a row */
#define ERRNO_MAX 4095

_Static_assert(METRIC_BUCKETS == GROUP_BUCKETS, "bounds are those of groups");

struct metric_set {
	struct metric_set_config cfg;
	struct metric_series *series;
	uint32_t *index;		/* position + 1; 2 * cap slots */
	uint32_t used, cap;
	struct metric_series overflow;
	struct metric_exec execs[METRIC_EXECS_MAX + 1];	/* the last one: those without a place */
	uint32_t nexecs;
	struct { uint32_t image; uint32_t exec; } images[IMAGES];
	struct metric_set_stats stats;
};

static void durations_init(const struct metric_set *m, struct metric_series *s)
{
	if (!m->cfg.explicit_buckets)
		exp_histogram_init(&s->durations.exp);
	else
		s->durations.explicit = (struct explicit_histogram){ .min = UINT64_MAX };
}

int metric_set_new(struct metric_set **out, const struct metric_set_config *cfg)
{
	struct metric_set *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->cfg = *cfg;
	if (!m->cfg.max_series)
		m->cfg.max_series = SERIES_DEFAULT;
	if (m->cfg.max_series > SERIES_MAX)
		m->cfg.max_series = SERIES_MAX;
	m->overflow.exec = METRIC_EXECS_MAX;
	durations_init(m, &m->overflow);
	*out = m;
	return 0;
}

void metric_set_free(struct metric_set *m)
{
	if (!m)
		return;
	free(m->series);
	free(m->index);
	free(m);
}

/* --- executables --- */

static const char *base_name(const char *path, size_t *len)
{
	const char *slash = memrchr(path, '/', *len);

	if (slash)
		*len -= (size_t)(slash + 1 - path);
	return slash ? slash + 1 : path;
}

static const char *image_name(const struct metric_set *m, const struct image *img, size_t *len)
{
	*len = img->exe_len;
	if (img->exe && img->exe_len)
		return base_name(img->exe, len);
	*len = m->cfg.program ? strlen(m->cfg.program) : 0;
	if (img->root && *len)
		return base_name(m->cfg.program, len);
	*len = strnlen(img->comm, sizeof(img->comm));
	return img->comm;
}

static uint32_t exec_get(struct metric_set *m, const char *name, size_t len)
{
	struct metric_exec *e;

	if (len >= METRIC_NAME_MAX)
		len = utf8_prefix(name, len, METRIC_NAME_MAX - 1);
	for (uint32_t i = 0; i < m->nexecs; i++)
		if (!strncmp(m->execs[i].name, name, len) && !m->execs[i].name[len])
			return i;
	if (m->nexecs == METRIC_EXECS_MAX)
		return METRIC_EXECS_MAX;
	e = &m->execs[m->nexecs];
	memcpy(e->name, name, len);
	e->name[len] = '\0';
	return m->nexecs++;
}

/* An image without a path may still get one: not remembered. */
static uint32_t exec_of(struct metric_set *m, const struct image *img)
{
	uint32_t slot = img->id % IMAGES, exec;
	const char *name;
	size_t len;

	if (m->images[slot].image == img->id)
		return m->images[slot].exec;
	name = image_name(m, img, &len);
	exec = exec_get(m, name, len);
	if (img->exe_len) {
		m->images[slot].image = img->id;
		m->images[slot].exec = exec;
	}
	return exec;
}

/* --- series --- */

static uint64_t hash_of(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15u;
	return key ^ key >> 32;
}

static void index_add(struct metric_set *m, uint32_t i)
{
	uint64_t at = hash_of(m->series[i].key);

	while (m->index[at & (2 * m->cap - 1)])
		at++;
	m->index[at & (2 * m->cap - 1)] = i + 1;
}

static int series_grow(struct metric_set *m)
{
	uint32_t cap = m->cap ? 2 * m->cap : SERIES_FIRST;
	struct metric_series *series = realloc(m->series, cap * sizeof(*series));
	uint32_t *index;

	if (!series)
		return -ENOMEM;
	m->series = series;
	index = calloc(2 * (size_t)cap, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(m->index);
	m->index = index;
	m->cap = cap;
	for (uint32_t i = 0; i < m->used; i++)
		index_add(m, i);
	return 0;
}

/* Moved both ways (sendfile, splice): as a write, which it is for the file that is written. */
static bool is_write(uint32_t call)
{
	const char *name = call & CALL_UNNAMED ? "" : syscall_row_name(call);

	return !strstr(name, "read") && !strstr(name, "recv");
}

static struct metric_series *series_add(struct metric_set *m, uint64_t key, uint32_t call, uint32_t exec,
					int err)
{
	struct metric_series *s;

	if (m->used >= m->cfg.max_series || exec == METRIC_EXECS_MAX ||
	    (m->used == m->cap && series_grow(m) < 0))
		return &m->overflow;
	s = &m->series[m->used];
	s->key = key;
	s->call = call;
	s->exec = (uint16_t)exec;
	s->err = (uint16_t)err;
	s->write = is_write(call);
	s->unfinished = s->bytes = 0;
	durations_init(m, s);
	index_add(m, m->used++);
	return s;
}

static struct metric_series *series_get(struct metric_set *m, uint32_t exec, uint32_t call, int err)
{
	uint64_t key = (uint64_t)exec << 48 | (uint64_t)(uint16_t)err << 32 | call;
	uint64_t at = hash_of(key);
	uint32_t i;

	if (m->cap)
		for (; (i = m->index[at & (2 * m->cap - 1)]); at++)
			if (m->series[i - 1].key == key)
				return &m->series[i - 1];
	return series_add(m, key, call, exec, err);
}

static void explicit_add(struct explicit_histogram *h, uint64_t ns)
{
	unsigned i = 0;

	h->count++;
	h->sum += ns;
	h->min = ns < h->min ? ns : h->min;
	h->max = ns > h->max ? ns : h->max;
	while (i < GROUP_BOUNDS && ns > group_bounds_ns[i])
		i++;
	h->buckets[i]++;
}

void metric_set_call(struct metric_set *m, const struct image *img, const struct tracer_ev_call *ev,
		     uint64_t ns)
{
	const struct syscall_desc *d = syscall_lookup(ev->head.abi, ev->head.nr);
	bool returned = ev->head.kind == TRACER_EV_CALL;
	int err = returned && ev->head.flags & TRACER_EVF_ERROR && ev->ret < 0 && ev->ret >= -ERRNO_MAX
		      ? (int)-ev->ret
		      : 0;
	uint32_t call = d ? d->id : CALL_UNNAMED | (uint32_t)ev->head.nr;
	struct metric_series *s = series_get(m, exec_of(m, img), call, err);

	if (s == &m->overflow)
		m->stats.overflowed++;
	if (!returned) {
		m->stats.unfinished++;
		s->unfinished++;
		return;
	}
	m->stats.calls++;
	if (m->cfg.explicit_buckets)
		explicit_add(&s->durations.explicit, ns);
	else
		exp_histogram_add(&s->durations.exp, ns);
	if (d && d->flags & SYSCALL_F_IO && !err && ev->ret > 0)
		s->bytes += (uint64_t)ev->ret;
}

void metric_set_exit(struct metric_set *m, const struct image *img, const struct tracer_ev_exit *ev)
{
	struct metric_usage *u;

	if (ev->head.tid != ev->pid || ev->head.flags & (TRACER_EVF_DETACHED | TRACER_EVF_SUPERSEDED))
		return;
	u = &m->execs[exec_of(m, img)].usage;
	u->processes++;
	u->utime_us += ev->utime_us;
	u->stime_us += ev->stime_us;
	u->minflt += ev->minflt;
	u->majflt += ev->majflt;
	u->nvcsw += ev->nvcsw;
	u->nivcsw += ev->nivcsw;
	if (ev->maxrss_kib * 1024 > u->maxrss_bytes)
		u->maxrss_bytes = ev->maxrss_kib * 1024;
}

/* --- reading --- */

uint64_t metric_series_count(const struct metric_set *m, const struct metric_series *s)
{
	return m->cfg.explicit_buckets ? s->durations.explicit.count : s->durations.exp.count;
}

const struct metric_series *metric_set_next(const struct metric_set *m, uint32_t *pos)
{
	while (*pos <= m->used) {
		const struct metric_series *s = *pos < m->used ? &m->series[*pos] : &m->overflow;

		++*pos;
		if (metric_series_count(m, s) || s->unfinished)
			return s;
	}
	return NULL;
}

uint32_t metric_set_execs(const struct metric_set *m)
{
	return m->nexecs;
}

const struct metric_exec *metric_set_exec(const struct metric_set *m, uint32_t i)
{
	return &m->execs[i < METRIC_EXECS_MAX ? i : METRIC_EXECS_MAX];
}

const char *metric_call_name(uint32_t call, char buf[24])
{
	if (!(call & CALL_UNNAMED))
		return syscall_row_name(call);
	snprintf(buf, 24, "syscall_0x%x", call & ~CALL_UNNAMED);
	return buf;
}

bool metric_set_explicit(const struct metric_set *m)
{
	return m->cfg.explicit_buckets;
}

/* The index goes, too: the next interval may have other series. */
void metric_set_reset_calls(struct metric_set *m)
{
	if (m->used > m->stats.series_max)
		m->stats.series_max = m->used;
	m->used = 0;
	if (m->cap)
		memset(m->index, 0, 2 * (size_t)m->cap * sizeof(*m->index));
	m->overflow.unfinished = m->overflow.bytes = 0;
	durations_init(m, &m->overflow);
}

void metric_set_reset_usage(struct metric_set *m)
{
	for (uint32_t i = 0; i <= METRIC_EXECS_MAX; i++)
		m->execs[i].usage = (struct metric_usage){ .maxrss_bytes = m->execs[i].usage.maxrss_bytes };
}

void metric_set_stats(const struct metric_set *m, struct metric_set_stats *out)
{
	*out = m->stats;
	out->series = m->used;
	if (m->used > out->series_max)
		out->series_max = m->used;
	out->execs = m->nexecs;
}
