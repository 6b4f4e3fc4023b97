/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed mix of call records, as an engine would make them: their memory is
 * copied by the real capture plans from an arena that plays the traced
 * program.  What the shell, the linker and find(1) do most: openat, read,
 * write, close, newfstatat, getdents64, mmap, execve, connect, getpid.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include <stdint.h>
#include <tracer/event.h>

#define BENCH_CALLS 16u

struct bench_calls {
	uint8_t arena[16384];
	uint32_t used;
	struct {
		union {
			struct tracer_ev_call ev;
			struct tracer_event head;
			uint8_t room[1024];
			uint64_t align;
		} u;
	} rec[BENCH_CALLS];
};

/* 0, or -1 where the table lacks a call. */
int bench_calls_init(struct bench_calls *c);
/* Captures record i again, into out (1024 bytes); its size. */
uint32_t bench_calls_capture(struct bench_calls *c, unsigned i, struct tracer_ev_call *out);

#endif
