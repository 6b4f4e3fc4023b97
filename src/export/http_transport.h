/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST of one body over a kept connection: libcurl's easy handle, reused,
 * driven through its multi interface so that a deadline holds and another
 * thread (or a signal handler) can stop it.
 */
#ifndef HTTP_TRANSPORT_H
#define HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "export/otlp_endpoint.h"

#define HTTP_RESPONSE_MAX 4194304u	/* protocol/exporter.md, "Max Response Size" */

struct http_config {
	const struct otlp_endpoint *endpoint;
	enum otlp_protocol protocol;	/* content type; HTTP version */
	bool gzip;
	const char *headers;		/* list form, may be NULL */
	const char *certificate;	/* CA file, may be NULL */
	const char *client_certificate, *client_key;
	size_t response_max;		/* 0: HTTP_RESPONSE_MAX */
};

enum http_result {
	HTTP_ANSWERED = 0,	/* status is set */
	HTTP_UNREACHABLE,	/* no connection: refused, no such host, no route */
	HTTP_TLS,		/* no connection: certificates or handshake */
	HTTP_BROKEN,		/* connection lost before the answer was whole */
	HTTP_TIMEOUT,
	HTTP_TOO_LARGE,		/* answer over the cap */
	HTTP_ABORTED
};

enum http_body { HTTP_BODY_OTHER = 0, HTTP_BODY_PROTOBUF, HTTP_BODY_JSON, HTTP_BODY_GRPC };

struct http_reply {
	enum http_result result;
	int status;
	uint64_t retry_after_ns;	/* 0: none */
	enum http_body type;
	const uint8_t *body;		/* valid until the next post */
	size_t len;
	int grpc_status;		/* -1: none came */
	char grpc_message[256];		/* percent-decoded */
	char grpc_details[11264];	/* base64, as it came; 8 KiB is what peers allow all metadata */
	char error[256];		/* libcurl's words, for results other than ANSWERED */
};

struct http_transport;

/* 0, or negative with the reason in why. */
int http_transport_new(struct http_transport **out, const struct http_config *cfg, char *why, size_t whylen);
void http_transport_free(struct http_transport *t);
/* deadline: CLOCK_MONOTONIC ns. */
void http_transport_post(struct http_transport *t, const uint8_t *body, size_t len, uint64_t deadline,
			 struct http_reply *reply);
/* What to do with the time in which an answer is awaited: called once a post at the most, on its thread, when
 * the request is out on a connection that was there before.  NULL: nothing. */
void http_transport_set_idle(struct http_transport *t, void (*idle)(void *ctx), void *ctx);
/* Sleeps until then unless aborted: 0, or -ECANCELED. */
int http_transport_wait(struct http_transport *t, uint64_t until);
/* Any thread, async-signal-safe; final. */
void http_transport_abort(struct http_transport *t);
bool http_transport_aborted(const struct http_transport *t);

#endif
