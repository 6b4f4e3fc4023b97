/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Span store and its tree view.  Caller's thread; the store owns names and
 * details.  Linking is done at format time: spans arrive in any order.
 */
#include "config.h"
#include "collect/span_store.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

void store_init(struct span_store *s, size_t max)
{
	memset(s, 0, sizeof(*s));
	s->max = max;
}

void store_fini(struct span_store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->spans[i].name);
		free(s->spans[i].detail);
	}
	free(s->spans);
	memset(s, 0, sizeof(*s));
}

static int store_grow(struct span_store *s)
{
	size_t cap = s->cap ? s->cap * 2 : 256;
	struct stored_span *p;

	if (s->n < s->cap)
		return 0;
	p = realloc(s->spans, cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	s->spans = p;
	s->cap = cap;
	return 0;
}

int store_add(struct span_store *s, const struct stored_span *sp)
{
	struct stored_span *d;

	if (s->n >= s->max) {
		s->refused++;
		return -ENOSPC;
	}
	if (store_grow(s) < 0)
		return -ENOMEM;
	d = &s->spans[s->n];
	*d = *sp;
	d->name = strdup(sp->name);
	d->detail = sp->detail ? strdup(sp->detail) : NULL;
	if (!d->name)
		return -ENOMEM;
	s->n++;
	return 0;
}

static uint64_t id_key(const uint8_t id[8])
{
	uint64_t k;

	memcpy(&k, id, 8);
	return k;
}

static bool in_trace(const struct stored_span *s, const uint8_t id[16])
{
	return memcmp(s->trace_id, id, 16) == 0;
}

static int by_start(const void *a, const void *b)
{
	const struct stored_span *x = *(struct stored_span *const *)a, *y = *(struct stored_span *const *)b;

	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* Children in order of their start; returns the roots, linked as siblings. */
static struct stored_span *store_link(struct stored_span **sorted, size_t n)
{
	struct stored_span *roots = NULL;
	struct hash ids;

	if (hash_init(&ids, n + 1) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		sorted[i]->child = sorted[i]->sibling = NULL;
		hash_put(&ids, id_key(sorted[i]->span_id), sorted[i]);
	}
	for (size_t i = n; i-- > 0;) {
		struct stored_span *s = sorted[i], *parent = hash_lookup(&ids, id_key(s->parent_id));
		struct stored_span **list = parent && parent != s ? &parent->child : &roots;

		s->sibling = *list;
		*list = s;
	}
	hash_fini(&ids);
	return roots;
}

static void format_duration(struct strbuf *out, uint64_t ns)
{
	static const struct { uint64_t unit; const char *name; } units[] = {
		{ 1000000000, "s" }, { 1000000, "ms" }, { 1000, "us" } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (ns >= units[i].unit) {
			strbuf_add_fmt(out, "%.1f %s", (double)ns / (double)units[i].unit, units[i].name);
			return;
		}
	strbuf_add_fmt(out, "%" PRIu64 " ns", ns);
}

static void format_span(struct strbuf *out, const struct stored_span *s, const struct tree_options *o)
{
	bool red = s->status == 2 && o->color;

	strbuf_add_str(out, red ? "\033[31m" : "");
	strbuf_add_str(out, s->name);
	if (s->process && s->pid)
		strbuf_add_fmt(out, " [%" PRId64 "]", s->pid);
	if (s->summary)
		strbuf_add_fmt(out, " x %" PRId64, s->count);
	strbuf_add_str(out, "  ");
	format_duration(out, s->end_ns - s->start_ns);
	if (s->exit_code >= 0)
		strbuf_add_fmt(out, "  exit %" PRId64, s->exit_code);
	if (s->detail)
		strbuf_add_fmt(out, "  %s", s->detail);
	if (s->status == 2)
		strbuf_add_str(out, "  !");
	strbuf_add_str(out, red ? "\033[0m\n" : "\n");
}

#define TREE_DEPTH_MAX 64

/* Depth-first with an explicit stack of prefixes kept in one string. */
static void format_children(struct strbuf *out, const struct stored_span *parent, char *prefix, size_t plen,
			    unsigned depth, const struct tree_options *o)
{
	const struct stored_span *c;
	unsigned calls = 0, hidden = 0;

	for (c = parent->child; c; c = c->sibling) {
		bool last = !c->sibling;

		if (!c->process && ++calls > o->lines_per_parent) {
			hidden++;
			if (!last)
				continue;
			break;
		}
		last = last && !hidden;
		strbuf_add(out, prefix, plen);
		strbuf_add_str(out, last ? "`- " : "|- ");
		format_span(out, c, o);
		if (depth < TREE_DEPTH_MAX && c->child) {
			memcpy(prefix + plen, last ? "   " : "|  ", 3);
			format_children(out, c, prefix, plen + 3, depth + 1, o);
		}
	}
	if (hidden) {
		strbuf_add(out, prefix, plen);
		strbuf_add_fmt(out, "`- ... %u more\n", hidden);
	}
}

static void format_head(struct strbuf *out, const uint8_t id[16], size_t n, size_t processes)
{
	strbuf_add_str(out, "trace ");
	for (int i = 0; i < 16; i++)
		strbuf_add_fmt(out, "%02x", id[i]);
	strbuf_add_fmt(out, "  %zu spans, %zu process%s\n", n, processes, processes == 1 ? "" : "es");
}

void store_format_tree(struct span_store *s, const uint8_t trace_id[16], const struct tree_options *o,
		       struct strbuf *out)
{
	static const uint8_t none[16];
	const uint8_t *id = trace_id;
	struct stored_span **sorted, *root;
	char prefix[3 * (TREE_DEPTH_MAX + 2)];
	size_t n = 0, processes = 0;

	if (!s->n)
		return;
	if (memcmp(id, none, 16) == 0)
		id = s->spans[0].trace_id;
	sorted = malloc(s->n * sizeof(struct stored_span *));
	if (!sorted)
		return;
	for (size_t i = 0; i < s->n; i++)
		if (in_trace(&s->spans[i], id)) {
			sorted[n++] = &s->spans[i];
			processes += s->spans[i].process;
		}
	qsort(sorted, n, sizeof(struct stored_span *), by_start);
	format_head(out, id, n, processes);
	for (root = store_link(sorted, n); root; root = root->sibling) {
		format_span(out, root, o);
		format_children(out, root, prefix, 0, 0, o);
	}
	free(sorted);
}
