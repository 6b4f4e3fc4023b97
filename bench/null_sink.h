/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A receiver that decodes nothing: takes HTTP/1.1 posts and answers 200.  As
 * a program of its own (otlp-null-sink) or as a child process of a bench or
 * test, so that its work and its allocations are not those of the measured.
 */
#ifndef NULL_SINK_H
#define NULL_SINK_H

#include <stdint.h>
#include <sys/types.h>

struct null_sink { pid_t pid; int port; };

/* Listening loopback socket; *port 0: any, filled in.  Negative: -errno. */
int null_sink_listen(int *port);
/* Serves until killed; each answer is given after delay_ms. */
void null_sink_run(int listener, unsigned delay_ms);
/* A child that serves, on the last CPU of this process's set; it dies with us. */
int null_sink_start(struct null_sink *s);
void null_sink_stop(struct null_sink *s);

#endif
