/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options table and its values: set with an origin, presets, rules
 * between options.  Used by one thread before the session starts; constant
 * afterwards.  A struct tracer_options owns all strings in it.
 */
#include "config.h"
#include "session/options.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/parse.h"

const struct tracer_option option_rows[OPTIONS] = {
#define OPTION(id, ...) [OPT_##id] = { .since = "0.1.0", __VA_ARGS__ },
#include "session/options_table.def"
#undef OPTION
};

static const struct tracer_option_alias aliases[] = {
	{ "no-follow", "follow-forks", "no", "leave child processes alone" },
	{ "trace", "expr", "trace=%s", "-e trace=SET" },
	{ "status", "expr", "status=%s", "-e status=SET" },
	{ "signal", "expr", "signal=%s", "-e signal=SET" },
	{ "trace-fds", "expr", "fd=%s", "-e fd=SET" },
	{ "otlp-service-name", "service-name", "%s", "--service-name" },
	{ "trace-compute", "compute", "100us", "--compute" },
	{ "trace-compute-all", "compute", "0", "--compute=0" },
	{ "trace-compute-threshold", "compute", "%s", "--compute=TIME" },
};

const struct tracer_option *tracer_option_table(size_t *n)
{
	*n = OPTIONS;
	return option_rows;
}

const struct tracer_option_alias *tracer_option_aliases(size_t *n)
{
	*n = sizeof(aliases) / sizeof(aliases[0]);
	return aliases;
}

static const struct tracer_option_alias *alias_lookup(const char *name)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcmp(aliases[i].name, name))
			return &aliases[i];
	return NULL;
}

const struct tracer_option *tracer_option_lookup(const char *name)
{
	const struct tracer_option_alias *a = alias_lookup(name);

	if (a)
		name = a->target;
	for (size_t i = 0; i < OPTIONS; i++)
		if (!strcmp(option_rows[i].name, name))
			return &option_rows[i];
	return NULL;
}

const char *tracer_option_nearest(const char *name)
{
	unsigned best = nearest_limit(name) + 1;
	const char *found = NULL;

	for (size_t i = 0; i < OPTIONS + sizeof(aliases) / sizeof(aliases[0]); i++) {
		const char *s = i < OPTIONS ? option_rows[i].name : aliases[i - OPTIONS].name;
		unsigned d = nearest_distance(name, s);
		if (d < best && (i >= OPTIONS || !(option_rows[i].flags & TRACER_OPTF_HIDDEN))) {
			best = d;
			found = s;
		}
	}
	return found;
}

#define OWN_PREFIX "TRACER_"

/* toupper() asks the embedding program's locale, and a Turkish one has another idea of i. */
static char environ_char(char c)
{
	return c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

void tracer_option_environ_name(const struct tracer_option *row, char *buf, size_t size)
{
	size_t n;

	if (row->flags & TRACER_OPTF_NO_ENV) {
		buf[0] = '\0';
		return;
	}
	n = (size_t)snprintf(buf, size, OWN_PREFIX "%s", row->name);
	for (size_t i = sizeof(OWN_PREFIX) - 1; i < n && i < size; i++)
		buf[i] = environ_char(buf[i]);
}

/* --- values ---------------------------------------------------------------------------------- */

static void value_fini(struct option_value *v)
{
	free(v->str);
	for (uint32_t i = 0; i < v->nlist; i++)
		free(v->list[i]);
	free(v->list);
	*v = (struct option_value){ 0 };
}

static int value_add(struct option_value *v, const char *text)
{
	char **list;

	if (v->nlist >= OPTION_LIST_MAX)
		return -ENOSPC;
	list = realloc(v->list, (v->nlist + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	v->list = list;
	list[v->nlist] = strdup(text);
	return list[v->nlist] ? (int)++v->nlist : -ENOMEM;
}

static const char *duration_unit(const struct tracer_option *row)
{
	return row->unit_ns == 1000000 ? "milliseconds" : row->unit_ns == 1000 ? "microseconds" : "seconds";
}

/* What would be right, as a clause. */
static void format_expected(const struct tracer_option *row, char *buf, size_t size)
{
	switch (row->type) {
	case TRACER_OPT_FLAG:
		snprintf(buf, size, "yes or no");
		break;
	case TRACER_OPT_CHOICE: {
		size_t n = 0;
		for (const char *p = row->choices; *p && n + 3 < size; p++) {
			if (*p == '|')
				n += (size_t)snprintf(buf + n, size - n, ", ");
			else
				buf[n++] = *p;
		}
		buf[n < size ? n : size - 1] = '\0';
		break;
	}
	case TRACER_OPT_DURATION:
		snprintf(buf, size, "%llu to %llu %s, or with a unit: 250us, 10ms, 1.5s",
			 (unsigned long long)row->min, (unsigned long long)row->max, duration_unit(row));
		break;
	case TRACER_OPT_SIZE:
		snprintf(buf, size, "%llu to %llu bytes, or with a unit: 64k, 4M, 1G",
			 (unsigned long long)row->min, (unsigned long long)row->max);
		break;
	case TRACER_OPT_RATIO:
		snprintf(buf, size, "a number from 0 to 1, such as 0.25");
		break;
	default:
		snprintf(buf, size, "a number, %llu to %llu", (unsigned long long)row->min,
			 (unsigned long long)row->max);
	}
}

static int parse_choice(const struct tracer_option *row, const char *text, struct option_value *v)
{
	const char *p = row->choices;
	size_t n = strlen(text);

	for (uint64_t i = 0; p; i++) {
		size_t len = strcspn(p, "|");
		if (len == n && !strncasecmp(p, text, n)) {
			v->num = i;
			return 0;
		}
		p = p[len] ? p + len + 1 : NULL;
	}
	return -EINVAL;
}

static int parse_time(const struct tracer_option *row, const char *text, struct option_value *v)
{
	int r = parse_duration(text, row->unit_ns, &v->num);

	if (r < 0)
		return r;
	return v->num < row->min * row->unit_ns || v->num > row->max * row->unit_ns ? -ERANGE : 0;
}

static int parse_value(const struct tracer_option *row, const char *text, struct option_value *v)
{
	int flag, r;

	switch (row->type) {
	case TRACER_OPT_FLAG:
		r = parse_bool(text, &flag);
		v->num = r < 0 ? 0 : (uint64_t)flag;
		return r;
	case TRACER_OPT_COUNT:
	case TRACER_OPT_NUMBER:
		return parse_u64(text, row->min, row->max, &v->num);
	case TRACER_OPT_SIZE:
		return parse_size(text, row->min, row->max, &v->num);
	case TRACER_OPT_DURATION:
		return parse_time(row, text, v);
	case TRACER_OPT_CHOICE:
		return parse_choice(row, text, v);
	case TRACER_OPT_RATIO:
		return parse_ratio(text, &v->num);
	default:
		return 0;
	}
}

/* How the user wrote it: "--otlp-batch-size 0", "TRACER_STATS=x". */
static void format_given(const struct tracer_option *row, const char *source, const char *text, char *buf,
			 size_t size)
{
	const char *shown = row->flags & TRACER_OPTF_SECRET ? "..." : text;

	if (source)
		snprintf(buf, size, "%s=%s", source, shown);
	else if (row->letter)
		snprintf(buf, size, "-%c, --%s '%s'", row->letter, row->name, shown);
	else
		snprintf(buf, size, "--%s %s", row->name, shown);
}

static int value_set(const struct tracer_option *row, struct option_value *v, const char *text,
		     const char *source, char *why, size_t whylen)
{
	struct option_value parsed = { 0 };
	char given[160], expected[160];
	int r = parse_value(row, text, &parsed);

	if (r < 0) {
		format_given(row, source, text, given, sizeof(given));
		format_expected(row, expected, sizeof(expected));
		snprintf(why, whylen,
			 r == -ERANGE ? "%s is out of range; it takes %s" : "%s: not understood; it takes %s",
			 given, expected);
		return -TRACER_ERR_USAGE;
	}
	v->num = parsed.num;
	free(v->str);
	v->str = strdup(text);
	return v->str ? 0 : -ENOMEM;
}

/* The text that stands for an option without its argument. */
static const char *bare_value(const struct tracer_option *row, const struct option_value *v, char buf[24])
{
	if (row->type == TRACER_OPT_FLAG)
		return "yes";
	if (row->type == TRACER_OPT_COUNT) {
		uint64_t next = v->origin == TRACER_FROM_OPTION ? v->num + 1 : 1;
		snprintf(buf, 24, "%llu", (unsigned long long)(next > row->max ? row->max : next));
		return buf;
	}
	return row->default_arg;
}

int option_set(struct tracer_options *o, const struct tracer_option *row, const char *text,
	       enum tracer_origin origin, const char *source, char *why, size_t whylen)
{
	struct option_value *v = &o->v[row - option_rows];
	char buf[24];
	int r;

	if (!text)
		text = bare_value(row, v, buf);
	if (!text) {
		snprintf(why, whylen, "--%s needs a value: --%s %s", row->name, row->name,
			 row->arg ? row->arg : "VALUE");
		return -TRACER_ERR_USAGE;
	}
	if (origin < v->origin) {	/* it loses, but a wrong value is still wrong */
		struct option_value lost = { 0 };
		r = row->type == TRACER_OPT_LIST ? 0 : value_set(row, &lost, text, source, why, whylen);
		value_fini(&lost);
		return r;
	}
	if (row->type == TRACER_OPT_LIST) {
		if (origin > v->origin)
			value_fini(v);
		r = value_add(v, text);
	} else {
		r = value_set(row, v, text, source, why, whylen);
	}
	if (r == -ENOSPC || r == -ENOMEM)
		snprintf(why, whylen, "--%s: %s", row->name,
			 r == -ENOSPC ? "given too often" : "out of memory");
	if (r < 0)
		return r == -ENOSPC ? -TRACER_ERR_USAGE : r;
	v->origin = origin;
	v->source = source;
	v->adapted = false;
	return 0;
}

int tracer_options_set(struct tracer_options *o, const char *name, const char *value,
		       enum tracer_origin origin, char *why, size_t whylen)
{
	const struct tracer_option_alias *a = alias_lookup(name);
	const struct tracer_option *row = tracer_option_lookup(name);
	char *text = NULL;
	const char *near;
	int r;

	if (!row) {
		near = tracer_option_nearest(name);
		snprintf(why, whylen,
			 near ? "unknown option --%s; did you mean --%s?" : "unknown option --%s", name,
			 near);
		return -TRACER_ERR_USAGE;
	}
	if (a) {
		const char *mark = strstr(a->pattern, "%s");
		if (!mark != !value) {
			snprintf(why, whylen, "--%s takes %s", name, mark ? "a value" : "no value");
			return -TRACER_ERR_USAGE;
		}
		if (asprintf(&text, "%.*s%s", mark ? (int)(mark - a->pattern) : (int)strlen(a->pattern),
			     a->pattern, mark ? value : "") < 0)
			return -ENOMEM;
	}
	/* strace's -ff: the letter twice. */
	if (!text && !value && row == &option_rows[OPT_FOLLOW_FORKS] &&
	    o->v[OPT_FOLLOW_FORKS].origin == TRACER_FROM_OPTION && origin == TRACER_FROM_OPTION)
		r = option_set(o, &option_rows[OPT_OUTPUT_SEPARATELY], "yes", origin, NULL, why, whylen);
	else
		r = option_set(o, row, text ? text : value, origin, NULL, why, whylen);
	free(text);
	return r;
}

int tracer_options_new(struct tracer_options **out)
{
	struct tracer_options *o = calloc(1, sizeof(*o));
	char why[256];
	int r = o ? 0 : -ENOMEM;

	for (size_t i = 0; i < OPTIONS && !r; i++)
		if (option_rows[i].preset[0])
			r = option_set(o, &option_rows[i], option_rows[i].preset[0], TRACER_FROM_DEFAULT,
				       NULL, why, sizeof(why));
	if (r < 0) {
		tracer_options_free(o);
		return r;
	}
	*out = o;
	return 0;
}

void tracer_options_free(struct tracer_options *o)
{
	for (size_t i = 0; o && i < OPTIONS; i++)
		value_fini(&o->v[i]);
	free(o);
}

/* --- environment ------------------------------------------------------------------------------ */

static const char *environ_lookup(char *const *envp, const char *name)
{
	size_t n = strlen(name);

	for (; name[0] && envp && *envp; envp++)
		if ((*envp)[0] == name[0] && !strncmp(*envp, name, n) && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

static bool environ_has_own(char *const *envp)
{
	for (; envp && *envp; envp++)
		if (!strncmp(*envp, OWN_PREFIX, sizeof(OWN_PREFIX) - 1))
			return true;
	return false;
}

/* What the specification's variables take, which is less than our options do:
 * of booleans only true and false, of numbers and durations only digits. */
static bool otel_value_valid(const struct tracer_option *row, const char *text)
{
	switch (row->type) {
	case TRACER_OPT_FLAG:
		return !strcasecmp(text, "true") || !strcasecmp(text, "false");
	case TRACER_OPT_NUMBER:
	case TRACER_OPT_DURATION:
		return strspn(text, "0123456789") == strlen(text);
	default:
		return true;
	}
}

/* A general variable belongs to a row for traces and one for metrics. */
static bool told_before(const struct tracer_option *row, const char *name)
{
	for (const struct tracer_option *r = option_rows; r < row; r++)
		if (r->otel && !strcmp(r->otel, name))
			return true;
	return false;
}

/* The specification: an empty value counts as unset, a bad one is reported and
 * ignored; a boolean that is not "true" is false. */
static int load_otel(struct tracer_options *o, const struct tracer_option *row, char *const *envp,
		     const char *name, enum tracer_origin origin, void (*warn)(void *, const char *),
		     void *ctx)
{
	const char *text = name ? environ_lookup(envp, name) : NULL;
	char why[512], line[600], reason[400];
	int r;

	if (!text || !text[0])
		return 0;
	if (!otel_value_valid(row, text)) {
		snprintf(why, sizeof(why), "%s=%.200s: not understood; it takes %s", name, text,
			 row->type == TRACER_OPT_FLAG ? "true or false" : "a number without a unit");
	} else if (otel_text_check((enum option_id)(row - option_rows), text, reason, sizeof(reason)) < 0) {
		snprintf(why, sizeof(why), "%s: %.300s", name, reason);
	} else {
		bool no = row->type == TRACER_OPT_FLAG && strcasecmp(text, "true");

		r = option_set(o, row, row->type != TRACER_OPT_FLAG ? text : no ? "no" : "yes", origin, name, why, sizeof(why));
		if (r != -TRACER_ERR_USAGE)
			return r;
	}
	snprintf(line, sizeof(line), "%s; ignored", why);
	if (warn && !told_before(row, name))
		warn(ctx, line);
	return 0;
}

static int load_own(struct tracer_options *o, const struct tracer_option *row, char *const *envp, char *why,
		    size_t whylen)
{
	char name[64];
	const char *text;
	int r;

	tracer_option_environ_name(row, name, sizeof(name));
	text = environ_lookup(envp, name);
	if (!text || !text[0])
		return 0;
	r = option_set(o, row, text, TRACER_FROM_ENVIRON, name, why, whylen);
	o->v[row - option_rows].source = NULL;
	return r;
}

int tracer_options_load_environ(struct tracer_options *o, char *const *envp,
				void (*warn)(void *, const char *), void *ctx, char *why, size_t whylen)
{
	bool own = environ_has_own(envp);

	if (warn && environ_lookup(envp, "OTEL_CONFIG_FILE"))
		warn(ctx, "OTEL_CONFIG_FILE is not read; the other OTEL_* variables and the options hold");
	for (const struct tracer_option *row = option_rows; row < option_rows + OPTIONS; row++) {
		int r = load_otel(o, row, envp, row->otel, TRACER_FROM_OTEL, warn, ctx);
		if (!r)
			r = load_otel(o, row, envp, row->otel_traces, TRACER_FROM_OTEL_TRACES, warn, ctx);
		if (!r && own)
			r = load_own(o, row, envp, why, whylen);
		if (r < 0)
			return r;
	}
	return 0;
}
