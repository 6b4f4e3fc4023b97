/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP/HTTP receiver on libmicrohttpd.  All callbacks run on the daemon's one
 * polling thread; each connection owns a struct upload from its first
 * callback to its completion.  Status codes: opentelemetry-proto
 * docs/specification.md, "OTLP/HTTP Response".
 */
#include "config.h"
#include "collect/receiver.h"
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct receiver {
	struct receiver_config cfg;
	struct MHD_Daemon *daemon;
	uint16_t port;
	uint8_t *plain;		/* decompressed body, reused; polling thread only */
	size_t plain_cap;
	atomic_uint_fast64_t requests, refused, wire_bytes, bytes;
};

struct upload {
	uint8_t *body;
	size_t len, cap;
	bool gzip, too_large;
	enum receiver_signal signal;
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type, const char *text)
{
	struct MHD_Response *r;
	enum MHD_Result rc;

	r = MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "POST");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result refuse(struct receiver *r, struct MHD_Connection *c, unsigned status, const char *text)
{
	atomic_fetch_add(&r->refused, 1);
	return answer(c, status, "text/plain", text);
}

static bool header_is(struct MHD_Connection *c, const char *name, const char *want)
{
	const char *v = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
	size_t n = strlen(want);

	return v && strncasecmp(v, want, n) == 0 && (v[n] == '\0' || v[n] == ';' || v[n] == ' ');
}

static bool path_parse(const char *url, enum receiver_signal *out)
{
	static const char *const paths[RECEIVER_SIGNALS] = { "/v1/traces", "/v1/metrics" };

	for (unsigned i = 0; i < RECEIVER_SIGNALS; i++)
		if (!strcmp(url, paths[i])) {
			*out = (enum receiver_signal)i;
			return true;
		}
	return false;
}

/* Request line and headers: 0 when the body is wanted, else a status. */
static unsigned check_head(struct MHD_Connection *c, const char *method, const char *url, struct upload *u,
			   const char **why)
{
	const char *enc = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_ENCODING);

	u->gzip = enc && strcasecmp(enc, "gzip") == 0;
	if (!path_parse(url, &u->signal)) {
		*why = "this receiver takes traces and metrics: POST /v1/traces, /v1/metrics\n";
		return MHD_HTTP_NOT_FOUND;
	}
	if (strcmp(method, "POST") != 0) {
		*why = "use POST\n";
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	if (!header_is(c, MHD_HTTP_HEADER_CONTENT_TYPE, "application/x-protobuf")) {
		*why = "this receiver takes application/x-protobuf only\n";
		return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
	}
	if (enc && !u->gzip && strcasecmp(enc, "identity") != 0) {
		*why = "content encodings: gzip, identity\n";
		return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
	}
	return 0;
}

static bool grow(uint8_t **p, size_t *cap, size_t want)
{
	size_t n = *cap ? *cap : 65536;
	uint8_t *q;

	while (n < want)
		n *= 2;
	if (n == *cap)
		return true;
	q = realloc(*p, n);
	if (!q)
		return false;
	*p = q;
	*cap = n;
	return true;
}

static void upload_add(struct upload *u, const char *data, size_t n, size_t max)
{
	if (u->too_large || n > max - u->len || !grow(&u->body, &u->cap, u->len + n)) {
		u->too_large = true;
		return;
	}
	memcpy(u->body + u->len, data, n);
	u->len += n;
}

/* Bytes written to r->plain, or -EBADMSG, -EMSGSIZE. */
static ssize_t inflate_body(struct receiver *r, const struct upload *u)
{
	z_stream z = { .next_in = u->body, .avail_in = (uInt)u->len };
	size_t len = 0;
	int rc = Z_OK;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return -ENOMEM;
	while (rc == Z_OK && len < r->cfg.body_max) {
		if (!grow(&r->plain, &r->plain_cap, len + 65536))
			break;
		z.next_out = r->plain + len;
		z.avail_out = (uInt)(r->plain_cap - len);
		rc = inflate(&z, Z_NO_FLUSH);
		len = r->plain_cap - z.avail_out;
	}
	inflateEnd(&z);
	if (rc == Z_STREAM_END)
		return (ssize_t)len;
	return len >= r->cfg.body_max ? -EMSGSIZE : -EBADMSG;
}

static enum MHD_Result complete(struct receiver *r, struct MHD_Connection *c, struct upload *u)
{
	const uint8_t *body = u->body;
	ssize_t n = (ssize_t)u->len;

	if (u->gzip) {
		n = inflate_body(r, u);
		body = r->plain;
	}
	if (u->too_large || n == -EMSGSIZE)
		return refuse(r, c, MHD_HTTP_CONTENT_TOO_LARGE, "request body is too large\n");
	if (n < 0)
		return refuse(r, c, MHD_HTTP_BAD_REQUEST, "body is not gzip as its header says\n");
	if (r->cfg.on_body(r->cfg.ctx, u->signal, body, (size_t)n) < 0)
		return refuse(r, c, MHD_HTTP_BAD_REQUEST, u->signal == RECEIVER_METRICS ?
			      "body is no ExportMetricsServiceRequest\n" : "body is no ExportTraceServiceRequest\n");
	atomic_fetch_add(&r->requests, 1);
	atomic_fetch_add(&r->wire_bytes, u->len);
	atomic_fetch_add(&r->bytes, (uint64_t)n);
	/* An empty response message: full success. */
	return answer(c, MHD_HTTP_OK, "application/x-protobuf", "");
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
				 const char *version, const char *data, size_t *size, void **state)
{
	struct receiver *r = ctx;
	struct upload *u = *state;
	const char *why = NULL;
	unsigned status;

	(void)version;
	if (!u) {
		u = calloc(1, sizeof(*u));
		*state = u;
		return u ? MHD_YES : MHD_NO;
	}
	if (*size) {
		upload_add(u, data, *size, r->cfg.body_max);
		*size = 0;
		return MHD_YES;
	}
	/* The verdict on the head waits for the end of the body: a client that
	 * is still sending would see a reset instead of the status. */
	status = check_head(c, method, url, u, &why);
	if (status)
		return refuse(r, c, status, why);
	return complete(r, c, u);
}

static void on_completed(void *ctx, struct MHD_Connection *c, void **state,
			 enum MHD_RequestTerminationCode why)
{
	const struct receiver *r = ctx;
	struct upload *u = *state;

	(void)c;
	(void)why;
	if (u)
		free(u->body);
	if (u && r->cfg.on_answered)
		r->cfg.on_answered(r->cfg.ctx);
	free(u);
	*state = NULL;
}

static int parse_address(const struct receiver_config *cfg, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, cfg->host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(cfg->port);
		return 0;
	}
	if (inet_pton(AF_INET6, cfg->host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(cfg->port);
		return 0;
	}
	return -EINVAL;
}

int receiver_start(struct receiver **out, const struct receiver_config *cfg)
{
	struct receiver *r = calloc(1, sizeof(*r));
	struct sockaddr_storage ss;
	const union MHD_DaemonInfo *info;
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL;
	int rc;

	if (!r)
		return -ENOMEM;
	r->cfg = *cfg;
	rc = parse_address(cfg, &ss);
	if (rc < 0)
		goto fail;
	if (ss.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	r->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_access, r,
				     MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&ss,
				     MHD_OPTION_NOTIFY_COMPLETED, on_completed, r,
				     MHD_OPTION_CONNECTION_LIMIT, 64u,
				     MHD_OPTION_CONNECTION_TIMEOUT, 60u, MHD_OPTION_END);
	rc = errno ? -errno : -EADDRINUSE;
	if (!r->daemon)
		goto fail;
	info = MHD_get_daemon_info(r->daemon, MHD_DAEMON_INFO_BIND_PORT);
	r->port = info ? info->port : cfg->port;
	*out = r;
	return 0;
fail:
	free(r);
	return rc;
}

uint16_t receiver_port(const struct receiver *r)
{
	return r->port;
}

void receiver_stop(struct receiver *r, struct receiver_stats *out)
{
	if (!r)
		return;
	MHD_stop_daemon(r->daemon);
	if (out)
		*out = (struct receiver_stats){
			.requests = atomic_load(&r->requests), .refused = atomic_load(&r->refused),
			.wire_bytes = atomic_load(&r->wire_bytes), .bytes = atomic_load(&r->bytes) };
	free(r->plain);
	free(r);
}
