/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the progress line is drawn and when it goes away.  Consumer thread
 * (tick), supervisor (the rest); owned by the session.
 */
#include "config.h"
#include "session/progress.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/parse.h"

#define FIRST_NS 2000000000ull		/* who waits for less wants no line */
#define EVERY_NS 500000000ull
#define QUIET_NS 500000000ull		/* since the program wrote last */

static void hide(struct progress *p)
{
	if (!p->shown)
		return;
	p->fn(p->ctx, NULL);
	p->shown = false;
	if (p->gate)
		p->gate->open(p->gate->ctx);
}

static void output_begin(void *ctx)
{
	struct progress *p = ctx;

	pthread_mutex_lock(&p->lock);
	p->writing++;
	hide(p);
	pthread_mutex_unlock(&p->lock);
}

static void output_end(void *ctx)
{
	struct progress *p = ctx;

	pthread_mutex_lock(&p->lock);
	p->writing--;
	p->written_ns = clock_mono_ns();
	pthread_mutex_unlock(&p->lock);
}

void progress_watch(void *progress, bool on)
{
	struct progress *p = progress;

	pthread_mutex_lock(&p->lock);
	p->watched = on;
	if (!on)
		hide(p);
	pthread_mutex_unlock(&p->lock);
}

static void set_gate(void *ctx, const struct engine_gate *gate)
{
	struct progress *p = ctx;

	pthread_mutex_lock(&p->lock);
	hide(p);
	p->gate = gate;
	pthread_mutex_unlock(&p->lock);
}

/* Nobody writes, has just done so, or can before the line is gone. */
static bool screen_is_quiet(struct progress *p, uint64_t mono_ns)
{
	if (!p->watched || p->over || p->writing || mono_ns <= p->written_ns + QUIET_NS)
		return false;
	return !p->gate || p->gate->close(p->gate->ctx);
}

void progress_init(struct progress *p, const struct tracer_session_config *cfg)
{
	*p = (struct progress){ .fn = cfg->progress, .ctx = cfg->progress_ctx, .log = cfg->log,
				.log_ctx = cfg->log_ctx };
	pthread_mutex_init(&p->lock, NULL);
	p->start_ns = clock_mono_ns();
	p->next_ns = p->start_ns + FIRST_NS;
	p->screen = (struct engine_screen){ .begin = output_begin, .end = output_end, .watch = progress_watch,
					  .set_gate = set_gate, .ctx = p };
}

void progress_set_wanted(struct progress *p, bool wanted)
{
	if (!wanted)
		p->fn = NULL;
}

void progress_fini(struct progress *p)
{
	pthread_mutex_destroy(&p->lock);
}

void progress_tick(struct progress *p, uint64_t mono_ns, uint64_t calls, uint64_t processes)
{
	char line[160], number[32];

	if (!p->fn || mono_ns < p->next_ns)
		return;
	p->next_ns = mono_ns + EVERY_NS;
	snprintf(line, sizeof(line), "tracer: %llu s, %s calls, %llu process%s",
		 (unsigned long long)((mono_ns - p->start_ns) / 1000000000u), format_count(calls, number),
		 (unsigned long long)processes, processes == 1 ? "" : "es");
	pthread_mutex_lock(&p->lock);
	if (screen_is_quiet(p, mono_ns))
		p->shown = p->fn(p->ctx, line) || p->shown;
	if (!p->shown && p->gate)
		p->gate->open(p->gate->ctx);
	pthread_mutex_unlock(&p->lock);
}

void progress_stop(struct progress *p)
{
	pthread_mutex_lock(&p->lock);
	hide(p);
	p->over = true;
	pthread_mutex_unlock(&p->lock);
}

void progress_log(void *progress, int level, const char *message)
{
	struct progress *p = progress;

	pthread_mutex_lock(&p->lock);
	hide(p);
	if (p->log)
		p->log(p->log_ctx, level, message);
	pthread_mutex_unlock(&p->lock);
}
