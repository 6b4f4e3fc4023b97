/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OTLP exporter over HTTP: one batch at a time is encoded, compressed,
 * posted, and posted again as the protocol allows.  Runs on the exporter
 * thread, which owns everything here; abort() alone may come from elsewhere
 * and only reaches the transport.
 *
 * The body of a batch is made once; attempts send the same bytes.  While the
 * answer is awaited the body of the next batch is made, where one waits.
 */
#include "config.h"
#include "export/otlp_exporter.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <tracer/error.h>
#include "base/clock.h"
#include "export/grpc.h"
#include "export/gzip.h"
#include "export/http_transport.h"
#include "export/otlp_encode.h"
#include "export/otlp_json.h"
#include "export/otlp_response.h"
#include "export/retry.h"

#define QUICK_NS 200000000ull	/* a refusal that takes no longer may be met once more at the end */

/* A compressed request that was made before its turn.  Its spans are told by their ids. */
struct ahead {
	const uint8_t *body;
	size_t len, plain;
	size_t n;			/* spans, 0: there is none */
	uint8_t first[8], last[8];
};

struct otlp_exporter {
	struct span_exporter base;
	struct otlp_endpoint endpoint;
	enum otlp_protocol protocol;
	struct http_transport *transport;
	struct otlp_encoder *encoder;
	struct gzip *gzip;		/* NULL: not compressed */
	struct strbuf json;
	struct strbuf plain;		/* of a gzipped body that must go out plain */
	struct ahead ahead;
	struct retry retry;
	struct breaker breaker;
	uint64_t refused_at;	/* when it could not be reached last, 0: to find that out took long */
	const struct log *log;
	size_t request_max;
	bool no_certificate;		/* TLS without one of ours */
	bool seen;			/* a connection came about once */
	uint64_t asked_ns;		/* the server wants to be left alone for so long, which is more than the export had */
	bool logged_failure, logged_partial;
	const char *items;		/* what is sent, for messages */
};

enum verdict { VERDICT_DONE, VERDICT_AGAIN, VERDICT_FATAL };

static struct otlp_exporter *exporter_of(struct span_exporter *e)
{
	return (struct otlp_exporter *)e;	/* base is the first member */
}

static void set_failing(struct otlp_exporter *e, bool failing)
{
	atomic_store_explicit(&e->base.failing, failing, memory_order_release);	/* pairs with the producer's load */
}

/* ---- what an answer means ---- */

/* About the collector; whoever shows it puts its name in front.  The detail is the other side's, or libcurl's with
 * names of the other side in it. */
static void say(struct export_outcome *out, const char *what, const char *detail)
{
	char clean[sizeof(out->message)];
	struct strbuf sb;

	otlp_format_message(clean, sizeof(clean) - strlen(what) - 2, detail, strlen(detail));
	strbuf_init_fixed(&sb, out->message, sizeof(out->message));
	strbuf_add_fmt(&sb, "%s%s%s", what, *clean ? ": " : "", clean);
}

static void judge_success(struct otlp_exporter *e, enum http_body type, const uint8_t *body, size_t len, size_t n,
			  struct export_outcome *out)
{
	struct otlp_answer a;
	char what[32];

	otlp_decode_success(&a, type, body, len);
	if (a.rejected > n)
		a.rejected = n;
	out->accepted += n - a.rejected;
	out->rejected += a.rejected;
	if (!a.rejected && !a.message[0])
		return;
	if (a.rejected)
		out->result = EXPORT_PARTIAL;
	snprintf(what, sizeof(what), "rejected %s", e->items);
	say(out, a.rejected ? what : "warns", a.message);
	if (!e->logged_partial)
		log_msg(e->log, LOG_WARN, "collector %s %s (said once; the count is in the exit report)", e->endpoint.shown,
			out->message);
	e->logged_partial = true;
}

/* How long the server wants to be left alone: RetryInfo where it asks for more than Retry-After did. */
static void note_retry_info(struct http_reply *r, const struct otlp_answer *a)
{
	if (a->retry_info && r->retry_after_ns < a->retry_delay_ns)
		r->retry_after_ns = a->retry_delay_ns;
}

static enum verdict judge_status(struct otlp_exporter *e, struct http_reply *r, size_t n, struct export_outcome *out)
{
	struct otlp_answer a;
	char what[32];

	out->http_status = r->status;
	if (r->status >= 200 && r->status < 300) {
		judge_success(e, r->type, r->body, r->len, n, out);
		return VERDICT_DONE;
	}
	otlp_decode_error(&a, r->type, r->body, r->len);
	note_retry_info(r, &a);
	snprintf(what, sizeof(what), "answered %d", r->status);
	say(out, what, a.message);
	out->result = EXPORT_FAILED;
	return retry_http_status(r->status) ? VERDICT_AGAIN : VERDICT_FATAL;
}

/* A status that came, or the one an HTTP error stands for.  The time that the
 * server asks for goes into the reply, where Retry-After would be. */
static enum verdict judge_grpc(struct otlp_exporter *e, struct http_reply *r, size_t n, struct export_outcome *out)
{
	int code = r->grpc_status >= 0 ? r->grpc_status : grpc_status_of_http(r->status);
	const uint8_t *body = NULL;
	struct otlp_answer a;
	size_t len = 0;
	char what[64];

	out->http_status = r->status;
	out->rpc_status = code;
	if (code == 0) {
		grpc_decode_message(r->body, r->len, &body, &len);
		judge_success(e, HTTP_BODY_GRPC, body, len, n, out);
		return VERDICT_DONE;
	}
	otlp_decode_details(&a, r->grpc_details);
	note_retry_info(r, &a);
	if (r->grpc_status < 0 && r->type == HTTP_BODY_GRPC && r->status == 200) {
		/* The stream ended before its trailers: as a lost connection. */
		out->result = EXPORT_FAILED;
		say(out, "broke the stream off", "");
		return VERDICT_AGAIN;
	}
	if (r->grpc_status < 0)
		snprintf(what, sizeof(what), "is no gRPC server, it answered %d", r->status);
	else
		snprintf(what, sizeof(what), "answered %s", grpc_status_name(code));
	say(out, what, r->grpc_message);
	out->result = EXPORT_FAILED;
	return retry_grpc_status(code, a.retry_info) ? VERDICT_AGAIN : VERDICT_FATAL;
}

static enum verdict judge(struct otlp_exporter *e, struct http_reply *r, size_t n, struct export_outcome *out)
{
	switch (r->result) {
	case HTTP_ANSWERED:
		return e->protocol == OTLP_GRPC ? judge_grpc(e, r, n, out) : judge_status(e, r, n, out);
	case HTTP_UNREACHABLE:
		out->result = EXPORT_REFUSED;
		say(out, "cannot be reached", r->error);
		return VERDICT_AGAIN;
	case HTTP_BROKEN:
		out->result = EXPORT_FAILED;
		/* Since TLS 1.3 that is how it looks, and the alert may be lost with the connection. */
		say(out, e->no_certificate && !e->breaker.ever_succeeded ?
		    "broke the connection (does it want a certificate? --otlp-client-certificate)" : "broke the connection",
		    r->error);
		return VERDICT_AGAIN;
	case HTTP_TLS:
		out->result = EXPORT_FAILED;
		say(out, "cannot be trusted or does not trust us (--otlp-certificate, --otlp-client-certificate)",
		    r->error);
		return VERDICT_FATAL;
	case HTTP_TIMEOUT:
		out->result = EXPORT_TIMEOUT;
		say(out, "did not answer in time", "");
		return VERDICT_FATAL;
	case HTTP_TOO_LARGE:
		out->result = EXPORT_FAILED;
		say(out, "sent too large an answer (--otlp-max-response-size)", "");
		return VERDICT_FATAL;
	default:
		out->result = EXPORT_TIMEOUT;
		say(out, "was given up", "");
		return VERDICT_FATAL;
	}
}

/* ---- sending ---- */

/* One body until it is through or the deadline is too near. */
static void send_body(struct otlp_exporter *e, const uint8_t *body, size_t len, size_t n, uint64_t deadline,
		      struct export_outcome *out)
{
	struct http_reply reply;

	retry_reset(&e->retry);
	for (;;) {
		uint64_t wait, now, begin = clock_mono_ns();
		enum verdict v;

		http_transport_post(e->transport, body, len, deadline, &reply);
		out->attempts++;
		out->wire_bytes += len;
		v = judge(e, &reply, n, out);
		set_failing(e, v != VERDICT_DONE);
		e->seen |= reply.result == HTTP_ANSWERED || reply.result == HTTP_BROKEN;
		out->permanent = v == VERDICT_FATAL && reply.result == HTTP_ANSWERED;
		if (v != VERDICT_AGAIN)
			return;
		now = clock_mono_ns();
		e->refused_at = reply.result == HTTP_UNREACHABLE && now - begin < QUICK_NS ? now : 0;
		if (reply.result == HTTP_UNREACHABLE && !e->seen)
			return;
		wait = retry_next(&e->retry, reply.retry_after_ns, now, deadline);
		if (wait == RETRY_NEVER)
			e->asked_ns = reply.retry_after_ns;
		if (wait == RETRY_NEVER || http_transport_wait(e->transport, now + wait) != 0)
			return;
		out->result = EXPORT_OK;
		out->message[0] = '\0';
	}
}

/* What precedes a body has room for a frame's head: the encoder's, the
 * compressor's and the spool's buffers see to it. */
static void send_compressed(struct otlp_exporter *e, const uint8_t *body, size_t len, size_t n, uint64_t deadline,
			    struct export_outcome *out)
{
	if (e->protocol == OTLP_GRPC) {
		grpc_encode_head((uint8_t *)(uintptr_t)body, len, e->gzip != NULL);
		body -= GRPC_FRAME;
		len += GRPC_FRAME;
	}
	send_body(e, body, len, n, deadline, out);
}

static int make_body(struct otlp_exporter *e, struct span *const *spans, size_t n, const uint8_t **body, size_t *len)
{
	int err;

	e->ahead.n = 0;			/* its place is taken now, or by the next one */
	if (e->protocol != OTLP_HTTP_JSON)
		return otlp_encode_spans(e->encoder, spans, n, body, len);
	err = otlp_json_spans(&e->json, spans, n);
	*body = (const uint8_t *)e->json.p;
	*len = e->json.len;
	return err;
}

/* Compresses and frames a body as configured, and sends it.  err: of making it. */
static void send_encoded(struct otlp_exporter *e, const uint8_t *body, size_t len, size_t n, int err, uint64_t deadline,
			 struct export_outcome *out)
{
	if (!err)
		out->bytes += len;
	if (!err && e->gzip)
		err = gzip_encode(e->gzip, body, len, &body, &len);
	if (err) {
		out->result = EXPORT_FAILED;
		snprintf(out->message, sizeof(out->message), "cannot be sent %s: %s", e->items,
			 err == -E2BIG ? "a request is larger than --otlp-max-request-size" : tracer_strerror(err));
		return;
	}
	send_compressed(e, body, len, n, deadline, out);
}

/* While an answer is awaited: the next batch.  A body that is not compressed stays where the encoder has made
 * it, so there can be no second one. */
static void ahead_make(void *ctx)
{
	struct otlp_exporter *e = ctx;
	struct span *const *spans;
	const uint8_t *body;
	size_t len, n = e->base.ahead && e->gzip ? e->base.ahead(e->base.ahead_ctx, &spans) : 0;

	if (!n || e->ahead.n || make_body(e, spans, n, &body, &len) < 0)
		return;
	if (gzip_encode(e->gzip, body, len, &e->ahead.body, &e->ahead.len) < 0)
		return;
	e->ahead.plain = len;
	e->ahead.n = n;
	memcpy(e->ahead.first, spans[0]->span_id, sizeof(e->ahead.first));
	memcpy(e->ahead.last, spans[n - 1]->span_id, sizeof(e->ahead.last));
}

static bool is_ahead(const struct otlp_exporter *e, struct span *const *spans, size_t n)
{
	const struct ahead *a = &e->ahead;

	return a->n == n && !memcmp(a->first, spans[0]->span_id, sizeof(a->first)) &&
	       !memcmp(a->last, spans[n - 1]->span_id, sizeof(a->last));
}

/* Sends spans in one request, or in halves where one would be too large. */
static void send_spans(struct otlp_exporter *e, struct span *const *spans, size_t n, uint64_t deadline,
		       struct export_outcome *out)
{
	const uint8_t *body;
	size_t len;
	int err;

	if (is_ahead(e, spans, n)) {
		struct ahead a = e->ahead;

		e->ahead.n = 0;
		out->bytes += a.plain;
		send_compressed(e, a.body, a.len, n, deadline, out);
		return;
	}
	err = make_body(e, spans, n, &body, &len);
	if (err == -E2BIG && n > 1) {
		send_spans(e, spans, n / 2, deadline, out);
		if (out->result == EXPORT_OK || out->result == EXPORT_PARTIAL)
			send_spans(e, spans + n / 2, n - n / 2, deadline, out);
		return;
	}
	send_encoded(e, body, len, n, err, deadline, out);
}

static void log_failure(struct otlp_exporter *e, const struct export_outcome *out, bool opened)
{
	if (opened)
		log_msg(e->log, LOG_WARN, "collector %s %s; no more tries for a while, %s wait or are dropped "
			"(start a receiver: tracer collect; name another: --otlp-endpoint URL)", e->endpoint.shown,
			out->message, e->items);
	else if (!e->logged_failure)
		log_msg(e->log, LOG_WARN, "collector %s %s", e->endpoint.shown, out->message);
	e->logged_failure = true;
}

/* 400 and 413 (INVALID_ARGUMENT) are about this batch, not about the collector. */
static bool is_about_the_batch(const struct export_outcome *out)
{
	return out->http_status == 400 || out->http_status == 413 || out->rpc_status == 3 || out->attempts == 0;
}

static void note_outcome(struct otlp_exporter *e, const struct export_outcome *out)
{
	bool good = out->result == EXPORT_OK || out->result == EXPORT_PARTIAL;

	if (good && breaker_add_success(&e->breaker)) {
		log_msg(e->log, LOG_WARN, "collector %s answers again", e->endpoint.shown);
		e->logged_failure = false;
	} else if (!good) {
		bool opened = !is_about_the_batch(out) &&
			breaker_add_failure(&e->breaker, clock_mono_ns(), out->result == EXPORT_REFUSED && !e->seen, e->asked_ns);

		log_failure(e, out, opened);
	}
	atomic_store_explicit(&e->base.circuit_open, e->breaker.state == BREAKER_OPEN,
			      memory_order_release);	/* pairs with the producer's load */
}

/* False: not to be tried for now; out says so. */
static bool may_send(struct otlp_exporter *e, struct export_outcome *out)
{
	*out = (struct export_outcome){ .result = EXPORT_OK, .rpc_status = -1 };
	e->asked_ns = 0;
	if (!http_transport_aborted(e->transport) && breaker_check(&e->breaker, clock_mono_ns()) == 0)
		return true;
	out->result = EXPORT_REFUSED;
	say(out, "is not tried for a while", "");
	return false;
}

static void finish(struct otlp_exporter *e, struct export_outcome *out)
{
	if (http_transport_aborted(e->transport) && out->result != EXPORT_OK)
		return;			/* says nothing about the collector */
	note_outcome(e, out);
	if (out->result == EXPORT_REFUSED && out->accepted + out->rejected > 0)
		out->result = EXPORT_FAILED;	/* a part is through: not to be given again */
}

static void otlp_export(struct span_exporter *base, struct span *const *spans, size_t n, uint64_t deadline,
			struct export_outcome *out)
{
	struct otlp_exporter *e = exporter_of(base);

	if (!may_send(e, out) || n == 0)
		return;
	send_spans(e, spans, n, deadline, out);
	finish(e, out);
}

void otlp_exporter_post(struct span_exporter *base, const uint8_t *body, size_t len, bool gzipped, size_t spans,
			uint64_t deadline, struct export_outcome *out)
{
	struct otlp_exporter *e = exporter_of(base);
	int err = 0;

	if (!may_send(e, out))
		return;
	if (gzipped && e->gzip) {
		send_compressed(e, body, len, spans, deadline, out);
	} else {
		if (!gzipped && len > e->request_max)
			err = -E2BIG;
		if (gzipped)
			err = gzip_decode(&e->plain, body, len, &body, &len);
		send_encoded(e, body, len, spans, err, deadline, out);
	}
	finish(e, out);
}

static uint64_t otlp_hold(struct span_exporter *base, uint64_t now, bool last_chance)
{
	struct otlp_exporter *e = exporter_of(base);

	if (http_transport_aborted(e->transport))
		return UINT64_MAX;
	if (!last_chance)
		return breaker_check(&e->breaker, now);
	if (e->breaker.state != BREAKER_OPEN)
		return 0;
	if (!e->breaker.ever_succeeded && (!e->refused_at || now - e->refused_at < QUICK_NS))
		return UINT64_MAX;
	/* it was there once, or may have come meanwhile and to ask takes no time: try, whatever the pause says */
	e->breaker.state = BREAKER_HALF_OPEN;
	return 0;
}

static void otlp_abort(struct span_exporter *base)
{
	http_transport_abort(exporter_of(base)->transport);
}

static void otlp_free(struct span_exporter *base)
{
	struct otlp_exporter *e = exporter_of(base);

	if (!base)
		return;
	http_transport_free(e->transport);
	otlp_encoder_free(e->encoder);
	gzip_free(e->gzip);
	strbuf_fini(&e->json);
	strbuf_fini(&e->plain);
	free(e);
}

/* Names as otel.component.type has them; indexed by signal and protocol. */
#define OPS(type) { .name = type, .export = otlp_export, .hold = otlp_hold, .abort = otlp_abort, .free = otlp_free }
static const struct span_exporter_ops otlp_ops[][3] = {
	{ OPS("otlp_http_span_exporter"), OPS("otlp_http_json_span_exporter"), OPS("otlp_grpc_span_exporter") },
	{ OPS("otlp_http_metric_exporter"), OPS("otlp_http_json_metric_exporter"), OPS("otlp_grpc_metric_exporter") },
};

/* ---- set-up ---- */

const char *otlp_endpoint_default(enum otlp_protocol protocol)
{
	return protocol == OTLP_GRPC ? "http://localhost:4317" : "http://localhost:4318";
}

int otlp_protocol_parse(const char *text, enum otlp_protocol *out)
{
	static const char *const names[] = { "http/protobuf", "http/json", "grpc" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(text, names[i]) == 0) {
			*out = (enum otlp_protocol)i;
			return 0;
		}
	return -EINVAL;
}

static int exporter_init(struct otlp_exporter *e, const struct otlp_config *cfg, char *why, size_t whylen)
{
	struct http_config http = {
		.endpoint = &e->endpoint, .protocol = cfg->protocol, .gzip = cfg->gzip, .headers = cfg->headers,
		.certificate = cfg->certificate, .client_certificate = cfg->client_certificate,
		.client_key = cfg->client_key, .response_max = cfg->response_max,
	};
	size_t most = cfg->request_max ? cfg->request_max : OTLP_REQUEST_MAX;
	const char *url = cfg->endpoint ? cfg->endpoint : otlp_endpoint_default(cfg->protocol);
	uint64_t seed = 1;
	int err = otlp_endpoint_parse(&e->endpoint, url, cfg->endpoint ? cfg->endpoint_kind : OTLP_ENDPOINT_BASE,
				      cfg->protocol, cfg->signal, cfg->insecure, why, whylen);

	e->request_max = most;
	e->no_certificate = e->endpoint.tls && !cfg->client_certificate;
	strbuf_init(&e->json, most);
	strbuf_init(&e->plain, OTLP_REQUEST_MAX + GZIP_HEADROOM);
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = clock_mono_ns();
	retry_init(&e->retry, seed);
	breaker_init(&e->breaker, seed ^ 0x5bd1e995);
	if (!err)
		err = http_transport_new(&e->transport, &http, why, whylen);
	if (err)
		return err;
	http_transport_set_idle(e->transport, ahead_make, e);
	snprintf(why, whylen, "compression level or library not available");
	if (cfg->gzip)
		err = gzip_new(&e->gzip, cfg->gzip_library, cfg->gzip_level ? cfg->gzip_level : GZIP_LEVEL_MIN);
	if (err)
		return err == -EINVAL ? -TRACER_ERR_USAGE : err;
	return otlp_encoder_new(&e->encoder, most);
}

int otlp_http_exporter_new(struct span_exporter **out, const struct otlp_config *cfg, char *why, size_t whylen)
{
	struct otlp_exporter *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->base.ops = &otlp_ops[cfg->signal][cfg->protocol];
	e->items = cfg->signal == OTLP_METRICS ? "data points" : "spans";
	e->protocol = cfg->protocol;
	e->log = cfg->log;
	err = exporter_init(e, cfg, why, whylen);
	if (err) {
		otlp_free(&e->base);
		return err;
	}
	*out = &e->base;
	return 0;
}

void otlp_exporter_load_peer(const struct span_exporter *base, struct otlp_peer *out)
{
	const struct otlp_endpoint *p = &((const struct otlp_exporter *)base)->endpoint;
	bool is_path = p->unix_path[0] != '\0';

	snprintf(out->address, sizeof(out->address), "%s", is_path ? p->unix_path : p->host);
	out->port = is_path ? 0 : (int64_t)p->port;
}

const char *otlp_exporter_shown(const struct span_exporter *e)
{
	return ((const struct otlp_exporter *)e)->endpoint.shown;
}
