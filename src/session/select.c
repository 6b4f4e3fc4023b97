/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selection of calls and signals.  Parsed on the main thread before anything
 * runs; afterwards constant, and asked by the consumer thread for each record.
 */
#include "config.h"
#include "session/select.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(FILTER_CALLS_MAX == ENGINE_CALLS_MAX, "the engine's bits are the filter's");

/* As given, and with its links resolved, which is how descriptors are known. */
static int add_path(struct selection *sel, const char *path)
{
	char *real = realpath(path, NULL);
	int r = match_paths_add(&sel->paths, path);

	if (!r && real && strcmp(real, path))
		r = match_paths_add(&sel->paths, real);
	free(real);
	return r;
}

static int load_paths(struct selection *sel, const struct option_value *list, char *why, size_t whylen)
{
	int r = 0;

	for (uint32_t i = 0; i < list->nlist && !r; i++) {
		r = add_path(sel, list->list[i]);
		if (r == -ENOMEM)
			return r;
		if (r == -ENOSPC)
			snprintf(why, whylen, "-P %s: at most %u paths", list->list[i], MATCH_PATHS_MAX);
		else if (r < 0)
			snprintf(why, whylen, "-P '%s': %s", list->list[i],
				 r == -EINVAL ? "a path is needed" : "the path is too long");
	}
	return r < 0 ? -TRACER_ERR_USAGE : 0;
}

static int load_expr(struct selection *sel, const char *expr, char *why, size_t whylen)
{
	char reason[300] = "";
	int r = filter_parse(&sel->filter, expr, reason, sizeof(reason));

	if (r < 0)
		snprintf(why, whylen, "-e %s: %s", expr, reason);
	return r;
}

int selection_load(struct selection *sel, const struct tracer_options *o, char *why, size_t whylen)
{
	const struct option_value *exprs = &o->v[OPT_EXPR];
	int r;

	*sel = (struct selection){ .min_ns = option_num(o, OPT_MIN_DURATION) };
	filter_init(&sel->filter);
	match_paths_init(&sel->paths);
	r = load_paths(sel, &o->v[OPT_TRACE_PATH], why, whylen);
	for (uint32_t i = 0; i < exprs->nlist && !r; i++)
		r = load_expr(sel, exprs->list[i], why, whylen);
	if (!r && option_num(o, OPT_SUCCESSFUL_ONLY))
		r = filter_parse(&sel->filter, "status=successful", why, whylen);
	if (!r && option_num(o, OPT_FAILED_ONLY))
		r = filter_parse(&sel->filter, "status=failed", why, whylen);
	return r;
}

void selection_fini(struct selection *sel)
{
	match_paths_fini(&sel->paths);
}

static enum filter_status record_status(const struct tracer_ev_call *ev)
{
	if (ev->head.kind == TRACER_EV_ENTER)
		return ev->head.flags & TRACER_EVF_DETACHED ? FILTER_DETACHED : FILTER_UNFINISHED;
	return ev->head.flags & TRACER_EVF_ERROR ? FILTER_FAILED : FILTER_SUCCESSFUL;
}

bool selection_wants_record(const struct selection *sel, const struct tracer_ev_call *ev)
{
	return filter_wants(&sel->filter, ev->head.abi, ev->head.nr) &&
	       filter_wants_status(&sel->filter, record_status(ev));
}

/* Where both are asked for one of them is enough. */
bool selection_wants_call(const struct selection *sel, const struct call *c)
{
	if (!sel->paths.count)
		return call_matches_fd(c, &sel->filter);
	return call_matches_path(c, &sel->paths) || (sel->filter.fds_set && call_matches_fd(c, &sel->filter));
}

bool selection_reads_calls(const struct selection *sel)
{
	return sel->paths.count || sel->filter.fds_set;
}

/* Might show a descriptor or a path relative to something. */
static bool has_target(const struct syscall_desc *d)
{
	static const uint8_t kinds[] = { ARG_FD, ARG_FD_NEW, ARG_DIRFD, ARG_FD_PAIR, ARG_FDSET, ARG_POLLFDS,
					 ARG_PATH, ARG_MSGHDR, ARG_MMSGHDR, ARG_WORDS6, ARG_MOUNT_ATTR };

	for (unsigned i = 0; i < d->nargs; i++)
		for (unsigned k = 0; k < sizeof(kinds); k++)
			if (d->args[i] == kinds[k])
				return true;
	return d->ret == RET_FD;
}

static bool wants_target(const struct selection *sel)
{
	for (int abi = 0; abi < TRACER_ABIS; abi++) {
		for (int nr = 0; nr < (int)FILTER_CALLS_MAX; nr++) {
			const struct syscall_desc *d = syscall_lookup(abi, nr);

			if (d && filter_wants(&sel->filter, abi, nr) && has_target(d))
				return true;
		}
	}
	return false;
}

uint32_t selection_state_ops(const struct selection *sel, bool targets)
{
	/* mappings are kept in no table */
	static const uint32_t tables = ~(1u << STATE_NONE | 1u << STATE_MMAP | 1u << STATE_MUNMAP);

	_Static_assert(STATE_MUNMAP < 32, "a bit for each");
	return targets && wants_target(sel) ? tables : 1u << STATE_PRCTL;
}

void selection_format_engine(const struct selection *sel, struct engine_selection *out)
{
	out->all = sel->filter.all;
	memcpy(out->bits, sel->filter.calls, sizeof(out->bits));
}
