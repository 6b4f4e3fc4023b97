/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retry policy and circuit breaker of the exporters.  Pure functions over
 * structs that the exporter owns; exporter thread.
 *
 * Sources: opentelemetry-proto docs/specification.md ("Failures", "OTLP/HTTP
 * Throttling"), OpenTelemetry specification protocol/exporter.md ("Retry").
 */
#include "config.h"
#include "export/retry.h"

bool retry_http_status(int status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

bool retry_grpc_status(int code, bool retry_info)
{
	switch (code) {
	case 1:		/* CANCELLED */
	case 4:		/* DEADLINE_EXCEEDED */
	case 10:	/* ABORTED */
	case 11:	/* OUT_OF_RANGE */
	case 14:	/* UNAVAILABLE */
	case 15:	/* DATA_LOSS */
		return true;
	case 8:		/* RESOURCE_EXHAUSTED */
		return retry_info;
	default:
		return false;
	}
}

/* xorshift64*: spread, not secrecy. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* 80 % to 120 % of ns: collectors that restart must not meet a herd. */
static uint64_t jitter(uint64_t ns, uint64_t *state)
{
	uint64_t span = ns / 5 * 2 + 1;

	return ns - ns / 5 + random_next(state) % span;
}

void retry_init(struct retry *r, uint64_t seed)
{
	r->random = seed | 1;
	retry_reset(r);
}

void retry_reset(struct retry *r)
{
	r->delay_ns = RETRY_FIRST_NS;
}

uint64_t retry_next(struct retry *r, uint64_t server_ns, uint64_t now, uint64_t deadline)
{
	uint64_t most = server_ns > RETRY_MOST_NS ? server_ns : RETRY_MOST_NS, left = deadline > now ? deadline - now : 0, wait;

	if (r->delay_ns < server_ns)
		r->delay_ns = server_ns;
	wait = jitter(r->delay_ns, &r->random);
	if (wait < server_ns)
		wait = server_ns + (server_ns - wait);	/* who were told the same time do not come at the same time */
	if (wait >= left && server_ns)
		wait = server_ns;
	r->delay_ns += r->delay_ns / 2;
	if (r->delay_ns > most)
		r->delay_ns = most;
	return wait < left ? wait : RETRY_NEVER;
}

void breaker_init(struct breaker *b, uint64_t seed)
{
	*b = (struct breaker){ .pause_ns = BREAKER_FIRST_NS, .random = seed | 1 };
}

uint64_t breaker_check(struct breaker *b, uint64_t now)
{
	if (b->state != BREAKER_OPEN)
		return 0;
	if (now < b->open_until)
		return b->open_until - now;
	b->state = BREAKER_HALF_OPEN;
	return 0;
}

bool breaker_add_failure(struct breaker *b, uint64_t now, bool absent, uint64_t asked_ns)
{
	bool was_closed = b->state == BREAKER_CLOSED;
	uint64_t pause;

	b->failures++;
	if (was_closed && b->failures < BREAKER_FAILURES && !absent && !asked_ns)
		return false;
	b->state = BREAKER_OPEN;
	pause = jitter(b->pause_ns, &b->random);
	asked_ns = asked_ns < BREAKER_MOST_NS ? asked_ns : BREAKER_MOST_NS;
	b->open_until = now + (pause > asked_ns ? pause : asked_ns);
	b->pause_ns *= 2;
	if (b->pause_ns > BREAKER_MOST_NS)
		b->pause_ns = BREAKER_MOST_NS;
	b->opened += was_closed;
	return was_closed;
}

bool breaker_add_success(struct breaker *b)
{
	bool was_closed = b->state == BREAKER_CLOSED;

	b->state = BREAKER_CLOSED;
	b->failures = 0;
	b->pause_ns = BREAKER_FIRST_NS;
	b->ever_succeeded = true;
	return !was_closed;
}
