/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which calls and signals the user wants to see: -e, -P, -z, -Z,
 * --min-duration.  Built once, constant afterwards; read by the consumer.
 */
#ifndef SESSION_SELECT_H
#define SESSION_SELECT_H

#include <stdbool.h>
#include <stdint.h>
#include "decode/match.h"
#include "engine/engine.h"
#include "session/options.h"
#include "syscalls/filter.h"

struct selection {
	struct filter filter;
	struct match_paths paths;	/* of -P */
	uint64_t min_ns;		/* shorter calls are not for people: the consumer looks */
};

int selection_load(struct selection *sel, const struct tracer_options *o, char *why, size_t whylen);
void selection_fini(struct selection *sel);

/* By number and outcome alone. */
bool selection_wants_record(const struct selection *sel, const struct tracer_ev_call *ev);
/* By descriptor and path, of a record that is wanted. */
bool selection_wants_call(const struct selection *sel, const struct call *c);
/* Does that look at descriptors or paths at all? */
bool selection_reads_calls(const struct selection *sel);
/* The bits of enum state_op that keep what is told of the wanted calls true: thread names, and with
 * targets also what their descriptors and paths stand for. */
uint32_t selection_state_ops(const struct selection *sel, bool targets);
/* For the engine: what need not stop. */
void selection_format_engine(const struct selection *sel, struct engine_selection *out);

#endif
