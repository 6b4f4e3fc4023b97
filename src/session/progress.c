/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the progress line is drawn and when it goes away.  Consumer thread
 * (tick), supervisor (the rest); owned by the session.
 */
#include "config.h"
#include "session/progress.h"
#include <stdio.h>
#include "base/clock.h"

#define FIRST_NS 2000000000ull		/* who waits for less wants no line */
#define EVERY_NS 500000000ull
#define QUIET_NS 500000000ull		/* since the program wrote last */

static void hide(struct progress *p)
{
	if (p->shown)
		p->fn(p->ctx, NULL);
	p->shown = false;
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

void progress_init(struct progress *p, const struct tracer_session_config *cfg)
{
	*p = (struct progress){ .fn = cfg->progress, .ctx = cfg->progress_ctx, .log = cfg->log,
				.log_ctx = cfg->log_ctx };
	pthread_mutex_init(&p->lock, NULL);
	p->start_ns = clock_mono_ns();
	p->next_ns = p->start_ns + FIRST_NS;
	p->screen = (struct engine_screen){ .begin = output_begin, .end = output_end, .watch = progress_watch, .ctx = p };
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

static void format_thousands(uint64_t n, char buf[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), o = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[o++] = ',';
		buf[o++] = digits[i];
	}
	buf[o] = '\0';
}

void progress_tick(struct progress *p, uint64_t mono_ns, uint64_t calls, uint64_t processes)
{
	char line[160], number[32];

	if (!p->fn || mono_ns < p->next_ns)
		return;
	p->next_ns = mono_ns + EVERY_NS;
	format_thousands(calls, number);
	snprintf(line, sizeof(line), "tracer: %llu s, %s calls, %llu process%s", (unsigned long long)((mono_ns - p->start_ns) / 1000000000u),
		 number, (unsigned long long)processes, processes == 1 ? "" : "es");
	pthread_mutex_lock(&p->lock);
	if (p->watched && !p->over && !p->writing && mono_ns > p->written_ns + QUIET_NS)
		p->shown = p->fn(p->ctx, line) || p->shown;
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
