/* SPDX-License-Identifier: Apache-2.0 */
/* strbuf, hash, parse, utf8, json_writer, log, error texts. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tracer/error.h>
#include "base/base64.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "unit.h"

START_TEST(error_texts)
{
	ck_assert_str_eq(tracer_strerror(0), "success");
	ck_assert_str_eq(tracer_strerror(7), "success");
	ck_assert_str_eq(tracer_strerror(-ENOENT), "No such file or directory");
	ck_assert_str_eq(tracer_strerror(-4095), "unknown error");
	ck_assert_str_eq(tracer_strerror(-TRACER_ERR_BASE), "unknown error");
	ck_assert_str_eq(tracer_strerror(-TRACER_ERR_END), "unknown error");
	ck_assert_str_eq(tracer_strerror(-0x7fffffff - 1), "unknown error");
	for (int e = TRACER_ERR_BASE + 1; e < TRACER_ERR_END; e++)
		ck_assert_str_ne(tracer_strerror(-e), "unknown error");
}
END_TEST

static void keep_message(void *ctx, int level, const char *message)
{
	snprintf(ctx, 64, "%d:%s", level, message);
}

/* What to do is told of errors that have a limit behind them, and of no others. */
START_TEST(error_advice)
{
	static const struct { int err; const char *text; } rows[] = {
		{ -EMFILE, "Too many open files; raise the limit on open files (ulimit -n)" },
		{ -ENFILE, "Too many open files in system; the whole system has no open files left (fs.file-max)" },
		{ -ENOENT, "No such file or directory" },
		{ -TRACER_ERR_ENGINE, "the engine cannot work here" },
		{ 0, "success" },
	};
	char text[160];

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err_format(rows[i].err, text, sizeof(text));
		ck_assert_str_eq(text, rows[i].text);
	}
	ck_assert_ptr_nonnull(err_advice(-EAGAIN));
	ck_assert_ptr_nonnull(err_advice(-ENOMEM));
	ck_assert_ptr_null(err_advice(-EACCES));
}
END_TEST

START_TEST(log_levels)
{
	char got[64] = "";
	struct log log = { keep_message, got, LOG_WARN };

	log_msg(NULL, LOG_ERROR, "x");
	log_msg(&(struct log){ 0 }, LOG_ERROR, "x");
	log_msg(&log, LOG_INFO, "too chatty");
	ck_assert_str_eq(got, "");
	log_msg(&log, LOG_WARN, "pid %d", 42);
	ck_assert_str_eq(got, "1:pid 42");
}
END_TEST

START_TEST(strbuf_numbers)
{
	struct strbuf sb;

	strbuf_init(&sb, 1000);
	ck_assert_str_eq(sb.p, "");
	strbuf_add_i64(&sb, INT64_MIN);
	strbuf_add_char(&sb, ' ');
	strbuf_add_u64(&sb, UINT64_MAX);
	strbuf_add_char(&sb, ' ');
	strbuf_add_hex(&sb, 0);
	strbuf_add_char(&sb, ' ');
	strbuf_add_hex(&sb, 0x1f);
	strbuf_add_char(&sb, ' ');
	strbuf_add_oct(&sb, 0644);
	strbuf_add_char(&sb, ' ');
	strbuf_add_oct(&sb, 0);
	strbuf_add_fmt(&sb, " %s", "end");
	ck_assert_str_eq(sb.p, "-9223372036854775808 18446744073709551615 0 0x1f 0644 0 end");
	ck_assert_uint_eq(sb.len, strlen(sb.p));
	ck_assert(!sb.truncated);
	strbuf_reset(&sb);
	ck_assert_str_eq(sb.p, "");
	strbuf_fini(&sb);
	strbuf_fini(&sb);
	strbuf_fini(NULL);
}
END_TEST

START_TEST(strbuf_limit)
{
	struct strbuf sb;
	char mem[4];

	strbuf_init(&sb, 5);
	strbuf_add_str(&sb, "12345");
	ck_assert(!sb.truncated);
	strbuf_add_char(&sb, '6');
	ck_assert(sb.truncated);
	ck_assert_str_eq(sb.p, "12345");
	strbuf_reset(&sb);
	ck_assert(!sb.truncated);
	strbuf_add_fmt(&sb, "%s", "abcdefgh");
	ck_assert_str_eq(sb.p, "abcde");
	ck_assert(sb.truncated);
	ck_assert_ptr_null(strbuf_reserve(&sb, 1));
	strbuf_fini(&sb);

	strbuf_init_fixed(&sb, mem, sizeof(mem));
	strbuf_add_fmt(&sb, "%d", 12345);
	ck_assert_str_eq(mem, "123");
	ck_assert(sb.truncated);
	strbuf_fini(&sb);
}
END_TEST

START_TEST(strbuf_grows_and_keeps)
{
	struct strbuf sb;
	char *p;

	strbuf_init(&sb, 1 << 20);
	for (int i = 0; i < 10000; i++)
		strbuf_add_fmt(&sb, "%04d;", i);
	ck_assert_uint_eq(sb.len, 50000);
	ck_assert_mem_eq(sb.p + 49995, "9999;", 6);
	p = sb.p;
	strbuf_reset(&sb);
	memcpy(strbuf_reserve(&sb, 3), "abc", 3);
	sb.len += 3;
	ck_assert_str_eq(sb.p, "abc");
	ck_assert_ptr_eq(sb.p, p);
	strbuf_fini(&sb);
}
END_TEST

/* Against a plain array as the model. */
START_TEST(hash_model)
{
	static int values[512];
	void *model[512] = { 0 };
	unsigned long seed = 1;
	struct hash h;
	size_t used = 0;

	ck_assert_int_eq(hash_init(&h, 400), 0);
	for (int i = 0; i < 200000; i++) {
		unsigned long r = unit_random(&seed);
		unsigned k = r >> 8 & 511;
		uint64_t key = k % 50 >= 23 ? ~(uint64_t)k : k | (uint64_t)k << 40;

		if (r & 1) {
			int err = hash_put(&h, key, &values[r >> 20 & 511]);

			ck_assert_int_eq(err, !model[k] && used == 400 ? -ENOSPC : 0);
			if (err == 0) {
				used += !model[k];
				model[k] = &values[r >> 20 & 511];
			}
		} else {
			ck_assert_ptr_eq(hash_del(&h, key), model[k]);
			used -= model[k] != NULL;
			model[k] = NULL;
		}
		ck_assert_ptr_eq(hash_lookup(&h, key), model[k]);
		ck_assert_uint_eq(h.used, used);
	}
	ck_assert_uint_le(h.cap, 2048);
	hash_fini(&h);
	ck_assert_ptr_null(hash_lookup(&h, 1));
	hash_fini(NULL);
}
END_TEST

START_TEST(hash_iterate_and_delete)
{
	struct hash h;
	uint64_t key, sum = 0;
	size_t pos = 0;
	int n = 0;

	ck_assert_int_eq(hash_init(&h, 1000), 0);
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert_int_eq(hash_put(&h, i, &h), 0);
	while (hash_next(&h, &pos, &key)) {
		sum += key;
		n++;
		hash_del(&h, key);
	}
	ck_assert_int_eq(n, 1000);
	ck_assert_uint_eq(sum, 999 * 1000 / 2);
	ck_assert_uint_eq(h.used, 0);
	hash_fini(&h);
}
END_TEST

START_TEST(hash_of_bytes)
{
	ck_assert_uint_eq(hash_bytes("abcdefghij", 10, 1), hash_bytes("abcdefghij", 10, 1));
	ck_assert_uint_ne(hash_bytes("abcdefghij", 10, 1), hash_bytes("abcdefghij", 10, 2));
	ck_assert_uint_ne(hash_bytes("abcdefghij", 10, 1), hash_bytes("abcdefghik", 10, 1));
	ck_assert_uint_ne(hash_bytes("a\0", 2, 0), hash_bytes("a", 1, 0));
}
END_TEST

START_TEST(parse_numbers)
{
	uint64_t v = 7;

	ck_assert_int_eq(parse_u64("1024", 1, 1024, &v), 0);
	ck_assert_uint_eq(v, 1024);
	ck_assert_int_eq(parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(parse_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	ck_assert_int_eq(parse_u64("1025", 1, 1024, &v), -ERANGE);
	ck_assert_int_eq(parse_u64("0", 1, 1024, &v), -ERANGE);
	for (const char *const *bad =
		 (const char *const[]){"", " 1", "1 ", "-1", "+1", "0x10", "1k", "abc", NULL};
	     *bad; bad++)
		ck_assert_msg(parse_u64(*bad, 0, UINT64_MAX, &v) == -EINVAL, "%s", *bad);
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(parse_size("64k", 0, UINT64_MAX, &v), 0);
	ck_assert_uint_eq(v, 65536);
	ck_assert_int_eq(parse_size("4M", 0, UINT64_MAX, &v), 0);
	ck_assert_uint_eq(v, 4 << 20);
	ck_assert_int_eq(parse_size("1G", 0, 1 << 20, &v), -ERANGE);
	ck_assert_int_eq(parse_size("99999999999999T", 0, UINT64_MAX, &v), -ERANGE);
	ck_assert_int_eq(parse_size("4MB", 0, UINT64_MAX, &v), -EINVAL);
	ck_assert_int_eq(parse_size("k", 0, UINT64_MAX, &v), -EINVAL);
}
END_TEST

START_TEST(parse_durations)
{
	static const struct { const char *s; uint64_t ns; } good[] = {
		{ "250us", 250000 }, { "10ms", 10000000 }, { "1.5s", 1500000000 }, { "2m", 120000000000 },
		{ "1h", 3600000000000 }, { "7", 7000000 }, { "0.5", 500000 }, { "1.0000000019s", 1000000001 },
		{ "3ns", 3 }, { "0", 0 },
	};
	uint64_t ns;
	int b;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(parse_duration(good[i].s, 1000000, &ns) == 0, "%s", good[i].s);
		ck_assert_uint_eq(ns, good[i].ns);
	}
	for (const char *const *bad =
		 (const char *const[]){"", "s", ".5s", "1.s", "1 s", "-1s", "1d", "1e3", NULL};
	     *bad; bad++)
		ck_assert_msg(parse_duration(*bad, 1, &ns) == -EINVAL, "%s", *bad);
	ck_assert_int_eq(parse_duration("99999999999999999h", 1, &ns), -ERANGE);
	ck_assert_int_eq(parse_bool("Yes", &b), 0);
	ck_assert_int_eq(b, 1);
	ck_assert_int_eq(parse_bool("off", &b), 0);
	ck_assert_int_eq(b, 0);
	ck_assert_int_eq(parse_bool("maybe", &b), -EINVAL);
}
END_TEST

/* RFC 3629 by the book: encode every number, and what must not be. */
static size_t put_utf8(uint32_t c, unsigned char *out)
{
	if (c < 0x80)
		return out[0] = (unsigned char)c, 1;
	if (c < 0x800)
		return out[0] = (unsigned char)(0xc0 | c >> 6), out[1] = 0x80 | (c & 63), 2;
	if (c < 0x10000)
		return out[0] = (unsigned char)(0xe0 | c >> 12), out[1] = 0x80 | (c >> 6 & 63),
		       out[2] = 0x80 | (c & 63), 3;
	return out[0] = (unsigned char)(0xf0 | c >> 18), out[1] = 0x80 | (c >> 12 & 63),
	       out[2] = 0x80 | (c >> 6 & 63), out[3] = 0x80 | (c & 63), 4;
}

START_TEST(utf8_all)
{
	unsigned char b[4];

	for (uint32_t c = 0; c < 0x1fffff; c++) {
		size_t n = put_utf8(c, b);
		int good = c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);

		ck_assert_msg(utf8_valid(b, n) == good, "U+%x", c);
		if (good) {
			ck_assert_uint_eq(utf8_next(b, n), n);
			ck_assert(n == 1 || !utf8_valid(b, n - 1));
		}
	}
	ck_assert(!utf8_valid("\xc0\x80", 2));
	ck_assert(!utf8_valid("\xe0\x80\x80", 3));
	ck_assert(!utf8_valid("\xf0\x80\x80\x80", 4));
	ck_assert(!utf8_valid("abcdefgh\x80", 9));
	ck_assert(utf8_valid("abcdefghabc\xc3\xa9", 13));
	ck_assert(utf8_valid("", 0));
	/* one bad byte, one good character, at each place of each length: words, their overlap, what is
	 * shorter */
	for (size_t n = 1; n <= 40; n++) {
		for (size_t i = 0; i < n; i++) {
			char text[42];

			memset(text, 'a', sizeof(text));
			ck_assert(utf8_valid(text, n));
			text[i] = '\x80';
			ck_assert(!utf8_valid(text, n));
			memcpy(text + i, "\xc3\xa9", 2);
			ck_assert(utf8_valid(text, n) == (i + 1 < n));
		}
	}
	ck_assert_uint_eq(utf8_prefix("a\xe2\x82\xac" "b", 5, 3), 1);
	ck_assert_uint_eq(utf8_prefix("a\xe2\x82\xac" "b", 5, 4), 4);
	ck_assert_uint_eq(utf8_prefix("a\xe2\x82\xac" "b", 5, 9), 5);
	ck_assert_uint_eq(utf8_prefix("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
	ck_assert_uint_eq(utf8_prefix("\xe2\x82\xac", 3, 0), 0);
}
END_TEST

/* RFC 4648, section 10, and the last two digits. */
START_TEST(base64_vectors)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "+//+" },
	};
	char out[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].in);

		memset(out, '#', sizeof(out));
		ck_assert_ptr_eq(base64_format(out, rows[i].in, n), out + BASE64_SIZE(n));
		ck_assert_uint_eq(strlen(rows[i].out), BASE64_SIZE(n));
		ck_assert_mem_eq(out, rows[i].out, BASE64_SIZE(n));
		ck_assert_int_eq(out[BASE64_SIZE(n)], '#');
	}
}
END_TEST

START_TEST(counts)
{
	static const struct { uint64_t n; const char *want; } rows[] = {
		{ 0, "0" }, { 999, "999" }, { 1000, "1,000" }, { 123456, "123,456" }, { 1204331, "1,204,331" },
		{ UINT64_MAX, "18,446,744,073,709,551,615" },
	};
	char buf[32];

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_str_eq(format_count(rows[i].n, buf), rows[i].want);
}
END_TEST

START_TEST(json_text)
{
	struct json_writer w;
	struct strbuf sb;

	strbuf_init(&sb, 4096);
	json_init(&w, &sb);
	json_open_object(&w, NULL);
	json_add_str(&w, "s", "q\"\\\n\x01\xff\xc3\xa9\x7f", 9);
	json_open_array(&w, "a");
	json_add_i64(&w, NULL, -1);
	json_add_u64(&w, NULL, UINT64_MAX);
	json_open_object(&w, NULL);
	json_close_object(&w);
	json_add_null(&w, NULL);
	json_close_array(&w);
	json_add_bool(&w, "t", true);
	json_add_double(&w, "d", 0.1);
	json_add_double(&w, "n", 0.0 / 0.0);
	json_add_u64_str(&w, "u", 5);
	json_add_i64_str(&w, "i", -5);
	json_close_object(&w);
	ck_assert_str_eq(sb.p, "{\"s\":\"q\\\"\\\\\\n\\u0001\\u00ff\xc3\xa9\\u007f\",\"a\":[-1,"
			       "18446744073709551615,{},null],\"t\":true,\"d\":0.1,\"n\":\"NaN\","
			       "\"u\":\"5\",\"i\":\"-5\"}");
	strbuf_fini(&sb);
}
END_TEST

int main(void)
{
	return unit_run("base", (const TTest *const[]){
		error_texts, error_advice, log_levels, strbuf_numbers, strbuf_limit, strbuf_grows_and_keeps, hash_model,
		hash_iterate_and_delete, hash_of_bytes, parse_numbers, parse_durations, counts, utf8_all,
		base64_vectors, json_text, NULL });
}
