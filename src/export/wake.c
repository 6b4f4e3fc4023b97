/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event count on a futex.  Any thread; the struct belongs to whoever embeds
 * it and must outlive the waiters.
 */
#include "config.h"
#include "export/wake.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void wake_init(struct wake *w)
{
	atomic_init(&w->seq, 0);
	atomic_init(&w->waiters, 0);
}

unsigned wake_load(struct wake *w)
{
	return atomic_load_explicit(&w->seq, memory_order_seq_cst);	/* pairs with wake_signal */
}

void wake_wait(struct wake *w, unsigned seen, uint64_t deadline)
{
	struct timespec ts = { .tv_sec = (time_t)(deadline / 1000000000u), .tv_nsec = (long)(deadline % 1000000000u) };

	/* Announced before the kernel compares seq: a signal that does not see
	 * the waiter has changed seq already. */
	atomic_fetch_add_explicit(&w->waiters, 1, memory_order_seq_cst);
	syscall(SYS_futex, &w->seq, FUTEX_WAIT_BITSET_PRIVATE, seen, deadline == WAKE_NO_DEADLINE ? NULL : &ts, NULL,
		FUTEX_BITSET_MATCH_ANY);
	atomic_fetch_sub_explicit(&w->waiters, 1, memory_order_relaxed);
}

void wake_signal(struct wake *w)
{
	int saved = errno;

	atomic_fetch_add_explicit(&w->seq, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&w->waiters, memory_order_seq_cst))
		syscall(SYS_futex, &w->seq, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	errno = saved;
}
