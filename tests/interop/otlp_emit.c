/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the same random spans four ways, for an independent decoder to
 * compare: otlp-emit SPANS DIR [ENDPOINT PROTOCOL]
 *   DIR/spans.pb      one ExportTraceServiceRequest by the direct encoder
 *   DIR/spans.jsonl   by the file sink
 *   DIR/metrics.pb    a fixed set of metrics
 *   DIR/spans.txt     a line for each span, straight from the struct
 *   ENDPOINT          batches of 100 by the exporter
 */
#include "config.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "export/otlp_encode.h"
#include "export/otlp_exporter.h"
#include "export/otlp_metrics.h"
#include "otlp_samples.h"
#include "sink/sink.h"

#define RESOURCES 3

extern const struct sink_ops sink_otlp_file;

static void put_hex(FILE *f, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%02x", ((const unsigned char *)p)[i]);
}

static void put_double(FILE *f, double d)
{
	unsigned char b[8];

	memcpy(b, &d, 8);
	fputs("d:", f);
	for (int i = 7; i >= 0; i--)
		fprintf(f, "%02x", b[i]);
}

static void put_element(FILE *f, uint8_t type, const char *text, size_t *pos)
{
	uint32_t head;
	int64_t i;
	double d;

	switch (type) {
	case SPAN_STR_ARRAY:
		memcpy(&head, text + *pos, 4);
		fputs(head >> 31 ? "b:" : "s:", f);
		put_hex(f, text + *pos + 4, head & 0x7fffffff);
		*pos += 4 + (head & 0x7fffffff);
		return;
	case SPAN_INT_ARRAY:
		memcpy(&i, text + *pos, 8);
		fprintf(f, "i:%lld", (long long)i);
		break;
	default:
		memcpy(&d, text + *pos, 8);
		put_double(f, d);
	}
	*pos += 8;
}

static void put_value(FILE *f, const struct span *s, const struct span_attr *a)
{
	const char *text = s->text + a->v.off;
	const char *comma = "";

	switch (a->type) {
	case SPAN_STR:
	case SPAN_BYTES:
		fputs(a->type == SPAN_STR ? "s:" : "b:", f);
		put_hex(f, text, a->len);
		break;
	case SPAN_INT:
		fprintf(f, "i:%lld", (long long)a->v.i);
		break;
	case SPAN_BOOL:
		fputs(a->v.i ? "t" : "f", f);
		break;
	case SPAN_DOUBLE:
		put_double(f, a->v.d);
		break;
	default:
		fputc('[', f);
		for (size_t pos = 0; pos < a->len; comma = ",") {
			fputs(comma, f);
			put_element(f, a->type, text, &pos);
		}
		fputc(']', f);
	}
}

static void put_span(FILE *f, const struct span *s)
{
	static const uint8_t none[8];

	fprintf(f, "%u ", 1000 + s->resource->id);
	put_hex(f, s->trace_id, 16);
	fputc(' ', f);
	put_hex(f, s->span_id, 8);
	fputc(' ', f);
	if (memcmp(s->parent_id, none, 8) != 0)
		put_hex(f, s->parent_id, 8);
	fputs(" state=", f);
	put_hex(f, s->trace_state ? s->trace_state : "", s->trace_state ? strlen(s->trace_state) : 0);
	fputs(" name=", f);
	put_hex(f, s->text + s->name_off, s->name_len);
	fprintf(f, " kind=%u %llu..%llu dropped=%u,%u status=%u:", s->kind, (unsigned long long)s->start_ns,
		(unsigned long long)s->end_ns, s->dropped_attrs, s->dropped_links, s->status);
	put_hex(f, s->text + s->message_off, s->message_len);
	fprintf(f, " flags=%u", s->flags);
	if (s->has_link) {
		fputs(" link=", f);
		put_hex(f, s->link.trace_id, 16);
		fputc('/', f);
		put_hex(f, s->link.span_id, 8);
		fprintf(f, "/%u/", s->link.flags);
		put_hex(f, s->link.trace_state ? s->link.trace_state : "",
			s->link.trace_state ? strlen(s->link.trace_state) : 0);
	}
	for (unsigned i = 0; i < s->nattrs; i++) {
		fprintf(f, " %s=", span_key_names[s->attrs[i].key]);
		put_value(f, s, &s->attrs[i]);
	}
	fputc('\n', f);
}

static FILE *create(const char *dir, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static void write_protobuf(const char *dir, struct span *const *spans, size_t n)
{
	struct otlp_encoder *e;
	FILE *f = create(dir, "spans.pb");
	const uint8_t *out;
	size_t len;

	if (otlp_encoder_new(&e, OTLP_REQUEST_MAX) || otlp_encode_spans(e, spans, n, &out, &len) ||
	    fwrite(out, 1, len, f) != len || fclose(f))
		exit(1);
	otlp_encoder_free(e);
}

static void write_json(const char *dir, struct span *const *spans, size_t n)
{
	FILE *f = create(dir, "spans.jsonl");
	struct sink_config cfg = { .out.fd = fileno(f) };
	struct sink *s;

	if (sink_otlp_file.open(&cfg, &s))
		exit(1);
	for (size_t i = 0; i < n; i++)
		sink_otlp_file.on_span(s, spans[i]);
	if (sink_otlp_file.close(s) || fclose(f))
		exit(1);
}

/* Every kind, with edges: no value, zero, no attributes, a metric and a resource that are left out. */
static void write_metrics(const char *dir)
{
	static const struct metric_attr attrs[] = { { .key = "syscall.name", .text = "openat" }, { .key = "otel.metric.overflow" } };
	static const struct explicit_histogram explicit_some = {
	    .count = 301, .sum = 7500000000, .min = 1000, .max = 2500000000, .buckets = {1, [4] = 300}};
	static const struct exp_histogram some = { .count = 302, .zero_count = 1, .sum = 2500000000, .max = 2000000000,
						   .offset = -7, .scale = -2, .used = 3, .counts = { 1, 0, 300 } };
	struct exp_histogram none;
	struct resource *r = resource_new(1);
	struct otlp_metrics *m;
	struct metric_body *body;
	FILE *f = create(dir, "metrics.pb");

	exp_histogram_init(&none);
	resource_add_str(r, "service.name", "m", 1);
	if (otlp_metrics_new(&m))
		exit(1);
	otlp_metrics_reset(m, 2);
	otlp_metrics_add_resource(m, r);
	otlp_metrics_open(m, &(struct metric_desc){ "a.sum", "{call}", "what" }, METRIC_SUM, METRIC_DELTA, 1, 2);
	otlp_metrics_add_int(m, attrs, 2, 3);
	otlp_metrics_add_double(m, NULL, 0, 0.0);
	otlp_metrics_open(m, &(struct metric_desc){ "nothing", "", "" }, METRIC_SUM, METRIC_DELTA, 1, 2);
	otlp_metrics_open(m, &(struct metric_desc){ "a.gauge", "By", "" }, METRIC_GAUGE, METRIC_DELTA, 1, 1);
	otlp_metrics_add_int(m, attrs, 1, 0);
	otlp_metrics_open(m, &(struct metric_desc){ "up.down", "By", "" }, METRIC_UPDOWN, METRIC_CUMULATIVE, 1, 1);
	otlp_metrics_add_int(m, attrs, 1, UINT64_MAX);
	otlp_metrics_open(m, &(struct metric_desc){"a.histogram", "s", ""}, METRIC_EXPLICIT,
			  METRIC_CUMULATIVE, 1, 1);
	otlp_metrics_add_explicit(m, attrs, 1, &explicit_some);
	otlp_metrics_open(m, &(struct metric_desc){"an.exponential", "s", ""}, METRIC_EXPONENTIAL,
			  METRIC_DELTA, 1, 2);
	otlp_metrics_add_exponential(m, attrs, 1, &some);
	otlp_metrics_add_exponential(m, NULL, 0, &none);
	otlp_metrics_add_resource(m, r);	/* of which nothing follows */
	otlp_metrics_open(m, &(struct metric_desc){ "nothing", "", "" }, METRIC_SUM, METRIC_DELTA, 1, 2);
	if (otlp_metrics_encode(m, OTLP_HTTP_PROTOBUF, &body) ||
	    fwrite(body->data + OTLP_HEADROOM, 1, body->len, f) != body->len || fclose(f))
		exit(1);
	free(body);
	f = create(dir, "metrics.json");
	if (otlp_metrics_encode(m, OTLP_HTTP_JSON, &body) ||
	    fwrite(body->data + OTLP_HEADROOM, 1, body->len, f) != body->len || fclose(f))
		exit(1);
	free(body);
	otlp_metrics_free(m);
	resource_put(r);
}

static void post(const char *url, const char *protocol, struct span *const *spans, size_t n)
{
	struct otlp_config cfg = { .endpoint = url, .gzip = true };
	struct span_exporter *e;
	char why[512];

	if (otlp_protocol_parse(protocol, &cfg.protocol) ||
	    otlp_http_exporter_new(&e, &cfg, why, sizeof(why)))
		exit(1);
	for (size_t i = 0; i < n; i += 100) {
		struct export_outcome out;
		size_t some = n - i < 100 ? n - i : 100;

		e->ops->export(e, spans + i, some, clock_mono_ns() + 20000000000u, &out);
		if (out.accepted != some) {
			fprintf(stderr, "otlp-emit: %s\n", out.message);
			exit(1);
		}
	}
	e->ops->free(e);
}

int main(int argc, char **argv)
{
	size_t n = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	struct resource *resources[RESOURCES];
	struct span **spans = calloc(n + 1, sizeof(*spans));
	unsigned long r = 0x5eed0600;
	FILE *f;

	if (argc < 3) {
		fputs("usage: otlp-emit SPANS DIR [ENDPOINT PROTOCOL]\n", stderr);
		return 2;
	}
	for (uint32_t i = 0; i < RESOURCES; i++)
		resources[i] = sample_resource(i, &r);
	/* One resource after the other: then the order is the same everywhere. */
	for (size_t i = 0; i < n; i++) {
		spans[i] = sample_new();
		sample_set_random(spans[i], &r);
		spans[i]->resource = resources[i * 3 / n % RESOURCES];
	}
	write_protobuf(argv[2], spans, n);
	write_json(argv[2], spans, n);
	write_metrics(argv[2]);
	if (argc > 4)
		post(argv[3], argv[4], spans, n);
	f = create(argv[2], "spans.txt");
	for (size_t i = 0; i < n; i++)
		put_span(f, spans[i]);
	if (fclose(f))
		return 1;
	for (size_t i = 0; i < n; i++)
		sample_free(spans[i]);
	for (uint32_t i = 0; i < RESOURCES; i++)
		resource_put(resources[i]);
	free(spans);
	return 0;
}
