/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines as strace users know them, one for each call, in the order in which
 * calls end.  Consumer thread; keeps the time of the last line and whether a
 * second task was seen.
 */
#include "config.h"
#include "sink/sink_writer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull
/* Colours of error and of what is no call (ECMA-48 select graphic rendition). */
#define RED "\033[31m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

extern const struct sink_ops sink_text;	/* registered in sink.c */

struct text {
	struct sink base;
	struct sink_config cfg;
	struct sink_writer w;
	int32_t first_tid;
	bool many;			/* lines say which task */
	uint64_t last_ns;		/* start of the line before, for -r; 0 none */
};

static void add_tid(struct text *t, int32_t tid, const char *comm)
{
	/* As strace: in brackets among other text, bare in a file of its own. */
	bool bracket = t->cfg.out.fd == STDERR_FILENO;
	struct strbuf *sb = &t->w.buf;
	char name[40];

	if (t->cfg.show_ids && comm)
		snprintf(name, sizeof(name), "%d<%.16s>", tid, comm);
	else
		snprintf(name, sizeof(name), "%d", tid);
	strbuf_add_fmt(sb, bracket ? "[pid %5s] " : "%-5s ", name);
}

static void add_time_of_day(struct strbuf *sb, uint64_t ns, bool micros)
{
	time_t s = (time_t)(ns / NS_PER_S);
	struct tm tm;

	localtime_r(&s, &tm);
	strbuf_add_fmt(sb, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (micros)
		strbuf_add_fmt(sb, ".%06u", (unsigned)(ns % NS_PER_S / 1000));
	strbuf_add_char(sb, ' ');
}

static void add_seconds(struct strbuf *sb, uint64_t ns, int width)
{
	strbuf_add_fmt(sb, "%*llu.%06u ", width, (unsigned long long)(ns / NS_PER_S),
		       (unsigned)(ns % NS_PER_S / 1000));
}

static void add_times(struct text *t, uint64_t ns)
{
	struct strbuf *sb = &t->w.buf;

	if (t->cfg.relative)
		add_seconds(sb, t->last_ns && ns > t->last_ns ? ns - t->last_ns : 0, 6);
	if (t->cfg.timestamps == 1 || t->cfg.timestamps == 2)
		add_time_of_day(sb, ns, t->cfg.timestamps == 2);
	else if (t->cfg.timestamps)
		add_seconds(sb, ns, 0);
	t->last_ns = ns;
}

static void begin_line(struct text *t, int32_t tid, const char *comm, uint64_t ns)
{
	if (!t->first_tid)
		t->first_tid = tid;
	if (tid != t->first_tid)
		t->many = true;
	if (t->many || t->cfg.show_pid)
		add_tid(t, tid, comm);
	add_times(t, ns);
}

static void end_line(struct text *t)
{
	strbuf_add_char(&t->w.buf, '\n');
	sink_writer_tick(&t->w);
}

static void pad(struct strbuf *sb, size_t from, uint32_t column)
{
	while (sb->len - from < column)
		strbuf_add_char(sb, ' ');
}

static void add_head(struct text *t, const struct call *c)
{
	struct strbuf *sb = &t->w.buf;

	if (t->cfg.number)
		strbuf_add_fmt(sb, "[%4d] ", c->ev->head.nr);
	if (t->cfg.ip)
		strbuf_add_fmt(sb, "[%016llx] ", (unsigned long long)c->ev->ip);
	strbuf_add_str(sb, c->name);
	strbuf_add_char(sb, '(');
	call_format_args(c, &t->cfg.decode, sb);
	strbuf_add_str(sb, ") ");
}

static void text_on_call(struct sink *s, const struct call *c)
{
	struct text *t = (struct text *)s;
	struct strbuf *sb = &t->w.buf;
	bool red = t->cfg.color && c->err;
	size_t from = sb->len;

	if (t->w.error)
		return;
	begin_line(t, c->ev->head.tid, c->task->comm, c->start_ns);
	add_head(t, c);
	pad(sb, from, t->cfg.column);
	if (red)
		strbuf_add_str(sb, RED);
	call_format_ret(c, &t->cfg.decode, sb);
	if (red)
		strbuf_add_str(sb, PLAIN);
	if (t->cfg.durations && c->finished)
		strbuf_add_fmt(sb, " <%llu.%06u>", (unsigned long long)((c->end_ns - c->start_ns) / NS_PER_S),
			       (unsigned)((c->end_ns - c->start_ns) % NS_PER_S / 1000));
	end_line(t);
}

/* ---- what is no call ---- */

static void add_signal_name(struct strbuf *sb, int sig)
{
	char buf[16];

	strbuf_add_str(sb, signal_name(sig, buf));
}

static void add_signal(struct strbuf *sb, const struct tracer_ev_signal *ev)
{
	strbuf_add_str(sb, "--- ");
	if (ev->head.flags & TRACER_EVF_STOP) {
		strbuf_add_str(sb, "stopped by ");
		add_signal_name(sb, ev->head.nr);
	} else {
		signal_format(ev, sb);
	}
	strbuf_add_str(sb, " ---");
}

static void add_exit(struct strbuf *sb, const struct tracer_ev_exit *ev)
{
	strbuf_add_str(sb, "+++ ");
	if (ev->head.flags & TRACER_EVF_DETACHED) {
		strbuf_add_str(sb, "detached, lives on");
	} else if (ev->head.flags & TRACER_EVF_SUPERSEDED) {
		strbuf_add_str(sb, "superseded by execve");
	} else if (WIFSIGNALED(ev->status)) {
		strbuf_add_str(sb, "killed by ");
		add_signal_name(sb, WTERMSIG(ev->status));
		if (WCOREDUMP(ev->status))
			strbuf_add_str(sb, " (core dumped)");
	} else {
		strbuf_add_fmt(sb, "exited with %d", WEXITSTATUS(ev->status));
	}
	strbuf_add_str(sb, " +++");
}

static bool shown(const struct text *t, const struct tracer_event *ev)
{
	return ev->kind == TRACER_EV_SIGNAL || (ev->kind == TRACER_EV_EXIT && !t->cfg.quiet_exit);
}

static void text_on_task(struct sink *s, const struct tracer_event *ev, const struct image *img)
{
	struct text *t = (struct text *)s;
	struct strbuf *sb = &t->w.buf;

	if (ev->kind == TRACER_EV_TASK && !t->first_tid)
		t->first_tid = ev->tid;
	if (t->w.error || !shown(t, ev))
		return;
	begin_line(t, ev->tid, img ? img->comm : NULL,
		   t->cfg.clock ? clock_map_real(t->cfg.clock, ev->time) : 0);
	if (t->cfg.color)
		strbuf_add_str(sb, DIM);
	if (ev->kind == TRACER_EV_SIGNAL)
		add_signal(sb, (const struct tracer_ev_signal *)(const void *)ev);
	else
		add_exit(sb, (const struct tracer_ev_exit *)(const void *)ev);
	if (t->cfg.color)
		strbuf_add_str(sb, PLAIN);
	end_line(t);
}

static void text_on_event(struct sink *s, const struct tracer_event *ev)
{
	struct text *t = (struct text *)s;

	if (ev->kind != TRACER_EV_LOST || t->w.error)
		return;
	strbuf_add_fmt(&t->w.buf, "!!! %llu calls not recorded !!!",
		       (unsigned long long)((const struct tracer_ev_lost *)(const void *)ev)->count);
	end_line(t);
}

static int text_flush(struct sink *s)
{
	return sink_writer_flush(&((struct text *)s)->w);
}

static int text_close(struct sink *s)
{
	int err = sink_writer_fini(&((struct text *)s)->w);

	free(s);
	return err;
}

static int text_open(const struct sink_config *cfg, struct sink **out)
{
	struct text *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (!t)
		return -ENOMEM;
	t->base.ops = &sink_text;
	t->cfg = *cfg;
	sink_writer_init(&t->w, cfg);
	*out = &t->base;
	return 0;
}

static const char *const suffixes[] = { ".txt", ".strace", NULL };

const struct sink_ops sink_text = {
	.name = "text",
	.suffixes = suffixes,
	.open = text_open,
	.on_event = text_on_event,
	.on_call = text_on_call,
	.on_task = text_on_task,
	.flush = text_flush,
	.close = text_close,
};
