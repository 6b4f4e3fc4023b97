/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV (RFC 4180): a header line, then a row for each call and each event of a
 * task; lines end in CR LF.  The columns are listed in docs/OUTPUT.md and
 * stay.  Consumer thread.
 */
#include "config.h"
#include "sink/sink_writer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern const struct sink_ops sink_csv;	/* registered in sink.c */

struct csv {
	struct sink base;
	struct sink_config cfg;
	struct sink_writer w;
	struct strbuf text;		/* one field at a time */
};

static const char header[] = "time,event,pid,tid,comm,name,nr,args,result,ret,error,duration_ns\r\n";

/* Section 2, rules 5 to 7: quoted where it has to be, quotes doubled. */
static void add_field(struct csv *c)
{
	struct strbuf *sb = &c->w.buf;

	if (!strpbrk(c->text.p, ",\"\r\n") && strlen(c->text.p) == c->text.len) {
		strbuf_add(sb, c->text.p, c->text.len);
	} else {
		strbuf_add_char(sb, '"');
		for (size_t i = 0; i < c->text.len; i++) {
			if (c->text.p[i] == '"')
				strbuf_add_char(sb, '"');
			strbuf_add_char(sb, c->text.p[i]);
		}
		strbuf_add_char(sb, '"');
	}
	strbuf_reset(&c->text);
}

static void next_field(struct csv *c)
{
	add_field(c);
	strbuf_add_char(&c->w.buf, ',');
}

static void end_row(struct csv *c)
{
	add_field(c);
	strbuf_add_str(&c->w.buf, "\r\n");
	sink_writer_tick(&c->w);
}

static void begin_row(struct csv *c, const char *event, uint64_t ns, int32_t pid, int32_t tid,
		      const char *comm)
{
	strbuf_add_fmt(&c->text, "%llu.%09u", (unsigned long long)(ns / 1000000000),
		       (unsigned)(ns % 1000000000));
	next_field(c);
	strbuf_add_str(&c->text, event);
	next_field(c);
	strbuf_add_i64(&c->text, pid);
	next_field(c);
	strbuf_add_i64(&c->text, tid);
	next_field(c);
	strbuf_add(&c->text, comm, strnlen(comm, 16));
	next_field(c);
}

static void add_call_text(struct csv *c, const struct call *call)
{
	strbuf_add_str(&c->text, call->name);
	next_field(c);
	strbuf_add_i64(&c->text, call->ev->head.nr);
	next_field(c);
	call_format_args(call, &c->cfg.decode, &c->text);
	next_field(c);
}

static void csv_on_call(struct sink *s, const struct call *call)
{
	struct csv *c = (struct csv *)s;
	const char *error = call->err ? errno_name(call->err) : NULL;

	if (c->w.error)
		return;
	begin_row(c, call->finished ? "call" : "enter", call->start_ns, call->image ? call->image->pid : 0,
		  call->ev->head.tid, call->task->comm);
	add_call_text(c, call);
	call_format_ret(call, &c->cfg.decode, &c->text);
	memmove(c->text.p, c->text.p + 2, c->text.len - 1);	/* without "= ", with the NUL */
	c->text.len -= 2;
	next_field(c);
	if (call->finished)
		strbuf_add_i64(&c->text, call->ev->ret);
	next_field(c);
	if (error)
		strbuf_add_str(&c->text, error);
	next_field(c);
	if (call->finished)
		strbuf_add_u64(&c->text, call->end_ns - call->start_ns);
	end_row(c);
}

static void add_exit(struct strbuf *sb, const struct tracer_ev_exit *ev)
{
	char buf[16];

	if (ev->head.flags & TRACER_EVF_DETACHED)
		strbuf_add_str(sb, "detached");
	else if (ev->head.flags & TRACER_EVF_SUPERSEDED)
		strbuf_add_str(sb, "superseded");
	else if (WIFSIGNALED(ev->status))
		strbuf_add_fmt(sb, "killed by %s", signal_name(WTERMSIG(ev->status), buf));
	else
		strbuf_add_fmt(sb, "exited with %d", WEXITSTATUS(ev->status));
}

/* Fills the text with what the event's result column says; NULL: no row. */
static const char *format_event(struct strbuf *sb, const struct tracer_event *ev)
{
	const void *p = ev;
	const struct tracer_ev_exec *x = p;

	switch (ev->kind) {
	case TRACER_EV_TASK:
		return "task";
	case TRACER_EV_EXEC:
		strbuf_add(sb, x->text, x->exe_len);
		return "exec";
	case TRACER_EV_EXIT:
		add_exit(sb, p);
		return "exit";
	case TRACER_EV_SIGNAL:
		signal_format(p, sb);
		return ev->flags & TRACER_EVF_STOP ? "stop" : "signal";
	default:
		return NULL;
	}
}

static void csv_on_task(struct sink *s, const struct tracer_event *ev, const struct image *img)
{
	struct csv *c = (struct csv *)s;
	char mem[8192];
	struct strbuf result;
	const char *event;

	strbuf_init_fixed(&result, mem, sizeof(mem));
	event = format_event(&result, ev);
	if (c->w.error || !event)
		return;
	begin_row(c, event, c->cfg.clock ? clock_map_real(c->cfg.clock, ev->time) : 0, img ? img->pid : 0,
		  ev->tid, img ? img->comm : "");
	strbuf_add_str(&c->w.buf, ",,,");	/* name, nr, args */
	strbuf_add(&c->text, result.p, result.len);
	next_field(c);
	strbuf_add_str(&c->w.buf, ",,");	/* ret, error */
	end_row(c);
}

static int csv_flush(struct sink *s)
{
	return sink_writer_flush(&((struct csv *)s)->w);
}

static int csv_close(struct sink *s)
{
	struct csv *c = (struct csv *)s;
	int err = sink_writer_fini(&c->w);

	strbuf_fini(&c->text);
	free(c);
	return err;
}

static int csv_open(const struct sink_config *cfg, struct sink **out)
{
	struct csv *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return -ENOMEM;
	c->base.ops = &sink_csv;
	c->cfg = *cfg;
	strbuf_init(&c->text, SINK_BUFFER_MAX / 4);
	sink_writer_init(&c->w, cfg);
	strbuf_add_str(&c->w.buf, header);
	*out = &c->base;
	return 0;
}

static const char *const suffixes[] = { ".csv", NULL };

const struct sink_ops sink_csv = {
	.name = "csv",
	.suffixes = suffixes,
	.open = csv_open,
	.on_call = csv_on_call,
	.on_task = csv_on_task,
	.flush = csv_flush,
	.close = csv_close,
};
