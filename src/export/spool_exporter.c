/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Export with a spool behind it.  Exporter thread; owns the inner exporter,
 * the spool, and an encoder and compressor of its own for what goes to disk.
 *
 * Order is kept: as long as something unsent lies in this run's segment, new
 * batches go behind it.  While the collector fails it is tried again after
 * growing pauses; in between batches go to disk at once, so the producer has
 * no reason to wait.  Spans that nobody waits for any more (abort, deadline) go
 * to disk without a try.
 *
 * Segments that runs before this one left (they were killed, or ended without a
 * collector) are sent behind our own spans, a little with each export.
 */
#include "config.h"
#include "export/spool_exporter.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "export/gzip.h"
#include "export/otlp_encode.h"
#include "export/otlp_exporter.h"

#define TRY_NS 3000000000u	/* for one batch, before it goes to disk */
#define DRAIN_NS 1000000000u	/* of each export for what lies on disk */
#define ADOPT_NS 100000000u	/* of each export for what other runs left */
#define PAUSE_FIRST_NS 1000000000u
#define PAUSE_MOST_NS 30000000000u

struct spool_exporter {
	struct span_exporter base;
	struct span_exporter *inner;
	struct spool *spool;
	struct otlp_encoder *encoder;
	struct gzip *gzip;
	const struct log *log;
	bool backlog, said;
	uint64_t retry_at, pause_ns;
	uint64_t left;			/* spans on disk that are not sent */
	char **found;			/* segments of other runs; NULL: not looked yet */
	int nfound, at;
	struct spool_reader adopted;	/* found[at], if open */
	uint64_t adopted_spans;
};

static struct spool_exporter *exporter_of(struct span_exporter *e)
{
	return (struct spool_exporter *)e;
}

static bool is_delivered(const struct export_outcome *out)
{
	return out->result == EXPORT_OK || out->result == EXPORT_PARTIAL;
}

bool spool_send(struct spool_reader *r, struct span_exporter *otlp, uint64_t deadline, struct spool_sent *out)
{
	struct spool_record rec;

	while (spool_reader_next(r, &rec) == 1) {
		struct export_outcome got;

		otlp_exporter_post(otlp, rec.payload, rec.len, true, rec.spans, deadline, &got);
		if (!is_delivered(&got) && !got.permanent) {
			snprintf(out->message, sizeof(out->message), "%s", got.message);
			r->pos = rec.offset;		/* again next time */
			return false;
		}
		/* What is refused for good must not be sent for ever. */
		out->rejected += rec.spans - got.accepted;
		out->spans += got.accepted;
		out->records++;
		if (!is_delivered(&got))
			snprintf(out->message, sizeof(out->message), "%s", got.message);
		spool_reader_mark_sent(r, &rec);
		if (clock_mono_ns() >= deadline)
			return false;
	}
	return true;
}

static void pause_start(struct spool_exporter *e)
{
	e->retry_at = clock_mono_ns() + e->pause_ns;
	e->pause_ns = e->pause_ns * 2 < PAUSE_MOST_NS ? e->pause_ns * 2 : PAUSE_MOST_NS;
}

/* Sends what this run has on disk: true when nothing is left there. */
static bool drain(struct spool_exporter *e, uint64_t deadline, struct export_outcome *out)
{
	uint64_t until = clock_mono_ns() + DRAIN_NS;
	struct spool_sent sent = { 0 };

	if (!e->backlog)
		return true;
	if (clock_mono_ns() < e->retry_at)
		return false;
	e->backlog = !spool_send(spool_own(e->spool), e->inner, until < deadline ? until : deadline, &sent);
	out->unspooled += sent.spans;
	out->rejected_late += sent.rejected;
	e->left -= sent.spans + sent.rejected;
	if (sent.records)
		e->pause_ns = PAUSE_FIRST_NS;
	else if (e->backlog)
		pause_start(e);
	return !e->backlog;
}

static int to_disk(struct spool_exporter *e, struct span *const *spans, size_t n)
{
	const uint8_t *body;
	size_t len;
	int err = otlp_encode_spans(e->encoder, spans, n, &body, &len);

	if (err == -E2BIG && n > 1) {
		err = to_disk(e, spans, n / 2);
		return err ? err : to_disk(e, spans + n / 2, n - n / 2);
	}
	if (!err)
		err = gzip_encode(e->gzip, body, len, &body, &len);
	return err ? err : spool_add(e->spool, body, len, (uint32_t)n);
}

static void keep(struct spool_exporter *e, struct span *const *spans, size_t n, struct export_outcome *out)
{
	int err = to_disk(e, spans, n);

	/* Without room on disk this is a failing collector like any other. */
	atomic_store_explicit(&e->base.failing, err != 0, memory_order_release);	/* pairs with the producer's load */
	if (err) {
		if (out->result == EXPORT_OK)
			out->result = EXPORT_FAILED;
		snprintf(out->message, sizeof(out->message), "spool %.100s: %s", spool_dir(e->spool),
			 err == -ENOSPC ? "no room (--otlp-spool-max, or the disk is full)" : strerror(-err));
		return;
	}
	if (!e->said)
		log_msg(e->log, LOG_WARN, "spans are kept in %s until the collector takes them", spool_dir(e->spool));
	e->said = e->backlog = true;
	e->left += n;
	out->result = EXPORT_OK;
	out->spooled = n;
}

/* Another run's segment that nobody works on. */
static bool adopt_open(struct spool_exporter *e)
{
	while (e->adopted.fd < 0 && e->at < e->nfound)
		if (spool_reader_open(&e->adopted, e->found[e->at]) < 0)
			e->at++;
	return e->adopted.fd >= 0;
}

static void adopt_close(struct spool_exporter *e)
{
	spool_reader_remove_if_done(&e->adopted);
	spool_reader_close(&e->adopted);
	e->at++;
}

/* The collector answers: a little of what lies there from before. */
static void adopt(struct spool_exporter *e, uint64_t deadline)
{
	uint64_t until = clock_mono_ns() + ADOPT_NS;
	struct spool_sent sent = { 0 };

	if (!e->found) {
		e->nfound = spool_list(spool_dir(e->spool), &e->found);
		if (e->nfound < 0)
			e->nfound = 0;
	}
	while (clock_mono_ns() < until && adopt_open(e)) {
		if (!spool_send(&e->adopted, e->inner, until < deadline ? until : deadline, &sent))
			break;
		adopt_close(e);
	}
	e->adopted_spans += sent.spans;
}

static void adopt_fini(struct spool_exporter *e)
{
	if (e->adopted.fd >= 0)
		adopt_close(e);
	for (int i = 0; i < e->nfound; i++)
		free(e->found[i]);
	free(e->found);
	if (e->adopted_spans)
		log_msg(e->log, LOG_INFO, "%llu spans of earlier runs were delivered from %s",
			(unsigned long long)e->adopted_spans, spool_dir(e->spool));
}

static void spool_keep(struct span_exporter *base, struct span *const *spans, size_t n, struct export_outcome *out)
{
	*out = (struct export_outcome){ .result = EXPORT_TIMEOUT, .rpc_status = -1 };
	keep(exporter_of(base), spans, n, out);
}

static void spool_export(struct span_exporter *base, struct span *const *spans, size_t n, uint64_t deadline,
			 struct export_outcome *out)
{
	struct spool_exporter *e = exporter_of(base);
	struct export_outcome late = { 0 };
	uint64_t now;

	*out = (struct export_outcome){ .rpc_status = -1 };
	e->inner->ahead = base->ahead;
	e->inner->ahead_ctx = base->ahead_ctx;
	if (drain(e, deadline, &late) && clock_mono_ns() >= e->retry_at) {
		now = clock_mono_ns();
		e->inner->ops->export(e->inner, spans, n, deadline - now < TRY_NS ? deadline : now + TRY_NS, out);
		if (is_delivered(out) || out->permanent || out->accepted + out->rejected > 0)
			e->pause_ns = PAUSE_FIRST_NS;
		else
			pause_start(e);
	}
	if (out->attempts == 0 || (!is_delivered(out) && !out->permanent && out->accepted + out->rejected == 0))
		keep(e, spans, n, out);
	else
		atomic_store_explicit(&e->base.failing, false, memory_order_release);	/* pairs with the producer's load */
	if (is_delivered(out) && !e->backlog)
		adopt(e, deadline);
	out->unspooled = late.unspooled;
	out->rejected_late = late.rejected_late;
}

static void spool_abort(struct span_exporter *base)
{
	struct spool_exporter *e = exporter_of(base);

	e->inner->ops->abort(e->inner);
}

static void spool_free(struct span_exporter *base)
{
	struct spool_exporter *e = exporter_of(base);

	adopt_fini(e);
	if (e->left)
		log_msg(e->log, LOG_WARN, "%llu spans are kept in %s; send them with: tracer send %s",
			(unsigned long long)e->left, spool_dir(e->spool), spool_dir(e->spool));
	e->inner->ops->free(e->inner);
	spool_close(e->spool);
	otlp_encoder_free(e->encoder);
	gzip_free(e->gzip);
	free(e);
}

static const struct span_exporter_ops spool_ops = {
	.name = "spool_span_exporter",
	.export = spool_export,
	.keep = spool_keep,
	.abort = spool_abort,
	.free = spool_free,
};

int spool_exporter_new(struct span_exporter **out, struct span_exporter *inner, struct spool *spool,
		       const struct log *log)
{
	struct spool_exporter *e = calloc(1, sizeof(*e));
	int err = e ? otlp_encoder_new(&e->encoder, SPOOL_PAYLOAD_MAX) : -ENOMEM;

	if (!err)
		err = gzip_new(&e->gzip, NULL, GZIP_LEVEL_MIN);
	if (err) {
		if (e)
			otlp_encoder_free(e->encoder);
		free(e);
		inner->ops->free(inner);
		spool_close(spool);
		return err;
	}
	e->base.ops = &spool_ops;
	e->inner = inner;
	e->spool = spool;
	e->log = log;
	e->pause_ns = PAUSE_FIRST_NS;
	e->adopted.fd = -1;
	*out = &e->base;
	return 0;
}
