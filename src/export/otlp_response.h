/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What collectors answer: ExportTraceServiceResponse of a success and
 * google.rpc.Status of an error, in protobuf or JSON, by content type.  Never
 * trusts a body: what cannot be decoded is no message.
 */
#ifndef OTLP_RESPONSE_H
#define OTLP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "export/http_transport.h"

struct otlp_answer {
	uint64_t rejected;		/* spans, or data points */
	char message[256];		/* as otlp_format_message(), may be empty */
	bool retry_info;		/* a RetryInfo detail came */
	uint64_t retry_delay_ns;	/* of it */
};

void otlp_decode_success(struct otlp_answer *out, enum http_body type, const uint8_t *body, size_t len);
void otlp_decode_error(struct otlp_answer *out, enum http_body type, const uint8_t *body, size_t len);
/* The first line of what a server says, as valid UTF-8 without what a terminal could take as a command. */
void otlp_format_message(char *out, size_t room, const char *p, size_t n);
/* grpc-status-details-bin: a Status in base64, padding optional.  More than this is cut. */
#define OTLP_DETAILS_MAX 8192u
void otlp_decode_details(struct otlp_answer *out, const char *base64);

#endif
