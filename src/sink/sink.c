/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of sinks: one line each.  Constant; any thread. */
#include "config.h"
#include "sink/sink.h"
#include <string.h>

extern const struct sink_ops sink_otlp_file;

const struct sink_ops *const sinks[] = {
	&sink_otlp_file,
	NULL,
};

const struct sink_ops *sink_lookup(const char *name)
{
	for (const struct sink_ops *const *s = sinks; *s; s++)
		if (!strcmp((*s)->name, name))
			return *s;
	return NULL;
}

static size_t suffix_length(const struct sink_ops *ops, const char *filename)
{
	size_t n = strlen(filename), best = 0;

	for (const char *const *suffix = ops->suffixes; suffix && *suffix; suffix++) {
		size_t len = strlen(*suffix);
		if (len <= n && len > best && !strcmp(filename + n - len, *suffix))
			best = len;
	}
	return best;
}

const struct sink_ops *sink_by_suffix(const char *filename)
{
	const struct sink_ops *found = NULL;
	size_t best = 0;

	for (const struct sink_ops *const *s = sinks; *s; s++) {
		size_t len = suffix_length(*s, filename);
		if (len > best) {
			best = len;
			found = *s;
		}
	}
	return found;
}
