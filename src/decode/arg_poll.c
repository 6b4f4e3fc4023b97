/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments of calls that wait for descriptors: pollfd, fd_set, epoll_event,
 * and what their answers look like behind the return value.  Pure.
 */
#include "config.h"
#include "decode/args.h"
#include <sys/epoll.h>

/* --- poll --- */

static const uint8_t *pollfds(const struct arg *a, size_t *count)
{
	size_t n;
	const uint8_t *p = arg_any(a, 0, 8, &n);
	int64_t want = arg_length(a);

	*count = p ? n / 8 : 0;
	if (want >= 0 && (uint64_t)want < *count)
		*count = (size_t)want;
	return p;
}

void arg_format_pollfds(const struct arg *a)
{
	size_t count;
	const uint8_t *p = pollfds(a, &count);

	if (!p) {
		if (a->v && arg_length(a) == 0)
			strbuf_add_str(a->out, "[]");
		else
			arg_format_address(a);
		return;
	}
	strbuf_add_char(a->out, '[');
	for (size_t i = 0; i < count; i++, p += 8) {
		strbuf_add_str(a->out, i ? ", {fd=" : "{fd=");
		fd_format(a->out, a->c->task, (int32_t)load_u32(p), a->o);
		if ((int32_t)load_u32(p) >= 0) {
			strbuf_add_str(a->out, ", events=");
			xlat_format(a->out, &xlat_poll_events, load_u16(p + 4));
		}
		strbuf_add_char(a->out, '}');
	}
	strbuf_add_str(a->out, arg_length(a) > (int64_t)count ? ", ...]" : "]");
}

static void format_revents(const struct arg *a, const uint8_t *p, size_t count)
{
	const char *separator = "";

	strbuf_add_char(a->out, '[');
	for (size_t i = 0; i < count; i++, p += 8) {
		if (!load_u16(p + 6))
			continue;
		strbuf_add_fmt(a->out, "%s{fd=", separator);
		fd_format(a->out, a->c->task, (int32_t)load_u32(p), a->o);
		strbuf_add_str(a->out, ", revents=");
		xlat_format(a->out, &xlat_poll_events, load_u16(p + 6));
		strbuf_add_char(a->out, '}');
		separator = ", ";
	}
	strbuf_add_char(a->out, ']');
}

/* "left {tv_sec=0, tv_nsec=1}" of the time limit that argument i points to. */
static bool format_left(const struct arg *a, unsigned i, const char *separator)
{
	struct arg t = *a;
	const struct layout *l = layout_lookup(a->d->args[i]);
	const struct field_context fc = { a->word, NULL, a->o };
	size_t n;
	const uint8_t *p;

	t.i = i;
	p = l ? arg_out(&t, 0, layout_size(l, a->word), &n) : NULL;
	if (!p)
		return false;
	strbuf_add_fmt(a->out, "%sleft ", separator);
	layout_format(a->out, l, p, n, &fc);
	return true;
}

void ret_format_poll(const struct arg *a, int64_t ret)
{
	size_t count;
	const uint8_t *p = pollfds(a, &count);

	if (ret == 0)
		strbuf_add_str(a->out, " (Timeout)");
	if (ret <= 0 || !p)
		return;
	strbuf_add_str(a->out, " (");
	format_revents(a, p, count);
	format_left(a, 2, ", ");
	strbuf_add_char(a->out, ')');
}

/* --- select --- */

static void format_set(const struct arg *a, const uint8_t *p, size_t n)
{
	int64_t nfds = (int32_t)arg_value(a, 0);
	uint64_t bits = nfds < 0 ? 0 : nfds < (int64_t)n * 8 ? (uint64_t)nfds : n * 8;
	const char *separator = "";

	strbuf_add_char(a->out, '[');
	for (uint64_t fd = 0; fd < bits; fd++) {
		if (!(p[fd / 8] & (1u << (fd % 8))))
			continue;
		strbuf_add_str(a->out, separator);
		fd_format(a->out, a->c->task, (int64_t)fd, a->o);
		separator = " ";
	}
	strbuf_add_char(a->out, ']');
}

void arg_format_fdset(const struct arg *a)
{
	size_t n;
	const uint8_t *p = arg_in(a, 0, 1, &n);

	if (p)
		format_set(a, p, n);
	else
		arg_format_address(a);
}

static bool any_bit(const struct arg *a, const uint8_t *p, size_t n)
{
	int64_t nfds = (int32_t)arg_value(a, 0);

	for (int64_t fd = 0; fd < nfds && fd < (int64_t)n * 8; fd++)
		if (p[fd / 8] & (1u << (fd % 8)))
			return true;
	return false;
}

void ret_format_select(const struct arg *a, int64_t ret)
{
	static const char *const names[] = { "in ", "out ", "except " };
	const char *separator = "";
	struct arg set = *a;
	size_t n, start = a->out->len;
	const uint8_t *p;

	if (ret < 0)
		return;
	strbuf_add_str(a->out, ret ? " (" : " (Timeout)");
	for (unsigned i = 0; ret && i < 3; i++) {
		set.i = i + 1;
		p = arg_out(&set, 0, 1, &n);
		if (!p || !any_bit(&set, p, n))
			continue;
		strbuf_add_fmt(a->out, "%s%s", separator, names[i]);
		format_set(&set, p, n);
		separator = ", ";
	}
	if (!ret)
		return;
	format_left(a, 4, separator);
	if (a->out->len == start + 2 && !a->out->truncated)
		a->out->p[a->out->len = start] = '\0';
	else
		strbuf_add_char(a->out, ')');
}

/* --- epoll: the event is packed, 12 bytes in every ABI --- */

static void format_epoll_event(const struct arg *a, const uint8_t *p)
{
	strbuf_add_str(a->out, "{events=");
	xlat_format(a->out, &xlat_epoll_events, load_u32(p));
	strbuf_add_fmt(a->out, ", data={u32=%u, u64=%llu}}", load_u32(p + 4),
		       (unsigned long long)load_u64(p + 4));
}

void arg_format_epoll_event(const struct arg *a)
{
	const uint8_t *p = arg_in(a, 0, 12, NULL);

	if (p && arg_value(a, 1) != EPOLL_CTL_DEL)	/* the kernel does not look at it then */
		format_epoll_event(a, p);
	else
		arg_format_address(a);
}

void arg_format_epoll_events(const struct arg *a)
{
	size_t n = 0, count;
	const uint8_t *p = arg_out(a, 0, 0, &n);

	if (a->c->err || !a->c->finished || a->ev->ret < 0) {
		arg_format_address(a);
		return;
	}
	count = p ? n / 12 : 0;
	strbuf_add_char(a->out, '[');
	for (size_t i = 0; i < count && (int64_t)i < a->ev->ret; i++) {
		strbuf_add_str(a->out, i ? ", " : "");
		format_epoll_event(a, p + 12 * i);
	}
	strbuf_add_str(a->out, a->ev->ret > (int64_t)count ? ", ...]" : "]");
}
