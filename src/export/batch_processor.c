/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The batching span processor: a bounded queue, and a thread that empties it
 * into the exporter.
 *
 * Threads: push() on the one producer (consumer thread of the rings); run()
 * on the exporter thread, with every signal blocked; flush, shutdown and stats
 * on any other.  A span belongs to the producer until push(), to the exporter
 * thread until it goes back to the pool.  Spans that are popped but could not
 * be sent because the collector is away stay in batch[] and are given again;
 * those of the batch behind it, which the exporter encodes while it waits for
 * an answer, are in ahead[].
 *
 * Waiting is by two event counts: "work" wakes the exporter thread, "progress"
 * wakes producers and flushers.  The producer signals work only when the tail
 * or the bytes reach the mark that the exporter thread has set, so a batch
 * costs it at most two system calls.
 */
#include "config.h"
#include "export/batch_processor.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "export/export_times.h"
#include "export/otlp_encode.h"
#include "export/span_queue.h"
#include "export/wake.h"

#define NO_MARK UINT64_MAX
#define LINGER_NS 250000000u		/* an exporter that did not get on for so long is not ahead */
#define LINGER_SLICE_NS 1000000u
#define LOOK_AGAIN_NS 50000000u		/* a waiting producer looks whether the exporter still gets on */

typedef atomic_uint_fast64_t counter;

struct batch_processor {
	struct batch_config cfg;
	struct span_exporter *exporter;
	struct span_pool *pool;
	const struct log *log;
	pthread_t thread;
	bool started, joined;			/* threads: starter and shutdown only */

	struct span_queue queue;
	struct wake work, progress;
	counter wake_at;			/* tail that is worth a wake-up; set by the exporter thread */
	counter bytes_in, bytes_out;		/* estimated, by producer and exporter thread */
	counter done;				/* spans that are through, one way or another */
	counter flush_to;			/* tail that a flush waits for */
	counter flush_failed;			/* tail up to which a flush is in vain */
	counter stop_deadline;			/* 0: running */
	atomic_bool aborted, ended;

	/* producer's counters, relaxed: for stats */
	counter queued, dropped_full, dropped_shutdown, blocked_ns, blocks;
	atomic_uint high_water;
	atomic_uint inflight;			/* exporter thread's, relaxed: for stats */
	unsigned lingered;			/* producer: progress when it began to linger, ... */
	uint64_t linger_until;			/* ... and for how long it may */

	/* exporter thread */
	struct span **batch, **ahead;
	uint32_t nbatch;			/* in batch[], not through yet */
	uint32_t nahead;			/* in ahead[]: their turn is next */
	uint64_t batch_bytes;
	uint64_t due;				/* when what waits now must go */

	pthread_mutex_t lock;
	struct batch_stats stats;		/* lock: lock; exporter thread's part */
	struct export_times times;		/* lock: lock */
};

static uint64_t load(const counter *c)
{
	return atomic_load_explicit(c, memory_order_seq_cst);
}

static void store(counter *c, uint64_t v)
{
	atomic_store_explicit(c, v, memory_order_seq_cst);
}

/* For counters with one writer. */
static void add(counter *c, uint64_t v)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + v, memory_order_release);
}

static bool is_aborted(const struct batch_processor *b)
{
	return atomic_load_explicit(&b->aborted, memory_order_acquire);	/* pairs with abort */
}

/* ---- exporter thread ---- */

static uint64_t export_deadline(const struct batch_processor *b)
{
	uint64_t now = clock_mono_ns(), stop = load(&b->stop_deadline);
	uint64_t deadline = b->cfg.export_timeout_ns ? now + b->cfg.export_timeout_ns : UINT64_MAX;

	return stop && stop < deadline ? stop : deadline;
}

static void batch_put(struct batch_processor *b)
{
	span_pool_put_all(b->pool, b->batch, b->nbatch);
	add(&b->done, b->nbatch);
	b->nbatch = 0;
	wake_signal(&b->progress);
}

/* As many spans as one request may have: how many. */
static uint32_t batch_load(struct batch_processor *b, struct span **batch)
{
	struct span *s = NULL;
	uint64_t bytes = 0;
	uint32_t n = 0;

	while (n < b->cfg.batch_size && (s = span_queue_peek(&b->queue)) != NULL) {
		if (n && bytes + s->encoded_size > b->cfg.batch_bytes)
			break;
		bytes += s->encoded_size;
		batch[n++] = s;
		span_queue_pop(&b->queue);
	}
	s = span_queue_peek(&b->queue);
	add(&b->bytes_out, bytes);
	/* What comes while this batch is under way counts from when it is seen. */
	b->due = s ? clock_mono_ns() + b->cfg.delay_ns : UINT64_MAX;
	wake_signal(&b->progress);
	return n;
}

static bool is_whole(const struct batch_processor *b, uint32_t depth)
{
	return depth >= b->cfg.batch_size || load(&b->bytes_in) - load(&b->bytes_out) >= b->cfg.batch_bytes;
}

/* The exporter waits for an answer and could encode meanwhile: a batch that is whole leaves the queue before
 * its turn. */
static size_t batch_ahead(void *ctx, struct span *const **out)
{
	struct batch_processor *b = ctx;

	if (!b->nahead && !is_aborted(b) && is_whole(b, span_queue_depth(&b->queue)))
		b->nahead = batch_load(b, b->ahead);
	*out = b->ahead;
	return b->nahead;
}

/* Nothing is in batch[]: what was taken before its turn, if anything. */
static void batch_advance(struct batch_processor *b)
{
	struct span **done = b->batch;

	b->batch = b->ahead;
	b->nbatch = b->nahead;
	b->ahead = done;
	b->nahead = 0;
}

static void note_outcome(struct batch_processor *b, const struct export_outcome *out, bool given_again, uint64_t ns)
{
	bool good = out->result == EXPORT_OK || out->result == EXPORT_PARTIAL;

	pthread_mutex_lock(&b->lock);
	b->stats.batches += !given_again;
	b->stats.bytes += out->bytes;
	b->stats.wire_bytes += out->wire_bytes;
	b->stats.retries += out->attempts > 1 ? out->attempts - 1 : 0;
	if (out->http_status)
		b->stats.last_http_status = out->http_status;
	if (good) {
		b->stats.ever_succeeded = true;
		b->stats.last_success_mono_ns = clock_mono_ns();
	}
	if (out->message[0])
		memcpy(b->stats.last_error, out->message, sizeof(b->stats.last_error));
	b->stats.exported += out->accepted;
	b->stats.rejected += out->rejected;
	b->stats.spool_rejected += out->rejected_late;
	b->stats.spooled += out->spooled;
	b->stats.unspooled += out->unspooled;
	if (!given_again)
		b->stats.failed += b->nbatch - out->accepted - out->rejected - out->spooled;
	if (!given_again && b->nbatch > b->stats.largest_batch)
		b->stats.largest_batch = b->nbatch;
	if (out->attempts)
		export_times_add(&b->times, out, ns);
	pthread_mutex_unlock(&b->lock);
}

/* Nobody waits for these any more: kept where the exporter can, dropped else. */
static void batch_discard(struct batch_processor *b)
{
	struct export_outcome out;

	if (b->nbatch && b->exporter->ops->keep) {
		b->exporter->ops->keep(b->exporter, b->batch, b->nbatch, &out);
		note_outcome(b, &out, false, 0);
	} else {
		atomic_fetch_add_explicit(&b->dropped_shutdown, b->nbatch, memory_order_relaxed);
	}
	batch_put(b);
}

static void batch_export(struct batch_processor *b)
{
	uint64_t start = clock_mono_ns();
	struct export_outcome out;
	bool again;

	atomic_store_explicit(&b->inflight, b->nbatch, memory_order_relaxed);
	b->exporter->ops->export(b->exporter, b->batch, b->nbatch, export_deadline(b), &out);
	atomic_store_explicit(&b->inflight, 0, memory_order_relaxed);
	again = out.result == EXPORT_REFUSED && !is_aborted(b) && out.accepted + out.rejected == 0;
	note_outcome(b, &out, again, clock_mono_ns() - start);
	if (!again)
		batch_put(b);
}

/* A flush or the end of the run wants spans that are not through. */
static bool is_urgent(const struct batch_processor *b)
{
	return load(&b->stop_deadline) || (load(&b->flush_to) > load(&b->done) &&
					   load(&b->flush_to) > load(&b->flush_failed));
}

static void count_failed(struct batch_processor *b)
{
	pthread_mutex_lock(&b->lock);
	b->stats.failed += b->nbatch;
	pthread_mutex_unlock(&b->lock);
	batch_put(b);
}

/* Nothing can be sent, and a flush waits for it.  At the end of the run the
 * spans are lost; before that only the flush has failed. */
static void give_up(struct batch_processor *b)
{
	if (load(&b->stop_deadline)) {
		if (b->exporter->ops->keep)
			batch_discard(b);
		else
			count_failed(b);
		return;
	}
	store(&b->flush_failed, load(&b->flush_to));
	wake_signal(&b->progress);
}

static void wait_for_work(struct batch_processor *b, unsigned seen, uint64_t until)
{
	wake_wait(&b->work, seen, until);
}

/* There is a batch.  Sends it, or waits where that is not worth trying. */
static void step_batch(struct batch_processor *b, unsigned seen)
{
	const struct span_exporter_ops *ops = b->exporter->ops;
	bool urgent = is_urgent(b);
	uint64_t now = clock_mono_ns(), hold = ops->hold ? ops->hold(b->exporter, now, urgent) : 0;

	if (load(&b->stop_deadline) && now >= load(&b->stop_deadline))
		batch_discard(b);
	else if (hold == 0)
		batch_export(b);
	else if (urgent)
		give_up(b);
	else
		wait_for_work(b, seen, hold == UINT64_MAX ? WAKE_NO_DEADLINE : now + hold);
}

static bool is_due(struct batch_processor *b, uint32_t depth)
{
	return is_whole(b, depth) || is_urgent(b) || clock_mono_ns() >= b->due;
}

/* There is no batch: takes one that is due, or waits for spans. */
static void step_queue(struct batch_processor *b, unsigned seen)
{
	uint64_t head = span_queue_tail(&b->queue) - span_queue_depth(&b->queue);
	uint32_t depth;

	/* First the mark, then the look: a push in between sees the mark. */
	store(&b->wake_at, b->due == UINT64_MAX ? head + 1 : head + b->cfg.batch_size);
	depth = span_queue_depth(&b->queue);
	if (depth && b->due == UINT64_MAX) {
		b->due = clock_mono_ns() + b->cfg.delay_ns;
		store(&b->wake_at, head + b->cfg.batch_size);
		depth = span_queue_depth(&b->queue);
	}
	if (depth && is_due(b, depth)) {
		store(&b->wake_at, NO_MARK);
		b->nbatch = batch_load(b, b->batch);
		return;
	}
	if (!depth)
		b->due = UINT64_MAX;
	if (depth || load(&b->wake_at) == head + 1)
		wait_for_work(b, seen, b->due);
}

/* Nobody waits for an answer any more. */
static void discard_all(struct batch_processor *b)
{
	batch_discard(b);
	batch_advance(b);
	while (b->nbatch || span_queue_depth(&b->queue)) {
		if (!b->nbatch)
			b->nbatch = batch_load(b, b->batch);
		batch_discard(b);
	}
}

static void *run(void *ctx)
{
	struct batch_processor *b = ctx;

	for (;;) {
		unsigned seen = wake_load(&b->work);

		if (is_aborted(b))
			discard_all(b);
		if (!b->nbatch)
			batch_advance(b);
		if (b->nbatch)
			step_batch(b, seen);
		else if (load(&b->stop_deadline) && !span_queue_depth(&b->queue))
			break;
		else
			step_queue(b, seen);
	}
	atomic_store_explicit(&b->ended, true, memory_order_seq_cst);
	wake_signal(&b->progress);
	return NULL;
}

/* ---- producer ---- */

static bool may_wait(const struct batch_processor *b)
{
	return b->cfg.overflow != OVERFLOW_DROP && (!is_aborted(b) || b->exporter->ops->keep) && !load(&b->stop_deadline) &&
		!atomic_load_explicit(&b->exporter->failing, memory_order_acquire) &&
		!atomic_load_explicit(&b->exporter->circuit_open, memory_order_acquire);
}

/* Waits for room as long as the exporter gets on and the allowance lasts. */
static bool wait_for_room(struct batch_processor *b, struct span *s)
{
	uint64_t start = clock_mono_ns(), spent = load(&b->blocked_ns);
	uint64_t until = spent < b->cfg.block_max_ns ? start + b->cfg.block_max_ns - spent : start;
	bool pushed = false;

	wake_signal(&b->work);
	while (!pushed && may_wait(b) && clock_mono_ns() < until) {
		unsigned seen = wake_load(&b->progress);

		pushed = span_queue_push(&b->queue, s);
		if (!pushed) {
			uint64_t soon = clock_mono_ns() + LOOK_AGAIN_NS;

			wake_wait(&b->progress, seen, soon < until ? soon : until);
		}
	}
	add(&b->blocked_ns, clock_mono_ns() - start);
	add(&b->blocks, 1);
	return pushed || span_queue_push(&b->queue, s);
}

int batch_processor_push(struct batch_processor *b, struct span *s)
{
	uint64_t tail, bytes, queued;

	if (load(&b->stop_deadline) || (is_aborted(b) && !b->exporter->ops->keep)) {
		atomic_fetch_add_explicit(&b->dropped_shutdown, 1, memory_order_relaxed);
		span_pool_put(b->pool, s);
		return -EAGAIN;
	}
	if (!s->encoded_size)	/* else the builder has estimated it */
		s->encoded_size = (uint32_t)otlp_encode_bound(s);
	bytes = s->encoded_size + atomic_load_explicit(&b->bytes_in, memory_order_relaxed);
	/* Seen where the tail is, whose store is behind it and orders both with the mark. */
	atomic_store_explicit(&b->bytes_in, bytes, memory_order_release);
	if (!span_queue_push(&b->queue, s) && !(may_wait(b) && wait_for_room(b, s))) {
		store(&b->bytes_in, bytes - s->encoded_size);
		add(&b->dropped_full, 1);
		span_pool_put(b->pool, s);
		return -EAGAIN;
	}
	/* s may be gone from here on. */
	add(&b->queued, 1);
	tail = span_queue_tail(&b->queue);
	queued = tail - atomic_load_explicit(&b->queue.head, memory_order_relaxed);
	if (queued > atomic_load_explicit(&b->high_water, memory_order_relaxed))
		atomic_store_explicit(&b->high_water, (unsigned)queued, memory_order_relaxed);
	if (tail >= load(&b->wake_at) || (bytes - load(&b->bytes_out) >= b->cfg.batch_bytes &&
					  load(&b->wake_at) != NO_MARK)) {
		store(&b->wake_at, NO_MARK);
		wake_signal(&b->work);
	}
	return 0;
}

bool batch_processor_ahead(struct batch_processor *b)
{
	/* one batch is under way, another is whole, wherever it is */
	return span_queue_tail(&b->queue) - load(&b->done) >= 2 * (uint64_t)b->cfg.batch_size && may_wait(b) && !is_aborted(b) &&
	       (wake_load(&b->progress) != b->lingered || clock_mono_ns() < b->linger_until);
}

void batch_processor_linger(struct batch_processor *b)
{
	unsigned seen = wake_load(&b->progress);
	uint64_t now = clock_mono_ns();

	if (!batch_processor_ahead(b))
		return;
	if (seen != b->lingered) {
		b->lingered = seen;
		b->linger_until = now + LINGER_NS;
	}
	wake_wait(&b->progress, seen, now + LINGER_SLICE_NS);
}

/* ---- control ---- */

int batch_processor_flush(struct batch_processor *b, uint64_t deadline)
{
	uint64_t target = span_queue_tail(&b->queue);

	store(&b->flush_failed, 0);
	store(&b->flush_to, target);
	wake_signal(&b->work);
	for (;;) {
		unsigned seen = wake_load(&b->progress);

		if (load(&b->done) >= target)
			return 0;
		if (load(&b->flush_failed) >= target)
			return -ENOTCONN;
		if (clock_mono_ns() >= deadline || atomic_load_explicit(&b->ended, memory_order_seq_cst))
			return -ETIMEDOUT;
		wake_wait(&b->progress, seen, deadline);
	}
}

static bool wait_for_end(struct batch_processor *b, uint64_t deadline)
{
	for (;;) {
		unsigned seen = wake_load(&b->progress);

		if (atomic_load_explicit(&b->ended, memory_order_seq_cst))
			return true;
		if (clock_mono_ns() >= deadline)
			return false;
		wake_wait(&b->progress, seen, deadline);
	}
}

int batch_processor_shutdown(struct batch_processor *b, uint64_t deadline)
{
	bool in_time;

	if (b->joined)
		return 0;
	store(&b->stop_deadline, deadline ? deadline : 1);
	wake_signal(&b->work);
	in_time = wait_for_end(b, deadline);
	if (!in_time)
		batch_processor_abort(b);
	pthread_join(b->thread, NULL);
	b->joined = true;
	return in_time ? 0 : -ETIMEDOUT;
}

void batch_processor_abort(struct batch_processor *b)
{
	atomic_store_explicit(&b->aborted, true, memory_order_release);	/* pairs with is_aborted */
	if (b->exporter->ops->abort)
		b->exporter->ops->abort(b->exporter);
	wake_signal(&b->work);
	wake_signal(&b->progress);
}

void batch_processor_stats(struct batch_processor *b, struct batch_stats *out)
{
	pthread_mutex_lock(&b->lock);
	*out = b->stats;
	pthread_mutex_unlock(&b->lock);
	out->queued = load(&b->queued);
	out->dropped_full = load(&b->dropped_full);
	out->dropped_shutdown = load(&b->dropped_shutdown);
	out->blocked_ns = load(&b->blocked_ns);
	out->blocks = load(&b->blocks);
	out->inflight = atomic_load_explicit(&b->inflight, memory_order_relaxed);
	out->queue_high_water = atomic_load_explicit(&b->high_water, memory_order_relaxed);
	out->circuit_open = atomic_load_explicit(&b->exporter->circuit_open, memory_order_acquire);
}

void batch_processor_load_times(struct batch_processor *b, struct export_times *out, bool reset)
{
	pthread_mutex_lock(&b->lock);
	*out = b->times;
	if (reset)
		b->times.n = 0;
	pthread_mutex_unlock(&b->lock);
}

static int config_check(const struct batch_config *cfg)
{
	return cfg->batch_size && cfg->queue_size && cfg->batch_size <= cfg->queue_size && cfg->batch_bytes ? 0 : -EINVAL;
}

/* The thread's signals are not ours: they belong to the supervisor. */
static int thread_start(struct batch_processor *b)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&b->thread, NULL, run, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	b->started = true;
	pthread_setname_np(b->thread, "tracer-export");
	return 0;
}

int batch_processor_start(struct batch_processor **out, const struct batch_config *cfg,
			  struct span_exporter *exporter, struct span_pool *pool, const struct log *log)
{
	struct batch_processor *b;
	int err = config_check(cfg);

	if (err)
		return err;
	b = aligned_alloc(64, (sizeof(*b) + 63) / 64 * 64);
	if (!b)
		return -ENOMEM;
	memset(b, 0, sizeof(*b));
	b->cfg = *cfg;
	b->exporter = exporter;
	b->pool = pool;
	b->log = log;
	b->due = UINT64_MAX;
	wake_init(&b->work);
	wake_init(&b->progress);
	b->lingered = wake_load(&b->progress) - 1;
	pthread_mutex_init(&b->lock, NULL);
	b->batch = calloc(cfg->batch_size, sizeof(*b->batch));
	b->ahead = calloc(cfg->batch_size, sizeof(*b->ahead));
	exporter->ahead = batch_ahead;
	exporter->ahead_ctx = b;
	err = span_queue_init(&b->queue, cfg->queue_size);
	if (!err)
		err = b->batch && b->ahead ? thread_start(b) : -ENOMEM;
	if (err) {
		exporter->ahead = NULL;
		b->exporter = NULL;	/* still the caller's */
		batch_processor_free(b);
		return err;
	}
	*out = b;
	return 0;
}

void batch_processor_free(struct batch_processor *b)
{
	if (!b)
		return;
	if (b->started)
		batch_processor_shutdown(b, 0);
	if (b->exporter)
		b->exporter->ops->free(b->exporter);
	span_queue_fini(&b->queue);
	pthread_mutex_destroy(&b->lock);
	free(b->batch);
	free(b->ahead);
	free(b);
}
