/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans to the bytes of an ExportTraceServiceRequest.  Written by hand for the
 * hot path and held to libprotobuf-c byte by byte in the tests.
 *
 * One encoder belongs to one thread.  It keeps its memory between batches.
 */
#ifndef OTLP_ENCODE_H
#define OTLP_ENCODE_H

#include <stddef.h>
#include <stdint.h>
#include "span/span.h"

#define OTLP_SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"
#define OTLP_SCOPE_NAME "tracer"

struct otlp_encoder;

/* max_bytes: largest request (OTLP's own limit is 64 MiB). */
int otlp_encoder_new(struct otlp_encoder **out, size_t max_bytes);
void otlp_encoder_free(struct otlp_encoder *e);
/* One request with all the spans, grouped by resource in order of first
 * appearance, each group in the order given.  *out is valid until the next
 * call, and OTLP_HEADROOM bytes before it may be written, too.  0, -E2BIG
 * (split the batch), -ENOMEM. */
#define OTLP_HEADROOM 8u
int otlp_encode_spans(struct otlp_encoder *e, struct span *const *spans, size_t n,
		      const uint8_t **out, size_t *len);
/* Never less than what the span adds to a request (without its resource). */
size_t otlp_encode_bound(const struct span *s);

#endif
