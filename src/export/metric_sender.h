/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends metric requests from a thread of its own, one after the other.  What
 * could not be sent now (the collector is away) waits for the next one, up to
 * a limit of bytes; then the oldest are dropped and counted.
 */
#ifndef METRIC_SENDER_H
#define METRIC_SENDER_H

#include <stdbool.h>
#include <stdint.h>
#include "export/otlp_metrics.h"
#include "export/export_times.h"
#include "export/span_exporter.h"

#define METRIC_SENDER_BYTES (16u << 20)

struct metric_sender_stats {
	uint64_t requests, points, exported, rejected, failed;	/* points = exported + rejected + failed in the end */
	uint64_t inflight;		/* points of the request that is under way */
	uint64_t bytes, wire_bytes, retries;
	bool ever_succeeded, circuit_open;
	char last_error[256];
};

struct metric_sender;
/* Takes the exporter (of otlp_http_exporter_new, for metrics) over on success. */
int metric_sender_start(struct metric_sender **out, struct span_exporter *exporter, uint64_t timeout_ns);
/* Takes the body. */
void metric_sender_push(struct metric_sender *s, struct metric_body *body);
/* Nothing waits to be sent, so that another interval would not pile up. */
bool metric_sender_idle(struct metric_sender *s);
/* Sends what waits, until the deadline (CLOCK_MONOTONIC ns); stops the thread. */
void metric_sender_shutdown(struct metric_sender *s, uint64_t deadline);
void metric_sender_abort(struct metric_sender *s);	/* any thread, async-signal-safe */
void metric_sender_stats(struct metric_sender *s, struct metric_sender_stats *out);
void metric_sender_load_times(struct metric_sender *s, struct export_times *out, bool reset);
void metric_sender_free(struct metric_sender *s);	/* and the exporter */

#endif
