/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single-producer single-consumer event ring over memory that the caller
 * mapped (see ring_map.h).  The supervisor writes one for all that it sees at
 * stops; each in-process task writes its own.
 *
 * Producer: ring_reserve() -> fill -> ring_commit(); or ring_discard() of the
 * latest reservation.  Never blocks: NULL means no room now.
 * Consumer: ring_peek() -> use in place -> ring_consume().
 */
#ifndef RING_H
#define RING_H

#include <stddef.h>
#include <stdint.h>
#include "ring/ring_abi.h"

struct ring {
	struct ring_header *hdr;	/* shared */
	uint8_t *data;			/* shared */
	uint64_t size;			/* our own copy: the shared one is not trusted */
	uint64_t tail;			/* consumer's own copy */
	uint64_t high_water;		/* most bytes seen in use, consumer's count */
	int bad;			/* a bad record was seen: the ring is dead */
};

/* Bytes to map for a ring of this data size (power of two, >= 4096). */
size_t ring_bytes(uint64_t size);

/* Lay out a fresh ring in zeroed memory / join one laid out by the other side.
 * -EINVAL where size or header do not fit. */
int ring_init(struct ring *r, void *mem, uint64_t size);
int ring_open(struct ring *r, void *mem, size_t bytes);

/* Room for a record of size bytes (multiple of 8, <= TRACER_EVENT_MAX);
 * the head's size field is set.  NULL: no room now. */
struct tracer_event *ring_reserve(struct ring *r, uint32_t size);
/* Shrinks the reservation to ev->size, stamps and publishes it.
 * Pairs with the acquire load in ring_peek(). */
void ring_commit(struct ring *r, struct tracer_event *ev);
void ring_discard(struct ring *r, struct tracer_event *ev);

/* Oldest committed and checked record, NULL when there is none. */
const struct tracer_event *ring_peek(struct ring *r);
void ring_consume(struct ring *r);
uint64_t ring_used(const struct ring *r);

/* A record that may be believed: sizes, counts and kind are in range and
 * everything lies inside ev->size <= avail.  0 or -EBADMSG. */
int event_check(const struct tracer_event *ev, size_t avail);

/* i-th captured piece of a checked call, or NULL. */
const struct tracer_capture *event_capture(const struct tracer_ev_call *c, unsigned i);

#endif
