/* SPDX-License-Identifier: Apache-2.0 */
/* The call inside a socketcall.  Pure, on the consumer thread. */
#include "config.h"
#include "decode/inner.h"

#include <string.h>
#include "decode/arg_data.h"

/* Numbers of linux/net.h, from 1. */
static const char *const inner_names[] = {
    NULL,	   "socket",	 "bind",    "connect", "listen",  "accept",   "getsockname",
    "getpeername", "socketpair", "send",    "recv",    "sendto",  "recvfrom", "shutdown",
    "setsockopt",  "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg",
};

static const char *inner_name(uint64_t number, int abi)
{
	const char *name = number < sizeof(inner_names) / sizeof(inner_names[0]) ? inner_names[number] : NULL;

	/* accept, send and recv are no calls of their own there. */
	if (name && syscall_number(abi, name) < 0)
		name = number == 5 ? "accept4" : number == 9 ? "sendto" : number == 10 ? "recvfrom" : NULL;
	return name;
}

static unsigned inner_nargs(uint64_t number, unsigned nargs)
{
	return number == 5 ? 3 : number == 9 || number == 10 ? 4 : nargs;
}

bool inner_call_load(struct inner_call *in, const struct tracer_ev_call *ev, const struct syscall_desc *d)
{
	const struct tracer_capture *cap;
	const char *name;

	if (!d || d->args[1] != ARG_WORDS6 || strcmp(d->name, "socketcall"))
		return false;
	cap = call_capture(ev, 1, 0, TRACER_CAP_IN);
	name = inner_name(call_arg(ev, 0), ev->head.abi);
	if (!cap || cap->len < TRACER_ARGS_MAX * 4 || !name)
		return false;
	in->desc = syscall_lookup(ev->head.abi, syscall_number(ev->head.abi, name));
	if (!in->desc)
		return false;
	in->copy.ev = *ev;
	in->copy.ev.ncaptures = 0;
	in->copy.ev.nargs = (uint8_t)inner_nargs(call_arg(ev, 0), in->desc->nargs);
	for (unsigned i = 0; i < TRACER_ARGS_MAX; i++)
		in->copy.args[i] = load_u32(cap->bytes + 4 * i);
	return true;
}
