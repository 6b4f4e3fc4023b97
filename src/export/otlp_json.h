/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP/JSON (opentelemetry-proto docs/specification.md, "JSON Protobuf
 * Encoding"): ids in lower-case hex, 64-bit integers as strings, enums as
 * numbers, bytes in base64.  For the file sink and for http/json.
 */
#ifndef OTLP_JSON_H
#define OTLP_JSON_H

#include <stddef.h>
#include "base/strbuf.h"
#include "span/span.h"

/* One span as an object. */
void otlp_json_span(struct strbuf *out, const struct span *s);
/* A ResourceSpans object up to and behind its array of spans. */
void otlp_json_open_group(struct strbuf *out, const struct resource *r);
void otlp_json_close_group(struct strbuf *out);
/* {"resourceSpans":[...]} of a batch, one entry for each resource in order of
 * first appearance.  0, or -E2BIG: the limit of out was too small. */
int otlp_json_spans(struct strbuf *out, struct span *const *spans, size_t n);

#endif
