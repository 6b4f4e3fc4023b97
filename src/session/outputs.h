/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the tool writes besides the network: stderr, files, pipes to commands,
 * each with the sink that formats it.  Chosen on the main thread, opened, used
 * and closed on the consumer thread (a command is that thread's child, so the
 * supervisor's wait never sees it).
 */
#ifndef SESSION_OUTPUTS_H
#define SESSION_OUTPUTS_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/strbuf.h"
#include "session/options.h"
#include "sink/sink.h"

#define OUTPUTS_MAX 16u

struct output {
	const char *target;		/* path, "-", "|command"; NULL: stderr */
	const struct sink_ops *ops;	/* NULL: takes the summary only */
	struct sink *sink;
	struct sink_output out;
	pid_t command;			/* 0 none */
	int command_status;		/* as wait(2) has it, when it has ended */
};

struct outputs {
	struct output list[OUTPUTS_MAX];
	unsigned n;
	bool wants_calls, wants_spans, wants_events, wants_tasks, wants_outside, wants_targets, wants_maps;
};

/* What the options ask for; where spans go to a collector there is no text
 * unless asked for.  0 or -TRACER_ERR_USAGE with why. */
int outputs_choose(struct outputs *outs, const struct tracer_options *o, char *why, size_t whylen);
int outputs_open(struct outputs *outs, const struct tracer_options *o, const struct sink_config *base,
		 char *why, size_t whylen);
/* Does one of them write to a terminal while the program runs?  Before they are open, too. */
bool outputs_use_terminal(const struct outputs *outs);
void outputs_flush(struct outputs *outs);
/* Text that belongs behind everything else (the summary). */
int outputs_write(struct outputs *outs, const struct strbuf *text);
/* 0, or the first error of any of them; why names it. */
int outputs_close(struct outputs *outs, char *why, size_t whylen);

void decode_options_load(struct decode_options *d, const struct tracer_options *o);
void sink_config_load(struct sink_config *c, const struct tracer_options *o);

#endif
