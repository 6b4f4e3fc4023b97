/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every compressor that is built in: what zlib's inflate makes of its output is
 * what went in, for all sizes around the limits of the format, for data that
 * repeat, that do not, and that do both; output never passes its bound.  The
 * Huffman codes by themselves: complete, within the limit, prefix-free.
 */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <zlib.h>
#include <tracer/error.h>
#include "export/gzip.h"
#include "export/huffman.h"
#include "otlp_samples.h"
#include "unit.h"

#define LARGEST 400000u

static uint8_t input[LARGEST];

/* Round trip of input[0..n); returns the size of the output. */
static size_t check_round_trip(struct gzip *g, size_t n, const char *what)
{
	struct strbuf sb;
	const uint8_t *out, *back;
	size_t len, back_len;

	ck_assert_msg(gzip_encode(g, input, n, &out, &len) == 0, "%s %s: %zu bytes", gzip_name(g), what, n);
	strbuf_init(&sb, LARGEST + 70000);
	ck_assert_msg(gzip_decode(&sb, out, len, &back, &back_len) == 0, "%s %s: %zu bytes do not inflate", gzip_name(g), what, n);
	ck_assert_msg(back_len == n && memcmp(back, input, n) == 0, "%s %s: %zu bytes differ", gzip_name(g), what, n);
	strbuf_fini(&sb);
	return len;
}

static void fill_random(size_t n, unsigned long *r, unsigned values)
{
	for (size_t i = 0; i < n; i++)
		input[i] = (uint8_t)(unit_random(r) % values);
}

/* Runs, copies from near and far, noise: lengths and distances of every sort. */
static void fill_mixed(size_t n, unsigned long *r)
{
	for (size_t i = 0; i < n;) {
		size_t len = 1 + unit_random(r) % (unit_random(r) % 4 ? 20 : 700), dist = 1 + unit_random(r) % (unit_random(r) % 2 ? 100 : 40000);
		unsigned sort = (unsigned)(unit_random(r) % 3);
		uint8_t c = (uint8_t)unit_random(r);

		for (; len-- && i < n; i++)
			input[i] = sort == 0 ? c : sort == 1 && dist <= i ? input[i - dist] : (uint8_t)unit_random(r);
	}
}

static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 64, 257, 258, 259, 260, 261, 262, 263, 1000, 32767, 32768, 32769,
	32770, 33000, 65534, 65535, 65536, 65540, 70000, 131070, 131071, 200000, LARGEST };

/* _i: the library. */
START_TEST(sizes_and_contents)
{
	unsigned long r = 0x5eed0900;
	struct gzip *g;

	ck_assert_int_eq(gzip_new(&g, gzip_libraries[_i]->name, 1), 0);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		memset(input, 'x', sizes[k]);
		check_round_trip(g, sizes[k], "one byte");
		fill_random(sizes[k], &r, 256);
		check_round_trip(g, sizes[k], "noise");
		fill_random(sizes[k], &r, 2);
		check_round_trip(g, sizes[k], "two values");
		fill_mixed(sizes[k], &r);
		check_round_trip(g, sizes[k], "mixed");
	}
	gzip_free(g);
}
END_TEST

START_TEST(many_mixed)
{
	unsigned long r = 0x5eed0a00 + (unsigned long)_i;
	struct gzip *g;

	ck_assert_int_eq(gzip_new(&g, gzip_libraries[_i]->name, 2), 0);
	for (int k = 0; k < 400; k++) {
		size_t n = unit_random(&r) % (k % 10 ? 3000 : 150000);

		fill_mixed(n, &r);
		check_round_trip(g, n, "mixed");
	}
	gzip_free(g);
}
END_TEST

/* Frequencies like Fibonacci's numbers make the deepest tree there is. */
START_TEST(deep_codes)
{
	struct gzip *g;
	size_t n = 0;
	unsigned a = 1, b = 1;

	for (unsigned c = 0; c < 23; c++) {
		for (unsigned i = 0; i < a; i++)
			input[n++] = (uint8_t)c;
		b += a;
		a = b - a;
	}
	for (size_t i = n, k; i-- > 1;) {	/* mixed, so that there are no matches to speak of */
		uint8_t t = input[i];

		k = (i * 7919u + 13) % (i + 1);
		input[i] = input[k];
		input[k] = t;
	}
	ck_assert_int_eq(gzip_new(&g, gzip_libraries[_i]->name, 1), 0);
	check_round_trip(g, n, "deep");
	gzip_free(g);
}
END_TEST

/* Spans shrink to a fifth at least, with every library. */
START_TEST(spans_shrink)
{
	unsigned long r = 0x5eed0b00;
	struct gzip *g;
	size_t n = 0;

	for (int i = 0; i < 512; i++) {
		struct span *s = sample_new();

		sample_set_call(s, &r);
		memcpy(input + n, s->text, s->used);
		n += s->used;
		sample_free(s);
	}
	ck_assert_int_eq(gzip_new(&g, gzip_libraries[_i]->name, 1), 0);
	ck_assert_uint_lt(check_round_trip(g, n, "texts"), n / 3);
	gzip_free(g);
}
END_TEST

START_TEST(levels)
{
	struct gzip *g;

	for (int level = GZIP_LEVEL_MIN; level <= GZIP_LEVEL_MAX; level++) {
		ck_assert_int_eq(gzip_new(&g, NULL, level), 0);
		ck_assert_int_eq(!strcmp(gzip_name(g), "isal") || !strcmp(gzip_name(g), "direct"), level <= 2);
		gzip_free(g);
	}
	ck_assert_int_eq(gzip_new(&g, NULL, 0), -EINVAL);
	ck_assert_int_eq(gzip_new(&g, NULL, 10), -EINVAL);
	ck_assert_int_eq(gzip_new(&g, "lzma", 1), -EINVAL);
}
END_TEST

/* Sum of 2^-length is one, no code is a prefix of another, frequent symbols have no longer codes. */
static void check_codes(const uint32_t *freq, unsigned n, unsigned limit)
{
	struct huffman h;
	uint32_t sum = 0;

	huffman_build(&h, freq, n, limit);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_le(h.len[i], limit);
		ck_assert(!freq[i] || h.len[i]);
		sum += h.len[i] ? 1u << (limit - h.len[i]) : 0;
		for (unsigned k = 0; k < n; k++) {
			unsigned mask = (1u << h.len[i]) - 1;

			if (k == i || !h.len[i] || !h.len[k])
				continue;
			ck_assert(freq[k] <= freq[i] || h.len[k] <= h.len[i]);
			ck_assert(h.len[k] < h.len[i] || (h.bits[k] & mask) != h.bits[i]);
		}
	}
	ck_assert_uint_eq(sum, 1u << limit);
}

START_TEST(codes)
{
	unsigned long r = 0x5eed0c00;
	uint32_t freq[286];

	for (int round = 0; round < 60; round++) {
		unsigned n = round % 3 == 0 ? 19 : round % 3 == 1 ? 30 : 286, limit = n == 19 ? 7 : 15;

		for (unsigned i = 0; i < n; i++)
			freq[i] = unit_random(&r) % 3 ? (uint32_t)(unit_random(&r) % (1u << unit_random(&r) % 24)) : 0;
		check_codes(freq, n, limit);
	}
	/* None, one, all alike, Fibonacci. */
	memset(freq, 0, sizeof(freq));
	check_codes(freq, 30, 15);
	freq[29] = 7;
	check_codes(freq, 30, 15);
	for (unsigned i = 0; i < 286; i++)
		freq[i] = 1;
	check_codes(freq, 286, 15);
	freq[0] = freq[1] = 1;
	for (unsigned i = 2; i < 30; i++)
		freq[i] = freq[i - 1] + freq[i - 2];
	check_codes(freq, 30, 15);
	check_codes(freq, 19, 7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gzip");
	TCase *t = tcase_create("all");
	SRunner *runner;
	int failed, libraries = 0;

	while (gzip_libraries[libraries])
		libraries++;
	tcase_add_loop_test(t, sizes_and_contents, 0, libraries);
	tcase_add_loop_test(t, many_mixed, 0, libraries);
	tcase_add_loop_test(t, deep_codes, 0, libraries);
	tcase_add_loop_test(t, spans_shrink, 0, libraries);
	tcase_add_test(t, levels);
	tcase_add_test(t, codes);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
