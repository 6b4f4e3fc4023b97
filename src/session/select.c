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
#include <unistd.h>

_Static_assert(FILTER_CALLS_MAX == ENGINE_CALLS_MAX, "the engine's bits are the filter's");

static int load_paths(struct selection *sel, const struct option_value *list)
{
	char cwd[4096], *real;

	if (!list->nlist)
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		cwd[0] = '\0';
	sel->paths = calloc(2 * (size_t)list->nlist, sizeof(char *));
	if (!sel->paths)
		return -ENOMEM;
	for (uint32_t i = 0; i < list->nlist; i++) {
		const char *p = list->list[i];
		if (asprintf(&sel->paths[sel->npaths], "%s%s%s", p[0] == '/' ? "" : cwd, p[0] == '/' ? "" : "/", p) < 0)
			return -ENOMEM;
		real = realpath(sel->paths[sel->npaths++], NULL);
		if (real)
			sel->paths[sel->npaths++] = real;
	}
	return 0;
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
	r = load_paths(sel, &o->v[OPT_TRACE_PATH]);
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
	for (uint32_t i = 0; i < sel->npaths; i++)
		free(sel->paths[i]);
	free(sel->paths);
	sel->paths = NULL;
	sel->npaths = 0;
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

static bool path_listed(const struct selection *sel, const char *path, size_t n)
{
	for (uint32_t i = 0; i < sel->npaths; i++)
		if (strlen(sel->paths[i]) == n && !memcmp(sel->paths[i], path, n))
			return true;
	return false;
}

static bool wants_path(const struct selection *sel, const struct call *c)
{
	const struct fd_entry *fd = call_fd_entry(c);
	struct strbuf sb;
	char mem[4200];

	if (fd && fd->target && path_listed(sel, fd->target, fd->len))
		return true;
	strbuf_init_fixed(&sb, mem, sizeof(mem));
	return call_path(c, &sb) && path_listed(sel, sb.p, sb.len);
}

bool selection_wants_call(const struct selection *sel, const struct call *c)
{
	if (!sel->npaths)
		return filter_wants_fd(&sel->filter, call_fd(c));
	return wants_path(sel, c) || (sel->filter.fds_set && filter_wants_fd(&sel->filter, call_fd(c)));
}

bool selection_reads_calls(const struct selection *sel)
{
	return sel->npaths || sel->filter.fds_set;
}

void selection_format_engine(const struct selection *sel, struct engine_selection *out)
{
	out->all = sel->filter.all;
	memcpy(out->bits, sel->filter.calls, sizeof(out->bits));
}
