/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans to export, and the reference for their encoding: the same spans put
 * into libprotobuf-c's messages and packed by it.  For tests and the bench.
 */
#ifndef OTLP_SAMPLES_H
#define OTLP_SAMPLES_H

#include <stddef.h>
#include <stdint.h>
#include "span/resource.h"
#include "span/span.h"

struct span *sample_new(void);			/* heap, reset */
void sample_free(struct span *s);
/* Every value type, odd lengths, text that is not UTF-8, links, states. */
void sample_set_random(struct span *s, unsigned long *random);
/* A span as of an openat() call: 8 attributes, a path of 30 bytes that varies. */
void sample_set_call(struct span *s, unsigned long *random);
struct resource *sample_resource(uint32_t id, unsigned long *random);

/* Packed by libprotobuf-c; the caller frees *out.  Spans of one resource must
 * be consecutive groups by first appearance, as the encoder makes them. */
size_t reference_encode(struct span *const *spans, size_t n, uint8_t **out);

#endif
