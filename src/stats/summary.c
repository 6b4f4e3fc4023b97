/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts and times per call.  Owned by the consumer thread.  A row is made
 * when its call is seen first; nothing else is allocated while counting.
 */
#include "config.h"
#include "stats/summary.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "stats/histogram.h"
#include "syscalls/syscalls.h"

#define DIRECT_MAX 512			/* numbers that are found by index */
#define COLUMNS_MAX 16u

struct counter {
	int abi, nr;
	uint64_t unfinished, errors;
	char name_buf[24];
	const char *name;
	struct histogram times;
};

struct summary {
	struct counter *direct[TRACER_ABIS][DIRECT_MAX];
	struct hash others;		/* abi << 32 | nr -> counter */
	struct counter *all[SUMMARY_ROWS_MAX];
	uint32_t n;
	struct counter rest;		/* what found no row */
	bool many_abis;
	struct summary_row rows[SUMMARY_ROWS_MAX + 1];
	uint8_t columns[COLUMNS_MAX];
	uint32_t ncolumns;
};

static const char default_columns[] =
	"time-percent,total-time,avg-time,calls,errors,min-time,p50,p90,p99,max-time,name";

int summary_new(struct summary **out)
{
	struct summary *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return -ENOMEM;
	if (hash_init(&s->others, SUMMARY_ROWS_MAX) < 0) {
		free(s);
		return -ENOMEM;
	}
	histogram_init(&s->rest.times);
	s->rest.name = "other";
	summary_set_columns(s, default_columns);
	*out = s;
	return 0;
}

void summary_free(struct summary *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		free(s->all[i]);
	hash_fini(&s->others);
	free(s);
}

/* ---- counting ---- */

static struct counter *counter_make(struct summary *s, int abi, int nr)
{
	struct counter *c;

	if (s->n == SUMMARY_ROWS_MAX)
		return &s->rest;
	c = calloc(1, sizeof(*c));
	if (!c)
		return &s->rest;
	c->abi = abi;
	c->nr = nr;
	c->name = syscall_name(abi, nr, c->name_buf);
	histogram_init(&c->times);
	if (nr >= 0 && nr < DIRECT_MAX) {
		s->direct[abi][nr] = c;
	} else if (hash_put(&s->others, (uint64_t)(uint32_t)abi << 32 | (uint32_t)nr, c) < 0) {
		free(c);
		return &s->rest;
	}
	if (s->n && s->all[0]->abi != abi)
		s->many_abis = true;
	s->all[s->n++] = c;
	return c;
}

static struct counter *counter_of(struct summary *s, int abi, int nr)
{
	struct counter *c;

	if (nr >= 0 && nr < DIRECT_MAX)
		c = s->direct[abi][nr];
	else
		c = hash_lookup(&s->others, (uint64_t)(uint32_t)abi << 32 | (uint32_t)nr);
	return c ? c : counter_make(s, abi, nr);
}

void summary_add_raw(struct summary *s, int abi, int nr, bool error, uint64_t ns)
{
	struct counter *c = counter_of(s, abi, nr);

	c->errors += error;
	histogram_add(&c->times, ns);
}

void summary_add_unfinished(struct summary *s, int abi, int nr)
{
	counter_of(s, abi, nr)->unfinished++;
}

/* ---- rows ---- */

static struct summary_row row_of(const struct counter *c)
{
	const struct histogram *h = &c->times;

	return (struct summary_row){
		.name = c->name, .abi = c->abi, .calls = h->count + c->unfinished, .errors = c->errors,
		.total_ns = h->sum, .min_ns = h->count ? h->min : 0, .avg_ns = h->count ? h->sum / h->count : 0,
		.max_ns = h->max, .p50_ns = histogram_quantile(h, 0.5), .p90_ns = histogram_quantile(h, 0.9),
		.p99_ns = histogram_quantile(h, 0.99),
	};
}

static int by_name(const struct summary_row *a, const struct summary_row *b)
{
	int d = strcmp(a->name, b->name);

	return d ? d : a->abi - b->abi;
}

/* Larger first, then by name, so that the order never depends on chance. */
#define LARGER_FIRST(field) \
	static int by_##field(const void *pa, const void *pb) \
	{ \
		const struct summary_row *a = pa, *b = pb; \
\
		return a->field != b->field ? (a->field < b->field ? 1 : -1) : by_name(a, b); \
	}
LARGER_FIRST(total_ns)
LARGER_FIRST(calls)
LARGER_FIRST(errors)
LARGER_FIRST(max_ns)
LARGER_FIRST(min_ns)
LARGER_FIRST(avg_ns)

static int by_name_only(const void *a, const void *b)
{
	return by_name(a, b);
}

typedef int (*compare_fn)(const void *a, const void *b);

/* 0, or -EINVAL; *out NULL: as they came. */
static int sort_lookup(const char *name, compare_fn *out)
{
	static const struct { const char *name; compare_fn fn; } keys[] = {
		{ "time", by_total_ns }, { "total-time", by_total_ns }, { "time-percent", by_total_ns },
		{ "calls", by_calls }, { "count", by_calls }, { "errors", by_errors }, { "error", by_errors },
		{ "name", by_name_only }, { "syscall", by_name_only }, { "max", by_max_ns }, { "max-time", by_max_ns },
		{ "min", by_min_ns }, { "min-time", by_min_ns }, { "avg", by_avg_ns }, { "avg-time", by_avg_ns },
		{ "none", NULL }, { "nothing", NULL },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i].name, name) == 0) {
			*out = keys[i].fn;
			return 0;
		}
	}
	return -EINVAL;
}

int summary_rows(struct summary *s, const char *sort, const struct summary_row **out)
{
	compare_fn compare;
	uint32_t n = 0;

	*out = s->rows;
	if (sort_lookup(sort ? sort : "time", &compare) < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < s->n; i++)
		s->rows[n++] = row_of(s->all[i]);
	if (s->rest.times.count + s->rest.unfinished)
		s->rows[n++] = row_of(&s->rest);
	if (compare)
		qsort(s->rows, n, sizeof(s->rows[0]), compare);
	return (int)n;
}

/* ---- text ---- */

struct line { const struct summary_row *row; uint64_t total_ns; bool sum; bool abi_shown; };

/* 312ns 1.24us 15.6ms 2.03s 1234s: three digits that mean something. */
static void add_duration(struct strbuf *out, int width, uint64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double v = (double)ns;
	unsigned u = 0;
	char buf[32];

	while (v >= 999.5 && u < 3) {
		v /= 1000;
		u++;
	}
	snprintf(buf, sizeof(buf), "%.*f%s", u == 0 || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2, v, units[u]);
	strbuf_add_fmt(out, "%*s", width, buf);
}

static void add_percent(struct strbuf *out, int width, const struct line *l)
{
	strbuf_add_fmt(out, "%*.2f", width,
		       l->total_ns ? 100.0 * (double)l->row->total_ns / (double)l->total_ns
		       : l->sum	   ? 100.0
				   : 0.0);
}

static void add_total(struct strbuf *out, int width, const struct line *l)
{
	strbuf_add_fmt(out, "%*.6f", width, (double)l->row->total_ns / 1e9);
}

static void add_avg(struct strbuf *out, int width, const struct line *l)
{
	strbuf_add_fmt(out, "%*llu", width, (unsigned long long)(l->row->avg_ns / 1000));
}

static void add_calls(struct strbuf *out, int width, const struct line *l)
{
	strbuf_add_fmt(out, "%*llu", width, (unsigned long long)l->row->calls);
}

/* As strace: nothing where there was no error. */
static void add_errors(struct strbuf *out, int width, const struct line *l)
{
	if (l->row->errors)
		strbuf_add_fmt(out, "%*llu", width, (unsigned long long)l->row->errors);
	else
		strbuf_add_fmt(out, "%*s", width, "");
}

static void add_name(struct strbuf *out, int width, const struct line *l)
{
	(void)width;
	strbuf_add_str(out, l->row->name);
	if (l->abi_shown && l->row->abi == TRACER_ABI_I386)
		strbuf_add_str(out, " (i386)");
}

#define DURATION_COLUMN(field) \
	static void add_##field(struct strbuf *out, int width, const struct line *l) \
	{ \
		add_duration(out, width, l->row->field); \
	}
DURATION_COLUMN(min_ns)
DURATION_COLUMN(max_ns)
DURATION_COLUMN(p50_ns)
DURATION_COLUMN(p90_ns)
DURATION_COLUMN(p99_ns)

static const struct column {
	const char *name, *alias, *title;
	int width;
	void (*add)(struct strbuf *out, int width, const struct line *l);
} columns[] = {
	{ "time-percent", "time", "% time", 6, add_percent },
	{ "total-time", "seconds", "seconds", 11, add_total },
	{ "avg-time", "avg", "usecs/call", 11, add_avg },
	{ "calls", "count", "calls", 9, add_calls },
	{ "errors", "error", "errors", 9, add_errors },
	{ "min-time", "min", "min", 8, add_min_ns },
	{ "p50", "median", "p50", 8, add_p50_ns },
	{ "p90", "p90-time", "p90", 8, add_p90_ns },
	{ "p99", "p99-time", "p99", 8, add_p99_ns },
	{ "max-time", "max", "max", 8, add_max_ns },
	{ "name", "syscall", "syscall", 16, add_name },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static int column_lookup(const char *name, size_t n)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		if ((strlen(columns[i].name) == n && !memcmp(columns[i].name, name, n)) ||
		    (strlen(columns[i].alias) == n && !memcmp(columns[i].alias, name, n)))
			return (int)i;
	}
	return -EINVAL;
}

int summary_set_columns(struct summary *s, const char *list)
{
	uint8_t chosen[COLUMNS_MAX];
	uint32_t n = 0;

	for (;; list++) {
		size_t len = strcspn(list, ",");
		int i = column_lookup(list, len);

		if (i < 0 || n == COLUMNS_MAX)
			return -EINVAL;
		chosen[n++] = (uint8_t)i;
		list += len;
		if (!*list)
			break;
	}
	memcpy(s->columns, chosen, n);
	s->ncolumns = n;
	return 0;
}

static void add_line(const struct summary *s, const struct line *l, struct strbuf *out)
{
	for (uint32_t i = 0; i < s->ncolumns; i++) {
		if (i)
			strbuf_add_char(out, ' ');
		columns[s->columns[i]].add(out, columns[s->columns[i]].width, l);
	}
	strbuf_add_char(out, '\n');
}

static void add_titles(const struct summary *s, struct strbuf *out)
{
	for (uint32_t i = 0; i < s->ncolumns; i++) {
		const struct column *c = &columns[s->columns[i]];
		/* The name is the one column that is not flushed to the right. */
		strbuf_add_fmt(out, "%s%*s", i ? " " : "", c->add == add_name ? 0 : c->width, c->title);
	}
	strbuf_add_char(out, '\n');
}

static void add_rule(const struct summary *s, struct strbuf *out)
{
	for (uint32_t i = 0; i < s->ncolumns; i++) {
		if (i)
			strbuf_add_char(out, ' ');
		for (int w = columns[s->columns[i]].width; w; w--)
			strbuf_add_char(out, '-');
	}
	strbuf_add_char(out, '\n');
}

/* The whole as one more counter: its percentiles are over all calls. */
static struct summary_row total_row(const struct summary *s)
{
	struct counter all = { .name = "total" };

	histogram_init(&all.times);
	for (uint32_t i = 0; i <= s->n; i++) {
		const struct counter *c = i < s->n ? s->all[i] : &s->rest;

		histogram_merge(&all.times, &c->times);
		all.unfinished += c->unfinished;
		all.errors += c->errors;
	}
	return row_of(&all);
}

void summary_format(struct summary *s, const char *sort, struct strbuf *out)
{
	struct summary_row total = total_row(s);
	const struct summary_row *rows;
	int n = summary_rows(s, sort, &rows);

	if (n < 0)
		n = summary_rows(s, NULL, &rows);
	add_titles(s, out);
	add_rule(s, out);
	for (int i = 0; i < n; i++)
		add_line(s, &(struct line){ &rows[i], total.total_ns, false, s->many_abis }, out);
	add_rule(s, out);
	add_line(s, &(struct line){ &total, total.total_ns, true, false }, out);
}
