/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a program executes code of: a record for each mapping of a file
 * with PROT_EXEC, made by a call (at its end) or there already (at an exec the
 * program and its interpreter, at an attach all of them).  Supervisor thread,
 * the task stands still.
 *
 * A file is looked at once (elf_id.h remembers it); only regular files are
 * opened, by a link in /proc, so whatever the program may see of the file
 * system is what we see.  Where a descriptor was closed by another thread, or a
 * file was removed, the record has less in it.
 */
#include "config.h"
#include "engine/supervisor.h"
#include "tracee/proc_fs.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PATH_SIZE 4096u
#define PAGE_SHIFT 12
#define MAPS_MAX 1024u		/* mappings told of at one attach or exec */

struct mapping { uint64_t addr, len, prot, flags, offset; int fd; };

static struct tracer_ev_map *event_open(struct supervisor *s, const struct sup_task *t, const struct mapping *m)
{
	struct tracer_ev_map *ev = (struct tracer_ev_map *)emitter_event(&s->out, TRACER_EV_MAP, t->base.tid,
									 sizeof(*ev) + PATH_SIZE + 8);

	ev->head.abi = t->abi;
	ev->addr = m->addr;
	ev->len = m->len;
	ev->offset = m->offset;
	return ev;
}

static void event_close(struct supervisor *s, struct tracer_ev_map *ev)
{
	ev->head.size = (uint32_t)sizeof(*ev) + ev->path_len;
	s->stats[ENGINE_STAT_MAPS]++;
	sup_elf_stats(s);
	emitter_write(&s->out, &ev->head);
}

/* What lies behind a name in /proc; ino, where not 0, is the file that it has to be (device numbers
 * are no help: some file systems tell others in maps than by stat).  False: it is not. */
static bool file_load(struct supervisor *s, const char *name, uint64_t ino, struct tracer_ev_map *ev)
{
	struct elf_id id;
	struct stat st;

	if (stat(name, &st) < 0 || (ino && st.st_ino != ino))
		return false;
	ev->dev = st.st_dev;
	ev->ino = st.st_ino;
	ev->mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	if (elf_id_cache_get_path(s->elf_ids, name, &st, &id) == 0) {
		ev->elf_class = id.elf_class;
		ev->build_id_len = id.build_id_len;
		memcpy(ev->build_id, id.build_id, sizeof(ev->build_id));
	}
	return true;
}

/* ---- by a call ---- */

/* Old calls of i386 have their arguments in memory. */
static bool args_load(const struct sup_task *t, uint64_t a[6])
{
	uint32_t words[6];

	memcpy(a, t->args, 6 * sizeof(*a));
	if (t->desc->nargs > 1)
		return true;
	if (mem_read(&t->base.group->mem, t->args[0], words, sizeof(words)) != sizeof(words))
		return false;
	for (unsigned i = 0; i < 6; i++)
		a[i] = words[i];
	return true;
}

static bool mapping_load(const struct sup_task *t, struct mapping *m)
{
	uint64_t a[6];

	if (!args_load(t, a))
		return false;
	*m = (struct mapping){ .addr = (uint64_t)t->ret, .len = a[1], .prot = a[2], .flags = a[3], .fd = (int)a[4],
			       .offset = t->desc->args[5] == ARG_PAGES ? a[5] << PAGE_SHIFT : a[5] };
	return m->prot & PROT_EXEC && !(m->flags & MAP_ANONYMOUS) && m->fd >= 0;
}

void sup_event_map(struct supervisor *s, struct sup_task *t)
{
	struct tracer_ev_map *ev;
	struct mapping m;
	char name[40];
	ssize_t n;

	if (!mapping_load(t, &m))
		return;
	ev = event_open(s, t, &m);
	ev->head.time = t->end;
	snprintf(name, sizeof(name), "fd/%d", m.fd);
	n = proc_link_read(t->base.tid, name, ev->text, PATH_SIZE);
	ev->path_len = n > 0 ? (uint32_t)n : 0;
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)t->base.tid, m.fd);
	if (n > 0)
		file_load(s, name, 0, ev);
	event_close(s, ev);
}

/* ---- there already ---- */

struct present {
	struct supervisor *s;
	struct sup_task *t;
	uint16_t flags;
	unsigned count;
};

/* By its path as the program sees it; where that is another file by now, by the mapping itself,
 * which takes a privilege. */
static void present_load(const struct present *p, const struct proc_map *map, struct tracer_ev_map *ev)
{
	int pid = (int)p->t->base.group->pid;
	char name[PATH_SIZE + 64];

	snprintf(name, sizeof(name), "/proc/%d/root%.*s", pid, (int)map->len, map->path);
	if (file_load(p->s, name, map->ino, ev))
		return;
	snprintf(name, sizeof(name), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, map->start, map->end);
	if (!file_load(p->s, name, map->ino, ev))
		ev->ino = map->ino;
}

static int present_event(void *ctx, const struct proc_map *map)
{
	struct present *p = ctx;
	struct mapping m = { .addr = map->start, .len = map->end - map->start, .offset = map->offset };
	struct tracer_ev_map *ev;

	if (!map->exec || !map->ino || !map->len || map->path[0] != '/')
		return 0;
	if (p->count++ == MAPS_MAX)
		return 1;
	ev = event_open(p->s, p->t, &m);
	ev->head.flags = p->flags;
	ev->path_len = map->len < PATH_SIZE ? (uint32_t)map->len : PATH_SIZE;
	memcpy(ev->text, map->path, ev->path_len);
	present_load(p, map, ev);
	event_close(p->s, ev);
	return 0;
}

void sup_event_maps(struct supervisor *s, struct sup_task *t, uint16_t evflags)
{
	struct present p = { s, t, evflags, 0 };

	if (s->cfg.maps)
		proc_maps_read(t->base.group->pid, present_event, &p);
}
