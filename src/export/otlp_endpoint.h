/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint URLs and header lists as the OTLP exporter specification reads
 * them.  Pure functions.
 */
#ifndef OTLP_ENDPOINT_H
#define OTLP_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#define OTLP_URL_MAX 2048

enum otlp_protocol { OTLP_HTTP_PROTOBUF = 0, OTLP_HTTP_JSON, OTLP_GRPC };

/* How the user gave it. */
enum otlp_endpoint_kind {
	OTLP_ENDPOINT_OPTION,	/* --otlp-endpoint: a base URL, path appended; the path of a signal at its end is replaced */
	OTLP_ENDPOINT_BASE,	/* OTEL_EXPORTER_OTLP_ENDPOINT: a base URL, path always appended */
	OTLP_ENDPOINT_SIGNAL	/* OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: as it is; no path means / */
};

struct otlp_endpoint {
	char url[OTLP_URL_MAX];		/* what is posted to */
	char shown[OTLP_URL_MAX];	/* for messages: scheme, host, port; no user, no path */
	char host[256];			/* as server.address */
	char unix_path[108];		/* unix:///path/to/socket, else "" */
	unsigned port;			/* as server.port */
	bool tls;
};

enum otlp_signal { OTLP_TRACES = 0, OTLP_METRICS };

/* The signal decides the path: v1/traces, or the service's for grpc.
 * insecure: what a gRPC target without a scheme means.
 * 0, or -TRACER_ERR_USAGE with what is wrong and what would be right in why. */
int otlp_endpoint_parse(struct otlp_endpoint *out, const char *text, enum otlp_endpoint_kind kind,
			enum otlp_protocol protocol, enum otlp_signal signal, bool insecure,
			char *why, size_t whylen);

/* "k=v,k2=v2" (W3C Baggage without properties): called for each pair with the
 * value percent-decoded, both trimmed and checked to be a legal HTTP field.
 * 0, or -TRACER_ERR_USAGE with the reason in why (values are never quoted). */
int otlp_headers_parse(const char *list, int (*add)(void *ctx, const char *name, const char *value),
		       void *ctx, char *why, size_t whylen);

#endif
