/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of OTEL_* variables: what is not well-formed is reported and ignored, so
 * that a program whose environment was made for another SDK still runs.  The
 * same texts given as options or TRACER_* are errors, told where they are used.
 * Same thread and owner as options.c.
 */
#include "config.h"
#include "session/options.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "export/otlp_endpoint.h"
#include "export/otlp_exporter.h"
#include "span/resource.h"

static int discard_header(void *ctx, const char *name, const char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return 0;
}

static int check_headers(const char *text, char *why, size_t whylen)
{
	return otlp_headers_parse(text, discard_header, NULL, why, whylen);
}

int options_check_attributes(const char *text, char *why, size_t whylen)
{
	struct resource *r = resource_new(0);
	int err = r ? resource_add_list(r, text, why, whylen) : -ENOMEM;

	resource_put(r);
	return err;
}

static int check_file(const char *text, char *why, size_t whylen)
{
	if (!access(text, R_OK))
		return 0;
	snprintf(why, whylen, "cannot read %.200s: %s", text, strerror(errno));
	return -errno;
}

/* Well-formed in some protocol: which one is in force is known at the end only. */
static int check_url(const char *text, char *why, size_t whylen)
{
	struct otlp_endpoint e;

	if (!otlp_endpoint_parse(&e, text, OTLP_ENDPOINT_BASE, OTLP_GRPC, OTLP_TRACES, false, why, whylen))
		return 0;
	return otlp_endpoint_parse(&e, text, OTLP_ENDPOINT_BASE, OTLP_HTTP_PROTOBUF, OTLP_TRACES, false, why,
				   whylen);
}

int otel_text_check(enum option_id id, const char *text, char *why, size_t whylen)
{
	static const struct { enum option_id id; int (*check)(const char *, char *, size_t); } rows[] = {
		{ OPT_OTLP_HEADERS, check_headers }, { OPT_METRICS_HEADERS, check_headers },
		{ OPT_RESOURCE_ATTRIBUTES, options_check_attributes },
		{ OPT_OTLP_ENDPOINT, check_url }, { OPT_METRICS_ENDPOINT, check_url },
		{ OPT_OTLP_CERTIFICATE, check_file }, { OPT_METRICS_CERTIFICATE, check_file },
		{ OPT_OTLP_CLIENT_CERTIFICATE, check_file }, { OPT_METRICS_CLIENT_CERTIFICATE, check_file },
		{ OPT_OTLP_CLIENT_KEY, check_file }, { OPT_METRICS_CLIENT_KEY, check_file },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].id == id)
			return rows[i].check(text, why, whylen);
	return 0;
}

/* Fits the protocol?  A collector's address is where the data go: what is meant by
 * "collector:4318" is not guessed, but the program runs. */
static int check_endpoint(struct tracer_options *o, enum option_id id, enum option_id protocol,
			  enum otlp_signal signal, void (*warn)(void *, const char *), void *ctx, char *why,
			  size_t whylen)
{
	struct option_value *v = &o->v[id];
	enum otlp_protocol p = (enum otlp_protocol)option_num(o, protocol);
	struct otlp_endpoint e;
	char reason[400], line[700];
	int r;

	if ((v->origin != TRACER_FROM_OTEL && v->origin != TRACER_FROM_OTEL_TRACES) ||
	    !otlp_endpoint_parse(&e, v->str, OTLP_ENDPOINT_BASE, p, signal, option_num(o, OPT_OTLP_INSECURE),
				 reason, sizeof(reason)))
		return 0;
	snprintf(line, sizeof(line), "%s: %s; %s is used instead", v->source, reason,
		 otlp_endpoint_default(p));
	if (warn)
		warn(ctx, line);
	v->origin = TRACER_FROM_OTEL;
	r = option_set(o, &option_rows[id], otlp_endpoint_default(p), TRACER_FROM_OTEL, v->source, why,
		       whylen);
	return r;
}

int otel_endpoints_check(struct tracer_options *o, void (*warn)(void *, const char *), void *ctx, char *why,
			 size_t whylen)
{
	bool own = option_given(o, OPT_METRICS_PROTOCOL);
	/* One variable for both is told once. */
	bool told = o->v[OPT_METRICS_ENDPOINT].origin == TRACER_FROM_OTEL &&
		    o->v[OPT_OTLP_ENDPOINT].origin == TRACER_FROM_OTEL;
	int r = check_endpoint(o, OPT_OTLP_ENDPOINT, OPT_OTLP_PROTOCOL, OTLP_TRACES, warn, ctx, why, whylen);

	return r ? r
		 : check_endpoint(o, OPT_METRICS_ENDPOINT, own ? OPT_METRICS_PROTOCOL : OPT_OTLP_PROTOCOL,
				  OTLP_METRICS, told ? NULL : warn, ctx, why, whylen);
}

/* --- where spans and metrics go --- */

static enum otlp_endpoint_kind kind_of(const struct option_value *v)
{
	if (v && v->origin == TRACER_FROM_OTEL_TRACES)
		return OTLP_ENDPOINT_SIGNAL;
	return v && v->origin == TRACER_FROM_OTEL ? OTLP_ENDPOINT_BASE : OTLP_ENDPOINT_OPTION;
}

void options_load_traces(const struct tracer_options *o, struct otlp_config *cfg)
{
	*cfg = (struct otlp_config){
		.endpoint = option_str(o, OPT_OTLP_ENDPOINT),
		.endpoint_kind = kind_of(&o->v[OPT_OTLP_ENDPOINT]),
		/* choices in the order of the enum */
		.protocol = (enum otlp_protocol)option_num(o, OPT_OTLP_PROTOCOL),
		.insecure = option_num(o, OPT_OTLP_INSECURE) != 0,
		.gzip = option_num(o, OPT_OTLP_COMPRESSION) == 0,
		.gzip_level = (int)option_num(o, OPT_OTLP_COMPRESSION_LEVEL),
		.headers = option_str(o, OPT_OTLP_HEADERS),
		.certificate = option_str(o, OPT_OTLP_CERTIFICATE),
		.client_certificate = option_str(o, OPT_OTLP_CLIENT_CERTIFICATE),
		.client_key = option_str(o, OPT_OTLP_CLIENT_KEY),
		.request_max = option_num(o, OPT_OTLP_REQUEST_MAX),
		.response_max = option_num(o, OPT_OTLP_RESPONSE_MAX),
	};
}

/* Each of these has a general row and one for metrics alone.  A value given on
 * our own command line or in TRACER_* beats all of OTEL_*; the row for metrics
 * has read OTEL_..._METRICS_* and the general variable; NULL: the default. */
const struct option_value *option_of_metrics(const struct tracer_options *o, enum option_id general, enum option_id metrics)
{
	const struct option_value *g = &o->v[general], *m = &o->v[metrics];

	if (g->origin >= TRACER_FROM_ENVIRON && g->origin > m->origin)
		return g;
	if (m->origin != TRACER_FROM_DEFAULT)
		return m;
	return g->origin == TRACER_FROM_DEFAULT ? g : NULL;
}

static uint64_t num_of(const struct option_value *v, uint64_t none)
{
	return v ? v->num : none;
}

static const char *str_of(const struct option_value *v)
{
	return v ? v->str : NULL;
}

void options_load_metrics(const struct tracer_options *o, struct otlp_config *cfg)
{
	const struct option_value *endpoint = option_of_metrics(o, OPT_OTLP_ENDPOINT, OPT_METRICS_ENDPOINT);

	*cfg = (struct otlp_config){
		.signal = OTLP_METRICS,
		.endpoint = endpoint && endpoint->origin != TRACER_FROM_DEFAULT ? endpoint->str : NULL,
		.endpoint_kind = kind_of(endpoint),
		.protocol = (enum otlp_protocol)num_of(option_of_metrics(o, OPT_OTLP_PROTOCOL, OPT_METRICS_PROTOCOL), 0),
		.insecure = num_of(option_of_metrics(o, OPT_OTLP_INSECURE, OPT_METRICS_INSECURE), 0) != 0,
		.gzip = num_of(option_of_metrics(o, OPT_OTLP_COMPRESSION, OPT_METRICS_COMPRESSION), 0) == 0,
		.gzip_level = (int)option_num(o, OPT_OTLP_COMPRESSION_LEVEL),
		.headers = str_of(option_of_metrics(o, OPT_OTLP_HEADERS, OPT_METRICS_HEADERS)),
		.certificate = str_of(option_of_metrics(o, OPT_OTLP_CERTIFICATE, OPT_METRICS_CERTIFICATE)),
		.client_certificate = str_of(option_of_metrics(o, OPT_OTLP_CLIENT_CERTIFICATE, OPT_METRICS_CLIENT_CERTIFICATE)),
		.client_key = str_of(option_of_metrics(o, OPT_OTLP_CLIENT_KEY, OPT_METRICS_CLIENT_KEY)),
		.request_max = option_num(o, OPT_OTLP_REQUEST_MAX),
		.response_max = option_num(o, OPT_OTLP_RESPONSE_MAX),
	};
}
