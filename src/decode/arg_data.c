/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding captured bytes and arguments of a call record.  Pure functions,
 * used on the consumer thread.
 */
#include "config.h"
#include "decode/arg_data.h"

const struct tracer_capture *call_capture(const struct tracer_ev_call *c, unsigned arg, unsigned index,
					  unsigned directions)
{
	for (unsigned i = 0; i < c->ncaptures; i++) {
		const struct tracer_capture *cap = event_capture(c, i);

		if (cap && cap->arg == arg && cap->index == index && cap->flags & directions)
			return cap;
	}
	return NULL;
}

size_t capture_strlen(const struct tracer_capture *cap)
{
	const uint8_t *nul = memchr(cap->bytes, '\0', cap->len);

	return nul ? (size_t)(nul - cap->bytes) : cap->len;
}

int desc_arg(const struct syscall_desc *d, unsigned kind)
{
	for (unsigned i = 0; i < d->nargs && i < TRACER_ARGS_MAX; i++)
		if (d->args[i] == kind)
			return (int)i;
	return -1;
}

int desc_arg_named(const struct syscall_desc *d, const char *name)
{
	for (unsigned i = 0; i < d->nargs && i < TRACER_ARGS_MAX; i++)
		if (d->arg_names[i] && d->arg_names[i][0] == name[0] && !strcmp(d->arg_names[i], name))
			return (int)i;
	return -1;
}
