/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffered bytes to a descriptor, shared by the sinks that write files.  The
 * first error is reported once and remembered; from then on nothing is
 * written, and nobody else is told: the traced program must not notice.  The
 * session blocks SIGPIPE on the consumer thread.
 */
#ifndef SINK_WRITER_H
#define SINK_WRITER_H

#include "sink/sink.h"

#define SINK_BUFFER_MAX (4u << 20)	/* longest single piece */

struct sink_writer {
	struct strbuf buf;		/* what is not written yet; reused */
	struct sink_output out;
	const struct log *log;
	int error;			/* first one, negative */
};

void sink_writer_init(struct sink_writer *w, const struct sink_config *cfg);
/* After each piece: writes when enough has gathered. */
void sink_writer_tick(struct sink_writer *w);
int sink_writer_flush(struct sink_writer *w);	/* 0, or the first error */
/* Flushes, frees; the first error.  The descriptor stays open: it is the session's. */
int sink_writer_fini(struct sink_writer *w);

#endif
