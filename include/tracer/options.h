/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options.  There is one table with one row per option; command line, help,
 * environment, range errors, documentation and the checks of them are made
 * from its rows.  A value remembers where it came from, and a stronger origin
 * always wins, in whatever order values are set.
 *
 * The table is constant: any thread may read it.  A struct tracer_options
 * belongs to its caller and has no lock: one thread at a time, and nobody
 * changes it while a session uses it.  Texts that are handed in are copied.
 * why and whylen: a buffer of the caller's for one line about what is wrong
 * and what would be right, written only where the result is negative; 512
 * bytes hold every line, a smaller buffer cuts it.
 */
#ifndef TRACER_OPTIONS_H
#define TRACER_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <tracer/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tracer_option_type {
	TRACER_OPT_FLAG,	/* yes or no */
	TRACER_OPT_COUNT,	/* given several times means more: -t -tt -ttt */
	TRACER_OPT_NUMBER,
	TRACER_OPT_SIZE,	/* bytes: 64k, 4M */
	TRACER_OPT_DURATION,	/* 250us, 10ms, 1.5s; a bare number is in the row's unit */
	TRACER_OPT_CHOICE,	/* one word of choices */
	TRACER_OPT_STRING,
	TRACER_OPT_LIST,	/* strings; every use adds one */
	TRACER_OPT_RATIO,	/* 0 to 1 */
};

/* Weakest first. */
enum tracer_origin {
	TRACER_FROM_DEFAULT,	/* the preset's default */
	TRACER_FROM_OTEL,	/* OTEL_* for all signals */
	TRACER_FROM_OTEL_TRACES,	/* OTEL_* for one signal alone (traces; metrics in rows of theirs) */
	TRACER_FROM_ENVIRON,	/* TRACER_* */
	TRACER_FROM_PERF_MODE,	/* --perf-mode on the command line */
	TRACER_FROM_OPTION,	/* the option itself */
};

enum tracer_preset { TRACER_BALANCED, TRACER_AGGRESSIVE, TRACER_LOW_LATENCY, TRACER_PRESETS };

/* Bits of tracer_option.flags. */
#define TRACER_OPTF_BRIEF	0x01u	/* is in the short help */
#define TRACER_OPTF_NO_ENV	0x02u	/* has no TRACER_* name */
#define TRACER_OPTF_SECRET	0x04u	/* value is never printed */
#define TRACER_OPTF_OTLP	0x08u	/* its use asks for OTLP */
#define TRACER_OPTF_HIDDEN	0x10u	/* not in help or documents */
#define TRACER_OPTF_OPTARG	0x20u	/* argument may be left out: default_arg */

struct tracer_option {
	const char *name;	/* long, without -- */
	const char *arg;	/* name of the argument in help, NULL none */
	const char *group;	/* heading in help */
	const char *preset[TRACER_PRESETS];	/* defaults; only the first: same for all; NULL: unset */
	const char *default_arg;	/* value of the option without its argument */
	const char *choices;	/* a|b|c */
	const char *otel_traces, *otel;	/* environment names of OpenTelemetry: of one signal, general */
	const char *engines;	/* engines that support it, NULL: all */
	const char *since;	/* version */
	const char *help;	/* one line */
	uint64_t min, max;	/* durations: in units */
	uint64_t unit_ns;	/* durations: of a bare number */
	uint8_t type;		/* enum tracer_option_type */
	uint8_t flags;		/* TRACER_OPTF_* */
	char letter;		/* 0 none */
};

/* Another spelling of an option: pattern is its value, %s what was given. */
struct tracer_option_alias { const char *name, *target, *pattern, *help; };

struct tracer_options;

/* The rows, in the order of the help; *n their number.  Constant. */
TRACER_API const struct tracer_option *tracer_option_table(size_t *n);
TRACER_API const struct tracer_option_alias *tracer_option_aliases(size_t *n);
/* By long name or alias; NULL unknown. */
TRACER_API const struct tracer_option *tracer_option_lookup(const char *name);
/* Known name that is most like this one, or NULL. */
TRACER_API const char *tracer_option_nearest(const char *name);
/* TRACER_OTLP_BATCH_SIZE for otlp-batch-size, cut to size; "" where the row has none. */
TRACER_API void tracer_option_environ_name(const struct tracer_option *row, char *buf, size_t size);

/* Values at their defaults; the caller's, until tracer_options_free().  -ENOMEM. */
TRACER_API int tracer_options_new(struct tracer_options **out);
/* NULL is legal. */
TRACER_API void tracer_options_free(struct tracer_options *o);

/* One option by its long name or alias.  value is text as on a command line, in the row's unit; NULL:
 * the option stands without an argument.  A weaker origin than the present value's is checked and has
 * no effect.  -TRACER_ERR_USAGE: unknown, or not a value of it (why says it); -ENOMEM. */
TRACER_API int tracer_options_set(struct tracer_options *o, const char *name, const char *value,
				  enum tracer_origin origin, char *why, size_t whylen);
/* TRACER_* and OTEL_* of an environment (names, units and where they are specified: docs/environment.md).
 * A bad TRACER_* value is an error, a bad OTEL_* value is passed to warn() (NULL: nobody is told) and
 * ignored, as the specification has it.  The message is gone when warn() returns. */
TRACER_API int tracer_options_load_environ(struct tracer_options *o, char *const *envp,
					   void (*warn)(void *ctx, const char *message), void *ctx,
					   char *why, size_t whylen);
/* Presets and rules between options; call it once, after the last set and before the session.
 * -TRACER_ERR_USAGE: options that exclude each other. */
TRACER_API int tracer_options_check(struct tracer_options *o, void (*warn)(void *ctx, const char *message),
				    void *ctx, char *why, size_t whylen);

/* Value as text, as tracer_options_set() would take it ("" unset, "<redacted>" for secrets); cut to size,
 * with a NUL.  Returns the origin; of an unknown name TRACER_FROM_DEFAULT and "". */
TRACER_API enum tracer_origin tracer_options_format(const struct tracer_options *o, const char *name,
						    char *buf, size_t size);
/* Where the value came from, in words: "option", "OTEL_BSP_SCHEDULE_DELAY", "perf-mode aggressive". */
TRACER_API void tracer_options_format_origin(const struct tracer_options *o, const char *name,
					     char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
