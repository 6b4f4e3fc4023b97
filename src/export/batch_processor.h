/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch span processor with its bounded queue and exporter thread
 * (OpenTelemetry SDK specification, "Batching processor").  push() is called
 * by the consumer thread; everything behind it runs on the exporter thread,
 * which owns a span from push() until it is back in the pool.
 *
 * A batch goes out when batch_size spans wait, when delay_ns has passed since
 * the first of them, when batch_bytes (estimated serialised) are reached, or
 * at a flush.
 */
#ifndef BATCH_PROCESSOR_H
#define BATCH_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>
#include "base/log.h"
#include "export/span_exporter.h"
#include "span/span_pool.h"

enum overflow_policy { OVERFLOW_BLOCK = 0, OVERFLOW_DROP, OVERFLOW_SPOOL };

struct batch_config {
	uint32_t batch_size, queue_size;
	uint64_t delay_ns, export_timeout_ns, batch_bytes;
	enum overflow_policy overflow;
	uint64_t block_max_ns;		/* most time the producer may be held in a run */
};

struct batch_stats {
	uint64_t queued, exported, rejected, failed, dropped_full, dropped_shutdown;
	/* To disk; from there to the collector in this run, or refused by it for
	 * good.  queued = exported + rejected + failed + spooled + dropped_shutdown
	 * once all is through. */
	uint64_t spooled, unspooled, spool_rejected;
	uint64_t inflight;		/* given to the exporter, which is at it */
	uint64_t batches, bytes, wire_bytes, retries, blocked_ns, blocks;
	uint32_t queue_high_water, largest_batch;
	uint64_t last_success_mono_ns;
	int last_http_status;
	bool ever_succeeded, circuit_open;
	char last_error[256];
};

struct batch_processor;
struct export_times;

/* Takes the exporter over on success.  -EINVAL: sizes that do not fit together. */
int batch_processor_start(struct batch_processor **out, const struct batch_config *cfg,
			  struct span_exporter *exporter, struct span_pool *pool,
			  const struct log *log);
/* Takes the span whatever happens: queued, or counted as dropped and put back.
 * May wait as overflow says.  0, or -EAGAIN when it was dropped. */
int batch_processor_push(struct batch_processor *b, struct span *s);
/* Producer: the exporter gets on and has enough to do so without a pause; more spans would only wait.  Never so where spans
 * are rather dropped than waited for.  linger: until it wants more, or for a moment. */
bool batch_processor_ahead(struct batch_processor *b);
void batch_processor_linger(struct batch_processor *b);
/* Everything pushed before is through (exported, or counted as failed): 0;
 * -ETIMEDOUT at the deadline; -ENOTCONN at once where no collector has ever
 * answered and the circuit is open (the spans stay queued). */
int batch_processor_flush(struct batch_processor *b, uint64_t deadline_mono_ns);
/* Flush, stop the thread.  Later calls do nothing; later pushes are dropped and
 * counted.  What a closed circuit does not let through is counted as failed. */
int batch_processor_shutdown(struct batch_processor *b, uint64_t deadline_mono_ns);
void batch_processor_abort(struct batch_processor *b);	/* async-signal-safe: give up at once */
void batch_processor_stats(struct batch_processor *b, struct batch_stats *out);
/* How long exports took since the last call with reset, or since the start. */
void batch_processor_load_times(struct batch_processor *b, struct export_times *out, bool reset);
void batch_processor_free(struct batch_processor *b);	/* and the exporter */

#endif
