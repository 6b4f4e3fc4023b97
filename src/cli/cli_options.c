/* SPDX-License-Identifier: Apache-2.0 */
/*
 * getopt_long() fed from the options table.  Parsing stops at the first word
 * that is not an option, so that `tracer ls -l` needs no `--`.
 */
#include "config.h"
#include "cli.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_BASE 1000	/* getopt value of the first long name; letters are below */

struct names {
	struct option *longs;
	char letters[256];
	const char **by_value;	/* long name of LONG_BASE + i */
};

static void warn(void *ctx, const char *message)
{
	(void)ctx;
	cli_log(NULL, TRACER_LOG_WARN, message);
}

static int has_argument(const struct tracer_option *row)
{
	if (row->type == TRACER_OPT_FLAG || row->type == TRACER_OPT_COUNT || row->flags & TRACER_OPTF_OPTARG)
		return optional_argument;
	return required_argument;
}

static void add_letter(char *letters, const struct tracer_option *row)
{
	size_t n = strlen(letters);

	if (!row->letter)
		return;
	letters[n++] = row->letter;
	if (has_argument(row) == required_argument)
		letters[n++] = ':';
	letters[n] = '\0';
}

static int names_init(struct names *n)
{
	size_t rows, aliases;
	const struct tracer_option *row = tracer_option_table(&rows);
	const struct tracer_option_alias *alias = tracer_option_aliases(&aliases);

	strcpy(n->letters, "+:");
	n->longs = calloc(rows + aliases + 1, sizeof(*n->longs));
	n->by_value = calloc(rows + aliases, sizeof(*n->by_value));
	if (!n->longs || !n->by_value)
		return -1;
	for (size_t i = 0; i < rows + aliases; i++) {
		int has = i < rows ? has_argument(&row[i])
				   : strstr(alias[i - rows].pattern, "%s") ? required_argument : no_argument;
		n->by_value[i] = i < rows ? row[i].name : alias[i - rows].name;
		n->longs[i] = (struct option){ n->by_value[i], has, NULL, LONG_BASE + (int)i };
		if (i < rows)
			add_letter(n->letters, &row[i]);
	}
	return 0;
}

static void names_fini(struct names *n)
{
	free(n->longs);
	free(n->by_value);
}

static const struct tracer_option *letter_lookup(int letter)
{
	size_t rows;
	const struct tracer_option *row = tracer_option_table(&rows);

	for (size_t i = 0; i < rows; i++)
		if (row[i].letter && row[i].letter == letter)
			return &row[i];
	return NULL;
}

/* Letters of strace that we have not: what there is. */
static const char *strace_letter(int letter)
{
	static const struct { char letter; const char *text; } rows[] = {
		{ 'b', "children are left alone with --no-follow" },
		{ 'd', "what tracer itself does is shown by --stats=all" },
		{ 'D', "tracer is always the parent of what it starts" },
		{ 'F', "children are followed without it" },
		{ 'I', "what signals do is in the manual page, SIGNALS" },
		{ 'k', "call stacks are not recorded; -i shows where a call was made" },
		{ 'O', "nothing is subtracted from times" },
		{ 'X', "constants have names always" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].letter == letter)
			return rows[i].text;
	return NULL;
}

/* What getopt refused: word is the one it looked at. */
static void format_refused(int code, const char *word, char *why, size_t size)
{
	char name[64];
	const struct tracer_option *row;

	if (!strncmp(word, "--", 2)) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
		row = tracer_option_lookup(name);
		if (code == ':')
			snprintf(why, size, "--%s needs a value: --%s %s", name, name,
				 row && row->arg ? row->arg : "VALUE");
		else if (row)
			snprintf(why, size, "--%s takes no value", name);
		else if (tracer_option_nearest(name))
			snprintf(why, size, "unknown option --%s; did you mean --%s?", name,
				 tracer_option_nearest(name));
		else
			snprintf(why, size, "unknown option --%s", name);
		return;
	}
	row = letter_lookup(optopt);
	if (code == ':')
		snprintf(why, size, "-%c needs a value: -%c %s", optopt, optopt, row && row->arg ? row->arg : "VALUE");
	else if (strace_letter(optopt))
		snprintf(why, size, "there is no -%c as in strace: %s", optopt, strace_letter(optopt));
	else
		snprintf(why, size, "unknown option -%c", optopt);
}

/* No abbreviations: a later option would change what a script means. */
static bool is_whole(const char *word, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(word, "--", 2) && !strncmp(word + 2, name, n) && (!word[2 + n] || word[2 + n] == '=');
}

static int parse_line(struct tracer_options *o, const struct names *n, int argc, char **argv, char *why,
		      size_t size)
{
	int code, at;

	opterr = 0;
	optind = 1;
	for (;;) {
		const char *name;
		at = optind;
		code = getopt_long(argc, argv, n->letters, n->longs, NULL);
		if (code < 0)
			return 0;
		if (code == '?' || code == ':') {
			format_refused(code, argv[at < argc ? at : argc - 1], why, size);
			return -TRACER_ERR_USAGE;
		}
		if (code >= LONG_BASE && !is_whole(argv[at], n->by_value[code - LONG_BASE])) {
			format_refused('?', argv[at], why, size);
			return -TRACER_ERR_USAGE;
		}
		name = code >= LONG_BASE ? n->by_value[code - LONG_BASE] : letter_lookup(code)->name;
		if (tracer_options_set(o, name, optarg, TRACER_FROM_OPTION, why, size) < 0)
			return -TRACER_ERR_USAGE;
	}
}

int cli_options_load(struct tracer_options *o, int argc, char **argv, char *const *envp, int *first)
{
	struct names names = { 0 };
	char why[600] = "out of memory", hint[700];
	int r = names_init(&names) ? -TRACER_ERR_USAGE : parse_line(o, &names, argc, argv, why, sizeof(why));

	*first = optind;
	names_fini(&names);
	if (!r)
		r = tracer_options_load_environ(o, envp, warn, NULL, why, sizeof(why));
	if (!r)
		r = tracer_options_check(o, warn, NULL, why, sizeof(why));
	if (r < 0) {
		snprintf(hint, sizeof(hint), "%s  (tracer --help)", why);
		cli_log(NULL, TRACER_LOG_ERROR, hint);
	}
	return r;
}
