/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Engine to sink without a session, for golden tests:
 *
 *   golden-pipeline FORMAT FILE.trace [FLAG...]      replay to stdout
 *   golden-pipeline record FILE.trace -- COMMAND...  make a recording (ptrace)
 *
 * FLAG: y, v, T, t, tt, ttt, r, i, n, Y, pid.  The main thread supervises, one
 * thread consumes, as in the tool.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tracer/error.h>
#include <unistd.h>
#include "base/clock.h"
#include "decode/world.h"
#include "engine/engine.h"
#include "sink/sink.h"

struct pipeline {
	struct engine_config engine;
	struct sink_config sink;
	const struct sink_ops *ops;
	struct sink *s;
	struct clock_map clock;
	bool live, loaded;
};

static void print_message(void *ctx, int level, const char *message)
{
	(void)ctx;
	fprintf(stderr, "%s%s\n", level == LOG_ERROR ? "" : "note: ", message);
}

static void clock_event(struct pipeline *p, const struct tracer_ev_clock *ev)
{
	if (!p->loaded)
		clock_map_load(&p->clock, ev);
	else
		clock_map_add(&p->clock, ev->head.time, ev->mono_ns);
	p->loaded = true;
}

static void show(struct pipeline *p, const struct tracer_event *ev)
{
	const struct image *img;
	struct call c;

	if (ev->kind == TRACER_EV_CALL || ev->kind == TRACER_EV_ENTER) {
		call_init(&c, (const void *)ev, p->sink.world, &p->clock);
		if (p->ops->on_call && !(ev->flags & TRACER_EVF_HIDDEN))
			p->ops->on_call(p->s, &c);
	} else if (ev->kind == TRACER_EV_TASK || ev->kind == TRACER_EV_EXEC || ev->kind == TRACER_EV_EXIT ||
		   ev->kind == TRACER_EV_SIGNAL) {
		img = world_task(p->sink.world, ev->tid)->proc->image;
		if (p->ops->on_task)
			p->ops->on_task(p->s, ev, img);
	}
}

static void handle(struct pipeline *p, const struct tracer_event *ev)
{
	if (!p->live && ev->kind == TRACER_EV_CLOCK)
		clock_event(p, (const void *)ev);
	world_before(p->sink.world, ev);
	if (p->ops->on_event)
		p->ops->on_event(p->s, ev);
	show(p, ev);
	world_after(p->sink.world, ev);
}

static void tell_clock(struct pipeline *p)
{
	struct tracer_ev_clock ev;

	clock_map_encode(&p->clock, &ev);
	if (p->ops->on_event)
		p->ops->on_event(p->s, &ev.head);
}

static void *consume(void *arg)
{
	struct pipeline *p = arg;
	struct ring_set *rings = p->engine.rings;
	const struct tracer_event *ev;

	if (p->live)
		tell_clock(p);
	while (!ring_set_done(rings)) {
		if (p->live && clock_map_sync(&p->clock))
			tell_clock(p);
		ev = ring_set_next(rings);
		if (!ev) {
			ring_set_wait(rings, 1000000);
			continue;
		}
		handle(p, ev);
		ring_set_consume(rings);
	}
	return NULL;
}

static int run(struct pipeline *p, const char *engine)
{
	const struct engine_ops *ops;
	struct engine_result res;
	struct engine *e = NULL;
	pthread_t consumer;
	char why[512] = "";
	int err = engine_choose(engine, &p->engine, &ops, why, sizeof(why));

	if (err < 0) {
		fprintf(stderr, "%s\n", why);
		return err;
	}
	err = p->ops->open(&p->sink, &p->s);
	if (err < 0)
		return err;
	pthread_create(&consumer, NULL, consume, p);
	err = ops->open(&p->engine, &e);
	if (err == 0)
		err = ops->start(e);
	if (err == 0)
		err = ops->run(e, &res);
	ops->close(e);
	ring_set_finish(p->engine.rings);
	pthread_join(consumer, NULL);
	return p->ops->close(p->s) < 0 && err == 0 ? -EIO : err;
}

static void set_flag(struct sink_config *c, const char *flag)
{
	c->decode.fd_paths |= strcmp(flag, "y") == 0;
	c->decode.verbose |= strcmp(flag, "v") == 0;
	c->durations |= strcmp(flag, "T") == 0;
	c->relative |= strcmp(flag, "r") == 0;
	c->ip |= strcmp(flag, "i") == 0;
	c->number |= strcmp(flag, "n") == 0;
	c->show_ids |= strcmp(flag, "Y") == 0;
	c->show_pid |= strcmp(flag, "pid") == 0;
	if (strspn(flag, "t") == strlen(flag))
		c->timestamps = (uint8_t)strlen(flag);
}

static void record_setup(struct pipeline *p, char **argv)
{
	struct clock_point first;

	p->live = true;
	p->engine.file = argv[4];
	p->engine.argv = argv + 4;
	p->engine.envp = environ;
	p->sink.out = (struct sink_output){
	    .fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), .name = argv[2]};
	p->engine.clock = clock_probe();
	clock_point_sync(&first, p->engine.clock);
	clock_map_init(&p->clock, p->engine.clock, &first);
	ring_set_set_clock(p->engine.rings, p->engine.clock);
}

int main(int argc, char **argv)
{
	static const struct engine_selection all = { .all = true };
	struct log log = { print_message, NULL, LOG_WARN };
	struct pipeline p = {
		.engine = { .follow = true, .wait_all = true, .selection = &all, .ring_size = 1 << 20, .log = &log,
			    .limits = { .string_max = 32, .path_max = 4096, .vector_max = 64, .total_max = 16384 } },
		.sink = { .out = { .fd = STDOUT_FILENO, .name = "stdout" }, .decode.string_max = 32, .log = &log,
			  .column = 40 },
	};
	int rc;

	if (argc < 3 || !(p.ops = sink_lookup(argv[1]))) {
		fprintf(stderr, "usage: golden-pipeline FORMAT FILE.trace [FLAG...]\n");
		return 2;
	}
	p.sink.clock = &p.clock;
	if (ring_set_new(&p.engine.rings, 16) < 0 || world_new(&p.sink.world, &(struct world_limits){0}) < 0)
		return 125;
	if (argc > 4 && strcmp(argv[3], "--") == 0) {
		record_setup(&p, argv);
	} else {
		p.engine.recording = argv[2];
		for (int i = 3; i < argc; i++)
			set_flag(&p.sink, argv[i]);
	}
	rc = run(&p, p.live ? "ptrace" : "auto");
	world_free(p.sink.world);
	ring_set_free(p.engine.rings);
	return rc < 0 ? 125 : 0;
}
