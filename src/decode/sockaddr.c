/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket addresses.  Pure functions over captured bytes; every length is
 * checked, since a program may pass any.  Layouts: linux/in.h, in6.h, un.h,
 * netlink.h, if_packet.h, vm_sockets.h.
 */
#include "config.h"
#include "decode/sockaddr.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "decode/quote.h"
#include "decode/arg_data.h"

static uint16_t port_of(const uint8_t *p)
{
	return (uint16_t)(p[2] << 8 | p[3]);
}

/* Bytes of sun_path that count: up to the NUL, or all of an abstract name. */
static size_t unix_path(const uint8_t *p, size_t n, bool *abstract)
{
	const uint8_t *path = p + 2, *nul;

	n -= 2;
	*abstract = n > 1 && path[0] == '\0';
	if (*abstract)
		return n - 1;
	nul = memchr(path, '\0', n);
	return nul ? (size_t)(nul - path) : n;
}

static void format_inet(struct strbuf *out, const uint8_t *p)
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, p + 4, text, sizeof(text));
	strbuf_add_fmt(out, "sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", port_of(p), text);
}

static void format_inet6(struct strbuf *out, const uint8_t *p, size_t n)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, p + 8, text, sizeof(text));
	strbuf_add_fmt(out, "sin6_port=htons(%u), sin6_flowinfo=htonl(%u), inet_pton(AF_INET6, \"%s\", &sin6_addr)",
		       port_of(p), ntohl(load_u32(p + 4)), text);
	if (n >= 28)
		strbuf_add_fmt(out, ", sin6_scope_id=%u", load_u32(p + 24));
}

static void format_unix(struct strbuf *out, const uint8_t *p, size_t n)
{
	bool abstract;
	size_t len = unix_path(p, n, &abstract);

	strbuf_add_str(out, abstract ? "sun_path=@" : "sun_path=");
	quote_format(out, p + (abstract ? 3 : 2), len, QUOTE_OCTAL, false);
}

static void format_netlink(struct strbuf *out, const uint8_t *p)
{
	strbuf_add_fmt(out, "nl_pid=%d, nl_groups=%#08x", (int32_t)load_u32(p + 4), load_u32(p + 8));
}

static void format_packet(struct strbuf *out, const uint8_t *p)
{
	strbuf_add_fmt(out,
		       "sll_protocol=htons(%#x), sll_ifindex=%d, sll_hatype=%u, sll_pkttype=%u, sll_halen=%u",
		       port_of(p), (int32_t)load_u32(p + 4), load_u16(p + 8), p[10], p[11]);
}

static void format_vsock(struct strbuf *out, const uint8_t *p)
{
	strbuf_add_fmt(out, "svm_cid=%#x, svm_port=%u", load_u32(p + 8), load_u32(p + 4));
}

static void format_other(struct strbuf *out, const uint8_t *p, size_t n)
{
	strbuf_add_str(out, "sa_data=");
	quote_format(out, p + 2, n - 2, QUOTE_OCTAL, false);
}

void sockaddr_format(struct strbuf *out, const uint8_t *p, size_t n)
{
	const char *name;
	unsigned family;

	if (n < 2) {
		quote_format(out, p, n, QUOTE_OCTAL, false);
		return;
	}
	family = load_u16(p);
	name = xlat_lookup(&xlat_socket_family, family);
	if (name)
		strbuf_add_fmt(out, "{sa_family=%s", name);
	else
		strbuf_add_fmt(out, "{sa_family=%#x", family);
	if (n > 2)
		strbuf_add_str(out, ", ");
	if (family == AF_INET && n >= 8)
		format_inet(out, p);
	else if (family == AF_INET6 && n >= 24)
		format_inet6(out, p, n);
	else if (family == AF_UNIX && n > 2)
		format_unix(out, p, n);
	else if (family == AF_NETLINK && n >= sizeof(struct sockaddr_nl))
		format_netlink(out, p);
	else if (family == AF_PACKET && n >= 12)
		format_packet(out, p);
	else if (family == AF_VSOCK && n >= sizeof(struct sockaddr_vm))
		format_vsock(out, p);
	else if (n > 2)
		format_other(out, p, n);
	strbuf_add_char(out, '}');
}

bool sockaddr_format_short(struct strbuf *out, const uint8_t *p, size_t n)
{
	char text[INET6_ADDRSTRLEN];
	unsigned family = n >= 2 ? load_u16(p) : AF_UNSPEC;
	bool abstract;
	size_t len;

	if (family == AF_INET && n >= 8) {
		inet_ntop(AF_INET, p + 4, text, sizeof(text));
		strbuf_add_fmt(out, "%s:%u", text, port_of(p));
	} else if (family == AF_INET6 && n >= 24) {
		inet_ntop(AF_INET6, p + 8, text, sizeof(text));
		strbuf_add_fmt(out, "[%s]:%u", text, port_of(p));
	} else if (family == AF_UNIX && n > 2) {
		len = unix_path(p, n, &abstract);
		strbuf_add_str(out, abstract ? "@" : "");
		quote_format_bare(out, p + (abstract ? 3 : 2), len);
	} else if (family == AF_VSOCK && n >= sizeof(struct sockaddr_vm)) {
		strbuf_add_fmt(out, "%u:%u", load_u32(p + 8), load_u32(p + 4));
	} else {
		return false;
	}
	return true;
}

static const char *inet_name(unsigned type, unsigned protocol)
{
	static const struct { uint16_t type, protocol; const char *name; } rows[] = {
		{ SOCK_STREAM, IPPROTO_SCTP, "SCTP" }, { SOCK_STREAM, IPPROTO_MPTCP, "MPTCP" },
		{ SOCK_SEQPACKET, IPPROTO_SCTP, "SCTP" }, { SOCK_DGRAM, IPPROTO_ICMP, "PING" },
		{ SOCK_DGRAM, IPPROTO_ICMPV6, "PING" }, { SOCK_DGRAM, IPPROTO_UDPLITE, "UDPLITE" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].type == type && rows[i].protocol == protocol)
			return rows[i].name;
	return type == SOCK_STREAM ? "TCP" : type == SOCK_DGRAM ? "UDP" : type == SOCK_RAW ? "RAW" : "INET";
}

void socket_format_name(struct strbuf *out, unsigned family, unsigned type, unsigned protocol)
{
	const char *name;

	if (family == AF_INET || family == AF_INET6) {
		strbuf_add_str(out, inet_name(type, protocol));
		strbuf_add_str(out, family == AF_INET6 ? "v6" : "");
	} else if (family == AF_UNIX) {
		strbuf_add_str(out, type == SOCK_STREAM ? "UNIX-STREAM" : type == SOCK_DGRAM ? "UNIX-DGRAM" :
			       type == SOCK_SEQPACKET ? "UNIX-SEQPACKET" : "UNIX");
	} else {
		name = xlat_lookup(&xlat_socket_family, family);
		strbuf_add_str(out, name && !strncmp(name, "AF_", 3) ? name + 3 : "SOCKET");
	}
}

void socket_format_target(struct strbuf *out, const char *old, const char *local, const char *peer)
{
	const char *open = strchr(old, '['), *arrow = open ? strstr(open, "->") : NULL;
	size_t name = open ? (size_t)(open - old) : strlen(old), len = strlen(old);
	const char *end = open && len && old[len - 1] == ']' ? old + len - 1 : old + len;

	/* NAME:[local->peer]; a name alone has neither. */
	if (!local && !peer) {
		strbuf_add(out, old, len);
		return;
	}
	if (name && old[name - 1] == ':')
		name--;
	strbuf_add(out, old, name);
	strbuf_add_str(out, ":[");
	if (local)
		strbuf_add_str(out, local);
	else if (open)
		strbuf_add(out, open + 1, (size_t)((arrow ? arrow : end) - (open + 1)));
	if (peer || arrow)
		strbuf_add_str(out, "->");
	if (peer)
		strbuf_add_str(out, peer);
	else if (arrow)
		strbuf_add(out, arrow + 2, (size_t)(end - (arrow + 2)));
	strbuf_add_char(out, ']');
}
