/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to try again: which answers allow it, how long to wait, and when to
 * leave a failing collector alone for a while.  Pure: time comes in as a
 * parameter, nothing is slept, nothing is sent.
 */
#ifndef RETRY_H
#define RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_FIRST_NS		1000000000ull	/* no constant is normative; these are the common SDK ones */
#define RETRY_MOST_NS		5000000000ull
#define RETRY_NEVER		UINT64_MAX

/* OTLP/HTTP: 429, 502, 503, 504 and nothing else. */
bool retry_http_status(int status);
/* OTLP/gRPC; RESOURCE_EXHAUSTED only where the server says when. */
bool retry_grpc_status(int code, bool retry_info);

/* Waits between the attempts of one export: x 1.5 each, +-20 %. */
struct retry { uint64_t delay_ns, random; };

void retry_init(struct retry *r, uint64_t seed);
void retry_reset(struct retry *r);
/* ns to wait before the next attempt, at least server_ns, from which later waits grow; RETRY_NEVER where
 * that would not end before the deadline. */
uint64_t retry_next(struct retry *r, uint64_t server_ns, uint64_t now, uint64_t deadline);

/* Circuit breaker over whole exports. */
enum breaker_state { BREAKER_CLOSED = 0, BREAKER_OPEN, BREAKER_HALF_OPEN };

#define BREAKER_FAILURES	3u
#define BREAKER_FIRST_NS	1000000000ull
#define BREAKER_MOST_NS		30000000000ull

struct breaker {
	enum breaker_state state;
	unsigned failures;		/* in a row */
	uint64_t pause_ns, open_until, random;
	uint64_t opened;		/* how often */
	bool ever_succeeded;
};

void breaker_init(struct breaker *b, uint64_t seed);
/* ns until an export may be tried, 0 now (an open breaker becomes half open). */
uint64_t breaker_check(struct breaker *b, uint64_t now);
/* Result of an export.  absent: no connection ever came about, which opens it at once; so does a
 * server that asks to be left alone for so many ns, 0: it does not (it is, for BREAKER_MOST_NS at the most).
 * True: the state changed between closed and open, for the log. */
bool breaker_add_failure(struct breaker *b, uint64_t now, bool absent, uint64_t asked_ns);
bool breaker_add_success(struct breaker *b);

#endif
