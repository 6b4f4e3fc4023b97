/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint URLs and header lists.  Pure: called by whoever makes an exporter,
 * and by the option parser to refuse bad values early; memory is the caller's.
 *
 * Rules: OpenTelemetry specification, protocol/exporter.md, "Endpoint URLs for
 * OTLP/HTTP" and "Specifying headers via environment variables".
 */
#include "config.h"
#include "export/otlp_endpoint.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <tracer/error.h>
#include "base/parse.h"

static const char *const http_paths[] = { "v1/traces", "v1/metrics" };	/* by signal */

/* Pieces of the text; pointers into it. */
struct url_parts {
	const char *scheme, *host, *port, *path;
	size_t scheme_len, host_len, port_len, path_len;	/* path with query, without fragment */
};

static int refuse(char *why, size_t whylen, const char *text, const char *reason)
{
	snprintf(why, whylen, "'%.200s': %s", text, reason);
	return -TRACER_ERR_USAGE;
}

/* What may be in a URL at all (RFC 3986): visible ASCII but a few. */
static bool url_chars_valid(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f || strchr("\"<>\\^`{|}", *s))
			return false;
	return true;
}

static bool host_valid(const char *p, size_t n)
{
	if (n == 0 || n > 253)
		return false;
	if (p[0] == '[')
		return n > 3 && p[n - 1] == ']' && strspn(p + 1, "0123456789abcdefABCDEF:.%") >= n - 2;
	for (size_t i = 0; i < n; i++)
		if (strchr("[]@:/?#%,", p[i]))
			return false;
	return true;
}

/* user:password@ is refused: it would be logged, and there are headers for it. */
static const char *authority_split(struct url_parts *u, const char *p, size_t n)
{
	const char *end = p + n, *colon;

	if (memchr(p, '@', n))
		return "user names and passwords do not belong in the URL (use --otlp-headers)";
	colon = p[0] == '[' ? memchr(p, ']', n) : p;
	colon = colon ? memchr(colon, ':', (size_t)(end - colon)) : NULL;
	u->host = p;
	u->host_len = (size_t)((colon ? colon : end) - p);
	u->port = colon ? colon + 1 : end;
	u->port_len = (size_t)(end - u->port);
	if (!host_valid(u->host, u->host_len))
		return "no valid host name in it (expected http://HOST:PORT)";
	return NULL;
}

static const char *url_split(struct url_parts *u, const char *text)
{
	const char *p = strstr(text, "://");
	size_t n;

	*u = (struct url_parts){ .scheme = text };
	if (p) {
		u->scheme_len = (size_t)(p - text);
		p += 3;
	} else {
		p = text;
	}
	n = strcspn(p, "/?#");
	u->path = p + n;
	u->path_len = strcspn(u->path, "#");
	return authority_split(u, p, n);
}

static int port_parse(const struct url_parts *u, bool tls, unsigned *port)
{
	char text[8];
	uint64_t v;

	if (u->port_len == 0) {
		*port = tls ? 443 : 80;		/* never 4318: the specification names it a default of the whole URL */
		return 0;
	}
	if (u->port_len >= sizeof(text))
		return -EINVAL;
	memcpy(text, u->port, u->port_len);
	text[u->port_len] = '\0';
	if (parse_u64(text, 1, 65535, &v) != 0)
		return -EINVAL;
	*port = (unsigned)v;
	return 0;
}

static bool ends_with(const char *p, size_t n, const char *tail)
{
	size_t t = strlen(tail);

	return n > t && memcmp(p + n - t, tail, t) == 0 && p[n - t - 1] == '/';
}

/* Length of a signal's path at the end of this one: http://c/v1/traces was given where http://c was meant. */
static size_t signal_path_len(const char *p, size_t n)
{
	for (size_t i = 0; i < sizeof(http_paths) / sizeof(http_paths[0]); i++)
		if (ends_with(p, n, http_paths[i]))
			return strlen(http_paths[i]);
	return 0;
}

/* Path and query to post to.  A query stays behind the path. */
static int path_format(char *out, size_t room, const struct url_parts *u, enum otlp_endpoint_kind kind,
		       const char *path)
{
	size_t bare = 0, used;
	const char *slash, *tail;

	while (bare < u->path_len && u->path[bare] != '?')
		bare++;
	used = bare;
	if (kind == OTLP_ENDPOINT_OPTION)
		bare -= signal_path_len(u->path, bare);
	slash = bare && u->path[bare - 1] == '/' ? "" : "/";
	tail = path;
	if (kind == OTLP_ENDPOINT_SIGNAL) {
		slash = bare ? "" : "/";
		tail = "";
	}
	return snprintf(out, room, "%.*s%s%s%.*s", (int)bare, u->path, slash, tail,
			(int)(u->path_len - used), u->path + used);
}

/* unix:///run/otel.sock: HTTP over a local socket; the path posted to is the usual one. */
static int unix_parse(struct otlp_endpoint *out, const char *text, const char *path, char *why, size_t whylen)
{
	const char *p = text + strlen("unix:");

	if (strncmp(p, "//", 2) == 0)
		p += 2;
	if (p[0] != '/' || strlen(p) >= sizeof(out->unix_path))
		return refuse(why, whylen, text, "a socket needs an absolute path of at most 107 bytes (unix:///run/otel.sock)");
	strcpy(out->unix_path, p);
	snprintf(out->url, sizeof(out->url), "http://localhost/%s", path);
	snprintf(out->shown, sizeof(out->shown), "unix://%s", p);
	snprintf(out->host, sizeof(out->host), "%s", p);
	return 0;
}

static const char *scheme_check(const struct url_parts *u, enum otlp_protocol protocol, bool insecure, bool *tls)
{
	if (u->scheme_len == 0 && protocol == OTLP_GRPC) {
		*tls = !insecure;
		return NULL;
	}
	if (u->scheme_len == 4 && strncasecmp(u->scheme, "http", 4) == 0) {
		*tls = false;
		return NULL;
	}
	if (u->scheme_len == 5 && strncasecmp(u->scheme, "https", 5) == 0) {
		*tls = true;
		return NULL;
	}
	return "the URL must begin with http://, https:// or unix:// (expected http://HOST:PORT)";
}

int otlp_endpoint_parse(struct otlp_endpoint *out, const char *text, enum otlp_endpoint_kind kind,
			enum otlp_protocol protocol, enum otlp_signal signal, bool insecure,
			char *why, size_t whylen)
{
	static const char *const grpc_paths[] = {
		"opentelemetry.proto.collector.trace.v1.TraceService/Export",
		"opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	};
	const char *path = protocol == OTLP_GRPC ? grpc_paths[signal] : http_paths[signal];
	char tail[OTLP_URL_MAX];
	struct url_parts u;
	const char *bad;
	size_t host_len;

	*out = (struct otlp_endpoint){ 0 };
	if (!url_chars_valid(text))
		return refuse(why, whylen, text, "spaces and control characters are not allowed in a URL (percent-encode them)");
	if (strlen(text) > OTLP_URL_MAX - 128)
		return refuse(why, whylen, text, "the URL is too long");
	if (strncasecmp(text, "unix:", 5) == 0)
		return unix_parse(out, text, path, why, whylen);
	bad = url_split(&u, text);
	bad = bad ? bad : scheme_check(&u, protocol, insecure, &out->tls);
	if (bad)
		return refuse(why, whylen, text, bad);
	if (port_parse(&u, out->tls, &out->port) != 0)
		return refuse(why, whylen, text, "the port must be a number from 1 to 65535");
	if (protocol == OTLP_GRPC)	/* the protocol fixes the path */
		snprintf(tail, sizeof(tail), "/%s", path);
	else
		path_format(tail, sizeof(tail), &u, kind, path);
	host_len = (size_t)(u.port + u.port_len - u.host);
	snprintf(out->shown, sizeof(out->shown), "%s://%.*s", out->tls ? "https" : "http", (int)host_len, u.host);
	if ((size_t)snprintf(out->url, sizeof(out->url), "%.*s%s", OTLP_URL_MAX, out->shown, tail) >= sizeof(out->url))
		return refuse(why, whylen, text, "the URL is too long");
	snprintf(out->host, sizeof(out->host), "%.*s", (int)u.host_len, u.host);
	return 0;
}

/* RFC 9110: a field name is a token. */
static bool token_valid(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", p[i]))
			return false;
	return n > 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decoded length, or -1: a bad escape, or a byte no field value may have. */
static int value_decode(char *out, size_t room, const char *p, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n && len + 1 < room; i++) {
		char c = p[i];

		if (c == '%') {
			int hi = i + 2 < n ? hex_digit(p[i + 1]) : -1, lo = hi < 0 ? -1 : hex_digit(p[i + 2]);

			if (lo < 0)
				return -1;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f)
			return -1;
		out[len++] = c;
	}
	out[len] = '\0';
	return (int)len;
}

static void trim(const char **p, size_t *n)
{
	while (*n && (**p == ' ' || **p == '\t')) {
		(*p)++;
		(*n)--;
	}
	while (*n && ((*p)[*n - 1] == ' ' || (*p)[*n - 1] == '\t'))
		(*n)--;
}

static int header_parse(const char *item, size_t n, int (*add)(void *, const char *, const char *), void *ctx,
			char *why, size_t whylen)
{
	const char *eq = memchr(item, '=', n), *v;
	size_t name_len, value_len;
	char name[128], value[8192];

	if (!eq) {
		snprintf(why, whylen, "header without '=' (expected NAME=VALUE,NAME=VALUE)");
		return -TRACER_ERR_USAGE;
	}
	v = eq + 1;
	name_len = (size_t)(eq - item);
	value_len = (size_t)(item + n - v);
	trim(&item, &name_len);
	trim(&v, &value_len);
	if (!token_valid(item, name_len) || name_len >= sizeof(name)) {
		/* Not quoted: behind a comma it may be a part of a value. */
		snprintf(why, whylen, "a header has no legal name (NAME=VALUE,NAME=VALUE; a comma in a value is written %%2C)");
		return -TRACER_ERR_USAGE;
	}
	memcpy(name, item, name_len);
	name[name_len] = '\0';
	if (value_len >= sizeof(value) || value_decode(value, sizeof(value), v, value_len) < 0) {
		snprintf(why, whylen, "the value of header '%s' has a bad %% escape, a control character, or is too long", name);
		return -TRACER_ERR_USAGE;
	}
	return add(ctx, name, value);
}

int otlp_headers_parse(const char *list, int (*add)(void *ctx, const char *name, const char *value),
		       void *ctx, char *why, size_t whylen)
{
	while (*list) {
		size_t n = strcspn(list, ","), used = strspn(list, " \t");
		int err = used >= n ? 0 : header_parse(list, n, add, ctx, why, whylen);

		if (err)
			return err;
		list += n + (list[n] == ',');
	}
	return 0;
}
