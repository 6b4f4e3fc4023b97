/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From options to the configuration of the exporter of spans, for a run and for `tracer send`.  Any thread;
 * nothing is owned.
 */
#include "config.h"
#include "session/otlp_options.h"

enum otlp_endpoint_kind otlp_options_kind(enum tracer_origin origin)
{
	if (origin == TRACER_FROM_OTEL_TRACES)
		return OTLP_ENDPOINT_SIGNAL;
	return origin == TRACER_FROM_OTEL ? OTLP_ENDPOINT_BASE : OTLP_ENDPOINT_OPTION;
}

void otlp_options_load(struct otlp_config *out, const struct tracer_options *o)
{
	*out = (struct otlp_config){
		.endpoint = option_str(o, OPT_OTLP_ENDPOINT),
		.endpoint_kind = otlp_options_kind(o->v[OPT_OTLP_ENDPOINT].origin),
		/* choices in the order of the enum */
		.protocol = (enum otlp_protocol)option_num(o, OPT_OTLP_PROTOCOL),
		.insecure = option_num(o, OPT_OTLP_INSECURE) != 0,
		.gzip = option_num(o, OPT_OTLP_COMPRESSION) == 0,
		.gzip_level = (int)option_num(o, OPT_OTLP_COMPRESSION_LEVEL),
		.headers = option_str(o, OPT_OTLP_HEADERS),
		.certificate = option_str(o, OPT_OTLP_CERTIFICATE),
		.client_certificate = option_str(o, OPT_OTLP_CLIENT_CERTIFICATE),
		.client_key = option_str(o, OPT_OTLP_CLIENT_KEY),
	};
}
