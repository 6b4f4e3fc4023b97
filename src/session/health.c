/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of otel.sdk.* from the counters of builder, batch processor and metric
 * sender.  Pure.  Names and attributes: OpenTelemetry semantic conventions 1.44,
 * docs/otel/sdk-metrics.md.
 */
#include "config.h"
#include "session/health.h"
#include <string.h>
#include "base/strbuf.h"

static const struct metric_desc span_started = { "otel.sdk.span.started", "{span}",
	"The number of created spans." };
static const struct metric_desc span_live = { "otel.sdk.span.live", "{span}",
	"The number of created spans with recording=true for which the end operation has not been called yet." };
static const struct metric_desc queue_size = { "otel.sdk.processor.span.queue.size", "{span}",
	"The number of spans in the queue of a given instance of an SDK span processor." };
static const struct metric_desc queue_capacity = { "otel.sdk.processor.span.queue.capacity", "{span}",
	"The maximum number of spans the queue of a given instance of an SDK span processor can hold." };
static const struct metric_desc span_processed = { "otel.sdk.processor.span.processed", "{span}",
	"The number of spans for which the processing has finished, either successful or failed." };
static const struct metric_desc span_inflight = { "otel.sdk.exporter.span.inflight", "{span}",
	"The number of spans which were passed to the exporter, but that have not been exported yet." };
static const struct metric_desc span_exported = { "otel.sdk.exporter.span.exported", "{span}",
	"The number of spans for which the export has finished, either successful or failed." };
static const struct metric_desc point_inflight = { "otel.sdk.exporter.metric_data_point.inflight", "{data_point}",
	"The number of metric data points which were passed to the exporter, but that have not been exported yet." };
static const struct metric_desc point_exported = {
    "otel.sdk.exporter.metric_data_point.exported", "{data_point}",
    "The number of metric data points for which the export has finished, either successful or failed."};

#define PARENT_ORIGIN "otel.span.parent.origin"

/* component type and name, error.type: NULL is left out */
static struct health_row row(const struct metric_desc *d, enum metric_kind kind, const char *type,
			     const char *name, const char *error, uint64_t value, bool applies)
{
	struct health_row r = { .desc = d, .kind = kind, .value = value, .applies = applies };

	if (type)
		r.attrs[r.nattrs++] = (struct metric_attr){ .key = "otel.component.type", .text = type };
	if (name)
		r.attrs[r.nattrs++] = (struct metric_attr){ .key = "otel.component.name", .text = name };
	if (error)
		r.attrs[r.nattrs++] = (struct metric_attr){ .key = "error.type", .text = error };
	return r;
}

static const char *instance_of(const char *type)
{
	static const char *const names[] = {
		"otlp_http_span_exporter/0", "otlp_http_json_span_exporter/0", "otlp_grpc_span_exporter/0",
		"otlp_http_metric_exporter/0", "otlp_http_json_metric_exporter/0", "otlp_grpc_metric_exporter/0",
	};

	for (size_t i = 0; type && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(names[i], type, strlen(type)) && names[i][strlen(type)] == '/')
			return names[i];
	return NULL;
}

unsigned health_add_peer(struct metric_attr attrs[2], const struct otlp_peer *peer)
{
	if (!peer || !peer->address[0])
		return 0;
	attrs[0] = (struct metric_attr){ .key = "server.address", .text = peer->address };
	attrs[1] = (struct metric_attr){ .key = "server.port", .number = &peer->port };
	return peer->port ? 2 : 1;
}

/* A row of the spans themselves.  origin: of their parents, or NULL. */
static struct health_row span_row(const struct metric_desc *d, enum metric_kind kind, const char *origin, uint64_t value,
				  bool applies)
{
	struct health_row r = row(d, kind, NULL, NULL, NULL, value, applies);

	if (origin)
		r.attrs[r.nattrs++] = (struct metric_attr){ .key = PARENT_ORIGIN, .text = origin };
	r.attrs[r.nattrs++] = (struct metric_attr){ .key = "otel.span.sampling_result", .text = "RECORD_AND_SAMPLE" };
	return r;
}

/* One of an exporter. */
struct exporter { const char *type; const struct otlp_peer *peer; bool there; };

static struct health_row exporter_row(const struct exporter *e, const struct metric_desc *d,
				      enum metric_kind kind, const char *error, uint64_t value)
{
	struct health_row r = row(d, kind, e->type, instance_of(e->type), error, value, e->there);

	r.nattrs += health_add_peer(r.attrs + r.nattrs, e->peer);
	return r;
}

void health_load(struct health_row rows[HEALTH_ROWS], const struct health_source *src)
{
	static const struct span_builder_stats no_spans;
	static const struct batch_stats no_batch;
	static const struct metric_sender_stats no_sender;
	static const char bsp[] = "batching_span_processor", bsp_name[] = "batching_span_processor/0";
	const struct span_builder_stats *s = src->built ? src->built : &no_spans;
	const struct batch_stats *b = src->batch ? src->batch : &no_batch;
	const struct metric_sender_stats *m = src->sender ? src->sender : &no_sender;
	const struct exporter se = { src->span_exporter, src->span_peer, src->batch };
	const struct exporter me = { src->metric_exporter, src->metric_peer, src->sender };
	bool spans = src->built, batch = src->batch;
	uint64_t started = s->single + s->begun + s->compute_spans + s->summary_spans;
	uint64_t done = b->exported + b->rejected + b->failed + b->spooled;
	unsigned n = 0;

	rows[n++] = span_row(&span_started, METRIC_SUM, "none", s->orphans, spans);
	rows[n++] = span_row(&span_started, METRIC_SUM, "local", started - s->orphans - s->remote, spans);
	rows[n++] = span_row(&span_started, METRIC_SUM, "remote", s->remote, spans);
	rows[n++] = span_row(&span_live, METRIC_UPDOWN, NULL, s->live, spans);
	rows[n++] = row(&queue_size, METRIC_UPDOWN, bsp, bsp_name, NULL,
			b->queued > done + b->dropped_shutdown ? b->queued - done - b->dropped_shutdown : 0, batch);
	rows[n++] = row(&queue_capacity, METRIC_UPDOWN, bsp, bsp_name, NULL, src->queue_capacity, batch);
	rows[n++] = row(&span_processed, METRIC_SUM, bsp, bsp_name, NULL, done, batch);
	rows[n++] = row(&span_processed, METRIC_SUM, bsp, bsp_name, "queue_full", b->dropped_full, batch);
	rows[n++] =
	    row(&span_processed, METRIC_SUM, bsp, bsp_name, "already_shutdown", b->dropped_shutdown, batch);
	rows[n++] = exporter_row(&se, &span_inflight, METRIC_UPDOWN, NULL, b->inflight);
	rows[n++] = exporter_row(&se, &span_exported, METRIC_SUM, NULL, b->exported);
	rows[n++] = exporter_row(&se, &span_exported, METRIC_SUM, "rejected", b->rejected);
	rows[n++] = exporter_row(&se, &span_exported, METRIC_SUM, "_OTHER", b->failed);
	rows[n++] = exporter_row(&me, &point_inflight, METRIC_UPDOWN, NULL, m->inflight);
	rows[n++] = exporter_row(&me, &point_exported, METRIC_SUM, NULL, m->exported);
	rows[n++] = exporter_row(&me, &point_exported, METRIC_SUM, "rejected", m->rejected);
	rows[n++] = exporter_row(&me, &point_exported, METRIC_SUM, "_OTHER", m->failed);
}

void health_format_name(const struct health_row *r, char *buf, size_t size)
{
	struct strbuf sb;

	strbuf_init_fixed(&sb, buf, size);
	strbuf_add_str(&sb, r->desc->name);
	for (unsigned i = 0; i < r->nattrs; i++)
		if (!strcmp(r->attrs[i].key, "error.type") || !strcmp(r->attrs[i].key, PARENT_ORIGIN))
			strbuf_add_fmt(&sb, "{%s=%s}", r->attrs[i].key, r->attrs[i].text);
}
