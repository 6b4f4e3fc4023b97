/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command prints about itself, all of it from the options table:
 * short and full help, the configuration, the table as a page.
 */
#include "config.h"
#include "cli.h"
#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 34

static const char synopsis[] =
	"Examples:\n"
	"  tracer ls -l                              what does it do?  (text on stderr)\n"
	"  tracer -c make -j2                        which calls, how long, how many fail\n"
	"  tracer -e trace=%file,connect -o t.json ./prog\n"
	"  tracer --perf-mode balanced --otlp-endpoint http://localhost:4318 -- make\n"
	"\n"
	"Usage: tracer [OPTIONS] [--] COMMAND [ARG...]     run and trace\n"
	"       tracer [OPTIONS] -p PID[,PID...]           attach\n"
	"       tracer collect [OPTIONS]                   receive and show spans\n"
	"       tracer send [OPTIONS] FILE|DIR...          send spans that were kept in files\n";

static const char *argument(const struct tracer_option *row)
{
	return row->arg ? row->arg : "";
}

/* "-o, --output=FILE" */
static void format_name(const struct tracer_option *row, char *buf, size_t size)
{
	char letter[8] = "    ";
	const char *open = !row->arg ? "" : row->flags & TRACER_OPTF_OPTARG ? "[=" : "=";

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(buf, size, "%s--%s%s%s%s", letter, row->name, open, argument(row),
		 open[0] == '[' ? "]" : "");
}

static void print_row(const struct tracer_option *row)
{
	char name[96];

	format_name(row, name, sizeof(name));
	if (strlen(name) >= HELP_COLUMN - 3)
		printf("  %s\n%*s%s\n", name, HELP_COLUMN, "", row->help);
	else
		printf("  %-*s%s\n", HELP_COLUMN - 2, name, row->help);
}

static void format_range(const struct tracer_option *row, char *buf, size_t size)
{
	const char *unit = row->type != TRACER_OPT_DURATION ? "" : row->unit_ns == 1000000 ? " ms" : " us";

	buf[0] = '\0';
	if (row->choices) {
		size_t n = 0;
		for (const char *p = row->choices; *p && n + 3 < size; p++)
			n += (size_t)snprintf(buf + n, size - n, *p == '|' ? ", " : "%c", *p);
	} else if (row->max) {
		snprintf(buf, size, "%llu..%llu%s", (unsigned long long)row->min,
			 (unsigned long long)row->max, unit);
	}
}

/* What it takes, and what holds when nobody says anything; empty for flags. */
static void format_values(const struct tracer_option *row, char *buf, size_t size)
{
	char range[128];
	size_t n;

	buf[0] = '\0';
	if (row->type == TRACER_OPT_FLAG || row->type == TRACER_OPT_COUNT)
		return;
	format_range(row, range, sizeof(range));
	n = (size_t)snprintf(buf, size, "%s", range);
	if (!row->preset[0] || n >= size)
		return;
	n += (size_t)snprintf(buf + n, size - n, "%sdefault %s", n ? "; " : "", row->preset[0]);
	if (row->preset[1] && n < size)
		snprintf(buf + n, size - n, "; aggressive %s, low-latency %s", row->preset[1],
			 row->preset[2]);
}

static void print_values(const struct tracer_option *row)
{
	char values[256];

	format_values(row, values, sizeof(values));
	if (values[0])
		printf("%*s[%s]\n", HELP_COLUMN, "", values);
}

/* The short help fits on a screen: one line a row, cut where it has to be. */
static void usage_brief(void)
{
	size_t n;
	const struct tracer_option *row = tracer_option_table(&n);
	char name[96];

	printf("%s\n", synopsis);
	for (size_t i = 0; i < n; i++) {
		if (!(row[i].flags & TRACER_OPTF_BRIEF))
			continue;
		format_name(&row[i], name, sizeof(name));
		printf("  %-*s %s\n", HELP_COLUMN - 3, name, row[i].help);
	}
	printf("\n--help=all shows every option; man tracer tells the rest.\n");
}

static void usage_all(void)
{
	size_t n, aliases;
	const struct tracer_option *row = tracer_option_table(&n);
	const struct tracer_option_alias *alias = tracer_option_aliases(&aliases);
	const char *group = "";

	printf("%s", synopsis);
	for (size_t i = 0; i < n; i++) {
		if (row[i].flags & TRACER_OPTF_HIDDEN)
			continue;
		if (strcmp(group, row[i].group))
			printf("\n%s:\n", row[i].group);
		group = row[i].group;
		print_row(&row[i]);
		print_values(&row[i]);
	}
	printf("\nOther names:\n");
	for (size_t i = 0; i < aliases; i++)
		printf("  --%-*s%s\n", HELP_COLUMN - 4, alias[i].name, alias[i].help);
	printf("\nEvery option is also an environment variable: --otlp-batch-size is TRACER_OTLP_BATCH_SIZE.\n"
	       "Order: option, --perf-mode, TRACER_*, OTEL_* for traces, OTEL_*, default (--print-config shows it).\n");
}

void cli_usage(const struct tracer_options *o)
{
	char what[16];

	tracer_options_format(o, "help", what, sizeof(what));
	if (!strcmp(what, "all"))
		usage_all();
	else
		usage_brief();
}

void cli_print_config(const struct tracer_options *o)
{
	size_t n;
	const struct tracer_option *row = tracer_option_table(&n);
	char value[1024], origin[96];

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(row[i].group, "Information"))
			continue;
		tracer_options_format(o, row[i].name, value, sizeof(value));
		tracer_options_format_origin(o, row[i].name, origin, sizeof(origin));
		printf("%-24s %-28s (%s)\n", row[i].name, value[0] ? value : "-", origin);
	}
}

/* --- the table as a page ------------------------------------------------------------------------------ */

static void print_markdown_row(const struct tracer_option *row)
{
	char range[128], own[64];

	format_range(row, range, sizeof(range));
	tracer_option_environ_name(row, own, sizeof(own));
	printf("| `--%s` | %s%c%s | %s | %s", row->name, row->letter ? "`-" : "",
	       row->letter ? row->letter : ' ', row->letter ? "`" : "", argument(row),
	       row->preset[0] ? row->preset[0] : "");
	if (row->preset[1])
		printf(" / %s / %s", row->preset[1], row->preset[2]);
	printf(" | %s | %s%s%s%s%s | %s | %s | %s |\n", range, own, row->otel_traces ? "<br>" : "",
	       row->otel_traces ? row->otel_traces : "", row->otel ? "<br>" : "", row->otel ? row->otel : "",
	       row->engines ? row->engines : "all", row->since, row->help);
}

static void print_markdown(void)
{
	size_t n, aliases;
	const struct tracer_option *row = tracer_option_table(&n);
	const struct tracer_option_alias *alias = tracer_option_aliases(&aliases);
	const char *group = "";

	printf("# Options\n\nMade from the table in `src/session/options_table.def` by `make options-docs`; `make check` compares.\n"
	       "Defaults of presets: balanced / aggressive / low-latency.\n");
	for (size_t i = 0; i < n; i++) {
		if (row[i].flags & TRACER_OPTF_HIDDEN)
			continue;
		if (strcmp(group, row[i].group))
			printf("\n## %s\n\n| option | letter | argument | default | range | environment | engines | since | what |\n"
			       "|---|---|---|---|---|---|---|---|---|\n", row[i].group);
		group = row[i].group;
		print_markdown_row(&row[i]);
	}
	printf("\n## Other names\n\n| name | is |\n|---|---|\n");
	for (size_t i = 0; i < aliases; i++)
		printf("| `--%s` | `%s` |\n", alias[i].name, alias[i].help);
}

/* In troff a minus is \- */
static void print_troff(const char *s)
{
	for (; *s; s++)
		printf(*s == '-' ? "\\-" : *s == '\\' ? "\\e" : "%c", *s);
}

static void print_man(void)
{
	size_t n;
	const struct tracer_option *row = tracer_option_table(&n);
	const char *group = "";
	char values[256];

	for (size_t i = 0; i < n; i++) {
		if (row[i].flags & TRACER_OPTF_HIDDEN)
			continue;
		if (strcmp(group, row[i].group))
			printf(".SS %s\n", row[i].group);
		group = row[i].group;
		printf(".TP\n");
		if (row[i].letter)
			printf("\\fB\\-%c\\fR, ", row[i].letter);
		printf("\\fB\\-\\-");
		print_troff(row[i].name);
		printf("\\fR");
		if (row[i].arg)
			printf("%s\\fI%s\\fR%s", row[i].flags & TRACER_OPTF_OPTARG ? "[=" : "=", row[i].arg,
			       row[i].flags & TRACER_OPTF_OPTARG ? "]" : "");
		printf("\n");
		print_troff(row[i].help);
		format_values(&row[i], values, sizeof(values));
		printf(values[0] ? ". [" : ".");
		print_troff(values);
		printf(values[0] ? "]\n" : "\n");
	}
}

static void print_names(void)
{
	size_t n;
	const struct tracer_option *row = tracer_option_table(&n);

	for (size_t i = 0; i < n; i++)
		if (!(row[i].flags & TRACER_OPTF_HIDDEN))
			printf("%s\n", row[i].name);
}

int cli_print_options(const char *form)
{
	if (!strcmp(form, "markdown"))
		print_markdown();
	else if (!strcmp(form, "man"))
		print_man();
	else
		print_names();
	return 0;
}
