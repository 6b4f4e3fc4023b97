/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace and span ids.  Trace ids, and the span ids that go into a program's
 * environment, come from getrandom; the ids of the span flood from
 * xoroshiro128++ seeded by it.  The generator belongs to the one thread that
 * builds spans.
 */
#include "config.h"
#include "span/propagator.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t mix64(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Where a sandbox refuses getrandom: unique enough, and never a failure. */
static void random_fallback(uint8_t *p, size_t n)
{
	struct timespec ts = { 0 };
	uint64_t x;

	clock_gettime(CLOCK_REALTIME, &ts);
	x = mix64((uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec) ^
	    mix64((uint64_t)getpid() << 32) ^ (uint64_t)(uintptr_t)p;
	for (size_t i = 0; i < n; i++) {
		x = mix64(x);
		p[i] = (uint8_t)(x >> 24);
	}
}

static void random_bytes(void *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = getrandom((uint8_t *)p + got, n - got, 0);

		if (r > 0)
			got += (size_t)r;
		else if (r < 0 && errno != EINTR)
			break;
	}
	if (got < n)
		random_fallback((uint8_t *)p + got, n - got);
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n && !*p) {
		p++;
		n--;
	}
	return n == 0;
}

void id_trace(uint8_t out[16])
{
	do
		random_bytes(out, 16);
	while (all_zero(out, 16));
}

void id_span(uint8_t out[8])
{
	do
		random_bytes(out, 8);
	while (all_zero(out, 8));
}

void id_generator_init(struct id_generator *g)
{
	uint8_t seed[16];

	id_trace(seed);
	memcpy(g->s, seed, sizeof(g->s));
}

static inline uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

void id_generator_next(struct id_generator *g, uint8_t out[8])
{
	uint64_t v;

	do {
		uint64_t a = g->s[0], b = g->s[1];

		v = rotl(a + b, 17) + a;
		b ^= a;
		g->s[0] = rotl(a, 49) ^ b ^ b << 21;
		g->s[1] = rotl(b, 28);
	} while (v == 0);
	memcpy(out, &v, sizeof(v));
}
