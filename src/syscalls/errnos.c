/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of errors and signals, and constants by value.  Constant data, no
 * state: every thread may ask.
 */
#include "config.h"
#include "syscalls/syscalls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "syscalls/errnos-gen.h"

/* The kernel's first real-time signal; libc hides some of them (signal(7)). */
#define KERNEL_SIGRTMIN 32
#define KERNEL_SIGRTMAX 64

const char *errno_name(int err)
{
	if (err < 0 || (size_t)err >= sizeof(errnos) / sizeof(errnos[0]))
		return NULL;
	return errnos[err].name;
}

const char *errno_text(int err)
{
	if (err < 0 || (size_t)err >= sizeof(errnos) / sizeof(errnos[0]))
		return NULL;
	return errnos[err].text;
}

const char *signal_name(int sig, char buf[16])
{
	const char *name = sig > 0 ? xlat_lookup(&xlat_signal, (uint64_t)sig) : NULL;

	if (name)
		return name;
	if (sig == KERNEL_SIGRTMIN)
		return "SIGRTMIN";
	if (sig > KERNEL_SIGRTMIN && sig <= KERNEL_SIGRTMAX)
		snprintf(buf, 16, "SIGRT_%d", sig - KERNEL_SIGRTMIN);
	else
		snprintf(buf, 16, "%d", sig);
	return buf;
}

static int realtime_number(const char *name)
{
	char *end;
	long n;

	if (!strcasecmp(name, "RTMIN"))
		return KERNEL_SIGRTMIN;
	if (!strcasecmp(name, "RTMAX"))
		return KERNEL_SIGRTMAX;
	if (strncasecmp(name, "RT_", 3) != 0 || name[3] < '0' || name[3] > '9')
		return -ENOENT;
	n = strtol(name + 3, &end, 10);
	return *end || n > KERNEL_SIGRTMAX - KERNEL_SIGRTMIN ? -ENOENT : KERNEL_SIGRTMIN + (int)n;
}

int signal_number(const char *name)
{
	if (!strncasecmp(name, "SIG", 3))
		name += 3;
	for (unsigned i = 0; i < xlat_signal.count; i++)
		if (!strcasecmp(xlat_signal.entries[i].name + 3, name))
			return (int)xlat_signal.entries[i].value;
	if (!strcasecmp(name, "CLD"))
		return signal_number("CHLD");
	if (!strcasecmp(name, "IOT"))
		return signal_number("ABRT");
	if (!strcasecmp(name, "POLL"))
		return signal_number("IO");
	return realtime_number(name);
}

static const char *search(const struct xlat *x, uint64_t value)
{
	unsigned lo = 0, hi = x->count;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (x->entries[mid].value == value)
			return x->entries[mid].name;
		if (x->entries[mid].value < value)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const char *xlat_lookup(const struct xlat *x, uint64_t value)
{
	const char *name;

	if (!x->flags) {
		name = search(x, value);
		return name || !x->base ? name : xlat_lookup(x->base, value);
	}
	for (unsigned i = 0; i < x->count; i++)
		if (x->entries[i].value == value)
			return x->entries[i].name;
	return NULL;
}

const struct xlat *xlat_set(const char *name)
{
	for (unsigned i = 0; xlat_sets[i]; i++)
		if (!strcmp(xlat_sets[i]->name, name))
			return xlat_sets[i];
	return NULL;
}
