/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event count on a futex: wait until somebody has signalled since the
 * count was looked at.  signal() costs one system call only where someone
 * waits, and is async-signal-safe.
 */
#ifndef WAKE_H
#define WAKE_H

#include <stdatomic.h>
#include <stdint.h>

#define WAKE_NO_DEADLINE UINT64_MAX

struct wake { atomic_uint seq, waiters; };

void wake_init(struct wake *w);
/* Look at the count, then at the condition, then wait with that count. */
unsigned wake_load(struct wake *w);
/* Returns on a signal since load, at the deadline (CLOCK_MONOTONIC ns), or early. */
void wake_wait(struct wake *w, unsigned seen, uint64_t deadline);
void wake_signal(struct wake *w);

#endif
