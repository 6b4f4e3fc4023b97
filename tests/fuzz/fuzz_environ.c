/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenTelemetry's variables with any text: none of them keeps a program from
 * running, each mistake is told in a line of its own, every value that is in force can be shown, and no
 * header's value ever is.  And the context of TRACEPARENT and TRACESTATE.
 */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fuzz.h"
#include "session/options.h"
#include "span/propagator.h"

#define VARIABLES 12u
#define SECRET "s3cr3t"

static void require(int ok)
{
	if (!ok)
		abort();
}

static void warn(void *ctx, const char *message)
{
	unsigned *n = ctx;

	require(message[0] != '\0');
	++*n;
}

/* The i-th name of OTEL_*, of the options that have one. */
static const char *variable(unsigned i)
{
	for (unsigned k = 0;; k = (k + 1) % OPTIONS) {
		const struct tracer_option *row = &option_rows[(i + k) % OPTIONS];

		if (row->otel_traces && i & 128)
			return row->otel_traces;
		if (row->otel)
			return row->otel;
	}
}

/* Lines: a byte that says which variable, and its value. */
static void check_options(const char *text)
{
	char lines[VARIABLES][512], *envp[VARIABLES + 1], why[512], shown[512];
	struct tracer_options *o;
	unsigned n = 0, told = 0;

	for (const char *p = text; *p && n < VARIABLES; p += strcspn(p, "\n"), p += *p == '\n', n++) {
		int len = (int)strcspn(p + 1, "\n");

		if (!*++p)
			break;
		snprintf(lines[n], sizeof(lines[n]), "%s=%.*s", variable((unsigned char)p[-1]), len, p);
		envp[n] = lines[n];
	}
	envp[n] = NULL;
	require(tracer_options_new(&o) == 0);
	require(tracer_options_load_environ(o, envp, warn, &told, why, sizeof(why)) == 0);
	require(tracer_options_check(o, warn, &told, why, sizeof(why)) == 0);
	require(told <= 2 * n + 2);
	for (size_t i = 0; i < OPTIONS; i++) {
		tracer_options_format(o, option_rows[i].name, shown, sizeof(shown));
		require(!(option_rows[i].flags & TRACER_OPTF_SECRET) || !shown[0] || !strcmp(shown, "<redacted>"));
	}
	tracer_options_free(o);
}

static void check_context(const char *text)
{
	const char *end = strchr(text, '\n');
	char *parent = strndup(text, end ? (size_t)(end - text) : strlen(text)), why[128] = "", unknown[32], out[56];
	struct trace_context c, again;

	require(parent != NULL);
	if (propagator_parse(parent, end ? end + 1 : NULL, &c, why, sizeof(why)) == 0) {
		require(strlen(c.trace_state) < sizeof(c.trace_state) && !strchr(c.trace_state, '\n'));
		propagator_format(&c, c.parent_id, out);
		require(strlen(out) == 55 && propagator_parse(out, c.trace_state, &again, why, sizeof(why)) == 0);
		require(!memcmp(c.trace_id, again.trace_id, 16) && !memcmp(c.parent_id, again.parent_id, 8));
		require(c.sampled == again.sampled && !strcmp(c.trace_state, again.trace_state));
	} else {
		require(why[0] != '\0');
	}
	require(propagators_parse(text, unknown, sizeof(unknown)) <= (PROPAGATE_TRACECONTEXT | PROPAGATE_BAGGAGE));
	free(parent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size < 4096 ? size : 4096);

	require(text != NULL);
	if (strncmp(text, "00-", 3) && !strchr(text, ','))
		check_options(text);
	else
		check_context(text);
	if (strchr(text, '\n'))
		check_options(text);
	free(text);
	return 0;
}

/* One line for each option that has a variable, in pieces. */
struct fuzz_seed fuzz_seed(unsigned i)
{
	static const char *const values[] = { "http://c:4318/v1", "k=" SECRET "%20x,l=m", "12", "true", "0.5", "grpc", "none", "a=b,c=%41" };
	static char text[32][512];
	static const struct fuzz_seed contexts[] = {
		{ "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\nfoo=bar,ot=th:c", 71 },
		{ "01-0123456789abcdef0123456789abcdef-0123456789abcdef-03-x\na@b=c", 63 },
		{ "tracecontext,baggage,b3", 23 },
	};
	unsigned groups = (2 * OPTIONS + VARIABLES - 1) / VARIABLES;
	size_t n = 0;

	if (i < 3)
		return contexts[i];
	i -= 3;
	if (i >= groups || i >= 32)
		return (struct fuzz_seed){ NULL, 0 };
	for (unsigned k = 0; k < VARIABLES; k++) {
		unsigned which = (i * VARIABLES + k) % 256;

		n += (size_t)snprintf(text[i] + n, sizeof(text[i]) - n, "%c%s\n", which == '\n' || !which ? 'x' : (int)which,
				      values[(which + i) % 8]);
	}
	return (struct fuzz_seed){ text[i], n };
}
