/* SPDX-License-Identifier: Apache-2.0 */
/* The options as the session reads them: by identifier, parsed. */
#ifndef SESSION_OPTIONS_H
#define SESSION_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <tracer/options.h>

enum option_id {
#define OPTION(id, ...) OPT_##id,
#include "session/options_table.def"
#undef OPTION
	OPTIONS
};

struct option_value {
	uint64_t num;		/* flag, count, number, bytes, nanoseconds, index of the choice */
	char *str;		/* as given, or the choice; NULL unset */
	char **list;
	uint32_t nlist;
	enum tracer_origin origin;
	const char *source;	/* name of the environment variable it came from, or NULL */
	bool adapted;		/* changed to fit another option */
};

#define OPTION_LIST_MAX 1024u	/* entries of one list */

struct tracer_options {
	struct option_value v[OPTIONS];
	bool checked;
};

extern const struct tracer_option option_rows[OPTIONS];

static inline uint64_t option_num(const struct tracer_options *o, enum option_id id)
{
	return o->v[id].num;
}

static inline const char *option_str(const struct tracer_options *o, enum option_id id)
{
	return o->v[id].str;
}

static inline bool option_given(const struct tracer_options *o, enum option_id id)
{
	return o->v[id].origin != TRACER_FROM_DEFAULT;
}

/* Sets one value unless a stronger one is there.  source: environment variable or NULL,
 * must outlive o. */
int option_set(struct tracer_options *o, const struct tracer_option *row, const char *text,
	       enum tracer_origin origin, const char *source, char *why, size_t whylen);

/* Does something ask for delivery over OTLP?  span_file: a file takes spans, so that options
 * about their content alone do not. */
bool options_want_otlp(const struct tracer_options *o, bool span_file);

/* Are metrics sent over OTLP?  file: a file takes them, then only where OTLP is asked for. */
bool options_want_metrics(const struct tracer_options *o, bool file);

/* Is the text of an OTEL_* variable well-formed?  0, or negative with a clause in why. */
int otel_text_check(enum option_id id, const char *text, char *why, size_t whylen);
/* An endpoint of OTEL_* that does not fit the protocol gives way to the default. */
int otel_endpoints_check(struct tracer_options *o, void (*warn)(void *, const char *), void *ctx, char *why,
			 size_t whylen);
/* k=v,k2=v2 of a resource. */
int options_check_attributes(const char *text, char *why, size_t whylen);

/* An option that may be set for metrics alone: its value in force for them; NULL: the default. */
const struct option_value *option_of_metrics(const struct tracer_options *o, enum option_id general, enum option_id metrics);
/* Where and how spans and metrics are sent; all but the log. */
struct otlp_config;
void options_load_traces(const struct tracer_options *o, struct otlp_config *cfg);
void options_load_metrics(const struct tracer_options *o, struct otlp_config *cfg);

/* Edit distance with transpositions; how "did you mean" is decided. */
unsigned nearest_distance(const char *a, const char *b);
/* Most that still counts as "like" for a word of this length. */
unsigned nearest_limit(const char *word);

#endif
