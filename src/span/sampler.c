/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The samplers of OpenTelemetry's SDK specification (trace/sdk.md, "Built-in
 * samplers").  Pure; runs on the thread that opens the session.
 *
 * How traceidratio gets from an id to a number is left open there.  This is
 * what the SDKs for Go and Python do: the last eight bytes of the id as a
 * big-endian number, below the share of its range.  So a run and the
 * services that it calls agree, and what a small ratio keeps a larger one keeps, too.
 */
#include "config.h"
#include "span/sampler.h"

static bool ratio_check(uint64_t ratio, const uint8_t trace_id[16])
{
	uint64_t v = 0;

	for (int i = 8; i < 16; i++)
		v = v << 8 | trace_id[i];
	return v >> 1 < ratio;
}

bool sampler_follows_parent(const struct sampler *s, const struct trace_context *c)
{
	return c->remote && s->kind >= SAMPLER_PARENT_ALWAYS_ON;
}

bool sampler_check(const struct sampler *s, const struct trace_context *c)
{
	if (sampler_follows_parent(s, c))
		return c->sampled;
	switch (s->kind) {
	case SAMPLER_ALWAYS_OFF:
	case SAMPLER_PARENT_ALWAYS_OFF:
		return false;
	case SAMPLER_RATIO:
	case SAMPLER_PARENT_RATIO:
		return ratio_check(s->ratio, c->trace_id);
	default:
		return true;
	}
}
