/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exporter around the OTLP one that loses nothing: what the collector does
 * not take for now goes to disk and is sent later, in order, by this run as
 * soon as the collector answers, else by the next run or by `tracer send`.
 */
#ifndef SPOOL_EXPORTER_H
#define SPOOL_EXPORTER_H

#include "base/log.h"
#include "export/span_exporter.h"
#include "export/spool.h"

/* Takes inner (made by otlp_http_exporter_new) and spool over, also on error. */
int spool_exporter_new(struct span_exporter **out, struct span_exporter *inner, struct spool *spool,
		       const struct log *log);

/* Sends the unsent records of a segment, marking each that is through; stops
 * at the first that cannot be delivered now.  Returns whether it reached the
 * end; counts into out. */
struct spool_sent { uint64_t records, spans, rejected; char message[256]; };
bool spool_send(struct spool_reader *r, struct span_exporter *otlp, uint64_t deadline, struct spool_sent *out);

#endif
