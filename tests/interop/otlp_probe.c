/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exporter, a few exports, the outcome of each as a line; for tests that
 * script the other side.
 *   otlp-probe [-p PROTOCOL] [-a CA] [-c CERT -k KEY] [-t MS] [-n TIMES] [-w MS] [-z] [-H HEADERS] ENDPOINT
 * -z: not compressed; -w: pause between exports.
 */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "export/otlp_exporter.h"
#include "otlp_samples.h"

#define SPANS 10

static void on_log(void *ctx, int level, const char *message)
{
	(void)ctx;
	(void)level;
	printf("log: %s\n", message);
}

static void probe(struct span_exporter *e, struct span *const *spans, uint64_t timeout_ms)
{
	static const char *const results[] = { "OK", "PARTIAL", "FAILED", "TIMEOUT", "REFUSED" };
	struct export_outcome out;

	e->ops->export(e, spans, SPANS, clock_mono_ns() + timeout_ms * 1000000u, &out);
	printf("result=%s attempts=%u accepted=%lu rejected=%lu http=%d rpc=%d message=%s\n",
	       results[out.result], out.attempts, (unsigned long)out.accepted, (unsigned long)out.rejected,
	       out.http_status, out.rpc_status, out.message);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct log log = { on_log, NULL, LOG_DEBUG };
	struct otlp_config cfg = { .gzip = true, .log = &log };
	struct span *spans[SPANS];
	unsigned long r = 0x5eed0700, timeout = 10000, times = 1, pause = 0;
	struct resource *res = sample_resource(1, &r);
	struct span_exporter *e;
	char why[512];
	int c;

	while ((c = getopt(argc, argv, "p:a:c:k:t:n:w:zH:")) != -1) {
		switch (c) {
		case 'p':
			if (otlp_protocol_parse(optarg, &cfg.protocol))
				return 2;
			break;
		case 'a': cfg.certificate = optarg; break;
		case 'c': cfg.client_certificate = optarg; break;
		case 'k': cfg.client_key = optarg; break;
		case 't': timeout = strtoul(optarg, NULL, 10); break;
		case 'n': times = strtoul(optarg, NULL, 10); break;
		case 'w': pause = strtoul(optarg, NULL, 10); break;
		case 'z': cfg.gzip = false; break;
		case 'H': cfg.headers = optarg; break;
		default: return 2;
		}
	}
	cfg.endpoint = argv[optind];
	if (!cfg.endpoint)
		return 2;
	if (otlp_http_exporter_new(&e, &cfg, why, sizeof(why))) {
		printf("refused: %s\n", why);
		resource_put(res);
		return 1;
	}
	for (size_t i = 0; i < SPANS; i++) {
		spans[i] = sample_new();
		sample_set_call(spans[i], &r);
		spans[i]->resource = res;
	}
	while (times--) {
		probe(e, spans, timeout);
		if (times)
			nanosleep(&(struct timespec){(time_t)(pause / 1000), (long)(pause % 1000) * 1000000},
				  NULL);
	}
	e->ops->free(e);
	for (size_t i = 0; i < SPANS; i++)
		sample_free(spans[i]);
	resource_put(res);
	return 0;
}
