/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OTLP span exporter: encode, compress, post, retry.  The struct
 * otlp_config is read during new() only.
 */
#ifndef OTLP_EXPORTER_H
#define OTLP_EXPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/log.h"
#include "export/otlp_endpoint.h"
#include "export/span_exporter.h"

#define OTLP_REQUEST_MAX 67108864u	/* protocol/exporter.md, "Max Request Size" */

struct otlp_config {
	const char *endpoint;		/* as the user gave it; NULL: the default of the protocol */
	enum otlp_endpoint_kind endpoint_kind;
	enum otlp_protocol protocol;
	enum otlp_signal signal;	/* OTLP_METRICS: only otlp_exporter_post() */
	bool insecure;			/* gRPC target without a scheme */
	bool gzip;
	int gzip_level;			/* 1..9, 0: 1 */
	const char *gzip_library;	/* NULL: the fastest that is there */
	const char *headers;		/* k=v,k2=v2 or NULL */
	const char *certificate, *client_certificate, *client_key;
	size_t request_max;		/* 0: OTLP_REQUEST_MAX */
	size_t response_max;		/* 0: HTTP_RESPONSE_MAX */
	const struct log *log;		/* must outlive the exporter */
};

/* The default endpoint of a protocol. */
const char *otlp_endpoint_default(enum otlp_protocol protocol);
/* "http/protobuf", "http/json", "grpc" (case-insensitive) or -EINVAL. */
int otlp_protocol_parse(const char *text, enum otlp_protocol *out);
/* 0; -TRACER_ERR_USAGE with the reason in why; -ENOMEM. */
int otlp_http_exporter_new(struct span_exporter **out, const struct otlp_config *cfg, char *why, size_t whylen);
/* Sends a request that is encoded already, in the exporter's protocol (protobuf
 * or JSON); gzipped or not, it goes out as the exporter is configured.
 * GRPC_FRAME bytes before body must be writable. */
void otlp_exporter_post(struct span_exporter *e, const uint8_t *body, size_t len, bool gzipped, size_t spans,
			uint64_t deadline, struct export_outcome *out);
/* Where it goes, as server.address and server.port; port 0: the address is a socket's path. */
struct otlp_peer { char address[256]; int64_t port; };
void otlp_exporter_load_peer(const struct span_exporter *e, struct otlp_peer *out);
/* The same for messages: scheme, host, port. */
const char *otlp_exporter_shown(const struct span_exporter *e);

#endif
