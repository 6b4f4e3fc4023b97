/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trust boundary: what comes out of a shared ring or a recording is only
 * bytes until it has passed here.  Pure; any thread.  The caller hands over
 * memory that nobody else can write any more.  Everything behind relies on
 * what is checked, so a new field with a length or an index needs a line here.
 */
#include "config.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "ring/ring.h"

#define FLAGS_KNOWN 0x07feu	/* all TRACER_EVF_* but PENDING */
#define CAP_FLAGS_KNOWN 0x0fu
#define SIGNAL_MAX 64
#define SIGINFO_LEN 128u

/* A record of a fixed part and len bytes behind it, padded to 8. */
static bool size_is(const struct tracer_event *ev, size_t fixed, uint64_t len)
{
	return ev->size == ((fixed + len + 7) & ~(uint64_t)7);
}

static bool comm_valid(const char comm[16])
{
	return memchr(comm, '\0', 16) != NULL;
}

static bool check_captures(const struct tracer_ev_call *c)
{
	uint64_t at = sizeof(*c) + c->nargs * sizeof(c->args[0]);

	for (unsigned i = 0; i < c->ncaptures; i++) {
		const struct tracer_capture *cap = (const void *)((const uint8_t *)c + at);

		if (at + sizeof(*cap) > c->head.size || cap->arg >= c->nargs ||
		    (cap->flags & ~CAP_FLAGS_KNOWN))
			return false;
		at += sizeof(*cap) + (((uint64_t)cap->len + 7) & ~(uint64_t)7);
		if (at > c->head.size)
			return false;
	}
	return at == c->head.size;
}

static bool check_call(const struct tracer_event *ev)
{
	const struct tracer_ev_call *c = (const void *)ev;

	return ev->size >= sizeof(*c) && ev->tid > 0 && c->nargs <= TRACER_ARGS_MAX &&
	       c->ncaptures <= TRACER_CAPTURES_MAX && c->start <= ev->time &&
	       ev->size >= sizeof(*c) + c->nargs * sizeof(c->args[0]) && check_captures(c);
}

static bool check_task(const struct tracer_event *ev)
{
	const struct tracer_ev_task *t = (const void *)ev;

	return ev->size == sizeof(*t) && ev->tid > 0 && t->pid > 0 && comm_valid(t->comm);
}

/* argc strings, each with its NUL, and nothing behind the last. */
static bool check_argv(const char *argv, uint32_t len, uint32_t argc)
{
	uint32_t n = 0;

	if (len && argv[len - 1] != '\0')
		return false;
	for (uint32_t i = 0; i < len; i++)
		n += argv[i] == '\0';
	return n == argc;
}

static bool check_exec(const struct tracer_event *ev)
{
	const struct tracer_ev_exec *e = (const void *)ev;

	return ev->size >= sizeof(*e) && ev->tid > 0 && e->former_tid > 0 &&
	       size_is(ev, sizeof(*e), (uint64_t)e->exe_len + e->argv_len) &&
	       e->elf_class <= 2 && e->build_id_len <= 20 && comm_valid(e->comm) &&
	       !memchr(e->text, '\0', e->exe_len) &&
	       check_argv(e->text + e->exe_len, e->argv_len, e->argc);
}

static bool check_exit(const struct tracer_event *ev)
{
	const struct tracer_ev_exit *e = (const void *)ev;

	return ev->size == sizeof(*e) && ev->tid > 0 && e->pid > 0;
}

static bool check_signal(const struct tracer_event *ev)
{
	const struct tracer_ev_signal *s = (const void *)ev;

	return ev->size >= sizeof(*s) && ev->tid > 0 && ev->nr > 0 && ev->nr <= SIGNAL_MAX &&
	       (s->info_len == 0 || s->info_len == SIGINFO_LEN) && size_is(ev, sizeof(*s), s->info_len);
}

static bool check_fd(const struct tracer_event *ev)
{
	const struct tracer_ev_fd *f = (const void *)ev;

	return ev->size >= sizeof(*f) && ev->tid > 0 && f->fd >= 0 && size_is(ev, sizeof(*f), f->len);
}

static bool check_map(const struct tracer_event *ev)
{
	const struct tracer_ev_map *m = (const void *)ev;

	return ev->size >= sizeof(*m) && ev->tid > 0 && m->elf_class <= 2 && m->build_id_len <= 20 &&
	       size_is(ev, sizeof(*m), m->path_len) && !memchr(m->text, '\0', m->path_len);
}

static bool check_text(const struct tracer_event *ev)
{
	const struct tracer_ev_text *t = (const void *)ev;

	return ev->size >= sizeof(*t) && ev->tid > 0 && size_is(ev, sizeof(*t), t->len);
}

static bool check_context(const struct tracer_event *ev)
{
	const struct tracer_ev_context *c = (const void *)ev;

	return ev->size >= sizeof(*c) && ev->tid > 0 && c->what >= TRACER_CONTEXT_RUN && c->what < TRACER_CONTEXTS &&
	       size_is(ev, sizeof(*c), c->len);
}

static bool check_clock(const struct tracer_event *ev)
{
	const struct tracer_ev_clock *c = (const void *)ev;

	return ev->size == sizeof(*c) && c->source <= TRACER_CLOCK_TSC;
}

static bool check_lost(const struct tracer_event *ev)
{
	return ev->size == sizeof(struct tracer_ev_lost);
}

static bool (*const checks[TRACER_EV_KINDS])(const struct tracer_event *ev) = {
	[TRACER_EV_CALL] = check_call,
	[TRACER_EV_ENTER] = check_call,
	[TRACER_EV_TASK] = check_task,
	[TRACER_EV_EXEC] = check_exec,
	[TRACER_EV_EXIT] = check_exit,
	[TRACER_EV_SIGNAL] = check_signal,
	[TRACER_EV_FD] = check_fd,
	[TRACER_EV_CWD] = check_text,
	[TRACER_EV_COMM] = check_text,
	[TRACER_EV_CLOCK] = check_clock,
	[TRACER_EV_LOST] = check_lost,
	[TRACER_EV_ENGINE] = check_text,
	[TRACER_EV_CONTEXT] = check_context,
	[TRACER_EV_MAP] = check_map,
};

int event_check(const struct tracer_event *ev, size_t avail)
{
	if (avail < sizeof(*ev) || ev->size < sizeof(*ev) || ev->size > avail ||
	    ev->size > TRACER_EVENT_MAX || ev->size % 8)
		return -EBADMSG;
	if (ev->kind >= TRACER_EV_KINDS || !checks[ev->kind] || ev->abi >= TRACER_ABIS ||
	    (ev->flags & ~FLAGS_KNOWN))
		return -EBADMSG;
	return checks[ev->kind](ev) ? 0 : -EBADMSG;
}

const struct tracer_capture *event_capture(const struct tracer_ev_call *c, unsigned i)
{
	const uint8_t *p = (const uint8_t *)&c->args[c->nargs];

	if (i >= c->ncaptures)
		return NULL;
	for (; i; i--)
		p += sizeof(struct tracer_capture) +
		     TRACER_ALIGN8(((const struct tracer_capture *)(const void *)p)->len);
	return (const void *)p;
}
