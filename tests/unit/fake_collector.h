/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A collector that behaves as a list says, on a loopback socket, and keeps
 * what it got: for the exporter's tests.  One thread, one connection at a
 * time.  Requests are decoded by libprotobuf-c.
 */
#ifndef FAKE_COLLECTOR_H
#define FAKE_COLLECTOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

enum fake_act {
	FAKE_ANSWER = 0,	/* status, headers, body */
	FAKE_HANG,		/* read the request, never answer */
	FAKE_RESET,		/* read the request, then a TCP reset */
	FAKE_HALF,		/* half of the announced body, then close */
	FAKE_BOMB,		/* a body that never ends */
	FAKE_DRIP,		/* the answer byte by byte, a millisecond each */
	FAKE_INTERIM		/* 100 Continue and 103 Early Hints before the answer */
};

struct fake_step {
	enum fake_act act;
	int status;		/* 0: 200 */
	const char *headers;	/* lines with \r\n, NULL: content type protobuf */
	const void *body;
	size_t len;
};

struct fake_request {
	uint64_t time;		/* CLOCK_MONOTONIC ns, when it was whole */
	unsigned connection;	/* 1 for the first */
	char head[2048];	/* request line and headers */
	uint8_t *body;		/* as it came */
	size_t len;
	uint8_t *plain;		/* decompressed */
	size_t plain_len;
	size_t spans;
	bool valid;		/* decoded */
};

#define FAKE_REQUESTS 256

struct fake_collector {
	pthread_t thread;
	int listener, stop_fd, port;
	const struct fake_step *steps;	/* the last one repeats */
	size_t nsteps;
	struct fake_request *requests;
	size_t nrequests;		/* lock: lock */
	unsigned connections;		/* lock: lock */
	pthread_mutex_t lock;
	pthread_cond_t more;
};

/* port 0: any.  Aborts the test on failure. */
void fake_collector_start(struct fake_collector *f, int port, const struct fake_step *steps, size_t nsteps);
void fake_collector_stop(struct fake_collector *f);	/* requests stay for looking at */
void fake_collector_free(struct fake_collector *f);
/* Waits until n requests have come (a minute at most): false if not. */
bool fake_collector_wait(struct fake_collector *f, size_t n);
/* Value of a request header, or NULL; in static memory. */
const char *fake_header(const struct fake_request *r, const char *name);
/* A loopback port on which nothing listens. */
int fake_free_port(void);
size_t fake_spans(struct fake_collector *f);		/* decoded so far */

#endif
