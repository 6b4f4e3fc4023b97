/* SPDX-License-Identifier: Apache-2.0 */
/* The attribute record: what goes in comes out, limits are kept and counted,
 * and nothing that a receiver would refuse as bad UTF-8 gets through. */
#include "config.h"

#include <stdalign.h>
#include <string.h>

#include "base/utf8.h"
#include "span/span.h"
#include "unit.h"

static struct span *fresh(void)
{
	struct span *s = calloc(1, SPAN_SIZE);

	ck_assert_ptr_nonnull(s);
	span_reset(s);
	return s;
}

static void expect_text(const struct span *s, size_t off, size_t len, const char *want)
{
	ck_assert_uint_eq(len, strlen(want));
	ck_assert(memcmp(s->text + off, want, len) == 0);
}

START_TEST(values_come_back)
{
	struct span *s = fresh();
	const double d[] = { 1e-6, 10 };
	const int64_t n[] = { 3, -4 };

	span_set_name(s, "openat", 6);
	span_add_str(s, SPAN_KEY_FILE_PATH, "/tmp/x", 6);
	span_add_int(s, SPAN_KEY_SYSCALL_RETURN_VALUE, -2);
	span_add_bool(s, SPAN_KEY_AGG_IS_SUMMARY, true);
	span_add_double(s, SPAN_KEY_SYSCALL_SITE, 0.5);
	span_add_doubles(s, SPAN_KEY_AGG_BOUNDS, d, 2);
	span_add_ints(s, SPAN_KEY_AGG_COUNTS, n, 2);
	span_set_status(s, SPAN_ERROR, "No such file", 12);
	span_add_name(s, SPAN_KEY_SYSCALL_NAME);
	expect_text(s, s->name_off, s->name_len, "openat");
	expect_text(s, span_lookup(s, SPAN_KEY_SYSCALL_NAME)->v.off,
		    span_lookup(s, SPAN_KEY_SYSCALL_NAME)->len, "openat");
	expect_text(s, s->message_off, s->message_len, "No such file");
	const struct span_attr *a = span_lookup(s, SPAN_KEY_FILE_PATH);
	ck_assert_int_eq(a->type, SPAN_STR);
	expect_text(s, a->v.off, a->len, "/tmp/x");
	ck_assert_int_eq(span_lookup(s, SPAN_KEY_SYSCALL_RETURN_VALUE)->v.i, -2);
	ck_assert_int_eq(span_lookup(s, SPAN_KEY_AGG_IS_SUMMARY)->v.i, 1);
	ck_assert(span_lookup(s, SPAN_KEY_SYSCALL_SITE)->v.d == 0.5);
	a = span_lookup(s, SPAN_KEY_AGG_BOUNDS);
	ck_assert_int_eq(a->type, SPAN_DOUBLE_ARRAY);
	ck_assert(a->len == sizeof(d) && memcmp(s->text + a->v.off, d, sizeof(d)) == 0);
	a = span_lookup(s, SPAN_KEY_AGG_COUNTS);
	ck_assert(a->len == sizeof(n) && memcmp(s->text + a->v.off, n, sizeof(n)) == 0);
	ck_assert_ptr_null(span_lookup(s, SPAN_KEY_THREAD_ID));
	ck_assert_int_eq(s->status, SPAN_ERROR);
	ck_assert_uint_eq(s->dropped_attrs, 0);
	span_reset(s);
	ck_assert(s->nattrs == 0 && s->used == 0 && s->status == SPAN_UNSET && s->kind == SPAN_INTERNAL);
	free(s);
}
END_TEST

START_TEST(bad_utf8_is_contained)
{
	struct span *s = fresh();

	span_add_str(s, SPAN_KEY_FILE_PATH, "caf\xe9", 4);
	ck_assert_int_eq(span_lookup(s, SPAN_KEY_FILE_PATH)->type, SPAN_BYTES);
	ck_assert_uint_eq(span_lookup(s, SPAN_KEY_FILE_PATH)->len, 4);
	span_add_str(s, SPAN_KEY_THREAD_NAME, "caf\xc3\xa9", 5);
	ck_assert_int_eq(span_lookup(s, SPAN_KEY_THREAD_NAME)->type, SPAN_STR);
	span_set_name(s, "a\xff\xc3\xa9\xc3", 5);
	expect_text(s, s->name_off, s->name_len, "a\\xff\xc3\xa9\\xc3");
	span_set_status(s, SPAN_ERROR, "\xed\xa0\x80", 3);	/* a surrogate */
	expect_text(s, s->message_off, s->message_len, "\\xed\\xa0\\x80");
	free(s);
}
END_TEST

START_TEST(cut_at_a_code_point)
{
	struct span *s = fresh();
	char big[SPAN_STR_MAX + 10];

	memset(big, 'a', sizeof(big));
	memcpy(big + SPAN_STR_MAX - 1, "\xe2\x82\xac", 3);	/* lies across the limit */
	span_add_str(s, SPAN_KEY_FILE_PATH, big, sizeof(big));
	const struct span_attr *a = span_lookup(s, SPAN_KEY_FILE_PATH);
	ck_assert_int_eq(a->type, SPAN_STR);
	ck_assert_uint_eq(a->len, SPAN_STR_MAX - 1);
	ck_assert_uint_eq(s->dropped_attrs, 0);
	big[0] = (char)0xff;
	span_reset(s);
	span_add_str(s, SPAN_KEY_FILE_PATH, big, sizeof(big));
	a = span_lookup(s, SPAN_KEY_FILE_PATH);
	ck_assert_int_eq(a->type, SPAN_BYTES);
	ck_assert_uint_eq(a->len, SPAN_STR_MAX);
	span_reset(s);
	span_set_name(s, big, sizeof(big));
	ck_assert_uint_le(s->name_len, SPAN_NAME_MAX);
	ck_assert(utf8_valid(s->text + s->name_off, s->name_len));
	free(s);
}
END_TEST

START_TEST(limits_are_counted)
{
	struct span *s = fresh();
	char big[SPAN_STR_MAX];

	for (unsigned i = 0; i < SPAN_ATTRS_MAX + 3; i++)
		span_add_int(s, SPAN_KEY_THREAD_ID, i);
	ck_assert_uint_eq(s->nattrs, SPAN_ATTRS_MAX);
	ck_assert_uint_eq(s->dropped_attrs, 3);
	span_open_array(s, SPAN_KEY_SYSCALL_ARGUMENTS);
	span_add_element(s, "x", 1);
	span_close_array(s);
	ck_assert_uint_eq(s->dropped_attrs, 4);
	ck_assert_uint_eq(s->used, 0);

	span_reset(s);
	memset(big, 'b', sizeof(big));
	span_add_str(s, SPAN_KEY_FILE_PATH, big, sizeof(big));
	span_add_str(s, SPAN_KEY_CODE_FILE_PATH, big, sizeof(big));	/* cut to what is left */
	ck_assert_uint_eq(s->dropped_attrs, 0);
	ck_assert_uint_eq(s->used, SPAN_TEXT_MAX);
	span_add_str(s, SPAN_KEY_THREAD_NAME, "t", 1);
	ck_assert_uint_eq(s->dropped_attrs, 1);
	span_add_str(s, SPAN_KEY_THREAD_NAME, "", 0);	/* nothing to store: fits */
	ck_assert_uint_eq(s->dropped_attrs, 1);
	span_add_doubles(s, SPAN_KEY_AGG_BOUNDS, (const double[]){ 1 }, 1);
	ck_assert_uint_eq(s->dropped_attrs, 2);
	ck_assert_uint_eq(s->nattrs, 3);
	free(s);
}
END_TEST

/* Elements of a string array, checked for shape; returns how many. */
static unsigned walk(const struct span *s, const struct span_attr *a, char last[64])
{
	unsigned n = 0;
	uint32_t pos = 0, head;

	while (pos < a->len) {
		ck_assert_uint_le(pos + 4, a->len);
		memcpy(&head, s->text + a->v.off + pos, 4);
		pos += 4;
		uint32_t len = head & 0x7fffffffu;
		ck_assert_uint_le(pos + len, a->len);
		ck_assert(utf8_valid(s->text + a->v.off + pos, len) == !(head >> 31));
		if (len < 64) {
			memcpy(last, s->text + a->v.off + pos, len);
			last[len] = '\0';
		}
		pos += len;
		n++;
	}
	return n;
}

START_TEST(arrays)
{
	struct span *s = fresh();
	char last[64] = "", el[100];

	span_open_array(s, SPAN_KEY_SYSCALL_ARGUMENTS);
	span_add_element(s, "AT_FDCWD", 8);
	span_add_element(s, "\"\xff\"", 3);
	span_add_element(s, "", 0);
	span_close_array(s);
	const struct span_attr *a = span_lookup(s, SPAN_KEY_SYSCALL_ARGUMENTS);
	ck_assert_int_eq(a->type, SPAN_STR_ARRAY);
	ck_assert_uint_eq(walk(s, a, last), 3);
	span_add_element(s, "late", 4);		/* no array is open */
	ck_assert_uint_eq(walk(s, a, last), 3);

	span_reset(s);
	memset(el, 'e', sizeof(el));
	span_open_array(s, SPAN_KEY_SYSCALL_ARGUMENTS);
	for (int i = 0; i < 100; i++)
		span_add_element(s, el, sizeof(el));
	span_close_array(s);
	a = span_lookup(s, SPAN_KEY_SYSCALL_ARGUMENTS);
	ck_assert_uint_gt(walk(s, a, last), 10);
	ck_assert_str_eq(last, "...");
	ck_assert_uint_le(s->used, SPAN_TEXT_MAX);
	free(s);
}
END_TEST

START_TEST(random_text_never_breaks_a_span)
{
	unsigned long seed = 42;
	struct span *s = fresh();

	for (int round = 0; round < 3000; round++) {
		char buf[1500], last[64];

		span_reset(s);
		for (int k = 0; k < 6; k++) {
			size_t n = unit_random(&seed) % (unit_random(&seed) % 4 ? 40 : sizeof(buf));

			for (size_t i = 0; i < n; i++)
				buf[i] = (char)(unit_random(&seed) % 8 ? 'a' : unit_random(&seed));
			switch (unit_random(&seed) % 4) {
			case 0:
				span_set_name(s, buf, n);
				ck_assert(utf8_valid(s->text + s->name_off, s->name_len));
				break;
			case 1:
				span_set_status(s, SPAN_ERROR, buf, n);
				ck_assert(utf8_valid(s->text + s->message_off, s->message_len));
				break;
			case 2:
				span_add_str(s, SPAN_KEY_FILE_PATH, buf, n);
				break;
			default:
				span_open_array(s, SPAN_KEY_SYSCALL_ARGUMENTS);
				span_add_element(s, buf, n);
				span_add_element(s, buf, n / 2);
				span_close_array(s);
			}
		}
		ck_assert_uint_le(s->used, SPAN_TEXT_MAX);
		for (unsigned i = 0; i < s->nattrs; i++) {
			const struct span_attr *a = &s->attrs[i];

			ck_assert_uint_le(a->v.off + a->len, s->used);
			if (a->type == SPAN_STR_ARRAY)
				walk(s, a, last);
			else
				ck_assert(utf8_valid(s->text + a->v.off, a->len) == (a->type == SPAN_STR));
		}
	}
	free(s);
}
END_TEST

START_TEST(keys_are_distinct)
{
	for (int i = 1; i < SPAN_KEYS; i++) {
		ck_assert_uint_gt(strlen(span_key_names[i]), 2);
		for (int j = i + 1; j < SPAN_KEYS; j++)
			ck_assert_str_ne(span_key_names[i], span_key_names[j]);
	}
}
END_TEST

START_TEST(estimate_grows_with_content)
{
	struct span *s = fresh();
	uint32_t empty = span_estimate(s), n;

	span_add_str(s, SPAN_KEY_FILE_PATH, "/etc/passwd", 11);
	n = span_estimate(s);
	ck_assert_uint_ge(n, empty + strlen("file.path") + 11);
	ck_assert_uint_le(n, empty + strlen("file.path") + 11 + 16);
	span_add_int(s, SPAN_KEY_SYSCALL_FD, 3);
	ck_assert_uint_gt(span_estimate(s), n + strlen("syscall.fd"));
	free(s);
}
END_TEST

/* What limits take away is not counted any more: as if it had not been added. */
START_TEST(estimate_follows_limits)
{
	struct span *cut = fresh(), *little = fresh();

	span_add_str(cut, SPAN_KEY_FILE_PATH, "abcdefgh", 8);
	span_open_array(cut, SPAN_KEY_SYSCALL_ARGUMENTS);
	span_add_element(cut, "abcdefgh", 8);
	span_close_array(cut);
	span_add_int(cut, SPAN_KEY_SYSCALL_FD, 3);
	span_add_str(little, SPAN_KEY_FILE_PATH, "abc", 3);
	span_open_array(little, SPAN_KEY_SYSCALL_ARGUMENTS);
	span_add_element(little, "abc", 3);
	span_close_array(little);
	ck_assert_uint_gt(span_estimate(cut), span_estimate(little));
	span_set_limits(cut, &(struct span_limits){ 3, 2, 8 });
	ck_assert_uint_eq(span_estimate(cut), span_estimate(little));
	free(cut);
	free(little);
}
END_TEST

/* One span with a text of 7 code points (9 bytes), bytes, an array of both, a number and a link. */
static struct span *limited(uint32_t value_len, uint32_t attrs, uint32_t links)
{
	struct span *s = fresh();

	span_add_str(s, SPAN_KEY_FILE_PATH, "a\xc3\xa4" "b\xe2\x82\xac" "cde", 9);
	span_add_str(s, SPAN_KEY_THREAD_NAME, "\xff\xfe" "abcde", 7);
	span_open_array(s, SPAN_KEY_SYSCALL_ARGUMENTS);
	span_add_element(s, "\xc3\xa4\xc3\xb6\xc3\xbc!", 7);
	span_add_element(s, "\xff\xff\xff\xff", 4);
	span_add_element(s, "", 0);
	span_add_element(s, "xyz", 3);
	span_close_array(s);
	span_add_int(s, SPAN_KEY_SYSCALL_FD, 1234567);
	s->has_link = 1;
	span_set_limits(s, &(struct span_limits){ value_len, attrs, links });
	return s;
}

static void expect_array(const struct span *s, const char *want, size_t n)
{
	const struct span_attr *a = span_lookup(s, SPAN_KEY_SYSCALL_ARGUMENTS);

	ck_assert_uint_eq(a->len, n);
	ck_assert(memcmp(s->text + a->v.off, want, n) == 0);
}

START_TEST(limits_cut_values_at_characters)
{
	struct span *s = limited(3, 128, 1);

	expect_text(s, s->attrs[0].v.off, s->attrs[0].len, "a\xc3\xa4" "b");
	expect_text(s, s->attrs[1].v.off, s->attrs[1].len, "\xff\xfe" "a");	/* bytes, not characters */
	expect_array(s, "\6\0\0\0\xc3\xa4\xc3\xb6\xc3\xbc" "\3\0\0\x80\xff\xff\xff" "\0\0\0\0" "\3\0\0\0xyz", 4 * 4 + 12);
	ck_assert_int_eq(s->attrs[3].v.i, 1234567);
	ck_assert_uint_eq(s->nattrs, 4);
	ck_assert_uint_eq(s->dropped_attrs, 0);
	ck_assert(s->has_link && !s->dropped_links);
	free(s);
	s = limited(0, 128, 1);
	ck_assert_uint_eq(s->attrs[0].len, 0);
	expect_array(s, "\0\0\0\0" "\0\0\0\x80" "\0\0\0\0" "\0\0\0\0", 16);
	free(s);
	s = limited(UINT32_MAX, 128, 128);		/* no limit, nothing changes */
	ck_assert_uint_eq(s->attrs[0].len, 9);
	ck_assert_uint_eq(s->attrs[1].len, 7);
	ck_assert_uint_eq(span_lookup(s, SPAN_KEY_SYSCALL_ARGUMENTS)->len, 4 * 4 + 14);
	free(s);
}
END_TEST

START_TEST(limits_count_what_is_dropped)
{
	struct span *s = limited(100, 3, 0);

	ck_assert_uint_eq(s->nattrs, 3);
	ck_assert_uint_eq(s->dropped_attrs, 1);
	ck_assert(!s->has_link);
	ck_assert_uint_eq(s->dropped_links, 1);
	free(s);
	s = limited(100, 0, 1);
	ck_assert_uint_eq(s->nattrs, 0);
	ck_assert_uint_eq(s->dropped_attrs, 4);
	free(s);
}
END_TEST

int main(void)
{
	return unit_run("span", (const TTest *const[]){
				    values_come_back, bad_utf8_is_contained, cut_at_a_code_point,
				    limits_are_counted, arrays, random_text_never_breaks_a_span,
				    keys_are_distinct, estimate_grows_with_content, estimate_follows_limits,
				    limits_cut_values_at_characters, limits_count_what_is_dropped, NULL});
}
