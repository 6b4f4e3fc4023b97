/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 checks (RFC 3629, section 4).  Pure; any thread.
 */
#include "config.h"
#include "base/utf8.h"
#include <stdint.h>
#include <string.h>

/* Smallest and largest second byte: where overlong forms, surrogates and
 * numbers above U+10FFFF are cut off. */
static bool second_valid(uint8_t first, uint8_t second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return second >= 0x80 && second <= 0xbf;
	}
}

size_t utf8_next(const void *p, size_t n)
{
	const uint8_t *b = p;
	size_t len;

	if (!n)
		return 0;
	if (b[0] < 0x80)
		return 1;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	len = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	if (n < len || !second_valid(b[0], b[1]))
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

/* Whether no byte has its upper bit set.  Words, the last of which may overlap the one before. */
static bool ascii(const uint8_t *b, size_t n)
{
	uint64_t any = 0, w;
	uint32_t first, last;

	if (n >= sizeof(w)) {
		for (size_t i = 0; i + sizeof(w) < n; i += sizeof(w)) {
			memcpy(&w, b + i, sizeof(w));
			any |= w;
		}
		memcpy(&w, b + n - sizeof(w), sizeof(w));
		any |= w;
	} else if (n >= sizeof(first)) {
		memcpy(&first, b, sizeof(first));
		memcpy(&last, b + n - sizeof(last), sizeof(last));
		any = first | last;
	} else if (n) {
		any = b[0] | b[n / 2] | b[n - 1];
	}
	return !(any & 0x8080808080808080ull);
}

bool utf8_valid(const void *p, size_t n)
{
	const uint8_t *b = p;
	const uint8_t *end = b + n;
	size_t len;

	if (ascii(b, n))
		return true;
	while (b < end) {
		len = utf8_next(b, (size_t)(end - b));
		if (!len)
			return false;
		b += len;
	}
	return true;
}

size_t utf8_prefix(const void *p, size_t n, size_t max)
{
	const uint8_t *b = p;
	size_t cut = max;

	if (n <= max)
		return n;
	/* Back over at most three continuation bytes to the start of the code
	 * point that the cut falls in; in bytes that are not UTF-8 cut anywhere. */
	while (cut && max - cut < 3 && (b[cut] & 0xc0) == 0x80)
		cut--;
	return (b[cut] & 0xc0) == 0x80 ? max : cut;
}
