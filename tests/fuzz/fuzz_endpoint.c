/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint URLs and header lists as users write them.  A URL that is taken is
 * one for libcurl: printable ASCII with a scheme that is ours, and taken again as it is;
 * a header that is taken cannot end its line.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "export/otlp_endpoint.h"
#include "fuzz.h"

static void require(int ok)
{
	if (!ok)
		abort();
}

static int add(void *ctx, const char *name, const char *value)
{
	size_t *n = ctx;

	require(*name != '\0');
	for (; *name; name++)
		require(*name > ' ' && *name < 0x7f && !strchr(":,;=\"", *name));
	for (; *value; value++)
		require((unsigned char)*value >= ' ' || *value == '\t');
	++*n;
	return 0;
}

static void check_headers(const char *text)
{
	char why[256] = "";
	size_t n = 0, commas = 0;

	for (const char *p = text; *p; p++)
		commas += *p == ',';
	if (otlp_headers_parse(text, add, &n, why, sizeof(why)))
		require(why[0] != '\0');
	require(n <= commas + 1);
}

static void check_url(const char *text, unsigned how)
{
	enum otlp_endpoint_kind kind = how % 3;
	enum otlp_protocol protocol = how / 3 % 3;
	enum otlp_signal signal = how / 9 % 2;
	struct otlp_endpoint e, again;
	char why[512] = "";

	if (otlp_endpoint_parse(&e, text, kind, protocol, signal, how & 64, why, sizeof(why))) {
		require(why[0] != '\0');
		return;
	}
	for (const char *p = e.url; *p; p++)
		require(*p > ' ' && *p < 0x7f);
	require(!strncmp(e.url, e.tls ? "https://" : "http://", e.tls ? 8 : 7));
	require(e.host[0] != '\0');
	if (e.unix_path[0]) {
		require(e.unix_path[0] == '/' && !e.tls);
		return;
	}
	require(!strchr(e.shown, '@') && e.port >= 1 && e.port <= 65535 && !strncmp(e.url, e.shown, strlen(e.shown)));
	/* What is posted to, as an endpoint of its own signal, is itself. */
	if (strlen(e.url) > OTLP_URL_MAX - 128)
		return;
	require(!otlp_endpoint_parse(&again, e.url, OTLP_ENDPOINT_SIGNAL, protocol, signal, false, why, sizeof(why)));
	require(!strcmp(e.url, again.url) && e.port == again.port && e.tls == again.tls && !strcmp(e.host, again.host));
}

/* The first byte says how it is meant. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size ? strndup((const char *)data + 1, size - 1) : NULL;

	if (!text)
		return 0;
	check_url(text, data[0] & 127);
	check_headers(text);
	free(text);
	return 0;
}

#define SEED(s) { s, sizeof(s) - 1 }

struct fuzz_seed fuzz_seed(unsigned i)
{
	static const struct fuzz_seed seeds[] = {
		SEED("\x01http://collector:4318/a/?k=v#f"), SEED("\x02https://[::1]:65535"), SEED("\x00HTTP://c/v1/traces"),
		SEED("\x06" "c:4317"), SEED("\x00unix:///run/otel.sock"), SEED("\x09http://c:4318/v1/metrics?x"),
		SEED("\x00" "authorization=Basic%20QUJD%3D%3D, x-key = a b,y="), SEED("\x00k=%C3%A9,%0d=%0a"),
	};

	return i < sizeof(seeds) / sizeof(seeds[0]) ? seeds[i] : (struct fuzz_seed){ NULL, 0 };
}
