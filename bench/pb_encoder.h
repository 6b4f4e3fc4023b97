/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoder that the direct one is measured against: libprotobuf-c, with
 * message structs allocated once and filled for each batch.  Spans of one
 * resource, string and integer attributes.
 */
#ifndef PB_ENCODER_H
#define PB_ENCODER_H

#include <stddef.h>
#include <stdint.h>
#include "span/span.h"

struct pb_encoder;
struct pb_encoder *pb_encoder_new(size_t max_spans);
void pb_encoder_free(struct pb_encoder *e);
/* *out is valid until the next call. */
size_t pb_encode_spans(struct pb_encoder *e, struct span *const *spans, size_t n, const uint8_t **out);

#endif
