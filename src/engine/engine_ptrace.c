/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference engine: two ptrace stops a call, nothing inside the tracee.
 * It is the supervisor without hooks; this file fits it to the vtable.
 */
#include "config.h"
#include "engine/engine.h"
#include "engine/supervisor.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tracer/error.h>

struct engine {
	struct supervisor sup;
};

static int ptrace_open(const struct engine_config *cfg, struct engine **out)
{
	struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	r = sup_init(&e->sup, cfg, NULL);
	if (r < 0)
		free(e);
	else
		*out = e;
	return r;
}

static int ptrace_probe(const struct engine_config *cfg, char *why, size_t whylen)
{
	if (!cfg->variant)
		return sup_probe(cfg, why, whylen);
	snprintf(why, whylen, "the ptrace engine has no variant '%s', nor any other; use --engine ptrace", cfg->variant);
	return -TRACER_ERR_USAGE;
}

static int ptrace_start(struct engine *e)
{
	return sup_start(&e->sup);
}

static int ptrace_run(struct engine *e, struct engine_result *res)
{
	return sup_run(&e->sup, res);
}

static void ptrace_close(struct engine *e)
{
	if (!e)
		return;
	sup_fini(&e->sup);
	free(e);
}

static void ptrace_forward(struct engine *e, int sig)
{
	sup_forward(&e->sup, sig);
}

static void ptrace_stop(struct engine *e)
{
	sup_stop(&e->sup);
}

static void ptrace_stats(const struct engine *e, uint64_t out[ENGINE_STATS])
{
	memcpy(out, e->sup.stats, sizeof(e->sup.stats));
}

const struct engine_ops engine_ptrace = {
	.name = "ptrace",
	.probe = ptrace_probe,
	.open = ptrace_open,
	.start = ptrace_start,
	.run = ptrace_run,
	.close = ptrace_close,
	.forward = ptrace_forward,
	.stop = ptrace_stop,
	.stats = ptrace_stats,
};
