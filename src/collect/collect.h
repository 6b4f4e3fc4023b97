/* SPDX-License-Identifier: Apache-2.0 */
/* `tracer collect`: the small receiver. */
#ifndef COLLECT_H
#define COLLECT_H

/* Runs until SIGINT or SIGTERM (or, with --once, until a trace is complete).
 * Returns the exit status. */
int collect_main(int argc, char **argv);

#endif
