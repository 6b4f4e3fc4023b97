/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what the program allocates: malloc and friends of this executable
 * take the place of libc's and call its real ones (glibc exports them under
 * __libc_ names).  Atomic counters, any thread.
 */
#include "config.h"
#include "bench.h"
#include <stdatomic.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t m);
extern void *__libc_realloc(void *p, size_t n);

static atomic_uint_fast64_t count, bytes;

static void add(size_t n)
{
	atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&bytes, n, memory_order_relaxed);
}

/* Visible, so that shared libraries (libcurl, libprotobuf-c) are counted, too. */
#define VISIBLE __attribute__((visibility("default")))

VISIBLE void *malloc(size_t n)
{
	add(n);
	return __libc_malloc(n);
}

VISIBLE void *calloc(size_t n, size_t m)
{
	add(n * m);
	return __libc_calloc(n, m);
}

VISIBLE void *realloc(void *p, size_t n)
{
	add(n);
	return __libc_realloc(p, n);
}

void bench_allocs(uint64_t *c, uint64_t *b)
{
	*c = atomic_load_explicit(&count, memory_order_relaxed);
	*b = atomic_load_explicit(&bytes, memory_order_relaxed);
}
