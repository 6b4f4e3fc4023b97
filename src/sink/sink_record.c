/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recording for replay: the record stream as it comes (ring/recording.h).
 * Consumer thread.  Clock records come like all others (see sink.h); each of
 * them counts, because a replay repeats the whole line.
 */
#include "config.h"
#include "sink/sink_writer.h"
#include <errno.h>
#include <stdlib.h>
#include "base/clock.h"
#include "ring/recording.h"

extern const struct sink_ops sink_record;	/* registered in sink.c */

struct record {
	struct sink base;
	struct sink_writer w;
	const struct clock_map *clock;
	bool have_clock;
	uint64_t count;
};

static void add_record(struct record *r, const struct tracer_event *ev)
{
	strbuf_add(&r->w.buf, ev, ev->size);
	r->count++;
	sink_writer_tick(&r->w);
}

/* Nothing has a time before the first clock record. */
static void add_clock(struct record *r)
{
	struct tracer_ev_clock ev;

	r->have_clock = true;
	if (!r->clock)
		return;
	clock_map_encode(r->clock, &ev);
	add_record(r, &ev.head);
}

static void record_on_event(struct sink *s, const struct tracer_event *ev)
{
	struct record *r = (struct record *)s;

	if (ev->kind == TRACER_EV_CLOCK)
		r->have_clock = true;
	if (!r->have_clock)
		add_clock(r);
	add_record(r, ev);
}

static int record_flush(struct sink *s)
{
	return sink_writer_flush(&((struct record *)s)->w);
}

static int record_close(struct sink *s)
{
	struct record *r = (struct record *)s;
	struct tracer_event end = { .size = sizeof(end), .kind = TRACER_EV_NONE };
	int err;

	end.time = r->count;
	strbuf_add(&r->w.buf, &end, sizeof(end));
	err = sink_writer_fini(&r->w);
	free(r);
	return err;
}

static int record_open(const struct sink_config *cfg, struct sink **out)
{
	struct record *r = calloc(1, sizeof(*r));
	struct recording_header h;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->base.ops = &sink_record;
	r->clock = cfg->clock;
	sink_writer_init(&r->w, cfg);
	recording_init(&h);
	strbuf_add(&r->w.buf, &h, sizeof(h));
	*out = &r->base;
	return 0;
}

static const char *const suffixes[] = { ".trace", NULL };

const struct sink_ops sink_record = {
	.name = "record",
	.suffixes = suffixes,
	.wants_outside = true,
	.wants_maps = true,
	.open = record_open,
	.on_event = record_on_event,
	.flush = record_flush,
	.close = record_close,
};
