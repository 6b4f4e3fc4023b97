/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of the command; all on the main thread. */
#ifndef CLI_H
#define CLI_H

#include <tracer/tracer.h>

/* Exit statuses that are ours, not the program's. */
enum cli_exit {
	CLI_EXIT_USAGE = 2,
	CLI_EXIT_GATE = 3,
	CLI_EXIT_FAILURE = 125,
	CLI_EXIT_NOEXEC = 126,
	CLI_EXIT_NOTFOUND = 127
};

/* "tracer: message" on stderr, in one write.  A tracer_log_fn. */
void cli_log(void *ctx, int level, const char *message);

/* The progress line on stderr: a tracer_progress_fn; and whether there may be one. */
bool cli_progress(void *ctx, const char *line);
bool cli_progress_wanted(void);

/* Environment, then the command line.  *first: index of the first word that is no option.
 * 0, or -TRACER_ERR_USAGE after a message. */
int cli_options_load(struct tracer_options *o, int argc, char **argv, char *const *envp, int *first);

void cli_usage(const struct tracer_options *o);		/* as --help asks */
void cli_print_config(const struct tracer_options *o);
int cli_print_options(const char *form);		/* names, markdown, man */

/* Goes on in a child that the program's life does not hang on: -1 there; in the front, which stays until the
 * child has ended, an exit status. */
int cli_guard_start(void);

/* Handlers are there from start to stop; inherit gets what was before. */
void cli_signals_start(struct tracer_inherit *inherit, bool attaching);
void cli_signals_set_session(struct tracer_session *s, int attached);
/* Restores what was before. */
void cli_signals_stop(void);
/* Dies of sig, without a second core dump; returns where that is not possible. */
void cli_die_of(int sig);

#endif
