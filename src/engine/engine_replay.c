/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay: a recording file into a ring, as fast as the consumer takes it.  Runs
 * on the thread that calls run(); a full ring is waited for here, since there
 * is no program to keep going.  Files come from anywhere, so each record is
 * checked before it goes into the ring.
 *
 * The times in a recording are the recorder's: the session loads its clock map
 * from the first clock record, adds the others, and leaves the ring set
 * without a clock.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tracer/error.h>
#include <unistd.h>
#include "engine/engine.h"
#include "ring/recording.h"

extern const struct engine_ops engine_replay;	/* registered in engine.c */

#define BUFFER_BYTES (4 * TRACER_EVENT_MAX)
#define ROOM_WAIT_NS 10000000u
#define RING_BYTES_MIN (2 * TRACER_EVENT_MAX)	/* the largest record fits */

struct engine {
	const char *name;
	const struct log *log;
	struct ring_set *rings;
	struct ring *ring;
	int fd;
	uint8_t *buf;			/* [at, len) is not yet replayed */
	size_t at, len;
	uint64_t offset;		/* of at, in the file */
	uint64_t records, calls;
	atomic_bool stop;
};

static int open_file(const char *name, char *why, size_t whylen)
{
	struct recording_header h;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;
	int err;

	if (fd < 0) {
		err = -errno;
		snprintf(why, whylen, "cannot open recording %s: %s", name, tracer_strerror(err));
		return err;
	}
	n = read(fd, &h, sizeof(h));
	if (n == (ssize_t)sizeof(h))
		err = recording_check(&h, why, whylen);
	else
		err = n < 0 ? -errno : -TRACER_ERR_FORMAT;
	if (err < 0 && n != (ssize_t)sizeof(h))
		snprintf(why, whylen, "%s", n < 0 ? tracer_strerror(err) : "too short to be a recording");
	if (err == 0)
		return fd;
	close(fd);
	n = (ssize_t)strlen(why);
	snprintf(why + n, whylen - (size_t)n, ": %s", name);
	return err;
}

/* Only what was asked for by name can be replayed. */
static int replay_probe(const struct engine_config *cfg, char *why, size_t whylen)
{
	int fd;

	if (cfg->variant) {
		snprintf(why, whylen, "the replay engine has no variant '%s', nor any other; use --replay FILE.trace", cfg->variant);
		return -TRACER_ERR_USAGE;
	}
	if (!cfg->recording) {
		snprintf(why, whylen, "the replay engine needs a recording: --replay FILE.trace");
		return -TRACER_ERR_ENGINE;
	}
	fd = open_file(cfg->recording, why, whylen);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void replay_close(struct engine *e)
{
	if (!e)
		return;
	if (e->ring)
		ring_set_close(e->rings, e->ring);
	if (e->fd >= 0)
		close(e->fd);
	free(e->buf);
	free(e);
}

static int replay_open(const struct engine_config *cfg, struct engine **out)
{
	uint64_t size = cfg->ring_size > RING_BYTES_MIN ? cfg->ring_size : RING_BYTES_MIN;
	struct engine *e = calloc(1, sizeof(*e));
	char why[512];
	int err;

	*out = NULL;
	if (!e)
		return -ENOMEM;
	e->name = cfg->recording;
	e->log = cfg->log;
	e->rings = cfg->rings;
	e->offset = sizeof(struct recording_header);
	e->fd = open_file(cfg->recording, why, sizeof(why));
	e->buf = aligned_alloc(8, BUFFER_BYTES);
	err = e->fd < 0 ? e->fd : e->buf ? 0 : -ENOMEM;
	if (e->fd < 0)
		log_msg(e->log, LOG_ERROR, "%s", why);
	if (err == 0)
		err = ring_set_add(e->rings, NULL, size, NULL, NULL, &e->ring);
	if (err < 0) {
		replay_close(e);
		return err;
	}
	*out = e;
	return 0;
}

static int replay_start(struct engine *e)
{
	(void)e;
	return 0;
}

static int bad_file(const struct engine *e, const char *what)
{
	log_msg(e->log, LOG_ERROR, "%s: %s at byte %llu, behind %llu records", e->name, what,
		(unsigned long long)e->offset, (unsigned long long)e->records);
	return -TRACER_ERR_FORMAT;
}

/* Moves the rest to the front and reads more.  1, 0 at the end, or -errno. */
static int fill(struct engine *e)
{
	ssize_t n;

	memmove(e->buf, e->buf + e->at, e->len - e->at);
	e->len -= e->at;
	e->at = 0;
	do
		n = read(e->fd, e->buf + e->len, BUFFER_BYTES - e->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	e->len += (size_t)n;
	return n > 0;
}

/* At least need bytes in the buffer.  1, 0 where the file has less, or -errno. */
static int have(struct engine *e, size_t need)
{
	int more = 1;

	while (e->len - e->at < need && more > 0)
		more = fill(e);
	return more < 0 ? more : e->len - e->at >= need;
}

static void put(struct engine *e, const struct tracer_event *ev)
{
	struct tracer_event *to;
	uint32_t seen;

	for (;;) {
		seen = ring_set_drained(e->rings);
		to = ring_reserve(e->ring, ev->size);
		if (to)
			break;
		if (atomic_load_explicit(&e->stop, memory_order_relaxed))
			return;
		ring_set_wake(e->rings);
		ring_set_wait_drained(e->rings, seen, ROOM_WAIT_NS);
	}
	memcpy(to, ev, ev->size);
	ring_commit(e->ring, to);
}

static int end_check(const struct engine *e, const struct tracer_event *ev)
{
	if (ev->size != sizeof(*ev) || ev->time != e->records)
		return bad_file(e, "damaged end mark");
	return 0;
}

/* One record.  1, 0 at the end mark, or an error that was told. */
static int replay_step(struct engine *e)
{
	const struct tracer_event *ev;
	int err = have(e, sizeof(*ev));

	ev = (const void *)(e->buf + e->at);
	if (err > 0 && ev->kind == TRACER_EV_NONE)
		return end_check(e, ev);
	if (err > 0 && (ev->size < sizeof(*ev) || ev->size > TRACER_EVENT_MAX))
		return bad_file(e, "no event record");
	if (err > 0)
		err = have(e, ev->size);
	if (err < 0)
		return bad_file(e, tracer_strerror(err));
	if (err == 0)
		return bad_file(e, "cut short: the recording was not finished");
	ev = (const void *)(e->buf + e->at);
	if (event_check(ev, ev->size) < 0)
		return bad_file(e, "no valid event record");
	put(e, ev);
	e->records++;
	e->calls += ev->kind == TRACER_EV_CALL || ev->kind == TRACER_EV_ENTER;
	e->offset += ev->size;
	e->at += ev->size;
	return 1;
}

static int replay_run(struct engine *e, struct engine_result *res)
{
	int more = 1;

	*res = (struct engine_result){ 0 };
	while (more > 0 && !atomic_load_explicit(&e->stop, memory_order_relaxed))
		more = replay_step(e);
	ring_set_close(e->rings, e->ring);
	e->ring = NULL;
	return more < 0 ? more : 0;
}

static void replay_forward(struct engine *e, int sig)
{
	(void)e;
	(void)sig;
}

static void replay_stop(struct engine *e)
{
	atomic_store_explicit(&e->stop, true, memory_order_relaxed);
}

static void replay_stats(const struct engine *e, uint64_t out[ENGINE_STATS])
{
	memset(out, 0, ENGINE_STATS * sizeof(out[0]));
	out[ENGINE_STAT_CALLS_NO_STOP] = e->calls;
}

const struct engine_ops engine_replay = {
	.name = "replay",
	.probe = replay_probe,
	.open = replay_open,
	.start = replay_start,
	.run = replay_run,
	.close = replay_close,
	.forward = replay_forward,
	.stop = replay_stop,
	.stats = replay_stats,
};
