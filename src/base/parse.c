/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as users write them.  Pure; any thread.  No locale, no signs, no
 * white space, no octal: what is not exactly a number is -EINVAL.
 */
#include "config.h"
#include "base/parse.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at *s; moves *s behind them. */
static int parse_digits(const char **s, uint64_t *out)
{
	uint64_t v = 0;
	bool over = false;

	if (!is_digit(**s))
		return -EINVAL;
	for (; is_digit(**s); (*s)++) {
		unsigned d = (unsigned)(**s - '0');

		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v))
			over = true;
	}
	*out = v;
	return over ? -ERANGE : 0;
}

static int in_range(uint64_t v, uint64_t min, uint64_t max, uint64_t *out)
{
	if (v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v;
	int err = parse_digits(&s, &v);

	if (*s || err == -EINVAL)
		return -EINVAL;
	return err < 0 ? err : in_range(v, min, max, out);
}

static int size_shift(const char *s)
{
	static const char units[] = "kmgt";
	const char *u;

	if (!*s)
		return 0;
	u = strchr(units, *s | 0x20);
	if (!u || s[1])
		return -EINVAL;
	return 10 * (int)(u - units + 1);
}

int parse_size(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v;
	int err = parse_digits(&s, &v);
	int shift;

	if (err == -EINVAL)
		return err;
	shift = size_shift(s);
	if (shift < 0)
		return shift;
	if (err < 0 || v > UINT64_MAX >> shift)
		return -ERANGE;
	return in_range(v << shift, min, max, out);
}

static int duration_unit(const char *s, uint64_t unit_ns, uint64_t *ns)
{
	static const struct { const char *name; uint64_t ns; } units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
		{ "m", 60000000000 }, { "min", 60000000000 }, { "h", 3600000000000 },
	};

	*ns = unit_ns;
	if (!*s)
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(s, units[i].name) == 0) {
			*ns = units[i].ns;
			return 0;
		}
	}
	return -EINVAL;
}

/* ".5" of a unit; digits behind the 18th are worth less than a nanosecond. */
static uint64_t fraction_ns(const char *digits, size_t n, uint64_t unit)
{
	uint64_t num = 0;
	uint64_t den = 1;

	for (size_t i = 0; i < n && i < 18; i++) {
		num = num * 10 + (uint64_t)(digits[i] - '0');
		den *= 10;
	}
	return (uint64_t)((unsigned __int128)unit * num / den);
}

int parse_duration(const char *s, uint64_t unit_ns, uint64_t *out_ns)
{
	const char *frac = NULL;
	size_t nfrac = 0;
	uint64_t whole, unit, ns;
	int err = parse_digits(&s, &whole);

	if (err == -EINVAL)
		return err;
	if (*s == '.') {
		frac = ++s;
		nfrac = strspn(s, "0123456789");
		if (!nfrac)
			return -EINVAL;
		s += nfrac;
	}
	if (duration_unit(s, unit_ns, &unit) < 0)
		return -EINVAL;
	if (err < 0 || __builtin_mul_overflow(whole, unit, &ns) ||
	    __builtin_add_overflow(ns, fraction_ns(frac, nfrac, unit), &ns))
		return -ERANGE;
	*out_ns = ns;
	return 0;
}

/* Digits behind the point add to *v; the power of ten that is missing is returned. */
static int parse_fraction(const char **s, double *v)
{
	int scale = 0;

	for (; is_digit(**s); (*s)++, scale--)
		*v = *v * 10 + (**s - '0');
	return scale;
}

/* "e-3"; nothing there is 0. */
static int parse_exponent(const char **s, int *out)
{
	bool minus;
	uint64_t v;

	if (**s != 'e' && **s != 'E')
		return 0;
	(*s)++;
	minus = **s == '-';
	if (**s == '-' || **s == '+')
		(*s)++;
	if (parse_digits(s, &v) < 0 || v > 300)
		return -EINVAL;
	*out += minus ? -(int)v : (int)v;
	return 0;
}

int parse_ratio(const char *s, uint64_t *out)
{
	double v = 0, scale = 1;
	int exponent = 0;

	if (!is_digit(*s))
		return -EINVAL;
	parse_fraction(&s, &v);
	if (*s == '.') {
		s++;
		exponent = parse_fraction(&s, &v);
	}
	if (parse_exponent(&s, &exponent) < 0 || *s)
		return -EINVAL;
	for (int i = exponent; i < 0; i++)
		scale *= 10;
	for (int i = 0; i < exponent; i++)
		v *= 10;
	v /= scale;
	if (!(v <= 1))
		return -ERANGE;
	*out = (uint64_t)(v * 9223372036854775808.0);
	return 0;
}

int parse_bool(const char *s, int *out)
{
	static const char *const words[][4] = { { "false", "no", "off", "0" }, { "true", "yes", "on", "1" } };

	for (int v = 0; v < 2; v++) {
		for (size_t i = 0; i < 4; i++) {
			if (strcasecmp(s, words[v][i]) == 0) {
				*out = v;
				return 0;
			}
		}
	}
	return -EINVAL;
}

const char *format_count(uint64_t n, char buf[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), o = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[o++] = ',';
		buf[o++] = digits[i];
	}
	buf[o] = '\0';
	return buf;
}
