/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP/JSON lines in a file (OpenTelemetry specification,
 * protocol/file-exporter.md): each line a TracesData object with a batch of
 * spans, one ResourceSpans for each process image in it; or, in a run that has
 * metrics and no spans, a MetricsData object as it comes.
 *
 * Runs on the consumer thread.  Spans are only lent, so each is written as
 * text into the buffer of its resource at once; a line goes out when the
 * batch is large enough, at flush and at close.
 */
#include "config.h"
#include "sink/sink.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <tracer/error.h>
#include "export/otlp_json.h"
#include "span/resource.h"

#define BATCH_SPANS 512u
#define BATCH_BYTES (1u << 20)
#define GROUPS 32u

extern const struct sink_ops sink_otlp_file;	/* registered in sink.c */

struct group { struct resource *resource; struct strbuf text; };

struct otlp_file {
	struct sink base;
	int fd, error;			/* error: first one, negative */
	const char *name;
	const struct log *log;
	struct group groups[GROUPS];	/* buffers are kept over lines */
	unsigned ngroups, last;		/* last: where the previous span went */
	unsigned spans;
	size_t bytes;
	struct strbuf line;
};

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

static void add_group(struct strbuf *line, struct group *g, bool first)
{
	if (!first)
		strbuf_add_char(line, ',');
	strbuf_add(line, g->text.p, g->text.len);
	otlp_json_close_group(line);
	strbuf_reset(&g->text);
	resource_put(g->resource);
	g->resource = NULL;
}

/* Writes what has gathered, if anything. */
static int line_flush(struct otlp_file *f)
{
	int err;

	if (f->ngroups == 0)
		return f->error;
	strbuf_reset(&f->line);
	strbuf_add_str(&f->line, "{\"resourceSpans\":[");
	for (unsigned i = 0; i < f->ngroups; i++)
		add_group(&f->line, &f->groups[i], i == 0);
	strbuf_add_str(&f->line, "]}\n");
	f->ngroups = f->last = f->spans = 0;
	f->bytes = 0;
	err = f->line.truncated ? -ENOMEM : write_all(f->fd, f->line.p, f->line.len);
	if (err && !f->error) {
		f->error = err;
		log_msg(f->log, LOG_ERROR, "cannot write to %s: %s%s; this output ends here, the program goes on",
			f->name ? f->name : "output", tracer_strerror(err), err == -EPIPE ? " (nobody reads it any more)" : "");
	}
	return f->error;
}

static struct group *group_lookup(struct otlp_file *f, const struct resource *r)
{
	if (f->ngroups && f->groups[f->last].resource == r)
		return &f->groups[f->last];
	for (unsigned i = 0; i < f->ngroups; i++)
		if (f->groups[i].resource == r) {
			f->last = i;
			return &f->groups[i];
		}
	return NULL;
}

static struct group *group_add(struct otlp_file *f, struct resource *r)
{
	struct group *g;

	if (f->ngroups == GROUPS)
		line_flush(f);
	f->last = f->ngroups;
	g = &f->groups[f->ngroups++];
	g->resource = r ? resource_get(r) : NULL;
	otlp_json_open_group(&g->text, r);
	return g;
}

static void otlp_file_on_span(struct sink *s, const struct span *sp)
{
	struct otlp_file *f = (struct otlp_file *)s;
	struct group *g;
	size_t before;

	if (f->error)
		return;
	g = group_lookup(f, sp->resource);
	if (g) {
		strbuf_add_char(&g->text, ',');
		before = g->text.len;
	} else {
		g = group_add(f, sp->resource);
		before = 0;
	}
	otlp_json_span(&g->text, sp);
	f->bytes += g->text.len - before;
	f->spans++;
	if (f->spans >= BATCH_SPANS || f->bytes >= BATCH_BYTES)
		line_flush(f);
}

static void otlp_file_on_metrics(struct sink *s, const char *json, size_t n)
{
	struct otlp_file *f = (struct otlp_file *)s;
	int err = write_all(f->fd, json, n);

	if (!err)
		err = write_all(f->fd, "\n", 1);
	if (err && !f->error)
		f->error = err;
}

static int otlp_file_flush(struct sink *s)
{
	return line_flush((struct otlp_file *)s);
}

static int otlp_file_close(struct sink *s)
{
	struct otlp_file *f = (struct otlp_file *)s;
	int err = line_flush(f);

	for (unsigned i = 0; i < GROUPS; i++)
		strbuf_fini(&f->groups[i].text);
	strbuf_fini(&f->line);
	free(f);
	return err;
}

static int otlp_file_open(const struct sink_config *cfg, struct sink **out)
{
	struct otlp_file *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->base.ops = &sink_otlp_file;
	f->fd = cfg->out.fd;
	f->name = cfg->out.name;
	f->log = cfg->log;
	for (unsigned i = 0; i < GROUPS; i++)
		strbuf_init(&f->groups[i].text, 2 * BATCH_BYTES);
	strbuf_init(&f->line, (GROUPS + 2) * (size_t)BATCH_BYTES);
	*out = &f->base;
	return 0;
}

static const char *const suffixes[] = { ".otlp.jsonl", NULL };

const struct sink_ops sink_otlp_file = {
	.name = "otlp-json",
	.suffixes = suffixes,
	.open = otlp_file_open,
	.on_span = otlp_file_on_span,
	.on_metrics = otlp_file_on_metrics,
	.flush = otlp_file_flush,
	.close = otlp_file_close,
};
