/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording: this header, then event records as they came, then an end mark.
 *
 * The first record is a clock record; more follow, each in front of the
 * records that its line is needed for.  The end mark is a bare record head of
 * kind TRACER_EV_NONE whose time field holds the number of records before it;
 * a file without one was cut short.  Not promised to stay: a reader takes its
 * own version only.
 */
#ifndef RECORDING_H
#define RECORDING_H

#include <stddef.h>
#include <stdint.h>
#include <tracer/event.h>

#define RECORDING_VERSION 1u

struct recording_header {
	char magic[8];			/* "TRACERv\n" */
	uint32_t version;		/* RECORDING_VERSION, in the writer's byte order */
	uint32_t event_version;		/* TRACER_EVENT_VERSION */
	uint32_t header_size;		/* where the first record is */
	uint32_t abi;			/* enum tracer_abi of the writer's machine */
	uint64_t reserved0[5];
};

_Static_assert(sizeof(struct recording_header) == 64, "recording header is a format");

/* For a fresh file. */
void recording_init(struct recording_header *h);
/* 0, or -TRACER_ERR_FORMAT with one line of reason. */
int recording_check(const struct recording_header *h, char *why, size_t whylen);

#endif
