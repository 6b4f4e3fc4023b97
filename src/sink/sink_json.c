/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON lines: one object for each call and for each event of a task.  The keys
 * are listed in docs/OUTPUT.md and stay.  Consumer thread.
 */
#include "config.h"
#include "sink/sink_writer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "base/json_writer.h"

extern const struct sink_ops sink_json;	/* registered in sink.c */

struct json {
	struct sink base;
	struct sink_config cfg;
	struct sink_writer w;
	struct strbuf text;		/* one argument or path at a time */
};

static void add_text(struct json *j, struct json_writer *w, const char *key)
{
	json_add_str(w, key, j->text.p, j->text.len);
	strbuf_reset(&j->text);
}

static void add_cstr(struct json_writer *w, const char *key, const char *s)
{
	json_add_str(w, key, s, strlen(s));
}

/* Seconds since 1970 as text: a number of this length would lose digits in
 * readers that keep numbers as doubles. */
static void add_time(struct json *j, struct json_writer *w, const char *key, uint64_t ns)
{
	strbuf_add_fmt(&j->text, "%llu.%09u", (unsigned long long)(ns / 1000000000),
		       (unsigned)(ns % 1000000000));
	add_text(j, w, key);
}

static void open_line(struct json *j, struct json_writer *w, const char *type, int32_t tid, uint64_t ns)
{
	json_init(w, &j->w.buf);
	json_open_object(w, NULL);
	add_cstr(w, "type", type);
	add_time(j, w, "time", ns);
	if (tid)
		json_add_i64(w, "tid", tid);
}

static void close_line(struct json *j, struct json_writer *w)
{
	json_close_object(w);
	strbuf_add_char(&j->w.buf, '\n');
	sink_writer_tick(&j->w);
}

static const char *abi_name(int abi)
{
	return abi == TRACER_ABI_X86_64 ? "x86_64" : abi == TRACER_ABI_I386 ? "i386" : "aarch64";
}

/* The program whose call it is. */
static void add_who(struct json_writer *w, const struct call *c)
{
	if (c->image)
		json_add_i64(w, "pid", c->image->pid);
	json_add_str(w, "comm", c->task->comm, strnlen(c->task->comm, sizeof(c->task->comm)));
}

static void add_args(struct json *j, struct json_writer *w, const struct call *c)
{
	json_open_array(w, "args");
	for (unsigned i = 0; i < c->ev->nargs && i < c->desc->nargs; i++) {
		if (call_format_arg(c, i, &j->cfg.decode, &j->text))
			add_text(j, w, NULL);
	}
	json_close_array(w);
}

static void add_result(struct json *j, struct json_writer *w, const struct call *c)
{
	if (!c->finished) {
		json_add_null(w, "ret");
		return;
	}
	json_add_i64(w, "ret", c->ev->ret);
	if (c->err) {
		const char *name = errno_name(c->err);

		json_add_i64(w, "errno", c->err);
		if (name)
			add_cstr(w, "error", name);
	}
	if (c->ev->head.flags & TRACER_EVF_RESTARTED)
		json_add_bool(w, "restarted", true);
	call_format_ret(c, &j->cfg.decode, &j->text);
	json_add_str(w, "result", j->text.p + 2, j->text.len - 2);	/* without "= " */
	strbuf_reset(&j->text);
}

static void add_facts(struct json *j, struct json_writer *w, const struct call *c)
{
	if (call_path(c, &j->text))
		add_text(j, w, "path");
	strbuf_reset(&j->text);
	if (call_fd(c) >= 0)
		json_add_i64(w, "fd", call_fd(c));
	if (call_bytes(c) >= 0)
		json_add_i64(w, "bytes", call_bytes(c));
	if (c->ev->ip) {
		strbuf_add_hex(&j->text, c->ev->ip);
		add_text(j, w, "ip");
	}
}

static void json_on_call(struct sink *s, const struct call *c)
{
	struct json *j = (struct json *)s;
	struct json_writer w;

	if (j->w.error)
		return;
	open_line(j, &w, "call", c->ev->head.tid, c->start_ns);
	if (c->finished)
		json_add_u64(&w, "duration_ns", c->end_ns - c->start_ns);
	add_who(&w, c);
	add_cstr(&w, "name", c->name);
	json_add_i64(&w, "nr", c->ev->head.nr);
	add_cstr(&w, "abi", abi_name(c->ev->head.abi));
	add_args(j, &w, c);
	add_result(j, &w, c);
	add_facts(j, &w, c);
	close_line(j, &w);
}

/* ---- events of tasks ---- */

static void add_task(struct json_writer *w, const struct tracer_ev_task *ev)
{
	json_add_i64(w, "pid", ev->pid);
	json_add_i64(w, "parent_tid", ev->parent_tid);
	json_add_i64(w, "ppid", ev->ppid);
	if (ev->uid >= 0)
		json_add_i64(w, "uid", ev->uid);
	json_add_str(w, "comm", ev->comm, strlen(ev->comm));
	if (ev->head.flags & TRACER_EVF_ATTACHED)
		json_add_bool(w, "attached", true);
}

static void add_build_id(struct json *j, struct json_writer *w, const uint8_t *id, unsigned n)
{
	if (!n)
		return;
	for (unsigned i = 0; i < n; i++)
		strbuf_add_fmt(&j->text, "%02x", id[i]);
	add_text(j, w, "build_id");
}

static void add_exec(struct json *j, struct json_writer *w, const struct tracer_ev_exec *ev)
{
	const char *arg = ev->text + ev->exe_len;

	json_add_str(w, "exe", ev->text, ev->exe_len);
	json_add_str(w, "comm", ev->comm, strlen(ev->comm));
	json_add_i64(w, "former_tid", ev->former_tid);
	if (!j->cfg.decode.no_argv) {
		json_open_array(w, "argv");
		for (uint32_t i = 0; i < ev->argc; i++, arg += strlen(arg) + 1)
			json_add_str(w, NULL, arg, strlen(arg));
		json_close_array(w);
	}
	add_build_id(j, w, ev->build_id, ev->build_id_len);
}

static void add_hex(struct json *j, struct json_writer *w, const char *key, uint64_t v)
{
	strbuf_add_hex(&j->text, v);
	add_text(j, w, key);
}

static void add_map(struct json *j, struct json_writer *w, const struct tracer_ev_map *ev)
{
	json_add_str(w, "path", ev->text, ev->path_len);
	add_hex(j, w, "addr", ev->addr);
	json_add_u64(w, "length", ev->len);
	json_add_u64(w, "offset", ev->offset);
	json_add_u64(w, "dev", ev->dev);
	json_add_u64(w, "ino", ev->ino);
	if (ev->elf_class)
		json_add_i64(w, "elf_class", ev->elf_class == 1 ? 32 : 64);
	add_build_id(j, w, ev->build_id, ev->build_id_len);
	if (ev->head.flags & TRACER_EVF_ATTACHED)
		json_add_bool(w, "attached", true);
}

static void add_exit(struct json_writer *w, const struct tracer_ev_exit *ev)
{
	char buf[16];

	json_add_i64(w, "pid", ev->pid);
	if (ev->head.flags & TRACER_EVF_DETACHED) {
		json_add_bool(w, "detached", true);
	} else if (ev->head.flags & TRACER_EVF_SUPERSEDED) {
		json_add_bool(w, "superseded", true);
	} else if (WIFSIGNALED(ev->status)) {
		add_cstr(w, "signal", signal_name(WTERMSIG(ev->status), buf));
		json_add_bool(w, "core_dumped", WCOREDUMP(ev->status));
	} else {
		json_add_i64(w, "exit_code", WEXITSTATUS(ev->status));
	}
	if (ev->maxrss_kib) {
		json_add_u64(w, "user_us", ev->utime_us);
		json_add_u64(w, "system_us", ev->stime_us);
		json_add_u64(w, "maxrss_kib", ev->maxrss_kib);
	}
}

static void add_signal(struct json *j, struct json_writer *w, const struct tracer_ev_signal *ev)
{
	char buf[16];

	add_cstr(w, "signal", signal_name(ev->head.nr, buf));
	json_add_bool(w, "stop", ev->head.flags & TRACER_EVF_STOP);
	json_add_i64(w, "code", ev->code);
	if (ev->sender)
		json_add_i64(w, "sender_pid", ev->sender);
	if (ev->addr)
		add_hex(j, w, "addr", ev->addr);
}

static const char *const types[TRACER_EV_KINDS] = {
    [TRACER_EV_TASK] = "task",	   [TRACER_EV_EXEC] = "exec", [TRACER_EV_EXIT] = "exit",
    [TRACER_EV_SIGNAL] = "signal", [TRACER_EV_MAP] = "map",   [TRACER_EV_LOST] = "lost",
    [TRACER_EV_ENGINE] = "engine",
};

static uint64_t time_of(const struct json *j, const struct tracer_event *ev)
{
	return j->cfg.clock ? clock_map_real(j->cfg.clock, ev->time) : 0;
}

static void json_on_task(struct sink *s, const struct tracer_event *ev, const struct image *img)
{
	struct json *j = (struct json *)s;
	const void *p = ev;
	struct json_writer w;

	(void)img;
	if (j->w.error || !types[ev->kind])
		return;
	open_line(j, &w, types[ev->kind], ev->tid, time_of(j, ev));
	if (ev->kind == TRACER_EV_TASK)
		add_task(&w, p);
	else if (ev->kind == TRACER_EV_EXEC)
		add_exec(j, &w, p);
	else if (ev->kind == TRACER_EV_EXIT)
		add_exit(&w, p);
	else if (ev->kind == TRACER_EV_SIGNAL)
		add_signal(j, &w, p);
	else if (ev->kind == TRACER_EV_MAP)
		add_map(j, &w, p);
	close_line(j, &w);
}

static void json_on_event(struct sink *s, const struct tracer_event *ev)
{
	struct json *j = (struct json *)s;
	const struct tracer_ev_text *t = (const void *)ev;
	struct json_writer w;

	if (j->w.error || (ev->kind != TRACER_EV_LOST && ev->kind != TRACER_EV_ENGINE))
		return;
	open_line(j, &w, types[ev->kind], ev->tid, time_of(j, ev));
	if (ev->kind == TRACER_EV_LOST)
		json_add_u64(&w, "count", ((const struct tracer_ev_lost *)(const void *)ev)->count);
	else
		json_add_str(&w, "text", t->text, t->len);
	close_line(j, &w);
}

static int json_flush(struct sink *s)
{
	return sink_writer_flush(&((struct json *)s)->w);
}

static int json_close(struct sink *s)
{
	struct json *j = (struct json *)s;
	int err = sink_writer_fini(&j->w);

	strbuf_fini(&j->text);
	free(j);
	return err;
}

static int json_open(const struct sink_config *cfg, struct sink **out)
{
	struct json *j = calloc(1, sizeof(*j));

	*out = NULL;
	if (!j)
		return -ENOMEM;
	j->base.ops = &sink_json;
	j->cfg = *cfg;
	strbuf_init(&j->text, SINK_BUFFER_MAX / 4);
	sink_writer_init(&j->w, cfg);
	*out = &j->base;
	return 0;
}

static const char *const suffixes[] = { ".json", ".jsonl", ".ndjson", NULL };

const struct sink_ops sink_json = {
	.name = "json",
	.wants_maps = true,
	.wants_targets = true,
	.suffixes = suffixes,
	.open = json_open,
	.on_event = json_on_event,
	.on_call = json_on_call,
	.on_task = json_on_task,
	.flush = json_flush,
	.close = json_close,
};
