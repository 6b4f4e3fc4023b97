/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3C Trace Context in and out of the environment: traceparent as level 2 of
 * the recommendation has it (https://www.w3.org/TR/trace-context-2/), names
 * as OpenTelemetry's environment carriers normalise them.  Pure functions;
 * runs before the program is started, on the thread that starts it.
 */
#include "config.h"
#include "span/propagator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TRACEPARENT_LEN 55u
#define STATE_MEMBERS_MAX 32u
#define FLAG_SAMPLED 0x01u
#define FLAG_RANDOM 0x02u

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;	/* upper case is an error */
}

static int hex_parse(const char *p, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(p[2 * i]), lo = hi < 0 ? -1 : hex_digit(p[2 * i + 1]);

		if (lo < 0)
			return -EINVAL;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

static void hex_format(char *out, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
}

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static int fail(char *why, size_t whylen, const char *reason)
{
	if (why && whylen)
		snprintf(why, whylen, "%s", reason);
	return -EINVAL;
}

static int traceparent_parse(const char *tp, struct trace_context *c, char *why, size_t whylen)
{
	size_t len = strlen(tp);
	uint8_t version;

	if (len < TRACEPARENT_LEN)
		return fail(why, whylen, "shorter than 55 characters");
	if (tp[2] != '-' || tp[35] != '-' || tp[52] != '-')
		return fail(why, whylen, "not of the form version-traceid-parentid-flags");
	if (hex_parse(tp, &version, 1) < 0 || hex_parse(tp + 3, c->trace_id, 16) < 0 ||
	    hex_parse(tp + 36, c->parent_id, 8) < 0 || hex_parse(tp + 53, &c->trace_flags, 1) < 0)
		return fail(why, whylen, "a field is not lower-case hexadecimal");
	if (version == 0xff)
		return fail(why, whylen, "version ff is invalid");
	if (version == 0 ? len != TRACEPARENT_LEN : len > TRACEPARENT_LEN && tp[TRACEPARENT_LEN] != '-')
		return fail(why, whylen, "more than 55 characters");
	if (is_zero(c->trace_id, 16))
		return fail(why, whylen, "the trace id is all zero");
	if (is_zero(c->parent_id, 8))
		return fail(why, whylen, "the parent id is all zero");
	return 0;
}

static bool key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_-*/@", c));
}

static bool member_check(const char *p, size_t n)
{
	const char *eq = memchr(p, '=', n);
	size_t klen = eq ? (size_t)(eq - p) : 0;

	if (klen == 0 || klen > 256 || n - klen - 1 == 0 || n - klen - 1 > 256)
		return false;
	if (!key_char(p[0]) || strchr("_-*/@", p[0]))
		return false;
	for (size_t i = 0; i < klen; i++)
		if (!key_char(p[i]))
			return false;
	for (size_t i = klen + 1; i < n; i++)
		if (p[i] < 0x20 || p[i] > 0x7e || p[i] == '=')
			return false;
	return true;
}

/* Whether members[0..n) has this member's key already. */
static bool key_seen(const char *const *members, unsigned n, const char *p)
{
	size_t len = strcspn(p, "=") + 1;

	for (unsigned i = 0; i < n; i++)
		if (strncmp(members[i], p, len) == 0)
			return true;
	return false;
}

static bool tracestate_check(const char *ts)
{
	const char *members[STATE_MEMBERS_MAX];
	unsigned n = 0;

	for (const char *p = ts;;) {
		size_t len;

		p += strspn(p, " \t");
		len = strcspn(p, ",");
		const char *next = p + len;
		while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
			len--;
		if (len) {
			if (n == STATE_MEMBERS_MAX || !member_check(p, len) || key_seen(members, n, p))
				return false;
			members[n++] = p;
		}
		if (!*next)
			return n > 0;
		p = next + 1;
	}
}

void trace_context_init(struct trace_context *c)
{
	*c = (struct trace_context){ .sampled = true, .trace_flags = FLAG_SAMPLED | FLAG_RANDOM };
	id_trace(c->trace_id);
}

int propagator_parse(const char *traceparent, const char *tracestate, struct trace_context *out, char *why,
		     size_t whylen)
{
	struct trace_context c = { .remote = true };
	int ret = traceparent_parse(traceparent, &c, why, whylen);

	if (ret < 0)
		return ret;
	c.sampled = c.trace_flags & FLAG_SAMPLED;
	/* A bad tracestate is dropped; it never invalidates the traceparent. */
	if (tracestate && strlen(tracestate) < sizeof(c.trace_state) && tracestate_check(tracestate))
		strcpy(c.trace_state, tracestate);
	*out = c;
	return 0;
}

void propagator_format(const struct trace_context *c, const uint8_t span_id[8], char out[56])
{
	uint8_t flags = c->trace_flags & (FLAG_SAMPLED | FLAG_RANDOM);

	memcpy(out, "00-", 3);
	hex_format(out + 3, c->trace_id, 16);
	out[35] = '-';
	hex_format(out + 36, span_id, 8);
	out[52] = '-';
	hex_format(out + 53, &flags, 1);
	out[TRACEPARENT_LEN] = '\0';
}

unsigned propagators_parse(const char *list, char *unknown, size_t size)
{
	static const struct { const char *name; unsigned bit; } names[] = {
		{ "tracecontext", PROPAGATE_TRACECONTEXT }, { "baggage", PROPAGATE_BAGGAGE },
	};
	unsigned bits = 0;
	bool none = false;

	unknown[0] = '\0';
	for (const char *p = list; *p;) {
		size_t n, i;

		p += strspn(p, ", \t");
		n = strcspn(p, ", \t");
		for (i = 0; i < 2 && (strlen(names[i].name) != n || strncasecmp(names[i].name, p, n)); i++)
			;
		if (i < 2)
			bits |= names[i].bit;
		else if (n == 4 && !strncasecmp(p, "none", 4))
			none = true;
		else if (n && !unknown[0])
			snprintf(unknown, size, "%.*s", (int)n, p);
		p += n;
	}
	return none ? 0 : bits;
}

static bool is_ours(const char *entry)
{
	return strncmp(entry, "TRACEPARENT=", 12) == 0 || strncmp(entry, "TRACESTATE=", 11) == 0;
}

char **propagator_environ(char *const *envp, const struct trace_context *c, const uint8_t span_id[8])
{
	size_t n = 0, kept = 0, text = 12 + 56 + 11 + sizeof(c->trace_state);
	char **env, *p, parent[56];

	while (envp && envp[n])
		n++;
	env = malloc((n + 3) * sizeof(*env) + text);
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!is_ours(envp[i]))
			env[kept++] = envp[i];
	p = (char *)(env + n + 3);
	propagator_format(c, span_id, parent);
	env[kept++] = p;
	p += sprintf(p, "TRACEPARENT=%s", parent) + 1;
	if (c->trace_state[0]) {
		env[kept++] = p;
		sprintf(p, "TRACESTATE=%s", c->trace_state);
	}
	env[kept] = NULL;
	return env;
}
