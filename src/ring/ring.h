/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single-producer single-consumer event ring over memory that the caller
 * mapped (see ring_map.h).  The supervisor writes one for all that it sees at
 * stops; each in-process task writes its own.  Who may do what to a record is
 * written down in ring_abi.h.
 *
 * Producer of a private ring: ring_reserve() -> fill -> ring_commit() or
 * ring_discard(); one reservation at a time.  Never blocks: NULL means no room
 * now.  (Shared rings are written by the agent's own code.)
 * Consumer: ring_peek() -> use -> ring_consume().
 */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ring/ring_abi.h"

/* Pending records that may be passed by at a time; more make the consumer wait. */
#define RING_PENDING_MAX 32u
#define RING_SIZE_MIN 4096u
#define RING_SIZE_MAX ((uint64_t)1 << 32)

/* Where a record lies: our own notes, the shared ones may change any time. */
struct ring_extent { uint64_t pos; uint32_t size; };

struct ring {
	/* constant after init */
	struct ring_header *hdr;	/* shared */
	uint8_t *data;			/* shared */
	uint64_t size;			/* our own copy: the shared one is not trusted */
	bool shared;			/* the tracee writes it */
	/* producer */
	uint64_t head;			/* own copy */
	uint64_t seen_tail;		/* consumer's tail when last looked */
	uint32_t reserved;		/* bytes of the open reservation, 0 none */
	/* consumer */
	uint64_t tail __attribute__((aligned(64)));	/* own copy; oldest byte not free */
	uint64_t published;		/* tail as the producer knows it */
	uint64_t forgotten;		/* pages in front of it are not in our memory: see pages_forget() */
	uint64_t scan;			/* next position to look at */
	struct ring_extent next;	/* record found, size 0 none */
	uint64_t next_word;		/* its first word, read once */
	uint64_t next_time;
	bool next_forced;		/* abandoned by us, may be half written */
	struct ring_extent pending[RING_PENDING_MAX];	/* passed by, in order of position */
	uint32_t npending;
	uint8_t *copy;			/* shared: TRACER_EVENT_MAX bytes for the record handed out */
	uint64_t high_water;		/* most bytes seen in use */
	uint64_t dropped;		/* records that did not pass the check, ring not given up */
	uint32_t stuck;			/* atomic: see ring_stuck() */
	uint32_t bad;			/* atomic: a bad record was seen, the ring is dead */
	bool closed;			/* no producer any more: pending records are abandoned */
};

/* Bytes to map for a ring of this data size (power of two, RING_SIZE_MIN..MAX);
 * 0 for another size. */
size_t ring_bytes(uint64_t size);

/* Lay out a fresh private ring in zeroed memory / lay out and join a shared one,
 * as its consumer (copy: where records are copied to before they are checked,
 * TRACER_EVENT_MAX bytes; one for many rings will do as long as one record is
 * in use at a time).  -EINVAL where size or header do not fit. */
int ring_init(struct ring *r, void *mem, uint64_t size);
int ring_init_shared(void *mem, uint64_t size);
int ring_open(struct ring *r, void *mem, size_t bytes, uint8_t *copy);

/* Room for a record of size bytes (multiple of 8, <= TRACER_EVENT_MAX); the
 * head's size field is set, the rest is not cleared.  NULL: no room now.  A
 * record larger than the ring never fits. */
struct tracer_event *ring_reserve(struct ring *r, uint32_t size);
/* Shrinks the reservation to ev->size (rounded up to 8) and publishes it.
 * Pairs with the acquire load in ring_peek(). */
void ring_commit(struct ring *r, struct tracer_event *ev);
void ring_discard(struct ring *r, struct tracer_event *ev);

/* Settle a pending record of a shared ring: kind is TRACER_EV_CALL, _ENTER or
 * _NONE; the size stays what was reserved.  Supervisor, task stopped or gone. */
void ring_settle(struct tracer_event *ev, uint8_t kind);
/* A pending record in front holds up more than half of the ring. */
bool ring_stuck(const struct ring *r);

/* Looks for the oldest committed record; its (unchecked) time.  False: none. */
bool ring_poll(struct ring *r, uint64_t *time);
/* The same record, checked: in place, or for a shared ring its copy.  NULL when
 * there is none or the ring turned out to be bad.  (A private ring is never
 * bad: its framing is our own, so a bad record is dropped and counted.) */
const struct tracer_event *ring_peek(struct ring *r);
/* Done with it.  True when the producer was told about new room. */
bool ring_consume(struct ring *r);
/* Tells the producer about all the room there is (consumer, before it sleeps). */
bool ring_publish(struct ring *r);
/* Consumer: this ring's records can't be believed; it is never read again. */
void ring_stop(struct ring *r);
/* Bytes in use as the producer sees it, at most size; any thread. */
uint64_t ring_used(const struct ring *r);

/* A record that may be believed: sizes, counts and kind are in range and
 * everything lies inside ev->size <= avail.  0 or -EBADMSG. */
int event_check(const struct tracer_event *ev, size_t avail);

/* i-th captured piece of a checked call, or NULL. */
const struct tracer_capture *event_capture(const struct tracer_ev_call *c, unsigned i);

#endif
