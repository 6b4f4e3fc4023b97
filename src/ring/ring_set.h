/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All rings of a session, merged by time for the one consumer.
 *
 * Rings are added and closed by the supervisor while the consumer drains;
 * a closed ring stays until it is empty, then the consumer releases it.
 * ring_set_next() hands out the committed record with the smallest time over
 * all rings.  The supervisor's ring alone is in total order; between rings
 * the order is that of the clock, which is exact for causes and effects that
 * passed through the supervisor (a task record is committed before the
 * task's own ring is added).
 */
#ifndef RING_SET_H
#define RING_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ring/ring.h"

struct ring_set;

int ring_set_new(struct ring_set **out, size_t max_rings);
void ring_set_free(struct ring_set *s);
/* Before the first add, for records that are stamped while we run (not for a
 * replay): what is handed out is then in order of time over all rings, since
 * only records are looked at that are older than the look. */
void ring_set_set_clock(struct ring_set *s, enum tracer_clock_source source);

/* Supervisor.  Makes a private ring (mem NULL) or joins a shared one that was
 * laid out by ring_init_shared(); the set owns r afterwards.
 * release(ctx, mem) is called by the consumer once the ring is closed and
 * empty (for private memory, too, before it goes).  -ENOSPC: max_rings. */
int ring_set_add(struct ring_set *s, void *mem, uint64_t size,
		 void (*release)(void *ctx, void *mem), void *ctx, struct ring **out);
/* The producer has written its last; r is not to be used any more. */
void ring_set_close(struct ring_set *s, struct ring *r);
/* No ring will be added and all are closed: ring_set_next() may end. */
void ring_set_finish(struct ring_set *s);
/* Supervisor: consumer please look now (a ring is more than half full, a task waits). */
void ring_set_wake(struct ring_set *s);
/* Supervisor, after a commit to a private ring: wakes the consumer if it sleeps in
 * ring_set_wait_idle(), and makes no system call otherwise. */
void ring_set_bell(struct ring_set *s);

/* Consumer.  NULL: nothing now. */
const struct tracer_event *ring_set_next(struct ring_set *s);
void ring_set_consume(struct ring_set *s);	/* the record last returned by next */
bool ring_set_done(const struct ring_set *s);	/* finished and drained */
/* Sleep until woken or for at most ns. */
void ring_set_wait(struct ring_set *s, uint64_t ns);
/* The same until a private ring has a record, which its producer's bell tells at once.  Shared
 * rings have no bell (it would be a system call of the traced program): where
 * ring_set_shared() is not 0 they have to be looked at after a time. */
void ring_set_wait_idle(struct ring_set *s, uint64_t ns);
uint32_t ring_set_shared(const struct ring_set *s);	/* shared rings that are not released; atomic */
unsigned ring_set_fill(const struct ring_set *s);	/* consumer: percent of the fullest ring */
/* How many times room was made (the supervisor retries parked tasks when it changes); atomic. */
uint32_t ring_set_drained(const struct ring_set *s);
/* Supervisor with nothing else to do: sleep until drained is not seen any more,
 * or for at most ns. */
void ring_set_wait_drained(struct ring_set *s, uint32_t seen, uint64_t ns);

/* bad: rings given up; dropped: records that did not pass the check on others;
 * rings: added so far; high_water: of the fullest ring, bytes. */
struct ring_set_stats { uint64_t records, bytes, lost, waits, waited_ticks, bad, dropped, rings, high_water; };
/* Consumer, or anyone when it has ended. */
void ring_set_stats(const struct ring_set *s, struct ring_set_stats *out);

#endif
