/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i386's socketcall is one call for twenty: its second argument points to the
 * words that are the real call's arguments.  What those words point to is not
 * captured, so their pointers are shown as addresses.
 */
#ifndef DECODE_INNER_H
#define DECODE_INNER_H

#include "decode/decode.h"

struct inner_call {
	struct { struct tracer_ev_call ev; uint64_t args[TRACER_ARGS_MAX]; } copy;
	const struct syscall_desc *desc;
};

/* Fills in from a socketcall whose words were captured; false for everything else. */
bool inner_call_load(struct inner_call *in, const struct tracer_ev_call *ev, const struct syscall_desc *d);

#endif
