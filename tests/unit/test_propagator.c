/* SPDX-License-Identifier: Apache-2.0 */
/* Trace context: what W3C allows is taken, what it forbids is refused, and the
 * program's environment changes by two names only. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "span/propagator.h"
#include "unit.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"
#define GOOD "00-" TRACE "-" PARENT "-01"

START_TEST(traceparent_table)
{
	static const struct { const char *in; int ok, sampled; } rows[] = {
		{ GOOD, 1, 1 },
		{ "00-" TRACE "-" PARENT "-00", 1, 0 },
		{ "00-" TRACE "-" PARENT "-03", 1, 1 },
		{ "00-" TRACE "-" PARENT "-02", 1, 0 },
		{ "cc-" TRACE "-" PARENT "-01", 1, 1 },			/* a future version */
		{ "cc-" TRACE "-" PARENT "-01-more", 1, 1 },
		{ "cc-" TRACE "-" PARENT "-01.more", 0, 0 },
		{ GOOD "-more", 0, 0 },
		{ GOOD " ", 0, 0 },
		{ "ff-" TRACE "-" PARENT "-01", 0, 0 },
		{ "00-" TRACE "-" PARENT "-0", 0, 0 },
		{ "00-" TRACE "-" PARENT "-0g", 0, 0 },
		{ "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01", 0, 0 },
		{ "00-00000000000000000000000000000000-" PARENT "-01", 0, 0 },
		{ "00-" TRACE "-0000000000000000-01", 0, 0 },
		{ "00_" TRACE "-" PARENT "-01", 0, 0 },
		{ "00-hierarchytest0000000000000000000-" PARENT "-01", 0, 0 },
		{ "", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace_context c;
		char why[80] = "";
		int ret = propagator_parse(rows[i].in, NULL, &c, why, sizeof(why));

		ck_assert_msg((ret == 0) == rows[i].ok, "%s: %s", rows[i].in, why);
		ck_assert_int_eq(why[0] != '\0', !rows[i].ok);
		if (ret == 0) {
			ck_assert_int_eq(c.sampled, rows[i].sampled);
			ck_assert(c.remote && c.trace_id[0] == 0x0a && c.trace_id[15] == 0x9c);
			ck_assert(c.parent_id[0] == 0xb7 && c.parent_id[7] == 0x31);
		}
	}
}
END_TEST

START_TEST(tracestate_table)
{
	static const struct { const char *in; int kept; } rows[] = {
		{ "ot=th:c", 1 }, { "a=1,b=2", 1 }, { " a=1 ,\tb=2", 1 }, { "t@v=x", 1 }, { "a=1,,b=2", 1 },
		{ "", 0 }, { ",", 0 }, { "A=1", 0 }, { "a", 0 }, { "a=", 0 }, { "=1", 0 }, { "a=1=2", 0 },
		{ "a=\x01", 0 }, { "a=1,a=2", 0 }, { "a=1,ab=2", 1 }, { "_a=1", 0 },
	};
	char long_state[600], many[400] = "";
	struct trace_context c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(propagator_parse(GOOD, rows[i].in, &c, NULL, 0), 0);
		ck_assert_str_eq(c.trace_state, rows[i].kept ? rows[i].in : "");
	}
	memset(long_state, 'a', sizeof(long_state) - 1);
	long_state[1] = '=';
	long_state[sizeof(long_state) - 1] = '\0';
	ck_assert_int_eq(propagator_parse(GOOD, long_state, &c, NULL, 0), 0);
	ck_assert_str_eq(c.trace_state, "");
	for (int i = 0; i < 33; i++)
		sprintf(many + strlen(many), "%sk%d=1", i ? "," : "", i);
	ck_assert_int_eq(propagator_parse(GOOD, many, &c, NULL, 0), 0);
	ck_assert_str_eq(c.trace_state, "");
	*strrchr(many, ',') = '\0';
	ck_assert_int_eq(propagator_parse(GOOD, many, &c, NULL, 0), 0);
	ck_assert_str_eq(c.trace_state, many);
}
END_TEST

START_TEST(format_is_parsed_back)
{
	struct trace_context c, d;
	uint8_t id[8];
	char out[56];

	for (int i = 0; i < 100; i++) {
		trace_context_init(&c);
		ck_assert(c.sampled && !c.remote);
		id_span(id);
		propagator_format(&c, id, out);
		ck_assert_uint_eq(strlen(out), 55);
		ck_assert_int_eq(propagator_parse(out, NULL, &d, NULL, 0), 0);
		ck_assert(memcmp(c.trace_id, d.trace_id, 16) == 0 && memcmp(id, d.parent_id, 8) == 0);
		ck_assert_uint_eq(c.trace_flags, d.trace_flags);
	}
}
END_TEST

static unsigned count_prefix(char *const *env, const char *prefix)
{
	unsigned n = 0;

	for (; *env; env++)
		n += strncmp(*env, prefix, strlen(prefix)) == 0;
	return n;
}

START_TEST(environment)
{
	char *in[] = { "A=1", "TRACEPARENT=old", "traceparent=x", "BAGGAGE=k=v", "TRACESTATE=old=1", "TRACEPARENT=twice",
		       "TRACEPARENTS=no", NULL };
	struct trace_context c;
	uint8_t id[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	char **env;

	trace_context_init(&c);
	env = propagator_environ(in, &c, id);
	ck_assert_uint_eq(count_prefix(env, "TRACEPARENT="), 1);
	ck_assert_uint_eq(count_prefix(env, "TRACESTATE="), 0);	/* theirs belongs to another trace */
	ck_assert_uint_eq(count_prefix(env, "A=1"), 1);
	ck_assert_uint_eq(count_prefix(env, "BAGGAGE=k=v"), 1);
	ck_assert_uint_eq(count_prefix(env, "traceparent=x"), 1);
	ck_assert_uint_eq(count_prefix(env, "TRACEPARENTS=no"), 1);
	ck_assert_uint_eq(count_prefix(env, ""), 5);
	free(env);
	strcpy(c.trace_state, "ot=th:c");
	env = propagator_environ(in, &c, id);
	ck_assert_uint_eq(count_prefix(env, "TRACESTATE=ot=th:c"), 1);
	free(env);
	env = propagator_environ(NULL, &c, id);
	ck_assert_uint_eq(count_prefix(env, ""), 2);
	free(env);
}
END_TEST

START_TEST(ids)
{
	struct id_generator g, h;
	uint8_t a[8], b[8], t[16], u[16];
	unsigned bits[64] = { 0 };

	id_generator_init(&g);
	id_generator_init(&h);
	id_generator_next(&g, a);
	id_generator_next(&h, b);
	ck_assert(memcmp(a, b, 8) != 0);
	for (int i = 0; i < 4096; i++) {
		id_generator_next(&g, b);
		ck_assert(memcmp(a, b, 8) != 0);
		memcpy(a, b, 8);
		for (int k = 0; k < 64; k++)
			bits[k] += b[k / 8] >> (k % 8) & 1;
	}
	for (int k = 0; k < 64; k++)	/* 2048 expected, standard deviation 32 */
		ck_assert(bits[k] > 2048 - 8 * 32 && bits[k] < 2048 + 8 * 32);
	id_trace(t);
	id_trace(u);
	ck_assert(memcmp(t, u, 16) != 0);
}
END_TEST

START_TEST(names)
{
	static const struct { const char *list; unsigned bits; const char *unknown; } table[] = {
		{ "tracecontext,baggage", PROPAGATE_TRACECONTEXT | PROPAGATE_BAGGAGE, "" },
		{ "tracecontext", PROPAGATE_TRACECONTEXT, "" }, { " baggage , baggage ", PROPAGATE_BAGGAGE, "" },
		{ "none", 0, "" }, { "tracecontext,none", 0, "" }, { "", 0, "" }, { ",,", 0, "" },
		{ "b3,tracecontext,xray", PROPAGATE_TRACECONTEXT, "b3" }, { "tracecontex", 0, "tracecontex" },
		{ "TRACECONTEXT,Baggage", PROPAGATE_TRACECONTEXT | PROPAGATE_BAGGAGE, "" }, { "B3", 0, "B3" },
		{ "tracecontext,NONE", 0, "" },
	};
	char unknown[16];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		ck_assert_uint_eq(propagators_parse(table[i].list, unknown, sizeof(unknown)), table[i].bits);
		ck_assert_str_eq(unknown, table[i].unknown);
	}
}
END_TEST

int main(void)
{
	return unit_run("propagator", (const TTest *const[]){ traceparent_table, tracestate_table,
		format_is_parsed_back, environment, ids, names, NULL });
}
