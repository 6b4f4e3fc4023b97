/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was patched in an address space.  fork copies an address space with its
 * patches, so the table is shared by the copies until one of them changes it;
 * exec starts with none.  Entries are recycled.  Supervisor thread.
 *
 * An address is not a lasting name of a site: libraries come and go.  Before
 * an entry is believed the bytes at its place are compared (site_valid).
 */
#include "config.h"
#include "arch/insn_x86_64.h"
#include "engine/inproc.h"
#include "tracee/proc_fs.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define SITES_MIN 64u
#define SITES_MAX 16384u	/* of one address space */
#define NEAR_BACK 96u
#define NEAR_AHEAD 64u
#define FAR_REACH 16384u	/* how far from a site branches into it are looked for */
#define REACH 0x7ff00000u	/* of a jump, with something to spare */
#define STUB_ALIGN 16u
#define AREA_SIZE 65536u	/* of what is mapped for stubs */
#define RESTORES_MAX 4u		/* patches that lie over each other */

/* A page of a file's code becomes the program's own when it is patched.  So many calls have to stop at one before that is
 * done, by how many there are: nearly all sites of a program that starts are met once or twice, and have a copy the next
 * time.  With the loader's page and one of stubs the first two rows are less than 64 KiB. */
static const struct { unsigned pages, calls; } page_price[] = { { 8, 1 }, { 12, 16 }, { ~0u, 1024 } };

/* ---- life ---- */

static struct inproc_sites *sites_new(unsigned size)
{
	struct inproc_sites *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->refs = 1;
	s->size = size;
	s->table = calloc(size, sizeof(*s->table));
	if (!s->table) {
		free(s);
		return NULL;
	}
	return s;
}

static void sites_put(struct inproc_sites *s)
{
	if (!s || --s->refs)
		return;
	free(s->table);
	free(s);
}

struct inproc_mm *mm_new(struct inproc *e)
{
	struct inproc_mm *mm = e->free_mm;

	if (mm)
		e->free_mm = mm->next_free;
	else
		mm = malloc(sizeof(*mm));
	if (!mm)
		return NULL;
	*mm = (struct inproc_mm){ .refs = 1 };
	return mm;
}

struct inproc_mm *mm_copy(struct inproc *e, const struct inproc_mm *from)
{
	struct inproc_mm *mm = mm_new(e);

	if (!mm)
		return NULL;
	*mm = *from;
	mm->refs = 1;
	mm->next_free = NULL;
	if (mm->sites)
		mm->sites->refs++;
	return mm;
}

void mm_put(struct inproc *e, struct inproc_mm *mm)
{
	if (!mm || --mm->refs)
		return;
	sites_put(mm->sites);
	mm->next_free = e->free_mm;
	e->free_mm = mm;
}

/* ---- table ---- */

static unsigned slot_of(uint64_t at, unsigned size)
{
	return (unsigned)((at * 0x9e3779b97f4a7c15ull) >> 40) & (size - 1);
}

static struct inproc_site *entry_of(struct inproc_sites *s, uint64_t at)
{
	unsigned i = slot_of(at, s->size);

	while (s->table[i].at && s->table[i].at != at)
		i = (i + 1) & (s->size - 1);
	return &s->table[i];
}

struct inproc_site *mm_site_lookup(const struct inproc_mm *mm, uint64_t at)
{
	struct inproc_site *site = mm->sites ? entry_of(mm->sites, at) : NULL;

	return site && site->at ? site : NULL;
}

struct inproc_site *mm_stub_lookup(const struct inproc_mm *mm, uint64_t ip)
{
	if (!mm->sites)
		return NULL;
	for (unsigned i = 0; i < mm->sites->size; i++) {
		struct inproc_site *s = &mm->sites->table[i];

		if (s->at && s->planned && ip - s->patch.stub_at < s->patch.stub_len)
			return s;
	}
	return NULL;
}

/* A table of our own with room for one more. */
static bool sites_own(struct inproc_mm *mm)
{
	struct inproc_sites *old = mm->sites, *s;
	unsigned size = old ? old->size : SITES_MIN;

	if (old && old->refs == 1 && old->count * 2 < old->size)
		return true;
	if (old && old->count * 2 >= size)
		size *= 2;
	s = size <= SITES_MAX ? sites_new(size) : NULL;
	if (!s)
		return false;
	if (old) {
		s->pages = old->pages;
		s->nareas = old->nareas;
		s->no_room = old->no_room;
		memcpy(s->areas, old->areas, sizeof(s->areas));
		s->count = old->count;
		for (unsigned i = 0; i < old->size; i++)
			if (old->table[i].at)
				*entry_of(s, old->table[i].at) = old->table[i];
	}
	sites_put(old);
	mm->sites = s;
	return true;
}

struct inproc_site *mm_site_add(struct inproc_mm *mm, uint64_t at)
{
	struct inproc_site *site;

	if (!sites_own(mm))
		return NULL;
	site = entry_of(mm->sites, at);
	if (!site->at) {
		*site = (struct inproc_site){ .at = at };
		mm->sites->count++;
	}
	return site;
}

bool mm_site_known(struct inproc_mm *mm, const struct patch *patch)
{
	struct inproc_site *site = mm_site_add(mm, patch->site);

	if (site && !site->planned) {
		site->planned = site->patched = true;
		site->patch = *patch;
	}
	return site != NULL;
}

/* ---- room for stubs ---- */

static bool in_reach(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) < REACH;
}

static void area_add(struct inproc_sites *s, uint64_t base, uint64_t size)
{
	if (s->nareas < INPROC_AREAS && size >= PATCH_STUB_MAX)
		s->areas[s->nareas++] = (struct inproc_area){ base, (uint32_t)size, 0 };
}

/* Nothing is there yet: a patched copy of the file has its stubs in the same place. */
static bool unused(struct sup_task *t, uint64_t at, uint64_t size)
{
	uint8_t now[PAGE];

	if (size > sizeof(now) || mem_read(&t->base.group->mem, at, now, size) != (ssize_t)size)
		return false;
	for (uint64_t i = 0; i < size; i++)
		if (now[i])
			return false;
	return true;
}

/* The image's own room, and what the executable's last page of text leaves. */
static void areas_init(const struct inproc *e, struct inproc_mm *mm, struct sup_task *t)
{
	uint64_t end = (mm->text_end + 15) & ~15ull, size = ((end + PAGE - 1) & ~(uint64_t)(PAGE - 1)) - end;

	if (mm->sites->nareas)
		return;
	area_add(mm->sites, mm->image + e->arena->stubs_at, AGENT_STUBS_SIZE);
	if (mm->text_end && !in_reach(mm->image, mm->text_end) && unused(t, end, size))
		area_add(mm->sites, end, size);
}

static struct inproc_area *area_lookup(struct inproc_mm *mm, uint64_t near)
{
	for (unsigned i = 0; i < mm->sites->nareas; i++) {
		struct inproc_area *a = &mm->sites->areas[i];

		if (in_reach(a->base, near) && a->size - a->used >= PATCH_STUB_MAX)
			return a;
	}
	return NULL;
}

/* The same, mapped where there is none yet. */
static struct inproc_area *area_get(struct inproc_mm *mm, struct sup_task *t, uint64_t near)
{
	struct inproc_area *a = area_lookup(mm, near);
	uint64_t at;

	if (a || mm->sites->no_room || mm->sites->nareas == INPROC_AREAS)
		return a;
	at = remote_room(t, near, AREA_SIZE);
	if (at)
		area_add(mm->sites, at, AREA_SIZE);
	else
		mm->sites->no_room = true;
	return area_lookup(mm, near);
}

/* ---- patching ---- */

/* The same code at the same place of a page has the same branches around it: libraries are read
 * again and again by new processes. */
static uint64_t memo_key(const struct patch_code *code, const struct patch *p)
{
	uint64_t h = (p->at & (PAGE - 1)) | 1ull << 63;

	for (size_t i = 0; i + 8 <= code->n; i += 8) {
		uint64_t w;

		memcpy(&w, code->bytes + i, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	return h | 1;
}

/* Form "after" only: branches from farther away than the first look. */
bool mm_branches_far(struct inproc *e, const struct mem_reader *reader, const struct patch_code *near,
		     const struct patch *p)
{
	uint64_t key = memo_key(near, p), from = p->at > FAR_REACH ? p->at - FAR_REACH : 0;
	uint8_t bytes[2 * FAR_REACH];
	ssize_t n;

	if (e->memo[key >> 52 & (INPROC_MEMO - 1)].key == key)
		return e->memo[key >> 52 & (INPROC_MEMO - 1)].branch;
	n = reader->read(reader->ctx, from, bytes, sizeof(bytes));
	if (n < 0) {
		/* the mapping begins less far away */
		from = p->at & ~(uint64_t)(PAGE - 1);
		n = reader->read(reader->ctx, from, bytes, FAR_REACH);
	}
	e->memo[key >> 52 & (INPROC_MEMO - 1)].key = key;
	return e->memo[key >> 52 & (INPROC_MEMO - 1)].branch =
		       n < 0 || insn_branch_into(bytes, (size_t)n, from, p->at + 1, p->at + p->len);
}

static ssize_t read_task(void *ctx, uint64_t addr, void *buf, size_t n)
{
	return mem_read(&((struct sup_task *)ctx)->base.group->mem, addr, buf, n);
}

/* While other threads run: int3 first, then the rest, then the first byte.  Whoever meets the int3
 * is sent back (signal_stop). */
static int code_write(struct sup_task *t, uint64_t at, const uint8_t *bytes, unsigned len, bool alone)
{
	struct mem *m = &t->base.group->mem;
	static const uint8_t int3 = 0xcc;
	int rc;

	if (alone)
		return mem_write(m, at, bytes, len);
	rc = mem_write(m, at, &int3, 1);
	if (rc == 0 && len > 1)
		rc = mem_write(m, at + 1, bytes + 1, len - 1);
	if (rc == 0)
		rc = mem_write(m, at, bytes, 1);
	return rc;
}

static ssize_t near_read(struct sup_task *t, uint64_t at, uint8_t *bytes, uint64_t *base)
{
	ssize_t n;

	*base = at - NEAR_BACK;
	n = mem_read(&t->base.group->mem, *base, bytes, NEAR_BACK + NEAR_AHEAD);
	if (n > 0)
		return n;
	*base = at & ~(uint64_t)(PAGE - 1);	/* the page before is not there */
	return mem_read(&t->base.group->mem, *base, bytes, NEAR_BACK + NEAR_AHEAD);
}

struct look { uint64_t at; bool file; };

static int map_look(void *ctx, const struct proc_map *map)
{
	struct look *l = ctx;

	if (l->at < map->start || l->at >= map->end)
		return 0;
	l->file = map->ino != 0;
	return 1;
}

/* What is unused in code that was made at run time may be used for other code any time. */
static bool in_file(const struct sup_task *t, uint64_t at)
{
	struct look l = { at, false };

	proc_maps_read(t->base.tid, map_look, &l);
	return l.file;
}

/* A call site's surroundings. */
struct near { struct patch_code code; uint8_t bytes[NEAR_BACK + NEAR_AHEAD]; };

/* All but whether padding may be used: mappings are looked at once. */
static bool form_choose(struct inproc *e, struct sup_task *t, uint64_t at, uint64_t nr, struct near *near,
			struct patch *p)
{
	const struct mem_reader reader = { t, read_task };
	ssize_t n = near_read(t, at, near->bytes, &near->code.base);

	if (n < 0)
		return false;
	near->code.bytes = near->bytes;
	near->code.n = (size_t)n;
	/* who ran before us may have been in there, and come back */
	if ((inproc_of(t)->mm->attached ? patch_choose_single : patch_choose)(&near->code, at, nr, p) < 0)
		return false;
	return p->form != PATCH_AFTER || !mm_branches_far(e, &reader, &near->code, p);
}

static bool patch_plan(struct inproc *e, struct sup_task *t, uint64_t at, uint64_t nr, struct patch *p)
{
	struct inproc_mm *mm = inproc_of(t)->mm;
	struct inproc_area *area;
	struct near near;

	if (!form_choose(e, t, at, nr, &near, p) || (p->form == PATCH_SHORT && !in_file(t, at)))
		return false;
	areas_init(e, mm, t);
	/* what was mapped, or written, while this process was being made is not in it */
	while ((area = area_get(mm, t, at)) && !unused(t, area->base + area->used, PATCH_STUB_MAX))
		area->used = area->size;
	if (!area || patch_build(&near.code, p, area->base + area->used) < 0)
		return false;
	if (mem_write(&t->base.group->mem, p->stub_at, p->stub, p->stub_len) < 0)
		return false;
	area->used += (p->stub_len + STUB_ALIGN - 1u) & ~(STUB_ALIGN - 1u);
	return true;
}

/* The stub is there: a process may have been made before it was. */
static bool stub_valid(struct sup_task *t, const struct patch *p)
{
	uint8_t now[PATCH_STUB_MAX];

	return mem_read(&t->base.group->mem, p->stub_at, now, p->stub_len) == p->stub_len &&
	       !memcmp(now, p->stub, p->stub_len);
}

static bool same_patch(const struct patch *a, const struct patch *b)
{
	return a->form == b->form && a->at == b->at && a->len == b->len && a->cont == b->cont && a->pad == b->pad &&
	       a->stub_len == b->stub_len && !memcmp(a->stub, b->stub, a->stub_len) &&
	       !memcmp(a->original, b->original, sizeof(a->original)) && !memcmp(a->jump, b->jump, sizeof(a->jump));
}

/* The code is still what the plan was made for. */
static bool plan_valid(struct inproc *e, struct sup_task *t, const struct inproc_site *site)
{
	struct near near;
	struct patch p;

	return site->planned && stub_valid(t, &site->patch) && form_choose(e, t, site->at, site->nr, &near, &p) &&
	       patch_build(&near.code, &p, site->patch.stub_at) == 0 && same_patch(&p, &site->patch);
}

/* Still what we wrote there. */
static bool site_valid(struct sup_task *t, const struct inproc_site *site)
{
	uint8_t now[PATCH_BYTES_MAX];

	return mem_read(&t->base.group->mem, site->patch.at, now, site->patch.len) == site->patch.len &&
	       !memcmp(now, site->patch.jump, site->patch.len);
}

/* ---- what a patch is worth ---- */

static bool on_page(const struct inproc_site *s, uint64_t page)
{
	return s->patch.at / PAGE == page || (s->patch.at + s->patch.len - 1) / PAGE == page;
}

/* Whether the page is the program's own already; *calls: that stopped there. */
static bool page_look(const struct inproc_sites *sites, uint64_t page, unsigned *calls)
{
	*calls = 0;
	for (unsigned i = 0; i < sites->size; i++) {
		const struct inproc_site *s = &sites->table[i];

		if (s->at && s->dirty && on_page(s, page))
			return true;
		if (s->at / PAGE == page)
			*calls += s->traps;
	}
	return false;
}

/* The call that just stopped there is worth a page, or costs none. */
static bool site_pays(const struct inproc_mm *mm, struct inproc_site *site)
{
	const struct inproc_sites *sites = mm->sites;
	unsigned row = 0, calls;

	/* whoever kills the tracer of a program that ran before meets fewer calls that are stopped */
	while (!mm->attached && sites->pages >= page_price[row].pages)
		row++;
	site->traps++;
	return page_look(sites, site->at / PAGE, &calls) || calls >= page_price[row].calls;
}

/* It was patched. */
static void pages_count(struct inproc_mm *mm, struct inproc_site *site)
{
	uint64_t first = site->patch.at / PAGE, last = (site->patch.at + site->patch.len - 1) / PAGE;
	unsigned calls;

	for (uint64_t page = first; page <= last; page++)
		mm->sites->pages += !page_look(mm->sites, page, &calls);
	site->dirty = true;
}

void mm_site_patch(struct inproc *e, struct sup_task *t, struct inproc_site *site, uint64_t nr)
{
	struct inproc_mm *mm = inproc_of(t)->mm;

	if (mm->closed || (site->patched && site_valid(t, site)) || (mm->attached && !attach_complete(e, mm)))
		return;
	if (site->patched || !plan_valid(e, t, site)) {
		site->patched = false;
		site->nr = nr;
		site->planned = patch_plan(e, t, site->at, nr, &site->patch);
	}
	if (!site->planned) {
		e->sup.stats[ENGINE_STAT_SITES_UNPATCHABLE]++;
		log_msg(e->sup.cfg.log, LOG_DEBUG, "pid %d: the call site at 0x%llx (call %llu) cannot be patched",
			(int)t->base.group->pid, (unsigned long long)site->at, (unsigned long long)nr);
		return;
	}
	if (!site_pays(mm, site)) {
		e->sup.stats[ENGINE_STAT_CALLS_NO_PAGE]++;
		return;
	}
	/* nobody is in padding before somebody is sent there */
	if (patch_pad(&site->patch) &&
	    code_write(t, patch_pad(&site->patch), site->patch.jump + 2, PATCH_PAD_LEN, true) < 0)
		return;
	if (code_write(t, site->patch.at, site->patch.jump, site->patch.len, mm->refs == 1) < 0)
		return;
	pages_count(mm, site);
	site->patched = true;
	e->sup.stats[ENGINE_STAT_SITES_PATCHED]++;
}

/* The int3 of code_write(), which a fork copied before the rest came, or before it was replaced. */
static bool int3_mend(struct sup_task *t, const struct inproc_site *site)
{
	const struct patch *p = &site->patch;
	uint8_t now[PATCH_BYTES_MAX];

	return site->planned && mem_read(&t->base.group->mem, p->at, now, p->len) == p->len && now[0] == 0xcc &&
	       (!memcmp(now + 1, p->original + 1, p->len - 1u) || !memcmp(now + 1, p->jump + 1, p->len - 1u)) &&
	       code_write(t, p->at, p->original, p->len, inproc_of(t)->mm->refs == 1) == 0;
}

bool mm_site_mend(struct sup_task *t, uint64_t at)
{
	struct inproc_site *site = mm_site_lookup(inproc_of(t)->mm, at);

	if (!site || !int3_mend(t, site))
		return false;
	site = mm_site_add(inproc_of(t)->mm, at);
	if (site)
		site->patched = false;
	return true;
}

/* Bytes that were put back. */
static unsigned sites_restore(struct sup_task *t, struct inproc_mm *mm)
{
	unsigned n = 0;

	for (unsigned i = 0; mm->sites && i < mm->sites->size; i++) {
		struct inproc_site *s = &mm->sites->table[i];

		if (s->at && s->patched && site_valid(t, s))
			n += code_write(t, s->patch.at, s->patch.original, s->patch.len, mm->refs == 1) == 0 ? s->patch.len : 0;
		else if (s->at && int3_mend(t, s))
			n += s->patch.len;
	}
	return n;
}

void mm_restore(struct inproc *e, struct sup_task *t)
{
	struct inproc_mm *mm = inproc_of(t)->mm;

	module_sites_load_all(e, t);
	/* one that was patched over another comes off first, wherever it is in the table */
	for (unsigned i = 0; i < RESTORES_MAX && sites_restore(t, mm); i++)
		;
	/* Others may be on their way through padding: that stays until the last one is out of it. */
	/* The stubs stay: somebody may be in one.  So do the entries, for those. */
}

/* Padding that was used, and that still has our jump. */
static bool pad_valid(struct sup_task *t, const struct inproc_site *site)
{
	uint64_t pad = site->at && site->patched ? patch_pad(&site->patch) : 0;
	uint8_t now[PATCH_PAD_LEN];

	return pad && mem_read(&t->base.group->mem, pad, now, sizeof(now)) == sizeof(now) &&
	       !memcmp(now, site->patch.jump + 2, sizeof(now));
}

struct inproc_site *mm_pad_lookup(struct sup_task *t, uint64_t ip)
{
	const struct inproc_sites *sites = inproc_of(t)->mm->sites;

	for (unsigned i = 0; sites && i < sites->size; i++)
		if (ip && sites->table[i].at && patch_pad(&sites->table[i].patch) == ip && pad_valid(t, &sites->table[i]))
			return &sites->table[i];
	return NULL;
}

void mm_pads_restore(struct sup_task *t)
{
	const struct inproc_sites *sites = inproc_of(t)->mm->sites;

	for (unsigned i = 0; sites && i < sites->size; i++)
		if (pad_valid(t, &sites->table[i]))
			code_write(t, patch_pad(&sites->table[i].patch), sites->table[i].patch.original + 2, PATCH_PAD_LEN, true);
}
