/* SPDX-License-Identifier: Apache-2.0 */
/* Quoting and modes against a form that takes one character at a time. */
#include "config.h"
#include <stdio.h>
#include "decode/args.h"
#include "decode/quote.h"
#include "unit.h"

#define LENGTH_MAX 26u

/* c, followed by a letter, in quotes or bare: what it is shown as. */
static size_t one_format(char *out, size_t room, uint8_t c, bool bare)
{
	const uint8_t two[] = { c, 'a' };
	struct strbuf sb;

	strbuf_init_fixed(&sb, out, room);
	if (bare)
		quote_format_bare(&sb, two, 2);
	else
		quote_format(&sb, two, 2, 0, false);
	ck_assert(!sb.truncated);
	if (!bare) {
		memmove(out, out + 1, sb.len - 2);
		sb.len -= 2;
	}
	ck_assert_int_eq(out[sb.len - 1], 'a');
	return sb.len - 1;
}

static void run_places(uint8_t c, bool bare)
{
	uint8_t bytes[LENGTH_MAX];
	char shown[16], want[64], mem[128];
	size_t len = one_format(shown, sizeof(shown), c, bare);
	struct strbuf sb;

	for (size_t n = 2; n <= LENGTH_MAX; n++) {
		for (size_t i = 0; i + 1 < n; i++) {
			memset(bytes, 'a', n);
			bytes[i] = c;
			snprintf(want, sizeof(want), "%.*s%.*s%.*s", (int)i, "aaaaaaaaaaaaaaaaaaaaaaaaaa",
				 (int)len, shown, (int)(n - i - 1), "aaaaaaaaaaaaaaaaaaaaaaaaaa");
			strbuf_init_fixed(&sb, mem, sizeof(mem));
			if (bare)
				quote_format_bare(&sb, bytes, n);
			else
				quote_format(&sb, bytes, n, 0, false);
			ck_assert_uint_eq(sb.len, strlen(want) + (bare ? 0 : 2));
			ck_assert_msg(!memcmp(mem + !bare, want, strlen(want)), "%s for %s", mem, want);
		}
	}
}

/* Words of eight bytes, their overlap, what is shorter: each byte at each place of each length. */
START_TEST(each_byte_at_each_place)
{
	char shown[16];

	ck_assert_uint_eq(one_format(shown, sizeof(shown), '"', false), 2);
	ck_assert_uint_eq(one_format(shown, sizeof(shown), '"', true), 1);
	ck_assert_uint_eq(one_format(shown, sizeof(shown), '<', true), 3);
	ck_assert_uint_eq(one_format(shown, sizeof(shown), '<', false), 1);
	ck_assert_uint_eq(one_format(shown, sizeof(shown), 0xff, false), 4);
	for (unsigned c = 0; c < 256; c++) {
		run_places((uint8_t)c, false);
		run_places((uint8_t)c, true);
	}
}
END_TEST

START_TEST(modes_as_printf_has_them)
{
	char mem[64], want[64];
	struct strbuf sb;

	for (uint32_t mode = 0; mode <= 0177777; mode++) {
		strbuf_init_fixed(&sb, mem, sizeof(mem));
		mode_format(&sb, mode, false);
		snprintf(want, sizeof(want), mode ? "%#03o" : "000", mode);
		ck_assert_str_eq(mem, want);
	}
	strbuf_init_fixed(&sb, mem, sizeof(mem));
	mode_format(&sb, 0107644, true);
	ck_assert_str_eq(mem, "S_IFREG|S_ISUID|S_ISGID|S_ISVTX|0644");
	strbuf_init_fixed(&sb, mem, sizeof(mem));
	mode_format(&sb, 0140000, true);
	ck_assert_str_eq(mem, "S_IFSOCK|000");
	strbuf_init_fixed(&sb, mem, sizeof(mem));
	mode_format(&sb, 0030005, true);	/* no such type */
	ck_assert_str_eq(mem, "030005");
}
END_TEST

START_TEST(numbers_as_printf_has_them)
{
	static const uint64_t values[] = { 0, 1, 7, 8, 9, 10, 15, 16, 99, 100, 12345, UINT32_MAX, INT64_MAX, UINT64_MAX };
	char mem[128], want[128];
	struct strbuf sb;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		unsigned long long v = values[i];

		strbuf_init_fixed(&sb, mem, sizeof(mem));
		strbuf_add_u64(&sb, v);
		strbuf_add_char(&sb, ' ');
		strbuf_add_i64(&sb, (int64_t)v);
		strbuf_add_char(&sb, ' ');
		strbuf_add_hex(&sb, v);
		strbuf_add_char(&sb, ' ');
		strbuf_add_oct(&sb, v);
		snprintf(want, sizeof(want), "%llu %lld %#llx %#llo", v, (long long)v, v, v);
		ck_assert_str_eq(mem, want);
	}
	/* a character where there is no room is cut, and said to be */
	strbuf_init_fixed(&sb, mem, 3);
	strbuf_add_char(&sb, 'a');
	strbuf_add_char(&sb, 'b');
	ck_assert(!sb.truncated);
	strbuf_add_char(&sb, 'c');
	ck_assert(sb.truncated);
	ck_assert_str_eq(mem, "ab");
}
END_TEST

int main(void)
{
	return unit_run("quote", (const TTest *const[]){ each_byte_at_each_place, modes_as_printf_has_them,
							 numbers_as_printf_has_them, NULL });
}
