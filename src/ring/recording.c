/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header of a recording.  Pure; any thread.
 */
#include "config.h"
#include "ring/recording.h"
#include <stdio.h>
#include <string.h>
#include <tracer/error.h>

static const char magic[8] = "TRACERv\n";

void recording_init(struct recording_header *h)
{
	*h = (struct recording_header){
		.version = RECORDING_VERSION, .event_version = TRACER_EVENT_VERSION, .header_size = sizeof(*h),
	};
	memcpy(h->magic, magic, sizeof(magic));
#ifdef __aarch64__
	h->abi = TRACER_ABI_AARCH64;
#endif
}

int recording_check(const struct recording_header *h, char *why, size_t whylen)
{
	if (memcmp(h->magic, magic, sizeof(magic)) != 0) {
		snprintf(why, whylen, "not a recording (make one with: tracer -o FILE.trace COMMAND)");
	} else if (h->version == __builtin_bswap32(RECORDING_VERSION)) {
		snprintf(why, whylen, "recorded on a machine of the other byte order");
	} else if (h->version != RECORDING_VERSION || h->event_version != TRACER_EVENT_VERSION ||
		   h->header_size != sizeof(*h)) {
		snprintf(why, whylen, "recording of version %u.%u, this program reads %u.%u: record it again",
			 h->version, h->event_version, RECORDING_VERSION, TRACER_EVENT_VERSION);
	} else {
		return 0;
	}
	return -TRACER_ERR_FORMAT;
}
