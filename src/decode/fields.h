/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structures as data: a layout is a list of fields with their places in a
 * 64-bit and in a 32-bit ABI, and one function prints any of them as
 * {name=value, ...}.  Most argument kinds need nothing else.
 */
#ifndef DECODE_FIELDS_H
#define DECODE_FIELDS_H

#include <stddef.h>
#include <stdint.h>
#include "base/strbuf.h"
#include "syscalls/syscalls.h"

struct task;
struct decode_options;

enum field_type {
	FT_INT = 0,	/* signed, of the field's size */
	FT_UINT,
	FT_HEX,		/* 0 is 0 */
	FT_OCT,
	FT_FLAGS,	/* arg: struct xlat; bits */
	FT_ENUM,	/* arg: struct xlat; one value */
	FT_STR,		/* char[size] */
	FT_PTR,
	FT_LAYOUT,	/* arg: struct layout */
	FT_FD,
	FT_SIGNAL,
	FT_RLIM,	/* RLIM64_INFINITY, 8192*1024 */
	FT_DEV,
	FT_UINTS,	/* array of numbers, each as large as the flags say, 0: a word */
	FT_HEXES,	/* the same in hexadecimal */
	FT_MODE		/* S_IFREG|0644 */
};

#define FIELD_VERBOSE	0x80u	/* shown with -v only */
#define FIELD_NOT_ZERO	0x40u	/* shown where it is not 0 */

struct field {
	const char *name;
	uint8_t type;			/* enum field_type */
	uint8_t flags;			/* FIELD_*; FT_UINTS, FT_HEXES: bytes of an element */
	uint16_t off64, size64, off32, size32;
	const void *arg;
};

struct layout {
	const struct field *fields;
	uint16_t count;
	uint16_t size64, size32;
	uint8_t array;			/* elements where the argument is an array of these: 0 or 1 is one */
};

struct field_context {
	unsigned word;
	const struct task *task;	/* for FT_FD, may be NULL */
	const struct decode_options *o;
};

static inline size_t layout_size(const struct layout *l, unsigned word)
{
	return word == 4 ? l->size32 : l->size64;
}

/* {a=1, b=2}; fields that n does not cover end it with "...". */
void layout_format(struct strbuf *out, const struct layout *l, const uint8_t *p, size_t n,
		   const struct field_context *fc);

/* Rows: kind of argument -> layout, NULL where it has none. */
const struct layout *layout_lookup(unsigned kind);
extern const struct layout layout_timespec, layout_timespec64, layout_timeval, layout_flock, layout_flock64,
    layout_stat, layout_stat_dev, layout_stat64, layout_stat64_dev, layout_winsize;

#endif
