/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How unlike two words are: insertions, deletions, substitutions and swaps of
 * neighbours (optimal string alignment).  Pure; any thread.
 */
#include "config.h"
#include "session/options.h"
#include <string.h>

#define WORD_MAX 64u

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

unsigned nearest_distance(const char *a, const char *b)
{
	unsigned d[3][WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    up2[j - 2] + 1 < row[j])
				row[j] = up2[j - 2] + 1;
		}
	}
	return d[la % 3][lb];
}

unsigned nearest_limit(const char *word)
{
	size_t n = strlen(word);
	return n < 4 ? 1 : n < 8 ? 2 : 3;
}
