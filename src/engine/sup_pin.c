/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the supervisor on the CPU of its tracee while only one task makes
 * calls: tracer and tracee then take turns on a warm CPU instead of waking an
 * idle one for every stop.  Supervisor thread; the tracee's affinity is never
 * touched, and it was forked before ours changes.
 */
#include "config.h"
#include "engine/supervisor.h"
#include "tracee/proc_fs.h"

#define WINDOW_MIN 32u		/* stops between two looks at the tracee's CPU */
#define WINDOW_MAX 1024u

void sup_pin_init(struct supervisor *s)
{
	struct sup_pin *p = &s->pin;

	*p = (struct sup_pin){ .window = WINDOW_MIN, .cpu = -1 };
	p->on = s->cfg.pin && sched_getaffinity(0, sizeof(p->allowed), &p->allowed) == 0 &&
		CPU_COUNT(&p->allowed) > 1;
}

static void pin_reset(struct sup_pin *p)
{
	if (p->pinned)
		sched_setaffinity(0, sizeof(p->allowed), &p->allowed);
	p->pinned = false;
	p->cpu = -1;
}

static void pin_set(struct sup_pin *p, int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	p->pinned = sched_setaffinity(0, sizeof(one), &one) == 0;
	p->cpu = p->pinned ? cpu : -1;
}

static void window_end(struct sup_pin *p)
{
	struct proc_stat st;
	/* many switches between tasks: they run side by side, on several CPUs */
	bool alone = p->switches <= p->stops / 8;

	p->stops = p->switches = 0;
	if (!alone) {
		pin_reset(p);
		p->window = WINDOW_MAX;
		return;
	}
	if (proc_stat_load(p->tid, &st) < 0 || st.processor < 0 || st.processor >= CPU_SETSIZE ||
	    !CPU_ISSET(st.processor, &p->allowed))
		return;
	if (st.processor == p->cpu) {
		p->window = p->window < WINDOW_MAX ? p->window * 2 : WINDOW_MAX;
	} else {
		pin_set(p, st.processor);
		p->window = WINDOW_MIN;
	}
}

void sup_pin_tick(struct supervisor *s, pid_t tid)
{
	struct sup_pin *p = &s->pin;

	if (!p->on)
		return;
	p->switches += tid != p->tid;
	p->tid = tid;
	if (++p->stops >= p->window)
		window_end(p);
}

/* The thread that was lent to us gets its CPUs back. */
void sup_pin_fini(struct supervisor *s)
{
	pin_reset(&s->pin);
}
