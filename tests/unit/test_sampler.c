/* SPDX-License-Identifier: Apache-2.0 */
/* Samplers: each against each parent; the ratio's edges, order and share. */
#include "config.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/parse.h"
#include "span/sampler.h"
#include "unit.h"

#define ONE (1ull << 63)

/* parent: none, not sampled, sampled. */
static const struct { enum sampler_kind kind; uint64_t ratio; bool want[3]; } kinds[] = {
	{ SAMPLER_ALWAYS_ON, 0, { true, true, true } },
	{ SAMPLER_ALWAYS_OFF, ONE, { false, false, false } },
	{ SAMPLER_RATIO, ONE, { true, true, true } },
	{ SAMPLER_RATIO, 0, { false, false, false } },
	{ SAMPLER_PARENT_ALWAYS_ON, 0, { true, false, true } },
	{ SAMPLER_PARENT_ALWAYS_OFF, ONE, { false, false, true } },
	{ SAMPLER_PARENT_RATIO, ONE, { true, false, true } },
	{ SAMPLER_PARENT_RATIO, 0, { false, false, true } },
};

START_TEST(parents)
{
	struct sampler s = { kinds[_i].kind, kinds[_i].ratio };

	for (int parent = 0; parent < 3; parent++) {
		struct trace_context c = { .trace_id = { 1, 2, 3, [8] = 0x7f, 0xff }, .remote = parent > 0,
					   .sampled = parent != 1 };
		ck_assert_int_eq(sampler_check(&s, &c), kinds[_i].want[parent]);
		ck_assert_int_eq(sampler_follows_parent(&s, &c),
				 parent && kinds[_i].kind >= SAMPLER_PARENT_ALWAYS_ON);
	}
}
END_TEST

/* The number is the last eight bytes; the first ones do not count. */
static const struct { const char *ratio; uint8_t first, id[8]; bool want; } edges[] = {
	{ "0.5", 0xff, { 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, true },
	{ "0.5", 0x00, { 0x80, 0, 0, 0, 0, 0, 0, 0 }, false },
	{ "0.25", 0xff, { 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, true },
	{ "0.25", 0x00, { 0x40, 0, 0, 0, 0, 0, 0, 0 }, false },
	{ "1", 0xff, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, true },
	{ "1e-3", 0xff, { 0x00, 0x41, 0x89, 0x37, 0x4b, 0xc6, 0xa7, 0x00 }, true },
	{ "0.001", 0xff, { 0x00, 0x41, 0x89, 0x37, 0x4b, 0xc6, 0xa8, 0x00 }, false },
	{ "0", 0x01, { 0 }, false },
};

START_TEST(ratio_edges)
{
	struct sampler s = { .kind = SAMPLER_RATIO };
	struct trace_context c = { .trace_id = { edges[_i].first } };

	memcpy(c.trace_id + 8, edges[_i].id, 8);
	ck_assert_int_eq(parse_ratio(edges[_i].ratio, &s.ratio), 0);
	ck_assert_msg(sampler_check(&s, &c) == edges[_i].want, "row %d", _i);
}
END_TEST

/* The share is kept, and what a small ratio keeps a larger one keeps, too. */
START_TEST(ratio_share)
{
	static const char *const ratios[] = { "0.01", "0.1", "0.5", "0.9" };
	enum { RATIOS = 4, IDS = 50000 };
	struct sampler s[RATIOS];
	unsigned kept[RATIOS] = { 0 };

	for (int r = 0; r < RATIOS; r++) {
		s[r].kind = SAMPLER_RATIO;
		ck_assert_int_eq(parse_ratio(ratios[r], &s[r].ratio), 0);
	}
	for (int i = 0; i < IDS; i++) {
		struct trace_context c;
		bool before = false;

		trace_context_init(&c);
		for (int r = 0; r < RATIOS; r++) {
			bool now = sampler_check(&s[r], &c);
			ck_assert(now || !before);
			kept[r] += before = now;
		}
	}
	for (int r = 0; r < RATIOS; r++) {
		double p = (double)s[r].ratio / (double)ONE, sigma = sqrt(p * (1 - p) * IDS);
		ck_assert_msg(fabs(kept[r] - p * IDS) < 6 * sigma, "%s: %u of %d", ratios[r], kept[r], IDS);
	}
}
END_TEST

static const struct { const char *text; int result; double value; } texts[] = {
	{ "0", 0, 0 }, { "1", 0, 1 }, { "1.0", 0, 1 }, { "0.25", 0, 0.25 }, { "0.", 0, 0 }, { "2.5e-1", 0, 0.25 },
	{ "0.1", 0, 0.1 }, { "1E-2", 0, 0.01 }, { "0.0000001e6", 0, 0.1 },
	{ "", -EINVAL, 0 }, { ".5", -EINVAL, 0 }, { "-0.5", -EINVAL, 0 }, { "half", -EINVAL, 0 }, { "0,5", -EINVAL, 0 },
	{ "0.5x", -EINVAL, 0 }, { "1e", -EINVAL, 0 }, { "1e999", -EINVAL, 0 }, { "nan", -EINVAL, 0 }, { "inf", -EINVAL, 0 },
	{ "1.01", -ERANGE, 0 }, { "2", -ERANGE, 0 }, { "1e2", -ERANGE, 0 },
};

START_TEST(ratio_texts)
{
	uint64_t v = 0;

	ck_assert_msg(parse_ratio(texts[_i].text, &v) == texts[_i].result, "'%s'", texts[_i].text);
	if (!texts[_i].result)
		ck_assert_msg(fabs((double)v / (double)ONE - texts[_i].value) < 1e-12, "'%s'",
			      texts[_i].text);
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ parents, UNIT_COUNT(kinds) }, { ratio_edges, UNIT_COUNT(edges) }, { ratio_share, 0 },
		{ ratio_texts, UNIT_COUNT(texts) }, { NULL, 0 }
	};

	return unit_run_cases("sampler", NULL, NULL, cases);
}
