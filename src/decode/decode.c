/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call record as text: all arguments in order, the return value with what
 * belongs to it.  Pure: the record, the world as it was before the call's
 * effects, and a buffer.  Runs on the consumer thread.
 */
#include "config.h"
#include "decode/decode.h"

#include <linux/sched.h>
#include <tracer/error.h>
#include "decode/args.h"
#include "decode/inner.h"
#include "decode/target.h"

/* Kernel-internal errnos that a tracer sees (linux/errno.h). */
static const struct { int err; const char *name, *text; } restarts[] = {
	{ 512, "ERESTARTSYS", "To be restarted if SA_RESTART is set" },
	{ 513, "ERESTARTNOINTR", "To be restarted" },
	{ 514, "ERESTARTNOHAND", "To be restarted if no handler" },
	{ 516, "ERESTART_RESTARTBLOCK", "Interrupted by signal" },
};

static int restart_index(int64_t ret)
{
	for (size_t i = 0; i < sizeof(restarts) / sizeof(restarts[0]); i++)
		if (ret == -restarts[i].err)
			return (int)i;
	return -1;
}

void call_init(struct call *c, const struct tracer_ev_call *ev, struct world *w,
	       const struct clock_map *clock)
{
	const struct syscall_desc *d = syscall_lookup(ev->head.abi, ev->head.nr);
	const struct task *t = world_task(w, ev->head.tid);

	*c = (struct call){ .ev = ev, .task = t };
	c->desc = d ? d : syscall_generic(ev->head.abi);
	c->image = task_call_image(t, ev, d);
	c->finished = ev->head.kind == TRACER_EV_CALL;
	if (clock) {
		c->start_ns = clock_map_real(clock, ev->start);
		c->end_ns = clock_map_real(clock, ev->head.time);
	}
	if (c->end_ns < c->start_ns)
		c->end_ns = c->start_ns;
	if (c->finished && ev->head.flags & TRACER_EVF_ERROR && ev->ret < 0 && ev->ret > -TRACER_ERR_BASE)
		c->err = (int)-ev->ret;
	c->name = d ? d->name : syscall_name(ev->head.abi, ev->head.nr, c->name_buf);
}

/* A view of one argument. */
static void arg_init(struct arg *a, const struct call *c, unsigned i, const struct decode_options *o,
		     struct strbuf *out)
{
	*a = (struct arg){ .c = c, .ev = c->ev, .d = c->desc, .o = o, .out = out, .i = i };
	a->word = abi_wordsize(c->ev->head.abi);
	a->v = arg_value(a, i);
}

static unsigned shown_args(const struct call *c)
{
	return c->desc->nargs < c->ev->nargs ? c->desc->nargs : c->ev->nargs;
}

static bool clone_uses(const char *name, uint64_t flags)
{
	if (!strcmp(name, "parent_tid"))
		return flags & (CLONE_PARENT_SETTID | CLONE_PIDFD);
	if (!strcmp(name, "tls"))
		return flags & CLONE_SETTLS;
	if (!strcmp(name, "child_tid"))
		return flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID);
	return true;
}

static bool is_clone(const struct call *c)
{
	return c->desc->args[0] == ARG_CLONE_FLAGS && shown_args(c) == 5;
}

bool call_format_arg(const struct call *c, unsigned i, const struct decode_options *o, struct strbuf *out)
{
	struct arg a;

	if (i >= shown_args(c) || i >= TRACER_ARGS_MAX)
		return false;
	if (is_clone(c) && !clone_uses(c->desc->arg_names[i], call_arg(c->ev, 0)))
		return false;
	arg_init(&a, c, i, o, out);
	if (arg_hidden(&a))
		return false;
	arg_format(&a);
	return true;
}

/* clone has its own order and names, as strace shows it. */
static void format_clone(const struct call *c, const struct decode_options *o, struct strbuf *out)
{
	static const struct { const char *name, *shown; } order[] = {
		{ "stack", "child_stack=" }, { "flags", ", flags=" }, { "parent_tid", ", parent_tid=" },
		{ "tls", ", tls=" }, { "child_tid", ", child_tidptr=" },
	};

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		int i = desc_arg_named(c->desc, order[k].name);

		if (i < 0 || !clone_uses(order[k].name, call_arg(c->ev, 0)))
			continue;
		strbuf_add_str(out, order[k].shown);
		call_format_arg(c, (unsigned)i, o, out);
	}
}

static void format_list(const struct call *c, const struct decode_options *o, struct strbuf *out)
{
	const char *separator = "";
	struct arg a;

	for (unsigned i = 0; i < shown_args(c) && i < TRACER_ARGS_MAX; i++) {
		arg_init(&a, c, i, o, out);
		if (arg_hidden(&a))
			continue;
		strbuf_add_str(out, separator);
		arg_format(&a);
		separator = ", ";
	}
}

/* The call that is meant: c, or the one in a socketcall. */
static const struct call *inner_of(const struct call *c, struct call *inner, struct inner_call *in)
{
	if (!inner_call_load(in, c->ev, c->desc))
		return c;
	*inner = *c;
	inner->ev = &in->copy.ev;
	inner->desc = in->desc;
	return inner;
}

void call_format_args(const struct call *c, const struct decode_options *o, struct strbuf *out)
{
	struct inner_call in;
	struct call inner;

	if (is_clone(c) && !o->raw) {
		format_clone(c, o, out);
	} else if (!o->raw && inner_of(c, &inner, &in) == &inner) {
		call_format_arg(c, 0, o, out);
		strbuf_add_str(out, ", [");
		format_list(&inner, o, out);
		strbuf_add_char(out, ']');
	} else {
		format_list(c, o, out);
	}
}

/* --- the return value --- */

static void format_error(const struct call *c, struct strbuf *out)
{
	int at = restart_index(c->ev->ret);
	const char *name = errno_name(c->err), *text = errno_text(c->err);

	if (at >= 0)
		strbuf_add_fmt(out, "? %s (%s)", restarts[at].name, restarts[at].text);
	else if (name)
		strbuf_add_fmt(out, "-1 %s (%s)", name, text ? text : "");
	else
		strbuf_add_fmt(out, "-1 (errno %d)", c->err);
}

static void format_new_fd(const struct call *c, const struct decode_options *o, struct strbuf *out)
{
	char mem[4200];
	struct strbuf text;
	struct target info;

	strbuf_add_i64(out, c->ev->ret);
	if (!o->fd_paths && !o->fd_details)
		return;
	strbuf_init_fixed(&text, mem, sizeof(mem));
	if (target_format(&text, &info, c->task, c->ev, c->desc) && text.len)
		fd_format_target(out, text.p, text.len, info.kind, o);
}

static void format_value(const struct call *c, const struct decode_options *o, struct strbuf *out)
{
	uint64_t ret = c->ev->head.abi == TRACER_ABI_I386 ? (uint32_t)c->ev->ret : (uint64_t)c->ev->ret;
	/* fcntl returns a descriptor or a number, by its command. */
	bool dup = c->desc->state == STATE_FCNTL && (call_arg(c->ev, 1) == 0 || call_arg(c->ev, 1) == 1030);

	switch (c->desc->ret) {
	case RET_FD:
		format_new_fd(c, o, out);
		break;
	case RET_ADDR:
		address_format(out, ret);
		break;
	case RET_HEX:
		strbuf_add_hex(out, ret);
		break;
	case RET_OCT:
		mode_format(out, (uint32_t)ret, false);
		break;
	case RET_UNSIGNED:
		strbuf_add_u64(out, ret);
		break;
	default:
		if (dup)
			format_new_fd(c, o, out);
		else if (c->desc->state == STATE_FCNTL &&
			 (call_arg(c->ev, 1) == 3 || call_arg(c->ev, 1) == 1))
			strbuf_add_hex(out, ret);
		else
			strbuf_add_i64(out, c->ev->ret);
	}
}

static void format_comment(const struct call *c, const struct decode_options *o, struct strbuf *out)
{
	struct arg a;

	arg_init(&a, c, 0, o, out);
	if (c->desc->args[0] == ARG_POLLFDS)
		ret_format_poll(&a, c->ev->ret);
	else if (c->desc->args[1] == ARG_FDSET)
		ret_format_select(&a, c->ev->ret);
	else if (c->desc->state == STATE_FCNTL)
		ret_format_fcntl(&a, c->ev->ret);
}

void call_format_ret(const struct call *c, const struct decode_options *o, struct strbuf *out)
{
	struct inner_call in;
	struct call inner;

	strbuf_add_str(out, "= ");
	if (!c->finished) {
		strbuf_add_char(out, '?');
	} else if (c->err) {
		format_error(c, out);
	} else if (o->raw) {
		strbuf_add_hex(out, (uint64_t)c->ev->ret);
	} else {
		format_value(inner_of(c, &inner, &in), o, out);
		format_comment(c, o, out);
	}
}
