/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments of socket calls and of vectored I/O: addresses, options, iovec,
 * msghdr with its control messages.  Pure.  Layouts: linux/socket.h, uio.h.
 */
#include "config.h"
#include "decode/args.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include "decode/quote.h"
#include "decode/sockaddr.h"

/* --- addresses --- */

void arg_format_sockaddr(const struct arg *a)
{
	size_t n;
	const uint8_t *p = a->c->err ? arg_in(a, 0, 1, &n) : arg_any(a, 0, 1, &n);

	if (p)
		sockaddr_format(a->out, p, n);
	else
		arg_format_address(a);
}

/* [16], or [128 => 16] where the kernel changed it. */
void arg_format_socklen(const struct arg *a)
{
	const uint8_t *in = arg_in(a, 0, 4, NULL), *out = a->c->err ? NULL : arg_out(a, 0, 4, NULL);

	if (!in && !out) {
		arg_format_address(a);
		return;
	}
	strbuf_add_char(a->out, '[');
	if (in)
		strbuf_add_i64(a->out, (int32_t)load_u32(in));
	if (out && (!in || load_u32(in) != load_u32(out))) {
		strbuf_add_str(a->out, in ? " => " : "");
		strbuf_add_i64(a->out, (int32_t)load_u32(out));
	}
	strbuf_add_char(a->out, ']');
}

/* --- protocols and options --- */

void arg_format_sock_protocol(const struct arg *a)
{
	uint32_t family = (uint32_t)arg_value(a, 0), protocol = (uint32_t)a->v;
	const struct xlat *x = family == AF_INET || family == AF_INET6 ? &xlat_ip_protocol :
			       family == AF_NETLINK ? &xlat_netlink_protocol : NULL;

	if (x && xlat_lookup(x, protocol))
		strbuf_add_str(a->out, xlat_lookup(x, protocol));
	else if (family == AF_PACKET)
		strbuf_add_fmt(a->out, "htons(%#x)", (protocol >> 8 & 0xff) | (protocol & 0xff) << 8);
	else
		strbuf_add_u64(a->out, protocol);
}

static const struct xlat *option_set(uint32_t level)
{
	switch (level) {
	case SOL_SOCKET:
		return &xlat_so_option;
	case IPPROTO_IP:
		return &xlat_ip_option;
	case IPPROTO_IPV6:
		return &xlat_ipv6_option;
	case IPPROTO_TCP:
		return &xlat_tcp_option;
	case IPPROTO_UDP:
		return &xlat_udp_option;
	case SOL_NETLINK:
		return &xlat_netlink_option;
	case SOL_PACKET:
		return &xlat_packet_option;
	default:
		return NULL;
	}
}

void arg_format_sockoptname(const struct arg *a)
{
	const struct xlat *x = option_set((uint32_t)arg_value(a, 1));

	if (x)
		xlat_format(a->out, x, (uint32_t)a->v);
	else
		strbuf_add_hex(a->out, (uint32_t)a->v);
}

static bool is_option(const struct arg *a, uint32_t level, const char *name)
{
	const char *known = level == (uint32_t)arg_value(a, 1) ?
		xlat_lookup(option_set(level), (uint32_t)arg_value(a, 2)) : NULL;

	return known && !strcmp(known, name);
}

/* [1], {l_onoff=1, l_linger=5}, a timeval, or the bytes. */
void arg_format_sockopt(const struct arg *a)
{
	const struct field_context fc = { a->word, NULL, a->o };
	size_t n;
	const uint8_t *p = arg_in(a, 0, 1, &n);

	if (!p && !a->c->err)
		p = arg_out(a, 0, 1, &n);
	if (!p)
		arg_format_address(a);
	else if (n == 8 && is_option(a, SOL_SOCKET, "SO_LINGER"))
		strbuf_add_fmt(a->out, "{l_onoff=%u, l_linger=%u}", load_u32(p), load_u32(p + 4));
	else if (n == 12 && is_option(a, SOL_SOCKET, "SO_PEERCRED"))
		strbuf_add_fmt(a->out, "{pid=%d, uid=%d, gid=%d}", (int32_t)load_u32(p),
			       (int32_t)load_u32(p + 4), (int32_t)load_u32(p + 8));
	else if (n == layout_size(&layout_timeval, a->word) &&
		 (is_option(a, SOL_SOCKET, "SO_RCVTIMEO_OLD") || is_option(a, SOL_SOCKET, "SO_SNDTIMEO_OLD")))
		layout_format(a->out, &layout_timeval, p, n, &fc);
	else if (n == 4 && is_option(a, SOL_SOCKET, "SO_ERROR") && errno_name((int)load_u32(p)))
		strbuf_add_fmt(a->out, "[%s]", errno_name((int)load_u32(p)));
	else if (n == 4)
		strbuf_add_fmt(a->out, "[%d]", (int32_t)load_u32(p));
	else
		quote_format(a->out, p, n < a->o->string_max ? n : a->o->string_max, a->o->strings_hex,
			     n > a->o->string_max);
}

/* --- iovec: index 0 of the argument (or 2 of a msghdr) is the array, data pieces follow --- */

static const struct tracer_capture *data_piece(const struct arg *a, unsigned index)
{
	return call_capture(a->ev, a->i, index, TRACER_CAP_IN | TRACER_CAP_OUT);
}

static void format_element(const struct arg *a, uint64_t base, uint64_t len, unsigned index, uint64_t *left)
{
	const struct tracer_capture *cap = data_piece(a, index);
	uint64_t total = len < *left ? len : *left;

	strbuf_add_str(a->out, "{iov_base=");
	if (cap && !(cap->flags & TRACER_CAP_FAULT))
		arg_format_data(a, cap->bytes, cap->len < total ? cap->len : total, total);
	else if (total == 0 && base)
		arg_format_data(a, (const uint8_t *)"", 0, 0);
	else
		address_format(a->out, base);
	strbuf_add_fmt(a->out, ", iov_len=%llu}", (unsigned long long)len);
	*left -= total;
}

/* count: elements the program passed; left: bytes that were transferred at the most. */
static bool format_vector(const struct arg *a, unsigned index, unsigned data, uint64_t count, uint64_t left)
{
	const struct tracer_capture *cap = data_piece(a, index);
	size_t size = 2 * a->word, n = cap ? cap->len / size : 0;

	if (!cap || (cap->flags & TRACER_CAP_FAULT && !n))
		return false;
	strbuf_add_char(a->out, '[');
	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = cap->bytes + i * size;

		strbuf_add_str(a->out, i ? ", " : "");
		format_element(a, load_word(p, a->word), load_word(p + a->word, a->word), data + (unsigned)i,
			       &left);
	}
	strbuf_add_str(a->out, count > n ? ", ...]" : "]");
	return true;
}

static uint64_t transferred(const struct arg *a, bool output)
{
	if (!output)
		return UINT64_MAX;
	return a->c->err || !a->c->finished || a->ev->ret < 0 ? 0 : (uint64_t)a->ev->ret;
}

void arg_format_iovec(const struct arg *a)
{
	const struct tracer_capture *cap = data_piece(a, 0);
	bool output = cap && !(cap->flags & TRACER_CAP_IN);
	int64_t count = arg_length(a);

	if (!format_vector(a, 0, 1, count > 0 ? (uint64_t)count : 0, transferred(a, output)))
		arg_format_address(a);
}

/* --- control messages --- */

static void format_rights(const struct arg *a, const uint8_t *p, size_t n)
{
	strbuf_add_char(a->out, '[');
	for (size_t i = 0; i + 4 <= n; i += 4) {
		strbuf_add_str(a->out, i ? ", " : "");
		fd_format(a->out, a->c->task, (int32_t)load_u32(p + i), a->o);
	}
	strbuf_add_char(a->out, ']');
}

/* One cmsghdr; returns the bytes to the next, 0 at the end. */
static size_t format_cmsg(const struct arg *a, const uint8_t *p, size_t n)
{
	size_t head = a->word + 8, len;
	uint32_t level, type;

	if (n < head)
		return 0;
	len = load_word(p, a->word);
	if (len < head || len > n)
		return 0;
	level = load_u32(p + a->word);
	type = load_u32(p + a->word + 4);
	strbuf_add_fmt(a->out, "{cmsg_len=%zu, cmsg_level=", len);
	xlat_format(a->out, &xlat_socket_level, level);
	strbuf_add_str(a->out, ", cmsg_type=");
	if (level == SOL_SOCKET)
		xlat_format(a->out, &xlat_scm_type, type);
	else
		strbuf_add_hex(a->out, type);
	strbuf_add_str(a->out, ", cmsg_data=");
	if (level == SOL_SOCKET && type == SCM_RIGHTS)
		format_rights(a, p + head, len - head);
	else if (level == SOL_SOCKET && type == SCM_CREDENTIALS && len - head >= 12)
		strbuf_add_fmt(a->out, "{pid=%d, uid=%d, gid=%d}", (int32_t)load_u32(p + head),
			       (int32_t)load_u32(p + head + 4), (int32_t)load_u32(p + head + 8));
	else
		arg_format_data(a, p + head, len - head, len - head);
	strbuf_add_char(a->out, '}');
	return (len + a->word - 1) & ~(size_t)(a->word - 1);
}

static void format_control(const struct arg *a, uint64_t address, uint64_t len)
{
	const struct tracer_capture *cap = data_piece(a, 3);
	size_t n = cap ? cap->len : 0, at = 0, step;

	if (!cap || !n || !len) {
		address_format(a->out, address);
		return;
	}
	n = n < len ? n : len;
	strbuf_add_char(a->out, '[');
	while (at < n) {
		size_t before = a->out->len;

		strbuf_add_str(a->out, at ? ", " : "");
		step = format_cmsg(a, cap->bytes + at, n - at);
		if (!step) {
			if (at && a->out->len == before + 2 && !a->out->truncated)
				strbuf_add_str(a->out, "...");
			break;
		}
		at += step;
	}
	strbuf_add_char(a->out, ']');
}

/* --- msghdr --- */

struct msg { uint64_t name, iov, iovlen, control, controllen; uint32_t namelen, flags; };

static void load_msg(struct msg *m, const uint8_t *p, unsigned word)
{
	/* name, namelen (padded to a word), iov, iovlen, control, controllen, flags */
	m->name = load_word(p, word);
	m->namelen = load_u32(p + word);
	m->iov = load_word(p + 2 * word, word);
	m->iovlen = load_word(p + 3 * word, word);
	m->control = load_word(p + 4 * word, word);
	m->controllen = load_word(p + 5 * word, word);
	m->flags = load_u32(p + 6 * word);
}

static void format_name(const struct arg *a, const struct msg *m)
{
	const struct tracer_capture *cap = data_piece(a, 1);

	if (cap && cap->len && m->namelen)
		sockaddr_format(a->out, cap->bytes, cap->len < m->namelen ? cap->len : m->namelen);
	else
		address_format(a->out, m->name);
}

void arg_format_msghdr(const struct arg *a)
{
	const struct tracer_capture *cap = data_piece(a, 0);
	bool output = cap && !(cap->flags & TRACER_CAP_IN);
	struct msg m;

	if (!cap || cap->len < 7 * a->word - (a->word == 8 ? 4 : 0) || (output && a->c->err)) {
		arg_format_address(a);
		return;
	}
	load_msg(&m, cap->bytes, a->word);
	strbuf_add_str(a->out, "{msg_name=");
	format_name(a, &m);
	strbuf_add_fmt(a->out, ", msg_namelen=%d, msg_iov=", (int32_t)m.namelen);
	if (!format_vector(a, 2, 4, m.iovlen, transferred(a, output)))
		address_format(a->out, m.iov);
	strbuf_add_fmt(a->out, ", msg_iovlen=%llu", (unsigned long long)m.iovlen);
	if (m.control || m.controllen) {
		strbuf_add_str(a->out, ", msg_control=");
		format_control(a, m.control, m.controllen);
	}
	strbuf_add_fmt(a->out, ", msg_controllen=%llu, msg_flags=", (unsigned long long)m.controllen);
	xlat_format(a->out, &xlat_msg_flags, m.flags);
	strbuf_add_char(a->out, '}');
}

/* Of several messages the lengths are shown; their data is not captured. */
void arg_format_mmsghdr(const struct arg *a)
{
	size_t n, size = 8 * a->word, count;
	const uint8_t *p = a->c->err ? NULL : arg_any(a, 0, size, &n);
	uint64_t sent = a->ev->ret > 0 ? (uint64_t)a->ev->ret : 0;

	if (!p) {
		arg_format_address(a);
		return;
	}
	count = n / size;
	strbuf_add_char(a->out, '[');
	for (size_t i = 0; i < count && i < sent; i++) {
		const uint8_t *at = p + i * size;
		struct msg m;

		load_msg(&m, at, a->word);
		strbuf_add_fmt(a->out,
			       "%s{msg_hdr={msg_namelen=%d, msg_iovlen=%llu, msg_controllen=%llu, msg_flags=",
			       i ? ", " : "", (int32_t)m.namelen, (unsigned long long)m.iovlen,
			       (unsigned long long)m.controllen);
		xlat_format(a->out, &xlat_msg_flags, m.flags);
		strbuf_add_fmt(a->out, "}, msg_len=%u}", load_u32(at + 7 * a->word));
	}
	strbuf_add_str(a->out, sent > count ? ", ...]" : "]");
}
