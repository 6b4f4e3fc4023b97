/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slow-down of 20 % in the encoder, for the proof that bench-compare and
 * bench-gate find one: every fifth request is encoded twice.  Linked into
 * bench-injected alone, by the linker's --wrap; the product has no such hook.
 */
#include "config.h"
#include "export/otlp_encode.h"

int __real_otlp_encode_spans(struct otlp_encoder *e, struct span *const *spans, size_t n, const uint8_t **out,
			     size_t *len);
int __wrap_otlp_encode_spans(struct otlp_encoder *e, struct span *const *spans, size_t n, const uint8_t **out,
			     size_t *len);

int __wrap_otlp_encode_spans(struct otlp_encoder *e, struct span *const *spans, size_t n, const uint8_t **out,
			     size_t *len)
{
	static unsigned count;

	if (++count % 5 == 0)
		__real_otlp_encode_spans(e, spans, n, out, len);
	return __real_otlp_encode_spans(e, spans, n, out, len);
}
