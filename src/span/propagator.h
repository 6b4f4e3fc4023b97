/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3C Trace Context (https://www.w3.org/TR/trace-context-2/) in and out of the
 * environment (OpenTelemetry "Environment Variables as Context Propagation
 * Carriers").
 */
#ifndef PROPAGATOR_H
#define PROPAGATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace_context {
	uint8_t trace_id[16];
	uint8_t parent_id[8];		/* all zero: we are the root */
	bool remote;			/* came from TRACEPARENT */
	bool sampled;
	uint8_t trace_flags;		/* W3C flags byte */
	char trace_state[513];		/* "" none */
};

enum { PROPAGATE_TRACECONTEXT = 1u, PROPAGATE_BAGGAGE = 2u };
/* OTEL_PROPAGATORS: PROPAGATE_* of a list of names; twice is once, "none" is nothing at all.  unknown
 * gets the first name that is not ours, "" none. */
unsigned propagators_parse(const char *list, char *unknown, size_t size);

/* A trace of our own: fresh random id, sampled, no parent. */
void trace_context_init(struct trace_context *c);
/* 0, or -EINVAL with the reason in why; a bad tracestate is left out, no error. */
int propagator_parse(const char *traceparent, const char *tracestate,
		     struct trace_context *out, char *why, size_t whylen);
/* "00-...-...-01", 55 characters and NUL. */
void propagator_format(const struct trace_context *c, const uint8_t span_id[8], char out[56]);
/* A copy of envp with TRACEPARENT and TRACESTATE set or replaced (a trace state
 * that is not ours to hand on is removed); one block, to be freed with free();
 * it shares the strings of envp that it keeps.  NULL: no memory. */
char **propagator_environ(char *const *envp, const struct trace_context *c, const uint8_t span_id[8]);

/* Random, never all zero (getrandom). */
void id_trace(uint8_t out[16]);
void id_span(uint8_t out[8]);
/* Fast non-zero ids for the span flood: seeded once with getrandom. */
struct id_generator { uint64_t s[2]; };
void id_generator_init(struct id_generator *g);
void id_generator_next(struct id_generator *g, uint8_t out[8]);

#endif
