/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remote memory.  Runs on the supervisor thread; a struct mem is owned by the
 * process entry that it belongs to.
 */
#include "config.h"
#include "tracee/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "tracee/proc_fs.h"

void mem_init(struct mem *m, pid_t pid)
{
	*m = (struct mem){ .pid = pid, .fd = -1 };
}

int mem_open(struct mem *m, bool write)
{
	char path[32];
	int fd;

	mem_close(m);
	m->indirect = false;
	m->err = proc_path_format(path, sizeof(path), m->pid, "mem");
	if (m->err < 0)
		return m->err;
	fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	m->err = fd < 0 ? -errno : 0;
	if (fd < 0)
		return m->err;
	m->fd = fd;
	m->writable = write;
	return 0;
}

void mem_close(struct mem *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
	m->writable = false;
}

static ssize_t direct_read(const struct mem *m, uint64_t addr, void *buf, size_t n)
{
	struct iovec local = { .iov_base = buf, .iov_len = n };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)addr, .iov_len = n };
	ssize_t r = process_vm_readv(m->pid, &local, 1, &remote, 1, 0);

	return r < 0 ? -errno : r;
}

/* The descriptor of an address space that is gone reads 0 bytes; a bad address gives EIO. */
static ssize_t file_read(const struct mem *m, uint64_t addr, void *buf, size_t n)
{
	ssize_t r;

	if (m->fd < 0)
		return -EPERM;
	if (addr > INT64_MAX)
		return -EFAULT;
	r = pread(m->fd, buf, n, (off_t)addr);
	if (r < 0)
		return errno == EIO ? -EFAULT : -errno;
	return r ? r : -ESRCH;
}

ssize_t mem_read(struct mem *m, uint64_t addr, void *buf, size_t n)
{
	ssize_t r = -EPERM;

	if (!n)
		return 0;
	if (!m->indirect)
		r = direct_read(m, addr, buf, n);
	/* ESRCH: the leader is a zombie while its threads live on */
	if (r == -EPERM || r == -ESRCH || r == -ENOSYS) {
		if (r != -ESRCH)
			m->indirect = true;
		r = file_read(m, addr, buf, n);
	}
	return r;
}

/* Word by word: the way that stays when the kernel forbids forced writes through /proc. */
static int poke_write(pid_t pid, uint64_t addr, const uint8_t *p, size_t n)
{
	while (n) {
		uint64_t at = addr & ~(uint64_t)7;
		size_t off = (size_t)(addr - at), chunk = 8 - off < n ? 8 - off : n;
		long word;

		if (syscall(SYS_ptrace, PTRACE_PEEKTEXT, (long)pid, at, &word) < 0)
			return -errno;
		memcpy((uint8_t *)&word + off, p, chunk);
		if (syscall(SYS_ptrace, PTRACE_POKETEXT, (long)pid, at, word) < 0)
			return -errno;
		addr += chunk;
		p += chunk;
		n -= chunk;
	}
	return 0;
}

int mem_write(struct mem *m, uint64_t addr, const void *buf, size_t n)
{
	ssize_t r = -1;

	if (m->fd >= 0 && m->writable && addr <= INT64_MAX)
		r = pwrite(m->fd, buf, n, (off_t)addr);
	if (r == (ssize_t)n)
		return 0;
	return poke_write(m->pid, addr, buf, n);
}
