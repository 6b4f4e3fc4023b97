/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory layout of an event ring.  Freestanding: read by the agent inside
 * the tracee as well as by the tracer.
 *
 *   struct ring_header | data[size] | slack[TRACER_EVENT_MAX]
 *
 * Positions are bytes and only grow; the place of a record is pos & (size-1),
 * size a power of two.  A record is never split: where it would pass the end
 * it runs on into the slack, and the next one starts where the position says.
 * So there are no pad records, and a producer that reserves with one xadd
 * (a signal handler may interrupt it and reserve, too) needs no retry.
 *
 * A record is committed by a release store of its first 8 bytes (size, kind,
 * flags) without TRACER_EVF_PENDING.  Memory between tail and head that no
 * record was started in reads as zero: the consumer clears what it consumed
 * before it moves tail.
 */
#ifndef RING_ABI_H
#define RING_ABI_H

#include <stdint.h>
#include <tracer/event.h>

#define RING_MAGIC 0x31676e7263617274ull	/* "tracrng1" */

struct ring_header {
	uint64_t magic;
	uint64_t size;		/* bytes of data[], power of two */
	uint64_t reserved0[6];
	/* producer's line */
	uint64_t head;		/* next position to reserve; atomic */
	uint64_t lost;		/* records refused (policy drop); atomic */
	uint64_t waits;		/* times the producer found no room; atomic */
	uint64_t waited_ticks;	/* ticks it waited; atomic */
	uint64_t reserved1[4];
	/* consumer's line */
	uint64_t tail;		/* oldest byte not yet consumed; atomic */
	uint32_t wake;		/* futex word: incremented when room was made for a waiter; atomic */
	uint32_t waiting;	/* producer sleeps on wake; atomic */
	uint64_t reserved2[6];
};

_Static_assert(sizeof(struct ring_header) == 192, "ring header is ABI");

#endif
