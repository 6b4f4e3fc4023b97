/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What collectors answer, whatever it is: bodies of successes and errors in
 * each content type, details in base64, gRPC frames.  A message is one line of
 * valid UTF-8 without commands for a terminal, a count is one that was sent, and the input is only read.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "base/utf8.h"
#include "export/grpc.h"
#include "export/otlp_response.h"
#include "fuzz.h"

static void require(int ok)
{
	if (!ok)
		abort();
}

static void check(const struct otlp_answer *a)
{
	size_t n = strnlen(a->message, sizeof(a->message));

	require(n < sizeof(a->message) && utf8_valid(a->message, n));
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)a->message[i];

		require(c >= ' ' && c != 0x7f);
		require(c != 0xc2 || (unsigned char)a->message[i + 1] >= 0xa0);
	}
	require(a->rejected <= INT64_MAX);
	require(a->retry_info || !a->retry_delay_ns);
	require(a->retry_delay_ns <= UINT64_MAX / 2);
}

/* The first byte says what it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_body type = size ? data[0] & 3 : 0;
	const uint8_t *body = data, *message;
	uint8_t *copy;
	size_t n = size, len;
	struct otlp_answer a;
	char *text;

	if (!size)
		return 0;
	copy = malloc(n);		/* exactly: a look behind it is a crash under sanitizers */
	require(copy != NULL);
	memcpy(copy, body + 1, n - 1);
	otlp_decode_success(&a, type, copy, n - 1);
	check(&a);
	otlp_decode_error(&a, type, copy, n - 1);
	check(&a);
	if (grpc_decode_message(copy, n - 1, &message, &len))
		require(message >= copy && message + len <= copy + n - 1);
	text = strndup((char *)copy, n - 1);
	require(text != NULL);
	otlp_decode_details(&a, text);
	check(&a);
	free(text);
	free(copy);
	return 0;
}

#define SEED(s) { s, sizeof(s) - 1 }

struct fuzz_seed fuzz_seed(unsigned i)
{
	static const struct fuzz_seed seeds[] = {
		SEED("\x01\x0a\x08\x08\x03\x12\x04" "full"),
		SEED("\x01\x08\x0e\x12\x03" "bad\x1a\x36\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x0a\x0a\x08\x08\x01"
		     "\x10\x80\xca\xb5\xee\x01"),
		SEED("\x02{\"partialSuccess\":{\"rejectedSpans\":\"12\",\"errorMessage\":\"a \\\"b\\\" \xc3\xa9\"},\"x\":[1,{}]}"),
		SEED("\x02{\"code\":14,\"message\":\"m\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
		     "\"retryDelay\":\"1.5s\"}]}"),
		SEED("\x03\x00\x00\x00\x00\x0c\x0a\x0a\x08\x03\x12\x06too \x1b\xff"),
		SEED("\x00<html>\033[2J\302\233no\n"),
		SEED("\x00" "CA4aNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ"),
	};

	return i < sizeof(seeds) / sizeof(seeds[0]) ? seeds[i] : (struct fuzz_seed){ NULL, 0 };
}
