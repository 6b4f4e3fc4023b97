/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Huffman codes.  Pure; runs on the thread that compresses.
 *
 * Lengths come from the usual tree, made with two queues over the sorted
 * symbols.  Where it is deeper than the limit, codes that are too long are cut to
 * it, and codes above are made longer until the sum of 2^-length is one again;
 * the symbols then get the lengths in order of their frequency.
 */
#include "config.h"
#include "export/huffman.h"
#include <string.h>

#define LENGTH_MAX 15u
#define SYMBOL_BITS 9u

/* Frequency above, symbol below: sorts by the first, then by the second. */
static unsigned symbols_load(uint64_t *keys, const uint32_t *freq, unsigned n)
{
	unsigned used = 0;

	for (unsigned i = 0; i < n; i++)
		if (freq[i])
			keys[used++] = (uint64_t)freq[i] << SYMBOL_BITS | i;
	for (unsigned i = 0; used < 2; i++)
		if (!freq[i])
			keys[used++] = 1u << SYMBOL_BITS | i;
	return used;
}

/* Shell's sort: a few hundred keys at most. */
static void keys_sort(uint64_t *keys, unsigned n)
{
	static const unsigned gaps[] = { 132, 57, 23, 10, 4, 1 };

	for (unsigned g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++)
		for (unsigned i = gaps[g]; i < n; i++) {
			uint64_t key = keys[i];
			unsigned k = i;

			for (; k >= gaps[g] && keys[k - gaps[g]] > key; k -= gaps[g])
				keys[k] = keys[k - gaps[g]];
			keys[k] = key;
		}
}

/* Depth of each leaf of the tree over sorted weights, into counts of lengths. */
static void count_lengths(const uint64_t *keys, unsigned n, unsigned limit, unsigned counts[LENGTH_MAX + 1])
{
	uint64_t weight[2 * HUFFMAN_MAX];
	uint16_t parent[2 * HUFFMAN_MAX], depth[2 * HUFFMAN_MAX];
	unsigned leaf = 0, node = n, made = n;

	for (unsigned i = 0; i < n; i++)
		weight[i] = keys[i] >> SYMBOL_BITS;
	for (; made < 2 * n - 1; made++) {
		weight[made] = 0;
		for (int k = 0; k < 2; k++) {
			unsigned pick = leaf < n && (node == made || weight[leaf] <= weight[node]) ? leaf++ : node++;

			weight[made] += weight[pick];
			parent[pick] = (uint16_t)made;
		}
	}
	depth[made - 1] = 0;
	for (unsigned i = made - 1; i--;) {
		depth[i] = (uint16_t)(depth[parent[i]] + 1);
		if (i < n)
			counts[depth[i] < limit ? depth[i] : limit]++;
	}
}

static void limit_lengths(unsigned counts[LENGTH_MAX + 1], unsigned limit)
{
	uint32_t sum = 0;

	for (unsigned i = 1; i <= limit; i++)
		sum += counts[i] << (limit - i);
	for (; sum > 1u << limit; sum--) {
		unsigned i = limit - 1;

		while (!counts[i])
			i--;
		/* One of length i becomes two of i + 1, which takes in one from the end. */
		counts[limit]--;
		counts[i]--;
		counts[i + 1] += 2;
	}
}

static uint16_t reverse(unsigned code, unsigned len)
{
	unsigned out = 0;

	for (; len; len--, code >>= 1)
		out = out << 1 | (code & 1);
	return (uint16_t)out;
}

/* RFC 1951, 3.2.2. */
static void assign_codes(struct huffman *h, unsigned n, const unsigned counts[LENGTH_MAX + 1])
{
	unsigned next[LENGTH_MAX + 2] = { 0 };

	for (unsigned i = 1; i <= LENGTH_MAX; i++)
		next[i + 1] = (next[i] + counts[i]) << 1;
	for (unsigned i = 0; i < n; i++)
		if (h->len[i])
			h->bits[i] = reverse(next[h->len[i]]++, h->len[i]);
}

void huffman_build(struct huffman *h, const uint32_t *freq, unsigned n, unsigned limit)
{
	uint64_t keys[HUFFMAN_MAX];
	unsigned counts[LENGTH_MAX + 1] = { 0 }, used = symbols_load(keys, freq, n), k = 0;

	keys_sort(keys, used);
	count_lengths(keys, used, limit, counts);
	limit_lengths(counts, limit);
	memset(h->len, 0, n);
	/* The rarest symbols have the longest codes. */
	for (unsigned len = limit; len; len--)
		for (unsigned c = counts[len]; c--; k++)
			h->len[keys[k] & ((1u << SYMBOL_BITS) - 1)] = (uint8_t)len;
	assign_codes(h, n, counts);
}
