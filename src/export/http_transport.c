/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP for the exporters.  Everything but abort runs on the exporter thread,
 * which owns handle, multi handle and response buffer; abort only touches an
 * atomic flag and an eventfd that the poll loop watches.
 *
 * Behaviours of libcurl that are relied on or avoided (7.88):
 *  - bodies over 1 MiB wait for "100 Continue": an empty Expect turns it off;
 *  - CURLOPT_MAXFILESIZE does not bound a chunked answer: the write callback does;
 *  - a second request on a prior-knowledge HTTP/2 connection fails before 8.0
 *    (curl issue 10634): later ones ask for plain HTTP/2, see choose_version();
 *  - trailers come to the header callback, behind a second empty line.
 */
#include "config.h"
#include "export/http_transport.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <tracer/error.h>
#include <tracer/version.h>
#include "base/base64.h"
#include "base/clock.h"
#include "export/curl_api.h"

#define USER_AGENT "tracer/" TRACER_VERSION " OTel-OTLP-Exporter-C/" TRACER_VERSION

struct http_transport {
	struct curl_api curl;
	CURL *easy;
	CURLM *multi;
	struct curl_slist *headers;
	int abort_fd;
	atomic_bool aborted;
	enum otlp_protocol protocol;
	bool tls, connected;		/* connected: the last post left a live connection */
	uint8_t *body;
	size_t len, cap, response_max;
	bool too_large;
	struct http_reply *reply;	/* of the running post */
	void (*idle)(void *ctx);
	void *idle_ctx;
	char error[CURL_ERROR_SIZE];
};

/* ---- callbacks of libcurl, on the exporter thread inside perform ---- */

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct http_transport *t = ctx;

	n *= size;
	if (t->len + n > t->response_max) {
		t->too_large = true;
		return 0;
	}
	if (t->len + n > t->cap) {
		size_t cap = t->cap ? t->cap : 4096;
		uint8_t *mem;

		while (cap < t->len + n)
			cap *= 2;
		mem = realloc(t->body, cap);
		if (!mem)
			return 0;
		t->body = mem;
		t->cap = cap;
	}
	memcpy(t->body + t->len, data, n);
	t->len += n;
	return n;
}

/* Value of a header line if it has that name, trimmed; NULL else. */
static const char *header_value(const char *line, size_t n, const char *name, size_t *len)
{
	size_t k = strlen(name);

	if (n <= k || line[k] != ':' || strncasecmp(line, name, k) != 0)
		return NULL;
	line += k + 1;
	n -= k + 1;
	while (n && (*line == ' ' || *line == '\t')) {
		line++;
		n--;
	}
	while (n && strchr(" \t\r\n", line[n - 1]))
		n--;
	*len = n;
	return line;
}

static void copy_value(char *out, size_t room, const char *p, size_t n)
{
	n = n < room ? n : room - 1;
	memcpy(out, p, n);
	out[n] = '\0';
}

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c | 0x20) : NULL;

	return p && c != ' ' ? (int)(p - digits) : -1;
}

/* grpc-message: percent-encoded UTF-8; what does not decode stays. */
static void percent_decode(char *s)
{
	char *out = s;

	for (; *s; s++) {
		int hi = s[0] == '%' ? hex_value(s[1]) : -1, lo = hi < 0 ? -1 : hex_value(s[2]);

		if (lo >= 0) {
			*out++ = (char)(hi << 4 | lo);
			s += 2;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static enum http_body body_type(const char *v, size_t n)
{
	static const struct { const char *name; enum http_body type; } types[] = {
		{ "application/x-protobuf", HTTP_BODY_PROTOBUF },
		{ "application/json", HTTP_BODY_JSON },
		{ "application/grpc", HTTP_BODY_GRPC },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t k = strlen(types[i].name);

		if (n >= k && strncasecmp(v, types[i].name, k) == 0 && (n == k || strchr("; +\t", v[k])))
			return types[i].type;
	}
	return HTTP_BODY_OTHER;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	struct http_reply *r = ((struct http_transport *)ctx)->reply;
	size_t len;
	const char *v;

	n *= size;
	if (n > 5 && strncmp(data, "HTTP/", 5) == 0) {
		r->type = HTTP_BODY_OTHER;	/* what came before was an interim answer, or a proxy's */
	} else if ((v = header_value(data, n, "content-type", &len)) != NULL) {
		r->type = body_type(v, len);
	} else if ((v = header_value(data, n, "grpc-status", &len)) != NULL) {
		char digits[8];

		copy_value(digits, sizeof(digits), v, len);
		r->grpc_status = digits[0] >= '0' && digits[0] <= '9' ? atoi(digits) : 2;	/* UNKNOWN */
	} else if ((v = header_value(data, n, "grpc-message", &len)) != NULL) {
		copy_value(r->grpc_message, sizeof(r->grpc_message), v, len);
		percent_decode(r->grpc_message);
	} else if ((v = header_value(data, n, "grpc-status-details-bin", &len)) != NULL) {
		copy_value(r->grpc_details, sizeof(r->grpc_details), v, len);
	}
	return n;
}

/* ---- set-up ---- */

struct header_ctx { struct http_transport *t; bool grpc; };

static int headers_append(struct http_transport *t, const char *line)
{
	struct curl_slist *l = t->curl.slist_append(t->headers, line);

	if (!l)
		return -ENOMEM;
	t->headers = l;
	return 0;
}

/* gRPC metadata keys are lower case, and values of those that end in -bin go in base64; HTTP/1.1 does not mind.  An
 * empty value has to be written "name;" for libcurl, "name:" would remove the header. */
static int add_header(void *ctx, const char *name, const char *value)
{
	struct header_ctx *c = ctx;
	size_t n = strlen(name);
	char *line, *binary = NULL;
	int err;

	if (c->grpc && n > 4 && strcasecmp(name + n - 4, "-bin") == 0) {
		binary = malloc(BASE64_SIZE(strlen(value)) + 1);
		if (!binary)
			return -ENOMEM;
		*base64_format(binary, value, strlen(value)) = '\0';
		value = binary;
	}
	err = asprintf(&line, *value ? "%s: %s" : "%s;", name, value) < 0 ? -ENOMEM : 0;
	free(binary);
	if (err)
		return err;
	for (char *p = line; c->grpc && *p && *p != ':'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p |= 0x20;
	err = headers_append(c->t, line);
	free(line);
	return err;
}

static int headers_init(struct http_transport *t, const struct http_config *cfg, char *why, size_t whylen)
{
	static const char *const http_protobuf[] = { "Content-Type: application/x-protobuf", NULL };
	static const char *const http_json[] = { "Content-Type: application/json", NULL };
	static const char *const grpc[] = { "content-type: application/grpc", "te: trailers",
					    "grpc-accept-encoding: identity", NULL };
	static const char *const *const sets[] = { http_protobuf, http_json, grpc };
	struct header_ctx ctx = { t, cfg->protocol == OTLP_GRPC };
	int err = headers_append(t, "Expect:");

	if (!err)
		err = headers_append(t, "Accept:");
	for (const char *const *h = sets[cfg->protocol]; *h && !err; h++)
		err = headers_append(t, *h);
	if (!err && cfg->gzip)
		err = headers_append(t, ctx.grpc ? "grpc-encoding: gzip" : "Content-Encoding: gzip");
	if (!err && cfg->headers)
		err = otlp_headers_parse(cfg->headers, add_header, &ctx, why, whylen);
	return err;
}

static bool is_loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0;
}

static void set_tls(struct http_transport *t, const struct http_config *cfg)
{
	if (cfg->certificate)
		t->curl.easy_setopt(t->easy, CURLOPT_CAINFO, cfg->certificate);
	if (cfg->client_certificate)
		t->curl.easy_setopt(t->easy, CURLOPT_SSLCERT, cfg->client_certificate);
	if (cfg->client_key)
		t->curl.easy_setopt(t->easy, CURLOPT_SSLKEY, cfg->client_key);
}

static void set_protocols(struct http_transport *t)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	t->curl.easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	t->curl.easy_setopt(t->easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	t->curl.easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075700
	t->curl.easy_setopt(t->easy, CURLOPT_QUICK_EXIT, 1L);	/* a hanging name lookup must not hold our end */
#endif
}

static int easy_init(struct http_transport *t, const struct http_config *cfg)
{
	if (t->curl.easy_setopt(t->easy, CURLOPT_URL, cfg->endpoint->url) != CURLE_OK)
		return -ENOMEM;
	if (cfg->endpoint->unix_path[0])
		t->curl.easy_setopt(t->easy, CURLOPT_UNIX_SOCKET_PATH, cfg->endpoint->unix_path);
	else if (is_loopback(cfg->endpoint->host))
		t->curl.easy_setopt(t->easy, CURLOPT_PROXY, "");	/* http_proxy is about other hosts */
	set_protocols(t);
	set_tls(t, cfg);
	t->curl.easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
	t->curl.easy_setopt(t->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	t->curl.easy_setopt(t->easy, CURLOPT_POST, 1L);
	t->curl.easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	t->curl.easy_setopt(t->easy, CURLOPT_USERAGENT, USER_AGENT);
	t->curl.easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
	t->curl.easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
	t->curl.easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	t->curl.easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
	t->curl.easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	t->curl.easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	return 0;
}

static int tls_files_check(const struct http_config *cfg, char *why, size_t whylen)
{
	const char *files[] = { cfg->certificate, cfg->client_certificate, cfg->client_key };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i] && access(files[i], R_OK) != 0) {
			snprintf(why, whylen, "cannot read TLS file '%s': %s", files[i], strerror(errno));
			return -TRACER_ERR_USAGE;
		}
	return 0;
}

int http_transport_new(struct http_transport **out, const struct http_config *cfg, char *why, size_t whylen)
{
	struct http_transport *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	err = curl_api_load(&t->curl, why, whylen);
	if (err) {
		free(t);
		return err;
	}
	snprintf(why, whylen, "no memory for the HTTP client");
	t->protocol = cfg->protocol;
	t->tls = cfg->endpoint->tls;
	t->response_max = cfg->response_max ? cfg->response_max : HTTP_RESPONSE_MAX;
	t->abort_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->curl.global_init(CURL_GLOBAL_DEFAULT);	/* counted; thread-safe since 7.84 */
	t->easy = t->curl.easy_init();
	t->multi = t->curl.multi_init();
	t->curl.multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, 1L);
	err = t->abort_fd < 0 || !t->easy || !t->multi ? -ENOMEM : 0;
	if (!err)
		err = tls_files_check(cfg, why, whylen);
	if (!err)
		err = headers_init(t, cfg, why, whylen);
	if (!err)
		err = easy_init(t, cfg);
	if (err) {
		http_transport_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void http_transport_free(struct http_transport *t)
{
	if (!t)
		return;
	t->curl.easy_cleanup(t->easy);
	t->curl.multi_cleanup(t->multi);
	t->curl.slist_free_all(t->headers);
	t->curl.global_cleanup();
	if (t->abort_fd >= 0)
		close(t->abort_fd);
	free(t->body);
	free(t);
}

/* ---- a post ---- */

/* gRPC needs HTTP/2.  In the clear there is no negotiation, so it is spoken at
 * once; with TLS it is what ALPN agrees on.  Before 8.0 (curl pull request
 * 10643) prior knowledge must not meet a connection that is there already: a
 * live one is asked for plain HTTP/2, after any failure a fresh one is made. */
static void choose_version(struct http_transport *t)
{
	static const unsigned fixed = 0x080000;
	bool broken = t->curl.version_info(CURLVERSION_NOW)->version_num < fixed;
	long version = CURL_HTTP_VERSION_2TLS;

	if (t->protocol != OTLP_GRPC)
		return;
	if (!t->tls) {
		version = t->connected && broken ? CURL_HTTP_VERSION_2_0 : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
		t->curl.easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, (long)(!t->connected && broken));
	}
	t->curl.easy_setopt(t->easy, CURLOPT_HTTP_VERSION, version);
}

static enum http_result result_of(const struct http_transport *t, CURLcode rc)
{
	switch (rc) {
	case CURLE_OK:
		return HTTP_ANSWERED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return HTTP_UNREACHABLE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_TLS;
	case CURLE_WRITE_ERROR:
		return t->too_large ? HTTP_TOO_LARGE : HTTP_BROKEN;
	default:
		return HTTP_BROKEN;
	}
}

/* Milliseconds until then, rounded up so that no turn is a busy one. */
static int ms_until(uint64_t until)
{
	uint64_t now = clock_mono_ns(), ms;

	if (now >= until)
		return 0;
	ms = (until - now + 999999) / 1000000;
	return ms > 60000 ? 60000 : (int)ms;
}

/* Runs the transfer to its end: a libcurl code, or -1 with the result set. */
static int transfer_run(struct http_transport *t, uint64_t deadline)
{
	struct curl_waitfd stop = { .fd = t->abort_fd, .events = CURL_WAIT_POLLIN };
	bool idle = t->idle && t->connected;
	int running = 1, left;
	CURLMsg *msg;

	for (;;) {
		if (atomic_load_explicit(&t->aborted, memory_order_acquire)) {	/* pairs with abort */
			t->reply->result = HTTP_ABORTED;
			return -1;
		}
		if (t->curl.multi_perform(t->multi, &running) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
		if (!running)
			break;
		if (clock_mono_ns() >= deadline) {
			t->reply->result = HTTP_TIMEOUT;
			return -1;
		}
		if (idle)
			t->idle(t->idle_ctx);
		else
			t->curl.multi_poll(t->multi, &stop, 1, ms_until(deadline), NULL);
		idle = false;
	}
	while ((msg = t->curl.multi_info_read(t->multi, &left)) != NULL)
		if (msg->msg == CURLMSG_DONE)
			return (int)msg->data.result;
	return CURLE_OUT_OF_MEMORY;
}

static void reply_fill(struct http_transport *t, int rc)
{
	struct http_reply *r = t->reply;
	curl_off_t after = 0;
	long status = 0;

	if (rc >= 0)
		r->result = result_of(t, (CURLcode)rc);
	t->curl.easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	t->curl.easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after);
	r->status = (int)status;
	r->retry_after_ns = after > 0 && after < 86400 ? (uint64_t)after * 1000000000u : after > 0 ? UINT64_MAX / 2 : 0;
	r->body = t->body;
	r->len = t->len;
	t->connected = r->result == HTTP_ANSWERED;
	if (rc > 0)
		snprintf(r->error, sizeof(r->error), "%.255s", t->error[0] ? t->error : t->curl.easy_strerror((CURLcode)rc));
}

static int post_once(struct http_transport *t, const uint8_t *body, size_t len, uint64_t deadline)
{
	struct http_reply *r = t->reply;
	int rc;

	memset(r, 0, offsetof(struct http_reply, grpc_details));
	r->grpc_details[0] = r->error[0] = '\0';
	r->grpc_status = -1;
	t->len = 0;
	t->too_large = false;
	t->error[0] = '\0';
	choose_version(t);
	t->curl.easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	t->curl.easy_setopt(t->easy, CURLOPT_POSTFIELDS, body);
	if (t->curl.multi_add_handle(t->multi, t->easy) != CURLM_OK) {
		r->result = HTTP_BROKEN;
		return -1;
	}
	rc = transfer_run(t, deadline);
	t->curl.multi_remove_handle(t->multi, t->easy);
	reply_fill(t, rc);
	return rc;
}

void http_transport_post(struct http_transport *t, const uint8_t *body, size_t len, uint64_t deadline,
			 struct http_reply *reply)
{
	bool reused = t->connected && t->protocol == OTLP_GRPC && !t->tls;

	t->reply = reply;
	post_once(t, body, len, deadline);
	/* The work-around asked for HTTP/2 on the live connection.  Where that
	 * had gone away, the answer is from a new HTTP/1.1 one: say it again
	 * with prior knowledge. */
	if (reused && (reply->result == HTTP_BROKEN || (reply->result == HTTP_ANSWERED && reply->grpc_status < 0 &&
							reply->type != HTTP_BODY_GRPC))) {
		t->connected = false;
		post_once(t, body, len, deadline);
	}
	t->reply = NULL;
}

void http_transport_set_idle(struct http_transport *t, void (*idle)(void *ctx), void *ctx)
{
	t->idle = idle;
	t->idle_ctx = ctx;
}

int http_transport_wait(struct http_transport *t, uint64_t until)
{
	struct pollfd p = { .fd = t->abort_fd, .events = POLLIN };

	while (!http_transport_aborted(t)) {
		int ms = ms_until(until);

		if (ms == 0)
			return 0;
		poll(&p, 1, ms);
	}
	return -ECANCELED;
}

void http_transport_abort(struct http_transport *t)
{
	uint64_t one = 1;
	int saved = errno;

	atomic_store_explicit(&t->aborted, true, memory_order_release);
	if (write(t->abort_fd, &one, sizeof(one)) < 0)
		errno = 0;	/* EAGAIN: signalled already */
	errno = saved;
}

bool http_transport_aborted(const struct http_transport *t)
{
	return atomic_load_explicit(&t->aborted, memory_order_acquire);
}
