/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A span exporter, as the OpenTelemetry SDK specification has it: export()
 * calls are serialised, on the exporter thread; the spans stay the caller's.
 */
#ifndef SPAN_EXPORTER_H
#define SPAN_EXPORTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "span/span.h"

/* REFUSED: nothing was sent, the collector cannot be reached; the same spans
 * may be given again after hold() has passed. */
enum export_result { EXPORT_OK = 0, EXPORT_PARTIAL, EXPORT_FAILED, EXPORT_TIMEOUT, EXPORT_REFUSED };

struct export_outcome {
	enum export_result result;
	uint64_t accepted;		/* spans that the collector took */
	uint64_t rejected;		/* spans, as partial success says */
	uint64_t spooled;		/* spans of this batch that went to disk */
	uint64_t unspooled, rejected_late;	/* spans from disk: delivered now, refused for good */
	bool permanent;			/* failed, and would again: the collector said so */
	uint64_t bytes, wire_bytes;	/* before and after compression, of all attempts */
	uint32_t attempts;
	int http_status;		/* 0 none */
	int rpc_status;			/* gRPC: code; else -1 */
	char message[256];		/* for the user, may be empty */
};

struct span_exporter;
struct span_exporter_ops {
	const char *name;
	/* deadline: CLOCK_MONOTONIC ns for all attempts together. */
	void (*export)(struct span_exporter *e, struct span *const *spans, size_t n,
		       uint64_t deadline, struct export_outcome *out);
	/* ns until an export is worth trying; 0 now.  last_chance: at a flush;
	 * UINT64_MAX then says that waiting or trying is useless.  NULL: always 0. */
	uint64_t (*hold)(struct span_exporter *e, uint64_t now, bool last_chance);
	/* Puts the spans where they are not lost, without the network, also after an
	 * abort; out as of export().  NULL: there is no such place. */
	void (*keep)(struct span_exporter *e, struct span *const *spans, size_t n, struct export_outcome *out);
	/* From any thread and from signal handlers: abort a running export
	 * soon (shutdown, second SIGINT) and refuse later ones. */
	void (*abort)(struct span_exporter *e);
	void (*free)(struct span_exporter *e);
};
struct span_exporter {
	const struct span_exporter_ops *ops;
	/* Set by the exporter while its last attempt has failed: who waits for
	 * it then waits for a dead collector.  Read by the producer. */
	atomic_bool failing;
	atomic_bool circuit_open;
	/* The caller's, may be NULL: the spans that export() will be given next, if a whole batch waits, else 0.  Asked
	 * on the exporter thread while an answer is awaited, so that they are encoded in that time. */
	size_t (*ahead)(void *ctx, struct span *const **spans);
	void *ahead_ctx;
};

#endif
