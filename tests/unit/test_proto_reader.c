/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of protobuf messages: each kind, every way to be cut, nothing outside of the message. */
#include "config.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "base/proto_reader.h"
#include "unit.h"

static struct proto_reader r;
static struct proto_field f;

START_TEST(kinds)
{
	static const uint8_t m[] = {
		0x08, 0x96, 0x01,				/* 1: varint 150 */
		0x11, 1, 2, 3, 4, 5, 6, 7, 8,			/* 2: fixed64 */
		0x1a, 3, 'a', 'b', 'c',				/* 3: bytes */
		0x25, 1, 0, 0, 0x80,				/* 4: fixed32 */
		0x82, 0x01, 0,					/* 16: empty bytes */
	};

	proto_reader_init(&r, m, sizeof(m));
	ck_assert(proto_reader_next(&r, &f) && f.number == 1 && f.wire == PROTO_VARINT && f.value == 150);
	ck_assert(proto_reader_next(&r, &f) && f.number == 2 && f.value == 0x0807060504030201);
	ck_assert(proto_reader_next(&r, &f) && f.number == 3 && f.len == 3 && !memcmp(f.bytes, "abc", 3));
	ck_assert(proto_reader_next(&r, &f) && f.number == 4 && f.value == 0x80000001);
	ck_assert(proto_reader_next(&r, &f) && f.number == 16 && f.wire == PROTO_BYTES && f.len == 0);
	ck_assert(!proto_reader_next(&r, &f));
	ck_assert(!proto_reader_next(&r, &f));
}
END_TEST

static const struct { uint8_t bytes[12]; size_t n; } bad[] = {
	{ { 0x08 }, 1 }, { { 0x08, 0x80 }, 2 },				/* a varint without its end */
	{ { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 }, 12 },	/* too long */
	{ { 0x1a, 3, 'a', 'b' }, 4 }, { { 0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 }, 10 },
	{ { 0x11, 1, 2, 3 }, 4 }, { { 0x25, 1 }, 2 },
	{ { 0x0b, 0x0c }, 2 },						/* a group */
	{ { 0x00, 0x01 }, 2 },						/* field 0 */
};

START_TEST(malformed)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* On the heap, to its last byte: a sanitizer sees what is read behind it. */
		uint8_t *p = malloc(bad[i].n);

		memcpy(p, bad[i].bytes, bad[i].n);
		proto_reader_init(&r, p, bad[i].n);
		ck_assert(!proto_reader_next(&r, &f));
		ck_assert(!proto_reader_next(&r, &f));
		free(p);
	}
}
END_TEST

START_TEST(random_bytes)
{
	uint32_t x = 12345;

	for (int run = 0; run < 20000; run++) {
		size_t n = run % 40;
		uint8_t *p = malloc(n + 1);

		for (size_t i = 0; i < n; i++) {
			x = x * 1664525 + 1013904223;
			p[i] = (uint8_t)(x >> 24);
		}
		proto_reader_init(&r, p, n);
		while (proto_reader_next(&r, &f))
			ck_assert(f.wire != PROTO_BYTES || (f.bytes >= p && f.bytes + f.len <= p + n));
		free(p);
	}
}
END_TEST

int main(void)
{
	return unit_run("proto_reader", (const TTest *const[]){ kinds, malformed, random_bytes, NULL });
}
