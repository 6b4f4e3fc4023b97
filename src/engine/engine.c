/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of engines and the choice among them.  Constant tables; called
 * by the session on the thread that will run the engine.
 */
#include "config.h"
#include "engine/engine.h"
#include <stdio.h>
#include <string.h>
#include <tracer/error.h>

extern const struct engine_ops engine_inproc, engine_ptrace, engine_replay;

const struct engine_ops *const engines[] = {
	&engine_replay,		/* where a recording was named, and only there */
	&engine_inproc,
	&engine_ptrace,
	NULL,
};

const char *const engine_stat_names[ENGINE_STATS] = {
	[ENGINE_STAT_CALLS_TWO_STOPS] = "calls with two stops",
	[ENGINE_STAT_CALLS_ONE_STOP] = "calls with one stop",
	[ENGINE_STAT_CALLS_NO_STOP] = "calls without a stop",
	[ENGINE_STAT_STOPS] = "stops",
	[ENGINE_STAT_EVENT_STOPS] = "event stops",
	[ENGINE_STAT_SIGNAL_STOPS] = "signal stops",
	[ENGINE_STAT_TASKS] = "tasks",
	[ENGINE_STAT_EXECS] = "execs",
	[ENGINE_STAT_PARKED] = "waits for room",
	[ENGINE_STAT_PARKED_NS] = "nanoseconds waited for room",
	[ENGINE_STAT_FILTERED_TASKS] = "tasks under our filter",
	[ENGINE_STAT_FAULTS] = "bad pointers seen",
	[ENGINE_STAT_SITES_PATCHED] = "sites patched",
	[ENGINE_STAT_SITES_UNPATCHABLE] = "sites that cannot be patched",
	[ENGINE_STAT_CALLS_NO_PAGE] = "calls not worth a page yet",
	[ENGINE_STAT_INJECTIONS] = "injections",
	[ENGINE_STAT_EVICTIONS] = "evictions",
	[ENGINE_STAT_FALLBACKS] = "fall-backs",
	[ENGINE_STAT_CACHE_HITS] = "site cache hits",
	[ENGINE_STAT_CACHE_IGNORED] = "site caches ignored",
	[ENGINE_STAT_SITES_LEARNT] = "sites learnt",
	[ENGINE_STAT_COPIES] = "patched copies of files",
	[ENGINE_STAT_COPIES_REFUSED] = "files and sites not learnt",
	[ENGINE_STAT_NOT_PROPAGATED] = "execs without our TRACEPARENT",
	[ENGINE_STAT_CONTEXTS] = "contexts read",
	[ENGINE_STAT_MAPS] = "mappings of code",
	[ENGINE_STAT_ELF_READ] = "executables read",
	[ENGINE_STAT_ELF_FORGOTTEN] = "executables forgotten",
};

/* NAME or NAME:VARIANT; the length of NAME. */
static size_t name_length(const char *name)
{
	return strcspn(name, ":");
}

const struct engine_ops *engine_lookup(const char *name)
{
	size_t n = name_length(name);

	for (unsigned i = 0; engines[i]; i++) {
		if (strlen(engines[i]->name) == n && !strncmp(engines[i]->name, name, n))
			return engines[i];
	}
	return NULL;
}

/* The advice to name another engine: auto takes that one by itself. */
static void advice_cut(char *why)
{
	static const char *const advice[] = { "; use --engine ", ", or use --engine " };

	for (unsigned i = 0; i < 2; i++) {
		char *at = strstr(why, advice[i]);

		if (at)
			*at = '\0';
	}
}

int engine_choose_behind(const struct engine_ops *last, struct engine_config *cfg, const struct engine_ops **out,
			 char *why, size_t whylen)
{
	int r = -TRACER_ERR_ENGINE;
	unsigned i = 0;

	while (last && engines[i] && engines[i++] != last)
		;
	for (; engines[i]; i++) {
		if (engines[i] == &engine_replay)
			continue;
		r = engines[i]->probe(cfg, why, whylen);
		if (r >= 0) {
			advice_cut(why);
			*out = engines[i];
			cfg->chosen = true;
			return 0;
		}
	}
	return r;
}

static void names_format(char *buf, size_t len)
{
	size_t n = 0;

	for (unsigned i = 0; engines[i] && n < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s, ", engines[i]->name);
	if (n < len)
		snprintf(buf + n, len - n, "auto");
}

int engine_choose(const char *name, struct engine_config *cfg, const struct engine_ops **out, char *why,
		  size_t whylen)
{
	const struct engine_ops *ops;
	char names[128];
	int r;

	why[0] = '\0';
	/* Where a recording was named, nothing else is meant. */
	if ((!name || !strcmp(name, "auto")) && cfg->recording)
		name = "replay";
	cfg->named = name && strcmp(name, "auto");
	if (!cfg->named)
		return engine_choose_behind(NULL, cfg, out, why, whylen);
	ops = engine_lookup(name);
	if (!ops) {
		names_format(names, sizeof(names));
		snprintf(why, whylen, "there is no engine '%s'; engines: %s", name, names);
		return -TRACER_ERR_USAGE;
	}
	if (name[name_length(name)])
		cfg->variant = name + name_length(name) + 1;
	r = ops->probe(cfg, why, whylen);
	if (r >= 0)
		*out = ops;
	return r < 0 ? r : 0;
}
