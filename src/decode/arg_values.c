/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all formatters of arguments share: access to captured bytes, numbers,
 * addresses, constants, descriptors.  Pure, on the consumer thread.
 */
#include "config.h"
#include "decode/args.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "decode/quote.h"

/* --- captured memory --- */

static const uint8_t *piece(const struct arg *a, unsigned index, unsigned direction, size_t need, size_t *n)
{
	const struct tracer_capture *cap = call_capture(a->ev, a->i, index, direction);

	if (!cap || cap->len < need)
		return NULL;
	if (n)
		*n = cap->len;
	return cap->bytes;
}

const uint8_t *arg_in(const struct arg *a, unsigned index, size_t need, size_t *n)
{
	return piece(a, index, TRACER_CAP_IN, need, n);
}

const uint8_t *arg_out(const struct arg *a, unsigned index, size_t need, size_t *n)
{
	return piece(a, index, TRACER_CAP_OUT, need, n);
}

const uint8_t *arg_any(const struct arg *a, unsigned index, size_t need, size_t *n)
{
	const uint8_t *p = arg_out(a, index, need, n);

	return p ? p : arg_in(a, index, need, n);
}

uint64_t arg_value(const struct arg *a, unsigned i)
{
	uint64_t v = call_arg(a->ev, i);

	return a->word == 4 ? (uint32_t)v : v;
}

const struct xlat *arg_set(const struct arg *a)
{
	return a->d->sets[a->i];
}

int64_t arg_length(const struct arg *a)
{
	unsigned at = a->d->len_args[a->i];

	return at < TRACER_ARGS_MAX ? (int64_t)arg_value(a, at) : -1;
}

/* --- addresses and constants --- */

void address_format(struct strbuf *out, uint64_t v)
{
	if (v)
		strbuf_add_hex(out, v);
	else
		strbuf_add_str(out, "NULL");
}

void arg_format_address(const struct arg *a)
{
	address_format(a->out, a->v);
}

/* "O_???" of a set whose first member is O_RDONLY. */
static void format_unknown(struct strbuf *out, const struct xlat *x, uint64_t v)
{
	const char *first = x->count ? x->entries[0].name : "", *end = strchr(first, '_');

	strbuf_add_hex(out, v);
	if (end)
		strbuf_add_fmt(out, " /* %.*s_??? */", (int)(end - first), first);
}

static const char *zero_name(const struct xlat *x)
{
	for (unsigned i = 0; i < x->count; i++)
		if (x->entries[i].value == 0)
			return x->entries[i].name;
	return NULL;
}

/* The part of v that is a number, not bits (O_ACCMODE); false: nothing was written. */
static bool format_masked(struct strbuf *out, const struct xlat *x, uint64_t v)
{
	const char *name = NULL;

	if (!x->mask)
		return false;
	for (unsigned i = 0; i < x->count && !name; i++)
		if ((x->entries[i].value & x->mask) == x->entries[i].value &&
		    x->entries[i].value == (v & x->mask))
			name = x->entries[i].name;
	if (name)
		strbuf_add_str(out, name);
	else if (v & x->mask)
		strbuf_add_hex(out, v & x->mask);
	return name || v & x->mask;
}

static void format_flags(struct strbuf *out, const struct xlat *x, uint64_t v)
{
	bool any = format_masked(out, x, v);
	uint64_t rest = v & ~x->mask;
	const char *zero;

	for (unsigned i = 0; i < x->count && rest; i++) {
		uint64_t bits = x->entries[i].value;

		if ((rest & bits) != bits || !bits || bits & x->mask)
			continue;
		if (any)
			strbuf_add_char(out, '|');
		strbuf_add_str(out, x->entries[i].name);
		rest &= ~bits;
		any = true;
	}
	if (rest && any) {
		strbuf_add_char(out, '|');
		strbuf_add_hex(out, rest);
	} else if (rest) {
		format_unknown(out, x, rest);
	} else if (!any) {
		zero = zero_name(x);
		strbuf_add_str(out, zero ? zero : "0");
	}
}

void xlat_format(struct strbuf *out, const struct xlat *x, uint64_t v)
{
	const char *name;

	if (x->flags) {
		format_flags(out, x, v);
		return;
	}
	name = xlat_lookup(x, v);
	if (name)
		strbuf_add_str(out, name);
	else
		format_unknown(out, x, v);
}

/* --- numbers with a meaning --- */

void mode_format(struct strbuf *out, uint32_t mode, bool with_type)
{
	static const char *const types[16] = {
		[S_IFREG >> 12] = "S_IFREG|", [S_IFDIR >> 12] = "S_IFDIR|", [S_IFLNK >> 12] = "S_IFLNK|",
		[S_IFCHR >> 12] = "S_IFCHR|", [S_IFBLK >> 12] = "S_IFBLK|", [S_IFIFO >> 12] = "S_IFIFO|",
		[S_IFSOCK >> 12] = "S_IFSOCK|",
	};
	static const struct { uint32_t bits; const char *name; } special[] = {
		{ S_ISUID, "S_ISUID|" }, { S_ISGID, "S_ISGID|" }, { S_ISVTX, "S_ISVTX|" },
	};
	const char *type = with_type ? types[(mode & S_IFMT) >> 12] : NULL;

	if (type) {
		strbuf_add_str(out, type);
		mode &= ~(uint32_t)S_IFMT;
		for (size_t i = 0; mode & 07000 && i < sizeof(special) / sizeof(special[0]); i++) {
			strbuf_add_str(out, mode & special[i].bits ? special[i].name : "");
			mode &= ~special[i].bits;
		}
	}
	/* as %#03o: a zero in front, three digits at least */
	if (mode < 010)
		strbuf_add_str(out, mode ? "0" : "00");
	strbuf_add_oct(out, mode);
}

void dev_format(struct strbuf *out, uint64_t dev)
{
	strbuf_add_fmt(out, "makedev(%#x, %#x)", major(dev), minor(dev));
}

void signal_format_name(struct strbuf *out, int sig)
{
	char buf[16];

	if (sig > 0 && sig <= 64)
		strbuf_add_str(out, signal_name(sig, buf));
	else
		strbuf_add_i64(out, sig);
}

/* --- descriptors --- */

/* A socket's target is our own text, escaped when it was made, or a link text that a record
 * brought: what is not printable there is no socket's name. */
static void add_printable(struct strbuf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strbuf_add_char(out, p[i] >= 0x20 && p[i] < 0x7f ? p[i] : '?');
}

/* Without -yy a socket's addresses are left out, as strace has it: socket:[TCP]. */
static void format_socket(struct strbuf *out, const char *target, size_t n, bool details)
{
	const char *colon = memchr(target, ':', n);
	size_t name = colon ? (size_t)(colon - target) : n;

	if (details || (n >= 8 && !memcmp(target, "socket:[", 8))) {
		add_printable(out, target, n);
		return;
	}
	strbuf_add_str(out, "socket:[");
	add_printable(out, target, name);
	strbuf_add_char(out, ']');
}

void fd_format_target(struct strbuf *out, const char *target, size_t n, uint8_t kind,
		      const struct decode_options *o)
{
	strbuf_add_char(out, '<');
	if (kind == FD_SOCKET)
		format_socket(out, target, n, o->fd_details);
	else
		quote_format_bare(out, target, n);
	strbuf_add_char(out, '>');
}

void fd_format(struct strbuf *out, const struct task *t, int64_t fd, const struct decode_options *o)
{
	const struct fd_entry *e = t && (o->fd_paths || o->fd_details) ? task_fd(t, fd) : NULL;

	strbuf_add_i64(out, fd);
	if (e && e->len)
		fd_format_target(out, e->target, e->len, e->kind, o);
}
