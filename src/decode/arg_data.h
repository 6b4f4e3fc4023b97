/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captured bytes of a call's arguments, read without trust in their length or
 * alignment.  A struct field is one of the ABI's words, so formatters say
 * "word 3", not an offset, where a structure is made of words.
 */
#ifndef DECODE_ARG_DATA_H
#define DECODE_ARG_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/strbuf.h"
#include "ring/ring.h"
#include "syscalls/syscalls.h"

/* The piece of (argument, index) in one of the directions (TRACER_CAP_IN|OUT), or NULL. */
const struct tracer_capture *call_capture(const struct tracer_ev_call *c, unsigned arg, unsigned index,
					  unsigned directions);
/* Length of the text in a captured string: up to its NUL. */
size_t capture_strlen(const struct tracer_capture *cap);

static inline unsigned abi_wordsize(int abi)
{
	return abi == TRACER_ABI_I386 ? 4 : 8;
}

static inline uint16_t load_u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t load_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t load_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t load_word(const uint8_t *p, unsigned wordsize)
{
	return wordsize == 4 ? load_u32(p) : load_u64(p);
}

static inline int64_t load_long(const uint8_t *p, unsigned wordsize)
{
	return wordsize == 4 ? (int32_t)load_u32(p) : (int64_t)load_u64(p);
}

/* First argument of a kind, or -1. */
int desc_arg(const struct syscall_desc *d, unsigned kind);
/* Argument of a name, or -1. */
int desc_arg_named(const struct syscall_desc *d, const char *name);
/* Value of an argument; 0 where the record has fewer. */
static inline uint64_t call_arg(const struct tracer_ev_call *c, unsigned i)
{
	return i < c->nargs ? c->args[i] : 0;
}

#endif
