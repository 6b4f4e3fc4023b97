/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptor tables of the traced processes, and the strings that several
 * processes share.  Runs on the consumer thread only, so reference counts are
 * plain numbers.  The world owns the budget (struct fd_mem); tables belong to
 * the tasks that hold a reference.
 */
#include "config.h"
#include "decode/fd_table.h"

#include <stdlib.h>
#include <string.h>

void *fd_mem_get(struct fd_mem *m, size_t n)
{
	void *p = NULL;

	if (n <= m->max - m->used)
		p = calloc(1, n);
	if (!p) {
		m->refused++;
		return NULL;
	}
	m->used += n;
	return p;
}

void fd_mem_put(struct fd_mem *m, void *p, size_t n)
{
	if (!p)
		return;
	m->used -= n;
	free(p);
}

struct shared_str { uint32_t refs; uint32_t size; char s[]; };

static struct shared_str *shared_of(char *s)
{
	return (struct shared_str *)(s - offsetof(struct shared_str, s));
}

char *shared_str_new(struct fd_mem *m, const void *p, size_t n)
{
	struct shared_str *sh = fd_mem_get(m, sizeof(*sh) + n + 1);

	if (!sh)
		return NULL;
	sh->refs = 1;
	sh->size = (uint32_t)(sizeof(*sh) + n + 1);
	memcpy(sh->s, p, n);
	return sh->s;
}

char *shared_str_set(struct fd_mem *m, char *s, const void *p, size_t n)
{
	if (s && shared_of(s)->refs == 1 && sizeof(struct shared_str) + n + 1 <= shared_of(s)->size) {
		memmove(s, p, n);
		s[n] = '\0';
		return s;
	}
	shared_str_put(m, s);
	return shared_str_new(m, p, n);
}

char *shared_str_get(char *s)
{
	if (s)
		shared_of(s)->refs++;
	return s;
}

void shared_str_put(struct fd_mem *m, char *s)
{
	if (s && --shared_of(s)->refs == 0)
		fd_mem_put(m, shared_of(s), shared_of(s)->size);
}

/* --- descriptions --- */

static struct fd_entry *entry_new(struct fd_mem *m)
{
	struct fd_entry *e = m->spares;

	if (e) {
		m->spares = e->next;
		m->nspares--;
		e->next = NULL;
	} else {
		e = fd_mem_get(m, sizeof(*e));
		if (!e)
			return NULL;
	}
	m->entries++;
	e->refs = 1;
	e->kind = FD_FILE;
	e->type = 0;
	e->family = 0;
	return e;
}

static void entry_free(struct fd_mem *m, struct fd_entry *e)
{
	fd_mem_put(m, e->target, e->cap);
	fd_mem_put(m, e, sizeof(*e));
}

static void entry_put(struct fd_mem *m, struct fd_entry *e)
{
	if (!e || --e->refs)
		return;
	m->entries--;
	if (m->nspares >= FD_SPARES_MAX) {
		entry_free(m, e);
		return;
	}
	e->next = m->spares;
	m->spares = e;
	m->nspares++;
}

void fd_mem_fini(struct fd_mem *m)
{
	struct fd_entry *e;

	while ((e = m->spares)) {
		m->spares = e->next;
		entry_free(m, e);
	}
	m->nspares = 0;
}

static bool entry_grow(struct fd_mem *m, struct fd_entry *e, size_t need)
{
	size_t cap = (need + 63) & ~(size_t)63;
	char *p = fd_mem_get(m, cap);

	if (!p)
		return false;
	fd_mem_put(m, e->target, e->cap);
	e->target = p;
	e->cap = (uint32_t)cap;
	return true;
}

void fd_entry_set_target(struct fd_mem *m, struct fd_entry *e, const void *p, size_t n)
{
	if (n > m->max_path) {
		m->refused++;
		n = m->max_path;
	}
	e->len = 0;
	if (n + 1 > e->cap && !entry_grow(m, e, n + 1)) {
		if (e->cap)
			e->target[0] = '\0';
		return;
	}
	memmove(e->target, p, n);
	e->target[n] = '\0';
	e->len = (uint32_t)n;
}

uint8_t fd_kind_of(const char *target, size_t n)
{
	static const struct { const char *prefix; uint8_t kind; } kinds[] = {
		{ "socket:[", FD_SOCKET }, { "pipe:[", FD_PIPE }, { "anon_inode:", FD_ANON },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (n >= len && !memcmp(target, kinds[i].prefix, len))
			return kinds[i].kind;
	}
	return FD_FILE;
}

/* --- bodies: slots shared until they are written --- */

static size_t body_size(uint32_t cap)
{
	return sizeof(struct fd_body) + (size_t)cap * sizeof(struct fd_slot);
}

static struct fd_body *body_new(struct fd_mem *m, uint32_t cap)
{
	struct fd_body *b = fd_mem_get(m, body_size(cap));

	if (b) {
		b->refs = 1;
		b->cap = cap;
	}
	return b;
}

static void body_put(struct fd_mem *m, struct fd_body *b)
{
	if (!b || --b->refs)
		return;
	for (uint32_t i = 0; i < b->used; i++)
		entry_put(m, b->slots[i].file);
	fd_mem_put(m, b, body_size(b->cap));
}

/* Our own body with room for need slots; the table is unchanged on failure. */
static bool body_own(struct fd_mem *m, struct fd_table *t, uint64_t need)
{
	struct fd_body *old = t->body, *b;
	uint32_t cap = old ? old->cap : 16;

	if (need > m->max_fds) {
		m->refused++;
		return false;
	}
	while (cap < need)
		cap = cap > m->max_fds / 2 ? m->max_fds : cap * 2;
	if (old && old->refs == 1 && cap == old->cap)
		return true;
	b = body_new(m, cap);
	if (!b)
		return false;
	for (uint32_t i = 0; old && i < old->used; i++) {
		b->slots[i] = old->slots[i];
		if (b->slots[i].file)
			b->slots[i].file->refs++;
	}
	b->used = old ? old->used : 0;
	body_put(m, old);
	t->body = b;
	return true;
}

struct fd_table *fd_table_new(struct fd_mem *m, const struct fd_table *from)
{
	struct fd_table *t = fd_mem_get(m, sizeof(*t));

	if (!t)
		return NULL;
	t->refs = 1;
	if (from && from->body) {
		t->body = from->body;
		t->body->refs++;
	}
	return t;
}

struct fd_table *fd_table_get(struct fd_table *t)
{
	if (t)
		t->refs++;
	return t;
}

void fd_table_put(struct fd_mem *m, struct fd_table *t)
{
	if (!t || --t->refs)
		return;
	body_put(m, t->body);
	fd_mem_put(m, t, sizeof(*t));
}

static const struct fd_slot *slot_of(const struct fd_table *t, int64_t fd)
{
	if (!t || !t->body || fd < 0 || fd >= (int64_t)t->body->used || !t->body->slots[fd].file)
		return NULL;
	return &t->body->slots[fd];
}

struct fd_entry *fd_table_lookup(const struct fd_table *t, int64_t fd)
{
	const struct fd_slot *s = slot_of(t, fd);

	return s ? s->file : NULL;
}

bool fd_table_cloexec(const struct fd_table *t, int64_t fd)
{
	const struct fd_slot *s = slot_of(t, fd);

	return s && s->cloexec;
}

/* Takes over one reference of e; false: nothing was changed but fd is unknown now. */
static bool slot_set(struct fd_mem *m, struct fd_table *t, int64_t fd, struct fd_entry *e, bool cloexec)
{
	struct fd_slot *s;

	if (fd < 0 || !body_own(m, t, (uint64_t)fd + 1)) {
		if (fd >= 0)
			fd_table_del(m, t, (uint64_t)fd, (uint64_t)fd);
		return false;
	}
	s = &t->body->slots[fd];
	entry_put(m, s->file);
	s->file = e;
	s->cloexec = cloexec;
	if ((uint32_t)fd >= t->body->used)
		t->body->used = (uint32_t)fd + 1;
	return true;
}

struct fd_entry *fd_table_set(struct fd_mem *m, struct fd_table *t, int64_t fd, const void *target,
			      size_t len, uint8_t kind, bool cloexec)
{
	struct fd_entry *e;

	if (!t || fd < 0)
		return NULL;
	e = entry_new(m);
	if (!e) {
		fd_table_del(m, t, (uint64_t)fd, (uint64_t)fd);
		return NULL;
	}
	e->kind = kind;
	fd_entry_set_target(m, e, target, len);
	if (!slot_set(m, t, fd, e, cloexec)) {
		entry_put(m, e);
		return NULL;
	}
	return e;
}

void fd_table_add_dup(struct fd_mem *m, struct fd_table *t, int64_t from, int64_t to, bool cloexec)
{
	struct fd_entry *e = fd_table_lookup(t, from);

	if (!t || to < 0 || from == to)
		return;
	if (!e) {
		fd_table_del(m, t, (uint64_t)to, (uint64_t)to);
		return;
	}
	e->refs++;
	if (!slot_set(m, t, to, e, cloexec))
		entry_put(m, e);
}

/* Last slot of the range that is in use, or -1. */
static int64_t range_last(const struct fd_table *t, uint64_t first, uint64_t last)
{
	if (!t || !t->body || !t->body->used || first >= t->body->used || last < first)
		return -1;
	return last < t->body->used ? (int64_t)last : (int64_t)t->body->used - 1;
}

void fd_table_set_cloexec(struct fd_mem *m, struct fd_table *t, uint64_t first, uint64_t last, bool on)
{
	int64_t end = range_last(t, first, last);

	if (end < 0 || !body_own(m, t, t->body->used))
		return;
	for (int64_t fd = (int64_t)first; fd <= end; fd++)
		t->body->slots[fd].cloexec = on;
}

void fd_table_del(struct fd_mem *m, struct fd_table *t, uint64_t first, uint64_t last)
{
	int64_t end = range_last(t, first, last);

	if (end < 0 || (first == last && !slot_of(t, (int64_t)first)) || !body_own(m, t, t->body->used))
		return;
	for (int64_t fd = (int64_t)first; fd <= end; fd++) {
		entry_put(m, t->body->slots[fd].file);
		t->body->slots[fd].file = NULL;
	}
	while (t->body->used && !t->body->slots[t->body->used - 1].file)
		t->body->used--;
}

void fd_table_del_cloexec(struct fd_mem *m, struct fd_table *t)
{
	uint32_t used = t && t->body ? t->body->used : 0;

	for (uint32_t fd = 0; fd < used; fd++)
		if (fd_table_cloexec(t, fd))
			fd_table_del(m, t, fd, fd);
}
