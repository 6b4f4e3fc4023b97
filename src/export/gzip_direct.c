/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip of our own for batches: fast like the special libraries, where none of
 * them is there.  Runs on the owner's thread; the state belongs to the owner.
 *
 * A batch of spans is the same few hundred bytes again and again with other
 * numbers in them, so one candidate for each match is enough and no time is
 * spent on better ones (RFC 1951: LZ77, then Huffman codes made for each
 * block).  What does not shrink is stored.
 */
#include "config.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "export/gzip.h"
#include "export/huffman.h"

#define HASH_BITS 14u
#define WINDOW 32768u
#define MATCH_MIN 4u
#define MATCH_MAX 258u
#define TOKENS 32768u			/* of a block */
#define STORED_MAX 65535u
#define HEAD 10u
#define TAIL 8u
#define SLACK 16u			/* the bit writer stores eight bytes at a time */
#define LITLENS 286u
#define DISTS 30u
#define END_OF_BLOCK 256u
#define LENGTHS (LITLENS + DISTS)

struct bits { uint8_t *p; uint64_t buf; unsigned n; };

struct direct {
	uint32_t base;			/* of this input's positions: those of earlier ones are out of reach */
	uint32_t table[1u << HASH_BITS];
	uint32_t tokens[TOKENS];	/* a literal, or distance - 1 above a length */
	uint32_t ntokens;
	uint32_t litlen[LITLENS], dist[DISTS];	/* how often */
	struct huffman litcode, distcode;
	uint16_t length_code[MATCH_MAX + 1];	/* symbol | extra bits << 9 | value of these << 12, made by new */
	uint8_t length_extra[MATCH_MAX + 1];
};

/* --- bits --- */

static inline void put(struct bits *b, uint64_t v, unsigned n)
{
	b->buf |= v << b->n;
	b->n += n;
}

/* Fewer than 8 bits stay. */
static inline void drain(struct bits *b)
{
	memcpy(b->p, &b->buf, sizeof(b->buf));	/* little endian (configure refuses others) */
	b->p += b->n >> 3;
	b->buf >>= b->n & ~7u;
	b->n &= 7u;
}

static void align(struct bits *b)
{
	drain(b);
	if (b->n)
		b->p++;
	b->buf = b->n = 0;
}

/* --- matches --- */

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t hash_of(uint32_t v)
{
	return (v * 0x9e3779b1u) >> (32 - HASH_BITS);
}

/* Bytes that are the same at a and b, before end and up to the longest match. */
static inline unsigned match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
	unsigned max = (size_t)(end - b) < MATCH_MAX ? (unsigned)(end - b) : MATCH_MAX, n = MATCH_MIN;

	for (; n + 8 <= max; n += 8) {
		uint64_t x = load64(a + n) ^ load64(b + n);

		if (x)
			return n + (unsigned)__builtin_ctzll(x) / 8;
	}
	while (n < max && a[n] == b[n])
		n++;
	return n;
}

static inline unsigned dist_symbol(uint32_t d)
{
	unsigned l;

	if (d < 4)
		return d;
	l = 31u - (unsigned)__builtin_clz(d);
	return 2 * l + (d >> (l - 1) & 1);
}

static inline void add_literal(struct direct *s, uint8_t c)
{
	s->litlen[c]++;
	s->tokens[s->ntokens++] = c;
}

static inline void add_match(struct direct *s, unsigned len, uint32_t dist)
{
	s->litlen[s->length_code[len]]++;
	s->dist[dist_symbol(dist - 1)]++;
	s->tokens[s->ntokens++] = len | (dist - 1) << 9 | 1u << 31;
}

/* Tokens of a block from in[pos..n); the position where it ends. */
static size_t scan(struct direct *s, const uint8_t *in, size_t pos, size_t n)
{
	size_t last = n < 8 ? 0 : n - 8;	/* four bytes are loaded at each position and at the next one */

	while (pos < last && s->ntokens < TOKENS) {
		uint32_t v = load32(in + pos), h = hash_of(v), at = s->base + (uint32_t)pos;
		uint32_t dist = at - s->table[h];
		unsigned len;

		s->table[h] = at;
		if (dist - 1 >= WINDOW || load32(in + pos - dist) != v) {
			add_literal(s, in[pos++]);
			continue;
		}
		len = match_length(in + pos - dist, in + pos, in + n);
		add_match(s, len, dist);
		/* So that the next round finds what goes on behind this. */
		s->table[hash_of(load32(in + pos + 1))] = at + 1;
		pos += len;
		if (pos < last)
			s->table[hash_of(load32(in + pos - 2))] = s->base + (uint32_t)pos - 2;
	}
	while (pos >= last && pos < n && s->ntokens < TOKENS)
		add_literal(s, in[pos++]);
	return pos;
}

/* --- a block --- */

/* What is sent of the code lengths: symbols of RFC 1951, 3.2.7, each with its extra bits above 8. */
struct lengths { uint16_t symbols[LENGTHS]; unsigned n, nlit, ndist; uint32_t freq[19]; struct huffman code; };

static void add_symbol(struct lengths *l, unsigned symbol, unsigned extra)
{
	l->freq[symbol]++;
	l->symbols[l->n++] = (uint16_t)(symbol | extra << 8);
}

static void add_run(struct lengths *l, uint8_t len, unsigned n)
{
	if (len && n)
		add_symbol(l, len, 0), n--;
	while (!len && n >= 11) {
		unsigned k = n < 138 ? n : 138;

		add_symbol(l, 18, k - 11);
		n -= k;
	}
	while (n >= 3) {
		unsigned most = len ? 6 : 10, k = n < most ? n : most;

		add_symbol(l, len ? 16 : 17, k - 3);
		n -= k;
	}
	while (n--)
		add_symbol(l, len, 0);
}

static unsigned used_codes(const struct huffman *h, unsigned n, unsigned least)
{
	while (n > least && !h->len[n - 1])
		n--;
	return n;
}

static void lengths_load(struct lengths *l, const struct huffman *lit, const struct huffman *dist)
{
	uint8_t all[LENGTHS];

	memset(l, 0, sizeof(*l));
	l->nlit = used_codes(lit, LITLENS, 257);
	l->ndist = used_codes(dist, DISTS, 1);
	memcpy(all, lit->len, l->nlit);
	memcpy(all + l->nlit, dist->len, l->ndist);
	for (unsigned i = 0, k, n = l->nlit + l->ndist; i < n; i = k) {
		for (k = i + 1; k < n && all[k] == all[i];)
			k++;
		add_run(l, all[i], k - i);
	}
	huffman_build(&l->code, l->freq, 19, 7);
}

static const uint8_t length_order[19] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };

static unsigned extra_of(unsigned symbol)
{
	return symbol == 16 ? 2 : symbol == 17 ? 3 : symbol == 18 ? 7 : 0;
}

static void put_lengths(struct bits *b, const struct lengths *l)
{
	unsigned n = 19;

	while (n > 4 && !l->code.len[length_order[n - 1]])
		n--;
	put(b, l->nlit - 257, 5);
	put(b, l->ndist - 1, 5);
	put(b, n - 4, 4);
	drain(b);
	for (unsigned i = 0; i < n; i++) {
		put(b, l->code.len[length_order[i]], 3);
		drain(b);
	}
	for (unsigned i = 0; i < l->n; i++) {
		unsigned symbol = l->symbols[i] & 0xff;

		put(b, l->code.bits[symbol], l->code.len[symbol]);
		put(b, l->symbols[i] >> 8, extra_of(symbol));
		drain(b);
	}
}

/* Upper bound of a block in bits; the extra bits of a distance symbol are symbol / 2 - 1. */
static uint64_t block_bits(const struct direct *s, const struct lengths *l)
{
	uint64_t bits = 3 + 14 + 19 * 3 + 8;

	for (unsigned i = 0; i < l->n; i++)
		bits += l->code.len[l->symbols[i] & 0xff] + extra_of(l->symbols[i] & 0xff);
	for (unsigned i = 0; i < LITLENS; i++)
		bits += (uint64_t)s->litlen[i] * (s->litcode.len[i] + (i > 264 ? 5u : 0));
	for (unsigned i = 0; i < DISTS; i++)
		bits += (uint64_t)s->dist[i] * (s->distcode.len[i] + (i > 3 ? i / 2 - 1 : 0));
	return bits;
}

static inline void put_match(const struct direct *s, struct bits *b, uint32_t token)
{
	uint32_t len = token & 511, d = (token & 0x7fffffffu) >> 9;
	unsigned symbol = s->length_code[len], ds = dist_symbol(d), extra = s->length_extra[len];

	put(b, s->litcode.bits[symbol], s->litcode.len[symbol]);
	/* The base of a length symbol has zeros where its extra bits are, counted from 3. */
	put(b, (len - 3) & ((1u << extra) - 1), extra);
	put(b, s->distcode.bits[ds], s->distcode.len[ds]);
	if (ds > 3)
		put(b, d & ((1u << (ds / 2 - 1)) - 1), ds / 2 - 1);
}

static void put_tokens(const struct direct *s, struct bits *b)
{
	for (uint32_t i = 0; i < s->ntokens; i++) {
		uint32_t t = s->tokens[i];

		if (b->n > 15)		/* a match takes at most 48 bits */
			drain(b);
		if (t >> 31)
			put_match(s, b, t);
		else
			put(b, s->litcode.bits[t], s->litcode.len[t]);
	}
	drain(b);
	put(b, s->litcode.bits[END_OF_BLOCK], s->litcode.len[END_OF_BLOCK]);
	drain(b);
}

static void put_stored(struct bits *b, const uint8_t *in, size_t n, bool last)
{
	do {
		size_t part = n < STORED_MAX ? n : STORED_MAX;

		put(b, last && part == n, 3);
		align(b);
		put(b, part | (~(uint64_t)part & 0xffff) << 16, 32);
		drain(b);
		memcpy(b->p, in, part);
		b->p += part;
		in += part;
		n -= part;
	} while (n);
}

static void put_block(struct direct *s, struct bits *b, const uint8_t *in, size_t n, bool last)
{
	struct lengths l;

	s->litlen[END_OF_BLOCK] = 1;
	huffman_build(&s->litcode, s->litlen, LITLENS, 15);
	huffman_build(&s->distcode, s->dist, DISTS, 15);
	lengths_load(&l, &s->litcode, &s->distcode);
	if (block_bits(s, &l) / 8 >= n) {
		put_stored(b, in, n, last);
	} else {
		put(b, last | 2u << 1, 3);
		put_lengths(b, &l);
		put_tokens(s, b);
	}
	s->ntokens = 0;
	memset(s->litlen, 0, sizeof(s->litlen));
	memset(s->dist, 0, sizeof(s->dist));
}

/* --- the interface --- */

static int direct_new(void **state, int level)
{
	struct direct *s = calloc(1, sizeof(*s));
	unsigned symbol = 257, extra = 0, len = 3;

	(void)level;
	if (!s)
		return -ENOMEM;
	s->base = WINDOW + 1;
	/* RFC 1951, 3.2.5: four symbols for each number of extra bits, eight for none; 258 has its own. */
	for (; len < MATCH_MAX; symbol++) {
		extra = symbol < 265 ? 0 : (symbol - 261) / 4;
		for (unsigned k = 0; k < 1u << extra && len < MATCH_MAX; k++, len++) {
			s->length_code[len] = (uint16_t)symbol;
			s->length_extra[len] = (uint8_t)extra;
		}
	}
	s->length_code[MATCH_MAX] = 285;
	*state = s;
	return 0;
}

static void direct_free(void *state)
{
	free(state);
}

/* Five bytes for each stored block; a block of tokens has at least TOKENS bytes. */
static size_t direct_bound(void *state, size_t n)
{
	(void)state;
	return n + (n / TOKENS + 2) * 6 + HEAD + TAIL + SLACK;
}

static uint8_t *put_head(uint8_t *p)
{
	static const uint8_t head[HEAD] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 3 };	/* fastest, Unix */

	return (uint8_t *)memcpy(p, head, HEAD) + HEAD;
}

static int64_t direct_encode(void *state, const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
	struct direct *s = state;
	struct bits b = { .p = put_head(out) };
	uint32_t tail[2];
	size_t pos = 0;

	if (n > UINT32_MAX / 4 || room < direct_bound(s, n))
		return -E2BIG;
	if (s->base > UINT32_MAX / 2) {
		memset(s->table, 0, sizeof(s->table));
		s->base = WINDOW + 1;
	}
	do {
		size_t from = pos;

		pos = scan(s, in, pos, n);
		put_block(s, &b, in + from, pos - from, pos == n);
	} while (pos < n);
	align(&b);
	s->base += (uint32_t)n + WINDOW + 1;
	tail[0] = (uint32_t)crc32(0, in, (uInt)n);
	tail[1] = (uint32_t)n;
	memcpy(b.p, tail, TAIL);
	return (int64_t)(b.p + TAIL - out);
}

const struct gzip_ops gzip_direct = {
	.name = "direct",
	.new = direct_new,
	.free = direct_free,
	.bound = direct_bound,
	.encode = direct_encode,
};
