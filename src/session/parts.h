/* SPDX-License-Identifier: Apache-2.0 */
/* What a session is made of; for the files of this module alone. */
#ifndef SESSION_PARTS_H
#define SESSION_PARTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <tracer/session.h>
#include "base/log.h"
#include "engine/engine.h"
#include "ring/ring_set.h"
#include "session/consumer.h"
#include "session/delivery.h"
#include "session/metering.h"
#include "session/outputs.h"
#include "session/program.h"
#include "session/progress.h"
#include "session/select.h"

#define SESSION_PIDS_MAX 1024u

struct tracer_session {
	const struct tracer_options *options;
	struct log log;
	struct program program;
	const char *name;		/* of the program, for people; NULL: attached */
	char *const *envp;		/* the program's: program.envp or environ */
	char **environ;			/* with TRACEPARENT */
	pid_t pids[SESSION_PIDS_MAX];
	unsigned npids;
	struct selection selection;
	struct engine_selection engine_selection;
	struct engine_inherit inherit;
	int *fds;			/* open before ours were */
	int nfds;
	struct engine_config engine_config;
	struct engine_context context;	/* engine_config's */
	char site_cache[4096];
	const struct engine_ops *ops;
	struct engine *engine;
	uint64_t engine_stats[ENGINE_STATS];
	struct ring_set *rings;
	struct outputs outputs;
	struct delivery delivery;
	struct metering metering;
	struct consumer consumer;
	struct progress progress;
	uint64_t start_ns, end_ns;	/* of the program, CLOCK_MONOTONIC */
	/* Read by signal handlers: */
	atomic_bool running;		/* the engine can be told something */
	atomic_bool stop_early;		/* stop was asked for before it could */
	atomic_bool ended;		/* only the delivery is left */
};

/* The lines at the end, through the log. */
/* Attached: one line that says to whom, and how to end it. */
void session_report_attached(struct tracer_session *s);
void session_report(struct tracer_session *s, const struct engine_result *er,
		    const struct tracer_result *res);

#endif
