/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for rings.  Called on the supervisor; who opened a map closes it.
 */
#include "config.h"
#include "ring/ring_map.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "ring/ring.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u		/* linux/memfd.h, since 6.3 */
#endif

/* Sealed against resizing: a tracee that truncated it would kill us by SIGBUS. */
static int open_memfd(size_t bytes)
{
	int fd = memfd_create("tracer-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	int err;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("tracer-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int ring_map_open(struct ring_map *m, uint64_t size, bool shared)
{
	int err;

	*m = (struct ring_map){ .bytes = ring_bytes(size), .fd = -1 };
	if (!m->bytes)
		return -EINVAL;
	if (shared) {
		m->fd = open_memfd(m->bytes);
		if (m->fd < 0)
			return m->fd;
	}
	m->mem = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE,
		      shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, m->fd, 0);
	if (m->mem == MAP_FAILED) {
		err = -errno;
		m->mem = NULL;
		ring_map_close(m);
		return err;
	}
	return 0;
}

void ring_map_close(struct ring_map *m)
{
	if (!m)
		return;
	if (m->mem)
		munmap(m->mem, m->bytes);
	if (m->fd >= 0)
		close(m->fd);
	*m = (struct ring_map){ .fd = -1 };
}
