/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user wants to see: the language of -e.
 *
 *   trace=SET      calls: names, numbers, /regex, %class, all, none; comma
 *                  lists; `!` in front takes all but these; `?` in front of an
 *                  item lets it name nothing; `@64`, `@32` behind an item mean
 *                  one ABI.  The word trace= may be left out.
 *   status=SET     successful failed unfinished unavailable detached
 *   fd=SET         calls that use one of these descriptors
 *   signal=SET     signals that are shown
 *
 * The last SET of a kind counts.  Plain data, filled before the run, read by
 * every thread after that.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tracer/event.h>

#define FILTER_CALLS_MAX 1024u		/* numbers of an ABI, as ENGINE_CALLS_MAX */
#define FILTER_FDS_MAX 64u
#define FILTER_SIGNALS_MAX 65u

enum filter_status {
	FILTER_SUCCESSFUL = 0,	/* returned without an error */
	FILTER_FAILED,		/* returned with one */
	FILTER_UNFINISHED,	/* never returned */
	FILTER_UNAVAILABLE,	/* returned, but what is not known */
	FILTER_DETACHED,	/* we left before it returned */
	FILTER_STATUSES
};

struct filter {
	bool all;		/* every call, also those that have no row */
	bool fds_set, fds_but;	/* fd= was given; as `!` */
	uint8_t statuses;	/* bits of enum filter_status */
	uint8_t nfds;
	int32_t fds[FILTER_FDS_MAX];
	uint64_t calls[TRACER_ABIS][FILTER_CALLS_MAX / 64];
	uint64_t signals[2];
};

/* Everything is wanted. */
void filter_init(struct filter *f);
/* One argument of -e.  0, or -TRACER_ERR_USAGE with a line for the user in
 * why that says what to do; f is unchanged then. */
int filter_parse(struct filter *f, const char *spec, char *why, size_t whylen);
bool filter_wants(const struct filter *f, int abi, int nr);
bool filter_wants_status(const struct filter *f, enum filter_status s);
bool filter_wants_signal(const struct filter *f, int sig);
/* Without fd= every call is wanted, even one that has no descriptor (fd -1). */
bool filter_wants_fd(const struct filter *f, int fd);

#endif
