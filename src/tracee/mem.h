/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of a traced process.  process_vm_readv is the faster way; the
 * /proc/PID/mem descriptor, opened at exec and kept, is the lasting one: it
 * goes on working when the process becomes non-dumpable, and it can write
 * read-only pages.  Supervisor thread only.
 */
#ifndef TRACEE_MEM_H
#define TRACEE_MEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mem {
	pid_t pid;
	int fd;			/* /proc/PID/mem, -1: none */
	bool indirect;		/* process_vm_readv was refused: only fd is left */
	bool writable;		/* fd is open for writing */
	int err;		/* why fd could not be opened, 0 or -errno */
};

/* Not opened yet: process_vm_readv only. */
void mem_init(struct mem *m, pid_t pid);
/* Opens the descriptor; after exec again, since it belongs to one address
 * space.  0, or -errno: -EACCES or -EPERM for a process that is not dumpable. */
int mem_open(struct mem *m, bool write);
void mem_close(struct mem *m);

/* Bytes copied (short where an unmapped page begins), or -errno:
 * -EFAULT nothing is mapped there, -EPERM it may not be read. */
ssize_t mem_read(struct mem *m, uint64_t addr, void *buf, size_t n);
/* 0, or -errno where not all n bytes could be written. */
int mem_write(struct mem *m, uint64_t addr, const void *buf, size_t n);

#endif
