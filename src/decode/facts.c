/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts of a call for spans and filters: its path, its descriptor, the peer's
 * address, the bytes it moved.  Pure, on the consumer thread.
 */
#include "config.h"
#include "decode/decode.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include "decode/arg_data.h"
#include "decode/inner.h"
#include "decode/path.h"
#include "decode/sockaddr.h"

bool call_path(const struct call *c, struct strbuf *out)
{
	int i = c->desc->path_arg;
	size_t start = out->len;

	return i >= 0 && call_format_path(out, c->task, c->ev, c->desc, (unsigned)i) && out->len > start;
}

int call_fd(const struct call *c)
{
	struct inner_call in;
	bool inner = inner_call_load(&in, c->ev, c->desc);
	const struct tracer_ev_call *ev = inner ? &in.copy.ev : c->ev;
	int i = inner ? in.desc->fd_arg : c->desc->fd_arg;
	uint64_t v = i >= 0 && (unsigned)i < ev->nargs ? call_arg(ev, (unsigned)i) : UINT64_MAX;

	return (int32_t)v >= 0 ? (int32_t)v : -1;
}

const struct fd_entry *call_fd_entry(const struct call *c)
{
	int fd = call_fd(c);

	return fd >= 0 ? task_fd(c->task, fd) : NULL;
}

/* The captured socket address: an argument's, or a message's name. */
static const struct tracer_capture *address_of(const struct call *c)
{
	unsigned directions = c->err ? TRACER_CAP_IN : TRACER_CAP_IN | TRACER_CAP_OUT;
	int i = c->desc->peer_arg;

	return i >= 0 ? call_capture(c->ev, (unsigned)i, c->desc->args[i] == ARG_MSGHDR, directions) : NULL;
}

bool call_peer(const struct call *c, struct call_peer *out)
{
	const struct tracer_capture *cap = address_of(c);
	struct strbuf text;
	const char *colon;
	uint16_t family;

	/* bind and getsockname tell of this end. */
	if (!cap || cap->len < 2 || c->desc->state == STATE_BIND || !strcmp(c->desc->name, "getsockname"))
		return false;
	*out = (struct call_peer){ .family = AF_UNSPEC };
	family = load_u16(cap->bytes);
	strbuf_init_fixed(&text, out->address, sizeof(out->address));
	if (family > UINT8_MAX || !sockaddr_format_short(&text, cap->bytes, cap->len))
		return false;
	out->family = (uint8_t)family;
	out->address_len = (uint32_t)text.len;
	if (family != AF_INET && family != AF_INET6)
		return true;
	/* The address alone: 127.0.0.1, ::1 */
	out->port = (uint16_t)(cap->bytes[2] << 8 | cap->bytes[3]);
	colon = strrchr(out->address, ':');
	out->address_len = colon ? (uint32_t)(colon - out->address) : out->address_len;
	if (family == AF_INET6 && out->address_len >= 2) {
		out->address_len -= 2;
		memmove(out->address, out->address + 1, out->address_len);
	}
	out->address[out->address_len] = '\0';
	return true;
}

int64_t call_bytes(const struct call *c)
{
	if (!(c->desc->flags & SYSCALL_F_IO) || !c->finished || c->err || c->ev->ret < 0)
		return -1;
	return c->ev->ret;
}
