/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies what a plan names into a record under construction.  Runs on the
 * supervisor thread while the tracee stands still; reads memory through a
 * struct mem_reader, so a test can feed it from a byte array.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <tracer/event.h>
#include "capture/capture_abi.h"

struct mem_reader {
	void *ctx;
	/* Bytes copied from addr (may be short at an unmapped page), or -errno. */
	ssize_t (*read)(void *ctx, uint64_t addr, void *buf, size_t n);
};

/* Room that a record of this plan can need at the most (head included). */
uint32_t capture_bound(const struct capture_plan *plan, const struct capture_limits *lim);

/* Appends captures to c (head, args[] filled; ev->size at the end of args);
 * space is the whole record's room.  phase CAP_F_ENTER or 0 (after).
 * c->ncaptures and head.size grow.  Never fails: what cannot be read is
 * marked TRACER_CAP_FAULT. */
void capture_run(const struct capture_plan *plan, const struct capture_limits *lim,
		 const struct mem_reader *mem, unsigned phase,
		 struct tracer_ev_call *c, uint32_t space);
/* The same for a record whose first word is not to be touched (a ring's
 * consumer may be looking at it): size so far in, size now out. */
uint32_t capture_append(const struct capture_plan *plan, const struct capture_limits *lim,
			const struct mem_reader *mem, unsigned phase, struct tracer_ev_call *c,
			uint32_t size, uint32_t space);

#endif
