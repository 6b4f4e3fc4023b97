/* SPDX-License-Identifier: Apache-2.0 */
/* Cases for what everything stands on: clock, hash, ring.  Main thread. */
#include "config.h"
#include "bench.h"
#include <stdlib.h>
#include "base/clock.h"
#include "base/hash.h"

static void run_ticks(void *state, uint64_t n)
{
	enum tracer_clock_source src = clock_probe();
	uint64_t sum = 0;

	(void)state;
	while (n--)
		sum += clock_ticks(src);
	bench_keep(&sum);
}

static void *hash_setup(void)
{
	struct hash *h = malloc(sizeof(*h));

	if (!h || hash_init(h, 4096) < 0)
		return NULL;
	for (uint64_t i = 1; i <= 1000; i++)
		hash_put(h, i * 7919, h);
	return h;
}

static void run_lookup(void *state, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		bench_keep(hash_lookup(state, (i % 1000 + 1) * 7919));
}

static void hash_teardown(void *state)
{
	hash_fini(state);
	free(state);
}

static const struct bench_case cases[] = {
	{ .name = "clock_ticks", .what = "one time stamp", .run = run_ticks },
	{ .name = "hash_lookup", .what = "task lookup among 1000", .setup = hash_setup, .run = run_lookup,
	  .teardown = hash_teardown },
	{ 0 }
};

const struct bench_suite bench_base = { "base", cases };
