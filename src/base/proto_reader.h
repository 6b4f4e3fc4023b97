/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks the fields of a protobuf message in memory that is not trusted: reads
 * nothing outside of it, allocates nothing.  For the few messages that others
 * give us and that are not worth unpacking.
 * https://protobuf.dev/programming-guides/encoding/
 */
#ifndef BASE_PROTO_READER_H
#define BASE_PROTO_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proto_reader { const uint8_t *p, *end; };

enum proto_wire { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_BYTES = 2, PROTO_FIXED32 = 5 };

struct proto_field {
	uint32_t number;
	uint8_t wire;			/* enum proto_wire */
	uint64_t value;			/* VARINT, FIXED64, FIXED32 */
	const uint8_t *bytes;		/* BYTES: of the message, len of them */
	size_t len;
};

static inline void proto_reader_init(struct proto_reader *r, const void *p, size_t n)
{
	*r = (struct proto_reader){ p, (const uint8_t *)p + n };
}

/* The next field; false at the end, or where the rest is no message. */
bool proto_reader_next(struct proto_reader *r, struct proto_field *out);

#endif
