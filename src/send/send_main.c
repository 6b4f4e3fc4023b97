/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracer-send: what `tracer send` runs.  Delivers what lies in files: segments
 * of a spool (--otlp-spool), whole directories of them, and OTLP/JSON lines
 * (-o x.otlp.jsonl).  Main thread only.
 *
 * Endpoint, protocol, headers, TLS and time-out are the tracer's options, by
 * command line and environment.
 */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tracer/error.h>
#include "base/clock.h"
#include "export/otlp_exporter.h"
#include "export/spool_exporter.h"
#include "session/options.h"

extern char **environ;

enum { SENT = 0, LEFT = 1, USAGE = 2 };		/* exit status */

struct sender {
	struct tracer_options *options;
	struct span_exporter *protobuf, *json, *metrics;	/* made when first needed */
	struct log log;
	uint64_t spans, points, rejected;
	unsigned files, left;
	bool quiet;
};

static const char usage_text[] =
	"usage: tracer send [OPTIONS] FILE|DIR...\n"
	"Sends spans that were kept in files: segments and directories of --otlp-spool,\n"
	"and OTLP/JSON lines (-o FILE.otlp.jsonl), spans or metrics.  A segment is removed when all of it\n"
	"is delivered.  Exit status: 0 all delivered, 1 something is left, 2 usage.\n"
	"\n"
	"  --otlp-endpoint URL, --otlp-protocol, --otlp-headers, --otlp-timeout,\n"
	"  --otlp-compression, --otlp-certificate, --otlp-client-certificate,\n"
	"  --otlp-client-key          as for tracer; OTEL_EXPORTER_OTLP_* count, too\n"
	"  -q, --quiet                say nothing but errors\n"
	"  -h, --help                 this text\n";

static void on_log(void *ctx, int level, const char *message)
{
	struct sender *s = ctx;

	if (level <= (s->quiet ? LOG_ERROR : LOG_INFO))
		fprintf(stderr, "tracer send: %s\n", message);
}

static void warn(void *ctx, const char *message)
{
	(void)ctx;
	fprintf(stderr, "tracer send: %s\n", message);
}

/* ---- sending ---- */

static int open_exporter(struct sender *s, struct span_exporter **e, enum otlp_protocol protocol)
{
	struct otlp_config cfg;
	char why[600] = "";
	int err;

	if (*e)
		return 0;
	if (e == &s->metrics)
		options_load_metrics(s->options, &cfg);
	else
		options_load_traces(s->options, &cfg);
	cfg.protocol = protocol;
	cfg.log = &s->log;
	err = otlp_http_exporter_new(e, &cfg, why, sizeof(why));
	if (err)
		fprintf(stderr, "tracer send: %s\n", why[0] ? why : tracer_strerror(err));
	return err;
}

static uint64_t deadline_of(const struct sender *s)
{
	uint64_t ns = option_num(s->options, OPT_OTLP_TIMEOUT);

	return ns ? clock_mono_ns() + ns : UINT64_MAX;
}

static int report_left(struct sender *s, const char *path, const char *what)
{
	fprintf(stderr, "tracer send: %s: %s\n", path, what);
	s->left++;
	return LEFT;
}

/* Each record has the whole time-out. */
static int send_segment(struct sender *s, const char *path)
{
	struct spool_reader r;
	struct spool_sent sent;
	bool done;
	int err = spool_reader_open(&r, path);

	if (err == -EWOULDBLOCK)
		return report_left(s, path, "a run still writes to it; try again when it has ended");
	if (err)
		return report_left(s, path,
				   err == -TRACER_ERR_FORMAT ? "not a spool segment" : tracer_strerror(err));
	do {
		sent = (struct spool_sent){ 0 };
		done = spool_send(&r, s->protobuf, deadline_of(s), &sent);
		s->spans += sent.spans;
		s->rejected += sent.rejected;
	} while (!done && sent.records);
	if (r.damaged)
		fprintf(stderr,
			"tracer send: %s: %llu bytes belong to no whole record (cut off by a crash)\n", path,
			(unsigned long long)r.damaged);
	if (!done)
		report_left(s, path, sent.message);
	else if (!spool_reader_remove_if_done(&r))
		report_left(s, path, "delivered, but cannot be removed");
	spool_reader_close(&r);
	return done ? SENT : LEFT;
}

static size_t count_words(const char *line, const char *word)
{
	size_t n = 0;

	for (const char *p = line; (p = strstr(p, word)) != NULL; p++)
		n++;
	return n;
}

#define SPANS "\"resourceSpans\""
#define METRICS "\"resourceMetrics\""

/* An object that begins with this member, the only one that TracesData and MetricsData have. */
static bool has_member(const char *line, const char *name)
{
	if (*line++ != '{')
		return false;
	line += strspn(line, " \t");
	return !strncmp(line, name, strlen(name));
}

/* One object of a file: spans, or metrics, each to its own path. */
static int send_line(struct sender *s, const char *path, unsigned number, const char *line, size_t len)
{
	bool metrics = has_member(line, METRICS);
	struct span_exporter **e = metrics ? &s->metrics : &s->json;
	struct export_outcome out;

	if (open_exporter(s, e, OTLP_HTTP_JSON))
		return USAGE;
	otlp_exporter_post(*e, (const uint8_t *)line, len, false,
			   count_words(line, metrics ? "\"timeUnixNano\"" : "\"startTimeUnixNano\""), deadline_of(s), &out);
	*(metrics ? &s->points : &s->spans) += out.accepted;
	s->rejected += out.rejected;
	if (out.result == EXPORT_OK || out.result == EXPORT_PARTIAL)
		return SENT;
	fprintf(stderr, "tracer send: %s, line %u: %s\n", path, number, out.message);
	s->left++;
	return LEFT;
}

static int send_lines(struct sender *s, const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned number = 0;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int ret = SENT;

	if (!f)
		return report_left(s, path, strerror(errno));
	while (ret == SENT && (n = getline(&line, &cap, f)) > 0) {
		number++;
		if (line[n - 1] == '\n')
			line[--n] = '\0';
		if (n && (has_member(line, SPANS) || has_member(line, METRICS)))
			ret = send_line(s, path, number, line, (size_t)n);
		else if (n)
			ret = report_left(s, path, "not OTLP/JSON lines of spans or metrics, as -o FILE.otlp.jsonl writes them");
	}
	free(line);
	fclose(f);
	return ret;
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n > k && strcmp(s + n - k, tail) == 0;
}

static int send_file(struct sender *s, const char *path)
{
	bool lines = ends_with(path, ".jsonl") || ends_with(path, ".json");
	enum otlp_protocol protocol = (enum otlp_protocol)option_num(s->options, OPT_OTLP_PROTOCOL);
	int err;

	s->files++;
	if (lines && protocol == OTLP_GRPC)
		return report_left(s, path, "OTLP/JSON goes by --otlp-protocol http/json only");
	if (lines)
		return send_lines(s, path);
	err = open_exporter(s, &s->protobuf, protocol == OTLP_GRPC ? OTLP_GRPC : OTLP_HTTP_PROTOBUF);
	return err ? USAGE : send_segment(s, path);
}

/* Oldest first; one that cannot be delivered now means the next cannot either. */
static int send_directory(struct sender *s, const char *path)
{
	char **paths = NULL;
	int n = spool_list(path, &paths), ret = SENT;

	if (n < 0)
		return report_left(s, path, tracer_strerror(n));
	for (int i = 0; i < n; i++) {
		int r = ret == USAGE ? USAGE : send_file(s, paths[i]);

		ret = r > ret ? r : ret;
		free(paths[i]);
	}
	free(paths);
	return ret;
}

static int send_path(struct sender *s, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		fprintf(stderr, "tracer send: %s: %s\n", path, strerror(errno));
		return USAGE;
	}
	return S_ISDIR(st.st_mode) ? send_directory(s, path) : send_file(s, path);
}

/* ---- command line ---- */

static int fail_usage(const char *why)
{
	fprintf(stderr, "tracer send: %s\n  tracer send --help lists the options\n", why);
	return USAGE;
}

/* One --name[=value]; words taken, or negative. */
static int parse_option(struct sender *s, char **argv)
{
	char name[64], why[512];
	const char *word = argv[0] + 2, *eq = strchr(word, '='), *value = eq ? eq + 1 : argv[1];
	const struct tracer_option *row;

	snprintf(name, sizeof(name), "%.*s", (int)(eq ? eq - word : (long)strlen(word)), word);
	row = tracer_option_lookup(name);
	if (!row || !(row->flags & TRACER_OPTF_OTLP) || strcmp(row->group, "OTLP") != 0) {
		snprintf(why, sizeof(why), "unknown option --%s", name);
		return -fail_usage(why);
	}
	if (row->type == TRACER_OPT_FLAG)
		value = eq ? value : NULL;
	if (tracer_options_set(s->options, name, value, TRACER_FROM_OPTION, why, sizeof(why)) < 0)
		return -fail_usage(why);
	return row->type == TRACER_OPT_FLAG || eq ? 1 : 2;
}

/* Options up to the first other word: its index, or -exit status - 1 for an end. */
static int parse_options(struct sender *s, int argc, char **argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		int took = 1;

		if (!strcmp(argv[i], "--"))
			return i + 1;
		if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) {
			fputs(usage_text, stdout);
			return -SENT - 1;
		}
		if (!strcmp(argv[i], "-q") || !strcmp(argv[i], "--quiet"))
			s->quiet = true;
		else if (!strncmp(argv[i], "--", 2))
			took = parse_option(s, argv + i);
		else
			took = -fail_usage("unknown option");
		if (took < 0)
			return -USAGE - 1;
		i += took;
	}
	return i;
}

static void report(const struct sender *s)
{
	char points[64] = "";

	if (s->points)
		snprintf(points, sizeof(points), ", %llu data points", (unsigned long long)s->points);
	fprintf(stderr, "tracer send: %llu spans%s sent, %llu rejected; %u files, %u left\n", (unsigned long long)s->spans,
		points, (unsigned long long)s->rejected, s->files, s->left);
}

static int run(struct sender *s, int argc, char **argv)
{
	char why[512];
	int first, ret = SENT;

	if (tracer_options_load_environ(s->options, environ, warn, NULL, why, sizeof(why)) < 0)
		return fail_usage(why);
	first = parse_options(s, argc, argv);
	if (first < 0)
		return -first - 1;
	if (first == argc)
		return fail_usage("which FILE or DIR?");
	if (tracer_options_check(s->options, warn, NULL, why, sizeof(why)) < 0)
		return fail_usage(why);
	for (int i = first; i < argc && ret != USAGE; i++) {
		int r = send_path(s, argv[i]);

		ret = r > ret ? r : ret;
	}
	if (!s->quiet && ret != USAGE)
		report(s);
	return ret;
}

int main(int argc, char **argv)
{
	struct sender s = { 0 };
	int ret;

	s.log = (struct log){ on_log, &s, LOG_INFO };
	if (tracer_options_new(&s.options) < 0)
		return USAGE;
	ret = run(&s, argc, argv);
	if (s.protobuf)
		s.protobuf->ops->free(s.protobuf);
	if (s.json)
		s.json->ops->free(s.json);
	if (s.metrics)
		s.metrics->ops->free(s.metrics);
	tracer_options_free(s.options);
	return ret;
}
