/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sink is one way out: text, JSON, CSV, a recording, OTLP.  All callbacks
 * run on the consumer thread, with SIGPIPE blocked.  NULL callback: not interested; the session
 * decodes and builds spans only for what some sink wants.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stdio.h>
#include "base/log.h"
#include "decode/decode.h"
#include "span/span.h"

/* Where bytes go: opened by the session (stderr, file, pipe to a command). */
struct sink_output {
	int fd;
	const char *name;
	bool terminal;
};

struct sink_config {
	struct sink_output out;
	struct decode_options decode;
	const struct log *log;
	/* text */
	bool show_pid;			/* more than one task was seen, or -f */
	uint8_t timestamps;		/* -t 1, -tt 2, -ttt 3 */
	bool relative;			/* -r */
	bool durations;			/* -T */
	bool number;			/* -n */
	bool ip;			/* -i */
	bool show_ids;			/* -Y: comm behind the pid */
	uint32_t column;		/* -a */
	bool color;
	bool append;			/* -A; for sinks that open files themselves */
	bool quiet_attach, quiet_exit;	/* -q, -qq */
	const struct clock_map *clock;
	struct world *world;
};

struct sink;
struct sink_ops {
	const char *name;		/* --format NAME */
	const char *const *suffixes;	/* of -o FILE, NULL-terminated; longest match wins */
	bool own_files;			/* opens its files itself: out.name says where, out.fd is -1 */
	bool wants_outside;		/* sees calls outside the selection, too */
	bool wants_maps;		/* files that programs run code of (TRACER_EV_MAP) */
	/* shows what descriptors and relative paths stand for, with or without -y */
	bool wants_targets;
	int (*open)(const struct sink_config *cfg, struct sink **out);
	/* Every record, raw.  Also the points of the clock map: the first before all other
	 * records, then one each time clock_map_sync() has added one (clock_map_encode()). */
	void (*on_event)(struct sink *s, const struct tracer_event *ev);
	void (*on_call)(struct sink *s, const struct call *c);
	/* TASK, EXEC, EXIT, SIGNAL, MAP */
	void (*on_task)(struct sink *s, const struct tracer_event *ev, const struct image *img);
	void (*on_span)(struct sink *s, const struct span *sp);
	void (*on_metrics)(struct sink *s, const char *json, size_t n);	/* a MetricsData object */
	int (*flush)(struct sink *s);
	/* 0, or the first write error as -errno; the sink has told of it when it happened. */
	int (*close)(struct sink *s);
};
struct sink { const struct sink_ops *ops; };

extern const struct sink_ops *const sinks[];	/* registry, NULL-terminated */
extern const struct sink_ops sink_split;	/* -ff: text in a file for each task; not in the registry */
const struct sink_ops *sink_lookup(const char *name);
const struct sink_ops *sink_by_suffix(const char *filename);

#endif
