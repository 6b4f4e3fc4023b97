/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A collector that answers as its list says, for end-to-end tests:
 *   fault-collector PORTFILE STEP,STEP,...
 * A step is a name of the table below, a status, or status+SECONDS with that
 * Retry-After; the last one repeats.  SIGTERM ends it, and it prints
 *   requests N connections N spans N accepted N invalid N
 * where accepted counts the spans of requests that were answered by success.
 * Main thread; the server has one of its own (fake_collector.h).
 */
#include "config.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_collector.h"

#define STEPS 16
#define BODY(s) .body = s, .len = sizeof(s) - 1
#define PROTOBUF "Content-Type: application/x-protobuf\r\n"

static const struct { const char *name; struct fake_step step; } names[] = {
	{ "partial", { .status = 200, BODY("\x0a\x08\x08\x03\x12\x04" "full") } },	/* 3 rejected */
	{ "warning", { .status = 200, BODY("\x0a\x06\x12\x04" "slow") } },
	{ "garbage", { .status = 200, BODY("\xff\xff\xff") } },
	{ "text", { .status = 200, .headers = "Content-Type: text/plain\r\n", BODY("hello") } },
	{ "gzip", { .status = 200, .headers = PROTOBUF "Content-Encoding: gzip\r\n", BODY("\x1f\x8b\x08") } },
	{ "redirect", { .status = 302, .headers = "Location: http://127.0.0.1:9/\r\n" } },
	{ "status", { .status = 400, BODY("\x08\x03\x12\x05" "bad a") } },
	{ "json", { .status = 403, .headers = "Content-Type: application/json\r\n",
		    BODY("{\"code\":7,\"message\":\"no entry\"}") } },
	{ "past", { .status = 503, .headers = "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n" } },
	{ "future", { .status = 503, .headers = "Retry-After: Sun, 06 Nov 2094 08:49:37 GMT\r\n" } },
	{ "hang", { .act = FAKE_HANG } },
	{ "reset", { .act = FAKE_RESET } },
	{ "half", { .act = FAKE_HALF, BODY("0123456789") } },
	{ "bomb", { .act = FAKE_BOMB } },
	{ "drip", { .act = FAKE_DRIP } },
	{ "interim", { .act = FAKE_INTERIM } },
};

static int step_parse(struct fake_step *out, const char *text, char *headers, size_t size)
{
	char *end;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, text) == 0) {
			*out = names[i].step;
			return 0;
		}
	*out = (struct fake_step){ .status = (int)strtol(text, &end, 10) };
	if (*end == '+') {
		snprintf(headers, size, PROTOBUF "Retry-After: %s\r\n", end + 1);
		out->headers = headers;
	} else if (*end) {
		return -1;
	}
	return out->status >= 200 && out->status <= 599 ? 0 : -1;
}

static int port_write(const char *path, int port)
{
	char tmp[4096];
	FILE *f;

	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	f = fopen(tmp, "w");
	if (!f || fprintf(f, "%d\n", port) < 0 || fclose(f) != 0)
		return -1;
	return rename(tmp, path);
}

static bool is_success(const struct fake_step *s)
{
	bool answers = s->act == FAKE_ANSWER || s->act == FAKE_DRIP || s->act == FAKE_INTERIM;

	return answers && (s->status == 0 || s->status / 100 == 2);
}

static void report(const struct fake_collector *f)
{
	size_t spans = 0, accepted = 0, invalid = 0;

	for (size_t i = 0; i < f->nrequests; i++) {
		const struct fake_request *r = &f->requests[i];

		spans += r->spans;
		invalid += !r->valid;
		if (is_success(&f->steps[i < f->nsteps ? i : f->nsteps - 1]))
			accepted += r->spans;
	}
	printf("requests %zu connections %u spans %zu accepted %zu invalid %zu\n", f->nrequests,
	       f->connections, spans, accepted, invalid);
}

int main(int argc, char **argv)
{
	static struct fake_step steps[STEPS];
	static char headers[STEPS][128];
	static struct fake_collector f;
	size_t n = 0;
	sigset_t set;
	int sig;

	if (argc != 3)
		return 2;
	for (char *t = strtok(argv[2], ","); t && n < STEPS; t = strtok(NULL, ","), n++)
		if (step_parse(&steps[n], t, headers[n], sizeof(headers[n])) < 0) {
			fprintf(stderr, "fault-collector: no such step: %s\n", t);
			return 2;
		}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fake_collector_start(&f, 0, steps, n);
	if (port_write(argv[1], f.port) < 0)
		return 1;
	sigwait(&set, &sig);
	fake_collector_stop(&f);
	report(&f);
	fake_collector_free(&f);
	return 0;
}
