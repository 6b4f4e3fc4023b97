/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups in the syscall table, and which failures are ordinary.  The table
 * itself is generated (syscalls-gen.h) and constant; every thread may ask.
 */
#include "config.h"
#include "syscalls/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "syscalls/syscalls-gen.h"

#define NAME_MAX_LEN 40u	/* the longest name has 28 letters */

/* What the kernel answers to itself: include/linux/errno.h. */
#define KERNEL_RESTART_FIRST	512	/* ERESTARTSYS */
#define KERNEL_RESTART_LAST	516	/* ERESTART_RESTARTBLOCK */

static const struct { const struct syscall_desc *calls; int max; } tables[TRACER_ABIS] = {
	[TRACER_ABI_X86_64] = { calls_x86_64, sizeof(calls_x86_64) / sizeof(calls_x86_64[0]) },
	[TRACER_ABI_I386] = { calls_i386, sizeof(calls_i386) / sizeof(calls_i386[0]) },
};

#define ROWS (sizeof(row_names) / sizeof(row_names[0]))

static const struct capture_plan generic_plans[] = {
	{ .nargs = TRACER_ARGS_MAX, .wordsize = 8 },
	{ .nargs = TRACER_ARGS_MAX, .wordsize = 4 },
};

#define GENERIC(plan) { \
	.name = "unknown", .nargs = TRACER_ARGS_MAX, .id = ROWS, .capture = (plan), \
	.args = { ARG_HEX, ARG_HEX, ARG_HEX, ARG_HEX, ARG_HEX, ARG_HEX }, \
	.len_args = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, \
	.arg_names = { "arg0", "arg1", "arg2", "arg3", "arg4", "arg5" }, \
	.path_arg = -1, .fd_arg = -1, .peer_arg = -1 }

static const struct syscall_desc generic[] = { GENERIC(&generic_plans[0]), GENERIC(&generic_plans[1]) };

const struct syscall_desc *syscall_lookup(int abi, int nr)
{
	const struct syscall_desc *d;

	if (abi < 0 || abi >= TRACER_ABIS || nr < 0 || nr >= tables[abi].max)
		return NULL;
	d = &tables[abi].calls[nr];
	return d->name ? d : NULL;
}

const struct syscall_desc *syscall_generic(int abi)
{
	return &generic[abi == TRACER_ABI_I386];
}

int syscall_number(int abi, const char *name)
{
	for (int nr = 0; nr < syscall_max(abi); nr++)
		if (tables[abi].calls[nr].name && tables[abi].calls[nr].name[0] == name[0] &&
		    !strcmp(tables[abi].calls[nr].name, name))
			return nr;
	return -ENOENT;
}

int syscall_max(int abi)
{
	return abi < 0 || abi >= TRACER_ABIS ? 0 : tables[abi].max;
}

const char *syscall_name(int abi, int nr, char buf[24])
{
	const struct syscall_desc *d = syscall_lookup(abi, nr);

	if (d)
		return d->name;
	snprintf(buf, 24, "syscall_0x%x", (unsigned)nr);
	return buf;
}

unsigned syscall_rows(void)
{
	return ROWS;
}

const char *syscall_row_name(unsigned id)
{
	return id < ROWS ? row_names[id] : NULL;
}

/* Edits (insert, delete, change, swap of neighbours) from a to b. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][NAME_MAX_LEN + 1];

	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *cur = rows[i % 3], *up = rows[(i - 1) % 3], *upup = rows[(i + 1) % 3];

		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    upup[j - 2] + 1 < best)
				best = upup[j - 2] + 1;
			cur[j] = best;
		}
	}
	return rows[na % 3][nb];
}

const char *syscall_nearest(const char *name)
{
	size_t n = strlen(name);
	unsigned best = (unsigned)(n < 4 ? 1 : n / 3) + 1;	/* more than that is no typing error */
	const char *found = NULL;

	if (n > NAME_MAX_LEN)
		return NULL;
	for (unsigned id = 0; id < ROWS; id++) {
		size_t m = strlen(row_names[id]);
		unsigned d = m > NAME_MAX_LEN ? best : distance(name, n, row_names[id], m);

		if (d < best) {
			best = d;
			found = row_names[id];
		}
	}
	return found;
}

static bool listed(const int16_t *list, int err)
{
	for (; list && *list; list++)
		if (*list == err)
			return true;
	return false;
}

/* Argument whose set is x, or -1. */
static int arg_of_set(const struct syscall_desc *d, const struct xlat *x)
{
	for (int i = 0; i < d->nargs; i++)
		if (d->sets[i] == x)
			return i;
	return -1;
}

static const struct tracer_capture *capture_of(const struct tracer_ev_call *c, int arg)
{
	const uint8_t *p = (const uint8_t *)&c->args[c->nargs], *end = (const uint8_t *)c + c->head.size;

	for (unsigned i = 0; i < c->ncaptures && p + sizeof(struct tracer_capture) <= end; i++) {
		const struct tracer_capture *cap = (const void *)p;

		if (cap->len > (size_t)(end - cap->bytes))
			return NULL;
		if (cap->arg == arg)
			return cap;
		p = cap->bytes + TRACER_ALIGN8(cap->len);
	}
	return NULL;
}

static bool readonly(const struct syscall_desc *d, const struct tracer_ev_call *c)
{
	int i = arg_of_set(d, &xlat_open_flags);
	uint64_t flags;

	if (i >= 0 && i < c->nargs) {
		flags = c->args[i];
	} else {	/* openat2: first member of struct open_how */
		const struct tracer_capture *cap = capture_of(c, 2);

		if (d->args[2] != ARG_OPEN_HOW || !cap || cap->len < sizeof(flags))
			return false;
		memcpy(&flags, cap->bytes, sizeof(flags));
	}
	return (flags & (O_ACCMODE | O_CREAT)) == O_RDONLY;
}

static bool nohang(const struct syscall_desc *d, const struct tracer_ev_call *c)
{
	int i = arg_of_set(d, &xlat_wait_options);

	return i >= 0 && i < c->nargs && (c->args[i] & WNOHANG);
}

/* glibc asks the name service cache daemon first, whether it runs or not. */
static bool nscd(const struct tracer_ev_call *c)
{
	static const char path[] = "/var/run/nscd/";
	const struct tracer_capture *cap = capture_of(c, 1);
	const size_t off = offsetof(struct sockaddr_un, sun_path);
	uint16_t family;

	if (!cap || cap->len < off + sizeof(path) - 1)
		return false;
	memcpy(&family, cap->bytes, sizeof(family));
	return family == AF_UNIX && !memcmp(cap->bytes + off, path, sizeof(path) - 1);
}

static bool probe(const struct syscall_desc *d, const struct tracer_ev_call *c)
{
	for (int i = 0; i < d->nargs && i < c->nargs; i++)
		if (d->args[i] == ARG_SIGNAL)
			return (uint32_t)c->args[i] == 0;
	return false;
}

static bool condition(const struct syscall_desc *d, const struct tracer_ev_call *c)
{
	switch (d->condition) {
	case ORDINARY_IF_READONLY: return readonly(d, c);
	case ORDINARY_IF_NOHANG: return nohang(d, c);
	case ORDINARY_IF_NSCD: return nscd(c);
	case ORDINARY_IF_PROBE: return probe(d, c);
	default: return true;
	}
}

bool syscall_ordinary(const struct syscall_desc *d, const struct tracer_ev_call *c, int err)
{
	if (err == EINTR || err == ENOSYS || (err >= KERNEL_RESTART_FIRST && err <= KERNEL_RESTART_LAST))
		return true;
	if (listed(d->ordinary, err))
		return true;
	return listed(d->ordinary_if, err) && condition(d, c);
}
