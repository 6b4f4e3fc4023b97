/* SPDX-License-Identifier: Apache-2.0 */
/* The mix of call records for benchmarks.  Main thread; the caller owns the struct. */
#include "config.h"
#include "calls.h"
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include "capture/capture.h"
#include "syscalls/syscalls.h"

#define ARENA_BASE 0x10000u
#define RECORD_ROOM 1024u

/* Arguments that are text or bytes lie in the arena: their number and what they hold. */
struct row { const char *name; int64_t ret; uint64_t args[6]; int text_arg; const char *text; uint32_t len; };

static const uint8_t address[16] = { AF_INET, 0, 0x10, 0xde, 127, 0, 0, 1 };

static const struct row rows[BENCH_CALLS] = {
	{ "openat", 3, { (uint64_t)-100, 0, 02000000 }, 1, "/etc/ld.so.cache", 0 },
	{ "newfstatat", 0, { 3, 0, 0, 0x1000 }, 1, "", 0 },
	{ "mmap", 0x7f0000000000, { 0, 8192, 3, 0x22, (uint64_t)-1, 0 }, -1, NULL, 0 },
	{ "close", 0, { 3 }, -1, NULL, 0 },
	{ "openat", -2, { (uint64_t)-100, 0, 02000000 }, 1, "/usr/lib/x86_64-linux-gnu/glibc-hwcaps/libselinux.so.1", 0 },
	{ "read", 64, { 3, 0, 4096 }, 1, "\177ELF\002\001\001 a read of sixty-four bytes, most of them printable text.", 64 },
	{ "newfstatat", 0, { (uint64_t)-100, 0, 0, 0x100 }, 1, "/usr/include/x86_64-linux-gnu/sys", 0 },
	{ "getdents64", 0, { 4, 0, 32768 }, -1, NULL, 0 },
	{ "openat", 4, { (uint64_t)-100, 0, 0202000 }, 1, "/usr/include/linux", 0 },
	{ "write", 19, { 1, 0, 19 }, 1, "one line of output\n", 19 },
	{ "lseek", 4096, { 3, 4096, 0 }, -1, NULL, 0 },
	{ "connect", -111, { 5, 0, 16 }, 1, (const char *)address, 16 },
	{ "getpid", 4242, { 0 }, -1, NULL, 0 },
	{ "brk", 0x555500000000, { 0 }, -1, NULL, 0 },
	{ "access", -2, { 0, 4 }, 0, "/etc/ld.so.preload", 0 },
	{ "close", 0, { 4 }, -1, NULL, 0 },
};

static ssize_t arena_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
	struct bench_calls *c = ctx;

	if (addr < ARENA_BASE || addr >= ARENA_BASE + sizeof(c->arena))
		return -14;
	if (n > ARENA_BASE + sizeof(c->arena) - addr)
		n = ARENA_BASE + sizeof(c->arena) - addr;
	memcpy(buf, c->arena + (addr - ARENA_BASE), n);
	return (ssize_t)n;
}

uint32_t bench_calls_capture(struct bench_calls *c, unsigned i, struct tracer_ev_call *out)
{
	static const struct capture_limits limits = { 32, 4096, 64, 16384 };
	const struct mem_reader reader = { c, arena_read };
	const struct tracer_ev_call *from = &c->rec[i].u.ev;
	const struct syscall_desc *d = syscall_lookup(TRACER_ABI_X86_64, from->head.nr);

	memcpy(out, from, sizeof(*from) + 8u * from->nargs);
	out->head.size = (uint32_t)sizeof(*from) + 8u * from->nargs;
	out->ncaptures = 0;
	capture_run(d->capture, &limits, &reader, CAP_F_ENTER, out, RECORD_ROOM);
	capture_run(d->capture, &limits, &reader, 0, out, RECORD_ROOM);
	return out->head.size;
}

static uint64_t arena_add(struct bench_calls *c, const struct row *r)
{
	uint32_t n = r->len ? r->len : (uint32_t)strlen(r->text) + 1, at = c->used;

	memcpy(c->arena + at, r->text, n);
	c->used = (at + n + 15) & ~15u;
	return ARENA_BASE + at;
}

static int load_row(struct bench_calls *c, unsigned i)
{
	const struct row *r = &rows[i];
	int nr = syscall_number(TRACER_ABI_X86_64, r->name);
	struct tracer_ev_call *ev = &c->rec[i].u.ev, again[RECORD_ROOM / sizeof(*ev)];

	if (nr < 0)
		return -1;
	*ev = (struct tracer_ev_call){ .head = { .kind = TRACER_EV_CALL, .tid = 10, .nr = nr },
				       .ret = r->ret };
	ev->start = 100000 + 1000 * i;
	ev->head.time = ev->start + 700;
	ev->head.flags = r->ret < 0 && r->ret > -4096 ? TRACER_EVF_ERROR : 0;
	ev->nargs = syscall_lookup(TRACER_ABI_X86_64, nr)->nargs;
	memcpy(ev->args, r->args, 8u * ev->nargs);
	if (r->text_arg >= 0)
		ev->args[r->text_arg] = arena_add(c, r);
	memcpy(ev, again, bench_calls_capture(c, i, again));
	return 0;
}

int bench_calls_init(struct bench_calls *c)
{
	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < BENCH_CALLS; i++)
		if (load_row(c, i) < 0)
			return -1;
	return 0;
}
