/* SPDX-License-Identifier: Apache-2.0 */
/* `tracer collect`: the small receiver as a subcommand. */
#ifndef TRACER_COLLECT_H
#define TRACER_COLLECT_H

#include <tracer/error.h>

/* Runs until SIGINT or SIGTERM (or, with --once, until a trace is complete).
 * argv[0] is "collect".  A subcommand, not a library call: it prints.
 * Returns the exit status. */
TRACER_API int tracer_collect_main(int argc, char **argv);

#endif
