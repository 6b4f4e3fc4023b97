/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -ff: text in a file of its own for each task, FILE.TID, as strace writes it.
 * A text sink for each open file; at most PARTS_MAX of them, the one that was
 * silent for longest is closed for the next and opened again (to append) when
 * its task makes another call.  Consumer thread; unlike other sinks it opens
 * its files itself.
 */
#include "config.h"
#include "sink/sink.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/hash.h"

#define PARTS_MAX 256u

extern const struct sink_ops sink_text;

/* One open file; in the list, latest used first. */
struct part {
	struct part *prev, *next;
	int32_t tid;
	struct sink *text;
	int fd;
	bool dirty;			/* not flushed since its latest line */
	char *path;
};

struct split {
	struct sink base;
	struct sink_config cfg;
	struct hash parts;		/* tid -> part */
	struct part *first, *last;
	unsigned n, max;
	int error;			/* first one, negative */
};

static void list_del(struct split *s, struct part *p)
{
	*(p->prev ? &p->prev->next : &s->first) = p->next;
	*(p->next ? &p->next->prev : &s->last) = p->prev;
}

static void list_add(struct split *s, struct part *p)
{
	p->prev = NULL;
	p->next = s->first;
	*(s->first ? &s->first->prev : &s->last) = p;
	s->first = p;
}

static void note_error(struct split *s, const char *path, int err)
{
	if (s->error || err >= 0)
		return;
	s->error = err;
	log_msg(s->cfg.log, LOG_ERROR,
		"cannot write to %s: %s; the files of this output end here, the program goes on", path,
		strerror(-err));
}

static void part_free(struct part *p)
{
	free(p->path);
	free(p);
}

static void part_close(struct split *s, struct part *p)
{
	int r = sink_text.close(p->text);

	if (close(p->fd) && !r)
		r = -errno;
	if (r < 0 && !s->error)
		s->error = r;		/* the text sink has told of it */
	hash_del(&s->parts, (uint32_t)p->tid);
	list_del(s, p);
	s->n--;
	part_free(p);
}

/* fresh: its task has just appeared, so what is there is of an earlier run or an earlier task. */
static int part_start(struct split *s, struct part *p, bool fresh)
{
	struct sink_config cfg = s->cfg;
	int r;

	p->fd = open(p->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_APPEND |
		     (fresh && !cfg.append ? O_TRUNC : 0), 0666);
	if (p->fd < 0)
		return -errno;
	cfg.out = (struct sink_output){ .fd = p->fd, .name = p->path, .terminal = isatty(p->fd) };
	cfg.show_pid = false;
	r = sink_text.open(&cfg, &p->text);
	if (r < 0)
		close(p->fd);
	return r;
}

static struct part *part_open(struct split *s, int32_t tid, bool fresh)
{
	struct part *p = calloc(1, sizeof(*p));
	int r = -ENOMEM;

	if (p && asprintf(&p->path, "%s.%d", s->cfg.out.name, tid) >= 0)
		r = part_start(s, p, fresh);
	if (!r && hash_put(&s->parts, (uint32_t)tid, p) < 0) {
		sink_text.close(p->text);
		close(p->fd);
		r = -ENOMEM;
	}
	if (r < 0) {
		note_error(s, p && p->path ? p->path : s->cfg.out.name, r);
		if (p)
			part_free(p);
		return NULL;
	}
	p->tid = tid;
	list_add(s, p);
	s->n++;
	return p;
}

/* The task's file, or NULL: nothing is written any more. */
static struct part *part_get(struct split *s, int32_t tid, bool fresh)
{
	struct part *p = s->first && s->first->tid == tid ? s->first : hash_lookup(&s->parts, (uint32_t)tid);

	if (s->error)
		return NULL;
	if (p && fresh) {		/* the number was used again, and its former end was not seen */
		part_close(s, p);
		p = NULL;
	}
	if (!p && s->n == s->max)
		part_close(s, s->last);
	if (!p)
		p = part_open(s, tid, fresh);
	if (p && p != s->first) {
		list_del(s, p);
		list_add(s, p);
	}
	if (p)
		p->dirty = true;
	return p;
}

static void split_on_call(struct sink *base, const struct call *c)
{
	struct part *p = part_get((struct split *)base, c->ev->head.tid, false);

	if (p)
		sink_text.on_call(p->text, c);
}

static void split_on_task(struct sink *base, const struct tracer_event *ev, const struct image *img)
{
	struct split *s = (struct split *)base;
	struct part *p = part_get(s, ev->tid, ev->kind == TRACER_EV_TASK);

	if (!p)
		return;
	sink_text.on_task(p->text, ev, img);
	if (ev->kind == TRACER_EV_EXIT)
		part_close(s, p);
}

/* The list is in order of use: what is behind a clean one is clean. */
static int split_flush(struct sink *base)
{
	struct split *s = (struct split *)base;

	for (struct part *p = s->first; p && p->dirty; p = p->next) {
		int r = sink_text.flush(p->text);

		p->dirty = false;
		if (r < 0 && !s->error)
			s->error = r;
	}
	return s->error;
}

static int split_close(struct sink *base)
{
	struct split *s = (struct split *)base;
	int err;

	while (s->first)
		part_close(s, s->first);
	err = s->error;
	hash_fini(&s->parts);
	free(s);
	return err;
}

/* A directory that takes no files is told before the program starts. */
static int directory_check(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int r = !dir ? -ENOMEM : access(dir, W_OK | X_OK) ? -errno : 0;

	free(dir);
	return r;
}

/* Half of the descriptors that we may have are for others. */
static unsigned parts_max(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) || lim.rlim_cur / 2 > PARTS_MAX)
		return PARTS_MAX;
	return lim.rlim_cur / 2 ? (unsigned)(lim.rlim_cur / 2) : 1;
}

static int split_open(const struct sink_config *cfg, struct sink **out)
{
	struct split *s;
	int r = directory_check(cfg->out.name);

	*out = NULL;
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->base.ops = &sink_split;
	s->cfg = *cfg;
	s->max = parts_max();
	r = hash_init(&s->parts, PARTS_MAX);
	if (r < 0) {
		free(s);
		return r;
	}
	*out = &s->base;
	return 0;
}

const struct sink_ops sink_split = {
	.name = "text, a file for each task",
	.own_files = true,
	.open = split_open,
	.on_call = split_on_call,
	.on_task = split_on_task,
	.flush = split_flush,
	.close = split_close,
};
