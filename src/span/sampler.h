/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Head sampling as OTEL_TRACES_SAMPLER has it.  A run is one trace (or several
 * linked ones that share the eight bytes which decide), so the decision is made
 * once, before the program starts, and holds for all of its spans.
 */
#ifndef SAMPLER_H
#define SAMPLER_H

#include <stdbool.h>
#include <stdint.h>
#include "span/propagator.h"

/* In the order of the choices of --traces-sampler. */
enum sampler_kind {
	SAMPLER_ALWAYS_ON = 0, SAMPLER_ALWAYS_OFF, SAMPLER_RATIO,
	SAMPLER_PARENT_ALWAYS_ON, SAMPLER_PARENT_ALWAYS_OFF, SAMPLER_PARENT_RATIO
};

/* ratio: in 2^-63, as parse_ratio() has it. */
struct sampler { enum sampler_kind kind; uint64_t ratio; };

/* Is the trace recorded?  Same answer for the same trace id, here and in the SDKs of others. */
bool sampler_check(const struct sampler *s, const struct trace_context *c);
/* The parent has decided, not the sampler. */
bool sampler_follows_parent(const struct sampler *s, const struct trace_context *c);

#endif
