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
 * flags) without TRACER_EVF_PENDING.
 *
 * Two kinds of producer:
 *
 * Private ring (the supervisor's, memory of the tracer alone): one reservation
 * at a time; head moves when the record is committed, so the consumer sees
 * committed records only, and memory behind head may hold anything.
 *
 * Shared ring (a task records into it from inside the tracee): head moves when
 * room is reserved, by a plain xadd on the one thread that writes.
 *  1. Memory between tail and head + slack that no record was started in reads
 *     as zero: the consumer clears what it consumed before it moves tail, and a
 *     producer clears what it wrote behind a record's final end.
 *  2. Right after the xadd the producer writes the first word: size and
 *     TRACER_EVF_PENDING.  Until then the consumer sees zero and waits.
 *  3. Where the xadd took more than there was (a signal handler came between
 *     looking and reserving), the producer takes it back by xadd of -size
 *     before it writes anything; a handler meanwhile finds no room, either.
 *  4. A pending record may lie in front of committed ones: a signal handler
 *     made calls while the interrupted one is open.  The consumer passes it by
 *     as soon as there is a record behind it, hands out what is behind, and
 *     comes back for it; tail stays in front of it.  So the order in a ring is
 *     that of reservation, but for records that were passed by, which come
 *     when they are committed.
 *  5. Every pending record is settled sooner or later, in one of three ways, by
 *     the task itself, or by the supervisor while the task is stopped or gone
 *     (ring_settle(), on the tracer's own mapping):
 *       committed    TRACER_EV_CALL;
 *       abandoned    TRACER_EV_ENTER: the call never came back here (longjmp
 *                    over it, exec, death); who abandons a record of a living
 *                    task makes sure that the task will not write to it again;
 *       discarded    TRACER_EV_NONE: as if it had not been (rolled back to the
 *                    site; the call will be made again).
 *     A closed ring's pending records are abandoned by the consumer.  A pending
 *     record that keeps more than half of the ring from being reused shows in
 *     ring_stuck().  None should: a ring has one task, whose record is settled
 *     before a handler of it runs (engine/inproc_signal.c).
 *  6. A record's final size may be smaller than what was reserved.  The rest is
 *     given back in one of two ways, before the record is committed:
 *     cmpxchg(head, pos + reserved, pos + final), which works for the newest
 *     reservation only (what was written to the rest is cleared first); else a
 *     filler: one 8-byte word of kind TRACER_EV_NONE and the size of the rest,
 *     where the position pos + final says (which is not behind the record when
 *     that one ends in the slack).
 *  7. No room: producer sets waiting, looks again, and sleeps on wake; or it
 *     counts lost.  dead: the consumer has seen a bad record and will never
 *     drain again; the producer stops recording.
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
	uint64_t latest;	/* position of the producer's latest reservation */
	uint64_t records;	/* how many the producer has committed */
	uint32_t output;	/* odd: in a call that may write to a terminal (AGENT_OUTPUT); counts; atomic */
	uint32_t reserved1[3];
	/* consumer's line */
	uint64_t tail;		/* oldest byte not yet consumed; atomic */
	uint32_t wake;		/* futex word: incremented when room was made for a waiter; atomic */
	uint32_t waiting;	/* producer sleeps on wake; atomic */
	uint32_t dead;		/* consumer gave up on this ring; atomic */
	uint32_t reserved2[11];
};

_Static_assert(sizeof(struct ring_header) == 192, "ring header is ABI");

#endif
