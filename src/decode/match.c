/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selection by path and by descriptor.  The list of paths is filled before
 * the run and read by the consumer thread; matching is pure.
 */
#include "config.h"
#include "decode/match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "decode/arg_data.h"
#include "decode/path.h"
#include "decode/target.h"

void match_paths_init(struct match_paths *m)
{
	*m = (struct match_paths){ 0 };
}

void match_paths_fini(struct match_paths *m)
{
	for (unsigned i = 0; i < m->count; i++)
		free(m->paths[i]);
	*m = (struct match_paths){ 0 };
}

int match_paths_add(struct match_paths *m, const char *path)
{
	if (!path[0])
		return -EINVAL;
	if (strlen(path) > MATCH_PATH_MAX)
		return -ENAMETOOLONG;
	if (m->count >= MATCH_PATHS_MAX)
		return -ENOSPC;
	m->paths[m->count] = strdup(path);
	if (!m->paths[m->count])
		return -ENOMEM;
	m->count++;
	return 0;
}

static bool wanted(const struct match_paths *m, const char *p, size_t n)
{
	for (unsigned i = 0; i < m->count; i++)
		if (strlen(m->paths[i]) == n && !memcmp(m->paths[i], p, n))
			return true;
	return false;
}

/* --- every descriptor of a call, one after another --- */

/* Walks the call's descriptors: arguments, those in captured arrays, the one returned. */
struct fd_walk { const struct call *c; unsigned arg; size_t at; bool returned; };

/* How the descriptors of a kind lie in captured memory: bytes from one to the next, 0 none. */
static size_t fd_stride(unsigned kind)
{
	return kind == ARG_POLLFDS ? 8 : kind == ARG_FD_PAIR ? 4 : 0;
}

/* Next one inside argument arg, or false. */
static bool walk_array(struct fd_walk *walk, int32_t *fd)
{
	const struct call *c = walk->c;
	size_t stride = fd_stride(c->desc->args[walk->arg]);
	const struct tracer_capture *cap;

	if (!stride)
		return false;
	cap = call_capture(c->ev, walk->arg, 0, TRACER_CAP_IN | TRACER_CAP_OUT);
	if (!cap || walk->at + 4 > cap->len)
		return false;
	*fd = (int32_t)load_u32(cap->bytes + walk->at);
	walk->at += stride;
	return true;
}

static bool is_fd(unsigned kind)
{
	return kind == ARG_FD || kind == ARG_FD_NEW || kind == ARG_DIRFD;
}

static bool walk_next(struct fd_walk *walk, int32_t *fd)
{
	const struct call *c = walk->c;

	for (; walk->arg < c->desc->nargs && walk->arg < c->ev->nargs; walk->arg++, walk->at = 0) {
		if (walk_array(walk, fd))
			return true;
		if (is_fd(c->desc->args[walk->arg])) {
			*fd = (int32_t)c->ev->args[walk->arg++];
			return true;
		}
	}
	if (walk->returned || c->desc->ret != RET_FD || c->err || !c->finished)
		return false;
	walk->returned = true;
	*fd = (int32_t)c->ev->ret;
	return true;
}

bool call_matches_fd(const struct call *c, const struct filter *f)
{
	struct fd_walk walk = { .c = c };
	bool any = false;
	int32_t fd;

	if (!f->fds_set)
		return true;
	while (walk_next(&walk, &fd)) {
		if (fd < 0)
			continue;
		if (filter_wants_fd(f, fd))
			return true;
		any = true;
	}
	return !any && filter_wants_fd(f, -1);
}

/* --- paths --- */

static bool path_arg_matches(const struct call *c, const struct match_paths *m, unsigned i)
{
	char mem[2 * MATCH_PATH_MAX];
	struct strbuf absolute;
	const char *path;
	size_t n;

	if (c->desc->args[i] != ARG_PATH || !call_path_arg(c->ev, i, &path, &n))
		return false;
	if (n && wanted(m, path, n))
		return true;
	strbuf_init_fixed(&absolute, mem, sizeof(mem));
	return call_format_path(&absolute, c->task, c->ev, c->desc, i) && wanted(m, absolute.p, absolute.len);
}

static bool new_fd_matches(const struct call *c, const struct match_paths *m)
{
	char mem[2 * MATCH_PATH_MAX];
	struct strbuf text;
	struct target info;

	if (c->desc->ret != RET_FD || c->err || !c->finished)
		return false;
	strbuf_init_fixed(&text, mem, sizeof(mem));
	return target_format(&text, &info, c->task, c->ev, c->desc) && wanted(m, text.p, text.len);
}

bool call_matches_path(const struct call *c, const struct match_paths *m)
{
	struct fd_walk walk = { .c = c };
	const struct fd_entry *e;
	int32_t fd;

	if (!m->count)
		return true;
	for (unsigned i = 0; i < c->desc->nargs && i < c->ev->nargs; i++)
		if (path_arg_matches(c, m, i))
			return true;
	while (walk_next(&walk, &fd)) {
		e = task_fd(c->task, fd);
		if (e && wanted(m, e->target, e->len))
			return true;
	}
	return new_fd_matches(c, m);
}
