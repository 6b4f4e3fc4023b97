/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of sinks.  Constant; any thread.
 */
#include "config.h"
#include "sink/sink.h"
#include <string.h>

extern const struct sink_ops sink_text, sink_json, sink_csv, sink_record, sink_otlp_file;

const struct sink_ops *const sinks[] = {
	&sink_text,
	&sink_json,
	&sink_csv,
	&sink_record,
	&sink_otlp_file,
	NULL,
};

const struct sink_ops *sink_lookup(const char *name)
{
	for (unsigned i = 0; sinks[i]; i++) {
		if (strcmp(sinks[i]->name, name) == 0)
			return sinks[i];
	}
	return NULL;
}

static size_t suffix_length(const struct sink_ops *ops, const char *filename)
{
	size_t n = strlen(filename);
	size_t best = 0;

	for (const char *const *s = ops->suffixes; s && *s; s++) {
		size_t len = strlen(*s);

		if (len > best && n > len && strcmp(filename + n - len, *s) == 0)
			best = len;
	}
	return best;
}

const struct sink_ops *sink_by_suffix(const char *filename)
{
	const struct sink_ops *found = NULL;
	size_t longest = 0;

	for (unsigned i = 0; sinks[i]; i++) {
		size_t len = suffix_length(sinks[i], filename);

		if (len > longest) {
			longest = len;
			found = sinks[i];
		}
	}
	return found;
}
