/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small OTLP/HTTP receiver: POST /v1/traces and /v1/metrics,
 * application/x-protobuf, plain or gzip.  It decompresses, calls on_body() and answers 200, or the status
 * that the protocol asks for.  One connection thread of libmicrohttpd.
 */
#ifndef COLLECT_RECEIVER_H
#define COLLECT_RECEIVER_H

#include <stddef.h>
#include <stdint.h>

struct receiver;

enum receiver_signal { RECEIVER_TRACES = 0, RECEIVER_METRICS, RECEIVER_SIGNALS };

struct receiver_config {
	const char *host;	/* numeric address to bind */
	uint16_t port;		/* 0: any free one */
	size_t body_max;	/* bytes of a body, before and after decompression */
	/* One decompressed request body.  0, or -EBADMSG: answered with 400. */
	int (*on_body)(void *ctx, enum receiver_signal signal, const uint8_t *body, size_t n);
	/* A request is over: its answer was sent, or the client went away.  May be NULL. */
	void (*on_answered)(void *ctx);
	void *ctx;
};

struct receiver_stats { uint64_t requests, refused, wire_bytes, bytes; };

int receiver_start(struct receiver **out, const struct receiver_config *cfg);
uint16_t receiver_port(const struct receiver *r);
/* Ends the connections and frees r; the final counts go to out (may be NULL). */
void receiver_stop(struct receiver *r, struct receiver_stats *out);

#endif
