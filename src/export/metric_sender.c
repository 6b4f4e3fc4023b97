/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metric sender's thread.  Bodies come from the consumer thread and are
 * the sender's from push() on; the exporter belongs to the thread.  At most one
 * request is under way, the others wait in a list under the lock.
 */
#include "config.h"
#include "export/metric_sender.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "export/otlp_encode.h"
#include "export/otlp_exporter.h"

struct metric_sender {
	struct span_exporter *exporter;
	uint64_t timeout_ns;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct metric_body *head, **tail;	/* lock: lock; the head stays in it while it is sent */
	uint64_t waiting;			/* lock: lock; bytes in the list */
	bool sending, stop;			/* lock: lock */
	uint64_t deadline;			/* lock: lock; of the end */
	struct metric_sender_stats stats;	/* lock: lock */
	struct export_times times;		/* lock: lock */
};

static void lock(struct metric_sender *s)
{
	pthread_mutex_lock(&s->lock);
}

static void unlock(struct metric_sender *s)
{
	pthread_mutex_unlock(&s->lock);
}

/* --- the list; with the lock --- */

static struct metric_body *pop(struct metric_sender *s)
{
	struct metric_body *b = s->head;

	s->head = b->next;
	if (!s->head)
		s->tail = &s->head;
	s->waiting -= b->len;
	return b;
}

static void drop(struct metric_sender *s)
{
	struct metric_body *b = pop(s);

	s->stats.failed += b->points;
	free(b);
}

/* The head may be under way: then the one behind it is the oldest that waits. */
static void make_room(struct metric_sender *s)
{
	while (s->waiting > METRIC_SENDER_BYTES && s->head && s->head->next) {
		struct metric_body *b = s->head;

		if (!s->sending) {
			drop(s);
			continue;
		}
		b = b->next;
		s->head->next = b->next;
		if (!b->next)
			s->tail = &s->head->next;
		s->waiting -= b->len;
		s->stats.failed += b->points;
		free(b);
	}
}

/* --- the thread --- */

static void note(struct metric_sender *s, const struct metric_body *b, const struct export_outcome *out)
{
	s->stats.requests++;
	s->stats.exported += out->accepted;
	s->stats.rejected += out->rejected;
	s->stats.bytes += out->bytes;
	s->stats.wire_bytes += out->wire_bytes;
	s->stats.retries += out->attempts > 1 ? out->attempts - 1 : 0;
	if (out->result == EXPORT_OK || out->result == EXPORT_PARTIAL)
		s->stats.ever_succeeded = true;
	else
		s->stats.failed += b->points - out->accepted - out->rejected;
	if (out->message[0])
		snprintf(s->stats.last_error, sizeof(s->stats.last_error), "%s", out->message);
}

/* The first in the list; false: it stays there, the collector is away.  With the
 * lock, which is not held meanwhile. */
static bool send_head(struct metric_sender *s)
{
	struct metric_body *b = s->head;
	struct export_outcome out;
	uint64_t start = clock_mono_ns(), deadline = start + s->timeout_ns;
	bool last = s->stop, away;

	if (last && deadline > s->deadline)
		deadline = s->deadline;
	s->sending = true;
	unlock(s);
	otlp_exporter_post(s->exporter, b->data + OTLP_HEADROOM, b->len, false, b->points, deadline, &out);
	lock(s);
	s->sending = false;
	if (out.attempts)
		export_times_add(&s->times, &out, clock_mono_ns() - start);
	away = out.result == EXPORT_REFUSED && !last;
	if (!away)
		note(s, b, &out);
	else if (out.message[0])
		snprintf(s->stats.last_error, sizeof(s->stats.last_error), "%s", out.message);
	if (!away)
		free(pop(s));
	return !away;
}

static void wait_more(struct metric_sender *s, uint64_t until)
{
	struct timespec ts = { .tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u) };

	if (until)
		pthread_cond_clockwait(&s->more, &s->lock, CLOCK_MONOTONIC, &ts);
	else
		pthread_cond_wait(&s->more, &s->lock);
}

static void *sender_run(void *arg)
{
	struct metric_sender *s = arg;
	uint64_t hold;

	pthread_setname_np(pthread_self(), "tracer-metrics");
	lock(s);
	for (;;) {
		while (!s->head && !s->stop)
			wait_more(s, 0);
		if (!s->head)
			break;
		hold = s->exporter->ops->hold(s->exporter, clock_mono_ns(), s->stop);
		if (hold == UINT64_MAX || (s->stop && clock_mono_ns() >= s->deadline)) {
			drop(s);
			continue;
		}
		if (hold && !s->stop) {
			wait_more(s, clock_mono_ns() + hold);
			continue;
		}
		if (!send_head(s) && !s->stop)
			wait_more(s, clock_mono_ns() + 1000000000u);
	}
	unlock(s);
	return NULL;
}

/* --- the consumer's side --- */

int metric_sender_start(struct metric_sender **out, struct span_exporter *exporter, uint64_t timeout_ns)
{
	struct metric_sender *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->timeout_ns = timeout_ns ? timeout_ns : 86400000000000u;
	s->tail = &s->head;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->more, NULL);
	s->exporter = exporter;
	err = -pthread_create(&s->thread, NULL, sender_run, s);
	if (err) {
		s->exporter = NULL;
		metric_sender_free(s);
		return err;
	}
	s->started = true;
	*out = s;
	return 0;
}

void metric_sender_push(struct metric_sender *s, struct metric_body *body)
{
	lock(s);
	s->stats.points += body->points;
	s->waiting += body->len;
	body->next = NULL;
	*s->tail = body;
	s->tail = &body->next;
	if (s->stop)		/* the thread is gone */
		drop(s);
	else
		make_room(s);
	pthread_cond_signal(&s->more);
	unlock(s);
}

bool metric_sender_idle(struct metric_sender *s)
{
	bool idle;

	lock(s);
	idle = !s->head;
	unlock(s);
	return idle;
}

void metric_sender_shutdown(struct metric_sender *s, uint64_t deadline)
{
	if (!s || !s->started)
		return;
	lock(s);
	s->deadline = deadline;
	s->stop = true;
	pthread_cond_signal(&s->more);
	unlock(s);
	pthread_join(s->thread, NULL);
	s->started = false;
}

void metric_sender_abort(struct metric_sender *s)
{
	s->exporter->ops->abort(s->exporter);
}

void metric_sender_stats(struct metric_sender *s, struct metric_sender_stats *out)
{
	lock(s);
	*out = s->stats;
	out->inflight = s->sending ? s->head->points : 0;
	out->circuit_open = atomic_load_explicit(&s->exporter->circuit_open, memory_order_acquire);
	unlock(s);
}

void metric_sender_load_times(struct metric_sender *s, struct export_times *out, bool reset)
{
	lock(s);
	*out = s->times;
	if (reset)
		s->times.n = 0;
	unlock(s);
}

void metric_sender_free(struct metric_sender *s)
{
	if (!s)
		return;
	if (s->started) {
		metric_sender_abort(s);
		metric_sender_shutdown(s, 0);
	}
	while (s->head)
		free(pop(s));
	if (s->exporter)
		s->exporter->ops->free(s->exporter);
	pthread_cond_destroy(&s->more);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
