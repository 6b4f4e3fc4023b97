/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tracer collect`: a receiver for one's own machine.  Prints the span tree
 * of each trace and the points of each metric request, and can write OTLP/JSON lines.  The main thread waits
 * for a signal; the receiver's polling thread decodes, stores and writes under one lock.  For anything that
 * should last, use the OpenTelemetry Collector.
 */
#include "config.h"
#include "collect/collect.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/parse.h"
#include "collect/metrics.h"
#include "collect/receiver.h"
#include "collect/traces.h"

#define BODY_MAX (64u << 20)		/* the specification's largest request */
#define JSON_MAX (512u << 20)

struct options {
	char host[64];
	uint16_t port;
	const char *output, *metrics_output, *port_file;
	uint64_t max_spans, lines;
	bool once, quiet;
};

struct collector {
	pthread_mutex_t lock;
	struct options opt;
	struct span_store store;	/* lock: all below */
	struct traces_stats stats;
	struct strbuf json;
	FILE *file, *metrics_file;
	uint64_t points;
	int write_error;
	uint8_t root_trace[16];
};

static const char usage_text[] =
	"usage: tracer collect [OPTIONS]\n"
	"Receives OTLP/HTTP traces and metrics (protobuf, plain or gzip), shows traces as trees.\n"
	"\n"
	"  -l, --listen ADDR:PORT  where to listen (default 127.0.0.1:4318; port 0: any free one)\n"
	"  -o, --output FILE       write OTLP/JSON lines, one a request (-: stdout, no trees then)\n"
	"      --metrics-output FILE   the same for metrics\n"
	"      --port-file FILE    write the port number to FILE once it listens\n"
	"      --once              end when the root span of a trace has come\n"
	"      --lines N           calls shown under each process (default 8)\n"
	"      --max-spans N       spans kept for the trees (default 200000)\n"
	"  -q, --quiet             no trees, no metrics\n"
	"  -h, --help              this text\n";

static int fail_usage(const char *fmt, const char *what)
{
	fprintf(stderr, "tracer collect: ");
	fprintf(stderr, fmt, what);
	fprintf(stderr, "\n  tracer collect --help lists the options\n");
	return 2;
}

static int parse_listen(struct options *o, const char *s)
{
	const char *colon = strrchr(s, ':');
	uint64_t port;
	size_t n;

	if (!colon || parse_u64(colon + 1, 0, 65535, &port) < 0)
		return -EINVAL;
	n = (size_t)(colon - s);
	if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {	/* [::1]:4318 */
		s++;
		n -= 2;
	}
	if (n >= sizeof(o->host))
		return -EINVAL;
	if (n)
		snprintf(o->host, sizeof(o->host), "%.*s", (int)n, s);
	if (strcmp(o->host, "localhost") == 0)
		strcpy(o->host, "127.0.0.1");
	o->port = (uint16_t)port;
	return 0;
}

/* 0: go on; else exit status + 1. */
static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "listen", required_argument, NULL, 'l' }, { "output", required_argument, NULL, 'o' },
		{ "port-file", required_argument, NULL, 'p' },
		{ "metrics-output", required_argument, NULL, 'M' }, { "once", no_argument, NULL, '1' },
		{ "lines", required_argument, NULL, 'n' }, { "max-spans", required_argument, NULL, 'm' },
		{ "quiet", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	int c;

	*o = (struct options){ .host = "127.0.0.1", .port = 4318, .max_spans = 200000, .lines = 8 };
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+l:o:qh", longs, NULL)) != -1) {
		if (c == 'l' && parse_listen(o, optarg) < 0)
			return 1 + fail_usage("--listen '%s': not ADDRESS:PORT, e.g. 127.0.0.1:4318", optarg);
		if (c == 'n' && parse_u64(optarg, 0, 1000000, &o->lines) < 0)
			return 1 + fail_usage("--lines '%s': not a number from 0 to 1000000", optarg);
		if (c == 'm' && parse_u64(optarg, 1, 100000000, &o->max_spans) < 0)
			return 1 + fail_usage("--max-spans '%s': not a number from 1 to 100000000", optarg);
		if (c == '?')
			return 1 + fail_usage("unknown option or missing value: '%s'", argv[optind - 1]);
		if (c == 'h') {
			fputs(usage_text, stdout);
			return 1;
		}
		o->output = c == 'o' ? optarg : o->output;
		o->metrics_output = c == 'M' ? optarg : o->metrics_output;
		o->port_file = c == 'p' ? optarg : o->port_file;
		o->once |= c == '1';
		o->quiet |= c == 'q';
	}
	if (optind < argc)
		return 1 + fail_usage("unexpected word '%s'", argv[optind]);
	return 0;
}

/* What is in json, as a line. */
static void write_json(struct collector *c, FILE *file, const char *name)
{
	strbuf_add_char(&c->json, '\n');
	if (fwrite(c->json.p, 1, c->json.len, file) != c->json.len || fflush(file) != 0) {
		c->write_error = errno;
		fprintf(stderr, "tracer collect: writing %s: %s; going on without the file\n", name,
			strerror(errno));
	}
}

static void print_tree(struct collector *c)
{
	struct tree_options o = { .lines_per_parent = (unsigned)c->opt.lines, .color = isatty(1) == 1 };
	struct strbuf sb;

	strbuf_init(&sb, 64u << 20);
	store_format_tree(&c->store, c->root_trace, &o, &sb);
	if (sb.len)
		fwrite(sb.p, 1, sb.len, stdout);
	fflush(stdout);
	strbuf_fini(&sb);
}

/* A finished trace is printed and forgotten: the next one starts empty. */
static void finish_trace(struct collector *c)
{
	size_t max = c->store.max;

	if (!c->opt.quiet)
		print_tree(c);
	store_fini(&c->store);
	store_init(&c->store, max);
}

/* --once ends after the answer, not before: the tracer would count its last batch as lost. */
static void on_answered(void *ctx)
{
	struct collector *c = ctx;

	pthread_mutex_lock(&c->lock);
	if (c->opt.once && c->stats.roots)
		kill(getpid(), SIGTERM);
	pthread_mutex_unlock(&c->lock);
}

static int take_metrics(struct collector *c, const uint8_t *body, size_t n)
{
	metrics_request *req =
		opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack(NULL, n, body);

	if (!req)
		return -EBADMSG;
	pthread_mutex_lock(&c->lock);
	strbuf_reset(&c->json);
	c->points += metrics_format_text(req, &c->json);
	if (!c->opt.quiet) {
		fwrite(c->json.p, 1, c->json.len, stdout);
		fflush(stdout);
	}
	strbuf_reset(&c->json);
	if (c->metrics_file && !c->write_error) {
		metrics_format_json(req, &c->json);
		write_json(c, c->metrics_file, c->opt.metrics_output);
	}
	pthread_mutex_unlock(&c->lock);
	opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__free_unpacked(req, NULL);
	return 0;
}

static int take_traces(struct collector *c, const uint8_t *body, size_t n)
{
	traces_request *req;
	uint64_t roots;

	req = opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(NULL, n, body);
	if (!req)
		return -EBADMSG;
	pthread_mutex_lock(&c->lock);
	roots = c->stats.roots;
	traces_store(req, &c->store, &c->stats, c->root_trace);
	strbuf_reset(&c->json);
	if (c->file && !c->write_error) {
		traces_format_json(req, &c->json);
		write_json(c, c->file, c->opt.output);
	}
	if (c->stats.roots > roots)
		finish_trace(c);
	pthread_mutex_unlock(&c->lock);
	opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(req, NULL);
	return 0;
}

static int on_body(void *ctx, enum receiver_signal signal, const uint8_t *body, size_t n)
{
	return signal == RECEIVER_METRICS ? take_metrics(ctx, body, n) : take_traces(ctx, body, n);
}

static int cannot_write(const char *name)
{
	int err = errno;

	fprintf(stderr, "tracer collect: cannot write %s: %s\n", name, strerror(err));
	return -err;
}

static int open_metrics(struct collector *c)
{
	if (!c->opt.metrics_output)
		return 0;
	c->metrics_file = fopen(c->opt.metrics_output, "we");
	if (c->metrics_file)
		return 0;
	return cannot_write(c->opt.metrics_output);
}

static int open_output(struct collector *c)
{
	if (!c->opt.output)
		return 0;
	if (strcmp(c->opt.output, "-") == 0) {
		c->file = stdout;
		c->opt.quiet = true;
		return 0;
	}
	c->file = fopen(c->opt.output, "we");
	if (c->file)
		return 0;
	return cannot_write(c->opt.output);
}

static int announce(const struct collector *c, const struct receiver *r)
{
	bool written;
	FILE *f;

	fprintf(stderr, "tracer collect: listening on http://%s:%u\n", c->opt.host, receiver_port(r));
	if (!c->opt.port_file)
		return 0;
	f = fopen(c->opt.port_file, "we");
	if (!f)
		return cannot_write(c->opt.port_file);
	written = fprintf(f, "%u\n", receiver_port(r)) > 0;
	if (fclose(f) != 0 || !written)
		return cannot_write(c->opt.port_file);
	return 0;
}

static int start(struct collector *c, struct receiver **r)
{
	struct receiver_config cfg = { .host = c->opt.host, .port = c->opt.port, .body_max = BODY_MAX,
				       .on_body = on_body, .on_answered = on_answered, .ctx = c };
	int rc = receiver_start(r, &cfg);

	if (rc == -EINVAL)
		fprintf(stderr, "tracer collect: '%s' is not a numeric address\n", c->opt.host);
	else if (rc < 0)
		fprintf(stderr, "tracer collect: cannot listen on %s:%u: %s; choose another port with --listen %s:PORT\n",
			c->opt.host, c->opt.port, strerror(-rc), c->opt.host);
	return rc;
}

static void report(const struct collector *c, const struct receiver_stats *s)
{
	fprintf(stderr,
		"tracer collect: %" PRIu64 " requests, %" PRIu64 " spans for %" PRIu64 " calls, %" PRIu64
		" bytes (%" PRIu64 " on the wire)",
		s->requests, c->stats.spans, c->stats.calls, s->bytes, s->wire_bytes);
	if (c->points)
		fprintf(stderr, ", %" PRIu64 " data points", c->points);
	if (s->refused)
		fprintf(stderr, ", %" PRIu64 " refused", s->refused);
	if (c->store.refused)
		fprintf(stderr, ", %" PRIu64 " not shown (--max-spans)", c->store.refused);
	fputc('\n', stderr);
}

int collect_main(int argc, char **argv)
{
	struct collector c = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct receiver *r = NULL;
	struct receiver_stats st;
	sigset_t set;
	int rc, sig;

	rc = parse_options(&c.opt, argc, argv);
	if (rc)
		return rc - 1;
	/* Blocked before the receiver's thread starts: only sigwait() sees them. */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	store_init(&c.store, c.opt.max_spans);
	strbuf_init(&c.json, JSON_MAX);
	rc = open_output(&c);
	if (rc == 0)
		rc = open_metrics(&c);
	if (rc == 0)
		rc = start(&c, &r);
	if (rc == 0)
		rc = announce(&c, r);
	if (rc == 0)
		sigwait(&set, &sig);
	if (r) {
		receiver_stop(r, &st);
		if (!c.opt.quiet && c.store.n)
			print_tree(&c);
		report(&c, &st);
	}
	if (rc == 0)
		rc = c.write_error;
	store_fini(&c.store);
	strbuf_fini(&c.json);
	if (c.file && c.file != stdout)
		fclose(c.file);
	if (c.metrics_file)
		fclose(c.metrics_file);
	return rc ? 1 : 0;
}
