/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints structures from their layouts (layouts.c).  Pure; every field is
 * checked against the bytes that were captured.
 */
#include "config.h"
#include "decode/fields.h"

#include "decode/arg_data.h"
#include "decode/args.h"
#include "decode/quote.h"

struct place { const struct field *f; const uint8_t *p; unsigned size; const struct field_context *fc; };

static uint64_t load_uint(const uint8_t *p, unsigned size)
{
	switch (size) {
	case 1:
		return p[0];
	case 2:
		return load_u16(p);
	case 4:
		return load_u32(p);
	case 8:
		return load_u64(p);
	default:
		return 0;
	}
}

static int64_t load_int(const uint8_t *p, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	if (size == 0 || size > 8)
		return 0;
	return (int64_t)(load_uint(p, size) << shift) >> shift;
}

static void format_rlim(struct strbuf *out, uint64_t v, unsigned size)
{
	if (v == UINT64_MAX)
		strbuf_add_str(out, "RLIM64_INFINITY");
	else if (size == 4 && v == UINT32_MAX)
		strbuf_add_str(out, "RLIM_INFINITY");
	else if (v > 1024 && v % 1024 == 0)
		strbuf_add_fmt(out, "%llu*1024", (unsigned long long)(v / 1024));
	else
		strbuf_add_u64(out, v);
}

static void format_array(struct strbuf *out, const struct place *at, bool hex)
{
	unsigned elem = at->f->flags & 15u ? at->f->flags & 15u : at->fc->word;

	strbuf_add_char(out, '[');
	for (unsigned i = 0; (i + 1) * elem <= at->size; i++) {
		uint64_t v = load_uint(at->p + i * elem, elem);

		strbuf_add_str(out, i ? ", " : "");
		if (hex)
			strbuf_add_hex(out, v);
		else
			strbuf_add_u64(out, v);
	}
	strbuf_add_char(out, ']');
}

static void format_text(struct strbuf *out, const struct place *at)
{
	const uint8_t *nul = memchr(at->p, '\0', at->size);

	quote_format(out, at->p, nul ? (size_t)(nul - at->p) : at->size, at->fc->o->strings_hex, false);
}

static void format_set(struct strbuf *out, const struct place *at, uint64_t v)
{
	if (at->fc->o->raw)
		strbuf_add_hex(out, v);
	else
		xlat_format(out, at->f->arg, v);
}

static void format_value(struct strbuf *out, const struct place *at)
{
	uint64_t v = load_uint(at->p, at->size);

	switch (at->f->type) {
	case FT_INT:
		strbuf_add_i64(out, load_int(at->p, at->size));
		break;
	case FT_HEX:
		strbuf_add_hex(out, v);
		break;
	case FT_OCT:
		strbuf_add_oct(out, v);
		break;
	case FT_FLAGS:
	case FT_ENUM:
		format_set(out, at, v);
		break;
	case FT_STR:
		format_text(out, at);
		break;
	case FT_PTR:
		address_format(out, v);
		break;
	case FT_LAYOUT:
		layout_format(out, at->f->arg, at->p, at->size, at->fc);
		break;
	case FT_FD:
		fd_format(out, at->fc->task, load_int(at->p, at->size), at->fc->o);
		break;
	case FT_SIGNAL:
		signal_format_name(out, (int)load_int(at->p, at->size));
		break;
	case FT_RLIM:
		format_rlim(out, v, at->size);
		break;
	case FT_DEV:
		dev_format(out, v);
		break;
	case FT_UINTS:
	case FT_HEXES:
		format_array(out, at, at->f->type == FT_HEXES);
		break;
	case FT_MODE:
		mode_format(out, (uint32_t)v, true);
		break;
	default:
		strbuf_add_u64(out, v);
	}
}

static bool skipped(const struct place *at)
{
	if (at->f->flags & FIELD_VERBOSE && !at->fc->o->verbose)
		return true;
	return at->f->flags & FIELD_NOT_ZERO && !load_uint(at->p, at->size) && !at->fc->o->verbose;
}

void layout_format(struct strbuf *out, const struct layout *l, const uint8_t *p, size_t n,
		   const struct field_context *fc)
{
	const char *separator = "";
	bool more = false;

	strbuf_add_char(out, '{');
	for (unsigned i = 0; i < l->count; i++) {
		const struct field *f = &l->fields[i];
		unsigned off = fc->word == 4 ? f->off32 : f->off64,
			 size = fc->word == 4 ? f->size32 : f->size64;
		const struct place at = { f, p + off, size, fc };

		if (size == 0)
			continue;
		if ((size_t)off + size > n) {
			more = true;
			break;
		}
		if (f->flags && skipped(&at)) {
			more |= !!(f->flags & FIELD_VERBOSE);
			continue;
		}
		strbuf_add_str(out, separator);
		strbuf_add_str(out, f->name);
		strbuf_add_char(out, '=');
		format_value(out, &at);
		separator = ", ";
	}
	if (more) {
		strbuf_add_str(out, separator);
		strbuf_add_str(out, "...");
	}
	strbuf_add_char(out, '}');
}
