/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a protobuf message, one by one.  Pure; any thread. */
#include "config.h"
#include "base/proto_reader.h"
#include <string.h>

static bool varint_read(struct proto_reader *r, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
		uint8_t b = *r->p++;

		*out |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return true;
	}
	return false;
}

static bool fixed_read(struct proto_reader *r, size_t n, uint64_t *out)
{
	*out = 0;
	if ((size_t)(r->end - r->p) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		*out |= (uint64_t)r->p[i] << (8 * i);
	r->p += n;
	return true;
}

static bool bytes_read(struct proto_reader *r, struct proto_field *f)
{
	uint64_t n;

	if (!varint_read(r, &n) || n > (size_t)(r->end - r->p))
		return false;
	f->bytes = r->p;
	f->len = (size_t)n;
	r->p += n;
	return true;
}

static bool value_read(struct proto_reader *r, struct proto_field *f)
{
	switch (f->wire) {
	case PROTO_VARINT:
		return varint_read(r, &f->value);
	case PROTO_FIXED64:
		return fixed_read(r, 8, &f->value);
	case PROTO_FIXED32:
		return fixed_read(r, 4, &f->value);
	case PROTO_BYTES:
		return bytes_read(r, f);
	default:
		return false;	/* groups are older than proto3 */
	}
}

bool proto_reader_next(struct proto_reader *r, struct proto_field *out)
{
	uint64_t key;

	*out = (struct proto_field){ 0 };
	if (r->p < r->end && varint_read(r, &key) && key >> 3 && key >> 3 <= UINT32_MAX) {
		out->number = (uint32_t)(key >> 3);
		out->wire = key & 7;
		if (value_read(r, out))
			return true;
	}
	r->p = r->end;
	return false;
}
