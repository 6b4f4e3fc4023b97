/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments that are text or bytes: paths, strings, buffers, argv, directory
 * entries.  Pure.  Paths are shown whole; user data obeys -s, -x and privacy.
 */
#include "config.h"
#include "decode/args.h"
#include "decode/path.h"
#include "decode/quote.h"

/* Shows a captured NUL-terminated string, at most max bytes; false: nothing was captured. */
static bool format_captured(const struct arg *a, size_t max)
{
	const struct tracer_capture *cap = call_capture(a->ev, a->i, 0, TRACER_CAP_IN);
	size_t n;

	if (!cap || (cap->flags & TRACER_CAP_FAULT))
		return false;
	n = capture_strlen(cap);
	quote_format(a->out, cap->bytes, n < max ? n : max, a->o->strings_hex,
		     n > max || cap->flags & TRACER_CAP_TRUNCATED);
	return true;
}

void arg_format_path(const struct arg *a)
{
	if (!format_captured(a, SIZE_MAX))
		arg_format_address(a);
}

void arg_format_string(const struct arg *a)
{
	if (a->d->args[a->i] == ARG_MOUNT_DATA && a->o->no_buffers)	/* may hold a password */
		arg_format_address(a);
	else if (!format_captured(a, a->o->string_max))
		arg_format_address(a);
}

void arg_format_data(const struct arg *a, const uint8_t *p, size_t n, uint64_t total)
{
	size_t shown = n < a->o->string_max ? n : a->o->string_max;

	if (a->o->no_buffers)
		strbuf_add_fmt(a->out, "<%llu bytes>", (unsigned long long)total);
	else
		quote_format(a->out, p, shown, a->o->strings_hex, total > shown);
}

/* A path that the kernel wrote: NUL-terminated (getcwd) or not (readlink). */
void arg_format_path_out(const struct arg *a)
{
	const struct tracer_capture *cap = call_capture(a->ev, a->i, 0, TRACER_CAP_OUT);

	if (!cap || cap->flags & TRACER_CAP_FAULT || a->c->err)
		arg_format_address(a);
	else
		quote_format(a->out, cap->bytes, capture_strlen(cap), a->o->strings_hex,
			     cap->flags & TRACER_CAP_TRUNCATED);
}

/* Bytes that there were: what the call returned, or its length argument. */
static uint64_t data_total(const struct arg *a, bool output, size_t n)
{
	int64_t len = output && a->d->ret == RET_SIZE ? a->ev->ret : arg_length(a);
	int64_t limit = arg_length(a);

	if (limit >= 0 && len > limit)	/* MSG_TRUNC: the return value may be larger than the buffer */
		len = limit;
	return len > (int64_t)n ? (uint64_t)len : n;
}

void arg_format_buf(const struct arg *a)
{
	size_t n = 0;
	const uint8_t *in = arg_in(a, 0, 0, &n), *p = in ? in : arg_out(a, 0, 0, &n);
	const struct tracer_capture *cap = call_capture(a->ev, a->i, 0, TRACER_CAP_IN | TRACER_CAP_OUT);
	uint64_t total = p ? data_total(a, !in, n) : 0;

	if (!in && !a->c->err && a->c->finished && a->v && a->ev->ret == 0 && a->d->ret == RET_SIZE)
		arg_format_data(a, (const uint8_t *)"", 0, 0);
	else if (!p || (cap->flags & TRACER_CAP_FAULT && n == 0))
		arg_format_address(a);
	else
		arg_format_data(a, p, n, total);
}

void arg_format_bytes(const struct arg *a)
{
	size_t n;
	const uint8_t *p = arg_any(a, 0, 1, &n);

	if (p)
		quote_format(a->out, p, n < a->o->string_max ? n : a->o->string_max, QUOTE_HEX_ALL,
			     n > a->o->string_max);
	else
		arg_format_address(a);
}

/* Directory entries are counted as far as they were captured; -v would need all of them. */
void arg_format_dirents(const struct arg *a)
{
	size_t n, at = 0;
	const uint8_t *p = arg_out(a, 0, 0, &n);
	unsigned entries = 0, lead = a->d->args[a->i] == ARG_DIRENTS64 ? 16 : 2 * a->word;

	arg_format_address(a);
	while (p && at + lead + 2 <= n) {
		uint16_t len = load_u16(p + at + lead);

		if (len < lead + 2)
			break;
		entries++;
		at += len;
	}
	if (!a->c->err && a->c->finished && a->ev->ret >= 0 && at >= (uint64_t)a->ev->ret)
		strbuf_add_fmt(a->out, " /* %u entries */", entries);
}

/* The address, and in a comment how many things are there; more: there were more than that. */
static void format_count(const struct arg *a, uint64_t n, const char *what, bool more)
{
	arg_format_address(a);
	strbuf_add_fmt(a->out, " /* %llu%s %s%s */", (unsigned long long)n, more ? "+" : "", what, n == 1 ? "" : "s");
}

static void format_strings(const struct arg *a, const struct tracer_capture *cap)
{
	const char *p = (const char *)cap->bytes, *end = p + cap->len, *separator = "";

	strbuf_add_char(a->out, '[');
	while (p < end) {
		const char *nul = memchr(p, '\0', (size_t)(end - p));
		size_t n = nul ? (size_t)(nul - p) : (size_t)(end - p);

		strbuf_add_str(a->out, separator);
		quote_format(a->out, p, n < a->o->string_max ? n : a->o->string_max, a->o->strings_hex,
			     n > a->o->string_max || !nul);
		p += n + 1;
		separator = ", ";
	}
	if (cap->flags & TRACER_CAP_TRUNCATED)
		strbuf_add_fmt(a->out, "%s...", separator);
	strbuf_add_char(a->out, ']');
}

void arg_format_argv(const struct arg *a)
{
	const struct tracer_capture *cap = call_capture(a->ev, a->i, 0, TRACER_CAP_IN);
	uint64_t n = 0;

	if (!cap || (cap->flags & TRACER_CAP_FAULT && !cap->len)) {
		arg_format_address(a);
		return;
	}
	if (!a->o->no_argv) {
		format_strings(a, cap);
		return;
	}
	for (uint32_t i = 0; i < cap->len; i++)
		n += cap->bytes[i] == '\0';
	format_count(a, n, "arg", cap->flags & TRACER_CAP_TRUNCATED);
}

void arg_format_envp(const struct arg *a)
{
	const struct tracer_capture *cap = call_capture(a->ev, a->i, 0, TRACER_CAP_IN);

	if (!cap || cap->len < 8 || cap->flags & TRACER_CAP_FAULT)
		arg_format_address(a);
	else
		format_count(a, load_u64(cap->bytes), "var", cap->flags & TRACER_CAP_TRUNCATED);
}
