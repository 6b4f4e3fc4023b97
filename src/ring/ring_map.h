/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for a ring: private to the tracer, or a sealed memfd that a tracee
 * maps, too.
 */
#ifndef RING_MAP_H
#define RING_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_map {
	void *mem;
	size_t bytes;		/* ring_bytes(size) */
	int fd;			/* memfd, close-on-exec; -1: private */
};

/* Zeroed memory for a ring of this size, not laid out yet.  -EINVAL, -ENOMEM or
 * what memfd_create says. */
int ring_map_open(struct ring_map *m, uint64_t size, bool shared);
void ring_map_close(struct ring_map *m);

#endif
